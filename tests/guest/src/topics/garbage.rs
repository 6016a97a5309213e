// SPDX-License-Identifier: MIT OR Apache-2.0
//! Garbage written to every file: no crash, the policy stays what it was, and `errors` says what was wrong.

use std::fs;

use guest::kernel::{self, last_error, read, stat, try_write, DIRECTORY};
use guest::tap::Tap;

/// Files that take lines; the others take nothing.
const LINE_FILES: &[&str] = &[
    "domain_policy",
    "exception_policy",
    "profile",
    "manager",
    "meminfo",
    "query",
    ".domain_status",
    ".process_status",
];

/// A small generator with a fixed seed (Marsaglia's xorshift): the same garbage on every machine.
struct Random(u64);

impl Random {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.to_le_bytes()[4]
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }
}

/// Words that make a random line look like policy, so that it gets further than the first word.
const WORDS: &[&str] = &[
    "<kernel>",
    "delete",
    "select",
    "use_profile",
    "allow_read",
    "allow_write",
    "allow_read/write",
    "allow_execute",
    "allow_create",
    "allow_mkdir",
    "allow_rename",
    "if",
    "; set",
    "task.uid=",
    "task.uid=0",
    "@G",
    "/a",
    "/\\*",
    "/\\{\\*\\}/",
    "\\",
    "\\{",
    "/\\{/",
    "\\}",
    "\\101",
    "\\*\\-\\*\\-",
    "0644",
    "0-",
    "-",
    "99999999999999999999999",
    "0x",
    "08",
    "number_group",
    "path_group",
    "initialize_domain",
    "keep_domain",
    "no_keep_domain",
    "from",
    "PROFILE_VERSION=",
    "3-CONFIG",
    "3-CONFIG::file::",
    "256-CONFIG={",
    "mode=enforcing",
    "use_default",
    "=",
    "\u{e9}",
    "\t",
    "\0",
    "\r",
    "manage_by_non_root",
    "#",
    "//",
    "/../",
];

