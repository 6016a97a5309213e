// SPDX-License-Identifier: MIT OR Apache-2.0
//! Warnings, of one line (more of them in `tests/corpus/policy/warning.case` and `never.case`) and of a whole policy.

extern crate std;

use super::{line, whole, Warning};
use crate::edit::{Cursor, Edit, EditError};
use crate::name::Name;
use crate::pattern::matches_word;
use crate::policy::Policy;
use crate::transaction::PolicyFile;
use std::vec::Vec;

fn of(file: PolicyFile, text: &str) -> Vec<(u32, Warning)> {
    let mut found = Vec::new();
    if let Err(error) = line(file, text.as_bytes(), &mut |column, warning| found.push((column, warning))) {
        panic!("{text}: {error}");
    }
    found
}

fn of_acl(text: &str) -> Vec<(u32, Warning)> {
    of(PolicyFile::Domain, text)
}

fn of_directive(text: &str) -> Vec<(u32, Warning)> {
    of(PolicyFile::Exception, text)
}

/// What is odd about the wildcards of a word.
fn wild(word: &str) -> Vec<Warning> {
    let odd = of_acl(&std::format!("allow_chmod {word} 0600")).into_iter().map(|(_, warning)| warning);
    odd.filter(|warning| matches!(warning, Warning::MissingComponent | Warning::SubtractionAfterPrefix))
        .collect()
}

fn matches(name: &str, word: &str) -> bool {
    matches_word(Name::new(name.as_bytes()).unwrap(), word.as_bytes())
}

#[test]
fn names_one_level_above() {
    for (odd, above) in [
        (r"/etc/\*/\*", "/etc/a"),
        (r"/etc/\*/\@", "/etc/a"),
        (r"/etc/\*/\*\@\*", "/etc/a"),
        (r"/\*/a/\*", "/b/a"),
        (r"/a\$/b/\*", "/a1/b"),
        (r"/\{\*\}/a/\*", "/b/b/a"),
        (r"a\*/\*", "ab"),
    ] {
        assert!(matches(above, odd), "{odd}");
        assert_eq!(wild(odd), [Warning::MissingComponent], "{odd}");
    }
    for (good, above) in [
        (r"/etc/\*", "/etc"),
        (r"/etc/a/\*", "/etc/a"),
        (r"/etc/\*/", "/etc/"),
        (r"/etc/\*/\*/", "/etc/a/"),
        (r"/etc/\*/\?\*", "/etc/a"),
        (r"/etc/\*/\*\-a", "/etc/a"),
        (r"/etc/\*/a\*", "/etc/a"),
        (r"/etc/\{\*\}/\*", "/etc/a"),
        (r"/\*//\*", "/a"),
        (r"\*", "/"),
        (r"/etc/\*/\\*", "/etc/a"),
        (r"/etc/\\/\*", r"/etc/\\"),
    ] {
        assert!(!matches(above, good), "{good}");
        assert_eq!(wild(good), [], "{good}");
    }
}

#[test]
fn subtraction_from_the_remainder() {
    for odd in [r"/etc/s\*\-shadow", r"/tmp/file\*\-b", r"/a\-b/c", r"pipe:\*\-[1]", r"/a\\\*\-b"] {
        assert_eq!(wild(odd), [Warning::SubtractionAfterPrefix], "{odd}");
    }
    for good in [
        r"/etc/\*\-shadow",
        r"/\*/s\*\-shadow",
        r"/a\*/b\-c",
        r"/etc/\{a\*\-b\}/",
        r"/etc/s\*/\*\-x",
        r"/a\\-b\*",
        r"\-a",
    ] {
        assert_eq!(wild(good), [], "{good}");
    }
    assert_eq!(
        of_acl(r"allow_rename /a\-b/\* /tmp/\*/\*"),
        [
            (14, Warning::SubtractionAfterPrefix),
            (14, Warning::MissingComponent),
            (23, Warning::MissingComponent)
        ]
    );
}

