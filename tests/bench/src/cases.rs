// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is counted: checks at several sizes, conditions, the worst case, edits, loading, memory.

use std::hint::black_box;

use sekisho_core::engine::{decide, Decision};
use sekisho_core::facts::Facts;
use sekisho_core::name::Name;
use sekisho_core::policy::{Cursor, DomainId, Policy};
use sekisho_core::request::{PathOp, Request};
use sekisho_core::task::Task;
use sekisho_core::wire;

use crate::policies::{self, app_path, line, Shape, Spread};
use crate::{bytes, count, Budget};

/// Counts one `allow_read` check and says so if the answer is not `granted`.
pub(crate) fn check(
    title: &str,
    budget: Budget,
    policy: &Policy,
    id: DomainId,
    uid: u32,
    path: &str,
    granted: bool,
) {
    let task = Task { uid, ..Task::default() };
    let facts = Facts::new(&task);
    let path = Name::new(path.as_bytes()).expect("a name");
    let request = Request::Path { op: PathOp::Read, path };
    let mut decision = None::<Decision>;
    count(title, budget, || {
        decision = Some(decide(black_box(policy), black_box(id), &facts, black_box(&request)))
    });
    let found = decision.expect("a decision");
    assert!(found.granted == granted, "{title}: granted is {}", found.granted);
}

/// One check at 10, 1,000 and 50,000 rules.
pub(crate) fn checks() {
    for (shape, shape_name) in [(Shape::Literal, "literal"), (Shape::Wild, "wildcards")] {
        for (rules, spread) in [
            (10, Spread::One),
            (1_000, Spread::One),
            (50_000, Spread::One),
            (1_000, Spread::Thousand),
            (50_000, Spread::Thousand),
        ] {
            let place = if spread == Spread::One { "one domain" } else { "1,000 domains" };
            let policy = policies::policy(rules, shape, spread);
            // The last rule, and its neighbour that does not exist.
            let number = rules - 1;
            let id = policy.find_domain(policies::domain(number, spread).as_bytes()).expect("a domain");
            let hit = policies::name(number, shape);
            let miss = hit.replace("file", "fil2");
            let (hit_budget, miss_budget) = match (shape, rules) {
                (Shape::Literal, 10) => {
                    (Budget::AtMost(600), Budget::Percent(150, "hit, literal, 10 rules, one domain"))
                }
                (Shape::Wild, 10) => {
                    (Budget::Stated, Budget::Percent(150, "hit, wildcards, 10 rules, one domain"))
                }
                (Shape::Literal, _) => (
                    Budget::Percent(110, "hit, literal, 10 rules, one domain"),
                    Budget::Percent(150, "hit, literal, 10 rules, one domain"),
                ),
                (Shape::Wild, _) => (
                    Budget::Percent(110, "hit, wildcards, 10 rules, one domain"),
                    Budget::Percent(150, "hit, wildcards, 10 rules, one domain"),
                ),
            };
            let what = format!("{shape_name}, {rules} rules, {place}");
            check(&format!("hit, {what}"), hit_budget, &policy, id, 0, &hit, true);
            check(&format!("miss, {what}"), miss_budget, &policy, id, 0, &miss, false);
        }
    }
}

/// `if task.uid=@GROUP`.
pub(crate) fn conditions() {
    let base = "hit, app, 10 rules, if task.uid=@GROUP";
    for (apps, rules) in [(1, 10), (1_000, 30)] {
        let app = apps - 1;
        let (path, uid) = (app_path(app, 4), 10_000 + app as u32);
        let plain = policies::apps(apps, rules, false);
        let all = apps * rules;
        let without = format!("hit, app, {all} rules, no condition");
        check(&without, Budget::Stated, &plain, DomainId::ROOT, uid, &path, true);
        let policy = policies::apps(apps, rules, true);
        let what = format!("app, {all} rules, if task.uid=@GROUP");
        let budget = if apps == 1 { Budget::Stated } else { Budget::Percent(110, base) };
        check(&format!("hit, {what}"), budget, &policy, DomainId::ROOT, uid, &path, true);
        let budget = Budget::More(45, without);
        check(
            &format!("the same again, {what}, beside no condition"),
            budget,
            &policy,
            DomainId::ROOT,
            uid,
            &path,
            true,
        );
        let budget = Budget::Percent(150, base);
        check(&format!("miss of the uid, {what}"), budget, &policy, DomainId::ROOT, 9, &path, false);
    }
    // Many entries with one path that differ in their conditions, and in their numbers.
    let mut edit = policies::begin();
    let mut cursor = Cursor::default();
    line(&mut edit, &mut cursor, "<kernel>");
    for app in 0..1_000 {
        let member = format!("number_group APP{app} {}", 10_000 + app);
        edit.exception_policy_line(member.as_bytes()).expect("a line");
        line(&mut edit, &mut cursor, &format!("allow_read /system/lib/libc.so if task.uid=@APP{app}"));
    }
    let policy = policies::end(edit);
    let path = "/system/lib/libc.so";
    check(
        "hit of the last, one path, 1,000 conditions",
        Budget::Stated,
        &policy,
        DomainId::ROOT,
        10_999,
        path,
        true,
    );
    check("miss, one path, 1,000 conditions", Budget::Stated, &policy, DomainId::ROOT, 9, path, false);
}

