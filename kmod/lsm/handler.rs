// SPDX-License-Identifier: GPL-2.0-only

//! Execute handlers: a program that runs in place of the one that was asked for (reference 6.7).

use crate::sys::bprm::{Bprm, ProgramFile};
use crate::sys::path::{with_exe_name, Found, Slash};
use crate::sys::task::{self, Blob};
use crate::{Errno, Result};
use core::ffi::CStr;
use sekisho_core::mem::Vec;
use sekisho_core::name::decode_into;
use sekisho_core::text::{put_u32, Sink};

/// A handler that has been opened, and what it is called with.
pub(crate) struct Handler {
    file: ProgramFile,
    path: Vec<u8>,
}

/// While it lives, the program that is opened is not asked for (reference 6.7: no read check of the handler itself).
struct Opening;

impl Opening {
    fn begin() -> Opening {
        Blob::current().set_opening_handler(true);
        Opening
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        Blob::current().set_opening_handler(false);
    }
}

impl Handler {
    /// Opens the program with the encoded name `program`.
    ///
    /// # Errors
    /// It is outside of the task's root, is missing, or (a fix of quirk Q13) is not what its name says.
    pub(crate) fn open(program: &[u8]) -> Result<Handler> {
        let path = local_path(program)?;
        let name = text(&path)?;
        let _opening = Opening::begin();
        let file = ProgramFile::open(name)?;
        let same =
            file.named(name).path().with_name(Slash::IfDirectory, |name| name.as_bytes() == program)?;
        if !same {
            return Err(Errno::Perm);
        }
        Ok(Handler { file, path })
    }

    /// Puts it in place of the program: its arguments in front of the others, the environment behind them.
    pub(crate) fn install(self, bprm: &Bprm<'_>, domain: &[u8]) -> Result {
        let (_, argc, envc) = bprm.strings();
        let mut filename = Vec::new();
        filename.put(bprm.filename().to_bytes_with_nul())?;
        bprm.merge_environment();
        // In front of all others, so the last one first.
        push(bprm, &number(envc)?)?;
        push(bprm, &number(argc)?)?;
        push(bprm, &filename)?;
        push(bprm, &identity()?)?;
        push(bprm, &own_program()?)?;
        let mut name = Vec::new();
        name.put(domain)?;
        name.put(b"\0")?;
        push(bprm, &name)?;
        push(bprm, &self.path)?;
        bprm.replace(self.file, text(&self.path)?)
    }
}

/// Bytes with a NUL at their end as a string.
fn text(bytes: &[u8]) -> Result<&CStr> {
    CStr::from_bytes_with_nul(bytes).map_err(|_| Errno::NoEnt)
}

fn push(bprm: &Bprm<'_>, bytes: &[u8]) -> Result {
    bprm.push(text(bytes)?)
}

/// The program's path as the task sees it, with a NUL: cut off is the name of a root other than `/`.
fn local_path(program: &[u8]) -> Result<Vec<u8>> {
    // The root's name ends in a slash, which stays with the rest. Both are encoded, so that is where they are compared.
    let length = Found::root().path().with_name(Slash::Always, |root| {
        program.starts_with(root.as_bytes()).then(|| root.as_bytes().len())
    })?;
    let cut = length.ok_or(Errno::NoEnt)?.saturating_sub(1);
    let inside = program.get(cut..).ok_or(Errno::NoEnt)?;
    let mut decoded = Vec::with_capacity(inside.len())?;
    for _ in 0..inside.len() {
        decoded.push(0)?;
    }
    terminated(decode_into(inside, &mut decoded).ok_or(Errno::NoEnt)?)
}

fn terminated(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut path = Vec::with_capacity(bytes.len().saturating_add(1))?;
    path.put(bytes)?;
    path.put(b"\0")?;
    Ok(path)
}

fn number(value: u32) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    put_u32(&mut out, value)?;
    out.put(b"\0")?;
    Ok(out)
}

/// argv[2]: the caller's program.
fn own_program() -> Result<Vec<u8>> {
    let mut out = Vec::new();
    match with_exe_name(|name| out.put(name.as_bytes())) {
        Some(put) => put?,
        None => out.put(b"<unknown>")?,
    }
    out.put(b"\0")?;
    Ok(out)
}

/// argv[3]: who asked.
fn identity() -> Result<Vec<u8>> {
    let task = task::info();
    let [state0, state1, state2] = task.state;
    let mut out = Vec::new();
    let mut field = |key: &[u8], value: u32| -> Result {
        out.put(key)?;
        Ok(put_u32(&mut out, value)?)
    };
    field(b"pid=", task.pid)?;
    field(b" uid=", task.uid)?;
    field(b" gid=", task.gid)?;
    field(b" euid=", task.euid)?;
    field(b" egid=", task.egid)?;
    field(b" suid=", task.suid)?;
    field(b" sgid=", task.sgid)?;
    field(b" fsuid=", task.fsuid)?;
    field(b" fsgid=", task.fsgid)?;
    field(b" state[0]=", state0.into())?;
    field(b" state[1]=", state1.into())?;
    field(b" state[2]=", state2.into())?;
    out.put(b"\0")?;
    Ok(out)
}
