// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mounts by the old system calls (reference 4.8), umount, chroot, pivot_root.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use guest::kernel::{delete_domain, read, set_domain};
use guest::op::Op;
use guest::subject::EPERM;
use guest::tap::Tap;

use super::table::{acls, case, drain, requests, with_subject, Case, Table};

const PROGRAM: &str = "/tmp/x/mounts";

const ENOENT: i32 = 2;
const ENODEV: i32 = 19;
const EINVAL: i32 = 22;

const RDONLY: u64 = 1;
const SILENT: u64 = 0x8000;
const REMOUNT: u64 = 0x20;
const BIND: u64 = 0x1000;
const MOVE: u64 = 0x2000;
const REC: u64 = 0x4000;
const UNBINDABLE: u64 = 1 << 17;
const PRIVATE: u64 = 1 << 18;
const SLAVE: u64 = 1 << 19;
const SHARED: u64 = 1 << 20;
const NEWNS: u32 = 0x20000;

pub fn run(tap: &mut Tap) {
    tap.topic("mounts");
    with_places(tap, |tap| {
        with_subject(tap, PROGRAM, |tap, table| {
            table.all(tap, &kinds());
            table.all(tap, &changes());
            table.all(tap, &leaving());
            table.all(tap, &rooting());
            devices(tap, table);
            impossible(tap, table);
            compared(tap, table);
            roots(tap, table);
            unprivileged(tap, table);
            modules(tap, table);
            table.profiles = [5, 6, 7];
            table.all(tap, &concealing());
            hidden(tap, table);
        });
    });
}

/// A tmpfs /tmp/m with the places `a/` (with `sub/`), `b/`, `file`, `other`, while `topic` runs.
pub fn with_places(tap: &mut Tap, topic: impl FnOnce(&mut Tap)) {
    let make = || -> std::io::Result<()> {
        fs::create_dir_all("/tmp/m")?;
        nix::mount::mount(Some("none"), "/tmp/m", Some("tmpfs"), nix::mount::MsFlags::empty(), None::<&str>)?;
        fs::create_dir_all("/tmp/m/a/sub")?;
        fs::create_dir_all("/tmp/m/b")?;
        fs::write("/tmp/m/file", "data")?;
        fs::write("/tmp/m/other", "")
    };
    match make() {
        Ok(()) => topic(tap),
        Err(e) => tap.check("there is a place for mounts", false, || e.to_string()),
    }
    let left = mounts_below("/tmp/m/");
    tap.same("no mount is left", left, Vec::<String>::new());
    let gone = nix::mount::umount2("/tmp/m", nix::mount::MntFlags::MNT_DETACH);
    tap.check("the place is gone", gone.is_ok(), || format!("{gone:?}"));
    drop(fs::remove_dir("/tmp/m"));
}

fn mounts_below(folder: &str) -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let words = text.lines().filter_map(|line| line.split(' ').nth(1));
    words.filter(|place| place.starts_with(folder)).map(str::to_owned).collect()
}

/// Whether something is mounted there.
pub fn mounted(place: &str) -> bool {
    mounts_below(place).iter().any(|found| found == place)
}

fn on_b() -> bool {
    mounted("/tmp/m/b")
}

fn mount(dev: &str, dir: &str, kind: &str, flags: u64) -> Op {
    Op::Mount(dev.into(), dir.into(), kind.into(), flags, Vec::new())
}

fn umount(dir: &str) -> Op {
    Op::Umount(dir.into(), 2)
}

fn tmpfs(dir: &str) -> Op {
    mount("none", dir, "tmpfs", 0)
}

