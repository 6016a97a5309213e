// SPDX-License-Identifier: MIT OR Apache-2.0
//! The guest tests on one architecture: what the loader does with a broken policy, then the TAP of the test program.

use std::time::Duration;

use anyhow::{bail, ensure, Result};

use crate::arch::Arch;
use crate::image::{self, Flavour};
use crate::variant::Variant;
use crate::{kernel, qemu};

/// The longest time for one boot.
const TIMEOUT: Duration = Duration::from_secs(900);
/// The same with everything that a debug kernel checks.
const SLOW: Duration = Duration::from_secs(3600);

/// A boot with something wrong: the policy folder, more options, and what the console must say.
struct Broken {
    name: &'static str,
    options: &'static str,
    wanted: &'static [&'static str],
    unwanted: &'static [&'static str],
}

const BROKEN: [Broken; 4] = [
    Broken {
        name: "no-policy",
        options: "sekisho.policy=/nowhere sekisho.init=/bin/busybox",
        wanted: &[
            "sekisho-init: cannot read the policy file /nowhere/profile",
            "sekisho-init: no policy is active, powering off",
        ],
        unwanted: &["are active"],
    },
    Broken {
        name: "rejected-line",
        options: "sekisho.policy=/usr/lib/sekisho/policies/rejected sekisho.init=/bin/busybox",
        wanted: &["sekisho-init: rejected domain_policy:", "1 line(s) of the policy", "powering off"],
        unwanted: &["are active"],
    },
    Broken {
        name: "undefined-profile",
        options:
            "sekisho.policy=/usr/lib/sekisho/policies/undefined sekisho.init=/usr/lib/sekisho/guest-tests \
                  sekisho.on_failure=continue -- --is-active",
        wanted: &[
            "sekisho-init: the kernel refused to activate the policy",
            "booting without",
            "# active: 0",
        ],
        unwanted: &["are active", "powering off"],
    },
    Broken {
        name: "no-module",
        options: "lsm=capability sekisho.policy=/usr/lib/sekisho/policies/guest",
        wanted: &["sekisho-init: the kernel does not run the security module sekisho", "powering off"],
        unwanted: &["are active"],
    },
];

/// Runs all guest tests for `arch`; an error means that one failed. `modules` is the kernel's `lsm=`.
/// With a `topic` only that one runs, and no broken policy is booted.
pub fn run(arch: Arch, variant: Variant, modules: &str, topic: Option<&str>) -> Result<()> {
    let kernel = kernel::build(arch, variant)?;
    let initrd = image::build(arch, Flavour::Test)?;
    let boot = |name: &str, options: &str| qemu::Boot {
        arch,
        name: name.into(),
        kernel: kernel.clone(),
        initrd: initrd.clone(),
        cmdline: format!("{CONSOLE} lsm={modules} rdinit=/sbin/sekisho-init {options}"),
        disk: None,
        timeout: if variant == Variant::Full { TIMEOUT } else { SLOW },
        reboots: false,
        cpus: 2,
        counts: false,
    };
    if let Some(topic) = topic {
        return judge(&boot("guest-topic", &format!("{TESTS} -- --topic {topic}")), arch);
    }
    for case in &BROKEN {
        let mut text = String::new();
        let outcome = boot(case.name, case.options).run(|line| {
            text.push_str(line);
            text.push('\n');
        })?;
        for wanted in case.wanted {
            ensure!(
                text.contains(wanted),
                "{arch}: boot {}: the console lacks {wanted:?}; it is in {}",
                case.name,
                outcome.log.display()
            );
        }
        for unwanted in case.unwanted {
            ensure!(
                !text.contains(unwanted),
                "{arch}: boot {}: the console says {unwanted:?}; it is in {}",
                case.name,
                outcome.log.display()
            );
        }
        println!("{arch}: boot {} failed as it should ({:.1} s)", case.name, outcome.took.as_secs_f32());
    }
    judge(&boot("guest-tests", TESTS), arch)
}

/// What the kernel says from warnings on: most of what its checkers report is a warning.
const CONSOLE: &str = "loglevel=5";

