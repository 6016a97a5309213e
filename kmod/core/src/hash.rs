// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hash of the index: keyed, almost universal, the same on every machine.
//!
//! A string is a polynomial over the field of the integers modulo the prime 2^61 - 1: its words of 32 bits, and its length,
//! are the coefficients, and the hash is the value at a secret point. Two strings of at most n words that somebody
//! chooses without knowing the point are two polynomials that differ, so they have the same value at no more than n + 1
//! points of 2^60 that the key can be: with a probability of (n + 1) / 2^60 at most. What the tables take is 32 bits of the
//! value times a second secret: two values that differ agree in these with a probability of about 2 / 2^32. The two secrets
//! are made of one key of 64 random bits, of which the policy has one ([`crate::policy`]). So nobody who chooses the
//! names of files can choose which of them share a place in a table. Equal hashes are always followed by a comparison of
//! the bytes, so a collision costs time and nothing else.
//!
//! Eight bytes, two words, are taken at a time, with one reduction. A 32-bit machine has no product of 128 bits; there
//! a product is put together of halves (`times_by_halves`), which is the same number.

/// The prime.
const PRIME: u64 = (1 << 61) - 1;

/// An odd constant with well spread bits (2^64 divided by the golden ratio).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// What is hashed with no secret: what nobody outside chooses.
pub(crate) const PUBLIC: u64 = seed(0);

/// The seed of a policy from a secret, each bit of which is to count.
pub(crate) const fn seed(key: u64) -> u64 {
    let mixed = key.wrapping_add(SPREAD);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// The secrets, made of a seed.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    point: u64,
    square: u64,
    last: u64,
}

impl Key {
    #[inline(always)]
    pub(crate) const fn new(seed: u64) -> Key {
        let point = (seed & PRIME) | 1;
        Key { point, square: times(point, point), last: (seed.wrapping_mul(SPREAD) >> 3) | 1 }
    }

    /// The hash of bytes behind a word that says what they are.
    #[inline]
    pub(crate) fn bytes(&self, what: u64, bytes: &[u8]) -> u64 {
        let mut hash = what & PRIME;
        let mut rest = bytes;
        while let Some((word, more)) = rest.split_first_chunk::<8>() {
            hash = self.step(hash, u64::from_le_bytes(*word), 0);
            rest = more;
        }
        self.end(hash, bytes)
    }

    /// The hash of a word, behind one that says what it is.
    #[inline(always)]
    pub(crate) fn word(&self, what: u64, word: u64) -> u64 {
        self.times_last(self.step(what & PRIME, word, 8))
    }

    /// Adds two coefficients of 32 bits, to the first of which `len` belongs.
    #[inline(always)]
    fn step(&self, hash: u64, word: u64, len: usize) -> u64 {
        let high = (word >> 32) | (len as u64).wrapping_shl(32) & PRIME;
        join(hash, self.square, high, self.point, word & 0xFFFF_FFFF)
    }

    /// Adds what is behind the last eight whole bytes, and the number of bytes.
    #[inline(always)]
    fn end(&self, hash: u64, bytes: &[u8]) -> u64 {
        // The last eight bytes, some of them again, are read at once; of fewer, one after the other.
        let last = match bytes.last_chunk::<8>() {
            Some(last) => u64::from_le_bytes(*last),
            None => bytes.iter().fold(0, |last, byte| (last << 8) | u64::from(*byte)),
        };
        self.times_last(self.step(hash, last, bytes.len()))
    }

    /// The value times the second secret, below the prime: the same on every machine.
    #[inline(always)]
    fn times_last(&self, hash: u64) -> u64 {
        let value = reduce(times(hash, self.last));
        if value >= PRIME {
            value.wrapping_sub(PRIME)
        } else {
            value
        }
    }
}

/// The hash of bytes.
#[inline]
pub(crate) fn bytes(seed: u64, bytes: &[u8]) -> u64 {
    Key::new(seed).bytes(0, bytes)
}

/// The hash of a word behind one that says what it is.
#[inline]
pub(crate) fn word(seed: u64, what: u64, word: u64) -> u64 {
    Key::new(seed).word(what, word)
}

/// Makes a number below 2^61 + 8 of one that is the same modulo the prime.
#[inline(always)]
const fn reduce(value: u64) -> u64 {
    (value & PRIME).wrapping_add(value >> 61)
}

/// `a` times `b`, modulo the prime, below 2^61 + 8. Both are below 2^61 + 8.
#[inline(always)]
const fn times(a: u64, b: u64) -> u64 {
    join(a, b, 0, 0, 0)
}

/// `a` times `b` and `c` times `d` and `e`, modulo the prime, below 2^61 + 8. All are below 2^61 + 8.
#[cfg(target_pointer_width = "64")]
#[inline(always)]
const fn join(a: u64, b: u64, c: u64, d: u64, e: u64) -> u64 {
    // A product of 64-bit numbers is one instruction here.
    let sum = (a as u128).wrapping_mul(b as u128).wrapping_add((c as u128).wrapping_mul(d as u128));
    let sum = sum.wrapping_add(e as u128);
    // Below 2^124, so that the upper part is below 2^63.
    reduce((sum as u64 & PRIME).wrapping_add((sum >> 61) as u64))
}

#[cfg(not(target_pointer_width = "64"))]
#[inline(always)]
const fn join(a: u64, b: u64, c: u64, d: u64, e: u64) -> u64 {
    join_by_halves(a, b, c, d, e)
}

/// The same without a product of 128 bits.
#[cfg(any(test, not(target_pointer_width = "64")))]
#[inline(always)]
const fn join_by_halves(a: u64, b: u64, c: u64, d: u64, e: u64) -> u64 {
    // Three numbers below 2^62 and one below 2^61.
    reduce(times_by_halves(a, b).wrapping_add(times_by_halves(c, d)).wrapping_add(e))
}

