// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs `tests/corpus/policy/*.case` (their format: `tests/corpus/README.md`).
//!
//! Each case runs twice: with one edit for a section, and with one edit for a line. Both must give the same.

use std::fs;
use std::path::Path;

use crate::facts::World;
use crate::support::{request, write, File};
use sekisho_core::acl::AclLine;
use sekisho_core::audit::{self, Header};
use sekisho_core::domain::DomainId;
use sekisho_core::edit::EditError;
use sekisho_core::engine::{decide, Decision};
use sekisho_core::learn::Learned;
use sekisho_core::mem::Vec as Text;
use sekisho_core::name::Name;
use sekisho_core::oracle;
use sekisho_core::policy::{Cursor, Policy};
use sekisho_core::text::{directive_warnings, profile_warnings, warnings};
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

/// Writes out `<<TEXT*N>>`, which is TEXT N times: nobody can count in a word of 4,000 bytes.
fn expand(text: &str) -> String {
    let mut parts = text.split("<<");
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (repeated, rest) = part.split_once(">>").unwrap_or_else(|| panic!("no >>: {part}"));
        let (unit, times) = repeated.rsplit_once('*').unwrap_or_else(|| panic!("no *: {repeated}"));
        all.push_str(&unit.repeat(times.parse().unwrap_or_else(|_| panic!("no number: {repeated}"))));
        all.push_str(rest);
    }
    all
}

fn find(policy: &Policy, domain: &str) -> DomainId {
    if domain == "unknown" {
        return DomainId::from_bits(u64::MAX);
    }
    policy.find_domain(domain.as_bytes()).unwrap_or_else(|| panic!("no domain {domain}"))
}

fn name(text: &str) -> Name<'_> {
    Name::new(text.as_bytes()).unwrap_or_else(|| panic!("no name: {text}"))
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.into()
}

/// What a policy answers to the lines of a section that changes nothing. `line` is without the answer.
fn answer(policy: &Policy, kind: &str, rest: &str, line: &str) -> String {
    let words = line.split_whitespace().collect::<Vec<_>>();
    match kind {
        "request" | "decide" | "set" => {
            let (world, words) = World::parse(&words);
            let decision = decision(policy, find(policy, rest), &world, words);
            let granted = if decision.granted { "granted" } else { "missed" };
            let log = if decision.log { "log" } else { "nolog" };
            match kind {
                "request" => granted.to_string(),
                "decide" => format!("{} {granted} {log}", decision.mode),
                _ => {
                    let set = decision.set.map(|value| value.map_or("-".into(), |value| value.to_string()));
                    format!("{granted} {}", set.join(","))
                }
            }
        }
        "manage" => {
            let (world, words) = World::parse(&words);
            let exe = words.first().map(|exe| name(exe));
            yes_or_no(policy.is_manager(find(policy, rest), &world.task, exe))
        }
        "rewrite" => {
            let denied = policy.is_rewrite_denied(name(line));
            assert_eq!(denied, oracle::is_rewrite_denied(policy, name(line)), "engine and oracle");
            yes_or_no(denied)
        }
        "autobind" => {
            let port = line.parse().expect("a port");
            let denied = policy.is_autobind_denied(port);
            assert_eq!(denied, oracle::is_autobind_denied(policy, port), "engine and oracle");
            yes_or_no(denied)
        }
        "aggregate" => {
            let aggregated = policy.aggregate(name(line));
            assert!(aggregated == oracle::aggregate(policy, name(line)), "engine and oracle");
            string(aggregated.as_bytes())
        }
        "pattern" => {
            let pattern = policy.file_pattern(name(line));
            assert_eq!(pattern, oracle::file_pattern(policy, name(line)), "engine and oracle");
            string(pattern)
        }
        _ => next(policy, find(policy, rest), name(line)),
    }
}

fn decision(policy: &Policy, domain: DomainId, world: &World<'_>, words: &[&str]) -> Decision {
    let request = request(words);
    let decision = decide(policy, domain, &world.facts(), &request);
    assert!(
        oracle::confirms(policy, domain, &world.facts(), &request, &decision),
        "engine {decision:?}, oracle {:?}",
        oracle::decide(policy, domain, &world.facts(), &request)
    );
    decision
}

/// Where executing `program` leads, found in all the ways there are.
fn next(policy: &Policy, domain: DomainId, program: Name<'_>) -> String {
    let next = next_domain(policy, domain, program);
    let mut name = Text::new();
    next.print(&mut name).expect("memory");
    let mut expected = Text::new();
    oracle::next_domain_name(policy, domain, program, &mut expected).expect("memory");
    assert_eq!(string(&name), string(&expected), "engine and oracle");
    assert_eq!(next.name_len(), name.len());
    if next.is_too_long() {
        assert!(!next.can_be_created() && next.find(policy).expect("memory").is_none());
        return "too long".into();
    }
    assert_eq!(next.find(policy).expect("memory"), policy.find_domain(&name));
    let mut edit = policy.edit().expect("memory");
    let made = edit.create_domain(&next, 0).expect("memory");
    assert_eq!(edit.policy().domain(made).expect("the new domain").name(), &name[..]);
    string(&name)
}

