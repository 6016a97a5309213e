// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading APKs: what is in a good one, and every way in which a bad one is refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its tools too")]

mod support;

use std::io::Cursor;

use apk_info_axml::AXML;
use proptest::prelude::*;
use sekisho_uid_resolver::apk::{Apk, ApkError, FRAGMENT_ENTRY, MANIFEST_ENTRY};
use sekisho_uid_resolver::central_directory::ZipError;
use sekisho_uid_resolver::manifest::{package_name, ManifestError};
use support::apk::{apk, chunk, zip, Axml, NONE};

fn read(bytes: &[u8]) -> Result<Apk, ApkError> {
    Apk::read(Cursor::new(bytes), bytes.len() as u64)
}

fn zip_error(bytes: &[u8]) -> ZipError {
    match read(bytes) {
        Err(ApkError::Zip(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Offsets of a signature.
fn find(bytes: &[u8], signature: &[u8]) -> Vec<usize> {
    bytes
        .windows(signature.len())
        .enumerate()
        .filter(|(_, window)| *window == signature)
        .map(|(at, _)| at)
        .collect()
}

/// Changes bytes at an offset relative to each signature that is followed, at `name_at`, by `name`.
fn patch(bytes: &mut [u8], signature: &[u8], name_at: usize, name: &str, at: usize, new: &[u8]) {
    let hits = find(bytes, signature);
    let hits = hits.into_iter().filter(|hit| bytes[hit + name_at..].starts_with(name.as_bytes()));
    for hit in hits.collect::<Vec<_>>() {
        bytes[hit + at..hit + at + new.len()].copy_from_slice(new);
    }
}

const CENTRAL: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
const END: &[u8] = b"PK\x05\x06";

#[test]
fn good_ones() {
    let with = read(&apk("com.app", Some("text"))).unwrap();
    assert_eq!((with.package.as_str(), with.fragment.as_deref()), ("com.app", Some(&b"text"[..])));
    assert_eq!(read(&apk("com.app", None)).unwrap().fragment, None);
    // The name of the entry is exact.
    let manifest = Axml::new("com.app").bytes();
    let other =
        zip(&[(MANIFEST_ENTRY, &manifest), ("assets/Sekisho/domain_policy", b"x"), ("domain_policy", b"x")]);
    assert_eq!(read(&other).unwrap().fragment, None);
}

#[test]
fn corrupt_archives() {
    for bytes in [&b""[..], b"PK", b"not a zip", &[0; 100_000]] {
        assert!(matches!(zip_error(bytes), ZipError::Corrupt(_)));
    }
    let whole = apk("com.app", Some("text"));
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_err(), "{length}");
    }
    let mut longer = whole.clone();
    longer.push(0);
    assert!(matches!(zip_error(&longer), ZipError::Corrupt(_)));
    // Something in front of the archive: offsets no longer fit.
    let mut prefixed = b"MZ".to_vec();
    prefixed.extend(&whole);
    assert!(matches!(zip_error(&prefixed), ZipError::Corrupt(_)));
    // A wrong CRC, in both headers.
    let mut wrong = whole.clone();
    patch(&mut wrong, CENTRAL, 46, FRAGMENT_ENTRY, 16, &[1, 2, 3, 4]);
    patch(&mut wrong, LOCAL, 30, FRAGMENT_ENTRY, 14, &[1, 2, 3, 4]);
    assert!(matches!(read(&wrong), Err(ApkError::Content { .. })), "{:?}", read(&wrong));
    // Fewer entries counted than there are.
    let mut fewer = whole.clone();
    let end = find(&fewer, END)[0];
    fewer[end + 8] -= 1;
    fewer[end + 10] -= 1;
    assert!(matches!(zip_error(&fewer), ZipError::Corrupt(_)));
}

#[test]
fn duplicate_names() {
    // The writer makes no duplicates, so an entry of the same length is renamed.
    let manifest = Axml::new("com.app").bytes();
    let twin = "assets/sekisho/domain_policX";
    let mut bytes = zip(&[(MANIFEST_ENTRY, &manifest), (FRAGMENT_ENTRY, b"good"), (twin, b"evil")]);
    for at in find(&bytes, twin.as_bytes()) {
        bytes[at + twin.len() - 1] = b'y';
    }
    assert!(matches!(zip_error(&bytes), ZipError::Duplicate(name) if name == FRAGMENT_ENTRY));
}

#[test]
fn encryption_zip64_and_disks() {
    let whole = apk("com.app", Some("text"));
    let patched = |at: usize, new: &[u8]| {
        let mut bytes = whole.clone();
        patch(&mut bytes, CENTRAL, 46, "res/raw/x.bin", at, new);
        zip_error(&bytes)
    };
    for flag in [1u16, 1 << 5, 1 << 6, 1 << 13] {
        assert!(matches!(patched(8, &flag.to_le_bytes()), ZipError::Encrypted(_)));
    }
    for at in [20, 24, 42] {
        assert!(matches!(patched(at, &[0xff; 4]), ZipError::Zip64));
    }
    assert!(matches!(patched(34, &[1, 0]), ZipError::Corrupt(_)));
    let end = find(&whole, END)[0];
    for (at, new, zip64) in [
        (4, &[1, 0][..], false),
        (8, &[0xff; 4], true),
        (12, &[0xff; 4], true),
        (16, &[0xff; 4], true),
        (20, &[1, 0], false),
    ] {
        let mut bytes = whole.clone();
        bytes[end + at..end + at + new.len()].copy_from_slice(new);
        assert_eq!(matches!(zip_error(&bytes), ZipError::Zip64), zip64, "{at}");
    }
    // A zip64 locator before the end record.
    let mut bytes = whole.clone();
    bytes.splice(end..end, [b"PK\x06\x07".to_vec(), vec![0; 16]].concat());
    assert!(matches!(zip_error(&bytes), ZipError::Zip64));
}

#[test]
fn local_headers_that_disagree() {
    for (at, new) in
        [(8, &[0u8, 0][..]), (14, &[9; 4]), (18, &[9, 0, 0, 0]), (22, &[9, 0, 0, 0]), (30, b"b"), (0, b"QK")]
    {
        let mut bytes = apk("com.app", Some("text"));
        patch(&mut bytes, LOCAL, 30, FRAGMENT_ENTRY, at, new);
        assert!(matches!(zip_error(&bytes), ZipError::Mismatch(_)), "{at}");
    }
}

/// With bit 3 of the flags the local header may leave out the numbers that follow the data, and nothing else.
#[test]
fn data_descriptors() {
    const DESCRIPTOR: u16 = 1 << 3;
    let numbers = [14, 18, 22];
    let with = |central: u16, local: u16, changes: &[(usize, [u8; 4])]| {
        let mut bytes = apk("com.app", Some("text"));
        patch(&mut bytes, CENTRAL, 46, FRAGMENT_ENTRY, 8, &central.to_le_bytes());
        patch(&mut bytes, LOCAL, 30, FRAGMENT_ENTRY, 6, &local.to_le_bytes());
        for (at, number) in changes {
            patch(&mut bytes, LOCAL, 30, FRAGMENT_ENTRY, *at, number);
        }
        read(&bytes).map(|apk| apk.fragment)
    };
    let is_good =
        |found: Result<Option<Vec<u8>>, ApkError>| found.is_ok_and(|text| text.as_deref() == Some(b"text"));
    let is_mismatch = |found| matches!(found, Err(ApkError::Zip(ZipError::Mismatch(_))));
    assert!(is_good(with(DESCRIPTOR, DESCRIPTOR, &numbers.map(|at| (at, [0; 4])))));
    assert!(is_good(with(DESCRIPTOR, DESCRIPTOR, &[])));
    for at in numbers {
        assert!(is_good(with(DESCRIPTOR, DESCRIPTOR, &[(at, [0; 4])])), "{at}");
        assert!(is_mismatch(with(DESCRIPTOR, DESCRIPTOR, &[(at, [9, 0, 0, 0])])), "{at}");
        assert!(is_mismatch(with(0, 0, &[(at, [0; 4])])), "{at}");
    }
    // Only one of the headers says so.
    assert!(is_mismatch(with(DESCRIPTOR, 0, &[])));
    assert!(is_mismatch(with(0, DESCRIPTOR, &[])));
    // What is forbidden is so in the local header too; how hard the packer tried is nobody's business.
    for flag in [1, 1 << 5, 1 << 6, 1 << 13] {
        assert!(is_mismatch(with(0, flag, &[])), "{flag}");
    }
    assert!(is_good(with(0, 1 << 1, &[])));
}

/// Padding and unknown fields are common; one field says zip64.
#[test]
fn extra_fields() {
    let with = |extra: &[u8]| {
        let mut bytes = apk("com.app", Some("text"));
        let length = u16::try_from(extra.len()).unwrap();
        patch(&mut bytes, CENTRAL, 46, "classes.dex", 30, &length.to_le_bytes());
        let name = find(&bytes, b"classes.dex")[1];
        bytes.splice(name + 11..name + 11, extra.iter().copied());
        let end = find(&bytes, END)[0];
        let size = u32::from_le_bytes(bytes[end + 12..end + 16].try_into().unwrap()) + u32::from(length);
        bytes[end + 12..end + 16].copy_from_slice(&size.to_le_bytes());
        read(&bytes).map(|apk| apk.fragment)
    };
    for zip64 in
        [&[1u8, 0, 0, 0][..], &[1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[0x99, 0x99, 2, 0, 7, 7, 1, 0, 0, 0]]
    {
        assert!(matches!(with(zip64), Err(ApkError::Zip(ZipError::Zip64))), "{zip64:?}");
    }
    for good in [&[][..], &[0x99, 0x99, 2, 0, 1, 0], &[0x35, 0xd9, 2, 0, 4, 0]] {
        assert_eq!(with(good).unwrap().as_deref(), Some(&b"text"[..]), "{good:?}");
    }
}

#[test]
fn sizes_and_bombs() {
    let manifest = Axml::new("com.app").bytes();
    let with = |text: &[u8]| read(&zip(&[(MANIFEST_ENTRY, &manifest), (FRAGMENT_ENTRY, text)]));
    assert!(with(&[b'\n'; 16 << 10]).is_ok());
    for size in [(16 << 10) + 1, 17 << 10, 8 << 20] {
        assert!(matches!(with(&vec![b'a'; size]), Err(ApkError::TooLarge { entry: FRAGMENT_ENTRY, .. })));
    }
    let large = vec![0; (1 << 20) + 1];
    assert!(matches!(
        read(&zip(&[(MANIFEST_ENTRY, &large)])),
        Err(ApkError::TooLarge { entry: MANIFEST_ENTRY, .. })
    ));
    assert!(matches!(read(&zip(&[("classes.dex", b"x")])), Err(ApkError::NoManifest)));
    // A bomb that declares to be small: both headers lie.
    let mut bomb = zip(&[(MANIFEST_ENTRY, &manifest), (FRAGMENT_ENTRY, &vec![b'a'; 4 << 20])]);
    patch(&mut bomb, CENTRAL, 46, FRAGMENT_ENTRY, 24, &100u32.to_le_bytes());
    patch(&mut bomb, LOCAL, 30, FRAGMENT_ENTRY, 22, &100u32.to_le_bytes());
    assert!(matches!(read(&bomb), Err(ApkError::Content { .. })), "{:?}", read(&bomb));
    // More than deflate can hold.
    let mut dense = zip(&[(MANIFEST_ENTRY, &manifest), (FRAGMENT_ENTRY, b"")]);
    patch(&mut dense, CENTRAL, 46, FRAGMENT_ENTRY, 24, &16_000u32.to_le_bytes());
    patch(&mut dense, LOCAL, 30, FRAGMENT_ENTRY, 22, &16_000u32.to_le_bytes());
    assert!(matches!(read(&dense), Err(ApkError::Content { .. })), "{:?}", read(&dense));
}

#[test]
fn special_files() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("base.apk");
    assert!(matches!(Apk::open(&path), Err(error @ ApkError::Open(_)) if error.is_transient()));
    std::fs::write(&path, apk("com.app", None)).unwrap();
    assert!(Apk::open(&path).is_ok());
    let link = root.path().join("link.apk");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(Apk::open(&link), Err(ApkError::Open(_))));
    assert!(matches!(Apk::open(root.path()), Err(ApkError::NotAFile)));
    let fifo = root.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    assert!(matches!(Apk::open(&fifo), Err(ApkError::NotAFile)), "and it does not wait for a writer");
}

#[test]
fn manifests() {
    for utf8 in [false, true] {
        for package in ["com.app", "a.b", &format!("com.{}", "x".repeat(200))] {
            let bytes = Axml { utf8, ..Axml::new(package) }.bytes();
            assert_eq!(package_name(&bytes).map(|name| name.as_str().to_owned()), Ok(package.to_owned()));
            // An independent reader sees the same, without anomalies.
            let other = AXML::new(&mut &bytes[..], None).unwrap();
            assert_eq!(other.anomalies(), []);
            assert_eq!(other.get_attribute_value("manifest", "package", None).as_deref(), Some(package));
        }
    }
    let package = |axml: &Axml| package_name(&axml.bytes());
    let axml = || Axml::new("com.app");
    for bad in ["", "app", "com.app/../x", "com.app x", "1.a", &format!("com.{}", "x".repeat(220))] {
        let refused = package(&Axml::new(bad));
        assert!(matches!(refused, Err(ManifestError::BadName(_))), "{bad}: {refused:?}");
    }
    let attributes = |attributes: &[(u32, u32, u32, u8, u32)]| {
        package(&Axml { attributes: attributes.to_vec(), ..axml() })
    };
    assert_eq!(attributes(&[]), Err(ManifestError::NoPackage));
    // android:package is another attribute.
    assert_eq!(attributes(&[(2, 4, 5, 3, 5)]), Err(ManifestError::NoPackage));
    assert!(attributes(&[(NONE, 4, NONE, 3, 5)]).is_ok());
    for odd in [
        &[(NONE, 4, 5, 3, 5), (NONE, 4, 5, 3, 5)][..], // twice
        &[(NONE, 4, 3, 3, 5)],                         // raw and typed value differ
        &[(NONE, 4, 5, 1, 5)],                         // a reference
        &[(NONE, 4, 99, 3, 99)],                       // no such string
    ] {
        assert!(matches!(attributes(odd), Err(ManifestError::Malformed(_))), "{odd:?}");
    }
    assert_eq!(package(&Axml { element: 1, ..axml() }), Err(ManifestError::NotAManifest));
    assert_eq!(package(&Axml { element: 99, ..axml() }), Err(ManifestError::NotAManifest));
}

#[test]
fn damaged_manifests() {
    let whole = Axml::new("com.app").bytes();
    for length in 0..whole.len() {
        assert!(package_name(&whole[..length]).is_err(), "{length}");
    }
    assert!(package_name(&[&whole[..], b"\0"].concat()).is_err());
    assert!(package_name(b"<manifest package=\"com.app\"/>").is_err());
    // A second string pool could rename everything behind it.
    let pool_size = u32::from_le_bytes(whole[12..16].try_into().unwrap()) as usize;
    let pool = &whole[8..8 + pool_size];
    let twice = chunk(3, 8, &[pool, pool, &whole[8 + pool_size..]].concat());
    assert!(matches!(package_name(&twice), Err(ManifestError::Malformed(_))));
    let without = chunk(3, 8, &whole[8 + pool_size..]);
    assert!(matches!(package_name(&without), Err(ManifestError::Malformed(_))));
}

/// A chunk's header is at least eight bytes of the chunk, and at most all of it.
#[test]
fn headers_of_chunks() {
    let whole = Axml::new("com.app").bytes();
    let pool_size = u32::from_le_bytes(whole[12..16].try_into().unwrap()) as usize;
    let (pool, rest) = whole[8..].split_at(pool_size);
    let with = |map: &[u8]| package_name(&chunk(3, 8, &[pool, map, rest].concat()));
    for (header, body) in [(8, 0), (8, 4), (12, 4)] {
        assert!(with(&chunk(0x0180, header, &vec![0; body])).is_ok(), "{header} {body}");
    }
    for (header, body) in [(0, 0), (7, 0), (7, 4), (9, 0), (13, 4)] {
        let found = with(&chunk(0x0180, header, &vec![0; body]));
        assert_eq!(found, Err(ManifestError::Malformed("a chunk is cut off")), "{header} {body}");
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read(&bytes).is_err());
        prop_assert!(package_name(&bytes).is_err());
    }

    #[test]
    fn flipped_manifests_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = Axml::new("com.app").bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = package_name(&bytes);
    }
}

/// A damaged APK is refused, or it is damaged where nobody looks: there it is as good as before.
#[test]
fn every_flipped_bit() {
    let whole = apk("com.app", Some("text"));
    let mut accepted = 0;
    for at in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        if let Ok(apk) = read(&bytes) {
            accepted += 1;
            assert_eq!(apk.package.as_str(), "com.app", "{at}");
            assert!(apk.fragment.is_none() || apk.fragment.as_deref() == Some(b"text"), "{at}");
        }
    }
    // The content of what is not read is 9 bytes, deflated to some more; its names are 24.
    assert!(accepted > 8 * 30 && accepted < whole.len() * 4, "{accepted} of {}", whole.len() * 8);
}
