// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask test`: one topic, or everything in the order in which it fails soonest.

use std::panic::resume_unwind;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{bail, ensure, Context, Result};
use clap::Subcommand;

use crate::arch::Arch;
use crate::image::{self, Flavour};
use crate::variant::Variant;
use crate::{bench, cache, demo, guest_test, hooks, kernel, objects};

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
        /// Only this topic of the guest tests (tests/guest/src/topics).
        #[arg(long)]
        topic: Option<String>,
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
    /// What `ci/test` runs: two architectures, nothing that another part repeats.
    Ci,
    /// What `ci/test --all` runs: that, the third architecture, the small kernel, and the kernel with checkers.
    All,
}

/// Runs it.
pub fn run(what: What) -> Result<()> {
    match what {
        What::Guest { arch, variant, lsm, topic } => guest_test::run(arch, variant, &lsm, topic.as_deref()),
        What::Faults { arch } => faults(arch),
        What::Replace { arch, variant, seconds } => replace(arch, variant, seconds),
        What::Ci => parts(&[Arch::Arm, Arch::X86_64], Vec::new()),
        What::All => parts(&Arch::ALL, long()),
    }
}

fn faults(arch: Arch) -> Result<()> {
    guest_test::special(arch, Variant::Debug, "faults", "-- --faults", 2)
}

/// What takes too long for every commit: the kernel that ships, and one that finds mistakes in kernel code.
fn long() -> Vec<Step> {
    let arch = Arch::X86_64;
    vec![
        step("the story on the small kernel of qemu-arm", || demo::run(Arch::Arm, Variant::Small)),
        step(format!("debug kernel {arch}"), move || kernel::build(arch, Variant::Debug).map(drop)),
        step(format!("guest tests {arch}, debug kernel"), move || {
            guest_test::run(arch, Variant::Debug, "sekisho", None)
        }),
        step(format!("failing allocations {arch}, debug kernel"), move || faults(arch)),
    ]
}

fn replace(arch: Arch, variant: Variant, seconds: u32) -> Result<()> {
    guest_test::special(arch, variant, "replace", &format!("-- --replace {seconds}"), 4)
}

/// One part of the whole.
struct Step {
    name: String,
    run: Box<dyn Fn() -> Result<()> + Send + Sync>,
}

fn step(name: impl Into<String>, run: impl Fn() -> Result<()> + Send + Sync + 'static) -> Step {
    Step { name: name.into(), run: Box::new(run) }
}

/// A machine under test keeps one core busy and sleeps now and then; so many run at once. What they boot has been built before.
const MACHINES: usize = 2;

/// Runs the parts for these architectures, then `more`.
fn parts(archs: &[Arch], more: Vec<Step>) -> Result<()> {
    let mut first = vec![
        step("format", format),
        step("lints", || {
            cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
        }),
        step("unit and property tests", || cargo(&["test", "--locked", "--workspace", "--quiet"])),
        step("budgets of the core", || bench::run(bench::What::Core { groups: Vec::new(), json: None })),
        step("every hook is looked at", hooks::check),
    ];
    let mut machines = Vec::new();
    for arch in archs.iter().copied() {
        first.push(step(format!("kernel {arch}"), move || kernel::build(arch, Variant::Full).map(drop)));
        first.push(step(format!("kernel objects {arch}"), move || {
            objects::check(arch, &kernel::build_dir(arch, Variant::Full)?)
        }));
        first.push(step(format!("image {arch}"), move || image::build(arch, Flavour::Test).map(drop)));
        machines.push(step(format!("guest tests {arch}"), move || {
            guest_test::run(arch, Variant::Full, "sekisho", None)
        }));
    }
    for arch in archs.iter().copied() {
        machines.push(step(format!("budgets of system calls {arch}"), move || {
            bench::run(bench::What::Kernel { arch })
        }));
    }
    // Four processors and a time limit: alone.
    let mut last = vec![
        step("policy replaced under load on arm", || replace(Arch::Arm, Variant::Full, 20)),
        step("the story on qemu-arm", || demo::run(Arch::Arm, Variant::Full)),
    ];
    last.extend(more);

    let mut done = run_steps(&first, 1);
    done.extend(run_steps(&machines, MACHINES));
    done.extend(run_steps(&last, 1));
    let failed = done.iter().filter(|done| !done.passed).count();
    println!();
    for done in &done {
        let word = if done.passed { "ok    " } else { "FAILED" };
        println!("{word}  {:5} s  {}", done.seconds, done.name);
    }
    println!("{} passed, {failed} failed", done.len() - failed);
    ensure!(failed == 0, "{failed} of {} parts failed", done.len());
    Ok(())
}

/// What came of a step.
struct Done<'a> {
    name: &'a str,
    passed: bool,
    seconds: u64,
}

/// Runs steps, so many at a time, and goes on when one fails.
fn run_steps(steps: &[Step], at_once: usize) -> Vec<Done<'_>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(step) = steps.get(next.fetch_add(1, Ordering::Relaxed)) {
            let name = step.name.as_str();
            println!("==> {name}");
            let start = Instant::now();
            let result = (step.run)();
            if let Err(error) = &result {
                println!("{name} FAILED: {error:?}");
            }
            done.push(Done { name, passed: result.is_ok(), seconds: start.elapsed().as_secs() });
        }
        done
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
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
