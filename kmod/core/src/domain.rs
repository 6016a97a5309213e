// SPDX-License-Identifier: MIT OR Apache-2.0
//! A domain: its name, profile, flags and ACL, and how many tasks are in it.
//!
//! Reference 4.1-4.3. The list of entries belongs to one snapshot; the identity (name and number of users) is shared by
//! all snapshots of the domain, so that a task that entered the domain under an older snapshot is counted. The entries
//! themselves, and how they are found, are in [`crate::acl_list`].

use core::sync::atomic::{AtomicU32, Ordering};

use core::mem::size_of;

use crate::acl_list::AclList;
use crate::entry::Entry;
use crate::link::{Node, SHARED};
use crate::mem::{Arc, OutOfMemory};
use crate::name::DomainName;
use crate::request::Class;
use crate::table::Part;

pub use crate::acl_list::EntryId;

/// Names a domain of a policy, also in later snapshots. A number of a domain that is gone is never used for
/// another one: the slot is, with a new serial number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DomainId {
    pub(crate) slot: u32,
    pub(crate) serial: u32,
}

impl DomainId {
    /// `<kernel>`, where every task starts.
    pub const ROOT: DomainId = DomainId { slot: 0, serial: 0 };

    /// As one number, for a task's security blob. [`DomainId::ROOT`] is 0.
    pub const fn to_bits(self) -> u64 {
        (self.serial as u64) << 32 | self.slot as u64
    }

    /// The reverse of [`DomainId::to_bits`].
    pub const fn from_bits(bits: u64) -> Self {
        DomainId { slot: bits as u32, serial: (bits >> 32) as u32 }
    }
}

/// Flags of a domain that print as attribute lines (reference 4.2).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct DomainFlags {
    /// Learning stopped because the domain has as many entries as it may have.
    pub quota_exceeded: bool,
    /// A transition out of this domain failed.
    pub transition_failed: bool,
    /// The global `allow_read` lines do not count here.
    pub ignore_global_allow_read: bool,
    /// The global `allow_env` lines do not count here.
    pub ignore_global_allow_env: bool,
}

/// What all snapshots of a domain have in common.
pub(crate) struct DomainIdentity {
    pub(crate) name: DomainName,
    pub(crate) serial: u32,
    users: AtomicU32,
}

/// A domain in one snapshot of the policy.
pub struct Domain {
    pub(crate) identity: Arc<DomainIdentity>,
    pub(crate) profile: u8,
    pub(crate) flags: DomainFlags,
    pub(crate) deleted: bool,
    pub(crate) acl: AclList,
}

impl Domain {
    pub(crate) fn new(name: DomainName, serial: u32, profile: u8, seed: u64) -> Result<Self, OutOfMemory> {
        Ok(Domain {
            identity: Arc::new(DomainIdentity { name, serial, users: AtomicU32::new(0) })?,
            profile,
            flags: DomainFlags::default(),
            deleted: false,
            acl: AclList::new(seed),
        })
    }

    /// The name, such as `<kernel> /sbin/init`.
    pub fn name(&self) -> &[u8] {
        self.identity.name.as_bytes()
    }

    /// The last word of the name.
    pub fn last_word(&self) -> &[u8] {
        self.identity.name.last_word()
    }

    /// Number of the profile.
    pub const fn profile(&self) -> u8 {
        self.profile
    }

    /// The flags that print as attributes.
    pub const fn flags(&self) -> DomainFlags {
        self.flags
    }

    /// Whether the domain was deleted. Tasks in it stay, with its ACL; no task can enter it any more.
    pub const fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// The entries in list order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.acl.iter().map(|(_, entry)| entry)
    }

    /// The entries in list order, with what a decision calls them ([`crate::engine::Decision::entry`]).
    pub fn numbered_entries(&self) -> impl Iterator<Item = (EntryId, Entry<'_>)> {
        self.acl.iter()
    }

    /// A number that stands for what an entry says: arguments and condition. It is the same in all snapshots in which the
    /// domain has such an entry, also if it was deleted and written again, or written by a transaction that replaced
    /// the policy, as long as the groups that it names were not dropped in between. Its operations do not count, because
    /// they come and go without making another entry of it. Two entries have the same key as rarely as two random numbers
    /// of 64 bits are the same.
    pub fn entry_key(&self, id: EntryId) -> Option<u64> {
        self.acl.key(id)
    }

    /// The program of a handler (reference 6.7): `class` is that of one of the two kinds.
    pub fn handler(&self, class: Class) -> Option<&[u8]> {
        self.acl.handler_entry(class).map(|(_, program)| program)
    }

    /// Number of permissions as the learning quota counts them: operation bits of all entries, where read/write is
    /// one and handlers are none (reference 8.4).
    pub const fn acl_count(&self) -> u32 {
        self.acl.count()
    }

    /// Counts one more task in the domain.
    ///
    /// A domain may be deleted and collected between the look-up of its number and this call. Attach under the lock
    /// of the writers, or look the number up again in the newest policy afterwards.
    pub fn attach(&self) {
        // As with every reference count, nothing is ordered by gaining a user.
        self.identity.users.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one task less. True if it was the last one and this snapshot says that the domain is deleted: then
    /// [`crate::edit::Edit::collect`] has something to do.
    pub fn detach(&self) -> bool {
        self.identity.users.fetch_sub(1, Ordering::AcqRel) == 1 && self.deleted
    }

    /// Number of tasks in the domain.
    pub fn users(&self) -> u32 {
        self.identity.users.load(Ordering::Acquire)
    }
}

impl Part for Domain {
    /// The name of a deleted domain is free for another one.
    fn name(&self) -> Option<&[u8]> {
        if self.deleted {
            None
        } else {
            Some(self.identity.name.as_bytes())
        }
    }

    fn bytes(&self) -> usize {
        size_of::<(Domain, DomainIdentity)>()
            .saturating_add(SHARED)
            .saturating_add(SHARED)
            .saturating_add(self.identity.name.as_bytes().len())
            .saturating_add(self.acl.bytes())
    }
}

impl Node for Domain {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Domain {
            identity: self.identity.clone(),
            profile: self.profile,
            flags: self.flags,
            deleted: self.deleted,
            acl: self.acl.share()?,
        })
    }

    fn freeze(&mut self) {
        self.acl.freeze();
    }
}
