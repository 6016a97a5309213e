// SPDX-License-Identifier: MIT OR Apache-2.0
//! A condition as the policy keeps it: words checked, groups looked up, ready to be evaluated (reference 5.4).

use super::{operator, print_assignments, ConditionLine, Keyword, Operand, TaskField, TestLine};
use crate::facts::{beginning, variable, Arguments, Attribute, Facts};
use crate::group::{GroupId, GroupKind};
use crate::hash;
use crate::mem::{Box, OutOfMemory, Vec};
use crate::number::{Number, NumberRange};
use crate::pattern::{self, Pattern};
use crate::policy::Policy;
use crate::text::{self, Sink};
use core::mem::size_of;

/// Something that stands for numbers. 16 bytes.
pub enum Value {
    /// A word that stands for one number.
    Keyword(Keyword),
    /// One number.
    Number(Number),
    /// Two different numbers. Rare, therefore not in place.
    Range(Box<NumberRange>),
    /// A number group. Never on the left side.
    Group(GroupId),
}

/// A name that a condition can look at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// `exec.realpath`
    Realpath,
    /// `symlink.target`
    SymlinkTarget,
}

/// What a name is compared with.
pub enum Wanted {
    /// A word, which may have wildcards.
    Word(Box<Pattern>),
    /// A path group; members with wildcards count.
    Group(GroupId),
}

/// One stored test. 40 bytes.
pub enum Test {
    /// `task.uid=0` and everything else that compares numbers.
    Value {
        /// Never a group.
        left: Value,
        /// `!=`
        negated: bool,
        /// What stands behind the operator.
        right: Value,
    },
    /// `exec.realpath="/sbin/killall5"`
    Name {
        /// Which name.
        subject: Subject,
        /// `!=`
        negated: bool,
        /// What it is compared with.
        wanted: Wanted,
    },
    /// `exec.argv[1]="-c"`
    Argument {
        /// From 0.
        index: u64,
        /// `!=`
        negated: bool,
        /// What it is compared with.
        wanted: Box<Pattern>,
    },
    /// `exec.envp["PATH"]="/bin"`; without `wanted` the right side is `NULL`.
    Variable {
        /// Which variables.
        name: Box<Pattern>,
        /// `!=`
        negated: bool,
        /// What their values are compared with; `None`: there is no such variable.
        wanted: Option<Box<Pattern>>,
    },
}

/// Looks a group up. `None` when there is none and it shall not come into existence.
pub(crate) type FindGroup<'f> = dyn FnMut(GroupKind, &[u8]) -> Result<Option<GroupId>, OutOfMemory> + 'f;

/// Prints the name of a group, without `@`.
type PrintGroup<'f> = dyn Fn(GroupKind, GroupId, &mut dyn Sink) -> Result<(), OutOfMemory> + 'f;

/// A stored condition.
pub struct Condition {
    tests: Vec<Test>,
    assignments: [Option<u8>; 3],
    uid: Uid,
}

/// A test `task.uid=@GROUP`, which every rule of an Android app has. It is looked at first: in a domain that all apps share
/// it sorts out the rules of the other apps, mostly without a look at the list.
#[derive(Clone, Copy)]
enum Uid {
    /// It is the only test.
    Only(GroupId),
    /// There are others.
    And(GroupId),
    /// There is none.
    Any,
}

impl Condition {
    /// Copies what the text says. `group` looks up, or makes, the groups that it refers to.
    ///
    /// `Ok(None)` when `group` returned `None`: no stored condition can be equal to this one.
    pub(crate) fn new(
        line: &ConditionLine<'_>,
        group: &mut FindGroup<'_>,
    ) -> Result<Option<Condition>, OutOfMemory> {
        // Not `count()`: its addition is checked, and a failed check is a panic.
        let number = line.tests().fold(0_usize, |number, _| number.saturating_add(1));
        let mut tests = Vec::with_capacity(number)?;
        for test in line.tests() {
            match Test::new(&test, group)? {
                Some(test) => tests.push(test)?,
                None => return Ok(None),
            }
        }
        Ok(Some(Condition::from_tests(tests, line.assignments())))
    }

