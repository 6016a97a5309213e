// SPDX-License-Identifier: MIT OR Apache-2.0
//! Image and records as structures with derived codecs, for programs on the host (feature `serde`).
//!
//! This is the data model: what postcard makes of [`Image`] is the payload of an image, and what it makes of [`Record`]
//! is a binary audit record. The numbers in it are those of the types of the core in the order of their variants.
//! Reading checks the encoding only; whether a policy makes sense is for [`super::load`] to say.

extern crate alloc;

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

pub use super::host_record::{Attributes, Event, Exec, Record, Request, Strings, Task};
use super::words;
use super::{sha256, HEADER, MAGIC, SHARED_NAME, VERSION};
use crate::number;

/// Bytes of a name, word or text.
pub type Bytes = Vec<u8>;

/// The place of a word in [`Image::words`].
pub type Word = u32;
/// A path: the place of a word, or the number of words and the place of a path group in [`Image::path_groups`].
pub type Path = u32;

/// The payload of an image.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Image {
    /// Whether `PROFILE_VERSION` was given.
    pub version_given: bool,
    /// The global preferences.
    pub preferences: Preferences,
    /// The profiles, by growing number.
    pub profiles: Vec<Profile>,
    /// `manage_by_non_root`
    pub non_root: bool,
    /// Programs and domains that may write policy.
    pub managers: Vec<Bytes>,
    /// All words, sorted and packed: [`Image::words`].
    pub packed_words: Bytes,
    /// `path_group`: names and members.
    pub path_groups: Vec<(Bytes, Vec<Word>)>,
    /// `number_group`
    pub number_groups: Vec<(Bytes, Vec<NumberRange>)>,
    /// `address_group`
    pub address_groups: Vec<(Bytes, Vec<AddressRange>)>,
    /// `keep_domain`
    pub keep: Vec<Rule>,
    /// `initialize_domain`
    pub initialize: Vec<Rule>,
    /// `allow_read`
    pub global_reads: Vec<Word>,
    /// `allow_env`
    pub global_envs: Vec<Word>,
    /// `file_pattern`
    pub file_patterns: Vec<Word>,
    /// `deny_rewrite`
    pub rewrites: Vec<Word>,
    /// `aggregator`
    pub aggregators: Vec<(Word, Word)>,
    /// `deny_autobind`
    pub autobind: Vec<(u16, u16)>,
    /// All different conditions, in the order in which entries first have them.
    pub conditions: Vec<Condition>,
    /// The domains, `<kernel>` first.
    pub domains: Vec<Domain>,
}

impl Image {
    /// Reads the payload of an image. `None` if the header or the encoding is wrong.
    pub fn from_bytes(image: &[u8]) -> Option<Image> {
        let head = image.get(..HEADER)?.strip_prefix(MAGIC)?;
        let payload = image.get(HEADER..)?;
        let [version, a, b, c, d, digest @ ..] = head else {
            return None;
        };
        let len = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        if *version != VERSION || len != payload.len() || *digest != sha256::digest(payload) {
            return None;
        }
        match postcard::take_from_bytes(payload) {
            Ok((image, [])) => Some(image),
            _ => None,
        }
    }

