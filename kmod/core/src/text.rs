// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading and printing of policy lines: where text goes, how a line falls into words, and why one is rejected.
//!
//! The original normalised a line in place before it looked at it (reference 1.2); here the line stays as it is and [`Words`]
//! walks over it, so that an error can name the column of the line that the person wrote.

use crate::mem::{OutOfMemory, Vec};
use crate::name::printable_len;
use crate::number::Number;
use line::is_blank;

mod line;
mod reason;
pub(crate) use line::check_bytes;
pub use line::{is_silent, put_shown, Normal, MAX_LINE, TOO_LONG};
pub use reason::Reason;

/// A place where text is appended.
///
/// Printing takes `&mut dyn Sink`, so that the kernel holds one copy of each printing routine.
pub trait Sink {
    /// Appends `bytes`.
    ///
    /// # Errors
    /// The sink could not grow. What was appended before stays.
    fn put(&mut self, bytes: &[u8]) -> Result<(), OutOfMemory>;
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), OutOfMemory> {
        self.extend_from_slice(bytes)
    }
}

/// A line that was not accepted: where and why.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ParseError {
    /// Column of the offending word in the line as written, counted in bytes from 1. Something missing at the end is
    /// reported one past the last word.
    pub column: u32,
    /// What is wrong.
    pub reason: Reason,
}

impl ParseError {
    pub(crate) const fn new(column: u32, reason: Reason) -> Self {
        ParseError { column, reason }
    }
}

/// The words of a line with their columns.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    /// Starts at the beginning of `line`.
    pub const fn new(line: &'a [u8]) -> Self {
        Words { line, at: 0 }
    }

    /// Column just behind the last word taken, for errors about something missing.
    pub fn column(&self) -> u32 {
        column(self.at)
    }

    /// The raw bytes behind the last word taken.
    pub fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or(&[])
    }

    /// The raw bytes from a column up to the end of the last word taken.
    pub(crate) fn slice_from(&self, column: u32) -> &'a [u8] {
        self.line.get((column as usize).saturating_sub(1)..self.at).unwrap_or(&[])
    }

    /// The next word without taking it.
    pub fn peek(&self) -> Option<(u32, &'a [u8])> {
        let mut ahead = *self;
        ahead.next()
    }

    /// Takes the next word, or fails with `reason` one past the last word.
    pub(crate) fn require(&mut self, reason: Reason) -> Result<(u32, &'a [u8]), ParseError> {
        let column = self.column();
        self.next().ok_or(ParseError::new(column, reason))
    }

    /// Fails if words are left.
    pub(crate) fn finish(&self) -> Result<(), ParseError> {
        match self.peek() {
            Some((column, _)) => Err(ParseError::new(column, Reason::SurplusWord)),
            None => Ok(()),
        }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest();
        let skip = rest.iter().position(|byte| !is_blank(*byte))?;
        let tail = rest.get(skip..)?;
        let mut len = printable_len(tail, 0);
        if tail.get(len).is_some_and(|byte| !is_blank(*byte)) {
            // A byte that no line may have. It does not separate: the word is not valid, not a shorter one.
            len = tail.iter().position(|byte| is_blank(*byte)).unwrap_or(tail.len());
        }
        let word = tail.get(..len)?;
        let start = self.at.saturating_add(skip);
        self.at = start.saturating_add(len);
        Some((column(start), word))
    }
}

/// Byte offset to column.
pub(crate) fn column(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX).saturating_add(1)
}

/// The remaining words with one space between them: the normalised form of reference 1.2.
pub(crate) fn normalise(words: Words<'_>) -> Result<Vec<u8>, OutOfMemory> {
    let len = words.fold(0usize, |sum, (_, word)| sum.saturating_add(word.len()).saturating_add(1));
    let mut text = Vec::with_capacity(len.saturating_sub(1))?;
    let mut first = true;
    for (_, word) in words {
        if !first {
            text.push(b' ')?;
        }
        first = false;
        text.extend_from_slice(word)?;
    }
    Ok(text)
}

/// A copy of `bytes` with exactly the capacity that it needs.
pub(crate) fn owned(bytes: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
    let mut copy = Vec::with_capacity(bytes.len())?;
    copy.extend_from_slice(bytes)?;
    Ok(copy)
}

/// Prints a decimal number.
pub fn put_u32(sink: &mut dyn Sink, value: u32) -> Result<(), OutOfMemory> {
    Number::decimal(u64::from(value)).print(sink)
}

/// A decimal number from 0 to 255, digits only: profile numbers.
pub(crate) fn parse_u8(word: &[u8]) -> Option<u8> {
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0u8, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(digit)
    })
}
