// SPDX-License-Identifier: MIT OR Apache-2.0
//! Engine against oracle: random policies, and requests that nearly match them.
//!
//! `SEKISHO_DIFFERENTIAL_COUNT` says how many comparisons (default 200,000), `SEKISHO_DIFFERENTIAL_SEED` where to start;
//! `cargo xtask differential --count N` sets them. A difference prints the policy and the request.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

use sekisho_core::address::Address;
use sekisho_core::capability::Capability;
use sekisho_core::engine;
use sekisho_core::facts::{Arguments, Attributes, Facts, Object, Objects};
use sekisho_core::mem::Vec as Text;
use sekisho_core::name::Name;
use sekisho_core::number::Number;
use sekisho_core::oracle;
use sekisho_core::policy::{Cursor, DomainId, Policy};
use sekisho_core::request::{Class, DeviceOp, NetworkOp, Operation, Path2Op, PathNumberOp, PathOp, Request};
use sekisho_core::task::Task;
use sekisho_core::transition::next_domain;

/// xorshift64*: small, quick, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 33) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}

const PIECES: [&str; 12] = ["a", "b", "ab", ".", "1", "23", "f", "\\040", "\\\\", "x1", "lib", ".so"];
const WILD: [&str; 9] = ["\\*", "\\@", "\\?", "\\$", "\\+", "\\X", "\\x", "\\A", "\\a"];

fn component(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(2) {
        text.push_str(random.pick(&PIECES));
    }
    text
}

fn wild_component(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(3) {
        text.push_str(if random.one_in(2) { random.pick(&WILD) } else { random.pick(&PIECES) });
    }
    if random.one_in(8) {
        text.push_str("\\-");
        if !random.one_in(6) {
            text.push_str(if random.one_in(2) { random.pick(&WILD) } else { random.pick(&PIECES) });
        }
    }
    text
}

/// A word; a third of them without wildcards.
fn word(random: &mut Random) -> String {
    let mut text = String::new();
    if random.one_in(20) {
        return if random.one_in(2) { "pipe:[\\$]".into() } else { wild_component(random) };
    }
    let plain = random.one_in(3);
    for _ in 0..=random.below(4) {
        text.push('/');
        if plain || random.one_in(2) {
            text.push_str(&component(random));
        } else if random.one_in(6) {
            text.push_str(&format!("\\{{{}\\}}/{}", wild_component(random), component(random)));
        } else {
            text.push_str(&wild_component(random));
        }
    }
    if random.one_in(4) {
        text.push('/');
    }
    text
}

/// A name that a word matches, or nearly.
fn instance(random: &mut Random, word: &str) -> String {
    let mut text = String::new();
    let mut rest = word;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("\\{") {
            let (inner, after) = after.split_once("\\}/").unwrap_or((after, ""));
            for _ in 0..=random.below(3) {
                text.push_str(&instance(random, inner));
                text.push('/');
            }
            rest = after;
            continue;
        }
        if let Some(after) = rest.strip_prefix("\\-") {
            // What is subtracted is not part of the name, but now and then exactly that.
            let end = after.find('/').unwrap_or(after.len());
            if random.one_in(3) {
                let start = text.rfind('/').map_or(0, |slash| slash + 1);
                text.truncate(start);
                text.push_str(&instance(random, &after[..end].replace("\\-", "")));
            }
            rest = &after[end..];
            continue;
        }
        let wild = WILD.iter().find(|wild| rest.starts_with(**wild));
        if let Some(wild) = wild {
            rest = &rest[wild.len()..];
            let repeat = random.below(3);
            match *wild {
                "\\*" => (0..repeat).for_each(|_| text.push_str(random.pick(&PIECES))),
                "\\@" => (0..repeat).for_each(|_| text.push_str(random.pick(&["a", "1", "\\040"]))),
                "\\?" => text.push_str(random.pick(&["a", "\\040", "\\\\", "."])),
                "\\$" => (0..=repeat).for_each(|_| text.push_str(random.pick(&["1", "2", "90"]))),
                "\\+" => text.push_str(random.pick(&["1", "7"])),
                "\\X" => (0..=repeat).for_each(|_| text.push_str(random.pick(&["a", "F", "0"]))),
                "\\x" => text.push_str(random.pick(&["f", "9"])),
                "\\A" => (0..=repeat).for_each(|_| text.push_str(random.pick(&["x", "Q"]))),
                _ => text.push('z'),
            }
            continue;
        }
        let unit = if rest.starts_with("\\\\") {
            2
        } else if rest.starts_with('\\') {
            4
        } else {
            1
        };
        text.push_str(&rest[..unit]);
        rest = &rest[unit..];
    }
    match random.below(12) {
        0 => text.push('/'),
        1 => text.push_str(random.pick(&PIECES)),
        2 => text = text.trim_end_matches('/').to_owned(),
        3 => {
            if let Some(slash) = text.rfind('/') {
                text.truncate(slash);
            }
        }
        4 => text.insert_str(text.find('/').map_or(0, |slash| slash + 1), random.pick(&PIECES)),
        5 => text.push_str(&format!("/{}", component(random))),
        _ => {}
    }
    text
}