    /// Writes an image. `None` if it would be larger than 4 GiB.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        wrap(&postcard::to_allocvec(self).ok()?)
    }

    /// The words. `None` if what is packed there has another form.
    pub fn words(&self) -> Option<Vec<Bytes>> {
        let mut all: Vec<Bytes> = Vec::new();
        let mut rest = &*self.packed_words;
        while let Some((mark, tail)) = rest.split_first() {
            let shared = usize::from(mark.checked_sub(0x80)?);
            let (own, next) = tail.split_at(tail.iter().position(|byte| *byte >= 0x80).unwrap_or(tail.len()));
            let mut word = all.last().map_or(&[][..], |word| word).get(..shared)?.to_vec();
            word.extend_from_slice(own);
            all.push(word);
            rest = next;
        }
        Some(all)
    }

    /// Packs other words.
    pub fn set_words(&mut self, words: &[Bytes]) {
        self.packed_words.clear();
        let mut last: &[u8] = &[];
        for word in words {
            let shared = words::shared(last, word, words::SHARED);
            self.packed_words.push(0x80 | shared as u8);
            self.packed_words.extend_from_slice(word.get(shared..).unwrap_or(&[]));
            last = word;
        }
    }

    /// Shows each place that names a word or, behind the words, a path group.
    pub fn for_each_path(&mut self, mut visit: impl FnMut(&mut Path)) {
        let groups = self.path_groups.iter_mut().flat_map(|(_, members)| members);
        let lists =
            [&mut self.global_reads, &mut self.global_envs, &mut self.file_patterns, &mut self.rewrites];
        groups.chain(lists.into_iter().flatten()).for_each(&mut visit);
        for (from, to) in &mut self.aggregators {
            visit(from);
            visit(to);
        }
        for run in self.domains.iter_mut().flat_map(|domain| &mut domain.runs) {
            match &mut run.entries {
                Entries::Path(all) => {
                    let (mut old, mut new) = (0_u32, 0_u32);
                    for step in all {
                        old = old.wrapping_add_signed(*step);
                        let mut path = old;
                        visit(&mut path);
                        *step = path.wrapping_sub(new) as i32;
                        new = path;
                    }
                }
                Entries::Env(all) | Entries::ExecuteHandler(all) | Entries::DeniedExecuteHandler(all) => {
                    all.iter_mut().for_each(&mut visit)
                }
                Entries::Path2(all) => all.iter_mut().for_each(|(from, to)| {
                    visit(from);
                    visit(to);
                }),
                Entries::PathNumber(all) => all.iter_mut().for_each(|(path, _)| visit(path)),
                Entries::Device(all) => all.iter_mut().for_each(|(path, ..)| visit(path)),
                Entries::Mount(all) => all.iter_mut().for_each(|mount| {
                    visit(&mut mount.device);
                    visit(&mut mount.dir);
                    visit(&mut mount.kind);
                }),
                Entries::Network(_) | Entries::Capability(_) | Entries::Signal(_) => {}
            }
        }
    }

    /// The place of a word, which is added if it is not there.
    pub fn add_word(&mut self, word: &[u8]) -> Option<Word> {
        let mut words = self.words()?;
        let place = words.partition_point(|other| **other < *word);
        if words.get(place).map(|other| &**other) != Some(word) {
            words.insert(place, word.to_vec());
            self.set_words(&words);
            self.for_each_path(|path| *path = path.saturating_add(u32::from(*path as usize >= place)));
        }
        u32::try_from(place).ok()
    }

    /// The names of the domains. `None` if one begins with more than there is.
    pub fn domain_names(&self) -> Option<Vec<Bytes>> {
        let mut all: Vec<Bytes> = Vec::new();
        for domain in &self.domains {
            let last = all.last().map_or(&[][..], |name| name);
            let mut name = last.get(..usize::from(domain.shared))?.to_vec();
            name.extend_from_slice(&domain.own);
            all.push(name);
        }
        Some(all)
    }

    /// Gives the domains other names.
    pub fn set_domain_names(&mut self, names: &[Bytes]) {
        let mut last: &[u8] = &[];
        for (domain, name) in self.domains.iter_mut().zip(names) {
            let shared = words::shared(last, name, SHARED_NAME);
            domain.shared = shared as u8;
            domain.own = name.get(shared..).unwrap_or(&[]).to_vec();
            last = name;
        }
    }
}

/// Puts the header in front of a payload. `None` if it is larger than 4 GiB.
pub fn wrap(payload: &[u8]) -> Option<Vec<u8>> {
    let len = u32::try_from(payload.len()).ok()?;
    let mut image = MAGIC.to_vec();
    image.push(VERSION);
    image.extend_from_slice(&len.to_le_bytes());
    image.extend_from_slice(&sha256::digest(payload));
    image.extend_from_slice(payload);
    Some(image)
}

/// [`policy::Preferences`]
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the core's type")]
pub struct Preferences {
    pub max_grant_log: u32,
    pub max_reject_log: u32,
    pub task_info: bool,
    pub path_info: bool,
    pub learning_verbose: bool,
    pub max_entry: u32,
    pub learn_realpath: bool,
    pub learn_argv0: bool,
    pub learn_target: bool,
    pub permissive_verbose: bool,
    pub enforcing_verbose: bool,
    pub penalty: u32,
}

/// A profile.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Profile {
    /// From 0 to 255.
    pub number: u8,
    /// The comment, normalised.
    pub comment: Bytes,
    /// `CONFIG`
    pub default: Config,
    /// `CONFIG::file` and so on, in the order of [`crate::item::Category`].
    pub categories: [Option<Config>; 5],
    /// `CONFIG::file::open` and so on, by growing number of [`crate::item::Item`].
    pub items: Vec<(u8, Config)>,
    /// Which groups of `preferences` count: audit 1, learning 2, permissive 4, enforcing 8.
    pub own: u8,
    /// The profile's own preferences.
    pub preferences: Preferences,
}

