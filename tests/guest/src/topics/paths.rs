// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names that are hard to compute (reference 1.7): very long ones, procfs in other places, what is deleted or has no
//! place in the tree.

use std::fs;

use guest::kernel::set_domain;
use guest::op::Op;
use guest::subject::EPERM;
use guest::tap::Tap;

use super::mounts::with_places;
use super::table::{acls, drain, requests, with_subject, Table};
use super::{clear, fresh_work};

const PROGRAM: &str = "/tmp/x/paths";

/// The name of a file in a file system that was unmounted while the file was open. 1.7 has no such case in writing; the
/// name must not be one that a file in the tree can have.
const DETACHED: &str = "tmpfs:/x";

pub fn run(tap: &mut Tap) {
    tap.topic("paths");
    with_subject(tap, PROGRAM, |tap, table| {
        long(tap, table, 200, 25);
        long(tap, table, 250, 255);
        long(tap, table, 250, 390);
        deleted(tap, table);
        nameless(tap, table);
    });
    with_places(tap, |tap| {
        with_subject(tap, PROGRAM, |tap, table| {
            procfs(tap, table);
            twice(tap, table);
            detached(tap, table);
            overlay(tap, table);
        });
    });
}

/// Deep folders, each entered from the one above, because no path that long can be given to a system call.
fn long(tap: &mut Tap, table: &mut Table, length: u32, depth: u32) {
    fresh_work();
    let bytes = length * depth;
    for op in [Op::Chdir(b"/tmp/w".to_vec()), Op::Descend(length, depth)] {
        table.free(tap, &op);
    }
    table.free(tap, &Op::Open(b"file".to_vec(), 0o101, 0o600));
    let folder = format!("/{}", "d".repeat(length as usize)).repeat(depth as usize);
    let name = format!("/tmp/w{folder}/file");
    let read = Op::Open(b"file".to_vec(), 0, 0);
    set_domain(&table.name, 1, &[]);
    tap.same(&format!("{bytes} bytes: read in learning mode"), table.subject.errno(&read), 0);
    let learned = acls(&table.name);
    tap.check(
        &format!("{bytes} bytes: the whole name is learned"),
        learned == [format!("allow_read {name}")],
        || {
            format!(
                "{} lines of {:?} bytes",
                learned.len(),
                learned.iter().map(String::len).collect::<Vec<_>>()
            )
        },
    );
    let other = format!("allow_read {}", name.replacen("/tmp/w/d", "/tmp/w/e", 1));
    let shorter = format!("allow_read {}", name.replacen("dd/", "d/", 1));
    let pattern = "allow_read /tmp/w/\\{\\*\\}/fil\\?".to_owned();
    let line = format!("allow_read {name}");
    for (label, line, errno) in [
        ("its line", &line, 0),
        ("another folder at the beginning", &other, EPERM),
        ("one byte less", &shorter, EPERM),
        ("a pattern", &pattern, 0),
    ] {
        set_domain(&table.name, 3, &[line]);
        tap.same(&format!("{bytes} bytes: {label}"), table.subject.errno(&read), errno);
    }
    set_domain(&table.name, 3, &[&line]);
    let unlink = Op::Unlink(b"file".to_vec());
    tap.same(&format!("{bytes} bytes: unlink is refused"), table.subject.errno(&unlink), EPERM);
    set_domain(&table.name, 3, &[&format!("allow_unlink {name}")]);
    tap.same(&format!("{bytes} bytes: unlink is allowed"), table.subject.errno(&unlink), 0);
    let mkdir = Op::Mkdir(b"sub".to_vec(), 0o700);
    set_domain(&table.name, 3, &[&format!("allow_mkdir /tmp/w{folder}/sub/ 0700")]);
    tap.same(&format!("{bytes} bytes: mkdir"), table.subject.errno(&mkdir), 0);
    set_domain(&table.name, 3, &[]);
    drain();
    tap.same(
        &format!("{bytes} bytes: rmdir is refused"),
        table.subject.errno(&Op::Rmdir(b"sub".to_vec())),
        EPERM,
    );
    table.free(tap, &Op::Chdir(b"/".to_vec()));
    if let Err(e) = clear(std::path::Path::new("/tmp/w")) {
        tap.check(&format!("{bytes} bytes: removed"), false, || e.to_string());
    }
    drain();
}

