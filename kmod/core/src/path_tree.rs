// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tree behind a constant directory of the index: words by their components, and how a name is followed through it.
//!
//! See [`crate::path_index`], which is about whole words.

use crate::component::{self, Component, Key};
use crate::keys::Keys;
use crate::link::{Link, SHARED};
use crate::map::Map;
use crate::mem::{OutOfMemory, Vec};
use crate::path_index::{Hit, Visit};
use crate::pattern;
use core::mem::size_of;

/// Components behind the constant directory that the tree knows.
const DEPTH: u32 = 4;
/// Nodes that can be reached at once.
const ACTIVE: usize = 8;

/// A place between two components.
pub(crate) struct Node {
    edges: Map<Link<Edge>>,
    keys: Keys,
    /// Words that end here.
    values: Vec<u32>,
    /// Words of which only one more component may be missing (Q1).
    missing: Vec<u32>,
    /// Words that go on below the last level.
    deep: Vec<u32>,
}

/// A component and the place behind it.
pub(crate) struct Edge {
    component: Component,
    node: Node,
}

impl Node {
    pub(crate) const fn new() -> Self {
        Node {
            edges: Map::new(),
            keys: Keys::new(),
            values: Vec::new(),
            missing: Vec::new(),
            deep: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.edges.is_empty() && self.values.is_empty() && self.missing.is_empty() && self.deep.is_empty()
    }

    /// Bytes of the node's own lists; not what is behind the edges.
    fn bytes(&self) -> usize {
        let values = self.values.len().saturating_add(self.missing.len()).saturating_add(self.deep.len());
        self.edges
            .bytes()
            .saturating_add(self.keys.bytes())
            .saturating_add(values.saturating_mul(size_of::<u32>()))
    }

    /// Adds the rest of a word; returns the bytes that took.
    pub(crate) fn insert(
        &mut self,
        rest: &[u8],
        value: u32,
        level: u32,
        seed: u64,
    ) -> Result<usize, OutOfMemory> {
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
                let mut edge = new_edge(first.text, level == 0)?;
                below = edge.get().bytes();
                let added = edge.edit()?.node.insert(first.rest, value, level_below, seed)?;
                below = below.saturating_add(added);
                self.count(key, hash, true)?;
                if let Err(error) = self.edges.insert(hash, edge) {
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
    pub(crate) fn remove(
        &mut self,
        rest: &[u8],
        value: u32,
        level: u32,
        seed: u64,
    ) -> Result<usize, OutOfMemory> {
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

    fn count(&mut self, key: Key, hash: u32, more: bool) -> Result<(), OutOfMemory> {
        let edges = &self.edges;
        self.keys.count(key, hash, more, &|visit| edges.for_each_hash(visit))
    }

    /// The values of a word, and perhaps of others that are the same for [`DEPTH`] components.
    pub(crate) fn exact(
        &self,
        rest: &[u8],
        visit: &mut dyn FnMut(u32) -> bool,
        level: u32,
        seed: u64,
    ) -> bool {
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
    pub(crate) fn walk(&self, name: &[u8], seed: u64, visit: &mut dyn FnMut(Hit) -> bool) -> Visit {
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
        let mut keys = self.keys.hashes(this.text, seed);
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

    pub(crate) fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Node {
            edges: self.edges.share()?,
            keys: self.keys.copy()?,
            values: self.values.try_clone()?,
            missing: self.missing.try_clone()?,
            deep: self.deep.try_clone()?,
        })
    }

    pub(crate) fn freeze(&mut self) {
        self.edges.freeze();
        self.keys.trim();
        self.values.trim();
        self.missing.trim();
        self.deep.trim();
    }
}

/// Not inlined: an edge by value takes stack, and inserting is recursive.
#[inline(never)]
fn new_edge(text: &[u8], head: bool) -> Result<Link<Edge>, OutOfMemory> {
    Link::new(Edge { component: Component::new(text, head)?, node: Node::new() })
}

fn take(list: &mut Vec<u32>, value: u32) {
    if let Some(place) = list.iter().position(|old| *old == value) {
        list.remove(place);
    }
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
