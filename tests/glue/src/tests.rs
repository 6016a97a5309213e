// SPDX-License-Identifier: GPL-2.0-only

//! The files `errors` and `coverage`, and the queues of records.

use crate::coverage::{self, Table};
use crate::log::{self, Log, Origin};
use crate::quota::Bound;
use crate::sys::files::{Wait, AUDIT, ROOM, WRITTEN};
use crate::sys::lock::ERRORS;
use crate::sys::snapshot::Reader;
use crate::sys::SECONDS;
use crate::{errors, stats};
use sekisho_core::domain::DomainId;
use sekisho_core::edit::Cursor;
use sekisho_core::engine::{self, Decision};
use sekisho_core::facts::Facts;
use sekisho_core::mem::Vec as CoreVec;
use sekisho_core::name::Name;
use sekisho_core::policy::Policy;
use sekisho_core::profile::Mode;
use sekisho_core::request::{Operation, PathOp, Request};
use sekisho_core::task::Task;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The kernel's files are one for the machine, so tests that look at them do it one after the other.
pub(crate) fn fresh() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    *ERRORS.lock() = errors::Errors::new();
    for log in [Log::Grant, Log::Reject, Log::Audit] {
        while !log.pop().is_empty() {}
    }
    Bound::Logs.set(0);
    AUDIT.store(false, Ordering::Relaxed);
    ROOM.store(true, Ordering::Relaxed);
    written();
    alone
}

/// The text of `errors`.
pub(crate) fn errors() -> String {
    let mut text = CoreVec::new();
    ERRORS.lock().print(&mut text).unwrap();
    String::from_utf8(text.to_vec()).unwrap()
}

/// What was written to the kernel's log and audit stream since.
pub(crate) fn written() -> Vec<String> {
    std::mem::take(&mut *WRITTEN.lock().unwrap_or_else(PoisonError::into_inner))
}

#[test]
fn rejected_lines_are_kept_up_to_128_oldest_first() {
    let _alone = fresh();
    let count = stats::REJECTED_LINES.get();
    for (added, first, last) in
        [(1, 0, 0), (127, 0, 127), (1, 1, 128), (126, 127, 254), (2, 129, 256), (300, 429, 556)]
    {
        for _ in 0..added {
            let number = stats::REJECTED_LINES.get() - count;
            errors::rejected(b"profile", number, 2, "no", b"x");
        }
        let expected: String = (first..=last).map(|number| format!("profile:{number}:2: no: x\n")).collect();
        assert_eq!(errors(), expected);
    }
    assert_eq!(stats::REJECTED_LINES.get() - count, 557);
}

#[test]
fn a_rejected_line_is_shown_without_what_a_terminal_would_act_on() {
    let _alone = fresh();
    errors::rejected(b"manager", 12, 34, "why", b"a b~\\x\t\x1b[2J\0\x7f\xff\n");
    assert_eq!(errors(), "manager:12:34: why: a b~\\x\\011\\033[2J\\000\\177\\377\\012\n");
    for (length, end) in [(119, ""), (120, ""), (121, "..."), (100_000, "...")] {
        errors::rejected(b"f", 1, 1, "r", &vec![b'x'; length]);
        let line = format!("f:1:1: r: {}{end}\n", "x".repeat(length.min(120)));
        assert!(errors().ends_with(&line), "{length}");
    }
}

const DOMAIN: &[u8] = b"<kernel> /sbin/init";

/// An active policy with these lines in an enforcing domain, and the lines of its profile.
fn policy(profile: &[&str], lines: &[&str]) -> Policy {
    let mut edit = Policy::new().unwrap().edit().unwrap();
    for line in ["PROFILE_VERSION=20090903", "0-CONFIG={ mode=disabled }"].iter().chain(profile) {
        assert!(edit.profile_line(line.as_bytes()).is_ok(), "{line}");
    }
    let mut cursor = Cursor::default();
    for line in ["<kernel> /sbin/init", "use_profile 3"].iter().chain(lines) {
        assert!(edit.domain_policy_line(&mut cursor, line.as_bytes()).is_ok(), "{line}");
    }
    assert!(edit.activate().is_ok());
    edit.commit()
}

const ENFORCING: &[&str] = &["3-CONFIG={ mode=enforcing grant_log=yes reject_log=yes }"];

fn ask(policy: &Policy, op: PathOp, path: &str) -> (DomainId, Decision) {
    let domain = policy.find_domain(DOMAIN).unwrap();
    let request = Request::Path { op, path: Name::new(path.as_bytes()).unwrap() };
    (domain, engine::decide(policy, domain, &Facts::new(&Task::default()), &request))
}

