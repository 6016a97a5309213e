// SPDX-License-Identifier: MIT OR Apache-2.0
//! Test Anything Protocol, version 13: one numbered line a case, the plan at the end.
//!
//! The plan comes last because the cases are made from tables; a stream without it did not come to its end.

use std::fmt::Debug;

/// Counts and prints.
#[derive(Default)]
pub struct Tap {
    count: usize,
    failed: usize,
    topic: String,
}

impl Tap {
    /// Cases that follow belong to `topic`.
    pub fn topic(&mut self, topic: &str) {
        topic.clone_into(&mut self.topic);
        println!("# topic {topic}");
    }

    /// One case. `detail` explains a failure.
    pub fn check(&mut self, name: &str, holds: bool, detail: impl FnOnce() -> String) {
        self.count += 1;
        let name = one_line(name);
        if holds {
            println!("ok {} - {}: {name}", self.count, self.topic);
        } else {
            self.failed += 1;
            println!("not ok {} - {}: {name}", self.count, self.topic);
            for line in detail().lines() {
                println!("#   {}", one_line(line));
            }
        }
    }

    /// One case: what happened must be what was expected.
    pub fn same<T: PartialEq + Debug>(&mut self, name: &str, happened: T, expected: T) {
        self.check(name, happened == expected, || format!("expected {expected:?}\nhappened {happened:?}"));
    }

    /// One case: `text` must contain `part`.
    pub fn contains(&mut self, name: &str, text: &str, part: &str) {
        self.check(name, text.contains(part), || format!("expected a part {part:?}\nhappened {text:?}"));
    }

    /// One case: `text` must have exactly this line.
    pub fn has_line(&mut self, name: &str, text: &str, line: &str) {
        self.check(name, text.lines().any(|found| found == line), || format!("no line {line:?} in\n{text}"));
    }

    /// One case: `text` must not have this line.
    pub fn lacks_line(&mut self, name: &str, text: &str, line: &str) {
        self.check(name, !text.lines().any(|found| found == line), || format!("there is a line {line:?}"));
    }

    /// Prints the plan; true if all held.
    pub fn finish(&self) -> bool {
        println!("1..{}", self.count);
        println!("# {} of {} failed", self.failed, self.count);
        self.failed == 0
    }
}

/// A console line stays one line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}
