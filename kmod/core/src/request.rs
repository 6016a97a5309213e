// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a task wants to do: the question that [`crate::engine::decide`] answers.
//!
//! Operations stand in the classes of reference 4.4.1: inside a class they are bits of one ACL entry. A request prints
//! as the ACL line that would grant it (reference 11.3).

use crate::mem::OutOfMemory;
use crate::name::Name;
use crate::number::Number;
use crate::profile::Item;
use crate::text::Sink;

/// Operations on one path. The order is the print order of reference 4.4.1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PathOp {
    /// Open for reading and writing.
    ReadWrite,
    /// Execute a program.
    Execute,
    /// Open for reading only.
    Read,
    /// Open for writing only.
    Write,
    /// Remove something that is no directory.
    Unlink,
    /// Remove a directory.
    Rmdir,
    /// Change the length of a file.
    Truncate,
}

/// Operations on two paths.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Path2Op {
    /// Give a file or directory a new name.
    Rename,
}

/// Operations on a path with a number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PathNumberOp {
    /// Create a regular file with a mode.
    Create,
    /// Create a directory with a mode.
    Mkdir,
}

/// An operation of any class: what an ACL keyword names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `KEYWORD PATH`
    Path(PathOp),
    /// `KEYWORD PATH PATH`
    Path2(Path2Op),
    /// `KEYWORD PATH NUMBER`
    PathNumber(PathNumberOp),
}

impl Operation {
    /// All operations; inside a class in the order in which the bits of one entry are printed.
    pub const ALL: [Operation; 10] = [
        Operation::Path(PathOp::ReadWrite),
        Operation::Path(PathOp::Execute),
        Operation::Path(PathOp::Read),
        Operation::Path(PathOp::Write),
        Operation::Path(PathOp::Unlink),
        Operation::Path(PathOp::Rmdir),
        Operation::Path(PathOp::Truncate),
        Operation::Path2(Path2Op::Rename),
        Operation::PathNumber(PathNumberOp::Create),
        Operation::PathNumber(PathNumberOp::Mkdir),
    ];

    /// A bit of its own for each operation, in the order of [`Operation::ALL`].
    pub(crate) const fn bit(self) -> u16 {
        match self {
            Operation::Path(PathOp::ReadWrite) => 1 << 0,
            Operation::Path(PathOp::Execute) => 1 << 1,
            Operation::Path(PathOp::Read) => 1 << 2,
            Operation::Path(PathOp::Write) => 1 << 3,
            Operation::Path(PathOp::Unlink) => 1 << 4,
            Operation::Path(PathOp::Rmdir) => 1 << 5,
            Operation::Path(PathOp::Truncate) => 1 << 6,
            Operation::Path2(Path2Op::Rename) => 1 << 7,
            Operation::PathNumber(PathNumberOp::Create) => 1 << 8,
            Operation::PathNumber(PathNumberOp::Mkdir) => 1 << 9,
        }
    }

    /// The ACL keyword.
    pub const fn keyword(self) -> &'static [u8] {
        match self {
            Operation::Path(PathOp::ReadWrite) => b"allow_read/write",
            Operation::Path(PathOp::Execute) => b"allow_execute",
            Operation::Path(PathOp::Read) => b"allow_read",
            Operation::Path(PathOp::Write) => b"allow_write",
            Operation::Path(PathOp::Unlink) => b"allow_unlink",
            Operation::Path(PathOp::Rmdir) => b"allow_rmdir",
            Operation::Path(PathOp::Truncate) => b"allow_truncate",
            Operation::Path2(Path2Op::Rename) => b"allow_rename",
            Operation::PathNumber(PathNumberOp::Create) => b"allow_create",
            Operation::PathNumber(PathNumberOp::Mkdir) => b"allow_mkdir",
        }
    }

    /// The operation of an ACL keyword.
    pub fn from_keyword(word: &[u8]) -> Option<Operation> {
        Operation::ALL.into_iter().find(|operation| operation.keyword() == word)
    }

    /// The profile item that sets the mode (reference 4.4, column "profile item").
    pub const fn item(self) -> Item {
        match self {
            Operation::Path(PathOp::Read | PathOp::Write | PathOp::ReadWrite) => Item::Open,
            Operation::Path(PathOp::Execute) => Item::Execute,
            Operation::Path(PathOp::Unlink) => Item::Unlink,
            Operation::Path(PathOp::Rmdir) => Item::Rmdir,
            Operation::Path(PathOp::Truncate) => Item::Truncate,
            Operation::Path2(Path2Op::Rename) => Item::Rename,
            Operation::PathNumber(PathNumberOp::Create) => Item::Create,
            Operation::PathNumber(PathNumberOp::Mkdir) => Item::Mkdir,
        }
    }
}

/// One operation with its arguments.
#[derive(Clone, Copy)]
pub enum Request<'a> {
    /// An operation on one path.
    Path {
        /// What is done.
        op: PathOp,
        /// To what.
        path: Name<'a>,
    },
    /// An operation on two paths.
    Path2 {
        /// What is done.
        op: Path2Op,
        /// The old name.
        from: Name<'a>,
        /// The new name.
        to: Name<'a>,
    },
    /// An operation on a path with a number.
    PathNumber {
        /// What is done.
        op: PathNumberOp,
        /// To what.
        path: Name<'a>,
        /// The mode for `Create` and `Mkdir` (permission bits, octal radix so that it prints as `0644`).
        number: Number,
    },
}

impl Request<'_> {
    /// The operation without its arguments.
    pub const fn operation(&self) -> Operation {
        match self {
            Request::Path { op, .. } => Operation::Path(*op),
            Request::Path2 { op, .. } => Operation::Path2(*op),
            Request::PathNumber { op, .. } => Operation::PathNumber(*op),
        }
    }

    /// The keyword of the ACL that would grant it: `allow_read` ...
    pub const fn keyword(&self) -> &'static [u8] {
        self.operation().keyword()
    }

    /// The profile item that sets the mode for it.
    pub const fn item(&self) -> Item {
        self.operation().item()
    }

    /// Prints the ACL line that would grant exactly this, such as `allow_create /tmp/f 0644`, without line end.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        sink.put(self.keyword())?;
        sink.put(b" ")?;
        match self {
            Request::Path { path, .. } => sink.put(path.as_bytes()),
            Request::Path2 { from, to, .. } => {
                sink.put(from.as_bytes())?;
                sink.put(b" ")?;
                sink.put(to.as_bytes())
            }
            Request::PathNumber { path, number, .. } => {
                sink.put(path.as_bytes())?;
                sink.put(b" ")?;
                number.print(sink)
            }
        }
    }
}
