// SPDX-License-Identifier: MIT OR Apache-2.0
//! execve (reference 6, 4.12): conditions, links, aggregates, the environment, records.

use guest::kernel::{self, delete_domain, domain, records, set_domain, write};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::table::{acls, drain, request, requests};
use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/exec";
const TARGET: &str = "/tmp/w/program";

pub fn run(tap: &mut Tap) {
    tap.topic("exec");
    fresh_work();
    conditions(tap);
    names(tap);
    tasks(tap);
    environment(tap);
    record(tap);
    delete_all(PROGRAM);
    drain();
}

/// Deletes the domains below the one of a program.
pub fn delete_all(program: &str) {
    let own = domain_of(program);
    for line in kernel::read("domain_policy").lines() {
        if line == own || line.starts_with(&format!("{own} ")) {
            delete_domain(line);
        }
    }
}

/// A subject in its domain, or a failed case.
pub fn start(tap: &mut Tap, program: &str) -> Option<Subject> {
    set_domain(&domain_of(program), 0, &[]);
    match Subject::start(program) {
        Ok(subject) => Some(subject),
        Err(e) => {
            tap.check("the subject starts", false, || e.to_string());
            None
        }
    }
}

/// execve with arguments and environment, the latter with what makes a subject of the program.
pub fn exec_with(path: &str, argv: &[&str], envp: &[&str]) -> Op {
    let bytes = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
    let mut environment = bytes(&["SEKISHO_SUBJECT=1"]);
    environment.extend(bytes(envp));
    Op::ExecWith(path.into(), bytes(argv), environment)
}

/// execve with three arguments and three variables.
pub fn usual(path: &str) -> Op {
    exec_with(path, &["prog", "-c", "x y"], &["PATH=/bin:/sbin", "EMPTY="])
}

/// What an entry's condition can know of an execve (reference 5.4).
fn conditions(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    set_domain(&format!("{own} {TARGET}"), 0, &[]);
    write("exception_policy", "path_group EXEC_GROUP /tmp/w/\\*");
    let mut subject = None;
    for (condition, holds) in [
        ("exec.argc=3", true),
        ("exec.argc!=3", false),
        ("exec.argc=1-2", false),
        ("exec.envc=3", true),
        ("exec.envc=4", false),
        ("exec.argv[0]=\"prog\"", true),
        ("exec.argv[0]=\"/tmp/w/program\"", false),
        ("exec.argv[0]!=\"prog\"", false),
        ("exec.argv[0]=\"\\A\"", true),
        ("exec.argv[1]=\"-c\"", true),
        ("exec.argv[2]=\"x\\040y\"", true),
        ("exec.argv[2]=\"x\"", false),
        ("exec.argv[3]=\"\\*\"", false),
        ("exec.argv[3]!=\"\\*\"", true),
        ("exec.envp[\"PATH\"]=\"/bin:/sbin\"", true),
        ("exec.envp[\"PATH\"]=\"/\\*:/\\*\"", true),
        ("exec.envp[\"PATH\"]=\"/bin\"", false),
        ("exec.envp[\"PATH\"]!=\"/bin\"", true),
        ("exec.envp[\"PATH\"]=NULL", false),
        ("exec.envp[\"PATH\"]!=NULL", true),
        ("exec.envp[\"LD_PRELOAD\"]=NULL", true),
        ("exec.envp[\"LD_PRELOAD\"]!=NULL", false),
        ("exec.envp[\"LD_PRELOAD\"]=\"x\"", false),
        ("exec.envp[\"LD_PRELOAD\"]!=\"x\"", true),
        ("exec.envp[\"EMPTY\"]=\"\"", true),
        ("exec.envp[\"PAT\\A\"]=\"/bin:/sbin\"", true),
        ("exec.realpath=\"/tmp/w/program\"", true),
        ("exec.realpath=\"/tmp/\\*/program\"", true),
        ("exec.realpath!=\"/tmp/w/program\"", false),
        ("exec.realpath=@EXEC_GROUP", true),
        ("exec.realpath!=@EXEC_GROUP", false),
        ("exec.realpath=\"@EXEC_GROUP\"", false),
        ("path1.type=file path1.uid=0 path1.perm=owner_execute", true),
        ("path1.perm=setuid", false),
        ("path1.parent.uid=0 path1.parent.perm=0755", true),
        ("path2.uid=0", false),
        ("symlink.target=\"x\"", false),
        ("task.uid=0 exec.argc=3 exec.argv[1]=\"-c\" exec.envp[\"LD_PRELOAD\"]=NULL", true),
        ("exec.argc=3 exec.argv[1]=\"-x\"", false),
    ] {
        if subject.is_none() {
            subject = start(tap, PROGRAM);
        }
        let Some(running) = &mut subject else { return };
        let line = format!("allow_execute {TARGET} if {condition}");
        set_domain(&own, 3, &[&line]);
        let errno = running.errno(&usual(TARGET));
        tap.same(&format!("if {condition}"), errno, if holds { 0 } else { EPERM });
        if errno == 0 {
            subject = None;
        }
    }
    write("exception_policy", "delete path_group EXEC_GROUP /tmp/w/\\*");
}

