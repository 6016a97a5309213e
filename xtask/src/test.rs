// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask test`: one topic, or everything in the order in which it fails soonest.

use std::process::Command;
use std::time::Instant;

use anyhow::{bail, ensure, Context, Result};
use clap::Subcommand;

use crate::arch::Arch;
use crate::variant::Variant;
use crate::{bench, cache, demo, guest_test, kernel, objects};

/// What to test.
#[derive(Subcommand)]
pub enum What {
    /// The guest tests of one architecture.
    Guest {
        /// The architecture.
        #[arg(long)]
        arch: Arch,
        /// Which kernel.
        #[arg(long, default_value = "full")]
        variant: Variant,
        /// The security modules, for the kernel's lsm=.
        #[arg(long, default_value = "sekisho")]
        lsm: String,
    },
    /// Allocations fail one after the other; on the debug kernel.
    Faults {
        /// The architecture.
        #[arg(long)]
        arch: Arch,
    },
    /// The policy is replaced in a loop under load on four processors.
    Replace {
        /// The architecture.
        #[arg(long)]
        arch: Arch,
        /// Which kernel.
        #[arg(long, default_value = "full")]
        variant: Variant,
        /// For how long.
        #[arg(long, default_value_t = 300)]
        seconds: u32,
    },
    /// What `ci/test` runs.
    All,
}

/// Runs it.
pub fn run(what: What) -> Result<()> {
    match what {
        What::Guest { arch, variant, lsm } => guest_test::run(arch, variant, &lsm),
        What::Faults { arch } => guest_test::special(arch, Variant::Debug, "faults", "-- --faults", 2),
        What::Replace { arch, variant, seconds } => replace(arch, variant, seconds),
        What::All => all(),
    }
}

fn replace(arch: Arch, variant: Variant, seconds: u32) -> Result<()> {
    guest_test::special(arch, variant, "replace", &format!("-- --replace {seconds}"), 4)
}

/// One part of the whole.
type Step<'a> = (String, Box<dyn Fn() -> Result<()> + 'a>);

fn all() -> Result<()> {
    let mut steps: Vec<Step<'_>> = vec![
        ("format".into(), Box::new(format)),
        (
            "lints".into(),
            Box::new(|| {
                cargo(&[
                    "clippy",
                    "--locked",
                    "--workspace",
                    "--all-targets",
                    "--quiet",
                    "--",
                    "-D",
                    "warnings",
                ])
            }),
        ),
        (
            "unit and property tests".into(),
            Box::new(|| cargo(&["test", "--locked", "--workspace", "--quiet"])),
        ),
        (
            "budgets of the core".into(),
            Box::new(|| bench::run(bench::What::Core { groups: Vec::new(), json: None })),
        ),
    ];
    for arch in Arch::ALL {
        steps
            .push((format!("kernel {arch}"), Box::new(move || kernel::build(arch, Variant::Full).map(drop))));
        steps.push((
            format!("kernel objects {arch}"),
            Box::new(move || objects::check(arch, &kernel::build_dir(arch, Variant::Full)?)),
        ));
        steps.push((
            format!("budgets of system calls {arch}"),
            Box::new(move || bench::run(bench::What::Kernel { arch })),
        ));
        steps.push((
            format!("guest tests {arch}"),
            Box::new(move || guest_test::run(arch, Variant::Full, "sekisho")),
        ));
    }
    steps.push((
        "policy replaced under load on arm".into(),
        Box::new(|| replace(Arch::Arm, Variant::Full, 20)),
    ));
    steps.push(("the story on qemu-arm".into(), Box::new(demo::run)));

    let mut summary = Vec::new();
    let mut failed = 0;
    for (name, step) in &steps {
        println!("==> {name}");
        let start = Instant::now();
        let result = step();
        let seconds = start.elapsed().as_secs();
        match &result {
            Ok(()) => summary.push(format!("ok      {seconds:5} s  {name}")),
            Err(error) => {
                failed += 1;
                println!("{name} FAILED: {error:?}");
                summary.push(format!("FAILED  {seconds:5} s  {name}"));
            }
        }
    }
    println!("\n{}", summary.join("\n"));
    println!("{} passed, {failed} failed", summary.len() - failed);
    ensure!(failed == 0, "{failed} of {} parts failed", summary.len());
    Ok(())
}

/// The workspace, and the kernel's crate, which no Cargo.toml names.
fn format() -> Result<()> {
    cargo(&["fmt", "--all", "--", "--check"])?;
    let lsm = cache::root_of_project().join("kmod/lsm/sekisho.rs");
    cache::run_quietly(
        Command::new("/usr/bin/rustfmt")
            .arg("--check")
            .arg("--config-path")
            .arg(cache::root_of_project())
            .arg(lsm),
    )
    .map(drop)
}

/// Debian's cargo, in the checkout.
pub fn cargo(arguments: &[&str]) -> Result<()> {
    let status = Command::new("/usr/bin/cargo")
        .args(arguments)
        .current_dir(cache::root_of_project())
        .env("PATH", format!("/usr/bin:{}", std::env::var("PATH").unwrap_or_default()))
        .env("RUSTC", crate::tools::RUSTC)
        .status()
        .context("cannot start cargo; run ci/setup")?;
    if !status.success() {
        bail!("cargo {} failed", arguments.join(" "));
    }
    Ok(())
}
