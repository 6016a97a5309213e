// SPDX-License-Identifier: GPL-2.0-only

//! Sekisho, a pathname-based Linux Security Module.
//!
//! The policy and every decision are in the crate `sekisho_core`, which user-space programs share. This crate is the kernel
//! around it:
//!
//! * [`sys`] is the one place with `unsafe`: hook table, snapshots under SRCU, task blobs, names, open files.
//! * [`hooks`] says which question each hook asks, [`ask`] and, where nothing may sleep, [`deferred`] answer it.
//! * [`exec`] follows programs from domain to domain, with [`program`] and [`handler`].
//! * [`interface`] is what stands behind the files in `/sys/kernel/security/sekisho/`.
//! * [`log`], [`errors`], [`stats`] and [`coverage`] are what these files tell about the past, [`query`] asks a person before it
//!   refuses, [`waiting`] says where a task waits for that.
//!
//! Nothing in here panics, and an internal failure denies in enforcing mode.

#![deny(unsafe_code)]

mod ask;
mod coverage;
mod deferred;
mod errors;
mod exec;
mod handler;
mod hooks;
mod interface;
mod log;
mod objects;
mod program;
mod query;
mod quota;
#[cfg(CONFIG_SECURITY_SEKISHO_SELFTEST)]
mod selftest;
mod stats;
#[expect(unsafe_code, reason = "the layer that speaks C")]
mod sys;
mod waiting;

/// What `pr_info!` puts in front of a line.
#[cfg(CONFIG_SECURITY_SEKISHO_SELFTEST)]
const __LOG_PREFIX: &[u8] = b"sekisho\0";

/// Error numbers, the kernel's edge of every error of ours.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Errno {
    /// Refused by policy.
    Perm = 1,
    /// There is no such thing.
    NoEnt = 2,
    /// Arguments are too long.
    TooBig = 7,
    /// An allocation failed.
    NoMem = 12,
    /// A program cannot be executed.
    Acces = 13,
    /// The caller's memory cannot be read or written.
    Fault = 14,
    /// There is no such type of file system.
    NoDev = 19,
    /// The request makes no sense.
    Inval = 22,
    /// The file cannot do that.
    NoSys = 38,
    /// A connection was refused after it was made.
    ConnAborted = 103,
    /// No error: the system call is made again (`ERESTARTNOINTR`; user space never sees it).
    Restart = 513,
}

impl From<sekisho_core::mem::OutOfMemory> for Errno {
    fn from(_: sekisho_core::mem::OutOfMemory) -> Self {
        Errno::NoMem
    }
}

impl From<sekisho_core::edit::EditError> for Errno {
    /// Of what the kernel changes by itself nothing is wrong but the memory.
    fn from(_: sekisho_core::edit::EditError) -> Self {
        Errno::NoMem
    }
}

/// What hooks and files return.
pub(crate) type Result<T = (), E = Errno> = core::result::Result<T, E>;
