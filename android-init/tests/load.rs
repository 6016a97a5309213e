// SPDX-License-Identifier: MIT OR Apache-2.0
//! The loader against a plain directory that plays the kernel's files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use sekisho_init::load::{check_lsm, Loader};
use tempfile::TempDir;

struct Stage {
    kernel: TempDir,
    policy: TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { kernel: TempDir::new().unwrap(), policy: TempDir::new().unwrap() };
        for name in ["profile", "exception_policy", "domain_policy", "manager", "errors"] {
            stage.kernel(name, "");
        }
        stage.kernel("activate", "0\n");
        stage.kernel("stat", "active 0\nrejected_lines 0\n");
        stage
    }

    fn kernel(&self, name: &str, text: &str) {
        fs::write(self.kernel.path().join(name), text).unwrap();
    }

    fn policy(&self, name: &str, text: &str) {
        fs::write(self.policy.path().join(name), text).unwrap();
    }

    fn run(&self) -> (Result<usize, String>, Vec<String>) {
        let mut said = Vec::new();
        let result = Loader::new(self.kernel.path(), self.policy.path())
            .run(&mut |line| said.push(line.to_owned()))
            .map(|loaded| loaded.lines)
            .map_err(|failure| failure.to_string());
        (result, said)
    }
}

fn text(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap()
}

#[test]
fn copies_the_files_and_activates() {
    let stage = Stage::new();
    stage.policy("profile", "PROFILE_VERSION=20090903\n0-CONFIG={ mode=disabled }\n");
    stage.policy("exception_policy", "");
    stage.policy("domain_policy", "<kernel>\nuse_profile 0");
    let (result, said) = stage.run();
    assert_eq!(result, Ok(4));
    assert_eq!(said.len(), 1, "one optional file was skipped: {said:?}");
    assert_eq!(text(stage.kernel.path(), "domain_policy"), "<kernel>\nuse_profile 0\n");
    // A plain file keeps the byte behind what was written over.
    assert_eq!(text(stage.kernel.path(), "activate"), "1\n");
}

#[test]
fn a_missing_profile_is_a_failure_before_anything_is_written() {
    let stage = Stage::new();
    stage.policy("domain_policy", "<kernel>\n");
    let (result, _) = stage.run();
    let message = result.unwrap_err();
    assert!(message.contains("profile") && message.contains("sekisho.policy="), "{message}");
    assert_eq!(text(stage.kernel.path(), "domain_policy"), "");
    assert_eq!(text(stage.kernel.path(), "activate"), "0\n");
}

#[test]
fn an_active_policy_is_left_alone() {
    let stage = Stage::new();
    stage.kernel("activate", "1\n");
    let (result, said) = stage.run();
    assert_eq!(result, Ok(0));
    assert_eq!(said.len(), 1);
}

#[test]
fn a_kernel_without_the_files_is_a_clear_failure() {
    let stage = Stage::new();
    fs::remove_file(stage.kernel.path().join("activate")).unwrap();
    let (result, _) = stage.run();
    assert!(result.unwrap_err().contains("CONFIG_SECURITY_SEKISHO"));
}

#[test]
fn the_list_of_modules_is_read_by_whole_names() {
    assert!(check_lsm(&Ok("capability,sekisho\n".into())).is_ok());
    let failure = check_lsm(&Ok("capability,sekisho2\n".into())).unwrap_err();
    assert!(failure.to_string().contains("capability,sekisho2"));
}
