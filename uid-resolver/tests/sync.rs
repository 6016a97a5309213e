// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sweeps on a device: what ends up in the kernel when apps come, change and go.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its tools too")]

mod support;

use std::io::ErrorKind;

use sekisho_uid_resolver::error::Error;
use sekisho_uid_resolver::fragment::Fragment;
use sekisho_uid_resolver::kernel::{KernelError, PolicyFile};
use sekisho_uid_resolver::loader::Loader;
use sekisho_uid_resolver::package::{AppUid, PackageName};
use support::apk::{apk, fragment, zip, Axml};
use support::device::Device;
use support::kernel::DOMAIN;

const FILE_A: &str = "/data/data/com.a/file";
const FILE_B: &str = "/data/data/com.b/file";

/// A device with one app, swept.
fn with_a() -> Device {
    let mut device = Device::new();
    device.install("com.a", 10057, Some(&fragment("com.a", "A_READERS")));
    assert_eq!(device.sync(), ["accept com.a: uid=10057 groups=A_READERS rules=1"]);
    device
}

#[test]
fn an_app_with_fragment_may_read_its_files() {
    let mut device = with_a();
    assert!(device.kernel.may_read(10057, FILE_A));
    for (uid, file) in [(10058, FILE_A), (0, FILE_A), (10057, FILE_B), (10057, "/data/data/com.a/d/file")] {
        assert!(!device.kernel.may_read(uid, file), "{uid} {file}");
    }
    assert_eq!(device.state(), ["com.a.fragment"]);
    let state = std::fs::read_to_string(device.path("state/com.a.fragment")).unwrap();
    assert!(!state.contains("10057"), "no number on disk");
    // Lines before the number.
    let written = device.kernel.take_written();
    let expected =
        [DOMAIN, "allow_read /data/data/com.a/\\* if task.uid=@A_READERS", "number_group A_READERS 10057"];
    assert_eq!(written, expected);
    // Nothing more to do, also for a new process.
    assert_eq!(device.sync(), [""; 0]);
    device.restart();
    assert_eq!(device.sync(), [""; 0]);
    assert_eq!(device.kernel.take_written(), [""; 0]);
}

#[test]
fn an_app_without_fragment_is_nothing() {
    let mut device = Device::new();
    device.install("com.plain", 10060, None);
    assert_eq!(device.sync(), [""; 0]);
    assert_eq!(device.state(), [""; 0]);
    assert_eq!(device.kernel.take_written(), [""; 0]);
}

#[test]
fn removal() {
    let mut device = with_a();
    device.kernel.take_written();
    device.uninstall("com.a");
    assert_eq!(device.sync(), ["remove com.a: no longer installed"]);
    let rule = "delete allow_read /data/data/com.a/\\* if task.uid=@A_READERS";
    assert_eq!(device.kernel.take_written(), ["delete number_group A_READERS 10057", DOMAIN, rule]);
    assert_eq!(device.state(), [""; 0]);
    assert!(!device.kernel.text().contains("A_READERS"));
    assert!(!device.kernel.may_read(10057, FILE_A));
}

#[test]
fn a_reused_uid_leaves_the_old_group_before_it_enters_the_new_one() {
    let mut device = with_a();
    device.kernel.take_written();
    device.uninstall("com.a");
    device.install("com.b", 10057, Some(&fragment("com.b", "B_READERS")));
    let events = device.sync();
    assert_eq!(events.len(), 2, "{events:?}");
    let written = device.kernel.take_written();
    let at = |line: &str| written.iter().position(|found| found == line).unwrap();
    assert!(at("delete number_group A_READERS 10057") < at("number_group B_READERS 10057"));
    assert!(!device.kernel.may_read(10057, FILE_A));
    assert!(device.kernel.may_read(10057, FILE_B));
    // The same with the one-shot command.
    device.uninstall("com.b");
    let path = device.install("com.a", 10057, Some(&fragment("com.a", "A_READERS")));
    let (done, events) = device.install_apk(&path);
    assert!(done.unwrap());
    assert_eq!(events[0], "remove com.b: no longer installed");
    assert!(!device.kernel.may_read(10057, FILE_B));
    // The old owner is still installed, with another UID.
    device.set_uid("com.a", 10058);
    let path = device.install("com.b", 10057, Some(&fragment("com.b", "B_READERS")));
    assert!(device.install_apk(&path).0.unwrap());
    assert!(device.kernel.may_read(10057, FILE_B) && !device.kernel.may_read(10057, FILE_A));
}

