// SPDX-License-Identifier: MIT OR Apache-2.0
//! One component of a pattern in the index: by which literal part it is found, and how it is compared.
//!
//! A component is found by its longest literal part: the beginning, the end, or one between two wildcards; so among
//! thousands of components with wildcards a name meets those only with which it shares that part. Most components have one
//! wildcard that runs (`\*.txt`, `file\$`); they are compared without following positions ([`Shape::Run`]), all others by
//! [`pattern::component_matches`], which decides alone what matches (reference 2.3).

use crate::hash;
use crate::mem::{OutOfMemory, Vec};
use crate::name::{Class, Element};
use crate::pattern;

/// The longest key that is looked for inside of a name.
pub(crate) const INNER: usize = 8;

/// By which part of itself a component is found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// It has no wildcard.
    Whole,
    /// Its first `n` bytes.
    Prefix(u32),
    /// Its last `n` bytes, those before the first `\-`.
    Suffix(u32),
    /// `n` bytes between two wildcards, [`INNER`] at most.
    Inner(u32),
    /// It has no literal part.
    Bare,
}

/// How a component is compared.
enum Shape {
    /// `\*`
    All,
    /// A beginning, one run of a class, an end: lengths of both, class, least length of the run.
    Run { prefix: u32, suffix: u32, class: Class, least: u32 },
    /// `\*`, bytes that are no wildcards, `\*`: the length of these bytes.
    Inside(u32),
    /// Anything else.
    General,
}

/// A component.
pub(crate) struct Component {
    text: Vec<u8>,
    /// Whether it stands between `\{` and `\}`, which `text` does not contain.
    pub(crate) repeats: bool,
    /// Length of the constant beginning of the whole pattern in this component, where a subtraction does not see it (Q2).
    skip: u32,
    shape: Shape,
}

impl Component {
    /// A component as [`pattern::Component::text`] gives it; `head` for the first one with a wildcard.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn new(text: &[u8], head: bool) -> Result<Self, OutOfMemory> {
        let (inner, repeats) = strip(text);
        let units = || inner.len().saturating_sub(pattern::skip_units(inner).len());
        let skip = if head && !repeats { units() } else { 0 };
        let mut owned = Vec::with_capacity(inner.len())?;
        owned.extend_from_slice(inner)?;
        Ok(Component { text: owned, repeats, skip: skip as u32, shape: Shape::of(inner) })
    }

    /// Whether this is the component of that text. Both come from nodes of the same kind, where `skip` follows from it.
    pub(crate) fn is(&self, text: &[u8]) -> bool {
        strip(text) == (&self.text, self.repeats)
    }

    /// Bytes behind the component.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Another copy.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn copy(&self) -> Result<Self, OutOfMemory> {
        let shape = match self.shape {
            Shape::All => Shape::All,
            Shape::Run { prefix, suffix, class, least } => Shape::Run { prefix, suffix, class, least },
            Shape::Inside(len) => Shape::Inside(len),
            Shape::General => Shape::General,
        };
        Ok(Component { text: self.text.try_clone()?, repeats: self.repeats, skip: self.skip, shape })
    }

    /// Whether the component of a name matches. `ended`: the name ends with it, without a `/`.
    #[inline]
    pub(crate) fn matches(&self, name: &[u8], ended: bool, head: bool) -> bool {
        if head && ended && name.len() == self.skip as usize {
            // Nothing is left for the wildcards: only those that match nothing may follow (reference 2.2, Q3).
            let (prefix, rest) = pattern::cut(&self.text, self.skip as usize);
            return name == prefix && pattern::matches_nothing(rest);
        }
        match self.shape {
            Shape::All => return true,
            Shape::Run { prefix, suffix, class, least } => {
                if let Some(answer) = self.run(name, prefix as usize, suffix as usize, class, least as usize)
                {
                    return answer;
                }
            }
            // An escape in the name could be cut in the middle.
            Shape::Inside(len) if !name.contains(&b'\\') => {
                return self
                    .text
                    .get(2..(len as usize).saturating_add(2))
                    .is_some_and(|part| is_in(part, name));
            }
            Shape::Inside(_) | Shape::General => {}
        }
        let (prefix, rest) = pattern::cut(&self.text, self.skip as usize);
        match name.strip_prefix(prefix) {
            Some(name) => pattern::component_matches(name, rest),
            None => false,
        }
    }

    /// Whether a name of which nothing is left for the wildcards ends here: see [`Component::matches`].
    pub(crate) fn is_exhausted(&self, name: &[u8]) -> bool {
        name.len() == self.skip as usize
    }

    /// The answer for one run. `None` when the name has escapes there: then units are longer than a byte.
    #[inline]
    fn run(&self, name: &[u8], prefix: usize, suffix: usize, class: Class, least: usize) -> Option<bool> {
        let end = name.len().wrapping_sub(suffix);
        let (Some(start), Some(middle), Some(rest)) =
            (name.get(..prefix), name.get(prefix..end), name.get(end..))
        else {
            return Some(false);
        };
        let text = &*self.text;
        let same = text.get(..prefix) == Some(start)
            && text.get(text.len().wrapping_sub(suffix)..) == Some(rest)
            && middle.len() >= least;
        if !same {
            return Some(false);
        }
        for byte in middle {
            if *byte == b'\\' {
                return None;
            }
            if !class.contains(*byte) {
                return Some(false);
            }
        }
        Some(true)
    }
}

