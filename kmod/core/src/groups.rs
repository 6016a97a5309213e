// SPDX-License-Identifier: MIT OR Apache-2.0
//! All groups of a policy: one node, so that an edit which does not touch them shares them with one reference.

use crate::group::{AddressGroup, NumberGroup, PathGroup};
use crate::link::{Link, Node, SHARED};
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
    pub(crate) path_members: Link<PathMembers>,
    /// The members of all number groups, which stand for their groups.
    pub(crate) number_index: Ranges,
}

/// The members of all path groups. A node of their own, because groups by value take stack.
pub(crate) struct PathMembers {
    /// The number of the group in four bytes, then the word.
    pub(crate) records: Records,
    pub(crate) index: PathIndex,
}

impl Groups {
    /// None.
    ///
    /// # Errors
    /// Out of memory.
    #[inline(never)]
    pub(crate) fn new(seed: u64) -> Result<Link<Self>, OutOfMemory> {
        Link::new(Groups {
            paths: Table::new(seed),
            numbers: Table::new(seed),
            addresses: Table::new(seed),
            path_members: Link::new(PathMembers { records: Records::new(), index: PathIndex::new(seed) })?,
            number_index: Ranges::new(),
        })
    }

    /// Bytes of memory of all groups and the node.
    pub(crate) fn bytes(&self) -> usize {
        [
            size_of::<Groups>(),
            SHARED,
            self.paths.bytes(),
            self.numbers.bytes(),
            self.addresses.bytes(),
            size_of::<PathMembers>(),
            SHARED,
            self.path_members.get().records.bytes(),
            self.path_members.get().index.bytes(),
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
            number_index: self.number_index.share()?,
        })
    }

    fn freeze(&mut self) {
        self.paths.freeze();
        self.numbers.freeze();
        self.addresses.freeze();
        self.path_members.freeze_in_place();
        self.number_index.freeze();
    }
}

impl Node for PathMembers {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        Ok(PathMembers { records: self.records.share()?, index: self.index.share()? })
    }

    fn freeze(&mut self) {
        self.records.freeze();
        self.index.freeze();
    }
}
