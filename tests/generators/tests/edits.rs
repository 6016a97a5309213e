// SPDX-License-Identifier: MIT OR Apache-2.0
//! Properties of edits over generated ACL lines: how lines are grouped into transactions does not matter, and deleting
//! everything that was added gives all memory back.

use generators::acl::{acl, Words};
use generators::choices::Choices;
use generators::target::{print, reads_back};
use sekisho_core::policy::{Cursor, Policy};

const SEEDS: u64 = 60;

/// Lines of `<kernel>`.
fn lines(choices: &mut Choices<'_>) -> Vec<String> {
    let mut words = Words::new(choices);
    (0..choices.below(30) + 1).map(|_| acl(choices, &mut words)).collect()
}

/// A policy with the lines that are accepted, and which those are; `step` lines in one transaction.
fn written(lines: &[String], step: usize) -> (Policy, Vec<String>) {
    let mut policy = Policy::new().expect("memory");
    let mut cursor = Cursor::default();
    let mut accepted = Vec::new();
    for lines in lines.chunks(step) {
        let mut edit = policy.edit().expect("memory");
        edit.domain_policy_line(&mut cursor, b"<kernel>").expect("a domain");
        for line in lines {
            if edit.domain_policy_line(&mut cursor, line.as_bytes()).is_ok() {
                accepted.push(line.clone());
            }
        }
        policy = edit.commit();
    }
    (policy, accepted)
}

/// If all lines were refused, everything below would hold.
#[test]
fn most_lines_are_accepted() {
    let (mut made, mut accepted) = (0, 0);
    for seed in 0..SEEDS {
        let lines = lines(&mut Choices::seeded(seed));
        made += lines.len();
        accepted += written(&lines, lines.len()).1.len();
    }
    assert!(accepted * 4 >= made * 3, "{accepted} of {made}");
}

#[test]
fn one_transaction_is_as_good_as_many() {
    for seed in 0..SEEDS {
        let lines = lines(&mut Choices::seeded(seed));
        let (at_once, _) = written(&lines, lines.len());
        let (one_by_one, _) = written(&lines, 1);
        let [first, second] = [&at_once, &one_by_one].map(|policy| print(policy, b'd').expect("memory"));
        assert_eq!(first[..], second[..], "seed {seed}");
        reads_back(&at_once).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    }
}

#[test]
fn deleting_everything_gives_all_memory_back() {
    for seed in 0..SEEDS {
        let lines = lines(&mut Choices::seeded(seed));
        let (empty, _) = written(&[], 1);
        let (policy, accepted) = written(&lines, 7);
        let mut edit = policy.edit().expect("memory");
        let mut cursor = Cursor::default();
        edit.domain_policy_line(&mut cursor, b"<kernel>").expect("a domain");
        for line in &accepted {
            let delete = format!("delete {line}");
            edit.domain_policy_line(&mut cursor, delete.as_bytes()).expect("a line");
        }
        edit.collect(u32::MAX).expect("memory");
        let left = edit.commit();
        let text = print(&left, b'd').expect("memory");
        assert_eq!(left.memory(), empty.memory(), "seed {seed}: {}", String::from_utf8_lossy(&text));
    }
}