    /// The group of a test `task.uid=@GROUP`, if there is one.
    pub(crate) const fn uid_group(&self) -> Option<GroupId> {
        match self.uid {
            Uid::Only(group) | Uid::And(group) => Some(group),
            Uid::Any => None,
        }
    }

    /// From tests that were made elsewhere.
    pub(crate) fn from_tests(tests: Vec<Test>, assignments: [Option<u8>; 3]) -> Condition {
        let uid = match tests.iter().find_map(Test::uid_group) {
            Some(group) if tests.len() == 1 => Uid::Only(group),
            Some(group) => Uid::And(group),
            None => Uid::Any,
        };
        Condition { tests, assignments, uid }
    }

    /// Whether all tests are true (reference 5.4). The order of evaluation cannot be seen: tests have no effect.
    #[inline(always)] // For the stack's sake.
    pub(crate) fn is_true(&self, facts: &Facts<'_>, policy: &Policy) -> bool {
        match self.uid {
            Uid::Only(group) => has_uid(group, facts, policy),
            Uid::And(group) => has_uid(group, facts, policy) && self.are_all_true(facts, policy),
            Uid::Any => self.are_all_true(facts, policy),
        }
    }

    /// Not inlined, so that the short way of [`Condition::is_true`] stays short.
    #[inline(never)]
    fn are_all_true(&self, facts: &Facts<'_>, policy: &Policy) -> bool {
        self.tests.iter().all(|test| test.is_true(facts, policy))
    }

    /// The tests in the order of the text, for an implementation that shall come to the same result.
    pub fn tests(&self) -> impl Iterator<Item = &Test> {
        self.tests.iter()
    }

    /// What `; set` assigns to the three state bytes.
    pub(crate) const fn assignments(&self) -> [Option<u8>; 3] {
        self.assignments
    }

    /// The groups that the tests refer to; one that is mentioned twice comes twice.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (GroupKind, GroupId)> + '_ {
        self.tests.iter().filter_map(|test| match test {
            Test::Value { right: Value::Group(id), .. } => Some((GroupKind::Number, *id)),
            Test::Name { wanted: Wanted::Group(id), .. } => Some((GroupKind::Path, *id)),
            _ => None,
        })
    }

    /// A hash: equal conditions have equal ones.
    pub(crate) fn hash(&self) -> u32 {
        struct Hash(u64);
        impl Sink for Hash {
            fn put(&mut self, bytes: &[u8]) -> Result<(), OutOfMemory> {
                self.0 = hash::bytes(self.0, bytes);
                Ok(())
            }
        }
        // Conditions are equal exactly if they look the same, with numbers in the place of group names.
        let mut hash = Hash(hash::PUBLIC);
        match self.print_with(&|_, id, sink| text::put_u32(sink, id.0), &mut hash) {
            Ok(()) => hash::fold(hash.0),
            Err(OutOfMemory) => 0, // Nothing that is written to `Hash` fails.
        }
    }

    /// Bytes of memory that the condition owns, itself included.
    pub(crate) fn bytes(&self) -> usize {
        let own = size_of::<Condition>().saturating_add(size_of::<Test>().saturating_mul(self.tests.len()));
        self.tests.iter().fold(own, |sum, test| sum.saturating_add(test.heap_bytes()))
    }

    /// Prints ` if TEST TEST ; set ASSIGNMENT`, with the blank in front and without the part that is not there.
    pub(crate) fn print(&self, policy: &Policy, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        self.print_with(&|kind, id, sink| sink.put(policy.group_name(kind, id)), sink)
    }

    fn print_with(&self, group: &PrintGroup<'_>, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        let mut before: &[u8] = b" if ";
        for test in &self.tests {
            sink.put(before)?;
            test.print(group, sink)?;
            before = b" ";
        }
        print_assignments(&self.assignments, sink)
    }
}

