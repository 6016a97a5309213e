// SPDX-License-Identifier: MIT OR Apache-2.0
//! A policy that nobody is under, to be written and asked with commands in text.
//!
//! The policy cases (`tests/corpus/`) are played with it, on the host and through a file of a kernel under test: so the object
//! code that decides in the kernel is the one that is proved, on each architecture. A command is one line, and has one
//! answer of one or more lines:
//!
//! | command | answer |
//! |---|---|
//! | `domain LINE`, `exception`, `profile`, `manager` | `ok`, or `rejected COLUMN MESSAGE` |
//! | `begin`, `end` | `ok`; the lines in between are one edit |
//! | `activate` | `ok`, or what is missing |
//! | `collect` | `ok` |
//! | `request DOMAIN<TAB>QUESTION` | `granted` or `missed`: whether the policy has a line that grants it, whatever the mode |
//! | `decide DOMAIN<TAB>QUESTION` | mode, `granted` or `missed`, `log` or `nolog` |
//! | `set DOMAIN<TAB>QUESTION` | `granted` or `missed`, and what is assigned to the state bytes: `1,-,-` |
//! | `learn DOMAIN<TAB>QUESTION` | `added`, `already`, `quota` or `skipped` |
//! | `record DOMAIN<TAB>QUESTION` or `note TEXT` | the audit record |
//! | `manage DOMAIN<TAB>FACTS PROGRAM` | `yes` or `no` |
//! | `next DOMAIN<TAB>PROGRAM` | the name of a domain, or `too long` |
//! | `aggregate NAME`, `pattern NAME` | a word |
//! | `rewrite NAME`, `autobind PORT` | `yes` or `no` |
//! | `warn FILE<TAB>LINE` | `none`, or one `COLUMN MESSAGE` a line |
//! | `print FILE` | the text of the file; `transitions` is domain_policy behind `select allow_execute` |
//!
//! What is no command, or is about something that does not exist, has an answer that begins with `?`.

use crate::audit::{self, Header, NoRecord};
use crate::domain::DomainId;
use crate::edit::{Cursor, Edit, EditError};
use crate::engine::{self, Decision, Mode};
use crate::learn::Learned;
use crate::mem::{Box, OutOfMemory, Vec};
use crate::name::Name;
use crate::number::Number;
use crate::policy::Policy;
use crate::question::{self, cut, Given, Question, QuestionError};
use crate::text::{self, Normal, ParseError, Sink, Words};
use crate::transaction::PolicyFile;
use crate::transition::next_domain;
use crate::warning::{self, Warning};

/// The time of all records.
const TIMESTAMP: u64 = 1_300_000_000;

/// The policy.
pub struct Rehearsal {
    policy: Box<Policy>,
    /// Between `begin` and `end`.
    edit: Option<Edit>,
    cursor: Cursor,
}

/// Why a command has no answer.
enum Problem {
    OutOfMemory,
    /// What is said instead.
    Says(&'static str),
}

impl From<OutOfMemory> for Problem {
    fn from(_: OutOfMemory) -> Self {
        Problem::OutOfMemory
    }
}

impl From<EditError> for Problem {
    fn from(error: EditError) -> Self {
        match error {
            EditError::OutOfMemory | EditError::Quota => Problem::OutOfMemory,
            EditError::Parse(error) => Problem::Says(error.reason.message()),
        }
    }
}

impl From<QuestionError> for Problem {
    fn from(error: QuestionError) -> Self {
        match error {
            QuestionError::OutOfMemory => Problem::OutOfMemory,
            error => Problem::Says(error.message()),
        }
    }
}

const NO_DOMAIN: Problem = Problem::Says("no such domain");
const NO_NAME: Problem = Problem::Says(QuestionError::Name.message());

/// The policy of the beginning. A frame of its own, because a policy by value takes stack.
#[inline(never)]
fn empty() -> Result<Box<Policy>, OutOfMemory> {
    Box::new(Policy::new()?)
}

impl Rehearsal {
    /// Begins as a kernel does: not active, and nothing there but `<kernel>`.
    ///
    /// # Errors
    /// Out of memory.
    pub fn new() -> Result<Rehearsal, OutOfMemory> {
        Ok(Rehearsal { policy: empty()?, edit: None, cursor: Cursor::default() })
    }

