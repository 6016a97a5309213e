// SPDX-License-Identifier: MIT OR Apache-2.0
//! Loading a policy directory into the kernel's files and activating it (reference 12.1, 12.2).
//!
//! The order is profile, exception_policy, domain_policy, manager: profiles first, because `use_profile` names them;
//! manager last, because it says who may write from then on. 1.7's loader goes on when a line is wrong and nobody hears
//! of it. Here a rejected line is a failure: a lost `use_profile 3` would leave a domain unguarded without a sign.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use crate::chunks::{chunks, CHUNK};
use crate::failure::{one_line, Failure};

/// The policy files in the order in which they are loaded; the flag says whether the policy is useless without it.
const FILES: [(&str, bool); 4] =
    [("profile", true), ("exception_policy", true), ("domain_policy", true), ("manager", false)];

/// More rejected lines than this are counted but not shown: the console is slow and the first ones tell the cause.
const SHOWN: usize = 32;

/// What was loaded.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Lines with content of all files together; a comment has none.
    pub lines: usize,
    /// The kernel had an active policy already; nothing was written.
    pub already_active: bool,
}

/// The files of the running kernel. The one implementation here is the directory that the kernel provides; tests put the policy
/// core itself behind the trait.
pub trait Kernel {
    /// The whole text of a file.
    ///
    /// # Errors
    /// The system's.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Opens a file; each write into the result is one write of the file.
    ///
    /// # Errors
    /// The system's.
    fn open(&self, name: &str) -> io::Result<impl Write>;

    /// What messages call a file.
    fn path(&self, name: &str) -> PathBuf;
}

