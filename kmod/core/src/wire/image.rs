// SPDX-License-Identifier: MIT OR Apache-2.0
//! From an image to a policy: one pass that verifies.
//!
//! The payload, in this order (`host::Image` has it as structures): profiles, managers, words, groups with their members,
//! the lists of exception_policy, all different conditions, and the domains with their entries. Entries, members and lists
//! name a word, entries and conditions a group, and entries a condition, by its place in the image. So a word, a group or
//! a condition that ten thousand rules mention is looked up once and checked once. Only conditions and transition rules
//! have words of their own.
//!
//! A path of an entry is a number: that of a word, or the number of words and that of a group. The entries of a domain
//! stand in their order in runs, and a run says once what its entries have in common: class, bits and condition. Where they
//! have a path and nothing else, only the difference to the path before stands there (to 0 for the first). The name
//! of a domain begins with the bytes of the one before that it says.
//!
//! Each of these has one form: the words are sorted and different, a run ends where something else begins, and a shared
//! beginning is the longest.
//!
//! What is built is built by the same parts that a written line goes through. An image says each thing once, in the order
//! in which it prints, and conditions in the order in which entries first have them; one that repeats itself is rejected,
//! where text would be merged. So the image of the policy that was loaded has the same bytes.

use super::codec::Reader;
use super::words::{PathRecord, Words};
use super::{sha256, HEADER, MAGIC, SHARED_NAME, VERSION};
use crate::acl::{self, AddressArg, Args, NumberArg, PathArg};
use crate::acl_list::{encode, Bulk, Place};
use crate::address::{Address, AddressRange};
use crate::capability::Capability;
use crate::condition::{Condition, FileType, Keyword, Permission, Subject, TaskField, Test, Value, Wanted};
use crate::directive::{self, Directive};
use crate::domain::{Domain, DomainFlags, DomainId};
use crate::edit::{Edit, EditError};
use crate::entry;
use crate::facts::{Attribute, Object};
use crate::group::{GroupId, GroupKind};
use crate::manager::Manager;
use crate::mem::{Arc, Box, OutOfMemory, Vec};
use crate::name::{self, DomainName, ROOT_DOMAIN};
use crate::number::{Number, NumberRange, Radix};
use crate::pattern::Pattern;
use crate::policy::{Interned, Policy, Preferences};
use crate::profile::{self, Config, Mode, Profile};
use crate::request::Class;
use crate::text::Reason;

/// What is wrong with an image.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// There is no memory for the policy.
    OutOfMemory,
    /// The policy would be larger than it may be.
    Quota,
    /// It does not begin as an image does.
    NotAnImage,
    /// It has the format of another version.
    Version,
    /// It is not as long as it says.
    Length,
    /// The digest is another one.
    Digest,
    /// It ends in the middle.
    Truncated,
    /// Something follows its end.
    Surplus,
    /// A number that is too large, or not written in its shortest form.
    Number,
    /// A variant that does not exist.
    Tag,
    /// A group or condition that is not in the image.
    Reference,
    /// The same again.
    Duplicate,
    /// A group without members or a condition, which nothing mentions.
    Unused,
    /// Out of order.
    Order,
    /// A line with this would be rejected.
    Text(Reason),
}

impl Flaw {
    /// What is wrong and what to do, one line without full stop.
    pub const fn message(&self) -> &'static str {
        match self {
            Flaw::OutOfMemory => "out of memory",
            Flaw::Quota => {
                "the policy would be larger than its memory quota; raise the quota or remove rules"
            }
            Flaw::NotAnImage => "this is no policy image: the first bytes are not SEKISHO",
            Flaw::Version => "the image has another format version; compile it with the tools of this kernel",
            Flaw::Length => "the image is not as long as its header says; copy it again",
            Flaw::Digest => "the image is damaged: its digest is another one; copy it again",
            Flaw::Truncated => "the image ends too early",
            Flaw::Surplus => "something follows the end of the policy",
            Flaw::Number => "a number is too large, or not in its shortest form",
            Flaw::Tag => "an unknown variant",
            Flaw::Reference => "a group or condition that is not in the image",
            Flaw::Duplicate => "something stands there twice",
            Flaw::Unused => "a group or condition that nothing mentions",
            Flaw::Order => "out of order",
            Flaw::Text(reason) => reason.message(),
        }
    }
}

