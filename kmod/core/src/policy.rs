// SPDX-License-Identifier: MIT OR Apache-2.0
//! The policy: an immutable snapshot of everything that decides.
//!
//! Reference 0.1. There is one policy for the whole system; what changes it is an [`Edit`], which ends in the next
//! snapshot. Snapshots share their parts (each domain, group, rule, profile), so a change costs the changed part and
//! the lists of references.

use core::mem::size_of;

use crate::domain::Domain;
use crate::edit::Edit;
use crate::exception::Rule;
use crate::group::{GroupId, NumberGroup, PathGroup};
use crate::manager::Manager;
use crate::mem::{Arc, OutOfMemory, Vec};
use crate::name::{DomainName, Name, ROOT_DOMAIN};
use crate::profile::Profile;
use crate::table::{self, Table};
use crate::task::Task;

pub use crate::domain::{DomainFlags, DomainId};
pub use crate::edit::Cursor;

/// One snapshot.
pub struct Policy {
    pub(crate) domains: Table<Domain>,
    pub(crate) path_groups: Table<PathGroup>,
    pub(crate) number_groups: Table<NumberGroup>,
    pub(crate) keep: Vec<Arc<Rule>>,
    pub(crate) initialize: Vec<Arc<Rule>>,
    /// By number; as long as the highest defined profile asks for.
    pub(crate) profiles: Vec<Option<Arc<Profile>>>,
    pub(crate) managers: Vec<Arc<Manager>>,
    /// Whether `manage_by_non_root` is on.
    pub(crate) non_root: bool,
    /// Whether `PROFILE_VERSION` was given.
    pub(crate) version_given: bool,
    pub(crate) active: bool,
    generation: u64,
    /// For the next domain.
    pub(crate) next_serial: u32,
}

impl Policy {
    /// The policy of a system that just started: not active, and only the domain `<kernel>` with profile 0, which is
    /// not defined yet.
    ///
    /// # Errors
    /// Out of memory.
    pub fn new() -> Result<Policy, OutOfMemory> {
        let mut domains = Table::new();
        // The name is valid; the error is never seen.
        let name = DomainName::copy_from(ROOT_DOMAIN)?.ok_or(OutOfMemory)?;
        domains.insert(Domain::new(name, DomainId::ROOT.serial, 0)?)?;
        domains.settle();
        Ok(Policy {
            domains,
            path_groups: Table::new(),
            number_groups: Table::new(),
            keep: Vec::new(),
            initialize: Vec::new(),
            profiles: Vec::new(),
            managers: Vec::new(),
            non_root: false,
            version_given: false,
            active: false,
            generation: 0,
            next_serial: DomainId::ROOT.serial.wrapping_add(1),
        })
    }

    /// Starts a change. Copies the lists of references, not the parts.
    ///
    /// # Errors
    /// Out of memory.
    pub fn edit(&self) -> Result<Edit, OutOfMemory> {
        Ok(Edit::new(Policy {
            domains: self.domains.share()?,
            path_groups: self.path_groups.share()?,
            number_groups: self.number_groups.share()?,
            keep: self.keep.try_clone()?,
            initialize: self.initialize.try_clone()?,
            profiles: self.profiles.try_clone()?,
            managers: self.managers.try_clone()?,
            non_root: self.non_root,
            version_given: self.version_given,
            active: self.active,
            generation: self.generation,
            next_serial: self.next_serial,
        }))
    }

    /// The end of a change: this is the next snapshot.
    pub(crate) fn settle(&mut self) {
        self.domains.settle();
        self.path_groups.settle();
        self.number_groups.settle();
        table::trim(&mut self.keep);
        table::trim(&mut self.initialize);
        table::trim(&mut self.profiles);
        table::trim(&mut self.managers);
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

    /// Whether executing a program can lead out of `<kernel>` before activation (reference 6.3).
    pub fn has_initializers(&self) -> bool {
        !self.initialize.is_empty()
    }

    /// The domain of a task; deleted ones too, as long as tasks are in them.
    pub fn domain(&self, id: DomainId) -> Option<&Domain> {
        self.domains.get(id.slot).filter(|domain| domain.identity.serial == id.serial)
    }

    /// The domain of a name, such as `<kernel> /sbin/init`. Deleted domains have no name any more.
    pub fn find_domain(&self, name: &[u8]) -> Option<DomainId> {
        self.find_domain_by(|domain| domain == name)
    }

    /// The domain whose name satisfies `wanted`.
    pub(crate) fn find_domain_by(&self, wanted: impl Fn(&[u8]) -> bool) -> Option<DomainId> {
        self.domains().find(|(_, domain)| !domain.deleted && wanted(domain.name())).map(|(id, _)| id)
    }

    /// All domains, deleted ones too, oldest first.
    pub fn domains(&self) -> impl Iterator<Item = (DomainId, &Domain)> {
        self.domains.iter().map(|(slot, domain)| (DomainId { slot, serial: domain.identity.serial }, domain))
    }

    /// A profile, if it is defined.
    pub fn profile(&self, number: u8) -> Option<&Profile> {
        self.profiles.get(usize::from(number))?.as_deref()
    }

    /// Bytes of memory that the snapshot holds, shared or not: capacities of all containers, without what the
    /// allocator adds.
    pub fn memory(&self) -> usize {
        let lists = [
            size_of::<Policy>(),
            self.domains.memory(),
            self.path_groups.memory(),
            self.number_groups.memory(),
            self.keep.capacity_bytes(),
            self.initialize.capacity_bytes(),
            self.profiles.capacity_bytes(),
            self.managers.capacity_bytes(),
        ];
        let rules = self.keep.iter().chain(self.initialize.iter()).map(|rule| rule.memory());
        let profiles = self.profiles.iter().flatten().map(|profile| profile.memory());
        let managers = self.managers.iter().map(|manager| manager.memory());
        lists.into_iter().chain(rules).chain(profiles).chain(managers).fold(0, usize::saturating_add)
    }

    /// Whether [`Edit::collect`] would find something: deleted domains without tasks, or groups without members that
    /// nothing refers to.
    pub fn has_garbage(&self) -> bool {
        self.unused_domain().is_some()
            || self.unused_path_group().is_some()
            || self.unused_number_group().is_some()
    }

    pub(crate) fn unused_domain(&self) -> Option<u32> {
        self.domains.find(|domain| domain.deleted && domain.users() == 0)
    }

    pub(crate) fn unused_path_group(&self) -> Option<u32> {
        let used = |slot| {
            let id = GroupId(slot);
            self.domains
                .iter()
                .any(|(_, domain)| domain.entries.iter().any(|entry| entry.uses_path_group(id)))
        };
        let mut groups = self.path_groups.iter();
        groups.find(|(slot, group)| group.members().is_empty() && !used(*slot)).map(|(slot, _)| slot)
    }

    pub(crate) fn unused_number_group(&self) -> Option<u32> {
        let used = |slot| {
            let id = GroupId(slot);
            self.domains
                .iter()
                .any(|(_, domain)| domain.entries.iter().any(|entry| entry.uses_number_group(id)))
        };
        let mut groups = self.number_groups.iter();
        groups.find(|(slot, group)| group.members().is_empty() && !used(*slot)).map(|(slot, _)| slot)
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
        self.managers.iter().any(|manager| {
            let name = Some(manager.name());
            name == domain || name == exe
        })
    }
}
