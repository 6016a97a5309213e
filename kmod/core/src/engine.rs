// SPDX-License-Identifier: MIT OR Apache-2.0
//! The decision.
//!
//! Reference 0.3 and 7.3. The entries of the domain are tried in list order and the first that grants decides; so the
//! cost grows with the number of entries. Nothing here allocates or sleeps.

use crate::domain::DomainId;
use crate::policy::Policy;
use crate::profile::{Config, Item};
use crate::request::Request;
use crate::task::Task;

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
        return Config { mode: Mode::Disabled, grant_log: false, reject_log: false };
    }
    let profile = policy.domain(domain).and_then(|domain| policy.profile(domain.profile()));
    profile.map_or(Config { mode: Mode::Enforcing, grant_log: true, reject_log: true }, |profile| {
        profile.config(item)
    })
}

/// Decides about a request of a task in `domain`.
///
/// A domain that the policy does not know, or whose profile is not defined, is a mistake of the caller or of this
/// crate: it fails closed.
pub fn decide(policy: &Policy, domain: DomainId, task: &Task, request: &Request<'_>) -> Decision {
    let found = policy.domain(domain);
    let number = found.map_or(0, |domain| domain.profile());
    let disabled = Decision { mode: Mode::Disabled, granted: true, log: false, profile: number };
    if !policy.is_active() {
        return disabled;
    }
    let (Some(domain), Some(profile)) = (found, policy.profile(number)) else {
        return Decision { mode: Mode::Enforcing, granted: false, log: true, profile: number };
    };
    let config = profile.config(request.item());
    if config.mode == Mode::Disabled {
        return disabled;
    }
    let granted = domain.entries.iter().any(|entry| entry.grants(policy, task, request));
    let log = if granted { config.grant_log } else { config.reject_log };
    Decision { mode: config.mode, granted, log, profile: number }
}
