// SPDX-License-Identifier: MIT OR Apache-2.0
//! Words of policy lines, and names that they match or nearly match.
//!
//! A random name matches no random word. So names are made from words: each wildcard is replaced by something that it
//! stands for, and now and then the name is bent a little.

use crate::choices::Choices;

const PIECES: [&str; 12] = ["a", "b", "ab", ".", "1", "23", "f", "\\040", "\\\\", "x1", "lib", ".so"];
const WILD: [&str; 9] = ["\\*", "\\@", "\\?", "\\$", "\\+", "\\X", "\\x", "\\A", "\\a"];

/// A component without wildcards.
pub fn component(choices: &mut Choices<'_>) -> String {
    let mut text = String::new();
    for _ in 0..=choices.below(2) {
        text.push_str(choices.pick(&PIECES));
    }
    text
}

/// A component with wildcards, possibly with one subtraction.
pub fn wild_component(choices: &mut Choices<'_>) -> String {
    let mut text = String::new();
    for _ in 0..=choices.below(3) {
        text.push_str(if choices.one_in(2) { choices.pick(&WILD) } else { choices.pick(&PIECES) });
    }
    if choices.one_in(8) {
        text.push_str("\\-");
        if !choices.one_in(6) {
            text.push_str(if choices.one_in(2) { choices.pick(&WILD) } else { choices.pick(&PIECES) });
        }
    }
    text
}

/// A word of a directory in which everything matches everything: more places of the index are reached at once than the
/// engine follows.
fn crowded_word(choices: &mut Choices<'_>) -> String {
    const CROWD: [&str; 20] = [
        "\\*", "a\\*", "\\*a", "\\@", "a\\@", "\\@a", "\\?a", "a\\?", "\\A", "a\\A", "\\Aa", "\\a\\a",
        "\\?\\?", "\\*a\\*", "\\@a\\@", "a\\*a", "aa", "aa\\*", "\\X", "\\*\\-b",
    ];
    let mut text = String::new();
    for _ in 0..=choices.below(2) + 1 {
        if choices.one_in(8) {
            text.push_str("/\\{aa\\}");
        } else {
            text.push('/');
            text.push_str(choices.pick(&CROWD));
        }
    }
    if text.ends_with('}') {
        text.push('/');
    }
    text
}

/// A word of a few directories with subtrees: repetitions at any place, some with a subtraction, and literal components
/// before, between and behind them, so that names of any depth match.
fn deep_word(choices: &mut Choices<'_>) -> String {
    const PARTS: [&str; 18] = [
        "\\{\\*\\}",
        "\\{\\*\\-b\\}",
        "\\{a\\}",
        "\\{\\?\\}",
        "\\{\\@\\-\\$\\}",
        "\\{\\A\\}",
        "a",
        "b",
        "lib",
        "a1",
        "\\*",
        "\\@",
        "\\$",
        "a\\*",
        "\\*.so",
        "\\*b\\*",
        "a\\*b",
        "\\?\\-a",
    ];
    let mut text = choices.pick(&["/", "/a/", "/a/b/", "/lib/"]).to_owned();
    for _ in 0..=choices.below(6) {
        text.push_str(choices.pick(&PARTS));
        text.push('/');
    }
    match choices.below(4) {
        0 => {}
        1 => text.push_str(choices.pick(&["\\*", "\\@", "\\*\\@"])),
        _ => {
            text.push_str(choices.pick(&["a", "b", "\\*.so", "a\\*", "\\?", "\\*ab\\*", "f\\$", "\\*\\040"]))
        }
    }
    text
}

/// A word of one directory: what tells it from the others is a literal part somewhere, or only which wildcards it has.
fn sibling_word(choices: &mut Choices<'_>) -> String {
    let mut text = "/a/".to_owned();
    if choices.one_in(2) {
        // As most of the words begin, and perhaps end.
        text.push_str(choices.pick(&["\\*/lib/", "\\*/lib/\\?\\*/", "x\\*/", "\\{\\*\\}/"]));
    }
    for _ in 0..choices.below(3) {
        text.push_str(choices.pick(&["a", "ab", "\\*", "\\@", "\\?", "a\\*", "\\*a", "\\*ab\\*"]));
        text.push('/');
    }
    for _ in 0..=choices.below(4) {
        let wild = choices.one_in(2);
        text.push_str(if wild {
            choices.pick(&WILD)
        } else {
            choices.pick(&["a", "b", "1", "ab", ".so", "\\\\", "\\040"])
        });
        if choices.one_in(10) {
            text.push_str("\\-");
        }
    }
    if choices.one_in(4) {
        text.push_str(choices.pick(&["/x", "/", "/\\*", "/\\@", "/lib/x"]));
    }
    text
}

