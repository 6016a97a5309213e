// SPDX-License-Identifier: GPL-2.0-only

//! The table of hooks, and one thin function a hook that turns raw pointers into the types of this layer.
//!
//! The table's types come from the kernel's own header through bindgen, so a hook whose signature changes fails to compile.

use super::bprm::Bprm;
use super::file::File;
use super::net::{Borrowed, Given, Packet};
use super::path::{text, Path, Super};
use super::task::{self, Blob};
use super::{attributes, fowner, shims, snapshot};
use crate::hooks::file::Through;
use crate::hooks::{capability, directory, file, mount, network, signal};
use crate::waiting::{self, Place};
use crate::{ask, exec, quota, Errno, Result};
use core::cell::UnsafeCell;
use core::ptr::{addr_of, null};
use kernel::bindings as b;
use kernel::ffi::{c_char, c_int, c_uint, c_ulong, c_void};

/// The return value of a hook.
fn errno(result: Result) -> c_int {
    match result {
        Ok(()) => 0,
        Err(error) => (error as c_int).wrapping_neg(),
    }
}

/// A hook that runs with something locked that others need: a directory, an inode, or the file system against freezing.
#[inline]
fn locked(hook: impl FnOnce() -> Result) -> c_int {
    errno(if ask::is_active() { waiting::at(Place::Later, hook) } else { Ok(()) })
}

/// A hook that may not wait: what was done before it cannot be done again.
fn at_once(hook: impl FnOnce() -> Result) -> c_int {
    errno(if ask::is_active() { waiting::at(Place::Never, hook) } else { Ok(()) })
}

// In all hooks the framework passes valid pointers that live until the hook returns.

unsafe extern "C" fn file_open(raw: *mut b::file) -> c_int {
    // SAFETY: See above.
    errno(file::open(&unsafe { File::from_raw(raw) }))
}

unsafe extern "C" fn file_truncate(raw: *mut b::file) -> c_int {
    // SAFETY: See above.
    locked(|| file::truncate(&unsafe { File::from_raw(raw) }.path()))
}

unsafe extern "C" fn path_truncate(path: *const b::path) -> c_int {
    // SAFETY: See above.
    locked(|| file::truncate(&unsafe { Path::from_raw(path) }))
}

unsafe extern "C" fn file_fcntl(raw: *mut b::file, command: c_uint, argument: c_ulong) -> c_int {
    // SAFETY: See above.
    errno(file::fcntl(&unsafe { File::from_raw(raw) }, command, argument as usize))
}

unsafe extern "C" fn file_ioctl(raw: *mut b::file, command: c_uint, _argument: c_ulong) -> c_int {
    // SAFETY: See above.
    errno(file::ioctl(&unsafe { File::from_raw(raw) }, command, Through::Ioctl))
}

unsafe extern "C" fn file_ioctl_compat(raw: *mut b::file, command: c_uint, _argument: c_ulong) -> c_int {
    // SAFETY: See above.
    errno(file::ioctl(&unsafe { File::from_raw(raw) }, command, Through::CompatIoctl))
}

unsafe extern "C" fn mmap_file(
    raw: *mut b::file,
    _asked: c_ulong,
    protection: c_ulong,
    flags: c_ulong,
) -> c_int {
    if raw.is_null() {
        return 0;
    }
    // SAFETY: See above.
    errno(file::map(&unsafe { File::from_raw(raw) }, protection as usize, flags as usize))
}

unsafe extern "C" fn file_mprotect(
    area: *mut b::vm_area_struct,
    _asked: c_ulong,
    protection: c_ulong,
) -> c_int {
    // SAFETY: See above.
    let shared = unsafe { File::shared_by(area) };
    shared.map_or(0, |file| locked(|| file::protect(&file, protection as usize)))
}

unsafe extern "C" fn file_set_fowner(raw: *mut b::file) {
    let domain = exec::current_domain(&snapshot::read());
    // SAFETY: See above.
    unsafe { fowner::set(raw, domain) }
}

