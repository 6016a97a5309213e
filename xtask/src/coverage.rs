// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask coverage`: which share of the core's lines the host tests reach.
//!
//! The compiler's own instrumentation, read by the LLVM programs of the compiler's version: the format of profiles changes
//! with every version. Test modules are left out where they are files of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{ensure, Context, Result};

use crate::{cache, tools};

/// Below this the verb fails.
const LEAST_PERCENT: f64 = 95.0;

/// Requests that the engine and the oracle compare: enough for every line, and instrumented code is slow.
const DIFFERENTIAL_COUNT: &str = "20000";

/// Lines of one file.
struct File {
    name: String,
    hit: u32,
    lines: u32,
}

impl File {
    fn percent(&self) -> f64 {
        100.0 * f64::from(self.hit) / f64::from(self.lines.max(1))
    }
}

/// Runs the tests of the core and prints the share of each file and of all.
pub fn run() -> Result<()> {
    let programs = tools::compiler_llvm()?;
    let profiles = cache::dir("coverage")?;
    fs::remove_dir_all(&profiles)?;
    let profiles = cache::dir("coverage")?;

    let binaries = test_binaries(&profiles)?;
    let status = cargo(&profiles, &["--quiet"]).status().context("cannot start cargo; run ci/setup")?;
    ensure!(status.success(), "a test failed");

    let merged = profiles.join("all.profdata");
    let raw = cache::files_below(&profiles)?;
    cache::run_quietly(
        Command::new(programs.join("llvm-profdata"))
            .args(["merge", "--sparse", "-o"])
            .arg(&merged)
            .args(raw.iter().filter(|path| path.extension().is_some_and(|kind| kind == "profraw"))),
    )?;
    let source = cache::root_of_project().join("kmod/core/src");
    let mut export = Command::new(programs.join("llvm-cov"));
    export
        .args(["export", "--format=lcov", "--ignore-filename-regex=/tests\\.rs$", "--instr-profile"])
        .arg(&merged);
    for binary in &binaries {
        export.arg("--object").arg(binary);
    }
    let text = cache::run_quietly(export.arg("--sources").arg(&source))?;
    report(&files(&text, &source))
}

/// `cargo test` for the core, instrumented, with optimisation so that the long tests end.
fn cargo(profiles: &Path, more: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/cargo");
    command
        .args([
            "test",
            "--locked",
            "--profile",
            "checked",
            "--package",
            "sekisho-core",
            "--package",
            "sekisho-generators",
            "--tests",
        ])
        .args(more)
        .current_dir(cache::root_of_project())
        .env("PATH", format!("/usr/bin:{}", std::env::var("PATH").unwrap_or_default()))
        .env("RUSTC", tools::RUSTC)
        .env("RUSTFLAGS", "-Cinstrument-coverage")
        .env("CARGO_TARGET_DIR", cache::root().join("target/coverage"))
        .env("SEKISHO_DIFFERENTIAL_COUNT", DIFFERENTIAL_COUNT)
        .env("LLVM_PROFILE_FILE", profiles.join("%m-%p.profraw"));
    command
}

/// Builds the tests; where they are.
fn test_binaries(profiles: &Path) -> Result<Vec<PathBuf>> {
    let output = cargo(profiles, &["--no-run", "--message-format=json"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo; run ci/setup")?;
    ensure!(output.status.success(), "the tests cannot be built");
    // Cargo's messages are JSON, one a line; the one key that is needed is not worth a parser.
    let text = String::from_utf8(output.stdout)?;
    let binaries: Vec<PathBuf> = text
        .lines()
        .filter_map(|line| line.split_once("\"executable\":\"")?.1.split_once('"'))
        .map(|(path, _)| path.into())
        .collect();
    ensure!(!binaries.is_empty(), "cargo names no test");
    Ok(binaries)
}

/// The files below `source` in a report of lcov's format.
fn files(text: &str, source: &Path) -> Vec<File> {
    let mut found = Vec::new();
    let mut current: Option<File> = None;
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            found.extend(current.take());
            continue;
        };
        match (key, &mut current) {
            ("SF", _) => {
                let name = Path::new(value).strip_prefix(source).ok().map(|path| path.display().to_string());
                current = name.map(|name| File { name, hit: 0, lines: 0 });
            }
            ("LH", Some(file)) => file.hit = value.parse().unwrap_or(0),
            ("LF", Some(file)) => file.lines = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    found.sort_by(|one, other| one.percent().total_cmp(&other.percent()));
    found
}

fn report(files: &[File]) -> Result<()> {
    for file in files {
        println!("{:6.2} %  {:5} of {:5}  {}", file.percent(), file.hit, file.lines, file.name);
    }
    let all = File {
        name: "kmod/core/src".to_owned(),
        hit: files.iter().map(|file| file.hit).sum(),
        lines: files.iter().map(|file| file.lines).sum(),
    };
    println!("{:6.2} %  {:5} of {:5}  {}", all.percent(), all.hit, all.lines, all.name);
    ensure!(all.lines > 0, "the report has no file of the core");
    ensure!(all.percent() >= LEAST_PERCENT, "less than {LEAST_PERCENT} %");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_outside_of_the_core_do_not_count() {
        let text =
            "SF:/x/src/a.rs\nDA:1,1\nLF:4\nLH:3\nend_of_record\nSF:/y/b.rs\nLF:9\nLH:0\nend_of_record\n";
        let found = files(text, Path::new("/x/src"));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), found[0].hit, found[0].lines), ("a.rs", 3, 4));
        assert!((found[0].percent() - 75.0).abs() < 0.001);
    }
}
