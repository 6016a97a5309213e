// SPDX-License-Identifier: MIT OR Apache-2.0
//! What tells entries with one path apart: how a request finds the right ones among thousands of them ([`crate::crowd`]).
//!
//! An entry shows some values of its own: its numbers, its second path, and what its condition wants of the task or of the
//! program's name. Those that stand for one value each, and which they are (the shape), make a key. One of them may be a
//! range: of addresses, numbers or ids. A request makes the same key of its own values, for each shape that there is, and
//! looks for the ranges of that key that contain its value ([`crate::ranges`]). What is found is asked in full, so a
//! lane may hold entries that do not match, but must not leave out one that does.
//!
//! Not told apart are entries that differ only in something else: in patterns, groups (but that of `task.uid`), a second range,
//! or what a condition says of files or of arguments behind the first.

use crate::address::Address;
use crate::args::{numbers, AddressArg, Args, NumberArg, PathArg, SILENT};
use crate::condition::{Condition, Keyword, Subject, TaskField, Test, Value, Wanted};
use crate::facts::{beginning, Facts};
use crate::group::GroupId;
use crate::hash::Key;
use crate::pattern;
use crate::policy::Policy;
use crate::ranges::{Point, Ranges, Walk};
use crate::request::{Class, Request};

/// Which values make the key: the class in four bits, a bit for each number, and so on.
pub(crate) type Shape = u32;

const CLASS: u32 = 15;
const FIRST_NUMBER: u32 = 4;
/// The second path, the type of a mount, the domain of a signal.
const SECOND: Shape = 1 << 7;
/// Three bits that say what the range is.
const RANGE: u32 = 8;
const OF_ADDRESS: u32 = 4;
const OF_FIELD: u32 = 5;
const OF_DEVICE: u32 = 6;
/// Fourteen bits, one a field of the task.
const FIRST_FIELD: u32 = 11;
const FIELDS: u32 = (1 << 14) - 1;
/// `task.uid=@GROUP`
const UID_GROUP: Shape = 1 << 25;
const REALPATH: Shape = 1 << 26;
const ARGV0: Shape = 1 << 27;
/// Four bits: the field whose range it is.
const RANGE_FIELD: u32 = 28;

/// Where an entry is.
pub(crate) struct Lane {
    pub(crate) shape: Shape,
    pub(crate) key: u64,
    pub(crate) first: Point,
    pub(crate) last: Point,
}

fn is_plain(word: &[u8]) -> bool {
    pattern::skip_units(word).is_empty()
}

impl Lane {
    /// The lane of an entry.
    pub(crate) fn new(
        class: Class,
        args: &Args<'_, GroupId>,
        condition: Option<&Condition>,
        hash: &Key,
    ) -> Lane {
        let mut lane = Lane { shape: class as u32, key: 0, first: [0; 2], last: [0; 2] };
        if let Args::Network(AddressArg::Range(range), _) = args {
            if range.min != range.max {
                let (family, first) = range.min.point();
                lane.add(hash, family);
                lane.set_range(OF_ADDRESS, first, range.max.point().1);
            }
        }
        for (place, number) in (0..).zip(numbers(args)) {
            match number {
                Some(NumberArg::Range(range)) if range.min.value == range.max.value => {
                    lane.shape |= 1_u32.wrapping_shl(FIRST_NUMBER.wrapping_add(place));
                    lane.add(hash, range.min.value);
                }
                Some(NumberArg::Range(range)) => {
                    lane.set_range(place.wrapping_add(1), [0, range.min.value], [0, range.max.value]);
                }
                _ => {}
            }
        }
        if let Some(condition) = condition {
            lane.add_condition(hash, condition);
        }
        let second = match args {
            Args::Path2(_, PathArg::Word(second)) => Some(*second),
            Args::Mount { kind: PathArg::Word(kind), .. } => Some(*kind),
            _ => None,
        };
        if let Args::Signal(_, domain) = args {
            lane.shape |= SECOND;
            lane.key = hash.bytes(lane.key, domain);
        } else if let Some(second) = second.filter(|second| is_plain(second)) {
            lane.shape |= SECOND;
            lane.key = hash.bytes(lane.key, second);
        }
        match args {
            Args::Mount { device: PathArg::Word(device), .. } if is_plain(device) => {
                let point = device_point(hash, device);
                lane.set_range(OF_DEVICE, point, point);
            }
            _ => {}
        }
        if let Some(group) = condition.and_then(Condition::uid_group) {
            lane.shape |= UID_GROUP;
            lane.add(hash, group.0.into());
        }
        lane
    }

