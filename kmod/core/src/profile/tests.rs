// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of the profile file: reference 7.1 to 7.4, 7.6, 7.8, 7.9. Preferences have their own.

extern crate std;

use super::{Config, Mode, Profiles};
use crate::edit::EditError;
use crate::item::{Category, Item};
use crate::link::Node;
use crate::mem::Vec;
use crate::text::Reason;
use std::string::String;

fn profiles(lines: &[&str]) -> Profiles {
    let mut profiles = Profiles::new();
    for line in lines {
        assert!(profiles.line(line.as_bytes()).is_ok(), "{line}");
    }
    profiles
}

fn printed(profiles: &Profiles) -> String {
    let mut text = Vec::new();
    profiles.print(&mut text).unwrap();
    String::from_utf8(text.to_vec()).unwrap()
}

/// What is printed behind the five global lines.
fn own(profiles: &Profiles) -> String {
    let text = printed(profiles);
    let lines: std::vec::Vec<&str> = text.lines().skip(5).collect();
    lines.join("\n")
}

fn config(mode: Mode, grant_log: bool, reject_log: bool) -> Config {
    Config { mode, grant_log, reject_log }
}

#[test]
fn the_worked_examples() {
    let mut profiles = Profiles::new();
    let rows = [
        (
            "5-CONFIG={ mode=enforcing grant_log=no }",
            (Mode::Enforcing, false, true),
            (Mode::Enforcing, false, true),
        ),
        ("5-CONFIG::file={ mode=learning }", (Mode::Learning, true, true), (Mode::Learning, true, true)),
        ("5-CONFIG::file::open={ grant_log=no }", (Mode::Learning, true, true), (Mode::Learning, true, true)),
        (
            "5-CONFIG::file::open={ mode=permissive reject_log=no }",
            (Mode::Permissive, true, false),
            (Mode::Learning, true, true),
        ),
        ("5-CONFIG::file::open=use_default", (Mode::Learning, true, true), (Mode::Learning, true, true)),
        ("5-CONFIG::file={ enforcing disabled }", (Mode::Disabled, true, true), (Mode::Disabled, true, true)),
    ];
    for (line, open, unlink) in rows {
        assert!(profiles.line(line.as_bytes()).is_ok());
        let profile = profiles.get(5).unwrap();
        assert!(profile.config(Item::Open) == config(open.0, open.1, open.2), "{line}");
        assert!(profile.config(Item::Unlink) == config(unlink.0, unlink.1, unlink.2), "{line}");
        // Other categories follow the first line alone.
        assert!(profile.config(Item::Env) == config(Mode::Enforcing, false, true), "{line}");
    }
}

#[test]
fn every_item_and_category_can_be_set_alone() {
    for item in Item::all() {
        let name = String::from_utf8_lossy(item.name());
        let category = String::from_utf8_lossy(item.category().name());
        let line = std::format!("0-CONFIG::{category}::{name}={{ mode=enforcing grant_log=no }}");
        let changed = profiles(&[line.as_str()]);
        for other in Item::all() {
            let expected = if other == item { config(Mode::Enforcing, false, true) } else { Config::NEW };
            assert!(changed.get(0).unwrap().config(other) == expected, "{line}");
        }
        let expected = std::format!(
            "0-COMMENT=\n0-CONFIG={{ mode=disabled grant_log=yes reject_log=yes }}\n\
             0-CONFIG::{category}::{name}={{ mode=enforcing grant_log=no reject_log=yes }}"
        );
        assert_eq!(own(&changed), expected);
    }
    for category in Category::ALL {
        let name = String::from_utf8_lossy(category.name());
        let changed = profiles(&[std::format!("0-CONFIG::{name}=learning").as_str()]);
        for item in Item::all() {
            let mode = if item.category() == category { Mode::Learning } else { Mode::Disabled };
            assert!(changed.get(0).unwrap().config(item).mode == mode);
        }
    }
}

#[test]
fn printed_in_the_order_of_the_reference() {
    let text = "7-COMMENT=web servers\n\
        7-CONFIG={ mode=disabled grant_log=no reject_log=yes }\n\
        7-CONFIG::file::execute={ mode=enforcing grant_log=yes reject_log=yes }\n\
        7-CONFIG::file::umount={ mode=learning grant_log=yes reject_log=yes }\n\
        7-CONFIG::file::transit={ mode=learning grant_log=yes reject_log=yes }\n\
        7-CONFIG::network::inet_udp_bind={ mode=learning grant_log=yes reject_log=yes }\n\
        7-CONFIG::misc::env={ mode=learning grant_log=yes reject_log=yes }\n\
        7-CONFIG::ipc::signal={ mode=learning grant_log=yes reject_log=yes }\n\
        7-CONFIG::capability::conceal_mount={ mode=learning grant_log=yes reject_log=yes }\n\
        7-CONFIG::file={ mode=learning grant_log=yes reject_log=yes }\n\
        7-CONFIG::network={ mode=learning grant_log=yes reject_log=yes }\n\
        7-CONFIG::misc={ mode=learning grant_log=yes reject_log=yes }\n\
        7-CONFIG::ipc={ mode=learning grant_log=yes reject_log=yes }\n\
        7-CONFIG::capability={ mode=learning grant_log=yes reject_log=yes }\n\
        7-PREFERENCE::enforcing={ verbose=yes penalty=30 }";
    let lines: std::vec::Vec<String> = text.lines().map(|line| line.trim().into()).collect();
    let mut backwards: std::vec::Vec<String> = lines.clone();
    backwards.reverse();
    for (index, line) in backwards.iter_mut().enumerate() {
        *line = line.replace("::umount", if index % 2 == 0 { "::umount" } else { "::unmount" });
    }
    let backwards: std::vec::Vec<&str> = backwards.iter().map(String::as_str).collect();
    assert_eq!(own(&profiles(&backwards)), lines.join("\n"));
}