unsafe extern "C" fn file_send_sigiotask(
    target: *mut b::task_struct,
    owner: *mut b::fown_struct,
    number: c_int,
) -> c_int {
    if !ask::is_active() {
        return 0;
    }
    // SAFETY: See above.
    let (setter, domain) = unsafe {
        let domain = exec::domain_of(Blob::of(target), task::is_in_execve(target));
        (fowner::get(owner, target), domain)
    };
    errno(signal::from_file(setter.as_ref(), domain, number as u16))
}

#[cfg(CONFIG_IO_URING)]
unsafe extern "C" fn uring_cmd(command: *mut b::io_uring_cmd) -> c_int {
    // SAFETY: See above.
    let (file, number) = unsafe { File::from_uring(command.cast_const().cast()) };
    at_once(|| file::ioctl(&file, number, Through::IoUring))
}

unsafe extern "C" fn path_unlink(dir: *const b::path, dentry: *mut b::dentry) -> c_int {
    // SAFETY: See above.
    locked(|| directory::unlink(&unsafe { Path::child(dir, dentry) }))
}

unsafe extern "C" fn path_rmdir(dir: *const b::path, dentry: *mut b::dentry) -> c_int {
    // SAFETY: See above.
    locked(|| directory::rmdir(&unsafe { Path::child(dir, dentry) }))
}

unsafe extern "C" fn path_mkdir(dir: *const b::path, dentry: *mut b::dentry, mode: b::umode_t) -> c_int {
    // SAFETY: See above.
    locked(|| directory::mkdir(&unsafe { Path::child(dir, dentry) }, mode))
}

unsafe extern "C" fn path_mknod(
    dir: *const b::path,
    dentry: *mut b::dentry,
    mode: b::umode_t,
    dev: c_uint,
) -> c_int {
    // SAFETY: See above.
    locked(|| directory::mknod(&unsafe { Path::child(dir, dentry) }, mode, dev))
}

unsafe extern "C" fn path_symlink(
    dir: *const b::path,
    dentry: *mut b::dentry,
    target: *const c_char,
) -> c_int {
    // SAFETY: See above.
    let (path, target) = unsafe { (Path::child(dir, dentry), text(target)) };
    locked(|| directory::symlink(&path, target.to_bytes()))
}

unsafe extern "C" fn path_link(old: *mut b::dentry, dir: *const b::path, new: *mut b::dentry) -> c_int {
    // SAFETY: See above.
    let (old, new) = unsafe { (Path::child(dir, old), Path::child(dir, new)) };
    locked(|| directory::link(&old, &new))
}

unsafe extern "C" fn path_rename(
    old_dir: *const b::path,
    old: *mut b::dentry,
    new_dir: *const b::path,
    new: *mut b::dentry,
    flags: c_uint,
) -> c_int {
    // SAFETY: See above.
    let (old, new) = unsafe { (Path::child(old_dir, old), Path::child(new_dir, new)) };
    locked(|| directory::rename(&old, &new, flags))
}

unsafe extern "C" fn path_chmod(path: *const b::path, mode: b::umode_t) -> c_int {
    // SAFETY: See above; fs/open.c holds the inode's lock.
    locked(|| directory::chmod(&unsafe { Path::from_locked(path) }, mode))
}

unsafe extern "C" fn path_chown(path: *const b::path, uid: b::kuid_t, gid: b::kgid_t) -> c_int {
    // SAFETY: See above; fs/open.c holds the inode's lock.
    let path = unsafe { Path::from_locked(path) };
    let given = |id: u32| (id != u32::MAX).then_some(id);
    locked(|| directory::chown(&path, given(uid.val), given(gid.val)))
}

unsafe extern "C" fn path_chroot(path: *const b::path) -> c_int {
    // SAFETY: See above.
    errno(mount::chroot(&unsafe { Path::from_raw(path) }))
}

unsafe extern "C" fn sb_mount(
    device: *const c_char,
    dir: *const b::path,
    kind: *const c_char,
    flags: c_ulong,
    _data: *mut c_void,
) -> c_int {
    // SAFETY: See above.
    let (device, dir, kind) = unsafe { (optional(device), Path::from_raw(dir), optional(kind)) };
    errno(mount::mount(device, &dir, kind, flags as u32))
}

