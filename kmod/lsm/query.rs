// SPDX-License-Identifier: GPL-2.0-only

//! Interactive queries (reference 9): who would be refused asks an observer first, and waits for the answer.
//!
//! An observer is an open description of the file `query`. Without one the task sleeps its penalty and is refused. With one
//! it waits ten seconds at most; each line that a manager writes gives all who wait the full time again. Time is that of a
//! clock: 1.7 counted steps, which a pending signal made elapse at once (quirk Q20). Only a signal that kills the task ends
//! its wait, with a refusal.
//!
//! Nothing is locked while a task waits, and the caller must not be in a read section: the policy may change meanwhile, which
//! is what the answer 3 (decide again) is for.

use crate::ask::Patience;
use crate::log::Origin;
use crate::sys::files::{self, Time, Wait};
use crate::sys::lock::QUERIES;
use crate::sys::snapshot;
use core::mem::size_of;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use sekisho_core::audit::{self, NoRecord};
use sekisho_core::engine::Decision;
use sekisho_core::facts::Facts;
use sekisho_core::mem::{OutOfMemory, Vec};
use sekisho_core::name::Name;
use sekisho_core::number::Number;
use sekisho_core::policy::{DomainId, Policy, Preferences};
use sekisho_core::request::{PathOp, Request};
use sekisho_core::text::{put_u32, Sink};

/// How long a question waits, in tenths of a second.
const PATIENCE: u32 = 100;

/// The quota `Query lists` of `meminfo`, in bytes; 0: none.
pub(crate) static QUERY_QUOTA: AtomicUsize = AtomicUsize::new(0);
/// Open descriptions of `query`.
static OBSERVERS: AtomicU32 = AtomicU32::new(0);

/// What a question comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Refused.
    Deny,
    /// Allowed this once.
    Allow,
    /// The policy may have changed: decide again, with one more in `retries`.
    Retry,
}

/// Who asks, in which domain, and what the policy said.
pub(crate) struct Asked<'a> {
    /// When and by whom the request was made.
    pub(crate) origin: &'a Origin,
    /// The decision that refuses.
    pub(crate) decision: &'a Decision,
    /// Preferences of the current domain's profile.
    pub(crate) preferences: &'a Preferences,
    /// What the header shows.
    pub(crate) facts: &'a Facts<'a>,
    /// The current domain.
    pub(crate) domain: DomainId,
    /// Whether the penalty is slept when there is no observer.
    pub(crate) patience: Patience,
    /// How often the request has been decided again.
    pub(crate) retries: u32,
}

/// An answer as it was written.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) serial: u32,
    pub(crate) choice: u32,
}

/// A question that waits.
struct Query {
    serial: u32,
    retries: u32,
    /// All but the line with the serial number; a NUL at the end.
    text: Vec<u8>,
    /// 0: none yet.
    choice: u32,
    end: Time,
}

impl Query {
    fn cost(&self) -> usize {
        self.text.capacity_bytes().saturating_add(size_of::<Query>())
    }
}

/// The questions that wait, oldest first.
pub(crate) struct Queries {
    waiting: Vec<Query>,
    next_serial: u32,
    bytes: usize,
}

impl Queries {
    pub(crate) const fn new() -> Queries {
        Queries { waiting: Vec::new(), next_serial: 0, bytes: 0 }
    }

    /// Appends a question and gives it a number; `None` if there is no room.
    fn push(&mut self, retries: u32, text: Vec<u8>) -> Option<u32> {
        let serial = self.next_serial;
        let query = Query { serial, retries, text, choice: 0, end: Time::after(PATIENCE) };
        let bytes = self.bytes.checked_add(query.cost())?;
        let quota = QUERY_QUOTA.load(Ordering::Relaxed);
        if quota != 0 && bytes >= quota {
            return None;
        }
        self.waiting.push(query).ok()?;
        self.bytes = bytes;
        self.next_serial = serial.wrapping_add(1);
        self.count();
        Some(serial)
    }

    /// Tells those who poll how many questions wait for an answer; one that has it is no news, though its task may not have
    /// seen it yet.
    fn count(&self) {
        Wait::Queries.set_queued(self.waiting.iter().filter(|query| query.choice == 0).count());
    }

    fn find(&self, serial: u32) -> Option<&Query> {
        self.waiting.iter().find(|query| query.serial == serial)
    }

    fn remove(&mut self, serial: u32) {
        let place = self.waiting.iter().position(|query| query.serial == serial);
        if let Some(query) = place.and_then(|place| self.waiting.remove(place)) {
            self.bytes = self.bytes.saturating_sub(query.cost());
        }
        if self.waiting.is_empty() {
            self.waiting.clear();
        }
        self.count();
    }
}

/// Asks whether a request that no entry grants may go on. The caller is in no read section and holds no lock of ours.
pub(crate) fn decide(asked: &Asked<'_>, request: &Request<'_>) -> Verdict {
    ask(asked, &|policy, line| put_line(policy, request, line))
}

/// Asks whether a domain may be created that an execve leads to, in enforcing mode (reference 6.2, step 7).
pub(crate) fn create_domain(asked: &Asked<'_>, name: &[u8]) -> Verdict {
    ask(asked, &|_, line| {
        line.put(b"# wants to create domain\n")?;
        line.put(name)
    })
}

