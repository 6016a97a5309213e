// SPDX-License-Identifier: MIT OR Apache-2.0
//! What modes and preferences change (reference 3.6, 7.5, 8, 9.1): replacement of names, quota, conditions, penalty,
//! messages.

use guest::kernel::{self, delete_domain, domain, offer, records, set_domain, write};
use guest::op::{Answer, Op};
use guest::subject::EPERM;
use guest::tap::Tap;

use super::boot::kernel_log;
use super::table::{acls, drain, requests, with_subject, Table};
use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/modes";
/// Learns three entries, tells the kernel log, and has its own switches.
const SMALL: u8 = 12;
/// A penalty of half a second.
const SLOW: u8 = 13;

fn read(path: &str) -> Op {
    Op::Open(path.into(), 0, 0)
}

pub fn run(tap: &mut Tap) {
    tap.topic("modes");
    with_subject(tap, PROGRAM, |tap, table| {
        patterns(tap, table);
        quota(tap, table);
        switches(tap, table);
        penalty(tap, table);
        messages(tap, table);
        domains(tap, table);
    });
}

/// file_pattern: the first that does not end in `/\*`, else the last that does.
fn patterns(tap: &mut Tap, table: &mut Table) {
    let patterns = [
        "/tmp/w/\\*",
        "/tmp/\\*/\\*",
        "/tmp/w/fil\\?",
        "/tmp/\\*/f\\*",
        "/tmp/\\*/\\*/",
        "/tmp/w/program\\*",
        "/dev/\\*/",
    ];
    let lines: Vec<String> = patterns.iter().map(|pattern| format!("file_pattern {pattern}")).collect();
    write("exception_policy", &lines.join("\n"));
    for (op, learned, record) in [
        (read("/tmp/w/file"), "allow_read /tmp/w/fil\\?", "allow_read /tmp/w/file"),
        (read("/tmp/w/full/inner"), "allow_read /tmp/w/full/inner", "allow_read /tmp/w/full/inner"),
        (
            Op::Mknod(b"/tmp/w/abc".to_vec(), 0o644),
            "allow_create /tmp/\\*/\\* 0644",
            "allow_create /tmp/w/abc 0644",
        ),
        (
            Op::Mkdir(b"/tmp/w/new".to_vec(), 0o700),
            "allow_mkdir /tmp/\\*/\\*/ 0700",
            "allow_mkdir /tmp/w/new/ 0700",
        ),
        (Op::Unlink(b"/tmp/w/link".to_vec()), "allow_unlink /tmp/\\*/\\*", "allow_unlink /tmp/w/link"),
        (
            Op::Rename(b"/tmp/w/file".to_vec(), b"/tmp/w/other".to_vec()),
            "allow_rename /tmp/w/fil\\? /tmp/\\*/\\*",
            "allow_rename /tmp/w/file /tmp/w/other",
        ),
        (
            Op::Chmod(b"/tmp/w/file".to_vec(), 0o600),
            "allow_chmod /tmp/w/fil\\? 0600",
            "allow_chmod /tmp/w/file 0600",
        ),
        (
            Op::Node(b"/tmp/w/null".to_vec(), 0o020666, 1, 3),
            "allow_mkchar /tmp/\\*/\\* 0644 1 3",
            "allow_mkchar /tmp/w/null 0644 1 3",
        ),
        (
            Op::Symlink(b"/tmp/w/file".to_vec(), b"/tmp/w/s".to_vec()),
            "allow_symlink /tmp/\\*/\\* if symlink.target=\"/tmp/w/file\"",
            "allow_symlink /tmp/w/s",
        ),
    ] {
        fresh_work();
        set_domain(&table.name, 1, &[]);
        drain();
        tap.same(record, table.subject.errno(&op), 0);
        tap.same(&format!("{record}: learned"), acls(&table.name), vec![learned.to_owned()]);
        tap.same(&format!("{record}: the record"), requests("reject_log"), vec![record.to_owned()]);
        // What was learned grants the same again.
        fresh_work();
        drain();
        set_domain(&table.name, 3, &[learned]);
        tap.same(&format!("{record}: granted by {learned}"), table.subject.errno(&op), 0);
        tap.same(&format!("{record}: the grant"), requests("grant_log"), vec![record.to_owned()]);
    }
    // Not the name of a program.
    fresh_work();
    let next = format!("{} /tmp/w/program", table.name);
    set_domain(&next, 0, &[]);
    set_domain(&table.name, 1, &[]);
    let refused = Op::ExecWith(b"/tmp/w/program".to_vec(), Vec::new(), vec![b"SEKISHO_SUBJECT=1".to_vec()]);
    let child = Op::Both(Box::new(Op::Chdir(b"/".to_vec())), Box::new(refused));
    tap.same("execve", table.subject.errno(&child), 0);
    // The kernel gives a program without arguments an empty one.
    let learned = acls(&table.name);
    tap.check(
        "execve: the program's own name is learned",
        learned.len() == 1
            && learned[0].starts_with("allow_execute /tmp/w/program if exec.realpath=\"/tmp/w/program\""),
        || format!("{learned:?}"),
    );
    let lines: Vec<String> =
        patterns.iter().map(|pattern| format!("delete file_pattern {pattern}")).collect();
    write("exception_policy", &lines.join("\n"));
    // The next functions go on with the new program, in its domain.
    table.name = next;
}

