// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mounts by the system calls that Linux has added since 1.7: nothing of them may be a way around `allow_mount`.
//!
//! 1.7 knows no such calls, so how they are written down is this project's choice; each line is one constant here.

use guest::kernel::{delete_domain, set_domain};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::mounts::{mounted, with_places};
use super::table::{case, drain, requests, with_subject, Case, Table};

const PROGRAM: &str = "/tmp/x/newmounts";
const OTHER: &str = "/tmp/x/newmounter";
const ENOENT: i32 = 2;

/// A new file system, put in its place; without a source the kernel calls it "none".
const NEW: &str = "allow_mount none /tmp/m/b/ tmpfs 0x0";
/// The same with a source.
const NEW_SOURCE: &str = "allow_mount my\\040source /tmp/m/b/ tmpfs 0x0";
/// The same, read-only.
const NEW_READ_ONLY: &str = "allow_mount none /tmp/m/b/ tmpfs 0x1";
/// A copy of a part of a file system, put in its place: what was copied has no place in the tree.
const COPY: &str = "allow_mount tmpfs:/a/ /tmp/m/b/ --bind 0x0";
/// The whole of a file system that is mounted already is a copy too.
const COPY_WHOLE: &str = "allow_mount tmpfs:/ /tmp/m/b/ --bind 0x0";
/// The same with all mounts on it.
const COPY_ALL: &str = "allow_mount tmpfs:/a/ /tmp/m/b/ --bind 0x4000";
/// What is mounted gets another place.
const MOVED: &str = "allow_mount /tmp/m/a/ /tmp/m/b/ --move 0x0";
/// A file system gets other options, wherever it is mounted.
const RECONFIGURED: &str = "allow_mount <NULL> tmpfs:/ --remount 0x0";

pub fn run(tap: &mut Tap) {
    tap.topic("newmounts");
    with_places(tap, |tap| {
        with_subject(tap, PROGRAM, |tap, table| {
            table.all(tap, &cases());
            copies(tap, table);
            devices(tap, table);
            together(tap, table);
            table.profiles = [5, 6, 7];
            table.all(tap, &capabilities());
        });
    });
}

fn on_b() -> bool {
    mounted("/tmp/m/b")
}

fn tmpfs(dir: &str) -> Op {
    Op::Mount(b"none".to_vec(), dir.into(), b"tmpfs".to_vec(), 0, Vec::new())
}

fn umount(dir: &str) -> Op {
    Op::Umount(dir.into(), 2)
}

fn to_b() -> Op {
    Op::MoveFd(2, b"/tmp/m/b".to_vec())
}

fn made(options: &[Op], attributes: u32) -> Vec<Op> {
    let mut ops = vec![Op::Fsopen(1, b"tmpfs".to_vec())];
    ops.extend(options.iter().cloned());
    ops.extend([Op::Fscreate(1), Op::Fsmount(1, 2, attributes)]);
    ops
}

fn after() -> Vec<Op> {
    vec![Op::Close(1), Op::Close(2), umount("/tmp/m/b"), umount("/tmp/m/a")]
}