fn kinds() -> Vec<Case> {
    let plain =
        |name, op, line: &'static str| case(name, op, &[line]).happened(on_b).after(&[umount("/tmp/m/b")]);
    vec![
        plain("tmpfs", mount("none", "/tmp/m/b", "tmpfs", 0), "allow_mount none /tmp/m/b/ tmpfs 0x0"),
        plain(
            "read-only tmpfs",
            mount("my dev", "/tmp/m/b", "tmpfs", RDONLY),
            "allow_mount my\\040dev /tmp/m/b/ tmpfs 0x1",
        ),
        plain("no device", mount("", "/tmp/m/b", "tmpfs", 0), "allow_mount <NULL> /tmp/m/b/ tmpfs 0x0"),
        plain(
            "the old magic number",
            mount("none", "/tmp/m/b", "tmpfs", 0xC0ED_0000 | RDONLY),
            "allow_mount none /tmp/m/b/ tmpfs 0x1",
        ),
        // Fewer messages in the kernel's log are no matter for policy (quirk Q34).
        plain(
            "silent tmpfs",
            mount("none", "/tmp/m/b", "tmpfs", SILENT | RDONLY),
            "allow_mount none /tmp/m/b/ tmpfs 0x1",
        ),
        plain(
            "silent bind",
            mount("/tmp/m/a", "/tmp/m/b", "", BIND | SILENT),
            "allow_mount /tmp/m/a/ /tmp/m/b/ --bind 0x0",
        ),
        plain("proc", mount("proc", "/tmp/m/b", "proc", 0), "allow_mount proc /tmp/m/b/ proc 0x0"),
        plain("bind", mount("/tmp/m/a", "/tmp/m/b", "", BIND), "allow_mount /tmp/m/a/ /tmp/m/b/ --bind 0x0"),
        plain(
            "bind with all below",
            mount("/tmp/m/a", "/tmp/m/b", "", BIND | REC),
            "allow_mount /tmp/m/a/ /tmp/m/b/ --bind 0x4000",
        ),
        plain(
            "bind through a link",
            mount("/tmp/w/link", "/tmp/m/b", "", BIND),
            "allow_mount /tmp/w/dir/ /tmp/m/b/ --bind 0x0",
        ),
        case(
            "bind of a file",
            mount("/tmp/m/file", "/tmp/m/other", "", BIND),
            &["allow_mount /tmp/m/file /tmp/m/other --bind 0x0"],
        )
        .happened(|| mounted("/tmp/m/other"))
        .after(&[umount("/tmp/m/other")]),
    ]
}

fn changes() -> Vec<Case> {
    let change = |name, flags, line: &'static str| {
        case(name, mount("", "/tmp/m/b", "", flags), &[line])
            .before(&[tmpfs("/tmp/m/b")])
            .after(&[umount("/tmp/m/b")])
    };
    vec![
        change("remount", REMOUNT | RDONLY, "allow_mount <NULL> /tmp/m/b/ --remount 0x1").happened(read_only),
        change("silent remount", REMOUNT | SILENT | RDONLY, "allow_mount <NULL> /tmp/m/b/ --remount 0x1")
            .happened(read_only),
        change("make private, silently", PRIVATE | SILENT, "allow_mount <NULL> /tmp/m/b/ --make-private 0x0"),
        // The first of the two decides (feature 45).
        change("remount of a bind", REMOUNT | BIND | RDONLY, "allow_mount <NULL> /tmp/m/b/ --remount 0x1001")
            .happened(read_only),
        change("make shared", SHARED, "allow_mount <NULL> /tmp/m/b/ --make-shared 0x0"),
        change("make all shared", SHARED | REC, "allow_mount <NULL> /tmp/m/b/ --make-shared 0x4000"),
        change("make private", PRIVATE, "allow_mount <NULL> /tmp/m/b/ --make-private 0x0"),
        change("make slave", SLAVE, "allow_mount <NULL> /tmp/m/b/ --make-slave 0x0"),
        change("make unbindable", UNBINDABLE, "allow_mount <NULL> /tmp/m/b/ --make-unbindable 0x0"),
        // Moving needs no allow_unmount (feature 47).
        case(
            "move",
            mount("/tmp/m/a", "/tmp/m/b", "", MOVE),
            &["allow_mount /tmp/m/a/ /tmp/m/b/ --move 0x0"],
        )
        .before(&[tmpfs("/tmp/m/a")])
        .after(&[umount("/tmp/m/a"), umount("/tmp/m/b")])
        .happened(on_b),
    ]
}

fn read_only() -> bool {
    fs::write("/tmp/m/b/probe", "").is_err()
}

