// SPDX-License-Identifier: MIT OR Apache-2.0
//! The literal parts by which the edges of a node are found ([`crate::component`]): how many there are of each kind and
//! length, and under which hashes those are that fit a component of a name.

use crate::component::{self, Key, INNER};
use crate::lengths::Lengths;
use crate::mem::{OutOfMemory, Vec};
use core::mem::size_of;

/// From how many components with inner keys on there is a filter for them, and its length in words.
const FILTER_FROM: u32 = 16;
const FILTER_WORDS: usize = 512;

/// Shows the hashes of all edges that there are.
type AllHashes<'f> = dyn Fn(&mut dyn FnMut(u32)) + 'f;

/// Number of keys of each kind, for prefixes and suffixes by length.
pub(crate) struct Keys {
    whole: u32,
    prefixes: Lengths,
    suffixes: Lengths,
    inner: [u32; INNER],
    bare: u32,
    /// Hashes of inner keys that may exist: a bit each; empty when there are few.
    filter: Vec<u64>,
}

impl Keys {
    /// None.
    pub(crate) const fn new() -> Self {
        Keys {
            whole: 0,
            prefixes: Lengths::new(),
            suffixes: Lengths::new(),
            inner: [0; INNER],
            bare: 0,
            filter: Vec::new(),
        }
    }

    /// Bytes of memory of the lists.
    pub(crate) fn bytes(&self) -> usize {
        let filter = self.filter.len().saturating_mul(size_of::<u64>());
        self.prefixes.bytes().saturating_add(self.suffixes.bytes()).saturating_add(filter)
    }

    /// Notes that there is one edge more or less of this key. `hashes` shows those of all edges that there are.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn count(
        &mut self,
        key: Key,
        hash: u32,
        more: bool,
        hashes: &AllHashes<'_>,
    ) -> Result<(), OutOfMemory> {
        let step = |count: &mut u32| {
            *count = if more { count.saturating_add(1) } else { count.saturating_sub(1) };
        };
        match key {
            Key::Whole => step(&mut self.whole),
            Key::Bare => step(&mut self.bare),
            Key::Prefix(len) if more => self.prefixes.add(len)?,
            Key::Prefix(len) => self.prefixes.subtract(len)?,
            Key::Suffix(len) if more => self.suffixes.add(len)?,
            Key::Suffix(len) => self.suffixes.subtract(len)?,
            Key::Inner(len) => {
                if let Some(count) = self.inner.get_mut((len as usize).wrapping_sub(1)) {
                    step(count);
                }
                let all = self.inner.iter().fold(0_u32, |sum, count| sum.saturating_add(*count));
                if all < FILTER_FROM {
                    self.filter = Vec::new();
                } else if more {
                    self.filter_add(hash, hashes)?;
                }
            }
        }
        Ok(())
    }

    fn filter_add(&mut self, hash: u32, hashes: &AllHashes<'_>) -> Result<(), OutOfMemory> {
        if self.filter.is_empty() {
            let mut filter = Vec::with_capacity(FILTER_WORDS)?;
            while filter.len() < FILTER_WORDS {
                filter.push(0)?;
            }
            self.filter = filter;
            let filter = &mut self.filter;
            hashes(&mut |hash| set_bit(filter, hash));
        }
        set_bit(&mut self.filter, hash);
        Ok(())
    }

    /// The hashes under which edges can be that match a component.
    #[inline(always)]
    pub(crate) const fn hashes<'n>(&'n self, text: &'n [u8], seed: u64) -> Hashes<'n> {
        Hashes { keys: self, text, seed, stage: Stage::Whole, at: 0, window: 0, len: 0, before: None }
    }

    /// Another copy.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Keys {
            whole: self.whole,
            prefixes: self.prefixes.copy()?,
            suffixes: self.suffixes.copy()?,
            inner: self.inner,
            bare: self.bare,
            filter: self.filter.try_clone()?,
        })
    }

    /// Gives unused memory back.
    pub(crate) fn trim(&mut self) {
        self.prefixes.trim();
        self.suffixes.trim();
    }
}

