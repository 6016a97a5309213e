// SPDX-License-Identifier: MIT OR Apache-2.0
//! The directory watch, on a real file system.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its tools too")]

mod support;

use std::cell::RefCell;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use sekisho_uid_resolver::journal::Event;
use sekisho_uid_resolver::kernel::{KernelError, PolicyFile, PolicyPort};
use sekisho_uid_resolver::sync::{Config, Resolver};
use sekisho_uid_resolver::watch::{sweep_until_lost, Pauses, Wake, Watcher};
use support::apk::fragment;
use support::device::Device;
use support::kernel::{FakeKernel, DOMAIN};

const SHORT: Option<Duration> = Some(Duration::from_millis(50));
const LONG: Option<Duration> = Some(Duration::from_secs(20));

fn replace(list: &Path, text: &str) {
    let temporary = list.with_extension("list.tmp");
    fs::write(&temporary, text).unwrap();
    fs::rename(&temporary, list).unwrap();
}

#[test]
fn every_replacement_wakes() {
    let root = tempfile::tempdir().unwrap();
    let list = root.path().join("packages.list");
    let watcher = Watcher::new(&list).unwrap();
    assert_eq!(watcher.wait(SHORT).unwrap(), Wake::TimedOut);
    for text in ["a", "b", "c"] {
        replace(&list, text);
        assert_eq!(watcher.wait(LONG).unwrap(), Wake::Changed);
        assert_eq!(watcher.wait(SHORT).unwrap(), Wake::TimedOut, "many events are one change");
    }
    // Written in place, while a reader holds the old file open.
    let _reader = fs::File::open(&list).unwrap();
    fs::write(&list, "d").unwrap();
    assert_eq!(watcher.wait(LONG).unwrap(), Wake::Changed);
    // Other names are nothing.
    fs::write(root.path().join("packages.xml"), "x").unwrap();
    replace(&root.path().join("packages.lis"), "x");
    assert_eq!(watcher.wait(SHORT).unwrap(), Wake::TimedOut);
}

#[test]
fn a_directory_that_goes() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("system");
    let list = directory.join("packages.list");
    assert!(Watcher::new(&list).unwrap_err().to_string().contains("system"));
    fs::create_dir(&directory).unwrap();
    let watcher = Watcher::new(&list).unwrap();
    fs::rename(&directory, root.path().join("elsewhere")).unwrap();
    assert_eq!(watcher.wait(LONG).unwrap(), Wake::DirectoryLost);
}

/// A kernel whose domain_policy can be written or not: a script says so at each try. A sweep that has something to install
/// tries once.
struct Scripted<'a> {
    kernel: FakeKernel,
    tries: RefCell<Vec<Instant>>,
    /// Gets the number of the try, from 0; whether it succeeds.
    script: &'a dyn Fn(usize) -> bool,
}

impl PolicyPort for &Scripted<'_> {
    fn read(&self, file: PolicyFile) -> Result<Vec<u8>, KernelError> {
        self.kernel.read(file)
    }

    fn write(&self, file: PolicyFile, lines: &[String]) -> Result<(), KernelError> {
        if file == PolicyFile::Domain {
            let number = self.tries.borrow().len();
            self.tries.borrow_mut().push(Instant::now());
            if !(self.script)(number) {
                return Err(KernelError::Io { path: "there".to_owned(), source: ErrorKind::Other.into() });
            }
        }
        self.kernel.write(file, lines)
    }

    fn last_rejected(&self) -> Option<String> {
        self.kernel.last_rejected()
    }
}

/// Watches a device with an app until the script moves the directory `system` away. Returns the pauses between the tries, and
/// the news.
fn watch(device: &Device, pauses: Pauses, script: &dyn Fn(usize) -> bool) -> (Vec<Duration>, Vec<String>) {
    let list = device.path("system/packages.list");
    fs::create_dir(device.path("system")).unwrap();
    fs::write(&list, device.list_text()).unwrap();
    let config = Config {
        domain: DOMAIN.to_owned(),
        state_dir: device.path("state"),
        packages_list: list.clone(),
        app_dir: device.path("app"),
    };
    let port = Scripted { kernel: device.kernel.clone(), tries: RefCell::default(), script };
    let mut resolver = Resolver::new(config, &port);
    let watcher = Watcher::new(&list).unwrap();
    let mut events: Vec<Event> = Vec::new();
    let why = sweep_until_lost(&watcher, &mut resolver, &mut events, &mut None, pauses);
    assert_eq!(why, format!("{} is gone", device.path("system").display()));
    let tries = port.tries.take();
    let pauses = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    (pauses, events.iter().map(ToString::to_string).collect())
}

fn with_a() -> Device {
    let mut device = Device::new();
    device.install("com.a", 10057, Some(&fragment("com.a", "A_READERS")));
    device
}

const REFUSED: &str = "refuse com.a: there: other error";
const FAILED: &str = "note: there: other error; trying again at the next change, or after a while";

#[test]
fn what_fails_is_tried_again_after_longer_and_longer_pauses() {
    let device = with_a();
    let pauses = Pauses { first: Duration::from_millis(100), longest: Duration::from_millis(400) };
    let end = |number| {
        if number == 5 {
            fs::rename(device.path("system"), device.path("gone")).unwrap();
        }
        false
    };
    let (found, events) = watch(&device, pauses, &end);
    assert_eq!(events, [REFUSED, FAILED], "told once");
    assert_eq!(found.len(), 5);
    for (number, (pause, least)) in found.iter().zip([100, 200, 400, 400, 400]).enumerate() {
        assert!(*pause >= Duration::from_millis(least), "{number}: {found:?}");
    }
    // Without the bound it would have been 3100.
    assert!(found.iter().sum::<Duration>() < Duration::from_millis(3000), "{found:?}");
}

#[test]
fn a_change_is_tried_at_once_and_then_the_pauses_are_short_again() {
    let device = with_a();
    let long = Duration::from_millis(1600);
    let pauses = Pauses { first: Duration::from_millis(100), longest: Duration::from_secs(3600) };
    let script = |number| {
        match number {
            4 => replace(&device.path("system/packages.list"), &device.list_text()),
            6 => fs::rename(device.path("system"), device.path("gone")).unwrap(),
            _ => {}
        }
        false
    };
    let (found, events) = watch(&device, pauses, &script);
    assert_eq!(events, [REFUSED, FAILED]);
    assert_eq!(found.len(), 6);
    assert!(found[3] >= long / 2, "{found:?}");
    assert!(found[4] < long && found[5] < long, "{found:?}");
}

#[test]
fn a_failure_after_a_success_is_told_again() {
    let device = with_a();
    let pauses = Pauses { first: Duration::from_millis(10), longest: Duration::from_millis(10) };
    let script = |number| {
        match number {
            // Another UID: the sweep after this one has something to do.
            2 => {
                let text = device.list_text().replace("10057", "10058");
                replace(&device.path("system/packages.list"), &text);
            }
            4 => fs::rename(device.path("system"), device.path("gone")).unwrap(),
            _ => {}
        }
        number == 2
    };
    let (found, events) = watch(&device, pauses, &script);
    assert_eq!(
        events,
        [REFUSED, FAILED, "accept com.a: uid=10057 groups=A_READERS rules=1", REFUSED, FAILED]
    );
    assert_eq!(found.len(), 4);
}
