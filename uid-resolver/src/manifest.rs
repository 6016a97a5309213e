// SPDX-License-Identifier: MIT OR Apache-2.0
//! The package name in a binary `AndroidManifest.xml`.
//!
//! The only thing wanted is the attribute `package` of the first element, `manifest`, and it has to be the very string
//! that the package manager saw. So this is a strict reader of that much of the format (AOSP
//! libs/androidfw/ResourceTypes.h) and no lenient parser: general ones recover from damage, and some take an
//! attribute's name from the resource map, where Android takes it from the string pool. Anything unusual is refused.
//! Nothing is copied before the one string is found, so a crafted manifest costs no more memory than its own size.

use thiserror::Error;

use crate::central_directory::Bytes;
use crate::package::{show, PackageName};

const XML: u16 = 0x0003;
const STRING_POOL: u16 = 0x0001;
const RESOURCE_MAP: u16 = 0x0180;
const START_NAMESPACE: u16 = 0x0100;
const START_ELEMENT: u16 = 0x0102;
/// String reference: none.
const NO_STRING: u32 = u32::MAX;
const UTF8_POOL: u32 = 1 << 8;
const TYPE_STRING: u8 = 3;
const POOL_HEADER: u16 = 28;
const NODE_HEADER: u16 = 16;
const ATTRIBUTE_SIZE: u16 = 20;
/// Longest string that is compared or returned, in units; names are shorter.
const MAX_STRING: usize = 256;

/// Why a manifest is refused.
#[derive(Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not the format, or damaged.
    #[error("AndroidManifest.xml is damaged or unusual: {0}")]
    Malformed(&'static str),
    /// The first element has another name.
    #[error("the first element of AndroidManifest.xml is not 'manifest'")]
    NotAManifest,
    /// No attribute `package`.
    #[error("AndroidManifest.xml names no package")]
    NoPackage,
    /// A name that Android would not accept.
    #[error("the package name '{0}' in AndroidManifest.xml is not one that Android accepts")]
    BadName(String),
}

use ManifestError::Malformed;

/// Reads the package name.
pub fn package_name(bytes: &[u8]) -> Result<PackageName, ManifestError> {
    let mut rest = Bytes(bytes);
    let header = (|| Some((rest.u16()?, rest.u16()?, rest.u32()?)))();
    match header {
        Some((XML, 8, size)) if size as usize == bytes.len() => {}
        Some((XML, 8, _)) => return Err(Malformed("its size is not the size of the file")),
        _ => return Err(Malformed("it is no binary XML")),
    }
    let mut pool = None;
    loop {
        let chunk = Chunk::next(&mut rest).ok_or(Malformed("a chunk is cut off"))?;
        match (chunk.kind, &pool) {
            (STRING_POOL, None) => pool = Some(Pool::parse(&chunk)?),
            (RESOURCE_MAP | START_NAMESPACE, Some(_)) => {}
            (START_ELEMENT, Some(pool)) => return manifest_element(&chunk, pool),
            _ => return Err(Malformed("its chunks come in another order than string pool, map, elements")),
        }
    }
}

/// One chunk: what follows its 8-byte header.
struct Chunk<'a> {
    kind: u16,
    header_size: u16,
    body: &'a [u8],
}

impl<'a> Chunk<'a> {
    fn next(rest: &mut Bytes<'a>) -> Option<Chunk<'a>> {
        let (kind, header_size, size) = (rest.u16()?, rest.u16()?, rest.u32()?);
        let size = size as usize;
        if header_size < 8 || usize::from(header_size) > size {
            return None;
        }
        Some(Chunk { kind, header_size, body: rest.take(size.checked_sub(8)?)? })
    }
}

/// The string pool; strings are decoded when asked for.
struct Pool<'a> {
    offsets: &'a [u8],
    strings: &'a [u8],
    utf8: bool,
}

