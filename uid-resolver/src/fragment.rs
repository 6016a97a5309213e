// SPDX-License-Identifier: MIT OR Apache-2.0
//! A policy fragment: what an app asks for, checked and printed again (Android reference 2.3, rules R3 to R7).
//!
//! ```text
//! number_group PACKAGE1_DATA_READERS
//! allow_read /data/data/package1/\* if task.uid=@PACKAGE1_DATA_READERS
//! ```
//!
//! A `number_group` line without number declares a group for the UID that the app will get. Every other line allows
//! something below the app's own data directory, to that UID only; lines that begin with `#` are comments. A fragment is
//! refused as a whole: a line that was left out would change the meaning of what its author tested. The lines go through
//! the kernel's own parser (`sekisho-core`) and come out of its printer; the app's text itself ends here.

use std::collections::HashSet;

use sekisho_core::acl::AclLine;
use sekisho_core::condition::{Keyword, Operand, TaskField, TestLine};
use sekisho_core::group::GroupKind;
use thiserror::Error;

use crate::apk::MAX_FRAGMENT;
use crate::group::GroupName;
use crate::package::{show, PackageName};

/// Most lines, blank ones included.
pub const MAX_LINES: usize = 256;
/// Longest line in bytes.
pub const MAX_LINE: usize = 1024;
/// Most groups that one package may declare.
pub const MAX_GROUPS: usize = 16;

/// Why a fragment is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("fragment line {line}: {reason}")]
pub struct FragmentError {
    /// Number of the line, from 1; 0 stands for the whole text.
    pub line: usize,
    /// What is wrong with it.
    pub reason: FragmentReason,
}

/// Why a fragment is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FragmentReason {
    /// More than 16 KiB.
    #[error("the text has more than {MAX_FRAGMENT} bytes")]
    TooLarge,
    /// More than [`MAX_LINES`].
    #[error("the text has more than {MAX_LINES} lines")]
    TooManyLines,
    /// A line longer than [`MAX_LINE`].
    #[error("it has more than {MAX_LINE} bytes")]
    LineTooLong,
    /// A byte that is neither printable ASCII nor a blank nor the line's end.
    #[error("it has the byte 0x{0:02X}; only printable ASCII, blanks and newlines are allowed")]
    BadByte(u8),
    /// Not a line that the policy language knows.
    #[error("column {column}: {message}: '{text}'")]
    Syntax {
        /// Column, from 1.
        column: u32,
        /// What the core says.
        message: &'static str,
        /// The line.
        text: String,
    },
    /// A line that is policy, but not an app's business.
    #[error(
        "'{0}' is not for a fragment: it may declare groups and allow access to the app's own files only"
    )]
    NotForFragments(String),
    /// `number_group NAME NUMBER`.
    #[error(
        "the group has a member; write 'number_group {0}' alone, the UID is added when the app is installed"
    )]
    Member(String),
    /// An unusable group name.
    #[error("'{0}' is no group name: A-Z a-z 0-9 _ . : - and at most 128 bytes")]
    BadGroupName(String),
    /// Declared twice.
    #[error("group {0} is declared twice")]
    DeclaredTwice(GroupName),
    /// More than [`MAX_GROUPS`].
    #[error("the fragment declares more than {MAX_GROUPS} groups")]
    TooManyGroups,
    /// No declaration.
    #[error("the fragment declares no group; begin with 'number_group NAME'")]
    NoGroup,
    /// Declared, but without use.
    #[error("group {0} is declared and no line uses it")]
    UnusedGroup(GroupName),
    /// `allow_execute`.
    #[error("allow_execute would start programs in another domain, which is the device's policy to decide")]
    Execute,
    /// `@GROUP` as a path.
    #[error("path group '{0}' is not the app's own; write the path")]
    PathGroup(String),
    /// `@GROUP` as a mode.
    #[error("number group '{0}' as a mode is not allowed; write the number")]
    NumberGroup(String),
    /// A path that is not below the own data directory.
    #[error("'{0}' does not begin with the app's own directory (/data/data/{1}/, /data/user/N/{1}/ or /data/user_de/N/{1}/), written without wildcards")]
    ForeignPath(String, PackageName),
    /// `.`, `..` or an empty component.
    #[error("'{0}' has a component that is '.', '..' or empty")]
    BadComponent(String),
    /// `\ooo` for `/`, `.` or newline.
    #[error("'{0}' spells a '/', a '.' or a newline as an octal escape")]
    BadEscape(String),
    /// No `task.uid=@GROUP`.
    #[error("it has no 'if task.uid=@GROUP' with a group of this fragment, so it would be for every app")]
    NoUidTest,
    /// A second one.
    #[error("it tests task.uid more than once")]
    SecondUidTest,
    /// A group that the fragment does not declare.
    #[error("group '@{0}' is not declared in this fragment")]
    UndeclaredGroup(String),
    /// A test of IDs other than `task.uid=@GROUP`.
    #[error("the only test of users and groups that a fragment may have is task.uid=@GROUP")]
    CredentialTest,
    /// The printer had no memory.
    #[error("out of memory")]
    OutOfMemory,
}

