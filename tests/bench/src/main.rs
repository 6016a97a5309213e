// SPDX-License-Identifier: MIT OR Apache-2.0
//! The cases of `cargo xtask bench core`.
//!
//! Run alone, this program does each case once and prints its name, unit and whether it went as it must. The counting is
//! done from outside: xtask runs it under valgrind's callgrind, which collects instructions only inside of
//! [`measured_section`] and writes one profile at each return from it. So the n-th profile is the n-th line printed here,
//! building the policies costs time but is not counted, and the program needs no `unsafe` and no help of the counter.

mod cases;
mod policies;

use std::hint::black_box;

/// Everything that is done in here is counted. The name is known to xtask.
#[inline(never)]
fn measured_section(work: &mut dyn FnMut()) -> u8 {
    work();
    // Keeps the call from becoming a jump, of which the counter would not see the return.
    black_box(0)
}

/// Counts `work` under a name; `bytes` cases print a figure of their own instead.
pub(crate) fn count(name: &str, mut work: impl FnMut()) {
    measured_section(&mut work);
    println!("instructions {name}");
}

/// A figure that is not counted but known.
pub(crate) fn bytes(name: &str, value: usize) {
    println!("bytes {value} {name}");
}

fn main() {
    // What the counting itself costs; xtask subtracts it.
    count("empty", || {});
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let groups: [(&str, fn()); 5] = [
        ("checks", cases::checks),
        ("conditions", cases::conditions),
        ("worst", cases::worst),
        ("edits", cases::edits),
        ("loading", cases::loading),
    ];
    for (name, group) in groups {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            group();
        }
    }
}
