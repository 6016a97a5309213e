// SPDX-License-Identifier: MIT OR Apache-2.0
//! meminfo: its form, and what a quota refuses (reference 12.3).

use guest::kernel::{self, delete_domain, last_error, read, records, set_domain, stat, try_write, write};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::boot::kernel_log;
use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/meminfo";
const BOUND: &str = "/tmp/x/meminfobound";

pub fn run(tap: &mut Tap) {
    tap.topic("meminfo");
    fresh_work();
    records("grant_log");
    records("reject_log");
    let quotas = ["Policy", "Audit logs", "Query lists"].map(|name| (name, quota(name)));
    shares(tap, &quotas);
    form(tap);
    policy(tap);
    bound(tap);
    let name = domain_of(PROGRAM);
    match Subject::start(PROGRAM) {
        Ok(mut subject) => logs(tap, &mut subject, &name),
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    delete_domain(&name);
    records("reject_log");
    for (name, bytes) in quotas {
        write("meminfo", &format!("{name}: {bytes}"));
    }
    for (name, bytes) in quotas {
        tap.same(&format!("{name} has its quota again"), quota(name), bytes);
    }
}

/// The quota that `meminfo` shows for a line; 0: none.
pub(super) fn quota(name: &str) -> u64 {
    let text = read("meminfo");
    let line = text.lines().find(|line| line.starts_with(name));
    let shown = line.and_then(|line| line.split_once("(Quota:")?.1.trim_end_matches(')').trim().parse().ok());
    shown.unwrap_or(0)
}

/// Nobody has set a quota yet: each is a share of the machine's memory. While the kernel boots it gives some of its own back.
fn shares(tap: &mut Tap, quotas: &[(&str, u64)]) {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let total = total.and_then(|total| total.trim().parse::<u64>().ok()).unwrap_or(0) * 1024;
    for ((name, bytes), share) in quotas.iter().zip([16, 64, 512]) {
        let wanted = (total / share).min(256 << 20);
        tap.check(
            &format!("{name} may take a {share}th of the memory"),
            *bytes <= wanted && *bytes > wanted - wanted / 8,
            || format!("{bytes} of {total}"),
        );
    }
}

/// At the bound of the policy programs stay in their domains and nothing is learned, which is told once; enforcing mode
/// refuses.
fn bound(tap: &mut Tap) {
    let name = domain_of(BOUND);
    let Ok(mut subject) = Subject::start(BOUND) else {
        return tap.check("the subject starts", false, String::new);
    };
    let next = format!("{name} /tmp/w/program");
    set_domain(&name, 3, &["allow_execute /tmp/w/program"]);
    // Not more than a few messages in five seconds.
    std::thread::sleep(std::time::Duration::from_millis(5500));
    write("meminfo", &format!("Policy: {}", kernel::quiet_bytes() + 64));
    let told = || {
        let reached = |line: &&String| line.contains("the policy has reached its quota");
        kernel_log().iter().filter(reached).count()
    };
    let before = told();
    tap.same("no domain when enforcing", subject.errno(&Op::Exec(b"/tmp/w/program".to_vec())), EPERM);
    let has_failed = || kernel::domain(&name).contains(&"transition_failed".to_owned());
    tap.check("transition_failed is set", has_failed(), || format!("{:?}", kernel::domain(&name)));
    // The flag and the other profile need no more memory than there is.
    write("domain_policy", &format!("{name}\ndelete transition_failed\nuse_profile 1"));
    let denied = stat("denied");
    let generation = || stat("generation");
    tap.same("learning: it runs", subject.errno(&Op::Exec(b"/tmp/w/program".to_vec())), 0);
    tap.same("in the old domain", subject.domain(), name.clone());
    tap.check("transition_failed is set again", has_failed(), String::new);
    tap.lacks_line("there is no domain", &read("domain_policy"), &next);
    let start = generation();
    let open = Op::Open(b"/tmp/w/file".to_vec(), 0, 0);
    tap.same("what is missed is allowed", subject.errno(&Op::Repeat(20, Box::new(open))), 0);
    tap.same("programs go on", subject.errno(&Op::Exec(b"/tmp/w/program".to_vec())), 0);
    tap.same("and the policy stays as it is", generation(), start);
    tap.same("nothing was refused", stat("denied"), denied);
    tap.check(
        "nothing is learned",
        !kernel::domain(&name).iter().any(|line| line.contains("/tmp/w/file")),
        || format!("{:?}", kernel::domain(&name)),
    );
    tap.same("it was told once", told() - before, 1);
    write("meminfo", "Policy: 0");
    tap.same("with room again", subject.errno(&Op::Exec(b"/tmp/w/program".to_vec())), 0);
    tap.same("there is a domain", subject.domain(), next.clone());
    drop(subject);
    for name in [next, name] {
        delete_domain(&name);
    }
    records("grant_log");
    records("reject_log");
}

fn form(tap: &mut Tap) {
    write("meminfo", "Policy: 0\nAudit logs: 0\nQuery lists: 0");
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