use FragmentReason as Reason;

/// A checked fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    package: PackageName,
    groups: Vec<GroupName>,
    rules: Vec<String>,
}

impl Fragment {
    /// Checks the text of `package`'s fragment.
    ///
    /// # Errors
    /// The first thing that is not allowed.
    pub fn parse(package: &PackageName, text: &[u8]) -> Result<Fragment, FragmentError> {
        let whole = |reason| FragmentError { line: 0, reason };
        // The last line's end does not count, so that the printed form of what was accepted is accepted too.
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        if text.len() as u64 > MAX_FRAGMENT {
            return Err(whole(Reason::TooLarge));
        }
        let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
        if lines.len() > MAX_LINES {
            return Err(whole(Reason::TooManyLines));
        }
        let mut fragment = Fragment { package: package.clone(), groups: Vec::new(), rules: Vec::new() };
        let mut used = HashSet::new();
        // A group may be used above its declaration (reference 3.8), so declarations are looked for first.
        for pass in [Pass::Declarations, Pass::Rules] {
            for (index, line) in lines.iter().enumerate() {
                let at = |reason| FragmentError { line: index + 1, reason };
                fragment.line(line, pass, &mut used).map_err(at)?;
            }
        }
        if fragment.groups.is_empty() {
            return Err(whole(Reason::NoGroup));
        }
        if let Some(unused) = fragment.groups.iter().find(|group| !used.contains(group.as_str())) {
            return Err(whole(Reason::UnusedGroup(unused.clone())));
        }
        Ok(fragment)
    }

    /// The package that the paths belong to.
    pub fn package(&self) -> &PackageName {
        &self.package
    }

    /// The declared groups, in the order of their declaration.
    pub fn groups(&self) -> &[GroupName] {
        &self.groups
    }

    /// The ACL lines in the kernel's normal form, each one once.
    pub fn rules(&self) -> &[String] {
        &self.rules
    }

    /// The fragment in normal form: declarations, then rules. [`Fragment::parse`] reads it back.
    pub fn text(&self) -> String {
        let declarations = self.groups.iter().map(|group| format!("number_group {group}\n"));
        declarations.chain(self.rules.iter().map(|rule| format!("{rule}\n"))).collect()
    }

