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
use super::conditions::conditions;
use super::entries::domains;
use super::flaw::{Flaw, ImageError};
use super::tables::Tables;
use super::words::Words;
use super::{sha256, HEADER, MAGIC, VERSION};
use crate::acl;
use crate::address::{Address, AddressRange};
use crate::directive::{self, Directive};
use crate::edit::Edit;
use crate::group::GroupKind;
use crate::manager::Manager;
use crate::mem::OutOfMemory;
use crate::number::{Number, NumberRange, Radix};
use crate::policy::{Policy, Preferences};
use crate::profile::{self, Config, Mode, Profile};
use crate::text::Reason;

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

/// The parts are functions of their own, so that none needs the stack of another.
#[inline(never)]
fn read(reader: &mut Reader<'_>, key: u64, quota: usize) -> Result<Policy, Flaw> {
    let mut edit = first_edit(key)?;
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

#[inline(never)]
fn first_edit(key: u64) -> Result<Edit, OutOfMemory> {
    Policy::with_key(key)?.edit()
}

#[inline(never)]
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
        let mut own = Profile::own()?;
        let profile = own.get_mut()?;
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
        profiles.define(number, own)?;
    }
    Ok(())
}

fn config(reader: &mut Reader<'_>) -> Result<Config, Flaw> {
    Ok(Config { mode: reader.one_of(&Mode::ALL)?, grant_log: reader.bool()?, reject_log: reader.bool()? })
}

#[inline(never)]
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

#[inline(never)]
fn managers(reader: &mut Reader<'_>, edit: &mut Edit) -> Result<(), Flaw> {
    edit.policy.non_root = reader.bool()?;
    for _ in 0..reader.len()? {
        let manager = Manager::new(reader.bytes()?)?;
        if !edit.policy.managers.edit()?.add(manager.name())? {
            return Err(Flaw::Duplicate);
        }
    }
    Ok(())
}

/// Makes the groups; the place of each in the image is its number. Returns how many of each kind there are.
#[inline(never)]
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

/// A word by its place.
pub(crate) fn word<'w>(reader: &mut Reader<'_>, words: &'w Words) -> Result<&'w [u8], Flaw> {
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

#[inline(never)]
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

/// Reads what the name says.
pub(crate) fn number(reader: &mut Reader<'_>) -> Result<Number, Flaw> {
    let radix = reader.one_of(&[Radix::Decimal, Radix::Octal, Radix::Hexadecimal])?;
    Ok(Number { value: reader.u64()?, radix })
}

/// Reads what the name says.
pub(crate) fn range(reader: &mut Reader<'_>) -> Result<NumberRange, Flaw> {
    Ok(NumberRange { min: number(reader)?, max: number(reader)? })
}

fn address(reader: &mut Reader<'_>) -> Result<Address, Flaw> {
    match reader.u8()? {
        0 => reader.array().map(Address::V4),
        1 => reader.array().map(Address::V6),
        _ => Err(Flaw::Tag),
    }
}

/// Reads what the name says.
pub(crate) fn addresses(reader: &mut Reader<'_>) -> Result<AddressRange, Flaw> {
    let range = AddressRange { min: address(reader)?, max: address(reader)? };
    match range {
        AddressRange { min: Address::V4(_), max: Address::V4(_) }
        | AddressRange { min: Address::V6(_), max: Address::V6(_) } => Ok(range),
        _ => Err(Flaw::Text(Reason::BadAddress)),
    }
}
