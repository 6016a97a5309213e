// SPDX-License-Identifier: MIT OR Apache-2.0
//! Snapshots, edits, the life of a domain, activation, quota, and the text of audit records.

use crate::support::{load, question, write, File};
use sekisho_core::acl::AclLine;
use sekisho_core::args::{Args, NumberArg};
use sekisho_core::audit::{note, record, Header};
use sekisho_core::condition::{Keyword, Operand, TaskField};
use sekisho_core::edit::{ActivateError, EditError};
use sekisho_core::engine::{decide, Mode};
use sekisho_core::facts::Facts;
use sekisho_core::learn::Learned;
use sekisho_core::mem::Vec as Text;
use sekisho_core::name::Name;
use sekisho_core::policy::{Cursor, DomainId, Policy, Preferences};
use sekisho_core::request::{PathOp, Request};
use sekisho_core::task::Task;
use sekisho_core::text::Reason;
use sekisho_core::transition::{next_domain, MAX_NAME};

const MAX_ENTRY: u32 = 2048;

const BASE: &str = "PROFILE_VERSION=20090903\n0-CONFIG={ mode=enforcing }\n1-CONFIG={ mode=learning }\n";

fn active(domains: &str) -> Policy {
    let policy = load(&[(File::Profile, BASE), (File::Domain, domains)]);
    let mut edit = policy.edit().expect("memory");
    edit.activate().expect("complete");
    edit.commit()
}

fn change(policy: &Policy, lines: &[&str]) -> Policy {
    let mut edit = policy.edit().expect("memory");
    let mut cursor = Cursor::default();
    for line in lines {
        write(&mut edit, &mut cursor, File::Domain, line).expect("a good line");
    }
    edit.commit()
}

fn granted(policy: &Policy, domain: DomainId, request: &str) -> bool {
    let question = question(request);
    decide(policy, domain, &question.given.facts(), &question.request).granted
}

#[test]
fn a_new_policy() {
    let policy = Policy::new().expect("memory");
    assert!(!policy.is_active());
    assert_eq!(policy.generation(), 0);
    assert_eq!(policy.find_domain(b"<kernel>"), Some(DomainId::ROOT));
    assert_eq!(DomainId::ROOT.to_bits(), 0);
    assert!(policy.profile(0).is_none());
    assert!(!policy.has_garbage());
}

#[test]
fn snapshots_do_not_see_later_edits() {
    let first = active("<kernel>\nallow_read /a\n");
    let second = change(&first, &["<kernel>", "allow_read /b", "delete allow_read /a"]);
    assert!(granted(&first, DomainId::ROOT, "allow_read /a"));
    assert!(!granted(&first, DomainId::ROOT, "allow_read /b"));
    assert!(!granted(&second, DomainId::ROOT, "allow_read /a"));
    assert!(granted(&second, DomainId::ROOT, "allow_read /b"));
    assert_eq!(second.generation(), first.generation() + 1);
}

#[test]
fn an_edit_sees_itself_and_may_be_dropped() {
    let policy = active("<kernel>\nallow_read /a\n");
    let before = File::Domain.print(&policy);
    let mut edit = policy.edit().expect("memory");
    let mut cursor = Cursor::default();
    for line in ["<kernel> /x", "allow_read /in-x", "<kernel>", "allow_write /a", "allow_read /in-k"] {
        write(&mut edit, &mut cursor, File::Domain, line).expect("a good line");
    }
    let inside = edit.policy();
    assert!(granted(inside, DomainId::ROOT, "allow_read/write /a"));
    assert!(granted(inside, DomainId::ROOT, "allow_read /in-k"));
    let x = inside.find_domain(b"<kernel> /x").expect("the new domain");
    assert!(granted(inside, x, "allow_read /in-x"));
    drop(edit);
    assert_eq!(File::Domain.print(&policy), before);
}

