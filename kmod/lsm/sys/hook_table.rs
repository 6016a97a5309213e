// SPDX-License-Identifier: GPL-2.0-only

//! The table of hooks, and one thin function a hook that turns raw pointers into the types of this layer.
//!
//! The table's types come from the kernel's own header through bindgen, so a hook whose signature changes fails to compile.

use super::path::{self, File, Path};
use super::snapshot;
use super::task::Blob;
use crate::{exec, hooks, Errno, Result};
use core::cell::UnsafeCell;
use core::ptr::{addr_of, null};
use kernel::bindings as b;
use kernel::ffi::{c_int, c_uint, c_ulong};

/// The return value of a hook.
fn errno(result: Result) -> c_int {
    match result {
        Ok(()) => 0,
        Err(error) => (error as c_int).wrapping_neg(),
    }
}

// In all hooks the framework passes valid pointers that live until the hook returns.

unsafe extern "C" fn file_open(file: *mut b::file) -> c_int {
    // SAFETY: See above.
    errno(hooks::file_open(&unsafe { File::from_raw(file) }))
}

unsafe extern "C" fn file_truncate(file: *mut b::file) -> c_int {
    // SAFETY: See above.
    errno(hooks::truncate(&unsafe { File::from_raw(file) }.path()))
}

unsafe extern "C" fn path_truncate(path: *const b::path) -> c_int {
    // SAFETY: See above.
    errno(hooks::truncate(&unsafe { Path::from_raw(path) }))
}

unsafe extern "C" fn path_unlink(dir: *const b::path, dentry: *mut b::dentry) -> c_int {
    // SAFETY: See above.
    errno(hooks::unlink(&unsafe { Path::child(dir, dentry) }))
}

unsafe extern "C" fn path_rmdir(dir: *const b::path, dentry: *mut b::dentry) -> c_int {
    // SAFETY: See above.
    errno(hooks::rmdir(&unsafe { Path::child(dir, dentry) }))
}

unsafe extern "C" fn path_mkdir(dir: *const b::path, dentry: *mut b::dentry, mode: b::umode_t) -> c_int {
    // SAFETY: See above.
    errno(hooks::mkdir(&unsafe { Path::child(dir, dentry) }, mode))
}

unsafe extern "C" fn path_mknod(
    dir: *const b::path,
    dentry: *mut b::dentry,
    mode: b::umode_t,
    _dev: c_uint,
) -> c_int {
    // SAFETY: See above.
    errno(hooks::mknod(&unsafe { Path::child(dir, dentry) }, mode))
}

unsafe extern "C" fn path_rename(
    old_dir: *const b::path,
    old_dentry: *mut b::dentry,
    new_dir: *const b::path,
    new_dentry: *mut b::dentry,
    flags: c_uint,
) -> c_int {
    // SAFETY: See above.
    let (old, new) = unsafe { (Path::child(old_dir, old_dentry), Path::child(new_dir, new_dentry)) };
    errno(hooks::rename(&old, &new, flags))
}

unsafe extern "C" fn task_alloc(task: *mut b::task_struct, _clone_flags: c_ulong) -> c_int {
    // SAFETY: See above; the new task's blob has been allocated.
    exec::task_alloc(unsafe { Blob::of(task) });
    0
}

unsafe extern "C" fn task_free(task: *mut b::task_struct) {
    // SAFETY: See above.
    exec::task_free(unsafe { Blob::of(task) });
}

unsafe extern "C" fn bprm_creds_for_exec(bprm: *mut b::linux_binprm) -> c_int {
    errno(exec::begin(|then| {
        // SAFETY: See above.
        unsafe { path::with_program_name(bprm, |name| then(name)) }
    }))
}

unsafe extern "C" fn bprm_committed_creds(_bprm: *const b::linux_binprm) {
    exec::succeeded();
}

/// Written by the framework while it starts, read-only afterwards.
#[repr(transparent)]
struct Table<const N: usize>(UnsafeCell<[b::security_hook_list; N]>);

// SAFETY: Only `sekisho_rs_add_hooks` touches the table, once, while the kernel has a single task.
unsafe impl<const N: usize> Sync for Table<N> {}

macro_rules! hook_table {
    ($($hook:ident),* $(,)?) => {
        const HOOK_COUNT: usize = [$(stringify!($hook)),*].len();

        #[link_section = ".data..ro_after_init"]
        static HOOKS: Table<HOOK_COUNT> = Table(UnsafeCell::new([$(b::security_hook_list {
            // SAFETY: Only the address of the C table is taken.
            scalls: unsafe { addr_of!(b::static_calls_table.$hook) }.cast::<b::lsm_static_call>().cast_mut(),
            hook: b::security_list_options { $hook: Some($hook) },
            lsmid: null(),
        }),*]));
    };
}

hook_table!(
    bprm_committed_creds,
    bprm_creds_for_exec,
    file_open,
    file_truncate,
    path_mkdir,
    path_mknod,
    path_rename,
    path_rmdir,
    path_truncate,
    path_unlink,
    task_alloc,
    task_free,
);

/// Prepares the empty policy. Called once, from `sekisho_init()`.
#[no_mangle]
#[link_section = ".init.text"]
extern "C" fn sekisho_rs_init() -> c_int {
    errno(snapshot::init())
}

/// # Safety
///
/// Called once, from `sekisho_init()`, after `sekisho_rs_init()` has succeeded; `id` lives for ever.
#[no_mangle]
#[link_section = ".init.text"]
unsafe extern "C" fn sekisho_rs_add_hooks(id: *const b::lsm_id) {
    // SAFETY: The table is writable during initialisation and lives for ever.
    unsafe { b::security_add_hooks(HOOKS.0.get().cast(), HOOK_COUNT as c_int, id) };
}

const _: () =
    assert!(Errno::Perm as c_int == b::EPERM as c_int && Errno::NoMem as c_int == b::ENOMEM as c_int);
// The C side prints it when it starts.
#[no_mangle]
static sekisho_rs_version: [u8; sekisho_core::VERSION.len() + 1] = {
    let mut text = [0; sekisho_core::VERSION.len() + 1];
    let mut at = 0;
    while at < sekisho_core::VERSION.len() {
        text[at] = sekisho_core::VERSION.as_bytes()[at];
        at += 1;
    }
    text
};
