// SPDX-License-Identifier: MIT OR Apache-2.0
//! prlimit: a limit of another process that the kernel enforces with a signal is asked for as that signal (reference 4.11).

use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::domain_of;
use super::table::{acls, drain, requests, with_subject, Table};

const PROGRAM: &str = "/tmp/x/limits";
const VICTIM: &str = "/tmp/x/limited";
/// RLIMIT_CPU, which ends in SIGKILL.
const CPU: u32 = 0;
/// RLIMIT_FSIZE, which ends in SIGXFSZ.
const FSIZE: u32 = 1;
/// RLIMIT_CORE, which ends in nothing.
const CORE: u32 = 4;
/// RLIMIT_RTTIME, which ends in SIGKILL.
const RTTIME: u32 = 15;

pub fn run(tap: &mut Tap) {
    tap.topic("limits");
    let domain = domain_of(VICTIM);
    guest::kernel::set_domain(&domain, 0, &[]);
    match Subject::start(VICTIM) {
        Ok(victim) => with_subject(tap, PROGRAM, |tap, table| {
            others(tap, table, victim.pid() as i32);
            free(tap, table, victim.pid() as i32);
            capability(tap, table, victim.pid() as i32);
        }),
        Err(e) => tap.check("the other process starts", false, || e.to_string()),
    }
    guest::kernel::delete_domain(&domain);
    drain();
}

fn others(tap: &mut Tap, table: &mut Table, pid: i32) {
    for (name, resource, signal) in [("CPU", CPU, 9), ("FSIZE", FSIZE, 25), ("RTTIME", RTTIME, 9)] {
        let name = format!("RLIMIT_{name} of another process");
        let op = Op::Limit(pid, resource);
        let line = format!("allow_signal {signal} {}", domain_of(VICTIM));
        for lines in [&[][..], &["allow_signal 10 <kernel>"], &["allow_signal 9 <kernel> /nobody"]] {
            table.judge(tap, &name, lines, &op, EPERM);
            tap.same(&format!("{name}: the record"), requests("reject_log"), vec![line.clone()]);
        }
        table.judge(tap, &name, &[&line], &op, 0);
        tap.same(&format!("{name}: the grant"), requests("grant_log"), vec![line.clone()]);
        for (profile, learned) in [(1, vec![line.clone()]), (2, Vec::new())] {
            guest::kernel::set_domain(&table.name, profile, &[]);
            drain();
            tap.same(&format!("{name}, profile {profile}"), table.subject.errno(&op), 0);
            let records = requests("reject_log");
            tap.same(&format!("{name}, profile {profile}: the record"), records, vec![line.clone()]);
            tap.same(&format!("{name}, profile {profile}: learned"), acls(&table.name), learned);
        }
    }
}

/// What ends in no signal, and one's own limits.
fn free(tap: &mut Tap, table: &mut Table, pid: i32) {
    for (name, op) in [
        ("RLIMIT_CORE of another process", Op::Limit(pid, CORE)),
        ("RLIMIT_CPU of one's own", Op::Limit(0, CPU)),
        ("RLIMIT_FSIZE of one's own", Op::Limit(0, FSIZE)),
        ("RLIMIT_CPU of one's own by its number", Op::Limit(table.subject.pid() as i32, CPU)),
        ("RLIMIT_CPU of one's own in a thread", Op::Thread(Box::new(Op::Limit(0, CPU)))),
    ] {
        table.judge(tap, name, &[], &op, 0);
        tap.same(&format!("{name}: no refusal"), requests("reject_log"), Vec::new());
    }
}

fn capability(tap: &mut Tap, table: &mut Table, pid: i32) {
    table.profiles = [5, 6, 7];
    let line = "allow_capability SYS_KILL";
    let op = Op::Limit(pid, CPU);
    table.judge(tap, "RLIMIT_CPU of another process", &["allow_capability SYS_NICE"], &op, EPERM);
    tap.same("RLIMIT_CPU: the capability", requests("reject_log"), vec![line.to_owned()]);
    table.judge(tap, "RLIMIT_CPU of another process", &[line], &op, 0);
    table.judge(tap, "RLIMIT_CORE of another process", &[], &Op::Limit(pid, CORE), 0);
}