unsafe extern "C" fn sb_umount(mnt: *mut b::vfsmount, _flags: c_int) -> c_int {
    // SAFETY: See above.
    errno(mount::umount(&unsafe { Path::mount_root(mnt) }))
}

unsafe extern "C" fn sb_pivotroot(old: *const b::path, new: *const b::path) -> c_int {
    // SAFETY: See above.
    let (new_root, put_old) = unsafe { (Path::from_raw(new), Path::from_raw(old)) };
    errno(mount::pivot_root(&new_root, &put_old))
}

unsafe extern "C" fn move_mount(from: *const b::path, to: *const b::path) -> c_int {
    // SAFETY: See above.
    let (from, to) = unsafe { (Path::from_raw(from), Path::from_raw(to)) };
    errno(mount::move_mount(&from, &to))
}

unsafe extern "C" fn sb_kern_mount(_sb: *const b::super_block) -> c_int {
    at_once(mount::create)
}

unsafe extern "C" fn sb_remount(sb: *mut b::super_block, _options: *mut c_void) -> c_int {
    // SAFETY: See above.
    at_once(|| mount::reconfigure(&unsafe { Super::from_raw(sb) }))
}

unsafe extern "C" fn socket_create(family: c_int, kind: c_int, _protocol: c_int, kernel: c_int) -> c_int {
    errno(network::create(family as u32, kind as u32, kernel != 0))
}

unsafe extern "C" fn socket_post_create(
    socket: *mut b::socket,
    _family: c_int,
    _kind: c_int,
    _protocol: c_int,
    _kernel: c_int,
) -> c_int {
    // SAFETY: See above.
    if let Some(sock) = unsafe { Borrowed::from_socket(socket) } {
        network::created(&sock);
    }
    0
}

unsafe extern "C" fn socket_bind(socket: *mut b::socket, address: *mut b::sockaddr, length: c_int) -> c_int {
    // SAFETY: See above.
    let Some(sock) = (unsafe { Borrowed::from_socket(socket) }) else { return 0 };
    // SAFETY: See above.
    errno(network::bind(&sock, &unsafe { Given::from_raw(address, length) }))
}

unsafe extern "C" fn socket_connect(
    socket: *mut b::socket,
    address: *mut b::sockaddr,
    length: c_int,
) -> c_int {
    // SAFETY: See above.
    let Some(sock) = (unsafe { Borrowed::from_socket(socket) }) else { return 0 };
    // SAFETY: See above.
    errno(network::connect(&sock, &unsafe { Given::from_raw(address, length) }))
}

unsafe extern "C" fn socket_listen(socket: *mut b::socket, _backlog: c_int) -> c_int {
    // SAFETY: See above.
    let Some(sock) = (unsafe { Borrowed::from_socket(socket) }) else { return 0 };
    // SAFETY: See above.
    errno(network::listen(&sock))
}

unsafe extern "C" fn socket_sendmsg(socket: *mut b::socket, message: *mut b::msghdr, _size: c_int) -> c_int {
    // SAFETY: See above.
    let Some(sock) = (unsafe { Borrowed::from_socket(socket) }) else { return 0 };
    // SAFETY: See above.
    let (given, opens) = unsafe { Given::from_message(message) };
    errno(network::send(&sock, &given, opens))
}

unsafe extern "C" fn socket_recvmsg(
    socket: *mut b::socket,
    _message: *mut b::msghdr,
    _size: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: See above.
    let Some(sock) = (unsafe { Borrowed::from_socket(socket) }) else { return 0 };
    errno(network::receive(&sock, flags as u32))
}

unsafe extern "C" fn sock_graft(sk: *mut b::sock, _parent: *mut b::socket) {
    // SAFETY: See above.
    if let Some(sock) = unsafe { Borrowed::from_sk(sk) } {
        network::accepted(&sock);
    }
}

unsafe extern "C" fn socket_sock_rcv_skb(sk: *mut b::sock, skb: *mut b::sk_buff) -> c_int {
    // SAFETY: See above.
    let (sock, packet) = unsafe { (Borrowed::from_sk(sk), Packet::from_raw(skb)) };
    sock.map_or(0, |sock| errno(network::arrived(&sock, &packet)))
}

