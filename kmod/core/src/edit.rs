// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changing the policy: an edit takes lines and ends in the next snapshot.
//!
//! Each line stands for itself: a bad one changes nothing and is reported, the others take effect (reference 10.1).
//! Inside the edit a look-up sees what the edit changed; nobody else sees anything before [`Edit::commit`].
//!
//! What 1.7 marked as deleted and collected later, is removed at once here: entries, members and rules. So a line that
//! is deleted and written again goes to the end of its list, and never back to its old place (quirk Q26 leaves that
//! open). Domains are marked, because tasks may be in them, and are dropped by [`Edit::collect`].

use crate::acl::{self, AclLine};
use crate::condition::{Condition, ConditionLine, Operand, Test, Value};
use crate::domain::{Domain, DomainId};
use crate::entry::{Args, Entry, NumberArg, PathArg};
use crate::exception;
use crate::group::{Group, GroupId};
use crate::manager;
use crate::mem::{Arc, OutOfMemory, Vec};
use crate::name::{DomainName, ROOT_DOMAIN};
use crate::number::NumberRange;
use crate::pattern::Pattern;
use crate::policy::Policy;
use crate::profile::{self, Profile};
use crate::request::Operation;
use crate::table::{Part, Table};
use crate::text::{self, ParseError, Reason, Words};
use crate::transition::NextDomain;

/// Why a line was not accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum EditError {
    /// There is no memory for it.
    OutOfMemory,
    /// It is wrong.
    Parse(ParseError),
}

impl From<OutOfMemory> for EditError {
    fn from(_: OutOfMemory) -> Self {
        EditError::OutOfMemory
    }
}

impl From<ParseError> for EditError {
    fn from(error: ParseError) -> Self {
        EditError::Parse(error)
    }
}

/// Why a policy cannot be activated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ActivateError {
    /// `PROFILE_VERSION=20090903` was not written.
    NoVersion,
    /// A domain has a profile that is not defined.
    UndefinedProfile {
        /// The first such domain.
        domain: DomainId,
        /// The number of its profile.
        profile: u8,
    },
}

impl ActivateError {
    /// What is wrong and what to do, one line without full stop.
    pub const fn message(&self) -> &'static str {
        match self {
            ActivateError::NoVersion => "write PROFILE_VERSION=20090903 to profile before activation",
            ActivateError::UndefinedProfile { .. } => {
                "a domain uses a profile that is not defined; write its CONFIG line to profile or give the domain another profile"
            }
        }
    }
}

/// The current domain of one open domain_policy file: that of the lines which follow a domain line.
#[derive(Clone, Copy, Default)]
pub struct Cursor(Option<DomainId>);

/// A change of the policy in progress.
pub struct Edit {
    pub(crate) policy: Policy,
}

impl Edit {
    pub(crate) const fn new(policy: Policy) -> Self {
        Edit { policy }
    }

    /// The policy with the changes so far.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Ends the edit.
    pub fn commit(self) -> Policy {
        let mut policy = self.policy;
        policy.settle();
        policy
    }

    /// Executes a line of domain_policy (reference 4.1).
    ///
    /// # Errors
    /// The line is wrong, or there is no memory for it. Of the policy nothing changed; the current domain is none
    /// after a domain line, `select` or `delete` that failed.
    pub fn domain_policy_line(&mut self, cursor: &mut Cursor, line: &[u8]) -> Result<(), EditError> {
        let mut words = Words::new(line);
        let all = words;
        let Some((column, first)) = words.next() else {
            return Ok(());
        };
        let next = words.peek();
        let next_is_domain = next.is_some_and(|(_, word)| word.starts_with(ROOT_DOMAIN));
        match first {
            _ if first.starts_with(ROOT_DOMAIN) => {
                *cursor = Cursor(None);
                *cursor = Cursor(Some(self.find_or_create(column, all)?));
                Ok(())
            }
            b"select" => {
                *cursor = Cursor(None);
                if next_is_domain {
                    *cursor = Cursor(self.policy.find_domain(&exception::domain_name(words)?));
                    return Ok(());
                }
                let (column, word) = words.require(Reason::SelectWithoutDomain)?;
                let later: [&[u8]; 3] = [b"domain=", b"pid=", b"global-pid="];
                let reason = if word == b"allow_execute" && words.next().is_none()
                    || later.iter().any(|form| word.starts_with(form))
                {
                    Reason::SelectNotYet
                } else {
                    Reason::SelectWithoutDomain
                };
                Err(ParseError::new(column, reason).into())
            }
            b"delete" if next_is_domain => {
                *cursor = Cursor(None);
                self.delete_domain(words)
            }
            b"delete" => {
                if next.is_none() {
                    return Err(ParseError::new(words.column(), Reason::DeleteNothing).into());
                }
                self.domain_body(cursor, words, true)
            }
            _ => self.domain_body(cursor, all, false),
        }
    }

