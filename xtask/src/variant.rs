// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernels of one board: the small one that ships, and those that tests need.

use std::fmt;
use std::path::PathBuf;

use crate::arch::Arch;
use crate::cache;

/// Which configuration fragments a kernel is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Variant {
    /// What the board needs.
    Small,
    /// What the guest tests need to try every check.
    Full,
    /// The same with checkers: lockdep, sleeping in atomic context, memory errors and leaks where the architecture has
    /// them, injected allocation failures; SELinux and AppArmor are built in.
    Debug,
    /// The same with the data race detector; x86_64 and arm64.
    Kcsan,
}

impl Variant {
    /// The name on the command line and in the cache.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Full => "full",
            Self::Debug => "debug",
            Self::Kcsan => "kcsan",
        }
    }

    /// The folder of the objects of a board's kernel.
    pub fn folder(self, arch: Arch) -> String {
        match self {
            Self::Small => arch.board_name().to_owned(),
            _ => format!("{}-{self}", arch.board_name()),
        }
    }

    /// What is put on top of tinyconfig, in this order; a later line replaces an earlier one.
    pub fn fragments(self, arch: Arch) -> Vec<PathBuf> {
        let boards = cache::root_of_project().join("board-configs");
        let board = boards.join(arch.board_name());
        let common: &[&str] = match self {
            Self::Small => &["base"],
            Self::Full => &["base", "full"],
            Self::Debug => &["base", "full", "debug"],
            Self::Kcsan => &["base", "full", "kcsan"],
        };
        let mut paths: Vec<PathBuf> =
            common.iter().map(|name| boards.join(format!("common/{name}.kconfig"))).collect();
        paths.push(board.join("kconfig"));
        // What only this architecture has, or lacks.
        let tests = (self != Self::Small).then_some("test");
        let own = tests.into_iter().chain([self.name()]).map(|name| board.join(format!("kconfig.{name}")));
        paths.extend(own.filter(|path| path.exists()));
        paths
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fragment_exists() {
        for arch in Arch::ALL {
            for variant in [Variant::Small, Variant::Full, Variant::Debug, Variant::Kcsan] {
                for path in variant.fragments(arch) {
                    assert!(path.exists(), "{}", path.display());
                }
            }
        }
    }
}
