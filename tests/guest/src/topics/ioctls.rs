// SPDX-License-Identifier: MIT OR Apache-2.0
//! ioctl on files, terminals, pipes and sockets (reference 4.7): the object's name and the number.

use std::fs;

use guest::op::Op;
use guest::subject::EPERM;
use guest::tap::Tap;

use super::mounts::with_places;
use super::table::{acls, case, drain, requests, with_subject, Case, Table};

const PROGRAM: &str = "/tmp/x/ioctls";
const ENOTTY: i32 = 25;

pub fn run(tap: &mut Tap) {
    tap.topic("ioctls");
    with_subject(tap, PROGRAM, |tap, table| {
        // /dev/ptmx looks for the file system next to it.
        let made = fs::create_dir_all("/dev/pts");
        tap.check("there is a folder for terminals", made.is_ok(), || format!("{made:?}"));
        let empty = Vec::new();
        table.free(tap, &Op::Mount(b"devpts".to_vec(), b"/dev/pts".to_vec(), b"devpts".to_vec(), 0, empty));
        objects(tap, table);
        ranges(tap, table);
        table.all(tap, &modes());
        with_places(tap, |tap| drivers(tap, table));
        table.free(tap, &Op::Umount(b"/dev/pts".to_vec(), 2));
    });
}

fn ioctl(slot: u32, name: &str) -> Op {
    Op::Ioctl(slot, name.into())
}

/// One of each kind in every mode.
fn modes() -> Vec<Case> {
    let case = |name: &str, object: Op, command: &str, line: &str| {
        case(&format!("{command} on {name}"), ioctl(1, command), &[line])
            .before(&[object])
            .after(&[Op::Close(1)])
    };
    vec![
        case(
            "a file",
            Op::Hold(1, b"/tmp/w/file".to_vec(), 2, 0),
            "FIONREAD",
            "allow_ioctl /tmp/w/file 0x541B",
        ),
        case(
            "a TCP socket",
            Op::Socket(1, 2, 1, 0),
            "FIONBIO",
            "allow_ioctl socket:[family=2:type=1:protocol=6] 0x5421",
        ),
        case("a terminal", Op::Pty(1), "TIOCGWINSZ", "allow_ioctl /dev/ptmx 0x5413"),
    ]
}

/// SYS_IOCTL is for what a driver answers (reference 4.10): the flags of a file are its file system's business, those of a device
/// file would be the driver's.
fn drivers(tap: &mut Tap, table: &mut Table) {
    table.profiles = [5, 6, 7];
    let flags = ioctl(1, "FS_IOC_GETFLAGS");
    let device = case("flags of a device", flags.clone(), &["allow_capability SYS_IOCTL"])
        .before(&[Op::Hold(1, b"/dev/null".to_vec(), 0, 0)])
        .after(&[Op::Close(1)])
        .answers(ENOTTY);
    table.case(tap, &device);
    for path in ["/tmp/m/file", "/tmp/m/a"] {
        table.free(tap, &Op::Hold(1, path.into(), 0, 0));
        // A tmpfs has them or not, as the kernel was configured.
        let answer = table.subject.errno(&flags);
        tap.check(&format!("flags of {path}"), answer == 0 || answer == ENOTTY, || answer.to_string());
        table.judge(tap, &format!("flags of {path}"), &[], &flags, answer);
        let records = requests("grant_log").len() + requests("reject_log").len();
        tap.same(&format!("flags of {path}: no record"), records, 0);
        table.free(tap, &Op::Close(1));
    }
}

