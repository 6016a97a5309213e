// SPDX-License-Identifier: MIT OR Apache-2.0
//! The oracle against the tables and examples of the reference, and never against the engine.

extern crate std;

use super::*;
use crate::address::Address;
use crate::capability::Capability;
use crate::engine::Decision;
use crate::facts::{Arguments, Attributes, Facts, Object, Objects};
use crate::name::is_valid_word;
use crate::number::Number;
use crate::policy::Cursor;
use crate::profile::Mode;
use crate::request::{DeviceOp, NetworkOp, Path2Op, PathNumberOp, PathOp, Request};
use crate::task::Task;
use std::string::String;

fn name(text: &str) -> Name<'_> {
    Name::new(text.as_bytes()).unwrap_or_else(|| panic!("{text} is no name"))
}

/// `exception_policy` and the lines of one domain, `<kernel> /d`, all items enforcing.
fn policy(exception: &str, domain: &str) -> (Policy, DomainId) {
    let mut edit = Policy::new().unwrap().edit().unwrap();
    edit.profile_line(b"PROFILE_VERSION=20090903").unwrap();
    edit.profile_line(b"0-CONFIG={ mode=enforcing grant_log=no reject_log=yes }").unwrap();
    for line in exception.lines() {
        edit.exception_policy_line(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    let mut cursor = Cursor::default();
    for line in std::iter::once("<kernel> /d").chain(domain.lines()) {
        edit.domain_policy_line(&mut cursor, line.as_bytes())
            .unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    edit.activate().unwrap();
    let policy = edit.commit();
    let id = policy.find_domain(b"<kernel> /d").unwrap();
    (policy, id)
}

fn run(corpus: &str) -> usize {
    let lines = corpus.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: std::vec::Vec<&str> = line.split('\t').collect();
            let &[expected, name, pattern] = fields.as_slice() else { panic!("not three fields: {line}") };
            let answer = match Name::new(name.as_bytes()) {
                Some(name) if is_valid_word(pattern.as_bytes()) => {
                    if matches(name, pattern.as_bytes()) {
                        "match"
                    } else {
                        "no"
                    }
                }
                _ => "invalid",
            };
            assert_eq!(answer, expected, "{line}");
        })
        .count()
}

#[test]
fn generated_cases() {
    assert_eq!(run(include_str!("../../../../tests/corpus/pattern-cases.tsv")), 4000);
}

#[test]
fn table_of_the_reference() {
    assert_eq!(run(include_str!("../../../../tests/corpus/pattern-table.tsv")), 127 + 11);
}

#[test]
fn backtracking_ends() {
    let long = std::format!("/x/{}.", "1".repeat(250));
    assert!(!matches(name(&long), std::format!("/x/{}", r"\*1".repeat(100)).as_bytes()));
    assert!(matches(name(&long), std::format!("/x/{}.", r"\$\X".repeat(100)).as_bytes()));
    let deep = std::format!("/{}y", "x/".repeat(500));
    assert!(!matches(name(&deep), std::format!("/{}z", r"\{\*\}/".repeat(40)).as_bytes()));
    assert!(matches(name(&deep), std::format!("/{}y", r"\{x\}/".repeat(40)).as_bytes()));
}

fn path(op: PathOp, path: &str) -> Request<'_> {
    Request::Path { op, path: name(path) }
}

