// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who may write policy (reference 10.2): a listed program or domain, uid and euid 0, and both opener and writer.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use guest::kernel::{self, ask, delete_domain, last_error, open, open_both, set_domain, stat, write};
use guest::op::{Answer, Op};
use guest::subject::{install, Subject, EPERM};
use guest::tap::Tap;

use super::domain_of;

const PROGRAM: &str = "/tmp/x/manager";
const OTHER: &str = "/tmp/x/stranger";

/// A line whose effect is easy to see.
const LINE: &str = "number_group WRITTEN_BY 7";

fn attempt() -> Op {
    Op::Write(kernel::path("exception_policy").into_bytes(), format!("{LINE}\n").into_bytes())
}

fn was_written() -> bool {
    let there = kernel::read("exception_policy").lines().any(|line| line == LINE);
    if there {
        write("exception_policy", &format!("delete {LINE}"));
    }
    there
}

pub fn run(tap: &mut Tap) {
    tap.topic("manager");
    install(OTHER);
    listed(tap);
    identity(tap);
    every_file(tap);
    handed_over(tap);
    nothing(tap);
    by_non_root(tap);
    selects(tap);
    for program in [PROGRAM, OTHER] {
        delete_domain(&domain_of(program));
    }
    delete_domain(&format!("{} {PROGRAM}", domain_of(OTHER)));
}

fn start(tap: &mut Tap, program: &str) -> Option<Subject> {
    let subject = Subject::start(program);
    if let Err(e) = &subject {
        tap.check("the subject starts", false, || e.to_string());
    }
    subject.ok()
}

fn listed(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    tap.same("root alone is no manager", subject.errno(&attempt()), EPERM);
    tap.same("nothing was written", was_written(), false);
    for entry in [PROGRAM.to_owned(), own.clone()] {
        write("manager", &entry);
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        tap.same(&format!("manager {entry}"), subject.errno(&attempt()), 0);
        tap.same("it was written", was_written(), true);
        write("manager", &format!("delete {entry}"));
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        tap.same(&format!("manager {entry}, deleted"), subject.errno(&attempt()), EPERM);
        tap.same("nothing was written", was_written(), false);
    }
    for entry in [OTHER.to_owned(), domain_of(OTHER), format!("{own} /x")] {
        write("manager", &entry);
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        tap.same(&format!("manager {entry} is somebody else"), subject.errno(&attempt()), EPERM);
        write("manager", &format!("delete {entry}"));
    }
    // The policy of files does not make a manager, and a manager needs the permission to open.
    write("manager", PROGRAM);
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    set_domain(&own, 3, &[]);
    tap.same("a manager in an enforcing domain needs allow_write", subject.errno(&attempt()), EPERM);
    set_domain(&own, 3, &["allow_write /sys/kernel/security/sekisho/exception_policy"]);
    tap.same("and may with it", subject.errno(&attempt()), 0);
    tap.same("it was written", was_written(), true);
    set_domain(&own, 0, &[]);
    write("manager", &format!("delete {PROGRAM}"));
}

/// uid and euid must both be 0. With fsuid 0 the file opens, so it is the write that is refused.
fn identity(tap: &mut Tap) {
    write("manager", PROGRAM);
    for (label, ids) in [("uid", [10050, 0, 0, 0]), ("euid", [0, 10050, 0, 0])] {
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        tap.same(&format!("{label} is 10050"), subject.errno(&Op::Uids(ids)), 0);
        let opened = subject.errno(&Op::Open(kernel::path("exception_policy").into_bytes(), 1, 0));
        tap.same(&format!("{label} 10050 opens the file"), opened, 0);
        tap.same(&format!("{label} 10050 is no manager"), subject.errno(&attempt()), EPERM);
        tap.same("nothing was written", was_written(), false);
    }
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    tap.same("all uids 10050", subject.errno(&Op::Uids([10050; 4])), 0);
    for (name, errno) in [("domain_policy", 13), ("stat", 13), ("self_domain", 13)] {
        let happened = subject.errno(&Op::Open(kernel::path(name).into_bytes(), 0, 0));
        tap.same(&format!("another uid does not read {name}"), happened, errno);
    }
    write("manager", &format!("delete {PROGRAM}"));
}

