// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records for the grant and reject queues.
//!
//! Reference 11.1: a header line, the domain, the request, and a NUL byte. The parts `path1={...}`, `path2={...}` and
//! `exec={...}` of the header are not in this version.

use crate::mem::OutOfMemory;
use crate::number::Number;
use crate::profile::Mode;
use crate::request::Request;
use crate::task::Task;
use crate::text::{self, Sink};

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
/// The sink is out of memory; drop what it holds.
pub fn record(
    sink: &mut dyn Sink,
    header: &Header,
    task: &Task,
    domain: &[u8],
    request: &Request<'_>,
) -> Result<(), OutOfMemory> {
    begin(sink, header, task, domain)?;
    request.print(sink)?;
    sink.put(b"\n\0")
}

/// Writes a record with the text `use_profile N`, `transition_failed` or `quota_exceeded` in place of a request.
///
/// # Errors
/// The sink is out of memory; drop what it holds.
pub fn note(
    sink: &mut dyn Sink,
    header: &Header,
    task: &Task,
    domain: &[u8],
    text: &[u8],
) -> Result<(), OutOfMemory> {
    begin(sink, header, task, domain)?;
    sink.put(text)?;
    sink.put(b"\n\0")
}

/// The first two lines.
fn begin(sink: &mut dyn Sink, header: &Header, task: &Task, domain: &[u8]) -> Result<(), OutOfMemory> {
    sink.put(b"#timestamp=")?;
    Number::decimal(header.timestamp).print(sink)?;
    field(sink, b" profile=", u32::from(header.profile))?;
    sink.put(b" mode=")?;
    sink.put(header.mode.word())?;
    field(sink, b" (global-pid=", header.global_pid)?;
    field(sink, b") task={ pid=", task.pid)?;
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
    sink.put(if task.execute_handler {
        b" type=execute_handler }\n"
    } else {
        b" type!=execute_handler }\n"
    })?;
    sink.put(domain)?;
    sink.put(b"\n")
}

fn field(sink: &mut dyn Sink, key: &[u8], value: u32) -> Result<(), OutOfMemory> {
    sink.put(key)?;
    text::put_u32(sink, value)
}
