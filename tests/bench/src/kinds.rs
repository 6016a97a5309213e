// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many entries of one kind in one place: what a check, loading and collecting cost beside few of them.

use std::hint::black_box;

use sekisho_core::engine::decide;
use sekisho_core::policy::{Cursor, DomainId, Policy};
use sekisho_core::question::Question;

use crate::policies::{self, line};
use crate::{count, Budget};

/// Makes the line of a number.
type Line = fn(usize) -> String;

/// A kind of entry: its name, its line, what the last line of so many grants, and what none does.
struct Kind {
    name: &'static str,
    line: Line,
    hit: Line,
    miss: &'static str,
}

fn v4(n: usize) -> String {
    format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255)
}

const KINDS: [Kind; 9] = [
    Kind {
        name: "numbers",
        line: |n| format!("allow_create /x {}", n + 100),
        hit: |n| format!("allow_create /x {}", n + 100),
        miss: "allow_create /x 7",
    },
    Kind {
        name: "ranges of numbers",
        line: |n| format!("allow_ioctl /x {}-{}", 10 * n + 100, 10 * n + 105),
        hit: |n| format!("allow_ioctl /x {}", 10 * n + 103),
        miss: "allow_ioctl /x 5007",
    },
    Kind {
        name: "second paths",
        line: |n| format!("allow_rename /x /y/{n}"),
        hit: |n| format!("allow_rename /x /y/{n}"),
        miss: "allow_rename /x /z",
    },
    Kind {
        name: "uids",
        line: |n| format!("allow_read /x if task.uid={}", n + 100),
        hit: |n| format!("uid={} allow_read /x", n + 100),
        miss: "uid=7 allow_read /x",
    },
    Kind {
        name: "ranges of uids",
        line: |n| format!("allow_read /x if task.uid={}-{}", 10 * n + 100, 10 * n + 105),
        hit: |n| format!("uid={} allow_read /x", 10 * n + 103),
        miss: "uid=5007 allow_read /x",
    },
    Kind {
        name: "groups of uids",
        line: |n| format!("allow_read /x if task.uid=@APP{n}"),
        hit: |n| format!("uid={} allow_read /x", n + 10_000),
        miss: "uid=7 allow_read /x",
    },
    Kind {
        name: "names of programs",
        line: |n| format!("allow_execute /x if exec.argv[0]=\"/y/{n}\""),
        hit: |n| format!("argv=/y/{n} allow_execute /x"),
        miss: "argv=/z allow_execute /x",
    },
    Kind {
        name: "ranges of addresses",
        line: |n| format!("allow_network TCP connect {}-{} 80", v4(4 * n), v4(4 * n + 2)),
        hit: |n| format!("allow_network TCP connect {} 80", v4(4 * n + 1)),
        miss: "allow_network TCP connect 10.0.1.3 80",
    },
    Kind {
        name: "domains that get a signal",
        line: |n| format!("allow_signal 9 <kernel> /bin/d{n}"),
        hit: |n| format!("allow_signal 9 <kernel> /bin/d{n} /bin/e"),
        miss: "allow_signal 9 <kernel> /bin/e /bin/f",
    },
];

fn policy(kind: &Kind, entries: usize) -> Policy {
    let mut edit = policies::begin();
    let mut cursor = Cursor::default();
    line(&mut edit, &mut cursor, "<kernel>");
    for number in 0..entries {
        if kind.name == "groups of uids" {
            let member = format!("number_group APP{number} {}", 10_000 + number);
            edit.exception_policy_line(member.as_bytes()).expect("a line");
        }
        line(&mut edit, &mut cursor, &(kind.line)(number));
    }
    policies::end(edit)
}

fn check(title: &str, budget: Budget, policy: &Policy, question: &str, granted: bool) {
    let question = Question::parse(question.as_bytes()).ok().expect("a question");
    let facts = question.given.facts();
    let mut decision = None;
    count(title, budget, || {
        decision = Some(decide(black_box(policy), DomainId::ROOT, &facts, black_box(&question.request)));
    });
    assert!(decision.is_some_and(|decision| decision.granted == granted), "{title}");
}

/// Checks: 50,000 entries cost at most a third more than 1,000.
pub(crate) fn checks() {
    for kind in &KINDS {
        let base: [&'static str; 2] =
            ["hit", "miss"].map(|what| &*format!("{what} of 1000 {} in one place", kind.name).leak());
        for entries in [20, 1_000, 50_000] {
            let policy = policy(kind, entries);
            let budget = |base| match entries {
                50_000 => Budget::Percent(133, base),
                _ => Budget::AtMost(4_000),
            };
            let what = format!("{entries} {} in one place", kind.name);
            check(&format!("hit of {what}"), budget(base[0]), &policy, &(kind.hit)(entries - 1), true);
            check(&format!("miss of {what}"), budget(base[1]), &policy, kind.miss, false);
        }
    }
}

/// Loading and collecting: twice as many cost at most two and a half times as much.
pub(crate) fn loading() {
    let twice = |name: String| Budget::Percent(250, name.leak());
    let others: [(&str, Line); 4] = [
        ("members of a number group", |n| format!("number_group G {}-{}", 3 * n, 3 * n + 1)),
        ("members of an address group", |n| format!("address_group G {}-{}", v4(n), v4(n + 2))),
        ("initializers of one program", |n| format!("initialize_domain /p from <kernel> /d{n}")),
        ("ranges of ports", |n| format!("deny_autobind {n}-60000")),
    ];
    let kinds = KINDS.iter().map(|kind| (kind.name, kind.line, true));
    for (name, make, in_domain) in kinds.chain(others.map(|(name, make)| (name, make, false))) {
        let title = |lines: usize| format!("{lines} {name}, loaded");
        for lines in [2_000, 4_000] {
            let text: Vec<String> = (0..lines).map(make).collect();
            let budget = if lines == 2_000 { Budget::Stated } else { twice(title(2_000)) };
            let mut next = None;
            let empty = policies::end(policies::begin());
            count(&title(lines), budget, || {
                let mut edit = empty.edit().expect("memory");
                let mut cursor = Cursor::default();
                line(&mut edit, &mut cursor, "<kernel>");
                for text in &text {
                    if in_domain {
                        line(&mut edit, &mut cursor, text);
                    } else {
                        edit.exception_policy_line(text.as_bytes()).expect("a line");
                    }
                }
                next = Some(edit.commit());
            });
        }
    }
    let title = |domains: usize| format!("{domains} deleted domains, collected");
    for domains in [2_000, 4_000] {
        let mut edit = policies::begin();
        let mut cursor = Cursor::default();
        for delete in ["", "delete "] {
            for domain in 0..domains {
                line(&mut edit, &mut cursor, &format!("{delete}<kernel> /bin/d{domain}"));
            }
        }
        let mut policy = Some(policies::end(edit));
        let budget = if domains == 2_000 { Budget::Stated } else { twice(title(2_000)) };
        count(&title(domains), budget, || {
            while let Some(garbage) = policy.take_if(|policy| policy.has_garbage()) {
                let mut edit = garbage.edit().expect("memory");
                edit.collect(256).expect("memory");
                policy = Some(edit.commit());
            }
        });
        assert!(policy.is_some_and(|policy| policy.domains().count() == 1));
    }
}
