// SPDX-License-Identifier: MIT OR Apache-2.0
//! The arguments of an ACL, in a line and in an entry: the one kind names its groups, the other has their numbers.
//!
//! Reference 4.4.

use crate::address::AddressRange;
use crate::capability::Capability;
use crate::group::GroupKind;
use crate::mem::OutOfMemory;
use crate::number::{Number, NumberRange};
use crate::text::Sink;

/// A path argument; `G` says which group: its name in a line, its number in an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PathArg<'a, G = &'a [u8]> {
    /// A valid word.
    Word(&'a [u8]),
    /// `@GROUP`
    Group(G),
}

/// A number argument.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum NumberArg<G> {
    /// A number or a range.
    Range(NumberRange),
    /// `@GROUP`
    Group(G),
}

/// An address argument.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AddressArg<G> {
    /// An address or a range.
    Range(AddressRange),
    /// `@GROUP`
    Group(G),
}

/// The arguments of each [`Class`](crate::request::Class).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Args<'a, G = &'a [u8]> {
    /// A path.
    Path(PathArg<'a, G>),
    /// Two paths.
    Path2(PathArg<'a, G>, PathArg<'a, G>),
    /// A path and a number.
    PathNumber(PathArg<'a, G>, NumberArg<G>),
    /// A path, mode, major and minor number.
    Device(PathArg<'a, G>, NumberArg<G>, NumberArg<G>, NumberArg<G>),
    /// An address and a port.
    Network(AddressArg<G>, NumberArg<G>),
    /// What [`Class::Mount`](crate::request::Class::Mount) has.
    Mount {
        /// The device.
        device: PathArg<'a, G>,
        /// The mount point.
        dir: PathArg<'a, G>,
        /// The type of file system, or `--bind` and the like.
        kind: PathArg<'a, G>,
        /// The flags.
        flags: NumberArg<G>,
    },
    /// The name of an environment variable.
    Env(&'a [u8]),
    /// A capability.
    Capability(Capability),
    /// A signal, and the name of a domain.
    Signal(u16, &'a [u8]),
    /// A program.
    Handler(&'a [u8]),
}

/// MS_SILENT: whether the kernel may print why a mount failed. No right depends on it, and busybox and util-linux differ in
/// it, so that it is no part of the flags of a mount (reference 4.8, quirk Q34).
pub(crate) const SILENT: u64 = 0x8000;

/// The flags of a mount as a line keeps them.
pub(crate) fn without_silent<G>(flags: NumberArg<G>) -> NumberArg<G> {
    match flags {
        NumberArg::Range(range) if range.min.value & range.max.value & SILENT != 0 => {
            let cleared = |number: Number| Number { value: number.value & !SILENT, ..number };
            NumberArg::Range(NumberRange { min: cleared(range.min), max: cleared(range.max) })
        }
        other => other,
    }
}

/// The paths among arguments, in the order of the line.
pub(crate) fn paths<'a, G: Copy>(args: &Args<'a, G>) -> [Option<PathArg<'a, G>>; 3] {
    match args {
        Args::Path(path) | Args::PathNumber(path, _) | Args::Device(path, ..) => [Some(*path), None, None],
        Args::Path2(from, to) => [Some(*from), Some(*to), None],
        Args::Mount { device, dir, kind, .. } => [Some(*device), Some(*dir), Some(*kind)],
        _ => [None; 3],
    }
}

/// The numbers among arguments, in the order of the line.
pub(crate) fn numbers<G: Copy>(args: &Args<'_, G>) -> [Option<NumberArg<G>>; 3] {
    match args {
        Args::PathNumber(_, number) | Args::Network(_, number) | Args::Mount { flags: number, .. } => {
            [Some(*number), None, None]
        }
        Args::Device(_, mode, major, minor) => [Some(*mode), Some(*major), Some(*minor)],
        _ => [None; 3],
    }
}

/// The same arguments with other ranges of numbers.
#[cfg(any(not(sekisho_kernel), CONFIG_SECURITY_SEKISHO_SELFTEST))]
pub(crate) fn with_numbers<'a, G: Copy>(
    args: &Args<'a, G>,
    convert: &dyn Fn(NumberRange) -> NumberRange,
) -> Args<'a, G> {
    let of = |number: NumberArg<G>| match number {
        NumberArg::Range(range) => NumberArg::Range(convert(range)),
        group => group,
    };
    match *args {
        Args::PathNumber(path, number) => Args::PathNumber(path, of(number)),
        Args::Device(path, mode, major, minor) => Args::Device(path, of(mode), of(major), of(minor)),
        Args::Network(address, port) => Args::Network(address, of(port)),
        Args::Mount { device, dir, kind, flags } => Args::Mount { device, dir, kind, flags: of(flags) },
        other => other,
    }
}

/// The groups of arguments.
pub(crate) fn groups<'a, G: Copy>(args: &Args<'a, G>) -> impl Iterator<Item = (GroupKind, G)> {
    let paths = paths(args).map(|path| match path {
        Some(PathArg::Group(group)) => Some((GroupKind::Path, group)),
        _ => None,
    });
    let numbers = numbers(args).map(|number| match number {
        Some(NumberArg::Group(group)) => Some((GroupKind::Number, group)),
        _ => None,
    });
    let address = match args {
        Args::Network(AddressArg::Group(group), _) => Some((GroupKind::Address, *group)),
        _ => None,
    };
    paths.into_iter().flatten().chain(numbers.into_iter().flatten()).chain(address)
}

/// Arguments with other groups: each is what `group` makes of it; `None` if that is `None`.
///
/// # Errors
/// Those of `group`.
pub(crate) fn resolve<'a, G: Copy, H, E>(
    args: &Args<'a, G>,
    group: &mut dyn FnMut(GroupKind, G) -> Result<Option<H>, E>,
) -> Result<Option<Args<'a, H>>, E> {
    macro_rules! some {
        ($value:expr) => {
            match $value? {
                Some(value) => value,
                None => return Ok(None),
            }
        };
    }
    fn path<'a, G, H, E>(
        arg: PathArg<'a, G>,
        group: &mut dyn FnMut(GroupKind, G) -> Result<Option<H>, E>,
    ) -> Result<Option<PathArg<'a, H>>, E> {
        match arg {
            PathArg::Word(word) => Ok(Some(PathArg::Word(word))),
            PathArg::Group(id) => Ok(group(GroupKind::Path, id)?.map(PathArg::Group)),
        }
    }
    fn number<G, H, E>(
        arg: NumberArg<G>,
        group: &mut dyn FnMut(GroupKind, G) -> Result<Option<H>, E>,
    ) -> Result<Option<NumberArg<H>>, E> {
        match arg {
            NumberArg::Range(range) => Ok(Some(NumberArg::Range(range))),
            NumberArg::Group(id) => Ok(group(GroupKind::Number, id)?.map(NumberArg::Group)),
        }
    }
    Ok(Some(match *args {
        Args::Path(a) => Args::Path(some!(path(a, group))),
        Args::Path2(a, b) => Args::Path2(some!(path(a, group)), some!(path(b, group))),
        Args::PathNumber(a, n) => Args::PathNumber(some!(path(a, group)), some!(number(n, group))),
        Args::Device(a, mode, major, minor) => Args::Device(
            some!(path(a, group)),
            some!(number(mode, group)),
            some!(number(major, group)),
            some!(number(minor, group)),
        ),
        Args::Network(address, port) => {
            let address = match address {
                AddressArg::Range(range) => AddressArg::Range(range),
                AddressArg::Group(id) => AddressArg::Group(some!(group(GroupKind::Address, id))),
            };
            Args::Network(address, some!(number(port, group)))
        }
        Args::Mount { device, dir, kind, flags } => Args::Mount {
            device: some!(path(device, group)),
            dir: some!(path(dir, group)),
            kind: some!(path(kind, group)),
            flags: some!(number(flags, group)),
        },
        Args::Env(word) => Args::Env(word),
        Args::Capability(capability) => Args::Capability(capability),
        Args::Signal(number, domain) => Args::Signal(number, domain),
        Args::Handler(program) => Args::Handler(program),
    }))
}

