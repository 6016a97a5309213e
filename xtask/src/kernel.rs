// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel of a board: Debian's Linux 6.12 source, our patches and `kmod/`, a small configuration.
//!
//! In the cache: `linux/VERSION-PATCHES/linux` is the patched source, `build/VERSION-PATCHES/BOARD` the objects
//! (`BOARD-VARIANT` of the kernels that only tests use). When only
//! `kmod/` changes, make rebuilds what depends on it. A stamp beside the image says from which inputs it was made.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use sha2::{Digest, Sha256};

use crate::arch::Arch;
use crate::cache::{self, Inputs};
use crate::objects;
use crate::tools::{self, Linux, LLVM};
use crate::variant::Variant;

/// How often a long build says that it is alive.
const PROGRESS: Duration = Duration::from_secs(20);

/// Builds the kernel and returns its image. Does nothing when nothing changed.
pub fn build(arch: Arch, variant: Variant) -> Result<PathBuf> {
    let linux = tools::linux()?;
    let build = build_dir(arch, variant)?;
    let image = build.join(arch.board()?.kernel);
    let inputs = inputs(arch, variant, &linux)?;
    if cache::is_fresh(&image, &inputs) {
        println!("kernel {arch} {variant}: up to date (Linux {})", linux.version);
        return Ok(image);
    }
    cache::forget(&image);
    let source = source(&linux)?;
    println!(
        "kernel {arch} {variant}: building Linux {} with Sekisho (5-9 minutes from nothing)",
        linux.version
    );
    configure(arch, variant, &source, &build)?;
    make_image(arch, variant, &source, &build)?;
    objects::check(arch, &build)?;
    cache::note_fresh(&image, &inputs)?;
    Ok(image)
}

/// Where the objects of a board's kernel are.
pub fn build_dir(arch: Arch, variant: Variant) -> Result<PathBuf> {
    let name = tree_name(&tools::linux()?)?;
    let path = cache::dir("build")?.join(name).join(variant.folder(arch));
    fs::create_dir_all(&path)?;
    Ok(path)
}

fn kmod() -> PathBuf {
    cache::root_of_project().join("kmod")
}

/// Version and patches: a change of either starts from a fresh tree.
fn tree_name(linux: &Linux) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(format!("{}\n", linux.version));
    for patch in cache::files_below(&kmod().join("patches"))? {
        hash.update(fs::read(patch)?);
    }
    let hash: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{hash}", linux.version))
}

fn inputs(arch: Arch, variant: Variant, linux: &Linux) -> Result<String> {
    let mut inputs = Inputs::new("kernel 1");
    inputs.text(&tree_name(linux)?);
    inputs.text(&tools::versions()?);
    inputs.tree(&kmod().join("lsm"))?;
    inputs.tree(&kmod().join("core/src"))?;
    for fragment in variant.fragments(arch) {
        inputs.file(&fragment)?;
    }
    Ok(inputs.finish())
}

/// The patched source tree with the current `kmod/` in it, unpacked if need be.
pub fn prepared_source() -> Result<PathBuf> {
    source(&tools::linux()?)
}

/// The patched source tree with the current `kmod/` in it.
fn source(linux: &Linux) -> Result<PathBuf> {
    let place = cache::dir("linux")?.join(tree_name(linux)?);
    let tree = place.join("linux");
    if !tree.exists() {
        println!("unpacking {}", linux.archive.display());
        let partial = place.join("partial");
        drop(fs::remove_dir_all(&partial));
        fs::create_dir_all(&partial)?;
        cache::run_quietly(Command::new("tar").arg("-C").arg(&partial).arg("-xf").arg(&linux.archive))?;
        let unpacked = fs::read_dir(&partial)?.next().context("the archive is empty")??.path();
        fs::rename(unpacked, &tree)?;
        fs::remove_dir_all(&partial)?;
    }
    cache::run_quietly(Command::new(kmod().join("install.sh")).arg(&tree))?;
    Ok(tree)
}

fn make(arch: Arch, source: &Path, build: &Path) -> Result<Command> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut make = Command::new("make");
    make.arg("-C").arg(source).arg(format!("O={}", build.display()));
    make.arg(format!("ARCH={}", arch.name()));
    make.args([format!("LLVM=-{LLVM}"), format!("CC=ccache clang-{LLVM}"), format!("HOSTCC=clang-{LLVM}")]);
    make.args([format!("RUSTC={}", tools::RUSTC), "BINDGEN=bindgen".to_owned()]);
    make.env("PATH", format!("/usr/lib/llvm-{LLVM}/bin:{}:/usr/bin:{path}", tools::bindgen()?.display()))
        .env("LIBCLANG_PATH", format!("/usr/lib/llvm-{LLVM}/lib"))
        .env("RUST_LIB_SRC", tools::rust_library()?)
        .env("CCACHE_DIR", cache::dir("ccache")?)
        .env("CCACHE_BASEDIR", cache::root())
        .env("CCACHE_MAXSIZE", "4G")
        // Not CCACHE_DEPEND, which would save a tenth: it does not see `.incbin`, by which the compressed kernel comes into its
        // image, and takes an older one from the cache.
        // The same inputs give the same image.
        .env("KBUILD_BUILD_TIMESTAMP", "2026-01-01")
        .env("KBUILD_BUILD_USER", "sekisho")
        .env("KBUILD_BUILD_HOST", "sekisho")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("MAKEFLAGS");
    Ok(make)
}

