// SPDX-License-Identifier: GPL-2.0-only

//! The functions of `glue.c` and `shims.c`; their meaning is documented there.
//!
//! The kernel's structures are `c_void` here: bindgen's are not all FFI-safe by the compiler's rules, and nothing behind these
//! pointers is read in Rust.

use core::ffi::{c_int, c_void};

/// `struct sekisho_path_facts`.
#[repr(C)]
#[derive(Default)]
pub(super) struct PathFacts {
    pub(super) is_dir: u32,
    pub(super) self_depth: u32,
}

extern "C" {
    pub(super) fn sekisho_lock(id: u32);
    pub(super) fn sekisho_unlock(id: u32);
    pub(super) fn sekisho_read_lock() -> c_int;
    pub(super) fn sekisho_read_unlock(index: c_int);
    pub(super) fn sekisho_wait_for_readers();
    pub(super) fn sekisho_schedule_reaper();
    pub(super) fn sekisho_flush_reaper();

    pub(super) fn sekisho_task_blob(task: *mut c_void) -> *mut c_void;
    pub(super) fn sekisho_current_blob() -> *mut c_void;
    pub(super) fn sekisho_in_execve() -> bool;
    pub(super) fn sekisho_task_info(info: *mut sekisho_core::task::Task);
    pub(super) fn sekisho_global_pid() -> u32;
    pub(super) fn sekisho_seconds() -> u64;
    pub(super) fn sekisho_random() -> u64;
    pub(super) fn sekisho_nofs_enter() -> u32;
    pub(super) fn sekisho_nofs_leave(flags: u32);
    pub(super) fn sekisho_buffer_alloc(size: usize) -> *mut c_void;
    pub(super) fn sekisho_buffer_free(buffer: *mut c_void);
    pub(super) fn sekisho_file_path(file: *const c_void) -> *const c_void;
    pub(super) fn sekisho_file_flags(file: *const c_void) -> u32;
    pub(super) fn sekisho_file_mode(file: *const c_void) -> u32;
    pub(super) fn sekisho_file_is_backing(file: *const c_void) -> bool;
    pub(super) fn sekisho_file_is_tmpfile(file: *const c_void) -> bool;
    pub(super) fn sekisho_file_truncates_early(file: *const c_void) -> bool;
    pub(super) fn sekisho_dentry_is_dir(dentry: *const c_void) -> bool;
    pub(super) fn sekisho_has_mount(path: *const c_void) -> bool;
    pub(super) fn sekisho_path_name(
        path: *const c_void,
        buffer: *mut u8,
        size: c_int,
        facts: *mut PathFacts,
    ) -> *mut u8;
    pub(super) fn sekisho_program_path(bprm: *const c_void, program: *mut c_void);
    pub(super) fn sekisho_exe_file() -> *mut c_void;
    pub(super) fn sekisho_put_file(file: *mut c_void);
    pub(super) fn sekisho_put_path(path: *const c_void);
}
