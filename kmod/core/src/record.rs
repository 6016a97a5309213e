// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes of an ACL entry: how [`crate::entry::Entry`] is written into a record and read from it.
//!
//! `class bits arguments`, without padding, numbers little endian. A path or word is a tag, a length and its bytes; a group
//! is a tag and its number; a range of numbers is a tag with both radices and two numbers. Equal arguments have equal
//! bytes, radices included (reference 1.5, quirk Q23), so that identity is a comparison of bytes.

use crate::address::{Address, AddressRange};
use crate::args::{AddressArg, Args, NumberArg, PathArg};
use crate::capability::Capability;
use crate::group::GroupId;
use crate::mem::{OutOfMemory, Vec};
use crate::number::{Number, NumberRange, Radix};
use crate::request::Class;

const WORD: u8 = 0;
const GROUP: u8 = 1;
const V4: u8 = 4;
const V6: u8 = 6;
/// The tag of a range is this and two bits for each radix.
const RANGE: u8 = 0x10;

/// Bytes in front of the word in the record of an entry that has a path and nothing else.
pub(crate) const HEAD: usize = 8;

/// Writes what stands in front of a word of this length into the first bytes of `record`, up to class and bits, which are
/// for [`set_operations`]. The result is what [`write`] makes of `Args::Path`.
///
/// # Errors
/// The word is too long.
#[inline]
pub(crate) fn set_head(record: &mut [u8], len: usize) -> Result<(), OutOfMemory> {
    let [a, b, c, d] = u32::try_from(len).map_err(|_| OutOfMemory)?.to_le_bytes();
    if let Some(head) = record.first_chunk_mut::<HEAD>() {
        *head = [0, 0, 0, WORD, a, b, c, d];
    }
    Ok(())
}

/// Writes class and bits into a record.
#[inline]
pub(crate) fn set_operations(record: &mut [u8], class: Class, bits: u16) {
    let [low, high] = bits.to_le_bytes();
    if let Some(head) = record.first_chunk_mut::<3>() {
        *head = [class as u8, low, high];
    }
}

/// Writes a record.
///
/// # Errors
/// Out of memory; `out` holds a part of it.
pub(crate) fn write(
    out: &mut Vec<u8>,
    class: Class,
    bits: u16,
    args: &Args<'_, GroupId>,
) -> Result<(), OutOfMemory> {
    let [low, high] = bits.to_le_bytes();
    out.extend_from_slice(&[class as u8, low, high])?;
    match args {
        Args::Path(path) => put_path(out, path),
        Args::Path2(from, to) => put_path(out, from).and_then(|()| put_path(out, to)),
        Args::PathNumber(path, number) => put_path(out, path).and_then(|()| put_number(out, number)),
        Args::Device(path, mode, major, minor) => {
            put_path(out, path)?;
            put_number(out, mode)?;
            put_number(out, major)?;
            put_number(out, minor)
        }
        Args::Network(address, port) => {
            match address {
                AddressArg::Group(id) => put_group(out, *id)?,
                AddressArg::Range(AddressRange { min: Address::V4(min), max: Address::V4(max) }) => {
                    out.push(V4)?;
                    out.extend_from_slice(min)?;
                    out.extend_from_slice(max)?;
                }
                AddressArg::Range(AddressRange { min, max }) => {
                    out.push(V6)?;
                    out.extend_from_slice(&v6(min))?;
                    out.extend_from_slice(&v6(max))?;
                }
            }
            put_number(out, port)
        }
        Args::Mount { device, dir, kind, flags } => {
            put_path(out, device)?;
            put_path(out, dir)?;
            put_path(out, kind)?;
            put_number(out, flags)
        }
        Args::Env(word) | Args::Handler(word) => put_bytes(out, word),
        Args::Capability(capability) => out.push(*capability as u8),
        Args::Signal(number, domain) => {
            out.extend_from_slice(&number.to_le_bytes())?;
            put_bytes(out, domain)
        }
    }
}

/// The families of a range never differ; a range of both would contain nothing.
fn v6(address: &Address) -> [u8; 16] {
    match address {
        Address::V6(bytes) => *bytes,
        Address::V4(_) => [0; 16],
    }
}

fn put_path(out: &mut Vec<u8>, path: &PathArg<'_, GroupId>) -> Result<(), OutOfMemory> {
    match path {
        PathArg::Word(word) => {
            out.push(WORD)?;
            put_bytes(out, word)
        }
        PathArg::Group(id) => put_group(out, *id),
    }
}

fn put_group(out: &mut Vec<u8>, id: GroupId) -> Result<(), OutOfMemory> {
    out.push(GROUP)?;
    out.extend_from_slice(&id.0.to_le_bytes())
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), OutOfMemory> {
    let len = u32::try_from(bytes.len()).map_err(|_| OutOfMemory)?;
    out.extend_from_slice(&len.to_le_bytes())?;
    out.extend_from_slice(bytes)
}

