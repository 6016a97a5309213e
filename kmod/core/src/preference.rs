// SPDX-License-Identifier: MIT OR Apache-2.0
//! Preferences: four groups of settings, for all profiles or for one (reference 7.5).
//!
//! A profile uses the global groups until a line gives it a group of its own. That own group starts from zeros and
//! "no", not from the global values (quirk Q15): policy files saved by 1.7 depend on it. A value that mentions none of
//! the group's keys is rejected, because it is a spelling mistake; in 1.7 it made an own group of zeros.

use crate::mem::OutOfMemory;
use crate::number::Number;
use crate::text::{Reason, Sink};

/// A group of preferences, in print order.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Group {
    Audit,
    Learning,
    Permissive,
    Enforcing,
}

impl Group {
    pub(crate) const ALL: [Group; 4] = [Group::Audit, Group::Learning, Group::Permissive, Group::Enforcing];

    pub(crate) const fn name(self) -> &'static [u8] {
        match self {
            Group::Audit => b"audit",
            Group::Learning => b"learning",
            Group::Permissive => b"permissive",
            Group::Enforcing => b"enforcing",
        }
    }
}

/// The preferences that are in effect for a profile.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Preferences {
    /// Records that the grant queue holds at most.
    pub max_grant_log: u32,
    /// Records that the reject queue holds at most.
    pub max_reject_log: u32,
    /// Whether records say who asked.
    pub task_info: bool,
    /// Whether records say what the files are like.
    pub path_info: bool,
    /// Whether the kernel log tells of a miss in learning mode.
    pub learning_verbose: bool,
    /// Permissions up to which a domain learns (reference 8.4).
    pub max_entry: u32,
    /// Whether `exec.realpath` is learned with `allow_execute`.
    pub learn_realpath: bool,
    /// Whether `exec.argv[0]` is learned with `allow_execute`.
    pub learn_argv0: bool,
    /// Whether `symlink.target` is learned with `allow_symlink`.
    pub learn_target: bool,
    /// Whether the kernel log tells of a miss in permissive mode.
    pub permissive_verbose: bool,
    /// Whether the kernel log tells of a denial.
    pub enforcing_verbose: bool,
    /// How long a denied task sleeps, in tenths of a second.
    pub penalty: u32,
}

