// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of audit records: the examples of reference 11.5 and the limits of 11.2.

extern crate std;

use super::{Header, NoRecord, MAX_ARGUMENTS, MAX_HEADER};
use crate::facts::{Arguments, Attributes, Facts, Object, Objects};
use crate::mem::Vec;
use crate::name::Name;
use crate::number::Number;
use crate::preference::Preferences;
use crate::profile::Mode;
use crate::question::Question;
use crate::request::{PathNumberOp, PathOp, Request};
use crate::task::Task;
use crate::wire;
use crate::wire::host::Record;
use std::cell::Cell;
use std::string::String;

fn name(text: &str) -> Name<'_> {
    Name::new(text.as_bytes()).unwrap()
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut text = Vec::new();
    write(&mut text);
    String::from_utf8(text.to_vec()).unwrap()
}

fn header(timestamp: u64, global_pid: u32, mode: Mode, profile: u8) -> Header {
    Header { timestamp, global_pid, mode, profile }
}

/// Writes the text, and checks that the binary record says the same.
fn record(
    sink: &mut Vec<u8>,
    header: &Header,
    preferences: &Preferences,
    facts: &Facts<'_>,
    domain: &[u8],
    request: &Request<'_>,
) -> Result<(), NoRecord> {
    let mut bytes = Vec::new();
    wire::record(&mut bytes, header, true, preferences, facts, domain, request).unwrap();
    super::record(sink, header, preferences, facts, domain, request)?;
    check_binary(sink, &bytes);
    Ok(())
}

/// The same for a note.
fn note(
    sink: &mut Vec<u8>,
    header: &Header,
    preferences: &Preferences,
    facts: &Facts<'_>,
    domain: &[u8],
    text: &[u8],
) -> Result<(), NoRecord> {
    let mut bytes = Vec::new();
    wire::note(&mut bytes, header, false, preferences, facts, domain, text).unwrap();
    super::note(sink, header, preferences, facts, domain, text)?;
    check_binary(sink, &bytes);
    Ok(())
}

fn check_binary(text: &[u8], bytes: &[u8]) {
    let record = Record::from_bytes(bytes).unwrap();
    assert_eq!(postcard::to_allocvec(&record).unwrap(), bytes);
    assert_eq!(record.text().unwrap().as_bytes(), text.strip_suffix(b"\0").unwrap());
    for len in 0..bytes.len().min(400) {
        assert!(Record::from_bytes(&bytes[..len]).is_none());
    }
}

/// The objects of a request by their place in [`Object::ALL`].
struct Files([Option<Attributes>; 4]);

impl Objects for Files {
    fn attributes(&self, object: Object) -> Option<Attributes> {
        self.0[Object::ALL.iter().position(|known| *known == object).unwrap()]
    }
}

fn file(ino: u64, mode: u32) -> Attributes {
    Attributes { ino, mode, major: 8, minor: 1, ..Attributes::default() }
}

/// A program that starts.
#[derive(Default)]
struct Exec<'a> {
    argv: &'a [String],
    envp: &'a [(&'a str, Option<&'a str>)],
    unreadable: bool,
}

impl Arguments for Exec<'_> {
    fn argc(&self) -> u64 {
        self.argv.len() as u64
    }

    fn envc(&self) -> u64 {
        self.envp.len() as u64
    }

    fn realpath(&self) -> Option<Name<'_>> {
        Some(name("/bin/busybox"))
    }

    fn argv(&self, index: u64, visit: &mut dyn FnMut(Name<'_>)) -> bool {
        self.argv.get(index as usize).map(|text| visit(name(text))).is_some()
    }

    fn envp(&self, visit: &mut dyn FnMut(Name<'_>, Option<Name<'_>>)) {
        self.envp.iter().for_each(|(key, value)| visit(name(key), value.map(name)));
    }

    fn is_unreadable(&self) -> bool {
        self.unreadable
    }
}

/// A program with more arguments than anybody can look at. Counts those that were asked for.
struct Endless<'a>(&'a Cell<usize>);

