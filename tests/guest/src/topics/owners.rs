// SPDX-License-Identifier: MIT OR Apache-2.0
//! Signals that open files bring (reference 4.11): who makes somebody the owner of a file lets the kernel send him a signal of
//! his choice. It is asked for as kill would be, for who did that, whoever is the cause when it is sent.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use guest::kernel::{self, delete_domain, set_domain};
use guest::op::Op;
use guest::subject::Subject;
use guest::tap::Tap;
use nix::libc;

use super::domain_of;
use super::network::{bind, socket, with_peer, INET, STREAM};
use super::raw::{answer, asked, b, calls, n, structure, Call, FIRST, SECOND};
use super::signals::{victim, waits, SIGUSR1};
use super::table::{acls, drain, requests, Table};

const PROGRAM: &str = "/tmp/x/owners";
const PEER: &str = "/tmp/x/cause";
const VICTIM: &str = "/tmp/x/owned";
const ADDRESS: &str = "127.0.0.1:7500";
/// Where the other side listens.
const PEERS_ADDRESS: &str = "127.0.0.1:7501";
const SIGIO: i32 = 29;
const SIGURG: i32 = 23;
/// Commands of fcntl that have no constant.
const F_SETSIG: i64 = 10;
const F_SETOWN_EX: i64 = 15;
/// ioctl of sockets.
const FIOSETOWN: i64 = 0x8901;
const SIOCSPGRP: i64 = 0x8902;

/// One way in which a file brings a signal.
struct Way {
    name: &'static str,
    /// What the subject opens, as its first descriptor.
    ready: Vec<Op>,
    /// Makes a process the owner, which needs a line only where it is an ioctl.
    own: fn(pid: i64) -> Vec<Call>,
    needs: &'static [&'static str],
    /// Lets something happen to the file.
    happens: fn(&mut Tap, &mut Table, &mut Subject),
    signal: i32,
}

pub fn run(tap: &mut Tap) {
    tap.topic("owners");
    set_domain(&domain_of(VICTIM), 0, &[]);
    with_peer(tap, PROGRAM, PEER, |tap, table, peer| {
        for way in ways() {
            judged(tap, table, peer, &way);
        }
        modes(tap, table, peer);
        capability(tap, table, peer);
        oneself(tap, table);
    });
    delete_domain(&domain_of(VICTIM));
    drain();
}

fn fcntl(command: i64, argument: Vec<u8>) -> Call {
    (libc::SYS_fcntl, vec![n(FIRST), n(command), argument])
}

fn choose(signal: i32) -> Call {
    fcntl(F_SETSIG, n(signal.into()))
}

fn set_own(pid: i64) -> Call {
    fcntl(libc::F_SETOWN.into(), n(pid))
}

/// From now on the file brings signals.
fn asynchronous() -> Call {
    fcntl(libc::F_SETFL.into(), n(libc::O_ASYNC.into()))
}

/// The owner of a socket by ioctl.
fn by_ioctl(command: i64, pid: i64) -> Vec<Call> {
    let owner = structure(4, &[(0, pid as u32)]);
    vec![choose(SIGUSR1), (libc::SYS_ioctl, vec![n(FIRST), n(command), owner]), asynchronous()]
}

fn pipe(name: &'static str, own: fn(pid: i64) -> Vec<Call>, signal: i32) -> Way {
    Way { name, ready: vec![Op::Pipe(1, 2)], own, needs: &[], happens: subject_writes, signal }
}

fn subject_writes(tap: &mut Tap, table: &mut Table, _peer: &mut Subject) {
    tap.same("the subject writes", table.subject.errno(&Op::FdWrite(2, b"x".to_vec())), 0);
}

