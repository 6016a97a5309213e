// SPDX-License-Identifier: MIT OR Apache-2.0
//! Learning: a request that nothing granted becomes an entry.
//!
//! Reference 8. The entry is what the request would be as a line of domain_policy, with names replaced by `file_pattern`
//! (reference 3.6) and the conditions of reference 8.3. The condition is made as text and read again, so that what is
//! learned is what would have been written. Two quirks are not followed (Q19): the name of a transition is not replaced,
//! and a word that begins with `@`, which would read as a group, is not learned; nor is one that would read as the beginning of
//! a condition.

use crate::acl::{check_argument, AclLine};
use crate::address::{port_number, AddressRange};
use crate::args::{without_silent, AddressArg, Args, NumberArg, PathArg};
use crate::condition::ConditionLine;
use crate::domain::DomainId;
use crate::edit::Edit;
use crate::facts::{beginning, Facts};
use crate::mem::{OutOfMemory, Vec};
use crate::name::Name;
use crate::number::{Number, NumberRange};
use crate::policy::{Policy, Preferences};
use crate::procfs;
use crate::request::{PathOp, Request};
use crate::text::{self, Sink, Words};

/// What [`Edit::learn`] did.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Learned {
    /// The domain has a new permission. Commit the edit.
    Added,
    /// The domain had it. Nothing changed.
    Already,
    /// The domain is full, and its flag `quota_exceeded` was set just now: commit the edit and write the record.
    QuotaExceeded,
    /// Nothing changed: the domain was full and says so already, the domain is gone, the memory quota is exhausted, or
    /// the name cannot be written in a policy.
    Skipped,
}

impl Learned {
    /// Whether the edit holds a change that must be committed.
    pub fn is_change(self) -> bool {
        matches!(self, Learned::Added | Learned::QuotaExceeded)
    }
}

impl Edit {
    /// Appends the entry that grants `request` to a task like that of `facts`, or sets the bit of an entry that has the
    /// same arguments (reference 4.4.1).
    ///
    /// # Errors
    /// Out of memory: drop the edit.
    pub fn learn(
        &mut self,
        id: DomainId,
        facts: &Facts<'_>,
        request: &Request<'_>,
    ) -> Result<Learned, OutOfMemory> {
        let Some(domain) = self.policy().domain(id) else {
            return Ok(Learned::Skipped);
        };
        let preferences = self.policy().preferences(domain.profile());
        let full = domain.acl_count() >= preferences.max_entry;
        let full_known = domain.flags().quota_exceeded;
        let mut words = [Vec::new(), Vec::new(), Vec::new()];
        let Some(args) = args(self.policy(), facts, request, &mut words)? else {
            return Ok(Learned::Skipped);
        };
        let text = condition(&preferences, facts, request)?;
        let condition = match Words::new(&text).peek() {
            None => None,
            Some(_) => match ConditionLine::parse(Words::new(&text)) {
                Ok(line) => Some(line),
                Err(_) => return Ok(Learned::Skipped),
            },
        };
        let line = AclLine::learned(request.operation(), args, condition);
        if full {
            return self.learn_nothing(id, &line, full_known);
        }
        let before = self.policy().memory();
        if !self.add_acl(id, &line)? {
            return Ok(Learned::Already);
        }
        if !self.is_over(before) {
            return Ok(Learned::Added);
        }
        // Only an entry that was not there takes memory, so this takes away nothing else.
        self.remove_acl(id, &line)?;
        Ok(Learned::Skipped)
    }

    /// The domain is full: what it has stays as it is, and is said once to be all.
    fn learn_nothing(
        &mut self,
        id: DomainId,
        line: &AclLine<'_>,
        known: bool,
    ) -> Result<Learned, OutOfMemory> {
        if self.has_acl(id, line)? {
            return Ok(Learned::Already);
        }
        if known {
            return Ok(Learned::Skipped);
        }
        self.change_domain(id, |domain| {
            domain.flags.quota_exceeded = true;
            Ok(())
        })?;
        Ok(Learned::QuotaExceeded)
    }
}

