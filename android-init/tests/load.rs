// SPDX-License-Identifier: MIT OR Apache-2.0
//! The loader against the policy core behind the kernel's files, and against plain files where these can play them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;

use sekisho_init::load::{check_lsm, Loader};
use support::CoreKernel;
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

/// A policy directory with profile 0 and an empty domain, and what is said while a kernel loads it.
struct Policy(TempDir);

impl Policy {
    fn new() -> Self {
        let policy = Self(TempDir::new().unwrap());
        policy.file(
            "profile",
            "PROFILE_VERSION=20090903\n0-CONFIG={ mode=disabled }\n3-CONFIG={ mode=enforcing }\n",
        );
        policy.file("exception_policy", "");
        policy.file("domain_policy", "<kernel>\nuse_profile 0\n");
        policy.file("manager", "/sbin/init\n");
        policy
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn load(&self, kernel: &CoreKernel) -> (Result<usize, String>, Vec<String>) {
        let mut said = Vec::new();
        let result = Loader::with_kernel(kernel, self.0.path())
            .run(&mut |line| said.push(line.to_owned()))
            .map(|loaded| loaded.lines)
            .map_err(|failure| failure.to_string());
        (result, said)
    }
}

const ORDER: [&str; 4] = ["profile", "exception_policy", "domain_policy", "manager"];

#[test]
fn a_good_policy_is_loaded_in_order_and_activated() {
    let kernel = CoreKernel::boot();
    // What was rejected before is no fault of this policy.
    kernel.write("manager", "neither path nor domain\n").unwrap();
    let policy = Policy::new();
    policy.file(
        "domain_policy",
        "<kernel>\nuse_profile 0\n\n<kernel> /sbin/init\n \nuse_profile 3\n\nallow_read /a",
    );
    assert_eq!(policy.load(&kernel), (Ok(9), Vec::new()));
    assert!(kernel.is_active());
    assert_eq!(kernel.opened()[1..], [&ORDER[..], &["activate"]].concat());
    assert!(kernel
        .text("domain_policy")
        .ends_with("<kernel> /sbin/init\nuse_profile 3\n\nallow_read /a\n\n"));
    // A second start of the loader changes nothing.
    let (result, said) = policy.load(&kernel);
    assert_eq!((result, said.len()), (Ok(0), 1));
    assert_eq!(kernel.opened().len(), 6);
}

/// The heart of it: a lost `use_profile 3` would leave a domain unguarded without a sign.
#[test]
fn a_rejected_line_in_any_file_means_no_activation() {
    for (file, text, shown) in [
        ("profile", "3-CONFUG={ mode=enforcing }\n", "rejected profile:1:"),
        ("exception_policy", "initialize_domain relative\n", "rejected exception_policy:1:19: "),
        ("domain_policy", "<kernel>\nuse_profile 0\nuse_profile x\n", "rejected domain_policy:1:13: "),
        ("manager", "neither path nor domain", "rejected manager:1:"),
    ] {
        let (kernel, policy) = (CoreKernel::boot(), Policy::new());
        // An older one is not shown again.
        kernel.write("manager", "old old\n").unwrap();
        let whole = fs::read_to_string(policy.0.path().join(file)).unwrap();
        policy.file(file, &format!("{whole}{text}"));
        let (result, said) = policy.load(&kernel);
        let message = result.unwrap_err();
        assert!(message.starts_with("1 line(s) of the policy in "), "{message}");
        assert!(message.contains("the policy was not activated"), "{message}");
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with(shown), "{file}: {said:?}");
        assert!(!kernel.is_active(), "{file}");
        assert!(!kernel.opened().contains(&"activate".to_owned()), "{file}");
    }
}

#[test]
fn many_rejected_lines_are_counted_and_the_first_of_them_shown() {
    for (count, more) in [(31, None), (32, None), (33, Some(1)), (100, Some(68)), (200, Some(168))] {
        let (kernel, policy) = (CoreKernel::boot(), Policy::new());
        let lines: String = (0..count).map(|number| format!("allow_nothing /{number}\n")).collect();
        policy.file("domain_policy", &format!("<kernel>\n{lines}"));
        let (result, said) = policy.load(&kernel);
        assert!(result.unwrap_err().starts_with(&format!("{count} line(s) of the policy in ")));
        let shown = count.min(32);
        assert_eq!(said.len(), shown + usize::from(more.is_some()), "{said:?}");
        // The kernel keeps the last 128, of which the first ones are shown.
        let first = count.saturating_sub(128);
        for (number, line) in said[..shown].iter().enumerate() {
            assert!(line.starts_with("rejected domain_policy:1:1: "), "{line}");
            assert!(line.ends_with(&format!(": allow_nothing /{}", first + number)), "{line}");
        }
        let tail = more.map(|more: usize| format!("and {more} more rejected line(s)"));
        assert_eq!(said.get(shown), tail.as_ref());
        assert!(!kernel.is_active());
    }
}

