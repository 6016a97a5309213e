// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conditions: what follows `if` in an ACL.
//!
//! Reference 5, with the operands that concern the task. A [`ConditionLine`] is text; a [`Condition`] is what an entry
//! keeps: the same tests in the same order, because two conditions are equal only if nothing is reordered
//! (reference 5.6).

use crate::acl;
use crate::group::{GroupId, NumberGroup};
use crate::mem::{OutOfMemory, Vec};
use crate::number::{Number, NumberRange};
use crate::table::Table;
use crate::task::Task;
use crate::text::{self, ParseError, Reason, Sink, Words};

/// The number for which `execute_handler` stands, and which `task.type` has in a handler (reference 5.2).
const EXECUTE_HANDLER: u64 = 64;

/// What a condition can know about the task.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskField {
    /// `task.uid`
    Uid,
    /// `task.euid`
    Euid,
    /// `task.suid`
    Suid,
    /// `task.fsuid`
    Fsuid,
    /// `task.gid`
    Gid,
    /// `task.egid`
    Egid,
    /// `task.sgid`
    Sgid,
    /// `task.fsgid`
    Fsgid,
    /// `task.pid`
    Pid,
    /// `task.ppid`
    Ppid,
    /// `task.state[0]`
    State0,
    /// `task.state[1]`
    State1,
    /// `task.state[2]`
    State2,
    /// `task.type`
    Type,
}

impl TaskField {
    /// All fields.
    pub const ALL: [TaskField; 14] = [
        TaskField::Uid,
        TaskField::Euid,
        TaskField::Suid,
        TaskField::Fsuid,
        TaskField::Gid,
        TaskField::Egid,
        TaskField::Sgid,
        TaskField::Fsgid,
        TaskField::Pid,
        TaskField::Ppid,
        TaskField::State0,
        TaskField::State1,
        TaskField::State2,
        TaskField::Type,
    ];

    /// The word in a condition.
    pub const fn keyword(self) -> &'static [u8] {
        match self {
            TaskField::Uid => b"task.uid",
            TaskField::Euid => b"task.euid",
            TaskField::Suid => b"task.suid",
            TaskField::Fsuid => b"task.fsuid",
            TaskField::Gid => b"task.gid",
            TaskField::Egid => b"task.egid",
            TaskField::Sgid => b"task.sgid",
            TaskField::Fsgid => b"task.fsgid",
            TaskField::Pid => b"task.pid",
            TaskField::Ppid => b"task.ppid",
            TaskField::State0 => b"task.state[0]",
            TaskField::State1 => b"task.state[1]",
            TaskField::State2 => b"task.state[2]",
            TaskField::Type => b"task.type",
        }
    }

    /// Its value in `task`.
    pub fn value(self, task: &Task) -> u64 {
        let [state0, state1, state2] = task.state;
        match self {
            TaskField::Uid => task.uid.into(),
            TaskField::Euid => task.euid.into(),
            TaskField::Suid => task.suid.into(),
            TaskField::Fsuid => task.fsuid.into(),
            TaskField::Gid => task.gid.into(),
            TaskField::Egid => task.egid.into(),
            TaskField::Sgid => task.sgid.into(),
            TaskField::Fsgid => task.fsgid.into(),
            TaskField::Pid => task.pid.into(),
            TaskField::Ppid => task.ppid.into(),
            TaskField::State0 => state0.into(),
            TaskField::State1 => state1.into(),
            TaskField::State2 => state2.into(),
            TaskField::Type if task.execute_handler => EXECUTE_HANDLER,
            TaskField::Type => 0,
        }
    }
}

/// One side of a test.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Operand<'a> {
    /// A value of the task.
    Task(TaskField),
    /// A number or range.
    Range(NumberRange),
    /// A number group, without its `@`. On the right side only.
    Group(&'a [u8]),
    /// The constant that `task.type` is compared with.
    ExecuteHandler,
}

impl<'a> Operand<'a> {
    fn parse(word: &'a [u8], right: bool) -> Result<Operand<'a>, Reason> {
        if let Some(group) = acl::group_name(word) {
            return match (right, acl::is_group_name(group)) {
                (false, _) => Err(Reason::GroupOnLeft),
                (true, false) => Err(Reason::BadGroupName),
                (true, true) => Ok(Operand::Group(group)),
            };
        }
        if let Some(field) = TaskField::ALL.into_iter().find(|field| field.keyword() == word) {
            return Ok(Operand::Task(field));
        }
        match word.first() {
            _ if word == b"execute_handler" => Ok(Operand::ExecuteHandler),
            Some(b'0'..=b'9') => NumberRange::parse(word).map(Operand::Range).ok_or(Reason::BadNumber),
            Some(b'-' | b'+') => Err(Reason::BadNumber),
            _ if is_later(word) => Err(Reason::OperandNotYet),
            _ => Err(Reason::UnknownOperand),
        }
    }

    fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        match self {
            Operand::Task(field) => sink.put(field.keyword()),
            Operand::Range(range) => range.print(sink),
            Operand::Group(name) => {
                sink.put(b"@")?;
                sink.put(name)
            }
            Operand::ExecuteHandler => sink.put(b"execute_handler"),
        }
    }
}

/// One test: `LEFT=RIGHT` or `LEFT!=RIGHT`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TestLine<'a> {
    /// What stands before the operator; never a group.
    pub left: Operand<'a>,
    /// Whether the operator is `!=`.
    pub negated: bool,
    /// What stands behind the operator.
    pub right: Operand<'a>,
}

