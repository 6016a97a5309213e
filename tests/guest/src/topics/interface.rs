// SPDX-License-Identifier: MIT OR Apache-2.0
//! The policy files: every kind of line is read back as it was written, and every wrong line is reported with its place.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;

use guest::kernel::{self, last_error, open, read, stat, try_write, write, DIRECTORY};
use guest::tap::Tap;

/// Lines as the kernel prints them: they come back byte for byte.
const ACLS: &[&str] = &[
    "allow_read /etc/passwd",
    "allow_write /var/log/\\*",
    "allow_read/write /dev/null",
    "allow_execute /bin/sh",
    "allow_unlink /tmp/\\$",
    "allow_rmdir /tmp/\\*/",
    "allow_truncate /tmp/\\{\\*\\}/x",
    "allow_create /tmp/a 0644",
    "allow_create /tmp/b 0600-0644",
    "allow_create /tmp/c @MODES",
    "allow_create /tmp/d 420",
    "allow_create /tmp/e 0x1A4",
    "allow_mkdir /tmp/f/ 0755",
    "allow_rename /tmp/a /tmp/b",
    "allow_rename @FROM @TO",
    "allow_read /my\\040file",
    "allow_read /a\\\\b",
    "allow_read @GROUP",
    "allow_read pipe:[\\$]",
    "allow_read /x if task.uid=0",
    "allow_read /x if task.uid=@APP task.gid!=1000-2000",
    "allow_read /x if task.euid=task.suid task.fsuid=0x0",
    "allow_read /x if 1-2=task.pid",
    "allow_read /x if task.state[0]=1 task.state[1]!=2 task.state[2]=0-255",
    "allow_read /x if task.type!=execute_handler",
    "allow_execute /bin/su if task.egid=0 task.sgid=0 task.fsgid=0 task.ppid=1",
];

const EXCEPTIONS: &[&str] = &[
    "initialize_domain /usr/sbin/httpd",
    "initialize_domain /usr/sbin/httpd from <kernel> /sbin/init",
    "initialize_domain /usr/sbin/httpd from /sbin/init",
    "no_initialize_domain /usr/sbin/httpd from /bin/test",
    "no_initialize_domain /usr/sbin/ftpd",
    "keep_domain <kernel> /usr/sbin/sshd /bin/bash",
    "keep_domain /bin/sh",
    "keep_domain /bin/ls from /bin/sh",
    "no_keep_domain /usr/bin/passwd from /bin/bash",
    "no_keep_domain <kernel> /x",
    "path_group WEB /var/www/html/\\*",
    "path_group WEB /srv/\\{\\*\\}/\\*.html",
    "number_group IDS 10000",
    "number_group IDS 0640-0644",
    "number_group IDS 0x10-0x1F",
];

const PROFILES: &[&str] = &[
    "200-COMMENT=web = servers",
    "200-CONFIG={ mode=disabled grant_log=no reject_log=yes }",
    "200-CONFIG::file={ mode=permissive grant_log=yes reject_log=no }",
    "200-CONFIG::file::execute={ mode=enforcing grant_log=no reject_log=yes }",
    "200-CONFIG::file::mkdir={ mode=learning grant_log=yes reject_log=yes }",
];

