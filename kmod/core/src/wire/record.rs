// SPDX-License-Identifier: MIT OR Apache-2.0
//! The audit record as bytes: what [`crate::audit`] writes as text, as fields (reference 11).
//!
//! Written from the same inputs, in postcard's encoding; `host::Record` has the fields as a structure, reads records and
//! prints them as text. A reader knows the version from the first byte.

use super::codec::{put_address, put_bytes, put_len, put_number, put_option, put_u64};
use crate::audit::{Header, Room};
use crate::facts::{Arguments, Attributes, Facts, Object};
use crate::mem::{OutOfMemory, Vec};
use crate::name::Name;
use crate::policy::Preferences;
use crate::request::{Operation, Request};
use crate::task::Task;

/// Version of the records that this writes, their first byte.
pub const RECORD_VERSION: u8 = 1;

/// Appends the record of a request.
///
/// # Errors
/// Out of memory; drop what was appended.
pub fn record(
    out: &mut Vec<u8>,
    header: &Header,
    granted: bool,
    preferences: &Preferences,
    facts: &Facts<'_>,
    domain: &[u8],
    request: &Request<'_>,
) -> Result<(), OutOfMemory> {
    begin(out, header, granted, preferences, facts, domain)?;
    out.push(0)?;
    put_request(out, request)
}

/// Appends a record with a text in place of a request, as [`crate::audit::note`] does.
///
/// # Errors
/// Out of memory; drop what was appended.
pub fn note(
    out: &mut Vec<u8>,
    header: &Header,
    granted: bool,
    preferences: &Preferences,
    facts: &Facts<'_>,
    domain: &[u8],
    text: &[u8],
) -> Result<(), OutOfMemory> {
    begin(out, header, granted, preferences, facts, domain)?;
    out.push(1)?;
    put_bytes(out, text)
}

fn begin(
    out: &mut Vec<u8>,
    header: &Header,
    granted: bool,
    preferences: &Preferences,
    facts: &Facts<'_>,
    domain: &[u8],
) -> Result<(), OutOfMemory> {
    out.push(RECORD_VERSION)?;
    put_u64(out, header.timestamp)?;
    put_u64(out, header.global_pid.into())?;
    out.extend_from_slice(&[header.profile, header.mode as u8, granted.into()])?;
    put_option(out, preferences.task_info.then_some(facts.task), put_task)?;
    for object in Object::ALL {
        let objects = facts.objects.filter(|_| preferences.path_info);
        put_option(out, objects.and_then(|objects| objects.attributes(object)), put_attributes)?;
    }
    put_option(out, facts.exec, put_execution)?;
    put_option(out, facts.symlink_target.map(Name::as_bytes), put_bytes)?;
    put_bytes(out, domain)
}

fn put_task(out: &mut Vec<u8>, task: &Task) -> Result<(), OutOfMemory> {
    for number in [
        task.pid, task.ppid, task.uid, task.gid, task.euid, task.egid, task.suid, task.sgid, task.fsuid,
        task.fsgid,
    ] {
        put_u64(out, number.into())?;
    }
    out.extend_from_slice(&task.state)?;
    out.push(task.execute_handler.into())
}

fn put_attributes(out: &mut Vec<u8>, attributes: Attributes) -> Result<(), OutOfMemory> {
    put_u64(out, attributes.uid.into())?;
    put_u64(out, attributes.gid.into())?;
    put_u64(out, attributes.ino)?;
    for number in
        [attributes.major, attributes.minor, attributes.mode, attributes.dev_major, attributes.dev_minor]
    {
        put_u64(out, number.into())?;
    }
    Ok(())
}

/// The strings that the text would have; they are collected first, because their number stands in front.
fn put_execution(out: &mut Vec<u8>, exec: &dyn Arguments) -> Result<(), OutOfMemory> {
    put_bytes(out, exec.realpath().map_or(b"", Name::as_bytes))?;
    put_u64(out, exec.argc())?;
    put_u64(out, exec.envc())?;
    let mut room = Room::new();
    let mut argv = List::new();
    let mut index = 0_u64;
    while index < exec.argc()
        && !argv.is_done(&room)
        && exec.argv(index, &mut |text| argv.add(&mut room, &[text.as_bytes()]))
    {
        index = index.saturating_add(1);
    }
    let argv_cut = room.is_full();
    room.next_list();
    let mut envp = List::new();
    exec.envp(&mut |name, value| match value {
        Some(value) => envp.add(&mut room, &[name.as_bytes(), b"=", value.as_bytes()]),
        None => envp.add(&mut room, &[name.as_bytes()]),
    });
    if exec.is_unreadable() {
        return out.push(0);
    }
    out.push(1)?;
    argv.put(out, argv_cut)?;
    envp.put(out, room.is_full())
}

/// Strings of one list.
struct List {
    bytes: Vec<u8>,
    count: usize,
    failed: bool,
}

impl List {
    const fn new() -> List {
        List { bytes: Vec::new(), count: 0, failed: false }
    }

    const fn is_done(&self, room: &Room) -> bool {
        self.failed || room.is_full()
    }

    /// Adds the string that `parts` make up, if it fits.
    fn add(&mut self, room: &mut Room, parts: &[&[u8]]) {
        if self.is_done(room) || !room.add(parts) {
            return;
        }
        let len = parts.iter().fold(0_usize, |len, part| len.saturating_add(part.len()));
        self.count = self.count.saturating_add(1);
        self.failed |= put_len(&mut self.bytes, len).is_err();
        for part in parts {
            self.failed |= self.bytes.extend_from_slice(part).is_err();
        }
    }

    /// Writes the strings, and whether there were more.
    fn put(&self, out: &mut Vec<u8>, cut: bool) -> Result<(), OutOfMemory> {
        if self.failed {
            return Err(OutOfMemory);
        }
        put_len(out, self.count)?;
        out.extend_from_slice(&self.bytes)?;
        out.push(cut.into())
    }
}

fn put_request(out: &mut Vec<u8>, request: &Request<'_>) -> Result<(), OutOfMemory> {
    let operation = request.operation();
    out.push(operation.class() as u8)?;
    match operation {
        Operation::Path(op) => out.push(op as u8)?,
        Operation::Path2(op) => out.push(op as u8)?,
        Operation::PathNumber(op) => out.push(op as u8)?,
        Operation::Device(op) => out.push(op as u8)?,
        Operation::Network(op) => out.push(op as u8)?,
        _ => {}
    }
    let name = |out: &mut Vec<u8>, name: &Name<'_>| put_bytes(out, name.as_bytes());
    match request {
        Request::Path { path, .. } => name(out, path),
        Request::Path2 { from, to, .. } => {
            name(out, from)?;
            name(out, to)
        }
        Request::PathNumber { path, number, .. } => {
            name(out, path)?;
            put_number(out, *number)
        }
        Request::Device { path, mode, major, minor, .. } => {
            name(out, path)?;
            put_number(out, *mode)?;
            put_number(out, *major)?;
            put_number(out, *minor)
        }
        Request::Network { address, port, .. } => {
            put_address(out, address)?;
            put_u64(out, (*port).into())
        }
        Request::Mount { device, dir, kind, flags, .. } => {
            name(out, device)?;
            name(out, dir)?;
            name(out, kind)?;
            put_number(out, *flags)
        }
        Request::Env { name: variable } => name(out, variable),
        Request::Capability(capability) => out.push(*capability as u8),
        Request::Signal { number, target } => {
            put_u64(out, (*number).into())?;
            put_bytes(out, target)
        }
    }
}