/// The name that is asked for: a link's own, an aggregate, never a pattern.
fn names(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    fresh_work();
    let alias = "/tmp/w/alias";
    drop(std::os::unix::fs::symlink("program", alias));
    drop(std::os::unix::fs::symlink("..", "/tmp/w/dir/up"));
    guest::subject::install("/tmp/w/run.abc");
    write("exception_policy", "aggregator /tmp/w/run.\\?\\?\\? /tmp/w/run\npath_group EXEC_NAMES /tmp/w/\\*\npath_group EXEC_NAMES /tmp/w/alias");
    for (path, line, errno, next) in [
        (alias, "allow_execute /tmp/w/alias", 0, alias),
        (alias, "allow_execute /tmp/w/program", EPERM, ""),
        (alias, "allow_execute /tmp/w/alias if exec.realpath=\"/tmp/w/program\"", 0, alias),
        (alias, "allow_execute /tmp/w/alias if exec.realpath=\"/tmp/w/alias\"", EPERM, ""),
        (alias, "allow_execute @EXEC_NAMES", 0, alias),
        (TARGET, "allow_execute @EXEC_NAMES", EPERM, ""),
        (TARGET, "allow_execute /tmp/w/\\*", EPERM, ""),
        // Links in folders are followed.
        ("/tmp/w/dir/up/program", "allow_execute /tmp/w/program", 0, TARGET),
        ("/tmp/w/dir/up/alias", "allow_execute /tmp/w/alias", 0, alias),
        ("/tmp/w/run.abc", "allow_execute /tmp/w/run", 0, "/tmp/w/run"),
        ("/tmp/w/run.abc", "allow_execute /tmp/w/run.abc", EPERM, ""),
        ("/tmp/w/run.abc", "allow_execute /tmp/w/run if exec.realpath=\"/tmp/w/run.abc\"", 0, "/tmp/w/run"),
    ] {
        for name in [alias, TARGET, "/tmp/w/run", "/tmp/w/run.abc"] {
            set_domain(&format!("{own} {name}"), 0, &[]);
        }
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        set_domain(&own, 3, &[line, &format!("allow_read {}", kernel::path("self_domain"))]);
        drain();
        tap.same(&format!("execve of {path} with {line}"), subject.errno(&usual(path)), errno);
        let expected = if errno == 0 { format!("{own} {next}") } else { own.clone() };
        tap.same(&format!("execve of {path} with {line}: the domain"), subject.domain(), expected);
        if errno == 0 {
            let asked: Vec<String> =
                requests("grant_log").into_iter().filter(|line| line.starts_with("allow_execute")).collect();
            tap.same(&format!("execve of {path}: the grant"), asked, vec![format!("allow_execute {next}")]);
        }
    }
    // What is learned: the name, the file, what it is called.
    for (path, line) in [
        (alias, "allow_execute /tmp/w/alias if exec.realpath=\"/tmp/w/program\" exec.argv[0]=\"prog\""),
        (
            "/tmp/w/run.abc",
            "allow_execute /tmp/w/run if exec.realpath=\"/tmp/w/run.abc\" exec.argv[0]=\"prog\"",
        ),
    ] {
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        set_domain(&own, 1, &[]);
        tap.same(&format!("{path}, learning"), subject.errno(&usual(path)), 0);
        tap.same(&format!("{path}, learned"), acls(&own), vec![line.to_owned()]);
    }
    write("exception_policy", "delete aggregator /tmp/w/run.\\?\\?\\? /tmp/w/run\ndelete path_group EXEC_NAMES /tmp/w/\\*\ndelete path_group EXEC_NAMES /tmp/w/alias");
}

