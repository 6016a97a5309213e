// SPDX-License-Identifier: MIT OR Apache-2.0
//! Named groups of paths and of numbers.
//!
//! Reference 3.8. A group comes into existence by its first mention, as a member line or as `@GROUP`; without members
//! it matches nothing. Entries refer to it by number, so a new member takes effect in all of them at once.

use crate::mem::{Arc, OutOfMemory, Vec};
use crate::name::Name;
use crate::number::NumberRange;
use crate::pattern::{self, Pattern};
use crate::table::{self, Part};
use crate::text;

/// The slot of a group in the policy's table of path groups or of number groups.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupId(pub(crate) u32);

/// A name with members.
pub(crate) struct Group<T> {
    name: Arc<Vec<u8>>,
    members: Vec<T>,
}

/// A group of patterns.
pub(crate) type PathGroup = Group<Arc<Pattern>>;
/// A group of numbers and ranges.
pub(crate) type NumberGroup = Group<NumberRange>;

impl<T> Group<T> {
    pub(crate) fn new(name: &[u8]) -> Result<Self, OutOfMemory> {
        Ok(Group { name: Arc::new(text::owned(name)?)?, members: Vec::new() })
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    pub(crate) fn members(&self) -> &[T] {
        &self.members
    }

    pub(crate) fn add(&mut self, member: T) -> Result<(), OutOfMemory> {
        self.members.push(member)
    }

    pub(crate) fn remove(&mut self, position: usize) {
        self.members.remove(position);
    }
}

impl PathGroup {
    /// Whether a member matches; members with wildcards count only if `wildcards` is set (reference 2.6).
    pub(crate) fn matches(&self, name: Name<'_>, wildcards: bool) -> bool {
        self.members.iter().any(|member| matches_word(name, member, wildcards))
    }
}

/// Whether `pattern` matches; if it has wildcards, only if `wildcards` is set (reference 2.6).
pub(crate) fn matches_word(name: Name<'_>, pattern: &Pattern, wildcards: bool) -> bool {
    (wildcards || !pattern.is_patterned()) && pattern::matches(name, pattern)
}

impl NumberGroup {
    /// Whether a member and `range` have a number in common.
    pub(crate) fn overlaps(&self, range: &NumberRange) -> bool {
        self.members.iter().any(|member| member.overlaps(range))
    }

    /// Whether `value` is in the group.
    pub(crate) fn contains(&self, value: u64) -> bool {
        self.members.iter().any(|member| member.contains(value))
    }
}

impl Part for PathGroup {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Group { name: self.name.clone(), members: table::copy_with_room(&self.members)? })
    }

    fn trim(&mut self) {
        table::trim(&mut self.members);
    }

    fn memory(&self) -> usize {
        let own = self.name.capacity_bytes().saturating_add(self.members.capacity_bytes());
        self.members.iter().fold(own, |sum, member| {
            sum.saturating_add(core::mem::size_of::<Pattern>()).saturating_add(member.capacity_bytes())
        })
    }
}

impl Part for NumberGroup {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Group { name: self.name.clone(), members: table::copy_with_room(&self.members)? })
    }

    fn trim(&mut self) {
        table::trim(&mut self.members);
    }

    fn memory(&self) -> usize {
        self.name.capacity_bytes().saturating_add(self.members.capacity_bytes())
    }
}
