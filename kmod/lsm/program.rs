// SPDX-License-Identifier: GPL-2.0-only

//! The arguments and the environment of an execve in progress, as conditions and records see them (reference 5.4, 11.2), read
//! from the new program's stack when they are asked for.

use crate::sys::bprm::Bprm;
use crate::sys::path::Buffer;
use crate::Result;
use core::cell::Cell;
use core::ffi::c_ulong;
use sekisho_core::facts::Arguments;
use sekisho_core::name::{encode, Name};

/// A string whose encoded form reaches this length is in no record, and what else looks at it sees less (reference 1.6, 11.2):
/// what follows is not kept. A unit is never split.
const KEPT: usize = 8160;
/// Smallest page of any architecture: what is copied at once lies in one page.
const PAGE: c_ulong = 4096;

/// The program being started.
pub(crate) struct Program<'a> {
    bprm: &'a Bprm<'a>,
    realpath: Name<'a>,
    argc: u32,
    envc: u32,
    unreadable: Cell<bool>,
    /// Index and place of the argument after the one shown last, so that a walk over all is one walk.
    next: Cell<(u32, c_ulong)>,
}

impl<'a> Program<'a> {
    /// `realpath` is the name of its file.
    pub(crate) fn new(bprm: &'a Bprm<'a>, realpath: Name<'a>) -> Program<'a> {
        let (start, argc, envc) = bprm.strings();
        Program { bprm, realpath, argc, envc, unreadable: Cell::new(false), next: Cell::new((0, start)) }
    }

    /// A walk over the environment strings.
    pub(crate) fn environment(&self) -> Result<Strings<'a>> {
        let (start, argc, envc) = self.bprm.strings();
        let mut strings = Strings::new(self.bprm, start, argc.saturating_add(envc))?;
        for _ in 0..argc {
            strings.skip();
        }
        Ok(strings)
    }

    /// What a walk that ended early means: nothing that was not seen may count as absent.
    fn note(&self, strings: &Strings<'_>) {
        if strings.failed {
            self.unreadable.set(true);
        }
    }
}

impl Arguments for Program<'_> {
    fn argc(&self) -> u64 {
        self.argc.into()
    }

    fn envc(&self) -> u64 {
        self.envc.into()
    }

    fn realpath(&self) -> Option<Name<'_>> {
        Some(self.realpath)
    }

    fn argv(&self, index: u64, visit: &mut dyn FnMut(Name<'_>)) -> bool {
        let Ok(index) = u32::try_from(index) else { return false };
        if index >= self.argc {
            return false;
        }
        let (mut at, mut place) = self.next.get();
        if index < at {
            (place, _, _) = self.bprm.strings();
            at = 0;
        }
        let Ok(mut strings) = Strings::new(self.bprm, place, self.argc.saturating_sub(at)) else {
            self.unreadable.set(true);
            return false;
        };
        while at < index {
            strings.skip();
            at = at.wrapping_add(1);
        }
        let shown = strings.next().map(visit).is_some();
        self.note(&strings);
        self.next.set((index.wrapping_add(1), strings.place));
        shown
    }

    fn envp(&self, visit: &mut dyn FnMut(Name<'_>, Option<Name<'_>>)) {
        let Ok(mut strings) = self.environment() else {
            self.unreadable.set(true);
            return;
        };
        while let Some(text) = strings.next() {
            let (name, value) = split(text);
            visit(name, value);
        }
        self.note(&strings);
    }

    fn is_unreadable(&self) -> bool {
        self.unreadable.get()
    }
}

/// `NAME=VALUE`, or a name alone.
pub(crate) fn split(text: Name<'_>) -> (Name<'_>, Option<Name<'_>>) {
    let bytes = text.as_bytes();
    let Some(at) = bytes.iter().position(|&byte| byte == b'=') else { return (text, None) };
    let name = bytes.get(..at).and_then(Name::new);
    let value = bytes.get(at.wrapping_add(1)..).and_then(Name::new);
    (name.unwrap_or(text), value)
}

/// A walk over the strings of a new program.
pub(crate) struct Strings<'a> {
    bprm: &'a Bprm<'a>,
    /// Where the next byte is.
    place: c_ulong,
    left: u32,
    /// The bytes from `place` to the end of its page are at the end of this buffer's first page.
    page: Buffer,
    text: Buffer,
    /// The page that `page` holds.
    held: Option<c_ulong>,
    failed: bool,
}

impl<'a> Strings<'a> {
    fn new(bprm: &'a Bprm<'a>, place: c_ulong, left: u32) -> Result<Strings<'a>> {
        Ok(Strings {
            bprm,
            place,
            left,
            page: Buffer::small()?,
            text: Buffer::small()?,
            held: None,
            failed: false,
        })
    }

    /// Whether memory could not be read, so that the walk ended early.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    fn byte(&mut self) -> Option<u8> {
        let offset = self.place % PAGE;
        let base = self.place.wrapping_sub(offset);
        let bytes = self.page.bytes().get_mut(..PAGE as usize)?;
        if self.held != Some(base) {
            if !self.bprm.copy(self.place, bytes.get_mut(offset as usize..)?) {
                self.failed = true;
                return None;
            }
            self.held = Some(base);
        }
        self.place = self.place.wrapping_add(1);
        bytes.get(offset as usize).copied()
    }

    fn skip(&mut self) {
        if self.left == 0 || self.failed {
            return;
        }
        self.left = self.left.wrapping_sub(1);
        while self.byte().is_some_and(|byte| byte != 0) {}
    }

    /// The next string, encoded.
    pub(crate) fn next(&mut self) -> Option<Name<'_>> {
        if self.left == 0 || self.failed {
            return None;
        }
        self.left = self.left.wrapping_sub(1);
        let mut used = 0usize;
        loop {
            match self.byte() {
                None => return None,
                Some(0) => break,
                Some(byte) if used < KEPT => {
                    let room = self.text.bytes().get_mut(used..)?;
                    used = used.wrapping_add(encode(&[byte], room)?.as_bytes().len());
                }
                Some(_) => {}
            }
        }
        Name::new(self.text.bytes().get(..used)?)
    }
}
