// SPDX-License-Identifier: MIT OR Apache-2.0
//! The library behind the command line `sekisho`.
//!
//! It asks the policy core, which is the kernel's: what is accepted here is accepted there.

pub mod check;
pub mod later;
pub mod report;
pub mod source;
