// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long loading takes: twice the lines may take three times as long, whatever kind they are of, in one edit and line by
//! line. It measures time, so it is run by hand, alone and optimised:
//! `cargo test --release -p sekisho-core --test loading -- --ignored --nocapture`.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a panic is how a test fails; only code in src/ must not"
)]

use sekisho_core::edit::Edit;
use sekisho_core::policy::{Cursor, Policy};
use std::time::Duration;

/// A file of the policy.
#[derive(Clone, Copy)]
enum File {
    Domain,
    Exception,
    Manager,
}
use File::{Domain, Exception, Manager};

/// Makes the line of a number.
type Line = fn(usize) -> String;

/// Ranges of ports: all of them are different up to some hundred thousand.
fn ports(n: usize) -> String {
    format!("deny_autobind {}-{}", n % 60_000, 60_000 + n / 60_000)
}

fn v4(n: usize) -> String {
    format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255)
}

const KINDS: &[(&str, File, Line)] = &[
    ("paths", Domain, |n| format!("allow_read /usr/lib/d{:03}/m{n:06}", n / 50)),
    ("one path, numbers", Domain, |n| format!("allow_create /x {n}")),
    ("one path, number ranges", Domain, |n| format!("allow_ioctl /x {n}-{}", n + 5)),
    ("one path, nested ranges", Domain, |n| format!("allow_ioctl /x 1-{n}")),
    ("one pattern, numbers", Domain, |n| format!("allow_create /x/\\* {n}")),
    ("one path, number groups", Domain, |n| format!("allow_create /x @G{n}")),
    ("one path, two numbers", Domain, |n| format!("allow_mkblock /x 0600 {} {}", n % 300, n / 300)),
    ("one path, second paths", Domain, |n| format!("allow_rename /x /y/{n}")),
    ("one path, uids", Domain, |n| format!("allow_read /x if task.uid={n}")),
    ("one path, ranges of uids", Domain, |n| format!("allow_read /x if task.uid={n}-{}", n + 9)),
    ("one path, groups of uids", Domain, |n| format!("allow_read /x if task.uid=@G{n}")),
    ("one path, programs", Domain, |n| format!("allow_execute /x if exec.argv[0]=\"/y/{n}\"")),
    ("one group, numbers", Domain, |n| format!("allow_create @P {n}")),
    ("mounts on one place", Domain, |n| format!("allow_mount /dev/{n} /mnt ext4 0x0")),
    ("one capability, uids", Domain, |n| format!("allow_capability SYS_NICE if task.uid={n}")),
    ("one variable, uids", Domain, |n| format!("allow_env HOME if task.uid={n}")),
    ("signals", Domain, |n| format!("allow_signal 9 <kernel> /bin/d{n}")),
    ("addresses", Domain, |n| format!("allow_network TCP connect {} 80", v4(n))),
    ("one address, ports", Domain, |n| {
        format!("allow_network TCP connect 10.0.0.1 {}-{}", n % 60_000, 60_000 + n / 60_000)
    }),
    ("ranges of addresses", Domain, |n| format!("allow_network TCP connect {}-{} 80", v4(n), v4(n + 3))),
    ("ranges of long addresses", Domain, |n| {
        format!(
            "allow_network TCP connect fe80:0:0:{:x}:0:0:0:{:x}-fe80:0:0:{0:x}:0:0:1:0 80",
            n >> 8,
            n & 255
        )
    }),
    ("groups of addresses", Domain, |n| format!("allow_network TCP connect @A{n} 80")),
    ("domains", Domain, |n| format!("<kernel> /usr/bin/program{n}")),
    ("one path group", Exception, |n| format!("path_group G /a/{n}")),
    ("many path groups", Exception, |n| format!("path_group G{n} /a/{n}")),
    ("one number group", Exception, |n| format!("number_group G {}-{}", 3 * n, 3 * n + 1)),
    ("one number group that grows", Exception, |n| format!("number_group G 0-{n}")),
    ("many number groups", Exception, |n| format!("number_group G{n} {n}")),
    ("one address group", Exception, |n| format!("address_group G {}-{}", v4(n), v4(n + 2))),
    ("many address groups", Exception, |n| format!("address_group G{n} {}", v4(n))),
    ("initialize_domain", Exception, |n| format!("initialize_domain /bin/p{n}")),
    ("initialize_domain of one program", Exception, |n| {
        format!("initialize_domain /bin/p from <kernel> /bin/d{n}")
    }),
    ("keep_domain", Exception, |n| format!("keep_domain <kernel> /bin/d{n}")),
    ("keep_domain of one domain", Exception, |n| format!("keep_domain /bin/p{n} from <kernel> /bin/d")),
    ("aggregator", Exception, |n| format!("aggregator /bin/p{n} /bin/p")),
    ("file_pattern", Exception, |n| format!("file_pattern /proc/p{n}/\\$")),
    ("deny_rewrite", Exception, |n| format!("deny_rewrite /var/log/d{n}/\\*.log")),
    ("allow_read for all", Exception, |n| format!("allow_read /lib/l{n}")),
    ("allow_env for all", Exception, |n| format!("allow_env V{n}")),
    ("deny_autobind", Exception, ports),
    ("managers, programs", Manager, |n| format!("/usr/sbin/m{n}")),
    ("managers, domains", Manager, |n| format!("<kernel> /usr/sbin/m{n}")),
];

fn write(edit: &mut Edit, cursor: &mut Cursor, file: File, line: &str) {
    let written = match file {
        Domain => edit.domain_policy_line(cursor, line.as_bytes()),
        Exception => edit.exception_policy_line(line.as_bytes()),
        Manager => edit.manager_line(line.as_bytes()),
    };
    assert!(written.is_ok(), "{line}");
}

/// How long this thread was on a processor, so that it does not count what else the machine does.
fn time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says so");
    Duration::from_nanos(text.split(' ').next().and_then(|time| time.parse().ok()).expect("a number"))
}

/// Loads lines; `each` in one edit.
fn load(file: File, line: Line, count: usize, each: usize) -> (Duration, usize) {
    let lines: Vec<String> = (0..count).map(line).collect();
    let mut policy = Policy::with_key(7).unwrap();
    let empty = policy.memory();
    let start = time();
    for lines in lines.chunks(each) {
        let mut edit = policy.edit().unwrap();
        let mut cursor = Cursor::default();
        write(&mut edit, &mut cursor, Domain, "<kernel>");
        for line in lines {
            write(&mut edit, &mut cursor, file, line);
        }
        policy = edit.commit();
    }
    (time() - start, policy.memory() - empty)
}

#[test]
#[ignore = "measures time"]
fn every_kind_of_line_loads_in_linear_time() {
    let wanted = std::env::var("KIND").unwrap_or_default();
    let count = std::env::var("COUNT").map_or(100_000, |count| count.parse().unwrap());
    let mut failures = Vec::new();
    for (kind, file, line) in KINDS.iter().filter(|(kind, ..)| kind.contains(&wanted)) {
        for (how, each) in [("one edit", usize::MAX), ("line by line", 1)] {
            let (half, _) = load(*file, *line, count / 2, each);
            let (whole, bytes) = load(*file, *line, count, each);
            println!("{kind}, {how}: {half:.2?}, {whole:.2?}, {} bytes a line", bytes / count);
            if whole > half.max(Duration::from_millis(100)) * 3 || each > 1 && whole > Duration::from_secs(1)
            {
                failures.push(format!("{kind}, {how}: {half:.2?}, {whole:.2?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
