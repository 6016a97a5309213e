// SPDX-License-Identifier: MIT OR Apache-2.0

//! Wildcards: does a name match a pattern (reference 2)?
//!
//! The answers are those of TOMOYO 1.7.3, corner cases Q1 to Q3 included, because policy files depend on them.
//! The way to them is another one. The original tries every length of every wildcard, recursively, which takes
//! exponential time in the worst case and stack in proportion to the pattern. Here all possibilities are followed
//! at the same time: a [`Positions`] set has one bit for each place in the pattern that may be reached so far, and
//! each unit of the name (for `\{ \}`: each component) turns it into the next set. So the time is at most the
//! length of the name times the length of the pattern, there is no recursion, and nothing is allocated.
//!
//! The price is a limit on patterns, [`MAX_POSITIONS`]. It is checked when a pattern is made, and only counts what
//! needs such a set: names and patterns themselves may have any length.

use crate::mem::{OutOfMemory, Vec};
use crate::name::{find_slash, is_valid_word, next_element, skip_plain, Element, Name};
use crate::side::{side_matches, Positions, Wide};

/// Largest number of elements in one component with wildcards (counted separately on each side of `\-`), and
/// largest number of components from the first `\{` on. A component of a path has 255 units at most, and a path
/// has rarely more than 30 components.
pub const MAX_POSITIONS: usize = 511;

/// A checked word that names are compared with. Without a wildcard it only matches the name equal to it.
pub struct Pattern {
    word: Vec<u8>,
    /// Length in bytes of the longest beginning that consists of units.
    const_len: usize,
}

impl Pattern {
    /// Takes over a word. `None` when it is not valid (reference 1.3) or beyond [`MAX_POSITIONS`].
    pub fn new(word: Vec<u8>) -> Option<Pattern> {
        if !is_valid_word(&word) || !is_within_limits(&word) {
            return None;
        }
        let const_len = word.len().saturating_sub(skip_units(&word).len());
        Some(Pattern { word, const_len })
    }