/// Whether each request is granted.
fn check(policy: &(Policy, DomainId), cases: &[(Request<'_>, bool)]) {
    let task = Task::default();
    for (number, (request, expected)) in cases.iter().enumerate() {
        let decision = decide(&policy.0, policy.1, &Facts::new(&task), request);
        let wanted = Decision {
            mode: Mode::Enforcing,
            granted: *expected,
            log: !*expected,
            profile: 0,
            set: [None; 3],
            entry: decision.entry,
        };
        assert!(decision == wanted, "case {number}: {decision:?}");
    }
}

#[test]
fn read_and_write() {
    let policy = policy(
        "allow_read /lib/\\*\npath_group A /ab\npath_group B /ab",
        "allow_read /r\nallow_write /w\nallow_read/write /rw\nallow_read /both\nallow_write /both\n\
         allow_read @A\nallow_write @B",
    );
    let all = [PathOp::Read, PathOp::Write, PathOp::ReadWrite, PathOp::Execute];
    for (file, expected) in [
        ("/r", [true, false, false, false]),
        ("/w", [false, true, false, false]),
        ("/rw", [true, true, true, false]),
        ("/both", [true, true, true, false]),
        ("/ab", [true, true, false, false]),
        ("/lib/x", [true, false, false, false]),
        ("/lib/x/y", [false; 4]),
    ] {
        for (op, expected) in all.into_iter().zip(expected) {
            check(&policy, &[(path(op, file), expected)]);
        }
    }
}

#[test]
fn wildcards_do_not_count_for_programs() {
    let policy = policy(
        "path_group G /bin/\\*\npath_group G /bin/sh",
        "allow_execute /sbin/\\*\nallow_execute @G\nallow_read @G\nallow_transit //a\\*\nallow_transit //b",
    );
    check(
        &policy,
        &[
            (path(PathOp::Execute, "/sbin/init"), false),
            (path(PathOp::Execute, "/bin/sh"), true),
            (path(PathOp::Execute, "/bin/ls"), false),
            (path(PathOp::Read, "/bin/ls"), true),
            (path(PathOp::Transit, "//ab"), false),
            (path(PathOp::Transit, "//b"), true),
        ],
    );
}

#[test]
fn global_lists() {
    let exception = "allow_read /lib/\\*\nallow_env LC_\\*";
    let requests = [path(PathOp::Read, "/lib/a"), Request::Env { name: name("LC_ALL") }];
    for (attributes, expected) in [
        ("", [true, true]),
        ("ignore_global_allow_read", [false, true]),
        ("ignore_global_allow_env", [true, false]),
        ("ignore_global_allow_read\nignore_global_allow_env", [false, false]),
    ] {
        let policy = policy(exception, attributes);
        for (request, expected) in requests.into_iter().zip(expected) {
            check(&policy, &[(request, expected)]);
        }
        check(
            &policy,
            &[
                (path(PathOp::ReadWrite, "/lib/a"), false),
                (path(PathOp::Execute, "/lib/a"), false),
                (Request::Env { name: name("LANG") }, false),
            ],
        );
    }
}

#[test]
fn other_arguments() {
    let policy = policy(
        "number_group MODES 0600\nnumber_group MODES 0640-0644\naddress_group LAN 10.0.0.0-10.0.0.255\n\
         address_group LAN fe80:0:0:0:0:0:0:1",
        "allow_rename /a /b\nallow_create /c\\* @MODES\nallow_mkchar /n 0666 1 3-5\n\
         allow_network TCP connect @LAN 80-90\nallow_network UDP bind 0.0.0.0-255.255.255.255 53\n\
         allow_mount /dev/sda\\$ /mnt/ ext3 0x0-0x1\nallow_env A\\*\nallow_capability SYS_TIME\n\
         allow_signal 15 <kernel> /s\nallow_chmod /z 9-3",
    );
    let rename = |op, from, to| Request::Path2 { op, from: name(from), to: name(to) };
    let number =
        |op, path, value| Request::PathNumber { op, path: name(path), number: Number::decimal(value) };
    let device = |op, mode, major, minor| Request::Device {
        op,
        path: name("/n"),
        mode: Number::octal(mode),
        major: Number::decimal(major),
        minor: Number::decimal(minor),
    };
    let network = |op, word: &str, port| Request::Network {
        op,
        address: Address::parse(word.as_bytes()).unwrap(),
        port,
    };
    let mount = |device, compare_device, dir, kind, flags| Request::Mount {
        device: name(device),
        compare_device,
        dir: name(dir),
        kind: name(kind),
        flags: Number::hexadecimal(flags),
    };
    let signal = |number, target: &'static str| Request::Signal { number, target: target.as_bytes() };
    check(
        &policy,
        &[
            (rename(Path2Op::Rename, "/a", "/b"), true),
            (rename(Path2Op::Rename, "/b", "/a"), false),
            (rename(Path2Op::Rename, "/a", "/a"), false),
            (rename(Path2Op::Link, "/a", "/b"), false),
            (number(PathNumberOp::Create, "/cc", 0o600), true),
            (number(PathNumberOp::Create, "/cc", 0o642), true),
            (number(PathNumberOp::Create, "/cc", 0o645), false),
            (number(PathNumberOp::Mkfifo, "/cc", 0o600), false),
            (number(PathNumberOp::Create, "/d", 0o600), false),
            (number(PathNumberOp::Chmod, "/z", 5), false),
            (device(DeviceOp::Mkchar, 0o666, 1, 3), true),
            (device(DeviceOp::Mkchar, 0o666, 1, 5), true),
            (device(DeviceOp::Mkchar, 0o666, 1, 6), false),
            (device(DeviceOp::Mkchar, 0o666, 2, 3), false),
            (device(DeviceOp::Mkchar, 0o644, 1, 3), false),
            (device(DeviceOp::Mkblock, 0o666, 1, 3), false),
            (network(NetworkOp::TcpConnect, "10.0.0.255", 90), true),
            (network(NetworkOp::TcpConnect, "fe80:0:0:0:0:0:0:1", 80), true),
            (network(NetworkOp::TcpConnect, "10.0.1.0", 80), false),
            (network(NetworkOp::TcpConnect, "10.0.0.1", 91), false),
            (network(NetworkOp::TcpBind, "10.0.0.1", 80), false),
            (network(NetworkOp::UdpBind, "255.255.255.255", 53), true),
            (network(NetworkOp::UdpBind, "0:0:0:0:0:ffff:0102:0304", 53), false),
            (mount("/dev/sda1", true, "/mnt/", "ext3", 1), true),
            (mount("/dev/sdb1", true, "/mnt/", "ext3", 1), false),
            (mount("/dev/sdb1", false, "/mnt/", "ext3", 1), true),
            (mount("/dev/sda1", true, "/mnt/", "ext3", 2), false),
            (mount("/dev/sda1", true, "/mnt/", "ext4", 1), false),
            (mount("/dev/sda1", true, "/media/", "ext3", 1), false),
            (Request::Env { name: name("AB") }, true),
            (Request::Env { name: name("BA") }, false),
            (Request::Capability(Capability::from_name(b"SYS_TIME").unwrap()), true),
            (Request::Capability(Capability::from_name(b"SYS_NICE").unwrap()), false),
            (signal(15, "<kernel> /s"), true),
            (signal(15, "<kernel> /s /t"), true),
            (signal(15, "<kernel> /st"), false),
            (signal(15, "<kernel>"), false),
            (signal(9, "<kernel> /s"), false),
        ],
    );
}

#[test]
fn the_first_entry_decides() {
    let (policy, id) = policy(
        "allow_read /e",
        "allow_read /a if task.uid=1 ; set task.state[0]=1\nallow_read /\\* if task.gid=0 ; set task.state[1]=2\n\
         allow_read /a ; set task.state[2]=3\nallow_read /e if task.uid=9 ; set task.state[0]=9",
    );
    let set = |uid, gid, file| {
        let task = Task { uid, gid, ..Task::default() };
        let decision = decide(&policy, id, &Facts::new(&task), &path(PathOp::Read, file));
        decision.granted.then_some(decision.set)
    };
    assert_eq!(set(1, 0, "/a"), Some([Some(1), None, None]));
    assert_eq!(set(2, 0, "/a"), Some([None, Some(2), None]));
    assert_eq!(set(2, 1, "/a"), Some([None, None, Some(3)]));
    assert_eq!(set(2, 0, "/b"), Some([None, Some(2), None]));
    assert_eq!(set(2, 1, "/b"), None);
    assert_eq!(set(2, 1, "/e"), Some([None; 3]));
    assert_eq!(set(9, 1, "/e"), Some([Some(9), None, None]));
}

#[test]
fn modes_and_logs() {
    let mut edit = Policy::new().unwrap().edit().unwrap();
    for line in [
        "PROFILE_VERSION=20090903",
        "0-CONFIG={ mode=permissive grant_log=yes reject_log=no }",
        "0-CONFIG::file={ mode=learning grant_log=no reject_log=yes }",
        "0-CONFIG::file::unlink={ mode=disabled }",
    ] {
        edit.profile_line(line.as_bytes()).unwrap();
    }
    let inactive = edit.commit();
    let mut edit = inactive.edit().unwrap();
    edit.activate().unwrap();
    let active = edit.commit();
    let task = Task::default();
    let ask = |policy: &Policy, request| {
        let decision = decide(policy, DomainId::ROOT, &Facts::new(&task), &request);
        (decision.mode, decision.granted, decision.log)
    };
    assert_eq!(ask(&inactive, path(PathOp::Read, "/a")), (Mode::Disabled, true, false));
    assert_eq!(ask(&active, path(PathOp::Read, "/a")), (Mode::Learning, false, true));
    assert_eq!(ask(&active, path(PathOp::Unlink, "/a")), (Mode::Disabled, true, false));
    assert_eq!(ask(&active, Request::Env { name: name("A") }), (Mode::Permissive, false, false));
    let unknown = DomainId::from_bits(77);
    let decision = decide(&active, unknown, &Facts::new(&task), &path(PathOp::Unlink, "/a"));
    assert!(decision.mode == Mode::Enforcing && !decision.granted && decision.log);
}

struct Files;

impl Objects for Files {
    fn attributes(&self, object: Object) -> Option<Attributes> {
        let path1 = Attributes { uid: 7, mode: 0o104_755, dev_minor: 3, ..Attributes::default() };
        let parent = Attributes { uid: 8, mode: 0o041_777, ..Attributes::default() };
        match object {
            Object::Path1 => Some(path1),
            Object::Path1Parent => Some(parent),
            _ => None,
        }
    }
}

struct Program {
    unreadable: bool,
}

impl Arguments for Program {
    fn argc(&self) -> u64 {
        2
    }

    fn envc(&self) -> u64 {
        4
    }

    fn realpath(&self) -> Option<Name<'_>> {
        Some(name("/sbin/killall5"))
    }

    fn argv(&self, index: u64, visit: &mut dyn FnMut(Name<'_>)) -> bool {
        let argument = usize::try_from(index).ok().and_then(|index| ["/sbin/pidof", "-x"].get(index));
        if let Some(argument) = argument {
            visit(name(argument));
        }
        argument.is_some()
    }

    fn envp(&self, visit: &mut dyn FnMut(Name<'_>, Option<Name<'_>>)) {
        visit(name("PATH"), Some(name("/bin:/sbin")));
        visit(name("LC_A"), Some(name("C")));
        visit(name("LC_B"), Some(name("D")));
        visit(name("NOVALUE"), None);
    }

    fn is_unreadable(&self) -> bool {
        self.unreadable
    }
}

/// The answer for `=` and for `!=`, where the test is written with `~`.
fn both(facts: &Facts<'_>, test: &str) -> (bool, bool) {
    let [equal, unequal] = ["=", "!="].map(|operator| {
        let line = std::format!("allow_read /a if {}", test.replacen('~', operator, 1));
        let exception =
            "number_group N 5-8\nnumber_group N 100\nnumber_group EMPTY 1\ndelete number_group EMPTY 1\n\
                         path_group P /sbin/\\*";
        let (policy, id) = policy(exception, &line);
        decide(&policy, id, facts, &path(PathOp::Read, "/a")).granted
    });
    (equal, unequal)
}

#[test]
fn conditions() {
    let (yes, no, never) = ((true, false), (false, true), (false, false));
    let task = Task {
        uid: 1,
        euid: 2,
        suid: 3,
        fsuid: 4,
        gid: 5,
        egid: 6,
        sgid: 7,
        fsgid: 8,
        pid: 9,
        ppid: 10,
        state: [11, 12, 13],
        execute_handler: true,
    };
    let facts = Facts {
        objects: Some(&Files),
        exec: Some(&Program { unreadable: false }),
        symlink_target: Some(name("/var/x")),
        ..Facts::new(&task)
    };
    let plain = Facts::new(&task);
    for (test, with, without) in [
        ("task.uid~1", yes, yes),
        ("task.euid~2", yes, yes),
        ("task.suid~3", yes, yes),
        ("task.fsuid~4", yes, yes),
        ("task.gid~5", yes, yes),
        ("task.egid~6", yes, yes),
        ("task.sgid~7", yes, yes),
        ("task.fsgid~8", yes, yes),
        ("task.pid~9", yes, yes),
        ("task.ppid~10", yes, yes),
        ("task.state[0]~11", yes, yes),
        ("task.state[1]~12", yes, yes),
        ("task.state[2]~13", yes, yes),
        ("task.type~execute_handler", yes, yes),
        ("task.uid~2-9", no, no),
        ("0-1~task.uid", yes, yes),
        ("1-5~5-9", yes, yes),
        ("1-4~5-9", no, no),
        ("9-3~1-10", no, no),
        ("1-10~9-3", no, no),
        ("task.gid~@N", yes, yes),
        ("task.uid~@N", no, no),
        ("1-5~@N", yes, yes),
        ("9-3~@N", no, no),
        ("task.uid~@EMPTY", no, no),
        ("path1.uid~7", yes, never),
        ("path1.uid~@N", yes, never),
        ("path1.parent.uid~8", yes, never),
        ("path2.uid~7", never, never),
        ("path1.uid~path2.uid", never, never),
        ("path1.perm~04755", yes, never),
        ("path1.type~0100000", yes, never),
        ("path1.type~file", yes, never),
        ("directory~path1.type", no, never),
        ("path1.dev_minor~3", yes, never),
        ("path1.perm~setuid", yes, never),
        ("setgid~path1.perm", no, never),
        ("path1.parent.perm~sticky", yes, never),
        ("path1.type~setuid", never, never),
        ("setuid~setuid", never, never),
        ("setuid~04000", yes, yes),
        ("setuid~4000", no, no),
        ("setuid~0-04000", yes, yes),
        ("others_execute~@N", no, no),
        ("group_execute~@N", yes, yes),
        ("04000~setuid", never, never),
        ("setuid~task.uid", never, never),
        ("exec.argc~2", yes, never),
        ("exec.envc~4", yes, never),
        (r#"exec.realpath~"/sbin/\*""#, yes, never),
        ("exec.realpath~@P", yes, never),
        (r#"exec.realpath~"@P""#, no, never),
        (r#"symlink.target~"/var/\*""#, yes, never),
        ("symlink.target~@P", no, never),
        (r#"exec.argv[0]~"/sbin/pidof""#, yes, never),
        (r#"exec.argv[1]~"\*""#, yes, never),
        (r#"exec.argv[1]~"/x""#, no, never),
        (r#"exec.argv[2]~"\*""#, no, never),
        (r#"exec.envp["PATH"]~"/\*:/\*""#, yes, never),
        (r#"exec.envp["PATH"]~"/bin""#, no, never),
        (r#"exec.envp["PATH"]~NULL"#, no, never),
        (r#"exec.envp["LC_\*"]~"\*""#, yes, never),
        (r#"exec.envp["LC_\*"]~"C""#, never, never),
        (r#"exec.envp["LC_\*"]~"E""#, no, never),
        (r#"exec.envp["LD_PRELOAD"]~"\*""#, no, never),
        (r#"exec.envp["LD_PRELOAD"]~NULL"#, yes, never),
        (r#"exec.envp["NOVALUE"]~NULL"#, yes, never),
    ] {
        assert_eq!(both(&facts, test), with, "{test}");
        assert_eq!(both(&plain, test), without, "{test} without facts");
    }
    let unreadable = Facts { exec: Some(&Program { unreadable: true }), ..plain };
    for test in [r#"exec.argv[2]~"\*""#, r#"exec.envp["LD_PRELOAD"]~NULL"#, r#"exec.envp["PATH"]~"/x""#] {
        assert_eq!(both(&unreadable, test), never, "{test}");
    }
    assert_eq!(both(&facts, "task.uid=1 task.euid~2"), yes);
    assert_eq!(both(&facts, "task.uid=2 task.euid~2"), never);
}

/// Both tables and the last paragraph of reference 6.3.
#[test]
fn transitions() {
    let next = |exception: &str, active: bool, old: &str, program: &str| {
        let mut edit = Policy::new().unwrap().edit().unwrap();
        edit.profile_line(b"PROFILE_VERSION=20090903").unwrap();
        edit.profile_line(b"0-CONFIG={ mode=enforcing }").unwrap();
        for line in exception.lines() {
            edit.exception_policy_line(line.as_bytes()).unwrap();
        }
        edit.domain_policy_line(&mut Cursor::default(), old.as_bytes()).unwrap();
        if active {
            edit.activate().unwrap();
        }
        let policy = edit.commit();
        let mut out = Vec::new();
        out.extend_from_slice(b"garbage").unwrap();
        let id = policy.find_domain(old.as_bytes()).unwrap();
        next_domain_name(&policy, id, name(program), &mut out).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    };
    let httpd = "initialize_domain /usr/sbin/httpd";
    let not_httpd = "initialize_domain /usr/sbin/httpd\nno_initialize_domain /usr/sbin/httpd from /bin/test";
    let no_keep = "no_keep_domain /usr/bin/passwd from /bin/bash\nkeep_domain /bin/bash";
    let bash = "<kernel> /x /bin/bash";
    for (exception, old, program, expected) in [
        ("", "<kernel> /sbin/init", "/etc/rc", "<kernel> /sbin/init /etc/rc"),
        (httpd, bash, "/usr/sbin/httpd", "<kernel> /usr/sbin/httpd"),
        (httpd, bash, "/usr/sbin/httpd2", "<kernel> /x /bin/bash /usr/sbin/httpd2"),
        (not_httpd, "<kernel> /bin/test", "/usr/sbin/httpd", "<kernel> /bin/test /usr/sbin/httpd"),
        (not_httpd, bash, "/usr/sbin/httpd", "<kernel> /usr/sbin/httpd"),
        ("keep_domain /bin/bash", bash, "/bin/ls", bash),
        ("keep_domain <kernel> /x /bin/bash", bash, "/bin/ls", bash),
        ("keep_domain <kernel> /bin/bash", bash, "/bin/ls", "<kernel> /x /bin/bash /bin/ls"),
        ("keep_domain /bin/ls from /bin/bash", bash, "/bin/ls", bash),
        ("keep_domain /bin/ls from /bin/bash", bash, "/bin/cp", "<kernel> /x /bin/bash /bin/cp"),
        (no_keep, bash, "/usr/bin/passwd", "<kernel> /x /bin/bash /usr/bin/passwd"),
        (no_keep, bash, "/bin/ls", bash),
        ("keep_domain /bin/bash\ninitialize_domain /bin/ls", bash, "/bin/ls", "<kernel> /bin/ls"),
        ("initialize_domain /a from <kernel> /x", bash, "/a", "<kernel> /x /bin/bash /a"),
        ("keep_domain <kernel>", "<kernel>", "/sbin/init", "<kernel>"),
    ] {
        assert_eq!(next(exception, true, old, program), expected, "{exception}: {old} executes {program}");
    }
    assert_eq!(next("", false, "<kernel>", "/sbin/init"), "<kernel>");
    assert_eq!(next(httpd, false, "<kernel>", "/usr/sbin/httpd"), "<kernel> /usr/sbin/httpd");
    assert_eq!(next("", false, "<kernel> /a", "/b"), "<kernel> /a /b");
    let mut out = Vec::new();
    next_domain_name(&Policy::new().unwrap(), DomainId::from_bits(9), name("/a"), &mut out).unwrap();
    assert!(out.is_empty());
}

#[test]
fn other_lists() {
    let (policy, _) = policy(
        "aggregator /tmp/logrotate.\\?\\? /tmp/logrotate.tmp\naggregator /tmp/\\* /second\naggregator /second /third\n\
         file_pattern /proc/\\$/\\*\nfile_pattern /proc/\\$/status\nfile_pattern /proc/\\*/status\nfile_pattern /proc/\\*/\\*\n\
         deny_rewrite /var/log/\\*\ndeny_rewrite @x\npath_group x /y\ndeny_autobind 1024-1030\ndeny_autobind 65535",
        "",
    );
    for (program, expected) in [
        ("/tmp/logrotate.ab", "/tmp/logrotate.tmp"),
        ("/tmp/other", "/second"),
        ("/second", "/third"),
        ("/third", "/third"),
    ] {
        assert_eq!(aggregate(&policy, name(program)).as_bytes(), expected.as_bytes());
    }
    for (file, expected) in [
        ("/proc/7/status", r"/proc/\$/status"),
        ("/proc/self/status", r"/proc/\*/status"),
        ("/proc/7/maps", r"/proc/\*/\*"),
        ("/proc/7/a/b", "/proc/7/a/b"),
    ] {
        assert_eq!(file_pattern(&policy, name(file)), expected.as_bytes());
    }
    for (file, expected) in [("/var/log/a", true), ("/var/log/a/b", false), ("/y", false), ("@x", true)] {
        assert_eq!(is_rewrite_denied(&policy, name(file)), expected, "{file}");
    }
    for (port, expected) in
        [(1023, false), (1024, true), (1030, true), (1031, false), (65535, true), (0, false)]
    {
        assert_eq!(is_autobind_denied(&policy, port), expected, "{port}");
    }
}
