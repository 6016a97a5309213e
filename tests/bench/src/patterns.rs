// SPDX-License-Identifier: MIT OR Apache-2.0
//! Words with wildcards that are hard to tell apart: deep subtrees, many places of a tree that one name reaches, shared
//! components, no literal byte. Each beside 50,000 other entries, asked for what it grants and for what it does not.

use sekisho_core::policy::{Cursor, DomainId, Policy};

use crate::cases::check;
use crate::policies::{self, line, Shape, Spread};
use crate::{bytes, Budget};

/// Three times the check of a plain pattern, as it was when these cases were made.
const MOST: Budget = Budget::AtMost(3 * 7_305);

/// A policy with 50,000 entries, to which each case adds its own.
struct Others(Policy);

impl Others {
    fn new() -> Others {
        Others(policies::policy(50_000, Shape::Wild, Spread::One))
    }

    /// Asks for a name that `lines` grant and for one that they do not.
    fn both(&self, what: &str, budget: &Budget, lines: impl Iterator<Item = String>, hit: &str, miss: &str) {
        let mut edit = self.0.edit().expect("memory");
        let mut cursor = Cursor::default();
        line(&mut edit, &mut cursor, "<kernel>");
        for path in lines {
            line(&mut edit, &mut cursor, &format!("allow_read {path}"));
        }
        let policy = edit.commit();
        check(&format!("hit, {what}"), budget.clone(), &policy, DomainId::ROOT, 0, hit, true);
        check(&format!("miss, {what}"), budget.clone(), &policy, DomainId::ROOT, 0, miss, false);
    }
}

fn one(word: &str) -> impl Iterator<Item = String> {
    std::iter::once(word.to_owned())
}

/// A file below `files`, so deep that its name has 63 components.
fn deep(file: &str) -> String {
    format!("/data/user/0/com.example.app/files/{}{file}", "dir/".repeat(57))
}

/// A component without a literal byte for each number: a wildcard, then those that its digits say.
fn bare(first: &str, kinds: [&str; 5], number: usize) -> String {
    let mut text = String::from(first);
    let mut rest = number;
    while rest > 0 {
        text.push_str(kinds[rest % kinds.len()]);
        rest /= kinds.len();
    }
    text
}

/// The cases.
pub(crate) fn all() {
    let others = Others::new();
    let mut edit = policies::begin();
    let mut cursor = Cursor::default();
    line(&mut edit, &mut cursor, "<kernel>");
    let policy = edit.commit();
    let mut edit = policy.edit().expect("memory");
    line(&mut edit, &mut cursor, "<kernel>");
    for number in 0..10_000 {
        line(&mut edit, &mut cursor, &format!("allow_read /usr/lib/directory{number:05}/\\*.so"));
    }
    let each = (edit.commit().memory() - policy.memory()) / 10_000;
    bytes("a rule with wildcards in a directory of its own", Budget::AtMost(400), each);

    let name = deep("a.db");
    assert_eq!(name.matches('/').count(), 63);
    let plain = format!(r"/data/user/\$/\*/files/{}\*.db", "dir/".repeat(57));
    others.both("the plain pattern, 63 components", &Budget::Stated, one(&plain), &name, &deep("a.txt"));
    let subtree = r"/data/user/\$/\*/files/\{\*\}/\*.db";
    others.both("a subtree, 63 components", &MOST, one(subtree), &name, &deep("a.txt"));
    let suffixes = (0..16).map(|number| format!("/data/user/\\$/\\*/files/\\{{\\*\\}}/\\*.d{number:x}"));
    others.both("16 subtrees, 63 components", &MOST, suffixes, &deep("a.df"), &deep("a.db_"));
    let secret =
        deep("a.db").replacen("dir/dir/f", "dir/secret/f", 1).replacen("/dir/a.db", "/secret/a.db", 1);
    let without = r"/data/user/\$/\*/files/\{\*\-secret\}/\*";
    others.both("a subtree without a word, 63 components", &MOST, one(without), &name, &secret);
    let without =
        (0..16).map(|number| format!("/data/user/\\$/\\*/files/\\{{\\*\\-secret\\}}/\\*.d{number:x}"));
    let miss = secret.replace("a.db", "a.df");
    others.both("16 subtrees without a word, 63 components", &MOST, without, &deep("a.df"), &miss);

    let firsts = [r"a\*", r"\*a", r"aa\*", r"\*aa", r"\*a\*", r"a\*a", r"\?a\*", r"\*a\?", r"\A"];
    let nine = firsts.into_iter().map(|first| format!("/{first}/x/f"));
    others.both("nine places", &MOST, nine, "/aaaa/x/f", "/aaaa/x/g");
    let places =
        || (1..=32).flat_map(|len| [format!(r"{}\*", "a".repeat(len)), format!(r"\*{}", "a".repeat(len))]);
    let all_as = "a".repeat(40);
    let lines = places().map(|first| format!("/{first}/x/f"));
    others.both("64 places", &MOST, lines, &format!("/{all_as}/x/f"), &format!("/{all_as}/x/g"));
    let lines = places().zip(0..).map(|(first, number)| format!("/{first}/x/f{number:02}"));
    others.both(
        "64 places, an end each",
        &MOST,
        lines,
        &format!("/{all_as}/x/f63"),
        &format!("/{all_as}/x/f64"),
    );

    let lines = (0..64).map(|number| format!(r"/srv/\*/lib/app\*/\?\*/file{number:02}\*/\*.so"));
    let name = |file: &str| format!("/srv/x86/lib/app7/data/{file}/libx.so");
    others.both("64 patterns that share four components", &MOST, lines, &name("file63x"), &name("file64x"));
    let lines = (0..64).map(|number| format!(r"/srv/\*/lib/app\*/\?\*/\*/\{{\*\}}/\*.so{number:02}"));
    let name = |file: &str| format!("/srv/x86/lib/app7/data/c/d/e/f/{file}");
    others.both("64 subtrees that share four components", &MOST, lines, &name("x.so63"), &name("x.so64"));

    let any = [r"\*", r"\@", r"\?", r"\$", r"\x"];
    let long: String = (0..255_u32).map(|n| char::from(b'a' + (n * 7 % 26) as u8)).collect();
    let lines = (0..5_000).map(|number| format!("/tmp/{}/x", bare(r"\?", any, number)));
    others.both(
        "5,000 patterns without a literal byte, /x behind",
        &MOST,
        lines,
        &format!("/tmp/{long}/x"),
        &format!("/tmp/{long}/y"),
    );
    let lines = (0..5_000).map(|number| format!("/tmp/{}", bare(r"\?", any, number)));
    others.both(
        "5,000 patterns without a literal byte, one of them grants all",
        &MOST,
        lines,
        &format!("/tmp/{long}"),
        &format!("/tmp/{long}/y"),
    );
    let some = [r"\a", r"\+", r"\?", r"\$", r"\x"];
    let lines = (0..5_000).map(|number| format!("/tmp/{}", bare(r"\$", some, number)));
    others.both("5,000 patterns of classes", &MOST, lines, "/tmp/1a2-4f", "/tmp/1.-.-.-.");
    let lines = (0..5_000).map(|number| format!("/tmp/{}/x", bare(r"\$", some, number)));
    others.both(
        "5,000 patterns of classes, /x behind",
        &MOST,
        lines,
        "/tmp/1a2-4f/x",
        &format!("/tmp/{long}/x"),
    );
}
