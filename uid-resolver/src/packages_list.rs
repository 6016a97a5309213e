// SPDX-License-Identifier: MIT OR Apache-2.0
//! `/data/system/packages.list`: which package has which UID (Android reference 1.1).
//!
//! The package manager writes one line a package, fields split by one space: name, UID, and 2 to 8 fields more that
//! differ between releases and do not matter here. The file is replaced with a rename, so a reader sees a whole file;
//! one that is empty or ends inside a line is not the package manager's last word and changes nothing.
//!
//! The lines cannot be trusted blindly: CVE-2024-0044 let an app write whole lines of its own into this file. What
//! such a line can say is that a known package has another UID (then the package has two lines) or that two packages
//! share one (then none of them is served). In doubt a package gets no UID, and one that has a UID in the kernel keeps
//! it unless somebody else claims it; nothing ever moves to a forged one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use thiserror::Error;

use crate::package::{show, AppUid, PackageName};

/// Largest list that is read, in bytes: some 40 times what a full device has.
pub const MAX_LIST: u64 = 4 << 20;

/// Why the list as a whole is ignored this time.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListError {
    /// It could not be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Bigger than [`MAX_LIST`].
    #[error("the package list is larger than {MAX_LIST} bytes, so it is ignored; nothing changes")]
    TooLarge,
    /// The last line has no newline.
    #[error(
        "the package list ends in the middle of a line, so it is ignored; nothing changes until the next one"
    )]
    Torn,
    /// No bytes at all: what is there before the first list was written.
    #[error("the package list is empty, which does not mean that no app is installed; nothing changes")]
    Empty,
    /// Lines, but none of them names a package.
    #[error("no line of the package list can be read, so it is ignored; nothing changes")]
    Unreadable,
}

/// Why a listed package gets no group number.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoUid {
    /// More than one line has this name.
    #[error("packages.list has {0} lines for it, one of them may be forged")]
    Duplicate(usize),
    /// The UID field is `-1` or 4294967295.
    #[error("packages.list gives it no UID (-1)")]
    None,
    /// Not a number.
    #[error("its UID in packages.list is no number: '{0}'")]
    NotANumber(String),
    /// It has no line, but there are lines that cannot be read.
    #[error("packages.list has no line for it, but lines that cannot be read: one of them may be its own")]
    Unreadable,
    /// A number that no app of user 0 has.
    #[error("its UID {0} is outside of 10000-19999")]
    OutOfRange(u32),
    /// Two packages, one UID: a fragment would speak for the other package too (rule R11).
    #[error("it shares UID {uid} with {with}, and a fragment speaks for one package only")]
    Shared {
        /// The UID of both.
        uid: u32,
        /// One of the others.
        with: PackageName,
    },
}

/// A line that names no package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// The list, checked.
#[derive(Debug, Default)]
pub struct PackagesList {
    packages: BTreeMap<PackageName, Result<AppUid, NoUid>>,
    users: BTreeMap<u32, Vec<PackageName>>,
    malformed: Vec<Malformed>,
}

