// SPDX-License-Identifier: MIT OR Apache-2.0
//! Operations with the lines that they need, tried in every mode: what most topics consist of.
//!
//! Enforcing: with exactly these lines it happens, and each is recorded as granted in the order in which it is asked;
//! without any one of them it is refused although the same names have all other permissions, it has not happened, and
//! the missing line is the one record. Learning: it happens and these lines are learned, and recorded. Permissive: it
//! happens and nothing is learned. Disabled: it happens and nothing is recorded.

use guest::kernel::{delete_domain, domain, records, set_domain, write};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::{domain_of, fresh_work};

/// One operation.
pub struct Case {
    name: String,
    op: Op,
    needs: Vec<String>,
    before: Vec<Op>,
    after: Vec<Op>,
    happened: Option<fn() -> bool>,
    answer: i32,
    partial: bool,
}

/// An operation, and the lines that it needs in the order in which they are asked for.
pub fn case(name: &str, op: Op, needs: &[&str]) -> Case {
    Case {
        name: name.into(),
        op,
        needs: needs.iter().map(|line| (*line).to_owned()).collect(),
        before: Vec::new(),
        after: Vec::new(),
        happened: None,
        answer: 0,
        partial: false,
    }
}

impl Case {
    /// Done by the subject in disabled mode before.
    pub fn before(mut self, ops: &[Op]) -> Self {
        self.before = ops.to_vec();
        self
    }

    /// Done by the subject in disabled mode afterwards, whatever came of it.
    pub fn after(mut self, ops: &[Op]) -> Self {
        self.after = ops.to_vec();
        self
    }

    /// Tells whether the operation had its effect.
    pub fn happened(mut self, happened: fn() -> bool) -> Self {
        self.happened = Some(happened);
        self
    }

    /// What an allowed operation says if it is not 0: it has passed the checks and fails for another reason.
    pub fn answers(mut self, errno: i32) -> Self {
        self.answer = errno;
        self
    }

    /// Only what is asked first keeps all of it from happening.
    pub fn partial(mut self) -> Self {
        self.partial = true;
        self
    }
}

/// A subject, its domain and the profiles for the modes.
pub struct Table {
    /// The acting process.
    pub subject: Subject,
    /// Its domain.
    pub name: String,
    /// Profile numbers: enforcing, learning, permissive.
    pub profiles: [u8; 3],
}

