// SPDX-License-Identifier: MIT OR Apache-2.0
//! Opening files (reference 4.5): deny_rewrite in its order, truncation, O_APPEND, modes, the global allow_read.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use guest::kernel::{set_domain, write};
use guest::op::Op;
use guest::subject::EPERM;
use guest::tap::Tap;

use super::flags::{open, APPEND, CREAT, EXCL, RDONLY, RDWR, TRUNC, WRONLY};
use super::table::{acls, case, drain, requests, with_subject, Case, Table};

const PROGRAM: &str = "/tmp/x/open";

pub fn run(tap: &mut Tap) {
    tap.topic("open");
    with_subject(tap, PROGRAM, |tap, table| {
        write("exception_policy", "deny_rewrite /tmp/w/full/\\*");
        table.all(tap, &protected());
        flags(tap, table);
        write("exception_policy", "delete deny_rewrite /tmp/w/full/\\*");
        table.all(tap, &modes());
        masks(tap, table);
        read_only_everywhere(tap, table);
        unnamed(tap, table);
        free(tap, table);
    });
}

fn emptied() -> bool {
    fs::read("/tmp/w/full/inner").is_ok_and(|text| text.is_empty())
}

fn made() -> bool {
    fs::exists("/tmp/w/full/new").unwrap_or(false)
}

/// The table of 4.5: files that must not be overwritten.
fn protected() -> Vec<Case> {
    let file = "/tmp/w/full/inner";
    vec![
        case("append", open(file, WRONLY | APPEND, 0), &["allow_write /tmp/w/full/inner"]),
        case("read", open(file, RDONLY, 0), &["allow_read /tmp/w/full/inner"]),
        case(
            "overwrite",
            open(file, WRONLY, 0),
            &["allow_rewrite /tmp/w/full/inner", "allow_write /tmp/w/full/inner"],
        ),
        case(
            "read and overwrite",
            open(file, RDWR, 0),
            &["allow_rewrite /tmp/w/full/inner", "allow_read/write /tmp/w/full/inner"],
        ),
        case("read and append", open(file, RDWR | APPEND, 0), &["allow_read/write /tmp/w/full/inner"]),
        case(
            "overwrite and truncate",
            open(file, WRONLY | TRUNC, 0),
            &[
                "allow_rewrite /tmp/w/full/inner",
                "allow_write /tmp/w/full/inner",
                "allow_truncate /tmp/w/full/inner",
                "allow_rewrite /tmp/w/full/inner",
            ],
        )
        .happened(emptied),
        case(
            "append and truncate",
            open(file, WRONLY | APPEND | TRUNC, 0),
            &[
                "allow_write /tmp/w/full/inner",
                "allow_truncate /tmp/w/full/inner",
                "allow_rewrite /tmp/w/full/inner",
            ],
        )
        .happened(emptied),
        case(
            "read and truncate",
            open(file, RDONLY | TRUNC, 0),
            &[
                "allow_read /tmp/w/full/inner",
                "allow_truncate /tmp/w/full/inner",
                "allow_rewrite /tmp/w/full/inner",
            ],
        )
        .happened(emptied),
        case(
            "create",
            open("/tmp/w/full/new", RDWR | CREAT, 0o666),
            &[
                "allow_create /tmp/w/full/new 0644",
                "allow_rewrite /tmp/w/full/new",
                "allow_read/write /tmp/w/full/new",
            ],
        )
        .happened(made)
        .partial(),
        case(
            "create and truncate",
            open("/tmp/w/full/new", WRONLY | CREAT | TRUNC, 0o600),
            &[
                "allow_create /tmp/w/full/new 0600",
                "allow_rewrite /tmp/w/full/new",
                "allow_write /tmp/w/full/new",
            ],
        )
        .happened(made)
        .partial(),
        case(
            "truncate",
            Op::Truncate(file.into()),
            &["allow_truncate /tmp/w/full/inner", "allow_rewrite /tmp/w/full/inner"],
        )
        .happened(emptied),
        case(
            "ftruncate",
            Op::FdTruncate(1),
            &["allow_truncate /tmp/w/full/inner", "allow_rewrite /tmp/w/full/inner"],
        )
        .before(&[Op::Hold(1, file.into(), WRONLY, 0)])
        .happened(emptied),
        case("O_APPEND off", Op::FdFlags(1, 0), &["allow_rewrite /tmp/w/full/inner"]).before(&[Op::Hold(
            1,
            file.into(),
            WRONLY | APPEND,
            0,
        )]),
        case("O_APPEND on", Op::FdFlags(1, APPEND), &["allow_rewrite /tmp/w/full/inner"])
            .before(&[Op::Hold(1, file.into(), WRONLY, 0)]),
    ]
}

