// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mounts by the system calls that Linux has added since 1.7: nothing of them may be a way around `allow_mount`.
//!
//! 1.7 knows no such calls, so how they are written down is this project's choice; each line is one constant here.

use guest::op::Op;
use guest::subject::EPERM;
use guest::tap::Tap;

use super::mounts::{mounted, with_places};
use super::table::{case, with_subject, Case, Table};

const PROGRAM: &str = "/tmp/x/newmounts";

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
