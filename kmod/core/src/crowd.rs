// SPDX-License-Identifier: MIT OR Apache-2.0
//! Entries that are many in one place: with the same path, the same signal, or all ranges of addresses.
//!
//! Up to [`FEW`] entries stand beside each other where their path leads, and are tried one after the other. If there are more,
//! one number that says so ([`CROWD`]) takes their place, and they stand in a crowd: each found by all that it says, so that none
//! is added twice, and by what a request can tell them apart by ([`crate::lane`]).

use crate::lane::{Ask, Lane, Shape};
use crate::link::{Node, SHARED};
use crate::map::Map;
use crate::mem::{OutOfMemory, Vec};
use crate::ranges::{self, Ranges};
use crate::slots::Slots;
use core::mem::size_of;

/// Entries of one place that need no crowd.
pub(crate) const FEW: usize = 8;
/// The bit of a number that is that of a crowd, not of an entry. No list is that long.
pub(crate) const CROWD: u32 = 1 << 31;

/// The crowds of a list.
pub(crate) struct Crowds {
    crowds: Slots<Crowd>,
    /// The number of the next one.
    next: u32,
    /// Bytes of the crowds.
    bytes: usize,
}

/// One crowd.
pub(crate) struct Crowd {
    /// The word that leads here; empty if it is none.
    word: Vec<u8>,
    /// The entries by hashes of what they say.
    keys: Map<u32>,
    /// The entries by their lanes.
    ranges: Ranges,
    /// How many entries there are of each shape.
    shapes: Vec<(Shape, u32)>,
    len: u32,
}

/// An entry for a crowd.
pub(crate) struct Member {
    pub(crate) number: u32,
    /// A hash of what it says.
    pub(crate) key: u32,
    pub(crate) lane: Lane,
}

impl Crowds {
    pub(crate) const fn new() -> Self {
        Crowds { crowds: Slots::new(), next: 0, bytes: 0 }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.next == 0
    }

    /// Bytes of memory of everything in here, and of this.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            .saturating_add(SHARED)
            .saturating_add(self.crowds.bytes())
            .saturating_add(self.bytes)
    }

    /// The crowd of a number.
    pub(crate) fn get(&self, number: u32) -> Option<&Crowd> {
        self.crowds.get(number & !CROWD)
    }

    /// Adds a crowd and returns its number.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn add(&mut self, crowd: Crowd) -> Result<u32, OutOfMemory> {
        let number = self.next;
        let bytes = crowd.bytes();
        self.crowds.insert(number, crowd)?;
        self.next = number.wrapping_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(number | CROWD)
    }

    /// Changes a crowd; returns how many entries it has then.
    ///
    /// # Errors
    /// Those of `change`, or out of memory.
    pub(crate) fn change(
        &mut self,
        number: u32,
        change: impl FnOnce(&mut Crowd) -> Result<(), OutOfMemory>,
    ) -> Result<usize, OutOfMemory> {
        let Some(crowd) = self.crowds.edit(number & !CROWD)? else {
            return Ok(0);
        };
        let before = crowd.bytes();
        let result = change(crowd);
        self.bytes = self.bytes.saturating_sub(before).saturating_add(crowd.bytes());
        result.map(|()| crowd.len as usize)
    }

    /// Drops a crowd.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn remove(&mut self, number: u32) -> Result<(), OutOfMemory> {
        let Some(bytes) = self.get(number).map(Crowd::bytes) else {
            return Ok(());
        };
        self.crowds.remove(number & !CROWD)?;
        self.bytes = self.bytes.saturating_sub(bytes);
        while self.next > 0 && self.get(self.next.wrapping_sub(1)).is_none() {
            self.next = self.next.wrapping_sub(1);
        }
        Ok(())
    }
}

impl Crowd {
    /// An empty crowd.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn new(word: &[u8]) -> Result<Self, OutOfMemory> {
        Ok(Crowd {
            word: crate::text::owned(word)?,
            keys: Map::new(),
            ranges: Ranges::new(),
            shapes: Vec::new(),
            len: 0,
        })
    }

    /// The word that leads here; empty if it is none.
    pub(crate) fn word(&self) -> &[u8] {
        &self.word
    }

    /// Bytes of memory of everything in it, itself included.
    fn bytes(&self) -> usize {
        size_of::<Self>()
            .saturating_add(SHARED)
            .saturating_add(self.word.len())
            .saturating_add(self.keys.bytes())
            .saturating_add(self.ranges.bytes())
            .saturating_add(self.shapes.len().saturating_mul(size_of::<(Shape, u32)>()))
    }

    /// The entries that may say what has this hash.
    pub(crate) fn get(&self, key: u32) -> impl Iterator<Item = u32> + '_ {
        self.keys.get(key).copied()
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// Out of memory: drop the edit.
    pub(crate) fn add(&mut self, member: &Member) -> Result<(), OutOfMemory> {
        self.keys.insert(member.key, member.number)?;
        self.ranges.insert(member.range())?;
        match self.shapes.iter_mut().find(|(shape, _)| *shape == member.lane.shape) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.shapes.push((member.lane.shape, 1))?,
        }
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// Out of memory: drop the edit.
    pub(crate) fn remove(&mut self, member: &Member) -> Result<(), OutOfMemory> {
        self.keys.remove(member.key, |number| *number == member.number)?;
        self.ranges.remove(&member.range())?;
        if let Some(place) = self.shapes.iter().position(|(shape, _)| *shape == member.lane.shape) {
            let count = self.shapes.get_mut(place).map_or(0, |(_, count)| {
                *count = count.saturating_sub(1);
                *count
            });
            if count == 0 {
                self.shapes.remove(place);
            }
        }
        self.len = self.len.saturating_sub(1);
        Ok(())
    }

    /// The entries, if they are few, behind each other.
    pub(crate) fn few(&self) -> [Option<u32>; FEW] {
        let mut few = [None; FEW];
        let mut places = few.iter_mut();
        self.keys.find(&mut |number| {
            let place = places.next();
            let full = place.is_none();
            if let Some(place) = place {
                *place = Some(*number);
            }
            full
        });
        few
    }

    /// Shows the entries that may match a request, until `visit` returns true. `ask` is about [`Crowd::ranges`]. True if some
    /// may have been left out: then all must be tried.
    pub(crate) fn visit(&self, ask: &Ask<'_>, visit: &mut dyn FnMut(u32) -> bool) -> bool {
        self.shapes.iter().fold(false, |lost, (shape, _)| lost | ask.shape(*shape, visit))
    }

    /// The entries by their lanes.
    pub(crate) const fn ranges(&self) -> &Ranges {
        &self.ranges
    }
}

impl Member {
    fn range(&self) -> [u64; 6] {
        ranges::range(self.lane.key, self.lane.first, self.lane.last, self.number)
    }
}

impl Node for Crowds {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Crowds { crowds: self.crowds.share()?, ..*self })
    }

    fn freeze(&mut self) {
        self.crowds.freeze();
    }
}

impl Node for Crowd {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Crowd {
            word: self.word.try_clone()?,
            keys: self.keys.share()?,
            ranges: self.ranges.share()?,
            shapes: self.shapes.try_clone()?,
            len: self.len,
        })
    }

    fn freeze(&mut self) {
        self.keys.freeze();
        self.ranges.freeze();
        self.shapes.trim();
    }
}
