// SPDX-License-Identifier: GPL-2.0-only

//! `rehearsal`: a policy of one's own for each open description, which nobody is under (`sekisho_core::rehearsal` has the
//! commands). Only in kernels under test: the policy cases prove with it the code that this kernel decides with.
//!
//! The complete lines of a write are commands. What is read next is their answers; each write begins anew.

use super::open_file::State;
use super::OpenFile;
use crate::{Errno, Result};
use sekisho_core::mem::{Box, Vec};
use sekisho_core::rehearsal::Rehearsal;

pub(super) fn open(file: &mut OpenFile) -> Result {
    file.state = State::Rehearsal(Some(Box::new(Rehearsal::new()?)?));
    Ok(())
}

/// Nothing but answers is there to be read.
pub(super) fn read(_: &mut OpenFile) -> Result<Vec<u8>> {
    Ok(Vec::new())
}

pub(super) fn write(file: &mut OpenFile, bytes: &[u8]) -> Result {
    let State::Rehearsal(place) = &mut file.state else { return Err(Errno::Inval) };
    let Some(mut rehearsal) = place.take() else { return Err(Errno::Inval) };
    let mut answers = Vec::new();
    let result = file.for_lines(bytes, &mut |_, line| Ok(rehearsal.command(line, &mut answers)?));
    file.state = State::Rehearsal(Some(rehearsal));
    file.show(Some(answers));
    result
}
