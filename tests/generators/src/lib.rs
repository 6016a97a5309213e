// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random policies, requests that nearly match them, and the comparison of the engine with the oracle.
//!
//! One generator for all who need one: the differential test, `cargo xtask differential`, the property tests and the
//! fuzz targets. They differ in where [`choices::Choices`] come from.
#![expect(clippy::unwrap_used, reason = "a generator without memory can only stop")]

pub mod acl;
pub mod choices;
pub mod compare;
pub mod image;
pub mod policy;
pub mod request;
pub mod target;
pub mod word;
pub mod world;
