// SPDX-License-Identifier: MIT OR Apache-2.0
//! A table of shared parts with stable numbers: the domains and the groups of a policy.
//!
//! Entries and tasks refer to a part by its slot, which stays the same while the part exists and is used again
//! afterwards. The order in which the parts were made is kept beside, because that is the order in which they print.
//!
//! Snapshots share the parts. The first change of a part makes a private copy of it, the *hot* part, which further
//! changes find again; so 1,000 lines about one domain copy it once. Its shared place is allocated together with the
//! copy, so that putting it back ([`Table::cool`]) cannot fail.

use crate::mem::{Arc, OutOfMemory, UniqueArc, Vec};

/// What a table can hold.
pub(crate) trait Part: Sized {
    /// A copy with room for one element more in the list that grows.
    ///
    /// # Errors
    /// Out of memory.
    fn copy(&self) -> Result<Self, OutOfMemory>;
    /// Gives unused memory back, as far as possible.
    fn trim(&mut self);
    /// Bytes of everything that the part owns, without the part itself.
    fn memory(&self) -> usize;
}

/// The table.
pub(crate) struct Table<T> {
    slots: Vec<Option<Arc<T>>>,
    /// The used slots, oldest part first.
    order: Vec<u32>,
    /// The part that is being changed, and its slot. Always `None` in a committed policy.
    hot: Option<(u32, UniqueArc<T>)>,
}

impl<T: Part> Table<T> {
    pub(crate) const fn new() -> Self {
        Table { slots: Vec::new(), order: Vec::new(), hot: None }
    }

    /// A table with the same parts, shared. `self` has no hot part.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(Table { slots: self.slots.try_clone()?, order: self.order.try_clone()?, hot: None })
    }

    /// The part in `slot`.
    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        match &self.hot {
            Some((hot, part)) if *hot == slot => Some(part),
            _ => self.slots.get(slot as usize)?.as_deref(),
        }
    }

    /// All parts with their slots, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.order.iter().filter_map(|slot| self.get(*slot).map(|part| (*slot, part)))
    }

    /// The first part for which `wanted` is true.
    pub(crate) fn find(&self, mut wanted: impl FnMut(&T) -> bool) -> Option<u32> {
        self.iter().find(|(_, part)| wanted(part)).map(|(slot, _)| slot)
    }

    /// The part in `slot` for changing; `Ok(None)` if the slot is empty.
    ///
    /// # Errors
    /// Out of memory. The part is unchanged.
    pub(crate) fn edit(&mut self, slot: u32) -> Result<Option<&mut T>, OutOfMemory> {
        if !self.hot.as_ref().is_some_and(|(hot, _)| *hot == slot) {
            self.cool();
            let Some(part) = self.get(slot) else {
                return Ok(None);
            };
            let copy = UniqueArc::new(part.copy()?)?;
            self.hot = Some((slot, copy));
        }
        Ok(self.hot.as_mut().map(|(_, part)| &mut **part))
    }

    /// Puts the hot part back to where it is shared.
    pub(crate) fn cool(&mut self) {
        let Some((slot, mut part)) = self.hot.take() else {
            return;
        };
        part.trim();
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(part.into_arc());
        }
    }

    /// Adds a part as the newest one.
    ///
    /// # Errors
    /// Out of memory. The table holds what it held.
    pub(crate) fn insert(&mut self, part: T) -> Result<u32, OutOfMemory> {
        let part = Arc::new(part)?;
        let free = match self.slots.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                self.slots.push(None)?;
                self.slots.len().saturating_sub(1)
            }
        };
        let slot = u32::try_from(free).map_err(|_| OutOfMemory)?;
        // If this fails the slot made above stays empty and is the next one to be taken.
        self.order.push(slot)?;
        if let Some(place) = self.slots.get_mut(free) {
            *place = Some(part);
        }
        Ok(slot)
    }

    /// Removes a part; its slot becomes free.
    pub(crate) fn remove(&mut self, slot: u32) {
        if self.hot.as_ref().is_some_and(|(hot, _)| *hot == slot) {
            self.hot = None;
        }
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = None;
        }
        if let Some(position) = self.order.iter().position(|used| *used == slot) {
            self.order.remove(position);
        }
        while self.slots.last().is_some_and(Option::is_none) {
            let last = self.slots.len().saturating_sub(1);
            self.slots.remove(last);
        }
    }

    /// Puts the hot part back and gives unused memory back.
    pub(crate) fn settle(&mut self) {
        self.cool();
        trim(&mut self.slots);
        trim(&mut self.order);
    }

    pub(crate) fn memory(&self) -> usize {
        let own = self.slots.capacity_bytes().saturating_add(self.order.capacity_bytes());
        self.iter().fold(own, |sum, (_, part)| {
            sum.saturating_add(core::mem::size_of::<T>()).saturating_add(part.memory())
        })
    }
}

/// Gives unused memory of a list back if a smaller list can be allocated for the moment.
pub(crate) fn trim<T: Clone>(list: &mut Vec<T>) {
    if list.is_empty() {
        list.clear();
    } else if list.capacity_bytes() > list.len().saturating_mul(core::mem::size_of::<T>()) {
        if let Ok(exact) = list.try_clone() {
            *list = exact;
        }
    }
}

/// A copy of a list with room for one element more.
pub(crate) fn copy_with_room<T: Clone>(list: &Vec<T>) -> Result<Vec<T>, OutOfMemory> {
    let mut copy = Vec::with_capacity(list.len().saturating_add(1))?;
    copy.extend_from_slice(list)?;
    Ok(copy)
}
