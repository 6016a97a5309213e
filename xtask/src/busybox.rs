// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian's static busybox for each architecture.
//!
//! apt fetches (and checks the signature of) the package; its lists for the foreign architecture live in the cache, so
//! neither root nor `dpkg --add-architecture` is needed and the machine's own package state stays as it is. Debian
//! keeps only the newest version, so the version is printed instead of pinned.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::arch::Arch;
use crate::cache;

/// The program's path in the cache.
pub fn prepare(arch: Arch) -> Result<PathBuf> {
    let folder = cache::dir(&format!("busybox/{arch}"))?;
    let program = folder.join("busybox");
    if program.exists() {
        return Ok(program);
    }
    println!("{arch}: downloading Debian's busybox-static:{}", arch.debian());
    for name in ["lists/partial", "archives/partial"] {
        fs::create_dir_all(folder.join(name))?;
    }
    fs::write(folder.join("status"), "")?;
    // A broken third-party list on this machine does not matter, so the result of `update` is not looked at.
    let update = cache::run_quietly(apt(arch, &folder).arg("update"));
    cache::run_quietly(apt(arch, &folder).args(["download", "busybox-static"])).with_context(|| {
        let note = update.err().map(|e| format!(" (apt-get update said: {e})")).unwrap_or_default();
        format!("apt cannot download busybox-static for {}{note}", arch.debian())
    })?;
    let package = fs::read_dir(&folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|e| e == "deb"))
        .context("apt-get download said yes but left no package")?;
    println!("{arch}: {}", package.file_name().unwrap_or_default().to_string_lossy().replace("%3a", ":"));
    let unpacked = folder.join("unpacked");
    cache::run_quietly(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&unpacked))?;
    // The rename makes it whole or absent.
    fs::rename(unpacked.join("bin/busybox"), &program).context("the package has no bin/busybox")?;
    for name in ["unpacked", "lists", "archives"] {
        drop(fs::remove_dir_all(folder.join(name)));
    }
    Ok(program)
}

fn apt(arch: Arch, folder: &Path) -> Command {
    let mut apt = Command::new("apt-get");
    let set = |name: &str, value: String| ["-o".to_owned(), format!("{name}={value}")];
    apt.current_dir(folder)
        .args(set("APT::Architecture", arch.debian().to_owned()))
        .args(set("APT::Architectures", arch.debian().to_owned()))
        .args(set("Dir::State::lists", folder.join("lists").display().to_string()))
        .args(set("Dir::State::status", folder.join("status").display().to_string()))
        .args(set("Dir::Cache", folder.display().to_string()))
        .args(set("Dir::Cache::archives", folder.join("archives").display().to_string()))
        // The folder belongs to whoever runs this; apt's own user could not write there.
        .args(set("APT::Sandbox::User", String::new()));
    apt
}
