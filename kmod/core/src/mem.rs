// SPDX-License-Identifier: MIT OR Apache-2.0

//! Containers whose every allocation can fail: [`Vec`], [`Box`] and [`Arc`].
//!
//! The core runs in the kernel and on the host. In the kernel there is no `alloc` crate, and running out of
//! memory is an ordinary event that must become `ENOMEM`; on the host the standard containers are there. This
//! file is the only place that knows the difference: the types are written once, on top of the few functions
//! of `backing`, which exists in two versions. The kernel version stands on `alloc/kvec.rs`, `alloc/kbox.rs` and
//! `sync/arc.rs` in rust/kernel of Linux 6.12 (reference "Rust LSM" 3.1).
//!
//! Nothing here panics. On the host the process is aborted when memory runs out, because stable Rust has no fallible
//! constructors; sizes that cannot be are reported there too.

use core::mem::size_of;
use core::ops::{Deref, DerefMut};

/// An allocation failed. The only error of this file.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(sekisho_kernel), derive(Debug))]
pub struct OutOfMemory;

/// A growable array in one piece of memory.
pub struct Vec<T>(backing::Buffer<T>);

impl<T> Vec<T> {
    /// An empty array. Allocates nothing.
    pub const fn new() -> Self {
        Vec(backing::Buffer::new())
    }

    /// An empty array with room for `capacity` elements.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`] when that much memory is not to be had.
    pub fn with_capacity(capacity: usize) -> Result<Self, OutOfMemory> {
        backing::with_capacity(capacity).map(Vec)
    }

    /// Appends one element.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`]: the array is as it was, `value` is dropped.
    pub fn push(&mut self, value: T) -> Result<(), OutOfMemory> {
        backing::push(&mut self.0, value)
    }

    /// Appends one element to an array that has room for it.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`] when it had none, and there is none.
    #[inline(always)]
    pub fn push_reserved(&mut self, value: T) -> Result<(), OutOfMemory> {
        backing::push_reserved(&mut self.0, value)
    }

    /// Appends clones of all elements of `other`, or none of them. Cloning must not allocate.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`]: the array is as it was.
    pub fn extend_from_slice(&mut self, other: &[T]) -> Result<(), OutOfMemory>
    where
        T: Clone,
    {
        backing::extend(&mut self.0, other)
    }

    /// Takes out the element at `index`; those after it move up by one, so the order stays.
    /// `None` when there is no such element. Costs time in proportion to the length; never fails for memory.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        if index >= self.len() {
            return None;
        }
        backing::remove(&mut self.0, index)
    }

    /// Takes the array apart.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.0.into_iter()
    }

    /// Shortens the array to its first `len` elements; one that is not longer stays. `T` is copied.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`]: the array is as it was.
    pub fn shorten(&mut self, len: usize) -> Result<(), OutOfMemory>
    where
        T: Clone,
    {
        if let Some(start) = self.get(..len) {
            let mut short = Self::with_capacity(len)?;
            short.extend_from_slice(start)?;
            *self = short;
        }
        Ok(())
    }

    #[inline]
    /// Gives unused memory back, if there is memory for the moment that this may need.
    pub fn trim(&mut self)
    where
        T: Clone,
    {
        if self.capacity_bytes() > self.len().saturating_mul(size_of::<T>()) {
            if self.is_empty() {
                self.clear();
            } else {
                backing::trim(&mut self.0);
            }
        }
    }

    /// Drops all elements and gives the memory back.
    pub fn clear(&mut self) {
        self.0 = backing::Buffer::new();
    }

    /// Bytes of memory held for elements, used or not, without what the elements themselves point to.
    pub fn capacity_bytes(&self) -> usize {
        // The capacity of zero-sized elements is `usize::MAX`: times 0 it is right again.
        self.0.capacity().saturating_mul(size_of::<T>())
    }

    /// A second array with clones of the elements. For `T` whose `clone` allocates nothing, like [`Arc`] or
    /// `Copy` types: only the memory of the array itself is accounted for.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`] when the second array does not fit.
    #[inline]
    pub fn try_clone(&self) -> Result<Self, OutOfMemory>
    where
        T: Clone,
    {
        if self.is_empty() {
            return Ok(Self::new());
        }
        let mut copy = Self::with_capacity(self.len())?;
        copy.extend_from_slice(self)?;
        Ok(copy)
    }
}

impl<T> Default for Vec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for Vec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for Vec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<'a, T> IntoIterator for &'a Vec<T> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One value on the heap, with one owner.
pub struct Box<T>(backing::Single<T>);

impl<T> Box<T> {
    /// Moves `value` to the heap.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`]: `value` is dropped.
    pub fn new(value: T) -> Result<Self, OutOfMemory> {
        backing::single(value).map(Box)
    }
}

impl<T> Deref for Box<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Box<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// One immutable value on the heap, with any number of owners; the last one to go drops it.
pub struct Arc<T>(backing::Shared<T>);

