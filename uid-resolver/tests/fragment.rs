// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a fragment may say, and everything that it may not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its tools too")]

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sekisho_uid_resolver::fragment::{Fragment, FragmentReason as Reason};
use sekisho_uid_resolver::package::PackageName;

fn package(name: &str) -> PackageName {
    PackageName::new(name.as_bytes()).unwrap()
}

fn parse(text: &str) -> Result<Fragment, Reason> {
    Fragment::parse(&package("com.app"), text.as_bytes()).map_err(|error| error.reason)
}

/// One rule with the usual condition, below a declaration.
fn rule(acl: &str) -> Result<Fragment, Reason> {
    parse(&format!("number_group G\n{acl} if task.uid=@G\n"))
}

#[test]
fn the_mail_s_example() {
    let text = "number_group PACKAGE1_DATA_READERS\n\
                allow_read /data/data/com.app/\\* if task.uid=@PACKAGE1_DATA_READERS\n";
    let fragment = parse(text).unwrap();
    assert_eq!(fragment.groups()[0].as_str(), "PACKAGE1_DATA_READERS");
    assert_eq!(fragment.rules(), ["allow_read /data/data/com.app/\\* if task.uid=@PACKAGE1_DATA_READERS"]);
    assert_eq!(fragment.text(), text);
}

#[test]
fn good_rules_are_printed_in_normal_form() {
    for acl in [
        "allow_read /data/data/com.app/a",
        "allow_write /data/user/0/com.app/a",
        "allow_read/write /data/user_de/10/com.app/\\*.db",
        "allow_unlink /data/data/com.app/\\{\\*\\}/\\$",
        "allow_rmdir /data/data/com.app/d/",
        "allow_truncate /data/data/com.app/a\\040b",
        "allow_create /data/data/com.app/a 0600",
        "allow_mkdir /data/data/com.app/d/ 0700-0770",
        "allow_rename /data/data/com.app/a /data/data/com.app/b",
        "allow_read /data/data/com.app/..a/.b/c..",
    ] {
        let fragment = rule(acl).unwrap_or_else(|reason| panic!("{acl}: {reason}"));
        assert_eq!(fragment.rules(), [format!("{acl} if task.uid=@G")]);
        assert_eq!(parse(&fragment.text()), Ok(fragment));
    }
    let text = "\n  allow_create   /data/data/com.app/a 000600   if task.state[0]=0x1  task.uid=@G  \nnumber_group  G";
    let rules = ["allow_create /data/data/com.app/a 0600 if task.state[0]=0x1 task.uid=@G"];
    assert_eq!(parse(text).unwrap().rules(), rules);
    // A comment says nothing, but it has no other bytes than the rest.
    let commented =
        "# reads\nnumber_group G\n  #number_group H\nallow_read /data/data/com.app/a if task.uid=@G\n#";
    assert_eq!(parse(commented).unwrap().rules(), ["allow_read /data/data/com.app/a if task.uid=@G"]);
    assert_eq!(parse("number_group G\n# caf\u{e9}"), Err(Reason::BadByte(0xC3)));
    // The same rule twice is one rule.
    let twice = "allow_read /data/data/com.app/a if task.uid=@G\n".repeat(2);
    assert_eq!(parse(&format!("number_group G\n{twice}")).unwrap().rules().len(), 1);
}

#[test]
fn paths_of_others() {
    for path in [
        "/data/data/com.other/a",
        "/data/data/com.application/a",
        "/data/data/com.app",
        "/data/data/com.ap\\?/a",
        "/data/data/\\*/a",
        "/data/\\{\\*\\}/com.app/a",
        "/data/user/\\+/com.app/a",
        "/data/user/00/com.app/a",
        "/data/user//com.app/a",
        "/data/user/123456/com.app/a",
        "/data/user/x/com.app/a",
        "/data/data//com.app/a",
        "/data/data/./com.app/a",
        "/data/misc/com.app/a",
        "/system/com.app/a",
        "data/data/com.app/a",
        "pipe:[1]",
        "/data/data/com\\056app/a",
    ] {
        let refused = rule(&format!("allow_read {path}"));
        assert!(
            matches!(refused, Err(Reason::ForeignPath(..) | Reason::BadEscape(_) | Reason::Syntax { .. })),
            "{path}: {refused:?}"
        );
    }
    // Both words of a rename.
    let refused = rule("allow_rename /data/data/com.app/a /data/data/com.other/a");
    assert!(matches!(refused, Err(Reason::ForeignPath(..))), "{refused:?}");
}

