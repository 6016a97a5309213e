// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a policy to an image. For programs on the host: the kernel only loads images.
//!
//! Written is what the four policy files show; deleted domains, which only their tasks still know, are left out.

use super::codec::{put_address, put_bytes, put_i32, put_len, put_number, put_option, put_u64};
use super::words::{pack, shared};
use super::{sha256, MAGIC, SHARED_NAME, VERSION};
use crate::address::AddressRange;
use crate::args::{self, AddressArg, Args, NumberArg, PathArg};
use crate::condition::{Condition, FileType, Keyword, Permission, Subject, TaskField, Test, Value, Wanted};
use crate::directive::{Directive, From};
use crate::domain::Domain;
use crate::entry::Entry;
use crate::facts::{Attribute, Object};
use crate::group::{GroupId, GroupKind};
use crate::hash;
use crate::lines::Lines;
use crate::map::Map;
use crate::mem::{OutOfMemory, Vec};
use crate::number::NumberRange;
use crate::policy::{Policy, Preferences};
use crate::profile::Config;
use crate::rules::Rules;

type Result = core::result::Result<(), OutOfMemory>;

/// Makes the image of a policy. Equal texts do not always give equal images: the order of groups that have no members
/// does not show in the texts.
///
/// # Errors
/// Out of memory, or the image would be larger than 4 GiB.
pub fn compile(policy: &Policy) -> core::result::Result<Vec<u8>, OutOfMemory> {
    let references = References::collect(policy)?;
    let mut payload = Vec::new();
    Writer { policy, references: &references, out: &mut payload }.policy()?;
    let len = u32::try_from(payload.len()).map_err(|_| OutOfMemory)?;
    let mut image = Vec::with_capacity(payload.len().saturating_add(super::HEADER))?;
    image.extend_from_slice(MAGIC)?;
    image.push(VERSION)?;
    image.extend_from_slice(&len.to_le_bytes())?;
    image.extend_from_slice(&sha256::digest(&payload))?;
    image.extend_from_slice(&payload)?;
    Ok(image)
}

/// What gets a number in the image.
struct References<'p> {
    /// All words, sorted: the place in the list is the number.
    words: Vec<&'p [u8]>,
    /// Slots of the groups of each kind, growing: the place in the list is the number.
    groups: [Vec<u32>; 3],
    conditions: Vec<&'p Condition>,
    /// From the hash of a condition's address to its number.
    places: Map<u32>,
}

impl<'p> References<'p> {
    fn collect(policy: &'p Policy) -> core::result::Result<Self, OutOfMemory> {
        let mut all = References {
            words: Vec::new(),
            groups: [Vec::new(), Vec::new(), Vec::new()],
            conditions: Vec::new(),
            places: Map::new(),
        };
        let mut words = Vec::new();
        let mut mentioned = [Map::new(), Map::new(), Map::new()];
        let mut mention = |kind: GroupKind, id: GroupId| match mentioned.get_mut(kind as usize) {
            Some(map) if map.get(id.0).next().is_none() => map.insert(id.0, id.0),
            _ => Ok(()),
        };
        for entry in live(policy).flat_map(Domain::entries) {
            for (kind, id) in args::groups(&entry.args) {
                mention(kind, id)?;
            }
            for path in args::paths(&entry.args).into_iter().flatten() {
                if let PathArg::Word(word) = path {
                    words.push(word)?;
                }
            }
            if let Args::Env(word) | Args::Handler(word) = entry.args {
                words.push(word)?;
            }
            let Some(condition) = entry.condition else { continue };
            if all.number(condition).is_none() {
                let number = u32::try_from(all.conditions.len()).map_err(|_| OutOfMemory)?;
                all.places.insert(address(condition), number)?;
                all.conditions.push(condition)?;
                for (kind, id) in condition.groups() {
                    mention(kind, id)?;
                }
            }
        }
        let [paths, numbers, addresses] = &mentioned;
        let [path_slots, number_slots, address_slots] = &mut all.groups;
        for (slot, group) in policy.groups.get().paths.iter() {
            if !group.members.is_empty() || paths.get(slot).next().is_some() {
                path_slots.push(slot)?;
            }
            for (_, word) in group.members.iter().filter_map(|member| policy.path_member(member)) {
                words.push(word)?;
            }
        }
        for (slot, group) in policy.groups.get().numbers.iter() {
            if !group.members().is_empty() || numbers.get(slot).next().is_some() {
                number_slots.push(slot)?;
            }
        }
        for (slot, group) in policy.groups.get().addresses.iter() {
            if !group.members().is_empty() || addresses.get(slot).next().is_some() {
                address_slots.push(slot)?;
            }
        }
        for lines in lists(policy) {
            for (word, _) in lines.iter() {
                words.push(word)?;
            }
        }
        for (from, to) in policy.aggregators() {
            words.push(from)?;
            words.push(to)?;
        }
        words.sort_unstable();
        for word in words.iter().copied() {
            if all.words.last() != Some(&word) {
                all.words.push(word)?;
            }
        }
        Ok(all)
    }