    /// Copies a word. `Ok(None)` when it is not valid or beyond [`MAX_POSITIONS`].
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`] when the copy does not fit.
    pub fn copy_from(word: &[u8]) -> Result<Option<Pattern>, OutOfMemory> {
        let mut copy = Vec::with_capacity(word.len())?;
        copy.extend_from_slice(word)?;
        Ok(Pattern::new(copy))
    }

    /// The word as it was written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.word
    }

    /// Length in bytes of the beginning before the first wildcard.
    pub fn const_len(&self) -> usize {
        self.const_len
    }

    /// Whether there is a wildcard at all.
    pub fn is_patterned(&self) -> bool {
        self.const_len < self.word.len()
    }

    /// Whether it can match directories, and only these.
    pub fn is_dir(&self) -> bool {
        self.word.last() == Some(&b'/')
    }

    /// Bytes of memory held by the pattern.
    pub fn capacity_bytes(&self) -> usize {
        self.word.capacity_bytes()
    }

    /// The pattern cut where the first wildcard begins.
    fn parts(&self) -> (&[u8], &[u8]) {
        cut(&self.word, self.const_len)
    }
}

/// Whether `name` matches `pattern` (reference 2.2).
pub fn matches(name: Name<'_>, pattern: &Pattern) -> bool {
    if !pattern.is_patterned() {
        return name.as_bytes() == pattern.as_bytes();
    }
    if name.is_dir() != pattern.is_dir() {
        return false;
    }
    let (prefix, wild) = pattern.parts();
    match name.as_bytes().strip_prefix(prefix) {
        Some(rest) => rest_matches(rest, wild),
        None => false,
    }
}

/// Whether `name` matches a word that is known to be valid and within the limits.
#[inline]
pub(crate) fn matches_word(name: Name<'_>, word: &[u8]) -> bool {
    if name.as_bytes() == word {
        // A name has no wildcards, so the word has none; what the index finds by its hash nearly always ends here.
        return true;
    }
    let wild = skip_units(word);
    if wild.is_empty() {
        return false;
    }
    if name.is_dir() != (word.last() == Some(&b'/')) {
        return false;
    }
    let prefix = cut(word, word.len().saturating_sub(wild.len())).0;
    match name.as_bytes().strip_prefix(prefix) {
        Some(rest) => rest_matches(rest, wild),
        None => false,
    }
}

/// Compares what is left behind the constant beginning, component by component.
///
/// The first component of both may be the remainder of one. That is Q2: a subtraction sees no more than this.
fn rest_matches(name: &[u8], pattern: &[u8]) -> bool {
    let (mut name, mut pattern) = (name, pattern);
    while !name.is_empty() && !pattern.is_empty() {
        let this = Component::first(pattern);
        if let Some(inner) = this.group() {
            return match one_group_matches(name, inner, this.rest) {
                Some(answer) => answer,
                None => repeated_matches(name, pattern),
            };
        }
        let that = Component::first(name);
        if !component_matches(that.text, this.text) {
            return false;
        }
        (name, pattern) = (that.rest, this.rest);
    }
    name.is_empty() && matches_nothing(pattern)
}

/// The same where only one group is left: then the components behind it are the last ones of the name, and all before these
/// are repetitions. `None` where another group follows.
#[inline(never)]
fn one_group_matches(name: &[u8], inner: &[u8], behind: &[u8]) -> Option<bool> {
    let (mut count, mut rest, mut may_miss) = (0_usize, behind, false);
    while !rest.is_empty() {
        let this = Component::first(rest);
        if this.group().is_some() {
            return None;
        }
        may_miss = !this.has_slash && matches_nothing(this.text);
        (count, rest) = (count.saturating_add(1), this.rest);
    }
    let (first, subtracted) = split_minus(inner);
    let matches = |count| {
        let (mut repeated, mut last) = cut_before_last(name, count)?;
        let mut pattern = behind;
        while !last.is_empty() {
            let (this, that) = (Component::first(pattern), Component::first(last));
            if !component_matches(that.text, this.text) {
                return None;
            }
            (last, pattern) = (that.rest, this.rest);
        }
        while !(repeated.is_empty() || inner == br"\*") {
            let that = Component::first(repeated);
            if !sides_match(that.text, first, subtracted) {
                return None;
            }
            repeated = that.rest;
        }
        Some(())
    };
    Some(matches(count).is_some() || may_miss && matches(count.saturating_sub(1)).is_some())
}

/// A path cut before its last so many components; what is before them is not empty and ends with a `/`.
fn cut_before_last(path: &[u8], count: usize) -> Option<(&[u8], &[u8])> {
    let mut slash = path.len().checked_sub(usize::from(path.ends_with(b"/")))?;
    for _ in 0..count {
        slash = path.get(..slash)?.iter().rposition(|byte| *byte == b'/')?;
    }
    if path.get(slash) != Some(&b'/') {
        return None;
    }
    Some(cut(path, slash.saturating_add(1)))
}

/// Compares from a `\{` on (reference 2.4). How often a group is repeated may depend on all that follows, so each
/// component of the name is compared with every component of the pattern that it may belong to.
#[inline(never)]
fn repeated_matches(name: &[u8], pattern: &[u8]) -> bool {
    let mut reached = Wide::START;
    let mut name = name;
    while !name.is_empty() {
        let that = Component::first(name);
        let (mut pattern, mut at) = (pattern, 0_usize);
        // As in [`follow`].
        let mut here = reached.has(0);
        let (mut arrived, mut any) = (false, false);
        while !pattern.is_empty() {
            let this = Component::first(pattern);
            let behind = at.saturating_add(1);
            let there = reached.has(behind);
            let (mut stays, mut leaves) = (false, false);
            if here {
                match this.group() {
                    // Each repetition ends with a `/`; after it, one more may come, or what follows the group.
                    Some(inner) => {
                        stays = that.has_slash && component_matches(that.text, inner);
                        leaves = stays;
                    }
                    None => leaves = component_matches(that.text, this.text),
                }
            }
            if here || arrived {
                reached.set(at, arrived || stays);
                any = any || arrived || stays;
            }
            (arrived, here, at) = (leaves, there, behind);
            pattern = this.rest;
        }
        reached.set(at, arrived);
        if !any && !arrived {
            return false;
        }
        name = that.rest;
    }
    // The name has ended: it matches if the pattern may end in one of the places reached.
    let (mut pattern, mut at) = (pattern, 0_usize);
    loop {
        if reached.has(at) && matches_nothing(pattern) {
            return true;
        }
        if pattern.is_empty() {
            return false;
        }
        (pattern, at) = (Component::first(pattern).rest, at.saturating_add(1));
    }
}

/// Whether only `\*` and `\@` are left. That is Q1, where they are a whole component, and Q3, where `\-` follows.
pub(crate) fn matches_nothing(pattern: &[u8]) -> bool {
    elements(pattern).all(|element| matches!(element, Element::Many(_)))
}

/// Compares one component, or the remainder of one, with one of a pattern: it must match what is before the first
/// `\-`, and nothing of what is between or behind the others (reference 2.3).
#[inline]
pub(crate) fn component_matches(name: &[u8], pattern: &[u8]) -> bool {
    if let [b'\\', b'*'] = pattern {
        return true;
    }
    if skip_plain(pattern).is_empty() {
        return name == pattern;
    }
    let (first, subtracted) = split_minus(pattern);
    sides_match(name, first, subtracted)
}

/// The same for a pattern that was cut at its first `\-`.
#[inline]
fn sides_match(name: &[u8], first: &[u8], subtracted: Option<&[u8]>) -> bool {
    if first != br"\*" && !side_matches(name, first) {
        return false;
    }
    let mut subtracted = subtracted;
    while let Some(sides) = subtracted {
        if skip_plain(sides).is_empty() {
            return name != sides;
        }
        let (side, more) = split_minus(sides);
        if side_matches(name, side) {
            return false;
        }
        subtracted = more;
    }
    true
}

/// A component of a name or of a pattern.
pub(crate) struct Component<'a> {
    /// Everything before the `/`.
    pub(crate) text: &'a [u8],
    /// Whether there is a `/`.
    pub(crate) has_slash: bool,
    /// Everything behind the `/`.
    pub(crate) rest: &'a [u8],
}

impl<'a> Component<'a> {
    pub(crate) fn first(path: &'a [u8]) -> Component<'a> {
        let end = find_slash(path).unwrap_or(path.len());
        let (text, rest) = cut(path, end);
        match rest.split_first() {
            Some((_, rest)) => Component { text, has_slash: true, rest },
            None => Component { text, has_slash: false, rest },
        }
    }

    /// What is between `\{` and `\}`. In a valid word these are always the two ends of a component.
    pub(crate) fn group(&self) -> Option<&'a [u8]> {
        self.text.strip_prefix(br"\{")?.strip_suffix(br"\}")
    }
}

/// All elements of a valid word.
pub(crate) fn elements(word: &[u8]) -> impl Iterator<Item = Element> + '_ {
    let mut rest = word;
    core::iter::from_fn(move || {
        let (element, tail) = next_element(rest)?;
        rest = tail;
        Some(element)
    })
}

/// All units of a part of a name, as the bytes that they stand for.
#[inline(always)]
pub(crate) fn units(name: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut rest = name;
    core::iter::from_fn(move || {
        let (byte, tail) = rest.split_first()?;
        if *byte != b'\\' {
            rest = tail;
            return Some(*byte);
        }
        let (Element::Unit(byte), tail) = next_element(rest)? else {
            return None; // Never: it is a name.
        };
        rest = tail;
        Some(byte)
    })
}

/// What is left of a valid word from its first wildcard on.
pub(crate) fn skip_units(word: &[u8]) -> &[u8] {
    let mut rest = skip_plain(word);
    while let Some((Element::Unit(_), tail)) = next_element(rest) {
        rest = skip_plain(tail);
    }
    rest
}

/// What is before the first `\-`, and what is behind it if there is one.
pub(crate) fn split_minus(pattern: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut rest = skip_plain(pattern);
    while let Some((element, tail)) = next_element(rest) {
        if element == Element::Minus {
            let (before, _) = cut(pattern, pattern.len().saturating_sub(rest.len()));
            return (before, Some(tail));
        }
        rest = skip_plain(tail);
    }
    (pattern, None)
}

/// Both sides of a place. `slice::split_at`, but a place behind the end is the end.
pub(crate) fn cut(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    match (bytes.get(..at), bytes.get(at..)) {
        (Some(before), Some(behind)) => (before, behind),
        _ => (bytes, &[]),
    }
}

/// Whether a valid word needs no position above [`MAX_POSITIONS`]. Walks exactly as the comparison does.
pub(crate) fn is_within_limits(word: &[u8]) -> bool {
    let mut pattern = skip_units(word);
    let mut components = 0_usize;
    while !pattern.is_empty() {
        let this = Component::first(pattern);
        if components > 0 || this.group().is_some() {
            components = components.saturating_add(1);
        }
        let mut sides = Some(this.group().unwrap_or(this.text));
        while let Some(all) = sides {
            let (side, more) = split_minus(all);
            // Not `count()`: its addition is checked, and a failed check is a panic.
            if elements(side).fold(0_usize, |count, _| count.saturating_add(1)) > MAX_POSITIONS {
                return false;
            }
            sides = more;
        }
        pattern = this.rest;
    }
    components <= MAX_POSITIONS
}
