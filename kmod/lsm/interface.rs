// SPDX-License-Identifier: GPL-2.0-only

//! What stands behind the files in `/sys/kernel/security/sekisho/` (reference 10).
//!
//! Reading: the text is made at the first read after the open, from one snapshot. Writing: the complete lines of one write
//! are one change of the policy, published at its end; a line that is not accepted is noted in `errors` and the others count.

use crate::sys::lock::{ERRORS, GRANT_LOG, REJECT_LOG};
use crate::sys::open_file::{UserInput, UserOutput};
use crate::sys::path::with_exe_name;
use crate::sys::snapshot::{self, Writer};
use crate::sys::{task, NoFs};
use crate::{ask, errors, exec, stats, Errno, Result};
use sekisho_core::edit::{Cursor, Edit, EditError};
use sekisho_core::mem::Vec;
use sekisho_core::name::Name;
use sekisho_core::number::Number;
use sekisho_core::text::Sink;

/// Bytes that one write takes at most; a longer one is a short write, and the caller comes again with the rest.
const MAX_WRITE: usize = 1 << 20;
/// The longest line: what one kernel allocation gave in 1.7 (reference 1.6).
const MAX_LINE: usize = 128 * 1024;

/// The files; the order is that of `sekisho_files[]` in `glue.c`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    DomainPolicy,
    ExceptionPolicy,
    Profile,
    Manager,
    SelfDomain,
    Version,
    Stat,
    Errors,
    Activate,
    GrantLog,
    RejectLog,
}

impl Kind {
    /// The kind that `glue.c` registered a file with.
    pub(crate) fn from_index(index: u32) -> Option<Kind> {
        const ALL: [Kind; 11] = [
            Kind::DomainPolicy,
            Kind::ExceptionPolicy,
            Kind::Profile,
            Kind::Manager,
            Kind::SelfDomain,
            Kind::Version,
            Kind::Stat,
            Kind::Errors,
            Kind::Activate,
            Kind::GrantLog,
            Kind::RejectLog,
        ];
        ALL.get(usize::try_from(index).ok()?).copied()
    }

    /// The file's name, for messages.
    pub(crate) fn name(self) -> &'static [u8] {
        match self {
            Kind::DomainPolicy => b"domain_policy",
            Kind::ExceptionPolicy => b"exception_policy",
            Kind::Profile => b"profile",
            Kind::Manager => b"manager",
            Kind::SelfDomain => b"self_domain",
            Kind::Version => b"version",
            Kind::Stat => b"stat",
            Kind::Errors => b"errors",
            Kind::Activate => b"activate",
            Kind::GrantLog => b"grant_log",
            Kind::RejectLog => b"reject_log",
        }
    }
}

/// One open file.
pub(crate) struct OpenFile {
    kind: Kind,
    /// The opener might manage policy; since when everybody might, only until activation.
    opener: Opener,
    /// What reading returns, and how much of it has been returned.
    text: Option<Vec<u8>>,
    position: usize,
    /// The beginning of a line whose end has not been written yet; dropped at close (reference 10.1).
    partial: Vec<u8>,
    /// The rest of the line is skipped: it was too long.
    skipping: bool,
    /// Number of the line that is being collected, from 1.
    line: u32,
    cursor: Cursor,
}

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

impl OpenFile {
    /// Opens a file for the calling task.
    pub(crate) fn open(kind: Kind, write: bool) -> Result<OpenFile> {
        let opener = match (write, ask::is_active()) {
            (false, _) => Opener::Reader,
            (true, false) => Opener::BeforeActivation,
            (true, true) if is_manager() => Opener::Manager,
            (true, true) => Opener::Nobody,
        };
        let mut file = OpenFile {
            kind,
            opener,
            text: None,
            position: 0,
            partial: Vec::new(),
            skipping: false,
            line: 1,
            cursor: Cursor::default(),
        };
        if kind == Kind::SelfDomain {
            let _nofs = NoFs::enter();
            // The domain of the one who opened it (reference 10), whoever reads.
            let policy = snapshot::read();
            let mut text = Vec::new();
            if let Some(domain) = policy.domain(exec::current_domain(&policy)) {
                text.put(domain.name())?;
            }
            file.text = Some(text);
        }
        Ok(file)
    }