    /// The number of a word.
    fn word(&self, word: &[u8]) -> u64 {
        self.words.binary_search(&word).map_or(u64::from(u32::MAX), |place| place as u64)
    }

    /// The number of a path.
    fn path(&self, path: &PathArg<'_, GroupId>) -> u64 {
        match path {
            PathArg::Word(word) => self.word(word),
            PathArg::Group(id) => self.group(GroupKind::Path, *id).saturating_add(self.words.len() as u64),
        }
    }

    /// The number of a condition. Equal ones are the same, so that the address says enough.
    fn number(&self, condition: &Condition) -> Option<u32> {
        let is = |number: &u32| {
            let known = self.conditions.get(*number as usize);
            known.is_some_and(|known| core::ptr::eq(*known, condition))
        };
        self.places.get(address(condition)).copied().find(is)
    }

    /// The number of a group.
    fn group(&self, kind: GroupKind, id: GroupId) -> u64 {
        let slots = self.groups.get(kind as usize);
        slots
            .and_then(|slots| slots.binary_search(&id.0).ok())
            .map_or(u64::from(u32::MAX), |place| place as u64)
    }
}

fn address(condition: &Condition) -> u32 {
    hash::fold(hash::word(hash::PUBLIC, 0, core::ptr::from_ref(condition) as usize as u64))
}

fn live(policy: &Policy) -> impl Iterator<Item = &Domain> {
    policy.domains().map(|(_, domain)| domain).filter(|domain| !domain.is_deleted())
}

/// The lists of exception_policy that have one word a line.
fn lists(policy: &Policy) -> [&Lines; 4] {
    let exceptions = policy.exceptions.get();
    [&exceptions.global_reads, &exceptions.global_envs, &exceptions.file_patterns, &exceptions.rewrites]
}

struct Writer<'w, 'p> {
    policy: &'p Policy,
    references: &'w References<'p>,
    out: &'w mut Vec<u8>,
}