#[test]
fn a_deleted_domain_keeps_its_tasks_until_the_last_one_leaves() {
    let policy = active("<kernel> /x\nallow_read /a\n");
    let x = policy.find_domain(b"<kernel> /x").expect("the domain");
    let domain = |policy: &Policy| policy.domain(x).map(|domain| (domain.is_deleted(), domain.users()));
    policy.domain(x).expect("the domain").attach();
    policy.domain(x).expect("the domain").attach();

    let policy = change(&policy, &["delete <kernel> /x", "<kernel> /x", "allow_read /b"]);
    assert_eq!(domain(&policy), Some((true, 2)));
    assert!(!policy.has_garbage());
    let young = policy.find_domain(b"<kernel> /x").expect("the new domain");
    assert!(young != x);
    assert!(granted(&policy, x, "allow_read /a") && !granted(&policy, x, "allow_read /b"));
    assert!(granted(&policy, young, "allow_read /b") && !granted(&policy, young, "allow_read /a"));

    let mut edit = policy.edit().expect("memory");
    edit.collect(u32::MAX).expect("memory");
    let policy = edit.commit();
    assert_eq!(domain(&policy), Some((true, 2)));
    assert!(!policy.domain(x).expect("the domain").detach());
    assert!(policy.domain(x).expect("the domain").detach());
    assert!(policy.has_garbage());

    let mut edit = policy.edit().expect("memory");
    edit.collect(u32::MAX).expect("memory");
    let policy = edit.commit();
    assert_eq!(domain(&policy), None);
    assert!(!policy.has_garbage());

    // The place of the last domain is used again, but not the number.
    let policy = change(&policy, &["delete <kernel> /x"]);
    let mut edit = policy.edit().expect("memory");
    edit.collect(u32::MAX).expect("memory");
    let policy = change(&edit.commit(), &["<kernel> /y"]);
    let y = policy.find_domain(b"<kernel> /y").expect("the domain");
    assert_eq!(y.to_bits() & 0xFFFF_FFFF, x.to_bits() & 0xFFFF_FFFF);
    assert!(policy.domain(x).is_none());
    assert_eq!(DomainId::from_bits(y.to_bits()), y);
    assert!(!decide(&policy, x, &Facts::new(&Task::default()), &read("/a")).allows());
}

/// Forty thousand take about as long for each as a thousand, in batches.
#[test]
fn deleted_domains_are_collected_in_batches() {
    let count = 40_000;
    let kept = active("<kernel> /kept\nallow_read /a\n");
    let (memory, text) = (kept.memory(), File::Domain.print(&kept));
    let mut edit = kept.edit().expect("memory");
    let mut cursor = Cursor::default();
    for number in 0..count {
        write(&mut edit, &mut cursor, File::Domain, &format!("<kernel> /d{number}")).expect("a domain");
        if number % 100 == 0 {
            write(&mut edit, &mut cursor, File::Domain, "allow_read @G if task.uid=@U").expect("a line");
        }
    }
    let mut policy = edit.commit();
    let in_use = policy.find_domain(b"<kernel> /d7").expect("a domain");
    policy.domain(in_use).expect("a domain").attach();
    let mut edit = policy.edit().expect("memory");
    for number in 0..count {
        write(&mut edit, &mut cursor, File::Domain, &format!("delete <kernel> /d{number}"))
            .expect("a domain");
    }
    policy = edit.commit();
    let mut rounds = 0;
    while policy.has_garbage() {
        let mut edit = policy.edit().expect("memory");
        let more = edit.collect(1000).expect("memory");
        policy = edit.commit();
        assert_eq!(more, policy.has_garbage());
        rounds += 1;
    }
    assert!((40..=42).contains(&rounds), "{rounds}");
    assert!(policy.domain(in_use).is_some_and(|domain| domain.is_deleted()));
    policy.domain(in_use).expect("a domain").detach();
    let mut edit = policy.edit().expect("memory");
    assert!(!edit.collect(u32::MAX).expect("memory"));
    policy = edit.commit();
    assert_eq!((policy.memory(), File::Domain.print(&policy)), (memory, text));
}

fn read(path: &str) -> Request<'_> {
    Request::Path { op: PathOp::Read, path: Name::new(path.as_bytes()).expect("a name") }
}

#[test]
fn users_are_counted_across_snapshots() {
    let old = active("<kernel> /x\n");
    let x = old.find_domain(b"<kernel> /x").expect("the domain");
    let new = change(&old, &["<kernel> /x", "allow_read /a"]);
    old.domain(x).expect("the domain").attach();
    assert_eq!(new.domain(x).expect("the domain").users(), 1);
}