    /// A domain line.
    fn find_or_create(&mut self, column: u32, words: Words<'_>) -> Result<DomainId, EditError> {
        let name = exception::owned_domain_name(words)?;
        if let Some(id) = self.policy.find_domain(name.as_bytes()) {
            return Ok(id);
        }
        if self.policy.active && self.policy.profile(0).is_none() {
            return Err(ParseError::new(column, Reason::ProfileZeroUndefined).into());
        }
        Ok(self.insert_domain(name, 0)?)
    }

    fn insert_domain(&mut self, name: DomainName, profile: u8) -> Result<DomainId, OutOfMemory> {
        let serial = self.policy.next_serial;
        let slot = self.policy.domains.insert(Domain::new(name, serial, profile)?)?;
        self.policy.next_serial = serial.wrapping_add(1);
        Ok(DomainId { slot, serial })
    }

    fn delete_domain(&mut self, words: Words<'_>) -> Result<(), EditError> {
        let column = words.peek().map_or(words.column(), |(column, _)| column);
        let name = exception::domain_name(words)?;
        if *name == *ROOT_DOMAIN {
            return Err(ParseError::new(column, Reason::DeleteRoot).into());
        }
        if let Some(id) = self.policy.find_domain(&name) {
            if let Some(domain) = self.edit_domain(id)? {
                domain.deleted = true;
            }
        }
        Ok(())
    }

    /// An attribute or ACL of the current domain.
    fn domain_body(&mut self, cursor: &Cursor, mut words: Words<'_>, delete: bool) -> Result<(), EditError> {
        let all = words;
        let (column, keyword) = words.require(Reason::UnknownAcl)?;
        let current = |edit: &Edit| {
            let live = |id: &DomainId| edit.policy.domain(*id).is_some_and(|domain| !domain.deleted);
            cursor.0.filter(live).ok_or(ParseError::new(column, Reason::NoCurrentDomain))
        };
        match keyword {
            b"use_profile" if delete => Err(ParseError::new(column, Reason::DeleteProfile).into()),
            b"use_profile" => {
                let (column, number) = words.require(Reason::BadProfileNumber)?;
                let number =
                    text::parse_u8(number).ok_or(ParseError::new(column, Reason::BadProfileNumber))?;
                words.finish()?;
                let id = current(self)?;
                if self.policy.active && self.policy.profile(number).is_none() {
                    return Err(ParseError::new(column, Reason::UndefinedProfile).into());
                }
                if let Some(domain) = self.edit_domain(id)? {
                    domain.profile = number;
                }
                Ok(())
            }
            b"quota_exceeded" | b"transition_failed" => {
                words.finish()?;
                if let Some(domain) = self.edit_domain(current(self)?)? {
                    match keyword {
                        b"quota_exceeded" => domain.flags.quota_exceeded = !delete,
                        _ => domain.flags.transition_failed = !delete,
                    }
                }
                Ok(())
            }
            _ => {
                let line = AclLine::parse_words(all)?;
                let id = current(self)?;
                let entry = self.resolve(&line, !delete)?;
                match entry {
                    Some(entry) if delete => self.delete_entry(id, &entry, line.operation())?,
                    Some(entry) => self.add_entry(id, entry)?,
                    None => {}
                }
                Ok(())
            }
        }
    }

    /// Turns an ACL line into an entry. `None` if it mentions a group that does not exist and must not be created:
    /// then there is no such entry to be deleted.
    fn resolve(&mut self, line: &AclLine<'_>, create: bool) -> Result<Option<Entry>, EditError> {
        let mut paths = line.path_columns();
        let mut path = |edit: &mut Edit| match paths.next() {
            Some((column, word)) => edit.resolve_path(column, word, create),
            None => Ok(None),
        };
        let args = match line.operation() {
            Operation::Path(_) => path(self)?.map(Args::Path),
            Operation::Path2(_) => match (path(self)?, path(self)?) {
                (Some(from), Some(to)) => Some(Args::Path2(from, to)),
                _ => None,
            },
            Operation::PathNumber(_) => {
                match (path(self)?, self.resolve_number(line.number_word().unwrap_or(&[]), create)?) {
                    (Some(path), Some(number)) => Some(Args::PathNumber(path, number)),
                    _ => None,
                }
            }
        };
        let Some(args) = args else {
            return Ok(None);
        };
        let condition = match line.condition() {
            None => None,
            Some(condition) => match self.resolve_condition(&condition, create)? {
                Some(condition) => Some(Arc::new(condition)?),
                None => return Ok(None),
            },
        };
        Ok(Some(Entry::new(line.operation(), args, condition)))
    }

