// SPDX-License-Identifier: MIT OR Apache-2.0
//! One stored ACL entry: operation bits, arguments, condition.
//!
//! Reference 4.4.1. Lines of the same class with equal arguments and equal conditions are one entry, whose bits say
//! which operations it allows. Copying an entry raises reference counts and allocates nothing, so that the list of a
//! domain can be copied for a change.

use crate::condition::Condition;
use crate::group::{self, GroupId, NumberGroup, PathGroup};
use crate::mem::{Arc, OutOfMemory};
use crate::name::Name;
use crate::number::{Number, NumberRange};
use crate::pattern::Pattern;
use crate::policy::Policy;
use crate::request::{Operation, PathOp, Request};
use crate::table::Table;
use crate::task::Task;
use crate::text::Sink;

/// A path argument.
#[derive(Clone)]
pub(crate) enum PathArg {
    Word(Arc<Pattern>),
    Group(GroupId),
}

impl PathArg {
    fn matches(&self, name: Name<'_>, wildcards: bool, groups: &Table<PathGroup>) -> bool {
        match self {
            PathArg::Word(pattern) => group::matches_word(name, pattern, wildcards),
            PathArg::Group(id) => groups.get(id.0).is_some_and(|group| group.matches(name, wildcards)),
        }
    }

    fn memory(&self) -> usize {
        match self {
            PathArg::Word(pattern) => {
                core::mem::size_of::<Pattern>().saturating_add(pattern.capacity_bytes())
            }
            PathArg::Group(_) => 0,
        }
    }

    fn print(&self, groups: &Table<PathGroup>, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        match self {
            PathArg::Word(pattern) => sink.put(pattern.as_bytes()),
            PathArg::Group(id) => put_group(sink, groups.get(id.0).map_or(&[], PathGroup::name)),
        }
    }
}

impl PartialEq for PathArg {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (PathArg::Word(this), PathArg::Word(that)) => this.as_bytes() == that.as_bytes(),
            (PathArg::Group(this), PathArg::Group(that)) => this == that,
            _ => false,
        }
    }
}

/// A number argument. Equality includes the radix.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum NumberArg {
    Range(NumberRange),
    Group(GroupId),
}

impl NumberArg {
    fn matches(&self, number: Number, groups: &Table<NumberGroup>) -> bool {
        match self {
            NumberArg::Range(range) => range.contains(number.value),
            NumberArg::Group(id) => groups.get(id.0).is_some_and(|group| group.contains(number.value)),
        }
    }

    fn print(&self, groups: &Table<NumberGroup>, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        match self {
            NumberArg::Range(range) => range.print(sink),
            NumberArg::Group(id) => put_group(sink, groups.get(id.0).map_or(&[], NumberGroup::name)),
        }
    }
}

fn put_group(sink: &mut dyn Sink, name: &[u8]) -> Result<(), OutOfMemory> {
    sink.put(b"@")?;
    sink.put(name)
}

/// The class of an entry with its arguments.
#[derive(Clone, PartialEq)]
pub(crate) enum Args {
    Path(PathArg),
    Path2(PathArg, PathArg),
    PathNumber(PathArg, NumberArg),
}

/// A stored entry.
#[derive(Clone)]
pub(crate) struct Entry {
    /// One bit an operation: [`Operation::bit`].
    bits: u16,
    /// A hash of the arguments as written; two equal entries have equal ones. It makes the search for an existing
    /// entry cheap when thousands are loaded.
    fingerprint: u32,
    args: Args,
    condition: Option<Arc<Condition>>,
}

const BOTH: u16 = Operation::Path(PathOp::ReadWrite).bit();
const READ: u16 = Operation::Path(PathOp::Read).bit();
const WRITE: u16 = Operation::Path(PathOp::Write).bit();

impl Entry {
    /// An entry that allows one operation.
    pub(crate) fn new(operation: Operation, args: Args, condition: Option<Arc<Condition>>) -> Self {
        let mut entry = Entry { bits: 0, fingerprint: fingerprint(&args), args, condition };
        entry.allow(operation);
        entry
    }

    /// Whether both are the same entry but for the bits (reference 4.4.1).
    pub(crate) fn is_same(&self, other: &Entry) -> bool {
        self.fingerprint == other.fingerprint && self.args == other.args && {
            match (&self.condition, &other.condition) {
                (None, None) => true,
                (Some(this), Some(that)) => **this == **that,
                _ => false,
            }
        }
    }

    pub(crate) fn bits(&self) -> u16 {
        self.bits
    }

    /// Sets the bits of `other`, as if its lines were written. Read and write together are read/write.
    pub(crate) fn merge(&mut self, bits: u16) {
        self.bits |= bits;
        if self.bits & BOTH != 0 || self.bits & (READ | WRITE) == READ | WRITE {
            self.bits |= BOTH | READ | WRITE;
        }
    }

