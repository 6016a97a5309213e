// SPDX-License-Identifier: MIT OR Apache-2.0
//! An own walk of an APK's central directory, so that no zip trick gets past the reader (Android reference 2.1).
//!
//! "Master key" attacks live on two readers that see different files in one archive. The package manager has verified
//! the APK with its reader; this walk refuses every archive that another reader could see differently: two entries of
//! one name, zip64, encryption, several disks, a directory that does not fill the room before its end record, local
//! headers that disagree with the directory. What the walk saw is then compared with what the `zip` crate sees.

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};

use thiserror::Error;

/// Largest central directory, in bytes. 65535 entries, the most without zip64, need some 8 MiB.
pub const MAX_DIRECTORY: u64 = 16 << 20;

const END_SIGNATURE: &[u8] = b"PK\x05\x06";
const END_SIZE: usize = 22;
const ENTRY_SIGNATURE: u32 = 0x0201_4b50;
const LOCAL_SIGNATURE: u32 = 0x0403_4b50;
const ZIP64_LOCATOR: &[u8] = b"PK\x06\x07";
const ZIP64_LOCATOR_SIZE: usize = 20;
const ZIP64_EXTRA: u16 = 1;
/// Flag bits: encrypted (0), patched data (5), strong encryption (6), masked local headers (13).
const FORBIDDEN_FLAGS: u16 = 1 | 1 << 5 | 1 << 6 | 1 << 13;
/// Flag bit 3: sizes and CRC follow the data, the local header has zeros.
const DATA_DESCRIPTOR: u16 = 1 << 3;

/// Why an archive is refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ZipError {
    /// Reading failed.
    #[error("cannot read the APK: {0}")]
    Io(#[from] io::Error),
    /// No end record where one has to be.
    #[error("this is no zip file, or it is cut off: {0}")]
    Corrupt(&'static str),
    /// Two entries of one name.
    #[error("two entries are named '{0}'; readers of this APK would disagree")]
    Duplicate(String),
    /// zip64 records.
    #[error("the APK uses zip64, which Android apps do not need")]
    Zip64,
    /// Encrypted or masked entries.
    #[error("entry '{0}' is encrypted, patched or masked")]
    Encrypted(String),
    /// The local header of an entry says something else than the directory.
    #[error("entry '{0}' has a local header that disagrees with the central directory")]
    Mismatch(String),
    /// A directory larger than [`MAX_DIRECTORY`].
    #[error("the central directory is larger than {MAX_DIRECTORY} bytes")]
    TooLarge,
}

/// One entry of interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its position in the directory, from 0.
    pub index: usize,
    /// Its name, as in the archive.
    pub name: Vec<u8>,
    /// Compression method: 0 stored, 8 deflated.
    pub method: u16,
    /// CRC-32 of the content.
    pub crc: u32,
    /// Bytes in the archive.
    pub compressed: u64,
    /// Bytes of content, as declared.
    pub size: u64,
    /// Offset of the local header.
    pub header: u64,
    flags: u16,
}

/// What the walk found.
#[derive(Debug)]
pub struct CentralDirectory {
    /// Number of entries.
    pub count: usize,
    /// Those entries that were asked for.
    pub found: Vec<Entry>,
}

impl CentralDirectory {
    /// Walks the directory of the archive `file` of `length` bytes and returns the entries named in `wanted`, whose
    /// local headers were compared as well.
    pub fn read<F: Read + Seek>(
        file: &mut F,
        length: u64,
        wanted: &[&str],
    ) -> Result<CentralDirectory, ZipError> {
        let end = EndRecord::find(file, length)?;
        if end.size > MAX_DIRECTORY {
            return Err(ZipError::TooLarge);
        }
        if end.offset.checked_add(end.size) != Some(end.at) {
            return Err(ZipError::Corrupt("the central directory does not end where its end record begins"));
        }
        let bytes = read_at(file, end.offset, end.size)?;
        let mut rest = Bytes(&bytes);
        let mut names: HashSet<Vec<u8>> = HashSet::new();
        let mut found = Vec::new();
        for index in 0..end.count {
            let entry = parse_entry(&mut rest, index)
                .ok_or(ZipError::Corrupt("a central directory entry is cut off"))??;
            if entry.header >= end.offset {
                return Err(ZipError::Corrupt("an entry begins behind the data"));
            }
            if !names.insert(entry.name.clone()) {
                return Err(ZipError::Duplicate(crate::package::show(&entry.name)));
            }
            if wanted.iter().any(|name| name.as_bytes() == entry.name) {
                found.push(entry);
            }
        }
        if !rest.0.is_empty() {
            return Err(ZipError::Corrupt("there are bytes behind the last central directory entry"));
        }
        for entry in &found {
            check_local_header(file, entry, end.offset)?;
        }
        Ok(CentralDirectory { count: end.count, found })
    }

    /// The entry of that name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.found.iter().find(|entry| entry.name == name.as_bytes())
    }
}

/// The end of central directory record.
struct EndRecord {
    at: u64,
    count: usize,
    size: u64,
    offset: u64,
}