    fn resolve_path(&mut self, column: u32, word: &[u8], create: bool) -> Result<Option<PathArg>, EditError> {
        if let Some(name) = acl::group_name(word) {
            return Ok(group(&mut self.policy.path_groups, name, create)?.map(PathArg::Group));
        }
        let pattern = pattern(column, word, Reason::BadPath)?;
        Ok(Some(PathArg::Word(Arc::new(pattern)?)))
    }

    fn resolve_number(&mut self, word: &[u8], create: bool) -> Result<Option<NumberArg>, OutOfMemory> {
        match acl::group_name(word) {
            Some(name) => Ok(group(&mut self.policy.number_groups, name, create)?.map(NumberArg::Group)),
            None => Ok(NumberRange::parse(word).map(NumberArg::Range)),
        }
    }

    fn resolve_condition(
        &mut self,
        line: &ConditionLine<'_>,
        create: bool,
    ) -> Result<Option<Condition>, OutOfMemory> {
        let mut tests = Vec::with_capacity(line.tests().fold(0, |sum, _| sum.saturating_add(1)))?;
        for test in line.tests() {
            let mut value = |operand| {
                Ok(Some(match operand {
                    Operand::Task(field) => Value::Task(field),
                    Operand::Range(range) => Value::Range(range),
                    Operand::ExecuteHandler => Value::ExecuteHandler,
                    Operand::Group(name) => {
                        return Ok(group(&mut self.policy.number_groups, name, create)?.map(Value::Group));
                    }
                }))
            };
            let (Some(left), Some(right)) = (value(test.left)?, value(test.right)?) else {
                return Ok(None);
            };
            tests.push(Test { left, negated: test.negated, right })?;
        }
        Ok(Some(Condition::new(tests)))
    }

    /// A domain for changing.
    pub(crate) fn edit_domain(&mut self, id: DomainId) -> Result<Option<&mut Domain>, OutOfMemory> {
        if self.policy.domain(id).is_none() {
            return Ok(None);
        }
        self.policy.domains.edit(id.slot)
    }

    /// Adds an entry, or its bits to the entry that is the same.
    pub(crate) fn add_entry(&mut self, id: DomainId, entry: Entry) -> Result<(), OutOfMemory> {
        // Looked up before the domain is copied for a change that is none.
        if self.policy.domain(id).is_some_and(|domain| domain.has(&entry)) {
            return Ok(());
        }
        let Some(domain) = self.edit_domain(id)? else {
            return Ok(());
        };
        match domain.entries.iter_mut().find(|old| old.is_same(&entry)) {
            Some(old) => {
                old.merge(entry.bits());
                Ok(())
            }
            None => domain.entries.push(entry),
        }
    }

    /// Takes an operation from the entry that is the same as `wanted`.
    fn delete_entry(&mut self, id: DomainId, wanted: &Entry, what: Operation) -> Result<(), OutOfMemory> {
        let entries = self.policy.domain(id).map(|domain| &domain.entries);
        let Some(place) = entries.and_then(|list| list.iter().position(|entry| entry.is_same(wanted))) else {
            return Ok(());
        };
        let Some(domain) = self.edit_domain(id)? else {
            return Ok(());
        };
        if domain.entries.get_mut(place).is_some_and(|entry| entry.forbid(what)) {
            domain.entries.remove(place);
        }
        Ok(())
    }

    /// Executes a line of profile (reference 7.1). Profiles cannot be deleted.
    ///
    /// A line that is rejected does not create its profile, unlike in 1.7.
    ///
    /// # Errors
    /// The line is wrong, or there is no memory for it. Nothing changed.
    pub fn profile_line(&mut self, line: &[u8]) -> Result<(), EditError> {
        let (number, change) = match profile::Line::parse(line)? {
            None => return Ok(()),
            Some(profile::Line::Version) => {
                self.policy.version_given = true;
                return Ok(());
            }
            Some(profile::Line::Profile(number, change)) => (number, change),
        };
        let mut changed = match self.policy.profile(number) {
            Some(profile) => profile.copy()?,
            None => Profile::new(),
        };
        changed.apply(&change)?;
        let changed = Arc::new(changed)?;
        let place = usize::from(number);
        let profiles = &mut self.policy.profiles;
        while profiles.len() <= place {
            profiles.push(None)?;
        }
        if let Some(profile) = profiles.get_mut(place) {
            *profile = Some(changed);
        }
        Ok(())
    }

