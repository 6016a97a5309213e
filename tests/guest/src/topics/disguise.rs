// SPDX-License-Identifier: MIT OR Apache-2.0
//! A process that puts another file in the place of its program (prctl PR_SET_MM_EXE_FILE): what counts is the file that
//! execve has started, for managers (reference 10.2), for what handlers are told (6.7), and in `.process_status` (10.6).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use guest::kernel::{self, ask, delete_domain, open_both, set_domain, write};
use guest::op::Op;
use guest::subject::{install, Subject, EPERM};
use guest::tap::Tap;
use nix::libc;

use super::exec::delete_all;
use super::raw::{answer, b, calls, n, Call};
use super::{domain_of, fresh_work};

/// A manager's program.
const LISTED: &str = "/tmp/x/listed";
/// Another name of the same file, which is no manager's.
const STRANGER: &str = "/tmp/x/unlisted";
const FIFO: &str = "/tmp/w/fifo";
const HANDLER: &str = "/tmp/w/handler";
const TOLD: &str = "/tmp/w/told";
const LINE: &str = "number_group DISGUISED 7";

pub fn run(tap: &mut Tap) {
    tap.topic("disguise");
    fresh_work();
    install(LISTED);
    install(STRANGER);
    write("manager", LISTED);
    managers(tap);
    shown(tap);
    handled(tap);
    write("manager", &format!("delete {LISTED}"));
    for program in [LISTED, STRANGER] {
        delete_all(program);
    }
}

fn start(tap: &mut Tap, program: &str) -> Option<Subject> {
    set_domain(&domain_of(program), 0, &[]);
    match Subject::start_with(program, std::process::Stdio::inherit()) {
        Ok(subject) => Some(subject),
        Err(e) => {
            tap.check(&format!("{program} starts"), false, || e.to_string());
            None
        }
    }
}

fn opening(path: &str, flags: i32) -> Call {
    (libc::SYS_openat, vec![n(libc::AT_FDCWD.into()), b(path.as_bytes()), n(flags.into())])
}

/// Puts `program` in the place of the process's own, then makes the calls `more`, of which the first is number 2.
fn disguised(program: &str, more: &[Call]) -> Op {
    const PR_SET_MM: i64 = 35;
    const PR_SET_MM_EXE_FILE: i64 = 13;
    let replace = (libc::SYS_prctl, vec![n(PR_SET_MM), n(PR_SET_MM_EXE_FILE), answer(0), n(0), n(0)]);
    Op::Bare(calls(&[&[opening(program, libc::O_RDONLY), replace][..], more].concat()))
}

fn was_written() -> bool {
    let there = kernel::read("exception_policy").lines().any(|line| line == LINE);
    if there {
        write("exception_policy", &format!("delete {LINE}"));
    }
    there
}

/// Who writes policy.
fn managers(tap: &mut Tap) {
    let file = kernel::path("exception_policy");
    let text = format!("{LINE}\n");
    let attempt = [
        opening(&file, libc::O_WRONLY),
        (libc::SYS_write, vec![answer(2), b(text.as_bytes()), n(text.len() as i64)]),
    ];
    let Some(mut stranger) = start(tap, STRANGER) else { return };
    tap.same("a stranger as a manager's program", stranger.errno(&disguised(LISTED, &attempt)), EPERM);
    tap.same("nothing was written", was_written(), false);
    tap.same("a stranger as itself", stranger.errno(&disguised(STRANGER, &attempt)), EPERM);
    tap.same("nothing was written", was_written(), false);
    let Some(mut manager) = start(tap, LISTED) else { return };
    for (name, program) in [("itself", LISTED), ("a stranger", STRANGER), ("busybox", "/bin/busybox")] {
        tap.same(&format!("a manager as {name}"), manager.errno(&disguised(program, &attempt)), 0);
        tap.same("it was written", was_written(), true);
    }
    // The program is inherited.
    let plain = Op::Write(file.into(), text.into());
    for (name, op) in [
        ("a child of a manager", Op::Fork(Box::new(plain.clone()))),
        ("a child of a child of a manager", Op::Fork(Box::new(Op::Fork(Box::new(plain.clone()))))),
        ("a thread of a manager", Op::Thread(Box::new(plain))),
    ] {
        tap.same(name, manager.errno(&op), 0);
        tap.same("it was written", was_written(), true);
    }
}

/// What `.process_status` says of a process while it is disguised.
fn shown(tap: &mut Tap) {
    let made = nix::unistd::mkfifo(FIFO, nix::sys::stat::Mode::S_IRWXU);
    tap.check("there is a pipe", made.is_ok(), || format!("{made:?}"));
    let Some(mut stranger) = start(tap, STRANGER) else { return };
    // It waits for the other side of the pipe.
    let op = disguised(LISTED, &[opening(FIFO, libc::O_RDONLY)]);
    stranger.begin(&op);
    match child_that_is(stranger.pid(), LISTED) {
        Some(pid) => {
            let text = ask(&mut open_both(".process_status"), &format!("info {pid}\n"));
            tap.contains("a stranger as a manager's program is shown", &text, &format!("{pid} manager=no "));
            let opened = fs::OpenOptions::new().write(true).open(FIFO);
            tap.check("it goes on", opened.is_ok(), || format!("{opened:?}"));
        }
        None => tap.check("it becomes the manager's program", false, String::new),
    }
    tap.same("it has waited for that", stranger.end(&op).errno(), 0);
    if let Some(manager) = start(tap, LISTED) {
        let text = ask(&mut open_both(".process_status"), &format!("info {}\n", manager.pid()));
        tap.contains("a manager is shown", &text, " manager=yes ");
    }
}

/// The child whose program seems to be `program`, once there is one.
fn child_that_is(parent: u32, program: &str) -> Option<u32> {
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        for pid in numbers {
            let seems = fs::read_link(format!("/proc/{pid}/exe"));
            if parent_of(pid) == Some(parent) && seems.is_ok_and(|path| path == Path::new(program)) {
                return Some(pid);
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

fn parent_of(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which stands in brackets: the state, the parent.
    text.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// The third word that an execute handler gets is the program that calls execve.
fn handled(tap: &mut Tap) {
    let text = format!("#!/bin/busybox sh\necho \"$2\" > {TOLD}\n");
    let made = fs::write(HANDLER, text)
        .and_then(|()| fs::set_permissions(HANDLER, fs::Permissions::from_mode(0o755)));
    tap.check("there is a handler", made.is_ok(), || format!("{made:?}"));
    let own = domain_of(STRANGER);
    let execute = (libc::SYS_execve, vec![b(b"/tmp/w/program"), n(0), n(0)]);
    for program in [STRANGER, LISTED] {
        let Some(mut stranger) = start(tap, STRANGER) else { return };
        drop(fs::remove_file(TOLD));
        set_domain(&own, 0, &[&format!("execute_handler {HANDLER}")]);
        let op = disguised(program, std::slice::from_ref(&execute));
        tap.same(&format!("execve as {program}"), stranger.errno(&op), 0);
        let told = fs::read_to_string(TOLD).unwrap_or_default();
        tap.same(&format!("execve as {program}: what the handler is told"), told, format!("{STRANGER}\n"));
    }
    delete_domain(&format!("{own} {HANDLER}"));
}
