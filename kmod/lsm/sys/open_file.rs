// SPDX-License-Identifier: GPL-2.0-only

//! The C side's file operations end here: a pointer to an [`OpenFile`] and the caller's buffer.
//!
//! The C side holds the open file's mutex during read and write and calls release once, when no call is under way.

use super::files::{FileInfo, NO_WAIT};
use crate::interface::{file_type, OpenFile};
use crate::{Errno, Result};
use core::ffi::{c_int, c_void};
use kernel::alloc::{flags::GFP_KERNEL, KBox};
use kernel::uaccess::{UserSlice, UserSliceReader, UserSliceWriter};

/// The buffer that a read fills.
pub(crate) struct UserOutput(UserSliceWriter);

impl UserOutput {
    /// Room that is left, in bytes.
    pub(crate) fn room(&self) -> usize {
        self.0.len()
    }

    /// Copies bytes out; they must not be more than [`Self::room`].
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result {
        self.0.write_slice(bytes).map_err(|_| Errno::Fault)
    }
}

/// The buffer that a write brings.
pub(crate) struct UserInput(UserSliceReader);

impl UserInput {
    /// Bytes that are left.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    /// Copies the next bytes in; they must not be more than [`Self::left`].
    pub(crate) fn take(&mut self, bytes: &mut [u8]) -> Result {
        self.0.read_slice(bytes).map_err(|_| Errno::Fault)
    }
}

fn count(result: Result<usize>) -> isize {
    match result {
        Ok(count) => isize::try_from(count).unwrap_or(isize::MAX),
        Err(error) => (error as isize).wrapping_neg(),
    }
}

/// Tells the C side about one file; false when there are no more.
///
/// # Safety
///
/// `info` is writable.
#[no_mangle]
unsafe extern "C" fn sekisho_rs_file(index: u32, info: *mut FileInfo) -> bool {
    let Some(file) = file_type(index) else { return false };
    let filled = FileInfo {
        name: file.name.as_ptr(),
        mode: file.mode.into(),
        is_feature: file.is_feature.into(),
        wait: file.wait.map_or(NO_WAIT, |wait| wait as u32),
    };
    // SAFETY: By the caller's promise.
    unsafe { info.write(filled) };
    true
}

/// # Safety
///
/// `state` is writable.
#[no_mangle]
unsafe extern "C" fn sekisho_rs_open(index: u32, write: bool, state: *mut *mut c_void) -> c_int {
    let opened = file_type(index)
        .ok_or(Errno::Inval)
        .and_then(|file| OpenFile::open(file, write))
        .and_then(|file| KBox::new(file, GFP_KERNEL).map_err(|_| Errno::NoMem));
    match opened {
        Ok(file) => {
            // SAFETY: By the caller's promise.
            unsafe { *state = KBox::into_raw(file).cast() };
            0
        }
        Err(error) => (error as c_int).wrapping_neg(),
    }
}

/// # Safety
///
/// `state` comes from `sekisho_rs_open` and is not used by another call at the same time.
#[no_mangle]
unsafe extern "C" fn sekisho_rs_read(state: *mut c_void, buffer: usize, size: usize) -> isize {
    // SAFETY: By the caller's promise.
    let file = unsafe { &mut *state.cast::<OpenFile>() };
    count(file.read(&mut UserOutput(UserSlice::new(buffer, size).writer())))
}

/// Whether a record has been read in part.
///
/// # Safety
///
/// As for `sekisho_rs_read`.
#[no_mangle]
unsafe extern "C" fn sekisho_rs_has_rest(state: *mut c_void) -> bool {
    // SAFETY: By the caller's promise.
    unsafe { &*state.cast::<OpenFile>() }.has_rest()
}

/// # Safety
///
/// As for `sekisho_rs_read`.
#[no_mangle]
unsafe extern "C" fn sekisho_rs_write(state: *mut c_void, buffer: usize, size: usize) -> isize {
    // SAFETY: By the caller's promise.
    let file = unsafe { &mut *state.cast::<OpenFile>() };
    count(file.write(&mut UserInput(UserSlice::new(buffer, size).reader())))
}

/// # Safety
///
/// `state` comes from `sekisho_rs_open` and is not used afterwards.
#[no_mangle]
unsafe extern "C" fn sekisho_rs_release(state: *mut c_void) {
    // SAFETY: By the caller's promise.
    drop(unsafe { KBox::from_raw(state.cast::<OpenFile>()) });
}
