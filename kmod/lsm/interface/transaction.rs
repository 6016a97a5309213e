// SPDX-License-Identifier: GPL-2.0-only

//! `transaction`: a whole policy is checked and then published at once, or not at all; and the way back.
//!
//! Lines written to one open description:
//!
//! | line | effect |
//! |---|---|
//! | `begin` | starts a transaction; what follows changes the policy that is there |
//! | `begin replace` | the same; what follows is the whole policy, and what it does not say will be gone |
//! | `file NAME` | the lines that follow belong to `domain_policy`, `exception_policy`, `profile` or `manager` |
//! | any other line | a line of that file |
//! | `commit` | publishes everything, if all lines were accepted and the whole is complete; else EINVAL, and nothing changed |
//! | `abort` | forgets the transaction; closing does so too |
//! | `rollback` | the policy before the last commit is in force again, and is not kept any more |
//! | `forget` | the policy before the last commit is not kept any more |
//!
//! A line that is not accepted is noted in `errors` as `transaction:LINE:COLUMN`, where LINE counts what was written to the
//! description. The write goes on, so that all mistakes are told at once; the commit will fail. So it will after a write that
//! failed, because what that did not take is missing.
//!
//! Lines are looked at when they are written, against the policy of that moment. Until the commit others may change the policy
//! (a domain is created, a line is learned), and that must not be lost. Then the commit takes all lines again, on top of the
//! newest policy, while nobody else can write. Tasks run on meanwhile.

use super::lines::outcome;
use super::open_file::State;
use super::OpenFile;
use crate::sys::snapshot;
use crate::{errors, Errno, Result};
use sekisho_core::edit::Cursor;
use sekisho_core::mem::{Box, OutOfMemory, Vec};
use sekisho_core::number::Number;
use sekisho_core::policy::Policy;
use sekisho_core::text::{put_u32, Sink};
use sekisho_core::transaction::{PolicyFile, Scope, Transaction, TransactionError};

/// Bytes of lines that a transaction may have.
const MAX_BYTES: usize = 16 << 20;
/// What stands before each kept line: file, number, length.
const PREFIX: usize = 9;

const FILES: [PolicyFile; 4] =
    [PolicyFile::Domain, PolicyFile::Exception, PolicyFile::Profile, PolicyFile::Manager];

/// A transaction that is open.
pub(super) struct Open {
    scope: Scope,
    /// The generation of the policy that it was begun from.
    generation: u64,
    /// Always there until the commit takes it.
    transaction: Option<Transaction>,
    file: Option<PolicyFile>,
    cursor: Cursor,
    /// All lines of policy, to be taken again: each with [`PREFIX`] bytes before it.
    kept: Vec<u8>,
    lines: u32,
    rejected: u32,
}

pub(super) fn open(file: &mut OpenFile) -> Result {
    file.state = State::Transaction(None);
    Ok(())
}

/// How things stand, in `key value` lines.
pub(super) fn read(file: &mut OpenFile) -> Result<Vec<u8>> {
    let State::Transaction(open) = &file.state else { return Ok(Vec::new()) };
    let (state, lines, rejected) = match open {
        None => (b"idle".as_slice(), 0, 0),
        Some(open) if open.rejected == 0 => (b"open".as_slice(), open.lines, 0),
        Some(open) => (b"failed".as_slice(), open.lines, open.rejected),
    };
    let mut text = Vec::new();
    text.put(b"state ")?;
    text.put(state)?;
    text.put(b"\nlines ")?;
    put_u32(&mut text, lines)?;
    text.put(b"\nrejected ")?;
    put_u32(&mut text, rejected)?;
    text.put(b"\ngeneration ")?;
    Number::decimal(snapshot::read().generation()).print(&mut text)?;
    text.put(b"\nprevious ")?;
    text.put(if snapshot::previous_bytes().is_some() { b"yes\n" } else { b"no\n" })?;
    Ok(text)
}

