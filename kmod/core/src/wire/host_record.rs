// SPDX-License-Identifier: MIT OR Apache-2.0
//! The binary audit record as structures with derived codecs: see [`super::host`].

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::host::{Address, Bytes, Number};
use super::RECORD_VERSION;
use crate::address;
use crate::audit::{self, Header, NoRecord};
use crate::capability::Capability;
use crate::facts::{self, Arguments, Facts, Object, Objects};
use crate::mem;
use crate::name::Name;
use crate::policy;
use crate::profile::Mode;
use crate::request::{self, Class, Operation};
use crate::task;

/// A binary audit record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_VERSION`]
    pub version: u8,
    /// Seconds since 1970.
    pub timestamp: u64,
    /// Thread id in the initial pid namespace.
    pub global_pid: u32,
    /// Profile of the request.
    pub profile: u8,
    /// Number of [`Mode`].
    pub mode: u8,
    /// Whether an entry granted the request: which of the two queues the record is for.
    pub granted: bool,
    /// Who asked, unless the profile does not want to know.
    pub task: Option<Task>,
    /// What the files are like, in the order of [`Object::ALL`].
    pub objects: [Option<Attributes>; 4],
    /// The program that starts.
    pub exec: Option<Exec>,
    /// The content of the symbolic link that is made.
    pub symlink_target: Option<Bytes>,
    /// The domain of the task.
    pub domain: Bytes,
    /// What happened.
    pub event: Event,
}

/// [`task::Task`]
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the core's type")]
pub struct Task {
    pub pid: u32,
    pub ppid: u32,
    pub uid: u32,
    pub gid: u32,
    pub euid: u32,
    pub egid: u32,
    pub suid: u32,
    pub sgid: u32,
    pub fsuid: u32,
    pub fsgid: u32,
    pub state: [u8; 3],
    pub execute_handler: bool,
}

/// [`facts::Attributes`]
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the core's type")]
pub struct Attributes {
    pub uid: u32,
    pub gid: u32,
    pub ino: u64,
    pub major: u32,
    pub minor: u32,
    pub mode: u32,
    pub dev_major: u32,
    pub dev_minor: u32,
}

/// A program that starts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Exec {
    /// Its name with links resolved; empty if that is not known.
    pub realpath: Bytes,
    /// Number of arguments.
    pub argc: u64,
    /// Number of environment strings.
    pub envc: u64,
    /// Arguments and environment; `None` if they could not be read.
    pub strings: Option<(Strings, Strings)>,
}

/// Strings of a program, as many as fit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Strings {
    /// The strings.
    pub list: Vec<Bytes>,
    /// Whether there were more.
    pub cut: bool,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// A request.
    Request(Request),
    /// A text such as `use_profile 3`.
    Note(Bytes),
}

/// [`request::Request`]; operations are numbers of the core's types.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "variants and fields are those of the core's type")]
pub enum Request {
    Path { op: u8, path: Bytes },
    Path2 { op: u8, from: Bytes, to: Bytes },
    PathNumber { op: u8, path: Bytes, number: Number },
    Device { op: u8, path: Bytes, mode: Number, major: Number, minor: Number },
    Network { op: u8, address: Address, port: u16 },
    Mount { device: Bytes, dir: Bytes, kind: Bytes, flags: Number },
    Env { name: Bytes },
    Capability(u8),
    Signal { number: u16, target: Bytes },
}

impl Record {
    /// Reads a record. `None` if the version is another one or the encoding is wrong.
    pub fn from_bytes(record: &[u8]) -> Option<Record> {
        if record.first() != Some(&RECORD_VERSION) {
            return None;
        }
        match postcard::take_from_bytes(record) {
            Ok((record, [])) => Some(record),
            _ => None,
        }
    }

    /// The record as text, as [`audit::record`] writes it, without the NUL at the end. `None` if the record has something
    /// that the core never writes.
    pub fn text(&self) -> Option<String> {
        let header = Header {
            timestamp: self.timestamp,
            global_pid: self.global_pid,
            mode: *Mode::ALL.get(usize::from(self.mode))?,
            profile: self.profile,
        };
        let preferences = policy::Preferences {
            task_info: self.task.is_some(),
            path_info: true,
            ..policy::Preferences::DEFAULT
        };
        let task = self.task.as_ref().map(Task::to_core).unwrap_or_default();
        let symlink_target = match &self.symlink_target {
            Some(target) => Some(Name::new(target)?),
            None => None,
        };
        let exec = self.exec.as_ref().map(|exec| exec as &dyn Arguments);
        let facts = Facts { task: &task, objects: Some(self), exec, symlink_target };
        let mut text = mem::Vec::new();
        let written: Result<(), NoRecord> = match &self.event {
            Event::Request(request) => {
                audit::record(&mut text, &header, &preferences, &facts, &self.domain, &request.to_core()?)
            }
            Event::Note(note) => audit::note(&mut text, &header, &preferences, &facts, &self.domain, note),
        };
        written.ok()?;
        String::from_utf8(text.strip_suffix(b"\0")?.to_vec()).ok()
    }
}