#[test]
fn a_changed_uid_moves_the_number() {
    let mut device = with_a();
    device.kernel.take_written();
    device.set_uid("com.a", 10099);
    assert_eq!(device.sync(), ["accept com.a: uid=10099 groups=A_READERS rules=1"]);
    assert!(device.kernel.may_read(10099, FILE_A) && !device.kernel.may_read(10057, FILE_A));
    let written = device.kernel.take_written();
    assert_eq!(written[0], "delete number_group A_READERS 10057");
}

#[test]
fn a_reboot_is_rebuilt_from_the_list() {
    let mut device = with_a();
    device.kernel.reboot();
    device.set_uid("com.a", 10063);
    device.restart();
    assert_eq!(device.sync(), ["accept com.a: uid=10063 groups=A_READERS rules=1"]);
    assert!(device.kernel.may_read(10063, FILE_A) && !device.kernel.may_read(10057, FILE_A));
}

#[test]
fn a_new_version_with_another_fragment() {
    let mut device = with_a();
    let new = "number_group A2\nallow_read /data/data/com.a/\\* if task.uid=@A2\nallow_write /data/data/com.a/\\* if task.uid=@A2\n";
    device.install("com.a", 10057, Some(new));
    assert_eq!(device.sync(), ["accept com.a: uid=10057 groups=A2 rules=2"]);
    assert!(!device.kernel.text().contains("A_READERS"));
    assert!(device.kernel.text().contains("allow_read/write /data/data/com.a/\\* if task.uid=@A2"));
    assert!(device.kernel.may_read(10057, FILE_A));
    device.restart();
    assert_eq!(device.sync(), [""; 0], "merged lines are recognised");
    // Fewer bits, same path.
    let less = "number_group A2\nallow_write /data/data/com.a/\\* if task.uid=@A2\n";
    device.install("com.a", 10057, Some(less));
    device.sync();
    assert!(!device.kernel.may_read(10057, FILE_A));
    // Without one.
    device.install("com.a", 10057, None);
    assert_eq!(device.sync(), ["remove com.a: its APK no longer has a fragment"]);
    assert!(!device.kernel.text().contains("A2"));
    assert_eq!(device.state(), [""; 0]);
}

#[test]
fn a_new_version_with_a_bad_fragment_loses_the_old_one() {
    let mut device = with_a();
    device.install("com.a", 10057, Some("number_group A_READERS 10057\n"));
    let events = device.sync();
    assert_eq!(events[0], "remove com.a: its new version is refused");
    assert!(events[1].starts_with("refuse com.a: fragment line 1: the group has a member"), "{events:?}");
    assert!(!device.kernel.may_read(10057, FILE_A));
    assert_eq!(device.sync(), [""; 0], "told once");
    device.install("com.a", 10057, Some(&fragment("com.a", "A_READERS")));
    assert_eq!(device.sync().len(), 1);
    assert!(device.kernel.may_read(10057, FILE_A));
}

#[test]
fn a_refusal_stops_nobody_else() {
    let mut device = Device::new();
    device.install("com.a", 10057, Some(&fragment("com.a", "A_READERS")));
    device.install("com.aa", 10058, Some(&fragment("com.a", "AA_READERS")));
    device.install_bytes("com.ab", 10059, b"no zip");
    device.install_bytes("com.ac", 10060, &apk("com.other", Some(&fragment("com.other", "G"))));
    device.install_bytes("com.ad", 10061, &zip(&[("AndroidManifest.xml", &Axml::new("x").bytes())]));
    device.install("com.ae", 10062, Some(&"\n".repeat(17 << 10)));
    device.install("com.b", 10063, Some(&fragment("com.b", "B_READERS")));
    let events = device.sync();
    assert_eq!(events.iter().filter(|event| event.starts_with("refuse ")).count(), 5, "{events:#?}");
    assert!(device.kernel.may_read(10057, FILE_A) && device.kernel.may_read(10063, FILE_B));
    assert_eq!(device.state(), ["com.a.fragment", "com.b.fragment"]);
    assert_eq!(device.sync(), [""; 0]);
}

