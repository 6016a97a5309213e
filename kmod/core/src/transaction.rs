// SPDX-License-Identifier: MIT OR Apache-2.0
//! Transactions: a whole policy is checked and then published at once, or not at all; and the way back.
//!
//! An [`Edit`] takes what is good and reports the rest, as a file of 1.7 did (reference 10.1). Who replaces a policy wants
//! all of it or nothing: a [`Transaction`] remembers the first line that was refused, and then there is no next snapshot.
//! It may name a profile before it defines it, because only the whole must be right. As a snapshot is immutable,
//! nothing must be undone when a transaction fails.
//!
//! # Domains stay
//!
//! Tasks are in domains, so replacing a policy does not forget them: all are marked as deleted, without entries, and
//! a line of the new text that declares one finds the same slot, serial number and count of tasks. It also keeps its place
//! in the list. What is not declared again goes with [`Edit::collect`] when no task is in it and no reader of the
//! old snapshot can still enter it; nobody but the collector knows that.
//!
//! A task in a domain without entries may do what the domain's profile, as it is now, lets it do without a line; if the
//! profile is not defined any more, nothing. So it fails closed wherever the policy enforces.

use crate::acl_list::AclList;
use crate::domain::{Domain, DomainFlags, DomainId};
use crate::edit::{ActivateError, Cursor, Edit, EditError};
use crate::map::Map;
use crate::mem::{Arc, Box, OutOfMemory, Vec};
use crate::name::DomainName;
use crate::policy::Policy;
use crate::table::Table;
use crate::text::Sink;

/// What a transaction starts from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The lines change what is there.
    Change,
    /// The lines are the whole policy: what they do not say is gone.
    Replace,
}

/// The file that a line belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PolicyFile {
    /// `domain_policy`
    Domain,
    /// `exception_policy`
    Exception,
    /// `profile`
    Profile,
    /// `manager`
    Manager,
}

impl PolicyFile {
    /// The name of the file.
    pub const fn name(self) -> &'static str {
        match self {
            PolicyFile::Domain => "domain_policy",
            PolicyFile::Exception => "exception_policy",
            PolicyFile::Profile => "profile",
            PolicyFile::Manager => "manager",
        }
    }
}

/// The first line of a transaction that was refused, and how many were.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The file of the line.
    pub file: PolicyFile,
    /// The number of the line, from 1, among all lines of the transaction.
    pub line: u32,
    /// What is wrong with it.
    pub error: EditError,
    /// Lines that were refused.
    pub count: u32,
    /// Lines of the transaction.
    pub lines: u32,
}

/// Why there is no next snapshot. The policy is what it was.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TransactionError {
    /// There is no memory for it.
    OutOfMemory,
    /// The policy would be larger than its quota, and than it is.
    Quota,
    /// A line was refused.
    Refused(Refused),
    /// The policy is active and would not be complete.
    Incomplete(ActivateError),
    /// The snapshot to be restored is one of another policy.
    Foreign,
}

impl TransactionError {
    /// What is wrong and what to do, one line without full stop.
    pub const fn message(&self) -> &'static str {
        match self {
            TransactionError::OutOfMemory => "out of memory; the policy is unchanged",
            TransactionError::Quota => {
                "the policy would be larger than its memory quota and is unchanged; raise the quota or delete lines"
            }
            TransactionError::Refused(_) => {
                "a line is not accepted and the policy is unchanged; correct the line and write everything again"
            }
            TransactionError::Incomplete(ActivateError::NoVersion) => {
                "an active policy needs profiles and is unchanged; write PROFILE_VERSION=20090903 to profile too"
            }
            TransactionError::Incomplete(ActivateError::UndefinedProfile { .. }) => {
                "a domain would use a profile that is not defined and the policy is unchanged; define the profile too"
            }
            TransactionError::Foreign => "this is no earlier state of this policy",
        }
    }
}

impl From<OutOfMemory> for TransactionError {
    fn from(_: OutOfMemory) -> Self {
        TransactionError::OutOfMemory
    }
}

impl From<ActivateError> for TransactionError {
    fn from(error: ActivateError) -> Self {
        TransactionError::Incomplete(error)
    }
}

/// A change of the policy that happens as a whole.
pub struct Transaction {
    /// Not active meanwhile, so that lines may come in any order.
    edit: Edit,
    active: bool,
    /// Bytes of the policy that is to be followed.
    before: usize,
    lines: u32,
    refused: Option<Refused>,
}

