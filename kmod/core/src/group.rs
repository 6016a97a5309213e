// SPDX-License-Identifier: MIT OR Apache-2.0
//! Named groups of paths, of numbers and of addresses.
//!
//! Reference 3.8. A group comes into existence by its first mention, as a member line or as `@GROUP`; without members it
//! matches nothing. Entries refer to it by number, so a new member takes effect in all of them at once. When nothing
//! mentions a group any more, it is gone.
//!
//! The members of all path groups stand in one list and one index ([`crate::policy`]), so that one look-up finds all
//! groups that a name is in; here are the numbers of a group's own.

use crate::address::{Address, AddressRange};
use crate::link::{Node, SHARED};
use crate::mem::{OutOfMemory, Vec};
use crate::number::NumberRange;
use crate::records::Records;
use crate::table::Part;
use core::mem::size_of;

/// Which of the three name spaces a group is in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum GroupKind {
    /// `path_group`
    Path,
    /// `number_group`
    Number,
    /// `address_group`
    Address,
}

/// The number of a group in its name space.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct GroupId(pub(crate) u32);

/// A name with members.
pub struct Group<M> {
    name: Vec<u8>,
    /// How many entries and conditions mention it.
    pub(crate) users: u32,
    pub(crate) members: M,
}

/// A group of paths: the numbers of its members in the policy's list, in the order in which they were added.
pub(crate) type PathGroup = Group<Vec<u32>>;
/// The group and the word of a member of a path group.
pub(crate) fn path_member(members: &Records, number: u32) -> Option<(GroupId, &[u8])> {
    let (id, word) = members.get(number)?.bytes.split_first_chunk::<4>()?;
    Some((GroupId(u32::from_le_bytes(*id)), word))
}

/// A group of numbers and ranges.
pub type NumberGroup = Group<Numbers>;
/// A group of addresses and ranges.
pub(crate) type AddressGroup = Group<Vec<AddressRange>>;

/// What the members of a group can do, whatever they are.
pub trait Members: Sized {
    /// No members.
    fn empty() -> Self;
    /// Whether there are none.
    fn is_empty(&self) -> bool;
    /// A copy.
    ///
    /// # Errors
    /// Out of memory.
    fn copy(&self) -> Result<Self, OutOfMemory>;
    /// Gives unused memory back.
    fn trim(&mut self);
    /// Bytes of memory, exact lengths.
    fn bytes(&self) -> usize;
}

impl<T: Clone> Members for Vec<T> {
    fn empty() -> Self {
        Vec::new()
    }

    fn is_empty(&self) -> bool {
        (**self).is_empty()
    }

    fn copy(&self) -> Result<Self, OutOfMemory> {
        self.try_clone()
    }

    fn trim(&mut self) {
        Vec::trim(self);
    }

    fn bytes(&self) -> usize {
        self.len().saturating_mul(size_of::<T>())
    }
}

/// Numbers as they were written, and as they are looked up.
pub struct Numbers {
    written: Vec<NumberRange>,
    /// Least and greatest value of each stretch; sorted, and no two touch.
    stretches: Vec<(u64, u64)>,
}

impl Members for Numbers {
    fn empty() -> Self {
        Numbers { written: Vec::new(), stretches: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Numbers { written: self.written.try_clone()?, stretches: self.stretches.try_clone()? })
    }

    fn trim(&mut self) {
        self.written.trim();
        self.stretches.trim();
    }

    fn bytes(&self) -> usize {
        self.written.bytes().saturating_add(self.stretches.bytes())
    }
}

impl Numbers {
    /// Makes a range part of the stretches.
    fn join(&mut self, range: &NumberRange) -> Result<(), OutOfMemory> {
        let (mut min, mut max) = (range.min.value, range.max.value);
        let mut stretches = Vec::with_capacity(self.stretches.len().saturating_add(1))?;
        let mut rest = self.stretches.iter().copied().peekable();
        while let Some(before) = rest.next_if(|(_, last)| last.saturating_add(1) < min) {
            stretches.push(before)?;
        }
        while let Some((first, last)) = rest.next_if(|(first, _)| *first <= max.saturating_add(1)) {
            (min, max) = (min.min(first), max.max(last));
        }
        stretches.push((min, max))?;
        for after in rest {
            stretches.push(after)?;
        }
        self.stretches = stretches;
        Ok(())
    }
}

