// SPDX-License-Identifier: MIT OR Apache-2.0
//! The three architectures and the boards that stand for them.
//!
//! What a compiler wants to know is here; what a machine wants to know is in `board-configs/BOARD/board.toml`.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use anyhow::{ensure, Context, Result};
use serde::Deserialize;

use crate::cache;

/// One supported architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Arch {
    /// 32-bit ARMv7 with a hardware floating point unit.
    Arm,
    /// 64-bit ARM.
    Arm64,
    /// 64-bit x86.
    #[value(name = "x86_64")]
    X86_64,
}

/// `board.toml`: one machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Name of the architecture as the kernel's `ARCH=` spells it.
    pub arch: String,
    /// QEMU's program.
    pub qemu: String,
    /// QEMU's `-M`.
    pub machine: String,
    /// QEMU's `-cpu`.
    pub cpu: String,
    /// MiB of memory.
    pub memory: u32,
    /// The kernel's console device.
    pub console: String,
    /// The kernel image below the build folder.
    pub kernel: PathBuf,
}

impl Arch {
    /// All, in the order in which they are built and tested.
    pub const ALL: [Self; 3] = [Self::Arm, Self::Arm64, Self::X86_64];

    /// The name on the command line and in the cache.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arm => "arm",
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    /// Rust's target triple for device programs.
    pub const fn target(self) -> &'static str {
        match self {
            Self::Arm => "armv7-unknown-linux-gnueabihf",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
            Self::X86_64 => "x86_64-unknown-linux-gnu",
        }
    }

    /// The C compiler that links device programs.
    pub const fn linker(self) -> &'static str {
        match self {
            Self::Arm => "arm-linux-gnueabihf-gcc",
            Self::Arm64 => "aarch64-linux-gnu-gcc",
            Self::X86_64 => "gcc",
        }
    }

    /// Debian's name.
    pub const fn debian(self) -> &'static str {
        match self {
            Self::Arm => "armhf",
            Self::Arm64 => "arm64",
            Self::X86_64 => "amd64",
        }
    }

    /// Whether Debian's rustc brings the standard library for it; else it is built from rust-src.
    pub fn has_std(self) -> bool {
        self.name() == std::env::consts::ARCH
    }

    /// The folder in board-configs.
    pub const fn board_name(self) -> &'static str {
        match self {
            Self::Arm => "qemu-arm",
            Self::Arm64 => "qemu-arm64",
            Self::X86_64 => "qemu-x86_64",
        }
    }

    /// Reads the board's description.
    pub fn board(self) -> Result<Board> {
        let path = cache::root_of_project().join("board-configs").join(self.board_name()).join("board.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let board: Board = toml::from_str(&text)
            .with_context(|| format!("{} is not a board description", path.display()))?;
        ensure!(board.arch == self.name(), "{} is a board of {}, not of {self}", path.display(), board.arch);
        Ok(board)
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_is_described() {
        for arch in Arch::ALL {
            let board = arch.board().unwrap();
            assert!(board.qemu.starts_with("qemu-system-"));
        }
    }
}
