// SPDX-License-Identifier: MIT OR Apache-2.0
//! One policy and some dozen requests: engine and oracle must give the same answers.

use sekisho_core::engine;
use sekisho_core::facts::Facts;
use sekisho_core::learn::Learned;
use sekisho_core::mem::Vec as Text;
use sekisho_core::name::Name;
use sekisho_core::oracle;
use sekisho_core::policy::{DomainId, Policy};
use sekisho_core::request::Request;
use sekisho_core::transition::next_domain;

use crate::acl::Words;
use crate::choices::Choices;
use crate::policy::{policy, Generated};
use crate::request::{request, Subject};
use crate::world::{task, World};

/// What was compared.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    /// Requests.
    pub done: u64,
    /// Requests that were granted: if there are few, the requests are too far from the rules to test anything.
    pub granted: u64,
}

impl Tally {
    /// Whether enough requests were granted for the comparison to mean something.
    pub fn is_near(&self) -> bool {
        self.granted > self.done / 20
    }
}

/// Makes policies until `count` requests were compared.
///
/// # Errors
/// A difference: the policy, the request and both answers.
pub fn run(choices: &mut Choices<'_>, count: u64) -> Result<Tally, String> {
    let mut tally = Tally::default();
    while tally.done < count {
        let made = policy(choices);
        requests(choices, &made, 60, &mut tally)?;
    }
    Ok(tally)
}

/// Compares the answers to `count` requests.
///
/// # Errors
/// A difference: the policy, the request and both answers.
pub fn requests(
    choices: &mut Choices<'_>,
    made: &Generated,
    count: u32,
    tally: &mut Tally,
) -> Result<(), String> {
    let policy = &made.policy;
    for _ in 0..count {
        let learn = |choices: &mut Choices<'_>, facts: &Facts<'_>, request: &Request<'_>| {
            if choices.one_in(4) {
                return learned(policy, facts, request);
            }
            Ok(())
        };
        let granted = one(choices, policy, DomainId::ROOT, &made.words, &learn)
            .map_err(|what| format!("{}\n{what}", made.text))?;
        tally.granted += u64::from(granted);
        tally.done += 1;
    }
    Ok(())
}

/// What else is asked about a request that was not granted.
pub type Refused<'r> = &'r dyn Fn(&mut Choices<'_>, &Facts<'_>, &Request<'_>) -> Result<(), String>;

/// Compares the answers to one request about `words` in `domain`, which is there, and whether it was granted; then what the
/// other lists say of a name, and where a program leads to.
///
/// # Errors
/// A difference: the request and both answers; or what `refused` does not like.
pub fn one(
    choices: &mut Choices<'_>,
    policy: &Policy,
    domain: DomainId,
    words: &Words,
    refused: Refused<'_>,
) -> Result<bool, String> {
    let subject = Subject::new(choices, words);
    let world = World::new(choices);
    let task = task(choices);
    let mut facts = Facts::new(&task);
    if choices.one_in(2) {
        facts.objects = Some(&world);
    }
    if choices.one_in(2) {
        facts.exec = Some(&world);
    }
    if choices.one_in(2) {
        facts.symlink_target = Name::new(subject.names[2].as_bytes());
    }
    let request = request(choices, &subject);
    let about = |what: String| {
        let mut shown = Text::new();
        match request.print(&mut shown) {
            Ok(()) => format!("{}\n{what}", String::from_utf8_lossy(&shown)),
            Err(_) => what,
        }
    };
    let decision = engine::decide(policy, domain, &facts, &request);
    let expected = oracle::decide(policy, domain, &facts, &request);
    if !oracle::confirms(policy, domain, &facts, &request, &decision) {
        return Err(about(format!("engine {decision:?}\noracle {expected:?}")));
    }
    let port = choices.below(14) as u16;
    lists(policy, port, &subject.names[0]).map_err(about)?;
    let program = choices.pick(&["/a", "/b"]);
    let live = policy.domains().map(|(_, domain)| domain).filter(|domain| !domain.is_deleted());
    let from = choices.pick(&live.map(|domain| domain.name()).collect::<Vec<_>>());
    transition(policy, &String::from_utf8_lossy(from), program).map_err(about)?;
    if !decision.granted {
        refused(choices, &facts, &request).map_err(about)?;
    }
    Ok(decision.granted)
}

/// Compares what the lists that are not about domains say of a port and a name. What is no name is not compared.
///
/// # Errors
/// A difference.
pub fn lists(policy: &Policy, port: u16, name: &str) -> Result<(), String> {
    if policy.is_autobind_denied(port) != oracle::is_autobind_denied(policy, port) {
        return Err(format!("deny_autobind of {port}"));
    }
    let Some(name) = Name::new(name.as_bytes()) else {
        return Ok(());
    };
    let wrong = |what: &str| Err(format!("{what} of {}", String::from_utf8_lossy(name.as_bytes())));
    if policy.aggregate(name) != oracle::aggregate(policy, name) {
        return wrong("aggregator");
    }
    if policy.file_pattern(name) != oracle::file_pattern(policy, name) {
        return wrong("file_pattern");
    }
    if policy.is_rewrite_denied(name) != oracle::is_rewrite_denied(policy, name) {
        return wrong("deny_rewrite");
    }
    Ok(())
}

/// What is learned grants what it was learned from, and prints as a line that reads back.
fn learned(policy: &Policy, facts: &Facts<'_>, request: &Request<'_>) -> Result<(), String> {
    let memory = |_| "out of memory".to_owned();
    let mut edit = policy.edit().map_err(memory)?;
    match edit.learn(DomainId::ROOT, facts, request).map_err(memory)? {
        Learned::Added => {}
        Learned::Skipped => return Ok(()),
        _ => return Err("nothing was learned from a request that was not granted".to_owned()),
    }
    let policy = edit.commit();
    let decision = engine::decide(&policy, DomainId::ROOT, facts, request);
    let expected = oracle::decide(&policy, DomainId::ROOT, facts, request);
    if !decision.granted || !oracle::confirms(&policy, DomainId::ROOT, facts, request, &decision) {
        return Err(format!("after learning: engine {decision:?}\noracle {expected:?}"));
    }
    Ok(())
}

/// Compares where `domain` comes to by executing `program`.
///
/// # Errors
/// A difference, or there is no such domain, or that is no name.
pub fn transition(policy: &Policy, domain: &str, program: &str) -> Result<(), String> {
    let (Some(id), Some(name)) = (policy.find_domain(domain.as_bytes()), Name::new(program.as_bytes()))
    else {
        return Err(format!("{domain} is missing"));
    };
    let mut expected = Text::new();
    let memory = |_| "out of memory".to_owned();
    oracle::next_domain_name(policy, id, name, &mut expected).map_err(memory)?;
    let found = next_domain(policy, id, name).name().map_err(memory)?;
    if found[..] != expected[..] {
        return Err(format!(
            "{domain} executes {program}: engine {}, oracle {}",
            String::from_utf8_lossy(&found),
            String::from_utf8_lossy(&expected)
        ));
    }
    Ok(())
}