fn put_number(out: &mut Vec<u8>, number: &NumberArg<GroupId>) -> Result<(), OutOfMemory> {
    match number {
        NumberArg::Group(id) => put_group(out, *id),
        NumberArg::Range(NumberRange { min, max }) => {
            out.push(RANGE | radix(*min) | (radix(*max) << 2))?;
            out.extend_from_slice(&min.value.to_le_bytes())?;
            out.extend_from_slice(&max.value.to_le_bytes())
        }
    }
}

const fn radix(number: Number) -> u8 {
    match number.radix {
        Radix::Decimal => 0,
        Radix::Octal => 1,
        Radix::Hexadecimal => 2,
    }
}

/// The word, if the arguments of class [`Class::Path`] are a word and not a group.
#[inline(always)]
pub(crate) fn only_word(args: &[u8]) -> Option<&[u8]> {
    match args {
        [WORD, _, _, _, _, word @ ..] => Some(word),
        _ => None,
    }
}

/// Reads the arguments. `None` for bytes that [`write`] did not make.
#[inline]
pub(crate) fn read_args<'a>(class: Class, bytes: &'a [u8]) -> Option<Args<'a, GroupId>> {
    let mut rest = bytes;
    let rest = &mut rest;
    Some(match class {
        Class::Path => Args::Path(path(rest)?),
        Class::Path2 => Args::Path2(path(rest)?, path(rest)?),
        Class::PathNumber => Args::PathNumber(path(rest)?, number(rest)?),
        Class::Device => Args::Device(path(rest)?, number(rest)?, number(rest)?, number(rest)?),
        Class::Network => Args::Network(address(rest)?, number(rest)?),
        Class::Mount => {
            let (device, dir, kind) = (path(rest)?, path(rest)?, path(rest)?);
            Args::Mount { device, dir, kind, flags: number(rest)? }
        }
        Class::Env => Args::Env(word(rest)?),
        Class::Capability => Args::Capability(Capability::from_u8(byte(rest)?)?),
        Class::Signal => Args::Signal(u16::from_le_bytes(array(rest)?), word(rest)?),
        Class::ExecuteHandler | Class::DeniedExecuteHandler => Args::Handler(word(rest)?),
    })
}

/// Reads a byte.
#[inline(always)]
pub(crate) fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (first, tail) = rest.split_first()?;
    *rest = tail;
    Some(*first)
}

/// Reads bytes of which the number is known.
#[inline(always)]
pub(crate) fn array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let array = rest.get(..N)?.try_into().ok()?;
    *rest = rest.get(N..)?;
    Some(array)
}

/// Reads a word.
#[inline(always)]
pub(crate) fn word<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = u32::from_le_bytes(array(rest)?) as usize;
    let word = rest.get(..len)?;
    *rest = rest.get(len..)?;
    Some(word)
}

/// Reads the number of a group.
pub(crate) fn group(rest: &mut &[u8]) -> Option<GroupId> {
    Some(GroupId(u32::from_le_bytes(array(rest)?)))
}

/// Reads a path.
#[inline(always)]
pub(crate) fn path<'a>(rest: &mut &'a [u8]) -> Option<PathArg<'a, GroupId>> {
    match byte(rest)? {
        WORD => Some(PathArg::Word(word(rest)?)),
        GROUP => Some(PathArg::Group(group(rest)?)),
        _ => None,
    }
}

/// Reads a number.
pub(crate) fn number(rest: &mut &[u8]) -> Option<NumberArg<GroupId>> {
    let tag = byte(rest)?;
    if tag == GROUP {
        return Some(NumberArg::Group(group(rest)?));
    }
    let radix = |bits: u8| match bits & 3 {
        0 => Some(Radix::Decimal),
        1 => Some(Radix::Octal),
        2 => Some(Radix::Hexadecimal),
        _ => None,
    };
    let (min_radix, max_radix) = (radix(tag)?, radix(tag >> 2)?);
    let min = Number { value: u64::from_le_bytes(array(rest)?), radix: min_radix };
    let max = Number { value: u64::from_le_bytes(array(rest)?), radix: max_radix };
    Some(NumberArg::Range(NumberRange { min, max }))
}

/// Reads an address.
pub(crate) fn address(rest: &mut &[u8]) -> Option<AddressArg<GroupId>> {
    Some(match byte(rest)? {
        GROUP => AddressArg::Group(group(rest)?),
        V4 => {
            AddressArg::Range(AddressRange { min: Address::V4(array(rest)?), max: Address::V4(array(rest)?) })
        }
        V6 => {
            AddressArg::Range(AddressRange { min: Address::V6(array(rest)?), max: Address::V6(array(rest)?) })
        }
        _ => return None,
    })
}