/// The arguments of the entry, which borrow from `words`; `None` if they cannot be written.
fn args<'w>(
    policy: &Policy,
    facts: &Facts<'_>,
    request: &Request<'w>,
    words: &'w mut [Vec<u8>; 3],
) -> Result<Option<Args<'w>>, OutOfMemory> {
    let [first, second, third] = words;
    let single = |number: Number| NumberArg::Range(NumberRange::single(number));
    let replaced = |name: Name<'_>, place: &'w mut Vec<u8>| {
        *place = text::owned(policy.file_pattern(name))?;
        Ok::<_, OutOfMemory>(word(place))
    };
    let args = match *request {
        // No number of a descriptor is learned: the next execve of this file is asked by the file's own name.
        Request::Path { op: PathOp::Execute, path } if procfs::is_link(path.as_bytes()) => {
            let file = facts.exec.and_then(|exec| exec.realpath());
            *first = text::owned(file.map_or(&[], Name::as_bytes))?;
            word(first).map(Args::Path)
        }
        Request::Path { op: PathOp::Execute | PathOp::Transit, path } => {
            word(path.as_bytes()).map(Args::Path)
        }
        Request::Path { path, .. } => replaced(path, first)?.map(Args::Path),
        Request::Path2 { from, to, .. } => match (replaced(from, first)?, replaced(to, second)?) {
            (Some(from), Some(to)) => Some(Args::Path2(from, to)),
            _ => None,
        },
        Request::PathNumber { path, number, .. } => {
            replaced(path, first)?.map(|path| Args::PathNumber(path, single(number)))
        }
        Request::Device { path, mode, major, minor, .. } => {
            replaced(path, first)?.map(|path| Args::Device(path, single(mode), single(major), single(minor)))
        }
        Request::Network { address, port, .. } => {
            Some(Args::Network(AddressArg::Range(AddressRange::single(address)), single(port_number(port))))
        }
        Request::Mount { device, dir, kind, flags, .. } => {
            match (replaced(device, first)?, replaced(dir, second)?, word(kind.as_bytes())) {
                (Some(device), Some(dir), Some(kind)) => {
                    Some(Args::Mount { device, dir, kind, flags: without_silent(single(flags)) })
                }
                _ => None,
            }
        }
        Request::Env { name } => match name.as_bytes() {
            [] => None,
            name if check_argument(name).is_err() => None,
            name => Some(Args::Env(name)),
        },
        Request::Capability(capability) => Some(Args::Capability(capability)),
        Request::Signal { number, target } => {
            *third = text::owned(target)?;
            Some(Args::Signal(number, third))
        }
    };
    Ok(args)
}

/// A word as an argument, if it can be one.
fn word(word: &[u8]) -> Option<PathArg<'_>> {
    match word.first() {
        None | Some(b'@') => None,
        Some(_) if check_argument(word).is_err() => None,
        Some(_) => Some(PathArg::Word(word)),
    }
}

/// The condition of the entry without ` if` (reference 8.3); empty if there is none.
fn condition(
    preferences: &Preferences,
    facts: &Facts<'_>,
    request: &Request<'_>,
) -> Result<Vec<u8>, OutOfMemory> {
    let mut text = Vec::new();
    if facts.task.execute_handler {
        text.put(b" task.type=execute_handler")?;
    }
    match request {
        Request::Path { op: PathOp::Execute, .. } => {
            let Some(exec) = facts.exec else {
                return Ok(text);
            };
            if let Some(realpath) = exec.realpath().filter(|_| preferences.learn_realpath) {
                quoted(&mut text, b" exec.realpath=", realpath)?;
            }
            if preferences.learn_argv0 && exec.argc() > 0 {
                let mut result = Ok(());
                exec.argv(0, &mut |argument| {
                    result = quoted(&mut text, b" exec.argv[0]=", beginning(argument));
                });
                result?;
            }
        }
        Request::Path { op: PathOp::Symlink, .. } if preferences.learn_target => {
            if let Some(target) = facts.symlink_target {
                quoted(&mut text, b" symlink.target=", target)?;
            }
        }
        _ => {}
    }
    Ok(text)
}

fn quoted(text: &mut Vec<u8>, key: &[u8], value: Name<'_>) -> Result<(), OutOfMemory> {
    text.put(key)?;
    text.put(b"\"")?;
    text.put(value.as_bytes())?;
    text.put(b"\"")
}
