// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a name to the words that match it, in time that does not grow with the number of words.
//!
//! Words without wildcards are found by the hash of the whole name. A word with wildcards is found by the hash of its
//! constant directory (what is before the `/` in front of the first wildcard); from there on a small tree follows its
//! components, where each node finds its edges by their literal parts ([`crate::component`]). A name is followed through
//! the tree component by component with the set of all nodes reached, so nothing is tried twice and nothing recurses.
//!
//! The answers are those of [`crate::pattern::matches`], Q1 to Q3 of reference 2.5 included:
//! * Q1: a last component of `\*` and `\@` alone may be missing: such words stand in `missing` of the node before it.
//! * Q2 and Q3: the first component with wildcards knows which part of it belongs to the constant beginning.
//!
//! Two limits keep the set and the tree small, and neither changes an answer: a word is followed for [`DEPTH`] components
//! behind its constant directory, then the caller compares it in full; and if more than [`ACTIVE`] nodes are reached at
//! once, [`PathIndex::visit`] says so and the caller walks its list.

use crate::component::{self, Component, Key, INNER};
use crate::hash;
use crate::lengths::Lengths;
use crate::link::{Link, SHARED};
use crate::map::Map;
use crate::mem::{OutOfMemory, Vec};
use crate::name::Name;
use crate::pattern;
use core::mem::size_of;

/// Components behind the constant directory that the tree knows.
const DEPTH: u32 = 4;
/// Nodes that can be reached at once.
const ACTIVE: usize = 8;
/// From how many components with inner keys on a node has a filter for them, and its length in words.
const FILTER_FROM: u32 = 16;
const FILTER_WORDS: usize = 512;

/// What [`PathIndex::visit`] has found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hit {
    /// The hash of a word without wildcards is that of the name: compare them.
    Word(u32),
    /// The word matches.
    Match(u32),
    /// The beginning of the word matches: compare all of it.
    Deep(u32),
}

/// The end of a visit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visit {
    /// Everything was visited.
    Complete,
    /// The visitor had enough.
    Stopped,
    /// Too many words match in part: ask each word instead.
    Overflow,
}

/// Where a word stands in every index of a policy: found once, for a search and for what follows it.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// By the hash of a word without wildcards.
    Plain(u32),
    /// By the constant directory.
    Pattern {
        /// With the `/` at the end; or empty.
        directory: &'a [u8],
        /// What is behind it.
        rest: &'a [u8],
        /// Whether the word ends in `/`.
        is_dir: bool,
        /// The hash of the directory.
        hash: u32,
    },
}

/// The index. A value is whatever the owner wants to find, such as the number of a record.
pub(crate) struct PathIndex {
    seed: u64,
    words: Map<u32>,
    directories: Map<Link<Directory>>,
    /// How many directories there are of each depth (number of `/`).
    depths: Lengths,
    /// Bytes behind the directories.
    bytes: usize,
}

/// A constant directory with words below it.
struct Directory {
    /// With the `/` at the end; or empty.
    name: Vec<u8>,
    /// Whether the words are those of directories: end in `/`.
    is_dir: bool,
    node: Node,
}

/// A place between two components.
struct Node {
    edges: Map<Link<Edge>>,
    /// Number of edges of each kind, for prefixes and suffixes by length.
    whole: u32,
    prefixes: Lengths,
    suffixes: Lengths,
    inner: [u32; INNER],
    bare: u32,
    /// Hashes of inner keys that may exist: a bit each; empty when there are few.
    filter: Vec<u64>,
    /// Words that end here.
    values: Vec<u32>,
    /// Words of which only one more component may be missing (Q1).
    missing: Vec<u32>,
    /// Words that go on below the last level.
    deep: Vec<u32>,
}

/// A component and the place behind it.
struct Edge {
    component: Component,
    node: Node,
}

impl PathIndex {
    /// An empty index; `seed` is the secret of the hash.
    pub(crate) const fn new(seed: u64) -> Self {
        PathIndex { seed, words: Map::new(), directories: Map::new(), depths: Lengths::new(), bytes: 0 }
    }

    /// Bytes of memory of everything in the index.
    pub(crate) fn bytes(&self) -> usize {
        let own = self.words.bytes().saturating_add(self.directories.bytes());
        own.saturating_add(self.depths.bytes()).saturating_add(self.bytes)
    }

    /// The hash of a word without wildcards.
    #[inline]
    fn hash(&self, word: &[u8]) -> u32 {
        hash::fold(hash::bytes(self.seed, word))
    }

