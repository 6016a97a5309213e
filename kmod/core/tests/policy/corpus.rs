// SPDX-License-Identifier: MIT OR Apache-2.0
//! Plays `tests/corpus/policy/*.case` (their format: `tests/corpus/README.md`) through `rehearsal`, as a kernel under test
//! does, and asks the oracle the same.
//!
//! Each case runs twice: with one edit for a section, and with one edit for a line. Both must give the same.

use corpus::{Case, Style};
use sekisho_core::domain::DomainId;
use sekisho_core::engine::{self, decide};
use sekisho_core::mem::Vec as Text;
use sekisho_core::name::Name;
use sekisho_core::oracle;
use sekisho_core::policy::Policy;
use sekisho_core::rehearsal::Rehearsal;
use sekisho_core::transition::next_domain;

use crate::support::question;

fn name(text: &str) -> Name<'_> {
    Name::new(text.as_bytes()).unwrap_or_else(|| panic!("no name: {text}"))
}

fn find(policy: &Policy, domain: &str) -> DomainId {
    policy.find_domain(domain.as_bytes()).unwrap_or_else(|| DomainId::from_bits(u64::MAX))
}

/// Panics if the oracle, where it has an answer to a command, has another one than the engine.
fn ask_oracle(policy: &Policy, command: &str) {
    let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
    let (domain, text) = rest.split_once('\t').unwrap_or(("", rest));
    match verb {
        "request" => {
            let (question, id) = (question(text), find(policy, domain));
            let facts = question.given.facts();
            assert_eq!(
                engine::grants(policy, id, &facts, &question.request),
                oracle::grants_it(policy, id, &facts, &question.request),
                "{command}: engine and oracle"
            );
        }
        "decide" | "set" => {
            let (question, id) = (question(text), find(policy, domain));
            let facts = question.given.facts();
            let decision = decide(policy, id, &facts, &question.request);
            assert!(
                oracle::confirms(policy, id, &facts, &question.request, &decision),
                "{command}: engine {decision:?}, oracle {:?}",
                oracle::decide(policy, id, &facts, &question.request)
            );
        }
        "rewrite" => {
            assert_eq!(policy.is_rewrite_denied(name(text)), oracle::is_rewrite_denied(policy, name(text)));
        }
        "autobind" => {
            let port = text.parse().expect("a port");
            assert_eq!(policy.is_autobind_denied(port), oracle::is_autobind_denied(policy, port));
        }
        "aggregate" => assert!(policy.aggregate(name(text)) == oracle::aggregate(policy, name(text))),
        "pattern" => assert_eq!(policy.file_pattern(name(text)), oracle::file_pattern(policy, name(text))),
        "next" => next(policy, find(policy, domain), name(text)),
        _ => {}
    }
}

/// Where executing `program` leads, found in all the ways there are.
fn next(policy: &Policy, domain: DomainId, program: Name<'_>) {
    let next = next_domain(policy, domain, program);
    let mut name = Text::new();
    next.print(&mut name).expect("memory");
    let mut expected = Text::new();
    oracle::next_domain_name(policy, domain, program, &mut expected).expect("memory");
    assert_eq!(name[..], expected[..], "engine and oracle");
    assert_eq!(next.name_len(), name.len());
    if next.is_too_long() {
        assert!(!next.can_be_created() && next.find(policy).expect("memory").is_none());
        return;
    }
    assert_eq!(next.find(policy).expect("memory"), policy.find_domain(&name));
    let mut edit = policy.edit().expect("memory");
    let made = edit.create_domain(&next, 0).expect("memory");
    assert_eq!(edit.policy().domain(made).expect("the new domain").name(), &name[..]);
}

/// Plays a case. Returns the number of verdicts, and the policy that it ends with.
fn run(case: &Case<'_>, style: Style) -> (usize, Rehearsal) {
    let mut rehearsal = Rehearsal::new().expect("memory");
    let played = case.play(style, &mut |command| {
        ask_oracle(rehearsal.policy(), command);
        let mut answer = Text::new();
        rehearsal.command(command.as_bytes(), &mut answer).expect("memory");
        if command == "collect" {
            assert!(!rehearsal.policy().has_garbage());
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    });
    let outcome = played.unwrap_or_else(|error| panic!("{error}"));
    assert!(outcome.wrong.is_empty(), "{}", outcome.wrong.join("\n"));
    crate::support::check_reading_back(rehearsal.policy(), &case.place);
    (outcome.verdicts, rehearsal)
}

/// Plays all cases and shows where each stands and the policy that it ends with.
pub fn for_each_policy(show: &mut dyn FnMut(&str, &Policy)) {
    let mut count = 0_usize;
    let mut failed = 0_usize;
    for (file, text) in corpus::FILES {
        let text = corpus::expand(text).expect("a case file");
        let mut of_file = 0_usize;
        for case in corpus::cases(file, &text).expect("a case file") {
            // All that is wrong is shown, not only the first: a change of the language breaks many cases.
            let ran = std::panic::catch_unwind(|| {
                let (verdicts, rehearsal) = run(&case, Style::Section);
                let (again, of_lines) = run(&case, Style::Line);
                assert_eq!(again, verdicts);
                (verdicts, [rehearsal, of_lines])
            });
            match ran {
                Ok((verdicts, rehearsals)) => {
                    of_file += verdicts;
                    rehearsals.iter().for_each(|rehearsal| show(&case.place, rehearsal.policy()));
                }
                Err(_) => failed += 1,
            }
        }
        println!("{file}: {of_file} verdicts");
        count += of_file;
    }
    println!("{count} verdicts of the policy corpus");
    assert_eq!(failed, 0, "cases failed");
    assert!(count >= 10_079, "only {count} verdicts found");
}

#[test]
fn corpus() {
    for_each_policy(&mut |_, _| {});
}

#[test]
fn what_is_no_command_is_answered() {
    let mut rehearsal = Rehearsal::new().expect("memory");
    for (command, expected) in [
        ("", "? no such command\n"),
        ("request <kernel> allow_read /a", "? write a domain, a tab and the question\n"),
        ("request <kernel> /x\tallow_read /a", "? no such domain\n"),
        ("print x", "? no such file; write domain, exception, profile or manager\n"),
        ("end", "? there is no edit; write begin\n"),
        ("begin", "ok\n"),
        ("begin", "? there is an edit already; write end\n"),
        ("collect", "? not inside of an edit; write end\n"),
        ("domain <kernel>", "ok\n"),
        ("end", "ok\n"),
        ("autobind 65536", "? no port\n"),
    ] {
        let mut answer = Text::new();
        rehearsal.command(command.as_bytes(), &mut answer).expect("memory");
        assert_eq!(String::from_utf8_lossy(&answer), expected, "{command}");
    }
}

/// Commands as a user writes them, one after the other: what is no rule has no warning, and no line grants what none says.
#[test]
fn commands_one_by_one() {
    let mut rehearsal = Rehearsal::new().expect("memory");
    for (command, expected) in [
        ("warn manager\t/usr/bin/x", "none\n"),
        ("warn domain\t<kernel> /x", "none\n"),
        ("warn domain\tuse_profile 3", "none\n"),
        ("domain <kernel> /t", "ok\n"),
        ("request <kernel> /t\tallow_read /etc/shadow", "missed\n"),
        ("domain allow_read /etc/shadow", "ok\n"),
        ("request <kernel> /t\tallow_read /etc/shadow", "granted\n"),
    ] {
        let mut answer = Text::new();
        rehearsal.command(command.as_bytes(), &mut answer).expect("memory");
        assert_eq!(String::from_utf8_lossy(&answer), expected, "{command}");
    }
}
