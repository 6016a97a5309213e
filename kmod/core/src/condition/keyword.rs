// SPDX-License-Identifier: MIT OR Apache-2.0
//! The words of conditions that stand for one number (reference 5.2).

use crate::facts::{Attribute, Facts, Object};
use crate::mem::OutOfMemory;
use crate::task::Task;
use crate::text::Sink;

/// The number for which `execute_handler` stands, and which `task.type` has in a handler.
const EXECUTE_HANDLER: u64 = 64;

/// What a condition can know about the task.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskField {
    /// `task.uid`
    Uid,
    /// `task.euid`
    Euid,
    /// `task.suid`
    Suid,
    /// `task.fsuid`
    Fsuid,
    /// `task.gid`
    Gid,
    /// `task.egid`
    Egid,
    /// `task.sgid`
    Sgid,
    /// `task.fsgid`
    Fsgid,
    /// `task.pid`
    Pid,
    /// `task.ppid`
    Ppid,
    /// `task.state[0]`
    State0,
    /// `task.state[1]`
    State1,
    /// `task.state[2]`
    State2,
    /// `task.type`
    Type,
}

impl TaskField {
    /// All fields.
    pub const ALL: [TaskField; 14] = [
        TaskField::Uid,
        TaskField::Euid,
        TaskField::Suid,
        TaskField::Fsuid,
        TaskField::Gid,
        TaskField::Egid,
        TaskField::Sgid,
        TaskField::Fsgid,
        TaskField::Pid,
        TaskField::Ppid,
        TaskField::State0,
        TaskField::State1,
        TaskField::State2,
        TaskField::Type,
    ];

    /// The word in a condition.
    pub const fn keyword(self) -> &'static [u8] {
        match self {
            TaskField::Uid => b"task.uid",
            TaskField::Euid => b"task.euid",
            TaskField::Suid => b"task.suid",
            TaskField::Fsuid => b"task.fsuid",
            TaskField::Gid => b"task.gid",
            TaskField::Egid => b"task.egid",
            TaskField::Sgid => b"task.sgid",
            TaskField::Fsgid => b"task.fsgid",
            TaskField::Pid => b"task.pid",
            TaskField::Ppid => b"task.ppid",
            TaskField::State0 => b"task.state[0]",
            TaskField::State1 => b"task.state[1]",
            TaskField::State2 => b"task.state[2]",
            TaskField::Type => b"task.type",
        }
    }

    /// Its value in `task`.
    #[inline]
    pub fn value(self, task: &Task) -> u64 {
        let [state0, state1, state2] = task.state;
        match self {
            TaskField::Uid => task.uid.into(),
            TaskField::Euid => task.euid.into(),
            TaskField::Suid => task.suid.into(),
            TaskField::Fsuid => task.fsuid.into(),
            TaskField::Gid => task.gid.into(),
            TaskField::Egid => task.egid.into(),
            TaskField::Sgid => task.sgid.into(),
            TaskField::Fsgid => task.fsgid.into(),
            TaskField::Pid => task.pid.into(),
            TaskField::Ppid => task.ppid.into(),
            TaskField::State0 => state0.into(),
            TaskField::State1 => state1.into(),
            TaskField::State2 => state2.into(),
            TaskField::Type if task.execute_handler => EXECUTE_HANDLER,
            TaskField::Type => 0,
        }
    }
}

/// The words for types of files, to be compared with `path1.type` and `path2.type`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    /// `socket`
    Socket,
    /// `symlink`
    Symlink,
    /// `file`
    File,
    /// `block`
    Block,
    /// `directory`
    Directory,
    /// `char`
    Char,
    /// `fifo`
    Fifo,
}

impl FileType {
    /// All types.
    pub const ALL: [FileType; 7] = [
        FileType::Socket,
        FileType::Symlink,
        FileType::File,
        FileType::Block,
        FileType::Directory,
        FileType::Char,
        FileType::Fifo,
    ];

    /// The word in a condition.
    pub const fn keyword(self) -> &'static [u8] {
        match self {
            FileType::Socket => b"socket",
            FileType::Symlink => b"symlink",
            FileType::File => b"file",
            FileType::Block => b"block",
            FileType::Directory => b"directory",
            FileType::Char => b"char",
            FileType::Fifo => b"fifo",
        }
    }

    /// The `S_IF...` value.
    pub const fn value(self) -> u32 {
        match self {
            FileType::Socket => 0o140_000,
            FileType::Symlink => 0o120_000,
            FileType::File => 0o100_000,
            FileType::Block => 0o060_000,
            FileType::Directory => 0o040_000,
            FileType::Char => 0o020_000,
            FileType::Fifo => 0o010_000,
        }
    }
}

