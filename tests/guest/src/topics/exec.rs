// SPDX-License-Identifier: MIT OR Apache-2.0
//! execve (reference 6, 4.12): conditions, links, aggregates, scripts, descriptors, the environment, records.

use std::fs;
use std::os::unix::fs::PermissionsExt;

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
    interpreters(tap);
    loader(tap);
    descriptors(tap);
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

fn usual(path: &str) -> Op {
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

fn script(path: &str, interpreter: &str) {
    let made = fs::write(path, format!("#!{interpreter}\n"))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)));
    if let Err(e) = made {
        println!("# no script {path}: {e}");
    }
}

/// Interpreters are read in the new domain, one after the other (reference 6.2).
fn interpreters(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    fresh_work();
    script("/tmp/w/first", TARGET);
    script("/tmp/w/second", "/tmp/w/first");
    let next = format!("{own} /tmp/w/second");
    let self_domain = format!("allow_read {}", kernel::path("self_domain"));
    for (lines, errno, asked) in [
        (&[][..], EPERM, "allow_read /tmp/w/first"),
        (&["allow_read /tmp/w/program"], EPERM, "allow_read /tmp/w/first"),
        (&["allow_read /tmp/w/first"], EPERM, "allow_read /tmp/w/program"),
        (&["allow_read /tmp/w/first", "allow_execute /tmp/w/program"], EPERM, "allow_read /tmp/w/program"),
        (&["allow_read /tmp/w/first", "allow_read /tmp/w/program"], 0, ""),
    ] {
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        set_domain(&own, 3, &["allow_execute /tmp/w/second", &self_domain]);
        let mut all = lines.to_vec();
        all.push(&self_domain);
        set_domain(&next, 3, &all);
        drain();
        let what = format!("script of a script with {lines:?}");
        tap.same(&what, subject.errno(&usual("/tmp/w/second")), errno);
        if errno != 0 {
            let refused = records("reject_log");
            tap.same(&format!("{what}: records"), refused.len(), 1);
            let refused = refused.into_iter().next().unwrap_or_default();
            tap.same(&format!("{what}: the record"), request(&refused), asked);
            tap.contains(&format!("{what}: in the new domain"), &refused, &format!("\n{next}\n"));
            tap.same(&format!("{what}: the old domain is back"), subject.domain(), own.clone());
        } else {
            tap.same(&format!("{what}: the new domain"), subject.domain(), next.clone());
        }
    }
    // Learned in the new domain.
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    set_domain(&own, 3, &["allow_execute /tmp/w/second"]);
    set_domain(&next, 1, &[]);
    tap.same("script of a script, learning", subject.errno(&usual("/tmp/w/second")), 0);
    // The C library of the program reads a file of its own in procfs.
    let learned: Vec<String> = acls(&next).into_iter().filter(|line| line.contains("/tmp/")).collect();
    tap.same(
        "script of a script, learned",
        learned,
        vec!["allow_read /tmp/w/first".to_owned(), "allow_read /tmp/w/program".to_owned()],
    );
    // A missing interpreter.
    script("/tmp/w/third", "/tmp/w/nothing");
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    set_domain(&format!("{own} /tmp/w/third"), 0, &[]);
    set_domain(&own, 3, &["allow_execute /tmp/w/third", &self_domain]);
    tap.same("a script without its interpreter", subject.errno(&usual("/tmp/w/third")), 2);
    tap.same("a script without its interpreter: the domain", subject.domain(), own.clone());
    tap.same("and it is judged by it", subject.errno(&Op::Open(b"/tmp/w/file".to_vec(), 0, 0)), EPERM);
}

