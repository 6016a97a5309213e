// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line of Sekisho. Exit status: 0 all is well, 1 the policy is not, 2 the call or the machine is at fault.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sekisho::check::{check, Report};

/// Works on Sekisho policy, on a developer's machine or on a device.
#[derive(Parser)]
#[command(name = "sekisho", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Checks a policy directory: would the kernel accept every line and activate it?
    Check {
        /// A directory with profile, exception_policy, domain_policy, manager.
        directory: PathBuf,
    },
}

fn main() -> ExitCode {
    let Verb::Check { directory } = Cli::parse().verb;
    match check(&directory) {
        Ok(report) => tell(&report),
        Err(error) => {
            eprintln!("sekisho: {error}");
            ExitCode::from(2)
        }
    }
}

/// Prints rejected lines in the form of the kernel's file `errors`.
fn tell(report: &Report) -> ExitCode {
    for line in &report.rejected {
        println!("{}:{}:{}: {}: {}", line.file.display(), line.line, line.column, line.reason, line.text);
    }
    if let Some(error) = report.inactive {
        println!("not activated: {}", error.message());
    }
    println!(
        "{} lines accepted, {} rejected, {} bytes of policy",
        report.accepted,
        report.rejected.len(),
        report.memory
    );
    ExitCode::from(u8::from(!report.is_good()))
}
