// SPDX-License-Identifier: GPL-2.0-only

//! What `waiting.c` offers: sleeping by a clock, coming back on the way to user space, and what a task remembers for then.

use super::shims;
use super::task::Blob;
use crate::waiting::{self, Call};
use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use kernel::alloc::{flags::GFP_KERNEL, KBox};

/// The clock of waits and penalties: it goes on whatever signals come (quirk Q20).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(u64);

impl Time {
    /// So many tenths of a second from now.
    pub(crate) fn after(tenths: u32) -> Time {
        // SAFETY: No requirements.
        Time(unsafe { shims::sekisho_now().saturating_add(shims::sekisho_tenths(tenths)) })
    }

    /// Whether it is over.
    pub(crate) fn is_past(self) -> bool {
        // SAFETY: No requirements.
        unsafe { shims::sekisho_now() >= self.0 }
    }

    /// Sleeps until then, or until `word` is not 0 and the task was woken. False if the task is being killed.
    pub(crate) fn sleep(self, word: &AtomicU32) -> bool {
        // SAFETY: The caller may sleep; the word lives until the function returns.
        unsafe { shims::sekisho_sleep(word.as_ptr().cast_const(), self.0) }
    }
}

/// The latest of the times that it was set to.
pub(crate) struct Latest(AtomicU64);

impl Latest {
    pub(crate) const fn new() -> Latest {
        Latest(AtomicU64::new(0))
    }

    /// Sets it; times come in order.
    pub(crate) fn set(&self, time: Time) {
        self.0.store(time.0, Ordering::Relaxed);
    }

    /// What it is now.
    pub(crate) fn get(&self) -> Time {
        Time(self.0.load(Ordering::Relaxed))
    }
}

/// A task that will wait, for who is to wake it.
pub(crate) struct Sleeper(*mut c_void);

// SAFETY: The pointer is only handed to the C side, which may wake a task from everywhere.
unsafe impl Send for Sleeper {}

impl Sleeper {
    /// The calling task.
    pub(crate) fn current() -> Sleeper {
        // SAFETY: No requirements.
        Sleeper(unsafe { shims::sekisho_current() })
    }

    /// Wakes it.
    ///
    /// # Safety
    ///
    /// The task has not ended: it still has to remove what holds this.
    unsafe fn wake_raw(&self) {
        // SAFETY: By the caller's promise.
        unsafe { shims::sekisho_wake_task(self.0) }
    }

    /// Wakes it. Only for who holds the lock of the list in which the task has put this, and from which it takes it out before it
    /// ends (`query.rs`).
    pub(crate) fn wake(&self) {
        // SAFETY: By the sentence above.
        unsafe { self.wake_raw() }
    }
}

/// Whether the calling task may be kept waiting, whatever its hook allows.
pub(crate) fn may_wait() -> bool {
    // SAFETY: No requirements.
    unsafe { shims::sekisho_may_wait() }
}

/// The system call under way, the same number if it is made again.
pub(crate) fn call_id() -> u64 {
    // SAFETY: `may_wait` has said that there is one, or a call of this task has left something.
    unsafe { shims::sekisho_call_id() }
}

/// A hash that nobody can foresee.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    // SAFETY: The bytes are there.
    unsafe { shims::sekisho_hash(bytes.as_ptr().cast(), bytes.len()) }
}

/// [`waiting::conclude`] will be called when the call is over. False if it cannot be.
pub(crate) fn wait_later() -> bool {
    // SAFETY: No requirements.
    unsafe { shims::sekisho_wait_later() }
}

/// Leaves others as many buffers for names as the caller has taken.
pub(crate) fn refill_buffers() {
    // SAFETY: No requirements.
    unsafe { shims::sekisho_refill_buffers() }
}

/// Lets others run. False if the task is being killed.
pub(crate) fn breathe() -> bool {
    // SAFETY: The caller may sleep.
    unsafe { shims::sekisho_breathe() }
}

/// What a task remembers of a call, in memory of its own.
pub(crate) type Kept = KBox<Call>;

/// Memory for that; `None` if there is none.
pub(crate) fn alloc(call: Call) -> Option<Kept> {
    KBox::new(call, GFP_KERNEL).ok()
}

impl Blob {
    /// Takes what the task remembers of its call.
    pub(crate) fn take_call(&self) -> Option<Kept> {
        if self.call.load(Ordering::Relaxed).is_null() {
            return None;
        }
        let raw = self.call.swap(null_mut(), Ordering::Relaxed);
        // SAFETY: What is in the blob is a box that `keep_call` gave away, and it is taken once.
        (!raw.is_null()).then(|| unsafe { KBox::from_raw(raw) })
    }

    /// Remembers it. Only the task itself may do that, after it took what was there.
    pub(crate) fn keep_call(&self, call: Kept) {
        self.call.store(KBox::into_raw(call), Ordering::Relaxed);
    }
}

/// The call is over; `again` if it will be made again. Sleeps.
#[no_mangle]
extern "C" fn sekisho_rs_wait(again: bool) {
    waiting::conclude(again);
}
