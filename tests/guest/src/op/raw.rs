// SPDX-License-Identifier: MIT OR Apache-2.0
//! System calls that no crate wraps in a safe function.
//!
//! A forked child stops itself and is traced; the tracer points it back at the instruction that made the last system
//! call, with other registers. All of that is safe Rust, because what happens is done to another process. The registers
//! are only known for two architectures.

use std::io;

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{waitpid, WaitStatus};
use nix::unistd::Pid;

use super::Answer;

/// An argument: a number, or bytes whose address is passed.
#[derive(Debug)]
enum Argument {
    Number(u64),
    Bytes(Vec<u8>),
}

/// A decimal number, or `:` and bytes, which get a NUL at their end.
fn argument(word: &[u8]) -> io::Result<Argument> {
    if let Some(bytes) = word.strip_prefix(b":") {
        return Ok(Argument::Bytes([bytes, b"\0"].concat()));
    }
    let number: Option<i64> = std::str::from_utf8(word).ok().and_then(|text| text.parse().ok());
    number.map(|number| Argument::Number(number as u64)).ok_or_else(|| io::Error::other("not a number"))
}

/// Does a system call in a child; its errno.
pub fn call(number: u64, words: &[Vec<u8>]) -> io::Result<Answer> {
    let arguments = words.iter().map(|word| argument(word)).collect::<io::Result<Vec<_>>>()?;
    // A child has what its parent has at the same addresses.
    let values: Vec<u64> = arguments
        .iter()
        .map(|argument| match argument {
            Argument::Number(number) => *number,
            Argument::Bytes(bytes) => bytes.as_ptr() as u64,
        })
        .collect();
    match fork::fork()? {
        fork::Fork::Child => {
            let stopped = ptrace::traceme().and_then(|()| nix::sys::signal::raise(Signal::SIGSTOP));
            std::process::exit(i32::from(stopped.is_err()));
        }
        fork::Fork::Parent(child) => {
            let child = Pid::from_raw(child);
            let result = inject(child, number, &values);
            // Where it goes on it ends, unless it was not traced and has ended.
            let ended = ptrace::cont(child, None).and_then(|()| waitpid(child, None));
            drop(arguments);
            let result = result?;
            ended?;
            let errno = if (-4095..0).contains(&result) { -result } else { 0 };
            Ok(Answer::Errno(i32::try_from(errno).unwrap_or(-1)))
        }
    }
}

fn inject(child: Pid, number: u64, values: &[u64]) -> Result<i64, Errno> {
    match waitpid(child, None)? {
        WaitStatus::Stopped(..) => {}
        _ => return Err(Errno::ECHILD),
    }
    // The entry and the exit of a system call of its own.
    for _ in 0..2 {
        ptrace::syscall(child, None)?;
        waitpid(child, None)?;
    }
    let saved = ptrace::getregs(child)?;
    ptrace::setregs(child, arch::calling(saved, number, values))?;
    for _ in 0..2 {
        ptrace::syscall(child, None)?;
        waitpid(child, None)?;
    }
    let result = arch::result(&ptrace::getregs(child)?);
    ptrace::setregs(child, saved)?;
    Ok(result)
}

#[cfg(target_arch = "x86_64")]
mod arch {
    use nix::libc::user_regs_struct;

    pub fn calling(mut regs: user_regs_struct, number: u64, values: &[u64]) -> user_regs_struct {
        let value = |index: usize| values.get(index).copied().unwrap_or(0);
        regs.rip -= 2;
        regs.rax = number;
        regs.orig_rax = u64::MAX;
        (regs.rdi, regs.rsi, regs.rdx) = (value(0), value(1), value(2));
        (regs.r10, regs.r8, regs.r9) = (value(3), value(4), value(5));
        regs
    }

    pub fn result(regs: &user_regs_struct) -> i64 {
        regs.rax as i64
    }
}

#[cfg(target_arch = "aarch64")]
mod arch {
    use nix::libc::user_regs_struct;

    pub fn calling(mut regs: user_regs_struct, number: u64, values: &[u64]) -> user_regs_struct {
        regs.pc -= 4;
        regs.regs[8] = number;
        for index in 0..6 {
            regs.regs[index] = values.get(index).copied().unwrap_or(0);
        }
        regs
    }

    pub fn result(regs: &user_regs_struct) -> i64 {
        regs.regs[0] as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errno(number: i64, words: &[&str]) -> i32 {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        match call(number as u64, &words) {
            Ok(answer) => answer.errno(),
            Err(e) => panic!("{e}"),
        }
    }

    #[test]
    fn system_calls_answer() {
        assert_eq!(errno(nix::libc::SYS_getpid, &[]), 0);
        assert_eq!(errno(nix::libc::SYS_close, &["-1"]), nix::libc::EBADF);
        assert_eq!(errno(nix::libc::SYS_unlinkat, &["-100", ":/nowhere/x", "0"]), nix::libc::ENOENT);
    }
}
