// SPDX-License-Identifier: MIT OR Apache-2.0
//! System calls without a safe wrapper, made in a traced child, which needs SYS_PTRACE and SYS_KILL in every case.

use std::fs;
use std::net::Ipv6Addr;

use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;
use nix::libc;

use super::domain_of;
use super::mounts::with_places;
use super::table::{acls, drain, requests, with_subject, Table, CAPABILITIES};

const PROGRAM: &str = "/tmp/x/raw";
const VICTIM: &str = "/tmp/x/rawvictim";
const OWNER: &str = "/tmp/x/rawowner";
const ESRCH: i32 = 3;
/// The first descriptor behind the standard ones, and the next.
pub const FIRST: i64 = 3;
pub const SECOND: i64 = 4;
/// What being traced needs where capabilities are enforced.
const TRACED: [&str; 2] = ["allow_capability SYS_PTRACE", "allow_capability SYS_KILL"];
/// mount_setattr(2) has no hook that shows the place, so its entry names none.
const SET_ATTRIBUTES: &str = "allow_mount <NULL> <NULL> --mount_setattr 0x0";

/// An argument that is a number.
pub fn n(number: i64) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// An argument that is a string or a structure.
pub fn b(bytes: &[u8]) -> Vec<u8> {
    [b":", bytes].concat()
}

pub fn raw(number: libc::c_long, arguments: &[Vec<u8>]) -> Op {
    Op::Raw(number as u64, arguments.to_vec())
}

/// An argument that is what a call before has answered, of several in one child.
pub fn answer(call: usize) -> Vec<u8> {
    format!("${call}").into_bytes()
}

/// A system call among several.
pub type Call = (libc::c_long, Vec<Vec<u8>>);

/// The words of several system calls.
pub fn calls(list: &[Call]) -> Vec<Vec<u8>> {
    let words = list.iter().map(|(number, arguments)| {
        let number = number.to_string().into_bytes();
        [std::slice::from_ref(&number), arguments].concat()
    });
    words.collect::<Vec<_>>().join(&b";".to_vec())
}

/// The requests in a log but for those of being traced, which are about a stop signal for oneself, too.
pub fn asked(log: &str) -> Vec<String> {
    let mut found = requests(log);
    found.retain(|line| !TRACED.contains(&line.as_str()) && !line.starts_with("allow_signal 19 "));
    found
}

/// mount_setattr with struct mount_attr: what to set, what to clear, and the descriptor of a user name space.
fn set_attributes(descriptor: i64, path: &[u8], flags: i32, set: u32, clear: u32, userns: u32) -> Op {
    let attributes = structure(32, &[(0, set), (8, clear), (24, userns)]);
    raw(libc::SYS_mount_setattr, &[n(descriptor), b(path), n(flags.into()), attributes, n(32)])
}

/// Of the tmpfs in which there are places.
fn set_attributes_of_places(set: u32, clear: u32) -> Op {
    set_attributes(libc::AT_FDCWD.into(), b"/tmp/m", 0, set, clear, 0)
}

/// A structure of so many bytes, zero but for the words at these offsets.
pub fn structure(length: usize, words: &[(usize, u32)]) -> Vec<u8> {
    let mut bytes = vec![0; length];
    for (offset, word) in words {
        for (place, byte) in bytes.iter_mut().skip(*offset).zip(word.to_ne_bytes()) {
            *place = byte;
        }
    }
    b(&bytes)
}

pub fn run(tap: &mut Tap) {
    tap.topic("raw");
    with_places(tap, |tap| {
        with_subject(tap, PROGRAM, |tap, table| {
            capabilities(tap, table);
            signals(tap, table);
            files(tap, table);
            unnamed(tap, table);
            attributes(tap, table);
            mapped(tap, table);
            internal(tap, table);
            unspecified(tap, table);
            unspecified_raw(tap, table);
            attribute(tap, table);
        });
    });
}

