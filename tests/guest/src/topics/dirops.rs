// SPDX-License-Identifier: MIT OR Apache-2.0
//! Making, removing, linking and renaming (reference 4.6), and conditions on what they do it to (reference 5.3).

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use guest::kernel::{records, set_domain};
use guest::op::Op;
use guest::subject::EPERM;
use guest::tap::Tap;

use super::mounts::with_places;
use super::table::{case, requests, with_subject, Case, Table};

const PROGRAM: &str = "/tmp/x/dirops";
const FIFO: u32 = 0o010000;
const CHARACTER: u32 = 0o020000;
const BLOCK: u32 = 0o060000;
const SOCKET: u32 = 0o140000;
const UNIX: u32 = 1;
const EXCHANGE: u32 = 2;
const WHITEOUT: u32 = 4;
const NEW: &str = "/tmp/w/new";

fn there(path: &str) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn new() -> bool {
    there(NEW)
}

pub fn run(tap: &mut Tap) {
    tap.topic("dirops");
    with_subject(tap, PROGRAM, |tap, table| {
        table.all(tap, &removing());
        table.all(tap, &making());
        table.all(tap, &moving());
        devices(tap, table);
        targets(tap, table);
        conditions(tap, table);
        hopeless(tap, table);
        with_places(tap, |tap| table.all(tap, &whiteouts()));
    });
}

/// What overlay file systems hide files with is a device node, however it is made.
fn whiteouts() -> Vec<Case> {
    let (old, new) = ("/tmp/m/file", "/tmp/m/new");
    vec![case(
        "rename that leaves a whiteout",
        Op::Rename2(old.into(), new.into(), WHITEOUT),
        &["allow_rename /tmp/m/file /tmp/m/new", "allow_mkchar /tmp/m/file 00 0 0"],
    )
    .happened(|| there("/tmp/m/new"))
    .after(&[Op::Rename(new.into(), old.into())])]
}

fn removing() -> Vec<Case> {
    vec![
        case("unlink", Op::Unlink(b"/tmp/w/file".to_vec()), &["allow_unlink /tmp/w/file"])
            .happened(|| !there("/tmp/w/file")),
        case("unlink of a link", Op::Unlink(b"/tmp/w/link".to_vec()), &["allow_unlink /tmp/w/link"])
            .happened(|| !there("/tmp/w/link")),
        case("rmdir", Op::Rmdir(b"/tmp/w/dir".to_vec()), &["allow_rmdir /tmp/w/dir/"])
            .happened(|| !there("/tmp/w/dir")),
    ]
}

fn making() -> Vec<Case> {
    let node = |kind: u32| Op::Node(NEW.into(), kind | 0o666, 0, 0);
    vec![
        case("mkdir", Op::Mkdir(NEW.into(), 0o777), &["allow_mkdir /tmp/w/new/ 0755"]).happened(new),
        case("mkdir with the sticky bit", Op::Mkdir(NEW.into(), 0o1777), &["allow_mkdir /tmp/w/new/ 01755"])
            .happened(new),
        case("mknod of a file", Op::Mknod(NEW.into(), 0o666), &["allow_create /tmp/w/new 0644"])
            .happened(new),
        case("mknod without a type", node(0), &["allow_create /tmp/w/new 0644"]).happened(new),
        case("mkfifo", node(FIFO), &["allow_mkfifo /tmp/w/new 0644"]).happened(new),
        case("mknod of a socket", node(SOCKET), &["allow_mksock /tmp/w/new 0644"]).happened(new),
        case("bind of a socket", Op::BindUnix(1, NEW.into()), &["allow_mksock /tmp/w/new 0755"])
            .before(&[Op::Socket(1, UNIX, 1, 0)])
            .happened(new),
        case("mkchar", Op::Node(NEW.into(), CHARACTER | 0o666, 1, 3), &["allow_mkchar /tmp/w/new 0644 1 3"])
            .happened(new),
        case(
            "mkblock",
            Op::Node(NEW.into(), BLOCK | 0o600, 7, 260),
            &["allow_mkblock /tmp/w/new 0600 7 260"],
        )
        .happened(new),
        case(
            "symlink",
            Op::Symlink(b"../etc/a b".to_vec(), NEW.into()),
            &["allow_symlink /tmp/w/new if symlink.target=\"../etc/a\\040b\""],
        )
        .happened(new),
    ]
}

