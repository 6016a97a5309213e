// SPDX-License-Identifier: GPL-2.0-only

//! One open description of a file: who opened it, what is still to be read, and what the file itself remembers.

use super::lines::Lines;
use super::{domain_policy, transaction, FileType, Read, Write};
use crate::sys::files::say_no_manager;
use crate::sys::open_file::{UserInput, UserOutput};
use crate::sys::path::with_exe_name;
use crate::sys::snapshot::{self, Writer};
use crate::sys::task::Running;
use crate::sys::{task, NoFs};
use crate::{ask, exec, Errno, Result};
use sekisho_core::mem::{Box, Vec};
use sekisho_core::name::Name;

/// Bytes that one write takes at most; a longer one is a short write, and the caller comes again with the rest.
const MAX_WRITE: usize = 1 << 20;

/// What a file remembers between calls.
pub(super) enum State {
    /// Nothing.
    None,
    /// domain_policy
    Domains(domain_policy::Position),
    /// Who opened `.transition`.
    Opener(Running),
    /// The number of the query that was read last.
    Query(Option<u32>),
    /// The transaction that is open, if one is.
    Transaction(Option<Box<transaction::Open>>),
    /// The policy that is rehearsed; `None` while a command is executed.
    #[cfg(CONFIG_SECURITY_SEKISHO_SELFTEST)]
    Rehearsal(Option<Box<sekisho_core::rehearsal::Rehearsal>>),
}

/// Who opened the file for writing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opener {
    /// Opened for reading only.
    Reader,
    /// No manager.
    Nobody,
    /// Opened while everybody might write.
    BeforeActivation,
    /// A manager.
    Manager,
}

/// One open file.
pub(crate) struct OpenFile {
    pub(super) file: &'static FileType,
    opener: Opener,
    /// What reading returns, and how much of it has been returned. `None`: it is to be made.
    text: Option<Vec<u8>>,
    position: usize,
    pub(super) lines: Lines,
    pub(super) state: State,
}

impl OpenFile {
    /// Opens a file for the calling task.
    pub(crate) fn open(file: &'static FileType, write: bool) -> Result<OpenFile> {
        let opener = match (write, ask::is_active()) {
            (false, _) => Opener::Reader,
            (true, false) => Opener::BeforeActivation,
            (true, true) if is_manager() => Opener::Manager,
            (true, true) => Opener::Nobody,
        };
        let lines = Lines::new();
        let mut open = OpenFile { file, opener, text: None, position: 0, lines, state: State::None };
        let _nofs = NoFs::enter();
        (file.open)(&mut open)?;
        Ok(open)
    }

    /// Makes this what the next reads return, from its beginning.
    pub(super) fn show(&mut self, text: Option<Vec<u8>>) {
        self.text = text;
        self.position = 0;
    }

    /// Whether a text has been read in part.
    pub(crate) fn has_rest(&self) -> bool {
        self.text.as_ref().is_some_and(|text| self.position < text.len())
    }

    /// Fills the caller's buffer; 0 at the end.
    pub(crate) fn read(&mut self, out: &mut UserOutput) -> Result<usize> {
        if let Read::Text(text) = self.file.read {
            return self.put(text, out);
        }
        if self.text.is_none() {
            let text = self.produce()?;
            self.show(Some(text));
        }
        let Some(text) = self.text.take() else { return Ok(0) };
        let result = self.put(&text, out);
        if self.position < text.len() || matches!(self.file.read, Read::Once(_)) {
            self.text = Some(text);
        } else {
            // The next read makes the next text.
            self.position = 0;
        }
        result
    }

    fn put(&mut self, text: &[u8], out: &mut UserOutput) -> Result<usize> {
        let rest = text.get(self.position..).unwrap_or(&[]);
        let part = rest.get(..rest.len().min(out.room())).unwrap_or(&[]);
        out.put(part)?;
        self.position = self.position.saturating_add(part.len());
        Ok(part.len())
    }

    fn produce(&mut self) -> Result<Vec<u8>> {
        // Locks and read sections below are such as hooks wait for with a directory locked.
        let _nofs = NoFs::enter();
        match self.file.read {
            Read::Once(make) | Read::Each(make) => make(self),
            Read::Nothing | Read::Text(_) => Err(Errno::NoSys),
        }
    }

    /// Takes all of the caller's bytes, or none if the caller may not write.
    pub(crate) fn write(&mut self, input: &mut UserInput) -> Result<usize> {
        let write = match self.file.write {
            Write::Nothing => return Err(Errno::NoSys),
            Write::Managers(_) if !self.may_write() => {
                say_no_manager();
                return Err(Errno::Perm);
            }
            // Only asks whether it might (reference 10.1).
            Write::Managers(_) if input.left() == 0 => return Ok(0),
            Write::Managers(write) | Write::Anybody(write) => write,
        };
        // The caller's memory is read before any lock is asked for: a page fault may take its time.
        let mut bytes = Vec::new();
        let total = input.left().min(MAX_WRITE);
        let mut piece = [0u8; 256];
        while bytes.len() < total {
            let Some(piece) = piece.get_mut(..total.saturating_sub(bytes.len()).min(256)) else { break };
            input.take(piece)?;
            bytes.extend_from_slice(piece)?;
        }
        let _nofs = NoFs::enter();
        let lines = self.lines.try_clone()?;
        let result = write(self, &bytes).map(|()| total);
        // What failed has not happened, and nothing remembers its bytes; a transaction is for who wrote it to begin again.
        if result.is_err() && !matches!(self.state, State::Transaction(_)) {
            self.lines = lines;
        }
        result
    }

    /// The right to make the next policy, for those who may.
    ///
    /// The manager is asked for again under the writer's lock, because reading the caller's memory can take as long as the
    /// caller likes.
    pub(super) fn writer(&self) -> Result<Writer> {
        let writer = snapshot::write();
        if self.may_write() {
            Ok(writer)
        } else {
            Err(Errno::Perm)
        }
    }

    /// Opener and writer must both be allowed to manage policy, so that a descriptor handed to a privileged program, or
    /// kept from before, is of no use.
    pub(super) fn may_write(&self) -> bool {
        match self.opener {
            Opener::Reader => false,
            Opener::BeforeActivation => !ask::is_active(),
            Opener::Nobody => false,
            Opener::Manager => is_manager(),
        }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let _nofs = NoFs::enter();
        (self.file.close)(self);
    }
}

/// Whether the calling task may write policy (reference 10.2).
fn is_manager() -> bool {
    fn ask(exe: Option<Name<'_>>) -> bool {
        let policy = snapshot::read();
        let domain = exec::current_domain(&policy);
        policy.is_manager(domain, &task::info(), exe)
    }
    with_exe_name(|name| ask(Some(name))).unwrap_or_else(|| ask(None))
}