    /// Executes a line of manager (reference 10.2).
    ///
    /// # Errors
    /// The line is wrong, or there is no memory for it. Nothing changed.
    pub fn manager_line(&mut self, line: &[u8]) -> Result<(), EditError> {
        let Some((words, delete)) = strip_delete(line)? else {
            return Ok(());
        };
        let entry = match manager::Line::parse(words)? {
            manager::Line::NonRoot => {
                self.policy.non_root = !delete;
                return Ok(());
            }
            manager::Line::Entry(entry) => entry,
        };
        let list = &mut self.policy.managers;
        match list.iter().position(|old| old.name() == entry.name()) {
            Some(place) if delete => drop(list.remove(place)),
            None if !delete => list.push(Arc::new(entry)?)?,
            _ => {}
        }
        Ok(())
    }

    /// Ends the open time: from the next snapshot on, profiles take effect and only managers may write.
    ///
    /// # Errors
    /// The policy is not complete; it stays inactive.
    pub fn activate(&mut self) -> Result<(), ActivateError> {
        if !self.policy.version_given {
            return Err(ActivateError::NoVersion);
        }
        let undefined = |domain: &Domain| self.policy.profile(domain.profile).is_none();
        if let Some((id, domain)) = self.policy.domains().find(|(_, domain)| undefined(domain)) {
            return Err(ActivateError::UndefinedProfile { domain: id, profile: domain.profile });
        }
        self.policy.active = true;
        Ok(())
    }

    /// Creates the domain that a program leads to, with the profile of the caller's domain; or finds it, if it was
    /// created since the caller looked.
    ///
    /// # Errors
    /// Out of memory, or the name cannot be that of a domain ([`NextDomain::can_be_created`]).
    pub fn create_domain(&mut self, next: &NextDomain<'_>, profile: u8) -> Result<DomainId, OutOfMemory> {
        if let Some(id) = next.find(&self.policy) {
            return Ok(id);
        }
        if !next.can_be_created() {
            return Err(OutOfMemory);
        }
        let mut name = Vec::with_capacity(next.name_len())?;
        next.print(&mut name)?;
        let name = DomainName::new(name).ok_or(OutOfMemory)?;
        self.insert_domain(name, profile)
    }

    /// Notes that a transition out of the domain failed. True if that was not known: then write the record
    /// `transition_failed` and commit the edit.
    ///
    /// # Errors
    /// Out of memory.
    pub fn set_transition_failed(&mut self, id: DomainId) -> Result<bool, OutOfMemory> {
        match self.policy.domain(id) {
            Some(domain) if !domain.flags.transition_failed => {}
            _ => return Ok(false),
        }
        if let Some(domain) = self.edit_domain(id)? {
            domain.flags.transition_failed = true;
        }
        Ok(true)
    }

    /// Drops deleted domains without tasks, and groups without members that nothing refers to.
    ///
    /// No task may be on its way into a domain meanwhile ([`Domain::attach`]).
    pub fn collect(&mut self) {
        while let Some(slot) = self.policy.unused_domain() {
            self.policy.domains.remove(slot);
        }
        while let Some(slot) = self.policy.unused_path_group() {
            self.policy.path_groups.remove(slot);
        }
        while let Some(slot) = self.policy.unused_number_group() {
            self.policy.number_groups.remove(slot);
        }
    }
}

impl Domain {
    /// Whether there is an entry that is the same and has all bits of `wanted`.
    pub(crate) fn has(&self, wanted: &Entry) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.bits() & wanted.bits() == wanted.bits() && entry.is_same(wanted))
    }
}

/// The words behind an optional `delete`, and whether it was there. `None` for a blank line.
pub(crate) fn strip_delete(line: &[u8]) -> Result<Option<(Words<'_>, bool)>, ParseError> {
    let mut words = Words::new(line);
    match words.peek() {
        None => Ok(None),
        Some((_, b"delete")) => {
            words.next();
            match words.peek() {
                Some(_) => Ok(Some((words, true))),
                None => Err(ParseError::new(words.column(), Reason::DeleteNothing)),
            }
        }
        Some(_) => Ok(Some((words, false))),
    }
}

/// A word as a pattern.
pub(crate) fn pattern(column: u32, word: &[u8], invalid: Reason) -> Result<Pattern, EditError> {
    match Pattern::copy_from(word)? {
        Some(pattern) => Ok(pattern),
        None if crate::name::is_valid_word(word) => {
            Err(ParseError::new(column, Reason::PatternTooLong).into())
        }
        None => Err(ParseError::new(column, invalid).into()),
    }
}

/// The group of a name, created if that is wanted.
pub(crate) fn group<T>(
    table: &mut Table<Group<T>>,
    name: &[u8],
    create: bool,
) -> Result<Option<GroupId>, OutOfMemory>
where
    Group<T>: Part,
{
    match table.find(|group| group.name() == name) {
        Some(slot) => Ok(Some(GroupId(slot))),
        None if create => Ok(Some(GroupId(table.insert(Group::new(name)?)?))),
        None => Ok(None),
    }
}
