// SPDX-License-Identifier: MIT OR Apache-2.0
//! Domain transitions (reference 6): the next domain, failures, scripts, links, threads, forks.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use guest::kernel::{self, delete_domain, domain, records, set_domain, write};
use guest::op::{Answer, Op};
use guest::subject::{install, Subject, EPERM};
use guest::tap::Tap;

use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/domains";
const SECOND: &str = "/tmp/x/second";

fn exec(path: &str) -> Op {
    Op::Exec(path.into())
}

pub fn run(tap: &mut Tap) {
    tap.topic("domains");
    install(SECOND);
    next(tap);
    failures(tap);
    scripts(tap);
    long(tap);
    copies(tap);
    attribute(tap);
    for line in kernel::read("domain_policy").lines() {
        if line.contains("/tmp/") && line.starts_with("<kernel>") {
            delete_domain(line);
        }
    }
}

/// A new subject, or a failed case.
fn start(tap: &mut Tap) -> Option<Subject> {
    match Subject::start(PROGRAM) {
        Ok(subject) => Some(subject),
        Err(e) => {
            tap.check("the subject starts", false, || e.to_string());
            None
        }
    }
}

/// The choice of the next domain (reference 6.3).
fn next(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let chain = format!("{own} {SECOND}");
    let fresh = format!("<kernel> {SECOND}");
    for (lines, expected) in [
        (vec![], &chain),
        (vec![format!("initialize_domain {SECOND}")], &fresh),
        (vec![format!("initialize_domain {SECOND} from {PROGRAM}")], &fresh),
        (vec![format!("initialize_domain {SECOND} from {own}")], &fresh),
        (vec![format!("initialize_domain {SECOND} from /tmp/x/other")], &chain),
        (
            vec![
                format!("initialize_domain {SECOND}"),
                format!("no_initialize_domain {SECOND} from {PROGRAM}"),
            ],
            &chain,
        ),
        (
            vec![format!("no_initialize_domain {SECOND} from {own}"), format!("initialize_domain {SECOND}")],
            &chain,
        ),
        (vec![format!("keep_domain {PROGRAM}")], &own),
        (vec![format!("keep_domain {own}")], &own),
        (vec![format!("keep_domain {SECOND} from {PROGRAM}")], &own),
        (vec![format!("keep_domain /tmp/x/other from {PROGRAM}")], &chain),
        (vec![format!("keep_domain {PROGRAM}"), format!("no_keep_domain {SECOND} from {PROGRAM}")], &chain),
        (vec![format!("keep_domain {PROGRAM}"), format!("initialize_domain {SECOND}")], &fresh),
    ] {
        write("exception_policy", &lines.join("\n"));
        let Some(mut subject) = start(tap) else { return };
        tap.same(&format!("{lines:?}: where it starts"), subject.domain(), own.clone());
        tap.same(&format!("{lines:?}: execve"), subject.errno(&exec(SECOND)), 0);
        tap.same(&format!("{lines:?}: the next domain"), subject.domain(), expected.clone());
        drop(subject);
        let delete: Vec<String> = lines.iter().map(|line| format!("delete {line}")).collect();
        write("exception_policy", &delete.join("\n"));
    }
    // A link is a program of its own name.
    drop(fs::remove_file("/tmp/x/link"));
    if let Err(e) = std::os::unix::fs::symlink(SECOND, "/tmp/x/link") {
        tap.check("a link can be made", false, || e.to_string());
    }
    set_domain(&format!("{own} /tmp/x/link"), 0, &[]);
    let Some(mut subject) = start(tap) else { return };
    set_domain(&own, 3, &[&format!("allow_execute {SECOND}")]);
    tap.same("execve of a link is not execve of its target", subject.errno(&exec("/tmp/x/link")), EPERM);
    set_domain(&own, 3, &["allow_execute /tmp/x/link"]);
    tap.same("execve of a link", subject.errno(&exec("/tmp/x/link")), 0);
    tap.same("the domain has the link's name", subject.domain(), format!("{own} /tmp/x/link"));
    set_domain(&own, 0, &[]);
}

