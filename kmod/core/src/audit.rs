// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records for the grant and reject queues.
//!
//! Reference 11: a header line, the domain, the request, and a NUL byte.

use crate::facts::{Arguments, Attributes, Facts, Object};
use crate::mem::{OutOfMemory, Vec};
use crate::name::Name;
use crate::number::Number;
use crate::policy::Preferences;
use crate::profile::Mode;
use crate::request::Request;
use crate::task::Task;
use crate::text::{self, Sink};

/// Longest header line in bytes, without `exec={...}` and `symlink.target=` (reference 1.6).
pub const MAX_HEADER: usize = 4094;

/// Bytes of `argv[]={ ... } envp[]={ ...` up to which whole strings are kept (reference 11.2).
pub(crate) const MAX_ARGUMENTS: usize = 8160;

const ARGV: &[u8] = b"argv[]={ ";
const ENVP: &[u8] = b"} envp[]={ ";
/// Stands for the strings that did not fit. It may reach beyond the limit.
const CUT: &[u8] = b"... ";

/// Why there is no record.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(sekisho_kernel), derive(Debug))]
pub enum NoRecord {
    /// There is no memory for it.
    OutOfMemory,
    /// The header would be longer than [`MAX_HEADER`]: such records are dropped.
    TooLong,
}

impl From<OutOfMemory> for NoRecord {
    fn from(_: OutOfMemory) -> Self {
        NoRecord::OutOfMemory
    }
}

/// What the first line of a record says besides the task.
#[derive(Clone, Copy)]
pub struct Header {
    /// Seconds since 1970.
    pub timestamp: u64,
    /// Thread id in the initial pid namespace.
    pub global_pid: u32,
    /// Mode of the request.
    pub mode: Mode,
    /// Profile of the request.
    pub profile: u8,
}

/// Writes the record of a request.
///
/// # Errors
/// There is no record; drop what the sink holds.
pub fn record(
    sink: &mut dyn Sink,
    header: &Header,
    preferences: &Preferences,
    facts: &Facts<'_>,
    domain: &[u8],
    request: &Request<'_>,
) -> Result<(), NoRecord> {
    begin(sink, header, preferences, facts, domain)?;
    request.print(sink)?;
    Ok(sink.put(b"\n\0")?)
}

/// Writes a record with the text `use_profile N`, `transition_failed`, `quota_exceeded` or `execute_handler P` in place
/// of a request.
///
/// # Errors
/// There is no record; drop what the sink holds.
pub fn note(
    sink: &mut dyn Sink,
    header: &Header,
    preferences: &Preferences,
    facts: &Facts<'_>,
    domain: &[u8],
    text: &[u8],
) -> Result<(), NoRecord> {
    begin(sink, header, preferences, facts, domain)?;
    sink.put(text)?;
    Ok(sink.put(b"\n\0")?)
}

/// The first two lines.
fn begin(
    sink: &mut dyn Sink,
    header: &Header,
    preferences: &Preferences,
    facts: &Facts<'_>,
    domain: &[u8],
) -> Result<(), NoRecord> {
    let mut line = Vec::new();
    line.put(b"#timestamp=")?;
    Number::decimal(header.timestamp).print(&mut line)?;
    field(&mut line, b" profile=", u32::from(header.profile))?;
    line.put(b" mode=")?;
    line.put(header.mode.word())?;
    field(&mut line, b" (global-pid=", header.global_pid)?;
    line.put(b")")?;
    if preferences.task_info {
        task(&mut line, facts.task)?;
    }
    if preferences.path_info {
        for object in Object::ALL {
            if let Some(attributes) = facts.objects.and_then(|objects| objects.attributes(object)) {
                path(&mut line, object, &attributes)?;
            }
        }
    }
    if line.len() > MAX_HEADER {
        return Err(NoRecord::TooLong);
    }
    sink.put(&line)?;
    if let Some(exec) = facts.exec {
        execution(sink, exec)?;
    }
    if let Some(target) = facts.symlink_target {
        sink.put(b" symlink.target=\"")?;
        sink.put(target.as_bytes())?;
        sink.put(b"\"")?;
    }
    sink.put(b"\n")?;
    sink.put(domain)?;
    Ok(sink.put(b"\n")?)
}

fn task(sink: &mut dyn Sink, task: &Task) -> Result<(), OutOfMemory> {
    field(sink, b" task={ pid=", task.pid)?;
    field(sink, b" ppid=", task.ppid)?;
    field(sink, b" uid=", task.uid)?;
    field(sink, b" gid=", task.gid)?;
    field(sink, b" euid=", task.euid)?;
    field(sink, b" egid=", task.egid)?;
    field(sink, b" suid=", task.suid)?;
    field(sink, b" sgid=", task.sgid)?;
    field(sink, b" fsuid=", task.fsuid)?;
    field(sink, b" fsgid=", task.fsgid)?;
    let [state0, state1, state2] = task.state;
    field(sink, b" state[0]=", u32::from(state0))?;
    field(sink, b" state[1]=", u32::from(state1))?;
    field(sink, b" state[2]=", u32::from(state2))?;
    sink.put(if task.execute_handler { b" type=execute_handler }" } else { b" type!=execute_handler }" })
}

