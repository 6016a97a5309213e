// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program itself: exit status and messages, with a directory of plain files instead of securityfs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its tools too")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::apk::{apk, fragment};
use support::kernel::DOMAIN;

fn program(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho-uid-resolver"));
    for (option, name) in [
        ("--sekisho-dir", "kernel"),
        ("--state-dir", "state"),
        ("--packages-list", "list"),
        ("--app-dir", "app"),
    ] {
        command.arg(option).arg(root.join(name));
    }
    command
}

fn output(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[test]
fn check() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("base.apk");
    let check = |text: Option<&str>| {
        fs::write(&path, apk("com.a", text)).unwrap();
        output(program(root.path()).args(["check", "--apk"]).arg(&path))
    };
    assert_eq!(
        check(Some(&fragment("com.a", "G"))),
        (Some(0), format!("accept com.a\n{}", fragment("com.a", "G")))
    );
    assert_eq!(check(None), (Some(0), "nothing to do for com.a: it has no fragment\n".to_owned()));
    let (code, text) = check(Some("allow_read /etc/passwd\n"));
    assert!(code == Some(1) && text.starts_with("refuse com.a: fragment line 1: "), "{text}");
    let (code, text) = output(program(root.path()).args(["check", "--apk", "/nowhere.apk"]));
    assert!(code == Some(1) && text.starts_with("refuse: cannot open the APK"), "{text}");
}

#[test]
fn a_missing_kernel_is_said() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("base.apk");
    fs::write(&path, apk("com.a", Some(&fragment("com.a", "G")))).unwrap();
    fs::write(root.path().join("list"), "com.a 10057 0 /x\n").unwrap();
    let (code, text) = output(program(root.path()).args(["install", "--apk"]).arg(&path));
    assert!(code == Some(2) && text.contains("is securityfs mounted"), "{text}");
    assert!(!root.path().join("state/com.a.fragment").exists());
    // Plain files keep what was written: whole lines, through one descriptor, rules below their domain.
    fs::create_dir(root.path().join("kernel")).unwrap();
    fs::write(root.path().join("kernel/domain_policy"), format!("{DOMAIN}\n")).unwrap();
    fs::write(root.path().join("kernel/exception_policy"), "").unwrap();
    assert_eq!(output(program(root.path()).arg("list")), (Some(0), String::new()));
    let (code, text) = output(program(root.path()).args(["install", "--apk"]).arg(&path));
    assert_eq!(
        (code, text.as_str()),
        (Some(0), "sekisho-uid-resolver: accept com.a: uid=10057 groups=G rules=1\n")
    );
    let written = |name: &str| fs::read_to_string(root.path().join("kernel").join(name)).unwrap();
    let rule = "allow_read /data/data/com.a/\\* if task.uid=@G";
    assert_eq!(written("domain_policy"), format!("{DOMAIN}\n{rule}\n"));
    assert_eq!(written("exception_policy"), "number_group G 10057\n");
    assert_eq!(output(program(root.path()).arg("list")), (Some(0), "com.a rules=1\n  G 10057\n".to_owned()));
    let (code, text) = output(program(root.path()).args(["remove", "com.b"]));
    assert!(code == Some(1) && text.contains("no installed fragment"), "{text}");
    assert_eq!(output(program(root.path()).args(["remove", "no package"])).0, Some(2));
    assert_eq!(output(program(root.path()).args(["sync", "--domain", "sh"])).0, Some(2));
}

#[test]
fn watch_waits_for_the_directory() {
    let root = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho-uid-resolver"));
    command.arg("--packages-list").arg(root.path().join("system/packages.list")).arg("watch");
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("cannot watch ") && line.contains("trying again"), "{line}");
}

#[test]
fn watch_installs_what_comes() {
    let root = tempfile::tempdir().unwrap();
    for directory in ["kernel", "app/com.a-1"] {
        fs::create_dir_all(root.path().join(directory)).unwrap();
    }
    for (file, text) in [
        ("app/com.a-1/base.apk", apk("com.a", Some(&fragment("com.a", "G")))),
        ("kernel/domain_policy", format!("{DOMAIN}\n").into_bytes()),
        ("kernel/exception_policy", Vec::new()),
        ("list", b"android 1000 0\n".to_vec()),
        ("list.tmp", b"android 1000 0\ncom.a 10057 0\n".to_vec()),
    ] {
        fs::write(root.path().join(file), text).unwrap();
    }
    let mut child = program(root.path()).arg("watch").stderr(Stdio::piped()).spawn().unwrap();
    fs::rename(root.path().join("list.tmp"), root.path().join("list")).unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(child.try_wait().unwrap().is_none(), "it goes on");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(line, "sekisho-uid-resolver: accept com.a: uid=10057 groups=G rules=1\n");
    assert!(root.path().join("state/com.a.fragment").exists());
}
