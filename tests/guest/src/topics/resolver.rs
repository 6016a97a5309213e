// SPDX-License-Identifier: MIT OR Apache-2.0
//! The resolver against the running kernel: bad apps and bad package lists change nothing; a good app comes and goes.
//!
//! (Reference android 1.1 F5 and 2.3 R5 to R8.) The bad APKs are made here from the manifest of the real one.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::process::{Command, Output};

use guest::kernel::{self, DRIVER};
use guest::tap::Tap;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

const RESOLVER: &str = "/usr/bin/sekisho-uid-resolver";
const APP: &str = "/usr/lib/sekisho/app.apk";
const PACKAGE: &str = "com.github.uiautomator";
const FRAGMENT: &str = "assets/sekisho/domain_policy";
const FOLDER: &str = "/tmp/r";
const GROUP_LINE: &str = "number_group UIAUTOMATOR_DATA_READERS 10050";

/// Two good lines of a fragment.
const GOOD: &str = "number_group G\nallow_read /data/data/com.github.uiautomator/\\* if task.uid=@G\n";

fn list_line(package: &str, uid: &str) -> String {
    format!("{package} {uid} 0 /data/user/0/{package} default:targetSdkVersion=32 none 0 2004001 1 @null\n")
}

fn good_list() -> String {
    list_line("com.android.shell", "2000")
        + &list_line(PACKAGE, "10050")
        + &list_line("com.other.app", "10051")
}

pub fn run(tap: &mut Tap) {
    tap.topic("resolver");
    let made = fs::create_dir_all(format!("{FOLDER}/app")).and_then(|()| fs::write(list(), good_list()));
    if made.is_err() || !std::path::Path::new(APP).exists() {
        return tap.check("the test app is in the image", false, || format!("{made:?} {APP}"));
    }
    // Its domain comes into being with its first start, which is not what is tested.
    drop(Command::new(RESOLVER).arg("--version").output());
    bad_apps(tap);
    bad_fragments(tap);
    bad_lists(tap);
    come_and_go(tap);
    kernel::delete_domain(&format!("{DRIVER} {RESOLVER}"));
}

fn list() -> String {
    format!("{FOLDER}/packages.list")
}

fn resolver(arguments: &[&str]) -> io::Result<Output> {
    Command::new(RESOLVER)
        .args([
            "--state-dir",
            &format!("{FOLDER}/state"),
            "--app-dir",
            &format!("{FOLDER}/app"),
            "--packages-list",
            &list(),
        ])
        .args(arguments)
        .output()
}

fn policy() -> (String, String) {
    (kernel::read("domain_policy"), kernel::read("exception_policy"))
}

/// Runs it; it must end with `status`, say something with `word` in it, and leave policy and state alone.
fn refused(tap: &mut Tap, name: &str, arguments: &[&str], status: i32, word: &str) {
    let before = policy();
    let rejected = kernel::stat("rejected_lines");
    match resolver(arguments) {
        Ok(output) => {
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            tap.same(&format!("{name}: status"), output.status.code(), Some(status));
            tap.check(&format!("{name}: it says why"), message.contains(word), || {
                format!("no {word:?} in {message}")
            });
        }
        Err(e) => tap.check(&format!("{name}: it starts"), false, || e.to_string()),
    }
    tap.check(&format!("{name}: the policy is what it was"), policy() == before, || {
        format!("{before:?}\n{:?}", policy())
    });
    tap.same(&format!("{name}: nothing wrong reached the kernel"), kernel::stat("rejected_lines"), rejected);
    let kept = fs::read_dir(format!("{FOLDER}/state"))
        .map(|entries| {
            entries.flatten().filter(|e| e.file_name().to_string_lossy().ends_with(".fragment")).count()
        })
        .unwrap_or(0);
    tap.same(&format!("{name}: nothing is kept on disk"), kept, 0);
}

fn install(tap: &mut Tap, name: &str, apk: &[u8], status: i32, word: &str) {
    let path = format!("{FOLDER}/bad.apk");
    if let Err(e) = fs::write(&path, apk) {
        return tap.check(name, false, || e.to_string());
    }
    refused(tap, name, &["install", "--apk", &path], status, word);
}

