// SPDX-License-Identifier: MIT OR Apache-2.0
//! A persistent array: parts by number, found in a few steps however many there are.
//!
//! The first 32 parts stand in a list of their own, so that a small array takes little memory and one step; those up to
//! 1,023 in branches of 32 in a second list, and all others in a tree of branches, as high as the greatest number needs. An
//! edit copies both lists and the branches above what it changes. The form depends only on which numbers are taken, so removing gives back exactly what adding took.

use crate::link::Node;
use crate::mem::{OutOfMemory, Vec};
use crate::radix::{Branch, Place, BITS};
use crate::tree::{Change, Child, View};
use core::mem::size_of;

/// Parts that stand in the first list.
const FIRST: u32 = 1 << BITS;
/// Parts that stand in the first list or below the second one.
const SECOND: u32 = FIRST << BITS;
/// Levels of the smallest tree.
const LOWEST: u32 = 3;

/// The array.
pub(crate) struct Slots<T> {
    /// The parts below [`FIRST`], without empty places behind the last one.
    first: Vec<Child<T>>,
    /// The branches of the parts below [`SECOND`], without empty places behind the last one.
    second: Vec<Child<T>>,
    /// The other parts; no branch is empty.
    top: Child<T>,
    /// Levels of branches in the tree: 0 without any, else [`LOWEST`] and more.
    height: u32,
    branches: u32,
    /// Places of the two lists that were given out for changing since they were shared: a bit each.
    changed: [u32; 2],
}

impl<T: Node> Slots<T> {
    pub(crate) const fn new() -> Self {
        Slots {
            first: Vec::new(),
            second: Vec::new(),
            top: Child::Empty,
            height: 0,
            branches: 0,
            changed: [0; 2],
        }
    }

    /// Bytes of memory of the array; not the parts.
    pub(crate) fn bytes(&self) -> usize {
        let places = self.first.len().saturating_add(self.second.len());
        let places = places.saturating_mul(size_of::<Child<T>>());
        places.saturating_add(Branch::<Child<T>>::BYTES.saturating_mul(self.branches as usize))
    }

