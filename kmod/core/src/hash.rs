// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hash of the index: keyed, quick on short strings, the same on every machine.
//!
//! Each policy has a secret key, so that nobody who chooses the names of files can choose which of them share a place
//! in a table. Eight bytes are taken at a time; a step is one multiplication and one fold of the upper half into the
//! lower one, without a 128-bit product, which 32-bit machines do not have. Equal hashes are always followed by a
//! comparison of the bytes, so a collision costs time and nothing else.

/// An odd constant with well spread bits (2^64 divided by the golden ratio).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Adds a word to a hash.
#[inline(always)]
pub(crate) const fn step(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(SPREAD);
    mixed ^ (mixed >> 29)
}

/// Adds bytes and their number to a hash.
///
/// The result of a chain of steps is cut to 32 bits by [`fold`].
#[inline]
pub(crate) fn bytes(seed: u64, bytes: &[u8]) -> u64 {
    let mut hash = seed;
    let mut rest = bytes;
    while let Some((word, more)) = rest.split_first_chunk::<8>() {
        hash = step(hash, u64::from_le_bytes(*word));
        rest = more;
    }
    end(hash, bytes)
}

/// Adds what is behind the last eight whole bytes, and the number of bytes.
#[inline(always)]
fn end(hash: u64, bytes: &[u8]) -> u64 {
    // The last eight bytes, some of them again, are read at once; of fewer, one after the other.
    let last = match bytes.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last),
        None => bytes.iter().fold(0, |last, byte| (last << 8) | u64::from(*byte)),
    };
    step(step(hash, last), bytes.len() as u64)
}

/// The hashes of strings of which each begins as the one before: only what is different is gone through.
pub(crate) struct Row {
    /// The hash of the first eight bytes, of the first sixteen and so on, seed first.
    steps: [u64; 16],
    /// How many of these, behind the seed, are those of the last string.
    known: usize,
}

impl Row {
    pub(crate) const fn new(seed: u64) -> Self {
        Row { steps: [seed; 16], known: 0 }
    }

    /// What [`bytes`] says of `bytes`, which has `shared` bytes in common with the string before.
    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8], shared: usize) -> u64 {
        self.begin_again(shared);
        let mut hash = self.steps.get(self.known).copied().unwrap_or(0);
        let mut rest = bytes.get(self.known.wrapping_mul(8)..).unwrap_or(&[]);
        while let Some((word, more)) = rest.split_first_chunk::<8>() {
            hash = step(hash, u64::from_le_bytes(*word));
            rest = more;
            if let Some(place) = self.steps.get_mut(self.known.wrapping_add(1)) {
                *place = hash;
                self.known = self.known.wrapping_add(1);
            }
        }
        end(hash, bytes)
    }

    /// The next string has no more in common with the ones before than that.
    #[inline]
    pub(crate) fn begin_again(&mut self, shared: usize) {
        self.known = self.known.min(shared >> 3);
    }
}

/// The hash as the maps take it.
#[inline(always)]
pub(crate) const fn fold(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{bytes, Row};

    #[test]
    fn a_row_of_strings_has_the_hashes_of_the_strings() {
        let text: std::vec::Vec<u8> =
            (0..400_u32).map(|number| (number.wrapping_mul(167) >> 3) as u8).collect();
        let mut row = Row::new(7);
        let mut last = std::vec::Vec::new();
        for (shared, len) in [(0, 0), (0, 7), (7, 8), (3, 64), (64, 65), (60, 129), (127, 300), (127, 128)]
            .into_iter()
            .chain((0..200).map(|number| (number % 90, 100 + number % 13)))
        {
            let mut string: std::vec::Vec<u8> = last[..shared].to_vec();
            string.extend(text[string.len()..len].iter().map(|byte| byte ^ len as u8));
            assert_eq!(row.bytes(&string, shared), bytes(7, &string), "{shared} {len}");
            last = string;
        }
    }
}
