// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask fuzz TARGET`: a fuzz target of `tests/fuzz`, for some minutes.
//!
//! cargo-fuzz only builds; the program runs in the cache, so that neither corpus nor findings end up in the checkout.
//! Debian's compiler comes without the runtime of AddressSanitizer, and the core has no `unsafe` that it could watch.

use std::process::Command;

use anyhow::{bail, ensure, Context, Result};

use crate::{cache, tools};

/// A fuzz target.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Target {
    /// Lines of policy: whatever is accepted prints and reads back.
    Text,
    /// A policy and requests: engine and oracle agree.
    Engine,
    /// A policy image with a right digest: what loads is what it says.
    Image,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Target::Text => "text",
            Target::Engine => "engine",
            Target::Image => "image",
        }
    }
}

/// Builds and runs it.
pub fn run(target: Target, minutes: u32) -> Result<()> {
    let name = target.name();
    let fuzz = cache::root_of_project().join("tests/fuzz");
    let build = cache::dir("target/fuzz")?;
    let path =
        format!("{}:/usr/bin:{}", tools::cargo_fuzz()?.display(), std::env::var("PATH").unwrap_or_default());
    let cargo = |arguments: &[&str]| {
        let status = Command::new("/usr/bin/cargo")
            .args(arguments)
            .current_dir(&fuzz)
            .env("PATH", &path)
            .env("RUSTC", tools::RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", &build)
            .status()
            .context("cannot start cargo; run ci/setup")?;
        ensure!(status.success(), "cargo {} failed", arguments.join(" "));
        Ok(())
    };
    // cargo-fuzz cannot be told to keep to the lock file.
    cargo(&["fetch", "--locked", "--quiet"])?;
    cargo(&["fuzz", "build", "--fuzz-dir", ".", "--sanitizer", "none", "--release", name])?;

    let corpus = cache::dir(&format!("fuzz/{name}"))?;
    let findings = cache::dir(&format!("fuzz-findings/{name}"))?;
    let mut command = Command::new(build.join("x86_64-unknown-linux-gnu/release").join(name));
    command
        .arg(format!("-max_total_time={}", u64::from(minutes) * 60))
        .args(["-max_len=4096", "-timeout=20", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/", findings.display()));
    let words = fuzz.join(format!("{name}.dict"));
    if words.exists() {
        command.arg(format!("-dict={}", words.display()));
    }
    command.arg(corpus);
    for kind in ["seeds", "regressions"] {
        // Git keeps no empty folders.
        command.args(Some(fuzz.join(kind).join(name)).filter(|folder| folder.exists()));
    }
    let status = command.current_dir(cache::root()).status().context("cannot start the fuzz target")?;
    if !status.success() {
        bail!(
            "{name} found something; the input is in {}. When it is fixed, put it into tests/fuzz/regressions/{name}",
            findings.display()
        );
    }
    Ok(())
}