fn number(random: &mut Random) -> String {
    match random.below(5) {
        0 => "@N".into(),
        1 => format!("{}-{}", random.below(6), random.below(9)),
        2 => format!("0{}", random.below(8)),
        3 => format!("0x{:x}", random.below(8)),
        _ => random.below(8).to_string(),
    }
}

fn test(random: &mut Random) -> String {
    const LEFT: [&str; 16] = [
        "task.uid",
        "task.gid",
        "task.state[0]",
        "task.type",
        "path1.uid",
        "path1.perm",
        "path1.type",
        "path1.parent.perm",
        "path2.uid",
        "path2.parent.ino",
        "exec.argc",
        "exec.envc",
        "setuid",
        "sticky",
        "file",
        "3",
    ];
    const RIGHT: [&str; 12] = [
        "0",
        "1",
        "2-4",
        "@N",
        "task.uid",
        "path1.uid",
        "path1.perm",
        "execute_handler",
        "setuid",
        "file",
        "0100000",
        "04000",
    ];
    let operator = if random.one_in(3) { "!=" } else { "=" };
    match random.below(8) {
        0 => format!("exec.argv[{}]{operator}\"{}\"", random.below(3), wild_component(random)),
        1 => format!(
            "exec.envp[\"{}\"]{operator}\"{}\"",
            random.pick(&["A", "\\*", "B"]),
            wild_component(random)
        ),
        2 => format!("exec.envp[\"{}\"]{operator}NULL", random.pick(&["A", "\\a", "C"])),
        3 => format!(
            "{}{operator}{}",
            random.pick(&["exec.realpath", "symlink.target"]),
            if random.one_in(3) { "@P".into() } else { format!("\"{}\"", word(random)) }
        ),
        _ => format!("{}{operator}{}", random.pick(&LEFT), random.pick(&RIGHT)),
    }
}

fn condition(random: &mut Random) -> String {
    let mut text = String::new();
    if random.one_in(3) {
        text.push_str(&format!(" if {}", test(random)));
        if random.one_in(3) {
            text.push_str(&format!(" {}", test(random)));
        }
    }
    if random.one_in(12) {
        text.push_str(&format!(" ; set task.state[{}]={}", random.below(3), random.below(9)));
    }
    text
}

fn path(random: &mut Random, words: &mut Vec<String>) -> String {
    if random.one_in(8) {
        return random.pick(&["@P", "@Q"]).into();
    }
    // Words come again, so that entries share them.
    if random.one_in(3) && !words.is_empty() {
        return words[random.below(words.len() as u64) as usize].clone();
    }
    let word = word(random);
    words.push(word.clone());
    word
}

fn acl(random: &mut Random, words: &mut Vec<String>) -> String {
    let operations: Vec<Operation> = Operation::all()
        .filter(|op| !matches!(op.class(), Class::ExecuteHandler | Class::DeniedExecuteHandler))
        .collect();
    let operation = if random.one_in(3) {
        random.pick(&operations)
    } else {
        Operation::Path(random.pick(&[PathOp::Read, PathOp::Write, PathOp::ReadWrite, PathOp::Execute]))
    };
    let mut line = String::from_utf8(operation.keyword().to_vec()).unwrap();
    let mut add = |word: String| {
        line.push(' ');
        line.push_str(&word);
    };
    match operation.class() {
        Class::Path => add(path(random, words)),
        Class::Path2 => (0..2).for_each(|_| add(path(random, words))),
        Class::PathNumber => {
            add(path(random, words));
            add(number(random));
        }
        Class::Device => {
            add(path(random, words));
            (0..3).for_each(|_| add(number(random)));
        }
        Class::Network => {
            add(random.pick(&["10.0.0.1", "10.0.0.0-10.0.0.9", "@A", "1:0:0:0:0:0:0:2"]).into());
            add(number(random));
        }
        Class::Mount => {
            (0..2).for_each(|_| add(path(random, words)));
            add(random.pick(&["ext3", "--bind", "\\A\\$"]).into());
            add(number(random));
        }
        Class::Env => add(random.pick(&["PATH", "LC_\\*", "\\A"]).into()),
        Class::Capability => add(random.pick(&["SYS_TIME", "SYS_NICE"]).into()),
        _ => {
            add(random.below(4).to_string());
            add(random.pick(&["<kernel>", "<kernel> /a", "<kernel> /a /b"]).into());
        }
    }
    line + &condition(random)
}