/// The hits of all lines, as `coverage` prints them.
fn hits(policy: &Policy, table: &Table) -> Vec<u32> {
    let id = policy.find_domain(DOMAIN).unwrap();
    let domain = policy.domain(id).unwrap();
    let lines = domain.numbered_entries().flat_map(|entry| coverage::lines(Some(table), id, domain, entry));
    lines.map(|(hits, _)| hits).collect()
}

#[test]
fn what_granted_is_counted_under_its_line() {
    let policy = policy(
        ENFORCING,
        &[
            "allow_read /a",
            "allow_read/write /b",
            "allow_unlink /b",
            "allow_read /c if task.uid=0",
            "allow_read /c if task.uid=1",
        ],
    );
    let table = Table::new().unwrap();
    let count = |op: PathOp, path: &str, counters| {
        let (domain, decision) = ask(&policy, op, path);
        coverage::count(&Reader { policy: &policy, counters }, domain, &decision, Operation::Path(op));
    };
    count(PathOp::Read, "/a", None);
    assert_eq!(hits(&policy, &table), [0, 0, 0, 0, 0], "nobody counted");
    for (op, path) in [
        (PathOp::Read, "/a"),
        (PathOp::Read, "/a"),
        (PathOp::Write, "/a"),
        (PathOp::Read, "/b"),
        (PathOp::Write, "/b"),
        (PathOp::ReadWrite, "/b"),
        (PathOp::Unlink, "/b"),
        (PathOp::Read, "/c"),
        (PathOp::Read, "/none"),
    ] {
        count(op, path, Some(&table));
    }
    // In the order of the entries: read and write of one path print as one line, which has the hits of both.
    let found = hits(&policy, &table);
    assert_eq!(found.iter().sum::<u32>(), 7, "{found:?}");
    assert_eq!(found.iter().filter(|hits| **hits == 0).count(), 1, "{found:?}");
    assert!(found.contains(&2) && found.contains(&3), "{found:?}");
    assert_eq!(table.overflow(), 0);
    // Another domain of another serial has counters of its own.
    let id = policy.find_domain(b"<kernel>").unwrap();
    let domain = policy.domain(id).unwrap();
    let entries = policy.domain(policy.find_domain(DOMAIN).unwrap()).unwrap();
    for entry in entries.numbered_entries() {
        assert!(coverage::lines(Some(&table), id, domain, entry).all(|(hits, _)| hits == 0));
    }
    // Without a table there are the lines, and no hits.
    let id = policy.find_domain(DOMAIN).unwrap();
    let lines = entries.numbered_entries().flat_map(|entry| coverage::lines(None, id, entries, entry));
    assert_eq!(lines.map(|(hits, _)| hits).collect::<Vec<_>>(), [0; 5]);
}

