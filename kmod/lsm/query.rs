// SPDX-License-Identifier: GPL-2.0-only

//! Interactive queries (reference 9): nobody observes yet.

use crate::log::Origin;
use sekisho_core::engine::Decision;
use sekisho_core::facts::Facts;
use sekisho_core::policy::{DomainId, Preferences};
use sekisho_core::request::Request;

#[expect(dead_code, reason = "stub")]
pub(crate) enum Verdict {
    Deny,
    Allow,
    Retry,
}

#[expect(dead_code, reason = "stub")]
pub(crate) struct Asked<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) decision: &'a Decision,
    pub(crate) preferences: &'a Preferences,
    pub(crate) facts: &'a Facts<'a>,
    pub(crate) domain: DomainId,
    pub(crate) may_sleep_penalty: bool,
    pub(crate) retries: u32,
}

pub(crate) fn decide(_asked: &Asked<'_>, _request: &Request<'_>) -> Verdict {
    Verdict::Deny
}

pub(crate) fn create_domain(_asked: &Asked<'_>, _name: &[u8]) -> Verdict {
    Verdict::Deny
}
