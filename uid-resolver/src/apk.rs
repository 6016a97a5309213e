// SPDX-License-Identifier: MIT OR Apache-2.0
//! An APK: the package that it is, and the policy fragment that it brings (Android reference 2.1).
//!
//! The fragment is `assets/sekisho/domain_policy` in `base.apk`: every signature scheme covers `assets/`, none covers
//! all of `META-INF/`. The package manager has verified the signature before; what is checked here is that this reader
//! sees the same files as that one ([`crate::central_directory`]) and that reading costs a bounded amount of memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use thiserror::Error;
use zip::read::{ArchiveOffset, Config};
use zip::ZipArchive;

use crate::central_directory::{CentralDirectory, Entry, ZipError};
use crate::manifest::{package_name, ManifestError};
use crate::package::PackageName;

/// Where the fragment is in an APK.
pub const FRAGMENT_ENTRY: &str = "assets/sekisho/domain_policy";
/// The manifest's entry.
pub const MANIFEST_ENTRY: &str = "AndroidManifest.xml";
/// Largest manifest, in bytes.
pub const MAX_MANIFEST: u64 = 1 << 20;
/// Largest fragment text, in bytes.
pub const MAX_FRAGMENT: u64 = 16 << 10;
/// Deflate makes at most 1032 bytes of one.
const MAX_RATIO: u64 = 1032;

/// Why an APK is refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ApkError {
    /// It could not be opened or read.
    #[error("cannot open the APK: {0}")]
    Open(std::io::Error),
    /// A directory, a device, a FIFO.
    #[error("the APK is no regular file")]
    NotAFile,
    /// Something is wrong with the archive.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// No manifest.
    #[error("the APK has no {MANIFEST_ENTRY}")]
    NoManifest,
    /// Something is wrong with the manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// An entry that is too large.
    #[error("{entry} has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Its name.
        entry: &'static str,
        /// Its declared size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The content is not what the directory says.
    #[error("{entry} cannot be unpacked: {reason}")]
    Content {
        /// Its name.
        entry: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl ApkError {
    /// Whether it says nothing about the app: the file could not be read at all.
    pub fn is_transient(&self) -> bool {
        matches!(self, ApkError::Open(_) | ApkError::Zip(ZipError::Io(_)))
    }
}

/// What an APK holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Apk {
    /// The package's name, from the manifest.
    pub package: PackageName,
    /// The fragment's text, unchecked; `None` when the APK brings none.
    pub fragment: Option<Vec<u8>>,
}

impl Apk {
    /// Opens the file once (no symbolic link, no waiting on a FIFO) and reads from that descriptor only.
    pub fn open(path: &Path) -> Result<Apk, ApkError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd =
            rustix::fs::open(path, flags, Mode::empty()).map_err(|error| ApkError::Open(error.into()))?;
        let file = File::from(fd);
        let metadata = file.metadata().map_err(ApkError::Open)?;
        if !metadata.is_file() {
            return Err(ApkError::NotAFile);
        }
        Apk::read(file, metadata.len())
    }

    /// Reads an archive of `length` bytes.
    pub fn read<F: Read + Seek>(mut file: F, length: u64) -> Result<Apk, ApkError> {
        let directory = CentralDirectory::read(&mut file, length, &[MANIFEST_ENTRY, FRAGMENT_ENTRY])?;
        let manifest = directory.get(MANIFEST_ENTRY).ok_or(ApkError::NoManifest)?;
        // Both limits are checked before anything is unpacked.
        check_size(manifest, MANIFEST_ENTRY, MAX_MANIFEST)?;
        let fragment = directory.get(FRAGMENT_ENTRY);
        if let Some(fragment) = fragment {
            check_size(fragment, FRAGMENT_ENTRY, MAX_FRAGMENT)?;
        }
        file.seek(SeekFrom::Start(0)).map_err(ZipError::Io)?;
        // "Known(0)": no guessing of data in front of the archive, which is another way to see two archives in one.
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let mut archive = ZipArchive::with_config(config, file)
            .map_err(|error| ApkError::Content { entry: "the archive", reason: error.to_string() })?;
        if archive.len() != directory.count {
            return Err(ZipError::Corrupt("two readers count different numbers of entries").into());
        }
        let manifest = unpack(&mut archive, manifest, MANIFEST_ENTRY)?;
        let package = package_name(&manifest)?;
        let fragment = fragment.map(|entry| unpack(&mut archive, entry, FRAGMENT_ENTRY)).transpose()?;
        Ok(Apk { package, fragment })
    }
}