    fn line(&mut self, line: &[u8], pass: Pass, used: &mut HashSet<String>) -> Result<(), Reason> {
        if line.len() > MAX_LINE {
            return Err(Reason::LineTooLong);
        }
        if let Some(&byte) = line.iter().find(|&&byte| byte != b' ' && !byte.is_ascii_graphic()) {
            return Err(Reason::BadByte(byte));
        }
        let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty()).collect();
        match (words.split_first(), pass) {
            (None, _) => Ok(()),
            // A comment.
            (Some((&[b'#', ..], _)), _) => Ok(()),
            (Some((&b"number_group", names)), Pass::Declarations) => self.declare(names),
            (Some((&b"number_group", _)), Pass::Rules) => Ok(()),
            (Some(_), Pass::Declarations) => Ok(()),
            (Some((first, _)), Pass::Rules) if is_device_policy(first) => {
                Err(Reason::NotForFragments(show(first)))
            }
            (Some(_), Pass::Rules) => self.rule(line, used),
        }
    }

    fn declare(&mut self, names: &[&[u8]]) -> Result<(), Reason> {
        let name = match names {
            [] => return Err(Reason::BadGroupName(String::new())),
            [name] => name,
            [name, ..] => return Err(Reason::Member(show(name))),
        };
        let group = GroupName::new(name).ok_or_else(|| Reason::BadGroupName(show(name)))?;
        if self.groups.contains(&group) {
            return Err(Reason::DeclaredTwice(group));
        }
        if self.groups.len() == MAX_GROUPS {
            return Err(Reason::TooManyGroups);
        }
        self.groups.push(group);
        Ok(())
    }

    fn rule(&mut self, line: &[u8], used: &mut HashSet<String>) -> Result<(), Reason> {
        let acl = AclLine::parse(line).map_err(|error| Reason::Syntax {
            column: error.column,
            message: error.reason.message(),
            text: show(line),
        })?;
        if acl.keyword() == b"allow_execute" {
            return Err(Reason::Execute);
        }
        // The old form with a number is more than one line.
        if !KEYWORDS.contains(&acl.keyword()) || !line.trim_ascii_start().starts_with(acl.keyword()) {
            return Err(Reason::Syntax {
                column: 1,
                message: "an app's rules may be allow_read, allow_write, allow_read/write, allow_create, allow_unlink, allow_mkdir, allow_rmdir, allow_rename and allow_truncate only",
                text: show(line),
            });
        }
        if let Some((kind, name)) = acl.groups().next() {
            let word = show(&[b"@", name].concat());
            return Err(match kind {
                GroupKind::Path => Reason::PathGroup(word),
                _ => Reason::NumberGroup(word),
            });
        }
        // Without the condition a line is for everybody, which is worse than anything that its path may be.
        let condition = acl.condition().ok_or(Reason::NoUidTest)?;
        if condition.assignments() != [None; 3] {
            return Err(Reason::Syntax {
                column: 1,
                message: "an app's rules must not set task.state",
                text: show(line),
            });
        }
        let group = self.uid_group(condition.tests())?.as_str().to_owned();
        for path in acl.path_words() {
            check_path(path, &self.package)?;
        }
        used.insert(group);
        let mut printed = sekisho_core::mem::Vec::new();
        acl.print(&mut printed).map_err(|_| Reason::OutOfMemory)?;
        let rule = String::from_utf8_lossy(&printed).into_owned();
        if !self.rules.contains(&rule) {
            self.rules.push(rule);
        }
        Ok(())
    }

    /// The group of the one `task.uid=@GROUP` that every rule needs; other tests may only narrow further.
    fn uid_group<'a>(&self, tests: impl Iterator<Item = TestLine<'a>>) -> Result<&GroupName, Reason> {
        let mut found = None;
        for test in tests {
            match (test.left, test.right) {
                (Operand::Keyword(Keyword::Task(TaskField::Uid)), Operand::Group(name)) if !test.negated => {
                    let group = self.groups.iter().find(|group| group.as_str().as_bytes() == name);
                    let group = group.ok_or_else(|| Reason::UndeclaredGroup(show(name)))?;
                    if found.replace(group).is_some() {
                        return Err(Reason::SecondUidTest);
                    }
                }
                (left, right) if is_harmless(&left) && is_harmless(&right) => {}
                _ => return Err(Reason::CredentialTest),
            }
        }
        found.ok_or(Reason::NoUidTest)
    }
}

/// What an app may ask for; `allow_execute` has a message of its own.
const KEYWORDS: [&[u8]; 9] = [
    b"allow_read",
    b"allow_write",
    b"allow_read/write",
    b"allow_create",
    b"allow_unlink",
    b"allow_mkdir",
    b"allow_rmdir",
    b"allow_rename",
    b"allow_truncate",
];

#[derive(Clone, Copy)]
enum Pass {
    Declarations,
    Rules,
}

