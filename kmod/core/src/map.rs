// SPDX-License-Identifier: MIT OR Apache-2.0
//! A persistent multimap from hashes to values: what finds an entry among fifty thousand.
//!
//! A tree ([`crate::radix`]) over the bits of a 32-bit hash, lowest first, with small unordered pages at the leaves. A page
//! that grows beyond [`PAGE`] values becomes a branch, so a look-up costs a few steps down and a scan of a few tags. The
//! same hash may stand for several values; the caller compares. A snapshot shares all branches and pages with the next
//! one except those on the paths that an edit changed ([`crate::link`]).
//!
//! The form of the tree depends only on what is in it, not on the order in which it came: a branch whose values fit into
//! half a page becomes a page again. So removing gives back exactly what adding took.

use crate::link::{Link, Node, SHARED};
use crate::mem::{OutOfMemory, Vec};
use crate::radix::{Branch, Place, BITS};
use crate::tree::{self, Change, View};
use core::mem::size_of;

/// Values that a page holds before it becomes a branch.
const PAGE: usize = 12;
/// Levels that have bits of their own; below, pages grow.
const LEVELS: u32 = u32::BITS / BITS;
/// Fewer values than these are added to a branch one by one.
const FEW: usize = 8;

/// What a map can hold.
pub(crate) trait Value: Sized {
    /// Another reference to the same, or a copy.
    ///
    /// # Errors
    /// Out of memory.
    fn share(&self) -> Result<Self, OutOfMemory>;
    /// Makes it shared ([`Link::freeze`]).
    fn freeze(self) -> Self {
        self
    }
    /// Makes all values of a page shared and gives unused memory back.
    fn freeze_all(slots: &mut Vec<(u32, Self)>) {
        // Freezing moves the values, so they move to an array of the right length at once. When there is no memory for
        // it they stay what they are, and the next copy copies them in full.
        let Ok(mut exact) = Vec::with_capacity(slots.len()) else {
            return;
        };
        for (hash, value) in core::mem::take(slots).into_values() {
            if exact.push_reserved((hash, value.freeze())).is_err() {
                return; // Never: there is room.
            }
        }
        *slots = exact;
    }
}

impl Value for u32 {
    fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(*self)
    }
    fn freeze_all(slots: &mut Vec<(u32, Self)>) {
        slots.trim();
    }
}

impl<T: Node> Value for Link<T> {
    fn share(&self) -> Result<Self, OutOfMemory> {
        Link::share(self)
    }
    fn freeze(self) -> Self {
        Link::freeze(self)
    }
}

/// The map.
pub(crate) struct Map<V> {
    root: Child<V>,
    len: u32,
    bytes: usize,
}

/// Each value with its whole hash.
pub(crate) struct Page<V>(Vec<(u32, V)>);

/// A place of the tree.
type Child<V> = tree::Child<Page<V>>;

/// Memory of a page without its values: itself, its reference count.
const PAGE_BYTES: usize = size_of::<Vec<u32>>().saturating_add(SHARED);

const fn slot_bytes<V>() -> usize {
    size_of::<(u32, V)>()
}

impl<V: Value> Map<V> {
    pub(crate) const fn new() -> Self {
        Map { root: Child::Empty, len: 0, bytes: 0 }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory of branches and pages; not what is behind the values.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The values of a hash.
    #[inline]
    pub(crate) fn get(&self, hash: u32) -> impl Iterator<Item = &V> {
        self.page(hash).iter().filter(move |slot| slot.0 == hash).map(|slot| &slot.1)
    }

    /// The page with the values of a hash, and perhaps of others, each with its hash.
    #[inline]
    pub(crate) fn page(&self, hash: u32) -> &[(u32, V)] {
        let mut child = &self.root;
        let mut bits = hash;
        loop {
            match child.view() {
                View::Empty => return &[],
                View::Leaf(page) => return &page.0,
                View::Branch(branch) => match branch.at(bits) {
                    Some(below) => child = below,
                    None => return &[],
                },
            }
            bits = bits.wrapping_shr(BITS);
        }
    }

    /// The first value of a hash for which `wanted` is true, for changing. `Ok(None)` when there is none.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn edit(
        &mut self,
        hash: u32,
        mut wanted: impl FnMut(&V) -> bool,
    ) -> Result<Option<&mut V>, OutOfMemory> {
        if !self.get(hash).any(&mut wanted) {
            return Ok(None);
        }
        let mut child = &mut self.root;
        let mut bits = hash;
        loop {
            match child.edit()? {
                Change::Empty => return Ok(None),
                Change::Leaf(page) => {
                    let found = page.0.iter_mut().find(|slot| slot.0 == hash && wanted(&slot.1));
                    return Ok(found.map(|slot| &mut slot.1));
                }
                Change::Branch(branch) => match branch.at_mut(bits) {
                    Some(below) => child = below,
                    None => return Ok(None),
                },
            }
            bits = bits.wrapping_shr(BITS);
        }
    }