/// The words for single permission bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// `setuid`
    Setuid,
    /// `setgid`
    Setgid,
    /// `sticky`
    Sticky,
    /// `owner_read`
    OwnerRead,
    /// `owner_write`
    OwnerWrite,
    /// `owner_execute`
    OwnerExecute,
    /// `group_read`
    GroupRead,
    /// `group_write`
    GroupWrite,
    /// `group_execute`
    GroupExecute,
    /// `others_read`
    OthersRead,
    /// `others_write`
    OthersWrite,
    /// `others_execute`
    OthersExecute,
}

impl Permission {
    /// All bits, from 04000 to 0001.
    pub const ALL: [Permission; 12] = [
        Permission::Setuid,
        Permission::Setgid,
        Permission::Sticky,
        Permission::OwnerRead,
        Permission::OwnerWrite,
        Permission::OwnerExecute,
        Permission::GroupRead,
        Permission::GroupWrite,
        Permission::GroupExecute,
        Permission::OthersRead,
        Permission::OthersWrite,
        Permission::OthersExecute,
    ];

    /// The word in a condition.
    pub const fn keyword(self) -> &'static [u8] {
        match self {
            Permission::Setuid => b"setuid",
            Permission::Setgid => b"setgid",
            Permission::Sticky => b"sticky",
            Permission::OwnerRead => b"owner_read",
            Permission::OwnerWrite => b"owner_write",
            Permission::OwnerExecute => b"owner_execute",
            Permission::GroupRead => b"group_read",
            Permission::GroupWrite => b"group_write",
            Permission::GroupExecute => b"group_execute",
            Permission::OthersRead => b"others_read",
            Permission::OthersWrite => b"others_write",
            Permission::OthersExecute => b"others_execute",
        }
    }

    /// The one bit of a mode.
    pub const fn bit(self) -> u32 {
        match self {
            Permission::Setuid => 0o4000,
            Permission::Setgid => 0o2000,
            Permission::Sticky => 0o1000,
            Permission::OwnerRead => 0o400,
            Permission::OwnerWrite => 0o200,
            Permission::OwnerExecute => 0o100,
            Permission::GroupRead => 0o40,
            Permission::GroupWrite => 0o20,
            Permission::GroupExecute => 0o10,
            Permission::OthersRead => 0o4,
            Permission::OthersWrite => 0o2,
            Permission::OthersExecute => 0o1,
        }
    }
}

/// A word that stands for one number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// A value of the task.
    Task(TaskField),
    /// `execute_handler`: what `task.type` is compared with.
    ExecuteHandler,
    /// `exec.argc`
    Argc,
    /// `exec.envc`
    Envc,
    /// An attribute of a file or directory, such as `path1.parent.uid`. The object has it ([`Object::has`]).
    Attribute(Object, Attribute),
    /// The type of a file.
    Type(FileType),
    /// A permission bit.
    Permission(Permission),
}

impl Keyword {
    /// Reads a word. `None` when it is no keyword for a number.
    pub fn parse(word: &[u8]) -> Option<Keyword> {
        match word {
            b"execute_handler" => return Some(Keyword::ExecuteHandler),
            b"exec.argc" => return Some(Keyword::Argc),
            b"exec.envc" => return Some(Keyword::Envc),
            _ => {}
        }
        let field = TaskField::ALL.into_iter().find(|field| field.keyword() == word).map(Keyword::Task);
        field
            .or_else(|| Object::ALL.into_iter().find_map(|object| attribute(object, word)))
            .or_else(|| FileType::ALL.into_iter().find(|kind| kind.keyword() == word).map(Keyword::Type))
            .or_else(|| {
                Permission::ALL.into_iter().find(|bit| bit.keyword() == word).map(Keyword::Permission)
            })
    }

    /// The number; `None` when it is not available (reference 5.4).
    pub fn value(self, facts: &Facts<'_>) -> Option<u64> {
        match self {
            Keyword::Task(field) => Some(field.value(facts.task)),
            Keyword::ExecuteHandler => Some(EXECUTE_HANDLER),
            Keyword::Argc => facts.exec.map(|exec| exec.argc()),
            Keyword::Envc => facts.exec.map(|exec| exec.envc()),
            Keyword::Attribute(object, attribute) => facts.attribute(object, attribute),
            Keyword::Type(kind) => Some(kind.value().into()),
            Keyword::Permission(permission) => Some(permission.bit().into()),
        }
    }