/// fcntl that leaves O_APPEND as it is asks nothing, nor does one on a file that may be overwritten.
fn flags(tap: &mut Tap, table: &mut Table) {
    table.free(tap, &Op::Hold(1, b"/tmp/w/full/inner".to_vec(), WRONLY | APPEND, 0));
    table.free(tap, &Op::Hold(2, b"/tmp/w/file".to_vec(), WRONLY | APPEND, 0));
    table.judge(tap, "F_SETFL with O_APPEND as it is", &[], &Op::FdFlags(1, APPEND), 0);
    table.judge(tap, "F_SETFL O_NONBLOCK", &[], &Op::FdFlags(1, APPEND | nix::libc::O_NONBLOCK), 0);
    table.judge(tap, "O_APPEND off where it is not protected", &[], &Op::FdFlags(2, 0), 0);
    table.judge(tap, "O_APPEND on where it is not protected", &[], &Op::FdFlags(2, APPEND), 0);
    // An already open file is not judged again.
    table.judge(tap, "write to an open file", &[], &Op::FdWrite(1, b"more".to_vec()), 0);
    for slot in [1, 2] {
        table.free(tap, &Op::Close(slot));
    }
}

/// What is asked without deny_rewrite.
fn modes() -> Vec<Case> {
    let file = "/tmp/w/full/inner";
    vec![
        case("overwrite, unprotected", open(file, WRONLY, 0), &["allow_write /tmp/w/full/inner"]),
        case(
            "read and truncate, unprotected",
            open(file, RDONLY | TRUNC, 0),
            &["allow_read /tmp/w/full/inner", "allow_truncate /tmp/w/full/inner"],
        )
        .happened(emptied),
        case(
            "O_CREAT and O_TRUNC of what is there",
            open(file, RDWR | CREAT | TRUNC, 0o600),
            &["allow_read/write /tmp/w/full/inner", "allow_truncate /tmp/w/full/inner"],
        )
        .happened(emptied),
        case(
            "create for reading",
            open("/tmp/w/full/new", RDONLY | CREAT | EXCL, 0o4755),
            &["allow_create /tmp/w/full/new 04755", "allow_read /tmp/w/full/new"],
        )
        .happened(made)
        .partial(),
        case(
            "create with access mode 3",
            open("/tmp/w/full/new", 3 | CREAT, 0o640),
            &["allow_create /tmp/w/full/new 0640"],
        )
        .happened(made),
        case("ftruncate, unprotected", Op::FdTruncate(1), &["allow_truncate /tmp/w/full/inner"])
            .before(&[Op::Hold(1, file.into(), WRONLY, 0)])
            .after(&[Op::Close(1)])
            .happened(emptied),
    ]
}

/// The mode that is asked for is the mode after umask.
fn masks(tap: &mut Tap, table: &mut Table) {
    for (mask, asked, mode) in
        [(0, 0o666, "0666"), (0o77, 0o666, "0600"), (0o777, 0o666, "00"), (0o22, 0o7777, "07755")]
    {
        super::fresh_work();
        table.free(tap, &Op::Umask(mask));
        set_domain(&table.name, 1, &[]);
        drain();
        let errno = table.subject.errno(&open("/tmp/w/new", WRONLY | CREAT, asked));
        tap.same(&format!("create with umask {mask:o}"), errno, 0);
        let line = format!("allow_create /tmp/w/new {mode}");
        tap.check(
            &format!("create with umask {mask:o}: {line} is learned"),
            acls(&table.name).contains(&line),
            || format!("{:?}", acls(&table.name)),
        );
        tap.check(
            &format!("create with umask {mask:o}: the record"),
            requests("reject_log").contains(&line),
            String::new,
        );
        let found = fs::metadata("/tmp/w/new").map(|data| data.permissions().mode() & 0o7777).unwrap_or(0);
        tap.same(&format!("create with umask {mask:o}: the file's mode"), found, asked & !mask);
    }
    table.free(tap, &Op::Umask(0o22));
}