/// `a` times `b` below 2^61 + 8, put together of products of 32 bits by 32.
#[cfg(any(test, not(target_pointer_width = "64")))]
#[inline(always)]
const fn times_by_halves(a: u64, b: u64) -> u64 {
    let (a_high, a_low) = (a >> 32, a & 0xFFFF_FFFF);
    let (b_high, b_low) = (b >> 32, b & 0xFFFF_FFFF);
    // Below 2^59, 2^63 and 2^64. Modulo the prime, 2^64 is 8 and 2^61 is 1.
    let high = a_high.wrapping_mul(b_high);
    let middle = a_high.wrapping_mul(b_low).wrapping_add(a_low.wrapping_mul(b_high));
    let low = a_low.wrapping_mul(b_low);
    let middle = (middle >> 29).wrapping_add((middle & 0x1FFF_FFFF) << 32);
    reduce(reduce(high << 3).wrapping_add(reduce(middle)).wrapping_add(reduce(low)))
}

/// A hash of what nobody outside chooses.
#[inline(always)]
pub(crate) const fn spread(word: u64) -> u32 {
    (word.wrapping_mul(SPREAD) >> 32) as u32
}

/// The hashes of strings of which each begins as the one before: only what is different is gone through.
pub(crate) struct Row {
    key: Key,
    /// The value of nothing, of the first eight bytes, of the first sixteen and so on.
    steps: [u64; 16],
    /// How many of these, behind the first, are those of the last string.
    known: usize,
}

impl Row {
    pub(crate) fn new(seed: u64) -> Self {
        Row { key: Key::new(seed), steps: [0; 16], known: 0 }
    }

    /// What [`bytes`] says of `bytes`, which has `shared` bytes in common with the string before.
    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8], shared: usize) -> u64 {
        self.begin_again(shared);
        let mut hash = self.steps.get(self.known).copied().unwrap_or(0);
        let mut rest = bytes.get(self.known.wrapping_mul(8)..).unwrap_or(&[]);
        while let Some((word, more)) = rest.split_first_chunk::<8>() {
            hash = self.key.step(hash, u64::from_le_bytes(*word), 0);
            rest = more;
            if let Some(place) = self.steps.get_mut(self.known.wrapping_add(1)) {
                *place = hash;
                self.known = self.known.wrapping_add(1);
            }
        }
        self.key.end(hash, bytes)
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
    hash as u32
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

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

    /// Numbers at the edges of what is allowed, and others.
    fn numbers() -> impl Iterator<Item = u64> + Clone {
        let edges = [0, 1, 8, 0xFFFF_FFFF, 1 << 32, 1 << 60, PRIME - 1, PRIME, PRIME + 1, PRIME + 8];
        edges.into_iter().chain((0..40).map(|number| seed(number) & PRIME))
    }

    #[test]
    fn products_are_right_with_halves_and_without() {
        let prime = u128::from(PRIME);
        for (a, b) in numbers().flat_map(|a| numbers().map(move |b| (a, b))) {
            for (c, d, e) in [(0, 0, 0), (b, a, 5), (PRIME + 8, PRIME + 8, PRIME + 8), (a, a, b)] {
                let right = u128::from(a) * u128::from(b) % prime + u128::from(c) * u128::from(d) % prime;
                let right = (right + u128::from(e)) % prime;
                for found in [join(a, b, c, d, e), join_by_halves(a, b, c, d, e)] {
                    assert!(found < PRIME + 9, "{a} {b} {c} {d} {e}");
                    assert_eq!(u128::from(found) % prime, right, "{a} {b} {c} {d} {e}");
                }
            }
        }
    }

    #[test]
    fn the_hash_is_the_value_of_the_polynomial() {
        let key = Key::new(seed(99));
        let prime = u128::from(PRIME);
        let text = b"/usr/lib/a/library.so.1";
        let (words, last) = (text.chunks_exact(8), text.last_chunk::<8>().unwrap());
        let mut value = 0_u128;
        for (word, len) in words.map(|word| (word, 0)).chain([(&last[..], text.len() as u64)]) {
            let low = u128::from(u32::from_le_bytes(word[..4].try_into().unwrap()));
            let high =
                u128::from(u32::from_le_bytes(word[4..].try_into().unwrap())) + (u128::from(len) << 32);
            value = (value * u128::from(key.point) + high) % prime;
            value = (value * u128::from(key.point) + low) % prime;
        }
        let right = value * u128::from(key.last) % prime;
        assert_eq!(u128::from(key.bytes(0, text)), right);
        // So that a machine with another result is noticed.
        assert_eq!(
            (bytes(seed(1), text), word(seed(2), 3, 4)),
            (879_890_006_309_692_541, 886_052_021_249_254_806)
        );
    }

    /// Names that came into one place whatever the key was: bit 62 of one word cancels with bits 62 and 33 of the next.
    #[test]
    fn names_that_met_without_knowing_the_key_spread() {
        for key in 0..8 {
            let seed = seed(key);
            let mut places = std::collections::BTreeSet::new();
            for number in 0..2_048_u64 {
                let mut name = std::vec::Vec::new();
                for pair in 0..11 {
                    let flip = number >> pair & 1;
                    for (word, bits) in [(b"aaaaaaaa", flip << 62), (b"bbbbbbbb", flip << 62 | flip << 33)] {
                        name.extend_from_slice(&(u64::from_le_bytes(*word) ^ bits).to_le_bytes());
                    }
                }
                places.insert(fold(bytes(seed, &name)));
            }
            assert!(places.len() >= 2_047, "{} places", places.len());
        }
    }
}
