// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program itself as process 1, in name spaces of its own, with a directory of plain files instead of securityfs.
//!
//! In a pid name space of its own reboot(2) kills that name space's process 1 and nothing else, so powering off can be seen
//! too. It needs root; without it there is nothing to see here, and the guest tests boot every machine with this program.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Powering off in a pid name space kills its first process with SIGINT, and `unshare` ends as its child did. As a shell tells
/// it.
const POWERED_OFF: i32 = 128 + 2;

/// Runs a shell script as process 1 of its own pid and mount name spaces.
fn alone(script: &str, root: &Path) -> Output {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", script]);
    command.env("ROOT", root).env("INIT", env!("CARGO_BIN_EXE_sekisho-init")).output().unwrap()
}

/// Whether there can be name spaces here.
fn is_possible() -> bool {
    let possible = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !possible {
        eprintln!("no name spaces here (not root?): the program is not tried");
    }
    possible
}

/// A machine before its first program.
struct Machine {
    root: TempDir,
}

impl Machine {
    /// With a good policy, and a real init that tells that it runs.
    fn new() -> Self {
        let machine = Self { root: TempDir::new().unwrap() };
        for directory in ["security/sekisho", "policy"] {
            fs::create_dir_all(machine.root.path().join(directory)).unwrap();
        }
        for (name, text) in [
            ("security/lsm", "capability,sekisho\n"),
            ("security/sekisho/activate", "0\n"),
            ("security/sekisho/stat", "rejected_lines 0\n"),
            ("security/sekisho/errors", ""),
            ("security/sekisho/profile", ""),
            ("security/sekisho/exception_policy", ""),
            ("security/sekisho/domain_policy", ""),
            ("security/sekisho/manager", ""),
            ("policy/profile", "PROFILE_VERSION=20090903\n"),
            ("policy/exception_policy", ""),
            ("policy/domain_policy", "<kernel>\n"),
            ("policy/manager", ""),
            ("kmsg", ""),
            ("init", "#!/bin/sh\necho init $$ \"$@\"\n"),
        ] {
            machine.file(name, text);
        }
        fs::set_permissions(machine.root.path().join("init"), fs::Permissions::from_mode(0o755)).unwrap();
        machine
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.root.path().join(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.root.path().join(name)).unwrap()
    }

    /// Boots with more words on the kernel's command line. Returns the status and what stood on the console.
    fn boot(&self, words: &str, start: &str) -> (Option<i32>, String) {
        let root = self.root.path().display();
        self.file(
            "cmdline",
            &format!("quiet sekisho.policy={root}/policy sekisho.init={root}/init {words}\n"),
        );
        let script = format!(
            "mount -t proc proc /proc
            mount --bind $ROOT/cmdline /proc/cmdline
            mount -t tmpfs none /dev
            touch /dev/null
            ln -s $ROOT/kmsg /dev/kmsg
            mount -t tmpfs none /sys
            mkdir -p /sys/kernel/security
            mount --bind $ROOT/security /sys/kernel/security
            {start}"
        );
        let Output { status, stdout, stderr } = alone(&script, self.root.path());
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        let text = String::from_utf8([stdout, stderr].concat()).unwrap();
        (code, text.replace(&root.to_string(), "ROOT"))
    }

    fn first(&self, words: &str) -> (Option<i32>, String) {
        self.boot(words, "exec $INIT one 'two words'")
    }
}

#[test]
fn the_first_process_activates_and_becomes_the_real_init() {
    if !is_possible() {
        return;
    }
    let machine = Machine::new();
    let console = "init 1 one two words\nsekisho-init: 2 policy lines of ROOT/policy are active\n";
    assert_eq!(machine.first(""), (Some(0), console.to_owned()));
    assert_eq!(machine.text("security/sekisho/activate"), "1\n");
    // Started again it finds an active policy.
    let console = "init 1 one two words\nsekisho-init: a policy is active already, nothing was loaded\n";
    assert_eq!(machine.first(""), (Some(0), console.to_owned()));
    // A word that means nothing is told.
    let (status, console) = machine.first("sekisho.polcy=/x");
    assert!(
        status == Some(0) && console.contains("the kernel option sekisho.polcy=/x is not known"),
        "{console}"
    );
}

