// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is odd in an ACL line: arguments that the operation never has (reference 1.7, 4.4 to 4.11).

use super::word::{self, Role};
use super::{condition, next, next_column, Visit, Warning};
use crate::acl::AclLine;
use crate::args::{self, AddressArg, Args, NumberArg, PathArg};
use crate::number::{NumberRange, Radix};
use crate::pattern;
use crate::request::{Class, NetworkOp, Operation, Path2Op, PathNumberOp, PathOp};
use crate::text::Words;

/// Calls `visit` with whatever is odd in a line, from left to right.
pub(super) fn look(line: &AclLine<'_>, visit: &mut Visit<'_>) {
    let mut words = line.words();
    words.next();
    match line.args() {
        Args::Env(word) => next(&mut words, word, Role::Variable, visit),
        Args::Handler(program) => next(&mut words, program, Role::Program, visit),
        Args::Capability(_) => drop(words.next()),
        Args::Signal(number, domain) => {
            let column = next_column(&mut words);
            if !(1..=64).contains(number) {
                visit(column, Warning::NoSuchSignal);
            }
            for (_, word) in Words::new(domain) {
                super::domain_word(next_column(&mut words), word, visit);
            }
        }
        Args::Network(address, port) => {
            words.next();
            words.next();
            let column = next_column(&mut words);
            if matches!(address, AddressArg::Range(range) if range.is_empty()) {
                visit(column, Warning::EmptyRange);
            }
            let raw = [NetworkOp::RawBind, NetworkOp::RawConnect].map(|op| Operation::Network(op).bit());
            let most = if raw.contains(&line.bits()) { 255 } else { 65535 };
            number(next_column(&mut words), port, most, visit);
        }
        args => {
            paths(&mut words, line, visit);
            numbers(&mut words, line, args, visit);
        }
    }
    condition::look(line, words, visit);
}

/// The paths of a line, each in its role.
#[inline(never)]
fn paths(words: &mut Words<'_>, line: &AclLine<'_>, visit: &mut Visit<'_>) {
    let roles = roles(line);
    let given = args::paths(line.args());
    let mut columns = [0; 3];
    for ((path, role), column) in given.iter().zip(roles).zip(&mut columns) {
        let Some(path) = path else { continue };
        *column = next_column(words);
        match path {
            PathArg::Word(word) => one_path(*column, word, role, line, visit),
            PathArg::Group(name) if name.contains(&b'/') || name.first() == Some(&b'{') => {
                visit(*column, Warning::GroupWithSlash);
            }
            PathArg::Group(_) => {}
        }
    }
    // Both names of a rename, and both ends of a bind mount, are directories or both are not.
    let [_, second, _] = columns;
    let alike = match line.args() {
        Args::Path2(PathArg::Word(from), PathArg::Word(to))
            if is(line, Operation::Path2(Path2Op::Rename)) =>
        {
            ends_alike(from, to)
        }
        Args::Mount {
            device: PathArg::Word(from),
            dir: PathArg::Word(to),
            kind: PathArg::Word(kind),
            ..
        } if matches!(*kind, b"--bind" | b"--move") => ends_alike(from, to),
        _ => true,
    };
    if !alike {
        visit(second, Warning::SlashOnOneSide);
    }
}

fn ends_alike(this: &[u8], that: &[u8]) -> bool {
    (this.last() == Some(&b'/')) == (that.last() == Some(&b'/'))
}

fn is(line: &AclLine<'_>, operation: Operation) -> bool {
    line.class() == operation.class() && line.bits() == operation.bit()
}

/// What the paths of a line stand for (reference 1.7, 4.5 to 4.8).
pub(super) fn roles(line: &AclLine<'_>) -> [Role; 3] {
    const FILE: [Role; 3] = [Role::File; 3];
    const DIRECTORY: [Role; 3] = [Role::Directory; 3];
    const ANY: [Role; 3] = [Role::Any; 3];
    let Some(operation) = line.operations().last() else { return ANY };
    match operation {
        Operation::Path(PathOp::Execute) => [Role::Program; 3],
        Operation::Path(PathOp::Transit) => [Role::Transit; 3],
        Operation::Path(PathOp::Rmdir | PathOp::Chroot) | Operation::Path2(Path2Op::PivotRoot) => DIRECTORY,
        Operation::Path(PathOp::Unmount) => [Role::MountPoint; 3],
        Operation::Path(_) | Operation::Path2(Path2Op::Link) | Operation::Device(_) => FILE,
        Operation::PathNumber(PathNumberOp::Mkdir) => DIRECTORY,
        Operation::PathNumber(PathNumberOp::Create | PathNumberOp::Mkfifo | PathNumberOp::Mksock) => FILE,
        Operation::Mount => mount_roles(line.args()),
        _ => ANY,
    }
}

