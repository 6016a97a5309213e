// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a task wants to do: the question that [`crate::engine::decide`] answers.
//!
//! Operations stand in the classes of reference 4.4.1: inside a class they are bits of one ACL entry. A request prints
//! as the ACL line that would grant it (reference 11.3).

use crate::address::{port_number, Address};
use crate::capability::Capability;
use crate::item::Item;
use crate::mem::OutOfMemory;
use crate::name::Name;
use crate::number::Number;
use crate::text::Sink;

/// Operations on one path. The order is the print order of reference 4.4.1.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
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
    /// Make a symbolic link.
    Symlink,
    /// Overwrite or shorten a file that `deny_rewrite` protects.
    Rewrite,
    /// Change the root directory.
    Chroot,
    /// Unmount a file system.
    Unmount,
    /// Go to another domain without execve (reference 6.6).
    Transit,
}

/// Operations on two paths, in print order.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Path2Op {
    /// Give a file a second name.
    Link,
    /// Give a file or directory a new name.
    Rename,
    /// Exchange the root directory: new root, place for the old one.
    PivotRoot,
}

/// Operations on a path with a number, in print order.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PathNumberOp {
    /// Create a regular file with a mode.
    Create,
    /// Create a directory with a mode.
    Mkdir,
    /// Create a FIFO with a mode.
    Mkfifo,
    /// Create a socket file with a mode.
    Mksock,
    /// Send a command to a driver.
    Ioctl,
    /// Change the mode.
    Chmod,
    /// Change the owner.
    Chown,
    /// Change the group.
    Chgrp,
}

/// Operations on a path with a mode and a device number, in print order.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum DeviceOp {
    /// Create a block device file.
    Mkblock,
    /// Create a character device file.
    Mkchar,
}

/// Operations on an address with a port, in print order. For raw sockets the port is the protocol number.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum NetworkOp {
    /// Bind a UDP socket.
    UdpBind,
    /// Connect a UDP socket, send to an address or receive from one.
    UdpConnect,
    /// Bind a TCP socket.
    TcpBind,
    /// Listen on a TCP socket.
    TcpListen,
    /// Connect a TCP socket.
    TcpConnect,
    /// Accept a TCP connection.
    TcpAccept,
    /// Bind a raw IP socket.
    RawBind,
    /// Connect a raw IP socket, send to an address or receive from one.
    RawConnect,
}

/// Which arguments an entry has (reference 4.4.1).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// A path.
    Path,
    /// Two paths.
    Path2,
    /// A path and a number.
    PathNumber,
    /// A path, a mode, a device number.
    Device,
    /// An address and a port.
    Network,
    /// Device, directory, type, flags.
    Mount,
    /// The name of an environment variable.
    Env,
    /// A capability.
    Capability,
    /// A signal and a domain.
    Signal,
    /// A program that runs instead of others.
    ExecuteHandler,
    /// A program that runs instead of those that are denied.
    DeniedExecuteHandler,
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
    /// `KEYWORD PATH MODE MAJOR MINOR`
    Device(DeviceOp),
    /// `allow_network PROTOCOL OPERATION ADDRESS PORT`
    Network(NetworkOp),
    /// `allow_mount DEVICE DIRECTORY TYPE FLAGS`
    Mount,
    /// `allow_env NAME`
    Env,
    /// `allow_capability NAME`
    Capability,
    /// `allow_signal NUMBER DOMAIN`
    Signal,
    /// `execute_handler PROGRAM`
    ExecuteHandler,
    /// `denied_execute_handler PROGRAM`
    DeniedExecuteHandler,
}

