// SPDX-License-Identifier: MIT OR Apache-2.0
//! A policy as data, what is asked of it, and lines that are added later: what proptest makes and makes smaller.

use super::word::{bend, bent, pool, Bent, Near};
use crate::support::{write, File};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, Index};
use sekisho_core::capability::Capability;
use sekisho_core::policy::{Cursor, Policy};
use sekisho_core::request::{Class, Operation};
use std::collections::{BTreeMap, HashSet};
use std::fmt;

/// Operands of conditions about numbers, and the facts that they ask for: a key, and an attribute of an object.
const OPERANDS: [(&str, &str, &str); 10] = [
    ("task.uid", "uid", ""),
    ("task.uid", "uid", ""),
    ("task.gid", "gid", ""),
    ("task.state[1]", "state1", ""),
    ("path1.uid", "path1", "uid"),
    ("path1.perm", "path1", "mode"),
    ("path1.parent.ino", "path1.parent", "ino"),
    ("path2.gid", "path2", "gid"),
    ("path2.parent.uid", "path2.parent", "uid"),
    ("path1.minor", "path1", "minor"),
];
/// Operands of conditions about names; in front of the name stands the last word.
const NAMED: [(&str, &str, &str); 5] = [
    ("exec.realpath", "realpath", ""),
    ("symlink.target", "target", ""),
    ("exec.argv[0]", "argv", ""),
    ("exec.argv[1]", "argv", "x,"),
    ("exec.envp[\"A\"]", "envp", "B=b,A="),
];
const DOMAINS: [&str; 4] = ["<kernel>", "<kernel> /a", "<kernel> /a /b", "<kernel> /x1.so"];
pub const PROGRAMS: [&str; 4] = ["/a", "/b", "/x1.so", "/a/b"];
/// What is about a word.
const DIRECTIVES: [&str; 3] = ["allow_read", "file_pattern", "deny_rewrite"];
const GROUPS: [&str; 2] = ["G", "H"];
const VARIABLES: [(&str, &str); 4] =
    [("PATH", "PATH"), ("LC_\\*", "LC_ALL"), ("LC_\\@", "LC_"), ("\\A", "HOME")];
const KINDS: [(&str, &str); 3] = [("ext3", "ext3"), ("\\A\\$", "ext4"), ("--bind", "--bind")];
const PROFILES: [&str; 5] = [
    "PROFILE_VERSION=20090903",
    "0-CONFIG={ mode=enforcing }",
    "1-CONFIG={ mode=learning grant_log=no }",
    "2-CONFIG={ mode=permissive reject_log=no }",
    "3-CONFIG={ mode=disabled }",
];
const SETTINGS: [&str; 10] = [
    "0-CONFIG::file={ mode=permissive grant_log=no }",
    "0-CONFIG::file::open={ mode=learning }",
    "1-CONFIG::network={ mode=enforcing }",
    "1-CONFIG::file::execute=use_default",
    "2-CONFIG::file::rename={ mode=disabled }",
    "3-CONFIG::misc::env={ mode=enforcing reject_log=no }",
    "2-COMMENT=x  y",
    "PREFERENCE::enforcing={ penalty=3 }",
    "0-PREFERENCE::learning={ max_entry=5 exec.realpath=yes }",
    "7-PREFERENCE::audit={ max_grant_log=0 }",
];

/// A path argument: a word of the pool, or a group.
#[derive(Clone, Debug)]
enum Place {
    Word(Index),
    Group(usize),
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![4 => any::<Index>().prop_map(Place::Word), 1 => (0..2_usize).prop_map(Place::Group)]
}

/// A number, a range or a group; or what makes an address.
#[derive(Clone, Debug)]
struct Value {
    group: Option<usize>,
    min: u64,
    width: u64,
    radix: u8,
}

fn value() -> impl Strategy<Value = Value> {
    (weighted(0.2, 0..2_usize), 0..9_u64, prop_oneof![2 => Just(0), 1 => 1..5_u64], 0..3_u8)
        .prop_map(|(group, min, width, radix)| Value { group, min, width, radix })
}

