// SPDX-License-Identifier: GPL-2.0-only

//! The C functions of this module (`shims.h`, `glue.c`); their meaning is documented where they are defined.
//!
//! The kernel's structures are `c_void` here: bindgen's are not all FFI-safe by the compiler's rules, and nothing behind these
//! pointers is read in Rust.

use core::ffi::{c_int, c_ulong, c_void};
use kernel::ffi::c_char;
use sekisho_core::task::Task;

/// `struct sekisho_path_facts`.
#[repr(C)]
#[derive(Default)]
pub(super) struct PathFacts {
    pub(super) is_dir: u32,
    pub(super) self_depth: u32,
}

/// `struct sekisho_attributes`.
#[repr(C)]
#[derive(Default)]
pub(super) struct RawAttributes {
    pub(super) ino: u64,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) mode: u32,
    pub(super) dev_major: u32,
    pub(super) dev_minor: u32,
}

/// `struct sekisho_mount`; the strings live as long as the mount.
#[repr(C)]
pub(super) struct RawMount {
    pub(super) kind: *const c_char,
    pub(super) device: *const c_char,
    pub(super) attached: bool,
    pub(super) whole: bool,
    pub(super) shown: bool,
    pub(super) has_mounts: bool,
    pub(super) needs_device: bool,
    pub(super) flags: u32,
    pub(super) major: u32,
    pub(super) minor: u32,
}

/// `struct sekisho_inet`.
#[repr(C)]
#[derive(Default)]
pub(super) struct RawInet {
    pub(super) family: u16,
    pub(super) port: u16,
    pub(super) bytes: [u8; 16],
}

/// `struct sekisho_socket`.
#[repr(C)]
#[derive(Default)]
pub(super) struct RawSocket {
    pub(super) family: u32,
    pub(super) kind: u32,
    pub(super) protocol: u32,
    pub(super) kernel: bool,
}

// glue.c
extern "C" {
    pub(super) fn sekisho_lock(id: u32);
    pub(super) fn sekisho_unlock(id: u32);
    pub(super) fn sekisho_read_lock() -> c_int;
    pub(super) fn sekisho_read_unlock(index: c_int);
    pub(super) fn sekisho_wait_for_readers();
    pub(super) fn sekisho_schedule_reaper();
    pub(super) fn sekisho_flush_reaper();
}

// shims.c
extern "C" {
    pub(super) fn sekisho_random() -> u64;
    pub(super) fn sekisho_seconds() -> u64;
    pub(super) fn sekisho_nofs_enter() -> u32;
    pub(super) fn sekisho_nofs_leave(flags: u32);
    pub(super) fn sekisho_buffer_alloc(size: usize) -> *mut c_void;
    pub(super) fn sekisho_buffer_free(buffer: *mut c_void, size: usize);
    pub(super) fn sekisho_refill_buffers();
    pub(super) fn sekisho_machine_memory() -> c_ulong;
    pub(super) fn sekisho_breathe() -> bool;
}

// waiting.c
extern "C" {
    pub(super) fn sekisho_may_wait() -> bool;
    pub(super) fn sekisho_open_place(file: *const c_void) -> u32;
    pub(super) fn sekisho_hash(bytes: *const c_void, size: usize) -> u64;
    pub(super) fn sekisho_call_id() -> u64;
    pub(super) fn sekisho_wait_later() -> bool;
    pub(super) fn sekisho_now() -> u64;
    pub(super) fn sekisho_tenths(count: u32) -> u64;
    pub(super) fn sekisho_sleep(word: *const u32, end: u64) -> bool;
    pub(super) fn sekisho_current() -> *mut c_void;
    pub(super) fn sekisho_wake_task(task: *mut c_void);
}