impl PackagesList {
    /// Opens (no symbolic link) and reads the file.
    pub fn read(path: &Path) -> Result<PackagesList, ListError> {
        let io = |source: std::io::Error| ListError::Io { path: path.display().to_string(), source };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| io(error.into()))?;
        let mut text = Vec::new();
        File::from(fd).take(MAX_LIST.saturating_add(1)).read_to_end(&mut text).map_err(io)?;
        PackagesList::parse(&text)
    }

    /// Reads the text of a list.
    pub fn parse(text: &[u8]) -> Result<PackagesList, ListError> {
        if text.len() as u64 > MAX_LIST {
            return Err(ListError::TooLarge);
        }
        let Some(body) = text.strip_suffix(b"\n") else {
            return Err(if text.is_empty() { ListError::Empty } else { ListError::Torn });
        };
        let mut lines: BTreeMap<PackageName, Vec<Uid>> = BTreeMap::new();
        let mut list = PackagesList::default();
        for (index, line) in body.split(|&byte| byte == b'\n').enumerate() {
            match parse_line(line) {
                Ok((name, uid)) => lines.entry(name).or_default().push(uid),
                Err(reason) => list.malformed.push(Malformed { line: index + 1, reason }),
            }
        }
        if lines.is_empty() {
            return Err(ListError::Unreadable);
        }
        // A forged line counts as a user of its UID too: then the forger loses his own fragment.
        let mut users: BTreeMap<u32, Vec<&PackageName>> = BTreeMap::new();
        for (name, uids) in &lines {
            for uid in uids {
                if let Uid::Number(number) = uid {
                    let names = users.entry(*number).or_default();
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
            }
        }
        let decided = lines.iter().map(|(name, uids)| (name.clone(), decide(name, uids, &users))).collect();
        list.packages = decided;
        list.users =
            users.into_iter().map(|(number, names)| (number, names.into_iter().cloned().collect())).collect();
        Ok(list)
    }

    /// The UID of a package, the reason why it has none, or `None` when the package is not installed.
    pub fn get(&self, name: &PackageName) -> Option<&Result<AppUid, NoUid>> {
        self.packages.get(name)
    }

    /// All packages in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&PackageName, &Result<AppUid, NoUid>)> {
        self.packages.iter()
    }

    /// Whether a line gives the UID to another package.
    pub fn is_anothers(&self, uid: AppUid, package: &PackageName) -> bool {
        self.users.get(&uid.get()).is_some_and(|names| names.iter().any(|name| name != package))
    }

    /// Whether a package without a line may be installed all the same: there are lines that cannot be read.
    pub fn is_doubtful(&self) -> bool {
        !self.malformed.is_empty()
    }

    /// Lines that were skipped.
    pub fn malformed(&self) -> &[Malformed] {
        &self.malformed
    }
}

/// The second field.
#[derive(Debug)]
enum Uid {
    Number(u32),
    Unset,
    Junk(String),
}

fn parse_line(line: &[u8]) -> Result<(PackageName, Uid), String> {
    let mut fields = line.split(|&byte| byte == b' ');
    let name = fields.next().unwrap_or_default();
    let Some(uid) = fields.next() else {
        return Err(format!("no UID field in '{}'", show(line)));
    };
    let name = PackageName::new(name).ok_or_else(|| format!("'{}' is no package name", show(name)))?;
    let digits = !uid.is_empty() && uid.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(uid).ok().filter(|_| digits).and_then(|text| text.parse::<u32>().ok());
    Ok((
        name,
        match number {
            Some(u32::MAX) => Uid::Unset,
            Some(number) => Uid::Number(number),
            None if uid == b"-1" => Uid::Unset,
            None => Uid::Junk(show(uid)),
        },
    ))
}

