// SPDX-License-Identifier: MIT OR Apache-2.0
//! The matcher of reference 2.2 to 2.4, as it stands there: recursive, with backtracking, on the bytes of the word.
//!
//! One thing is added that the text does not have: a question that was answered with no is not asked again, because
//! otherwise each wildcard multiplies the time. It changes no answer.

use crate::mem::Vec;
use crate::name::Name;

/// Reference 2.2, `match(name, pat)`: whether a name matches a word.
///
/// The word must be valid (reference 1.3). The recursion is as deep as the word has elements in one component, or
/// groups; words of a policy have no more than [`crate::pattern::MAX_POSITIONS`] of them.
pub fn matches(name: Name<'_>, word: &[u8]) -> bool {
    let name = name.as_bytes();
    let (constant, wild) = constant_part(word);
    let is_patterned = constant.len() < word.len();
    if !is_patterned {
        return name == word;
    }
    if is_dir(name) != is_dir(word) {
        return false;
    }
    match name.strip_prefix(constant) {
        None => false,
        Some(f) => rest(f, wild, constant.last().copied(), &mut Asked::new(f, wild)),
    }
}

/// Reference 2.2: whether a name or a word is that of a directory.
fn is_dir(word: &[u8]) -> bool {
    word.last() == Some(&b'/')
}

/// Reference 2.2: the word up to its first wildcard, which has *const_len* bytes, and from there on.
pub(super) fn constant_part(word: &[u8]) -> (&[u8], &[u8]) {
    let mut wild = word;
    while let Some((element, behind)) = first_element(wild) {
        if !is_unit(element) {
            break;
        }
        wild = behind;
    }
    (word.strip_suffix(wild).unwrap_or(word), wild)
}

/// Reference 2.2, `rest(f, p)`. `before` is the byte before `p`.
fn rest(f: &[u8], p: &[u8], before: Option<u8>, asked: &mut Asked) -> bool {
    let (mut f, mut p, mut before) = (f, p, before);
    while !f.is_empty() && !p.is_empty() {
        let (fc, behind_fc) = cut_slash(f);
        let (pc, behind_pc) = cut_slash(p);
        if p.starts_with(br"\{") {
            return repeat(f, p, before, asked);
        }
        if !component(fc, pc) {
            return false;
        }
        f = behind_fc.unwrap_or(&[]);
        p = behind_pc.unwrap_or(&[]);
        before = Some(b'/');
    }
    while let Some(behind) = p.strip_prefix(br"\*").or_else(|| p.strip_prefix(br"\@")) {
        p = behind;
    }
    f.is_empty() && p.is_empty()
}

/// Reference 2.3, `component(fc, pc)`: the left side matches, and none of the others.
fn component(fc: &[u8], pc: &[u8]) -> bool {
    let (first, mut others) = cut_minus(pc);
    if !one(fc, first, &mut Asked::new(fc, first)) {
        return false;
    }
    while let Some(sides) = others {
        let (side, more) = cut_minus(sides);
        if one(fc, side, &mut Asked::new(fc, side)) {
            return false;
        }
        others = more;
    }
    true
}

/// Reference 2.3, `one(x, y)`, with the elements of 2.1.
fn one(x: &[u8], y: &[u8], asked: &mut Asked) -> bool {
    if !asked.is_new(x, y) {
        return false;
    }
    let Some((element, y)) = first_element(y) else {
        return x.is_empty();
    };
    match element {
        br"\*" => some(x, y, |unit| unit != b"/", true, asked),
        br"\@" => some(x, y, |unit| unit != b"/" && unit != b".", true, asked),
        br"\$" => some(x, y, is_digit, false, asked),
        br"\X" => some(x, y, is_hex_digit, false, asked),
        br"\A" => some(x, y, is_letter, false, asked),
        br"\?" => exactly_one(x, y, |unit| unit != b"/", asked),
        br"\+" => exactly_one(x, y, is_digit, asked),
        br"\x" => exactly_one(x, y, is_hex_digit, asked),
        br"\a" => exactly_one(x, y, is_letter, asked),
        unit => match x.strip_prefix(unit) {
            Some(x) => one(x, y, asked),
            None => false,
        },
    }
}

/// Reference 2.1: one unit of a kind, then `y`.
fn exactly_one(x: &[u8], y: &[u8], kind: fn(&[u8]) -> bool, asked: &mut Asked) -> bool {
    match first_element(x) {
        Some((unit, x)) => kind(unit) && one(x, y, asked),
        None => false,
    }
}

