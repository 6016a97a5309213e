// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many of each length there are: constant directories by their depth, keys of components by their bytes.
//!
//! A look-up by prefix has to try each length that occurs and no other; the list is short (a handful in a real policy) and
//! sorted, so that it can stop at the first length that does not fit.

use crate::mem::{OutOfMemory, Vec};
use core::mem::size_of;

/// Lengths and how often each occurs, shortest first.
pub(crate) struct Lengths(Vec<(u32, u32)>);

impl Lengths {
    /// None of any length.
    pub(crate) const fn new() -> Self {
        Lengths(Vec::new())
    }

    /// The lengths that there are, shortest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().map(|(len, _)| *len)
    }

    /// One of them.
    #[inline(always)]
    pub(crate) fn at(&self, place: usize) -> Option<u32> {
        self.0.get(place).map(|(len, _)| *len)
    }

    /// Gives unused memory back.
    pub(crate) fn trim(&mut self) {
        self.0.trim();
    }

    /// Notes one more of a length.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn add(&mut self, len: u32) -> Result<(), OutOfMemory> {
        if let Some(found) = self.0.iter_mut().find(|(old, _)| *old == len) {
            found.1 = found.1.saturating_add(1);
            return Ok(());
        }
        // Not `sort`: the one of `core` panics when an order contradicts itself.
        let mut longer = Vec::with_capacity(self.0.len().saturating_add(1))?;
        let mut rest = self.0.iter().copied().peekable();
        while let Some(shorter) = rest.next_if(|(old, _)| *old < len) {
            longer.push(shorter)?;
        }
        longer.push((len, 1))?;
        for other in rest {
            longer.push(other)?;
        }
        self.0 = longer;
        Ok(())
    }

    /// Notes one less.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn subtract(&mut self, len: u32) -> Result<(), OutOfMemory> {
        if let Some(place) = self.0.iter().position(|(old, _)| *old == len) {
            if let Some(found) = self.0.get_mut(place) {
                found.1 = found.1.saturating_sub(1);
                if found.1 == 0 {
                    self.0.remove(place);
                }
            }
        }
        Ok(())
    }

    /// Bytes of memory of the list.
    pub(crate) fn bytes(&self) -> usize {
        self.0.len().saturating_mul(size_of::<(u32, u32)>())
    }

    /// Another copy.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Lengths(self.0.try_clone()?))
    }
}
