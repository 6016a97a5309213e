// SPDX-License-Identifier: MIT OR Apache-2.0
//! `sekisho check` where files, pipes and disks are not as they should be: it ends, with a status, and does not panic.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{check, check_strictly, directory, run, sekisho};
use rustix::fs::{mknodat, FileType, Mode, CWD};

#[test]
fn the_call() {
    for (arguments, status, out, err) in [
        (&["--help"][..], 0, "Usage: sekisho", ""),
        (&["check", "--help"], 0, "Exit status:", ""),
        (&["--version"], 0, "sekisho ", ""),
        (&[], 2, "", "Usage: sekisho"),
        (&["check"], 2, "", "required arguments"),
        (&["check", "--strikt", "."], 2, "", "unexpected argument"),
        (&["check", "a", "b"], 2, "", "unexpected argument"),
        (&["chekc", "."], 2, "", "unrecognized subcommand"),
    ] {
        let said = run(arguments);
        assert_eq!(said.status, status, "{arguments:?}");
        for (stream, part) in [(said.out.join("\n"), out), (said.err, err)] {
            assert!(stream.contains(part) && stream.is_empty() == part.is_empty(), "{arguments:?}: {stream}");
        }
    }
    let help = run(&["check", "--help"]).out.join("\n");
    for status in
        ["  0  ", "  1  ", "  2  ", "--strict", "profile, exception_policy, domain_policy and manager"]
    {
        assert!(help.contains(status), "{help}");
    }
}

/// The status must be 2, nothing is written but one complaint.
fn complains(directory: &Path, complaint: &str) {
    let said = check(directory);
    assert_eq!((said.status, said.out.len()), (2, 0), "{complaint}");
    assert!(said.err.starts_with("sekisho: ") && said.err.contains(complaint), "{}", said.err);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
}

#[test]
fn no_directory() {
    let empty = tempfile::tempdir().unwrap();
    complains(&empty.path().join("none"), "No such file");
    complains(empty.path(), "there is no profile in ");
    complains(empty.path(), "exception_policy and domain_policy");
    complains(empty.path(), ".conf behind it");
    let file = empty.path().join("file");
    fs::write(&file, "").unwrap();
    complains(&file, "is no directory");
}

#[test]
fn files_that_must_be_there() {
    let directory = directory(&[("domain_policy", "<kernel>\n")]);
    assert_eq!(check(directory.path()).status, 0);
    for name in ["profile", "exception_policy", "domain_policy"] {
        let text = fs::read(directory.path().join(name)).unwrap();
        fs::remove_file(directory.path().join(name)).unwrap();
        complains(directory.path(), &format!("there is no {name} in "));
        // A link that leads nowhere is no file.
        symlink("nowhere", directory.path().join(name)).unwrap();
        complains(directory.path(), &format!("there is no {name} in "));
        fs::remove_file(directory.path().join(name)).unwrap();
        fs::write(directory.path().join(name), text).unwrap();
    }
}

#[test]
fn names_with_conf_are_read_and_told() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("profile.conf", crate::support::PROFILE);
    write("exception_policy.conf", "");
    // As 1.7's tools do it.
    write("domain_policy.26-11-27.10:00:00.conf", "<kernel>\nallow_raed /a\n");
    symlink("domain_policy.26-11-27.10:00:00.conf", directory.path().join("domain_policy.conf")).unwrap();
    write("manager.conf", "/sbin/init\n");
    let said = check(directory.path());
    let findings = said.findings(directory.path());
    let told = |name: &str| {
        format!("{name}.conf: warning: is read in place of {name}; a device boots only from a directory where it is named {name}")
    };
    assert_eq!(said.status, 1);
    assert_eq!(findings[..3], ["profile", "exception_policy", "domain_policy"].map(told));
    assert!(findings[3].starts_with("domain_policy.conf:2:1: unknown keyword"), "{}", findings[3]);
    assert_eq!(findings[4..], [told("manager")]);
    write("domain_policy.26-11-27.10:00:00.conf", "<kernel>\n");
    assert_eq!((check(directory.path()).status, check_strictly(directory.path()).status), (0, 1));
    // The name without counts if there are both.
    write("domain_policy", "allow_read /a\n");
    assert!(check(directory.path())
        .findings(directory.path())
        .iter()
        .any(|line| line.starts_with("domain_policy:1:1: no current")));
}

#[test]
fn nothing_is_waited_for() {
    let fifo = |path: &Path| mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    let device = |path: &Path| symlink("/dev/zero", path).unwrap();
    let terminal = |path: &Path| symlink("/dev/ptmx", path).unwrap();
    let folder = |path: &Path| fs::create_dir(path).unwrap();
    let kinds: [&dyn Fn(&Path); 4] = [&fifo, &device, &terminal, &folder];
    for make in kinds {
        for name in ["profile", "exception_policy", "domain_policy", "manager", "manager.conf"] {
            let directory = directory(&[("domain_policy", "<kernel>\n")]);
            let path = directory.path().join(name);
            let _ = fs::remove_file(&path);
            make(&path);
            let mut child = sekisho()
                .arg("check")
                .arg(directory.path())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let end = Instant::now() + Duration::from_secs(60);
            let status = loop {
                match child.try_wait().unwrap() {
                    Some(status) => break status,
                    None if Instant::now() > end => {
                        child.kill().unwrap();
                        panic!("{name}: it waits");
                    }
                    None => thread::sleep(Duration::from_millis(10)),
                }
            };
            let mut err = String::new();
            child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
            assert_eq!(status.code(), Some(2), "{name}: {err}");
            assert_eq!(err, format!("sekisho: {} is no regular file\n", path.display()));
        }
    }
}

#[test]
fn a_file_that_cannot_be_read() {
    let directory = directory(&[("domain_policy", "<kernel>\n")]);
    let path = directory.path().join("domain_policy");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).unwrap();
    if File::open(&path).is_ok() {
        // Root reads it all the same. What no one can read: a loop of links.
        fs::remove_file(&path).unwrap();
        symlink("domain_policy", &path).unwrap();
    }
    complains(directory.path(), &format!("cannot read {}: ", path.display()));
}

#[test]
fn output_that_is_full_or_closed() {
    let good = directory(&[("domain_policy", "<kernel>\n")]);
    let many = "allow_raed /a\n".repeat(20_000);
    let bad = directory(&[("domain_policy", &many)]);
    for directory in [&good, &bad] {
        let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        let output = sekisho().arg("check").arg(directory.path()).stdout(full()).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.starts_with("sekisho: cannot write the report: "), "{err}");
        // Nor can it complain.
        let output =
            sekisho().arg("check").arg(directory.path()).stdout(full()).stderr(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        // Nobody reads.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = sekisho().arg("check").arg(directory.path()).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(2), ""));
    }
    for arguments in [&["--help"][..], &["check"]] {
        let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        let output = sekisho().args(arguments).stdout(full()).stderr(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    complains_to_nobody(&good.path().join("none"));
}

fn complains_to_nobody(directory: &Path) {
    let full = Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let output = sekisho().arg("check").arg(directory).stderr(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