    /// Fills the caller's buffer; 0 at the end.
    pub(crate) fn read(&mut self, out: &mut UserOutput) -> Result<usize> {
        if self.text.is_none() {
            self.text = Some(self.produce()?);
        }
        let Some(text) = &self.text else { return Ok(0) };
        let rest = text.get(self.position..).unwrap_or(&[]);
        let Some(part) = rest.get(..rest.len().min(out.room())) else { return Ok(0) };
        out.put(part)?;
        let count = part.len();
        self.position = self.position.saturating_add(count);
        if self.position >= text.len() && matches!(self.kind, Kind::GrantLog | Kind::RejectLog) {
            // The next read takes the next record.
            self.text = None;
            self.position = 0;
        }
        Ok(count)
    }

    fn produce(&self) -> Result<Vec<u8>> {
        // Locks and read sections below are such as hooks wait for with a directory locked.
        let _nofs = NoFs::enter();
        let mut text = Vec::new();
        match self.kind {
            Kind::DomainPolicy => snapshot::read().print_domain_policy(&mut text)?,
            Kind::ExceptionPolicy => snapshot::read().print_exception_policy(&mut text)?,
            Kind::Profile => snapshot::read().print_profiles(&mut text)?,
            Kind::Manager => snapshot::read().print_managers(&mut text)?,
            Kind::SelfDomain => {}
            Kind::Version => text.put(sekisho_core::VERSION.as_bytes())?,
            Kind::Stat => print_stat(&mut text)?,
            Kind::Errors => ERRORS.lock().print(&mut text)?,
            Kind::Activate => text.put(if ask::is_active() { b"1\n" } else { b"0\n" })?,
            Kind::GrantLog => return Ok(GRANT_LOG.lock().pop().unwrap_or_else(Vec::new)),
            Kind::RejectLog => return Ok(REJECT_LOG.lock().pop().unwrap_or_else(Vec::new)),
        }
        Ok(text)
    }

    /// Takes all of the caller's bytes, or none if the caller may not write.
    pub(crate) fn write(&mut self, input: &mut UserInput) -> Result<usize> {
        if !self.may_write() {
            return Err(Errno::Perm);
        }
        match self.kind {
            Kind::DomainPolicy | Kind::ExceptionPolicy | Kind::Profile | Kind::Manager => {}
            Kind::Activate => return self.activate(input),
            _ => return Err(Errno::NoSys),
        }
        // The caller's memory is read before the writer's right is asked for: a page fault may take its time.
        let mut bytes = Vec::new();
        let total = input.left().min(MAX_WRITE);
        let mut piece = [0u8; 256];
        while bytes.len() < total {
            let Some(piece) = piece.get_mut(..total.saturating_sub(bytes.len()).min(256)) else { break };
            input.take(piece)?;
            bytes.extend_from_slice(piece)?;
        }
        if total == 0 {
            // Only asks whether it might (reference 10.1).
            return Ok(0);
        }
        let mut writer = snapshot::write();
        // Reading the caller's memory can take as long as the caller likes: what was allowed before may not be now.
        if !self.may_write() {
            return Err(Errno::Perm);
        }
        let before = (self.cursor, self.line, self.skipping);
        let partial = self.partial.try_clone()?;
        let result = self.take_lines(&mut writer, &bytes);
        if result.is_err() {
            // Nothing of this write has happened, so nothing may remember it.
            (self.cursor, self.line, self.skipping) = before;
            self.partial = partial;
        }
        result.map(|()| total)
    }

    fn take_lines(&mut self, writer: &mut Writer, bytes: &[u8]) -> Result {
        let mut edit = writer.edit()?;
        let mut changed = false;
        for byte in bytes {
            changed |= self.take_byte(&mut edit, *byte)?;
        }
        if changed {
            writer.publish(edit)?;
        }
        Ok(())
    }