#[test]
fn what_is_printed_is_valid_input() {
    let first =
        profiles(&["PREFERENCE::audit={ max_grant_log=7 }", "255-CONFIG::file=permissive", "0-COMMENT= é"]);
    let text = printed(&first);
    let lines: std::vec::Vec<&str> = text.lines().collect();
    assert_eq!(printed(&profiles(&lines)), text);
}

#[test]
fn comments_keep_utf8() {
    let lines = ["1-COMMENT=Zürich  関所", "2-COMMENT= \u{e9}", "3-COMMENT=\u{e9}=\u{7f}x ", "4-COMMENT=   "];
    let text = own(&profiles(&lines));
    let comments: std::vec::Vec<&str> = text.lines().filter(|line| line.contains("COMMENT")).collect();
    assert_eq!(comments, ["1-COMMENT=Zürich 関所", "2-COMMENT= é", "3-COMMENT=é= x", "4-COMMENT="]);
}

#[test]
fn rejected_with_column_and_nothing_changes() {
    let mut tried = profiles(&["1-CONFIG=learning", "1-PREFERENCE::enforcing={ penalty=3 }"]);
    let before = (printed(&tried), tried.bytes());
    let cases: [(&str, u32, Reason); 23] = [
        ("1-CONFIG", 9, Reason::NoEquals),
        (" 1-CONFIG = enforcing", 10, Reason::NoEquals),
        ("CONFIG=enforcing", 1, Reason::UnknownProfileKey),
        ("PREFERENCE::query={ verbose=no }", 1, Reason::UnknownProfileKey),
        ("256-CONFIG=enforcing", 1, Reason::BadProfileNumber),
        ("-CONFIG=enforcing", 1, Reason::BadProfileNumber),
        ("0x1-CONFIG=enforcing", 1, Reason::BadProfileNumber),
        ("2-CONFIC=enforcing", 3, Reason::UnknownProfileKey),
        ("2-PREFERENCE::query={ verbose=no }", 3, Reason::UnknownProfileKey),
        ("2-CONFIG::=enforcing", 3, Reason::UnknownCategory),
        ("2-CONFIG::files=enforcing", 3, Reason::UnknownCategory),
        ("2-CONFIG::file:=enforcing", 3, Reason::UnknownItem),
        ("2-CONFIG::file::=enforcing", 3, Reason::UnknownItem),
        ("2-CONFIG::file::env=enforcing", 3, Reason::UnknownItem),
        ("2-CONFIG::capability::sys_time=enforcing", 3, Reason::UnknownItem),
        ("2-CONFIG={ mode = enforced }", 10, Reason::EmptyConfig),
        ("2-CONFIG::file={ grant_log = yes }", 16, Reason::EmptyConfig),
        ("1-CONFIG=use_default", 10, Reason::DefaultOfDefault),
        ("1-CONFIG={ mode=enforcing use_default }", 10, Reason::DefaultOfDefault),
        ("PREFERENCE::audit=use_default", 19, Reason::DefaultOfDefault),
        ("1-PREFERENCE::enforcing={ verbose=yes penalty=4294967296 }", 25, Reason::BadPreferenceNumber),
        ("PROFILE_VERSION=20090904", 17, Reason::BadProfileVersion),
        ("PROFILE_VERSION=", 17, Reason::BadProfileVersion),
    ];
    for (line, column, reason) in cases {
        let Err(EditError::Parse(error)) = tried.line(line.as_bytes()) else {
            panic!("accepted: {line}");
        };
        assert!(error.reason == reason, "{line}: {}", error.reason.message());
        assert_eq!(error.column, column, "{line}");
        assert_eq!((printed(&tried), tried.bytes()), before, "{line}");
    }
    assert!(tried.line(b"").is_ok() && tried.line(b" \t").is_ok());
    assert_eq!((printed(&tried), tried.bytes()), before);
    assert!(!tried.version_given());
    assert!(tried.line(b"PROFILE_VERSION=20090903").is_ok() && tried.version_given());
}

#[test]
fn a_shared_copy_does_not_see_later_lines() {
    let mut profiles = profiles(&["1-CONFIG=learning", "3-CONFIG=learning"]);
    let old = profiles.copy().unwrap();
    let before = printed(&old);
    for line in ["1-CONFIG=enforcing", "2-COMMENT=new", "PREFERENCE::audit={ max_grant_log=1 }"] {
        assert!(profiles.line(line.as_bytes()).is_ok());
    }
    assert_eq!(printed(&old), before);
    assert!(old.get(2).is_none() && profiles.get(2).is_some());
    assert!(profiles.get(1).unwrap().config(Item::Open).mode == Mode::Enforcing);
    // The profile that no line changed is the same in both.
    assert!(core::ptr::eq(old.get(3).unwrap(), profiles.get(3).unwrap()));
}

#[test]
fn memory_counts_lengths() {
    let short = profiles(&["1-COMMENT=x"]).bytes();
    assert_eq!(profiles(&["1-COMMENT=x         y z  "]).bytes(), short + 4);
    let two = profiles(&["1-COMMENT=x", "0-COMMENT="]).bytes();
    assert!(two > short && profiles(&["0-COMMENT=", "1-COMMENT=x"]).bytes() == two);
}
