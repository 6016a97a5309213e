// SPDX-License-Identifier: MIT OR Apache-2.0
//! execute_handler and denied_execute_handler (reference 6.7): another program runs in place of the one asked for.

use std::fs;
use std::time::{Duration, Instant};

use guest::kernel::{self, delete_domain, records, set_domain};
use guest::op::{Answer, Op};
use guest::subject::{install, Subject, EPERM};
use guest::tap::Tap;

use super::exec::{delete_all, exec_with, start};
use super::table::{acls, drain, requests};
use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/caller";
const HANDLER: &str = "/tmp/x/handler";
const TARGET: &str = "/tmp/w/program";

pub fn run(tap: &mut Tap) {
    tap.topic("handlers");
    fresh_work();
    install(HANDLER);
    always(tap);
    denied(tap);
    flag(tap);
    missing(tap);
    impatient(tap);
    rooted(tap);
    delete_all(PROGRAM);
    delete_domain(&format!("<kernel> {HANDLER}"));
    drain();
}

fn call() -> Op {
    exec_with(TARGET, &["prog", "a b"], &["X=y"])
}

fn words(subject: &mut Subject, path: &str) -> Vec<String> {
    match subject.perform(&Op::Read(path.into())) {
        Answer::Text(text) => {
            let mut words: Vec<String> = text
                .split(|byte| *byte == 0)
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect();
            words.pop();
            words
        }
        Answer::Errno(errno) => vec![format!("errno {errno}")],
    }
}

