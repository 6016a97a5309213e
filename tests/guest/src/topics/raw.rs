// SPDX-License-Identifier: MIT OR Apache-2.0
//! System calls without a safe wrapper, made in a traced child, which needs SYS_PTRACE and SYS_KILL in every case.

use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;
use nix::libc;

use super::domain_of;
use super::mounts::with_places;
use super::table::{acls, drain, requests, with_subject, Table, CAPABILITIES};

const PROGRAM: &str = "/tmp/x/raw";
const VICTIM: &str = "/tmp/x/rawvictim";
const ESRCH: i32 = 3;

/// An argument that is a number.
fn n(number: i64) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// An argument that is a string or a structure.
fn b(bytes: &[u8]) -> Vec<u8> {
    [b":", bytes].concat()
}

fn raw(number: libc::c_long, arguments: &[Vec<u8>]) -> Op {
    Op::Raw(number as u64, arguments.to_vec())
}

/// A structure of so many bytes, zero but for the words at these offsets.
fn structure(length: usize, words: &[(usize, u32)]) -> Vec<u8> {
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
            attributes(tap, table);
            unspecified(tap, table);
            attribute(tap, table);
        });
    });
}

/// Each needs its own capability, and all others do not do.
fn capabilities(tap: &mut Tap, table: &mut Table) {
    table.profiles = [5, 6, 7];
    // struct timex: ADJ_STATUS, and STA_UNSYNC, which it is anyway.
    let timex = structure(208, &[(0, 0x10), (40, 0x40)]);
    let zone = structure(8, &[]);
    for (name, capability, op) in [
        ("vhangup", "SYS_VHANGUP", raw(libc::SYS_vhangup, &[])),
        ("kexec_load", "SYS_KEXEC_LOAD", raw(libc::SYS_kexec_load, &[n(0), n(0), n(0), n(0)])),
        ("adjtimex", "SYS_TIME", raw(libc::SYS_adjtimex, std::slice::from_ref(&timex))),
        ("clock_adjtime", "SYS_TIME", raw(libc::SYS_clock_adjtime, &[n(0), timex.clone()])),
        ("settimeofday of a zone", "SYS_TIME", raw(libc::SYS_settimeofday, &[n(0), zone])),
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
        let lines = [needed.as_str(), "allow_capability SYS_PTRACE", "allow_capability SYS_KILL"];
        let errno = table.enforced(&lines, &op);
        tap.same(&format!("{name}, allowed"), errno, 0);
        tap.check(&format!("{name}: the grant"), requests("grant_log").contains(&needed), String::new);
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

/// mount_setattr(2) has no hook that shows the place, so its entry names none.
fn attributes(tap: &mut Tap, table: &mut Table) {
    const LINE: &str = "allow_mount <NULL> <NULL> --mount_setattr 0x0";
    let at = n(libc::AT_FDCWD.into());
    // struct mount_attr: what to set, what to clear.
    let call = |set: u32, clear: u32| {
        let attributes = structure(32, &[(0, set), (8, clear)]);
        raw(libc::SYS_mount_setattr, &[at.clone(), b(b"/tmp/m"), n(0), attributes, n(32)])
    };
    let read_only = || std::fs::write("/tmp/m/probe", "").is_err();
    let refused = table.enforced(&["allow_mount any /tmp/m/ --remount 0-0xFFFF"], &call(1, 0));
    tap.same("mount_setattr", refused, EPERM);
    tap.same("mount_setattr: the record", requests("reject_log"), vec![LINE.to_owned()]);
    tap.same("mount_setattr: nothing has changed", read_only(), false);
    table.judge(tap, "mount_setattr", &[LINE], &call(1, 0), 0);
    tap.same("mount_setattr: it is read-only", read_only(), true);
    table.judge(tap, "mount_setattr back", &[LINE], &call(0, 1), 0);
}

/// An address of the family AF_UNSPEC, which Linux takes for IPv4 in bind and for datagrams.
fn unspecified(tap: &mut Tap, table: &mut Table) {
    // The first descriptor behind the standard ones.
    const SLOT: i64 = 3;
    // struct sockaddr_in: family, port, address.
    let address = |last: [u8; 4]| b(&[&[0, 0, 0x1C, 0x20][..], &last, &[0; 8]].concat());
    for (name, op, line) in [
        (
            "bind",
            raw(libc::SYS_bind, &[n(SLOT), address([0; 4]), n(16)]),
            "allow_network UDP bind 0.0.0.0 7200",
        ),
        (
            "sendto",
            raw(libc::SYS_sendto, &[n(SLOT), b(b"x"), n(1), n(0), address([127, 0, 0, 1]), n(16)]),
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
    table.free(tap, &raw(libc::SYS_setsockopt, &[n(SLOT), n(6), n(30), structure(4, &[(0, 1)]), n(4)]));
    let connect = Op::Connect(1, b"127.0.0.1:7201".to_vec());
    let line = "allow_network TCP connect 127.0.0.1 7201";
    table.judge(tap, "connect with TCP_FASTOPEN_CONNECT", &[], &connect, EPERM);
    tap.same("its record", requests("reject_log"), vec![line.to_owned()]);
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
        let lines = ["allow_capability SYS_PTRACE", "allow_capability SYS_KILL"];
        tap.same(name, table.enforced(&lines, &op), errno);
    }
}