fn cases() -> Vec<Case> {
    let source = Op::Fsconfig(1, b"source".to_vec(), b"my source".to_vec());
    vec![
        case("fsopen, fsmount, move_mount", to_b(), &[NEW])
            .before(&made(&[], 0))
            .after(&after())
            .happened(on_b),
        case("with a source", to_b(), &[NEW_SOURCE])
            .before(&made(&[source], 0))
            .after(&after())
            .happened(on_b),
        case("read-only", to_b(), &[NEW_READ_ONLY]).before(&made(&[], 1)).after(&after()).happened(on_b),
        case("open_tree of a part, move_mount", to_b(), &[COPY])
            .before(&[Op::OpenTree(2, b"/tmp/m/a".to_vec(), 1)])
            .after(&after())
            .happened(on_b),
        case("open_tree of the whole, move_mount", to_b(), &[COPY_WHOLE])
            .before(&[tmpfs("/tmp/m/a"), Op::OpenTree(2, b"/tmp/m/a".to_vec(), 1)])
            .after(&after())
            .happened(on_b),
        case("open_tree with what is mounted on it, move_mount", to_b(), &[COPY_ALL])
            .before(&[tmpfs("/tmp/m/a/sub"), Op::OpenTree(2, b"/tmp/m/a".to_vec(), 0x8001)])
            .after(&[&[umount("/tmp/m/a/sub")][..], &after()].concat())
            .happened(on_b),
        case("move_mount", Op::MovePath(b"/tmp/m/a".to_vec(), b"/tmp/m/b".to_vec()), &[MOVED])
            .before(&[tmpfs("/tmp/m/a")])
            .after(&after())
            .happened(on_b),
        case("fspick, fsconfig", Op::Fsreconfigure(1), &[RECONFIGURED])
            .before(&[
                tmpfs("/tmp/m/a"),
                Op::Fspick(1, b"/tmp/m/a".to_vec()),
                Op::Fsconfig(1, b"size".to_vec(), b"4m".to_vec()),
            ])
            .after(&after()),
    ]
}

/// The right to mount a new file system does not show an old one.
fn copies(tap: &mut Tap, table: &mut Table) {
    for op in [tmpfs("/tmp/m/a"), Op::OpenTree(2, b"/tmp/m/a".to_vec(), 1)] {
        table.free(tap, &op);
    }
    table.judge(tap, "a copy of a whole tmpfs", &[NEW], &to_b(), EPERM);
    table.free(tap, &Op::Close(2));
    // And before it has a place it has a name that nobody expects.
    for op in made(&[], 0) {
        table.free(tap, &op);
    }
    table.judge(tap, "a copy that is nowhere yet", &["allow_mount any /tmp/m/b/ --bind 0x0"], &to_b(), EPERM);
    for op in [Op::Close(1), Op::Close(2), umount("/tmp/m/a")] {
        table.free(tap, &op);
    }
}

/// A file system on a device is asked for by the name that it was given, which must still lead to that device.
fn devices(tap: &mut Tap, table: &mut Table) {
    const DISK: &str = "/tmp/w/disk";
    let block = |minor| Op::Node(DISK.into(), 0o060_600, 1, minor);
    let made = std::process::Command::new("/bin/busybox").args(["mke2fs", "-F", "/dev/ram1"]).output();
    delete_domain(&super::domain_of("/bin/busybox"));
    tap.check(
        "there is a file system on a ram disk",
        made.as_ref().is_ok_and(|output| output.status.success()),
        || format!("{made:?}"),
    );
    let line = "allow_mount /tmp/w/disk /tmp/m/b/ ext4 0x1";
    let all = "allow_mount /\\{\\*\\}/\\* /tmp/m/b/ \\* 0-0xFFFF";
    for (name, node, lines, errno) in [
        ("the device", 1, &[line][..], 0),
        ("the device, any name", 1, &[all], 0),
        ("the device, no line", 1, &[], EPERM),
        ("the device, another name", 1, &["allow_mount /dev/ram1 /tmp/m/b/ ext4 0x1"], EPERM),
        ("another device of that name", 2, &[line, all], ENOENT),
    ] {
        super::fresh_work();
        let source = [Op::Fsconfig(1, b"source".to_vec(), DISK.into()), Op::FsconfigFlag(1, b"ro".to_vec())];
        let ready = [
            &[block(1), Op::Fsopen(1, b"ext4".to_vec())][..],
            &source,
            &[Op::Fscreate(1), Op::Fsmount(1, 2, 0), Op::Unlink(DISK.into()), block(node)],
        ];
        for op in ready.concat() {
            table.free(tap, &op);
        }
        table.judge(tap, &format!("fsmount of {name}"), lines, &to_b(), errno);
        tap.same(&format!("fsmount of {name}: it is there"), on_b(), errno == 0);
        if errno == EPERM {
            let record = requests("reject_log");
            tap.same(&format!("fsmount of {name}: the record"), record, vec![line.to_owned()]);
        }
        for op in [Op::Close(1), Op::Close(2)] {
            table.free(tap, &op);
        }
        if errno == 0 {
            table.free(tap, &umount("/tmp/m/b"));
        }
    }
    super::fresh_work();
}

