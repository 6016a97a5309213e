// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changing the ACL of a domain: entries, and what they share with others.
//!
//! A line that says what an entry says adds its bits to that entry, and `delete` takes them away (reference 4.4.1). Conditions
//! that are equal are one object, and groups know how many name them; both go with their last user.

use crate::acl::AclLine;
use crate::acl_list::encode;
use crate::args::{self, Args};
use crate::condition::Condition;
use crate::domain::DomainId;
use crate::edit::Edit;
use crate::entry;
use crate::group::GroupId;
use crate::mem::{Arc, OutOfMemory, Vec};
use crate::policy::Interned;
use crate::request::Class;
use crate::text;

/// An entry of a domain that a line means.
struct FoundAcl<'l> {
    number: u32,
    bits: u16,
    args: Args<'l, GroupId>,
}

impl Edit {
    /// Adds an ACL, or its bits to the entry that is the same. True if that changed something.
    pub(crate) fn add_acl(&mut self, id: DomainId, line: &AclLine<'_>) -> Result<bool, OutOfMemory> {
        let mut group = |kind, name: &[u8]| self.find_group(kind, name, true);
        let Some(args) = args::resolve(line.args(), &mut group)? else {
            return Ok(false); // Groups are created, so all are there.
        };
        let condition = match line.condition() {
            None => None,
            Some(condition) => Condition::new(&condition, &mut group)?,
        };
        let condition = condition.map(|condition| self.intern(condition)).transpose()?;
        let (class, args) = (line.class(), &args);
        let bits = entry::merge(class, 0, line.bits());
        let record = encode(class, bits, args)?;
        let found = self.policy.domain(id).map(|domain| {
            let place = domain.acl.place(args);
            (place, domain.acl.find(place, &record, condition.as_ref()))
        });
        let added = match found {
            None => Ok(false),
            Some((_, Some((number, old)))) => {
                let new = entry::merge(class, old, bits);
                if new == old {
                    self.forget(condition)?;
                    return Ok(false);
                }
                let changed = self.change_domain(id, |domain| domain.acl.set_bits(number, new));
                return changed.and_then(|_| self.forget(condition)).map(|()| true);
            }
            Some((place, None)) => {
                let shared = condition.clone();
                self.change_domain(id, |domain| domain.acl.add(place, args, &record, shared)).map(|_| true)
            }
        };
        if added == Ok(true) {
            for (kind, group) in args::groups(args) {
                self.use_group(kind, group, true)?;
            }
        } else {
            self.forget(condition)?;
        }
        added
    }

    /// The entry of a class of handlers, if it is one and the domain has one: number and program.
    pub(crate) fn handler(&self, id: DomainId, class: Class) -> Result<Option<(u32, Vec<u8>)>, OutOfMemory> {
        if !matches!(class, Class::ExecuteHandler | Class::DeniedExecuteHandler) {
            return Ok(None);
        }
        let found = self.policy.domain(id).and_then(|domain| domain.acl.handler_entry(class));
        found.map(|(number, program)| Ok((number, text::owned(program)?))).transpose()
    }

    /// At most one handler of a kind is active in a domain: a new one takes the place of the old one (reference 4.4.1).
    pub(crate) fn drop_handler(
        &mut self,
        id: DomainId,
        class: Class,
        number: u32,
        program: &[u8],
    ) -> Result<(), OutOfMemory> {
        let args = Args::Handler(program);
        let record = encode(class, 1, &args)?;
        let condition = self.change_domain(id, |domain| domain.acl.remove(number, &args, &record))?;
        self.forget(condition.flatten())
    }

    /// Whether a domain has all that a line says: nothing would change if it were added.
    pub(crate) fn has_acl(&mut self, id: DomainId, line: &AclLine<'_>) -> Result<bool, OutOfMemory> {
        let class = line.class();
        let found = self.find_acl(id, line)?;
        Ok(found.is_some_and(|found| entry::merge(class, found.bits, line.bits()) == found.bits))
    }

