// SPDX-License-Identifier: MIT OR Apache-2.0
//! The file `coverage`: hits of each line, on and off, and what becomes of them when the policy changes.

use guest::kernel::{self, delete_domain, read, set_domain, write};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/coverage";

const LINES: [&str; 4] = [
    "allow_read/write /tmp/w/file",
    "allow_mkdir /tmp/w/new/ 0-0777",
    "allow_unlink /tmp/w/nothing",
    "allow_rename /tmp/w/file /tmp/w/other if task.uid=0",
];

fn open(flags: i32) -> Op {
    Op::Open(b"/tmp/w/file".to_vec(), flags, 0)
}

/// The lines of a domain in `coverage`.
fn hits(domain: &str) -> Vec<String> {
    let text = read("coverage");
    let mut lines = text.lines().skip_while(|line| *line != domain);
    lines.next();
    lines.take_while(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn expected(counts: [u32; 4]) -> Vec<String> {
    counts.iter().zip(LINES).map(|(count, line)| format!("{count} {line}")).collect()
}

pub fn run(tap: &mut Tap) {
    tap.topic("coverage");
    fresh_work();
    let name = domain_of(PROGRAM);
    match Subject::start(PROGRAM) {
        Ok(mut subject) => counting(tap, &mut subject, &name),
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    delete_domain(&name);
    let bytes = kernel::try_write("coverage", b"2\n");
    tap.check("what is no command is refused", bytes.is_err(), || format!("{bytes:?}"));
    tap.contains("and noted", &kernel::last_error(), "write 1 to count");
}

fn counting(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 3, &LINES);
    tap.contains("nobody counts yet", &read("coverage"), "counting 0\noverflow 0\n\n<kernel>\n");
    tap.same("reading before counting", subject.errno(&open(0)), 0);
    tap.same("all lines at zero", hits(name), expected([0; 4]));
    write("coverage", "1");
    tap.contains("somebody counts", &read("coverage"), "counting 1\noverflow 0\n");
    for (flags, count) in [(0, 1), (1, 2), (2, 3), (0, 4)] {
        tap.same("opening is granted", subject.errno(&open(flags)), 0);
        tap.same("and counted in its line", hits(name), expected([count, 0, 0, 0]));
    }
    tap.same("a refusal", subject.errno(&Op::Open(b"/tmp/w/full/inner".to_vec(), 0, 0)), EPERM);
    tap.same("counts nowhere", hits(name), expected([4, 0, 0, 0]));
    write("coverage", "1");
    tap.same("beginning to count twice forgets nothing", hits(name), expected([4, 0, 0, 0]));
    // Another snapshot, another place in the list: the same line.
    set_domain(name, 3, &[LINES[3], LINES[0]]);
    tap.same(
        "a line that is written again goes on",
        hits(name),
        vec![format!("0 {}", LINES[3]), format!("4 {}", LINES[0])],
    );
    tap.same("renaming under a condition", subject.errno(&rename()), 0);
    tap.same(
        "is counted in the line with the condition",
        hits(name),
        vec![format!("1 {}", LINES[3]), format!("4 {}", LINES[0])],
    );
    write("coverage", "reset");
    tap.same("reset", hits(name), vec![format!("0 {}", LINES[3]), format!("0 {}", LINES[0])]);
    write("coverage", "0");
    tap.contains("counting has ended", &read("coverage"), "counting 0\n");
    tap.same("the counters are given back", kernel::settle("snapshots", 1), 1);
}

fn rename() -> Op {
    Op::Rename(b"/tmp/w/file".to_vec(), b"/tmp/w/other".to_vec())
}