/// An open file keeps the name that it had; nothing is added to it.
fn deleted(tap: &mut Tap, table: &mut Table) {
    fresh_work();
    table.free(tap, &Op::Hold(1, b"/tmp/w/file".to_vec(), 2, 0));
    table.free(tap, &Op::Hold(2, b"/tmp/w/full/inner".to_vec(), 2, 0));
    table.free(tap, &Op::Unlink(b"/tmp/w/file".to_vec()));
    for (op, line) in [
        (Op::FdChmod(1, 0o600), "allow_chmod /tmp/w/file 0600"),
        (Op::FdTruncate(1), "allow_truncate /tmp/w/file"),
        (Op::Ioctl(1, b"FIONREAD".to_vec()), "allow_ioctl /tmp/w/file 0x541B"),
    ] {
        table.judge(tap, "a deleted file", &[], &op, EPERM);
        tap.same("a deleted file: the record", requests("reject_log"), vec![line.to_owned()]);
        table.judge(tap, "a deleted file", &[line], &op, 0);
    }
    let renamed = fs::rename("/tmp/w/full", "/tmp/w/moved");
    tap.check("its folder gets another name", renamed.is_ok(), || format!("{renamed:?}"));
    let op = Op::FdTruncate(2);
    table.judge(tap, "a file in a renamed folder", &["allow_truncate /tmp/w/full/inner"], &op, EPERM);
    table.judge(tap, "a file in a renamed folder", &["allow_truncate /tmp/w/moved/inner"], &op, 0);
    for slot in [1, 2] {
        table.free(tap, &Op::Close(slot));
    }
}

/// Objects that have a word in place of a path.
fn nameless(tap: &mut Tap, table: &mut Table) {
    // Its standard input is a pipe.
    let open = Op::Open(b"/proc/self/fd/0".to_vec(), 0, 0);
    table.judge(tap, "a pipe opened", &["allow_read /\\*", "allow_read /proc/self/fd/0"], &open, EPERM);
    let record = requests("reject_log").join("");
    tap.check("a pipe opened: the record", record.starts_with("allow_read pipe:["), || record.clone());
    table.judge(tap, "a pipe opened", &["allow_read pipe:[\\$]"], &open, 0);
    table.free(tap, &Op::Memfd(1, b"a b".to_vec()));
    let truncate = Op::FdTruncate(1);
    table.judge(tap, "a file in memory", &["allow_truncate /tmp/\\*"], &truncate, EPERM);
    let line = "allow_truncate /memfd:a\\040b\\040(deleted)";
    tap.same("a file in memory: the record", requests("reject_log"), vec![line.to_owned()]);
    table.judge(tap, "a file in memory", &[line], &truncate, 0);
    table.free(tap, &Op::Close(1));
}

/// procfs mounted in another place: `self` there as well.
fn procfs(tap: &mut Tap, table: &mut Table) {
    let mount = Op::Mount(b"proc".to_vec(), b"/tmp/m/b".to_vec(), b"proc".to_vec(), 0, Vec::new());
    table.free(tap, &mount);
    let read = |path: String| Op::Open(path.into(), 0, 0);
    let own = format!("/tmp/m/b/{}/status", table.subject.pid());
    for (lines, path, errno) in [
        (&["allow_read /tmp/m/b/self/status"][..], "/tmp/m/b/self/status".to_owned(), 0),
        (&["allow_read /tmp/m/b/self/status"], own.clone(), 0),
        (&["allow_read /tmp/m/b/\\$/status"], own, EPERM),
        (&["allow_read /proc/self/status"], "/tmp/m/b/self/status".to_owned(), EPERM),
        (&["allow_read /tmp/m/b/self/status"], "/tmp/m/b/1/status".to_owned(), EPERM),
        (&["allow_read /tmp/m/b/1/status"], "/tmp/m/b/1/status".to_owned(), 0),
    ] {
        table.judge(tap, &path.clone(), lines, &read(path), errno);
    }
    // A part of procfs elsewhere has no `self` in its name, but the number is below no root of a procfs.
    table.free(tap, &Op::Umount(b"/tmp/m/b".to_vec(), 2));
}

