// SPDX-License-Identifier: MIT OR Apache-2.0
//! waiting: where a task waits for an observer nothing is locked, and the call that is made again finds its answer, once.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use guest::kernel::{delete_domain, open_both, readable, records, set_domain, write};
use guest::op::{Answer, Op};
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

use super::query::{answer, question};
use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/waiting";
/// All that the operations of this topic need besides the line that is missing.
const CAPABILITIES: [&str; 7] = [
    "allow_capability SYS_UNLINK",
    "allow_capability SYS_RENAME",
    "allow_capability SYS_LINK",
    "allow_capability SYS_SYMLINK",
    "allow_capability SYS_CHMOD",
    "allow_capability SYS_CHOWN",
    "allow_capability create_fifo",
];
const FIFO: u32 = 0o010000;

pub fn run(tap: &mut Tap) {
    tap.topic("waiting");
    let name = domain_of(PROGRAM);
    match Subject::start(PROGRAM) {
        Ok(mut subject) => {
            answers(tap, &mut subject, &name);
            created(tap, &mut subject, &name);
            write("profile", "3-CONFIG::capability={ mode=enforcing }");
            several(tap, &mut subject, &name);
            write("profile", "3-CONFIG::capability={ mode=disabled }");
            stopped(tap, &mut subject, &name);
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            ring(tap, &mut subject, &name);
        }
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    killed(tap, &name);
    delete_domain(&name);
    records("reject_log");
    records("grant_log");
}

fn file() -> Vec<u8> {
    b"/tmp/w/file".to_vec()
}

fn new() -> Vec<u8> {
    b"/tmp/w/new".to_vec()
}

fn there(path: &str) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// An operation, its line, and whether it has had its effect.
type Operation = (Op, &'static str, fn() -> bool);

/// What is asked with the folder or the file locked, the line that is asked for, and whether it has happened.
fn operations() -> Vec<Operation> {
    use nix::libc::{O_CREAT, O_TRUNC, O_WRONLY};
    let gone = || !there("/tmp/w/file");
    let made = || there("/tmp/w/new");
    let empty = || fs::metadata("/tmp/w/file").is_ok_and(|file| file.len() == 0);
    let readable_by_all = || {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata("/tmp/w/file").is_ok_and(|file| file.permissions().mode() & 0o777 == 0o604)
    };
    let given = || {
        use std::os::unix::fs::MetadataExt;
        fs::metadata("/tmp/w/file").is_ok_and(|file| file.uid() == 7)
    };
    vec![
        (Op::Unlink(file()), "allow_unlink /tmp/w/file", gone),
        (Op::Rmdir(b"/tmp/w/dir".to_vec()), "allow_rmdir /tmp/w/dir/", || !there("/tmp/w/dir")),
        (Op::Mkdir(new(), 0o755), "allow_mkdir /tmp/w/new/ 0755", made),
        (Op::Mknod(new(), 0o640), "allow_create /tmp/w/new 0640", made),
        (Op::Node(new(), FIFO | 0o600, 0, 0), "allow_mkfifo /tmp/w/new 0600", made),
        (Op::Symlink(b"target".to_vec(), new()), "allow_symlink /tmp/w/new", made),
        (Op::Link(file(), new()), "allow_link /tmp/w/file /tmp/w/new", made),
        (Op::Rename(file(), new()), "allow_rename /tmp/w/file /tmp/w/new", made),
        (Op::Truncate(file()), "allow_truncate /tmp/w/file", empty),
        (Op::Chmod(file(), 0o604), "allow_chmod /tmp/w/file 0604", readable_by_all),
        (Op::Chown(file(), 7, -1), "allow_chown /tmp/w/file 7", given),
        (Op::Open(new(), O_WRONLY | O_CREAT, 0o600), "allow_create /tmp/w/new 0600", made),
        (Op::Open(file(), O_WRONLY | O_TRUNC, 0), "allow_truncate /tmp/w/file", empty),
    ]
}

/// The observer's log, in the folder that the one who waits has locked in the meantime, or has not.
fn writes_log(tap: &mut Tap, what: &str) {
    let start = Instant::now();
    let log = Path::new("/tmp/w/log");
    let written = fs::write(log, what).and_then(|()| fs::remove_file(log));
    let took = start.elapsed();
    tap.check(
        &format!("{what}: the folder is free"),
        written.is_ok() && took < Duration::from_secs(3),
        || format!("{written:?} after {took:?}"),
    );
}

/// Waits for the question, looks at it, and answers.
fn settle(tap: &mut Tap, observer: &mut File, line: &str, choice: u32, retries: u32) {
    let (serial, text) = question(observer);
    let what = format!("{line}, answer {choice}");
    tap.check(
        &what,
        text.starts_with(&format!("Q{serial}-{retries}\n")) && text.ends_with(&format!("\n{line}\n\0")),
        || text.clone(),
    );
    writes_log(tap, &what);
    answer(observer, &format!("A{serial}={choice}\n"));
}

fn answers(tap: &mut Tap, subject: &mut Subject, name: &str) {
    let mut granted = CAPABILITIES.to_vec();
    // What an open asks besides.
    granted.extend(["allow_write /tmp/w/new", "allow_write /tmp/w/file"]);
    set_domain(name, 3, &granted);
    let mut observer = open_both("query");
    for (op, line, happened) in operations() {
        fresh_work();
        records("reject_log");
        subject.begin(&op);
        settle(tap, &mut observer, line, 2, 0);
        tap.same(&format!("{line}: no is no"), subject.end(&op), Answer::Errno(EPERM));
        tap.check(&format!("{line}: nothing has happened"), !happened(), String::new);
        tap.same(&format!("{line}: one record"), records("reject_log").len(), 1);

        subject.begin(&op);
        settle(tap, &mut observer, line, 1, 0);
        tap.same(&format!("{line}: yes is yes"), subject.end(&op), Answer::Errno(0));
        tap.check(&format!("{line}: it has happened"), happened(), String::new);

        // The answer was for that call.
        fresh_work();
        subject.begin(&op);
        settle(tap, &mut observer, line, 3, 0);
        settle(tap, &mut observer, line, 1, 1);
        tap.same(&format!("{line}: asked again"), subject.end(&op), Answer::Errno(0));
    }
    tap.same("no question is left", readable(&observer, 0), false);
}

/// What has had its effect waits where it is: made again, the call would find the file that it has made.
fn created(tap: &mut Tap, subject: &mut Subject, name: &str) {
    use nix::libc::{O_CREAT, O_EXCL, O_WRONLY};
    let op = Op::Open(new(), O_WRONLY | O_CREAT | O_EXCL, 0o600);
    set_domain(name, 3, &["allow_create /tmp/w/new 0600"]);
    fresh_work();
    let mut observer = open_both("query");
    subject.begin(&op);
    settle(tap, &mut observer, "allow_write /tmp/w/new", 1, 0);
    tap.same("O_EXCL with the file just made", subject.end(&op), Answer::Errno(0));
    fresh_work();
    set_domain(name, 3, &[]);
    subject.begin(&op);
    settle(tap, &mut observer, "allow_create /tmp/w/new 0600", 1, 0);
    settle(tap, &mut observer, "allow_write /tmp/w/new", 1, 0);
    tap.same("both questions", subject.end(&op), Answer::Errno(0));
}

/// A call may ask several questions, and each is answered once; it comes to an end.
fn several(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 3, &[]);
    fresh_work();
    let mut observer = open_both("query");
    let exchange = Op::Rename2(file(), b"/tmp/w/full/inner".to_vec(), 2);
    let lines = [
        "allow_capability SYS_RENAME",
        "allow_rename /tmp/w/file /tmp/w/full/inner",
        "allow_rename /tmp/w/full/inner /tmp/w/file",
    ];
    subject.begin(&exchange);
    for line in lines {
        settle(tap, &mut observer, line, 1, 0);
    }
    tap.same("an exchange", subject.end(&exchange), Answer::Errno(0));
    subject.begin(&exchange);
    settle(tap, &mut observer, lines[0], 1, 0);
    settle(tap, &mut observer, lines[1], 3, 0);
    settle(tap, &mut observer, lines[1], 1, 1);
    settle(tap, &mut observer, lines[2], 2, 0);
    tap.same("with a no at its end", subject.end(&exchange), Answer::Errno(EPERM));
    // A thread has questions of its own.
    let unlink = Op::Unlink(file());
    let both = Op::Both(Box::new(Op::Try(Box::new(Op::Thread(Box::new(unlink.clone()))))), Box::new(unlink));
    subject.begin(&both);
    for (line, choice) in [
        ("allow_capability SYS_UNLINK", 1),
        ("allow_unlink /tmp/w/file", 2),
        ("allow_capability SYS_UNLINK", 1),
        ("allow_unlink /tmp/w/file", 1),
    ] {
        settle(tap, &mut observer, line, choice, 0);
    }
    tap.same("one after the other", subject.end(&both), Answer::Errno(0));
}

/// A signal does not end the wait, and does not lose the answer.
fn stopped(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 3, &CAPABILITIES);
    let pid = Pid::from_raw(subject.pid() as i32);
    let unlink = Op::Unlink(file());
    for (choice, errno) in [(1, 0), (2, EPERM)] {
        fresh_work();
        let mut observer = open_both("query");
        subject.begin(&unlink);
        let (serial, _) = question(&mut observer);
        tap.check("it is told to stop", kill(pid, Signal::SIGSTOP).is_ok(), String::new);
        std::thread::sleep(Duration::from_millis(300));
        answer(&mut observer, &format!("A{serial}={choice}\n"));
        std::thread::sleep(Duration::from_millis(300));
        tap.check("it goes on", kill(pid, Signal::SIGCONT).is_ok(), String::new);
        tap.same("and has its answer", subject.end(&unlink), Answer::Errno(errno));
        tap.same("no second question", readable(&observer, 0), false);
        tap.same("the file", there("/tmp/w/file"), choice == 2);
    }
}

