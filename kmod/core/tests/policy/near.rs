// SPDX-License-Identifier: MIT OR Apache-2.0
//! Properties of policies and of requests that nearly match them.
//!
//! A random name matches no random word. So a word is made of parts, each with something of a name that it matches: beside
//! every word there is a name that it matches, and requests are about such names, bent in one place. Numbers, addresses and
//! facts are likewise at the ends of what a line says. A [`Plan`] is data, so that what fails becomes small. The seeded
//! generators (`tests/generators`) are quicker and see more; these see several domains, profiles and edits, and shrink.

mod plan;
mod word;

use self::plan::{activated, plan, Plan, PROGRAMS};
use crate::support::{check_reading_back, question, write, File};
use crate::wire;
use generators::compare::{lists, transition};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sekisho_core::engine::{decide, Decision};
use sekisho_core::oracle;
use sekisho_core::policy::{Cursor, Policy};

/// The answers of engine and oracle, and whether the engine's is right.
fn answers(policy: &Policy, domain: &str, line: &str) -> (Decision, Decision, bool) {
    let question = question(line);
    let (facts, request) = (question.given.facts(), question.request);
    let id = policy.find_domain(domain.as_bytes()).expect("the domain");
    let decision = decide(policy, id, &facts, &request);
    let is_right = oracle::confirms(policy, id, &facts, &request, &decision);
    (decision, oracle::decide(policy, id, &facts, &request), is_right)
}

fn same_as_oracle(plan: &Plan, policy: &Policy) -> Result<(), TestCaseError> {
    for (domain, line, program) in plan.requests() {
        let (engine, oracle, is_right) = answers(policy, domain, &line);
        prop_assert!(is_right, "in {}: {}: engine {:?}, oracle {:?}", domain, line, engine, oracle);
        prop_assert_eq!(transition(policy, domain, program), Ok(()));
    }
    for (port, name) in plan.list_requests() {
        prop_assert_eq!(lists(policy, port, &name), Ok(()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn engine_and_oracle_agree(plan in plan(24, 0)) {
        same_as_oracle(&plan, &plan.policy())?;
    }

    #[test]
    fn an_image_is_the_policy(plan in plan(8, 0)) {
        let policy = plan.policy();
        check_reading_back(&policy, "generated");
        wire::check(&policy, "generated");
        let image = sekisho_core::wire::compile(&policy).expect("memory");
        let loaded = activated(wire::loaded(&image, "generated"));
        same_as_oracle(&plan, &loaded)?;
        for (domain, line, _) in plan.requests() {
            // Any of several entries may be named.
            let decision = |policy: &Policy| Decision { entry: None, ..answers(policy, domain, &line).0 };
            let (before, after) = (decision(&policy), decision(&loaded));
            prop_assert!(before == after, "in {}: {}: {:?}, loaded {:?}", domain, line, before, after);
        }
    }

    #[test]
    fn what_is_added_and_deleted_leaves_nothing(plan in plan(4, 24), reverse in any::<bool>()) {
        let mut policy = plan.policy();
        let figures = |policy: &Policy| {
            let quotas: Vec<u32> = policy.domains().map(|(_, domain)| domain.acl_count()).collect();
            (policy.memory(), quotas)
        };
        let before = (figures(&policy), File::ALL.map(|file| file.print(&policy)));
        let mut edit = policy.edit().expect("memory");
        let mut cursor = Cursor::default();
        let mut added = Vec::new();
        for (file, domain, line, commit) in plan.later() {
            write(&mut edit, &mut cursor, File::Domain, &domain).expect("a domain");
            if write(&mut edit, &mut cursor, file, &line).is_ok() {
                added.push((file, domain, line, commit));
            }
            if commit {
                policy = edit.commit();
                edit = policy.edit().expect("memory");
            }
        }
        // What was added decides as the oracle says, and what is left.
        policy = edit.commit();
        same_as_oracle(&plan, &policy)?;
        edit = policy.edit().expect("memory");
        if reverse {
            added.reverse();
        }
        for (file, domain, line, commit) in added {
            write(&mut edit, &mut cursor, File::Domain, &domain).expect("a domain");
            write(&mut edit, &mut cursor, file, &format!("delete {line}")).expect("what was accepted");
            if commit {
                policy = edit.commit();
                edit = policy.edit().expect("memory");
            }
        }
        for program in PROGRAMS {
            let line = format!("delete <kernel> /new {program}");
            write(&mut edit, &mut cursor, File::Domain, &line).expect("a domain");
        }
        edit.collect(u32::MAX).expect("memory");
        policy = edit.commit();
        prop_assert_eq!(&before.1, &File::ALL.map(|file| file.print(&policy)));
        same_as_oracle(&plan, &policy)?;
        prop_assert!(!policy.has_garbage());
        prop_assert_eq!(before.0, figures(&policy));
    }
}

/// If few requests were granted, or nearly all, the properties would say little.
#[test]
fn the_requests_are_near() {
    let mut runner = TestRunner::deterministic();
    let strategy = plan(24, 0);
    let (mut done, mut granted) = (0, 0);
    for _ in 0..60 {
        let plan = strategy.new_tree(&mut runner).expect("a plan").current();
        let policy = plan.policy();
        for (domain, line, _) in plan.requests() {
            granted += u32::from(answers(&policy, domain, &line).0.granted);
            done += 1;
        }
    }
    assert!(granted > done / 5 && granted < done * 4 / 5, "{granted} of {done} requests were granted");
}
