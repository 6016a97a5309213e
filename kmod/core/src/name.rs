// SPDX-License-Identifier: MIT OR Apache-2.0

//! Names and words: the printable form of every byte string from outside (reference 1.1, 1.3, 1.4).
//!
//! A *unit* stands for one raw byte: the byte itself when it is printable, `\\` for the backslash, `\ooo` for
//! everything else. A *name* consists of units only. A *word* of the policy may also have wildcards, which are
//! pairs of a backslash and another character. Both are cut into [`Element`]s by one function, so that the
//! check of a word and the matching of it can never disagree.
//!
//! Each raw byte has exactly one unit. Therefore units can be compared by the raw bytes they stand for, and a
//! name that begins with the bytes of another name also begins with its units.

use crate::mem::{OutOfMemory, Vec};

/// The name of the root domain, and the beginning of the name of every domain.
pub const ROOT_DOMAIN: &[u8] = b"<kernel>";

/// Evidence that these bytes are an encoded name: nothing but units. It may be empty.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// Checks bytes that are said to be encoded already. `None` when they are not.
    pub fn new(encoded: &'a [u8]) -> Option<Name<'a>> {
        let mut rest = skip_plain(encoded);
        while !rest.is_empty() {
            match next_element(rest)? {
                (Element::Unit(_), tail) => rest = skip_plain(tail),
                _ => return None,
            }
        }
        Some(Name(encoded))
    }

    /// The encoded bytes, all of them from 0x21 to 0x7E.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The units that begin before byte `length`: all, or so many that one more would begin there or behind it.
    pub(crate) fn cut(self, length: usize) -> Name<'a> {
        if self.0.len() <= length {
            return self;
        }
        let mut rest = self.0;
        let mut used = 0;
        while used < length {
            let Some((_, tail)) = next_element(rest) else { return self };
            rest = tail;
            used = self.0.len().saturating_sub(rest.len());
        }
        self.0.get(..used).map_or(self, Name)
    }

    /// Whether this names a directory: only these end in `/` (reference 1.7).
    pub fn is_dir(self) -> bool {
        self.0.last() == Some(&b'/')
    }
}

/// Encodes raw bytes into `out` (reference 1.1); each takes one to four bytes there.
///
/// `None` when `out` is too small or when there is a byte 0 in `raw`, which no kernel string can contain.
pub fn encode<'b>(raw: &[u8], out: &'b mut [u8]) -> Option<Name<'b>> {
    let mut used = 0_usize;
    let mut places = out.iter_mut();
    let mut put = |byte: u8| -> Option<()> {
        *places.next()? = byte;
        used = used.checked_add(1)?;
        Some(())
    };
    for &byte in raw {
        match byte {
            0 => return None,
            b'\\' => {
                put(b'\\')?;
                put(b'\\')?;
            }
            0x21..=0x7E => put(byte)?,
            _ => {
                put(b'\\')?;
                put(b'0' | (byte >> 6))?;
                put(b'0' | ((byte >> 3) & 7))?;
                put(b'0' | (byte & 7))?;
            }
        }
    }
    let out: &'b [u8] = out;
    out.get(..used).map(Name)
}

/// Decodes into `out` and returns the part that was filled (reference 1.1). `None` when `out` is too small;
/// as many bytes as `encoded` has are always enough.
///
/// More lenient than [`Name::new`]: also the octal form of a printable byte is decoded. Whatever else follows
/// a backslash ends the string there, and so does `\000`.
pub fn decode_into<'b>(encoded: &[u8], out: &'b mut [u8]) -> Option<&'b [u8]> {
    let mut used = 0_usize;
    let mut places = out.iter_mut();
    let mut rest = encoded;
    while let Some((&first, tail)) = rest.split_first() {
        let byte = match (first, tail) {
            (b'\\', [b'\\', after @ ..]) => {
                rest = after;
                b'\\'
            }
            (b'\\', _) => match octal(tail) {
                Some((byte, after)) if byte != 0 => {
                    rest = after;
                    byte
                }
                _ => break,
            },
            _ => {
                rest = tail;
                first
            }
        };
        *places.next()? = byte;
        used = used.checked_add(1)?;
    }
    let out: &'b [u8] = out;
    out.get(..used)
}