impl Arguments for Endless<'_> {
    fn argc(&self) -> u64 {
        u64::MAX
    }

    fn envc(&self) -> u64 {
        0
    }

    fn realpath(&self) -> Option<Name<'_>> {
        None
    }

    fn argv(&self, _: u64, visit: &mut dyn FnMut(Name<'_>)) -> bool {
        self.0.set(self.0.get().saturating_add(1));
        assert!(self.0.get() < 100_000, "does not stop");
        visit(name("a"));
        true
    }

    fn envp(&self, _: &mut dyn FnMut(Name<'_>, Option<Name<'_>>)) {}
}

/// The text from `argv[]={ ` up to the end of the first line of a record.
fn strings(exec: &Exec<'_>) -> String {
    let task = Task::default();
    let facts = Facts { exec: Some(exec), ..Facts::new(&task) };
    let header = header(1, 2, Mode::Learning, 3);
    let text = text(|sink| note(sink, &header, &Preferences::DEFAULT, &facts, b"<kernel>", b"x").unwrap());
    let start = text.find("argv[]=").unwrap();
    text[start..text.find('\n').unwrap()].into()
}

#[test]
fn the_examples_of_the_reference() {
    let task = Task { pid: 812, ppid: 1, ..Task::default() };
    let parent = Attributes { major: 0, minor: 0, ..file(2, 0o040_755) };
    let files = Files([Some(file(4711, 0o100_640)), Some(parent), None, None]);
    let facts = Facts { objects: Some(&files), ..Facts::new(&task) };
    let request = Request::Path { op: PathOp::Read, path: name("/etc/ftp\\040users") };
    let first = header(1_300_000_000, 812, Mode::Learning, 1);
    assert_eq!(
        text(|sink| {
            record(sink, &first, &Preferences::DEFAULT, &facts, b"<kernel> /usr/sbin/ftpd", &request).unwrap();
        }),
        "#timestamp=1300000000 profile=1 mode=learning (global-pid=812) task={ pid=812 ppid=1 uid=0 gid=0 euid=0 \
         egid=0 suid=0 sgid=0 fsuid=0 fsgid=0 state[0]=0 state[1]=0 state[2]=0 type!=execute_handler } path1={ uid=0 \
         gid=0 ino=4711 major=8 minor=1 perm=0640 type=file } path1.parent={ uid=0 gid=0 ino=2 perm=0755 }\n\
         <kernel> /usr/sbin/ftpd\nallow_read /etc/ftp\\040users\n\0"
    );

    let id = 500;
    let task = Task {
        pid: 900,
        ppid: 899,
        uid: id,
        gid: id,
        euid: id,
        egid: id,
        suid: id,
        sgid: id,
        fsuid: id,
        fsgid: id,
        ..task
    };
    let files = Files([Some(file(99, 0o100_755)), Some(file(7, 0o040_755)), None, None]);
    let argv = ["ls".into(), "/my\\040dir".into()];
    let exec = Exec { argv: &argv, envp: &[("PATH", Some("/bin"))], unreadable: false };
    let facts = Facts { objects: Some(&files), exec: Some(&exec), ..Facts::new(&task) };
    let request = Request::Path { op: PathOp::Execute, path: name("/bin/ls") };
    let second = header(1_300_000_001, 900, Mode::Enforcing, 3);
    assert_eq!(
        text(|sink| {
            record(sink, &second, &Preferences::DEFAULT, &facts, b"<kernel> /bin/bash", &request).unwrap();
        }),
        "#timestamp=1300000001 profile=3 mode=enforcing (global-pid=900) task={ pid=900 ppid=899 uid=500 gid=500 \
         euid=500 egid=500 suid=500 sgid=500 fsuid=500 fsgid=500 state[0]=0 state[1]=0 state[2]=0 \
         type!=execute_handler } path1={ uid=0 gid=0 ino=99 major=8 minor=1 perm=0755 type=file } path1.parent={ \
         uid=0 gid=0 ino=7 perm=0755 } exec={ realpath=\"/bin/busybox\" argc=2 envc=1 argv[]={ \"ls\" \
         \"/my\\040dir\" } envp[]={ \"PATH=/bin\" } }\n<kernel> /bin/bash\nallow_execute /bin/ls\n\0"
    );

    let files = Files([None, Some(file(13, 0o041_777)), None, None]);
    let facts = Facts { objects: Some(&files), symlink_target: Some(name("../etc")), ..Facts::new(&task) };
    let request = Request::Path { op: PathOp::Symlink, path: name("/tmp/e") };
    let preferences = Preferences { task_info: false, ..Preferences::DEFAULT };
    let third = header(1_300_000_002, 901, Mode::Permissive, 3);
    let expected = "#timestamp=1300000002 profile=3 mode=permissive (global-pid=901) path1.parent={ uid=0 gid=0 \
                    ino=13 perm=01777 } symlink.target=\"../etc\"\n<kernel> /bin/ln\nallow_symlink /tmp/e\n\0";
    assert_eq!(
        text(|sink| record(sink, &third, &preferences, &facts, b"<kernel> /bin/ln", &request).unwrap()),
        expected
    );
    // Without path_info, exec and symlink.target stay.
    let preferences = Preferences { path_info: false, ..preferences };
    assert_eq!(
        text(|sink| record(sink, &third, &preferences, &facts, b"<kernel> /bin/ln", &request).unwrap()),
        expected.replace(" path1.parent={ uid=0 gid=0 ino=13 perm=01777 }", "")
    );
}

