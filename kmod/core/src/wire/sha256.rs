// SPDX-License-Identifier: MIT OR Apache-2.0
//! SHA-256 (FIPS 180-4), because the kernel build of the core has no dependencies.
//!
//! Small rather than fast: an image is read once at boot. Tests compare it with the crate `sha2`.

/// Constants of the rounds (FIPS 180-4, 4.2.2).
#[rustfmt::skip]
const K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// The digest of `message`.
pub fn digest(message: &[u8]) -> [u8; 32] {
    #[rustfmt::skip]
    let mut state: [u32; 8] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ];
    let mut blocks = message.chunks_exact(64);
    for block in blocks.by_ref() {
        compress(&mut state, block);
    }
    // The rest, a one bit, zeros, and the number of bits: one block, or two if the number does not fit any more.
    let rest = blocks.remainder();
    let mut last = [0_u8; 128];
    let bits = (message.len() as u64).wrapping_shl(3).to_be_bytes();
    let end: usize = if rest.len() < 56 { 64 } else { 128 };
    let padded = rest.iter().chain(&[0x80]);
    for (place, byte) in last.iter_mut().zip(padded) {
        *place = *byte;
    }
    if let Some(places) = last.get_mut(end.saturating_sub(8)..end) {
        for (place, byte) in places.iter_mut().zip(bits) {
            *place = byte;
        }
    }
    for block in last.get(..end).unwrap_or(&[]).chunks_exact(64) {
        compress(&mut state, block);
    }
    let mut digest = [0; 32];
    let mut places = digest.iter_mut();
    for word in state {
        // In this order: `zip` asks its left side first, and the bytes of a word end first.
        for (value, place) in word.to_be_bytes().iter().zip(&mut places) {
            *place = *value;
        }
    }
    digest
}

/// Takes a block of 64 bytes in.
fn compress(state: &mut [u32; 8], block: &[u8]) {
    // The sixteen newest words of the schedule, in a ring.
    let mut ring = [0_u32; 16];
    // Not `zip`: it divides by the length of the chunks, and a division by a variable can panic.
    let mut words = block.chunks_exact(4);
    for place in &mut ring {
        if let Some(Ok(bytes)) = words.next().map(<[u8; 4]>::try_from) {
            *place = u32::from_be_bytes(bytes);
        }
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    let mut first = true;
    for keys in K.chunks_exact(16) {
        for (at, key) in (0..16_usize).zip(keys) {
            let word = if first { get(&ring, at) } else { next(&mut ring, at) };
            let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let choice = (e & f) ^ (!e & g);
            let t1 = h.wrapping_add(s1).wrapping_add(choice).wrapping_add(*key).wrapping_add(word);
            let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let majority = (a & b) ^ (a & c) ^ (b & c);
            (h, g, f, e) = (g, f, e, d.wrapping_add(t1));
            (d, c, b, a) = (c, b, a, t1.wrapping_add(s0.wrapping_add(majority)));
        }
        first = false;
    }
    for (old, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *old = old.wrapping_add(new);
    }
}

#[inline(always)]
fn get(ring: &[u32; 16], at: usize) -> u32 {
    ring.get(at & 15).copied().unwrap_or(0)
}

/// The word that follows the sixteen in the ring; it takes the place of the oldest.
#[inline(always)]
fn next(ring: &mut [u32; 16], at: usize) -> u32 {
    let second = get(ring, at.wrapping_add(1));
    let newest = get(ring, at.wrapping_add(14));
    let s0 = second.rotate_right(7) ^ second.rotate_right(18) ^ (second >> 3);
    let s1 = newest.rotate_right(17) ^ newest.rotate_right(19) ^ (newest >> 10);
    let word = get(ring, at).wrapping_add(s0).wrapping_add(get(ring, at.wrapping_add(9))).wrapping_add(s1);
    if let Some(place) = ring.get_mut(at & 15) {
        *place = word;
    }
    word
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::digest;
    use sha2::{Digest, Sha256};

    #[test]
    fn known_digests() {
        let hex = |bytes: [u8; 32]| {
            bytes.iter().map(|byte| std::format!("{byte:02x}")).collect::<std::string::String>()
        };
        for (message, expected) in [
            (&b""[..], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
        ] {
            assert_eq!(hex(digest(message)), expected);
        }
    }

    #[test]
    fn all_lengths_up_to_five_blocks() {
        let message: std::vec::Vec<u8> =
            (0..320_u32).map(|number| (number.wrapping_mul(167) >> 3) as u8).collect();
        for len in 0..message.len() {
            assert_eq!(digest(&message[..len]), <[u8; 32]>::from(Sha256::digest(&message[..len])), "{len}");
        }
    }
}