impl<'a> Pool<'a> {
    fn parse(chunk: &Chunk<'a>) -> Result<Pool<'a>, ManifestError> {
        let mut rest = Bytes(chunk.body);
        let parsed = (|| {
            let (count, _styles, flags) = (rest.u32()?, rest.u32()?, rest.u32()?);
            let (strings_start, _styles_start) = (rest.u32()?, rest.u32()?);
            let offsets = rest.take((count as usize).checked_mul(4)?)?;
            let strings = chunk.body.get((strings_start as usize).checked_sub(8)?..)?;
            // The strings lie behind the offsets, never among them.
            (strings.len() <= rest.0.len()).then_some(Pool { offsets, strings, utf8: flags & UTF8_POOL != 0 })
        })();
        parsed.filter(|_| chunk.header_size == POOL_HEADER).ok_or(Malformed("its string pool is cut off"))
    }

    fn get(&self, index: u32) -> Option<Vec<u8>> {
        let mut offsets = Bytes(self.offsets);
        offsets.skip((index as usize).checked_mul(4)?)?;
        let mut rest = Bytes(self.strings.get(offsets.u32()? as usize..)?);
        if self.utf8 {
            let units = utf8_length(&mut rest)?;
            let length = utf8_length(&mut rest)?;
            let text = rest.take(length).filter(|_| length <= MAX_STRING)?;
            // ASCII is all that is looked for; there both lengths are equal.
            (units == length && rest.u8()? == 0).then(|| text.to_vec())
        } else {
            let length = usize::from(rest.u16()?);
            if length > MAX_STRING {
                return None;
            }
            let text = (0..length)
                .map(|_| rest.u16().and_then(|unit| u8::try_from(unit).ok()))
                .collect::<Option<_>>()?;
            (rest.u16()? == 0).then_some(text)
        }
    }

    fn is(&self, index: u32, text: &str) -> bool {
        index != NO_STRING && self.get(index).is_some_and(|found| found == text.as_bytes())
    }
}

/// One or two bytes, the high bit of the first tells.
fn utf8_length(rest: &mut Bytes<'_>) -> Option<usize> {
    let first = rest.u8()?;
    if first & 0x80 == 0 {
        return Some(usize::from(first));
    }
    Some(usize::from(first & 0x7f) << 8 | usize::from(rest.u8()?))
}

fn manifest_element(chunk: &Chunk<'_>, pool: &Pool<'_>) -> Result<PackageName, ManifestError> {
    let cut_off = Malformed("its first element is cut off");
    let mut rest = Bytes(chunk.body);
    let head = (|| {
        rest.skip(8)?; // line, comment
        let (namespace, name) = (rest.u32()?, rest.u32()?);
        let (start, size, count) = (rest.u16()?, rest.u16()?, rest.u16()?);
        rest.skip(6)?; // indices of id, class, style
        Some((namespace, name, start, size, count))
    })();
    let (namespace, name, start, size, count) = head.ok_or(cut_off)?;
    if chunk.header_size != NODE_HEADER || start != ATTRIBUTE_SIZE || size != ATTRIBUTE_SIZE {
        return Err(Malformed("its first element has another layout than aapt writes"));
    }
    if namespace != NO_STRING || !pool.is(name, "manifest") {
        return Err(ManifestError::NotAManifest);
    }
    let mut package = None;
    for _ in 0..count {
        let attribute = (|| {
            let (namespace, name, raw) = (rest.u32()?, rest.u32()?, rest.u32()?);
            let (size, _zero, kind, data) = (rest.u16()?, rest.u8()?, rest.u8()?, rest.u32()?);
            Some((namespace, name, raw, size, kind, data))
        })();
        let (namespace, name, raw, size, kind, data) =
            attribute.ok_or(Malformed("an attribute of its first element is cut off"))?;
        if namespace != NO_STRING || !pool.is(name, "package") {
            continue;
        }
        // Android reads the raw string first and the typed value else: both have to be the same string.
        if size != 8 || kind != TYPE_STRING || (raw != data && raw != NO_STRING) || package.is_some() {
            return Err(Malformed("its attribute 'package' is not one plain string"));
        }
        package = Some(pool.get(data).ok_or(Malformed("the string of its attribute 'package' is damaged"))?);
    }
    let package = package.ok_or(ManifestError::NoPackage)?;
    PackageName::new(&package).ok_or_else(|| ManifestError::BadName(show(&package)))
}
