// SPDX-License-Identifier: MIT OR Apache-2.0
//! Features: what every name has that a word with wildcards matches.
//!
//! A feature says of one component behind the constant directory, counted from the front or from the end, how it begins,
//! ends, what is inside of it, or of which kinds its bytes are; literal components that follow each other are one
//! feature. A [`Spec`] says what to look at; the index keeps the specs that occur, computes the same of a name and looks the
//! hash of both up. So a feature must be there in every name that matches ([`crate::pattern::matches`]):
//!
//! * Components are counted from the front up to the first `\{`, and from the end down to the last `\}`.
//! * A last component of `\*` and `\@` alone may be missing in the name (Q1 of reference 2.5), so that there is
//!   nothing to count from; and such a component has no feature of its own.
//! * What is behind a `\-` says nothing. What is before the first one holds of the whole component, also where the first
//!   part of it belongs to the constant beginning (Q2, Q3).

use crate::hash::{self, Key};
use crate::name::{self, find_slash, next_element, Class, Element};
use crate::pattern::{self, cut, Component};
use crate::side;
use core::cmp::Reverse;

/// The longest part that is looked for inside of a component.
const INNER: usize = 8;

/// What to look at in a name.
///
/// From the lowest bit: 32 bits that depend on the kind, the kind, the place, whether it is counted from the end; so specs
/// that are sorted go through a name in its order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spec(u64);

/// Kinds of specs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing is left to look at.
    Rest,
    /// So many components from the beginning of the name, which are a directory.
    Directory,
    /// So many components that follow each other.
    Whole,
    /// The first so many bytes of a component.
    Prefix,
    /// The last so many bytes of a component.
    Suffix,
    /// So many bytes inside of a component.
    Inner,
    /// How many components there are.
    Count,
    /// Of which class a unit is: the first of a component, or one counted from its end.
    Unit,
    /// How many units of which kinds a component has ([`Shape`]).
    Shape,
}

const KINDS: [Kind; 9] = [
    Kind::Rest,
    Kind::Directory,
    Kind::Whole,
    Kind::Prefix,
    Kind::Suffix,
    Kind::Inner,
    Kind::Count,
    Kind::Unit,
    Kind::Shape,
];

/// A component counted from the front or from the end.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    from_end: bool,
    at: usize,
}

impl Spec {
    /// That of words of which nothing is left to look at; behind all others.
    pub(crate) const REST: Spec = Spec(1 << 50);

    /// That of a directory of so many components, for words that end in `/` or for others.
    pub(crate) fn directory(depth: u32, is_dir: bool) -> Spec {
        Spec(u64::from(is_dir) << 45 | (Kind::Directory as u64) << 32 | u64::from(depth))
    }

    /// `None` if it is too far away or too long.
    fn new(kind: Kind, place: Place, detail: usize) -> Option<Spec> {
        let at = u64::from(u8::try_from(place.at).ok()?);
        let detail = u64::from(u32::try_from(detail).ok()?);
        Some(Spec(u64::from(place.from_end) << 44 | at << 36 | (kind as u64) << 32 | detail))
    }

    /// The kind.
    #[inline(always)]
    pub(crate) fn kind(self) -> Kind {
        KINDS.get((self.0 >> 32 & 15) as usize).copied().unwrap_or(Kind::Rest)
    }

    /// Whether it is the directory of words that end in `/`.
    #[inline(always)]
    pub(crate) const fn is_dir(self) -> bool {
        self.0 >> 45 & 1 == 1
    }

    /// What depends on the kind.
    #[inline(always)]
    pub(crate) const fn detail(self) -> usize {
        (self.0 & 0xFFFF_FFFF) as usize
    }

    #[inline(always)]
    const fn place(self) -> Place {
        Place { from_end: self.0 >> 44 & 1 == 1, at: (self.0 >> 36 & 0xFF) as usize }
    }

    /// The hash of a feature of this spec.
    #[inline]
    pub(crate) fn hash(self, key: &Key, bytes: &[u8]) -> u32 {
        match self.kind() {
            Kind::Inner => self.window_hash(key, window(bytes)),
            // Nobody who chooses names chooses these.
            Kind::Count | Kind::Unit | Kind::Shape | Kind::Rest => hash::spread(self.0),
            _ => hash::fold(key.bytes(self.0, bytes)),
        }
    }