fn bad_apps(tap: &mut Tap) {
    let real = fs::read(APP).unwrap_or_default();
    let half = real.len() / 2;
    install(tap, "an empty file", b"", 1, "refuse");
    install(tap, "text instead of an APK", b"PK\x03\x04 is not enough of a zip file", 1, "refuse");
    install(tap, "an APK cut in half", real.get(..half).unwrap_or_default(), 1, "refuse");
    install(
        tap,
        "an APK without its last 100 bytes",
        real.get(..real.len() - 100).unwrap_or_default(),
        1,
        "refuse",
    );
    // The list of entries lies just before the end.
    let mut damaged = real.clone();
    let end = damaged.len();
    if let Some(part) = damaged.get_mut(end - 3000..end - 2000) {
        part.iter_mut().for_each(|byte| *byte ^= 0x5A);
    }
    install(tap, "an APK with a damaged list of entries", &damaged, 1, "refuse");
    let manifest = manifest().unwrap_or_default();
    tap.check("the real APK has a manifest", manifest.len() > 100, || manifest.len().to_string());
    install(tap, "no manifest", &apk(&[(FRAGMENT, GOOD.as_bytes())]), 1, "AndroidManifest.xml");
    for (label, bytes) in [
        ("an empty manifest", Vec::new()),
        ("a manifest of text", b"<manifest package=\"com.github.uiautomator\"/>".to_vec()),
        ("a manifest cut in half", manifest.get(..manifest.len() / 2).unwrap_or_default().to_vec()),
        (
            "a manifest of random bytes",
            (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
        ),
    ] {
        install(
            tap,
            label,
            &apk(&[("AndroidManifest.xml", &bytes), (FRAGMENT, GOOD.as_bytes())]),
            1,
            "AndroidManifest.xml",
        );
    }
    install(tap, "no fragment", &apk(&[("AndroidManifest.xml", &manifest)]), 0, "no fragment");
    refused(tap, "no such APK", &["install", "--apk", "/tmp/r/nothing.apk"], 1, "nothing.apk");
}

fn bad_fragments(tap: &mut Tap) {
    let manifest = manifest().unwrap_or_default();
    let own = "allow_read /data/data/com.github.uiautomator";
    let if_own = "if task.uid=@G";
    let large = format!("{GOOD}{}", format!("{own}/{} {if_own}\n", "x".repeat(90)).repeat(120));
    for (label, text) in [
        ("..", format!("number_group G\n{own}/../com.other.app/x {if_own}\n")),
        ("//", format!("number_group G\n{own}//x {if_own}\n")),
        ("NUL", format!("number_group G\n{own}/\0x {if_own}\n")),
        ("CR", format!("number_group G\r\n{own}/x {if_own}\r\n")),
        ("non-ASCII", format!("number_group G\n{own}/\u{e9} {if_own}\n")),
        ("an escaped slash", format!("number_group G\n{own}/\\057x {if_own}\n")),
        ("an escaped dot", format!("number_group G\n{own}/\\056\\056/x {if_own}\n")),
        ("an unknown keyword", format!("number_group G\nallow_everything /data/data/{PACKAGE}/x {if_own}\n")),
        (
            "another package's path",
            format!("number_group G\nallow_read /data/data/com.other.app/x {if_own}\n"),
        ),
        ("a longer package name", format!("number_group G\n{own}2/x {if_own}\n")),
        (
            "a wildcard before the own directory",
            format!("number_group G\nallow_read /data/data/\\*/x {if_own}\n"),
        ),
        ("any path", format!("number_group G\nallow_read /\\* {if_own}\n")),
        ("no condition", format!("number_group G\n{own}/x\n{own}/y {if_own}\n")),
        ("a foreign group", format!("{GOOD}{own}/x if task.uid=@SYSTEM\n")),
        ("root", format!("{GOOD}{own}/x if task.uid=0\n")),
        ("not this group", format!("{GOOD}{own}/x if task.uid!=@G\n")),
        ("a number in the group", format!("number_group G 0\n{own}/x {if_own}\n")),
        ("a domain line", format!("{GOOD}<kernel>\n")),
        ("use_profile", format!("{GOOD}use_profile 0\n")),
        ("delete", format!("{GOOD}delete allow_read /x\n")),
        ("initialize_domain", format!("{GOOD}initialize_domain /system/bin/sh\n")),
        ("allow_execute", format!("{GOOD}allow_execute /data/data/{PACKAGE}/x {if_own}\n")),
        ("a path group", format!("{GOOD}allow_read @G {if_own}\n")),
        ("17 KiB", large),
        ("a long line", format!("number_group G\n{own}/{} {if_own}\n", "x".repeat(2000))),
        ("no group", format!("{own}/x {if_own}\n")),
    ] {
        let bytes = apk(&[("AndroidManifest.xml", &manifest), (FRAGMENT, text.as_bytes())]);
        install(tap, &format!("a fragment with {label}"), &bytes, 1, "refuse");
    }
}

fn bad_lists(tap: &mut Tap) {
    let good = good_list();
    let torn = good.get(..good.len() - 40).unwrap_or_default().to_owned();
    let forged = format!("{good}{}", list_line(PACKAGE, "10289"));
    let shared = format!("{good}{}", list_line("com.evil.app", "10050"));
    let minus = good.replace(" 10050 ", " -1 ");
    let unsigned = good.replace(" 10050 ", " 4294967295 ");
    let root = good.replace(" 10050 ", " 0 ");
    let system = good.replace(" 10050 ", " 1000 ");
    let isolated = good.replace(" 10050 ", " 99000 ");
    let word = good.replace(" 10050 ", " ten ");
    let absent = list_line("com.other.app", "10051");
    for (label, text, status, message) in [
        ("a torn line", torn.as_str(), 2, "middle of a line"),
        ("an empty file", "", 2, "empty"),
        ("a forged second line", &forged, 1, "forged"),
        ("a second package with the uid", &shared, 1, "shares"),
        ("uid -1", &minus, 1, "-1"),
        ("uid 4294967295", &unsigned, 1, "-1"),
        ("uid 0", &root, 1, "outside"),
        ("uid 1000", &system, 1, "outside"),
        ("an isolated uid", &isolated, 1, "outside"),
        ("a word as uid", &word, 1, "number"),
        ("no line for the package", &absent, 1, "packages.list"),
    ] {
        if let Err(e) = fs::write(list(), text) {
            tap.check("the list can be written", false, || e.to_string());
        }
        refused(tap, &format!("packages.list with {label}"), &["install", "--apk", APP], status, message);
    }
    drop(fs::remove_file(list()));
    refused(tap, "no packages.list", &["install", "--apk", APP], 2, "packages.list");
    if let Err(e) = fs::write(list(), &good) {
        tap.check("the list can be written", false, || e.to_string());
    }
}

/// The good app, and what bad lists do to it once it is there: nothing, unless another package has the uid.
fn come_and_go(tap: &mut Tap) {
    let before = policy();
    let bytes = kernel::quiet_bytes();
    let succeeds = |tap: &mut Tap, name: &str, arguments: &[&str]| {
        let output = resolver(arguments);
        let good = output.as_ref().is_ok_and(|output| output.status.success());
        tap.check(name, good, || format!("{output:?}"));
    };
    succeeds(tap, "the app is installed", &["install", "--apk", APP]);
    tap.has_line("its group has the uid", &policy().1, GROUP_LINE);
    let installed = policy();
    tap.check("its lines are there", installed.0.contains("task.uid=@UIAUTOMATOR_DATA_READERS"), || {
        installed.0.clone()
    });
    succeeds(tap, "installing it again", &["install", "--apk", APP]);
    tap.check("changes nothing", policy() == installed, || policy().1);
    let good = good_list();
    for (label, text) in
        [("an empty list", ""), ("a torn list", good.get(..good.len() - 7).unwrap_or_default())]
    {
        drop(fs::write(list(), text));
        succeeds(tap, &format!("sync with {label}"), &["sync"]);
        tap.check(&format!("{label} changes nothing"), policy() == installed, || policy().1);
    }
    drop(fs::write(list(), format!("{good}{}", list_line(PACKAGE, "10289"))));
    succeeds(tap, "sync with a forged line", &["sync"]);
    tap.check("a forged line changes nothing", policy() == installed, || policy().1);
    drop(fs::write(list(), good.replace(" 10050 ", " -1 ")));
    succeeds(tap, "sync with uid -1", &["sync"]);
    tap.check("uid -1 changes nothing", policy() == installed, || policy().1);
    drop(fs::write(list(), format!("{good}{}", list_line("com.evil.app", "10050"))));
    succeeds(tap, "sync with another package that has the uid", &["sync"]);
    tap.lacks_line("nobody has the group then", &policy().1, GROUP_LINE);
    drop(fs::write(list(), &good));
    succeeds(tap, "sync with the good list", &["sync"]);
    tap.check("brings it back", policy() == installed, || policy().1);
    drop(fs::write(list(), good.replace(" 10050 ", " 10077 ")));
    succeeds(tap, "sync with another uid", &["sync"]);
    tap.has_line("the new number", &policy().1, &GROUP_LINE.replace("10050", "10077"));
    tap.lacks_line("not the old one", &policy().1, GROUP_LINE);
    succeeds(tap, "the app is removed", &["remove", PACKAGE]);
    tap.check("the policy is what it was", policy() == before, || format!("{:?}", policy()));
    tap.same("and so is the memory", kernel::settle("policy_bytes", bytes), bytes);
}

/// The manifest of the real app.
fn manifest() -> io::Result<Vec<u8>> {
    let mut archive = ZipArchive::new(File::open(APP)?).map_err(io::Error::other)?;
    let mut bytes = Vec::new();
    archive.by_name("AndroidManifest.xml").map_err(io::Error::other)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A zip file with these entries.
fn apk(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
    let mut fill = || -> zip::result::ZipResult<()> {
        for (name, content) in entries {
            writer.start_file(*name, SimpleFileOptions::default())?;
            writer.write_all(content)?;
        }
        Ok(())
    };
    let filled = fill();
    match (filled, writer.finish()) {
        (Ok(()), Ok(cursor)) => cursor.into_inner(),
        _ => Vec::new(),
    }
}
