// SPDX-License-Identifier: GPL-2.0-only

//! The domain of a task as an attribute: lsm_get_self_attr(2) and /proc/PID/attr/sekisho/current.

use super::shims;
use super::task::{self, Blob};
use crate::exec;
use core::ffi::CStr;
use kernel::bindings as b;
use kernel::ffi::c_char;
use kernel::ffi::{c_int, c_uint};
use sekisho_core::mem::Vec;
use sekisho_core::text::Sink;

/// `LSM_ATTR_CURRENT` (include/uapi/linux/lsm.h).
const CURRENT: c_uint = 100;

/// The C side's error numbers.
const NO_SUPPORT: c_int = -(b::EOPNOTSUPP as c_int);
const NO_MEMORY: c_int = -(b::ENOMEM as c_int);
const INVALID: c_int = -(b::EINVAL as c_int);

/// # Safety
///
/// `size` is valid; `context` is null or an address of the caller's memory.
pub(super) unsafe extern "C" fn getselfattr(
    attribute: c_uint,
    context: *mut b::lsm_ctx,
    size: *mut u32,
    _flags: u32,
) -> c_int {
    if attribute != CURRENT {
        return NO_SUPPORT;
    }
    let mut name = Vec::new();
    let copied = exec::with_domain_of(Blob::current(), task::in_execve(), |text| {
        // A C string, as the other modules give.
        name.put(text).and_then(|()| name.put(b"\0"))
    });
    if !matches!(copied, Some(Ok(()))) {
        return NO_MEMORY;
    }
    let length = name.len();
    // SAFETY: By the caller's promise; `name` has `length` bytes.
    let result =
        unsafe { shims::sekisho_fill_context(context.cast(), size, name.as_mut_ptr().cast(), length) };
    // One attribute.
    if result == 0 {
        1
    } else {
        result
    }
}

/// # Safety
///
/// `task`, `name` and `value` are valid. Called under no lock.
pub(super) unsafe extern "C" fn getprocattr(
    task: *mut b::task_struct,
    name: *const c_char,
    value: *mut *mut c_char,
) -> c_int {
    // SAFETY: By the caller's promise.
    let (name, blob) = unsafe { (CStr::from_ptr(name.cast()), Blob::of(task)) };
    if name != c"current" {
        return INVALID;
    }
    // SAFETY: By the caller's promise.
    let in_execve = unsafe { task::is_in_execve(task) };
    let copied = exec::with_domain_of(blob, in_execve, |text| {
        // SAFETY: `text` has that many bytes; the framework frees the copy.
        let copy = unsafe { shims::sekisho_copy_text(text.as_ptr().cast(), text.len()) };
        if copy.is_null() {
            return NO_MEMORY;
        }
        // SAFETY: By the caller's promise.
        unsafe { *value = copy };
        c_int::try_from(text.len()).unwrap_or(0)
    });
    copied.unwrap_or(INVALID)
}
