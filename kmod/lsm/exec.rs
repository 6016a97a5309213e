// SPDX-License-Identifier: GPL-2.0-only

//! Which domain a task is in: fork copies it, execve changes it, a failed execve changes it back (reference 6).
//!
//! The domain changes in `bprm_creds_for_exec`, before interpreters and loader are opened, so these are judged in the new
//! domain. Until the kernel says that the execve succeeded the old domain is remembered. A failed execve is noticed when the
//! task is next asked for its domain outside of execve, so nothing ever sees the wrong one.

use crate::hooks::{self, answer};
use crate::log::Origin;
use crate::query::{self, Asked, Verdict};
use crate::sys::snapshot::{self, Reader};
use crate::sys::task::{self, Blob};
use crate::sys::NoFs;
use crate::{log, stats, Errno, Result};
use sekisho_core::engine::{self, Decision};
use sekisho_core::facts::Facts;
use sekisho_core::item::Item;
use sekisho_core::mem::Vec;
use sekisho_core::name::Name;
use sekisho_core::policy::{DomainId, Policy};
use sekisho_core::profile::{Config, Mode};
use sekisho_core::request::{PathOp, Request};
use sekisho_core::task::Task;
use sekisho_core::text::{put_u32, Sink};
use sekisho_core::transition::next_domain;

/// The domain of the calling task.
pub(crate) fn current_domain(policy: &Policy) -> DomainId {
    let blob = Blob::current();
    if blob.pending().is_some() && !task::in_execve() {
        roll_back(policy, blob);
    }
    blob.domain()
}

/// Returns the task to where it was before the execve that failed.
fn roll_back(policy: &Policy, blob: &Blob) {
    if let Some(previous) = blob.pending() {
        leave(policy, blob.domain());
        blob.set_domain(previous);
        blob.set_pending(None);
    }
}

/// One task less is in the domain. Does not sleep.
fn leave(policy: &Policy, id: DomainId) {
    if policy.domain(id).is_some_and(|domain| domain.detach()) {
        snapshot::schedule_reaper();
    }
}

/// A new task starts in the domain of the task that made it.
pub(crate) fn task_alloc(child: &Blob) {
    let policy = snapshot::read();
    let id = current_domain(&policy);
    if let Some(domain) = policy.domain(id) {
        domain.attach();
    }
    child.set_domain(id);
    child.set_pending(None);
    child.set_state(Blob::current().state());
}

/// A task is gone. Runs in RCU context.
pub(crate) fn task_free(blob: &Blob) {
    let policy = snapshot::read();
    leave(&policy, blob.domain());
    if let Some(previous) = blob.pending() {
        leave(&policy, previous);
    }
}

/// The execve has succeeded: the old domain is forgotten.
pub(crate) fn succeeded() {
    let blob = Blob::current();
    if let Some(previous) = blob.pending() {
        leave(&snapshot::read(), previous);
        blob.set_pending(None);
    }
}

