// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask qemu`: a board with a shell on the console, the policy template active, and a disk that stays.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{ensure, Result};

use crate::arch::Arch;
use crate::image::Flavour;
use crate::qemu::{self, Boot};
use crate::variant::Variant;
use crate::{cache, image, kernel};

/// Builds what is missing, boots, and returns when the machine is off.
pub fn run(arch: Arch) -> Result<()> {
    let disk = cache::dir("disk")?.join(format!("{}-shell.img", arch.board_name()));
    if !disk.exists() {
        qemu::fresh_disk(&disk, 64)?;
    }
    let boot = Boot {
        arch,
        name: "shell".to_owned(),
        kernel: kernel::build(arch, Variant::Small)?,
        initrd: image::build(arch, Flavour::Base)?,
        cmdline: "rdinit=/sbin/sekisho-init".to_owned(),
        disk: Some(disk),
        timeout: Duration::MAX,
        reboots: true,
        cpus: 2,
        counts: false,
    };
    println!("booting {arch}; `poweroff -f` ends the machine");
    let status =
        boot.command()?.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit()).status()?;
    ensure!(status.success(), "QEMU ended with {status}");
    Ok(())
}