/// The filter has 2^15 bits.
fn set_bit(filter: &mut [u64], hash: u32) {
    if let Some(word) = filter.get_mut((hash & 0x7FFF).wrapping_shr(6) as usize) {
        *word |= 1_u64.wrapping_shl(hash & 63);
    }
}

#[inline(always)]
fn has_bit(filter: &[u64], hash: u32) -> bool {
    filter
        .get((hash & 0x7FFF).wrapping_shr(6) as usize)
        .is_some_and(|word| word.wrapping_shr(hash & 63) & 1 == 1)
}

/// The hashes under which edges can be that match a component of a name: of the whole of it, and of those of its
/// beginnings, ends and parts of which there are keys.
pub(crate) struct Hashes<'n> {
    keys: &'n Keys,
    text: &'n [u8],
    seed: u64,
    stage: Stage,
    /// How many lengths of this stage, or bytes, are done with.
    at: usize,
    /// The last bytes, of which there are `len`, and their hash.
    window: u64,
    len: u32,
    before: Option<u32>,
}

#[derive(Clone, Copy)]
enum Stage {
    Whole,
    Prefixes,
    Suffixes,
    Inner,
    Bare,
    End,
}

impl Hashes<'_> {
    fn enter(&mut self, stage: Stage) {
        (self.stage, self.at) = (stage, 0);
    }

    /// The next one.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<u32> {
        loop {
            match self.stage {
                Stage::Whole => {
                    self.enter(Stage::Prefixes);
                    if self.keys.whole > 0 {
                        return Some(component::whole_hash(self.text, self.seed));
                    }
                }
                Stage::Prefixes => {
                    let prefix = self.keys.prefixes.at(self.at).and_then(|len| self.text.get(..len as usize));
                    self.at = self.at.wrapping_add(1);
                    match prefix {
                        Some(prefix) => return Some(component::prefix_hash(prefix, self.seed)),
                        None => self.enter(Stage::Suffixes),
                    }
                }
                Stage::Suffixes => {
                    let start = |len: u32| self.text.len().wrapping_sub(len as usize);
                    let suffix = self.keys.suffixes.at(self.at).and_then(|len| self.text.get(start(len)..));
                    self.at = self.at.wrapping_add(1);
                    match suffix {
                        Some(suffix) => return Some(component::suffix_hash(suffix, self.seed)),
                        None => self.enter(Stage::Inner),
                    }
                }
                Stage::Inner => match self.inner() {
                    Some(hash) => return Some(hash),
                    None => self.enter(Stage::Bare),
                },
                Stage::Bare => {
                    self.enter(Stage::End);
                    if self.keys.bare > 0 {
                        return Some(component::bare_hash(self.seed));
                    }
                }
                Stage::End => return None,
            }
        }
    }

    /// The next window of `len` bytes whose hash may be a key; for all lengths of which there are keys.
    fn inner(&mut self) -> Option<u32> {
        loop {
            if self.len > 0 {
                let mask = u64::MAX.wrapping_shr(64_u32.wrapping_sub(self.len.wrapping_mul(8)));
                let filter = &*self.keys.filter;
                for byte in self.text.get(self.at..).unwrap_or(&[]) {
                    self.window = ((self.window << 8) | u64::from(*byte)) & mask;
                    self.at = self.at.wrapping_add(1);
                    if self.at < self.len as usize {
                        continue;
                    }
                    let hash = component::inner_hash(self.window, self.len, self.seed);
                    // Of a run of one byte all windows are the same.
                    if self.before != Some(hash) && (filter.is_empty() || has_bit(filter, hash)) {
                        self.before = Some(hash);
                        return Some(hash);
                    }
                }
            }
            // The next length.
            loop {
                let count = self.keys.inner.get(self.len as usize)?;
                self.len = self.len.wrapping_add(1);
                if *count > 0 {
                    break;
                }
            }
            (self.at, self.window, self.before) = (0, 0, None);
        }
    }
}
