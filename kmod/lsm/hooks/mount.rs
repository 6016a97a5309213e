// SPDX-License-Identifier: GPL-2.0-only

//! The tree of mounts (reference 4.8), through mount(2) and through the calls that Linux added since.
//!
//! A file system that fsopen(2) and fsmount(2) made, or a copy that open_tree(2) made, has no place in the tree and so no name
//! that policy could allow (it begins with the type, as in `tmpfs:/`). `move_mount` puts it into the tree, and there it is
//! asked for as mount(2) would have been: a new file system with its type and device, a part of one, or the whole of one that
//! the tree shows already, as `--bind`, a mount that is in the tree already as `--move`. With a device it does not matter whether
//! it is new, because the device's name says what is shown. What has no hook that shows a directory has words of its own: see
//! [`set_attributes`].

use super::{capability, check_path, check_two};
use crate::ask::{self, About, Question};
use crate::objects::Paths;
use crate::sys::path::{with_text, FilesystemKind, Found, Links, MountFacts, Path, Slash, Super};
use crate::sys::task::{self, Call};
use crate::{Errno, Result};
use core::ffi::CStr;
use sekisho_core::capability::Capability;
use sekisho_core::item::Item;
use sekisho_core::name::Name;
use sekisho_core::number::Number;
use sekisho_core::profile::Mode;
use sekisho_core::request::{Path2Op, PathOp, Request};

/// The old magic number in the upper half of the flags.
const MAGIC: u32 = 0xC0ED_0000;
/// What a bit of the flags makes of a mount (include/uapi/linux/mount.h); the first that is set decides.
const KINDS: [(u32, &[u8]); 7] = [
    (1 << 5, b"--remount"),
    (1 << 12, BIND),
    (1 << 20, b"--make-shared"),
    (1 << 18, b"--make-private"),
    (1 << 19, b"--make-slave"),
    (1 << 17, b"--make-unbindable"),
    (1 << 13, MOVE),
];
const PROPAGATION: u32 = (1 << 17) | (1 << 18) | (1 << 19) | (1 << 20);
const BIND: &[u8] = b"--bind";
const MOVE: &[u8] = b"--move";
/// MS_SILENT: fewer messages in the kernel's log; no matter for policy (quirk Q34).
const SILENT: u32 = 1 << 15;
/// MS_REC: with all mounts that are on it.
const RECURSIVE: u32 = 1 << 14;
/// The file type in a mode (include/uapi/linux/stat.h).
const S_IFMT: u32 = 0o170_000;
const S_IFBLK: u32 = 0o060_000;
/// Stands for what was not given.
const NULL: &[u8] = b"<NULL>";

/// mount(2)
pub(crate) fn mount(device: Option<&CStr>, dir: &Path<'_>, kind: Option<&CStr>, flags: u32) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    // Linux asks for that after us. Until then nothing may happen in the name of who may not mount at all: no module is
    // loaded, nothing looked at, nothing recorded or learned.
    if !task::may_mount() {
        return Err(Errno::Perm);
    }
    capability::check(Capability::SysMount)?;
    let flags = if flags & 0xFFFF_0000 == MAGIC { flags & 0xFFFF } else { flags };
    let flags = flags & !SILENT;
    let special = KINDS.iter().find(|(bit, _)| flags & bit != 0);
    if ask::mode(Item::Mount) != Mode::Disabled
        && matches!(special, Some((bit, _)) if bit & PROPAGATION != 0)
        && (flags & PROPAGATION).count_ones() > 1
    {
        return Err(Errno::Inval);
    }
    match special {
        Some((bit, name)) => {
            let compares = *name == BIND || *name == MOVE;
            ask_mount(device, compares, dir, name, flags & !bit)?;
            if !compares {
                return Ok(());
            }
        }
        None => {
            // Looking a type up may load a module, so it is left to those who need it.
            let mode = ask::mode(Item::Mount);
            if mode != Mode::Disabled {
                // An absent type is none that the kernel knows.
                let found = kind.map_or(FilesystemKind::Unknown, FilesystemKind::of);
                let name = kind.map_or(NULL, CStr::to_bytes);
                if found == FilesystemKind::Unknown {
                    return if mode == Mode::Enforcing { Err(Errno::NoDev) } else { Ok(()) };
                }
                ask_mount(device, found == FilesystemKind::OnDevice, dir, name, flags)?;
            }
        }
    }
    conceal(dir)
}

/// `allow_mount DEVICE DIRECTORY TYPE FLAGS`. A device that is compared is looked up, links followed.
fn ask_mount(device: Option<&CStr>, compares: bool, dir: &Path<'_>, kind: &[u8], flags: u32) -> Result {
    let Some(question) = Question::begin(Item::Mount) else { return Ok(()) };
    if !compares {
        return without_device(&question, device.map_or(NULL, CStr::to_bytes), dir, kind, flags);
    }
    // Not there: as with 1.7 that is no matter for records, queries and learning.
    let found = device.ok_or(Errno::NoEnt).and_then(|device| Found::lookup(device, Links::Follow));
    match found {
        Ok(found) => with_device(&question, &found.path(), dir, kind, flags),
        Err(error) if question.mode() == Mode::Enforcing => Err(error),
        Err(_) => Ok(()),
    }
}

fn with_device(question: &Question, device: &Path<'_>, dir: &Path<'_>, kind: &[u8], flags: u32) -> Result {
    let objects = Paths::new(Some(device), Some(dir));
    let answer = device.with_name(Slash::IfDirectory, |device| {
        dir.with_name(Slash::IfDirectory, |dir| put(question, &objects, device, true, dir, kind, flags))
    });
    question.finish(answer.and_then(|inner| inner).and_then(|inner| inner))
}

