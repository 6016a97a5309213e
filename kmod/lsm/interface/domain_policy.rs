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
use sekisho_core::text::{Normal, Sink, Words};

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
    file.for_lines(bytes, &mut |number, line| {
        if let Some(selected) = select(&edit, &mut cursor, line)? {
            shown = Some(selected);
            return Ok(());
        }
        if !may_write && !line.trim_ascii().is_empty() {
            // Lines that follow belong to a domain that was not made current.
            let refused = is_transitions(line)?;
            if !refused {
                let message =
                    "only a manager may change the policy; add the program or its domain to the file manager";
                errors::rejected(title, number, 1, message, line);
                say_no_manager();
                return Ok(());
            }
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
        position.cursor = cursor;
        if shown.is_some() {
            position.shown = shown;
            // What was made but not read yet is not wanted any more (reference 10.4).
            file.show(None);
        }
    }
    Ok(())
}

/// Executes a line that chooses a domain for reading; `None` if it is another line, or a wrong one.
fn select(edit: &Edit, cursor: &mut Cursor, line: &[u8]) -> Result<Option<Shown>, OutOfMemory> {
    let normal = Normal::new(line)?;
    let domain = match parse(normal.bytes()) {
        Some(Select::Pid(number)) => domain_of(Pid { number, global: false }),
        Some(Select::GlobalPid(number)) => domain_of(Pid { number, global: true }),
        Some(Select::Domain(name)) if !normal.bytes().starts_with(b"select <") => {
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
    Ok(parse(Normal::new(line)?.bytes()) == Some(Select::Transitions))
}

fn parse(line: &[u8]) -> Option<Select<'_>> {
    let mut words = Words::new(line);
    words.next().filter(|(_, word)| *word == b"select")?;
    Select::parse(words).ok()
}

fn domain_of(pid: Pid) -> Option<DomainId> {
    Process::find(pid).map(|process| process.blob().domain())
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