fn check_size(entry: &Entry, name: &'static str, limit: u64) -> Result<(), ApkError> {
    if entry.size > limit {
        return Err(ApkError::TooLarge { entry: name, size: entry.size, limit });
    }
    if entry.size > entry.compressed.saturating_mul(MAX_RATIO) {
        return Err(ApkError::Content {
            entry: name,
            reason: format!("{} bytes cannot come from {} packed ones", entry.size, entry.compressed),
        });
    }
    Ok(())
}

/// Unpacks what both readers agree on, at most one byte more than declared; the `zip` crate checks the CRC.
fn unpack<F: Read + Seek>(
    archive: &mut ZipArchive<F>,
    entry: &Entry,
    name: &'static str,
) -> Result<Vec<u8>, ApkError> {
    let bad = |reason: String| ApkError::Content { entry: name, reason };
    let packed = archive.by_index(entry.index).map_err(|error| bad(error.to_string()))?;
    let same = packed.name_raw() == entry.name
        && packed.header_start() == entry.header
        && packed.compressed_size() == entry.compressed
        && packed.size() == entry.size
        && packed.crc32() == entry.crc;
    if !same {
        return Err(ZipError::Mismatch(name.to_owned()).into());
    }
    let mut content = Vec::new();
    packed
        .take(entry.size.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(|error| bad(error.to_string()))?;
    if content.len() as u64 != entry.size {
        return Err(bad(format!("it declares {} bytes and has another number", entry.size)));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};
    use zip::write::SimpleFileOptions;
    use zip::ZipWriter;

    /// The `zip` crate finds the entry by its number; whatever else it says has to be what our own walk saw.
    #[test]
    fn both_readers_have_to_agree_on_everything() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in [(MANIFEST_ENTRY, "other"), (FRAGMENT_ENTRY, "text")] {
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content.as_bytes()).unwrap();
        }
        let mut file = writer.finish().unwrap();
        let length = file.get_ref().len() as u64;
        let directory = CentralDirectory::read(&mut file, length, &[FRAGMENT_ENTRY]).unwrap();
        let entry = directory.get(FRAGMENT_ENTRY).unwrap();
        let mut archive = ZipArchive::new(file).unwrap();
        let mut with = |change: &dyn Fn(&mut Entry)| {
            let mut entry = entry.clone();
            change(&mut entry);
            unpack(&mut archive, &entry, FRAGMENT_ENTRY)
        };
        assert_eq!(with(&|_| ()).unwrap(), b"text");
        let changes: [&dyn Fn(&mut Entry); 6] = [
            &|entry| entry.index = 0,
            &|entry| entry.name.push(b'x'),
            &|entry| entry.header += 1,
            &|entry| entry.compressed += 1,
            &|entry| entry.size += 1,
            &|entry| entry.crc ^= 1,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let found = with(change);
            assert!(matches!(found, Err(ApkError::Zip(ZipError::Mismatch(_)))), "{number}: {found:?}");
        }
        assert!(matches!(with(&|entry| entry.index = 2), Err(ApkError::Content { .. })));
    }

    #[test]
    fn what_deflate_cannot_make_is_refused_before_it_is_unpacked() {
        let mut file = Cursor::new(Vec::new());
        let mut writer = ZipWriter::new(&mut file);
        writer.start_file(FRAGMENT_ENTRY, SimpleFileOptions::default()).unwrap();
        writer.finish().unwrap();
        let length = file.get_ref().len() as u64;
        let directory = CentralDirectory::read(&mut file, length, &[FRAGMENT_ENTRY]).unwrap();
        let entry = directory.get(FRAGMENT_ENTRY).unwrap();
        let check = |compressed: u64, size: u64| {
            let mut entry = entry.clone();
            (entry.compressed, entry.size) = (compressed, size);
            check_size(&entry, FRAGMENT_ENTRY, MAX_FRAGMENT)
        };
        assert!(
            check(2, 2 * MAX_RATIO).is_ok()
                && check(0, 0).is_ok()
                && check(MAX_FRAGMENT, MAX_FRAGMENT).is_ok()
        );
        assert!(matches!(check(2, 2 * MAX_RATIO + 1), Err(ApkError::Content { .. })));
        assert!(matches!(check(0, 1), Err(ApkError::Content { .. })));
        assert!(matches!(check(MAX_FRAGMENT, MAX_FRAGMENT + 1), Err(ApkError::TooLarge { .. })));
    }
}
