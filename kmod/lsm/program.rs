// SPDX-License-Identifier: GPL-2.0-only

//! The arguments and the environment of an execve in progress, as conditions and records see them (reference 5.4, 11.2): copied
//! from the new program's stack when they are first asked for, once for the execve. There may be megabytes of them, so who walks
//! over them lets others run, and gives up when the task is being killed.

use crate::sys::bprm::Bprm;
use crate::sys::path::Buffer;
use crate::sys::waiting::breathe;
use crate::Result;
use core::cell::Cell;
use core::ffi::c_ulong;
use sekisho_core::facts::Arguments;
use sekisho_core::name::{encode, Name};

/// A string whose encoded form reaches this length is in no record, and what else looks at it sees less (reference 1.6, 11.2):
/// what follows is not kept. A unit is never split.
const KEPT: usize = 8160;
/// Smallest page of any architecture: what is copied at once lies in one page.
const PAGE: usize = 4096;
/// Bytes after which a walk lets others run.
const BREATH: usize = 1 << 16;

/// The program being started.
pub(crate) struct Program<'a> {
    bprm: &'a Bprm<'a>,
    realpath: Name<'a>,
    /// Where the strings are in the new program's memory, and how many bytes they have.
    start: c_ulong,
    size: usize,
    argc: u32,
    envc: u32,
    /// The copy of them, once somebody wanted to see one.
    copy: Cell<Option<Buffer>>,
    unreadable: Cell<bool>,
    /// Index and place of the argument after the one shown last, so that a walk over all is one walk.
    next: Cell<(u32, usize)>,
}

impl<'a> Program<'a> {
    /// `realpath` is the name of its file.
    pub(crate) fn new(bprm: &'a Bprm<'a>, realpath: Name<'a>) -> Program<'a> {
        let (start, argc, envc) = bprm.strings();
        Program {
            bprm,
            realpath,
            start,
            size: bprm.size(),
            argc,
            envc,
            copy: Cell::new(None),
            unreadable: Cell::new(false),
            next: Cell::new((0, 0)),
        }
    }

    /// Shows all strings to `then`; `None` if they cannot be read.
    fn with_copy<R>(&self, then: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let mut copy = self.copy.take().or_else(|| self.fetch())?;
        let result = then(copy.bytes().get(..self.size)?);
        self.copy.set(Some(copy));
        Some(result)
    }

    #[inline(never)]
    fn fetch(&self) -> Option<Buffer> {
        let mut copy = Buffer::at_least(self.size).ok()?;
        let bytes = copy.bytes().get_mut(..self.size)?;
        let mut done = 0usize;
        while done < self.size {
            let position = self.start.wrapping_add(done as c_ulong);
            let room = PAGE.wrapping_sub(position as usize % PAGE);
            let end = done.saturating_add(room).min(self.size);
            if !breathe() || !self.bprm.copy(position, bytes.get_mut(done..end)?) {
                return None;
            }
            done = end;
        }
        Some(copy)
    }

    /// A walk over the environment strings.
    pub(crate) fn environment(&self) -> Result<Strings<'_, 'a>> {
        let mut strings = Strings::new(self, 0, self.argc.saturating_add(self.envc))?;
        for _ in 0..self.argc {
            strings.skip();
        }
        Ok(strings)
    }

    /// What a walk that ended early means: nothing that was not seen may count as absent.
    fn note(&self, strings: &Strings<'_, '_>) {
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
            (at, place) = (0, 0);
        }
        let Ok(mut strings) = Strings::new(self, place, self.argc.saturating_sub(at)) else {
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
pub(crate) struct Strings<'p, 'a> {
    program: &'p Program<'a>,
    /// Where the next string begins.
    place: usize,
    left: u32,
    text: Buffer,
    /// Bytes since others could run.
    walked: usize,
    failed: bool,
}

impl<'p, 'a> Strings<'p, 'a> {
    fn new(program: &'p Program<'a>, place: usize, left: u32) -> Result<Strings<'p, 'a>> {
        Ok(Strings { program, place, left, text: Buffer::small()?, walked: 0, failed: false })
    }

    /// Whether memory could not be read, so that the walk ended early.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Shows the next string to `then`; `None` at the end.
    fn step<R>(&mut self, then: impl FnOnce(&[u8], &mut Buffer) -> R) -> Option<R> {
        if self.left == 0 || self.failed {
            return None;
        }
        self.left = self.left.wrapping_sub(1);
        let (place, text) = (self.place, &mut self.text);
        let shown = self.program.with_copy(|bytes| {
            let rest = bytes.get(place..)?;
            let string = rest.get(..rest.iter().position(|&byte| byte == 0)?)?;
            Some((string.len(), then(string, text)))
        });
        let Some((length, result)) = shown.flatten() else {
            self.failed = true;
            return None;
        };
        self.place = place.saturating_add(length).saturating_add(1);
        self.walked = self.walked.saturating_add(length).saturating_add(64);
        if self.walked > BREATH {
            self.walked = 0;
            self.failed = !breathe();
        }
        Some(result)
    }

    fn skip(&mut self) {
        self.step(|_, _| ());
    }

    /// The next string, encoded.
    pub(crate) fn next(&mut self) -> Option<Name<'_>> {
        let used = self.step(|string, text| {
            let mut used = 0usize;
            for byte in string {
                if used >= KEPT {
                    break;
                }
                let room = text.bytes().get_mut(used..)?;
                used = used.wrapping_add(encode(core::slice::from_ref(byte), room)?.as_bytes().len());
            }
            Some(used)
        })??;
        Name::new(self.text.bytes().get(..used)?)
    }
}
