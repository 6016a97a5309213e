// SPDX-License-Identifier: MIT OR Apache-2.0
//! Transitions without execve (reference 6.6): writing to `.transition`.

use guest::kernel::{self, records, set_domain, write};
use guest::op::Op;
use guest::subject::{install, Subject, EPERM};
use guest::tap::Tap;

use super::exec::{delete_all, start};
use super::table::{acls, drain, requests};
use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/transit";
/// Another program.
const OTHER: &str = "/tmp/x/transitor";
const ENOENT: i32 = 2;
const ENOMEM: i32 = 12;
const EINVAL: i32 = 22;

fn go(bytes: &[u8]) -> Op {
    Op::Write(kernel::path(".transition").into(), bytes.to_vec())
}

pub fn run(tap: &mut Tap) {
    tap.topic("transit");
    fresh_work();
    steps(tap);
    forms(tap);
    modes(tap);
    copies(tap);
    descriptors(tap);
    for program in [PROGRAM, OTHER] {
        delete_all(program);
    }
    drain();
}

/// What a domain needs to open the file, and to see where it is.
fn base() -> [String; 2] {
    [
        format!("allow_write {}", kernel::path(".transition")),
        format!("allow_read {}", kernel::path("self_domain")),
    ]
}

fn enforce(name: &str, more: &[&str]) {
    let base = base();
    let mut lines: Vec<&str> = base.iter().map(String::as_str).collect();
    lines.extend(more);
    set_domain(name, 3, &lines);
    drain();
}

/// The permission, the name, the domain, and no way back.
fn steps(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let next = format!("{own} //app=shop\\040id=7");
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    set_domain(&next, 0, &[]);
    let op = go(b"app=shop id=7\0");
    let line = "allow_transit //app=shop\\040id=7";
    for other in ["allow_transit //app=shop", "allow_transit //\\*", "allow_transit app=shop\\040id=7", ""] {
        enforce(&own, &[other]);
        tap.same(&format!("with {other:?}"), subject.errno(&op), EPERM);
        tap.same(&format!("with {other:?}: the record"), requests("reject_log"), vec![line.to_owned()]);
        tap.same(&format!("with {other:?}: the domain"), subject.domain(), own.clone());
    }
    enforce(&own, &[line]);
    tap.same("allowed", subject.errno(&op), 0);
    tap.check("allowed: the grant", requests("grant_log").contains(&line.to_owned()), String::new);
    tap.same("allowed: the domain", subject.domain(), next.clone());
    enforce(&next, &["allow_read /tmp/w/file"]);
    tap.same("the new domain judges", subject.errno(&Op::Open(b"/tmp/w/file".to_vec(), 0, 0)), 0);
    tap.same("the new domain refuses", subject.errno(&Op::Open(b"/tmp/w/file".to_vec(), 1, 0)), EPERM);
    // One more step, and a program from there.
    let last = format!("{next} //b");
    set_domain(&last, 0, &[]);
    enforce(&next, &["allow_transit //b"]);
    tap.same("a second step", subject.errno(&go(b"b\0")), 0);
    tap.same("a second step: the domain", subject.domain(), last.clone());
    tap.same("execve from there", subject.errno(&Op::Exec(b"/tmp/w/program".to_vec())), 0);
    tap.same("execve from there: the domain", subject.domain(), format!("{last} /tmp/w/program"));
}

/// Exactly one NUL, at the end.
fn forms(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    let room = 4086 - own.len();
    // The new domain's name has at most 4085 bytes (reference 1.6).
    let most = 4085 - own.len() - " //".len();
    let fits = [vec![b'x'; most], vec![0]].concat();
    let long = [vec![b'x'; room - 1], vec![0]].concat();
    for (label, bytes, errno) in [
        ("no NUL", &b"a"[..], EINVAL),
        ("two NULs", b"a\0\0", EINVAL),
        ("a NUL inside", b"a\0b\0", EINVAL),
        ("a NUL inside and none at the end", b"a\0b", EINVAL),
        ("nothing", b"", ENOMEM),
        ("as much as the name has room for", &long, ENOMEM),
    ] {
        tap.same(label, subject.errno(&go(bytes)), errno);
        tap.same(&format!("{label}: the domain"), subject.domain(), own.clone());
    }
    tap.same("the longest name", subject.errno(&go(&fits)), 0);
    tap.same("the longest name: the domain", subject.domain(), format!("{own} //{}", "x".repeat(most)));
    for (bytes, word) in
        [(&b"\xe3\x81 \\\0"[..], "//\\343\\201\\040\\\\"), (b"/a\0", "///a"), (b"a\n\0", "//a\\012")]
    {
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        tap.same(word, subject.errno(&go(bytes)), 0);
        tap.same(&format!("{word}: the domain"), subject.domain(), format!("{own} {word}"));
    }
}