/// One after the other, until one fails.
fn all(ops: &[Op]) -> Op {
    let all = ops.iter().rev().cloned().reduce(|rest, op| Op::Both(Box::new(op), Box::new(rest)));
    all.unwrap_or(Op::Close(1))
}

fn tried(op: Op) -> Op {
    Op::Try(Box::new(op))
}

/// Two who put the same new mount into the tree at the same time: one of them asks about a mount that the other one has just
/// moved, and whose first name space is gone.
fn together(tap: &mut Tap, table: &mut Table) {
    let domain = super::domain_of(OTHER);
    for name in [&domain, &table.name] {
        set_domain(name, 2, &[]);
    }
    match Subject::start(OTHER) {
        Ok(mut other) => {
            // The mount's descriptor: behind the standard ones, the file system's, and a copy of that.
            let take = Op::Take(1, table.subject.pid() as i32, 5);
            let there = b"/tmp/m/a".to_vec();
            let steal = all(&[take, Op::MoveFd(1, there.clone())]);
            let steals = [tried(steal), tried(Op::Umount(there, 2)), Op::Close(1)];
            let steals = Op::Repeat(400, Box::new(all(&steals)));
            let make = [&made(&[], 0)[..], &[to_b()]].concat();
            let makes = [tried(all(&make)), tried(umount("/tmp/m/b")), Op::Close(2), Op::Close(1)];
            let makes = Op::Repeat(200, Box::new(all(&makes)));
            other.begin(&steals);
            tap.same("mounts are made", table.subject.errno(&makes), 0);
            tap.same("and taken away", other.end(&steals).errno(), 0);
        }
        Err(e) => tap.check("the other one starts", false, || e.to_string()),
    }
    for place in ["/tmp/m/a", "/tmp/m/b"] {
        while mounted(place) && nix::mount::umount2(place, nix::mount::MntFlags::MNT_DETACH).is_ok() {}
    }
    delete_domain(&domain);
    drain();
}

fn capabilities() -> Vec<Case> {
    let mount = &["allow_capability SYS_MOUNT"];
    let both = &["allow_capability SYS_MOUNT", "allow_capability conceal_mount"];
    vec![
        case("fsconfig that makes a file system", Op::Fscreate(1), mount)
            .before(&[Op::Fsopen(1, b"tmpfs".to_vec())])
            .after(&after()),
        case("move_mount of a new one", to_b(), mount).before(&made(&[], 0)).after(&after()).happened(on_b),
        case("move_mount of a copy", to_b(), mount)
            .before(&[Op::OpenTree(2, b"/tmp/m/a".to_vec(), 1)])
            .after(&after())
            .happened(on_b),
        case("move_mount of a place", Op::MovePath(b"/tmp/m/a".to_vec(), b"/tmp/m/b".to_vec()), mount)
            .before(&[tmpfs("/tmp/m/a")])
            .after(&after())
            .happened(on_b),
        case("fsconfig that changes a file system", Op::Fsreconfigure(1), mount)
            .before(&[tmpfs("/tmp/m/a"), Op::Fspick(1, b"/tmp/m/a".to_vec())])
            .after(&after()),
        case("move_mount over a mount", to_b(), both)
            .before(&[&[tmpfs("/tmp/m/b")][..], &made(&[], 0)].concat())
            .after(&[after(), after()].concat()),
    ]
}