#[test]
fn activation_wants_a_version_and_all_profiles() {
    let mut edit = Policy::new().expect("memory").edit().expect("memory");
    assert_eq!(edit.activate(), Err(ActivateError::NoVersion));
    edit.profile_line(b"PROFILE_VERSION=20090903").expect("good");
    let missing = ActivateError::UndefinedProfile { domain: DomainId::ROOT, profile: 0 };
    assert_eq!(edit.activate(), Err(missing));
    edit.profile_line(b"0-COMMENT=").expect("good");
    let mut cursor = Cursor::default();
    for line in ["<kernel> /x", "use_profile 9"] {
        edit.domain_policy_line(&mut cursor, line.as_bytes()).expect("good");
    }
    assert!(matches!(edit.activate(), Err(ActivateError::UndefinedProfile { profile: 9, .. })));
    // Deleted domains count too: tasks may be in them.
    edit.domain_policy_line(&mut cursor, b"delete <kernel> /x").expect("good");
    assert!(matches!(edit.activate(), Err(ActivateError::UndefinedProfile { profile: 9, .. })));
    assert!(!edit.policy().is_active());
    edit.collect(u32::MAX).expect("memory");
    edit.activate().expect("complete");
    edit.activate().expect("once more does no harm");
    assert!(edit.commit().is_active());
}

#[test]
fn domains_are_created_by_execution() {
    let policy = active("<kernel> /x\nuse_profile 1\n");
    let x = policy.find_domain(b"<kernel> /x").expect("the domain");
    let next = next_domain(&policy, x, Name::new(b"/bin/sh").expect("a name"));
    assert!(!next.stays() && next.can_be_created());
    assert_eq!(next.find(&policy).expect("memory"), None);
    let mut edit = policy.edit().expect("memory");
    let made = edit.create_domain(&next, 1).expect("memory");
    assert_eq!(edit.create_domain(&next, 0), Ok(made));
    let after = edit.commit();
    assert_eq!(next.find(&after).expect("memory"), Some(made));
    let domain = after.domain(made).expect("the domain");
    assert_eq!((domain.name(), domain.profile(), domain.acl_count()), (&b"<kernel> /x /bin/sh"[..], 1, 0));
}

#[test]
fn names_of_domains_have_a_limit() {
    let policy = active("<kernel>\n");
    let room = MAX_NAME - "<kernel> ".len();
    for (len, fits) in [(room, true), (room + 1, false)] {
        let program = format!("/{}", "x".repeat(len - 1));
        let next = next_domain(&policy, DomainId::ROOT, Name::new(program.as_bytes()).expect("a name"));
        assert_eq!(next.is_too_long(), !fits);
        assert_eq!(next.can_be_created(), fits);
        assert_eq!(policy.edit().expect("memory").create_domain(&next, 0).is_ok(), fits);
        // Written by hand it may exist; no execve leads to it (reference 6.2, step 6).
        let by_hand = active(&format!("<kernel>\n<kernel> {program}\n"));
        assert_eq!(by_hand.domains().count(), 2);
        assert_eq!(next.find(&by_hand).expect("memory").is_some(), fits);
    }
    // A file that is in no tree.
    let next = next_domain(&policy, DomainId::ROOT, Name::new(b"memfd:x").expect("a name"));
    assert!(!next.can_be_created() && !next.is_too_long());
    assert!(policy.edit().expect("memory").create_domain(&next, 0).is_err());
}

#[test]
fn transition_failed_is_news_once() {
    let policy = active("<kernel>\n");
    let mut edit = policy.edit().expect("memory");
    assert_eq!(edit.set_transition_failed(DomainId::ROOT), Ok(true));
    assert_eq!(edit.set_transition_failed(DomainId::ROOT), Ok(false));
    assert_eq!(edit.set_transition_failed(DomainId::from_bits(77)), Ok(false));
    assert!(edit.commit().domain(DomainId::ROOT).expect("root").flags().transition_failed);
}