impl From<OutOfMemory> for Flaw {
    fn from(_: OutOfMemory) -> Self {
        Flaw::OutOfMemory
    }
}

impl From<Reason> for Flaw {
    fn from(reason: Reason) -> Self {
        Flaw::Text(reason)
    }
}

impl From<EditError> for Flaw {
    fn from(error: EditError) -> Self {
        match error {
            EditError::OutOfMemory => Flaw::OutOfMemory,
            EditError::Quota => Flaw::Quota,
            EditError::Parse(error) => Flaw::Text(error.reason),
        }
    }
}

/// Why an image was not loaded, and where reading it ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ImageError {
    /// Offset in bytes from the beginning of the image; what is wrong ends there or begins there.
    pub offset: usize,
    /// What is wrong.
    pub flaw: Flaw,
}

/// Makes a policy, not active yet, from an image. `key` is that of [`Policy::with_key`], `quota` the number of bytes that
/// the policy may take, 0 for any number.
///
/// # Errors
/// The image is wrong, or the policy does not fit. Then there is none.
pub fn load(image: &[u8], key: u64, quota: usize) -> Result<Policy, ImageError> {
    let fail = |offset, flaw| Err(ImageError { offset, flaw });
    let Some((head, payload)) = image.get(..HEADER).zip(image.get(HEADER..)) else {
        return fail(0, if image.starts_with(MAGIC) { Flaw::Truncated } else { Flaw::NotAnImage });
    };
    let Some(head) = head.strip_prefix(MAGIC) else {
        return fail(0, Flaw::NotAnImage);
    };
    let [version, a, b, c, d, digest @ ..] = head else {
        return fail(0, Flaw::Truncated);
    };
    if *version != VERSION {
        return fail(7, Flaw::Version);
    }
    if usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])) != Ok(payload.len()) {
        return fail(8, Flaw::Length);
    }
    if *digest != sha256::digest(payload) {
        return fail(12, Flaw::Digest);
    }
    let mut reader = Reader::new(payload);
    match read(&mut reader, key, quota) {
        Ok(policy) => Ok(policy),
        Err(flaw) => fail(image.len().saturating_sub(reader.left()), flaw),
    }
}

fn read(reader: &mut Reader<'_>, key: u64, quota: usize) -> Result<Policy, Flaw> {
    let mut edit = Policy::with_key(key)?.edit()?;
    edit.set_quota(quota);
    profiles(reader, &mut edit)?;
    managers(reader, &mut edit)?;
    let room = if quota == 0 { usize::MAX } else { quota };
    let mut words = Words::read(reader.bytes()?, edit.policy.seed, room)?;
    let counts = groups(reader, &mut edit, &words)?;
    exceptions(reader, &mut edit, &words)?;
    let mut tables = Tables::new(counts)?;
    conditions(reader, &mut edit, &mut tables)?;
    domains(reader, &mut edit, &mut words, &mut tables)?;
    if !words.are_all_mentioned() {
        return Err(Flaw::Unused);
    }
    if reader.left() > 0 {
        return Err(Flaw::Surplus);
    }
    tables.count_users(&mut edit)?;
    if edit.is_over(0) {
        return Err(Flaw::Quota);
    }
    Ok(edit.commit())
}

