// SPDX-License-Identifier: MIT OR Apache-2.0
//! The running machine: mounts, the kernel's command line, the console, the power switch, the real init.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::mount::{mount, MountFlags};
use rustix::system::{reboot, RebootCommand};

use crate::failure::Failure;

/// Where securityfs belongs.
pub const SECURITYFS: &str = "/sys/kernel/security";

/// One file system that the loader or the first program needs: where, its type, and a file that is there once it is mounted.
const MOUNTS: [(&str, &str, &str); 4] = [
    ("/proc", "proc", "/proc/self/stat"),
    ("/sys", "sysfs", "/sys/kernel"),
    (SECURITYFS, "securityfs", "/sys/kernel/security/lsm"),
    ("/dev", "devtmpfs", "/dev/null"),
];

/// Mounts what is missing. What somebody mounted before stays as it is.
///
/// # Errors
/// A file system could not be mounted.
pub fn mount_all() -> Result<(), Failure> {
    for (place, kind, evidence) in MOUNTS {
        if Path::new(evidence).exists() {
            continue;
        }
        // The directory of sysfs and securityfs exists already; an initramfs may lack the others.
        let made = fs::create_dir_all(place);
        let flags =
            MountFlags::NOSUID | if kind == "devtmpfs" { MountFlags::empty() } else { MountFlags::NODEV };
        mount(kind, place, kind, flags, None).map_err(|e| {
            let why = match made {
                Ok(()) => e.to_string(),
                Err(made) => format!("{e} (and the directory could not be made: {made})"),
            };
            Failure::new(
                format!("cannot mount {kind} on {place}"),
                why,
                "enable it in the kernel's configuration (PROC_FS, SYSFS, SECURITYFS, DEVTMPFS)",
            )
        })?;
    }
    Ok(())
}

/// The text of `/proc/cmdline`, empty if it cannot be read: then the defaults hold.
pub fn cmdline() -> String {
    fs::read("/proc/cmdline").map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Where messages go. As process 1 standard error is the console. A service of Android's init has standard error on
/// /dev/null, so it writes to the kernel log, which the console shows as well.
#[derive(Debug)]
pub enum Console {
    /// Standard error.
    Stderr,
    /// `/dev/kmsg`.
    KernelLog(fs::File),
}

impl Console {
    /// Picks the right one.
    pub fn open(is_first_process: bool) -> Self {
        if is_first_process {
            return Self::Stderr;
        }
        OpenOptions::new().write(true).open("/dev/kmsg").map_or(Self::Stderr, Self::KernelLog)
    }

    /// Writes one line. Nothing can be done if the console does not take it.
    pub fn say(&mut self, line: &str) {
        match self {
            Self::Stderr => eprintln!("sekisho-init: {line}"),
            // Level 3 (error): shown on the console also with `quiet`. One write is one record.
            Self::KernelLog(file) => drop(file.write_all(format!("<3>sekisho-init: {line}\n").as_bytes())),
        }
    }
}

/// Becomes `program`. Returns only on failure.
pub fn become_program(program: &Path, arguments: impl Iterator<Item = OsString>) -> io::Error {
    Command::new(program).args(arguments).exec()
}

/// Powers the machine off. Process 1 must never end, so if the machine stays on this waits for ever.
pub fn power_off() -> ! {
    rustix::fs::sync();
    let failed = reboot(RebootCommand::PowerOff);
    eprintln!("sekisho-init: the machine cannot be powered off ({failed:?}); it is halted, switch it off");
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}
