// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cutting a policy file into writes that end at line ends.
//!
//! The kernel copies a whole write before it reads the lines in it, so the size of a write is memory that the kernel has
//! to find at once. A line that were cut by a write's end would depend on the kernel keeping the rest; whole lines
//! depend on nothing (reference 10.1).

/// Bytes that one write should not exceed. Only a single longer line makes a longer write.
pub const CHUNK: usize = 16 * 1024;

/// Splits `text` into pieces of at most `limit` bytes that end behind a newline. A longer line is one piece; the last
/// piece may lack the newline if the file does.
pub fn chunks(text: &[u8], limit: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let window = rest.get(..limit).unwrap_or(rest);
        let end = match window.iter().rposition(|&b| b == b'\n') {
            Some(newline) => newline + 1,
            // No line ends in the window: take the whole first line, however long.
            None => rest.iter().position(|&b| b == b'\n').map_or(rest.len(), |newline| newline + 1),
        };
        let (piece, tail) = rest.split_at(end);
        rest = tail;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, limit: usize) -> Vec<&str> {
        chunks(text.as_bytes(), limit).map(|piece| std::str::from_utf8(piece).unwrap()).collect()
    }

    #[test]
    fn ends_at_line_ends() {
        assert_eq!(cut("aa\nbb\ncc\n", 6), ["aa\nbb\n", "cc\n"]);
        assert_eq!(cut("aa\nbb\ncc\n", 7), ["aa\nbb\n", "cc\n"]);
        assert_eq!(cut("aa\nbb\ncc", 100), ["aa\nbb\n", "cc"]);
    }

    #[test]
    fn a_long_line_stays_whole() {
        assert_eq!(cut("aa\nlonglongline\nb\n", 4), ["aa\n", "longlongline\n", "b\n"]);
        assert_eq!(cut("no newline at all", 4), ["no newline at all"]);
    }

    /// A part of a page would be as dear for the kernel as a whole one.
    #[test]
    fn a_write_fills_whole_pages() {
        assert!((4096..=64 * 1024).contains(&CHUNK));
        assert_eq!(CHUNK % 4096, 0);
    }

    #[test]
    fn nothing_gives_nothing() {
        assert!(cut("", 4).is_empty());
    }

    #[test]
    fn nothing_is_lost() {
        let text: String = (0..2000).map(|n| format!("line {n}\n")).collect();
        assert_eq!(cut(&text, 64).concat(), text);
        assert!(cut(&text, 64).iter().all(|piece| piece.len() <= 64));
    }
}