/// The place of one setting.
enum Place<'a> {
    Flag(&'a mut bool),
    Number(&'a mut u32),
}

/// Keys in print order, with their groups.
const KEYS: [(Group, &[u8]); 12] = [
    (Group::Audit, b"max_grant_log"),
    (Group::Audit, b"max_reject_log"),
    (Group::Audit, b"task_info"),
    (Group::Audit, b"path_info"),
    (Group::Learning, b"verbose"),
    (Group::Learning, b"max_entry"),
    (Group::Learning, b"exec.realpath"),
    (Group::Learning, b"exec.argv0"),
    (Group::Learning, b"symlink.target"),
    (Group::Permissive, b"verbose"),
    (Group::Enforcing, b"verbose"),
    (Group::Enforcing, b"penalty"),
];

impl Preferences {
    /// The global values of a system that just started (reference 7.5).
    pub const DEFAULT: Preferences = Preferences {
        max_grant_log: 1024,
        max_reject_log: 1024,
        task_info: true,
        path_info: true,
        learning_verbose: false,
        max_entry: 2048,
        learn_realpath: true,
        learn_argv0: true,
        learn_target: true,
        permissive_verbose: true,
        enforcing_verbose: true,
        penalty: 0,
    };

    /// What own groups start from (quirk Q15).
    pub(crate) const ZERO: Preferences = Preferences {
        max_grant_log: 0,
        max_reject_log: 0,
        task_info: false,
        path_info: false,
        learning_verbose: false,
        max_entry: 0,
        learn_realpath: false,
        learn_argv0: false,
        learn_target: false,
        permissive_verbose: false,
        enforcing_verbose: false,
        penalty: 0,
    };

    fn place(&mut self, index: usize) -> Option<Place<'_>> {
        Some(match index {
            0 => Place::Number(&mut self.max_grant_log),
            1 => Place::Number(&mut self.max_reject_log),
            2 => Place::Flag(&mut self.task_info),
            3 => Place::Flag(&mut self.path_info),
            4 => Place::Flag(&mut self.learning_verbose),
            5 => Place::Number(&mut self.max_entry),
            6 => Place::Flag(&mut self.learn_realpath),
            7 => Place::Flag(&mut self.learn_argv0),
            8 => Place::Flag(&mut self.learn_target),
            9 => Place::Flag(&mut self.permissive_verbose),
            10 => Place::Flag(&mut self.enforcing_verbose),
            11 => Place::Number(&mut self.penalty),
            _ => return None,
        })
    }

    /// The keys of a group, in print order, with their places.
    pub(crate) fn keys(group: Group) -> impl Iterator<Item = (usize, &'static [u8])> {
        (0..KEYS.len())
            .zip(KEYS.iter())
            .filter(move |(_, key)| key.0 == group)
            .map(|(index, key)| (index, key.1))
    }

    /// Whether `KEY=VALUE` is a setting of the group that says exactly what it seems to.
    pub(crate) fn is_setting(group: Group, key: &[u8], value: &[u8]) -> bool {
        let Some((index, _)) = Preferences::keys(group).find(|(_, known)| *known == key) else {
            return false;
        };
        let mut values = Preferences::ZERO;
        match values.place(index) {
            Some(Place::Flag(_)) => matches!(value, b"yes" | b"no"),
            Some(Place::Number(_)) => !value.is_empty() && value.iter().all(u8::is_ascii_digit),
            None => false,
        }
    }

    /// Takes over the group of `other`.
    pub(crate) fn take(&mut self, group: Group, other: &Preferences) {
        let mut other = *other;
        for (index, _) in Preferences::keys(group) {
            match (self.place(index), other.place(index)) {
                (Some(Place::Flag(own)), Some(Place::Flag(value))) => *own = *value,
                (Some(Place::Number(own)), Some(Place::Number(value))) => *own = *value,
                _ => {}
            }
        }
    }

    /// Searches a value for the keys of a group, as substrings; what is not mentioned stays.
    ///
    /// # Errors
    /// Nothing is mentioned, or a number is too large.
    pub(crate) fn apply(&mut self, group: Group, value: &[u8]) -> Result<(), Reason> {
        let mut changed = *self;
        let mut said = false;
        for (index, key) in Preferences::keys(group) {
            match changed.place(index) {
                // Yes wins over no, wherever they stand, as for the log flags of a setting.
                Some(Place::Flag(flag)) if says(value, key, b"yes") => (*flag, said) = (true, true),
                Some(Place::Flag(flag)) if says(value, key, b"no") => (*flag, said) = (false, true),
                Some(Place::Number(number)) => {
                    let Some(text) = behind(value, key) else {
                        continue;
                    };
                    let digits = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
                    let digits = text.get(..digits).unwrap_or(text);
                    let value = digits.iter().try_fold(0_u32, |value, digit| {
                        value.checked_mul(10)?.checked_add(u32::from(*digit & 15))
                    });
                    *number = value.filter(|_| !digits.is_empty()).ok_or(Reason::BadPreferenceNumber)?;
                    said = true;
                }
                _ => {}
            }
        }
        if !said {
            return Err(Reason::EmptyPreference);
        }
        *self = changed;
        Ok(())
    }

    /// Prints `PREFERENCE::group={ ... }` and a line end.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub(crate) fn print(&self, group: Group, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        let mut values = *self;
        sink.put(b"PREFERENCE::")?;
        sink.put(group.name())?;
        sink.put(b"={ ")?;
        for (index, key) in Preferences::keys(group) {
            sink.put(key)?;
            match values.place(index) {
                Some(Place::Flag(true)) => sink.put(b"=yes ")?,
                Some(Place::Flag(false)) => sink.put(b"=no ")?,
                Some(Place::Number(number)) => {
                    sink.put(b"=")?;
                    Number::decimal(u64::from(*number)).print(sink)?;
                    sink.put(b" ")?;
                }
                None => {}
            }
        }
        sink.put(b"}\n")
    }
}

/// What stands behind the first `KEY=` in a value.
fn behind<'a>(value: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut rest = value;
    loop {
        if let Some(text) = rest.strip_prefix(key).and_then(|text| text.strip_prefix(b"=")) {
            return Some(text);
        }
        rest = rest.split_first()?.1;
    }
}

