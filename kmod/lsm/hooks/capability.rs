// SPDX-License-Identifier: GPL-2.0-only

//! The 32 capabilities of the language (reference 4.10), where they have no file of their own.
//!
//! Linux 6.12 has no hook for some of these calls. There the hook for POSIX capabilities asks which system call is under way
//! (`Call`); the kernel checks the POSIX capability at the beginning of these calls, where sleeping is allowed: reboot
//! (kernel/reboot.c), sethostname and setdomainname (kernel/sys.c), vhangup (fs/open.c), delete_module (kernel/module/main.c),
//! adjtimex (kernel/time/timekeeping.c, before its locks), mount_setattr and open_tree of a copy (fs/namespace.c), and
//! kexec_file_load (kernel/kexec_file.c).

use crate::ask::{self, About, Question};
use crate::deferred::{self, What};
use crate::sys::task::{self, Call};
use crate::{stats, Errno, Result};
use sekisho_core::capability::Capability;
use sekisho_core::item::Item;
use sekisho_core::profile::Mode;
use sekisho_core::request::Request;

/// POSIX capabilities (include/uapi/linux/capability.h).
const CAP_SYS_MODULE: u32 = 16;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_SYS_BOOT: u32 = 22;
const CAP_SYS_TIME: u32 = 25;
const CAP_SYS_TTY_CONFIG: u32 = 26;
/// `CAP_OPT_NOAUDIT` (include/linux/security.h): somebody only wants to know.
const NOAUDIT: u32 = 2;
/// `PTRACE_MODE_ATTACH` (include/linux/ptrace.h).
const PTRACE_MODE_ATTACH: u32 = 2;

/// Asks for a capability where the caller may sleep.
#[inline]
pub(crate) fn check(capability: Capability) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    let Some(question) = Question::begin(capability.item()) else { return Ok(()) };
    question.ask(&About::default(), &Request::Capability(capability))
}

/// Asks for a capability where the caller must not sleep.
pub(crate) fn check_atomic(capability: Capability) -> Result {
    if !ask::is_active() || !task::is_user_task() {
        return Ok(());
    }
    deferred::answer(What::Capability(capability))
}

/// capable(): the kernel has found that the task has the POSIX capability. With borrowed credentials it is the kernel that acts,
/// such as overlayfs for who mounted it.
pub(crate) fn capable(posix: u32, options: u32) -> Result {
    if !ask::is_active() || options & NOAUDIT != 0 {
        return Ok(());
    }
    if !matches!(posix, CAP_SYS_MODULE | CAP_SYS_ADMIN | CAP_SYS_BOOT | CAP_SYS_TIME | CAP_SYS_TTY_CONFIG)
        || !task::is_user_task()
    {
        return Ok(());
    }
    match (posix, Call::current()) {
        (CAP_SYS_BOOT, Call::Reboot) => check(Capability::SysReboot),
        // Unloading reads no file.
        (CAP_SYS_BOOT, Call::KexecFileLoad) => check(Capability::SysKexecLoad),
        (CAP_SYS_ADMIN, Call::Sethostname) => check(Capability::SysSethostname),
        (CAP_SYS_TTY_CONFIG, Call::Vhangup) => check(Capability::SysVhangup),
        (CAP_SYS_MODULE, Call::DeleteModule) => check(Capability::UseKernelModule),
        (CAP_SYS_TIME, Call::Adjtimex) => check(Capability::SysTime),
        (CAP_SYS_ADMIN, Call::MountSetattr) => once(super::mount::set_attributes),
        (CAP_SYS_ADMIN, Call::OpenTree) => once(|| check(Capability::SysMount)),
        _ => Ok(()),
    }
}

/// Asks at the beginning of a system call about mounts. The kernel and file systems check the POSIX capability again later in
/// it, with locks held, so the first answer holds for the call.
fn once(ask: impl FnOnce() -> Result) -> Result {
    match deferred::first_in_call() {
        Some(true) => ask(),
        Some(false) => Ok(()),
        None if [Item::Mount, Capability::SysMount.item()].map(ask::mode).contains(&Mode::Enforcing) => {
            stats::FAIL_CLOSED.add();
            Err(Errno::NoMem)
        }
        None => Ok(()),
    }
}

/// settimeofday, clock_settime
pub(crate) fn settime() -> Result {
    check(Capability::SysTime)
}

/// nice and setpriority; the latter asks with the list of tasks locked.
pub(crate) fn setnice() -> Result {
    check_atomic(Capability::SysNice)
}

/// sched_setattr, which can set a nice value; which one stands in the program's memory and may change while we look. Other
/// calls with that hook (sched_setscheduler, sched_setaffinity, moving tasks between cpusets) leave it alone.
pub(crate) fn setscheduler() -> Result {
    if !ask::is_active() || !task::is_user_task() || Call::current() != Call::SchedSetattr {
        return Ok(());
    }
    check_atomic(Capability::SysNice)
}

/// Attaching to another process: ptrace, and what gives the same power (/proc/PID/mem, process_vm_writev, pidfd_getfd).
pub(crate) fn ptrace(mode: u32) -> Result {
    if mode & PTRACE_MODE_ATTACH == 0 || mode & NOAUDIT_PTRACE != 0 {
        return Ok(());
    }
    check_atomic(Capability::SysPtrace)
}

/// `PTRACE_MODE_NOAUDIT` (include/linux/ptrace.h).
const NOAUDIT_PTRACE: u32 = 4;

/// PTRACE_TRACEME
pub(crate) fn traceme() -> Result {
    check_atomic(Capability::SysPtrace)
}

/// The kernel reads a module or another kernel.
pub(crate) fn kernel_loads(module: bool, kexec: bool) -> Result {
    if module {
        check(Capability::UseKernelModule)?;
    }
    if kexec {
        check(Capability::SysKexecLoad)?;
    }
    Ok(())
}
