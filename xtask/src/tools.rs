// SPDX-License-Identifier: MIT OR Apache-2.0
//! The programs that build a kernel, and which versions they must have.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Context, Result};

use crate::cache;

/// Debian's package of the kernel source; its archive keeps only the newest 6.12.y.
const LINUX_PACKAGE: &str = "linux-source-6.12";
/// What the package installs.
const LINUX_ARCHIVE: &str = "/usr/src/linux-source-6.12.tar.xz";
/// The bindings generator that the kernel build was tried with.
const BINDGEN: &str = "0.73.2";
/// The builder of fuzz targets that was tried with Debian's compiler.
const CARGO_FUZZ: &str = "0.13.2";
/// The maker of mutants that was tried with Debian's compiler.
const CARGO_MUTANTS: &str = "27.1.0";
/// LLVM's version, the suffix of Debian's program names.
pub const LLVM: &str = "19";
/// The compiler for the kernel and for devices: Debian's, which comes with the library sources.
pub const RUSTC: &str = "/usr/bin/rustc";

/// The kernel source that is installed.
pub struct Linux {
    /// Debian's version, such as `6.12.117-1~deb12u1`.
    pub version: String,
    /// The archive.
    pub archive: PathBuf,
}

/// Finds the kernel source.
pub fn linux() -> Result<Linux> {
    let query =
        cache::run_quietly(Command::new("dpkg-query").args(["-W", "-f", "${Version}", LINUX_PACKAGE]));
    let version =
        query.with_context(|| format!("the Debian package {LINUX_PACKAGE} is missing; run ci/setup"))?;
    let archive = PathBuf::from(LINUX_ARCHIVE);
    ensure!(archive.exists(), "{LINUX_ARCHIVE} is missing; reinstall the Debian package {LINUX_PACKAGE}");
    Ok(Linux { version: version.trim().to_owned(), archive })
}

/// The folder with the bindings generator; builds it once for the cache.
pub fn bindgen() -> Result<PathBuf> {
    installed("bindgen", "bindgen-cli", BINDGEN)
}

/// The folder with cargo-fuzz; builds it once for the cache.
pub fn cargo_fuzz() -> Result<PathBuf> {
    installed("cargo-fuzz", "cargo-fuzz", CARGO_FUZZ)
}

/// The folder with cargo-mutants; builds it once for the cache.
pub fn cargo_mutants() -> Result<PathBuf> {
    installed("cargo-mutants", "cargo-mutants", CARGO_MUTANTS)
}

/// The folder with a program from a crate on crates.io.
fn installed(program: &str, package: &str, version: &str) -> Result<PathBuf> {
    let root = cache::dir("tools")?.join(format!("{program}-{version}"));
    let folder = root.join("bin");
    if !folder.join(program).exists() {
        println!("building {program} {version} (2-4 minutes, once)");
        let build = format!("{program}-build");
        cache::run_quietly(
            Command::new("/usr/bin/cargo")
                .args(["install", "--quiet", "--locked", "--root"])
                .arg(&root)
                .arg(format!("{package}@{version}"))
                .env("RUSTC", RUSTC)
                .env("CARGO_TARGET_DIR", cache::dir(&build)?),
        )?;
        std::fs::remove_dir_all(cache::root().join(build))?;
    }
    Ok(folder)
}

/// The library sources of Debian's rustc (package rust-web-src).
pub fn rust_library() -> Result<PathBuf> {
    let version = cache::run_quietly(Command::new(RUSTC).arg("--version"))?;
    let number = version.split_whitespace().nth(1).context("rustc tells no version")?;
    let path = Path::new("/usr/src").join(format!("rustc-{number}/library"));
    ensure!(path.exists(), "{} is missing; install the Debian package rust-web-src", path.display());
    Ok(path)
}

/// A Debian LLVM program, such as `nm`.
pub fn llvm(program: &str) -> PathBuf {
    PathBuf::from(format!("/usr/lib/llvm-{LLVM}/bin/llvm-{program}"))
}

/// The folder with the LLVM programs of the compiler's own LLVM, which is newer than the kernel's.
pub fn compiler_llvm() -> Result<PathBuf> {
    let text = cache::run_quietly(Command::new(RUSTC).arg("-vV"))?;
    let version = text.lines().find_map(|line| line.strip_prefix("LLVM version: ")?.split('.').next());
    let version = version.context("rustc does not tell its version of LLVM")?;
    let folder = PathBuf::from(format!("/usr/lib/llvm-{version}/bin"));
    ensure!(
        folder.join("llvm-cov").exists(),
        "{} is missing; install the Debian package llvm-{version}",
        folder.join("llvm-cov").display()
    );
    Ok(folder)
}

/// Versions of everything that shapes a kernel, for stamps.
pub fn versions() -> Result<String> {
    let rustc = cache::run_quietly(Command::new(RUSTC).arg("-vV"))?;
    let clang = cache::run_quietly(Command::new(format!("clang-{LLVM}")).arg("--version"))?;
    Ok(format!("{rustc}\n{clang}\nbindgen {BINDGEN}"))
}