/// The whole test program as the real init.
const TESTS: &str =
    "sekisho.policy=/usr/lib/sekisho/policies/guest sekisho.init=/usr/lib/sekisho/guest-tests";

/// Boots and judges the TAP on the console.
fn judge(boot: &qemu::Boot, arch: Arch) -> Result<()> {
    let mut tap = Tap::default();
    let outcome = boot.run(|line| {
        if tap.read(line) {
            println!("{arch}: {line}");
        }
    })?;
    let count = tap.judge()?;
    if outcome.foreign_races > 0 {
        println!("{arch}: the kernel reported {} data races, none of Sekisho's", outcome.foreign_races);
    }
    println!(
        "{arch}: {count} {} passed ({:.1} s); console: {}",
        boot.name,
        outcome.took.as_secs_f32(),
        outcome.log.display()
    );
    Ok(())
}

/// Boots the test program for one purpose: `--faults`, `--replace SECONDS`.
pub fn special(arch: Arch, variant: Variant, name: &str, options: &str, cpus: u32) -> Result<()> {
    let boot = qemu::Boot {
        arch,
        name: name.into(),
        kernel: kernel::build(arch, variant)?,
        initrd: image::build(arch, Flavour::Test)?,
        cmdline: format!("{CONSOLE} lsm=sekisho rdinit=/sbin/sekisho-init {TESTS} {options}"),
        disk: None,
        timeout: SLOW,
        reboots: false,
        cpus,
        counts: false,
    };
    judge(&boot, arch)
}

/// The verdict of a TAP stream that stands between other lines of the console.
#[derive(Default)]
struct Tap {
    good: usize,
    failed: Vec<String>,
    plan: Option<usize>,
    misnumbered: Option<String>,
}

impl Tap {
    /// Reads a line; says whether it should be shown (failures, diagnostics, the plan; not thousands of `ok`).
    fn read(&mut self, line: &str) -> bool {
        let line = line.trim_end();
        if let Some(rest) = line.strip_prefix("ok ") {
            self.number(rest, line);
            self.good += 1;
            return false;
        }
        if let Some(rest) = line.strip_prefix("not ok ") {
            self.number(rest, line);
            self.failed.push(line.to_owned());
            return true;
        }
        if let Some(count) = line.strip_prefix("1..") {
            self.plan = count.parse().ok();
            return true;
        }
        line.starts_with('#') || line.starts_with("sekisho-init:")
    }

    fn number(&mut self, rest: &str, line: &str) {
        let number = rest.split(' ').next().and_then(|word| word.parse::<usize>().ok());
        if number != Some(self.good + self.failed.len() + 1) && self.misnumbered.is_none() {
            self.misnumbered = Some(line.to_owned());
        }
    }

    fn judge(&self) -> Result<usize> {
        if !self.failed.is_empty() {
            bail!("{} guest test(s) failed:\n{}", self.failed.len(), self.failed.join("\n"));
        }
        if let Some(line) = &self.misnumbered {
            bail!("the console lost a line of the guest tests: unexpected number in {line:?}");
        }
        match self.plan {
            Some(plan) if plan == self.good && plan > 0 => Ok(plan),
            Some(plan) => bail!("the guest tests planned {plan} but {} were seen", self.good),
            None => bail!("the guest tests did not come to their end after {} good ones", self.good),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(lines: &[&str]) -> Result<usize> {
        let mut tap = Tap::default();
        for line in lines {
            tap.read(line);
        }
        tap.judge()
    }

    #[test]
    fn a_whole_stream_passes() {
        assert_eq!(judge(&["[  1.0] noise", "ok 1 - a", "ok 2 - b", "1..2"]).unwrap(), 2);
    }

    #[test]
    fn everything_else_fails() {
        assert!(judge(&["ok 1 - a", "not ok 2 - b", "1..2"]).is_err());
        assert!(judge(&["ok 1 - a", "1..2"]).is_err());
        assert!(judge(&["ok 1 - a", "ok 3 - c", "1..2"]).is_err());
        assert!(judge(&["ok 1 - a"]).is_err());
        assert!(judge(&["1..0"]).is_err());
    }
}
