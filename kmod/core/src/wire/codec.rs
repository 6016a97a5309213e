// SPDX-License-Identifier: MIT OR Apache-2.0
//! The primitives of postcard's encoding (postcard 1.x wire format), written and read by hand.
//!
//! A `u8` is itself, a `bool` is 0 or 1, wider numbers are LEB128, sequences and strings begin with their length, an
//! option begins with 0 or 1, an enum with the number of its variant; structures and tuples are what is in them. Stricter
//! than postcard in one thing: a number has one encoding, the shortest.

use super::flaw::Flaw;
use crate::address::Address;
use crate::mem::{OutOfMemory, Vec};
use crate::number::{Number, Radix};

/// Writes a number of any width above 8 bits, the length of a sequence, or the number of a variant.
///
/// # Errors
/// Out of memory.
pub(crate) fn put_u64(out: &mut Vec<u8>, value: u64) -> Result<(), OutOfMemory> {
    let mut rest = value;
    while rest > 0x7F {
        out.push(rest as u8 | 0x80)?;
        rest >>= 7;
    }
    out.push(rest as u8)
}

/// Writes a number that may be negative: the small ones of both signs are short.
///
/// # Errors
/// Out of memory.
#[cfg(not(sekisho_kernel))]
pub(crate) fn put_i32(out: &mut Vec<u8>, value: i32) -> Result<(), OutOfMemory> {
    put_u64(out, ((value << 1) ^ (value >> 31)) as u32 as u64)
}

/// Writes the number of elements that follow.
///
/// # Errors
/// Out of memory.
pub(crate) fn put_len(out: &mut Vec<u8>, len: usize) -> Result<(), OutOfMemory> {
    put_u64(out, len as u64)
}

/// Writes bytes behind their length.
///
/// # Errors
/// Out of memory.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), OutOfMemory> {
    put_len(out, bytes.len())?;
    out.extend_from_slice(bytes)
}

/// Writes an option; `put` writes what is in it.
///
/// # Errors
/// Those of `put`, or out of memory.
pub(crate) fn put_option<T>(
    out: &mut Vec<u8>,
    value: Option<T>,
    put: impl FnOnce(&mut Vec<u8>, T) -> Result<(), OutOfMemory>,
) -> Result<(), OutOfMemory> {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(1)?;
            put(out, value)
        }
    }
}

/// Writes an address.
///
/// # Errors
/// Out of memory.
pub(crate) fn put_address(out: &mut Vec<u8>, address: &Address) -> Result<(), OutOfMemory> {
    match address {
        Address::V4(bytes) => {
            out.push(0)?;
            out.extend_from_slice(bytes)
        }
        Address::V6(bytes) => {
            out.push(1)?;
            out.extend_from_slice(bytes)
        }
    }
}

/// Writes a number with its radix.
///
/// # Errors
/// Out of memory.
pub(crate) fn put_number(out: &mut Vec<u8>, number: Number) -> Result<(), OutOfMemory> {
    out.push(match number.radix {
        Radix::Decimal => 0,
        Radix::Octal => 1,
        Radix::Hexadecimal => 2,
    })?;
    put_u64(out, number.value)
}

/// Reads from the front.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// Number of bytes that are left.
    pub(crate) const fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, Flaw> {
        let (first, rest) = self.rest.split_first().ok_or(Flaw::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn bool(&mut self) -> Result<bool, Flaw> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Flaw::Tag),
        }
    }

    /// A number up to `max`.
    #[inline(always)]
    fn number(&mut self, max: u64) -> Result<u64, Flaw> {
        let first = self.u8()?;
        if first < 0x80 {
            return if u64::from(first) <= max { Ok(first.into()) } else { Err(Flaw::Number) };
        }
        // Most numbers have two bytes at most.
        if let Some((second @ 1..=0x7F, rest)) = self.rest.split_first() {
            self.rest = rest;
            let value = u64::from(first & 0x7F) | u64::from(*second) << 7;
            return if value <= max { Ok(value) } else { Err(Flaw::Number) };
        }
        self.long_number(first, max)
    }

    /// A number whose first byte was taken already, and is not its last one.
    #[inline(never)]
    fn long_number(&mut self, first: u8, max: u64) -> Result<u64, Flaw> {
        let mut value = u64::from(first & 0x7F);
        let mut shift = 7_u32;
        loop {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7F);
            let placed = part.wrapping_shl(shift);
            // Nothing may be lost at the top, and the last byte of more than one is not 0.
            if shift > 63 || placed.wrapping_shr(shift) != part || byte == 0 {
                return Err(Flaw::Number);
            }
            value |= placed;
            if byte < 0x80 {
                return if value <= max { Ok(value) } else { Err(Flaw::Number) };
            }
            shift = shift.wrapping_add(7);
        }
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Flaw> {
        self.number(u16::MAX.into()).map(|number| number as u16)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, Flaw> {
        self.number(u32::MAX.into()).map(|number| number as u32)
    }

    /// What [`put_i32`] wrote.
    #[inline]
    pub(crate) fn i32(&mut self) -> Result<i32, Flaw> {
        let coded = self.u32()?;
        Ok((coded >> 1) as i32 ^ 0_i32.wrapping_sub((coded & 1) as i32))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Flaw> {
        self.number(u64::MAX)
    }

    /// A number of elements. Each takes a byte at least, so that there are never more of them than bytes.
    pub(crate) fn len(&mut self) -> Result<usize, Flaw> {
        let len = self.number(u32::MAX.into())? as usize;
        if len > self.rest.len() {
            return Err(Flaw::Truncated);
        }
        Ok(len)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Flaw> {
        let len = self.len()?;
        let bytes = self.rest.get(..len).ok_or(Flaw::Truncated)?;
        self.rest = self.rest.get(len..).unwrap_or(&[]);
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let bytes = self.rest.get(..N).and_then(|bytes| bytes.try_into().ok()).ok_or(Flaw::Truncated)?;
        self.rest = self.rest.get(N..).unwrap_or(&[]);
        Ok(bytes)
    }

    /// An option; `read` reads what is in it.
    pub(crate) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Flaw>,
    ) -> Result<Option<T>, Flaw> {
        if self.bool()? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A value of a list that has a number for each.
    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> Result<T, Flaw> {
        let number = self.u8()?;
        all.get(usize::from(number)).copied().ok_or(Flaw::Tag)
    }
}