    /// The policy as the commands so far have made it.
    pub fn policy(&self) -> &Policy {
        match &self.edit {
            Some(edit) => edit.policy(),
            None => &self.policy,
        }
    }

    /// Executes a command and appends its answer, which ends in a line feed.
    ///
    /// # Errors
    /// Out of memory. Then the policy is what it was, but the answer may be there in part.
    pub fn command(&mut self, line: &[u8], answer: &mut Vec<u8>) -> Result<(), OutOfMemory> {
        let (verb, rest) = cut(line, b' ').unwrap_or((line, b""));
        let done = match verb {
            b"domain" | b"exception" | b"profile" | b"manager" => match file(verb) {
                Some(file) => self.write(file, rest, answer),
                None => Ok(()),
            },
            b"begin" | b"end" | b"activate" | b"collect" => self.change(verb, answer),
            b"learn" => self.learn(rest, answer),
            b"print" => self.print(rest, answer),
            b"warn" => warn(rest, answer),
            _ => self.ask(verb, rest, answer),
        };
        match done {
            Ok(()) => {}
            Err(Problem::OutOfMemory) => return Err(OutOfMemory),
            Err(Problem::Says(message)) => {
                answer.put(b"? ")?;
                answer.put(message.as_bytes())?;
            }
        }
        if answer.last() != Some(&b'\n') {
            answer.put(b"\n")?;
        }
        Ok(())
    }

