// SPDX-License-Identifier: MIT OR Apache-2.0
//! The test app: a real APK with a policy fragment in it, signed again.
//!
//! The app is `app-uiautomator.apk` out of PyPI's uiautomator2 3.7.1 (MIT): package com.github.uiautomator, schemes v1
//! and v2, no shared uid (reference android 4.1). The fragment goes to `assets/sekisho/`, which every signature scheme
//! covers, so the old signature is dropped, the archive is aligned and signed with a key made for this cache.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Context, Result};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::cache::{self, Inputs};

const WHEEL: &str = "uiautomator2==3.7.1";
const WHEEL_SHA256: &str = "55ccc16f7c52d3035dbc14e1400524e76510dc353f9fc4a0bfa85bf58c51cc67";
const MEMBER: &str = "uiautomator2/assets/app-uiautomator.apk";
const FRAGMENT: &str = "assets/sekisho/domain_policy";

/// Where the fragment's text is in the checkout.
pub fn fragment() -> PathBuf {
    cache::root_of_project().join("tests/scenarios/fragment/domain_policy")
}

/// The signed APK with the fragment; downloads and signs only if it is not in the cache.
pub fn prepare() -> Result<PathBuf> {
    let folder = cache::dir("apk")?;
    let signed = folder.join("uiautomator-with-fragment.apk");
    let mut inputs = Inputs::new("apk 1");
    inputs.text(WHEEL_SHA256);
    inputs.file(&fragment())?;
    let inputs = inputs.finish();
    if cache::is_fresh(&signed, &inputs) {
        return Ok(signed);
    }
    cache::forget(&signed);
    println!("preparing the test app: {WHEEL} with a policy fragment, signed again");
    let original = original(&folder)?;
    let plain = folder.join("unsigned.apk");
    repack(&original, &plain)?;
    let aligned = folder.join("aligned.apk");
    cache::run_quietly(Command::new("zipalign").args(["-f", "-p", "4"]).arg(&plain).arg(&aligned))?;
    let (key, certificate) = key(&folder)?;
    cache::run_quietly(
        Command::new("apksigner")
            .args(["sign", "--key"])
            .arg(key)
            .arg("--cert")
            .arg(certificate)
            .arg("--out")
            .arg(&signed)
            .arg(&aligned),
    )?;
    cache::run_quietly(Command::new("apksigner").arg("verify").arg(&signed))
        .context("the APK was signed but does not verify")?;
    for leftover in [plain, aligned] {
        fs::remove_file(leftover)?;
    }
    cache::note_fresh(&signed, &inputs)?;
    Ok(signed)
}

/// The app as its makers signed it.
fn original(folder: &Path) -> Result<PathBuf> {
    let apk = folder.join("app-uiautomator.apk");
    if apk.exists() {
        return Ok(apk);
    }
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, format!("{WHEEL} --hash=sha256:{WHEEL_SHA256}\n"))?;
    cache::run_quietly(
        Command::new("/usr/bin/python3")
            .args([
                "-m",
                "pip",
                "--disable-pip-version-check",
                "download",
                "--no-deps",
                "--only-binary",
                ":all:",
            ])
            .arg("--require-hashes")
            .arg("-r")
            .arg(&requirements)
            .arg("-d")
            .arg(folder),
    )
    .context("cannot download the test app; pip is in the Debian package python3-pip")?;
    let wheel = fs::read_dir(folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|e| e == "whl"))
        .context("pip said yes but left no wheel")?;
    ensure!(cache::sha256(&wheel)? == WHEEL_SHA256, "{} is not the pinned file; delete it", wheel.display());
    let mut archive = ZipArchive::new(File::open(&wheel)?)?;
    let mut content = Vec::new();
    archive.by_name(MEMBER)?.read_to_end(&mut content)?;
    let partial = folder.join("app-uiautomator.apk.part");
    fs::write(&partial, content)?;
    fs::rename(&partial, &apk)?;
    Ok(apk)
}

/// Copies everything but the old signature and adds the fragment.
fn repack(original: &Path, target: &Path) -> Result<()> {
    let mut from = ZipArchive::new(File::open(original)?)?;
    let mut to = ZipWriter::new(File::create(target)?);
    for index in 0..from.len() {
        let entry = from.by_index_raw(index)?;
        if !entry.name()?.starts_with("META-INF/") {
            to.raw_copy_file(entry)?;
        }
    }
    to.start_file(FRAGMENT, SimpleFileOptions::default())?;
    to.write_all(&fs::read(fragment())?)?;
    to.finish()?;
    Ok(())
}

/// The test key and its certificate, made once for this cache.
fn key(folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let (pem, key, certificate) =
        (folder.join("key.pem"), folder.join("key.pk8"), folder.join("certificate.pem"));
    if !key.exists() || !certificate.exists() {
        cache::run_quietly(
            Command::new("openssl")
                .args(["req", "-x509", "-newkey", "rsa:2048", "-sha256", "-nodes", "-days", "10000"])
                .args(["-subj", "/CN=Sekisho test key", "-keyout"])
                .arg(&pem)
                .arg("-out")
                .arg(&certificate),
        )?;
        cache::run_quietly(
            Command::new("openssl")
                .args(["pkcs8", "-topk8", "-nocrypt", "-inform", "PEM", "-outform", "DER", "-in"])
                .arg(&pem)
                .arg("-out")
                .arg(&key),
        )?;
    }
    Ok((key, certificate))
}
