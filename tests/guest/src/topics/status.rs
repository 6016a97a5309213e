// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who is in which domain: .process_status, .domain_status, select, and the refusals of .execute_handler and .transition
//! (reference 6.6, 10.4, 10.6, 10.7).

use std::fs::OpenOptions;
use std::io::Read;

use guest::kernel::{
    self, ask, delete_domain, errno, last_error, open_both, read, set_domain, stat, try_write, write, DRIVER,
};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::domain_of;

const PROGRAM: &str = "/tmp/x/status";
const EINVAL: i32 = 22;
const ENOMEM: i32 = 12;

pub fn run(tap: &mut Tap) {
    tap.topic("status");
    let name = domain_of(PROGRAM);
    match Subject::start(PROGRAM) {
        Ok(mut subject) => {
            set_domain(&name, 3, &["allow_read /etc/passwd", "allow_execute /bin/sh"]);
            process(tap, &subject, &name);
            domain(tap, &name);
            select(tap, &mut subject, &name);
        }
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    delete_domain(&name);
    refusals(tap);
}

fn process(tap: &mut Tap, subject: &Subject, name: &str) {
    let pid = subject.pid();
    let mut file = open_both(".process_status");
    tap.same("no answer before a question", kernel::rest(&mut file), String::new());
    tap.same("PID", ask(&mut file, &format!("{pid}\n")), format!("{pid} 3 {name}"));
    tap.same("global-pid PID", ask(&mut file, &format!("global-pid {pid}\n")), format!("{pid} 3 {name}"));
    let info = format!("{pid} manager=no execute_handler=no state[0]=0 state[1]=0 state[2]=0");
    tap.same("info PID", ask(&mut file, &format!("info {pid}\n")), info.clone());
    tap.same("info global-pid PID", ask(&mut file, &format!("info global-pid {pid}\n")), info);
    let own = std::process::id();
    tap.contains("the driver", &ask(&mut file, &format!("{own}\n")), DRIVER);
    tap.contains("the driver is a manager", &ask(&mut file, &format!("info {own}\n")), "manager=yes");
    tap.same("nobody", ask(&mut file, "999999\n"), String::new());
    let rejected = stat("rejected_lines");
    tap.same("no number", ask(&mut file, "self\n"), String::new());
    tap.same("is told", stat("rejected_lines") - rejected, 1);
    tap.contains("with what would be right", &last_error(), ".process_status:");
    tap.same("in pieces", (ask(&mut file, "info "), ask(&mut file, "999998\n")), Default::default());
}

fn domain(tap: &mut Tap, name: &str) {
    let text = read(".domain_status");
    tap.has_line("profile and domain", &text, &format!("3 {name}"));
    tap.check("<kernel> first", text.lines().next().is_some_and(|line| line.ends_with(" <kernel>")), || {
        text.clone()
    });
    write(".domain_status", &format!("2 {name}"));
    tap.has_line("a profile is set", &read(".domain_status"), &format!("2 {name}"));
    tap.check("and stands in domain_policy", kernel::domain(name).contains(&"use_profile 2".into()), || {
        read("domain_policy")
    });
    for wrong in [format!("77 {name}"), format!("256 {name}"), "3 <kernel> /no/such".into(), "3".into()] {
        let rejected = stat("rejected_lines");
        drop(try_write(".domain_status", format!("{wrong}\n").as_bytes()));
        tap.same(&format!("{wrong:?} is rejected"), stat("rejected_lines") - rejected, 1);
    }
    tap.has_line("and changes nothing", &read(".domain_status"), &format!("2 {name}"));
    write(".domain_status", &format!("3 {name}"));
}

fn select(tap: &mut Tap, subject: &mut Subject, name: &str) {
    let pid = subject.pid();
    let body = format!("{name}\nuse_profile 3\n\nallow_read /etc/passwd\nallow_execute /bin/sh\n\n");
    for line in [format!("pid={pid}"), format!("global-pid={pid}"), format!("domain={name}")] {
        let mut file = open_both("domain_policy");
        let mut start = [0; 5];
        tap.check("reading begins", file.read(&mut start).is_ok(), String::new);
        let text = ask(&mut file, &format!("select {line}\n"));
        tap.same(&format!("select {line}"), text, format!("# select {line}\n{body}"));
    }
    let mut file = open_both("domain_policy");
    let text = ask(&mut file, &format!("select   pid={pid}\nselect allow_execute\n"));
    let short = format!("# select pid={pid}\n{name}\nuse_profile 3\n\nallow_execute /bin/sh\n\n");
    tap.same("select allow_execute", text, short);
    for nobody in ["domain=<kernel> /no/such", "pid=999999", "global-pid=999999"] {
        let mut file = open_both("domain_policy");
        let text = ask(&mut file, &format!("select {nobody}\n"));
        tap.same(&format!("select {nobody}"), text, format!("# select {nobody}\n"));
    }
    // There is no domain of a name that none can have.
    let text = ask(&mut open_both("domain_policy"), "select domain=/a\n");
    tap.same("select of no name", text, "# select domain=/a\n".to_owned());
    // What was made but not read yet is not wanted any more.
    let mut file = open_both("domain_policy");
    let mut begun = [0; 5];
    tap.check("reading begins", file.read(&mut begun).is_ok(), String::new);
    let text = ask(&mut file, "select allow_execute\n");
    tap.same("it begins again", text, ask(&mut open_both("domain_policy"), "select allow_execute\n"));
    let mut file = open_both("domain_policy");
    drop(ask(&mut file, &format!("select pid={pid}\nallow_read /selected\n")));
    tap.check(
        "lines apply to the selected domain",
        kernel::domain(name).contains(&"allow_read /selected".into()),
        || read("domain_policy"),
    );
    let rejected = stat("rejected_lines");
    let stranger = |text: &str| Op::Write(kernel::path("domain_policy").into_bytes(), text.into());
    set_domain(name, 0, &[]);
    tap.same("a stranger may select", subject.errno(&stranger(&format!("select pid={pid}\n"))), 0);
    tap.same("without a complaint", stat("rejected_lines"), rejected);
    delete_domain(name);
    let mut file = open_both("domain_policy");
    let text = ask(&mut file, &format!("select pid={pid}\n"));
    let start = format!("# select pid={pid}\n# This is a deleted domain.\n{name}\n");
    tap.check("a deleted domain", text.starts_with(&start), || text.clone());
    // An observer can help a task that is still in it (reference 9.3).
    let text = ask(&mut file, &format!("select pid={pid}\nallow_read /in-deleted\n"));
    tap.contains("a line for it", &text, "\nallow_read /in-deleted\n");
}

fn refusals(tap: &mut Tap) {
    let wanted = read("features/proc_ccs") == "yes\n";
    tap.same("/proc/ccs is there if the kernel says so", std::fs::metadata("/proc/ccs").is_ok(), wanted);
    tap.same("the language", read("features/policy_language"), "1.7\n".to_owned());
    let open = OpenOptions::new().read(true).write(true).open(kernel::path(".execute_handler"));
    tap.same(".execute_handler is for execute handlers", errno(&open), EPERM);
    let long = [vec![b'x'; 4086], vec![0]].concat();
    for (label, bytes, wanted) in [
        ("nothing", &b""[..], ENOMEM),
        ("no NUL", b"abc", EINVAL),
        ("two NULs", b"a\0b\0", EINVAL),
        ("a NUL in the middle", b"a\0b", EINVAL),
        ("too long", &long, ENOMEM),
    ] {
        tap.same(&format!(".transition: {label}"), errno(&try_write(".transition", bytes)), wanted);
    }
}
