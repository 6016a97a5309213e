// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask differential`: engine against oracle, as long as one likes.
//!
//! The comparison is a program of its own (`tests/generators`), because it must be built optimised to be worth it, with
//! overflow checks to find what a debug build would.

use std::num::NonZero;

use anyhow::Result;

use crate::test::cargo;

/// Builds and runs it.
pub fn run(count: u64, seed: u64, jobs: Option<usize>) -> Result<()> {
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let [count, seed, jobs] =
        [count, seed, jobs.unwrap_or_else(cores) as u64].map(|number| number.to_string());
    cargo(&[
        "run",
        "--quiet",
        "--locked",
        "--profile",
        "checked",
        "--package",
        "sekisho-generators",
        "--",
        &count,
        &seed,
        &jobs,
    ])
}