/// What costs most.
pub(crate) fn worst() {
    let mut edit = policies::begin();
    let mut cursor = Cursor::default();
    line(&mut edit, &mut cursor, "<kernel>");
    let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
    for number in 0..5_000 {
        let inner: String = [number, number / 26, number / 676].into_iter().map(letter).collect();
        line(&mut edit, &mut cursor, &format!("allow_read /srv/\\*{inner}\\*"));
    }
    let policy = policies::end(edit);
    let name = format!("/srv/{}", "0".repeat(255));
    check(
        "worst, 5,000 \\*x\\*, 255 bytes, nothing fits",
        Budget::AtMost(40_000),
        &policy,
        DomainId::ROOT,
        0,
        &name,
        false,
    );
    // Every window of three bytes is a key of the index.
    let text: String = (0..255).map(|n| letter(n * 7)).collect();
    let name = format!("/srv/{text}");
    let task = Task::default();
    let request = Request::Path { op: PathOp::Write, path: Name::new(name.as_bytes()).expect("a name") };
    count("worst, 5,000 \\*x\\*, 255 bytes, many fit, nothing grants", Budget::Stated, || {
        black_box(decide(&policy, DomainId::ROOT, &Facts::new(&task), black_box(&request)));
    });
    // One bare pattern each, without a literal part.
    let mut edit = policies::begin();
    line(&mut edit, &mut cursor, "<kernel>");
    for number in 0..5_000_usize {
        let kinds = [r"\*", r"\@", r"\?", r"\$", r"\x"];
        let mut text = String::from(r"\?");
        let mut rest = number;
        while rest > 0 {
            text.push_str(kinds[rest % kinds.len()]);
            rest /= kinds.len();
        }
        line(&mut edit, &mut cursor, &format!("allow_write /srv/{text}/x"));
    }
    let policy = policies::end(edit);
    check("5,000 patterns without a literal byte", Budget::Stated, &policy, DomainId::ROOT, 0, &name, false);
}

/// One rule more.
pub(crate) fn edits() {
    for (shape, shape_name) in [(Shape::Literal, "literal"), (Shape::Wild, "wildcards")] {
        for rules in [1_000, 50_000] {
            let policy = policies::policy(rules, shape, Spread::One);
            let word = policies::word(rules, shape);
            let known = word.replace(&format!("/d{:03}/", rules / 50), "/d007/");
            for (word, place) in [(&word, ""), (&known, ", into a directory that has some")] {
                let text = format!("allow_read {word}");
                let mut next = None;
                let title = format!("one rule added, {shape_name}, {rules} rules{place}");
                // A rule with wildcards copies nodes of the pattern tree besides; it is not within 10,500 yet.
                let budget = if shape == Shape::Literal { Budget::AtMost(10_500) } else { Budget::Stated };
                count(&title, budget, || {
                    let mut edit = policy.edit().expect("memory");
                    let mut cursor = Cursor::default();
                    edit.domain_policy_line(&mut cursor, b"<kernel>").expect("a line");
                    edit.domain_policy_line(&mut cursor, text.as_bytes()).expect("a line");
                    next = Some(edit.commit());
                });
                drop(next);
            }
        }
    }
}

/// Ten thousand rules, as text and in memory.
pub(crate) fn loading() {
    let empty = policies::end(policies::begin());
    for (title, domains) in [("one domain", 1), ("100 domains", 100)] {
        let mut text = Vec::new();
        for domain in 0..domains {
            text.push(if domains == 1 { "<kernel>".into() } else { format!("<kernel> /bin/p{domain}") });
            for number in (domain..10_000).step_by(domains) {
                // 40 bytes each, the directive included: `allow_read /usr/lib/d123/modules/m01234`.
                let line = format!("allow_read /usr/lib/d{:03}/modules/m{number:05}.", number / 50);
                assert_eq!(line.len(), 40);
                text.push(line);
            }
        }
        let mut next = None;
        count(
            &format!("10,000 lines of text parsed and published, {title}"),
            Budget::AtMost(40_000_000),
            || {
                let mut edit = empty.edit().expect("memory");
                let mut cursor = Cursor::default();
                for line in &text {
                    edit.domain_policy_line(&mut cursor, line.as_bytes()).expect("a line");
                }
                next = Some(edit.commit());
            },
        );
        let loaded = next.expect("a policy");
        let each = (loaded.memory() - empty.memory()) / 10_000;
        bytes(&format!("a rule of 40 bytes, 10,000 rules, {title}"), Budget::AtMost(120), each);
        let image = wire::compile(&loaded).expect("memory");
        bytes(&format!("the image of 10,000 rules, {title}"), Budget::Stated, image.len());
        let mut next = None;
        count(&format!("the image of 10,000 rules loaded, {title}"), Budget::AtMost(8_000_000), || {
            next = Some(wire::load(black_box(&image), 7, 0));
        });
        assert!(next.is_some_and(|policy| policy.is_ok()), "the image of {title}");
    }
}
