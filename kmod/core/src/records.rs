// SPDX-License-Identifier: MIT OR Apache-2.0
//! A persistent list of short byte strings: the lines of a policy, packed.
//!
//! A record has a number, which grows from record to record and stays while the list lives; so numbers say which of two
//! came first. Records stand in blocks of 64, all bytes of a block in one piece of memory: four bytes beside what is
//! stored. The blocks are parts of a persistent array ([`crate::slots`]): adding a record copies its block and the few
//! branches above.
//!
//! A removed record leaves a hole of four bytes, and nothing when it was the last one. When there are more holes than
//! records, [`Records::is_sparse`] tells the owner to write the list anew.
//!
//! A record can have a shared value beside its bytes (`S`: the conditions of ACL entries).

use crate::link::{Node, SHARED};
use crate::mem::{OutOfMemory, Vec};
use crate::slots::Slots;
use core::mem::size_of;

/// The bits of a number that say where in its block a record is.
const BLOCK_BITS: u32 = 6;
/// Records of a block.
const BLOCK: u32 = 1 << BLOCK_BITS;

/// The list.
pub(crate) struct Records<S = ()> {
    blocks: Slots<Block<S>>,
    /// The number that the next record gets.
    next: u32,
    live: u32,
    /// Bytes of the blocks.
    bytes: usize,
}

/// Records that are added one after the other: the last block of a list, outside of it while it fills.
pub(crate) struct Tail<S = ()> {
    block: Block<S>,
    /// Bytes that the next block will probably have.
    room: usize,
}

struct Block<S> {
    /// Where each record ends in `bytes`. An empty record is a hole.
    ends: Vec<u32>,
    bytes: Vec<u8>,
    /// The shared values by place, up to the last record that has one.
    shared: Vec<Option<S>>,
}

/// Memory of a block without what is in it.
const fn block_bytes<S>() -> usize {
    size_of::<Block<S>>().saturating_add(SHARED)
}

/// One record.
pub(crate) struct Record<'a, S> {
    pub(crate) number: u32,
    pub(crate) bytes: &'a [u8],
    pub(crate) shared: &'a Option<S>,
}

impl<S: Clone> Records<S> {
    pub(crate) const fn new() -> Self {
        Records { blocks: Slots::new(), next: 0, live: 0, bytes: 0 }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// How many records there are.
    pub(crate) const fn len(&self) -> u32 {
        self.live
    }

    /// Bytes of memory of the blocks and branches; not what is behind the shared values.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.saturating_add(self.blocks.bytes())
    }

    /// Whether most of the numbers are holes.
    pub(crate) const fn is_sparse(&self) -> bool {
        self.next > self.live.saturating_mul(2).saturating_add(64)
    }