/// An execve begins. `with_name` computes the name of the program and hands it to the closure.
pub(crate) fn begin(with_name: impl FnOnce(&mut dyn FnMut(Name<'_>) -> Result) -> Result<Result>) -> Result {
    {
        let policy = snapshot::read();
        // Whatever is pending belongs to an earlier execve, which has failed.
        roll_back(&policy, Blob::current());
        if !policy.is_active() && !policy.has_initializers() {
            return Ok(());
        }
    }
    let _nofs = NoFs::enter();
    match with_name(&mut |program| enter(program)) {
        Ok(entered) => entered,
        // Without a name there is no domain to go to. Before activation nothing is broken by that (reference 0.3).
        Err(_) if !hooks::is_active() => Ok(()),
        Err(error) => {
            stats::FAIL_CLOSED.add();
            Err(error)
        }
    }
}

/// Steps 3 to 9 of reference 6.2.
fn enter(program: Name<'_>) -> Result {
    let task = task::info();
    let policy = snapshot::read();
    // The aggregated name lives in the snapshot, which is left below.
    let mut copy = Vec::new();
    let aggregated = policy.aggregate(program);
    let mut program = program;
    if aggregated != program {
        copy.put(aggregated.as_bytes())?;
        program = Name::new(&copy).unwrap_or(program);
    }
    let old = Blob::current().domain();
    let config = engine::config(&policy, old, Item::Execute);
    let mode = config.mode;
    let profile = policy.domain(old).map_or(0, |domain| domain.profile());
    if mode != Mode::Disabled {
        answer(policy, old, &task, &Request::Path { op: PathOp::Execute, path: program })?;
    } else {
        drop(policy);
    }

    let policy = snapshot::read();
    let next = next_domain(&policy, old, program);
    if let Some(id) = next.find(&policy)? {
        move_to(&policy, id);
        return Ok(());
    }
    let impossible = !next.can_be_created();
    drop(policy);
    let wanted = mode != Mode::Enforcing || (!impossible && may_create(old, program, config, profile, &task));
    if impossible || !wanted {
        transition_failed(old, config, profile, &task);
        return if mode == Mode::Enforcing { denied() } else { Ok(()) };
    }
    if create(old, program, profile, config, &task).is_err() {
        // No memory for a domain: outside of enforcing mode the program runs in the old one (reference 6.5).
        transition_failed(old, config, profile, &task);
    }
    Ok(())
}

/// Whether an observer allows a domain that enforcing mode would not create (reference 6.2, step 7).
fn may_create(old: DomainId, program: Name<'_>, config: Config, profile: u8, task: &Task) -> bool {
    let mut name = Vec::new();
    let preferences = {
        let policy = snapshot::read();
        let Some(domain) = policy.domain(old) else { return false };
        if name.put(domain.name()).is_err() {
            return false;
        }
        policy.preferences(profile)
    };
    let Ok(new) = ({ next_domain(&snapshot::read(), old, program).name() }) else { return false };
    let decision =
        Decision { mode: config.mode, granted: false, log: config.reject_log, profile, set: [None; 3] };
    let mut retries = 0_u32;
    loop {
        let asked = Asked {
            origin: &Origin::now(),
            decision: &decision,
            preferences: &preferences,
            facts: &Facts::new(task),
            domain: &name,
            may_sleep_penalty: true,
            retries,
        };
        match query::create_domain(&asked, &new) {
            Verdict::Allow => return true,
            Verdict::Deny => return false,
            Verdict::Retry => retries = retries.saturating_add(1),
        }
        // The observer may have made it.
        let policy = snapshot::read();
        if matches!(next_domain(&policy, old, program).find(&policy), Ok(Some(_))) {
            return true;
        }
    }
}

/// Whether what happens to a domain is recorded: as a refusal is, and never in disabled mode (reference 11.4).
fn records(config: Config) -> bool {
    config.mode != Mode::Disabled && config.reject_log
}

fn denied() -> Result {
    stats::DENIED.add();
    Err(Errno::Perm)
}

/// Puts the calling task into an existing domain, until the execve fails.
fn move_to(policy: &Reader, id: DomainId) {
    let blob = Blob::current();
    let old = blob.domain();
    if id == old {
        return;
    }
    if let Some(domain) = policy.domain(id) {
        domain.attach();
        blob.set_pending(Some(old));
        blob.set_domain(id);
    }
}

/// Creates the next domain with the profile of the old one and enters it (step 7; only outside of enforcing mode).
fn create(old: DomainId, program: Name<'_>, profile: u8, config: Config, task: &Task) -> Result {
    {
        let mut writer = snapshot::write();
        let mut edit = writer.edit()?;
        let id = edit.create_domain(&next_domain(writer.policy(), old, program), profile)?;
        writer.publish(edit)?;
        // The writer's right keeps the reaper away, so the domain is there even before it has its first task.
        let policy = snapshot::read();
        move_to(&policy, id);
    }
    if records(config) {
        let policy = snapshot::read();
        if let Some(domain) = policy.domain(Blob::current().domain()) {
            let mut text = Vec::new();
            if text.put(b"use_profile ").and_then(|()| put_u32(&mut text, profile.into())).is_ok() {
                let preferences = policy.preferences(profile);
                let facts = Facts::new(task);
                log::event(
                    &Origin::now(),
                    false,
                    config.mode,
                    profile,
                    &preferences,
                    &facts,
                    domain.name(),
                    &text,
                );
            }
        }
    }
    Ok(())
}

/// Marks the domain from which a transition failed, once, with a record (step 8).
fn transition_failed(old: DomainId, config: Config, profile: u8, task: &Task) {
    let mut writer = snapshot::write();
    let Some(domain) = writer.policy().domain(old) else { return };
    if domain.flags().transition_failed {
        return;
    }
    let Ok(mut edit) = writer.edit() else { return };
    if edit.set_transition_failed(old) == Ok(true) && writer.publish(edit).is_ok() && records(config) {
        if let Some(domain) = writer.policy().domain(old) {
            let preferences = writer.policy().preferences(profile);
            let (origin, facts, text) = (Origin::now(), Facts::new(task), b"transition_failed");
            log::event(&origin, false, config.mode, profile, &preferences, &facts, domain.name(), text);
        }
    }
}

/// Moves the calling task to the domain `<current> //text` (reference 6.6). Not there yet.
pub(crate) fn transit(_text: &[u8]) -> Result {
    Err(Errno::NoSys)
}
