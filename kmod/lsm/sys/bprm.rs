// SPDX-License-Identifier: GPL-2.0-only

//! An execve in progress (`struct linux_binprm`), and programs that are opened to be executed (exec.c).

use super::path::{self, Found, Path};
use super::shims;
use crate::{Errno, Result};
use core::ffi::{c_ulong, c_void, CStr};
use core::mem::MaybeUninit;
use kernel::bindings as b;

/// The execve of the calling task.
pub(crate) struct Bprm<'a> {
    raw: *mut c_void,
    _lives: core::marker::PhantomData<&'a ()>,
}

impl<'a> Bprm<'a> {
    /// # Safety
    ///
    /// `raw` is valid for `'a`, before its credentials are final, and nobody else uses it.
    pub(super) unsafe fn from_raw(raw: *mut b::linux_binprm) -> Bprm<'a> {
        Bprm { raw: raw.cast(), _lives: core::marker::PhantomData }
    }

    /// The program as policy names it, see `sekisho_program_path()`.
    pub(crate) fn program(&self) -> Found {
        let mut raw = MaybeUninit::<b::path>::uninit();
        // SAFETY: The function always fills `raw` and takes the references that are handed over.
        unsafe {
            shims::sekisho_program_path(self.raw, raw.as_mut_ptr().cast());
            Found::from_raw(raw.assume_init())
        }
    }

    /// The file that will be executed, links resolved.
    pub(crate) fn file(&self) -> Path<'_> {
        // SAFETY: An open file holds its path.
        unsafe { Path::from_raw(shims::sekisho_bprm_path(self.raw).cast()) }
    }

    /// The name that was given to execve.
    pub(crate) fn filename(&self) -> &CStr {
        // SAFETY: The string lives as long as the execve.
        unsafe { path::text(shims::sekisho_bprm_filename(self.raw)) }
    }

    /// Where the strings begin, and how many arguments and variables there are.
    pub(crate) fn strings(&self) -> (c_ulong, u32, u32) {
        let (mut argc, mut envc) = (0, 0);
        // SAFETY: Valid.
        let start = unsafe { shims::sekisho_bprm_start(self.raw, &mut argc, &mut envc) };
        (start, argc, envc)
    }

    /// How many bytes the strings have, with their NULs.
    pub(crate) fn size(&self) -> usize {
        // SAFETY: Valid.
        unsafe { shims::sekisho_bprm_size(self.raw) as usize }
    }

    /// Copies bytes of the new program's stack, all in one page. False if they cannot be read.
    pub(crate) fn copy(&self, position: c_ulong, out: &mut [u8]) -> bool {
        let size = u32::try_from(out.len()).unwrap_or(0);
        // SAFETY: `out` has `size` bytes.
        unsafe { shims::sekisho_bprm_copy(self.raw, position, out.as_mut_ptr(), size) }
    }

    /// Makes arguments of the environment and leaves that empty.
    pub(crate) fn merge_environment(&self) {
        // SAFETY: Valid, and used by the calling task alone.
        unsafe { shims::sekisho_bprm_merge_environment(self.raw) }
    }

    /// Puts an argument in front.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn push(&self, text: &CStr) -> Result {
        // SAFETY: A string, which is copied.
        match unsafe { shims::sekisho_bprm_push(self.raw, text.as_ptr().cast()) } {
            0 => Ok(()),
            _ => Err(Errno::TooBig),
        }
    }

    /// Executes another file.
    ///
    /// # Errors
    /// No memory; nothing happened.
    pub(crate) fn replace(&self, file: ProgramFile, name: &CStr) -> Result {
        let raw = file.0;
        // SAFETY: The reference is handed over if 0 is returned.
        if unsafe { shims::sekisho_bprm_replace(self.raw, raw, name.as_ptr().cast()) } != 0 {
            return Err(Errno::NoMem);
        }
        core::mem::forget(file);
        Ok(())
    }
}

/// A file opened to be executed.
pub(crate) struct ProgramFile(*mut c_void);

impl ProgramFile {
    /// Opens it as execve does.
    ///
    /// # Errors
    /// What opening says, as far as it is one of ours.
    pub(crate) fn open(name: &CStr) -> Result<ProgramFile> {
        // SAFETY: A string.
        let raw = unsafe { shims::sekisho_open_program(name.as_ptr().cast()) };
        match (raw as usize).wrapping_neg() {
            2 => Err(Errno::NoEnt),
            12 => Err(Errno::NoMem),
            // Any other ERR_PTR: it is there but cannot be executed.
            1..=4095 => Err(Errno::Acces),
            _ => Ok(ProgramFile(raw)),
        }
    }

    /// The path by which it was opened, the last link not followed.
    pub(crate) fn named(&self, name: &CStr) -> Found {
        let mut raw = MaybeUninit::<b::path>::uninit();
        // SAFETY: The function always fills `raw` and takes the references that are handed over.
        unsafe {
            shims::sekisho_named_path(name.as_ptr().cast(), self.0, raw.as_mut_ptr().cast());
            Found::from_raw(raw.assume_init())
        }
    }
}

impl Drop for ProgramFile {
    fn drop(&mut self) {
        // SAFETY: Opened by `open`, and not handed over.
        unsafe { shims::sekisho_close_program(self.0) }
    }
}
