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
    let mut hash = step(seed, bytes.len() as u64);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        if let Ok(word) = chunk.try_into() {
            hash = step(hash, u64::from_le_bytes(word));
        }
    }
    let mut last = 0_u64;
    for byte in chunks.remainder() {
        last = (last << 8) | u64::from(*byte);
    }
    step(hash, last)
}

/// The hash as the maps take it.
#[inline(always)]
pub(crate) const fn fold(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}
