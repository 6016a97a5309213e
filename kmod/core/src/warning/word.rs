// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is odd in one word that stands for names: never there, or other names than it seems to say (reference 1.3, 1.7, 2).

use super::{Visit, Warning};
use crate::name::{next_element, Class, Element};
use crate::pattern;
use crate::procfs;

/// What a word stands for, and so which names it is compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Files: names without `/` at the end.
    File,
    /// The same where `@` begins no group.
    LiteralFile,
    /// Directories, whose names end in `/`.
    Directory,
    /// A mount point, mostly a directory.
    MountPoint,
    /// Whatever has a name.
    Any,
    /// A member of a path group or a `file_pattern`, which may stand for anything.
    Member,
    /// A program that is executed.
    Program,
    /// A program before `aggregator`.
    Original,
    /// What `aggregator` makes of it, which need not exist.
    Aggregated,
    /// The file of a program.
    Realpath,
    /// The word of a transition without execve.
    Transit,
    /// A device, which need not be a file.
    Device,
    /// What a symbolic link says, the type of a file system.
    Text,
    /// An argument, or the value of a variable, where no shell would see a wildcard.
    Value,
    /// The name of an environment variable.
    Variable,
}

impl Role {
    /// Whether the parser has no groups here, so that `@` is an ordinary character.
    const fn takes_no_group(self) -> bool {
        matches!(
            self,
            Role::LiteralFile | Role::Member | Role::Variable | Role::Realpath | Role::Text | Role::Value
        )
    }

    /// Whether the names are those of files, which begin with `/`, or of pipes and the like.
    const fn is_file(self) -> bool {
        matches!(
            self,
            Role::File
                | Role::LiteralFile
                | Role::Directory
                | Role::MountPoint
                | Role::Any
                | Role::Program
                | Role::Original
                | Role::Realpath
        )
    }
}

/// Calls `visit` with what is odd in a word that stands in `column`.
pub(super) fn look(column: u32, word: &[u8], role: Role, visit: &mut Visit<'_>) {
    if role.takes_no_group() && role != Role::Value && word.first() == Some(&b'@') {
        return visit(column, Warning::AtSign);
    }
    if matches!(role, Role::File | Role::LiteralFile | Role::Program | Role::Original | Role::Realpath)
        && word.last() == Some(&b'/')
    {
        visit(column, Warning::DirectoryForFile);
    }
    match role {
        Role::Directory if word.last() != Some(&b'/') => visit(column, Warning::NoFinalSlash),
        Role::MountPoint if word.last() != Some(&b'/') => visit(column, Warning::MountPointWithoutSlash),
        Role::Transit if !word.starts_with(b"//") => visit(column, Warning::TransitWithoutSlashes),
        _ => {}
    }
    // A member may also stand for the word of a transition.
    if role.is_file() || role == Role::Member && !word.starts_with(b"//") {
        look_at_file(column, word, role, visit);
    }
    let bare = match role {
        Role::Transit | Role::Value => false,
        Role::Device => word.first() == Some(&b'/') && has_bare_wildcard(word),
        Role::Variable => word.first() == Some(&b'$') || units(word).any(|unit| matches!(unit, b'*' | b'?')),
        _ => has_bare_wildcard(word),
    };
    if bare {
        visit(column, Warning::BareWildcard);
    }
    look_at_wildcards(column, word, visit);
}