/// Each needs its own capability, and all others do not do.
fn capabilities(tap: &mut Tap, table: &mut Table) {
    table.profiles = [5, 6, 7];
    // struct timex: ADJ_STATUS, and STA_UNSYNC, which it is anyway. 32-bit machines have the old one, made of words.
    let status = if cfg!(target_pointer_width = "64") { 40 } else { 20 };
    let timex = structure(208, &[(0, 0x10), (status, 0x40)]);
    let zone = structure(8, &[]);
    // struct sched_attr: its size, the policy that there is, and a nice value.
    let nice = structure(48, &[(0, 48), (16, 1)]);
    let tree = |flags| raw(libc::SYS_open_tree, &[n(libc::AT_FDCWD.into()), b(b"/tmp/m"), n(flags)]);
    for (name, capability, op) in [
        ("vhangup", "SYS_VHANGUP", raw(libc::SYS_vhangup, &[])),
        ("kexec_load", "SYS_KEXEC_LOAD", raw(libc::SYS_kexec_load, &[n(0), n(0), n(0), n(0)])),
        ("adjtimex", "SYS_TIME", raw(libc::SYS_adjtimex, std::slice::from_ref(&timex))),
        ("clock_adjtime", "SYS_TIME", raw(libc::SYS_clock_adjtime, &[n(0), timex.clone()])),
        ("settimeofday of a zone", "SYS_TIME", raw(libc::SYS_settimeofday, &[n(0), zone])),
        ("sched_setattr", "SYS_NICE", raw(libc::SYS_sched_setattr, &[n(0), nice, n(0)])),
        ("mount_setattr", "SYS_MOUNT", set_attributes_of_places(1, 0)),
        ("mount_setattr back", "SYS_MOUNT", set_attributes_of_places(0, 1)),
        ("open_tree of a copy", "SYS_MOUNT", tree(1)),
    ] {
        let needed = format!("allow_capability {capability}");
        let others: Vec<String> = CAPABILITIES
            .iter()
            .filter(|other| **other != capability)
            .map(|other| format!("allow_capability {other}"))
            .collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let refused = table.enforced(&others, &op);
        tap.same(&format!("{name}, refused"), refused, EPERM);
        tap.same(&format!("{name}: the record"), requests("reject_log"), vec![needed.clone()]);
        let errno = table.enforced(&[&TRACED[..], &[&needed]].concat(), &op);
        tap.same(&format!("{name}, allowed"), errno, 0);
        tap.same(&format!("{name}: one grant"), asked("grant_log"), vec![needed]);
        tap.same(&format!("{name}: no refusal"), asked("reject_log"), Vec::new());
    }
    // struct sched_param, and a mask with the first processor.
    let usual = structure(4, &[]);
    let first = structure(8, &[(0, 1)]);
    for (name, op) in [
        ("open_tree of the place itself", tree(0)),
        ("sched_setscheduler", raw(libc::SYS_sched_setscheduler, &[n(0), n(0), usual.clone()])),
        ("sched_setparam", raw(libc::SYS_sched_setparam, &[n(0), usual])),
        ("sched_setaffinity", raw(libc::SYS_sched_setaffinity, &[n(0), n(8), first])),
    ] {
        tap.same(name, table.enforced(&TRACED, &op), 0);
        for log in ["grant_log", "reject_log"] {
            tap.same(&format!("{name} needs nothing: {log}"), asked(log), Vec::new());
        }
    }
}

/// Every system call that sends a signal.
fn signals(tap: &mut Tap, table: &mut Table) {
    table.profiles = [3, 1, 2];
    let domain = domain_of(VICTIM);
    guest::kernel::set_domain(&domain, 0, &[]);
    match Subject::start(VICTIM) {
        Ok(mut victim) => {
            let pid = n(victim.pid().into());
            tap.same("the receiver blocks the signal", victim.errno(&Op::Block(10)), 0);
            // siginfo_t: SI_QUEUE.
            let info = structure(128, &[(0, 10), (8, u32::MAX)]);
            let line = format!("allow_signal 10 {domain}");
            for (name, op) in [
                ("tkill", raw(libc::SYS_tkill, &[pid.clone(), n(10)])),
                ("tgkill", raw(libc::SYS_tgkill, &[pid.clone(), pid.clone(), n(10)])),
                ("rt_sigqueueinfo", raw(libc::SYS_rt_sigqueueinfo, &[pid.clone(), n(10), info.clone()])),
                (
                    "rt_tgsigqueueinfo",
                    raw(libc::SYS_rt_tgsigqueueinfo, &[pid.clone(), pid.clone(), n(10), info.clone()]),
                ),
            ] {
                table.judge(tap, name, &[], &op, EPERM);
                tap.same(&format!("{name}: the record"), requests("reject_log"), vec![line.clone()]);
                table.judge(tap, name, &[&line], &op, 0);
                tap.check(&format!("{name}: the grant"), requests("grant_log").contains(&line), String::new);
            }
            for (name, op) in [
                ("tkill with 0", raw(libc::SYS_tkill, &[pid.clone(), n(0)])),
                ("tgkill with 0", raw(libc::SYS_tgkill, &[pid.clone(), pid.clone(), n(0)])),
            ] {
                table.judge(tap, name, &[], &op, 0);
            }
            table.judge(tap, "tkill of nobody", &[], &raw(libc::SYS_tkill, &[n(30_000), n(10)]), ESRCH);
        }
        Err(e) => tap.check("the receiver starts", false, || e.to_string()),
    }
    guest::kernel::delete_domain(&domain);
}