    /// The part of a number.
    #[inline(always)]
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        match self.first.get(number as usize) {
            Some(place) => place.as_leaf(),
            None => match self.second.get(second(number)) {
                Some(place) => place.as_branch()?.at(number)?.as_leaf(),
                None => self.get_in_tree(number),
            },
        }
    }

    #[inline(never)]
    fn get_in_tree(&self, number: u32) -> Option<&T> {
        let mut shift = self.height.wrapping_mul(BITS);
        if number.checked_shr(shift).unwrap_or(0) != 0 {
            return None;
        }
        let mut child = &self.top;
        while shift != 0 {
            let branch = child.as_branch()?;
            shift = shift.wrapping_sub(BITS);
            child = branch.at(number.wrapping_shr(shift))?;
        }
        child.as_leaf()
    }

    /// The part of a number, for changing.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn edit(&mut self, number: u32) -> Result<Option<&mut T>, OutOfMemory> {
        if self.get(number).is_none() {
            return Ok(None);
        }
        self.note(number);
        let (mut place, mut level) =
            match (self.first.get_mut(number as usize), self.second.get_mut(second(number))) {
                (Some(place), _) => (place, 0),
                (None, Some(place)) => (place, 1),
                (None, None) => (&mut self.top, self.height),
            };
        loop {
            match place.edit()? {
                Change::Branch(branch) => {
                    level = level.wrapping_sub(1);
                    let Some(child) = branch.at_mut(below(number, level)) else {
                        return Ok(None);
                    };
                    place = child;
                }
                Change::Leaf(part) => return Ok(Some(part)),
                Change::Empty => return Ok(None),
            }
        }
    }

    /// Puts a part in the place of a number, which is empty.
    ///
    /// # Errors
    /// Out of memory; the array holds what it held.
    #[inline(always)] // Into the one that adds line after line.
    pub(crate) fn insert(&mut self, number: u32, part: T) -> Result<(), OutOfMemory> {
        let part = Child::leaf(part)?;
        self.note(number);
        let result = if number < FIRST { self.put_first(number, part) } else { self.put(number, part) };
        if result.is_err() {
            self.prune(number)?;
        }
        result
    }

    /// Notes that what is in a place of the lists will be an edit's own.
    #[inline(always)]
    fn note(&mut self, number: u32) {
        let [first, branches] = &mut self.changed;
        if number < FIRST {
            *first |= 1_u32.wrapping_shl(number);
        } else if number < SECOND {
            *branches |= 1_u32.wrapping_shl(second(number) as u32);
        }
    }

    fn put_first(&mut self, number: u32, part: Child<T>) -> Result<(), OutOfMemory> {
        while self.first.len() <= number as usize {
            self.first.push(Child::Empty)?;
        }
        if let Some(place) = self.first.get_mut(number as usize) {
            *place = part;
        }
        Ok(())
    }

    #[inline(never)]
    fn put(&mut self, number: u32, part: Child<T>) -> Result<(), OutOfMemory> {
        while number < SECOND && self.second.len() <= second(number) {
            self.second.push(Child::Empty)?;
        }
        while number >= SECOND && (number >= capacity(self.height) || self.height < LOWEST) {
            if !self.top.is_empty() {
                let mut above = Child::branch()?;
                if let Change::Branch(branch) = above.edit()? {
                    if let Some(place) = branch.at_mut(0) {
                        *place = core::mem::replace(&mut self.top, Child::Empty);
                    }
                }
                self.top = above;
                self.branches = self.branches.saturating_add(1);
            }
            self.height = self.height.saturating_add(1);
        }
        let (mut place, mut level) = match self.second.get_mut(second(number)) {
            Some(place) => (place, 1_u32),
            None => (&mut self.top, self.height),
        };
        while level > 0 {
            if place.is_empty() {
                *place = Child::branch()?;
                self.branches = self.branches.saturating_add(1);
            }
            level = level.wrapping_sub(1);
            match place.edit()? {
                Change::Branch(branch) => match branch.at_mut(below(number, level)) {
                    Some(child) => place = child,
                    None => return Err(OutOfMemory), // There is a child for each value of the bits.
                },
                _ => return Err(OutOfMemory), // It is a branch by now.
            }
        }
        *place = part;
        Ok(())
    }

    /// Removes the part of a number.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn remove(&mut self, number: u32) -> Result<(), OutOfMemory> {
        // So that nothing can fail half-way: what is above the part is the edit's own.
        if self.edit(number)?.is_some() {
            self.prune(number)?;
        }
        Ok(())
    }

    /// Empties the place of a number, and drops what is empty then.
    fn prune(&mut self, number: u32) -> Result<(), OutOfMemory> {
        if number < FIRST {
            if let Some(place) = self.first.get_mut(number as usize) {
                *place = Child::Empty;
            }
            cut(&mut self.first);
            return Ok(());
        }
        if number < SECOND {
            if let Some(place) = self.second.get_mut(second(number)) {
                prune(place, number, 1, &mut self.branches)?;
            }
            cut(&mut self.second);
            return Ok(());
        }
        if number < capacity(self.height) {
            prune(&mut self.top, number, self.height, &mut self.branches)?;
        }
        while self.height > 0 {
            match self.top.view() {
                View::Branch(branch)
                    if self.height == LOWEST || !branch.iter().skip(1).all(Place::is_empty) =>
                {
                    break
                }
                View::Branch(_) => {
                    let below = match self.top.edit()? {
                        Change::Branch(branch) => {
                            branch.at_mut(0).map(|child| core::mem::replace(child, Child::Empty))
                        }
                        _ => None,
                    };
                    self.top = below.unwrap_or(Child::Empty);
                    self.height = self.height.wrapping_sub(1);
                    self.branches = self.branches.saturating_sub(1);
                }
                _ => self.height = 0,
            }
        }
        Ok(())
    }

    /// An array with the same parts, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        let (first, second) = (share(&self.first)?, share(&self.second)?);
        let mut copy = Slots { first, second, top: Child::Empty, ..*self };
        self.top.share_into(&mut copy.top)?;
        Ok(copy)
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        let [first, second] = core::mem::take(&mut self.changed);
        freeze(&mut self.first, first);
        freeze(&mut self.second, second);
        self.top.freeze();
    }
}