pub(super) fn write(file: &mut OpenFile, bytes: &[u8]) -> Result {
    // The state is to be read anew.
    file.show(None);
    let mut lines = core::mem::replace(&mut file.lines, super::lines::Lines::new());
    let result = lines.feed(file.file.title(), bytes, &mut |number, line| match line {
        Some(line) => execute(file, number, line),
        None => {
            lost(file);
            Ok(())
        }
    });
    file.lines = lines;
    if result.is_err() {
        // The lines behind the one that failed are lost.
        lost(file);
    }
    result
}

/// A line of the transaction that is open did not get there: it cannot be committed any more.
fn lost(file: &mut OpenFile) {
    if let State::Transaction(Some(open)) = &mut file.state {
        open.rejected = open.rejected.saturating_add(1);
    }
}

fn execute(file: &mut OpenFile, number: u32, line: &[u8]) -> Result {
    match line.trim_ascii() {
        // Nothing, or a comment.
        b"" | [b'#', ..] => Ok(()),
        b"begin" => begin(file, number, Scope::Change),
        b"begin replace" => begin(file, number, Scope::Replace),
        b"commit" => commit(file, number),
        b"abort" => {
            file.state = State::Transaction(None);
            Ok(())
        }
        b"rollback" => rollback(file, number),
        b"forget" => {
            let mut writer = file.writer()?;
            writer.keep(None);
            Ok(())
        }
        text => policy_line(file, number, line, text),
    }
}

/// Notes what is wrong with a command; the write fails.
fn refuse(number: u32, message: &'static str, line: &[u8]) -> Result {
    errors::rejected(b"transaction", number, 1, message, line);
    Err(Errno::Inval)
}

fn begin(file: &mut OpenFile, number: u32, scope: Scope) -> Result {
    if matches!(file.state, State::Transaction(Some(_))) {
        return refuse(number, "a transaction is open; write commit or abort first", b"begin");
    }
    let policy = snapshot::read();
    let open = Open {
        scope,
        generation: policy.generation(),
        transaction: Some(Transaction::begin(&policy, scope)?),
        file: None,
        cursor: Cursor::default(),
        kept: Vec::new(),
        lines: 0,
        rejected: 0,
    };
    file.state = State::Transaction(Some(Box::new(open)?));
    Ok(())
}

/// A line while a transaction is open. `line` is as written, so that columns are right.
fn policy_line(file: &mut OpenFile, number: u32, line: &[u8], text: &[u8]) -> Result {
    let State::Transaction(Some(open)) = &mut file.state else {
        return refuse(
            number,
            "no transaction is open; write begin, begin replace, rollback or forget",
            text,
        );
    };
    let open: &mut Open = open;
    if let Some(name) = text.strip_prefix(b"file ") {
        let found = FILES.iter().find(|file| file.name().as_bytes() == name.trim_ascii());
        open.file = found.copied();
        open.cursor = Cursor::default();
        if found.is_none() {
            open.rejected = open.rejected.saturating_add(1);
            let message = "write file and domain_policy, exception_policy, profile or manager";
            errors::rejected(b"transaction", number, 6, message, line);
        }
        return Ok(());
    }
    let Some(policy_file) = open.file else {
        open.rejected = open.rejected.saturating_add(1);
        errors::rejected(b"transaction", number, 1, "write file NAME before the lines of that file", line);
        return Ok(());
    };
    open.lines = open.lines.saturating_add(1);
    let accepted = open.keep(policy_file, number, line)?
        && match &mut open.transaction {
            Some(transaction) => {
                let result = transaction.line(policy_file, &mut open.cursor, line);
                outcome(b"transaction", number, line, result)?
            }
            None => false,
        };
    if !accepted {
        open.rejected = open.rejected.saturating_add(1);
    }
    Ok(())
}

