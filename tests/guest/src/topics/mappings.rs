// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files that must not be overwritten, opened with O_APPEND and mapped: what is written through a shared mapping pays no heed
//! to O_APPEND, so it is asked for as an opening without it (reference 4.5).

use guest::kernel::{set_domain, write};
use guest::op::Op;
use guest::subject::EPERM;
use guest::tap::Tap;
use nix::libc;

use super::flags::{APPEND, RDWR};
use super::raw::{answer, asked, calls, n, Call, FIRST, SECOND};
use super::table::{acls, drain, requests, with_subject, Table};

const PROGRAM: &str = "/tmp/x/mappings";
const FILE: &str = "/tmp/w/full/inner";
const LINE: &str = "allow_rewrite /tmp/w/full/inner";
/// The file's descriptor, and that of one that is not protected.
const PROTECTED: i64 = FIRST;
const OTHER: i64 = SECOND;

const READ: i64 = 1;
const WRITE: i64 = 2;
const SHARED: i64 = 1;
const PRIVATE: i64 = 2;
const SHARED_VALIDATE: i64 = 3;
#[cfg(target_arch = "arm")]
const MMAP: libc::c_long = libc::SYS_mmap2;
#[cfg(not(target_arch = "arm"))]
const MMAP: libc::c_long = libc::SYS_mmap;

pub fn run(tap: &mut Tap) {
    tap.topic("mappings");
    with_subject(tap, PROGRAM, |tap, table| {
        write("exception_policy", "deny_rewrite /tmp/w/full/\\*");
        for (slot, path) in [(1, FILE), (2, "/tmp/w/file")] {
            table.free(tap, &Op::Hold(slot, path.into(), RDWR | APPEND, 0));
        }
        asked_for(tap, table);
        free(tap, table);
        for op in [Op::Close(1), Op::Hold(1, FILE.into(), RDWR, 0)] {
            table.free(tap, &op);
        }
        // Whoever opened it so was asked then.
        judge(
            tap,
            table,
            "shared and writable, opened without O_APPEND",
            &shared(PROTECTED, READ | WRITE),
            0,
        );
        write("exception_policy", "delete deny_rewrite /tmp/w/full/\\*");
    });
}

fn map(file: i64, protection: i64, flags: i64) -> Call {
    (MMAP, [0, 4096, protection, flags, file, 0].map(n).to_vec())
}

fn shared(file: i64, protection: i64) -> Vec<Call> {
    vec![map(file, protection, SHARED)]
}

/// Mapped for reading and then made writable.
fn later(file: i64, flags: i64) -> Vec<Call> {
    let protect = (libc::SYS_mprotect, vec![answer(0), n(4096), n(READ | WRITE)]);
    vec![map(file, READ, flags), protect]
}

fn judge(tap: &mut Tap, table: &mut Table, name: &str, list: &[Call], errno: i32) {
    table.judge(tap, name, &[], &Op::RawAll(calls(list)), errno);
    let records = if errno == 0 { Vec::new() } else { vec![LINE.to_owned()] };
    tap.same(&format!("{name}: the record"), asked("reject_log"), records);
}

fn asked_for(tap: &mut Tap, table: &mut Table) {
    for (name, list) in [
        ("shared and writable", shared(PROTECTED, READ | WRITE)),
        ("shared and writable, nothing else", shared(PROTECTED, WRITE)),
        ("shared, validated and writable", vec![map(PROTECTED, READ | WRITE, SHARED_VALIDATE)]),
        ("shared, made writable later", later(PROTECTED, SHARED)),
    ] {
        judge(tap, table, name, &list, EPERM);
        let op = Op::RawAll(calls(&list));
        table.judge(tap, name, &["allow_write /tmp/w/full/inner", "allow_rewrite /tmp/w/file"], &op, EPERM);
        table.judge(tap, name, &[LINE], &op, 0);
        tap.same(&format!("{name}: the grant"), asked("grant_log"), vec![LINE.to_owned()]);
        for (profile, learned) in [(1, vec![LINE.to_owned()]), (2, Vec::new())] {
            set_domain(&table.name, profile, &[]);
            drain();
            tap.same(&format!("{name}, profile {profile}"), table.subject.errno(&op), 0);
            let records = requests("reject_log");
            tap.same(&format!("{name}, profile {profile}: the record"), records, vec![LINE.to_owned()]);
            tap.same(&format!("{name}, profile {profile}: learned"), acls(&table.name), learned);
        }
    }
}

/// What changes nothing in the file, and other files.
fn free(tap: &mut Tap, table: &mut Table) {
    for (name, list) in [
        ("shared, for reading", shared(PROTECTED, READ)),
        ("private and writable", vec![map(PROTECTED, READ | WRITE, PRIVATE)]),
        ("private, made writable later", later(PROTECTED, PRIVATE)),
        ("another file, shared and writable", shared(OTHER, READ | WRITE)),
        ("another file, made writable later", later(OTHER, SHARED)),
    ] {
        judge(tap, table, name, &list, 0);
    }
}
