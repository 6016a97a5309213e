// SPDX-License-Identifier: GPL-2.0-only

//! How often each line of the policy has granted something: what the file `coverage` tells.
//!
//! The counters are no part of the policy, because they change while it does not. They hang on the snapshot by a reference that
//! goes from one to the next, so that a hook that counts needs nothing but the read section that it is in anyway, and what is
//! no longer counted in is freed as a snapshot is. While nobody counts, a check pays for one look at that reference.
//!
//! A counter is found by what its line says (domain, operation, arguments, condition), not by where it stands: a line that is
//! deleted and written again, also by a transaction, goes on where it was. Lines that never granted anything need no counter.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use sekisho_core::domain::{Domain, DomainId, EntryId};
use sekisho_core::engine::Decision;
use sekisho_core::entry::Entry;
use sekisho_core::mem::{OutOfMemory, Vec};
use sekisho_core::request::{Operation, PathOp};

use crate::sys::snapshot::Reader;

/// Counters that there are; 192 KiB with their tags. A power of two.
const COUNTERS: usize = 1 << 14;
/// Places in which a counter can be: few, because a hook looks at them.
const PROBES: usize = 16;
/// An odd number with well spread bits.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// The counters, in a hash table that never gives a place to another line.
pub(crate) struct Table {
    /// What is counted in the place; 0: nothing yet.
    tags: Vec<AtomicU64>,
    counts: Vec<AtomicU32>,
    /// Hits for which there was no counter.
    overflow: AtomicU32,
}

impl Table {
    /// All counters at zero.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn new() -> Result<Table, OutOfMemory> {
        let (mut tags, mut counts) = (Vec::with_capacity(COUNTERS)?, Vec::with_capacity(COUNTERS)?);
        for _ in 0..COUNTERS {
            tags.push(AtomicU64::new(0))?;
            counts.push(AtomicU32::new(0))?;
        }
        Ok(Table { tags, counts, overflow: AtomicU32::new(0) })
    }

    /// Hits for which there was no counter.
    pub(crate) fn overflow(&self) -> u32 {
        self.overflow.load(Ordering::Relaxed)
    }

    /// Counts one more. Never sleeps or waits.
    fn add(&self, tag: u64) {
        match self.find(tag, true) {
            Some(count) => more(count),
            None => more(&self.overflow),
        }
    }

    fn get(&self, tag: u64) -> u32 {
        self.find(tag, false).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// The counter of a tag; a new one if there is none and there shall be one.
    fn find(&self, tag: u64, make: bool) -> Option<&AtomicU32> {
        for probe in 0..PROBES {
            let at = (tag as usize).wrapping_add(probe) & COUNTERS.wrapping_sub(1);
            let place = self.tags.get(at)?;
            let mut there = place.load(Ordering::Relaxed);
            if there == 0 && make {
                // Another task may take the place in this moment, perhaps for the same line.
                let taken = place.compare_exchange(0, tag, Ordering::Relaxed, Ordering::Relaxed);
                there = taken.map_or_else(|there| there, |_| tag);
            }
            if there == tag {
                return self.counts.get(at);
            }
            if there == 0 {
                return None;
            }
        }
        None
    }

    /// How often an operation of an entry, as it prints, has granted something.
    pub(crate) fn hits(&self, id: DomainId, domain: &Domain, entry: EntryId, operation: Operation) -> u32 {
        let Some(key) = domain.entry_key(entry) else { return 0 };
        let one = |operation: Operation| self.get(tag(id, key, operation));
        match operation {
            // Reading and writing are granted by this line too.
            Operation::Path(PathOp::ReadWrite) => [PathOp::ReadWrite, PathOp::Read, PathOp::Write]
                .into_iter()
                .fold(0, |sum, op| sum.saturating_add(one(Operation::Path(op)))),
            operation => one(operation),
        }
    }
}

/// One more, up to the greatest number.
fn more(count: &AtomicU32) {
    if count.fetch_add(1, Ordering::Relaxed) == u32::MAX {
        count.store(u32::MAX, Ordering::Relaxed);
    }
}

/// What a line is found by; never 0.
fn tag(domain: DomainId, key: u64, operation: Operation) -> u64 {
    let about = domain.to_bits() ^ u64::from(operation.bit()).rotate_left(48);
    let mixed = (key ^ about.wrapping_mul(SPREAD)).wrapping_mul(SPREAD);
    (mixed ^ (mixed >> 29)) | (1 << 63)
}

/// Counts the entry that has granted a request, if somebody wants to know. Never sleeps.
#[inline]
pub(crate) fn count(reader: &Reader, domain: DomainId, decision: &Decision, operation: Operation) {
    if let Some(table) = reader.counters() {
        count_in(table, reader, domain, decision, operation);
    }
}

#[cold]
#[inline(never)]
fn count_in(table: &Table, reader: &Reader, domain: DomainId, decision: &Decision, operation: Operation) {
    let Some(entry) = decision.entry.filter(|_| decision.granted) else { return };
    if let Some(key) = reader.domain(domain).and_then(|found| found.entry_key(entry)) {
        table.add(tag(domain, key, operation));
    }
}

/// The lines of an entry: its operations as they print, with their hits. `None`: nobody counts.
pub(crate) fn lines<'e>(
    table: Option<&'e Table>,
    id: DomainId,
    domain: &'e Domain,
    numbered: (EntryId, Entry<'e>),
) -> impl Iterator<Item = (u32, Operation)> + 'e {
    let (number, entry) = numbered;
    entry
        .operations()
        .map(move |operation| (table.map_or(0, |table| table.hits(id, domain, number, operation)), operation))
}