impl<T> Arc<T> {
    /// Moves `value` to the heap.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`]: `value` is dropped.
    pub fn new(value: T) -> Result<Self, OutOfMemory> {
        backing::shared(value).map(Arc)
    }

    /// Whether both are owners of the very same value, not only of equal ones.
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        backing::Shared::ptr_eq(&this.0, &other.0)
    }
}

impl<T> Clone for Arc<T> {
    /// One more owner of the same value: a counter is raised, nothing is allocated.
    fn clone(&self) -> Self {
        Arc(self.0.clone())
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// One value on the heap with one owner, which can become shared without another allocation.
pub struct UniqueArc<T>(backing::Unique<T>);

impl<T> UniqueArc<T> {
    /// Moves `value` to the heap.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`]: `value` is dropped.
    pub fn new(value: T) -> Result<Self, OutOfMemory> {
        backing::unique(value).map(UniqueArc)
    }

    /// The value for changing.
    ///
    /// # Errors
    /// Never: the host has no way to say that without an error.
    #[inline]
    pub fn get_mut(&mut self) -> Result<&mut T, OutOfMemory> {
        backing::unique_mut(&mut self.0)
    }

    /// Makes the value immutable and shared. Allocates nothing.
    pub fn into_arc(self) -> Arc<T> {
        Arc(backing::share(self.0))
    }
}

impl<T> Deref for UniqueArc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The containers of the host, for the user-land programs and the tests.
#[cfg(not(sekisho_kernel))]
mod backing {
    extern crate alloc;

    use super::OutOfMemory;
    use core::mem::size_of;

    pub(super) use alloc::boxed::Box as Single;
    pub(super) use alloc::sync::Arc as Shared;
    /// One that nobody else has.
    pub(super) use alloc::sync::Arc as Unique;
    pub(super) use alloc::vec::Vec as Buffer;

    #[inline]
    pub(super) fn with_capacity<T>(capacity: usize) -> Result<Buffer<T>, OutOfMemory> {
        if capacity.checked_mul(size_of::<T>()).map_or(true, |bytes| bytes > isize::MAX as usize) {
            return Err(OutOfMemory);
        }
        Ok(Buffer::with_capacity(capacity))
    }

    #[inline]
    fn reserve<T>(buffer: &mut Buffer<T>, additional: usize) -> Result<(), OutOfMemory> {
        buffer.try_reserve(additional).map_err(|_| OutOfMemory)
    }

    pub(super) fn push<T>(buffer: &mut Buffer<T>, value: T) -> Result<(), OutOfMemory> {
        match buffer.len() {
            0 if buffer.capacity() == 0 => *buffer = with_capacity(1)?, // Most lists have one element.
            _ => reserve(buffer, 1)?,
        }
        buffer.push(value);
        Ok(())
    }

    #[inline(always)]
    pub(super) fn push_reserved<T>(buffer: &mut Buffer<T>, value: T) -> Result<(), OutOfMemory> {
        buffer.push(value);
        Ok(())
    }

    pub(super) fn extend<T: Clone>(buffer: &mut Buffer<T>, other: &[T]) -> Result<(), OutOfMemory> {
        reserve(buffer, other.len())?;
        buffer.extend_from_slice(other);
        Ok(())
    }

    pub(super) fn trim<T: Clone>(buffer: &mut Buffer<T>) {
        buffer.shrink_to_fit();
    }

    /// `index` is known to be inside.
    pub(super) fn remove<T>(buffer: &mut Buffer<T>, index: usize) -> Option<T> {
        Some(buffer.remove(index))
    }

    pub(super) fn single<T>(value: T) -> Result<Single<T>, OutOfMemory> {
        Ok(Single::new(value))
    }

    pub(super) fn shared<T>(value: T) -> Result<Shared<T>, OutOfMemory> {
        Ok(Shared::new(value))
    }

    pub(super) fn unique<T>(value: T) -> Result<Unique<T>, OutOfMemory> {
        Ok(Unique::new(value))
    }

    pub(super) fn share<T>(unique: Unique<T>) -> Shared<T> {
        unique
    }

    #[inline(always)]
    pub(super) fn unique_mut<T>(unique: &mut Unique<T>) -> Result<&mut T, OutOfMemory> {
        Unique::get_mut(unique).ok_or(OutOfMemory)
    }
}

/// The containers of the kernel crate. Arrays may become large, so they fall back to `vmalloc`.
#[cfg(sekisho_kernel)]
mod backing {
    use super::OutOfMemory;
    use core::mem;
    use kernel::alloc::flags::GFP_KERNEL;

    pub(super) use kernel::alloc::KBox as Single;
    pub(super) use kernel::alloc::KVVec as Buffer;
    pub(super) use kernel::sync::Arc as Shared;
    pub(super) use kernel::sync::UniqueArc as Unique;

    pub(super) fn with_capacity<T>(capacity: usize) -> Result<Buffer<T>, OutOfMemory> {
        Buffer::with_capacity(capacity, GFP_KERNEL).map_err(|_| OutOfMemory)
    }

    pub(super) fn push<T>(buffer: &mut Buffer<T>, value: T) -> Result<(), OutOfMemory> {
        buffer.push(value, GFP_KERNEL).map_err(|_| OutOfMemory)
    }

    pub(super) fn push_reserved<T>(buffer: &mut Buffer<T>, value: T) -> Result<(), OutOfMemory> {
        push(buffer, value)
    }

    pub(super) fn extend<T: Clone>(buffer: &mut Buffer<T>, other: &[T]) -> Result<(), OutOfMemory> {
        buffer.extend_from_slice(other, GFP_KERNEL).map_err(|_| OutOfMemory)
    }

    /// Reallocating to a smaller size gives nothing back in the slab allocator, so the elements move.
    pub(super) fn trim<T: Clone>(buffer: &mut Buffer<T>) {
        if let Ok(mut exact) = with_capacity(buffer.len()) {
            if extend(&mut exact, buffer).is_ok() {
                *buffer = exact;
            }
        }
    }

    /// `index` is known to be inside.
    ///
    /// Linux 6.12 has no `Vec::remove`. Its `IntoIter` can give the first element and turn the rest into an
    /// array again, in the same memory. So the element is brought to the front first, and each one that was
    /// before it goes one place back: `[a, b, X, c]` becomes `[X, a, b, c]`, then `[a, b, c]`.
    pub(super) fn remove<T>(buffer: &mut Buffer<T>, index: usize) -> Option<T> {
        let mut places = buffer.iter_mut().take(index.saturating_add(1));
        let front = places.next()?;
        for place in places {
            mem::swap(front, place);
        }
        let mut elements = mem::replace(buffer, Buffer::new()).into_iter();
        let removed = elements.next();
        // Shrinks at most; when even that fails the old memory is kept (kvec.rs, `IntoIter::collect`).
        *buffer = elements.collect(GFP_KERNEL);
        removed
    }

    pub(super) fn single<T>(value: T) -> Result<Single<T>, OutOfMemory> {
        Single::new(value, GFP_KERNEL).map_err(|_| OutOfMemory)
    }

    pub(super) fn shared<T>(value: T) -> Result<Shared<T>, OutOfMemory> {
        Shared::new(value, GFP_KERNEL).map_err(|_| OutOfMemory)
    }

    pub(super) fn unique<T>(value: T) -> Result<Unique<T>, OutOfMemory> {
        Unique::new(value, GFP_KERNEL).map_err(|_| OutOfMemory)
    }

    pub(super) fn share<T>(unique: Unique<T>) -> Shared<T> {
        unique.into()
    }

    #[inline(always)]
    pub(super) fn unique_mut<T>(unique: &mut Unique<T>) -> Result<&mut T, OutOfMemory> {
        Ok(&mut **unique)
    }
}

#[cfg(not(sekisho_kernel))]
mod debug {
    use super::{Arc, Box, Vec};
    use core::fmt::{Debug, Formatter, Result};

    impl<T: Debug> Debug for Vec<T> {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            (**self).fmt(f)
        }
    }

    impl<T: Debug> Debug for Box<T> {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            (**self).fmt(f)
        }
    }