fn profiles(reader: &mut Reader<'_>, edit: &mut Edit) -> Result<(), Flaw> {
    let profiles = edit.policy.profiles.edit()?;
    profiles.version_given = reader.bool()?;
    profiles.global = preferences(reader)?;
    let mut next = 0_u16;
    for _ in 0..reader.len()? {
        let number = reader.u8()?;
        if u16::from(number) < next {
            return Err(Flaw::Order);
        }
        next = u16::from(number).wrapping_add(1);
        let mut profile = Profile::new();
        let text = reader.bytes()?;
        profile.comment = profile::comment(text)?;
        if *profile.comment != *text {
            return Err(Flaw::Text(Reason::SurplusWord));
        }
        profile.default = config(reader)?;
        for category in &mut profile.categories {
            *category = reader.option(config)?;
        }
        let mut next_item = 0;
        for _ in 0..reader.len()? {
            let item = reader.u8()?;
            if item < next_item {
                return Err(Flaw::Order);
            }
            next_item = item.saturating_add(1);
            *profile.items.get_mut(usize::from(item)).ok_or(Flaw::Tag)? = Some(config(reader)?);
        }
        profile.own = reader.u8()?;
        if profile.own > 15 {
            return Err(Flaw::Tag);
        }
        profile.preferences = preferences(reader)?;
        profiles.define(number, profile)?;
    }
    Ok(())
}

fn config(reader: &mut Reader<'_>) -> Result<Config, Flaw> {
    Ok(Config { mode: reader.one_of(&Mode::ALL)?, grant_log: reader.bool()?, reject_log: reader.bool()? })
}

fn preferences(reader: &mut Reader<'_>) -> Result<Preferences, Flaw> {
    Ok(Preferences {
        max_grant_log: reader.u32()?,
        max_reject_log: reader.u32()?,
        task_info: reader.bool()?,
        path_info: reader.bool()?,
        learning_verbose: reader.bool()?,
        max_entry: reader.u32()?,
        learn_realpath: reader.bool()?,
        learn_argv0: reader.bool()?,
        learn_target: reader.bool()?,
        permissive_verbose: reader.bool()?,
        enforcing_verbose: reader.bool()?,
        penalty: reader.u32()?,
    })
}

fn managers(reader: &mut Reader<'_>, edit: &mut Edit) -> Result<(), Flaw> {
    edit.policy.non_root = reader.bool()?;
    for _ in 0..reader.len()? {
        let manager = Manager::new(reader.bytes()?)?;
        if edit.find_manager(manager.name()).is_some() {
            return Err(Flaw::Duplicate);
        }
        edit.policy.managers.push(Arc::new(manager)?)?;
    }
    Ok(())
}

/// Makes the groups; the place of each in the image is its number. Returns how many of each kind there are.
fn groups(reader: &mut Reader<'_>, edit: &mut Edit, words: &Words) -> Result<[usize; 3], Flaw> {
    let mut counts = [0; 3];
    for (kind, total) in [GroupKind::Path, GroupKind::Number, GroupKind::Address].into_iter().zip(&mut counts)
    {
        *total = reader.len()?;
        for place in 0..*total {
            let name = reader.bytes()?;
            if !acl::is_group_name(name) {
                return Err(Flaw::Text(Reason::BadGroupName));
            }
            let id = edit.find_group(kind, name, true)?;
            if id.map(|id| id.0 as usize) != Some(place) {
                return Err(Flaw::Duplicate);
            }
            for _ in 0..reader.len()? {
                let member = match kind {
                    GroupKind::Path => Directive::PathGroup(name, word(reader, words)?),
                    GroupKind::Number => Directive::NumberGroup(name, range(reader)?),
                    GroupKind::Address => Directive::AddressGroup(name, addresses(reader)?),
                };
                add(edit, &member)?;
            }
        }
    }
    Ok(counts)
}

fn word<'w>(reader: &mut Reader<'_>, words: &'w Words) -> Result<&'w [u8], Flaw> {
    words.get(reader.u32()?).ok_or(Flaw::Reference)
}

fn add(edit: &mut Edit, directive: &Directive<'_>) -> Result<(), Flaw> {
    directive.check()?;
    if edit.add_directive(directive)? {
        Ok(())
    } else {
        Err(Flaw::Duplicate)
    }
}

