// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many entries in few places: engine and oracle agree, the order stays, and memory goes back to what it was.

use crate::support::{check_reading_back, load, question, write, File};
use sekisho_core::engine::decide;
use sekisho_core::oracle::confirms;
use sekisho_core::policy::{Cursor, DomainId, Policy};
use sekisho_core::wire;

/// Numbers that look like chance.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (self.0 >> 33) % end
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }

    /// A number, a range (one in ten is empty), or a group.
    fn number(&mut self) -> String {
        let (from, more) = (self.below(40), self.below(12));
        match self.below(8) {
            0 => format!("{from}-{}", from + more),
            1 => format!("0x{from:X}-{}", from + more / 4),
            2 => format!("{}-{from}", from + 1),
            3 => format!("@G{}", self.below(12)),
            4 => format!("0{from:o}"),
            _ => from.to_string(),
        }
    }

    fn address(&mut self) -> String {
        let (from, more) = (self.below(40), self.below(12));
        match self.below(8) {
            0 => format!("10.0.0.{from}"),
            1 => format!("@A{}", self.below(4)),
            2 => format!("10.0.{}.{}-10.0.7.0", from % 7, from),
            3 => format!("0:0:0:0:0:0:{}:{from}-0:0:0:0:0:0:4:{}", more % 4, from + 1),
            4 => "0:0:0:0:0:0:0:5".into(),
            _ => format!("10.0.0.{from}-10.0.0.{}", from + more),
        }
    }

    fn field(&mut self) -> &'static str {
        self.of(&["uid", "gid", "euid", "egid", "suid", "sgid", "fsuid", "fsgid", "pid", "ppid", "state[1]"])
    }

    fn condition(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.below(3) {
            let sign = self.of(&["=", "=", "=", "!="]);
            text += &match self.below(9) {
                0..=2 => format!(" task.uid{sign}{}", self.number()),
                3..=4 => format!(" task.{}{sign}{}", self.field(), self.number()),
                5 => format!(" exec.realpath{sign}\"/bin/{}\"", self.of(&["a", "b", "\\*"])),
                6 => format!(" exec.argv[0]{sign}\"{}\"", self.of(&["a", "b", "\\*"])),
                7 => format!(" path1.uid{sign}{}", self.number()),
                _ => format!(" {}{sign}task.gid", self.below(9)),
            };
        }
        // An empty range is no operand.
        if text.split(['=', ' ']).any(is_empty_range) {
            return String::new();
        }
        if self.below(12) == 0 {
            text += &format!(" ; set task.state[0]={}", self.below(3));
        }
        if text.is_empty() {
            text
        } else {
            format!(" if{text}")
        }
    }

    /// A line, and a request that it may grant.
    fn acl(&mut self) -> (String, String) {
        let word = self.of(&["/a", "/a", "/a\\*", "/d/\\{\\*\\}/\\*/\\*/x\\*/y", "@P", "@Q"]);
        let name = self.of(&["/a", "/a", "/ab", "/d/1/2/3/x4/y", "/q"]);
        let (second, other) =
            (self.of(&["/s1", "/s2", "/s3", "/s\\*", "@P"]), self.of(&["/s1", "/s2", "/a"]));
        let (n, m, k) = (self.number(), self.number(), self.number());
        let (x, y, z) = (self.below(45), self.below(45), self.below(45));
        let (line, request) = match self.below(13) {
            0 => (format!("allow_read {word}"), format!("allow_read {name}")),
            1 => (format!("allow_create {word} {n}"), format!("allow_create {name} {x}")),
            2 => (format!("allow_ioctl {word} {n}"), format!("allow_ioctl {name} {x}")),
            3 => (format!("allow_rename {word} {second}"), format!("allow_rename {name} {other}")),
            4 => (format!("allow_mkblock {word} {n} {m} {k}"), format!("allow_mkblock {name} {x} {y} {z}")),
            5 => {
                let kind = self.of(&["--bind", "ext4", "e\\*"]);
                let device = self.of(&["", "nodev "]);
                (
                    format!("allow_mount {second} {word} {kind} {n}"),
                    format!(
                        "{device}allow_mount {other} {name} {} {}",
                        kind.replace("\\*", ""),
                        x + (y % 2) * 0x8000
                    ),
                )
            }
            6 | 7 => {
                let address =
                    self.of(&["10.0.0.5", "10.0.0.20", "10.0.3.9", "0:0:0:0:0:0:0:5", "0:0:0:0:0:0:2:7"]);
                (
                    format!("allow_network TCP connect {} {n}", self.address()),
                    format!("allow_network TCP connect {address} {x}"),
                )
            }
            8 => ("allow_capability SYS_NICE".into(), "allow_capability SYS_NICE".into()),
            9 => ("allow_env HOME".into(), "allow_env HOME".into()),
            10 => (format!("allow_execute {}", self.of(&["/a", "@P"])), "allow_execute /a".into()),
            _ => {
                let domain = |dice: &mut Self| {
                    (0..dice.below(4))
                        .fold("<kernel>".into(), |name: String, _| name + dice.of(&[" /a", " /b", " /a/b"]))
                };
                (format!("allow_signal 9 {}", domain(self)), format!("allow_signal 9 {}", domain(self)))
            }
        };
        let (uid, field) = (self.below(45), self.field().replace("state[1]", "state1"));
        let mut facts = format!("uid={uid} {field}={} ", self.below(45));
        if self.below(2) == 0 {
            facts +=
                &format!("realpath=/bin/{} argv={} ", self.of(&["a", "b", "c"]), self.of(&["a", "b", "c"]));
        }
        if self.below(2) == 0 {
            facts += &format!("path1=uid:{} ", self.below(45));
        }
        (line + &self.condition(), facts + &request)
    }
}

