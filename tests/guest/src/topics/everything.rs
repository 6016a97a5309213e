// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was learned is enough (reference 8): a long mixture of operations is learned with everything switched on, then
//! done again in enforcing mode with exactly the learned lines, and nothing is refused.

use guest::kernel::{delete_domain, domain, set_domain, write};
use guest::op::Op;
use guest::subject::Subject;
use guest::tap::Tap;

use super::exec::exec_with;
use super::mounts::with_places;
use super::table::{acls, drain, requests};
use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/everything";
const VICTIM: &str = "/tmp/x/everybody";
/// Profiles: everything learning, everything enforcing.
const LEARNING: u8 = 15;
const ENFORCING: u8 = 11;

const ENOENT: i32 = 2;
const ENOEXEC: i32 = 8;

pub fn run(tap: &mut Tap) {
    tap.topic("everything");
    // What has a number in its name has another one the second time.
    write("exception_policy", "file_pattern pipe:[\\$]\nfile_pattern /tmp/w/#\\$");
    with_places(tap, twice);
    write("exception_policy", "delete file_pattern pipe:[\\$]\ndelete file_pattern /tmp/w/#\\$");
    drain();
}

fn twice(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let next = format!("{own} /tmp/w/program");
    let other = domain_of(VICTIM);
    set_domain(&other, 0, &[]);
    let Ok(mut victim) = Subject::start(VICTIM) else {
        return tap.check("a receiver of signals starts", false, || VICTIM.into());
    };
    tap.same("it blocks the signal", victim.errno(&Op::Block(10)), 0);
    for (profile, label) in [(LEARNING, "learning"), (ENFORCING, "enforcing")] {
        fresh_work();
        write("domain_policy", &format!("{own}\nuse_profile 0"));
        let Ok(mut subject) = Subject::start(PROGRAM) else {
            return tap.check("the subject starts", false, || PROGRAM.into());
        };
        if profile == LEARNING {
            set_domain(&own, profile, &[]);
        } else {
            for name in [&own, &next] {
                write("domain_policy", &format!("{name}\nuse_profile {profile}"));
            }
        }
        drain();
        for op in operations(victim.pid() as i32) {
            // The bytes of a module are many.
            let name: String = op.encode().chars().take(60).collect();
            tap.same(&format!("{label}: {name}"), subject.errno(&op), answer(&op));
        }
        let refused = requests("reject_log");
        if profile == ENFORCING {
            tap.same("nothing is refused", refused, Vec::new());
        } else {
            tap.check("much is asked for", refused.len() > 60, || format!("{} records", refused.len()));
        }
        let last = subject.errno(&Op::Open(b"/tmp/w/file".to_vec(), 0, 0));
        tap.same(&format!("{label}: the new program goes on"), last, 0);
        drop(subject);
    }
    let lines = acls(&own);
    tap.check("the lines are many", lines.len() > 60, || lines.join("\n"));
    tap.check("the new program has learned as well", acls(&next).len() >= 3, || domain(&next).join("\n"));
    for name in [&next, &own, &other] {
        delete_domain(name);
    }
}

/// What an operation comes to in both rounds: it works, but for what the kernel itself does not do once policy has allowed it.
fn answer(op: &Op) -> i32 {
    match op {
        // The bytes are no module.
        Op::InitModule(_) => ENOEXEC,
        // There is no such module.
        Op::DeleteModule(_) => ENOENT,
        _ => 0,
    }
}