/// The record of a request or note, without the NUL at the end.
fn record(policy: &Policy, domain: &str, line: &str) -> String {
    let words = line.split_whitespace().collect::<Vec<_>>();
    let (world, words) = World::parse(&words);
    let id = find(policy, domain);
    let profile = policy.domain(id).expect("the domain").profile();
    let header = |mode| Header { timestamp: 1_300_000_000, global_pid: world.task.pid, mode, profile };
    let preferences = policy.preferences(profile);
    let mut text = Text::new();
    let done = match words.split_first() {
        Some((&"note", note)) => {
            let header = header(sekisho_core::profile::Mode::Disabled);
            let note = note.join(" ");
            audit::note(&mut text, &header, &preferences, &world.facts(), domain.as_bytes(), note.as_bytes())
        }
        _ => {
            let header = header(decision(policy, id, &world, words).mode);
            let request = request(words);
            audit::record(&mut text, &header, &preferences, &world.facts(), domain.as_bytes(), &request)
        }
    };
    done.unwrap_or_else(|error| panic!("{line}: {error:?}"));
    string(&text).strip_suffix('\0').expect("a NUL").into()
}

/// `COLUMN MESSAGE` of each warning about a line.
fn warned(file: File, line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |column: u32, warning: sekisho_core::text::Warning| {
        found.push(format!("{column} {}", warning.message()));
    };
    match file {
        File::Domain => {
            let parsed = AclLine::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
            warnings(&parsed, &mut add);
        }
        File::Exception => directive_warnings(line.as_bytes(), &mut add),
        File::Profile => profile_warnings(line.as_bytes(), &mut add),
        File::Manager => panic!("no warnings about managers"),
    }
    found
}

/// How many words at the beginning of a line of a section are the expected answer.
fn words_of_answer(kind: &str) -> usize {
    match kind {
        "decide" => 3,
        "set" => 2,
        _ => 1,
    }
}

