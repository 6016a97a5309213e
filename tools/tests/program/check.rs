// SPDX-License-Identifier: MIT OR Apache-2.0
//! `sekisho check`, the program itself, on good policy, on broken policy, and on no policy.

use std::fs;
use std::path::Path;

use crate::support::{check, check_strictly, directory};

#[test]
fn every_template_is_good_and_nothing_in_it_is_odd() {
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy-templates");
    let mut count = 0;
    for entry in fs::read_dir(templates).unwrap() {
        let directory = entry.unwrap().path();
        let said = check_strictly(&directory);
        assert_eq!((said.status, said.out.len()), (0, 1), "{:?}", said.out);
        let words: Vec<&str> = said.count().split(' ').collect();
        let [accepted, "lines", "accepted,", "0", "rejected,", "0", "warnings,", memory, "bytes", "of", "policy"] =
            words[..]
        else {
            panic!("{}", said.count());
        };
        assert!(accepted.parse::<usize>().unwrap() > 20 && memory.parse::<usize>().unwrap() > 1000);
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn wrong_lines_are_shown_as_the_kernel_shows_them() {
    let long = format!("allow_read /a /{}", "b".repeat(200));
    let text = format!(
        "<kernel>\n\nallow_read /a\nallow_raed /b\n\tallow_read /c if task.uid>0\r\n{long}\nuse_profile 0"
    );
    let directory =
        directory(&[("domain_policy", &text), ("manager", "sbin/init\n# x\n/usr/bin/caf\u{e9}\n")]);
    let said = check(directory.path());
    assert_eq!(said.status, 1);
    let expected = [
        "domain_policy:4:1: unknown keyword; expected a domain (<kernel> ...), an attribute such as use_profile, or an ACL such \
         as allow_read: allow_raed /b"
            .to_owned(),
        "domain_policy:5:19: a test needs = or != without blanks around it, such as task.uid=0: \\011allow_read /c if \
         task.uid>0\\015"
            .to_owned(),
        format!(
            "domain_policy:6:15: more words than this line can have; remove them (a condition begins with the word if; write a \
             blank inside a name as \\040): {}...",
            &long[..120]
        ),
        "manager:1:1: not a manager; write a domain name, the absolute path of a program without wildcards, or \
         manage_by_non_root: sbin/init"
            .to_owned(),
        "manager:3:13: byte 0xC3; write it as \\303: /usr/bin/caf\\303\\251".to_owned(),
    ];
    assert_eq!(said.findings(directory.path()), expected);
    assert!(said.count().starts_with("6 lines accepted, 5 rejected, 0 warnings, "), "{}", said.count());
    assert_eq!(said.err, "");
}

#[test]
fn comments_say_nothing() {
    let directory = directory(&[
        ("profile", &format!("# caf\u{e9}\n{}", crate::support::PROFILE)),
        ("exception_policy", "#####A######\nallow_env A\n  # B\n"),
        ("domain_policy", "# <kernel> /x\n<kernel>\n#use_profile 9\nallow_read /a\n"),
        ("manager", "# who\n/sbin/init\n"),
    ]);
    let said = check_strictly(directory.path());
    assert_eq!((said.status, said.out.len()), (0, 1), "{:?}", said.out);
    assert!(said.count().starts_with("7 lines accepted, 0 rejected"), "{}", said.count());
}

#[test]
fn each_domain_without_its_profile_is_named() {
    let text = "<kernel>\nuse_profile 0\n<kernel> /a\nuse_profile 7\nallow_read /a\n use_profile 5\n<kernel> /b\nuse_profile 3\n\
                <kernel> /c\nuse_profile 6\n";
    let directory = directory(&[("domain_policy", text)]);
    let said = check(directory.path());
    assert_eq!(said.status, 1);
    let expected = [("<kernel> /a", 5, "6:1", " use_profile 5"), ("<kernel> /c", 6, "10:1", "use_profile 6")];
    assert_eq!(
        said.findings(directory.path()),
        expected.map(|(domain, number, place, line)| format!(
            "domain_policy:{place}: not activated: the domain {domain} uses profile {number}, which is not defined; write \
             {number}-CONFIG={{ mode=... }} to profile, or another use_profile: {line}"
        ))
    );
    // What is everywhere has no line.
    fs::write(directory.path().join("profile"), "PROFILE_VERSION=20090903\n3-CONFIG={ mode=enforcing }\n")
        .unwrap();
    fs::write(directory.path().join("domain_policy"), "").unwrap();
    let said = check(directory.path());
    assert_eq!(
        (said.status, said.findings(directory.path())),
        (
            1,
            vec![
                "not activated: the domain <kernel> uses profile 0, which is not defined; write 0-CONFIG={ mode=... } to \
                 profile, or another use_profile"
                    .to_owned()
            ]
        )
    );
    fs::write(directory.path().join("profile"), "0-CONFIG={ mode=disabled }\n").unwrap();
    let said = check(directory.path());
    assert_eq!(
        (said.status, said.findings(directory.path())),
        (1, vec!["not activated: write PROFILE_VERSION=20090903 to profile before activation".to_owned()])
    );
}

#[test]
fn warnings_are_told_and_count_only_strictly() {
    let directory = directory(&[
        ("exception_policy", "path_group G /x/\npath_group G @H\ninitialize_domain /a\nno_initialize_domain /a\n"),
        (
            "domain_policy",
            "<kernel>\n<kernel> /b\nuse_profile 3\nallow_execute /srv/\\*\nallow_read @G\nallow_read @H\nallow_create /a 0644\n\
             allow_create /a 420\nallow_create /b 644\n",
        ),
    ]);
    let said = check(directory.path());
    assert_eq!(said.status, 0);
    let findings = said.findings(directory.path());
    let beginnings = [
        "exception_policy:2:14: warning: @ stands for itself here",
        "exception_policy:3:1: warning: has no effect: a no_ rule",
        "domain_policy:4:15: warning: allow_execute with a wildcard never matches",
        "domain_policy:6:12: warning: never matches: the group has no members",
        "domain_policy:8:1: warning: the domain has this line with the same number in another radix",
        "domain_policy:9:17: warning: a mode without 0 in front is decimal",
    ];
    assert_eq!(findings.len(), beginnings.len(), "{findings:#?}");
    for (finding, beginning) in findings.iter().zip(beginnings) {
        assert!(finding.starts_with(beginning), "{finding}");
    }
    assert!(findings[2].ends_with(": allow_execute /srv/\\*"), "{}", findings[2]);
    assert!(said.count().contains(", 0 rejected, 6 warnings, "), "{}", said.count());
    let strictly = check_strictly(directory.path());
    assert_eq!((strictly.status, &strictly.out), (1, &said.out));
}

#[test]
fn a_line_may_be_as_long_as_the_kernel_takes_it() {
    let line = |length: usize| format!("allow_read /{}", "a".repeat(length - 12));
    for (length, rejected) in [(131_073, 0), (135_168, 0), (135_169, 1), (500_000, 1)] {
        // With and without an end of the line.
        for end in ["", "\n", "\nallow_read /b\n"] {
            let directory = directory(&[("domain_policy", &format!("<kernel>\n{}{end}", line(length)))]);
            let said = check(directory.path());
            let findings = said.findings(directory.path());
            if rejected == 0 {
                assert_eq!((said.status, findings), (0, vec![]), "{length}");
                continue;
            }
            assert_eq!(said.status, 1);
            assert_eq!(
                findings[0],
                format!(
                    "domain_policy:2:1: the line is longer than 135168 bytes; split it: {}...",
                    &line(length)[..120]
                )
            );
            // It might have been another domain's line.
            let lost =
                findings[1..].iter().all(|line| line.starts_with("domain_policy:3:1: no current domain"));
            assert!(lost && findings.len() == if end.len() > 1 { 2 } else { 1 }, "{findings:?}");
        }
    }
    // A name of 128 KiB.
    let name = format!("<kernel>\nallow_rename /{} /b if task.uid=0\n", "a".repeat(131_071));
    assert_eq!(check(directory(&[("domain_policy", &name)]).path()).status, 0);
}

#[test]
fn messages_send_nobody_to_a_book() {
    let directory = directory(&[
        (
            "profile",
            "PROFILE_VERSION=20090903\n0-CONFIG={ mode=disabled }\n3-CONFIG::file::read={ mode=enforcing }\n",
        ),
        ("domain_policy", "<kernel> /x\nallow_capability CAP_SYS_TIME\n"),
    ]);
    let said = check(directory.path());
    let findings = said.findings(directory.path());
    assert!(
        findings[0]
            .starts_with("profile:3:3: no such item in this category; file has execute, open, create,"),
        "{findings:?}"
    );
    assert!(
        findings[1].starts_with("domain_policy:2:18: no such capability; the names are inet_tcp_create,"),
        "{findings:?}"
    );
    assert_eq!((said.status, findings.len()), (1, 2));
}

#[test]
fn what_is_missing_is_called_by_its_name() {
    let text =
        "<kernel> /x\nallow_ioctl /dev/tty\nallow_chown /tmp/x\nallow_chgrp /tmp/x\nallow_chmod /tmp/x\n";
    let directory = directory(&[("domain_policy", text)]);
    let findings = check(directory.path()).findings(directory.path());
    let missing =
        ["the command is missing", "the uid is missing", "the gid is missing", "the mode is missing"];
    assert_eq!(findings.len(), 2 * missing.len());
    for (finding, missing) in findings.iter().step_by(2).zip(missing) {
        assert!(finding.contains(&format!(": {missing}; write a number")), "{finding}");
    }
}
