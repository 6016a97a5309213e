// SPDX-License-Identifier: MIT OR Apache-2.0
//! One stored ACL entry: operation bits, arguments, condition.
//!
//! Reference 4.4.1. Lines of the same class with equal arguments and equal conditions are one entry, whose bits say which
//! operations it allows. An entry is a record of bytes ([`crate::records`]): class, bits, arguments, so that ten thousand
//! of them cost no more than their text and a few bytes; two entries are the same if their bytes behind the bits are, and
//! their conditions. [`Entry`] is such a record, read.

use crate::address::Address;
use crate::args::{self, AddressArg, Args, NumberArg, PathArg, SILENT};
use crate::condition::Condition;
use crate::group::GroupId;
use crate::mem::{Arc, OutOfMemory};
use crate::name::Name;
use crate::pattern;
use crate::policy::Policy;
use crate::record;
use crate::request::{Class, Operation, PathOp, Request};
use crate::text::Sink;

/// An entry of a domain.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// The class: which arguments there are.
    pub class: Class,
    /// The allowed operations: [`Operation::bit`].
    pub bits: u16,
    /// The arguments.
    pub args: Args<'a, GroupId>,
    /// What must be true besides.
    pub condition: Option<&'a Condition>,
}

const READ_WRITE: u16 = Operation::Path(PathOp::ReadWrite).bit();
const READ: u16 = Operation::Path(PathOp::Read).bit();
const WRITE: u16 = Operation::Path(PathOp::Write).bit();

/// The bits after `more` was added: read and write together are read/write.
pub(crate) fn merge(class: Class, bits: u16, more: u16) -> u16 {
    let bits = bits | more;
    if class == Class::Path && (bits & READ_WRITE != 0 || bits & (READ | WRITE) == READ | WRITE) {
        return bits | READ_WRITE | READ | WRITE;
    }
    bits
}

/// The bits after `less` was taken away. Without read or without write there is no read/write any more.
pub(crate) fn separate(class: Class, bits: u16, less: u16) -> u16 {
    let mut bits = bits & !less;
    if class == Class::Path {
        if less & READ_WRITE != 0 {
            bits &= !(READ | WRITE);
        }
        if bits & (READ | WRITE) != READ | WRITE {
            bits &= !READ_WRITE;
        }
    }
    bits
}

/// The bits that print: read/write stands for read and write.
fn shown(class: Class, bits: u16) -> u16 {
    let both = class == Class::Path && bits & READ_WRITE != 0;
    if both {
        bits & !(READ | WRITE)
    } else {
        bits
    }
}

/// The operations that print: read/write stands for read and write.
pub(crate) fn operations(class: Class, bits: u16) -> impl Iterator<Item = Operation> {
    let shown = shown(class, bits);
    class.operations().filter(move |operation| shown & operation.bit() != 0)
}

/// Number of operations for the quota of learning (reference 8.4); handlers do not count.
pub(crate) fn count(class: Class, bits: u16) -> u32 {
    match class {
        Class::ExecuteHandler | Class::DeniedExecuteHandler => 0,
        _ => shown(class, bits).count_ones(),
    }
}

impl<'a> Entry<'a> {
    /// Reads a record. `None` for bytes that [`record::write`] did not make.
    #[inline]
    pub(crate) fn read(bytes: &'a [u8], condition: Option<&'a Arc<Condition>>) -> Option<Entry<'a>> {
        let (class, bits, rest) = header(bytes)?;
        let args = record::read_args(class, rest)?;
        Some(Entry { class, bits, args, condition: condition.map(|condition| &**condition) })
    }

    /// The operations of the entry, one line each.
    pub fn operations(&self) -> impl Iterator<Item = Operation> {
        operations(self.class, self.bits)
    }

    /// Prints one line an operation.
    pub(crate) fn print(&self, policy: &Policy, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        for operation in self.operations() {
            self.print_operation(operation, policy, sink)?;
        }
        Ok(())
    }

    /// Prints the line of one operation.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print_operation(
        &self,
        operation: Operation,
        policy: &Policy,
        sink: &mut dyn Sink,
    ) -> Result<(), OutOfMemory> {
        sink.put(operation.keyword())?;
        args::print_args(&self.args, &|kind, id| policy.group_name(kind, id), sink)?;
        if let Some(condition) = self.condition {
            condition.print(policy, sink)?;
        }
        sink.put(b"\n")
    }
}

/// Class, bits and the bytes behind.
#[inline(always)]
pub(crate) fn header(bytes: &[u8]) -> Option<(Class, u16, &[u8])> {
    let [class, low, high, rest @ ..] = bytes else {
        return None;
    };
    Some((Class::from_u8(*class)?, u16::from_le_bytes([*low, *high]), rest))
}

