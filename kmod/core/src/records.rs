// SPDX-License-Identifier: MIT OR Apache-2.0
//! A persistent list of short byte strings: the lines of a policy, packed.
//!
//! A record has a number, which grows from record to record and stays while the list lives; so numbers say which of two
//! came first. Records stand in blocks of 32, all bytes of a block in one piece of memory: four bytes beside what is
//! stored. The blocks hang on a tree of 64 children a branch; adding a record copies its block and the two or three
//! branches above ([`crate::link`]).
//!
//! A removed record leaves a hole of four bytes, and nothing when it was the last one. When there are more holes than
//! records, [`Records::is_sparse`] tells the owner to write the list anew.
//!
//! A block can hold shared values beside the bytes (`S`: the conditions of ACL entries); a record names one by its place.

use crate::link::{Link, Node, SHARED};
use crate::mem::{OutOfMemory, Vec};
use core::mem::size_of;

/// Records of a block.
const BLOCK: u32 = 32;
/// Hash bits of a level, as in [`crate::map`].
const BITS: u32 = 6;
/// Children of a branch.
const CHILDREN: usize = 64;

/// The list.
pub(crate) struct Records<S = ()> {
    root: Child<S>,
    /// Levels of branches above the blocks.
    depth: u32,
    /// The number that the next record gets.
    next: u32,
    live: u32,
    bytes: usize,
}

enum Child<S> {
    Empty,
    Block(Link<Block<S>>),
    Branch(Link<Branch<S>>),
}

struct Block<S> {
    /// Where each record ends in `bytes`. An empty record is a hole.
    ends: Vec<u32>,
    bytes: Vec<u8>,
    /// Which records have a shared value: a bit each.
    sharing: u32,
    /// The shared values in the order of their records.
    shared: Vec<S>,
}

/// [`CHILDREN`] of them, in an array of their own: by value they would be too large for a kernel's stack.
struct Branch<S>(Vec<Child<S>>);

/// Memory of a block without what is in it.
const fn block_bytes<S>() -> usize {
    size_of::<Block<S>>().saturating_add(SHARED)
}

const fn branch_bytes<S>() -> usize {
    size_of::<Branch<S>>()
        .saturating_add(SHARED)
        .saturating_add(size_of::<Child<S>>().saturating_mul(CHILDREN))
}

/// One record.
pub(crate) struct Record<'a, S> {
    pub(crate) number: u32,
    pub(crate) bytes: &'a [u8],
    pub(crate) shared: Option<&'a S>,
}

impl<S: Clone> Records<S> {
    pub(crate) const fn new() -> Self {
        Records { root: Child::Empty, depth: 0, next: 0, live: 0, bytes: 0 }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Bytes of memory of the blocks and branches; not what is behind the shared values.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether most of the numbers are holes.
    pub(crate) const fn is_sparse(&self) -> bool {
        self.next > self.live.saturating_mul(2).saturating_add(64)
    }

    /// The record of a number.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<Record<'_, S>> {
        if number >= self.next {
            return None;
        }
        let mut child = &self.root;
        let mut level = self.depth;
        loop {
            match child {
                Child::Empty => return None,
                Child::Block(block) => return block.get().record(number),
                Child::Branch(branch) => {
                    level = level.wrapping_sub(1);
                    child = branch.get().0.get(child_index(number, level))?;
                }
            }
        }
    }