/// A thread that executes, and a process whose domain was deleted.
fn tasks(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let next = format!("{own} {TARGET}");
    fresh_work();
    set_domain(&next, 0, &[]);
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    set_domain(&own, 3, &[&format!("allow_execute {TARGET}")]);
    let refused = Op::Thread(Box::new(usual("/tmp/w/file")));
    tap.same("execve in a thread, of a file that is no program", subject.errno(&refused), 13);
    tap.same("execve in a thread", subject.errno(&Op::Thread(Box::new(usual(TARGET)))), 0);
    tap.same("execve in a thread: the domain", subject.domain(), next.clone());
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    set_domain(&own, 3, &[&format!("allow_execute {TARGET}")]);
    delete_domain(&own);
    guest::subject::install("/tmp/w/other");
    let other = usual("/tmp/w/other");
    tap.same("in a deleted domain, refused", subject.errno(&other), EPERM);
    tap.same("in a deleted domain", subject.errno(&usual(TARGET)), 0);
    tap.same("in a deleted domain: the next one", subject.domain(), next);
}

/// Variables are judged in the new domain by its profile (reference 4.12).
fn environment(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let next = format!("{own} {TARGET}");
    fresh_work();
    let all = &["allow_env SEKISHO_SUBJECT", "allow_env PATH", "allow_env EMPTY"][..];
    let mut subject = None;
    for (lines, missing) in [
        (all.to_vec(), ""),
        (vec![], "SEKISHO_SUBJECT"),
        (vec!["allow_env SEKISHO_SUBJECT", "allow_env EMPTY"], "PATH"),
        (vec!["allow_env SEKISHO_SUBJECT", "allow_env PATH", "allow_env EMPT"], "EMPTY"),
        (vec!["allow_env \\*"], ""),
        (vec!["allow_env SEKISHO_\\*", "allow_env \\A"], ""),
        (
            vec![
                "allow_env SEKISHO_SUBJECT",
                "allow_env EMPTY",
                "allow_env PATH if exec.envp[\"PATH\"]=\"/bin:/sbin\"",
            ],
            "",
        ),
        (
            vec![
                "allow_env SEKISHO_SUBJECT",
                "allow_env EMPTY",
                "allow_env PATH if exec.envp[\"PATH\"]=\"/bin\"",
            ],
            "PATH",
        ),
        (
            vec![
                "allow_env SEKISHO_SUBJECT",
                "allow_env EMPTY",
                "allow_env PATH if exec.argc=3 exec.realpath=\"/tmp/w/program\" path1.type=file",
            ],
            "",
        ),
        (
            vec!["allow_env SEKISHO_SUBJECT", "allow_env EMPTY", "allow_env PATH if symlink.target=\"\\*\""],
            "PATH",
        ),
        (vec!["allow_env SEKISHO_SUBJECT", "allow_env EMPTY", "allow_env PATH if task.uid=1"], "PATH"),
    ] {
        if subject.is_none() {
            subject = start(tap, PROGRAM);
        }
        let Some(running) = &mut subject else { return };
        set_domain(&next, 8, &lines);
        drain();
        let errno = running.errno(&usual(TARGET));
        tap.same(&format!("environment with {lines:?}"), errno, if missing.is_empty() { 0 } else { EPERM });
        if errno == 0 {
            tap.same(
                "each variable is recorded",
                requests("grant_log"),
                ["SEKISHO_SUBJECT", "PATH", "EMPTY"].iter().map(|name| format!("allow_env {name}")).collect(),
            );
            subject = None;
        } else {
            let refused = records("reject_log");
            tap.same(&format!("{missing}: records"), refused.len(), 1);
            let refused = refused.into_iter().next().unwrap_or_default();
            tap.same(&format!("{missing}: the record"), request(&refused), &format!("allow_env {missing}"));
            tap.contains(&format!("{missing}: in the new domain"), &refused, &format!("\n{next}\n"));
            tap.contains(&format!("{missing}: with its profile"), &refused, " profile=8 mode=enforcing ");
            tap.contains(
                &format!("{missing}: with the arguments"),
                &refused,
                "argv[]={ \"prog\" \"-c\" \"x\\040y\" }",
            );
            tap.same(&format!("{missing}: the old domain is back"), running.domain(), own.clone());
        }
    }
    // The global list, and a domain that does without.
    let Some(mut running) = start(tap, PROGRAM) else { return };
    write("exception_policy", "allow_env SEKISHO_\\*\nallow_env PATH\nallow_env EMPTY");
    set_domain(&next, 8, &["ignore_global_allow_env"]);
    tap.same("the global list is ignored", running.errno(&usual(TARGET)), EPERM);
    set_domain(&next, 8, &[]);
    tap.same("the global list", running.errno(&usual(TARGET)), 0);
    write("exception_policy", "delete allow_env SEKISHO_\\*\ndelete allow_env PATH\ndelete allow_env EMPTY");
    // Odd strings: without a sign the whole is the name, and an empty name is no variable.
    for (profile, errno) in [(9, 0), (10, 0), (8, EPERM)] {
        let Some(mut running) = start(tap, PROGRAM) else { return };
        set_domain(&next, profile, &[]);
        let op = exec_with(TARGET, &["prog"], &["=nothing", "word", "a b=c", "PATH=x"]);
        tap.same(&format!("odd variables, profile {profile}"), running.errno(&op), errno);
        let learned: &[&str] = if profile == 9 {
            &["allow_env SEKISHO_SUBJECT", "allow_env word", "allow_env a\\040b", "allow_env PATH"]
        } else {
            &[]
        };
        tap.same(
            &format!("odd variables, profile {profile}: learned"),
            acls(&next),
            learned.iter().map(|line| (*line).to_owned()).collect(),
        );
    }
    set_domain(&next, 0, &[]);
}

