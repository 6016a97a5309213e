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
use crate::members::{Member, Members};
use crate::number::NumberRange;
use crate::ranges::{self, Ranges};
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
pub(crate) type PathGroup = Group<Members<u32>>;
/// The group and the word of a member of a path group.
pub(crate) fn path_member(members: &Records, number: u32) -> Option<(GroupId, &[u8])> {
    let (id, word) = members.get(number)?.bytes.split_first_chunk::<4>()?;
    Some((GroupId(u32::from_le_bytes(*id)), word))
}

/// A group of numbers and ranges.
pub type NumberGroup = Group<Numbers>;
/// A group of addresses and ranges.
pub(crate) type AddressGroup = Group<Addresses>;

/// What the members of a group can do, whatever they are.
pub trait Content: Sized {
    /// No members.
    const EMPTY: Self;
    /// Whether there are none.
    fn is_empty(&self) -> bool;
    /// The same members, shared.
    ///
    /// # Errors
    /// Out of memory.
    fn copy(&self) -> Result<Self, OutOfMemory>;
    /// Makes everything shared and gives unused memory back.
    fn freeze(&mut self);
    /// Bytes of memory, exact lengths.
    fn bytes(&self) -> usize;
}

impl<T: Member> Content for Members<T> {
    const EMPTY: Self = Members::new();

    fn is_empty(&self) -> bool {
        Members::is_empty(self)
    }

    fn copy(&self) -> Result<Self, OutOfMemory> {
        self.share()
    }

    fn freeze(&mut self) {
        Members::freeze(self);
    }

    fn bytes(&self) -> usize {
        Members::bytes(self)
    }
}

/// Numbers as they were written, and as they are looked up.
pub struct Numbers {
    written: Members<NumberRange>,
    /// Least and greatest value of each stretch; sorted, and no two touch. Only of few members.
    stretches: Vec<(u64, u64)>,
    /// Many members.
    ranges: Ranges,
}

impl Content for Numbers {
    const EMPTY: Self = Numbers { written: Members::new(), stretches: Vec::new(), ranges: Ranges::new() };

    fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Numbers {
            written: self.written.share()?,
            stretches: self.stretches.try_clone()?,
            ranges: self.ranges.share()?,
        })
    }

    fn freeze(&mut self) {
        self.written.freeze();
        self.stretches.trim();
        self.ranges.freeze();
    }

    fn bytes(&self) -> usize {
        let stretches = self.stretches.len().saturating_mul(size_of::<(u64, u64)>());
        self.written.bytes().saturating_add(stretches).saturating_add(self.ranges.bytes())
    }
}

impl Numbers {
    /// Follows what is written, which `member` came to or was taken from.
    fn follow(&mut self, member: &NumberRange, added: bool) -> Result<(), OutOfMemory> {
        if let Some(few) = self.written.few() {
            self.ranges = Ranges::new();
            self.stretches = stretches(few)?;
            return Ok(());
        }
        if !self.ranges.is_empty() {
            let range = number_range(member);
            return if added { self.ranges.insert(range) } else { self.ranges.remove(&range) };
        }
        for member in self.written.iter() {
            self.ranges.insert(number_range(&member))?;
        }
        self.stretches.clear();
        Ok(())
    }
}

fn number_range(member: &NumberRange) -> [u64; 6] {
    ranges::range(0, [0, member.min.value], [0, member.max.value], 0)
}

/// The stretches that few ranges make, none of which is empty. Not by `sort_unstable`, which can panic.
fn stretches(members: &[NumberRange]) -> Result<Vec<(u64, u64)>, OutOfMemory> {
    let mut stretches = Vec::<(u64, u64)>::with_capacity(members.len())?;
    let mut before = None;
    loop {
        let all = members.iter().map(|member| (member.min.value, member.max.value));
        let Some((min, max)) = all.filter(|range| before.map_or(true, |before| *range > before)).min() else {
            return Ok(stretches);
        };
        before = Some((min, max));
        match stretches.last_mut() {
            Some(last) if min <= last.1.saturating_add(1) => last.1 = last.1.max(max),
            _ => stretches.push((min, max))?,
        }
    }
}

/// Addresses as they were written, and as they are looked up.
pub struct Addresses {
    written: Members<AddressRange>,
    /// Many members.
    ranges: Ranges,
}

impl Content for Addresses {
    const EMPTY: Self = Addresses { written: Members::new(), ranges: Ranges::new() };

    fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Addresses { written: self.written.share()?, ranges: self.ranges.share()? })
    }

    fn freeze(&mut self) {
        self.written.freeze();
        self.ranges.freeze();
    }

    fn bytes(&self) -> usize {
        self.written.bytes().saturating_add(self.ranges.bytes())
    }
}

impl Addresses {
    /// As [`Numbers::follow`].
    fn follow(&mut self, member: &AddressRange, added: bool) -> Result<(), OutOfMemory> {
        if self.written.few().is_some() {
            self.ranges = Ranges::new();
            return Ok(());
        }
        let range = |member: &AddressRange| {
            let (family, min) = member.min.point();
            ranges::range(family, min, member.max.point().1, 0)
        };
        if !self.ranges.is_empty() {
            let range = range(member);
            return if added { self.ranges.insert(range) } else { self.ranges.remove(&range) };
        }
        for member in self.written.iter() {
            self.ranges.insert(range(&member))?;
        }
        Ok(())
    }
}