    /// The hash of bytes inside of a component, as a number.
    #[inline(always)]
    pub(crate) fn window_hash(self, key: &Key, window: u64) -> u32 {
        hash::fold(key.word(self.0, window))
    }
}

/// A feature of a word.
#[derive(Clone, Copy)]
pub(crate) struct Feature<'a> {
    /// What to look at.
    pub(crate) spec: Spec,
    /// What is found there.
    pub(crate) bytes: &'a [u8],
}

impl Feature<'_> {
    /// A word goes by the greatest first: by whole components, of which there are few specs; by what else costs one
    /// look-up; by what has to be searched for in a component; and by what is not literal only then. The longer one first.
    fn order(&self) -> (u8, usize, Reverse<Spec>) {
        let rank = match self.spec.kind() {
            Kind::Rest | Kind::Unit | Kind::Shape => 0,
            Kind::Count => 1,
            Kind::Inner => 2,
            Kind::Prefix | Kind::Suffix => 3,
            Kind::Directory | Kind::Whole => 4,
        };
        (rank, self.bytes.len(), Reverse(self.spec))
    }
}

/// The `number`-th feature of what is behind the constant directory of a word, from 1 on; none if there are not so many.
pub(crate) fn nth(rest: &[u8], number: u32) -> Option<Feature<'_>> {
    let mut last: Option<Feature<'_>> = None;
    for _ in 0..number {
        let mut best: Option<Feature<'_>> = None;
        each(rest, &mut |feature| {
            let order = feature.order();
            if last.map_or(true, |last| order < last.order())
                && best.map_or(true, |best| best.order() < order)
            {
                best = Some(feature);
            }
        });
        last = Some(best?);
    }
    last
}

/// All features of what is behind the constant directory of a word.
fn each<'a>(rest: &'a [u8], visit: &mut dyn FnMut(Feature<'a>)) {
    let (mut count, mut first_group, mut last_group, mut open) = (0_usize, usize::MAX, None, false);
    let mut all = rest;
    while !all.is_empty() {
        let this = Component::first(all);
        if this.group().is_some() {
            first_group = first_group.min(count);
            last_group = Some(count);
        }
        open = count > 0 && !this.has_slash && pattern::matches_nothing(this.text);
        count = count.wrapping_add(1);
        all = this.rest;
    }
    // The place of the components from `first` to `last`, of which none is a group.
    let place = |first: usize, last: usize| {
        if first < first_group {
            return Some(Place { from_end: false, at: first });
        }
        let is_behind = last_group.is_some_and(|group| group < first);
        let at = count.wrapping_sub(1).wrapping_sub(last);
        Some(Place { from_end: true, at }).filter(|_| is_behind && !open)
    };
    let mut add = |kind, place, detail, bytes| {
        if let Some(spec) = Spec::new(kind, place, detail) {
            visit(Feature { spec, bytes });
        }
    };
    if last_group.is_none() && !open {
        add(Kind::Count, Place { from_end: false, at: 0 }, count, &[]);
    }
    let (mut all, mut at) = (rest, 0_usize);
    while !all.is_empty() {
        let this = Component::first(all);
        if this.group().is_some() {
            (all, at) = (this.rest, at.wrapping_add(1));
            continue;
        }
        // Components without wildcards that follow each other.
        let (mut behind, mut len, mut run) = (this, 0_usize, 0_usize);
        let mut after = all;
        while pattern::skip_units(behind.text).is_empty() {
            let start = all.len().wrapping_sub(after.len());
            (len, run) = (start.wrapping_add(behind.text.len()), run.wrapping_add(1));
            after = behind.rest;
            if after.is_empty() {
                break;
            }
            behind = Component::first(after);
        }
        if run > 0 {
            let behind = at.wrapping_add(run);
            if let Some(place) = place(at, behind.wrapping_sub(1)) {
                add(Kind::Whole, place, run, cut(all, len).0);
            }
            (all, at) = (after, behind);
            continue;
        }
        if let Some(place) = place(at, at).filter(|_| !(open && behind.rest.is_empty())) {
            of_component(pattern::split_minus(behind.text).0, &mut |kind, detail, bytes| {
                add(kind, place, detail, bytes);
            });
        }
        (all, at) = (behind.rest, at.wrapping_add(1));
    }
}

