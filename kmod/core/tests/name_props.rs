// SPDX-License-Identifier: MIT OR Apache-2.0

//! Properties of names, patterns and numbers on generated input.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails; only code in src/ must not"
)]

use proptest::collection::vec;
use proptest::prelude::*;
use sekisho_core::name::{decode_into, encode, is_valid_domain, is_valid_word, Name};
use sekisho_core::number::{Number, NumberRange, Radix};
use sekisho_core::pattern::{matches, Pattern};

fn encoded(raw: &[u8]) -> Vec<u8> {
    let mut out = vec![0; raw.len() * 4];
    encode(raw, &mut out).expect("no byte 0, and room enough").as_bytes().to_vec()
}

fn pattern(word: &[u8]) -> Option<Pattern> {
    Pattern::copy_from(word).expect("memory")
}

/// Raw strings of the kernel: anything but 0, with many slashes, dots and backslashes.
fn raw() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![1..=255_u8, prop::sample::select(br"//..\\a1 ".to_vec())], 0..40)
}

/// Elements of words; not every sequence of them is a valid word.
fn word() -> impl Strategy<Value = Vec<u8>> {
    let elements = [
        "/",
        "/",
        "/",
        "a",
        "Z",
        "0",
        "9",
        ".",
        r"\\",
        r"\040",
        r"\303",
        r"\*",
        r"\*",
        r"\@",
        r"\?",
        r"\$",
        r"\+",
        r"\X",
        r"\x",
        r"\A",
        r"\a",
        r"\-",
        r"/\{",
        r"\}/",
        r"/\{\*\}/",
        r"/\{a\-b\}/",
        r"\101",
        r"\",
    ];
    vec(prop::sample::select(elements.to_vec()), 0..20).prop_map(|parts| parts.concat().into_bytes())
}

/// Names of few different units, so that patterns often match a good part of them.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let units = ["/", "/", "/", "a", "a", "0", "0", ".", "Z", r"\\", r"\040"];
    vec(prop::sample::select(units.to_vec()), 0..12).prop_map(|parts| parts.concat().into_bytes())
}

/// Reference 2 word for word, with its recursion, so on small input only.
mod oracle {
    fn next(word: &str) -> Option<(&str, &str)> {
        let length = match word.as_bytes() {
            [] => return None,
            [b'\\', b'0'..=b'3', ..] => 4,
            [b'\\', ..] => 2,
            _ => 1,
        };
        Some(word.split_at(length))
    }

    fn fits(wildcard: &str, unit: &str) -> bool {
        match wildcard {
            r"\*" | r"\?" => true,
            r"\@" => unit != ".",
            r"\$" | r"\+" => unit.len() == 1 && unit.as_bytes()[0].is_ascii_digit(),
            r"\X" | r"\x" => unit.len() == 1 && unit.as_bytes()[0].is_ascii_hexdigit(),
            r"\A" | r"\a" => unit.len() == 1 && unit.as_bytes()[0].is_ascii_alphabetic(),
            unit_itself => unit_itself == unit,
        }
    }

    fn one(name: &str, pattern: &str) -> bool {
        let Some((element, behind)) = next(pattern) else { return name.is_empty() };
        if matches!(element, r"\*" | r"\@") && one(name, behind) {
            return true;
        }
        let Some((unit, rest)) = next(name) else { return false };
        fits(element, unit)
            && match element {
                r"\*" | r"\@" => one(rest, pattern),
                r"\$" | r"\X" | r"\A" => one(rest, behind) || one(rest, pattern),
                _ => one(rest, behind),
            }
    }

    fn component(name: &str, pattern: &str) -> bool {
        let mut sides = vec![String::new()];
        let mut rest = pattern;
        while let Some((element, tail)) = next(rest) {
            match (element, sides.last_mut()) {
                (r"\-", _) => sides.push(String::new()),
                (_, Some(side)) => side.push_str(element),
                (_, None) => unreachable!(),
            }
            rest = tail;
        }
        one(name, &sides[0]) && !sides[1..].iter().any(|side| one(name, side))
    }

    fn cut(path: &str) -> (&str, &str) {
        path.split_once('/').unwrap_or((path, ""))
    }

    fn rest(mut name: &str, mut pattern: &str) -> bool {
        while !name.is_empty() && !pattern.is_empty() {
            if pattern.starts_with(r"\{") {
                return repeat(name, pattern);
            }
            let ((this, name_rest), (that, pattern_rest)) = (cut(name), cut(pattern));
            if !component(this, that) {
                return false;
            }
            (name, pattern) = (name_rest, pattern_rest);
        }
        while let Some(tail) = pattern.strip_prefix(r"\*").or_else(|| pattern.strip_prefix(r"\@")) {
            pattern = tail;
        }
        name.is_empty() && pattern.is_empty()
    }

    fn repeat(mut name: &str, pattern: &str) -> bool {
        let (group, tail) = cut(pattern);
        let inner = &group[2..group.len() - 2];
        loop {
            let Some((this, behind)) = name.split_once('/') else { return false };
            if !component(this, inner) {
                return false;
            }
            name = behind;
            if rest(name, tail) {
                return true;
            }
            if !name.contains('/') {
                return false;
            }
        }
    }

