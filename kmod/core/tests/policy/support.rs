// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the policy tests share: writing and printing by file name, requests from text.

use crate::facts::World;
use sekisho_core::address::Address;
use sekisho_core::capability::Capability;
use sekisho_core::edit::{Edit, EditError};
use sekisho_core::mem::Vec as Text;
use sekisho_core::name::Name;
use sekisho_core::number::Number;
use sekisho_core::policy::{Cursor, Policy};
use sekisho_core::request::{Operation, Request};
use sekisho_core::task::Task;

/// The four policy files.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum File {
    Domain,
    Exception,
    Profile,
    Manager,
}

impl File {
    pub const ALL: [File; 4] = [File::Profile, File::Manager, File::Exception, File::Domain];

    pub fn parse(word: &str) -> File {
        match word {
            "domain" => File::Domain,
            "exception" => File::Exception,
            "profile" => File::Profile,
            "manager" => File::Manager,
            _ => panic!("no file {word}"),
        }
    }

    pub fn print(self, policy: &Policy) -> String {
        let mut text = Text::new();
        match self {
            File::Domain => policy.print_domain_policy(&mut text),
            File::Exception => policy.print_exception_policy(&mut text),
            File::Profile => policy.print_profiles(&mut text),
            File::Manager => policy.print_managers(&mut text),
        }
        .expect("memory");
        String::from_utf8(text.to_vec()).expect("printed text is ASCII")
    }
}

pub fn write(edit: &mut Edit, cursor: &mut Cursor, file: File, line: &str) -> Result<(), EditError> {
    match file {
        File::Domain => edit.domain_policy_line(cursor, line.as_bytes()),
        File::Exception => edit.exception_policy_line(line.as_bytes()),
        File::Profile => edit.profile_line(line.as_bytes()),
        File::Manager => edit.manager_line(line.as_bytes()),
    }
}

/// A policy from texts, in one edit. Panics at the first line that is not accepted.
pub fn load(texts: &[(File, &str)]) -> Policy {
    let mut edit = Policy::new().expect("memory").edit().expect("memory");
    let mut cursor = Cursor::default();
    for (file, text) in texts {
        for line in text.lines() {
            write(&mut edit, &mut cursor, *file, line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
    edit.commit()
}

/// What prints must be accepted by an empty policy, and print the same there.
pub fn check_reading_back(policy: &Policy, place: &str) {
    let texts = File::ALL.map(|file| (file, file.print(policy)));
    let parts: Vec<(File, &str)> = texts.iter().map(|(file, text)| (*file, text.as_str())).collect();
    let again = load(&parts);
    for (file, text) in &texts {
        assert_eq!(file.print(&again), *text, "{place}: {file:?} does not read back");
    }
}

/// A request as the policy cases write it, with what is special about the task in front.
pub fn parse_request<'a>(words: &[&'a str]) -> (Task, Request<'a>) {
    let (world, words) = World::parse(words);
    (world.task, request(words))
}

/// A request without facts in front.
pub fn request<'a>(words: &[&'a str]) -> Request<'a> {
    // `nodev`: a mount whose device is not compared.
    let (compare_device, words) = match words {
        ["nodev", rest @ ..] => (false, rest),
        _ => (true, words),
    };
    let (keyword, arguments) = words.split_first().expect("a keyword");
    let name = |word: &'a str| Name::new(word.as_bytes()).expect("a name");
    let number = |word: &str| Number::parse(word.as_bytes()).expect("a number");
    match (Operation::from_keyword(keyword.as_bytes()), arguments) {
        (Some(Operation::Path(op)), &[path]) => Request::Path { op, path: name(path) },
        (Some(Operation::Path2(op)), &[from, to]) => Request::Path2 { op, from: name(from), to: name(to) },
        (Some(Operation::PathNumber(op)), &[path, value]) => {
            Request::PathNumber { op, path: name(path), number: number(value) }
        }
        (Some(Operation::Device(op)), &[path, mode, major, minor]) => Request::Device {
            op,
            path: name(path),
            mode: number(mode),
            major: number(major),
            minor: number(minor),
        },
        (Some(Operation::Mount), &[device, dir, kind, flags]) => Request::Mount {
            device: name(device),
            compare_device,
            dir: name(dir),
            kind: name(kind),
            flags: number(flags),
        },
        (Some(Operation::Env), &[variable]) => Request::Env { name: name(variable) },
        (Some(Operation::Capability), &[capability]) => {
            Request::Capability(Capability::from_name(capability.as_bytes()).expect("a capability"))
        }
        // Tests may leak; the words are one line of a file, but blanks between them may be more than one.
        (Some(Operation::Signal), [number, target @ ..]) => Request::Signal {
            number: number.parse().expect("a signal"),
            target: target.join(" ").leak().as_bytes(),
        },
        (None, &[protocol, operation, address, port]) => {
            let keyword = format!("{keyword} {protocol} {operation}");
            match Operation::from_keyword(keyword.as_bytes()) {
                Some(Operation::Network(op)) => Request::Network {
                    op,
                    address: Address::parse(address.as_bytes()).expect("an address"),
                    port: port.parse().expect("a port"),
                },
                _ => panic!("no request: {words:?}"),
            }
        }
        _ => panic!("no request: {words:?}"),
    }
}
