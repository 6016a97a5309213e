// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mounts by the old system calls (reference 4.8), umount, chroot, pivot_root.

use std::fs;

use guest::kernel::{read, set_domain};
use guest::op::Op;
use guest::subject::EPERM;
use guest::tap::Tap;

use super::table::{acls, case, drain, requests, with_subject, Case, Table};

const PROGRAM: &str = "/tmp/x/mounts";

const ENOENT: i32 = 2;
const ENODEV: i32 = 19;
const EINVAL: i32 = 22;

const RDONLY: u64 = 1;
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
            table.profiles = [5, 6, 7];
            table.all(tap, &concealing());
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