fn without_device(question: &Question, device: &[u8], dir: &Path<'_>, kind: &[u8], flags: u32) -> Result {
    let objects = Paths::new(None, Some(dir));
    let answer = with_text(device, |device| {
        dir.with_name(Slash::IfDirectory, |dir| put(question, &objects, device, false, dir, kind, flags))
    });
    question.finish(answer.and_then(|inner| inner).and_then(|inner| inner))
}

fn put(
    question: &Question,
    objects: &Paths<'_>,
    device: Name<'_>,
    compare_device: bool,
    dir: Name<'_>,
    kind: &[u8],
    flags: u32,
) -> Result<Result> {
    with_text(kind, |kind| {
        let about = About { objects: Some(objects), ..About::default() };
        let flags = Number::hexadecimal(flags.into());
        question.ask(&about, &Request::Mount { device, compare_device, dir, kind, flags })
    })
}

/// Whether a mount that is new in this place hides another one.
fn conceal(dir: &Path<'_>) -> Result {
    if ask::mode(Capability::ConcealMount.item()) == Mode::Disabled || !dir.conceals() {
        return Ok(());
    }
    capability::check(Capability::ConcealMount)
}

/// move_mount(2)
pub(crate) fn move_mount(from: &Path<'_>, to: &Path<'_>) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    capability::check(Capability::SysMount)?;
    if let Some(question) = Question::begin(Item::Mount) {
        let facts = from.mount();
        if facts.attached {
            with_device(&question, from, to, MOVE, 0)?;
        } else if !facts.whole || (facts.shown && !facts.needs_device) {
            with_device(&question, from, to, BIND, if facts.has_mounts { RECURSIVE } else { 0 })?;
        } else if facts.needs_device {
            match device(&facts) {
                Ok(found) => with_device(&question, &found.path(), to, facts.kind.to_bytes(), facts.flags)?,
                // Not there, or not it: no failure of ours, and as with mount(2) no matter for records and learning.
                Err(error) if question.mode() == Mode::Enforcing => return Err(error),
                Err(_) => {}
            }
        } else {
            let device = facts.device.to_bytes();
            let device = if device.is_empty() { NULL } else { device };
            without_device(&question, device, to, facts.kind.to_bytes(), facts.flags)?;
        }
    }
    conceal(to)
}

/// The device of a file system, found by its name. That may have got another meaning since the file system was made, so the
/// device must be the one that the file system says; if it says none (btrfs), the name must lead there without links.
fn device(facts: &MountFacts<'_>) -> Result<Found> {
    let says = facts.block_device != (0, 0);
    let found = Found::lookup(facts.device, if says { Links::Follow } else { Links::None })?;
    let is_right = found.path().attributes().is_some_and(|device| {
        let same = (device.dev_major, device.dev_minor) == facts.block_device;
        device.mode & S_IFMT == S_IFBLK && (same || !says)
    });
    if is_right {
        Ok(found)
    } else {
        Err(Errno::NoEnt)
    }
}

/// fsconfig(2) makes a file system. Where it will be is asked by [`move_mount`].
pub(crate) fn create() -> Result {
    if ask::is_active() && Call::current() == Call::Fsconfig {
        capability::check(Capability::SysMount)?;
    }
    Ok(())
}

/// fsconfig(2) changes the settings of a file system, wherever it is mounted: the directory is `TYPE:/`.
pub(crate) fn reconfigure(sb: &Super<'_>) -> Result {
    if !ask::is_active() || Call::current() != Call::Fsconfig {
        return Ok(());
    }
    capability::check(Capability::SysMount)?;
    let Some(question) = Question::begin(Item::Mount) else { return Ok(()) };
    let answer = sb.with_name(|dir| placeless(&question, dir, b"--remount"));
    question.finish(answer.and_then(|inner| inner).and_then(|inner| inner))
}

/// mount_setattr(2) has no hook, and the system call's arguments could change while we look at them. So the place is
/// not known: `allow_mount <NULL> <NULL> --mount_setattr 0x0` grants it everywhere.
pub(crate) fn set_attributes() -> Result {
    capability::check(Capability::SysMount)?;
    let Some(question) = Question::begin(Item::Mount) else { return Ok(()) };
    let answer = with_text(NULL, |dir| placeless(&question, dir, b"--mount_setattr"));
    question.finish(answer.and_then(|inner| inner).and_then(|inner| inner))
}

fn placeless(question: &Question, dir: Name<'_>, kind: &[u8]) -> Result<Result<Result>> {
    let objects = Paths::new(None, None);
    with_text(NULL, |device| put(question, &objects, device, false, dir, kind, 0))
}

/// umount(2)
pub(crate) fn umount(path: &Path<'_>) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    capability::check(Capability::SysUmount)?;
    check_path(PathOp::Unmount, path, Slash::IfDirectory)
}

/// chroot(2)
pub(crate) fn chroot(path: &Path<'_>) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    capability::check(Capability::SysChroot)?;
    check_path(PathOp::Chroot, path, Slash::Always)
}

/// pivot_root(2)
pub(crate) fn pivot_root(new_root: &Path<'_>, put_old: &Path<'_>) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    capability::check(Capability::SysPivotRoot)?;
    check_two(Path2Op::PivotRoot, new_root, put_old, Slash::Always)
}
