// SPDX-License-Identifier: GPL-2.0-only

//! Names of files (reference 1.7): the kernel's path, computed in C, made into an encoded name.

use super::shims::{self, PathFacts, RawAttributes, RawMount};
use crate::{Errno, Result};
use core::ffi::{c_int, c_void, CStr};
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::{addr_of, NonNull};
use kernel::bindings as b;
use kernel::ffi::c_char;
use sekisho_core::facts::Attributes;
use sekisho_core::name::{encode, Name};

/// Space for a name, in two halves: the kernel's path is written into the second, the encoded name into the first.
pub(crate) struct Buffer {
    memory: NonNull<u8>,
    size: usize,
}

impl Buffer {
    /// Enough for names of 1 KiB however they are encoded, and for most of 4 KiB; longer ones double it. The C side keeps
    /// buffers of this size (SEKISHO_BUFFER_SIZE), so that no memory has to be asked for.
    const FIRST: usize = 8192;
    /// Names may have 128 KiB (reference 1.6), so their encoded form needs at most four times that.
    const LAST: usize = 1 << 20;

    fn new(size: usize) -> Result<Buffer> {
        // SAFETY: No requirements; freed in `Drop`.
        let memory = unsafe { shims::sekisho_buffer_alloc(size) };
        NonNull::new(memory.cast()).map(|memory| Buffer { memory, size }).ok_or(Errno::NoMem)
    }

    /// One that is kept.
    pub(crate) fn small() -> Result<Buffer> {
        Buffer::new(Buffer::FIRST)
    }

    /// One that is kept, if so many bytes fit into it; else memory of that size.
    pub(crate) fn at_least(size: usize) -> Result<Buffer> {
        Buffer::new(size.max(Buffer::FIRST))
    }

    /// The whole of it.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: `memory` has `size` bytes, all initialised, and is borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.memory.as_ptr(), self.size) }
    }

    fn halves(&mut self) -> (&mut [u8], &mut [u8]) {
        let half = self.size / 2;
        self.bytes().split_at_mut_checked(half).unwrap_or((&mut [], &mut []))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: Allocated by `sekisho_buffer_alloc`, freed once.
        unsafe { shims::sekisho_buffer_free(self.memory.as_ptr().cast(), self.size) }
    }
}

/// What follows a name that is computed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slash {
    /// None: the name is or will be a file's.
    Never,
    /// A slash if the object is a directory now.
    IfDirectory,
    /// Always: the name is or will be a directory's.
    Always,
}

/// A place in a mount: existing, or about to be created.
pub(crate) struct Path<'a> {
    raw: b::path,
    /// The caller holds the lock of the object's inode.
    locked: bool,
    _lives: PhantomData<&'a ()>,
}