impl Value {
    fn number(&self, value: u64) -> String {
        match self.radix {
            0 => value.to_string(),
            1 => format!("0{value:o}"),
            _ => format!("0x{value:X}"),
        }
    }

    fn range(&self, text: impl Fn(u64) -> String) -> String {
        match self.width {
            0 => text(self.min),
            width => format!("{}-{}", text(self.min), text(self.min + width)),
        }
    }

    fn word(&self) -> String {
        match self.group {
            Some(group) => format!("@{}", GROUPS[group]),
            None => self.range(|value| self.number(value)),
        }
    }
}

/// An address of one of two families.
fn address(v6: bool, last: u64) -> String {
    if v6 {
        format!("1:0:0:0:0:0:0:{last:x}")
    } else {
        format!("10.0.0.{last}")
    }
}

/// Which number near a value is asked for: one of its ends or its members', and one more or less.
type Step = (Index, u64);

fn step() -> impl Strategy<Value = Step> {
    (any::<Index>(), prop_oneof![6 => Just(1), 1 => Just(0), 1 => Just(2_u64)])
}

#[derive(Clone, Debug)]
enum Test {
    Number(usize, bool, Value),
    Name(usize, bool, Place),
    NoVariable(bool),
}

fn test() -> impl Strategy<Value = Test> {
    let negated = || prop::bool::weighted(0.3);
    prop_oneof![
        4 => (0..OPERANDS.len(), negated(), value()).prop_map(|(at, not, value)| Test::Number(at, not, value)),
        2 => (0..NAMED.len(), negated(), place()).prop_map(|(at, not, place)| Test::Name(at, not, place)),
        1 => negated().prop_map(Test::NoVariable),
    ]
}

/// A line of a domain. What its operation has no use for is left out.
#[derive(Clone, Debug)]
struct Rule {
    keyword: &'static str,
    paths: [Place; 2],
    values: [Value; 3],
    v6: bool,
    other: Index,
    tests: Vec<Test>,
    set: Option<u8>,
}

fn class(keyword: &str) -> Class {
    Operation::from_keyword(keyword.as_bytes()).expect("an operation").class()
}

/// The operations of a class, or all that a request can have.
fn keywords(wanted: Option<Class>) -> Vec<&'static str> {
    let handlers = [Class::ExecuteHandler, Class::DeniedExecuteHandler];
    Operation::all()
        .filter(|operation| {
            wanted.map_or(!handlers.contains(&operation.class()), |class| class == operation.class())
        })
        .map(|operation| std::str::from_utf8(operation.keyword()).expect("ASCII"))
        .collect()
}

fn rule() -> impl Strategy<Value = Rule> {
    let keyword = prop_oneof![select(keywords(Some(Class::Path))), select(keywords(None))];
    let values = [value(), value(), value()];
    let tests = prop_oneof![2 => Just(vec![]), 1 => vec(test(), 1..3)];
    (keyword, [place(), place()], values, any::<bool>(), any::<Index>(), tests, weighted(0.05, 0..3_u8))
        .prop_map(|(keyword, paths, values, v6, other, tests, set)| Rule {
            keyword,
            paths,
            values,
            v6,
            other,
            tests,
            set,
        })
}

