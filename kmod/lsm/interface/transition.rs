// SPDX-License-Identifier: GPL-2.0-only

//! `.transition`: the calling thread asks for another domain without an execve (reference 6.6).

use super::open_file::State;
use super::OpenFile;
use crate::sys::snapshot;
use crate::sys::task::Running;
use crate::waiting::{self, Place};
use crate::{exec, Errno, Result};

/// Name of the current domain and request together, with the NUL byte: from here on it is too long.
const TOO_LONG: usize = 4086;

/// The file moves who opened it and nobody else.
pub(super) fn open(file: &mut OpenFile) -> Result {
    file.state = State::Opener(Running::current());
    Ok(())
}

/// One write is one request: a text and one NUL byte at its end. From another process than the opener's, or another program
/// of it, it says nothing about what that wants: it got the descriptor from a stranger.
pub(super) fn write(file: &mut OpenFile, bytes: &[u8]) -> Result {
    if !matches!(file.state, State::Opener(opener) if opener == Running::current()) {
        return Err(Errno::Perm);
    }
    let length = {
        let policy = snapshot::read();
        let domain = policy.domain(exec::current_domain(&policy));
        domain.map_or(0, |domain| domain.name().len())
    };
    if bytes.is_empty() || bytes.len().saturating_add(length) >= TOO_LONG {
        return Err(Errno::NoMem);
    }
    match bytes.split_last() {
        // The description is locked.
        Some((0, text)) if !text.contains(&0) => waiting::at(Place::Later, || exec::transit(text)),
        _ => Err(Errno::Inval),
    }
}
