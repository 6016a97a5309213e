// SPDX-License-Identifier: GPL-2.0-only

//! Which domain a task is in: fork copies it, execve changes it, a failed execve changes it back (reference 6).
//!
//! The domain changes in `bprm_creds_for_exec`, before interpreters and loader are opened, so these are judged in the new
//! domain. Until the kernel says that the execve succeeded the old domain is remembered. A failed execve is noticed when the
//! task is next asked for its domain outside of execve, so nothing ever sees the wrong one.

use crate::ask::{self, About, Outcome, Patience};
use crate::handler::Handler;
use crate::log::{self, Origin};
use crate::objects::Paths;
use crate::program::{split, Program};
use crate::query::{self, Asked, Verdict};
use crate::sys::bprm::Bprm;
use crate::sys::files;
use crate::sys::path::Slash;
use crate::sys::snapshot::{self, Reader};
use crate::sys::task::{self, Blob};
use crate::sys::NoFs;
use crate::{stats, waiting, Errno, Result};
use sekisho_core::edit::EditError;
use sekisho_core::engine::{self, Decision};
use sekisho_core::facts::{beginning, Facts};
use sekisho_core::item::Item;
use sekisho_core::mem::Vec;
use sekisho_core::name::{encode, Name};
use sekisho_core::policy::{DomainId, Policy};
use sekisho_core::profile::{Config, Mode};
use sekisho_core::request::{Class, PathOp, Request};
use sekisho_core::text::{put_u32, Sink};
use sekisho_core::transition::{next_domain, transit_domain, NextDomain};

/// The domain of the calling task.
#[inline]
pub(crate) fn current_domain(policy: &Policy) -> DomainId {
    let blob = Blob::current();
    if blob.pending().is_some() && !task::in_execve() {
        roll_back(policy, blob);
    }
    blob.domain()
}

/// Returns the task to where it was before the execve that failed.
#[cold]
fn roll_back(policy: &Policy, blob: &Blob) {
    if let Some(previous) = blob.pending() {
        leave(policy, blob.domain());
        blob.set_domain(previous);
        blob.set_pending(None);
    }
}

/// One task less is in the domain. Does not sleep.
pub(crate) fn leave(policy: &Policy, id: DomainId) {
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
    child.set_execute_handler(Blob::current().is_execute_handler());
}

/// A task is gone. Runs in RCU context.
pub(crate) fn task_free(blob: &Blob) {
    waiting::forget(blob);
    let policy = snapshot::read();
    leave(&policy, blob.domain());
    if let Some(previous) = blob.pending() {
        leave(&policy, previous);
    }
}

/// The execve has succeeded: the old domain is forgotten.
pub(crate) fn succeeded() {
    let blob = Blob::current();
    blob.set_execute_handler(blob.becomes_execute_handler());
    blob.forget_refusal();
    waiting::forget(blob);
    if let Some(previous) = blob.pending() {
        leave(&snapshot::read(), previous);
        blob.set_pending(None);
    }
}

/// An execve begins.
pub(crate) fn begin(bprm: &Bprm<'_>) -> Result {
    let blob = Blob::current();
    {
        let policy = snapshot::read();
        // Whatever is pending belongs to an earlier execve, which has failed.
        roll_back(&policy, blob);
        blob.set_becomes_execute_handler(false);
        if !policy.is_active() && !policy.has_initializers() {
            return Ok(());
        }
    }
    let _nofs = NoFs::enter();
    let program = bprm.program();
    let answer = program.path().with_name(Slash::IfDirectory, |name| {
        bprm.file().with_name(Slash::IfDirectory, |realpath| {
            Execution { bprm, program: Program::new(bprm, realpath), old: blob.domain() }.run(name)
        })
    });
    match answer.and_then(|inner| inner) {
        Ok(entered) => entered,
        // Without a name there is no domain to go to. Before activation nothing is broken by that (reference 0.3).
        Err(_) if !ask::is_active() => Ok(()),
        Err(error) => {
            stats::FAIL_CLOSED.add();
            Err(error)
        }
    }
}

/// An execve, from the domain in which it began.
struct Execution<'a> {
    bprm: &'a Bprm<'a>,
    program: Program<'a>,
    old: DomainId,
}

