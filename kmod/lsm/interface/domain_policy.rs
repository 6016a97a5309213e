// SPDX-License-Identifier: GPL-2.0-only

//! `domain_policy`: the domains and their entries, and `select`, which asks about one of them (reference 10.3 to 10.5).
//!
//! The right to write is asked for line by line: four `select` lines need none, because they only choose what is read. A line
//! of somebody who may not write is noted in `errors` and dropped, and the write goes on (1.7 dropped it without a word).

use super::lines::outcome;
use super::open_file::State;
use super::OpenFile;
use crate::sys::files::say_no_manager;
use crate::sys::process::{Pid, Process};
use crate::sys::snapshot;
use crate::{errors, Result};
use sekisho_core::edit::{Cursor, Edit, EditError};
use sekisho_core::mem::{OutOfMemory, Vec};
use sekisho_core::policy::DomainId;
use sekisho_core::select::Select;
use sekisho_core::text::{is_silent, Normal, ParseError, Sink, Words};

/// Where an open description stands.
#[derive(Default)]
pub(super) struct Position {
    /// The current domain, to which lines apply.
    cursor: Cursor,
    /// Reading shows this instead of all domains.
    shown: Option<Shown>,
}

/// What `select pid=`, `global-pid=` or `domain=` chose for reading.
struct Shown {
    /// The line, without `# ` and line end.
    line: Vec<u8>,
    domain: Option<DomainId>,
}

pub(super) fn open(file: &mut OpenFile) -> Result {
    file.state = State::Domains(Position::default());
    Ok(())
}

pub(super) fn read(file: &mut OpenFile) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let State::Domains(position) = &file.state else { return Ok(text) };
    let transitions_only = position.cursor.transitions_only();
    let policy = snapshot::read();
    match &position.shown {
        Some(shown) => {
            text.put(b"# ")?;
            text.put(&shown.line)?;
            text.put(b"\n")?;
            if let Some(id) = shown.domain {
                policy.print_selected(id, transitions_only, &mut text)?;
            }
        }
        None if transitions_only => policy.print_transitions(&mut text)?,
        None => policy.print_domain_policy(&mut text)?,
    }
    Ok(text)
}

pub(super) fn write(file: &mut OpenFile, bytes: &[u8]) -> Result {
    let State::Domains(position) = &file.state else { return Ok(()) };
    let mut cursor = position.cursor;
    let title = file.file.title();
    let mut shown = None;
    let mut changed = false;
    let mut writer = snapshot::write();
    let may_write = file.may_write();
    let mut edit = writer.edit()?;
    let mut discard = false;
    file.lines.feed(title, bytes, &mut |number, line| {
        let Some(line) = line else {
            // It might have been another domain's, and what follows must not go to this one.
            cursor.select(None);
            return Ok(());
        };
        if let Some(selected) = select(&edit, &mut cursor, number, line)? {
            shown = Some(selected);
            return Ok(());
        }
        if !may_write && !is_silent(line) && !is_transitions(line)? {
            let message =
                "only a manager may change the policy; add the program or its domain to the file manager";
            errors::rejected(title, number, 1, message, line);
            say_no_manager();
            return Ok(());
        }
        let accepted = outcome(title, number, line, edit.domain_policy_line(&mut cursor, line))?;
        changed |= accepted && may_write;
        Ok(())
    })?;
    if changed {
        writer.publish(edit)?;
    }
    drop(writer);
    if let State::Domains(position) = &mut file.state {
        discard |= cursor.transitions_only() && !position.cursor.transitions_only();
        position.cursor = cursor;
        if shown.is_some() {
            position.shown = shown;
            discard = true;
        }
        // What was made but not read yet is not wanted any more (reference 10.4).
        if discard {
            file.show(None);
        }
    }
    Ok(())
}

/// Executes a line that chooses a domain for reading; `None` if it is another line, or a wrong one.
fn select(edit: &Edit, cursor: &mut Cursor, number: u32, line: &[u8]) -> Result<Option<Shown>, OutOfMemory> {
    let Some(normal) = normal(line)? else { return Ok(None) };
    let domain = match parse(normal.bytes()) {
        // There is no domain of a name that none can have.
        Some(Err(error)) if normal.bytes().starts_with(b"select domain=") => {
            let column = normal.restore(error).column;
            errors::rejected_line(b"domain_policy", number, &ParseError { column, ..error }, line);
            None
        }
        Some(Ok(Select::Pid(number))) => domain_of(Pid { number, global: false }),
        Some(Ok(Select::GlobalPid(number))) => domain_of(Pid { number, global: true }),
        Some(Ok(Select::Domain(name))) if !normal.bytes().starts_with(b"select <") => {
            edit.policy().find_domain(name)
        }
        _ => return Ok(None),
    };
    cursor.select(domain);
    let mut line = Vec::new();
    line.put(normal.bytes())?;
    Ok(Some(Shown { line, domain }))
}

fn is_transitions(line: &[u8]) -> Result<bool, OutOfMemory> {
    let normal = normal(line)?;
    Ok(normal.is_some_and(|normal| matches!(parse(normal.bytes()), Some(Ok(Select::Transitions)))))
}

/// `None` for a line with a byte that none may have, which is no `select`: who executes it says so.
fn normal(line: &[u8]) -> Result<Option<Normal<'_>>, OutOfMemory> {
    match Normal::new(line) {
        Ok(normal) => Ok(Some(normal)),
        Err(EditError::Parse(_)) => Ok(None),
        Err(EditError::OutOfMemory | EditError::Quota) => Err(OutOfMemory),
    }
}

/// A `select` line, which may be wrong; `None` if it is another line.
fn parse(line: &[u8]) -> Option<Result<Select<'_>, ParseError>> {
    let mut words = Words::new(line);
    words.next().filter(|(_, word)| *word == b"select")?;
    Some(Select::parse(words))
}

fn domain_of(pid: Pid) -> Option<DomainId> {
    Process::find(pid).map(|process| process.domain())
}

/// Sets the profile of a domain that is there, for `.domain_status`.
pub(super) fn set_profile(edit: &mut Edit, domain: DomainId, profile: &[u8]) -> Result<(), EditError> {
    let mut cursor = Cursor::default();
    cursor.select(Some(domain));
    let mut line = Vec::new();
    line.put(b"use_profile ")?;
    line.put(profile)?;
    edit.domain_policy_line(&mut cursor, &line)
}