#[test]
fn wildcards_where_they_never_match() {
    assert_eq!(of_acl(r"allow_execute /bin/\*/\*"), [(15, Warning::WildcardInExecute)]);
    assert_eq!(of_acl(r"allow_transit //a\*\-b"), [(15, Warning::WildcardInTransit)]);
    assert_eq!(of_acl(r"5 /bin/\*/\*"), [(3, Warning::WildcardInExecute), (3, Warning::MissingComponent)]);
    for good in ["allow_execute /bin/sh", "allow_execute @A", r"allow_read /bin/\*", r"4 /bin/\*"] {
        assert_eq!(of_acl(good), [], "{good}");
    }
    // The bit of execute means something else in other classes.
    assert_eq!(of_acl(r"allow_rename /a\* /b\*"), []);
}

#[test]
fn empty_ranges() {
    assert_eq!(of_acl("allow_create /a 0644-0600"), [(17, Warning::EmptyRange)]);
    assert_eq!(of_acl("allow_create /a 0600-0644"), []);
    assert_eq!(of_acl("allow_mkchar @G 5-4 3-3 2-1"), [(17, Warning::EmptyRange), (25, Warning::EmptyRange)]);
    assert_eq!(
        of_acl("allow_network TCP connect 2.0.0.0-1.0.0.0 9-8"),
        [(27, Warning::EmptyRange), (43, Warning::EmptyRange)]
    );
    assert_eq!(of_acl("allow_mount /a /b/ ext3 @F"), []);
    assert_eq!(
        of_acl("allow_mount /a /b/ ext\\*\\-ext4 0x2-1"),
        [(20, Warning::SubtractionAfterPrefix), (32, Warning::EmptyRange)]
    );
}

