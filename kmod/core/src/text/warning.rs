// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is accepted but hardly meant: lines that do something else than they seem to say.
//!
//! TOMOYO 1.7 has corners that policies may depend on (reference 2.5, 2.6, 15), so such lines are kept and mean what they
//! meant there. A person who writes one should hear about it, though. The kernel does not look for warnings; the
//! checker of the host does.

use super::Words;
use crate::acl::AclLine;
use crate::args::{self, AddressArg, Args, NumberArg, PathArg};
use crate::condition::{Operand, TestLine};
use crate::directive::Directive;
use crate::name::{next_element, Element};
use crate::number::NumberRange;
use crate::pattern;
use crate::request::{Class, Operation, PathOp};

/// Why an accepted line deserves a second look.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(sekisho_kernel), derive(Debug))]
#[non_exhaustive]
pub enum Warning {
    /// `allow_execute` with a wildcard (quirk Q12).
    WildcardInExecute,
    /// `allow_transit` with a wildcard (quirk Q12).
    WildcardInTransit,
    /// A last component of `\*` or `\@` only, which may be missing altogether (quirk Q1).
    MissingComponent,
    /// `\-` in the component in which the literal beginning ends (quirks Q2 and Q3).
    SubtractionAfterPrefix,
    /// A profile line with more than one mode (quirk Q16).
    SeveralModes,
    /// A condition on `execute_handler` or `denied_execute_handler`.
    ConditionOnHandler,
    /// A range whose first end is above the second.
    EmptyRange,
    /// The same value in another radix is in the domain too (quirk Q23). It takes the domain to see this.
    SameValueOtherRadix,
}

impl Warning {
    /// What is odd and what would be better, one line without full stop.
    pub const fn message(&self) -> &'static str {
        match self {
            Warning::WildcardInExecute => {
                "allow_execute with a wildcard never matches; write the program's name, or map temporary names to one with aggregator"
            }
            Warning::WildcardInTransit => {
                "allow_transit with a wildcard never matches; write one line for each word"
            }
            Warning::MissingComponent => {
                "the last component consists of \\* or \\@ only and may be missing: the names one level above match too; write \\?\\* instead if they must not"
            }
            Warning::SubtractionAfterPrefix => {
                "\\- compares only what follows the literal beginning of the pattern: /etc/s\\*\\-shadow matches /etc/shadow; leave out that beginning behind the \\- too, as in /etc/s\\*\\-hadow"
            }
            Warning::SeveralModes => {
                "more than one mode; the first of disabled, learning, permissive, enforcing wins wherever it stands; keep one"
            }
            Warning::ConditionOnHandler => {
                "a condition has no effect on a handler; remove it"
            }
            Warning::EmptyRange => {
                "the range ends before it begins and contains nothing; write the smaller end first"
            }
            Warning::SameValueOtherRadix => {
                "the domain has this line with the same number in another radix; both are kept; delete one"
            }
        }
    }
}

/// Calls `visit` with column and warning for whatever is odd in an ACL line, from left to right.
///
/// Columns are those of the offending words, in the line that was parsed; inside of a condition, of the offending side of
/// a test.
pub fn warnings(line: &AclLine<'_>, visit: &mut dyn FnMut(u32, Warning)) {
    let mut words = line.words();
    words.next();
    match line.args() {
        Args::Env(word) => look_at_word(next_column(&mut words), word, visit),
        Args::Handler(_) | Args::Capability(_) => drop(words.next()),
        Args::Signal(..) => {
            while matches!(words.peek(), Some((_, word)) if !matches!(word, b"if" | b";")) {
                words.next();
            }
        }
        Args::Network(address, port) => {
            words.next();
            words.next();
            let column = next_column(&mut words);
            if matches!(address, AddressArg::Range(range) if range.is_empty()) {
                visit(column, Warning::EmptyRange);
            }
            look_at_number(next_column(&mut words), port, visit);
        }
        args => {
            for path in args::paths(args).into_iter().flatten() {
                let column = next_column(&mut words);
                if let PathArg::Word(word) = path {
                    look_at_path(column, word, line, visit);
                }
            }
            for number in args::numbers(args).into_iter().flatten() {
                look_at_number(next_column(&mut words), &number, visit);
            }
        }
    }
    let (Some(condition), Some((column, first))) = (line.condition(), words.peek()) else {
        return;
    };
    if matches!(line.class(), Class::ExecuteHandler | Class::DeniedExecuteHandler) {
        visit(column, Warning::ConditionOnHandler);
    }
    if first == b"if" {
        words.next();
    }
    for ((column, word), test) in words.zip(condition.tests()) {
        look_at_test(column, word, &test, visit);
    }
}