fn leaving() -> Vec<Case> {
    vec![
        case("umount", Op::Umount(b"/tmp/m/b".to_vec(), 0), &["allow_unmount /tmp/m/b/"])
            .before(&[tmpfs("/tmp/m/b")])
            .after(&[umount("/tmp/m/b")])
            .happened(|| !on_b()),
        case("lazy umount", Op::Umount(b"/tmp/m/b".to_vec(), 2), &["allow_unmount /tmp/m/b/"])
            .before(&[tmpfs("/tmp/m/b")])
            .after(&[umount("/tmp/m/b")])
            .happened(|| !on_b()),
        // Feature 48: no slash behind a file.
        case("umount of a file", Op::Umount(b"/tmp/m/other".to_vec(), 0), &["allow_unmount /tmp/m/other"])
            .before(&[mount("/tmp/m/file", "/tmp/m/other", "", BIND)])
            .after(&[umount("/tmp/m/other")])
            .happened(|| !mounted("/tmp/m/other")),
    ]
}

fn chroot() -> Op {
    Op::Fork(Box::new(Op::Chroot(b"/tmp/m/a".to_vec())))
}

fn pivot() -> Op {
    Op::Fork(Box::new(Op::Both(
        Box::new(Op::Unshare(NEWNS)),
        Box::new(Op::PivotRoot(b"/tmp/m/a".to_vec(), b"/tmp/m/a/old".to_vec())),
    )))
}

fn rooting() -> Vec<Case> {
    vec![
        case("chroot", chroot(), &["allow_chroot /tmp/m/a/"]),
        case("pivot_root", pivot(), &["allow_pivot_root /tmp/m/a/ /tmp/m/a/old/"])
            .before(&[tmpfs("/tmp/m/a"), Op::Mkdir(b"/tmp/m/a/old".to_vec(), 0o700)])
            .after(&[umount("/tmp/m/a")])
            // The root is on rootfs.
            .answers(EINVAL),
    ]
}

/// Moving a mount over another one hides that; the topic `capabilities` has the other ways.
fn concealing() -> Vec<Case> {
    vec![case(
        "move over a mount",
        mount("/tmp/m/a", "/tmp/m/b", "", MOVE),
        &["allow_capability SYS_MOUNT", "allow_capability conceal_mount"],
    )
    .before(&[tmpfs("/tmp/m/a"), tmpfs("/tmp/m/b")])
    .after(&[umount("/tmp/m/a"), umount("/tmp/m/b"), umount("/tmp/m/b")])
    .happened(|| !mounted("/tmp/m/a"))]
}

/// A type that needs a block device: the device is compared. Nothing is on the disk, so a mount that is allowed fails
/// with EINVAL.
fn devices(tap: &mut Tap, table: &mut Table) {
    super::fresh_work();
    if !fs::exists("/dev/ram0").unwrap_or(false) {
        return tap.check("there is a ram disk", false, || "no /dev/ram0".into());
    }
    let ext4 = mount("/dev/ram0", "/tmp/m/b", "ext4", RDONLY);
    let line = "allow_mount /dev/ram0 /tmp/m/b/ ext4 0x1";
    table.judge(tap, "ext4", &[line], &ext4, EINVAL);
    tap.same("ext4: the grant", requests("grant_log"), vec![line.to_owned()]);
    for other in [
        "allow_mount /dev/ram1 /tmp/m/b/ ext4 0x1",
        "allow_mount /dev/ram0 /tmp/m/a/ ext4 0x1",
        "allow_mount /dev/ram0 /tmp/m/b ext4 0x1",
        "allow_mount /dev/ram0 /tmp/m/b/ ext2 0x1",
        "allow_mount /dev/ram0 /tmp/m/b/ ext4 0x0",
        "allow_mount /dev/ram0 /tmp/m/b/ --bind 0x1",
    ] {
        table.judge(tap, "ext4", &[other], &ext4, EPERM);
        tap.same("ext4: the record", requests("reject_log"), vec![line.to_owned()]);
    }
    for (pattern, errno) in [
        ("allow_mount /dev/ram\\$ /tmp/\\*/\\*/ ext\\+ 0x0-0xF", EINVAL),
        ("allow_mount /dev/\\A /tmp/m/b/ ext4 0x1", EPERM),
        ("allow_mount @MOUNT_DEVICES /tmp/m/b/ ext4 0x1", EPERM),
    ] {
        table.judge(tap, "patterns", &[pattern], &ext4, errno);
    }
    table.free(tap, &Op::Symlink(b"/dev/ram0".to_vec(), b"/tmp/w/disk".to_vec()));
    let link = mount("/tmp/w/disk", "/tmp/m/b", "ext4", RDONLY);
    table.judge(tap, "a link to the device", &[line], &link, EINVAL);
    for (condition, errno) in [
        ("path1.type=block", EINVAL),
        ("path1.type=char", EPERM),
        ("path1.dev_major=1 path1.dev_minor=0", EINVAL),
        ("path2.type=directory path2.uid=0", EINVAL),
        ("path2.parent.uid=1", EPERM),
    ] {
        table.judge(tap, "ext4", &[&format!("{line} if {condition}")], &ext4, errno);
    }
    set_domain(&table.name, 1, &[]);
    drain();
    tap.same("ext4, learning", table.subject.errno(&ext4), EINVAL);
    tap.same("ext4, learned", acls(&table.name), vec![line.to_owned()]);
    for (name, op, errno) in [
        ("a missing device", mount("/dev/nothing", "/tmp/m/b", "ext4", RDONLY), ENOENT),
        ("a missing source", mount("/tmp/m/nothing", "/tmp/m/b", "", BIND), ENOENT),
        ("an unknown type", mount("none", "/tmp/m/b", "nothingfs", 0), ENODEV),
    ] {
        for profile in [3, 1] {
            set_domain(&table.name, profile, &[]);
            drain();
            tap.same(&format!("{name}, profile {profile}"), table.subject.errno(&op), errno);
            let count = requests("reject_log").len() + requests("grant_log").len();
            tap.same(&format!("{name}, profile {profile}: no record"), count, 0);
            tap.same(&format!("{name}, profile {profile}: nothing learned"), acls(&table.name), Vec::new());
        }
    }
}

