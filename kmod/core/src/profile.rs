// SPDX-License-Identifier: MIT OR Apache-2.0
//! Profiles: which items of which domains are watched, and what happens on a miss.
//!
//! Reference 7. This version has `COMMENT`, `CONFIG`, `CONFIG::file` and `CONFIG::file::ITEM` for the items of the ACLs
//! that it has. A value is only searched for substrings, as in 1.7; what says nothing at all is rejected, because it
//! is a spelling mistake that would leave a system open.

use crate::mem::{OutOfMemory, Vec};
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
    const ALL: [Mode; 4] = [Mode::Disabled, Mode::Learning, Mode::Permissive, Mode::Enforcing];

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

/// What has a setting of its own inside the category `file`. The order is the print order of reference 7.3.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// `file::execute`
    Execute,
    /// `file::open`
    Open,
    /// `file::create`
    Create,
    /// `file::unlink`
    Unlink,
    /// `file::mkdir`
    Mkdir,
    /// `file::rmdir`
    Rmdir,
    /// `file::truncate`
    Truncate,
    /// `file::rename`
    Rename,
}

/// Number of items.
const ITEMS: usize = 8;

impl Item {
    /// All items in print order.
    pub const ALL: [Item; ITEMS] = [
        Item::Execute,
        Item::Open,
        Item::Create,
        Item::Unlink,
        Item::Mkdir,
        Item::Rmdir,
        Item::Truncate,
        Item::Rename,
    ];

    /// The name behind `CONFIG::file::`.
    pub const fn name(self) -> &'static [u8] {
        match self {
            Item::Execute => b"execute",
            Item::Open => b"open",
            Item::Create => b"create",
            Item::Unlink => b"unlink",
            Item::Mkdir => b"mkdir",
            Item::Rmdir => b"rmdir",
            Item::Truncate => b"truncate",
            Item::Rename => b"rename",
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
    comment: Vec<u8>,
    default: Config,
    /// `None`: use the default.
    file: Option<Config>,
    /// `None`: use the category's, in the order of [`Item::ALL`].
    items: [Option<Config>; ITEMS],
}

impl Profile {
    /// What the first line of a profile creates before it takes effect itself (reference 7.1).
    pub(crate) const fn new() -> Self {
        Profile { comment: Vec::new(), default: Config::NEW, file: None, items: [None; ITEMS] }
    }

    pub(crate) fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Profile {
            comment: self.comment.try_clone()?,
            default: self.default,
            file: self.file,
            items: self.items,
        })
    }

    pub(crate) fn memory(&self) -> usize {
        core::mem::size_of::<Self>().saturating_add(self.comment.capacity_bytes())
    }

    /// The effective setting: the item's own, else the category's, else the profile's (reference 7.3).
    pub fn config(&self, item: Item) -> Config {
        self.items.get(item as usize).copied().flatten().or(self.file).unwrap_or(self.default)
    }

    /// Applies a line.
    pub(crate) fn apply(&mut self, change: &Change<'_>) -> Result<(), OutOfMemory> {
        match change {
            Change::Comment(words) => self.comment = comment(*words)?,
            Change::Default(value) => self.default = value.over(self.default),
            Change::File(value) => self.file = value.over_own(self.file),
            Change::Item(item, value) => {
                if let Some(own) = self.items.get_mut(*item as usize) {
                    *own = value.over_own(*own);
                }
            }
        }
        Ok(())
    }

    /// Prints the lines of the profile in the order of reference 7.8.
    pub(crate) fn print(&self, number: u8, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        let key = |sink: &mut dyn Sink, key: &[u8]| {
            text::put_u32(sink, u32::from(number))?;
            sink.put(key)
        };
        key(sink, b"-COMMENT=")?;
        sink.put(&self.comment)?;
        sink.put(b"\n")?;
        key(sink, b"-CONFIG")?;
        self.default.print(sink)?;
        for (item, own) in Item::ALL.iter().zip(self.items.iter()) {
            if let Some(own) = own {
                key(sink, b"-CONFIG::file::")?;
                sink.put(item.name())?;
                own.print(sink)?;
            }
        }
        if let Some(own) = &self.file {
            key(sink, b"-CONFIG::file")?;
            own.print(sink)?;
        }
        Ok(())
    }
}

