// SPDX-License-Identifier: MIT OR Apache-2.0
//! A persistent array: parts by number, found in a step or two among a thousand.
//!
//! A tree over the bits of the number, highest first, as deep as the greatest number needs. Its form depends only on which
//! numbers are taken, so removing gives back exactly what adding took.

use crate::link::Node;
use crate::mem::OutOfMemory;
use crate::radix::{Branch, Change, Child, View, BITS};

/// The array.
pub(crate) struct Slots<T> {
    root: Child<T>,
    /// How far the number is shifted at the root; 0: the root is a leaf or empty, or its children are leaves.
    depth: u32,
    bytes: usize,
}

impl<T: Node> Slots<T> {
    pub(crate) const fn new() -> Self {
        Slots { root: Child::Empty, depth: 0, bytes: 0 }
    }

    /// Bytes of memory of the branches; not the parts.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The part of a number.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let mut child = &self.root;
        let mut shift = self.depth;
        if self.is_beyond(number) {
            return None;
        }
        loop {
            match child.view() {
                View::Empty => return None,
                View::Leaf(part) => return Some(part),
                View::Branch(branch) => {
                    shift = shift.wrapping_sub(BITS);
                    child = branch.at(number.wrapping_shr(shift))?;
                }
            }
        }
    }

    /// Whether a number is greater than any that the tree has a place for.
    #[inline(always)]
    const fn is_beyond(&self, number: u32) -> bool {
        self.depth < u32::BITS && number.wrapping_shr(self.depth) != 0
    }

    /// The part of a number, for changing.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn edit(&mut self, number: u32) -> Result<Option<&mut T>, OutOfMemory> {
        if self.get(number).is_none() {
            return Ok(None);
        }
        let mut child = &mut self.root;
        let mut shift = self.depth;
        loop {
            match child.edit()? {
                Change::Empty => return Ok(None),
                Change::Leaf(part) => return Ok(Some(part)),
                Change::Branch(branch) => {
                    shift = shift.wrapping_sub(BITS);
                    match branch.at_mut(number.wrapping_shr(shift)) {
                        Some(below) => child = below,
                        None => return Ok(None),
                    }
                }
            }
        }
    }

    /// Puts a part in the place of a number, which is empty.
    ///
    /// # Errors
    /// Out of memory; the array holds what it held.
    pub(crate) fn insert(&mut self, number: u32, part: T) -> Result<(), OutOfMemory> {
        // The tree grows at its root when the number does not fit any more.
        while self.is_beyond(number) {
            if !matches!(self.root, Child::Empty) {
                let mut above = Child::branch()?;
                if let Change::Branch(branch) = above.edit()? {
                    if let Some(first) = branch.at_mut(0) {
                        core::mem::swap(first, &mut self.root);
                    }
                }
                self.root = above;
                self.bytes = self.bytes.saturating_add(Branch::<T>::BYTES);
            }
            self.depth = self.depth.saturating_add(BITS);
        }
        let mut made = 0;
        let part = Child::leaf(part)?;
        let result = insert(&mut self.root, self.depth, number, part, &mut made);
        self.bytes = self.bytes.saturating_add(made);
        if result.is_err() {
            // Branches that were made on the way are empty.
            let mut freed = 0;
            remove(&mut self.root, self.depth, number, &mut freed)?;
            self.bytes = self.bytes.saturating_sub(freed);
            self.shrink()?;
        }
        result
    }

    /// Removes the part of a number.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn remove(&mut self, number: u32) -> Result<(), OutOfMemory> {
        if self.get(number).is_none() {
            return Ok(());
        }
        let mut freed = 0;
        remove(&mut self.root, self.depth, number, &mut freed)?;
        self.bytes = self.bytes.saturating_sub(freed);
        self.shrink()
    }

    /// Takes levels away at the root while all numbers fit into the levels below.
    fn shrink(&mut self) -> Result<(), OutOfMemory> {
        while let View::Branch(branch) = self.root.view() {
            let mut children = branch.iter();
            let first = children.next();
            if children.any(|child| !matches!(child, Child::Empty)) {
                return Ok(());
            }
            let only = first.map_or(Ok(Child::Empty), Child::share)?;
            drop(children);
            self.root = only;
            self.depth = self.depth.saturating_sub(BITS);
            self.bytes = self.bytes.saturating_sub(Branch::<T>::BYTES);
        }
        if matches!(self.root, Child::Empty) {
            self.depth = 0;
        }
        Ok(())
    }

    /// An array with the same parts, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(Slots { root: self.root.share()?, ..*self })
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        self.root.freeze();
    }
}

/// Puts a part below `child`, where `number` has `shift` bits left; adds the bytes that took to `made`.
fn insert<T: Node>(
    child: &mut Child<T>,
    shift: u32,
    number: u32,
    part: Child<T>,
    made: &mut usize,
) -> Result<(), OutOfMemory> {
    if shift == 0 {
        *child = part;
        return Ok(());
    }
    if matches!(child, Child::Empty) {
        *child = Child::branch()?;
        *made = made.saturating_add(Branch::<T>::BYTES);
    }
    let Change::Branch(branch) = child.edit()? else {
        return Err(OutOfMemory); // Leaves are where no bits are left.
    };
    let shift = shift.wrapping_sub(BITS);
    match branch.at_mut(number.wrapping_shr(shift)) {
        Some(below) => insert(below, shift, number, part, made),
        None => Err(OutOfMemory), // There is a child for each value of the bits.
    }
}

/// Removes the part of a number below `child`, and branches that are empty then; adds the bytes that gave to `freed`.
fn remove<T: Node>(
    child: &mut Child<T>,
    shift: u32,
    number: u32,
    freed: &mut usize,
) -> Result<(), OutOfMemory> {
    if shift > 0 {
        if let Change::Branch(branch) = child.edit()? {
            let shift = shift.wrapping_sub(BITS);
            if let Some(below) = branch.at_mut(number.wrapping_shr(shift)) {
                remove(below, shift, number, freed)?;
            }
            if !branch.is_empty() {
                return Ok(());
            }
            *freed = freed.saturating_add(Branch::<T>::BYTES);
        }
    }
    *child = Child::Empty;
    Ok(())
}
