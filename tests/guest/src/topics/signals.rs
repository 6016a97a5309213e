// SPDX-License-Identifier: MIT OR Apache-2.0
//! Signals (reference 4.11): who may be sent one, by each system call that has a safe wrapper.

use std::fs;

use guest::kernel::{delete_domain, set_domain};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::domain_of;
use super::table::{acls, drain, requests, with_subject, Table};

const PROGRAM: &str = "/tmp/x/signals";
const VICTIM: &str = "/tmp/x/victim";
const OTHER: &str = "/tmp/x/victim2";
pub const SIGUSR1: i32 = 10;
/// The profile in which everything is learned.
const LEARNS_ALL: u8 = 15;
const SIGCONT: i32 = 18;

pub fn run(tap: &mut Tap) {
    tap.topic("signals");
    let domains = [VICTIM, OTHER].map(domain_of);
    for domain in &domains {
        set_domain(domain, 0, &[]);
    }
    with_subject(tap, PROGRAM, |tap, table| {
        single(tap, table);
        prefixes(tap, table);
        own(tap, table);
        groups(tap, table);
    });
    for domain in &domains {
        delete_domain(domain);
    }
}

/// A process that holds SIGUSR1 back, so that it shows whether it got one.
pub fn victim(tap: &mut Tap, program: &str) -> Option<Subject> {
    match Subject::start(program) {
        Ok(mut victim) => {
            tap.same("a receiver blocks the signal", victim.errno(&Op::Block(SIGUSR1)), 0);
            Some(victim)
        }
        Err(e) => {
            tap.check("a receiver starts", false, || e.to_string());
            None
        }
    }
}

/// Whether SIGUSR1 is waiting for it.
fn pending(pid: u32) -> bool {
    waits(pid, SIGUSR1)
}

/// Whether a signal is waiting for a process that holds it back.
pub fn waits(pid: u32, signal: i32) -> bool {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let masks =
        text.lines().filter_map(|line| line.strip_prefix("SigPnd:").or_else(|| line.strip_prefix("ShdPnd:")));
    masks
        .filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .any(|mask| mask >> (signal - 1) & 1 == 1)
}

fn single(tap: &mut Tap, table: &mut Table) {
    let line = format!("allow_signal 10 {}", domain_of(VICTIM));
    for name in ["kill", "pidfd_send_signal"] {
        let Some(victim) = victim(tap, VICTIM) else { return };
        let pid = victim.pid() as i32;
        // Nothing is opened that policy has a word for (reference 4.5).
        tap.same("pidfd_open needs nothing", table.enforced(&[], &Op::Pidfd(1, pid)), 0);
        let op = if name == "kill" { Op::Kill(pid, SIGUSR1) } else { Op::PidfdSignal(1, SIGUSR1) };
        table.judge(tap, name, &[], &op, EPERM);
        tap.same(&format!("{name}: the record"), requests("reject_log"), vec![line.clone()]);
        for other in [
            line.replace(" 10 ", " 12 "),
            format!("allow_signal 10 {}", domain_of(OTHER)),
            format!("allow_signal 10 {} /x", domain_of(VICTIM)),
            format!("allow_signal 10 {}", domain_of("/tmp/x/victi")),
            format!("{line} if task.uid=1"),
            format!("{line} if path1.uid=0"),
        ] {
            table.judge(tap, name, &[&other], &op, EPERM);
        }
        tap.same(&format!("{name}: nothing has arrived"), pending(victim.pid()), false);
        table.judge(tap, "signal 0", &[], &Op::Kill(pid, 0), 0);
        tap.same("signal 0: no record", requests("grant_log").len() + requests("reject_log").len(), 0);
        table.judge(tap, name, &[&line], &op, 0);
        tap.same(&format!("{name}: the grant"), requests("grant_log"), vec![line.clone()]);
        tap.same(&format!("{name}: it has arrived"), pending(victim.pid()), true);
        for profile in [1, 2] {
            set_domain(&table.name, profile, &[]);
            drain();
            tap.same(&format!("{name}, profile {profile}"), table.subject.errno(&op), 0);
            tap.same(
                &format!("{name}, profile {profile}: the record"),
                requests("reject_log"),
                vec![line.clone()],
            );
            let learned = if profile == 1 { vec![line.clone()] } else { Vec::new() };
            tap.same(&format!("{name}, profile {profile}: learned"), acls(&table.name), learned);
        }
    }
    // What is asked first is recorded and learned first (reference 4.11).
    let Some(victim) = victim(tap, VICTIM) else { return };
    set_domain(&table.name, LEARNS_ALL, &[]);
    drain();
    let both = ["allow_capability SYS_KILL".to_owned(), line];
    tap.same("kill, learning all", table.subject.errno(&Op::Kill(victim.pid() as i32, SIGUSR1)), 0);
    tap.same("kill, learning all: the records", requests("reject_log"), both.to_vec());
    tap.same("kill, learning all: learned", acls(&table.name), both.to_vec());
    table.judge(tap, "kill of nobody", &[], &Op::Kill(30_000, SIGUSR1), 3);
}