/// A directory of the kernel, normally `/sys/kernel/security/sekisho`.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Kernel for Directory {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(name))
    }

    fn open(&self, name: &str) -> io::Result<impl Write> {
        fs::OpenOptions::new().write(true).open(self.path(name))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// The running kernel's interface and the directory that is loaded into it.
#[derive(Debug)]
pub struct Loader<K> {
    kernel: K,
    policy: PathBuf,
}

impl Loader<Directory> {
    /// `kernel` is normally `/sys/kernel/security/sekisho`.
    pub fn new(kernel: impl Into<PathBuf>, policy: impl Into<PathBuf>) -> Self {
        Loader::with_kernel(Directory(kernel.into()), policy)
    }
}

impl<K: Kernel> Loader<K> {
    /// Loads into `kernel`, wherever that is.
    pub fn with_kernel(kernel: K, policy: impl Into<PathBuf>) -> Self {
        Self { kernel, policy: policy.into() }
    }

    /// Loads and activates. `say` gets each line for the console that is no failure.
    ///
    /// # Errors
    /// The one [`Failure`] that stopped it. The policy is not active then.
    pub fn run(&self, say: &mut dyn FnMut(&str)) -> Result<Loaded, Failure> {
        if self.read("activate")?.trim() == "1" {
            say("a policy is active already, nothing was loaded");
            return Ok(Loaded { lines: 0, already_active: true });
        }
        let before = self.rejected()?;
        let mut loaded = Loaded::default();
        for (name, required) in FILES {
            loaded.lines += self.load_file(name, required, say)?;
        }
        let rejected = self.rejected()?.saturating_sub(before);
        if rejected > 0 {
            self.show_rejected(rejected, say);
            return Err(Failure::new(
                format!("{rejected} line(s) of the policy in {} were rejected", self.policy.display()),
                "each is shown above with its column and reason",
                "correct or delete these lines; the policy was not activated",
            ));
        }
        self.activate()?;
        Ok(loaded)
    }

    /// Copies one policy file; returns how many lines with content it has.
    fn load_file(&self, name: &str, required: bool, say: &mut dyn FnMut(&str)) -> Result<usize, Failure> {
        let source = self.policy.join(name);
        let text = match fs::read(&source) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound && !required => {
                say(&format!("{} does not exist, skipped", source.display()));
                return Ok(0);
            }
            Err(e) => return Err(Failure::new(
                format!("cannot read the policy file {}", source.display()),
                e,
                "put the policy there or name its directory with sekisho.policy= on the kernel command line",
            )),
        };
        self.write(name, &text).map_err(|e| {
            Failure::new(
                format!("cannot load {} into {}", source.display(), self.kernel.path(name).display()),
                e,
                "check that nothing else writes policy and that there is enough memory",
            )
        })?;
        Ok(text.split(|&b| b == b'\n').filter(|line| !matches!(line.trim_ascii(), [] | [b'#', ..])).count())
    }

    /// Writes whole lines at a time; a file without a final newline gets one, as the last line would be lost otherwise.
    fn write(&self, name: &str, text: &[u8]) -> io::Result<()> {
        let mut file = self.kernel.open(name)?;
        for piece in chunks(text, CHUNK) {
            if piece.ends_with(b"\n") {
                file.write_all(piece)?;
            } else {
                file.write_all(&[piece, b"\n"].concat())?;
            }
        }
        Ok(())
    }

    fn activate(&self) -> Result<(), Failure> {
        let result = self.write("activate", b"1\n");
        let active = self.read("activate")?;
        match result {
            Ok(()) if active.trim() == "1" => Ok(()),
            Ok(()) => Err(Failure::new(
                "the policy was loaded but is not active",
                format!(
                    "{} reads {:?} after 1 was written to it",
                    self.kernel.path("activate").display(),
                    active.trim()
                ),
                "compare the versions of sekisho-init and the kernel",
            )),
            Err(e) => {
                let reason = self.read("errors").ok().and_then(|text| text.lines().last().map(one_line));
                Err(Failure::new(
                    "the kernel refused to activate the policy",
                    reason.unwrap_or_else(|| e.to_string()),
                    "give PROFILE_VERSION=20090903 in profile and define each profile that a domain uses",
                ))
            }
        }
    }

    /// The value of `rejected_lines` in `stat`.
    fn rejected(&self) -> Result<usize, Failure> {
        let stat = self.read("stat")?;
        stat.lines()
            .find_map(|line| line.strip_prefix("rejected_lines "))
            .and_then(|value| value.trim().parse().ok())
            .ok_or_else(|| {
                Failure::new(
                    format!("no line rejected_lines in {}", self.kernel.path("stat").display()),
                    "it is needed to see whether the kernel took every policy line",
                    "compare the versions of sekisho-init and the kernel",
                )
            })
    }

    /// Shows the newest `count` entries of `errors` (the kernel keeps the last 128).
    fn show_rejected(&self, count: usize, say: &mut dyn FnMut(&str)) {
        let errors = self.read("errors").unwrap_or_default();
        let lines: Vec<&str> = errors.lines().collect();
        let new = lines.get(lines.len().saturating_sub(count)..).unwrap_or_default();
        for line in new.iter().take(SHOWN) {
            say(&format!("rejected {}", one_line(line)));
        }
        let hidden = count.saturating_sub(new.len().min(SHOWN));
        if hidden > 0 {
            say(&format!("and {hidden} more rejected line(s)"));
        }
    }

    fn read(&self, name: &str) -> Result<String, Failure> {
        self.kernel.read(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(|e| {
            Failure::new(
                format!("cannot read {}", self.kernel.path(name).display()),
                e,
                "boot a kernel with CONFIG_SECURITY_SEKISHO=y and with sekisho in CONFIG_LSM or lsm=",
            )
        })
    }
}

/// Checks the text of `/sys/kernel/security/lsm`.
///
/// # Errors
/// The kernel runs without Sekisho.
pub fn check_lsm(list: &io::Result<String>) -> Result<(), Failure> {
    const ADVICE: &str =
        "boot a kernel with CONFIG_SECURITY_SEKISHO=y and name sekisho in CONFIG_LSM or in lsm= on the command line";
    match list {
        Ok(text) if text.trim().split(',').any(|name| name == "sekisho") => Ok(()),
        Ok(text) => Err(Failure::new(
            "the kernel does not run the security module sekisho",
            format!("active are: {}", text.trim()),
            ADVICE,
        )),
        Err(e) => Err(Failure::new(
            "the kernel does not tell its security modules",
            format!("/sys/kernel/security/lsm: {e}"),
            ADVICE,
        )),
    }
}