// path.c
extern "C" {
    pub(super) fn sekisho_file_path(file: *const c_void) -> *const c_void;
    pub(super) fn sekisho_file_flags(file: *const c_void) -> u32;
    pub(super) fn sekisho_file_mode(file: *const c_void) -> u32;
    pub(super) fn sekisho_file_is_internal(file: *const c_void) -> bool;
    pub(super) fn sekisho_file_is_tmpfile(file: *const c_void) -> bool;
    pub(super) fn sekisho_file_truncates_early(file: *const c_void) -> bool;
    pub(super) fn sekisho_file_is_program(file: *const c_void) -> bool;
    pub(super) fn sekisho_shared_file(area: *const c_void) -> *mut c_void;
    pub(super) fn sekisho_dentry_is_dir(dentry: *const c_void) -> bool;
    pub(super) fn sekisho_has_mount(path: *const c_void) -> bool;
    pub(super) fn sekisho_path_name(
        path: *const c_void,
        locked: bool,
        buffer: *mut u8,
        size: c_int,
        facts: *mut PathFacts,
    ) -> *mut u8;
    pub(super) fn sekisho_put_path(path: *const c_void);
    pub(super) fn sekisho_put_file(file: *mut c_void);
    pub(super) fn sekisho_path_attributes(path: *const c_void, out: *mut RawAttributes) -> bool;
    pub(super) fn sekisho_parent_attributes(path: *const c_void, out: *mut RawAttributes) -> bool;
    pub(super) fn sekisho_dev_major(dev: u32) -> u32;
    pub(super) fn sekisho_dev_minor(dev: u32) -> u32;
    #[cfg(CONFIG_IO_URING)]
    pub(super) fn sekisho_uring_file(command: *const c_void) -> *mut c_void;
    #[cfg(CONFIG_IO_URING)]
    pub(super) fn sekisho_uring_operation(command: *const c_void) -> u32;
    pub(super) fn sekisho_lookup(name: *const c_char, links: bool, path: *mut c_void) -> c_int;
    pub(super) fn sekisho_root(path: *mut c_void);
    pub(super) fn sekisho_filesystem_kind(name: *const c_char) -> u32;
    pub(super) fn sekisho_conceals(path: *const c_void) -> bool;
    pub(super) fn sekisho_mount_root(mnt: *const c_void) -> *mut c_void;
    pub(super) fn sekisho_describe_mount(path: *const c_void, out: *mut RawMount);
    pub(super) fn sekisho_super_name(sb: *const c_void, buffer: *mut u8, size: c_int) -> *mut u8;
}

// program.c
extern "C" {
    pub(super) fn sekisho_program_started(bprm: *const c_void);
    pub(super) fn sekisho_program_inherited(child: *mut c_void);
    pub(super) fn sekisho_program_forgotten(task: *mut c_void);
    pub(super) fn sekisho_exe_file() -> *mut c_void;
    pub(super) fn sekisho_other_exe_file(task: *mut c_void) -> *mut c_void;
}

// task.c
extern "C" {
    pub(super) fn sekisho_task_blob(task: *mut c_void) -> *mut c_void;
    pub(super) fn sekisho_current_blob() -> *mut c_void;
    pub(super) fn sekisho_in_execve() -> bool;
    pub(super) fn sekisho_task_in_execve(task: *const c_void) -> bool;
    pub(super) fn sekisho_task_info(info: *mut Task);
    pub(super) fn sekisho_other_task_info(task: *mut c_void, info: *mut Task);
    pub(super) fn sekisho_global_pid() -> u32;
    pub(super) fn sekisho_has_mknod() -> bool;
    pub(super) fn sekisho_may_mount() -> bool;
    pub(super) fn sekisho_end_workers();
    pub(super) fn sekisho_process_id(out: *mut super::task::Running);
    pub(super) fn sekisho_is_user_task() -> bool;
    pub(super) fn sekisho_own_cred() -> *const c_void;
    pub(super) fn sekisho_same_process(task: *mut c_void) -> bool;
    pub(super) fn sekisho_signal_is_from_user(info: *const c_void) -> bool;
    pub(super) fn sekisho_call() -> u32;
    pub(super) fn sekisho_defer_to_task(deferred: *mut c_void) -> bool;
    pub(super) fn sekisho_defer(deferred: *mut c_void);
    pub(super) fn sekisho_flush_deferred();
    pub(super) fn sekisho_copy_text(text: *const u8, length: usize) -> *mut c_char;
    pub(super) fn sekisho_fill_context(
        context: *mut c_void,
        size: *mut u32,
        text: *mut c_void,
        length: usize,
    ) -> c_int;
}

