// SPDX-License-Identifier: GPL-2.0-only

//! `activate`: a `1` ends the time in which everybody may write policy and nothing is checked (reference 12.1).

use super::OpenFile;
use crate::{ask, errors, Errno, Result};
use sekisho_core::mem::Vec;
use sekisho_core::text::Sink;

pub(super) fn read(_: &mut OpenFile) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    text.put(if ask::is_active() { b"1\n" } else { b"0\n" })?;
    Ok(text)
}

/// Not by lines: a `1` without a line end is enough.
pub(super) fn write(file: &mut OpenFile, bytes: &[u8]) -> Result {
    let refuse = |message| {
        errors::rejected(file.file.title(), 1, 1, message, bytes);
        Err(Errno::Inval)
    };
    if bytes.trim_ascii() != b"1" {
        return refuse("write 1 to activate the policy");
    }
    let mut writer = file.writer()?;
    let mut edit = writer.edit()?;
    match edit.activate() {
        Ok(()) => writer.publish(edit),
        Err(error) => {
            let mut reason = Vec::new();
            error.print(edit.policy(), &mut reason)?;
            errors::note(file.file.title(), 1, 1, &reason, bytes);
            Err(Errno::Inval)
        }
    }
}