/// Whether these bytes are a word of reference 1.3: units and wildcards, with `\{` only directly after a `/`
/// and its `\}` in the same component, directly before a `/`. The empty word is valid.
pub fn is_valid_word(word: &[u8]) -> bool {
    let mut rest = word;
    let mut after_slash = false;
    let mut in_group = false;
    loop {
        let tail = skip_plain(rest);
        if let Some(plain) = rest.get(..rest.len().saturating_sub(tail.len())) {
            if in_group && plain.contains(&b'/') {
                return false;
            }
            after_slash = plain.last().map_or(after_slash, |&last| last == b'/');
        }
        if tail.is_empty() {
            return !in_group;
        }
        // Begins with a backslash or is not valid, so it is no `/`.
        let Some((element, next)) = next_element(tail) else {
            return false;
        };
        match element {
            Element::Open if !after_slash || in_group => return false,
            Element::Open => in_group = true,
            Element::Close if !in_group || next.first() != Some(&b'/') => return false,
            Element::Close => in_group = false,
            _ => {}
        }
        after_slash = false;
        rest = next;
    }
}

/// What follows the bytes at the beginning that stand for themselves. Few words have anything else, so that most are
/// checked by this alone.
#[inline]
pub(crate) fn skip_plain(word: &[u8]) -> &[u8] {
    word.get(printable_len(word, b'\\')..).unwrap_or(&[])
}

/// Number of bytes at the beginning that are printable and not `except` (0 excepts none).
///
/// Goes by eight bytes at a time, because every byte of a policy comes this way several times.
#[inline]
pub(crate) fn printable_len(bytes: &[u8], except: u8) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let excepted = ONES.wrapping_mul(u64::from(except));
    let mut len = 0_usize;
    let mut rest = bytes;
    while let Some((chunk, more)) = rest.split_first_chunk::<8>() {
        let chunk = u64::from_le_bytes(*chunk);
        let other = chunk ^ excepted;
        // The top bit of a byte tells that it is out. A borrow or carry only reaches the bytes above one that is out, so
        // that the lowest of these bits is always right.
        let below = chunk.wrapping_sub(ONES.wrapping_mul(0x21)) & !chunk;
        let above = chunk.wrapping_add(ONES) | chunk;
        let equal = other.wrapping_sub(ONES) & !other;
        let out = (below | above | equal) & TOPS;
        if out != 0 {
            return len.wrapping_add((out.trailing_zeros() >> 3) as usize);
        }
        len = len.wrapping_add(8);
        rest = more;
    }
    let good = |byte: &u8| byte.wrapping_sub(0x21) <= 0x7E - 0x21 && *byte != except;
    len.wrapping_add(rest.iter().position(|byte| !good(byte)).unwrap_or(rest.len()))
}

/// Where the first `/` is. Goes by eight bytes at a time, because every look-up comes this way several times.
#[inline]
pub(crate) fn find_slash(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut at = 0_usize;
    let mut rest = bytes;
    while let Some((chunk, more)) = rest.split_first_chunk::<8>() {
        // The lowest byte whose top bit is set is the first that is equal, as in [`printable_len`].
        let other = u64::from_le_bytes(*chunk) ^ ONES.wrapping_mul(b'/' as u64);
        let equal = other.wrapping_sub(ONES) & !other & (ONES << 7);
        if equal != 0 {
            return Some(at.wrapping_add((equal.trailing_zeros() >> 3) as usize));
        }
        at = at.wrapping_add(8);
        rest = more;
    }
    rest.iter().position(|byte| *byte == b'/').map(|last| at.wrapping_add(last))
}

/// Whether these bytes are the name of a domain (reference 1.4): `<kernel>`, then any number of components,
/// each behind exactly one space, beginning with `/` and consisting of units.
pub fn is_valid_domain(name: &[u8]) -> bool {
    let mut components = name.split(|&byte| byte == b' ');
    components.next() == Some(ROOT_DOMAIN)
        && components.all(|component| component.first() == Some(&b'/') && Name::new(component).is_some())
}

/// The name of a domain, owned and checked.
pub struct DomainName(Vec<u8>);

impl DomainName {
    /// Takes over bytes that were put together elsewhere. `None` when they are no name of a domain.
    pub fn new(name: Vec<u8>) -> Option<DomainName> {
        if is_valid_domain(&name) {
            Some(DomainName(name))
        } else {
            None
        }
    }

    /// Copies a name. `Ok(None)` when it is no name of a domain.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`] when the copy does not fit.
    pub fn copy_from(name: &[u8]) -> Result<Option<DomainName>, OutOfMemory> {
        let mut copy = Vec::with_capacity(name.len())?;
        copy.extend_from_slice(name)?;
        Ok(DomainName::new(copy))
    }

    /// The bytes of the name, spaces between components included.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The last component: normally the program that was executed; for the root domain `<kernel>`.
    pub fn last_word(&self) -> &[u8] {
        last_word(&self.0)
    }

    /// Bytes of memory held by the name.
    pub fn capacity_bytes(&self) -> usize {
        self.0.capacity_bytes()
    }
}

