// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the policy tests share: writing and printing by file name, requests from text.

use sekisho_core::edit::{Edit, EditError};
use sekisho_core::mem::Vec as Text;
use sekisho_core::policy::{Cursor, Policy};
use sekisho_core::question::Question;

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

/// A question as the policy cases write it.
pub fn question(line: &str) -> Question<'_> {
    Question::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {}", error.message()))
}
