// SPDX-License-Identifier: MIT OR Apache-2.0
//! What stands in front of a request in the policy cases: the task, the files, the program being started.

use sekisho_core::facts::{Arguments, Attributes, Facts, Object, Objects};
use sekisho_core::name::Name;
use sekisho_core::task::Task;

/// The facts of one line.
#[derive(Default)]
pub struct World<'a> {
    pub task: Task,
    attributes: [Option<Attributes>; 4],
    /// Arguments, environment strings and realpath; only inside of `execve`.
    exec: Option<Exec<'a>>,
    target: Option<&'a str>,
}

#[derive(Default)]
struct Exec<'a> {
    argv: Vec<&'a str>,
    envp: Vec<&'a str>,
    realpath: Option<&'a str>,
    unreadable: bool,
}

fn name(text: &str) -> Name<'_> {
    Name::new(text.as_bytes()).unwrap_or_else(|| panic!("no name: {text}"))
}

/// `a,b,c`; nothing is the empty list.
fn list(text: &str) -> Vec<&str> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').collect()
}

/// `uid:0,mode:0100644`; what is not said is 0.
fn attributes(text: &str) -> Attributes {
    let mut attributes = Attributes::default();
    for part in list(text) {
        let (key, value) = part.split_once(':').unwrap_or_else(|| panic!("no value: {part}"));
        let octal = value.strip_prefix('0').filter(|digits| !digits.is_empty());
        let number = match octal {
            Some(digits) => u64::from_str_radix(digits, 8),
            None => value.parse(),
        };
        let number = number.unwrap_or_else(|_| panic!("no number: {part}"));
        if key == "ino" {
            attributes.ino = number;
            continue;
        }
        let number = u32::try_from(number).expect("32 bits");
        *match key {
            "uid" => &mut attributes.uid,
            "gid" => &mut attributes.gid,
            "major" => &mut attributes.major,
            "minor" => &mut attributes.minor,
            "mode" => &mut attributes.mode,
            "dev_major" => &mut attributes.dev_major,
            "dev_minor" => &mut attributes.dev_minor,
            _ => panic!("no attribute {key}"),
        } = number;
    }
    attributes
}

impl<'a> World<'a> {
    /// Takes the `KEY=VALUE` words in front.
    pub fn parse<'w>(words: &'w [&'a str]) -> (World<'a>, &'w [&'a str]) {
        let mut world = World::default();
        let mut rest = words;
        while let Some((word, tail)) = rest.split_first() {
            let Some((key, value)) = word.split_once('=').filter(|(key, _)| !key.contains('/')) else {
                break;
            };
            world.set(key, value);
            rest = tail;
        }
        (world, rest)
    }

    fn set(&mut self, key: &str, value: &'a str) {
        let objects = Object::ALL.iter().zip(&mut self.attributes);
        if let Some((_, slot)) = objects.into_iter().find(|(object, _)| object.name() == key.as_bytes()) {
            *slot = Some(attributes(value));
            return;
        }
        match key {
            "argv" => self.exec.get_or_insert_with(Exec::default).argv = list(value),
            "envp" => self.exec.get_or_insert_with(Exec::default).envp = list(value),
            "realpath" => self.exec.get_or_insert_with(Exec::default).realpath = Some(value),
            "unreadable" => self.exec.get_or_insert_with(Exec::default).unreadable = value != "0",
            "target" => self.target = Some(value),
            _ => self.set_task(key, value.parse().unwrap_or_else(|_| panic!("{key}: no number: {value}"))),
        }
    }

    fn set_task(&mut self, key: &str, value: u32) {
        let task = &mut self.task;
        match key {
            "uid" => task.uid = value,
            "gid" => task.gid = value,
            "euid" => task.euid = value,
            "egid" => task.egid = value,
            "suid" => task.suid = value,
            "sgid" => task.sgid = value,
            "fsuid" => task.fsuid = value,
            "fsgid" => task.fsgid = value,
            "pid" => task.pid = value,
            "ppid" => task.ppid = value,
            "state0" => task.state[0] = value as u8,
            "state1" => task.state[1] = value as u8,
            "state2" => task.state[2] = value as u8,
            "handler" => task.execute_handler = value != 0,
            _ => panic!("no fact {key}"),
        }
    }

    /// As the core takes them.
    pub fn facts(&self) -> Facts<'_> {
        let mut facts = Facts::new(&self.task);
        if self.attributes.iter().any(Option::is_some) {
            facts.objects = Some(self);
        }
        if let Some(exec) = &self.exec {
            facts.exec = Some(exec);
        }
        facts.symlink_target = self.target.map(name);
        facts
    }
}

impl Objects for World<'_> {
    fn attributes(&self, object: Object) -> Option<Attributes> {
        let mut objects = Object::ALL.iter().zip(&self.attributes);
        objects.find(|(known, _)| **known == object).and_then(|(_, found)| *found)
    }
}

impl Arguments for Exec<'_> {
    fn argc(&self) -> u64 {
        self.argv.len() as u64
    }

    fn envc(&self) -> u64 {
        self.envp.len() as u64
    }

    fn realpath(&self) -> Option<Name<'_>> {
        self.realpath.map(name)
    }

    fn argv(&self, index: u64, visit: &mut dyn FnMut(Name<'_>)) -> bool {
        let argument = usize::try_from(index).ok().and_then(|index| self.argv.get(index));
        argument.map(|text| visit(name(text))).is_some()
    }

    fn envp(&self, visit: &mut dyn FnMut(Name<'_>, Option<Name<'_>>)) {
        for text in &self.envp {
            match text.split_once('=') {
                Some((variable, value)) => visit(name(variable), Some(name(value))),
                None => visit(name(text), None),
            }
        }
    }

    fn is_unreadable(&self) -> bool {
        self.unreadable
    }
}
