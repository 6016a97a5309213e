// SPDX-License-Identifier: MIT OR Apache-2.0
//! Operations through io_uring: the same permissions as for the system calls, also where a worker thread does them.

use std::fs;

use guest::kernel::{self, set_domain, write};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::domain_of;
use super::exec::{delete_all, start};
use super::table::{acls, drain, requests, with_subject, Table};

const PROGRAM: &str = "/tmp/x/uring";
const PEER: &str = "/tmp/x/uringpeer";
/// Goes to another domain.
const MOVER: &str = "/tmp/x/uringmover";
/// Writes policy.
const MANAGER: &str = "/tmp/x/uringmanager";
const EOPNOTSUPP: i32 = 95;

pub fn run(tap: &mut Tap) {
    tap.topic("uring");
    with_subject(tap, PROGRAM, |tap, table| {
        // What the ring itself needs is learned first: it is opened, not a file.
        files(tap, table);
        network(tap, table);
    });
    moved(tap);
    interface(tap);
    guest::kernel::delete_domain(&domain_of(PEER));
    for program in [MOVER, MANAGER] {
        delete_all(program);
    }
    drain();
}

fn uring(op: &Op) -> Op {
    Op::Uring(Box::new(op.clone()))
}

/// What the ring and its runtime ask for, as learning finds it out.
fn own_needs(table: &mut Table, op: &Op, lines: &[&str]) -> Vec<String> {
    set_domain(&table.name, 1, &[]);
    table.subject.errno(&uring(op));
    acls(&table.name).into_iter().filter(|line| !lines.contains(&line.as_str())).collect()
}

fn check(tap: &mut Tap, table: &mut Table, name: &str, op: &Op, lines: &[&str]) {
    super::fresh_work();
    let more = own_needs(table, op, lines);
    tap.check(
        &format!("{name}: the ring itself needs no name in the tree"),
        more.iter().all(|line| !line.contains(" /tmp/")),
        || format!("{more:?}"),
    );
    for missing in lines {
        super::fresh_work();
        let mut kept: Vec<&str> = more.iter().map(String::as_str).collect();
        kept.extend(lines.iter().filter(|line| *line != missing));
        let errno = table.enforced(&kept, &uring(op));
        tap.same(&format!("{name}, without {missing}"), errno, EPERM);
        tap.same(
            &format!("{name}, without {missing}: the record"),
            requests("reject_log"),
            vec![(*missing).to_owned()],
        );
    }
    super::fresh_work();
    let mut all: Vec<&str> = more.iter().map(String::as_str).collect();
    all.extend(lines);
    set_domain(&table.name, 3, &all);
    drain();
    tap.same(&format!("{name}, allowed"), table.subject.errno(&uring(op)), 0);
    let granted = requests("grant_log");
    tap.check(
        &format!("{name}: the grants"),
        lines.iter().all(|line| granted.contains(&(*line).to_owned())),
        || format!("{granted:?}"),
    );
}

fn files(tap: &mut Tap, table: &mut Table) {
    for (name, op, lines) in [
        ("openat for reading", Op::Open(b"/tmp/w/file".to_vec(), 0, 0), &["allow_read /tmp/w/file"][..]),
        ("openat for writing", Op::Open(b"/tmp/w/file".to_vec(), 1, 0), &["allow_write /tmp/w/file"]),
        ("openat for both", Op::Open(b"/tmp/w/file".to_vec(), 2, 0), &["allow_read/write /tmp/w/file"]),
        (
            "openat that truncates",
            Op::Open(b"/tmp/w/file".to_vec(), 0o1001, 0),
            &["allow_write /tmp/w/file", "allow_truncate /tmp/w/file"],
        ),
        (
            "openat that creates",
            Op::Open(b"/tmp/w/new".to_vec(), 0o101, 0o666),
            &["allow_create /tmp/w/new 0644", "allow_write /tmp/w/new"],
        ),
        ("unlinkat", Op::Unlink(b"/tmp/w/file".to_vec()), &["allow_unlink /tmp/w/file"]),
        ("unlinkat of a directory", Op::Rmdir(b"/tmp/w/dir".to_vec()), &["allow_rmdir /tmp/w/dir/"]),
        ("mkdirat", Op::Mkdir(b"/tmp/w/new".to_vec(), 0), &["allow_mkdir /tmp/w/new/ 0755"]),
        (
            "renameat",
            Op::Rename(b"/tmp/w/file".to_vec(), b"/tmp/w/new".to_vec()),
            &["allow_rename /tmp/w/file /tmp/w/new"],
        ),
    ] {
        check(tap, table, name, &op, lines);
    }
    tap.check("the last one has happened", fs::exists("/tmp/w/new").unwrap_or(false), String::new);
}