/// Calls `visit` like [`warnings`] for a line of exception_policy, given without `delete `. A line that is no directive has
/// no warnings.
pub fn directive_warnings(line: &[u8], visit: &mut dyn FnMut(u32, Warning)) {
    let mut words = Words::new(line);
    let Ok(directive) = Directive::parse(words) else {
        return;
    };
    words.next();
    match directive {
        Directive::AllowRead(word)
        | Directive::AllowEnv(word)
        | Directive::FilePattern(word)
        | Directive::DenyRewrite(word)
        | Directive::Aggregator(word, _) => look_at_word(next_column(&mut words), word, visit),
        Directive::PathGroup(_, word) => {
            words.next();
            look_at_word(next_column(&mut words), word, visit);
        }
        Directive::AddressGroup(_, range) if range.is_empty() => {
            words.next();
            visit(next_column(&mut words), Warning::EmptyRange);
        }
        // The parser rejects other ranges of this kind.
        Directive::AddressGroup(..)
        | Directive::NumberGroup(..)
        | Directive::DenyAutobind(..)
        | Directive::Rule { .. } => {}
    }
}

/// Calls `visit` like [`warnings`] for a line of the profile: with each mode that does not win (reference 7.2).
pub fn profile_warnings(line: &[u8], visit: &mut dyn FnMut(u32, Warning)) {
    let Some(equals) = line.iter().position(|byte| *byte == b'=') else {
        return;
    };
    let (Some(key), Some(value)) = (line.get(..equals), line.get(equals..)) else {
        return;
    };
    if find(key, b"-CONFIG").is_none() || find(value, b"use_default").is_some() {
        return;
    }
    let modes: [&[u8]; 4] = [b"disabled", b"learning", b"permissive", b"enforcing"];
    let found = modes.iter().filter_map(|mode| find(value, mode));
    for offset in found.skip(1) {
        visit(super::column(equals.saturating_add(offset)), Warning::SeveralModes);
    }
}

/// Where `part` begins in `text` first.
fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    let mut rest = text;
    while !rest.starts_with(part) {
        rest = rest.split_first()?.1;
    }
    Some(text.len().saturating_sub(rest.len()))
}

/// Takes a word and returns its column.
fn next_column(words: &mut Words<'_>) -> u32 {
    words.next().map_or(words.column(), |(column, _)| column)
}

fn look_at_path(column: u32, word: &[u8], line: &AclLine<'_>, visit: &mut dyn FnMut(u32, Warning)) {
    // No wildcard ever matches for these two (reference 2.6).
    const EXECUTE: u16 = Operation::Path(PathOp::Execute).bit();
    const TRANSIT: u16 = Operation::Path(PathOp::Transit).bit();
    if line.class() == Class::Path && !pattern::skip_units(word).is_empty() {
        if line.bits() & EXECUTE != 0 {
            visit(column, Warning::WildcardInExecute);
        }
        if line.bits() & TRANSIT != 0 {
            visit(column, Warning::WildcardInTransit);
        }
        if line.bits() & !(EXECUTE | TRANSIT) == 0 {
            return;
        }
    }
    look_at_word(column, word, visit);
}