/// What io_uring does, in a worker or in its own call, cannot wait: it is refused, and nobody is asked.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn ring(tap: &mut Tap, subject: &mut Subject, name: &str) {
    let connect = Op::Connect(1, b"127.0.0.1:9".to_vec());
    for (what, op, own) in
        [("a worker", Op::Unlink(file()), "allow_unlink"), ("a ring", connect, "allow_network TCP connect")]
    {
        fresh_work();
        let op = Op::Uring(Box::new(op));
        // What the ring itself needs.
        set_domain(name, 1, &[]);
        subject.errno(&op);
        let lines = guest::kernel::domain(name);
        let is_needed = |line: &&String| line.starts_with("allow_") && !line.starts_with(own);
        let lines: Vec<&str> = lines.iter().filter(is_needed).map(String::as_str).collect();
        set_domain(name, 3, &lines);
        fresh_work();
        let observer = open_both("query");
        let start = Instant::now();
        tap.same(&format!("{what} is refused"), subject.errno(&op), EPERM);
        let took = start.elapsed();
        tap.check(&format!("{what}: at once"), took < Duration::from_secs(3), || format!("{took:?}"));
        tap.same(&format!("{what}: without a question"), readable(&observer, 0), false);
        tap.check(&format!("{what}: the file is there"), there("/tmp/w/file"), String::new);
    }
}

/// A task that is killed does not wait, with a folder locked or not.
fn killed(tap: &mut Tap, name: &str) {
    let Ok(mut subject) = Subject::start(PROGRAM) else {
        return tap.check("the subject starts", false, String::new);
    };
    fresh_work();
    set_domain(name, 3, &CAPABILITIES);
    let mut observer = open_both("query");
    subject.begin(&Op::Unlink(file()));
    question(&mut observer);
    let start = Instant::now();
    tap.check(
        "it is killed",
        kill(Pid::from_raw(subject.pid() as i32), Signal::SIGKILL).is_ok(),
        String::new,
    );
    drop(subject);
    tap.check("and ends", start.elapsed() < Duration::from_secs(3), || format!("{:?}", start.elapsed()));
    tap.same("its question goes with it", readable(&observer, 0), false);
    tap.check("the file is there", there("/tmp/w/file"), String::new);
    write("domain_policy", &format!("{name}\nuse_profile 0"));
}
