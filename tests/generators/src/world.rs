// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a condition can ask about: a task, files, arguments and environment.

use sekisho_core::facts::{Arguments, Attributes, Object, Objects};
use sekisho_core::name::Name;
use sekisho_core::task::Task;

use crate::choices::Choices;
use crate::word::component;

/// Files, arguments and environment of a request.
pub struct World {
    attributes: [Option<Attributes>; 4],
    argv: Vec<String>,
    envp: Vec<(String, String)>,
}

impl Objects for World {
    fn attributes(&self, object: Object) -> Option<Attributes> {
        Object::ALL
            .iter()
            .zip(&self.attributes)
            .find(|(known, _)| **known == object)
            .and_then(|(_, found)| *found)
    }
}

impl Arguments for World {
    fn argc(&self) -> u64 {
        self.argv.len() as u64
    }

    fn envc(&self) -> u64 {
        self.envp.len() as u64
    }

    fn realpath(&self) -> Option<Name<'_>> {
        Name::new(b"/bin/x1")
    }

    fn argv(&self, index: u64, visit: &mut dyn FnMut(Name<'_>)) -> bool {
        let argument = self.argv.get(index as usize).and_then(|text| Name::new(text.as_bytes()));
        argument.map(visit).is_some()
    }

    fn envp(&self, visit: &mut dyn FnMut(Name<'_>, Option<Name<'_>>)) {
        for (name, value) in &self.envp {
            visit(Name::new(name.as_bytes()).unwrap(), Name::new(value.as_bytes()));
        }
    }
}

impl World {
    /// Makes one.
    pub fn new(choices: &mut Choices<'_>) -> Self {
        let mut attributes = [None; 4];
        for place in &mut attributes {
            if choices.one_in(2) {
                *place = Some(Attributes {
                    uid: choices.below(3) as u32,
                    gid: 0,
                    ino: choices.below(4),
                    major: 8,
                    minor: 1,
                    mode: choices.pick(&[0o100_644, 0o104_755, 0o041_777, 0o020_600]),
                    dev_major: 1,
                    dev_minor: 3,
                });
            }
        }
        let argv = (0..choices.below(3)).map(|_| component(choices)).collect();
        let envp = (0..choices.below(3))
            .map(|_| (choices.pick(&["A", "B", "C"]).to_owned(), component(choices)))
            .collect();
        World { attributes, argv, envp }
    }
}

/// The task that asks.
pub fn task(choices: &mut Choices<'_>) -> Task {
    Task {
        uid: choices.below(3) as u32,
        gid: choices.below(2) as u32,
        state: [choices.below(2) as u8, 0, 0],
        execute_handler: choices.one_in(4),
        ..Task::default()
    }
}