/// Whether the task's UID is in a group.
#[inline(always)]
pub(crate) fn has_uid(group: GroupId, facts: &Facts<'_>, policy: &Policy) -> bool {
    policy.number_group(group).is_some_and(|group| group.contains(facts.task.uid.into()))
}

impl PartialEq for Condition {
    /// Reference 5.6: the same tests in the same order with the same operators, radices and words, and the same
    /// assignments.
    fn eq(&self, other: &Self) -> bool {
        *self.tests == *other.tests && self.assignments == other.assignments
    }
}

impl Test {
    fn new(line: &TestLine<'_>, group: &mut FindGroup<'_>) -> Result<Option<Test>, OutOfMemory> {
        let negated = line.negated;
        let id = match line.group() {
            Some((kind, name)) => match group(kind, name)? {
                Some(id) => Some(id),
                None => return Ok(None),
            },
            None => None,
        };
        let test = match (line.left, line.right) {
            (Operand::Realpath | Operand::SymlinkTarget, right) => {
                let subject = match line.left {
                    Operand::Realpath => Subject::Realpath,
                    _ => Subject::SymlinkTarget,
                };
                let wanted = match (id, right) {
                    (Some(id), _) => Some(Wanted::Group(id)),
                    (None, right) => word(&right)?.map(Wanted::Word),
                };
                wanted.map(|wanted| Test::Name { subject, negated, wanted })
            }
            (Operand::Argument(index), right) => {
                word(&right)?.map(|wanted| Test::Argument { index, negated, wanted })
            }
            (Operand::Variable(name), right) => {
                let wanted = word(&right)?;
                word(&Operand::Word(name))?.map(|name| Test::Variable { name, negated, wanted })
            }
            (left, right) => {
                let right = match id {
                    Some(id) => Some(Value::Group(id)),
                    None => Value::new(&right)?,
                };
                match (Value::new(&left)?, right) {
                    (Some(left), Some(right)) => Some(Test::Value { left, negated, right }),
                    _ => None,
                }
            }
        };
        // Always there, because the line was checked.
        Ok(test)
    }

    /// The group, if this is `task.uid=@GROUP`.
    fn uid_group(&self) -> Option<GroupId> {
        match self {
            Test::Value {
                left: Value::Keyword(Keyword::Task(TaskField::Uid)),
                negated: false,
                right: Value::Group(id),
            } => Some(*id),
            _ => None,
        }
    }

    /// The kinds are functions of their own, so that one does not need the stack of another.
    fn is_true(&self, facts: &Facts<'_>, policy: &Policy) -> bool {
        match self {
            Test::Value { left, negated, right } => {
                left.equals(right, facts, policy).is_some_and(|equal| equal != *negated)
            }
            Test::Name { subject, negated, wanted } => name_is(*subject, *negated, wanted, facts, policy),
            Test::Argument { index, negated, wanted } => {
                facts.exec.is_some_and(|exec| argument_is(exec, *index, *negated, wanted))
            }
            Test::Variable { name, negated, wanted } => {
                facts.exec.is_some_and(|exec| variable_is(exec, name, *negated, wanted.as_deref()))
            }
        }
    }

    /// Bytes of memory that hang on the test.
    fn heap_bytes(&self) -> usize {
        let word = |pattern: &Pattern| size_of::<Pattern>().saturating_add(pattern.as_bytes().len());
        match self {
            Test::Value { left, right, .. } => left.heap_bytes().saturating_add(right.heap_bytes()),
            Test::Name { wanted: Wanted::Group(_), .. } => 0,
            Test::Name { wanted: Wanted::Word(wanted), .. } | Test::Argument { wanted, .. } => word(wanted),
            Test::Variable { name, wanted, .. } => {
                word(name).saturating_add(wanted.as_deref().map_or(0, word))
            }
        }
    }

