// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a name to the words that match it, in time that does not grow with the number of words.
//!
//! Words without wildcards are found by the hash of the whole name. Words with wildcards stand in a tree
//! ([`crate::path_tree`]) by their features ([`crate::feature`]): the constant directory, what is before the `/` in front of
//! the first wildcard, and then what else of them is literal, the longest part first. A name comes by the words whose
//! features it has ([`crate::path_walk`]), by each of them once. So the index finds words that may match, and whoever
//! asks compares them ([`crate::pattern::matches`]).
//!
//! What bound remains: words that have the same features are tried one by one, which are those with the same literal parts
//! in the same places, in a directory of the same name, and the same kinds of wildcards where there is no literal part; also
//! those that have their first twelve features in common. Within a node of the tree each spec that occurs costs a look-up.

use crate::hash::{self, Key};
use crate::map::Map;
use crate::mem::{OutOfMemory, Vec};
use crate::name::Name;
use crate::path_tree::{Node, Target, Words};
use crate::path_walk::Walk;

/// Where a word stands in every index of a policy: found once, for a search and for what follows it.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// By the hash of a word without wildcards.
    Plain(u32),
    /// By its features.
    Pattern(Target<'a>),
}

/// The index. A value is whatever the owner wants to find, such as the number of a record.
pub(crate) struct PathIndex {
    key: Key,
    words: Map<u32>,
    patterns: Node,
}

impl PathIndex {
    /// An empty index; `seed` is the secret of the hash.
    pub(crate) const fn new(seed: u64) -> Self {
        PathIndex { key: Key::new(seed), words: Map::new(), patterns: Node::new() }
    }

    /// Bytes of memory of everything in the index.
    pub(crate) fn bytes(&self) -> usize {
        self.words.bytes().saturating_add(self.patterns.bytes())
    }

    /// The place of a valid word.
    pub(crate) fn place<'a>(&self, word: &'a [u8]) -> Place<'a> {
        match Target::new(word) {
            None => Place::Plain(hash::fold(self.key.bytes(0, word))),
            Some(target) => Place::Pattern(target),
        }
    }

    /// Adds a value in the place of its word. `words` knows the words of the values that are in the index.
    ///
    /// # Errors
    /// Out of memory; the index answers as before.
    pub(crate) fn insert(&mut self, place: Place<'_>, value: u32, words: &Words<'_>) -> Result<(), OutOfMemory> {
        match place {
            Place::Plain(hash) => self.words.insert(hash, value),
            Place::Pattern(target) => self.patterns.insert(&target, value, 0, &self.key, words),
        }
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
        match place {
            Place::Plain(hash) => self.words.remove(hash, |old| *old == value).map(drop),
            Place::Pattern(target) => self.patterns.remove(&target, value, 0, &self.key).map(drop),
        }
    }

    /// The values that were added with the word of this place, and perhaps those of some others.
    pub(crate) fn exact(&self, place: Place<'_>, visit: &mut dyn FnMut(u32) -> bool) {
        match place {
            Place::Plain(hash) => {
                let _ = self.words.get(hash).any(|value| visit(*value));
            }
            Place::Pattern(target) => self.patterns.exact(&target, &self.key, visit),
        }
    }

    /// The values whose words without wildcards may be the name.
    #[inline]
    pub(crate) fn plain(&self, name: Name<'_>) -> impl Iterator<Item = u32> + '_ {
        self.words.get(hash::fold(self.key.bytes(0, name.as_bytes()))).copied()
    }

    /// Whether there are words with wildcards.
    #[inline(always)]
    pub(crate) const fn has_patterns(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// The values whose words with wildcards may match the name.
    #[inline]
    pub(crate) fn patterns<'a>(&'a self, name: Name<'a>) -> Walk<'a> {
        Walk::new(&self.patterns, name, &self.key)
    }

    /// Shows the values whose words may match, until `visit` returns true; words with wildcards only if `wildcards` is set.
    /// `visit` compares.
    pub(crate) fn any(
        &self,
        name: Name<'_>,
        wildcards: bool,
        visit: &mut dyn FnMut(u32) -> bool,
    ) -> bool {
        if self.plain(name).any(&mut *visit) {
            return true;
        }
        if !wildcards || !self.has_patterns() {
            return false;
        }
        let mut walk = self.patterns(name);
        while let Some(value) = walk.next() {
            if visit(value) {
                return true;
            }
        }
        false
    }

    /// An index with the same words, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(PathIndex { key: self.key, words: self.words.share()?, patterns: self.patterns.copy()? })
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        self.words.freeze();
        self.patterns.freeze();
    }
}
