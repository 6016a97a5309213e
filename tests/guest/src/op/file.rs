// SPDX-License-Identifier: MIT OR Apache-2.0
//! Operations on files and names.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::DirBuilderExt;

use nix::sys::stat::SFlag;
use rustix::fs::{AtFlags, FileType, MemfdFlags, Mode, OFlags, RenameFlags, CWD};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::pty::OpenptFlags;

use super::{done, kept, os, slots, text, Op, Performed};

/// Does an operation on files.
pub fn perform(op: &Op) -> Performed {
    match op {
        Op::Open(path, flags, mode) => done(open(path, *flags | nix::libc::O_CLOEXEC, *mode)),
        Op::OpenTruncate(path) => {
            done(OpenOptions::new().read(true).write(true).open(os(path)).and_then(|file| file.set_len(0)))
        }
        Op::Truncate(path) => done(nix::unistd::truncate(os(path), 0)),
        Op::Unlink(path) => done(fs::remove_file(os(path))),
        Op::Mkdir(path, mode) => done(fs::DirBuilder::new().mode(*mode).create(os(path))),
        Op::Rmdir(path) => done(fs::remove_dir(os(path))),
        Op::Rename(from, to) => done(fs::rename(os(from), os(to))),
        Op::Rename2(from, to, flags) => {
            done(rustix::fs::renameat_with(CWD, os(from), CWD, os(to), RenameFlags::from_bits_retain(*flags)))
        }
        Op::Link(from, to) => done(fs::hard_link(os(from), os(to))),
        Op::Mknod(path, mode) => {
            done(rustix::fs::mknodat(CWD, os(path), FileType::RegularFile, bits(*mode), 0))
        }
        Op::Node(path, mode, major, minor) => {
            let kind = SFlag::from_bits_truncate((*mode & nix::libc::S_IFMT) as _);
            let mode = nix::sys::stat::Mode::from_bits_truncate((*mode & 0o7777) as _);
            let device = nix::sys::stat::makedev(u64::from(*major), u64::from(*minor));
            done(nix::sys::stat::mknod(os(path), kind, mode, device))
        }
        Op::Symlink(target, link) => done(std::os::unix::fs::symlink(os(target), os(link))),
        Op::Chmod(path, mode) => done(rustix::fs::chmod(os(path), bits(*mode))),
        Op::Chown(path, uid, gid) => done(rustix::fs::chown(os(path), user(*uid), group(*gid))),
        Op::Lchown(path, uid, gid) => {
            done(rustix::fs::chownat(CWD, os(path), user(*uid), group(*gid), AtFlags::SYMLINK_NOFOLLOW))
        }
        Op::Umask(mask) => {
            rustix::process::umask(bits(*mask));
            done(Ok::<_, Errno>(()))
        }
        Op::Chdir(path) => done(rustix::process::chdir(os(path))),
        Op::FdChdir(slot) => done(slots::with(*slot, |file| rustix::process::fchdir(file))),
        Op::Descend(length, depth) => {
            let name = "d".repeat(*length as usize);
            done((0..*depth).try_for_each(|_| {
                rustix::fs::mkdirat(CWD, name.as_str(), bits(0o755))
                    .and_then(|()| rustix::process::chdir(name.as_str()))
            }))
        }
        Op::Hold(slot, path, flags, mode) => kept(*slot, open(path, *flags, *mode)),
        Op::Close(slot) => {
            slots::close(*slot);
            done(Ok::<_, Errno>(()))
        }
        Op::FdTruncate(slot) => done(slots::with(*slot, |file| rustix::fs::ftruncate(file, 0))),
        Op::FdFlags(slot, flags) => done(slots::with(*slot, |file| {
            rustix::fs::fcntl_setfl(file, OFlags::from_bits_retain(*flags as u32))
        })),
        Op::FdChmod(slot, mode) => done(slots::with(*slot, |file| rustix::fs::fchmod(file, bits(*mode)))),
        Op::FdChown(slot, uid, gid) => {
            done(slots::with(*slot, |file| rustix::fs::fchown(file, user(*uid), group(*gid))))
        }
        Op::FdLink(slot, path) => done(slots::with(*slot, |file| {
            let name = format!("/proc/self/fd/{}", file.as_raw_fd());
            rustix::fs::linkat(CWD, name, CWD, os(path), AtFlags::SYMLINK_FOLLOW)
        })),
        Op::FdWrite(slot, bytes) => done(slots::with(*slot, |file| rustix::io::write(file, bytes))),
        Op::FdRead(slot) => {
            let mut buffer = vec![0; 4096];
            text(slots::with(*slot, |file| rustix::io::read(file, &mut buffer)).map(|count| {
                buffer.truncate(count);
                buffer
            }))
        }
        Op::Ioctl(slot, name) => ioctl(*slot, name),
        Op::Pipe(read, write) => done(rustix::pipe::pipe().map(|(reading, writing)| {
            slots::keep(*read, reading);
            slots::keep(*write, writing);
        })),
        Op::Pty(slot) => kept(*slot, rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)),
        Op::Memfd(slot, name) => kept(*slot, rustix::fs::memfd_create(name.as_slice(), MemfdFlags::empty())),
        Op::CopySelf(slot) => done(slots::with(*slot, |file| {
            let mut target = File::from(file.try_clone_to_owned()?);
            let program = fs::read("/proc/self/exe")?;
            target.write_all(&program)
        })),
        Op::Write(path, bytes) => {
            done(OpenOptions::new().write(true).open(os(path)).and_then(|mut file: File| file.write(bytes)))
        }
        Op::Read(path) => text(fs::read(os(path))),
        Op::WriteStderr(bytes) => done(std::io::stderr().write(bytes)),
        _ => None,
    }
}

fn open(path: &[u8], flags: i32, mode: u32) -> rustix::io::Result<std::os::fd::OwnedFd> {
    rustix::fs::open(os(path), OFlags::from_bits_retain(flags as u32), bits(mode))
}

fn bits(mode: u32) -> Mode {
    Mode::from_raw_mode((mode & 0o7777) as _)
}

fn user(id: i32) -> Option<Uid> {
    u32::try_from(id).ok().map(Uid::from_raw)
}

fn group(id: i32) -> Option<Gid> {
    u32::try_from(id).ok().map(Gid::from_raw)
}

fn ioctl(slot: u32, name: &[u8]) -> Performed {
    done(slots::with(slot, |file| match name {
        b"FIONREAD" => rustix::io::ioctl_fionread(file).map(drop),
        b"FIONBIO" => rustix::io::ioctl_fionbio(file, false),
        b"TIOCGWINSZ" => rustix::termios::tcgetwinsize(file).map(drop),
        b"TIOCSWINSZ" => rustix::termios::tcsetwinsize(
            file,
            rustix::termios::Winsize { ws_row: 25, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 },
        ),
        b"TIOCGPTN" => rustix::pty::ptsname(file, Vec::new()).map(drop),
        b"TIOCSPTLCK" => rustix::pty::unlockpt(file),
        b"TIOCEXCL" => rustix::termios::ioctl_tiocexcl(file),
        b"TIOCNXCL" => rustix::termios::ioctl_tiocnxcl(file),
        b"SIOCGIFNAME" => rustix::net::netdevice::index_to_name(file.as_fd(), 1).map(drop),
        b"SIOCGIFINDEX" => rustix::net::netdevice::name_to_index(file.as_fd(), "lo").map(drop),
        b"FS_IOC_GETFLAGS" => rustix::fs::ioctl_getflags(file).map(drop),
        _ => Err(Errno::INVAL),
    }))
}