/// What follows the last space; everything, when there is none.
pub(crate) fn last_word(name: &[u8]) -> &[u8] {
    name.rsplit(|&byte| byte == b' ').next().unwrap_or(name)
}

/// What a unit is tested for by a wildcard. Never true for `/`, because `/` is never inside of a component.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Any,
    AnyButDot,
    Digit,
    Hex,
    Letter,
}

impl Class {
    /// `unit` is the raw byte that the unit stands for: what is not printable belongs to `Any` only.
    pub(crate) fn contains(self, unit: u8) -> bool {
        match self {
            Class::Any => unit != b'/',
            Class::AnyButDot => unit != b'/' && unit != b'.',
            Class::Digit => unit.is_ascii_digit(),
            Class::Hex => unit.is_ascii_hexdigit(),
            Class::Letter => unit.is_ascii_alphabetic(),
        }
    }
}

/// Of a unit, all that classes can tell from others: it is `.`, a digit, a hexadecimal letter, another letter, or anything
/// else.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Dot,
    Digit,
    HexLetter,
    Letter,
    Other,
}

impl Kind {
    /// How many there are.
    pub(crate) const COUNT: usize = 5;

    /// A unit of each kind.
    pub(crate) const EXAMPLES: [u8; Kind::COUNT] = [b'.', b'0', b'a', b'g', b'-'];

    /// The kind of each unit, so that finding it is one look.
    #[cfg_attr(not(sekisho_kernel), expect(clippy::indexing_slicing, reason = "the compiler does it"))]
    const TABLE: [Kind; 256] = {
        let mut table = [Kind::Other; 256];
        let mut unit = 0_usize;
        while unit < table.len() {
            table[unit] = Kind::find(unit as u8);
            unit = unit.wrapping_add(1);
        }
        table
    };

    /// The kind of a unit.
    #[inline(always)]
    pub(crate) fn of(unit: u8) -> Kind {
        Kind::TABLE.get(usize::from(unit)).copied().unwrap_or(Kind::Other)
    }

    const fn find(unit: u8) -> Kind {
        match unit {
            b'.' => Kind::Dot,
            b'0'..=b'9' => Kind::Digit,
            b'a'..=b'f' | b'A'..=b'F' => Kind::HexLetter,
            b'g'..=b'z' | b'G'..=b'Z' => Kind::Letter,
            _ => Kind::Other,
        }
    }
}

/// One element of a word (reference 2.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    /// A unit, as the raw byte that it stands for.
    Unit(u8),
    /// `\?` `\+` `\x` `\a`: exactly one unit of the class.
    One(Class),
    /// `\$` `\X` `\A`: one or more.
    Some(Class),
    /// `\*` `\@`: any number, also none.
    Many(Class),
    /// `\-`: what follows is subtracted.
    Minus,
    /// `\{`
    Open,
    /// `\}`
    Close,
}

/// Cuts the first element off. `None` when there is none, or no valid one.
pub(crate) fn next_element(word: &[u8]) -> Option<(Element, &[u8])> {
    let (&first, rest) = word.split_first()?;
    match first {
        b'\\' => {}
        0x21..=0x7E => return Some((Element::Unit(first), rest)),
        _ => return None,
    }
    let (&letter, tail) = rest.split_first()?;
    let element = match letter {
        b'\\' => Element::Unit(b'\\'),
        b'?' => Element::One(Class::Any),
        b'+' => Element::One(Class::Digit),
        b'x' => Element::One(Class::Hex),
        b'a' => Element::One(Class::Letter),
        b'$' => Element::Some(Class::Digit),
        b'X' => Element::Some(Class::Hex),
        b'A' => Element::Some(Class::Letter),
        b'*' => Element::Many(Class::Any),
        b'@' => Element::Many(Class::AnyButDot),
        b'-' => Element::Minus,
        b'{' => Element::Open,
        b'}' => Element::Close,
        _ => {
            // Only one spelling of each byte: none for 0, and none for those that stand for themselves.
            let (byte, tail) = octal(rest)?;
            return match byte {
                1..=0x20 | 0x7F..=0xFF => Some((Element::Unit(byte), tail)),
                _ => None,
            };
        }
    };
    Some((element, tail))
}

