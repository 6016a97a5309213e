// SPDX-License-Identifier: GPL-2.0-only

//! The queues behind `grant_log` and `reject_log`: bounded, oldest first, one record a read.

use crate::sys::lock::{Lock, GRANT_LOG, REJECT_LOG};
use crate::sys::{self, task};
use core::mem::take;
use sekisho_core::audit::{self, Header, NoRecord};
use sekisho_core::engine::Decision;
use sekisho_core::facts::Facts;
use sekisho_core::mem::{OutOfMemory, Vec};
use sekisho_core::policy::Preferences;
use sekisho_core::profile::Mode;
use sekisho_core::request::Request;

/// Records held (reference 7.5: the default of max_grant_log and max_reject_log).
const MAX_RECORDS: usize = 1024;
/// Bytes held: names may be long, and whoever is refused must not fill the memory with refusals.
const MAX_BYTES: usize = 2 << 20;

/// A ring of records. Its slots are allocated as it first fills and stay.
pub(crate) struct Queue {
    slots: Vec<Vec<u8>>,
    first: usize,
    used: usize,
    bytes: usize,
    dropped: u32,
}

impl Queue {
    pub(crate) const fn new() -> Queue {
        Queue { slots: Vec::new(), first: 0, used: 0, bytes: 0, dropped: 0 }
    }

    /// Appends a record. A full queue keeps what it has and counts the new one as dropped (reference 11.4).
    fn push(&mut self, record: Vec<u8>) -> Result<(), OutOfMemory> {
        let at = self.first.wrapping_add(self.used);
        let wrapped = self.index(at);
        let bytes = self.bytes.saturating_add(record.capacity_bytes());
        if self.used >= MAX_RECORDS || bytes > MAX_BYTES {
            self.dropped = self.dropped.wrapping_add(1);
            return Ok(());
        }
        if self.slots.len() < MAX_RECORDS && at == self.slots.len() {
            self.slots.push(record)?;
        } else if let Some(slot) = self.slots.get_mut(wrapped) {
            *slot = record;
        }
        self.used = self.used.wrapping_add(1);
        self.bytes = bytes;
        Ok(())
    }

    /// Takes the oldest record out.
    pub(crate) fn pop(&mut self) -> Option<Vec<u8>> {
        if self.used == 0 {
            return None;
        }
        let record = self.slots.get_mut(self.first).map(take);
        self.first = self.index(self.first.wrapping_add(1));
        self.used = self.used.wrapping_sub(1);
        self.bytes = self.bytes.saturating_sub(record.as_ref().map_or(0, Vec::capacity_bytes));
        if self.used == 0 {
            self.first = 0;
        }
        record
    }

    /// Records that found no place.
    pub(crate) fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Wraps a position that is less than twice the length round the ring's end.
    fn index(&self, at: usize) -> usize {
        if at >= self.slots.len() {
            at.wrapping_sub(self.slots.len())
        } else {
            at
        }
    }
}

/// Who asked, and when.
pub(crate) struct Origin {
    /// Seconds since 1970.
    pub(crate) timestamp: u64,
    /// Thread id in the initial pid namespace.
    pub(crate) global_pid: u32,
}

impl Origin {
    /// The calling task, now.
    pub(crate) fn now() -> Origin {
        Origin { timestamp: sys::seconds(), global_pid: task::global_pid() }
    }

    fn header(&self, mode: Mode, profile: u8) -> Header {
        Header { timestamp: self.timestamp, global_pid: self.global_pid, mode, profile }
    }
}

/// Stores what `write` produces, or counts it as dropped when there is no memory: the decision does not depend on it.
fn append(queue: &Lock<Queue>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), NoRecord>) {
    let mut record = Vec::new();
    let written = write(&mut record);
    let mut queue = queue.lock();
    if written.is_err() || queue.push(record).is_err() {
        queue.dropped = queue.dropped.wrapping_add(1);
    }
}

/// Records a decision, if its profile wants that.
pub(crate) fn decision(
    origin: &Origin,
    decision: &Decision,
    preferences: &Preferences,
    facts: &Facts<'_>,
    domain: &[u8],
    request: &Request<'_>,
) {
    if decision.log {
        let header = origin.header(decision.mode, decision.profile);
        let queue = if decision.granted { &GRANT_LOG } else { &REJECT_LOG };
        append(queue, |record| audit::record(record, &header, preferences, facts, domain, request));
    }
}

/// Records an event of a domain: `use_profile N`, `transition_failed`, `quota_exceeded`, `execute_handler P`.
#[expect(clippy::too_many_arguments, reason = "these are the parts of a record")]
pub(crate) fn event(
    origin: &Origin,
    granted: bool,
    mode: Mode,
    profile: u8,
    preferences: &Preferences,
    facts: &Facts<'_>,
    domain: &[u8],
    text: &[u8],
) {
    let header = origin.header(mode, profile);
    let queue = if granted { &GRANT_LOG } else { &REJECT_LOG };
    append(queue, |record| audit::note(record, &header, preferences, facts, domain, text));
}
