// SPDX-License-Identifier: MIT OR Apache-2.0
//! The words of an image: each stands there once, sorted, without the beginning that it shares with the word before it.
//!
//! A word is a mark and the bytes that follow; the mark is 0x80 and the number of bytes that are those of the word before
//! ([`SHARED`] at most), and as no valid word has bytes from 0x80 on, the next mark is the end. So ten thousand paths take
//! three or four bytes each, and whatever has to be known about a word (is it valid, has it wildcards, what is its hash)
//! is found out once, however many rules it is in.
//!
//! The limit of what can be shared bounds what a hostile image can do: a word takes two bytes of it at least, so none of
//! them becomes more than 80 here, and all are counted before there is memory for the first.

use super::flaw::Flaw;
use crate::acl;
use crate::hash::{self, Row};
#[cfg(not(sekisho_kernel))]
use crate::mem::OutOfMemory;
use crate::mem::Vec;
use crate::name;
use crate::pattern;
use crate::record;
use crate::request::Class;
use crate::text::Reason;
use core::cell::Cell;

/// Most bytes that a word shares with the one before.
pub(crate) const SHARED: usize = 0x7F;
const MARK: u8 = 0x80;
/// Bytes in front of each word in memory.
const HEAD: usize = record::HEAD;

/// The words, in memory.
pub(crate) struct Words {
    /// Each word behind room for the head of the record of an entry with this path and nothing else: so such an entry is
    /// ready when three bytes are written.
    bytes: Vec<u8>,
    list: Vec<Word>,
}

/// One word.
struct Word {
    start: u32,
    len: u32,
    /// Its hash, if it has no wildcards.
    hash: u32,
    has_wildcards: bool,
    /// The last stamp of [`Words::path_record`]; 0: nothing mentioned it, [`MENTIONED`]: something else did.
    stamp: Cell<u32>,
}

const MENTIONED: u32 = 1;

impl Words {
    /// Reads and checks the words. There may be `room` bytes in them: a policy with them would take more than that.
    #[inline(never)] // It needs all registers.
    pub(crate) fn read(packed: &[u8], seed: u64, room: usize) -> Result<Words, Flaw> {
        let (count, total) = measure(packed);
        if count > packed.len() / 2 {
            return Err(Flaw::Order); // Each has a byte of its own.
        }
        if total > room {
            return Err(Flaw::Quota);
        }
        let bytes = total.saturating_add(count.saturating_mul(HEAD));
        if u32::try_from(bytes).is_err() {
            return Err(Flaw::OutOfMemory);
        }
        let mut words = Words { bytes: Vec::with_capacity(bytes)?, list: Vec::with_capacity(count)? };
        // A head, then the beginning of the word before.
        let mut buffer = [0_u8; HEAD + SHARED + 1];
        let (mut last_start, mut last_len, mut last_plain) = (0_usize, 0_usize, 0_usize);
        let mut row = Row::new(seed);
        let mut rest = packed;
        while let Some((mark, tail)) = rest.split_first() {
            if *mark < MARK {
                return Err(Flaw::Tag);
            }
            let shared = usize::from(*mark & !MARK);
            let mut len = name::printable_len(tail, b'\\');
            let is_plain = match tail.get(len) {
                Some(byte) if *byte < MARK => {
                    let end = tail.iter().position(|byte| *byte >= MARK);
                    len = end.unwrap_or(tail.len());
                    false
                }
                _ => shared <= last_plain,
            };
            let (own, next) = pattern::cut(tail, len);
            rest = next;
            // What is left out is all that could be, and the word comes behind the last one.
            let grows = match own.first() {
                None => false,
                Some(_) if shared >= last_len => shared == last_len,
                Some(_) if shared == SHARED => words.is_behind_last(last_start, own),
                Some(first) => buffer.get(HEAD.wrapping_add(shared)).is_some_and(|last| last < first),
            };
            if !grows {
                return Err(Flaw::Order);
            }
            let len = shared.wrapping_add(own.len());
            // Eight bytes at once, what does not belong to the word included: nothing reads on behind its end.
            let place = buffer.get_mut(HEAD.wrapping_add(shared)..).unwrap_or(&mut []);
            let mut done = 0;
            if let Some((place, bytes)) = place.first_chunk_mut::<8>().zip(tail.first_chunk::<8>()) {
                *place = *bytes;
                done = 8;
            }
            if own.len() > done {
                for (place, byte) in place.iter_mut().zip(own).skip(done) {
                    *place = *byte;
                }
            }
            let start = words.bytes.len().wrapping_add(HEAD);
            record::set_head(&mut buffer, len)?;
            let (hash, has_wildcards) = match buffer.get(..HEAD.wrapping_add(len)) {
                Some(all) if is_plain => {
                    words.bytes.extend_from_slice(all)?;
                    last_plain = len;
                    let word = buffer.get(HEAD..HEAD.wrapping_add(len)).unwrap_or(&[]);
                    (hash::fold(row.bytes(word, shared)), false)
                }
                _ => {
                    words.bytes.extend_from_slice(buffer.get(..HEAD.wrapping_add(shared)).unwrap_or(&[]))?;
                    words.bytes.extend_from_slice(own)?;
                    let word = words.bytes.get(start..).unwrap_or(&[]);
                    last_plain = name::printable_len(word, b'\\');
                    check(word, shared, &mut row)?
                }
            };
            let stamp = Cell::new(0);
            (last_start, last_len) = (start, len);
            let (start, len) = (start as u32, len as u32);
            words.list.push_reserved(Word { start, len, hash, has_wildcards, stamp })?;
        }
        Ok(words)
    }