impl Objects for Record {
    fn attributes(&self, object: Object) -> Option<facts::Attributes> {
        let place = Object::ALL.iter().position(|known| *known == object)?;
        let known = self.objects.get(place)?.as_ref()?;
        Some(facts::Attributes {
            uid: known.uid,
            gid: known.gid,
            ino: known.ino,
            major: known.major,
            minor: known.minor,
            mode: known.mode,
            dev_major: known.dev_major,
            dev_minor: known.dev_minor,
        })
    }
}

/// A string that never fits: it stands for those that were cut off.
const TOO_LONG: &[u8] = &[b'a'; audit::MAX_ARGUMENTS];

impl Strings {
    /// The strings as names, and one that does not fit where they were cut.
    fn names(&self) -> impl Iterator<Item = Name<'_>> {
        let cut = if self.cut { Name::new(TOO_LONG) } else { None };
        self.list.iter().filter_map(|text| Name::new(text)).chain(cut)
    }
}

impl Arguments for Exec {
    fn argc(&self) -> u64 {
        self.argc
    }

    fn envc(&self) -> u64 {
        self.envc
    }

    fn realpath(&self) -> Option<Name<'_>> {
        Name::new(&self.realpath)
    }

    fn argv(&self, index: u64, visit: &mut dyn FnMut(Name<'_>)) -> bool {
        let strings =
            self.strings.as_ref().and_then(|(argv, _)| argv.names().nth(usize::try_from(index).ok()?));
        strings.map(visit).is_some()
    }

    fn envp(&self, visit: &mut dyn FnMut(Name<'_>, Option<Name<'_>>)) {
        if let Some((_, envp)) = &self.strings {
            envp.names().for_each(|text| visit(text, None));
        }
    }

    fn is_unreadable(&self) -> bool {
        self.strings.is_none()
    }
}

impl Task {
    const fn to_core(&self) -> task::Task {
        task::Task {
            uid: self.uid,
            gid: self.gid,
            euid: self.euid,
            egid: self.egid,
            suid: self.suid,
            sgid: self.sgid,
            fsuid: self.fsuid,
            fsgid: self.fsgid,
            pid: self.pid,
            ppid: self.ppid,
            state: self.state,
            execute_handler: self.execute_handler,
        }
    }
}

/// The operation of a class that has this number.
fn operation(class: Class, number: u8) -> Option<Operation> {
    class.operations().nth(usize::from(number))
}

impl Request {
    fn to_core(&self) -> Option<request::Request<'_>> {
        use request::Request as Core;
        Some(match self {
            Request::Path { op, path } => match operation(Class::Path, *op)? {
                Operation::Path(op) => Core::Path { op, path: Name::new(path)? },
                _ => return None,
            },
            Request::Path2 { op, from, to } => match operation(Class::Path2, *op)? {
                Operation::Path2(op) => Core::Path2 { op, from: Name::new(from)?, to: Name::new(to)? },
                _ => return None,
            },
            Request::PathNumber { op, path, number } => match operation(Class::PathNumber, *op)? {
                Operation::PathNumber(op) => {
                    Core::PathNumber { op, path: Name::new(path)?, number: number.to_core() }
                }
                _ => return None,
            },
            Request::Device { op, path, mode, major, minor } => match operation(Class::Device, *op)? {
                Operation::Device(op) => Core::Device {
                    op,
                    path: Name::new(path)?,
                    mode: mode.to_core(),
                    major: major.to_core(),
                    minor: minor.to_core(),
                },
                _ => return None,
            },
            Request::Network { op, address, port } => match operation(Class::Network, *op)? {
                Operation::Network(op) => {
                    let address = match address {
                        Address::V4(bytes) => address::Address::V4(*bytes),
                        Address::V6(bytes) => address::Address::V6(*bytes),
                    };
                    Core::Network { op, address, port: *port }
                }
                _ => return None,
            },
            Request::Mount { device, dir, kind, flags } => Core::Mount {
                device: Name::new(device)?,
                compare_device: true,
                dir: Name::new(dir)?,
                kind: Name::new(kind)?,
                flags: flags.to_core(),
            },
            Request::Env { name } => Core::Env { name: Name::new(name)? },
            Request::Capability(number) => Core::Capability(Capability::from_u8(*number)?),
            Request::Signal { number, target } => Core::Signal { number: *number, target },
        })
    }
}