fn network(tap: &mut Tap, table: &mut Table) {
    set_domain(&domain_of(PEER), 0, &[]);
    let Ok(mut peer) = Subject::start(PEER) else {
        return tap.check("the peer starts", false, || PEER.into());
    };
    for op in [Op::Socket(1, 2, 1, 0), Op::Reuse(1), Op::Bind(1, b"127.0.0.1:7100".to_vec()), Op::Listen(1)] {
        tap.same("the peer listens", peer.errno(&op), 0);
    }
    let connect = Op::Connect(0, b"127.0.0.1:7100".to_vec());
    check(tap, table, "connect", &connect, &["allow_network TCP connect 127.0.0.1 7100"]);
    let send = Op::Sendto(0, b"127.0.0.1:7101".to_vec(), 0, b"x".to_vec());
    check(
        tap,
        table,
        "sendto",
        &send,
        &["allow_network UDP bind 127.0.0.1 0", "allow_network UDP connect 127.0.0.1 7101"],
    );
    // Accepting: the peer calls once it may.
    let accept = uring(&Op::Bind(0, b"127.0.0.1:7102".to_vec()));
    set_domain(&table.name, 2, &[]);
    drain();
    table.subject.begin(&accept);
    let mut called = -1;
    for _ in 0..100 {
        peer.errno(&Op::Socket(2, 2, 1, 0));
        called = peer.errno(&Op::Connect(2, b"127.0.0.1:7102".to_vec()));
        if called == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    tap.same("the peer calls", called, 0);
    tap.same("accept in permissive mode", table.subject.end(&accept).errno(), 0);
    let asked = requests("reject_log");
    tap.check(
        "accept is asked for",
        asked.iter().any(|line| line.starts_with("allow_network TCP accept 127.0.0.1 ")),
        || format!("{asked:?}"),
    );
}

/// Where a task has gone by `.transition`, what its ring does is judged, also by a worker that was there before.
fn moved(tap: &mut Tap) {
    // It is made by a worker, which waits for more to do afterwards. A ring with SQPOLL has a thread that stays where it is
    // (SECURITY.md).
    let first = Box::new(Op::Open(b"/tmp/w/new".to_vec(), 0o1101, 0o600));
    let between = Box::new(Op::Write(kernel::path(".transition").into(), b"moved\0".to_vec()));
    let last = Box::new(Op::Open(b"/tmp/w/file".to_vec(), 0o1001, 0));
    let next = format!("{} //moved", domain_of(MOVER));
    let op = Op::UringAcross(first, between, last);
    for (lines, errno) in [(&[][..], EPERM), (&["allow_write /tmp/w/file", "allow_truncate /tmp/w/file"], 0)]
    {
        super::fresh_work();
        let Some(mut subject) = start(tap, MOVER) else { return };
        set_domain(&next, 3, lines);
        drain();
        tap.same(&format!("a ring across .transition, with {lines:?}"), subject.errno(&op), errno);
        let text = fs::read("/tmp/w/file").unwrap_or_default();
        tap.same(&format!("with {lines:?}: the file is emptied"), text.is_empty(), errno == 0);
        if errno != 0 {
            tap.same("the record", requests("reject_log"), vec!["allow_write /tmp/w/file".to_owned()]);
        }
        tap.same("it was done before", fs::exists("/tmp/w/new").unwrap_or(false), true);
    }
}

/// What is written to Sekisho's own files acts on who writes: that is not a ring.
fn interface(tap: &mut Tap) {
    const LINE: &str = "number_group WRITTEN_BY_RING 7";
    let put = |name: &str, text: &str| uring(&Op::Write(kernel::path(name).into(), text.into()));
    write("manager", MANAGER);
    if let Some(mut subject) = start(tap, MANAGER) {
        let text = format!("{LINE}\n");
        tap.same("a ring writes policy", subject.errno(&put("exception_policy", &text)), EOPNOTSUPP);
        let there = |text: &str| text.lines().any(|line| line == LINE);
        tap.same("it is not there", there(&kernel::read("exception_policy")), false);
        let direct = Op::Write(kernel::path("exception_policy").into(), text.into());
        tap.same("a system call writes it", subject.errno(&direct), 0);
        tap.same("it is there", there(&kernel::read("exception_policy")), true);
        write("exception_policy", &format!("delete {LINE}"));
        tap.same("a ring writes to .transition", subject.errno(&put(".transition", "ring\0")), EOPNOTSUPP);
        tap.same("nobody goes", subject.domain(), domain_of(MANAGER));
    }
    write("manager", &format!("delete {MANAGER}"));
}
