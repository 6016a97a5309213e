// SPDX-License-Identifier: GPL-2.0-only

//! What is told about requests: the queues behind `grant_log`, `reject_log` and `audit`, the kernel's audit stream, and the
//! kernel's own log in verbose mode (reference 7.5, 11).
//!
//! A queue keeps what it has and drops what is new: when it holds as many records as the profile of the current domain allows
//! (`max_grant_log`, `max_reject_log`), or when all queues together would reach the quota `Audit logs` of `meminfo`. If
//! somebody says that there is no quota, each holds [`MAX_BYTES`] at most, because whoever is refused must not fill the memory with
//! refusals. Nothing of this changes a decision; how many were dropped is in `stat`.
//!
//! All functions may sleep.

use crate::quota::Bound;
use crate::sys::files::{self, Refusal, Wait};
use crate::sys::lock::{Lock, AUDIT_LOG, GRANT_LOG, REJECT_LOG};
use crate::sys::{self, task};
use core::mem::{replace, size_of};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use sekisho_core::audit::{self, Header, NoRecord};
use sekisho_core::engine::Decision;
use sekisho_core::facts::Facts;
use sekisho_core::mem::Vec;
use sekisho_core::policy::Preferences;
use sekisho_core::profile::Mode;
use sekisho_core::request::Request;
use sekisho_core::wire;

/// Bytes that one queue holds while no quota is set.
const MAX_BYTES: usize = 2 << 20;
/// Binary records held; who opens `audit` is there to read them.
const MAX_AUDIT: u32 = 4096;

/// Bytes of all queues.
static HELD: AtomicUsize = AtomicUsize::new(0);
/// Open descriptions of `audit`; its queue fills only while there are any.
static AUDIT_READERS: AtomicU32 = AtomicU32::new(0);

/// When and by whom a request was made; taken once, so that all records of one request agree.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    /// Seconds since 1970.
    pub(crate) timestamp: u64,
    /// The thread's id in the initial pid namespace.
    pub(crate) global_pid: u32,
}

impl Origin {
    /// The calling task, now.
    pub(crate) fn now() -> Origin {
        Origin { timestamp: sys::seconds(), global_pid: task::global_pid() }
    }

    /// The beginning of a record.
    pub(crate) fn header(&self, mode: Mode, profile: u8) -> Header {
        Header { timestamp: self.timestamp, global_pid: self.global_pid, mode, profile }
    }
}

/// Records, oldest first: those in `older` from `next` on, then those in `newer`. Nothing moves when one is taken out, and
/// what is empty gives its memory back.
pub(crate) struct Queue {
    older: Vec<Vec<u8>>,
    next: usize,
    newer: Vec<Vec<u8>>,
    bytes: usize,
    dropped: u32,
}

/// What a record costs.
fn cost(record: &Vec<u8>) -> usize {
    record.capacity_bytes().saturating_add(size_of::<Vec<u8>>())
}

impl Queue {
    pub(crate) const fn new() -> Queue {
        Queue { older: Vec::new(), next: 0, newer: Vec::new(), bytes: 0, dropped: 0 }
    }

    fn len(&self) -> usize {
        self.older.len().saturating_sub(self.next).saturating_add(self.newer.len())
    }

    fn is_full(&self, limit: u32) -> bool {
        u32::try_from(self.len()).map_or(true, |len| len >= limit)
    }

    /// Appends a record; false if there is no room for it.
    fn push(&mut self, limit: u32, record: Vec<u8>) -> bool {
        let cost = cost(&record);
        let bytes = self.bytes.saturating_add(cost);
        if self.is_full(limit) || (Bound::Logs.quota() == 0 && bytes > MAX_BYTES) {
            return false;
        }
        let more = |held: usize| held.checked_add(cost).filter(|held| Bound::Logs.allows(*held));
        if HELD.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            Bound::Logs.say();
            return false;
        }
        if self.newer.push(record).is_err() {
            HELD.fetch_sub(cost, Ordering::Relaxed);
            return false;
        }
        self.bytes = bytes;
        true
    }

    /// Takes the oldest record out; an empty one if there is none.
    fn pop(&mut self) -> Vec<u8> {
        if self.next >= self.older.len() {
            self.older = replace(&mut self.newer, Vec::new());
            self.next = 0;
        }
        let Some(record) = self.older.get_mut(self.next).map(take_record) else { return Vec::new() };
        self.next = self.next.wrapping_add(1);
        self.bytes = self.bytes.saturating_sub(cost(&record));
        HELD.fetch_sub(cost(&record), Ordering::Relaxed);
        if self.next >= self.older.len() {
            self.older.clear();
            self.next = 0;
        }
        record
    }

    /// Forgets all records.
    fn clear(&mut self) {
        HELD.fetch_sub(self.bytes, Ordering::Relaxed);
        *self = Queue { dropped: self.dropped, ..Queue::new() };
    }
}

fn take_record(place: &mut Vec<u8>) -> Vec<u8> {
    replace(place, Vec::new())
}

/// The queues.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// Granted requests, as text.
    Grant,
    /// Refused ones and events, as text.
    Reject,
    /// All of them, as bytes.
    Audit,
}

impl Log {
    fn queue(self) -> (&'static Lock<Queue>, Wait) {
        match self {
            Log::Grant => (&GRANT_LOG, Wait::GrantLog),
            Log::Reject => (&REJECT_LOG, Wait::RejectLog),
            Log::Audit => (&AUDIT_LOG, Wait::AuditLog),
        }
    }

