// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line. Exit status: 0 done, 1 the app or its fragment is refused, 2 the device or the call is at fault.

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use sekisho_core::name::is_valid_domain;
use sekisho_uid_resolver::error::Error;
use sekisho_uid_resolver::journal::Lines;
use sekisho_uid_resolver::kernel::{PolicyText, Securityfs};
use sekisho_uid_resolver::package::PackageName;
use sekisho_uid_resolver::sync::{examine, Config, Resolver};
use sekisho_uid_resolver::watch;

/// Installs the Sekisho policy fragments of Android apps when the apps get their UIDs, and removes them again.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    places: Places,
    /// Write the log to /dev/kmsg instead of stderr
    #[arg(long, global = true)]
    kmsg: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Places {
    /// The kernel's policy interface
    #[arg(long, global = true, value_name = "DIR", default_value = "/sys/kernel/security/sekisho")]
    sekisho_dir: PathBuf,
    /// The domain in which apps run; it has to exist in the device's policy
    #[arg(long, global = true, value_name = "DOMAIN", default_value = "<kernel> /system/bin/app_process", value_parser = domain)]
    domain: String,
    /// Where the installed fragments are kept
    #[arg(long, global = true, value_name = "DIR", default_value = "/data/system/sekisho")]
    state_dir: PathBuf,
    /// The package manager's list
    #[arg(long, global = true, value_name = "FILE", default_value = "/data/system/packages.list")]
    packages_list: PathBuf,
    /// The package manager's directory of installed apps
    #[arg(long, global = true, value_name = "DIR", default_value = "/data/app")]
    app_dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install the fragment of one APK for the UID that the list gives to its package
    Install {
        /// The app's base.apk
        #[arg(long, value_name = "FILE")]
        apk: PathBuf,
    },
    /// Bring kernel and state in line with the package list, now and at each change
    Watch,
    /// Bring kernel and state in line with the package list once
    Sync,
    /// Take a package's fragment out of kernel and state
    Remove {
        /// The package's name
        #[arg(value_name = "PKG", value_parser = package)]
        package: PackageName,
    },
    /// Say what an installation would do; needs no kernel
    Check {
        /// The app's base.apk
        #[arg(long, value_name = "FILE")]
        apk: PathBuf,
    },
    /// Print the installed fragments
    List,
}

fn package(text: &str) -> Result<PackageName, String> {
    PackageName::new(text.as_bytes())
        .ok_or_else(|| "this is no package name, such as com.example.app".to_owned())
}

fn domain(text: &str) -> Result<String, String> {
    if is_valid_domain(text.as_bytes()) {
        Ok(text.to_owned())
    } else {
        Err("a domain is <kernel> and paths of programs with one space before each".to_owned())
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut journal = match cli.kmsg.then(Lines::to_kernel_log) {
        Some(Ok(lines)) => lines,
        Some(Err(error)) => {
            let mut lines = Lines::to_stderr();
            lines.say(&format_args!("cannot open /dev/kmsg ({error}), the log goes here"));
            lines
        }
        None => Lines::to_stderr(),
    };
    match run(cli, &mut journal) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            journal.say(&format_args!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli, journal: &mut Lines) -> Result<bool, Error> {
    let Places { sekisho_dir, domain, state_dir, packages_list, app_dir } = cli.places;
    let config = Config { domain, state_dir, packages_list, app_dir };
    let mut resolver = Resolver::new(config, Securityfs::new(sekisho_dir));
    match cli.command {
        Command::Install { apk } => resolver.install(&apk, journal),
        Command::Watch => watch::run(&mut resolver, journal),
        Command::Sync => resolver.sync(journal).map(|()| true),
        Command::Remove { package } => {
            let removed = resolver.remove(&package, journal)?;
            if !removed {
                journal.say(&format_args!("{package} has no installed fragment"));
            }
            Ok(removed)
        }
        Command::Check { apk } => Ok(check(&apk)),
        Command::List => list(&resolver, journal).map(|()| true),
    }
}

fn check(apk: &Path) -> bool {
    let (package, fragment) = match examine(apk) {
        Ok(examined) => examined,
        Err(refusal) => {
            print(&format_args!("refuse: {refusal}\n"));
            return false;
        }
    };
    match fragment {
        Ok(Some(fragment)) => {
            print(&format_args!("accept {package}\n{}", fragment.text()));
            true
        }
        Ok(None) => {
            print(&format_args!("nothing to do for {package}: it has no fragment\n"));
            true
        }
        Err(refusal) => {
            print(&format_args!("refuse {package}: {refusal}\n"));
            false
        }
    }
}

fn list(resolver: &Resolver<Securityfs>, journal: &mut Lines) -> Result<(), Error> {
    let fragments = resolver.fragments(journal)?;
    let policy = match PolicyText::read(resolver.port()) {
        Ok(policy) => Some(policy),
        Err(error) => {
            journal.say(&format_args!("numbers are not shown: {error}"));
            None
        }
    };
    for (package, fragment) in fragments {
        print(&format_args!("{package} rules={}\n", fragment.rules().len()));
        for group in fragment.groups() {
            let numbers = policy.iter().flat_map(|policy| policy.numbers(group.as_str()));
            print(&format_args!("  {group} {}\n", numbers.collect::<Vec<_>>().join(" ")));
        }
    }
    Ok(())
}

/// Whoever reads the output may stop reading; that is no error.
fn print(text: &dyn Display) {
    let _ = write!(std::io::stdout(), "{text}");
}
