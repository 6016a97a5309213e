// SPDX-License-Identifier: MIT OR Apache-2.0
//! `select` lines of domain_policy (reference 4.1, 10.4).

use crate::directive;
use crate::name::ROOT_DOMAIN;
use crate::text::{ParseError, Reason, Words};

/// What follows `select`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Select<'a> {
    /// `<kernel> ...` or `domain=<kernel> ...`
    Domain(&'a [u8]),
    /// `pid=N`: the domain of a task, in the caller's pid namespace.
    Pid(u32),
    /// `global-pid=N`: the same in the initial pid namespace.
    GlobalPid(u32),
    /// `allow_execute`: reading shows only what concerns transitions.
    Transitions,
}

impl<'a> Select<'a> {
    /// Reads the words behind `select`; they stand one blank apart.
    ///
    /// # Errors
    /// Where they are none of the forms; among them an attribute or ACL, which 1.7 executed (quirk Q9).
    pub fn parse(mut words: Words<'a>) -> Result<Select<'a>, ParseError> {
        let all = words;
        let (column, word) = words.require(Reason::SelectWithoutDomain)?;
        if word.starts_with(ROOT_DOMAIN) {
            return directive::domain(all).map(Select::Domain);
        }
        if let Some(first) = word.strip_prefix(b"domain=") {
            let mut end = words;
            for _ in end.by_ref() {}
            let start = column.saturating_add(b"domain=".len() as u32);
            let name = end.slice_from(start);
            if first.is_empty() || !crate::name::is_valid_domain(name) {
                return Err(ParseError::new(start, Reason::BadDomainName));
            }
            return Ok(Select::Domain(name));
        }
        let pid = |digits: &[u8]| {
            let number = digits.iter().try_fold(0_u32, |number, digit| {
                let digit = digit.wrapping_sub(b'0');
                if digit > 9 {
                    return None;
                }
                number.checked_mul(10)?.checked_add(u32::from(digit))
            });
            number.filter(|_| !digits.is_empty()).ok_or(ParseError::new(column, Reason::BadPid))
        };
        let select = if let Some(digits) = word.strip_prefix(b"pid=") {
            Select::Pid(pid(digits)?)
        } else if let Some(digits) = word.strip_prefix(b"global-pid=") {
            Select::GlobalPid(pid(digits)?)
        } else if word == b"allow_execute" && words.peek().is_none() {
            Select::Transitions
        } else {
            return Err(ParseError::new(column, Reason::SelectWithoutDomain));
        };
        words.finish()?;
        Ok(select)
    }
}