fn decide(
    name: &PackageName,
    uids: &[Uid],
    users: &BTreeMap<u32, Vec<&PackageName>>,
) -> Result<AppUid, NoUid> {
    match uids {
        [Uid::Unset] => Err(NoUid::None),
        [Uid::Junk(text)] => Err(NoUid::NotANumber(text.clone())),
        [Uid::Number(number)] => {
            let uid = AppUid::new(*number).ok_or(NoUid::OutOfRange(*number))?;
            match users.get(number).and_then(|names| names.iter().find(|other| **other != name)) {
                Some(with) => Err(NoUid::Shared { uid: *number, with: (*with).clone() }),
                None => Ok(uid),
            }
        }
        more => Err(NoUid::Duplicate(more.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PackageName {
        PackageName::new(text.as_bytes()).unwrap()
    }

    fn uid(text: &str, package: &str) -> Option<Result<u32, NoUid>> {
        let list = PackagesList::parse(text.as_bytes()).unwrap();
        list.get(&name(package)).map(|uid| uid.clone().map(AppUid::get))
    }

    #[test]
    fn all_releases_are_read() {
        for tail in [
            "0 /data/data/com.app",
            "0 /data/user/0/com.app default 3003,1028",
            "1 /data/user/0/com.app default:targetSdkVersion=33 none 0 2004001 1 @null",
            "0 null default:targetSdkVersion=36:partition=system none 0 0 1 @null and more",
        ] {
            assert_eq!(uid(&format!("com.app 10057 {tail}\n"), "com.app"), Some(Ok(10057)), "{tail}");
        }
        assert_eq!(uid("com.app 10057\n", "com.app"), Some(Ok(10057)));
        assert_eq!(uid("com.app 10057\n", "com.other"), None);
    }

    #[test]
    fn torn_and_empty_lists_say_nothing() {
        assert!(matches!(PackagesList::parse(b""), Err(ListError::Empty)));
        assert!(matches!(PackagesList::parse(b"com.a 10001 0\ncom.b 100"), Err(ListError::Torn)));
        assert!(matches!(PackagesList::parse(b"\n"), Err(ListError::Unreadable)));
        assert!(matches!(PackagesList::parse(b"\0\0\0\0\ncom.a\n"), Err(ListError::Unreadable)));
        assert!(PackagesList::parse(b"com.a 10001 0\ncom.b\n").is_ok_and(|list| list.is_doubtful()));
        assert!(PackagesList::parse(b"com.a 10001 0\n").is_ok_and(|list| !list.is_doubtful()));
        assert!(matches!(PackagesList::parse(&vec![b'\n'; (4 << 20) + 1]), Err(ListError::TooLarge)));
    }

    /// A list that is cut off at the limit may be cut off at a line's end.
    #[test]
    fn a_list_is_read_whole_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("packages.list");
        let line = format!("com.a 10001 {}\n", "0".repeat(51));
        let full = line.repeat((4 << 20) / 64);
        assert_eq!(full.len(), 4 << 20);
        std::fs::write(&path, &full).unwrap();
        assert!(PackagesList::read(&path).is_ok());
        std::fs::write(&path, format!("{full}\n")).unwrap();
        assert!(matches!(PackagesList::read(&path), Err(ListError::TooLarge)));
    }

    #[test]
    fn links_and_fifos_are_no_lists() {
        let root = tempfile::tempdir().unwrap();
        let [list, link, fifo] = ["list", "link", "fifo"].map(|name| root.path().join(name));
        std::fs::write(&list, "com.a 10001 0\n").unwrap();
        assert!(PackagesList::read(&list).is_ok());
        std::os::unix::fs::symlink(&list, &link).unwrap();
        assert!(matches!(PackagesList::read(&link), Err(ListError::Io { .. })));
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(matches!(PackagesList::read(&fifo), Err(ListError::Empty)), "and nobody waits for a writer");
    }

    #[test]
    fn uids_that_are_not_an_apps_are_refused() {
        for none in ["-1", "4294967295"] {
            assert_eq!(uid(&format!("com.app {none} 0\n"), "com.app"), Some(Err(NoUid::None)));
        }
        for number in [0, 1000, 9999, 20000, 1010057] {
            assert_eq!(
                uid(&format!("com.app {number} 0\n"), "com.app"),
                Some(Err(NoUid::OutOfRange(number)))
            );
        }
        for junk in ["", "+10057", "0x2749", "10057x", "99999999999"] {
            assert_eq!(
                uid(&format!("com.app {junk} 0\n"), "com.app"),
                Some(Err(NoUid::NotANumber(junk.into())))
            );
        }
    }

    #[test]
    fn a_forged_second_line_leaves_the_package_without_uid() {
        let text = "com.victim 10100 0 /x\ncom.evil 10289 0 /x\ncom.victim 10289 1 /data/user/0 default none 0 0 1 @null\n";
        assert_eq!(uid(text, "com.victim"), Some(Err(NoUid::Duplicate(2))));
        assert_eq!(uid(text, "com.evil"), Some(Err(NoUid::Shared { uid: 10289, with: name("com.victim") })));
        assert_eq!(uid("com.a 10001\ncom.a 10001\n", "com.a"), Some(Err(NoUid::Duplicate(2))));
    }

    #[test]
    fn sharers_of_a_uid_get_none() {
        let text = "com.a 10003 0\ncom.b 10003 0\ncom.c 10004 0\n";
        assert_eq!(uid(text, "com.a"), Some(Err(NoUid::Shared { uid: 10003, with: name("com.b") })));
        assert_eq!(uid(text, "com.b"), Some(Err(NoUid::Shared { uid: 10003, with: name("com.a") })));
        assert_eq!(uid(text, "com.c"), Some(Ok(10004)));
    }

    #[test]
    fn malformed_lines_are_reported_and_skipped() {
        let list = PackagesList::parse(b"com.a 10001 0\n\nnodot 10002 0\ncom.b\n\xff.x 10003\ncom.c 10004\n")
            .unwrap();
        assert_eq!(list.malformed().iter().map(|bad| bad.line).collect::<Vec<_>>(), [2, 3, 4, 5]);
        assert_eq!(list.iter().count(), 2);
    }
}