impl Execution<'_> {
    /// Steps 1 to 11 of reference 6.2.
    fn run(&self, name: Name<'_>) -> Result {
        let is_handler = Blob::current().is_execute_handler();
        if !is_handler {
            if let Some(handler) = self.handler(Class::ExecuteHandler)? {
                return self.handle(b"execute_handler ", &handler);
            }
        }
        let result = self.enter(name);
        if result == Err(Errno::Perm) && !is_handler && ask::is_active() {
            if let Some(handler) = self.handler(Class::DeniedExecuteHandler)? {
                return self.handle(b"denied_execute_handler ", &handler);
            }
        }
        result?;
        self.check_environment()
    }

    fn handler(&self, class: Class) -> Result<Option<Vec<u8>>> {
        let policy = snapshot::read();
        if !policy.is_active() {
            return Ok(None);
        }
        let Some(program) = policy.domain(self.old).and_then(|domain| domain.handler(class)) else {
            return Ok(None);
        };
        let mut copy = Vec::new();
        copy.put(program)?;
        Ok(Some(copy))
    }

    /// Runs a handler in place of the program.
    fn handle(&self, keyword: &[u8], program: &[u8]) -> Result {
        let handler = Handler::open(program)?;
        let mut domain = Vec::new();
        {
            let policy = snapshot::read();
            if let Some(found) = policy.domain(self.old) {
                domain.put(found.name())?;
            }
        }
        self.record_handler(keyword, program);
        let name = Name::new(program).ok_or(Errno::NoEnt)?;
        let mut retries = 0;
        loop {
            match self.transition(name, retries, Patience::None)? {
                Outcome::Allowed => break,
                Outcome::Denied | Outcome::Later => return Err(Errno::Perm),
                Outcome::Again => retries = retries.saturating_add(1),
            }
        }
        handler.install(self.bprm, &domain)?;
        Blob::current().set_becomes_execute_handler(true);
        Ok(())
    }

    fn record_handler(&self, keyword: &[u8], program: &[u8]) {
        let policy = snapshot::read();
        let config = engine::config(&policy, self.old, Item::Execute);
        let Some(domain) =
            policy.domain(self.old).filter(|_| config.mode != Mode::Disabled && config.grant_log)
        else {
            return;
        };
        let mut text = Vec::new();
        if text.put(keyword).and_then(|()| text.put(program)).is_ok() {
            self.with_facts(|facts| {
                let preferences = policy.preferences(domain.profile());
                let origin = Origin::now();
                let (mode, profile) = (config.mode, domain.profile());
                log::event(&origin, true, mode, profile, &preferences, facts, domain.name(), &text);
            });
        }
    }

    fn with_facts<R>(&self, then: impl FnOnce(&Facts<'_>) -> R) -> R {
        let file = self.bprm.file();
        let objects = Paths::one(&file);
        let about = About { objects: Some(&objects), symlink_target: None, exec: Some(&self.program) };
        let task = task::info();
        then(&about.facts(&task))
    }

    /// Steps 3 to 9.
    fn enter(&self, program: Name<'_>) -> Result {
        let state = Blob::current().state();
        let mut retries = 0;
        loop {
            // The aggregated name lives in the snapshot, which is left below.
            let mut copy = Vec::new();
            let mut program = program;
            let mode = {
                let policy = snapshot::read();
                let aggregated = policy.aggregate(program);
                if aggregated != program {
                    copy.put(aggregated.as_bytes())?;
                    program = Name::new(&copy).unwrap_or(program);
                }
                engine::config(&policy, self.old, Item::Execute).mode
            };
            let mut outcome = if mode == Mode::Disabled {
                Outcome::Allowed
            } else {
                let request = Request::Path { op: PathOp::Execute, path: program };
                self.with_facts(|facts| ask::answer_once(facts, &request, retries, Patience::Penalty))
            };
            match outcome {
                Outcome::Allowed => outcome = self.transition(program, retries, Patience::Penalty)?,
                Outcome::Denied | Outcome::Later | Outcome::Again => {}
            }
            match outcome {
                Outcome::Allowed => return Ok(()),
                Outcome::Denied | Outcome::Later => return Err(Errno::Perm),
                Outcome::Again => {
                    Blob::current().set_state(state);
                    retries = retries.saturating_add(1);
                }
            }
        }
    }

    /// Steps 5 to 9: to the next domain, which is made if it is missing and may be made.
    fn transition(&self, program: Name<'_>, retries: u32, patience: Patience) -> Result<Outcome> {
        let policy = snapshot::read();
        let config = engine::config(&policy, self.old, Item::Execute);
        let profile = policy.domain(self.old).map_or(0, |domain| domain.profile());
        let next = next_domain(&policy, self.old, program);
        if let Some(id) = next.find(&policy)? {
            move_to(&policy, id);
            return Ok(Outcome::Allowed);
        }
        let impossible = !next.can_be_created();
        let name = next.name();
        drop(policy);
        let enforcing = config.mode == Mode::Enforcing;
        let name = match name {
            Ok(name) => name,
            Err(error) if enforcing => return Err(error.into()),
            Err(_) => Vec::new(),
        };
        let verdict = match (impossible, enforcing) {
            (true, _) => Verdict::Deny,
            (false, true) => self.may_create(config, profile, &name, retries, patience),
            (false, false) => Verdict::Allow,
        };
        match verdict {
            Verdict::Retry => return Ok(Outcome::Again),
            Verdict::Allow if create(self.old, Step::Program(program), profile, config, move_to).is_ok() => {
                return Ok(Outcome::Allowed);
            }
            // Refused, impossible, or no memory.
            _ => {}
        }
        self.transition_failed(config, profile, &name);
        if enforcing {
            stats::DENIED.add();
            return Ok(Outcome::Denied);
        }
        // Outside of enforcing mode the program runs in the old domain (reference 6.5).
        Ok(Outcome::Allowed)
    }

    /// Asks an observer whether a domain may be made (step 7). A frame of its own.
    #[inline(never)]
    fn may_create(
        &self,
        config: Config,
        profile: u8,
        name: &[u8],
        retries: u32,
        patience: Patience,
    ) -> Verdict {
        self.with_facts(|facts| {
            let preferences = snapshot::read().preferences(profile);
            let decision = Decision {
                mode: config.mode,
                granted: false,
                log: false,
                profile,
                set: [None; 3],
                entry: None,
            };
            let asked = Asked {
                origin: &Origin::now(),
                decision: &decision,
                preferences: &preferences,
                facts,
                domain: self.old,
                patience,
                retries,
            };
            query::create_domain(&asked, name)
        })
    }

    /// Marks the old domain and tells that the one with this name is missing, once (step 8).
    #[inline(never)]
    fn transition_failed(&self, config: Config, profile: u8, name: &[u8]) {
        let is_known =
            |policy: &Policy| policy.domain(self.old).is_none_or(|domain| domain.flags().transition_failed);
        // Nearly always it is, and then nobody has to wait for the right to change the policy.
        if is_known(&snapshot::read()) {
            return;
        }
        let mut writer = snapshot::write();
        if is_known(writer.policy()) {
            return;
        }
        let Ok(mut edit) = writer.edit() else { return };
        if edit.set_transition_failed(self.old) != Ok(true) || writer.publish(edit).is_err() {
            return;
        }
        files::warn(b"there is no domain", name);
        if records(config) {
            if let Some(domain) = writer.policy().domain(self.old) {
                let preferences = writer.policy().preferences(profile);
                self.with_facts(|facts| {
                    let (origin, text) = (Origin::now(), b"transition_failed");
                    let name = domain.name();
                    log::event(&origin, false, config.mode, profile, &preferences, facts, name, text);
                });
            }
        }
    }

    /// Step 11: the variables, in the new domain (reference 4.12).
    fn check_environment(&self) -> Result {
        let Some(question) = ask::Question::begin(Item::Env) else { return Ok(()) };
        let file = self.bprm.file();
        let objects = Paths::one(&file);
        let about = About { objects: Some(&objects), symlink_target: None, exec: Some(&self.program) };
        let mut strings = match self.program.environment() {
            Ok(strings) => strings,
            Err(error) => return question.failed(error),
        };
        while let Some(text) = strings.next() {
            let (name, _) = split(beginning(text));
            if !name.as_bytes().is_empty() {
                question.ask(&about, &Request::Env { name })?;
            }
        }
        if strings.has_failed() {
            return question.failed(Errno::NoMem);
        }
        Ok(())
    }
}

