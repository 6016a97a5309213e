// SPDX-License-Identifier: MIT OR Apache-2.0
//! A node of a structure that snapshots share.
//!
//! A node is either shared, and then nobody changes it, or it belongs to the one edit that made it, which changes it in
//! place. The first change of a shared node copies it; so an edit of one line copies the nodes on one path, and an edit of
//! ten thousand lines copies each node once. At the end of the edit [`Link::freeze`] makes everything shared.
//!
//! # Invariants
//!
//! Below a shared node everything is shared.

use crate::mem::{Arc, OutOfMemory, UniqueArc};

/// Bytes that a shared value takes beside itself: the counters of its owners on the host; the kernel's are smaller.
pub(crate) const SHARED: usize = core::mem::size_of::<[usize; 2]>();

/// What can stand behind a [`Link`].
pub(crate) trait Node: Sized {
    /// A copy that shares everything below, with room for one element more.
    ///
    /// # Errors
    /// Out of memory.
    fn copy(&self) -> Result<Self, OutOfMemory>;
    /// The copy as a new node.
    ///
    /// # Errors
    /// Out of memory.
    fn own_copy(&self) -> Result<UniqueArc<Self>, OutOfMemory> {
        UniqueArc::new(self.copy()?)
    }
    /// Makes everything below shared and gives unused memory back.
    fn freeze(&mut self);
}

/// A reference to a node.
pub(crate) enum Link<T> {
    /// Others may see it.
    Shared(Arc<T>),
    /// Only one edit sees it.
    Own(UniqueArc<T>),
}

impl<T: Node> Link<T> {
    /// A new node.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn new(node: T) -> Result<Self, OutOfMemory> {
        Ok(Link::Own(UniqueArc::new(node)?))
    }

    /// The node.
    #[inline(always)]
    pub(crate) fn get(&self) -> &T {
        match self {
            Link::Shared(node) => node,
            Link::Own(node) => node,
        }
    }

    /// The node for changing.
    ///
    /// # Errors
    /// Out of memory; nothing changed.
    pub(crate) fn edit(&mut self) -> Result<&mut T, OutOfMemory> {
        if let Link::Shared(node) = self {
            *self = Link::Own(node.own_copy()?);
        }
        match self {
            Link::Own(node) => node.get_mut(),
            Link::Shared(_) => Err(OutOfMemory), // It was replaced above.
        }
    }

    /// One more reference to a shared node; a copy of one that is not.
    ///
    /// # Errors
    /// Out of memory, for a copy only.
    #[inline(always)]
    pub(crate) fn share(&self) -> Result<Self, OutOfMemory> {
        match self {
            Link::Shared(node) => Ok(Link::Shared(node.clone())),
            Link::Own(node) => Self::duplicate(node),
        }
    }

    #[cold]
    #[inline(never)]
    fn duplicate(node: &T) -> Result<Self, OutOfMemory> {
        Ok(Link::Own(node.own_copy()?))
    }

    /// The same for a link that cannot be moved. When there is no memory for a moment, the node stays the edit's own,
    /// and the next edit copies it in full.
    #[inline(never)] // It needs stack, and most edits do not need it.
    pub(crate) fn freeze_in_place(&mut self) {
        if let Link::Own(node) = self {
            let Ok(node) = node.get_mut() else {
                return;
            };
            node.freeze();
            if let Ok(copy) = node.copy().and_then(Arc::new) {
                *self = Link::Shared(copy);
            }
        }
    }

    /// Makes the node and everything below shared.
    pub(crate) fn freeze(self) -> Self {
        match self {
            Link::Own(mut node) => {
                if let Ok(node) = node.get_mut() {
                    node.freeze();
                }
                Link::Shared(node.into_arc())
            }
            shared => shared,
        }
    }
}