    /// Prints the word.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print(self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        match self {
            Keyword::Task(field) => sink.put(field.keyword()),
            Keyword::ExecuteHandler => sink.put(b"execute_handler"),
            Keyword::Argc => sink.put(b"exec.argc"),
            Keyword::Envc => sink.put(b"exec.envc"),
            Keyword::Attribute(object, attribute) => {
                sink.put(object.name())?;
                sink.put(b".")?;
                sink.put(attribute.name())
            }
            Keyword::Type(kind) => sink.put(kind.keyword()),
            Keyword::Permission(permission) => sink.put(permission.keyword()),
        }
    }
}

/// Reads `path1.uid` and its relatives.
fn attribute(object: Object, word: &[u8]) -> Option<Keyword> {
    let name = word.strip_prefix(object.name())?.strip_prefix(b".")?;
    let attribute = Attribute::ALL.into_iter().find(|attribute| attribute.name() == name)?;
    object.has(attribute).then_some(Keyword::Attribute(object, attribute))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::mem::Vec;
    use std::string::String;

    /// All keywords of the table in reference 5.2 that stand for a number.
    fn all() -> std::vec::Vec<String> {
        let mut all = std::vec::Vec::new();
        for name in ["uid", "euid", "suid", "fsuid", "gid", "egid", "sgid", "fsgid", "pid", "ppid", "type"] {
            all.push(std::format!("task.{name}"));
        }
        for path in ["path1", "path2"] {
            for name in ["uid", "gid", "ino", "major", "minor", "perm", "type", "dev_major", "dev_minor"] {
                all.push(std::format!("{path}.{name}"));
            }
            for name in ["uid", "gid", "ino", "perm"] {
                all.push(std::format!("{path}.parent.{name}"));
            }
        }
        for rights in ["read", "write", "execute"] {
            for who in ["owner", "group", "others"] {
                all.push(std::format!("{who}_{rights}"));
            }
        }
        let rest =
            "task.state[0] task.state[1] task.state[2] execute_handler exec.argc exec.envc socket symlink \
                    file block directory char fifo setuid setgid sticky";
        all.extend(rest.split(' ').map(String::from));
        all
    }

    #[test]
    fn every_keyword_is_read_and_printed() {
        assert_eq!(all().len(), 14 + 1 + 2 + 26 + 7 + 12);
        for word in all() {
            let keyword = Keyword::parse(word.as_bytes()).unwrap();
            let mut printed = Vec::new();
            keyword.print(&mut printed).unwrap();
            assert_eq!(String::from_utf8_lossy(&printed), word);
        }
        for bad in [
            "",
            "task.",
            "task.UID",
            "task.state[3]",
            "task.state[00]",
            "exec.realpath",
            "symlink.target",
            "path1",
            "path1.",
            "path1uid",
            "path1.parent",
            "path1.parent.type",
            "path2.parent.major",
            "path3.uid",
            "unknown",
        ] {
            assert!(Keyword::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn values() {
        let task = Task {
            uid: 1,
            euid: 2,
            suid: 3,
            fsuid: 4,
            gid: 5,
            egid: 6,
            sgid: 7,
            fsgid: 8,
            pid: 9,
            ppid: 10,
            state: [11, 12, 13],
            execute_handler: true,
        };
        let facts = Facts::new(&task);
        let values = TaskField::ALL.map(|field| Keyword::Task(field).value(&facts).unwrap());
        assert_eq!(values, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 64]);
        assert_eq!(TaskField::Type.value(&Task::default()), 0);
        assert_eq!(Keyword::ExecuteHandler.value(&facts), Some(64));
        assert_eq!(Keyword::Argc.value(&facts), None);
        assert_eq!(Keyword::Attribute(Object::Path1, Attribute::Uid).value(&facts), None);
        assert_eq!(Permission::ALL.iter().fold(0, |sum, bit| sum << 1 | u32::from(bit.bit() > 0)), 0o7777);
        for (index, permission) in Permission::ALL.iter().rev().enumerate() {
            assert_eq!(permission.bit(), 1 << index);
        }
        for (kind, value) in [("socket", 12), ("symlink", 10), ("file", 8), ("block", 6), ("directory", 4)] {
            let keyword = Keyword::parse(kind.as_bytes()).unwrap();
            assert_eq!(keyword.value(&facts), Some(value << 12));
        }
        assert_eq!((FileType::Char.value(), FileType::Fifo.value()), (2 << 12, 1 << 12));
    }
}