/// Whether `word`, as a pattern, matches other names than it seems to (reference 2.5).
fn look_at_word(column: u32, word: &[u8], visit: &mut dyn FnMut(u32, Warning)) {
    let wild = pattern::skip_units(word);
    if wild.is_empty() {
        return;
    }
    // Q2 and Q3 are about the component in which the constant beginning ends; later ones are compared whole.
    let beginning = word.len().saturating_sub(wild.len());
    let inside = word.get(..beginning).and_then(<[u8]>::last).is_some_and(|byte| *byte != b'/');
    if inside && wild.split(|byte| *byte == b'/').next().is_some_and(subtracts) {
        visit(column, Warning::SubtractionAfterPrefix);
    }
    // Q1: the name may end with the component before the last one, if that is compared at all: if the constant beginning
    // does not reach the last `/`. Behind a component that `\{ \}` repeats something must follow.
    let mut components = word.rsplit(|byte| *byte == b'/');
    if let (Some(last), Some(before)) = (components.next(), components.next()) {
        let compared = wild.len() > last.len() && !before.is_empty() && !before.starts_with(br"\{");
        if compared && matches_nothing(last) {
            visit(column, Warning::MissingComponent);
        }
    }
}

/// Whether there is a `\-`.
fn subtracts(part: &[u8]) -> bool {
    let mut rest = part;
    while let Some((element, tail)) = next_element(rest) {
        if element == Element::Minus {
            return true;
        }
        rest = tail;
    }
    false
}

/// Whether a component consists of `\*` and `\@` only.
fn matches_nothing(component: &[u8]) -> bool {
    let mut rest = component;
    while let Some(tail) = rest.strip_prefix(br"\*").or(rest.strip_prefix(br"\@")) {
        rest = tail;
    }
    rest.is_empty() && !component.is_empty()
}

fn look_at_number<G>(column: u32, number: &NumberArg<G>, visit: &mut dyn FnMut(u32, Warning)) {
    if let NumberArg::Range(range) = number {
        look_at_range(column, range, visit);
    }
}

fn look_at_range(column: u32, range: &NumberRange, visit: &mut dyn FnMut(u32, Warning)) {
    if range.is_empty() {
        visit(column, Warning::EmptyRange);
    }
}