/// A file, a wrong line, and the column where it is wrong (from 1, in the line as written).
const WRONG: &[(&str, &str, u32)] = &[
    ("domain_policy", "allow_everything /x", 1),
    ("domain_policy", "allow_read", 11),
    ("domain_policy", "allow_read /\\101", 12),
    ("domain_policy", "  allow_read   /\\q", 16),
    ("domain_policy", "allow_read /a junk", 15),
    ("domain_policy", "allow_read /a if", 17),
    ("domain_policy", "allow_create /a", 16),
    ("domain_policy", "allow_create /a -1", 17),
    ("domain_policy", "allow_create /a 99999999999999999999", 17),
    ("domain_policy", "allow_rename /a", 16),
    ("domain_policy", "allow_read /a if task.uid>0", 18),
    ("domain_policy", "allow_read /a if task.uid=0 task.foo=1", 29),
    ("domain_policy", "allow_read /a if @G=task.uid", 18),
    ("domain_policy", "use_profile 256", 13),
    ("domain_policy", "use_profile 77", 13),
    ("domain_policy", "<kernel> relative", 10),
    ("domain_policy", "delete <kernel>", 8),
    ("domain_policy", "4 /old/form/", 3),
    ("exception_policy", "frobnicate /x", 1),
    ("exception_policy", "initialize_domain relative", 19),
    ("exception_policy", "initialize_domain /x/", 19),
    ("exception_policy", "number_group G 5-3", 16),
    ("exception_policy", "number_group G ten", 16),
    ("exception_policy", "number_group G", 15),
    ("exception_policy", "number_group G 1 2", 18),
    ("exception_policy", "path_group G", 13),
    ("exception_policy", "keep_domain", 12),
    ("profile", "nonsense", 9),
    ("profile", "256-CONFIG={ mode=disabled }", 1),
    ("manager", "relative/program", 1),
    ("manager", "/dir/", 1),
];

pub fn run(tap: &mut Tap) {
    tap.topic("interface");
    files(tap);
    read_back(tap);
    order(tap);
    wrong(tap);
    bytes(tap);
    comments(tap);
    pieces(tap);
}

fn has_mode(tap: &mut Tap, name: &str, mode: u32) {
    let found = fs::metadata(kernel::path(name)).map(|meta| meta.permissions().mode() & 0o7777).unwrap_or(0);
    tap.same(&format!("mode of {name}"), format!("{found:o}"), format!("{mode:o}"));
}

fn names_in(folder: &str) -> Vec<String> {
    let names = fs::read_dir(folder).map(|entries| {
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    });
    names.unwrap_or_default()
}

/// Names, modes and simple contents of the files.
fn files(tap: &mut Tap) {
    for (name, mode) in [
        ("domain_policy", 0o600),
        ("exception_policy", 0o600),
        ("profile", 0o600),
        ("manager", 0o600),
        ("activate", 0o600),
        ("self_domain", 0o400),
        ("version", 0o400),
        ("errors", 0o400),
        ("stat", 0o400),
        ("grant_log", 0o400),
        ("reject_log", 0o400),
        ("audit", 0o400),
        ("query", 0o600),
        ("meminfo", 0o600),
        ("transaction", 0o600),
        (".domain_status", 0o600),
        (".process_status", 0o600),
        (".execute_handler", 0o600),
        (".transition", 0o200),
        ("coverage", 0o600),
        ("rehearsal", 0o600),
        ("features", 0o755),
    ] {
        has_mode(tap, name, mode);
    }
    tap.same("how many files", names_in(DIRECTORY).len(), 22);
    let features = names_in(&kernel::path("features"));
    tap.check("there are features", features.len() > 10, || format!("{features:?}"));
    for name in features {
        has_mode(tap, &format!("features/{name}"), 0o444);
    }
    tap.check(
        "version is a number",
        read("version").trim().split('.').all(|part| part.parse::<u32>().is_ok()),
        || read("version"),
    );
    tap.check("self_domain has no newline", !read("self_domain").contains('\n'), || read("self_domain"));
    let stat_text = read("stat");
    for key in [
        "active",
        "generation",
        "domains",
        "policy_bytes",
        "snapshots",
        "denied",
        "fail_closed",
        "rejected_lines",
        "grant_log_dropped",
        "reject_log_dropped",
        "audit_dropped",
        "queries",
        "previous_bytes",
    ] {
        tap.check(
            &format!("stat has {key}"),
            stat_text.lines().any(|line| line.starts_with(&format!("{key} "))),
            || stat_text.clone(),
        );
    }
    let before = stat("generation");
    write("exception_policy", "number_group GENERATION 1");
    tap.check("a change makes a new generation", stat("generation") > before, || read("stat"));
    write("exception_policy", "delete number_group GENERATION 1");
}

