// SPDX-License-Identifier: MIT OR Apache-2.0
//! The guest tests: started as the real init behind sekisho-init, prints TAP, powers off.
//!
//! `--topic NAME` runs only one topic. `--is-active` only tells whether a policy is active; the harness boots broken policies
//! with it. `--cost` measures, `--faults` lets allocations fail, `--replace SECONDS` replaces the policy under load.

mod cost;
mod faults;
mod fuse;
mod replace;
mod topics;

use guest::tap::Tap;
use guest::{kernel, subject};
use nix::sys::reboot::{reboot, RebootMode};

fn main() {
    // An execute handler has no environment; its first argument is a domain.
    let handler = std::env::args().nth(1).is_some_and(|argument| argument.starts_with("<kernel>"));
    if handler || std::env::var_os(subject::VARIABLE).is_some() {
        subject::serve();
        return;
    }
    if let Ok(time) = std::env::var(replace::VARIABLE) {
        std::process::exit(replace::work(time.parse().unwrap_or(0)));
    }
    match std::env::var(faults::VARIABLE).as_deref() {
        Ok("started") => return println!("started"),
        Ok(kind) if kind.starts_with("exec-") => return faults::execute(kind),
        Ok(kind) => std::process::exit(faults::child(kind)),
        Err(_) => {}
    }
    let after = |wanted: &str| std::env::args().skip_while(|argument| argument != wanted).nth(1);
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    if has("--cost") {
        cost::run();
    } else if has("--faults") {
        faults::run();
    } else if let Some(seconds) = after("--replace") {
        replace::run(seconds.parse().unwrap_or(10));
    } else if has("--is-active") {
        println!("# active: {}", kernel::read("activate").trim());
    } else {
        let mut tap = Tap::default();
        topics::run(&mut tap, after("--topic").as_deref());
        tap.finish();
    }
    if std::process::id() == 1 {
        nix::unistd::sync();
        let result = reboot(RebootMode::RB_POWER_OFF);
        println!("# the machine cannot be powered off: {result:?}");
    }
}
