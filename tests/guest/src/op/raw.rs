// SPDX-License-Identifier: MIT OR Apache-2.0
//! System calls that no crate wraps in a safe function.
//!
//! A forked child stops itself and is traced; the tracer points it back at the instruction that made the last system
//! call, with other registers. All of that is safe Rust, because what happens is done to another process. What differs
//! between architectures is in `arch`.
//!
//! A child can also be made bare: nothing of the file of its program is mapped any more, and it makes its system calls from
//! a page of its own. Linux lets such a process put another file in the place of its program.

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{waitpid, WaitStatus};
use nix::unistd::Pid;

use super::Answer;

/// An argument: a number, bytes whose address is passed, or what a call before answered.
#[derive(Debug, PartialEq)]
enum Argument {
    Number(u64),
    Bytes(Vec<u8>),
    Answer(usize),
}

/// A decimal number, `:` and bytes, which get a NUL at their end, or `$` and the number of a call, the first is 0.
fn argument(word: &[u8]) -> io::Result<Argument> {
    if let Some(bytes) = word.strip_prefix(b":") {
        return Ok(Argument::Bytes([bytes, b"\0"].concat()));
    }
    if let Some(index) = word.strip_prefix(b"$") {
        return number(index).map(|index| Argument::Answer(index as usize));
    }
    // A negative number keeps its sign in a register of 32 bits too: that has the lower half.
    number(word).map(|number| Argument::Number(number as u64))
}

fn number(word: &[u8]) -> io::Result<i64> {
    let number = std::str::from_utf8(word).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| io::Error::other("not a number"))
}

/// One system call.
struct Call {
    number: u64,
    arguments: Vec<Argument>,
}

impl Call {
    fn new(number: u64, words: &[Vec<u8>]) -> io::Result<Self> {
        let arguments = words.iter().map(|word| argument(word)).collect::<io::Result<_>>()?;
        Ok(Self { number, arguments })
    }

    /// The registers, once the calls before have answered. A child has what its parent has at the same addresses.
    fn values(&self, answers: &[i64]) -> [u64; 6] {
        std::array::from_fn(|index| match self.arguments.get(index) {
            Some(Argument::Number(number)) => *number,
            Some(Argument::Bytes(bytes)) => bytes.as_ptr() as u64,
            Some(Argument::Answer(call)) => answers.get(*call).map_or(u64::MAX, |answer| *answer as u64),
            None => 0,
        })
    }
}

/// Does a system call in a child; its errno.
pub fn call(number: u64, words: &[Vec<u8>]) -> io::Result<Answer> {
    in_child(&[Call::new(number, words)?], false)
}

/// Does several, one after the other in one child; each is a number and its arguments, and a word `;` ends it. The errno is
/// that of the last one; that one before fails is no errno.
pub fn calls(words: &[Vec<u8>], bare: bool) -> io::Result<Answer> {
    let mut calls = Vec::new();
    for words in words.split(|word| word == b";") {
        let (first, arguments) = words.split_first().ok_or_else(|| io::Error::other("no system call"))?;
        calls.push(Call::new(number(first)? as u64, arguments)?);
    }
    in_child(&calls, bare)
}

fn in_child(calls: &[Call], bare: bool) -> io::Result<Answer> {
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
            let result = inject(child, calls, bare);
            // Where it goes on it ends, unless it was not traced and has ended.
            let ended = end(child);
            let errno = errno(result?);
            ended?;
            Ok(Answer::Errno(errno))
        }
    }
}

/// Lets it go on until it has ended, past the stop that tells a tracer of an execve.
fn end(child: Pid) -> Result<(), Errno> {
    let mut signal = None;
    loop {
        match ptrace::cont(child, signal) {
            // Killed a moment ago.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(e) => return Err(e),
        }
        signal = match waitpid(child, None)? {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => None,
            WaitStatus::Stopped(_, signal) => Some(signal),
            _ => return Ok(()),
        };
    }
}

fn errno(result: i64) -> i32 {
    let errno = if (-4095..0).contains(&result) { -result } else { 0 };
    i32::try_from(errno).unwrap_or(-1)
}

fn inject(child: Pid, calls: &[Call], bare: bool) -> io::Result<i64> {
    match waitpid(child, None)? {
        WaitStatus::Stopped(..) => {}
        _ => return Err(Errno::ECHILD.into()),
    }
    one_call(child)?;
    let saved = arch::read(child)?;
    let start = if bare { strip(child, saved)? } else { saved };
    let mut answers = Vec::new();
    for call in calls {
        if let Some(error) = answers.last().copied().map(errno).filter(|errno| *errno != 0) {
            return Err(io::Error::other(format!(
                "call {} of {}: errno {error}",
                answers.len(),
                calls.len()
            )));
        }
        answers.push(make(child, start, call.number, call.values(&answers))?);
    }
    let answer = answers.last().copied().unwrap_or(0);
    let executed = calls.last().is_some_and(|call| call.number == libc::SYS_execve as u64) && answer == 0;
    match (executed, bare) {
        // Another program has other registers.
        (true, _) => {}
        // It has nothing to go on with.
        (false, true) => nix::sys::signal::kill(child, Signal::SIGKILL)?,
        (false, false) => arch::restore(child, saved)?,
    }
    Ok(answer)
}

