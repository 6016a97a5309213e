// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files of a file system whose server empties them while they are opened: O_TRUNC is asked for before, in every access mode
//! (reference 4.5).

use std::fs;

use guest::kernel::write;
use guest::op::Op;
use guest::subject::EPERM;
use guest::tap::Tap;

use super::flags::{open, CREAT, RDONLY, RDWR, TRUNC, WRONLY};
use super::table::{requests, with_subject, Table};
use crate::fuse::Served;

const PROGRAM: &str = "/tmp/x/served";
const PLACE: &str = "/tmp/served";
const FILE: &str = "/tmp/served/file";
const TRUNCATE: &str = "allow_truncate /tmp/served/file";
const REWRITE: &str = "allow_rewrite /tmp/served/file";
/// The access mode that is good for ioctl only.
const NEITHER: i32 = 3;

pub fn run(tap: &mut Tap) {
    tap.topic("server");
    let served = fs::create_dir_all(PLACE).and_then(|()| Served::start(PLACE));
    match served {
        Ok(served) => with_subject(tap, PROGRAM, |tap, table| {
            emptying(tap, table, &served);
            opening(tap, table, &served);
        }),
        Err(e) => tap.check("there is a file system with a server", false, || e.to_string()),
    }
    drop(fs::remove_dir(PLACE));
}

/// Without any one of its lines the server does not see the operation.
fn emptying(tap: &mut Tap, table: &mut Table, served: &Served) {
    let usual = [
        ("access mode 3", open(FILE, NEITHER | TRUNC, 0), vec![TRUNCATE]),
        ("access mode 3, created perhaps", open(FILE, NEITHER | CREAT | TRUNC, 0o600), vec![TRUNCATE]),
        ("reading", open(FILE, RDONLY | TRUNC, 0), vec!["allow_read /tmp/served/file", TRUNCATE]),
        ("writing", open(FILE, WRONLY | TRUNC, 0), vec!["allow_write /tmp/served/file", TRUNCATE]),
        ("both", open(FILE, RDWR | TRUNC, 0), vec!["allow_read/write /tmp/served/file", TRUNCATE]),
        ("truncate", Op::Truncate(FILE.into()), vec![TRUNCATE]),
    ];
    let protected = [
        ("access mode 3, protected", open(FILE, NEITHER | TRUNC, 0), vec![TRUNCATE, REWRITE]),
        (
            "reading, protected",
            open(FILE, RDONLY | TRUNC, 0),
            vec!["allow_read /tmp/served/file", TRUNCATE, REWRITE],
        ),
    ];
    for (name, op, lines) in usual {
        each(tap, table, served, name, &op, &lines);
    }
    write("exception_policy", "deny_rewrite /tmp/served/\\*");
    for (name, op, lines) in protected {
        each(tap, table, served, name, &op, &lines);
    }
    write("exception_policy", "delete deny_rewrite /tmp/served/\\*");
}

fn each(tap: &mut Tap, table: &mut Table, served: &Served, name: &str, op: &Op, lines: &[&str]) {
    served.emptied();
    for missing in lines {
        let others: Vec<&str> = lines.iter().copied().filter(|line| line != missing).collect();
        table.judge(tap, name, &others, op, EPERM);
        let record = requests("reject_log");
        tap.same(&format!("{name}, without {missing}: the record"), record, vec![(*missing).to_owned()]);
        tap.same(&format!("{name}, without {missing}: the file is emptied"), served.emptied(), false);
    }
    table.judge(tap, name, lines, op, 0);
    tap.same(&format!("{name}: the file is emptied"), served.emptied(), true);
}

/// Without O_TRUNC access mode 3 needs nothing, as everywhere.
fn opening(tap: &mut Tap, table: &mut Table, served: &Served) {
    served.opened();
    table.judge(tap, "access mode 3 without O_TRUNC", &[], &open(FILE, NEITHER, 0), 0);
    tap.same("it is opened", served.opened(), 1);
    tap.same("it is not emptied", served.emptied(), false);
    table.judge(tap, "reading without O_TRUNC", &[], &open(FILE, RDONLY, 0), EPERM);
    tap.same("it is not opened", served.opened(), 0);
}
