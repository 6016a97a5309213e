// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hundreds of patterns with their literal in the middle, in one directory: the index has a filter for that, which random
//! policies are too small to reach. Then most of them are deleted, so that the list is made anew.

use sekisho_core::facts::Facts;
use sekisho_core::mem::Vec as Text;
use sekisho_core::name::Name;
use sekisho_core::policy::{Cursor, DomainId, Policy};
use sekisho_core::request::{PathOp, Request};
use sekisho_core::task::Task;
use sekisho_core::{engine, oracle};

const PATTERNS: u32 = 400;

fn check(policy: &Policy, is_there: impl Fn(u32) -> bool) {
    let task = Task::default();
    let facts = Facts::new(&task);
    for number in 0..PATTERNS + 20 {
        for name in [format!("/d/abk{number}qz"), format!("/d/k{number}q"), format!("/d/k{number}")] {
            let path = Name::new(name.as_bytes()).expect("a name");
            let request = Request::Path { op: PathOp::Read, path };
            let decision = engine::decide(policy, DomainId::ROOT, &facts, &request);
            assert!(oracle::confirms(policy, DomainId::ROOT, &facts, &request, &decision), "{name}");
            assert_eq!(decision.granted, name.contains('q') && is_there(number), "{name}");
        }
    }
}

#[test]
fn hundreds_of_patterns_in_one_directory() {
    let mut edit = Policy::new().expect("memory").edit().expect("memory");
    let mut cursor = Cursor::default();
    edit.profile_line(b"PROFILE_VERSION=20090903").expect("a line");
    edit.profile_line(b"0-CONFIG={ mode=enforcing }").expect("a line");
    edit.domain_policy_line(&mut cursor, b"<kernel>").expect("a line");
    for number in 0..PATTERNS {
        let line = format!("allow_read /d/\\*k{number}q\\*");
        edit.domain_policy_line(&mut cursor, line.as_bytes()).expect("a line");
    }
    edit.activate().expect("a complete policy");
    let policy = edit.commit();
    check(&policy, |number| number < PATTERNS);

    let mut edit = policy.edit().expect("memory");
    for number in 0..PATTERNS - 10 {
        let line = format!("delete allow_read /d/\\*k{number}q\\*");
        edit.domain_policy_line(&mut cursor, line.as_bytes()).expect("a line");
    }
    let policy = edit.commit();
    check(&policy, |number| (PATTERNS - 10..PATTERNS).contains(&number));
    let mut text = Text::new();
    policy.print_domain_policy(&mut text).expect("memory");
    assert_eq!(text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"allow")).count(), 10);
}
