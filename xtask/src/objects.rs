// SPDX-License-Identifier: MIT OR Apache-2.0
//! What Sekisho's kernel objects must not contain, and how large they are.
//!
//! A panic in a hook would kill a task that holds locks of the file system, so no object may even refer to a function that
//! panics. On 32-bit ARM a 64-bit division is a call of a run-time function that the kernel does not have, except for the one
//! that our patch provides to Rust's core library; and no function may take much of the stack (`frames.rs`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Context, Result};

use crate::arch::Arch;
use crate::cache;
use crate::frames;
use crate::tools;

/// Parts of the (demangled) names of functions that panic.
const PANICS: [&str; 7] = [
    "panic",
    "unwrap_failed",
    "expect_failed",
    "slice_index_fail",
    "slice_error_fail",
    "_index_len_fail",
    "rust_begin_unwind",
];

/// The ARM run-time ABI's and the compiler's 64-bit divisions.
const DIVISIONS: [&str; 6] =
    ["__aeabi_uldivmod", "__aeabi_ldivmod", "__udivdi3", "__umoddi3", "__divdi3", "__moddi3"];

/// Fails if an object refers to what it must not; prints the sizes.
pub fn check(arch: Arch, build: &Path) -> Result<()> {
    let folder = build.join("security/sekisho");
    let mut text = 0;
    let mut data = 0;
    let mut largest = None;
    let objects = objects(&folder)?;
    for needed in ["sekisho_core.o", "sekisho.o"] {
        ensure!(
            objects.iter().any(|path| path.ends_with(needed)),
            "{needed} is missing in {}; run cargo xtask kernel --arch {arch}",
            folder.display()
        );
    }
    for path in objects {
        let object = path.file_name().unwrap_or_default().to_string_lossy();
        let undefined = cache::run_quietly(Command::new(tools::llvm("nm")).args(["-u", "-C"]).arg(&path))?;
        let found = forbidden(&undefined, arch);
        ensure!(
            found.is_empty(),
            "{object} ({arch}) refers to what kernel objects of Sekisho must not use: {}",
            found.join(", ")
        );
        if arch == Arch::Arm {
            largest = largest.max(frames::check(&path)?.map(|(name, bytes)| (bytes, name)));
        }
        let sizes = cache::run_quietly(Command::new(tools::llvm("size")).arg(&path))?;
        let mut numbers = sizes.lines().nth(1).unwrap_or_default().split_whitespace().map(str::parse::<u64>);
        text += numbers.next().and_then(Result::ok).unwrap_or(0);
        data += numbers.flatten().take(2).sum::<u64>();
    }
    println!("objects {arch}: no panic, no foreign division; text {text} bytes, data and bss {data} bytes");
    if let Some((bytes, name)) = largest {
        println!("objects {arch}: {bytes} bytes of stack at most in one function ({name})");
    }
    Ok(())
}

/// Sekisho's objects, one of each source.
fn objects(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut objects = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "o") {
            objects.push(path);
        }
    }
    objects.sort();
    Ok(objects)
}

/// The undefined symbols of `nm -u -C` that are forbidden.
fn forbidden(undefined: &str, arch: Arch) -> Vec<&str> {
    undefined
        .lines()
        .map(|line| line.trim().trim_start_matches("U ").trim())
        .filter(|name| {
            PANICS.iter().any(|part| name.contains(part)) || (arch == Arch::Arm && DIVISIONS.contains(name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_and_divisions_are_found() {
        let symbols = "         U memcpy\n         U core::panicking::panic_bounds_check\n\
                       \x20        U __aeabi_uldivmod\n         U core::slice::index::slice_index_fail\n\
                       \x20        U __rust__aeabi_uldivmod\n         U core::option::unwrap_failed\n";
        assert_eq!(
            forbidden(symbols, Arch::Arm),
            [
                "core::panicking::panic_bounds_check",
                "__aeabi_uldivmod",
                "core::slice::index::slice_index_fail",
                "core::option::unwrap_failed"
            ]
        );
        assert_eq!(forbidden(symbols, Arch::Arm64).len(), 3, "division is an instruction there");
        assert!(forbidden("         U memcpy\n         U krealloc\n", Arch::Arm).is_empty());
    }
}
