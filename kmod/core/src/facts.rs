// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a decision may know beside the request: the task, the objects, the program being started.
//!
//! Conditions read these values (reference 5.2 to 5.4) and audit records print them (reference 11.1). Reading the
//! attributes of a file or the arguments of a program costs time, and most requests need neither. Therefore they stand
//! behind traits: the kernel reads them when they are first asked for, before the operation, and once per request.

use crate::name::Name;
use crate::task::Task;

/// The attributes of one file or directory: what `stat` says.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes {
    /// Owner, as the initial user namespace knows him.
    pub uid: u32,
    /// Group, as the initial user namespace knows it.
    pub gid: u32,
    /// Inode number.
    pub ino: u64,
    /// Major number of the device that holds the file.
    pub major: u32,
    /// Minor number of the device that holds the file.
    pub minor: u32,
    /// Type and permission bits, as in `st_mode`.
    pub mode: u32,
    /// Major number that a device file stands for; 0 for other files.
    pub dev_major: u32,
    /// Minor number that a device file stands for; 0 for other files.
    pub dev_minor: u32,
}

impl Attributes {
    /// One of them.
    pub fn value(&self, attribute: Attribute) -> u64 {
        match attribute {
            Attribute::Uid => self.uid.into(),
            Attribute::Gid => self.gid.into(),
            Attribute::Ino => self.ino,
            Attribute::Major => self.major.into(),
            Attribute::Minor => self.minor.into(),
            Attribute::Perm => self.permissions().into(),
            Attribute::Type => self.file_type().into(),
            Attribute::DevMajor => self.dev_major.into(),
            Attribute::DevMinor => self.dev_minor.into(),
        }
    }

    /// The permission bits of the mode, from 0 to 07777.
    pub const fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }

    /// The type bits of the mode: one of the `S_IF...` values.
    pub const fn file_type(&self) -> u32 {
        self.mode & 0o170_000
    }
}

/// Which attribute of a file or directory a condition asks for (reference 5.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// `.uid`
    Uid,
    /// `.gid`
    Gid,
    /// `.ino`
    Ino,
    /// `.major`
    Major,
    /// `.minor`
    Minor,
    /// `.perm`: mode & 07777
    Perm,
    /// `.type`: mode & 0170000
    Type,
    /// `.dev_major`
    DevMajor,
    /// `.dev_minor`
    DevMinor,
}

impl Attribute {
    /// All attributes.
    pub const ALL: [Attribute; 9] = [
        Attribute::Uid,
        Attribute::Gid,
        Attribute::Ino,
        Attribute::Major,
        Attribute::Minor,
        Attribute::Perm,
        Attribute::Type,
        Attribute::DevMajor,
        Attribute::DevMinor,
    ];

    /// The word behind `path1.` or `path1.parent.`.
    pub const fn name(self) -> &'static [u8] {
        match self {
            Attribute::Uid => b"uid",
            Attribute::Gid => b"gid",
            Attribute::Ino => b"ino",
            Attribute::Major => b"major",
            Attribute::Minor => b"minor",
            Attribute::Perm => b"perm",
            Attribute::Type => b"type",
            Attribute::DevMajor => b"dev_major",
            Attribute::DevMinor => b"dev_minor",
        }
    }
}

/// The files and directories that a request can have (reference 5.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// `path1`: the object, or the first of two.
    Path1,
    /// `path1.parent`: the directory that contains it, or will.
    Path1Parent,
    /// `path2`: the second of two.
    Path2,
    /// `path2.parent`: the directory that contains it, or will.
    Path2Parent,
}

impl Object {
    /// All objects, in the order of audit records.
    pub const ALL: [Object; 4] = [Object::Path1, Object::Path1Parent, Object::Path2, Object::Path2Parent];

    /// The word in conditions and audit records.
    pub const fn name(self) -> &'static [u8] {
        match self {
            Object::Path1 => b"path1",
            Object::Path1Parent => b"path1.parent",
            Object::Path2 => b"path2",
            Object::Path2Parent => b"path2.parent",
        }
    }

    /// Whether this is a parent directory.
    pub const fn is_parent(self) -> bool {
        matches!(self, Object::Path1Parent | Object::Path2Parent)
    }

    /// Whether conditions can ask this object for `attribute`: parents have four of the nine only.
    pub const fn has(self, attribute: Attribute) -> bool {
        !self.is_parent()
            || matches!(attribute, Attribute::Uid | Attribute::Gid | Attribute::Ino | Attribute::Perm)
    }
}

/// The objects of one request.
pub trait Objects {
    /// What is known about `object`; `None` when the request has none such or when it does not exist.
    ///
    /// The answer must be the same for all calls during one request (reference 5.2).
    fn attributes(&self, object: Object) -> Option<Attributes>;
}

/// The program that an `execve` in progress starts.
///
/// Strings are encoded and whole, as a record shows them; they may be cut behind the 8160 bytes that a record has for all of
/// them (reference 11.2). Whatever else looks at them sees their beginning: [`beginning`], [`variable`].
pub trait Arguments {
    /// Number of arguments.
    fn argc(&self) -> u64;

    /// Number of environment strings.
    fn envc(&self) -> u64;

