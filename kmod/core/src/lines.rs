// SPDX-License-Identifier: MIT OR Apache-2.0
//! A list of exception_policy: words in order, found by the names that match them.
//!
//! Reference 3.3-3.7: global `allow_read` and `allow_env`, `file_pattern`, `deny_rewrite`, and `aggregator`, whose lines
//! have a second word. A line stands once in its list; one that is deleted and written again goes to the end.

use crate::link::{Link, Node, SHARED};
use crate::mem::{OutOfMemory, Vec};
use crate::name::Name;
use crate::path_index::{PathIndex, Place};
use crate::pattern;
use crate::radix::{self, Place as _};
use crate::records::Records;
use crate::text::Sink;
use core::mem::size_of;

/// The list. It is behind a reference, and there only if it has lines: so what has seven of them is small on the stack, and
/// most policies have few of them.
pub(crate) struct Lines {
    seed: u64,
    body: Option<Link<Body>>,
}

/// The lines. A record is the first word, a blank and the second word, if there is one.
struct Body {
    records: Records,
    index: PathIndex,
}

impl Lines {
    pub(crate) const fn new(seed: u64) -> Self {
        Lines { seed, body: None }
    }

    #[inline(always)]
    fn body(&self) -> Option<&Body> {
        self.body.as_ref().map(Link::get)
    }

    /// Adds a line, or does nothing if it is there. True if it was added.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn add(&mut self, first: &[u8], second: Option<&[u8]>) -> Result<bool, OutOfMemory> {
        let seed = self.seed;
        let added = radix::edit_or(&mut self.body, || Body::new(seed))?.add(first, second);
        self.drop_empty();
        added
    }

    /// Deletes a line; does nothing if it is not there.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn delete(&mut self, first: &[u8], second: Option<&[u8]>) -> Result<(), OutOfMemory> {
        if let Some(body) = &mut self.body {
            body.edit()?.delete(first, second)?;
        }
        self.drop_empty();
        Ok(())
    }

    fn drop_empty(&mut self) {
        if self.body().is_some_and(|body| body.records.is_empty()) {
            self.body = None;
        }
    }

    /// The first word of a line.
    pub(crate) fn word(&self, number: u32) -> Option<&[u8]> {
        self.body()?.word(number)
    }

    /// All lines in order: first and second word.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.body().into_iter().flat_map(|body| body.records.iter()).map(|record| cut(record.bytes))
    }

    /// Whether a line matches.
    #[inline]
    pub(crate) fn any(&self, name: Name<'_>) -> bool {
        self.body().is_some_and(|body| body.any(name))
    }

    /// Shows the lines that match, in no order, until `visit` returns true: number and first word.
    pub(crate) fn matching<'a>(&'a self, name: Name<'_>, visit: &mut dyn FnMut(u32, &'a [u8]) -> bool) {
        if let Some(body) = self.body() {
            body.matching(name, visit);
        }
    }

    /// The first line in order that matches.
    pub(crate) fn first(&self, name: Name<'_>) -> Option<(&[u8], Option<&[u8]>)> {
        let body = self.body()?;
        let mut first = None;
        body.matching(name, &mut |number, _| {
            first = Some(first.map_or(number, |least: u32| least.min(number)));
            false
        });
        body.line(first?)
    }

    /// Prints the lines, each behind `directive`.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub(crate) fn print(&self, directive: &[u8], sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        for record in self.body().into_iter().flat_map(|body| body.records.iter()) {
            sink.put(directive)?;
            sink.put(b" ")?;
            sink.put(record.bytes)?;
            sink.put(b"\n")?;
        }
        Ok(())
    }

    pub(crate) fn bytes(&self) -> usize {
        let own = size_of::<Body>().saturating_add(SHARED);
        self.body()
            .map_or(0, |body| own.saturating_add(body.records.bytes()).saturating_add(body.index.bytes()))
    }

    /// A list with the same lines, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        let mut lines = Lines::new(self.seed);
        self.body.share_into(&mut lines.body)?;
        Ok(lines)
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        self.body.freeze();
    }
}

impl Body {
    const fn new(seed: u64) -> Self {
        Body { records: Records::new(), index: PathIndex::new(seed) }
    }

    fn add(&mut self, first: &[u8], second: Option<&[u8]>) -> Result<bool, OutOfMemory> {
        let place = self.index.place(first);
        if self.find(place, first, second).is_some() {
            return Ok(false);
        }
        let mut record =
            Vec::with_capacity(first.len().saturating_add(second.map_or(0, <[u8]>::len)).saturating_add(1))?;
        record.extend_from_slice(first)?;
        if let Some(second) = second {
            record.push(b' ')?;
            record.extend_from_slice(second)?;
        }
        let number = self.records.push(&record, None)?;
        let words = |number| self.records.get(number).map(|record| cut(record.bytes).0);
        if let Err(error) = self.index.insert(place, number, &words) {
            self.records.remove(number)?;
            return Err(error);
        }
        Ok(true)
    }

    fn delete(&mut self, first: &[u8], second: Option<&[u8]>) -> Result<(), OutOfMemory> {
        let place = self.index.place(first);
        let Some(number) = self.find(place, first, second) else {
            return Ok(());
        };
        self.index.remove(place, number)?;
        self.records.remove(number)
    }

    fn find(&self, place: Place<'_>, first: &[u8], second: Option<&[u8]>) -> Option<u32> {
        let mut found = None;
        self.index.exact(place, &mut |number| {
            if self.line(number) == Some((first, second)) {
                found = Some(number);
            }
            found.is_some()
        });
        found
    }

    fn line(&self, number: u32) -> Option<(&[u8], Option<&[u8]>)> {
        self.records.get(number).map(|record| cut(record.bytes))
    }

    fn word(&self, number: u32) -> Option<&[u8]> {
        self.line(number).map(|(word, _)| word)
    }

    #[inline(never)]
    fn any(&self, name: Name<'_>) -> bool {
        let mut found = false;
        self.matching(name, &mut |_, _| {
            found = true;
            true
        });
        found
    }

    fn matching<'a>(&'a self, name: Name<'_>, visit: &mut dyn FnMut(u32, &'a [u8]) -> bool) {
        self.index.any(name, true, &mut |number| match self.word(number) {
            Some(word) if pattern::matches_word(name, word) => visit(number, word),
            _ => false,
        });
    }
}

impl Node for Body {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Body { records: self.records.share()?, index: self.index.share()? })
    }

    fn freeze(&mut self) {
        self.records.freeze();
        self.index.freeze();
    }
}

/// Words cannot contain a blank.
fn cut(record: &[u8]) -> (&[u8], Option<&[u8]>) {
    match record.iter().position(|byte| *byte == b' ') {
        Some(blank) => (record.get(..blank).unwrap_or(record), record.get(blank.saturating_add(1)..)),
        None => (record, None),
    }
}
