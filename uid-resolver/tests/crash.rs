// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program is killed after each line that it writes to the kernel, and at each step of writing a state file.
//! The next sweep has to end where an undisturbed one ends, and nobody may have too much in between.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its tools too")]

mod support;

use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

use sekisho_uid_resolver::fragment::Fragment;
use sekisho_uid_resolver::package::PackageName;
use sekisho_uid_resolver::state::Store;
use support::apk::fragment;
use support::device::Device;
use support::kernel::Killed;

const TWO_RULES: &str = "number_group G1\nnumber_group G2\n\
    allow_read /data/data/com.a/x if task.uid=@G1\nallow_read /data/data/com.a/y if task.uid=@G2\n";

/// Sweeps, killed after `lines` more lines. Returns whether it was.
fn killed_sync(device: &mut Device, lines: usize) -> bool {
    device.kernel.kill_after(Some(lines));
    let outcome = catch_unwind(AssertUnwindSafe(|| device.sync()));
    device.kernel.kill_after(None);
    match outcome {
        Ok(_) => false,
        Err(payload) if payload.is::<Killed>() => true,
        Err(other) => resume_unwind(other),
    }
}

/// Runs a story with a kill at every possible point of its last sweep.
fn every_kill(before: impl Fn(&mut Device), change: impl Fn(&mut Device), closed: impl Fn(&Device)) {
    // A killed program's panic message is not worth reading.
    std::panic::set_hook(Box::new(|info| {
        if !info.payload().is::<Killed>() {
            eprintln!("{info}");
        }
    }));
    let fresh = || {
        let mut device = Device::new();
        before(&mut device);
        device.sync();
        change(&mut device);
        device
    };
    let mut undisturbed = fresh();
    undisturbed.sync();
    let mut kills = 0;
    for lines in 0.. {
        let mut device = fresh();
        if !killed_sync(&mut device, lines) {
            break;
        }
        kills += 1;
        closed(&device);
        for reboot in [false, true] {
            if reboot {
                device.kernel.reboot();
            }
            device.restart();
            device.sync();
            assert_eq!(
                device.kernel.text(),
                undisturbed.kernel.text(),
                "killed after {lines} lines, reboot {reboot}"
            );
            assert_eq!(device.state(), undisturbed.state());
        }
    }
    assert!(kills >= 2, "{kills}");
}

#[test]
fn during_an_installation() {
    let install = |device: &mut Device| {
        device.install("com.a", 10057, Some(TWO_RULES));
    };
    every_kill(|_| {}, install, |_| {});
}

#[test]
fn during_a_removal() {
    every_kill(
        |device| {
            device.install("com.a", 10057, Some(TWO_RULES));
        },
        |device| device.uninstall("com.a"),
        |_| {},
    );
}

#[test]
fn during_an_update() {
    every_kill(
        |device| {
            device.install("com.a", 10057, Some(TWO_RULES));
        },
        |device| {
            device.install("com.a", 10057, Some(&fragment("com.a", "G2")));
        },
        |device| {
            let new_rule_works = device.kernel.may_read(10057, "/data/data/com.a/z");
            assert!(!(new_rule_works && device.kernel.text().contains("G1")), "both versions at once");
        },
    );
}

#[test]
fn while_a_uid_changes_hands() {
    every_kill(
        |device| {
            device.install("com.a", 10057, Some(TWO_RULES));
        },
        |device| {
            device.uninstall("com.a");
            device.install("com.b", 10057, Some(&fragment("com.b", "B")));
        },
        |device| {
            let (a, b) = ["/data/data/com.a/y", "/data/data/com.b/y"]
                .map(|path| device.kernel.may_read(10057, path))
                .into();
            assert!(!(a && b), "one UID has both packages' rights");
        },
    );
}

#[test]
fn between_the_steps_of_a_state_file() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("state");
    let package = PackageName::new(b"com.a").unwrap();
    let old = Fragment::parse(&package, fragment("com.a", "OLD").as_bytes()).unwrap();
    let new = Fragment::parse(&package, fragment("com.a", "NEW").as_bytes()).unwrap();
    let stored = |store: &Store| {
        let (fragments, damaged) = store.load().unwrap();
        assert_eq!(damaged, []);
        fragments.get(&package).cloned()
    };

    let store = Store::open(&directory).unwrap();
    assert_eq!(stored(&store), None);
    // Killed after the temporary file: nothing there, and nothing left after the next start.
    let _ = store.stage(&old).unwrap();
    assert_eq!(stored(&store), None);
    assert!(directory.join("com.a.fragment.tmp").exists());
    drop(store);
    let store = Store::open(&directory).unwrap();
    assert!(!directory.join("com.a.fragment.tmp").exists());
    store.put(&old).unwrap();
    assert_eq!(stored(&store), Some(old.clone()));
    // The same with an older file: it stays until the rename.
    let staged = store.stage(&new).unwrap();
    assert_eq!(stored(&store), Some(old.clone()));
    store.publish(staged).unwrap();
    assert_eq!(stored(&store), Some(new.clone()));
    // A temporary file that is cut off.
    std::fs::write(directory.join("com.a.fragment.tmp"), "sekisho-fragment 1 com").unwrap();
    drop(store);
    let store = Store::open(&directory).unwrap();
    assert_eq!(stored(&store), Some(new));
    store.remove(&package).unwrap();
    store.remove(&package).unwrap();
    assert_eq!(stored(&store), None);
}

#[test]
fn damaged_state_files() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let good = format!("sekisho-fragment 1 com.a\n{}", fragment("com.a", "G"));
    for (name, text) in [
        ("com.b.fragment", good.clone()),
        ("com.a.fragment", good.replace(" 1 ", " 2 ")),
        ("com.c.fragment", String::new()),
        ("com.d.fragment", good.replace("com.a", "com.d").replace("task.uid=@G", "task.uid=@H")),
        ("com.e.fragment", good.replace("com.a", "com.e").replace("allow_read ", "allow_read  ")),
        ("x.fragment", good.replace("com.a", "x")),
    ] {
        std::fs::write(root.path().join(name), text).unwrap();
    }
    std::os::unix::fs::symlink("/dev/zero", root.path().join("com.f.fragment")).unwrap();
    std::fs::write(root.path().join("unrelated"), "x").unwrap();
    let (fragments, damaged) = store.load().unwrap();
    assert!(fragments.is_empty());
    assert_eq!(damaged.len(), 7);
    for file in &damaged {
        store.discard(file).unwrap();
    }
    assert_eq!(store.load().unwrap().1, []);
}
