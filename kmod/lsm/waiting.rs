// SPDX-License-Identifier: GPL-2.0-only

//! Waiting for a penalty or an observer where it keeps nobody else from anything.
//!
//! Three ways, by hook ([`Place`]; ARCHITECTURE.md has the table). Where nothing is locked a task waits where it is. Where the
//! kernel holds a lock the hook notes what is waited for and makes the call fail with `ERESTARTNOINTR`; the task waits on its
//! way back to user space (`waiting.c`), the call is made again, asks the same again, and finds the answer. Where neither can
//! be, the refusal stands at once.
//!
//! What is noted belongs to one call: the same number, arguments and place in the program. Each answer counts once for each
//! time that the call is made, because a call may ask several questions and wait for each; when the call is over, everything
//! is forgotten. A signal may be handled before the call is made again; then the answers are kept for as long as an observer
//! has to answer, for that call only.

use crate::query::{Pending, Verdict};
use crate::sys::task::Blob;
use crate::sys::waiting::{self as sys, Kept, Time};
use core::mem::replace;
use sekisho_core::mem::Vec;
use sekisho_core::policy::DomainId;
use sekisho_core::request::Request;

/// How long an answer is kept for a call that is to be made again, in tenths of a second.
const KEPT: u32 = 100;
/// How many questions of one call may wait.
const MAX_STEPS: usize = 8;

/// How a hook may wait.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Place {
    /// Where it is: nothing is locked, or the call has had an effect already.
    Here = 0,
    /// On the way back to user space, and then the call is made again.
    Later = 1,
    /// Not at all.
    Never = 2,
    /// This is the way back.
    OnTheWayBack = 3,
}

impl Place {
    /// What the blob or the C side has as a number.
    pub(crate) fn from_number(number: u32) -> Place {
        match number {
            0 => Place::Here,
            1 => Place::Later,
            3 => Place::OnTheWayBack,
            _ => Place::Never,
        }
    }
}

/// Runs a hook that may wait in this way.
#[inline]
pub(crate) fn at<R>(place: Place, hook: impl FnOnce() -> R) -> R {
    let blob = Blob::current();
    let before = blob.place();
    blob.set_place(place);
    let result = hook();
    blob.set_place(before);
    result
}

/// How the calling task may wait now.
pub(crate) fn place() -> Place {
    match Blob::current().place() {
        Place::OnTheWayBack => Place::Here,
        place if sys::may_wait() => place,
        _ => Place::Never,
    }
}

/// What a task remembers of the call that is to be made again.
pub(crate) struct Call {
    id: u64,
    /// Until then the answers are kept while the call is not being made.
    until: Time,
    steps: Vec<Step>,
}

/// A question of the call that has waited, or will.
struct Step {
    question: u64,
    /// How often it had been decided again when it was asked.
    retries: u32,
    /// The call, as it is being made now, has had this answer.
    used: bool,
    state: State,
}

enum State {
    Waits(Pending),
    Answered(Verdict),
}

impl Call {
    fn waits(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.state, State::Waits(_)))
    }

    /// Nothing will be waited for.
    fn cancel(&mut self) {
        for step in self.steps.iter_mut() {
            if let State::Waits(pending) = replace(&mut step.state, State::Answered(Verdict::Deny)) {
                pending.cancel();
            }
        }
    }
}

/// A question as a number: who asks in which domain, and what.
fn identity(domain: DomainId, request: &Request<'_>) -> Option<u64> {
    let mut text = Vec::new();
    text.extend_from_slice(&domain.to_bits().to_le_bytes()).ok()?;
    request.print(&mut text).ok()?;
    Some(sys::hash(&text))
}

/// What came of this question when the call waited for it, and how often it had been decided again by then.
#[inline]
pub(crate) fn answer(domain: DomainId, request: &Request<'_>) -> Option<(Verdict, u32)> {
    let call = Blob::current().take_call()?;
    find(call, domain, request)
}

#[inline(never)]
fn find(mut call: Kept, domain: DomainId, request: &Request<'_>) -> Option<(Verdict, u32)> {
    let mut found = None;
    if !call.waits() && call.until.is_past() {
        return None;
    }
    // In between a signal may be handled, with calls of its own.
    if call.id == sys::call_id() {
        let question = identity(domain, request);
        let step = call.steps.iter_mut().enumerate().find_map(|(at, step)| match step.state {
            State::Answered(verdict) if !step.used && Some(step.question) == question => {
                step.used = true;
                Some((at, verdict, step.retries))
            }
            _ => None,
        });
        if let Some((at, verdict, retries)) = step {
            if verdict == Verdict::Retry {
                // It is asked again, perhaps.
                call.steps.remove(at);
            }
            // When the call is over the answer is forgotten.
            found = sys::wait_later().then_some((verdict, retries));
        }
    }
    Blob::current().keep_call(call);
    found
}

/// Leaves a question of a call that is to be made again. False if that cannot be; then nothing waits.
pub(crate) fn leave(domain: DomainId, request: &Request<'_>, retries: u32, pending: Pending) -> bool {
    let Some((mut call, question)) = current(domain, request) else {
        pending.cancel();
        return false;
    };
    let step = Step { question, retries, used: true, state: State::Waits(pending) };
    if call.steps.len() >= MAX_STEPS || !sys::wait_later() {
        step.cancel();
        Blob::current().keep_call(call);
        return false;
    }
    // There is room for as many as that.
    let left = call.steps.push_reserved(step).is_ok();
    Blob::current().keep_call(call);
    left
}

impl Step {
    fn cancel(self) {
        if let State::Waits(pending) = self.state {
            pending.cancel();
        }
    }
}

/// What is remembered of the call under way, and the question's number.
fn current(domain: DomainId, request: &Request<'_>) -> Option<(Kept, u64)> {
    let question = identity(domain, request)?;
    let id = sys::call_id();
    if let Some(mut call) = Blob::current().take_call() {
        if call.id == id {
            return Some((call, question));
        }
        call.cancel();
    }
    let steps = Vec::with_capacity(MAX_STEPS).ok()?;
    Some((sys::alloc(Call { id, until: Time::after(KEPT), steps })?, question))
}

/// The call is over: waits for what it asked if it is to be made `again`, else forgets it.
pub(crate) fn conclude(again: bool) {
    let Some(mut call) = Blob::current().take_call() else { return };
    if !again {
        return call.cancel();
    }
    for step in call.steps.iter_mut() {
        step.used = false;
        match replace(&mut step.state, State::Answered(Verdict::Deny)) {
            State::Waits(pending) => step.state = State::Answered(pending.finish()),
            answered => step.state = answered,
        }
    }
    call.until = Time::after(KEPT);
    Blob::current().keep_call(call);
}

/// Forgets what a task remembers that runs another program, or has ended. Does not sleep: nothing waits any more.
pub(crate) fn forget(blob: &Blob) {
    drop(blob.take_call());
}