// exec.c
extern "C" {
    pub(super) fn sekisho_program_path(bprm: *const c_void, program: *mut c_void);
    pub(super) fn sekisho_named_path(name: *const c_char, file: *const c_void, program: *mut c_void);
    pub(super) fn sekisho_bprm_path(bprm: *const c_void) -> *const c_void;
    pub(super) fn sekisho_bprm_filename(bprm: *const c_void) -> *const c_char;
    pub(super) fn sekisho_bprm_start(bprm: *const c_void, argc: *mut u32, envc: *mut u32) -> c_ulong;
    pub(super) fn sekisho_bprm_size(bprm: *const c_void) -> c_ulong;
    pub(super) fn sekisho_bprm_copy(bprm: *const c_void, position: c_ulong, out: *mut u8, size: u32) -> bool;
    pub(super) fn sekisho_bprm_merge_environment(bprm: *mut c_void);
    pub(super) fn sekisho_bprm_push(bprm: *mut c_void, text: *const c_char) -> c_int;
    pub(super) fn sekisho_open_program(name: *const c_char) -> *mut c_void;
    pub(super) fn sekisho_close_program(file: *mut c_void);
    pub(super) fn sekisho_bprm_replace(bprm: *mut c_void, file: *mut c_void, name: *const c_char) -> c_int;
}

// fowner.c
extern "C" {
    pub(super) fn sekisho_set_fowner(file: *const c_void, domain: u64, task: *const Task);
    pub(super) fn sekisho_get_fowner(
        file: *const c_void,
        target: *mut c_void,
        domain: *mut u64,
        task: *mut Task,
        own: *mut bool,
    ) -> bool;
    pub(super) fn sekisho_fowner_file(owner: *const c_void) -> *const c_void;
}

// net.c
extern "C" {
    pub(super) fn sekisho_socket_sk(socket: *const c_void) -> *mut c_void;
    pub(super) fn sekisho_describe_socket(sk: *const c_void, out: *mut RawSocket);
    pub(super) fn sekisho_sock_set_owner(sk: *mut c_void, domain: u64, task: *const Task);
    pub(super) fn sekisho_sock_owner(sk: *mut c_void, task: *mut Task) -> u64;
    pub(super) fn sekisho_sock_standing(sk: *const c_void) -> u32;
    pub(super) fn sekisho_sock_set_standing(sk: *mut c_void, standing: u32);
    pub(super) fn sekisho_sock_refuse_packet(sk: *mut c_void);
    pub(super) fn sekisho_sock_before_send(sk: *mut c_void);
    pub(super) fn sekisho_sock_owes_error(sk: *mut c_void) -> bool;
    pub(super) fn sekisho_sock_judged(sk: *const c_void) -> u32;
    pub(super) fn sekisho_sock_set_judged(sk: *mut c_void, policy: u32);
    pub(super) fn sekisho_sock_note_judged(sk: *mut c_void, domain: u64, policy: u32);
    pub(super) fn sekisho_judge_queue(sk: *mut c_void, judge: *const c_void);
    pub(super) fn sekisho_sock_hold(sk: *mut c_void);
    pub(super) fn sekisho_sock_put(sk: *mut c_void);
    pub(super) fn sekisho_address(
        sk: *const c_void,
        address: *const c_void,
        length: c_int,
        unspec: bool,
        out: *mut RawInet,
    ) -> bool;
    pub(super) fn sekisho_is_unspec(address: *const c_void, length: c_int) -> bool;
    pub(super) fn sekisho_message_address(message: *const c_void, length: *mut c_int) -> *const c_void;
    pub(super) fn sekisho_message_opens(message: *const c_void) -> bool;
    pub(super) fn sekisho_local_address(sk: *const c_void, out: *mut RawInet) -> bool;
    pub(super) fn sekisho_peer_address(sk: *const c_void, out: *mut RawInet) -> bool;
    pub(super) fn sekisho_raw_protocol(sk: *const c_void) -> u32;
    pub(super) fn sekisho_packet_source(sk: *const c_void, skb: *const c_void, out: *mut RawInet) -> bool;
    pub(super) fn sekisho_abort_accepted(sk: *mut c_void, called: bool);
    pub(super) fn sekisho_set_autobind(ranges: *const [u16; 2], count: usize);
}