fn moving() -> Vec<Case> {
    let rename2 = |from: &str, to: &str| Op::Rename2(from.into(), to.into(), EXCHANGE);
    vec![
        case("link", Op::Link(b"/tmp/w/file".to_vec(), NEW.into()), &["allow_link /tmp/w/file /tmp/w/new"])
            .happened(new),
        case(
            "link of a link",
            Op::Link(b"/tmp/w/link".to_vec(), NEW.into()),
            &["allow_link /tmp/w/link /tmp/w/new"],
        )
        .happened(new),
        case(
            "rename",
            Op::Rename(b"/tmp/w/file".to_vec(), NEW.into()),
            &["allow_rename /tmp/w/file /tmp/w/new"],
        )
        .happened(new),
        case(
            "rename of a directory",
            Op::Rename(b"/tmp/w/full".to_vec(), NEW.into()),
            &["allow_rename /tmp/w/full/ /tmp/w/new/"],
        )
        .happened(new),
        case(
            "rename over a directory",
            Op::Rename(b"/tmp/w/full".to_vec(), b"/tmp/w/dir".to_vec()),
            &["allow_rename /tmp/w/full/ /tmp/w/dir/"],
        )
        .happened(|| there("/tmp/w/dir/inner")),
        case(
            "rename over a file",
            Op::Rename(b"/tmp/w/file".to_vec(), b"/tmp/w/full/inner".to_vec()),
            &["allow_rename /tmp/w/file /tmp/w/full/inner"],
        )
        .happened(|| !there("/tmp/w/file")),
        case(
            "rename that replaces nothing",
            Op::Rename2(b"/tmp/w/file".to_vec(), NEW.into(), 1),
            &["allow_rename /tmp/w/file /tmp/w/new"],
        )
        .happened(new),
        // Both files get another name, so both directions are asked for.
        case(
            "exchange",
            rename2("/tmp/w/file", "/tmp/w/full/inner"),
            &["allow_rename /tmp/w/file /tmp/w/full/inner", "allow_rename /tmp/w/full/inner /tmp/w/file"],
        ),
        case(
            "exchange of directories",
            rename2("/tmp/w/full", "/tmp/w/dir"),
            &["allow_rename /tmp/w/full/ /tmp/w/dir/", "allow_rename /tmp/w/dir/ /tmp/w/full/"],
        )
        .happened(|| there("/tmp/w/dir/inner")),
    ]
}

/// Device numbers and modes; the node is what it should be.
fn devices(tap: &mut Tap, table: &mut Table) {
    let line = "allow_mkchar /tmp/w/null 0644 1 3";
    for (mode, major, minor, errno) in
        [(0o666, 1, 3, 0), (0o666, 1, 5, EPERM), (0o666, 2, 3, EPERM), (0o600, 1, 3, EPERM)]
    {
        super::fresh_work();
        let op = Op::Node(b"/tmp/w/null".to_vec(), CHARACTER | mode, major, minor);
        table.judge(tap, &format!("mkchar {mode:o} {major} {minor}"), &[line], &op, errno);
        let data = fs::symlink_metadata("/tmp/w/null");
        let made = data.is_ok_and(|data| {
            data.file_type().is_char_device()
                && data.rdev() == rustix::fs::makedev(major, minor)
                && data.mode() & 0o777 == 0o644
        });
        tap.same(&format!("mkchar {mode:o} {major} {minor}: the node"), made, errno == 0);
    }
    super::fresh_work();
    let block = Op::Node(b"/tmp/w/null".to_vec(), BLOCK | 0o666, 1, 3);
    table.judge(tap, "a block device is no character device", &[line], &block, EPERM);
    let large = Op::Node(b"/tmp/w/null".to_vec(), BLOCK | 0o666, 300, 70_000);
    table.judge(tap, "large numbers", &["allow_mkblock /tmp/w/null 0644 300 70000"], &large, 0);
    super::fresh_work();
    let group = Op::Node(b"/tmp/w/null".to_vec(), CHARACTER | 0o666, 4, 64);
    table.judge(tap, "ranges", &["allow_mkchar /tmp/w/\\* 0600-0644 4 64-95"], &group, 0);
    // A node opened is a file like others, and its condition knows its numbers.
    super::fresh_work();
    table.free(tap, &Op::Node(b"/tmp/w/null".to_vec(), CHARACTER | 0o666, 1, 3));
    let open = Op::Open(b"/tmp/w/null".to_vec(), 0, 0);
    for (condition, errno) in [
        ("path1.type=char", 0),
        ("path1.type=block", EPERM),
        ("path1.dev_major=1", 0),
        ("path1.dev_minor=3", 0),
        ("path1.dev_minor=4", EPERM),
        ("path1.type=char path1.dev_major=1 path1.dev_minor=3", 0),
    ] {
        table.judge(tap, "a node", &[&format!("allow_read /tmp/w/null if {condition}")], &open, errno);
    }
    set_domain(&table.name, 3, &[]);
    records("reject_log");
    table.subject.errno(&open);
    let record = records("reject_log").join("");
    tap.contains("the record has the numbers", &record, " type=char dev_major=1 dev_minor=3 }");
    // A Unix socket with an abstract name makes no file.
    table.free(tap, &Op::Socket(1, UNIX, 1, 0));
    table.judge(tap, "bind to an abstract name", &[], &Op::BindAbstract(1, b"sekisho".to_vec()), 0);
    table.free(tap, &Op::Close(1));
}

