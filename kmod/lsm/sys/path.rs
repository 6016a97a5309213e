// SPDX-License-Identifier: GPL-2.0-only

//! Names of files (reference 1.7): the kernel's path, computed in C, made into an encoded name.

use super::shims::{self, PathFacts};
use crate::{Errno, Result};
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::{addr_of, NonNull};
use kernel::bindings as b;
use sekisho_core::name::{encode, Name};

/// Space for a name, in two halves: the kernel's path is written into the second, the encoded name into the first.
pub(crate) struct Buffer {
    memory: NonNull<u8>,
    size: usize,
}

impl Buffer {
    /// Enough for names of 2 KiB; longer ones double it.
    const FIRST: usize = 4096;
    /// Names may have 128 KiB (reference 1.6), so their encoded form needs at most four times that.
    const LAST: usize = 1 << 20;

    fn new(size: usize) -> Result<Buffer> {
        // SAFETY: No requirements; freed in `Drop`.
        let memory = unsafe { shims::sekisho_buffer_alloc(size) };
        NonNull::new(memory.cast()).map(|memory| Buffer { memory, size }).ok_or(Errno::NoMem)
    }

    fn halves(&mut self) -> (&mut [u8], &mut [u8]) {
        // SAFETY: `memory` has `size` bytes, all initialised (to zero at first), and is borrowed mutably.
        let whole = unsafe { core::slice::from_raw_parts_mut(self.memory.as_ptr(), self.size) };
        whole.split_at_mut_checked(self.size / 2).unwrap_or((&mut [], &mut []))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: Allocated by `sekisho_buffer_alloc`, freed once.
        unsafe { shims::sekisho_buffer_free(self.memory.as_ptr().cast()) }
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
    _lives: core::marker::PhantomData<&'a ()>,
}

impl<'a> Path<'a> {
    /// # Safety
    ///
    /// `path` is valid for `'a`, with references to its mount and dentry held.
    pub(super) unsafe fn from_raw(path: *const b::path) -> Path<'a> {
        // SAFETY: By the caller's promise; the copy takes no reference and lives no longer than the original.
        Path { raw: unsafe { path.read() }, _lives: core::marker::PhantomData }
    }

    /// # Safety
    ///
    /// Both are valid for `'a`; `dentry` is an entry of the directory, perhaps a negative one.
    pub(super) unsafe fn child(directory: *const b::path, dentry: *mut b::dentry) -> Path<'a> {
        // SAFETY: By the caller's promise.
        let mnt = unsafe { (*directory).mnt };
        Path { raw: b::path { mnt, dentry }, _lives: core::marker::PhantomData }
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
        let start = unsafe { shims::sekisho_path_name(self.raw(), body.as_mut_ptr(), size, &mut facts) };
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

/// The name of the program that an execve was asked for, see `sekisho_program_path()`.
///
/// # Safety
///
/// `bprm` is valid.
pub(super) unsafe fn with_program_name<R>(
    bprm: *const b::linux_binprm,
    then: impl FnOnce(Name<'_>) -> R,
) -> Result<R> {
    let mut raw = MaybeUninit::<b::path>::uninit();
    // SAFETY: By the caller's promise; the function always fills `raw` and takes references, given back below.
    let raw = unsafe {
        shims::sekisho_program_path(bprm.cast(), raw.as_mut_ptr().cast());
        raw.assume_init()
    };
    let result = Path { raw, _lives: core::marker::PhantomData }.with_name(Slash::IfDirectory, then);
    // SAFETY: Gives back what `sekisho_program_path` took.
    unsafe { shims::sekisho_put_path(addr_of!(raw).cast()) };
    result
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

/// What `file_open` wants to know of a file.
pub(crate) struct File<'a>(&'a b::file);

impl<'a> File<'a> {
    /// # Safety
    ///
    /// `file` is valid for `'a`.
    pub(super) unsafe fn from_raw(file: *mut b::file) -> File<'a> {
        // SAFETY: By the caller's promise.
        File(unsafe { &*file })
    }

    fn raw(&self) -> *const c_void {
        (self.0 as *const b::file).cast()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> Path<'a> {
        // SAFETY: An open file holds its path.
        unsafe { Path::from_raw(shims::sekisho_file_path(self.raw()).cast()) }
    }

    /// `O_*` flags, `__FMODE_EXEC` included.
    pub(crate) fn flags(&self) -> u32 {
        // SAFETY: Valid.
        unsafe { shims::sekisho_file_flags(self.raw()) }
    }

    /// Type and permissions, as in `i_mode`.
    pub(crate) fn mode(&self) -> u16 {
        // SAFETY: Valid.
        (unsafe { shims::sekisho_file_mode(self.raw()) } & 0xFFFF) as u16
    }

    /// Whether a stacked file system opened it, below a file that has been judged.
    pub(crate) fn is_backing(&self) -> bool {
        // SAFETY: Valid.
        unsafe { shims::sekisho_file_is_backing(self.raw()) }
    }

    /// Whether it was made by O_TMPFILE, for which no other hook asks.
    pub(crate) fn is_tmpfile(&self) -> bool {
        // SAFETY: Valid.
        unsafe { shims::sekisho_file_is_tmpfile(self.raw()) }
    }

    /// Whether the file system truncates it before the hook for that.
    pub(crate) fn truncates_early(&self) -> bool {
        // SAFETY: Valid.
        unsafe { shims::sekisho_file_truncates_early(self.raw()) }
    }
}