#[test]
fn what_cannot_be_activated_is_a_failure_with_the_kernel_s_reason() {
    let (kernel, policy) = (CoreKernel::boot(), Policy::new());
    policy.file("domain_policy", "<kernel>\nuse_profile 7\n");
    let (result, said) = policy.load(&kernel);
    let message = result.unwrap_err();
    assert!(message.starts_with("the kernel refused to activate the policy: activate:1:1: "), "{message}");
    assert!(message.contains("define each profile"), "{message}");
    assert_eq!((said.len(), kernel.is_active()), (0, false));
    assert_eq!(kernel.opened().last().map(String::as_str), Some("activate"), "it was tried");
}

/// All but the managers are needed; what stands behind a missing file is not loaded.
#[test]
fn missing_files() {
    for (index, name) in ORDER.iter().enumerate() {
        let (kernel, policy) = (CoreKernel::boot(), Policy::new());
        let path = policy.0.path().join(name);
        fs::remove_file(&path).unwrap();
        let (result, said) = policy.load(&kernel);
        if *name == "manager" {
            assert_eq!((result, said), (Ok(5), vec![format!("{} does not exist, skipped", path.display())]));
            assert!(kernel.is_active());
            continue;
        }
        let message = result.unwrap_err();
        assert!(
            message.starts_with(&format!("cannot read the policy file {}: ", path.display())),
            "{message}"
        );
        assert_eq!(kernel.opened(), ORDER[..index]);
        assert!(!kernel.is_active());
    }
    // One that is there and cannot be read is never skipped.
    let (kernel, policy) = (CoreKernel::boot(), Policy::new());
    fs::remove_file(policy.0.path().join("manager")).unwrap();
    fs::create_dir(policy.0.path().join("manager")).unwrap();
    assert!(policy.load(&kernel).0.unwrap_err().contains("manager"));
    assert!(!kernel.is_active());
}

/// The kernel's memory for one write is bounded, and no line is cut.
#[test]
fn a_large_policy_comes_in_writes_of_whole_lines() {
    let (kernel, policy) = (CoreKernel::boot(), Policy::new());
    let lines: Vec<String> = (0..5000).map(|number| format!("allow_read /data/file{number}")).collect();
    policy.file("domain_policy", &format!("<kernel>\nuse_profile 0\n{}", lines.join("\n")));
    assert_eq!(policy.load(&kernel), (Ok(5006), Vec::new()));
    let text = kernel.text("domain_policy");
    assert!(lines.iter().all(|line| text.contains(&format!("{line}\n"))));
    assert!(kernel.is_active());
}

/// Plain files accept every write; here `activate` forgets it, as a kernel of another version might.
#[test]
fn a_policy_that_does_not_become_active_is_a_failure() {
    let stage = Stage::new();
    for (name, text) in
        [("profile", "PROFILE_VERSION=20090903\n"), ("exception_policy", ""), ("domain_policy", "")]
    {
        stage.policy(name, text);
    }
    let activate = stage.kernel.path().join("activate");
    fs::remove_file(&activate).unwrap();
    std::os::unix::fs::symlink("/dev/null", &activate).unwrap();
    let message = stage.run().0.unwrap_err();
    assert!(message.starts_with("the policy was loaded but is not active: "), "{message}");
    assert!(message.contains("reads \"\" after 1 was written"), "{message}");
}

#[test]
fn a_kernel_that_does_not_count_what_it_rejects_is_not_trusted() {
    for stat in ["active 0\n", "rejected_lines\n", "rejected_lines x\n", "all_rejected_lines 0\n"] {
        let stage = Stage::new();
        stage.policy("profile", "PROFILE_VERSION=20090903\n");
        stage.kernel("stat", stat);
        let message = stage.run().0.unwrap_err();
        assert!(message.starts_with("no line rejected_lines in "), "{message}");
        assert_eq!(text(stage.kernel.path(), "profile"), "", "nothing was written");
    }
}

#[test]
fn a_file_that_the_kernel_does_not_have_is_named() {
    let stage = Stage::new();
    stage.policy("profile", "PROFILE_VERSION=20090903\n");
    let missing = stage.kernel.path().join("profile");
    fs::remove_file(&missing).unwrap();
    let message = stage.run().0.unwrap_err();
    let expected = format!("/profile into {}: ", missing.display());
    assert!(message.starts_with("cannot load ") && message.contains(&expected), "{message}");
    assert_eq!(text(stage.kernel.path(), "activate"), "0\n");
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
    let failure = check_lsm(&Err(std::io::ErrorKind::NotFound.into())).unwrap_err();
    assert!(failure.to_string().starts_with("the kernel does not tell its security modules: "), "{failure}");
}