/// `word` is the text of `test`.
fn look_at_test(column: u32, word: &[u8], test: &TestLine<'_>, visit: &mut dyn FnMut(u32, Warning)) {
    match &test.left {
        Operand::Range(range) => look_at_range(column, range, visit),
        Operand::Variable(name) => look_at_word(column, name, visit),
        _ => {}
    }
    let from_end =
        |len: usize| column.saturating_add(super::column(word.len().saturating_sub(len))).saturating_sub(1);
    match &test.right {
        Operand::Range(range) => {
            // Neither an operand on the left of a number nor the number itself has a `=`.
            let len = word.rsplit(|byte| *byte == b'=').next().map_or(0, <[u8]>::len);
            look_at_range(from_end(len), range, visit);
        }
        // With its quotes.
        Operand::Word(text) => look_at_word(from_end(text.len().saturating_add(2)), text, visit),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{directive_warnings, profile_warnings, warnings, Warning};
    use crate::acl::AclLine;
    use crate::name::Name;
    use crate::pattern::matches_word;
    use std::vec::Vec;

    fn of_acl(line: &str) -> Vec<(u32, Warning)> {
        let mut found = Vec::new();
        let Ok(acl) = AclLine::parse(line.as_bytes()) else {
            panic!("{line}");
        };
        warnings(&acl, &mut |column, warning| found.push((column, warning)));
        found
    }

    fn of_directive(line: &str) -> Vec<(u32, Warning)> {
        let mut found = Vec::new();
        directive_warnings(line.as_bytes(), &mut |column, warning| found.push((column, warning)));
        found
    }

    fn of_profile(line: &str) -> Vec<u32> {
        let mut found = Vec::new();
        profile_warnings(line.as_bytes(), &mut |column, warning| {
            assert_eq!(warning, Warning::SeveralModes);
            found.push(column);
        });
        found
    }

    fn matches(name: &str, word: &str) -> bool {
        matches_word(Name::new(name.as_bytes()).unwrap(), word.as_bytes())
    }

    #[test]
    fn names_one_level_above() {
        for (odd, above) in [
            (r"/etc/\*/\*", "/etc/a"),
            (r"/etc/\*/\@", "/etc/a"),
            (r"/etc/\*/\*\@\*", "/etc/a"),
            (r"/\*/a/\*", "/b/a"),
            (r"/a\$/b/\*", "/a1/b"),
            (r"/\{\*\}/a/\*", "/b/b/a"),
            (r"a\*/\*", "ab"),
        ] {
            assert!(matches(above, odd), "{odd}");
            assert_eq!(of_acl(&std::format!("allow_read {odd}")), [(12, Warning::MissingComponent)], "{odd}");
        }
        for (good, above) in [
            (r"/etc/\*", "/etc"),
            (r"/etc/a/\*", "/etc/a"),
            (r"/etc/\*/", "/etc/"),
            (r"/etc/\*/\*/", "/etc/a/"),
            (r"/etc/\*/\?\*", "/etc/a"),
            (r"/etc/\*/\*\-a", "/etc/a"),
            (r"/etc/\*/a\*", "/etc/a"),
            (r"/etc/\{\*\}/\*", "/etc/a"),
            (r"/\*//\*", "/a"),
            (r"\*", "/"),
            (r"/etc/\*/\\*", "/etc/a"),
            (r"/etc/\\/\*", r"/etc/\\"),
        ] {
            assert!(!matches(above, good), "{good}");
            assert_eq!(of_acl(&std::format!("allow_read {good}")), [], "{good}");
        }
    }

    #[test]
    fn subtraction_from_the_remainder() {
        for odd in [r"/etc/s\*\-shadow", r"/tmp/file\*\-b", r"/a\-b/c", r"pipe:\*\-[1]", r"/a\\\*\-b"] {
            let line = std::format!("allow_read   {odd}");
            assert_eq!(of_acl(&line), [(14, Warning::SubtractionAfterPrefix)], "{odd}");
        }
        for good in [
            r"/etc/\*\-shadow",
            r"/\*/s\*\-shadow",
            r"/a\*/b\-c",
            r"/etc/\{a\*\-b\}/",
            r"/etc/s\*/\*\-x",
            r"/a\\-b\*",
            r"\-a",
        ] {
            assert_eq!(of_acl(&std::format!("allow_read {good}")), [], "{good}");
        }
        assert_eq!(
            of_acl(r"allow_rename /a\-b/\* /tmp/\*/\*"),
            [
                (14, Warning::SubtractionAfterPrefix),
                (14, Warning::MissingComponent),
                (23, Warning::MissingComponent)
            ]
        );
    }

    #[test]
    fn wildcards_where_they_never_match() {
        assert_eq!(of_acl(r"allow_execute /bin/\*/\*"), [(15, Warning::WildcardInExecute)]);
        assert_eq!(of_acl(r"allow_transit //a\*\-b"), [(15, Warning::WildcardInTransit)]);
        assert_eq!(
            of_acl(r"5 /bin/\*/\*"),
            [(3, Warning::WildcardInExecute), (3, Warning::MissingComponent)]
        );
        for good in ["allow_execute /bin/sh", "allow_execute @A", r"allow_read /bin/\*", r"4 /bin/\*"] {
            assert_eq!(of_acl(good), [], "{good}");
        }
        // The bit of execute means something else in other classes.
        assert_eq!(of_acl(r"allow_rename /a\* /b\*"), []);
    }

    #[test]
    fn empty_ranges() {
        assert_eq!(of_acl("allow_create /a 0644-0600"), [(17, Warning::EmptyRange)]);
        assert_eq!(of_acl("allow_create /a 0600-0644"), []);
        assert_eq!(
            of_acl("allow_mkchar @G 5-4 3-3 2-1"),
            [(17, Warning::EmptyRange), (25, Warning::EmptyRange)]
        );
        assert_eq!(
            of_acl("allow_network TCP connect 2.0.0.0-1.0.0.0 9-8"),
            [(27, Warning::EmptyRange), (43, Warning::EmptyRange)]
        );
        assert_eq!(of_acl("allow_mount /a /b/ ext3 @F"), []);
        assert_eq!(
            of_acl("allow_mount /a /b/ ext\\*\\-ext4 0x2-1"),
            [(20, Warning::SubtractionAfterPrefix), (32, Warning::EmptyRange)]
        );
    }

    #[test]
    fn conditions() {
        assert_eq!(of_acl("execute_handler /a if task.uid=0"), [(20, Warning::ConditionOnHandler)]);
        assert_eq!(
            of_acl("denied_execute_handler /a ; set task.state[0]=1"),
            [(27, Warning::ConditionOnHandler)]
        );
        assert_eq!(of_acl("execute_handler /a"), []);
        assert_eq!(
            of_acl("allow_read /a if  task.uid=5-3 5-3!=task.gid ; set task.state[0]=1"),
            [(28, Warning::EmptyRange), (32, Warning::EmptyRange)]
        );
        assert_eq!(
            of_acl(r#"allow_execute /a if exec.realpath="/b/\*/\*" exec.envp["A\*\-B"]!=NULL"#),
            [(35, Warning::MissingComponent), (46, Warning::SubtractionAfterPrefix)]
        );
        assert_eq!(of_acl("allow_signal 15 <kernel> /if /a if 2-1=task.uid"), [(36, Warning::EmptyRange)]);
        assert_eq!(of_acl("allow_capability SYS_TIME if task.uid=2-1"), [(39, Warning::EmptyRange)]);
        assert_eq!(of_acl("allow_env A\\*\\-B if task.uid=0"), [(11, Warning::SubtractionAfterPrefix)]);
    }

    #[test]
    fn directives() {
        assert_eq!(of_directive(r"allow_read /a/\*/\*"), [(12, Warning::MissingComponent)]);
        assert_eq!(of_directive(r"path_group  A /a/\*/\*"), [(15, Warning::MissingComponent)]);
        assert_eq!(of_directive(r"aggregator /a\*\-b /c"), [(12, Warning::SubtractionAfterPrefix)]);
        assert_eq!(of_directive("address_group A 1.2.3.5-1.2.3.4"), [(17, Warning::EmptyRange)]);
        for good in [
            "address_group A 1.2.3.4",
            "number_group A 1-2",
            "deny_autobind 1",
            r"path_group \* /a",
            "keep_domain <kernel>",
            "no directive",
        ] {
            assert_eq!(of_directive(good), [], "{good}");
        }
    }

    #[test]
    fn modes() {
        assert_eq!(of_profile("1-CONFIG={ mode=enforcing mode=learning }"), [17]);
        assert_eq!(of_profile("1-CONFIG::file::open={ mode=enforcing disabled permissive }"), [48, 29]);
        for good in [
            "1-CONFIG={ mode=enforcing mode=enforcing }",
            "1-CONFIG={ mode=enforcing }",
            "1-CONFIG::file={ use_default mode=enforcing mode=learning }",
            "1-COMMENT=learning enforcing",
            "1-COMMENT=-CONFIG=learning enforcing",
            "1-PREFERENCE::learning={ verbose=no }",
            "x",
        ] {
            assert_eq!(of_profile(good), [], "{good}");
        }
    }

    #[test]
    fn every_warning_says_something() {
        for warning in [
            Warning::WildcardInExecute,
            Warning::WildcardInTransit,
            Warning::MissingComponent,
            Warning::SubtractionAfterPrefix,
            Warning::SeveralModes,
            Warning::ConditionOnHandler,
            Warning::EmptyRange,
            Warning::SameValueOtherRadix,
        ] {
            assert!(warning.message().len() > 20 && !warning.message().ends_with('.'));
        }
    }
}
