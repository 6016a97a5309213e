// SPDX-License-Identifier: GPL-2.0-only

//! Making, removing and renaming; modes and owners (reference 4.6).

use super::{capability, check_mode, check_number, check_path, check_two, PERMISSIONS};
use crate::ask::{self, About, Question};
use crate::objects::Paths;
use crate::sys::path::{device_number, with_text, Path, Slash};
use crate::sys::task;
use crate::{Errno, Result};
use sekisho_core::capability::Capability;
use sekisho_core::item::Item;
use sekisho_core::number::Number;
use sekisho_core::profile::Mode;
use sekisho_core::request::{DeviceOp, Operation, Path2Op, PathNumberOp, PathOp, Request};

/// The file type in a mode (include/uapi/linux/stat.h).
const S_IFMT: u16 = 0o170_000;
const S_IFIFO: u16 = 0o010_000;
const S_IFCHR: u16 = 0o020_000;
const S_IFBLK: u16 = 0o060_000;
const S_IFSOCK: u16 = 0o140_000;
/// `RENAME_EXCHANGE` (include/uapi/linux/fs.h).
const RENAME_EXCHANGE: u32 = 2;
/// `RENAME_WHITEOUT` (include/uapi/linux/fs.h).
const RENAME_WHITEOUT: u32 = 4;

/// unlink
pub(crate) fn unlink(path: &Path<'_>) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    capability::check(Capability::SysUnlink)?;
    check_path(PathOp::Unlink, path, Slash::IfDirectory)
}

/// rmdir
pub(crate) fn rmdir(path: &Path<'_>) -> Result {
    check_path(PathOp::Rmdir, path, Slash::Always)
}

/// mkdir; the umask has been applied.
pub(crate) fn mkdir(path: &Path<'_>, mode: u16) -> Result {
    check_mode(PathNumberOp::Mkdir, path, mode, Slash::Always)
}

/// mknod, O_CREAT, and bind of a local socket.
pub(crate) fn mknod(path: &Path<'_>, mode: u16, dev: u32) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    match mode & S_IFMT {
        S_IFIFO => {
            capability::check(Capability::CreateFifo)?;
            check_mode(PathNumberOp::Mkfifo, path, mode, Slash::Never)
        }
        S_IFSOCK => {
            capability::check(Capability::CreateUnixSocket)?;
            check_mode(PathNumberOp::Mksock, path, mode, Slash::Never)
        }
        S_IFCHR => device(DeviceOp::Mkchar, Capability::CreateCharDev, path, mode, dev),
        S_IFBLK => device(DeviceOp::Mkblock, Capability::CreateBlockDev, path, mode, dev),
        _ => check_mode(PathNumberOp::Create, path, mode, Slash::IfDirectory),
    }
}

fn device(op: DeviceOp, needs: Capability, path: &Path<'_>, mode: u16, dev: u32) -> Result {
    let item = Operation::Device(op).item();
    // Character device 0:0 is what overlay file systems hide files with; everybody may make it. Of other devices the kernel
    // refuses those who may not make any after us, so nothing about them is asked, recorded or learned.
    if !(op == DeviceOp::Mkchar && dev == 0) && !task::has_mknod() {
        return if ask::mode(item) == Mode::Enforcing { Err(Errno::Perm) } else { Ok(()) };
    }
    capability::check(needs)?;
    if !path.has_mount() {
        return Ok(());
    }
    let Some(question) = Question::begin(item) else { return Ok(()) };
    let (major, minor) = device_number(dev);
    let (major, minor) = (Number::decimal(major.into()), Number::decimal(minor.into()));
    let mode = Number::octal((mode & PERMISSIONS).into());
    let objects = Paths::one(path);
    let about = About { objects: Some(&objects), ..About::default() };
    question.finish(path.with_name(Slash::Never, |name| {
        question.ask(&about, &Request::Device { op, path: name, mode, major, minor })
    }))
}

/// symlink; the target is what the link will say, not where it leads.
pub(crate) fn symlink(path: &Path<'_>, target: &[u8]) -> Result {
    if !ask::is_active() || !path.has_mount() {
        return Ok(());
    }
    capability::check(Capability::SysSymlink)?;
    let Some(question) = Question::begin(Item::Symlink) else { return Ok(()) };
    let objects = Paths::one(path);
    let answer = with_text(target, |target| {
        let about = About { objects: Some(&objects), symlink_target: Some(target), exec: None };
        path.with_name(Slash::Never, |name| {
            question.ask(&about, &Request::Path { op: PathOp::Symlink, path: name })
        })
    });
    question.finish(answer.and_then(|inner| inner))
}

/// link
pub(crate) fn link(old: &Path<'_>, new: &Path<'_>) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    capability::check(Capability::SysLink)?;
    check_two(Path2Op::Link, old, new, if old.is_dir() { Slash::Always } else { Slash::Never })
}

/// rename; both names end in a slash if the old one is a directory's. RENAME_EXCHANGE is a rename in both directions,
/// RENAME_WHITEOUT leaves the character device 0:0 in the old place.
pub(crate) fn rename(old: &Path<'_>, new: &Path<'_>, flags: u32) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    capability::check(Capability::SysRename)?;
    rename_one(old, new)?;
    if flags & RENAME_EXCHANGE != 0 {
        rename_one(new, old)?;
    }
    if flags & RENAME_WHITEOUT != 0 {
        device(DeviceOp::Mkchar, Capability::CreateCharDev, old, 0, 0)?;
    }
    Ok(())
}

fn rename_one(old: &Path<'_>, new: &Path<'_>) -> Result {
    check_two(Path2Op::Rename, old, new, if old.is_dir() { Slash::Always } else { Slash::Never })
}

/// chmod and its relatives
pub(crate) fn chmod(path: &Path<'_>, mode: u16) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    capability::check(Capability::SysChmod)?;
    check_mode(PathNumberOp::Chmod, path, mode, Slash::IfDirectory)
}

/// chown and its relatives; `None` leaves the owner or the group.
pub(crate) fn chown(path: &Path<'_>, uid: Option<u32>, gid: Option<u32>) -> Result {
    if !ask::is_active() || (uid.is_none() && gid.is_none()) {
        return Ok(());
    }
    capability::check(Capability::SysChown)?;
    if let Some(uid) = uid {
        check_number(PathNumberOp::Chown, path, Number::decimal(uid.into()), Slash::IfDirectory)?;
    }
    match gid {
        Some(gid) => check_number(PathNumberOp::Chgrp, path, Number::decimal(gid.into()), Slash::IfDirectory),
        None => Ok(()),
    }
}
