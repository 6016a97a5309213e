// SPDX-License-Identifier: MIT OR Apache-2.0
//! Small policies as people write them, which do not do what their authors mean: what `sekisho check` says about each.

use std::fs;
use std::path::Path;

use crate::support::{check, check_strictly, directory};
use sekisho_core::mem::Vec as Text;
use sekisho_core::rehearsal::Rehearsal;

/// The findings, which must be as many, each begins so and has the last part somewhere.
fn expect(directory: &Path, status: i32, expected: &[(&str, &str)]) {
    let said = check(directory);
    let findings = said.findings(directory);
    assert_eq!((said.status, findings.len()), (status, expected.len()), "{findings:#?}");
    for (finding, (place, part)) in findings.iter().zip(expected) {
        assert!(finding.starts_with(place) && finding.contains(part), "{finding}: {place} {part}");
    }
}

#[test]
fn names_in_utf_8() {
    let directory = directory(&[
        (
            "domain_policy",
            "<kernel>\nuse_profile 3\nallow_read /home/ren\u{e9}\nallow_rename /tmp/\u{e4} /tmp/b\n",
        ),
        ("manager", "/usr/sbin/pol\u{ed}tica\n"),
    ]);
    expect(
        directory.path(),
        1,
        &[
            ("domain_policy:3:21: byte 0xC3; write it as \\303: ", "allow_read /home/ren\\303\\251"),
            ("domain_policy:4:19: byte 0xC3; write it as \\303: ", "allow_rename /tmp/\\303\\244 /tmp/b"),
            ("manager:1:14: byte 0xC3; write it as \\303: ", "/usr/sbin/pol\\303\\255tica"),
        ],
    );
}

#[test]
fn a_program_by_a_wildcard() {
    let text = "<kernel> /srv/runner\nuse_profile 3\nallow_execute /srv/jobs/\\*\nallow_read /srv/jobs/\\*\n";
    let directory = directory(&[("domain_policy", text)]);
    expect(
        directory.path(),
        0,
        &[(
            "domain_policy:3:15: warning: allow_execute with a wildcard never matches",
            ": allow_execute /srv/jobs/\\*",
        )],
    );
    assert_eq!(check_strictly(directory.path()).status, 1);
}

#[test]
fn lines_that_never_match() {
    let lines = [
        ("allow_read/write /home/\\*/.mail/\\{\\*\\}/", "ends in / is a directory's"),
        ("allow_unlink /home/\\*/.mail/\\{\\*\\}/", "ends in / is a directory's"),
        ("allow_create /tmp/a/ 0600", "ends in / is a directory's"),
        ("allow_mkdir /tmp/new 0755", "the name of a directory ends in /"),
        ("allow_rmdir /tmp/new", "the name of a directory ends in /"),
        ("allow_chroot /srv/cage", "the name of a directory ends in /"),
        ("allow_mount any /media tmpfs 0x0", "the name of a directory ends in /"),
        ("allow_chmod /tmp/a 644", "decimal"),
        ("allow_mkdir /tmp/b/ 750", "decimal"),
        ("allow_read /srv/*", "begins with a backslash"),
        ("allow_read /srv/**", "begins with a backslash"),
        ("allow_read /tmp/[0-9]", "begins with a backslash"),
        ("allow_read ~/mail", "begins with /"),
        ("allow_read /a/../b", "a component . or .."),
        ("allow_read /a//b", "no name has //"),
        ("allow_read /proc/4321/maps", "the number of a process"),
        ("allow_read /a if exec.argc=2", "does not know what is tested"),
        ("allow_read /a if symlink.target=\"/b\"", "does not know what is tested"),
        ("allow_create /tmp/c 0644 if path1.uid=0", "does not know what is tested"),
        ("allow_read /a if task.gid=0 task.gid=100", "contradicts another test"),
    ];
    let text: String = ["<kernel> /usr/bin/mail", "use_profile 3"]
        .into_iter()
        .chain(lines.map(|(line, _)| line))
        .map(|line| format!("{line}\n"))
        .collect();
    let directory = directory(&[
        ("exception_policy", "path_group TOOLS @MORE\ndeny_rewrite @LOGS\npath_group DATA /data/*\n"),
        ("domain_policy", &text),
        ("manager", "/usr/sbin/ccs-*\n"),
    ]);
    let places: Vec<String> =
        (3..).take(lines.len()).map(|number| format!("domain_policy:{number}:")).collect();
    let mut expected = vec![
        ("exception_policy:1:18: warning: ", "@ stands for itself"),
        ("exception_policy:2:14: warning: ", "@ stands for itself"),
        ("exception_policy:3:17: warning: ", "begins with a backslash"),
    ];
    expected.extend(places.iter().zip(lines).map(|(place, (_, part))| (place.as_str(), part)));
    expected.push(("manager:1:1: warning: ", "begins with a backslash"));
    expect(directory.path(), 0, &expected);
}