/// The value of a comment: the text behind `=`, normalised like every line (reference 7.1). A blank directly behind
/// `=` stays, one of it, as in 1.7.
fn comment(words: Words<'_>) -> Result<Vec<u8>, OutOfMemory> {
    let body = text::normalise(words)?;
    let spaced = !body.is_empty() && words.rest().first() != body.first();
    if !spaced {
        return Ok(body);
    }
    let mut comment = Vec::with_capacity(body.len().saturating_add(1))?;
    comment.push(b' ')?;
    comment.extend_from_slice(&body)?;
    Ok(comment)
}

/// A parsed line of the profile file.
pub(crate) enum Line<'a> {
    /// `PROFILE_VERSION=20090903`
    Version,
    /// `N-...`
    Profile(u8, Change<'a>),
}

/// What a line changes in one profile.
pub(crate) enum Change<'a> {
    Comment(Words<'a>),
    Default(Value),
    File(Value),
    Item(Item, Value),
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
    /// Parses a line; `None` for a blank one.
    pub(crate) fn parse(line: &'a [u8]) -> Result<Option<Line<'a>>, ParseError> {
        let mut words = Words::new(line);
        let Some((column, word)) = words.next() else {
            return Ok(None);
        };
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
        if key.starts_with(b"PREFERENCE") {
            return Err(fail(0, Reason::PreferenceNotYet));
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
            b"COMMENT" => Change::Comment(Words::new(value)),
            b"CONFIG" => match config()? {
                Value::UseDefault => return Err(fail(value_offset, Reason::DefaultOfDefault)),
                set => Change::Default(set),
            },
            b"CONFIG::file" => Change::File(config()?),
            other => match other.strip_prefix(b"CONFIG::file::") {
                Some(name) => match Item::ALL.into_iter().find(|item| item.name() == name) {
                    Some(item) => Change::Item(item, config()?),
                    None if LATER_FILE_ITEMS.contains(&name) => {
                        return Err(fail(what_offset, Reason::ItemNotYet))
                    }
                    None => return Err(fail(what_offset, Reason::UnknownItem)),
                },
                None if other.starts_with(b"PREFERENCE::") => {
                    return Err(fail(what_offset, Reason::PreferenceNotYet));
                }
                None if is_later_category(other) => return Err(fail(what_offset, Reason::ItemNotYet)),
                None => return Err(fail(what_offset, Reason::UnknownProfileKey)),
            },
        };
        Ok(Some(Line::Profile(number, change)))
    }
}

/// Whether `part` stands anywhere in `text`.
fn contains(text: &[u8], part: &[u8]) -> bool {
    let mut rest = text;
    loop {
        if rest.starts_with(part) {
            return true;
        }
        match rest.split_first() {
            Some((_, tail)) => rest = tail,
            None => return false,
        }
    }
}

/// Items of `file` in TOMOYO 1.7 that have no ACL here yet (reference 7.3; both names of Q24).
const LATER_FILE_ITEMS: [&[u8]; 17] = [
    b"mkfifo",
    b"mksock",
    b"symlink",
    b"rewrite",
    b"mkblock",
    b"mkchar",
    b"link",
    b"chmod",
    b"chown",
    b"chgrp",
    b"ioctl",
    b"chroot",
    b"mount",
    b"umount",
    b"unmount",
    b"pivot_root",
    b"transit",
];

/// `CONFIG::network...`, `CONFIG::misc...`, `CONFIG::ipc...`, `CONFIG::capability...`.
fn is_later_category(what: &[u8]) -> bool {
    let categories: [&[u8]; 4] = [b"network", b"misc", b"ipc", b"capability"];
    match what.strip_prefix(b"CONFIG::") {
        Some(rest) => categories.iter().any(|category| {
            rest.strip_prefix(*category).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"::"))
        }),
        None => false,
    }
}