#[test]
fn components() {
    for path in ["../com.other/a", "./a", "a/../b", "a/.", "a/..", "/a", "a//b", "a//"] {
        let refused = rule(&format!("allow_read /data/data/com.app/{path}"));
        assert!(matches!(refused, Err(Reason::BadComponent(_))), "{path}: {refused:?}");
    }
    for escape in ["\\057", "\\056", "\\056\\056/x", "\\012"] {
        let refused = rule(&format!("allow_read /data/data/com.app/a{escape}"));
        assert!(
            matches!(refused, Err(Reason::BadEscape(_) | Reason::Syntax { .. })),
            "{escape}: {refused:?}"
        );
    }
    assert!(rule("allow_read /data/data/com.app/a\\\\012").is_ok(), "a backslash and digits");
}

#[test]
fn groups_as_arguments() {
    assert!(matches!(rule("allow_read @WEB"), Err(Reason::PathGroup(_))));
    assert!(matches!(rule("allow_create /data/data/com.app/a @G"), Err(Reason::NumberGroup(_))));
}

#[test]
fn conditions() {
    let with = |condition: &str| {
        parse(&format!("number_group G\nnumber_group H\nallow_read /data/data/com.app/h if task.uid=@H\nallow_read /data/data/com.app/a {condition}\nallow_read /data/data/com.app/b if task.uid=@G\n"))
    };
    assert!(with("if task.uid=@G").is_ok());
    assert!(with("if task.state[0]=1 task.uid=@H task.pid!=1").is_ok());
    assert!(with("if task.uid=@G task.type=execute_handler").is_ok());
    assert_eq!(with(""), Err(Reason::NoUidTest));
    // It is told before what is wrong with the path: such a line would be for everybody.
    assert_eq!(parse("number_group G\nallow_read /etc/passwd\n"), Err(Reason::NoUidTest));
    assert_eq!(with("if task.pid=1"), Err(Reason::NoUidTest));
    assert_eq!(with("if task.uid=@OTHER"), Err(Reason::UndeclaredGroup("OTHER".into())));
    assert_eq!(with("if task.uid=@G task.uid=@H"), Err(Reason::SecondUidTest));
    for test in [
        "task.uid!=@G",
        "task.uid=0",
        "task.uid!=0",
        "task.uid=0-99999",
        "task.euid=@G",
        "task.suid=0",
        "task.fsuid=@OTHER",
        "task.gid=0",
        "task.egid=1",
        "task.sgid!=1",
        "task.fsgid=@G",
        "0=task.uid",
        "1=@G",
        "task.pid=@G",
        "task.uid=task.gid",
        "task.pid=task.uid",
    ] {
        assert_eq!(with(&format!("if task.uid=@G {test}")), Err(Reason::CredentialTest), "{test}");
        assert!(with(&format!("if {test}")).is_err(), "{test}");
    }
    for test in
        ["if", "if if", "unless task.uid=@G", "if task.uid>@G", "if task.uid=@G ; set task.state[0]=1"]
    {
        assert!(matches!(with(test), Err(Reason::Syntax { .. })), "{test}");
    }
}

#[test]
fn lines_that_are_not_an_app_s() {
    let line = |line: &str| {
        parse(&format!("number_group G\nallow_read /data/data/com.app/a if task.uid=@G\n{line}\n"))
    };
    for device in [
        "<kernel>",
        "<kernel> /system/bin/app_process",
        "<kernel>x",
        "select pid=1",
        "select <kernel>",
        "delete allow_read /data/data/com.app/a if task.uid=@G",
        "use_profile 0",
        "initialize_domain /x",
        "no_initialize_domain /x",
        "keep_domain /x",
        "no_keep_domain /x",
        "path_group G /x",
        "aggregator /a /b",
        "quota_exceeded",
        "transition_failed",
        "address_group A 10.0.0.1",
        "file_pattern /a\\*",
    ] {
        assert!(matches!(line(device), Err(Reason::NotForFragments(_))), "{device}");
        assert!(matches!(line(&format!("  {device}")), Err(Reason::NotForFragments(_))), "{device}");
    }
    assert!(matches!(line("number_group H 10000"), Err(Reason::Member(_))));
    assert!(matches!(line("number_group G 10000"), Err(Reason::Member(_))));
    assert!(matches!(line("number_group G"), Err(Reason::DeclaredTwice(_))));
    assert!(matches!(line("number_group"), Err(Reason::BadGroupName(_))));
    assert!(matches!(line("number_group @H"), Err(Reason::BadGroupName(_))));
    assert!(matches!(line("number_group H\\*"), Err(Reason::BadGroupName(_))));
    assert!(matches!(line("number_group H"), Err(Reason::UnusedGroup(_))));
    assert_eq!(rule("allow_execute /data/data/com.app/a"), Err(Reason::Execute));
    // More than the kernel's matcher takes.
    let long = format!("allow_read /data/data/com.app/{} if task.uid=@G", "\\+".repeat(450));
    assert!(line(&long).is_ok(), "450 elements are taken");
    let long = format!("allow_read /data/data/com.app/\\*{} if task.uid=@G", "a".repeat(600));
    assert!(matches!(line(&long), Err(Reason::Syntax { .. })));
    for unknown in [
        "allow_fly /data/data/com.app/a",
        "6 /data/data/com.app/a",
        "allow_read",
        "if",
        "allow_mount /a /b c 0",
        "allow_env PATH",
        "ALLOW_READ /data/data/com.app/a",
        "allow_network TCP bind 0 0",
    ] {
        assert!(matches!(line(unknown), Err(Reason::Syntax { .. })), "{unknown}");
    }
}

