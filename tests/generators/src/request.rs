// SPDX-License-Identifier: MIT OR Apache-2.0
//! Requests over the names, numbers and addresses that policies are made of.

use sekisho_core::address::Address;
use sekisho_core::capability::Capability;
use sekisho_core::name::Name;
use sekisho_core::number::Number;
use sekisho_core::request::{Operation, PathOp, Request};

use crate::acl::Words;
use crate::choices::Choices;
use crate::word::{instance, Style};

/// What a request is made from: an operation, and three names near the words of a policy.
pub struct Subject {
    operation: Operation,
    /// Path arguments, and a name for whatever else needs one.
    pub names: [String; 3],
    /// Numbers are below this.
    numbers: u64,
}

impl Subject {
    /// Mostly about what an ACL is about.
    pub fn new(choices: &mut Choices<'_>, words: &Words) -> Self {
        let asked = match words.asked.len() as u64 {
            0 => None,
            _ if choices.one_in(4) => None,
            count => words.asked.get(choices.below(count) as usize),
        };
        let arguments = asked.map_or(&[][..], |(_, arguments)| arguments);
        let mut operation = asked.map(|(operation, _)| *operation);
        if choices.one_in(5) {
            operation =
                Some(Operation::Path(choices.pick(&[PathOp::Read, PathOp::Write, PathOp::ReadWrite])));
        }
        Subject {
            operation: operation.unwrap_or_else(|| any(choices)),
            numbers: if words.style == Style::Ranges { 64 } else { 9 },
            names: [0, 1, 2].map(|at: usize| name(choices, &words.list, arguments.get(at))),
        }
    }
}

fn any(choices: &mut Choices<'_>) -> Operation {
    let operations: Vec<Operation> = Operation::all().collect();
    choices.pick(&operations)
}

/// A name near `argument`, if that is a path, or else near one of the words.
fn name(choices: &mut Choices<'_>, words: &[String], argument: Option<&String>) -> String {
    for _ in 0..8 {
        let from = match argument.filter(|word| word.starts_with('/')) {
            Some(word) => word,
            None => &words[choices.below(words.len() as u64) as usize],
        };
        let name = instance(choices, from);
        if Name::new(name.as_bytes()).is_some() {
            return name;
        }
    }
    "/a".to_owned()
}

fn address(choices: &mut Choices<'_>) -> Address {
    let last = choices.below(16) as u8;
    if choices.one_in(3) {
        return Address::V6([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    Address::V4([10, 0, 0, last])
}

/// A request about a subject.
pub fn request<'a>(choices: &mut Choices<'_>, subject: &'a Subject) -> Request<'a> {
    let name = |at: usize| Name::new(subject.names[at].as_bytes()).unwrap();
    let value = |choices: &mut Choices<'_>| Number::decimal(choices.below(subject.numbers));
    match subject.operation {
        Operation::Path(op) => Request::Path { op, path: name(0) },
        Operation::Path2(op) => Request::Path2 { op, from: name(0), to: name(1) },
        Operation::PathNumber(op) => Request::PathNumber { op, path: name(0), number: value(choices) },
        Operation::Device(op) => Request::Device {
            op,
            path: name(0),
            mode: value(choices),
            major: value(choices),
            minor: value(choices),
        },
        Operation::Network(op) => {
            Request::Network { op, address: address(choices), port: choices.below(subject.numbers) as u16 }
        }
        Operation::Mount => Request::Mount {
            device: name(0),
            compare_device: choices.one_in(2),
            dir: name(1),
            kind: Name::new(choices.pick(&[&b"ext3"[..], b"--bind"])).unwrap(),
            // With and without the flag that is ignored.
            flags: Number::hexadecimal(match choices.below(18) {
                flags @ 9.. => flags - 9 + 0x8000,
                flags => flags,
            }),
        },
        Operation::Env => {
            let variables = [&b"PATH"[..], b"LC_ALL", b"LC_"];
            Request::Env { name: Name::new(choices.pick(&variables)).unwrap() }
        }
        Operation::Capability => {
            Request::Capability(choices.pick(&[Capability::SysTime, Capability::SysNice]))
        }
        _ => Request::Signal {
            number: choices.below(4) as u16,
            target: choices.pick(&[&b"<kernel>"[..], b"<kernel> /a", b"<kernel> /a /b", b"<kernel> /ab"]),
        },
    }
}
