// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the sections of a case to commands, and from answers to verdicts.

use crate::{Case, Section};

/// How many lines share an edit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// All of a section.
    Section,
    /// Each has its own.
    Line,
}

/// What came of a case.
#[derive(Default)]
pub struct Outcome {
    /// Expected answers that were compared.
    pub verdicts: usize,
    /// Where another one came.
    pub wrong: Vec<String>,
}

/// Something that executes a command and says what it answers.
type Ask<'a> = dyn FnMut(&str) -> Result<String, String> + 'a;

impl Case<'_> {
    /// Plays the case. `ask` executes one command of `sekisho_core::rehearsal`; the policy behind it must be empty.
    ///
    /// # Errors
    /// `ask` failed, or the case is not written as it should be.
    pub fn play(&self, style: Style, ask: &mut Ask<'_>) -> Result<Outcome, String> {
        let mut outcome = Outcome::default();
        for section in &self.sections {
            let mut place = format!("{} (line {}, an edit a {style:?})", self.place, section.number);
            let played = Player { place: &mut place, style, ask, outcome: &mut outcome }.section(section);
            played.map_err(|error| format!("{place}: {error}"))?;
        }
        Ok(outcome)
    }
}

struct Player<'a, 'f> {
    place: &'a mut str,
    style: Style,
    ask: &'a mut Ask<'f>,
    outcome: &'a mut Outcome,
}

impl Player<'_, '_> {
    fn section(&mut self, section: &Section<'_>) -> Result<(), String> {
        let (kind, rest) = section.head.split_once(' ').unwrap_or((section.head, ""));
        let lines = || section.body.iter().copied().filter(|line| !line.trim().is_empty());
        match kind {
            "domain" | "exception" | "profile" | "manager" => self.in_edit(|player| {
                for line in &section.body {
                    let answer = player.ask(&format!("{kind} {line}"))?;
                    player.expect(line, &answer, answer == "ok");
                }
                Ok(())
            }),
            "reject" => self.in_edit(|player| {
                for line in lines() {
                    let (expected, line) = line.split_once(" | ").ok_or("no |")?;
                    let (column, reason) = expected.split_once(' ').ok_or("no column")?;
                    let answer = player.ask(&format!("{rest} {line}"))?;
                    let error = answer.strip_prefix("rejected ").and_then(|error| error.split_once(' '));
                    let is_so = error.is_some_and(|(at, why)| at == column && why.starts_with(reason.trim()));
                    player.verdict(line, &answer, is_so);
                }
                Ok(())
            }),
            "warn" => {
                for line in lines() {
                    let (expected, line) = line.split_once(" | ").ok_or("no |")?;
                    let answer = self.ask(&format!("warn {rest}\t{line}"))?;
                    // All warnings about a line are there, from left to right, joined by ` & `.
                    let expected: Vec<&str> = expected.trim().split(" & ").collect();
                    let found: Vec<&str> = answer.lines().collect();
                    let mut pairs = found.iter().zip(&expected);
                    let is_so = found.len() == expected.len()
                        && pairs.all(|(found, expected)| found.starts_with(expected));
                    self.verdict(line, &answer, is_so);
                }
                Ok(())
            }
            "activate" | "collect" => {
                let answer = self.ask(kind)?;
                self.expect(kind, &answer, answer == "ok");
                Ok(())
            }
            "not-activated" => {
                for line in lines() {
                    let answer = self.ask("activate")?;
                    self.verdict(line, &answer, answer != "ok" && answer.starts_with(line));
                }
                Ok(())
            }
            "request" | "decide" | "set" | "manage" | "rewrite" | "autobind" | "learn" => {
                for line in lines() {
                    let mut words: Vec<&str> = line.split_whitespace().collect();
                    let question = words.split_off(words_of_answer(kind).min(words.len())).join(" ");
                    let answer = self.ask(&question_about(kind, rest, &question))?;
                    self.verdict(line, &answer, words.join(" ") == answer);
                }
                Ok(())
            }
            "aggregate" | "pattern" | "next" => {
                for line in lines() {
                    let (question, expected) = line.split_once(" => ").ok_or("no =>")?;
                    let answer = self.ask(&question_about(kind, rest, question))?;
                    self.verdict(line, &answer, expected == answer);
                }
                Ok(())
            }
            "record" => {
                let (line, expected) = section.body.split_first().ok_or("no request")?;
                let answer = self.ask(&question_about(kind, rest, line))?;
                self.verdict(line, &answer, answer.trim_end() == expected.join("\n").trim_end());
                Ok(())
            }
            "print" => {
                let answer = self.ask(&format!("print {rest}"))?;
                self.verdict(rest, &answer, answer.trim_end() == section.body.join("\n").trim_end());
                Ok(())
            }
            _ => Err("unknown section".into()),
        }
    }

    /// Executes a command; the line feed at the end of its answer is taken off.
    fn ask(&mut self, command: &str) -> Result<String, String> {
        let mut answer = (self.ask)(command)?;
        if answer.ends_with('\n') {
            answer.pop();
        }
        Ok(answer)
    }

    fn in_edit(&mut self, lines: impl FnOnce(&mut Self) -> Result<(), String>) -> Result<(), String> {
        if self.style == Style::Line {
            return lines(self);
        }
        for (command, then) in [("begin", Some(lines)), ("end", None)] {
            let answer = self.ask(command)?;
            self.expect(command, &answer, answer == "ok");
            if let Some(lines) = then {
                lines(self)?;
            }
        }
        Ok(())
    }

    /// A verdict of the corpus.
    fn verdict(&mut self, line: &str, answer: &str, is_so: bool) {
        self.outcome.verdicts += 1;
        self.expect(line, answer, is_so);
    }

    /// Something that a case needs in order to go on.
    fn expect(&mut self, line: &str, answer: &str, is_so: bool) {
        if !is_so {
            self.outcome.wrong.push(format!("{}: {line}: {answer}", self.place));
        }
    }
}

/// The command that asks.
fn question_about(kind: &str, domain: &str, question: &str) -> String {
    if domain.is_empty() {
        format!("{kind} {question}")
    } else {
        format!("{kind} {domain}\t{question}")
    }
}

/// How many words at the beginning of a line of a section are the expected answer.
fn words_of_answer(kind: &str) -> usize {
    match kind {
        "decide" => 3,
        "set" => 2,
        _ => 1,
    }
}
