// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much stack a function of ours takes on 32-bit ARM, read from the disassembly.
//!
//! A kernel stack there has 8 KiB, for everything between the system call and the last function of the file system that
//! called our hook. The kernel's own `-Wframe-larger-than` says nothing about Rust. So each instruction of a function that
//! moves the stack pointer down counts: pushes, subtractions, also through a register, and alignment. Where a function
//! does that on two of its ways, both count, which is more than it ever takes.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use anyhow::{ensure, Result};

use crate::cache;
use crate::tools;

/// Bytes that one function may take.
const LIMIT: u64 = 768;

/// A function that is known by its (demangled) name and what it takes.
type Frame = (String, u64);

/// Fails if a function in an object takes more than it may. Returns the one that takes most.
pub fn check(object: &Path) -> Result<Option<Frame>> {
    let mut disassemble = Command::new(tools::llvm("objdump"));
    disassemble.args(["-d", "--no-show-raw-insn", "-C"]).arg(object);
    let mut frames = frames(&cache::run_quietly(&mut disassemble)?);
    frames.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let over: Vec<String> = frames
        .iter()
        .take_while(|(_, bytes)| *bytes > LIMIT)
        .map(|(name, bytes)| match *bytes {
            UNKNOWN => format!("{name} (a number of bytes that is not in the code)"),
            bytes => format!("{name} ({bytes} bytes)"),
        })
        .collect();
    ensure!(
        over.is_empty(),
        "{} takes more than {LIMIT} bytes of stack in one function; build large values on the heap, or put them into a \
         function of their own that is not inlined: {}",
        object.file_name().unwrap_or_default().to_string_lossy(),
        over.join(", ")
    );
    Ok(frames.into_iter().next())
}

/// What cannot be known counts as this.
const UNKNOWN: u64 = u64::MAX;

/// The functions of a disassembly and what each takes.
fn frames(listing: &str) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    let mut registers = Registers::default();
    for line in listing.lines() {
        if let Some(name) = function(line) {
            frames.push((name.into(), 0));
            registers = Registers::default();
        } else if let (Some((mnemonic, operands)), Some((_, bytes))) = (instruction(line), frames.last_mut())
        {
            *bytes = bytes.saturating_add(registers.takes(mnemonic, operands));
        }
    }
    frames
}

/// The name in `00000010 <name>:`.
fn function(line: &str) -> Option<&str> {
    let (address, name) = line.split_once(" <")?;
    let is_address = !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.strip_suffix(">:").filter(|_| is_address)
}

/// Mnemonic and operands of `  10:  <tab>push<tab>{r4, lr}`.
fn instruction(line: &str) -> Option<(&str, &str)> {
    let mut columns = line.split('\t');
    columns.next()?;
    let mnemonic = columns.next()?.trim();
    let operands = columns.next().unwrap_or_default();
    // objdump's remarks.
    let operands = operands.split([';', '@']).next().unwrap_or_default();
    Some((mnemonic, operands.trim()))
}

/// What is known of the registers.
#[derive(Default)]
struct Registers<'l> {
    constants: HashMap<&'l str, u64>,
    /// How far below the stack pointer one points.
    below: HashMap<&'l str, u64>,
}

impl<'l> Registers<'l> {
    /// By how much an instruction moves the stack pointer down.
    fn takes(&mut self, mnemonic: &'l str, operands: &'l str) -> u64 {
        let mut name = mnemonic.split('.').next().unwrap_or_default();
        for condition in ["eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le"]
        {
            let plain = name.strip_suffix(condition);
            if let Some(plain) = plain.filter(|plain| KNOWN.contains(plain)) {
                name = plain;
            }
        }
        let list = operands.split(',').map(str::trim).collect::<Vec<_>>();
        match (name, &list[..]) {
            ("push" | "vpush", _) => set_bytes(operands),
            ("stmdb" | "stmfd" | "vstmdb", ["sp!", ..]) => set_bytes(operands),
            ("str" | "strb" | "strh" | "strd" | "vstr", [.., offset]) if operands.contains("[sp, #-") => {
                let offset = offset.strip_suffix("]!").and_then(|offset| offset.strip_prefix("#-"));
                offset.and_then(number).unwrap_or(0)
            }
            ("sub" | "subs" | "subw", ["sp", "sp", by] | ["sp", by]) => self.value(by),
            ("sub" | "subs" | "subw", ["sp", "sp", ..]) => UNKNOWN, // Shifted.
            ("sub" | "subs" | "subw", [to, "sp", by]) => {
                let by = self.value(by);
                self.below.insert(to, by);
                0
            }
            ("bic" | "bics", ["sp", "sp", mask]) => self.value(mask),
            ("bfc", ["sp", "#0" | "#0x0", bits]) => {
                bits.strip_prefix('#').and_then(number).map_or(UNKNOWN, |bits| (1 << bits.min(32)) - 1)
            }
            ("bic" | "bics", [register, same, mask]) if register == same => {
                self.align(register, self.value(mask))
            }
            ("bfc", [register, "#0" | "#0x0", bits]) => {
                let bits = bits.strip_prefix('#').and_then(number).unwrap_or(32);
                self.align(register, (1 << bits.min(32)) - 1)
            }
            ("mov", ["sp", register]) => self.below.get(register).copied().unwrap_or(0),
            ("mov" | "movs" | "movw", [register, value]) => {
                self.below.remove(register);
                match value.strip_prefix('#').and_then(number) {
                    Some(number) => self.constants.insert(register, number),
                    None => self.constants.remove(register),
                };
                0
            }
            ("movt", [register, upper]) => {
                if let Some(known) = self.constants.get_mut(register) {
                    let upper = upper.strip_prefix('#').and_then(number).unwrap_or(0);
                    *known = (*known & 0xFFFF) | (upper << 16);
                }
                0
            }
            // A large number from the code's constants, then added.
            ("add" | "adds", ["sp", "sp", register] | ["sp", register]) if !register.starts_with('#') => {
                UNKNOWN
            }
            (name, [register, ..]) if !name.starts_with("st") && !name.starts_with("cmp") => {
                self.constants.remove(register);
                self.below.remove(register);
                0
            }
            _ => 0,
        }
    }