#[test]
fn lists_that_say_nothing_change_nothing() {
    let mut device = with_a();
    let before = device.kernel.text();
    for list in ["", "com.b 10060 0\ncom.a 100", "\n", "\0\0\0\0\0\n", "com.a\n"] {
        device.write_raw_list(list.as_bytes());
        let events = device.sync();
        assert!(events.len() == 1 && events[0].contains("nothing changes"), "{events:?}");
    }
    assert_eq!(device.kernel.text(), before);
    assert_eq!(device.state(), ["com.a.fragment"]);
    std::fs::remove_file(device.path("packages.list")).unwrap();
    assert!(matches!(device.try_sync().0, Err(Error::List(_))));
    assert_eq!(device.kernel.text(), before);
    assert!(matches!(device.install_apk(&device.path("x")).0, Err(Error::List(_))));
}

/// A line that cannot be read may have been the app's own: what it has stays, until somebody else has its UID.
#[test]
fn a_damaged_list_uninstalls_nothing() {
    let mut device = with_a();
    device.write_raw_list(b"com.b 10060 0\n\0\0\0\0\n");
    let events = device.sync();
    assert!(events.iter().any(|event| event.starts_with("keep com.a: uid=10057 stays ")), "{events:?}");
    assert_eq!(device.state(), ["com.a.fragment"]);
    assert!(device.kernel.may_read(10057, FILE_A));
    device.write_raw_list(b"com.b 10057 0\n\0\0\0\0\n");
    let events = device.sync();
    assert!(events.iter().any(|event| event.starts_with("suspend com.a: ")), "{events:?}");
    assert_eq!(device.state(), ["com.a.fragment"]);
    assert!(!device.kernel.may_read(10057, FILE_A));
    device.write_raw_list(b"com.a 10057 0\ncom.b 10060 0\n");
    device.sync();
    assert!(device.kernel.may_read(10057, FILE_A));
}

/// A path may look like a reference to somebody's group; that takes nothing from its owner.
#[test]
fn nobody_is_evicted_by_a_path() {
    let mut device = with_a();
    let text = "number_group B\nallow_read /data/data/com.b/x=@A_READERS if task.uid=@B\n";
    device.install("com.b", 10058, Some(text));
    assert_eq!(device.sync(), ["accept com.b: uid=10058 groups=B rules=1"]);
    assert_eq!(device.sync(), [""; 0]);
    assert!(device.kernel.may_read(10057, FILE_A));
}

/// A new version that wants another app's group is refused, and the old one stays.
#[test]
fn a_refused_owner_changes_nothing() {
    let mut device = with_a();
    device.install("com.b", 10058, Some(&fragment("com.b", "B_READERS")));
    device.sync();
    let before = device.kernel.text();
    let path = device.install("com.a", 10057, Some(&fragment("com.a", "B_READERS")));
    let (done, events) = device.install_apk(&path);
    assert!(
        !done.unwrap() && events[0].starts_with("refuse com.a: group B_READERS belongs to com.b"),
        "{events:?}"
    );
    assert_eq!(device.kernel.text(), before);
    assert_eq!(device.state(), ["com.a.fragment", "com.b.fragment"]);
}

