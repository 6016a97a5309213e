// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory: what is added and deleted again leaves nothing behind, and deciding allocates nothing.

use crate::support::{load, question, write, File};
use sekisho_core::edit::EditError;
use sekisho_core::engine::decide;
use sekisho_core::mem::Vec as Text;
use sekisho_core::name::Name;
use sekisho_core::policy::{Cursor, DomainId, Policy};
use sekisho_core::transition::next_domain;

/// A policy with something of everything.
const PROFILES: &str = "PROFILE_VERSION=20090903\n0-CONFIG={ mode=enforcing }\n3-COMMENT=x\n";
const EXCEPTIONS: &str = "initialize_domain /sbin/modprobe\nkeep_domain <kernel> /bin/sh\n\
    path_group WEB /var/www/\\*\nnumber_group APPS 10000-19999\n";
const DOMAINS: &str = "<kernel>\nallow_read /etc/passwd\nallow_read @WEB if task.uid=@APPS\n\
    <kernel> /bin/sh\nallow_execute /bin/ls\nallow_create /tmp/\\* 0600-0644\n\
    allow_read /a/\\{\\*\\}/b\\+\nallow_rename /tmp/\\* @WEB\n";

fn policy() -> Policy {
    load(&[
        (File::Profile, PROFILES),
        (File::Manager, "/usr/sbin/editpolicy\n<kernel> /sbin/admin\n"),
        (File::Exception, EXCEPTIONS),
        (File::Domain, DOMAINS),
    ])
}

/// One line of each kind that can be deleted, with what stands in front of it.
const LINES: [(File, &str, &str); 21] = [
    (File::Domain, "<kernel>", "allow_read /new"),
    (File::Domain, "<kernel>", "allow_write /etc/passwd"),
    (File::Domain, "<kernel>", "allow_read/write /new/\\*"),
    (File::Domain, "<kernel>", "allow_execute /new"),
    (File::Domain, "<kernel>", "allow_unlink @NEW"),
    (File::Domain, "<kernel>", "allow_rmdir /new/"),
    (File::Domain, "<kernel>", "allow_truncate /new"),
    (File::Domain, "<kernel>", "allow_rename /new @NEW2"),
    (File::Domain, "<kernel>", "allow_create /new 0644"),
    (File::Domain, "<kernel> /bin/sh", "allow_mkdir /new @MODES"),
    (File::Domain, "<kernel> /bin/sh", "allow_read /new if task.uid=0 task.gid!=@GIDS 1-2=task.pid"),
    (File::Domain, "<kernel>", "quota_exceeded"),
    (File::Domain, "<kernel>", "transition_failed"),
    (File::Domain, "", "<kernel> /new/domain"),
    (File::Exception, "", "initialize_domain /new from <kernel> /a /b"),
    (File::Exception, "", "no_keep_domain /new from /a"),
    (File::Exception, "", "path_group WEB /new/\\*"),
    (File::Exception, "", "path_group NEW /new"),
    (File::Exception, "", "number_group NEW 0x1f"),
    (File::Exception, "", "number_group APPS 5"),
    (File::Manager, "", "/new/manager"),
];

#[test]
fn adding_and_deleting_leaves_nothing() {
    let mut policy = policy();
    let before = File::ALL.map(|file| file.print(&policy));
    let memory = policy.memory();
    for (file, domain, line) in LINES {
        for round in 0..100 {
            let mut edit = policy.edit().expect("memory");
            let mut cursor = Cursor::default();
            write(&mut edit, &mut cursor, File::Domain, domain).expect("a domain");
            write(&mut edit, &mut cursor, file, line).expect("a good line");
            // Every other time in an edit of its own.
            if round % 2 == 1 {
                policy = edit.commit();
                edit = policy.edit().expect("memory");
                write(&mut edit, &mut cursor, File::Domain, domain).expect("a domain");
            }
            write(&mut edit, &mut cursor, file, &format!("delete {line}")).expect("a good line");
            edit.collect(u32::MAX).expect("memory");
            policy = edit.commit();
        }
        assert_eq!(policy.memory(), memory, "{line}");
    }
    assert_eq!(File::ALL.map(|file| file.print(&policy)), before);
    assert!(!policy.has_garbage());
}

