// SPDX-License-Identifier: MIT OR Apache-2.0
//! What sekisho-init left behind: an active policy, the expected one, without a rejected line.

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
    // What booting itself did is not part of any later case.
    records("reject_log");
    records("grant_log");
}
