// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program `sekisho`, run as people run it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its tools too")]

mod check;
mod field;
mod later;
mod machine;
mod support;