#[test]
fn a_forged_line_moves_nothing() {
    let mut device = with_a();
    device.install("com.evil", 10289, Some(&fragment("com.evil", "EVIL")));
    device.sync();
    let forged = format!("{}com.a 10289 1 /data/user/0 default none 0 0 1 @null\n", device.list_text());
    device.write_raw_list(forged.as_bytes());
    let events = device.sync();
    assert!(events[0].starts_with("keep com.a: uid=10057 stays "), "{events:?}");
    assert!(events[0].contains("packages.list has 2 lines"), "{events:?}");
    // The forger's own line now shares its UID with the name that it forged.
    assert!(events[1].starts_with("suspend com.evil: it shares UID 10289 with com.a"), "{events:?}");
    assert!(device.kernel.may_read(10057, FILE_A) && !device.kernel.may_read(10289, FILE_A));
    assert!(!device.kernel.may_read(10289, "/data/data/com.evil/file"));
    assert_eq!(device.state().len(), 2, "still installed");
    assert_eq!(device.sync(), [""; 0], "told once");
    device.write_list();
    assert!(!device.sync().is_empty());
    assert!(device.kernel.may_read(10057, FILE_A));
    // After a reboot there is nothing to keep, and a doubtful list adds nothing.
    device.write_raw_list(forged.as_bytes());
    device.kernel.reboot();
    device.restart();
    device.sync();
    assert!(!device.kernel.may_read(10057, FILE_A) && !device.kernel.may_read(10289, FILE_A));
}

#[test]
fn uids_that_no_app_has() {
    for uid in ["-1", "4294967295", "1000", "9999", "20000", "99001", "1010057", "x"] {
        let mut device = Device::new();
        let path = device.install("com.a", 10057, Some(&fragment("com.a", "A_READERS")));
        let list = device.list_text().replace("10057", uid);
        device.write_raw_list(list.as_bytes());
        let events = device.sync();
        assert!(events.len() == 1 && events[0].starts_with("refuse com.a: "), "{events:?}");
        let (done, events) = device.install_apk(&path);
        assert!(!done.unwrap() && events.len() == 1);
        assert!(!device.kernel.text().contains("A_READERS"));
        // The same for one that is installed already.
        device.write_list();
        device.sync();
        device.write_raw_list(list.as_bytes());
        let events = device.sync();
        assert!(events[0].starts_with("keep com.a: uid=10057 stays "), "{events:?}");
        assert!(device.kernel.text().contains("number_group A_READERS 10057"));
    }
}

#[test]
fn a_shared_uid_gets_nothing() {
    let mut device = with_a();
    device.install("com.b", 10057, Some(&fragment("com.b", "B_READERS")));
    let events = device.sync();
    assert!(events[0].starts_with("suspend com.a: it shares UID 10057 with com.b"), "{events:?}");
    assert!(events[1].starts_with("refuse com.b: it shares UID 10057 with com.a"), "{events:?}");
    assert!(!device.kernel.may_read(10057, FILE_A) && !device.kernel.may_read(10057, FILE_B));
}

#[test]
fn groups_have_one_owner() {
    let mut device = with_a();
    let path = device.install("com.b", 10058, Some(&fragment("com.b", "A_READERS")));
    let events = device.sync();
    assert!(events[0].starts_with("refuse com.b: group A_READERS belongs to com.a"), "{events:?}");
    assert!(!device.kernel.may_read(10058, FILE_A) && !device.kernel.may_read(10058, FILE_B));
    let (done, events) = device.install_apk(&path);
    assert!(!done.unwrap() && events[0].starts_with("refuse com.b: group A_READERS belongs to com.a"));
    // The first one keeps it, whatever the order of names is.
    let mut device = Device::new();
    device.install("com.b", 10058, Some(&fragment("com.b", "G")));
    device.sync();
    device.install("com.a", 10057, Some(&fragment("com.a", "G")));
    assert!(device.sync()[0].starts_with("refuse com.a: "));
    // When the owner goes, the name is free, in the same sweep.
    device.uninstall("com.b");
    let expected = ["remove com.b: no longer installed", "accept com.a: uid=10057 groups=G rules=1"];
    assert_eq!(device.sync(), expected);
}

