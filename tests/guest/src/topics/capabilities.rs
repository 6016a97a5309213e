// SPDX-License-Identifier: MIT OR Apache-2.0
//! Capabilities (reference 4.10): each allowed, and refused with all others there; nothing else is enforced meanwhile.
//!
//! SYS_VHANGUP and SYS_KEXEC_LOAD have no safe wrapper; the topic `raw` tries them.

use std::fs;

use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::mounts::{mounted, with_places};
use super::table::{case, requests, with_subject, Case, Table};

const PROGRAM: &str = "/tmp/x/capabilities";
const PEER: &str = "/tmp/x/traced";
const NEW: &[u8] = b"/tmp/w/new";
const FILE: &[u8] = b"/tmp/w/file";
const NEWNS: u32 = 0x20000;
const SIGCONT: i32 = 18;
const ENOENT: i32 = 2;
const ENOEXEC: i32 = 8;
const EFAULT: i32 = 14;
const EACCES: i32 = 13;
const EINVAL: i32 = 22;

pub fn run(tap: &mut Tap) {
    tap.topic("capabilities");
    with_places(tap, |tap| {
        with_subject(tap, PROGRAM, |tap, table| {
            table.profiles = [5, 6, 7];
            table.all(tap, &network());
            table.all(tap, &mounts());
            table.all(tap, &names());
            table.all(tap, &machine(table));
            free(tap, table);
            tracing(tap, table);
            conditions(tap, table);
        });
    });
}

fn new() -> bool {
    fs::symlink_metadata("/tmp/w/new").is_ok()
}

fn network() -> Vec<Case> {
    let socket = |family, kind, protocol| Op::Socket(1, family, kind, protocol);
    let to = b"127.0.0.1:7000".to_vec();
    let listening =
        [Op::Socket(2, 2, 1, 0), Op::Reuse(2), Op::Bind(2, to.clone()), Op::Listen(2), socket(2, 1, 0)];
    let close = [Op::Close(1), Op::Close(2)];
    let cases = vec![
        case("a TCP socket", socket(2, 1, 0), &["allow_capability inet_tcp_create"]),
        case("a TCP6 socket", socket(10, 1, 6), &["allow_capability inet_tcp_create"]),
        case("listen", Op::Listen(1), &["allow_capability inet_tcp_listen"]).before(&[socket(2, 1, 0)]),
        case("connect", Op::Connect(1, to.clone()), &["allow_capability inet_tcp_connect"])
            .before(&listening),
        case(
            "MSG_FASTOPEN",
            Op::Sendto(1, to, 0x2000_0000, b"x".to_vec()),
            &["allow_capability inet_tcp_connect"],
        )
        .before(&listening),
        case("a UDP socket", socket(2, 2, 0), &["allow_capability use_inet_udp"]),
        case("a UDP6 socket", socket(10, 2, 0), &["allow_capability use_inet_udp"]),
        case("a raw socket", socket(2, 3, 1), &["allow_capability use_inet_ip"]),
        case("a raw IPv6 socket", socket(10, 3, 58), &["allow_capability use_inet_ip"]),
        case("a netlink socket", socket(16, 3, 0), &["allow_capability use_route"]),
        case("a packet socket", socket(17, 3, 0), &["allow_capability use_packet"]),
        case("a cooked packet socket", socket(17, 2, 0), &["allow_capability use_packet"]),
    ];
    cases.into_iter().map(|case| case.after(&close)).collect()
}

fn mounts() -> Vec<Case> {
    let tmpfs = |dir: &str| Op::Mount(b"none".to_vec(), dir.into(), b"tmpfs".to_vec(), 0, Vec::new());
    let bind = Op::Mount(b"/tmp/m/a".to_vec(), b"/tmp/m/b".to_vec(), Vec::new(), 0x1000, Vec::new());
    let umount = Op::Umount(b"/tmp/m/b".to_vec(), 2);
    let off = std::slice::from_ref(&umount);
    let pivot = Op::PivotRoot(b"/tmp/m/b".to_vec(), b"/tmp/m/b".to_vec());
    vec![
        case("mount", tmpfs("/tmp/m/b"), &["allow_capability SYS_MOUNT"])
            .after(off)
            .happened(|| mounted("/tmp/m/b")),
        case("bind", bind.clone(), &["allow_capability SYS_MOUNT"])
            .after(off)
            .happened(|| mounted("/tmp/m/b")),
        case(
            "mount over a mount",
            tmpfs("/tmp/m/b"),
            &["allow_capability SYS_MOUNT", "allow_capability conceal_mount"],
        )
        .before(&[tmpfs("/tmp/m/b")])
        .after(&[umount.clone(), umount.clone()]),
        case("bind over a mount", bind, &["allow_capability SYS_MOUNT", "allow_capability conceal_mount"])
            .before(&[tmpfs("/tmp/m/b")])
            .after(&[umount.clone(), umount.clone()]),
        case(
            "mount over a folder with a mount in it",
            tmpfs("/tmp/m/a"),
            &["allow_capability SYS_MOUNT", "allow_capability conceal_mount"],
        )
        .before(&[tmpfs("/tmp/m/a/sub")])
        .after(&[Op::Umount(b"/tmp/m/a".to_vec(), 2), Op::Umount(b"/tmp/m/a/sub".to_vec(), 2)]),
        case("umount", umount.clone(), &["allow_capability SYS_UMOUNT"])
            .before(&[tmpfs("/tmp/m/b")])
            .after(off)
            .happened(|| !mounted("/tmp/m/b")),
        case(
            "chroot",
            Op::Fork(Box::new(Op::Chroot(b"/tmp/m/a".to_vec()))),
            &["allow_capability SYS_CHROOT"],
        ),
        case(
            "pivot_root",
            Op::Fork(Box::new(Op::Both(Box::new(Op::Unshare(NEWNS)), Box::new(pivot)))),
            &["allow_capability SYS_PIVOT_ROOT"],
        )
        .before(&[tmpfs("/tmp/m/b")])
        .after(off)
        // The root is on rootfs.
        .answers(EINVAL),
    ]
}

