// SPDX-License-Identifier: MIT OR Apache-2.0
//! A zygote: forks, becomes another uid, and lets the child do one thing.
//!
//! What Android's zygote does to start an app, as far as a security module sees it (reference android 3.5): fork, no
//! execve, setgroups, setresgid, setresuid. It reads lines `UID OPERATION` and answers each with the operation's answer.

use std::io::{self, BufRead, Write};

use guest::op::{Answer, Op};
use nix::sys::wait::waitpid;
use nix::unistd::{setgroups, setresgid, setresuid, Gid, Pid, Uid};

fn main() {
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let order = line.split_once(' ').and_then(|(uid, op)| Some((uid.parse().ok()?, Op::decode(op)?)));
        let Some((uid, op)) = order else {
            say(&format!("not understood: {line}"));
            continue;
        };
        match fork::fork() {
            Ok(fork::Fork::Child) => {
                say(&specialise(uid, &op).encode());
                std::process::exit(0);
            }
            Ok(fork::Fork::Parent(child)) => drop(waitpid(Pid::from_raw(child), None)),
            Err(e) => say(&format!("cannot fork: {e}")),
        }
    }
}

/// Becomes the app, then acts. Zygote's own order: groups, gid, uid.
fn specialise(uid: u32, op: &Op) -> Answer {
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));
    let changed = setgroups(&[group])
        .and_then(|()| setresgid(group, group, group))
        .and_then(|()| setresuid(user, user, user));
    match changed {
        Ok(()) => op.perform(),
        Err(errno) => Answer::Errno(1000 + errno as i32),
    }
}

fn say(text: &str) {
    let mut output = io::stdout();
    drop(writeln!(output, "{text}").and_then(|()| output.flush()));
}