    /// The entry with the arguments and the condition of a line. Creates nothing.
    fn find_acl<'l>(
        &mut self,
        id: DomainId,
        line: &AclLine<'l>,
    ) -> Result<Option<FoundAcl<'l>>, OutOfMemory> {
        let mut group = |kind, name: &[u8]| self.find_group(kind, name, false);
        let Some(args) = args::resolve(line.args(), &mut group)? else {
            return Ok(None);
        };
        let condition = match line.condition() {
            None => None,
            Some(condition) => match Condition::new(&condition, &mut group)? {
                None => return Ok(None),
                Some(condition) => match self.interned(&condition) {
                    None => return Ok(None),
                    shared => shared,
                },
            },
        };
        let record = encode(line.class(), 0, &args)?;
        let found = self
            .policy
            .domain(id)
            .and_then(|domain| domain.acl.find(domain.acl.place(&args), &record, condition.as_ref()));
        Ok(found.map(|(number, bits)| FoundAcl { number, bits, args }))
    }

    /// Takes an ACL away from the entry that is the same.
    pub(crate) fn remove_acl(&mut self, id: DomainId, line: &AclLine<'_>) -> Result<(), OutOfMemory> {
        let class = line.class();
        let Some(FoundAcl { number, bits: old, args }) = self.find_acl(id, line)? else {
            return Ok(());
        };
        let new = entry::separate(class, old, line.bits());
        if new != 0 {
            self.change_domain(id, |domain| domain.acl.set_bits(number, new))?;
            return Ok(());
        }
        let record = encode(class, old, &args)?;
        let condition = self.change_domain(id, |domain| domain.acl.remove(number, &args, &record))?;
        for (kind, group) in args::groups(&args) {
            self.use_group(kind, group, false)?;
        }
        self.forget(condition.flatten())?;
        self.compact(id)
    }

    /// Writes the list of a domain anew when most of it is holes.
    fn compact(&mut self, id: DomainId) -> Result<(), OutOfMemory> {
        if self.policy.domain(id).is_some_and(|domain| domain.acl.is_sparse()) {
            self.change_domain(id, |domain| {
                domain.acl = domain.acl.compact()?;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The shared condition that is equal to this one, if there is one.
    fn interned(&self, condition: &Condition) -> Option<Arc<Condition>> {
        let mut same = self.policy.conditions.get(condition.hash());
        same.find(|interned| *interned.condition == *condition).map(|interned| interned.condition.clone())
    }

    /// The shared condition that is equal to this one, with one more user.
    fn intern(&mut self, condition: Condition) -> Result<Arc<Condition>, OutOfMemory> {
        let hash = condition.hash();
        let is = |interned: &Interned| *interned.condition == condition;
        if let Some(interned) = self.policy.conditions.edit(hash, is)? {
            interned.users = interned.users.saturating_add(1);
            return Ok(interned.condition.clone());
        }
        let bytes = condition.bytes();
        let shared = Arc::new(condition)?;
        self.policy.conditions.insert(hash, Interned { condition: shared.clone(), users: 1 })?;
        self.policy.condition_bytes = self.policy.condition_bytes.saturating_add(bytes);
        for (kind, group) in shared.groups() {
            self.use_group(kind, group, true)?;
        }
        Ok(shared)
    }

    /// A condition has one user less.
    pub(crate) fn forget(&mut self, condition: Option<Arc<Condition>>) -> Result<(), OutOfMemory> {
        let Some(condition) = condition else {
            return Ok(());
        };
        let hash = condition.hash();
        let is = |interned: &Interned| Arc::ptr_eq(&interned.condition, &condition);
        let Some(interned) = self.policy.conditions.edit(hash, is)? else {
            return Ok(());
        };
        interned.users = interned.users.saturating_sub(1);
        if interned.users > 0 {
            return Ok(());
        }
        self.policy.conditions.remove(hash, is)?;
        self.policy.condition_bytes = self.policy.condition_bytes.saturating_sub(condition.bytes());
        for (kind, group) in condition.groups() {
            self.use_group(kind, group, false)?;
        }
        Ok(())
    }
}
