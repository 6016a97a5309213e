// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the package manager keeps installed apps: finding a package's `base.apk` (Android reference 1.5, 2.1).
//!
//! `packages.list` has no path. From Android 11 on it is `/data/app/~~RANDOM==/PACKAGE-RANDOM==/base.apk`, before that
//! `/data/app/PACKAGE-N/base.apk`; a package name has no hyphen, so the first one ends it. `vmdl*.tmp` are downloads
//! that may never be installed. No symbolic link is followed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::package::PackageName;

/// Which bytes a path stood for: changes when the file is replaced or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    path: PathBuf,
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The APKs below one directory.
#[derive(Debug, Default)]
pub struct AppDir {
    newest: BTreeMap<PackageName, Stamp>,
}

impl AppDir {
    /// Looks through `directory`.
    ///
    /// # Errors
    /// The directory itself cannot be read; what cannot be read below it is skipped.
    pub fn scan(directory: &Path) -> io::Result<AppDir> {
        let mut apps = AppDir::default();
        for (name, path) in directories(directory)? {
            if name.starts_with("~~") {
                for (name, path) in directories(&path).unwrap_or_default() {
                    apps.add(&name, &path);
                }
            } else {
                apps.add(&name, &path);
            }
        }
        Ok(apps)
    }

    /// The package's `base.apk`. While an update replaces it there are two for a moment; the newer one counts.
    pub fn get(&self, package: &PackageName) -> Option<&Stamp> {
        self.newest.get(package)
    }

    fn add(&mut self, name: &str, directory: &Path) {
        if name.starts_with("vmdl") && name.ends_with(".tmp") {
            return;
        }
        let Some(package) =
            name.split_once('-').and_then(|(package, _)| PackageName::new(package.as_bytes()))
        else {
            return;
        };
        let path = directory.join("base.apk");
        let Some(metadata) = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file) else { return };
        let stamp = Stamp {
            path,
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        let newest = self.newest.entry(package).or_insert_with(|| stamp.clone());
        if (stamp.changed, &stamp.path) > (newest.changed, &newest.path) {
            *newest = stamp;
        }
    }
}

fn directories(parent: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(parent)? {
        let Ok(entry) = entry else { continue };
        // The entry's own type: a symbolic link to a directory is none.
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if let Ok(name) = entry.file_name().into_string() {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_both_layouts_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "~~Ab_1-c==/com.new-x-y==/base.apk",
            "com.old-1/base.apk",
            "vmdl12.tmp/base.apk",
            "~~z==/vmdl-1.tmp/base.apk",
            "com.nodash/base.apk",
            "com.split-1/split_config.apk",
            "~~q==/~~r==/com.deep-1/base.apk",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        std::os::unix::fs::symlink(root.path().join("com.old-1"), root.path().join("com.link-1")).unwrap();
        fs::create_dir(root.path().join("com.linked-1")).unwrap();
        let link = root.path().join("com.linked-1/base.apk");
        std::os::unix::fs::symlink(root.path().join("com.old-1/base.apk"), link).unwrap();
        let apps = AppDir::scan(root.path()).unwrap();
        assert_eq!(apps.newest.keys().map(PackageName::as_str).collect::<Vec<_>>(), ["com.new", "com.old"]);
    }

    /// Both are there while an update replaces one by the other.
    #[test]
    fn of_two_the_newer_one_counts() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name).join("base.apk");
        let write = |name: &str| {
            fs::create_dir_all(root.path().join(name)).unwrap();
            fs::write(at(name), name).unwrap();
            let metadata = fs::metadata(at(name)).unwrap();
            (metadata.ctime(), metadata.ctime_nsec())
        };
        let newest = |package: &str| {
            let apps = AppDir::scan(root.path()).unwrap();
            let package = PackageName::new(package.as_bytes()).unwrap();
            let stamp = apps.get(&package).unwrap();
            (stamp.path().to_owned(), stamp.clone())
        };
        for (package, old, new) in [("com.a", "com.a-1", "com.a-2"), ("com.b", "com.b-2", "com.b-1")] {
            let first = write(old);
            // The clock of file systems is slow.
            while write(new) <= first {}
            assert_eq!(newest(package).0, at(new));
        }
        // The same moment: the greater path, so that two sweeps agree.
        write("com.c-1");
        fs::create_dir(root.path().join("com.c-2")).unwrap();
        fs::hard_link(at("com.c-1"), at("com.c-2")).unwrap();
        let (path, stamp) = newest("com.c");
        assert_eq!(path, at("com.c-2"));
        assert_eq!(newest("com.c").1, stamp, "nothing changed");
        fs::write(at("com.c-2"), "longer than before").unwrap();
        assert_ne!(newest("com.c").1, stamp, "another size");
    }
}
