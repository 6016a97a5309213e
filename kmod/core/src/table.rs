// SPDX-License-Identifier: MIT OR Apache-2.0
//! A table of named parts with stable numbers: the domains and the groups of a policy.
//!
//! Entries and tasks refer to a part by its slot, which stays the same while the part exists. Slots are given in order, so
//! the order of the slots is that in which the parts were made and in which they print; a slot is used again only when it
//! was the last one. A snapshot shares all parts with the next one except those that an edit changed.

use crate::hash;
use crate::link::Node;
use crate::map::Map;
use crate::mem::OutOfMemory;
use crate::slots::Slots;

/// What a table can hold.
pub(crate) trait Part: Node {
    /// The name by which it is found; `None`: it cannot be found any more.
    fn name(&self) -> Option<&[u8]>;
    /// Bytes of everything that the part owns, itself included, exact lengths.
    fn bytes(&self) -> usize;
}

/// The table.
pub(crate) struct Table<T> {
    parts: Slots<T>,
    names: Map<u32>,
    /// The slot of the next part.
    next: u32,
    seed: u64,
    /// Bytes of the parts.
    bytes: usize,
}

impl<T: Part> Table<T> {
    pub(crate) const fn new(seed: u64) -> Self {
        Table { parts: Slots::new(), names: Map::new(), next: 0, seed, bytes: 0 }
    }

    /// The part in `slot`.
    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.parts.get(slot)
    }

    /// All parts with their slots, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..self.next).filter_map(|slot| self.get(slot).map(|part| (slot, part)))
    }

    fn hash(&self, name: &[u8]) -> u32 {
        hash::fold(hash::bytes(self.seed, name))
    }

    /// The slot of a name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<u32> {
        let is = |slot: &u32| self.get(*slot).and_then(Part::name) == Some(name);
        self.names.get(self.hash(name)).copied().find(is)
    }

    /// Changes a part; `Ok(None)` if the slot is empty. The name must not change, except to be taken back.
    ///
    /// # Errors
    /// Out of memory, of the table or of `change`.
    pub(crate) fn change<R, E: From<OutOfMemory>>(
        &mut self,
        slot: u32,
        change: impl FnOnce(&mut T) -> Result<R, E>,
    ) -> Result<Option<R>, E> {
        let Some(part) = self.parts.edit(slot)? else {
            return Ok(None);
        };
        let before = part.bytes();
        let result = change(part);
        let after = part.bytes();
        self.bytes = self.bytes.saturating_sub(before).saturating_add(after);
        result.map(Some)
    }

    /// Adds a part as the newest one.
    ///
    /// # Errors
    /// Out of memory, or no numbers are left. The table holds what it held.
    pub(crate) fn insert(&mut self, part: T) -> Result<u32, OutOfMemory> {
        let slot = self.next;
        self.insert_at(slot, part)?;
        Ok(slot)
    }

    /// Adds a part in a slot, which must be free.
    ///
    /// # Errors
    /// Out of memory, or no numbers are left. The table holds what it held.
    pub(crate) fn insert_at(&mut self, slot: u32, part: T) -> Result<(), OutOfMemory> {
        let after = slot.checked_add(1).ok_or(OutOfMemory)?;
        let hash = part.name().map(|name| self.hash(name));
        let bytes = part.bytes();
        self.parts.insert(slot, part)?;
        if let Some(hash) = hash {
            if let Err(error) = self.names.insert(hash, slot) {
                self.parts.remove(slot)?;
                return Err(error);
            }
        }
        self.next = self.next.max(after);
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// Makes a part, which had no name and now has one, one that can be found by it.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn name(&mut self, slot: u32) -> Result<(), OutOfMemory> {
        match self.get(slot).and_then(Part::name).map(|name| self.hash(name)) {
            Some(hash) => self.names.insert(hash, slot),
            None => Ok(()),
        }
    }

    /// Makes a part one that cannot be found by its name any more.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn unname(&mut self, slot: u32) -> Result<(), OutOfMemory> {
        if let Some(hash) = self.get(slot).and_then(Part::name).map(|name| self.hash(name)) {
            self.names.remove(hash, |named| *named == slot)?;
        }
        Ok(())
    }

    /// Removes a part; its slot becomes free.
    ///
    /// # Errors
    /// Out of memory; the part is there, perhaps without its name.
    pub(crate) fn remove(&mut self, slot: u32) -> Result<(), OutOfMemory> {
        let Some(bytes) = self.get(slot).map(Part::bytes) else {
            return Ok(());
        };
        self.unname(slot)?;
        self.parts.remove(slot)?;
        self.bytes = self.bytes.saturating_sub(bytes);
        while self.next > 0 && self.get(self.next.wrapping_sub(1)).is_none() {
            self.next = self.next.wrapping_sub(1);
        }
        Ok(())
    }

    /// A table with the same parts, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(Table {
            parts: self.parts.share()?,
            names: self.names.share()?,
            next: self.next,
            seed: self.seed,
            bytes: self.bytes,
        })
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        self.parts.freeze();
        self.names.freeze();
    }

    /// Bytes of the table and its parts.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.saturating_add(self.parts.bytes()).saturating_add(self.names.bytes())
    }
}
