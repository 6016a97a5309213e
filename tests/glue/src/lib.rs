// SPDX-License-Identifier: GPL-2.0-only

//! The files of `kmod/lsm` that decide something and need no kernel for it, compiled as they are.
//!
//! What they ask of the kernel is in [`sys`] here, with the names of `kmod/lsm/sys`: mutexes of the standard library, a clock
//! that a test sets, and notes of what would have been woken or written. Everything else is the kernel's own source. The guest
//! tests see the same files at work in a kernel.

#![expect(dead_code, reason = "the rest of the kernel module uses what is not tested here")]

#[path = "../../../kmod/lsm/coverage.rs"]
mod coverage;
#[path = "../../../kmod/lsm/errors.rs"]
mod errors;
mod ask {
    /// Whether a refusal may be followed by the penalty.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Patience {
        Penalty,
        None,
    }
}
mod interface;
#[path = "../../../kmod/lsm/log.rs"]
mod log;
#[path = "../../../kmod/lsm/program.rs"]
mod program;
#[path = "../../../kmod/lsm/query.rs"]
mod query;
#[path = "../../../kmod/lsm/quota.rs"]
mod quota;
#[path = "../../../kmod/lsm/stats.rs"]
mod stats;
mod sys;
#[path = "../../../kmod/lsm/waiting.rs"]
mod waiting;

#[cfg(test)]
mod arguments;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod tests;

/// What these files return of the kernel's error numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errno {
    /// An allocation failed.
    NoMem,
}

impl From<sekisho_core::mem::OutOfMemory> for Errno {
    fn from(_: sekisho_core::mem::OutOfMemory) -> Self {
        Errno::NoMem
    }
}

/// What hooks and files return.
pub(crate) type Result<T = (), E = Errno> = core::result::Result<T, E>;
