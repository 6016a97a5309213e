// SPDX-License-Identifier: MIT OR Apache-2.0
//! The branches of the core's persistent trees: [`CHILDREN`] children, each empty, a leaf or a branch.
//!
//! [`crate::map`] goes down by the bits of a hash, [`crate::slots`] by those of a number. A branch is copied as a whole when
//! an edit changes something below it, and a look-up pays for each level: 32 children keep both small at fifty thousand
//! rules. The children stand in the branch itself, so that a step down is one load.

use crate::link::{Node, SHARED};
use crate::mem::{Arc, OutOfMemory, UniqueArc};
use core::mem::size_of;

/// Bits of a level.
pub(crate) const BITS: u32 = 5;
/// Children of a branch.
pub(crate) const CHILDREN: usize = 32;

/// A place in a tree. What stands there is shared or an edit's own, as behind a [`crate::link::Link`]; two words in all.
pub(crate) enum Child<L> {
    /// Nothing.
    Empty,
    /// The end of a way down.
    Leaf(Arc<L>),
    /// The same, seen by one edit only.
    OwnLeaf(UniqueArc<L>),
    /// More places.
    Branch(Arc<Branch<L>>),
    /// The same, seen by one edit only.
    OwnBranch(UniqueArc<Branch<L>>),
}

/// What stands in a place.
pub(crate) enum View<'a, L> {
    /// Nothing.
    Empty,
    /// The end of a way down.
    Leaf(&'a L),
    /// More places.
    Branch(&'a Branch<L>),
}

/// What stands in a place, for changing.
pub(crate) enum Change<'a, L> {
    /// Nothing.
    Empty,
    /// The end of a way down.
    Leaf(&'a mut L),
    /// More places.
    Branch(&'a mut Branch<L>),
}

/// [`CHILDREN`] places.
pub(crate) struct Branch<L> {
    children: [Child<L>; CHILDREN],
    /// Places that were given out for changing since the branch was made: a bit each. All others are shared.
    changed: u32,
}

impl<L> Branch<L> {
    /// Memory of a branch: itself and its reference count.
    pub(crate) const BYTES: usize = size_of::<Branch<L>>().saturating_add(SHARED);

    const EMPTY: Self = Branch { children: [const { Child::Empty }; CHILDREN], changed: 0 };

    /// The place that the lowest bits of `index` name. There always is one.
    #[inline(always)]
    pub(crate) fn at(&self, index: u32) -> Option<&Child<L>> {
        self.children.get((index & CHILDREN.wrapping_sub(1) as u32) as usize)
    }

    /// The same for changing.
    #[inline(always)]
    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut Child<L>> {
        let index = index & CHILDREN.wrapping_sub(1) as u32;
        self.changed |= 1_u32.wrapping_shl(index);
        self.children.get_mut(index as usize)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Child<L>> {
        self.children.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.children.iter().all(|child| matches!(child, Child::Empty))
    }
}

impl<L: Node> Child<L> {
    /// A new leaf.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn leaf(leaf: L) -> Result<Self, OutOfMemory> {
        Ok(Child::OwnLeaf(UniqueArc::new(leaf)?))
    }

    /// A new branch without children.
    ///
    /// # Errors
    /// Out of memory.
    #[inline(never)] // A branch by value takes half a kilobyte of stack.
    pub(crate) fn branch() -> Result<Self, OutOfMemory> {
        Ok(Child::OwnBranch(UniqueArc::new(Branch::EMPTY)?))
    }

    /// What stands here.
    #[inline(always)]
    pub(crate) fn view(&self) -> View<'_, L> {
        match self {
            Child::Empty => View::Empty,
            Child::Leaf(leaf) => View::Leaf(leaf),
            Child::OwnLeaf(leaf) => View::Leaf(leaf),
            Child::Branch(branch) => View::Branch(branch),
            Child::OwnBranch(branch) => View::Branch(branch),
        }
    }

    /// What stands here, for changing; copied if it is shared.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    #[inline]
    pub(crate) fn edit(&mut self) -> Result<Change<'_, L>, OutOfMemory> {
        match self {
            Child::Leaf(leaf) => *self = Child::OwnLeaf(UniqueArc::new(leaf.copy()?)?),
            Child::Branch(branch) => *self = Child::own_copy(branch)?,
            _ => {}
        }
        Ok(match self {
            Child::OwnLeaf(leaf) => Change::Leaf(leaf.get_mut()?),
            Child::OwnBranch(branch) => Change::Branch(branch.get_mut()?),
            _ => Change::Empty, // What was shared is not any more.
        })
    }

    #[inline(never)] // A branch by value takes half a kilobyte of stack.
    fn own_copy(branch: &Branch<L>) -> Result<Self, OutOfMemory> {
        let mut copy = UniqueArc::new(Branch { changed: branch.changed, ..Branch::EMPTY })?;
        for (place, child) in copy.get_mut()?.children.iter_mut().zip(&branch.children) {
            // What was there is empty: without looking at it again.
            core::mem::forget(core::mem::replace(place, child.share()?));
        }
        Ok(Child::OwnBranch(copy))
    }

    /// Another reference to the same, or a copy of what is not shared yet.
    ///
    /// # Errors
    /// Out of memory, for a copy only.
    #[inline(always)] // A copy of a branch does it for each of its children.
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        Ok(match self {
            Child::Empty => Child::Empty,
            Child::Leaf(leaf) => Child::Leaf(leaf.clone()),
            Child::Branch(branch) => Child::Branch(branch.clone()),
            own => return own.duplicate(),
        })
    }

    #[cold]
    #[inline(never)]
    fn duplicate(&self) -> Result<Self, OutOfMemory> {
        match self.view() {
            View::Empty => Ok(Child::Empty),
            View::Leaf(leaf) => Child::leaf(leaf.copy()?),
            View::Branch(branch) => Child::own_copy(branch),
        }
    }

    /// Makes it shared, with everything below.
    #[inline(always)]
    pub(crate) fn freeze(&mut self) {
        if matches!(self, Child::OwnLeaf(_) | Child::OwnBranch(_)) {
            self.freeze_own();
        }
    }

    #[inline(never)]
    fn freeze_own(&mut self) {
        *self = match core::mem::replace(self, Child::Empty) {
            Child::OwnLeaf(mut leaf) => {
                if let Ok(leaf) = leaf.get_mut() {
                    leaf.freeze();
                }
                Child::Leaf(leaf.into_arc())
            }
            Child::OwnBranch(mut branch) => {
                if let Ok(branch) = branch.get_mut() {
                    branch.freeze();
                }
                Child::Branch(branch.into_arc())
            }
            shared => shared,
        };
    }
}

impl<L: Node> Branch<L> {
    fn freeze(&mut self) {
        let mut changed = core::mem::take(&mut self.changed);
        while changed != 0 {
            if let Some(child) = self.children.get_mut(changed.trailing_zeros() as usize) {
                child.freeze();
            }
            changed &= changed.wrapping_sub(1);
        }
    }
}
