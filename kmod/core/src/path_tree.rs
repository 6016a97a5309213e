// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tree of the index: words with wildcards by their features ([`crate::feature`]).
//!
//! The first feature of a word is its constant directory. A node has a map from the hash of a feature to the words that have
//! it; where these are more than [`FEW`], a node below takes them and tells them apart by their next feature. So each word
//! stands in one place, which only depends on what words there are, and where few words share a directory there is no
//! node for them at all. A node keeps the specs that occur in it, because for each of them a name is looked at.

use crate::feature::{self, Feature, Spec};
use crate::hash::Key;
use crate::link::{Link, SHARED};
use crate::map::Map;
use crate::mem::{OutOfMemory, Vec};
use crate::pattern;
use core::mem::size_of;

/// Words with the same feature that stand together.
const FEW: usize = 6;
/// Features that words are told apart by.
pub(crate) const LEVELS: usize = 8;

/// The word of a value, as long as that is in the index.
pub(crate) type Words<'w> = dyn Fn(u32) -> Option<&'w [u8]> + 'w;

/// A word with wildcards, as the tree sees it.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    /// What is before the component with the first wildcard, with the `/` at the end; or empty.
    directory: &'a [u8],
    /// What is behind it.
    rest: &'a [u8],
    /// Whether the word ends in `/`.
    is_dir: bool,
}

/// A node.
pub(crate) struct Node {
    /// The specs of the values and how many have each; sorted.
    specs: Vec<(Spec, u32)>,
    /// Values by the hashes of their features.
    values: Map<u32>,
    /// Nodes for the features that more values have.
    nodes: Map<Link<Node>>,
    /// Values in the nodes below and in this one.
    len: usize,
    /// Bytes of the nodes below.
    below: usize,
}

impl<'a> Target<'a> {
    /// `None` without wildcards.
    pub(crate) fn new(word: &'a [u8]) -> Option<Self> {
        let wild = pattern::skip_units(word);
        if wild.is_empty() {
            return None;
        }
        let prefix = pattern::cut(word, word.len().saturating_sub(wild.len())).0;
        let slash = prefix.iter().rposition(|byte| *byte == b'/');
        let (directory, rest) = pattern::cut(word, slash.map_or(0, |slash| slash.saturating_add(1)));
        Some(Target { directory, rest, is_dir: word.last() == Some(&b'/') })
    }

    /// The feature by which the word stands in a node of this level.
    fn feature(&self, level: usize) -> Feature<'a> {
        if level == 0 {
            let count = |depth: u32, byte: &u8| depth.wrapping_add(u32::from(*byte == b'/'));
            let depth = self.directory.iter().fold(0, count);
            return Feature { spec: Spec::directory(depth, self.is_dir), bytes: self.directory };
        }
        feature::nth(self.rest, level as u32).unwrap_or(Feature { spec: Spec::REST, bytes: &[] })
    }
}

