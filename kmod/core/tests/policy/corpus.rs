// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs `tests/corpus/policy/*.case` (their format: `tests/corpus/README.md`).
//!
//! Each case runs twice: with one edit for a section, and with one edit for a line. Both must give the same.

use std::fs;
use std::path::Path;

use crate::support::{parse_request, parse_task, write, File};
use sekisho_core::domain::DomainId;
use sekisho_core::edit::EditError;
use sekisho_core::engine::decide;
use sekisho_core::facts::Facts;
use sekisho_core::learn::Learned;
use sekisho_core::mem::Vec as Text;
use sekisho_core::name::Name;
use sekisho_core::oracle;
use sekisho_core::policy::{Cursor, Policy};
use sekisho_core::transition::next_domain;

/// How many lines share an edit.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Style {
    Section,
    Line,
}

struct Case<'a> {
    place: String,
    /// Head, number of the head's line, body.
    sections: Vec<(&'a str, usize, Vec<&'a str>)>,
}

fn cases<'a>(file: &str, text: &'a str) -> Vec<Case<'a>> {
    let mut cases: Vec<Case<'a>> = Vec::new();
    for (number, line) in (1..).zip(text.split('\n')) {
        if let Some(title) = line.strip_prefix("=== ") {
            cases.push(Case { place: format!("{file}:{number}: {title}"), sections: Vec::new() });
        } else if let Some(case) = cases.last_mut() {
            if let Some(head) = line.strip_prefix("--- ") {
                case.sections.push((head, number, Vec::new()));
            } else if let Some((_, _, body)) = case.sections.last_mut() {
                body.push(line);
            } else {
                assert!(line.is_empty(), "{file}:{number}: text before the first section");
            }
        } else {
            assert!(line.is_empty() || line.starts_with('#'), "{file}:{number}: text before the first case");
        }
    }
    cases
}

fn find(policy: &Policy, domain: &str) -> DomainId {
    if domain == "unknown" {
        return DomainId::from_bits(u64::MAX);
    }
    policy.find_domain(domain.as_bytes()).unwrap_or_else(|| panic!("no domain {domain}"))
}

