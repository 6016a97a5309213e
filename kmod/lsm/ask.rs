// SPDX-License-Identifier: GPL-2.0-only

//! From a question to an errno: decide, record, learn, ask an observer (reference 0.3).
//!
//! A hook first asks [`Question::begin`], which costs next to nothing when nobody is to be asked: no active policy, or an item
//! that is disabled in the task's domain. Only then does it compute names.

use crate::log::{self, Origin};
use crate::query::{self, Asked, Verdict};
use crate::sys::task::{Blob, Modes};
use crate::sys::{files, snapshot, task, NoFs};
use crate::{coverage, exec, stats, waiting, Errno, Result};
use core::sync::atomic::{AtomicU32, Ordering};
use sekisho_core::engine::{self, decide, Decision};
use sekisho_core::facts::Facts;
use sekisho_core::item::Item;
use sekisho_core::learn::Learned;
use sekisho_core::policy::{DomainId, Policy};
use sekisho_core::profile::Mode;
use sekisho_core::request::Request;
use sekisho_core::task::Task;

/// The low half of the generation that is in force; 0 while no policy is active. Kept beside the snapshot so that an inactive
/// Sekisho, and a disabled item, cost next to nothing.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Called whenever a snapshot is published.
pub(crate) fn published(policy: &Policy) {
    GENERATION.store(generation(policy), Ordering::Relaxed);
}

fn generation(policy: &Policy) -> u32 {
    // One in four thousand million generations is called by the name of its neighbour.
    let low = (policy.generation() & 0xFFFF_FFFF) as u32;
    if policy.is_active() {
        low.max(1)
    } else {
        0
    }
}

/// Whether the policy has been activated.
#[inline]
pub(crate) fn is_active() -> bool {
    GENERATION.load(Ordering::Relaxed) != 0
}

/// The policy in force, as a number: equal numbers mean the same policy, 0 that none is active.
#[inline]
pub(crate) fn in_force() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// The mode of an item for the calling task.
#[inline]
pub(crate) fn mode(item: Item) -> Mode {
    let generation = GENERATION.load(Ordering::Relaxed);
    if generation == 0 {
        return Mode::Disabled;
    }
    match Blob::current().known_mode(generation, item) {
        Some(mode) => mode,
        None => look_up(item),
    }
}

/// The mode as the policy has it; those of all items are remembered until the policy or the domain changes.
#[inline(never)]
fn look_up(item: Item) -> Mode {
    let reader = snapshot::read();
    let domain = exec::current_domain(&reader);
    let blob = Blob::current();
    // An execve in progress may fail, and then another domain counts.
    if blob.pending().is_none() {
        let mut modes = Modes::default();
        for item in Item::all() {
            modes.note(item, engine::config(&reader, domain, item).mode);
        }
        blob.know(generation(&reader), &modes);
    }
    engine::config(&reader, domain, item).mode
}

/// A request on its way to a decision: it has a mode that asks for one.
pub(crate) struct Question {
    mode: Mode,
    _nofs: NoFs,
}

impl Question {
    /// `None` if nothing is to be asked: no policy, a disabled item.
    #[inline]
    pub(crate) fn begin(item: Item) -> Option<Question> {
        Question::of(mode(item))
    }

    /// The same for a mode that is known.
    #[inline]
    pub(crate) fn of(mode: Mode) -> Option<Question> {
        (mode != Mode::Disabled).then(|| Question { mode, _nofs: NoFs::enter() })
    }

    /// The mode when the question began.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Asks about the calling task.
    pub(crate) fn ask(&self, about: &About<'_>, request: &Request<'_>) -> Result {
        let task = task::info();
        answer(&about.facts(&task), request)
    }

    /// What comes of it. A name that could not be computed denies in enforcing mode (reference 0.3, step 3).
    pub(crate) fn finish(&self, answer: Result<Result>) -> Result {
        match answer {
            Ok(answer) => answer,
            Err(error) => self.failed(error),
        }
    }

    /// The question could not be asked: in enforcing mode that is a refusal.
    pub(crate) fn failed(&self, error: Errno) -> Result {
        if self.mode != Mode::Enforcing {
            return Ok(());
        }
        stats::FAIL_CLOSED.add();
        Err(error)
    }
}

/// What is known beside the task: the parts of [`Facts`] that a hook has.
#[derive(Clone, Copy, Default)]
pub(crate) struct About<'a> {
    /// The files concerned.
    pub(crate) objects: Option<&'a dyn sekisho_core::facts::Objects>,
    /// The content of a symbolic link.
    pub(crate) symlink_target: Option<sekisho_core::name::Name<'a>>,
    /// The program being started.
    pub(crate) exec: Option<&'a dyn sekisho_core::facts::Arguments>,
}

