// SPDX-License-Identifier: MIT OR Apache-2.0
//! poll: the logs and query are readable when something is queued, all other files always (reference 10.1).

use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

use guest::kernel::{self, delete_domain, open_both, readable, records, set_domain, writable};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;
use nix::poll::PollFlags;

use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/poll";

pub fn run(tap: &mut Tap) {
    tap.topic("files_poll");
    fresh_work();
    let name = domain_of(PROGRAM);
    for file in ["domain_policy", "stat", "version", "features/policy_language", "meminfo"] {
        match File::open(kernel::path(file)) {
            Ok(open) => tap.same(&format!("{file} is always readable"), readable(&open, 0), true),
            Err(e) => tap.check(&format!("{file} opens"), false, || e.to_string()),
        }
    }
    for file in ["domain_policy", "exception_policy", "profile", "manager", "meminfo", "transaction"] {
        let open = open_both(file);
        tap.same(&format!("{file} is always ready"), (readable(&open, 0), writable(&open)), (true, true));
    }
    let query = open_both("query");
    tap.same(
        "query can be written, and has nothing to read",
        (readable(&query, 0), writable(&query)),
        (false, true),
    );
    drop(query);
    match Subject::start(PROGRAM) {
        Ok(mut subject) => {
            log(tap, &mut subject, &name, "reject_log", &[], EPERM);
            log(tap, &mut subject, &name, "grant_log", &["allow_read /tmp/w/file"], 0);
        }
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    delete_domain(&name);
}

/// A log, with the lines and the errno of a request that gets into it.
fn log(tap: &mut Tap, subject: &mut Subject, name: &str, log: &'static str, lines: &[&str], errno: i32) {
    println!("# {log}");
    let read = Op::Open(b"/tmp/w/file".to_vec(), 0, 0);
    set_domain(name, 3, lines);
    records(log);
    let Ok(mut file) = File::open(kernel::path(log)) else {
        return tap.check(&format!("{log} opens"), false, String::new);
    };
    tap.same("an empty log is not readable", readable(&file, 0), false);
    // So poll says of a log, although nobody can write it (reference 10.1).
    tap.same("but it counts as writable", writable(&file), true);
    tap.same("not after a while either", readable(&file, 200), false);
    // A poll that waits already is woken.
    let waiter = std::thread::spawn(move || {
        let start = Instant::now();
        let file = File::open(kernel::path(log));
        (file.is_ok_and(|file| readable(&file, 5000)), start.elapsed())
    });
    std::thread::sleep(Duration::from_millis(300));
    tap.same("a request", subject.errno(&read), errno);
    let (woken, after) = waiter.join().unwrap_or_default();
    tap.check("a poll that waits is woken", woken && after < Duration::from_secs(3), || format!("{after:?}"));
    tap.same("a log with a record is readable", readable(&file, 0), true);
    let mut one = [0; 1];
    tap.same("one byte", file.read(&mut one).ok(), Some(1));
    tap.same("the rest of a record is readable", readable(&file, 0), true);
    let mut all = vec![0; 16384];
    tap.check("the rest", file.read(&mut all).is_ok_and(|count| count > 100), String::new);
    tap.same("then nothing is", readable(&file, 0), false);
    let flags = kernel::ready(&file, 0);
    tap.check("no error is reported", !flags.intersects(PollFlags::POLLERR | PollFlags::POLLHUP), || {
        format!("{flags:?}")
    });
}