fn exceptions(reader: &mut Reader<'_>, edit: &mut Edit, words: &Words) -> Result<(), Flaw> {
    for keep in [true, false] {
        for _ in 0..reader.len()? {
            let negative = reader.bool()?;
            let program = reader.option(Reader::bytes)?;
            let from = reader.option(Reader::bytes)?.map(directive::From::new);
            add(edit, &Directive::Rule { keep, negative, program, from })?;
        }
    }
    for make in [Directive::AllowRead, Directive::AllowEnv, Directive::FilePattern, Directive::DenyRewrite] {
        for _ in 0..reader.len()? {
            add(edit, &make(word(reader, words)?))?;
        }
    }
    for _ in 0..reader.len()? {
        add(edit, &Directive::Aggregator(word(reader, words)?, word(reader, words)?))?;
    }
    for _ in 0..reader.len()? {
        add(edit, &Directive::DenyAutobind(reader.u16()?, reader.u16()?))?;
    }
    Ok(())
}

/// What entries refer to, and how often.
struct Tables {
    conditions: Vec<Shared>,
    /// How many of the conditions an entry has: they stand in the order in which entries first have them.
    used: u32,
    /// How often each group is mentioned, by kind.
    mentions: [Vec<u32>; 3],
    /// The bits that there are, by class.
    bits: [u16; 11],
}

struct Shared {
    condition: Arc<Condition>,
    hash: u32,
    users: u32,
}

impl Tables {
    fn new(groups: [usize; 3]) -> Result<Tables, OutOfMemory> {
        let mut mentions = [Vec::new(), Vec::new(), Vec::new()];
        for (list, count) in mentions.iter_mut().zip(groups) {
            *list = Vec::with_capacity(count)?;
            for _ in 0..count {
                list.push(0)?;
            }
        }
        let mut bits = [0; 11];
        for (mask, number) in bits.iter_mut().zip(0..) {
            if let Some(class) = Class::from_u8(number) {
                *mask = class.operations().fold(0, |mask, operation| mask | operation.bit());
            }
        }
        Ok(Tables { conditions: Vec::new(), used: 0, mentions, bits })
    }

    fn mention(&mut self, kind: GroupKind, number: u32) -> Result<GroupId, Flaw> {
        let count = self.mentions.get_mut(kind as usize).and_then(|list| list.get_mut(number as usize));
        let count = count.ok_or(Flaw::Reference)?;
        *count = count.saturating_add(1);
        Ok(GroupId(number))
    }

    fn group(&mut self, reader: &mut Reader<'_>, kind: GroupKind) -> Result<GroupId, Flaw> {
        let number = reader.u32()?;
        self.mention(kind, number)
    }

    /// Writes down what was counted.
    fn count_users(self, edit: &mut Edit) -> Result<(), Flaw> {
        for shared in self.conditions.into_values() {
            if shared.users == 0 {
                return Err(Flaw::Unused);
            }
            let is = |interned: &Interned| Arc::ptr_eq(&interned.condition, &shared.condition);
            if let Some(interned) = edit.policy.conditions.edit(shared.hash, is)? {
                interned.users = shared.users;
            }
        }
        let [paths, numbers, addresses] = &self.mentions;
        let policy = &mut edit.policy;
        for (slot, users) in (0..u32::MAX).zip(paths) {
            let unused = policy.groups.edit()?.paths.change(slot, |group| {
                group.users = *users;
                Ok::<_, OutOfMemory>(group.is_unused())
            })?;
            used(unused)?;
        }
        for (slot, users) in (0..u32::MAX).zip(numbers) {
            let unused = policy.groups.edit()?.numbers.change(slot, |group| {
                group.users = *users;
                Ok::<_, OutOfMemory>(group.is_unused())
            })?;
            used(unused)?;
        }
        for (slot, users) in (0..u32::MAX).zip(addresses) {
            let unused = policy.groups.edit()?.addresses.change(slot, |group| {
                group.users = *users;
                Ok::<_, OutOfMemory>(group.is_unused())
            })?;
            used(unused)?;
        }
        Ok(())
    }
}