/// The global allow_read is for reading only, and a domain can do without it (reference 3.4).
fn read_only_everywhere(tap: &mut Tap, table: &mut Table) {
    super::fresh_work();
    let file = "/tmp/w/full/inner";
    write("exception_policy", "allow_read /tmp/w/full/\\*");
    table.judge(tap, "the global allow_read, reading", &[], &open(file, RDONLY, 0), 0);
    tap.same("the record of it", requests("grant_log"), vec!["allow_read /tmp/w/full/inner".to_owned()]);
    table.judge(tap, "the global allow_read, another file", &[], &open("/tmp/w/file", RDONLY, 0), EPERM);
    table.judge(tap, "the global allow_read, writing", &[], &open(file, WRONLY, 0), EPERM);
    let both = open(file, RDWR, 0);
    table.judge(tap, "the global allow_read, both", &[], &both, EPERM);
    table.judge(tap, "with write in the domain", &["allow_write /tmp/w/full/inner"], &both, EPERM);
    let truncate = open(file, RDONLY | TRUNC, 0);
    table.judge(tap, "the global allow_read, truncating", &[], &truncate, EPERM);
    table.judge(tap, "with truncate", &["allow_truncate /tmp/w/full/inner"], &truncate, 0);
    table.judge(tap, "ignored", &["ignore_global_allow_read"], &open(file, RDONLY, 0), EPERM);
    tap.same("execve of what all may read", table.enforced(&[], &Op::Exec(file.into())), 13);
    write("exception_policy", "delete allow_read /tmp/w/full/\\*");
    table.judge(tap, "the global allow_read is gone", &[], &open(file, RDONLY, 0), EPERM);
    // read and write of two entries are not read/write.
    write("exception_policy", "path_group OPEN_A /tmp/w/full/inner\npath_group OPEN_B /tmp/w/full/inner");
    table.judge(tap, "two entries", &["allow_read @OPEN_A", "allow_write @OPEN_B"], &both, EPERM);
    table.judge(tap, "one entry", &["allow_read @OPEN_A", "allow_write @OPEN_A"], &both, 0);
    write(
        "exception_policy",
        "delete path_group OPEN_A /tmp/w/full/inner\ndelete path_group OPEN_B /tmp/w/full/inner",
    );
}

/// A file made without a name gets one by linkat: both are asked for.
fn unnamed(tap: &mut Tap, table: &mut Table) {
    super::fresh_work();
    table.free(tap, &Op::Hold(1, b"/tmp/w".to_vec(), RDWR | nix::libc::O_TMPFILE, 0o600));
    let link = Op::FdLink(1, b"/tmp/w/named".to_vec());
    table.judge(tap, "linkat of a file without a name", &[], &link, EPERM);
    let record = requests("reject_log").join(" ");
    let from = record.strip_prefix("allow_link /tmp/w/#").and_then(|rest| rest.strip_suffix(" /tmp/w/named"));
    tap.check(
        "linkat of a file without a name: the record",
        from.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())),
        || record.clone(),
    );
    tap.same("it is not there", fs::exists("/tmp/w/named").unwrap_or(true), false);
    table.judge(tap, "linkat of a file without a name", &["allow_link /tmp/w/#\\$ /tmp/w/named"], &link, 0);
    tap.same("it is there", fs::exists("/tmp/w/named").unwrap_or(false), true);
    table.free(tap, &Op::Close(1));
}

/// Nothing is asked, and nothing is recorded.
fn free(tap: &mut Tap, table: &mut Table) {
    super::fresh_work();
    for (name, op) in [
        ("access mode 3", open("/tmp/w/file", 3, 0)),
        ("a directory", open("/tmp/w/dir", RDONLY, 0)),
        ("O_DIRECTORY", open("/tmp/w/dir", RDONLY | nix::libc::O_DIRECTORY, 0)),
        ("O_PATH", open("/tmp/w/file", nix::libc::O_PATH, 0)),
        ("chdir", Op::Chdir(b"/tmp/w".to_vec())),
        ("a pipe", Op::Pipe(1, 2)),
        ("writing to a pipe", Op::FdWrite(2, b"x".to_vec())),
        ("umask", Op::Umask(0o22)),
    ] {
        table.judge(tap, name, &[], &op, 0);
        let count = requests("grant_log").len() + requests("reject_log").len();
        tap.same(&format!("{name}: no record"), count, 0);
    }
    table.free(tap, &Op::Chdir(b"/".to_vec()));
}