/// More than one of the four propagation flags (reference 9.5).
fn impossible(tap: &mut Tap, table: &mut Table) {
    table.free(tap, &tmpfs("/tmp/m/b"));
    for flags in [SHARED | PRIVATE, SLAVE | UNBINDABLE, SHARED | PRIVATE | SLAVE | UNBINDABLE] {
        for profile in [3, 2, 1] {
            set_domain(&table.name, profile, &["allow_mount \\* /tmp/m/b/ \\* 0-0xFFFFFFFF"]);
            drain();
            let errno = table.subject.errno(&mount("", "/tmp/m/b", "", flags));
            tap.same(&format!("flags {flags:#x}, profile {profile}"), errno, EINVAL);
        }
    }
    table.free(tap, &umount("/tmp/m/b"));
}

/// What is compared and what is not: the device only where it is one.
fn compared(tap: &mut Tap, table: &mut Table) {
    let op = mount("none", "/tmp/m/b", "tmpfs", RDONLY);
    for (line, errno) in [
        ("allow_mount any /tmp/m/b/ tmpfs 0x1", 0),
        ("allow_mount @MOUNT_NOBODY /tmp/m/b/ tmpfs 1", 0),
        ("allow_mount any /tmp/m/\\*/ \\*fs 0-1", 0),
        ("allow_mount any /tmp/m/b/ @MOUNT_TYPES 0x1", EPERM),
        ("allow_mount any /tmp/m/b tmpfs 0x1", EPERM),
        ("allow_mount any /tmp/m/b/ ramfs 0x1", EPERM),
        ("allow_mount any /tmp/m/b/ tmpfs 0x0", EPERM),
        ("allow_mount any /tmp/m/b/ tmpfs 0x1 if path1.uid=0", EPERM),
        ("allow_mount any /tmp/m/b/ tmpfs 0x1 if path2.uid=0 path2.type=directory", 0),
    ] {
        table.judge(tap, "tmpfs", &[line], &op, errno);
        tap.same(&format!("tmpfs with {line}: it is mounted"), on_b(), errno == 0);
        if errno == 0 {
            table.free(tap, &umount("/tmp/m/b"));
        }
    }
    let bind = mount("/tmp/m/a", "/tmp/m/b", "", BIND);
    for (line, errno) in [
        ("allow_mount /tmp/m/\\*/ /tmp/m/b/ --bind 0x0", 0),
        ("allow_mount /tmp/m/a /tmp/m/b/ --bind 0x0", EPERM),
        ("allow_mount /tmp/m/b/ /tmp/m/a/ --bind 0x0", EPERM),
        ("allow_mount any /tmp/m/b/ --bind 0x0", EPERM),
        ("allow_mount /tmp/m/a/ /tmp/m/b/ --move 0x0", EPERM),
        ("allow_mount /tmp/m/a/ /tmp/m/b/ --bind 0x0 if path1.type=directory path1.parent.uid=0", 0),
    ] {
        table.judge(tap, "bind", &[line], &bind, errno);
        if errno == 0 {
            table.free(tap, &umount("/tmp/m/b"));
        }
    }
}

