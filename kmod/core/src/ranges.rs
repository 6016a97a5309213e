// SPDX-License-Identifier: MIT OR Apache-2.0
//! A persistent set of ranges that finds all ranges which contain a value, however many others there are.
//!
//! A tree over the digits (five bits each) of where a range begins, in order; a branch stands where its ranges begin to differ
//! and knows the greatest end below it, and which of its children have ranges that end elsewhere. All that begins before a value and
//! ends behind it contains it, so a part of the tree is looked into only if there is something to find in it, apart from one way down. Ranges have a key, and only those
//! of one key are looked at.
//!
//! The form of the tree depends only on what is in it ([`crate::map`] is made the same way), so removing gives back exactly
//! what adding took. A branch that was added to may know a greatest end that is too great after memory ran out; that costs a
//! look.

use crate::link::{Link, Node, SHARED};
use crate::mem::{OutOfMemory, Vec};
use crate::radix::{Branch, Place as _, BITS};
use core::cmp::Ordering::{Equal, Greater, Less};
use core::mem::size_of;

/// Ranges that a page holds before it becomes a branch.
const PAGE: usize = 32;
/// Branches above each other that a search can follow.
const DEPTH: usize = 12;

/// A place between the values, of up to 128 bits: upper half first.
pub(crate) type Point = [u64; 2];

/// A range: key, first value, last value, what it stands for.
type Range = [u64; 6];

/// A range as it is stored.
pub(crate) const fn range(key: u64, first: Point, last: Point, value: u32) -> Range {
    [key, first[0], first[1], last[0], last[1], value as u64]
}

/// The set.
pub(crate) struct Ranges {
    top: Option<Link<Part>>,
    bytes: usize,
}

/// What stands in a place of the tree.
enum Part {
    Page(Vec<Range>),
    Fork(Fork),
}

/// A branch.
struct Fork {
    /// The digit in which its ranges differ.
    level: Level,
    /// A range with the digits before that one.
    sample: Range,
    /// No range below ends behind it.
    greatest: Point,
    /// The children with a range that does not end in the same child: a bit each.
    leaving: u32,
    children: Option<Link<Children>>,
}

type Children = Branch<Option<Link<Part>>>;

/// A digit of a range: 0 is the first one.
type Level = u32;

/// Digits of a word: the first one has four bits.
const DIGITS: u32 = 13;

/// The word of a digit, and how far it must be shifted.
fn place(level: Level) -> (usize, u32) {
    let (word, digit) = (level / DIGITS, level % DIGITS);
    (word as usize, DIGITS.wrapping_sub(1).wrapping_sub(digit).wrapping_mul(BITS))
}

fn digit(range: &Range, level: Level) -> u32 {
    let (word, shift) = place(level);
    range.get(word).map_or(0, |word| word.wrapping_shr(shift) as u32 & ((1 << BITS) - 1))
}

/// The first digit in which two ranges differ.
fn difference(this: &Range, that: &Range) -> Option<Level> {
    let word = this.iter().zip(that).position(|(this, that)| this != that)?;
    let bits = this.get(word)? ^ that.get(word)?;
    let from_the_right = 63_u32.wrapping_sub(bits.leading_zeros()) / BITS;
    Some((word as u32).wrapping_mul(DIGITS).wrapping_add(DIGITS.wrapping_sub(1)).wrapping_sub(from_the_right))
}

const fn first(range: &Range) -> Point {
    [range[1], range[2]]
}

const fn last(range: &Range) -> Point {
    [range[3], range[4]]
}

/// Bytes of a part without its ranges and children.
const PART: usize = size_of::<Part>().saturating_add(SHARED);

fn page_bytes(ranges: usize) -> usize {
    PART.saturating_add(ranges.saturating_mul(size_of::<Range>()))
}

const FORK: usize = PART.saturating_add(Children::BYTES);

impl Ranges {
    pub(crate) const fn new() -> Self {
        Ranges { top: None, bytes: 0 }
    }

