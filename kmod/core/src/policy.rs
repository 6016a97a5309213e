// SPDX-License-Identifier: MIT OR Apache-2.0
//! The policy: an immutable snapshot of everything that decides.
//!
//! Reference 0.1. There is one policy for the whole system; what changes it is an [`Edit`], which ends in the next
//! snapshot. Snapshots share all that did not change, down to pages of a dozen entries ([`crate::link`]), so an edit
//! costs what it changes. The memory of a snapshot is known at any time: each structure counts its own, in exact lengths.

use core::mem::size_of;

use crate::acl_list::AclList;
use crate::address::AddressRange;
use crate::condition::Condition;
use crate::domain::Domain;
use crate::edit::{ActivateError, Edit};
use crate::exceptions::Exceptions;
use crate::group::{self, AddressGroup, GroupId, GroupKind, NumberGroup};
use crate::groups::Groups;
use crate::hash;
use crate::link::{Link, SHARED};
use crate::map::{Map, Value};
use crate::mem::{Arc, OutOfMemory};
use crate::name::{DomainName, Name, ROOT_DOMAIN};
use crate::pattern;
use crate::profile::{Profile, Profiles};
use crate::table::Table;
use crate::task::Task;
use crate::unique::Unique;

pub use crate::domain::{DomainFlags, DomainId};
pub use crate::edit::Cursor;
pub use crate::preference::Preferences;

/// One snapshot.
pub struct Policy {
    pub(crate) seed: u64,
    pub(crate) domains: Table<Domain>,
    /// The slots of the domains that are marked as deleted.
    pub(crate) deleted: Map<u32>,
    pub(crate) conditions: Map<Interned>,
    /// Bytes behind `conditions`.
    pub(crate) condition_bytes: usize,
    pub(crate) groups: Link<Groups>,
    pub(crate) exceptions: Link<Exceptions>,
    pub(crate) profiles: Link<Profiles>,
    /// Names of domains and programs: [`crate::manager`].
    pub(crate) managers: Link<Unique>,
    /// Whether `manage_by_non_root` is on.
    pub(crate) non_root: bool,
    pub(crate) active: bool,
    pub(crate) generation: u64,
    /// For the next domain.
    pub(crate) next_serial: u32,
    /// Bytes that the policy may take; 0: any number.
    pub(crate) quota: usize,
}

/// A condition that entries share.
pub(crate) struct Interned {
    pub(crate) condition: Arc<Condition>,
    /// Entries that have it.
    pub(crate) users: u32,
}

impl Value for Interned {
    fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(Interned { condition: self.condition.clone(), users: self.users })
    }
}

impl Policy {
    /// The policy of a system that just started: not active, and only the domain `<kernel>` with profile 0, which is
    /// not defined yet.
    ///
    /// # Errors
    /// Out of memory.
    pub fn new() -> Result<Policy, OutOfMemory> {
        Policy::with_key(0)
    }

    /// The same with a secret for the index, so that nobody who chooses names can choose where they are looked up.
    ///
    /// # Errors
    /// Out of memory.
    pub fn with_key(key: u64) -> Result<Policy, OutOfMemory> {
        let seed = hash::seed(key);
        let mut domains = Table::new(seed);
        // The name is valid; the error is never seen.
        let name = DomainName::copy_from(ROOT_DOMAIN)?.ok_or(OutOfMemory)?;
        domains.insert(Domain::new(name, DomainId::ROOT.serial, 0, seed)?)?;
        let mut policy = Policy::with_domains(seed, domains)?;
        policy.settle();
        policy.generation = 0;
        Ok(policy)
    }