    /// The place of a valid word.
    pub(crate) fn place<'a>(&self, word: &'a [u8]) -> Place<'a> {
        match split(word) {
            None => Place::Plain(self.hash(word)),
            Some((directory, rest)) => Place::Pattern {
                directory,
                rest,
                is_dir: word.last() == Some(&b'/'),
                hash: self.directory_hash(directory),
            },
        }
    }

    /// Adds a value in the place of its word.
    ///
    /// # Errors
    /// Out of memory; the index answers as before.
    pub(crate) fn insert(&mut self, place: Place<'_>, value: u32) -> Result<(), OutOfMemory> {
        let (directory, rest, is_dir, hash) = match place {
            Place::Plain(hash) => return self.words.insert(hash, value),
            Place::Pattern { directory, rest, is_dir, hash } => (directory, rest, is_dir, hash),
        };
        let is = |link: &Link<Directory>| link.get().is(directory, is_dir);
        if let Some(link) = self.directories.edit(hash, is)? {
            let added = link.edit()?.node.insert(rest, value, 0, self.seed)?;
            self.bytes = self.bytes.saturating_add(added);
            return Ok(());
        }
        let mut name = Vec::with_capacity(directory.len())?;
        name.extend_from_slice(directory)?;
        let mut new = Directory { name, is_dir, node: Node::new() };
        let added = new.node.insert(rest, value, 0, self.seed)?.saturating_add(new.bytes());
        self.depths.add(depth(directory))?;
        if let Err(error) = Link::new(new).and_then(|link| self.directories.insert(hash, link)) {
            self.depths.subtract(depth(directory))?;
            return Err(error);
        }
        self.bytes = self.bytes.saturating_add(added);
        Ok(())
    }

    /// Adds values of words without wildcards, each with the hash of its word in front.
    ///
    /// # Errors
    /// Out of memory; the index is good for nothing but to be dropped.
    pub(crate) fn fill(&mut self, words: Vec<(u32, u32)>) -> Result<(), OutOfMemory> {
        self.words.fill(words)
    }

    /// Removes a value from the place of its word.
    ///
    /// # Errors
    /// Out of memory; the index answers as before.
    pub(crate) fn remove(&mut self, place: Place<'_>, value: u32) -> Result<(), OutOfMemory> {
        let (directory, rest, is_dir, hash) = match place {
            Place::Plain(hash) => return self.words.remove(hash, |old| *old == value).map(drop),
            Place::Pattern { directory, rest, is_dir, hash } => (directory, rest, is_dir, hash),
        };
        let is = |link: &Link<Directory>| link.get().is(directory, is_dir);
        let Some(link) = self.directories.edit(hash, is)? else {
            return Ok(());
        };
        let freed = link.edit()?.node.remove(rest, value, 0, self.seed)?;
        let empty = link.get().node.is_empty();
        let own = link.get().bytes();
        self.bytes = self.bytes.saturating_sub(freed);
        if empty {
            self.directories.remove(hash, is)?;
            self.depths.subtract(depth(directory))?;
            self.bytes = self.bytes.saturating_sub(own);
        }
        Ok(())
    }

    /// The values that were added with the word of this place, and perhaps those of some others.
    pub(crate) fn exact(&self, place: Place<'_>, visit: &mut dyn FnMut(u32) -> bool) {
        match place {
            Place::Plain(hash) => {
                let _ = self.words.get(hash).any(|value| visit(*value));
            }
            Place::Pattern { directory, rest, is_dir, hash } => {
                for link in self.directories.get(hash) {
                    if link.get().is(directory, is_dir) {
                        link.get().node.exact(rest, visit, 0, self.seed);
                    }
                }
            }
        }
    }

    /// Shows what matches to `visit`, until that returns true. Words with wildcards only if `wildcards` is set.
    /// Allocates nothing.
    #[inline]
    pub(crate) fn visit(&self, name: Name<'_>, wildcards: bool, visit: &mut dyn FnMut(Hit) -> bool) -> Visit {
        let bytes = name.as_bytes();
        for value in self.words.get(self.hash(bytes)) {
            if visit(Hit::Word(*value)) {
                return Visit::Stopped;
            }
        }
        if !wildcards || self.directories.is_empty() {
            return Visit::Complete;
        }
        self.visit_patterns(bytes, name.is_dir(), visit)
    }

    #[inline(never)] // A call at the end takes the place of the caller's stack.
    fn visit_patterns(&self, name: &[u8], is_dir: bool, visit: &mut dyn FnMut(Hit) -> bool) -> Visit {
        let mut depths = self.depths.iter();
        let Some(mut wanted) = depths.next() else {
            return Visit::Complete;
        };
        let mut here = 0_u32;
        let mut at = 0_usize;
        loop {
            if here == wanted {
                let (directory, rest) = pattern::cut(name, at);
                // A directory has a component behind the constant part of a pattern that matches it.
                let over = is_dir && rest.is_empty();
                for link in self.directories.get(self.directory_hash(directory)) {
                    if !over && link.get().is(directory, is_dir) {
                        let end = link.get().node.walk(rest, self.seed, visit);
                        if end != Visit::Complete {
                            return end;
                        }
                    }
                }
                match depths.next() {
                    Some(next) => wanted = next,
                    None => return Visit::Complete,
                }
            }
            let rest = name.get(at..).unwrap_or(&[]);
            match rest.iter().position(|byte| *byte == b'/') {
                Some(slash) => at = at.wrapping_add(slash).wrapping_add(1),
                None => return Visit::Complete,
            }
            here = here.wrapping_add(1);
        }
    }

    fn directory_hash(&self, directory: &[u8]) -> u32 {
        component::whole_hash(directory, self.seed)
    }

    /// An index with the same words, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(PathIndex {
            seed: self.seed,
            words: self.words.share()?,
            directories: self.directories.share()?,
            depths: self.depths.copy()?,
            bytes: self.bytes,
        })
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        self.words.freeze();
        self.directories.freeze();
        self.depths.trim();
    }
}

