// SPDX-License-Identifier: MIT OR Apache-2.0
//! task.state and `; set` (reference 5.5): steps in order, who inherits them, what records show.

use guest::kernel::{records, set_domain, write};
use guest::op::Op;
use guest::subject::EPERM;
use guest::tap::Tap;

use super::table::{drain, with_subject, Table};
use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/states";
const EEXIST: i32 = 17;
const EISDIR: i32 = 21;

fn file() -> Op {
    Op::Open(b"/tmp/w/file".to_vec(), 0, 0)
}

fn inner() -> Op {
    Op::Open(b"/tmp/w/full/inner".to_vec(), 0, 0)
}

pub fn run(tap: &mut Tap) {
    tap.topic("states");
    with_subject(tap, PROGRAM, |tap, table| {
        login(tap, table);
        order(tap, table);
        modes(tap, table);
        kinds(tap, table);
        copies(tap, table);
        programs(tap, table);
    });
}

/// The state bytes, as the record of a refusal shows them.
fn state(table: &mut Table) -> String {
    set_domain(&table.name, 3, &[]);
    drain();
    table.subject.errno(&file());
    shown(&records("reject_log").join(""))
}

/// The state bytes in a record.
fn shown(record: &str) -> String {
    let words = record.split(' ').filter_map(|word| word.strip_prefix("state["));
    words.filter_map(|word| word.split_once("]=")).map(|(_, value)| value).collect::<Vec<_>>().join(" ")
}

fn reset(tap: &mut Tap, table: &mut Table) {
    table
        .enforced(&["allow_read /tmp/w/file ; set task.state[0]=0 task.state[1]=0 task.state[2]=0"], &file());
    tap.same("all are 0", state(table), "0 0 0".to_owned());
}

/// One file first, then the other: two steps that cannot be taken the other way round.
fn login(tap: &mut Tap, table: &mut Table) {
    tap.same("at first all are 0", state(table), "0 0 0".to_owned());
    set_domain(
        &table.name,
        3,
        &[
            "allow_read /tmp/w/file if task.state[0]=0 ; set task.state[0]=1",
            "allow_read /tmp/w/full/inner if task.state[0]=1 ; set task.state[0]=2 task.state[2]=255",
        ],
    );
    for (label, op, errno, log, before) in [
        ("the second first", inner(), EPERM, "reject_log", "0 0 0"),
        ("the first", file(), 0, "grant_log", "0 0 0"),
        ("the first again", file(), EPERM, "reject_log", "1 0 0"),
        ("the second", inner(), 0, "grant_log", "1 0 0"),
        ("the second again", inner(), EPERM, "reject_log", "2 0 255"),
    ] {
        drain();
        tap.same(label, table.subject.errno(&op), errno);
        tap.same(
            &format!("{label}: the record has the state before"),
            shown(&records(log).join("")),
            before.to_owned(),
        );
    }
    tap.same("the others stay", state(table), "2 0 255".to_owned());
    for (condition, errno) in [
        ("task.state[0]=2 task.state[1]=0 task.state[2]=255", 0),
        ("task.state[2]!=255", EPERM),
        ("task.state[0]=1-3", 0),
        ("task.state[0]=task.state[1]", EPERM),
    ] {
        table.judge(tap, "a condition", &[&format!("allow_read /tmp/w/file if {condition}")], &file(), errno);
    }
    reset(tap, table);
}

/// The first entry of the list that grants decides.
fn order(tap: &mut Tap, table: &mut Table) {
    let (wide, exact) =
        ("allow_read /tmp/w/\\* ; set task.state[1]=1", "allow_read /tmp/w/file ; set task.state[1]=2");
    let nothing = "allow_read /tmp/\\*/file";
    for (lines, expected) in [
        ([wide, exact], "0 1 0"),
        ([exact, wide], "0 2 0"),
        ([nothing, wide], "0 0 0"),
        (["allow_read /tmp/w/file if task.uid=1 ; set task.state[1]=9", exact], "0 2 0"),
        (["allow_write /tmp/w/file ; set task.state[1]=9", exact], "0 2 0"),
    ] {
        reset(tap, table);
        tap.same(&format!("{lines:?}"), table.enforced(&lines, &file()), 0);
        tap.same(&format!("{lines:?}: the state"), state(table), expected.to_owned());
    }
    reset(tap, table);
    table.judge(
        tap,
        "what is refused sets nothing",
        &["allow_read /tmp/w/file if task.uid=1 ; set task.state[0]=1"],
        &file(),
        EPERM,
    );
    tap.same("what is refused sets nothing: the state", state(table), "0 0 0".to_owned());
    // The system call may fail for another reason: the entry has decided. Only after the policy has been asked does the kernel
    // see that a directory is not to be unlinked.
    table.judge(
        tap,
        "a call that fails later",
        &["allow_unlink /tmp/w/dir/ ; set task.state[0]=4"],
        &Op::Unlink(b"/tmp/w/dir".to_vec()),
        EISDIR,
    );
    tap.same("a call that fails later: the state", state(table), "4 0 0".to_owned());
    reset(tap, table);
    // What fails before the policy is asked: the name is taken.
    table.judge(
        tap,
        "a call that fails earlier",
        &["allow_rename /tmp/w/file /tmp/w/full/inner ; set task.state[0]=4"],
        &Op::Rename2(b"/tmp/w/file".to_vec(), b"/tmp/w/full/inner".to_vec(), 1),
        EEXIST,
    );
    tap.same("a call that fails earlier: the state", state(table), "0 0 0".to_owned());
}