/// Runs a case and returns the policy that it ends with.
fn run(case: &Case<'_>, style: Style) -> Policy {
    let mut policy = Policy::new().expect("memory");
    let mut cursor = Cursor::default();
    for (head, number, body) in &case.sections {
        let place = format!("{} (line {number}, an edit a {style:?})", case.place);
        let (kind, rest) = head.split_once(' ').unwrap_or((head, ""));
        let lines = || body.iter().filter(|line| !line.trim().is_empty());
        match kind {
            "domain" | "exception" | "profile" | "manager" => {
                let mut edit = policy.edit().expect("memory");
                for line in body {
                    write(&mut edit, &mut cursor, File::parse(kind), line)
                        .unwrap_or_else(|error| panic!("{place}: {line}: {error}"));
                    if style == Style::Line {
                        policy = edit.commit();
                        edit = policy.edit().expect("memory");
                    }
                }
                policy = edit.commit();
            }
            "reject" => {
                let mut edit = policy.edit().expect("memory");
                let mut wrong = Vec::new();
                for line in lines() {
                    let (expected, line) = line.split_once(" | ").unwrap_or_else(|| panic!("{place}: no |"));
                    let (column, reason) = expected.split_once(' ').expect("column");
                    let error = match write(&mut edit, &mut cursor, File::parse(rest), line) {
                        Ok(()) => panic!("{place}: accepted: {line}"),
                        Err(error @ (EditError::OutOfMemory | EditError::Quota)) => {
                            panic!("{place}: {error}")
                        }
                        Err(EditError::Parse(error)) => error,
                    };
                    if error.column.to_string() != column
                        || !error.reason.message().starts_with(reason.trim())
                    {
                        wrong.push(format!("{line}: {error}"));
                    }
                }
                assert!(wrong.is_empty(), "{place}:\n{}", wrong.join("\n"));
                policy = edit.commit();
            }
            "activate" => {
                let mut edit = policy.edit().expect("memory");
                edit.activate().unwrap_or_else(|error| panic!("{place}: {error}"));
                policy = edit.commit();
            }
            "collect" => {
                let mut edit = policy.edit().expect("memory");
                edit.collect().expect("memory");
                policy = edit.commit();
                assert!(!policy.has_garbage(), "{place}");
            }
            "request" | "decide" => {
                let id = find(&policy, rest);
                for line in lines() {
                    let mut words = line.split_whitespace().collect::<Vec<_>>();
                    let request_at = if kind == "request" { 1 } else { 3 };
                    let request = words.split_off(request_at);
                    let (task, request) = parse_request(&request);
                    let decision = decide(&policy, id, &Facts::new(&task), &request);
                    let oracle = oracle::decide(&policy, id, &Facts::new(&task), &request);
                    assert_eq!(decision, oracle, "{place}: {line}: engine and oracle");
                    let granted = if decision.granted { "granted" } else { "missed" };
                    let log = if decision.log { "log" } else { "nolog" };
                    let answer = match kind {
                        "request" => granted.to_string(),
                        _ => format!("{} {granted} {log}", decision.mode),
                    };
                    assert_eq!(words.join(" "), answer, "{place}: {line}");
                }
            }
            "learn" => {
                let id = find(&policy, rest);
                for line in lines() {
                    let words = line.split_whitespace().collect::<Vec<_>>();
                    let (expected, request) = words.split_first().expect("result");
                    let (task, request) = parse_request(request);
                    let mut edit = policy.edit().expect("memory");
                    let answer = match edit.learn(id, &Facts::new(&task), &request).expect("memory") {
                        Learned::Added => "added",
                        Learned::Already => "already",
                        Learned::QuotaExceeded => "quota",
                        Learned::Skipped => "skipped",
                    };
                    assert_eq!(*expected, answer, "{place}: {line}");
                    policy = edit.commit();
                }
            }
            "next" => {
                let id = find(&policy, rest);
                for line in lines() {
                    let (program, expected) = line.split_once(" => ").expect("=>");
                    let next = next_domain(&policy, id, Name::new(program.as_bytes()).expect("name"));
                    let mut name = Text::new();
                    next.print(&mut name).expect("memory");
                    assert_eq!(String::from_utf8_lossy(&name), expected, "{place}: {line}");
                    assert_eq!(next.name_len(), expected.len(), "{place}: {line}");
                    assert_eq!(
                        next.find(&policy).expect("memory"),
                        policy.find_domain(expected.as_bytes()),
                        "{place}: {line}"
                    );
                    let mut edit = policy.edit().expect("memory");
                    let made = edit.create_domain(&next, 0).expect("memory");
                    let made = edit.policy().domain(made).expect("the new domain");
                    assert_eq!(made.name(), expected.as_bytes(), "{place}: {line}");
                }
            }
            "manage" => {
                let id = find(&policy, rest);
                for line in lines() {
                    let words = line.split_whitespace().collect::<Vec<_>>();
                    let (expected, words) = words.split_first().expect("result");
                    let (task, words) = parse_task(words);
                    let exe = words.first().and_then(|exe| Name::new(exe.as_bytes()));
                    let answer = if policy.is_manager(id, &task, exe) { "yes" } else { "no" };
                    assert_eq!(*expected, answer, "{place}: {line}");
                }
            }
            "print" => {
                let printed = File::parse(rest).print(&policy);
                assert_eq!(printed.trim_end(), body.join("\n").trim_end(), "{place}");
            }
            _ => panic!("{place}: unknown section"),
        }
    }
    crate::support::check_reading_back(&policy, &case.place);
    policy
}

/// Runs all cases and shows where each stands and the policy that it ends with.
pub fn for_each_policy(show: &mut dyn FnMut(&str, &Policy)) {
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"))
        .join("../../tests/corpus/policy");
    let mut count = 0_usize;
    for entry in fs::read_dir(folder).expect("the corpus") {
        let path = entry.expect("the corpus").path();
        if path.extension().and_then(std::ffi::OsStr::to_str) != Some("case") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a case file");
        for case in cases(&path.file_name().unwrap_or_default().to_string_lossy(), &text) {
            show(&case.place, &run(&case, Style::Section));
            show(&case.place, &run(&case, Style::Line));
            count = count.saturating_add(1);
        }
    }
    assert!(count >= 60, "only {count} cases found");
}

#[test]
fn corpus() {
    for_each_policy(&mut |_, _| {});
}
