// SPDX-License-Identifier: GPL-2.0-only

//! The file `errors`: the last lines that an interface file did not accept, each with its place and the reason.

use crate::{stats, sys::lock::ERRORS};
use core::mem::take;
use sekisho_core::mem::{OutOfMemory, Vec};
use sekisho_core::text::{put_shown, put_u32, ParseError, Sink};

/// Lines held; older ones are forgotten.
const MAX_LINES: usize = 128;

/// Text lines, ready to be read; a ring.
pub(crate) struct Errors {
    lines: Vec<Vec<u8>>,
    next: usize,
}

impl Errors {
    pub(crate) const fn new() -> Errors {
        Errors { lines: Vec::new(), next: 0 }
    }

    fn push(&mut self, line: Vec<u8>) -> Result<(), OutOfMemory> {
        if self.lines.len() < MAX_LINES {
            return self.lines.push(line);
        }
        if let Some(oldest) = self.lines.get_mut(self.next) {
            *oldest = line;
        }
        self.next = if self.next.wrapping_add(1) == MAX_LINES { 0 } else { self.next.wrapping_add(1) };
        Ok(())
    }

    /// All lines, oldest first.
    pub(crate) fn print(&self, out: &mut impl Sink) -> Result<(), OutOfMemory> {
        let (newer, older) = self.lines.split_at_checked(self.next).unwrap_or((&[], &[]));
        older.iter().chain(newer).try_for_each(|line| out.put(line))
    }
}

/// Notes that a line is none of the policy language.
pub(crate) fn rejected_line(file: &[u8], line: u32, error: &ParseError, text: &[u8]) {
    let mut reason = Vec::new();
    match error.reason.print(&mut reason) {
        Ok(()) => note(file, line, error.column, &reason, text),
        Err(_) => rejected(file, line, error.column, error.reason.message(), text),
    }
}

/// Notes that line `line` (from 1) of what was written to `file` was not accepted: at `column` (from 1), for `reason`.
pub(crate) fn rejected(file: &[u8], line: u32, column: u32, reason: &str, text: &[u8]) {
    note(file, line, column, reason.as_bytes(), text);
}

/// The same with a reason that was put together.
pub(crate) fn note(file: &[u8], line: u32, column: u32, reason: &[u8], text: &[u8]) {
    stats::REJECTED_LINES.add();
    let mut entry = Vec::new();
    // Without memory the line is lost, but it has been counted.
    if format(&mut entry, file, line, column, reason, text).is_ok() {
        let _ = ERRORS.lock().push(take(&mut entry));
    }
}

fn format(
    out: &mut Vec<u8>,
    file: &[u8],
    line: u32,
    column: u32,
    reason: &[u8],
    text: &[u8],
) -> Result<(), OutOfMemory> {
    out.put(file)?;
    out.put(b":")?;
    put_u32(out, line)?;
    out.put(b":")?;
    put_u32(out, column)?;
    out.put(b": ")?;
    out.put(reason)?;
    out.put(b": ")?;
    put_shown(text, out)?;
    out.put(b"\n")
}
