// SPDX-License-Identifier: MIT OR Apache-2.0
//! The branches of the core's persistent structures: [`CHILDREN`] places of one kind, which stand in the branch itself.
//!
//! A branch is copied as a whole when an edit changes something below it, and a look-up pays for each level: 32 children
//! keep both small at fifty thousand rules. A branch notes which places an edit asked for, so that only these need be made
//! shared at the end of the edit.

use crate::link::{Link, Node, SHARED};
use crate::mem::{OutOfMemory, UniqueArc};
use core::mem::size_of;

/// Bits of a number that name a child.
pub(crate) const BITS: u32 = 5;
/// Children of a branch.
const CHILDREN: usize = 1 << BITS;

/// A place in a branch: empty, or a reference to something that is shared or an edit's own.
pub(crate) trait Place: Sized {
    /// Nothing.
    const EMPTY: Self;
    /// Whether nothing is here.
    fn is_empty(&self) -> bool;
    /// Puts another reference to the same, or a copy of what is not shared yet, into an empty place.
    ///
    /// # Errors
    /// Out of memory, for a copy only.
    fn share_into(&self, empty: &mut Self) -> Result<(), OutOfMemory>;
    /// Makes it shared, with everything below.
    fn freeze(&mut self);
}

impl<T: Node> Place for Option<Link<T>> {
    const EMPTY: Self = None;

    fn is_empty(&self) -> bool {
        self.is_none()
    }

    #[inline(always)] // A copy of a branch does it for each of its children.
    fn share_into(&self, empty: &mut Self) -> Result<(), OutOfMemory> {
        match self {
            None => {}
            Some(Link::Shared(node)) => put(empty, Some(Link::Shared(node.clone()))),
            Some(own) => put(empty, Some(own.share()?)),
        }
        Ok(())
    }

    #[inline(always)]
    fn freeze(&mut self) {
        if let Some(Link::Own(_)) = self {
            freeze_own(self);
        }
    }
}

/// The node in a place, for changing; a new one if the place is empty.
///
/// # Errors
/// Out of memory; the place is as it was.
#[inline(never)]
pub(crate) fn edit_or<T: Node>(
    place: &mut Option<Link<T>>,
    new: impl FnOnce() -> T,
) -> Result<&mut T, OutOfMemory> {
    let link = match place.take() {
        Some(link) => link,
        None => Link::new(new())?,
    };
    place.insert(link).edit()
}

#[inline(never)]
fn freeze_own<T: Node>(place: &mut Option<Link<T>>) {
    *place = place.take().map(Link::freeze);
}

/// Writes over an empty place, without looking at it again.
#[inline(always)]
pub(crate) fn put<P: Place>(empty: &mut P, value: P) {
    core::mem::forget(core::mem::replace(empty, value));
}

/// [`CHILDREN`] places.
pub(crate) struct Branch<P> {
    children: [P; CHILDREN],
    /// Places that were given out for changing since the branch was made: a bit each. All others are shared.
    changed: u32,
}

impl<P: Place> Branch<P> {
    /// Memory of a branch: itself and its reference count.
    pub(crate) const BYTES: usize = size_of::<Branch<P>>().saturating_add(SHARED);

    /// No children.
    pub(crate) const EMPTY: Self = Branch { children: [const { P::EMPTY }; CHILDREN], changed: 0 };

    /// The place that the lowest bits of `index` name. There always is one.
    #[inline(always)]
    pub(crate) fn at(&self, index: u32) -> Option<&P> {
        self.children.get((index & CHILDREN.wrapping_sub(1) as u32) as usize)
    }

    /// The same for changing.
    #[inline(always)]
    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut P> {
        let index = index & CHILDREN.wrapping_sub(1) as u32;
        self.changed |= 1_u32.wrapping_shl(index);
        self.children.get_mut(index as usize)
    }

    /// All places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &P> {
        self.children.iter()
    }

    /// Whether there are no children.
    pub(crate) fn is_empty(&self) -> bool {
        self.iter().all(P::is_empty)
    }
}

impl<P: Place> Node for Branch<P> {
    fn copy(&self) -> Result<Self, OutOfMemory> {
        let mut copy = Branch { changed: self.changed, ..Self::EMPTY };
        self.copy_into(&mut copy)?;
        Ok(copy)
    }

    #[inline(never)] // A branch by value takes half a kilobyte of stack.
    fn own_copy(&self) -> Result<UniqueArc<Self>, OutOfMemory> {
        let mut copy = UniqueArc::new(Branch { changed: self.changed, ..Self::EMPTY })?;
        self.copy_into(copy.get_mut()?)?;
        Ok(copy)
    }

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

impl<P: Place> Branch<P> {
    #[inline(always)]
    fn copy_into(&self, copy: &mut Self) -> Result<(), OutOfMemory> {
        for (place, child) in copy.children.iter_mut().zip(&self.children) {
            child.share_into(place)?;
        }
        Ok(())
    }
}
