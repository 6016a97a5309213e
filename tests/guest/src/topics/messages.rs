// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel's log tells besides refusals (reference 6.2, 8.4, 10.2).

use guest::kernel::{self, set_domain, write};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::boot::kernel_log;
use super::table::with_subject;

const PROGRAM: &str = "/tmp/x/messages";

pub fn run(tap: &mut Tap) {
    tap.topic("messages");
    // Not more than a few messages in five seconds.
    std::thread::sleep(std::time::Duration::from_millis(5500));
    with_subject(tap, PROGRAM, |tap, table| {
        let name = table.name.clone();
        full(tap, &mut table.subject, &name);
        no_domain(tap, &mut table.subject, &name);
        no_manager(tap, &mut table.subject, &name);
    });
}

fn told(tap: &mut Tap, label: &str, message: &str, times: usize) {
    let log = kernel_log();
    let count = log.iter().filter(|line| line.contains(message)).count();
    tap.check(label, count == times, || format!("{count} times {message:?} in {}", log.join("\n")));
}

fn full(tap: &mut Tap, subject: &mut Subject, name: &str) {
    write("profile", "1-PREFERENCE::learning={ verbose=no max_entry=1 }");
    set_domain(name, 1, &["allow_read /tmp/w/other"]);
    for _ in 0..2 {
        tap.same("learning goes on", subject.errno(&Op::Open(b"/tmp/w/file".to_vec(), 0, 0)), 0);
    }
    let message = format!("no more is learned, there are max_entry entries in {name}");
    told(tap, "that learning has ended", &message, 1);
    write("profile", "1-PREFERENCE::learning=use_default");
    set_domain(name, 0, &[]);
    write("domain_policy", &format!("{name}\ndelete quota_exceeded"));
}

fn no_domain(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 3, &["allow_execute /tmp/w/program"]);
    for _ in 0..2 {
        tap.same("no domain", subject.errno(&Op::Exec(b"/tmp/w/program".to_vec())), EPERM);
    }
    told(tap, "which domain is missing", &format!("there is no domain {name} /tmp/w/program"), 1);
    write("domain_policy", &format!("{name}\ndelete transition_failed"));
}

fn no_manager(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 0, &[]);
    let op = Op::Write(kernel::path("exception_policy").into_bytes(), b"number_group X 1\n".to_vec());
    for _ in 0..3 {
        tap.same("no manager", subject.errno(&op), EPERM);
    }
    let message = format!("(pid={} uid=0) is not permitted", subject.pid());
    told(tap, "once for a program", &message, 1);
}
