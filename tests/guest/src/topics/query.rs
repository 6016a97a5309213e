// SPDX-License-Identifier: MIT OR Apache-2.0
//! query: who would be refused asks an observer and waits for the answer (reference 9).

use std::fs::File;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use guest::kernel::{self, delete_domain, open_both, read, readable, records, set_domain, stat, write};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/query";

fn open_file() -> Op {
    Op::Open(b"/tmp/w/file".to_vec(), 0, 0)
}

pub fn run(tap: &mut Tap) {
    tap.topic("query");
    fresh_work();
    let name = domain_of(PROGRAM);
    match Subject::start(PROGRAM) {
        Ok(mut subject) => {
            answers(tap, &mut subject, &name);
            ends(tap, &mut subject, &name);
            new_domain(tap, &mut subject, &name);
        }
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    killed(tap, &name);
    delete_domain(&format!("{name} /tmp/w/program"));
    delete_domain(&name);
    records("reject_log");
    records("grant_log");
}

/// The next question within two seconds, without its NUL: serial number and text.
pub(super) fn question(file: &mut File) -> (String, String) {
    let mut buffer = vec![0; 16384];
    let mut count = 0;
    // A read at the end gives nothing, and the next one begins again.
    for _ in 0..3 {
        if !readable(file, 2000) {
            return (String::new(), "there is no question".into());
        }
        count = file.read(&mut buffer).unwrap_or(0);
        if count > 0 {
            break;
        }
    }
    let text = String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()).into_owned();
    let serial =
        text.strip_prefix('Q').and_then(|rest| rest.split_once('-')).map(|(serial, _)| serial.to_owned());
    (serial.unwrap_or_default(), text)
}

pub(super) fn answer(file: &mut File, text: &str) {
    if let Err(e) = file.write_all(text.as_bytes()) {
        println!("# the answer {text:?} cannot be written: {e}");
    }
}

fn answers(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 3, &[]);
    let asked = stat("queries");
    let mut observer = open_both("query");
    tap.same("no question yet", readable(&observer, 0), false);
    subject.begin(&open_file());
    let (serial, text) = question(&mut observer);
    let lines: Vec<&str> = text.split('\n').collect();
    tap.same("serial and retries", lines.first().copied(), Some(format!("Q{serial}-0").as_str()));
    let header = lines.get(1).copied().unwrap_or_default();
    let start = format!(" profile=3 mode=enforcing (global-pid={}) task={{", subject.pid());
    tap.contains("the header", header, &start);
    let rest = lines.get(2..).map(<[&str]>::to_vec);
    tap.same("domain and request", rest, Some(vec![name, "allow_read /tmp/w/file", "\0"]));
    let mut none = [0; 64];
    tap.same("at the end nothing", observer.read(&mut none).ok(), Some(0));
    tap.same("then the first again", question(&mut observer).0, serial.clone());
    tap.check("it takes memory", !read("meminfo").contains("Query lists:          0 "), || read("meminfo"));
    answer(&mut observer, &format!("A{serial}=1\n"));
    tap.same("1 allows", subject.end(&open_file()), guest::op::Answer::Errno(0));
    tap.same("it is counted", stat("queries") - asked, 1);
    tap.contains("and gives its memory back", &read("meminfo"), "Query lists:          0 ");

    subject.begin(&open_file());
    let (serial, _) = question(&mut observer);
    answer(&mut observer, &format!("A999999=1\n\nA{serial}=2\n"));
    tap.same("2 denies", subject.end(&open_file()), guest::op::Answer::Errno(EPERM));

    write("exception_policy", "file_pattern /tmp/w/\\*");
    subject.begin(&open_file());
    let (serial, text) = question(&mut observer);
    tap.contains("file_pattern", &text, "\nallow_read /tmp/w/\\*\n");
    answer(&mut observer, &format!("A{serial}=3\n"));
    let (serial, text) = question(&mut observer);
    tap.contains("3 decides again", &text, &format!("Q{serial}-1\n"));
    let mut policy = kernel::open("domain_policy");
    let lines = format!("select global-pid={}\nallow_read /tmp/w/\\*\n", subject.pid());
    tap.check("the observer adds the line", policy.write_all(lines.as_bytes()).is_ok(), String::new);
    answer(&mut observer, &format!("A{serial}=3\n"));
    tap.same("and the request is granted", subject.end(&open_file()), guest::op::Answer::Errno(0));
    write("exception_policy", "delete file_pattern /tmp/w/\\*");

    set_domain(name, 3, &[]);
    let quota = super::meminfo::quota("Query lists");
    write("meminfo", "Query lists: 10");
    let start = Instant::now();
    tap.same("over the quota it is denied", subject.errno(&open_file()), EPERM);
    tap.check("at once", start.elapsed() < Duration::from_secs(2), || format!("{:?}", start.elapsed()));
    write("meminfo", &format!("Query lists: {quota}"));
}

