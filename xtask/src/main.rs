// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask VERB`: everything that is done with this repository beside `cargo build` and `cargo test`.
//!
//! One file a verb. CI runs exactly these verbs (`ci/test`, `ci/demo`), so what a person sees is what CI sees.

mod apk;
mod arch;
mod bench;
mod busybox;
mod cache;
mod coverage;
mod cpio;
mod demo;
mod device;
mod differential;
mod frames;
mod fuzz;
mod guest_test;
mod health;
mod hooks;
mod image;
mod kernel;
mod kernel_bench;
mod mutants;
mod objects;
mod qemu;
mod shell;
mod test;
mod tools;
mod variant;

use anyhow::Result;
use arch::Arch;
use clap::{Parser, Subcommand};
use variant::Variant;

/// Builds kernels and images of Sekisho, boots them, runs tests and the story.
#[derive(Parser)]
#[command(name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Builds the kernel of an architecture's board; prints where the image is.
    Kernel {
        /// The architecture.
        #[arg(long)]
        arch: Arch,
        /// Which of the board's kernels.
        #[arg(long, default_value = "small")]
        variant: Variant,
    },
    /// Checks that Sekisho's kernel objects can neither panic nor, on arm, divide 64-bit numbers.
    Objects {
        /// The architecture.
        #[arg(long)]
        arch: Arch,
        /// Which of the board's kernels.
        #[arg(long, default_value = "full")]
        variant: Variant,
    },
    /// Checks that SECURITY.md names every hook of the kernel, and says of it what the code does.
    Hooks,
    /// Builds the initramfs of an architecture's board; prints where it is.
    Image {
        /// The architecture.
        #[arg(long)]
        arch: Arch,
        /// What is in it.
        #[arg(long, default_value = "base")]
        flavour: image::Flavour,
    },
    /// Boots a board with a shell on the console; leave with `poweroff -f`.
    Qemu {
        /// The architecture.
        #[arg(long)]
        arch: Arch,
    },
    /// Makes the signed test app with a policy fragment; prints where it is.
    Apk,
    /// Runs the guest tests of an architecture (`cargo xtask test guest --arch arm`), what CI runs (`ci`), or everything (`all`).
    Test {
        #[command(subcommand)]
        what: test::What,
    },
    /// Compares the engine's decisions with the oracle's, for random policies and requests that nearly match them.
    Differential {
        /// How many requests.
        #[arg(long, default_value_t = 10_000_000)]
        count: u64,
        /// Where the pseudo-random sequence begins; each job takes the next number.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many threads; default: one for each core.
        #[arg(long)]
        jobs: Option<usize>,
    },
    /// Feeds the core with inputs that a fuzzer thinks up.
    Fuzz {
        /// What to feed.
        target: fuzz::Target,
        /// How long.
        #[arg(long, default_value_t = 10)]
        minutes: u32,
    },
    /// Tells which share of the core's lines the host tests reach; fails below 95 %.
    Coverage,
    /// Changes the code in small places and tells what no test notices; fails if it is more than 10 % (of the core 5 %).
    Mutants {
        /// Whose code; default: all of them.
        #[arg(value_name = "CRATE")]
        subject: Option<mutants::Subject>,
        /// How many mutants of each crate.
        #[arg(long, default_value_t = 60)]
        sample: usize,
        /// Where the pseudo-random sequence begins that draws them.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// All mutants: hours for the core.
        #[arg(long, conflicts_with_all = ["sample", "seed"])]
        all: bool,
    },
    /// Measures something.
    Bench {
        #[command(subcommand)]
        what: bench::What,
    },
    /// Runs the install story on qemu-arm.
    Demo {
        /// Which of the board's kernels.
        #[arg(long, default_value = "small")]
        variant: Variant,
    },
}

fn main() -> Result<()> {
    match Cli::parse().verb {
        Verb::Kernel { arch, variant } => println!("{}", kernel::build(arch, variant)?.display()),
        Verb::Objects { arch, variant } => objects::check(arch, &kernel::build_dir(arch, variant)?)?,
        Verb::Hooks => hooks::check()?,
        Verb::Image { arch, flavour } => println!("{}", image::build(arch, flavour)?.display()),
        Verb::Qemu { arch } => shell::run(arch)?,
        Verb::Apk => println!("{}", apk::prepare()?.display()),
        Verb::Test { what } => test::run(what)?,
        Verb::Differential { count, seed, jobs } => differential::run(count, seed, jobs)?,
        Verb::Fuzz { target, minutes } => fuzz::run(target, minutes)?,
        Verb::Coverage => coverage::run()?,
        Verb::Mutants { subject, sample, seed, all } => {
            let choice =
                if all { mutants::Choice::All } else { mutants::Choice::Sample { count: sample, seed } };
            mutants::run(subject, choice)?;
        }
        Verb::Bench { what } => bench::run(what)?,
        Verb::Demo { variant } => demo::run(Arch::Arm, variant)?,
    }
    Ok(())
}
