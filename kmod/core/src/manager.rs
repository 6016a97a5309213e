// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who may write policy: programs and domains.
//!
//! Reference 10.2.

use crate::directive;
use crate::edit::EditError;
use crate::mem::Vec;
use crate::name::{is_valid_domain, ROOT_DOMAIN};
use crate::text::{self, ParseError, Reason, Words};

/// One line of the manager file.
pub(crate) enum Line {
    /// `manage_by_non_root`
    NonRoot,
    /// A program or a domain.
    Entry(Manager),
}

/// One entry of the list: the whole name of a domain, or the path of a program. They cannot be confused, because a
/// program begins with `/` and a domain with `<`.
pub(crate) struct Manager(Vec<u8>);

impl Line {
    /// Parses what follows an optional `delete`; the words stand one blank apart.
    pub(crate) fn parse(mut words: Words<'_>) -> Result<Line, EditError> {
        let all = words;
        let (column, word) = words.require(Reason::BadManager)?;
        if word.starts_with(ROOT_DOMAIN) {
            return Ok(Line::Entry(Manager(text::owned(directive::domain(all)?)?)));
        }
        let non_root = word == b"manage_by_non_root";
        if !non_root && directive::check_program(word).is_err() {
            return Err(ParseError::new(column, Reason::BadManager).into());
        }
        words.finish()?;
        Ok(if non_root { Line::NonRoot } else { Line::Entry(Manager(text::owned(word)?)) })
    }
}

impl Manager {
    /// A domain or program from elsewhere than a line.
    pub(crate) fn new(name: &[u8]) -> Result<Manager, EditError> {
        let valid = if name.starts_with(ROOT_DOMAIN) {
            is_valid_domain(name)
        } else {
            directive::check_program(name).is_ok()
        };
        if !valid {
            return Err(ParseError::new(1, Reason::BadManager).into());
        }
        Ok(Manager(text::owned(name)?))
    }

    /// The domain or program.
    pub(crate) fn name(&self) -> &[u8] {
        &self.0
    }
}
