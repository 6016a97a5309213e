// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading a policy directory as the kernel would, before a device boots from it.
//!
//! The files and their order are those of `sekisho-init`: profile, exception_policy, domain_policy, manager. Every line that
//! the kernel would reject is told with its place and the reason; then the policy must be one that can be activated. Lines that
//! are accepted and can never match, or say something else than they seem to, are told too.

use std::collections::HashMap;
use std::path::Path;

use sekisho_core::acl::AclLine;
use sekisho_core::edit::{ActivateError, Cursor, Edit, EditError};
use sekisho_core::mem::{OutOfMemory, Vec as Text};
use sekisho_core::policy::{DomainId, Policy};
use sekisho_core::text::{is_silent, Normal, TOO_LONG};
use sekisho_core::transaction::PolicyFile;
use sekisho_core::warning::{self, Warning};

use crate::later;
use crate::report::{shown, Finding, Report, Severity};
use crate::source::{self, Source, SourceError};

/// Why a check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The core has no memory for the policy.
    #[error("out of memory")]
    OutOfMemory,
}

impl From<OutOfMemory> for CheckError {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// Checks a policy directory.
///
/// # Errors
/// A file that must be there, or one that is, cannot be read, or memory is short. What is wrong in the policy is in the report.
pub fn check(directory: &Path) -> Result<Report, CheckError> {
    let mut check = Check { edit: Policy::new()?.edit()?, report: Report::default(), lines: Vec::new() };
    let mut sources = source::open(directory)?;
    for (number, source) in sources.iter_mut().enumerate() {
        check.file(number, source)?;
    }
    let inactive = check.edit.activate().err();
    let Check { edit, mut report, lines } = check;
    let policy = edit.commit();
    match inactive {
        None => {}
        Some(ActivateError::UndefinedProfile { .. }) => {
            undefined_profiles(&policy, &sources, &lines, &mut report)
        }
        Some(error) => report.inactive = Some(error.message().to_owned()),
    }
    for line in &lines {
        beside_the_others(&policy, &sources, line, &mut report)?;
    }
    same_values(&sources, &lines, &mut report)?;
    // Sorting keeps the order of what is in one place.
    let order = |finding: &Finding| {
        let file = sources.iter().position(|source| source.path == finding.file);
        (file, finding.place)
    };
    report.findings.sort_by_key(order);
    report.memory = policy.memory();
    Ok(report)
}

/// A check in progress.
struct Check {
    edit: Edit,
    report: Report,
    /// What was accepted, to be looked at again when the policy is whole.
    lines: Vec<Accepted>,
}

/// A line that was accepted.
struct Accepted {
    /// Place in the list of files.
    file: usize,
    number: usize,
    text: Vec<u8>,
    /// The domain that it is about.
    domain: Option<DomainId>,
}

impl Check {
    /// Takes the lines of a file, which is the `file`th.
    fn file(&mut self, file: usize, source: &mut Source) -> Result<(), CheckError> {
        if source.is_conf {
            self.report.findings.push(Finding {
                severity: Severity::Warning,
                file: source.path.clone(),
                place: None,
                message: format!(
                    "is read in place of {0}; a device boots only from a directory where it is named {0}",
                    source.file.name()
                ),
                text: String::new(),
                instead: Vec::new(),
            });
        }
        let mut cursor = Cursor::default();
        let mut number = 0;
        while let Some(line) = source.next_line()? {
            number += 1;
            let text = line.text;
            if line.is_too_long {
                // It might have been another domain's.
                cursor.select(None);
                self.rejected(source, number, 1, TOO_LONG.to_owned(), &text);
                continue;
            }
            match execute(&mut self.edit, &mut cursor, source.file, &text) {
                Ok(()) if is_silent(&text) => {}
                Ok(()) => {
                    self.report.accepted += 1;
                    self.warnings(source, number, &text)?;
                    self.lines.push(Accepted { file, number, text, domain: cursor.domain() });
                }
                // A policy that is only checked has no quota.
                Err(EditError::OutOfMemory | EditError::Quota) => return Err(CheckError::OutOfMemory),
                Err(EditError::Parse(error)) => {
                    self.rejected(source, number, error.column, error.reason.to_string(), &text);
                }
            }
        }
        Ok(())
    }