    /// The record of a number.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<Record<'_, S>> {
        self.blocks.get(number.wrapping_shr(BLOCK_BITS))?.record(number)
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
        let place = number.wrapping_shr(BLOCK_BITS);
        match self.blocks.edit(place)? {
            Some(block) => {
                let before = block.memory();
                block.push(number, bytes, shared)?;
                self.bytes = self.bytes.saturating_add(block.memory().saturating_sub(before));
            }
            None => {
                let mut block = Block::new();
                block.push(number, bytes, shared)?;
                let memory = block.memory();
                self.blocks.insert(place, block)?;
                self.bytes = self.bytes.saturating_add(memory);
            }
        }
        self.next = after;
        self.live = self.live.saturating_add(1);
        Ok(number)
    }

    /// Whether the next record begins a block. [`Records::append`] needs that, or a tail that is not empty.
    #[inline(always)]
    pub(crate) const fn is_at_block(&self) -> bool {
        self.next & (BLOCK - 1) == 0
    }

    /// Adds a record as the last one, as [`Records::push`] does, and returns its number; but it is in the list only when its
    /// block is full or after [`Records::finish`]. Nothing else may change the list until then.
    ///
    /// # Errors
    /// Out of memory, or no numbers are left; the list holds what it held, and the tail is good for nothing any more.
    #[inline(always)]
    pub(crate) fn append(
        &mut self,
        tail: &mut Tail<S>,
        bytes: &[u8],
        shared: &Option<S>,
    ) -> Result<u32, OutOfMemory> {
        let block = &mut tail.block;
        let at = block.ends.len();
        if at == 0 {
            block.ends = Vec::with_capacity(BLOCK as usize)?;
            block.bytes = Vec::with_capacity(tail.room)?;
        }
        if bytes.is_empty() {
            return Err(OutOfMemory);
        }
        if shared.is_some() {
            block.push_shared(at as u32, shared.clone())?;
        }
        block.bytes.extend_from_slice(bytes)?;
        block.ends.push_reserved(block.bytes.len() as u32)?;
        if at.wrapping_add(1) == BLOCK as usize {
            self.finish(tail)?;
            return Ok(self.next.wrapping_sub(1));
        }
        Ok(self.next.wrapping_add(at as u32))
    }

    /// Puts what was appended into the list.
    ///
    /// # Errors
    /// Out of memory, or no numbers are left; the list holds what it held, and what was appended is lost.
    #[inline(never)]
    pub(crate) fn finish(&mut self, tail: &mut Tail<S>) -> Result<(), OutOfMemory> {
        let mut block = core::mem::replace(&mut tail.block, Block::new());
        let count = block.ends.len() as u32;
        if count == 0 {
            return Ok(());
        }
        let after = self.next.checked_add(count).ok_or(OutOfMemory)?;
        u32::try_from(block.bytes.len()).map_err(|_| OutOfMemory)?;
        tail.room = block.bytes.len().saturating_add(block.bytes.len() / 8);
        block.freeze();
        let memory = block.memory();
        self.blocks.insert(self.next.wrapping_shr(BLOCK_BITS), block)?;
        self.bytes = self.bytes.saturating_add(memory);
        self.next = after;
        self.live = self.live.saturating_add(count);
        Ok(())
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
        let last = next.saturating_sub(1).wrapping_shr(BLOCK_BITS);
        for place in last.saturating_add(1)..=self.next.wrapping_shr(BLOCK_BITS) {
            if let Some(memory) = self.blocks.get(place).map(Block::memory) {
                self.blocks.remove(place)?;
                self.bytes = self.bytes.saturating_sub(memory);
            }
        }
        if let Some(block) = self.block(next.saturating_sub(1))? {
            let before = block.memory();
            block.ends.shorten((next.wrapping_sub(1) & (BLOCK - 1)).wrapping_add(1) as usize)?;
            let freed = before.saturating_sub(block.memory());
            self.bytes = self.bytes.saturating_sub(freed);
        }
        self.next = next;
        Ok(())
    }

    /// The block of a number, for changing.
    fn block(&mut self, number: u32) -> Result<Option<&mut Block<S>>, OutOfMemory> {
        self.blocks.edit(number.wrapping_shr(BLOCK_BITS))
    }

    /// A list with the same records, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(Records { blocks: self.blocks.share()?, next: self.next, live: self.live, bytes: self.bytes })
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        self.blocks.freeze();
    }
}

impl<S: Clone> Tail<S> {
    pub(crate) const fn new() -> Self {
        Tail { block: Block::new(), room: 0 }
    }

    /// Whether nothing was appended that is not in the list.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.block.ends.is_empty()
    }
}

impl<S: Clone> Block<S> {
    const fn new() -> Self {
        Block { ends: Vec::new(), bytes: Vec::new(), shared: Vec::new() }
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
        let shared = self.shared.get((number & (BLOCK - 1)) as usize).unwrap_or(&None);
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
        let done = self.push_shared(at, shared).and_then(|()| self.bytes.extend_from_slice(bytes));
        let done = done.and_then(|()| self.ends.push(after));
        if done.is_err() {
            self.drop_shared(at)?;
            self.bytes.shorten(end)?;
        }
        done
    }