/// Reads the three digits of `\ooo`.
fn octal(digits: &[u8]) -> Option<(u8, &[u8])> {
    match digits {
        [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
            Some((((a & 3) << 6) | ((b & 7) << 3) | (c & 7), tail))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    fn encoded(raw: &[u8]) -> std::vec::Vec<u8> {
        let mut out = [0; 64];
        encode(raw, &mut out).unwrap().as_bytes().to_vec()
    }

    #[test]
    fn the_examples_of_the_reference() {
        assert_eq!(encoded(b"My File"), br"My\040File");
        assert_eq!(encoded(br"C:\x"), br"C:\\x");
        assert_eq!(encoded("é".as_bytes()), br"\303\251");
        assert_eq!(encoded(b"\t\x7F\"*?@#="), br#"\011\177"*?@#="#);
        assert!(encode(b"a\0", &mut [0; 9]).is_none());
        assert!(encode(b"a b", &mut [0; 5]).is_none());
        assert!(encode(b"a b", &mut [0; 6]).is_some());
    }

    #[test]
    fn decoding_ends_at_what_it_does_not_know() {
        let mut out = [0; 16];
        assert_eq!(decode_into(br"a\040b\\c", &mut out), Some(&br"a b\c"[..]));
        assert_eq!(decode_into(br"\101\057", &mut out), Some(&b"A/"[..]));
        for end in [r"ab\", r"ab\*c", r"ab\400", r"ab\04", r"ab\000c"] {
            assert_eq!(decode_into(end.as_bytes(), &mut out), Some(&b"ab"[..]));
        }
        assert_eq!(decode_into(b"abc", &mut [0; 2]), None);
    }

    #[test]
    fn names_are_units_only() {
        for good in ["", "/", r"/a\040b\\", "pipe:[1]", "*?@"] {
            assert!(Name::new(good.as_bytes()).is_some(), "{good}");
        }
        for bad in ["a b", "\t", "é", r"\*", r"\-", r"\", r"\101", r"\134", r"\057", r"\000", r"\400", r"\04"]
        {
            assert!(Name::new(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(Name::new(b"/tmp/").unwrap().is_dir());
        assert!(!Name::new(b"/tmp").unwrap().is_dir());
        assert!(!Name::new(b"").unwrap().is_dir());
    }

    #[test]
    fn words() {
        for good in ["", r"\$\+\?\*\@\x\X\a\A\-", r"/\{\}/", r"/\{a\-b\}/\{\*\}/c", r"x\\{a\\}", r"\040"] {
            assert!(is_valid_word(good.as_bytes()), "{good}");
        }
        for bad in [
            r"\q",
            r"a\",
            r"\101",
            r"\000",
            r"\400",
            r"/\04",
            r"\{a\}/b",
            r"/a\{b\}/",
            r"/\{a\}",
            r"/\{a/b\}/",
            r"/\{a/",
            r"/\{a",
            r"/a\}/",
            r"/\{\{a\}/",
            r"/\{a\}\}/",
            r"/\{a\}b/",
            "a b",
            "a\x7F",
        ] {
            assert!(!is_valid_word(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn printable_beginnings() {
        for len in 0..20 {
            let mut bytes = [b'a'; 20];
            for out in [0, 1, 0x1F, 0x20, 0x7F, 0x80, 0xA0, 0xFE, 0xFF, b'\\'] {
                for behind in [b'a', 0, 0x20, 0x21, 0x5B, 0x5D, 0x7E, 0x7F, 0x80, 0xFF] {
                    bytes[len..].fill(behind);
                    bytes[len] = out;
                    assert_eq!(printable_len(&bytes, b'\\'), len, "{out} {behind}");
                    assert_eq!(printable_len(&bytes[..len], 0), len);
                }
            }
            for fine in [0x21, 0x5B, 0x5D, 0x7E] {
                bytes.fill(fine);
                assert_eq!(printable_len(&bytes[..len], b'\\'), len);
                bytes[len] = b'\\';
                assert_eq!(printable_len(&bytes, 0), 20);
            }
        }
    }

    #[test]
    fn domains() {
        for good in ["<kernel>", "<kernel> /sbin/init", r"<kernel> / /a/ //app=x /b\040c"] {
            let name = DomainName::copy_from(good.as_bytes()).unwrap().unwrap();
            assert_eq!(name.as_bytes(), good.as_bytes());
            assert_eq!(name.last_word(), good.rsplit(' ').next().unwrap().as_bytes());
        }
        for bad in [
            "",
            "<kerne",
            "<kernel>x",
            "<kernel>/a",
            "<kernel> ",
            "<kernel> a",
            "<kernel>  /a",
            "<kernel> /a ",
            "<kernel> /a  /b",
            r"<kernel> /\*",
            r"<kernel> /a\",
            "<kernel> /a b",
            "<kernel> \t/a",
        ] {
            assert!(DomainName::copy_from(bad.as_bytes()).unwrap().is_none(), "{bad}");
        }
    }
}