impl<'a> Path<'a> {
    /// # Safety
    ///
    /// `path` is valid for `'a`, with references to its mount and dentry held.
    pub(super) unsafe fn from_raw(path: *const b::path) -> Path<'a> {
        // SAFETY: By the caller's promise; the copy takes no reference and lives no longer than the original.
        Path { raw: unsafe { path.read() }, locked: false, _lives: PhantomData }
    }

    /// # Safety
    ///
    /// As for [`Path::from_raw`]; the lock of the object's inode is held by the caller for `'a`.
    pub(super) unsafe fn from_locked(path: *const b::path) -> Path<'a> {
        // SAFETY: By the caller's promise.
        Path { locked: true, ..unsafe { Path::from_raw(path) } }
    }

    /// # Safety
    ///
    /// Both are valid for `'a`; `dentry` is an entry of the directory, perhaps a negative one.
    pub(super) unsafe fn child(directory: *const b::path, dentry: *mut b::dentry) -> Path<'a> {
        // SAFETY: By the caller's promise.
        let mnt = unsafe { (*directory).mnt };
        Path { raw: b::path { mnt, dentry }, locked: false, _lives: PhantomData }
    }

    /// # Safety
    ///
    /// `mnt` is valid for `'a`.
    pub(super) unsafe fn mount_root(mnt: *mut b::vfsmount) -> Path<'a> {
        // SAFETY: By the caller's promise.
        let dentry = unsafe { shims::sekisho_mount_root(mnt.cast()) }.cast();
        Path { raw: b::path { mnt, dentry }, locked: false, _lives: PhantomData }
    }

    fn raw(&self) -> *const c_void {
        addr_of!(self.raw).cast()
    }

    /// Kernel-internal objects have no mount and are not checked.
    pub(crate) fn has_mount(&self) -> bool {
        // SAFETY: `raw` is valid.
        unsafe { shims::sekisho_has_mount(self.raw()) }
    }

    /// Whether the entry is an existing directory.
    pub(crate) fn is_dir(&self) -> bool {
        // SAFETY: `raw` is valid.
        unsafe { shims::sekisho_dentry_is_dir(self.raw.dentry.cast()) }
    }

    /// Attributes of the object; `None` if it does not exist.
    pub(crate) fn attributes(&self) -> Option<Attributes> {
        let mut raw = RawAttributes::default();
        // SAFETY: `raw` is valid.
        unsafe { shims::sekisho_path_attributes(self.raw(), &mut raw) }.then(|| raw.into())
    }

    /// Attributes of the directory that it is in, or will be.
    pub(crate) fn parent_attributes(&self) -> Option<Attributes> {
        let mut raw = RawAttributes::default();
        // SAFETY: `raw` is valid.
        unsafe { shims::sekisho_parent_attributes(self.raw(), &mut raw) }.then(|| raw.into())
    }

    /// Whether a mount here would hide another mount.
    pub(crate) fn conceals(&self) -> bool {
        // SAFETY: `raw` is valid.
        unsafe { shims::sekisho_conceals(self.raw()) }
    }

    /// What is mounted, for move_mount(2).
    pub(crate) fn mount(&self) -> MountFacts<'_> {
        let mut out = MaybeUninit::<RawMount>::uninit();
        // SAFETY: The function fills `out`; its strings live as long as the mount, which the path holds.
        unsafe {
            shims::sekisho_describe_mount(self.raw(), out.as_mut_ptr());
            let out = out.assume_init();
            MountFacts {
                kind: text(out.kind),
                device: text(out.device),
                attached: out.attached,
                whole: out.whole,
                shown: out.shown,
                has_mounts: out.has_mounts,
                needs_device: out.needs_device,
                flags: out.flags,
                block_device: (out.major, out.minor),
            }
        }
    }

    /// Computes the name and hands it to `then`.
    ///
    /// # Errors
    ///
    /// `NoMem` when no buffer is to be had or the name has no end; then `then` is not called.
    pub(crate) fn with_name<R>(&self, slash: Slash, then: impl FnOnce(Name<'_>) -> R) -> Result<R> {
        let mut size = Buffer::FIRST;
        loop {
            let mut buffer = Buffer::new(size)?;
            if let Some(name) = self.name(slash, &mut buffer)? {
                return Ok(then(name));
            }
            if size >= Buffer::LAST {
                return Err(Errno::NoMem);
            }
            size = size.wrapping_mul(2);
        }
    }

    /// The name in `buffer`, or `None` if that is too small.
    fn name<'b>(&self, slash: Slash, buffer: &'b mut Buffer) -> Result<Option<Name<'b>>> {
        let (encoded, raw) = buffer.halves();
        let Some((end, body)) = raw.split_last_mut() else { return Ok(None) };
        // The last byte stays free for a slash.
        let size = c_int::try_from(body.len()).unwrap_or(0);
        let mut facts = PathFacts::default();
        // SAFETY: `body` has `size` writable bytes.
        let start =
            unsafe { shims::sekisho_path_name(self.raw(), self.locked, body.as_mut_ptr(), size, &mut facts) };
        let address = start as usize;
        if address > usize::MAX.wrapping_sub(4096) {
            // An ERR_PTR: ENAMETOOLONG asks for more room, anything else is final.
            return if address == usize::MAX.wrapping_sub(36 - 1) { Ok(None) } else { Err(Errno::NoMem) };
        }
        let offset = address.wrapping_sub(body.as_ptr() as usize);
        let Some(tail) = body.get(offset..) else { return Err(Errno::NoMem) };
        let length = tail.iter().position(|&byte| byte == 0).unwrap_or(tail.len());
        let Some(text) = tail.get(..length) else { return Err(Errno::NoMem) };
        let is_dir = match slash {
            Slash::Never => false,
            Slash::IfDirectory => facts.is_dir != 0,
            Slash::Always => true,
        };
        let wants_slash = is_dir && text.last() != Some(&b'/');
        *end = b'/';
        let (head, rest) = self_split(text, facts.self_depth);
        Ok(join(
            encoded,
            &[
                head,
                if rest.is_some() { b"self" } else { b"" },
                rest.unwrap_or(b""),
                if wants_slash { b"/" } else { b"" },
            ],
        ))
    }
}

