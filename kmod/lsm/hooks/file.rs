// SPDX-License-Identifier: GPL-2.0-only

//! Opening and truncating files, their flags, commands to drivers (reference 4.5, 4.7).

use super::{capability, check_mode, check_number};
use crate::ask::{self, About, Question};
use crate::objects::Paths;
use crate::sys::file::File;
use crate::sys::path::{Path, Slash};
use crate::sys::{snapshot, task};
use crate::{waiting, Result};
use sekisho_core::capability::Capability;
use sekisho_core::item::Item;
use sekisho_core::number::Number;
use sekisho_core::profile::Mode;
use sekisho_core::request::{Operation, PathNumberOp, PathOp, Request};

/// The access mode in `f_flags`.
const O_ACCMODE: u32 = 3;
const O_APPEND: u32 = 0o2000;
/// The command of fcntl that sets flags (include/uapi/asm-generic/fcntl.h).
const F_SETFL: u32 = 4;
/// The file type in a mode (include/uapi/linux/stat.h).
const S_IFMT: u16 = 0o170_000;
const S_IFDIR: u16 = 0o040_000;
const S_IFREG: u16 = 0o100_000;

/// open(2). Creation has asked already, truncation asks afterwards. Directories, and the program that execve opens first, are
/// not asked for; interpreters and loaders, opened inside execve, are.
pub(crate) fn open(file: &File<'_>) -> Result {
    // Creation by O_TMPFILE has no hook of its own.
    if ask::mode(Item::Open) == Mode::Disabled
        && ask::mode(Item::Rewrite) == Mode::Disabled
        && ask::mode(Item::Create) == Mode::Disabled
        && ask::mode(Item::Truncate) == Mode::Disabled
    {
        return Ok(());
    }
    if file.mode() & S_IFMT == S_IFDIR || file.is_internal() {
        return Ok(());
    }
    if file.is_program() && (!task::in_execve() || task::is_opening_handler()) {
        return Ok(());
    }
    waiting::at(file.place(), || judge(file))
}

fn judge(file: &File<'_>) -> Result {
    let path = file.path();
    if !path.has_mount() {
        return Ok(());
    }
    if file.is_tmpfile() {
        check_mode(PathNumberOp::Create, &path, file.mode(), Slash::Never)?;
    }
    let flags = file.flags();
    let op = match flags & O_ACCMODE {
        0 => PathOp::Read,
        1 => PathOp::Write,
        2 => PathOp::ReadWrite,
        // Only good for ioctl; O_TRUNC counts all the same.
        _ => {
            if file.truncates_early() {
                truncate(&path)?;
            }
            return Ok(());
        }
    };
    let rewrites = op != PathOp::Read && flags & O_APPEND == 0;
    in_order(&path, None, rewrites, Some(op))?;
    if file.truncates_early() {
        truncate(&path)?;
    }
    Ok(())
}

/// truncate, ftruncate and O_TRUNC on a file that was there.
pub(crate) fn truncate(path: &Path<'_>) -> Result {
    if !ask::is_active() || !path.has_mount() {
        return Ok(());
    }
    in_order(path, Some(PathOp::Truncate), true, None)
}

/// Asks for an operation, for `allow_rewrite` if the file is protected, and for another one, all by one name (steps 2 to 4).
fn in_order(path: &Path<'_>, first: Option<PathOp>, rewrites: bool, last: Option<PathOp>) -> Result {
    let mode = |op: Option<PathOp>| op.map_or(Mode::Disabled, |op| ask::mode(Operation::Path(op).item()));
    let rewrite = mode(rewrites.then_some(PathOp::Rewrite));
    let modes = [mode(first), rewrite, mode(last)];
    // The strictest says what becomes of a name that cannot be computed.
    let strictest = modes.iter().copied().max_by_key(|mode| *mode as u8).unwrap_or(Mode::Disabled);
    let Some(question) = Question::of(strictest) else { return Ok(()) };
    let objects = Paths::one(path);
    let about = About { objects: Some(&objects), ..About::default() };
    question.finish(path.with_name(Slash::IfDirectory, |name| {
        let protected = rewrite != Mode::Disabled && snapshot::read().is_rewrite_denied(name);
        let [first_mode, _, last_mode] = modes;
        for (op, asked) in [
            (first, first_mode != Mode::Disabled),
            (Some(PathOp::Rewrite), protected),
            (last, last_mode != Mode::Disabled),
        ] {
            if let Some(op) = op.filter(|_| asked) {
                question.ask(&about, &Request::Path { op, path: name })?;
            }
        }
        Ok(())
    }))
}

/// fcntl(F_SETFL): a protected file neither gets nor loses O_APPEND.
pub(crate) fn fcntl(file: &File<'_>, command: u32, argument: usize) -> Result {
    if command != F_SETFL || (argument as u32 ^ file.flags()) & O_APPEND == 0 {
        return Ok(());
    }
    let path = file.path();
    if !ask::is_active() || !path.has_mount() {
        return Ok(());
    }
    in_order(&path, None, true, None)
}

