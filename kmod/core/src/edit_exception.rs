// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lines of exception_policy: transition rules and groups (reference 3).

use crate::acl;
use crate::edit::{group, pattern, strip_delete, Edit, EditError};
use crate::exception::{Rule, RuleKind};
use crate::group::Group;
use crate::mem::{Arc, OutOfMemory};
use crate::number::NumberRange;
use crate::pattern::Pattern;
use crate::table::{Part, Table};
use crate::text::{ParseError, Reason, Words};

impl Edit {
    /// Executes a line of exception_policy (reference 3).
    ///
    /// # Errors
    /// The line is wrong, or there is no memory for it. Nothing changed.
    pub fn exception_policy_line(&mut self, line: &[u8]) -> Result<(), EditError> {
        let Some((mut words, delete)) = strip_delete(line)? else {
            return Ok(());
        };
        let (column, directive) = words.require(Reason::UnknownDirective)?;
        match directive {
            b"initialize_domain" => self.rule(RuleKind::Initialize, false, words, delete),
            b"no_initialize_domain" => self.rule(RuleKind::Initialize, true, words, delete),
            b"keep_domain" => self.rule(RuleKind::Keep, false, words, delete),
            b"no_keep_domain" => self.rule(RuleKind::Keep, true, words, delete),
            b"path_group" => {
                let (name, column, member) = group_line(words)?;
                let member = pattern(column, member, Reason::BadPathMember)?;
                let same = |old: &Arc<Pattern>| old.as_bytes() == member.as_bytes();
                let table = &mut self.policy.path_groups;
                match find_member(table, name, same) {
                    (Some(group), Some(place)) if delete => delete_member(table, group, place)?,
                    (_, None) if !delete => add_member(table, name, Arc::new(member)?)?,
                    _ => {}
                }
                Ok(())
            }
            b"number_group" => {
                let (name, column, member) = group_line(words)?;
                let fail = |reason| ParseError::new(column, reason);
                let member = NumberRange::parse(member).ok_or(fail(Reason::BadNumberMember))?;
                if member.is_empty() {
                    return Err(fail(Reason::ReversedRange).into());
                }
                let table = &mut self.policy.number_groups;
                match find_member(table, name, |old| *old == member) {
                    (Some(group), Some(place)) if delete => delete_member(table, group, place)?,
                    (_, None) if !delete => add_member(table, name, member)?,
                    _ => {}
                }
                Ok(())
            }
            other => Err(ParseError::new(column, unknown_directive(other)).into()),
        }
    }

    fn rule(
        &mut self,
        kind: RuleKind,
        negative: bool,
        words: Words<'_>,
        delete: bool,
    ) -> Result<(), EditError> {
        let rule = Rule::parse(kind, negative, words)?;
        let list = match kind {
            RuleKind::Initialize => &mut self.policy.initialize,
            RuleKind::Keep => &mut self.policy.keep,
        };
        match list.iter().position(|old| **old == rule) {
            Some(place) if delete => drop(list.remove(place)),
            None if !delete => list.push(Arc::new(rule)?)?,
            _ => {}
        }
        Ok(())
    }
}

/// `GROUP MEMBER`: the name of the group, the column of the member, the member.
fn group_line<'a>(mut words: Words<'a>) -> Result<(&'a [u8], u32, &'a [u8]), ParseError> {
    let (column, name) = words.require(Reason::MissingGroupName)?;
    if !acl::is_group_name(name) {
        return Err(ParseError::new(column, Reason::BadGroupName));
    }
    let (column, member) = words.require(Reason::MissingMember)?;
    words.finish()?;
    Ok((name, column, member))
}

/// The group of a name and the place of a member in it, as far as they exist.
fn find_member<T>(
    table: &Table<Group<T>>,
    name: &[u8],
    same: impl FnMut(&T) -> bool,
) -> (Option<u32>, Option<usize>)
where
    Group<T>: Part,
{
    match table.iter().find(|(_, group)| group.name() == name) {
        Some((slot, group)) => (Some(slot), group.members().iter().position(same)),
        None => (None, None),
    }
}

fn add_member<T>(table: &mut Table<Group<T>>, name: &[u8], member: T) -> Result<(), OutOfMemory>
where
    Group<T>: Part,
{
    if let Some(id) = group(table, name, true)? {
        if let Some(group) = table.edit(id.0)? {
            group.add(member)?;
        }
    }
    Ok(())
}

fn delete_member<T>(table: &mut Table<Group<T>>, slot: u32, place: usize) -> Result<(), OutOfMemory>
where
    Group<T>: Part,
{
    if let Some(group) = table.edit(slot)? {
        group.remove(place);
    }
    Ok(())
}

fn unknown_directive(word: &[u8]) -> Reason {
    const LATER: [&[u8]; 7] = [
        b"aggregator",
        b"allow_read",
        b"allow_env",
        b"file_pattern",
        b"deny_rewrite",
        b"address_group",
        b"deny_autobind",
    ];
    // Reference 3.11.
    const REMOVED: [&[u8]; 6] =
        [b"alias", b"allow_argv0", b"trust_domain", b"initializer", b"no_initializer", b"undelete"];
    if LATER.contains(&word) {
        Reason::DirectiveNotYet
    } else if REMOVED.contains(&word) {
        Reason::RemovedDirective
    } else {
        Reason::UnknownDirective
    }
}