    /// Opener and writer must both be allowed to manage policy, so that a descriptor handed to a privileged program, or
    /// kept from before, is of no use.
    fn may_write(&self) -> bool {
        match self.opener {
            Opener::Reader => false,
            Opener::BeforeActivation => !ask::is_active(),
            Opener::Nobody => false,
            Opener::Manager => is_manager(),
        }
    }

    /// Collects a line; at its end, executes it. True if a line was accepted.
    fn take_byte(&mut self, edit: &mut Edit, byte: u8) -> Result<bool> {
        if byte != b'\n' {
            if !self.skipping && self.partial.len() >= MAX_LINE {
                self.skipping = true;
            }
            if !self.skipping {
                self.partial.push(byte)?;
            }
            return Ok(false);
        }
        let line = core::mem::take(&mut self.partial);
        let number = self.line;
        self.line = self.line.wrapping_add(1);
        if core::mem::take(&mut self.skipping) {
            errors::rejected(self.kind, number, 1, "the line is longer than 131072 bytes; split it", &line);
            return Ok(false);
        }
        let result = match self.kind {
            Kind::DomainPolicy => edit.domain_policy_line(&mut self.cursor, &line),
            Kind::ExceptionPolicy => edit.exception_policy_line(&line),
            Kind::Profile => edit.profile_line(&line),
            Kind::Manager => edit.manager_line(&line),
            _ => return Err(Errno::NoSys),
        };
        // Keeps the buffer for the next line.
        self.partial = line;
        let outcome = match result {
            Ok(()) => Ok(true),
            Err(EditError::OutOfMemory) => Err(Errno::NoMem),
            Err(EditError::Quota) => {
                let message =
                    "the policy would be larger than its memory quota; raise the quota or delete lines";
                errors::rejected(self.kind, number, 1, message, &self.partial);
                Ok(false)
            }
            Err(EditError::Parse(error)) => {
                errors::rejected(self.kind, number, error.column, error.reason.message(), &self.partial);
                Ok(false)
            }
        };
        self.partial.clear();
        outcome
    }

    /// `1` ends the time in which everybody may write policy.
    fn activate(&self, input: &mut UserInput) -> Result<usize> {
        let mut text = [0u8; 8];
        let count = input.left();
        let Some(text) = text.get_mut(..count) else {
            errors::rejected(self.kind, self.line, 1, "write 1 to activate the policy", b"...");
            return Err(Errno::Inval);
        };
        input.take(text)?;
        if text.trim_ascii() != b"1" {
            errors::rejected(self.kind, self.line, 1, "write 1 to activate the policy", text);
            return Err(Errno::Inval);
        }
        let mut writer = snapshot::write();
        if !self.may_write() {
            return Err(Errno::Perm);
        }
        activate(&mut writer)?;
        Ok(count)
    }
}

fn activate(writer: &mut Writer) -> Result {
    let mut edit = writer.edit()?;
    match edit.activate() {
        Ok(()) => writer.publish(edit),
        Err(error) => {
            errors::rejected(Kind::Activate, 1, 1, error.message(), b"1");
            Err(Errno::Inval)
        }
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

/// `key value` lines.
fn print_stat(out: &mut Vec<u8>) -> Result {
    // What is no longer in force is not counted as used.
    snapshot::flush_reaper();
    let policy = snapshot::read();
    let mut line = |key: &[u8], value: u64| -> Result {
        out.put(key)?;
        out.put(b" ")?;
        Number::decimal(value).print(out)?;
        Ok(out.put(b"\n")?)
    };
    line(b"active", policy.is_active().into())?;
    line(b"generation", policy.generation())?;
    line(b"domains", policy.domains().count() as u64)?;
    line(b"policy_bytes", policy.memory() as u64)?;
    line(b"snapshots", snapshot::alive().into())?;
    line(b"denied", stats::DENIED.get().into())?;
    line(b"fail_closed", stats::FAIL_CLOSED.get().into())?;
    line(b"rejected_lines", stats::REJECTED_LINES.get().into())?;
    let (granted, rejected) = (GRANT_LOG.lock().dropped(), REJECT_LOG.lock().dropped());
    line(b"grant_log_dropped", granted.into())?;
    line(b"reject_log_dropped", rejected.into())
}