/// `PROT_WRITE`, `MAP_TYPE` and its values for shared mappings (include/uapi/asm-generic/mman-common.h).
const PROT_WRITE: usize = 2;
const MAP_TYPE: usize = 0xF;
const MAP_SHARED: usize = 1;
const MAP_SHARED_VALIDATE: usize = 3;

/// mmap(2) and its relatives. Writing through a shared mapping pays no heed to O_APPEND, so a protected file that was opened
/// with it is asked for again.
pub(crate) fn map(file: &File<'_>, protection: usize, flags: usize) -> Result {
    if !matches!(flags & MAP_TYPE, MAP_SHARED | MAP_SHARED_VALIDATE) {
        return Ok(());
    }
    protect(file, protection)
}

/// mprotect(2) of a shared mapping of the file.
pub(crate) fn protect(file: &File<'_>, protection: usize) -> Result {
    let flags = file.flags();
    if protection & PROT_WRITE == 0 || flags & O_APPEND == 0 || flags & O_ACCMODE == 0 {
        return Ok(());
    }
    if file.mode() & S_IFMT != S_IFREG {
        return Ok(());
    }
    let path = file.path();
    if !ask::is_active() || !path.has_mount() {
        return Ok(());
    }
    in_order(&path, None, true, None)
}

/// How a command comes to a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Through {
    /// ioctl(2)
    Ioctl,
    /// The same from a 32-bit program on a 64-bit kernel.
    CompatIoctl,
    /// io_uring, which knows commands for drivers only.
    IoUring,
}

/// ioctl, and what io_uring passes to a driver.
pub(crate) fn ioctl(file: &File<'_>, command: u32, through: Through) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    let number = Number::hexadecimal(command.into());
    check_number(PathNumberOp::Ioctl, &file.path(), number, Slash::IfDirectory)?;
    if reaches_driver(command, file.mode() & S_IFMT, through) {
        return capability::check(Capability::SysIoctl);
    }
    Ok(())
}

/// Commands that the VFS answers itself (fs/ioctl.c, `do_vfs_ioctl`), as `_IOC` numbers.
const VFS: [u32; 14] = [
    0x5451,      // FIOCLEX
    0x5450,      // FIONCLEX
    0x5421,      // FIONBIO
    0x5452,      // FIOASYNC
    0x5460,      // FIOQSIZE
    0xC004_5877, // FIFREEZE
    0xC004_5878, // FITHAW
    0xC020_660B, // FS_IOC_FIEMAP
    0x2,         // FIGETBSZ
    0x4004_9409, // FICLONE
    0x4020_940D, // FICLONERANGE
    0xC018_9436, // FIDEDUPERANGE
    0x8011_1500, // FS_IOC_GETFSUUID
    0x8081_1501, // FS_IOC_GETFSSYSFSPATH
];

/// Also for files and directories; device files and pipes leave them to their drivers.
const ATTRIBUTES: [u32; 4] = [
    if cfg!(target_pointer_width = "64") { 0x8008_6601 } else { 0x8004_6601 }, // FS_IOC_GETFLAGS
    if cfg!(target_pointer_width = "64") { 0x4008_6602 } else { 0x4004_6602 }, // FS_IOC_SETFLAGS
    0x801C_581F,                                                               // FS_IOC_FSGETXATTR
    0x401C_5820,                                                               // FS_IOC_FSSETXATTR
];

/// The same as 32-bit programs have them.
const COMPAT_ATTRIBUTES: [u32; 2] = [
    0x8004_6601, // FS_IOC32_GETFLAGS
    0x4004_6602, // FS_IOC32_SETFLAGS
];

/// And for regular files only (`file_ioctl`).
const REGULAR: [u32; 7] = [
    0x541B,      // FIONREAD
    0x1,         // FIBMAP
    0x4030_5828, // FS_IOC_RESVSP
    0x4030_582A, // FS_IOC_RESVSP64
    0x4030_5829, // FS_IOC_UNRESVSP
    0x4030_582B, // FS_IOC_UNRESVSP64
    0x4030_5839, // FS_IOC_ZERO_RANGE
];

/// The same as 32-bit programs of x86 have them, whose structure has other gaps (include/linux/falloc.h).
const COMPAT_REGULAR: [u32; 5] = [
    0x402C_5828, // FS_IOC_RESVSP_32
    0x402C_582A, // FS_IOC_RESVSP64_32
    0x402C_5829, // FS_IOC_UNRESVSP_32
    0x402C_582B, // FS_IOC_UNRESVSP64_32
    0x402C_5839, // FS_IOC_ZERO_RANGE_32
];

/// Whether a driver's own handler sees the command: only that needs `SYS_IOCTL`. `kind` is the type in the file's mode.
fn reaches_driver(command: u32, kind: u16, through: Through) -> bool {
    if through == Through::IoUring {
        return true;
    }
    let compat = through == Through::CompatIoctl;
    let (regular, directory) = (kind == S_IFREG, kind == S_IFDIR);
    let known = VFS.contains(&command)
        || ((regular || directory) && ATTRIBUTES.contains(&command))
        || ((regular || directory) && compat && COMPAT_ATTRIBUTES.contains(&command))
        || (regular && REGULAR.contains(&command))
        || (regular && compat && cfg!(target_arch = "x86_64") && COMPAT_REGULAR.contains(&command));
    !known
}
