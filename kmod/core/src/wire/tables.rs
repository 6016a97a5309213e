// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the entries of an image refer to, and how often: counted while they are read, written down at the end.

use super::codec::Reader;
use super::flaw::Flaw;
use crate::condition::Condition;
use crate::edit::Edit;
use crate::group::{GroupId, GroupKind};
use crate::mem::{Arc, OutOfMemory, Vec};
use crate::policy::Interned;
use crate::request::Class;

/// What entries refer to, and how often.
pub(crate) struct Tables {
    /// In the order of the image.
    pub(crate) conditions: Vec<Shared>,
    /// How many of the conditions an entry has: they stand in the order in which entries first have them.
    pub(crate) used: u32,
    /// How often each group is mentioned, by kind.
    mentions: [Vec<u32>; 3],
    /// The bits that there are, by class.
    pub(crate) bits: [u16; 11],
}

/// A condition.
pub(crate) struct Shared {
    pub(crate) condition: Arc<Condition>,
    pub(crate) hash: u32,
    /// Entries that have it.
    pub(crate) users: u32,
}

impl Tables {
    pub(crate) fn new(groups: [usize; 3]) -> Result<Tables, OutOfMemory> {
        let mut mentions = [Vec::new(), Vec::new(), Vec::new()];
        for (list, count) in mentions.iter_mut().zip(groups) {
            *list = Vec::with_capacity(count)?;
            for _ in 0..count {
                list.push(0)?;
            }
        }
        let mut bits = [0; 11];
        for (mask, number) in bits.iter_mut().zip(0..) {
            if let Some(class) = Class::from_u8(number) {
                *mask = class.operations().fold(0, |mask, operation| mask | operation.bit());
            }
        }
        Ok(Tables { conditions: Vec::new(), used: 0, mentions, bits })
    }

    pub(crate) fn mention(&mut self, kind: GroupKind, number: u32) -> Result<GroupId, Flaw> {
        let count = self.mentions.get_mut(kind as usize).and_then(|list| list.get_mut(number as usize));
        let count = count.ok_or(Flaw::Reference)?;
        *count = count.saturating_add(1);
        Ok(GroupId(number))
    }

    pub(crate) fn group(&mut self, reader: &mut Reader<'_>, kind: GroupKind) -> Result<GroupId, Flaw> {
        let number = reader.u32()?;
        self.mention(kind, number)
    }

    /// Writes down what was counted.
    pub(crate) fn count_users(self, edit: &mut Edit) -> Result<(), Flaw> {
        for shared in self.conditions.into_values() {
            if shared.users == 0 {
                return Err(Flaw::Unused);
            }
            let is = |interned: &Interned| Arc::ptr_eq(&interned.condition, &shared.condition);
            if let Some(interned) = edit.policy.conditions.edit(shared.hash, is)? {
                interned.users = shared.users;
            }
        }
        let [paths, numbers, addresses] = &self.mentions;
        let policy = &mut edit.policy;
        for (slot, users) in (0..u32::MAX).zip(paths) {
            let unused = policy.groups.edit()?.paths.change(slot, |group| {
                group.users = *users;
                Ok::<_, OutOfMemory>(group.is_unused())
            })?;
            used(unused)?;
        }
        for (slot, users) in (0..u32::MAX).zip(numbers) {
            let unused = policy.groups.edit()?.numbers.change(slot, |group| {
                group.users = *users;
                Ok::<_, OutOfMemory>(group.is_unused())
            })?;
            used(unused)?;
        }
        for (slot, users) in (0..u32::MAX).zip(addresses) {
            let unused = policy.groups.edit()?.addresses.change(slot, |group| {
                group.users = *users;
                Ok::<_, OutOfMemory>(group.is_unused())
            })?;
            used(unused)?;
        }
        Ok(())
    }
}

fn used(unused: Option<bool>) -> Result<(), Flaw> {
    match unused {
        Some(false) => Ok(()),
        _ => Err(Flaw::Unused),
    }
}
