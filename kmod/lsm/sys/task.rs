// SPDX-License-Identifier: GPL-2.0-only

//! The domain of a task, in the blob that the LSM framework allocates with each task.
//!
//! Only the task itself changes its blob, so plain loads and stores suffice; they are atomic for the day when another task
//! reads them. A blob of zeros is a task in `<kernel>`, which is right for the first task and for kernel threads.

use super::shims;
use core::mem::{align_of, size_of};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use kernel::bindings as b;
use sekisho_core::policy::DomainId;
use sekisho_core::task::Task;

/// What a task remembers.
#[repr(C)]
pub(crate) struct Blob {
    domain: AtomicU64,
    /// Where the task returns to when the execve in progress fails; meaningful while `pending` is set.
    previous: AtomicU64,
    pending: AtomicU32,
    /// `task.state[0]` to `[2]` (reference 0.1), a byte each.
    state: AtomicU32,
}

// SEKISHO_TASK_BLOB in sekisho.h asks for this and for the room to align it.
const _: () = assert!(size_of::<Blob>() == 24 && align_of::<Blob>() == 8);
// The C side fills core's struct in.
const _: () = assert!(size_of::<Task>() == 44);

impl Blob {
    /// # Safety
    ///
    /// `raw` is a task's part of the security blob, which lives for `'a`.
    unsafe fn from_raw<'a>(raw: *mut core::ffi::c_void) -> &'a Blob {
        // The framework aligns offsets to the machine word only; 32-bit ARM's 64-bit atomics want eight bytes.
        let gap = (raw as usize).wrapping_neg() & 7;
        let aligned = raw.cast::<u8>().wrapping_add(gap).cast::<Blob>();
        // SAFETY: SEKISHO_TASK_BLOB bytes are there, all of Blob's fields are atomics for which every bit pattern is valid.
        unsafe { &*aligned }
    }

    /// The blob of the calling task.
    pub(crate) fn current<'a>() -> &'a Blob {
        // SAFETY: The current task outlives every use of the reference: guards and hooks do not keep it.
        unsafe { Blob::from_raw(shims::sekisho_current_blob()) }
    }

    /// # Safety
    ///
    /// `task` has been allocated by the framework and not been freed.
    pub(super) unsafe fn of<'a>(task: *mut b::task_struct) -> &'a Blob {
        // SAFETY: By the caller's promise.
        unsafe { Blob::from_raw(shims::sekisho_task_blob(task.cast())) }
    }

    /// The domain that the task is in, a pending execve included.
    pub(crate) fn domain(&self) -> DomainId {
        DomainId::from_bits(self.domain.load(Ordering::Relaxed))
    }

    /// Puts the task into a domain.
    pub(crate) fn set_domain(&self, domain: DomainId) {
        self.domain.store(domain.to_bits(), Ordering::Relaxed);
    }

    /// The domain before the pending execve, if there is one.
    pub(crate) fn pending(&self) -> Option<DomainId> {
        (self.pending.load(Ordering::Relaxed) != 0)
            .then(|| DomainId::from_bits(self.previous.load(Ordering::Relaxed)))
    }

    /// The state bytes.
    pub(crate) fn state(&self) -> [u8; 3] {
        let [first, second, third, _] = self.state.load(Ordering::Relaxed).to_le_bytes();
        [first, second, third]
    }

    /// Whether the task was started as an execute handler (reference 6.7). No task is yet.
    pub(crate) fn is_execute_handler(&self) -> bool {
        false
    }

    /// Sets the state bytes.
    pub(crate) fn set_state(&self, state: [u8; 3]) {
        let [first, second, third] = state;
        self.state.store(u32::from_le_bytes([first, second, third, 0]), Ordering::Relaxed);
    }

    /// Remembers or forgets the domain before the execve.
    pub(crate) fn set_pending(&self, previous: Option<DomainId>) {
        if let Some(previous) = previous {
            self.previous.store(previous.to_bits(), Ordering::Relaxed);
        }
        self.pending.store(previous.is_some().into(), Ordering::Relaxed);
    }
}

/// Whether the calling task is inside execve.
pub(crate) fn in_execve() -> bool {
    // SAFETY: No requirements.
    unsafe { shims::sekisho_in_execve() }
}

/// Whether the calling task was started as an execute handler (reference 6.7). The flag is set with the handlers.
pub(crate) fn is_execute_handler() -> bool {
    Blob::current().is_execute_handler()
}

/// Credentials and numbers of the calling task.
pub(crate) fn info() -> Task {
    let mut task = Task::default();
    // SAFETY: `struct sekisho_task_info` has the layout of `Task` (checked above in size); the C side writes 0 or 1 to the
    // byte that is a `bool` here.
    unsafe { shims::sekisho_task_info(&mut task) };
    task.state = Blob::current().state();
    task
}

/// Sets the state bytes of the calling task that an entry assigns (reference 5.5).
pub(crate) fn set_state(set: [Option<u8>; 3]) {
    if set == [None; 3] {
        return;
    }
    let mut state = Blob::current().state();
    for (byte, new) in state.iter_mut().zip(set) {
        *byte = new.unwrap_or(*byte);
    }
    Blob::current().set_state(state);
}

/// The calling thread's id in the initial pid namespace.
pub(crate) fn global_pid() -> u32 {
    // SAFETY: No requirements.
    unsafe { shims::sekisho_global_pid() }
}
