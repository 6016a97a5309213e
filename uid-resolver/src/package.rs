// SPDX-License-Identifier: MIT OR Apache-2.0
//! The name of an Android package, and the UID that the package manager gave to it.
//!
//! Both types are evidence: holding a [`PackageName`] means that the text is what Android's `validateName` accepts
//! (Android reference 1.4), so it can stand in a path or a file name; holding an [`AppUid`] means that the number is
//! one that Android hands to apps of the first user (Android reference 1.3).

use std::fmt;

/// Longest package name in bytes. Android keeps 32 of the 255 bytes of a file name for itself.
pub const MAX_PACKAGE_NAME: usize = 223;

/// First and last UID that Android gives to an installed app of user 0.
pub const APP_UIDS: std::ops::RangeInclusive<u32> = 10_000..=19_999;

/// A checked package name: ASCII letters, digits, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName(String);

impl PackageName {
    /// Checks a name as Android does: a letter starts it and follows each `.`, and there is a `.` (the framework
    /// itself, `android`, has none). Empty segments (`a..b`) are legal there, so they are here.
    pub fn new(name: &[u8]) -> Option<PackageName> {
        if name.is_empty() || name.len() > MAX_PACKAGE_NAME || name == b"." || name == b".." {
            return None;
        }
        let mut at_front = true;
        let mut dotted = false;
        for &byte in name {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' => at_front = false,
                b'0'..=b'9' | b'_' if !at_front => {}
                b'.' => {
                    dotted = true;
                    at_front = true;
                }
                _ => return None,
            }
        }
        if !dotted && name != b"android" {
            return None;
        }
        String::from_utf8(name.to_vec()).ok().map(PackageName)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The UID of an installed app, 10000 to 19999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppUid(u32);

impl AppUid {
    /// `None` for every number outside of [`APP_UIDS`].
    pub fn new(uid: u32) -> Option<AppUid> {
        APP_UIDS.contains(&uid).then_some(AppUid(uid))
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for AppUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Untrusted bytes for a message: printable ASCII, everything else escaped, cut after 80 bytes of input.
pub(crate) fn show(bytes: &[u8]) -> String {
    let cut = bytes.get(..80);
    let mut text = cut.unwrap_or(bytes).escape_ascii().to_string();
    if cut.is_some() {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_android_accepts() {
        for good in ["com.foo", "a.b", "com.foo_1.Bar2", "android", "a..b", "a.", ".a"] {
            assert!(PackageName::new(good.as_bytes()).is_some(), "{good}");
        }
        let long = format!("a.{}", "b".repeat(MAX_PACKAGE_NAME));
        for bad in [
            "",
            ".",
            "..",
            "foo",
            "com.1foo",
            "1com.foo",
            "com.foo-bar",
            "com/foo.x",
            "com.foo ",
            "com.f\u{e9}",
            "_a.b",
            "com.foo\n",
            "com.\\052",
            &long,
        ] {
            assert!(PackageName::new(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn uids_are_those_of_apps() {
        for bad in [0, 1000, 9_999, 20_000, 99_000, 110_057, u32::MAX] {
            assert!(AppUid::new(bad).is_none(), "{bad}");
        }
        assert_eq!(AppUid::new(10_000).map(AppUid::get), Some(10_000));
        assert_eq!(AppUid::new(19_999).map(AppUid::get), Some(19_999));
    }
}
