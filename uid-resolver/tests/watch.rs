// SPDX-License-Identifier: MIT OR Apache-2.0
//! The directory watch, on a real file system.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its tools too")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use sekisho_uid_resolver::watch::{Wake, Watcher};

const SHORT: Option<Duration> = Some(Duration::from_millis(50));
const LONG: Option<Duration> = Some(Duration::from_secs(20));

fn replace(list: &Path, text: &str) {
    let temporary = list.with_extension("list.tmp");
    fs::write(&temporary, text).unwrap();
    fs::rename(&temporary, list).unwrap();
}

#[test]
fn every_replacement_wakes() {
    let root = tempfile::tempdir().unwrap();
    let list = root.path().join("packages.list");
    let watcher = Watcher::new(&list).unwrap();
    assert_eq!(watcher.wait(SHORT).unwrap(), Wake::TimedOut);
    for text in ["a", "b", "c"] {
        replace(&list, text);
        assert_eq!(watcher.wait(LONG).unwrap(), Wake::Changed);
        assert_eq!(watcher.wait(SHORT).unwrap(), Wake::TimedOut, "many events are one change");
    }
    // Written in place, while a reader holds the old file open.
    let _reader = fs::File::open(&list).unwrap();
    fs::write(&list, "d").unwrap();
    assert_eq!(watcher.wait(LONG).unwrap(), Wake::Changed);
    // Other names are nothing.
    fs::write(root.path().join("packages.xml"), "x").unwrap();
    replace(&root.path().join("packages.lis"), "x");
    assert_eq!(watcher.wait(SHORT).unwrap(), Wake::TimedOut);
}

#[test]
fn a_directory_that_goes() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("system");
    let list = directory.join("packages.list");
    assert!(Watcher::new(&list).unwrap_err().to_string().contains("system"));
    fs::create_dir(&directory).unwrap();
    let watcher = Watcher::new(&list).unwrap();
    fs::rename(&directory, root.path().join("elsewhere")).unwrap();
    assert_eq!(watcher.wait(LONG).unwrap(), Wake::DirectoryLost);
}
