// SPDX-License-Identifier: MIT OR Apache-2.0
//! Engine against oracle: 200,000 requests, always the same. `cargo xtask differential` compares more, and others.

use generators::choices::Choices;
use generators::compare;

#[test]
fn engine_and_oracle_agree() {
    let tally = compare::run(&mut Choices::seeded(0x5EED), 200_000).unwrap_or_else(|text| panic!("{text}"));
    assert!(tally.is_near(), "only {} of {} requests were granted", tally.granted, tally.done);
}
