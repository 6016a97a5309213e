// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is odd about a line beside the rest of the policy: what it names is not there, or others keep it from having an effect.

use super::acl::roles;
use super::word::Role;
use super::{next_column, Visit, Warning};
use crate::acl::AclLine;
use crate::args::{self, AddressArg, Args, NumberArg, PathArg};
use crate::condition::{Keyword, Operand, TaskField, TestLine};
use crate::directive::{Directive, From};
use crate::domain::DomainId;
use crate::edit::EditError;
use crate::group::{GroupId, GroupKind};
use crate::mem::OutOfMemory;
use crate::name::{last_word, Name, ROOT_DOMAIN};
use crate::number::{Number, NumberRange};
use crate::pattern;
use crate::policy::Policy;
use crate::profile::{Change, Line, Value};
use crate::request::{Operation, PathOp};
use crate::text::{self, Normal, Sink, Words};
use crate::transaction::PolicyFile;
use crate::transition::next_domain;

/// Calls `visit` like [`super::line`], for what is odd about a line of `policy`, which has all of its lines. Columns are those
/// of a line that is accepted; others, and such as delete something, have no warnings.
///
/// Which domain an execve leads to is asked only of a policy that is active, because before that all stay in `<kernel>`.
///
/// # Errors
/// Out of memory.
pub fn whole(
    policy: &Policy,
    file: PolicyFile,
    line: &[u8],
    visit: &mut Visit<'_>,
) -> Result<(), OutOfMemory> {
    if file == PolicyFile::Profile {
        log_flags(policy, line, visit);
        return Ok(());
    }
    let normal = match Normal::new(line) {
        Ok(normal) => normal,
        Err(EditError::Parse(_)) => return Ok(()),
        Err(_) => return Err(OutOfMemory),
    };
    let mut visit = |column, warning| visit(normal.written(column), warning);
    let words = Words::new(normal.bytes());
    match file {
        PolicyFile::Domain if normal.bytes().starts_with(ROOT_DOMAIN) => {
            domain(policy, normal.bytes(), &mut visit)?;
        }
        PolicyFile::Domain => {
            if let Ok(line) = AclLine::parse_words(words) {
                acl(policy, &line, &mut visit);
            }
        }
        PolicyFile::Exception => {
            if let Ok(directive) = Directive::parse(words) {
                rule(policy, words, &directive, &mut visit);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Prints an ACL line with all numbers of its arguments decimal: two that print the same differ in nothing but the radix, or
/// not at all.
///
/// # Errors
/// The sink is out of memory.
pub fn by_value(line: &AclLine<'_>, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
    sink.put(line.keyword())?;
    let decimal = |number: Number| Number::decimal(number.value);
    let convert = |range: NumberRange| NumberRange { min: decimal(range.min), max: decimal(range.max) };
    args::print_args(&args::with_numbers(line.args(), &convert), &|_, name| name, sink)?;
    match line.condition() {
        Some(condition) => condition.print(sink),
        None => Ok(()),
    }
}

/// Whether an execve leads to a domain.
fn domain(policy: &Policy, name: &[u8], visit: &mut Visit<'_>) -> Result<(), OutOfMemory> {
    let word = last_word(name);
    let above = name.get(..name.len().saturating_sub(word.len()).saturating_sub(1)).unwrap_or(&[]);
    let (Some(above), Some(program)) = (policy.find_domain(above), Name::new(word)) else {
        return Ok(());
    };
    if !policy.is_active() || word.starts_with(b"//") {
        return Ok(());
    }
    let next = next_domain(policy, above, policy.aggregate(program));
    if *next.name()? != *name {
        visit(text::column(name.len().saturating_sub(word.len())), Warning::UnreachableDomain);
    }
    Ok(())
}

fn acl(policy: &Policy, line: &AclLine<'_>, visit: &mut Visit<'_>) {
    let mut words = line.words();
    words.next();
    for (path, role) in args::paths(line.args()).into_iter().flatten().zip(roles(line)) {
        let column = next_column(&mut words);
        match path {
            PathArg::Word(word) => path_word(policy, line, column, word, visit),
            PathArg::Group(name) => path_group(policy, column, name, role, visit),
        }
    }
    match line.args() {
        Args::Network(address, port) => {
            words.next();
            words.next();
            let column = next_column(&mut words);
            if let AddressArg::Group(name) = address {
                empty(policy, GroupKind::Address, column, name, visit);
            }
            number(policy, &mut words, port, visit);
        }
        Args::Signal(_, target) => {
            words.next();
            let column = next_column(&mut words);
            if !policy.domains().any(|(_, domain)| !domain.is_deleted() && is_in(domain.name(), target)) {
                visit(column, Warning::NoSuchDomain);
            }
        }
        args => {
            for given in args::numbers(args).into_iter().flatten() {
                number(policy, &mut words, &given, visit);
            }
        }
    }
    let Some(condition) = line.condition() else { return };
    // Behind `if`; there may be words before it that were not looked at.
    while words.next().is_some_and(|(_, word)| word != b"if") {}
    for ((column, _), test) in words.zip(condition.tests()) {
        if let Some((kind, name)) = test.group().filter(|_| !is_credential(&test)) {
            empty(policy, kind, column, name, visit);
        }
    }
}

/// Whether the name of a domain is that of `above` or begins with it.
fn is_in(name: &[u8], above: &[u8]) -> bool {
    name.strip_prefix(above).is_some_and(|rest| matches!(rest, [] | [b' ', ..]))
}

/// The groups of users get their members when an app is installed, long after this was written (reference 3.8).
fn is_credential(test: &TestLine<'_>) -> bool {
    matches!(
        test.left,
        Operand::Keyword(Keyword::Task(
            TaskField::Uid
                | TaskField::Euid
                | TaskField::Suid
                | TaskField::Fsuid
                | TaskField::Gid
                | TaskField::Egid
                | TaskField::Sgid
                | TaskField::Fsgid
        ))
    )
}

fn number(policy: &Policy, words: &mut Words<'_>, given: &NumberArg<&[u8]>, visit: &mut Visit<'_>) {
    let column = next_column(words);
    if let NumberArg::Group(name) = given {
        empty(policy, GroupKind::Number, column, name, visit);
    }
}

/// The members of a group that is there.
fn find(policy: &Policy, kind: GroupKind, name: &[u8]) -> Option<GroupId> {
    let groups = policy.groups.get();
    let slot = match kind {
        GroupKind::Path => groups.paths.find(name),
        GroupKind::Number => groups.numbers.find(name),
        GroupKind::Address => groups.addresses.find(name),
    };
    slot.map(GroupId)
}

/// Tells of a group without members; true then.
fn empty(policy: &Policy, kind: GroupKind, column: u32, name: &[u8], visit: &mut Visit<'_>) -> bool {
    let is_empty = find(policy, kind, name).map_or(true, |id| match kind {
        GroupKind::Path => policy.path_group_members(id).next().is_none(),
        GroupKind::Number => policy.number_group(id).map_or(true, |group| group.members().is_empty()),
        GroupKind::Address => policy.address_group_members(id).next().is_none(),
    });
    if is_empty {
        visit(column, Warning::EmptyGroup);
    }
    is_empty
}

fn path_group(policy: &Policy, column: u32, name: &[u8], role: Role, visit: &mut Visit<'_>) {
    if empty(policy, GroupKind::Path, column, name, visit) {
        return;
    }
    let Some(id) = find(policy, GroupKind::Path, name) else { return };
    let can_match = |word: &[u8]| {
        let (is_dir, is_fixed) = (word.last() == Some(&b'/'), pattern::skip_units(word).is_empty());
        match role {
            Role::File => !is_dir,
            Role::Directory => is_dir,
            Role::Program => !is_dir && is_fixed,
            Role::Transit => is_fixed,
            _ => true,
        }
    };
    if !policy.path_group_members(id).any(can_match) {
        visit(column, Warning::NoMemberMatches);
    }
}

fn path_word(policy: &Policy, line: &AclLine<'_>, column: u32, word: &[u8], visit: &mut Visit<'_>) {
    let name = Name::new(word);
    let is = |op| line.operations().any(|operation| operation == Operation::Path(op));
    if is(PathOp::Execute) && name.is_some_and(|name| policy.aggregate(name) != name) {
        visit(column, Warning::Aggregated);
    }
    if is(PathOp::Rewrite) {
        let asked = match name {
            Some(name) => policy.is_rewrite_denied(name),
            None => policy.rewrite_patterns().next().is_some(),
        };
        if !asked {
            visit(column, Warning::NothingProtected);
        }
    }
}

/// A transition rule.
fn rule(policy: &Policy, mut words: Words<'_>, directive: &Directive<'_>, visit: &mut Visit<'_>) {
    let Directive::Rule { keep, negative, program, from } = *directive else { return };
    let start = next_column(&mut words);
    if let Some(name) = program.and_then(Name::new) {
        let column = next_column(&mut words);
        words.next(); // `from`
        if policy.aggregate(name) != name {
            visit(column, Warning::Aggregated);
        }
    }
    // That shells keep their domain is often written before there is one.
    if let Some(From::Domain(name)) = from.filter(|_| !keep) {
        // A policy that has not learned anything yet has no domains.
        let has_domains = policy.domains().any(|(id, _)| id != DomainId::ROOT);
        if has_domains && policy.find_domain(name).is_none() {
            visit(next_column(&mut words), Warning::NoSuchDomain);
        }
    }
    if negative {
        let cancels = policy.transition_rules().any(|rule| match rule {
            Directive::Rule { keep: k, negative: false, program: p, from: f } => {
                k == keep && overlaps(program, p) && from_overlaps(from, f)
            }
            _ => false,
        });
        if !cancels {
            visit(start, Warning::NothingToCancel);
        }
    } else if is_cancelled(policy, keep, program, from) {
        visit(start, Warning::CancelledRule);
    }
}

/// Whether a `no_` rule holds wherever this one does.
fn is_cancelled(policy: &Policy, keep: bool, program: Option<&[u8]>, from: Option<From<'_>>) -> bool {
    let exceptions = policy.exceptions.get();
    let rules = if keep { &exceptions.keep } else { &exceptions.initialize };
    let last = match from {
        Some(From::Domain(name)) => Some(From::LastWord(last_word(name))),
        other => other,
    };
    [program, None].into_iter().any(|program| {
        [None, from, last]
            .into_iter()
            .any(|from| rules.contains(&Directive::Rule { keep, negative: true, program, from }))
    })
}

/// Whether a rule for `wide` holds for each program for which one for `narrow` does. `None` is any program.
fn covers(wide: Option<&[u8]>, narrow: Option<&[u8]>) -> bool {
    wide.is_none() || wide == narrow
}

fn overlaps(this: Option<&[u8]>, that: Option<&[u8]>) -> bool {
    covers(this, that) || covers(that, this)
}

/// The same for domains.
fn from_covers(wide: Option<From<'_>>, narrow: Option<From<'_>>) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(From::LastWord(word)), Some(From::Domain(name))) => last_word(name) == word,
        (wide, narrow) => wide == narrow,
    }
}

fn from_overlaps(this: Option<From<'_>>, that: Option<From<'_>>) -> bool {
    from_covers(this, that) || from_covers(that, this)
}

/// Log flags alone do not make a setting of a category or an item.
fn log_flags(policy: &Policy, line: &[u8], visit: &mut Visit<'_>) {
    let Ok(Some(Line::Profile(number, change))) = Line::parse(line) else { return };
    let Some(profile) = policy.profile(number) else { return };
    let (value, own) = match change {
        Change::Category(category, value) => (value, profile.categories.get(category as usize)),
        Change::Item(item, value) => (value, profile.items.get(item as usize)),
        _ => return,
    };
    if matches!(value, Value::Set { mode: None, .. }) && own.is_some_and(Option::is_none) {
        let (column, _) = Words::new(line).next().unwrap_or((1, &[]));
        visit(column, Warning::LogFlagsAlone);
    }
}