/// The content of a symbolic link (reference 5.4): encoded, not resolved.
fn targets(tap: &mut Tap, table: &mut Table) {
    let op = Op::Symlink(b"../etc/a b".to_vec(), NEW.into());
    for (condition, errno) in [
        ("symlink.target=\"../etc/a\\040b\"", 0),
        ("symlink.target=\"../etc/\\*\"", 0),
        ("symlink.target=\"/etc/\\*\"", EPERM),
        ("symlink.target!=\"/etc/\\*\"", 0),
        ("symlink.target!=\"../etc/\\*\"", EPERM),
        ("symlink.target=\"@x\"", EPERM),
        ("path1.uid=0", EPERM),
        ("path1.uid!=0", EPERM),
        ("path1.parent.uid=0", 0),
    ] {
        super::fresh_work();
        table.judge(tap, "symlink", &[&format!("allow_symlink /tmp/w/new if {condition}")], &op, errno);
        tap.same(&format!("symlink if {condition}: it is there"), new(), errno == 0);
    }
    super::fresh_work();
    set_domain(&table.name, 3, &[]);
    records("reject_log");
    table.subject.errno(&op);
    let record = records("reject_log").join("");
    tap.contains("the record has the target", &record, " symlink.target=\"../etc/a\\040b\"\n");
}

