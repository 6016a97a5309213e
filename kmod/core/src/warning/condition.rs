// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conditions that are never true: what an operation does not know, and tests that contradict each other (reference 5.3, 5.4).

use super::acl::{is_decimal_mode, MODE};
use super::word::{self, Role};
use super::{Visit, Warning};
use crate::acl::AclLine;
use crate::args::{Args, PathArg};
use crate::condition::{Keyword, Operand, TaskField, TestLine};
use crate::facts::{Attribute, Object};
use crate::number::{Number, NumberRange};
use crate::pattern;
use crate::request::{Class, Operation, Path2Op, PathNumberOp, PathOp};
use crate::text::{self, Words};

/// With how many of the tests before it a test is compared: with all of those that a person writes.
const COMPARED: usize = 32;

/// Calls `visit` with whatever is odd in the condition of a line, which begins with the next of `words`.
pub(super) fn look(line: &AclLine<'_>, mut words: Words<'_>, visit: &mut Visit<'_>) {
    let (Some(condition), Some((column, first))) = (line.condition(), words.peek()) else {
        return;
    };
    if matches!(line.class(), Class::ExecuteHandler | Class::DeniedExecuteHandler) {
        return visit(column, Warning::ConditionOnHandler);
    }
    if first == b"if" {
        words.next();
    }
    for (place, ((column, word), test)) in words.zip(condition.tests()).enumerate() {
        let unknown =
            |fact: Operand<'_>| !line.operations().any(|operation| knows(operation, line.args(), fact));
        if unknown(test.left) || unknown(test.right) {
            visit(column, Warning::UnknownFact);
        } else if condition.tests().take(place.min(COMPARED)).any(|before| contradict(&before, &test))
            || is_impossible(&test)
        {
            visit(column, Warning::NeverTrue);
        }
        look_at_test(column, word, &test, visit);
    }
}

/// Whether an operation knows a fact; everything else but facts it knows.
fn knows(operation: Operation, args: &Args<'_>, fact: Operand<'_>) -> bool {
    let in_execve = matches!(operation, Operation::Path(PathOp::Execute) | Operation::Env);
    match fact {
        Operand::Keyword(Keyword::Argc | Keyword::Envc)
        | Operand::Argument(_)
        | Operand::Variable(_)
        | Operand::Realpath => in_execve,
        Operand::SymlinkTarget => operation == Operation::Path(PathOp::Symlink),
        Operand::Keyword(Keyword::Attribute(object, _)) => has_object(operation, args, object),
        _ => true,
    }
}

/// Whether there is such an object when an operation is asked (reference 5.3).
fn has_object(operation: Operation, args: &Args<'_>, object: Object) -> bool {
    let first = matches!(object, Object::Path1 | Object::Path1Parent);
    match operation {
        Operation::Path(PathOp::Transit)
        | Operation::Capability
        | Operation::Signal
        | Operation::Network(_) => false,
        // It does not exist yet.
        Operation::Path(PathOp::Symlink)
        | Operation::Device(_)
        | Operation::PathNumber(
            PathNumberOp::Create | PathNumberOp::Mkdir | PathNumberOp::Mkfifo | PathNumberOp::Mksock,
        ) => object == Object::Path1Parent,
        Operation::Path2(Path2Op::Link) => object != Object::Path2,
        Operation::Path2(_) => true,
        // The device counts for file systems on one, and where it is a directory.
        Operation::Mount => match args {
            Args::Mount { kind: PathArg::Word(kind), .. } if kind.starts_with(b"--") => {
                !first || matches!(*kind, b"--bind" | b"--move")
            }
            _ => true,
        },
        _ => first,
    }
}

/// What a test compares, if it is the left side of another one too: the fact, and the numbers that it shall be among.
fn numbers(test: &TestLine<'_>) -> Option<(Keyword, NumberRange)> {
    let range = |operand| match operand {
        Operand::Range(range) => Some(range),
        Operand::Keyword(keyword @ (Keyword::Type(_) | Keyword::ExecuteHandler)) => {
            // Without a task or a file their numbers are what they are.
            let value = match keyword {
                Keyword::Type(kind) => kind.value().into(),
                _ => HANDLER,
            };
            Some(NumberRange::single(Number::decimal(value)))
        }
        _ => None,
    };
    match (test.left, test.right) {
        (Operand::Keyword(fact), right) if most(fact).is_some() => Some((fact, range(right)?)),
        (left, Operand::Keyword(fact)) if most(fact).is_some() => Some((fact, range(left)?)),
        _ => None,
    }
}

/// What `task.type` is in an execute handler.
const HANDLER: u64 = 64;

/// The greatest number that a fact can be; `None` for what is no fact.
fn most(fact: Keyword) -> Option<u64> {
    Some(match fact {
        Keyword::Task(TaskField::State0 | TaskField::State1 | TaskField::State2) => 255,
        Keyword::Task(TaskField::Type) => HANDLER,
        Keyword::Attribute(_, Attribute::Perm) => MODE,
        Keyword::Attribute(_, Attribute::Type) => 0o170_000,
        Keyword::Attribute(_, Attribute::Ino) => u64::MAX,
        Keyword::Task(_) | Keyword::Attribute(..) | Keyword::Argc | Keyword::Envc => u32::MAX.into(),
        _ => return None,
    })
}

