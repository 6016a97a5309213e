// SPDX-License-Identifier: MIT OR Apache-2.0
//! Engine against oracle: 200,000 requests, always the same (`SEKISHO_DIFFERENTIAL_COUNT`
//! is another number). `cargo xtask differential` compares more, and others.

use generators::choices::Choices;
use generators::compare;

#[test]
fn engine_and_oracle_agree() {
    let count = match std::env::var("SEKISHO_DIFFERENTIAL_COUNT") {
        Ok(count) => {
            count.parse().unwrap_or_else(|_| panic!("SEKISHO_DIFFERENTIAL_COUNT={count} is no number"))
        }
        Err(_) => 200_000,
    };
    let tally = compare::run(&mut Choices::seeded(0x5EED), count).unwrap_or_else(|text| panic!("{text}"));
    assert!(tally.is_near(), "only {} of {} requests were granted", tally.granted, tally.done);
}