#[test]
fn the_device_s_groups_are_nobody_s() {
    let cases: [(PolicyFile, &[&str]); 5] = [
        (PolicyFile::Exception, &["number_group A_READERS 0"]),
        (PolicyFile::Exception, &["path_group A_READERS /x"]),
        (PolicyFile::Domain, &[DOMAIN, "allow_read /vendor/x if task.uid=@A_READERS"]),
        (PolicyFile::Domain, &["<kernel>", "allow_create /x @A_READERS"]),
        (PolicyFile::Domain, &["<kernel> /sbin/x", "allow_read @A_READERS if task.uid=0"]),
    ];
    for (file, lines) in cases {
        let mut device = Device::new();
        device.kernel.owner_writes(file, lines);
        let before = device.kernel.text();
        device.install("com.a", 10057, Some(&fragment("com.a", "A_READERS")));
        let events = device.sync();
        assert!(events[0].contains("belongs to the device's policy"), "{lines:?} {events:?}");
        assert_eq!(device.kernel.text(), before);
        assert_eq!(device.state(), [""; 0]);
        // An OTA brings such a line for a group that an app has: after the reboot the device's policy wins.
        let mut device = with_a();
        device.kernel.reboot();
        device.kernel.owner_writes(file, lines);
        let before = device.kernel.text();
        device.restart();
        let events = device.sync();
        assert!(events[0].contains("belongs to the device's policy"), "{lines:?} {events:?}");
        assert_eq!(device.kernel.text(), before);
        assert_eq!(device.state(), [""; 0]);
    }
}

/// The device's owner may take a group at any time: what the app had goes, and what the owner wrote stays.
#[test]
fn a_group_that_the_device_takes_over_is_lost() {
    let cases: [(PolicyFile, &[&str]); 4] = [
        (PolicyFile::Exception, &["path_group A_READERS /x"]),
        (PolicyFile::Domain, &[DOMAIN, "allow_read /vendor/x if task.uid=@A_READERS"]),
        (PolicyFile::Domain, &["<kernel>", "allow_create /x @A_READERS"]),
        (PolicyFile::Domain, &["<kernel> /sbin/x", "allow_read @A_READERS if task.uid=0"]),
    ];
    for (file, lines) in cases {
        let empty = Device::new();
        empty.kernel.owner_writes(file, lines);
        let mut device = with_a();
        device.kernel.owner_writes(file, lines);
        device.restart();
        let events = device.sync();
        assert!(events[0].contains("belongs to the device's policy"), "{lines:?} {events:?}");
        assert!(!device.kernel.may_read(10057, FILE_A));
        assert_eq!(device.kernel.text(), empty.kernel.text());
        assert_eq!(device.state(), [""; 0]);
    }
}

/// A group whose rule is not there is not the package's, also when another rule of the same package is.
#[test]
fn only_the_numbers_beside_own_rules_are_taken_out() {
    let package = PackageName::new(b"com.a").unwrap();
    let text = "number_group G1\nnumber_group G2\n\
        allow_read /data/data/com.a/x if task.uid=@G1\nallow_read /data/data/com.a/y if task.uid=@G2\n";
    let fragment = Fragment::parse(&package, text.as_bytes()).unwrap();
    let device = Device::new();
    device.kernel.owner_writes(PolicyFile::Domain, &[DOMAIN, &fragment.rules()[0]]);
    device.kernel.owner_writes(
        PolicyFile::Exception,
        &["number_group G1 10057", "number_group G1 10058", "number_group G2 10057"],
    );
    let loader = Loader::new(&device.kernel, DOMAIN);
    let numbers = || -> Vec<String> {
        let policy = loader.policy().unwrap();
        policy.exceptions().map(str::to_owned).collect()
    };
    loader.keep_number(&fragment, AppUid::new(10058)).unwrap();
    assert_eq!(numbers(), ["number_group G1 10058", "number_group G2 10057"]);
    loader.unload(&fragment).unwrap();
    assert_eq!(numbers(), ["number_group G2 10057"]);
    assert!(!device.kernel.text().contains("com.a"));
}