/// Operation, keyword, profile item. Inside a class in print order, and the place in the class is the bit. The item of
/// capabilities follows from their name; handlers have none, their records follow `file::execute`.
const OPERATIONS: [(Operation, &[u8], Item); 39] = [
    (Operation::Path(PathOp::ReadWrite), b"allow_read/write", Item::Open),
    (Operation::Path(PathOp::Execute), b"allow_execute", Item::Execute),
    (Operation::Path(PathOp::Read), b"allow_read", Item::Open),
    (Operation::Path(PathOp::Write), b"allow_write", Item::Open),
    (Operation::Path(PathOp::Unlink), b"allow_unlink", Item::Unlink),
    (Operation::Path(PathOp::Rmdir), b"allow_rmdir", Item::Rmdir),
    (Operation::Path(PathOp::Truncate), b"allow_truncate", Item::Truncate),
    (Operation::Path(PathOp::Symlink), b"allow_symlink", Item::Symlink),
    (Operation::Path(PathOp::Rewrite), b"allow_rewrite", Item::Rewrite),
    (Operation::Path(PathOp::Chroot), b"allow_chroot", Item::Chroot),
    (Operation::Path(PathOp::Unmount), b"allow_unmount", Item::Umount),
    (Operation::Path(PathOp::Transit), b"allow_transit", Item::Transit),
    (Operation::Path2(Path2Op::Link), b"allow_link", Item::Link),
    (Operation::Path2(Path2Op::Rename), b"allow_rename", Item::Rename),
    (Operation::Path2(Path2Op::PivotRoot), b"allow_pivot_root", Item::PivotRoot),
    (Operation::PathNumber(PathNumberOp::Create), b"allow_create", Item::Create),
    (Operation::PathNumber(PathNumberOp::Mkdir), b"allow_mkdir", Item::Mkdir),
    (Operation::PathNumber(PathNumberOp::Mkfifo), b"allow_mkfifo", Item::Mkfifo),
    (Operation::PathNumber(PathNumberOp::Mksock), b"allow_mksock", Item::Mksock),
    (Operation::PathNumber(PathNumberOp::Ioctl), b"allow_ioctl", Item::Ioctl),
    (Operation::PathNumber(PathNumberOp::Chmod), b"allow_chmod", Item::Chmod),
    (Operation::PathNumber(PathNumberOp::Chown), b"allow_chown", Item::Chown),
    (Operation::PathNumber(PathNumberOp::Chgrp), b"allow_chgrp", Item::Chgrp),
    (Operation::Device(DeviceOp::Mkblock), b"allow_mkblock", Item::Mkblock),
    (Operation::Device(DeviceOp::Mkchar), b"allow_mkchar", Item::Mkchar),
    (Operation::Network(NetworkOp::UdpBind), b"allow_network UDP bind", Item::InetUdpBind),
    (Operation::Network(NetworkOp::UdpConnect), b"allow_network UDP connect", Item::InetUdpConnect),
    (Operation::Network(NetworkOp::TcpBind), b"allow_network TCP bind", Item::InetTcpBind),
    (Operation::Network(NetworkOp::TcpListen), b"allow_network TCP listen", Item::InetTcpListen),
    (Operation::Network(NetworkOp::TcpConnect), b"allow_network TCP connect", Item::InetTcpConnect),
    (Operation::Network(NetworkOp::TcpAccept), b"allow_network TCP accept", Item::InetTcpAccept),
    (Operation::Network(NetworkOp::RawBind), b"allow_network RAW bind", Item::InetRawBind),
    (Operation::Network(NetworkOp::RawConnect), b"allow_network RAW connect", Item::InetRawConnect),
    (Operation::Mount, b"allow_mount", Item::Mount),
    (Operation::Env, b"allow_env", Item::Env),
    (Operation::Capability, b"allow_capability", Item::CapConcealMount),
    (Operation::Signal, b"allow_signal", Item::Signal),
    (Operation::ExecuteHandler, b"execute_handler", Item::Execute),
    (Operation::DeniedExecuteHandler, b"denied_execute_handler", Item::Execute),
];

impl Class {
    const ALL: [Class; 11] = [
        Class::Path,
        Class::Path2,
        Class::PathNumber,
        Class::Device,
        Class::Network,
        Class::Mount,
        Class::Env,
        Class::Capability,
        Class::Signal,
        Class::ExecuteHandler,
        Class::DeniedExecuteHandler,
    ];