impl Transaction {
    /// Starts a transaction. Nobody sees anything of it before [`Transaction::commit`].
    ///
    /// # Errors
    /// Out of memory.
    pub fn begin(policy: &Policy, scope: Scope) -> Result<Transaction, OutOfMemory> {
        let mut edit = match scope {
            Scope::Change => policy.edit()?,
            Scope::Replace => Edit { former: Some(former(policy)?), policy: emptied(policy)? },
        };
        edit.policy.active = false;
        Ok(Transaction { edit, active: policy.active, before: policy.memory(), lines: 0, refused: None })
    }

    /// Executes a line. `cursor` is the state of an open domain_policy; the other files leave it alone.
    ///
    /// # Errors
    /// The line is wrong, or there is no memory for it: then [`Transaction::commit`] will fail. Further lines are
    /// looked at all the same, so that all mistakes can be reported at once.
    pub fn line(&mut self, file: PolicyFile, cursor: &mut Cursor, line: &[u8]) -> Result<(), EditError> {
        self.lines = self.lines.saturating_add(1);
        let result = match file {
            PolicyFile::Domain => self.edit.domain_policy_line(cursor, line),
            PolicyFile::Exception => self.edit.exception_policy_line(line),
            PolicyFile::Profile => self.edit.profile_line(line),
            PolicyFile::Manager => self.edit.manager_line(line),
        };
        if let Err(error) = result {
            let first = Refused { file, line: self.lines, error, count: 0, lines: 0 };
            let refused = self.refused.get_or_insert(first);
            refused.count = refused.count.saturating_add(1);
        }
        result
    }

    /// Prints which domain would use a profile that is not defined; false if none does. [`Transaction::commit`] refuses it
    /// without the name, which belongs to a policy that there will never be.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print_undefined_profile(&self, sink: &mut dyn Sink) -> Result<bool, OutOfMemory> {
        match self.edit.policy.check_complete(&is_kept) {
            Err(error @ ActivateError::UndefinedProfile { .. }) if self.active => {
                error.print(&self.edit.policy, sink).map(|()| true)
            }
            _ => Ok(false),
        }
    }

    /// Ends the transaction: the next snapshot.
    ///
    /// # Errors
    /// A line was refused, the policy would be larger than it may be, or it is active and would not be complete.
    pub fn commit(self) -> Result<Policy, TransactionError> {
        if let Some(refused) = self.refused {
            return Err(TransactionError::Refused(Refused { lines: self.lines, ..refused }));
        }
        let mut edit = self.edit;
        edit.policy.active = self.active;
        finish(edit, self.before)
    }
}

impl Policy {
    /// The snapshot that follows this one and says what `previous`, an earlier one, said: all four files print the same,
    /// and the same is decided. Active or not, and the quota, are as they are now.
    ///
    /// Domains that are in both keep their tasks. One that is now and was not then is marked as deleted, without
    /// entries, because tasks may be in it. One that was then and is gone comes back, under its old number unless its
    /// slot is in use now; then under a new one and at the end of the list, with those that stood behind it and are gone
    /// too, so that the order is the old one. A number never names another domain.
    ///
    /// # Errors
    /// Out of memory; the policy would be larger than it may be now, and than it is; it is active and `previous` is
    /// not complete; or `previous` does not belong to this policy.
    pub fn restore(&self, previous: &Policy) -> Result<Policy, TransactionError> {
        let root = self.domain(DomainId::ROOT);
        if !root.is_some_and(|root| is_in(previous, DomainId::ROOT.slot, root)) {
            return Err(TransactionError::Foreign);
        }
        let mut edit = previous.edit()?;
        edit.policy.active = self.active;
        edit.policy.quota = self.quota;
        edit.policy.generation = self.generation.max(previous.generation);
        edit.policy.next_serial = self.next_serial.max(previous.next_serial);
        let moved = self.take_out(previous, &mut edit)?;
        self.bury(previous, &mut edit)?;
        for domain in moved.into_values() {
            edit.policy.domains.insert(domain)?;
        }
        let mut deleted = Map::new();
        for (id, _) in edit.policy.domains().filter(|(_, domain)| domain.deleted) {
            deleted.insert(id.slot, id.slot)?;
        }
        edit.policy.deleted = deleted;
        finish(edit, self.memory())
    }

    /// Takes out the domains that are gone now. Returned are those that come back under another number.
    #[inline(never)] // A domain by value takes stack.
    fn take_out(&self, previous: &Policy, edit: &mut Edit) -> Result<Vec<Domain>, OutOfMemory> {
        let mut moved = Vec::new();
        for (id, domain) in previous.domains() {
            if is_in(self, id.slot, domain) {
                continue;
            }
            if domain.deleted {
                // No task is in it, or it would not be gone.
                edit.drop_domain(id.slot)?;
            } else if !moved.is_empty() || self.domains.get(id.slot).is_some() {
                let serial = edit.policy.next_serial;
                edit.policy.next_serial = serial.wrapping_add(1);
                renew(domain, serial, &mut moved)?;
                edit.policy.domains.remove(id.slot)?;
            }
        }
        Ok(moved)
    }