impl<'a> About<'a> {
    /// With the task, all facts.
    pub(crate) fn facts(&self, task: &'a Task) -> Facts<'a> {
        Facts { task, objects: self.objects, exec: self.exec, symlink_target: self.symlink_target }
    }
}

/// What one look at the policy came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Go on.
    Allowed,
    /// Refused.
    Denied,
    /// An observer may have changed the policy: look again.
    Again,
    /// The call has to be made again, after a wait.
    Later,
}

/// Decides about a request of the calling task, until there is an answer. Sleeps.
pub(crate) fn answer(facts: &Facts<'_>, request: &Request<'_>) -> Result {
    let mut retries = 0;
    loop {
        match answer_once(facts, request, retries, Patience::Penalty) {
            Outcome::Allowed => return Ok(()),
            Outcome::Denied => return Err(Errno::Perm),
            Outcome::Later => return Err(Errno::Restart),
            Outcome::Again => retries = retries.saturating_add(1),
        }
    }
}

/// Whether a refusal may be followed by the penalty (reference 9.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It may.
    Penalty,
    /// Not for accepted connections, and not while a handler is set up.
    None,
}

/// One look: decides, records, learns, asks.
pub(crate) fn answer_once(
    facts: &Facts<'_>,
    request: &Request<'_>,
    mut retries: u32,
    patience: Patience,
) -> Outcome {
    let reader = snapshot::read();
    let domain = exec::current_domain(&reader);
    let decision = decide(&reader, domain, facts, request);
    if !decision.allows() {
        // The call may be made again because it waited for this very answer; what was to be told has been told then.
        match waiting::answer(domain, request) {
            Some((Verdict::Allow, _)) => return Outcome::Allowed,
            Some((Verdict::Retry, before)) => retries = before.saturating_add(1),
            Some(_) => {
                stats::DENIED.add();
                return Outcome::Denied;
            }
            None => {}
        }
    }
    coverage::count(&reader, domain, &decision, request.operation());
    // What is granted and not recorded, most of all, needs neither preferences nor the time.
    let told = (!decision.granted || decision.log).then(|| {
        let (origin, preferences) = (Origin::now(), reader.preferences(decision.profile));
        match reader.domain(domain) {
            Some(found) if log::wants(&decision, &preferences) => {
                log::decision(&origin, &decision, &preferences, facts, found.name(), request);
            }
            Some(_) => {}
            // A task in a domain that does not exist: a mistake of ours, and refused.
            None => stats::FAIL_CLOSED.add(),
        }
        (origin, preferences)
    });
    // The record shows the old state (reference 5.5).
    task::set_state(decision.set);
    // Neither a writer nor an observer may be waited for inside a read section.
    drop(reader);
    let Some((origin, preferences)) = told else { return Outcome::Allowed };
    if decision.learns() {
        learn(&origin, domain, &decision, facts, request);
    }
    if decision.allows() {
        return Outcome::Allowed;
    }
    let asked = Asked {
        origin: &origin,
        decision: &decision,
        preferences: &preferences,
        facts,
        domain,
        patience,
        retries,
    };
    match query::decide(&asked, request) {
        Verdict::Allow => Outcome::Allowed,
        Verdict::Retry => Outcome::Again,
        Verdict::Later => Outcome::Later,
        Verdict::Deny => {
            stats::DENIED.add();
            Outcome::Denied
        }
    }
}

/// Whether nothing more is learned in the domain, and that is known: then nobody has to wait for the right to change the policy.
fn is_full(domain: DomainId) -> bool {
    let reader = snapshot::read();
    if snapshot::has_no_room(&reader) {
        return true;
    }
    reader.domain(domain).is_none_or(|found| {
        found.flags().quota_exceeded && found.acl_count() >= reader.preferences(found.profile()).max_entry
    })
}

/// Appends what was missed. Learning mode allows whatever comes of it (reference 8.4).
pub(crate) fn learn(
    origin: &Origin,
    domain: DomainId,
    decision: &Decision,
    facts: &Facts<'_>,
    request: &Request<'_>,
) {
    if is_full(domain) {
        return;
    }
    let mut writer = snapshot::write();
    let Ok(mut edit) = writer.edit() else { return };
    let full = match edit.learn(domain, facts, request) {
        Ok(Learned::Added) => false,
        Ok(Learned::QuotaExceeded) => true,
        Ok(Learned::Skipped) => return writer.note_no_room(),
        _ => return,
    };
    if writer.publish(edit).is_ok() && full {
        if let Some(found) = writer.policy().domain(domain) {
            files::warn(b"no more is learned, there are max_entry entries in", found.name());
            if !decision.log {
                return;
            }
            let preferences = writer.policy().preferences(decision.profile);
            let text = b"quota_exceeded";
            log::event(
                origin,
                false,
                decision.mode,
                decision.profile,
                &preferences,
                facts,
                found.name(),
                text,
            );
        }
    }
}