fn used(unused: Option<bool>) -> Result<(), Flaw> {
    match unused {
        Some(false) => Ok(()),
        _ => Err(Flaw::Unused),
    }
}

fn number(reader: &mut Reader<'_>) -> Result<Number, Flaw> {
    let radix = reader.one_of(&[Radix::Decimal, Radix::Octal, Radix::Hexadecimal])?;
    Ok(Number { value: reader.u64()?, radix })
}

fn range(reader: &mut Reader<'_>) -> Result<NumberRange, Flaw> {
    Ok(NumberRange { min: number(reader)?, max: number(reader)? })
}

fn address(reader: &mut Reader<'_>) -> Result<Address, Flaw> {
    match reader.u8()? {
        0 => reader.array().map(Address::V4),
        1 => reader.array().map(Address::V6),
        _ => Err(Flaw::Tag),
    }
}

fn addresses(reader: &mut Reader<'_>) -> Result<AddressRange, Flaw> {
    let range = AddressRange { min: address(reader)?, max: address(reader)? };
    match range {
        AddressRange { min: Address::V4(_), max: Address::V4(_) }
        | AddressRange { min: Address::V6(_), max: Address::V6(_) } => Ok(range),
        _ => Err(Flaw::Text(Reason::BadAddress)),
    }
}

fn conditions(reader: &mut Reader<'_>, edit: &mut Edit, tables: &mut Tables) -> Result<(), Flaw> {
    for _ in 0..reader.len()? {
        let len = reader.len()?;
        let mut tests = Vec::with_capacity(len)?;
        for _ in 0..len {
            tests.push(test(reader, tables)?)?;
        }
        let mut assignments = [None; 3];
        for value in &mut assignments {
            *value = reader.option(Reader::u8)?;
        }
        if len == 0 && assignments == [None; 3] {
            return Err(Flaw::Text(Reason::EmptyCondition));
        }
        let condition = Condition::from_tests(tests, assignments);
        let policy = &mut edit.policy;
        let hash = condition.hash();
        if policy.conditions.get(hash).any(|old| *old.condition == condition) {
            return Err(Flaw::Duplicate);
        }
        policy.condition_bytes = policy.condition_bytes.saturating_add(condition.bytes());
        let condition = Arc::new(condition)?;
        policy.conditions.insert(hash, Interned { condition: condition.clone(), users: 0 })?;
        tables.conditions.push(Shared { condition, hash, users: 0 })?;
    }
    Ok(())
}

fn test(reader: &mut Reader<'_>, tables: &mut Tables) -> Result<Test, Flaw> {
    Ok(match reader.u8()? {
        0 => {
            let left = value(reader, tables)?;
            if matches!(left, Value::Group(_)) {
                return Err(Flaw::Text(Reason::GroupOnLeft));
            }
            Test::Value { left, negated: reader.bool()?, right: value(reader, tables)? }
        }
        1 => Test::Name {
            subject: reader.one_of(&[Subject::Realpath, Subject::SymlinkTarget])?,
            negated: reader.bool()?,
            wanted: match reader.u8()? {
                0 => Wanted::Word(quoted(reader)?),
                1 => Wanted::Group(tables.group(reader, GroupKind::Path)?),
                _ => return Err(Flaw::Tag),
            },
        },
        2 => Test::Argument { index: reader.u64()?, negated: reader.bool()?, wanted: quoted(reader)? },
        3 => {
            let name = quoted(reader)?;
            if name.as_bytes().is_empty() || name.as_bytes().contains(&b'=') {
                return Err(Flaw::Text(Reason::BadVariableName));
            }
            Test::Variable { name, negated: reader.bool()?, wanted: reader.option(quoted)? }
        }
        _ => return Err(Flaw::Tag),
    })
}

