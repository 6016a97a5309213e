// SPDX-License-Identifier: MIT OR Apache-2.0
//! Profiles: which items of which domains are watched, and what happens on a miss.
//!
//! Reference 7. A value is only searched for substrings, as in 1.7; what says nothing at all is rejected, because it
//! is a spelling mistake that would leave a system open. A rejected line does not create its profile, unlike in 1.7.
//! Of several modes in one value the first of the list counts, as in 1.7 (`warning/profile.rs` tells of such lines). Comments
//! keep their bytes from 0x80 on, which 1.7 lost (quirk Q30).

use crate::edit::EditError;
use crate::item::{Category, Item, ITEMS};
use crate::link::Node;
use crate::mem::{Arc, OutOfMemory, UniqueArc, Vec};
use crate::preference::{Group, Preferences};
use crate::text::{self, ParseError, Reason, Sink, Words};

/// The only profile format that is understood (reference 7.6).
pub const PROFILE_VERSION: u32 = 20_090_903;

/// What a setting does with an operation that no ACL allows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Not even looked at.
    Disabled,
    /// Allowed, and added to the policy.
    Learning,
    /// Allowed, and logged.
    Permissive,
    /// Denied, and logged.
    Enforcing,
}

impl Mode {
    /// All modes in the order in which a value is searched for them: the first found wins (quirk Q16).
    pub(crate) const ALL: [Mode; 4] = [Mode::Disabled, Mode::Learning, Mode::Permissive, Mode::Enforcing];

    /// The word in profiles and records.
    pub const fn word(self) -> &'static [u8] {
        match self {
            Mode::Disabled => b"disabled",
            Mode::Learning => b"learning",
            Mode::Permissive => b"permissive",
            Mode::Enforcing => b"enforcing",
        }
    }
}

/// A setting: mode and both log flags, which always travel together (reference 7.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// What happens on a miss.
    pub mode: Mode,
    /// Whether granted requests are logged.
    pub grant_log: bool,
    /// Whether requests that no ACL grants are logged.
    pub reject_log: bool,
}

impl Config {
    /// What a new profile, and an item that just got its own setting, starts from (quirk Q17).
    pub const NEW: Config = Config { mode: Mode::Disabled, grant_log: true, reject_log: true };
    /// What counts where nothing is known: deny and say so.
    pub const CLOSED: Config = Config { mode: Mode::Enforcing, grant_log: true, reject_log: true };
    /// What counts before activation.
    pub const INACTIVE: Config = Config { mode: Mode::Disabled, grant_log: false, reject_log: false };

    fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        sink.put(b"={ mode=")?;
        sink.put(self.mode.word())?;
        sink.put(if self.grant_log { b" grant_log=yes" } else { b" grant_log=no" })?;
        sink.put(if self.reject_log { b" reject_log=yes" } else { b" reject_log=no" })?;
        sink.put(b" }\n")
    }
}

/// One profile.
pub struct Profile {
    pub(crate) comment: Vec<u8>,
    pub(crate) default: Config,
    /// `None`: use the default.
    pub(crate) categories: [Option<Config>; 5],
    /// `None`: use the category's.
    pub(crate) items: [Option<Config>; ITEMS],
    /// What follows from the three above: the setting of each item.
    effective: [Config; ITEMS],
    pub(crate) preferences: Preferences,
    /// Which groups of `preferences` count, a bit each; the others are the global ones.
    pub(crate) own: u8,
}

impl Profile {
    /// What the first line of a profile creates before it takes effect itself (reference 7.1).
    const NEW: Profile = Profile {
        comment: Vec::new(),
        default: Config::NEW,
        categories: [None; 5],
        items: [None; ITEMS],
        effective: [Config::NEW; ITEMS],
        preferences: Preferences::ZERO,
        own: 0,
    };

    /// A new one on the heap: by value it takes half a kilobyte of stack.
    #[inline(never)]
    pub(crate) fn own() -> Result<UniqueArc<Profile>, OutOfMemory> {
        UniqueArc::new(Profile::NEW)
    }

    #[inline(never)]
    fn own_copy(&self) -> Result<UniqueArc<Profile>, OutOfMemory> {
        UniqueArc::new(Profile { comment: self.comment.try_clone()?, ..*self })
    }

    fn bytes(&self) -> usize {
        core::mem::size_of::<Self>().saturating_add(crate::link::SHARED).saturating_add(self.comment.len())
    }

    /// The effective setting: the item's own, else the category's, else the profile's (reference 7.3).
    #[inline]
    pub fn config(&self, item: Item) -> Config {
        self.effective.get(item as usize).copied().unwrap_or(Config::CLOSED)
    }

