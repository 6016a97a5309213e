// SPDX-License-Identifier: MIT OR Apache-2.0
//! The running kernel's policy: its files in securityfs, and their text.
//!
//! [`PolicyPort`] is the boundary: lines go in, text comes out. The one implementation here is the directory that the
//! kernel provides; tests put the policy core itself behind the trait.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;

use sekisho_core::name::is_valid_domain;
use thiserror::Error;

/// Largest piece of one `write`, in bytes: whole lines in one page, which every kernel takes at once.
const WRITE_SIZE: usize = 4096;

/// The policy files that the resolver uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyFile {
    /// `domain_policy`
    Domain,
    /// `exception_policy`
    Exception,
}

impl PolicyFile {
    /// Its name in the directory.
    pub const fn name(self) -> &'static str {
        match self {
            PolicyFile::Domain => "domain_policy",
            PolicyFile::Exception => "exception_policy",
        }
    }
}

/// What went wrong between the resolver and the kernel.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KernelError {
    /// There is no such file.
    #[error("{0} does not exist: is securityfs mounted, and does lsm= or CONFIG_LSM name sekisho?")]
    Missing(String),
    /// The write was refused.
    #[error("the kernel does not let this program write policy: list it in the file 'manager', and run it as root ({0})")]
    NotManager(String),
    /// Another failure.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The domain for the rules is not in the policy.
    #[error("the policy has no domain '{0}'; the device's policy has to define it with its profile, because a domain made here would have profile 0")]
    NoDomain(String),
    /// A line is not in the policy after it was written.
    #[error("the kernel did not take '{line}'{detail}")]
    NotTaken {
        /// The line.
        line: String,
        /// What the file `errors` says, or nothing.
        detail: String,
    },
    /// A line is still in the policy after it was deleted.
    #[error("the kernel still has '{line}' after it was deleted{detail}")]
    NotDeleted {
        /// The line.
        line: String,
        /// What the file `errors` says, or nothing.
        detail: String,
    },
}

/// Access to the kernel's policy.
pub trait PolicyPort {
    /// The whole text of a file.
    fn read(&self, file: PolicyFile) -> Result<Vec<u8>, KernelError>;

    /// Writes lines (without line ends) through one descriptor, so that a domain line holds for those behind it.
    fn write(&self, file: PolicyFile, lines: &[String]) -> Result<(), KernelError>;

    /// The latest rejected line with its reason, for messages.
    fn last_rejected(&self) -> Option<String>;
}

/// The directory in securityfs.
#[derive(Debug)]
pub struct Securityfs {
    directory: PathBuf,
}

impl Securityfs {
    /// `directory` is normally `/sys/kernel/security/sekisho`.
    pub fn new(directory: impl Into<PathBuf>) -> Securityfs {
        Securityfs { directory: directory.into() }
    }

    fn error(&self, file: PolicyFile, source: io::Error) -> KernelError {
        let path = self.directory.join(file.name()).display().to_string();
        match source.kind() {
            io::ErrorKind::NotFound => KernelError::Missing(path),
            io::ErrorKind::PermissionDenied => KernelError::NotManager(path),
            _ => KernelError::Io { path, source },
        }
    }
}

impl PolicyPort for Securityfs {
    fn read(&self, file: PolicyFile) -> Result<Vec<u8>, KernelError> {
        std::fs::read(self.directory.join(file.name())).map_err(|error| self.error(file, error))
    }

    fn write(&self, file: PolicyFile, lines: &[String]) -> Result<(), KernelError> {
        let write = || {
            let mut open = OpenOptions::new().write(true).open(self.directory.join(file.name()))?;
            pieces(lines).try_for_each(|piece| open.write_all(piece.as_bytes()))
        };
        write().map_err(|error| self.error(file, error))
    }

    fn last_rejected(&self) -> Option<String> {
        let text = std::fs::read(self.directory.join("errors")).ok()?;
        let last = text.split(|&byte| byte == b'\n').rfind(|line| !line.is_empty())?;
        Some(String::from_utf8_lossy(last).into_owned())
    }
}

/// The lines with their ends, in as few pieces of at most [`WRITE_SIZE`] bytes as there can be; a longer line is a piece of its
/// own.
fn pieces(lines: &[String]) -> impl Iterator<Item = String> + '_ {
    let mut rest = lines.iter().peekable();
    std::iter::from_fn(move || {
        let mut piece = format!("{}\n", rest.next()?);
        while let Some(line) = rest.next_if(|line| piece.len() + line.len() < WRITE_SIZE) {
            piece.push_str(line);
            piece.push('\n');
        }
        Some(piece)
    })
}

/// The text of both files, taken apart.
#[derive(Debug, Default)]
pub struct PolicyText {
    domains: Vec<(String, Vec<String>)>,
    exceptions: Vec<String>,
}

impl PolicyText {
    /// Reads both files.
    pub fn read(port: &impl PolicyPort) -> Result<PolicyText, KernelError> {
        let domains = port.read(PolicyFile::Domain)?;
        let exceptions = port.read(PolicyFile::Exception)?;
        Ok(PolicyText::parse(&domains, &exceptions))
    }