    /// Puts the domains that are now and were not then in, as deleted ones.
    #[inline(never)]
    fn bury(&self, previous: &Policy, edit: &mut Edit) -> Result<(), OutOfMemory> {
        for (id, domain) in self.domains() {
            if !is_in(previous, id.slot, domain) {
                let empty = self.empty_acl();
                edit.policy.domains.insert_at(id.slot, bare(domain, domain.profile, true, empty))?;
            }
        }
        Ok(())
    }
}

/// Whether the domain is in that slot of that policy.
fn is_in(policy: &Policy, slot: u32, domain: &Domain) -> bool {
    policy.domains.get(slot).is_some_and(|there| Arc::ptr_eq(&there.identity, &domain.identity))
}

/// A domain that nobody declared must not keep others from having a policy: its tasks are denied everything.
fn is_kept(domain: &Domain) -> bool {
    !domain.deleted
}

/// The end of everything that happens as a whole.
fn finish(edit: Edit, before: usize) -> Result<Policy, TransactionError> {
    if edit.policy.active {
        edit.policy.check_complete(&is_kept)?;
    }
    let policy = edit.commit();
    if policy.quota != 0 && policy.memory() > policy.quota.max(before) {
        return Err(TransactionError::Quota);
    }
    Ok(policy)
}

/// The domains of a policy. A frame of its own, like those around it: what takes stack is not beside something else that does.
#[inline(never)]
fn former(policy: &Policy) -> Result<Box<Table<Domain>>, OutOfMemory> {
    Box::new(policy.domains.share()?)
}

/// The policy without anything in it but its domains, all but `<kernel>` marked as deleted.
#[inline(never)]
fn emptied(policy: &Policy) -> Result<Policy, OutOfMemory> {
    let seed = policy.seed;
    let mut domains = Table::new(seed);
    let mut deleted = Map::new();
    for (id, domain) in policy.domains() {
        let gone = id != DomainId::ROOT;
        let profile = if gone { domain.profile } else { 0 };
        domains.insert_at(id.slot, bare(domain, profile, gone, policy.empty_acl()))?;
        if gone {
            deleted.insert(id.slot, id.slot)?;
        }
    }
    Ok(Policy {
        deleted,
        active: policy.active,
        generation: policy.generation,
        next_serial: policy.next_serial,
        quota: policy.quota,
        ..Policy::with_domains(seed, domains)?
    })
}

/// The domain, with its tasks and nothing else.
fn bare(domain: &Domain, profile: u8, deleted: bool, acl: AclList) -> Domain {
    Domain { identity: domain.identity.clone(), profile, flags: DomainFlags::default(), deleted, acl }
}

/// The domain under another number, without tasks.
#[inline(never)]
fn renew(domain: &Domain, serial: u32, renewed: &mut Vec<Domain>) -> Result<(), OutOfMemory> {
    let name = DomainName::copy_from(domain.name())?.ok_or(OutOfMemory)?; // It is one already.
    let mut new = Domain::new(name, serial, domain.profile, 0)?;
    new.flags = domain.flags;
    new.acl = domain.acl.share()?;
    renewed.push(new)
}

impl Edit {
    /// The domain of the policy that is being replaced which has this name, if it was not declared yet: with its tasks, but
    /// otherwise new. Only once, because after a `delete` in the same text a domain line means another domain.
    pub(crate) fn declare_again(&mut self, name: &[u8]) -> Result<Option<DomainId>, EditError> {
        let Some(former) = self.former.as_mut() else {
            return Ok(None);
        };
        let Some(slot) = former.find(name) else {
            return Ok(None);
        };
        former.unname(slot)?;
        let before = self.memory_before();
        let serial = self.policy.domains.change(slot, |domain| {
            domain.deleted = false;
            domain.profile = 0;
            Ok::<_, OutOfMemory>(domain.identity.serial)
        })?;
        self.policy.domains.name(slot)?;
        self.policy.deleted.remove(slot, |deleted| *deleted == slot)?;
        if self.is_over(before) {
            // The transaction fails because of this, so nothing must be put back.
            return Err(EditError::Quota);
        }
        Ok(serial.map(|serial| DomainId { slot, serial }))
    }
}
