// SPDX-License-Identifier: GPL-2.0-only

//! Signals (reference 4.11). The hook must not sleep, so there is no query and no penalty; records and learning happen on the
//! task's way back to user space.
//!
//! 1.7 looked at the argument of kill. Here each process that would get the signal is judged by its own domain, so
//! kill(-1) and kill(-GROUP) do not depend on who leads the group.

use super::capability::check_atomic;
use crate::deferred::{self, What};
use crate::{ask, Result};
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
