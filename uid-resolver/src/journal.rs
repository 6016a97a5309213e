// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the resolver tells: one line for each fragment that it accepts, refuses, keeps in doubt, suspends or removes.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use crate::package::{AppUid, PackageName};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A fragment is in the kernel's policy now.
    Accept {
        /// Whose.
        package: PackageName,
        /// The UID that its groups have.
        uid: AppUid,
        /// The groups.
        groups: Vec<String>,
        /// Number of rules.
        rules: usize,
    },
    /// A fragment is not taken.
    Refuse {
        /// Whose.
        package: PackageName,
        /// Why.
        reason: String,
    },
    /// The list says nothing clear about the package: what it has stays.
    Keep {
        /// Whose.
        package: PackageName,
        /// The UID that its groups keep.
        uid: AppUid,
        /// What is unclear.
        reason: String,
    },
    /// Installed as before, but without a UID: its groups are empty.
    Suspend {
        /// Whose.
        package: PackageName,
        /// Why.
        reason: String,
    },
    /// A fragment is out of the kernel's policy and of the state.
    Remove {
        /// Whose.
        package: PackageName,
        /// Why.
        reason: String,
    },
    /// Something about no single package.
    Note(String),
}

impl Event {
    /// The package, if it is about one.
    pub fn package(&self) -> Option<&PackageName> {
        match self {
            Event::Accept { package, .. }
            | Event::Refuse { package, .. }
            | Event::Keep { package, .. }
            | Event::Suspend { package, .. }
            | Event::Remove { package, .. } => Some(package),
            Event::Note(_) => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Accept { package, uid, groups, rules } => {
                write!(f, "accept {package}: uid={uid} groups={} rules={rules}", groups.join(","))
            }
            Event::Refuse { package, reason } => write!(f, "refuse {package}: {reason}"),
            Event::Keep { package, uid, reason } => {
                write!(f, "keep {package}: uid={uid} stays until the list is clear: {reason}")
            }
            Event::Suspend { package, reason } => write!(f, "suspend {package}: {reason}"),
            Event::Remove { package, reason } => write!(f, "remove {package}: {reason}"),
            Event::Note(text) => write!(f, "note: {text}"),
        }
    }
}

/// Where events go.
pub trait Journal {
    /// Takes one event, at the time when it happened.
    fn record(&mut self, event: Event);
}

impl Journal for Vec<Event> {
    fn record(&mut self, event: Event) {
        self.push(event);
    }
}

/// Lines to stderr or to the kernel's log.
#[derive(Debug)]
pub struct Lines {
    kernel_log: Option<File>,
}

impl Lines {
    /// To stderr.
    pub fn to_stderr() -> Lines {
        Lines { kernel_log: None }
    }

    /// To `/dev/kmsg`, so that the lines stand beside the kernel's own.
    pub fn to_kernel_log() -> io::Result<Lines> {
        Ok(Lines { kernel_log: Some(OpenOptions::new().write(true).open("/dev/kmsg")?) })
    }

    /// Writes a line that is no event.
    pub fn say(&mut self, text: &dyn fmt::Display) {
        // One write a line: /dev/kmsg makes a record of each. A log that cannot be written changes nothing else.
        let line = format!("sekisho-uid-resolver: {text}\n");
        let _ = match &mut self.kernel_log {
            Some(log) => log.write_all(format!("<5>{line}").as_bytes()),
            None => io::stderr().write_all(line.as_bytes()),
        };
    }
}

impl Journal for Lines {
    fn record(&mut self, event: Event) {
        self.say(&event);
    }
}