/// A bind mount gives a file a second name; each is judged by itself.
fn twice(tap: &mut Tap, table: &mut Table) {
    fresh_work();
    let bind = Op::Mount(b"/tmp/w/full".to_vec(), b"/tmp/m/b".to_vec(), Vec::new(), 0x1000, Vec::new());
    table.free(tap, &bind);
    let (first, second) =
        (Op::Open(b"/tmp/w/full/inner".to_vec(), 0, 0), Op::Open(b"/tmp/m/b/inner".to_vec(), 0, 0));
    for (lines, one, two) in [
        (&["allow_read /tmp/w/full/inner"][..], 0, EPERM),
        (&["allow_read /tmp/m/b/inner"], EPERM, 0),
        (&["allow_read /tmp/\\*/\\*/inner"], 0, 0),
    ] {
        table.judge(tap, "the first name", lines, &first, one);
        table.judge(tap, "the second name", lines, &second, two);
    }
    // In a chroot below the mount the whole name counts.
    let inside = Op::Fork(Box::new(Op::Both(
        Box::new(Op::Chroot(b"/tmp/m/b".to_vec())),
        Box::new(Op::Open(b"/inner".to_vec(), 0, 0)),
    )));
    let lines = ["allow_chroot /tmp/m/b/", "allow_read /tmp/m/b/inner"];
    table.judge(tap, "in a chroot", &lines, &inside, 0);
    table.judge(tap, "in a chroot", &["allow_chroot /tmp/m/b/", "allow_read /inner"], &inside, EPERM);
    table.free(tap, &Op::Umount(b"/tmp/m/b".to_vec(), 2));
}

/// A mount that was taken away while a file in it is open.
fn detached(tap: &mut Tap, table: &mut Table) {
    let mount = Op::Mount(b"none".to_vec(), b"/tmp/m/b".to_vec(), b"tmpfs".to_vec(), 0, Vec::new());
    for op in [mount, Op::Hold(1, b"/tmp/m/b/x".to_vec(), 0o102, 0o600), Op::Umount(b"/tmp/m/b".to_vec(), 2)]
    {
        table.free(tap, &op);
    }
    let op = Op::FdTruncate(1);
    table.judge(tap, "a detached mount", &["allow_truncate /tmp/m/b/x"], &op, EPERM);
    let line = format!("allow_truncate {DETACHED}");
    tap.same("a detached mount: the record", requests("reject_log"), vec![line.clone()]);
    table.judge(tap, "a detached mount", &[&line], &op, 0);
    table.free(tap, &Op::Close(1));
}

/// A file in an overlay has the name that it has there; what lies below it is the file system's own business.
fn overlay(tap: &mut Tap, table: &mut Table) {
    fresh_work();
    for name in ["lower", "upper", "work"] {
        table.free(tap, &Op::Mkdir(format!("/tmp/m/a/{name}").into(), 0o755));
    }
    table.free(tap, &Op::Open(b"/tmp/m/a/lower/x".to_vec(), 0o101, 0o644));
    let options = b"lowerdir=/tmp/m/a/lower,upperdir=/tmp/m/a/upper,workdir=/tmp/m/a/work";
    let mount = Op::Mount(b"none".to_vec(), b"/tmp/m/b".to_vec(), b"overlay".to_vec(), 0, options.to_vec());
    table.free(tap, &mount);
    let path = b"/tmp/m/b/x".to_vec();
    for (name, op, lines) in [
        ("reading", Op::Open(path.clone(), 0, 0), &["allow_read /tmp/m/b/x"][..]),
        ("writing, which copies it", Op::Open(path.clone(), 1, 0), &["allow_write /tmp/m/b/x"]),
        (
            "making",
            Op::Open(b"/tmp/m/b/y".to_vec(), 0o101, 0o600),
            &["allow_create /tmp/m/b/y 0600", "allow_write /tmp/m/b/y"],
        ),
        ("removing", Op::Unlink(path), &["allow_unlink /tmp/m/b/x"]),
    ] {
        table.judge(tap, &format!("in an overlay, {name}"), &[], &op, EPERM);
        tap.same(
            &format!("in an overlay, {name}: the record"),
            requests("reject_log"),
            vec![lines[0].to_owned()],
        );
        set_domain(&table.name, 1, &[]);
        drain();
        tap.same(&format!("in an overlay, {name}: learning"), table.subject.errno(&op), 0);
        // Copying makes a file in the work folder, under a name that is in no tree.
        let learned: Vec<String> =
            acls(&table.name).into_iter().filter(|line| !line.contains(" tmpfs:/a/work/")).collect();
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        tap.same(&format!("in an overlay, {name}: learned"), learned, lines);
    }
    table.free(tap, &Op::Umount(b"/tmp/m/b".to_vec(), 2));
}