/// The features of a component with wildcards, without what is subtracted.
fn of_component<'a>(text: &'a [u8], add: &mut dyn FnMut(Kind, usize, &'a [u8])) {
    let mut open = pattern::skip_units(text);
    let prefix = cut(text, text.len().saturating_sub(open.len())).0;
    let (mut suffix, mut inner) = (&[][..], &[][..]);
    while let Some((element, tail)) = next_element(open) {
        if !matches!(element, Element::Unit(_)) {
            open = tail;
            continue;
        }
        let after = pattern::skip_units(open);
        let literal = cut(open, open.len().saturating_sub(after.len())).0;
        if after.is_empty() {
            suffix = literal;
        } else if literal.len() > inner.len() {
            inner = literal;
        }
        open = after;
    }
    for (kind, bytes) in [(Kind::Prefix, prefix), (Kind::Suffix, suffix)] {
        if !bytes.is_empty() {
            add(kind, bytes.len(), bytes);
        }
    }
    if !inner.is_empty() {
        let inner = inner.get(inner.len().saturating_sub(INNER)..).unwrap_or(inner);
        add(Kind::Inner, inner.len(), inner);
    }
    if prefix.is_empty() && suffix.is_empty() && inner.is_empty() {
        of_wildcards(text, add);
    }
}

/// The features of a component that has wildcards only.
fn of_wildcards<'a>(text: &'a [u8], add: &mut dyn FnMut(Kind, usize, &'a [u8])) {
    if let Some(Element::One(class) | Element::Some(class)) = pattern::elements(text).next() {
        if class != Class::Any {
            add(Kind::Unit, class as usize, &[]);
        }
    }
    // The classes of the last units, the last one lowest.
    let (mut classes, mut known) = (0_usize, 0_u32);
    for element in pattern::elements(text) {
        let (class, is_run) = match element {
            Element::One(class) => (class, false),
            Element::Some(class) => (class, true),
            // Nobody knows what is before.
            _ => {
                (classes, known) = (0, 0);
                continue;
            }
        };
        classes = (classes << 3 | class as usize) & 0xFF_FFFF;
        known = if is_run { 1 } else { known.saturating_add(1) };
    }
    for at in 0..known.min(LAST as u32) {
        let class = classes.wrapping_shr(at.wrapping_mul(3)) & 7;
        if class != Class::Any as usize || at == 0 {
            add(Kind::Unit, class | (at as usize).wrapping_add(1) << 3, &[]);
        }
    }
    let shape = Shape::of_pattern(text);
    if shape != Shape::ANYTHING {
        add(Kind::Shape, shape.0 as usize, &[]);
    }
}

/// Up to 8 bytes as a number.
#[inline]
fn window(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |window, byte| (window << 8) | u64::from(*byte))
}

/// Kinds of units, a bit each.
type Kinds = u32;
const DOT: Kinds = 1;
const DIGIT: Kinds = 2;
const HEX: Kinds = 4;
const LETTER: Kinds = 8;
const ALL: Kinds = 31;

fn kinds_of(class: Class) -> Kinds {
    match class {
        Class::Any => ALL,
        Class::AnyButDot => ALL ^ DOT,
        Class::Digit => DIGIT,
        Class::Hex => DIGIT | HEX,
        Class::Letter => HEX | LETTER,
    }
}

/// The class that a number stands for.
const CLASSES: [Class; 5] = [Class::Any, Class::AnyButDot, Class::Digit, Class::Hex, Class::Letter];

/// What a component that has wildcards only asks of a name.
///
/// From the lowest bit: how many units at least and how many wildcards that are one unit (6 bits each), the kinds of the
/// first unit, of those that any number may follow, and of all (5 bits each), whether there must be a digit and a letter.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape(u32);

/// The greatest number of units that a shape tells.
const MANY: u32 = 63;

impl Shape {
    const ANYTHING: Shape = Shape(ALL << 12 | ALL << 17 | ALL << 22);