/// A word near a limit: deep, or with about as many wildcards as a pattern may have.
fn extreme_word(choices: &mut Choices<'_>) -> String {
    if choices.one_in(2) {
        return (0..choices.below(40) + 8)
            .map(|_| format!("/{}", choices.pick(&["a", "b", "\\*", "\\@"])))
            .collect();
    }
    let unit = choices.pick(&["a", "ab", "\\040", "\\?"]);
    format!("/{}\\*", unit.repeat(choices.below(12) as usize + 500 / choices.pick(&[1, 2, 4])))
}

/// What a policy's words are like.
#[derive(Clone, Copy, PartialEq)]
pub enum Style {
    /// All kinds.
    Mixed,
    /// One word comes again and again, so that entries differ in conditions and numbers.
    OnePath,
    /// Many words match the same names.
    Crowded,
    /// Subtrees, and names deep in them.
    Deep,
    /// Many words with wildcards in one directory.
    Siblings,
    /// One word, with many numbers, ranges and addresses.
    Ranges,
}

/// A word in the style of the policy.
pub fn styled_word(choices: &mut Choices<'_>, style: Style) -> String {
    match style {
        _ if choices.one_in(100) => extreme_word(choices),
        Style::Crowded if !choices.one_in(8) => crowded_word(choices),
        Style::Deep if !choices.one_in(8) => deep_word(choices),
        Style::Siblings if !choices.one_in(8) => sibling_word(choices),
        _ => word(choices),
    }
}

/// A word; a third of them without wildcards.
pub fn word(choices: &mut Choices<'_>) -> String {
    let mut text = String::new();
    if choices.one_in(20) {
        return if choices.one_in(2) { "pipe:[\\$]".into() } else { wild_component(choices) };
    }
    let plain = choices.one_in(3);
    for _ in 0..=choices.below(4) {
        text.push('/');
        if plain || choices.one_in(2) {
            text.push_str(&component(choices));
        } else if choices.one_in(6) {
            text.push_str(&format!("\\{{{}\\}}/{}", wild_component(choices), component(choices)));
        } else {
            text.push_str(&wild_component(choices));
        }
    }
    if choices.one_in(4) {
        text.push('/');
    }
    text
}

/// A name that a word matches, or nearly.
pub fn instance(choices: &mut Choices<'_>, word: &str) -> String {
    let mut text = String::new();
    let mut rest = word;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("\\{") {
            let (inner, after) = after.split_once("\\}/").unwrap_or((after, ""));
            let most = if choices.one_in(16) { 40 } else { 3 };
            for _ in 0..=choices.below(most) {
                text.push_str(&instance(choices, inner));
                text.push('/');
            }
            rest = after;
            continue;
        }
        if let Some(after) = rest.strip_prefix("\\-") {
            // What is subtracted is not part of the name, but now and then exactly that.
            let end = after.find('/').unwrap_or(after.len());
            if choices.one_in(3) {
                let start = text.rfind('/').map_or(0, |slash| slash + 1);
                text.truncate(start);
                text.push_str(&instance(choices, &after[..end].replace("\\-", "")));
            }
            rest = &after[end..];
            continue;
        }
        let wild = WILD.iter().find(|wild| rest.starts_with(**wild));
        if let Some(wild) = wild {
            rest = &rest[wild.len()..];
            let repeat = choices.below(3);
            match *wild {
                "\\*" => (0..repeat).for_each(|_| text.push_str(choices.pick(&PIECES))),
                "\\@" => (0..repeat).for_each(|_| text.push_str(choices.pick(&["a", "1", "\\040"]))),
                "\\?" => text.push_str(choices.pick(&["a", "\\040", "\\\\", "."])),
                "\\$" => (0..=repeat).for_each(|_| text.push_str(choices.pick(&["1", "2", "90"]))),
                "\\+" => text.push_str(choices.pick(&["1", "7"])),
                "\\X" => (0..=repeat).for_each(|_| text.push_str(choices.pick(&["a", "F", "0"]))),
                "\\x" => text.push_str(choices.pick(&["f", "9"])),
                "\\A" => (0..=repeat).for_each(|_| text.push_str(choices.pick(&["x", "Q"]))),
                _ => text.push('z'),
            }
            continue;
        }
        let unit = if rest.starts_with("\\\\") {
            2
        } else if rest.starts_with('\\') {
            4
        } else {
            1
        };
        text.push_str(&rest[..unit]);
        rest = &rest[unit..];
    }
    match choices.below(12) {
        0 => text.push('/'),
        1 => text.push_str(choices.pick(&PIECES)),
        2 => text = text.trim_end_matches('/').to_owned(),
        3 => {
            if let Some(slash) = text.rfind('/') {
                text.truncate(slash);
            }
        }
        4 => text.insert_str(text.find('/').map_or(0, |slash| slash + 1), choices.pick(&PIECES)),
        5 => text.push_str(&format!("/{}", component(choices))),
        _ => {}
    }
    text
}