impl From<RawAttributes> for Attributes {
    fn from(raw: RawAttributes) -> Attributes {
        let RawAttributes { ino, uid, gid, major, minor, mode, dev_major, dev_minor } = raw;
        Attributes { uid, gid, ino, major, minor, mode, dev_major, dev_minor }
    }
}

/// What move_mount(2) moves.
pub(crate) struct MountFacts<'a> {
    /// Type of the file system.
    pub(crate) kind: &'a CStr,
    /// The device as it was named.
    pub(crate) device: &'a CStr,
    /// It is in a tree already.
    pub(crate) attached: bool,
    /// It shows the whole file system.
    pub(crate) whole: bool,
    /// The file system is in a tree already, by this mount or another one.
    pub(crate) shown: bool,
    /// Other mounts are on it.
    pub(crate) has_mounts: bool,
    /// The file system lives on a block device.
    pub(crate) needs_device: bool,
    /// `MS_*`
    pub(crate) flags: u32,
    /// Numbers of that device; zeros if the file system does not say (btrfs, which may have several).
    pub(crate) block_device: (u32, u32),
}

/// # Safety
///
/// `text` is null or a string that lives for `'a`.
pub(super) unsafe fn text<'a>(text: *const c_char) -> &'a CStr {
    if text.is_null() {
        return c"";
    }
    // SAFETY: By the caller's promise.
    unsafe { CStr::from_ptr(text.cast()) }
}

/// Whether a name that is looked up may lead through symbolic links.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// They are followed.
    Follow,
    /// A name with one in it leads nowhere.
    None,
}

/// A path that was looked up and is held.
pub(crate) struct Found(b::path);

impl Found {
    /// Looks a name up as the calling task sees it.
    ///
    /// # Errors
    /// There is nothing of that name.
    pub(crate) fn lookup(name: &CStr, links: Links) -> Result<Found> {
        let mut raw = MaybeUninit::<b::path>::uninit();
        let links = links == Links::Follow;
        // SAFETY: `raw` is filled if 0 is returned, with references that `Drop` gives back.
        unsafe {
            if shims::sekisho_lookup(name.as_ptr().cast(), links, raw.as_mut_ptr().cast()) != 0 {
                return Err(Errno::NoEnt);
            }
            Ok(Found(raw.assume_init()))
        }
    }

    /// The calling task's root directory.
    pub(crate) fn root() -> Found {
        let mut raw = MaybeUninit::<b::path>::uninit();
        // SAFETY: `raw` is always filled, with references that `Drop` gives back.
        unsafe {
            shims::sekisho_root(raw.as_mut_ptr().cast());
            Found(raw.assume_init())
        }
    }

    /// # Safety
    ///
    /// The references of `raw` are handed over.
    pub(super) unsafe fn from_raw(raw: b::path) -> Found {
        Found(raw)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> Path<'_> {
        // SAFETY: The references are held as long as `self`.
        unsafe { Path::from_raw(&self.0) }
    }
}

impl Drop for Found {
    fn drop(&mut self) {
        // SAFETY: Gives back what the constructors took.
        unsafe { shims::sekisho_put_path(addr_of!(self.0).cast()) }
    }
}

/// What kind of file system a name stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilesystemKind {
    /// There is none.
    Unknown,
    /// It has no device.
    Free,
    /// It lives on a block device.
    OnDevice,
}

impl FilesystemKind {
    /// Asks the kernel.
    pub(crate) fn of(name: &CStr) -> FilesystemKind {
        // SAFETY: A string.
        match unsafe { shims::sekisho_filesystem_kind(name.as_ptr().cast()) } {
            0 => FilesystemKind::Unknown,
            1 => FilesystemKind::Free,
            _ => FilesystemKind::OnDevice,
        }
    }
}

