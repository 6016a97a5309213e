// SPDX-License-Identifier: MIT OR Apache-2.0
//! The entries of a domain: in list order, and found by what a request asks for.
//!
//! Reference 0.3 and 4.4.1. The entries are records ([`crate::record`]) with their conditions beside them. An entry is
//! found by its first path, a word or a group, by the directory for a mount, and by a hash of its argument where there
//! is no path: capability, signal number, single address. Ranges and groups of addresses stand together. Where that leads
//! to many entries, they are told apart further ([`crate::crowd`]).
//! How a request finds the entry that grants it is in [`crate::search`].

use crate::address::Address;
use crate::args::{self, AddressArg, Args, PathArg};
use crate::condition::Condition;
use crate::crowd::{Crowd, Crowds, Member, CROWD, FEW};
use crate::entry::{self, Entry};
use crate::group::GroupId;
use crate::hash;
use crate::lane::Lane;
use crate::link::Link;
use crate::map::Map;
use crate::mem::{Arc, OutOfMemory, Vec};
use crate::path_index::{self, PathIndex};
use crate::radix::{self, Place as _};
use crate::record;
use crate::records::{Records, Tail};
use crate::request::Class;

/// An entry of a domain in one snapshot.
///
/// The entry keeps it in the snapshots that follow, until entries of the domain are deleted: then the list may be made anew,
/// with other numbers, and an entry that is added may get the number of one that was the last. What belongs to an entry
/// for longer goes by its key ([`crate::domain::Domain::entry_key`]).
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(sekisho_kernel), derive(Debug))]
pub struct EntryId(pub(crate) u32);

/// The entries.
pub(crate) struct AclList {
    pub(crate) seed: u64,
    pub(crate) records: Records<Arc<Condition>>,
    pub(crate) paths: PathIndex,
    /// Everything that is not found by a word: by the hashes of [`other_key`].
    pub(crate) others: Map<u32>,
    /// Entries that are many in one place; only if there are any.
    crowds: Option<Link<Crowds>>,
    /// Entries whose first path is a group.
    pub(crate) groups: u32,
    /// Entries with `; set`.
    pub(crate) setting: u32,
    /// Permissions as the learning quota counts them.
    count: u32,
}

/// How an entry is found: made once, used for the search and for what follows.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// By a word.
    Word(path_index::Place<'a>),
    /// By a hash of [`other_key`].
    Other(u32),
}

/// Entries that a list gets one after the other, before they are in it.
pub(crate) struct Bulk {
    tail: Tail<Arc<Condition>>,
    /// The hashes of their words and their numbers.
    words: Vec<(u32, u32)>,
    /// How many words there will probably be.
    room: usize,
}

impl Bulk {
    pub(crate) const fn new() -> Self {
        Bulk { tail: Tail::new(), words: Vec::new(), room: 0 }
    }

    /// So many entries will probably follow.
    pub(crate) fn expect(&mut self, count: usize) {
        self.room = count;
    }
}

impl AclList {
    pub(crate) const fn new(seed: u64) -> Self {
        AclList {
            seed,
            records: Records::new(),
            paths: PathIndex::new(seed),
            others: Map::new(),
            crowds: None,
            groups: 0,
            setting: 0,
            count: 0,
        }
    }

