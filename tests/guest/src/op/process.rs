// SPDX-License-Identifier: MIT OR Apache-2.0
//! Operations on processes and on the whole machine.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::fcntl::AtFlags;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{waitpid, WaitStatus};
use nix::unistd::{Gid, Pid, Uid};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, Resource, Rlimit};
use rustix::time::ClockId;

use super::{done, kept, os, slots, Answer, Op, Performed};

/// Does an operation on processes.
pub fn perform(op: &Op) -> Performed {
    match op {
        Op::Chroot(path) => done(nix::unistd::chroot(os(path)).and_then(|()| nix::unistd::chdir("/"))),
        Op::Exec(path) => exec(path, std::slice::from_ref(path), &environment()),
        Op::ExecWith(path, argv, envp) => exec(path, argv, envp),
        Op::ExecFd(slot) => exec_at(*slot, b"", AtFlags::AT_EMPTY_PATH),
        Op::ExecAt(slot, path) => exec_at(*slot, path, AtFlags::empty()),
        Op::ExecWithStderr(file, path) => match OpenOptions::new().write(true).open(os(file)) {
            Ok(file) => Some(Err(Command::new(os(path)).stderr(Stdio::from(file)).exec())),
            Err(e) => Some(Err(e)),
        },
        Op::Uids([real, effective, saved, fs]) => {
            let result = nix::unistd::setresuid((*real).into(), (*effective).into(), (*saved).into());
            // It has no error of its own; what it did is seen by the test.
            nix::unistd::setfsuid(Uid::from_raw(*fs));
            done(result)
        }
        Op::Gids([real, effective, saved, fs]) => {
            let result = nix::unistd::setresgid((*real).into(), (*effective).into(), (*saved).into());
            nix::unistd::setfsgid(Gid::from_raw(*fs));
            done(result)
        }
        Op::Thread(op) => {
            let op = op.clone();
            Some(Ok(std::thread::spawn(move || op.perform()).join().unwrap_or(Answer::Errno(-1))))
        }
        Op::Fork(op) => fork(op),
        Op::Repeat(count, op) => Some(Ok((0..*count).fold(Answer::Errno(-1), |_, _| op.perform()))),
        Op::Both(first, second) => Some(Ok(match first.perform() {
            Answer::Errno(errno @ 1..) => Answer::Errno(errno),
            _ => second.perform(),
        })),
        Op::Try(op) => {
            op.perform();
            Some(Ok(Answer::Errno(0)))
        }
        Op::Time(op) => {
            let start = Instant::now();
            let errno = op.perform().errno();
            Some(Ok(Answer::Text(format!("{} {errno}", start.elapsed().as_millis()).into_bytes())))
        }
        Op::Setsid() => done(nix::unistd::setsid()),
        Op::Setpgid(group) => done(nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(*group))),
        Op::Unshare(flags) => {
            done(nix::sched::unshare(nix::sched::CloneFlags::from_bits_retain(*flags as i32)))
        }
        Op::Kill(pid, number) => {
            done(signal(*number).and_then(|signal| Ok(nix::sys::signal::kill(Pid::from_raw(*pid), signal)?)))
        }
        Op::Pidfd(slot, pid) => match rustix::process::Pid::from_raw(*pid) {
            Some(pid) => kept(*slot, rustix::process::pidfd_open(pid, PidfdFlags::empty())),
            None => Some(Err(invalid())),
        },
        Op::PidfdGet(slot, descriptor) => done(slots::with(*slot, |file| {
            rustix::process::pidfd_getfd(file, *descriptor, PidfdGetfdFlags::empty())
        })),
        Op::Take(slot, pid, descriptor) => kept(*slot, take(*pid, *descriptor)),
        Op::PidfdSignal(slot, number) => match rustix::process::Signal::from_named_raw(*number) {
            Some(signal) => done(slots::with(*slot, |file| rustix::process::pidfd_send_signal(file, signal))),
            None => Some(Err(invalid())),
        },
        Op::Raise(number) => done(signal(*number).and_then(|signal| match signal {
            Some(signal) => Ok(nix::sys::signal::raise(signal)?),
            None => Err(invalid()),
        })),
        Op::Block(number) => done(signal(*number).and_then(|signal| {
            let mut set = SigSet::empty();
            set.extend(signal);
            Ok(set.thread_block()?)
        })),
        Op::Nice() => done(rustix::process::nice(0)),
        Op::Setpriority() => done(
            rustix::process::getpriority_process(None)
                .and_then(|priority| rustix::process::setpriority_process(None, priority)),
        ),
        Op::Limit(pid, resource) => done(limit(*pid, *resource)),
        Op::Traceme() => done(nix::sys::ptrace::traceme()),
        Op::Attach(pid) => {
            let pid = Pid::from_raw(*pid);
            done(
                nix::sys::ptrace::attach(pid)
                    .and_then(|()| waitpid(pid, None))
                    .and_then(|_| nix::sys::ptrace::detach(pid, None)),
            )
        }
        Op::VmWrite(pid) => done(nix::sys::uio::process_vm_writev(
            Pid::from_raw(*pid),
            &[io::IoSlice::new(b"x")],
            &[nix::sys::uio::RemoteIoVec { base: 8, len: 1 }],
        )),
        Op::Hostname(name) => done(rustix::system::sethostname(name)),
        Op::Domainname(name) => done(rustix::system::setdomainname(name)),
        Op::Settime() => done(rustix::time::clock_settime(
            ClockId::Realtime,
            rustix::time::clock_gettime(ClockId::Realtime),
        )),
        Op::Reboot() => done(nix::sys::reboot::set_cad_enabled(false)),
        Op::InitModule(image) => done(rustix::system::init_module(image, c"")),
        Op::FinitModule(slot) => done(slots::with(*slot, |file| rustix::system::finit_module(file, c"", 0))),
        Op::DeleteModule(name) => {
            done(word(name).and_then(|name| Ok(rustix::system::delete_module(&name, nix::libc::O_NONBLOCK)?)))
        }
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        Op::Uring(op) => Some(super::uring::perform(op)),
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        Op::UringAcross(first, between, last) => {
            Some(super::uring::across(first, between, last, super::uring::Polled::No))
        }
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        Op::UringPolled(first, between, last) => {
            Some(super::uring::across(first, between, last, super::uring::Polled::Yes))
        }
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
        Op::Raw(number, arguments) => Some(super::raw::call(*number, arguments)),
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
        Op::RawAll(calls) => Some(super::raw::calls(calls, false)),
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
        Op::Bare(calls) => Some(super::raw::calls(calls, true)),
        _ => None,
    }
}