    /// Applies a line.
    fn apply(&mut self, change: &Change<'_>) -> Result<(), EditError> {
        match change {
            Change::Comment(value) => self.comment = comment(value)?,
            Change::Default(value) => self.default = value.over(self.default),
            Change::Category(category, value) => {
                if let Some(own) = self.categories.get_mut(*category as usize) {
                    *own = value.over_own(*own);
                }
            }
            Change::Item(item, value) => {
                if let Some(own) = self.items.get_mut(*item as usize) {
                    *own = value.over_own(*own);
                }
            }
            Change::Preference { group, value, column } => {
                let bit = 1_u8.wrapping_shl(*group as u32);
                if contains(value, b"use_default") {
                    self.own &= !bit;
                } else {
                    let applied = self.preferences.apply(*group, value);
                    applied.map_err(|reason| ParseError::new(*column, reason))?;
                    self.own |= bit;
                }
            }
        }
        self.take_effect();
        Ok(())
    }

    /// Computes the setting of each item from what the profile says.
    fn take_effect(&mut self) {
        for ((effective, item), own) in self.effective.iter_mut().zip(Item::all()).zip(self.items.iter()) {
            let category = self.categories.get(item.category() as usize).copied().flatten();
            *effective = own.or(category).unwrap_or(self.default);
        }
    }

    /// Prints the lines of the profile in the order of reference 7.8.
    fn print(&self, number: u8, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        let key = |sink: &mut dyn Sink, key: &[u8]| {
            text::put_u32(sink, u32::from(number))?;
            sink.put(key)
        };
        key(sink, b"-COMMENT=")?;
        sink.put(&self.comment)?;
        sink.put(b"\n")?;
        key(sink, b"-CONFIG")?;
        self.default.print(sink)?;
        for (item, own) in Item::all().zip(self.items.iter()) {
            if let Some(own) = own {
                key(sink, b"-CONFIG::")?;
                sink.put(item.category().name())?;
                sink.put(b"::")?;
                sink.put(item.name())?;
                own.print(sink)?;
            }
        }
        for (category, own) in Category::ALL.iter().zip(self.categories.iter()) {
            if let Some(own) = own {
                key(sink, b"-CONFIG::")?;
                sink.put(category.name())?;
                own.print(sink)?;
            }
        }
        for group in Group::ALL {
            if self.own & 1_u8.wrapping_shl(group as u32) != 0 {
                key(sink, b"-")?;
                self.preferences.print(group, sink)?;
            }
        }
        Ok(())
    }
}

/// The value of a comment: the text behind `=`, normalised (reference 7.1). A blank directly behind `=` stays, one of
/// it, as in 1.7. Bytes from 0x80 on stay, so that UTF-8 is what it was (quirk Q30); control characters are blanks, as in 1.7.
pub(crate) fn comment(value: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
    let mut comment = Vec::with_capacity(value.len())?;
    let mut blank = false;
    for byte in value {
        if *byte <= 0x20 || *byte == 0x7F {
            blank = true;
            continue;
        }
        if blank {
            comment.push(b' ')?;
        }
        blank = false;
        comment.push(*byte)?;
    }
    text::owned(&comment)
}

/// The file `profile`: all profiles, and the preferences that they share.
pub struct Profiles {
    /// By number; as long as the highest defined profile asks for.
    pub(crate) list: Vec<Option<Arc<Profile>>>,
    pub(crate) global: Preferences,
    pub(crate) version_given: bool,
}

impl Profiles {
    pub(crate) const fn new() -> Self {
        Profiles { list: Vec::new(), global: Preferences::DEFAULT, version_given: false }
    }

    /// A profile, if it is defined.
    #[inline]
    pub fn get(&self, number: u8) -> Option<&Profile> {
        self.list.get(usize::from(number))?.as_deref()
    }

    /// The preferences that are in effect for a profile.
    pub fn preferences(&self, number: u8) -> Preferences {
        let mut effective = self.global;
        if let Some(profile) = self.get(number) {
            for group in Group::ALL {
                if profile.own & 1_u8.wrapping_shl(group as u32) != 0 {
                    effective.take(group, &profile.preferences);
                }
            }
        }
        effective
    }

    /// Whether `PROFILE_VERSION` was written.
    pub const fn version_given(&self) -> bool {
        self.version_given
    }

