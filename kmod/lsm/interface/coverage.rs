// SPDX-License-Identifier: GPL-2.0-only

//! `coverage`: how often each line of domain_policy has granted something.
//!
//! `1` begins to count, `0` ends it and forgets, `reset` begins again at zero. Reading gives two lines about the counting itself,
//! then the domains as domain_policy has them, with the number of hits in front of each line:
//!
//! ```text
//! counting 1
//! overflow 0
//!
//! <kernel> /sbin/init
//! 12 allow_read /etc/fstab
//! 0 allow_write /etc/mtab
//! ```
//!
//! `overflow` is the number of hits for which there was no counter left. A policy author looks at what stays at 0. The counters
//! come and go with a generation of the policy, which otherwise says what the one before said.

use super::OpenFile;
use crate::coverage::{lines, Table};
use crate::sys::snapshot;
use crate::{errors, Errno, Result};
use sekisho_core::mem::{Arc, Vec};
use sekisho_core::text::{put_u32, Sink};

pub(super) fn read(_: &mut OpenFile) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let policy = snapshot::read();
    let table = policy.counters();
    text.put(if table.is_some() { b"counting 1\noverflow " } else { b"counting 0\noverflow " })?;
    put_u32(&mut text, table.map_or(0, Table::overflow))?;
    text.put(b"\n")?;
    for (id, domain) in policy.domains().filter(|(_, domain)| !domain.is_deleted()) {
        text.put(b"\n")?;
        text.put(domain.name())?;
        text.put(b"\n")?;
        for numbered in domain.numbered_entries() {
            for (hits, operation) in lines(table, id, domain, numbered) {
                put_u32(&mut text, hits)?;
                text.put(b" ")?;
                numbered.1.print_operation(operation, &policy, &mut text)?;
            }
        }
    }
    Ok(text)
}

pub(super) fn write(file: &mut OpenFile, bytes: &[u8]) -> Result {
    let mut writer = file.writer()?;
    let is_counting = writer.is_counting();
    match bytes.trim_ascii() {
        b"1" if is_counting => Ok(()),
        b"1" => writer.set_counters(Some(Arc::new(Table::new()?)?)),
        b"reset" if is_counting => writer.set_counters(Some(Arc::new(Table::new()?)?)),
        b"0" if is_counting => writer.set_counters(None),
        b"0" | b"reset" => Ok(()),
        other => {
            let message = "write 1 to count, 0 to stop or reset to begin again at zero";
            errors::rejected(file.file.title(), 1, 1, message, other);
            Err(Errno::Inval)
        }
    }
}
