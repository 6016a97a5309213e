// SPDX-License-Identifier: GPL-2.0-only

//! What stands behind the files in `/sys/kernel/security/sekisho/` (reference 10).
//!
//! Each file is a row of [`FILES`], and a module that the row points into. Reading: the text is made at the first read after
//! the open. Writing: lines of one write are one change of the policy, published at its end; a line that is not accepted is
//! noted in `errors` and the others count. Reading and writing have positions of their own.
//!
//! # Modes
//!
//! Nothing may be written by everybody. 1.7 had `.execute_handler` with mode 0666 and `.transition` with 0222; here they
//! begin as 0600 and 0200, and whoever owns the system opens them to those who need them, with chmod or chgrp, before these
//! start (reference 10 allows that for every file): a handler that does not run as root wants `chgrp` to its group and
//! `chmod 0660 .execute_handler`.

mod activate;
mod coverage;
mod domain_policy;
mod domain_status;
mod features;
mod lines;
mod logs;
mod meminfo;
mod open_file;
mod policy_file;
mod process_status;
mod query;
#[cfg(CONFIG_SECURITY_SEKISHO_SELFTEST)]
mod rehearsal;
mod stat;
mod transaction;
mod transition;

pub(crate) use open_file::OpenFile;

use crate::sys::files::Wait;
use crate::Result;
use sekisho_core::mem::Vec;

/// What reading does.
#[derive(Clone, Copy)]
pub(crate) enum Read {
    /// It is an error.
    Nothing,
    /// Always the same text.
    Text(&'static [u8]),
    /// A text, once for each open.
    Once(fn(&mut OpenFile) -> Result<Vec<u8>>),
    /// One text after the other, each with reads of its own, until there is none.
    Each(fn(&mut OpenFile) -> Result<Vec<u8>>),
}

/// What writing does.
#[derive(Clone, Copy)]
pub(crate) enum Write {
    /// It is an error.
    Nothing,
    /// It is for managers; others get EPERM. A write of nothing asks "may I?" and does nothing (reference 10.1).
    Managers(fn(&mut OpenFile, &[u8]) -> Result),
    /// Whoever can open the file may write, and the function sees to the rest.
    Anybody(fn(&mut OpenFile, &[u8]) -> Result),
}

/// One file.
pub(crate) struct FileType {
    /// With a NUL at the end, for C.
    pub(crate) name: &'static [u8],
    pub(crate) mode: u16,
    /// It stands in the directory `features`.
    pub(crate) is_feature: bool,
    /// What makes it readable; `None`: it always is.
    pub(crate) wait: Option<Wait>,
    /// Called when it is opened.
    open: fn(&mut OpenFile) -> Result,
    read: Read,
    write: Write,
    /// Called when it is closed.
    close: fn(&mut OpenFile),
}

impl FileType {
    /// A file that nothing can be done with.
    const PLAIN: FileType = FileType {
        name: b"\0",
        mode: 0o400,
        is_feature: false,
        wait: None,
        open: |_| Ok(()),
        read: Read::Nothing,
        write: Write::Nothing,
        close: |_| (),
    };

    /// A file that is only read.
    const fn text(name: &'static [u8], read: Read) -> FileType {
        FileType { name, read, ..FileType::PLAIN }
    }

    /// A file that only managers write.
    const fn managed(name: &'static [u8], read: Read, write: fn(&mut OpenFile, &[u8]) -> Result) -> FileType {
        FileType { name, mode: 0o600, read, write: Write::Managers(write), ..FileType::PLAIN }
    }

    /// A queue of records; the open description counts as somebody who wants them.
    const fn queue(name: &'static [u8], wait: Wait, read: fn(&mut OpenFile) -> Result<Vec<u8>>) -> FileType {
        FileType { name, wait: Some(wait), read: Read::Each(read), ..FileType::PLAIN }
    }

    /// The name for messages.
    pub(crate) fn title(&self) -> &'static [u8] {
        self.name.strip_suffix(b"\0").unwrap_or(self.name)
    }
}

const COUNT: usize = if cfg!(CONFIG_SECURITY_SEKISHO_SELFTEST) { 21 } else { 20 };

/// The files in the directory itself. A new one is a row here and a module.
static FILES: [FileType; COUNT] = [
    FileType {
        name: b"domain_policy\0",
        mode: 0o600,
        open: domain_policy::open,
        read: Read::Once(domain_policy::read),
        write: Write::Anybody(domain_policy::write),
        ..FileType::PLAIN
    },
    FileType::managed(
        b"exception_policy\0",
        Read::Once(policy_file::read_exceptions),
        policy_file::write_exceptions,
    ),
    FileType::managed(b"profile\0", Read::Once(policy_file::read_profiles), policy_file::write_profiles),
    FileType::managed(b"manager\0", Read::Once(policy_file::read_managers), policy_file::write_managers),
    FileType {
        name: b"query\0",
        mode: 0o600,
        wait: Some(Wait::Queries),
        open: query::open,
        read: Read::Each(query::read),
        write: Write::Managers(query::write),
        close: query::close,
        ..FileType::PLAIN
    },
    FileType::managed(b"meminfo\0", Read::Once(meminfo::read), meminfo::write),
    FileType::queue(b"grant_log\0", Wait::GrantLog, logs::read_granted),
    FileType::queue(b"reject_log\0", Wait::RejectLog, logs::read_refused),
    FileType {
        open: logs::open_audit,
        close: logs::close_audit,
        ..FileType::queue(b"audit\0", Wait::AuditLog, logs::read_audit)
    },
    FileType {
        open: process_status::open_self,
        ..FileType::text(b"self_domain\0", Read::Once(process_status::read_nothing))
    },
    FileType::text(b"version\0", Read::Text(sekisho_core::VERSION.as_bytes())),
    FileType::managed(b".domain_status\0", Read::Once(domain_status::read), domain_status::write),
    FileType {
        name: b".process_status\0",
        mode: 0o600,
        read: Read::Once(process_status::read_nothing),
        write: Write::Anybody(process_status::write),
        ..FileType::PLAIN
    },
    FileType {
        name: b".execute_handler\0",
        mode: 0o600,
        open: process_status::open_for_handlers,
        read: Read::Once(process_status::read_nothing),
        write: Write::Anybody(process_status::write),
        ..FileType::PLAIN
    },
    FileType {
        name: b".transition\0",
        mode: 0o200,
        open: transition::open,
        write: Write::Anybody(transition::write),
        ..FileType::PLAIN
    },
    FileType::text(b"errors\0", Read::Once(stat::read_errors)),
    FileType::text(b"stat\0", Read::Once(stat::read)),
    FileType::managed(b"coverage\0", Read::Once(coverage::read), coverage::write),
    #[cfg(CONFIG_SECURITY_SEKISHO_SELFTEST)]
    FileType {
        open: rehearsal::open,
        ..FileType::managed(b"rehearsal\0", Read::Once(rehearsal::read), rehearsal::write)
    },
    FileType::managed(b"activate\0", Read::Once(activate::read), activate::write),
    FileType {
        name: b"transaction\0",
        mode: 0o600,
        open: transaction::open,
        read: Read::Once(transaction::read),
        write: Write::Managers(transaction::write),
        ..FileType::PLAIN
    },
];

/// The file with this number: those of the directory, then those of `features`. The C side counts up from 0 once at boot and
/// remembers the number with each file.
pub(crate) fn file_type(index: u32) -> Option<&'static FileType> {
    let index = usize::try_from(index).ok()?;
    FILES.get(index).or_else(|| features::FEATURES.get(index.wrapping_sub(FILES.len())))
}