/// A rule for a domain is one for all that descend from it.
fn prefixes(tap: &mut Tap, table: &mut Table) {
    for (domain, errno) in [
        ("<kernel>".to_owned(), 0),
        (guest::kernel::DRIVER.to_owned(), 0),
        (domain_of(VICTIM), 0),
        (domain_of("/tmp/x"), EPERM),
        (domain_of("/tmp/x/victi"), EPERM),
        ("<kernel> /usr".to_owned(), EPERM),
    ] {
        let Some(victim) = victim(tap, VICTIM) else { return };
        let op = Op::Kill(victim.pid() as i32, SIGUSR1);
        table.judge(tap, "kill", &[&format!("allow_signal 10 {domain}")], &op, errno);
        tap.same(&format!("kill with a rule for {domain}: it arrives"), pending(victim.pid()), errno == 0);
    }
    // A name that only begins with the rule's is another domain.
    let Some(other) = victim(tap, OTHER) else { return };
    let line = format!("allow_signal 10 {}", domain_of(VICTIM));
    table.judge(tap, "kill of victim2", &[&line], &Op::Kill(other.pid() as i32, SIGUSR1), EPERM);
}

/// Oneself and one's own domain need no rule, and are recorded as granted.
fn own(tap: &mut Tap, table: &mut Table) {
    let pid = table.subject.pid() as i32;
    let line = format!("allow_signal 18 {}", table.name);
    for (name, op) in [
        ("oneself", Op::Kill(pid, SIGCONT)),
        ("the own thread", Op::Raise(SIGCONT)),
        ("oneself from a thread", Op::Thread(Box::new(Op::Kill(pid, SIGCONT)))),
        ("the parent, in the same domain", Op::Fork(Box::new(Op::Kill(pid, SIGCONT)))),
    ] {
        table.judge(tap, name, &[], &op, 0);
        tap.same(&format!("{name}: the grant"), requests("grant_log"), vec![line.clone()]);
    }
    match Subject::start(PROGRAM) {
        Ok(twin) => {
            table.judge(tap, "another in the same domain", &[], &Op::Kill(twin.pid() as i32, SIGCONT), 0);
            tap.same("another in the same domain: the grant", requests("grant_log"), vec![line]);
        }
        Err(e) => tap.check("another subject starts", false, || e.to_string()),
    }
    table.judge(tap, "the driver", &[], &Op::Kill(1, SIGCONT), EPERM);
}

/// Several receivers: each is judged on its own.
fn groups(tap: &mut Tap, table: &mut Table) {
    let (Some(mut one), Some(mut two)) = (victim(tap, VICTIM), victim(tap, OTHER)) else { return };
    table.free(tap, &Op::Block(SIGUSR1));
    let leader = one.pid() as i32;
    tap.same("a group", one.errno(&Op::Setpgid(0)), 0);
    tap.same("with two members", two.errno(&Op::Setpgid(leader)), 0);
    let op = Op::Kill(-leader, SIGUSR1);
    table.judge(tap, "kill of a group", &[], &op, EPERM);
    tap.same("neither got it", (pending(one.pid()), pending(two.pid())), (false, false));
    table.judge(tap, "kill of a group", &[&format!("allow_signal 10 {}", domain_of(VICTIM))], &op, 0);
    tap.same("only the one that may", (pending(one.pid()), pending(two.pid())), (true, false));
    table.judge(
        tap,
        "kill of all",
        &[&format!("allow_signal 10 {}", domain_of(OTHER))],
        &Op::Kill(-1, SIGUSR1),
        0,
    );
    tap.same("now the other one too", (pending(one.pid()), pending(two.pid())), (true, true));
    let Some(third) = victim(tap, VICTIM) else { return };
    // The kernel does not tell that all of them were refused.
    table.judge(tap, "kill of all", &[], &Op::Kill(-1, SIGUSR1), 0);
    tap.same("nobody got it", pending(third.pid()), false);
    let asked = requests("reject_log");
    tap.check(
        "each was asked for",
        asked.contains(&format!("allow_signal 10 {}", domain_of(VICTIM))),
        || format!("{asked:?}"),
    );
}