fn value(reader: &mut Reader<'_>, tables: &mut Tables) -> Result<Value, Flaw> {
    Ok(match reader.u8()? {
        0 => Value::Keyword(keyword(reader)?),
        1 => Value::Number(number(reader)?),
        2 => {
            let range = range(reader)?;
            if range.min == range.max {
                return Err(Flaw::Number); // That is a number; it would not be equal to the range.
            }
            Value::Range(Box::new(range)?)
        }
        3 => Value::Group(tables.group(reader, GroupKind::Number)?),
        _ => return Err(Flaw::Tag),
    })
}

fn keyword(reader: &mut Reader<'_>) -> Result<Keyword, Flaw> {
    Ok(match reader.u8()? {
        0 => Keyword::Task(reader.one_of(&TaskField::ALL)?),
        1 => Keyword::ExecuteHandler,
        2 => Keyword::Argc,
        3 => Keyword::Envc,
        4 => {
            let object = reader.one_of(&Object::ALL)?;
            let attribute = reader.one_of(&Attribute::ALL)?;
            if !object.has(attribute) {
                return Err(Flaw::Text(Reason::UnknownOperand));
            }
            Keyword::Attribute(object, attribute)
        }
        5 => Keyword::Type(reader.one_of(&FileType::ALL)?),
        6 => Keyword::Permission(reader.one_of(&Permission::ALL)?),
        _ => return Err(Flaw::Tag),
    })
}

/// A word that stands in quotes, checked as [`Pattern::new`] does.
fn quoted(reader: &mut Reader<'_>) -> Result<Box<Pattern>, Flaw> {
    let pattern = Pattern::copy_from(reader.bytes()?)?.ok_or(Reason::BadQuotedWord)?;
    Ok(Box::new(pattern)?)
}

fn domains(
    reader: &mut Reader<'_>,
    edit: &mut Edit,
    words: &mut Words,
    tables: &mut Tables,
) -> Result<(), Flaw> {
    let count = reader.len()?;
    if count == 0 {
        return Err(Flaw::Order);
    }
    let mut last = None;
    // What `Words` knows a domain by.
    let mut stamp = 1_u32;
    let mut bulk = Bulk::new();
    for _ in 0..count {
        let name = domain_name(reader, edit, last)?;
        let profile = reader.u8()?;
        let id = match last {
            None if *name == *ROOT_DOMAIN => DomainId::ROOT,
            None => return Err(Flaw::Order),
            Some(_) => {
                if edit.policy.find_domain(&name).is_some() {
                    return Err(Flaw::Duplicate);
                }
                let name = DomainName::new(name).ok_or(Reason::BadDomainName)?;
                edit.insert_domain(name, profile)?
            }
        };
        last = Some(id);
        stamp = stamp.checked_add(1).ok_or(Flaw::OutOfMemory)?;
        let flags = DomainFlags {
            quota_exceeded: reader.bool()?,
            transition_failed: reader.bool()?,
            ignore_global_allow_read: reader.bool()?,
            ignore_global_allow_env: reader.bool()?,
        };
        let room = match edit.policy.quota {
            0 => usize::MAX,
            quota => quota.saturating_sub(edit.policy.memory()),
        };
        edit.policy.domains.change(id.slot, |domain| {
            (domain.profile, domain.flags) = (profile, flags);
            runs(reader, Target { domain, bulk: &mut bulk, stamp, room }, words, tables)
        })?;
        if edit.is_over(0) {
            return Err(Flaw::Quota);
        }
    }
    Ok(())
}

/// The name of a domain: how many bytes at its beginning are those of the one before, [`SHARED_NAME`] at most, and the
/// others.
fn domain_name(reader: &mut Reader<'_>, edit: &Edit, last: Option<DomainId>) -> Result<Vec<u8>, Flaw> {
    let shared = usize::from(reader.u8()?);
    let own = reader.bytes()?;
    let last = last.and_then(|id| edit.policy.domain(id)).map_or(&[][..], Domain::name);
    let beginning = last.get(..shared).ok_or(Flaw::Order)?;
    // More could be shared if it went on like the other one.
    if shared < SHARED_NAME && !own.is_empty() && own.first() == last.get(shared) {
        return Err(Flaw::Order);
    }
    let mut name = Vec::with_capacity(shared.saturating_add(own.len()))?;
    name.extend_from_slice(beginning)?;
    name.extend_from_slice(own)?;
    Ok(name)
}

