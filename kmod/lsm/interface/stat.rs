// SPDX-License-Identifier: GPL-2.0-only

//! `stat` and `errors`: what happened since boot. Both are read only.

use super::OpenFile;
use crate::log::Log;
use crate::sys::lock::ERRORS;
use crate::sys::snapshot;
use crate::{query, stats, Result};
use sekisho_core::mem::Vec;
use sekisho_core::number::Number;
use sekisho_core::text::Sink;

pub(super) fn read_errors(_: &mut OpenFile) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    ERRORS.lock().print(&mut text)?;
    Ok(text)
}

/// `key value` lines.
pub(super) fn read(_: &mut OpenFile) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    // What is no longer in force is not counted as used.
    snapshot::flush_reaper();
    let mut line = |key: &[u8], value: u64| -> Result {
        text.put(key)?;
        text.put(b" ")?;
        Number::decimal(value).print(&mut text)?;
        Ok(text.put(b"\n")?)
    };
    {
        let policy = snapshot::read();
        line(b"active", policy.is_active().into())?;
        line(b"generation", policy.generation())?;
        line(b"domains", policy.domains().count() as u64)?;
        line(b"policy_bytes", policy.memory() as u64)?;
    }
    line(b"snapshots", snapshot::alive().into())?;
    line(b"previous_bytes", snapshot::previous_bytes().unwrap_or(0) as u64)?;
    line(b"denied", stats::DENIED.get().into())?;
    line(b"fail_closed", stats::FAIL_CLOSED.get().into())?;
    line(b"rejected_lines", stats::REJECTED_LINES.get().into())?;
    line(b"grant_log_dropped", Log::Grant.dropped().into())?;
    line(b"reject_log_dropped", Log::Reject.dropped().into())?;
    line(b"audit_dropped", Log::Audit.dropped().into())?;
    line(b"records_lost", stats::RECORDS_LOST.get().into())?;
    line(b"queries", query::asked().into())?;
    Ok(text)
}
