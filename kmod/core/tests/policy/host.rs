// SPDX-License-Identifier: MIT OR Apache-2.0
//! What programs on the host show of the core's types, settings without a request, and what a reader has selected.

use crate::support::{load, question, write, File};
use proptest::prelude::*;
use sekisho_core::domain::DomainId;
use sekisho_core::edit::{ActivateError, EditError};
use sekisho_core::engine::{config, decide, Mode};
use sekisho_core::facts::Facts;
use sekisho_core::item::Item;
use sekisho_core::learn::Learned;
use sekisho_core::mem::{OutOfMemory, Vec as Text};
use sekisho_core::policy::{Cursor, Policy};
use sekisho_core::select::Select;
use sekisho_core::task::Task;
use sekisho_core::text::{ParseError, Reason, Words};

const PROFILE: &str = "PROFILE_VERSION=20090903\n0-CONFIG={ mode=enforcing grant_log=no reject_log=yes }\n\
                       0-CONFIG::file::open={ mode=learning grant_log=yes reject_log=no }\n";

fn active(domains: &str) -> Policy {
    let mut edit = load(&[(File::Profile, PROFILE), (File::Domain, domains)]).edit().expect("memory");
    edit.activate().expect("complete");
    edit.commit()
}

#[test]
fn errors_say_where_and_what() {
    let line = ParseError { column: 7, reason: Reason::NoEquals };
    let text = "column 7: a profile line has the form KEY=VALUE";
    assert_eq!(line.to_string(), text);
    assert_eq!(format!("{line:?}"), text);
    assert_eq!(format!("{:?}", Reason::NoEquals), Reason::NoEquals.to_string());
    let parse = EditError::Parse(line);
    assert_eq!(parse.to_string(), text);
    assert_eq!(format!("{parse:?}"), text);
    assert_eq!(OutOfMemory.to_string(), "out of memory");
    assert_eq!(EditError::OutOfMemory.to_string(), "out of memory");
    assert_eq!(
        EditError::Quota.to_string(),
        "the policy would be larger than its memory quota; raise the quota or delete lines"
    );
    let missing = ActivateError::UndefinedProfile { domain: DomainId::ROOT, profile: 9 };
    assert_eq!(missing.to_string(), format!("{} (profile 9)", missing.message()));
    assert_eq!(format!("{missing:?}"), missing.to_string());
    assert_eq!(format!("{:?}", ActivateError::NoVersion), ActivateError::NoVersion.message());
}

#[test]
fn only_what_is_not_granted_in_learning_mode_is_learned() {
    let policy = active("<kernel>\nallow_read /known\n");
    let task = Task::default();
    let facts = Facts::new(&task);
    for (request, granted, mode, learns, allows) in [
        ("allow_read /known", true, Mode::Learning, false, true),
        ("allow_read /new", false, Mode::Learning, true, true),
        ("allow_unlink /new", false, Mode::Enforcing, false, false),
    ] {
        let decision = decide(&policy, DomainId::ROOT, &facts, &question(request).request);
        assert_eq!((decision.granted, decision.mode), (granted, mode), "{request}");
        assert_eq!((decision.learns(), decision.allows()), (learns, allows), "{request}");
    }
}

#[test]
fn answers_are_readable() {
    let modes = [Mode::Disabled, Mode::Learning, Mode::Permissive, Mode::Enforcing];
    assert_eq!(format!("{modes:?}"), "[disabled, learning, permissive, enforcing]");
    let learned = [Learned::Added, Learned::Already, Learned::QuotaExceeded, Learned::Skipped];
    assert_eq!(format!("{learned:?}"), "[Added, Already, QuotaExceeded, Skipped]");
    assert_eq!(format!("{:?}", DomainId::ROOT), "DomainId(0#0)");
    let task = Task::default();
    let decision =
        decide(&active(""), DomainId::ROOT, &Facts::new(&task), &question("allow_unlink /a").request);
    assert_eq!(
        format!("{decision:?}"),
        "Decision { mode: enforcing, granted: false, log: true, profile: 0, set: [None, None, None], entry: None }"
    );
}

#[test]
fn the_setting_of_an_item_without_a_request() {
    let setting = |policy: &Policy, domain, item| {
        let config = config(policy, domain, item);
        (config.mode, config.grant_log, config.reject_log)
    };
    let inactive = load(&[(File::Profile, PROFILE)]);
    let unknown = DomainId::from_bits(77);
    assert_eq!(setting(&inactive, DomainId::ROOT, Item::Unlink), (Mode::Disabled, false, false));
    assert_eq!(setting(&inactive, unknown, Item::Unlink), (Mode::Disabled, false, false));
    let policy = active("");
    assert_eq!(setting(&policy, DomainId::ROOT, Item::Unlink), (Mode::Enforcing, false, true));
    assert_eq!(setting(&policy, DomainId::ROOT, Item::Open), (Mode::Learning, true, false));
    assert_eq!(setting(&policy, unknown, Item::Open), (Mode::Enforcing, true, true));
}