impl<'p> Writer<'_, 'p> {
    fn policy(&mut self) -> Result {
        self.profiles()?;
        self.flag(self.policy.non_root)?;
        put_len(self.out, self.policy.managers.get().len() as usize)?;
        for name in self.policy.managers.get().iter() {
            put_bytes(self.out, name)?;
        }
        put_bytes(self.out, &pack(&self.references.words)?)?;
        self.groups()?;
        self.exceptions()?;
        put_len(self.out, self.references.conditions.len())?;
        for condition in &self.references.conditions {
            self.condition(condition)?;
        }
        put_len(self.out, count(live(self.policy)))?;
        let mut last: &[u8] = &[];
        for domain in live(self.policy) {
            let shared = shared(last, domain.name(), SHARED_NAME);
            self.out.push(shared as u8)?;
            put_bytes(self.out, domain.name().get(shared..).unwrap_or(&[]))?;
            last = domain.name();
            self.out.push(domain.profile())?;
            let flags = domain.flags();
            self.flag(flags.quota_exceeded)?;
            self.flag(flags.transition_failed)?;
            self.flag(flags.ignore_global_allow_read)?;
            self.flag(flags.ignore_global_allow_env)?;
            self.runs(domain)?;
        }
        Ok(())
    }

    fn flag(&mut self, flag: bool) -> Result {
        self.out.push(u8::from(flag))
    }

    fn profiles(&mut self) -> Result {
        let profiles = self.policy.profiles.get();
        self.flag(profiles.version_given)?;
        self.preferences(&profiles.global)?;
        put_len(self.out, count(profiles.list.iter().flatten()))?;
        for (number, profile) in (0_u8..=255).zip(profiles.list.iter()) {
            let Some(profile) = profile else { continue };
            self.out.push(number)?;
            put_bytes(self.out, &profile.comment)?;
            put_config(self.out, profile.default)?;
            for category in profile.categories {
                put_option(self.out, category, put_config)?;
            }
            put_len(self.out, count(profile.items.iter().flatten()))?;
            for (item, config) in (0_u8..=255).zip(profile.items) {
                if let Some(config) = config {
                    self.out.push(item)?;
                    put_config(self.out, config)?;
                }
            }
            self.out.push(profile.own)?;
            self.preferences(&profile.preferences)?;
        }
        Ok(())
    }

    fn preferences(&mut self, values: &Preferences) -> Result {
        put_u64(self.out, values.max_grant_log.into())?;
        put_u64(self.out, values.max_reject_log.into())?;
        self.flag(values.task_info)?;
        self.flag(values.path_info)?;
        self.flag(values.learning_verbose)?;
        put_u64(self.out, values.max_entry.into())?;
        self.flag(values.learn_realpath)?;
        self.flag(values.learn_argv0)?;
        self.flag(values.learn_target)?;
        self.flag(values.permissive_verbose)?;
        self.flag(values.enforcing_verbose)?;
        put_u64(self.out, values.penalty.into())
    }

    fn groups(&mut self) -> Result {
        let [paths, numbers, addresses] = &self.references.groups;
        put_len(self.out, paths.len())?;
        for group in paths.iter().filter_map(|slot| self.policy.groups.get().paths.get(*slot)) {
            put_bytes(self.out, group.name())?;
            put_len(self.out, group.members.len())?;
            for member in group.members.iter() {
                self.word(self.policy.path_member(member).map_or(&[], |(_, word)| word))?;
            }
        }
        put_len(self.out, numbers.len())?;
        for group in numbers.iter().filter_map(|slot| self.policy.groups.get().numbers.get(*slot)) {
            put_bytes(self.out, group.name())?;
            put_len(self.out, group.members().len())?;
            for member in group.members().iter() {
                put_range(self.out, &member)?;
            }
        }
        put_len(self.out, addresses.len())?;
        for group in addresses.iter().filter_map(|slot| self.policy.groups.get().addresses.get(*slot)) {
            put_bytes(self.out, group.name())?;
            put_len(self.out, group.members().len())?;
            for member in group.members().iter() {
                put_addresses(self.out, &member)?;
            }
        }
        Ok(())
    }

    fn exceptions(&mut self) -> Result {
        let exceptions = self.policy.exceptions.get();
        self.rules(&exceptions.keep)?;
        self.rules(&exceptions.initialize)?;
        for lines in lists(self.policy) {
            put_len(self.out, count(lines.iter()))?;
            for (word, _) in lines.iter() {
                self.word(word)?;
            }
        }
        put_len(self.out, count(self.policy.aggregators()))?;
        for (from, to) in self.policy.aggregators() {
            self.word(from)?;
            self.word(to)?;
        }
        put_len(self.out, exceptions.autobind.len())?;
        for [from, to] in exceptions.autobind.iter() {
            put_u64(self.out, from.into())?;
            put_u64(self.out, to.into())?;
        }
        Ok(())
    }

    fn rules(&mut self, rules: &Rules) -> Result {
        put_len(self.out, count(rules.iter()))?;
        for rule in rules.iter() {
            if let Directive::Rule { negative, program, from, .. } = rule {
                self.flag(negative)?;
                put_option(self.out, program, put_bytes)?;
                put_option(self.out, from.as_ref().map(From::text), put_bytes)?;
            }
        }
        Ok(())
    }

    fn condition(&mut self, condition: &Condition) -> Result {
        put_len(self.out, count(condition.tests()))?;
        for test in condition.tests() {
            match test {
                Test::Value { left, negated, right } => {
                    self.out.push(0)?;
                    self.value(left)?;
                    self.flag(*negated)?;
                    self.value(right)?;
                }
                Test::Name { subject, negated, wanted } => {
                    let subject = matches!(subject, Subject::SymlinkTarget);
                    self.out.extend_from_slice(&[1, u8::from(subject), u8::from(*negated)])?;
                    match wanted {
                        Wanted::Word(word) => {
                            self.out.push(0)?;
                            put_bytes(self.out, word.as_bytes())?;
                        }
                        Wanted::Group(id) => self.group(GroupKind::Path, *id)?,
                    }
                }
                Test::Argument { index, negated, wanted } => {
                    self.out.push(2)?;
                    put_u64(self.out, *index)?;
                    self.flag(*negated)?;
                    put_bytes(self.out, wanted.as_bytes())?;
                }
                Test::Variable { name, negated, wanted } => {
                    self.out.push(3)?;
                    put_bytes(self.out, name.as_bytes())?;
                    self.flag(*negated)?;
                    put_option(self.out, wanted.as_ref(), |out, word| put_bytes(out, word.as_bytes()))?;
                }
            }
        }
        for value in condition.assignments() {
            put_option(self.out, value, Vec::push)?;
        }
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result {
        match value {
            Value::Keyword(keyword) => {
                self.out.push(0)?;
                self.keyword(*keyword)
            }
            Value::Number(number) => {
                self.out.push(1)?;
                put_number(self.out, *number)
            }
            Value::Range(range) => {
                self.out.push(2)?;
                put_range(self.out, range)
            }
            Value::Group(id) => {
                self.out.push(3)?;
                put_u64(self.out, self.references.group(GroupKind::Number, *id))
            }
        }
    }

    fn keyword(&mut self, keyword: Keyword) -> Result {
        match keyword {
            Keyword::Task(field) => self.out.extend_from_slice(&[0, place(&TaskField::ALL, &field)]),
            Keyword::ExecuteHandler => self.out.push(1),
            Keyword::Argc => self.out.push(2),
            Keyword::Envc => self.out.push(3),
            Keyword::Attribute(object, attribute) => {
                let places = [4, place(&Object::ALL, &object), place(&Attribute::ALL, &attribute)];
                self.out.extend_from_slice(&places)
            }
            Keyword::Type(kind) => self.out.extend_from_slice(&[5, place(&FileType::ALL, &kind)]),
            Keyword::Permission(bit) => self.out.extend_from_slice(&[6, place(&Permission::ALL, &bit)]),
        }
    }

    /// A group where a word, a number or an address could stand, too.
    fn group(&mut self, kind: GroupKind, id: GroupId) -> Result {
        self.out.push(1)?;
        put_u64(self.out, self.references.group(kind, id))
    }

    fn word(&mut self, word: &[u8]) -> Result {
        put_u64(self.out, self.references.word(word))
    }

    fn runs(&mut self, domain: &Domain) -> Result {
        let mut entries = Vec::new();
        for entry in domain.entries() {
            entries.push(entry)?;
        }
        let same = |this: &Entry<'_>, that: &Entry<'_>| {
            let condition = |entry: &Entry<'_>| entry.condition.map(core::ptr::from_ref);
            (this.class, this.bits, condition(this)) == (that.class, that.bits, condition(that))
        };
        put_len(self.out, count(entries.chunk_by(same)))?;
        for run in entries.chunk_by(same) {
            let Some(first) = run.first() else { continue };
            put_u64(self.out, first.bits.into())?;
            let condition = first.condition.and_then(|condition| self.references.number(condition));
            put_option(self.out, condition, |out, number| put_u64(out, number.into()))?;
            self.out.push(first.class as u8)?;
            put_len(self.out, run.len())?;
            let mut last = 0_u32;
            for entry in run {
                if let Args::Path(path) = &entry.args {
                    let number = self.references.path(path) as u32;
                    put_i32(self.out, number.wrapping_sub(last) as i32)?;
                    last = number;
                } else {
                    self.entry(entry)?;
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Result {
        if let Args::Network(address, _) = &entry.args {
            match address {
                AddressArg::Range(range) => {
                    self.out.push(0)?;
                    put_addresses(self.out, range)?;
                }
                AddressArg::Group(id) => self.group(GroupKind::Address, *id)?,
            }
        }
        for path in args::paths(&entry.args).into_iter().flatten() {
            put_u64(self.out, self.references.path(&path))?;
        }
        for number in args::numbers(&entry.args).into_iter().flatten() {
            match number {
                NumberArg::Range(range) => {
                    self.out.push(0)?;
                    put_range(self.out, &range)?;
                }
                NumberArg::Group(id) => self.group(GroupKind::Number, id)?,
            }
        }
        match &entry.args {
            Args::Env(word) | Args::Handler(word) => self.word(word),
            Args::Capability(capability) => self.out.push(*capability as u8),
            Args::Signal(number, domain) => {
                put_u64(self.out, (*number).into())?;
                put_bytes(self.out, domain)
            }
            _ => Ok(()),
        }
    }
}

fn put_config(out: &mut Vec<u8>, config: Config) -> Result {
    out.extend_from_slice(&[config.mode as u8, config.grant_log.into(), config.reject_log.into()])
}

fn put_addresses(out: &mut Vec<u8>, range: &AddressRange) -> Result {
    put_address(out, &range.min)?;
    put_address(out, &range.max)
}

fn put_range(out: &mut Vec<u8>, range: &NumberRange) -> Result {
    put_number(out, range.min)?;
    put_number(out, range.max)
}

/// The number of elements; not `Iterator::count`, whose addition is checked with a panic.
fn count<T>(all: impl Iterator<Item = T>) -> usize {
    all.fold(0, |count: usize, _| count.saturating_add(1))
}

/// The place in a list of everything that there is.
fn place<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|other| other == one).and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}