/// Whether `KEY=WORD` stands anywhere in a value.
fn says(value: &[u8], key: &[u8], word: &[u8]) -> bool {
    let mut rest = value;
    while let Some(text) = behind(rest, key) {
        if text.starts_with(word) {
            return true;
        }
        rest = text;
    }
    false
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Group, Preferences};
    use crate::profile::Profiles;
    use crate::text::Reason;

    fn profiles(lines: &[&str]) -> Profiles {
        let mut profiles = Profiles::new();
        for line in lines {
            assert!(profiles.line(line.as_bytes()).is_ok(), "{line}");
        }
        profiles
    }

    #[test]
    fn every_key_reads_as_it_prints() {
        let values = [
            (Group::Audit, "audit={ max_grant_log=1 max_reject_log=4294967295 task_info=yes path_info=no }"),
            (Group::Audit, "audit={ max_grant_log=0 max_reject_log=2 task_info=no path_info=yes }"),
            (
                Group::Learning,
                "learning={ verbose=yes max_entry=5 exec.realpath=no exec.argv0=yes symlink.target=no }",
            ),
            (
                Group::Learning,
                "learning={ verbose=no max_entry=6 exec.realpath=yes exec.argv0=no symlink.target=yes }",
            ),
            (Group::Permissive, "permissive={ verbose=yes }"),
            (Group::Permissive, "permissive={ verbose=no }"),
            (Group::Enforcing, "enforcing={ verbose=yes penalty=30 }"),
            (Group::Enforcing, "enforcing={ verbose=no penalty=1 }"),
        ];
        for (group, value) in values {
            let mut preferences = Preferences::ZERO;
            assert!(preferences.apply(group, value.as_bytes()).is_ok());
            let mut text = crate::mem::Vec::new();
            preferences.print(group, &mut text).unwrap();
            assert_eq!(*text, *std::format!("PREFERENCE::{value}\n").as_bytes());
            // The other groups are as they were.
            let mut restored = preferences;
            restored.take(group, &Preferences::ZERO);
            assert!(restored == Preferences::ZERO);
        }
    }

    #[test]
    fn values_are_searched_for_substrings() {
        let mut preferences = Preferences::DEFAULT;
        assert!(preferences
            .apply(Group::Audit, b"x,path_info=no;max_grant_log=0012z max_reject_log = 5")
            .is_ok());
        assert!(
            preferences == Preferences { path_info: false, max_grant_log: 12, ..Preferences::DEFAULT },
            "only what has no blank at the ="
        );
        for (value, reason) in [
            (&b"{ max_entry=9 }"[..], Reason::EmptyPreference),
            (b"", Reason::EmptyPreference),
            (b"{ task_info=maybe }", Reason::EmptyPreference),
            (b"{ task_info=no max_grant_log=-1 }", Reason::BadPreferenceNumber),
            (b"{ task_info=no max_grant_log= }", Reason::BadPreferenceNumber),
            (b"{ task_info=no max_grant_log=4294967296 }", Reason::BadPreferenceNumber),
            (b"{ task_info=no max_reject_log=99999999999999999999 }", Reason::BadPreferenceNumber),
        ] {
            let before = preferences;
            assert!(preferences.apply(Group::Audit, value) == Err(reason));
            assert!(preferences == before);
        }
    }

    #[test]
    fn yes_wins_wherever_it_stands() {
        for (value, expected) in [
            (&b"task_info=no task_info=yes"[..], true),
            (b"task_info=yes task_info=no", true),
            (b"task_info=maybe task_info=yes", true),
            (b"task_info=maybe task_info=no", false),
        ] {
            let mut preferences = Preferences { task_info: !expected, ..Preferences::DEFAULT };
            assert!(preferences.apply(Group::Audit, value).is_ok());
            assert!(preferences == Preferences { task_info: expected, ..Preferences::DEFAULT });
        }
    }

    #[test]
    fn own_groups_start_from_zero() {
        let some = profiles(&["1-CONFIG=learning", "1-PREFERENCE::learning={ max_entry=100 }"]);
        let zero = Preferences::ZERO;
        let mut expected = Preferences { max_entry: 100, ..Preferences::DEFAULT };
        expected.learn_realpath = zero.learn_realpath;
        expected.learn_argv0 = zero.learn_argv0;
        expected.learn_target = zero.learn_target;
        assert!(some.preferences(1) == expected);
        assert!(some.preferences(2) == Preferences::DEFAULT);
    }

    #[test]
    fn global_lines_reach_all_that_have_no_own_group() {
        let some = profiles(&[
            "1-PREFERENCE::enforcing={ penalty=5 }",
            "2-COMMENT=",
            "PREFERENCE::enforcing={ penalty=9 }",
            "PREFERENCE::audit={ task_info=no }",
        ]);
        assert_eq!([1, 2].map(|number| some.preferences(number).penalty), [5, 9]);
        assert_eq!([1, 2].map(|number| some.preferences(number).enforcing_verbose), [false, true]);
        assert_eq!([1, 2].map(|number| some.preferences(number).task_info), [false; 2]);
    }

    #[test]
    fn the_own_group_reappears() {
        let mut some = profiles(&[
            "1-PREFERENCE::enforcing={ penalty=5 }",
            "1-PREFERENCE::audit={ max_grant_log=3 }",
            "1-PREFERENCE::enforcing={ use_default penalty=6 }",
        ]);
        assert_eq!((some.preferences(1).penalty, some.preferences(1).max_grant_log), (0, 3));
        assert!(some.line(b"1-PREFERENCE::enforcing={ verbose=yes }").is_ok());
        assert_eq!((some.preferences(1).penalty, some.preferences(1).enforcing_verbose), (5, true));
    }
}