/// The place of a number in the second list.
#[inline(always)]
const fn second(number: u32) -> usize {
    number.wrapping_shr(BITS).wrapping_sub(1) as usize
}

/// Drops the empty places at the end.
fn cut<T: Node>(places: &mut Vec<Child<T>>) {
    while places.last().is_some_and(Place::is_empty) {
        places.remove(places.len().saturating_sub(1));
    }
}

fn share<T: Node>(places: &Vec<Child<T>>) -> Result<Vec<Child<T>>, OutOfMemory> {
    let mut copies = Vec::with_capacity(places.len())?;
    for place in places {
        copies.push_reserved(match place {
            Child::Leaf(part) => Child::Leaf(part.clone()),
            Child::Branch(branch) => Child::Branch(branch.clone()),
            Child::Empty => Child::Empty,
            own => own.duplicate()?,
        })?;
    }
    Ok(copies)
}

fn freeze<T: Node>(places: &mut Vec<Child<T>>, changed: u32) {
    let mut changed = changed;
    while changed != 0 {
        if let Some(place) = places.get_mut(changed.trailing_zeros() as usize) {
            place.freeze();
        }
        changed &= changed.wrapping_sub(1);
    }
}

/// How many numbers a tree of a height has room for; the last one is never used.
#[inline(always)]
const fn capacity(height: u32) -> u32 {
    match 1_u32.checked_shl(height.wrapping_mul(BITS)) {
        Some(capacity) => capacity,
        None => u32::MAX,
    }
}

/// The bits of a number that name the child of a branch, which has so many levels below it.
#[inline(always)]
const fn below(number: u32, level: u32) -> u32 {
    number.wrapping_shr(level.wrapping_mul(BITS))
}

/// Empties the place of a number below `child`, and drops the branches that are empty then.
fn prune<T: Node>(
    child: &mut Child<T>,
    number: u32,
    level: u32,
    branches: &mut u32,
) -> Result<(), OutOfMemory> {
    let empty = match child.edit()? {
        Change::Empty => return Ok(()),
        Change::Leaf(_) => true,
        Change::Branch(branch) => {
            let level = level.wrapping_sub(1);
            if let Some(child) = branch.at_mut(below(number, level)) {
                prune(child, number, level, branches)?;
            }
            let empty = branch.is_empty();
            *branches = branches.saturating_sub(empty.into());
            empty
        }
    };
    if empty {
        *child = Child::Empty;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::Slots;
    use crate::link::Node;
    use crate::mem::OutOfMemory;

    struct Part(u32);

    impl Node for Part {
        fn copy(&self) -> Result<Self, OutOfMemory> {
            Ok(Part(self.0))
        }
        fn freeze(&mut self) {}
    }

    #[test]
    fn parts_stay_and_memory_goes_back() {
        let numbers = [0, 31, 32, 33, 500, 1023, 1024, 1025, 5000, 32_767, 32_768, 1 << 20, u32::MAX - 1];
        let mut slots = Slots::new();
        let mut sizes = std::vec::Vec::new();
        for number in numbers {
            sizes.push(slots.bytes());
            slots.insert(number, Part(number)).unwrap();
            slots.freeze();
            slots = slots.share().unwrap();
            for known in numbers {
                assert_eq!(slots.get(known).map(|part| part.0), (known <= number).then_some(known));
            }
            assert!(slots.get(number + 1).is_none());
        }
        for (number, size) in numbers.into_iter().zip(sizes).rev() {
            slots.edit(number).unwrap().unwrap().0 += 1;
            assert_eq!(slots.get(number).unwrap().0, number.wrapping_add(1));
            slots.remove(number).unwrap();
            slots.remove(number).unwrap();
            assert!(slots.get(number).is_none());
            assert_eq!(slots.bytes(), size, "{number}");
            slots.freeze();
            slots = slots.share().unwrap();
        }
        // From the front too.
        for number in numbers {
            slots.insert(number, Part(number)).unwrap();
        }
        for (at, number) in numbers.into_iter().enumerate() {
            slots.remove(number).unwrap();
            for known in numbers.into_iter().skip(at + 1) {
                assert_eq!(slots.get(known).map(|part| part.0), Some(known));
            }
        }
        assert_eq!((slots.bytes(), slots.height, slots.branches), (0, 0, 0));
    }
}