/// A domain that gets entries.
struct Target<'d> {
    domain: &'d mut Domain,
    /// What it gets in the end, or when something has to be looked up.
    bulk: &'d mut Bulk,
    stamp: u32,
    /// Bytes that its records may take; it takes more than these. So an image that says large things often stops early.
    room: usize,
}

impl Target<'_> {
    #[inline]
    fn spend(&mut self, record: &[u8]) -> Result<(), Flaw> {
        self.room = self.room.checked_sub(record.len()).ok_or(Flaw::Quota)?;
        Ok(())
    }
}

/// The entries of a domain. Not [`Edit::add_acl`]: nothing is created here and nothing merged, and the groups and
/// conditions are counted once for all entries.
fn runs(
    reader: &mut Reader<'_>,
    mut target: Target<'_>,
    words: &mut Words,
    tables: &mut Tables,
) -> Result<(), Flaw> {
    let mut last = None;
    for _ in 0..reader.len()? {
        let bits = reader.u16()?;
        let condition = reader.option(Reader::u32)?;
        let class = Class::from_u8(reader.u8()?).ok_or(Flaw::Tag)?;
        let run = (bits, condition, class as u8);
        let count = reader.len()?;
        if count == 0 || last == Some(run) {
            return Err(Flaw::Order);
        }
        last = Some(run);
        let known = tables.bits.get(class as usize).copied().unwrap_or(0);
        if bits == 0 || bits & !known != 0 || entry::merge(class, 0, bits) != bits {
            return Err(Flaw::Text(Reason::UnknownAcl));
        }
        let condition = match condition {
            None => None,
            Some(number) => {
                let shared = tables.conditions.get_mut(number as usize).ok_or(Flaw::Reference)?;
                if shared.users == 0 {
                    if number != tables.used {
                        return Err(Flaw::Order);
                    }
                    tables.used = tables.used.saturating_add(1);
                }
                let users = u32::try_from(count).unwrap_or(u32::MAX);
                shared.users = shared.users.saturating_add(users);
                Some(shared.condition.clone())
            }
        };
        if class == Class::Path {
            paths(reader, &mut target, words, tables, count, bits, condition)?;
            continue;
        }
        for _ in 0..count {
            let args = args(reader, class, words, tables)?;
            add_entry(&mut target, class, bits, &args, condition.clone())?;
        }
    }
    Ok(target.domain.acl.finish(target.bulk)?)
}

/// A run of entries with a path and nothing else, which most are.
#[inline(never)] // It needs all registers.
fn paths(
    reader: &mut Reader<'_>,
    target: &mut Target<'_>,
    words: &mut Words,
    tables: &mut Tables,
    count: usize,
    bits: u16,
    condition: Option<Arc<Condition>>,
) -> Result<(), Flaw> {
    let operations = entry::count(Class::Path, bits);
    // Each takes a byte at least.
    target.bulk.expect(count.min(reader.left()));
    let mut number = 0_u32;
    for _ in 0..count {
        number = number.wrapping_add_signed(reader.i32()?);
        let Some(record) = words.path_record(number, target.stamp, bits) else {
            let args = Args::Path(path(number, words, tables)?);
            add_entry(target, Class::Path, bits, &args, condition.clone())?;
            continue;
        };
        target.spend(record.bytes)?;
        let PathRecord { bytes, hash, is_first } = record;
        let word = record.word();
        if word.first() == Some(&b'@') {
            return Err(Flaw::Text(Reason::BadPath));
        }
        // Only with the same path it can be the same.
        let list = &mut target.domain.acl;
        let place = list.known_place(word, hash);
        if is_first {
            list.append_word(target.bulk, place, bytes, operations, &condition)?;
            continue;
        }
        list.finish(target.bulk)?;
        if list.find(Place::Word(place), bytes, condition.as_ref()).is_some() {
            return Err(Flaw::Duplicate);
        }
        list.add_word(place, bytes, operations, condition.clone())?;
    }
    Ok(())
}

