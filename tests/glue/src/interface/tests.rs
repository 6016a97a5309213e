// SPDX-License-Identifier: GPL-2.0-only

//! From the bytes of writes to lines.

use super::lines::{number, outcome, Lines};
use super::{FileType, OpenFile};
use crate::tests::{errors, fresh};
use crate::{stats, Errno};
use sekisho_core::edit::EditError;
use sekisho_core::policy::Policy;
use sekisho_core::text::{MAX_LINE, TOO_LONG};

/// What was shown of the text in these pieces; lines that were too long are "-".
fn shown(pieces: &[&[u8]]) -> Vec<(u32, String)> {
    let mut lines = Lines::new();
    let mut shown = Vec::new();
    for piece in pieces {
        let result = lines.feed(b"file", piece, &mut |number, line| {
            shown.push((
                number,
                line.map_or("-".to_owned(), |line| String::from_utf8(line.to_vec()).unwrap()),
            ));
            Ok(())
        });
        assert_eq!(result, Ok(()));
    }
    shown
}

#[test]
fn lines_are_the_same_however_they_are_cut() {
    let text = b"a\nlonger line\n\n \nlast\nwithout its end";
    let expected: Vec<(u32, String)> =
        (1..).zip(["a", "longer line", "", " ", "last"].map(str::to_owned)).collect();
    for one in 0..=text.len() {
        for two in one..=text.len() {
            assert_eq!(shown(&[&text[..one], &text[one..two], &text[two..]]), expected, "{one} {two}");
        }
    }
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(shown(&bytes), expected);
}

#[test]
fn a_line_that_is_too_long_is_told_and_the_next_one_counts() {
    let _alone = fresh();
    let rejected = stats::REJECTED_LINES.get();
    let fits = "x".repeat(MAX_LINE);
    let both = [(1, fits.clone()), (2, "b".to_owned())];
    // Not assert_eq: nobody wants to read these lines.
    assert!(
        shown(&[format!("{fits}\nb\n").as_bytes()]) == both && shown(&[fits.as_bytes(), b"\nb\n"]) == both
    );
    assert_eq!(errors(), "");
    for pieces in [
        &[format!("a\n{fits}x\nb\n").as_bytes()][..],
        &[b"a\n", fits.as_bytes(), b"x\nb\n"],
        &[b"a\n", fits.as_bytes(), b"x", b"\nb\n"],
        &[b"a\nx", fits.as_bytes(), b"y", b"z", b"\nb\n"],
        &[b"a\n", fits.as_bytes(), fits.as_bytes(), b"\nb\n"],
    ] {
        assert!(shown(pieces) == [(1, "a".to_owned()), (2, "-".to_owned()), (3, "b".to_owned())]);
    }
    assert_eq!(stats::REJECTED_LINES.get() - rejected, 5);
    let told = errors();
    assert_eq!(told.lines().count(), 5);
    assert!(told.lines().all(|line| line.starts_with(&format!("file:2:1: {TOO_LONG}: x"))), "{told}");
}

#[test]
fn a_failure_stops_and_a_copy_goes_on_from_before() {
    let mut lines = Lines::new();
    let mut count = 0;
    assert_eq!(lines.feed(b"file", b"a\nbeg", &mut |_, _| Ok(())), Ok(()));
    let mut copy = lines.try_clone().unwrap();
    let result = lines.feed(b"file", b"in\nc\nd\n", &mut |_, _| {
        count += 1;
        Err(Errno::NoMem)
    });
    assert_eq!((result, count), (Err(Errno::NoMem), 1));
    let mut shown = Vec::new();
    let result = copy.feed(b"file", b"in\nc\n", &mut |number, line| {
        shown.push((number, line.map(<[u8]>::to_vec)));
        Ok(())
    });
    assert_eq!(result, Ok(()));
    assert_eq!(shown, [(2, Some(b"begin".to_vec())), (3, Some(b"c".to_vec()))]);
}

#[test]
fn an_open_file_shows_all_but_what_was_too_long() {
    let _alone = fresh();
    static FILE: FileType = FileType { name: b"domain_policy\0" };
    let mut file = OpenFile { file: &FILE, lines: Lines::new() };
    let mut shown = Vec::new();
    let text = [b"a\n", "x".repeat(MAX_LINE + 1).as_bytes(), b"\nb\n"].concat();
    let result = file.for_lines(&text, &mut |number, line| {
        shown.push((number, line.to_vec()));
        Ok(())
    });
    assert_eq!(result, Ok(()));
    assert!(shown == [(1, b"a".to_vec()), (3, b"b".to_vec())]);
    assert!(errors().starts_with("domain_policy:2:1: "));
}

#[test]
fn what_became_of_a_line() {
    let _alone = fresh();
    let mut edit = Policy::new().unwrap().edit().unwrap();
    let rejected = stats::REJECTED_LINES.get();
    assert_eq!(outcome(b"f", 3, b"x", Ok(())), Ok(true));
    assert_eq!(outcome(b"f", 3, b"x", Err(EditError::OutOfMemory)), Err(Errno::NoMem));
    assert_eq!((errors().as_str(), stats::REJECTED_LINES.get()), ("", rejected));
    assert_eq!(outcome(b"f", 3, b"some line", Err(EditError::Quota)), Ok(false));
    let line = b"initialize_domain relative";
    assert_eq!(outcome(b"f", 4, line, edit.exception_policy_line(line)), Ok(false));
    let told = errors();
    let told: Vec<&str> = told.lines().collect();
    assert!(told[0].starts_with("f:3:1: the policy would be larger than its memory quota"), "{told:?}");
    assert!(told[0].ends_with(": some line"), "{told:?}");
    assert!(told[1].starts_with("f:4:19: ") && told[1].ends_with(": initialize_domain relative"), "{told:?}");
    assert_eq!((told.len(), stats::REJECTED_LINES.get()), (2, rejected + 2));
}

#[test]
fn numbers() {
    for (digits, value) in [("0", 0), ("7", 7), ("10", 10), ("4096", 4096), ("00012", 12)] {
        assert_eq!(number(digits.as_bytes()), Some(value), "{digits}");
    }
    assert_eq!(number(usize::MAX.to_string().as_bytes()), Some(usize::MAX));
    for bad in [
        "",
        "-1",
        "+1",
        " 1",
        "1 ",
        "0x10",
        "1:",
        "/1",
        "a",
        "18446744073709551616",
        "99999999999999999999999",
    ] {
        assert_eq!(number(bad.as_bytes()), None, "{bad}");
    }
}