fn listening(name: &'static str, own: fn(pid: i64) -> Vec<Call>, needs: &'static [&'static str]) -> Way {
    let ready = vec![socket(1, INET, STREAM), Op::Reuse(1), bind(1, ADDRESS), Op::Listen(1)];
    Way { name, ready, own, needs, happens: peer_calls, signal: SIGUSR1 }
}

fn peer_calls(tap: &mut Tap, _table: &mut Table, peer: &mut Subject) {
    for op in [socket(1, INET, STREAM), Op::Connect(1, ADDRESS.into()), Op::Close(1)] {
        tap.same(&format!("the cause: {}", op.encode()), peer.errno(&op), 0);
    }
}

fn ways() -> Vec<Way> {
    vec![
        pipe("F_SETOWN", |pid| vec![choose(SIGUSR1), set_own(pid), asynchronous()], SIGUSR1),
        pipe("F_SETOWN, the owner last", |pid| vec![asynchronous(), choose(SIGUSR1), set_own(pid)], SIGUSR1),
        pipe("F_SETOWN of a group", |pid| vec![choose(SIGUSR1), set_own(-pid), asynchronous()], SIGUSR1),
        pipe("F_SETOWN without F_SETSIG", |pid| vec![set_own(pid), asynchronous()], SIGIO),
        pipe(
            "F_SETOWN_EX of a thread",
            |pid| {
                let owner = structure(8, &[(4, pid as u32)]);
                vec![choose(SIGUSR1), fcntl(F_SETOWN_EX, owner), asynchronous()]
            },
            SIGUSR1,
        ),
        listening(
            "FIOSETOWN",
            |pid| by_ioctl(FIOSETOWN, pid),
            &["allow_ioctl socket:[family=2:type=1:protocol=6] 0x8901"],
        ),
        listening(
            "SIOCSPGRP",
            |pid| by_ioctl(SIOCSPGRP, pid),
            &["allow_ioctl socket:[family=2:type=1:protocol=6] 0x8902"],
        ),
        Way {
            name: "urgent data",
            ready: vec![socket(1, INET, STREAM), Op::Connect(1, PEERS_ADDRESS.into())],
            own: |pid| vec![set_own(pid)],
            needs: &[],
            happens: |tap, _, peer| {
                for op in [Op::Accept(9, 2), Op::SendUrgent(2, b"!".to_vec())] {
                    tap.same(&format!("the cause: {}", op.encode()), peer.errno(&op), 0);
                }
            },
            signal: SIGURG,
        },
        Way {
            name: "a lease",
            ready: vec![Op::Hold(1, b"/tmp/w/file".to_vec(), 0, 0)],
            own: |pid| {
                let lease = fcntl(libc::F_SETLEASE.into(), n(libc::F_RDLCK.into()));
                vec![lease, choose(SIGUSR1), set_own(pid)]
            },
            needs: &[],
            happens: |tap, _, _| {
                let opened =
                    OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open("/tmp/w/file");
                tap.same("the lease is in the way", kernel::errno(&opened), libc::EAGAIN);
            },
            signal: SIGUSR1,
        },
    ]
}

/// Where an owner holds each of these signals back, so that it shows which it got.
fn owner(tap: &mut Tap) -> Option<Subject> {
    let mut owner = victim(tap, VICTIM)?;
    for op in [Op::Block(SIGIO), Op::Block(SIGURG), Op::Setpgid(0)] {
        tap.same("the owner is ready", owner.errno(&op), 0);
    }
    Some(owner)
}

/// Opens the file and makes `pid` its owner.
fn set(tap: &mut Tap, table: &mut Table, way: &Way, pid: u32) {
    for op in [Op::Close(1), Op::Close(2)].iter().chain(&way.ready) {
        table.free(tap, op);
    }
    let op = Op::RawAll(calls(&(way.own)(pid.into())));
    tap.same(&format!("{}: there is an owner", way.name), table.enforced(way.needs, &op), 0);
    tap.same(&format!("{}: nothing is refused", way.name), asked("reject_log"), Vec::new());
}

/// What is recorded, which may take a moment if the cause is not a system call.
fn recorded(log: &str) -> Vec<String> {
    eventually(|| Some(requests(log)).filter(|found| !found.is_empty())).unwrap_or_default()
}

fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + Duration::from_secs(2);
    loop {
        let found = look();
        if found.is_some() || Instant::now() > end {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn arrives(owner: &Subject, signal: i32) -> bool {
    eventually(|| waits(owner.pid(), signal).then_some(())).is_some()
}

fn judged(tap: &mut Tap, table: &mut Table, peer: &mut Subject, way: &Way) {
    let Some(owner) = owner(tap) else { return };
    let (name, signal) = (way.name, way.signal);
    let line = format!("allow_signal {signal} {}", domain_of(VICTIM));
    for op in [socket(9, INET, STREAM), Op::Reuse(9), bind(9, PEERS_ADDRESS), Op::Listen(9)] {
        tap.same("the peer listens", peer.errno(&op), 0);
    }
    for other in [
        "allow_signal 1 <kernel>".to_owned(),
        format!("allow_signal {signal} {} /x", domain_of(VICTIM)),
        format!("{line} if task.uid=1"),
    ] {
        set(tap, table, way, owner.pid());
        set_domain(&table.name, 3, &[&other]);
        drain();
        (way.happens)(tap, table, peer);
        let mut records = recorded("reject_log");
        records.dedup();
        tap.same(&format!("{name}, with {other}: the record"), records, vec![line.clone()]);
        tap.same(&format!("{name}, with {other}: nothing arrives"), waits(owner.pid(), signal), false);
    }
    set(tap, table, way, owner.pid());
    set_domain(&table.name, 3, &[&line]);
    drain();
    (way.happens)(tap, table, peer);
    tap.same(&format!("{name}, with {line}: it arrives"), arrives(&owner, signal), true);
    let granted = recorded("grant_log");
    tap.check(&format!("{name}: the grant"), granted.contains(&line), || format!("{granted:?}"));
    for slot in [1, 2] {
        table.free(tap, &Op::Close(slot));
    }
    for slot in [1, 2, 9] {
        peer.errno(&Op::Close(slot));
    }
}

/// The other modes.
fn modes(tap: &mut Tap, table: &mut Table, peer: &mut Subject) {
    let way = pipe("F_SETOWN", |pid| vec![choose(SIGUSR1), set_own(pid), asynchronous()], SIGUSR1);
    let line = format!("allow_signal {SIGUSR1} {}", domain_of(VICTIM));
    for profile in [1, 2, 0] {
        let Some(owner) = owner(tap) else { return };
        set(tap, table, &way, owner.pid());
        set_domain(&table.name, profile, &[]);
        drain();
        (way.happens)(tap, table, peer);
        tap.same(&format!("profile {profile}: it arrives"), arrives(&owner, SIGUSR1), true);
        let records = if profile == 0 { Vec::new() } else { vec![line.clone()] };
        tap.same(&format!("profile {profile}: the records"), requests("reject_log"), records);
        let learned = if profile == 1 { vec![line.clone()] } else { Vec::new() };
        tap.same(&format!("profile {profile}: learned"), acls(&table.name), learned);
    }
}

/// SYS_KILL is asked for, too.
fn capability(tap: &mut Tap, table: &mut Table, peer: &mut Subject) {
    let way = pipe("F_SETOWN", |pid| vec![choose(SIGUSR1), set_own(pid), asynchronous()], SIGUSR1);
    let Some(owner) = owner(tap) else { return };
    let line = "allow_capability SYS_KILL";
    for (lines, expected) in [(&["allow_capability SYS_NICE"][..], false), (&[line], true)] {
        set(tap, table, &way, owner.pid());
        set_domain(&table.name, 5, lines);
        drain();
        (way.happens)(tap, table, peer);
        let log = if expected { "grant_log" } else { "reject_log" };
        tap.same(&format!("with {lines:?}: the record"), recorded(log), vec![line.to_owned()]);
        tap.same(&format!("with {lines:?}: it arrives"), waits(owner.pid(), SIGUSR1), expected);
    }
}

/// Signals for oneself are free, also for who has gone to another domain since.
fn oneself(tap: &mut Tap, table: &mut Table) {
    for op in [Op::Close(1), Op::Close(2), Op::Pipe(1, 2)] {
        table.free(tap, &op);
    }
    let next = format!("{} //own", table.name);
    set_domain(&next, 3, &[]);
    // A set of signals, and no time at all.
    let set = structure(8, &[(0, 1 << (SIGUSR1 - 1))]);
    let now = structure(16, &[]);
    let transition = kernel::path(".transition");
    let list = [
        (libc::SYS_rt_sigprocmask, vec![n(libc::SIG_BLOCK.into()), set.clone(), n(0), n(8)]),
        (libc::SYS_getpid, vec![]),
        choose(SIGUSR1),
        fcntl(libc::F_SETOWN.into(), answer(1)),
        asynchronous(),
        (
            libc::SYS_openat,
            vec![n(libc::AT_FDCWD.into()), b(transition.as_bytes()), n(libc::O_WRONLY.into())],
        ),
        (libc::SYS_write, vec![answer(5), b(b"own"), n(4)]),
        (libc::SYS_write, vec![n(SECOND), b(b"x"), n(1)]),
        (libc::SYS_rt_sigtimedwait, vec![set, n(0), now, n(8)]),
    ];
    set_domain(&table.name, 0, &[]);
    drain();
    let got = table.subject.errno(&Op::RawAll(calls(&list)));
    tap.same("one's own file brings a signal in another domain", got, 0);
    tap.same("nothing is refused", requests("reject_log"), Vec::new());
    for slot in [1, 2] {
        table.free(tap, &Op::Close(slot));
    }
    delete_domain(&next);
}
