// SPDX-License-Identifier: GPL-2.0-only

//! Opening and truncating files, their flags, commands to drivers (reference 4.5, 4.7).

use super::{capability, check_mode, check_number};
use crate::ask::{self, About, Question};
use crate::objects::Paths;
use crate::sys::file::File;
use crate::sys::path::{Path, Slash};
use crate::sys::{snapshot, task};
use crate::Result;
use sekisho_core::capability::Capability;
use sekisho_core::item::Item;
use sekisho_core::number::Number;
use sekisho_core::profile::Mode;
use sekisho_core::request::{Operation, PathNumberOp, PathOp, Request};

/// `__FMODE_EXEC` in `f_flags` (include/linux/fs.h): opened by execve.
const FMODE_EXEC: u32 = 0x20;
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
    let flags = file.flags();
    if flags & FMODE_EXEC != 0 && (!task::in_execve() || task::is_opening_handler()) {
        return Ok(());
    }
    let op = match flags & O_ACCMODE {
        0 => PathOp::Read,
        1 => PathOp::Write,
        2 => PathOp::ReadWrite,
        // Only good for ioctl.
        _ => return Ok(()),
    };
    let path = file.path();
    if !path.has_mount() {
        return Ok(());
    }
    if file.is_tmpfile() {
        check_mode(PathNumberOp::Create, &path, file.mode(), Slash::Never)?;
    }
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

/// ioctl, and what io_uring passes to a driver.
pub(crate) fn ioctl(file: &File<'_>, command: u32) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    let number = Number::hexadecimal(command.into());
    check_number(PathNumberOp::Ioctl, &file.path(), number, Slash::IfDirectory)?;
    if reaches_driver(command, file.mode() & S_IFMT == S_IFREG) {
        return capability::check(Capability::SysIoctl);
    }
    Ok(())
}

/// Commands that the VFS answers itself (fs/ioctl.c, `do_vfs_ioctl`), as `_IOC` numbers.
const VFS: [u32; 20] = [
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
    0x8004_6601, // FS_IOC_GETFLAGS on 32 bits
    0x8008_6601, // FS_IOC_GETFLAGS
    0x4004_6602, // FS_IOC_SETFLAGS on 32 bits
    0x4008_6602, // FS_IOC_SETFLAGS
    0x801C_581F, // FS_IOC_FSGETXATTR
    0x401C_5820, // FS_IOC_FSSETXATTR
    0x8011_1500, // FS_IOC_GETFSUUID
    0x8081_1501, // FS_IOC_GETFSSYSFSPATH
];

/// And for regular files only (`file_ioctl`).
const REGULAR: [u32; 8] = [
    0x541B,      // FIONREAD
    0x1,         // FIBMAP
    0x4030_5828, // FS_IOC_RESVSP
    0x4030_582A, // FS_IOC_RESVSP64
    0x4030_5829, // FS_IOC_UNRESVSP
    0x4030_582B, // FS_IOC_UNRESVSP64
    0x4030_5839, // FS_IOC_ZERO_RANGE
    0x4024_5828, // FS_IOC_RESVSP of 32-bit programs
];

/// Whether a driver's own handler sees the command: only that needs `SYS_IOCTL`.
fn reaches_driver(command: u32, regular: bool) -> bool {
    !VFS.contains(&command) && !(regular && REGULAR.contains(&command))
}