    /// Adds a value, whether or not the hash has others.
    ///
    /// # Errors
    /// Out of memory; the map holds what it held.
    pub(crate) fn insert(&mut self, hash: u32, value: V) -> Result<(), OutOfMemory> {
        let added = insert(&mut self.root, hash, value, 0)?;
        self.bytes = self.bytes.saturating_add(added);
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// Removes the first value of a hash for which `wanted` is true, and returns it.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn remove(
        &mut self,
        hash: u32,
        mut wanted: impl FnMut(&V) -> bool,
    ) -> Result<Option<V>, OutOfMemory> {
        if !self.get(hash).any(&mut wanted) {
            return Ok(None);
        }
        let mut freed = 0;
        let removed = remove(&mut self.root, hash, 0, &mut wanted, &mut freed)?;
        self.bytes = self.bytes.saturating_sub(freed);
        if removed.is_some() {
            self.len = self.len.saturating_sub(1);
        }
        Ok(removed)
    }

    /// A map with the same values, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        let mut root = Child::Empty;
        self.root.share_into(&mut root)?;
        Ok(Map { root, len: self.len, bytes: self.bytes })
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        self.root.freeze();
    }

    /// The first value for which `wanted` is true, in no order that means anything.
    pub(crate) fn find(&self, wanted: &mut dyn FnMut(&V) -> bool) -> Option<&V> {
        find(&self.root, wanted)
    }
}

impl Map<u32> {
    /// Adds many values, each with its hash in front; the result is that of [`Map::insert`] for each of them.
    ///
    /// # Errors
    /// Out of memory; any of the values may be missing, so that the map is good for nothing but to be dropped.
    pub(crate) fn fill(&mut self, mut values: Vec<(u32, u32)>) -> Result<(), OutOfMemory> {
        if values.is_empty() {
            return Ok(());
        }
        let mut room = values.try_clone()?;
        let added = fill(&mut self.root, &mut values, &mut room, 0)?;
        self.bytes = self.bytes.saturating_add(added);
        self.len = self.len.saturating_add(values.len() as u32);
        Ok(())
    }
}

/// Adds values below `child`, which stands `level` levels below the root; returns the bytes that took. `room` is as long as
/// `values`, and both are written over.
fn fill(
    child: &mut Child<u32>,
    values: &mut [(u32, u32)],
    room: &mut [(u32, u32)],
    level: u32,
) -> Result<usize, OutOfMemory> {
    let mut added = 0_usize;
    let one_by_one = match child.view() {
        View::Empty if values.len() <= PAGE || level >= LEVELS => {
            let mut slots = Vec::with_capacity(values.len())?;
            slots.extend_from_slice(values)?;
            let page = Page(slots);
            added = page_bytes(&page);
            *child = Child::leaf(page)?;
            return Ok(added);
        }
        View::Empty => {
            *child = Child::branch()?;
            added = Branch::<Child<u32>>::BYTES;
            false
        }
        View::Leaf(page) if page.0.len().saturating_add(values.len()) <= PAGE || level >= LEVELS => true,
        View::Leaf(_) => {
            added = split(child, level)?;
            false
        }
        View::Branch(_) => values.len() < FEW,
    };
    if one_by_one {
        for (hash, value) in values.iter() {
            added = added.saturating_add(insert(child, *hash, *value, level)?);
        }
        return Ok(added);
    }
    let Change::Branch(branch) = child.edit()? else {
        return Err(OutOfMemory); // It is one by now.
    };
    let mut start = 0_usize;
    for (bits, end) in (0..).zip(partition(values, room, level)) {
        let part = start..end as usize;
        start = part.end;
        if part.is_empty() {
            continue;
        }
        if let (Some(place), Some(room), Some(values)) =
            (branch.at_mut(bits), values.get_mut(part.clone()), room.get_mut(part))
        {
            added = added.saturating_add(fill(place, values, room, level.wrapping_add(1))?);
        }
    }
    Ok(added)
}