/// One entry, at the end of its domain.
fn add_entry(
    target: &mut Target<'_>,
    class: Class,
    bits: u16,
    args: &Args<'_, GroupId>,
    condition: Option<Arc<Condition>>,
) -> Result<(), Flaw> {
    let record = encode(class, bits, args)?;
    target.spend(&record)?;
    let list = &mut target.domain.acl;
    list.finish(target.bulk)?;
    let place = list.place(args);
    let again = match class {
        Class::ExecuteHandler | Class::DeniedExecuteHandler => list.handler_entry(class).is_some(),
        _ => list.find(place, &record, condition.as_ref()).is_some(),
    };
    if again {
        return Err(Flaw::Duplicate);
    }
    Ok(list.add(place, args, &record, condition)?)
}

fn args<'a, 'r: 'a>(
    reader: &mut Reader<'r>,
    class: Class,
    words: &'a Words,
    tables: &mut Tables,
) -> Result<Args<'a, GroupId>, Flaw> {
    let next = |reader: &mut Reader<'r>, tables: &mut Tables| path(reader.u32()?, words, tables);
    Ok(match class {
        Class::Path => Args::Path(next(reader, tables)?),
        Class::Path2 => Args::Path2(next(reader, tables)?, next(reader, tables)?),
        Class::PathNumber => Args::PathNumber(next(reader, tables)?, number_arg(reader, tables)?),
        Class::Device => Args::Device(
            next(reader, tables)?,
            number_arg(reader, tables)?,
            number_arg(reader, tables)?,
            number_arg(reader, tables)?,
        ),
        Class::Network => {
            let address = match reader.u8()? {
                0 => AddressArg::Range(addresses(reader)?),
                1 => AddressArg::Group(tables.group(reader, GroupKind::Address)?),
                _ => return Err(Flaw::Tag),
            };
            Args::Network(address, number_arg(reader, tables)?)
        }
        Class::Mount => Args::Mount {
            device: next(reader, tables)?,
            dir: next(reader, tables)?,
            kind: next(reader, tables)?,
            flags: number_arg(reader, tables)?,
        },
        Class::Env => {
            let word = word(reader, words)?;
            directive::check_variable(word)?;
            Args::Env(word)
        }
        Class::Capability => Args::Capability(reader.one_of(&Capability::ALL)?),
        Class::Signal => {
            let (number, domain) = (reader.u16()?, reader.bytes()?);
            if !name::is_valid_domain(domain) {
                return Err(Flaw::Text(Reason::BadDomainName));
            }
            Args::Signal(number, domain)
        }
        Class::ExecuteHandler | Class::DeniedExecuteHandler => {
            let word = word(reader, words)?;
            directive::check_program(word)?;
            Args::Handler(word)
        }
    })
}

/// A path: a word as it stands in a line, without the `@` that would make it a group; or a group.
fn path<'a>(number: u32, words: &'a Words, tables: &mut Tables) -> Result<PathArg<'a, GroupId>, Flaw> {
    match words.get(number) {
        Some([b'@', ..]) => Err(Flaw::Text(Reason::BadPath)),
        Some(word) => Ok(PathArg::Word(word)),
        None => {
            let group = (number as usize).checked_sub(words.len()).ok_or(Flaw::Reference)?;
            tables.mention(GroupKind::Path, group as u32).map(PathArg::Group)
        }
    }
}

fn number_arg(reader: &mut Reader<'_>, tables: &mut Tables) -> Result<NumberArg<GroupId>, Flaw> {
    match reader.u8()? {
        0 => range(reader).map(NumberArg::Range),
        1 => tables.group(reader, GroupKind::Number).map(NumberArg::Group),
        _ => Err(Flaw::Tag),
    }
}