    /// Whether a word that has the first [`SHARED`] bytes of the last one, and these, comes behind it.
    #[cold]
    fn is_behind_last(&self, last_start: usize, own: &[u8]) -> bool {
        self.bytes.get(last_start..).and_then(|last| last.get(SHARED..)) < Some(own)
    }

    /// Number of words.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// A word, which is mentioned.
    pub(crate) fn get(&self, number: u32) -> Option<&[u8]> {
        let word = self.list.get(number as usize)?;
        word.stamp.set(word.stamp.get().max(MENTIONED));
        let start = word.start as usize;
        self.bytes.get(start..start.wrapping_add(word.len as usize))
    }

    /// The record of an entry with this path and nothing else, as [`record::write`] would make it. `stamp` is greater than
    /// all that were given before, or the last one.
    #[inline]
    pub(crate) fn path_record(&mut self, number: u32, stamp: u32, bits: u16) -> Option<PathRecord<'_>> {
        let word = self.list.get(number as usize)?;
        let is_first = word.stamp.replace(stamp) != stamp;
        let start = word.start as usize;
        let bytes = self.bytes.get_mut(start.wrapping_sub(HEAD)..start.wrapping_add(word.len as usize))?;
        record::set_operations(bytes, Class::Path, bits);
        let hash = if word.has_wildcards { None } else { Some(word.hash) };
        Some(PathRecord { bytes, hash, is_first })
    }

    /// Whether something mentions each of them.
    pub(crate) fn are_all_mentioned(&self) -> bool {
        self.list.iter().all(|word| word.stamp.get() != 0)
    }
}

/// What [`Words::path_record`] makes.
pub(crate) struct PathRecord<'a> {
    /// The record.
    pub(crate) bytes: &'a [u8],
    /// The hash of the path, if it has no wildcards.
    pub(crate) hash: Option<u32>,
    /// Whether this is the first with this stamp.
    pub(crate) is_first: bool,
}

impl<'a> PathRecord<'a> {
    /// The path.
    pub(crate) fn word(&self) -> &'a [u8] {
        self.bytes.get(HEAD..).unwrap_or(&[])
    }
}

/// Checks a word that is long or does not stand for itself. Returns its hash, and whether it has wildcards.
#[inline(never)]
fn check(word: &[u8], shared: usize, row: &mut Row) -> Result<(u32, bool), Reason> {
    acl::check_word(word, Reason::BadPath)?;
    if pattern::skip_units(word).is_empty() {
        return Ok((hash::fold(row.bytes(word, shared)), false));
    }
    row.begin_again(shared);
    Ok((0, true))
}

/// Number of words, and of bytes in all of them.
fn measure(packed: &[u8]) -> (usize, usize) {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let (mut count, mut shared) = (0_u64, 0_u64);
    let mut rest = packed;
    while let Some((chunk, more)) = rest.split_first_chunk::<8>() {
        let chunk = u64::from_le_bytes(*chunk);
        // A bit for each mark. A product with ones has the sum of all parts of the other factor in its highest part.
        let marks = (chunk >> 7) & LOW;
        count = count.wrapping_add(marks.wrapping_mul(LOW) >> 56);
        let parts = chunk & marks.wrapping_mul(0x7F);
        let parts = (parts & 0x00FF_00FF_00FF_00FF).wrapping_add((parts >> 8) & 0x00FF_00FF_00FF_00FF);
        shared = shared.wrapping_add(parts.wrapping_mul(0x0001_0001_0001_0001) >> 48);
        rest = more;
    }
    for mark in rest.iter().filter(|byte| **byte >= MARK) {
        count = count.wrapping_add(1);
        shared = shared.wrapping_add(u64::from(*mark & !MARK));
    }
    let own = packed.len().saturating_sub(count as usize);
    (count as usize, own.saturating_add(shared as usize))
}

/// Packs words that are sorted and different.
///
/// # Errors
/// Out of memory.
#[cfg(not(sekisho_kernel))]
pub(crate) fn pack(words: &[&[u8]]) -> Result<Vec<u8>, OutOfMemory> {
    let mut packed = Vec::new();
    let mut last: &[u8] = &[];
    for word in words {
        let shared = shared(last, word, SHARED);
        packed.push(MARK | shared as u8)?;
        packed.extend_from_slice(word.get(shared..).unwrap_or(&[]))?;
        last = word;
    }
    Ok(packed)
}

/// How many bytes both begin with, `most` at most.
#[cfg(not(sekisho_kernel))]
pub(crate) fn shared(this: &[u8], that: &[u8], most: usize) -> usize {
    let same = this.iter().zip(that).take(most).take_while(|(this, that)| this == that);
    same.fold(0, |count, _| count.wrapping_add(1))
}