/// In permissive and learning mode as well, but only by an entry that is there; in disabled mode never.
fn modes(tap: &mut Tap, table: &mut Table) {
    for (profile, expected) in [(3, "7 0 0"), (2, "7 0 0"), (1, "7 0 0"), (0, "0 0 0")] {
        reset(tap, table);
        set_domain(&table.name, profile, &["allow_read /tmp/w/file ; set task.state[0]=7"]);
        tap.same(&format!("profile {profile}"), table.subject.errno(&file()), 0);
        tap.same(&format!("profile {profile}: the state"), state(table), expected.to_owned());
    }
    // A global entry has no such part, and grants only after the domain's own.
    reset(tap, table);
    write("exception_policy", "allow_read /tmp/w/file");
    table.judge(tap, "own and global", &["allow_read /tmp/w/file ; set task.state[0]=3"], &file(), 0);
    write("exception_policy", "delete allow_read /tmp/w/file");
    tap.same("own and global: the state", state(table), "3 0 0".to_owned());
    reset(tap, table);
}

/// Every kind of entry can set.
fn kinds(tap: &mut Tap, table: &mut Table) {
    let own = table.subject.pid() as i32;
    let signal = format!("allow_signal 18 {}", guest::kernel::DRIVER);
    for (profile, line, op) in [
        (3, "allow_mkdir /tmp/w/new/ 0700", Op::Mkdir(b"/tmp/w/new".to_vec(), 0o700)),
        (3, "allow_rmdir /tmp/w/new/", Op::Rmdir(b"/tmp/w/new".to_vec())),
        (3, "allow_chmod /tmp/w/file 0644", Op::Chmod(b"/tmp/w/file".to_vec(), 0o644)),
        (3, "allow_link /tmp/w/file /tmp/w/new", Op::Link(b"/tmp/w/file".to_vec(), b"/tmp/w/new".to_vec())),
        (3, "allow_mkfifo /tmp/w/fifo 0644", Op::Node(b"/tmp/w/fifo".to_vec(), 0o010644, 0, 0)),
        (3, "allow_network UDP bind 127.0.0.1 6100", Op::Bind(1, b"127.0.0.1:6100".to_vec())),
        (3, signal.as_str(), Op::Kill(1, 18)),
        (5, "allow_capability SYS_NICE", Op::Nice()),
        (5, "allow_capability SYS_KILL", Op::Kill(own, 18)),
    ] {
        reset(tap, table);
        table.free(tap, &Op::Socket(1, 2, 2, 0));
        set_domain(&table.name, profile, &[&format!("{line} ; set task.state[1]=11")]);
        tap.same(line, table.subject.errno(&op), 0);
        tap.same(&format!("{line}: the state"), state(table), "0 11 0".to_owned());
        table.free(tap, &Op::Close(1));
    }
    fresh_work();
    reset(tap, table);
}

/// Children and threads begin with their maker's state and go their own way.
fn copies(tap: &mut Tap, table: &mut Table) {
    for (label, wrap) in [("child", Op::Fork as fn(Box<Op>) -> Op), ("thread", Op::Thread)] {
        table.enforced(&["allow_read /tmp/w/file ; set task.state[0]=1"], &file());
        let both = |first: Op, second: Op| wrap(Box::new(Op::Both(Box::new(first), Box::new(second))));
        table.judge(tap, label, &["allow_read /tmp/w/file if task.state[0]=1"], &wrap(Box::new(file())), 0);
        table.judge(
            tap,
            &format!("{label} that steps on"),
            &[
                "allow_read /tmp/w/file if task.state[0]=1 ; set task.state[0]=2",
                "allow_read /tmp/w/full/inner if task.state[0]=2",
            ],
            &both(file(), inner()),
            0,
        );
        tap.same(&format!("the maker of the {label} does not"), state(table), "1 0 0".to_owned());
    }
    reset(tap, table);
}

/// A new program keeps the state; so does a failed execve.
fn programs(tap: &mut Tap, table: &mut Table) {
    fresh_work();
    let next = format!("{} /tmp/w/program", domain_of(PROGRAM));
    set_domain(&next, 0, &[]);
    let broken = "/tmp/w/broken";
    drop(std::fs::write(broken, "\x7fELF nothing"));
    table.free(tap, &Op::Chmod(broken.into(), 0o755));
    set_domain(&format!("{} {broken}", table.name), 0, &[]);
    let errno =
        table.enforced(&["allow_execute /tmp/w/broken ; set task.state[0]=5"], &Op::Exec(broken.into()));
    tap.same("an execve that fails", errno, 8);
    tap.same("an execve that fails: the state", state(table), "5 0 0".to_owned());
    guest::kernel::delete_domain(&format!("{} {broken}", table.name));
    let errno = table.enforced(
        &["allow_execute /tmp/w/program if task.state[0]=5 ; set task.state[2]=9"],
        &Op::Exec(b"/tmp/w/program".to_vec()),
    );
    tap.same("an execve", errno, 0);
    set_domain(&next, 3, &["allow_read /tmp/w/file if task.state[0]=5 task.state[2]=9"]);
    tap.same("the new program has the state", table.subject.errno(&file()), 0);
    guest::kernel::delete_domain(&next);
}
