// SPDX-License-Identifier: MIT OR Apache-2.0
//! The policy: reading, deciding, changing, printing.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is how a test fails; only code in src/ must not"
)]

mod corpus;
mod crowd;
mod host;
mod memory;
mod near;
mod patterns;
mod props;
mod snapshot;
mod support;
mod transaction;
mod wire;