    /// The class of a number.
    #[inline]
    pub fn from_u8(number: u8) -> Option<Class> {
        Class::ALL.get(usize::from(number)).copied()
    }

    /// Its operations in print order.
    pub fn operations(self) -> impl Iterator<Item = Operation> {
        Operation::all().filter(move |operation| operation.class() == self)
    }
}

impl Operation {
    /// All operations; inside a class in print order.
    pub fn all() -> impl Iterator<Item = Operation> {
        OPERATIONS.iter().map(|(operation, _, _)| *operation)
    }

    /// Place in [`OPERATIONS`].
    const fn index(self) -> usize {
        match self {
            Operation::Path(op) => op as usize,
            Operation::Path2(op) => 12_usize.wrapping_add(op as usize),
            Operation::PathNumber(op) => 15_usize.wrapping_add(op as usize),
            Operation::Device(op) => 23_usize.wrapping_add(op as usize),
            Operation::Network(op) => 25_usize.wrapping_add(op as usize),
            Operation::Mount => 33,
            Operation::Env => 34,
            Operation::Capability => 35,
            Operation::Signal => 36,
            Operation::ExecuteHandler => 37,
            Operation::DeniedExecuteHandler => 38,
        }
    }

    /// The class.
    #[inline]
    pub const fn class(self) -> Class {
        match self {
            Operation::Path(_) => Class::Path,
            Operation::Path2(_) => Class::Path2,
            Operation::PathNumber(_) => Class::PathNumber,
            Operation::Device(_) => Class::Device,
            Operation::Network(_) => Class::Network,
            Operation::Mount => Class::Mount,
            Operation::Env => Class::Env,
            Operation::Capability => Class::Capability,
            Operation::Signal => Class::Signal,
            Operation::ExecuteHandler => Class::ExecuteHandler,
            Operation::DeniedExecuteHandler => Class::DeniedExecuteHandler,
        }
    }

    /// Its bit among the operations of its class.
    #[inline]
    pub const fn bit(self) -> u16 {
        1_u16.wrapping_shl(match self {
            Operation::Path(op) => op as u32,
            Operation::Path2(op) => op as u32,
            Operation::PathNumber(op) => op as u32,
            Operation::Device(op) => op as u32,
            Operation::Network(op) => op as u32,
            _ => 0,
        })
    }

    /// What a line begins with: the ACL keyword, for network with protocol and operation.
    pub fn keyword(self) -> &'static [u8] {
        OPERATIONS.get(self.index()).map_or(b"", |(_, keyword, _)| keyword)
    }

    /// The operation of an ACL keyword; that of `allow_network` follows from its words.
    pub fn from_keyword(word: &[u8]) -> Option<Operation> {
        // Most keywords of one length differ in their last letter.
        let same =
            |keyword: &[u8]| keyword.len() == word.len() && keyword.last() == word.last() && keyword == word;
        OPERATIONS.iter().find(|(_, keyword, _)| same(keyword)).map(|(operation, _, _)| *operation)
    }

    /// The profile item that sets the mode (reference 4.4); for capabilities see [`Request::item`].
    pub fn item(self) -> Item {
        OPERATIONS.get(self.index()).map_or(Item::Execute, |(_, _, item)| *item)
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
        /// The old name, or the new root.
        from: Name<'a>,
        /// The new name, or where the old root goes.
        to: Name<'a>,
    },
    /// An operation on a path with a number.
    PathNumber {
        /// What is done.
        op: PathNumberOp,
        /// To what.
        path: Name<'a>,
        /// Modes are permission bits in octal, commands hexadecimal, ids decimal: so they print.
        number: Number,
    },
    /// A device file is made.
    Device {
        /// Which kind.
        op: DeviceOp,
        /// Where.
        path: Name<'a>,
        /// Permission bits, octal.
        mode: Number,
        /// Decimal.
        major: Number,
        /// Decimal.
        minor: Number,
    },
    /// An operation on an address.
    Network {
        /// What is done.
        op: NetworkOp,
        /// The address.
        address: Address,
        /// The port, or the protocol of a raw socket.
        port: u16,
    },
    /// A mount (reference 4.8).
    Mount {
        /// The device as records show it.
        device: Name<'a>,
        /// Whether the device counts: for `--bind`, `--move` and types that need a block device.
        compare_device: bool,
        /// Where.
        dir: Name<'a>,
        /// The type, also `--bind` and the like.
        kind: Name<'a>,
        /// The remaining flags, hexadecimal.
        flags: Number,
    },
    /// A program gets an environment variable.
    Env {
        /// Its name.
        name: Name<'a>,
    },
    /// Something that needs a capability.
    Capability(Capability),
    /// A signal is sent.
    Signal {
        /// Its number.
        number: u16,
        /// Name of the domain of the process that gets it.
        target: &'a [u8],
    },
}

