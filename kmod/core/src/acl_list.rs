// SPDX-License-Identifier: MIT OR Apache-2.0
//! The entries of a domain: in list order, and found by what a request asks for.
//!
//! Reference 0.3 and 4.4.1. The entries are records ([`crate::record`]) with their conditions beside them. An entry is
//! found by its first path, a word or a group, by the directory for a mount, and by a hash of its argument where there
//! is no path: capability, signal number, single address. Ranges and groups of addresses stand together; a domain has few.
//!
//! Nothing here allocates when it is asked.

use crate::acl::{self, AddressArg, Args, PathArg};
use crate::address::Address;
use crate::condition::{has_uid, Condition, Uid};
use crate::entry::{self, Entry};
use crate::facts::Facts;
use crate::group::GroupId;
use crate::hash;
use crate::map::Map;
use crate::mem::{Arc, OutOfMemory, Vec};
use crate::name::Name;
use crate::path_index::{self, Hit, PathIndex, Visit};
use crate::policy::Policy;
use crate::record;
use crate::records::{Record, Records, Tail};
use crate::request::{Class, PathOp, Request};

/// The entries.
pub(crate) struct AclList {
    seed: u64,
    records: Records<Arc<Condition>>,
    paths: PathIndex,
    /// Everything that is not found by a word: by the hashes of [`other_key`].
    others: Map<u32>,
    /// Entries whose first path is a group.
    groups: u32,
    /// Entries with `; set`.
    setting: u32,
    /// Permissions as the learning quota counts them.
    count: u32,
}

/// The entry that decides.
pub(crate) struct Granted {
    /// What `; set` of the entry assigns.
    pub(crate) set: [Option<u8>; 3],
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
    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.records.iter().filter_map(|record| Entry::read(record.bytes, record.shared.as_ref()))
    }

    /// Bytes of memory of the list, without its conditions, which are shared.
    pub(crate) fn bytes(&self) -> usize {
        self.records.bytes().saturating_add(self.paths.bytes()).saturating_add(self.others.bytes())
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
        let mut found = None;
        let mut visit = |number: u32| {
            if let Some(old) = self.records.get(number) {
                match entry::header(old.bytes) {
                    Some((old_class, bits, args))
                        if old_class == class && args == wanted && same(old.shared.as_ref(), condition) =>
                    {
                        found = Some((number, bits));
                    }
                    _ => {}
                }
            }
            found.is_some()
        };
        match place {
            Place::Word(place) => self.paths.exact(place, &mut visit),
            Place::Other(hash) => {
                let _ = self.others.get(hash).any(|number| visit(*number));
            }
        }
        found
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
        let added = match place {
            Place::Word(place) => self.paths.insert(place, number),
            Place::Other(hash) => self.others.insert(hash, number),
        };
        if let Err(error) = added {
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
        if let Err(error) = self.paths.insert(place, number) {
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
        match self.place(args) {
            Place::Word(place) => self.paths.remove(place, number)?,
            Place::Other(hash) => drop(self.others.remove(hash, |old| *old == number)?),
        }
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

    /// The entry that grants the request, if there is one: the first in list order (reference 0.3), as far as that
    /// makes a difference, which is to say if an entry has `; set`.
    pub(crate) fn decide(
        &self,
        policy: &Policy,
        facts: &Facts<'_>,
        request: &Request<'_>,
    ) -> Option<Granted> {
        let operation = request.operation();
        let mut search = Search {
            list: self,
            policy,
            facts,
            request,
            class: operation.class(),
            bit: operation.bit(),
            best: None,
            over: false,
            waiting: Waiting::new(),
        };
        let overflow = match request {
            Request::Path { op, path } => {
                search.path(*path, !matches!(op, PathOp::Execute | PathOp::Transit))
            }
            Request::Path2 { from: path, .. }
            | Request::PathNumber { path, .. }
            | Request::Device { path, .. }
            | Request::Mount { dir: path, .. } => search.path(*path, true),
            Request::Env { name } => search.path(*name, true),
            Request::Capability(capability) => {
                search.other(other_key(self.seed, CAPABILITY, *capability as u64))
            }
            Request::Signal { number, .. } => search.other(other_key(self.seed, SIGNAL, u64::from(*number))),
            Request::Network { address, .. } => {
                search.other(address_key(self.seed, address));
                search.other(other_key(self.seed, NETWORK, 0))
            }
        };
        if overflow {
            search.best = None;
            for record in self.records.iter() {
                search.entry(&record, false);
                if search.over {
                    break;
                }
            }
        }
        let (_, condition) = search.best?;
        let set = match condition {
            Some(condition) if self.setting > 0 => condition.assignments(),
            _ => [None; 3],
        };
        Some(Granted { set })
    }

    /// A list with the same entries, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(AclList {
            records: self.records.share()?,
            paths: self.paths.share()?,
            others: self.others.share()?,
            ..*self
        })
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        self.records.freeze();
        self.paths.freeze();
        self.others.freeze();
    }
}

