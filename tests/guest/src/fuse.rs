// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file system that a thread of this program serves, with one file in it, `file`: as much of FUSE's protocol
//! (include/uapi/linux/fuse.h) as the tests of file systems whose server does the work need.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;

use nix::mount::{mount, umount2, MntFlags, MsFlags};

const ENOENT: i32 = 2;
const ENOSYS: i32 = 38;
/// Opcodes.
const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const SETATTR: u32 = 4;
const OPEN: u32 = 14;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;
/// O_TRUNC comes with OPEN.
const ATOMIC_O_TRUNC: u32 = 1 << 3;
/// SETATTR sets the size.
const FATTR_SIZE: u32 = 1 << 3;
/// The numbers of the two inodes.
const ROOT: u64 = 1;
const FILE: u64 = 2;
/// The version that is spoken, and the bytes of a write at most.
const MINOR: u32 = 31;
const MAX_WRITE: u32 = 4096;

/// What has been done to the file.
#[derive(Default)]
struct Seen {
    opened: AtomicU32,
    emptied: AtomicBool,
}

/// The file system; unmounted when this is dropped.
pub struct Served {
    place: String,
    seen: Arc<Seen>,
}

impl Served {
    /// Mounts it on a folder.
    ///
    /// # Errors
    /// Those of opening the device and of mount(2).
    pub fn start(place: &str) -> io::Result<Self> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse")?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        mount(Some("served"), place, Some("fuse"), MsFlags::empty(), Some(options.as_str()))?;
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            // It ends when nothing of the file system is in use any more.
            drop(serve(device, &shared));
        });
        Ok(Self { place: place.to_owned(), seen })
    }

    /// How often the file has been opened since this was asked last.
    pub fn opened(&self) -> u32 {
        self.seen.opened.swap(0, Ordering::SeqCst)
    }

    /// Whether the file has been emptied since this was asked last.
    pub fn emptied(&self) -> bool {
        self.seen.emptied.swap(false, Ordering::SeqCst)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Err(e) = umount2(self.place.as_str(), MntFlags::MNT_DETACH) {
            println!("# {} cannot be unmounted: {e}", self.place);
        }
    }
}

fn serve(mut device: File, seen: &Seen) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = device.read(&mut buffer)?;
        let request = buffer.get(..count).unwrap_or_default();
        let (opcode, unique, node) = (word(request, 4), long(request, 8), long(request, 16));
        let body = request.get(40..).unwrap_or_default();
        if matches!(opcode, FORGET | BATCH_FORGET | INTERRUPT) {
            continue;
        }
        let (error, answer) = match answer(opcode, node, body, seen) {
            Ok(answer) => (0, answer),
            Err(error) => (-error, Vec::new()),
        };
        let mut reply = ((16 + answer.len()) as u32).to_ne_bytes().to_vec();
        reply.extend(error.to_ne_bytes());
        reply.extend(unique.to_ne_bytes());
        reply.extend(answer);
        // Who asked may be gone.
        drop(device.write(&reply));
    }
}

/// The answer to a request, or the error.
fn answer(opcode: u32, node: u64, body: &[u8], seen: &Seen) -> Result<Vec<u8>, i32> {
    match opcode {
        INIT => {
            let words = [7, MINOR, word(body, 8), ATOMIC_O_TRUNC, 0, MAX_WRITE, 1];
            let mut answer: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
            answer.resize(64, 0);
            Ok(answer)
        }
        LOOKUP if body == b"file\0" => {
            // Number and generation of the inode; how long name and attributes are valid: not at all.
            let mut answer = FILE.to_ne_bytes().to_vec();
            answer.resize(40, 0);
            answer.extend(attributes(FILE));
            Ok(answer)
        }
        LOOKUP => Err(ENOENT),
        GETATTR | SETATTR => {
            if opcode == SETATTR && word(body, 0) & FATTR_SIZE != 0 {
                seen.emptied.store(true, Ordering::SeqCst);
            }
            let mut answer = vec![0; 16];
            answer.extend(attributes(node));
            Ok(answer)
        }
        OPEN => {
            seen.opened.fetch_add(1, Ordering::SeqCst);
            if word(body, 0) & nix::libc::O_TRUNC as u32 != 0 {
                seen.emptied.store(true, Ordering::SeqCst);
            }
            Ok(vec![0; 16])
        }
        RELEASE | FLUSH => Ok(Vec::new()),
        _ => Err(ENOSYS),
    }
}

/// struct fuse_attr
fn attributes(node: u64) -> Vec<u8> {
    let mode: u32 = if node == ROOT { 0o040_755 } else { 0o100_644 };
    // Number, size, blocks and three times; then three times the fraction, mode, links, owner, group, device, block size.
    let mut bytes: Vec<u8> = [node, 4, 1, 0, 0, 0].into_iter().flat_map(u64::to_ne_bytes).collect();
    bytes.extend([0, 0, 0, mode, 1, 0, 0, 0, 4096, 0].into_iter().flat_map(u32::to_ne_bytes));
    bytes
}

fn word(bytes: &[u8], offset: usize) -> u32 {
    let bytes = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

fn long(bytes: &[u8], offset: usize) -> u64 {
    let bytes = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u64::from_ne_bytes(*bytes))
}
