// SPDX-License-Identifier: MIT OR Apache-2.0
//! Name spaces, which 1.7 did not know: what a task may do in its own ones is asked for as everywhere, names are those
//! of its tree of mounts, and records have the process id that everybody sees.

use std::fs;

use guest::kernel::{records, set_domain, write};
use guest::op::Op;
use guest::subject::EPERM;
use guest::tap::Tap;

use super::mounts::{mounted, with_places};
use super::table::{drain, requests, with_subject, Table};

const PROGRAM: &str = "/tmp/x/namespaces";

const NEWNS: u32 = 0x0002_0000;
const NEWUTS: u32 = 0x0400_0000;
const NEWUSER: u32 = 0x1000_0000;
const NEWPID: u32 = 0x2000_0000;
const NEWNET: u32 = 0x4000_0000;

pub fn run(tap: &mut Tap) {
    tap.topic("namespaces");
    with_places(tap, |tap| {
        with_subject(tap, PROGRAM, |tap, table| {
            users(tap, table);
            processes(tap, table);
            mounts(tap, table);
            networks(tap, table);
            ports(tap, table);
        });
    });
}

/// The operations, one after the other, in new name spaces.
fn within(flags: u32, ops: &[Op]) -> Op {
    let all = ops.iter().rev().cloned().reduce(|rest, op| Op::Both(Box::new(op), Box::new(rest)));
    let all = all.unwrap_or(Op::Setsid());
    Op::Fork(Box::new(Op::Both(Box::new(Op::Unshare(flags)), Box::new(all))))
}

fn tmpfs() -> Op {
    Op::Mount(b"none".to_vec(), b"/tmp/m/b".to_vec(), b"tmpfs".to_vec(), 0, Vec::new())
}

/// Whoever makes a user name space is mighty in it, but not more than the policy says.
fn users(tap: &mut Tap, table: &mut Table) {
    for (label, ids) in [("root", [0_u32; 4]), ("a user", [1000, 1000, 0, 1000])] {
        table.free(tap, &Op::Uids(ids));
        let hostname = within(NEWUSER | NEWUTS, &[Op::Hostname(b"inside".to_vec())]);
        let mount = within(NEWUSER | NEWNS, &[tmpfs()]);
        let chroot = within(NEWUSER, &[Op::Chroot(b"/tmp/m/a".to_vec())]);
        table.profiles = [5, 6, 7];
        for (op, capability) in
            [(&hostname, "SYS_SETHOSTNAME"), (&mount, "SYS_MOUNT"), (&chroot, "SYS_CHROOT")]
        {
            let line = format!("allow_capability {capability}");
            table.judge(tap, &format!("{label}, {capability}"), &[], op, EPERM);
            tap.same(
                &format!("{label}, {capability}: the record"),
                requests("reject_log"),
                vec![line.clone()],
            );
            table.judge(tap, &format!("{label}, {capability}"), &[&line], op, 0);
        }
        table.profiles = [3, 1, 2];
        for (op, line) in
            [(&mount, "allow_mount none /tmp/m/b/ tmpfs 0x0"), (&chroot, "allow_chroot /tmp/m/a/")]
        {
            table.judge(tap, label, &[], op, EPERM);
            tap.same(&format!("{label}: the record"), requests("reject_log"), vec![line.to_owned()]);
            table.judge(tap, label, &[line], op, 0);
        }
        table.free(tap, &Op::Uids([0; 4]));
    }
    tap.same("nothing is mounted for others", mounted("/tmp/m/b"), false);
}

/// In a process name space a task has another id: records have both, and `self` is of the procfs that is looked at.
fn processes(tap: &mut Tap, table: &mut Table) {
    super::fresh_work();
    let inside = |op: Op| within(NEWPID, &[Op::Fork(Box::new(op))]);
    let read = inside(Op::Open(b"/tmp/w/file".to_vec(), 0, 0));
    table.judge(
        tap,
        "the first process of a name space",
        &["allow_read /tmp/w/file if task.pid=2-9999999"],
        &read,
        EPERM,
    );
    let record = records("reject_log").join("");
    tap.contains("its own id", &record, " task={ pid=1 ppid=0 ");
    let global: u32 = record
        .split_once("(global-pid=")
        .and_then(|(_, rest)| rest.split_once(')'))
        .and_then(|(number, _)| number.parse().ok())
        .unwrap_or(0);
    tap.check("the id that everybody sees", global > table.subject.pid(), || record.clone());
    table.judge(tap, "a condition on its own id", &["allow_read /tmp/w/file if task.pid=1"], &read, 0);
    let own = inside(Op::Open(b"/proc/self/status".to_vec(), 0, 0));
    table.judge(tap, "itself in a procfs of others", &["allow_read /proc/self/status"], &own, 0);
    let one = inside(Op::Open(b"/proc/1/status".to_vec(), 0, 0));
    table.judge(tap, "another one with its own id", &["allow_read /proc/self/status"], &one, EPERM);
    table.judge(tap, "another one with its own id", &["allow_read /proc/1/status"], &one, 0);
    // A procfs of the new name space.
    let proc = Op::Mount(b"proc".to_vec(), b"/tmp/m/b".to_vec(), b"proc".to_vec(), 0, Vec::new());
    let new = inside(Op::Both(
        Box::new(Op::Unshare(NEWNS)),
        Box::new(Op::Both(Box::new(proc), Box::new(Op::Open(b"/tmp/m/b/1/status".to_vec(), 0, 0)))),
    ));
    let mount = "allow_mount proc /tmp/m/b/ proc 0x0";
    table.judge(tap, "itself in its own procfs", &[mount, "allow_read /tmp/m/b/self/status"], &new, 0);
    table.judge(tap, "its number there", &[mount, "allow_read /tmp/m/b/1/status"], &new, EPERM);
}