#[test]
fn a_policy_of_2_x() {
    let exceptions = "acl_group 0 file read /etc/ld.so.cache\nacl_group 0 file read proc:/meminfo\n\
                      acl_group 1 file read/write /dev/null task.uid=0\nacl_group 0 misc env TERM\n\
                      acl_group 0 file getattr @ANY\npath_group ANY proc:/self/\\*\ninitialize_domain /sbin/init from any\n\
                      keep_domain any from <kernel> /bin/sh\naggregator proc:/self/exe /proc/self/exe\n\
                      address_group A ::1\nalias /bin/busybox /bin/cat\n";
    let profile = "PROFILE_VERSION=20110903\n0-CONFIG={ mode=disabled grant_log=no reject_log=yes }\n\
                   1-PREFERENCE={ max_audit_log=16 max_learning_entry=99 }\n1-CONFIG::network::inet_stream_bind={ mode=learning }\n";
    let domains = "<kernel>\nuse_profile 0\nuse_group 0\nfile execute/read /bin/sh exec.argc=1\nfile mkdir /tmp/x/ 0755\n\
                   network inet stream bind/listen ::1 80\nipc signal 9 <kernel> /bin/a task.uid=0\n\
                   <apache> /bin/sh\ntask manual_domain_transition <kernel> //x\n";
    let directory =
        directory(&[("profile", profile), ("exception_policy", exceptions), ("domain_policy", domains)]);
    let said = check(directory.path());
    assert_eq!(said.status, 1);
    let findings = said.findings(directory.path());
    // Each finding with what is to be written instead.
    let mut told: Vec<(String, Vec<&str>)> = Vec::new();
    for line in &findings {
        match line.strip_prefix("    write ") {
            Some(instead) => told.last_mut().unwrap().1.push(instead),
            None => told.push((line.split(": ").take(2).collect::<Vec<_>>().join(": "), Vec::new())),
        }
    }
    let whole = "in each domain of the group: ";
    let expected: [(&str, &[&str]); 22] = [
        ("profile:1:17: only profiles of version 20090903", &["PROFILE_VERSION=20090903"]),
        (
            "profile:3:3: unknown key",
            &[
                "1-PREFERENCE::audit={ max_grant_log=16 max_reject_log=16 task_info=yes path_info=yes }",
                "1-PREFERENCE::learning={ verbose=no max_entry=99 exec.realpath=yes exec.argv0=yes symlink.target=yes }",
            ],
        ),
        ("profile:4:3: no such item", &["1-CONFIG::network::inet_tcp_bind={ mode=learning }"]),
        ("exception_policy:1:1: this is a line of TOMOYO 1.8 or 2.x", &["allow_read /etc/ld.so.cache"]),
        ("exception_policy:2:1: this is a line of TOMOYO 1.8 or 2.x", &["allow_read /proc/meminfo"]),
        (
            "exception_policy:3:1: this is a line of TOMOYO 1.8 or 2.x",
            &[
                &format!("{whole}allow_read /dev/null if task.uid=0"),
                &format!("{whole}allow_write /dev/null if task.uid=0"),
            ],
        ),
        ("exception_policy:4:1: this is a line of TOMOYO 1.8 or 2.x", &["allow_env TERM"]),
        ("exception_policy:5:1: this is a line of TOMOYO 1.8 or 2.x", &["nothing: reading attributes is not asked for"]),
        ("exception_policy:6:16: warning", &[]),
        ("exception_policy:7:35: this is a line of TOMOYO 1.8 or 2.x", &["initialize_domain /sbin/init"]),
        ("exception_policy:8:13: this is a line of TOMOYO 1.8 or 2.x", &["keep_domain <kernel> /bin/sh"]),
        ("exception_policy:9:12: not a file", &["nothing: a program that is started through such a link is named by its file"]),
        ("exception_policy:10:17: not an address", &["address_group A 0:0:0:0:0:0:0:1"]),
        (
            "exception_policy:11:1: TOMOYO 1.7 removed this directive",
            &["allow_execute /bin/cat if exec.realpath=\"/bin/busybox\" in each domain that may"],
        ),
        (
            "domain_policy:3:1: this is a line of TOMOYO 1.8 or 2.x",
            &["nothing here: what the acl_group lines of this group allow belongs into the domain itself"],
        ),
        (
            "domain_policy:4:1: this is a line of TOMOYO 1.8 or 2.x",
            &["allow_execute /bin/sh if exec.argc=1", "allow_read /bin/sh if exec.argc=1"],
        ),
        ("domain_policy:5:1: this is a line of TOMOYO 1.8 or 2.x", &["allow_mkdir /tmp/x/ 0755"]),
        (
            "domain_policy:6:1: this is a line of TOMOYO 1.8 or 2.x",
            &["allow_network TCP bind 0:0:0:0:0:0:0:1 80", "allow_network TCP listen 0:0:0:0:0:0:0:1 80"],
        ),
        ("domain_policy:7:1: this is a line of TOMOYO 1.8 or 2.x", &["allow_signal 9 <kernel> /bin/a if task.uid=0"]),
        (
            "domain_policy:8:1: unknown keyword",
            &["a name that begins with <kernel>; this is a namespace of TOMOYO 1.8.2 or 2.4"],
        ),
        ("domain_policy:9:1: this is a line of TOMOYO 1.8 or 2.x", &["allow_transit //x"]),
        ("not activated: write PROFILE_VERSION=20090903 to profile before activation", &[]),
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for ((finding, instead), (beginning, lines)) in told.iter().zip(expected) {
        assert!(finding.starts_with(beginning), "{finding}: {beginning}");
        assert_eq!(instead, lines, "{finding}");
    }
}

/// What is learned under the template holds no number of a process, and a line that does is told.
#[test]
fn numbers_of_processes_are_not_learned() {
    let template =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy-templates/android-app/exception_policy");
    let template = fs::read_to_string(template).unwrap();
    let mut rehearsal = Rehearsal::new().unwrap();
    let mut ask = |command: &str| {
        let mut answer = Text::new();
        rehearsal.command(command.as_bytes(), &mut answer).unwrap();
        String::from_utf8(answer.to_vec()).unwrap()
    };
    for line in ["PROFILE_VERSION=20090903", "0-CONFIG={ mode=disabled }", "1-CONFIG={ mode=learning }"] {
        assert_eq!(ask(&format!("profile {line}")), "ok\n");
    }
    for line in template.lines() {
        assert_eq!(ask(&format!("exception {line}")), "ok\n", "{line}");
    }
    assert_eq!(ask("domain <kernel> /t"), "ok\n");
    assert_eq!(ask("domain use_profile 1"), "ok\n");
    assert_eq!(ask("activate"), "ok\n");
    let learned = [
        ("allow_read /proc/1234/stat", "allow_read /proc/\\$/stat"),
        ("allow_read /proc/1235/stat", "allow_read /proc/\\$/stat"),
        ("allow_read /proc/4711/net/tcp6", "allow_read /proc/\\$/net/\\?\\*"),
        ("allow_read /proc/4711/something_new", "allow_read /proc/\\$/\\?\\*"),
        ("allow_read /proc/self/task/77/stat", "allow_read /proc/self/task/\\$/stat"),
        ("allow_read /proc/4711/task/77/comm", "allow_read /proc/\\$/task/\\$/comm"),
        ("allow_read /proc/4711/task/77/fdinfo/8", "allow_read /proc/\\$/task/\\$/fdinfo/\\$"),
        ("allow_chown /proc/self/fd/9 0", "allow_chown /proc/self/fd/\\$ 0"),
        ("allow_read /proc/4711/attr/current", "allow_read /proc/\\$/attr/current"),
        ("allow_read /proc/4711/ns/mnt", "allow_read /proc/\\$/\\{\\*\\}/\\?\\*"),
        ("allow_ioctl /proc/4711/ 0x5401", "allow_ioctl /proc/\\$/ 0x5401"),
        ("allow_ioctl /proc/4711/fd/ 0x5401", "allow_ioctl /proc/\\$/\\{\\*\\}/ 0x5401"),
        ("allow_ioctl pipe:[4711] 0x5401", "allow_ioctl pipe:[\\$] 0x5401"),
        ("allow_ioctl net:[4026531840] 0xB701", "allow_ioctl \\A:[\\$] 0xB701"),
        ("allow_write /dev/pts/12", "allow_write /dev/pts/\\$"),
        (
            "allow_write /sys/fs/cgroup/uid_10001/pid_4711/cgroup.procs",
            "allow_write /sys/fs/cgroup/uid_\\$/pid_\\$/\\?\\*",
        ),
        (
            "allow_mkdir /sys/fs/cgroup/uid_10001/pid_4711/ 0755",
            "allow_mkdir /sys/fs/cgroup/uid_\\$/pid_\\$/ 0755",
        ),
        // What has no number stays.
        ("allow_read /proc/self/status", "allow_read /proc/self/status"),
        ("allow_read /proc/meminfo", "allow_read /proc/meminfo"),
        ("allow_read anon_inode:[eventpoll]", "allow_read anon_inode:[eventpoll]"),
        (
            "realpath=/usr/bin/app argv=app envp= allow_execute /proc/self/fd/9",
            "allow_execute /usr/bin/app if exec.realpath=\"/usr/bin/app\" exec.argv[0]=\"app\"",
        ),
    ];
    for (request, _) in learned {
        let answer = ask(&format!("learn <kernel> /t\t{request}"));
        assert!(answer == "added\n" || answer == "already\n", "{request}: {answer}");
    }
    let printed = ask("print domain");
    for (request, line) in learned {
        assert!(printed.lines().any(|printed| printed == line), "{request}: {printed}");
    }
    let directory = directory(&[
        ("exception_policy", &template),
        ("domain_policy", &printed),
        ("profile", &ask("print profile")),
    ]);
    expect(directory.path(), 0, &[]);
    // Learned without the template.
    let text =
        "<kernel> /t\nallow_read /proc/1234/stat\nallow_ioctl pipe:[4711] 0x5401\nallow_read /proc/1/stat\n";
    fs::write(directory.path().join("domain_policy"), text).unwrap();
    expect(
        directory.path(),
        0,
        &[
            ("domain_policy:2:12: warning: the number of a process", "file_pattern"),
            ("domain_policy:3:13: warning: the number of a process", "file_pattern"),
        ],
    );
}