unsafe extern "C" fn task_kill(
    target: *mut b::task_struct,
    info: *mut b::kernel_siginfo,
    number: c_int,
    cred: *const b::cred,
) -> c_int {
    // SAFETY: See above.
    let (domain, own, from_user) = unsafe {
        let domain = exec::domain_of(Blob::of(target), task::is_in_execve(target));
        (domain, task::is_same_process(target), task::is_from_user(info))
    };
    // Signals of drivers carry credentials of their own; the kernel and terminals are not asked (reference 4.11).
    if !from_user || !cred.is_null() {
        return 0;
    }
    errno(signal::kill(domain, own, number as u16))
}

unsafe extern "C" fn capable(
    cred: *const b::cred,
    _ns: *mut b::user_namespace,
    number: c_int,
    options: c_uint,
) -> c_int {
    if task::is_borrowed(cred) {
        return 0;
    }
    errno(capability::capable(number as u32, options))
}

unsafe extern "C" fn ptrace_access_check(_child: *mut b::task_struct, mode: c_uint) -> c_int {
    errno(capability::ptrace(mode))
}

unsafe extern "C" fn ptrace_traceme(_parent: *mut b::task_struct) -> c_int {
    errno(capability::traceme())
}

unsafe extern "C" fn task_setnice(_task: *mut b::task_struct, _nice: c_int) -> c_int {
    errno(capability::setnice())
}

unsafe extern "C" fn task_setscheduler(_task: *mut b::task_struct) -> c_int {
    errno(capability::setscheduler())
}

unsafe extern "C" fn task_setrlimit(
    target: *mut b::task_struct,
    resource: c_uint,
    _limit: *mut b::rlimit,
) -> c_int {
    // SAFETY: See above.
    let (domain, own) = unsafe {
        (exec::domain_of(Blob::of(target), task::is_in_execve(target)), task::is_same_process(target))
    };
    errno(signal::limit(domain, own, resource))
}

unsafe extern "C" fn settime(_time: *const b::timespec64, _zone: *const b::timezone) -> c_int {
    errno(capability::settime())
}

unsafe extern "C" fn task_alloc(task: *mut b::task_struct, _clone_flags: c_ulong) -> c_int {
    // SAFETY: See above.
    exec::task_alloc(unsafe { Blob::of(task) });
    // SAFETY: See above.
    unsafe { shims::sekisho_program_inherited(task.cast()) };
    0
}

unsafe extern "C" fn task_free(task: *mut b::task_struct) {
    // SAFETY: See above.
    exec::task_free(unsafe { Blob::of(task) });
    // SAFETY: See above.
    unsafe { shims::sekisho_program_forgotten(task.cast()) };
}

unsafe extern "C" fn bprm_creds_for_exec(bprm: *mut b::linux_binprm) -> c_int {
    // SAFETY: See above.
    errno(exec::begin(&unsafe { Bprm::from_raw(bprm) }))
}

unsafe extern "C" fn bprm_committed_creds(bprm: *const b::linux_binprm) {
    exec::succeeded();
    // SAFETY: See above.
    unsafe { shims::sekisho_program_started(bprm.cast()) };
}

#[expect(
    improper_ctypes,
    reason = "pointers to structures of the kernel, as bindgen sees them, of which nothing is read here"
)]
extern "C" {
    fn sekisho_kernel_load_data(id: b::kernel_load_data_id, contents: bool) -> c_int;
    fn sekisho_kernel_read_file(file: *mut b::file, id: b::kernel_read_file_id, contents: bool) -> c_int;
    fn sekisho_sk_alloc_security(sk: *mut b::sock, family: c_int, priority: b::gfp_t) -> c_int;
    fn sekisho_file_free_security(file: *mut b::file);
    fn sekisho_task_prctl(option: c_int, arg2: c_ulong, arg3: c_ulong, arg4: c_ulong, arg5: c_ulong)
        -> c_int;
}

