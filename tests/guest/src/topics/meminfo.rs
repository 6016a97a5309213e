// SPDX-License-Identifier: MIT OR Apache-2.0
//! meminfo: its form, and what a quota refuses (reference 12.3).

use guest::kernel::{self, delete_domain, last_error, read, records, set_domain, stat, try_write, write};
use guest::op::Op;
use guest::subject::Subject;
use guest::tap::Tap;

use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/meminfo";

pub fn run(tap: &mut Tap) {
    tap.topic("meminfo");
    fresh_work();
    records("grant_log");
    records("reject_log");
    form(tap);
    policy(tap);
    let name = domain_of(PROGRAM);
    match Subject::start(PROGRAM) {
        Ok(mut subject) => logs(tap, &mut subject, &name),
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    delete_domain(&name);
    records("reject_log");
}

fn form(tap: &mut Tap) {
    let text = read("meminfo");
    let lines: Vec<&str> = text.lines().collect();
    let labels = ["Policy:      ", "Audit logs:  ", "Query lists: ", "Total:       "];
    tap.same("four lines", lines.len(), 4);
    for (line, label) in lines.iter().zip(labels) {
        tap.check(&format!("{label} has its form"), line.starts_with(label) && line.len() == 23, || {
            text.clone()
        });
    }
    tap.has_line("the logs are empty", &text, "Audit logs:           0");
    tap.has_line("there are no queries", &text, "Query lists:          0");
    write("meminfo", "Policy: 16777216\nAudit logs: 123\nQuery lists: 1048576");
    let text = read("meminfo");
    tap.contains("the policy's quota", &text, "   (Quota:   16777216)\n");
    tap.has_line("the logs' quota", &text, "Audit logs:           0   (Quota:        123)");
    tap.has_line("the queries' quota", &text, "Query lists:          0   (Quota:    1048576)");
    // Blanks at the end of a line are nothing.
    write("meminfo", "Policy: 0 \nAudit logs: 0\t\nQuery lists: 0");
    tap.check("0 takes a quota away", !read("meminfo").contains("Quota"), || read("meminfo"));
    for wrong in ["Policy: x", "Policy 5", "Shared: 1", "Policy: 99999999999999999999"] {
        let rejected = stat("rejected_lines");
        drop(try_write("meminfo", format!("{wrong}\n").as_bytes()));
        tap.same(&format!("{wrong:?} is rejected"), stat("rejected_lines") - rejected, 1);
        tap.contains("and told", &last_error(), "meminfo:1:1: write Policy: N");
    }
}

fn policy(tap: &mut Tap) {
    let before = read("exception_policy");
    write("meminfo", "Policy: 1");
    let rejected = stat("rejected_lines");
    drop(try_write("exception_policy", b"number_group OVER 1\n"));
    tap.same("what would be larger is refused", stat("rejected_lines") - rejected, 1);
    tap.contains("and told", &last_error(), "memory quota");
    tap.same("what was there stays", read("exception_policy"), before);
    write("meminfo", "Policy: 0");
}

fn logs(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 3, &[]);
    records("reject_log");
    write("meminfo", "Audit logs: 3000");
    let dropped = stat("reject_log_dropped");
    subject.errno(&Op::Repeat(50, Box::new(Op::Open(b"/tmp/w/file".to_vec(), 0, 0))));
    let kept = read("meminfo");
    let count = records("reject_log").len();
    tap.check("the quota of the logs is kept", (1..20).contains(&count), || format!("{count} {kept}"));
    tap.same("the others are counted", stat("reject_log_dropped") - dropped, 50 - count as u64);
    write("meminfo", "Audit logs: 0");
    tap.has_line("what was read is not counted", &read("meminfo"), "Audit logs:           0");
    write("profile", "3-PREFERENCE::audit={ max_reject_log=7 task_info=yes path_info=yes }");
    subject.errno(&Op::Repeat(20, Box::new(Op::Open(b"/tmp/w/file".to_vec(), 0, 0))));
    tap.same("max_reject_log of the profile", records("reject_log").len(), 7);
    write("profile", "3-PREFERENCE::audit=use_default");
    tap.lacks_line("the profile is what it was", &kernel::read("profile"), "3-PREFERENCE::audit");
}
