// SPDX-License-Identifier: MIT OR Apache-2.0
//! Loading a policy at boot: the library behind `sekisho-init`.
//!
//! Everything that decides something is here and works on plain directories, so it is tested on the build machine.
//! Only [`machine`] talks to the running machine (mounts, power, exec).
//!
//! A policy is loaded whole or not at all: until `activate` is written nothing is enforced, so every failure before that
//! point leaves the kernel as if there were no policy (reference 12.1).

pub mod chunks;
pub mod failure;
pub mod load;
pub mod machine;
pub mod options;
