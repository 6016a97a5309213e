// SPDX-License-Identifier: MIT OR Apache-2.0
//! Building the programs that run in a guest or on a device: static, small, without unwinding.
//!
//! Debian's rustc has no standard library for ARM, so cargo builds it from rust-src (reference rust-lsm 6.4). That is an
//! unstable option of cargo, hence RUSTC_BOOTSTRAP; the toolchain stays Debian's, the same that builds the kernel.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{bail, Result};

use crate::arch::Arch;
use crate::cache::{self, Inputs};

/// Where Debian's cargo and rustc are.
const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";

/// Each package and its programs.
const PROGRAMS: [(&str, &[&str]); 4] = [
    ("sekisho-init", &["sekisho-init"]),
    ("sekisho-uid-resolver", &["sekisho-uid-resolver"]),
    ("sekisho-guest-tests", &["sekisho-guest-tests"]),
    ("sekisho-scenarios", &["story", "app_process"]),
];

/// What the programs are made from.
const SOURCES: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "kmod/core",
    "android-init",
    "uid-resolver",
    "tests/corpus",
    "tests/guest",
    "tests/scenarios",
];

/// Where the built programs are.
pub struct Programs {
    folder: PathBuf,
    /// Hash of everything that they were made from.
    pub inputs: String,
}

impl Programs {
    /// The path of one program.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Builds all device programs for `arch`, or does nothing if their sources did not change.
pub fn build(arch: Arch) -> Result<Programs> {
    let target = cache::dir("target-device")?;
    let folder = target.join(arch.target()).join("device");
    let inputs = hash(arch)?;
    let marker = folder.join("sekisho-init");
    let programs = Programs { folder, inputs: inputs.clone() };
    let complete =
        PROGRAMS.iter().flat_map(|(_, names)| names.iter()).all(|name| programs.path(name).exists());
    if complete && cache::is_fresh(&marker, &inputs) {
        return Ok(programs);
    }
    cache::forget(&marker);
    println!("{arch}: building the device programs (the first time with their standard library, about two minutes)");
    let start = Instant::now();
    let status = command(arch, &target).status()?;
    if !status.success() {
        bail!("the device programs for {arch} do not build ({status}); the compiler's messages are above");
    }
    cache::note_fresh(&marker, &inputs)?;
    println!("{arch}: device programs built in {} s", start.elapsed().as_secs());
    Ok(programs)
}

fn hash(arch: Arch) -> Result<String> {
    let mut inputs = Inputs::new("device 1");
    inputs.text(arch.target());
    inputs.text(&cache::run_quietly(Command::new(RUSTC).arg("-vV"))?);
    for source in SOURCES {
        inputs.tree(&cache::root_of_project().join(source))?;
    }
    Ok(inputs.finish())
}

fn command(arch: Arch, target: &Path) -> Command {
    let variable = arch.target().replace('-', "_").to_uppercase();
    let mut cargo = Command::new(CARGO);
    cargo
        .current_dir(cache::root_of_project())
        .args(["build", "--quiet", "--locked", "--profile", "device", "--target", arch.target()])
        .env("RUSTC", RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", target)
        .env(format!("CARGO_TARGET_{variable}_LINKER"), arch.linker())
        .env(format!("CARGO_TARGET_{variable}_RUSTFLAGS"), "-C target-feature=+crt-static");
    // rustup's and cargo's own settings of the process that runs xtask must not leak into this build.
    for name in ["RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(name);
    }
    if !arch.has_std() {
        cargo.arg("-Zbuild-std=std,panic_abort");
    }
    for (package, _) in PROGRAMS {
        cargo.args(["--package", package]);
    }
    cargo
}