#[test]
fn types_and_devices() {
    let task = Task::default();
    let preferences = Preferences { task_info: false, ..Preferences::DEFAULT };
    let types = [
        (0, "file }"),
        (0o100_000, "file }"),
        (0o040_000, "directory }"),
        (0o120_000, "symlink }"),
        (0o010_000, "fifo }"),
        (0o140_000, "socket }"),
        (0o060_000, "block dev_major=253 dev_minor=7 }"),
        (0o020_000, "char dev_major=253 dev_minor=7 }"),
        (0o170_000, "unknown }"),
    ];
    for (mode, expected) in types {
        let device = Attributes { dev_major: 253, dev_minor: 7, uid: 4, gid: 5, ..file(1, mode) };
        let files = Files([None, None, Some(device), Some(device)]);
        let facts = Facts { objects: Some(&files), ..Facts::new(&task) };
        let header = header(0, 1, Mode::Permissive, 0);
        assert_eq!(
            text(|sink| note(sink, &header, &preferences, &facts, b"<kernel>", b"quota_exceeded").unwrap()),
            std::format!(
                "#timestamp=0 profile=0 mode=permissive (global-pid=1) path2={{ uid=4 gid=5 ino=1 major=8 minor=1 \
                 perm=00 type={expected} path2.parent={{ uid=4 gid=5 ino=1 perm=00 }}\n<kernel>\nquota_exceeded\n\0"
            )
        );
    }
}

#[test]
fn the_longest_header_is_short_enough() {
    let max = u32::MAX;
    let task = Task {
        uid: max,
        gid: max,
        euid: max,
        egid: max,
        suid: max,
        sgid: max,
        fsuid: max,
        fsgid: max,
        pid: max,
        ppid: max,
        state: [255; 3],
        execute_handler: false,
    };
    let device = Attributes {
        uid: max,
        gid: max,
        ino: u64::MAX,
        major: max,
        minor: max,
        mode: 0o067_777,
        dev_major: max,
        dev_minor: max,
    };
    let files = Files([Some(device); 4]);
    let facts = Facts { objects: Some(&files), ..Facts::new(&task) };
    let header = header(u64::MAX, max, Mode::Permissive, 255);
    let request = Request::PathNumber {
        op: PathNumberOp::Ioctl,
        path: name("/dev/tty"),
        number: Number::hexadecimal(0x5401),
    };
    let text =
        text(|sink| record(sink, &header, &Preferences::DEFAULT, &facts, b"<kernel>", &request).unwrap());
    assert!(text.find('\n').unwrap() < MAX_HEADER);
    assert!(text.ends_with("\n<kernel>\nallow_ioctl /dev/tty 0x5401\n\0"));
}

