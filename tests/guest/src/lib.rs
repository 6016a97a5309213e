// SPDX-License-Identifier: MIT OR Apache-2.0
//! What programs that test Sekisho inside a guest share: the kernel's files, processes that act in a given domain, TAP.
//!
//! The driver is a policy manager in a domain whose profile is disabled. The acting processes ("subjects") are copies of
//! the same program under other names: a domain is named after the program, so a name is a domain.

pub mod kernel;
pub mod op;
pub mod subject;
pub mod tap;