#[test]
fn what_finds_no_counter_is_counted_together() {
    let lines: Vec<String> = (0..20_000).map(|number| format!("allow_read /{number}")).collect();
    let policy = policy(ENFORCING, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let table = Table::new().unwrap();
    let reader = Reader { policy: &policy, counters: Some(&table) };
    for _ in 0..2 {
        for number in 0..20_000 {
            let (domain, decision) = ask(&policy, PathOp::Read, &format!("/{number}"));
            coverage::count(&reader, domain, &decision, Operation::Path(PathOp::Read));
        }
    }
    let found = hits(&policy, &table);
    assert!(found.iter().all(|hits| [0, 2].contains(hits)), "no counter stands for two lines");
    assert_eq!(found.iter().sum::<u32>() + table.overflow(), 40_000);
    // The table has 16,384 counters, and is used well before one is not found.
    assert!((2 * 3_616..=2 * 6_000).contains(&table.overflow()), "{}", table.overflow());
}

/// Tells about a request of a task in a domain with this profile.
fn tell(profile: &[&str], op: PathOp, path: &str) -> Decision {
    let policy = policy(profile, &["allow_read /granted"]);
    let (domain, decision) = ask(&policy, op, path);
    let found = policy.domain(domain).unwrap();
    let preferences = policy.preferences(found.profile());
    let request = Request::Path { op, path: Name::new(path.as_bytes()).unwrap() };
    log::decision(&Origin::now(), &decision, &preferences, &Facts::new(&Task::default()), DOMAIN, &request);
    decision
}

fn pop(log: Log) -> String {
    String::from_utf8_lossy(&log.pop()).into_owned()
}

#[test]
fn records_come_out_in_their_order_from_the_queue_of_their_kind() {
    let _alone = fresh();
    SECONDS.store(1_700_000_000, Ordering::Relaxed);
    let woken = |wait: Wait| wait.seen().1;
    let before = [Wait::GrantLog, Wait::RejectLog, Wait::AuditLog].map(woken);
    for path in ["/1", "/2", "/granted", "/3"] {
        tell(ENFORCING, PathOp::Read, path);
    }
    assert_eq!([Wait::GrantLog, Wait::RejectLog, Wait::AuditLog].map(|wait| wait.seen().0), [1, 3, 0]);
    assert_eq!(
        [Wait::GrantLog, Wait::RejectLog, Wait::AuditLog].map(woken),
        [before[0] + 1, before[1] + 3, before[2]]
    );
    let held = log::bytes();
    assert!(held > 0);
    let first = pop(Log::Reject);
    assert!(first.starts_with("#timestamp=1700000000 profile=3 mode=enforcing (global-pid=7) "), "{first}");
    assert!(first.ends_with("\n<kernel> /sbin/init\nallow_read /1\n\0"), "{first}");
    assert_eq!(Wait::RejectLog.seen().0, 2);
    assert!(log::bytes() < held);
    // A new one goes behind those that wait.
    tell(ENFORCING, PathOp::Read, "/4");
    for path in ["/2", "/3", "/4"] {
        assert!(pop(Log::Reject).contains(&format!("allow_read {path}\n")), "{path}");
    }
    assert_eq!((pop(Log::Reject).as_str(), Wait::RejectLog.seen().0), ("", 0));
    assert!(pop(Log::Grant).contains("allow_read /granted\n"));
    assert_eq!((pop(Log::Grant).as_str(), pop(Log::Audit).as_str(), log::bytes()), ("", "", 0));
}

#[test]
fn a_full_queue_keeps_what_it_has() {
    let _alone = fresh();
    let small = &[ENFORCING[0], "3-PREFERENCE::audit={ max_grant_log=1 max_reject_log=2 }"];
    let dropped = Log::Reject.dropped();
    for path in ["/1", "/2", "/3"] {
        tell(small, PathOp::Read, path);
    }
    assert_eq!(Log::Reject.dropped() - dropped, 1);
    assert_eq!(Wait::RejectLog.seen().0, 2);
    assert!(pop(Log::Reject).contains("/1\n"));
    tell(small, PathOp::Read, "/4");
    assert!(pop(Log::Reject).contains("/2\n") && pop(Log::Reject).contains("/4\n"));
    assert_eq!(Log::Reject.dropped() - dropped, 1);
    let dropped = Log::Grant.dropped();
    tell(small, PathOp::Read, "/granted");
    tell(small, PathOp::Read, "/granted");
    assert_eq!(Log::Grant.dropped() - dropped, 1);
    // A limit of none: nothing is kept.
    tell(&[ENFORCING[0], "3-PREFERENCE::audit={ max_grant_log=0 max_reject_log=0 }"], PathOp::Read, "/5");
    assert_eq!(pop(Log::Reject), "");
}

#[test]
fn all_queues_together_stay_below_the_quota() {
    let _alone = fresh();
    tell(ENFORCING, PathOp::Read, "/1");
    let one = log::bytes();
    // Room for less than one more: the quota is not reached.
    Bound::Logs.set(2 * one);
    let dropped = (Log::Grant.dropped(), Log::Reject.dropped());
    tell(ENFORCING, PathOp::Read, "/2");
    assert_eq!((log::bytes(), Log::Reject.dropped()), (one, dropped.1 + 1));
    Bound::Logs.set(2 * one + 1);
    tell(ENFORCING, PathOp::Read, "/3");
    assert_eq!(log::bytes(), 2 * one);
    tell(ENFORCING, PathOp::Read, "/granted");
    assert_eq!(Log::Grant.dropped(), dropped.0 + 1, "the quota is one for all queues");
    Bound::Logs.set(0);
    tell(ENFORCING, PathOp::Read, "/granted");
    assert!(pop(Log::Grant).contains("/granted"));
}

#[test]
fn without_a_quota_a_queue_holds_two_mebibytes() {
    let _alone = fresh();
    let many = &[ENFORCING[0], "3-PREFERENCE::audit={ max_grant_log=100000 max_reject_log=100000 }"];
    let path = format!("/{}", "x".repeat(4000));
    tell(many, PathOp::Read, &path);
    let one = log::bytes();
    let dropped = Log::Reject.dropped();
    let fit = (2 << 20) / one;
    for _ in 1..fit + 3 {
        tell(many, PathOp::Read, &path);
    }
    assert_eq!(log::bytes(), fit * one);
    assert_eq!(Log::Reject.dropped() - dropped, 3);
    // The other queue has its own.
    tell(many, PathOp::Read, "/granted");
    assert!(pop(Log::Grant).contains("/granted"));
}

#[test]
fn binary_records_are_kept_while_somebody_reads_them() {
    let _alone = fresh();
    tell(ENFORCING, PathOp::Read, "/1");
    assert!(pop(Log::Audit).is_empty());
    log::audit_opened();
    log::audit_opened();
    for path in ["/2", "/granted", "/3"] {
        tell(ENFORCING, PathOp::Read, path);
    }
    assert_eq!(Wait::AuditLog.seen().0, 3);
    assert!(pop(Log::Audit).contains("/2"));
    // The first of two readers goes; then the last one.
    log::audit_closed();
    assert_eq!(Wait::AuditLog.seen().0, 2);
    assert!(pop(Log::Audit).contains("/granted"));
    log::audit_closed();
    assert_eq!((Wait::AuditLog.seen().0, pop(Log::Audit).as_str()), (0, ""));
    tell(ENFORCING, PathOp::Read, "/4");
    assert!(pop(Log::Audit).is_empty());
    while !pop(Log::Reject).is_empty() {}
    while !pop(Log::Grant).is_empty() {}
    assert_eq!(log::bytes(), 0);
}

#[test]
fn the_kernel_s_log_and_audit_stream_tell_of_refusals() {
    let _alone = fresh();
    let verbose = |word: &str, mode: &str| {
        vec![
            format!("3-CONFIG={{ mode={mode} grant_log=no reject_log=no }}"),
            format!("3-PREFERENCE::{mode}={{ verbose={word} }}"),
        ]
    };
    for (mode, kind) in [("learning", "WARNING"), ("permissive", "WARNING"), ("enforcing", "ERROR")] {
        for (word, path, expected) in [
            ("yes", "/refused", Some(format!("{kind} read /refused /sbin/init"))),
            ("yes", "/granted", None),
            ("no", "/refused", None),
        ] {
            let profile = verbose(word, mode);
            let profile: Vec<&str> = profile.iter().map(String::as_str).collect();
            let decision = tell(&profile, PathOp::Read, path);
            assert_eq!(
                written(),
                expected.iter().map(String::clone).collect::<Vec<_>>(),
                "{mode} {word} {path}"
            );
            assert_eq!(log::wants(&decision, &policy(&profile, &[]).preferences(3)), expected.is_some());
            ROOM.store(false, Ordering::Relaxed);
            tell(&profile, PathOp::Read, path);
            ROOM.store(true, Ordering::Relaxed);
            assert_eq!(written(), [""; 0], "no room");
        }
    }
    // The audit stream: only what was refused, only if there is a record, only if somebody wants it.
    let logged = &[
        "3-CONFIG={ mode=enforcing grant_log=yes reject_log=yes }",
        "3-PREFERENCE::enforcing={ verbose=no }",
    ];
    tell(logged, PathOp::Read, "/refused");
    assert_eq!(written(), [""; 0]);
    AUDIT.store(true, Ordering::Relaxed);
    tell(logged, PathOp::Read, "/refused");
    tell(logged, PathOp::Read, "/granted");
    assert_eq!(written(), ["audit enforcing 3 7 <kernel> /sbin/init: allow_read /refused"]);
    let silent = &[
        "3-CONFIG={ mode=enforcing grant_log=yes reject_log=no }",
        "3-PREFERENCE::enforcing={ verbose=no }",
    ];
    tell(silent, PathOp::Read, "/refused");
    assert_eq!(written(), [""; 0]);
}

#[test]
fn events_are_records_too() {
    let _alone = fresh();
    let policy = policy(ENFORCING, &[]);
    let preferences = policy.preferences(3);
    log::audit_opened();
    for (granted, text) in [(true, b"use_profile 3\n".as_slice()), (false, b"transition_failed\n")] {
        let task = Task::default();
        let facts = Facts::new(&task);
        log::event(&Origin::now(), granted, Mode::Learning, 3, &preferences, &facts, DOMAIN, text);
    }
    assert!(pop(Log::Grant).contains("use_profile 3"));
    assert!(pop(Log::Reject).contains("transition_failed"));
    assert!(pop(Log::Audit).contains("use_profile 3"));
    log::audit_closed();
    assert!(pop(Log::Audit).is_empty());
}
