// SPDX-License-Identifier: MIT OR Apache-2.0
//! One ACL line as text: parsing and printing without a policy.
//!
//! Reference 4.4. The kernel turns an [`AclLine`] into an entry of a domain; the resolver looks at the lines of an
//! app's fragment and prints them again in normal form. Nothing is copied, everything borrows from the line.
//!
//! TOMOYO 1.7 ignored surplus words of file ACLs, so that `allow_read /a unless task.uid=0` allowed everybody
//! (quirk Q6). Here the words must come out exactly.

use crate::condition::ConditionLine;
use crate::mem::OutOfMemory;
use crate::name;
use crate::number::NumberRange;
use crate::pattern;
use crate::request::Operation;
use crate::text::{ParseError, Reason, Sink, Words};

/// A parsed ACL line.
#[derive(Clone, Copy)]
pub struct AclLine<'a> {
    operation: Operation,
    /// With their columns.
    paths: [Option<(u32, &'a [u8])>; 2],
    number: Option<&'a [u8]>,
    condition: Option<ConditionLine<'a>>,
}

impl<'a> AclLine<'a> {
    /// Parses a line without `delete `.
    ///
    /// # Errors
    /// Where the line is no ACL of this version, and why.
    pub fn parse(line: &'a [u8]) -> Result<AclLine<'a>, ParseError> {
        AclLine::parse_words(Words::new(line))
    }

    /// Parses the rest of a line; columns count from the beginning of that line.
    pub(crate) fn parse_words(mut words: Words<'a>) -> Result<AclLine<'a>, ParseError> {
        let (column, keyword) = words.require(Reason::UnknownAcl)?;
        let Some(operation) = Operation::from_keyword(keyword) else {
            return Err(ParseError::new(column, unknown_keyword(keyword)));
        };
        let (two_paths, with_number) = match operation {
            Operation::Path(_) => (false, false),
            Operation::Path2(_) => (true, false),
            Operation::PathNumber(_) => (false, true),
        };
        let first = path_word(&mut words)?;
        let second = if two_paths { Some(path_word(&mut words)?) } else { None };
        let number = if with_number { Some(number_word(&mut words)?) } else { None };
        let condition = match words.next() {
            None => None,
            Some((_, b"if")) => Some(ConditionLine::parse(words)?),
            Some((column, b";")) if words.peek().is_some_and(|(_, word)| word == b"set") => {
                return Err(ParseError::new(column, Reason::SetNotYet));
            }
            Some((column, _)) => return Err(ParseError::new(column, Reason::SurplusWord)),
        };
        Ok(AclLine { operation, paths: [Some(first), second], number, condition })
    }

    /// What the line allows.
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// The first word, such as `allow_read`.
    pub const fn keyword(&self) -> &'static [u8] {
        self.operation.keyword()
    }

    /// The path arguments as written, groups with their `@`.
    pub fn path_words(&self) -> impl Iterator<Item = &'a [u8]> {
        self.path_columns().map(|(_, word)| word)
    }

    /// The path arguments with their columns.
    pub(crate) fn path_columns(&self) -> impl Iterator<Item = (u32, &'a [u8])> {
        self.paths.into_iter().flatten()
    }

    /// The number argument as written: a number, a range, or a group with its `@`.
    pub const fn number_word(&self) -> Option<&'a [u8]> {
        self.number
    }

    /// What stands behind `if`.
    pub const fn condition(&self) -> Option<ConditionLine<'a>> {
        self.condition
    }

    /// Prints the line in normal form, without line end: single blanks, numbers as reference 1.5 prints them.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        sink.put(self.keyword())?;
        for word in self.path_words() {
            sink.put(b" ")?;
            sink.put(word)?;
        }
        if let Some(word) = self.number {
            sink.put(b" ")?;
            match NumberRange::parse(word) {
                Some(range) => range.print(sink)?,
                None => sink.put(word)?,
            }
        }
        match &self.condition {
            Some(condition) => condition.print(sink),
            None => Ok(()),
        }
    }
}

/// The name behind `@`, if the word is a group.
pub(crate) fn group_name(word: &[u8]) -> Option<&[u8]> {
    word.strip_prefix(b"@")
}

/// A valid group name: any valid word but the empty one (reference 1.3).
pub(crate) fn is_group_name(word: &[u8]) -> bool {
    !word.is_empty() && name::is_valid_word(word)
}

fn path_word<'a>(words: &mut Words<'a>) -> Result<(u32, &'a [u8]), ParseError> {
    let (column, word) = words.require(Reason::MissingPath)?;
    let reason = match group_name(word) {
        Some(group) if is_group_name(group) => return Ok((column, word)),
        Some(_) => Reason::BadGroupName,
        None if !name::is_valid_word(word) => Reason::BadPath,
        None if !pattern::is_within_limits(word) => Reason::PatternTooLong,
        None => return Ok((column, word)),
    };
    Err(ParseError::new(column, reason))
}

fn number_word<'a>(words: &mut Words<'a>) -> Result<&'a [u8], ParseError> {
    let (column, word) = words.require(Reason::MissingNumber)?;
    let reason = match group_name(word) {
        Some(group) if is_group_name(group) => return Ok(word),
        Some(_) => Reason::BadGroupName,
        None if NumberRange::parse(word).is_some() => return Ok(word),
        None => Reason::BadNumber,
    };
    Err(ParseError::new(column, reason))
}

/// ACL keywords of TOMOYO 1.7 that a later version will have (reference 4.4).
const LATER: [&[u8]; 22] = [
    b"allow_symlink",
    b"allow_rewrite",
    b"allow_chroot",
    b"allow_unmount",
    b"allow_transit",
    b"allow_link",
    b"allow_pivot_root",
    b"allow_mkfifo",
    b"allow_mksock",
    b"allow_chmod",
    b"allow_chown",
    b"allow_chgrp",
    b"allow_ioctl",
    b"allow_mkblock",
    b"allow_mkchar",
    b"allow_mount",
    b"allow_env",
    b"allow_capability",
    b"allow_signal",
    b"allow_network",
    b"execute_handler",
    b"denied_execute_handler",
];

fn unknown_keyword(word: &[u8]) -> Reason {
    if LATER.contains(&word) {
        Reason::AclNotYet
    } else if word == b"ignore_global_allow_read" || word == b"ignore_global_allow_env" {
        Reason::AttributeNotYet
    } else if !word.is_empty() && word.iter().all(u8::is_ascii_digit) {
        Reason::OldNumericAcl
    } else {
        Reason::UnknownAcl
    }
}