fn names() -> Vec<Case> {
    let node = |kind: u32| Op::Node(NEW.to_vec(), kind | 0o600, 1, 3);
    let made = |name, op, capability: &str| {
        case(name, op, &[&format!("allow_capability {capability}")]).happened(new).after(&[Op::Close(1)])
    };
    vec![
        made("mkfifo", Op::Node(NEW.to_vec(), 0o010600, 0, 0), "create_fifo"),
        made("mkblock", node(0o060000), "create_block_dev"),
        made("mkchar", node(0o020000), "create_char_dev"),
        made("mknod of a socket", node(0o140000), "create_unix_socket"),
        made("bind of a socket", Op::BindUnix(1, NEW.to_vec()), "create_unix_socket")
            .before(&[Op::Socket(1, 1, 2, 0)]),
        made("link", Op::Link(FILE.to_vec(), NEW.to_vec()), "SYS_LINK"),
        made("symlink", Op::Symlink(b"x".to_vec(), NEW.to_vec()), "SYS_SYMLINK"),
        made("rename", Op::Rename(FILE.to_vec(), NEW.to_vec()), "SYS_RENAME"),
        made("rename of a directory", Op::Rename(b"/tmp/w/dir".to_vec(), NEW.to_vec()), "SYS_RENAME"),
        case("unlink", Op::Unlink(FILE.to_vec()), &["allow_capability SYS_UNLINK"])
            .happened(|| fs::metadata("/tmp/w/file").is_err()),
        case("chmod", Op::Chmod(FILE.to_vec(), 0o600), &["allow_capability SYS_CHMOD"]),
        case("fchmod", Op::FdChmod(1, 0o600), &["allow_capability SYS_CHMOD"]).before(&[Op::Hold(
            1,
            FILE.to_vec(),
            0,
            0,
        )]),
        case("chown", Op::Chown(FILE.to_vec(), 1, -1), &["allow_capability SYS_CHOWN"]),
        case("chown of both", Op::Chown(FILE.to_vec(), 1, 1), &["allow_capability SYS_CHOWN"]),
        case("lchown", Op::Lchown(b"/tmp/w/link".to_vec(), -1, 1), &["allow_capability SYS_CHOWN"]),
        case("fchown", Op::FdChown(1, 1, 1), &["allow_capability SYS_CHOWN"]).before(&[Op::Hold(
            1,
            FILE.to_vec(),
            0,
            0,
        )]),
        case("ioctl of a pipe", Op::Ioctl(1, b"FIONREAD".to_vec()), &["allow_capability SYS_IOCTL"])
            .before(&[Op::Pipe(1, 2)]),
        case("ioctl of a terminal", Op::Ioctl(1, b"TIOCGWINSZ".to_vec()), &["allow_capability SYS_IOCTL"])
            .before(&[Op::Hold(1, b"/dev/console".to_vec(), 0o402, 0)]),
        case("ioctl of a socket", Op::Ioctl(1, b"SIOCGIFINDEX".to_vec()), &["allow_capability SYS_IOCTL"])
            .before(&[Op::Socket(1, 1, 2, 0)])
            .after(&[Op::Close(1), Op::Close(2)]),
    ]
}