/// Conditions on the objects and their directories; what is not there makes a test false, also `!=`.
fn conditions(tap: &mut Tap, table: &mut Table) {
    super::fresh_work();
    table.free(tap, &Op::Chown(b"/tmp/w/file".to_vec(), 5, 6));
    table.free(tap, &Op::Chmod(b"/tmp/w/file".to_vec(), 0o4640));
    table.free(tap, &Op::Chown(b"/tmp/w/full".to_vec(), 7, 8));
    table.free(tap, &Op::Chmod(b"/tmp/w/full".to_vec(), 0o1777));
    let (Ok(file), Ok(full), Ok(inner)) =
        (fs::metadata("/tmp/w/file"), fs::metadata("/tmp/w/full"), fs::metadata("/tmp/w/full/inner"))
    else {
        return tap.check("the files are there", false, String::new);
    };
    let work = fs::metadata("/tmp/w").map(|data| data.ino()).unwrap_or(0);
    let (major, minor) = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
    let exchange = Op::Rename2(b"/tmp/w/file".to_vec(), b"/tmp/w/full/inner".to_vec(), 0);
    let back = [
        Op::Rename(b"/tmp/w/full/inner".to_vec(), b"/tmp/w/file".to_vec()),
        Op::Mknod(b"/tmp/w/full/inner".to_vec(), 0o644),
    ];
    for (condition, holds) in [
        ("path1.uid=5 path1.gid=6".to_owned(), true),
        ("path1.uid!=5".to_owned(), false),
        ("path1.uid=task.uid".to_owned(), false),
        ("path1.type=file".to_owned(), true),
        ("path1.type=directory".to_owned(), false),
        ("path1.type=0100000".to_owned(), true),
        ("path1.perm=04640".to_owned(), true),
        ("path1.perm=0640".to_owned(), false),
        ("path1.perm=setuid path1.perm=group_read path1.perm!=others_read".to_owned(), true),
        ("path1.perm=setgid".to_owned(), false),
        (format!("path1.ino={}", file.ino()), true),
        (format!("path1.ino={}", inner.ino()), false),
        (format!("path1.major={major} path1.minor={minor}"), true),
        (format!("path1.major={}", major + 1), false),
        ("path1.parent.uid=0 path1.parent.gid=0 path1.parent.perm=0755".to_owned(), true),
        (format!("path1.parent.ino={work}"), true),
        ("path2.parent.uid=7 path2.parent.gid=8".to_owned(), true),
        ("path2.parent.perm=sticky path2.parent.perm=01777".to_owned(), true),
        ("path1.parent.perm=sticky".to_owned(), false),
        (format!("path2.parent.ino={}", full.ino()), true),
        ("path2.type=file path2.uid=0".to_owned(), true),
        ("path2.uid=5".to_owned(), false),
        ("path1.uid=path2.uid".to_owned(), false),
        ("path1.uid!=path2.uid".to_owned(), true),
    ] {
        let line = format!("allow_rename /tmp/w/file /tmp/w/full/inner if {condition}");
        let errno = table.enforced(&[&line], &exchange);
        tap.same(&format!("rename if {condition}"), errno, if holds { 0 } else { EPERM });
        if errno == 0 {
            for op in &back {
                table.free(tap, op);
            }
        }
    }
    // What is to be made is not there.
    let target = Op::Rename(b"/tmp/w/file".to_vec(), NEW.into());
    for (condition, errno) in [("path2.uid=0", EPERM), ("path2.uid!=0", EPERM), ("path2.parent.uid=0", 0)] {
        let line = format!("allow_rename /tmp/w/file /tmp/w/new if {condition}");
        table.judge(tap, "rename to nothing", &[&line], &target, errno);
    }
    for (keyword, op) in [
        ("allow_create /tmp/w/full/x 0600", Op::Open(b"/tmp/w/full/x".to_vec(), 0o103, 0o600)),
        ("allow_mkdir /tmp/w/full/x/ 0700", Op::Mkdir(b"/tmp/w/full/x".to_vec(), 0o700)),
        ("allow_mkfifo /tmp/w/full/x 0600", Op::Node(b"/tmp/w/full/x".to_vec(), FIFO | 0o600, 0, 0)),
        ("allow_symlink /tmp/w/full/x", Op::Symlink(b"a".to_vec(), b"/tmp/w/full/x".to_vec())),
    ] {
        for (condition, errno) in [
            ("path1.uid=0", EPERM),
            ("path1.type!=directory", EPERM),
            ("path1.parent.uid=8", EPERM),
            ("path1.parent.perm=sticky path1.parent.uid=7", 0),
        ] {
            table.judge(tap, "making", &[&format!("{keyword} if {condition}")], &op, errno);
        }
        let path = Path::new("/tmp/w/full/x");
        drop(fs::remove_file(path).or_else(|_| fs::remove_dir(path)));
    }
    for (line, op, errno) in [
        (
            "allow_rmdir /tmp/w/dir/ if path1.type=directory path1.parent.uid=0",
            Op::Rmdir(b"/tmp/w/dir".to_vec()),
            0,
        ),
        ("allow_unlink /tmp/w/link if path1.type=file", Op::Unlink(b"/tmp/w/link".to_vec()), EPERM),
        ("allow_unlink /tmp/w/link if path1.type=symlink", Op::Unlink(b"/tmp/w/link".to_vec()), 0),
        (
            "allow_read /tmp/w/full/inner if path1.parent.perm=others_write",
            Op::Open(b"/tmp/w/full/inner".to_vec(), 0, 0),
            0,
        ),
        ("allow_read /tmp/w/full/inner if path2.uid=0", Op::Open(b"/tmp/w/full/inner".to_vec(), 0, 0), EPERM),
        ("allow_read /tmp/w/full/inner if exec.argc=1", Op::Open(b"/tmp/w/full/inner".to_vec(), 0, 0), EPERM),
        (
            "allow_read /tmp/w/full/inner if symlink.target=\"\\*\"",
            Op::Open(b"/tmp/w/full/inner".to_vec(), 0, 0),
            EPERM,
        ),
    ] {
        table.judge(tap, "an object", &[line], &op, errno);
    }
}

/// The policy is asked before the file's permissions are, so that a refusal is recorded (feature 96).
fn hopeless(tap: &mut Tap, table: &mut Table) {
    super::fresh_work();
    table.free(tap, &Op::Uids([5, 5, 0, 5]));
    let op = Op::Unlink(b"/tmp/w/file".to_vec());
    let kernel_says = table.enforced(&["allow_unlink /tmp/w/file"], &op);
    tap.same("allowed by policy, refused by the directory's mode", kernel_says, 13);
    table.subject.errno(&Op::Uids([0; 4]));
    table.judge(tap, "what is not there", &[], &Op::Unlink(b"/tmp/w/nothing".to_vec()), 2);
    tap.same("and no record of it", requests("reject_log"), Vec::<String>::new());
}