/// A missing domain is an error in enforcing mode only; learning finds the line.
fn modes(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let next = format!("{own} //made");
    let op = go(b"made\0");
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    enforce(&own, &["allow_transit //made"]);
    tap.same("enforcing, no next domain", subject.errno(&op), ENOENT);
    tap.same("enforcing, no next domain: it stays", subject.domain(), own.clone());
    for profile in [2_u8, 1, 0] {
        kernel::delete_domain(&next);
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        set_domain(&own, profile, &[]);
        drain();
        tap.same(&format!("profile {profile}"), subject.errno(&op), 0);
        tap.same(&format!("profile {profile}: the domain"), subject.domain(), next.clone());
        let uses = format!("use_profile {profile}");
        tap.check(&format!("profile {profile} is inherited"), kernel::domain(&next).contains(&uses), || {
            format!("{:?}", kernel::domain(&next))
        });
        let notes = records("reject_log");
        let notes = notes.iter().filter(|note| note.ends_with(&format!("\n{next}\n{uses}\n"))).count();
        tap.same(&format!("profile {profile}: records of the new domain"), notes, usize::from(profile != 0));
        if profile == 1 {
            tap.check("it is learned", acls(&own).contains(&"allow_transit //made".to_owned()), || {
                format!("{:?}", acls(&own))
            });
        }
        drop(subject);
    }
    kernel::delete_domain(&next);
    // A condition and a state.
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    set_domain(&next, 0, &[]);
    enforce(&own, &["allow_transit //made if task.uid=1"]);
    tap.same("a condition that is false", subject.errno(&op), EPERM);
    enforce(&own, &["allow_transit //made if task.uid=0 ; set task.state[0]=6"]);
    tap.same("a condition that is true", subject.errno(&op), 0);
    enforce(&next, &["allow_read /tmp/w/file if task.state[0]=6"]);
    tap.same("its state", subject.errno(&Op::Open(b"/tmp/w/file".to_vec(), 0, 0)), 0);
    write("domain_policy", &format!("delete {next}"));
}

/// Only the thread that writes goes; children are where their maker is.
fn copies(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let next = format!("{own} //thread");
    set_domain(&next, 0, &[]);
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    enforce(&own, &["allow_transit //thread"]);
    let op = Op::Both(Box::new(go(b"thread\0")), Box::new(Op::Open(b"/tmp/w/file".to_vec(), 1, 0)));
    tap.same("a thread goes and may there", subject.errno(&Op::Thread(Box::new(op.clone()))), 0);
    tap.same("the others stay", subject.domain(), own.clone());
    tap.same("a child goes and may there", subject.errno(&Op::Fork(Box::new(op.clone()))), 0);
    tap.same("its parent stays", subject.domain(), own);
    tap.same("the process goes", subject.errno(&op), 0);
    enforce(&next, &["allow_read /tmp/w/file"]);
    let read = Op::Open(b"/tmp/w/file".to_vec(), 0, 0);
    tap.same("its children are there", subject.errno(&Op::Fork(Box::new(read))), 0);
}

/// Only who has opened the file goes by it. From a stranger's descriptor a privileged program would go where the stranger likes.
fn descriptors(tap: &mut Tap) {
    install(OTHER);
    let own = domain_of(OTHER);
    set_domain(&own, 0, &[]);
    let file = kernel::path(".transition");
    // One that the driver has opened.
    match Subject::start_with(OTHER, std::process::Stdio::from(kernel::open(".transition"))) {
        Ok(mut subject) => {
            let written = subject.errno(&Op::WriteStderr(b"lured\0".to_vec()));
            tap.same("a descriptor of another process", written, EPERM);
            tap.same("a descriptor of another process: the domain", subject.domain(), own.clone());
            tap.same("its own descriptor", subject.errno(&go(b"own\0")), 0);
            tap.same("its own descriptor: the domain", subject.domain(), format!("{own} //own"));
        }
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    // One that the program before has opened.
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    let next = format!("{} {OTHER}", domain_of(PROGRAM));
    let execute = Op::ExecWithStderr(file.clone().into(), OTHER.into());
    tap.same("another program in the same process", subject.errno(&execute), 0);
    let written = subject.errno(&Op::WriteStderr(b"lured\0".to_vec()));
    tap.same("a descriptor of the program before", written, EPERM);
    tap.same("a descriptor of the program before: the domain", subject.domain(), next.clone());
    let execute = Op::ExecWithStderr(file.clone().into(), OTHER.into());
    tap.same("the same program again", subject.errno(&execute), 0);
    tap.same("a descriptor from before", subject.errno(&Op::WriteStderr(b"lured\0".to_vec())), EPERM);
    tap.same("a descriptor from before: the domain", subject.domain(), format!("{next} {OTHER}"));
    // Its own one in its threads and children.
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    tap.same("the file is open", subject.errno(&Op::Hold(1, file.into(), 1, 0)), 0);
    let write = |text: &str| Box::new(Op::FdWrite(1, format!("{text}\0").into_bytes()));
    tap.same("a child with its parent's descriptor", subject.errno(&Op::Fork(write("child"))), EPERM);
    tap.same("a thread with the process's descriptor", subject.errno(&Op::Thread(write("thread"))), 0);
    tap.same("the others stay", subject.domain(), domain_of(PROGRAM));
    tap.same("the opener", subject.errno(&write("opener")), 0);
    tap.same("the opener: the domain", subject.domain(), format!("{} //opener", domain_of(PROGRAM)));
    tap.same("again, from there", subject.errno(&write("again")), 0);
    tap.same(
        "again, from there: the domain",
        subject.domain(),
        format!("{} //opener //again", domain_of(PROGRAM)),
    );
}
