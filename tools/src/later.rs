// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines of other versions: what TOMOYO 1.6, 1.8 and 2.x wrote, and what to write instead.
//!
//! A converter of lines, not of policies: what depends on more than one line (acl groups, namespaces, transition
//! preferences) is said in words.

use std::net::Ipv6Addr;

use sekisho_core::transaction::PolicyFile;

/// What to write instead of a line that was rejected; nothing if it is of no version that is known here.
pub fn instead(file: PolicyFile, line: &[u8]) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(line) else { return Vec::new() };
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    match file {
        PolicyFile::Domain => domain(&words),
        PolicyFile::Exception => exception(&words),
        PolicyFile::Profile => profile(text.trim()),
        PolicyFile::Manager => Vec::new(),
    }
}

fn domain(words: &[&str]) -> Vec<String> {
    let one = |line: String| vec![line];
    match words {
        ["delete" | "select", rest @ ..] => domain(rest),
        ["use_group", ..] => {
            one("nothing here: what the acl_group lines of this group allow belongs into the domain itself"
                .into())
        }
        ["allow_argv0", program, argv0, ..] => {
            one(format!("allow_execute {program} if exec.argv[0]=\"{argv0}\""))
        }
        // 1.6 had no modes.
        [keyword @ ("allow_create" | "allow_mkdir" | "allow_mkfifo" | "allow_mksock"), path] => {
            one(format!("{keyword} {path} 0-07777"))
        }
        [keyword @ ("allow_mkblock" | "allow_mkchar"), path] => {
            one(format!("{keyword} {path} 0-07777 0-4095 0-1048575"))
        }
        [keyword @ "allow_ioctl", path] => one(format!("{keyword} {path} 0-0xFFFFFFFF")),
        [keyword @ ("allow_chown" | "allow_chgrp"), path] => one(format!("{keyword} {path} 0-4294967295")),
        [keyword @ "allow_chmod", path] => one(format!("{keyword} {path} 0-07777")),
        [first, ..] if first.starts_with('<') && !first.starts_with("<kernel>") => {
            one("a name that begins with <kernel>; this is a namespace of TOMOYO 1.8.2 or 2.4".into())
        }
        _ => acl(words),
    }
}