impl Request<'_> {
    /// The operation without its arguments.
    #[inline]
    pub const fn operation(&self) -> Operation {
        match self {
            Request::Path { op, .. } => Operation::Path(*op),
            Request::Path2 { op, .. } => Operation::Path2(*op),
            Request::PathNumber { op, .. } => Operation::PathNumber(*op),
            Request::Device { op, .. } => Operation::Device(*op),
            Request::Network { op, .. } => Operation::Network(*op),
            Request::Mount { .. } => Operation::Mount,
            Request::Env { .. } => Operation::Env,
            Request::Capability(_) => Operation::Capability,
            Request::Signal { .. } => Operation::Signal,
        }
    }

    /// What the ACL line that would grant it begins with: `allow_read` ...
    pub fn keyword(&self) -> &'static [u8] {
        self.operation().keyword()
    }

    /// The profile item that sets the mode for it.
    #[inline]
    pub fn item(&self) -> Item {
        match self {
            Request::Capability(capability) => capability.item(),
            _ => self.operation().item(),
        }
    }

    /// Prints the ACL line that would grant exactly this, such as `allow_create /tmp/f 0644`, without line end.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        sink.put(self.keyword())?;
        let word = |sink: &mut dyn Sink, word: &[u8]| sink.put(b" ").and_then(|()| sink.put(word));
        let value = |sink: &mut dyn Sink, value: Number| sink.put(b" ").and_then(|()| value.print(sink));
        match self {
            Request::Path { path, .. } => word(sink, path.as_bytes()),
            Request::Path2 { from, to, .. } => {
                word(sink, from.as_bytes())?;
                word(sink, to.as_bytes())
            }
            Request::PathNumber { path, number, .. } => {
                word(sink, path.as_bytes())?;
                value(sink, *number)
            }
            Request::Device { path, mode, major, minor, .. } => {
                word(sink, path.as_bytes())?;
                value(sink, *mode)?;
                value(sink, *major)?;
                value(sink, *minor)
            }
            Request::Network { address, port, .. } => {
                sink.put(b" ")?;
                address.print(sink)?;
                value(sink, port_number(*port))
            }
            Request::Mount { device, dir, kind, flags, .. } => {
                word(sink, device.as_bytes())?;
                word(sink, dir.as_bytes())?;
                word(sink, kind.as_bytes())?;
                value(sink, *flags)
            }
            Request::Env { name } => word(sink, name.as_bytes()),
            Request::Capability(capability) => word(sink, capability.name()),
            Request::Signal { number, target } => {
                value(sink, Number::decimal(u64::from(*number)))?;
                word(sink, target)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Operation, OPERATIONS};

    #[test]
    fn the_table_is_in_order() {
        for (index, (operation, keyword, _)) in OPERATIONS.iter().enumerate() {
            assert_eq!(operation.index(), index);
            assert!(Operation::from_keyword(keyword) == Some(*operation));
        }
        for class in Class::ALL {
            let bits: u32 = class
                .operations()
                .zip(0..)
                .map(|(operation, place)| {
                    assert_eq!(operation.bit(), 1 << place);
                    1
                })
                .sum();
            assert!(bits >= 1 && Class::from_u8(class as u8) == Some(class));
        }
        assert!(Class::from_u8(11).is_none());
    }
}