    fn print(&self, group: &PrintGroup<'_>, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        let (left, negated) = match self {
            Test::Value { left, negated, .. } => {
                left.print(group, sink)?;
                (None, *negated)
            }
            Test::Name { subject: Subject::Realpath, negated, .. } => (Some(Operand::Realpath), *negated),
            Test::Name { subject: Subject::SymlinkTarget, negated, .. } => {
                (Some(Operand::SymlinkTarget), *negated)
            }
            Test::Argument { index, negated, .. } => (Some(Operand::Argument(*index)), *negated),
            Test::Variable { name, negated, .. } => (Some(Operand::Variable(name.as_bytes())), *negated),
        };
        if let Some(left) = left {
            left.print(sink)?;
        }
        sink.put(operator(negated))?;
        match self {
            Test::Value { right, .. } => right.print(group, sink),
            Test::Name { wanted: Wanted::Group(id), .. } => {
                sink.put(b"@")?;
                group(GroupKind::Path, *id, sink)
            }
            Test::Name { wanted: Wanted::Word(wanted), .. } | Test::Argument { wanted, .. } => {
                Operand::Word(wanted.as_bytes()).print(sink)
            }
            Test::Variable { wanted: Some(wanted), .. } => Operand::Word(wanted.as_bytes()).print(sink),
            Test::Variable { wanted: None, .. } => Operand::Null.print(sink),
        }
    }
}

impl PartialEq for Test {
    fn eq(&self, other: &Self) -> bool {
        let same_word = |this: &Pattern, that: &Pattern| this.as_bytes() == that.as_bytes();
        match (self, other) {
            (
                Test::Value { left, negated, right },
                Test::Value { left: other_left, negated: other_negated, right: other_right },
            ) => negated == other_negated && left == other_left && right == other_right,
            (
                Test::Name { subject, negated, wanted },
                Test::Name { subject: other_subject, negated: other_negated, wanted: other_wanted },
            ) => {
                let same = match (wanted, other_wanted) {
                    (Wanted::Word(this), Wanted::Word(that)) => same_word(this, that),
                    (Wanted::Group(this), Wanted::Group(that)) => this == that,
                    _ => false,
                };
                same && subject == other_subject && negated == other_negated
            }
            (
                Test::Argument { index, negated, wanted },
                Test::Argument { index: other_index, negated: other_negated, wanted: other_wanted },
            ) => index == other_index && negated == other_negated && same_word(wanted, other_wanted),
            (
                Test::Variable { name, negated, wanted },
                Test::Variable { name: other_name, negated: other_negated, wanted: other_wanted },
            ) => {
                let same = match (wanted, other_wanted) {
                    (Some(this), Some(that)) => same_word(this, that),
                    (None, None) => true,
                    _ => false,
                };
                same && negated == other_negated && same_word(name, other_name)
            }
            _ => false,
        }
    }
}

impl Value {
    /// `None` when the operand does not stand for numbers, or is a group.
    fn new(operand: &Operand<'_>) -> Result<Option<Value>, OutOfMemory> {
        Ok(match operand {
            Operand::Keyword(keyword) => Some(Value::Keyword(*keyword)),
            Operand::Range(range) if range.min == range.max => Some(Value::Number(range.min)),
            Operand::Range(range) => Some(Value::Range(Box::new(*range)?)),
            _ => None,
        })
    }

    /// Whether both sides have a number in common; `None` when the test is false for both operators.
    #[inline(never)]
    fn equals(&self, right: &Value, facts: &Facts<'_>, policy: &Policy) -> Option<bool> {
        match (self, right) {
            // A permission bit is set or not; it can be looked for in permissions only.
            (Value::Keyword(Keyword::Permission(bit)), Value::Keyword(other))
            | (Value::Keyword(other), Value::Keyword(Keyword::Permission(bit))) => match other {
                Keyword::Attribute(_, Attribute::Perm) => {
                    Some(other.value(facts)? & u64::from(bit.bit()) != 0)
                }
                _ => None,
            },
            // Its number is compared with numbers on the right side only.
            (_, Value::Keyword(Keyword::Permission(_))) => None,
            (left, Value::Group(id)) => {
                let left = left.range(facts)?;
                policy.number_group(*id).map(|group| group.overlaps(&left))
            }
            (left, right) => Some(left.range(facts)?.overlaps(&right.range(facts)?)),
        }
    }

