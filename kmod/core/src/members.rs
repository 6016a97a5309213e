// SPDX-License-Identifier: MIT OR Apache-2.0
//! The members of a group as they were written: in order, each once.
//!
//! Most groups have few, in one piece of memory. A group that has more keeps them in a list of strings that finds each
//! ([`crate::unique`]), so that one more costs the same in a group of a hundred thousand.

use crate::address::{Address, AddressRange};
use crate::link::{Link, SHARED};
use crate::mem::{OutOfMemory, Vec};
use crate::number::{Number, NumberRange, Radix};
use crate::radix::Place as _;
use crate::unique::Unique;
use core::mem::size_of;

/// Members that are kept in one piece.
const FEW: usize = 32;

/// What can be a member.
pub trait Member: Copy + PartialEq {
    /// Bytes that are the same for equal members only.
    ///
    /// # Errors
    /// Out of memory.
    fn encode(&self) -> Result<Vec<u8>, OutOfMemory>;
    /// The member that has these bytes.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// The members.
pub struct Members<T> {
    few: Vec<T>,
    /// All of them, if they are too many.
    many: Option<Link<Unique>>,
}

impl<T: Member> Members<T> {
    pub(crate) const fn new() -> Self {
        Members { few: Vec::new(), many: None }
    }

    fn many(&self) -> Option<&Unique> {
        self.many.as_ref().map(Link::get)
    }

    /// Whether they are few: in one piece.
    pub(crate) fn few(&self) -> Option<&[T]> {
        match self.many {
            None => Some(&self.few),
            Some(_) => None,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.many().map_or(self.few.len(), |many| many.len() as usize)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_none()
    }

    /// All in order.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        let many = self.many().into_iter().flat_map(|many| many.iter().filter_map(T::decode));
        self.few.iter().copied().chain(many)
    }

    /// Adds a member. False if it is there.
    pub(crate) fn add(&mut self, member: T, seed: u64) -> Result<bool, OutOfMemory> {
        if let Some(many) = &mut self.many {
            return many.edit()?.add(&member.encode()?);
        }
        if self.few.contains(&member) {
            return Ok(false);
        }
        if self.few.len() < FEW {
            return self.few.push(member).map(|()| true);
        }
        let mut many = Unique::new(seed);
        for member in self.few.iter().chain([&member]) {
            many.add(&member.encode()?)?;
        }
        self.many = Some(Link::new(many)?);
        self.few.clear();
        Ok(true)
    }

    /// Removes a member. False if it is not there.
    pub(crate) fn remove(&mut self, member: T) -> Result<bool, OutOfMemory> {
        let Some(many) = &mut self.many else {
            let place = self.few.iter().position(|old| *old == member);
            return Ok(place.and_then(|place| self.few.remove(place)).is_some());
        };
        let many = many.edit()?;
        if !many.remove(&member.encode()?)? {
            return Ok(false);
        }
        if many.len() as usize <= FEW {
            let mut few = Vec::with_capacity(FEW)?;
            for member in many.iter().filter_map(T::decode) {
                few.push(member)?;
            }
            (self.few, self.many) = (few, None);
        }
        Ok(true)
    }

    /// The same, shared.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        let mut copy = Members { few: self.few.try_clone()?, many: None };
        self.many.share_into(&mut copy.many)?;
        Ok(copy)
    }

    /// Makes everything shared.
    pub(crate) fn freeze(&mut self) {
        self.few.trim();
        self.many.freeze();
    }

    /// Bytes of memory behind this, exact lengths.
    pub(crate) fn bytes(&self) -> usize {
        let own = size_of::<Unique>().saturating_add(SHARED);
        let many = self.many().map_or(0, |many| own.saturating_add(many.bytes()));
        self.few.len().saturating_mul(size_of::<T>()).saturating_add(many)
    }
}

impl Member for u32 {
    fn encode(&self) -> Result<Vec<u8>, OutOfMemory> {
        collect(&[&self.to_le_bytes()])
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }
}

const RADICES: [Radix; 3] = [Radix::Decimal, Radix::Octal, Radix::Hexadecimal];

impl Member for NumberRange {
    fn encode(&self) -> Result<Vec<u8>, OutOfMemory> {
        let radices = [self.min.radix as u8, self.max.radix as u8];
        collect(&[&radices, &self.min.value.to_le_bytes(), &self.max.value.to_le_bytes()])
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let number = |radix: u8, value: &[u8]| {
            let value = u64::from_le_bytes(value.try_into().ok()?);
            Some(Number { value, radix: *RADICES.get(usize::from(radix))? })
        };
        let [min, max, values @ ..] = bytes else {
            return None;
        };
        Some(NumberRange { min: number(*min, values.get(..8)?)?, max: number(*max, values.get(8..)?)? })
    }
}

impl Member for AddressRange {
    fn encode(&self) -> Result<Vec<u8>, OutOfMemory> {
        fn bytes(address: &Address) -> &[u8] {
            match address {
                Address::V4(bytes) => bytes,
                Address::V6(bytes) => bytes,
            }
        }
        collect(&[bytes(&self.min), bytes(&self.max)])
    }

    /// Both ends are of one family, so the length says which.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (min, max) = bytes.split_at_checked(bytes.len() / 2)?;
        Some(match (min.try_into(), max.try_into()) {
            (Ok(min), Ok(max)) => AddressRange { min: Address::V4(min), max: Address::V4(max) },
            _ => AddressRange {
                min: Address::V6(min.try_into().ok()?),
                max: Address::V6(max.try_into().ok()?),
            },
        })
    }
}

fn collect(parts: &[&[u8]]) -> Result<Vec<u8>, OutOfMemory> {
    let mut bytes = Vec::with_capacity(40)?;
    for part in parts {
        bytes.extend_from_slice(part)?;
    }
    Ok(bytes)
}