#[test]
fn without_a_policy_the_machine_is_switched_off_or_goes_on_as_its_owner_said() {
    if !is_possible() {
        return;
    }
    for (file, text, told) in [
        ("security/lsm", "capability\n", "sekisho-init: the kernel does not run the security module sekisho"),
        ("security/sekisho/stat", "", "sekisho-init: no line rejected_lines"),
    ] {
        let machine = Machine::new();
        machine.file(file, text);
        for words in ["", "sekisho.on_failure=halt"] {
            let (status, console) = machine.first(words);
            assert_eq!(status, Some(POWERED_OFF), "{console}");
            assert!(console.starts_with(told), "{console}");
            assert!(console.contains("no policy is active, powering off"), "{console}");
            assert!(!console.contains("init 1"), "{console}");
        }
        let (status, console) = machine.first("sekisho.on_failure=continue");
        assert!(status == Some(0) && console.starts_with("init 1 one two words\n"), "{console}");
        assert!(
            console.contains(told) && console.contains("no policy is active, booting without"),
            "{console}"
        );
        assert_eq!(machine.text("security/sekisho/activate"), "0\n");
    }
}

#[test]
fn an_init_that_cannot_be_started_is_told_and_the_machine_switched_off() {
    if !is_possible() {
        return;
    }
    let machine = Machine::new();
    let (status, console) = machine.first("sekisho.init=/no/such/program");
    assert_eq!(status, Some(POWERED_OFF), "{console}");
    assert!(console.contains("sekisho-init: cannot start /no/such/program: No such file"), "{console}");
}

#[test]
fn a_service_ends_with_a_status_and_writes_to_the_kernel_s_log() {
    if !is_possible() {
        return;
    }
    let machine = Machine::new();
    let service = "status=0; $INIT || status=$?; echo ended $status; exit 0";
    assert_eq!(machine.boot("", service), (Some(0), "ended 0\n".to_owned()));
    let root = machine.root.path().display();
    let line = format!("<3>sekisho-init: 2 policy lines of {root}/policy are active\n");
    assert_eq!(machine.text("kmsg"), line);
    assert_eq!(machine.text("security/sekisho/activate"), "1\n");
    machine.file("security/lsm", "capability\n");
    machine.file("kmsg", "");
    assert_eq!(machine.boot("", service), (Some(0), "ended 1\n".to_owned()));
    let log = machine.text("kmsg");
    assert!(log.starts_with("<3>sekisho-init: the kernel does not run"), "{log}");
    assert_eq!(log.lines().count(), 1, "whether to go on is the real init's business: {log}");
}

/// An initramfs has nothing: what is missing is mounted, and what is there is left alone.
#[test]
fn what_is_missing_is_mounted() {
    if !is_possible() {
        return;
    }
    for (before, system) in [("mkdir -p /sys/kernel/security", "tmpfs"), ("true", "sysfs")] {
        let root = TempDir::new().unwrap();
        let script = format!(
            "for place in /proc /sys /dev; do mount -t tmpfs none $place; done
            {before}
            $INIT || true
            # What was mounted last hides what was there before.
            for place in /proc /sys /sys/kernel/security /dev; do
                grep \" $place \" /proc/mounts | tail -n 1 | cut -d ' ' -f 2-4
            done"
        );
        let Output { status, stdout, stderr } = alone(&script, root.path());
        let text = String::from_utf8([stdout, stderr].concat()).unwrap();
        assert!(status.success() && text.contains("sekisho-init: the kernel does not run"), "{text}");
        let places: Vec<Vec<&str>> = text.lines().map(|line| line.split([' ', ',']).collect()).collect();
        for (found, (place, kind, has_devices)) in places.iter().zip([
            ("/proc", "proc", false),
            // The folder /sys/kernel is taken as evidence that it is mounted.
            ("/sys", system, system == "tmpfs"),
            ("/sys/kernel/security", "securityfs", false),
            ("/dev", "devtmpfs", true),
        ]) {
            assert_eq!(found[..2], [place, kind], "{text}");
            assert_eq!(found.contains(&"nodev"), !has_devices, "{text}");
            assert!(found.contains(&"nosuid") || kind == "tmpfs", "{text}");
        }
    }
}
