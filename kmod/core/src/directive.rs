// SPDX-License-Identifier: MIT OR Apache-2.0
//! One line of exception_policy as text, checked and borrowed (reference 3; the constraints are those of table 1.3).

use crate::acl::{check_word, is_group_name};
use crate::address::AddressRange;
use crate::name::{self, Name, ROOT_DOMAIN};
use crate::number::{Number, NumberRange};
use crate::pattern;
use crate::text::{ParseError, Reason, Words};

/// The domain of a transition rule.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum From<'a> {
    /// This domain.
    Domain(&'a [u8]),
    /// Every domain whose name ends in this word.
    LastWord(&'a [u8]),
}

impl<'a> From<'a> {
    /// From what is written.
    pub(crate) fn new(text: &'a [u8]) -> From<'a> {
        if text.starts_with(ROOT_DOMAIN) {
            From::Domain(text)
        } else {
            From::LastWord(text)
        }
    }

    /// As it is written.
    pub const fn text(&self) -> &'a [u8] {
        match self {
            From::Domain(text) | From::LastWord(text) => text,
        }
    }
}

/// A line without `delete `.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Directive<'a> {
    /// `initialize_domain`, `keep_domain` and their `no_` forms (reference 3.1, 3.2).
    Rule {
        /// `keep_domain`, not `initialize_domain`.
        keep: bool,
        /// A `no_` form: cancels the others.
        negative: bool,
        /// The program that is executed; `None`: any. Always there in `initialize_domain`.
        program: Option<&'a [u8]>,
        /// Where it is executed; `None`: anywhere. Always there in `keep_domain`.
        from: Option<From<'a>>,
    },
    /// `allow_read PATTERN`
    AllowRead(&'a [u8]),
    /// `allow_env NAME`
    AllowEnv(&'a [u8]),
    /// `file_pattern PATTERN`
    FilePattern(&'a [u8]),
    /// `deny_rewrite PATTERN`
    DenyRewrite(&'a [u8]),
    /// `aggregator PATTERN PROGRAM`
    Aggregator(&'a [u8], &'a [u8]),
    /// `path_group GROUP MEMBER`
    PathGroup(&'a [u8], &'a [u8]),
    /// `number_group GROUP MEMBER`
    NumberGroup(&'a [u8], NumberRange),
    /// `address_group GROUP MEMBER`
    AddressGroup(&'a [u8], AddressRange),
    /// `deny_autobind FROM-TO`
    DenyAutobind(u16, u16),
}

/// Reference 3.11.
const REMOVED: [&[u8]; 6] =
    [b"alias", b"allow_argv0", b"trust_domain", b"initializer", b"no_initializer", b"undelete"];

impl<'a> Directive<'a> {
    /// Parses the words of a line that stand one blank apart ([`crate::text::Normal`]): names of domains borrow from it.
    ///
    /// # Errors
    /// Where the line is no directive, and why.
    pub fn parse(mut words: Words<'a>) -> Result<Directive<'a>, ParseError> {
        let (column, directive) = words.require(Reason::UnknownDirective)?;
        let line = match directive {
            b"initialize_domain" => return rule(words, false, false),
            b"no_initialize_domain" => return rule(words, false, true),
            b"keep_domain" => return rule(words, true, false),
            b"no_keep_domain" => return rule(words, true, true),
            b"allow_read" => Directive::AllowRead(take(&mut words, Reason::MissingPath, check_file)?),
            b"allow_env" => Directive::AllowEnv(take(&mut words, Reason::MissingVariable, check_variable)?),
            b"file_pattern" => Directive::FilePattern(take(&mut words, Reason::MissingPath, check_pattern)?),
            b"deny_rewrite" => {
                let check = |word: &[u8]| check_word(word, Reason::BadPath);
                Directive::DenyRewrite(take(&mut words, Reason::MissingPath, check)?)
            }
            b"aggregator" => {
                let original = take(&mut words, Reason::MissingPath, check_file)?;
                Directive::Aggregator(original, take(&mut words, Reason::MissingProgram, check_program)?)
            }
            b"path_group" => {
                let group = group(&mut words)?;
                let check = |word: &[u8]| check_word(word, Reason::BadPathMember);
                Directive::PathGroup(group, take(&mut words, Reason::MissingMember, check)?)
            }
            b"number_group" => {
                let group = group(&mut words)?;
                let (column, word) = words.require(Reason::MissingMember)?;
                let fail = |reason| ParseError::new(column, reason);
                let member = NumberRange::parse(word).ok_or(fail(Reason::BadNumberMember))?;
                if member.is_empty() {
                    return Err(fail(Reason::ReversedRange));
                }
                Directive::NumberGroup(group, member)
            }
            b"address_group" => {
                let group = group(&mut words)?;
                let (column, word) = words.require(Reason::MissingMember)?;
                let member = AddressRange::parse(word);
                Directive::AddressGroup(
                    group,
                    member.ok_or(ParseError::new(column, Reason::BadAddressMember))?,
                )
            }
            b"deny_autobind" => {
                let (column, word) = words.require(Reason::MissingPort)?;
                let (from, to) = ports(word).ok_or(ParseError::new(column, Reason::BadPorts))?;
                if from > to {
                    return Err(ParseError::new(column, Reason::ReversedRange));
                }
                Directive::DenyAutobind(from, to)
            }
            b"acl_group" | b"reset_domain" | b"no_reset_domain" => {
                return Err(ParseError::new(column, Reason::LaterDirective))
            }
            other if REMOVED.contains(&other) => {
                return Err(ParseError::new(column, Reason::RemovedDirective))
            }
            _ => return Err(ParseError::new(column, Reason::UnknownDirective)),
        };
        words.finish()?;
        Ok(line)
    }
}

impl Directive<'_> {
    /// Checks a directive that no line was parsed for: it is what a line can say.
    ///
    /// # Errors
    /// Why no line says it.
    pub(crate) fn check(&self) -> Result<(), Reason> {
        match *self {
            Directive::Rule { keep, program, from, .. } => {
                match program {
                    Some(program) => check_program(program)?,
                    None if keep => {}
                    None => return Err(Reason::MissingProgram),
                }
                match from {
                    Some(From::Domain(name)) if !name::is_valid_domain(name) => Err(Reason::BadDomainName),
                    Some(From::LastWord(word)) => check_program(word).map_err(|_| Reason::BadFromDomain),
                    None if keep => Err(Reason::MissingFromDomain),
                    _ => Ok(()),
                }
            }
            Directive::AllowRead(word) => check_file(word),
            Directive::AllowEnv(word) => check_there(word, Reason::MissingVariable, check_variable),
            Directive::FilePattern(word) => check_pattern(word),
            Directive::DenyRewrite(word) => {
                check_there(word, Reason::MissingPath, |word| check_word(word, Reason::BadPath))
            }
            Directive::Aggregator(from, to) => {
                check_file(from)?;
                check_program(to)
            }
            Directive::PathGroup(name, word) => {
                check_group(name)?;
                check_there(word, Reason::MissingMember, |word| check_word(word, Reason::BadPathMember))
            }
            Directive::NumberGroup(_, range) if range.is_empty() => Err(Reason::ReversedRange),
            Directive::NumberGroup(name, _) | Directive::AddressGroup(name, _) => check_group(name),
            Directive::DenyAutobind(from, to) if from > to => Err(Reason::ReversedRange),
            Directive::DenyAutobind(..) => Ok(()),
        }
    }
}

/// A word of a line is never empty, although the empty word is a valid one.
fn check_there(
    word: &[u8],
    missing: Reason,
    check: impl Fn(&[u8]) -> Result<(), Reason>,
) -> Result<(), Reason> {
    if word.is_empty() {
        return Err(missing);
    }
    check(word)
}

fn check_group(name: &[u8]) -> Result<(), Reason> {
    if is_group_name(name) {
        Ok(())
    } else {
        Err(Reason::BadGroupName)
    }
}

fn take<'a>(
    words: &mut Words<'a>,
    missing: Reason,
    check: impl Fn(&[u8]) -> Result<(), Reason>,
) -> Result<&'a [u8], ParseError> {
    let (column, word) = words.require(missing)?;
    check(word).map_err(|reason| ParseError::new(column, reason))?;
    Ok(word)
}

fn group<'a>(words: &mut Words<'a>) -> Result<&'a [u8], ParseError> {
    take(words, Reason::MissingGroupName, check_group)
}

/// What follows the directive of a transition rule.
fn rule(mut words: Words<'_>, keep: bool, negative: bool) -> Result<Directive<'_>, ParseError> {
    let mut program = None;
    let mut ahead = words;
    let with_from = matches!((ahead.next(), ahead.next()), (Some(_), Some((_, b"from"))));
    // `from any` and `any from` are of TOMOYO 1.8.
    let mut rest = words;
    let any = rest.find(|(_, word)| *word == b"any");
    if let Some((column, _)) = any.filter(|_| with_from) {
        return Err(ParseError::new(column, Reason::LaterDirective));
    }
    if !keep || with_from {
        let missing = if keep { Reason::MissingFromDomain } else { Reason::MissingProgram };
        program = Some(take(&mut words, missing, check_program)?);
    }
    if with_from {
        words = ahead;
    } else if !keep {
        words.finish()?;
        return Ok(Directive::Rule { keep, negative, program, from: None });
    }
    Ok(Directive::Rule { keep, negative, program, from: Some(from(words)?) })
}

/// The domain at the end of a line, in one of its two forms.
fn from(mut words: Words<'_>) -> Result<From<'_>, ParseError> {
    let all = words;
    let (column, word) = words.require(Reason::MissingFromDomain)?;
    if word.starts_with(ROOT_DOMAIN) {
        return domain(all).map(From::Domain);
    }
    check_program(word).map_err(|_| ParseError::new(column, Reason::BadFromDomain))?;
    words.finish()?;
    Ok(From::LastWord(word))
}

/// The rest of a line as the name of a domain; its words stand one blank apart. The column of an error is that of the
/// first word that cannot be part of one.
pub(crate) fn domain(words: Words<'_>) -> Result<&[u8], ParseError> {
    let column = words.peek().map_or(words.column(), |(column, _)| column);
    let mut end = words;
    for _ in end.by_ref() {}
    let text = end.slice_from(column);
    if name::is_valid_domain(text) {
        return Ok(text);
    }
    let mut rest = words;
    let bad = match rest.next() {
        Some(first) if first.1 != ROOT_DOMAIN => Some(first),
        _ => rest.find(|(_, word)| word.first() != Some(&b'/') || Name::new(word).is_none()),
    };
    Err(ParseError::new(bad.map_or(words.column(), |(column, _)| column), Reason::BadDomainName))
}

/// Absolute, without wildcards, no directory.
pub(crate) fn check_program(word: &[u8]) -> Result<(), Reason> {
    let valid = word.first() == Some(&b'/') && Name::new(word).is_some_and(|name| !name.is_dir());
    if valid {
        Ok(())
    } else {
        Err(Reason::BadProgram)
    }
}

/// Absolute, no directory, wildcards allowed.
fn check_file(word: &[u8]) -> Result<(), Reason> {
    if word.first() != Some(&b'/') || word.last() == Some(&b'/') {
        return Err(Reason::BadFile);
    }
    check_word(word, Reason::BadFile)
}

/// With a wildcard.
fn check_pattern(word: &[u8]) -> Result<(), Reason> {
    check_word(word, Reason::BadPath)?;
    if pattern::skip_units(word).is_empty() {
        return Err(Reason::NoWildcard);
    }
    Ok(())
}

/// A valid word without `=`.
pub(crate) fn check_variable(word: &[u8]) -> Result<(), Reason> {
    if word.contains(&b'=') {
        return Err(Reason::BadVariable);
    }
    check_word(word, Reason::BadVariable)
}

/// `PORT` or `FROM-TO`, decimal.
fn ports(word: &[u8]) -> Option<(u16, u16)> {
    let range = NumberRange::parse(word)?;
    let port = |number: Number| u16::try_from(number.value).ok();
    let decimal = word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-')
        && range.min == Number::decimal(range.min.value)
        && range.max == Number::decimal(range.max.value);
    Some((port(range.min)?, port(range.max)?)).filter(|_| decimal)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Directive, From};
    use crate::text::{Reason, Words};

    fn parse(line: &str) -> Result<Directive<'_>, (u32, &'static str)> {
        Directive::parse(Words::new(line.as_bytes())).map_err(|error| (error.column, error.reason.message()))
    }

    #[test]
    fn rules() {
        let rule = |keep, negative, program, from| Directive::Rule { keep, negative, program, from };
        let (sh, sshd) = (Some(&b"/bin/sh"[..]), &b"<kernel> /usr/sbin/sshd"[..]);
        for (line, expected) in [
            ("initialize_domain /bin/sh", rule(false, false, sh, None)),
            ("no_initialize_domain /bin/sh from /a", rule(false, true, sh, Some(From::LastWord(b"/a")))),
            (
                "initialize_domain /bin/sh from <kernel> /usr/sbin/sshd",
                rule(false, false, sh, Some(From::Domain(sshd))),
            ),
            ("keep_domain <kernel> /usr/sbin/sshd", rule(true, false, None, Some(From::Domain(sshd)))),
            ("no_keep_domain /bin/sh", rule(true, true, None, Some(From::LastWord(b"/bin/sh")))),
            ("keep_domain /bin/sh from <kernel>", rule(true, false, sh, Some(From::Domain(b"<kernel>")))),
            ("keep_domain /bin/sh from /a", rule(true, false, sh, Some(From::LastWord(b"/a")))),
        ] {
            assert!(parse(line) == Ok(expected), "{line}");
        }
    }

    #[test]
    fn other_lines() {
        for good in [
            r"allow_read /lib/\*",
            r"allow_env LC_\*",
            r"file_pattern \$",
            "deny_rewrite @x",
            r"aggregator /tmp/a.\?\? /tmp/a",
            "path_group A @B",
            r"path_group \* pipe:[\$]",
            "number_group A 5-5",
            "address_group A 2.0.0.0-1.0.0.0",
            "deny_autobind 0-65535",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn bad_lines_say_where_and_why() {
        for (column, reason, line) in [
            (1, Reason::UnknownDirective, ""),
            (1, Reason::UnknownDirective, "allow_write /a"),
            (1, Reason::RemovedDirective, "trust_domain <kernel>"),
            (1, Reason::LaterDirective, "acl_group 0 file read /a"),
            (1, Reason::LaterDirective, "reset_domain /a from any"),
            (27, Reason::LaterDirective, "initialize_domain /a from any"),
            (13, Reason::LaterDirective, "keep_domain any from <kernel> /a"),
            (19, Reason::BadProgram, "initialize_domain any"),
            (18, Reason::MissingProgram, "initialize_domain"),
            (19, Reason::BadProgram, r"initialize_domain /\*"),
            (19, Reason::BadProgram, "initialize_domain @A"),
            (19, Reason::BadProgram, "initialize_domain /a/"),
            (22, Reason::SurplusWord, "initialize_domain /a /b"),
            (26, Reason::MissingFromDomain, "initialize_domain /a from"),
            (27, Reason::BadFromDomain, "initialize_domain /a from /b/"),
            (30, Reason::SurplusWord, "initialize_domain /a from /b /c"),
            (12, Reason::MissingFromDomain, "keep_domain"),
            (13, Reason::BadDomainName, "keep_domain <kernel>x"),
            (22, Reason::BadDomainName, "keep_domain <kernel> a"),
            (13, Reason::BadProgram, "keep_domain <kernel> from /a"),
            (12, Reason::BadFile, "allow_read a"),
            (12, Reason::BadFile, "allow_read @a"),
            (12, Reason::BadFile, r"allow_read /\*/"),
            (15, Reason::SurplusWord, "allow_read /a if task.uid=0"),
            (11, Reason::BadVariable, "allow_env A=B"),
            (14, Reason::NoWildcard, "file_pattern /a"),
            (14, Reason::BadPath, r"file_pattern \q"),
            (14, Reason::BadPath, r"deny_rewrite \q"),
            (16, Reason::MissingProgram, "aggregator /\\*a"),
            (15, Reason::BadProgram, r"aggregator /a /\*"),
            (14, Reason::MissingMember, "path_group  A "),
            (14, Reason::BadPathMember, r"path_group A \q"),
            (16, Reason::BadNumberMember, "number_group A @B"),
            (16, Reason::ReversedRange, "number_group A 2-1"),
            (17, Reason::BadAddressMember, "address_group A 1.2.3.4x"),
            (25, Reason::SurplusWord, "address_group A 1.2.3.4 x"),
            (15, Reason::BadPorts, "deny_autobind 65536"),
            (15, Reason::BadPorts, "deny_autobind 1x"),
            (15, Reason::BadPorts, "deny_autobind @A"),
            (15, Reason::ReversedRange, "deny_autobind 2-1"),
        ] {
            assert_eq!(parse(line).map(|_| ()), Err((column, reason.message())), "{line}");
        }
    }
}
