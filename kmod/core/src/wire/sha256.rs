// SPDX-License-Identifier: MIT OR Apache-2.0
//! SHA-256 (FIPS 180-4), because the kernel build of the core has no dependencies.
//!
//! Sixteen rounds are written out, with the words of the schedule under constant numbers, so that nothing is moved or
//! checked between them: less than 50 instructions a byte on x86-64, which without vector registers needs 41 at least.
//! Tests compare it with the crate `sha2`.

/// Constants of the rounds (FIPS 180-4, 4.2.2).
#[rustfmt::skip]
const K: [[u32; 16]; 4] = [
    [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    ],
    [
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    ],
    [
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    ],
    [
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ],
];

/// The digest of `message`.
#[inline(never)]
pub fn digest(message: &[u8]) -> [u8; 32] {
    #[rustfmt::skip]
    let mut state: [u32; 8] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ];
    let mut blocks = message.chunks_exact(64);
    for block in blocks.by_ref().filter_map(<[u8]>::first_chunk) {
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
    for block in last.get(..end).unwrap_or(&[]).chunks_exact(64).filter_map(<[u8]>::first_chunk) {
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

/// One round (FIPS 180-4, 6.2.2). The caller says which letter is which, so that no value moves. `$bc` is `b ^ c`, which was
/// `a ^ b` of the round before.
macro_rules! round {
    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident $bc:ident $key:expr, $word:expr) => {
        // Rotations of rotations: one copy of the value instead of three.
        let s1 = (($e.rotate_right(14) ^ $e).rotate_right(5) ^ $e).rotate_right(6);
        let choice = (($f ^ $g) & $e) ^ $g;
        $h = $h.wrapping_add($word).wrapping_add($key).wrapping_add(s1).wrapping_add(choice);
        $d = $d.wrapping_add($h);
        let s0 = (($a.rotate_right(9) ^ $a).rotate_right(11) ^ $a).rotate_right(2);
        let ab = $a ^ $b;
        let majority = ($bc & ab) ^ $b;
        $h = $h.wrapping_add(s0).wrapping_add(majority);
        $bc = ab;
    };
}

/// Sixteen rounds; `$word` gives the word of a number.
macro_rules! rounds {
    ([$a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident] $bc:ident $keys:ident $word:ident) => {
        round!($a $b $c $d $e $f $g $h $bc $keys[0], $word!(0));
        round!($h $a $b $c $d $e $f $g $bc $keys[1], $word!(1));
        round!($g $h $a $b $c $d $e $f $bc $keys[2], $word!(2));
        round!($f $g $h $a $b $c $d $e $bc $keys[3], $word!(3));
        round!($e $f $g $h $a $b $c $d $bc $keys[4], $word!(4));
        round!($d $e $f $g $h $a $b $c $bc $keys[5], $word!(5));
        round!($c $d $e $f $g $h $a $b $bc $keys[6], $word!(6));
        round!($b $c $d $e $f $g $h $a $bc $keys[7], $word!(7));
        round!($a $b $c $d $e $f $g $h $bc $keys[8], $word!(8));
        round!($h $a $b $c $d $e $f $g $bc $keys[9], $word!(9));
        round!($g $h $a $b $c $d $e $f $bc $keys[10], $word!(10));
        round!($f $g $h $a $b $c $d $e $bc $keys[11], $word!(11));
        round!($e $f $g $h $a $b $c $d $bc $keys[12], $word!(12));
        round!($d $e $f $g $h $a $b $c $bc $keys[13], $word!(13));
        round!($c $d $e $f $g $h $a $b $bc $keys[14], $word!(14));
        round!($b $c $d $e $f $g $h $a $bc $keys[15], $word!(15));
    };
}

/// Takes a block in.
fn compress(state: &mut [u32; 8], block: &[u8; 64]) {
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
    let mut bc = b ^ c;
    let [first, later @ ..] = &K;
    macro_rules! given {
        ($at:literal) => {
            ring[$at]
        };
    }
    rounds!([a b c d e f g h] bc first given);
    // The word that follows the sixteen in the ring takes the place of the oldest.
    macro_rules! next {
        ($at:literal) => {{
            let (second, newest) = (ring[($at + 1) % 16], ring[($at + 14) % 16]);
            let s0 = (second.rotate_right(11) ^ second).rotate_right(7) ^ (second >> 3);
            let s1 = (newest.rotate_right(2) ^ newest).rotate_right(17) ^ (newest >> 10);
            let word = ring[$at].wrapping_add(s0).wrapping_add(ring[($at + 9) % 16]).wrapping_add(s1);
            ring[$at] = word;
            word
        }};
    }
    for keys in later {
        rounds!([a b c d e f g h] bc keys next);
    }
    for (old, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *old = old.wrapping_add(new);
    }
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
