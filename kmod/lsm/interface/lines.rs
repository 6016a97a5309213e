// SPDX-License-Identifier: GPL-2.0-only

//! From the bytes of writes to lines (reference 10.1): a line may come in pieces, and a last one without its end is dropped
//! at close.

use super::OpenFile;
use crate::{errors, Errno, Result};
use core::mem::take;
use sekisho_core::edit::EditError;
use sekisho_core::mem::{OutOfMemory, Vec};
use sekisho_core::text::{Normal, MAX_LINE, TOO_LONG};

/// The lines of one open description.
pub(super) struct Lines {
    /// The beginning of a line whose end has not been written yet.
    partial: Vec<u8>,
    /// The rest of the line is skipped: it was too long.
    skipping: bool,
    /// Number of the line that is being collected, from 1.
    number: u32,
}

impl Lines {
    pub(super) const fn new() -> Lines {
        Lines { partial: Vec::new(), skipping: false, number: 1 }
    }

    /// A copy, for when a write fails.
    pub(super) fn try_clone(&self) -> Result<Lines, OutOfMemory> {
        Ok(Lines { partial: self.partial.try_clone()?, ..*self })
    }

    /// Adds bytes and shows each line that is complete, with its number, until `each` fails. One that was too long is noted in
    /// `errors`, and `None` is shown in its place.
    pub(super) fn feed(
        &mut self,
        file: &'static [u8],
        mut bytes: &[u8],
        each: &mut dyn FnMut(u32, Option<&[u8]>) -> Result,
    ) -> Result {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
            bytes = rest.get(1..).unwrap_or(&[]);
            let number = self.number;
            self.number = self.number.wrapping_add(1);
            self.collect(line)?;
            let partial = take(&mut self.partial);
            if take(&mut self.skipping) {
                errors::rejected(file, number, 1, TOO_LONG, if partial.is_empty() { line } else { &partial });
                each(number, None)?;
            } else {
                each(number, Some(if partial.is_empty() { line } else { &partial }))?;
            }
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.collect(bytes)?;
        if self.partial.is_empty() && !self.skipping {
            self.partial.extend_from_slice(bytes)?;
        }
        Ok(())
    }

    /// Adds to a line of which there is a beginning; one that comes in one piece need not be copied.
    fn collect(&mut self, bytes: &[u8]) -> Result<(), OutOfMemory> {
        if self.partial.len().saturating_add(bytes.len()) > MAX_LINE {
            self.skipping = true;
        }
        if !self.skipping && !self.partial.is_empty() {
            self.partial.extend_from_slice(bytes)?;
        }
        Ok(())
    }
}

impl OpenFile {
    /// Shows the lines that `bytes` complete to `each`, but for those that were too long.
    pub(super) fn for_lines(&mut self, bytes: &[u8], each: &mut dyn FnMut(u32, &[u8]) -> Result) -> Result {
        self.lines.feed(self.file.title(), bytes, &mut |number, line| {
            line.map_or(Ok(()), |line| each(number, line))
        })
    }
}

/// What became of a line of policy: whether it was accepted. One that was not is noted in `errors`.
pub(super) fn outcome(
    title: &'static [u8],
    number: u32,
    line: &[u8],
    result: Result<(), EditError>,
) -> Result<bool> {
    match result {
        Ok(()) => return Ok(true),
        Err(EditError::OutOfMemory) => return Err(Errno::NoMem),
        Err(EditError::Quota) => {
            let message = "the policy would be larger than its memory quota; raise the quota or delete lines";
            errors::rejected(title, number, 1, message, line);
        }
        Err(EditError::Parse(error)) => {
            errors::rejected_line(title, number, &error, line);
        }
    }
    Ok(false)
}

/// A line with its words one blank apart. `None` if it has a byte that no line may have; then that is noted in `errors`.
pub(super) fn normal<'l>(title: &'static [u8], number: u32, line: &'l [u8]) -> Result<Option<Normal<'l>>> {
    match Normal::new(line) {
        Ok(normal) => Ok(Some(normal)),
        Err(error) => outcome(title, number, line, Err(error)).map(|_| None),
    }
}

/// A decimal number without sign, as programs write it.
pub(super) fn number(digits: &[u8]) -> Option<usize> {
    let number = digits.iter().try_fold(0_usize, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(digit.into())
    });
    number.filter(|_| !digits.is_empty())
}