/// Whether `part` stands somewhere in `text`.
fn is_in(part: &[u8], text: &[u8]) -> bool {
    let Some(first) = part.first() else {
        return true;
    };
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = rest.get(at..).unwrap_or(&[]);
        if rest.starts_with(part) {
            return true;
        }
        rest = rest.get(1..).unwrap_or(&[]);
    }
    false
}

/// By what a component of a pattern is found, and the hash of that.
pub(crate) fn key_of(text: &[u8], seed: u64) -> (Key, u32) {
    key(strip(text).0, seed)
}

/// What is between `\{` and `\}`, if it is a group.
fn strip(text: &[u8]) -> (&[u8], bool) {
    match text.strip_prefix(br"\{").and_then(|rest| rest.strip_suffix(br"\}")) {
        Some(inner) => (inner, true),
        None => (text, false),
    }
}

fn key(text: &[u8], seed: u64) -> (Key, u32) {
    let rest = pattern::skip_units(text);
    let prefix = text.len().saturating_sub(rest.len());
    match rest {
        [] => return (Key::Whole, whole_hash(text, seed)),
        // The commonest ends, where nothing else needs to be looked for.
        br"\*" if prefix == 0 => return (Key::Bare, bare_hash(seed)),
        br"\*" => return (Key::Prefix(prefix as u32), prefix_hash(pattern::cut(text, prefix).0, seed)),
        _ => {}
    }
    let (first, _) = pattern::split_minus(text);
    // The literal parts behind the first wildcard; the last one is the end.
    let mut best = pattern::cut(first, prefix).0;
    let mut kind = Key::Prefix(prefix as u32);
    let mut open = pattern::cut(first, prefix).1;
    while let Some((element, tail)) = crate::name::next_element(open) {
        if matches!(element, Element::Unit(_)) {
            let after = pattern::skip_units(open);
            let literal = pattern::cut(open, open.len().saturating_sub(after.len())).0;
            if after.is_empty() {
                if literal.len() > best.len() {
                    (best, kind) = (literal, Key::Suffix(literal.len() as u32));
                }
            } else if literal.len() > best.len() {
                let cut_off = literal.len().saturating_sub(INNER);
                best = literal.get(cut_off..).unwrap_or(literal);
                kind = Key::Inner(best.len() as u32);
            }
            open = after;
        } else {
            open = tail;
        }
    }
    match kind {
        Key::Inner(_) => (kind, inner_hash(window(best), best.len() as u32, seed)),
        Key::Suffix(_) => (kind, suffix_hash(best, seed)),
        _ if best.is_empty() => (Key::Bare, bare_hash(seed)),
        _ => (kind, prefix_hash(best, seed)),
    }
}

/// Hash of a component without wildcards.
#[inline]
pub(crate) fn whole_hash(text: &[u8], seed: u64) -> u32 {
    hash::fold(hash::Key::new(seed).bytes(1, text))
}

/// Hash of a beginning.
#[inline]
pub(crate) fn prefix_hash(text: &[u8], seed: u64) -> u32 {
    hash::fold(hash::Key::new(seed).bytes(2, text))
}

/// Hash of an end.
#[inline]
pub(crate) fn suffix_hash(text: &[u8], seed: u64) -> u32 {
    hash::fold(hash::Key::new(seed).bytes(3, text))
}

/// Hash of `len` bytes inside, 8 at most, as a number.
#[inline(always)]
pub(crate) fn inner_hash(window: u64, len: u32, seed: u64) -> u32 {
    hash::fold(hash::word(seed, 4 ^ (len as u64).wrapping_shl(8), window))
}

/// Where components without literal parts are.
pub(crate) fn bare_hash(seed: u64) -> u32 {
    hash::fold(hash::word(seed, 5, 0))
}

/// Up to 8 bytes as a number.
fn window(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |window, byte| (window << 8) | u64::from(*byte))
}

impl Shape {
    fn of(text: &[u8]) -> Shape {
        let rest = pattern::skip_units(text);
        if rest == br"\*" {
            return match text.len().saturating_sub(rest.len()) {
                0 => Shape::All,
                prefix => Shape::Run { prefix: prefix as u32, suffix: 0, class: Class::Any, least: 0 },
            };
        }
        let Some((element, tail)) = crate::name::next_element(rest) else {
            return Shape::General;
        };
        let behind = pattern::skip_units(tail);
        if element == Element::Many(Class::Any) && rest.len() == text.len() && behind == br"\*" {
            return Shape::Inside(tail.len().saturating_sub(behind.len()) as u32);
        }
        let (class, least) = match element {
            Element::Many(class) => (class, 0),
            Element::Some(class) => (class, 1),
            _ => return Shape::General,
        };
        if !behind.is_empty() {
            return Shape::General;
        }
        let prefix = text.len().saturating_sub(rest.len()) as u32;
        Shape::Run { prefix, suffix: tail.len() as u32, class, least }
    }
}
