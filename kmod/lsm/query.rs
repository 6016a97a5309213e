// SPDX-License-Identifier: GPL-2.0-only

//! Interactive queries (reference 9): who would be refused asks an observer first, and waits for the answer.
//!
//! An observer is an open description of the file `query`. Without one the task sleeps its penalty and is refused. With one
//! it waits ten seconds at most; each line that a manager writes gives all who wait the full time again. Time is that of a
//! clock: 1.7 counted steps, which a pending signal made elapse at once (quirk Q20). Only a signal that kills the task ends
//! its wait, with a refusal.
//!
//! Nothing is locked while a task waits (where, says `waiting.rs`), and the caller must not be in a read section: the policy may
//! change meanwhile, which is what the answer 3 (decide again) is for.

use crate::ask::Patience;
use crate::log::Origin;
use crate::quota::Bound;
use crate::sys::files::Wait;
use crate::sys::lock::QUERIES;
use crate::sys::snapshot;
use crate::sys::waiting::{refill_buffers, Latest, Sleeper, Time};
use crate::waiting::{self, Place};
use core::mem::size_of;
use core::sync::atomic::{AtomicU32, Ordering};
use sekisho_core::audit::{self, NoRecord};
use sekisho_core::engine::Decision;
use sekisho_core::facts::Facts;
use sekisho_core::mem::{Arc, OutOfMemory, Vec};
use sekisho_core::name::Name;
use sekisho_core::number::Number;
use sekisho_core::policy::{DomainId, Policy, Preferences};
use sekisho_core::request::{PathOp, Request};
use sekisho_core::text::{put_u32, Sink};

/// How long a question waits, in tenths of a second.
const PATIENCE: u32 = 100;

/// Open descriptions of `query`. Changed with the questions locked.
static OBSERVERS: AtomicU32 = AtomicU32::new(0);
/// Nobody who waits gives up before: a line was written [`PATIENCE`] earlier.
static EXTENDED: Latest = Latest::new();

/// Writes what is asked, by the policy as it is.
type Line<'a> = &'a dyn Fn(&Policy, &mut Vec<u8>) -> Result<(), OutOfMemory>;

/// What a question comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Refused.
    Deny,
    /// Allowed this once.
    Allow,
    /// The policy may have changed: decide again, with one more in `retries`.
    Retry,
    /// The call has to fail so that it can be made again, and will find the answer then ([`waiting`]).
    Later,
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
    retries: u32,
    /// All but the line with the serial number; a NUL at the end.
    text: Vec<u8>,
    /// 0: none yet.
    choice: Arc<AtomicU32>,
    sleeper: Sleeper,
}

impl Query {
    fn cost(&self) -> usize {
        self.text.capacity_bytes().saturating_add(size_of::<Entry>())
    }

    fn is_open(&self) -> bool {
        self.choice.load(Ordering::Relaxed) == 0
    }

    /// Gives the first answer; false if it has one.
    fn settle(&self, choice: u32) -> bool {
        let first = self.is_open();
        self.choice.store(choice, Ordering::Release);
        self.sleeper.wake();
        first
    }
}

/// A place in the list, which goes by the serial numbers; `None`: its task waits no more.
struct Entry {
    serial: u32,
    query: Option<Query>,
}

/// The questions that wait, oldest first. To find one takes steps with the logarithm of their number; to remove one leaves its
/// place empty, until most places are.
pub(crate) struct Queries {
    list: Vec<Entry>,
    empty: usize,
    /// Without an answer. One that has it is no news, though its task may not have seen it yet.
    open: usize,
    next_serial: u32,
    bytes: usize,
}

impl Queries {
    pub(crate) const fn new() -> Queries {
        Queries { list: Vec::new(), empty: 0, open: 0, next_serial: 0, bytes: 0 }
    }

    /// Numbers wrap; the difference to the newest tells which is older.
    fn age(&self, serial: u32) -> u32 {
        self.next_serial.wrapping_sub(serial)
    }