/// A word with wildcards as its constant directory and the rest. `None` without wildcards.
fn split(word: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = pattern::skip_units(word);
    if rest.is_empty() {
        return None;
    }
    let prefix = pattern::cut(word, word.len().saturating_sub(rest.len())).0;
    let slash = prefix.iter().rposition(|byte| *byte == b'/');
    Some(pattern::cut(word, slash.map_or(0, |slash| slash.saturating_add(1))))
}

/// Number of `/`.
fn depth(directory: &[u8]) -> u32 {
    directory.iter().fold(0, |depth, byte| if *byte == b'/' { depth.saturating_add(1) } else { depth })
}

impl Directory {
    fn is(&self, name: &[u8], is_dir: bool) -> bool {
        self.is_dir == is_dir && *self.name == *name
    }

    /// Without what is behind the edges.
    fn bytes(&self) -> usize {
        size_of::<Directory>().saturating_add(SHARED).saturating_add(self.name.len())
    }
}

impl Node {
    const fn new() -> Self {
        Node {
            edges: Map::new(),
            whole: 0,
            prefixes: Lengths::new(),
            suffixes: Lengths::new(),
            inner: [0; INNER],
            bare: 0,
            filter: Vec::new(),
            values: Vec::new(),
            missing: Vec::new(),
            deep: Vec::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.edges.is_empty() && self.values.is_empty() && self.missing.is_empty() && self.deep.is_empty()
    }

    /// Bytes of the node's own lists; not what is behind the edges.
    fn bytes(&self) -> usize {
        let values = self.values.len().saturating_add(self.missing.len()).saturating_add(self.deep.len());
        self.edges
            .bytes()
            .saturating_add(self.prefixes.bytes())
            .saturating_add(self.suffixes.bytes())
            .saturating_add(self.filter.len().saturating_mul(size_of::<u64>()))
            .saturating_add(values.saturating_mul(size_of::<u32>()))
    }

    /// Adds the rest of a word; returns the bytes that took.
    fn insert(&mut self, rest: &[u8], value: u32, level: u32, seed: u64) -> Result<usize, OutOfMemory> {
        let before = self.bytes();
        let mut below = 0;
        if rest.is_empty() {
            self.values.push(value)?;
        } else if level >= DEPTH {
            self.deep.push(value)?;
        } else {
            let first = pattern::Component::first(rest);
            let (key, hash) = component::key_of(first.text, seed);
            let level_below = level.wrapping_add(1);
            if let Some(edge) = self.edges.edit(hash, |edge| edge.get().component.is(first.text))? {
                below = edge.edit()?.node.insert(first.rest, value, level_below, seed)?;
            } else {
                let mut edge = Edge { component: Component::new(first.text, level == 0)?, node: Node::new() };
                below = edge.node.insert(first.rest, value, level_below, seed)?.saturating_add(edge.bytes());
                self.count(key, hash, true)?;
                if let Err(error) = Link::new(edge).and_then(|edge| self.edges.insert(hash, edge)) {
                    self.count(key, hash, false)?;
                    return Err(error);
                }
            }
            // The name may end before a last component of these (Q1); before the first one the constant part would not match.
            if level > 0 && pattern::matches_nothing(rest) {
                self.missing.push(value)?;
            }
        }
        Ok(self.bytes().saturating_sub(before).saturating_add(below))
    }

    /// Removes the rest of a word; returns the bytes that gave.
    fn remove(&mut self, rest: &[u8], value: u32, level: u32, seed: u64) -> Result<usize, OutOfMemory> {
        let before = self.bytes();
        let mut below = 0;
        if rest.is_empty() {
            take(&mut self.values, value);
        } else if level >= DEPTH {
            take(&mut self.deep, value);
        } else {
            let first = pattern::Component::first(rest);
            let (key, hash) = component::key_of(first.text, seed);
            let is = |edge: &Link<Edge>| edge.get().component.is(first.text);
            if let Some(edge) = self.edges.edit(hash, is)? {
                below = edge.edit()?.node.remove(first.rest, value, level.wrapping_add(1), seed)?;
                if edge.get().node.is_empty() {
                    below = below.saturating_add(edge.get().bytes());
                    self.edges.remove(hash, is)?;
                    self.count(key, hash, false)?;
                }
            }
            if level > 0 && pattern::matches_nothing(rest) {
                take(&mut self.missing, value);
            }
        }
        Ok(before.saturating_sub(self.bytes()).saturating_add(below))
    }

    /// Notes that there is one edge more or less of this key.
    fn count(&mut self, key: Key, hash: u32, more: bool) -> Result<(), OutOfMemory> {
        let step = |count: &mut u32| {
            *count = if more { count.saturating_add(1) } else { count.saturating_sub(1) };
        };
        match key {
            Key::Whole => step(&mut self.whole),
            Key::Bare => step(&mut self.bare),
            Key::Prefix(len) if more => self.prefixes.add(len)?,
            Key::Prefix(len) => self.prefixes.subtract(len)?,
            Key::Suffix(len) if more => self.suffixes.add(len)?,
            Key::Suffix(len) => self.suffixes.subtract(len)?,
            Key::Inner(len) => {
                if let Some(count) = self.inner.get_mut((len as usize).wrapping_sub(1)) {
                    step(count);
                }
                let all = self.inner.iter().fold(0_u32, |sum, count| sum.saturating_add(*count));
                if all < FILTER_FROM {
                    self.filter = Vec::new();
                } else if more {
                    self.filter_add(hash)?;
                }
            }
        }
        Ok(())
    }

    fn filter_add(&mut self, hash: u32) -> Result<(), OutOfMemory> {
        if self.filter.is_empty() {
            let mut filter = Vec::with_capacity(FILTER_WORDS)?;
            while filter.len() < FILTER_WORDS {
                filter.push(0)?;
            }
            self.filter = filter;
            let mut hashes = Vec::new();
            let mut result = Ok(());
            self.edges.for_each_hash(&mut |hash| {
                if result.is_ok() {
                    result = hashes.push(hash);
                }
            });
            result?;
            for hash in &hashes {
                set_bit(&mut self.filter, *hash);
            }
        }
        set_bit(&mut self.filter, hash);
        Ok(())
    }

    /// The values of a word, and perhaps of others that are the same for [`DEPTH`] components.
    fn exact(&self, rest: &[u8], visit: &mut dyn FnMut(u32) -> bool, level: u32, seed: u64) -> bool {
        if rest.is_empty() {
            return self.values.iter().any(|value| visit(*value));
        }
        if level >= DEPTH {
            return self.deep.iter().any(|value| visit(*value));
        }
        let first = pattern::Component::first(rest);
        let (_, hash) = component::key_of(first.text, seed);
        self.edges.get(hash).any(|edge| {
            edge.get().component.is(first.text)
                && edge.get().node.exact(first.rest, visit, level.wrapping_add(1), seed)
        })
    }

    /// Follows a name from a constant directory on.
    #[inline(never)]
    fn walk(&self, name: &[u8], seed: u64, visit: &mut dyn FnMut(Hit) -> bool) -> Visit {
        let mut this = pattern::Component::first(name);
        let mut reached = Active::new();
        if self.step(&this, true, seed, &mut reached, visit) {
            return Visit::Stopped;
        }
        loop {
            let mut deep = |edge: &Edge| edge.node.deep.iter().any(|value| visit(Hit::Deep(*value)));
            if reached.iter().any(&mut deep) {
                return Visit::Stopped;
            }
            if reached.len > ACTIVE {
                return Visit::Overflow;
            }
            if reached.len == 0 {
                return Visit::Complete;
            }
            this = pattern::Component::first(this.rest);
            let mut next = Active::new();
            for edge in reached.iter() {
                let again = edge.component.repeats && this.has_slash;
                if again && edge.component.matches(this.text, false, false) {
                    let stopped = if this.rest.is_empty() { show(edge, true, visit) } else { next.add(edge) };
                    if stopped {
                        return Visit::Stopped;
                    }
                }
                if edge.node.step(&this, false, seed, &mut next, visit) {
                    return Visit::Stopped;
                }
            }
            reached = next;
        }
    }

    /// Follows one component of a name; `head`: the first one. Behind the last component nothing is followed any more, so
    /// that no number of edges is too many there. True if `visit` had enough.
    #[inline(never)]
    fn step<'n>(
        &'n self,
        this: &pattern::Component<'_>,
        head: bool,
        seed: u64,
        next: &mut Active<'n>,
        visit: &mut dyn FnMut(Hit) -> bool,
    ) -> bool {
        let ended = !this.has_slash;
        let mut keys = Keys::new(self, this.text, seed);
        while let Some(hash) = keys.next() {
            for edge in self.edges.get(hash).map(Link::get) {
                let component = &edge.component;
                if component.repeats && ended || !component.matches(this.text, ended, head) {
                    continue;
                }
                let stopped = if this.rest.is_empty() {
                    show(edge, !(head && ended && component.is_exhausted(this.text)), visit)
                } else {
                    next.add(edge)
                };
                if stopped {
                    return true;
                }
            }
        }
        false
    }

    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Node {
            edges: self.edges.share()?,
            whole: self.whole,
            prefixes: self.prefixes.copy()?,
            suffixes: self.suffixes.copy()?,
            inner: self.inner,
            bare: self.bare,
            filter: self.filter.try_clone()?,
            values: self.values.try_clone()?,
            missing: self.missing.try_clone()?,
            deep: self.deep.try_clone()?,
        })
    }

    fn freeze(&mut self) {
        self.edges.freeze();
        self.prefixes.trim();
        self.suffixes.trim();
        self.values.trim();
        self.missing.trim();
        self.deep.trim();
    }
}

