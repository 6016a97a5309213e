// SPDX-License-Identifier: MIT OR Apache-2.0
//! The installer hook: gives an app's policy fragment the UID that the app got when it was installed.
//!
//! An app ships `assets/sekisho/domain_policy` in its APK: rules for its own files with `if task.uid=@GROUP`, and the
//! group without a number, because no app knows its UID beforehand. When the package manager installs the app, this
//! crate checks the fragment, puts its rules into the kernel's policy and the UID into the group; when the app goes, it
//! takes both out again.
//!
//! Principles
//! 1. An app's text is hostile. It is parsed by the kernel's own parser and printed again; the text itself ends in
//!    [`fragment`]. A fragment can only ask for the app's own files, and is refused whole or taken whole.
//! 2. In doubt a UID is in no group: an unclear list, a shared UID, a second line for a package, a refused update.
//! 3. Out before in, numbers before rules on the way out, rules before numbers on the way in.
//! 4. The kernel's text is the truth about the kernel. No UID is ever stored.
//!
//! The flow: [`packages_list`] and [`app_dir`] say what is installed and where, [`apk`] (with [`central_directory`] and
//! [`manifest`]) reads the app, [`fragment`] checks its policy, [`group`] says whose a group is, [`install`] keeps
//! [`state`] and kernel ([`loader`], [`kernel`]) in step for one package, [`sync`] does so for all, [`watch`] decides when.
//!
//! Limits: UIDs of user 0 only; `base.apk` only, and apps below one directory; the package manager is trusted to have
//! verified signatures, this crate reads none.

pub mod apk;
pub mod app_dir;
pub mod central_directory;
pub mod error;
pub mod fragment;
pub mod group;
pub mod install;
pub mod journal;
pub mod kernel;
pub mod loader;
pub mod manifest;
pub mod package;
pub mod packages_list;
pub mod state;
pub mod sync;
pub mod watch;
