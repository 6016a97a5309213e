// SPDX-License-Identifier: MIT OR Apache-2.0

//! The matcher against both corpora of reference 2: data, so that every implementation can be run on it.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails; only code in src/ must not"
)]

use sekisho_core::name::{is_valid_word, Name};
use sekisho_core::oracle;
use sekisho_core::pattern::{matches, Pattern};

/// The verdict of this implementation, in the words of the corpus.
fn verdict(name: &str, pattern: &str) -> &'static str {
    let pattern = Pattern::copy_from(pattern.as_bytes()).expect("memory");
    match (Name::new(name.as_bytes()), pattern) {
        (Some(name), Some(pattern)) => {
            let answer = matches(name, &pattern);
            assert_eq!(answer, oracle::matches(name, pattern.as_bytes()), "{name:?}", name = name.as_bytes());
            if answer {
                "match"
            } else {
                "no"
            }
        }
        _ => "invalid",
    }
}

/// Runs a corpus; returns how many lines it has.
fn run(corpus: &str) -> usize {
    let mut lines = 0;
    let mut wrong = Vec::new();
    for line in corpus.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let &[expected, name, pattern] = fields.as_slice() else { panic!("not three fields: {line}") };
        let answer = verdict(name, pattern);
        if answer != expected {
            wrong.push(format!("{line}: {answer}"));
        }
        lines += 1;
    }
    assert!(wrong.is_empty(), "{} wrong answers:\n{}", wrong.len(), wrong.join("\n"));
    lines
}

#[test]
fn generated_cases() {
    assert_eq!(run(include_str!("../../../tests/corpus/pattern-cases.tsv")), 4000);
}

#[test]
fn table_of_the_reference() {
    assert_eq!(run(include_str!("../../../tests/corpus/pattern-table.tsv")), 127 + 11);
}

/// Derived data of reference 2.2.
#[test]
fn derived_data() {
    for (word, const_len, dir) in [
        ("", 0, false),
        ("/", 1, true),
        (r"/tmp/a\040b", 11, false),
        (r"/tmp/a\040\*", 10, false),
        (r"/etc/s\*\-hadow/", 6, true),
        (r"\*", 0, false),
        (r"/\{\*\}/", 1, true),
    ] {
        let pattern = Pattern::copy_from(word.as_bytes()).expect("memory").expect(word);
        assert_eq!((pattern.const_len(), pattern.is_dir()), (const_len, dir), "{word}");
        assert_eq!(pattern.is_patterned(), const_len < word.len(), "{word}");
        assert_eq!(pattern.as_bytes(), word.as_bytes());
    }
}

/// Patterns that take the original for ages: each wildcard doubles its work. Here they are just long.
#[test]
fn no_exponential_time() {
    let name = format!("/x/{}.", "1".repeat(250));
    assert_eq!(verdict(&name, &format!("/x/{}", r"\*1".repeat(100))), "no");
    assert_eq!(verdict(&name, &format!("/x/{}", r"\$\X".repeat(100))), "no");
    assert_eq!(verdict(&name, &format!("/x/{}.", r"\$\X".repeat(100))), "match");
    let deep = format!("/{}y", "x/".repeat(500));
    assert_eq!(verdict(&deep, &format!("/{}z", r"\{\*\}/".repeat(40))), "no");
    assert_eq!(verdict(&deep, &format!("/{}y", r"\{x\}/".repeat(40))), "match");
}

/// The limits are on what needs a set of positions, and they are told when the pattern is made.
#[test]
fn limits() {
    let many = |head: &str, unit: &str, count: usize, tail: &str| {
        let word = format!("{head}{}{tail}", unit.repeat(count));
        assert!(is_valid_word(word.as_bytes()));
        Pattern::copy_from(word.as_bytes()).expect("memory").is_some()
    };
    assert!(many("/", "a", 60_000, r"\*"));
    assert!(many("/", r"\*/", 5_000, r"\*"));
    assert!(many("/", r"\?", 511, ""));
    assert!(!many("/", r"\?", 512, ""));
    assert!(many("/", r"\?", 511, r"\-a"));
    assert!(!many(r"/\*\-", "a", 512, ""));
    assert!(many(r"/\{\*\}", "/a", 510, ""));
    assert!(!many(r"/\{\*\}", "/a", 511, ""));
    assert!(!many(r"/\{", "a", 512, r"\}/"));
    assert_eq!(verdict(&format!("/{}", "a".repeat(511)), &format!("/{}", r"\a".repeat(511))), "match");
    assert_eq!(
        verdict(&format!("/b{}", "/a".repeat(510)), &format!(r"/\{{\*\}}{}", "/a".repeat(510))),
        "match"
    );
}