/// Each kind of object: what is learned and recorded, that it grants, and that neighbours do not.
fn objects(tap: &mut Tap, table: &mut Table) {
    for op in [
        Op::Hold(1, b"/tmp/w/file".to_vec(), 2, 0),
        Op::Pipe(2, 3),
        Op::Socket(4, 2, 1, 0),
        Op::Socket(5, 2, 2, 0),
        Op::Socket(6, 10, 1, 0),
        Op::Socket(7, 1, 1, 0),
        Op::Pty(8),
        Op::Ioctl(8, b"TIOCSPTLCK".to_vec()),
        Op::Hold(11, b"/dev/pts/0".to_vec(), 0o402, 0),
        Op::Hold(9, b"/dev/console".to_vec(), 0o402, 0),
        Op::Hold(10, b"/tmp/w/dir".to_vec(), 0, 0),
    ] {
        table.free(tap, &op);
    }
    for (slot, name, line, others) in [
        (
            1,
            "FIONREAD",
            "allow_ioctl /tmp/w/file 0x541B",
            &["allow_ioctl /tmp/w/file 0x541C", "allow_ioctl /tmp/w/dir/ 0x541B"][..],
        ),
        (1, "FIONBIO", "allow_ioctl /tmp/w/file 0x5421", &["allow_ioctl /tmp/w/file 0x541B"]),
        (10, "FIONBIO", "allow_ioctl /tmp/w/dir/ 0x5421", &["allow_ioctl /tmp/w/dir 0x5421"]),
        (
            4,
            "FIONBIO",
            "allow_ioctl socket:[family=2:type=1:protocol=6] 0x5421",
            &["allow_ioctl socket:[family=2:type=2:protocol=17] 0x5421"],
        ),
        (
            5,
            "FIONBIO",
            "allow_ioctl socket:[family=2:type=2:protocol=17] 0x5421",
            &["allow_ioctl socket:[family=2:type=1:protocol=6] 0x5421"],
        ),
        (
            6,
            "FIONBIO",
            "allow_ioctl socket:[family=10:type=1:protocol=6] 0x5421",
            &["allow_ioctl socket:[family=2:type=\\$:protocol=\\$] 0x5421"],
        ),
        (
            7,
            "FIONBIO",
            "allow_ioctl socket:[family=1:type=1:protocol=0] 0x5421",
            &["allow_ioctl /\\* 0x5421"],
        ),
        (
            5,
            "SIOCGIFINDEX",
            "allow_ioctl socket:[family=2:type=2:protocol=17] 0x8933",
            &["allow_ioctl socket:[\\*] 0x8910"],
        ),
        (
            5,
            "SIOCGIFNAME",
            "allow_ioctl socket:[family=2:type=2:protocol=17] 0x8910",
            &["allow_ioctl socket:[\\*] 0x8933"],
        ),
        (8, "TIOCGWINSZ", "allow_ioctl /dev/ptmx 0x5413", &["allow_ioctl /dev/ptmx 0x5414"]),
        (8, "TIOCSWINSZ", "allow_ioctl /dev/ptmx 0x5414", &["allow_ioctl /dev/ptmx 0x5413"]),
        // Numbers have 32 bits on every machine.
        (8, "TIOCGPTN", "allow_ioctl /dev/ptmx 0x80045430", &["allow_ioctl /dev/ptmx 0-0x7FFFFFFF"]),
        (8, "TIOCSPTLCK", "allow_ioctl /dev/ptmx 0x40045431", &["allow_ioctl /dev/ptmx 0x80045430"]),
        (11, "TIOCGWINSZ", "allow_ioctl /dev/pts/0 0x5413", &["allow_ioctl /dev/ptmx 0x5413"]),
        (9, "TIOCGWINSZ", "allow_ioctl /dev/console 0x5413", &["allow_ioctl /dev/ptmx 0x5413"]),
    ] {
        let op = ioctl(slot, name);
        table.judge(tap, &format!("{name} on {slot}"), others, &op, EPERM);
        tap.same(&format!("{line}: the record"), requests("reject_log"), vec![line.to_owned()]);
        guest::kernel::set_domain(&table.name, 1, &[]);
        drain();
        tap.same(&format!("{line}: learning"), table.subject.errno(&op), 0);
        tap.same(&format!("{line}: is learned"), acls(&table.name), vec![line.to_owned()]);
        table.judge(tap, &format!("{name} on {slot}"), &[line], &op, 0);
        tap.same(&format!("{line}: the grant"), requests("grant_log"), vec![line.to_owned()]);
    }
    // A pipe has a number for a name.
    let op = ioctl(2, "FIONREAD");
    table.judge(tap, "FIONREAD on a pipe", &["allow_ioctl pipe:[\\A] 0x541B"], &op, EPERM);
    let record = requests("reject_log").pop().unwrap_or_default();
    let number = record.strip_prefix("allow_ioctl pipe:[").and_then(|rest| rest.strip_suffix("] 0x541B"));
    tap.check(
        "its record",
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())),
        || record.clone(),
    );
    table.judge(tap, "FIONREAD on a pipe", &["allow_ioctl pipe:[\\$] 0x541B"], &op, 0);
}

fn ranges(tap: &mut Tap, table: &mut Table) {
    let op = ioctl(1, "FIONREAD");
    guest::kernel::write("exception_policy", "number_group IOCTLS 0x5400-0x541A");
    for (number, errno) in [
        ("0x5400-0x541B", 0),
        ("0x541B-0x5500", 0),
        ("0x5400-0x541A", EPERM),
        ("0x541C-0xFFFFFFFF", EPERM),
        ("21531", 0),
        ("052033", 0),
        ("0-0xFFFFFFFF", 0),
        ("@IOCTLS", EPERM),
    ] {
        table.judge(tap, "a range", &[&format!("allow_ioctl /tmp/w/file {number}")], &op, errno);
    }
    guest::kernel::write("exception_policy", "number_group IOCTLS 0x541B");
    table.judge(tap, "a group", &["allow_ioctl /tmp/w/file @IOCTLS"], &op, 0);
    guest::kernel::write(
        "exception_policy",
        "delete number_group IOCTLS 0x5400-0x541A\ndelete number_group IOCTLS 0x541B",
    );
    for slot in 1..=11 {
        table.free(tap, &Op::Close(slot));
    }
}