    /// Takes the oldest record out; empty if there is none.
    pub(crate) fn pop(self) -> Vec<u8> {
        let (queue, wait) = self.queue();
        let mut queue = queue.lock();
        let record = queue.pop();
        wait.set_queued(queue.len());
        record
    }

    /// Records that found no place.
    pub(crate) fn dropped(self) -> u32 {
        self.queue().0.lock().dropped
    }

    /// Stores what `write` produces, or counts it as dropped.
    fn append(self, limit: u32, write: &mut dyn FnMut(&mut Vec<u8>) -> Result<(), NoRecord>) {
        let (queue, wait) = self.queue();
        // A full queue costs no text.
        let full = queue.lock().is_full(limit);
        let mut record = Vec::new();
        let written = !full && write(&mut record).is_ok();
        record.trim();
        {
            let mut queue = queue.lock();
            // Whoever wanted binary records may be gone.
            if self == Log::Audit && AUDIT_READERS.load(Ordering::Relaxed) == 0 {
                return;
            }
            if !written || !queue.push(limit, record) {
                queue.dropped = queue.dropped.wrapping_add(1);
                return;
            }
            wait.set_queued(queue.len());
        }
        wait.wake();
    }
}

/// Bytes that the queues hold.
pub(crate) fn bytes() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// Somebody opened `audit`.
pub(crate) fn audit_opened() {
    AUDIT_READERS.fetch_add(1, Ordering::Relaxed);
}

/// Somebody closed it; what nobody will read is forgotten.
pub(crate) fn audit_closed() {
    let mut queue = AUDIT_LOG.lock();
    if AUDIT_READERS.fetch_sub(1, Ordering::Relaxed) == 1 {
        queue.clear();
        Wait::AuditLog.set_queued(0);
    }
}

fn audit_is_read() -> bool {
    AUDIT_READERS.load(Ordering::Relaxed) != 0
}

/// The queue for what was granted or not, and how many records it may hold.
fn choose(granted: bool, preferences: &Preferences) -> (Log, u32) {
    if granted {
        (Log::Grant, preferences.max_grant_log)
    } else {
        (Log::Reject, preferences.max_reject_log)
    }
}

/// Tells about a decision what its profile wants to be told, if [`wants`] says that there is something. The caller may sleep,
/// and may be in a read section.
pub(crate) fn decision(
    origin: &Origin,
    decision: &Decision,
    preferences: &Preferences,
    facts: &Facts<'_>,
    domain: &[u8],
    request: &Request<'_>,
) {
    let last =
        domain.iter().rposition(|byte| *byte == b' ').and_then(|blank| domain.get(blank.wrapping_add(1)..));
    verbose(decision, preferences, last.unwrap_or(domain), request);
    if !decision.log {
        return;
    }
    let header = origin.header(decision.mode, decision.profile);
    let (log, limit) = choose(decision.granted, preferences);
    log.append(limit, &mut |out| audit::record(out, &header, preferences, facts, domain, request));
    if audit_is_read() {
        Log::Audit.append(MAX_AUDIT, &mut |out| {
            Ok(wire::record(out, &header, decision.granted, preferences, facts, domain, request)?)
        });
    }
    if !decision.granted && files::audit_is_on() {
        let mut text = Vec::new();
        if request.print(&mut text).is_ok() {
            files::audit(&Refusal {
                mode: decision.mode.word(),
                profile: decision.profile,
                global_pid: origin.global_pid,
                domain,
                request: &text,
            });
        }
    }
}

/// Records what is not a request: `use_profile N`, `transition_failed`, `quota_exceeded`, `execute_handler P`. `granted`
/// chooses the queue (reference 11.3).
#[expect(
    clippy::too_many_arguments,
    reason = "each is a part of the record, and callers have no two of them together"
)]
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
    let (log, limit) = choose(granted, preferences);
    log.append(limit, &mut |out| audit::note(out, &header, preferences, facts, domain, text));
    if audit_is_read() {
        Log::Audit.append(MAX_AUDIT, &mut |out| {
            Ok(wire::note(out, &header, granted, preferences, facts, domain, text)?)
        });
    }
}

/// Whether anything is to be told about a decision.
pub(crate) fn wants(decision: &Decision, preferences: &Preferences) -> bool {
    decision.log || (!decision.granted && is_verbose(preferences, decision.mode))
}

/// Whether the kernel's log is to tell of a miss (reference 7.5).
fn is_verbose(preferences: &Preferences, mode: Mode) -> bool {
    match mode {
        Mode::Disabled => false,
        Mode::Learning => preferences.learning_verbose,
        Mode::Permissive => preferences.permissive_verbose,
        Mode::Enforcing => preferences.enforcing_verbose,
    }
}

/// A message in the kernel's log about a request that no entry grants, if the preferences want one (reference 7.5); whether
/// there is a record does not matter. Not more than a few in a second.
fn verbose(decision: &Decision, preferences: &Preferences, last_word: &[u8], request: &Request<'_>) {
    if decision.granted || !is_verbose(preferences, decision.mode) || !files::may_say() {
        return;
    }
    let mut text = Vec::new();
    if request.print(&mut text).is_ok() {
        let action = text.strip_prefix(b"allow_").unwrap_or(&text);
        files::say(decision.mode == Mode::Enforcing, action, last_word);
    }
}
