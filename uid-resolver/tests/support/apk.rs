// SPDX-License-Identifier: MIT OR Apache-2.0
//! Small APKs: a zip with a binary manifest, encoded by hand.

use std::io::{Cursor, Write};

use sekisho_uid_resolver::apk::{FRAGMENT_ENTRY, MANIFEST_ENTRY};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A string reference that refers to none.
pub const NONE: u32 = u32::MAX;

/// The parts of a manifest that tests vary.
pub struct Axml {
    pub utf8: bool,
    pub strings: Vec<String>,
    pub element: u32,
    /// Namespace, name, raw value, type, data.
    pub attributes: Vec<(u32, u32, u32, u8, u32)>,
}

impl Axml {
    /// `<manifest android:versionCode="1" package="PACKAGE"/>`.
    pub fn new(package: &str) -> Axml {
        let strings =
            ["versionCode", "android", "http://schemas.android.com/apk/res/android", "manifest", "package"];
        let mut strings: Vec<String> = strings.map(str::to_owned).to_vec();
        strings.push(package.to_owned());
        Axml { utf8: false, strings, element: 3, attributes: vec![(2, 0, NONE, 0x10, 1), (NONE, 4, 5, 3, 5)] }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut chunks = self.pool();
        chunks.extend(chunk(0x0180, 8, &0x0101_021bu32.to_le_bytes()));
        let namespace = words(&[1, NONE, 1, 2]);
        chunks.extend(chunk(0x0100, 16, &namespace));
        chunks.extend(chunk(0x0102, 16, &self.start_element()));
        chunks.extend(chunk(0x0103, 16, &words(&[1, NONE, NONE, self.element])));
        chunks.extend(chunk(0x0101, 16, &namespace));
        chunk(0x0003, 8, &chunks)
    }

    fn start_element(&self) -> Vec<u8> {
        let mut body = words(&[1, NONE, NONE, self.element]);
        for half in [20u16, 20, u16::try_from(self.attributes.len()).unwrap(), 0, 0, 0] {
            body.extend(half.to_le_bytes());
        }
        for (namespace, name, raw, kind, data) in &self.attributes {
            body.extend(words(&[*namespace, *name, *raw]));
            body.extend(8u16.to_le_bytes());
            body.extend([0, *kind]);
            body.extend(data.to_le_bytes());
        }
        body
    }

    fn pool(&self) -> Vec<u8> {
        let mut offsets = Vec::new();
        let mut data: Vec<u8> = Vec::new();
        for string in &self.strings {
            offsets.push(u32::try_from(data.len()).unwrap());
            let length = string.len();
            if self.utf8 {
                for _ in 0..2 {
                    if length > 0x7f {
                        data.push(0x80 | u8::try_from(length >> 8).unwrap());
                    }
                    data.push(u8::try_from(length & 0xff).unwrap());
                }
                data.extend(string.bytes());
                data.push(0);
            } else {
                data.extend(u16::try_from(length).unwrap().to_le_bytes());
                data.extend(string.bytes().flat_map(|byte| [byte, 0]));
                data.extend([0, 0]);
            }
        }
        data.resize(data.len().next_multiple_of(4), 0);
        let count = u32::try_from(offsets.len()).unwrap();
        let flags = if self.utf8 { 1 << 8 } else { 0 };
        let mut body = words(&[count, 0, flags, 28 + 4 * count, 0]);
        body.extend(words(&offsets));
        body.extend(data);
        chunk(0x0001, 28, &body)
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// `header_size` tells readers where the body's own header ends; the 8 bytes of this one are added.
pub fn chunk(kind: u16, header_size: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend(header_size.to_le_bytes());
    bytes.extend(u32::try_from(body.len() + 8).unwrap().to_le_bytes());
    bytes.extend(body);
    bytes
}

/// Packs entries, deflated.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// An APK of `package` with or without fragment.
pub fn apk(package: &str, fragment: Option<&str>) -> Vec<u8> {
    let manifest = Axml::new(package).bytes();
    let mut entries: Vec<(&str, &[u8])> = vec![("classes.dex", b"dex\n035\0"), (MANIFEST_ENTRY, &manifest)];
    entries.extend(fragment.map(|text| (FRAGMENT_ENTRY, text.as_bytes())));
    entries.push(("res/raw/x.bin", b"x"));
    zip(&entries)
}

/// A fragment with one readable file, for one group.
pub fn fragment(package: &str, group: &str) -> String {
    format!("number_group {group}\nallow_read /data/data/{package}/\\* if task.uid=@{group}\n")
}
