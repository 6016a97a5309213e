// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conditions, evaluated test by test as reference 5.4 says. The values are those of 5.2, written down once more.

use super::decide::path_group_matches;
use super::pattern::matches;
use crate::condition::{Condition, FileType, Keyword, Permission, Subject, TaskField, Test, Value, Wanted};
use crate::facts::{beginning, variable, Arguments, Attribute, Attributes, Facts};
use crate::name::Name;
use crate::policy::Policy;
use crate::task::Task;

/// Reference 5.1 and 5.4: all tests must be true. That 1.7 asks for argv and envp last makes no difference.
pub(super) fn is_true(policy: &Policy, facts: &Facts<'_>, condition: &Condition) -> bool {
    condition.tests().all(|test| match test {
        Test::Value { left, negated, right } => value_test(policy, facts, left, *negated, right),
        Test::Name { subject, negated, wanted } => name_test(policy, facts, *subject, *negated, wanted),
        Test::Argument { index, negated, wanted } => match facts.exec {
            Some(exec) => argument_test(exec, *index, *negated, wanted.as_bytes()),
            None => false,
        },
        Test::Variable { name, negated, wanted } => {
            let wanted = wanted.as_ref().map(|wanted| wanted.as_bytes());
            match facts.exec {
                Some(exec) => variable_test(exec, name.as_bytes(), *negated, wanted),
                None => false,
            }
        }
    })
}

/// Reference 5.4, numbers. What is not available is false for both operators.
fn value_test(policy: &Policy, facts: &Facts<'_>, left: &Value, negated: bool, right: &Value) -> bool {
    let equal = match (left, right) {
        // "Two bit words, or a bit word against any other keyword: false for both operators", but for permissions.
        (Value::Keyword(Keyword::Permission(bit)), Value::Keyword(other))
        | (Value::Keyword(other), Value::Keyword(Keyword::Permission(bit))) => {
            if !matches!(other, Keyword::Attribute(_, Attribute::Perm)) {
                return false;
            }
            let Some(perm) = keyword_value(facts, *other) else {
                return false;
            };
            perm & bit_value(*bit) != 0
        }
        // The number of a bit word is compared with numbers on the right side, and so not with those on the left.
        (_, Value::Keyword(Keyword::Permission(_))) => return false,
        // "@group: overlap with any member"
        (left, Value::Group(id)) => {
            let (Some(left), Some(group)) = (ends(facts, left), policy.number_group(*id)) else {
                return false;
            };
            group.members().iter().any(|member| overlap(left, (member.min.value, member.max.value)))
        }
        // "true if the two ranges overlap"
        (left, right) => {
            let (Some(left), Some(right)) = (ends(facts, left), ends(facts, right)) else {
                return false;
            };
            overlap(left, right)
        }
    };
    equal != negated
}

/// Reference 5.4: "a keyword is a range of one value". Least and greatest value; `None` for what is not available, and
/// for groups, which are dealt with elsewhere.
fn ends(facts: &Facts<'_>, value: &Value) -> Option<(u64, u64)> {
    match value {
        Value::Keyword(keyword) => keyword_value(facts, *keyword).map(|value| (value, value)),
        Value::Number(number) => Some((number.value, number.value)),
        Value::Range(range) => Some((range.min.value, range.max.value)),
        Value::Group(_) => None,
    }
}

/// Whether a number is in both ranges. None is in a range whose first number is the greater one.
fn overlap(one: (u64, u64), other: (u64, u64)) -> bool {
    one.0.max(other.0) <= one.1.min(other.1)
}

/// Reference 5.4, `exec.realpath` and `symlink.target`: both are matched by the engine of chapter 2.
fn name_test(policy: &Policy, facts: &Facts<'_>, subject: Subject, negated: bool, wanted: &Wanted) -> bool {
    let name: Option<Name<'_>> = match subject {
        Subject::Realpath => facts.exec.and_then(|exec| exec.realpath()),
        Subject::SymlinkTarget => facts.symlink_target,
    };
    let Some(name) = name else {
        return false;
    };
    let equal = match wanted {
        Wanted::Word(word) => matches(name, word.as_bytes()),
        Wanted::Group(id) => path_group_matches(policy, *id, name, true),
    };
    equal != negated
}

/// Reference 5.4, `exec.argv[N]`: one that does not exist is `!=` everything. Strings that could not be read are not
/// available ([`Arguments::is_unreadable`]).
fn argument_test(exec: &dyn Arguments, index: u64, negated: bool, wanted: &[u8]) -> bool {
    let mut matched = false;
    let exists = exec.argv(index, &mut |argument| matched = matches(beginning(argument), wanted));
    let result = match (exists, negated) {
        (true, false) => matched,
        (true, true) => !matched,
        (false, false) => false,
        (false, true) => true,
    };
    result && !exec.is_unreadable()
}