pub fn run(tap: &mut Tap) {
    tap.topic("garbage");
    let mut files: Vec<String> = fs::read_dir(DIRECTORY)
        .map(|entries| {
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    files.sort();
    tap.check("there are files", files.len() >= 11, || format!("{files:?}"));
    for file in &files {
        let policy = policy();
        let mut random = Random(0x5EC1_5405_EC15_4001);
        for (label, bytes) in texts(&mut random) {
            one(tap, file, label, &bytes);
        }
        tap.same(&format!("{file}: the policy is what it was"), self::policy(), policy);
    }
    likely(tap);
    many_errors(tap);
}

/// What must not change.
fn policy() -> [String; 4] {
    ["domain_policy", "exception_policy", "profile", "manager"].map(read)
}

/// The garbage, and whether a line based file must complain is decided by whether there is a whole non-blank line in it.
fn texts(random: &mut Random) -> Vec<(&'static str, Vec<u8>)> {
    let mut lines = random.bytes(4096);
    lines.push(b'\n');
    let mut nuls = vec![0; 1000];
    nuls.extend_from_slice(b"x\0y\n");
    vec![
        ("random bytes", lines),
        ("a line of 64 KiB", [vec![b'A'; 64 * 1024], vec![b'\n']].concat()),
        ("a line of 200 KiB", [vec![b'/'; 200 * 1024], vec![b'\n']].concat()),
        ("64 KiB without a newline", vec![b'B'; 64 * 1024]),
        ("NULs", nuls),
        ("high bytes", b"\xFF\xC3\x28z\n".to_vec()),
        ("CR LF", b"garbage\r\nmore garbage\r\n".to_vec()),
        ("no newline at all", b"garbage".to_vec()),
        ("nothing", Vec::new()),
        ("newlines", vec![b'\n'; 5000]),
        ("a thousand short lines", b"x\n".repeat(1000)),
    ]
}

fn one(tap: &mut Tap, file: &str, label: &str, bytes: &[u8]) {
    let rejected = stat("rejected_lines");
    let result = try_write(file, bytes);
    let complaint =
        !matches!(label, "64 KiB without a newline" | "no newline at all" | "nothing" | "newlines");
    if LINE_FILES.contains(&file) {
        tap.check(&format!("{file}: {label}: the write works"), result.is_ok(), || format!("{result:?}"));
        let count = stat("rejected_lines") - rejected;
        tap.check(&format!("{file}: {label}: lines rejected"), (count > 0) == complaint, || {
            count.to_string()
        });
        if complaint {
            let error = last_error();
            tap.check(
                &format!("{file}: {label}: errors has it"),
                error.starts_with(&format!("{file}:")),
                || error.clone(),
            );
            tap.check(
                &format!("{file}: {label}: errors stays printable"),
                error.is_ascii() && error.len() < 1024,
                || error.clone(),
            );
        }
    } else if file == "transaction" {
        // A command that is none fails; a line that is too long is only told.
        let fails = complaint && label != "a line of 200 KiB";
        tap.same(&format!("{file}: {label}: refused"), result.is_err(), fails);
    } else if file != "rehearsal" {
        // What rehearsal thinks of a command is in its answer. activate takes "1" only, the others nothing. Whether a write of
        // nothing fails does not matter.
        tap.check(&format!("{file}: {label}: refused"), result.is_err() || bytes.is_empty(), || {
            format!("{result:?}")
        });
    }
    tap.same(&format!("{file}: {label}: the policy is active"), read("activate"), "1\n".to_owned());
}

/// Lines made of the language's own words, in any order. What happens to be right is undone by deleting its domain or line.
fn likely(tap: &mut Tap) {
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    let before = policy();
    let rejected = stat("rejected_lines");
    for file in ["domain_policy", "exception_policy"] {
        let mut text = String::from("<kernel> /garbage\n");
        for _ in 0..400 {
            // A domain line in the middle would make other domains; they are deleted below.
            for _ in 0..=random.below(6) {
                text.push_str(WORDS.get(random.below(WORDS.len())).copied().unwrap_or_default());
                text.push(' ');
            }
            text.push('\n');
        }
        // Other domains than garbage's own must not be reachable.
        let text = text.replace("\n<kernel> \n", "\n");
        let text: String = text
            .lines()
            .filter(|line| {
                !line.trim_start_matches(['\0', '\t', '\r', ' ', '\u{e9}']).starts_with("<kernel>")
                    || line.contains("/garbage")
            })
            .filter(|line| !line.contains("select <kernel>") && !line.contains("delete <kernel>"))
            .map(|line| format!("{line}\n"))
            .collect();
        let result = try_write(file, text.as_bytes());
        tap.check(&format!("{file}: likely lines: the write works"), result.is_ok(), || {
            format!("{result:?}")
        });
    }
    tap.check("likely lines: most are rejected", stat("rejected_lines") - rejected > 400, || read("stat"));
    kernel::write("domain_policy", "delete <kernel> /garbage");
    let leftover: Vec<String> = read("exception_policy")
        .lines()
        .filter(|line| !before[1].lines().any(|old| old == *line))
        .map(|line| format!("delete {line}"))
        .collect();
    kernel::write("exception_policy", &leftover.join("\n"));
    tap.same("likely lines: the policy is what it was", policy(), before);
}

/// `errors` keeps the last 128 lines and no more.
fn many_errors(tap: &mut Tap) {
    for number in 0..300 {
        drop(try_write("exception_policy", format!("nonsense {number}\n").as_bytes()));
    }
    let errors = read("errors");
    tap.same("errors keeps 128 lines", errors.lines().count(), 128);
    tap.check("the newest last", last_error().ends_with("nonsense 299"), last_error);
    tap.check(
        "the oldest first",
        errors.lines().next().is_some_and(|line| line.ends_with("nonsense 172")),
        || errors.clone(),
    );
}