fn is_empty_range(word: &str) -> bool {
    let value = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    word.split_once('-').is_some_and(|(from, to)| value(from) > value(to))
}

fn base() -> Policy {
    let mut text = String::from("path_group P /a\npath_group P /s1\npath_group Q /q\npath_group Q /a\\*\n");
    for group in 0..12 {
        text +=
            &format!("number_group G{group} {}-{}\nnumber_group G{group} {}\n", group * 3, group * 4, group);
    }
    for group in 0..4 {
        text += &format!("address_group A{group} 10.0.0.{group}-10.0.0.{}\n", 20 + group);
    }
    let policy = load(&[
        (File::Profile, "PROFILE_VERSION=20090903\n0-CONFIG={ mode=enforcing }\n"),
        (File::Exception, &text),
        (File::Domain, "<kernel>\nallow_read /first\n"),
    ]);
    let mut edit = policy.edit().expect("memory");
    edit.activate().expect("complete");
    edit.commit()
}

/// Executes lines of `<kernel>`, `each` in an edit.
fn change(policy: Policy, lines: &[String], each: usize) -> Policy {
    lines.chunks(each).fold(policy, |policy, lines| {
        let mut edit = policy.edit().expect("memory");
        let mut cursor = Cursor::default();
        write(&mut edit, &mut cursor, File::Domain, "<kernel>").expect("it is there");
        for line in lines {
            write(&mut edit, &mut cursor, File::Domain, line)
                .unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        edit.commit()
    })
}

fn compare(policy: &Policy, requests: &[String], place: &str) {
    for request in requests {
        let question = question(request);
        let (facts, request_) = (question.given.facts(), &question.request);
        let mut decision = None;
        let used = allocation_counter::measure(|| {
            decision = Some(decide(policy, DomainId::ROOT, &facts, request_));
        });
        assert_eq!(used.count_total, 0, "{request}");
        let decision = decision.expect("it was measured");
        assert!(
            confirms(policy, DomainId::ROOT, &facts, request_, &decision),
            "{place}: {request}: {decision:?}\n{}",
            File::Domain.print(policy)
        );
    }
}

#[test]
fn engine_and_oracle_agree_about_crowds() {
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let mut policy = base();
        let memory = policy.memory();
        let (mut lines, mut requests): (Vec<String>, Vec<String>) = (0..400).map(|_| dice.acl()).unzip();
        // Some without `; set`, where any entry that grants will do.
        if seed % 2 == 0 {
            lines.retain(|line| !line.contains("; set"));
        }
        requests.truncate(150);
        for (round, lines) in lines.chunks(60).enumerate() {
            policy = change(policy, lines, 1 + round * 7);
            compare(&policy, &requests, &format!("seed {seed}, round {round}"));
        }
        if seed % 5 == 0 {
            check_reading_back(&policy, "crowds");
            let image = wire::compile(&policy).expect("memory");
            let loaded = wire::load(&image, 5, 0).ok().expect("a good image");
            assert_eq!(File::Domain.print(&loaded), File::Domain.print(&policy));
        }
        // In another order.
        while !lines.is_empty() {
            let deleted: Vec<String> = (0..lines.len().min(45))
                .map(|_| {
                    let place = dice.below(lines.len() as u64) as usize;
                    format!("delete {}", lines.swap_remove(place))
                })
                .collect();
            policy = change(policy, &deleted, 1 + lines.len() / 60);
            compare(&policy, &requests, &format!("seed {seed}, {} left", lines.len()));
        }
        assert_eq!(File::Domain.print(&policy), File::Domain.print(&base()));
        assert_eq!(policy.memory(), memory, "seed {seed}");
    }
}

#[test]
fn a_line_of_a_crowd_is_not_added_twice() {
    let lines: Vec<String> = (0..40).map(|n| format!("allow_create /x {n} if task.uid={}", n % 5)).collect();
    let policy = change(base(), &lines, 3);
    let (text, memory) = (File::Domain.print(&policy), policy.memory());
    let policy = change(policy, &lines, 7);
    assert_eq!((File::Domain.print(&policy), policy.memory()), (text, memory));
}

#[test]
fn the_first_entry_of_a_crowd_decides_what_is_set() {
    let mut lines: Vec<String> =
        (0..40).map(|n| format!("allow_create /x {n}-50 if ; set task.state[0]={n}")).collect();
    lines.reverse();
    let policy = change(base(), &lines, 100);
    let question = question("allow_create /x 20");
    let decision = decide(&policy, DomainId::ROOT, &question.given.facts(), &question.request);
    assert_eq!(decision.set[0], Some(20));
}
