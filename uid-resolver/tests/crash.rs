// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program is killed after each line that it writes to the kernel, and at each step of writing a state file.
//! The next sweep has to end where an undisturbed one ends, and nobody may have too much in between.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its tools too")]

mod support;

use std::os::unix::fs::MetadataExt;
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

fn is_repaired(device: &Device, undisturbed: &Device, name: &str) {
    assert_eq!(device.kernel.text(), undisturbed.kernel.text(), "{name}");
    assert_eq!(device.state(), undisturbed.state(), "{name}");
    for file in undisturbed.state() {
        let text = |device: &Device| std::fs::read_to_string(device.path(&format!("state/{file}"))).unwrap();
        assert_eq!(text(device), text(undisturbed), "{name}");
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
        device.restart();
        device.sync();
        let name = format!("killed after {lines} lines");
        is_repaired(&device, &undisturbed, &name);
        // The same on a device that was switched off at that moment, so that no sweep came in between.
        let mut device = fresh();
        assert!(killed_sync(&mut device, lines), "{name}");
        device.kernel.reboot();
        device.restart();
        device.sync();
        is_repaired(&device, &undisturbed, &format!("{name}, then a reboot"));
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
    let of = |package: &str| good.replace("com.a", package);
    let first_line = |package: &str| format!("its first line is not 'sekisho-fragment 1 {package}'");
    let mut expected = Vec::new();
    for (name, text, reason) in [
        ("com.a.fragment", good.replace(" 1 ", " 2 "), first_line("com.a")),
        ("com.b.fragment", good.clone(), first_line("com.b")),
        ("com.c.fragment", String::new(), first_line("com.c")),
        (
            "com.d.fragment",
            of("com.d").replace("task.uid=@G", "task.uid=@H"),
            "fragment line 2: group '@H' is not declared in this fragment".to_owned(),
        ),
        (
            "com.e.fragment",
            of("com.e").replace("allow_read ", "allow_read  "),
            "it is not in the form in which it was written".to_owned(),
        ),
        ("x.fragment", of("x"), "its name is no package name".to_owned()),
    ] {
        std::fs::write(root.path().join(name), text).unwrap();
        expected.push((name, reason));
    }
    // What a link leads to may be good: nobody but this program shall say what a file of this directory is.
    std::fs::write(root.path().join("unrelated"), of("com.f")).unwrap();
    std::os::unix::fs::symlink(root.path().join("unrelated"), root.path().join("com.f.fragment")).unwrap();
    expected.push(("com.f.fragment", "Too many levels of symbolic links (os error 40)".to_owned()));
    std::fs::create_dir_all(root.path().join("com.g.fragment/deep")).unwrap();
    expected.push(("com.g.fragment", "Is a directory (os error 21)".to_owned()));
    // Nobody writes to this FIFO, and nobody waits for it.
    let fifo = root.path().join("com.h.fragment");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    expected.push(("com.h.fragment", first_line("com.h")));
    // Beside all these there is a good one.
    std::fs::write(root.path().join("com.z.fragment"), of("com.z")).unwrap();

    let (fragments, damaged) = store.load().unwrap();
    assert_eq!(fragments.keys().map(PackageName::as_str).collect::<Vec<_>>(), ["com.z"]);
    let mut found: Vec<(&str, String)> =
        damaged.iter().map(|file| (file.file.as_str(), file.reason.clone())).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    for file in &damaged {
        store.discard(file).unwrap();
    }
    let (fragments, damaged) = store.load().unwrap();
    assert_eq!((fragments.len(), damaged.len()), (1, 0));
    assert!(root.path().join("unrelated").exists(), "the link went, not what it leads to");
}

/// Only root may read what apps ask for, whatever the mask of the process is.
#[test]
fn modes() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("state");
    let store = Store::open(&directory).unwrap();
    let package = PackageName::new(b"com.a").unwrap();
    store.put(&Fragment::parse(&package, fragment("com.a", "G").as_bytes()).unwrap()).unwrap();
    for (name, mode) in [("", 0o40700), ("lock", 0o100600), ("com.a.fragment", 0o100600)] {
        let found = std::fs::metadata(directory.join(name)).unwrap().mode();
        assert_eq!(format!("{found:o}"), format!("{mode:o}"), "{name}");
    }
}