/// No policy file takes anything from a stranger, also not nothing (a write of 0 bytes asks "may I?"). In domain_policy the
/// right is asked for line by line (reference 10.1), and each line that is dropped is told.
fn every_file(tap: &mut Tap) {
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    let before = kernel::stat("rejected_lines");
    for (name, text) in [
        ("exception_policy", "number_group STRANGER 1\n"),
        ("profile", "201-COMMENT=stranger\n"),
        ("manager", "/tmp/x/manager\n"),
        ("activate", "1\n"),
        ("exception_policy", "garbage\n"),
        ("exception_policy", ""),
        ("meminfo", "Policy: 1\n"),
        ("query", "A0=1\n"),
        ("transaction", "begin\n"),
        (".domain_status", "3 <kernel>\n"),
    ] {
        let op = Op::Write(kernel::path(name).into_bytes(), text.into());
        tap.same(&format!("a stranger writes {text:?} to {name}"), subject.errno(&op), EPERM);
    }
    tap.same("what a stranger writes is not even looked at", kernel::stat("rejected_lines"), before);
    for (text, dropped) in [("<kernel> /stranger\n", 1), ("garbage\n<kernel> /stranger\n", 2), ("", 0)] {
        let before = kernel::stat("rejected_lines");
        let op = Op::Write(kernel::path("domain_policy").into_bytes(), text.into());
        tap.same(&format!("a stranger writes {text:?} to domain_policy"), subject.errno(&op), 0);
        tap.same("lines dropped", kernel::stat("rejected_lines") - before, dropped);
        if dropped > 0 {
            tap.contains("and told why", &kernel::last_error(), "only a manager may change the policy");
        }
    }
    let log = super::boot::kernel_log();
    let told =
        log.iter().any(|line| line.contains(&format!("(pid={} uid=0) is not permitted", subject.pid())));
    tap.check("the kernel's log tells who it was", told, || log.join("\n"));
    tap.lacks_line("no domain came of it", &kernel::read("domain_policy"), "<kernel> /stranger");
    tap.lacks_line("no manager came of it", &kernel::read("manager"), "/tmp/x/manager");
    let mut reads = |name: &str| subject.errno(&Op::Open(kernel::path(name).into_bytes(), 0, 0));
    tap.same("root may read policy", reads("domain_policy"), 0);
}