/// Makes `.config` from tinyconfig and the fragments, and checks that every line of a fragment took effect.
fn configure(arch: Arch, variant: Variant, source: &Path, build: &Path) -> Result<()> {
    let mut wanted = String::new();
    for path in variant.fragments(arch) {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        wanted.push_str(&text);
    }
    let config = build.join(".config");
    let mut inputs = Inputs::new("config 1");
    inputs.text(&wanted);
    inputs.file(&kmod().join("lsm/Kconfig"))?;
    let inputs = inputs.finish();
    if cache::is_fresh(&config, &inputs) {
        return Ok(());
    }
    // A configuration that is refused below must not pass for the last good one.
    cache::forget(&config);
    cache::run_quietly(make(arch, source, build)?.args(["-s", "tinyconfig"]))?;
    fs::OpenOptions::new().append(true).open(&config)?.write_all(wanted.as_bytes())?;
    cache::run_quietly(make(arch, source, build)?.args(["-s", "olddefconfig"]))?;
    let result = fs::read_to_string(&config)?;
    let lost = lost_options(&wanted, &result);
    ensure!(
        lost.is_empty(),
        "these options of the {} fragments have no effect (a dependency is missing): {}",
        variant.folder(arch),
        lost.join(", ")
    );
    cache::note_fresh(&config, &inputs)
}

/// The lines of `wanted` that `result` does not hold; a later line replaces an earlier one for the same option.
fn lost_options<'a>(wanted: &'a str, result: &str) -> Vec<&'a str> {
    let option = |line: &'a str| line.trim_start_matches("# ").split(['=', ' ']).next().unwrap_or_default();
    let lines: Vec<&str> =
        wanted.lines().filter(|line| line.starts_with("CONFIG_") || line.starts_with("# CONFIG_")).collect();
    let is_last =
        |index: usize, line| lines.iter().skip(index + 1).all(|later| option(later) != option(line));
    lines
        .iter()
        .enumerate()
        .filter(|(index, line)| is_last(*index, line))
        .filter(|(_, line)| {
            if line.starts_with('#') {
                let on = format!("{}=", option(line));
                result.lines().any(|have| have.starts_with(&on))
            } else {
                !result.lines().any(|have| have == **line)
            }
        })
        .map(|(_, line)| *line)
        .collect()
}

/// Runs make with a sign of life now and then; its output goes to a log, of which the end is shown if it fails.
fn make_image(arch: Arch, variant: Variant, source: &Path, build: &Path) -> Result<()> {
    let board = arch.board()?;
    let target = board.kernel.file_name().context("board.toml names no kernel image")?.to_owned();
    let log = cache::dir("log")?.join(format!("kernel-{arch}-{variant}.log"));
    let mut file = fs::File::create(&log)?;
    let jobs = std::thread::available_parallelism().map_or(2, usize::from);
    let mut child = make(arch, source, build)?
        .arg(format!("-j{jobs}"))
        .arg(target)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(file.try_clone()?)
        .spawn()
        .context("cannot start make; run ci/setup")?;
    let start = Instant::now();
    let mut said = start;
    let output = child.stdout.take().context("make has no output")?;
    for (step, line) in BufReader::new(output).split(b'\n').enumerate() {
        let line = line?;
        file.write_all(&line)?;
        file.write_all(b"\n")?;
        if said.elapsed() >= PROGRESS {
            said = Instant::now();
            let text = String::from_utf8_lossy(&line);
            println!(
                "kernel {arch} {variant}: {} s, step {step}: {}",
                start.elapsed().as_secs(),
                text.trim()
            );
        }
    }
    if !child.wait()?.success() {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let end = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default();
        bail!("building the {arch} kernel failed:\n{}\nthe whole log is {}", end.join("\n"), log.display());
    }
    println!("kernel {arch} {variant}: built in {} s", start.elapsed().as_secs());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::lost_options;

    #[test]
    fn lost_options_are_named() {
        let result = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=y\n";
        assert_eq!(lost_options("# a comment\nCONFIG_A=y\nCONFIG_B=y\n", result), ["CONFIG_B=y"]);
        assert_eq!(
            lost_options("# CONFIG_C is not set\n# CONFIG_B is not set\n", result),
            ["# CONFIG_C is not set"]
        );
        assert!(
            lost_options("CONFIG_B=y\n# CONFIG_B is not set\n", result).is_empty(),
            "the last line counts"
        );
    }
}
