// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a request finds the entry that grants it. Nothing here allocates.

use crate::acl_list::{address_key, other_key, AclList, EntryId, CAPABILITY, GROUP, NETWORK, SIGNAL};
use crate::args::PathArg;
use crate::condition::{has_uid, Condition, Uid};
use crate::crowd::CROWD;
use crate::entry;
use crate::facts::Facts;
use crate::group::GroupId;
use crate::lane::Ask;
use crate::mem::Arc;
use crate::name::Name;
use crate::path_index::{Hit, Visit};
use crate::pattern;
use crate::policy::Policy;
use crate::record;
use crate::records::Record;
use crate::request::{Class, PathOp, Request};

/// The entry that decides.
pub(crate) struct Granted {
    pub(crate) id: EntryId,
    /// What `; set` of the entry assigns.
    pub(crate) set: [Option<u8>; 3],
}

/// The entry that grants the request, if there is one: the first in list order (reference 0.3), as far as that
/// makes a difference, which is to say if an entry has `; set`.
pub(crate) fn decide(
    list: &AclList,
    policy: &Policy,
    facts: &Facts<'_>,
    request: &Request<'_>,
) -> Option<Granted> {
    let operation = request.operation();
    let mut search = Search {
        list,
        policy,
        facts,
        request,
        class: operation.class(),
        bit: operation.bit(),
        best: None,
        over: false,
        lost: false,
        waiting: Waiting::new(),
    };
    let overflow = match request {
        Request::Path { op, path } => search.path(*path, !matches!(op, PathOp::Execute | PathOp::Transit)),
        Request::Path2 { from: path, .. }
        | Request::PathNumber { path, .. }
        | Request::Device { path, .. }
        | Request::Mount { dir: path, .. } => search.path(*path, true),
        Request::Env { name } => search.path(*name, true),
        Request::Capability(capability) => search.other(other_key(list.seed, CAPABILITY, *capability as u64)),
        Request::Signal { number, .. } => search.other(other_key(list.seed, SIGNAL, u64::from(*number))),
        Request::Network { address, .. } => {
            search.other(address_key(list.seed, address));
            search.other(other_key(list.seed, NETWORK, 0))
        }
    };
    if overflow || search.lost {
        (search.best, search.over) = (None, false);
        for record in list.records.iter() {
            search.entry(&record, false);
            if search.over {
                break;
            }
        }
    }
    let (number, condition) = search.best?;
    let set = match condition {
        Some(condition) if list.setting > 0 => condition.assignments(),
        _ => [None; 3],
    };
    Some(Granted { id: EntryId(number), set })
}

