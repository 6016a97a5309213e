// SPDX-License-Identifier: MIT OR Apache-2.0
//! A place in a tree of the core: nothing, a leaf, or a branch ([`crate::radix`]) with places of the same kind.
//!
//! What stands there is shared or an edit's own, as behind a [`Link`](crate::link::Link); a place takes two words.

use crate::link::Node;
use crate::mem::{Arc, OutOfMemory, UniqueArc};
use crate::radix::{self, Branch, Place};

/// The place. Leaves come first, because they are asked for most.
pub(crate) enum Child<L> {
    Leaf(Arc<L>),
    OwnLeaf(UniqueArc<L>),
    Branch(Arc<Branch<Child<L>>>),
    OwnBranch(UniqueArc<Branch<Child<L>>>),
    Empty,
}

/// What stands in a place.
pub(crate) enum View<'a, L> {
    Empty,
    Leaf(&'a L),
    Branch(&'a Branch<Child<L>>),
}

/// What stands in a place, for changing.
pub(crate) enum Change<'a, L> {
    Empty,
    Leaf(&'a mut L),
    Branch(&'a mut Branch<Child<L>>),
}

impl<L: Node> Child<L> {
    /// A new leaf.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn leaf(leaf: L) -> Result<Self, OutOfMemory> {
        Ok(Child::OwnLeaf(UniqueArc::new(leaf)?))
    }

    /// A new branch, empty.
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

    /// The leaf that stands here.
    #[inline(always)]
    pub(crate) fn as_leaf(&self) -> Option<&L> {
        match self {
            Child::Leaf(leaf) => Some(leaf),
            Child::OwnLeaf(leaf) => Some(leaf),
            _ => None,
        }
    }

    /// The branch that stands here.
    #[inline(always)]
    pub(crate) fn as_branch(&self) -> Option<&Branch<Child<L>>> {
        match self {
            Child::Branch(branch) => Some(branch),
            Child::OwnBranch(branch) => Some(branch),
            _ => None,
        }
    }

    /// What stands here, for changing; copied if it is shared.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    #[inline]
    pub(crate) fn edit(&mut self) -> Result<Change<'_, L>, OutOfMemory> {
        match self {
            Child::Leaf(leaf) => *self = Child::OwnLeaf(leaf.own_copy()?),
            Child::Branch(branch) => *self = Child::OwnBranch(branch.own_copy()?),
            _ => {}
        }
        Ok(match self {
            Child::OwnLeaf(leaf) => Change::Leaf(leaf.get_mut()?),
            Child::OwnBranch(branch) => Change::Branch(branch.get_mut()?),
            _ => Change::Empty, // What was shared is not any more.
        })
    }

    /// A copy of what is an edit's own.
    ///
    /// # Errors
    /// Out of memory.
    #[cold]
    #[inline(never)]
    pub(crate) fn duplicate(&self) -> Result<Self, OutOfMemory> {
        Ok(match self.view() {
            View::Empty => Child::Empty,
            View::Leaf(leaf) => Child::OwnLeaf(leaf.own_copy()?),
            View::Branch(branch) => Child::OwnBranch(branch.own_copy()?),
        })
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

impl<L: Node> Place for Child<L> {
    const EMPTY: Self = Child::Empty;

    fn is_empty(&self) -> bool {
        matches!(self, Child::Empty)
    }

    #[inline(always)] // A copy of a branch does it for each of its children.
    fn share_into(&self, empty: &mut Self) -> Result<(), OutOfMemory> {
        match self {
            Child::Empty => {}
            Child::Leaf(leaf) => radix::put(empty, Child::Leaf(leaf.clone())),
            Child::Branch(branch) => radix::put(empty, Child::Branch(branch.clone())),
            own => radix::put(empty, own.duplicate()?),
        }
        Ok(())
    }

    #[inline(always)]
    fn freeze(&mut self) {
        if matches!(self, Child::OwnLeaf(_) | Child::OwnBranch(_)) {
            self.freeze_own();
        }
    }
}
