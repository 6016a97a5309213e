// SPDX-License-Identifier: MIT OR Apache-2.0
//! How names are computed and encoded (reference 1.1, 1.7): odd bytes, /proc/self, links, chroot, directories.

use guest::kernel::{delete_domain, domain, set_domain};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::{domain_of, fresh_work, WORK};

const PROGRAM: &str = "/tmp/x/names";

pub fn run(tap: &mut Tap) {
    tap.topic("names");
    let name = domain_of(PROGRAM);
    set_domain(&name, 0, &[]);
    fresh_work();
    match Subject::start(PROGRAM) {
        Ok(mut subject) => {
            odd(tap, &mut subject, &name);
            proc(tap, &mut subject, &name);
            moved(tap, &mut subject, &name);
            root(tap, &mut subject, &name);
        }
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    delete_domain(&name);
}

fn read(path: &[u8]) -> Op {
    Op::Open(path.to_vec(), 0, 0)
}

fn learned(name: &str) -> Vec<String> {
    domain(name).into_iter().filter(|line| line.starts_with("allow_")).collect()
}

/// Files with odd names are learned in encoded form, and this form allows exactly them.
fn odd(tap: &mut Tap, subject: &mut Subject, name: &str) {
    let files: [(&[u8], &str); 10] = [
        (b"a b", "a\\040b"),
        (b"a\\b", "a\\\\b"),
        ("\u{e9}\u{3042}".as_bytes(), "\\303\\251\\343\\201\\202"),
        (b"tab\there", "tab\\011here"),
        (b"line\nend", "line\\012end"),
        (b"\x7f", "\\177"),
        (b"\x01\xff", "\\001\\377"),
        (b"if task.uid=0", "if\\040task.uid=0"),
        (b"*?@#=\"$", "*?@#=\"$"),
        (b"@GROUP", "@GROUP"),
    ];
    for (raw, encoded) in files {
        let path = [WORK.as_bytes(), b"/", raw].concat();
        let line = format!("allow_read {WORK}/{encoded}");
        let create = Op::Open(path.clone(), 0o101, 0o644);
        set_domain(name, 0, &[]);
        tap.same(&format!("{encoded}: made"), subject.errno(&create), 0);
        set_domain(name, 1, &[]);
        tap.same(&format!("{encoded}: read in learning mode"), subject.errno(&read(&path)), 0);
        tap.same(&format!("{encoded}: learned"), learned(name), vec![line.clone()]);
        set_domain(name, 3, &[&line]);
        tap.same(&format!("{encoded}: allowed"), subject.errno(&read(&path)), 0);
        set_domain(name, 3, &[&format!("{line}x")]);
        tap.same(&format!("{encoded}: refused with another name"), subject.errno(&read(&path)), EPERM);
    }
    // A wildcard takes an encoded byte as one.
    for (pattern, raw, errno) in [
        ("a\\?b", &b"a b"[..], 0),
        ("a\\?b", b"a\\b", 0),
        ("a\\?\\?\\?\\?b", b"a b", EPERM),
        ("\\A\\040\\A", b"a b", 0),
        ("\\*", "\u{e9}\u{3042}".as_bytes(), 0),
        ("\\?\\?\\?\\?\\?", "\u{e9}\u{3042}".as_bytes(), 0),
        ("\\?\\?", "\u{e9}\u{3042}".as_bytes(), EPERM),
    ] {
        set_domain(name, 3, &[&format!("allow_read {WORK}/{pattern}")]);
        let path = [WORK.as_bytes(), b"/", raw].concat();
        tap.same(&format!("{pattern} and {raw:?}"), subject.errno(&read(&path)), errno);
    }
}

/// A process sees itself as `self`, wherever and however it names itself.
fn proc(tap: &mut Tap, subject: &mut Subject, name: &str) {
    let own = format!("/proc/{}/status", subject.pid());
    set_domain(name, 3, &["allow_read /proc/self/status"]);
    tap.same("/proc/self/status", subject.errno(&read(b"/proc/self/status")), 0);
    tap.same("its own number is self", subject.errno(&read(own.as_bytes())), 0);
    tap.same(
        "self in a thread is the process",
        subject.errno(&Op::Thread(Box::new(read(b"/proc/self/status")))),
        0,
    );
    tap.same(
        "in a forked child self is the child",
        subject.errno(&Op::Fork(Box::new(read(b"/proc/self/status")))),
        0,
    );
    tap.same("and the parent is a number", subject.errno(&Op::Fork(Box::new(read(own.as_bytes())))), EPERM);
    tap.same("another process is not self", subject.errno(&read(b"/proc/1/status")), EPERM);
    set_domain(name, 3, &["allow_read /proc/1/status"]);
    tap.same("another process by its number", subject.errno(&read(b"/proc/1/status")), 0);
    tap.same("self is not another number", subject.errno(&read(b"/proc/self/status")), EPERM);
    set_domain(name, 3, &["allow_read /proc/\\$/status"]);
    tap.same("a pattern of digits is not self", subject.errno(&read(own.as_bytes())), EPERM);
    set_domain(name, 3, &["allow_read /proc/sys/kernel/ostype"]);
    tap.same("a file of sysctl", subject.errno(&read(b"/proc/sys/kernel/ostype")), 0);
}

/// Names follow the object: hard links are names of their own, a renamed directory renames what is in it.
fn moved(tap: &mut Tap, subject: &mut Subject, name: &str) {
    let link = || -> std::io::Result<()> {
        std::fs::hard_link(format!("{WORK}/file"), format!("{WORK}/hard"))?;
        std::os::unix::fs::symlink("file", format!("{WORK}/soft"))?;
        std::fs::rename(format!("{WORK}/full"), format!("{WORK}/moved"))
    };
    if let Err(e) = link() {
        tap.check("links can be made", false, || e.to_string());
        return;
    }
    set_domain(name, 3, &["allow_read /tmp/w/file"]);
    tap.same("a symbolic link is its target", subject.errno(&read(b"/tmp/w/soft")), 0);
    tap.same("a hard link has its own name", subject.errno(&read(b"/tmp/w/hard")), EPERM);
    set_domain(name, 3, &["allow_read /tmp/w/hard", "allow_read /tmp/w/full/inner"]);
    tap.same("allowed under that name", subject.errno(&read(b"/tmp/w/hard")), 0);
    tap.same("the old name of a directory is gone", subject.errno(&read(b"/tmp/w/moved/inner")), EPERM);
    set_domain(name, 3, &["allow_read /tmp/w/moved/inner"]);
    tap.same("the new name counts", subject.errno(&read(b"/tmp/w/moved/inner")), 0);
    tap.same("an odd spelling is the same name", subject.errno(&read(b"/tmp//w/./dir/../moved/inner")), 0);
}

/// chroot does not shorten names. The last one: there is no way back.
fn root(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 0, &[]);
    tap.same("chroot", subject.errno(&Op::Chroot(WORK.into())), 0);
    set_domain(
        name,
        3,
        &["allow_read /tmp/w/file", "allow_mkdir /tmp/w/new/ 0700", "allow_rmdir /tmp/w/new/"],
    );
    tap.same("in a chroot the whole name counts", subject.errno(&read(b"/file")), 0);
    tap.same("also for a new directory", subject.errno(&Op::Mkdir(b"/new".to_vec(), 0o700)), 0);
    tap.same("and an old one", subject.errno(&Op::Rmdir(b"/new".to_vec())), 0);
    set_domain(name, 3, &["allow_read /file"]);
    tap.same("what the process sees does not count", subject.errno(&read(b"/file")), EPERM);
}