impl Node {
    pub(crate) const fn new() -> Self {
        Node { specs: Vec::new(), values: Map::new(), nodes: Map::new(), len: 0, below: 0 }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory of what belongs to the node, itself not included.
    pub(crate) fn bytes(&self) -> usize {
        let specs = self.specs.len().saturating_mul(size_of::<(Spec, u32)>());
        let maps = self.values.bytes().saturating_add(self.nodes.bytes());
        specs.saturating_add(maps).saturating_add(self.below)
    }

    /// A spec and, sorted behind it, the others.
    #[inline(always)]
    pub(crate) fn spec(&self, at: usize) -> Option<Spec> {
        self.specs.get(at).map(|(spec, _)| *spec)
    }

    /// The values of a hash, and perhaps of others, each with its hash.
    #[inline(always)]
    pub(crate) fn values(&self, hash: u32) -> &[(u32, u32)] {
        self.values.page(hash)
    }

    /// The node of a hash.
    #[inline(always)]
    pub(crate) fn below(&self, hash: u32) -> Option<&Node> {
        if self.nodes.is_empty() {
            return None;
        }
        self.nodes.get(hash).next().map(Link::get)
    }

    /// Whether anything is under a hash.
    #[inline(always)]
    pub(crate) fn knows(&self, hash: u32) -> bool {
        self.values.get(hash).next().is_some() || self.below(hash).is_some()
    }

    /// Adds a value to a node of a level.
    ///
    /// # Errors
    /// Out of memory; what is found is the same as before.
    pub(crate) fn insert(
        &mut self,
        target: &Target<'_>,
        value: u32,
        level: usize,
        key: &Key,
        words: &Words<'_>,
    ) -> Result<(), OutOfMemory> {
        let Feature { spec, bytes } = target.feature(level);
        let hash = spec.hash(key, bytes);
        let next = level.wrapping_add(1);
        if spec != Spec::REST && next < LEVELS && self.below(hash).is_none() {
            let few = self.values.get(hash).take(FEW).fold(0_usize, |few, _| few.wrapping_add(1));
            if few == FEW {
                self.split(hash, next, key, words)?;
            }
        }
        self.count(spec)?;
        let done = if self.below(hash).is_some() {
            self.change(hash, |node| node.insert(target, value, next, key, words))
        } else {
            self.values.insert(hash, value)
        };
        match done {
            Ok(()) => self.len = self.len.wrapping_add(1),
            Err(OutOfMemory) => self.uncount(spec),
        }
        done
    }

    /// Makes a node for the values of a hash.
    #[inline(never)]
    fn split(&mut self, hash: u32, level: usize, key: &Key, words: &Words<'_>) -> Result<(), OutOfMemory> {
        let mut link = Link::new(Node::new())?;
        let node = link.edit()?;
        for value in self.values.get(hash) {
            let Some(target) = words(*value).and_then(Target::new) else {
                return Ok(()); // Never: who adds a value knows the words of the others.
            };
            node.insert(&target, *value, level, key, words)?;
        }
        let below = size_of::<Node>().saturating_add(SHARED).saturating_add(node.bytes());
        self.nodes.insert(hash, link)?;
        // From now on the values are found twice, until they are taken away. That needs memory only for pages that are
        // shared, and the first of them fails if there is none.
        if self.values.get(hash).next().is_some() {
            if let Err(error) = self.values.remove(hash, |_| true) {
                self.nodes.remove(hash, |_| true)?;
                return Err(error);
            }
        }
        self.below = self.below.saturating_add(below);
        while self.values.remove(hash, |_| true)?.is_some() {}
        Ok(())
    }

    /// Changes the node of a hash, which is there.
    fn change<T>(
        &mut self,
        hash: u32,
        change: impl FnOnce(&mut Node) -> Result<T, OutOfMemory>,
    ) -> Result<T, OutOfMemory> {
        let node = self.nodes.edit(hash, |_| true)?.ok_or(OutOfMemory)?.edit()?;
        let before = node.bytes();
        let done = change(node);
        self.below = self.below.saturating_sub(before).saturating_add(node.bytes());
        done
    }

    /// Removes a value from a node of a level; false if it is not there.
    ///
    /// # Errors
    /// Out of memory; what is found is the same as before.
    pub(crate) fn remove(
        &mut self,
        target: &Target<'_>,
        value: u32,
        level: usize,
        key: &Key,
    ) -> Result<bool, OutOfMemory> {
        let Feature { spec, bytes } = target.feature(level);
        let hash = spec.hash(key, bytes);
        let removed = if self.below(hash).is_some() {
            self.change(hash, |node| node.remove(target, value, level.wrapping_add(1), key))?
        } else {
            self.values.remove(hash, |old| *old == value)?.is_some()
        };
        if removed {
            self.uncount(spec);
            self.len = self.len.wrapping_sub(1);
            self.join(hash);
        }
        Ok(removed)
    }

    /// Takes the values of a node that has few. When there is no memory for that, it stays; the next removal tries again.
    #[inline(never)]
    fn join(&mut self, hash: u32) {
        let Some(node) = self.below(hash).filter(|node| node.len <= FEW && node.nodes.is_empty()) else {
            return;
        };
        let freed = size_of::<Node>().saturating_add(SHARED).saturating_add(node.bytes());
        let (mut few, mut len) = ([0_u32; FEW], 0_usize);
        node.values.find(&mut |value| {
            if let Some(place) = few.get_mut(len) {
                *place = *value;
            }
            len = len.wrapping_add(1);
            false
        });
        for value in few.iter().take(len) {
            if self.values.insert(hash, *value).is_err() {
                while matches!(self.values.remove(hash, |_| true), Ok(Some(_))) {}
                return;
            }
        }
        if self.nodes.remove(hash, |_| true).is_ok() {
            self.below = self.below.saturating_sub(freed);
        }
    }

    /// Notes one more value of a spec.
    fn count(&mut self, spec: Spec) -> Result<(), OutOfMemory> {
        let place = self.specs.partition_point(|(old, _)| *old < spec);
        if let Some((_, count)) = self.specs.get_mut(place).filter(|(old, _)| *old == spec) {
            *count = count.saturating_add(1);
            return Ok(());
        }
        self.specs.push((spec, 1))?;
        // It comes between the others.
        let mut carried = (spec, 1);
        for next in self.specs.iter_mut().skip(place) {
            core::mem::swap(next, &mut carried);
        }
        Ok(())
    }

    /// Notes one less.
    fn uncount(&mut self, spec: Spec) {
        let place = self.specs.partition_point(|(old, _)| *old < spec);
        if let Some((_, count)) = self.specs.get_mut(place).filter(|(old, _)| *old == spec) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.specs.remove(place);
            }
        }
    }

    /// Shows the values of a word, and perhaps of others, until `visit` returns true.
    pub(crate) fn exact(&self, target: &Target<'_>, key: &Key, visit: &mut dyn FnMut(u32) -> bool) {
        let mut node = self;
        for level in 0..LEVELS {
            let Feature { spec, bytes } = target.feature(level);
            let hash = spec.hash(key, bytes);
            if node.values.get(hash).any(|value| visit(*value)) {
                return;
            }
            match node.below(hash) {
                Some(below) => node = below,
                None => return,
            }
        }
    }

    pub(crate) fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Node {
            specs: self.specs.try_clone()?,
            values: self.values.share()?,
            nodes: self.nodes.share()?,
            ..*self
        })
    }

    pub(crate) fn freeze(&mut self) {
        self.specs.trim();
        self.values.freeze();
        self.nodes.freeze();
    }
}

impl crate::link::Node for Node {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Node::copy(self)
    }

    fn freeze(&mut self) {
        Node::freeze(self);
    }
}
