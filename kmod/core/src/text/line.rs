// SPDX-License-Identifier: MIT OR Apache-2.0
//! A line as it was written, before anybody asks what it says: which bytes it may have, and whether it says anything.
//!
//! Reference 1.2. Blanks are space, tab and CR (LF ends a line). A line whose first byte that is no blank is `#` is a comment.
//! TOMOYO 1.7 took every other byte up to 0x20 and from 0x7F on for a blank too, so that `allow_read /srv/café` granted
//! `/srv/caf` (quirk Q31). Here such a byte is rejected, wherever it stands but in a comment or a COMMENT.

use super::{column, normalise, ParseError, Reason, Sink, Words};
use crate::edit::EditError;
use crate::mem::{OutOfMemory, Vec};
use crate::name::{encode, printable_len};

/// Bytes that a line may have: a name of 128 KiB (reference 1.6), and what stands around it. What takes lines in pieces
/// refuses longer ones with [`TOO_LONG`].
pub const MAX_LINE: usize = 132 * 1024;

/// What is said about a line that has more than [`MAX_LINE`] bytes.
pub const TOO_LONG: &str = "the line is longer than 135168 bytes; split it";

/// Whether a byte separates words.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Whether a line says nothing: it is blank, or a comment.
pub fn is_silent(line: &[u8]) -> bool {
    matches!(line.iter().find(|byte| !is_blank(**byte)), None | Some(b'#'))
}

/// Looks for a byte that no line may have.
///
/// # Errors
/// The first one.
pub(crate) fn check_bytes(line: &[u8]) -> Result<(), ParseError> {
    let mut rest = line;
    loop {
        rest = rest.get(printable_len(rest, 0)..).unwrap_or(&[]);
        match rest.split_first() {
            None => return Ok(()),
            Some((byte, tail)) if is_blank(*byte) => rest = tail,
            Some((byte, _)) => {
                let at = column(line.len().saturating_sub(rest.len()));
                return Err(ParseError::new(at, Reason::ForeignByte(*byte)));
            }
        }
    }
}

/// Bytes of a line that [`put_shown`] shows.
const SHOWN: usize = 120;

/// Prints a line for somebody who is told about it: as it was written, but for bytes that a terminal would act on, which are
/// shown as in a name; what is beyond the 120th byte is `...`.
///
/// # Errors
/// The sink is out of memory.
pub fn put_shown(line: &[u8], sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
    let mut unit = [0; 4];
    for byte in line.iter().take(SHOWN) {
        match byte {
            b' '..=b'~' => sink.put(&[*byte])?,
            0 => sink.put(b"\\000")?,
            _ => sink.put(encode(&[*byte], &mut unit).map_or(b"".as_slice(), |name| name.as_bytes()))?,
        }
    }
    sink.put(if line.len() > SHOWN { b"..." } else { b"" })
}

/// A line whose words stand one blank apart, so that the name of a domain can be borrowed from it. Of a comment nothing is left.
pub struct Normal<'a> {
    line: &'a [u8],
    /// The normalised line, if `line` is another one.
    copy: Option<Vec<u8>>,
}

impl<'a> Normal<'a> {
    /// Normalises a line; one that is normal already is not copied.
    ///
    /// # Errors
    /// Out of memory, or a byte that no line may have ([`Reason::ForeignByte`]).
    pub fn new(line: &'a [u8]) -> Result<Normal<'a>, EditError> {
        // Blanks behind the last word need no copy.
        let end = line.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last.saturating_add(1));
        let line = line.get(..end).unwrap_or(line);
        let mut rest = line;
        let normal = loop {
            let len = printable_len(rest, 0);
            rest = match rest.get(len..) {
                Some([b' ', tail @ ..]) if len > 0 => tail,
                Some(tail) => break tail.is_empty(),
                None => break false, // Never: there are that many.
            };
        };
        if is_silent(line) {
            return Ok(Normal { line: &[], copy: None });
        }
        if normal {
            return Ok(Normal { line, copy: None });
        }
        check_bytes(line)?;
        Ok(Normal { line, copy: Some(normalise(Words::new(line))?) })
    }