    /// Permissions as the learning quota counts them (reference 8.4).
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// All entries in list order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (EntryId, Entry<'_>)> {
        self.records.iter().filter_map(|record| {
            Some((EntryId(record.number), Entry::read(record.bytes, record.shared.as_ref())?))
        })
    }

    /// What an entry says, apart from its bits, as a number: its place in this snapshot does not count.
    pub(crate) fn key(&self, id: EntryId) -> Option<u64> {
        let record = self.records.get(id.0)?;
        let (class, _, args) = entry::header(record.bytes)?;
        Some(self.full_key(class, args, record.shared.as_deref()))
    }

    fn full_key(&self, class: Class, args: &[u8], condition: Option<&Condition>) -> u64 {
        let condition = condition.map_or(0, |condition| u64::from(condition.hash()) | CONDITION);
        hash::bytes(hash::step(hash::step(self.seed, class as u64), condition), args)
    }

    /// The crowd of a number, if it is that of one.
    pub(crate) fn crowd(&self, number: u32) -> Option<&Crowd> {
        if number & CROWD == 0 {
            return None;
        }
        self.crowds.as_ref()?.get().get(number)
    }

    /// Bytes of memory of the list, without its conditions, which are shared.
    pub(crate) fn bytes(&self) -> usize {
        let crowds = self.crowds.as_ref().map_or(0, |crowds| crowds.get().bytes());
        let places = self.paths.bytes().saturating_add(self.others.bytes());
        self.records.bytes().saturating_add(places).saturating_add(crowds)
    }

    /// Where an entry with these arguments is, in any list of this policy.
    pub(crate) fn place<'a>(&self, args: &Args<'a, GroupId>) -> Place<'a> {
        match args {
            Args::Path(path) | Args::Path2(path, _) | Args::PathNumber(path, _) | Args::Device(path, ..) => {
                self.path_place(path)
            }
            Args::Mount { dir, .. } => self.path_place(dir),
            Args::Env(word) => self.word_place(word),
            Args::Capability(capability) => {
                Place::Other(other_key(self.seed, CAPABILITY, *capability as u64))
            }
            Args::Signal(number, _) => Place::Other(other_key(self.seed, SIGNAL, u64::from(*number))),
            Args::Network(AddressArg::Range(range), _) if range.min == range.max => {
                Place::Other(address_key(self.seed, &range.min))
            }
            Args::Network(..) => Place::Other(other_key(self.seed, NETWORK, 0)),
            Args::Handler(_) => Place::Other(other_key(self.seed, HANDLER, 0)),
        }
    }

    fn path_place<'a>(&self, path: &PathArg<'a, GroupId>) -> Place<'a> {
        match path {
            PathArg::Word(word) => self.word_place(word),
            PathArg::Group(id) => Place::Other(other_key(self.seed, GROUP, u64::from(id.0))),
        }
    }

    fn word_place<'a>(&self, word: &'a [u8]) -> Place<'a> {
        Place::Word(self.paths.place(word))
    }

    /// The number and the bits of the entry with the arguments of a record, whose bits do not count, and this condition;
    /// `place` is theirs.
    pub(crate) fn find(
        &self,
        place: Place<'_>,
        record: &[u8],
        condition: Option<&Arc<Condition>>,
    ) -> Option<(u32, u16)> {
        let (class, _, wanted) = entry::header(record)?;
        let is = |number: u32| {
            let old = self.records.get(number)?;
            match entry::header(old.bytes) {
                Some((old_class, bits, args))
                    if old_class == class && args == wanted && same(old.shared.as_ref(), condition) =>
                {
                    Some((number, bits))
                }
                _ => None,
            }
        };
        let mut found = None;
        self.visit_place(place, &mut |number| {
            found = if number & CROWD == 0 {
                is(number)
            } else {
                let key = hash::fold(self.full_key(class, wanted, condition.map(|condition| &**condition)));
                self.crowd(number).and_then(|crowd| crowd.get(key).find_map(is))
            };
            found.is_some()
        });
        found
    }

    /// Shows what is in a place, until `visit` returns true: numbers of entries, perhaps of some others too, and of crowds.
    fn visit_place(&self, place: Place<'_>, visit: &mut dyn FnMut(u32) -> bool) {
        match place {
            Place::Word(place) => self.paths.exact(place, visit),
            Place::Other(hash) => {
                let _ = self.others.get(hash).any(|number| visit(*number));
            }
        }
    }

    fn put(&mut self, place: Place<'_>, number: u32) -> Result<(), OutOfMemory> {
        match place {
            Place::Word(place) => self.paths.insert(place, number),
            Place::Other(hash) => self.others.insert(hash, number),
        }
    }

    fn take(&mut self, place: Place<'_>, number: u32) -> Result<(), OutOfMemory> {
        match place {
            Place::Word(place) => self.paths.remove(place, number),
            Place::Other(hash) => self.others.remove(hash, |old| *old == number).map(drop),
        }
    }

    /// What a crowd must know of an entry.
    fn member(&self, number: u32) -> Option<Member> {
        let record = self.records.get(number)?;
        let condition = record.shared.as_deref();
        let (class, _, bytes) = entry::header(record.bytes)?;
        let args = record::read_args(class, bytes)?;
        let key = hash::fold(self.full_key(class, bytes, condition));
        Some(Member { number, key, lane: Lane::new(class, &args, condition, self.seed) })
    }

    /// The word by which the entry of a record is found; empty if it is found by something else.
    fn word_of(record: &[u8]) -> &[u8] {
        let word = entry::header(record).and_then(|(class, _, args)| match class {
            Class::Network | Class::Capability | Class::Signal => None,
            Class::ExecuteHandler | Class::DeniedExecuteHandler => None,
            _ => entry::found_word(class, args),
        });
        word.unwrap_or(&[])
    }

    /// Puts an entry that is in the list where requests find it.
    fn settle(&mut self, place: Place<'_>, number: u32, record: &[u8]) -> Result<(), OutOfMemory> {
        let word = Self::word_of(record);
        let (mut few, mut len, mut crowd) = ([0_u32; FEW], 0_usize, None);
        self.visit_place(place, &mut |old| {
            if self.crowd(old).is_some_and(|crowd| crowd.word() == word) {
                crowd = Some(old);
            } else if self.records.get(old).is_some_and(|old| Self::word_of(old.bytes) == word) {
                if let Some(place) = few.get_mut(len) {
                    *place = old;
                    len = len.wrapping_add(1);
                }
            }
            false
        });
        match crowd {
            Some(crowd) => self.join(crowd, number),
            None if len < FEW => self.put(place, number),
            None => self.gather(place, word, &few, number),
        }
    }

    fn join(&mut self, crowd: u32, number: u32) -> Result<(), OutOfMemory> {
        match (self.member(number), &mut self.crowds) {
            (Some(member), Some(crowds)) => {
                crowds.edit()?.change(crowd, |crowd| crowd.add(&member)).map(drop)
            }
            _ => Ok(()), // They are there.
        }
    }

    /// Makes a crowd of the entries of a place and another one.
    #[inline(never)]
    fn gather(&mut self, place: Place<'_>, word: &[u8], few: &[u32], number: u32) -> Result<(), OutOfMemory> {
        let mut crowd = Crowd::new(word)?;
        for number in few.iter().chain([&number]) {
            if let Some(member) = self.member(*number) {
                crowd.add(&member)?;
            }
        }
        let number = radix::edit_or(&mut self.crowds, Crowds::new)?.add(crowd)?;
        self.put(place, number)?;
        few.iter().try_for_each(|number| self.take(place, *number))
    }

    /// Makes an entry of a place one that requests do not find any more.
    fn unsettle(&mut self, place: Place<'_>, number: u32, record: &[u8]) -> Result<(), OutOfMemory> {
        let word = Self::word_of(record);
        let Some(member) = self.crowds.as_ref().and_then(|_| self.member(number)) else {
            return self.take(place, number);
        };
        let mut found = None;
        self.visit_place(place, &mut |old| {
            let is = |crowd: &Crowd| crowd.word() == word && crowd.get(member.key).any(|old| old == number);
            found = self.crowd(old).is_some_and(is).then_some(old);
            found.is_some()
        });
        let (Some(crowd), Some(crowds)) = (found, &mut self.crowds) else {
            return self.take(place, number);
        };
        if crowds.edit()?.change(crowd, |crowd| crowd.remove(&member))? <= FEW {
            self.scatter(place, crowd)?;
        }
        Ok(())
    }

    /// Puts the entries of a crowd beside each other again.
    #[inline(never)]
    fn scatter(&mut self, place: Place<'_>, number: u32) -> Result<(), OutOfMemory> {
        let few = self.crowd(number).map_or([None; FEW], Crowd::few);
        for entry in few.into_iter().flatten() {
            self.put(place, entry)?;
        }
        self.take(place, number)?;
        if let Some(crowds) = &mut self.crowds {
            crowds.edit()?.remove(number)?;
        }
        if self.crowds.as_ref().is_some_and(|crowds| crowds.get().is_empty()) {
            self.crowds = None;
        }
        Ok(())
    }

    /// Adds an entry at the end. It is not there yet ([`AclList::find`]).
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn add(
        &mut self,
        place: Place<'_>,
        args: &Args<'_, GroupId>,
        record: &[u8],
        condition: Option<Arc<Condition>>,
    ) -> Result<(), OutOfMemory> {
        let sets = condition.as_ref().is_some_and(|condition| sets(condition));
        let number = self.records.push(record, condition)?;
        if let Err(error) = self.settle(place, number, record) {
            self.records.remove(number)?;
            return Err(error);
        }
        self.note(args, record, sets, true);
        Ok(())
    }

    /// Where an entry with this word is, whose hash is known if it has no wildcards.
    #[inline]
    pub(crate) fn known_place<'a>(&self, word: &'a [u8], hash: Option<u32>) -> path_index::Place<'a> {
        match hash {
            Some(hash) => path_index::Place::Plain(hash),
            None => self.paths.place(word),
        }
    }

    /// Adds an entry with a path and nothing else at the end. It is not there yet. `count` is [`entry::count`].
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    #[inline]
    pub(crate) fn add_word(
        &mut self,
        place: path_index::Place<'_>,
        record: &[u8],
        count: u32,
        condition: Option<Arc<Condition>>,
    ) -> Result<(), OutOfMemory> {
        let sets = condition.as_ref().is_some_and(|condition| sets(condition));
        let number = self.records.push(record, condition)?;
        if let Err(error) = self.settle(Place::Word(place), number, record) {
            self.records.remove(number)?;
            return Err(error);
        }
        self.count = self.count.saturating_add(count);
        self.setting = self.setting.saturating_add(sets.into());
        Ok(())
    }

    /// Adds an entry as [`AclList::add_word`] does, but it is in the list only after [`AclList::finish`]; nothing else may
    /// be done with the list until then.
    ///
    /// # Errors
    /// Out of memory; the list is good for nothing but to be dropped.
    #[inline]
    pub(crate) fn append_word(
        &mut self,
        bulk: &mut Bulk,
        place: path_index::Place<'_>,
        record: &[u8],
        count: u32,
        condition: &Option<Arc<Condition>>,
    ) -> Result<(), OutOfMemory> {
        if bulk.tail.is_empty() && !self.records.is_at_block() {
            return self.add_word(place, record, count, condition.clone());
        }
        let number = self.records.append(&mut bulk.tail, record, condition)?;
        match place {
            path_index::Place::Plain(hash) => {
                if bulk.words.is_empty() {
                    bulk.words = Vec::with_capacity(bulk.room)?;
                }
                bulk.words.push_reserved((hash, number))?;
            }
            pattern => self.paths.insert(pattern, number)?,
        }
        self.count = self.count.saturating_add(count);
        let sets = condition.as_ref().is_some_and(|condition| sets(condition));
        self.setting = self.setting.saturating_add(sets.into());
        Ok(())
    }

    /// Puts what was appended into the list.
    ///
    /// # Errors
    /// Out of memory; the list is good for nothing but to be dropped.
    pub(crate) fn finish(&mut self, bulk: &mut Bulk) -> Result<(), OutOfMemory> {
        self.records.finish(&mut bulk.tail)?;
        if bulk.words.is_empty() {
            return Ok(());
        }
        self.paths.fill(core::mem::take(&mut bulk.words))
    }

    /// Gives an entry other bits.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn set_bits(&mut self, number: u32, bits: u16) -> Result<(), OutOfMemory> {
        let Some((class, old, _)) = self.records.get(number).and_then(|record| entry::header(record.bytes))
        else {
            return Ok(());
        };
        let [low, high] = bits.to_le_bytes();
        self.records.overwrite(number, &[class as u8, low, high])?;
        let without = self.count.saturating_sub(entry::count(class, old));
        self.count = without.saturating_add(entry::count(class, bits));
        Ok(())
    }

    /// Removes an entry and returns its condition.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn remove(
        &mut self,
        number: u32,
        args: &Args<'_, GroupId>,
        record: &[u8],
    ) -> Result<Option<Arc<Condition>>, OutOfMemory> {
        let condition = self.records.get(number).and_then(|record| record.shared.clone());
        self.unsettle(self.place(args), number, record)?;
        self.records.remove(number)?;
        let sets = condition.as_ref().is_some_and(|condition| sets(condition));
        self.note(args, record, sets, false);
        Ok(condition)
    }

    fn note(&mut self, args: &Args<'_, GroupId>, record: &[u8], sets: bool, more: bool) {
        let step = |count: &mut u32, by: u32| {
            *count = if more { count.saturating_add(by) } else { count.saturating_sub(by) };
        };
        if let Some((class, bits, _)) = entry::header(record) {
            step(&mut self.count, entry::count(class, bits));
        }
        if sets {
            step(&mut self.setting, 1);
        }
        let first = match args {
            Args::Path(path) | Args::Path2(path, _) | Args::PathNumber(path, _) | Args::Device(path, ..) => {
                Some(path)
            }
            Args::Mount { dir, .. } => Some(dir),
            _ => None,
        };
        if matches!(first, Some(PathArg::Group(_))) {
            step(&mut self.groups, 1);
        }
    }

    /// Whether holes should be taken out: [`AclList::compact`].
    pub(crate) const fn is_sparse(&self) -> bool {
        self.records.is_sparse()
    }

    /// The same list without holes.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn compact(&self) -> Result<Self, OutOfMemory> {
        let mut list = AclList::new(self.seed);
        for record in self.records.iter() {
            if let Some(entry) = Entry::read(record.bytes, record.shared.as_ref()) {
                list.add(list.place(&entry.args), &entry.args, record.bytes, record.shared.clone())?;
            }
        }
        Ok(list)
    }

    /// The number and the program of the handler of this class, if there is one (reference 6.7).
    pub(crate) fn handler_entry(&self, class: Class) -> Option<(u32, &[u8])> {
        let mut numbers = self.others.get(other_key(self.seed, HANDLER, 0));
        numbers.find_map(|number| {
            let record = self.records.get(*number)?;
            match Entry::read(record.bytes, record.shared.as_ref())? {
                Entry { class: found, args: Args::Handler(program), .. } if found == class => {
                    Some((*number, program))
                }
                _ => None,
            }
        })
    }

    /// The arguments and the condition of each entry: what must be given back when the list goes.
    pub(crate) fn owners(&self) -> impl Iterator<Item = (Args<'_, GroupId>, Option<Arc<Condition>>)> {
        self.records.iter().filter_map(|record| {
            Some((Entry::read(record.bytes, record.shared.as_ref())?.args, record.shared.clone()))
        })
    }

    /// A list with the same entries, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        let mut crowds = None;
        self.crowds.share_into(&mut crowds)?;
        Ok(AclList {
            records: self.records.share()?,
            paths: self.paths.share()?,
            others: self.others.share()?,
            crowds,
            ..*self
        })
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        self.records.freeze();
        self.paths.freeze();
        self.others.freeze();
        self.crowds.freeze();
    }
}