/// Whether no fact makes the test true, whatever the others say.
#[inline(never)]
fn is_impossible(test: &TestLine<'_>) -> bool {
    if let Some((fact, range)) = numbers(test) {
        let handler = NumberRange::single(Number::decimal(HANDLER));
        let zero = NumberRange::single(Number::decimal(0));
        let never =
            fact == Keyword::Task(TaskField::Type) && !range.overlaps(&handler) && !range.overlaps(&zero);
        let most = most(fact).unwrap_or(u64::MAX);
        if test.negated {
            return range.min.value == 0 && range.max.value >= most;
        }
        // An empty range has a warning of its own.
        return !range.is_empty() && (never || range.min.value > most);
    }
    match (test.left, test.right) {
        (Operand::Range(left), Operand::Range(right)) => {
            !left.is_empty() && !right.is_empty() && left.overlaps(&right) == test.negated
        }
        (Operand::Keyword(left), Operand::Keyword(right)) => left == right && test.negated,
        _ => false,
    }
}

/// Whether both tests are never true together.
#[inline(never)]
fn contradict(this: &TestLine<'_>, that: &TestLine<'_>) -> bool {
    if this.left == that.left && this.right == that.right {
        return this.negated != that.negated;
    }
    if let (Some((fact, one)), Some((other, two))) = (numbers(this), numbers(that)) {
        let contains = |outer: &NumberRange, inner: &NumberRange| {
            outer.min.value <= inner.min.value && inner.max.value <= outer.max.value
        };
        return fact == other
            && !one.is_empty()
            && !two.is_empty()
            && match (this.negated, that.negated) {
                (false, false) => !one.overlaps(&two),
                (false, true) => contains(&two, &one),
                (true, false) => contains(&one, &two),
                (true, true) => false,
            };
    }
    argument_is_missing(this, that) || argument_is_missing(that, this) || texts_contradict(this, that)
}

/// `exec.argc=1` with `exec.argv[1]="x"`.
fn argument_is_missing(count: &TestLine<'_>, argument: &TestLine<'_>) -> bool {
    match (numbers(count), argument.left) {
        (Some((Keyword::Argc, range)), Operand::Argument(index)) => {
            !count.negated && !argument.negated && !range.is_empty() && range.max.value <= index
        }
        _ => false,
    }
}

/// Two words without wildcards for the same text, or a word and `NULL`.
fn texts_contradict(this: &TestLine<'_>, that: &TestLine<'_>) -> bool {
    let fixed = |word: &[u8]| pattern::skip_units(word).is_empty();
    let same_text = this.left == that.left
        && match this.left {
            Operand::Variable(name) => fixed(name),
            Operand::Argument(_) | Operand::Realpath | Operand::SymlinkTarget => true,
            _ => false,
        };
    same_text
        && match (this.right, that.right) {
            (Operand::Word(one), Operand::Word(two)) => {
                !this.negated && !that.negated && one != two && fixed(one) && fixed(two)
            }
            (Operand::Null, Operand::Word(_)) => !this.negated && !that.negated,
            (Operand::Word(_), Operand::Null) => !this.negated && !that.negated,
            _ => false,
        }
}

/// What is odd in the sides of a test, which is `word`.
#[inline(never)]
fn look_at_test(column: u32, word: &[u8], test: &TestLine<'_>, visit: &mut Visit<'_>) {
    let role = match test.left {
        Operand::Realpath => Role::Realpath,
        Operand::SymlinkTarget => Role::Text,
        _ => Role::Value,
    };
    let compares_perm = [test.left, test.right]
        .iter()
        .any(|side| matches!(side, Operand::Keyword(Keyword::Attribute(_, Attribute::Perm))));
    let look_at_range = |column: u32, range: &NumberRange, visit: &mut Visit<'_>| {
        if range.is_empty() {
            visit(column, Warning::EmptyRange);
        } else if compares_perm && is_decimal_mode(range) {
            visit(column, Warning::DecimalMode);
        }
    };
    look_at_constants(column, test, visit);
    match &test.left {
        Operand::Range(range) => look_at_range(column, range, visit),
        Operand::Variable(name) => word::look(column, name, Role::Variable, visit),
        _ => {}
    }
    let from_end =
        |len: usize| column.saturating_add(text::column(word.len().saturating_sub(len))).saturating_sub(1);
    // Neither an operand on the left of a number or group nor these themselves have a `=`.
    let right = word.rsplit(|byte| *byte == b'=').next().map_or(0, <[u8]>::len);
    match &test.right {
        Operand::Range(range) => look_at_range(from_end(right), range, visit),
        // With its quotes.
        Operand::Word(text) => word::look(from_end(text.len().saturating_add(2)), text, role, visit),
        Operand::Group(name) if name.contains(&b'/') || name.first() == Some(&b'{') => {
            visit(from_end(right), Warning::GroupWithSlash);
        }
        _ => {}
    }
}

/// Words for bits and types where nothing of the kind can be.
fn look_at_constants(column: u32, test: &TestLine<'_>, visit: &mut Visit<'_>) {
    let sides = [test.left, test.right];
    let is_there = |wanted: fn(Keyword) -> bool| {
        sides.iter().any(|side| matches!(side, Operand::Keyword(keyword) if wanted(*keyword)))
    };
    // Numbers may stand for bits and types, but for the left of a bit.
    let number_at = |side: Operand<'_>| matches!(side, Operand::Range(_) | Operand::Group(_));
    if is_there(|keyword| matches!(keyword, Keyword::Permission(_))) {
        let with_number =
            matches!(test.left, Operand::Keyword(Keyword::Permission(_))) && number_at(test.right);
        if !with_number && !is_there(|keyword| matches!(keyword, Keyword::Attribute(_, Attribute::Perm))) {
            visit(column, Warning::BitElsewhere);
        }
    } else if is_there(|keyword| matches!(keyword, Keyword::Type(_)))
        && !number_at(test.left)
        && !number_at(test.right)
        && !is_there(|keyword| matches!(keyword, Keyword::Attribute(_, Attribute::Type)))
    {
        visit(column, Warning::TypeElsewhere);
    }
}
