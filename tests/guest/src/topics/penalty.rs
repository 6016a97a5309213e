// SPDX-License-Identifier: MIT OR Apache-2.0
//! penalty: who is refused sleeps (reference 9.1), once for a call, and keeps nobody else from anything.

use std::fs;
use std::time::{Duration, Instant};

use guest::kernel::{delete_domain, records, set_domain, stat, write};
use guest::op::{Answer, Op};
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/penalty";

pub fn run(tap: &mut Tap) {
    tap.topic("penalty");
    fresh_work();
    let name = domain_of(PROGRAM);
    match (Subject::start(PROGRAM), Subject::start(PROGRAM)) {
        (Ok(mut first), Ok(mut second)) => {
            once(tap, &mut first, &name);
            nobody_else(tap, [&mut first, &mut second], &name);
            write("profile", "3-CONFIG::capability={ mode=enforcing }");
            elsewhere(tap, &mut first, &name);
            write("profile", "3-CONFIG::capability={ mode=disabled }");
        }
        _ => tap.check("the subjects start", false, String::new),
    }
    write("profile", "3-PREFERENCE::enforcing=use_default");
    delete_domain(&name);
    records("reject_log");
}

fn penalty(tenths: u32) {
    write("profile", &format!("3-PREFERENCE::enforcing={{ verbose=yes penalty={tenths} }}"));
}

fn open(flags: i32) -> Op {
    Op::Open(b"/tmp/w/file".to_vec(), flags, 0o600)
}

/// How long it takes, in milliseconds, and its errno.
fn timed(subject: &mut Subject, op: &Op) -> (u64, i32) {
    let Answer::Text(text) = subject.perform(&Op::Time(Box::new(op.clone()))) else { return (0, -1) };
    let text = String::from_utf8_lossy(&text).into_owned();
    let (time, errno) = text.split_once(' ').unwrap_or_default();
    (time.parse().unwrap_or(0), errno.parse().unwrap_or(-1))
}

/// The penalty is slept once and the refusal is told once, whether the call waits where it is or is made again.
fn once(tap: &mut Tap, subject: &mut Subject, name: &str) {
    let file = || b"/tmp/w/file".to_vec();
    let new = || b"/tmp/w/new".to_vec();
    let cases = [
        ("open", open(0)),
        ("open with O_TRUNC", open(nix::libc::O_WRONLY | nix::libc::O_TRUNC)),
        ("O_CREAT", Op::Open(new(), nix::libc::O_WRONLY | nix::libc::O_CREAT, 0o600)),
        ("unlink", Op::Unlink(file())),
        ("mkdir", Op::Mkdir(new(), 0o755)),
        ("rename", Op::Rename(file(), new())),
        ("chmod", Op::Chmod(file(), 0o600)),
        ("truncate", Op::Truncate(file())),
    ];
    set_domain(name, 3, &[]);
    penalty(15);
    for (what, op) in cases {
        records("reject_log");
        let denied = stat("denied");
        let (time, errno) = timed(subject, &op);
        tap.same(&format!("{what} is refused"), errno, EPERM);
        tap.check(&format!("{what}: after the penalty"), (1_400..2_900).contains(&time), || {
            format!("{time} ms")
        });
        let told = records("reject_log");
        tap.check(&format!("{what}: told once"), told.len() == 1, || format!("{told:?}"));
        tap.same(&format!("{what}: counted once"), stat("denied") - denied, 1);
    }
}

/// Two tasks that are refused in a folder all the time do not keep a third one from making files there.
fn nobody_else(tap: &mut Tap, subjects: [&mut Subject; 2], name: &str) {
    set_domain(name, 3, &["allow_capability SYS_UNLINK"]);
    penalty(50);
    let unlink = Op::Repeat(2, Box::new(Op::Unlink(b"/tmp/w/file".to_vec())));
    let [first, second] = subjects;
    let start = Instant::now();
    first.begin(&unlink);
    second.begin(&unlink);
    std::thread::sleep(Duration::from_millis(500));
    let making = Instant::now();
    let made = (0..100).all(|i| fs::write(format!("/tmp/w/made{i}"), "x").is_ok());
    let took = making.elapsed();
    tap.check("files are made in the folder", made && took < Duration::from_secs(3), || format!("{took:?}"));
    for subject in [first, second] {
        tap.same("the refusal", subject.end(&unlink), Answer::Errno(EPERM));
    }
    let waited = start.elapsed();
    tap.check("two penalties", (9_500..16_000).contains(&waited.as_millis()), || format!("{waited:?}"));
}

/// Where nobody can wait the refusal comes at once; a hook whose error the program does not see waits where it is.
fn elsewhere(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 0, &[]);
    tap.same("a file system context", subject.errno(&Op::Fsopen(1, b"tmpfs".to_vec())), 0);
    set_domain(name, 3, &[]);
    penalty(50);
    let (time, errno) = timed(subject, &Op::Hostname(b"x".to_vec()));
    tap.same("sethostname is refused", errno, EPERM);
    tap.check("after the penalty", (4_900..9_900).contains(&time), || format!("{time} ms"));
    let (time, errno) = timed(subject, &Op::Fscreate(1));
    tap.same("a file system that is being made is refused", errno, EPERM);
    tap.check("at once", time < 2_000, || format!("{time} ms"));
    write("profile", "3-PREFERENCE::enforcing=use_default");
    set_domain(name, 0, &[]);
    subject.errno(&Op::Close(1));
}