/// A request on its way through the list.
///
/// While the index is walked there is little stack left. Entries that need more of it, because a second path or a condition
/// compares names, wait until the walk is over; if there are too many of them, it begins again behind those that have been
/// tried, and after [`WALKS`] times the list is asked entry by entry.
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
    /// Whether something may have been left out, so that all entries must be tried.
    lost: bool,
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
/// How often the index is walked.
const WALKS: u32 = 16;

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
    /// Entries found by a path. True if too many words match in part, or too many entries have to wait. Inlined, because
    /// what waits is tried from here.
    #[inline(always)]
    fn path(&mut self, name: Name<'_>, wildcards: bool) -> bool {
        for _ in 0..WALKS {
            if self.walk_words(name, wildcards) == Visit::Overflow {
                return true;
            }
            if self.try_waiting() {
                continue;
            }
            if self.over || self.list.groups == 0 {
                return false;
            }
            for _ in 0..WALKS {
                if self.walk_groups(name, wildcards) {
                    return true;
                }
                if !self.try_waiting() {
                    return false;
                }
            }
            return true;
        }
        true
    }

    #[inline(never)]
    fn walk_words(&mut self, name: Name<'_>, wildcards: bool) -> Visit {
        self.list.paths.visit(name, wildcards, &mut |hit| self.candidate(hit, name))
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
        if let Some(crowd) = number.filter(|number| number & CROWD != 0) {
            self.crowd(crowd, self.waiting.known.wrapping_shr(place.into()) & 1 == 1);
            return;
        }
        if let Some(record) = number.and_then(|number| self.list.records.get(number)) {
            self.entry(&record, self.waiting.known.wrapping_shr(place.into()) & 1 == 1);
        }
    }

    fn other(&mut self, hash: u32) -> bool {
        for number in self.list.others.get(hash) {
            if number & CROWD != 0 {
                self.crowd(*number, false);
            }
            if let Some(record) = self.list.records.get(*number) {
                self.entry(&record, false);
            }
        }
        false
    }

    /// An entry that the index found for a name. True when the walk need not go on.
    #[inline]
    fn candidate(&mut self, hit: Hit, name: Name<'_>) -> bool {
        let (Hit::Match(number) | Hit::Word(number) | Hit::Deep(number)) = hit;
        if number & CROWD != 0 {
            return self.crowd_candidate(number, hit, name);
        }
        let Some(record) = self.list.records.get(number) else {
            return false;
        };
        let Some(args) = self.allows(&record) else {
            return false;
        };
        match hit {
            Hit::Match(_) => {}
            Hit::Word(_) if self.found_word(args) == Some(name.as_bytes()) => {}
            Hit::Word(_) => return false, // Another word with the same hash.
            Hit::Deep(_) => return self.waiting.add(number, false),
        }
        match self.request {
            Request::Path { .. } => {}
            Request::Path2 { .. } | Request::Mount { .. } => return self.waiting.add(number, true),
            _ if entry::matches(args, self.policy, self.request, true) => {}
            _ => return false,
        }
        let condition = record.shared.as_deref();
        match condition.map(Condition::uid) {
            None => {}
            Some(Uid::Only(group)) => {
                if !has_uid(group, self.facts, self.policy) {
                    return false;
                }
            }
            Some(_) => {
                if condition.is_some_and(Condition::compares_names) {
                    return self.waiting.add(number, true);
                }
                if condition.is_some_and(|condition| !condition.is_true(self.facts, self.policy)) {
                    return false;
                }
            }
        }
        self.grant(number, condition);
        self.over
    }

    /// Entries with one word that the index found for a name. True when the walk need not go on.
    #[inline(never)]
    fn crowd_candidate(&mut self, number: u32, hit: Hit, name: Name<'_>) -> bool {
        match (hit, self.list.crowd(number)) {
            (Hit::Word(_), Some(crowd)) if crowd.word() != name.as_bytes() => false,
            (Hit::Deep(_), Some(_)) => self.waiting.add(number, false),
            (_, Some(_)) => self.waiting.add(number, true),
            (_, None) => false,
        }
    }

    /// Tries the entries of a crowd; its word is known to match if `known`.
    #[inline(never)]
    fn crowd(&mut self, number: u32, known: bool) {
        let Some(crowd) = self.list.crowd(number) else {
            return;
        };
        let has_word = !crowd.word().is_empty();
        if has_word
            && !known
            && !self.found_name().is_some_and(|name| pattern::matches_word(name, crowd.word()))
        {
            return;
        }
        let Search { list, policy, facts, request, .. } = *self;
        let ask = Ask { ranges: crowd.ranges(), seed: list.seed, policy, facts, request };
        let lost = crowd.visit(&ask, &mut |number| {
            if let Some(record) = list.records.get(number) {
                self.entry(&record, has_word);
            }
            self.over
        });
        self.lost |= lost;
    }

    /// The name by which entries are looked for.
    fn found_name(&self) -> Option<Name<'a>> {
        match *self.request {
            Request::Path { path, .. }
            | Request::Path2 { from: path, .. }
            | Request::PathNumber { path, .. }
            | Request::Device { path, .. }
            | Request::Mount { dir: path, .. }
            | Request::Env { name: path } => Some(path),
            _ => None,
        }
    }

    /// The word by which an entry is found.
    #[inline]
    fn found_word(&self, args: &'a [u8]) -> Option<&'a [u8]> {
        if let Some(word) = record::only_word(args).filter(|_| self.class == Class::Path) {
            return Some(word);
        }
        entry::found_word(self.class, args)
    }

    /// An entry under the hash of a group: is it this group's? True when the walk need not go on.
    fn group_candidate(&mut self, number: u32, id: GroupId) -> bool {
        if number & CROWD != 0 {
            return self.waiting.add(number, false);
        }
        let Some(args) = self.list.records.get(number).and_then(|record| self.allows(&record)) else {
            return false;
        };
        let is = entry::found_path(self.class, args) == Some(PathArg::Group(id));
        is && self.waiting.add(number, true)
    }

    /// The arguments of an entry, if it allows the operation. This does not depend on what was found so far: a walk that
    /// begins again must come by the same entries.
    #[inline]
    fn allows(&self, record: &Record<'a, Arc<Condition>>) -> Option<&'a [u8]> {
        match entry::header(record.bytes) {
            Some((class, bits, args)) if class == self.class && bits & self.bit != 0 => Some(args),
            _ => None,
        }
    }

    /// Whether an entry that grants comes before this one.
    fn is_late(&self, number: u32) -> bool {
        self.best.is_some_and(|(best, _)| best < number)
    }

    fn grant(&mut self, number: u32, condition: Option<&'a Condition>) {
        if self.is_late(number) {
            return;
        }
        self.best = Some((number, condition));
        self.over = self.list.setting == 0;
    }

    /// Tries an entry, whatever it is.
    #[inline(always)]
    fn entry(&mut self, record: &Record<'a, Arc<Condition>>, known: bool) {
        if self.over || self.is_late(record.number) {
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
