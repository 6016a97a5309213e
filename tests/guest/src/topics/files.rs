// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every file operation in every mode (reference 4.5, 4.6, 7.4), from one table: an operation and the lines it needs.
//!
//! Enforcing: allowed with exactly these lines; refused when any of them is missing although the same names have all
//! other permissions. Permissive: allowed, nothing learned. Learning: allowed, and what is learned is these lines, and
//! with them it is allowed in enforcing mode. Disabled: allowed, nothing learned.

use guest::kernel::{delete_domain, domain, set_domain};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::flags::{open, APPEND, CREAT, EXCL, RDONLY, RDWR, TRUNC, WRONLY};
use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/files";

struct Case {
    name: &'static str,
    op: Op,
    needs: &'static [&'static str],
}

fn cases() -> Vec<Case> {
    let case = |name, op, needs| Case { name, op, needs };
    vec![
        case("open for reading", open("/tmp/w/file", RDONLY, 0), &["allow_read /tmp/w/file"]),
        case("open for writing", open("/tmp/w/file", WRONLY, 0), &["allow_write /tmp/w/file"]),
        case("open for appending", open("/tmp/w/file", WRONLY | APPEND, 0), &["allow_write /tmp/w/file"]),
        case("open for both", open("/tmp/w/file", RDWR, 0), &["allow_read/write /tmp/w/file"]),
        case(
            "open for writing, truncate",
            open("/tmp/w/file", WRONLY | TRUNC, 0),
            &["allow_write /tmp/w/file", "allow_truncate /tmp/w/file"],
        ),
        case(
            "open for reading, truncate",
            open("/tmp/w/file", RDONLY | TRUNC, 0),
            &["allow_read /tmp/w/file", "allow_truncate /tmp/w/file"],
        ),
        case(
            "O_CREAT on a file that is there",
            open("/tmp/w/file", WRONLY | CREAT, 0o600),
            &["allow_write /tmp/w/file"],
        ),
        case(
            "create for writing",
            open("/tmp/w/new", WRONLY | CREAT | EXCL, 0o666),
            &["allow_create /tmp/w/new 0644", "allow_write /tmp/w/new"],
        ),
        case(
            "create for both, truncate",
            open("/tmp/w/new", RDWR | CREAT | TRUNC, 0o600),
            &["allow_create /tmp/w/new 0600", "allow_read/write /tmp/w/new"],
        ),
        case(
            "mknod of a regular file",
            Op::Mknod(b"/tmp/w/new".to_vec(), 0o660),
            &["allow_create /tmp/w/new 0640"],
        ),
        case("truncate", Op::Truncate(b"/tmp/w/file".to_vec()), &["allow_truncate /tmp/w/file"]),
        case(
            "ftruncate",
            Op::OpenTruncate(b"/tmp/w/file".to_vec()),
            &["allow_read/write /tmp/w/file", "allow_truncate /tmp/w/file"],
        ),
        case("unlink", Op::Unlink(b"/tmp/w/file".to_vec()), &["allow_unlink /tmp/w/file"]),
        case(
            "unlink a link to a directory",
            Op::Unlink(b"/tmp/w/link".to_vec()),
            &["allow_unlink /tmp/w/link"],
        ),
        case("mkdir", Op::Mkdir(b"/tmp/w/new".to_vec(), 0o777), &["allow_mkdir /tmp/w/new/ 0755"]),
        case("rmdir", Op::Rmdir(b"/tmp/w/dir".to_vec()), &["allow_rmdir /tmp/w/dir/"]),
        case(
            "rename a file",
            Op::Rename(b"/tmp/w/file".to_vec(), b"/tmp/w/new".to_vec()),
            &["allow_rename /tmp/w/file /tmp/w/new"],
        ),
        case(
            "rename over a file",
            Op::Rename(b"/tmp/w/file".to_vec(), b"/tmp/w/full/inner".to_vec()),
            &["allow_rename /tmp/w/file /tmp/w/full/inner"],
        ),
        case(
            "rename a directory",
            Op::Rename(b"/tmp/w/full".to_vec(), b"/tmp/w/new".to_vec()),
            &["allow_rename /tmp/w/full/ /tmp/w/new/"],
        ),
        case(
            "symlink",
            Op::Symlink(b"file".to_vec(), b"/tmp/w/new".to_vec()),
            &["allow_symlink /tmp/w/new if symlink.target=\"file\""],
        ),
        case("through a link", open("/tmp/w/link/../file", RDONLY, 0), &["allow_read /tmp/w/file"]),
        // Not asked for: directories, access mode 3 (only good for ioctl).
        case("open a directory", open("/tmp/w/dir", RDONLY, 0), &[]),
        case("open with access mode 3", open("/tmp/w/file", 3, 0), &[]),
    ]
}