/// Makes one system call with the instruction before the program counter of `start`.
fn make(child: Pid, start: arch::Registers, number: u64, values: [u64; 6]) -> Result<i64, Errno> {
    arch::prepare(child, start, number, values)?;
    one_call(child)?;
    arch::result(child)
}

/// Takes the file of its program away from a child; the registers with which it makes system calls from now on.
fn strip(child: Pid, saved: arch::Registers) -> io::Result<arch::Registers> {
    const ALL: u64 = 7;
    const PRIVATE_ANONYMOUS: u64 = 0x22;
    let page = make(child, saved, arch::MMAP as u64, [0, 4096, ALL, PRIVATE_ANONYMOUS, u64::MAX, 0])?;
    if errno(page) != 0 {
        return Err(io::Error::from_raw_os_error(errno(page)));
    }
    ptrace::write(child, page as usize as ptrace::AddressType, arch::INSTRUCTION)?;
    let bare = arch::behind(saved, page as u64);
    let maps = fs::read_to_string(format!("/proc/{child}/maps"))?;
    for [start, end] in maps.lines().filter_map(of_a_file) {
        make(child, bare, libc::SYS_munmap as u64, [start, end.saturating_sub(start), 0, 0, 0, 0])?;
    }
    Ok(bare)
}

/// Where a line of /proc/PID/maps begins and ends that shows a part of a file: one with an inode.
fn of_a_file(line: &str) -> Option<[u64; 2]> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let inode = words.nth(3)?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    (inode != "0").then_some([number(start)?, number(end)?])
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
    use nix::libc::{self, c_long};
    use nix::sys::ptrace;
    use nix::unistd::Pid;
    use nix::Result;

    pub use nix::libc::user_regs_struct as Registers;
    pub use ptrace::{getregs as read, setregs as restore};

    pub const MMAP: c_long = libc::SYS_mmap;
    /// `syscall`
    pub const INSTRUCTION: c_long = 0x050F;

    pub fn behind(mut regs: Registers, page: u64) -> Registers {
        regs.rip = page + 2;
        regs
    }

    pub fn prepare(child: Pid, mut regs: Registers, number: u64, values: [u64; 6]) -> Result<()> {
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
    use nix::libc::{self, c_long};
    use nix::sys::ptrace;
    use nix::unistd::Pid;
    use nix::Result;

    pub use nix::libc::user_regs_struct as Registers;
    pub use ptrace::{getregs as read, setregs as restore};

    pub const MMAP: c_long = libc::SYS_mmap;
    /// `svc #0`
    pub const INSTRUCTION: c_long = 0xD400_0001;

    pub fn behind(mut regs: Registers, page: u64) -> Registers {
        regs.pc = page + 4;
        regs
    }

    pub fn prepare(child: Pid, mut regs: Registers, number: u64, values: [u64; 6]) -> Result<()> {
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
    use nix::libc::{self, c_long};
    use nix::sys::ptrace::{self, AddressType};
    use nix::unistd::Pid;
    use nix::Result;

    /// As in struct pt_regs (arch/arm/include/uapi/asm/ptrace.h): r0 to r15, cpsr, orig_r0.
    pub type Registers = [c_long; 18];

    pub const MMAP: c_long = libc::SYS_mmap2;
    /// `svc 0`, not of Thumb
    pub const INSTRUCTION: c_long = 0xEF00_0000_u32 as c_long;

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

    pub fn behind(mut registers: Registers, page: u64) -> Registers {
        registers[PC] = (page + 4) as c_long;
        registers[CPSR] &= !THUMB;
        registers
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
    use nix::libc::c_long;

    use super::*;

    fn bytes(words: &[&str]) -> Vec<Vec<u8>> {
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    fn errno(number: c_long, words: &[&str]) -> i32 {
        match call(number as u64, &bytes(words)) {
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
    fn several(bare: bool, list: &[(c_long, &[&str])]) -> io::Result<Answer> {
        let mut words = Vec::new();
        for (number, arguments) in list {
            if !words.is_empty() {
                words.push(";".to_owned());
            }
            words.push(number.to_string());
            words.extend(arguments.iter().map(|word| (*word).to_owned()));
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        calls(&bytes(&words), bare)
    }

    #[test]
    fn system_calls_use_what_others_answered() {
        for bare in [false, true] {
            let open: &[&str] = &["-100", ":/proc/self/status", "0"];
            let close: (c_long, &[&str]) = (libc::SYS_close, &["$0"]);
            let twice = several(bare, &[(libc::SYS_openat, open), close, close]).unwrap();
            assert_eq!(twice.errno(), libc::EBADF);
            assert_eq!(several(bare, &[(libc::SYS_openat, open), close]).unwrap().errno(), 0);
            assert!(several(bare, &[(libc::SYS_close, &["-1"]), close]).is_err());
        }
    }
}
