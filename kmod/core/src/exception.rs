// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rules of exception_policy that steer domain transitions.
//!
//! Reference 3.1 and 3.2: `initialize_domain`, `keep_domain` and their `no_` forms. How they work together is in
//! [`crate::transition`].

use crate::edit::EditError;
use crate::mem::{OutOfMemory, Vec};
use crate::name::{DomainName, Name, ROOT_DOMAIN};
use crate::text::{self, ParseError, Reason, Sink, Words};

/// Which list a rule belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleKind {
    Initialize,
    Keep,
}

/// The domain of a rule.
enum From {
    /// This domain.
    Domain(Vec<u8>),
    /// Every domain whose name ends in this word.
    LastWord(Vec<u8>),
}

impl From {
    fn text(&self) -> &Vec<u8> {
        match self {
            From::Domain(text) | From::LastWord(text) => text,
        }
    }
}

/// One rule.
pub(crate) struct Rule {
    pub(crate) kind: RuleKind,
    /// A `no_` form: cancels the other rules.
    pub(crate) negative: bool,
    /// The program that is executed; `None`: any. Always present in `initialize_domain`.
    program: Option<Vec<u8>>,
    /// Where it is executed; `None`: anywhere. Always present in `keep_domain`.
    from: Option<From>,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        let bytes = |text: &Option<Vec<u8>>, other: &Option<Vec<u8>>| match (text, other) {
            (Some(text), Some(other)) => **text == **other,
            (None, None) => true,
            _ => false,
        };
        let from = match (&self.from, &other.from) {
            (Some(From::Domain(text)), Some(From::Domain(other))) => **text == **other,
            (Some(From::LastWord(text)), Some(From::LastWord(other))) => **text == **other,
            (None, None) => true,
            _ => false,
        };
        self.kind == other.kind
            && self.negative == other.negative
            && from
            && bytes(&self.program, &other.program)
    }
}

impl Rule {
    /// Parses what follows the directive.
    pub(crate) fn parse(kind: RuleKind, negative: bool, mut words: Words<'_>) -> Result<Rule, EditError> {
        let (program, from) = match kind {
            RuleKind::Initialize => {
                let program = program(&mut words, Reason::MissingProgram)?;
                let from = match words.next() {
                    None => None,
                    Some((_, b"from")) => Some(from(words)?),
                    Some((column, _)) => return Err(ParseError::new(column, Reason::SurplusWord).into()),
                };
                (Some(program), from)
            }
            RuleKind::Keep => {
                let mut ahead = words;
                let program = match (ahead.next(), ahead.next()) {
                    (Some(_), Some((_, b"from"))) => {
                        let program = program(&mut words, Reason::MissingFromDomain)?;
                        words = ahead;
                        Some(program)
                    }
                    _ => None,
                };
                (program, Some(from(words)?))
            }
        };
        Ok(Rule { kind, negative, program, from })
    }

    /// Whether the rule speaks about `program` being executed in the domain `old`, whose last word is `last`.
    pub(crate) fn applies(&self, old: &[u8], last: &[u8], program: &[u8]) -> bool {
        let here = match &self.from {
            None => true,
            Some(From::Domain(name)) => **name == *old,
            Some(From::LastWord(word)) => **word == *last,
        };
        here && match &self.program {
            None => true,
            Some(word) => **word == *program,
        }
    }

    pub(crate) fn memory(&self) -> usize {
        let program = self.program.as_ref().map_or(0, Vec::capacity_bytes);
        let from = self.from.as_ref().map_or(0, |from| from.text().capacity_bytes());
        core::mem::size_of::<Self>().saturating_add(program).saturating_add(from)
    }

    /// Prints the line.
    pub(crate) fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        if self.negative {
            sink.put(b"no_")?;
        }
        sink.put(match self.kind {
            RuleKind::Initialize => b"initialize_domain",
            RuleKind::Keep => b"keep_domain",
        })?;
        if let Some(program) = &self.program {
            sink.put(b" ")?;
            sink.put(program)?;
        }
        if let Some(from) = &self.from {
            sink.put(if self.program.is_some() { b" from " } else { b" " })?;
            sink.put(from.text())?;
        }
        sink.put(b"\n")
    }
}

/// Reference 1.3: absolute, without wildcards, no directory.
pub(crate) fn is_program(word: &[u8]) -> bool {
    word.first() == Some(&b'/') && Name::new(word).is_some_and(|name| !name.is_dir())
}

fn program(words: &mut Words<'_>, missing: Reason) -> Result<Vec<u8>, EditError> {
    let (column, word) = words.require(missing)?;
    if !is_program(word) {
        return Err(ParseError::new(column, Reason::BadProgram).into());
    }
    Ok(text::owned(word)?)
}

/// The domain at the end of a line, in one of its two forms.
fn from(mut words: Words<'_>) -> Result<From, EditError> {
    let all = words;
    let (column, word) = words.require(Reason::MissingFromDomain)?;
    if word.starts_with(ROOT_DOMAIN) {
        return Ok(From::Domain(domain_name(all)?));
    }
    if !is_program(word) {
        return Err(ParseError::new(column, Reason::BadFromDomain).into());
    }
    words.finish()?;
    Ok(From::LastWord(text::owned(word)?))
}

/// The rest of a line as the name of a domain. The column of an error is that of the first word that cannot be part
/// of one.
pub(crate) fn domain_name(words: Words<'_>) -> Result<Vec<u8>, EditError> {
    let text = text::normalise(words)?;
    if crate::name::is_valid_domain(&text) {
        return Ok(text);
    }
    let mut rest = words;
    let bad = match rest.next() {
        Some(first) if first.1 != ROOT_DOMAIN => Some(first),
        _ => rest.find(|(_, word)| word.first() != Some(&b'/') || Name::new(word).is_none()),
    };
    let column = bad.map_or(words.column(), |(column, _)| column);
    Err(ParseError::new(column, Reason::BadDomainName).into())
}

/// The same as an owned, typed name.
pub(crate) fn owned_domain_name(words: Words<'_>) -> Result<DomainName, EditError> {
    let column = words.peek().map_or(words.column(), |(column, _)| column);
    DomainName::new(domain_name(words)?).ok_or(ParseError::new(column, Reason::BadDomainName).into())
}
