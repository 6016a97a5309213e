// SPDX-License-Identifier: MIT OR Apache-2.0
//! A question in text: may a task do this?
//!
//! The policy cases (`tests/corpus/README.md`) ask in the form of the policy itself: an ACL line (reference 4.4) with names
//! and numbers in place of patterns, and in front of it what is known besides, as `KEY=VALUE`. Here that becomes the facts and
//! the request that [`crate::engine::decide`] takes. The same parser asks on the host and in a kernel under test.

use crate::address::Address;
use crate::capability::Capability;
use crate::facts::{Arguments, Attributes, Facts, Object, Objects};
use crate::mem::{OutOfMemory, Vec};
use crate::name::Name;
use crate::number::Number;
use crate::request::{NetworkOp, Operation, Request};
use crate::task::Task;
use crate::text::Words;

/// A request with what is known besides.
pub struct Question<'a> {
    /// What is known.
    pub given: Given<'a>,
    /// What is asked.
    pub request: Request<'a>,
}

/// What is known beside the request.
#[derive(Default)]
pub struct Given<'a> {
    /// The task that asks.
    pub task: Task,
    /// Of the objects that exist; the last one of an object counts. A list, because four by value take stack.
    attributes: Vec<(Object, Attributes)>,
    /// The program being started; only inside of `execve`.
    exec: Option<Program<'a>>,
    target: Option<Name<'a>>,
}

#[derive(Default)]
struct Program<'a> {
    argv: Vec<Name<'a>>,
    envp: Vec<Variable<'a>>,
    realpath: Option<Name<'a>>,
    unreadable: bool,
}

/// An environment string: what is before the first `=`, and behind it.
type Variable<'a> = (Name<'a>, Option<Name<'a>>);

/// Why a text is no question.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum QuestionError {
    /// There is no memory for it.
    OutOfMemory,
    /// A `KEY=` that does not exist.
    Key,
    /// A value that is none of its key.
    Value,
    /// A word that is no name.
    Name,
    /// A word that is no number, or too large.
    Number,
    /// No such operation, or it has other arguments.
    Request,
}

impl QuestionError {
    /// What is wrong and what to do, one line without full stop.
    pub const fn message(self) -> &'static str {
        match self {
            QuestionError::OutOfMemory => "out of memory",
            QuestionError::Key => "no such fact; before the request may stand uid=, path1=, argv= and so on",
            QuestionError::Value => "the value of a fact is wrong; write a number, NAME:NUMBER,... or STRING,...",
            QuestionError::Name => "a name is wrong; write printable ASCII and all other bytes as \\ooo",
            QuestionError::Number => "a number is wrong or too large",
            QuestionError::Request => {
                "no request; write an ACL line with names and numbers in place of patterns, such as allow_read /etc/passwd"
            }
        }
    }
}

impl From<OutOfMemory> for QuestionError {
    fn from(_: OutOfMemory) -> Self {
        QuestionError::OutOfMemory
    }
}

impl<'a> Question<'a> {
    /// Reads a line. The blanks in a domain must be single ones ([`crate::text::Normal`]).
    ///
    /// # Errors
    /// It is no question.
    pub fn parse(line: &'a [u8]) -> Result<Question<'a>, QuestionError> {
        let mut words = Words::new(line);
        let given = Given::parse(&mut words)?;
        Ok(Question { given, request: request(&mut words)? })
    }
}

impl<'a> Given<'a> {
    /// Takes the `KEY=VALUE` words in front.
    ///
    /// # Errors
    /// One of them is wrong.
    #[inline(never)]
    pub fn parse(words: &mut Words<'a>) -> Result<Given<'a>, QuestionError> {
        let mut given = Given::default();
        while let Some((key, value)) = words.peek().and_then(|(_, word)| cut(word, b'=')) {
            if key.contains(&b'/') {
                break; // The name of a program.
            }
            given.set(key, value)?;
            words.next();
        }
        Ok(given)
    }

    fn set(&mut self, key: &[u8], value: &'a [u8]) -> Result<(), QuestionError> {
        if let Some(object) = Object::ALL.iter().find(|object| object.name() == key) {
            return Ok(self.attributes.push((*object, attributes(value)?))?);
        }
        match key {
            b"argv" => {
                let mut argv = Vec::new();
                for text in list(value) {
                    argv.push(name(text)?)?;
                }
                self.program().argv = argv;
            }
            b"envp" => {
                let mut envp = Vec::new();
                for text in list(value) {
                    envp.push(match cut(text, b'=') {
                        Some((variable, value)) => (name(variable)?, Some(name(value)?)),
                        None => (name(text)?, None),
                    })?;
                }
                self.program().envp = envp;
            }
            b"realpath" => self.program().realpath = Some(name(value)?),
            b"unreadable" => self.program().unreadable = *value != *b"0",
            b"target" => self.target = Some(name(value)?),
            _ => return self.set_task(key, value),
        }
        Ok(())
    }

    fn program(&mut self) -> &mut Program<'a> {
        self.exec.get_or_insert_with(Program::default)
    }