impl<M: Members> Group<M> {
    pub(crate) fn new(name: &[u8]) -> Result<Self, OutOfMemory> {
        Ok(Group { name: crate::text::owned(name)?, users: 0, members: M::empty() })
    }

    /// The name, without `@`.
    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether nothing mentions it.
    pub(crate) fn is_unused(&self) -> bool {
        self.users == 0 && self.members.is_empty()
    }
}

impl NumberGroup {
    /// The members as they were written, in order.
    pub fn members(&self) -> &[NumberRange] {
        &self.members.written
    }

    /// Adds a member that is no empty range.
    pub(crate) fn add(&mut self, member: NumberRange) -> Result<(), OutOfMemory> {
        self.members.join(&member)?;
        self.members.written.push(member)
    }

    /// Removes a member. Only the stretch that it was in is made anew, from the members in it.
    pub(crate) fn remove(&mut self, place: usize) -> Result<(), OutOfMemory> {
        let Some(gone) = self.members.written.remove(place) else {
            return Ok(());
        };
        let within = |stretch: &(u64, u64)| stretch.0 <= gone.min.value && gone.max.value <= stretch.1;
        let Some(at) = self.members.stretches.iter().position(within) else {
            return Ok(());
        };
        let Some((min, max)) = self.members.stretches.remove(at) else {
            return Ok(());
        };
        let written = self.members.written.try_clone()?;
        for member in written.iter().filter(|member| min <= member.min.value && member.max.value <= max) {
            self.members.join(member)?;
        }
        Ok(())
    }

    /// Whether a member and `range` have a number in common.
    pub fn overlaps(&self, range: &NumberRange) -> bool {
        if range.is_empty() {
            return false;
        }
        let stretches = &self.members.stretches;
        let at = stretches.partition_point(|stretch| stretch.1 < range.min.value);
        stretches.get(at).is_some_and(|stretch| stretch.0 <= range.max.value)
    }

    /// Whether `value` is in the group: a binary search.
    #[inline(always)]
    pub fn contains(&self, value: u64) -> bool {
        match &*self.members.stretches {
            [only] => only.0 <= value && value <= only.1,
            stretches => is_in(stretches, value),
        }
    }
}

#[inline(never)]
fn is_in(stretches: &[(u64, u64)], value: u64) -> bool {
    let at = stretches.partition_point(|stretch| stretch.1 < value);
    stretches.get(at).is_some_and(|stretch| stretch.0 <= value)
}

impl AddressGroup {
    pub(crate) fn contains(&self, address: &Address) -> bool {
        self.members.iter().any(|range| range.contains(address))
    }
}

impl<M: Members> Part for Group<M> {
    fn name(&self) -> Option<&[u8]> {
        Some(&self.name)
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            .saturating_add(SHARED)
            .saturating_add(self.name.len())
            .saturating_add(self.members.bytes())
    }
}

impl<M: Members> Node for Group<M> {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Group { name: self.name.try_clone()?, users: self.users, members: self.members.copy()? })
    }

    fn freeze(&mut self) {
        self.members.trim();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::NumberGroup;
    use crate::number::NumberRange;

    #[test]
    fn stretches_follow_the_members() {
        let range = |word: &str| NumberRange::parse(word.as_bytes()).unwrap();
        let mut group = NumberGroup::new(b"G").unwrap();
        let mut members = std::vec::Vec::new();
        let words = ["5", "7-9", "6", "20-30", "25-40", "0", "18446744073709551615", "8-22", "41", "0x3-0x4"];
        for word in words {
            group.add(range(word)).unwrap();
            members.push(range(word));
        }
        for step in [0_usize, 3, 2, 5, 0, 1, 0, 0, 0, 0] {
            for value in (0..50).chain([u64::MAX - 1, u64::MAX]) {
                assert_eq!(
                    group.contains(value),
                    members.iter().any(|member| member.contains(value)),
                    "{value}"
                );
                let wide = NumberRange { min: range("3").min, max: crate::number::Number::decimal(value) };
                assert_eq!(
                    group.overlaps(&wide),
                    members.iter().any(|member| member.overlaps(&wide)),
                    "3-{value}"
                );
            }
            let place = step % members.len();
            members.remove(place);
            group.remove(place).unwrap();
        }
        assert!(group.members.stretches.is_empty());
    }
}