/// A program that only names a loader, made from the beginning of this one.
fn with_loader(path: &str, loader: &str) -> std::io::Result<()> {
    let own = fs::read("/proc/self/exe")?;
    let wide = own.get(4) == Some(&2);
    let (header, entry) = if wide { (64, 56) } else { (52, 32) };
    let mut file = own.get(..header).unwrap_or_default().to_vec();
    let mut put = |offset: usize, value: &[u8]| {
        for (place, byte) in file.iter_mut().skip(offset).zip(value) {
            *place = *byte;
        }
    };
    // e_phoff, e_phnum: one program header, right behind.
    let begin = (header as u64).to_le_bytes();
    if wide {
        put(32, &begin);
        put(56, &1_u16.to_le_bytes());
    } else {
        put(28, &begin[..4]);
        put(44, &1_u16.to_le_bytes());
    }
    // PT_INTERP: offset and length of the name.
    let mut program = vec![0; entry];
    program[0] = 3;
    let (offset, length) = ((header + entry) as u64, loader.len() as u64 + 1);
    if wide {
        program[8..16].copy_from_slice(&offset.to_le_bytes());
        program[32..40].copy_from_slice(&length.to_le_bytes());
    } else {
        program[4..8].copy_from_slice(&offset.to_le_bytes()[..4]);
        program[16..20].copy_from_slice(&length.to_le_bytes()[..4]);
    }
    file.extend(program);
    file.extend(loader.as_bytes());
    file.push(0);
    fs::write(path, file)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// The loader that a program names is read in the new domain (reference 4.5). What is loaded here cannot run.
fn loader(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let program = "/tmp/w/loaded";
    fresh_work();
    if let Err(e) = with_loader(program, TARGET) {
        return tap.check("a program with a loader can be made", false, || e.to_string());
    }
    let next = format!("{own} {program}");
    let line = format!("allow_read {TARGET}");
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    let op = Op::Fork(Box::new(Op::Exec(program.into())));
    set_domain(&own, 3, &[&format!("allow_execute {program}"), &line]);
    set_domain(&next, 3, &[&format!("allow_execute {TARGET}")]);
    drain();
    tap.same("a loader, refused", subject.errno(&op), EPERM);
    let refused = records("reject_log").join("");
    tap.contains("a loader: the record", &refused, &format!("\n{next}\n{line}\n"));
    set_domain(&next, 3, &[&line]);
    drain();
    let errno = subject.errno(&op);
    tap.check("a loader, allowed", errno != EPERM, || format!("errno {errno}"));
    tap.check("a loader: the grant", requests("grant_log").contains(&line), String::new);
}

/// execveat of a descriptor, of a file in memory.
fn descriptors(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    fresh_work();
    let self_domain = format!("allow_read {}", kernel::path("self_domain"));
    for (label, ops, name) in [
        ("a file", vec![Op::Hold(1, TARGET.into(), 0, 0)], TARGET),
        (
            "a file in memory",
            vec![Op::Memfd(1, b"mem file".to_vec()), Op::CopySelf(1)],
            "/memfd:mem\\040file\\040(deleted)",
        ),
    ] {
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        let next = format!("{own} {name}");
        set_domain(&next, 0, &[]);
        for op in &ops {
            tap.same(&format!("{label}: ready"), subject.errno(op), 0);
        }
        // A descriptor that is open for writing cannot be executed: it is opened again for reading.
        if ops.len() == 2 {
            tap.same("opened again", subject.errno(&Op::Hold(2, b"/proc/self/fd/3".to_vec(), 0, 0)), 0);
        }
        set_domain(&own, 3, &[&self_domain, "allow_execute /tmp/w/other"]);
        drain();
        let slot = if ops.len() == 2 { 2 } else { 1 };
        if slot == 2 {
            set_domain(&own, 0, &[]);
            subject.errno(&Op::Close(1));
            set_domain(&own, 3, &[&self_domain, "allow_execute /tmp/w/other"]);
            drain();
        }
        tap.same(&format!("execveat of {label}"), subject.errno(&Op::ExecFd(slot)), EPERM);
        tap.same(
            &format!("execveat of {label}: the record"),
            requests("reject_log"),
            vec![format!("allow_execute {name}")],
        );
        set_domain(&own, 3, &[&self_domain, &format!("allow_execute {name}")]);
        tap.same(&format!("execveat of {label}, allowed"), subject.errno(&Op::ExecFd(slot)), 0);
        tap.same(&format!("execveat of {label}: the domain"), subject.domain(), next.clone());
    }
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
    for (argv, envp, parts) in [
        (
            vec!["prog", "a b", "\\"],
            vec!["A=b c", "=x", "word"],
            " exec={ realpath=\"/tmp/w/program\" argc=3 envc=4 argv[]={ \"prog\" \"a\\040b\" \"\\\\\" } envp[]={ \
             \"SEKISHO_SUBJECT=1\" \"A=b\\040c\" \"=x\" \"word\" } }\n",
        ),
        (vec![], vec![], " argv[]={ "),
        (vec!["prog", &first, &second, &third, "end"], vec!["X=y"], &cut),
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
