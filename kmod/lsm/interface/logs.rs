// SPDX-License-Identifier: GPL-2.0-only

//! `grant_log`, `reject_log` and `audit`: one record a read, oldest first; what was read is gone (reference 11).
//!
//! `audit` has the records of both logs as bytes (`sekisho_core::wire::record`), and has them only while somebody has the
//! file open. A read with a buffer that is too small gets the beginning of a record and the next read the rest, so whoever
//! reads `audit` brings a large one (64 KiB are enough for every record whose names are not absurd).

use super::OpenFile;
use crate::log::{self, Log};
use crate::sys::defer;
use crate::Result;
use sekisho_core::mem::Vec;

pub(super) fn read_granted(_: &mut OpenFile) -> Result<Vec<u8>> {
    defer::flush();
    Ok(Log::Grant.pop())
}

pub(super) fn read_refused(_: &mut OpenFile) -> Result<Vec<u8>> {
    defer::flush();
    Ok(Log::Reject.pop())
}

pub(super) fn read_audit(_: &mut OpenFile) -> Result<Vec<u8>> {
    defer::flush();
    Ok(Log::Audit.pop())
}

pub(super) fn open_audit(_: &mut OpenFile) -> Result {
    log::audit_opened();
    Ok(())
}

pub(super) fn close_audit(_: &mut OpenFile) {
    log::audit_closed();
}