    /// Bytes of memory of everything in the set.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.top.is_none()
    }

    /// Adds a range, which is not empty, whether or not it is there already.
    ///
    /// # Errors
    /// Out of memory; the set holds what it held.
    pub(crate) fn insert(&mut self, range: Range) -> Result<(), OutOfMemory> {
        let added = insert(&mut self.top, &range)?;
        self.bytes = self.bytes.saturating_add(added);
        Ok(())
    }

    /// Removes a range, if it is there.
    ///
    /// # Errors
    /// Out of memory; the set holds what it held.
    pub(crate) fn remove(&mut self, range: &Range) -> Result<(), OutOfMemory> {
        let freed = remove(&mut self.top, range)?;
        self.bytes = self.bytes.saturating_sub(freed);
        Ok(())
    }

    /// What the ranges with a key stand for that have a value from `low` to `high`. Allocates nothing.
    pub(crate) fn overlapping(&self, key: u64, low: Point, high: Point) -> Walk<'_> {
        let mut walk = Walk { key, low, high, page: &[], forks: [None; DEPTH], len: 0 };
        if let Some(top) = &self.top {
            walk.enter(top.get());
        }
        walk
    }

    /// What the ranges with a key stand for that contain a value.
    pub(crate) fn containing(&self, key: u64, value: Point) -> Walk<'_> {
        self.overlapping(key, value, value)
    }

    /// A set with the same ranges, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        let mut copy = Ranges { top: None, bytes: self.bytes };
        self.top.share_into(&mut copy.top)?;
        Ok(copy)
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        self.top.freeze();
    }
}

/// A search on its way through the tree.
pub(crate) struct Walk<'a> {
    key: u64,
    low: Point,
    high: Point,
    page: &'a [Range],
    /// The branches above, and which of their children are still to be looked into: a bit each.
    forks: [Option<(&'a Fork, u32)>; DEPTH],
    len: usize,
}

impl<'a> Walk<'a> {
    fn enter(&mut self, part: &'a Part) {
        match part {
            Part::Page(page) => self.page = page,
            Part::Fork(fork) if fork.greatest >= self.low => {
                let children = fork.children_for(self.key, self.low, self.high);
                match self.forks.get_mut(self.len) {
                    Some(place) => {
                        *place = Some((fork, children));
                        self.len = self.len.wrapping_add(1);
                    }
                    // So many digits differ only in ranges that were made for it: look at all of them.
                    None => self.len = DEPTH.wrapping_add(1),
                }
            }
            Part::Fork(_) => {}
        }
    }

    /// Whether the tree is too high, so that something may have been left out.
    pub(crate) const fn is_lost(&self) -> bool {
        self.len > DEPTH
    }
}

impl Iterator for Walk<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        loop {
            while let Some((range, rest)) = self.page.split_first() {
                self.page = rest;
                if range[0] == self.key && first(range) <= self.high && last(range) >= self.low {
                    return Some(range[5] as u32);
                }
            }
            if self.len == 0 || self.is_lost() {
                return None;
            }
            let top = self.len.wrapping_sub(1);
            match self.forks.get_mut(top) {
                Some(Some((fork, children))) if *children != 0 => {
                    let child = children.trailing_zeros();
                    *children &= children.wrapping_sub(1);
                    let fork: &Fork = fork;
                    let children = fork.children.as_ref().map(Link::get);
                    if let Some(Some(part)) = children.and_then(|children| children.at(child)) {
                        self.enter(part.get());
                    }
                }
                _ => self.len = top,
            }
        }
    }
}

