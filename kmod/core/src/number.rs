// SPDX-License-Identifier: MIT OR Apache-2.0

//! Numbers and ranges of the policy (reference 1.5).
//!
//! A number remembers its radix, because it is printed in it and because `0644` and `420` are different
//! arguments. Unlike 1.7, a number that does not fit into 64 bits is rejected, it does not wrap; and 64 bits are
//! the width on every machine.
//!
//! Printing divides 32-bit numbers only: on 32-bit ARM a division of 64-bit numbers would be a call to a function
//! that the kernel does not have (reference "Rust LSM" 4.4).

use crate::mem::OutOfMemory;
use crate::text::Sink;

/// How a number is written.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub enum Radix {
    /// `493`
    #[default]
    Decimal,
    /// `0755`; zero is `00`.
    Octal,
    /// `0x1ED`
    Hexadecimal,
}

/// A number and how it is written. Two of them are equal only if both agree.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Number {
    /// The value.
    pub value: u64,
    /// The radix in which it is printed.
    pub radix: Radix,
}

impl Number {
    /// A decimal number.
    pub const fn decimal(value: u64) -> Number {
        Number { value, radix: Radix::Decimal }
    }

    /// An octal number, as for the mode of a file.
    pub const fn octal(value: u64) -> Number {
        Number { value, radix: Radix::Octal }
    }

    /// A hexadecimal number.
    pub const fn hexadecimal(value: u64) -> Number {
        Number { value, radix: Radix::Hexadecimal }
    }

    /// Reads a word that is one number. `None` when it is not, or when it is above [`u64::MAX`].
    pub fn parse(word: &[u8]) -> Option<Number> {
        match Number::parse_prefix(word)? {
            (number, []) => Some(number),
            _ => None,
        }
    }

    /// Reads the number at the beginning and returns what follows its last digit.
    fn parse_prefix(word: &[u8]) -> Option<(Number, &[u8])> {
        let (radix, base, digits): (_, u8, _) = match word {
            [b'0', b'x' | b'X', digits @ ..] => (Radix::Hexadecimal, 16, digits),
            [b'0', b'0'..=b'7', ..] => (Radix::Octal, 8, word),
            _ => (Radix::Decimal, 10, word),
        };
        let mut value = 0_u64;
        let mut rest = digits;
        while let Some((&byte, tail)) = rest.split_first() {
            let digit = match byte {
                b'0'..=b'9' => byte & 15,
                b'a'..=b'f' | b'A'..=b'F' => (byte & 7).wrapping_add(9),
                _ => break,
            };
            if digit >= base {
                break;
            }
            value = value.checked_mul(u64::from(base))?.checked_add(u64::from(digit))?;
            rest = tail;
        }
        if rest.len() == digits.len() {
            return None;
        }
        Some((Number { value, radix }, rest))
    }

    /// Prints the number.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`] of the sink.
    pub fn print(self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        sink.put(self.digits().as_bytes())
    }

    fn digits(self) -> Digits {
        let mut digits = Digits { bytes: [0; Digits::MAX], unused: Digits::MAX };
        match self.radix {
            Radix::Decimal => digits.put_decimal(self.value),
            Radix::Octal => {
                digits.put_bits(self.value, 3);
                digits.put(b'0');
            }
            Radix::Hexadecimal => {
                digits.put_bits(self.value, 4);
                digits.put(b'x');
                digits.put(b'0');
            }
        }
        digits
    }
}

/// A printed number: bytes on the stack. Filled from the end, because the last digit comes first.
struct Digits {
    bytes: [u8; Digits::MAX],
    unused: usize,
}

impl Digits {
    /// The longest number is the octal one: a `0` and 22 digits.
    const MAX: usize = 23;

    fn put(&mut self, byte: u8) {
        self.unused = self.unused.saturating_sub(1);
        if let Some(place) = self.bytes.get_mut(self.unused) {
            *place = byte;
        }
    }

    /// Prints digits of `bits` bits each, 4 at most.
    fn put_bits(&mut self, value: u64, bits: u32) {
        let mask = 1_u64.wrapping_shl(bits).wrapping_sub(1);
        let mut rest = value;
        loop {
            // 0 to 15 is left, so nothing is cut off.
            let digit = (rest & mask) as u8;
            self.put(if digit < 10 { b'0' | digit } else { (b'A' - 10).wrapping_add(digit) });
            rest = rest.wrapping_shr(bits);
            if rest == 0 {
                return;
            }
        }
    }

    /// Prints decimal digits: divides four 16-bit places by ten, as on paper, until nothing is left.
    fn put_decimal(&mut self, value: u64) {
        let mut places = [value >> 48, value >> 32, value >> 16, value].map(|place| (place & 0xFFFF) as u32);
        loop {
            let mut remainder = 0_u32;
            for place in &mut places {
                // Below 10 * 0x10000, and the quotient is below 0x10000 again.
                let dividend = (remainder << 16) | *place;
                *place = dividend / 10;
                remainder = dividend % 10;
            }
            self.put(b'0' | remainder as u8);
            if places == [0; 4] {
                return;
            }
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.unused..).unwrap_or_default()
    }
}

