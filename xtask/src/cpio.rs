// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writing an initramfs: a gzip-compressed cpio archive in the "newc" form
//! (Linux Documentation/driver-api/early-userspace/buffer-format.rst).
//!
//! Written here because the archive needs device nodes and root as owner without being root, and because the same inputs
//! must give the same bytes: no times, no host inode numbers.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{ensure, Result};
use flate2::write::GzEncoder;
use flate2::Compression;

enum Kind {
    Directory,
    File(Vec<u8>),
    Link(String),
    Character { major: u32, minor: u32 },
}

struct Entry {
    mode: u32,
    kind: Kind,
}

/// An archive under construction. Parent directories come by themselves.
#[derive(Default)]
pub struct Archive(BTreeMap<String, Entry>);

impl Archive {
    /// Adds a directory with the given permission bits.
    pub fn directory(&mut self, path: &str, permissions: u32) {
        self.parents(path);
        self.put(path, 0o040_000 | permissions, Kind::Directory);
    }

    /// Adds a regular file.
    pub fn file(&mut self, path: &str, permissions: u32, content: Vec<u8>) {
        self.parents(path);
        self.put(path, 0o100_000 | permissions, Kind::File(content));
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.parents(path);
        self.put(path, 0o120_777, Kind::Link(target.to_owned()));
    }

    /// Adds a character device.
    pub fn character(&mut self, path: &str, permissions: u32, major: u32, minor: u32) {
        self.parents(path);
        self.put(path, 0o020_000 | permissions, Kind::Character { major, minor });
    }

    fn put(&mut self, path: &str, mode: u32, kind: Kind) {
        self.0.insert(path.trim_matches('/').to_owned(), Entry { mode, kind });
    }

    fn parents(&mut self, path: &str) {
        let path = path.trim_matches('/');
        for (end, _) in path.match_indices('/') {
            let parent = path.get(..end).unwrap_or_default();
            if !self.0.contains_key(parent) {
                self.put(parent, 0o040_755, Kind::Directory);
            }
        }
    }

    /// The compressed archive.
    pub fn finish(self) -> Result<Vec<u8>> {
        let mut out = GzEncoder::new(Vec::new(), Compression::new(4));
        // The map is sorted, so a directory stands before what is in it.
        for (number, (path, entry)) in self.0.iter().enumerate() {
            let (content, major, minor): (&[u8], u32, u32) = match &entry.kind {
                Kind::Directory => (&[], 0, 0),
                Kind::File(content) => (content, 0, 0),
                Kind::Link(target) => (target.as_bytes(), 0, 0),
                Kind::Character { major, minor } => (&[], *major, *minor),
            };
            member(&mut out, number + 1, path, entry.mode, content, (major, minor))?;
        }
        member(&mut out, 0, "TRAILER!!!", 0, &[], (0, 0))?;
        Ok(out.finish()?)
    }
}

fn member(
    out: &mut impl Write,
    inode: usize,
    path: &str,
    mode: u32,
    content: &[u8],
    device: (u32, u32),
) -> Result<()> {
    ensure!(content.len() < u32::MAX as usize, "{path} is too large for a cpio archive");
    let links = if mode & 0o170_000 == 0o040_000 { 2 } else { 1 };
    let mut header = String::from("070701");
    let fields = [
        inode,
        mode as usize,
        0,
        0,
        links,
        0,
        content.len(),
        0,
        0,
        device.0 as usize,
        device.1 as usize,
        path.len() + 1,
        0,
    ];
    for field in fields {
        header.push_str(&format!("{field:08X}"));
    }
    out.write_all(header.as_bytes())?;
    out.write_all(path.as_bytes())?;
    out.write_all(&[0])?;
    pad(out, header.len() + path.len() + 1)?;
    out.write_all(content)?;
    pad(out, content.len())
}

fn pad(out: &mut impl Write, written: usize) -> Result<()> {
    let missing = written.next_multiple_of(4) - written;
    Ok(out.write_all(&[0; 3][..missing])?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn cpio_can_list_it() {
        let mut archive = Archive::default();
        archive.file("/a/b/file", 0o644, b"hello".to_vec());
        archive.link("/a/link", "b/file");
        archive.directory("/tmp", 0o1777);
        archive.character("/dev/console", 0o600, 5, 1);
        let packed = archive.finish().unwrap();
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut plain).unwrap();
        let Ok(mut cpio) =
            Command::new("cpio").args(["-t", "--quiet"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
        else {
            eprintln!("cpio is not installed, the archive was not compared with it");
            return;
        };
        cpio.stdin.take().unwrap().write_all(&plain).unwrap();
        let listing = String::from_utf8(cpio.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(listing, "a\na/b\na/b/file\na/link\ndev\ndev/console\ntmp\n");
    }
}