fn mount_roles(args: &Args<'_>) -> [Role; 3] {
    let kind = match args {
        Args::Mount { kind: PathArg::Word(kind), .. } if pattern::skip_units(kind).is_empty() => *kind,
        // It may be any type.
        _ => return [Role::Device, Role::Any, Role::Text],
    };
    match kind {
        b"--bind" | b"--move" => [Role::Any, Role::Any, Role::Text],
        [b'-', b'-', ..] => [Role::Device, Role::MountPoint, Role::Text],
        _ => [Role::Device, Role::Directory, Role::Text],
    }
}

fn one_path(column: u32, word: &[u8], role: Role, line: &AclLine<'_>, visit: &mut Visit<'_>) {
    // No wildcard ever matches for these two (reference 2.6).
    const EXECUTE: u16 = Operation::Path(PathOp::Execute).bit();
    const TRANSIT: u16 = Operation::Path(PathOp::Transit).bit();
    if line.class() == Class::Path && !pattern::skip_units(word).is_empty() {
        if line.bits() & EXECUTE != 0 {
            visit(column, Warning::WildcardInExecute);
        }
        if line.bits() & TRANSIT != 0 {
            visit(column, Warning::WildcardInTransit);
        }
        if line.bits() & !(EXECUTE | TRANSIT) == 0 {
            return;
        }
        let file = matches!(role, Role::Program | Role::Transit);
        return word::look(column, word, if file { Role::File } else { role }, visit);
    }
    word::look(column, word, role, visit);
}

/// The numbers of a line, which end where the operation's do.
fn numbers(words: &mut Words<'_>, line: &AclLine<'_>, args: &Args<'_>, visit: &mut Visit<'_>) {
    const MAJOR: u64 = 0xFFF;
    const MINOR: u64 = 0xF_FFFF;
    let owner = [PathNumberOp::Chown, PathNumberOp::Chgrp, PathNumberOp::Ioctl];
    let is_mode = line.class() == Class::Device
        || line.class() == Class::PathNumber && !owner.iter().any(|op| is(line, Operation::PathNumber(*op)));
    let most = match line.class() {
        Class::Device => [MODE, MAJOR, MINOR],
        _ if is_mode => [MODE; 3],
        _ => [u32::MAX.into(); 3],
    };
    for (place, (given, most)) in args::numbers(args).iter().zip(most).enumerate() {
        let Some(given) = given else { continue };
        let column = next_column(words);
        number(column, given, most, visit);
        if is_mode && place == 0 && matches!(given, NumberArg::Range(range) if is_decimal_mode(range)) {
            visit(column, Warning::DecimalMode);
        }
        if has_impossible_flag(args) {
            visit(column, Warning::ImpossibleFlag);
        }
    }
}

/// Permission bits.
pub(super) const MODE: u64 = 0o7777;

fn number<G>(column: u32, number: &NumberArg<G>, most: u64, visit: &mut Visit<'_>) {
    match number {
        NumberArg::Range(range) if range.is_empty() => visit(column, Warning::EmptyRange),
        NumberArg::Range(range) if range.min.value > most => visit(column, Warning::NumberTooLarge),
        _ => {}
    }
}

/// Whether an end of the range reads like a mode whose `0` was forgotten: octal digits, and whatever others may the group
/// may, and what the group may the owner may. So 755 is one, and 420, which is 0644, is none.
pub(super) fn is_decimal_mode(range: &NumberRange) -> bool {
    [range.min, range.max].iter().any(|number| {
        let digits = u32::try_from(number.value).unwrap_or(u32::MAX);
        let (others, group, owner, special) =
            (digits % 10, digits / 10 % 10, digits / 100 % 10, digits / 1000);
        let within = |less: u32, more: u32| less & !more == 0;
        number.radix == Radix::Decimal
            && owner > 0
            && owner.max(special) < 8
            && within(group, owner)
            && within(others, group)
    })
}

/// Whether flags that name one number have a bit that names the type instead (reference 4.8). Bits before the one of the type
/// are never left either, because the first of the list decides.
fn has_impossible_flag(args: &Args<'_>) -> bool {
    const KINDS: [(&[u8], u64); 7] = [
        (b"--remount", 1 << 5),
        (b"--bind", 1 << 12),
        (b"--make-shared", 1 << 20),
        (b"--make-private", 1 << 18),
        (b"--make-slave", 1 << 19),
        (b"--make-unbindable", 1 << 17),
        (b"--move", 1 << 13),
    ];
    let Args::Mount { kind: PathArg::Word(kind), flags: NumberArg::Range(range), .. } = args else {
        return false;
    };
    if range.min != range.max || !pattern::skip_units(kind).is_empty() {
        return false;
    }
    if kind.starts_with(b"--") && !KINDS.iter().any(|(known, _)| known == kind) {
        // One of those that Linux has no hook with a type for.
        return false;
    }
    let mut gone = 0;
    for (known, bit) in KINDS {
        gone |= bit;
        if known == *kind {
            break;
        }
    }
    range.min.value & gone != 0
}
