// SPDX-License-Identifier: MIT OR Apache-2.0
//! A persistent multimap from hashes to values: what finds an entry among fifty thousand.
//!
//! A tree over the bits of a 32-bit hash, 64 children a branch, with small unordered pages at the leaves. A page that
//! grows beyond [`PAGE`] values becomes a branch, so a look-up costs one or two steps down and a scan of a few tags. The
//! same hash may stand for several values; the caller compares. A snapshot shares all branches and pages with the next
//! one except those on the paths that an edit changed ([`crate::link`]).
//!
//! The form of the tree depends only on what is in it, not on the order in which it came: a branch whose values fit into
//! half a page becomes a page again. So removing gives back exactly what adding took.

use crate::link::{Link, Node, SHARED};
use crate::mem::{OutOfMemory, Vec};
use core::mem::size_of;

/// Values that a page holds before it becomes a branch.
const PAGE: usize = 12;
/// Hash bits of a level.
const BITS: u32 = 6;
/// Children of a branch.
const CHILDREN: usize = 64;
/// Levels that have bits of their own; below, pages grow.
const LEVELS: u32 = 5;

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
}

impl Value for u32 {
    fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(*self)
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

enum Child<V> {
    Empty,
    Page(Link<Page<V>>),
    Branch(Link<Branch<V>>),
}

/// Each value with its whole hash.
struct Page<V>(Vec<(u32, V)>);

/// The children stand in an array of their own, because a branch by value would be too large for a kernel's stack.
struct Branch<V> {
    /// Values below.
    len: u32,
    /// [`CHILDREN`] of them.
    children: Vec<Child<V>>,
}

/// Memory of a page without its values: itself, its reference count.
const PAGE_BYTES: usize = size_of::<Vec<u32>>().saturating_add(SHARED);

const fn branch_bytes<V>() -> usize {
    size_of::<Branch<V>>()
        .saturating_add(SHARED)
        .saturating_add(size_of::<Child<V>>().saturating_mul(CHILDREN))
}

const fn slot_bytes<V>() -> usize {
    size_of::<(u32, V)>()
}

#[inline(always)]
const fn child_index(hash: u32, level: u32) -> usize {
    (hash.wrapping_shr(BITS.wrapping_mul(level)) & 63) as usize
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
        let mut child = &self.root;
        let mut level = 0;
        let slots = loop {
            match child {
                Child::Empty => break &[][..],
                Child::Page(page) => break &page.get().0[..],
                Child::Branch(branch) => match branch.get().children.get(child_index(hash, level)) {
                    Some(below) => child = below,
                    None => break &[][..],
                },
            }
            level = level.wrapping_add(1);
        };
        slots.iter().filter(move |slot| slot.0 == hash).map(|slot| &slot.1)
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
        let mut level = 0;
        loop {
            match child {
                Child::Empty => return Ok(None),
                Child::Page(page) => {
                    let slots = &mut page.edit()?.0;
                    let found = slots.iter_mut().find(|slot| slot.0 == hash && wanted(&slot.1));
                    return Ok(found.map(|slot| &mut slot.1));
                }
                Child::Branch(branch) => match branch.edit()?.children.get_mut(child_index(hash, level)) {
                    Some(below) => child = below,
                    None => return Ok(None),
                },
            }
            level = level.wrapping_add(1);
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
        Ok(Map { root: self.root.share()?, len: self.len, bytes: self.bytes })
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        if self.root.is_own() {
            self.root.freeze();
        }
    }

    /// The hashes of all values, in no order that means anything.
    pub(crate) fn for_each_hash(&self, visit: &mut dyn FnMut(u32)) {
        self.root.for_each_hash(visit);
    }
}

/// Adds a value below `child`; returns the bytes that took.
fn insert<V: Value>(child: &mut Child<V>, hash: u32, value: V, level: u32) -> Result<usize, OutOfMemory> {
    let full = matches!(child, Child::Page(page) if page.get().0.len() >= PAGE && level < LEVELS);
    let split = if full { split(child, level)? } else { 0 };
    match child {
        Child::Empty => {
            let mut slots = Vec::with_capacity(1)?;
            slots.push((hash, value))?;
            *child = Child::Page(Link::new(Page(slots))?);
            Ok(PAGE_BYTES.saturating_add(slot_bytes::<V>()))
        }
        Child::Page(page) => {
            page.edit()?.0.push((hash, value))?;
            Ok(slot_bytes::<V>())
        }
        Child::Branch(branch) => {
            let branch = branch.edit()?;
            let Some(below) = branch.children.get_mut(child_index(hash, level)) else {
                return Err(OutOfMemory); // 6 bits are below 64.
            };
            let added = insert(below, hash, value, level.wrapping_add(1))?;
            branch.len = branch.len.saturating_add(1);
            Ok(added.saturating_add(split))
        }
    }
}

/// Makes a page a branch; returns the bytes that took.
fn split<V: Value>(child: &mut Child<V>, level: u32) -> Result<usize, OutOfMemory> {
    let Child::Page(page) = child else {
        return Ok(0);
    };
    let mut branch = Branch { len: 0, children: Vec::with_capacity(CHILDREN)? };
    while branch.children.len() < CHILDREN {
        branch.children.push(Child::Empty)?;
    }
    let mut bytes = branch_bytes::<V>();
    for (hash, value) in page.get().0.iter() {
        if let Some(below) = branch.children.get_mut(child_index(*hash, level)) {
            let added = insert(below, *hash, value.share()?, level.wrapping_add(1))?;
            bytes = bytes.saturating_add(added);
            branch.len = branch.len.saturating_add(1);
        }
    }
    let old = page_bytes(page.get());
    *child = Child::Branch(Link::new(branch)?);
    Ok(bytes.saturating_sub(old))
}

/// Removes a value below `child` and adds the bytes that gave to `freed`.
fn remove<V: Value>(
    child: &mut Child<V>,
    hash: u32,
    level: u32,
    wanted: &mut dyn FnMut(&V) -> bool,
    freed: &mut usize,
) -> Result<Option<V>, OutOfMemory> {
    let removed = match child {
        Child::Empty => return Ok(None),
        Child::Page(page) => {
            let slots = &page.get().0;
            let Some(place) = slots.iter().position(|slot| slot.0 == hash && wanted(&slot.1)) else {
                return Ok(None);
            };
            *freed = freed.saturating_add(slot_bytes::<V>());
            if slots.len() > 1 {
                return Ok(page.edit()?.0.remove(place).map(|slot| slot.1));
            }
            let value = page.edit()?.0.remove(place).map(|slot| slot.1);
            *freed = freed.saturating_add(PAGE_BYTES);
            *child = Child::Empty;
            return Ok(value);
        }
        Child::Branch(branch) => {
            let branch = branch.edit()?;
            let Some(below) = branch.children.get_mut(child_index(hash, level)) else {
                return Ok(None);
            };
            let removed = remove(below, hash, level.wrapping_add(1), wanted, freed)?;
            if removed.is_some() {
                branch.len = branch.len.saturating_sub(1);
            }
            removed
        }
    };
    join(child, freed);
    Ok(removed)
}

/// Makes a branch with few values a page again. When there is no memory for that, it stays a branch; the next removal
/// tries again.
fn join<V: Value>(child: &mut Child<V>, freed: &mut usize) {
    let Child::Branch(branch) = child else {
        return;
    };
    let branch = branch.get();
    let len = branch.len as usize;
    if len > PAGE {
        return;
    }
    let mut below = branch_bytes::<V>();
    let Ok(mut slots) = Vec::with_capacity(len) else {
        return;
    };
    for child in &branch.children {
        let Child::Page(page) = child else {
            continue; // Below a branch of so few values there are no branches.
        };
        below = below.saturating_add(page_bytes(page.get()));
        for (hash, value) in page.get().0.iter() {
            let Ok(value) = value.share() else {
                return;
            };
            if slots.push((*hash, value)).is_err() {
                return;
            }
        }
    }
    if slots.len() != len {
        return;
    }
    let page = Page(slots);
    *freed = freed.saturating_add(below.saturating_sub(page_bytes(&page)));
    if let Ok(page) = Link::new(page) {
        *child = Child::Page(page);
    }
}

fn page_bytes<V>(page: &Page<V>) -> usize {
    PAGE_BYTES.saturating_add(page.0.len().saturating_mul(slot_bytes::<V>()))
}

impl<V: Value> Child<V> {
    #[inline(always)] // A copy of a branch does it for each of its children.
    fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(match self {
            Child::Empty => Child::Empty,
            Child::Page(page) => Child::Page(page.share()?),
            Child::Branch(branch) => Child::Branch(branch.share()?),
        })
    }

