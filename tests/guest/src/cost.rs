// SPDX-License-Identifier: MIT OR Apache-2.0
//! What system calls cost, in nanoseconds of the guest's clock; under QEMU's instruction counter these are instructions.
//!
//! Measured three times: before a policy is active, in a domain whose profile is disabled, and in one that enforces and
//! grants. `cargo xtask bench kernel` compares with a boot without Sekisho.

use std::fs;
use std::hint::black_box;
use std::os::fd::AsFd;
use std::path::Path;

use nix::fcntl::{open, OFlag};
use nix::sys::stat::Mode;
use nix::time::{clock_gettime, ClockId};

use guest::kernel::{self, DIRECTORY};

/// Calls between two looks at the clock.
const CALLS: u32 = 500;
/// Measurements; the smallest counts, because interrupts only add.
const ROUNDS: u32 = 7;
const FILE: &str = "/tmp/cost/file";

const PROFILES: &str = "PROFILE_VERSION=20090903\n0-CONFIG={ mode=disabled }\n\
    1-CONFIG={ mode=enforcing grant_log=no reject_log=no }\n";

/// Runs all measurements. Started as the init program, without a loader.
pub fn run() {
    // A PC's firmware leaves the console in the middle of a line.
    println!();
    for folder in ["/sys", "/proc", "/tmp/cost"] {
        drop(fs::create_dir_all(folder));
    }
    mount("sysfs", "/sys");
    mount("securityfs", "/sys/kernel/security");
    mount("tmpfs", "/tmp/cost");
    fs::write(FILE, "data").unwrap_or_else(|e| panic!("cannot write {FILE}: {e}"));
    measure("inactive");
    if !Path::new(DIRECTORY).exists() {
        return;
    }
    kernel::write("profile", PROFILES);
    kernel::write("domain_policy", "<kernel>\nuse_profile 0");
    // Whoever changes the policy below is in the root domain, whose program is this one.
    kernel::write("manager", "<kernel>");
    kernel::write("activate", "1");
    measure("disabled");
    kernel::write(
        "domain_policy",
        "<kernel>\nallow_read/write /tmp/cost/file\nallow_read/write /sys/kernel/security/sekisho/\\*\nuse_profile 1",
    );
    measure("enforcing");
    // Else the machine could not be powered off.
    kernel::write("domain_policy", "<kernel>\nuse_profile 0");
}

fn mount(kind: &str, dir: &str) {
    let flags = nix::mount::MsFlags::empty();
    nix::mount::mount(Some(kind), dir, Some(kind), flags, None::<&str>)
        .unwrap_or_else(|e| panic!("cannot mount {dir}: {e}"));
}

fn measure(state: &str) {
    let flags = OFlag::O_RDONLY;
    tell(state, "open", &mut || {
        black_box(open(FILE, flags, Mode::empty()).unwrap_or_else(|e| panic!("cannot open {FILE}: {e}")));
    });
    let file = open(FILE, OFlag::O_RDWR, Mode::empty()).unwrap_or_else(|e| panic!("cannot open {FILE}: {e}"));
    let mut byte = [0u8; 1];
    tell(state, "read", &mut || {
        black_box(nix::sys::uio::pread(file.as_fd(), &mut byte, 0)).unwrap_or_default();
    });
    tell(state, "write", &mut || {
        black_box(nix::sys::uio::pwrite(file.as_fd(), b"d", 0)).unwrap_or_default();
    });
}

fn tell(state: &str, call: &str, operation: &mut dyn FnMut()) {
    // The first calls fill caches and allocate what is kept.
    for _ in 0..CALLS {
        operation();
    }
    let mut best = u64::MAX;
    for _ in 0..ROUNDS {
        let start = now();
        for _ in 0..CALLS {
            operation();
        }
        best = best.min((now() - start) / u64::from(CALLS));
    }
    println!("# cost {state}: {call} {best}");
}

fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap_or_else(|e| panic!("no clock: {e}"));
    u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0)
}