/// Newer and older forms of what other topics try.
fn files(tap: &mut Tap, table: &mut Table) {
    const FCHMODAT2: libc::c_long = 452;
    let at = n(libc::AT_FDCWD.into());
    let (file, inner) = (b(b"/tmp/w/file"), b(b"/tmp/w/full/inner"));
    for (name, op, line) in [
        (
            "fchmodat2",
            raw(FCHMODAT2, &[at.clone(), file.clone(), n(0o600), n(0)]),
            "allow_chmod /tmp/w/file 0600",
        ),
        (
            "fchmodat with all bits",
            raw(libc::SYS_fchmodat, &[at.clone(), file.clone(), n(0xFFFF)]),
            "allow_chmod /tmp/w/file 07777",
        ),
        (
            "openat2",
            raw(libc::SYS_openat2, &[at.clone(), inner.clone(), structure(24, &[(0, 1)]), n(24)]),
            "allow_write /tmp/w/full/inner",
        ),
        (
            "openat with O_TRUNC",
            raw(libc::SYS_openat, &[at.clone(), inner.clone(), n(libc::O_TRUNC.into())]),
            "allow_read /tmp/w/full/inner",
        ),
        ("truncate", raw(libc::SYS_truncate, &[file.clone(), n(0)]), "allow_truncate /tmp/w/file"),
    ] {
        super::fresh_work();
        table.judge(tap, name, &[], &op, EPERM);
        tap.same(&format!("{name}: the record"), requests("reject_log"), vec![line.to_owned()]);
        table.judge(tap, name, &[line, "allow_truncate /tmp/w/full/inner"], &op, 0);
        guest::kernel::set_domain(&table.name, 1, &[]);
        drain();
        tap.same(&format!("{name}, learning"), table.subject.errno(&op), 0);
        tap.check(&format!("{name}, learned"), acls(&table.name).contains(&line.to_owned()), || {
            format!("{:?}", acls(&table.name))
        });
    }
}

/// O_TMPFILE with access mode 3, which is good for ioctl only, creates a file all the same.
fn unnamed(tap: &mut Tap, table: &mut Table) {
    super::fresh_work();
    let flags = libc::O_TMPFILE | 3;
    let op = raw(libc::SYS_openat, &[n(libc::AT_FDCWD.into()), b(b"/tmp/w"), n(flags.into()), n(0o600)]);
    let record = |tap: &mut Tap, log: &str| {
        let found = asked(log).join("\n");
        let number = found.strip_prefix("allow_create /tmp/w/#").and_then(|rest| rest.strip_suffix(" 0600"));
        tap.check(
            &format!("O_TMPFILE with access mode 3: {log}"),
            number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())),
            || found.clone(),
        );
    };
    table.judge(tap, "O_TMPFILE with access mode 3", &[], &op, EPERM);
    record(tap, "reject_log");
    table.judge(tap, "O_TMPFILE with access mode 3", &["allow_create /tmp/w/#\\$ 0600"], &op, 0);
    record(tap, "grant_log");
}

/// mount_setattr where mounts are judged.
fn attributes(tap: &mut Tap, table: &mut Table) {
    let read_only = || fs::write("/tmp/m/probe", "").is_err();
    let set = set_attributes_of_places(1, 0);
    let refused = table.enforced(&["allow_mount any /tmp/m/ --remount 0-0xFFFF"], &set);
    tap.same("mount_setattr", refused, EPERM);
    tap.same("mount_setattr: the record", requests("reject_log"), vec![SET_ATTRIBUTES.to_owned()]);
    tap.same("mount_setattr: nothing has changed", read_only(), false);
    table.judge(tap, "mount_setattr", &[SET_ATTRIBUTES], &set, 0);
    tap.same("mount_setattr: one grant", asked("grant_log"), vec![SET_ATTRIBUTES.to_owned()]);
    tap.same("mount_setattr: it is read-only", read_only(), true);
    table.judge(tap, "mount_setattr back", &[SET_ATTRIBUTES], &set_attributes_of_places(0, 1), 0);
}

