// SPDX-License-Identifier: MIT OR Apache-2.0
//! The story, on qemu-arm unless another board is asked for: an app is installed, its UID becomes policy, the kernel enforces it, also after a reboot.
//!
//! The story itself is a program in the guest (tests/scenarios). This verb builds what it needs, boots, shows its lines as
//! they come, and believes nothing but the last line.

use std::time::{Duration, Instant};

use anyhow::{bail, Result};

use crate::arch::Arch;
use crate::image::{self, Flavour};
use crate::variant::Variant;
use crate::{cache, kernel, qemu};

/// The longest time for both boots together. It takes about twenty seconds; a machine under load may need more.
const TIMEOUT: Duration = Duration::from_secs(180);

/// Runs the story on one kernel; an error means that a step did not hold.
pub fn run(arch: Arch, variant: Variant) -> Result<()> {
    let start = Instant::now();
    let kernel = kernel::build(arch, variant)?;
    let initrd = image::build(arch, Flavour::Test)?;
    let disk = cache::dir("disk")?.join(format!("{}-story.img", arch.board_name()));
    qemu::fresh_disk(&disk, 48)?;
    println!("booting {} in QEMU (software emulation)", arch.board_name());
    let boot = qemu::Boot {
        arch,
        name: "story".into(),
        kernel,
        initrd,
        cmdline: "quiet loglevel=4 lsm=sekisho rdinit=/sbin/sekisho-init \
                  sekisho.policy=/usr/lib/sekisho/policies/story sekisho.init=/usr/lib/sekisho/story"
            .into(),
        disk: Some(disk),
        timeout: TIMEOUT,
        reboots: true,
        cpus: 2,
        counts: false,
    };
    let mut verdict = Verdict::default();
    let outcome = boot.run(|line| {
        verdict.read(line);
        println!("  {line}");
    })?;
    verdict.judge()?;
    println!(
        "the story held on {} ({} s in the guest, {} s in all); console: {}",
        arch.board_name(),
        outcome.took.as_secs(),
        start.elapsed().as_secs(),
        outcome.log.display()
    );
    Ok(())
}

/// What the guest's lines say.
#[derive(Default)]
struct Verdict {
    held: usize,
    failed: Vec<String>,
    finished: Option<usize>,
}

impl Verdict {
    fn read(&mut self, line: &str) {
        let line = line.trim();
        if line.starts_with("step ") {
            if line.ends_with(" ok") {
                self.held += 1;
            } else if line.ends_with(" FAILED") {
                self.failed.push(line.to_owned());
            }
        } else if let Some(rest) = line.strip_prefix("story: all ") {
            self.finished = rest.strip_suffix(" steps held").and_then(|count| count.parse().ok());
        }
    }

    fn judge(&self) -> Result<()> {
        if !self.failed.is_empty() {
            bail!("{} step(s) of the story failed:\n{}", self.failed.len(), self.failed.join("\n"));
        }
        match self.finished {
            Some(count) if count == self.held => Ok(()),
            Some(count) => bail!("the story speaks of {count} steps but {} were seen", self.held),
            None => bail!("the story did not come to its end after {} good steps", self.held),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(lines: &[&str]) -> Result<()> {
        let mut verdict = Verdict::default();
        lines.iter().for_each(|line| verdict.read(line));
        verdict.judge()
    }

    #[test]
    fn only_a_whole_story_counts() {
        assert!(judge(&["step a: x ok", "step b: y ok", "story: all 2 steps held"]).is_ok());
        assert!(judge(&["step a: x ok", "step b: y ok"]).is_err());
        assert!(judge(&["step a: x ok", "story: all 2 steps held"]).is_err());
        assert!(judge(&["step a: x FAILED", "story: all 1 steps held"]).is_err());
        assert!(judge(&[]).is_err());
    }
}
