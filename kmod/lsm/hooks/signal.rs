// SPDX-License-Identifier: GPL-2.0-only

//! Signals (reference 4.11). The hook must not sleep, so there is no query and no penalty; records and learning happen on the
//! task's way back to user space.
//!
//! 1.7 looked at the argument of kill. Here each process that would get the signal is judged by its own domain, so
//! kill(-1) and kill(-GROUP) do not depend on who leads the group.

use super::capability::check_atomic;
use crate::deferred::{self, What};
use crate::sys::fowner::Setter;
use crate::{ask, stats, Errno, Result};
use sekisho_core::capability::Capability;
use sekisho_core::policy::DomainId;

/// A program sends a signal to a process in the domain `target`.
pub(crate) fn kill(target: DomainId, same_process: bool, signal: u16) -> Result {
    if !ask::is_active() || signal == 0 {
        return Ok(());
    }
    check_atomic(Capability::SysKill)?;
    deferred::answer(What::Signal { number: signal, target, own: same_process })
}

/// SIGIO (include/uapi/asm-generic/signal.h).
const SIGIO: u16 = 29;
const SIGKILL: u16 = 9;
const SIGXFSZ: u16 = 25;
/// Limits whose end is a signal (include/uapi/asm-generic/resource.h).
const RLIMIT_CPU: u32 = 0;
const RLIMIT_FSIZE: u32 = 1;
const RLIMIT_RTTIME: u32 = 15;

/// Something happened to a file that has an owner, and the kernel is about to send him the signal that was chosen for that
/// (F_SETSIG; 0 stands for SIGIO). Asked as kill for who made him the owner; to the setter's own process it is free. The
/// calling task is anybody, perhaps an interrupt.
pub(crate) fn from_file(setter: Option<&Setter>, target: DomainId, signal: u16) -> Result {
    let Some(setter) = setter else {
        stats::FAIL_CLOSED.add();
        return Err(Errno::Perm);
    };
    if setter.own {
        return Ok(());
    }
    let number = if signal == 0 { SIGIO } else { signal };
    deferred::answer_for(setter.domain, &setter.task, What::Capability(Capability::SysKill))?;
    deferred::answer_for(setter.domain, &setter.task, What::Signal { number, target, own: false })
}

/// prlimit(2) for another process: a limit that the kernel enforces with a signal is asked for as that signal.
pub(crate) fn limit(target: DomainId, same_process: bool, resource: u32) -> Result {
    match resource {
        _ if same_process => Ok(()),
        // SIGXCPU first, but SIGKILL in the end.
        RLIMIT_CPU | RLIMIT_RTTIME => kill(target, false, SIGKILL),
        RLIMIT_FSIZE => kill(target, false, SIGXFSZ),
        _ => Ok(()),
    }
}