    pub fn matches(name: &str, pattern: &str, const_len: usize) -> bool {
        if const_len == pattern.len() {
            return name == pattern;
        }
        let (prefix, wild) = pattern.split_at(const_len);
        name.ends_with('/') == pattern.ends_with('/')
            && name.strip_prefix(prefix).is_some_and(|name| rest(name, wild))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn encoding_can_be_undone(raw in raw()) {
        let name = encoded(&raw);
        let mut out = vec![0; name.len()];
        prop_assert_eq!(decode_into(&name, &mut out), Some(&raw[..]));
    }

    #[test]
    fn what_encode_gives_is_valid(raw in raw()) {
        let name = encoded(&raw);
        prop_assert!(name.iter().all(|byte| (0x21..=0x7E).contains(byte)));
        prop_assert!(Name::new(&name).is_some());
        prop_assert!(is_valid_word(&name));
        prop_assert!(is_valid_domain(&[b"<kernel> /", name.as_slice()].concat()));
    }

    #[test]
    fn too_small_is_none_and_exact_is_enough(raw in raw()) {
        let length = encoded(&raw).len();
        prop_assert!(encode(&raw, &mut vec![0; length]).is_some());
        if let Some(less) = length.checked_sub(1) {
            prop_assert!(encode(&raw, &mut vec![0; less]).is_none());
        }
    }

    #[test]
    fn arbitrary_bytes_harm_nothing(bytes in vec(any::<u8>(), 0..40)) {
        let mut out = [0; 40];
        prop_assert!(decode_into(&bytes, &mut out).is_some());
        if let Some(name) = Name::new(&bytes) {
            prop_assert!(is_valid_word(&bytes));
            let raw = decode_into(&bytes, &mut out).expect("room enough").to_vec();
            prop_assert!(encoded(&raw) == name.as_bytes());
        }
        if is_valid_word(&bytes) {
            prop_assert!(pattern(&bytes).is_some());
        }
        if let Some(range) = NumberRange::parse(&bytes) {
            prop_assert!(bytes.contains(&b'-') || range.min == range.max);
        }
    }

    #[test]
    fn a_pattern_without_wildcards_means_equality(one in raw(), other in raw()) {
        let (one, other) = (encoded(&one), encoded(&other));
        let pattern = pattern(&one).expect("a name is a word");
        prop_assert!(!pattern.is_patterned());
        prop_assert!(matches(Name::new(&one).expect("encoded"), &pattern));
        prop_assert_eq!(matches(Name::new(&other).expect("encoded"), &pattern), one == other);
    }

    #[test]
    fn the_matcher_agrees_with_the_reference(words in vec(word(), 1..8), name in name()) {
        let subject = Name::new(&name).expect("units");
        for word in words {
            let Some(pattern) = pattern(&word) else { continue };
            let (text, name) = (std::str::from_utf8(&word)?, std::str::from_utf8(&name)?);
            let expected = oracle::matches(name, text, pattern.const_len());
            prop_assert_eq!(matches(subject, &pattern), expected, "{} {}", name, text);
        }
    }

    #[test]
    fn replacing_parts_by_wildcards_still_matches(name in "(/[a.0]{0,3}){1,6}/?", choices in vec(0..6_u8, 40)) {
        // Each unit becomes itself or a wildcard that covers it, so most of these match.
        let mut word = String::new();
        for (byte, choice) in name.bytes().zip(choices) {
            match (choice, byte) {
                (_, b'/') | (0..=2, _) => word.push(char::from(byte)),
                (3, _) => word.push_str(r"\?"),
                (4, _) => word.push_str(r"\*"),
                (_, b'0') => word.push_str(r"\$"),
                (_, b'a') => word.push_str(r"\X"),
                _ => word.push_str(r"\*"),
            }
        }
        let pattern = pattern(word.as_bytes()).expect("valid");
        prop_assert!(matches(Name::new(name.as_bytes()).expect("units"), &pattern), "{} {}", name, word);
    }

    #[test]
    fn the_longest_input_takes_no_time(word in word(), unit in prop::sample::select(vec!["a", "0", "/a", "/"])) {
        // A name of thousands of units against a repeated pattern: with exponential time this would never end.
        let Some(pattern) = pattern(&word.repeat(8)) else { return Ok(()) };
        let name = [b"/", unit.repeat(1 << 13).as_bytes()].concat();
        let _ = matches(Name::new(&name).expect("units"), &pattern);
    }

    #[test]
    fn numbers_are_printed_as_they_are_read(value: u64, shift in 0..64_u32, radix in 0..3_u8) {
        let value = value >> shift;
        let radix = [Radix::Decimal, Radix::Octal, Radix::Hexadecimal][usize::from(radix)];
        let number = Number { value, radix };
        let mut text = sekisho_core::mem::Vec::new();
        number.print(&mut text).expect("memory");
        let expected = match radix {
            Radix::Decimal => format!("{value}"),
            Radix::Octal => format!("0{value:o}"),
            Radix::Hexadecimal => format!("0x{value:X}"),
        };
        prop_assert_eq!(&*text, expected.as_bytes());
        prop_assert!(Number::parse(&text) == Some(number));
    }
}