/// Both who opened and who writes must be managers: a descriptor is no permission.
fn handed_over(tap: &mut Tap) {
    let text = format!("{LINE}\n").into_bytes();
    // The driver, a manager, opens; a stranger writes.
    match Subject::start_with(OTHER, Stdio::from(open("exception_policy"))) {
        Ok(mut stranger) => {
            tap.same(
                "opened by a manager, written by a stranger",
                stranger.errno(&Op::WriteStderr(text.clone())),
                EPERM,
            );
            tap.same("nothing was written", was_written(), false);
        }
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    // A stranger opens and becomes a manager's program, which writes.
    write("manager", PROGRAM);
    install(PROGRAM);
    let Some(mut subject) = start(tap, OTHER) else { return };
    let become_manager = Op::ExecWithStderr(kernel::path("exception_policy").into_bytes(), PROGRAM.into());
    tap.same("a stranger opens and becomes a manager's program", subject.errno(&become_manager), 0);
    tap.same(
        "opened by a stranger, written by a manager",
        subject.errno(&Op::WriteStderr(text.clone())),
        EPERM,
    );
    tap.same("nothing was written", was_written(), false);
    tap.same("the same program may write what it opens itself", subject.errno(&attempt()), 0);
    tap.same("it was written", was_written(), true);
    // A manager that drops its rights after opening.
    match Subject::start_with(PROGRAM, Stdio::from(open("exception_policy"))) {
        Ok(mut manager) => {
            tap.same(
                "opened by one manager, written by another",
                manager.errno(&Op::WriteStderr(text.clone())),
                0,
            );
            tap.same("it was written", was_written(), true);
            tap.same("then it becomes uid 10050", manager.errno(&Op::Uids([10050; 4])), 0);
            tap.same("and may no more", manager.errno(&Op::WriteStderr(text)), EPERM);
            tap.same("nothing was written", was_written(), false);
        }
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    write("manager", &format!("delete {PROGRAM}"));
}

/// A write of nothing asks "may I?" and does nothing (reference 10.1): a manager may.
fn nothing(tap: &mut Tap) {
    write("manager", PROGRAM);
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    let files = ["exception_policy", "profile", "manager", "activate", "meminfo", "query", "transaction"];
    for name in files.into_iter().chain([".domain_status", "coverage"]) {
        let op = Op::Write(kernel::path(name).into_bytes(), Vec::new());
        tap.same(&format!("a manager writes nothing to {name}"), subject.errno(&op), 0);
    }
    write("manager", &format!("delete {PROGRAM}"));
}

/// `manage_by_non_root`: any uid will do, if the file opens; only who is listed manages all the same.
fn by_non_root(tap: &mut Tap) {
    let path = kernel::path("exception_policy");
    let set_mode = |tap: &mut Tap, mode: u32| {
        let set = fs::set_permissions(&path, Permissions::from_mode(mode));
        tap.check(&format!("exception_policy gets the mode {mode:o}"), set.is_ok(), || format!("{set:?}"));
    };
    write("manager", &format!("{PROGRAM}\nmanage_by_non_root"));
    tap.lacks_line("the list does not show the switch", &kernel::read("manager"), "manage_by_non_root");
    set_mode(tap, 0o666);
    if let (Some(mut subject), Some(mut stranger)) = (start(tap, PROGRAM), start(tap, OTHER)) {
        for subject in [&mut subject, &mut stranger] {
            tap.same("all uids 10050", subject.errno(&Op::Uids([10050; 4])), 0);
        }
        tap.same("a listed program of uid 10050", subject.errno(&attempt()), 0);
        tap.same("it was written", was_written(), true);
        let info = ask(&mut open_both(".process_status"), &format!("info {}\n", subject.pid()));
        tap.contains("the process is shown as a manager", &info, " manager=yes ");
        tap.same("another program of uid 10050", stranger.errno(&attempt()), EPERM);
        tap.same("nothing was written", was_written(), false);
        write("manager", "delete manage_by_non_root");
        tap.same("the listed program without the switch", subject.errno(&attempt()), EPERM);
        tap.same("nothing was written", was_written(), false);
    }
    // Also when a subject did not start.
    write("manager", "delete manage_by_non_root");
    set_mode(tap, 0o600);
    write("manager", &format!("delete {PROGRAM}"));
}

/// Who can open domain_policy chooses what is read, and has no right to change anything by that (reference 10.3, 10.4).
fn selects(tap: &mut Tap) {
    let Some(mut stranger) = start(tap, OTHER) else { return };
    let own = domain_of(OTHER);
    let pid = stranger.pid();
    set_domain(&own, 0, &["allow_read /etc/passwd", "allow_execute /bin/sh"]);
    let head = format!("{own}\nuse_profile 0\n\n");
    let all = format!("{head}allow_read /etc/passwd\nallow_execute /bin/sh\n\n");
    let short = format!("{head}allow_execute /bin/sh\n\n");
    let hold = Op::Hold(1, kernel::path("domain_policy").into_bytes(), 2, 0);
    let mut ask = |tap: &mut Tap, text: &str| -> (String, u64) {
        let before = stat("rejected_lines");
        tap.same("a stranger opens domain_policy", stranger.errno(&hold), 0);
        let written = stranger.errno(&Op::FdWrite(1, format!("{text}\n").into_bytes()));
        tap.same(&format!("a stranger writes {text:?}"), written, 0);
        let answer = match stranger.perform(&Op::FdRead(1)) {
            Answer::Text(text) => String::from_utf8_lossy(&text).into_owned(),
            Answer::Errno(errno) => format!("errno {errno}"),
        };
        stranger.errno(&Op::Close(1));
        (answer, stat("rejected_lines") - before)
    };
    for (line, body) in [
        (format!("select domain={own}"), &all),
        (format!("select global-pid={pid}"), &all),
        (format!("select domain={own}\nselect allow_execute"), &short),
    ] {
        let chosen = line.split('\n').next().unwrap_or_default();
        let (answer, rejected) = ask(tap, &line);
        tap.same(&format!("{line:?} is everybody's"), answer, format!("# {chosen}\n{body}"));
        tap.same(&format!("{line:?}: lines dropped"), rejected, 0);
    }
    // The form for those who write.
    let line = format!("select {own}");
    let (answer, rejected) = ask(tap, &line);
    tap.same(&format!("{line:?} is for managers"), rejected, 1);
    tap.contains("and told why", &last_error(), "only a manager may change the policy");
    tap.check("all domains are read", answer.starts_with("<kernel>\nuse_profile 0\n"), || answer.clone());
    let (_, rejected) = ask(tap, &format!("select domain={own}\nallow_read /stranger"));
    tap.same("a line behind select is dropped", rejected, 1);
    let lines = kernel::domain(&own);
    tap.check("nothing was added", !lines.contains(&"allow_read /stranger".to_owned()), || lines.join("\n"));
}