/// Writes the values of `from` into `to` in the order of the children of a branch on a level; values of one child stay in
/// their order. Returns where those of each child end.
fn partition(from: &[(u32, u32)], to: &mut [(u32, u32)], level: u32) -> [u32; 1 << BITS] {
    const MASK: u32 = (1 << BITS) - 1;
    let mut ends = [0_u32; 1 << BITS];
    for (hash, _) in from {
        if let Some(count) = ends.get_mut((below(*hash, level) & MASK) as usize) {
            *count = count.wrapping_add(1);
        }
    }
    let mut sum = 0_u32;
    for place in &mut ends {
        let count = core::mem::replace(place, sum);
        sum = sum.wrapping_add(count);
    }
    for value in from {
        if let Some(next) = ends.get_mut((below(value.0, level) & MASK) as usize) {
            if let Some(place) = to.get_mut(*next as usize) {
                *place = *value;
            }
            *next = next.wrapping_add(1);
        }
    }
    ends
}

/// Adds a value below `child`, which stands `level` levels below the root; returns the bytes that took.
fn insert<V: Value>(child: &mut Child<V>, hash: u32, value: V, level: u32) -> Result<usize, OutOfMemory> {
    let mut made = 0;
    match child.view() {
        View::Empty => {
            let mut slots = Vec::with_capacity(1)?;
            slots.push_reserved((hash, value))?;
            *child = Child::leaf(Page(slots))?;
            return Ok(PAGE_BYTES.saturating_add(slot_bytes::<V>()));
        }
        View::Leaf(page) if page.0.len() >= PAGE && level < LEVELS => made = split(child, level)?,
        _ => {}
    }
    match child.edit()? {
        Change::Leaf(page) => {
            page.0.push((hash, value))?;
            Ok(slot_bytes::<V>())
        }
        Change::Branch(branch) => match branch.at_mut(below(hash, level)) {
            Some(below) => Ok(insert(below, hash, value, level.wrapping_add(1))?.saturating_add(made)),
            None => Err(OutOfMemory), // There is a child for each value of the bits.
        },
        Change::Empty => Err(OutOfMemory), // Dealt with above.
    }
}

/// The bits of a hash that name the child of a branch on a level.
#[inline(always)]
const fn below(hash: u32, level: u32) -> u32 {
    hash.wrapping_shr(BITS.wrapping_mul(level))
}

/// Makes a page a branch; returns the bytes that took.
#[inline(always)] // Nearly every page becomes a branch while a list grows.
fn split<V: Value>(child: &mut Child<V>, level: u32) -> Result<usize, OutOfMemory> {
    let mut made = Child::branch()?;
    let mut bytes = Branch::<Child<V>>::BYTES;
    if let (View::Leaf(page), Change::Branch(branch)) = (child.view(), made.edit()?) {
        for (hash, value) in page.0.iter() {
            if let Some(place) = branch.at_mut(below(*hash, level)) {
                let added = insert(place, *hash, value.share()?, level.wrapping_add(1))?;
                bytes = bytes.saturating_add(added);
            }
        }
        bytes = bytes.saturating_sub(page_bytes(page));
    }
    *child = made;
    Ok(bytes)
}

/// Removes a value below `child` and adds the bytes that gave to `freed`.
fn remove<V: Value>(
    child: &mut Child<V>,
    hash: u32,
    level: u32,
    wanted: &mut dyn FnMut(&V) -> bool,
    freed: &mut usize,
) -> Result<Option<V>, OutOfMemory> {
    let removed = match child.edit()? {
        Change::Empty => return Ok(None),
        Change::Leaf(page) => {
            let Some(place) = page.0.iter().position(|slot| slot.0 == hash && wanted(&slot.1)) else {
                return Ok(None);
            };
            let value = page.0.remove(place).map(|slot| slot.1);
            *freed = freed.saturating_add(slot_bytes::<V>());
            if page.0.is_empty() {
                *freed = freed.saturating_add(PAGE_BYTES);
                *child = Child::Empty;
            }
            return Ok(value);
        }
        Change::Branch(branch) => match branch.at_mut(below(hash, level)) {
            Some(below) => remove(below, hash, level.wrapping_add(1), wanted, freed)?,
            None => return Ok(None),
        },
    };
    join(child, freed);
    Ok(removed)
}

