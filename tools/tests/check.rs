// SPDX-License-Identifier: MIT OR Apache-2.0
//! `sekisho check` on the templates, on broken policy, and on no policy.

use std::fs;
use std::path::Path;

use sekisho::check::{check, CheckError};

#[test]
fn every_template_is_good() {
    let templates = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../policy-templates");
    let mut count = 0;
    for entry in fs::read_dir(templates).unwrap() {
        let directory = entry.unwrap().path();
        let report = check(&directory).unwrap();
        assert!(report.is_good(), "{}: {:?}", directory.display(), report.rejected);
        assert!(report.accepted > 0 && report.memory > 0);
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn wrong_lines_have_a_place_and_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("profile", "PROFILE_VERSION=20090903\n0-CONFIG={ mode=disabled }\n");
    write("exception_policy", "");
    write("domain_policy", "<kernel>\n\nallow_read /a\nallow_raed /b\nallow_read /c if task.uid>0\n");
    let report = check(directory.path()).unwrap();
    let places: Vec<_> = report.rejected.iter().map(|line| (line.line, line.column)).collect();
    assert_eq!(places, [(4, 1), (5, 18)]);
    assert!(report.rejected.iter().all(|line| !line.reason.is_empty()));
    assert_eq!(report.accepted, 4);
    assert!(report.inactive.is_none() && !report.is_good());
}

#[test]
fn an_undefined_profile_is_told() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in
        [("profile", "PROFILE_VERSION=20090903\n"), ("exception_policy", ""), ("domain_policy", "")]
    {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let report = check(directory.path()).unwrap();
    assert!(report.rejected.is_empty() && report.inactive.is_some());
}

#[test]
fn a_missing_file_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(check(directory.path()), Err(CheckError::Io { .. })));
    fs::write(directory.path().join("profile"), "PROFILE_VERSION=20090903\n").unwrap();
    assert!(matches!(check(directory.path()), Err(CheckError::Io { .. })));
}
