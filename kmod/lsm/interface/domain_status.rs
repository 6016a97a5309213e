// SPDX-License-Identifier: GPL-2.0-only

//! `.domain_status`: the profile of each domain, one line a domain (reference 10.6).

use super::lines::{normal, outcome};
use super::{domain_policy, OpenFile};
use crate::sys::snapshot;
use crate::{errors, Result};
use sekisho_core::mem::Vec;
use sekisho_core::text::{put_u32, Sink, Words};

pub(super) fn read(_: &mut OpenFile) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let policy = snapshot::read();
    for (_, domain) in policy.domains().filter(|(_, domain)| !domain.is_deleted()) {
        put_u32(&mut text, domain.profile().into())?;
        text.put(b" ")?;
        text.put(domain.name())?;
        text.put(b"\n")?;
    }
    Ok(text)
}

/// Lines `PROFILE DOMAIN`.
pub(super) fn write(file: &mut OpenFile, bytes: &[u8]) -> Result {
    let mut writer = file.writer()?;
    let title = file.file.title();
    let mut edit = writer.edit()?;
    let mut changed = false;
    file.for_lines(bytes, &mut |number, line| {
        let Some(normal) = normal(title, number, line)? else { return Ok(()) };
        let mut words = Words::new(normal.bytes());
        let Some((_, profile)) = words.next() else { return Ok(()) };
        let name = words.peek().map_or(b"".as_slice(), |_| words.rest().trim_ascii());
        let Some(domain) = edit.policy().find_domain(name) else {
            let message = "there is no such domain; write PROFILE DOMAIN, such as 3 <kernel> /sbin/init";
            errors::rejected(title, number, 1, message, line);
            return Ok(());
        };
        let result = domain_policy::set_profile(&mut edit, domain, profile).map_err(|error| match error {
            sekisho_core::edit::EditError::Parse(mut error) => {
                // It is the first word here.
                error.column = 1;
                error.into()
            }
            other => other,
        });
        changed |= outcome(title, number, line, result)?;
        Ok(())
    })?;
    if changed {
        writer.publish(edit)?;
    }
    Ok(())
}
