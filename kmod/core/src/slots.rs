// SPDX-License-Identifier: MIT OR Apache-2.0
//! A persistent array: parts by number, found in two steps however many there are.
//!
//! The first 32 parts stand in a list of their own, so that a small array takes little memory and one step; all others in
//! branches of 32, which an edit copies one by one. Both lists are copied by each edit, which is a reference for 32 parts.
//! The form depends only on which numbers are taken, so removing gives back exactly what adding took.

use crate::link::{Link, Node};
use crate::mem::{OutOfMemory, Vec};
use crate::radix::{Branch, Place, BITS};
use core::mem::size_of;

/// A branch of parts.
type Parts<T> = Branch<Option<Link<T>>>;

/// The array.
pub(crate) struct Slots<T> {
    /// The parts below 32, without empty places behind the last one.
    first: Vec<Option<Link<T>>>,
    /// The other parts, without empty branches behind the last one.
    branches: Vec<Option<Link<Parts<T>>>>,
}

impl<T: Node> Slots<T> {
    pub(crate) const fn new() -> Self {
        Slots { first: Vec::new(), branches: Vec::new() }
    }

    /// Bytes of memory of the array; not the parts.
    pub(crate) fn bytes(&self) -> usize {
        const fn place<T>() -> usize {
            size_of::<Option<Link<T>>>()
        }
        let branch = Parts::<T>::BYTES.saturating_add(place::<Parts<T>>());
        let first = self.first.len().saturating_mul(place::<T>());
        first.saturating_add(self.branches.len().saturating_mul(branch))
    }

    /// The part of a number.
    #[inline(always)]
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let place = match branch_of(number) {
            None => self.first.get(number as usize)?,
            Some(branch) => self.branches.get(branch)?.as_ref()?.get().at(number)?,
        };
        place.as_ref().map(Link::get)
    }

    /// The part of a number, for changing.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn edit(&mut self, number: u32) -> Result<Option<&mut T>, OutOfMemory> {
        if self.get(number).is_none() {
            return Ok(None);
        }
        match self.place(number)? {
            Some(Some(link)) => link.edit().map(Some),
            _ => Ok(None),
        }
    }

    /// The place of a number, if there is one.
    fn place(&mut self, number: u32) -> Result<Option<&mut Option<Link<T>>>, OutOfMemory> {
        match branch_of(number) {
            None => Ok(self.first.get_mut(number as usize)),
            Some(branch) => match self.branches.get_mut(branch) {
                Some(Some(branch)) => Ok(branch.edit()?.at_mut(number)),
                _ => Ok(None),
            },
        }
    }

    /// Puts a part in the place of a number, which is empty.
    ///
    /// # Errors
    /// Out of memory; the array holds what it held.
    #[inline(always)] // Into the one that adds line after line.
    pub(crate) fn insert(&mut self, number: u32, part: T) -> Result<(), OutOfMemory> {
        let result = self.try_insert(number, part);
        if result.is_err() {
            self.shrink();
        }
        result
    }

    #[inline(always)]
    fn try_insert(&mut self, number: u32, part: T) -> Result<(), OutOfMemory> {
        let part = Link::new(part)?;
        match branch_of(number) {
            None => {
                while self.first.len() <= number as usize {
                    self.first.push(None)?;
                }
            }
            Some(branch) => {
                while self.branches.len() <= branch {
                    self.branches.push(Some(new_branch()?))?;
                }
            }
        }
        if let Some(place) = self.place(number)? {
            *place = Some(part);
        }
        Ok(())
    }

    /// Removes the part of a number.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn remove(&mut self, number: u32) -> Result<(), OutOfMemory> {
        if self.get(number).is_some() {
            if let Some(place) = self.place(number)? {
                *place = None;
            }
            self.shrink();
        }
        Ok(())
    }

    /// Drops what is empty at the end.
    fn shrink(&mut self) {
        fn cut<P>(list: &mut Vec<P>, is_empty: impl Fn(&P) -> bool) {
            while list.last().is_some_and(&is_empty) {
                list.remove(list.len().saturating_sub(1));
            }
        }
        cut(&mut self.first, Option::is_none);
        cut(&mut self.branches, |branch| branch.as_ref().map_or(true, |branch| branch.get().is_empty()));
    }

    /// An array with the same parts, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(Slots { first: share(&self.first)?, branches: share(&self.branches)? })
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        self.first.iter_mut().for_each(Place::freeze);
        self.branches.iter_mut().for_each(Place::freeze);
    }
}

/// Which branch the part of a number is in; `None`: it is one of the first.
#[inline(always)]
const fn branch_of(number: u32) -> Option<usize> {
    (number.wrapping_shr(BITS) as usize).checked_sub(1)
}

fn share<P: Place>(places: &Vec<P>) -> Result<Vec<P>, OutOfMemory> {
    let mut copies = Vec::with_capacity(places.len())?;
    for place in places {
        let mut copy = P::EMPTY;
        place.share_into(&mut copy)?;
        copies.push_reserved(copy)?;
    }
    Ok(copies)
}

/// Not inlined: a branch by value takes half a kilobyte of stack.
#[inline(never)]
fn new_branch<T: Node>() -> Result<Link<Parts<T>>, OutOfMemory> {
    Link::new(Branch::EMPTY)
}