/// Prints arguments, each behind a blank.
///
/// # Errors
/// The sink is out of memory.
pub(crate) fn print_args<'n, G: Copy>(
    args: &Args<'_, G>,
    group_name: &dyn Fn(GroupKind, G) -> &'n [u8],
    sink: &mut dyn Sink,
) -> Result<(), OutOfMemory> {
    let group = |sink: &mut dyn Sink, kind, id| {
        sink.put(b" @")?;
        sink.put(group_name(kind, id))
    };
    let word = |sink: &mut dyn Sink, word: &[u8]| {
        sink.put(b" ")?;
        sink.put(word)
    };
    for path in paths(args).into_iter().flatten() {
        match path {
            PathArg::Word(path) => word(sink, path)?,
            PathArg::Group(id) => group(sink, GroupKind::Path, id)?,
        }
    }
    match args {
        Args::Env(name) | Args::Handler(name) => word(sink, name)?,
        Args::Capability(capability) => word(sink, capability.name())?,
        Args::Signal(number, domain) => {
            sink.put(b" ")?;
            Number::decimal(u64::from(*number)).print(sink)?;
            word(sink, domain)?;
        }
        Args::Network(AddressArg::Group(id), _) => group(sink, GroupKind::Address, *id)?,
        Args::Network(AddressArg::Range(range), _) => {
            sink.put(b" ")?;
            range.print(sink)?;
        }
        _ => {}
    }
    for number in numbers(args).into_iter().flatten() {
        match number {
            NumberArg::Range(range) => {
                sink.put(b" ")?;
                range.print(sink)?;
            }
            NumberArg::Group(id) => group(sink, GroupKind::Number, id)?,
        }
    }
    Ok(())
}