    fn add(&mut self, hash: &Key, value: u64) {
        self.key = hash.word(self.key, value);
    }

    /// Only the first range counts.
    fn set_range(&mut self, of: u32, first: Point, last: Point) {
        if self.shape.wrapping_shr(RANGE) & 7 == 0 {
            self.shape |= of.wrapping_shl(RANGE);
            (self.first, self.last) = (first, last);
        }
    }

    #[inline(never)]
    fn add_condition(&mut self, hash: &Key, condition: &Condition) {
        let fields = |test: &Test| match test {
            Test::Value {
                left: Value::Keyword(Keyword::Task(field)),
                negated: false,
                right: Value::Number(number),
            } => Some((*field, number.value)),
            _ => None,
        };
        for field in TaskField::ALL {
            if let Some((_, value)) = condition.tests().filter_map(fields).find(|(of, _)| *of == field) {
                self.shape |= 1_u32.wrapping_shl(FIRST_FIELD.wrapping_add(field as u32));
                self.add(hash, value);
            }
        }
        for test in condition.tests() {
            match test {
                Test::Value {
                    left: Value::Keyword(Keyword::Task(field)),
                    negated: false,
                    right: Value::Range(range),
                } if self.shape.wrapping_shr(RANGE) & 7 == 0 => {
                    self.shape |= (*field as u32).wrapping_shl(RANGE_FIELD);
                    self.set_range(OF_FIELD, [0, range.min.value], [0, range.max.value]);
                }
                _ => {}
            }
        }
        let realpath = condition.tests().find_map(|test| match test {
            Test::Name { subject: Subject::Realpath, negated: false, wanted: Wanted::Word(word) } => {
                Some(word)
            }
            _ => None,
        });
        if let Some(word) = realpath.filter(|word| is_plain(word.as_bytes())) {
            self.shape |= REALPATH;
            self.key = hash.bytes(self.key, word.as_bytes());
        }
        let argument = condition.tests().find_map(|test| match test {
            Test::Argument { index: 0, negated: false, wanted } => Some(wanted),
            _ => None,
        });
        if let Some(word) = argument.filter(|word| is_plain(word.as_bytes())) {
            self.shape |= ARGV0;
            self.key = hash.bytes(self.key, word.as_bytes());
        }
    }
}

/// The device of a mount does not always count, so it is no part of the key.
fn device_point(hash: &Key, device: &[u8]) -> Point {
    [hash.bytes(0, device), 0]
}

/// A request on its way through the lanes.
pub(crate) struct Ask<'a> {
    pub(crate) ranges: &'a Ranges,
    pub(crate) hash: &'a Key,
    pub(crate) policy: &'a Policy,
    pub(crate) facts: &'a Facts<'a>,
    pub(crate) request: &'a Request<'a>,
}