    /// Executes a line (reference 7.1).
    ///
    /// # Errors
    /// The line is wrong, or there is no memory for it. Nothing changed.
    pub(crate) fn line(&mut self, line: &[u8]) -> Result<(), EditError> {
        let (number, change) = match Line::parse(line)? {
            None => return Ok(()),
            Some(Line::Version) => {
                self.version_given = true;
                return Ok(());
            }
            Some(Line::Global { group, value, column }) => {
                let applied = self.global.apply(group, value);
                return applied.map_err(|reason| ParseError::new(column, reason).into());
            }
            Some(Line::Profile(number, change)) => (number, change),
        };
        let mut changed = match self.get(number) {
            Some(profile) => profile.own_copy()?,
            None => Profile::own()?,
        };
        changed.get_mut()?.apply(&change)?;
        Ok(self.define(number, changed)?)
    }

    /// Puts a profile in the place of the one that has this number.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn define(&mut self, number: u8, mut profile: UniqueArc<Profile>) -> Result<(), OutOfMemory> {
        profile.get_mut()?.take_effect();
        let changed = profile.into_arc();
        let place = usize::from(number);
        if place >= self.list.len() {
            // A new list, so that running out of memory half way leaves the old one as it was.
            let mut longer = Vec::with_capacity(place.saturating_add(1))?;
            longer.extend_from_slice(&self.list)?;
            while longer.len() <= place {
                longer.push(None)?;
            }
            self.list = longer;
        }
        if let Some(profile) = self.list.get_mut(place) {
            *profile = Some(changed);
        }
        Ok(())
    }

    /// Prints the file (reference 7.8).
    ///
    /// # Errors
    /// The sink is out of memory.
    pub(crate) fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        sink.put(b"PROFILE_VERSION=")?;
        text::put_u32(sink, PROFILE_VERSION)?;
        sink.put(b"\n")?;
        for group in Group::ALL {
            self.global.print(group, sink)?;
        }
        for (profile, number) in self.list.iter().zip(0_u8..=255) {
            if let Some(profile) = profile {
                profile.print(number, sink)?;
            }
        }
        Ok(())
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        let own = self.list.len().saturating_mul(core::mem::size_of::<Option<Arc<Profile>>>());
        self.list.iter().flatten().fold(own, |sum, profile| sum.saturating_add(profile.bytes()))
    }
}

impl Node for Profiles {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Profiles { list: self.list.try_clone()?, ..*self })
    }

    fn freeze(&mut self) {
        self.list.trim();
    }
}