    impl<T: Debug> Debug for Arc<T> {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            (**self).fmt(f)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, Box, OutOfMemory, Vec};

    #[test]
    fn remove_keeps_the_order() {
        let mut v = Vec::new();
        v.extend_from_slice(&[1, 2, 3, 4]).unwrap();
        assert_eq!(v.remove(2), Some(3));
        assert_eq!(*v, [1, 2, 4]);
        assert_eq!(v.remove(0), Some(1));
        assert_eq!(v.remove(1), Some(4));
        assert_eq!(v.remove(1), None);
        assert_eq!(v.remove(0), Some(2));
        assert!(v.is_empty());
    }

    #[test]
    fn impossible_sizes_are_errors() {
        assert!(matches!(Vec::<u64>::with_capacity(usize::MAX), Err(OutOfMemory)));
    }

    #[test]
    fn accounting_and_clearing() {
        let mut v = Vec::<u32>::with_capacity(8).unwrap();
        assert!(v.capacity_bytes() >= 32);
        v.push(1).unwrap();
        let copy = v.try_clone().unwrap();
        v.clear();
        assert_eq!((v.len(), v.capacity_bytes(), copy.len()), (0, 0, 1));
        assert_eq!(Vec::<()>::new().capacity_bytes(), 0);
    }

    #[test]
    fn sharing_and_owning() {
        let a = Arc::new(7).unwrap();
        let b = a.clone();
        assert!(Arc::ptr_eq(&a, &b));
        assert!(!Arc::ptr_eq(&a, &Arc::new(7).unwrap()));
        let mut owned = Box::new(*b).unwrap();
        *owned = 8;
        assert_eq!((*a, *owned), (7, 8));
    }
}
