// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a check found, and how it is told.

use std::io::{self, Write};
use std::path::PathBuf;

use sekisho_core::mem::Vec as Text;
use sekisho_core::text::put_shown;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The kernel would not accept the line.
    Rejected,
    /// It would accept the line, and not activate the policy because of it.
    NotActivated,
    /// The line does less than it seems to, or something else.
    Warning,
}

/// Something that was found in a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file.
    pub file: PathBuf,
    /// Line and column, from 1; nothing if it is the file as a whole.
    pub place: Option<(usize, u32)>,
    /// What is wrong and what would be right.
    pub message: String,
    /// The line as the kernel's file `errors` shows it.
    pub text: String,
    /// Lines to write instead, if that is known.
    pub instead: Vec<String>,
}

/// A line as the kernel's file `errors` shows it.
pub fn shown(line: &[u8]) -> String {
    let mut text = Text::new();
    match put_shown(line, &mut text) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => String::new(),
    }
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// Lines that were accepted and say something.
    pub accepted: usize,
    /// What was found, in the order of files and lines.
    pub findings: Vec<Finding>,
    /// Why the policy as a whole could not be activated.
    pub inactive: Option<String>,
    /// Bytes that the policy would take in the kernel's policy core, on this machine's word size.
    pub memory: usize,
}

impl Report {
    /// Number of findings that are that bad.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Whether a device could boot from the directory.
    pub fn is_good(&self) -> bool {
        self.inactive.is_none()
            && self.count(Severity::Rejected) == 0
            && self.count(Severity::NotActivated) == 0
    }

    /// Writes everything: errors as the kernel's file `errors` has them but for the directory, warnings with a word that says
    /// so, and how many there are at the end.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for finding in &self.findings {
            finding.write(out)?;
        }
        if let Some(reason) = &self.inactive {
            writeln!(out, "not activated: {reason}")?;
        }
        writeln!(
            out,
            "{} lines accepted, {} rejected, {} warnings, {} bytes of policy",
            self.accepted,
            self.count(Severity::Rejected),
            self.count(Severity::Warning),
            self.memory
        )
    }
}

impl Finding {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{}:", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(out, "{line}:{column}:")?;
        }
        let kind = match self.severity {
            Severity::Rejected => "",
            Severity::NotActivated => "not activated: ",
            Severity::Warning => "warning: ",
        };
        write!(out, " {kind}{}", self.message)?;
        if self.place.is_some() {
            write!(out, ": {}", self.text)?;
        }
        writeln!(out)?;
        self.instead.iter().try_for_each(|line| writeln!(out, "    write {line}"))
    }
}