/// A line of exception_policy, or of `manager`.
#[derive(Clone, Debug)]
enum Listed {
    PathMember(usize, Index),
    NumberMember(usize, Value),
    AddressMember(usize, Value, bool),
    /// A directive with a word of the pool.
    Word(&'static str, Index),
    Aggregator(Index, &'static str),
    Autobind(Value),
    Rule(String),
    Manager(String),
}

fn listed() -> impl Strategy<Value = Listed> {
    let from = || prop_oneof![select(&PROGRAMS[..]), select(&DOMAINS[..])];
    prop_oneof![
        4 => (0..2_usize, any::<Index>()).prop_map(|(group, word)| Listed::PathMember(group, word)),
        3 => (0..2_usize, value()).prop_map(|(group, value)| Listed::NumberMember(group, value)),
        2 => (0..2_usize, value(), any::<bool>()).prop_map(|(group, value, v6)| Listed::AddressMember(group, value, v6)),
        5 => (select(&DIRECTIVES[..]), any::<Index>()).prop_map(|(directive, word)| Listed::Word(directive, word)),
        1 => (any::<Index>(), select(&PROGRAMS[..])).prop_map(|(word, program)| Listed::Aggregator(word, program)),
        1 => value().prop_map(Listed::Autobind),
        1 => select(&VARIABLES[..]).prop_map(|(word, _)| Listed::Rule(format!("allow_env {word}"))),
        1 => ("(no_)?initialize_domain", select(&PROGRAMS[..]), proptest::option::of(from())).prop_map(
            |(directive, program, from)| {
                Listed::Rule(format!("{directive} {program}{}", from.map_or(String::new(), |from| format!(" from {from}"))))
            }
        ),
        1 => ("(no_)?keep_domain", proptest::option::of(select(&PROGRAMS[..])), from()).prop_map(
            |(directive, program, from)| {
                Listed::Rule(format!("{directive} {}{from}", program.map_or(String::new(), |one| format!("{one} from "))))
            }
        ),
        1 => from().prop_map(|manager| Listed::Manager(manager.to_owned())),
    ]
}

/// A domain: its profile, its flags and its lines.
type Domain = (u8, [bool; 2], Vec<Rule>);

fn domain() -> impl Strategy<Value = Domain> {
    let flag = || prop::bool::weighted(0.15);
    (prop_oneof![5 => Just(0), 1 => 1..4_u8], [flag(), flag()], vec(rule(), 0..10))
}

/// A request that a line nearly grants.
#[derive(Clone, Debug)]
struct Ask {
    /// In the domain of the line, or in another.
    domain: Option<Index>,
    rule: Index,
    /// Another operation of the class.
    keyword: Option<Index>,
    paths: [(Index, Bent); 2],
    numbers: [Step; 3],
    facts: [(Index, Bent, Step); 2],
    program: &'static str,
}

fn ask() -> impl Strategy<Value = Ask> {
    let path = || (any::<Index>(), bent());
    let fact = || (any::<Index>(), bent(), step());
    let other = (weighted(0.15, any::<Index>()), weighted(0.15, any::<Index>()), select(&PROGRAMS[..]));
    (any::<Index>(), other, [path(), path()], [step(), step(), step()], [fact(), fact()]).prop_map(
        |(rule, (domain, keyword, program), paths, numbers, facts)| Ask {
            domain,
            rule,
            keyword,
            paths,
            numbers,
            facts,
            program,
        },
    )
}

/// A policy, what is asked of it, and lines that are added later.
#[derive(Clone)]
pub struct Plan {
    /// Words; the entries of one policy share few, so that many entries are near a name.
    pool: Vec<Near>,
    settings: Vec<&'static str>,
    listed: Vec<Listed>,
    domains: Vec<Domain>,
    asks: Vec<Ask>,
    later: Vec<(Later, bool)>,
}

#[derive(Clone, Debug)]
enum Later {
    Listed(Listed),
    Rule(Index, Rule),
    Domain(Index, Rule),
}

pub fn plan(asks: usize, later: usize) -> impl Strategy<Value = Plan> {
    let addition = prop_oneof![
        2 => listed().prop_map(Later::Listed),
        3 => (any::<Index>(), rule()).prop_map(|(domain, rule)| Later::Rule(domain, rule)),
        1 => (any::<Index>(), rule()).prop_map(|(domain, rule)| Later::Domain(domain, rule)),
    ];
    let asks = vec(ask(), asks..=asks);
    let later = vec((addition, any::<bool>()), 0..=later);
    (
        pool(),
        vec(select(&SETTINGS[..]), 0..3),
        vec(listed(), 0..14),
        vec(domain(), 1..=DOMAINS.len()),
        asks,
        later,
    )
        .prop_map(|(pool, settings, listed, domains, asks, later)| Plan {
            pool,
            settings,
            listed,
            domains,
            asks,
            later,
        })
}

impl Plan {
    fn near(&self, at: &Index) -> &Near {
        at.get(&self.pool)
    }

    fn path(&self, place: &Place) -> String {
        match place {
            Place::Word(at) => self.near(at).word.clone(),
            Place::Group(group) => format!("@{}", GROUPS[*group]),
        }
    }

    fn listed(&self, line: &Listed) -> (File, String) {
        let line = match line {
            Listed::PathMember(group, at) => format!("path_group {} {}", GROUPS[*group], self.near(at).word),
            Listed::NumberMember(group, value) => {
                format!("number_group {} {}", GROUPS[*group], value.range(|one| value.number(one)))
            }
            Listed::AddressMember(group, value, v6) => {
                format!("address_group {} {}", GROUPS[*group], value.range(|last| address(*v6, last)))
            }
            Listed::Word(directive, at) => format!("{directive} {}", self.near(at).word),
            Listed::Aggregator(at, program) => format!("aggregator {} {program}", self.near(at).word),
            Listed::Autobind(value) => format!("deny_autobind {}", value.range(|port| port.to_string())),
            Listed::Rule(line) => line.clone(),
            Listed::Manager(line) => return (File::Manager, line.clone()),
        };
        (File::Exception, line)
    }

    fn rule(&self, rule: &Rule) -> String {
        let mut line = rule.keyword.to_owned();
        let [first, second, third] = &rule.values;
        let paths = [self.path(&rule.paths[0]), self.path(&rule.paths[1])];
        line += &match class(rule.keyword) {
            Class::Path => format!(" {}", paths[0]),
            Class::Path2 => format!(" {} {}", paths[0], paths[1]),
            Class::PathNumber => format!(" {} {}", paths[0], first.word()),
            Class::Device => format!(" {} {} {} {}", paths[0], first.word(), second.word(), third.word()),
            Class::Network => {
                let range = || first.range(|last| address(rule.v6, last));
                format!(
                    " {} {}",
                    first.group.map_or_else(range, |group| format!("@{}", GROUPS[group])),
                    second.word()
                )
            }
            Class::Mount => {
                format!(" {} {} {} {}", paths[0], paths[1], rule.other.get(&KINDS).0, first.word())
            }
            Class::Env => format!(" {}", rule.other.get(&VARIABLES).0),
            Class::Capability => format!(" {}", capability(rule)),
            _ => format!(" {} {}", first.min, rule.other.get(&DOMAINS)),
        };
        for (number, test) in rule.tests.iter().enumerate() {
            line += if number == 0 { " if " } else { " " };
            let is = |not: bool| if not { "!=" } else { "=" };
            line += &match test {
                Test::Number(at, not, value) => format!("{}{}{}", OPERANDS[*at].0, is(*not), value.word()),
                Test::Name(at, not, place) => match (NAMED[*at].0, place) {
                    (left @ ("exec.realpath" | "symlink.target"), Place::Group(_)) => {
                        format!("{left}{}{}", is(*not), self.path(place))
                    }
                    (left, _) => format!("{left}{}\"{}\"", is(*not), self.path(place)),
                },
                Test::NoVariable(not) => format!("exec.envp[\"A\"]{}NULL", is(*not)),
            };
        }
        if let Some(value) = rule.set {
            line += &format!(" ; set task.state[1]={value}");
        }
        line
    }

    /// The lines of the policy. Some are not accepted: a directory in `allow_read`, say.
    fn lines(&self) -> Vec<(File, String)> {
        let profiles = PROFILES.iter().chain(&self.settings).map(|line| (File::Profile, (*line).to_owned()));
        let mut lines: Vec<_> = profiles.chain(self.listed.iter().map(|line| self.listed(line))).collect();
        for (name, (profile, flags, rules)) in DOMAINS.iter().zip(&self.domains) {
            let mut add = |line: String| lines.push((File::Domain, line));
            add((*name).to_owned());
            add(format!("use_profile {profile}"));
            for (flag, wanted) in ["ignore_global_allow_read", "ignore_global_allow_env"].iter().zip(flags) {
                if *wanted {
                    add((*flag).to_owned());
                }
            }
            rules.iter().for_each(|rule| add(self.rule(rule)));
        }
        lines
    }

    /// The policy, active.
    pub fn policy(&self) -> Policy {
        let mut edit = Policy::new().expect("memory").edit().expect("memory");
        let mut cursor = Cursor::default();
        for (file, line) in self.lines() {
            let _ = write(&mut edit, &mut cursor, file, &line);
        }
        activated(edit.commit())
    }

    fn place_name(&self, place: &Place, (member, bent): (Index, Bent)) -> String {
        let near = match place {
            Place::Word(at) => Some(self.near(at)),
            Place::Group(group) => {
                let of_group = |line: &Listed| match line {
                    Listed::PathMember(of, at) if of == group => Some(*at),
                    _ => None,
                };
                let members: Vec<Index> = self.listed.iter().filter_map(of_group).collect();
                Some(member).filter(|_| !members.is_empty()).map(|member| self.near(member.get(&members)))
            }
        };
        bend(near.map_or("/a", |near| &near.name), bent)
    }

    /// A number near a value. `addresses` says which groups are meant.
    fn number(&self, value: &Value, addresses: bool, (end, more): Step) -> u64 {
        let ends = |value: &Value| [value.min, value.min + value.width];
        let members: Vec<u64> = match value.group {
            None => ends(value).to_vec(),
            Some(group) => {
                let member = |line: &Listed| match line {
                    Listed::NumberMember(of, value) if *of == group && !addresses => Some(ends(value)),
                    Listed::AddressMember(of, value, _) if *of == group && addresses => Some(ends(value)),
                    _ => None,
                };
                self.listed.iter().filter_map(member).flatten().collect()
            }
        };
        let number = if members.is_empty() { 3 } else { *end.get(&members) };
        (number + more).saturating_sub(1)
    }

    fn facts(&self, rule: &Rule, ask: &Ask) -> String {
        let mut facts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (test, (member, bent, step)) in rule.tests.iter().zip(ask.facts) {
            match test {
                Test::Number(at, _, value) => {
                    let (_, key, attribute) = OPERANDS[*at];
                    let number = self.number(value, false, step);
                    let of_object = format!("{attribute}:{number}");
                    facts.entry(key).or_default().push(if attribute.is_empty() {
                        number.to_string()
                    } else {
                        of_object
                    });
                }
                Test::Name(at, _, place) => {
                    let (_, key, front) = NAMED[*at];
                    facts
                        .entry(key)
                        .or_default()
                        .push(format!("{front}{}", self.place_name(place, (member, bent))));
                }
                Test::NoVariable(_) => facts.entry("envp").or_default().push("B=b".into()),
            }
        }
        // Two tests of one field: the last one counts.
        let last = |key: &str, values: &[String]| {
            if key.starts_with("path") {
                values.join(",")
            } else {
                values.last().cloned().unwrap_or_default()
            }
        };
        facts.iter().map(|(key, values)| format!("{key}={} ", last(key, values))).collect()
    }

    /// Where is asked, what ([`crate::support::question`]), and which program is executed there.
    pub fn requests(&self) -> Vec<(&'static str, String, &'static str)> {
        let rules: Vec<(usize, &Rule)> = (0..)
            .zip(&self.domains)
            .flat_map(|(domain, (_, _, rules))| rules.iter().map(move |rule| (domain, rule)))
            .collect();
        if rules.is_empty() {
            return Vec::new();
        }
        let request = |ask: &Ask| {
            let (domain, rule) = ask.rule.get(&rules);
            let domain = ask.domain.map_or(*domain, |domain| domain.index(self.domains.len()));
            let class = class(rule.keyword);
            let keyword = ask.keyword.map_or(rule.keyword, |other| *other.get(&keywords(Some(class))));
            let path = |at: usize| self.place_name(&rule.paths[at], ask.paths[at]);
            let number = |at: usize| self.number(&rule.values[at], false, ask.numbers[at]);
            let arguments = match class {
                Class::Path => path(0),
                Class::Path2 => format!("{} {}", path(0), path(1)),
                Class::PathNumber => format!("{} {}", path(0), number(0)),
                Class::Device => format!("{} {} {} {}", path(0), number(0), number(1), number(2)),
                Class::Network => {
                    let last = self.number(&rule.values[0], true, ask.numbers[0]);
                    format!("{} {}", address(rule.v6, last), number(1))
                }
                Class::Mount => {
                    let kind = bend(rule.other.get(&KINDS).1, ask.facts[0].1);
                    format!("{} {} {kind} {}", path(0), path(1), number(0))
                }
                Class::Env => bend(rule.other.get(&VARIABLES).1, ask.paths[0].1),
                Class::Capability => capability(rule).to_owned(),
                _ => format!(
                    "{} {}",
                    rule.values[0].min,
                    bend_domain(rule.other.get(&DOMAINS), ask.paths[0].1)
                ),
            };
            (DOMAINS[domain], format!("{}{keyword} {arguments}", self.facts(rule, ask)), ask.program)
        };
        // A name of which nothing is left cannot be written.
        let can_be_written = |line: &str| !line.split(' ').any(str::is_empty);
        self.asks.iter().map(request).filter(|(_, line, _)| can_be_written(line)).collect()
    }

    /// Ports and names for the lists that are not about domains.
    pub fn list_requests(&self) -> impl Iterator<Item = (u16, String)> + '_ {
        self.asks.iter().flat_map(move |ask| {
            let port = ask.numbers[0].0.index(14) as u16;
            ask.paths.iter().map(move |(at, bent)| (port, bend(&self.near(at).name, *bent)))
        })
    }

    /// The lines that are added later, each with the domain that it is written to, and whether a snapshot follows. None of
    /// them changes a line of the policy: neither is it there, nor are its arguments, with which it would be merged.
    pub fn later(&self) -> Vec<(File, String, String, bool)> {
        let mut known: HashSet<(String, String)> = HashSet::new();
        let mut domain = String::new();
        let arguments = |line: &str| line.split_once(' ').map_or(String::new(), |(_, rest)| rest.to_owned());
        for (file, line) in self.lines() {
            match file {
                File::Domain if line.starts_with("<kernel>") => domain = line,
                File::Domain => drop(known.insert((domain.clone(), arguments(&line)))),
                _ => drop(known.insert((String::new(), line))),
            }
        }
        let mut lines = Vec::new();
        for (later, commit) in &self.later {
            let (file, domain, line) = match later {
                Later::Listed(listed) => {
                    let (file, line) = self.listed(listed);
                    (file, String::new(), line)
                }
                Later::Rule(domain, rule) => {
                    (File::Domain, DOMAINS[domain.index(self.domains.len())].to_owned(), self.rule(rule))
                }
                Later::Domain(program, rule) => {
                    (File::Domain, format!("<kernel> /new {}", program.get(&PROGRAMS)), self.rule(rule))
                }
            };
            let key = if file == File::Domain { arguments(&line) } else { line.clone() };
            if known.insert((domain.clone(), key)) {
                lines.push((file, domain, line, *commit));
            }
        }
        lines
    }
}

fn capability(rule: &Rule) -> &'static str {
    std::str::from_utf8(rule.other.get(&Capability::ALL).name()).expect("ASCII")
}

/// The name of a domain that differs in one place, or the same one.
fn bend_domain(name: &str, bent: Bent) -> String {
    match name.split_once(' ') {
        Some((root, rest)) => format!("{root} {}", bend(rest, bent)),
        None => name.to_owned(),
    }
}

pub fn activated(policy: Policy) -> Policy {
    let mut edit = policy.edit().expect("memory");
    edit.activate().expect("complete");
    edit.commit()
}

/// What a failure shows.
impl fmt::Debug for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (file, line) in self.lines() {
            write!(out, "\n{file:?}: {line}")?;
        }
        for (domain, request, program) in self.requests() {
            write!(out, "\nin {domain}: {request}; executes {program}")?;
        }
        for (file, domain, line, commit) in self.later() {
            write!(out, "\nlater {file:?} {domain}: {line}{}", if commit { " (commit)" } else { "" })?;
        }
        Ok(())
    }
}
