// SPDX-License-Identifier: MIT OR Apache-2.0
//! Profile lines of which a part says nothing, or something else (reference 7.2, 7.5).
//!
//! 1.7 only searches a value for substrings, and policies may depend on it: `mode=xlearningx` is learning, `reject_log=nope` is
//! no, and of `grant_lg=no` nothing is found. Whatever is not exactly a setting is told here.

use super::{Visit, Warning};
use crate::preference::{Group, Preferences};
use crate::profile::{find, Change, Line, Mode};
use crate::text::{column, ParseError, Reason};

/// Calls `visit` with whatever is odd in a line, from left to right.
pub(super) fn look(line: &[u8], visit: &mut Visit<'_>) -> Result<(), ParseError> {
    let value = Value::of(line);
    match Line::parse(line)? {
        None | Some(Line::Version | Line::Profile(_, Change::Comment(_))) => {}
        Some(Line::Profile(_, Change::Default(_) | Change::Category(..) | Change::Item(..))) => {
            value.as_config(visit);
        }
        Some(Line::Global { group, value: text, column }) => {
            apply(group, text).map_err(|reason| ParseError::new(column, reason))?;
            value.as_preference(group, visit);
        }
        Some(Line::Profile(_, Change::Preference { group, value: text, column })) => {
            if find(text, b"use_default").is_none() {
                apply(group, text).map_err(|reason| ParseError::new(column, reason))?;
                if Preferences::keys(group).any(|(_, key)| find(text, key).is_none()) {
                    visit(column, Warning::OwnPreferencesFromZero);
                }
            }
            value.as_preference(group, visit);
        }
    }
    Ok(())
}

/// What stands behind the first `=` of a line.
struct Value<'a> {
    text: &'a [u8],
    /// Its offset in the line.
    start: usize,
}

impl<'a> Value<'a> {
    fn of(line: &'a [u8]) -> Value<'a> {
        let start =
            line.iter().position(|byte| *byte == b'=').map_or(line.len(), |equals| equals.saturating_add(1));
        Value { text: line.get(start..).unwrap_or(&[]), start }
    }

    /// The words, with their offsets in the value: braces and commas separate as blanks do.
    fn words(&self) -> impl Iterator<Item = (usize, &'a [u8])> {
        let text = self.text;
        let mut at = 0_usize;
        let separates = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'{' | b'}' | b',' | b';');
        text.split(separates).filter_map(move |word| {
            let start = at;
            at = at.saturating_add(word.len()).saturating_add(1);
            (!word.is_empty()).then_some((start, word))
        })
    }

    fn column(&self, offset: usize) -> u32 {
        column(self.start.saturating_add(offset))
    }

    /// Tells of `use_default` beside something else. True if it is there.
    fn is_default(&self, visit: &mut Visit<'_>) -> bool {
        let default = |word: &[u8]| find(word, b"use_default").is_some();
        if !default(self.text) {
            return false;
        }
        for (offset, word) in self.words().filter(|(_, word)| *word != b"use_default") {
            visit(
                self.column(offset),
                if default(word) { Warning::UnknownSetting } else { Warning::UseDefaultAndMore },
            );
        }
        true
    }

    fn as_config(&self, visit: &mut Visit<'_>) {
        if self.is_default(visit) {
            return;
        }
        let winner = Mode::ALL.into_iter().find(|mode| find(self.text, mode.word()).is_some());
        for (offset, word) in self.words() {
            let (key, value) = cut(word);
            let known = match (key, value) {
                (b"mode", Some(mode)) => Mode::ALL.iter().any(|known| known.word() == mode),
                (b"grant_log" | b"reject_log", Some(b"yes" | b"no")) => true,
                (mode, None) => Mode::ALL.iter().any(|known| known.word() == mode),
                _ => false,
            };
            if !known {
                visit(self.column(offset), Warning::UnknownSetting);
            }
            for mode in Mode::ALL.into_iter().filter(|mode| Some(*mode) != winner) {
                if let Some(inside) = find(word, mode.word()) {
                    visit(self.column(offset.saturating_add(inside)), Warning::SeveralModes);
                }
            }
            if known && self.says_otherwise_before(offset, key, value) {
                visit(self.column(offset), Warning::SaidTwice);
            }
        }
    }

    fn as_preference(&self, group: Group, visit: &mut Visit<'_>) {
        if self.is_default(visit) {
            return;
        }
        for (offset, word) in self.words() {
            let (key, value) = cut(word);
            if !Preferences::is_setting(group, key, value.unwrap_or(&[])) {
                visit(self.column(offset), Warning::UnknownPreference);
            } else if self.says_otherwise_before(offset, key, value) {
                visit(self.column(offset), Warning::SaidTwice);
            }
        }
    }

    /// Whether a word before that offset gives the key another value. Modes are another matter.
    fn says_otherwise_before(&self, offset: usize, key: &[u8], value: Option<&[u8]>) -> bool {
        let mut before = self.words().take_while(|(start, _)| *start < offset);
        key != b"mode"
            && value.is_some()
            && before.any(|(_, word)| {
                let (other, said) = cut(word);
                other == key && said != value
            })
    }
}

/// What the line would be rejected for.
fn apply(group: Group, text: &[u8]) -> Result<(), Reason> {
    let mut preferences = Preferences::DEFAULT;
    preferences.apply(group, text)
}

/// `KEY=VALUE`
fn cut(word: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = word.splitn(2, |byte| *byte == b'=');
    (parts.next().unwrap_or(&[]), parts.next())
}
