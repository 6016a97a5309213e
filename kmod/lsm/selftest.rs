// SPDX-License-Identifier: GPL-2.0-only

//! A check at boot that core can divide and print 64-bit numbers.
//!
//! On 32-bit ARM that is a call of `__aeabi_uldivmod`, which our patch provides (mainline's traps). The numbers reach core as
//! values that the compiler cannot know, and the printed digits are compared with the known ones, so a wrong quotient and a
//! wrong remainder both show.

use core::fmt::{self, Write};
use core::hint::black_box;
use kernel::pr_info;

/// Printed digits, at most as many as u64 has.
struct Digits {
    bytes: [u8; 20],
    used: usize,
}

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            *self.bytes.get_mut(self.used).ok_or(fmt::Error)? = byte;
            self.used = self.used.wrapping_add(1);
        }
        Ok(())
    }
}

/// Numbers on both sides of 32 bits, and how they print.
const CASES: [(u64, &str); 6] = [
    (0, "0"),
    (1_000, "1000"),
    (4_294_967_295, "4294967295"),
    (4_294_967_296, "4294967296"),
    (1_234_567_890_123_456_789, "1234567890123456789"),
    (u64::MAX, "18446744073709551615"),
];

/// Called once, after the hooks are in place.
pub(crate) fn run() {
    let wrong = CASES.iter().filter(|(number, digits)| !prints(black_box(*number), digits)).count();
    if wrong == 0 {
        pr_info!("self-test: 64-bit numbers print right, the largest is {}\n", black_box(u64::MAX));
    } else {
        pr_info!("self-test: {} of {} 64-bit numbers print wrong\n", wrong, CASES.len());
    }
}

fn prints(number: u64, digits: &str) -> bool {
    let mut out = Digits { bytes: [0; 20], used: 0 };
    write!(out, "{number}").is_ok() && out.bytes.get(..out.used) == Some(digits.as_bytes())
}