/// One of everything. What is made is removed, so that a second time is like the first.
fn operations(pid: i32) -> Vec<Op> {
    let bytes = |text: &str| text.as_bytes().to_vec();
    let mount = |dev: &str, kind: &str, flags| {
        Op::Mount(bytes(dev), bytes("/tmp/m/b"), bytes(kind), flags, Vec::new())
    };
    let umount = || Op::Umount(bytes("/tmp/m/b"), 2);
    let node = |kind: u32| Op::Node(bytes("/tmp/w/node"), kind | 0o600, 1, 3);
    let unlink = |path: &str| Op::Unlink(bytes(path));
    vec![
        Op::Open(bytes("/tmp/w/file"), 0, 0),
        Op::Open(bytes("/tmp/w/file"), 0o1001, 0),
        Op::Open(bytes("/tmp/w/file"), 2, 0),
        Op::Open(bytes("/tmp/w/new"), 0o102, 0o640),
        Op::Open(bytes("/tmp/w"), 0o2 | nix::libc::O_TMPFILE, 0o600),
        Op::Truncate(bytes("/tmp/w/new")),
        Op::Hold(1, bytes("/tmp/w/new"), 2, 0),
        Op::FdTruncate(1),
        Op::FdChmod(1, 0o644),
        Op::FdChown(1, 5, 6),
        Op::Ioctl(1, bytes("FIONREAD")),
        Op::Close(1),
        Op::Chmod(bytes("/tmp/w/new"), 0o4711),
        Op::Chown(bytes("/tmp/w/new"), -1, 7),
        Op::Lchown(bytes("/tmp/w/link"), 7, -1),
        Op::Link(bytes("/tmp/w/new"), bytes("/tmp/w/hard")),
        Op::Symlink(bytes("a b"), bytes("/tmp/w/soft")),
        Op::Rename(bytes("/tmp/w/hard"), bytes("/tmp/w/c d")),
        Op::Rename2(bytes("/tmp/w/new"), bytes("/tmp/w/full/inner"), 2),
        unlink("/tmp/w/new"),
        unlink("/tmp/w/soft"),
        Op::Mkdir(bytes("/tmp/w/sub"), 0o777),
        Op::Rename(bytes("/tmp/w/sub"), bytes("/tmp/w/sub2")),
        Op::Rmdir(bytes("/tmp/w/sub2")),
        node(0o010000),
        unlink("/tmp/w/node"),
        node(0o020000),
        unlink("/tmp/w/node"),
        node(0o060000),
        unlink("/tmp/w/node"),
        node(0o140000),
        unlink("/tmp/w/node"),
        Op::Socket(1, 1, 1, 0),
        Op::BindUnix(1, bytes("/tmp/w/node")),
        Op::Socket(1, 2, 1, 0),
        Op::Reuse(1),
        Op::Bind(1, bytes("127.0.0.1:7300")),
        Op::Listen(1),
        Op::Socket(2, 2, 1, 0),
        Op::Reuse(2),
        Op::Bind(2, bytes("127.0.0.1:7301")),
        Op::Connect(2, bytes("127.0.0.1:7300")),
        Op::Accept(1, 3),
        Op::Send(2, bytes("x")),
        Op::Recv(3, 0),
        Op::Ioctl(3, bytes("FIONBIO")),
        // Reset, so that the ports are free the next time.
        Op::Disconnect(3),
        Op::Disconnect(2),
        Op::Close(1),
        Op::Close(2),
        Op::Close(3),
        Op::Socket(1, 10, 2, 0),
        Op::Bind(1, bytes("[::1]:7302")),
        Op::Socket(2, 10, 2, 0),
        Op::Bind(2, bytes("[::1]:7303")),
        Op::Sendto(2, bytes("[::1]:7302"), 0, bytes("x")),
        Op::Recv(1, 0x40),
        Op::Socket(1, 2, 3, 250),
        Op::Sendto(1, bytes("127.0.0.1:0"), 0, bytes("x")),
        Op::Recv(1, 0x40),
        Op::Socket(1, 16, 3, 0),
        Op::Socket(1, 17, 3, 0),
        Op::Close(1),
        Op::Close(2),
        Op::Pipe(1, 2),
        Op::Ioctl(1, bytes("FIONREAD")),
        mount("none", "tmpfs", 1),
        mount("", "", 0x21),
        mount("none", "tmpfs", 0),
        umount(),
        mount("", "", 1 << 18),
        umount(),
        mount("/tmp/m/a", "", 0x5000),
        umount(),
        Op::Fsopen(1, bytes("tmpfs")),
        Op::Fscreate(1),
        Op::Fsmount(1, 2, 0),
        Op::MoveFd(2, bytes("/tmp/m/b")),
        umount(),
        Op::Close(1),
        Op::Close(2),
        Op::Fork(Box::new(Op::Chroot(bytes("/tmp/m/a")))),
        Op::Kill(pid, 10),
        Op::Raise(18),
        Op::Attach(pid),
        Op::Nice(),
        Op::Setpriority(),
        Op::Hostname(bytes("guest")),
        Op::Settime(),
        Op::Reboot(),
        Op::InitModule(vec![b'x'; 4096]),
        Op::DeleteModule(bytes("nothing")),
        exec_with("/tmp/w/program", &["prog", "a b"], &["PATH=/bin", "X Y=z"]),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn operations_come_back() {
        for op in super::operations(7) {
            assert_eq!(guest::op::Op::decode(&op.encode()), Some(op));
        }
    }
}
