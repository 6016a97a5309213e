// SPDX-License-Identifier: MIT OR Apache-2.0
//! Policy directories, and the program that is run on them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Profiles as most policies have them.
pub const PROFILE: &str =
    "PROFILE_VERSION=20090903\n0-CONFIG={ mode=disabled }\n3-CONFIG={ mode=enforcing }\n";

/// A directory with these files; a profile and an exception_policy are there if they are not among them.
pub fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("profile", PROFILE);
    write("exception_policy", "");
    files.iter().for_each(|(name, text)| write(name, text));
    directory
}

/// The program, to be run.
pub fn sekisho() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    command.stdin(Stdio::null()).env_remove("RUST_BACKTRACE");
    command
}

/// What the program said.
pub struct Said {
    /// Its exit status.
    pub status: i32,
    /// The lines of its output.
    pub out: Vec<String>,
    /// What it complained of.
    pub err: String,
}

impl Said {
    fn new(output: &Output) -> Said {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let err = text(&output.stderr);
        assert!(!err.contains("panicked"), "{err}");
        Said {
            status: output.status.code().expect("no signal"),
            out: text(&output.stdout).lines().map(str::to_owned).collect(),
            err,
        }
    }

    /// The lines of the output but for the last, which counts, with the directory left out.
    pub fn findings(&self, directory: &Path) -> Vec<String> {
        let prefix = format!("{}/", directory.display());
        let (_, lines) = self.out.split_last().expect("a line that counts");
        lines.iter().map(|line| line.strip_prefix(&prefix).unwrap_or(line).to_owned()).collect()
    }

    /// The line that counts.
    pub fn count(&self) -> &str {
        self.out.last().expect("a line that counts")
    }
}

/// Runs the program to its end.
pub fn run(arguments: &[&str]) -> Said {
    Said::new(&sekisho().args(arguments).output().unwrap())
}

/// `sekisho check DIRECTORY`
pub fn check(directory: &Path) -> Said {
    run(&["check", directory.to_str().unwrap()])
}

/// `sekisho check --strict DIRECTORY`
pub fn check_strictly(directory: &Path) -> Said {
    run(&["check", "--strict", directory.to_str().unwrap()])
}
