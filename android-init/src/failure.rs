// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the person at the console reads when something went wrong: one line with what, why and what to do.

use std::fmt;

/// One failure. Its `Display` is a single line without the program's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    what: String,
    why: String,
    advice: &'static str,
}

impl Failure {
    /// `what` failed because of `why`; `advice` says what the owner of the machine can do about it.
    pub fn new(what: impl Into<String>, why: impl fmt::Display, advice: &'static str) -> Self {
        Self { what: one_line(&what.into()), why: one_line(&why.to_string()), advice }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.what, self.why, self.advice)
    }
}

impl std::error::Error for Failure {}

/// Control characters would let a file name or a policy line fake console output.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_line() {
        let failure = Failure::new("cannot read /a\nb", "it is\r\nmissing\n", "create it");
        assert_eq!(failure.to_string(), "cannot read /a b: it is  missing; create it");
    }
}
