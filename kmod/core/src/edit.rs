// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changing the policy: an edit takes lines and ends in the next snapshot.
//!
//! Each line stands for itself: a bad one changes nothing and is reported, the others take effect (reference 10.1).
//! Inside the edit a look-up sees what the edit changed; nobody else sees anything before [`Edit::commit`].
//!
//! What 1.7 marked as deleted and collected later, is removed at once here: entries, members and rules. So a line that
//! is deleted and written again goes to the end of its list, and never back to its old place (quirk Q26 leaves that
//! open). Domains are marked, because tasks may be in them, and are dropped by [`Edit::collect`].

use crate::acl::AclLine;
use crate::acl_list::AclList;
use crate::args;
use crate::directive;
use crate::domain::{Domain, DomainId};
use crate::manager;
use crate::mem::{Box, OutOfMemory, Vec};
use crate::name::{DomainName, ROOT_DOMAIN};
use crate::policy::Policy;
use crate::select::Select;
use crate::table::Table;
use crate::text::{self, Normal, ParseError, Reason, Sink, Words};
use crate::transition::NextDomain;

/// Why a line was not accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum EditError {
    /// There is no memory for it. A part of the line may have been executed: drop the edit.
    OutOfMemory,
    /// The policy may not become larger ([`Edit::set_quota`]).
    Quota,
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
    /// Prints what is wrong with `policy` and what to do, with the domain and the profile that it is about.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print(&self, policy: &Policy, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        let ActivateError::UndefinedProfile { domain, profile } = *self else {
            return sink.put(self.message().as_bytes());
        };
        sink.put(b"a domain uses a profile that is not defined: ")?;
        sink.put(policy.domain(domain).map_or(&[], Domain::name))?;
        sink.put(b" has ")?;
        text::put_u32(sink, profile.into())?;
        sink.put(b"; write ")?;
        text::put_u32(sink, profile.into())?;
        sink.put(b"-CONFIG=... to profile or give the domain another profile")
    }

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

/// The state of one open domain_policy file.
#[derive(Clone, Copy, Default)]
pub struct Cursor {
    /// The current domain: that of the lines which follow a domain line.
    domain: Option<DomainId>,
    /// `select allow_execute` was written.
    transitions_only: bool,
}

impl Cursor {
    /// The current domain.
    pub const fn domain(&self) -> Option<DomainId> {
        self.domain
    }

    /// Makes a domain the current one, or none.
    pub fn select(&mut self, domain: Option<DomainId>) {
        self.domain = domain;
    }

    /// Whether reading shows only what concerns transitions (reference 10.4).
    pub const fn transitions_only(&self) -> bool {
        self.transitions_only
    }
}

/// A change of the policy in progress.
pub struct Edit {
    pub(crate) policy: Policy,
    /// The domains of a policy that is being replaced, as far as they were not declared again
    /// ([`crate::transaction`]).
    pub(crate) former: Option<Box<Table<Domain>>>,
}

