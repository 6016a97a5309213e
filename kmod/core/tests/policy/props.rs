// SPDX-License-Identifier: MIT OR Apache-2.0
//! Properties of the policy language that hold for every input.

use crate::support::{check_reading_back, write, File};
use proptest::prelude::*;
use sekisho_core::acl::AclLine;
use sekisho_core::mem::Vec as Text;
use sekisho_core::policy::{Cursor, Policy};
use sekisho_core::rehearsal::Rehearsal;

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        "(/(a|b|\\\\040|\\\\\\*|\\\\\\$|x\\\\\\+y)){1,2}(/|/\\\\\\{c\\\\\\}/|/\\\\\\{c\\\\\\}/d)?",
        "@[GH]",
        "/[ab]",
        "/[ab]",
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof!["[1-9][0-9]{0,2}", "0[0-7]{1,3}", "0x[0-9a-f]{1,2}", "[1-5]-0?[1-7]", "@[MN]"]
}

fn test() -> impl Strategy<Value = String> {
    let field = "task\\.(uid|euid|gid|fsgid|pid|state\\[[012]\\]|type)";
    (field, "!?=", prop_oneof!["task\\.(uid|gid)", "execute_handler", number()])
        .prop_map(|(left, op, right)| format!("{left}{op}{right}"))
}

fn condition() -> impl Strategy<Value = String> {
    proptest::collection::vec(test(), 0..3).prop_map(|tests| match tests.len() {
        0 => String::new(),
        _ => format!(" if {}", tests.join(" ")),
    })
}

fn acl() -> impl Strategy<Value = String> {
    let one = ("allow_(read|write|read/write|execute|unlink|rmdir|truncate)", path())
        .prop_map(|(keyword, path)| format!("{keyword} {path}"));
    let two = (path(), path()).prop_map(|(from, to)| format!("allow_rename {from} {to}"));
    let with_number = ("allow_(create|mkdir)", path(), number())
        .prop_map(|(keyword, path, number)| format!("{keyword} {path} {number}"));
    (prop_oneof![one, two, with_number], condition()).prop_map(|(acl, condition)| acl + &condition)
}

fn domain() -> impl Strategy<Value = String> {
    "<kernel>( /[ab]){0,2}"
}

fn domain_line() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => domain(),
        10 => ("(delete )?", acl()).prop_map(|(delete, acl)| delete + &acl),
        1 => "(delete )?(quota_exceeded|transition_failed)",
        1 => "use_profile [0-9]{1,2}",
        1 => domain().prop_map(|domain| format!("select {domain}")),
        1 => domain().prop_map(|domain| format!("delete {domain}")),
    ]
}

fn other_line() -> impl Strategy<Value = (File, String)> {
    let from = prop_oneof![domain(), "/[ab]"];
    prop_oneof![
        ("(delete )?(no_)?initialize_domain /[ab]( from /[ab])?")
            .prop_map(|line: String| (File::Exception, line)),
        ("(delete )?(no_)?keep_domain (/[ab] from )?", from)
            .prop_map(|(head, from)| (File::Exception, format!("{head}{from}"))),
        ("(delete )?path_group [GH] ", path())
            .prop_map(|(head, path)| (File::Exception, format!("{head}{path}"))),
        ("(delete )?number_group [MN] ", number())
            .prop_map(|(head, number)| (File::Exception, format!("{head}{number}"))),
        "[0-9]-CONFIG(::file(::(open|execute|rename))?)?=\\{ mode=(disabled|learning|enforcing) (grant_log=no)? \\}"
            .prop_map(|line: String| (File::Profile, line)),
        "[0-9]-(COMMENT=[a-z =]{0,8}|CONFIG::file=use_default)"
            .prop_map(|line: String| (File::Profile, line)),
        ("(delete )?", prop_oneof![domain(), "/[ab]"])
            .prop_map(|(delete, manager)| (File::Manager, delete + &manager)),
    ]
}

fn line() -> impl Strategy<Value = (File, String)> {
    prop_oneof![3 => domain_line().prop_map(|line| (File::Domain, line)), 1 => other_line()]
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(lines in proptest::collection::vec((line(), any::<bool>()), 0..60)) {
        let mut policy = Policy::new().expect("memory");
        let mut cursor = Cursor::default();
        let mut edit = policy.edit().expect("memory");
        for ((file, line), commit) in &lines {
            // Lines without a current domain and reversed ranges in groups are rejected; that is part of the game.
            let _ = write(&mut edit, &mut cursor, *file, line);
            if *commit {
                edit.collect(u32::MAX).expect("memory");
                policy = edit.commit();
                edit = policy.edit().expect("memory");
            }
        }
        edit.collect(u32::MAX).expect("memory");
        let policy = edit.commit();
        prop_assert!(!policy.has_garbage());
        check_reading_back(&policy, "generated");
    }

    #[test]
    fn a_good_line_is_what_it_prints(line in acl()) {
        let parsed = AclLine::parse(line.as_bytes()).expect("a good line");
        let mut text = Text::new();
        parsed.print(&mut text).expect("memory");
        let again = AclLine::parse(&text).expect("what was printed");
        let mut second = Text::new();
        again.print(&mut second).expect("memory");
        prop_assert_eq!(&text[..], &second[..]);
    }

    #[test]
    fn no_line_does_harm(
        lines in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                "(delete |select )?(<kernel>|allow_[a-z/]{3,10}|use_profile|path_group|number_group|keep_domain|[0-9]-CONFIG)[ =/\\\\@{}0-9a-z]{0,30}( if [a-z.=!0-9@]{0,20})?"
                    .prop_map(String::into_bytes),
            ],
            0..30,
        )
    ) {
        let mut edit = Policy::new().expect("memory").edit().expect("memory");
        let mut cursor = Cursor::default();
        for line in &lines {
            let results = [
                edit.domain_policy_line(&mut cursor, line),
                edit.exception_policy_line(line),
                edit.profile_line(line),
                edit.manager_line(line),
            ];
            for error in results.into_iter().filter_map(Result::err) {
                if let sekisho_core::edit::EditError::Parse(error) = error {
                    prop_assert!(error.column as usize <= line.len() + 1 && error.column > 0);
                    prop_assert!(!error.reason.message().is_empty());
                }
            }
        }
        check_reading_back(&edit.commit(), "generated");
    }

    #[test]
    fn every_command_has_an_answer(
        commands in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                (
                    "domain |exception |begin|end|activate|collect|print |warn domain\t|rewrite |pattern |autobind |\
                     (request|decide|set|learn|record|manage|next) (<kernel>|unknown|<kernel> /a)\t",
                    "((uid|path1|path2.parent|argv|envp|realpath|target|state0|x)=[a-z0-9:,=/]{0,9} ){0,2}",
                    "(note |nodev )?(<kernel>|allow_[a-z]{3,10}|allow_network TCP connect|/)[ /\\\\0-9a-z.]{0,30}",
                )
                    .prop_map(|(verb, facts, request)| format!("{verb}{facts}{request}").into_bytes()),
            ],
            0..30,
        )
    ) {
        let mut rehearsal = Rehearsal::new().expect("memory");
        for command in &commands {
            let mut answer = Text::new();
            rehearsal.command(command, &mut answer).expect("memory");
            prop_assert_eq!(answer.last(), Some(&b'\n'));
        }
    }
}
