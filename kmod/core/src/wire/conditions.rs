// SPDX-License-Identifier: MIT OR Apache-2.0
//! The conditions of an image.

use super::codec::Reader;
use super::flaw::Flaw;
use super::image::{number, range};
use super::tables::{Shared, Tables};
use crate::condition::{Condition, FileType, Keyword, Permission, Subject, TaskField, Test, Value, Wanted};
use crate::edit::Edit;
use crate::facts::{Attribute, Object};
use crate::group::GroupKind;
use crate::mem::{Arc, Box, Vec};
use crate::pattern::Pattern;
use crate::policy::Interned;
use crate::text::Reason;

/// Reads all different conditions.
pub(crate) fn conditions(reader: &mut Reader<'_>, edit: &mut Edit, tables: &mut Tables) -> Result<(), Flaw> {
    for _ in 0..reader.len()? {
        let len = reader.len()?;
        let mut tests = Vec::with_capacity(len)?;
        for _ in 0..len {
            tests.push(test(reader, tables)?)?;
        }
        let mut assignments = [None; 3];
        for value in &mut assignments {
            *value = reader.option(Reader::u8)?;
        }
        if len == 0 && assignments == [None; 3] {
            return Err(Flaw::Text(Reason::EmptyCondition));
        }
        let condition = Condition::from_tests(tests, assignments);
        let policy = &mut edit.policy;
        let hash = condition.hash();
        if policy.conditions.get(hash).any(|old| *old.condition == condition) {
            return Err(Flaw::Duplicate);
        }
        policy.condition_bytes = policy.condition_bytes.saturating_add(condition.bytes());
        let condition = Arc::new(condition)?;
        policy.conditions.insert(hash, Interned { condition: condition.clone(), users: 0 })?;
        tables.conditions.push(Shared { condition, hash, users: 0 })?;
    }
    Ok(())
}

fn test(reader: &mut Reader<'_>, tables: &mut Tables) -> Result<Test, Flaw> {
    Ok(match reader.u8()? {
        0 => {
            let left = value(reader, tables)?;
            if matches!(left, Value::Group(_)) {
                return Err(Flaw::Text(Reason::GroupOnLeft));
            }
            Test::Value { left, negated: reader.bool()?, right: value(reader, tables)? }
        }
        1 => Test::Name {
            subject: reader.one_of(&[Subject::Realpath, Subject::SymlinkTarget])?,
            negated: reader.bool()?,
            wanted: match reader.u8()? {
                0 => Wanted::Word(quoted(reader)?),
                1 => Wanted::Group(tables.group(reader, GroupKind::Path)?),
                _ => return Err(Flaw::Tag),
            },
        },
        2 => Test::Argument { index: reader.u64()?, negated: reader.bool()?, wanted: quoted(reader)? },
        3 => {
            let name = quoted(reader)?;
            if name.as_bytes().is_empty() || name.as_bytes().contains(&b'=') {
                return Err(Flaw::Text(Reason::BadVariableName));
            }
            Test::Variable { name, negated: reader.bool()?, wanted: reader.option(quoted)? }
        }
        _ => return Err(Flaw::Tag),
    })
}

fn value(reader: &mut Reader<'_>, tables: &mut Tables) -> Result<Value, Flaw> {
    Ok(match reader.u8()? {
        0 => Value::Keyword(keyword(reader)?),
        1 => Value::Number(number(reader)?),
        2 => {
            let range = range(reader)?;
            if range.min == range.max {
                return Err(Flaw::Number); // That is a number; it would not be equal to the range.
            }
            Value::Range(Box::new(range)?)
        }
        3 => Value::Group(tables.group(reader, GroupKind::Number)?),
        _ => return Err(Flaw::Tag),
    })
}

fn keyword(reader: &mut Reader<'_>) -> Result<Keyword, Flaw> {
    Ok(match reader.u8()? {
        0 => Keyword::Task(reader.one_of(&TaskField::ALL)?),
        1 => Keyword::ExecuteHandler,
        2 => Keyword::Argc,
        3 => Keyword::Envc,
        4 => {
            let object = reader.one_of(&Object::ALL)?;
            let attribute = reader.one_of(&Attribute::ALL)?;
            if !object.has(attribute) {
                return Err(Flaw::Text(Reason::UnknownOperand));
            }
            Keyword::Attribute(object, attribute)
        }
        5 => Keyword::Type(reader.one_of(&FileType::ALL)?),
        6 => Keyword::Permission(reader.one_of(&Permission::ALL)?),
        _ => return Err(Flaw::Tag),
    })
}

/// A word that stands in quotes, checked as [`Pattern::new`] does.
fn quoted(reader: &mut Reader<'_>) -> Result<Box<Pattern>, Flaw> {
    let pattern = Pattern::copy_from(reader.bytes()?)?.ok_or(Reason::BadQuotedWord)?;
    Ok(Box::new(pattern)?)
}