impl<'a> TestLine<'a> {
    fn parse(column: u32, word: &'a [u8]) -> Result<TestLine<'a>, ParseError> {
        let fail = |offset: usize, reason| {
            ParseError::new(column.saturating_add(text::column(offset)).saturating_sub(1), reason)
        };
        let Some(equals) = word.iter().position(|byte| *byte == b'=') else {
            let reason = if is_later(word) { Reason::OperandNotYet } else { Reason::NoOperator };
            return Err(fail(0, reason));
        };
        let before = word.get(..equals).unwrap_or(&[]);
        let (left, negated) = match before.strip_suffix(b"!") {
            Some(left) => (left, true),
            None => (before, false),
        };
        let right_offset = equals.saturating_add(1);
        let right = word.get(right_offset..).unwrap_or(&[]);
        Ok(TestLine {
            left: Operand::parse(left, false).map_err(|reason| fail(0, reason))?,
            negated,
            right: Operand::parse(right, true).map_err(|reason| fail(right_offset, reason))?,
        })
    }

    fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        self.left.print(sink)?;
        sink.put(if self.negated { b"!=" } else { b"=" })?;
        self.right.print(sink)
    }
}

/// A condition as text, checked.
#[derive(Clone, Copy)]
pub struct ConditionLine<'a> {
    /// The words behind `if`; each one is a valid test.
    words: Words<'a>,
}

impl<'a> ConditionLine<'a> {
    /// Checks the words behind `if`.
    pub(crate) fn parse(words: Words<'a>) -> Result<ConditionLine<'a>, ParseError> {
        if words.peek().is_none() {
            return Err(ParseError::new(words.column(), Reason::EmptyCondition));
        }
        for (column, word) in words {
            match word {
                b"if" => return Err(ParseError::new(column, Reason::SecondIf)),
                b";" => return Err(ParseError::new(column, Reason::SetNotYet)),
                _ => TestLine::parse(column, word)?,
            };
        }
        Ok(ConditionLine { words })
    }

    /// The tests in the order in which they were written.
    pub fn tests(&self) -> impl Iterator<Item = TestLine<'a>> {
        self.words.filter_map(|(column, word)| TestLine::parse(column, word).ok())
    }

    /// Prints ` if TEST TEST`, with the blank in front.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        sink.put(b" if")?;
        for test in self.tests() {
            sink.put(b" ")?;
            test.print(sink)?;
        }
        Ok(())
    }
}

/// Keywords of TOMOYO 1.7 that a later version will have (reference 5.2).
fn is_later(word: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 4] = [b"exec.", b"symlink.target", b"path1.", b"path2."];
    const WORDS: [&[u8]; 19] = [
        b"socket",
        b"symlink",
        b"file",
        b"block",
        b"directory",
        b"char",
        b"fifo",
        b"setuid",
        b"setgid",
        b"sticky",
        b"owner_read",
        b"owner_write",
        b"owner_execute",
        b"group_read",
        b"group_write",
        b"group_execute",
        b"others_read",
        b"others_write",
        b"others_execute",
    ];
    PREFIXES.iter().any(|prefix| word.starts_with(prefix)) || WORDS.contains(&word)
}

/// One side of a stored test.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    Task(TaskField),
    Range(NumberRange),
    Group(GroupId),
    ExecuteHandler,
}

impl Value {
    /// The numbers it stands for; `None` for a group.
    fn range(&self, task: &Task) -> Option<NumberRange> {
        let one = |value| Some(NumberRange::single(Number::decimal(value)));
        match self {
            Value::Task(field) => one(field.value(task)),
            Value::Range(range) => Some(*range),
            Value::ExecuteHandler => one(EXECUTE_HANDLER),
            Value::Group(_) => None,
        }
    }

    fn print(&self, groups: &Table<NumberGroup>, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        match self {
            Value::Task(field) => Operand::Task(*field).print(sink),
            Value::Range(range) => Operand::Range(*range).print(sink),
            Value::ExecuteHandler => Operand::ExecuteHandler.print(sink),
            Value::Group(id) => Operand::Group(groups.get(id.0).map_or(&[], NumberGroup::name)).print(sink),
        }
    }
}

/// One stored test.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Test {
    pub(crate) left: Value,
    pub(crate) negated: bool,
    pub(crate) right: Value,
}

/// A stored condition. Equality is that of reference 5.6: same tests, same order, same radices.
pub(crate) struct Condition {
    tests: Vec<Test>,
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        *self.tests == *other.tests
    }
}

impl Condition {
    pub(crate) const fn new(tests: Vec<Test>) -> Self {
        Condition { tests }
    }

    /// The number groups that the tests refer to.
    pub(crate) fn groups(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.tests.iter().filter_map(|test| match test.right {
            Value::Group(id) => Some(id),
            _ => None,
        })
    }

    /// Whether all tests are true for `task` (reference 5.4).
    pub(crate) fn is_true(&self, task: &Task, groups: &Table<NumberGroup>) -> bool {
        self.tests.iter().all(|test| {
            let Some(left) = test.left.range(task) else {
                return false; // No test has a group on its left side.
            };
            let overlaps = match test.right {
                Value::Group(id) => groups.get(id.0).is_some_and(|group| group.overlaps(&left)),
                other => other.range(task).is_some_and(|right| left.overlaps(&right)),
            };
            overlaps != test.negated
        })
    }

    pub(crate) fn memory(&self) -> usize {
        core::mem::size_of::<Self>().saturating_add(self.tests.capacity_bytes())
    }

    /// Prints ` if TEST TEST`, with the blank in front.
    pub(crate) fn print(&self, groups: &Table<NumberGroup>, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        sink.put(b" if")?;
        for test in &self.tests {
            sink.put(b" ")?;
            test.left.print(groups, sink)?;
            sink.put(if test.negated { b"!=" } else { b"=" })?;
            test.right.print(groups, sink)?;
        }
        Ok(())
    }
}