impl Ask<'_> {
    /// Shows the entries of a shape that may match, until `visit` returns true. True if some may have been left out: then
    /// all must be tried.
    #[inline(never)]
    pub(crate) fn shape(&self, shape: Shape, visit: &mut dyn FnMut(u32) -> bool) -> bool {
        if shape & CLASS != self.request.operation().class() as u32 {
            return false;
        }
        let Some((mut key, low, high)) = self.lane(shape) else {
            return false;
        };
        if shape & (REALPATH | ARGV0) != 0 {
            match self.program(shape, key) {
                Some(with) => key = with,
                None => return false,
            }
        }
        if shape & SECOND == 0 {
            return self.users(shape, key, low, high, visit);
        }
        match self.request {
            Request::Path2 { to: second, .. } | Request::Mount { kind: second, .. } => {
                self.users(shape, self.hash.bytes(key, second.as_bytes()), low, high, visit)
            }
            Request::Signal { target, .. } => {
                // An entry allows signals to a domain and to those below it.
                let ends = (0..=target.len()).filter(|end| matches!(target.get(*end), None | Some(b' ')));
                ends.fold(false, |lost, end| {
                    let domain = target.get(..end).unwrap_or(target);
                    lost | self.users(shape, self.hash.bytes(key, domain), low, high, visit)
                })
            }
            _ => true,
        }
    }

    /// The key as far as it depends on numbers, and what the range must have in common with.
    #[inline(never)]
    fn lane(&self, shape: Shape) -> Option<(u64, Point, Point)> {
        let values = match self.request {
            Request::PathNumber { number, .. } => [number.value, 0, 0],
            Request::Device { mode, major, minor, .. } => [mode.value, major.value, minor.value],
            Request::Network { port, .. } => [u64::from(*port), 0, 0],
            Request::Mount { flags, .. } => [flags.value & !SILENT, 0, 0],
            _ => [0; 3],
        };
        let of = shape.wrapping_shr(RANGE) & 7;
        let field = |place: u32| TaskField::ALL.get(place as usize).map(|field| field.value(self.facts.task));
        let mut key = 0;
        let (low, high) = match of {
            0 => ([0; 2], [0; 2]),
            OF_ADDRESS => {
                let (family, point) = address(self.request)?.point();
                key = self.hash.word(key, family);
                (point, point)
            }
            OF_FIELD => {
                let value = field(shape.wrapping_shr(RANGE_FIELD))?;
                ([0, value], [0, value])
            }
            OF_DEVICE => match self.request {
                Request::Mount { device, compare_device: true, .. } => {
                    let point = device_point(self.hash, device.as_bytes());
                    (point, point)
                }
                _ => ([0; 2], [u64::MAX; 2]),
            },
            place => {
                let value = *values.get(place.wrapping_sub(1) as usize)?;
                let silent = if matches!(self.request, Request::Mount { .. }) { SILENT } else { 0 };
                ([0, value], [0, value | silent])
            }
        };
        for (place, value) in (FIRST_NUMBER..).zip(values) {
            if shape.wrapping_shr(place) & 1 == 1 {
                key = self.hash.word(key, value);
            }
        }
        let mut fields = shape.wrapping_shr(FIRST_FIELD) & FIELDS;
        while fields != 0 {
            key = self.hash.word(key, field(fields.trailing_zeros())?);
            fields &= fields.wrapping_sub(1);
        }
        Some((key, low, high))
    }

    /// The key with what is asked of the program; `None` if there is none.
    #[inline(never)]
    fn program(&self, shape: Shape, key: u64) -> Option<u64> {
        let exec = self.facts.exec?;
        let mut key = key;
        if shape & REALPATH != 0 {
            key = self.hash.bytes(key, exec.realpath()?.as_bytes());
        }
        if shape & ARGV0 != 0 {
            exec.argv(0, &mut |argument| key = self.hash.bytes(key, beginning(argument).as_bytes()));
        }
        Some(key)
    }

    /// The entries of a key, for each group that the task's UID is in if it counts.
    #[inline(never)]
    fn users(
        &self,
        shape: Shape,
        key: u64,
        low: Point,
        high: Point,
        visit: &mut dyn FnMut(u32) -> bool,
    ) -> bool {
        if shape & UID_GROUP == 0 {
            return show(&mut self.ranges.overlapping(key, low, high), visit);
        }
        let uid = [0, self.facts.task.uid.into()];
        let mut groups = self.policy.groups.get().number_index.containing(0, uid);
        let mut lost = false;
        for group in groups.by_ref() {
            lost |= show(&mut self.ranges.overlapping(self.hash.word(key, group.into()), low, high), visit);
        }
        lost | groups.is_lost()
    }
}

fn address<'r>(request: &'r Request<'_>) -> Option<&'r Address> {
    match request {
        Request::Network { address, .. } => Some(address),
        _ => None,
    }
}

/// Shows what is found. True if something may have been left out.
fn show(walk: &mut Walk<'_>, visit: &mut dyn FnMut(u32) -> bool) -> bool {
    for value in walk.by_ref() {
        if visit(value) {
            return false;
        }
    }
    walk.is_lost()
}