/// The lines of a policy, and the words in it.
fn policy(random: &mut Random) -> (Policy, String, Vec<String>) {
    let mut words = Vec::new();
    let mut text = String::new();
    let mut edit = Policy::with_key(random.next()).unwrap().edit().unwrap();
    edit.profile_line(b"PROFILE_VERSION=20090903").unwrap();
    edit.profile_line(b"0-CONFIG={ mode=enforcing }").unwrap();
    let mut exception = |edit: &mut sekisho_core::edit::Edit, line: String| {
        let _ = edit.exception_policy_line(line.as_bytes());
        text.push_str(&format!("exception: {line}\n"));
    };
    for _ in 0..random.below(12) {
        let word = word(random);
        words.push(word.clone());
        let line = match random.below(9) {
            0 => format!("path_group P {word}"),
            1 => format!("path_group Q {word}"),
            2 => format!("number_group N {}-{}", random.below(3), random.below(6) + 3),
            3 => format!("address_group A 10.0.0.{}", random.below(4)),
            4 => format!("allow_read {word}"),
            5 => format!("file_pattern {word}"),
            6 => format!("deny_rewrite {word}"),
            7 => format!("aggregator {word} {}", random.pick(&["/a", "/b"])),
            _ => {
                let from = random.pick(&["", " from /a", " from <kernel> /a", " from <kernel>"]);
                format!("{}initialize_domain {}{from}", random.pick(&["", "no_"]), random.pick(&["/a", "/b"]))
            }
        };
        exception(&mut edit, line);
        if random.one_in(4) {
            let line = format!(
                "{}keep_domain {}",
                random.pick(&["", "no_"]),
                random.pick(&["/a", "<kernel>", "/b from /a"])
            );
            exception(&mut edit, line);
        }
    }
    let mut cursor = Cursor::default();
    for line in ["<kernel>", "<kernel> /a", "<kernel> /a /b"] {
        edit.domain_policy_line(&mut cursor, line.as_bytes()).unwrap();
    }
    edit.domain_policy_line(&mut cursor, b"<kernel>").unwrap();
    let mut lines: Vec<String> = Vec::new();
    for _ in 0..random.below(40) + 1 {
        let line = if random.one_in(8) && !lines.is_empty() {
            format!("delete {}", random.pick(&lines.iter().collect::<Vec<_>>()))
        } else {
            acl(random, &mut words)
        };
        let done = edit.domain_policy_line(&mut cursor, line.as_bytes());
        text.push_str(&format!("domain: {line} ({})\n", if done.is_ok() { "ok" } else { "rejected" }));
        lines.push(line);
        if random.one_in(10) {
            edit = edit.commit().edit().unwrap();
        }
    }
    edit.activate().unwrap();
    (edit.commit(), text, words)
}

struct World {
    attributes: [Option<Attributes>; 4],
    argv: Vec<String>,
    envp: Vec<(String, String)>,
}

impl Objects for World {
    fn attributes(&self, object: Object) -> Option<Attributes> {
        Object::ALL
            .iter()
            .zip(&self.attributes)
            .find(|(known, _)| **known == object)
            .and_then(|(_, found)| *found)
    }
}

impl Arguments for World {
    fn argc(&self) -> u64 {
        self.argv.len() as u64
    }

    fn envc(&self) -> u64 {
        self.envp.len() as u64
    }

    fn realpath(&self) -> Option<Name<'_>> {
        Name::new(b"/bin/x1")
    }

    fn argv(&self, index: u64, visit: &mut dyn FnMut(Name<'_>)) -> bool {
        let argument = self.argv.get(index as usize).and_then(|text| Name::new(text.as_bytes()));
        argument.map(visit).is_some()
    }

    fn envp(&self, visit: &mut dyn FnMut(Name<'_>, Option<Name<'_>>)) {
        for (name, value) in &self.envp {
            visit(Name::new(name.as_bytes()).unwrap(), Name::new(value.as_bytes()));
        }
    }
}

fn world(random: &mut Random) -> World {
    let mut attributes = [None; 4];
    for place in &mut attributes {
        if random.one_in(2) {
            *place = Some(Attributes {
                uid: random.below(3) as u32,
                gid: 0,
                ino: random.below(4),
                major: 8,
                minor: 1,
                mode: random.pick(&[0o100_644, 0o104_755, 0o041_777, 0o020_600]),
                dev_major: 1,
                dev_minor: 3,
            });
        }
    }
    let argv = (0..random.below(3)).map(|_| component(random)).collect();
    let envp =
        (0..random.below(3)).map(|_| (random.pick(&["A", "B", "C"]).to_owned(), component(random))).collect();
    World { attributes, argv, envp }
}