#[test]
fn conditions() {
    assert_eq!(of_acl("execute_handler /a if task.uid=0"), [(20, Warning::ConditionOnHandler)]);
    assert_eq!(
        of_acl("denied_execute_handler /a ; set task.state[0]=1"),
        [(27, Warning::ConditionOnHandler)]
    );
    assert_eq!(of_acl("execute_handler /a"), []);
    assert_eq!(
        of_acl("allow_read /a if  task.uid=5-3 5-3!=task.gid ; set task.state[0]=1"),
        [(28, Warning::EmptyRange), (32, Warning::EmptyRange)]
    );
    assert_eq!(
        of_acl(r#"allow_execute /a if exec.realpath="/b/\*/\*" exec.envp["A\*\-B"]!=NULL"#),
        [(35, Warning::MissingComponent), (46, Warning::SubtractionAfterPrefix)]
    );
    assert_eq!(of_acl("allow_signal 15 <kernel> /if /a if 2-1=task.uid"), [(36, Warning::EmptyRange)]);
    assert_eq!(of_acl("allow_capability SYS_TIME if task.uid=2-1"), [(39, Warning::EmptyRange)]);
    assert_eq!(of_acl("allow_env A\\*\\-B if task.uid=0"), [(11, Warning::SubtractionAfterPrefix)]);
}

#[test]
fn a_test_is_compared_with_those_before_it() {
    let gids = |count: usize| {
        (0..count).map(|number| std::format!(" task.gid!={number}")).collect::<std::string::String>()
    };
    let line = |between: usize| std::format!("allow_read /a if task.uid=0{} task.uid=1", gids(between));
    let odd: Vec<Warning> = of_acl(&line(30)).into_iter().map(|(_, warning)| warning).collect();
    assert_eq!(odd, [Warning::NeverTrue]);
    // However many there are, it does not take long.
    assert_eq!(of_acl(&line(1000)).len(), 1);
}

#[test]
fn directives() {
    assert_eq!(of_directive(r"allow_read /a/\*/\*"), [(12, Warning::MissingComponent)]);
    assert_eq!(of_directive(r"path_group  A /a/\*/\*"), [(15, Warning::MissingComponent)]);
    assert_eq!(of_directive(r"aggregator /a\*\-b /c"), [(12, Warning::SubtractionAfterPrefix)]);
    assert_eq!(of_directive("address_group A 1.2.3.5-1.2.3.4"), [(17, Warning::EmptyRange)]);
    for good in [
        "address_group A 1.2.3.4",
        "number_group A 1-2",
        "deny_autobind 1",
        r"path_group \* /a",
        "keep_domain <kernel>",
    ] {
        assert_eq!(of_directive(good), [], "{good}");
    }
}

/// A policy with these lines, active if it can be.
fn policy(domains: &str, exceptions: &str) -> Policy {
    let mut edit = Policy::new().and_then(|policy| policy.edit()).unwrap();
    let mut cursor = Cursor::default();
    let mut accept = |edit: &mut Edit, file, line: &str| {
        let done: Result<(), EditError> = match file {
            PolicyFile::Domain => edit.domain_policy_line(&mut cursor, line.as_bytes()),
            PolicyFile::Exception => edit.exception_policy_line(line.as_bytes()),
            _ => edit.profile_line(line.as_bytes()),
        };
        assert!(done.is_ok(), "{line}");
    };
    for line in ["PROFILE_VERSION=20090903", "0-CONFIG=enforcing", "0-CONFIG::file::open=enforcing"] {
        accept(&mut edit, PolicyFile::Profile, line);
    }
    exceptions.lines().for_each(|line| accept(&mut edit, PolicyFile::Exception, line));
    domains.lines().for_each(|line| accept(&mut edit, PolicyFile::Domain, line));
    assert!(edit.activate().is_ok());
    edit.commit()
}

fn beside(policy: &Policy, file: PolicyFile, text: &str) -> Vec<(u32, Warning)> {
    let mut found = Vec::new();
    whole(policy, file, text.as_bytes(), &mut |column, warning| found.push((column, warning))).unwrap();
    found
}

#[test]
fn groups_that_are_not_there() {
    let exceptions = "path_group P /a\npath_group DIRS /a/\npath_group WILD /\\*\nnumber_group N 1\naddress_group A 1.2.3.4";
    // A use makes a group, but no member.
    let policy = policy("<kernel>\nallow_read @USED\nallow_create /a @USED", exceptions);
    let domain = |text| beside(&policy, PolicyFile::Domain, text);
    let empty = |column| std::vec![(column, Warning::EmptyGroup)];
    for (text, column) in [
        ("allow_read @NONE", 12),
        ("allow_read @USED", 12),
        ("  allow_read   @N", 16),
        ("allow_rename /a @NONE", 17),
        ("allow_create /a @P", 17),
        ("allow_mkchar /a 0600 @USED 1", 22),
        ("allow_mount any /a/ ext3 @NONE", 26),
        ("allow_mount any /a/ @NONE 0x0", 21),
        ("allow_network TCP bind @N 80", 24),
        ("allow_network TCP bind 1.2.3.4 @A", 32),
        ("allow_read /a if path1.uid=@NONE", 18),
        ("allow_read /a if task.gid=0 task.pid=@NONE", 29),
        ("allow_symlink /a if symlink.target=@N", 21),
        ("allow_signal 9 <kernel> /if if path1.uid=@NONE", 0),
    ] {
        let expected = if column == 0 {
            std::vec![(16, Warning::NoSuchDomain), (32, Warning::EmptyGroup)]
        } else {
            empty(column)
        };
        assert_eq!(domain(text), expected, "{text}");
    }
    for good in [
        "allow_read @P",
        "allow_create @P @N",
        "allow_network TCP bind @A @N",
        "allow_read /a if task.uid=@NONE task.fsgid!=@NONE",
        "allow_read /a if path1.uid=@N",
        "allow_symlink /a if symlink.target=@P",
        "allow_rmdir @DIRS",
        "allow_read @WILD",
        "allow_execute @P",
        "allow_chmod @DIRS 0755",
        "allow_env @NONE",
        "delete allow_read @NONE",
        "select allow_execute",
        "# allow_read @NONE",
        "no line",
        "allow_read /caf\u{e9} @NONE",
        "",
    ] {
        assert_eq!(domain(good), [], "{good}");
    }
    for (text, column) in [
        ("allow_read @DIRS", 12),
        ("allow_rmdir @P", 13),
        ("allow_execute @WILD", 15),
        ("allow_execute @DIRS", 15),
        ("allow_create @DIRS 0600", 14),
        ("allow_mkdir @WILD 0755", 13),
    ] {
        assert_eq!(domain(text), [(column, Warning::NoMemberMatches)], "{text}");
    }
}

#[test]
fn domains_that_no_execve_leads_to() {
    let exceptions = "initialize_domain /sshd\nno_initialize_domain /sshd from /test\nkeep_domain /sh\n\
                      aggregator /tmp/\\? /tmp/x";
    let names = "<kernel>\n<kernel> /test\n<kernel> /sh\n<kernel> /init";
    let policy = policy(names, exceptions);
    let domain = |text| beside(&policy, PolicyFile::Domain, text);
    for (text, column) in [
        ("<kernel> /init /sshd", 16),
        ("<kernel>  /init  /sshd", 18),
        ("<kernel> /sh /ls", 14),
        ("<kernel> /init /tmp/a", 16),
    ] {
        assert_eq!(domain(text), [(column, Warning::UnreachableDomain)], "{text}");
    }
    for good in [
        "<kernel>",
        "<kernel> /sshd",
        "<kernel> /test /sshd",
        "<kernel> /sh /sshd",
        "<kernel> /init /tmp/x",
        "<kernel> /sh //app=x",
        "<kernel> /nobody /sshd",
    ] {
        let expected: &[(u32, Warning)] =
            if good == "<kernel> /sh /sshd" { &[(14, Warning::UnreachableDomain)] } else { &[] };
        assert_eq!(domain(good), expected, "{good}");
    }
    assert_eq!(domain("allow_execute /tmp/a"), [(15, Warning::Aggregated)]);
    assert_eq!(domain("1 /tmp/a"), [(3, Warning::Aggregated)]);
    for good in
        ["allow_execute /tmp/x", "allow_execute /bin/a", "allow_read /tmp/a", r"allow_execute /tmp/\?"]
    {
        assert_eq!(domain(good), [], "{good}");
    }
    assert_eq!(domain("allow_signal 9 <kernel> /ini"), [(16, Warning::NoSuchDomain)]);
    assert_eq!(domain("allow_signal 9 <kernel> /init"), []);
    assert_eq!(domain("allow_signal 9 <kernel>"), []);
    // Before activation all stay in <kernel>, which says nothing.
    let open = Policy::new().unwrap();
    assert_eq!(beside(&open, PolicyFile::Domain, "<kernel> /a"), []);
}

#[test]
fn rules_without_effect() {
    let policy = policy(
        "<kernel>\n<kernel> /a\n<kernel> /a /b",
        "no_initialize_domain /x\nno_initialize_domain /y from /b\nno_initialize_domain /z from <kernel> /a\n\
         no_keep_domain /a\nno_keep_domain /x from /b\ninitialize_domain /w\ninitialize_domain /v from <kernel> /a /b\n\
         keep_domain <kernel> /a /b\naggregator /tmp/\\? /tmp/x",
    );
    let exception = |text| beside(&policy, PolicyFile::Exception, text);
    for cancelled in [
        "initialize_domain /x",
        "initialize_domain /x from /b",
        "initialize_domain /x from <kernel> /a",
        "initialize_domain /y from /b",
        "initialize_domain /y from <kernel> /a /b",
        "initialize_domain /z from <kernel> /a",
        "keep_domain /a",
        "keep_domain <kernel> /a",
        "keep_domain /x from /a",
        "keep_domain /x from <kernel> /a /b",
    ] {
        assert_eq!(exception(cancelled), [(1, Warning::CancelledRule)], "{cancelled}");
    }
    for good in [
        "initialize_domain /y",
        "initialize_domain /y from /a",
        "initialize_domain /z from /a",
        "initialize_domain /q",
        "keep_domain /b",
        "keep_domain /q from /b",
        "no_initialize_domain /w",
        "no_initialize_domain /w from /a",
        "no_initialize_domain /w from <kernel> /a",
        "no_initialize_domain /v",
        "no_initialize_domain /v from /b",
        "no_initialize_domain /v from <kernel> /a /b",
        "no_keep_domain /b",
        "no_keep_domain /x from /b",
        "no_keep_domain /x from <kernel> /a /b",
        "allow_env A",
        "path_group P @NONE",
        "delete no_initialize_domain /q",
        "no line",
    ] {
        assert_eq!(exception(good), [], "{good}");
    }
    for useless in [
        "no_initialize_domain /x",
        "no_initialize_domain /v from /a",
        "no_initialize_domain /v from <kernel> /a",
        "no_keep_domain /a",
        "no_keep_domain <kernel> /a",
    ] {
        assert_eq!(exception(useless), [(1, Warning::NothingToCancel)], "{useless}");
    }
    assert_eq!(exception("initialize_domain /q from <kernel> /none"), [(27, Warning::NoSuchDomain)]);
    assert_eq!(exception("keep_domain <kernel> /none"), []);
    assert_eq!(exception("initialize_domain /tmp/a"), [(19, Warning::Aggregated)]);
    assert_eq!(exception("keep_domain /tmp/a from /b"), [(13, Warning::Aggregated)]);
    // A policy that has learned nothing yet.
    let new = self::policy("<kernel>", "");
    assert_eq!(beside(&new, PolicyFile::Exception, "initialize_domain /q from <kernel> /none"), []);
}

#[test]
fn what_protects_nothing() {
    let some = policy("<kernel>", "deny_rewrite /var/log/\\*");
    let none = policy("<kernel>", "");
    for (text, with, without) in [
        ("allow_rewrite /var/log/a", false, true),
        ("allow_rewrite /var/a", true, true),
        (r"allow_rewrite /var/\*", false, true),
        ("allow_write /var/a", false, false),
    ] {
        let odd = |is: bool| if is { std::vec![(15, Warning::NothingProtected)] } else { Vec::new() };
        assert_eq!(beside(&some, PolicyFile::Domain, text), odd(with), "{text}");
        assert_eq!(beside(&none, PolicyFile::Domain, text), odd(without), "{text}");
    }
}

#[test]
fn log_flags_of_what_has_no_setting() {
    let policy = policy("<kernel>", "");
    for (text, odd) in [
        ("0-CONFIG::file::unlink={ grant_log=no }", true),
        ("0-CONFIG::network={ reject_log=no }", true),
        ("0-CONFIG::file::open={ grant_log=no }", false),
        ("0-CONFIG::file::unlink={ mode=learning grant_log=no }", false),
        ("0-CONFIG={ grant_log=no }", false),
        ("0-CONFIG::file::unlink=use_default", false),
        ("7-CONFIG::file::unlink={ grant_log=no }", false),
        ("0-COMMENT=grant_log=no", false),
        ("no line", false),
    ] {
        let expected = if odd { std::vec![(1, Warning::LogFlagsAlone)] } else { Vec::new() };
        assert_eq!(beside(&policy, PolicyFile::Profile, text), expected, "{text}");
        assert_eq!(beside(&policy, PolicyFile::Manager, text), []);
    }
}

#[test]
fn lines_that_are_not_accepted_have_no_warnings() {
    for (file, text) in [
        (PolicyFile::Domain, "allow_raed /a"),
        (PolicyFile::Domain, "allow_read /caf\u{e9}"),
        (PolicyFile::Exception, "allow_write /a"),
        (PolicyFile::Profile, "1-KONFIG=learning"),
        (PolicyFile::Profile, "PREFERENCE::audit={ penalty=1 }"),
        (PolicyFile::Profile, "1-PREFERENCE::enforcing={ penalty= }"),
        (PolicyFile::Manager, "a"),
    ] {
        let mut count = 0;
        assert!(line(file, text.as_bytes(), &mut |_, _| count += 1).is_err(), "{text}");
        assert_eq!(count, 0, "{text}");
    }
}
