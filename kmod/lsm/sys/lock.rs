// SPDX-License-Identifier: GPL-2.0-only

//! Data behind one of the C side's mutexes.
//!
//! Linux 6.12's Rust locks cannot stand in a static; these can. Each [`LockId`] must guard one static only, which
//! [`Lock::new`] cannot check: the statics are few and stand together in the list below.

use super::shims;
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use sekisho_core::mem::Box;
use sekisho_core::policy::Policy;

/// `enum sekisho_lock_id` of `sekisho.h`.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum LockId {
    /// The one that changes the policy: [`super::snapshot`].
    Writer = 0,
    /// Queue of granted requests: `log.rs`.
    GrantLog = 1,
    /// Queue of refused requests: `log.rs`.
    RejectLog = 2,
    /// Rejected lines: `errors.rs`.
    Errors = 3,
    /// Binary records: `log.rs`.
    AuditLog = 4,
    /// Questions to an observer: `query.rs`.
    Queries = 5,
    /// The policy before the last transaction: [`super::snapshot`].
    Previous = 6,
}

/// A value that one task at a time may use. Taking it may sleep.
pub(crate) struct Lock<T> {
    id: LockId,
    value: UnsafeCell<T>,
}

// SAFETY: The value is reached only through a `Guard`, of which there is one at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// # Safety
    ///
    /// `id` is used for no other lock.
    pub(super) const unsafe fn new_unchecked(id: LockId, value: T) -> Self {
        Lock { id, value: UnsafeCell::new(value) }
    }

    /// Waits until the value is free.
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        // SAFETY: `id` is one of the C array's indices.
        unsafe { shims::sekisho_lock(self.id as u32) };
        Guard { lock: self, _not_send: PhantomData }
    }
}

/// Evidence that the lock is held.
pub(crate) struct Guard<'a, T> {
    lock: &'a Lock<T>,
    /// A mutex is unlocked by the task that locked it.
    _not_send: PhantomData<*mut ()>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: The mutex is held, nobody else has a reference.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: The mutex is held, nobody else has a reference.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: This guard's task holds the mutex.
        unsafe { shims::sekisho_unlock(self.lock.id as u32) }
    }
}

/// The queue of granted requests.
// SAFETY: Each id of this file is used once.
pub(crate) static GRANT_LOG: Lock<crate::log::Queue> =
    unsafe { Lock::new_unchecked(LockId::GrantLog, crate::log::Queue::new()) };

/// The queue of refused requests.
// SAFETY: As above.
pub(crate) static REJECT_LOG: Lock<crate::log::Queue> =
    unsafe { Lock::new_unchecked(LockId::RejectLog, crate::log::Queue::new()) };

/// The queue of binary records.
// SAFETY: As above.
pub(crate) static AUDIT_LOG: Lock<crate::log::Queue> =
    unsafe { Lock::new_unchecked(LockId::AuditLog, crate::log::Queue::new()) };

/// The questions that wait for an answer.
// SAFETY: As above.
pub(crate) static QUERIES: Lock<crate::query::Queries> =
    unsafe { Lock::new_unchecked(LockId::Queries, crate::query::Queries::new()) };

/// The policy before the last transaction.
// SAFETY: As above.
pub(super) static PREVIOUS: Lock<Option<Box<Policy>>> =
    unsafe { Lock::new_unchecked(LockId::Previous, None) };

/// The lines that the interface files rejected.
// SAFETY: As above.
pub(crate) static ERRORS: Lock<crate::errors::Errors> =
    unsafe { Lock::new_unchecked(LockId::Errors, crate::errors::Errors::new()) };

/// Held by whoever builds the next snapshot.
// SAFETY: As above.
pub(super) static WRITER: Lock<()> = unsafe { Lock::new_unchecked(LockId::Writer, ()) };