impl EndRecord {
    /// The last signature counts, as for Android's libziparchive, and its comment has to reach the end of the file.
    fn find<F: Read + Seek>(file: &mut F, length: u64) -> Result<EndRecord, ZipError> {
        if length >= u64::from(u32::MAX) {
            return Err(ZipError::Zip64);
        }
        let room = length.min((END_SIZE + ZIP64_LOCATOR_SIZE) as u64 + u64::from(u16::MAX));
        let start = length - room;
        let tail = read_at(file, start, room)?;
        let at = tail
            .windows(END_SIGNATURE.len())
            .rposition(|window| window == END_SIGNATURE)
            .ok_or(ZipError::Corrupt("it has no end of central directory record"))?;
        let (before, record) = tail.split_at(at);
        let mut record = Bytes(record);
        let parsed = (|| {
            record.skip(4)?;
            let (disk, first_disk) = (record.u16()?, record.u16()?);
            let (count_here, count) = (record.u16()?, record.u16()?);
            let (size, offset) = (record.u32()?, record.u32()?);
            let comment = record.u16()?;
            Some((disk | first_disk, count_here, count, size, offset, comment))
        })();
        let (disks, count_here, count, size, offset, comment) =
            parsed.ok_or(ZipError::Corrupt("its end of central directory record is cut off"))?;
        let locator = before.len().checked_sub(ZIP64_LOCATOR_SIZE).and_then(|from| before.get(from..));
        if count == u16::MAX
            || size == u32::MAX
            || offset == u32::MAX
            || locator.is_some_and(|bytes| bytes.starts_with(ZIP64_LOCATOR))
        {
            return Err(ZipError::Zip64);
        }
        if disks != 0 || count_here != count {
            return Err(ZipError::Corrupt("it is one part of a split archive"));
        }
        if record.0.len() != usize::from(comment) {
            return Err(ZipError::Corrupt("there are bytes behind its end"));
        }
        Ok(EndRecord {
            at: start + at as u64,
            count: usize::from(count),
            size: u64::from(size),
            offset: u64::from(offset),
        })
    }
}

/// `None`: cut off.
fn parse_entry(rest: &mut Bytes<'_>, index: usize) -> Option<Result<Entry, ZipError>> {
    if rest.u32()? != ENTRY_SIGNATURE {
        return Some(Err(ZipError::Corrupt("a central directory entry has no signature")));
    }
    rest.skip(4)?; // versions
    let (flags, method) = (rest.u16()?, rest.u16()?);
    rest.skip(4)?; // time, date
    let (crc, compressed, size) = (rest.u32()?, rest.u32()?, rest.u32()?);
    let (name_length, extra_length, comment_length) = (rest.u16()?, rest.u16()?, rest.u16()?);
    let disk = rest.u16()?;
    rest.skip(6)?; // attributes
    let header = rest.u32()?;
    let name = rest.take(usize::from(name_length))?.to_vec();
    let extra = rest.take(usize::from(extra_length))?;
    rest.skip(usize::from(comment_length))?;
    if flags & FORBIDDEN_FLAGS != 0 {
        return Some(Err(ZipError::Encrypted(crate::package::show(&name))));
    }
    if compressed == u32::MAX || size == u32::MAX || header == u32::MAX || has_zip64_extra(extra) {
        return Some(Err(ZipError::Zip64));
    }
    if disk != 0 {
        return Some(Err(ZipError::Corrupt("an entry lies on another disk")));
    }
    if name.is_empty() || name.contains(&0) {
        return Some(Err(ZipError::Corrupt("an entry has an empty name or a NUL in it")));
    }
    Some(Ok(Entry {
        index,
        name,
        method,
        crc,
        compressed: u64::from(compressed),
        size: u64::from(size),
        header: u64::from(header),
        flags,
    }))
}

/// Padding that is no extra field at all is common (zipalign), so what cannot be parsed is not zip64.
fn has_zip64_extra(extra: &[u8]) -> bool {
    let mut rest = Bytes(extra);
    while let (Some(id), Some(length)) = (rest.u16(), rest.u16()) {
        if id == ZIP64_EXTRA {
            return true;
        }
        if rest.skip(usize::from(length)).is_none() {
            return false;
        }
    }
    false
}

fn check_local_header<F: Read + Seek>(file: &mut F, entry: &Entry, directory: u64) -> Result<(), ZipError> {
    let mismatch = || ZipError::Mismatch(crate::package::show(&entry.name));
    let fixed = read_at(file, entry.header, 30)?;
    let mut rest = Bytes(&fixed);
    let parsed = (|| {
        let signature = rest.u32()?;
        rest.skip(2)?;
        let (flags, method) = (rest.u16()?, rest.u16()?);
        rest.skip(4)?;
        Some((signature, flags, method, rest.u32()?, rest.u32()?, rest.u32()?, rest.u16()?, rest.u16()?))
    })();
    let (signature, flags, method, crc, compressed, size, name_length, extra_length) =
        parsed.ok_or_else(mismatch)?;
    let name_at = entry.header.saturating_add(30);
    let name = read_at(file, name_at, u64::from(name_length))?;
    let sizes = [(crc, u64::from(entry.crc)), (compressed, entry.compressed), (size, entry.size)];
    // With a data descriptor the local numbers are zeros or the real ones; anything else is a second opinion.
    let sizes_agree = sizes.iter().all(|(local, central)| {
        u64::from(*local) == *central || (*local == 0 && flags & DATA_DESCRIPTOR != 0)
    });
    let end = name_at
        .saturating_add(u64::from(name_length))
        .saturating_add(u64::from(extra_length))
        .saturating_add(entry.compressed);
    if signature != LOCAL_SIGNATURE
        || flags & (FORBIDDEN_FLAGS | DATA_DESCRIPTOR) != entry.flags & DATA_DESCRIPTOR
        || method != entry.method
        || name != entry.name
        || !sizes_agree
        || end > directory
    {
        return Err(mismatch());
    }
    Ok(())
}

fn read_at<F: Read + Seek>(file: &mut F, offset: u64, length: u64) -> Result<Vec<u8>, ZipError> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(ZipError::Corrupt("it ends too early"));
    }
    Ok(bytes)
}

/// A cursor over little-endian bytes; `None` at the end.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }
}