/// Reference 5.4, `exec.envp["PAT"]`: every string with `=` whose name matches must satisfy the test.
fn variable_test(exec: &dyn Arguments, name: &[u8], negated: bool, wanted: Option<&[u8]>) -> bool {
    let (mut found, mut satisfied) = (false, true);
    exec.envp(&mut |whole_name, whole_value| {
        let (variable, value) = variable(whole_name, whole_value);
        let Some(value) = value else {
            return;
        };
        if !matches(variable, name) {
            return;
        }
        found = true;
        satisfied = satisfied
            && match (wanted, negated) {
                (Some(wanted), false) => matches(value, wanted),
                (Some(wanted), true) => !matches(value, wanted),
                (None, false) => false,
                (None, true) => true,
            };
    });
    // "If no name matches"
    let otherwise = match (wanted, negated) {
        (Some(_), false) => false,
        (Some(_), true) => true,
        (None, false) => true,
        (None, true) => false,
    };
    let result = if found { satisfied } else { otherwise };
    result && !exec.is_unreadable()
}

/// Reference 5.2: the number that a keyword stands for; `None` if it is not available.
fn keyword_value(facts: &Facts<'_>, keyword: Keyword) -> Option<u64> {
    match keyword {
        Keyword::Task(field) => Some(task_value(facts.task, field)),
        Keyword::ExecuteHandler => Some(64),
        Keyword::Argc => facts.exec.map(|exec| exec.argc()),
        Keyword::Envc => facts.exec.map(|exec| exec.envc()),
        Keyword::Attribute(object, attribute) => {
            let attributes = facts.objects?.attributes(object)?;
            Some(attribute_value(&attributes, attribute))
        }
        Keyword::Type(kind) => Some(match kind {
            FileType::Socket => 0o140_000,
            FileType::Symlink => 0o120_000,
            FileType::File => 0o100_000,
            FileType::Block => 0o060_000,
            FileType::Directory => 0o040_000,
            FileType::Char => 0o020_000,
            FileType::Fifo => 0o010_000,
        }),
        Keyword::Permission(bit) => Some(bit_value(bit)),
    }
}

/// Reference 5.2, `task.`
fn task_value(task: &Task, field: TaskField) -> u64 {
    let [state0, state1, state2] = task.state;
    let value = match field {
        TaskField::Uid => task.uid,
        TaskField::Euid => task.euid,
        TaskField::Suid => task.suid,
        TaskField::Fsuid => task.fsuid,
        TaskField::Gid => task.gid,
        TaskField::Egid => task.egid,
        TaskField::Sgid => task.sgid,
        TaskField::Fsgid => task.fsgid,
        TaskField::Pid => task.pid,
        TaskField::Ppid => task.ppid,
        TaskField::State0 => u32::from(state0),
        TaskField::State1 => u32::from(state1),
        TaskField::State2 => u32::from(state2),
        TaskField::Type => {
            if task.execute_handler {
                64
            } else {
                0
            }
        }
    };
    u64::from(value)
}

/// Reference 5.2, `path1.` and the others: "perm is mode & 07777; type is mode & 0170000".
fn attribute_value(attributes: &Attributes, attribute: Attribute) -> u64 {
    match attribute {
        Attribute::Uid => u64::from(attributes.uid),
        Attribute::Gid => u64::from(attributes.gid),
        Attribute::Ino => attributes.ino,
        Attribute::Major => u64::from(attributes.major),
        Attribute::Minor => u64::from(attributes.minor),
        Attribute::Perm => u64::from(attributes.mode & 0o7777),
        Attribute::Type => u64::from(attributes.mode & 0o170_000),
        Attribute::DevMajor => u64::from(attributes.dev_major),
        Attribute::DevMinor => u64::from(attributes.dev_minor),
    }
}

/// Reference 5.2: the permission bit words, 04000 to 0001.
fn bit_value(bit: Permission) -> u64 {
    match bit {
        Permission::Setuid => 0o4000,
        Permission::Setgid => 0o2000,
        Permission::Sticky => 0o1000,
        Permission::OwnerRead => 0o0400,
        Permission::OwnerWrite => 0o0200,
        Permission::OwnerExecute => 0o0100,
        Permission::GroupRead => 0o0040,
        Permission::GroupWrite => 0o0020,
        Permission::GroupExecute => 0o0010,
        Permission::OthersRead => 0o0004,
        Permission::OthersWrite => 0o0002,
        Permission::OthersExecute => 0o0001,
    }
}
