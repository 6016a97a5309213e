// SPDX-License-Identifier: GPL-2.0-only

//! Counters behind the file `stat`.

use core::sync::atomic::{AtomicU32, Ordering};

/// One number that only grows (and wraps after four thousand million).
pub(crate) struct Counter(AtomicU32);

impl Counter {
    const fn new() -> Counter {
        Counter(AtomicU32::new(0))
    }

    /// Counts one more.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The number so far.
    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Operations refused by policy.
pub(crate) static DENIED: Counter = Counter::new();
/// Operations refused in enforcing mode because the question itself could not be answered.
pub(crate) static FAIL_CLOSED: Counter = Counter::new();
/// Lines that an interface file did not accept.
pub(crate) static REJECTED_LINES: Counter = Counter::new();
/// Records of places that must not sleep, lost because there was no memory to keep them or too many waited.
pub(crate) static RECORDS_LOST: Counter = Counter::new();