/// A parsed line of the profile file.
pub(crate) enum Line<'a> {
    /// `PROFILE_VERSION=20090903`
    Version,
    /// `PREFERENCE::group=...`
    Global { group: Group, value: &'a [u8], column: u32 },
    /// `N-...`
    Profile(u8, Change<'a>),
}

/// What a line changes in one profile.
pub(crate) enum Change<'a> {
    Comment(&'a [u8]),
    Default(Value),
    Category(Category, Value),
    Item(Item, Value),
    Preference { group: Group, value: &'a [u8], column: u32 },
}

/// A parsed `config` (reference 7.2): what it says, and nothing about what it does not say.
#[derive(Clone, Copy)]
pub(crate) enum Value {
    UseDefault,
    Set { mode: Option<Mode>, grant_log: Option<bool>, reject_log: Option<bool> },
}

impl Value {
    fn parse(text: &[u8]) -> Result<Value, Reason> {
        let has = |part: &[u8]| contains(text, part);
        let flag = |yes: &[u8], no: &[u8]| match (has(yes), has(no)) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        };
        if has(b"use_default") {
            return Ok(Value::UseDefault);
        }
        let mode = Mode::ALL.into_iter().find(|mode| has(mode.word()));
        let grant_log = flag(b"grant_log=yes", b"grant_log=no");
        let reject_log = flag(b"reject_log=yes", b"reject_log=no");
        if mode.is_none() && grant_log.is_none() && reject_log.is_none() {
            return Err(Reason::EmptyConfig);
        }
        Ok(Value::Set { mode, grant_log, reject_log })
    }

    /// The setting after this value was written over `old`.
    fn over(self, old: Config) -> Config {
        match self {
            Value::UseDefault => old,
            Value::Set { mode, grant_log, reject_log } => Config {
                mode: mode.unwrap_or(old.mode),
                grant_log: grant_log.unwrap_or(old.grant_log),
                reject_log: reject_log.unwrap_or(old.reject_log),
            },
        }
    }

    /// The same for a setting that may be "use default". Log flags alone do not make one (reference 7.2).
    fn over_own(self, old: Option<Config>) -> Option<Config> {
        match (self, old) {
            (Value::UseDefault, _) | (Value::Set { mode: None, .. }, None) => None,
            (value, old) => Some(value.over(old.unwrap_or(Config::NEW))),
        }
    }
}

impl<'a> Line<'a> {
    /// Parses a line; `None` for a blank one or a comment.
    pub(crate) fn parse(line: &'a [u8]) -> Result<Option<Line<'a>>, ParseError> {
        let mut words = Words::new(line);
        let Some((column, word)) = words.next().filter(|_| !text::is_silent(line)) else {
            return Ok(None);
        };
        text::check_bytes(without_comment(line))?;
        let fail = |offset: usize, reason: Reason| {
            ParseError::new(column.saturating_add(text::column(offset)).saturating_sub(1), reason)
        };
        let Some(equals) = word.iter().position(|byte| *byte == b'=') else {
            return Err(fail(word.len(), Reason::NoEquals));
        };
        let key = word.get(..equals).unwrap_or(&[]);
        let value_offset = equals.saturating_add(1);
        // Offset of the value in the whole line; the value may contain white space, the key may not.
        let start = (column as usize).saturating_sub(1).saturating_add(value_offset);
        let value = line.get(start..).unwrap_or(&[]);

        if key == b"PROFILE_VERSION" {
            let number = Words::new(value).next().map(|(_, word)| word);
            return match number {
                Some(b"20090903") => Ok(Some(Line::Version)),
                _ => Err(fail(value_offset, Reason::BadProfileVersion)),
            };
        }
        let preference = |key: &[u8]| {
            let group = key.strip_prefix(b"PREFERENCE::")?;
            Group::ALL.into_iter().find(|known| known.name() == group)
        };
        let value_column = column.saturating_add(text::column(value_offset)).saturating_sub(1);
        if let Some(group) = preference(key) {
            if contains(value, b"use_default") {
                return Err(fail(value_offset, Reason::DefaultOfDefault));
            }
            return Ok(Some(Line::Global { group, value, column: value_column }));
        }
        let Some(dash) = key.iter().position(|byte| *byte == b'-') else {
            return Err(fail(0, Reason::UnknownProfileKey));
        };
        let Some(number) = text::parse_u8(key.get(..dash).unwrap_or(&[])) else {
            return Err(fail(0, Reason::BadProfileNumber));
        };
        let what_offset = dash.saturating_add(1);
        let what = key.get(what_offset..).unwrap_or(&[]);
        let config = || Value::parse(value).map_err(|reason| fail(value_offset, reason));
        let change = match what {
            b"COMMENT" => Change::Comment(value),
            b"CONFIG" => match config()? {
                Value::UseDefault => return Err(fail(value_offset, Reason::DefaultOfDefault)),
                set => Change::Default(set),
            },
            other => match (preference(other), other.strip_prefix(b"CONFIG::")) {
                (Some(group), _) => Change::Preference { group, value, column: value_column },
                (None, None) => return Err(fail(what_offset, Reason::UnknownProfileKey)),
                (None, Some(place)) => {
                    let colon = place.iter().position(|byte| *byte == b':').unwrap_or(place.len());
                    let (category, item) = crate::pattern::cut(place, colon);
                    let Some(category) = Category::from_name(category) else {
                        return Err(fail(what_offset, Reason::UnknownCategory));
                    };
                    match item.strip_prefix(b"::") {
                        None if item.is_empty() => Change::Category(category, config()?),
                        Some(name) => match Item::from_name(category, name) {
                            Some(item) => Change::Item(item, config()?),
                            None => return Err(fail(what_offset, Reason::UnknownItem)),
                        },
                        None => return Err(fail(what_offset, Reason::UnknownItem)),
                    }
                }
            },
        };
        Ok(Some(Line::Profile(number, change)))
    }
}

/// A line without the value of its COMMENT, which may have any bytes.
fn without_comment(line: &[u8]) -> &[u8] {
    match line.iter().position(|byte| *byte == b'=').and_then(|equals| line.get(..equals)) {
        Some(key) if key.ends_with(b"-COMMENT") => key,
        _ => line,
    }
}

/// The offset at which `part` stands first in `text`.
pub(crate) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    let mut rest = text;
    while !rest.starts_with(part) {
        rest = rest.split_first()?.1;
    }
    Some(text.len().saturating_sub(rest.len()))
}

/// Whether `part` stands anywhere in `text`.
fn contains(text: &[u8], part: &[u8]) -> bool {
    find(text, part).is_some()
}

#[cfg(test)]
mod tests;