    /// The numbers it stands for; `None` for a group and for what is not available.
    fn range(&self, facts: &Facts<'_>) -> Option<NumberRange> {
        match self {
            Value::Keyword(keyword) => {
                keyword.value(facts).map(|value| NumberRange::single(Number::decimal(value)))
            }
            Value::Number(number) => Some(NumberRange::single(*number)),
            Value::Range(range) => Some(**range),
            Value::Group(_) => None,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Value::Range(_) => size_of::<NumberRange>(),
            _ => 0,
        }
    }

    fn print(&self, group: &PrintGroup<'_>, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        match self {
            Value::Keyword(keyword) => keyword.print(sink),
            Value::Number(number) => number.print(sink),
            Value::Range(range) => range.print(sink),
            Value::Group(id) => {
                sink.put(b"@")?;
                group(GroupKind::Number, *id, sink)
            }
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Keyword(this), Value::Keyword(that)) => this == that,
            (Value::Number(this), Value::Number(that)) => this == that,
            (Value::Range(this), Value::Range(that)) => **this == **that,
            (Value::Group(this), Value::Group(that)) => this == that,
            _ => false,
        }
    }
}

/// Copies a word in quotes. `None` when the operand is none.
fn word(operand: &Operand<'_>) -> Result<Option<Box<Pattern>>, OutOfMemory> {
    let Operand::Word(word) = operand else {
        return Ok(None);
    };
    match Pattern::copy_from(word)? {
        Some(pattern) => Box::new(pattern).map(Some),
        None => Ok(None),
    }
}

/// `exec.realpath="..."`, `symlink.target=@GROUP` and the like; false for both operators without the name.
#[inline(never)]
fn name_is(subject: Subject, negated: bool, wanted: &Wanted, facts: &Facts<'_>, policy: &Policy) -> bool {
    let name = match subject {
        Subject::Realpath => facts.exec.and_then(|exec| exec.realpath()),
        Subject::SymlinkTarget => facts.symlink_target,
    };
    name.is_some_and(|name| {
        let equal = match wanted {
            Wanted::Word(pattern) => pattern::matches(name, pattern),
            Wanted::Group(id) => policy.path_group_matches(*id, name, true),
        };
        equal != negated
    })
}

/// `exec.argv[N]="..."`: an argument that does not exist is equal to nothing.
#[inline(never)]
fn argument_is(exec: &dyn Arguments, index: u64, negated: bool, wanted: &Pattern) -> bool {
    let mut equal = false;
    exec.argv(index, &mut |argument| equal = pattern::matches(beginning(argument), wanted));
    equal != negated && !exec.is_unreadable()
}

/// `exec.envp["NAME"]="..."`: all variables of that name must agree. `=NULL`: there must be none.
#[inline(never)]
fn variable_is(exec: &dyn Arguments, name: &Pattern, negated: bool, wanted: Option<&Pattern>) -> bool {
    let mut found = false;
    let mut agree = true;
    exec.envp(&mut |whole_name, whole_value| {
        let (variable, value) = variable(whole_name, whole_value);
        let Some(value) = value else {
            return; // Without `=` it is no variable.
        };
        if pattern::matches(variable, name) {
            found = true;
            agree = agree && wanted.map_or(negated, |wanted| pattern::matches(value, wanted) != negated);
        }
    });
    let result = match (found, wanted) {
        (true, _) => agree,
        // Nothing is there: `=NULL` and `!="..."` are true.
        (false, Some(_)) => negated,
        (false, None) => !negated,
    };
    result && !exec.is_unreadable()
}