fn read_back(tap: &mut Tap) {
    let name = "<kernel> /tmp/x/interface";
    for line in ACLS {
        write("domain_policy", &format!("{name}\n{line}"));
        tap.same(
            &format!("domain_policy {line}"),
            kernel::domain(name),
            vec!["use_profile 0".to_owned(), (*line).to_owned()],
        );
        write("domain_policy", &format!("{name}\ndelete {line}"));
        tap.same(
            &format!("domain_policy delete {line}"),
            kernel::domain(name),
            vec!["use_profile 0".to_owned()],
        );
    }
    for line in ["quota_exceeded", "transition_failed", "use_profile 3"] {
        write("domain_policy", &format!("{name}\n{line}"));
        tap.check(&format!("domain_policy {line}"), kernel::domain(name).contains(&line.to_string()), || {
            read("domain_policy")
        });
    }
    write(
        "domain_policy",
        &format!("{name}\ndelete quota_exceeded\ndelete transition_failed\nuse_profile 0"),
    );
    tap.same("domain_policy flags deleted", kernel::domain(name), vec!["use_profile 0".to_owned()]);
    // Written in another form than it is printed.
    for (line, printed) in [
        ("  allow_read \t /x  ", "allow_read /x"),
        ("allow_create /x 0x1f", "allow_create /x 0x1F"),
        ("allow_create /x 000644", "allow_create /x 0644"),
        ("allow_create /x 5-5", "allow_create /x 5"),
    ] {
        write("domain_policy", &format!("{name}\n{line}"));
        tap.same(
            &format!("printed form of {line:?}"),
            kernel::domain(name),
            vec!["use_profile 0".to_owned(), printed.to_owned()],
        );
        write("domain_policy", &format!("{name}\ndelete {printed}"));
    }
    merging(tap, name);
    write("domain_policy", &format!("delete {name}"));
    tap.lacks_line("a deleted domain is not shown", &read("domain_policy"), name);
    for line in EXCEPTIONS {
        write("exception_policy", line);
        tap.has_line(&format!("exception_policy {line}"), &read("exception_policy"), line);
    }
    for line in EXCEPTIONS {
        write("exception_policy", &format!("delete {line}"));
        tap.lacks_line(&format!("exception_policy delete {line}"), &read("exception_policy"), line);
    }
    for line in PROFILES {
        write("profile", line);
        tap.has_line(&format!("profile {line}"), &read("profile"), line);
    }
    for line in ["/usr/sbin/tool", "<kernel> /usr/sbin/tool"] {
        write("manager", line);
        tap.has_line(&format!("manager {line}"), &read("manager"), line);
        write("manager", &format!("delete {line}"));
        tap.lacks_line(&format!("manager delete {line}"), &read("manager"), line);
    }
    let before = stat("rejected_lines");
    write("exception_policy", "delete number_group NOBODY 1\ndelete initialize_domain /nothing");
    write("domain_policy", "delete <kernel> /nothing\n\n");
    tap.same("deleting what is not there is no error", stat("rejected_lines"), before);
}

/// One entry holds several operations of a path (reference 4.4.1).
fn merging(tap: &mut Tap, name: &str) {
    for (lines, printed) in [
        ("allow_read /x\nallow_write /x", &["allow_read/write /x"][..]),
        ("delete allow_read /x", &["allow_write /x"]),
        (
            "allow_read /x\nallow_unlink /x\nallow_execute /x",
            &["allow_read/write /x", "allow_execute /x", "allow_unlink /x"],
        ),
        ("delete allow_read/write /x", &["allow_execute /x", "allow_unlink /x"]),
        ("delete allow_unlink /x\ndelete allow_execute /x", &[]),
        (
            "allow_read /x if task.uid=0\nallow_write /x if task.uid=1",
            &["allow_read /x if task.uid=0", "allow_write /x if task.uid=1"],
        ),
        ("delete allow_read /x if task.uid=0\ndelete allow_write /x if task.uid=1", &[]),
        ("allow_create /x 0644\nallow_create /x 420", &["allow_create /x 0644", "allow_create /x 420"]),
        ("delete allow_create /x 420\ndelete allow_create /x 0644", &[]),
    ] {
        write("domain_policy", &format!("{name}\n{lines}"));
        let mut expected = vec!["use_profile 0".to_owned()];
        expected.extend(printed.iter().map(|line| (*line).to_owned()));
        tap.same(&format!("after {lines:?}"), kernel::domain(name), expected);
    }
}