/// The name of a file, or whatever else has a name in the kernel.
fn look_at_file(column: u32, word: &[u8], role: Role, visit: &mut Visit<'_>) {
    if [&b"proc:/"[..], b"sys:/", b"devpts:/", b"securityfs:/"].iter().any(|begin| word.starts_with(begin)) {
        return visit(column, Warning::NameOfLaterVersion);
    }
    let starts_wild = pattern::skip_units(word).len() == word.len();
    if word.first() != Some(&b'/') {
        // A pipe is `pipe:[1]`, a file system that is mounted nowhere `tmpfs:/`. A member may be a type of file system.
        if role != Role::Member && !starts_wild && !word.contains(&b':') {
            visit(column, Warning::NotAbsolute);
        }
        if word.windows(2).any(|pair| pair == b"//") {
            visit(column, Warning::EmptyComponent);
        }
    } else {
        if word.split(|byte| *byte == b'/').any(|component| matches!(component, b"." | b"..")) {
            visit(column, Warning::DotComponent);
        }
        if word.windows(2).any(|pair| pair == b"//") {
            visit(column, Warning::EmptyComponent);
        }
    }
    if matches!(word.last(), Some(b',' | b';')) {
        visit(column, Warning::TrailingMark);
    }
    if matches!(role, Role::Program | Role::Original | Role::Realpath) && procfs::is_link(word) {
        visit(column, Warning::LinkOfProcfs);
    } else if procfs::has_number(word) {
        visit(column, Warning::ProcessNumber);
    }
}

/// The units of a word that stand for themselves without an escape, a byte each, and 0 for whatever else is in it.
fn units(word: &[u8]) -> impl Iterator<Item = u8> + '_ {
    pattern::elements(word).map(|element| match element {
        Element::Unit(byte) => byte,
        _ => 0,
    })
}

/// Whether something reads like a wildcard of a shell, of AppArmor or of a regular expression, or lacks its backslash.
fn has_bare_wildcard(word: &[u8]) -> bool {
    let (mut brace, mut comma) = (false, false);
    for unit in units(word) {
        match unit {
            b'*' | b'?' => return true,
            b'{' => brace = true,
            b',' => comma = brace,
            b'}' if comma => return true,
            _ => {}
        }
    }
    // `pipe:[1]` is a name.
    let brackets = word.first() == Some(&b'/');
    word.split(|byte| *byte == b'/')
        .any(|component| has_bare_dollar(component) || (brackets && has_bracket_expression(component)))
}

/// `[a-z]`, but not `[1]`, which downloaded files have in their names.
fn has_bracket_expression(component: &[u8]) -> bool {
    let mut inside: Option<(bool, bool)> = None;
    for unit in units(component) {
        inside = match (unit, inside) {
            (b'[', _) => Some((true, true)),
            (b']', Some((false, false))) => return true,
            (b']', _) => None,
            (unit, Some((_, digits))) => Some((false, digits && unit.is_ascii_digit())),
            (_, None) => None,
        };
    }
    false
}

/// `$` at the end of a component, where `\$` is usual, or a variable in its place. Classes of Java have it inside.
fn has_bare_dollar(component: &[u8]) -> bool {
    let ends = units(component).last() == Some(b'$');
    ends || match component.strip_prefix(b"$") {
        Some([b'{', ..]) => true,
        Some(name) => {
            !name.is_empty() && name.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
        }
        None => false,
    }
}

/// What is odd about wildcards: other names than it seems to (reference 2.5), or none.
pub(super) fn look_at_wildcards(column: u32, word: &[u8], visit: &mut Visit<'_>) {
    let wild = pattern::skip_units(word);
    if wild.is_empty() {
        return;
    }
    if wild.split(|byte| *byte == b'/').any(takes_everything) {
        visit(column, Warning::NothingLeft);
    }
    if word.split(|byte| *byte == b'/').any(|component| component == br"\{\}") {
        visit(column, Warning::EmptyRepetition);
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

/// Whether one of the parts behind `\-` is `\*`, or what stands before the first.
fn takes_everything(component: &[u8]) -> bool {
    let component = component.strip_prefix(br"\{").unwrap_or(component);
    let component = component.strip_suffix(br"\}").unwrap_or(component);
    let (first, mut rest) = pattern::split_minus(component);
    while let Some(part) = rest {
        let (taken, more) = pattern::split_minus(part);
        let everything =
            !taken.is_empty() && pattern::elements(taken).all(|element| element == Element::Many(Class::Any));
        if everything || taken == first {
            return true;
        }
        rest = more;
    }
    false
}
