// SPDX-License-Identifier: GPL-2.0-only

//! An open file, as far as hooks want to know it.

use super::path::Path;
use super::shims;
use crate::waiting::Place;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr::NonNull;
use kernel::bindings as b;

/// A file that is open, or is being opened.
///
/// # Invariants
///
/// The pointer is valid for `'a`. There is no reference, because other processors write to the structure.
pub(crate) struct File<'a>(NonNull<b::file>, PhantomData<&'a b::file>);

impl<'a> File<'a> {
    /// # Safety
    ///
    /// `file` is not null and valid for `'a`.
    pub(super) unsafe fn from_raw(file: *mut b::file) -> File<'a> {
        // SAFETY: By the caller's promise.
        File(unsafe { NonNull::new_unchecked(file) }, PhantomData)
    }

    fn raw(&self) -> *const c_void {
        self.0.as_ptr().cast_const().cast()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> Path<'a> {
        // SAFETY: An open file holds its path.
        unsafe { Path::from_raw(shims::sekisho_file_path(self.raw()).cast()) }
    }

    /// `O_*` flags.
    pub(crate) fn flags(&self) -> u32 {
        // SAFETY: Valid.
        unsafe { shims::sekisho_file_flags(self.raw()) }
    }

    /// Type and permissions, as in `i_mode`.
    pub(crate) fn mode(&self) -> u16 {
        // SAFETY: Valid.
        (unsafe { shims::sekisho_file_mode(self.raw()) } & 0xFFFF) as u16
    }

    /// Whether it is being opened as a program: by execve itself, or by the kernel that starts one.
    pub(crate) fn is_program(&self) -> bool {
        // SAFETY: Valid.
        unsafe { shims::sekisho_file_is_program(self.raw()) }
    }

    /// Whether a stacked file system opened it, below a file that has been judged, or it stands for a process.
    pub(crate) fn is_internal(&self) -> bool {
        // SAFETY: Valid.
        unsafe { shims::sekisho_file_is_internal(self.raw()) }
    }

    /// The file and the number of a command for a driver that io_uring brings.
    ///
    /// # Safety
    ///
    /// `command` is valid for `'a`.
    #[cfg(CONFIG_IO_URING)]
    pub(super) unsafe fn from_uring(command: *const c_void) -> (File<'a>, u32) {
        // SAFETY: By the caller's promise; the command holds its file.
        unsafe {
            let file = File::from_raw(shims::sekisho_uring_file(command).cast());
            (file, shims::sekisho_uring_operation(command))
        }
    }

    /// The file that a part of the address space shares with others.
    ///
    /// # Safety
    ///
    /// `area` is valid for `'a`, as long as which its file stays.
    pub(super) unsafe fn shared_by(area: *const b::vm_area_struct) -> Option<File<'a>> {
        // SAFETY: By the caller's promise.
        NonNull::new(unsafe { shims::sekisho_shared_file(area.cast()) }.cast())
            .map(|file| File(file, PhantomData))
    }

    /// How the hook for opening it may wait.
    pub(crate) fn place(&self) -> Place {
        // SAFETY: Valid; it is being opened.
        Place::from_number(unsafe { shims::sekisho_open_place(self.raw()) })
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