impl Edit {
    pub(crate) const fn new(policy: Policy) -> Self {
        Edit { policy, former: None }
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

    /// Limits the memory of the policy: a line that would make it larger than that is refused. 0: no limit.
    pub fn set_quota(&mut self, bytes: usize) {
        self.policy.quota = bytes;
    }

    /// The memory before a change, for [`Edit::is_over`]; 0 if there is no quota and nobody will ask.
    pub(crate) fn memory_before(&self) -> usize {
        if self.policy.quota == 0 {
            0
        } else {
            self.policy.memory()
        }
    }

    /// Whether the policy is larger than it may be, and than it was.
    pub(crate) fn is_over(&self, before: usize) -> bool {
        if self.policy.quota == 0 {
            return false;
        }
        let now = self.policy.memory();
        now > self.policy.quota && now > before
    }

    /// Executes a line of domain_policy (reference 4.1).
    ///
    /// # Errors
    /// The line is wrong: of the policy nothing changed, and the current domain is none after a domain line, `select` or
    /// `delete` that failed. Or there is no memory for it: drop the edit.
    pub fn domain_policy_line(&mut self, cursor: &mut Cursor, line: &[u8]) -> Result<(), EditError> {
        let normal = Normal::new(line)?;
        self.domain_line(cursor, normal.bytes()).map_err(|error| match error {
            EditError::Parse(error) => EditError::Parse(normal.restore(error)),
            other => other,
        })
    }

    fn domain_line(&mut self, cursor: &mut Cursor, line: &[u8]) -> Result<(), EditError> {
        let mut words = Words::new(line);
        let all = words;
        let Some((_, first)) = words.next() else {
            return Ok(());
        };
        let next_is_domain = || words.peek().is_some_and(|(_, word)| word.starts_with(ROOT_DOMAIN));
        match first {
            _ if first.starts_with(ROOT_DOMAIN) => {
                cursor.domain = None;
                cursor.domain = Some(self.find_or_create(all)?);
                Ok(())
            }
            b"select" => match Select::parse(words) {
                Ok(Select::Transitions) => {
                    cursor.transitions_only = true;
                    Ok(())
                }
                Ok(Select::Domain(name)) => {
                    cursor.domain = self.policy.find_domain(name);
                    Ok(())
                }
                Ok(Select::Pid(_) | Select::GlobalPid(_)) => {
                    cursor.domain = None;
                    let column = words.peek().map_or(words.column(), |(column, _)| column);
                    Err(ParseError::new(column, Reason::SelectTask).into())
                }
                Err(error) => {
                    cursor.domain = None;
                    Err(error.into())
                }
            },
            b"delete" if next_is_domain() => {
                cursor.domain = None;
                self.delete_domain(words)
            }
            b"delete" => {
                if words.peek().is_none() {
                    return Err(ParseError::new(words.column(), Reason::DeleteNothing).into());
                }
                self.domain_body(cursor, words, true)
            }
            _ => self.domain_body(cursor, all, false),
        }
    }

    /// A domain line.
    fn find_or_create(&mut self, words: Words<'_>) -> Result<DomainId, EditError> {
        let name = directive::domain(words)?;
        if let Some(id) = self.policy.find_domain(name) {
            return Ok(id);
        }
        if let Some(id) = self.declare_again(name)? {
            return Ok(id);
        }
        if self.policy.active && self.policy.profile(0).is_none() {
            let column = words.peek().map_or(1, |(column, _)| column);
            return Err(ParseError::new(column, Reason::ProfileZeroUndefined).into());
        }
        let name = DomainName::copy_from(name)?.ok_or(OutOfMemory)?;
        self.insert_domain(name, 0)
    }

    /// Adds a domain, which is not there yet.
    pub(crate) fn insert_domain(&mut self, name: DomainName, profile: u8) -> Result<DomainId, EditError> {
        let before = self.memory_before();
        let serial = self.policy.next_serial;
        let domain = Domain::new(name, serial, profile, self.policy.seed)?;
        let slot = self.policy.domains.insert(domain)?;
        if self.is_over(before) {
            self.policy.domains.remove(slot)?;
            return Err(EditError::Quota);
        }
        self.policy.next_serial = serial.wrapping_add(1);
        Ok(DomainId { slot, serial })
    }

    fn delete_domain(&mut self, words: Words<'_>) -> Result<(), EditError> {
        let column = words.peek().map_or(words.column(), |(column, _)| column);
        let name = directive::domain(words)?;
        if name == ROOT_DOMAIN {
            return Err(ParseError::new(column, Reason::DeleteRoot).into());
        }
        if let Some(id) = self.policy.find_domain(name) {
            self.mark_deleted(id)?;
        }
        Ok(())
    }

    fn mark_deleted(&mut self, id: DomainId) -> Result<(), OutOfMemory> {
        self.policy.domains.unname(id.slot)?;
        self.change_domain(id, |domain| {
            domain.deleted = true;
            Ok(())
        })?;
        self.policy.deleted.insert(id.slot, id.slot)
    }

    /// An attribute or ACL of the current domain.
    fn domain_body(&mut self, cursor: &Cursor, mut words: Words<'_>, delete: bool) -> Result<(), EditError> {
        let all = words;
        let (column, keyword) = words.require(Reason::UnknownAcl)?;
        let current = |edit: &Edit| {
            // A domain that was deleted while tasks are in it can be reached by `select pid=` (reference 10.4).
            cursor
                .domain
                .filter(|id| edit.policy.domain(*id).is_some())
                .ok_or(ParseError::new(column, Reason::NoCurrentDomain))
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
                self.change_domain(id, |domain| {
                    domain.profile = number;
                    Ok(())
                })?;
                Ok(())
            }
            b"quota_exceeded"
            | b"transition_failed"
            | b"ignore_global_allow_read"
            | b"ignore_global_allow_env" => {
                words.finish()?;
                let id = current(self)?;
                self.change_domain(id, |domain| {
                    let flags = &mut domain.flags;
                    *match keyword {
                        b"quota_exceeded" => &mut flags.quota_exceeded,
                        b"transition_failed" => &mut flags.transition_failed,
                        b"ignore_global_allow_read" => &mut flags.ignore_global_allow_read,
                        _ => &mut flags.ignore_global_allow_env,
                    } = !delete;
                    Ok(())
                })?;
                Ok(())
            }
            _ => {
                let line = AclLine::parse_words(all)?;
                let id = current(self)?;
                if delete {
                    return Ok(self.remove_acl(id, &line)?);
                }
                let before = self.memory_before();
                let handler = self.handler(id, line.class())?;
                let added = self.add_acl(id, &line)?;
                if self.is_over(before) {
                    self.remove_acl(id, &line)?;
                    return Err(EditError::Quota);
                }
                match handler {
                    Some((number, program)) if added => {
                        Ok(self.drop_handler(id, line.class(), number, &program)?)
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// Changes a domain.
    pub(crate) fn change_domain<R>(
        &mut self,
        id: DomainId,
        change: impl FnOnce(&mut Domain) -> Result<R, OutOfMemory>,
    ) -> Result<Option<R>, OutOfMemory> {
        if self.policy.domain(id).is_none() {
            return Ok(None);
        }
        self.policy.domains.change(id.slot, change)
    }

    /// Executes a line of profile (reference 7.1). Profiles cannot be deleted.
    ///
    /// A line that is rejected does not create its profile, unlike in 1.7.
    ///
    /// # Errors
    /// The line is wrong: nothing changed. Or there is no memory for it: drop the edit.
    pub fn profile_line(&mut self, line: &[u8]) -> Result<(), EditError> {
        let before = self.memory_before();
        let old = self.policy.profiles.share()?;
        self.policy.profiles.edit()?.line(line)?;
        if self.is_over(before) {
            self.policy.profiles = old;
            return Err(EditError::Quota);
        }
        Ok(())
    }

    /// Executes a line of manager (reference 10.2).
    ///
    /// # Errors
    /// The line is wrong: nothing changed. Or there is no memory for it: drop the edit.
    pub fn manager_line(&mut self, line: &[u8]) -> Result<(), EditError> {
        let normal = Normal::new(line)?;
        self.normal_manager_line(normal.bytes()).map_err(|error| match error {
            EditError::Parse(error) => EditError::Parse(normal.restore(error)),
            other => other,
        })
    }

    fn normal_manager_line(&mut self, line: &[u8]) -> Result<(), EditError> {
        let before = self.memory_before();
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
        if delete {
            self.policy.managers.edit()?.remove(entry.name())?;
        } else if self.policy.managers.edit()?.add(entry.name())? && self.is_over(before) {
            self.policy.managers.edit()?.remove(entry.name())?;
            return Err(EditError::Quota);
        }
        Ok(())
    }

    /// Ends the open time: from the next snapshot on, profiles take effect and only managers may write.
    ///
    /// # Errors
    /// The policy is not complete; it stays inactive.
    pub fn activate(&mut self) -> Result<(), ActivateError> {
        self.policy.check_complete(&|_| true)?;
        self.policy.active = true;
        Ok(())
    }

    /// Creates the domain that a program leads to, with the profile of the caller's domain; or finds it, if it was
    /// created since the caller looked.
    ///
    /// # Errors
    /// Out of memory, over the quota, or the name cannot be that of a domain ([`NextDomain::can_be_created`]).
    pub fn create_domain(&mut self, next: &NextDomain<'_>, profile: u8) -> Result<DomainId, EditError> {
        if let Some(id) = next.find(&self.policy)? {
            return Ok(id);
        }
        if !next.can_be_created() {
            return Err(EditError::OutOfMemory);
        }
        let name = DomainName::new(next.name()?).ok_or(OutOfMemory)?;
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
        self.change_domain(id, |domain| {
            domain.flags.transition_failed = true;
            Ok(())
        })?;
        Ok(true)
    }

    /// Drops deleted domains without tasks, with all that only they used, until that makes so many domains and entries
    /// together. True if there is more to do: so a caller that holds a lock can let others have it in between.
    ///
    /// No task may be on its way into a domain meanwhile ([`Domain::attach`]).
    ///
    /// # Errors
    /// Out of memory; what was not dropped is there for the next time.
    pub fn collect(&mut self, limit: u32) -> Result<bool, OutOfMemory> {
        let mut unused = Vec::new();
        let mut result = Ok(());
        self.policy.deleted.find(&mut |slot| {
            if self.policy.is_unused(*slot) {
                result = unused.push(*slot);
            }
            result.is_err() || unused.len() as u64 > u64::from(limit)
        });
        result?;
        let mut left = limit;
        for slot in unused.into_values() {
            if left == 0 {
                return Ok(true);
            }
            let entries = self.drop_domain(slot)?;
            left = left.saturating_sub(entries).saturating_sub(1);
        }
        Ok(false)
    }

    /// Takes the entries of a domain. A frame of its own, because a list by value takes stack.
    #[inline(never)]
    fn take_acl(&mut self, slot: u32) -> Result<Option<Box<AclList>>, OutOfMemory> {
        let mut acl = Box::new(self.policy.empty_acl())?;
        let taken = self.policy.domains.change(slot, |domain| {
            core::mem::swap(&mut domain.acl, &mut acl);
            Ok::<_, OutOfMemory>(())
        })?;
        Ok(taken.map(|()| acl))
    }

    /// Drops a deleted domain with all that only it used; returns how many entries it had.
    pub(crate) fn drop_domain(&mut self, slot: u32) -> Result<u32, OutOfMemory> {
        let mut entries = 0_u32;
        if let Some(acl) = self.take_acl(slot)? {
            for (args, condition) in acl.owners() {
                entries = entries.saturating_add(1);
                for (kind, group) in args::groups(&args) {
                    self.use_group(kind, group, false)?;
                }
                self.forget(condition)?;
            }
        }
        self.policy.domains.remove(slot)?;
        self.policy.deleted.remove(slot, |deleted| *deleted == slot)?;
        Ok(entries)
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
