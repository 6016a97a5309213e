// SPDX-License-Identifier: GPL-2.0-only

//! `exception_policy`, `profile` and `manager`: lines of policy that need no state (reference 3, 7, 10.2).

use super::lines::outcome;
use super::OpenFile;
use crate::sys::snapshot;
use crate::Result;
use sekisho_core::edit::{Edit, EditError};
use sekisho_core::mem::Vec;

pub(super) fn read_exceptions(_: &mut OpenFile) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    snapshot::read().print_exception_policy(&mut text)?;
    Ok(text)
}

pub(super) fn write_exceptions(file: &mut OpenFile, bytes: &[u8]) -> Result {
    write(file, bytes, Edit::exception_policy_line)
}

pub(super) fn read_profiles(_: &mut OpenFile) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    snapshot::read().print_profiles(&mut text)?;
    Ok(text)
}

pub(super) fn write_profiles(file: &mut OpenFile, bytes: &[u8]) -> Result {
    write(file, bytes, Edit::profile_line)
}

pub(super) fn read_managers(_: &mut OpenFile) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    snapshot::read().print_managers(&mut text)?;
    Ok(text)
}

pub(super) fn write_managers(file: &mut OpenFile, bytes: &[u8]) -> Result {
    write(file, bytes, Edit::manager_line)
}

fn write(
    file: &mut OpenFile,
    bytes: &[u8],
    execute: fn(&mut Edit, &[u8]) -> Result<(), EditError>,
) -> Result {
    let mut writer = file.writer()?;
    let title = file.file.title();
    let mut edit = writer.edit()?;
    let mut changed = false;
    file.for_lines(bytes, &mut |number, line| {
        changed |= outcome(title, number, line, execute(&mut edit, line))?;
        Ok(())
    })?;
    if changed {
        writer.publish(edit)?;
    }
    Ok(())
}
