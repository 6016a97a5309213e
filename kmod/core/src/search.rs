// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a request finds the entry that grants it. Nothing here allocates.

use crate::acl_list::{address_key, other_key, AclList, EntryId, CAPABILITY, GROUP, NETWORK, SIGNAL};
use crate::args::PathArg;
use crate::condition::Condition;
use crate::crowd::{Crowd, CROWD};
use crate::entry;
use crate::facts::Facts;
use crate::group::GroupId;
use crate::hash::Key;
use crate::lane::Ask;
use crate::mem::Arc;
use crate::name::Name;
use crate::pattern;
use crate::policy::Policy;
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
    };
    match request {
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
    }
    if search.lost && !search.over {
        search.all();
    }
    let (number, condition) = search.best?;
    let set = match condition {
        Some(condition) if list.setting > 0 => condition.assignments(),
        _ => [None; 3],
    };
    Some(Granted { id: EntryId(number), set })
}

/// A request on its way through the list.
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
    /// Whether a crowd may have left something out, so that all entries must be tried.
    lost: bool,
}

/// What has led to an entry.
#[derive(Clone, Copy)]
enum Found {
    /// Its word, which matches.
    Word,
    /// A group of which a member matches, if it is the entry's.
    Group(GroupId),
    /// Something that says nothing of its path.
    Other,
}

impl<'a> Search<'a> {
    /// Entries found by a path. What walks through an index is a function of its own, so that one does not take the stack
    /// of the other.
    #[inline(always)]
    fn path(&mut self, name: Name<'_>, wildcards: bool) {
        for number in self.list.paths.plain(name) {
            self.candidate(number, name);
            if self.over {
                return;
            }
        }
        if wildcards && self.list.paths.has_patterns() {
            self.patterns(name);
        }
        if !self.over && self.list.groups > 0 {
            self.groups(name, wildcards);
        }
    }

    #[inline(never)]
    fn patterns(&mut self, name: Name<'_>) {
        let mut walk = self.list.paths.patterns(name);
        while let Some(number) = walk.next() {
            self.candidate(number, name);
            if self.over {
                return;
            }
        }
    }

    #[inline(never)]
    fn groups(&mut self, name: Name<'_>, wildcards: bool) {
        let list = self.list;
        self.policy.groups_of(name, wildcards, &mut |id| {
            for number in list.others.get(other_key(list.seed, GROUP, u64::from(id.0))) {
                self.numbered(*number, Found::Group(id));
            }
            self.over
        });
    }

    fn other(&mut self, hash: u32) {
        for number in self.list.others.get(hash) {
            self.numbered(*number, Found::Other);
        }
    }

    /// Tries an entry, or a crowd, that no word leads to.
    #[inline]
    fn numbered(&mut self, number: u32, found: Found) {
        if let Some(crowd) = self.list.crowd(number) {
            self.crowd(crowd, found);
        } else if let Some(record) = self.list.records.get(number) {
            self.entry(&record, found);
        }
    }

    #[inline(never)]
    fn all(&mut self) {
        for record in self.list.records.iter() {
            self.entry(&record, Found::Other);
            if self.over {
                return;
            }
        }
    }

    /// Entries with one word that the index found for a name, which the word may match.
    #[inline(never)]
    fn crowd_candidate(&mut self, number: u32, name: Name<'_>) {
        let crowd = self.list.crowd(number);
        if let Some(crowd) = crowd.filter(|crowd| pattern::matches_word(name, crowd.word())) {
            self.crowd(crowd, Found::Word);
        }
    }

    /// Tries the entries of a crowd.
    #[inline(never)]
    fn crowd(&mut self, crowd: &'a Crowd, found: Found) {
        let Search { list, policy, facts, request, .. } = *self;
        let ask = Ask { ranges: crowd.ranges(), hash: &Key::new(list.seed), policy, facts, request };
        let lost = crowd.visit(&ask, &mut |number| {
            if let Some(record) = list.records.get(number) {
                self.entry(&record, found);
            }
            self.over
        });
        self.lost |= lost;
    }

    /// An entry that the index found for a name, which its word may match.
    #[inline]
    fn candidate(&mut self, number: u32, name: Name<'_>) {
        if number & CROWD != 0 {
            return self.crowd_candidate(number, name);
        }
        if self.is_late(number) {
            return;
        }
        let Some(record) = self.list.records.get(number) else {
            return;
        };
        let Some(args) = self.allows(&record) else {
            return;
        };
        if !entry::found_word(self.class, args).is_some_and(|word| pattern::matches_word(name, word)) {
            return;
        }
        if self.class == Class::Path || entry::matches(args, self.policy, self.request, true) {
            self.try_condition(&record);
        }
    }

    /// The arguments of an entry, if it allows the operation.
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

    /// An entry whose arguments match grants if its condition is true.
    #[inline]
    fn try_condition(&mut self, record: &Record<'a, Arc<Condition>>) {
        let condition = record.shared.as_deref();
        let is_true = match condition {
            None => true,
            Some(condition) => condition.is_true(self.facts, self.policy),
        };
        if is_true {
            self.best = Some((record.number, condition));
            self.over = self.list.setting == 0;
        }
    }

    /// Tries an entry.
    #[inline]
    fn entry(&mut self, record: &Record<'a, Arc<Condition>>, found: Found) {
        if self.over || self.is_late(record.number) {
            return;
        }
        let Some(args) = self.allows(record) else {
            return;
        };
        let known = match found {
            Found::Word => true,
            Found::Group(id) if entry::found_path(self.class, args) == Some(PathArg::Group(id)) => true,
            Found::Group(_) => return, // Another group with the same hash.
            Found::Other => false,
        };
        if entry::matches(args, self.policy, self.request, known) {
            self.try_condition(record);
        }
    }
}