    fn value(&self, operand: &str) -> u64 {
        match operand.strip_prefix('#') {
            Some(digits) => number(digits).unwrap_or(UNKNOWN),
            None => self.constants.get(operand).copied().unwrap_or(UNKNOWN),
        }
    }

    fn align(&mut self, register: &str, by: u64) -> u64 {
        if let Some(known) = self.below.get_mut(register) {
            *known = known.saturating_add(by);
        }
        0
    }
}

/// What [`Registers::takes`] knows, as far as it can have a condition behind it.
const KNOWN: [&str; 9] = ["push", "vpush", "stmdb", "stmfd", "vstmdb", "sub", "mov", "bic", "str"];

/// `16` or `0x10`.
fn number(digits: &str) -> Option<u64> {
    match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => digits.parse().ok(),
    }
}

/// The bytes of the registers in `{r4, r5-r7, lr}`.
fn set_bytes(operands: &str) -> u64 {
    let set = operands.split_once('{').and_then(|(_, set)| set.split_once('}')).map_or("", |(set, _)| set);
    let one = |register: &str| match register.as_bytes().first() {
        Some(b'd') => 8,
        Some(b'q') => 16,
        _ => 4,
    };
    let index = |register: &str| register.get(1..).and_then(|digits| digits.parse::<u64>().ok());
    set.split(',')
        .map(str::trim)
        .map(|register| match register.split_once('-') {
            Some((first, last)) => match (index(first), index(last)) {
                (Some(first), Some(last)) if first <= last => (last - first + 1) * one(register),
                _ => UNKNOWN,
            },
            None => one(register),
        })
        .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "
core.o:	file format elf32-littlearm

Disassembly of section .text:

00000000 <sekisho_core::arm>:
       0:      	push	{r4, r5, r6, r7, r8, r9, r10, r11, lr}
       4:      	add	r11, sp, #28
       8:      	sub	sp, sp, #20
       c:      	sub	sp, sp, #1024
      10:      	str	r0, [sp, #4]
      14:      	stmib	sp, {r0, r1}
      18:      	sub	sp, r11, #28
      1c:      	pop	{r4, r5, r6, r7, r8, r9, r10, r11, pc}

00000020 <thumb>:
      20:      	stmdb	sp!, {r4-r7, lr}
      24:      	vpush	{d8, d9}
      28:      	sub.w	sp, sp, #0x108         @ imm
      2c:      	subw	sp, sp, #1028
      30:      	sub	sp, #8
      34:      	str	lr, [sp, #-4]!
      38:      	addw	sp, sp, #1028
      3c:      	bl	0x3c <other+0x4> @ imm = #-4

00000040 <register>:
      40:      	movw	r12, #0x1234
      44:      	movt	r12, #1
      48:      	sub	sp, sp, r12

0000004c <unknown>:
      4c:      	ldr	r6, [pc, #8]
      50:      	add	sp, r6

00000054 <aligned>:
      54:      	push	{r4, r6, r7, lr}
      56:      	add	r7, sp, #8
      58:      	sub.w	r4, sp, #0x80
      5c:      	bfc	r4, #0, #6
      60:      	mov	sp, r4
      62:      	mov	r0, sp
      64:      	sub.w	r4, r7, #8
      68:      	mov	sp, r4

0000006c <conditional>:
      6c:      	pushne	{r4, lr}
      70:      	subs	r0, r0, #1000
";

    #[test]
    fn every_form_counts() {
        let found = frames(LISTING);
        let found: Vec<(&str, u64)> = found.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        assert_eq!(
            found,
            [
                ("sekisho_core::arm", 36 + 20 + 1024),
                ("thumb", 20 + 16 + 264 + 1028 + 8 + 4),
                ("register", 0x1_1234),
                ("unknown", UNKNOWN),
                ("aligned", 16 + 128 + 63),
                ("conditional", 8),
            ]
        );
    }
}