/// mount_setattr that gives a mount the ids of a user name space: the kernel asks for the POSIX capability three times,
/// the last time with a spin lock held.
fn mapped(tap: &mut Tap, table: &mut Table) {
    const NEWUSER: u32 = 0x1000_0000;
    let domain = domain_of(OWNER);
    guest::kernel::set_domain(&domain, 0, &[]);
    match Subject::start(OWNER) {
        Ok(mut owner) => {
            tap.same("there is a user name space", owner.errno(&Op::Unshare(NEWUSER)), 0);
            let folder = format!("/proc/{}", owner.pid());
            for map in ["uid_map", "gid_map"] {
                let written = fs::write(format!("{folder}/{map}"), "0 100000 65536\n");
                tap.check(&format!("its {map}"), written.is_ok(), || format!("{written:?}"));
            }
            map_ids(tap, table, format!("{folder}/ns/user").into());
        }
        Err(e) => tap.check("the owner of a user name space starts", false, || e.to_string()),
    }
    guest::kernel::delete_domain(&domain);
}

/// The kernel maps the ids of a mount only while it is in no tree, and only once.
fn map_ids(tap: &mut Tap, table: &mut Table, userns: Vec<u8>) {
    const IDMAP: u32 = 0x10_0000;
    let op = set_attributes(FIRST, b"", libc::AT_EMPTY_PATH, IDMAP, 0, SECOND as u32);
    let copy = Op::OpenTree(1, b"/tmp/m".to_vec(), 1);
    for op in [Op::Close(1), Op::Close(2), copy.clone(), Op::Hold(2, userns, 0, 0)] {
        table.free(tap, &op);
    }
    let line = SET_ATTRIBUTES.to_owned();
    table.judge(tap, "MOUNT_ATTR_IDMAP", &[], &op, EPERM);
    tap.same("MOUNT_ATTR_IDMAP: one refusal", requests("reject_log"), vec![line.clone()]);
    table.judge(tap, "MOUNT_ATTR_IDMAP", &[SET_ATTRIBUTES], &op, 0);
    tap.same("MOUNT_ATTR_IDMAP: one grant", asked("grant_log"), vec![line.clone()]);
    tap.same("MOUNT_ATTR_IDMAP: no refusal", requests("reject_log"), Vec::new());
    // The kernel's own refusal: it has happened.
    table.judge(tap, "MOUNT_ATTR_IDMAP again", &[SET_ATTRIBUTES], &op, EPERM);
    tap.same("MOUNT_ATTR_IDMAP again: one grant", asked("grant_log"), vec![line.clone()]);
    for (profile, learned) in [(1, vec![line.clone()]), (2, Vec::new())] {
        table.free(tap, &Op::Close(1));
        table.free(tap, &copy);
        guest::kernel::set_domain(&table.name, profile, &[]);
        drain();
        tap.same(&format!("MOUNT_ATTR_IDMAP, profile {profile}"), table.subject.errno(&op), 0);
        let records = requests("reject_log");
        tap.same(&format!("MOUNT_ATTR_IDMAP, profile {profile}: one record"), records, vec![line.clone()]);
        tap.same(&format!("MOUNT_ATTR_IDMAP, profile {profile}: learned"), acls(&table.name), learned);
    }
    for slot in [1, 2] {
        table.free(tap, &Op::Close(slot));
    }
}

/// move_mount of what is in a mount of the kernel's own, which belongs to no tree and never comes into one.
fn internal(tap: &mut Tap, table: &mut Table) {
    const EMPTY_PATH: i64 = 4;
    let to = [n(libc::AT_FDCWD.into()), b(b"/tmp/m/b"), n(EMPTY_PATH)];
    let op = raw(libc::SYS_move_mount, &[&[n(FIRST), b(b"")][..], &to].concat());
    for (name, open, line) in [
        ("move_mount of a pipe", Op::Pipe(1, 2), "allow_mount pipefs /tmp/m/b/ pipefs 0x0"),
        ("move_mount of a memfd", Op::Memfd(1, b"moved".to_vec()), "allow_mount tmpfs /tmp/m/b/ tmpfs 0x0"),
    ] {
        table.free(tap, &open);
        table.judge(tap, name, &[], &op, EPERM);
        tap.same(&format!("{name}: the record"), requests("reject_log"), vec![line.to_owned()]);
        table.judge(tap, name, &[line], &op, libc::EINVAL);
        guest::kernel::set_domain(&table.name, 0, &[]);
        tap.same(&format!("{name}, disabled"), table.subject.errno(&op), libc::EINVAL);
        for slot in [1, 2] {
            table.free(tap, &Op::Close(slot));
        }
    }
}

