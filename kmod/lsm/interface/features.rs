// SPDX-License-Identifier: GPL-2.0-only

//! The directory `features`: one small file for each thing that a program may want to know before it relies on it, so that
//! tools and kernels of different ages meet. A feature that is not there has no file; none is ever renamed.

use super::{FileType, Read};

const fn feature(name: &'static [u8], value: &'static [u8]) -> FileType {
    FileType { mode: 0o444, is_feature: true, ..FileType::text(name, Read::Text(value)) }
}

/// The files.
pub(super) static FEATURES: [FileType; 13] = [
    // Whose language domain_policy, exception_policy and profile speak.
    feature(b"policy_language\0", b"1.7\n"),
    feature(b"profile_version\0", b"20090903\n"),
    // The first byte of a record of `audit`.
    feature(b"audit_version\0", b"1\n"),
    // What `transaction` understands.
    feature(b"transaction\0", b"begin replace file commit abort rollback forget\n"),
    // What `select` lines of domain_policy understand.
    feature(b"select\0", b"pid global-pid domain allow_execute\n"),
    // The answers that `query` takes: deny, allow, decide again.
    feature(b"interactive_query\0", b"1 2 3\n"),
    // The files whose poll waits.
    feature(b"poll\0", b"query grant_log reject_log audit\n"),
    // What can be limited through `meminfo`.
    feature(b"quota\0", b"policy audit query\n"),
    // Lines that are not accepted are told in `errors`.
    feature(b"errors\0", b"file:line:column\n"),
    // What `coverage` understands.
    feature(b"coverage\0", b"0 1 reset\n"),
    // Where refused requests are told besides.
    feature(b"kernel_audit\0", if cfg!(CONFIG_AUDIT) { b"yes\n" } else { b"no\n" }),
    feature(b"proc_ccs\0", if cfg!(CONFIG_SECURITY_SEKISHO_PROC_CCS) { b"yes\n" } else { b"no\n" }),
    // Who may change policy: the opener and the writer both, asked at each write.
    feature(b"manager\0", b"opener writer\n"),
];