    /// The name of the program file with links resolved; `None` when it could not be computed.
    fn realpath(&self) -> Option<Name<'_>>;

    /// Shows one argument, counted from 0. `false` when there is no such argument.
    fn argv(&self, index: u64, visit: &mut dyn FnMut(Name<'_>)) -> bool;

    /// Shows all environment strings: the name before the first `=` and the value behind it. A string without `=` has
    /// no value.
    fn envp(&self, visit: &mut dyn FnMut(Name<'_>, Option<Name<'_>>));

    /// Whether the memory of the strings could not be read, so that what `argv` and `envp` showed is not all.
    ///
    /// Asked after them. Every test of an argument or of the environment is false then: a variable that could not be
    /// seen must not count as one that is not there.
    fn is_unreadable(&self) -> bool {
        false
    }
}

/// An argument or environment string is looked at until its encoded length reaches this (reference 1.6).
const LOOKED_AT: usize = 4086;

/// What conditions, learning and the check of the environment see of a string: a unit is never split, so up to 4089 bytes.
pub fn beginning(text: Name<'_>) -> Name<'_> {
    text.cut(LOOKED_AT)
}

/// The same of an environment string that is split at its first `=`. One whose `=` is not seen has no value.
pub fn variable<'a>(name: Name<'a>, value: Option<Name<'a>>) -> (Name<'a>, Option<Name<'a>>) {
    let left = LOOKED_AT.saturating_sub(name.as_bytes().len());
    let value = value.filter(|_| left > 0).map(|value| value.cut(left.saturating_sub(1)));
    (beginning(name), value)
}

/// Everything that a decision may know beside the request.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The task that asks.
    pub task: &'a Task,
    /// The files and directories concerned; `None` for requests that have none.
    pub objects: Option<&'a dyn Objects>,
    /// The program being started; `None` outside of `execve`.
    pub exec: Option<&'a dyn Arguments>,
    /// The content of the symbolic link being created, encoded and not resolved; `None` for all other requests.
    pub symlink_target: Option<Name<'a>>,
}

impl<'a> Facts<'a> {
    /// A request about which nothing but the task is known.
    pub const fn new(task: &'a Task) -> Facts<'a> {
        Facts { task, objects: None, exec: None, symlink_target: None }
    }

    /// One attribute of one object; `None` when it is not available.
    pub fn attribute(&self, object: Object, attribute: Attribute) -> Option<u64> {
        Some(self.objects?.attributes(object)?.value(attribute))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    struct OnlyPath1;

    impl Objects for OnlyPath1 {
        fn attributes(&self, object: Object) -> Option<Attributes> {
            let mode = 0o104_755;
            let path1 = Attributes {
                uid: 1,
                gid: 2,
                ino: 1 << 40,
                major: 4,
                minor: 5,
                mode,
                dev_major: 7,
                dev_minor: 8,
            };
            (object == Object::Path1).then_some(path1)
        }
    }

    #[test]
    fn values() {
        let task = Task::default();
        let mut facts = Facts::new(&task);
        assert_eq!(facts.attribute(Object::Path1, Attribute::Uid), None);
        facts.objects = Some(&OnlyPath1);
        assert_eq!(facts.attribute(Object::Path2, Attribute::Uid), None);
        let values = Attribute::ALL.map(|attribute| facts.attribute(Object::Path1, attribute).unwrap());
        assert_eq!(values, [1, 2, 1 << 40, 4, 5, 0o4755, 0o100_000, 7, 8]);
    }

    #[test]
    fn beginnings() {
        let raw = |length: usize, end: &str| [std::vec![b'a'; length].as_slice(), end.as_bytes()].concat();
        // How many bytes are seen of a string of so many letters and an end.
        for (letters, end, seen) in [
            (10, "\\040", 14),
            (4086, "", 4086),
            (4086, "b", 4086),
            (9000, "", 4086),
            (4085, "\\040b", 4089),
            (4086, "\\040", 4086),
            (4084, "\\\\b", 4086),
            (4085, "\\\\b", 4087),
        ] {
            let text = raw(letters, end);
            assert_eq!(beginning(Name::new(&text).unwrap()).as_bytes(), &text[..seen], "{letters} {end}");
        }
        // Lengths of a name and its value: `NAME=VALUE` is cut as one string.
        for (name, value, seen) in [
            (4, 9000, (4, Some(4081))),
            (4, 4081, (4, Some(4081))),
            (4084, 5, (4084, Some(1))),
            (4085, 5, (4085, Some(0))),
            (4086, 5, (4086, None)),
            (5000, 5, (4086, None)),
        ] {
            let (name, value) = (raw(name, ""), raw(value, ""));
            let (name, value) = variable(Name::new(&name).unwrap(), Name::new(&value));
            assert_eq!((name.as_bytes().len(), value.map(|value| value.as_bytes().len())), seen);
        }
        let bare = raw(5000, "");
        assert!(variable(Name::new(&bare).unwrap(), None) == (Name::new(&bare[..4086]).unwrap(), None));
    }

    #[test]
    fn parents_have_four_attributes() {
        for object in Object::ALL {
            let number = Attribute::ALL.into_iter().filter(|attribute| object.has(*attribute)).count();
            assert_eq!(number, if object.is_parent() { 4 } else { 9 });
        }
    }
}