/// chroot and pivot_root: the names have a slash at their end, and the new root comes first.
fn roots(tap: &mut Tap, table: &mut Table) {
    let line = "allow_chroot /tmp/m/a/";
    for other in ["allow_chroot /tmp/m/a", "allow_chroot /tmp/m/b/", "allow_unmount /tmp/m/a/"] {
        table.judge(tap, "chroot", &[other], &chroot(), EPERM);
        tap.same("chroot: the record", requests("reject_log"), vec![line.to_owned()]);
    }
    table.free(tap, &tmpfs("/tmp/m/a"));
    table.free(tap, &Op::Mkdir(b"/tmp/m/a/old".to_vec(), 0o700));
    let line = "allow_pivot_root /tmp/m/a/ /tmp/m/a/old/";
    for other in ["allow_pivot_root /tmp/m/a/old/ /tmp/m/a/", "allow_pivot_root /tmp/m/a /tmp/m/a/old"] {
        table.judge(tap, "pivot_root", &[other], &pivot(), EPERM);
        tap.same("pivot_root: the record", requests("reject_log"), vec![line.to_owned()]);
    }
    table.free(tap, &umount("/tmp/m/a"));
    tap.check("the domain is shown", read("domain_policy").contains(&table.name), String::new);
}

/// Who may not mount at all, because Linux forbids it, is refused before anything is looked up, recorded or learned.
fn unprivileged(tap: &mut Tap, table: &mut Table) {
    table.free(tap, &tmpfs("/tmp/m/b"));
    table.free(tap, &Op::Uids([10050, 10050, 0, 10050]));
    let all = "allow_mount \\* /\\{\\*\\}/ \\* 0-0xFFFFFFFF";
    for (name, op) in [
        ("a new mount", tmpfs("/tmp/m/b")),
        ("an unknown type", mount("none", "/tmp/m/b", "nothingfs", 0)),
        ("a missing device", mount("/dev/nothing", "/tmp/m/b", "ext4", 0)),
        ("a missing source", mount("/tmp/m/nothing", "/tmp/m/b", "", BIND)),
        ("a bind", mount("/tmp/m/a", "/tmp/m/b", "", BIND)),
        ("a move", mount("/tmp/m/b", "/tmp/m/a", "", MOVE)),
        ("a remount", mount("", "/tmp/m/b", "", REMOUNT | RDONLY)),
        ("another propagation", mount("", "/tmp/m/b", "", SHARED)),
        ("two propagations", mount("", "/tmp/m/b", "", SHARED | PRIVATE)),
        ("the old call", umount("/tmp/m/b")),
    ] {
        for (profile, lines) in [
            (3_u8, &[][..]),
            (3, &[all]),
            (1, &[]),
            (2, &[]),
            (5, &[]),
            (6, &[]),
            (7, &[]),
            (15, &[]),
            (0, &[]),
        ] {
            set_domain(&table.name, profile, lines);
            drain();
            let label = format!("{name} without CAP_SYS_ADMIN, profile {profile}, {} line(s)", lines.len());
            tap.same(&label, table.subject.errno(&op), EPERM);
            let records = [requests("reject_log"), requests("grant_log")].concat();
            tap.same(&format!("{label}: no record"), records, Vec::new());
            tap.same(&format!("{label}: nothing is learned"), acls(&table.name).len(), lines.len());
        }
    }
    table.free(tap, &Op::Uids([0; 4]));
    table.free(tap, &umount("/tmp/m/b"));
}