/// An execve that fails changes nothing; in enforcing mode a missing domain is a failure.
fn failures(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    fresh_work();
    let Some(mut subject) = start(tap) else { return };
    let broken = "/tmp/w/broken";
    let written = fs::write(broken, b"\x7fELF but nothing else")
        .and_then(|()| fs::set_permissions(broken, fs::Permissions::from_mode(0o755)));
    tap.check("a broken program can be made", written.is_ok(), || format!("{written:?}"));
    tap.same("execve of a broken program", subject.errno(&exec(broken)), 8);
    tap.same("the domain is what it was", subject.domain(), own.clone());
    // Judged by the old domain again: the new one would be disabled.
    set_domain(
        &own,
        3,
        &[&format!("allow_read {}", kernel::path("self_domain")), &format!("allow_execute {broken}")],
    );
    tap.same("execve of a broken program, enforcing", subject.errno(&exec(broken)), 8);
    tap.same("the old domain judges", subject.errno(&Op::Open(b"/tmp/w/file".to_vec(), 0, 0)), EPERM);
    tap.same("and allows what it allows", subject.domain(), own.clone());
    tap.same("execve of what is not there", subject.errno(&exec("/tmp/w/nothing")), 2);
    tap.same("execve of a directory", subject.errno(&exec("/tmp/w/dir")), 13);

    delete_domain(&format!("{own} {SECOND}"));
    let self_domain = format!("allow_read {}", kernel::path("self_domain"));
    set_domain(&own, 3, &[&self_domain, &format!("allow_execute {SECOND}")]);
    records("reject_log");
    tap.same("enforcing, no next domain", subject.errno(&exec(SECOND)), EPERM);
    tap.same("it is still where it was", subject.domain(), own.clone());
    tap.check("transition_failed is set", domain(&own).contains(&"transition_failed".into()), || {
        format!("{:?}", domain(&own))
    });
    let notes: Vec<String> =
        records("reject_log").into_iter().filter(|r| r.ends_with("\ntransition_failed\n")).collect();
    tap.same("one record says so", notes.len(), 1);
    tap.check(
        "with the domain's name",
        notes.iter().all(|note| note.contains(&format!("\n{own}\n"))),
        || notes.join("|"),
    );
    tap.same("a second try fails as well", subject.errno(&exec(SECOND)), EPERM);
    let again = records("reject_log").iter().filter(|r| r.ends_with("\ntransition_failed\n")).count();
    tap.same("but is not recorded again", again, 0);
    // Profile 4 enforces and wants no records: then there are none of domains either.
    write("domain_policy", &format!("{own}\ndelete transition_failed\nuse_profile 4"));
    tap.same("enforcing without logs, no next domain", subject.errno(&exec(SECOND)), EPERM);
    tap.check(
        "transition_failed is set there too",
        domain(&own).contains(&"transition_failed".into()),
        || format!("{:?}", domain(&own)),
    );
    tap.same("and nothing is recorded", records("reject_log"), Vec::<String>::new());
    write("domain_policy", &format!("{own}\nuse_profile 3\ndelete transition_failed"));
    tap.check(
        "transition_failed can be deleted",
        !domain(&own).contains(&"transition_failed".into()),
        || format!("{:?}", domain(&own)),
    );

    // In the other modes the domain is made, with the caller's profile, and a record says so unless disabled.
    for profile in [2_u8, 1, 0] {
        let next = format!("{own} {SECOND}");
        delete_domain(&next);
        set_domain(&own, 0, &[]);
        let Some(mut subject) = start(tap) else { return };
        set_domain(&own, profile, &[&format!("allow_execute {SECOND}")]);
        records("reject_log");
        tap.same(&format!("profile {profile}, no next domain"), subject.errno(&exec(SECOND)), 0);
        tap.same(&format!("profile {profile}, the domain is made"), subject.domain(), next.clone());
        let line = format!("use_profile {profile}");
        tap.check(&format!("profile {profile} is inherited"), domain(&next).contains(&line), || {
            format!("{:?}", domain(&next))
        });
        let count = records("reject_log")
            .iter()
            .filter(|r| r.contains(&next) && r.ends_with(&format!("\n{line}\n")))
            .count();
        tap.same(&format!("profile {profile}, records of it"), count, usize::from(profile != 0));
        drop(subject);
        delete_domain(&next);
    }
    set_domain(&own, 0, &[]);
}

