// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lines of exception_policy that steer domain transitions, in order and by what they speak about.
//!
//! Reference 3.1 and 3.2. A rule is kept as its line and read again when it is asked; it is found by its program and its
//! domain together. How rules work together is in [`crate::transition`].

use crate::directive::{Directive, From};
use crate::hash;
use crate::link::{Link, Node, SHARED};
use crate::map::Map;
use crate::mem::{OutOfMemory, Vec};
use crate::radix::{self, Place as _};
use crate::records::Records;
use crate::text::{Sink, Words};
use core::mem::size_of;

/// Either the `initialize_domain` or the `keep_domain` lines, with their `no_` forms; behind a reference, as
/// [`crate::lines::Lines`] are.
pub(crate) struct Rules {
    seed: u64,
    body: Option<Link<Body>>,
}

/// The rules.
struct Body {
    seed: u64,
    records: Records,
    keys: Map<u32>,
}

impl Rules {
    pub(crate) const fn new(seed: u64) -> Self {
        Rules { seed, body: None }
    }

    fn body(&self) -> Option<&Body> {
        self.body.as_ref().map(Link::get)
    }

    /// Adds a rule, or does nothing if it is there. True if it was added.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn add(&mut self, rule: &Directive<'_>) -> Result<bool, OutOfMemory> {
        let seed = self.seed;
        let added = radix::edit_or(&mut self.body, || Body::new(seed))?.add(rule);
        self.drop_empty();
        added
    }

    /// Deletes a rule; does nothing if it is not there.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn delete(&mut self, rule: &Directive<'_>) -> Result<(), OutOfMemory> {
        if let Some(body) = &mut self.body {
            body.edit()?.delete(rule)?;
        }
        self.drop_empty();
        Ok(())
    }

    fn drop_empty(&mut self) {
        if self.body().is_some_and(|body| body.records.is_empty()) {
            self.body = None;
        }
    }

    /// Whether a rule applies and no `no_` rule does (reference 6.3): `program` is executed in the domain `old`, whose
    /// last word is `last`.
    pub(crate) fn say(&self, old: &[u8], last: &[u8], program: &[u8]) -> bool {
        self.body().is_some_and(|body| body.say(old, last, program))
    }

    /// Whether there is exactly this rule.
    #[cfg(any(not(sekisho_kernel), CONFIG_SECURITY_SEKISHO_SELFTEST))]
    pub(crate) fn contains(&self, rule: &Directive<'_>) -> bool {
        self.body().is_some_and(|body| body.find(rule).is_some())
    }

    /// Whether there is no rule.
    pub(crate) const fn is_empty(&self) -> bool {
        self.body.is_none()
    }

    /// All rules in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Directive<'_>> {
        self.body().into_iter().flat_map(|body| body.records.iter()).filter_map(|record| read(record.bytes))
    }

    /// Prints the lines.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub(crate) fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        for record in self.body().into_iter().flat_map(|body| body.records.iter()) {
            sink.put(record.bytes)?;
            sink.put(b"\n")?;
        }
        Ok(())
    }

    pub(crate) fn bytes(&self) -> usize {
        let own = size_of::<Body>().saturating_add(SHARED);
        self.body()
            .map_or(0, |body| own.saturating_add(body.records.bytes()).saturating_add(body.keys.bytes()))
    }

    /// The same rules, shared.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        let mut rules = Rules::new(self.seed);
        self.body.share_into(&mut rules.body)?;
        Ok(rules)
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        self.body.freeze();
    }
}

impl Body {
    const fn new(seed: u64) -> Self {
        Body { seed, records: Records::new(), keys: Map::new() }
    }

    /// The hash of a program and of where it is executed; both may be left open.
    fn hash(&self, program: Option<&[u8]>, from: Option<&[u8]>) -> u32 {
        let key = hash::Key::new(self.seed);
        let add = |hash, part: Option<&[u8]>| match part {
            None => key.word(hash, 1),
            Some(part) => key.bytes(hash, part),
        };
        hash::fold(add(add(0, program), from))
    }

    fn key(&self, rule: &Directive<'_>) -> u32 {
        match rule {
            Directive::Rule { program, from, .. } => self.hash(*program, from.as_ref().map(From::text)),
            _ => 0,
        }
    }

    fn get(&self, number: u32) -> Option<Directive<'_>> {
        read(self.records.get(number)?.bytes)
    }

    fn find(&self, rule: &Directive<'_>) -> Option<u32> {
        let is = |number: &u32| self.get(*number).as_ref() == Some(rule);
        self.keys.get(self.key(rule)).copied().find(is)
    }

    fn add(&mut self, rule: &Directive<'_>) -> Result<bool, OutOfMemory> {
        if self.find(rule).is_some() {
            return Ok(false);
        }
        let mut line = Vec::new();
        print(rule, &mut line)?;
        let number = self.records.push(&line, None)?;
        if let Err(error) = self.keys.insert(self.key(rule), number) {
            self.records.remove(number)?;
            return Err(error);
        }
        Ok(true)
    }

    fn delete(&mut self, rule: &Directive<'_>) -> Result<(), OutOfMemory> {
        if let Some(number) = self.find(rule) {
            self.keys.remove(self.key(rule), |old| *old == number)?;
            self.records.remove(number)?;
        }
        Ok(())
    }

    fn say(&self, old: &[u8], last: &[u8], program: &[u8]) -> bool {
        let mut applies = false;
        let program_open = [Some(program), None];
        let from_open = [None, Some(old), Some(last)];
        for key in program_open.into_iter().flat_map(|program| from_open.map(|from| self.hash(program, from)))
        {
            for number in self.keys.get(key) {
                let Some(Directive::Rule { negative, program: wanted, from, .. }) = self.get(*number) else {
                    continue;
                };
                let here = match from {
                    None => true,
                    Some(From::Domain(name)) => name == old,
                    Some(From::LastWord(word)) => word == last,
                };
                if here && wanted.map_or(true, |wanted| wanted == program) {
                    if negative {
                        return false;
                    }
                    applies = true;
                }
            }
        }
        applies
    }
}

impl Node for Body {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Body { seed: self.seed, records: self.records.share()?, keys: self.keys.share()? })
    }

    fn freeze(&mut self) {
        self.records.freeze();
        self.keys.freeze();
    }
}

fn read(line: &[u8]) -> Option<Directive<'_>> {
    Directive::parse(Words::new(line)).ok()
}

fn print(rule: &Directive<'_>, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
    let Directive::Rule { keep, negative, program, from } = rule else {
        return Ok(());
    };
    if *negative {
        sink.put(b"no_")?;
    }
    sink.put(if *keep { b"keep_domain" } else { b"initialize_domain" })?;
    if let Some(program) = program {
        sink.put(b" ")?;
        sink.put(program)?;
    }
    if let Some(from) = from {
        sink.put(if program.is_some() { b" from " } else { b" " })?;
        sink.put(from.text())?;
    }
    Ok(())
}
