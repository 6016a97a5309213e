// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conditions: what follows `if` and `; set` in an ACL, as text.
//!
//! Reference 5. A [`ConditionLine`] is checked text that borrows from its line. A `Condition` is what an entry keeps:
//! the same tests in the same order, because two conditions are equal only if nothing is reordered (reference 5.6).
//!
//! TOMOYO 1.7 took `exec.realpath` on the right side of a test for the number 0 (quirk Q22), let a second `if` swallow
//! the first one (Q7) and forgot an `if` at the end of a line (Q6). All of that is rejected here.

use crate::group::GroupKind;
use crate::mem::OutOfMemory;
use crate::name;
use crate::number::{Number, NumberRange};
use crate::pattern;
use crate::text::{self, ParseError, Reason, Sink, Words};

mod keyword;
mod stored;

pub use keyword::{FileType, Keyword, Permission, TaskField};
pub use stored::{Condition, Subject, Test, Value, Wanted};

/// The beginning of an argument test, the index and `]` follow.
const ARGUMENT: &[u8] = b"exec.argv[";
/// The beginning of an environment test, the name in quotes and `]` follow.
const VARIABLE: &[u8] = b"exec.envp[";

/// One side of a test.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Operand<'a> {
    /// A word that stands for one number.
    Keyword(Keyword),
    /// A number or range.
    Range(NumberRange),
    /// A group, without its `@`: of numbers, or of paths behind `exec.realpath` and `symlink.target`. On the right
    /// side only.
    Group(&'a [u8]),
    /// `exec.argv[N]`. This and the following three are on the left side only.
    Argument(u64),
    /// `exec.envp["PATTERN"]`: the pattern for the names of variables, not empty and without `=`.
    Variable(&'a [u8]),
    /// `exec.realpath`
    Realpath,
    /// `symlink.target`
    SymlinkTarget,
    /// A word in quotes, given without them; may have wildcards or be empty. On the right side of one of the four only.
    Word(&'a [u8]),
    /// `NULL`: no such variable. On the right side of [`Operand::Variable`] only.
    Null,
}

impl<'a> Operand<'a> {
    /// Reads what stands before the operator.
    fn parse_left(word: &'a [u8]) -> Result<Operand<'a>, Reason> {
        match word {
            b"exec.realpath" => return Ok(Operand::Realpath),
            b"symlink.target" => return Ok(Operand::SymlinkTarget),
            b"NULL" | [b'"', ..] => return Err(Reason::TextOnWrongSide),
            [b'@', ..] => return Err(Reason::GroupOnLeft),
            _ => {}
        }
        if let Some(index) = word.strip_prefix(ARGUMENT) {
            return index.strip_suffix(b"]").and_then(argument_index).ok_or(Reason::BadArgumentIndex);
        }
        if let Some(name) = word.strip_prefix(VARIABLE) {
            return variable_name(name);
        }
        Operand::parse_number(word)
    }

    /// Reads what stands behind the operator; what is allowed there depends on the left side.
    fn parse_right(word: &'a [u8], left: &Operand<'a>) -> Result<Operand<'a>, Reason> {
        let group_allowed = match left {
            Operand::Argument(_) | Operand::Variable(_) => false,
            Operand::Realpath | Operand::SymlinkTarget => true,
            _ => match word {
                [b'@', group @ ..] => return group_name(group),
                b"NULL" | [b'"', ..] => return Err(Reason::QuotesAgainstNumber),
                b"exec.realpath" | b"symlink.target" => return Err(Reason::TextOnWrongSide),
                _ if word.starts_with(ARGUMENT) || word.starts_with(VARIABLE) => {
                    return Err(Reason::TextOnWrongSide);
                }
                _ => return Operand::parse_number(word),
            },
        };
        match word {
            [] => Err(Reason::MissingOperand),
            [b'@', group @ ..] if group_allowed => group_name(group),
            b"NULL" if matches!(left, Operand::Variable(_)) => Ok(Operand::Null),
            _ => match unquote(word) {
                None => Err(Reason::NoQuotes),
                Some(inner) => checked_word(inner).map(Operand::Word),
            },
        }
    }

    /// Reads a keyword, a number or a range.
    fn parse_number(word: &'a [u8]) -> Result<Operand<'a>, Reason> {
        if let Some(keyword) = Keyword::parse(word) {
            return Ok(Operand::Keyword(keyword));
        }
        match word.first() {
            None => Err(Reason::MissingOperand),
            Some(b'0'..=b'9') => NumberRange::parse(word).map(Operand::Range).ok_or(Reason::BadNumber),
            Some(b'-' | b'+') => Err(Reason::BadNumber),
            Some(_) => Err(Reason::UnknownOperand),
        }
    }

    fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        match self {
            Operand::Keyword(keyword) => keyword.print(sink),
            Operand::Range(range) => range.print(sink),
            Operand::Group(name) => {
                sink.put(b"@")?;
                sink.put(name)
            }
            Operand::Argument(index) => {
                sink.put(ARGUMENT)?;
                Number::decimal(*index).print(sink)?;
                sink.put(b"]")
            }
            Operand::Variable(name) => {
                sink.put(VARIABLE)?;
                Operand::Word(name).print(sink)?;
                sink.put(b"]")
            }
            Operand::Realpath => sink.put(b"exec.realpath"),
            Operand::SymlinkTarget => sink.put(b"symlink.target"),
            Operand::Word(word) => {
                sink.put(b"\"")?;
                sink.put(word)?;
                sink.put(b"\"")
            }
            Operand::Null => sink.put(b"NULL"),
        }
    }
}

/// One test: `LEFT=RIGHT` or `LEFT!=RIGHT`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TestLine<'a> {
    /// What stands before the operator; never a group, a word in quotes or `NULL`.
    pub left: Operand<'a>,
    /// Whether the operator is `!=`.
    pub negated: bool,
    /// What stands behind the operator: something that can be compared with `left`.
    pub right: Operand<'a>,
}

impl<'a> TestLine<'a> {
    fn parse(column: u32, word: &'a [u8]) -> Result<TestLine<'a>, ParseError> {
        let fail = |offset: usize, reason| Err(inside(column, offset, reason));
        // Only the name of a variable may have a `=` that is no operator.
        let search_from = match word.strip_prefix(VARIABLE) {
            Some(name) => VARIABLE.len().saturating_add(name_end(name).unwrap_or(0)),
            None => 0,
        };
        let tail = word.get(search_from..).unwrap_or(&[]);
        let Some(equals) = tail.iter().position(|byte| *byte == b'=') else {
            return fail(0, Reason::NoOperator);
        };
        let equals = search_from.saturating_add(equals);
        let before = word.get(..equals).unwrap_or(&[]);
        let (left, negated) = match before.strip_suffix(b"!") {
            Some(left) => (left, true),
            None => (before, false),
        };
        let right_offset = equals.saturating_add(1);
        let right = word.get(right_offset..).unwrap_or(&[]);
        let left = match Operand::parse_left(left) {
            Ok(left) => left,
            Err(reason) => return fail(0, reason),
        };
        match Operand::parse_right(right, &left) {
            Ok(right) => Ok(TestLine { left, negated, right }),
            Err(reason) => fail(right_offset, reason),
        }
    }

    /// The group that the test refers to.
    pub(crate) fn group(&self) -> Option<(GroupKind, &'a [u8])> {
        let Operand::Group(name) = self.right else {
            return None;
        };
        match self.left {
            Operand::Realpath | Operand::SymlinkTarget => Some((GroupKind::Path, name)),
            _ => Some((GroupKind::Number, name)),
        }
    }

    fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        self.left.print(sink)?;
        sink.put(operator(self.negated))?;
        self.right.print(sink)
    }
}

/// A condition as text, checked.
#[derive(Clone, Copy)]
pub struct ConditionLine<'a> {
    /// The words behind `if`. Up to the word `;`, if there is one, each of them is a valid test.
    words: Words<'a>,
    assignments: [Option<u8>; 3],
}