    /// Appends a question and gives it a number; `None` if there is no room, or nobody to answer.
    fn push(&mut self, query: Query) -> Option<u32> {
        if OBSERVERS.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let bytes = self.bytes.checked_add(query.cost())?;
        if !Bound::Queries.allows(bytes) {
            Bound::Queries.say();
            return None;
        }
        let serial = self.next_serial;
        self.list.push(Entry { serial, query: Some(query) }).ok()?;
        self.bytes = bytes;
        self.next_serial = serial.wrapping_add(1);
        self.count(self.open.saturating_add(1));
        Some(serial)
    }

    /// Tells those who poll.
    fn count(&mut self, open: usize) {
        self.open = open;
        Wait::Queries.set_queued(open);
    }

    /// Where the first is that is not older than this.
    fn place(&self, serial: u32) -> usize {
        let age = self.age(serial);
        self.list.partition_point(|entry| self.age(entry.serial) > age)
    }

    fn answer(&mut self, answer: Answer) {
        let place = self.place(answer.serial);
        let entry = self.list.get(place).filter(|entry| entry.serial == answer.serial);
        let Some(query) = entry.and_then(|entry| entry.query.as_ref()) else { return };
        if answer.choice != 0 && query.settle(answer.choice) {
            self.count(self.open.saturating_sub(1));
        }
    }

    /// Nobody will answer any more.
    fn give_up(&mut self) {
        for query in self.list.iter().filter_map(|entry| entry.query.as_ref()) {
            if query.is_open() {
                query.settle(DENY);
            }
        }
        self.count(0);
    }

    fn remove(&mut self, serial: u32) {
        let place = self.place(serial);
        let entry = self.list.get_mut(place).filter(|entry| entry.serial == serial);
        let Some(query) = entry.and_then(|entry| entry.query.take()) else { return };
        self.bytes = self.bytes.saturating_sub(query.cost());
        self.empty = self.empty.saturating_add(1);
        if query.is_open() {
            self.count(self.open.saturating_sub(1));
        }
        self.tidy();
    }

    /// Forgets the empty places when they are the most.
    fn tidy(&mut self) {
        let used = self.list.len().saturating_sub(self.empty);
        if used == 0 {
            self.list.clear();
            self.empty = 0;
        } else if self.empty > used.max(16) {
            // Without memory they stay for a while.
            let Ok(mut kept) = Vec::with_capacity(used) else { return };
            for entry in core::mem::replace(&mut self.list, Vec::new()).into_values() {
                if entry.query.is_some() && kept.push_reserved(entry).is_err() {
                    break;
                }
            }
            self.list = kept;
            self.empty = 0;
        }
    }
}

/// What is waited for.
pub(crate) enum Pending {
    /// A penalty, in tenths of a second.
    Penalty(u32),
    /// An observer's answer.
    Answer(Ticket),
}

/// The own question among those that wait.
pub(crate) struct Ticket {
    serial: u32,
    end: Time,
    choice: Arc<AtomicU32>,
}

impl Pending {
    /// Waits. Only a signal that kills the task ends the wait early, with a refusal.
    pub(crate) fn finish(self) -> Verdict {
        match self {
            Pending::Penalty(tenths) => {
                Time::after(tenths).sleep(&AtomicU32::new(0));
                Verdict::Deny
            }
            Pending::Answer(ticket) => ticket.finish(),
        }
    }

    /// Does not wait.
    pub(crate) fn cancel(self) {
        if let Pending::Answer(ticket) = self {
            QUERIES.lock().remove(ticket.serial);
        }
    }
}

impl Ticket {
    fn finish(self) -> Verdict {
        loop {
            let end = self.end.max(EXTENDED.get());
            let alive = end.sleep(&self.choice);
            let answered = self.choice.load(Ordering::Acquire) != 0;
            if answered || !alive || self.end.max(EXTENDED.get()).is_past() {
                break;
            }
        }
        QUERIES.lock().remove(self.serial);
        match self.choice.load(Ordering::Acquire) {
            ALLOW => Verdict::Allow,
            RETRY => Verdict::Retry,
            _ => Verdict::Deny,
        }
    }
}

/// What an observer may answer.
const ALLOW: u32 = 1;
const DENY: u32 = 2;
const RETRY: u32 = 3;