/// A type that is not there makes the kernel start a program that loads modules, but not for everybody.
fn modules(tap: &mut Tap, table: &mut Table) {
    const HELPER: &str = "/proc/sys/kernel/modprobe";
    const PROGRAM: &str = "/tmp/w/modprobe";
    const ASKED: &str = "/tmp/w/asked";
    super::fresh_work();
    let before = fs::read_to_string(HELPER).unwrap_or_default();
    let made = fs::write(PROGRAM, format!("#!/bin/busybox sh\n: > {ASKED}\n"))
        .and_then(|()| fs::set_permissions(PROGRAM, fs::Permissions::from_mode(0o755)))
        .and_then(|()| fs::write(HELPER, PROGRAM));
    tap.check("the program that loads modules is another one", made.is_ok(), || format!("{made:?}"));
    let op = mount("none", "/tmp/m/b", "sekishonone", 0);
    for (name, uids, asked) in [("root", [0; 4], true), ("a user", [10050, 10050, 0, 10050], false)] {
        for profile in [3, 1, 0] {
            drop(fs::remove_file(ASKED));
            table.free(tap, &Op::Uids(uids));
            set_domain(&table.name, profile, &[]);
            drain();
            let errno = if asked { ENODEV } else { EPERM };
            let label = format!("{name} mounts an unknown type, profile {profile}");
            tap.same(&label, table.subject.errno(&op), errno);
            tap.same(&format!("{label}: a module is loaded"), fs::exists(ASKED).unwrap_or(true), asked);
            table.free(tap, &Op::Uids([0; 4]));
        }
    }
    let back = fs::write(HELPER, before);
    tap.check("the program that loads modules is back", back.is_ok(), || format!("{back:?}"));
    let domain = format!("<kernel> {PROGRAM}");
    if read("domain_policy").lines().any(|line| line == domain) {
        delete_domain(&domain);
    }
    drain();
}

/// What a new mount hides is found however deep it is; what it does not hide is not.
fn hidden(tap: &mut Tap, table: &mut Table) {
    let folders = ["/tmp/m/a/sub/deep", "/tmp/m/a/sub/deep/deeper", "/tmp/m/ab", "/tmp/m/b/p"];
    for folder in folders {
        table.free(tap, &Op::Mkdir(folder.into(), 0o755));
    }
    let bind = |from: &str, to: &str| mount(from, to, "", BIND);
    for (name, ready, place, hides) in [
        ("a mount deep below", vec![tmpfs("/tmp/m/a/sub/deep/deeper")], "/tmp/m/a", true),
        ("a mount below, not so deep", vec![tmpfs("/tmp/m/a/sub/deep/deeper")], "/tmp/m/a/sub/deep", true),
        ("nothing below", vec![tmpfs("/tmp/m/a/sub")], "/tmp/m/b", false),
        ("a mount above", vec![tmpfs("/tmp/m/b")], "/tmp/m/a", false),
        ("a mount beside, with a longer name", vec![tmpfs("/tmp/m/ab")], "/tmp/m/a", false),
        ("a mount on a file below", vec![bind("/tmp/m/file", "/tmp/m/other")], "/tmp/m/a", false),
        (
            "a mount in a mount below",
            vec![
                tmpfs("/tmp/m/a/sub"),
                Op::Mkdir(b"/tmp/m/a/sub/x".to_vec(), 0o755),
                tmpfs("/tmp/m/a/sub/x"),
            ],
            "/tmp/m/a",
            true,
        ),
        (
            "a mount below in a mount",
            vec![tmpfs("/tmp/m/a"), Op::Mkdir(b"/tmp/m/a/x".to_vec(), 0o755), tmpfs("/tmp/m/a/x")],
            "/tmp/m/a/x",
            true,
        ),
        // The same directory, seen in another place.
        (
            "a mount in another view of the folder",
            vec![bind("/tmp/m/a", "/tmp/m/b"), tmpfs("/tmp/m/b/sub")],
            "/tmp/m/a",
            false,
        ),
        (
            "a mount in this view of the folder",
            vec![bind("/tmp/m/a", "/tmp/m/b"), tmpfs("/tmp/m/b/sub/deep/deeper")],
            "/tmp/m/b/sub",
            true,
        ),
    ] {
        for op in &ready {
            table.free(tap, op);
        }
        let mounts = "allow_capability SYS_MOUNT";
        let errno = if hides { EPERM } else { 0 };
        table.judge(tap, name, &[mounts], &tmpfs(place), errno);
        let records = if hides { vec!["allow_capability conceal_mount".to_owned()] } else { Vec::new() };
        tap.same(&format!("{name}: the record"), requests("reject_log"), records);
        if hides {
            table.judge(tap, name, &[mounts, "allow_capability conceal_mount"], &tmpfs(place), 0);
        }
        table.free(tap, &umount(place));
        for op in ready.iter().rev() {
            if let Op::Mount(_, dir, ..) = op {
                table.free(tap, &Op::Umount(dir.clone(), 2));
            }
        }
    }
}