#[test]
fn memory_grows_with_what_is_added() {
    let policy = policy();
    for (file, domain, line) in LINES {
        if line.ends_with("_exceeded") || line.ends_with("_failed") || line == "allow_write /etc/passwd" {
            continue; // A bit has its place already.
        }
        let mut edit = policy.edit().expect("memory");
        let mut cursor = Cursor::default();
        write(&mut edit, &mut cursor, File::Domain, domain).expect("a domain");
        write(&mut edit, &mut cursor, file, line).expect("a good line");
        let more = edit.commit();
        assert!(more.memory() > policy.memory(), "{line}");
    }
}

#[test]
fn deciding_allocates_nothing() {
    let mut edit = policy().edit().expect("memory");
    edit.activate().expect("complete");
    let policy = edit.commit();
    let sh = policy.find_domain(b"<kernel> /bin/sh").expect("the domain");
    let requests = [
        "allow_read /etc/passwd",
        "allow_read /var/www/index.html",
        "uid=10005 allow_read /var/www/index.html",
        "allow_execute /bin/ls",
        "allow_execute /bin/missing",
        "allow_create /tmp/x 0600",
        "allow_rename /tmp/x /var/www/y",
        "allow_read /a/x/y/z/b1",
        "allow_mkdir /tmp/d/ 0755",
    ];
    let name = Name::new(b"/sbin/modprobe").expect("a name");
    let other = Name::new(b"/bin/unknown").expect("a name");
    let requests = requests.map(question);
    let used = allocation_counter::measure(|| {
        for question in &requests {
            for domain in [DomainId::ROOT, sh, DomainId::from_bits(99)] {
                std::hint::black_box(decide(&policy, domain, &question.given.facts(), &question.request));
            }
        }
        for program in [name, other] {
            for domain in [DomainId::ROOT, sh] {
                let next = next_domain(&policy, domain, program);
                std::hint::black_box((
                    next.find(&policy).expect("memory"),
                    next.name_len(),
                    next.is_too_long(),
                ));
            }
        }
        std::hint::black_box((
            policy.find_domain(b"<kernel> /bin/sh"),
            policy.memory(),
            policy.has_garbage(),
        ));
        std::hint::black_box(policy.is_manager(sh, &sekisho_core::task::Task::default(), Some(name)));
    });
    assert_eq!(used.count_total, 0);
}

#[test]
fn a_thousand_lines_in_one_edit_copy_each_node_once() {
    let lines: Vec<String> = (0..1000).map(|n| format!("allow_read /file/{n}")).collect();
    let policy = policy();
    let mut edit = policy.edit().expect("memory");
    let mut cursor = Cursor::default();
    edit.domain_policy_line(&mut cursor, b"<kernel> /bin/sh").expect("the domain");
    edit.domain_policy_line(&mut cursor, b"allow_read /first").expect("good");
    let used = allocation_counter::measure(|| {
        for line in &lines {
            edit.domain_policy_line(&mut cursor, line.as_bytes()).expect("good");
        }
    });
    // The record of each line before it is stored, and growing pages. Copies would be megabytes.
    assert!(used.count_total < 9_000, "{} allocations", used.count_total);
    assert!(used.bytes_total < 700_000, "{} bytes", used.bytes_total);
    let after = edit.commit();
    let count = |policy: &Policy| {
        let id = policy.find_domain(b"<kernel> /bin/sh").expect("the domain");
        policy.domain(id).expect("the domain").acl_count()
    };
    assert_eq!((count(&policy), count(&after)), (4, 1005));
}

#[test]
fn printing_into_one_buffer_is_all_that_printing_allocates() {
    let policy = policy();
    let used = allocation_counter::measure(|| {
        let mut text = Text::with_capacity(4096).expect("memory");
        policy.print_domain_policy(&mut text).expect("memory");
        policy.print_exception_policy(&mut text).expect("memory");
        policy.print_profiles(&mut text).expect("memory");
        policy.print_managers(&mut text).expect("memory");
    });
    assert_eq!(used.count_total, 1);
}