    fn allow(&mut self, operation: Operation) {
        self.merge(operation.bit());
    }

    /// Takes an operation away. Without read or without write there is no read/write any more. True if nothing is
    /// left of the entry.
    pub(crate) fn forbid(&mut self, operation: Operation) -> bool {
        self.bits &= !operation.bit();
        if operation == Operation::Path(PathOp::ReadWrite) {
            self.bits &= !(READ | WRITE);
        }
        if self.bits & (READ | WRITE) != READ | WRITE {
            self.bits &= !BOTH;
        }
        self.bits == 0
    }

    /// The operations that print: read/write stands for read and write.
    fn operations(&self) -> impl Iterator<Item = Operation> {
        let shown = if self.bits & BOTH != 0 { self.bits & !(READ | WRITE) } else { self.bits };
        Operation::ALL.into_iter().filter(move |operation| shown & operation.bit() != 0)
    }

    /// Number of operations for the quota of learning (reference 8.4).
    pub(crate) fn count(&self) -> usize {
        // Not `count`: that one checks for overflow, and a check is a panic.
        self.operations().fold(0, |sum, _| sum.saturating_add(1))
    }

    /// Whether the entry allows the request of the task.
    pub(crate) fn grants(&self, policy: &Policy, task: &Task, request: &Request<'_>) -> bool {
        // The class follows from the bit.
        if self.bits & request.operation().bit() == 0 {
            return false;
        }
        let paths = &policy.path_groups;
        let matches = match (&self.args, request) {
            (Args::Path(arg), Request::Path { op, path }) => {
                arg.matches(*path, *op != PathOp::Execute, paths)
            }
            (Args::Path2(old, new), Request::Path2 { from, to, .. }) => {
                old.matches(*from, true, paths) && new.matches(*to, true, paths)
            }
            (Args::PathNumber(arg, range), Request::PathNumber { path, number, .. }) => {
                range.matches(*number, &policy.number_groups) && arg.matches(*path, true, paths)
            }
            _ => false,
        };
        matches
            && match &self.condition {
                Some(condition) => condition.is_true(task, &policy.number_groups),
                None => true,
            }
    }

    /// Whether the entry mentions a path group.
    pub(crate) fn uses_path_group(&self, id: GroupId) -> bool {
        let is = |arg: &PathArg| matches!(arg, PathArg::Group(used) if *used == id);
        match &self.args {
            Args::Path(arg) | Args::PathNumber(arg, _) => is(arg),
            Args::Path2(old, new) => is(old) || is(new),
        }
    }

    /// Whether the entry mentions a number group.
    pub(crate) fn uses_number_group(&self, id: GroupId) -> bool {
        matches!(&self.args, Args::PathNumber(_, NumberArg::Group(used)) if *used == id)
            || self.condition.as_ref().is_some_and(|condition| condition.groups().any(|used| used == id))
    }

    /// Bytes behind the entry.
    pub(crate) fn memory(&self) -> usize {
        let args = match &self.args {
            Args::Path(arg) | Args::PathNumber(arg, _) => arg.memory(),
            Args::Path2(old, new) => old.memory().saturating_add(new.memory()),
        };
        let condition = self.condition.as_ref().map_or(0, |condition| condition.memory());
        args.saturating_add(condition)
    }

    /// Prints one line an operation.
    pub(crate) fn print(&self, policy: &Policy, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        for operation in self.operations() {
            sink.put(operation.keyword())?;
            sink.put(b" ")?;
            match &self.args {
                Args::Path(arg) => arg.print(&policy.path_groups, sink)?,
                Args::Path2(old, new) => {
                    old.print(&policy.path_groups, sink)?;
                    sink.put(b" ")?;
                    new.print(&policy.path_groups, sink)?;
                }
                Args::PathNumber(arg, number) => {
                    arg.print(&policy.path_groups, sink)?;
                    sink.put(b" ")?;
                    number.print(&policy.number_groups, sink)?;
                }
            }
            if let Some(condition) = &self.condition {
                condition.print(&policy.number_groups, sink)?;
            }
            sink.put(b"\n")?;
        }
        Ok(())
    }
}

/// FNV-1a over the path arguments. Numbers are left out: they are compared when the rest is equal.
fn fingerprint(args: &Args) -> u32 {
    match args {
        Args::Path(arg) | Args::PathNumber(arg, _) => hash_arg(0x811C_9DC5, arg),
        Args::Path2(old, new) => hash_arg(hash_arg(0x811C_9DC5, old), new),
    }
}

fn hash_arg(hash: u32, arg: &PathArg) -> u32 {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    match arg {
        PathArg::Word(pattern) => pattern.as_bytes().iter().fold(hash, step),
        PathArg::Group(id) => id.0.to_le_bytes().iter().fold(hash, step),
    }
}
