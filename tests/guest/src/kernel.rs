// SPDX-License-Identifier: MIT OR Apache-2.0
//! The files in `/sys/kernel/security/sekisho/` as a test sees them.
//!
//! A test cannot go on without them, so what must work panics with the reason; process 1 panicking stops the machine and
//! the harness shows the line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

/// The directory.
pub const DIRECTORY: &str = "/sys/kernel/security/sekisho";

/// The domain of the driver itself.
pub const DRIVER: &str = "<kernel> /usr/lib/sekisho/guest-tests";

/// Path of one file.
pub fn path(name: &str) -> String {
    format!("{DIRECTORY}/{name}")
}

/// The whole text of a file.
pub fn read(name: &str) -> String {
    let bytes = fs::read(path(name)).unwrap_or_else(|e| panic!("cannot read {}: {e}", path(name)));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes with one write call; the error is the kernel's.
pub fn try_write(name: &str, bytes: &[u8]) -> io::Result<usize> {
    OpenOptions::new().write(true).open(path(name))?.write(bytes)
}

/// Writes lines that the kernel must take.
pub fn write(name: &str, text: &str) {
    let rejected = offer(name, text);
    assert!(rejected == 0, "the kernel rejected {rejected} line(s) of {name}, at last {}", last_error());
}

/// Writes lines that the kernel may reject; how many it did.
pub fn offer(name: &str, text: &str) -> u64 {
    let rejected = stat("rejected_lines");
    let mut file = open(name);
    file.write_all(format!("{text}\n").as_bytes()).unwrap_or_else(|e| panic!("cannot write {name}: {e}"));
    drop(file);
    stat("rejected_lines") - rejected
}

/// Opens a file for writing.
pub fn open(name: &str) -> File {
    OpenOptions::new().write(true).open(path(name)).unwrap_or_else(|e| panic!("cannot open {name}: {e}"))
}

/// One value of `stat`.
pub fn stat(key: &str) -> u64 {
    let text = read("stat");
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok())
        .unwrap_or_else(|| panic!("stat has no {key}: {text}"))
}

/// Waits until a value of `stat` is what it should be; returns the last one seen. Memory is given back after a grace
/// period, so "at once" would be wrong, and two seconds are very long.
pub fn settle(key: &str, wanted: u64) -> u64 {
    let end = Instant::now() + Duration::from_secs(2);
    loop {
        let value = stat(key);
        if value == wanted || Instant::now() > end {
            return value;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `policy_bytes` once it stays the same: a baseline for later comparison. What ended processes leave behind goes after
/// a grace period.
pub fn quiet_bytes() -> u64 {
    let mut last = stat("policy_bytes");
    let mut same = 0;
    while same < 5 {
        std::thread::sleep(Duration::from_millis(20));
        let now = stat("policy_bytes");
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

/// The newest line of `errors`.
pub fn last_error() -> String {
    read("errors").lines().last().unwrap_or_default().to_owned()
}

/// Takes all records out of `grant_log` or `reject_log`; each without its final NUL.
pub fn records(name: &str) -> Vec<String> {
    let mut file = File::open(path(name)).unwrap_or_else(|e| panic!("cannot open {name}: {e}"));
    let mut buffer = vec![0; 16 * 1024];
    let mut records = Vec::new();
    loop {
        let count = file.read(&mut buffer).unwrap_or_else(|e| panic!("cannot read {name}: {e}"));
        if count == 0 {
            return records;
        }
        let text = String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()).into_owned();
        records.push(
            text.strip_suffix('\0').map_or_else(|| format!("no NUL at the end of {text:?}"), str::to_owned),
        );
    }
}

/// The ACL lines and attributes of one domain as the kernel prints them, empty if there is no such domain.
pub fn domain(name: &str) -> Vec<String> {
    let text = read("domain_policy");
    let mut lines = text.lines().skip_while(|line| *line != name);
    lines.next();
    lines
        .take_while(|line| !line.starts_with("<kernel>"))
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Makes a domain hold exactly this: what it held before is gone.
pub fn set_domain(name: &str, profile: u8, lines: &[&str]) {
    let mut text = format!("{name}\n");
    for line in domain(name).iter().filter(|line| !line.starts_with("use_profile ")) {
        text.push_str(&format!("delete {line}\n"));
    }
    text.push_str(&format!("use_profile {profile}\n"));
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    write("domain_policy", &text);
}

/// Deletes a domain.
pub fn delete_domain(name: &str) {
    write("domain_policy", &format!("delete {name}"));
}

/// Opens a file for reading and writing.
pub fn open_both(name: &str) -> File {
    let file = OpenOptions::new().read(true).write(true).open(path(name));
    file.unwrap_or_else(|e| panic!("cannot open {name}: {e}"))
}

/// Writes and then reads all that there is to read, on one description.
pub fn ask(file: &mut File, text: &str) -> String {
    match file.write(text.as_bytes()) {
        Ok(count) if count == text.len() => rest(file),
        other => format!("the write of {text:?} gave {other:?}"),
    }
}

/// All that there is to read.
pub fn rest(file: &mut File) -> String {
    let mut bytes = Vec::new();
    match file.read_to_end(&mut bytes) {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) => format!("cannot be read: {e}"),
    }
}

/// What poll says about reading within so many milliseconds.
pub fn ready(file: &File, milliseconds: u16) -> PollFlags {
    events(file, PollFlags::POLLIN | PollFlags::POLLRDNORM, milliseconds)
}

fn events(file: &File, wanted: PollFlags, milliseconds: u16) -> PollFlags {
    let mut list = [PollFd::new(file.as_fd(), wanted)];
    match poll(&mut list, PollTimeout::from(milliseconds)) {
        Ok(_) => list.first().and_then(PollFd::revents).unwrap_or(PollFlags::empty()),
        Err(e) => panic!("poll fails: {e}"),
    }
}

/// Whether there is something to read within so many milliseconds.
pub fn readable(file: &File, milliseconds: u16) -> bool {
    ready(file, milliseconds).contains(PollFlags::POLLIN)
}

/// Whether poll says now that it can be written.
pub fn writable(file: &File) -> bool {
    let both = PollFlags::POLLOUT | PollFlags::POLLWRNORM;
    events(file, both, 0).contains(both)
}

/// The errno of a result; 0: it worked.
pub fn errno<T>(result: &io::Result<T>) -> i32 {
    result.as_ref().map_or_else(|e| e.raw_os_error().unwrap_or(-1), |_| 0)
}