/// max_entry: what is beyond it is allowed and not learned; the domain says so once (reference 8.4).
fn quota(tap: &mut Tap, table: &mut Table) {
    fresh_work();
    set_domain(&table.name, SMALL, &["allow_env HOME"]);
    drain();
    for (path, count) in
        [("/tmp/w/file", 2), ("/tmp/w/full/inner", 3), ("/tmp/w/program", 3), ("/etc/inittab", 3)]
    {
        tap.same(&format!("{path} is read"), table.subject.errno(&read(path)), 0);
        tap.same(&format!("{path}: entries"), acls(&table.name).len(), count);
    }
    let full = |table: &Table| domain(&table.name).contains(&"quota_exceeded".to_owned());
    tap.check("quota_exceeded is set", full(table), || format!("{:?}", domain(&table.name)));
    let notes =
        |records: Vec<String>| records.iter().filter(|record| record.ends_with("\nquota_exceeded\n")).count();
    tap.same("one record of it", notes(records("reject_log")), 1);
    // What is known still merges: the other bit of an entry counts as one more, so it is not learned either.
    tap.same("another operation", table.subject.errno(&Op::Open(b"/tmp/w/file".to_vec(), 1, 0)), 0);
    tap.same("another operation: entries", acls(&table.name).len(), 3);
    tap.same("no further record", notes(records("reject_log")), 0);
    write("domain_policy", &format!("{}\ndelete quota_exceeded", table.name));
    tap.check("it can be deleted", !full(table), || format!("{:?}", domain(&table.name)));
    tap.same("one more", table.subject.errno(&read("/etc/inittab")), 0);
    tap.check("it is set again", full(table), || format!("{:?}", domain(&table.name)));
    tap.same("and recorded again", notes(records("reject_log")), 1);
    write("domain_policy", &format!("{}\ndelete allow_env HOME", table.name));
    tap.same("after deleting an entry", table.subject.errno(&read("/etc/inittab")), 0);
    tap.check("it is learned", acls(&table.name).contains(&"allow_read /etc/inittab".to_owned()), || {
        format!("{:?}", acls(&table.name))
    });
}

/// Which conditions are learned is a preference of the profile.
fn switches(tap: &mut Tap, table: &mut Table) {
    let next = format!("{} /tmp/w/program", table.name);
    let symlink = Op::Symlink(b"x".to_vec(), b"/tmp/w/s".to_vec());
    for (switches, line) in [
        ("exec.realpath=no exec.argv0=no symlink.target=no", "allow_symlink /tmp/w/s"),
        (
            "exec.realpath=yes exec.argv0=no symlink.target=yes",
            "allow_symlink /tmp/w/s if symlink.target=\"x\"",
        ),
    ] {
        fresh_work();
        write("profile", &format!("{SMALL}-PREFERENCE::learning={{ verbose=no max_entry=3 {switches} }}"));
        set_domain(&table.name, SMALL, &[]);
        tap.same(&format!("symlink, {switches}"), table.subject.errno(&symlink), 0);
        tap.same(&format!("symlink, {switches}: learned"), acls(&table.name), vec![line.to_owned()]);
    }
    for (switches, condition) in [
        ("exec.realpath=no exec.argv0=no", ""),
        ("exec.realpath=yes exec.argv0=no", " if exec.realpath=\"/tmp/w/program\""),
        ("exec.realpath=no exec.argv0=yes", " if exec.argv[0]=\"p\""),
        ("exec.realpath=yes exec.argv0=yes", " if exec.realpath=\"/tmp/w/program\" exec.argv[0]=\"p\""),
    ] {
        write("profile", &format!("{SMALL}-PREFERENCE::learning={{ max_entry=3 {switches} }}"));
        let own = domain_of(PROGRAM);
        set_domain(&own, 0, &[]);
        let Ok(mut other) = guest::subject::Subject::start(PROGRAM) else { return };
        set_domain(&own, SMALL, &[]);
        let op = Op::ExecWith(
            b"/tmp/w/program".to_vec(),
            vec![b"p".to_vec()],
            vec![b"SEKISHO_SUBJECT=1".to_vec()],
        );
        tap.same(&format!("execve, {switches}"), other.errno(&op), 0);
        tap.same(
            &format!("execve, {switches}: learned"),
            acls(&own),
            vec![format!("allow_execute /tmp/w/program{condition}")],
        );
        set_domain(&own, 0, &[]);
    }
    write("profile", &format!("{SMALL}-PREFERENCE::learning={{ verbose=no max_entry=0 }}"));
    set_domain(&table.name, SMALL, &[]);
    drain();
    tap.same("max_entry=0", table.subject.errno(&read("/tmp/w/file")), 0);
    tap.same("max_entry=0: nothing is learned", acls(&table.name), Vec::new());
    tap.check(
        "max_entry=0: but recorded",
        requests("reject_log").contains(&"allow_read /tmp/w/file".to_owned()),
        String::new,
    );
    write("profile", &format!("{SMALL}-PREFERENCE::learning={{ verbose=yes max_entry=3 exec.argv0=yes }}"));
    delete_domain(&next);
}