/// An address of the family AF_UNSPEC, which Linux takes for IPv4 in bind and for datagrams.
fn unspecified(tap: &mut Tap, table: &mut Table) {
    // struct sockaddr_in: family, port, address.
    let address = |last: [u8; 4]| b(&[&[0, 0, 0x1C, 0x20][..], &last, &[0; 8]].concat());
    for (name, op, line) in [
        (
            "bind",
            raw(libc::SYS_bind, &[n(FIRST), address([0; 4]), n(16)]),
            "allow_network UDP bind 0.0.0.0 7200",
        ),
        (
            "sendto",
            raw(libc::SYS_sendto, &[n(FIRST), b(b"x"), n(1), n(0), address([127, 0, 0, 1]), n(16)]),
            "allow_network UDP connect 127.0.0.1 7200",
        ),
    ] {
        table.free(tap, &Op::Close(1));
        table.free(tap, &Op::Socket(1, 2, 2, 0));
        table.judge(tap, &format!("{name} with AF_UNSPEC"), &[], &op, EPERM);
        tap.same(
            &format!("{name} with AF_UNSPEC: the record"),
            requests("reject_log"),
            vec![line.to_owned()],
        );
        table.judge(tap, &format!("{name} with AF_UNSPEC"), &[line], &op, 0);
    }
    // TCP_FASTOPEN_CONNECT: connect only notes the address, the first data opens the connection.
    table.free(tap, &Op::Close(1));
    table.free(tap, &Op::Socket(1, 2, 1, 0));
    table.free(tap, &raw(libc::SYS_setsockopt, &[n(FIRST), n(6), n(30), structure(4, &[(0, 1)]), n(4)]));
    let connect = Op::Connect(1, b"127.0.0.1:7201".to_vec());
    let line = "allow_network TCP connect 127.0.0.1 7201";
    table.judge(tap, "connect with TCP_FASTOPEN_CONNECT", &[], &connect, EPERM);
    tap.same("its record", requests("reject_log"), vec![line.to_owned()]);
    table.free(tap, &Op::Close(1));
}

/// A raw socket of IPv6 takes a destination without a family for one of IPv6.
fn unspecified_raw(tap: &mut Tap, table: &mut Table) {
    const ICMPV6: u32 = 58;
    table.free(tap, &Op::Socket(1, 10, 3, ICMPV6));
    // ICMPV6_FILTER: the socket itself gets nothing, or what arrives would be recorded, too.
    let nothing = b(&[0xFF; 32]);
    table.free(tap, &raw(libc::SYS_setsockopt, &[n(FIRST), n(ICMPV6.into()), n(1), nothing, n(32)]));
    // struct sockaddr_in6: family, port, flow, address, scope.
    let address = b(&[&[0; 8][..], &Ipv6Addr::LOCALHOST.octets(), &[0; 4]].concat());
    // Of a type that is for experiments.
    let packet = b(&[200, 0, 0, 0, 0, 0, 0, 0]);
    let op = raw(libc::SYS_sendto, &[n(FIRST), packet, n(8), n(0), address, n(28)]);
    let line = "allow_network RAW connect 0:0:0:0:0:0:0:1 58";
    table.judge(tap, "RAW6 sendto with AF_UNSPEC", &[], &op, EPERM);
    tap.same("RAW6 sendto with AF_UNSPEC: the record", requests("reject_log"), vec![line.to_owned()]);
    table.judge(tap, "RAW6 sendto with AF_UNSPEC", &[line], &op, 0);
    tap.same("RAW6 sendto with AF_UNSPEC: the grant", asked("grant_log"), vec![line.to_owned()]);
    table.free(tap, &Op::Close(1));
}

/// lsm_get_self_attr: the domain is the attribute LSM_ATTR_CURRENT.
fn attribute(tap: &mut Tap, table: &mut Table) {
    const LSM_GET_SELF_ATTR: libc::c_long = 459;
    const CURRENT: i64 = 100;
    /// No module has it.
    const UNKNOWN: i64 = 999;
    for (name, attribute, size, errno) in [
        ("lsm_get_self_attr", CURRENT, 512, 0),
        ("without room", CURRENT, 16, libc::E2BIG),
        ("another attribute", UNKNOWN, 512, libc::EOPNOTSUPP),
    ] {
        let context = structure(512, &[]);
        let op = raw(LSM_GET_SELF_ATTR, &[n(attribute), context, structure(4, &[(0, size)]), n(0)]);
        tap.same(name, table.enforced(&TRACED, &op), errno);
    }
}