impl Fork {
    /// The children that can have ranges with this key which begin at `high` or before and end at `low` or behind: a bit each.
    fn children_for(&self, key: u64, low: Point, high: Point) -> u32 {
        const ALL: u32 = u32::MAX;
        let (word, shift) = place(self.level);
        let only = |wanted: u64| 1_u32.wrapping_shl(wanted.wrapping_shr(shift) as u32 & ((1 << BITS) - 1));
        // What all ranges below have in common in this word, beside what is asked for.
        let compare = |wanted: u64| match self.sample.get(word) {
            Some(here) => above(*here, shift).cmp(&above(wanted, shift)),
            None => Less,
        };
        if word == 0 {
            return if compare(key) == Equal { only(key) } else { 0 };
        }
        if self.sample[0] != key {
            return 0;
        }
        if word < 3 {
            // A range that contains one value and begins in another child leaves that child.
            let others = if low == high { self.leaving } else { ALL };
            let (upper, wanted) =
                if word == 1 { (Equal, high[0]) } else { (self.sample[1].cmp(&high[0]), high[1]) };
            return match upper.then_with(|| compare(wanted)) {
                Less => others,
                Equal => only(wanted) | only(wanted).wrapping_sub(1) & others,
                Greater => 0,
            };
        }
        // All begin in the same place, and differ in their ends or in what they stand for.
        if first(&self.sample) > high {
            return 0;
        }
        let (upper, wanted) = match word {
            3 => (Equal, low[0]),
            4 => (self.sample[3].cmp(&low[0]), low[1]),
            _ => return if last(&self.sample) >= low { ALL } else { 0 },
        };
        match upper.then_with(|| compare(wanted)) {
            Less => 0,
            Equal => !only(wanted).wrapping_sub(1),
            Greater => ALL,
        }
    }

    /// Notes whether a range below a child leaves it.
    fn note(&mut self, range: &Range, leaves: bool) {
        let bit = 1_u32.wrapping_shl(digit(range, self.level));
        self.leaving = if leaves { self.leaving | bit } else { self.leaving & !bit };
    }
}

/// The digits in front of the one that stands there.
fn above(word: u64, shift: u32) -> u64 {
    word.checked_shr(shift.wrapping_add(BITS)).unwrap_or(0)
}

/// Whether a range that ends there leaves the child of a branch in which it begins.
fn leaves(first: Point, last: Point, level: Level) -> bool {
    let (word, shift) = place(level);
    let cut = |word: u64| word.wrapping_shr(shift);
    match word {
        1 => cut(last[0]) > cut(first[0]),
        2 => last[0] > first[0] || last[0] == first[0] && cut(last[1]) > cut(first[1]),
        _ => false,
    }
}

/// Adds a range below a place; returns the bytes that took.
fn insert(place: &mut Option<Link<Part>>, range: &Range) -> Result<usize, OutOfMemory> {
    let Some(link) = place else {
        let mut page = Vec::with_capacity(1)?;
        page.push_reserved(*range)?;
        *place = Some(Link::new(Part::Page(page))?);
        return Ok(page_bytes(1));
    };
    let level = match link.get() {
        Part::Page(page) if page.len() >= PAGE => {
            page.iter().filter_map(|old| difference(old, range)).min().map(|level| (level, true))
        }
        Part::Page(_) => None,
        Part::Fork(fork) => {
            difference(&fork.sample, range).filter(|level| *level < fork.level).map(|level| (level, false))
        }
    };
    match level {
        Some((level, true)) => split(link, range, level),
        Some((level, false)) => raise(place, range, level),
        None => match link.edit()? {
            Part::Page(page) => page.push(*range).map(|()| size_of::<Range>()),
            Part::Fork(fork) => {
                let added = insert(fork.child(digit(range, fork.level))?, range)?;
                fork.greatest = fork.greatest.max(last(range));
                if leaves(first(range), last(range), fork.level) {
                    fork.note(range, true);
                }
                Ok(added)
            }
        },
    }
}

/// Makes a page a branch that has one range more; returns the bytes that took.
#[inline(never)]
fn split(link: &mut Link<Part>, range: &Range, level: Level) -> Result<usize, OutOfMemory> {
    let Part::Page(page) = link.get() else {
        return Ok(0);
    };
    let mut fork = Fork::new(level, range)?;
    let mut bytes = FORK;
    for range in page.iter().chain([range]) {
        fork.greatest = fork.greatest.max(last(range));
        if leaves(first(range), last(range), level) {
            fork.note(range, true);
        }
        bytes = bytes.saturating_add(insert(fork.child(digit(range, level))?, range)?);
    }
    bytes = bytes.saturating_sub(page_bytes(page.len()));
    *link = Link::new(Part::Fork(fork))?;
    Ok(bytes)
}