    fn set_task(&mut self, key: &[u8], value: &[u8]) -> Result<(), QuestionError> {
        let number = || small::<u32>(value).map_err(|_| QuestionError::Value);
        let task = &mut self.task;
        let [state0, state1, state2] = &mut task.state;
        let place = match key {
            b"uid" => &mut task.uid,
            b"gid" => &mut task.gid,
            b"euid" => &mut task.euid,
            b"egid" => &mut task.egid,
            b"suid" => &mut task.suid,
            b"sgid" => &mut task.sgid,
            b"fsuid" => &mut task.fsuid,
            b"fsgid" => &mut task.fsgid,
            b"pid" => &mut task.pid,
            b"ppid" => &mut task.ppid,
            b"handler" => {
                task.execute_handler = number()? != 0;
                return Ok(());
            }
            b"state0" | b"state1" | b"state2" => {
                *match key {
                    b"state0" => state0,
                    b"state1" => state1,
                    _ => state2,
                } = small(value).map_err(|_| QuestionError::Value)?;
                return Ok(());
            }
            _ => return Err(QuestionError::Key),
        };
        *place = number()?;
        Ok(())
    }

    /// As the engine takes it.
    pub fn facts(&self) -> Facts<'_> {
        let mut facts = Facts::new(&self.task);
        if !self.attributes.is_empty() {
            facts.objects = Some(self);
        }
        if let Some(exec) = &self.exec {
            facts.exec = Some(exec);
        }
        facts.symlink_target = self.target;
        facts
    }
}

impl Objects for Given<'_> {
    fn attributes(&self, object: Object) -> Option<Attributes> {
        let mut last_first = self.attributes.iter().rev();
        last_first.find(|(known, _)| *known == object).map(|(_, attributes)| *attributes)
    }
}

impl Arguments for Program<'_> {
    fn argc(&self) -> u64 {
        self.argv.len() as u64
    }

    fn envc(&self) -> u64 {
        self.envp.len() as u64
    }

    fn realpath(&self) -> Option<Name<'_>> {
        self.realpath
    }

    fn argv(&self, index: u64, visit: &mut dyn FnMut(Name<'_>)) -> bool {
        let argument = usize::try_from(index).ok().and_then(|index| self.argv.get(index));
        argument.map(|text| visit(*text)).is_some()
    }

    fn envp(&self, visit: &mut dyn FnMut(Name<'_>, Option<Name<'_>>)) {
        for (variable, value) in &self.envp {
            visit(*variable, *value);
        }
    }

    fn is_unreadable(&self) -> bool {
        self.unreadable
    }
}

/// Reads the request, which is what is left of a line.
///
/// # Errors
/// It is no request.
#[inline(never)]
pub fn request<'a>(words: &mut Words<'a>) -> Result<Request<'a>, QuestionError> {
    let mut keyword = next(words)?;
    // `nodev`: a mount whose device is not compared (reference 4.8).
    let compare_device = *keyword != *b"nodev";
    if !compare_device {
        keyword = next(words)?;
    }
    let request = match Operation::from_keyword(keyword) {
        Some(Operation::Path(op)) => Request::Path { op, path: next_name(words)? },
        Some(Operation::Path2(op)) => Request::Path2 { op, from: next_name(words)?, to: next_name(words)? },
        Some(Operation::PathNumber(op)) => {
            Request::PathNumber { op, path: next_name(words)?, number: next_number(words)? }
        }
        Some(Operation::Device(op)) => Request::Device {
            op,
            path: next_name(words)?,
            mode: next_number(words)?,
            major: next_number(words)?,
            minor: next_number(words)?,
        },
        Some(Operation::Mount) => Request::Mount {
            device: next_name(words)?,
            compare_device,
            dir: next_name(words)?,
            kind: next_name(words)?,
            flags: next_number(words)?,
        },
        Some(Operation::Env) => Request::Env { name: next_name(words)? },
        Some(Operation::Capability) => {
            Request::Capability(Capability::from_name(next(words)?).ok_or(QuestionError::Request)?)
        }
        Some(Operation::Signal) => {
            let number = small(next(words)?)?;
            return Ok(Request::Signal { number, target: rest(words) });
        }
        _ => Request::Network {
            op: network(keyword, next(words)?, next(words)?).ok_or(QuestionError::Request)?,
            address: Address::parse(next(words)?).ok_or(QuestionError::Request)?,
            port: small(next(words)?)?,
        },
    };
    match words.next() {
        None => Ok(request),
        Some(_) => Err(QuestionError::Request),
    }
}

/// The operation of `allow_network TCP connect`.
fn network(keyword: &[u8], protocol: &[u8], operation: &[u8]) -> Option<NetworkOp> {
    Operation::all().find_map(|known| match known {
        Operation::Network(op) => {
            known.keyword().split(|byte| *byte == b' ').eq([keyword, protocol, operation]).then_some(op)
        }
        _ => None,
    })
}