/// What a handler is told.
fn told(pid: u32) -> Vec<String> {
    let own = domain_of(PROGRAM);
    [
        HANDLER,
        &own,
        PROGRAM,
        &format!("pid={pid} uid=0 gid=0 euid=0 egid=0 suid=0 sgid=0 fsuid=0 fsgid=0 state[0]=0 state[1]=0 state[2]=0"),
        TARGET,
        "2",
        "2",
        "prog",
        "a b",
        "SEKISHO_SUBJECT=1",
        "X=y",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// execute_handler: in every mode, before anything is asked.
fn always(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let next = format!("{own} {HANDLER}");
    for profile in [0_u8, 1, 2, 3, 5] {
        set_domain(&next, 0, &[]);
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        set_domain(&own, profile, &[&format!("execute_handler {HANDLER}")]);
        drain();
        let label = format!("execute_handler, profile {profile}");
        tap.same(&label, subject.errno(&call()), 0);
        let granted = records("grant_log");
        let refused = requests("reject_log");
        tap.same(
            &format!("{label}: what it is told"),
            words(&mut subject, "/proc/self/cmdline"),
            told(subject.pid()),
        );
        tap.same(&format!("{label}: no environment"), words(&mut subject, "/proc/self/environ"), Vec::new());
        tap.same(&format!("{label}: the domain"), subject.domain(), next.clone());
        tap.same(&format!("{label}: nothing is refused"), refused, Vec::new());
        let asked: Vec<&str> = granted
            .iter()
            .filter(|record| record.contains(&format!("\n{own}\n")))
            .map(|record| super::table::request(record))
            .collect();
        let expected =
            if matches!(profile, 0 | 5) { vec![] } else { vec![format!("execute_handler {HANDLER}")] };
        tap.same(&format!("{label}: the record"), asked, expected.iter().map(String::as_str).collect());
        tap.same(&format!("{label}: nothing is learned"), acls(&own), Vec::new());
    }
    // The transition rules hold for the handler.
    kernel::write("exception_policy", &format!("initialize_domain {HANDLER}"));
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    set_domain(&own, 3, &[&format!("execute_handler {HANDLER}")]);
    set_domain(&format!("<kernel> {HANDLER}"), 0, &[]);
    tap.same("initialize_domain of the handler", subject.errno(&call()), 0);
    tap.same("initialize_domain of the handler: the domain", subject.domain(), format!("<kernel> {HANDLER}"));
    kernel::write("exception_policy", &format!("delete initialize_domain {HANDLER}"));
    // The last one counts, and a deleted one no more.
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    set_domain(&own, 0, &["execute_handler /tmp/x/nothing", &format!("execute_handler {HANDLER}")]);
    tap.same("two handlers", subject.errno(&call()), 0);
    tap.same("two handlers: the domain", subject.domain(), next.clone());
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    set_domain(&own, 0, &[&format!("execute_handler {HANDLER}")]);
    set_domain(&own, 0, &[]);
    tap.same("a deleted handler", subject.errno(&call()), 0);
    tap.same("a deleted handler: the domain", subject.domain(), format!("{own} {TARGET}"));
}

/// denied_execute_handler: only for what would be refused.
fn denied(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let line = format!("denied_execute_handler {HANDLER}");
    let allow = format!("allow_execute {TARGET}");
    for (profile, lines, next) in [
        (3_u8, vec![line.as_str()], HANDLER),
        (3, vec![line.as_str(), allow.as_str()], TARGET),
        (2, vec![line.as_str()], TARGET),
        (1, vec![line.as_str()], TARGET),
        (0, vec![line.as_str()], TARGET),
    ] {
        for name in [HANDLER, TARGET] {
            set_domain(&format!("{own} {name}"), 0, &[]);
        }
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        set_domain(&own, profile, &lines);
        drain();
        let label = format!("profile {profile} with {lines:?}");
        tap.same(&label, subject.errno(&call()), 0);
        tap.same(&format!("{label}: the domain"), subject.domain(), format!("{own} {next}"));
        if next == HANDLER {
            tap.same(&format!("{label}: refused"), requests("reject_log"), vec![allow.clone()]);
            tap.same(&format!("{label}: granted"), requests("grant_log"), vec![line.clone()]);
            tap.same(
                &format!("{label}: what it is told"),
                words(&mut subject, "/proc/self/cmdline"),
                told(subject.pid()),
            );
        }
    }
    // Also when the program may be executed but its domain is missing.
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    delete_domain(&format!("{own} {TARGET}"));
    set_domain(&own, 3, &[&line, &allow]);
    tap.same("the next domain is missing", subject.errno(&call()), 0);
    tap.same("the next domain is missing: the domain", subject.domain(), format!("{own} {HANDLER}"));
}

/// The task's mark: it keeps handlers away from a handler, conditions see it, and the next program has it no more.
fn flag(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let next = format!("{own} {HANDLER}");
    let last = format!("{next} {TARGET}");
    let read = Op::Open(b"/tmp/w/file".to_vec(), 0, 0);
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    set_domain(&next, 0, &[]);
    set_domain(&own, 0, &[&format!("execute_handler {HANDLER}")]);
    tap.same("a handler runs", subject.errno(&call()), 0);
    set_domain(&next, 3, &["allow_read /tmp/w/file if task.type=execute_handler"]);
    drain();
    tap.same("the condition of a handler", subject.errno(&read), 0);
    tap.contains("the record of a handler", &records("grant_log").join(""), " type=execute_handler }");
    tap.same("it is inherited", subject.errno(&Op::Fork(Box::new(read.clone()))), 0);
    set_domain(&next, 3, &["allow_read /tmp/w/file if task.type!=execute_handler"]);
    tap.same("the opposite", subject.errno(&read), EPERM);
    set_domain(&next, 1, &[]);
    tap.same("learning by a handler", subject.errno(&read), 0);
    tap.same(
        "learned by a handler",
        acls(&next),
        vec!["allow_read /tmp/w/file if task.type=execute_handler".to_owned()],
    );
    // It may ask about its callers (reference 10.7), and hears what everybody else hears.
    set_domain(&next, 0, &[]);
    let questions = Op::Hold(1, kernel::path(".execute_handler").into_bytes(), 2, 0);
    tap.same("a handler opens .execute_handler", subject.errno(&questions), 0);
    for pid in [subject.pid(), std::process::id()] {
        let question = format!("{pid}\n");
        let asked = subject.errno(&Op::FdWrite(1, question.clone().into_bytes()));
        tap.same("a handler asks", asked, 0);
        let expected = kernel::ask(&mut kernel::open_both(".process_status"), &question);
        tap.check("there is an answer", expected.starts_with(&format!("{pid} 0 <kernel> /")), || {
            expected.clone()
        });
        tap.same(
            "a handler is answered",
            subject.perform(&Op::FdRead(1)),
            Answer::Text(expected.into_bytes()),
        );
    }
    tap.same("the file is closed", subject.errno(&Op::Close(1)), 0);
    // The handler may not be handled itself; what it executes is an ordinary program again.
    set_domain(&last, 0, &[]);
    let handled = format!("execute_handler {HANDLER}");
    set_domain(&next, 3, &[&handled, &format!("denied_execute_handler {HANDLER}")]);
    tap.same("a handler is refused like others", subject.errno(&call()), EPERM);
    set_domain(&next, 3, &[&handled, &format!("allow_execute {TARGET} if task.type=execute_handler")]);
    tap.same("the handler executes", subject.errno(&call()), 0);
    tap.same("the handler executes: the domain", subject.domain(), last.clone());
    set_domain(&last, 3, &["allow_read /tmp/w/file if task.type=execute_handler"]);
    tap.same("the program is no handler", subject.errno(&read), EPERM);
    set_domain(&last, 0, &[]);
    tap.same("and does not open .execute_handler", subject.errno(&questions), EPERM);
}

/// A handler that cannot be run is the end of it.
fn missing(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    drop(fs::write("/tmp/w/plain", "text"));
    for (handler, errno) in [("/tmp/x/nothing", 2), ("/tmp/w/plain", 13)] {
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        let self_domain = format!("allow_read {}", kernel::path("self_domain"));
        set_domain(
            &own,
            3,
            &[&format!("execute_handler {handler}"), &format!("allow_execute {TARGET}"), &self_domain],
        );
        tap.same(&format!("the handler {handler}"), subject.errno(&call()), errno);
        tap.same(&format!("the handler {handler}: the domain"), subject.domain(), own.clone());
    }
}

/// While a handler is set up nobody sleeps the penalty (reference 6.7).
fn impatient(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    kernel::write("profile", "3-PREFERENCE::enforcing={ verbose=no penalty=40 }");
    for keyword in ["execute_handler", "denied_execute_handler"] {
        delete_domain(&format!("{own} {HANDLER}"));
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        set_domain(&own, 3, &[&format!("{keyword} {HANDLER}")]);
        let start = Instant::now();
        tap.same(&format!("{keyword} without a domain"), subject.errno(&call()), EPERM);
        // The program itself, which is asked for first, has its penalty.
        let most = if keyword == "execute_handler" { 3000 } else { 7000 };
        let waited = start.elapsed();
        tap.check(&format!("{keyword}: no penalty"), waited < Duration::from_millis(most), || {
            format!("{waited:?}")
        });
    }
    kernel::write("profile", "3-PREFERENCE::enforcing=use_default");
}

/// In a chroot the handler must be below its root, and sees its own path from there.
fn rooted(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let inside = "/tmp/w/handler";
    fresh_work();
    install(inside);
    for (handler, errno) in [(HANDLER, 2), (inside, 0)] {
        set_domain(&format!("{own} {inside}"), 0, &[]);
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        tap.same("chroot", subject.errno(&Op::Chroot(b"/tmp/w".to_vec())), 0);
        set_domain(&own, 0, &[&format!("execute_handler {handler}")]);
        let op = exec_with("/program", &["prog"], &[]);
        tap.same(&format!("in a chroot, the handler {handler}"), subject.errno(&op), errno);
        if errno == 0 {
            let text = fs::read(format!("/proc/{}/cmdline", subject.pid())).unwrap_or_default();
            let told: Vec<String> = text
                .split(|byte| *byte == 0)
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect();
            let word = |index: usize| told.get(index).cloned().unwrap_or_default();
            tap.same("its own path", word(0), "/handler".to_owned());
            tap.same("the domain", word(1), own.clone());
            tap.same("the path asked for", word(4), "/program".to_owned());
        }
    }
}
