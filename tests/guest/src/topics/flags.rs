// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flags of open(2), the same on arm, arm64 and x86_64.

use guest::op::Op;

pub const RDONLY: i32 = 0;
pub const WRONLY: i32 = 1;
pub const RDWR: i32 = 2;
pub const CREAT: i32 = 0o100;
pub const EXCL: i32 = 0o200;
pub const TRUNC: i32 = 0o1000;
pub const APPEND: i32 = 0o2000;

/// open(2), then close.
pub fn open(path: &str, flags: i32, mode: u32) -> Op {
    Op::Open(path.into(), flags, mode)
}
