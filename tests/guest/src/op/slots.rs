// SPDX-License-Identifier: MIT OR Apache-2.0
//! Open files that a subject keeps from one operation to the next, by number.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

static SLOTS: Mutex<BTreeMap<u32, OwnedFd>> = Mutex::new(BTreeMap::new());

fn slots() -> MutexGuard<'static, BTreeMap<u32, OwnedFd>> {
    SLOTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps what was opened; what was in the slot is closed.
pub fn keep(slot: u32, file: OwnedFd) {
    slots().insert(slot, file);
}

/// Closes a slot.
pub fn close(slot: u32) {
    slots().remove(&slot);
}

/// Does something with a slot.
///
/// # Errors
/// EBADF if nothing is in it, else the error of what is done.
pub fn with<T, E: Into<io::Error>>(
    slot: u32,
    act: impl FnOnce(BorrowedFd<'_>) -> Result<T, E>,
) -> io::Result<T> {
    // A duplicate, so that a thread that waits in an operation does not keep the others from theirs.
    let file = match slots().get(&slot) {
        Some(file) => file.try_clone()?,
        None => return Err(io::Error::from_raw_os_error(nix::libc::EBADF)),
    };
    act(file.as_fd()).map_err(Into::into)
}
