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
//! Two limits keep the set and the tree ([`crate::path_tree`]) small, and neither changes an answer: a word is followed for
//! a few components behind its constant directory, then the caller compares it in full; and if too many nodes are reached
//! at once, [`PathIndex::visit`] says so and the caller walks its list.

use crate::component;
use crate::hash;
use crate::lengths::Lengths;
use crate::link::{Link, SHARED};
use crate::map::Map;
use crate::mem::{OutOfMemory, Vec};
use crate::name::Name;
use crate::path_tree::Node;
use crate::pattern;
use core::mem::size_of;

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

impl crate::link::Node for Directory {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Directory { name: self.name.try_clone()?, is_dir: self.is_dir, node: self.node.copy()? })
    }

    fn freeze(&mut self) {
        self.node.freeze();
    }
}