/// The record of a refused execve (reference 11.1).
fn record(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    fresh_work();
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    set_domain(&own, 3, &[]);
    drain();
    let [first, second, third] = ["a", "b", "c"].map(|letter| letter.repeat(4000));
    // A list that does not fit ends with dots (reference 11.2).
    let cut = format!(" argc=5 envc=2 argv[]={{ \"prog\" \"{first}\" \"{second}\" ... }} envp[]={{ \"SEKISHO_SUBJECT=1\" \"X=y\" }} }}\n");
    let variables = "envp[]={ \"SEKISHO_SUBJECT=1\" \"X=y\" } }\n";
    let long = "d".repeat(8000);
    let whole = format!(" argc=2 envc=2 argv[]={{ \"prog\" \"{long}\" }} {variables}");
    let longer = "d".repeat(9000);
    let none = format!(" argc=2 envc=2 argv[]={{ \"prog\" ... }} {variables}");
    for (argv, envp, parts) in [
        (
            vec!["prog", "a b", "\\"],
            vec!["A=b c", "=x", "word"],
            " exec={ realpath=\"/tmp/w/program\" argc=3 envc=4 argv[]={ \"prog\" \"a\\040b\" \"\\\\\" } envp[]={ \
             \"SEKISHO_SUBJECT=1\" \"A=b\\040c\" \"=x\" \"word\" } }\n",
        ),
        (vec![], vec![], " argv[]={ "),
        (vec!["prog", &first, &second, &third, "end"], vec!["X=y"], &cut),
        // One string may fill the record, though conditions see only its beginning (reference 1.6).
        (vec!["prog", &long], vec!["X=y"], &whole),
        (vec!["prog", &longer], vec!["X=y"], &none),
    ] {
        tap.same("a refused execve", subject.errno(&exec_with(TARGET, &argv, &envp)), EPERM);
        let found = records("reject_log");
        tap.same("one record", found.len(), 1);
        let found = found.into_iter().next().unwrap_or_default();
        tap.contains("the arguments", &found, parts);
        tap.contains("the domain and the request", &found, &format!("\n{own}\nallow_execute /tmp/w/program\n"));
        tap.contains("the program", &found, " path1={ uid=0 gid=0 ino=");
    }
    tap.check(
        "nothing is set in the domain",
        !domain(&own).contains(&"transition_failed".to_owned()),
        || format!("{:?}", domain(&own)),
    );
}