/// A line that cannot be read is told when it comes, not at each sweep, and again when it comes back.
#[test]
fn malformed_lines_are_told_once() {
    let mut device = with_a();
    let good = device.list_text();
    let bad = format!("{good}nodot 10100 0\n");
    let note = ["note: packages.list line 3: 'nodot' is no package name, ignored"];
    for (list, told) in [(&bad, &note[..]), (&bad, &[]), (&good, &[]), (&bad, &note), (&bad, &[])] {
        device.write_raw_list(list.as_bytes());
        assert_eq!(device.sync(), *told);
    }
    device.write_raw_list(format!("{bad}\n").as_bytes());
    assert_eq!(device.sync(), ["note: packages.list line 4: no UID field in '', ignored"]);
}

/// What somebody takes out by hand comes back, and that is told as often as it happens.
#[test]
fn what_got_lost_comes_back() {
    let mut device = with_a();
    let number = "delete number_group A_READERS 10057";
    let rule = "delete allow_read /data/data/com.a/\\* if task.uid=@A_READERS";
    for with_rule in [false, false, true, true] {
        device.kernel.owner_writes(PolicyFile::Exception, &[number]);
        if with_rule {
            device.kernel.owner_writes(PolicyFile::Domain, &[DOMAIN, rule]);
        }
        assert!(!device.kernel.may_read(10057, FILE_A));
        assert_eq!(device.sync(), ["accept com.a: uid=10057 groups=A_READERS rules=1"]);
        assert!(device.kernel.may_read(10057, FILE_A));
        assert_eq!(device.sync(), [""; 0]);
    }
}

#[test]
fn what_the_kernel_does_not_take_is_undone() {
    for deaf_to in ["allow_read", "number_group"] {
        let mut device = Device::new();
        let before = device.kernel.text();
        let path = device.install("com.a", 10057, Some(&fragment("com.a", "A_READERS")));
        device.kernel.deaf_to(Some(deaf_to));
        let (result, events) = device.try_sync();
        assert!(matches!(result, Err(Error::Kernel(KernelError::NotTaken { .. }))), "{result:?}");
        assert!(events[0].starts_with("refuse com.a: the kernel did not take"), "{events:?}");
        let (result, _) = device.install_apk(&path);
        assert!(matches!(result, Err(Error::Kernel(KernelError::NotTaken { .. }))), "{result:?}");
        assert_eq!(device.kernel.text(), before);
        assert_eq!(device.state(), [""; 0]);
        device.kernel.deaf_to(None);
        assert_eq!(device.sync().len(), 1);
        assert!(device.kernel.may_read(10057, FILE_A));
    }
}

#[test]
fn nothing_is_added_while_something_cannot_be_removed() {
    let mut device = with_a();
    device.uninstall("com.a");
    device.install("com.b", 10057, Some(&fragment("com.b", "B_READERS")));
    device.kernel.deaf_to(Some("delete number_group"));
    let (result, events) = device.try_sync();
    assert!(matches!(result, Err(Error::Kernel(KernelError::NotDeleted { .. }))), "{result:?}");
    assert_eq!(events, [""; 0]);
    assert!(!device.kernel.text().contains("B_READERS"));
    device.kernel.deaf_to(None);
    assert_eq!(device.sync().len(), 2);
}

#[test]
fn a_kernel_that_cannot_be_written() {
    let mut device = Device::new();
    device.install("com.a", 10057, Some(&fragment("com.a", "A_READERS")));
    device.kernel.break_with(Some(ErrorKind::Other));
    assert!(device.try_sync().0.is_err());
    assert_eq!(device.state(), [""; 0]);
    device.kernel.break_with(None);
    device.sync();
    // After a reboot with such a kernel the state stays.
    device.kernel.reboot();
    device.kernel.break_with(Some(ErrorKind::Other));
    assert!(device.try_sync().0.is_err());
    assert_eq!(device.state(), ["com.a.fragment"]);
    device.kernel.break_with(None);
    assert_eq!(device.sync().len(), 1);
}