fn request<'a>(random: &mut Random, names: &'a [String; 3]) -> Request<'a> {
    let name = |at: usize| Name::new(names[at].as_bytes()).unwrap();
    let value = |random: &mut Random| Number::decimal(random.below(9));
    if !random.one_in(4) {
        let op =
            random.pick(&[PathOp::Read, PathOp::Write, PathOp::ReadWrite, PathOp::Execute, PathOp::Symlink]);
        return Request::Path { op, path: name(0) };
    }
    match random.below(8) {
        0 => {
            let op = random.pick(&[Path2Op::Link, Path2Op::Rename]);
            Request::Path2 { op, from: name(0), to: name(1) }
        }
        1 => {
            let op = random.pick(&[PathNumberOp::Create, PathNumberOp::Chmod, PathNumberOp::Ioctl]);
            Request::PathNumber { op, path: name(0), number: value(random) }
        }
        2 => Request::Device {
            op: random.pick(&[DeviceOp::Mkblock, DeviceOp::Mkchar]),
            path: name(0),
            mode: value(random),
            major: value(random),
            minor: value(random),
        },
        3 => Request::Network {
            op: random.pick(&[NetworkOp::TcpConnect, NetworkOp::UdpBind, NetworkOp::TcpBind]),
            address: random.pick(&[
                Address::V4([10, 0, 0, 1]),
                Address::V4([10, 0, 0, 7]),
                Address::V6([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]),
            ]),
            port: random.below(9) as u16,
        },
        4 => Request::Mount {
            device: name(0),
            compare_device: random.one_in(2),
            dir: name(1),
            kind: Name::new(random.pick(&[&b"ext3"[..], b"--bind"])).unwrap(),
            flags: value(random),
        },
        5 => Request::Env { name: Name::new(random.pick(&[&b"PATH"[..], b"LC_ALL", b"LC_"])).unwrap() },
        6 => Request::Capability(random.pick(&[Capability::SysTime, Capability::SysNice])),
        _ => Request::Signal {
            number: random.below(4) as u16,
            target: random.pick(&[&b"<kernel>"[..], b"<kernel> /a", b"<kernel> /a /b", b"<kernel> /ab"]),
        },
    }
}

#[test]
fn engine_and_oracle_agree() {
    let setting = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let count = setting("SEKISHO_DIFFERENTIAL_COUNT", 200_000);
    let mut random = Random(setting("SEKISHO_DIFFERENTIAL_SEED", 0x5EED).max(1));
    let (mut done, mut granted) = (0_u64, 0_u64);
    while done < count {
        let (policy, text, mut words) = policy(&mut random);
        words.push("/a".into());
        for _ in 0..60 {
            let names = [0; 3].map(|_: i32| loop {
                let from = random.below(words.len() as u64) as usize;
                let name = instance(&mut random, &words[from]);
                if Name::new(name.as_bytes()).is_some() {
                    break name;
                }
            });
            let world = world(&mut random);
            let task = Task {
                uid: random.below(3) as u32,
                gid: random.below(2) as u32,
                state: [random.below(2) as u8, 0, 0],
                execute_handler: random.one_in(4),
                ..Task::default()
            };
            let mut facts = Facts::new(&task);
            if random.one_in(2) {
                facts.objects = Some(&world);
            }
            if random.one_in(2) {
                facts.exec = Some(&world);
            }
            if random.one_in(2) {
                facts.symlink_target = Name::new(names[2].as_bytes());
            }
            let request = request(&mut random, &names);
            let engine = engine::decide(&policy, DomainId::ROOT, &facts, &request);
            let oracle = oracle::decide(&policy, DomainId::ROOT, &facts, &request);
            let mut shown = Text::new();
            if engine != oracle {
                request.print(&mut shown).unwrap();
                panic!("{text}\n{}\nengine {engine:?}\noracle {oracle:?}", String::from_utf8_lossy(&shown));
            }
            granted += u64::from(engine.granted);
            let name = Name::new(names[0].as_bytes()).unwrap();
            let same = policy.aggregate(name) == oracle::aggregate(&policy, name)
                && policy.file_pattern(name) == oracle::file_pattern(&policy, name)
                && policy.is_rewrite_denied(name) == oracle::is_rewrite_denied(&policy, name);
            assert!(same, "{text}\n{}", names[0]);
            let program = Name::new(random.pick(&[&b"/a"[..], b"/b"])).unwrap();
            let domain = random.pick(&[&b"<kernel>"[..], b"<kernel> /a", b"<kernel> /a /b"]);
            let domain = policy.find_domain(domain).unwrap();
            let mut expected = Text::new();
            oracle::next_domain_name(&policy, domain, program, &mut expected).unwrap();
            let found = next_domain(&policy, domain, program).name().unwrap();
            assert_eq!(found[..], expected[..], "{text}");
            done += 1;
        }
    }
    println!("{done} comparisons without a difference; {granted} requests were granted");
    assert!(
        granted > done / 20,
        "only {granted} of {done} were granted: the requests are too far from the rules"
    );
}