impl<'a> ConditionLine<'a> {
    /// Checks the words behind `if`, or the words from `;` on where there is no `if`.
    ///
    /// # Errors
    /// What is wrong, and in which column of the line that `words` walks over.
    pub(crate) fn parse(words: Words<'a>) -> Result<ConditionLine<'a>, ParseError> {
        if words.peek().is_none() {
            return Err(ParseError::new(words.column(), Reason::EmptyCondition));
        }
        let mut assignments = [None; 3];
        let mut rest = words;
        while let Some((column, word)) = rest.next() {
            match word {
                b"if" => return Err(ParseError::new(column, Reason::SecondIf)),
                b";" => {
                    assignments = parse_assignments(rest)?;
                    break;
                }
                _ => TestLine::parse(column, word)?,
            };
        }
        Ok(ConditionLine { words, assignments })
    }

    /// The tests in the order in which they were written. There is none if the line only sets the state.
    pub fn tests(&self) -> impl Iterator<Item = TestLine<'a>> {
        self.words
            .take_while(|(_, word)| *word != b";")
            .filter_map(|(column, word)| TestLine::parse(column, word).ok())
    }

    /// What `; set` assigns to `task.state[0]` to `task.state[2]`; `None` leaves the byte as it is.
    pub const fn assignments(&self) -> [Option<u8>; 3] {
        self.assignments
    }

