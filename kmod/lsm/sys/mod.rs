// SPDX-License-Identifier: GPL-2.0-only

//! The layer that speaks C: all `unsafe` of Sekisho, wrapped so that nothing above it can go wrong with memory.

mod attributes;
pub(crate) mod bprm;
pub(crate) mod defer;
pub(crate) mod file;
pub(crate) mod files;
pub(crate) mod fowner;
pub(crate) mod hook_table;
pub(crate) mod lock;
pub(crate) mod net;
pub(crate) mod open_file;
pub(crate) mod path;
pub(crate) mod process;
mod shims;
pub(crate) mod snapshot;
pub(crate) mod task;
pub(crate) mod waiting;

use core::marker::PhantomData;

/// Called by the C side when it starts.
#[cfg(CONFIG_SECURITY_SEKISHO_SELFTEST)]
#[no_mangle]
extern "C" fn sekisho_rs_selftest() {
    crate::selftest::run();
}

/// Seconds since 1970.
pub(crate) fn seconds() -> u64 {
    // SAFETY: No requirements.
    unsafe { shims::sekisho_seconds() }
}

/// Bytes of memory that the machine has.
pub(crate) fn machine_memory() -> usize {
    // SAFETY: No requirements.
    unsafe { shims::sekisho_machine_memory() as usize }
}

/// While it lives, allocations of this task do not call back into file systems.
///
/// Path hooks run with the parent directory locked, and the policy's writer lock is taken both below such locks and above
/// allocations.
///
/// It is not sent to other tasks.
pub(crate) struct NoFs(u32, PhantomData<*mut ()>);

impl NoFs {
    /// Begins the scope.
    pub(crate) fn enter() -> NoFs {
        // SAFETY: No requirements; `Drop` restores what this returns.
        NoFs(unsafe { shims::sekisho_nofs_enter() }, PhantomData)
    }
}

impl Drop for NoFs {
    fn drop(&mut self) {
        // SAFETY: The value comes from `sekisho_nofs_enter`, called by the same task: guards are not sent anywhere.
        unsafe { shims::sekisho_nofs_leave(self.0) }
    }
}
