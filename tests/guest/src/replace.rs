// SPDX-License-Identifier: MIT OR Apache-2.0
//! The policy is replaced in a loop while eight processes open, exec, fork and exit on all processors: each decision is one of
//! the old or of the new policy, and the memory comes back (`--replace SECONDS`).
//!
//! Two policies take turns. Both allow `/tmp/r/always` and refuse `/tmp/r/never`; the first allows `/tmp/r/one`, the second
//! `/tmp/r/two`. A worker must never see the first two differently, and of the others it may see nothing but success and
//! EPERM. That both kinds of answers happen for the others shows that replacing takes effect.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use guest::kernel::{self, DRIVER};
use guest::subject::{self, EPERM};
use guest::tap::Tap;

/// A program started with this variable is a worker for so many milliseconds; with 0 it opens its files once.
pub const VARIABLE: &str = "SEKISHO_WORKER";
const WORKER: &str = "/tmp/r/worker";
const WORKERS: usize = 8;

/// Exit codes of a worker are bits: what it saw.
const ONE_ALLOWED: i32 = 1;
const ONE_DENIED: i32 = 2;
const WRONG: i32 = 64;

/// Runs all and prints TAP.
pub fn run(seconds: u64) {
    let mut tap = Tap::default();
    tap.topic("replace");
    drop(fs::create_dir_all("/tmp/r"));
    for name in ["always", "never", "one", "two"] {
        fs::write(format!("/tmp/r/{name}"), "data").unwrap_or_else(|e| panic!("cannot write {name}: {e}"));
    }
    subject::install(WORKER);
    let before = kernel::quiet_bytes();
    let start = texts();
    let policies = [policy(&start, "one"), policy(&start, "two")];
    replace(&policies[0]);
    let end = Instant::now() + Duration::from_secs(seconds);
    let stop = AtomicBool::new(false);
    let replaced = AtomicU32::new(0);
    let seen: Vec<i32> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(|| work_until(end))).collect();
        let writer = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let turn = replaced.fetch_add(1, Ordering::Relaxed);
                replace(&policies[usize::from(turn.is_multiple_of(2))]);
            }
        });
        let seen = workers.into_iter().map(|worker| worker.join().unwrap_or(WRONG)).collect();
        stop.store(true, Ordering::Relaxed);
        drop(writer.join());
        seen
    });
    println!("# replaced {} times, workers saw {seen:?}", replaced.load(Ordering::Relaxed));
    tap.check("every decision is one of the two policies", seen.iter().all(|bits| bits & WRONG == 0), || {
        format!("{seen:?}")
    });
    let all = seen.iter().fold(0, |all, bits| all | bits);
    tap.same("both policies were in force", all & (ONE_ALLOWED | ONE_DENIED), ONE_ALLOWED | ONE_DENIED);
    tap.check("it was replaced often", replaced.load(Ordering::Relaxed) > 20, || format!("{replaced:?}"));
    replace(&start.concat());
    let mut file = kernel::open("transaction");
    file.write_all(b"forget\n").unwrap_or_else(|e| panic!("cannot forget the previous policy: {e}"));
    drop(file);
    tap.same("the policy is what it was", texts(), start);
    tap.same("one snapshot is left", kernel::settle("snapshots", 1), 1);
    tap.same("the memory is what it was", kernel::settle("policy_bytes", before), before);
    tap.same("nothing failed closed", kernel::stat("fail_closed"), 0);
    tap.finish();
}

/// The files of the policy, each behind the line that names it.
fn texts() -> Vec<String> {
    ["profile", "exception_policy", "domain_policy", "manager"]
        .iter()
        .map(|name| format!("file {name}\n{}\n", kernel::read(name).trim_end()))
        .collect()
}

fn policy(start: &[String], turn: &str) -> String {
    let domain = format!("{DRIVER} {WORKER}");
    format!(
        "{}file exception_policy\nkeep_domain {domain}\nfile domain_policy\n{domain}\nuse_profile 4\n\
         allow_read /tmp/r/always\nallow_read /tmp/r/{turn}\nallow_execute {WORKER}\nallow_read/write /dev/null\n",
        start.concat()
    )
}

fn replace(policy: &str) {
    let mut file = kernel::open("transaction");
    file.write_all(format!("begin replace\n{policy}commit\n").as_bytes())
        .unwrap_or_else(|e| panic!("the policy cannot be replaced: {e}: {}", kernel::last_error()));
}

/// Keeps a worker process running.
fn work_until(end: Instant) -> i32 {
    let mut seen = 0;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        let time = left.min(Duration::from_secs(5)).as_millis().max(1);
        let status = Command::new(WORKER).env(VARIABLE, time.to_string()).status();
        seen |= status.ok().and_then(|status| status.code()).unwrap_or(WRONG);
    }
    seen
}

/// What a worker process does; returns its exit code.
pub fn work(milliseconds: u64) -> i32 {
    let end = Instant::now() + Duration::from_millis(milliseconds);
    let mut seen = look();
    while Instant::now() < end {
        for _ in 0..50 {
            seen |= look();
        }
        // A child that looks and exits, and one that executes a program which does.
        seen |= match fork::fork() {
            Ok(fork::Fork::Child) => std::process::exit(look()),
            Ok(fork::Fork::Parent(child)) => {
                match nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(child), None) {
                    Ok(nix::sys::wait::WaitStatus::Exited(_, status)) => status,
                    _ => WRONG,
                }
            }
            Err(_) => WRONG,
        };
        let status = Command::new(WORKER).env(VARIABLE, "0").status();
        seen |= status.ok().and_then(|status| status.code()).unwrap_or(WRONG);
    }
    seen
}

fn look() -> i32 {
    let open = |name: &str| match OpenOptions::new().read(true).open(format!("/tmp/r/{name}")) {
        Ok(_) => 0,
        Err(e) => e.raw_os_error().unwrap_or(-1),
    };
    let mut seen = match open("one") {
        0 => ONE_ALLOWED,
        EPERM => ONE_DENIED,
        _ => WRONG,
    };
    if open("always") != 0 || open("never") != EPERM || !matches!(open("two"), 0 | EPERM) {
        seen |= WRONG;
    }
    seen
}