    fn of_pattern(text: &[u8]) -> Shape {
        let (mut least, mut ones, mut runs, mut all) = (0_u32, 0_u32, 0, 0);
        let (mut first, mut digit, mut letter) = (None, false, false);
        for element in pattern::elements(text) {
            let (class, one, run) = match element {
                Element::One(class) => (class, 1, 0),
                Element::Some(class) => (class, 1, kinds_of(class)),
                Element::Many(class) => (class, 0, kinds_of(class)),
                _ => continue,
            };
            let kinds = kinds_of(class);
            (all, runs) = (all | kinds, runs | run);
            least = least.saturating_add(one);
            if run == 0 {
                ones = ones.saturating_add(1);
            }
            let is_there = one == 1;
            first = first.or(Some(if is_there { kinds } else { ALL }));
            digit |= is_there && class == Class::Digit;
            letter |= is_there && class == Class::Letter;
        }
        if ones > MANY {
            (ones, runs) = (MANY, ALL);
        }
        let needs = u32::from(digit) << 27 | u32::from(letter) << 28;
        Shape(least.min(MANY) | ones << 6 | first.unwrap_or(ALL) << 12 | runs << 17 | all << 22 | needs)
    }

    #[inline]
    fn fits(self, seen: &Seen) -> bool {
        let (least, ones, kinds) = (self.0 & MANY, self.0 >> 6 & MANY, self.0 >> 12);
        let needs = |bit: u32, kinds: Kinds| self.0.wrapping_shr(bit) & 1 == 0 || seen.all & kinds != 0;
        seen.units >= least
            && kinds & seen.first == seen.first
            && kinds >> 10 & seen.all == seen.all
            && needs(27, DIGIT)
            && needs(28, HEX | LETTER)
            && seen.units <= ones.saturating_add(seen.count(kinds >> 5 & ALL))
    }
}

/// Units at the end of a component that are looked at.
const LAST: usize = 8;

/// The same of a component of a name.
#[derive(Clone, Copy)]
struct Seen {
    units: u32,
    first: Kinds,
    all: Kinds,
    /// How many there are of each kind.
    counts: [u32; name::Kind::COUNT],
    /// The kinds of the last units, the last one lowest; none where there are no more.
    last: u64,
}

impl Seen {
    #[inline(never)]
    fn of_name(text: &[u8]) -> Seen {
        let mut seen = Seen { units: 0, first: 0, all: 0, counts: [0; name::Kind::COUNT], last: 0 };
        for unit in pattern::units(text) {
            let kind = name::Kind::of(unit) as u32;
            seen.last = seen.last << 8 | 1_u64.wrapping_shl(kind);
            if let Some(count) = seen.counts.get_mut(kind as usize) {
                *count = count.wrapping_add(1);
            }
        }
        for (kind, count) in (0..).zip(seen.counts) {
            seen.units = seen.units.wrapping_add(count);
            seen.all |= u32::from(count > 0).wrapping_shl(kind);
        }
        seen.first =
            pattern::units(text).next().map_or(0, |unit| 1_u32.wrapping_shl(name::Kind::of(unit) as u32));
        seen
    }

    /// How many units are of some kinds.
    #[inline]
    fn count(&self, kinds: Kinds) -> u32 {
        let of = |(bit, count): (u32, &u32)| (kinds.wrapping_shr(bit) & 1).wrapping_mul(*count);
        (0..).zip(&self.counts).map(of).fold(0, u32::wrapping_add)
    }

    /// Whether a unit is of a class, as [`Kind::Unit`] says it.
    #[inline]
    fn has_unit(&self, detail: usize) -> bool {
        let kind = match (detail >> 3).checked_sub(1) {
            Some(at) => self.last.wrapping_shr((at as u32).wrapping_mul(8)) as u32 & ALL,
            None => self.first,
        };
        kind != 0 && CLASSES.get(detail & 7).is_some_and(|class| kinds_of(*class) & kind != 0)
    }
}