/// Reference 2.1: units of a kind, any number that makes the whole match, then `y`. None at all only if `or_none`.
fn some(x: &[u8], y: &[u8], kind: fn(&[u8]) -> bool, or_none: bool, asked: &mut Asked) -> bool {
    if or_none && one(x, y, asked) {
        return true;
    }
    let mut x = x;
    while let Some((unit, behind)) = first_element(x) {
        if !kind(unit) {
            return false;
        }
        if one(behind, y, asked) {
            return true;
        }
        x = behind;
    }
    false
}

/// Reference 2.4, `repeat(f, p)`. `before` is the byte before `p`.
fn repeat(f: &[u8], p: &[u8], before: Option<u8>, asked: &mut Asked) -> bool {
    let (group, Some(tail)) = cut_slash(p) else {
        return false;
    };
    let Some(comp) = group.strip_prefix(br"\{").and_then(|group| group.strip_suffix(br"\}")) else {
        return false;
    };
    if before != Some(b'/') {
        return false;
    }
    let mut f = f;
    loop {
        let (fc, behind) = cut_slash(f);
        if !component(fc, comp) {
            return false;
        }
        let Some(behind) = behind else {
            return false;
        };
        f = behind;
        if asked.is_new(f, tail) && rest(f, tail, Some(b'/'), asked) {
            return true;
        }
        if !f.contains(&b'/') {
            return false;
        }
    }
}

/// Reference 2.1: the bytes of the first element, and what is behind it. An element is a unit or a wildcard: four bytes
/// if it is `\ooo`, two bytes if it begins with `\` otherwise, else one byte.
fn first_element(word: &[u8]) -> Option<(&[u8], &[u8])> {
    let bytes = match word {
        [] => return None,
        [b'\\', b'0'..=b'3', b'0'..=b'7', b'0'..=b'7', ..] => 4,
        [b'\\', _, ..] => 2,
        _ => 1,
    };
    Some((word.get(..bytes)?, word.get(bytes..)?))
}

/// Reference 2.1: whether an element is a unit, and no wildcard.
fn is_unit(element: &[u8]) -> bool {
    match element {
        [b'\\', letter] => *letter == b'\\',
        _ => true,
    }
}

fn is_digit(unit: &[u8]) -> bool {
    matches!(unit, [b'0'..=b'9'])
}

fn is_hex_digit(unit: &[u8]) -> bool {
    matches!(unit, [b'0'..=b'9' | b'A'..=b'F' | b'a'..=b'f'])
}

fn is_letter(unit: &[u8]) -> bool {
    matches!(unit, [b'A'..=b'Z' | b'a'..=b'z'])
}

/// Up to the next `/`, and what is behind it; all, if there is none.
fn cut_slash(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = path.splitn(2, |byte| *byte == b'/');
    (parts.next().unwrap_or(path), parts.next())
}

/// Reference 2.3: up to the next `\-`, and what is behind it; all, if there is none.
fn cut_minus(pc: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut left = pc;
    while let Some((element, behind)) = first_element(left) {
        if element == br"\-" {
            return (pc.strip_suffix(left).unwrap_or(pc), Some(behind));
        }
        left = behind;
    }
    (pc, None)
}

/// The questions that were asked about one pair of strings: how much is left of both sides. Who asks again gets the
/// answer no, since a yes would have been the end.
struct Asked {
    /// Empty until the first question.
    questions: Vec<bool>,
    number: usize,
    width: usize,
}

impl Asked {
    /// Above this number of questions, or without memory, nothing is remembered. That costs time only.
    const MOST: usize = 1 << 24;

    fn new(x: &[u8], y: &[u8]) -> Asked {
        let width = y.len().saturating_add(1);
        Asked { questions: Vec::new(), number: x.len().saturating_add(1).saturating_mul(width), width }
    }

    /// Whether this is asked for the first time.
    fn is_new(&mut self, x: &[u8], y: &[u8]) -> bool {
        while self.number <= Asked::MOST && self.questions.len() < self.number {
            if self.questions.extend_from_slice(&[false; 64]).is_err() {
                self.number = usize::MAX;
            }
        }
        let place = x.len().saturating_mul(self.width).saturating_add(y.len());
        match self.questions.get_mut(place) {
            Some(asked) => !core::mem::replace(asked, true),
            None => true,
        }
    }
}
