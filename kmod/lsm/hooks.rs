// SPDX-License-Identifier: GPL-2.0-only

//! Which question each hook asks, and what happens with the answer (reference 0.3, 4.5, 4.6).
//!
//! Before the policy is activated a hook costs one load and a branch; in a domain whose mode is disabled it costs the look-up
//! of the mode. Only then is the name computed.

use crate::query::{self, Asked, Verdict};
use crate::sys::path::{File, Path, Slash};
use crate::sys::snapshot::{self, Reader};
use crate::sys::{task, NoFs};
use crate::{exec, log, stats, Errno, Result};
use core::sync::atomic::{AtomicBool, Ordering};
use sekisho_core::engine::{self, decide, Decision};
use sekisho_core::facts::Facts;
use sekisho_core::item::Item;
use sekisho_core::learn::Learned;
use sekisho_core::mem::Vec;
use sekisho_core::number::Number;
use sekisho_core::policy::{DomainId, Preferences};
use sekisho_core::profile::Mode;
use sekisho_core::request::{Operation, Path2Op, PathNumberOp, PathOp, Request};
use sekisho_core::task::Task;
use sekisho_core::text::Sink;

/// `__FMODE_EXEC` in `f_flags` (include/linux/fs.h): opened by execve.
const FMODE_EXEC: u32 = 0x20;
/// The access mode in `f_flags`.
const O_ACCMODE: u32 = 3;
/// The file type in a mode (include/uapi/linux/stat.h).
const S_IFMT: u16 = 0o170_000;
const S_IFREG: u16 = 0o100_000;
const S_IFDIR: u16 = 0o040_000;
const PERMISSIONS: u16 = 0o7777;
/// `RENAME_EXCHANGE` (include/uapi/linux/fs.h).
const RENAME_EXCHANGE: u32 = 2;

/// Whether a policy is in force; kept beside the snapshot so that an inactive Sekisho costs next to nothing.
static ACTIVE: AtomicBool = AtomicBool::new(false);

/// Called whenever a snapshot is published.
pub(crate) fn set_active(active: bool) {
    ACTIVE.store(active, Ordering::Relaxed);
}

/// Whether the policy has been activated.
pub(crate) fn is_active() -> bool {
    ACTIVE.load(Ordering::Relaxed)
}

/// open(2): the access mode alone decides; creation and truncation have hooks of their own. Directories, and the program
/// that execve opens first, are not asked for; interpreters and loaders, opened inside execve, are (reference 4.5).
pub(crate) fn file_open(file: &File<'_>) -> Result {
    if !is_active() || file.mode() & S_IFMT == S_IFDIR || file.is_backing() {
        return Ok(());
    }
    let flags = file.flags();
    if flags & FMODE_EXEC != 0 && !task::in_execve() {
        return Ok(());
    }
    let op = match flags & O_ACCMODE {
        0 => PathOp::Read,
        1 => PathOp::Write,
        2 => PathOp::ReadWrite,
        // Only good for ioctl.
        _ => return Ok(()),
    };
    let path = file.path();
    if file.is_tmpfile() {
        check_mode(PathNumberOp::Create, &path, file.mode(), Slash::Never)?;
    }
    check_path(op, &path, Slash::IfDirectory)?;
    if file.truncates_early() {
        truncate(&path)?;
    }
    Ok(())
}

/// truncate, ftruncate and O_TRUNC on a file that was there.
pub(crate) fn truncate(path: &Path<'_>) -> Result {
    check_path(PathOp::Truncate, path, Slash::IfDirectory)
}

/// unlink
pub(crate) fn unlink(path: &Path<'_>) -> Result {
    check_path(PathOp::Unlink, path, Slash::IfDirectory)
}

/// rmdir
pub(crate) fn rmdir(path: &Path<'_>) -> Result {
    check_path(PathOp::Rmdir, path, Slash::Always)
}

/// mkdir; the umask has been applied.
pub(crate) fn mkdir(path: &Path<'_>, mode: u16) -> Result {
    check_mode(PathNumberOp::Mkdir, path, mode, Slash::Always)
}

/// mknod and O_CREAT. Special files have ACLs of their own, which this version does not have yet.
pub(crate) fn mknod(path: &Path<'_>, mode: u16) -> Result {
    match mode & S_IFMT {
        0 | S_IFREG => check_mode(PathNumberOp::Create, path, mode, Slash::IfDirectory),
        _ => Ok(()),
    }
}

/// rename; both names end in a slash if the old one is a directory's. RENAME_EXCHANGE is a rename in both directions.
pub(crate) fn rename(old: &Path<'_>, new: &Path<'_>, flags: u32) -> Result {
    rename_one(old, new)?;
    if flags & RENAME_EXCHANGE != 0 {
        rename_one(new, old)?;
    }
    Ok(())
}

