// SPDX-License-Identifier: MIT OR Apache-2.0
//! The domains of an image and their entries.

use super::codec::Reader;
use super::flaw::Flaw;
use super::image::{addresses, range, word};
use super::tables::Tables;
use super::words::{PathRecord, Words};
use super::SHARED_NAME;
use crate::acl::check_argument;
use crate::acl_list::{encode, Bulk, Place};
use crate::args::{without_silent, AddressArg, Args, NumberArg, PathArg};
use crate::capability::Capability;
use crate::condition::Condition;
use crate::directive;
use crate::domain::{Domain, DomainFlags, DomainId};
use crate::edit::Edit;
use crate::entry;
use crate::group::{GroupId, GroupKind};
use crate::mem::{Arc, Vec};
use crate::name::{self, DomainName, ROOT_DOMAIN};
use crate::request::Class;
use crate::text::Reason;

/// Reads the domains with their entries.
pub(crate) fn domains(
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
        check_path(word)?;
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
            flags: mount_flags(reader, tables)?,
        },
        Class::Env => {
            let word = word(reader, words)?;
            check_argument(word)?;
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
        Some(word) => {
            check_path(word)?;
            Ok(PathArg::Word(word))
        }
        None => {
            let group = (number as usize).checked_sub(words.len()).ok_or(Flaw::Reference)?;
            tables.mention(GroupKind::Path, group as u32).map(PathArg::Group)
        }
    }
}

/// What would read as a group or as a condition is no path, although it is a valid word.
#[inline]
fn check_path(word: &[u8]) -> Result<(), Reason> {
    match word {
        [b'@', ..] => Err(Reason::BadPath),
        _ => check_argument(word),
    }
}

/// Without the flag that a line loses.
fn mount_flags(reader: &mut Reader<'_>, tables: &mut Tables) -> Result<NumberArg<GroupId>, Flaw> {
    let flags = number_arg(reader, tables)?;
    if without_silent(flags) != flags {
        return Err(Flaw::Number);
    }
    Ok(flags)
}

fn number_arg(reader: &mut Reader<'_>, tables: &mut Tables) -> Result<NumberArg<GroupId>, Flaw> {
    match reader.u8()? {
        0 => range(reader).map(NumberArg::Range),
        1 => tables.group(reader, GroupKind::Number).map(NumberArg::Group),
        _ => Err(Flaw::Tag),
    }
}
