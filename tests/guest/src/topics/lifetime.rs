// SPDX-License-Identifier: MIT OR Apache-2.0
//! Deleted policy (reference 4.3, 12.4): processes keep a deleted domain, and memory is given back.

use guest::kernel::{self, delete_domain, domain, quiet_bytes, read, set_domain, settle, stat, write};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/lifetime";
const ROUNDS: u32 = 100;

/// One block of everything, as added and as deleted.
const DOMAIN_LINES: &[&str] = &[
    "use_profile 3",
    "quota_exceeded",
    "transition_failed",
    "allow_read /etc/passwd",
    "allow_write /var/log/\\*",
    "allow_read/write @ROUND_PATHS",
    "allow_execute /bin/sh if task.uid=@ROUND_IDS task.gid!=0",
    "allow_create /tmp/\\{\\*\\}/x 0600-0644",
    "allow_mkdir /tmp/\\*/ @ROUND_MODES if task.euid=1000-2000",
    "allow_rename /tmp/a @ROUND_PATHS",
    "allow_unlink /a/rather/long/path/name/that/needs/an/allocation/of/its/own/\\*\\-x/\\$",
    "allow_rmdir /x/",
    "allow_truncate /x",
    "ignore_global_allow_read",
    "ignore_global_allow_env",
    "allow_symlink /tmp/\\* if symlink.target=\"/var/\\*\"",
    "allow_rewrite /var/log/\\*",
    "allow_chroot /srv/\\*/",
    "allow_unmount /mnt/",
    "allow_transit //round=\\040trip",
    "allow_link /a @ROUND_OTHER",
    "allow_pivot_root /new/ /new/old/",
    "allow_mkfifo /tmp/\\* 0600",
    "allow_mksock @ROUND_PATHS 0777",
    "allow_chmod /a 0-07777 if path1.type=file path1.perm=setuid path1.parent.perm=sticky",
    "allow_chown /a @ROUND_IDS",
    "allow_chgrp /a 0x10",
    "allow_ioctl socket:[\\*] 0x5401-0x54FF",
    "allow_mkblock /dev/\\* 0600 8 0-15",
    "allow_mkchar /dev/\\* @ROUND_MODES @ROUND_IDS 3 if path1.parent.uid=0 ; set task.state[0]=1 task.state[2]=255",
    "allow_mount /dev/\\* /mnt/ ext\\+ 0x1 if path1.dev_major=8 path2.parent.ino=1-9",
    "allow_mount @ROUND_PATHS /mnt/ --bind 0x0-0x4000",
    "allow_env LC_\\*",
    "allow_env PATH if exec.envp[\"PATH\"]=\"/bin\" exec.envp[\"LD_\\*\"]=NULL",
    "allow_execute /bin/sh if exec.realpath=@ROUND_PATHS exec.argc=3 exec.argv[1]!=\"-c\"",
    "allow_capability SYS_TIME",
    "allow_capability SYS_KILL if task.type!=execute_handler ; set task.state[1]=7",
    "allow_signal 15 <kernel> /round",
    "allow_network TCP connect @ROUND_HOSTS 80",
    "allow_network TCP bind 0.0.0.0 1024-65535",
    "allow_network TCP listen 0:0:0:0:0:0:0:0-0:0:0:0:0:0:0:1 @ROUND_IDS",
    "allow_network TCP accept 10.0.0.1 1-2",
    "allow_network UDP bind 10.0.0.1 53",
    "allow_network RAW connect 10.0.0.1 1 if task.uid=0",
    "execute_handler /round/handler",
    "denied_execute_handler /round/denied",
];

const EXCEPTION_LINES: &[&str] = &[
    "initialize_domain /round/a",
    "initialize_domain /round/a from <kernel> /x /y",
    "no_initialize_domain /round/b from /x",
    "keep_domain <kernel> /round",
    "no_keep_domain /round/c from /round",
    "path_group ROUND_PATHS /a/\\*",
    "path_group ROUND_PATHS /b/\\{\\*\\}/c",
    "path_group ROUND_OTHER /c",
    "number_group ROUND_IDS 10050",
    "number_group ROUND_IDS 20000-29999",
    "number_group ROUND_MODES 0700-0755",
    "aggregator /round/x.\\?\\? /round/x",
    "allow_read /round/lib/\\*",
    "allow_env ROUND_\\*",
    "file_pattern /round/\\$",
    "deny_rewrite /round/log/\\*",
    "address_group ROUND_HOSTS 10.0.0.0-10.255.255.255",
    "address_group ROUND_HOSTS fe80:0:0:0:0:0:0:1",
    "deny_autobind 30000",
    "deny_autobind 30010-30020",
    "path_group ROUND_PATHS socket:[\\*]",
];

