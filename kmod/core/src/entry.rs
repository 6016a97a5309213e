// SPDX-License-Identifier: MIT OR Apache-2.0
//! One stored ACL entry: operation bits, arguments, condition.
//!
//! Reference 4.4.1. Lines of the same class with equal arguments and equal conditions are one entry, whose bits say which
//! operations it allows. An entry is a record of bytes ([`crate::records`]): class, bits, arguments, so that ten thousand
//! of them cost no more than their text and a few bytes; two entries are the same if their bytes behind the bits are, and
//! their conditions. [`Entry`] is such a record, read.

use crate::acl::{self, AddressArg, Args, NumberArg, PathArg};
use crate::address::Address;
use crate::condition::Condition;
use crate::group::GroupId;
use crate::mem::{Arc, OutOfMemory};
use crate::name::Name;
use crate::number::Number;
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

    /// Whether the arguments are those of the request; the first path is not compared if `known`.
    #[inline]
    pub(crate) fn matches(&self, policy: &Policy, request: &Request<'_>, known: bool) -> bool {
        let path = |arg: &PathArg<'_, GroupId>, name: Name<'_>| path_matches(policy, arg, name, true);
        let number = |arg: &NumberArg<GroupId>, value: Number| number_matches(policy, arg, value.value);
        match (&self.args, request) {
            (Args::Path(arg), Request::Path { op, path }) => {
                known || path_matches(policy, arg, *path, !matches!(op, PathOp::Execute | PathOp::Transit))
            }
            (Args::Path2(old, new), Request::Path2 { from, to, .. }) => {
                (known || path(old, *from)) && path(new, *to)
            }
            (Args::PathNumber(arg, range), Request::PathNumber { path: name, number: value, .. }) => {
                number(range, *value) && (known || path(arg, *name))
            }
            (
                Args::Device(arg, mode, major, minor),
                Request::Device { path: name, mode: m, major: a, minor: i, .. },
            ) => number(mode, *m) && number(major, *a) && number(minor, *i) && (known || path(arg, *name)),
            (Args::Network(arg, ports), Request::Network { address, port, .. }) => {
                number_matches(policy, ports, u64::from(*port)) && address_matches(policy, arg, address)
            }
            (
                Args::Mount { device, dir, kind, flags },
                Request::Mount { device: dev, compare_device, dir: at, kind: fs, flags: f },
            ) => {
                number(flags, *f)
                    && path(kind, *fs)
                    && (known || path(dir, *at))
                    && (!compare_device || path(device, *dev))
            }
            (Args::Env(word), Request::Env { name }) => known || pattern::matches_word(*name, word),
            (Args::Capability(this), Request::Capability(that)) => this == that,
            (Args::Signal(this, domain), Request::Signal { number, target }) => {
                this == number && is_word_prefix(domain, target)
            }
            _ => false,
        }
    }

    /// Prints one line an operation.
    pub(crate) fn print(&self, policy: &Policy, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        for operation in self.operations() {
            sink.put(operation.keyword())?;
            acl::print_args(&self.args, &|kind, id| policy.group_name(kind, id), sink)?;
            if let Some(condition) = self.condition {
                condition.print(policy, sink)?;
            }
            sink.put(b"\n")?;
        }
        Ok(())
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

/// Whether `domain` is `target` or one above it: `<kernel> /a` covers `<kernel> /a /b` (reference 4.11).
fn is_word_prefix(domain: &[u8], target: &[u8]) -> bool {
    target.strip_prefix(domain).is_some_and(|rest| matches!(rest.first(), None | Some(b' ')))
}

#[inline]
fn path_matches(policy: &Policy, arg: &PathArg<'_, GroupId>, name: Name<'_>, wildcards: bool) -> bool {
    match arg {
        PathArg::Word(word) if wildcards => pattern::matches_word(name, word),
        PathArg::Word(word) => *word == name.as_bytes(),
        PathArg::Group(id) => policy.path_group_matches(*id, name, wildcards),
    }
}

#[inline]
fn number_matches(policy: &Policy, arg: &NumberArg<GroupId>, value: u64) -> bool {
    match arg {
        NumberArg::Range(range) => range.contains(value),
        NumberArg::Group(id) => policy.number_group(*id).is_some_and(|group| group.contains(value)),
    }
}

fn address_matches(policy: &Policy, arg: &AddressArg<GroupId>, address: &Address) -> bool {
    match arg {
        AddressArg::Range(range) => range.contains(address),
        AddressArg::Group(id) => policy.address_group(*id).is_some_and(|group| group.contains(address)),
    }
}