fn take(list: &mut Vec<u32>, value: u32) {
    if let Some(place) = list.iter().position(|old| *old == value) {
        list.remove(place);
    }
}

/// The filter has 2^15 bits.
fn set_bit(filter: &mut [u64], hash: u32) {
    if let Some(word) = filter.get_mut((hash & 0x7FFF).wrapping_shr(6) as usize) {
        *word |= 1_u64.wrapping_shl(hash & 63);
    }
}

#[inline(always)]
fn has_bit(filter: &[u64], hash: u32) -> bool {
    filter
        .get((hash & 0x7FFF).wrapping_shr(6) as usize)
        .is_some_and(|word| word.wrapping_shr(hash & 63) & 1 == 1)
}

impl Edge {
    /// Without the node's lists.
    fn bytes(&self) -> usize {
        size_of::<Edge>().saturating_add(SHARED).saturating_add(self.component.bytes())
    }
}

impl crate::link::Node for Edge {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Edge { component: self.component.copy()?, node: self.node.copy()? })
    }

    fn freeze(&mut self) {
        self.node.freeze();
    }
}

impl crate::link::Node for Directory {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Directory { name: self.name.try_clone()?, is_dir: self.is_dir, node: self.node.copy()? })
    }

    fn freeze(&mut self) {
        self.node.freeze();
    }
}