/// Makes a branch with few values a page again. When there is no memory for that, it stays a branch; the next removal
/// tries again.
fn join<V: Value>(child: &mut Child<V>, freed: &mut usize) {
    let View::Branch(branch) = child.view() else {
        return;
    };
    let mut len = 0_usize;
    for child in branch.iter() {
        match child.view() {
            View::Empty => {}
            View::Leaf(page) => len = len.saturating_add(page.0.len()),
            View::Branch(_) => return, // Which has too many alone.
        }
        if len > PAGE {
            return;
        }
    }
    let mut below = Branch::<Child<V>>::BYTES;
    let Ok(mut slots) = Vec::with_capacity(len) else {
        return;
    };
    for child in branch.iter() {
        let View::Leaf(page) = child.view() else {
            continue;
        };
        below = below.saturating_add(page_bytes(page));
        for (hash, value) in page.0.iter() {
            let Ok(value) = value.share() else {
                return;
            };
            if slots.push((*hash, value)).is_err() {
                return;
            }
        }
    }
    let page = Page(slots);
    let gain = below.saturating_sub(page_bytes(&page));
    if let Ok(page) = Child::leaf(page) {
        *child = page;
        *freed = freed.saturating_add(gain);
    }
}

fn page_bytes<V>(page: &Page<V>) -> usize {
    PAGE_BYTES.saturating_add(page.0.len().saturating_mul(slot_bytes::<V>()))
}

fn find<'m, V: Value>(child: &'m Child<V>, wanted: &mut dyn FnMut(&V) -> bool) -> Option<&'m V> {
    match child.view() {
        View::Empty => None,
        View::Leaf(page) => page.0.iter().map(|slot| &slot.1).find(|value| wanted(value)),
        View::Branch(branch) => branch.iter().find_map(|child| find(child, wanted)),
    }
}

impl<V: Value> Node for Page<V> {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        let mut slots = Vec::with_capacity(self.0.len().saturating_add(1))?;
        for (hash, value) in self.0.iter() {
            slots.push_reserved((*hash, value.share()?))?;
        }
        Ok(Page(slots))
    }

    fn freeze(&mut self) {
        V::freeze_all(&mut self.0);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Child, Map, Value, PAGE};
    use crate::mem::Vec;
    use crate::tree::View;

    /// The hash and the value of everything below, and where a branch begins and ends.
    fn form<V: Value + Copy>(child: &Child<V>, out: &mut std::vec::Vec<Option<(u32, V)>>) {
        match child.view() {
            View::Empty => {}
            View::Leaf(page) => out.extend(page.0.iter().copied().map(Some)),
            View::Branch(branch) => {
                out.push(None);
                branch.iter().for_each(|child| form(child, out));
                out.push(None);
            }
        }
    }

    /// Hashes of which many are equal or differ only in few bits.
    fn hashes(seed: u32, count: u32, kind: u32) -> impl Iterator<Item = u32> {
        (0..count).map(move |number| {
            let random = number.wrapping_add(seed).wrapping_mul(0x9E37_79B1) ^ (number >> 3);
            let random = (random ^ (random >> 15)).wrapping_mul(0x85EB_CA6B);
            match kind {
                0 => random,
                1 => random & 0xC000_03E1,
                2 => random & 7,
                3 => random.wrapping_shl(30),
                _ => 0x1234_5678,
            }
        })
    }

    #[test]
    fn filling_makes_what_adding_one_by_one_makes() {
        for kind in 0..5 {
            for before in [0, 1, 5, PAGE as u32, 13, 40, 3000] {
                for count in [0, 1, 7, PAGE as u32, 13, 100, 2500] {
                    let (mut one_by_one, mut filled) = (Map::<u32>::new(), Map::<u32>::new());
                    for (hash, value) in hashes(1, before, kind).zip(0..) {
                        one_by_one.insert(hash, value).unwrap();
                        filled.insert(hash, value).unwrap();
                    }
                    let mut values = Vec::new();
                    for (hash, value) in hashes(77, count, kind).zip(before..) {
                        one_by_one.insert(hash, value).unwrap();
                        values.push((hash, value)).unwrap();
                    }
                    filled.freeze();
                    let mut filled = filled.share().unwrap();
                    filled.fill(values).unwrap();
                    let case = std::format!("{kind} {before} {count}");
                    assert_eq!((filled.bytes(), filled.len), (one_by_one.bytes(), one_by_one.len), "{case}");
                    let (mut this, mut that) = (std::vec::Vec::new(), std::vec::Vec::new());
                    form(&one_by_one.root, &mut this);
                    form(&filled.root, &mut that);
                    assert_eq!(this, that, "{case}");
                    for (hash, value) in hashes(77, count, kind).zip(before..) {
                        assert_eq!(filled.remove(hash, |old| *old == value).unwrap(), Some(value), "{case}");
                    }
                    for (hash, value) in hashes(1, before, kind).zip(0..) {
                        assert_eq!(filled.remove(hash, |old| *old == value).unwrap(), Some(value), "{case}");
                    }
                    assert_eq!((filled.bytes(), filled.len), (0, 0), "{case}");
                }
            }
        }
    }
}