impl Open {
    /// Keeps a line; false if there are too many.
    fn keep(&mut self, file: PolicyFile, number: u32, line: &[u8]) -> Result<bool, OutOfMemory> {
        let length = u32::try_from(line.len()).unwrap_or(u32::MAX);
        if self.kept.len().saturating_add(line.len()) > MAX_BYTES {
            let message = "the transaction is larger than 16777216 bytes; split it";
            errors::rejected(b"transaction", number, 1, message, line);
            return Ok(false);
        }
        let code = FILES.iter().position(|known| *known == file).unwrap_or(0) as u8;
        // In one piece, so that there is all of it or nothing.
        let mut entry = Vec::with_capacity(PREFIX.saturating_add(line.len()))?;
        entry.push(code)?;
        entry.extend_from_slice(&number.to_le_bytes())?;
        entry.extend_from_slice(&length.to_le_bytes())?;
        entry.extend_from_slice(line)?;
        self.kept.extend_from_slice(&entry)?;
        Ok(true)
    }

    /// Takes all kept lines again, on top of `policy`. A frame of its own: a transaction is large, and one is enough.
    #[inline(never)]
    fn again(&mut self, policy: &Policy) -> Result {
        self.transaction = None;
        self.transaction = Some(Transaction::begin(policy, self.scope)?);
        let Some(transaction) = &mut self.transaction else { return Ok(()) };
        let mut cursor = Cursor::default();
        let mut last = None;
        let mut rest: &[u8] = &self.kept;
        while let Some((prefix, behind)) = rest.split_at_checked(PREFIX) {
            let [code, n0, n1, n2, n3, l0, l1, l2, l3] = prefix else { break };
            let length = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
            let Some((line, behind)) = behind.split_at_checked(length) else { break };
            rest = behind;
            let Some(file) = FILES.get(usize::from(*code)).copied() else { break };
            if last != Some(file) {
                cursor = Cursor::default();
                last = Some(file);
            }
            let number = u32::from_le_bytes([*n0, *n1, *n2, *n3]);
            outcome(b"transaction", number, line, transaction.line(file, &mut cursor, line))?;
        }
        Ok(())
    }

    /// The policy that the transaction makes; a frame of its own as above.
    #[inline(never)]
    fn finish(&mut self) -> Option<Result<Policy, TransactionError>> {
        self.transaction.take().map(Transaction::commit)
    }
}

/// Publishes the transaction, and keeps what it replaces.
fn commit(file: &mut OpenFile, number: u32) -> Result {
    let mut writer = file.writer()?;
    let State::Transaction(open) = &mut file.state else { return Ok(()) };
    let Some(mut open) = open.take() else {
        return refuse(number, "no transaction is open; write begin or begin replace first", b"commit");
    };
    if open.rejected != 0 {
        let message =
            "a line is not accepted and the policy is unchanged; correct the line and write everything again";
        return refuse(number, message, b"commit");
    }
    if open.generation != writer.policy().generation() {
        open.again(writer.policy())?;
    }
    if let Some(transaction) = &open.transaction {
        let mut reason = Vec::new();
        if transaction.print_undefined_profile(&mut reason)? {
            reason.put(b"; the policy is unchanged")?;
            errors::note(b"transaction", number, 1, &reason, b"commit");
            return Err(Errno::Inval);
        }
    }
    let previous = writer.copy()?;
    match open.finish() {
        Some(Ok(policy)) => writer.replace(policy)?,
        Some(Err(error)) => return failed(number, error, b"commit"),
        None => return Err(Errno::NoMem),
    }
    writer.keep(Some(previous));
    Ok(())
}

fn failed(number: u32, error: TransactionError, line: &[u8]) -> Result {
    let result = refuse(number, error.message(), line);
    if error == TransactionError::OutOfMemory {
        return Err(Errno::NoMem);
    }
    result
}

/// Makes the policy before the last commit the next one.
fn rollback(file: &mut OpenFile, number: u32) -> Result {
    let mut writer = file.writer()?;
    match writer.restored() {
        None => {
            refuse(number, "no earlier policy is kept; one is after a commit, for one rollback", b"rollback")
        }
        Some(Err(error)) => failed(number, error, b"rollback"),
        Some(Ok(policy)) => {
            writer.replace(policy)?;
            writer.keep(None);
            Ok(())
        }
    }
}
