// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is accepted but hardly meant: lines that can never match, or do something else than they seem to say.
//!
//! TOMOYO 1.7 has corners that policies may depend on (reference 2.5, 2.6, 15), and most of what can never match is no error
//! of the language, so such lines are kept and mean what they meant there. A person who writes one should hear about it,
//! though. The kernel does not look for warnings; the checker of the host does.
//!
//! [`line`] looks at one line alone, [`whole`] at what it means beside the rest of the policy.

use crate::acl::AclLine;
use crate::directive::{Directive, From};
use crate::edit::EditError;
use crate::manager;
use crate::name::ROOT_DOMAIN;
use crate::text::{Normal, Words};
use crate::transaction::PolicyFile;

mod acl;
mod condition;
mod message;
mod profile;
mod whole;
mod word;

pub use message::Warning;
pub use whole::{by_value, whole};

use word::Role;

#[cfg(test)]
mod tests;

/// Is shown column and warning.
pub type Visit<'v> = dyn FnMut(u32, Warning) + 'v;

/// Calls `visit` with column and warning for whatever is odd in a line of a policy file, from left to right.
///
/// Columns are those of the offending words in the line as written; inside of a condition, of the offending side of a test.
/// A line that says nothing, or that deletes or selects something, has no warnings.
///
/// # Errors
/// The line would not be accepted, or there is no memory to look at it.
pub fn line(file: PolicyFile, line: &[u8], visit: &mut Visit<'_>) -> Result<(), EditError> {
    if file == PolicyFile::Profile {
        return Ok(profile::look(line, visit)?);
    }
    let normal = Normal::new(line)?;
    let restore = |error| EditError::Parse(normal.restore(error));
    let mut visit = |column, warning| visit(normal.written(column), warning);
    let words = Words::new(normal.bytes());
    let Some((_, first)) = words.peek().filter(|(_, first)| *first != b"delete") else {
        return Ok(());
    };
    match file {
        PolicyFile::Domain if first.starts_with(ROOT_DOMAIN) => domain(words, &mut visit),
        PolicyFile::Domain if first == b"select" || is_attribute(first) => {}
        PolicyFile::Domain => acl::look(&AclLine::parse_words(words).map_err(restore)?, &mut visit),
        PolicyFile::Exception => directive(words, &Directive::parse(words).map_err(restore)?, &mut visit),
        _ => match manager::Line::parse(words)? {
            manager::Line::Entry(_) if first.starts_with(ROOT_DOMAIN) => domain(words, &mut visit),
            manager::Line::Entry(_) => next(&mut words.clone(), first, Role::Program, &mut visit),
            manager::Line::NonRoot => {}
        },
    }
    Ok(())
}

fn is_attribute(keyword: &[u8]) -> bool {
    matches!(
        keyword,
        b"use_profile"
            | b"quota_exceeded"
            | b"transition_failed"
            | b"ignore_global_allow_read"
            | b"ignore_global_allow_env"
    )
}

/// The next word, which is `word`.
fn next(words: &mut Words<'_>, word: &[u8], role: Role, visit: &mut Visit<'_>) {
    word::look(next_column(words), word, role, visit);
}

/// Takes a word and returns its column.
fn next_column(words: &mut Words<'_>) -> u32 {
    words.next().map_or(words.column(), |(column, _)| column)
}

/// The words of the name of a domain.
fn domain(words: Words<'_>, visit: &mut Visit<'_>) {
    for (column, word) in words {
        domain_word(column, word, visit);
    }
}

/// A word of the name of a domain: each but the first is a program, or that of a transition.
fn domain_word(column: u32, word: &[u8], visit: &mut Visit<'_>) {
    match word {
        ROOT_DOMAIN => {}
        [b'/', b'/', ..] => word::look(column, word, Role::Transit, visit),
        _ => word::look(column, word, Role::Program, visit),
    }
}

/// A line of exception_policy.
fn directive(mut words: Words<'_>, directive: &Directive<'_>, visit: &mut Visit<'_>) {
    words.next();
    match *directive {
        Directive::AllowRead(word) => next(&mut words, word, Role::File, visit),
        Directive::DenyRewrite(word) => next(&mut words, word, Role::LiteralFile, visit),
        Directive::AllowEnv(word) => next(&mut words, word, Role::Variable, visit),
        Directive::FilePattern(word) => next(&mut words, word, Role::Member, visit),
        Directive::Aggregator(from, to) => {
            next(&mut words, from, Role::Original, visit);
            next(&mut words, to, Role::Aggregated, visit);
        }
        Directive::PathGroup(_, word) => {
            words.next();
            next(&mut words, word, Role::Member, visit);
        }
        Directive::AddressGroup(_, range) if range.is_empty() => {
            words.next();
            visit(next_column(&mut words), Warning::EmptyRange);
        }
        // The parser rejects other ranges of this kind.
        Directive::AddressGroup(..) | Directive::NumberGroup(..) | Directive::DenyAutobind(..) => {}
        Directive::Rule { program, from, .. } => {
            if let Some(program) = program {
                next(&mut words, program, Role::Program, visit);
                words.next(); // `from`
            }
            match from {
                Some(From::Domain(_)) => domain(words, visit),
                Some(From::LastWord(word)) => domain_word(next_column(&mut words), word, visit),
                None => {}
            }
        }
    }
}
