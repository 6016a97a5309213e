// SPDX-License-Identifier: MIT OR Apache-2.0
//! All groups of a policy: one node, so that an edit which does not touch them shares them with one reference.

use crate::group::{AddressGroup, NumberGroup, PathGroup};
use crate::link::{Node, SHARED};
use crate::mem::OutOfMemory;
use crate::path_index::PathIndex;
use crate::ranges::Ranges;
use crate::records::Records;
use crate::table::Table;
use core::mem::size_of;

/// The groups by kind.
pub(crate) struct Groups {
    pub(crate) paths: Table<PathGroup>,
    pub(crate) numbers: Table<NumberGroup>,
    pub(crate) addresses: Table<AddressGroup>,
    /// The members of all path groups: the number of the group in four bytes, then the word.
    pub(crate) path_members: Records,
    pub(crate) path_member_index: PathIndex,
    /// The members of all number groups, which stand for their groups.
    pub(crate) number_index: Ranges,
}

impl Groups {
    pub(crate) const fn new(seed: u64) -> Self {
        Groups {
            paths: Table::new(seed),
            numbers: Table::new(seed),
            addresses: Table::new(seed),
            path_members: Records::new(),
            path_member_index: PathIndex::new(seed),
            number_index: Ranges::new(),
        }
    }

    /// Bytes of memory of all groups and the node.
    pub(crate) fn bytes(&self) -> usize {
        [
            size_of::<Groups>(),
            SHARED,
            self.paths.bytes(),
            self.numbers.bytes(),
            self.addresses.bytes(),
            self.path_members.bytes(),
            self.path_member_index.bytes(),
            self.number_index.bytes(),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}

impl Node for Groups {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(Groups {
            paths: self.paths.share()?,
            numbers: self.numbers.share()?,
            addresses: self.addresses.share()?,
            path_members: self.path_members.share()?,
            path_member_index: self.path_member_index.share()?,
            number_index: self.number_index.share()?,
        })
    }

    fn freeze(&mut self) {
        self.paths.freeze();
        self.numbers.freeze();
        self.addresses.freeze();
        self.path_members.freeze();
        self.path_member_index.freeze();
        self.number_index.freeze();
    }
}