/// What is left, without the blanks around it.
fn rest<'a>(words: &mut Words<'a>) -> &'a [u8] {
    let first = words.peek().map_or(words.column(), |(column, _)| column);
    while words.next().is_some() {}
    words.slice_from(first)
}

fn next<'a>(words: &mut Words<'a>) -> Result<&'a [u8], QuestionError> {
    words.next().map(|(_, word)| word).ok_or(QuestionError::Request)
}

fn next_name<'a>(words: &mut Words<'a>) -> Result<Name<'a>, QuestionError> {
    name(next(words)?)
}

fn next_number(words: &mut Words<'_>) -> Result<Number, QuestionError> {
    Number::parse(next(words)?).ok_or(QuestionError::Number)
}

fn name(text: &[u8]) -> Result<Name<'_>, QuestionError> {
    Name::new(text).ok_or(QuestionError::Name)
}

/// A number that fits.
fn small<N: TryFrom<u64>>(word: &[u8]) -> Result<N, QuestionError> {
    let number = Number::parse(word).ok_or(QuestionError::Number)?;
    N::try_from(number.value).map_err(|_| QuestionError::Number)
}

/// What is before and behind the first `at`.
pub(crate) fn cut(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|byte| *byte == at)?;
    Some((text.get(..place)?, text.get(place.checked_add(1)?..)?))
}

/// `a,b,c`; nothing is the empty list.
fn list(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b',').filter(|_| !text.is_empty())
}

/// `uid:0,mode:0100644`; what is not said is 0.
#[inline(never)]
fn attributes(text: &[u8]) -> Result<Attributes, QuestionError> {
    let mut attributes = Attributes::default();
    for part in list(text) {
        let (key, value) = cut(part, b':').ok_or(QuestionError::Value)?;
        let number = Number::parse(value).ok_or(QuestionError::Value)?.value;
        let place = match key {
            b"ino" => {
                attributes.ino = number;
                continue;
            }
            b"uid" => &mut attributes.uid,
            b"gid" => &mut attributes.gid,
            b"major" => &mut attributes.major,
            b"minor" => &mut attributes.minor,
            b"mode" => &mut attributes.mode,
            b"dev_major" => &mut attributes.dev_major,
            b"dev_minor" => &mut attributes.dev_minor,
            _ => return Err(QuestionError::Value),
        };
        *place = u32::try_from(number).map_err(|_| QuestionError::Value)?;
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Question, QuestionError};
    use crate::request::Request;

    fn printed(line: &str) -> Result<std::string::String, QuestionError> {
        let question = Question::parse(line.as_bytes())?;
        let mut text = crate::mem::Vec::new();
        question.request.print(&mut text).unwrap();
        Ok(std::string::String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn requests_print_as_they_were_written() {
        for line in [
            "allow_read /etc/passwd",
            "allow_rename /a /b",
            "allow_create /a 0644",
            "allow_mkchar /dev/x 0666 10 200",
            "allow_network TCP connect 10.0.0.1 80",
            "allow_mount dev(8,1) /mnt/ ext3 0x0",
            "allow_env PATH",
            "allow_capability SYS_REBOOT",
            "allow_signal 9 <kernel> /sbin/init",
        ] {
            assert!(printed(line).as_deref() == Ok(line), "{line}");
        }
        let line =
            "uid=10 path1=uid:1,mode:0104755 argv=a,b envp=A=1,B realpath=/bin/sh target=/x allow_read /a";
        let Ok(question) = Question::parse(line.as_bytes()) else { panic!("{line}") };
        let facts = question.given.facts();
        assert_eq!((facts.task.uid, facts.exec.map(|exec| (exec.argc(), exec.envc()))), (10, Some((2, 2))));
        assert!(matches!(question.request, Request::Path { .. }));
    }

    #[test]
    fn what_is_no_question() {
        for (line, error) in [
            ("", QuestionError::Request),
            ("uid=1", QuestionError::Request),
            ("allow_read", QuestionError::Request),
            ("allow_read /a /b", QuestionError::Request),
            ("allow_reed /a", QuestionError::Request),
            ("allow_network TCP dance 10.0.0.1 80", QuestionError::Request),
            ("allow_network TCP connect 10.0.0.1 65536", QuestionError::Number),
            ("allow_create /a x", QuestionError::Number),
            ("allow_read /\\*", QuestionError::Name),
            ("udi=1 allow_read /a", QuestionError::Key),
            ("uid=x allow_read /a", QuestionError::Value),
            ("uid=4294967296 allow_read /a", QuestionError::Value),
            ("state0=256 allow_read /a", QuestionError::Value),
            ("path1=uid allow_read /a", QuestionError::Value),
            ("path1=gid:-1 allow_read /a", QuestionError::Value),
            ("argv=\\* allow_read /a", QuestionError::Name),
        ] {
            assert!(Question::parse(line.as_bytes()).err() == Some(error), "{line}");
            assert!(!error.message().is_empty());
        }
    }
}
