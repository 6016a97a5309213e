// SPDX-License-Identifier: MIT OR Apache-2.0
//! What sekisho-init left behind: an active policy, the expected one, without a rejected line.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use guest::kernel::{read, records, stat, DRIVER};
use guest::tap::Tap;

pub fn run(tap: &mut Tap) {
    tap.topic("boot");
    let list = std::fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    println!("# security modules: {}", list.trim());
    println!("# version {}", read("version"));
    tap.check(
        "sekisho is in the list of modules",
        list.trim().split(',').any(|name| name == "sekisho"),
        || list.clone(),
    );
    tap.same("a policy is active", read("activate"), "1\n".to_owned());
    tap.same("stat says so", stat("active"), 1);
    tap.same("no line was rejected", stat("rejected_lines"), 0);
    tap.same("no errors", read("errors"), String::new());
    tap.same("this program is in its domain", read("self_domain"), DRIVER.to_owned());
    tap.check("policy uses memory", stat("policy_bytes") > 0, || read("stat"));
    tap.check("there are domains", stat("domains") >= 3, || read("stat"));
    tap.has_line("the profile version is shown", &read("profile"), "PROFILE_VERSION=20090903");
    tap.has_line("managers are shown", &read("manager"), "/usr/lib/sekisho/guest-tests");
    let log = kernel_log();
    for line in log.iter().filter(|line| line.contains("sekisho") || line.contains("LSM:")) {
        println!("# kernel: {line}");
    }
    tap.check(
        "core divides and prints 64-bit numbers",
        log.iter().any(|line| {
            line.contains("self-test: 64-bit numbers print right, the largest is 18446744073709551615")
        }),
        || log.join("\n"),
    );
    // What booting itself did is not part of any later case.
    records("reject_log");
    records("grant_log");
}

/// The kernel's messages so far, as /dev/kmsg tells them: one a read, until there is none.
pub(super) fn kernel_log() -> Vec<String> {
    let mut lines = Vec::new();
    let opened = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open("/dev/kmsg");
    let Ok(mut log) = opened else { return lines };
    let mut record = [0; 8192];
    while let Ok(count @ 1..) = log.read(&mut record) {
        let text = String::from_utf8_lossy(record.get(..count).unwrap_or_default()).into_owned();
        lines.extend(
            text.lines().next().and_then(|line| line.split_once(';')).map(|(_, text)| text.to_owned()),
        );
    }
    lines
}