#[test]
fn learning_stops_at_the_quota() {
    // Read/write counts one, and an entry with several operations counts them all (reference 8.4).
    let mut text = String::from("<kernel>\nuse_profile 1\nallow_read/write /rw\nallow_execute /rw\n");
    for n in 0..MAX_ENTRY - 3 {
        text += &format!("allow_read /f/{n}\n");
    }
    let policy = active(&text);
    assert_eq!(policy.domain(DomainId::ROOT).expect("root").acl_count(), MAX_ENTRY - 1);
    let mut edit = policy.edit().expect("memory");
    let mut learn =
        |path: &str| edit.learn(DomainId::ROOT, &Facts::new(&Task::default()), &read(path)).expect("memory");
    assert_eq!(learn("/last"), Learned::Added);
    assert_eq!(learn("/last"), Learned::Already);
    assert_eq!(learn("/too-much"), Learned::QuotaExceeded);
    assert_eq!(learn("/too-much"), Learned::Skipped);
    assert_eq!(learn("/last"), Learned::Already);
    assert!(Learned::QuotaExceeded.is_change() && !Learned::Skipped.is_change());
    let policy = edit.commit();
    let root = policy.domain(DomainId::ROOT).expect("root");
    assert_eq!(root.acl_count(), MAX_ENTRY);
    assert!(root.flags().quota_exceeded);
    // Deleting the flag arms the warning again (reference 4.2).
    let policy = change(&policy, &["<kernel>", "delete quota_exceeded"]);
    let mut edit = policy.edit().expect("memory");
    let again = edit.learn(DomainId::ROOT, &Facts::new(&Task::default()), &read("/too-much"));
    assert_eq!(again, Ok(Learned::QuotaExceeded));
}

#[test]
fn learning_in_a_domain_that_is_gone_does_nothing() {
    let policy = active("<kernel>\n");
    let mut edit = policy.edit().expect("memory");
    let learned = edit.learn(DomainId::from_bits(5), &Facts::new(&Task::default()), &read("/a"));
    assert_eq!(learned, Ok(Learned::Skipped));
}

#[test]
fn groups_live_as_long_as_something_mentions_them() {
    let policy = change(&active("<kernel>\n"), &["<kernel>", "allow_create @P @N if task.uid=@U"]);
    let memory = active("<kernel>\n").memory();
    assert!(policy.memory() > memory);
    let policy = change(&policy, &["<kernel>", "delete allow_create @P @N if task.uid=@U"]);
    assert_eq!(policy.memory(), memory);
    assert!(!policy.has_garbage());
}

#[test]
fn records() {
    let task = Task {
        uid: 500,
        gid: 501,
        euid: 502,
        egid: 503,
        suid: 504,
        sgid: 505,
        fsuid: 506,
        fsgid: 4_294_967_295,
        pid: 900,
        ppid: 899,
        state: [1, 2, 255],
        execute_handler: false,
    };
    let header = Header { timestamp: 1_300_000_000, global_pid: 901, mode: Mode::Enforcing, profile: 3 };
    let mut text = Text::new();
    record(
        &mut text,
        &header,
        &Preferences::DEFAULT,
        &Facts::new(&task),
        b"<kernel> /bin/sh",
        &question("allow_create /tmp/f 0644").request,
    )
    .expect("memory");
    assert_eq!(
        String::from_utf8_lossy(&text),
        "#timestamp=1300000000 profile=3 mode=enforcing (global-pid=901) task={ pid=900 ppid=899 uid=500 gid=501 \
         euid=502 egid=503 suid=504 sgid=505 fsuid=506 fsgid=4294967295 state[0]=1 state[1]=2 state[2]=255 \
         type!=execute_handler }\n<kernel> /bin/sh\nallow_create /tmp/f 0644\n\0"
    );
    let header = Header { timestamp: 18_446_744_073_709_551_615, mode: Mode::Disabled, ..header };
    let mut text = Text::new();
    let task = Task { execute_handler: true, ..Task::default() };
    note(&mut text, &header, &Preferences::DEFAULT, &Facts::new(&task), b"<kernel>", b"use_profile 3")
        .expect("memory");
    assert_eq!(
        String::from_utf8_lossy(&text),
        "#timestamp=18446744073709551615 profile=3 mode=disabled (global-pid=901) task={ pid=0 ppid=0 uid=0 gid=0 \
         euid=0 egid=0 suid=0 sgid=0 fsuid=0 fsgid=0 state[0]=0 state[1]=0 state[2]=0 type=execute_handler }\n\
         <kernel>\nuse_profile 3\n\0"
    );
}

