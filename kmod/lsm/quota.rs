// SPDX-License-Identifier: GPL-2.0-only

//! How much memory policy, logs and queries may take (reference 12.3).
//!
//! Nobody has to write to `meminfo` for there to be bounds: at boot each is a share of the machine's memory. What happens at the
//! bound of the policy is 1.7's: no domain is made, `transition_failed` is set, nothing is learned. It is said once in the kernel's
//! log, and again when the quota was changed.

use crate::sys::{self, files};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What has a bound.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// The policy; it holds its quota itself.
    Policy = 0,
    /// Records that nobody has read yet.
    Logs = 1,
    /// Questions to an observer.
    Queries = 2,
}

/// The quota in bytes; 0: none. The first is not used.
static QUOTAS: [AtomicUsize; 3] = [AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0)];
static SAID: [AtomicBool; 3] = [AtomicBool::new(false), AtomicBool::new(false), AtomicBool::new(false)];
/// No share is larger.
const LARGEST: usize = 256 << 20;

impl Bound {
    /// The quota as it is when nobody says another one.
    pub(crate) fn share(self) -> usize {
        let memory = sys::machine_memory();
        let share = match self {
            Bound::Policy => memory / 16,
            Bound::Logs => memory / 64,
            Bound::Queries => memory / 512,
        };
        share.min(LARGEST)
    }

    /// The quota; 0: none.
    pub(crate) fn quota(self) -> usize {
        QUOTAS.get(self as usize).map_or(0, |quota| quota.load(Ordering::Relaxed))
    }

    /// Changes it.
    pub(crate) fn set(self, bytes: usize) {
        if let Some(quota) = QUOTAS.get(self as usize) {
            quota.store(bytes, Ordering::Relaxed);
        }
        self.changed();
    }

    /// The next time that the bound is reached will be told again.
    pub(crate) fn changed(self) {
        if let Some(said) = SAID.get(self as usize) {
            said.store(false, Ordering::Relaxed);
        }
    }

    /// Whether so many bytes may be held.
    pub(crate) fn allows(self, bytes: usize) -> bool {
        let quota = self.quota();
        quota == 0 || bytes < quota
    }

    /// The bound is reached: that is told once.
    pub(crate) fn say(self) {
        let Some(said) = SAID.get(self as usize) else { return };
        if said.swap(true, Ordering::Relaxed) {
            return;
        }
        let what: &[u8] = match self {
            Bound::Policy => b"the policy has reached its quota; see",
            Bound::Logs => b"the logs have reached their quota and records are lost; see",
            Bound::Queries => b"the queries have reached their quota and are refused; see",
        };
        if !files::warn(what, b"meminfo") {
            said.store(false, Ordering::Relaxed);
        }
    }
}

/// Sets the quotas of logs and queries, at boot.
pub(crate) fn init() {
    for bound in [Bound::Logs, Bound::Queries] {
        bound.set(bound.share());
    }
}