pub fn run(tap: &mut Tap) {
    tap.topic("files");
    let name = domain_of(PROGRAM);
    set_domain(&name, 0, &[]);
    match Subject::start(PROGRAM) {
        Ok(mut subject) => {
            for case in cases() {
                check(tap, &mut subject, &name, &case);
            }
            groups(tap, &mut subject, &name);
            unnamed(tap, &mut subject, &name);
            execute(tap, &mut subject, &name);
        }
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    delete_domain(&name);
}

fn check(tap: &mut Tap, subject: &mut Subject, name: &str, case: &Case) {
    let mut perform = |profile: u8, lines: &[&str]| {
        fresh_work();
        set_domain(name, profile, lines);
        subject.errno(&case.op)
    };
    tap.same(&format!("enforcing, {}: allowed", case.name), perform(3, case.needs), 0);
    for missing in case.needs {
        let mut lines = neighbours(case.needs, missing);
        lines.extend(case.needs.iter().filter(|line| line != &missing).map(|line| (*line).to_owned()));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        tap.same(&format!("enforcing, {}: refused without {missing}", case.name), perform(3, &lines), EPERM);
    }
    tap.same(&format!("permissive, {}", case.name), perform(2, &[]), 0);
    tap.same(&format!("permissive, {}: nothing learned", case.name), acls(name), Vec::new());
    tap.same(&format!("disabled, {}", case.name), perform(0, &[]), 0);
    tap.same(&format!("disabled, {}: nothing learned", case.name), acls(name), Vec::new());
    tap.same(&format!("learning, {}", case.name), perform(1, &[]), 0);
    let mut learned = acls(name);
    learned.sort();
    let mut needs: Vec<String> = case.needs.iter().map(|line| (*line).to_owned()).collect();
    needs.sort();
    tap.same(&format!("learning, {}: the lines", case.name), learned.clone(), needs);
    let learned: Vec<&str> = learned.iter().map(String::as_str).collect();
    tap.same(&format!("enforcing what was learned, {}", case.name), perform(3, &learned), 0);
}

/// The ACL lines of a domain.
fn acls(name: &str) -> Vec<String> {
    domain(name).into_iter().filter(|line| line.starts_with("allow_")).collect()
}

/// All permissions for the names of a case except the missing one: a permission must not stand for another.
fn neighbours(needs: &[&str], missing: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let lost = missing.split(' ').next().unwrap_or_default();
    for path in needs.iter().flat_map(|line| line.split(' ')).filter(|word| word.starts_with('/')) {
        for keyword in [
            "allow_read",
            "allow_write",
            "allow_read/write",
            "allow_execute",
            "allow_unlink",
            "allow_rmdir",
            "allow_truncate",
        ] {
            // read/write is read and write, so it gives both away.
            let gives = keyword == lost
                || (keyword == "allow_read/write" && lost.starts_with("allow_read"))
                || (keyword == "allow_read/write" && lost == "allow_write");
            // And both bits of one entry are read/write.
            let makes = lost == "allow_read/write" && keyword == "allow_write";
            if !gives && !makes {
                lines.push(format!("{keyword} {path}"));
            }
        }
        for keyword in ["allow_create", "allow_mkdir"] {
            // The same operation with another mode is another permission.
            let mode = if keyword == lost { "0611" } else { "0-07777" };
            lines.push(format!("{keyword} {path} {mode}"));
        }
        if lost != "allow_rename" {
            lines.push(format!("allow_rename {path} {path}"));
        }
    }
    if lost == "allow_rename" {
        let words: Vec<&str> = missing.split(' ').collect();
        if let [_, from, to] = words.as_slice() {
            lines.push(format!("allow_rename {to} {from}"));
        }
    }
    lines
}

/// O_TMPFILE makes a file without a name: it is a creation all the same (its name is the number of the inode).
fn unnamed(tap: &mut Tap, subject: &mut Subject, name: &str) {
    let make = open("/tmp/w", RDWR | nix::libc::O_TMPFILE, 0o600);
    fresh_work();
    for (lines, errno) in [
        (&["allow_read/write /tmp/w/\\*"][..], EPERM),
        (&["allow_read/write /tmp/w/\\*", "allow_create /tmp/w/\\* 0644"], EPERM),
        (&["allow_create /tmp/w/\\* 0600"], EPERM),
        (&["allow_read/write /tmp/w/\\*", "allow_create /tmp/w/#\\$ 0600"], 0),
    ] {
        set_domain(name, 3, lines);
        tap.same(&format!("O_TMPFILE with {lines:?}"), subject.errno(&make), errno);
    }
}

/// path_group and wildcards decide as the names themselves do, and a change of a group counts at once.
fn groups(tap: &mut Tap, subject: &mut Subject, name: &str) {
    use guest::kernel::write;
    let read = open("/tmp/w/full/inner", RDONLY, 0);
    fresh_work();
    for (pattern, errno) in [
        ("/tmp/w/full/\\*", 0),
        ("/tmp/w/\\*/inner", 0),
        ("/tmp/\\{\\*\\}/inner", 0),
        ("/tmp/w/\\*", EPERM),
        ("/tmp/w/full/\\$", EPERM),
        ("/tmp/w/full/\\*\\-inner", EPERM),
        ("/tmp/w/full/inne\\?", 0),
        ("@NOBODY", EPERM),
    ] {
        set_domain(name, 3, &[&format!("allow_read {pattern}")]);
        tap.same(&format!("pattern {pattern}"), subject.errno(&read), errno);
    }
    set_domain(name, 3, &["allow_read @INNER", "allow_create @INNER @MODES"]);
    tap.same("an empty group allows nothing", subject.errno(&read), EPERM);
    write("exception_policy", "path_group INNER /tmp/w/other\npath_group INNER /tmp/w/full/in\\*");
    tap.same("a member allows at once", subject.errno(&read), 0);
    let create = open("/tmp/w/full/in2", RDONLY | CREAT, 0o640);
    tap.same("an empty group of modes allows nothing", subject.errno(&create), EPERM);
    write("exception_policy", "number_group MODES 0600\nnumber_group MODES 0640-0644");
    tap.same("a range of modes allows", subject.errno(&create), 0);
    write("exception_policy", "delete path_group INNER /tmp/w/full/in\\*");
    tap.same("a deleted member allows no more", subject.errno(&read), EPERM);
    write(
        "exception_policy",
        "delete path_group INNER /tmp/w/other\ndelete number_group MODES 0600\ndelete number_group MODES 0640-0644",
    );
}

/// execve: the program's name, and no wildcard.
fn execute(tap: &mut Tap, subject: &mut Subject, name: &str) {
    let exec = Op::Exec(b"/tmp/w/program".to_vec());
    let next = format!("{name} /tmp/w/program");
    fresh_work();
    guest::subject::install(PROGRAM);
    set_domain(&next, 0, &[]);
    for lines in [
        &[][..],
        &["allow_read/write /tmp/w/program", "allow_truncate /tmp/w/program"],
        &["allow_execute /tmp/w/\\*"],
        &["allow_execute /tmp/w/progra"],
    ] {
        set_domain(name, 3, lines);
        tap.same(&format!("enforcing, execve refused with {lines:?}"), subject.errno(&exec), EPERM);
    }
    for (profile, mode) in [(2, "permissive"), (1, "learning"), (0, "disabled")] {
        match Subject::start(PROGRAM) {
            Ok(mut other) => {
                set_domain(name, profile, &[]);
                tap.same(&format!("{mode}, execve"), other.errno(&exec), 0);
                tap.same(&format!("{mode}, the domain after it"), other.domain(), next.clone());
                let expected: &[&str] = if profile == 1 {
                    &["allow_execute /tmp/w/program if exec.realpath=\"/tmp/w/program\" exec.argv[0]=\"/tmp/w/program\""]
                } else {
                    &[]
                };
                tap.same(
                    &format!("{mode}, what is learned"),
                    acls(name),
                    expected.iter().map(|l| (*l).to_owned()).collect(),
                );
            }
            Err(e) => tap.check("the subject starts", false, || e.to_string()),
        }
    }
    set_domain(name, 3, &["allow_execute /tmp/w/program"]);
    tap.same("enforcing, execve allowed", subject.errno(&exec), 0);
    tap.same("enforcing, the domain after it", subject.domain(), next.clone());
    delete_domain(&next);
}