    /// A policy with these domains, of which none is deleted, and nothing else.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn with_domains(seed: u64, domains: Table<Domain>) -> Result<Policy, OutOfMemory> {
        Ok(Policy {
            seed,
            domains,
            deleted: Map::new(),
            conditions: Map::new(),
            condition_bytes: 0,
            groups: Groups::new(seed)?,
            exceptions: Link::new(Exceptions::new(seed))?,
            profiles: Link::new(Profiles::new())?,
            managers: Link::new(Unique::new(seed))?,
            non_root: false,
            active: false,
            generation: 0,
            next_serial: DomainId::ROOT.serial.wrapping_add(1),
            quota: 0,
        })
    }

    /// Starts a change: shares everything and copies nothing but the roots.
    ///
    /// # Errors
    /// Out of memory.
    pub fn edit(&self) -> Result<Edit, OutOfMemory> {
        Ok(Edit::new(self.share()?))
    }

    pub(crate) fn share(&self) -> Result<Policy, OutOfMemory> {
        Ok(Policy {
            domains: self.domains.share()?,
            deleted: self.deleted.share()?,
            conditions: self.conditions.share()?,
            groups: self.groups.share()?,
            exceptions: self.exceptions.share()?,
            profiles: self.profiles.share()?,
            managers: self.managers.share()?,
            ..*self
        })
    }

    /// The end of a change: this is the next snapshot.
    pub(crate) fn settle(&mut self) {
        self.domains.freeze();
        self.deleted.freeze();
        self.conditions.freeze();
        self.groups.freeze_in_place();
        self.exceptions.freeze_in_place();
        self.managers.freeze_in_place();
        self.profiles.freeze_in_place();
        self.generation = self.generation.wrapping_add(1);
    }

    /// Whether the open time, in which everybody may write policy and nothing is checked, is over.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// Counts the snapshots.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Bytes that the policy may take; 0: any number.
    pub fn quota(&self) -> usize {
        self.quota
    }

    /// Whether executing a program can lead out of `<kernel>` before activation (reference 6.3).
    pub fn has_initializers(&self) -> bool {
        !self.exceptions.get().initialize.is_empty()
    }

    /// The domain of a task; deleted ones too, as long as tasks are in them.
    #[inline]
    pub fn domain(&self, id: DomainId) -> Option<&Domain> {
        self.domains.get(id.slot).filter(|domain| domain.identity.serial == id.serial)
    }

    /// The domain of a name, such as `<kernel> /sbin/init`. Deleted domains have no name any more.
    pub fn find_domain(&self, name: &[u8]) -> Option<DomainId> {
        let slot = self.domains.find(name)?;
        self.domains.get(slot).map(|domain| DomainId { slot, serial: domain.identity.serial })
    }

    /// All domains, deleted ones too, oldest first.
    pub fn domains(&self) -> impl Iterator<Item = (DomainId, &Domain)> {
        self.domains.iter().map(|(slot, domain)| (DomainId { slot, serial: domain.identity.serial }, domain))
    }

    /// A profile, if it is defined.
    #[inline]
    pub fn profile(&self, number: u8) -> Option<&Profile> {
        self.profiles.get().get(number)
    }

    /// The preferences that are in effect for a profile (reference 7.5); before activation the default ones.
    pub fn preferences(&self, number: u8) -> Preferences {
        if self.active {
            self.profiles.get().preferences(number)
        } else {
            Preferences::DEFAULT
        }
    }

    /// A number group.
    #[inline]
    pub fn number_group(&self, id: GroupId) -> Option<&NumberGroup> {
        self.groups.get().numbers.get(id.0)
    }

    pub(crate) fn address_group(&self, id: GroupId) -> Option<&AddressGroup> {
        self.groups.get().addresses.get(id.0)
    }

    /// The members of an address group, in order.
    pub fn address_group_members(&self, id: GroupId) -> impl Iterator<Item = AddressRange> + '_ {
        self.address_group(id).into_iter().flat_map(|group| group.members().iter())
    }

    /// The members of a path group, in order.
    pub fn path_group_members(&self, id: GroupId) -> impl Iterator<Item = &[u8]> {
        let numbers = self.groups.get().paths.get(id.0).into_iter().flat_map(|group| group.members.iter());
        numbers.filter_map(|number| self.path_member(number)).map(|(_, word)| word)
    }

    /// The group and the word of a member.
    pub(crate) fn path_member(&self, number: u32) -> Option<(GroupId, &[u8])> {
        group::path_member(&self.groups.get().path_members.get().records, number)
    }

    /// The name of a group, without `@`; empty if there is no such group.
    pub fn group_name(&self, kind: GroupKind, id: GroupId) -> &[u8] {
        match kind {
            GroupKind::Path => self.groups.get().paths.get(id.0).map_or(&[], |group| group.name()),
            GroupKind::Number => self.groups.get().numbers.get(id.0).map_or(&[], |group| group.name()),
            GroupKind::Address => self.groups.get().addresses.get(id.0).map_or(&[], |group| group.name()),
        }
    }

    /// Shows the groups of which a member matches, until `visit` returns true; one may be shown several times.
    pub(crate) fn groups_of(&self, name: Name<'_>, wildcards: bool, visit: &mut dyn FnMut(GroupId) -> bool) {
        self.groups.get().path_members.get().index.any(name, wildcards, &mut |number| {
            let member = self.path_member(number).filter(|(_, word)| pattern::matches_word(name, word));
            member.is_some_and(|(id, _)| visit(id))
        });
    }

    /// Whether a member of a path group matches; members with wildcards count only if `wildcards` is set (reference 2.6).
    pub fn path_group_matches(&self, id: GroupId, name: Name<'_>, wildcards: bool) -> bool {
        self.groups.get().path_members.get().index.any(name, wildcards, &mut |number| {
            let member = self.path_member(number).filter(|(group, _)| *group == id);
            member.is_some_and(|(_, word)| pattern::matches_word(name, word))
        })
    }

    /// Whether `deny_rewrite` protects a file (reference 3.7).
    pub fn is_rewrite_denied(&self, name: Name<'_>) -> bool {
        self.exceptions.get().rewrites.any(name)
    }

    /// What a program is called for transitions: the second word of the first `aggregator` line that matches (reference
    /// 3.3), or the name itself.
    pub fn aggregate<'a>(&'a self, program: Name<'a>) -> Name<'a> {
        match self.exceptions.get().aggregators.first(program) {
            Some((_, Some(aggregated))) => Name::new(aggregated).unwrap_or(program),
            _ => program,
        }
    }

    /// The word that learning writes in place of a name (reference 3.6): the first `file_pattern` that matches and does
    /// not end in `/\*`, else the last one that does; else the name itself.
    pub fn file_pattern<'a>(&'a self, name: Name<'a>) -> &'a [u8] {
        let (mut first, mut last) = (None, None);
        self.exceptions.get().file_patterns.matching(name, &mut |number, word| {
            if !word.ends_with(br"/\*") {
                first = Some(first.map_or(number, |least: u32| least.min(number)));
            } else {
                last = Some(last.map_or(number, |greatest: u32| greatest.max(number)));
            }
            false
        });
        let word = first.or(last).and_then(|number| self.exceptions.get().file_patterns.word(number));
        word.unwrap_or(name.as_bytes())
    }

    /// Whether the kernel must not choose a port by itself (reference 3.9).
    pub fn is_autobind_denied(&self, port: u16) -> bool {
        self.exceptions.get().autobind.contains(port)
    }

    /// The global `allow_read` words, in order.
    pub fn global_reads(&self) -> impl Iterator<Item = &[u8]> {
        self.exceptions.get().global_reads.iter().map(|(word, _)| word)
    }

    /// The global `allow_env` words, in order.
    pub fn global_envs(&self) -> impl Iterator<Item = &[u8]> {
        self.exceptions.get().global_envs.iter().map(|(word, _)| word)
    }

    /// The `file_pattern` words, in order.
    pub fn file_patterns(&self) -> impl Iterator<Item = &[u8]> {
        self.exceptions.get().file_patterns.iter().map(|(word, _)| word)
    }

    /// The `deny_rewrite` words, in order.
    pub fn rewrite_patterns(&self) -> impl Iterator<Item = &[u8]> {
        self.exceptions.get().rewrites.iter().map(|(word, _)| word)
    }

    /// The `aggregator` lines, in order.
    pub fn aggregators(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.exceptions.get().aggregators.iter().filter_map(|(first, second)| Some((first, second?)))
    }

    /// The transition rules, in order: those of `keep_domain` first.
    pub fn transition_rules(&self) -> impl Iterator<Item = crate::directive::Directive<'_>> {
        self.exceptions.get().keep.iter().chain(self.exceptions.get().initialize.iter())
    }

    /// The ports that the kernel must not choose, in order.
    pub fn autobind_ranges(&self) -> impl Iterator<Item = [u16; 2]> + '_ {
        self.exceptions.get().autobind.iter()
    }

    /// Whether nothing was written to these ports since another snapshot. Costs nothing, however many there are.
    pub fn has_autobind_of(&self, other: &Policy) -> bool {
        self.exceptions.get().autobind.is_same(&other.exceptions.get().autobind)
    }

    /// Bytes of memory that the snapshot takes, shared or not, in exact lengths and without what the allocator adds.
    pub fn memory(&self) -> usize {
        [
            size_of::<Policy>(),
            self.domains.bytes(),
            self.deleted.bytes(),
            self.conditions.bytes(),
            self.condition_bytes,
            self.groups.get().bytes(),
            self.exceptions.get().bytes(),
            SHARED,
            size_of::<Profiles>(),
            SHARED,
            SHARED,
            size_of::<Unique>(),
            self.managers.get().bytes(),
            self.profiles.get().bytes(),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    /// Whether the policy can be active: profiles were written, and each domain that counts has one of them.
    ///
    /// # Errors
    /// What is missing first.
    pub(crate) fn check_complete(&self, counts: &dyn Fn(&Domain) -> bool) -> Result<(), ActivateError> {
        if !self.profiles.get().version_given() {
            return Err(ActivateError::NoVersion);
        }
        let undefined = |domain: &Domain| counts(domain) && self.profile(domain.profile).is_none();
        match self.domains().find(|(_, domain)| undefined(domain)) {
            Some((id, domain)) => {
                Err(ActivateError::UndefinedProfile { domain: id, profile: domain.profile })
            }
            None => Ok(()),
        }
    }

    /// Whether [`Edit::collect`] would find something: deleted domains without tasks. Only deleted domains are looked at,
    /// so this takes time for those of them that tasks are in.
    pub fn has_garbage(&self) -> bool {
        self.deleted.find(&mut |slot| self.is_unused(*slot)).is_some()
    }

    /// Whether a deleted domain has no tasks.
    pub(crate) fn is_unused(&self, slot: u32) -> bool {
        self.domains.get(slot).is_some_and(|domain| domain.users() == 0)
    }

    /// An empty list of entries.
    pub(crate) const fn empty_acl(&self) -> AclList {
        AclList::new(self.seed)
    }

    /// Whether a task may write policy (reference 10.2, without the flag that a task keeps until its next execve).
    ///
    /// `exe` is the name of the task's program file. Before activation everybody may.
    pub fn is_manager(&self, domain: DomainId, task: &Task, exe: Option<Name<'_>>) -> bool {
        if !self.active {
            return true;
        }
        if !self.non_root && (task.uid != 0 || task.euid != 0) {
            return false;
        }
        let domain = self.domain(domain).map(Domain::name);
        let exe = exe.map(Name::as_bytes);
        domain.into_iter().chain(exe).any(|name| self.managers.get().find(name).is_some())
    }
}