    /// All records in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Record<'_, S>> {
        (0..self.next).filter_map(|number| self.get(number))
    }

    /// Adds a record as the last one and returns its number. An empty one cannot be stored and is "out of memory".
    ///
    /// # Errors
    /// Out of memory, or no numbers are left; the list holds what it held.
    pub(crate) fn push(&mut self, bytes: &[u8], shared: Option<S>) -> Result<u32, OutOfMemory> {
        let number = self.next;
        let after = number.checked_add(1).ok_or(OutOfMemory)?;
        if bytes.is_empty() {
            return Err(OutOfMemory);
        }
        // The tree grows at its root when the number does not fit any more.
        while number.wrapping_shr(5).wrapping_shr(BITS.wrapping_mul(self.depth)) != 0 {
            let mut branch = Branch::empty()?;
            if let Some(first) = branch.0.first_mut() {
                *first = self.root.share()?;
            }
            self.root = Child::Branch(Link::new(branch)?);
            self.depth = self.depth.wrapping_add(1);
            self.bytes = self.bytes.saturating_add(branch_bytes::<S>());
        }
        let added = push(&mut self.root, self.depth, number, bytes, shared)?;
        self.bytes = self.bytes.saturating_add(added);
        self.next = after;
        self.live = self.live.saturating_add(1);
        Ok(number)
    }

    /// Writes over the beginning of a record.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn overwrite(&mut self, number: u32, bytes: &[u8]) -> Result<(), OutOfMemory> {
        if self.get(number).is_none() {
            return Ok(());
        }
        let Some(block) = self.block(number)? else {
            return Ok(());
        };
        let (start, end) = block.range(number);
        if let Some(place) = block.bytes.get_mut(start..end) {
            for (old, new) in place.iter_mut().zip(bytes) {
                *old = *new;
            }
        }
        Ok(())
    }

    /// Removes a record.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn remove(&mut self, number: u32) -> Result<(), OutOfMemory> {
        if self.get(number).is_none() {
            return Ok(());
        }
        let Some(block) = self.block(number)? else {
            return Ok(());
        };
        let before = block.memory();
        block.remove(number)?;
        let freed = before.saturating_sub(block.memory());
        self.bytes = self.bytes.saturating_sub(freed);
        self.live = self.live.saturating_sub(1);
        if self.live == 0 {
            *self = Records::new();
        } else if number.wrapping_add(1) == self.next {
            self.trim()?;
        }
        Ok(())
    }

    /// Removes the holes at the end.
    fn trim(&mut self) -> Result<(), OutOfMemory> {
        let mut next = self.next;
        while next > 0 && self.get(next.wrapping_sub(1)).is_none() {
            next = next.wrapping_sub(1);
        }
        let mut freed = 0;
        truncate(&mut self.root, self.depth, next, &mut freed)?;
        self.bytes = self.bytes.saturating_sub(freed);
        self.next = next;
        // The tree shrinks at its root when one child is left.
        while self.depth > 0
            && next
                .wrapping_sub(1)
                .wrapping_shr(5)
                .wrapping_shr(BITS.wrapping_mul(self.depth.wrapping_sub(1)))
                == 0
        {
            let Child::Branch(branch) = &self.root else {
                break;
            };
            let Some(first) = branch.get().0.first() else {
                break;
            };
            self.root = first.share()?;
            self.depth = self.depth.wrapping_sub(1);
            self.bytes = self.bytes.saturating_sub(branch_bytes::<S>());
        }
        Ok(())
    }

    /// The block of a number, for changing.
    fn block(&mut self, number: u32) -> Result<Option<&mut Block<S>>, OutOfMemory> {
        let mut child = &mut self.root;
        let mut level = self.depth;
        loop {
            match child {
                Child::Empty => return Ok(None),
                Child::Block(block) => return Ok(Some(block.edit()?)),
                Child::Branch(branch) => {
                    level = level.wrapping_sub(1);
                    match branch.edit()?.0.get_mut(child_index(number, level)) {
                        Some(below) => child = below,
                        None => return Ok(None),
                    }
                }
            }
        }
    }

    /// A list with the same records, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(Records { root: self.root.share()?, ..*self })
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        if self.root.is_own() {
            self.root.freeze();
        }
    }
}

#[inline(always)]
const fn child_index(number: u32, level: u32) -> usize {
    (number.wrapping_shr(5).wrapping_shr(BITS.wrapping_mul(level)) & 63) as usize
}

