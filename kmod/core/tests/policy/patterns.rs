// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decisions about words with wildcards that are hard to tell apart.

use crate::support::{load, question, File};
use sekisho_core::engine::decide;
use sekisho_core::facts::Facts;
use sekisho_core::policy::{DomainId, Policy};
use sekisho_core::task::Task;

fn policy(exceptions: &str, domain: &str) -> Policy {
    let mut edit = load(&[
        (File::Profile, "PROFILE_VERSION=20090903\n0-CONFIG={ mode=enforcing }\n"),
        (File::Exception, exceptions),
        (File::Domain, &format!("<kernel>\n{domain}")),
    ])
    .edit()
    .expect("memory");
    edit.activate().expect("complete");
    edit.commit()
}

#[track_caller]
fn check(policy: &Policy, request: &str, granted: bool) {
    let task = Task::default();
    let decision = decide(policy, DomainId::ROOT, &Facts::new(&task), &question(request).request);
    assert_eq!(decision.granted, granted, "{request}");
}

#[test]
fn members_of_a_group_that_share_four_components() {
    let members: String =
        (0..40).map(|number| format!("path_group G /srv/\\*/a\\*/\\*b/c/d{number}/\\*\n")).collect();
    let other = "path_group OTHER /srv/\\*/a\\*/\\*b/c/d77/\\*\n";
    let policy = policy(&(members + other), "allow_read @G\nallow_rename /a @G\nallow_unlink @OTHER\n");
    for number in 0..40 {
        check(&policy, &format!("allow_read /srv/x/a1/1b/c/d{number}/x"), true);
        check(&policy, &format!("allow_rename /a /srv/x/a1/1b/c/d{number}/x"), true);
    }
    for name in
        ["/srv/x/a1/1b/c/d40/x", "/srv/x/a1/1b/c/d77/x", "/srv/x/a1/b1/c/d1/x", "/srv/x/a1/1b/c/d1/x/y"]
    {
        check(&policy, &format!("allow_read {name}"), false);
        check(&policy, &format!("allow_rename /a {name}"), false);
    }
    check(&policy, "allow_unlink /srv/x/a1/1b/c/d77/x", true);
    check(&policy, "allow_unlink /srv/x/a1/1b/c/d7/x", false);
}

#[test]
fn many_inner_parts() {
    let lines: String = (0..64).map(|number| format!("allow_read /srv/\\*<{number}>\\*\n")).collect();
    let policy = policy("", &lines);
    for number in 0..64 {
        check(&policy, &format!("allow_read /srv/<{number}>"), true);
        check(&policy, &format!("allow_read /srv/<x><<{number}>"), true);
        check(&policy, &format!("allow_read /srv/<{number}\\040>"), false);
        check(&policy, &format!("allow_read /srv/<{}>", number + 64), false);
    }
}

/// What no entry grants costs a look at those that match in all but the condition; each is tried, also behind many others.
#[test]
fn many_entries_that_match_but_for_their_condition() {
    let lines: String = (0..200)
        .map(|number| {
            format!("allow_read /srv/\\{{\\*\\}}/\\*{} if task.uid={number}\n", ["x", "\\*x"][number % 2])
        })
        .collect();
    let with = policy("", &(lines + "allow_read /srv/\\{\\*\\}/x if task.uid=0 task.gid=0\n"));
    let task = Task { uid: 199, ..Task::default() };
    for (name, granted) in [("/srv/a/b/c/xx", true), ("/srv/a/b/c/xy", false), ("/srv/xx", false)] {
        let line = format!("allow_read {name}");
        let decision = decide(&with, DomainId::ROOT, &Facts::new(&task), &question(&line).request);
        assert_eq!(decision.granted, granted, "{name}");
    }
    let task = Task { uid: 200, ..Task::default() };
    let question = question("allow_read /srv/a/b/c/xx");
    assert!(!decide(&with, DomainId::ROOT, &Facts::new(&task), &question.request).granted);
}
