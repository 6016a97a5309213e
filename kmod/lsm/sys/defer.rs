// SPDX-License-Identifier: GPL-2.0-only

//! Handing a [`Deferred`] to the C side, which gives it back when it may be done.

use super::shims;
use crate::deferred::Deferred;
use core::ffi::c_void;
use kernel::alloc::{flags::GFP_ATOMIC, KBox};

/// `struct sekisho_deferred`: three machine words that the C side uses while it waits.
#[repr(C)]
pub(crate) struct Head([usize; 3]);

impl Head {
    pub(crate) const fn new() -> Head {
        Head([0; 3])
    }
}

/// Memory for one, without sleeping.
pub(crate) fn alloc(deferred: Deferred) -> Option<KBox<Deferred>> {
    KBox::new(deferred, GFP_ATOMIC).ok()
}

/// It is done on the calling task's way back to user space, or by a work item.
pub(crate) fn leave(deferred: KBox<Deferred>) {
    // SAFETY: The head is the first field; the C side owns the box until it calls `sekisho_rs_deferred`.
    unsafe { shims::sekisho_defer(KBox::into_raw(deferred).cast()) }
}

/// It is done on the calling task's way back to user space; false if there is none, and then it is never done.
pub(crate) fn leave_to_task(deferred: KBox<Deferred>) -> bool {
    let raw = KBox::into_raw(deferred);
    // SAFETY: As above, if true is returned.
    if unsafe { shims::sekisho_defer_to_task(raw.cast()) } {
        return true;
    }
    // SAFETY: The C side did not take it.
    drop(unsafe { KBox::from_raw(raw) });
    false
}

/// Waits until the work item has done everything.
pub(crate) fn flush() {
    // SAFETY: Not called from the work item itself.
    unsafe { shims::sekisho_flush_deferred() }
}

/// # Safety
///
/// `raw` was handed over by [`leave`] or [`leave_to_task`] and is not used any more.
#[no_mangle]
unsafe extern "C" fn sekisho_rs_deferred(raw: *mut c_void) {
    // SAFETY: By the caller's promise.
    let deferred = unsafe { KBox::from_raw(raw.cast::<Deferred>()) };
    KBox::into_inner(deferred).run();
}