/// Lists keep the order in which lines came.
fn order(tap: &mut Tap) {
    let name = "<kernel> /tmp/x/order";
    let lines: Vec<String> = (0..50).map(|n| format!("allow_read /f{}", (n * 17) % 50)).collect();
    write("domain_policy", &format!("{name}\n{}", lines.join("\n")));
    let mut expected = vec!["use_profile 0".to_owned()];
    expected.extend(lines);
    tap.same("ACLs in the order in which they came", kernel::domain(name), expected);
    write("domain_policy", &format!("delete {name}"));
    // The whole text can be read in small pieces and is the same.
    let whole = read("domain_policy");
    let mut file = File::open(kernel::path("domain_policy"))
        .unwrap_or_else(|e| panic!("cannot open domain_policy: {e}"));
    let mut pieces = Vec::new();
    let mut buffer = [0; 7];
    while let Ok(count @ 1..) = file.read(&mut buffer) {
        pieces.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
    tap.same("read in pieces of 7 bytes", String::from_utf8_lossy(&pieces).into_owned(), whole);
}

fn wrong(tap: &mut Tap) {
    let name = "<kernel> /tmp/x/wrong";
    write("domain_policy", name);
    let before = (read("domain_policy"), read("exception_policy"), read("profile"), read("manager"));
    for (file, line, column) in WRONG {
        let rejected = stat("rejected_lines");
        // In domain_policy the wrong line is the second one, behind a domain that is there.
        let (text, number) = if *file == "domain_policy" {
            (format!("{name}\n{line}\n"), 2)
        } else {
            (format!("{line}\n"), 1)
        };
        let written = try_write(file, text.as_bytes());
        tap.check(&format!("{file} {line:?}: the write itself works"), written.is_ok(), || {
            format!("{written:?}")
        });
        tap.same(&format!("{file} {line:?}: one line rejected"), stat("rejected_lines") - rejected, 1);
        let error = last_error();
        let start = format!("{file}:{number}:{column}: ");
        tap.check(&format!("{file} {line:?}: the place"), error.starts_with(&start), || {
            format!("expected {start}\nhappened {error}")
        });
        let shown = line.split_whitespace().last().unwrap_or_default();
        tap.contains(&format!("{file} {line:?}: the text"), &error, shown);
    }
    let after = (read("domain_policy"), read("exception_policy"), read("profile"), read("manager"));
    tap.same("wrong lines changed nothing", after, before);
    // A line without a domain before it, and a good line behind a wrong one.
    let rejected = stat("rejected_lines");
    drop(try_write("domain_policy", b"allow_read /x\n"));
    tap.same("an ACL without a domain is rejected", stat("rejected_lines") - rejected, 1);
    drop(try_write(
        "domain_policy",
        format!("{name}\nallow_read relative/x\\q\nallow_read /good\n").as_bytes(),
    ));
    tap.same(
        "a good line behind a wrong one counts",
        kernel::domain(name),
        vec!["use_profile 0".into(), "allow_read /good".into()],
    );
    write("domain_policy", &format!("delete {name}"));
}

/// A byte that no line may have is told with what to write, and does not make a name shorter, in each file that takes lines.
fn bytes(tap: &mut Tap) {
    let name = "<kernel> /tmp/x/bytes";
    write("domain_policy", name);
    let files = ["domain_policy", "exception_policy", "profile", "manager", ".domain_status"];
    let before = files.map(read);
    for (file, line, column) in [
        ("domain_policy", "<kernel> /tmp/x/bytes/\u{e9}".to_owned(), 23),
        ("domain_policy", "select domain=<kernel> /tmp/x/bytes\u{e9}".to_owned(), 36),
        ("exception_policy", "allow_read /srv/caf\u{e9}".to_owned(), 20),
        ("profile", "9-CONFIG={ mode=learning \u{e9}}".to_owned(), 26),
        ("manager", "/usr/bin/gestor\u{e9}".to_owned(), 16),
        (".domain_status", format!("1 {name}\u{e9}"), 24),
        ("meminfo", "Policy: 100\u{e9}".to_owned(), 12),
    ] {
        let rejected = stat("rejected_lines");
        let written = try_write(file, format!("{line}\n").as_bytes());
        tap.check(&format!("{file} {line:?}: the write itself works"), written.is_ok(), || {
            format!("{written:?}")
        });
        tap.same(&format!("{file} {line:?}: one line rejected"), stat("rejected_lines") - rejected, 1);
        let start = format!("{file}:1:{column}: byte 0xC3; write it as \\303: ");
        let error = last_error();
        tap.check(&format!("{file} {line:?}: the place"), error.starts_with(&start), || {
            format!("expected {start}\nhappened {error}")
        });
    }
    let rejected =
        kernel::offer("domain_policy", &format!("{name}\nallow_read /srv/caf\u{e9}\nallow_read /\u{1b}[1m"));
    tap.same("two lines of a domain rejected", rejected, 2);
    tap.contains(
        "a control character is told",
        &last_error(),
        ":3:13: byte 0x1B; write it as \\033: allow_read /\\033[1m",
    );
    tap.same("none of them changed anything", files.map(read), before);
    write("domain_policy", &format!("delete {name}"));
}

/// A comment is no line, in each file that takes lines of policy.
fn comments(tap: &mut Tap) {
    let files = ["domain_policy", "exception_policy", "profile", "manager", ".domain_status"];
    let before = files.map(read);
    for file in files.into_iter().chain(["meminfo"]) {
        write(file, "# a comment\n  #another, with \u{e9}\n#");
    }
    write(
        "transaction",
        "# first\nbegin\n# second\nfile exception_policy\n# third\n#fourth \u{e9}\ncommit\n# last",
    );
    write("transaction", "forget");
    tap.same("comments change nothing", files.map(read), before);
}

/// A line may come in pieces, and a last line without its end is dropped (reference 10.1).
fn pieces(tap: &mut Tap) {
    let mut file = open("exception_policy");
    for piece in ["number_gr", "oup PIE", "CES 1", "\nnumber_group PIECES 2\nnumber", "_group PIECES 3"] {
        let written = file.write(piece.as_bytes());
        tap.check(&format!("piece {piece:?}"), matches!(written, Ok(n) if n == piece.len()), || {
            format!("{written:?}")
        });
    }
    drop(file);
    let text = read("exception_policy");
    tap.has_line("a line in pieces", &text, "number_group PIECES 1");
    tap.has_line("a line behind it", &text, "number_group PIECES 2");
    tap.lacks_line("a line without its end is dropped", &text, "number_group PIECES 3");
    write("exception_policy", "delete number_group PIECES 1\ndelete number_group PIECES 2");
    // A large write: thousands of lines at once.
    let lines: Vec<String> = (0..2000).map(|n| format!("number_group MANY {}", n * 2)).collect();
    write("exception_policy", &lines.join("\n"));
    let count =
        read("exception_policy").lines().filter(|line| line.starts_with("number_group MANY ")).count();
    tap.same("two thousand lines in one write", count, 2000);
    let delete: Vec<String> = lines.iter().map(|line| format!("delete {line}")).collect();
    write("exception_policy", &delete.join("\n"));
    let count =
        read("exception_policy").lines().filter(|line| line.starts_with("number_group MANY ")).count();
    tap.same("and two thousand deleted", count, 0);
}
