// SPDX-License-Identifier: MIT OR Apache-2.0
//! Words of a line: how what an operation takes is written and read.
//!
//! Bytes that would split a line or a word are written as `%XX`, so that every file name can be sent.

use std::str::Split;

use super::Op;

/// Something that an operation takes.
pub trait Field: Sized {
    /// Appends its words.
    fn put(&self, words: &mut Vec<String>);
    /// Takes its words.
    fn get(words: &mut Split<'_, char>) -> Option<Self>;
}

macro_rules! number {
    ($($kind:ty)*) => {$(
        impl Field for $kind {
            fn put(&self, words: &mut Vec<String>) {
                words.push(self.to_string());
            }
            fn get(words: &mut Split<'_, char>) -> Option<Self> {
                words.next()?.parse().ok()
            }
        }
    )*};
}

number!(i32 u32 u64);

impl Field for Vec<u8> {
    fn put(&self, words: &mut Vec<String>) {
        words.push(hide(self));
    }
    fn get(words: &mut Split<'_, char>) -> Option<Self> {
        show(words.next()?)
    }
}

impl Field for [u32; 4] {
    fn put(&self, words: &mut Vec<String>) {
        words.extend(self.iter().map(u32::to_string));
    }
    fn get(words: &mut Split<'_, char>) -> Option<Self> {
        let numbers: Vec<u32> = words.take(4).map(|word| word.parse().ok()).collect::<Option<_>>()?;
        numbers.try_into().ok()
    }
}

impl Field for Vec<Vec<u8>> {
    fn put(&self, words: &mut Vec<String>) {
        words.push(self.len().to_string());
        words.extend(self.iter().map(|bytes| hide(bytes)));
    }
    fn get(words: &mut Split<'_, char>) -> Option<Self> {
        let count = words.next()?.parse().ok()?;
        (0..count).map(|_| show(words.next()?)).collect()
    }
}

/// An operation in an operation: the rest of the line.
impl Field for Box<Op> {
    fn put(&self, words: &mut Vec<String>) {
        words.extend(self.encode().split(' ').map(str::to_owned));
    }
    fn get(words: &mut Split<'_, char>) -> Option<Self> {
        Op::get(words).map(Box::new)
    }
}

/// Bytes as one word: everything but letters, digits and a few signs becomes `%XX`; nothing at all is `%`.
pub fn hide(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "%".into();
    }
    let mut word = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                word.push(char::from(byte))
            }
            _ => word.push_str(&format!("%{byte:02X}")),
        }
    }
    word
}

/// The bytes of a word.
pub fn show(word: &str) -> Option<Vec<u8>> {
    if word == "%" {
        return Some(Vec::new());
    }
    let mut bytes = Vec::new();
    let mut rest = word.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = tail.get(2..)?;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    Some(bytes)
}