/// The interpreter of a script is read in the script's domain and needs no allow_execute (reference 6.2).
fn scripts(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let script = "/tmp/w/script";
    let inner = format!("{own} {script}");
    fresh_work();
    let written = fs::write(script, format!("#!{SECOND}\n"))
        .and_then(|()| fs::set_permissions(script, fs::Permissions::from_mode(0o755)));
    tap.check("a script can be made", written.is_ok(), || format!("{written:?}"));
    let Some(mut subject) = start(tap) else { return };
    set_domain(&own, 3, &[&format!("allow_execute {script}"), &format!("allow_read {SECOND}")]);
    set_domain(&inner, 3, &[]);
    tap.same("the interpreter is refused in the new domain", subject.errno(&exec(script)), EPERM);
    set_domain(
        &inner,
        3,
        &[&format!("allow_read {SECOND}"), &format!("allow_read {}", kernel::path("self_domain"))],
    );
    tap.same("the interpreter is allowed in the new domain", subject.errno(&exec(script)), 0);
    tap.same("the domain is named after the script", subject.domain(), inner.clone());
    drop(subject);
    delete_domain(&inner);
    set_domain(&own, 0, &[]);
}

/// A domain name that would be too long is a failed transition (reference 1.6).
fn long(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let folder = format!("/tmp/x{}", format!("/{}", "d".repeat(199)).repeat(20));
    let program = format!("{folder}/{}", "p".repeat(40));
    install(&program);
    for (profile, errno) in [(3_u8, EPERM), (0, 0)] {
        set_domain(&own, 0, &[]);
        let Some(mut subject) = start(tap) else { return };
        set_domain(
            &own,
            profile,
            &[&format!("allow_execute {program}"), &format!("allow_read {}", kernel::path("self_domain"))],
        );
        tap.same(
            &format!("profile {profile}, a name beyond 4085 bytes"),
            subject.errno(&exec(&program)),
            errno,
        );
        tap.same(&format!("profile {profile}, it stays where it is"), subject.domain(), own.clone());
        tap.check(
            &format!("profile {profile}, transition_failed is set"),
            domain(&own).contains(&"transition_failed".into()),
            || format!("{:?}", domain(&own)),
        );
    }
    set_domain(&own, 0, &[]);
}

/// Threads and children are in their maker's domain.
fn copies(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    fresh_work();
    let Some(mut subject) = start(tap) else { return };
    set_domain(&own, 3, &["allow_read /tmp/w/file", &format!("allow_read {}", kernel::path("self_domain"))]);
    let domain_file = Op::Read(kernel::path("self_domain").into());
    let in_thread = subject.perform(&Op::Thread(Box::new(domain_file)));
    tap.same("a thread is in the domain", in_thread, Answer::Text(own.clone().into_bytes()));
    let allowed = Op::Open(b"/tmp/w/file".to_vec(), 0, 0);
    let refused = Op::Open(b"/tmp/w/file".to_vec(), 1, 0);
    for (label, wrap) in [("thread", Op::Thread as fn(Box<Op>) -> Op), ("child", Op::Fork)] {
        tap.same(
            &format!("a {label} may what the domain may"),
            subject.errno(&wrap(Box::new(allowed.clone()))),
            0,
        );
        tap.same(&format!("a {label} may no more"), subject.errno(&wrap(Box::new(refused.clone()))), EPERM);
    }
    tap.same("many children", subject.errno(&Op::Repeat(50, Box::new(Op::Fork(Box::new(refused))))), EPERM);
    tap.same("many threads", subject.errno(&Op::Repeat(50, Box::new(Op::Thread(Box::new(allowed))))), 0);
    set_domain(&own, 0, &[]);
}

/// procfs shows a task's domain to others and to itself, as the interface does.
fn attribute(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let Some(mut subject) = start(tap) else { return };
    let path = format!("/proc/{}/attr/sekisho/current", subject.pid());
    let shown =
        || fs::read_to_string(&path).map_or_else(|e| e.to_string(), |text| text.trim_end().to_owned());
    tap.same("the attribute of another process", shown(), own.clone());
    set_domain(&own, 3, &["allow_read /proc/self/attr/sekisho/current", &format!("allow_execute {SECOND}")]);
    let text = subject.text("/proc/self/attr/sekisho/current");
    tap.same("the own attribute", text.trim_end().to_owned(), own.clone());
    let write = Op::Write(b"/proc/self/attr/sekisho/current".to_vec(), b"<kernel>".to_vec());
    set_domain(&own, 0, &[]);
    tap.check("it cannot be written", subject.errno(&write) != 0, String::new);
    tap.same("execve", subject.errno(&exec(SECOND)), 0);
    tap.same("after execve", shown(), format!("{own} {SECOND}"));
    set_domain(&own, 0, &[]);
}
