// SPDX-License-Identifier: MIT OR Apache-2.0
//! Printing what was expected and what happened, and counting across the reboot.

use std::fs;
use std::io;

/// The count so far, kept on /data while the machine reboots.
#[derive(Debug, Default)]
pub struct Steps {
    held: usize,
    failed: usize,
}

impl Steps {
    /// One step. The line ends in `ok` or `FAILED`.
    pub fn step(&mut self, letter: &str, title: &str, expected: &str, happened: &str) {
        let verdict = if expected == happened {
            self.held += 1;
            "ok"
        } else {
            self.failed += 1;
            "FAILED"
        };
        println!("step {letter}: {title}; expected: {expected}; happened: {happened}; {verdict}");
    }

    /// One step with more to say when it fails.
    pub fn holds(
        &mut self,
        letter: &str,
        title: &str,
        expected: &str,
        holds: bool,
        otherwise: impl FnOnce() -> String,
    ) {
        let happened = if holds { expected.to_owned() } else { otherwise().replace('\n', " | ") };
        self.step(letter, title, expected, &happened);
    }

    /// Whether everything held so far.
    pub fn all_held(&self) -> bool {
        self.failed == 0
    }

    /// Keeps the count in a file.
    pub fn save(&self, path: &str) -> io::Result<()> {
        fs::write(path, format!("{} {}\n", self.held, self.failed))
    }

    /// The count kept in a file, none if there is no file.
    pub fn restore(path: &str) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let (held, failed) = text.trim().split_once(' ')?;
        Some(Self { held: held.parse().ok()?, failed: failed.parse().ok()? })
    }

    /// The last line.
    pub fn finish(&self) {
        if self.failed == 0 {
            println!("story: all {} steps held", self.held);
        } else {
            println!("story: {} of {} steps FAILED", self.failed, self.held + self.failed);
        }
    }
}
