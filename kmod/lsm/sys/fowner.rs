// SPDX-License-Identifier: GPL-2.0-only

//! Who set the owner of an open file, to which the kernel sends signals (fowner.c).

use super::shims;
use super::task;
use core::ffi::c_void;
use kernel::bindings as b;
use sekisho_core::policy::DomainId;
use sekisho_core::task::Task;

/// What was remembered of the task that set an owner.
pub(crate) struct Setter {
    /// The domain it was in.
    pub(crate) domain: DomainId,
    /// Its credentials and numbers.
    pub(crate) task: Task,
    /// The signal is for its own process.
    pub(crate) own: bool,
}

/// Remembers the calling task, which is in `domain`, for a file. Does not sleep.
///
/// # Safety
///
/// `file` is valid.
pub(super) unsafe fn set(file: *const b::file, domain: DomainId) {
    // SAFETY: By the caller's promise; what the task says is copied.
    unsafe { shims::sekisho_set_fowner(file.cast(), domain.to_bits(), &task::info()) }
}

/// Who set the owner; `None` if that is not known. Does not sleep.
///
/// # Safety
///
/// Both are valid.
pub(super) unsafe fn get(owner: *const b::fown_struct, target: *mut b::task_struct) -> Option<Setter> {
    let mut domain = 0;
    let mut task = Task::default();
    let mut own = false;
    // SAFETY: By the caller's promise; only what `set` put in comes out.
    let known = unsafe {
        let file: *const c_void = shims::sekisho_fowner_file(owner.cast());
        shims::sekisho_get_fowner(file, target.cast(), &mut domain, &mut task, &mut own)
    };
    known.then(|| Setter { domain: DomainId::from_bits(domain), task, own })
}