/// An ACL of 1.8 or 2.x: category, operations, arguments, tests.
fn acl(words: &[&str]) -> Vec<String> {
    match words {
        ["file", operations, arguments @ ..] => {
            operations.split('/').filter_map(|op| file(op, arguments)).collect()
        }
        ["misc", "env", name, tests @ ..] => vec![format!("allow_env {name}{}", condition(tests))],
        ["capability", name, tests @ ..] => vec![format!("allow_capability {name}{}", condition(tests))],
        ["ipc", "signal", number, rest @ ..] => {
            let end =
                rest.iter().skip(1).position(|word| !word.starts_with('/')).map_or(rest.len(), |at| at + 1);
            let (domain, tests) = rest.split_at(end.min(rest.len()));
            vec![format!("allow_signal {number} {}{}", domain.join(" "), condition(tests))]
        }
        ["network", "inet", kind, operations, address, port, tests @ ..] => {
            let mut lines: Vec<String> = Vec::new();
            for operation in operations.split('/') {
                let words = match (*kind, operation) {
                    ("stream", "bind" | "listen" | "connect" | "accept") => format!("TCP {operation}"),
                    ("dgram", "bind") => "UDP bind".into(),
                    ("dgram", "send" | "recv" | "connect") => "UDP connect".into(),
                    ("raw", "bind") => "RAW bind".into(),
                    ("raw", "send" | "recv" | "connect") => "RAW connect".into(),
                    _ => continue,
                };
                let line =
                    format!("allow_network {words} {} {port}{}", whole_address(address), condition(tests));
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
            lines
        }
        ["network", "unix", ..] => {
            vec!["nothing: sockets of the family unix are not asked for, but for allow_mksock".into()]
        }
        ["task", "auto_execute_handler", program, ..] => vec![format!("execute_handler {program}")],
        ["task", "denied_execute_handler", program, ..] => vec![format!("denied_execute_handler {program}")],
        ["task", "manual_domain_transition", domain @ ..] => match domain.last() {
            Some(word) => vec![format!("allow_transit {word}")],
            None => Vec::new(),
        },
        ["task", "auto_domain_transition", ..] => {
            vec!["; set task.state[0]=1 behind the ACL, and test it with if task.state[0]=1".into()]
        }
        _ => Vec::new(),
    }
}

/// An operation of the category file.
fn file(operation: &str, arguments: &[&str]) -> Option<String> {
    let (keyword, paths, numbers) = match operation {
        "read" => ("allow_read", 1, 0),
        "write" | "append" => ("allow_write", 1, 0),
        "execute" => ("allow_execute", 1, 0),
        "unlink" => ("allow_unlink", 1, 0),
        "rmdir" => ("allow_rmdir", 1, 0),
        "truncate" => ("allow_truncate", 1, 0),
        "symlink" => ("allow_symlink", 1, 0),
        "chroot" => ("allow_chroot", 1, 0),
        "unmount" => ("allow_unmount", 1, 0),
        "link" => ("allow_link", 2, 0),
        "rename" => ("allow_rename", 2, 0),
        "pivot_root" => ("allow_pivot_root", 2, 0),
        "create" => ("allow_create", 1, 1),
        "mkdir" => ("allow_mkdir", 1, 1),
        "mkfifo" => ("allow_mkfifo", 1, 1),
        "mksock" => ("allow_mksock", 1, 1),
        "ioctl" => ("allow_ioctl", 1, 1),
        "chmod" => ("allow_chmod", 1, 1),
        "chown" => ("allow_chown", 1, 1),
        "chgrp" => ("allow_chgrp", 1, 1),
        "mkblock" => ("allow_mkblock", 1, 3),
        "mkchar" => ("allow_mkchar", 1, 3),
        "mount" => ("allow_mount", 3, 1),
        "getattr" => return Some("nothing: reading attributes is not asked for".into()),
        _ => return None,
    };
    if arguments.len() < paths + numbers {
        return None;
    }
    let (given, tests) = arguments.split_at(paths + numbers);
    let given: Vec<String> = given.iter().map(|word| name(word)).collect();
    Some(format!("{keyword} {}{}", given.join(" "), condition(tests)))
}

/// The tests behind the arguments, which have no `if` there.
fn condition(tests: &[&str]) -> String {
    let kept: Vec<&str> = tests.iter().copied().filter(|test| !test.starts_with("grant_log=")).collect();
    match kept.first() {
        None => String::new(),
        Some(&"if") => format!(" {}", kept.join(" ")),
        Some(_) => format!(" if {}", kept.join(" ")),
    }
}

/// Names below file systems that cannot be renamed in.
fn name(word: &str) -> String {
    for (later, here) in [
        ("proc:/", "/proc/"),
        ("sys:/", "/sys/"),
        ("devpts:/", "/dev/pts/"),
        ("securityfs:/", "/sys/kernel/security/"),
    ] {
        if let Some(rest) = word.strip_prefix(later) {
            return format!("{here}{rest}");
        }
    }
    word.to_owned()
}

/// IPv6 without `::`.
fn whole_address(word: &str) -> String {
    let whole = |end: &str| match end.parse::<Ipv6Addr>() {
        Ok(address) => address.segments().map(|group| format!("{group:x}")).join(":"),
        Err(_) => end.to_owned(),
    };
    word.split('-').map(whole).collect::<Vec<_>>().join("-")
}

fn exception(words: &[&str]) -> Vec<String> {
    let one = |line: String| vec![line];
    match words {
        ["delete", rest @ ..] => exception(rest),
        ["acl_group", _, rest @ ..] => {
            let lines = acl(rest);
            let lines = if lines.is_empty() { domain(rest) } else { lines };
            let global = |line: &String| match line.split(' ').collect::<Vec<_>>()[..] {
                ["allow_read", path] => path.starts_with('/') && !path.ends_with('/'),
                ["allow_env", _] => true,
                _ => line.starts_with("nothing"),
            };
            let in_domains = |line: String| {
                if global(&line) {
                    line
                } else {
                    format!("in each domain of the group: {line}")
                }
            };
            lines.into_iter().map(in_domains).collect()
        }
        [keyword @ ("initialize_domain" | "no_initialize_domain"), program, "from", "any"] => {
            one(format!("{keyword} {}", name(program)))
        }
        [keyword @ ("keep_domain" | "no_keep_domain"), "any", "from", domain @ ..] => {
            one(format!("{keyword} {}", domain.join(" ")))
        }
        ["reset_domain" | "no_reset_domain", program, ..] => one(format!("initialize_domain {program}")),
        ["aggregator", from, to] if name(from) == name(to) && from != to => {
            one("nothing: a program that is started through such a link is named by its file".into())
        }
        ["aggregator", from, to] if name(from) != **from => {
            one(format!("aggregator {} {}", name(from), name(to)))
        }
        [keyword @ ("allow_read" | "allow_env"), ..] if words.contains(&"if") => {
            one(format!("{keyword} with its condition in each domain; global lines have none"))
        }
        [keyword @ "address_group", group, member] => {
            let whole = whole_address(member);
            if whole == **member {
                Vec::new()
            } else {
                one(format!("{keyword} {group} {whole}"))
            }
        }
        ["alias", file, link] => {
            one(format!("allow_execute {link} if exec.realpath=\"{file}\" in each domain that may"))
        }
        ["allow_argv0", program, argv0] => {
            one(format!("allow_execute {program} if exec.argv[0]=\"{argv0}\" in each domain that may"))
        }
        ["initializer", rest @ ..] => one(format!("initialize_domain {}", rest.join(" "))),
        ["no_initializer", rest @ ..] => one(format!("no_initialize_domain {}", rest.join(" "))),
        ["trust_domain", ..] => {
            one("use_profile 0 in that domain, with 0-CONFIG={ mode=disabled } in profile".into())
        }
        _ => Vec::new(),
    }
}

fn profile(line: &str) -> Vec<String> {
    let Some((key, value)) = line.split_once('=') else { return Vec::new() };
    let one = |line: String| vec![line];
    if key == "PROFILE_VERSION" {
        return one("PROFILE_VERSION=20090903".into());
    }
    let Some((number, key)) = key.split_once('-') else { return Vec::new() };
    match key {
        // 1.8 and 2.x.
        "PREFERENCE" => preference(number, value),
        _ if key.starts_with("CONFIG::") => {
            let item = key
                .replace("inet_stream_", "inet_tcp_")
                .replace("inet_dgram_bind", "inet_udp_bind")
                .replace("inet_dgram_send", "inet_udp_connect")
                .replace("inet_dgram_recv", "inet_udp_connect")
                .replace("inet_raw_send", "inet_raw_connect")
                .replace("inet_raw_recv", "inet_raw_connect");
            if item == key { Vec::new() } else { one(format!("{number}-{item}={value}")) }
        }
        // 1.6.
        "MAC_FOR_FILE" => one(format!("{number}-CONFIG::file={{ mode={} }}", mode(value))),
        "MAC_FOR_ENV" => one(format!("{number}-CONFIG::misc::env={{ mode={} }}", mode(value))),
        "MAC_FOR_NETWORK" => one(format!("{number}-CONFIG::network={{ mode={} }}", mode(value))),
        "MAC_FOR_SIGNAL" => one(format!("{number}-CONFIG::ipc::signal={{ mode={} }}", mode(value))),
        "MAC_FOR_NAMESPACE" => one(format!("{number}-CONFIG::file::mount={{ mode={} }}", mode(value))),
        "MAX_ACCEPT_ENTRY" => one(format!(
            "PREFERENCE::learning={{ verbose=no max_entry={value} exec.realpath=yes exec.argv0=yes symlink.target=yes }}"
        )),
        _ => match key.strip_prefix("MAC_FOR_CAPABILITY::") {
            Some(name) => one(format!("{number}-CONFIG::capability::{name}={{ mode={} }}", mode(value))),
            None => Vec::new(),
        },
    }
}

/// The mode of 1.6, a word or its number.
fn mode(value: &str) -> &str {
    match value {
        "0" => "disabled",
        "1" => "learning",
        "2" => "permissive",
        "3" => "enforcing",
        word => word,
    }
}

/// All keys of the groups that a preference of 1.8 or 2.x is about.
fn preference(number: &str, value: &str) -> Vec<String> {
    let get = |key: &str| {
        value
            .split_ascii_whitespace()
            .find_map(|word| word.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')))
    };
    let mut lines = Vec::new();
    if let Some(records) = get("max_audit_log") {
        lines.push(format!(
            "{number}-PREFERENCE::audit={{ max_grant_log={records} max_reject_log={records} task_info=yes path_info=yes }}"
        ));
    }
    if let Some(entries) = get("max_learning_entry") {
        lines.push(format!(
            "{number}-PREFERENCE::learning={{ verbose=no max_entry={entries} exec.realpath=yes exec.argv0=yes symlink.target=yes }}"
        ));
    }
    if let Some(penalty) = get("enforcing_penalty") {
        lines.push(format!("{number}-PREFERENCE::enforcing={{ verbose=yes penalty={penalty} }}"));
    }
    lines
}
