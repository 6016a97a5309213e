// SPDX-License-Identifier: MIT OR Apache-2.0
//! The policy cases, asked of the code that this kernel decides with: through the file `rehearsal`, on a policy of their own.
//!
//! The tests of the core play the same cases on the host; what is new here is the compiler's work for this architecture and the
//! kernel's containers.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};

use corpus::{cases, expand, Outcome, Style, FILES};
use guest::kernel;
use guest::tap::Tap;

pub fn run(tap: &mut Tap) {
    tap.topic("corpus");
    for (name, text) in FILES {
        for style in [Style::Section, Style::Line] {
            match play(name, text, style) {
                Ok(Outcome { verdicts, wrong }) => {
                    let title = format!("{name}, an edit a {style:?}: {verdicts} verdicts");
                    tap.check(&title, wrong.is_empty() && verdicts > 0, || {
                        wrong.first().cloned().unwrap_or_default()
                    });
                }
                Err(error) => tap.check(name, false, || error),
            }
        }
    }
}

/// Plays all cases of a file.
fn play(name: &str, text: &str, style: Style) -> Result<Outcome, String> {
    let text = expand(text)?;
    let mut all = Outcome::default();
    for case in cases(name, &text)? {
        let mut kernel = open()?;
        let outcome = case.play(style, &mut |command| ask(&mut kernel, command))?;
        all.verdicts += outcome.verdicts;
        all.wrong.extend(outcome.wrong);
    }
    Ok(all)
}

/// An empty policy in the kernel.
fn open() -> Result<File, String> {
    let path = kernel::path("rehearsal");
    OpenOptions::new().read(true).write(true).open(&path).map_err(|e| format!("cannot open {path}: {e}"))
}

/// One command and its answer.
fn ask(kernel: &mut File, command: &str) -> Result<String, String> {
    let line = format!("{command}\n");
    kernel.write_all(line.as_bytes()).map_err(|e| format!("{command}: cannot be written: {e}"))?;
    let mut answer = Vec::new();
    kernel.read_to_end(&mut answer).map_err(|e| format!("{command}: no answer: {e}"))?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
