// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line of Sekisho. The exit status is in the help of each verb.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sekisho::check::check;
use sekisho::report::{Report, Severity};

/// Works on Sekisho policy, on a developer's machine or on a device.
#[derive(Parser)]
#[command(name = "sekisho", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Checks a policy directory: would the kernel accept every line and activate it, and does each line do what it says?
    ///
    /// Prints the lines that the kernel would reject, as its file `errors` shows them, and warnings about lines that can never
    /// match or do something else than they seem to. Nothing is written, and no kernel is asked.
    #[command(after_help = STATUS)]
    Check {
        /// Warnings count as errors.
        #[arg(long)]
        strict: bool,
        /// A directory with profile, exception_policy, domain_policy and manager, or these names with .conf behind them.
        directory: PathBuf,
    },
}

const STATUS: &str = "Exit status:
  0  the kernel would accept and activate the policy
  1  it would not; with --strict also: there are warnings
  2  the call is wrong, a file cannot be read, or the output cannot be written";

/// The call or the machine is at fault.
const TROUBLE: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // Help and version go to the standard output.
            let status = if message.use_stderr() { TROUBLE } else { 0 };
            return match message.print() {
                Ok(()) => ExitCode::from(status),
                Err(_) => ExitCode::from(TROUBLE),
            };
        }
    };
    let Verb::Check { strict, directory } = cli.verb;
    ExitCode::from(run(&directory, strict))
}

fn run(directory: &Path, strict: bool) -> u8 {
    let report = match check(directory) {
        Ok(report) => report,
        Err(error) => return trouble(&error),
    };
    match tell(&report) {
        Ok(()) if !report.is_good() => 1,
        Ok(()) => u8::from(strict && report.count(Severity::Warning) > 0),
        // Who closed the pipe knows it.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => TROUBLE,
        Err(error) => trouble(&format_args!("cannot write the report: {error}")),
    }
}

fn tell(report: &Report) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    report.write(&mut out)?;
    out.flush()
}

/// Says what is wrong, if anybody can hear it.
fn trouble(what: &dyn std::fmt::Display) -> u8 {
    let _ = writeln!(io::stderr(), "sekisho: {what}");
    TROUBLE
}