/// Asks whether a request that no entry grants may go on. The caller is in no read section and holds no lock of ours.
pub(crate) fn decide(asked: &Asked<'_>, request: &Request<'_>) -> Verdict {
    let place = waiting::place();
    let Some(pending) = begin(place, asked, &|policy, line| put_line(policy, request, line)) else {
        return Verdict::Deny;
    };
    if place != Place::Later {
        return here(pending);
    }
    let left = waiting::leave(asked.domain, request, asked.retries, pending);
    if left {
        Verdict::Later
    } else {
        Verdict::Deny
    }
}

/// Asks whether a domain may be created that an execve leads to, in enforcing mode (reference 6.2, step 7).
pub(crate) fn create_domain(asked: &Asked<'_>, name: &[u8]) -> Verdict {
    let pending = begin(waiting::place(), asked, &|_, line| {
        line.put(b"# wants to create domain\n")?;
        line.put(name)
    });
    pending.map_or(Verdict::Deny, here)
}

/// Waits where the task is, with its buffers.
fn here(pending: Pending) -> Verdict {
    refill_buffers();
    pending.finish()
}

/// What the task has to wait for; `None`: for nothing, it is refused.
fn begin(place: Place, asked: &Asked<'_>, line: Line<'_>) -> Option<Pending> {
    if place == Place::Never {
        return None;
    }
    if OBSERVERS.load(Ordering::Acquire) == 0 {
        let penalty = asked.preferences.penalty;
        return (asked.patience == Patience::Penalty && penalty != 0).then_some(Pending::Penalty(penalty));
    }
    let text = text(asked, line).ok()?;
    let choice = Arc::new(AtomicU32::new(0)).ok()?;
    let sleeper = Sleeper::current();
    let query = Query { retries: asked.retries, text, choice: choice.clone(), sleeper };
    let serial = QUERIES.lock().push(query)?;
    Wait::Queries.wake();
    Some(Pending::Answer(Ticket { serial, end: Time::after(PATIENCE), choice }))
}

/// Header, domain and request, from the policy as it is now.
fn text(asked: &Asked<'_>, line: Line<'_>) -> Result<Vec<u8>, NoRecord> {
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
    let _queries = QUERIES.lock();
    OBSERVERS.fetch_add(1, Ordering::AcqRel);
}

/// One was closed; with the last one all waits end.
pub(crate) fn observer_left() {
    let mut queries = QUERIES.lock();
    if OBSERVERS.fetch_sub(1, Ordering::AcqRel) == 1 {
        queries.give_up();
    }
}

/// A manager wrote a line, perhaps an answer: everybody who waits has the full time again. An answer to a question that
/// waits no more is late, which is no mistake.
pub(crate) fn answered(answer: Option<Answer>) {
    EXTENDED.set(Time::after(PATIENCE));
    if let Some(answer) = answer {
        QUERIES.lock().answer(answer);
    }
}

/// The first question behind the one with the number `last`, with its text.
pub(crate) fn after(last: Option<u32>) -> Result<Option<(u32, Vec<u8>)>, OutOfMemory> {
    let queries = QUERIES.lock();
    let start = last.map_or(0, |last| {
        let age = queries.age(last);
        queries.list.partition_point(|entry| queries.age(entry.serial) >= age)
    });
    let mut behind = queries.list.get(start..).unwrap_or(&[]).iter();
    let next =
        behind.find_map(|entry| Some((entry.serial, entry.query.as_ref().filter(|query| query.is_open())?)));
    let Some((serial, query)) = next else { return Ok(None) };
    let mut text = Vec::new();
    text.put(b"Q")?;
    put_u32(&mut text, serial)?;
    text.put(b"-")?;
    put_u32(&mut text, query.retries)?;
    text.put(b"\n")?;
    text.put(&query.text)?;
    Ok(Some((serial, text)))
}

/// How many questions were asked since boot.
pub(crate) fn asked() -> u32 {
    QUERIES.lock().next_serial
}

/// Bytes that the questions hold.
pub(crate) fn bytes() -> usize {
    QUERIES.lock().bytes
}
