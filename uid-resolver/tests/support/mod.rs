// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the tests share: a writer of APKs, a kernel that is the policy core, a device in a temporary directory.

#![expect(dead_code, reason = "each test file uses its part")]

pub mod apk;
pub mod device;
pub mod kernel;