    /// Takes apart what the kernel printed (reference 10.5 and 3.10).
    pub fn parse(domain_policy: &[u8], exception_policy: &[u8]) -> PolicyText {
        let mut text = PolicyText { domains: Vec::new(), exceptions: lines(exception_policy).collect() };
        for line in lines(domain_policy) {
            if is_valid_domain(line.as_bytes()) {
                text.domains.push((line, Vec::new()));
            } else if let Some((_, rules)) = text.domains.last_mut() {
                rules.push(line);
            }
        }
        text
    }

    /// Whether the domain exists.
    pub fn has_domain(&self, domain: &str) -> bool {
        self.domains.iter().any(|(name, _)| name == domain)
    }

    /// All lines of all domains, each with its domain's name.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &str)> {
        self.domains.iter().flat_map(|(name, rules)| rules.iter().map(|rule| (name.as_str(), rule.as_str())))
    }

    /// Whether the domain has the ACL line. Read and write bits of one path are shown as `allow_read/write`
    /// (reference 4.4.1), which has the other two.
    pub fn has_rule(&self, domain: &str, rule: &str) -> bool {
        let merged = ["allow_read ", "allow_write "]
            .iter()
            .find_map(|keyword| rule.strip_prefix(keyword))
            .map(|rest| format!("allow_read/write {rest}"));
        self.rules().any(|(name, line)| name == domain && (line == rule || Some(line) == merged.as_deref()))
    }

    /// The lines of the exception policy.
    pub fn exceptions(&self) -> impl Iterator<Item = &str> {
        self.exceptions.iter().map(String::as_str)
    }

    /// The members of a number group, as printed.
    pub fn numbers<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a str> {
        self.exceptions().filter_map(move |line| {
            line.strip_prefix("number_group ")?.strip_prefix(group)?.strip_prefix(' ')
        })
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = String> + '_ {
    text.split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| String::from_utf8_lossy(line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_as_large_as_it_may_be() {
        let cut = |lengths: &[usize]| -> Vec<usize> {
            let lines: Vec<String> = lengths.iter().map(|length| "x".repeat(*length)).collect();
            let pieces: Vec<String> = pieces(&lines).collect();
            assert_eq!(pieces.concat(), lines.iter().map(|line| format!("{line}\n")).collect::<String>());
            pieces.iter().map(String::len).collect()
        };
        assert_eq!(cut(&[]), [0; 0]);
        assert_eq!(cut(&[10, 20, 30]), [63]);
        // 4096 bytes with both line ends, and one more.
        assert_eq!(cut(&[4000, 94]), [4096]);
        assert_eq!(cut(&[4000, 95]), [4001, 96]);
        assert_eq!(cut(&[0; 4097]), [4096, 1]);
        assert_eq!(cut(&[1, 9000, 1, 1]), [2, 9001, 4]);
    }

    #[test]
    fn long_texts_are_written_in_whole_lines() {
        let root = tempfile::tempdir().unwrap();
        let port = Securityfs::new(root.path());
        let rules: Vec<String> = (0..300).map(|number| format!("allow_read /{number:0>1000}")).collect();
        assert!(matches!(port.write(PolicyFile::Domain, &rules), Err(KernelError::Missing(_))));
        std::fs::write(root.path().join("domain_policy"), "").unwrap();
        port.write(PolicyFile::Domain, &rules).unwrap();
        let text = port.read(PolicyFile::Domain).unwrap();
        assert_eq!(text, format!("{}\n", rules.join("\n")).into_bytes());
        assert_eq!(port.last_rejected(), None);
        std::fs::write(root.path().join("errors"), "domain_policy:1:1: no: x\ndomain_policy:2:1: no: y\n")
            .unwrap();
        assert_eq!(port.last_rejected().as_deref(), Some("domain_policy:2:1: no: y"));
    }

    #[test]
    fn text_is_taken_apart() {
        let domains =
            "<kernel>\nuse_profile 0\n\n\n<kernel> /a\nuse_profile 3\n\nallow_read/write /x if task.uid=@G\n\n";
        let exceptions = "number_group G 1\nnumber_group GG 2\nnumber_group G 3-5\n";
        let text = PolicyText::parse(domains.as_bytes(), exceptions.as_bytes());
        assert!(text.has_domain("<kernel> /a") && !text.has_domain("<kernel> /b"));
        for rule in ["allow_read", "allow_write", "allow_read/write"] {
            assert!(text.has_rule("<kernel> /a", &format!("{rule} /x if task.uid=@G")));
            assert!(!text.has_rule("<kernel>", &format!("{rule} /x if task.uid=@G")));
        }
        assert!(!text.has_rule("<kernel> /a", "allow_unlink /x if task.uid=@G"));
        assert_eq!(text.numbers("G").collect::<Vec<_>>(), ["1", "3-5"]);
    }
}