/// A mount that only the task sees: names in it are as in any other.
fn mounts(tap: &mut Tap, table: &mut Table) {
    let op = within(NEWNS, &[tmpfs(), Op::Open(b"/tmp/m/b/x".to_vec(), 0o101, 0o600)]);
    let lines =
        ["allow_mount none /tmp/m/b/ tmpfs 0x0", "allow_create /tmp/m/b/x 0600", "allow_write /tmp/m/b/x"];
    table.judge(tap, "a mount of its own", &lines, &op, 0);
    tap.same("its file is not in the tree of others", fs::exists("/tmp/m/b/x").unwrap_or(true), false);
    table.judge(tap, "without a permission for the file", &lines[..2], &op, EPERM);
    table.judge(tap, "without a permission for the mount", &lines[1..], &op, EPERM);
    // The place of a mount that another name space has too.
    let before = within(NEWNS, &[Op::Open(b"/tmp/m/file".to_vec(), 0, 0)]);
    table.judge(tap, "what was mounted before", &["allow_read /tmp/m/file"], &before, 0);
    table.judge(tap, "what was mounted before", &["allow_read /file"], &before, EPERM);
}

/// A network of its own, in which no device is up.
fn networks(tap: &mut Tap, table: &mut Table) {
    let op = within(NEWNET, &[Op::Socket(1, 2, 2, 0), Op::Bind(1, b"0.0.0.0:7400".to_vec())]);
    let line = "allow_network UDP bind 0.0.0.0 7400";
    table.judge(tap, "bind in a network of its own", &[], &op, EPERM);
    tap.same("bind in a network of its own: the record", requests("reject_log"), vec![line.to_owned()]);
    table.judge(tap, "bind in a network of its own", &[line], &op, 0);
    set_domain(&table.name, 0, &[]);
    drain();
}

/// What `deny_autobind` puts into a list of ports it takes out again, and leaves what an administrator has put in.
fn ports(tap: &mut Tap, table: &mut Table) {
    const LIST: &str = "/proc/sys/net/ipv4/ip_local_reserved_ports";
    const LINE: &str = "deny_autobind 20008-20047";
    let before = fs::read_to_string(LIST).unwrap_or_default();
    let own = fs::write(LIST, "20011,20100");
    tap.check("the driver reserves ports", own.is_ok(), || format!("{own:?}"));
    for op in [Op::Unshare(NEWNET), Op::Write(LIST.into(), b"20010,20200-20210".to_vec())] {
        table.free(tap, &op);
    }
    let mut lists = |tap: &mut Tap, label: &str, here: &str, there: &str| {
        let text = fs::read_to_string(LIST).unwrap_or_default();
        tap.same(&format!("{label}: the driver's ports"), text.trim(), here);
        tap.same(&format!("{label}: another network's ports"), table.subject.text(LIST).trim(), there);
    };
    lists(tap, "reserved", "20011,20100", "20010,20200-20210");
    write("exception_policy", LINE);
    lists(tap, "with the line", "20008-20047,20100", "20008-20047,20200-20210");
    write("exception_policy", &format!("delete {LINE}"));
    lists(tap, "without the line", "20011,20100", "20010,20200-20210");
    // One after the other, and one that stays.
    for line in ["deny_autobind 20011", "deny_autobind 20010-20100"] {
        write("exception_policy", line);
    }
    lists(tap, "with two lines", "20010-20100", "20010-20100,20200-20210");
    write("exception_policy", "delete deny_autobind 20010-20100");
    lists(tap, "with one of them", "20011,20100", "20010-20011,20200-20210");
    write("exception_policy", "delete deny_autobind 20011");
    lists(tap, "with none", "20011,20100", "20010,20200-20210");
    let back = fs::write(LIST, before);
    tap.check("the driver's ports are set back", back.is_ok(), || format!("{back:?}"));
}