/// Lines for which "unknown keyword" would be a poor explanation.
fn is_device_policy(first: &[u8]) -> bool {
    const WORDS: [&[u8]; 13] = [
        b"select",
        b"delete",
        b"use_profile",
        b"quota_exceeded",
        b"transition_failed",
        b"initialize_domain",
        b"no_initialize_domain",
        b"keep_domain",
        b"no_keep_domain",
        b"aggregator",
        b"path_group",
        b"address_group",
        b"file_pattern",
    ];
    first.starts_with(b"<kernel>") || WORDS.contains(&first)
}

/// Operands that say nothing about who the task is.
fn is_harmless(operand: &Operand<'_>) -> bool {
    match operand {
        Operand::Keyword(Keyword::Task(field)) => matches!(
            field,
            TaskField::Pid
                | TaskField::Ppid
                | TaskField::State0
                | TaskField::State1
                | TaskField::State2
                | TaskField::Type
        ),
        Operand::Range(_) | Operand::Keyword(Keyword::ExecuteHandler) => true,
        // Groups, and what is not about the task: files, arguments.
        _ => false,
    }
}

fn check_path(path: &[u8], package: &PackageName) -> Result<(), Reason> {
    if has_bad_escape(path) {
        return Err(Reason::BadEscape(show(path)));
    }
    let below =
        below_own_directory(path, package).ok_or_else(|| Reason::ForeignPath(show(path), package.clone()))?;
    // Only the last component may be empty: names of directories end in '/'.
    let mut components = below.split(|&byte| byte == b'/').peekable();
    while let Some(component) = components.next() {
        let last = components.peek().is_none();
        if component == b"." || component == b".." || (component.is_empty() && !last) {
            return Err(Reason::BadComponent(show(path)));
        }
    }
    Ok(())
}

/// What follows the app's own directory. Each part is compared as it is, so no wildcard or escape gets into it.
fn below_own_directory<'a>(path: &'a [u8], package: &PackageName) -> Option<&'a [u8]> {
    let rest = path.strip_prefix(b"/data/")?;
    let rest = match rest.strip_prefix(b"data/") {
        Some(rest) => rest,
        None => {
            let rest = rest.strip_prefix(b"user/").or_else(|| rest.strip_prefix(b"user_de/"))?;
            let slash = rest.iter().position(|&byte| byte == b'/')?;
            let (user, rest) = rest.split_at_checked(slash)?;
            let number = user == b"0" || (!user.starts_with(b"0") && (1..=5).contains(&user.len()));
            if !number || !user.iter().all(u8::is_ascii_digit) {
                return None;
            }
            rest.strip_prefix(b"/")?
        }
    };
    rest.strip_prefix(package.as_str().as_bytes())?.strip_prefix(b"/")
}

/// The core knows only escapes of unprintable bytes; this does not rely on it.
fn has_bad_escape(path: &[u8]) -> bool {
    let mut rest = path;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            continue;
        }
        if let Some((digits, _)) = tail.split_first_chunk::<3>() {
            let value = digits.iter().try_fold(0u32, |value, digit| {
                matches!(digit, b'0'..=b'7').then(|| value * 8 + u32::from(digit - b'0'))
            });
            if value.is_some_and(|value| [b'/', b'.', b'\n'].map(u32::from).contains(&(value & 0xff))) {
                return true;
            }
        }
        // The byte behind a backslash belongs to it: "\\057" is a backslash and digits.
        rest = tail.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The core rejects most of these before; this is the second lock on the door.
    #[test]
    fn escapes_that_could_leave_the_directory() {
        for bad in
            ["/a\\057b", "\\056\\056", "/a\\012", "\\\\\\056", "\\*\\056", "\\1\\057", "\\457", "/\\001\\057"]
        {
            assert!(has_bad_escape(bad.as_bytes()), "{bad}");
        }
        for good in [
            "",
            "/a057",
            "/a.b",
            "\\",
            "\\05",
            "\\\\057",
            "\\\\\\\\056",
            "\\055",
            "\\060",
            "\\*057",
            "\\058",
            "\\08\\57",
        ] {
            assert!(!has_bad_escape(good.as_bytes()), "{good}");
        }
    }
}