#[test]
fn a_reader_sees_what_was_selected() {
    let text = "<kernel>\nallow_execute /bin/sh\nallow_read/write /a\n<kernel> /x\nallow_create /b 0600\n\
                allow_execute /bin/ls\nexecute_handler /h\ntransition_failed\n";
    let policy = active(text);
    let print = |id, transitions_only| {
        let mut text = Text::new();
        policy.print_selected(id, transitions_only, &mut text).expect("memory");
        String::from_utf8(text.to_vec()).expect("ASCII")
    };
    let x = policy.find_domain(b"<kernel> /x").expect("the domain");
    let root = "<kernel>\nuse_profile 0\n\nallow_execute /bin/sh\n\n";
    let transitions =
        "<kernel> /x\nuse_profile 0\ntransition_failed\n\nallow_execute /bin/ls\nexecute_handler /h\n\n";
    assert_eq!(print(DomainId::ROOT, true), root);
    assert_eq!(print(x, true), transitions);
    assert!(print(x, false).contains("\nallow_create /b 0600\n"));
    assert_eq!(print(DomainId::from_bits(77), false), "");
    let mut all = Text::new();
    policy.print_transitions(&mut all).expect("memory");
    assert_eq!(String::from_utf8_lossy(&all), format!("{root}{transitions}"));

    policy.domain(x).expect("the domain").attach();
    let mut edit = policy.edit().expect("memory");
    write(&mut edit, &mut Cursor::default(), File::Domain, "delete <kernel> /x").expect("good");
    let policy = edit.commit();
    let mut deleted = Text::new();
    policy.print_selected(x, true, &mut deleted).expect("memory");
    assert_eq!(String::from_utf8_lossy(&deleted), format!("# This is a deleted domain.\n{transitions}"));
    let mut all = Text::new();
    policy.print_transitions(&mut all).expect("memory");
    assert_eq!(String::from_utf8_lossy(&all), root);
}

#[test]
fn forms_of_select() {
    let parse = |text: &'static str| Select::parse(Words::new(text.as_bytes()));
    assert!(parse("<kernel> /x") == Ok(Select::Domain(b"<kernel> /x")));
    assert!(parse("domain=<kernel> /x") == Ok(Select::Domain(b"<kernel> /x")));
    assert!(parse("pid=12") == Ok(Select::Pid(12)));
    assert!(parse("global-pid=4294967295") == Ok(Select::GlobalPid(u32::MAX)));
    assert!(parse("allow_execute") == Ok(Select::Transitions));
    for (text, column, reason) in [
        ("", 1, Reason::SelectWithoutDomain),
        ("allow_execute /a", 1, Reason::SelectWithoutDomain),
        ("domain=", 8, Reason::BadDomainName),
        ("domain=/x", 8, Reason::BadDomainName),
        ("pid=", 1, Reason::BadPid),
        ("pid=-1", 1, Reason::BadPid),
        ("global-pid=4294967296", 1, Reason::BadPid),
        ("pid=1 2", 7, Reason::SurplusWord),
    ] {
        let Err(error) = parse(text) else { panic!("{text}") };
        assert_eq!((error.column, error.reason.message()), (column, reason.message()), "{text}");
    }
}

proptest! {
    /// What learning appends prints behind everything that stood there, in the order learned.
    #[test]
    fn learned_lines_come_last_in_their_order(
        before in proptest::collection::btree_set(0_u16..200, 0..40),
        learned in proptest::collection::vec(200_u16..400, 0..40),
        edits in any::<u64>(),
    ) {
        let mut text = String::from("<kernel>\n");
        for number in &before {
            text += &format!("allow_read /f/{number}\n");
        }
        let mut policy = active(&text);
        let mut expected = File::Domain.print(&policy).trim_end().to_owned();
        let mut seen = std::collections::BTreeSet::new();
        let task = Task::default();
        let mut edit = policy.edit().expect("memory");
        for (place, number) in learned.iter().enumerate() {
            let path = format!("/f/{number}");
            let got = edit.learn(DomainId::ROOT, &Facts::new(&task), &question(&format!("allow_read {path}")).request);
            let new = seen.insert(*number);
            prop_assert_eq!(got, Ok(if new { Learned::Added } else { Learned::Already }));
            if new {
                expected += if expected.ends_with("use_profile 0") { "\n\n" } else { "\n" };
                expected += &format!("allow_read {path}");
            }
            if edits >> (place & 63) & 1 == 1 {
                policy = edit.commit();
                edit = policy.edit().expect("memory");
            }
        }
        let printed = File::Domain.print(&edit.commit());
        prop_assert_eq!(printed.trim_end(), expected);
    }
}