/// Major and minor number of a device as mknod passes it.
pub(crate) fn device_number(dev: u32) -> (u32, u32) {
    // SAFETY: No requirements.
    unsafe { (shims::sekisho_dev_major(dev), shims::sekisho_dev_minor(dev)) }
}

/// Hands an encoded text, such as the content of a symbolic link or the name of a device, to `then`.
///
/// # Errors
/// No memory, or longer than any name.
pub(crate) fn with_text<R>(text: &[u8], then: impl FnOnce(Name<'_>) -> R) -> Result<R> {
    let mut size = Buffer::FIRST;
    loop {
        let mut buffer = Buffer::new(size)?;
        if let Some(name) = encode(text, buffer.bytes()) {
            return Ok(then(name));
        }
        if size >= Buffer::LAST {
            return Err(Errno::NoMem);
        }
        size = size.wrapping_mul(2);
    }
}

/// A file system whose settings change.
///
/// # Invariants
///
/// The pointer is valid for `'a`.
pub(crate) struct Super<'a>(NonNull<b::super_block>, PhantomData<&'a b::super_block>);

impl<'a> Super<'a> {
    /// # Safety
    ///
    /// `sb` is not null and valid for `'a`.
    pub(super) unsafe fn from_raw(sb: *mut b::super_block) -> Super<'a> {
        // SAFETY: By the caller's promise.
        Super(unsafe { NonNull::new_unchecked(sb) }, PhantomData)
    }

    /// `TYPE:/`, the name of its root, which may be mounted anywhere or nowhere.
    pub(crate) fn with_name<R>(&self, then: impl FnOnce(Name<'_>) -> R) -> Result<R> {
        let mut raw = Buffer::small()?;
        let bytes = raw.bytes();
        let size = c_int::try_from(bytes.len()).unwrap_or(0);
        // SAFETY: `bytes` has `size` writable bytes.
        let start = unsafe {
            shims::sekisho_super_name(self.0.as_ptr().cast_const().cast(), bytes.as_mut_ptr(), size)
        };
        let offset = (start as usize).wrapping_sub(bytes.as_ptr() as usize);
        let Some(tail) = bytes.get(offset..) else { return Err(Errno::NoMem) };
        let length = tail.iter().position(|&byte| byte == 0).unwrap_or(tail.len());
        with_text(tail.get(..length).unwrap_or(&[]), then)
    }
}

/// Cuts the component out that is `depth` components before the end, unless `depth` is 0.
fn self_split(text: &[u8], depth: u32) -> (&[u8], Option<&[u8]>) {
    if depth == 0 {
        return (text, None);
    }
    let mut slashes = text.iter().enumerate().rev().filter(|(_, &byte)| byte == b'/').map(|(at, _)| at);
    let mut after = text.len();
    for _ in 1..depth {
        after = slashes.next().unwrap_or(0);
    }
    let before = slashes.next().unwrap_or(0).wrapping_add(1);
    match (text.get(..before), text.get(after..)) {
        (Some(head), Some(rest)) => (head, Some(rest)),
        _ => (text, None),
    }
}

/// Encodes the parts one after the other; `None` if they do not fit.
fn join<'b>(out: &'b mut [u8], parts: &[&[u8]]) -> Option<Name<'b>> {
    let mut used = 0usize;
    for part in parts {
        let room = out.get_mut(used..)?;
        used = used.wrapping_add(encode(part, room)?.as_bytes().len());
    }
    Name::new(out.get(..used)?)
}

/// Hands the name of the calling task's executable to `then`. `None` for a kernel thread, and when the name cannot be had.
pub(crate) fn with_exe_name<R>(then: impl FnOnce(Name<'_>) -> R) -> Option<R> {
    // SAFETY: No requirements; the reference is given back below.
    let file = unsafe { shims::sekisho_exe_file() };
    if file.is_null() {
        return None;
    }
    // SAFETY: The file is referenced until it is put.
    let path = unsafe { Path::from_raw(shims::sekisho_file_path(file).cast()) };
    let result = path.with_name(Slash::IfDirectory, then).ok();
    // SAFETY: Gives back what `sekisho_exe_file` took; `path` is not used any more.
    unsafe { shims::sekisho_put_file(file) };
    result
}
