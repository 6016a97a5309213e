// SPDX-License-Identifier: MIT OR Apache-2.0
//! The cases of `cargo xtask bench core`.
//!
//! Run alone, this program does each case once and prints a line for it: unit, value if it is known, name, budget, with
//! tabs between them. It stops with a message if a case does not end as it must. The counting is
//! done from outside: xtask runs it under valgrind's callgrind, which collects instructions only inside of
//! [`measured_section`] and writes one profile at each return from it. So the n-th profile is the n-th line printed here,
//! building the policies costs time but is not counted, and the program needs no `unsafe` and no help of the counter.

mod cases;
mod kinds;
mod patterns;
mod policies;

use std::hint::black_box;

/// Everything that is done in here is counted. The name is known to xtask.
#[inline(never)]
fn measured_section(work: &mut dyn FnMut()) -> u8 {
    work();
    // Keeps the call from becoming a jump, of which the counter would not see the return.
    black_box(0)
}

/// What a figure must be.
#[derive(Clone)]
pub(crate) enum Budget {
    /// It is stated and nothing else.
    Stated,
    /// No more than this.
    AtMost(u64),
    /// At most so many percent of the case before it with this name.
    Percent(u32, &'static str),
    /// At most so many more than the case before it with this name.
    More(u32, String),
}

impl std::fmt::Display for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Budget::Stated => f.write_str("stated"),
            Budget::AtMost(value) => write!(f, "at-most {value}"),
            Budget::Percent(percent, base) => write!(f, "percent {percent} {base}"),
            Budget::More(more, base) => write!(f, "more {more} {base}"),
        }
    }
}

/// Counts `work` under a name.
pub(crate) fn count(name: &str, budget: Budget, mut work: impl FnMut()) {
    measured_section(&mut work);
    println!("instructions\t-\t{name}\t{budget}");
}

/// A figure that is known without counting.
pub(crate) fn bytes(name: &str, budget: Budget, value: usize) {
    println!("bytes\t{value}\t{name}\t{budget}");
}

fn main() {
    // What the counting itself costs; xtask subtracts it.
    count("empty", Budget::Stated, || {});
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let groups: [(&str, fn()); 8] = [
        ("checks", cases::checks),
        ("conditions", cases::conditions),
        ("worst", cases::worst),
        ("patterns", patterns::all),
        ("edits", cases::edits),
        ("loading", cases::loading),
        ("kinds", kinds::checks),
        ("kinds-loading", kinds::loading),
    ];
    for (name, group) in groups {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            group();
        }
    }
}