/// The word by which an entry is found: that of its first path or variable, of a mount the directory.
#[inline]
pub(crate) fn found_word(class: Class, args: &[u8]) -> Option<&[u8]> {
    if let Some(word) = record::only_word(args).filter(|_| class == Class::Path) {
        return Some(word);
    }
    let mut rest = args;
    if class == Class::Env {
        return record::word(&mut rest);
    }
    match found_path(class, args) {
        Some(PathArg::Word(word)) => Some(word),
        _ => None,
    }
}

/// The path by which an entry of a class with paths is found.
#[inline]
pub(crate) fn found_path(class: Class, args: &[u8]) -> Option<PathArg<'_, GroupId>> {
    let mut rest = args;
    if class == Class::Mount {
        record::path(&mut rest)?; // The device, which comes first.
    }
    record::path(&mut rest)
}

/// The same word of a record; `None` if it is found by something else.
pub(crate) fn word_of(record: &[u8]) -> Option<&[u8]> {
    match header(record)? {
        (Class::Network | Class::Capability | Class::Signal, ..) => None,
        (Class::ExecuteHandler | Class::DeniedExecuteHandler, ..) => None,
        (class, _, args) => found_word(class, args),
    }
}

/// Whether the arguments of a record are those of a request of its class; the path by which it was found is not compared
/// if `known`. They are read one by one, so that none needs room on the stack while the next one is compared.
#[inline(never)]
pub(crate) fn matches(args: &[u8], policy: &Policy, request: &Request<'_>, known: bool) -> bool {
    matches_next(&mut { args }, policy, request, known).unwrap_or(false)
}

fn matches_next(rest: &mut &[u8], policy: &Policy, request: &Request<'_>, known: bool) -> Option<bool> {
    // In the order in which `record::write` writes them.
    let found = |rest: &mut &[u8], name| next_path(rest, policy, name, true, known);
    Some(match request {
        Request::Path { op, path } => {
            next_path(rest, policy, *path, !matches!(op, PathOp::Execute | PathOp::Transit), known)?
        }
        Request::Path2 { from, to, .. } => found(rest, *from)? && next_path(rest, policy, *to, true, false)?,
        Request::PathNumber { path, number, .. } => {
            found(rest, *path)? && next_number(rest, policy, number.value)?
        }
        Request::Device { path, mode, major, minor, .. } => {
            found(rest, *path)?
                && next_number(rest, policy, mode.value)?
                && next_number(rest, policy, major.value)?
                && next_number(rest, policy, minor.value)?
        }
        Request::Network { address, port, .. } => {
            next_address(rest, policy, address)? && next_number(rest, policy, u64::from(*port))?
        }
        Request::Mount { device, compare_device, dir, kind, flags } => {
            next_path(rest, policy, *device, true, !compare_device)?
                && found(rest, *dir)?
                && next_path(rest, policy, *kind, true, false)?
                && next_flags(rest, policy, flags.value & !SILENT)?
        }
        Request::Env { name } => {
            let word = record::word(rest)?;
            known || pattern::matches_word(*name, word)
        }
        Request::Capability(capability) => record::byte(rest)? == *capability as u8,
        Request::Signal { number, target } => {
            u16::from_le_bytes(record::array(rest)?) == *number && is_word_prefix(record::word(rest)?, target)
        }
    })
}

/// Whether `domain` is `target` or one above it: `<kernel> /a` covers `<kernel> /a /b` (reference 4.11).
fn is_word_prefix(domain: &[u8], target: &[u8]) -> bool {
    target.strip_prefix(domain).is_some_and(|rest| matches!(rest.first(), None | Some(b' ')))
}

#[inline(never)]
fn next_path(
    rest: &mut &[u8],
    policy: &Policy,
    name: Name<'_>,
    wildcards: bool,
    known: bool,
) -> Option<bool> {
    let arg = record::path(rest)?;
    if known {
        return Some(true);
    }
    Some(match arg {
        PathArg::Word(word) if wildcards => pattern::matches_word(name, word),
        PathArg::Word(word) => *word == *name.as_bytes(),
        PathArg::Group(id) => policy.path_group_matches(id, name, wildcards),
    })
}

#[inline(never)]
fn next_number(rest: &mut &[u8], policy: &Policy, value: u64) -> Option<bool> {
    Some(match record::number(rest)? {
        NumberArg::Range(range) => range.contains(value),
        NumberArg::Group(id) => policy.number_group(id).is_some_and(|group| group.contains(value)),
    })
}

/// The flags of a mount. What an old policy allows with [`SILENT`] it allows without: in a group or a range it may still be.
#[inline(never)]
fn next_flags(rest: &mut &[u8], policy: &Policy, value: u64) -> Option<bool> {
    let start = *rest;
    Some(next_number(rest, policy, value)? || next_number(&mut { start }, policy, value | SILENT)?)
}

#[inline(never)]
fn next_address(rest: &mut &[u8], policy: &Policy, address: &Address) -> Option<bool> {
    Some(match record::address(rest)? {
        AddressArg::Range(range) => range.contains(address),
        AddressArg::Group(id) => policy.address_group(id).is_some_and(|group| group.contains(address)),
    })
}