/// Puts a branch above one whose ranges have something in common that this range has not; returns the bytes that took.
#[inline(never)]
fn raise(place: &mut Option<Link<Part>>, range: &Range, level: Level) -> Result<usize, OutOfMemory> {
    let mut fork = Fork::new(level, range)?;
    let mut bytes = FORK;
    fork.greatest = last(range);
    fork.note(range, leaves(first(range), last(range), level));
    bytes = bytes.saturating_add(insert(fork.child(digit(range, level))?, range)?);
    if let Some(Part::Fork(old)) = place.as_ref().map(Link::get) {
        fork.greatest = fork.greatest.max(old.greatest);
        fork.note(&old.sample, leaves(first(&old.sample), old.greatest, level));
        let digit = digit(&old.sample, level);
        let below = fork.child(digit)?;
        *below = place.take();
    }
    *place = Some(Link::new(Part::Fork(fork))?);
    Ok(bytes)
}

/// Removes a range below a place; returns the bytes that gave.
fn remove(place: &mut Option<Link<Part>>, range: &Range) -> Result<usize, OutOfMemory> {
    let Some(link) = place else {
        return Ok(0);
    };
    let freed = match link.edit()? {
        Part::Page(page) => {
            let Some(at) = page.iter().position(|old| old == range) else {
                return Ok(0);
            };
            page.remove(at);
            if !page.is_empty() {
                return Ok(size_of::<Range>());
            }
            *place = None;
            return Ok(page_bytes(1));
        }
        Part::Fork(fork) => {
            let child = fork.child(digit(range, fork.level))?;
            let freed = remove(child, range)?;
            if freed == 0 {
                return Ok(0); // It is not there.
            }
            let greatest = child.as_ref().map_or([0; 2], |part| part.get().greatest());
            fork.note(range, leaves(first(range), greatest, fork.level));
            if fork.greatest == last(range) {
                fork.greatest = fork.parts().map(Part::greatest).max().unwrap_or([0; 2]);
            }
            freed
        }
    };
    Ok(freed.saturating_add(join(place)?))
}

/// Makes a branch with few ranges a page again, and takes one out that has a single child; returns the bytes that gave.
#[inline(never)]
fn join(place: &mut Option<Link<Part>>) -> Result<usize, OutOfMemory> {
    let Some(Part::Fork(fork)) = place.as_mut().map(Link::edit).transpose()? else {
        return Ok(0);
    };
    let (mut ranges, mut parts, mut pages) = (0_usize, 0_usize, 0_usize);
    for part in fork.parts() {
        parts = parts.saturating_add(1);
        ranges = ranges.saturating_add(match part {
            Part::Page(page) => page.len(),
            Part::Fork(_) => PAGE.saturating_add(1), // At least.
        });
    }
    if ranges > PAGE {
        if parts > 1 {
            return Ok(0);
        }
        let only = fork.only()?;
        *place = only;
        return Ok(FORK);
    }
    let mut all = Vec::with_capacity(ranges)?;
    for part in fork.parts() {
        if let Part::Page(page) = part {
            all.extend_from_slice(page)?;
            pages = pages.saturating_add(page_bytes(page.len()));
        }
    }
    *place = if all.is_empty() { None } else { Some(Link::new(Part::Page(all))?) };
    let left = if ranges == 0 { 0 } else { page_bytes(ranges) };
    Ok(FORK.saturating_add(pages).saturating_sub(left))
}

impl Fork {
    fn new(level: Level, sample: &Range) -> Result<Self, OutOfMemory> {
        Ok(Fork { level, sample: *sample, greatest: [0; 2], leaving: 0, children: Some(new_children()?) })
    }

    /// The place of a digit, for changing.
    fn child(&mut self, digit: u32) -> Result<&mut Option<Link<Part>>, OutOfMemory> {
        // There are children, and a place for each digit.
        let children = self.children.as_mut().ok_or(OutOfMemory)?.edit()?;
        children.at_mut(digit).ok_or(OutOfMemory)
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.children.iter().flat_map(|children| children.get().iter()).flatten().map(Link::get)
    }