/// Adds a record to the block of its number; returns the bytes that took.
fn push<S: Clone>(
    child: &mut Child<S>,
    level: u32,
    number: u32,
    bytes: &[u8],
    shared: Option<S>,
) -> Result<usize, OutOfMemory> {
    let mut made = 0;
    if matches!(child, Child::Empty) {
        if level == 0 {
            *child = Child::Block(Link::new(Block::new())?);
            made = block_bytes::<S>();
        } else {
            *child = Child::Branch(Link::new(Branch::empty()?)?);
            made = branch_bytes::<S>();
        }
    }
    let added = match child {
        Child::Block(block) => {
            let block = block.edit()?;
            let before = block.memory();
            block.push(number, bytes, shared)?;
            block.memory().saturating_sub(before)
        }
        Child::Branch(branch) => {
            let level = level.wrapping_sub(1);
            match branch.edit()?.0.get_mut(child_index(number, level)) {
                Some(below) => push(below, level, number, bytes, shared)?,
                None => return Err(OutOfMemory), // 6 bits are below 64.
            }
        }
        Child::Empty => return Err(OutOfMemory), // Just made.
    };
    Ok(added.saturating_add(made))
}

/// Removes everything from the number `next` on, all of it holes, and `next` is not 0; adds the bytes that gave to
/// `freed`.
fn truncate<S: Clone>(
    child: &mut Child<S>,
    level: u32,
    next: u32,
    freed: &mut usize,
) -> Result<(), OutOfMemory> {
    match child {
        Child::Empty => {}
        Child::Block(block) => {
            let len = (next.wrapping_sub(1) & (BLOCK - 1)).wrapping_add(1) as usize;
            let before = block.get().memory();
            if block.get().ends.len() > len {
                let block = block.edit()?;
                block.ends.shorten(len)?;
                *freed = freed.saturating_add(before.saturating_sub(block.memory()));
            }
        }
        Child::Branch(branch) => {
            let level = level.wrapping_sub(1);
            let edge = child_index(next.wrapping_sub(1), level);
            let mut children = branch.edit()?.0.iter_mut().skip(edge);
            if let Some(below) = children.next() {
                truncate(below, level, next, freed)?;
            }
            for below in children {
                *freed = freed.saturating_add(below.memory());
                *below = Child::Empty;
            }
        }
    }
    Ok(())
}

impl<S: Clone> Block<S> {
    const fn new() -> Self {
        Block { ends: Vec::new(), bytes: Vec::new(), sharing: 0, shared: Vec::new() }
    }

    /// The bit of a record, and the place of its shared value if it has one.
    #[inline(always)]
    const fn sharing(&self, number: u32) -> (u32, usize) {
        let bit = 1_u32.wrapping_shl(number & (BLOCK - 1));
        (bit, (self.sharing & bit.wrapping_sub(1)).count_ones() as usize)
    }