#[test]
fn a_domain_that_the_device_s_policy_lacks_is_not_made() {
    let mut device = Device::new();
    device.kernel.owner_writes(PolicyFile::Domain, &[&format!("delete {DOMAIN}")]);
    let before = device.kernel.text();
    device.install("com.a", 10057, Some(&fragment("com.a", "A_READERS")));
    let (result, _) = device.try_sync();
    assert!(matches!(result, Err(Error::Kernel(KernelError::NoDomain(_)))), "{result:?}");
    assert_eq!(device.kernel.text(), before);
}

#[test]
fn one_shot_commands() {
    let mut device = Device::new();
    let path = device.install("com.a", 10057, Some(&fragment("com.a", "A_READERS")));
    let (done, events) = device.install_apk(&path);
    assert!(done.unwrap());
    assert_eq!(events, ["accept com.a: uid=10057 groups=A_READERS rules=1"]);
    // A refused APK changes nothing, and one that is not in the list is refused.
    let installed = device.kernel.text();
    for (package, fragment, words) in [
        ("com.a", Some("allow_read /x\n".to_owned()), "no 'if task.uid"),
        ("com.gone", Some(fragment("com.gone", "G")), "packages.list does not have it"),
    ] {
        let other = device.path("other.apk");
        std::fs::write(&other, apk(package, fragment.as_deref())).unwrap();
        let (done, events) = device.install_apk(&other);
        assert!(!done.unwrap());
        assert!(events[0].starts_with(&format!("refuse {package}: ")), "{events:?}");
        assert!(events.len() == 1 && events[0].contains(words), "{events:?}");
    }
    assert_eq!(device.kernel.text(), installed);
    // A new version without a fragment gives up what the old one had; one that never had any changes nothing.
    for (text, told) in [
        (None, "remove com.a: its APK no longer has a fragment"),
        (None, "note: com.a has no fragment, nothing to do"),
        (Some(fragment("com.a", "A_READERS")), "accept com.a: uid=10057 groups=A_READERS rules=1"),
    ] {
        let path = device.install("com.a", 10057, text.as_deref());
        let (done, events) = device.install_apk(&path);
        assert!(done.unwrap());
        assert_eq!(events, [told]);
        assert_eq!(device.kernel.may_read(10057, FILE_A), text.is_some());
    }
    let before = device.kernel.text();
    std::fs::write(device.path("bad.apk"), b"no zip").unwrap();
    let (done, events) = device.install_apk(&device.path("bad.apk"));
    assert!(!done.unwrap() && events[0].contains("bad.apk"), "{events:?}");
    assert_eq!(device.kernel.text(), before);
    let package = PackageName::new(b"com.a").unwrap();
    let mut events = Vec::new();
    assert!(device.resolver.remove(&package, &mut events).unwrap());
    assert!(!device.resolver.remove(&package, &mut events).unwrap());
    let events: Vec<String> = events.iter().map(ToString::to_string).collect();
    assert_eq!(events, ["remove com.a: as asked"]);
    assert!(!device.kernel.text().contains("A_READERS"));
    assert_eq!(device.state(), [""; 0]);
}

#[test]
fn an_apk_that_is_gone_or_damaged_state() {
    let mut device = with_a();
    std::fs::remove_dir_all(device.path("app")).unwrap();
    device.kernel.reboot();
    device.restart();
    let events = device.sync();
    assert!(events[0].starts_with("note: cannot read "), "{events:?}");
    assert!(events[1].starts_with("accept com.a"), "the state is enough: {events:?}");
    // A state file that nobody should have written is not loaded.
    device.kernel.reboot();
    device.restart();
    let evil = "sekisho-fragment 1 com.a\nnumber_group G\nallow_read /\\{\\*\\}/\\* if task.uid=@G\n";
    std::fs::write(device.path("state/com.a.fragment"), evil).unwrap();
    let events = device.sync();
    assert!(events.iter().any(|event| event.contains("com.a.fragment is damaged and removed")), "{events:?}");
    assert!(!device.kernel.text().contains("task.uid=@G"));
}
