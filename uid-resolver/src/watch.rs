// SPDX-License-Identifier: MIT OR Apache-2.0
//! Waiting for the package manager to replace its list.
//!
//! The list is replaced with a rename, so a watch of the file dies with the first change; the directory is watched
//! (Android reference 1.1: "inotify behaviour of that rename"). The watch begins before the first sweep, so no change
//! falls between the two. When events were lost (`IN_Q_OVERFLOW`) a change is assumed.

use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fs::inotify;
use rustix::io::Errno;

use crate::error::Error;
use crate::journal::{Event, Journal};
use crate::kernel::PolicyPort;
use crate::sync::Resolver;

/// How long something that failed is left alone before it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// The first pause; each further one is twice as long.
    pub first: Duration,
    /// The longest one.
    pub longest: Duration,
}

/// Five seconds, and at most ten minutes: what fails for long must not wear out the flash memory.
pub const PAUSES: Pauses = Pauses { first: Duration::from_secs(5), longest: Duration::from_secs(600) };

impl Pauses {
    /// The pause after one of `pause` that ended so. A change is something new to try, so it begins anew.
    fn next(&self, pause: Duration, end: Wake) -> Duration {
        match end {
            Wake::TimedOut => pause.saturating_mul(2).min(self.longest),
            Wake::Changed | Wake::DirectoryLost => self.first,
        }
    }
}

/// A watch of one file name in one directory.
#[derive(Debug)]
pub struct Watcher {
    inotify: OwnedFd,
    name: Vec<u8>,
}

/// Why [`Watcher::wait`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The file may have changed.
    Changed,
    /// The time is over.
    TimedOut,
    /// The directory is gone or was moved: a new watcher is needed.
    DirectoryLost,
}

impl Watcher {
    /// Watches the directory of `file`, which itself need not exist.
    pub fn new(file: &Path) -> Result<Watcher, Error> {
        let directory = directory_of(file);
        let error =
            |errno: Errno| Error::Watch { path: directory.display().to_string(), source: errno.into() };
        let inotify =
            inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).map_err(error)?;
        let wanted = inotify::WatchFlags::MOVED_TO
            | inotify::WatchFlags::CREATE
            | inotify::WatchFlags::CLOSE_WRITE
            | inotify::WatchFlags::DELETE_SELF
            | inotify::WatchFlags::MOVE_SELF
            | inotify::WatchFlags::ONLYDIR;
        inotify::add_watch(&inotify, &directory, wanted).map_err(error)?;
        let name = file.file_name().unwrap_or(OsStr::new("packages.list")).as_bytes().to_vec();
        Ok(Watcher { inotify, name })
    }

    /// Waits for a change, at most for `timeout`. All that happened until now counts as one change.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Wake> {
        let end = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let left =
                left.map(|left| Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 }));
            match poll(&mut [PollFd::new(&self.inotify, PollFlags::IN)], left.as_ref()) {
                Ok(0) => return Ok(Wake::TimedOut),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            if let Some(wake) = self.drain()? {
                return Ok(wake);
            }
        }
    }

    fn drain(&self) -> io::Result<Option<Wake>> {
        let lost = inotify::ReadFlags::DELETE_SELF
            | inotify::ReadFlags::MOVE_SELF
            | inotify::ReadFlags::IGNORED
            | inotify::ReadFlags::UNMOUNT;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut wake = None;
        loop {
            let event = match events.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return Ok(wake),
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            if event.events().intersects(lost) {
                wake = Some(Wake::DirectoryLost);
            } else if event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW)
                || event.file_name().is_some_and(|name| name.to_bytes() == self.name)
            {
                wake = wake.or(Some(Wake::Changed));
            }
        }
    }
}

/// Sweeps at the start and at each change, for ever. What fails is told once and tried again, see [`PAUSES`].
pub fn run<P: PolicyPort>(resolver: &mut Resolver<P>, journal: &mut dyn Journal) -> ! {
    let list = resolver.config().packages_list.clone();
    let mut told = None;
    loop {
        let failure = match Watcher::new(&list) {
            Ok(watcher) => sweep_until_lost(&watcher, resolver, journal, &mut told, PAUSES),
            Err(error) => error.to_string(),
        };
        tell(&mut told, format!("{failure}; trying again every {} s", PAUSES.first.as_secs()), journal);
        std::thread::sleep(PAUSES.first);
    }
}

/// Sweeps at the start and at each change, until the watcher is of no more use; returns why. `told` is the failure that was
/// told last and still holds.
pub fn sweep_until_lost<P: PolicyPort>(
    watcher: &Watcher,
    resolver: &mut Resolver<P>,
    journal: &mut dyn Journal,
    told: &mut Option<String>,
    pauses: Pauses,
) -> String {
    let mut pause = pauses.first;
    loop {
        let failed = match resolver.sync(journal) {
            Ok(()) => {
                *told = None;
                false
            }
            Err(error) => {
                tell(told, format!("{error}; trying again at the next change, or after a while"), journal);
                true
            }
        };
        match watcher.wait(failed.then_some(pause)) {
            Ok(Wake::DirectoryLost) => {
                return format!("{} is gone", directory_of(&resolver.config().packages_list).display());
            }
            Ok(wake) => pause = pauses.next(pause, wake),
            Err(error) => return format!("the directory watch failed: {error}"),
        }
    }
}

fn tell(told: &mut Option<String>, text: String, journal: &mut dyn Journal) {
    if told.as_ref() != Some(&text) {
        journal.record(Event::Note(text.clone()));
        *told = Some(text);
    }
}

fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_change() {
        let seconds = |pauses: &[u64]| pauses.iter().copied().map(Duration::from_secs).collect::<Vec<_>>();
        let mut found = vec![PAUSES.first];
        for _ in 0..9 {
            found.extend(found.last().map(|pause| PAUSES.next(*pause, Wake::TimedOut)));
        }
        assert_eq!(found, seconds(&[5, 10, 20, 40, 80, 160, 320, 600, 600, 600]));
        assert_eq!(PAUSES.next(PAUSES.longest, Wake::Changed), PAUSES.first);
    }

    #[test]
    fn a_list_is_in_the_directory_that_its_path_says() {
        for (file, directory) in
            [("/data/system/packages.list", "/data/system"), ("packages.list", "."), ("a/b", "a"), ("/", ".")]
        {
            assert_eq!(directory_of(Path::new(file)), Path::new(directory), "{file}");
        }
    }
}