#[test]
fn a_handler_that_does_not_fit_leaves_the_old_one() {
    let mut edit =
        load(&[(File::Domain, "<kernel>\nexecute_handler /h if task.uid=0\n")]).edit().expect("memory");
    edit.set_quota(1);
    let before = File::Domain.print(edit.policy());
    let mut cursor = Cursor::default();
    write(&mut edit, &mut cursor, File::Domain, "<kernel>").expect("it is there");
    let refused = write(&mut edit, &mut cursor, File::Domain, "execute_handler /a/much/longer/name");
    assert!(refused == Err(EditError::Quota));
    assert_eq!(File::Domain.print(edit.policy()), before);
    // One that fits takes its place, and nothing of the old one is left.
    edit.set_quota(0);
    write(&mut edit, &mut cursor, File::Domain, "execute_handler /i").expect("no quota");
    let text = File::Domain.print(edit.policy());
    assert!(text.contains("execute_handler /i\n") && !text.contains("/h"), "{text}");
}

#[test]
fn lines_reach_a_domain_that_was_deleted_while_tasks_are_in_it() {
    let policy = load(&[(File::Domain, "<kernel> /a\nallow_read /x\n")]);
    let id = policy.find_domain(b"<kernel> /a").expect("it is there");
    policy.domain(id).expect("it is there").attach();
    let mut edit = policy.edit().expect("memory");
    let mut cursor = Cursor::default();
    write(&mut edit, &mut cursor, File::Domain, "delete <kernel> /a").expect("good");
    // `select pid=N` of the kernel's file.
    cursor.select(Some(id));
    write(&mut edit, &mut cursor, File::Domain, "allow_read /y").expect("good");
    let after = edit.commit();
    assert!(after.domain(id).expect("a task is in it").is_deleted());
    let mut text = Text::new();
    after.print_selected(id, false, &mut text).expect("memory");
    assert!(String::from_utf8_lossy(&text).contains("allow_read /y\n"));
}

/// Many lines of each kind that the index tells apart, deleted one by one.
#[test]
fn deleting_many_patterns_leaves_nothing() {
    let policy = policy();
    let memory = policy.memory();
    let words = |number: usize| {
        [
            format!("/srv/\\*{number:03}\\*"),
            format!("/srv/\\*/lib/x{number}\\*"),
            format!("/srv/{number}/\\*"),
            format!("/srv/\\{{\\*\\}}/\\*.{number}"),
            format!("/srv/\\?{}", ["\\*", "\\$", "\\x"].repeat(number % 7).concat()),
        ]
    };
    for directive in ["allow_read", "path_group WEB", "file_pattern"] {
        let file = if directive == "allow_read" { File::Domain } else { File::Exception };
        let mut next = policy.edit().expect("memory").commit();
        for delete in ["", "delete "] {
            for step in 0..10 {
                let mut edit = next.edit().expect("memory");
                let mut cursor = Cursor::default();
                write(&mut edit, &mut cursor, File::Domain, "<kernel>").expect("a domain");
                for word in (step * 50..step * 50 + 50).flat_map(words) {
                    write(&mut edit, &mut cursor, file, &format!("{delete}{directive} {word}"))
                        .expect("a good line");
                }
                next = edit.commit();
            }
            assert!(delete == "delete " || next.memory() > memory + 50_000, "{directive}");
        }
        assert_eq!(next.memory(), memory, "{directive}");
    }
}

#[test]
fn a_list_of_which_most_is_deleted_is_made_anew() {
    let policy = policy();
    let lines: Vec<String> = (0..1000).map(|n| format!("allow_read /file/{n}")).collect();
    let change = |policy: &Policy, lines: &[String], prefix: &str| {
        let mut edit = policy.edit().expect("memory");
        let mut cursor = Cursor::default();
        write(&mut edit, &mut cursor, File::Domain, "<kernel> /new").expect("a domain");
        for line in lines {
            write(&mut edit, &mut cursor, File::Domain, &format!("{prefix}{line}")).expect("good");
        }
        edit.commit()
    };
    let one = change(&policy, &lines[999..], "");
    // The last one stays, so that the holes are before it.
    let left = change(&change(&policy, &lines, ""), &lines[..999], "delete ");
    assert!(left.memory() < one.memory() + 500, "{} beside {}", left.memory(), one.memory());
    let more = change(&one, &lines[..999], "");
    assert!(more.memory() > one.memory() + 40_000);
}