/// Shows the words that go on below the last level behind an edge, and at the end of the name those that end there;
/// `missing`: also those of which one more component may be missing. True if `visit` had enough.
fn show(edge: &Edge, missing: bool, visit: &mut dyn FnMut(Hit) -> bool) -> bool {
    let node = &edge.node;
    let missing: &[u32] = if missing { &node.missing } else { &[] };
    node.deep.iter().any(|value| visit(Hit::Deep(*value)))
        || node.values.iter().chain(missing).any(|value| visit(Hit::Match(*value)))
}

/// The edges followed last, each once.
struct Active<'n> {
    edges: [Option<&'n Edge>; ACTIVE],
    /// More than [`ACTIVE`]: there were too many.
    len: usize,
}

impl<'n> Active<'n> {
    const fn new() -> Self {
        Active { edges: [None; ACTIVE], len: 0 }
    }

    fn iter(&self) -> impl Iterator<Item = &'n Edge> + '_ {
        self.edges.iter().map_while(|edge| *edge)
    }

    /// Always false: to go on.
    fn add(&mut self, edge: &'n Edge) -> bool {
        if !self.iter().any(|old| core::ptr::eq(old, edge)) {
            if let Some(place) = self.edges.get_mut(self.len) {
                *place = Some(edge);
            }
            self.len = self.len.saturating_add(1);
        }
        false
    }
}