/// Runs a case. Returns the number of verdicts, and the policy that it ends with.
fn run(case: &Case<'_>, style: Style) -> (usize, Policy) {
    let mut policy = Policy::new().expect("memory");
    let mut cursor = Cursor::default();
    let mut verdicts = 0_usize;
    let mut wrong = Vec::new();
    for (head, number, body) in &case.sections {
        let place = format!("{} (line {number}, an edit a {style:?})", case.place);
        let (kind, rest) = head.split_once(' ').unwrap_or((head, ""));
        let lines = || body.iter().filter(|line| !line.trim().is_empty());
        if !matches!(
            kind,
            "domain" | "exception" | "profile" | "manager" | "activate" | "collect" | "print" | "record"
        ) {
            verdicts += lines().count();
        }
        match kind {
            "domain" | "exception" | "profile" | "manager" => {
                let mut edit = policy.edit().expect("memory");
                for line in body {
                    if let Err(error) = write(&mut edit, &mut cursor, File::parse(kind), line) {
                        wrong.push(format!("{place}: {line}: {error}"));
                    }
                    if style == Style::Line {
                        policy = edit.commit();
                        edit = policy.edit().expect("memory");
                    }
                }
                policy = edit.commit();
            }
            "reject" => {
                let mut edit = policy.edit().expect("memory");
                for line in lines() {
                    let (expected, line) = line.split_once(" | ").unwrap_or_else(|| panic!("{place}: no |"));
                    let (column, reason) = expected.split_once(' ').expect("column");
                    let error = match write(&mut edit, &mut cursor, File::parse(rest), line) {
                        Ok(()) => {
                            wrong.push(format!("{place}: accepted: {line}"));
                            continue;
                        }
                        Err(error @ (EditError::OutOfMemory | EditError::Quota)) => {
                            panic!("{place}: {error}")
                        }
                        Err(EditError::Parse(error)) => error,
                    };
                    if error.column.to_string() != column
                        || !error.reason.message().starts_with(reason.trim())
                    {
                        wrong.push(format!("{place}: {line}: {error}"));
                    }
                }
                policy = edit.commit();
            }
            "warn" => {
                for line in lines() {
                    let (expected, line) = line.split_once(" | ").unwrap_or_else(|| panic!("{place}: no |"));
                    // All warnings about a line are there, from left to right, joined by ` & `.
                    let expected: Vec<_> =
                        expected.trim().split(" & ").filter(|expected| *expected != "none").collect();
                    let found = warned(File::parse(rest), line);
                    let mut pairs = found.iter().zip(&expected);
                    if found.len() != expected.len() || !pairs.all(|(found, part)| found.starts_with(*part)) {
                        wrong.push(format!("{place}: {line}: {found:?}"));
                    }
                }
            }
            "activate" => {
                let mut edit = policy.edit().expect("memory");
                edit.activate().unwrap_or_else(|error| panic!("{place}: {error}"));
                policy = edit.commit();
            }
            "not-activated" => {
                for line in lines() {
                    let mut edit = policy.edit().expect("memory");
                    match edit.activate() {
                        Err(error) if error.message().starts_with(*line) => {}
                        Err(error) => wrong.push(format!("{place}: {}", error.message())),
                        Ok(()) => wrong.push(format!("{place}: activated")),
                    }
                    // What is written after the attempt counts, as in the kernel.
                    policy = edit.commit();
                }
            }
            "collect" => {
                let mut edit = policy.edit().expect("memory");
                edit.collect().expect("memory");
                policy = edit.commit();
                assert!(!policy.has_garbage(), "{place}");
            }
            "request" | "decide" | "set" | "manage" | "rewrite" | "autobind" => {
                for line in lines() {
                    let mut words = line.split_whitespace().collect::<Vec<_>>();
                    let question = words.split_off(words_of_answer(kind)).join(" ");
                    let answer = answer(&policy, kind, rest, &question);
                    if words.join(" ") != answer {
                        wrong.push(format!("{place}: {line}: {answer}"));
                    }
                }
            }
            "aggregate" | "pattern" | "next" => {
                for line in lines() {
                    let (question, expected) = line.split_once(" => ").expect("=>");
                    let answer = answer(&policy, kind, rest, question);
                    if expected != answer {
                        wrong.push(format!("{place}: {line}: {answer}"));
                    }
                }
            }
            "learn" => {
                let id = find(&policy, rest);
                for line in lines() {
                    let words = line.split_whitespace().collect::<Vec<_>>();
                    let (expected, words) = words.split_first().expect("result");
                    let (world, words) = World::parse(words);
                    let mut edit = policy.edit().expect("memory");
                    let answer = match edit.learn(id, &world.facts(), &request(words)).expect("memory") {
                        Learned::Added => "added",
                        Learned::Already => "already",
                        Learned::QuotaExceeded => "quota",
                        Learned::Skipped => "skipped",
                    };
                    if *expected != answer {
                        wrong.push(format!("{place}: {line}: {answer}"));
                    }
                    policy = edit.commit();
                }
            }
            "record" => {
                verdicts += 1;
                let (line, expected) = body.split_first().expect("a request");
                let answer = record(&policy, rest, line);
                if answer.trim_end() != expected.join("\n").trim_end() {
                    wrong.push(format!("{place}: {line}:\n{answer}"));
                }
            }
            "print" => {
                verdicts += 1;
                let printed = match rest {
                    "transitions" => {
                        let mut text = Text::new();
                        policy.print_transitions(&mut text).expect("memory");
                        string(&text)
                    }
                    _ => File::parse(rest).print(&policy),
                };
                if printed.trim_end() != body.join("\n").trim_end() {
                    wrong.push(format!("{place}:\n{printed}"));
                }
            }
            _ => panic!("{place}: unknown section"),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    crate::support::check_reading_back(&policy, &case.place);
    (verdicts, policy)
}

/// Runs all cases and shows where each stands and the policy that it ends with.
pub fn for_each_policy(show: &mut dyn FnMut(&str, &Policy)) {
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"))
        .join("../../tests/corpus/policy");
    let mut count = 0_usize;
    let mut failed = 0_usize;
    for entry in fs::read_dir(folder).expect("the corpus") {
        let path = entry.expect("the corpus").path();
        if path.extension().and_then(std::ffi::OsStr::to_str) != Some("case") {
            continue;
        }
        let text = expand(&fs::read_to_string(&path).expect("a case file"));
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut of_file = 0_usize;
        for case in cases(&file, &text) {
            // All that is wrong is shown, not only the first: a change of the language breaks many cases.
            let ran = std::panic::catch_unwind(|| {
                let (verdicts, policy) = run(&case, Style::Section);
                let (again, of_lines) = run(&case, Style::Line);
                assert_eq!(again, verdicts);
                (verdicts, [policy, of_lines])
            });
            match ran {
                Ok((verdicts, policies)) => {
                    of_file += verdicts;
                    policies.iter().for_each(|policy| show(&case.place, policy));
                }
                Err(_) => failed += 1,
            }
        }
        println!("{file}: {of_file} verdicts");
        count += of_file;
    }
    println!("{count} verdicts of the policy corpus");
    assert_eq!(failed, 0, "cases failed");
    assert!(count >= 2500, "only {count} verdicts found");
}

#[test]
fn corpus() {
    for_each_policy(&mut |_, _| {});
}
