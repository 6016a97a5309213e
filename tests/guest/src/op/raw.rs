// SPDX-License-Identifier: MIT OR Apache-2.0
//! System calls that no crate wraps in a safe function.
//!
//! A forked child stops itself and is traced; the tracer points it back at the instruction that made the last system
//! call, with other registers. All of that is safe Rust, because what happens is done to another process. What differs
//! between architectures is in `arch`.

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
    // A negative number keeps its sign in a register of 32 bits too: that has the lower half.
    let number: Option<i64> = std::str::from_utf8(word).ok().and_then(|text| text.parse().ok());
    number.map(|number| Argument::Number(number as u64)).ok_or_else(|| io::Error::other("not a number"))
}

/// Does a system call in a child; its errno.
pub fn call(number: u64, words: &[Vec<u8>]) -> io::Result<Answer> {
    let arguments = words.iter().map(|word| argument(word)).collect::<io::Result<Vec<_>>>()?;
    // A child has what its parent has at the same addresses.
    let values: [u64; 6] = std::array::from_fn(|index| match arguments.get(index) {
        Some(Argument::Number(number)) => *number,
        Some(Argument::Bytes(bytes)) => bytes.as_ptr() as u64,
        None => 0,
    });
    match fork::fork()? {
        fork::Fork::Child => {
            // After the stop, the system call in whose place another one is made.
            let stopped = ptrace::traceme()
                .and_then(|()| nix::sys::signal::raise(Signal::SIGSTOP))
                .map(|()| nix::unistd::getppid());
            std::process::exit(i32::from(stopped.is_err()));
        }
        fork::Fork::Parent(child) => {
            let child = Pid::from_raw(child);
            let result = inject(child, number, values);
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

fn inject(child: Pid, number: u64, values: [u64; 6]) -> Result<i64, Errno> {
    match waitpid(child, None)? {
        WaitStatus::Stopped(..) => {}
        _ => return Err(Errno::ECHILD),
    }
    one_call(child)?;
    let saved = arch::read(child)?;
    arch::prepare(child, saved, number, values)?;
    one_call(child)?;
    let result = arch::result(child)?;
    arch::restore(child, saved)?;
    Ok(result)
}

/// Waits for the entry and then for the exit of a system call.
fn one_call(child: Pid) -> Result<(), Errno> {
    for _ in 0..2 {
        ptrace::syscall(child, None)?;
        waitpid(child, None)?;
    }
    Ok(())
}

#[cfg(target_arch = "x86_64")]
mod arch {
    use nix::libc::user_regs_struct;
    use nix::sys::ptrace;
    use nix::unistd::Pid;
    use nix::Result;

    pub use ptrace::{getregs as read, setregs as restore};

    pub fn prepare(child: Pid, mut regs: user_regs_struct, number: u64, values: [u64; 6]) -> Result<()> {
        regs.rip -= 2;
        regs.rax = number;
        regs.orig_rax = u64::MAX;
        [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9] = values;
        ptrace::setregs(child, regs)
    }

    pub fn result(child: Pid) -> Result<i64> {
        Ok(ptrace::getregs(child)?.rax as i64)
    }
}

#[cfg(target_arch = "aarch64")]
mod arch {
    use nix::libc::user_regs_struct;
    use nix::sys::ptrace;
    use nix::unistd::Pid;
    use nix::Result;

    pub use ptrace::{getregs as read, setregs as restore};

    pub fn prepare(child: Pid, mut regs: user_regs_struct, number: u64, values: [u64; 6]) -> Result<()> {
        regs.pc -= 4;
        regs.regs[8] = number;
        regs.regs[..6].copy_from_slice(&values);
        ptrace::setregs(child, regs)
    }

    pub fn result(child: Pid) -> Result<i64> {
        Ok(ptrace::getregs(child)?.regs[0] as i64)
    }
}

/// nix knows no structure for these registers, so they are read and written one by one. At these stops r12 tells the entry
/// from the exit; the kernel itself puts the program's r12 back.
#[cfg(target_arch = "arm")]
mod arch {
    use nix::libc::c_long;
    use nix::sys::ptrace::{self, AddressType};
    use nix::unistd::Pid;
    use nix::Result;

    /// As in struct pt_regs (arch/arm/include/uapi/asm/ptrace.h): r0 to r15, cpsr, orig_r0.
    type Registers = [c_long; 18];

    const NUMBER: usize = 7;
    const PC: usize = 15;
    const CPSR: usize = 16;
    /// The T bit of cpsr: instructions of Thumb, where `svc` has two bytes.
    const THUMB: c_long = 1 << 5;

    fn place(register: usize) -> AddressType {
        (register * size_of::<c_long>()) as AddressType
    }

    pub fn read(child: Pid) -> Result<Registers> {
        let mut registers = Registers::default();
        for (register, value) in registers.iter_mut().enumerate() {
            *value = ptrace::read_user(child, place(register))?;
        }
        Ok(registers)
    }

    pub fn prepare(child: Pid, mut registers: Registers, number: u64, values: [u64; 6]) -> Result<()> {
        let size = if registers[CPSR] & THUMB == 0 { 4 } else { 2 };
        registers[PC] = registers[PC].wrapping_sub(size);
        registers[NUMBER] = number as c_long;
        for (register, value) in registers.iter_mut().zip(values) {
            *register = value as c_long;
        }
        restore(child, registers)
    }

    pub fn result(child: Pid) -> Result<i64> {
        ptrace::read_user(child, place(0)).map(i64::from)
    }

    pub fn restore(child: Pid, registers: Registers) -> Result<()> {
        for (register, value) in registers.into_iter().enumerate() {
            ptrace::write_user(child, place(register), value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errno(number: nix::libc::c_long, words: &[&str]) -> i32 {
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
