// SPDX-License-Identifier: MIT OR Apache-2.0
//! IPv4 and IPv6 addresses and ranges of them (reference 3.8).
//!
//! Stricter than 1.7, which took numbers modulo 256 and ignored what followed an address (quirk Q21: reject): an address
//! with a slip of the pen must not allow another one.

use crate::mem::OutOfMemory;
use crate::number::{Number, Radix};
use crate::text::{self, Sink};

/// An address, in network order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(sekisho_kernel), derive(Debug))]
pub enum Address {
    /// IPv4
    V4([u8; 4]),
    /// IPv6
    V6([u8; 16]),
}

/// Two addresses of one family and everything between them. If the first is above the second, nothing is in the range.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(sekisho_kernel), derive(Debug))]
pub struct AddressRange {
    /// The first address.
    pub min: Address,
    /// The last address.
    pub max: Address,
}

impl Address {
    /// Reads `1.2.3.4` or eight groups of hexadecimal digits. `None` for anything else.
    pub fn parse(word: &[u8]) -> Option<Address> {
        if word.contains(&b':') {
            parse_v6(word).map(Address::V6)
        } else {
            parse_v4(word).map(Address::V4)
        }
    }

    /// Where the address is among those of its family, and a number for the family.
    pub(crate) fn point(&self) -> (u64, [u64; 2]) {
        match self {
            Address::V4(bytes) => (4, [0, u32::from_be_bytes(*bytes).into()]),
            Address::V6(bytes) => {
                let half = |half: Option<&[u8; 8]>| half.map_or(0, |half| u64::from_be_bytes(*half));
                (6, [half(bytes.first_chunk()), half(bytes.last_chunk())])
            }
        }
    }

    const fn is_same_family(&self, other: &Address) -> bool {
        matches!((self, other), (Address::V4(_), Address::V4(_)) | (Address::V6(_), Address::V6(_)))
    }

    /// Prints the address: dotted decimal, or eight lower-case groups without leading zeros.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        match self {
            Address::V4(bytes) => {
                let mut dot: &[u8] = b"";
                for byte in bytes {
                    sink.put(dot)?;
                    text::put_u32(sink, u32::from(*byte))?;
                    dot = b".";
                }
                Ok(())
            }
            Address::V6(bytes) => {
                let mut colon: &[u8] = b"";
                for pair in bytes.chunks_exact(2) {
                    sink.put(colon)?;
                    let group = pair.iter().fold(0_u16, |group, byte| (group << 8) | u16::from(*byte));
                    put_hex(sink, group)?;
                    colon = b":";
                }
                Ok(())
            }
        }
    }
}

fn put_hex(sink: &mut dyn Sink, group: u16) -> Result<(), OutOfMemory> {
    let mut started = false;
    for shift in [12, 8, 4, 0] {
        let digit = ((group >> shift) & 15) as usize;
        started |= digit != 0 || shift == 0;
        if started {
            sink.put(b"0123456789abcdef".get(digit..=digit).unwrap_or(b"0"))?;
        }
    }
    Ok(())
}

fn parse_v4(word: &[u8]) -> Option<[u8; 4]> {
    let mut bytes = [0; 4];
    let mut rest = word;
    let mut first = true;
    for byte in &mut bytes {
        if !first {
            rest = rest.strip_prefix(b".")?;
        }
        first = false;
        // Not `Number::parse`: a leading 0 does not mean octal here. Up to three digits.
        let (mut value, mut room) = (0_u32, 3_u32);
        while let [digit @ b'0'..=b'9', tail @ ..] = rest {
            room = room.checked_sub(1)?;
            value = value.wrapping_mul(10).wrapping_add(u32::from(*digit & 15));
            rest = tail;
        }
        *byte = u8::try_from(value).ok().filter(|_| room < 3)?;
    }
    rest.is_empty().then_some(bytes)
}

fn parse_v6(word: &[u8]) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let mut parts = word.split(|byte| *byte == b':');
    for place in bytes.chunks_exact_mut(2) {
        let part = parts.next()?;
        if !(1..=4).contains(&part.len()) || !part.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let group = part.iter().fold(0_u16, |group, digit| {
            let value = if digit.is_ascii_digit() { digit & 15 } else { (digit & 7).wrapping_add(9) };
            (group << 4) | u16::from(value)
        });
        for (byte, value) in place.iter_mut().zip(group.to_be_bytes()) {
            *byte = value;
        }
    }
    match parts.next() {
        None => Some(bytes),
        Some(_) => None,
    }
}