/// Types of files as they print; a type of 0 counts as a file.
fn type_name(mode: u32) -> &'static [u8] {
    match mode & 0o170_000 {
        0 | 0o100_000 => b"file",
        0o040_000 => b"directory",
        0o120_000 => b"symlink",
        0o010_000 => b"fifo",
        0o140_000 => b"socket",
        0o060_000 => b"block",
        0o020_000 => b"char",
        _ => b"unknown",
    }
}

fn path(sink: &mut dyn Sink, object: Object, attributes: &Attributes) -> Result<(), OutOfMemory> {
    sink.put(b" ")?;
    sink.put(object.name())?;
    field(sink, b"={ uid=", attributes.uid)?;
    field(sink, b" gid=", attributes.gid)?;
    sink.put(b" ino=")?;
    Number::decimal(attributes.ino).print(sink)?;
    if !object.is_parent() {
        field(sink, b" major=", attributes.major)?;
        field(sink, b" minor=", attributes.minor)?;
    }
    sink.put(b" perm=")?;
    Number::octal(u64::from(attributes.mode & 0o7777)).print(sink)?;
    if !object.is_parent() {
        sink.put(b" type=")?;
        sink.put(type_name(attributes.mode))?;
        if matches!(attributes.mode & 0o170_000, 0o060_000 | 0o020_000) {
            field(sink, b" dev_major=", attributes.dev_major)?;
            field(sink, b" dev_minor=", attributes.dev_minor)?;
        }
    }
    sink.put(b" }")
}

fn execution(sink: &mut dyn Sink, exec: &dyn Arguments) -> Result<(), OutOfMemory> {
    sink.put(b" exec={ realpath=\"")?;
    sink.put(exec.realpath().map_or(b"", Name::as_bytes))?;
    sink.put(b"\" argc=")?;
    Number::decimal(exec.argc()).print(sink)?;
    sink.put(b" envc=")?;
    Number::decimal(exec.envc()).print(sink)?;
    let mut strings = Strings { text: Vec::new(), room: Room::new(), failed: false };
    strings.put(ARGV);
    let mut index = 0_u64;
    // Behind the cut nothing is looked at: a program may have a million arguments.
    while index < exec.argc()
        && !strings.is_done()
        && exec.argv(index, &mut |text| strings.add(&[text.as_bytes()]))
    {
        index = index.saturating_add(1);
    }
    strings.room.next_list();
    strings.put(ENVP);
    exec.envp(&mut |name, value| match value {
        Some(value) => strings.add(&[name.as_bytes(), b"=", value.as_bytes()]),
        None => strings.add(&[name.as_bytes()]),
    });
    if exec.is_unreadable() {
        return sink.put(b" argv[]={ ... } envp[]= { ... } }");
    }
    if strings.failed {
        return Err(OutOfMemory);
    }
    sink.put(b" ")?;
    sink.put(&strings.text)?;
    sink.put(b"} }")
}

/// Which strings of two lists are in a record, up to [`MAX_ARGUMENTS`]. Of each list, the first string that does not fit
/// and all behind it become one [`CUT`]; what that leaves free is for the next list (reference 11.2).
pub(crate) struct Room {
    /// Bytes of text so far.
    used: usize,
    /// Whether the list was cut.
    full: bool,
}

impl Room {
    /// Before the first list.
    pub(crate) const fn new() -> Room {
        Room { used: ARGV.len(), full: false }
    }

    /// The first list ends.
    pub(crate) fn next_list(&mut self) {
        self.full = false;
        self.used = self.used.saturating_add(ENVP.len());
    }

    /// Whether the list was cut, so that more strings of it would change nothing.
    pub(crate) const fn is_full(&self) -> bool {
        self.full
    }

    /// Whether the next string of the list, which is not cut yet, is in the record.
    pub(crate) fn add(&mut self, parts: &[&[u8]]) -> bool {
        // Two quotes and the blank behind them belong to the string.
        let start = self.used.saturating_add(3);
        let end = parts.iter().fold(start, |end, part| end.saturating_add(part.len()));
        self.full = end > MAX_ARGUMENTS;
        self.used = if self.full { self.used.saturating_add(CUT.len()) } else { end };
        !self.full
    }
}

/// The text of these strings, in quotes.
struct Strings {
    text: Vec<u8>,
    room: Room,
    /// Whether memory ran out.
    failed: bool,
}

impl Strings {
    fn put(&mut self, part: &[u8]) {
        self.failed |= self.text.put(part).is_err();
    }

    /// Whether more strings of this list would change nothing.
    const fn is_done(&self) -> bool {
        self.room.is_full() || self.failed
    }

    /// Adds the string that `parts` make up.
    fn add(&mut self, parts: &[&[u8]]) {
        if self.is_done() {
            return;
        }
        if !self.room.add(parts) {
            self.put(CUT);
            return;
        }
        self.put(b"\"");
        parts.iter().for_each(|part| self.put(part));
        self.put(b"\" ");
    }
}

fn field(sink: &mut dyn Sink, key: &[u8], value: u32) -> Result<(), OutOfMemory> {
    sink.put(key)?;
    text::put_u32(sink, value)
}

#[cfg(test)]
mod tests;