    /// Takes the only child out.
    fn only(&mut self) -> Result<Option<Link<Part>>, OutOfMemory> {
        let at = self.children.iter().flat_map(|children| children.get().iter()).position(Option::is_some);
        Ok(self.child(at.unwrap_or(0) as u32)?.take())
    }
}

/// Not inlined: a branch by value takes half a kilobyte of stack.
#[inline(never)]
fn new_children() -> Result<Link<Children>, OutOfMemory> {
    Link::new(Branch::EMPTY)
}

impl Part {
    fn greatest(&self) -> Point {
        match self {
            Part::Page(page) => page.iter().map(last).max().unwrap_or([0; 2]),
            Part::Fork(fork) => fork.greatest,
        }
    }
}

impl Node for Part {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(match self {
            Part::Page(page) => {
                let mut copy = Vec::with_capacity(page.len().saturating_add(1))?;
                copy.extend_from_slice(page)?;
                Part::Page(copy)
            }
            Part::Fork(fork) => {
                let mut children = None;
                fork.children.share_into(&mut children)?;
                Part::Fork(Fork { children, ..*fork })
            }
        })
    }

    fn freeze(&mut self) {
        match self {
            Part::Page(page) => page.trim(),
            Part::Fork(fork) => fork.children.freeze(),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{range, Ranges};
    use std::vec::Vec;

    /// A number that looks like chance.
    fn next(state: &mut u64) -> u64 {
        *state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        *state >> 33
    }

    #[test]
    fn all_ranges_with_a_value_are_found() {
        let mut state = 5;
        for kind in 0..6 {
            let mut set = Ranges::new();
            let mut all: Vec<[u64; 6]> = Vec::new();
            let mut sizes = Vec::new();
            for number in 0..600_u32 {
                let random = next(&mut state);
                let (key, from, to) = match kind {
                    0 => (0, [0, u64::from(number)], [0, u64::from(number)]),
                    1 => (0, [0, 1], [0, u64::from(number)]),
                    2 => (random % 3, [0, random % 100], [0, random % 100 + random % 7]),
                    3 => (u64::MAX, [random % 4, random << (random % 34)], [4, 1]),
                    4 => (random, [0, 5], [u64::MAX, u64::MAX]),
                    // Many digits that differ.
                    _ => {
                        let bit = 1_u64 << (number % 50);
                        (1, [0, bit + random % 3], [0, (bit + random % 5).max(bit + 3)])
                    }
                };
                sizes.push(set.bytes());
                let range = range(key, from, to, number % 500);
                set.insert(range).unwrap();
                all.push(range);
                if number % 50 == 0 {
                    set.freeze();
                    set = set.share().unwrap();
                }
                if number % 37 == 0 || number > 590 {
                    check(&set, &all, &mut state);
                }
            }
            while let Some(range) = all.pop() {
                set.remove(&range).unwrap();
                set.remove(&[9; 6]).unwrap();
                assert_eq!(set.bytes(), sizes.pop().unwrap(), "kind {kind}, {}", all.len());
                if all.len() % 37 == 0 {
                    set.freeze();
                    set = set.share().unwrap();
                    check(&set, &all, &mut state);
                }
            }
            assert!(set.is_empty());
        }
    }

    fn check(set: &Ranges, all: &[[u64; 6]], state: &mut u64) {
        for round in 0..60 {
            let some = all
                .get((next(state) as usize).checked_rem(all.len()).unwrap_or(0))
                .copied()
                .unwrap_or([0; 6]);
            let low = match round % 4 {
                0 => [some[1], some[2]],
                1 => [some[3], some[4]],
                2 => [some[3], some[4].wrapping_add(1)],
                _ => [0, next(state) % 120],
            };
            let high = if round % 3 == 0 { low.max([some[3], some[4]]) } else { low };
            let mut wanted: Vec<u32> = all
                .iter()
                .filter(|range| {
                    range[0] == some[0] && [range[1], range[2]] <= high && [range[3], range[4]] >= low
                })
                .map(|range| range[5] as u32)
                .collect();
            let mut walk = set.overlapping(some[0], low, high);
            let mut found: Vec<u32> = walk.by_ref().collect();
            assert!(!walk.is_lost());
            wanted.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, wanted);
        }
    }
}
