// SPDX-License-Identifier: MIT OR Apache-2.0
//! Operations on mounts, by the old system calls and by the new ones.

use nix::mount::{MntFlags, MsFlags};
use rustix::fs::CWD;
use rustix::mount::{FsMountFlags, FsOpenFlags, FsPickFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags};

use super::{done, kept, os, slots, Op, Performed};

/// Does an operation on mounts.
pub fn perform(op: &Op) -> Performed {
    match op {
        Op::Mount(dev, dir, kind, flags, data) => done(nix::mount::mount(
            given(dev),
            os(dir),
            given(kind),
            MsFlags::from_bits_retain(*flags as _),
            given(data),
        )),
        Op::Umount(dir, flags) => done(nix::mount::umount2(os(dir), MntFlags::from_bits_retain(*flags))),
        Op::PivotRoot(new, old) => done(nix::unistd::pivot_root(os(new), os(old))),
        Op::Fsopen(slot, kind) => kept(*slot, rustix::mount::fsopen(os(kind), FsOpenFlags::FSOPEN_CLOEXEC)),
        Op::Fsconfig(slot, key, value) => {
            done(slots::with(*slot, |file| rustix::mount::fsconfig_set_string(file, os(key), os(value))))
        }
        Op::FsconfigFlag(slot, key) => {
            done(slots::with(*slot, |file| rustix::mount::fsconfig_set_flag(file, os(key))))
        }
        Op::Fscreate(slot) => done(slots::with(*slot, |file| rustix::mount::fsconfig_create(file))),
        Op::Fsreconfigure(slot) => done(slots::with(*slot, |file| rustix::mount::fsconfig_reconfigure(file))),
        Op::Fsmount(slot, mount, attributes) => kept(
            *mount,
            slots::with(*slot, |file| {
                rustix::mount::fsmount(
                    file,
                    FsMountFlags::FSMOUNT_CLOEXEC,
                    MountAttrFlags::from_bits_retain(*attributes),
                )
            }),
        ),
        Op::OpenTree(slot, path, flags) => {
            kept(*slot, rustix::mount::open_tree(CWD, os(path), OpenTreeFlags::from_bits_retain(*flags)))
        }
        Op::MoveFd(slot, path) => done(slots::with(*slot, |file| {
            rustix::mount::move_mount(file, "", CWD, os(path), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        })),
        Op::MovePath(from, to) => {
            done(rustix::mount::move_mount(CWD, os(from), CWD, os(to), MoveMountFlags::empty()))
        }
        Op::Fspick(slot, path) => {
            kept(*slot, rustix::mount::fspick(CWD, os(path), FsPickFlags::FSPICK_CLOEXEC))
        }
        _ => None,
    }
}

/// An empty word is NULL.
fn given(word: &[u8]) -> Option<&std::ffi::OsStr> {
    (!word.is_empty()).then(|| os(word))
}