    /// Where a record begins and ends.
    #[inline(always)]
    fn range(&self, number: u32) -> (usize, usize) {
        let at = (number & (BLOCK - 1)) as usize;
        let start = match at.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(0),
            None => 0,
        };
        (start as usize, self.ends.get(at).copied().unwrap_or(start) as usize)
    }

    #[inline(always)]
    fn record(&self, number: u32) -> Option<Record<'_, S>> {
        let (start, end) = self.range(number);
        let bytes = self.bytes.get(start..end).filter(|bytes| !bytes.is_empty())?;
        let (bit, place) = self.sharing(number);
        let shared = if self.sharing & bit != 0 { self.shared.get(place) } else { None };
        Some(Record { number, bytes, shared })
    }

    fn push(&mut self, number: u32, bytes: &[u8], shared: Option<S>) -> Result<(), OutOfMemory> {
        // Holes at the end of a block may have been cut off.
        let at = number & (BLOCK - 1);
        let end = self.bytes.len();
        let after =
            end.checked_add(bytes.len()).and_then(|after| u32::try_from(after).ok()).ok_or(OutOfMemory)?;
        while (self.ends.len() as u32) < at {
            self.ends.push(end as u32)?;
        }
        let (bit, place) = self.sharing(number);
        if let Some(shared) = shared {
            self.shared.push(shared)?; // It is the last record, so the value is the last one too.
            self.sharing |= bit;
        }
        let done = self.bytes.extend_from_slice(bytes).and_then(|()| self.ends.push(after));
        if done.is_err() {
            if self.sharing & bit != 0 {
                self.shared.remove(place);
                self.sharing &= !bit;
            }
            self.bytes.shorten(end)?;
        }
        done
    }

    fn remove(&mut self, number: u32) -> Result<(), OutOfMemory> {
        let (start, end) = self.range(number);
        let mut bytes = Vec::with_capacity(self.bytes.len().saturating_sub(end.saturating_sub(start)))?;
        bytes.extend_from_slice(self.bytes.get(..start).unwrap_or(&[]))?;
        bytes.extend_from_slice(self.bytes.get(end..).unwrap_or(&[]))?;
        self.bytes = bytes;
        let gone = end.saturating_sub(start) as u32;
        let at = number & (BLOCK - 1);
        for place in self.ends.iter_mut().skip(at as usize) {
            *place = place.saturating_sub(gone);
        }
        let (bit, place) = self.sharing(number);
        if self.sharing & bit != 0 {
            self.shared.remove(place);
            self.sharing &= !bit;
        }
        Ok(())
    }

    /// Bytes of the block, exact lengths.
    fn memory(&self) -> usize {
        block_bytes::<S>()
            .saturating_add(self.ends.len().saturating_mul(size_of::<u32>()))
            .saturating_add(self.bytes.len())
            .saturating_add(self.shared.len().saturating_mul(size_of::<S>()))
    }
}

impl<S> Branch<S> {
    fn empty() -> Result<Self, OutOfMemory> {
        let mut children = Vec::with_capacity(CHILDREN)?;
        while children.len() < CHILDREN {
            children.push(Child::Empty)?;
        }
        Ok(Branch(children))
    }
}

impl<S: Clone> Child<S> {
    #[inline(always)] // A copy of a branch does it for each of its children.
    fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(match self {
            Child::Empty => Child::Empty,
            Child::Block(block) => Child::Block(block.share()?),
            Child::Branch(branch) => Child::Branch(branch.share()?),
        })
    }

    /// Whether only this edit sees it. Of the children of a branch that an edit changed, that is nearly none.
    #[inline(always)]
    const fn is_own(&self) -> bool {
        match self {
            Child::Empty => false,
            Child::Block(block) => !block.is_shared(),
            Child::Branch(branch) => !branch.is_shared(),
        }
    }

    fn freeze(&mut self) {
        *self = match core::mem::replace(self, Child::Empty) {
            Child::Empty => Child::Empty,
            Child::Block(block) => Child::Block(block.freeze()),
            Child::Branch(branch) => Child::Branch(branch.freeze()),
        };
    }

    fn memory(&self) -> usize {
        match self {
            Child::Empty => 0,
            Child::Block(block) => block.get().memory(),
            Child::Branch(branch) => {
                let below = branch.get().0.iter().map(Child::memory);
                below.fold(branch_bytes::<S>(), usize::saturating_add)
            }
        }
    }
}

impl<S: Clone> Node for Block<S> {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        let mut ends = Vec::with_capacity(self.ends.len().saturating_add(1))?;
        ends.extend_from_slice(&self.ends)?;
        Ok(Block {
            ends,
            bytes: self.bytes.try_clone()?,
            sharing: self.sharing,
            shared: self.shared.try_clone()?,
        })
    }

    fn freeze(&mut self) {
        crate::table::trim(&mut self.ends);
        crate::table::trim(&mut self.bytes);
        crate::table::trim(&mut self.shared);
    }
}

impl<S: Clone> Node for Branch<S> {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        let mut children = Vec::with_capacity(CHILDREN)?;
        for child in &self.0 {
            children.push(child.share()?)?;
        }
        Ok(Branch(children))
    }

    fn freeze(&mut self) {
        self.0.iter_mut().filter(|child| child.is_own()).for_each(Child::freeze);
    }
}