fn machine(table: &Table) -> Vec<Case> {
    let own = table.subject.pid() as i32;
    let kill = &["allow_capability SYS_KILL"];
    vec![
        case("kill of oneself", Op::Kill(own, SIGCONT), kill),
        case("tgkill of oneself", Op::Raise(SIGCONT), kill),
        case("pidfd_send_signal", Op::PidfdSignal(1, SIGCONT), kill).before(&[Op::Pidfd(1, own)]),
        case("sethostname", Op::Hostname(b"guest".to_vec()), &["allow_capability SYS_SETHOSTNAME"])
            .before(&[Op::Hostname(b"before".to_vec())])
            .happened(|| {
                fs::read_to_string("/proc/sys/kernel/hostname").is_ok_and(|name| name.trim() == "guest")
            }),
        case("setdomainname", Op::Domainname(b"guest".to_vec()), &["allow_capability SYS_SETHOSTNAME"])
            .before(&[Op::Domainname(b"before".to_vec())])
            .happened(|| {
                fs::read_to_string("/proc/sys/kernel/domainname").is_ok_and(|name| name.trim() == "guest")
            }),
        case("clock_settime", Op::Settime(), &["allow_capability SYS_TIME"]),
        case("nice", Op::Nice(), &["allow_capability SYS_NICE"]),
        case("setpriority", Op::Setpriority(), &["allow_capability SYS_NICE"]),
        case("reboot", Op::Reboot(), &["allow_capability SYS_REBOOT"]),
        case("init_module", Op::InitModule(vec![b'x'; 4096]), &["allow_capability use_kernel_module"])
            .answers(ENOEXEC),
        case("finit_module", Op::FinitModule(1), &["allow_capability use_kernel_module"])
            .before(&[Op::Hold(1, FILE.to_vec(), 0, 0)])
            .answers(ENOEXEC),
        case("delete_module", Op::DeleteModule(b"nothing".to_vec()), &["allow_capability use_kernel_module"])
            .answers(ENOENT),
        case("ptrace TRACEME", Op::Fork(Box::new(Op::Traceme())), &["allow_capability SYS_PTRACE"]),
    ]
}

/// What needs no capability.
fn free(tap: &mut Tap, table: &mut Table) {
    super::fresh_work();
    table.free(tap, &Op::Hold(3, FILE.to_vec(), 2, 0));
    let own = table.subject.pid() as i32;
    for (name, op) in [
        ("signal 0", Op::Kill(own, 0)),
        ("rmdir", Op::Rmdir(b"/tmp/w/dir".to_vec())),
        ("mkdir", Op::Mkdir(NEW.to_vec(), 0o700)),
        ("mknod of a file", Op::Mknod(b"/tmp/w/node".to_vec(), 0o600)),
        ("opening", Op::Open(FILE.to_vec(), 2, 0)),
        ("an AF_UNIX socket", Op::Socket(1, 1, 1, 0)),
        ("chown of neither", Op::Chown(FILE.to_vec(), -1, -1)),
        ("an ioctl that no driver sees", Op::Ioctl(3, b"FIONBIO".to_vec())),
    ] {
        table.judge(tap, name, &[], &op, 0);
        tap.same(
            &format!("{name}: no record"),
            requests("grant_log").len() + requests("reject_log").len(),
            0,
        );
    }
    for slot in [1, 2, 3] {
        table.free(tap, &Op::Close(slot));
    }
}

/// Another process traced, and its memory opened.
fn tracing(tap: &mut Tap, table: &mut Table) {
    let domain = super::domain_of(PEER);
    guest::kernel::set_domain(&domain, 0, &[]);
    match Subject::start(PEER) {
        Ok(mut peer) => {
            let pid = peer.pid() as i32;
            let memory: Vec<u8> = format!("/proc/{pid}/mem").into();
            let allowed = &["allow_capability SYS_PTRACE"][..];
            table.free(tap, &Op::Pidfd(1, pid));
            for (name, op, errno, answer) in [
                ("PTRACE_ATTACH", Op::Attach(pid), EPERM, 0),
                ("pidfd_getfd", Op::PidfdGet(1, 0), EPERM, 0),
                ("process_vm_writev", Op::VmWrite(pid), EPERM, EFAULT),
                ("memory for writing", Op::Open(memory.clone(), 2, 0), EACCES, 0),
                ("memory for reading", Op::Open(memory, 0, 0), EACCES, 0),
            ] {
                table.judge(tap, name, &["allow_capability SYS_KILL"], &op, errno);
                tap.same(&format!("{name}: the record"), requests("reject_log"), vec![allowed[0].to_owned()]);
                table.judge(tap, name, allowed, &op, answer);
            }
            tap.same("the traced process goes on", peer.errno(&Op::Open(b"/".to_vec(), 0, 0)), 0);
        }
        Err(e) => tap.check("the traced process starts", false, || e.to_string()),
    }
    guest::kernel::delete_domain(&domain);
}

/// Conditions on the task hold, those on a path never do.
fn conditions(tap: &mut Tap, table: &mut Table) {
    for (condition, errno) in [
        ("task.uid=0", 0),
        ("task.uid!=0", EPERM),
        ("path1.uid=0", EPERM),
        ("path1.uid!=0", EPERM),
        ("task.state[0]=0 ; set task.state[0]=0", 0),
    ] {
        let line = format!("allow_capability SYS_NICE if {condition}");
        table.judge(tap, "nice", &[&line], &Op::Nice(), errno);
    }
}
