// SPDX-License-Identifier: MIT OR Apache-2.0
//! The policy core of Sekisho: what the TOMOYO 1.7 policy language means, and nothing else.
//!
//! Input: bytes of names, numbers, credentials, a domain. Output: a decision, what to learn, a record for the log.
//! The same sources run in the kernel, on a device and on a developer's machine. The crate does no I/O, keeps no
//! global state and contains no `unsafe`. It cannot panic, and every allocation can fail with an error value: all
//! containers come from [`mem`], which maps them to the kernel's fallible ones in the kernel.
//!
//! The flow: lines go through [`edit::Edit`] into a [`policy::Policy`], an immutable snapshot; the kernel asks
//! [`engine::decide`] and [`transition::next_domain`], which never allocate; [`learn`] and [`audit`] turn a request
//! back into text. "reference 4.2" in comments means chapter 4.2 of the description of TOMOYO 1.7.
#![cfg_attr(not(sekisho_kernel), no_std)]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod acl;
mod acl_list;
pub mod address;
pub mod args;
pub mod audit;
pub mod capability;
pub mod condition;
mod crowd;
pub mod directive;
pub mod domain;
pub mod edit;
mod edit_acl;
mod edit_exception;
pub mod engine;
pub mod entry;
mod exceptions;
pub mod facts;
mod feature;
pub mod group;
mod groups;
mod hash;
#[cfg(not(sekisho_kernel))]
mod host;
pub mod item;
mod lane;
pub mod learn;
mod lines;
mod link;
mod manager;
mod map;
pub mod mem;
pub mod members;
pub mod name;
pub mod number;
#[cfg(not(sekisho_kernel))]
pub mod oracle;
mod path_index;
mod path_tree;
mod path_walk;
pub mod pattern;
pub mod policy;
mod policy_print;
mod ports;
pub mod preference;
mod procfs;
pub mod profile;
#[cfg(any(not(sekisho_kernel), CONFIG_SECURITY_SEKISHO_SELFTEST))]
pub mod question;
mod radix;
mod ranges;
mod record;
mod records;
#[cfg(any(not(sekisho_kernel), CONFIG_SECURITY_SEKISHO_SELFTEST))]
pub mod rehearsal;
pub mod request;
mod rules;
mod search;
pub mod select;
mod side;
mod slots;
mod table;
pub mod task;
pub mod text;
pub mod transaction;
pub mod transition;
mod tree;
mod unique;
#[cfg(any(not(sekisho_kernel), CONFIG_SECURITY_SEKISHO_SELFTEST))]
pub mod warning;
pub mod wire;

/// Version of the policy core, as `version` in securityfs shows it.
pub const VERSION: &str = "0.1.0";