pub(crate) const GROUP: u64 = 0x10;
pub(crate) const CAPABILITY: u64 = 0x11;
pub(crate) const SIGNAL: u64 = 0x12;
pub(crate) const NETWORK: u64 = 0x13;
const ADDRESS: u64 = 0x14;
const HANDLER: u64 = 0x15;
/// An entry has a condition, whatever its hash is.
const CONDITION: u64 = 1 << 32;

/// Where an entry is that no word leads to.
#[inline]
pub(crate) const fn other_key(seed: u64, kind: u64, value: u64) -> u32 {
    hash::fold(hash::step(hash::step(seed, kind), value))
}

/// Where the entries of an address are.
pub(crate) fn address_key(seed: u64, address: &Address) -> u32 {
    let seed = hash::step(seed, ADDRESS);
    hash::fold(match address {
        Address::V4(bytes) => hash::bytes(seed, bytes),
        Address::V6(bytes) => hash::bytes(seed, bytes),
    })
}

/// Conditions are interned: equal ones are the same.
fn same(this: Option<&Arc<Condition>>, that: Option<&Arc<Condition>>) -> bool {
    match (this, that) {
        (None, None) => true,
        (Some(this), Some(that)) => Arc::ptr_eq(this, that),
        _ => false,
    }
}

fn sets(condition: &Condition) -> bool {
    condition.assignments() != [None; 3]
}

/// A record as bytes.
///
/// # Errors
/// Out of memory.
pub(crate) fn encode(class: Class, bits: u16, args: &Args<'_, GroupId>) -> Result<Vec<u8>, OutOfMemory> {
    // Room for the words and the numbers beside them, so that it need not grow while it is written.
    let words = args::paths(args).into_iter().flatten().fold(64_usize, |room, path| match path {
        PathArg::Word(word) => room.saturating_add(word.len()),
        PathArg::Group(_) => room,
    });
    let mut bytes = Vec::with_capacity(words)?;
    record::write(&mut bytes, class, bits, args)?;
    Ok(bytes)
}