    /// The normalised line.
    pub fn bytes(&self) -> &[u8] {
        self.copy.as_deref().unwrap_or(self.line)
    }

    /// An error in the normalised line as one in the line as written.
    pub fn restore(&self, error: ParseError) -> ParseError {
        ParseError { column: self.written(error.column), ..error }
    }

    /// A column of the normalised line as one of the line as written.
    pub fn written(&self, column: u32) -> u32 {
        let Some(copy) = &self.copy else {
            return column;
        };
        let mut found = column;
        for ((normal, word), (written, _)) in Words::new(copy).zip(Words::new(self.line)) {
            // One behind the last byte of a word still belongs to it: something is missing there.
            let inside = column.wrapping_sub(normal);
            if inside as usize <= word.len() {
                found = written.saturating_add(inside);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn a_line_is_normal_without_blanks_at_its_ends() {
        for (line, normal) in [
            ("", ""),
            ("  ", ""),
            ("a b", "a b"),
            ("a b ", "a b"),
            ("a  b", "a b"),
            (" a", "a"),
            ("Policy: 0 ", "Policy: 0"),
            ("a\tb \t", "a b"),
            ("a b\r", "a b"),
            ("\r", ""),
            ("# a", ""),
            (" \t\r#a\u{e9}\0", ""),
            ("a # b", "a # b"),
        ] {
            let bytes = Normal::new(line.as_bytes()).expect("a line");
            assert_eq!(bytes.bytes(), normal.as_bytes(), "{line:?}");
            assert_eq!(is_silent(line.as_bytes()), normal.is_empty(), "{line:?}");
        }
    }

    #[test]
    fn every_byte_is_printable_or_blank_or_foreign() {
        for byte in 0..=u8::MAX {
            // In front, inside, at the end; alone, and where a run of eight bytes is looked at.
            for before in ["", "a", "a ", "  ", "a  b", "aaaaaaaa", "aaaaaaaaa"] {
                for behind in ["", "a", " ", " a", "aaaaaaaaa"] {
                    let line = [before.as_bytes(), &[byte], behind.as_bytes()].concat();
                    let good = matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
                    let found = match Normal::new(&line) {
                        Ok(_) => None,
                        Err(EditError::Parse(error)) => Some(error),
                        Err(EditError::OutOfMemory | EditError::Quota) => panic!("memory"),
                    };
                    let column = before.len() as u32 + 1;
                    let expected = ParseError { column, reason: Reason::ForeignByte(byte) };
                    assert_eq!(found, Some(expected).filter(|_| !good), "{}", line.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn what_a_line_is_shown_as() {
        for (line, shown) in [
            ("allow_read /a\\040b", "allow_read /a\\040b"),
            ("a\tb\r\u{e9}\0\x1B[1m\x7F", "a\\011b\\015\\303\\251\\000\\033[1m\\177"),
            ("", ""),
        ] {
            let mut text = Vec::new();
            put_shown(line.as_bytes(), &mut text).unwrap();
            assert_eq!(*text, *shown.as_bytes(), "{line:?}");
        }
        for (len, shown, end) in [(120, 120, "aaaa"), (121, 123, "a..."), (500, 123, "a...")] {
            let mut text = Vec::new();
            put_shown(&std::vec![b'a'; len], &mut text).unwrap();
            assert!(text.ends_with(end.as_bytes()) && text.len() == shown, "{len}");
        }
    }

    #[test]
    fn a_foreign_byte_is_part_of_its_word() {
        // Who forgets to ask for it must not see a shorter name.
        let words: std::vec::Vec<_> = Words::new(b"a\xC3\xA9 \x7Fb\x01c\td").collect();
        assert_eq!(words, [(1, &b"a\xC3\xA9"[..]), (5, b"\x7Fb\x01c"), (10, b"d")]);
    }
}