    /// Whether only this edit sees it. Of the children of a branch that an edit changed, that is nearly none.
    #[inline(always)]
    const fn is_own(&self) -> bool {
        match self {
            Child::Empty => false,
            Child::Page(page) => !page.is_shared(),
            Child::Branch(branch) => !branch.is_shared(),
        }
    }

    fn freeze(&mut self) {
        *self = match core::mem::replace(self, Child::Empty) {
            Child::Empty => Child::Empty,
            Child::Page(page) => Child::Page(page.freeze()),
            Child::Branch(branch) => Child::Branch(branch.freeze()),
        };
    }

    fn for_each_hash(&self, visit: &mut dyn FnMut(u32)) {
        match self {
            Child::Empty => {}
            Child::Page(page) => page.get().0.iter().for_each(|slot| visit(slot.0)),
            Child::Branch(branch) => {
                branch.get().children.iter().for_each(|child| child.for_each_hash(visit))
            }
        }
    }
}

impl<V: Value> Node for Page<V> {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        let mut slots = Vec::with_capacity(self.0.len().saturating_add(1))?;
        for (hash, value) in self.0.iter() {
            slots.push((*hash, value.share()?))?;
        }
        Ok(Page(slots))
    }

    fn freeze(&mut self) {
        // Freezing moves the values, so they move to an array of the right length at once. When there is no memory for
        // it they stay what they are, and the next copy copies them in full.
        let Ok(mut exact) = Vec::with_capacity(self.0.len()) else {
            return;
        };
        for (hash, value) in core::mem::take(&mut self.0).into_values() {
            if exact.push((hash, value.freeze())).is_err() {
                return; // Never: there is room.
            }
        }
        self.0 = exact;
    }
}

impl<V: Value> Node for Branch<V> {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        let mut children = Vec::with_capacity(CHILDREN)?;
        for child in &self.children {
            children.push(child.share()?)?;
        }
        Ok(Branch { len: self.len, children })
    }

    fn freeze(&mut self) {
        self.children.iter_mut().filter(|child| child.is_own()).for_each(Child::freeze);
    }
}