/// Whether what happens to a domain is recorded: as a refusal is, and never in disabled mode (reference 11.4).
fn records(config: Config) -> bool {
    config.mode != Mode::Disabled && config.reject_log
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
        if blob.pending().is_some() {
            // A handler comes after a program that was denied: that step is undone first.
            leave(policy, old);
        } else {
            blob.set_pending(Some(old));
        }
        blob.set_domain(id);
    }
}

/// The way to another domain.
#[derive(Clone, Copy)]
enum Step<'a> {
    Program(Name<'a>),
    Word(Name<'a>),
}

impl<'a> Step<'a> {
    fn next(self, policy: &'a Policy, old: DomainId) -> Option<NextDomain<'a>> {
        match self {
            Step::Program(program) => Some(next_domain(policy, old, program)),
            Step::Word(word) => transit_domain(policy, old, word),
        }
    }
}

/// Creates the next domain with the profile of the old one (step 7) and enters it.
fn create(
    old: DomainId,
    step: Step<'_>,
    profile: u8,
    config: Config,
    enter: impl FnOnce(&Reader, DomainId),
) -> Result {
    if snapshot::has_no_room(&snapshot::read()) {
        return Err(Errno::NoMem);
    }
    let id = {
        let mut writer = snapshot::write();
        let mut edit = writer.edit()?;
        let next = step.next(writer.policy(), old).ok_or(Errno::NoEnt)?;
        let id = match edit.create_domain(&next, profile) {
            Ok(id) => id,
            Err(error) => {
                if error == EditError::Quota {
                    writer.note_no_room();
                }
                return Err(error.into());
            }
        };
        writer.publish(edit)?;
        // The writer's right keeps the reaper away, so the domain is there even before it has its first task.
        enter(&snapshot::read(), id);
        id
    };
    if records(config) {
        let policy = snapshot::read();
        if let Some(domain) = policy.domain(id) {
            let mut text = Vec::new();
            if text.put(b"use_profile ").and_then(|()| put_u32(&mut text, profile.into())).is_ok() {
                let preferences = policy.preferences(profile);
                let task = task::info();
                let (origin, facts) = (Origin::now(), Facts::new(&task));
                let name = domain.name();
                log::event(&origin, false, config.mode, profile, &preferences, &facts, name, &text);
            }
        }
    }
    Ok(())
}

/// `.transition`: the calling task goes to a domain below its own, without execve (reference 6.6). `text` is what was written,
/// without the NUL byte.
///
/// # Errors
/// Refused; there is no such domain (enforcing mode); no memory.
pub(crate) fn transit(text: &[u8]) -> Result {
    let _nofs = NoFs::enter();
    let mut word = Vec::with_capacity(text.len().saturating_mul(4).saturating_add(2))?;
    word.put(b"//")?;
    let mut unit = [0u8; 4];
    for byte in text {
        word.put(encode(core::slice::from_ref(byte), &mut unit).ok_or(Errno::Inval)?.as_bytes())?;
    }
    let word = Name::new(&word).ok_or(Errno::Inval)?;
    if let Some(question) = ask::Question::begin(Item::Transit) {
        question.ask(&About::default(), &Request::Path { op: PathOp::Transit, path: word })?;
    }
    // What io_uring does elsewhere for this task is to be done in the new domain, or not at all.
    task::end_workers();
    let (old, config, profile, found) = {
        let policy = snapshot::read();
        let old = current_domain(&policy);
        let next = transit_domain(&policy, old, word).ok_or(Errno::NoEnt)?;
        if next.is_too_long() {
            return Err(Errno::NoMem);
        }
        let found = next.find(&policy)?;
        if let Some(id) = found {
            settle(&policy, old, id);
        }
        let profile = policy.domain(old).map_or(0, |domain| domain.profile());
        (old, engine::config(&policy, old, Item::Transit), profile, found)
    };
    if found.is_some() {
        return Ok(());
    }
    if config.mode == Mode::Enforcing {
        return Err(Errno::NoEnt);
    }
    create(old, Step::Word(word), profile, config, |policy, id| settle(policy, old, id))
}

/// Puts the calling task into an existing domain for good.
fn settle(policy: &Reader, old: DomainId, id: DomainId) {
    if let Some(domain) = policy.domain(id) {
        domain.attach();
        Blob::current().set_domain(id);
        leave(policy, old);
    }
}

/// The domain of a task that may be another one. A task whose execve has failed is where it was, although it has not noticed
/// that yet.
pub(crate) fn domain_of(blob: &Blob, in_execve: bool) -> DomainId {
    blob.pending().filter(|_| !in_execve).unwrap_or_else(|| blob.domain())
}

/// Shows the name of that domain to `then`; `None` if there is no such domain.
pub(crate) fn with_domain_of<R>(blob: &Blob, in_execve: bool, then: impl FnOnce(&[u8]) -> R) -> Option<R> {
    let policy = snapshot::read();
    Some(then(policy.domain(domain_of(blob, in_execve))?.name()))
}
