// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ports that the kernel must not choose by itself: `deny_autobind` (reference 3.9).

use crate::link::{Link, Node, SHARED};
use crate::mem::OutOfMemory;
use crate::radix::{self, Place as _};
use crate::ranges::{self, Ranges};
use crate::unique::Unique;
use core::mem::size_of;

/// The ranges of ports, behind a reference as [`crate::lines::Lines`] are.
pub(crate) struct Ports {
    seed: u64,
    body: Option<Link<Body>>,
}

struct Body {
    /// As they were written, in order.
    written: Unique,
    ranges: Ranges,
}

impl Ports {
    pub(crate) const fn new(seed: u64) -> Self {
        Ports { seed, body: None }
    }

    fn body(&self) -> Option<&Body> {
        self.body.as_ref().map(Link::get)
    }

    /// Adds a range. False if it is there.
    ///
    /// # Errors
    /// Out of memory: drop the edit.
    pub(crate) fn add(&mut self, from: u16, to: u16) -> Result<bool, OutOfMemory> {
        let seed = self.seed;
        let new = || Body { written: Unique::new(seed), ranges: Ranges::new() };
        let body = radix::edit_or(&mut self.body, new)?;
        let added = body.written.add(&encode(from, to))?;
        if added {
            body.ranges.insert(range(from, to))?;
        }
        Ok(added)
    }

    /// Deletes a range; does nothing if it is not there.
    ///
    /// # Errors
    /// Out of memory: drop the edit.
    pub(crate) fn delete(&mut self, from: u16, to: u16) -> Result<(), OutOfMemory> {
        let Some(body) = &mut self.body else {
            return Ok(());
        };
        let body = body.edit()?;
        if body.written.remove(&encode(from, to))? {
            body.ranges.remove(&range(from, to))?;
        }
        if body.written.len() == 0 {
            self.body = None;
        }
        Ok(())
    }

    /// Whether a port is in a range.
    pub(crate) fn contains(&self, port: u16) -> bool {
        let port = [0, port.into()];
        self.body().is_some_and(|body| body.ranges.containing(0, port).next().is_some())
    }

    /// All ranges in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = [u16; 2]> + '_ {
        self.body().into_iter().flat_map(|body| body.written.iter()).filter_map(decode)
    }

    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.body().map_or(0, |body| body.written.len() as usize)
    }

    /// Whether both are the same, and not only equal.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.body, &other.body) {
            (Some(this), Some(that)) => core::ptr::eq(this.get(), that.get()),
            (None, None) => true,
            _ => false,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let own = size_of::<Body>().saturating_add(SHARED);
        self.body()
            .map_or(0, |body| own.saturating_add(body.written.bytes()).saturating_add(body.ranges.bytes()))
    }

    /// The same ranges, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        let mut copy = Ports::new(self.seed);
        self.body.share_into(&mut copy.body)?;
        Ok(copy)
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        self.body.freeze();
    }
}

impl Node for Body {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Body { written: self.written.share()?, ranges: self.ranges.share()? })
    }

    fn freeze(&mut self) {
        self.written.freeze();
        self.ranges.freeze();
    }
}

fn range(from: u16, to: u16) -> [u64; 6] {
    ranges::range(0, [0, from.into()], [0, to.into()], 0)
}

fn encode(from: u16, to: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (from.to_le_bytes(), to.to_le_bytes());
    [a, b, c, d]
}

fn decode(bytes: &[u8]) -> Option<[u16; 2]> {
    match bytes {
        [a, b, c, d] => Some([u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d])]),
        _ => None,
    }
}