pub fn run(tap: &mut Tap) {
    tap.topic("lifetime");
    used(tap);
    rounds(tap);
    learned(tap);
    many(tap);
}

/// A process in a deleted domain keeps its permissions; whoever comes later gets a new, empty domain.
fn used(tap: &mut Tap) {
    let name = domain_of(PROGRAM);
    fresh_work();
    set_domain(&name, 0, &[]);
    let Ok(mut old) = Subject::start(PROGRAM) else {
        return tap.check("the subject starts", false, || PROGRAM.into());
    };
    let self_domain = format!("allow_read {}", kernel::path("self_domain"));
    set_domain(&name, 3, &["allow_read /tmp/w/file", &self_domain]);
    let (reads, writes) = (Op::Open(b"/tmp/w/file".to_vec(), 0, 0), Op::Open(b"/tmp/w/file".to_vec(), 1, 0));
    // What the topics before deleted may still be on its way out.
    quiet_bytes();
    let domains = stat("domains");
    delete_domain(&name);
    tap.lacks_line("the deleted domain is not shown", &read("domain_policy"), &name);
    tap.same("its process may what it might", old.errno(&reads), 0);
    tap.same("and no more", old.errno(&writes), EPERM);
    tap.same("it still knows its domain", old.domain(), name.clone());
    tap.same("its children are in it", old.errno(&Op::Fork(Box::new(writes.clone()))), EPERM);
    match Subject::start(PROGRAM) {
        Ok(mut new) => {
            tap.same("a new process gets a new domain", domain(&name), vec!["use_profile 0".to_owned()]);
            tap.same("which is disabled", new.errno(&writes), 0);
            set_domain(&name, 3, &["allow_write /tmp/w/file"]);
            tap.same("the new domain has its own lines", (new.errno(&reads), new.errno(&writes)), (EPERM, 0));
            tap.same("the old one has its own", (old.errno(&reads), old.errno(&writes)), (0, EPERM));
        }
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    delete_domain(&name);
    let with_old = quiet_bytes();
    drop(old);
    let freed = settle_below(with_old);
    tap.check("the end of the last process gives the memory back", freed < with_old, || {
        format!("{with_old} then {freed}")
    });
    tap.same("and the domain counts no more", settle("domains", domains - 1), domains - 1);
}

fn settle_below(bytes: u64) -> u64 {
    for _ in 0..100 {
        if stat("policy_bytes") < bytes {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    stat("policy_bytes")
}

/// Adding and deleting everything, a hundred times, leaves nothing behind.
fn rounds(tap: &mut Tap) {
    let name = "<kernel> /round /trip";
    settle("snapshots", 1);
    let start = (quiet_bytes(), read("domain_policy"), read("exception_policy"));
    let rejected = stat("rejected_lines");
    let mut grew = 0;
    let mut missing: Vec<&str> = Vec::new();
    for _ in 0..ROUNDS {
        write("exception_policy", &EXCEPTION_LINES.join("\n"));
        write("domain_policy", &format!("{name}\n{}", DOMAIN_LINES.join("\n")));
        grew = grew.max(stat("policy_bytes"));
        // A round without its lines would leave nothing behind either.
        let (own, common) = (domain(name), read("exception_policy"));
        missing.extend(DOMAIN_LINES.iter().filter(|line| !own.iter().any(|found| found == **line)));
        missing.extend(EXCEPTION_LINES.iter().filter(|line| !common.lines().any(|found| found == **line)));
        let acls: Vec<String> = DOMAIN_LINES
            .iter()
            .filter(|l| !l.starts_with("use_profile"))
            .map(|l| format!("delete {l}"))
            .collect();
        write("domain_policy", &format!("{name}\n{}", acls.join("\n")));
        let lines: Vec<String> = EXCEPTION_LINES.iter().map(|l| format!("delete {l}")).collect();
        write("exception_policy", &lines.join("\n"));
        write("domain_policy", &format!("delete {name}"));
    }
    tap.same("each round has all its lines", missing, Vec::new());
    tap.check("it takes memory while it is there", grew > start.0, || format!("{} then {grew}", start.0));
    tap.same("domain_policy is what it was", read("domain_policy"), start.1.clone());
    tap.same("exception_policy is what it was", read("exception_policy"), start.2.clone());
    tap.same("policy_bytes is what it was", settle("policy_bytes", start.0), start.0);
    tap.same("one snapshot is left", settle("snapshots", 1), 1);
    // A domain that goes with all its lines at once.
    for _ in 0..ROUNDS {
        write("domain_policy", &format!("{name}\n{}\ndelete {name}", DOMAIN_LINES.join("\n")));
    }
    tap.same("domains deleted as a whole", settle("policy_bytes", start.0), start.0);
    tap.same("no round had a line rejected", stat("rejected_lines"), rejected);
    // Writing what is there already takes nothing.
    write("domain_policy", &format!("{name}\n{}", DOMAIN_LINES.join("\n")));
    let once = stat("policy_bytes");
    for _ in 0..ROUNDS {
        write("domain_policy", &format!("{name}\n{}", DOMAIN_LINES.join("\n")));
    }
    tap.same("writing it again takes nothing", settle("policy_bytes", once), once);
    write("domain_policy", &format!("delete {name}"));
    tap.same("and all of it comes back", settle("policy_bytes", start.0), start.0);
    tap.same("one snapshot is left at the end", settle("snapshots", 1), 1);
}

/// A domain that learns stops at 2048 entries and goes on working.
fn learned(tap: &mut Tap) {
    let name = domain_of(PROGRAM);
    let bytes = quiet_bytes();
    fresh_work();
    set_domain(&name, 0, &[]);
    let Ok(mut subject) = Subject::start(PROGRAM) else {
        return tap.check("the subject starts", false, || PROGRAM.into());
    };
    let lines: Vec<String> = (0..2047).map(|n| format!("allow_read /f{n}")).collect();
    write("domain_policy", &format!("{name}\n{}\nuse_profile 1", lines.join("\n")));
    tap.same("the last free entry", subject.errno(&Op::Open(b"/tmp/w/file".to_vec(), 0, 0)), 0);
    tap.check("is learned", domain(&name).contains(&"allow_read /tmp/w/file".to_owned()), || {
        "it is not there".into()
    });
    kernel::records("reject_log");
    tap.same("one more is allowed", subject.errno(&Op::Open(b"/tmp/w/full/inner".to_vec(), 0, 0)), 0);
    let now = domain(&name);
    tap.check("but not learned", !now.contains(&"allow_read /tmp/w/full/inner".to_owned()), || {
        "it is there".into()
    });
    tap.check("quota_exceeded is set", now.contains(&"quota_exceeded".to_owned()), || "it is not".into());
    let notes = kernel::records("reject_log").iter().filter(|r| r.ends_with("\nquota_exceeded\n")).count();
    tap.same("one record says so", notes, 1);
    drop(subject);
    delete_domain(&name);
    tap.same("the learned domain is given back", settle("policy_bytes", bytes), bytes);
}

/// Many subjects at once in many domains.
fn many(tap: &mut Tap) {
    let (bytes, domains) = (quiet_bytes(), stat("domains"));
    fresh_work();
    let programs: Vec<String> = (0..20).map(|n| format!("/tmp/x/many{n}")).collect();
    let mut subjects: Vec<Subject> =
        programs.iter().filter_map(|program| Subject::start(program).ok()).collect();
    tap.same("twenty subjects", subjects.len(), 20);
    tap.same("twenty domains more", stat("domains"), domains + 20);
    for (index, program) in programs.iter().enumerate() {
        let line = format!("allow_read /tmp/w/{}", if index % 2 == 0 { "file" } else { "full/inner" });
        set_domain(&domain_of(program), 3, &[&line]);
    }
    let op = Op::Open(b"/tmp/w/file".to_vec(), 0, 0);
    let verdicts: Vec<i32> = subjects.iter_mut().map(|subject| subject.errno(&op)).collect();
    let expected: Vec<i32> = (0..20).map(|index| if index % 2 == 0 { 0 } else { EPERM }).collect();
    tap.same("each judged by its own domain", verdicts, expected);
    let names: Vec<String> =
        programs.iter().map(|program| format!("delete {}", domain_of(program))).collect();
    write("domain_policy", &names.join("\n"));
    drop(subjects);
    tap.same("all memory comes back", settle("policy_bytes", bytes), bytes);
    tap.same("one snapshot is left", settle("snapshots", 1), 1);
    for program in programs {
        drop(std::fs::remove_file(program));
    }
}