fn rename_one(old: &Path<'_>, new: &Path<'_>) -> Result {
    let slash = if old.is_dir() { Slash::Always } else { Slash::Never };
    let Some(question) = Question::begin(Item::Rename, old) else { return Ok(()) };
    let answer = old.with_name(slash, |from| {
        // A target that exists is replaced or exchanged; the name asked for is the one that the source will have.
        new.with_name(slash, |to| question.ask(&Request::Path2 { op: Path2Op::Rename, from, to }))
    });
    question.finish(answer.and_then(|inner| inner))
}

fn check_path(op: PathOp, path: &Path<'_>, slash: Slash) -> Result {
    let Some(question) = Question::begin(Operation::Path(op).item(), path) else { return Ok(()) };
    let answer = path.with_name(slash, |name| question.ask(&Request::Path { op, path: name }));
    question.finish(answer)
}

fn check_mode(op: PathNumberOp, path: &Path<'_>, mode: u16, slash: Slash) -> Result {
    let Some(question) = Question::begin(Operation::PathNumber(op).item(), path) else { return Ok(()) };
    let number = Number::octal((mode & PERMISSIONS).into());
    let answer = path.with_name(slash, |name| question.ask(&Request::PathNumber { op, path: name, number }));
    question.finish(answer)
}

/// A request on its way to a decision: it has a mode that asks for one.
struct Question {
    mode: Mode,
    _nofs: NoFs,
}

impl Question {
    /// `None` if nothing is to be asked: no policy, an object without a mount, a disabled item.
    fn begin(item: Item, path: &Path<'_>) -> Option<Question> {
        if !is_active() || !path.has_mount() {
            return None;
        }
        let reader = snapshot::read();
        let mode = engine::config(&reader, exec::current_domain(&reader), item).mode;
        (mode != Mode::Disabled).then(|| Question { mode, _nofs: NoFs::enter() })
    }

    fn ask(&self, request: &Request<'_>) -> Result {
        let reader = snapshot::read();
        let domain = exec::current_domain(&reader);
        answer(reader, domain, &task::info(), request)
    }

    /// A name that could not be computed denies in enforcing mode (reference 0.3, step 3).
    fn finish(&self, answer: Result<Result>) -> Result {
        match answer {
            Ok(answer) => answer,
            Err(_) if self.mode != Mode::Enforcing => Ok(()),
            Err(error) => {
                stats::FAIL_CLOSED.add();
                Err(error)
            }
        }
    }
}

/// Decides, records, learns, and asks an observer before it refuses.
pub(crate) fn answer(mut reader: Reader, domain: DomainId, task: &Task, request: &Request<'_>) -> Result {
    let facts = Facts::new(task);
    let origin = log::Origin::now();
    let mut retries = 0_u32;
    loop {
        let decision = decide(&reader, domain, &facts, request);
        let mut name = Vec::new();
        let mut preferences = Preferences::DEFAULT;
        if decision.mode != Mode::Disabled {
            if let Some(found) = reader.domain(domain) {
                preferences = reader.preferences(decision.profile);
                log::decision(&origin, &decision, &preferences, &facts, found.name(), request);
                if !decision.allows() {
                    name.put(found.name())?;
                }
            }
        }
        // The record shows the old state (reference 5.5).
        task::set_state(decision.set);
        // Neither a writer nor a person may be waited for inside a read section.
        drop(reader);
        if decision.learns() {
            learn(domain, task, request, &decision);
        }
        if decision.allows() {
            return Ok(());
        }
        let (decision, preferences) = (&decision, &preferences);
        let asked = Asked {
            origin: &origin,
            decision,
            preferences,
            facts: &facts,
            domain: &name,
            may_sleep_penalty: true,
            retries,
        };
        match query::decide(&asked, request) {
            Verdict::Allow => return Ok(()),
            Verdict::Retry => reader = snapshot::read(),
            Verdict::Deny => break,
        }
        retries = retries.saturating_add(1);
    }
    stats::DENIED.add();
    Err(Errno::Perm)
}

/// Appends what was missed. Learning mode allows whatever comes of it (reference 8.4).
fn learn(domain: DomainId, task: &Task, request: &Request<'_>, decision: &Decision) {
    let mut writer = snapshot::write();
    let Ok(mut edit) = writer.edit() else { return };
    let full = match edit.learn(domain, &Facts::new(task), request) {
        Ok(Learned::Added) => false,
        Ok(Learned::QuotaExceeded) => true,
        _ => return,
    };
    if writer.publish(edit).is_ok() && full && decision.log {
        if let Some(found) = writer.policy().domain(domain) {
            let preferences = writer.policy().preferences(decision.profile);
            let (origin, facts, text) = (log::Origin::now(), Facts::new(task), b"quota_exceeded");
            let (mode, profile) = (decision.mode, decision.profile);
            log::event(&origin, false, mode, profile, &preferences, &facts, found.name(), text);
        }
    }
}
