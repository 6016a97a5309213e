// SPDX-License-Identifier: MIT OR Apache-2.0
//! Learning: a request that nothing granted becomes an entry.
//!
//! Reference 8. The entry is what the request would be as a line of domain_policy; the condition
//! ` if task.type=execute_handler` is the only one that this version learns.

use crate::condition::{Condition, TaskField, Test, Value};
use crate::domain::DomainId;
use crate::edit::Edit;
use crate::entry::{Args, Entry, NumberArg, PathArg};
use crate::mem::{Arc, OutOfMemory, Vec};
use crate::name::Name;
use crate::number::NumberRange;
use crate::pattern::Pattern;
use crate::request::Request;
use crate::task::Task;

/// Number of permissions up to which a domain learns (reference 8.4, `max_entry`).
pub const MAX_ENTRY: usize = 2048;

/// What [`Edit::learn`] did.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Learned {
    /// The domain has a new permission. Commit the edit.
    Added,
    /// The domain had it. Nothing changed.
    Already,
    /// The domain is full, and its flag `quota_exceeded` was set just now: commit the edit and write the record.
    QuotaExceeded,
    /// Nothing changed: the domain was full and says so already, the domain is gone, or the name cannot be written in
    /// a policy (it would begin with `@` and read as a group; quirk Q19).
    Skipped,
}

impl Learned {
    /// Whether the edit holds a change that must be committed.
    pub fn is_change(self) -> bool {
        matches!(self, Learned::Added | Learned::QuotaExceeded)
    }
}

impl Edit {
    /// Appends the entry that grants `request` to a task like `task`, or sets the bit of an entry that has the same
    /// arguments (reference 4.4.1).
    ///
    /// # Errors
    /// Out of memory: nothing was learned.
    pub fn learn(
        &mut self,
        domain: DomainId,
        task: &Task,
        request: &Request<'_>,
    ) -> Result<Learned, OutOfMemory> {
        if self.policy().domain(domain).is_none() {
            return Ok(Learned::Skipped);
        }
        let Some(args) = args(request)? else {
            return Ok(Learned::Skipped);
        };
        let condition = if task.execute_handler { Some(Arc::new(handler_condition()?)?) } else { None };
        let entry = Entry::new(request.operation(), args, condition);
        let Some(found) = self.policy().domain(domain) else {
            return Ok(Learned::Skipped);
        };
        if found.has(&entry) {
            return Ok(Learned::Already);
        }
        if found.acl_count() < MAX_ENTRY {
            self.add_entry(domain, entry)?;
            return Ok(Learned::Added);
        }
        if found.flags().quota_exceeded {
            return Ok(Learned::Skipped);
        }
        if let Some(domain) = self.edit_domain(domain)? {
            domain.flags.quota_exceeded = true;
        }
        Ok(Learned::QuotaExceeded)
    }
}

/// The arguments of the entry; `None` if they cannot be written.
fn args(request: &Request<'_>) -> Result<Option<Args>, OutOfMemory> {
    Ok(match request {
        Request::Path { path, .. } => word(*path)?.map(Args::Path),
        Request::Path2 { from, to, .. } => match (word(*from)?, word(*to)?) {
            (Some(from), Some(to)) => Some(Args::Path2(from, to)),
            _ => None,
        },
        Request::PathNumber { path, number, .. } => {
            word(*path)?.map(|path| Args::PathNumber(path, NumberArg::Range(NumberRange::single(*number))))
        }
    })
}

fn word(name: Name<'_>) -> Result<Option<PathArg>, OutOfMemory> {
    match name.as_bytes().first() {
        None | Some(b'@') => Ok(None),
        Some(_) => match Pattern::copy_from(name.as_bytes())? {
            Some(pattern) => Ok(Some(PathArg::Word(Arc::new(pattern)?))),
            None => Ok(None),
        },
    }
}

/// ` if task.type=execute_handler` (reference 8.3).
fn handler_condition() -> Result<Condition, OutOfMemory> {
    let mut tests = Vec::with_capacity(1)?;
    tests.push(Test { left: Value::Task(TaskField::Type), negated: false, right: Value::ExecuteHandler })?;
    Ok(Condition::new(tests))
}