fn ask(asked: &Asked<'_>, line: &dyn Fn(&Policy, &mut Vec<u8>) -> Result<(), OutOfMemory>) -> Verdict {
    if OBSERVERS.load(Ordering::Acquire) == 0 {
        if asked.patience == Patience::Penalty && asked.preferences.penalty != 0 {
            Time::after(asked.preferences.penalty).sleep();
        }
        return Verdict::Deny;
    }
    let Ok(text) = text(asked, line) else { return Verdict::Deny };
    let Some(serial) = QUERIES.lock().push(asked.retries, text) else { return Verdict::Deny };
    Wait::Queries.wake();
    let choice = wait(serial);
    QUERIES.lock().remove(serial);
    match choice {
        1 => Verdict::Allow,
        3 => Verdict::Retry,
        _ => Verdict::Deny,
    }
}

/// Header, domain and request, from the policy as it is now.
fn text(
    asked: &Asked<'_>,
    line: &dyn Fn(&Policy, &mut Vec<u8>) -> Result<(), OutOfMemory>,
) -> Result<Vec<u8>, NoRecord> {
    let header = asked.origin.header(asked.decision.mode, asked.decision.profile);
    let policy = snapshot::read();
    let mut request = Vec::new();
    line(&policy, &mut request)?;
    let mut text = Vec::new();
    let domain = policy.domain(asked.domain).map_or(&b""[..], |domain| domain.name());
    audit::note(&mut text, &header, asked.preferences, asked.facts, domain, &request)?;
    text.trim();
    Ok(text)
}

/// Waits for the answer; 0 if there is none.
fn wait(serial: u32) -> u32 {
    loop {
        // Taken before the look at the answer, so that none is missed.
        let seen = files::query_events();
        let (choice, over) =
            QUERIES.lock().find(serial).map_or((0, true), |query| (query.choice, query.end.is_past()));
        if choice != 0 || over || OBSERVERS.load(Ordering::Acquire) == 0 || !files::query_wait(seen) {
            return choice;
        }
    }
}

/// The line that would grant the request, as learning would write it but without conditions: names stand for what
/// `file_pattern` makes of them (reference 8.2).
fn put_line(policy: &Policy, request: &Request<'_>, out: &mut Vec<u8>) -> Result<(), OutOfMemory> {
    let pattern = |out: &mut Vec<u8>, name: Name<'_>| {
        out.put(b" ")?;
        out.put(policy.file_pattern(name))
    };
    let number = |out: &mut Vec<u8>, number: Number| {
        out.put(b" ")?;
        number.print(out)
    };
    match *request {
        Request::Path { op: PathOp::Execute | PathOp::Transit, .. } => request.print(out),
        Request::Path { path, .. } => {
            out.put(request.keyword())?;
            pattern(out, path)
        }
        Request::Path2 { from, to, .. } => {
            out.put(request.keyword())?;
            pattern(out, from)?;
            pattern(out, to)
        }
        Request::PathNumber { path, number: value, .. } => {
            out.put(request.keyword())?;
            pattern(out, path)?;
            number(out, value)
        }
        Request::Device { path, mode, major, minor, .. } => {
            out.put(request.keyword())?;
            pattern(out, path)?;
            number(out, mode)?;
            number(out, major)?;
            number(out, minor)
        }
        Request::Mount { device, dir, kind, flags, .. } => {
            out.put(request.keyword())?;
            pattern(out, device)?;
            pattern(out, dir)?;
            out.put(b" ")?;
            out.put(kind.as_bytes())?;
            number(out, flags)
        }
        _ => request.print(out),
    }
}

/// A description of `query` was opened.
pub(crate) fn observer_came() {
    OBSERVERS.fetch_add(1, Ordering::AcqRel);
}

/// One was closed; with the last one all waits end.
pub(crate) fn observer_left() {
    if OBSERVERS.fetch_sub(1, Ordering::AcqRel) == 1 {
        files::query_happened();
    }
}

/// A manager wrote a line, perhaps an answer: everybody who waits has the full time again. An answer to a question that
/// waits no more is late, which is no mistake.
pub(crate) fn answered(answer: Option<Answer>) {
    {
        let mut queries = QUERIES.lock();
        for query in queries.waiting.iter_mut() {
            query.end = Time::after(PATIENCE);
            if let Some(answer) = answer.filter(|answer| answer.serial == query.serial) {
                query.choice = answer.choice;
            }
        }
        queries.count();
    }
    if answer.is_some() {
        files::query_happened();
    }
}

/// The first question behind the one with the number `last`, with its text.
pub(crate) fn after(last: Option<u32>) -> Result<Option<(u32, Vec<u8>)>, OutOfMemory> {
    let queries = QUERIES.lock();
    // Numbers wrap; the difference to the newest tells which is older.
    let age = |serial: u32| queries.next_serial.wrapping_sub(serial);
    let is_next =
        |query: &&Query| query.choice == 0 && last.map_or(true, |last| age(query.serial) < age(last));
    let Some(query) = queries.waiting.iter().find(is_next) else { return Ok(None) };
    let mut text = Vec::new();
    text.put(b"Q")?;
    put_u32(&mut text, query.serial)?;
    text.put(b"-")?;
    put_u32(&mut text, query.retries)?;
    text.put(b"\n")?;
    text.put(&query.text)?;
    Ok(Some((query.serial, text)))
}

/// How many questions were asked since boot.
pub(crate) fn asked() -> u32 {
    QUERIES.lock().next_serial
}

/// Bytes that the questions hold.
pub(crate) fn bytes() -> usize {
    QUERIES.lock().bytes
}