    /// Prints ` if TEST TEST ; set ASSIGNMENT`, with the blank in front and without the part that is not there.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        let mut before: &[u8] = b" if ";
        for test in self.tests() {
            sink.put(before)?;
            test.print(sink)?;
            before = b" ";
        }
        print_assignments(&self.assignments, sink)
    }
}

/// Reads the words behind `;`.
fn parse_assignments(mut words: Words<'_>) -> Result<[Option<u8>; 3], ParseError> {
    let (column, word) = words.require(Reason::NoAssignment)?;
    if word != b"set" {
        return Err(ParseError::new(column, Reason::NoAssignment));
    }
    if words.peek().is_none() {
        return Err(ParseError::new(words.column(), Reason::NoAssignment));
    }
    let mut assignments = [None; 3];
    for (column, word) in words {
        if word == b"if" {
            return Err(ParseError::new(column, Reason::IfBehindSet));
        }
        let (index, number) = match word.strip_prefix(b"task.state[") {
            Some([index @ b'0'..=b'2', b']', b'=', number @ ..]) => (usize::from(index & 3), number),
            _ => return Err(ParseError::new(column, Reason::BadAssignment)),
        };
        let Some(value) = Number::parse(number).and_then(|number| u8::try_from(number.value).ok()) else {
            return Err(inside(column, word.len().saturating_sub(number.len()), Reason::BadStateValue));
        };
        match assignments.get_mut(index) {
            Some(place @ None) => *place = Some(value),
            _ => return Err(ParseError::new(column, Reason::SecondAssignment)),
        }
    }
    Ok(assignments)
}

/// Prints ` ; set ASSIGNMENT ASSIGNMENT` in index order; nothing, when there is none.
fn print_assignments(assignments: &[Option<u8>; 3], sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
    let mut before: &[u8] = b" ; set ";
    for (value, field) in assignments.iter().zip([TaskField::State0, TaskField::State1, TaskField::State2]) {
        if let Some(value) = value {
            sink.put(before)?;
            sink.put(field.keyword())?;
            sink.put(b"=")?;
            Number::decimal(u64::from(*value)).print(sink)?;
            before = b" ";
        }
    }
    Ok(())
}

/// The operator as it is written.
const fn operator(negated: bool) -> &'static [u8] {
    if negated {
        b"!="
    } else {
        b"="
    }
}

/// An error in the middle of the word that begins in `column`.
fn inside(column: u32, offset: usize, reason: Reason) -> ParseError {
    ParseError::new(column.saturating_add(text::column(offset)).saturating_sub(1), reason)
}

/// A group name of reference 1.3: any valid word but the empty one.
fn group_name(name: &[u8]) -> Result<Operand<'_>, Reason> {
    if name.is_empty() || !name::is_valid_word(name) {
        return Err(Reason::BadGroupName);
    }
    Ok(Operand::Group(name))
}

/// What is between the first and the last quote. `None` when the word does not begin and end with one.
fn unquote(word: &[u8]) -> Option<&[u8]> {
    word.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

fn checked_word(word: &[u8]) -> Result<&[u8], Reason> {
    if !name::is_valid_word(word) {
        return Err(Reason::BadQuotedWord);
    }
    if !pattern::is_within_limits(word) {
        return Err(Reason::PatternTooLong);
    }
    Ok(word)
}

/// A decimal number as it is printed: digits, no `0` in front.
fn argument_index<'a>(digits: &[u8]) -> Option<Operand<'a>> {
    let printed = digits == b"0" || digits.first() != Some(&b'0');
    if !printed || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Number::parse(digits).map(|number| Operand::Argument(number.value))
}

/// Where the `]` is that ends the name of a variable: behind the first quote that has it and an operator behind it.
fn name_end(name: &[u8]) -> Option<usize> {
    let mut rest = name.strip_prefix(b"\"")?;
    while let Some((_, tail)) = rest.split_first() {
        if rest.starts_with(b"\"]=") || rest.starts_with(b"\"]!=") {
            return name.len().checked_sub(tail.len());
        }
        rest = tail;
    }
    None
}

/// Reads what follows `exec.envp[`. No name has a `=`, so that a pattern with one would never match.
fn variable_name(rest: &[u8]) -> Result<Operand<'_>, Reason> {
    match rest.strip_suffix(b"]").and_then(unquote) {
        None | Some(b"") => Err(Reason::BadVariableName),
        Some(name) if name.contains(&b'=') => Err(Reason::BadVariableName),
        Some(name) => checked_word(name).map(Operand::Variable),
    }
}

#[cfg(test)]
mod tests;
