// SPDX-License-Identifier: MIT OR Apache-2.0
//! The decision.
//!
//! Reference 0.3 and 7.3. The entry that grants is found by the arguments of the request ([`crate::search`]), in time
//! that does not depend on how many entries there are. Nothing here allocates or sleeps.

use crate::domain::{DomainFlags, DomainId, EntryId};
use crate::facts::Facts;
use crate::item::Item;
use crate::policy::Policy;
use crate::profile::Config;
use crate::request::{PathOp, Request};
use crate::search;

pub use crate::profile::Mode;

/// What a request comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The mode that the profile sets for the request.
    pub mode: Mode,
    /// Whether an entry grants it. True when the mode is disabled, where nobody asks.
    pub granted: bool,
    /// Whether a record belongs into the queue: the grant queue if granted, else the reject queue.
    pub log: bool,
    /// Number of the profile.
    pub profile: u8,
    /// What `; set` of the entry that grants assigns to `task.state`, after the record was written (reference 5.5).
    pub set: [Option<u8>; 3],
    /// The entry that grants: the first in list order if an entry of the domain has `; set`, else any. `None` if no entry
    /// was asked, if none grants, or if a global `allow_read` or `allow_env` does.
    pub entry: Option<EntryId>,
}

impl Decision {
    /// Whether the operation may go on.
    pub fn allows(&self) -> bool {
        self.granted || self.mode != Mode::Enforcing
    }

    /// Whether the request should be learned ([`crate::edit::Edit::learn`]).
    pub fn learns(&self) -> bool {
        !self.granted && self.mode == Mode::Learning
    }
}

/// The setting of an item in a domain, for a caller that wants to know whether a request is worth making at all, and
/// for the records of what is not a request.
///
/// Before activation everything is disabled and nothing is recorded (reference 7.3). Fails closed like [`decide`].
pub fn config(policy: &Policy, domain: DomainId, item: Item) -> Config {
    if !policy.is_active() {
        return Config::INACTIVE;
    }
    let profile = policy.domain(domain).and_then(|domain| policy.profile(domain.profile()));
    profile.map_or(Config::CLOSED, |profile| profile.config(item))
}

/// Decides about a request of a task in `domain`.
///
/// A domain that the policy does not know, or whose profile is not defined, is a mistake of the caller or of this
/// crate: it fails closed.
pub fn decide(policy: &Policy, domain: DomainId, facts: &Facts<'_>, request: &Request<'_>) -> Decision {
    let found = policy.domain(domain);
    let profile = found.map_or(0, |domain| domain.profile());
    let disabled =
        Decision { mode: Mode::Disabled, granted: true, log: false, profile, set: [None; 3], entry: None };
    if !policy.is_active() {
        return disabled;
    }
    let (Some(domain), Some(settings)) = (found, policy.profile(profile)) else {
        return Decision {
            mode: Mode::Enforcing,
            granted: false,
            log: true,
            profile,
            set: [None; 3],
            entry: None,
        };
    };
    let config = settings.config(request.item());
    if config.mode == Mode::Disabled {
        return disabled;
    }
    let entry = search::decide(&domain.acl, policy, facts, request);
    let flags = domain.flags();
    let granted = entry.is_some() || is_granted_to_all(policy, flags, request);
    let log = if granted { config.grant_log } else { config.reject_log };
    let (entry, set) = match entry {
        Some(entry) => (Some(entry.id), entry.set),
        None => (None, [None; 3]),
    };
    Decision { mode: config.mode, granted, log, profile, set, entry }
}

/// Whether a global `allow_read` or `allow_env` grants the request.
#[inline]
fn is_granted_to_all(policy: &Policy, flags: DomainFlags, request: &Request<'_>) -> bool {
    match request {
        Request::Path { op: PathOp::Read, path } => {
            !flags.ignore_global_allow_read && policy.exceptions.get().global_reads.any(*path)
        }
        Request::Env { name } => {
            !flags.ignore_global_allow_env && policy.exceptions.get().global_envs.any(*name)
        }
        _ => false,
    }
}

/// Whether a line of the policy grants the request: an entry of the domain, or a global one. Nobody asks for the mode, so this
/// tells what the lines say also where nothing is enforced.
#[cfg(any(not(sekisho_kernel), CONFIG_SECURITY_SEKISHO_SELFTEST))]
pub fn grants(policy: &Policy, domain: DomainId, facts: &Facts<'_>, request: &Request<'_>) -> bool {
    policy.domain(domain).is_some_and(|domain| {
        search::decide(&domain.acl, policy, facts, request).is_some()
            || is_granted_to_all(policy, domain.flags(), request)
    })
}
