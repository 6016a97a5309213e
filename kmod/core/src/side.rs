// SPDX-License-Identifier: MIT OR Apache-2.0
//! One side of a component: what is before, between or behind its `\-`.
//!
//! [`follow`] decides, with a set of positions; what is common has a shorter way to the same answer: one wildcard that runs, a
//! literal part between two `\*`, and wildcards only.

use crate::name::{next_element, Class, Element, Kind};
use crate::pattern::{cut, elements, skip_units, units};

/// Whether all of a component is consumed by all of a pattern without `\-` and groups.
#[inline]
pub(crate) fn side_matches(name: &[u8], pattern: &[u8]) -> bool {
    let wild = skip_units(pattern);
    let prefix = cut(pattern, pattern.len().saturating_sub(wild.len())).0;
    match name.strip_prefix(prefix) {
        None => false,
        Some(name) if wild.is_empty() => name.is_empty(),
        Some(_) if wild == br"\*" => true,
        Some(name) => wild_matches(name, wild),
    }
}

/// The same for a pattern that begins with a wildcard.
#[inline(never)]
fn wild_matches(name: &[u8], pattern: &[u8]) -> bool {
    if let Some(answer) = simply_matches(name, pattern) {
        return answer;
    }
    // An element has a byte at least, and nearly every pattern is short.
    if let Some(answer) = wildcards_match(name, pattern) {
        return answer;
    }
    if pattern.len() < 64 {
        follow::<u64>(name, pattern)
    } else {
        follow::<Wide>(name, pattern)
    }
}

/// The answer for the commonest patterns: one wildcard that runs and a literal end, or a literal part between two `\*`.
/// `None` for all others, and where an escape in the name could be cut in the middle.
#[inline(always)]
fn simply_matches(name: &[u8], pattern: &[u8]) -> Option<bool> {
    let (element, tail) = next_element(pattern)?;
    let behind = skip_units(tail);
    let (class, least) = match element {
        Element::Many(class) => (class, 0),
        Element::Some(class) => (class, 1),
        _ => return None,
    };
    if !behind.is_empty() {
        if behind != br"\*" || element != Element::Many(Class::Any) || name.contains(&b'\\') {
            return None;
        }
        return Some(is_in(cut(tail, tail.len().saturating_sub(behind.len())).0, name));
    }
    let Some(run) = name.strip_suffix(tail) else {
        return Some(false);
    };
    if run.len() < least {
        return Some(false);
    }
    for byte in run {
        if *byte == b'\\' {
            return None;
        }
        if !class.contains(*byte) {
            return Some(false);
        }
    }
    Some(true)
}

/// The answer for a pattern that has wildcards only, as [`follow`] finds it: with a set of all elements that accept a unit,
/// for each kind of units. `None` for all others.
#[inline(never)]
fn wildcards_match(name: &[u8], pattern: &[u8]) -> Option<bool> {
    if pattern.len() >= 64 {
        return None;
    }
    // At most 31 elements, which have two bytes each.
    let mut accepts = [0_u32; Kind::COUNT];
    let (mut stays, mut skips, mut end, mut all) = (0_u32, 0_u32, 1_u32, 0_u32);
    for element in elements(pattern) {
        let class = match element {
            Element::One(class) | Element::Some(class) | Element::Many(class) => class,
            _ => return None,
        };
        for (set, unit) in accepts.iter_mut().zip(Kind::EXAMPLES) {
            if class.contains(unit) {
                *set |= end;
            }
        }
        if !matches!(element, Element::One(_)) {
            stays |= end;
        }
        if matches!(element, Element::Many(_)) {
            skips |= end;
        }
        all = if element == Element::Many(Class::Any) { end } else { 0 };
        end <<= 1;
    }
    // An addition carries a bit through all elements behind it that may match nothing.
    let skip = |reached: u32| reached | (skips.wrapping_add(reached & skips) ^ skips);
    let mut reached = skip(1);
    for unit in units(name) {
        if reached & all != 0 {
            return Some(true); // A `\*` at the end takes all that follows.
        }
        let used = reached & accepts.get(Kind::of(unit) as usize).copied().unwrap_or(0);
        if used == 0 {
            return Some(false);
        }
        reached = skip(used << 1 | used & stays);
    }
    Some(reached & end != 0)
}

/// Whether `part` stands somewhere in `text`.
pub(crate) fn is_in(part: &[u8], text: &[u8]) -> bool {
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

/// Follows all possibilities at the same time.
///
/// Position `n` means that the first `n` elements are done with. One set of positions is enough: an element leads to its
/// own position or the one behind it, so the positions change from left to right, with the old state of the next one
/// kept aside. They are counted by hand, because the addition in `enumerate()` is checked, and a failed check is a panic.
#[inline(never)]
fn follow<P: Positions>(name: &[u8], pattern: &[u8]) -> bool {
    let mut reached = P::START;
    for unit in units(name) {
        let mut at = 0_usize;
        let mut here = reached.has(0);
        // Whether the element before this one is done with, now that the unit is.
        let mut arrived = false;
        let mut any = false;
        for element in elements(pattern) {
            let behind = at.saturating_add(1);
            let mut there = reached.has(behind);
            let (mut stays, mut leaves) = (false, false);
            if here {
                match element {
                    Element::Unit(wanted) => leaves = wanted == unit,
                    Element::One(class) => leaves = class.contains(unit),
                    Element::Some(class) => {
                        leaves = class.contains(unit);
                        stays = leaves;
                    }
                    Element::Many(class) => {
                        // It may also match nothing: then this same unit is for the element behind it, which is
                        // looked at next.
                        there = true;
                        stays = class.contains(unit);
                    }
                    _ => {}
                }
            }
            if here || arrived {
                reached.set(at, arrived || stays);
                any = any || arrived || stays;
            }
            (arrived, here, at) = (leaves, there, behind);
        }
        reached.set(at, arrived);
        if !any && !arrived {
            return false;
        }
    }
    // The name has ended. From a place reached, only elements that match nothing may follow.
    let (mut complete, mut at) = (reached.has(0), 0_usize);
    for element in elements(pattern) {
        at = at.saturating_add(1);
        complete = (complete && matches!(element, Element::Many(_))) || reached.has(at);
    }
    complete
}

/// A set of positions in a pattern.
pub(crate) trait Positions {
    /// Only position 0.
    const START: Self;
    /// A position beyond the limit is not kept. There is none, because such patterns cannot be made.
    fn set(&mut self, position: usize, reached: bool);
    fn has(&self, position: usize) -> bool;
}

/// Positions 0 to [`crate::pattern::MAX_POSITIONS`].
pub(crate) type Wide = [u32; 16];

impl Positions for Wide {
    const START: Self = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    #[inline(always)]
    fn set(&mut self, position: usize, reached: bool) {
        if let Some(word) = self.get_mut(position >> 5) {
            let bit = 1_u32.wrapping_shl((position & 31) as u32);
            *word = if reached { *word | bit } else { *word & !bit };
        }
    }

    #[inline(always)]
    fn has(&self, position: usize) -> bool {
        self.get(position >> 5).is_some_and(|word| word.wrapping_shr((position & 31) as u32) & 1 == 1)
    }
}

/// Positions 0 to 63.
impl Positions for u64 {
    const START: Self = 1;

    #[inline(always)]
    fn set(&mut self, position: usize, reached: bool) {
        let bit = 1_u64.wrapping_shl(position as u32);
        *self = if reached { *self | bit } else { *self & !bit };
    }

    #[inline(always)]
    fn has(&self, position: usize) -> bool {
        self.wrapping_shr(position as u32) & 1 == 1
    }
}
