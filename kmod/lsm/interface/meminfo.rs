// SPDX-License-Identifier: GPL-2.0-only

//! `meminfo`: what is used, and how much may be (reference 12.3).
//!
//! The policy is counted as its snapshot counts itself, in exact lengths. A quota of the policy that is smaller than the
//! policy takes nothing away; only what would make it larger is refused. Logs and queries are refused before they would reach
//! their quota. At boot the quotas are shares of the machine's memory (`quota.rs`). 0 means no quota; each log then still has a
//! bound of its own (`log.rs`).

use super::lines::{normal, number, outcome};
use super::OpenFile;
use crate::quota::Bound;
use crate::sys::snapshot;
use crate::{errors, log, query, Result};
use sekisho_core::mem::{OutOfMemory, Vec};
use sekisho_core::number::Number;
use sekisho_core::text::Sink;

/// Digits of a number, right-aligned.
const WIDTH: usize = 10;

pub(super) fn read(_: &mut OpenFile) -> Result<Vec<u8>> {
    snapshot::flush_reaper();
    let (policy, policy_quota) = {
        let policy = snapshot::read();
        (policy.memory(), policy.quota())
    };
    let (logs, queries) = (log::bytes(), query::bytes());
    let total = policy.saturating_add(logs).saturating_add(queries);
    let mut text = Vec::new();
    line(&mut text, b"Policy:      ", policy, policy_quota)?;
    line(&mut text, b"Audit logs:  ", logs, Bound::Logs.quota())?;
    line(&mut text, b"Query lists: ", queries, Bound::Queries.quota())?;
    line(&mut text, b"Total:       ", total, 0)?;
    Ok(text)
}

fn line(text: &mut Vec<u8>, label: &[u8], used: usize, quota: usize) -> Result<(), OutOfMemory> {
    text.put(label)?;
    aligned(text, used)?;
    if quota != 0 {
        text.put(b"   (Quota: ")?;
        aligned(text, quota)?;
        text.put(b")")?;
    }
    text.put(b"\n")
}

fn aligned(text: &mut Vec<u8>, value: usize) -> Result<(), OutOfMemory> {
    let mut digits = Vec::new();
    Number::decimal(value as u64).print(&mut digits)?;
    for _ in digits.len()..WIDTH {
        text.put(b" ")?;
    }
    text.put(&digits)
}

/// Lines `Policy: N`, `Audit logs: N`, `Query lists: N`.
pub(super) fn write(file: &mut OpenFile, bytes: &[u8]) -> Result {
    let mut writer = file.writer()?;
    let title = file.file.title();
    let mut edit = writer.edit()?;
    let mut changed = false;
    let (mut logs, mut queries) = (None, None);
    file.for_lines(bytes, &mut |place, line| {
        let Some(normal) = normal(title, place, line)? else { return Ok(()) };
        let text = normal.bytes();
        if text.is_empty() {
            return Ok(());
        }
        let value = |label: &[u8]| text.strip_prefix(label).and_then(number);
        if let Some(bytes) = value(b"Policy: ") {
            edit.set_quota(bytes);
            changed |= outcome(title, place, line, Ok(()))?;
        } else if let Some(bytes) = value(b"Audit logs: ") {
            logs = Some(bytes);
        } else if let Some(bytes) = value(b"Query lists: ") {
            queries = Some(bytes);
        } else {
            let message =
                "write Policy: N, Audit logs: N or Query lists: N, where N is a number of bytes, 0 for no quota";
            errors::rejected(title, place, 1, message, line);
        }
        Ok(())
    })?;
    if changed {
        writer.publish(edit)?;
        Bound::Policy.changed();
    }
    if let Some(bytes) = logs {
        Bound::Logs.set(bytes);
    }
    if let Some(bytes) = queries {
        Bound::Queries.set(bytes);
    }
    Ok(())
}