/// A refused call takes its time, others do not.
fn penalty(tap: &mut Tap, table: &mut Table) {
    fresh_work();
    for (profile, lines, errno, least, most) in [
        (SLOW, &[][..], EPERM, 450, 5000),
        (SLOW, &["allow_read /tmp/w/file"], 0, 0, 400),
        (3, &[], EPERM, 0, 400),
    ] {
        set_domain(&table.name, profile, lines);
        let text = match table.subject.perform(&Op::Time(Box::new(read("/tmp/w/file")))) {
            Answer::Text(text) => String::from_utf8_lossy(&text).into_owned(),
            Answer::Errno(errno) => format!("errno {errno}"),
        };
        let (took, answer) = text.split_once(' ').unwrap_or(("", ""));
        tap.same(&format!("profile {profile} with {lines:?}"), answer, &errno.to_string());
        let took: u64 = took.parse().unwrap_or(u64::MAX);
        tap.check(
            &format!("profile {profile} with {lines:?}: the time"),
            (least..most).contains(&took),
            || format!("{took} ms"),
        );
    }
}

/// Verbose preferences tell the kernel log.
fn messages(tap: &mut Tap, table: &mut Table) {
    for (profile, op, wanted) in [
        (SLOW, Op::Unlink(b"/tmp/w/told1".to_vec()), "/tmp/w/told1"),
        (SMALL, Op::Unlink(b"/tmp/w/told2".to_vec()), "/tmp/w/told2"),
        (2, Op::Unlink(b"/tmp/w/told3".to_vec()), "/tmp/w/told3"),
    ] {
        // The kernel log takes only so many messages in a while.
        let mut log = Vec::new();
        for _ in 0..12 {
            drop(std::fs::write(wanted, ""));
            set_domain(&table.name, profile, &[]);
            table.subject.errno(&op);
            log = kernel_log();
            if log.iter().any(|line| line.contains(wanted)) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
        let line = log.iter().find(|line| line.contains(wanted));
        tap.check(&format!("profile {profile}: the kernel log tells"), line.is_some(), || {
            log.iter().rev().take(5).cloned().collect::<Vec<_>>().join("\n")
        });
        let line = line.cloned().unwrap_or_default();
        let word = if profile == SLOW { "ERROR" } else { "WARNING" };
        tap.check(
            &format!("profile {profile}: how bad, what, and who"),
            line.contains(word) && line.contains("unlink") && line.contains("/tmp/w/program"),
            || line.clone(),
        );
    }
    write("profile", &format!("{SMALL}-PREFERENCE::learning={{ verbose=no max_entry=3 exec.argv0=yes }}"));
    drop(std::fs::write("/tmp/w/untold", ""));
    set_domain(&table.name, SMALL, &[]);
    table.subject.errno(&Op::Unlink(b"/tmp/w/untold".to_vec()));
    tap.check(
        "a profile that is not verbose",
        !kernel_log().iter().any(|line| line.contains("untold")),
        String::new,
    );
    write("profile", &format!("{SMALL}-PREFERENCE::learning={{ verbose=yes max_entry=3 exec.argv0=yes }}"));
}

/// The profile of a domain counts at once.
fn domains(tap: &mut Tap, table: &mut Table) {
    for (profile, errno) in [(3, EPERM), (0, 0), (3, EPERM), (2, 0), (3, EPERM), (11, EPERM)] {
        write("domain_policy", &format!("{}\nuse_profile {profile}", table.name));
        if profile != 0 {
            set_domain(&table.name, profile, &[]);
        }
        tap.same(&format!("use_profile {profile}"), table.subject.errno(&read("/tmp/w/file")), errno);
    }
    let rejected = offer("domain_policy", &format!("{}\nuse_profile 77", table.name));
    tap.same("an undefined profile is rejected", rejected, 1);
    tap.same("an undefined profile is not used", table.subject.errno(&read("/tmp/w/file")), EPERM);
    // Settings of a profile count at once too.
    let setting = |text: &str| write("profile", text);
    set_domain(&table.name, 14, &[]);
    for (text, errno) in [
        ("14-CONFIG::file::open={ mode=permissive }", 0),
        ("14-CONFIG::file::open={ mode=enforcing }", EPERM),
        ("14-CONFIG::file::open=use_default", EPERM),
        ("14-CONFIG::file={ mode=disabled }", 0),
        ("14-CONFIG::file=use_default", EPERM),
        ("14-CONFIG={ mode=disabled }", 0),
        ("14-CONFIG={ mode=enforcing }", EPERM),
    ] {
        setting(text);
        tap.same(text, table.subject.errno(&read("/tmp/w/file")), errno);
    }
    let name = table.name.clone();
    set_domain(&name, 0, &[]);
    delete_domain(&name);
    table.name = domain_of(PROGRAM);
    tap.check("it has moved on", kernel::read("domain_policy").contains(&table.name), String::new);
}