    /// Keeps the shared value of the last record.
    fn push_shared(&mut self, at: u32, shared: Option<S>) -> Result<(), OutOfMemory> {
        if shared.is_some() {
            while (self.shared.len() as u32) < at {
                self.shared.push(None)?;
            }
            self.shared.push(shared)?;
        }
        Ok(())
    }

    /// Gives a shared value back.
    fn drop_shared(&mut self, at: u32) -> Result<(), OutOfMemory> {
        let Some(place) = self.shared.get_mut(at as usize) else {
            return Ok(());
        };
        *place = None;
        let used = self.shared.iter().rposition(Option::is_some);
        self.shared.shorten(used.map_or(0, |last| last.saturating_add(1)))
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
        self.drop_shared(at)
    }

    /// Bytes of the block, exact lengths.
    fn memory(&self) -> usize {
        block_bytes::<S>()
            .saturating_add(self.ends.len().saturating_mul(size_of::<u32>()))
            .saturating_add(self.bytes.len())
            .saturating_add(self.shared.len().saturating_mul(size_of::<Option<S>>()))
    }
}

impl<S: Clone> Node for Block<S> {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        let mut ends = Vec::with_capacity(self.ends.len().saturating_add(1))?;
        ends.extend_from_slice(&self.ends)?;
        Ok(Block { ends, bytes: self.bytes.try_clone()?, shared: self.shared.try_clone()? })
    }

    fn freeze(&mut self) {
        self.ends.trim();
        self.bytes.trim();
        self.shared.trim();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Records, Tail, BLOCK};
    use crate::mem::Arc;

    #[test]
    fn appending_makes_what_adding_one_by_one_makes() {
        let values = [Arc::new(1_u32).unwrap(), Arc::new(2).unwrap()];
        let record = |number: u32| {
            let bytes = std::vec![number as u8; (number * 7 % 61 + 1) as usize];
            (bytes, values.get(number as usize % 11).cloned())
        };
        for (first, count) in [(0, 1), (0, 64), (0, 65), (64, 63), (128, 128), (64 * 32, 64 * 3 + 1)] {
            let (mut one_by_one, mut appended) = (Records::new(), Records::new());
            for number in 0..first {
                let (bytes, shared) = record(number);
                one_by_one.push(&bytes, shared.clone()).unwrap();
                appended.push(&bytes, shared).unwrap();
            }
            assert!(appended.is_at_block());
            let mut tail = Tail::new();
            for number in first..first + count {
                let (bytes, shared) = record(number);
                assert_eq!(appended.append(&mut tail, &bytes, &shared).unwrap(), number);
                assert_eq!(one_by_one.push(&bytes, shared).unwrap(), number);
                assert_eq!(tail.is_empty(), (number + 1) % BLOCK == 0);
            }
            appended.finish(&mut tail).unwrap();
            appended.finish(&mut tail).unwrap();
            assert!(tail.is_empty());
            // And on as ever.
            for number in first + count..first + count + 70 {
                let (bytes, shared) = record(number);
                assert_eq!(appended.push(&bytes, shared.clone()).unwrap(), number);
                assert_eq!(one_by_one.push(&bytes, shared).unwrap(), number);
            }
            assert_eq!(appended.bytes(), one_by_one.bytes());
            assert!(one_by_one.iter().zip(appended.iter()).all(|(this, that)| {
                this.number == that.number
                    && this.bytes == that.bytes
                    && this.shared.as_deref() == that.shared.as_deref()
            }));
            assert_eq!(appended.iter().count() as u32, first + count + 70);
            for number in (0..first + count + 70).rev() {
                appended.remove(number).unwrap();
                one_by_one.remove(number).unwrap();
                assert_eq!(appended.bytes(), one_by_one.bytes());
            }
            assert_eq!(appended.bytes(), 0);
        }
    }

    #[test]
    fn empty_records_are_not_stored() {
        let (mut records, mut tail) = (Records::<()>::new(), Tail::new());
        assert!(records.append(&mut tail, &[], &None).is_err());
        records.finish(&mut tail).unwrap();
        assert_eq!((records.bytes(), records.is_empty()), (0, true));
    }
}