fn limit(pid: i32, resource: u32) -> io::Result<Rlimit> {
    let resource = match resource {
        0 => Resource::Cpu,
        1 => Resource::Fsize,
        4 => Resource::Core,
        15 => Resource::Rttime,
        _ => return Err(invalid()),
    };
    let none = Rlimit { current: None, maximum: None };
    Ok(rustix::process::prlimit(rustix::process::Pid::from_raw(pid), resource, none)?)
}

fn take(pid: i32, descriptor: i32) -> io::Result<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(pid).ok_or_else(invalid)?;
    let process = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    Ok(rustix::process::pidfd_getfd(process, descriptor, PidfdGetfdFlags::empty())?)
}

fn word(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(io::Error::other)
}

fn words(list: &[Vec<u8>]) -> io::Result<Vec<CString>> {
    list.iter().map(|bytes| word(bytes)).collect()
}

fn environment() -> Vec<Vec<u8>> {
    std::env::vars_os().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()).collect()
}

/// execve itself: what std offers is execvp, which runs a shell on ENOEXEC.
fn exec(path: &[u8], argv: &[Vec<u8>], envp: &[Vec<u8>]) -> Performed {
    done(word(path).and_then(|path| Ok(nix::unistd::execve(&path, &words(argv)?, &words(envp)?)?)))
}

fn exec_at(slot: u32, path: &[u8], flags: AtFlags) -> Performed {
    done(words(&environment()).and_then(|environment| {
        let path = word(path)?;
        slots::with(slot, |file| nix::unistd::execveat(file, &path, &[c"by-descriptor"], &environment, flags))
    }))
}

fn fork(op: &Op) -> Performed {
    Some(match fork::fork() {
        Ok(fork::Fork::Child) => std::process::exit(op.perform().errno()),
        Ok(fork::Fork::Parent(child)) => match waitpid(Pid::from_raw(child), None) {
            Ok(WaitStatus::Exited(_, status)) => Ok(Answer::Errno(status)),
            Ok(WaitStatus::Signaled(_, signal, _)) => Ok(Answer::Text(signal.as_str().into())),
            _ => Ok(Answer::Errno(-1)),
        },
        Err(e) => Err(e),
    })
}

/// Signal 0 is none.
fn signal(number: i32) -> io::Result<Option<Signal>> {
    if number == 0 {
        return Ok(None);
    }
    Ok(Some(Signal::try_from(number)?))
}

fn invalid() -> io::Error {
    io::Error::from_raw_os_error(nix::libc::EINVAL)
}