const GROUP: u64 = 0x10;
const CAPABILITY: u64 = 0x11;
const SIGNAL: u64 = 0x12;
const NETWORK: u64 = 0x13;
const ADDRESS: u64 = 0x14;
const HANDLER: u64 = 0x15;

/// Where an entry is that no word leads to.
#[inline]
const fn other_key(seed: u64, kind: u64, value: u64) -> u32 {
    hash::fold(hash::step(hash::step(seed, kind), value))
}

fn address_key(seed: u64, address: &Address) -> u32 {
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

/// A request on its way through the list.
///
/// While the index is walked there is little stack left, so only the usual entries, a word and perhaps a UID group, are
/// decided on the spot. All others wait until the walk is over; if there are too many of them, it begins again behind
/// those that have been tried.
struct Search<'a> {
    list: &'a AclList,
    policy: &'a Policy,
    facts: &'a Facts<'a>,
    request: &'a Request<'a>,
    class: Class,
    bit: u16,
    /// The number of the first entry that grants, so far, and its condition.
    best: Option<(u32, Option<&'a Condition>)>,
    /// Whether no other entry can change the decision.
    over: bool,
    waiting: Waiting,
}

/// Entries that are tried later.
struct Waiting {
    numbers: [u32; WAITING],
    /// Of which the first path is known to match: a bit each.
    known: u8,
    len: u8,
    /// How many came in this walk, and how many were tried after the walks before it.
    seen: u32,
    tried: u32,
    /// Whether there was no room for another one.
    full: bool,
}

const WAITING: usize = 4;

impl Waiting {
    const fn new() -> Self {
        Waiting { numbers: [0; WAITING], known: 0, len: 0, seen: 0, tried: 0, full: false }
    }

    /// Makes an entry wait, unless it was tried already. True when there is no room for another one.
    fn add(&mut self, number: u32, known: bool) -> bool {
        self.seen = self.seen.wrapping_add(1);
        if self.seen > self.tried {
            if let Some(place) = self.numbers.get_mut(usize::from(self.len)) {
                *place = number;
                self.known |= u8::from(known).wrapping_shl(self.len.into());
                self.len = self.len.wrapping_add(1);
            }
        }
        self.full = usize::from(self.len) == WAITING;
        self.full
    }

    /// After a walk whose entries were tried. True if another one may find more; it does not when the search is `over`.
    fn begin_again(&mut self, over: bool) -> bool {
        let more = self.full && !over;
        let tried = if more { self.tried.wrapping_add(WAITING as u32) } else { 0 };
        *self = Waiting { tried, ..Waiting::new() };
        more
    }
}

impl<'a> Search<'a> {
    /// Entries found by a path. True if too many words match in part. Inlined, because what waits is tried from here.
    #[inline(always)]
    fn path(&mut self, name: Name<'_>, wildcards: bool) -> bool {
        loop {
            if self.walk_words(name, wildcards) == Visit::Overflow {
                return true;
            }
            if !self.try_waiting() {
                break;
            }
        }
        while self.list.groups > 0 && !self.over {
            if self.walk_groups(name, wildcards) {
                return true;
            }
            if !self.try_waiting() {
                break;
            }
        }
        false
    }

    #[inline(never)]
    fn walk_words(&mut self, name: Name<'_>, wildcards: bool) -> Visit {
        self.list.paths.visit(name, wildcards, &mut |hit| match hit {
            Hit::Match(number) => self.candidate(number, true),
            Hit::Word(number) | Hit::Deep(number) => self.candidate(number, false),
        })
    }

    #[inline(never)]
    fn walk_groups(&mut self, name: Name<'_>, wildcards: bool) -> bool {
        let list = self.list;
        self.policy.groups_of(name, wildcards, &mut |id| {
            let mut numbers = list.others.get(other_key(list.seed, GROUP, u64::from(id.0)));
            numbers.any(|number| self.group_candidate(*number, id))
        })
    }

    /// Tries the entries that wait. True if there may be more of them.
    #[inline(always)]
    fn try_waiting(&mut self) -> bool {
        if self.waiting.seen == 0 {
            return false;
        }
        while self.waiting.len > 0 {
            self.try_last();
        }
        self.waiting.begin_again(self.over)
    }

    /// Tries the last of the entries that wait.
    #[inline(never)]
    fn try_last(&mut self) {
        self.waiting.len = self.waiting.len.wrapping_sub(1);
        let place = self.waiting.len;
        let number = self.waiting.numbers.get(usize::from(place)).copied();
        if let Some(record) = number.and_then(|number| self.list.records.get(number)) {
            self.entry(&record, self.waiting.known.wrapping_shr(place.into()) & 1 == 1);
        }
    }

    fn other(&mut self, hash: u32) -> bool {
        for number in self.list.others.get(hash) {
            if let Some(record) = self.list.records.get(*number) {
                self.entry(&record, false);
            }
        }
        false
    }

    /// An entry that the index found. True when the walk need not go on.
    #[inline]
    fn candidate(&mut self, number: u32, known: bool) -> bool {
        let Some(record) = self.list.records.get(number) else {
            return false;
        };
        let Some(args) = self.allows(&record) else {
            return false;
        };
        let Request::Path { path, .. } = self.request else {
            return self.waiting.add(number, known);
        };
        match record::only_word(args) {
            Some(word) if known || word == path.as_bytes() => {}
            _ => return self.waiting.add(number, known),
        }
        let condition = record.shared.as_deref();
        match condition.map(Condition::uid) {
            None => {}
            Some(Uid::Only(group)) => {
                if !has_uid(group, self.facts, self.policy) {
                    return false;
                }
            }
            Some(Uid::And(group)) => {
                return has_uid(group, self.facts, self.policy) && self.waiting.add(number, true);
            }
            Some(Uid::Any) => return self.waiting.add(number, true),
        }
        self.grant(number, condition);
        self.over
    }

    /// An entry under the hash of a group: is it this group's? True when the walk need not go on.
    fn group_candidate(&mut self, number: u32, id: GroupId) -> bool {
        let Some(args) = self.list.records.get(number).and_then(|record| self.allows(&record)) else {
            return false;
        };
        let mut rest = args;
        if self.class == Class::Mount && record::path(&mut rest).is_none() {
            return false; // The device, which comes first.
        }
        let is = record::path(&mut rest) == Some(PathArg::Group(id));
        is && self.waiting.add(number, true)
    }

    /// The arguments of an entry, if it allows the operation and comes before the best one so far.
    #[inline]
    fn allows(&self, record: &Record<'a, Arc<Condition>>) -> Option<&'a [u8]> {
        if self.best.is_some_and(|(best, _)| best < record.number) {
            return None;
        }
        match entry::header(record.bytes) {
            Some((class, bits, args)) if class == self.class && bits & self.bit != 0 => Some(args),
            _ => None,
        }
    }

    fn grant(&mut self, number: u32, condition: Option<&'a Condition>) {
        self.best = Some((number, condition));
        self.over = self.list.setting == 0;
    }

    /// Tries an entry, whatever it is.
    #[inline(always)]
    fn entry(&mut self, record: &Record<'a, Arc<Condition>>, known: bool) {
        if self.over {
            return;
        }
        let Some(args) = self.allows(record) else {
            return;
        };
        if !entry::matches(args, self.policy, self.request, known) {
            return;
        }
        let condition = record.shared.as_deref();
        let is_true = match condition {
            Some(condition) => condition.is_true(self.facts, self.policy),
            None => true,
        };
        if is_true {
            self.grant(record.number, condition);
        }
    }
}

/// A record as bytes.
///
/// # Errors
/// Out of memory.
pub(crate) fn encode(class: Class, bits: u16, args: &Args<'_, GroupId>) -> Result<Vec<u8>, OutOfMemory> {
    // Room for the words and the numbers beside them, so that it need not grow while it is written.
    let words = acl::paths(args).into_iter().flatten().fold(64_usize, |room, path| match path {
        PathArg::Word(word) => room.saturating_add(word.len()),
        PathArg::Group(_) => room,
    });
    let mut bytes = Vec::with_capacity(words)?;
    record::write(&mut bytes, class, bits, args)?;
    Ok(bytes)
}