    fn rejected(&mut self, source: &Source, line: usize, column: u32, message: String, text: &[u8]) {
        self.report.findings.push(Finding {
            severity: Severity::Rejected,
            file: source.path.clone(),
            place: Some((line, column)),
            message,
            text: shown(text),
            instead: later::instead(source.file, text),
        });
    }

    /// What is odd in the line alone.
    fn warnings(&mut self, source: &Source, number: usize, text: &[u8]) -> Result<(), CheckError> {
        let findings = &mut self.report.findings;
        let mut visit = |column, warning| findings.push(odd(source, number, column, warning, text));
        match warning::line(source.file, text, &mut visit) {
            Err(EditError::OutOfMemory) => Err(CheckError::OutOfMemory),
            // It was accepted.
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn odd(source: &Source, line: usize, column: u32, warning: Warning, text: &[u8]) -> Finding {
    Finding {
        severity: Severity::Warning,
        file: source.path.clone(),
        place: Some((line, column)),
        message: warning.message().to_owned(),
        text: shown(text),
        instead: Vec::new(),
    }
}

fn execute(edit: &mut Edit, cursor: &mut Cursor, file: PolicyFile, line: &[u8]) -> Result<(), EditError> {
    match file {
        PolicyFile::Domain => edit.domain_policy_line(cursor, line),
        PolicyFile::Exception => edit.exception_policy_line(line),
        PolicyFile::Profile => edit.profile_line(line),
        PolicyFile::Manager => edit.manager_line(line),
    }
}

/// Tells of each domain whose profile is not defined, where it says which it is.
fn undefined_profiles(policy: &Policy, sources: &[Source], lines: &[Accepted], report: &mut Report) {
    for (id, domain) in policy.domains().filter(|(_, domain)| policy.profile(domain.profile()).is_none()) {
        let name = String::from_utf8_lossy(domain.name());
        let number = domain.profile();
        let message = format!(
            "the domain {name} uses profile {number}, which is not defined; write {number}-CONFIG={{ mode=... }} \
             to profile, or another use_profile"
        );
        let of_domain = || lines.iter().filter(|line| line.domain == Some(id));
        let says = |line: &&Accepted| line.text.trim_ascii_start().starts_with(b"use_profile");
        match of_domain().rev().find(says).or(of_domain().next()) {
            Some(line) => report.findings.push(Finding {
                severity: Severity::NotActivated,
                file: sources[line.file].path.clone(),
                place: Some((line.number, 1)),
                message,
                text: shown(&line.text),
                instead: Vec::new(),
            }),
            // The file does not mention it: <kernel> is always there.
            None => report.inactive = Some(message),
        }
    }
}

/// What is odd about a line beside the rest of the policy.
fn beside_the_others(
    policy: &Policy,
    sources: &[Source],
    line: &Accepted,
    report: &mut Report,
) -> Result<(), CheckError> {
    let source = &sources[line.file];
    let mut visit = |column, warning| {
        report.findings.push(odd(source, line.number, column, warning, &line.text));
    };
    Ok(warning::whole(policy, source.file, &line.text, &mut visit)?)
}

/// Tells of lines of a domain that another one repeats with a number in another radix.
fn same_values(sources: &[Source], lines: &[Accepted], report: &mut Report) -> Result<(), CheckError> {
    let mut seen: HashMap<(u64, Vec<u8>), Vec<u8>> = HashMap::new();
    for line in lines.iter().filter(|line| sources[line.file].file == PolicyFile::Domain) {
        let (Some(domain), Ok(normal)) = (line.domain, Normal::new(&line.text)) else { continue };
        let Ok(acl) = AclLine::parse(normal.bytes()) else { continue };
        let (mut by_value, mut printed) = (Text::new(), Text::new());
        warning::by_value(&acl, &mut by_value)?;
        acl.print(&mut printed)?;
        let first = seen.entry((domain.to_bits(), by_value.to_vec())).or_insert_with(|| printed.to_vec());
        if **first != *printed {
            report.findings.push(odd(
                &sources[line.file],
                line.number,
                1,
                Warning::SameValueOtherRadix,
                &line.text,
            ));
        }
    }
    Ok(())
}