/// Runs a topic with a subject that is gone afterwards, and its domain with it.
pub fn with_subject(tap: &mut Tap, program: &str, topic: impl FnOnce(&mut Tap, &mut Table)) {
    let name = domain_of(program);
    set_domain(&name, 0, &[]);
    fresh_work();
    match Subject::start(program) {
        Ok(subject) => {
            let mut table = Table { subject, name: name.clone(), profiles: [3, 1, 2] };
            topic(tap, &mut table);
        }
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    delete_domain(&name);
    drain();
}

/// Empties both logs.
pub fn drain() {
    records("grant_log");
    records("reject_log");
}

/// The requests in a log, oldest first.
pub fn requests(log: &str) -> Vec<String> {
    records(log).iter().map(|record| request(record).to_owned()).collect()
}

/// The request of a record: its last line.
pub fn request(record: &str) -> &str {
    record.trim_end_matches('\n').rsplit('\n').next().unwrap_or_default()
}

/// A line without its condition, as a record has it.
pub fn bare(line: &str) -> &str {
    line.split(" if ").next().unwrap_or_default()
}

/// The ACL lines of a domain.
pub fn acls(name: &str) -> Vec<String> {
    domain(name).into_iter().filter(|line| line.starts_with("allow_")).collect()
}

impl Table {
    /// Lets the subject do something without any policy.
    pub fn free(&mut self, tap: &mut Tap, op: &Op) {
        self.disable();
        let errno = self.subject.errno(op);
        if errno != 0 {
            tap.same(&format!("in disabled mode: {}", op.encode()), errno, 0);
        }
    }

    /// In enforcing mode with these lines only, the errno of an operation.
    pub fn enforced(&mut self, lines: &[&str], op: &Op) -> i32 {
        set_domain(&self.name, self.profiles[0], lines);
        drain();
        self.subject.errno(op)
    }

    /// As `enforced`, as a case: with these lines this errno.
    pub fn judge(&mut self, tap: &mut Tap, name: &str, lines: &[&str], op: &Op, errno: i32) {
        let happened = self.enforced(lines, op);
        tap.same(&format!("{name}, with {lines:?}"), happened, errno);
    }

    fn perform(&mut self, tap: &mut Tap, case: &Case, profile: u8, lines: &[String]) -> i32 {
        fresh_work();
        for op in &case.before {
            self.free(tap, op);
        }
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        set_domain(&self.name, profile, &lines);
        drain();
        self.subject.errno(&case.op)
    }

    fn tidy(&mut self, case: &Case) {
        if !case.after.is_empty() {
            self.disable();
        }
        for op in &case.after {
            self.subject.errno(op);
        }
    }

    /// Nothing is enforced; the lines stay until the next ones are set.
    fn disable(&self) {
        write("domain_policy", &format!("{}\nuse_profile 0", self.name));
    }

    /// Tries all cases.
    pub fn all(&mut self, tap: &mut Tap, cases: &[Case]) {
        for case in cases {
            self.case(tap, case);
        }
    }

    /// Tries one case in every mode.
    pub fn case(&mut self, tap: &mut Tap, case: &Case) {
        let [enforcing, learning, permissive] = self.profiles;
        let name = &case.name;
        let needs: Vec<String> = case.needs.iter().map(|line| bare(line).to_owned()).collect();
        let mut once: Vec<String> = Vec::new();
        for line in &case.needs {
            if !once.contains(line) {
                once.push(line.clone());
            }
        }
        let effect = |tap: &mut Tap, mode: &str, expected: bool| {
            if let Some(happened) = case.happened {
                tap.same(&format!("{name}, {mode}: it happened"), happened(), expected);
            }
        };

        let errno = self.perform(tap, case, enforcing, &once);
        tap.same(&format!("{name}, enforcing"), errno, case.answer);
        tap.same(&format!("{name}, enforcing: granted records"), requests("grant_log"), needs.clone());
        tap.same(&format!("{name}, enforcing: no other records"), requests("reject_log"), Vec::new());
        effect(tap, "enforcing", true);
        self.tidy(case);
        for (index, missing) in once.iter().enumerate() {
            let mut lines = neighbours(&once, missing);
            lines.extend(once.iter().filter(|line| *line != missing).cloned());
            let errno = self.perform(tap, case, enforcing, &lines);
            tap.same(&format!("{name}, without {missing}"), errno, EPERM);
            tap.same(
                &format!("{name}, without {missing}: the record"),
                requests("reject_log"),
                vec![bare(missing).to_owned()],
            );
            if index == 0 || !case.partial {
                effect(tap, &format!("without {missing}"), false);
            }
            self.tidy(case);
        }

        let errno = self.perform(tap, case, learning, &[]);
        tap.same(&format!("{name}, learning"), errno, case.answer);
        let (mut learned, mut expected) = (acls(&self.name), once.clone());
        learned.sort();
        expected.sort();
        tap.same(&format!("{name}, learning: the lines"), learned, expected);
        let missed: Vec<String> = once.iter().map(|line| bare(line).to_owned()).collect();
        tap.same(&format!("{name}, learning: the records"), requests("reject_log"), missed);
        effect(tap, "learning", true);
        self.tidy(case);

        let errno = self.perform(tap, case, permissive, &[]);
        tap.same(&format!("{name}, permissive"), errno, case.answer);
        tap.same(&format!("{name}, permissive: nothing is learned"), acls(&self.name), Vec::new());
        tap.same(&format!("{name}, permissive: the records"), requests("reject_log"), needs);
        effect(tap, "permissive", true);
        self.tidy(case);

        let errno = self.perform(tap, case, 0, &[]);
        tap.same(&format!("{name}, disabled"), errno, case.answer);
        let silent = requests("grant_log").len() + requests("reject_log").len();
        tap.same(&format!("{name}, disabled: no records"), silent, 0);
        effect(tap, "disabled", true);
        self.tidy(case);
    }
}

/// What takes one path.
const PATHS: &[&str] = &[
    "allow_read",
    "allow_write",
    "allow_read/write",
    "allow_execute",
    "allow_unlink",
    "allow_rmdir",
    "allow_truncate",
    "allow_symlink",
    "allow_rewrite",
    "allow_chroot",
    "allow_unmount",
];

/// What takes a path and a number.
const NUMBERS: &[&str] = &[
    "allow_create",
    "allow_mkdir",
    "allow_mkfifo",
    "allow_mksock",
    "allow_chmod",
    "allow_chown",
    "allow_chgrp",
    "allow_ioctl",
];

/// What takes a path and three numbers.
const DEVICES: &[&str] = &["allow_mkblock", "allow_mkchar"];

/// What takes two paths.
const PAIRS: &[&str] = &["allow_link", "allow_rename", "allow_pivot_root"];

/// All capabilities, in the order of reference 4.10.
pub const CAPABILITIES: &[&str] = &[
    "inet_tcp_create",
    "inet_tcp_listen",
    "inet_tcp_connect",
    "use_inet_udp",
    "use_inet_ip",
    "use_route",
    "use_packet",
    "SYS_MOUNT",
    "SYS_UMOUNT",
    "SYS_REBOOT",
    "SYS_CHROOT",
    "SYS_KILL",
    "SYS_VHANGUP",
    "SYS_TIME",
    "SYS_NICE",
    "SYS_SETHOSTNAME",
    "use_kernel_module",
    "create_fifo",
    "create_block_dev",
    "create_char_dev",
    "create_unix_socket",
    "SYS_LINK",
    "SYS_SYMLINK",
    "SYS_RENAME",
    "SYS_UNLINK",
    "SYS_CHMOD",
    "SYS_CHOWN",
    "SYS_IOCTL",
    "SYS_KEXEC_LOAD",
    "SYS_PIVOT_ROOT",
    "SYS_PTRACE",
    "conceal_mount",
];

/// All permissions for the names of a case except the missing one: a permission must not stand for another.
fn neighbours(needs: &[String], missing: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let missing = bare(missing);
    let words: Vec<&str> = missing.split(' ').collect();
    let lost = words.first().copied().unwrap_or_default();
    let mut names: Vec<&str> = Vec::new();
    for name in needs.iter().flat_map(|line| bare(line).split(' ')).filter(|word| word.starts_with('/')) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    for path in &names {
        for keyword in PATHS {
            // read/write is read and write, so it gives both away, and both bits of one entry are read/write.
            let gives = *keyword == "allow_read/write" && matches!(lost, "allow_read" | "allow_write");
            let makes = lost == "allow_read/write" && *keyword == "allow_write";
            if *keyword != lost && !gives && !makes {
                lines.push(format!("{keyword} {path}"));
            }
        }
        for keyword in NUMBERS.iter().filter(|keyword| **keyword != lost) {
            lines.push(format!("{keyword} {path} 0-0xFFFFFFFF"));
        }
        for keyword in DEVICES.iter().filter(|keyword| **keyword != lost) {
            lines.push(format!("{keyword} {path} 0-07777 0-999 0-999"));
        }
        for other in &names {
            for keyword in PAIRS.iter().filter(|keyword| **keyword != lost) {
                lines.push(format!("{keyword} {path} {other}"));
            }
        }
    }
    if lost == "allow_capability" {
        let others = CAPABILITIES.iter().filter(|name| Some(*name) != words.get(1));
        lines.extend(others.map(|name| format!("allow_capability {name}")));
    }
    // The same operation with other numbers, or with the names the other way round, is another permission.
    if let (true, [keyword, path, number]) = (NUMBERS.contains(&lost), words.as_slice()) {
        let number = guess(number);
        lines.push(format!("{keyword} {path} {}", number + 1));
        if number > 0 {
            lines.push(format!("{keyword} {path} 0-{}", number - 1));
        }
    }
    if let (true, [keyword, path, mode, major, minor]) = (DEVICES.contains(&lost), words.as_slice()) {
        let (major_number, minor_number) = (guess(major), guess(minor));
        lines.push(format!("{keyword} {path} 0-07777 {major} {}", minor_number + 1));
        lines.push(format!("{keyword} {path} 0-07777 {} {minor}", major_number + 1));
        lines.push(format!("{keyword} {path} {} {major} {minor}", guess(mode) + 1));
    }
    if let (true, [keyword, from, to]) = (PAIRS.contains(&lost), words.as_slice()) {
        lines.push(format!("{keyword} {to} {from}"));
        lines.push(format!("{keyword} {from} {from}"));
    }
    lines
}

/// The value of a number as policy writes it.
fn guess(word: &str) -> u64 {
    let parsed = if let Some(digits) = word.strip_prefix("0x") {
        u64::from_str_radix(digits, 16)
    } else if word.starts_with('0') {
        u64::from_str_radix(word, 8)
    } else {
        word.parse()
    };
    parsed.unwrap_or(0)
}
