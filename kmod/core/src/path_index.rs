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
//! those that have their first eight features in common. Within a node of the tree each spec that occurs costs a look-up.

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
    pub(crate) fn insert(
        &mut self,
        place: Place<'_>,
        value: u32,
        words: &Words<'_>,
    ) -> Result<(), OutOfMemory> {
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
    pub(crate) fn any(&self, name: Name<'_>, wildcards: bool, visit: &mut dyn FnMut(u32) -> bool) -> bool {
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

#[cfg(test)]
mod tests {
    extern crate std;

    use super::PathIndex;
    use crate::hash;
    use crate::name::Name;
    use crate::path_tree::Words;
    use crate::pattern;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    /// Words of one kind, and names that they match or nearly match.
    fn cases() -> Vec<(Vec<String>, Vec<String>)> {
        let words = |make: &dyn Fn(usize) -> String| (0..200).map(make).collect::<Vec<_>>();
        let letters = |number: usize| format!("{number:03}").replace(['0', '1', '2'], "ab");
        let kinds = [r"\*", r"\@", r"\?", r"\$", r"\x", r"\A"];
        let kind = |number: usize| {
            number.checked_rem(kinds.len()).and_then(|kind| kinds.get(kind)).copied().unwrap_or_default()
        };
        let bare = |number: usize| [kind(number), kind(number / 6), kind(number / 36)].concat();
        let deep = |end: &str| format!("/a/{}{end}", "b/".repeat(61));
        [
            // More than sixteen inner parts, and names in which one of them comes again and again.
            (
                words(&|n| format!(r"/a/\*{}\*", letters(n))),
                vec_of(&["/a/ab3", "/a/xabab3abab3abab3", "/a/b"]),
            ),
            (words(&|n| format!(r"/a/\*ab\*/\*{n}")), vec_of(&["/a/ababababab/17", "/a/ab/x117", "/a/b/17"])),
            // The first four components, or the last ones, are those of all.
            (
                words(&|n| format!(r"/a/\*/lib/b\*/\?/f{n}\*")),
                vec_of(&["/a/x/lib/bb/c/f17x", "/a/x/lib/bb/c/g"]),
            ),
            (
                words(&|n| format!(r"/a/\{{\*\}}/f{n}\*/lib/b\*/\?/\*")),
                vec_of(&["/a/x/y/f17/lib/bb/c/d", "/a/f1/lib/b/c"]),
            ),
            // Subtrees, of which one component more may be missing.
            (words(&|n| format!(r"/a/\{{\*\}}/\*.{n}")), [deep("x.17"), deep("17"), deep("x.17/")].into()),
            (words(&|n| format!(r"/a/\{{\*\}}/{n}/\*")), [deep("17"), deep("17/x"), deep("17/x/y")].into()),
            (words(&|n| format!(r"/a/\{{\*\-{n}\}}/")), [deep(""), deep("17/"), deep("17")].into()),
            // No literal byte.
            (
                words(&|n| format!("/a/{}", bare(n))),
                vec_of(&["/a/a1.b", "/a/1", "/a/zzz", "/a/1a1", "/a/\\040", "/a"]),
            ),
            (
                words(&|n| format!("/a/{}/{}/x", bare(n), bare(n / 7))),
                vec_of(&["/a/1b/1/x", "/a/11a/b/y", "/a//x"]),
            ),
            (words(&|n| format!(r"/a/{}/\@\*", bare(n))), vec_of(&["/a/1b/1", "/a/11a", "/a/zz", "/a/zz/."])),
        ]
        .into()
    }

    fn vec_of(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| String::from(*name)).collect()
    }

    #[test]
    fn each_word_that_matches_is_found_and_none_twice() {
        for (words, names) in cases() {
            let mut index = PathIndex::new(hash::seed(7));
            let known: &Words<'_> = &|number| words.get(number as usize).map(String::as_bytes);
            for (number, word) in (0..).zip(&words) {
                assert!(pattern::Pattern::copy_from(word.as_bytes()).unwrap().is_some(), "{word}");
                index.insert(index.place(word.as_bytes()), number, known).unwrap();
            }
            let mut matched = 0;
            for name in &names {
                let name = Name::new(name.as_bytes()).unwrap();
                let mut found = Vec::new();
                let mut walk = index.patterns(name);
                while let Some(number) = walk.next() {
                    assert!(!found.contains(&number), "{} comes twice", words[number as usize]);
                    found.push(number);
                }
                for (number, word) in (0..).zip(&words) {
                    let matches = pattern::matches_word(name, word.as_bytes());
                    assert!(found.contains(&number) || !matches, "{word} is not found");
                    matched += usize::from(matches);
                }
            }
            assert!(matched > 0, "nothing matches {}", words[0]);
        }
    }

    #[test]
    fn removing_gives_back_what_adding_took() {
        for (words, _) in cases() {
            let mut index = PathIndex::new(hash::seed(7));
            let known: &Words<'_> = &|number| words.get(number as usize).map(String::as_bytes);
            let mut sizes = Vec::new();
            for (number, word) in (0..).zip(&words) {
                sizes.push(index.bytes());
                index.insert(index.place(word.as_bytes()), number, known).unwrap();
                if number % 3 == 0 {
                    index.freeze();
                    index = index.share().unwrap();
                }
                let mut found = false;
                index.exact(index.place(word.as_bytes()), &mut |value| {
                    found |= value == number;
                    found
                });
                assert!(found, "{word}");
            }
            // The last ones first: then the index is again what it was before each of them.
            for (number, word) in (0..words.len() as u32).zip(&words).rev() {
                if number % 5 == 0 {
                    index.freeze();
                    index = index.share().unwrap();
                }
                index.remove(index.place(word.as_bytes()), number).unwrap();
                assert_eq!(index.bytes(), sizes[number as usize], "{word}");
            }
            assert_eq!(index.bytes(), PathIndex::new(0).bytes());
            // In another order, nothing is left either.
            for (number, word) in (0..).zip(&words) {
                index.insert(index.place(word.as_bytes()), number, known).unwrap();
            }
            for (number, word) in (0..).zip(&words) {
                index.remove(index.place(word.as_bytes()), number).unwrap();
            }
            assert_eq!(index.bytes(), PathIndex::new(0).bytes());
        }
    }
}
