// SPDX-License-Identifier: MIT OR Apache-2.0
//! The words of an image: each stands there once, sorted, without the beginning that it shares with the word before it.
//!
//! A word is a mark and the bytes that follow; the mark is 0x80 and the number of bytes that are those of the word before
//! ([`SHARED`] at most), and as no valid word has bytes from 0x80 on, the next mark is the end. So ten thousand paths take
//! three or four bytes each, and whatever has to be known about a word (is it valid, has it wildcards, what is its hash)
//! is found out once, however many rules it is in.
//!
//! The limit of what can be shared bounds what a hostile image can do: no byte of it becomes more than [`SHARED`] bytes
//! here.

use super::image::Flaw;
use crate::acl;
use crate::hash;
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
    start: usize,
    len: usize,
    /// Its hash, if it has no wildcards.
    hash: Option<u32>,
    /// The last stamp of [`Words::path_record`]; 0: nothing mentioned it, [`MENTIONED`]: something else did.
    stamp: Cell<u32>,
}

const MENTIONED: u32 = 1;

impl Words {
    /// Reads and checks the words. There may be `room` bytes in them: a policy with them would take more than that.
    pub(crate) fn read(packed: &[u8], seed: u64, room: usize) -> Result<Words, Flaw> {
        let mut words = Words { bytes: Vec::new(), list: Vec::new() };
        // A head, then the beginning of the word before.
        let mut buffer = [0_u8; HEAD + SHARED + 1];
        let (mut last_start, mut last_len, mut last_plain) = (0_usize, 0_usize, 0_usize);
        let mut total = 0_usize;
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
            let grows = match own.first() {
                // Nobody shares more than there is; what is left out is all that could be.
                Some(first) if shared < SHARED => {
                    shared == last_len
                        || shared < last_len
                            && buffer.get(HEAD.wrapping_add(shared)).is_some_and(|last| last < first)
                }
                Some(_) => words.bytes.get(last_start..).and_then(|last| last.get(SHARED..)) < Some(own),
                None => false,
            };
            if !grows || shared > last_len {
                return Err(Flaw::Order);
            }
            let len = shared.saturating_add(own.len());
            total = total.saturating_add(len);
            if total > room {
                return Err(Flaw::Quota);
            }
            let places = buffer.iter_mut().skip(HEAD.wrapping_add(shared));
            for (place, byte) in places.zip(own) {
                *place = *byte;
            }
            let start = words.bytes.len().saturating_add(HEAD);
            record::set_head(&mut buffer, len)?;
            match buffer.get(..HEAD.saturating_add(len)) {
                Some(all) => words.bytes.extend_from_slice(all)?,
                None => {
                    words.bytes.extend_from_slice(buffer.get(..HEAD.wrapping_add(shared)).unwrap_or(&[]))?;
                    words.bytes.extend_from_slice(own)?;
                }
            }
            let word = words.bytes.get(start..).unwrap_or(&[]);
            let mut hash = None;
            if is_plain {
                last_plain = len;
                hash = Some(hash_of(seed, word));
            } else {
                acl::check_word(word, Reason::BadPath)?;
                last_plain = name::printable_len(word, b'\\');
                if pattern::skip_units(word).is_empty() {
                    hash = Some(hash_of(seed, word));
                }
            }
            words.list.push(Word { start, len, hash, stamp: Cell::new(0) })?;
            (last_start, last_len) = (start, len);
        }
        Ok(words)
    }

    /// Number of words.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// A word, which is mentioned.
    pub(crate) fn get(&self, number: u32) -> Option<&[u8]> {
        let word = self.list.get(number as usize)?;
        word.stamp.set(word.stamp.get().max(MENTIONED));
        self.bytes.get(word.start..word.start.wrapping_add(word.len))
    }

    /// The record of an entry with this path and nothing else, as [`record::write`] would make it. `stamp` is greater than
    /// all that were given before, or the last one.
    #[inline]
    pub(crate) fn path_record(&mut self, number: u32, stamp: u32, bits: u16) -> Option<PathRecord<'_>> {
        let word = self.list.get(number as usize)?;
        let is_first = word.stamp.replace(stamp) != stamp;
        let end = word.start.wrapping_add(word.len);
        let bytes = self.bytes.get_mut(word.start.wrapping_sub(HEAD)..end)?;
        record::set_operations(bytes, Class::Path, bits);
        Some(PathRecord { bytes, hash: word.hash, is_first })
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

#[inline]
fn hash_of(seed: u64, word: &[u8]) -> u32 {
    hash::fold(hash::bytes(seed, word))
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