#[test]
fn an_acl_line_is_of_use_without_a_policy() {
    let line = b"  allow_create @DIRS  000644 if task.uid=@READERS task.gid!=1-0x2";
    let line = AclLine::parse(line).expect("a good line");
    assert_eq!(line.keyword(), &b"allow_create"[..]);
    assert_eq!(line.path_words().count(), 0);
    let groups: Vec<_> = line.groups().map(|(_, name)| name).collect();
    assert_eq!(groups, [b"DIRS"]);
    assert!(matches!(line.args(), Args::PathNumber(_, NumberArg::Range(range)) if range.min.value == 0o644));
    let tests: Vec<_> = line.condition().expect("a condition").tests().collect();
    assert_eq!(tests.len(), 2);
    assert!(
        tests[0].left == Operand::Keyword(Keyword::Task(TaskField::Uid))
            && tests[0].right == Operand::Group(b"READERS")
    );
    assert!(!tests[0].negated && tests[1].negated);
    let mut text = Text::new();
    line.print(&mut text).expect("memory");
    assert_eq!(&text[..], b"allow_create @DIRS 0644 if task.uid=@READERS task.gid!=1-0x2");
    let Err(error) = AclLine::parse(b"") else {
        unreachable!("an empty line is no ACL");
    };
    assert!(error.column == 1 && error.reason == Reason::UnknownAcl);
}

#[test]
fn patterns_beyond_the_matcher_are_rejected() {
    let policy = active("<kernel>\n");
    let mut edit = policy.edit().expect("memory");
    let mut cursor = Cursor::default();
    edit.domain_policy_line(&mut cursor, b"<kernel>").expect("good");
    let line = format!("allow_read /{}", "\\+".repeat(600));
    match edit.domain_policy_line(&mut cursor, line.as_bytes()) {
        Err(EditError::Parse(error)) => assert!(error.column == 12 && error.reason == Reason::PatternTooLong),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn an_entry_is_named_and_keeps_its_key() {
    let lines: Vec<String> = (0..200).map(|number| format!("allow_read /f{number}")).collect();
    let text = format!("<kernel>\n{}\nallow_write /w if task.uid=1\nallow_write /w\n", lines.join("\n"));
    let first = active(&text);
    let named = |policy: &Policy, request: &str| {
        let question = question(request);
        let decision = decide(policy, DomainId::ROOT, &question.given.facts(), &question.request);
        let domain = policy.domain(DomainId::ROOT).expect("the domain");
        let id = decision.entry?;
        let place = domain.numbered_entries().position(|(other, _)| other == id).expect("an entry");
        Some((place, domain.entry_key(id).expect("a key")))
    };
    let (place, key) = named(&first, "allow_read /f199").expect("granted");
    assert_eq!(place, 199);
    assert_eq!(named(&first, "allow_read /missing"), None);
    // The one with the condition is another entry, and does not grant this.
    assert_eq!(named(&first, "uid=0 allow_write /w").map(|(place, _)| place), Some(201));

    // Most entries go, so that the list is made anew; another operation is the same entry.
    let deleted: Vec<String> = lines[..190].iter().map(|line| format!("delete {line}")).collect();
    let mut change_lines = vec!["<kernel>", "allow_execute /f199"];
    change_lines.extend(deleted.iter().map(String::as_str));
    let second = change(&first, &change_lines);
    assert_eq!(named(&second, "allow_read /f199"), Some((9, key)));
    assert_eq!(named(&second, "allow_execute /f199"), Some((9, key)));
    let again = active("<kernel>\nallow_read /f199\n");
    assert_eq!(named(&again, "allow_read /f199"), Some((0, key)));
    let keys: std::collections::BTreeSet<u64> = first
        .domain(DomainId::ROOT)
        .map(|domain| domain.numbered_entries().filter_map(|(id, _)| domain.entry_key(id)).collect())
        .expect("the domain");
    assert_eq!(keys.len(), 202);
}