/// Called by the two hooks of task.c for what the kernel reads.
#[no_mangle]
extern "C" fn sekisho_rs_kernel_loads(module: bool, kexec: bool) -> c_int {
    errno(capability::kernel_loads(module, kexec))
}

/// # Safety
///
/// `text` is null or a string that lives for `'a`.
unsafe fn optional<'a>(raw: *const c_char) -> Option<&'a core::ffi::CStr> {
    // SAFETY: By the caller's promise.
    (!raw.is_null()).then(|| unsafe { text(raw) })
}

/// Written by the framework while it starts, read-only afterwards.
#[repr(transparent)]
struct Table<const N: usize>(UnsafeCell<[b::security_hook_list; N]>);

// SAFETY: Only `sekisho_rs_add_hooks` touches the table, once, while the kernel has a single task.
unsafe impl<const N: usize> Sync for Table<N> {}

macro_rules! hook_table {
    ($($(#[$condition:meta])* $hook:ident = $function:expr),* $(,)?) => {
        const HOOK_COUNT: usize = [$($(#[$condition])* stringify!($hook)),*].len();

        #[link_section = ".data..ro_after_init"]
        static HOOKS: Table<HOOK_COUNT> = Table(UnsafeCell::new([$($(#[$condition])* b::security_hook_list {
            // SAFETY: Only the address of the C table is taken.
            scalls: unsafe { addr_of!(b::static_calls_table.$hook) }.cast::<b::lsm_static_call>().cast_mut(),
            hook: b::security_list_options { $hook: Some($function) },
            lsmid: null(),
        }),*]));
    };
}

hook_table!(
    bprm_committed_creds = bprm_committed_creds,
    bprm_creds_for_exec = bprm_creds_for_exec,
    capable = capable,
    file_fcntl = file_fcntl,
    file_free_security = sekisho_file_free_security,
    file_ioctl = file_ioctl,
    file_ioctl_compat = file_ioctl_compat,
    file_mprotect = file_mprotect,
    file_open = file_open,
    file_send_sigiotask = file_send_sigiotask,
    file_set_fowner = file_set_fowner,
    file_truncate = file_truncate,
    getprocattr = attributes::getprocattr,
    getselfattr = attributes::getselfattr,
    kernel_load_data = sekisho_kernel_load_data,
    kernel_read_file = sekisho_kernel_read_file,
    mmap_file = mmap_file,
    move_mount = move_mount,
    path_chmod = path_chmod,
    path_chown = path_chown,
    path_chroot = path_chroot,
    path_link = path_link,
    path_mkdir = path_mkdir,
    path_mknod = path_mknod,
    path_rename = path_rename,
    path_rmdir = path_rmdir,
    path_symlink = path_symlink,
    path_truncate = path_truncate,
    path_unlink = path_unlink,
    ptrace_access_check = ptrace_access_check,
    ptrace_traceme = ptrace_traceme,
    sb_kern_mount = sb_kern_mount,
    sb_mount = sb_mount,
    sb_pivotroot = sb_pivotroot,
    sb_remount = sb_remount,
    sb_umount = sb_umount,
    settime = settime,
    sk_alloc_security = sekisho_sk_alloc_security,
    sock_graft = sock_graft,
    socket_bind = socket_bind,
    socket_connect = socket_connect,
    socket_create = socket_create,
    socket_listen = socket_listen,
    socket_post_create = socket_post_create,
    socket_recvmsg = socket_recvmsg,
    socket_sendmsg = socket_sendmsg,
    socket_sock_rcv_skb = socket_sock_rcv_skb,
    task_alloc = task_alloc,
    task_free = task_free,
    task_kill = task_kill,
    task_prctl = sekisho_task_prctl,
    task_setnice = task_setnice,
    task_setrlimit = task_setrlimit,
    task_setscheduler = task_setscheduler,
    #[cfg(CONFIG_IO_URING)]
    uring_cmd = uring_cmd,
);

/// Prepares the empty policy. Called once, from `sekisho_init()`.
#[no_mangle]
#[link_section = ".init.text"]
extern "C" fn sekisho_rs_init() -> c_int {
    quota::init();
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
