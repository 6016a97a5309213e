// SPDX-License-Identifier: GPL-2.0-only

//! `.process_status`, `.execute_handler` and `self_domain`: in which domain a process is (reference 10.7).
//!
//! A line asks, the following reads give the answer, and the next line asks again. `.execute_handler` is the same for
//! programs that run as execute handlers, whatever their uid, so that a handler can ask about who called it.

use super::lines::{normal, number};
use super::OpenFile;
use crate::sys::process::{Pid, Process};
use crate::sys::{snapshot, task};
use crate::{errors, exec, Errno, Result};
use sekisho_core::mem::{OutOfMemory, Vec};
use sekisho_core::name::Name;
use sekisho_core::text::{put_u32, Sink};

/// A question.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Question {
    pid: Pid,
    /// About the state, not about the domain.
    info: bool,
}

impl Question {
    /// `[info ][global-pid ]PID`, words one blank apart.
    fn parse(line: &[u8]) -> Option<Question> {
        let (info, rest) = line.strip_prefix(b"info ").map_or((false, line), |rest| (true, rest));
        let (global, digits) = rest.strip_prefix(b"global-pid ").map_or((false, rest), |rest| (true, rest));
        let number = u32::try_from(number(digits)?).ok()?;
        Some(Question { pid: Pid { number, global }, info })
    }

    /// The answer; empty if there is no such process.
    fn answer(self) -> Result<Vec<u8>, OutOfMemory> {
        let mut text = Vec::new();
        let Some(process) = Process::find(self.pid) else { return Ok(text) };
        put_u32(&mut text, self.pid.number)?;
        text.put(b" ")?;
        if self.info {
            put_info(&mut text, &process)?;
            return Ok(text);
        }
        let policy = snapshot::read();
        let Some(domain) = policy.domain(process.domain()) else { return Ok(Vec::new()) };
        put_u32(&mut text, domain.profile().into())?;
        text.put(b" ")?;
        text.put(domain.name())?;
        Ok(text)
    }
}

/// `manager=` tells what the next write of the process would be told: there is no flag that stays until the next execve.
fn put_info(text: &mut Vec<u8>, process: &Process) -> Result<(), OutOfMemory> {
    let yes_or_no = |yes: bool| if yes { b"yes".as_slice() } else { b"no" };
    let info = process.info();
    let ask = |exe: Option<Name<'_>>| {
        let policy = snapshot::read();
        policy.is_manager(process.domain(), &info, exe)
    };
    let is_manager = process.with_exe_name(|name| ask(Some(name))).unwrap_or_else(|| ask(None));
    text.put(b"manager=")?;
    text.put(yes_or_no(is_manager))?;
    text.put(b" execute_handler=")?;
    text.put(yes_or_no(process.blob().is_execute_handler()))?;
    for (key, value) in [b" state[0]=", b" state[1]=", b" state[2]="].iter().zip(info.state) {
        text.put(*key)?;
        put_u32(text, value.into())?;
    }
    Ok(())
}

/// Before a question there is no answer.
pub(super) fn read_nothing(_: &mut OpenFile) -> Result<Vec<u8>> {
    Ok(Vec::new())
}

pub(super) fn write(file: &mut OpenFile, bytes: &[u8]) -> Result {
    let title = file.file.title();
    let mut answer = None;
    file.for_lines(bytes, &mut |place, line| {
        let Some(normal) = normal(title, place, line)? else {
            answer = Some(Vec::new());
            return Ok(());
        };
        let text = match Question::parse(normal.bytes()) {
            Some(question) => question.answer()?,
            // A blank line is answered as a process that is not there.
            None if normal.bytes().is_empty() => Vec::new(),
            None => {
                let message = "write PID, info PID, global-pid PID or info global-pid PID";
                errors::rejected(title, place, 1, message, line);
                Vec::new()
            }
        };
        answer = Some(text);
        Ok(())
    })?;
    if answer.is_some() {
        file.show(answer);
    }
    Ok(())
}

/// `.execute_handler` is for execute handlers (reference 6.7).
pub(super) fn open_for_handlers(_: &mut OpenFile) -> Result {
    if task::is_execute_handler() {
        Ok(())
    } else {
        Err(Errno::Perm)
    }
}

/// `self_domain` tells the domain of the one who opened it, whoever reads.
pub(super) fn open_self(file: &mut OpenFile) -> Result {
    let mut text = Vec::new();
    let policy = snapshot::read();
    if let Some(domain) = policy.domain(exec::current_domain(&policy)) {
        text.put(domain.name())?;
    }
    file.show(Some(text));
    Ok(())
}