/// Two numbers and everything between them, both included. A single number is a range from itself to itself.
///
/// A range whose first number is above the second is allowed in ACL entries. It contains nothing and overlaps
/// nothing. Equality is that of both numbers, radix included.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct NumberRange {
    /// The smallest value.
    pub min: Number,
    /// The largest value.
    pub max: Number,
}

impl NumberRange {
    /// The range of one number.
    pub const fn single(number: Number) -> NumberRange {
        NumberRange { min: number, max: number }
    }

    /// Reads a word `N` or `N-M`. `None` when it is neither; `@GROUP` is not dealt with here.
    pub fn parse(word: &[u8]) -> Option<NumberRange> {
        let (min, rest) = Number::parse_prefix(word)?;
        let max = match rest {
            [] => min,
            [b'-', second @ ..] => Number::parse(second)?,
            _ => return None,
        };
        Some(NumberRange { min, max })
    }

    /// Whether the first number is above the second, so that nothing is in the range.
    pub fn is_empty(&self) -> bool {
        self.min.value > self.max.value
    }

    /// Whether `value` is in the range.
    pub fn contains(&self, value: u64) -> bool {
        self.min.value <= value && value <= self.max.value
    }

    /// Whether at least one value is in both ranges: what `=` means in a condition (reference 5.4).
    pub fn overlaps(&self, other: &NumberRange) -> bool {
        !self.is_empty()
            && !other.is_empty()
            && self.min.value <= other.max.value
            && other.min.value <= self.max.value
    }

    /// Prints the range; as one number when both are equal in value and radix.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`] of the sink.
    pub fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        self.min.print(sink)?;
        if self.min != self.max {
            sink.put(b"-")?;
            self.max.print(sink)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Number, NumberRange, Radix};
    use crate::mem::Vec;
    use std::string::String;

    fn number(word: &str) -> Option<String> {
        let mut text = Vec::new();
        Number::parse(word.as_bytes())?.print(&mut text).unwrap();
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    fn range(word: &str) -> Option<String> {
        let mut text = Vec::new();
        NumberRange::parse(word.as_bytes())?.print(&mut text).unwrap();
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    #[test]
    fn spellings() {
        for (word, printed) in [
            ("0", "0"),
            ("00", "00"),
            ("0000", "00"),
            ("08", "8"),
            ("09", "9"),
            ("080", "80"),
            ("10", "10"),
            ("007", "07"),
            ("000644", "0644"),
            ("0x1f", "0x1F"),
            ("0X10", "0x10"),
            ("0x0", "0x0"),
            ("0xabcdef0123456789", "0xABCDEF0123456789"),
            ("65536", "65536"),
            ("4294967296", "4294967296"),
            ("18446744073709551615", "18446744073709551615"),
            ("0xFFFFFFFFFFFFFFFF", "0xFFFFFFFFFFFFFFFF"),
            ("01777777777777777777777", "01777777777777777777777"),
        ] {
            assert_eq!(number(word).as_deref(), Some(printed), "{word}");
        }
        for bad in [
            "",
            "-1",
            "+1",
            "0x",
            "0xg",
            "018",
            "1a",
            "1 ",
            "a",
            "0b1",
            "18446744073709551616",
            "0x10000000000000000",
            "02000000000000000000000",
            "99999999999999999999",
        ] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }

    #[test]
    fn identity_includes_the_radix() {
        let octal = Number::parse(b"0644").unwrap();
        assert!(octal == Number { value: 420, radix: Radix::Octal });
        assert!(octal != Number::parse(b"420").unwrap());
    }

    #[test]
    fn ranges() {
        for (word, printed) in [
            ("5", "5"),
            ("5-5", "5"),
            ("8-010", "8-010"),
            ("0x0-0XF", "0x0-0xF"),
            ("9-3", "9-3"),
            ("00-0777", "00-0777"),
        ] {
            assert_eq!(range(word).as_deref(), Some(printed), "{word}");
        }
        for bad in ["", "-", "1-", "-1", "1--2", "1-2-3", "1-x", "@G", "0x-1", "1-18446744073709551616"] {
            assert_eq!(range(bad), None, "{bad}");
        }
    }

    #[test]
    fn membership() {
        let some = |word: &str| NumberRange::parse(word.as_bytes()).unwrap();
        assert!(some("10-20").contains(10) && some("10-20").contains(20));
        assert!(!some("10-20").contains(9) && !some("10-20").contains(21));
        assert!(!some("20-10").contains(15));
        assert!(some("10-20").overlaps(&some("20-30")));
        assert!(!some("10-20").overlaps(&some("21-30")));
        assert!(!some("20-10").overlaps(&some("0-100")));
    }
}