    /// A line of a policy file.
    #[inline(never)]
    fn write(&mut self, file: PolicyFile, line: &[u8], answer: &mut Vec<u8>) -> Result<(), Problem> {
        let written = match &mut self.edit {
            Some(edit) => write_line(edit, file, &mut self.cursor, line),
            None => {
                let mut edit = self.policy.edit()?;
                let written = write_line(&mut edit, file, &mut self.cursor, line);
                if written != Err(EditError::OutOfMemory) {
                    *self.policy = edit.commit();
                }
                written
            }
        };
        match written {
            Ok(()) => answer.put(b"ok")?,
            Err(EditError::OutOfMemory) => {
                self.edit = None;
                return Err(Problem::OutOfMemory);
            }
            Err(EditError::Quota) => answer.put(b"rejected 0 over the quota")?,
            Err(EditError::Parse(ParseError { column, reason })) => {
                answer.put(b"rejected ")?;
                text::put_u32(answer, column)?;
                answer.put(b" ")?;
                reason.print(answer)?;
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn change(&mut self, verb: &[u8], answer: &mut Vec<u8>) -> Result<(), Problem> {
        match (verb, self.edit.take()) {
            (b"begin", None) => self.edit = Some(self.policy.edit()?),
            (b"begin", edit) => {
                self.edit = edit;
                return Err(Problem::Says("there is an edit already; write end"));
            }
            (b"end", None) => return Err(Problem::Says("there is no edit; write begin")),
            (b"end", Some(edit)) => *self.policy = edit.commit(),
            (_, edit @ Some(_)) => {
                self.edit = edit;
                return Err(Problem::Says("not inside of an edit; write end"));
            }
            (b"activate", None) => {
                let mut missing = None;
                self.at_once(&mut |edit| {
                    missing = edit.activate().err();
                    Ok(())
                })?;
                if let Some(missing) = missing {
                    return Ok(missing.print(&self.policy, answer)?);
                }
            }
            (_, None) => self.at_once(&mut |edit| edit.collect(u32::MAX).map(drop))?,
        }
        Ok(answer.put(b"ok")?)
    }

    /// A change that is an edit of its own. A frame of its own, because an edit by value takes stack.
    #[inline(never)]
    fn at_once(
        &mut self,
        change: &mut dyn FnMut(&mut Edit) -> Result<(), OutOfMemory>,
    ) -> Result<(), OutOfMemory> {
        let mut edit = self.policy.edit()?;
        change(&mut edit)?;
        *self.policy = edit.commit();
        Ok(())
    }

    #[inline(never)]
    fn learn(&mut self, rest: &[u8], answer: &mut Vec<u8>) -> Result<(), Problem> {
        let (id, line) = self.domain_and_text(rest)?;
        let line = Normal::new(line)?;
        let question = Question::parse(line.bytes())?;
        let mut learned = Learned::Skipped;
        self.at_once(&mut |edit| {
            learned = edit.learn(id, &question.given.facts(), &question.request)?;
            Ok(())
        })?;
        Ok(answer.put(match learned {
            Learned::Added => b"added",
            Learned::Already => b"already",
            Learned::QuotaExceeded => b"quota",
            Learned::Skipped => b"skipped",
        })?)
    }

    #[inline(never)]
    fn print(&self, name: &[u8], answer: &mut Vec<u8>) -> Result<(), Problem> {
        let policy = self.policy();
        Ok(match file(name) {
            Some(PolicyFile::Domain) => policy.print_domain_policy(answer),
            Some(PolicyFile::Exception) => policy.print_exception_policy(answer),
            Some(PolicyFile::Profile) => policy.print_profiles(answer),
            Some(PolicyFile::Manager) => policy.print_managers(answer),
            None if *name == *b"transitions" => policy.print_transitions(answer),
            None => return Err(NO_FILE),
        }?)
    }

    /// What changes nothing.
    fn ask(&self, verb: &[u8], rest: &[u8], answer: &mut Vec<u8>) -> Result<(), Problem> {
        let policy = self.policy();
        let name = || Name::new(rest).ok_or(NO_NAME);
        match verb {
            b"request" | b"decide" | b"set" => self.decide(verb, rest, answer),
            b"record" => self.record(rest, answer),
            b"manage" => self.manage(rest, answer),
            b"next" => self.next(rest, answer),
            b"rewrite" => yes_or_no(policy.is_rewrite_denied(name()?), answer),
            b"autobind" => {
                let port = Number::parse(rest).and_then(|port| u16::try_from(port.value).ok());
                yes_or_no(policy.is_autobind_denied(port.ok_or(Problem::Says("no port"))?), answer)
            }
            b"aggregate" => Ok(answer.put(policy.aggregate(name()?).as_bytes())?),
            b"pattern" => Ok(answer.put(policy.file_pattern(name()?))?),
            _ => Err(Problem::Says("no such command")),
        }
    }

    #[inline(never)]
    fn decide(&self, verb: &[u8], rest: &[u8], answer: &mut Vec<u8>) -> Result<(), Problem> {
        let (id, line) = self.domain_and_text(rest)?;
        let line = Normal::new(line)?;
        let question = Question::parse(line.bytes())?;
        let (policy, facts) = (self.policy(), question.given.facts());
        if *verb == *b"request" {
            let granted = engine::grants(policy, id, &facts, &question.request);
            return Ok(answer.put(if granted { b"granted" } else { b"missed" })?);
        }
        let Decision { mode, granted, log, set, .. } = engine::decide(policy, id, &facts, &question.request);
        if *verb == *b"decide" {
            answer.put(mode.word())?;
            answer.put(b" ")?;
        }
        answer.put(if granted { b"granted" } else { b"missed" })?;
        match verb {
            b"decide" => answer.put(if log { b" log" } else { b" nolog" })?,
            b"set" => {
                let mut before = b" ";
                for value in set {
                    answer.put(before)?;
                    before = b",";
                    match value {
                        Some(value) => text::put_u32(answer, value.into())?,
                        None => answer.put(b"-")?,
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    #[inline(never)]
    fn record(&self, rest: &[u8], answer: &mut Vec<u8>) -> Result<(), Problem> {
        let policy = self.policy();
        let (id, line) = self.domain_and_text(rest)?;
        let domain = policy.domain(id).ok_or(NO_DOMAIN)?;
        let line = Normal::new(line)?;
        let mut words = Words::new(line.bytes());
        let given = Given::parse(&mut words)?;
        let facts = given.facts();
        let profile = domain.profile();
        let preferences = policy.preferences(profile);
        let mut header =
            Header { timestamp: TIMESTAMP, global_pid: given.task.pid, mode: Mode::Disabled, profile };
        let mut record = Vec::new();
        let done = match words.peek() {
            Some((_, b"note")) => {
                words.next();
                let note = words.rest().strip_prefix(b" ").unwrap_or(&[]);
                audit::note(&mut record, &header, &preferences, &facts, domain.name(), note)
            }
            _ => {
                let request = question::request(&mut words)?;
                header.mode = engine::decide(policy, id, &facts, &request).mode;
                audit::record(&mut record, &header, &preferences, &facts, domain.name(), &request)
            }
        };
        match done {
            Ok(()) => Ok(answer.put(record.strip_suffix(b"\0").unwrap_or(&record))?),
            Err(NoRecord::OutOfMemory) => Err(Problem::OutOfMemory),
            Err(NoRecord::TooLong) => Err(Problem::Says("the record would be too long")),
        }
    }

    #[inline(never)]
    fn manage(&self, rest: &[u8], answer: &mut Vec<u8>) -> Result<(), Problem> {
        let (id, line) = self.domain_and_text(rest)?;
        let mut words = Words::new(line);
        let given = Given::parse(&mut words)?;
        let exe = match words.next() {
            Some((_, word)) => Some(Name::new(word).ok_or(NO_NAME)?),
            None => None,
        };
        yes_or_no(self.policy().is_manager(id, &given.task, exe), answer)
    }

    #[inline(never)]
    fn next(&self, rest: &[u8], answer: &mut Vec<u8>) -> Result<(), Problem> {
        let (id, program) = self.domain_and_text(rest)?;
        let next = next_domain(self.policy(), id, Name::new(program).ok_or(NO_NAME)?);
        if next.is_too_long() {
            return Ok(answer.put(b"too long")?);
        }
        Ok(next.print(answer)?)
    }

    /// The domain of `DOMAIN<TAB>TEXT`, and the text. `unknown` is a domain that does not exist.
    fn domain_and_text<'t>(&self, rest: &'t [u8]) -> Result<(DomainId, &'t [u8]), Problem> {
        let (name, text) = cut(rest, b'\t').ok_or(Problem::Says("write a domain, a tab and the question"))?;
        match name {
            b"unknown" => Ok((DomainId::from_bits(u64::MAX), text)),
            name => Ok((self.policy().find_domain(name).ok_or(NO_DOMAIN)?, text)),
        }
    }
}

const NO_FILE: Problem = Problem::Says("no such file; write domain, exception, profile or manager");

fn file(name: &[u8]) -> Option<PolicyFile> {
    Some(match name {
        b"domain" => PolicyFile::Domain,
        b"exception" => PolicyFile::Exception,
        b"profile" => PolicyFile::Profile,
        b"manager" => PolicyFile::Manager,
        _ => return None,
    })
}

fn write_line(edit: &mut Edit, file: PolicyFile, cursor: &mut Cursor, line: &[u8]) -> Result<(), EditError> {
    match file {
        PolicyFile::Domain => edit.domain_policy_line(cursor, line),
        PolicyFile::Exception => edit.exception_policy_line(line),
        PolicyFile::Profile => edit.profile_line(line),
        PolicyFile::Manager => edit.manager_line(line),
    }
}

#[inline(never)]
fn warn(rest: &[u8], answer: &mut Vec<u8>) -> Result<(), Problem> {
    let (name, line) = cut(rest, b'\t').ok_or(NO_FILE)?;
    let mut done = Ok(());
    let mut add = |column: u32, warning: Warning| {
        if done.is_ok() {
            done = text::put_u32(answer, column)
                .and_then(|()| answer.put(b" "))
                .and_then(|()| answer.put(warning.message().as_bytes()))
                .and_then(|()| answer.put(b"\n"));
        }
    };
    warning::line(file(name).ok_or(NO_FILE)?, line, &mut add)?;
    done?;
    if answer.is_empty() {
        answer.put(b"none")?;
    }
    Ok(())
}

fn yes_or_no(yes: bool, answer: &mut Vec<u8>) -> Result<(), Problem> {
    Ok(answer.put(if yes { b"yes" } else { b"no" })?)
}