/// Without an answer ten seconds, less if the observer goes, more if he writes.
fn ends(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 3, &[]);
    let mut observer = open_both("query");
    subject.begin(&open_file());
    question(&mut observer);
    let start = Instant::now();
    drop(observer);
    tap.same("the last observer goes", subject.end(&open_file()), guest::op::Answer::Errno(EPERM));
    tap.check("which ends the wait", start.elapsed() < Duration::from_secs(2), || {
        format!("{:?}", start.elapsed())
    });
    let mut observer = open_both("query");
    subject.begin(&open_file());
    question(&mut observer);
    let start = Instant::now();
    std::thread::sleep(Duration::from_secs(3));
    answer(&mut observer, "\n");
    tap.same("nobody answers", subject.end(&open_file()), guest::op::Answer::Errno(EPERM));
    let waited = start.elapsed();
    tap.check(
        "ten seconds after the last line",
        waited > Duration::from_millis(12500) && waited < Duration::from_secs(16),
        || format!("{waited:?}"),
    );
}

fn new_domain(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 3, &["allow_execute /tmp/w/program"]);
    let exec = Op::Exec(b"/tmp/w/program".to_vec());
    let mut observer = open_both("query");
    subject.begin(&exec);
    let (serial, text) = question(&mut observer);
    let request = format!("\n{name}\n# wants to create domain\n{name} /tmp/w/program\n\0");
    tap.check("the question", text.ends_with(&request), || text.clone());
    answer(&mut observer, &format!("A{serial}=2\n"));
    tap.same("2 is no", subject.end(&exec), guest::op::Answer::Errno(EPERM));
    let next = format!("{name} /tmp/w/program");
    tap.lacks_line("no domain", &read("domain_policy"), &next);
    subject.begin(&exec);
    let (serial, _) = question(&mut observer);
    answer(&mut observer, &format!("A{serial}=3\n"));
    let (serial, text) = question(&mut observer);
    tap.check(
        "3 asks again",
        text.starts_with(&format!("Q{serial}-1\n")) && text.ends_with(&request),
        || text.clone(),
    );
    // The observer makes the domain itself; then there is nothing left to ask.
    write("domain_policy", &format!("{next}\nuse_profile 0"));
    answer(&mut observer, &format!("A{serial}=3\n"));
    tap.same("the domain is there now", subject.end(&exec), guest::op::Answer::Errno(0));
    tap.same("and entered", subject.domain(), next.clone());
    delete_domain(&next);
    let Ok(mut subject) = Subject::start(PROGRAM) else {
        return tap.check("the subject starts", false, String::new);
    };
    set_domain(name, 3, &["allow_execute /tmp/w/program"]);
    subject.begin(&exec);
    let (serial, _) = question(&mut observer);
    answer(&mut observer, &format!("A{serial}=1\n"));
    tap.same("the domain is created", subject.end(&exec), guest::op::Answer::Errno(0));
    drop(observer);
    write(".domain_status", &format!("0 {name} /tmp/w/program"));
    tap.same("and entered", subject.domain(), format!("{name} /tmp/w/program"));
}

/// A task that is killed does not wait.
fn killed(tap: &mut Tap, name: &str) {
    let Ok(mut subject) = Subject::start(PROGRAM) else {
        return tap.check("the subject starts", false, String::new);
    };
    set_domain(name, 3, &[]);
    let mut observer = open_both("query");
    subject.begin(&open_file());
    question(&mut observer);
    let pid = nix::unistd::Pid::from_raw(subject.pid() as i32);
    tap.check(
        "it is killed",
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).is_ok(),
        String::new,
    );
    let start = Instant::now();
    while readable(&observer, 0) && start.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(20));
    }
    tap.check("its question goes with it", start.elapsed() < Duration::from_secs(2), || {
        format!("{:?}", start.elapsed())
    });
}