#[test]
fn bytes_and_sizes() {
    for byte in [0u8, b'\r', b'\t', 0x0b, 0x1b, 0x7f, 0x80, 0xa0, 0xff] {
        let mut text = b"number_group G\nallow_read /data/data/com.app/a if task.uid=@G ".to_vec();
        text.push(byte);
        let refused = Fragment::parse(&package("com.app"), &text).map_err(|error| (error.line, error.reason));
        assert_eq!(refused, Err((2, Reason::BadByte(byte))));
    }
    assert_eq!(parse(""), Err(Reason::NoGroup));
    assert_eq!(parse("\n\n"), Err(Reason::NoGroup));
    assert!(matches!(
        parse("allow_read /data/data/com.app/a if task.uid=@G"),
        Err(Reason::UndeclaredGroup(_))
    ));
    let one = "allow_read /data/data/com.app/a if task.uid=@G\n";
    assert!(parse(&format!("number_group G\n{one}{}", "\n".repeat(254))).is_ok());
    assert_eq!(parse(&format!("number_group G\n{one}{}", "\n".repeat(255))), Err(Reason::TooManyLines));
    let long = |count: usize| {
        format!("number_group G\n{one}allow_read /data/data/com.app/{} if task.uid=@G\n", "a".repeat(count))
    };
    assert!(parse(&long(MAX_NAME)).is_ok());
    assert_eq!(parse(&long(MAX_NAME + 1)), Err(Reason::LineTooLong));
    let kib = format!("{}\n", " ".repeat(1023));
    assert_eq!(parse(&kib.repeat(17)), Err(Reason::TooLarge));
    // Exactly 16 KiB, without the last line's end and with it, and one byte more.
    let mut full = format!("{}number_group G\n{one}", kib.repeat(15));
    full.push_str(&" ".repeat((16 << 10) - full.len()));
    assert!(parse(&full).is_ok() && parse(&format!("{full}\n")).is_ok(), "{:?}", parse(&full));
    assert_eq!(parse(&format!("{full} ")), Err(Reason::TooLarge));
    assert_eq!(parse(&format!("{full}\n\n")), Err(Reason::TooLarge));
    let groups = |count: u32| {
        let both = |number| {
            format!("number_group G{number}\nallow_read /data/data/com.app/a if task.uid=@G{number}\n")
        };
        parse(&(0..count).map(both).collect::<String>()).map(|fragment| fragment.groups().len())
    };
    assert_eq!(groups(16), Ok(16));
    assert_eq!(groups(17), Err(Reason::TooManyGroups));
}

/// Longest file name in the directory that fits into a line of 1024 bytes.
const MAX_NAME: usize = 1024 - "allow_read /data/data/com.app/ if task.uid=@G".len();

proptest! {
    #[test]
    fn random_bytes_never_panic(text in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Fragment::parse(&package("com.app"), &text);
    }
}

/// Whatever is accepted is normal form, is accepted again unchanged, and has no path outside. Half of the paths are made of
/// what a path may have, so that there is something to accept.
#[test]
fn accepted_is_stable() {
    let tail = prop_oneof!["[a-z.]{1,4}(/[a-z.\\\\0-9*$]{1,6}){0,3}/?", "[ -~]{0,60}"];
    let group = prop_oneof![9 => "[A-Z]{1,8}", 1 => "[ -~]{0,8}"];
    let accepted = std::cell::Cell::new(0);
    let mut runner = TestRunner::deterministic();
    let result = runner.run(&(tail, group), |(tail, group)| {
        let text =
            format!("number_group {group}\nallow_read /data/data/com.app/{tail} if task.uid=@{group}\n");
        if let Ok(fragment) = parse(&text) {
            accepted.set(accepted.get() + 1);
            prop_assert_eq!(parse(&fragment.text()), Ok(fragment.clone()));
            prop_assert_eq!(fragment.rules().len(), 1);
            for rule in fragment.rules() {
                prop_assert!(rule.starts_with("allow_read /data/data/com.app/"));
                prop_assert!(!rule.contains("/../") && !rule.contains("//") && !rule.contains("/./"));
            }
        }
        Ok(())
    });
    result.unwrap();
    assert!(accepted.get() >= 20, "{}", accepted.get());
}
