// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading a policy directory as the kernel would, before a device boots from it.
//!
//! The files and their order are those of `sekisho-init`: profile, exception_policy, domain_policy, manager. Every line that
//! the kernel would reject is told with its place and the reason; then the policy must be one that can be activated.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sekisho_core::edit::{ActivateError, Cursor, Edit, EditError};
use sekisho_core::policy::Policy;

/// The files of a policy directory, and whether a device must have them: without domains nothing is enforced, without a
/// manager the policy stays as it is.
const FILES: [(&str, bool); 4] =
    [("profile", true), ("exception_policy", true), ("domain_policy", true), ("manager", false)];

/// A line that the kernel would not accept.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The file.
    pub file: PathBuf,
    /// Line number, from 1.
    pub line: usize,
    /// Byte in the line, from 1.
    pub column: u32,
    /// What is wrong and what would be right.
    pub reason: &'static str,
    /// The line.
    pub text: String,
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// Lines that were accepted and say something.
    pub accepted: usize,
    /// Lines that were not.
    pub rejected: Vec<Rejected>,
    /// Why the policy could not be activated.
    pub inactive: Option<ActivateError>,
    /// Bytes that the policy would take in the kernel's policy core, on this machine's word size.
    pub memory: usize,
}

impl Report {
    /// Whether a device could boot from the directory.
    pub fn is_good(&self) -> bool {
        self.rejected.is_empty() && self.inactive.is_none()
    }
}

/// Why a check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The core has no memory for the policy.
    #[error("out of memory")]
    OutOfMemory,
}

impl From<sekisho_core::mem::OutOfMemory> for CheckError {
    fn from(_: sekisho_core::mem::OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// Checks a policy directory.
///
/// # Errors
/// A file that must be there, or one that is, cannot be read, or memory is short. What is wrong in the policy is in the report.
pub fn check(directory: &Path) -> Result<Report, CheckError> {
    let mut report = Report::default();
    let mut edit = Policy::new()?.edit()?;
    for (name, required) in FILES {
        let path = directory.join(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => continue,
            Err(error) => return Err(CheckError::Io { path, error }),
        };
        let mut cursor = Cursor::default();
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            match execute(&mut edit, &mut cursor, name, line) {
                Ok(()) => report.accepted += usize::from(!line.trim_ascii().is_empty()),
                // A policy that is only checked has no quota.
                Err(EditError::OutOfMemory | EditError::Quota) => return Err(CheckError::OutOfMemory),
                Err(EditError::Parse(error)) => report.rejected.push(Rejected {
                    file: path.clone(),
                    line: index + 1,
                    column: error.column,
                    reason: error.reason.message(),
                    text: line.escape_ascii().to_string(),
                }),
            }
        }
    }
    report.inactive = edit.activate().err();
    report.memory = edit.commit().memory();
    Ok(report)
}

fn execute(edit: &mut Edit, cursor: &mut Cursor, file: &str, line: &[u8]) -> Result<(), EditError> {
    match file {
        "profile" => edit.profile_line(line),
        "exception_policy" => edit.exception_policy_line(line),
        "domain_policy" => edit.domain_policy_line(cursor, line),
        _ => edit.manager_line(line),
    }
}
