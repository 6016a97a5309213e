// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where choices come from: a pseudo-random sequence, or the bytes of a fuzzer.
//!
//! Generators ask only for numbers below a limit, so the same generator serves the differential test, which wants
//! many cases, and the fuzzer, which wants to change one choice and see what becomes of it.

/// A source of choices. It never ends: behind the fuzzer's bytes the sequence goes on.
pub struct Choices<'a> {
    bytes: &'a [u8],
    state: u64,
}

impl Choices<'static> {
    /// Pseudo-random choices; the same seed gives the same ones everywhere.
    pub fn seeded(seed: u64) -> Self {
        // Neighbouring seeds must not begin alike, and zero is the one state that xorshift never leaves.
        Choices {
            bytes: &[],
            state: (seed ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9).max(1),
        }
    }
}

impl<'a> Choices<'a> {
    /// Choices made by `bytes`, one byte for one choice.
    pub fn from_bytes(bytes: &'a [u8]) -> Self {
        Choices { bytes, state: 0x5EED }
    }

    /// Whether choices still come from the bytes given.
    pub fn has_bytes(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// 64 bits: xorshift64*.
    pub fn bits(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        let choice = match self.bytes {
            [first, second, rest @ ..] if limit > 256 => {
                self.bytes = rest;
                u64::from(u16::from_le_bytes([*first, *second]))
            }
            [first, rest @ ..] => {
                self.bytes = rest;
                u64::from(*first)
            }
            [] => self.bits() >> 33,
        };
        choice % limit
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A member of a list that is not empty.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}