#[test]
fn empty_lists_and_unreadable_memory() {
    assert_eq!(strings(&Exec::default()), "argv[]={ } envp[]={ } }");
    let envp = [("A", None), ("B", Some("")), ("", Some("c=d"))];
    assert_eq!(
        strings(&Exec { envp: &envp, ..Exec::default() }),
        "argv[]={ } envp[]={ \"A\" \"B=\" \"=c=d\" } }"
    );
    let argv = ["x".into()];
    let exec = Exec { argv: &argv, envp: &envp, unreadable: true };
    assert_eq!(strings(&exec), "argv[]={ ... } envp[]= { ... } }");
}

#[test]
fn what_does_not_fit_is_cut() {
    let long = |len: usize| "a".repeat(len);
    // Two strings that end exactly at the limit: 9 bytes in front of them, 3 around each.
    let exact = [long(4000), long(MAX_ARGUMENTS - 9 - 3 - 4000 - 3)];
    let expected = std::format!("argv[]={{ \"{}\" \"{}\" }} envp[]={{ ... }} }}", exact[0], exact[1]);
    assert_eq!(strings(&Exec { argv: &exact, envp: &[("E", None)], unreadable: false }), expected);

    // One byte more: the second string and all behind it are cut, even short ones. What that leaves free is for the
    // environment: 4016 bytes are used up to here, `} envp[]={ ` takes 11, and "E=1" 6.
    let over = [long(4000), long(exact[1].len() + 1), long(1)];
    let value = long(MAX_ARGUMENTS - 4016 - 11 - 6 - 5);
    let envp = [("E", Some("1")), ("L", Some(value.as_str())), ("S", None)];
    assert_eq!(
        strings(&Exec { argv: &over, envp: &envp, unreadable: false }),
        std::format!("argv[]={{ \"{}\" ... }} envp[]={{ \"E=1\" \"L={value}\" ... }} }}", over[0])
    );
    let value = long(value.len() + 1);
    let envp = [("E", Some("1")), ("L", Some(value.as_str())), ("S", None)];
    assert_eq!(
        strings(&Exec { argv: &over, envp: &envp, unreadable: false }),
        std::format!("argv[]={{ \"{}\" ... }} envp[]={{ \"E=1\" ... }} }}", over[0])
    );

    // Nothing behind the cut is asked for.
    let asked = Cell::new(0);
    let exec = Endless(&asked);
    let task = Task::default();
    let facts = Facts { exec: Some(&exec), ..Facts::new(&task) };
    let header = header(1, 2, Mode::Learning, 3);
    let text = text(|sink| note(sink, &header, &Preferences::DEFAULT, &facts, b"<kernel>", b"x").unwrap());
    assert!(text.contains("argc=18446744073709551615") && text.contains("\"a\" ... } envp[]={ } }\n"));
    assert!(asked.get() < MAX_ARGUMENTS, "{}", asked.get());

    // The whole part stays within the buffer of 8192 bytes.
    let many: std::vec::Vec<String> = (0..9000).map(|_| long(1)).collect();
    let envp: std::vec::Vec<(&str, Option<&str>)> = (0..9000).map(|_| ("E", None)).collect();
    let all = strings(&Exec { argv: &many, envp: &envp, unreadable: false });
    assert!(all.len() <= 8192 && all.ends_with("\"a\" ... } envp[]={ ... } }"), "{}", all.len());
}

#[test]
fn records_of_all_kinds_of_requests() {
    let task = Task::default();
    for line in [
        "allow_read /etc/passwd",
        "allow_rename /a /b",
        "allow_chown /a 500",
        "allow_mkblock /dev/sda 0600 8 1",
        "allow_mkchar /dev/null 0666 1 3",
        "allow_network TCP connect 10.0.0.1 80",
        "allow_network UDP bind 0:0:0:0:0:0:0:1 53",
        "allow_mount /dev/sda1 /mnt/ ext4 0x6",
        "allow_env PATH",
        "allow_capability SYS_TIME",
        "allow_signal 15 <kernel> /bin/sh",
    ] {
        let question = Question::parse(line.as_bytes()).ok().unwrap();
        let text = text(|sink| {
            let header = header(1, 2, Mode::Enforcing, 3);
            record(sink, &header, &Preferences::DEFAULT, &Facts::new(&task), b"<kernel>", &question.request)
                .unwrap();
        });
        assert!(text.ends_with(&std::format!("\n<kernel>\n{line}\n\0")), "{text}");
    }
}