impl<M: Content> Group<M> {
    pub(crate) fn new(name: &[u8]) -> Result<Self, OutOfMemory> {
        Ok(Group { name: crate::text::owned(name)?, users: 0, members: M::EMPTY })
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
    pub fn members(&self) -> &Members<NumberRange> {
        &self.members.written
    }

    /// Adds a member that is no empty range. False if it is there.
    pub(crate) fn add(&mut self, member: NumberRange, seed: u64) -> Result<bool, OutOfMemory> {
        let added = self.members.written.add(member, seed)?;
        if added {
            self.members.follow(&member, true)?;
        }
        Ok(added)
    }

    /// Removes a member. False if it is not there.
    pub(crate) fn remove(&mut self, member: NumberRange) -> Result<bool, OutOfMemory> {
        let removed = self.members.written.remove(member)?;
        if removed {
            self.members.follow(&member, false)?;
        }
        Ok(removed)
    }

    /// Whether a member and `range` have a number in common.
    pub fn overlaps(&self, range: &NumberRange) -> bool {
        if range.is_empty() {
            return false;
        }
        self.has(range.min.value, range.max.value)
    }

    /// Whether `value` is in the group, in time that does not depend on how many members there are.
    #[inline(always)]
    pub fn contains(&self, value: u64) -> bool {
        match &*self.members.stretches {
            [only] => only.0 <= value && value <= only.1,
            _ => self.has(value, value),
        }
    }

    #[inline(never)]
    fn has(&self, min: u64, max: u64) -> bool {
        let Numbers { written, stretches, ranges } = &self.members;
        if !ranges.is_empty() {
            let mut walk = ranges.overlapping(0, [0, min], [0, max]);
            return match walk.next() {
                Some(_) => true,
                None if walk.is_lost() => {
                    written.iter().any(|member| member.min.value <= max && member.max.value >= min)
                }
                None => false,
            };
        }
        let at = stretches.partition_point(|stretch| stretch.1 < min);
        stretches.get(at).is_some_and(|stretch| stretch.0 <= max)
    }
}

impl AddressGroup {
    /// The members as they were written, in order.
    pub(crate) fn members(&self) -> &Members<AddressRange> {
        &self.members.written
    }

    /// Adds a member. False if it is there.
    pub(crate) fn add(&mut self, member: AddressRange, seed: u64) -> Result<bool, OutOfMemory> {
        let added = self.members.written.add(member, seed)?;
        if added {
            self.members.follow(&member, true)?;
        }
        Ok(added)
    }

    /// Removes a member. False if it is not there.
    pub(crate) fn remove(&mut self, member: AddressRange) -> Result<bool, OutOfMemory> {
        let removed = self.members.written.remove(member)?;
        if removed {
            self.members.follow(&member, false)?;
        }
        Ok(removed)
    }

    pub(crate) fn contains(&self, address: &Address) -> bool {
        let Addresses { written, ranges } = &self.members;
        if !ranges.is_empty() {
            let (family, point) = address.point();
            let mut walk = ranges.containing(family, point);
            match walk.next() {
                Some(_) => return true,
                None if !walk.is_lost() => return false,
                None => {}
            }
        }
        match written.few() {
            Some(few) => few.iter().any(|range| range.contains(address)),
            None => written.iter().any(|range| range.contains(address)),
        }
    }
}

impl<M: Content> Part for Group<M> {
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

impl<M: Content> Node for Group<M> {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Group { name: self.name.try_clone()?, users: self.users, members: self.members.copy()? })
    }

    fn freeze(&mut self) {
        self.members.freeze();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Content as _, NumberGroup};
    use crate::number::NumberRange;

    #[test]
    fn stretches_follow_the_members() {
        let range = |word: &str| NumberRange::parse(word.as_bytes()).unwrap();
        for more in [0, 40] {
            let mut group = NumberGroup::new(b"G").unwrap();
            let mut members = std::vec::Vec::new();
            // So many that they do not stand in one piece.
            for number in 0..more {
                let far = range(&std::format!("{}-{}", 100 + 3 * number, 101 + 3 * number));
                assert!(group.add(far, 1).unwrap() && !group.add(far, 1).unwrap());
                members.push(far);
            }
            follow(&mut group, &mut members);
            while let Some(last) = members.pop() {
                assert!(group.remove(last).unwrap() && !group.remove(last).unwrap());
            }
            assert!(group.members.stretches.is_empty() && group.members.ranges.is_empty());
            assert_eq!(group.members.bytes(), 0);
        }
    }

    fn follow(group: &mut NumberGroup, members: &mut std::vec::Vec<NumberRange>) {
        let range = |word: &str| NumberRange::parse(word.as_bytes()).unwrap();
        let words = ["5", "7-9", "6", "20-30", "25-40", "0", "18446744073709551615", "8-22", "41", "0x3-0x4"];
        for word in words {
            group.add(range(word), 1).unwrap();
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
            let place = step.checked_rem(members.len()).unwrap_or(0);
            group.remove(members.remove(place)).unwrap();
        }
    }
}
