// SPDX-License-Identifier: MIT OR Apache-2.0
//! The name of a `number_group` that a fragment declares, and who may use it.
//!
//! A group belongs to the package that declared it first. Who else could have: another installed package (its state
//! says so), or the device's own policy (the running kernel says so). In both cases the fragment is refused, because a
//! package's UID in somebody else's group would get that one's rights.

use std::fmt;

use sekisho_core::acl::AclLine;
use sekisho_core::condition::Operand;
use sekisho_core::name::is_valid_word;
use thiserror::Error;

use crate::kernel::PolicyText;
use crate::package::PackageName;

/// Longest group name in bytes.
pub const MAX_GROUP_NAME: usize = 128;

/// A checked name: `A-Z a-z 0-9 _ . : -`, at most [`MAX_GROUP_NAME`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(String);

impl GroupName {
    /// Checks a name.
    pub fn new(name: &[u8]) -> Option<GroupName> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(byte);
        if name.is_empty() || name.len() > MAX_GROUP_NAME || !name.iter().all(plain) || !is_valid_word(name) {
            return None;
        }
        String::from_utf8(name.to_vec()).ok().map(GroupName)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a group cannot be a package's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OwnershipError {
    /// Another installed package declared it before.
    #[error("group {group} belongs to {owner}; a group has one owner, so choose a name with the package's own in it")]
    OtherPackage {
        /// The group.
        group: GroupName,
        /// Its owner.
        owner: PackageName,
    },
    /// The device's policy has or mentions it.
    #[error("group {group} belongs to the device's policy, which has '{line}'")]
    DevicePolicy {
        /// The group.
        group: GroupName,
        /// The line that says so.
        line: String,
    },
}

/// Looks for a line of the kernel's policy that uses `group` and is not one of `own`, the lines that the group's
/// declarer has in `domain`.
///
/// Numbers need an own line beside them. The resolver writes a package's lines before its numbers and deletes them
/// after these, and every group is used by a line; so a number without an own line is not the resolver's.
pub fn foreign_use(policy: &PolicyText, domain: &str, group: &GroupName, own: &[String]) -> Option<String> {
    let mut own_line_there = false;
    for (found_domain, line) in policy.rules() {
        if !mentions(line, group) {
            continue;
        }
        if found_domain != domain || !is_own(line, own) {
            return Some(line.to_owned());
        }
        own_line_there = true;
    }
    let wanted = |kind: &str| format!("{kind} {group} ");
    let (path_group, number_group) = (wanted("path_group"), wanted("number_group"));
    policy
        .exceptions()
        .find(|line| line.starts_with(&path_group) || (line.starts_with(&number_group) && !own_line_there))
        .map(str::to_owned)
}

/// Whether a printed policy line refers to the group: as a path, as a number, in a condition.
///
/// `@NAME` inside of a path is a part of that path. An app chooses its paths, so taking them for references would let
/// it end another app's ownership.
fn mentions(line: &str, group: &GroupName) -> bool {
    let name = group.as_str().as_bytes();
    match AclLine::parse(line.as_bytes()) {
        Ok(acl) => {
            acl.groups().any(|(_, found)| found == name)
                || acl.condition().is_some_and(|condition| {
                    condition.tests().any(|test| matches!(test.right, Operand::Group(found) if found == name))
                })
        }
        Err(_) => mentions_somewhere(line, group),
    }
}

/// For a line of a kernel that knows more than this program does: anything that could be a reference is one.
fn mentions_somewhere(line: &str, group: &GroupName) -> bool {
    line.split(' ').any(|word| {
        let right = word.rsplit_once('=').map_or(word, |(_, right)| right);
        [word, right].iter().any(|part| part.strip_prefix('@') == Some(group.as_str()))
    })
}

/// The kernel shows `allow_read` and `allow_write` of one path as one line (reference 4.4.1).
fn is_own(line: &str, own: &[String]) -> bool {
    let has = |wanted: &str| own.iter().any(|own_line| own_line == wanted);
    has(line)
        || line
            .strip_prefix("allow_read/write ")
            .is_some_and(|rest| has(&format!("allow_read {rest}")) && has(&format!("allow_write {rest}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: &str = "<kernel> /system/bin/app_process";
    const OWN: &str = "allow_read /data/data/com.app/x if task.uid=@G";

    fn foreign(domain_policy: &str, exception_policy: &str) -> Option<String> {
        let policy = PolicyText::parse(domain_policy.as_bytes(), exception_policy.as_bytes());
        foreign_use(&policy, DOMAIN, &GroupName::new(b"G").unwrap(), &[OWN.to_owned()])
    }

    #[test]
    fn names() {
        assert!(GroupName::new(b"PACKAGE1_DATA_READERS").is_some());
        assert!(GroupName::new(b"APP:com.foo-x.y").is_some());
        assert!(GroupName::new(&[b'a'; 128]).is_some());
        for bad in [&b""[..], b"@G", b"a b", b"a\\*", b"a\\040", b"a/b", b"a=b", b"\xffa", &[b'a'; 129]] {
            assert!(GroupName::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn own_lines_are_not_foreign() {
        assert_eq!(foreign("<kernel>\nuse_profile 0\n\n", "initialize_domain /G\n"), None);
        let own = format!("<kernel>\nuse_profile 0\n\n\n{DOMAIN}\nuse_profile 3\n\n{OWN}\n\n");
        assert_eq!(foreign(&own, ""), None);
        assert_eq!(foreign(&own, "number_group G 10057\n"), None);
    }

    #[test]
    fn everybody_elses_are() {
        assert!(foreign("", "path_group G /x\n").is_some());
        assert!(foreign("", "number_group G 10057\n").is_some());
        assert!(foreign("", "number_group GG 10057\npath_group H @G\n").is_none());
        for line in [
            "allow_read /x if task.uid=@G",
            "allow_read /x if task.uid!=@G",
            "allow_read @G",
            "allow_create /x @G",
            "allow_later /a if path1.uid=@G",
        ] {
            assert!(foreign(&format!("{DOMAIN}\n{line}\n"), "").is_some(), "{line}");
        }
        assert!(foreign(&format!("<kernel> /bin/sh\n{OWN}\n"), "").is_some());
    }

    #[test]
    fn a_path_that_looks_like_a_reference_is_a_path() {
        for line in [
            "allow_read /data/data/com.evil/x=@G if task.uid=@EVIL",
            "allow_create /data/x=@G 0600",
            "allow_read /x@G",
        ] {
            assert_eq!(foreign(&format!("{DOMAIN}\n{line}\n"), ""), None, "{line}");
        }
    }
}