/// What is behind a directory in a name, and what was found out about it last.
pub(crate) struct Subject<'a> {
    /// Without a `/` at the end.
    rest: &'a [u8],
    /// A component and where it begins; one from the end and where it ends.
    front: (usize, usize),
    back: (usize, usize),
    seen: Option<(Place, Seen)>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        let rest = rest.strip_suffix(b"/").unwrap_or(rest);
        Subject { rest, front: (0, 0), back: (0, rest.len()), seen: None }
    }

    /// Where a component begins.
    #[inline]
    fn start(&mut self, at: usize) -> Option<usize> {
        let (mut here, mut start) = if self.front.0 <= at { self.front } else { (0, 0) };
        while here < at {
            let slash = find_slash(self.rest.get(start..)?)?;
            (here, start) = (here.wrapping_add(1), start.wrapping_add(slash).wrapping_add(1));
        }
        self.front = (here, start);
        Some(start)
    }

    /// Where a component that is counted from the end ends.
    #[inline]
    fn end(&mut self, at: usize) -> Option<usize> {
        let (mut here, mut end) = if self.back.0 <= at { self.back } else { (0, self.rest.len()) };
        while here < at {
            end = self.rest.get(..end)?.iter().rposition(|byte| *byte == b'/')?;
            here = here.wrapping_add(1);
        }
        self.back = (here, end);
        Some(end)
    }

    /// So many components that follow each other: the first of them, or the last one if it is counted from the end, in a
    /// place.
    #[inline]
    fn components(&mut self, place: Place, count: usize) -> Option<&'a [u8]> {
        let rest = self.rest;
        if place.from_end {
            let end = self.end(place.at)?;
            let mut start = end.wrapping_add(1);
            for _ in 0..count {
                // Behind a slash that is not there begins nothing.
                let before = rest.get(..start.checked_sub(1)?)?;
                start =
                    before.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash.wrapping_add(1));
            }
            return rest.get(start..end);
        }
        let start = self.start(place.at)?;
        let mut behind = start;
        for _ in 0..count {
            let here = rest.get(behind..)?;
            let len = find_slash(here).unwrap_or(here.len());
            behind = behind.wrapping_add(len).wrapping_add(1);
        }
        rest.get(start..behind.wrapping_sub(1))
    }

    /// The component that a spec looks at.
    #[inline]
    pub(crate) fn component(&mut self, spec: Spec) -> Option<&'a [u8]> {
        self.components(spec.place(), 1)
    }

    /// The hash of what a spec looks at, if that is there; not for [`Kind::Inner`].
    #[inline]
    pub(crate) fn hash(&mut self, spec: Spec, key: &Key) -> Option<u32> {
        let detail = spec.detail();
        let bytes = match spec.kind() {
            Kind::Whole => self.components(spec.place(), detail)?,
            Kind::Prefix => self.component(spec)?.get(..detail)?,
            Kind::Suffix => {
                let text = self.component(spec)?;
                text.get(text.len().checked_sub(detail)?..)?
            }
            Kind::Shape | Kind::Unit if !self.fits(spec) => return None,
            Kind::Count if !self.has_count(detail) => return None,
            _ => &[],
        };
        Some(spec.hash(key, bytes))
    }

    fn fits(&mut self, spec: Spec) -> bool {
        let place = spec.place();
        if !matches!(&self.seen, Some((last, _)) if *last == place) {
            self.seen = self.component(spec).map(|text| (place, Seen::of_name(text)));
        }
        let Some((_, seen)) = &self.seen else {
            return false;
        };
        match spec.kind() {
            Kind::Unit => seen.has_unit(spec.detail()),
            _ => Shape(spec.detail() as u32).fits(seen),
        }
    }

    /// Whether there are so many components.
    fn has_count(&mut self, count: usize) -> bool {
        let last = count.checked_sub(1).and_then(|last| self.start(last));
        last.is_some_and(|last| find_slash(self.rest.get(last..).unwrap_or(&[])).is_none())
    }
}

/// The next place at or behind `from` where a part of `text` of the length of a spec has a hash that `is_known`, and
/// which is not that of a place before: the hash and the place.
#[inline]
pub(crate) fn next_inner(
    text: &[u8],
    spec: Spec,
    from: usize,
    key: &Key,
    is_known: &dyn Fn(u32) -> bool,
) -> Option<(u32, usize)> {
    let len = spec.detail();
    let mask = u64::MAX.wrapping_shr(64_u32.wrapping_sub((len as u32).wrapping_mul(8)));
    let end = from.wrapping_add(len.wrapping_sub(1));
    let mut window = window(text.get(from..end)?);
    for (place, byte) in text.iter().enumerate().skip(end) {
        let before = window;
        window = (window << 8 | u64::from(*byte)) & mask;
        let start = place.wrapping_sub(len.wrapping_sub(1));
        if start > from && window == before {
            continue; // Of a run of one byte all are the same.
        }
        let hash = spec.window_hash(key, window);
        if is_known(hash) {
            let (part, earlier) = (text.get(start..=place)?, text.get(..place)?);
            if !side::is_in(part, earlier) {
                return Some((hash, start));
            }
        }
    }
    None
}