/// A setting.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Number of [`Mode`].
    pub mode: u8,
    /// `grant_log`
    pub grant_log: bool,
    /// `reject_log`
    pub reject_log: bool,
}

/// A transition rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rule {
    /// A `no_` form.
    pub negative: bool,
    /// The program.
    pub program: Option<Bytes>,
    /// The domain, or its last word.
    pub from: Option<Bytes>,
}

/// A domain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Domain {
    /// How many bytes of its name are the first ones of the name before: as many as are the same, up to 255.
    pub shared: u8,
    /// The other bytes of its name: [`Image::domain_names`].
    pub own: Bytes,
    /// Its profile.
    pub profile: u8,
    /// `quota_exceeded`
    pub quota_exceeded: bool,
    /// `transition_failed`
    pub transition_failed: bool,
    /// `ignore_global_allow_read`
    pub ignore_global_allow_read: bool,
    /// `ignore_global_allow_env`
    pub ignore_global_allow_env: bool,
    /// Its entries in list order.
    pub runs: Vec<Run>,
}

/// Entries that stand one behind the other and have bits, condition and class in common.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// What is allowed, bits of the class: [`Operation::bit`].
    pub bits: u16,
    /// Place in [`Image::conditions`].
    pub condition: Option<u32>,
    /// Class and arguments of each.
    pub entries: Entries,
}

/// Arguments of each entry, by [`Class`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants are those of the core's classes")]
pub enum Entries {
    /// Each as the difference to the one before, the first as the difference to 0.
    Path(Vec<i32>),
    Path2(Vec<(Path, Path)>),
    PathNumber(Vec<(Path, NumberArg)>),
    Device(Vec<(Path, NumberArg, NumberArg, NumberArg)>),
    Network(Vec<(AddressArg, NumberArg)>),
    Mount(Vec<Mount>),
    Env(Vec<Word>),
    Capability(Vec<u8>),
    Signal(Vec<(u16, Bytes)>),
    ExecuteHandler(Vec<Word>),
    DeniedExecuteHandler(Vec<Word>),
}

/// Arguments of `allow_mount`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Mount {
    pub device: Path,
    pub dir: Path,
    pub kind: Path,
    pub flags: NumberArg,
}

/// A range, or the place of a number group in [`Image::number_groups`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "one line says both")]
pub enum NumberArg {
    Range(NumberRange),
    Group(u32),
}

/// A range, or the place of an address group in [`Image::address_groups`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "one line says both")]
pub enum AddressArg {
    Range(AddressRange),
    Group(u32),
}

/// How a number is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Radix {
    Decimal,
    Octal,
    Hexadecimal,
}

/// A number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Number {
    pub radix: Radix,
    pub value: u64,
}

/// A range of numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NumberRange {
    pub min: Number,
    pub max: Number,
}

/// An address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Address {
    V4([u8; 4]),
    V6([u8; 16]),
}

/// A range of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct AddressRange {
    pub min: Address,
    pub max: Address,
}

/// A condition.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Condition {
    /// In the order of the text.
    pub tests: Vec<Test>,
    /// What `; set` assigns to the three state bytes.
    pub assignments: [Option<u8>; 3],
}

/// A test of a condition, as [`crate::condition::Test`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "variants and fields are those of the core's type")]
pub enum Test {
    Value { left: Value, negated: bool, right: Value },
    Name { subject: Subject, negated: bool, wanted: Wanted },
    Argument { index: u64, negated: bool, wanted: Bytes },
    Variable { name: Bytes, negated: bool, wanted: Option<Bytes> },
}

/// What a name is compared with: a word, or the place of a path group in [`Image::path_groups`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "one line says both")]
pub enum Wanted {
    Word(Bytes),
    Group(u32),
}

/// A name that a condition looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Subject {
    Realpath,
    SymlinkTarget,
}

/// Something that stands for numbers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants are those of the core's type")]
pub enum Value {
    Keyword(Keyword),
    Number(Number),
    Range(NumberRange),
    Group(u32),
}

/// A word that stands for a number; the numbers are places in the `ALL` lists of the core's types.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants are those of the core's type")]
pub enum Keyword {
    Task(u8),
    ExecuteHandler,
    Argc,
    Envc,
    Attribute(u8, u8),
    Type(u8),
    Permission(u8),
}

impl Number {
    pub(super) const fn to_core(self) -> number::Number {
        let radix = match self.radix {
            Radix::Decimal => number::Radix::Decimal,
            Radix::Octal => number::Radix::Octal,
            Radix::Hexadecimal => number::Radix::Hexadecimal,
        };
        number::Number { value: self.value, radix }
    }
}