impl AddressRange {
    /// The range of one address.
    pub const fn single(address: Address) -> AddressRange {
        AddressRange { min: address, max: address }
    }

    /// Reads `ADDRESS` or `ADDRESS-ADDRESS`, both of one family. `None` for anything else.
    pub fn parse(word: &[u8]) -> Option<AddressRange> {
        let (min, max) = match word.iter().position(|byte| *byte == b'-') {
            None => {
                let single = Address::parse(word)?;
                (single, single)
            }
            Some(dash) => {
                (Address::parse(word.get(..dash)?)?, Address::parse(word.get(dash.saturating_add(1)..)?)?)
            }
        };
        min.is_same_family(&max).then_some(AddressRange { min, max })
    }

    /// Whether an address is in the range; never one of the other family.
    pub fn contains(&self, address: &Address) -> bool {
        // The order of the variants puts all of IPv4 below all of IPv6, and both ends are of one family.
        self.min <= *address && *address <= self.max && self.min.is_same_family(address)
    }

    /// Whether the first address is above the last one.
    pub fn is_empty(&self) -> bool {
        self.min > self.max
    }

    /// Prints the range; equal ends once.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        self.min.print(sink)?;
        if self.min != self.max {
            sink.put(b"-")?;
            self.max.print(sink)?;
        }
        Ok(())
    }
}

/// A port in records and learned lines.
pub(crate) const fn port_number(port: u16) -> Number {
    Number { value: port as u64, radix: Radix::Decimal }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{Address, AddressRange};
    use crate::mem::Vec;
    use std::string::String;

    fn printed(word: &str) -> Option<String> {
        let mut text = Vec::new();
        AddressRange::parse(word.as_bytes())?.print(&mut text).unwrap();
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    #[test]
    fn spellings() {
        for (word, expected) in [
            ("10.0.0.1", "10.0.0.1"),
            ("010.1.02.003", "10.1.2.3"),
            ("1.2.3.4-1.2.3.4", "1.2.3.4"),
            ("1.2.3.4-1.2.3.3", "1.2.3.4-1.2.3.3"),
            ("FE80:0:0:0:0:0:0:01", "fe80:0:0:0:0:0:0:1"),
            ("0:0:0:0:0:0:0:0-0:0:0:0:0:0:0:ffff", "0:0:0:0:0:0:0:0-0:0:0:0:0:0:0:ffff"),
        ] {
            assert_eq!(printed(word).as_deref(), Some(expected), "{word}");
        }
        for bad in [
            "",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1.2.3.4foo",
            "1.2.3.",
            "1.2.3.4-",
            "1.2.3.4-5",
            "1..3.4",
            "::1",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7:12345",
            "1:2:3:4:5:6:7:g",
            "1:2:3:4:5:6:1.2.3.4",
            "1.2.3.4-0:0:0:0:0:0:0:1",
            "1.2.3.0004",
            "+1.2.3.4",
        ] {
            assert_eq!(printed(bad), None, "{bad}");
        }
    }

    #[test]
    fn membership() {
        let lan = AddressRange::parse(b"192.168.1.0-192.168.1.255").unwrap();
        assert!(
            lan.contains(&Address::V4([192, 168, 1, 0])) && lan.contains(&Address::V4([192, 168, 1, 255]))
        );
        assert!(
            !lan.contains(&Address::V4([192, 168, 2, 0])) && !lan.contains(&Address::V4([192, 168, 0, 255]))
        );
        let all = AddressRange::parse(b"0:0:0:0:0:0:0:0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").unwrap();
        assert!(!all.contains(&Address::V4([1, 2, 3, 4])) && all.contains(&Address::V6([7; 16])));
        let reversed = AddressRange::parse(b"2.0.0.0-1.0.0.0").unwrap();
        assert!(reversed.is_empty() && !reversed.contains(&Address::V4([1, 5, 0, 0])));
    }
}