/// The hashes under which edges can be that match a component of a name: of the whole of it, and of those of its
/// beginnings, ends and parts of which there are keys.
struct Keys<'n> {
    node: &'n Node,
    text: &'n [u8],
    seed: u64,
    stage: Stage,
    /// How many lengths of this stage, or bytes, are done with.
    at: usize,
    /// The last bytes, of which there are `len`, and their hash.
    window: u64,
    len: u32,
    before: Option<u32>,
}

#[derive(Clone, Copy)]
enum Stage {
    Whole,
    Prefixes,
    Suffixes,
    Inner,
    Bare,
    End,
}

impl<'n> Keys<'n> {
    fn new(node: &'n Node, text: &'n [u8], seed: u64) -> Self {
        Keys { node, text, seed, stage: Stage::Whole, at: 0, window: 0, len: 0, before: None }
    }

    fn enter(&mut self, stage: Stage) {
        (self.stage, self.at) = (stage, 0);
    }

    #[inline(always)]
    fn next(&mut self) -> Option<u32> {
        loop {
            match self.stage {
                Stage::Whole => {
                    self.enter(Stage::Prefixes);
                    if self.node.whole > 0 {
                        return Some(component::whole_hash(self.text, self.seed));
                    }
                }
                Stage::Prefixes => {
                    let prefix = self.node.prefixes.at(self.at).and_then(|len| self.text.get(..len as usize));
                    self.at = self.at.wrapping_add(1);
                    match prefix {
                        Some(prefix) => return Some(component::prefix_hash(prefix, self.seed)),
                        None => self.enter(Stage::Suffixes),
                    }
                }
                Stage::Suffixes => {
                    let start = |len: u32| self.text.len().wrapping_sub(len as usize);
                    let suffix = self.node.suffixes.at(self.at).and_then(|len| self.text.get(start(len)..));
                    self.at = self.at.wrapping_add(1);
                    match suffix {
                        Some(suffix) => return Some(component::suffix_hash(suffix, self.seed)),
                        None => self.enter(Stage::Inner),
                    }
                }
                Stage::Inner => match self.inner() {
                    Some(hash) => return Some(hash),
                    None => self.enter(Stage::Bare),
                },
                Stage::Bare => {
                    self.enter(Stage::End);
                    if self.node.bare > 0 {
                        return Some(component::bare_hash(self.seed));
                    }
                }
                Stage::End => return None,
            }
        }
    }

    /// The next window of `len` bytes whose hash may be a key; for all lengths of which there are keys.
    fn inner(&mut self) -> Option<u32> {
        loop {
            if self.len > 0 {
                let mask = u64::MAX.wrapping_shr(64_u32.wrapping_sub(self.len.wrapping_mul(8)));
                let filter = &*self.node.filter;
                for byte in self.text.get(self.at..).unwrap_or(&[]) {
                    self.window = ((self.window << 8) | u64::from(*byte)) & mask;
                    self.at = self.at.wrapping_add(1);
                    if self.at < self.len as usize {
                        continue;
                    }
                    let hash = component::inner_hash(self.window, self.len, self.seed);
                    // Of a run of one byte all windows are the same.
                    if self.before != Some(hash) && (filter.is_empty() || has_bit(filter, hash)) {
                        self.before = Some(hash);
                        return Some(hash);
                    }
                }
            }
            // The next length.
            loop {
                let count = self.node.inner.get(self.len as usize)?;
                self.len = self.len.wrapping_add(1);
                if *count > 0 {
                    break;
                }
            }
            (self.at, self.window, self.before) = (0, 0, None);
        }
    }
}
