// SPDX-License-Identifier: MIT OR Apache-2.0
//! A persistent list of byte strings that are all different: in the order in which they came, and found by what they say.
//!
//! One more or one less costs the same however many there are. A string that is removed and added again goes to the end.

use crate::hash;
use crate::map::Map;
use crate::mem::OutOfMemory;
use crate::records::Records;

/// The list.
pub(crate) struct Unique {
    seed: u64,
    records: Records,
    keys: Map<u32>,
}

impl Unique {
    pub(crate) const fn new(seed: u64) -> Self {
        Unique { seed, records: Records::new(), keys: Map::new() }
    }

    /// Bytes of memory of everything in the list.
    pub(crate) fn bytes(&self) -> usize {
        self.records.bytes().saturating_add(self.keys.bytes())
    }

    pub(crate) const fn len(&self) -> u32 {
        self.records.len()
    }

    /// The number of a string: greater than those of the strings before it, as long as none is removed.
    pub(crate) fn find(&self, string: &[u8]) -> Option<u32> {
        let is = |number: &u32| self.records.get(*number).is_some_and(|record| *record.bytes == *string);
        self.keys.get(self.hash(string)).copied().find(is)
    }

    fn hash(&self, string: &[u8]) -> u32 {
        hash::fold(hash::bytes(self.seed, string))
    }

    /// Adds a string, which is not empty, at the end. False if it is there already.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn add(&mut self, string: &[u8]) -> Result<bool, OutOfMemory> {
        if self.find(string).is_some() {
            return Ok(false);
        }
        let number = self.records.push(string, None)?;
        if let Err(error) = self.keys.insert(self.hash(string), number) {
            self.records.remove(number)?;
            return Err(error);
        }
        Ok(true)
    }

    /// Removes a string. False if it is not there.
    ///
    /// # Errors
    /// Out of memory; nothing changed that can be seen.
    pub(crate) fn remove(&mut self, string: &[u8]) -> Result<bool, OutOfMemory> {
        let Some(number) = self.find(string) else {
            return Ok(false);
        };
        self.keys.remove(self.hash(string), |old| *old == number)?;
        self.records.remove(number)?;
        if self.records.is_sparse() {
            let mut list = Unique::new(self.seed);
            for string in self.iter() {
                list.add(string)?;
            }
            *self = list;
        }
        Ok(true)
    }

    /// All strings in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.records.iter().map(|record| record.bytes)
    }

    /// A list with the same strings, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(Unique { seed: self.seed, records: self.records.share()?, keys: self.keys.share()? })
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        self.records.freeze();
        self.keys.freeze();
    }
}

impl crate::link::Node for Unique {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        self.share()
    }

    fn freeze(&mut self) {
        Unique::freeze(self);
    }
}
