// SPDX-License-Identifier: MIT OR Apache-2.0
//! Transactions: all or nothing, tasks stay in their domains, the way back, quota and exact memory.

use crate::support::{load, question, File};
use sekisho_core::edit::{ActivateError, EditError};
use sekisho_core::engine::decide;
use sekisho_core::policy::{Cursor, DomainId, Policy};
use sekisho_core::transaction::{PolicyFile, Scope, Transaction, TransactionError};

const PROFILES: &str = "PROFILE_VERSION=20090903\n0-CONFIG={ mode=enforcing }\n3-CONFIG={ mode=enforcing }\n";
const EXCEPTIONS: &str =
    "initialize_domain /sbin/modprobe\npath_group WEB /var/www/\\*\nnumber_group APPS 5-9\n\
    address_group NET 10.0.0.0-10.0.0.9\nallow_read /etc/ld.so\ndeny_autobind 1-1023\n";
const DOMAINS: &str =
    "<kernel>\nuse_profile 0\nallow_read /k\n<kernel> /a\nuse_profile 3\nallow_read @WEB if task.uid=@APPS\n\
    <kernel> /b\nuse_profile 0\nignore_global_allow_env\nallow_create /tmp/\\* @MODES\n";
const TEXTS: [(File, &str); 4] = [
    (File::Profile, PROFILES),
    (File::Manager, "/usr/sbin/admin\nmanage_by_non_root\n"),
    (File::Exception, EXCEPTIONS),
    (File::Domain, DOMAINS),
];

fn active() -> Policy {
    let mut edit = load(&TEXTS).edit().expect("memory");
    edit.activate().expect("complete");
    edit.commit()
}

fn run(policy: &Policy, scope: Scope, texts: &[(File, &str)]) -> Result<Policy, TransactionError> {
    let mut transaction = Transaction::begin(policy, scope).expect("memory");
    let mut cursor = Cursor::default();
    for (file, text) in texts {
        let file = match file {
            File::Domain => PolicyFile::Domain,
            File::Exception => PolicyFile::Exception,
            File::Profile => PolicyFile::Profile,
            File::Manager => PolicyFile::Manager,
        };
        for line in text.lines() {
            let _ = transaction.line(file, &mut cursor, line.as_bytes()); // Commit tells.
        }
    }
    transaction.commit()
}

fn error(result: Result<Policy, TransactionError>) -> TransactionError {
    result.err().expect("refused")
}

fn texts(policy: &Policy) -> [String; 4] {
    File::ALL.map(|file| file.print(policy))
}

fn collect(policy: &Policy) -> Policy {
    let mut edit = policy.edit().expect("memory");
    edit.collect(u32::MAX).expect("memory");
    edit.commit()
}

fn find(policy: &Policy, name: &str) -> DomainId {
    policy.find_domain(name.as_bytes()).expect("the domain")
}

fn attach(policy: &Policy, name: &str) -> DomainId {
    let id = find(policy, name);
    policy.domain(id).expect("the domain").attach();
    id
}

fn granted(policy: &Policy, domain: DomainId, request: &str) -> bool {
    let question = question(request);
    decide(policy, domain, &question.given.facts(), &question.request).allows()
}

#[test]
fn all_or_nothing() {
    let policy = active();
    let before = texts(&policy);
    let lines = "<kernel>\nallow_read /new\nallow_reed /x\nallow_write /y\nallow_reed /z\n";
    for scope in [Scope::Change, Scope::Replace] {
        let TransactionError::Refused(refused) =
            error(run(&policy, scope, &[(File::Profile, PROFILES), (File::Domain, lines)]))
        else {
            unreachable!("a line was refused");
        };
        assert_eq!((refused.file, refused.line), (PolicyFile::Domain, 6));
        assert_eq!((refused.count, refused.lines), (2, 8));
        assert!(matches!(refused.error, EditError::Parse(error) if error.column == 1));
    }
    assert_eq!(texts(&policy), before);
    let next = run(&policy, Scope::Change, &[(File::Domain, "<kernel>\nallow_read /new\n")]).expect("good");
    assert!(next.is_active() && next.generation() == policy.generation() + 1);
    assert!(granted(&next, DomainId::ROOT, "allow_read /new"));
    assert!(granted(&next, DomainId::ROOT, "allow_read /k"));
    assert!(!granted(&policy, DomainId::ROOT, "allow_read /new"));
}

#[test]
fn profiles_may_come_after_the_domains_that_use_them() {
    let mut parts = TEXTS;
    parts.reverse();
    let policy = run(&active(), Scope::Replace, &parts).expect("complete");
    assert_eq!(texts(&policy), texts(&active()));
    let nine = (File::Domain, "<kernel> /n\nuse_profile 9\n");
    let added = run(&active(), Scope::Change, &[nine, (File::Profile, "9-COMMENT=x\n")]).expect("complete");
    assert_eq!(added.domain(find(&added, "<kernel> /n")).expect("n").profile(), 9);
    let missing = error(run(&active(), Scope::Change, &[nine]));
    assert!(matches!(
        missing,
        TransactionError::Incomplete(ActivateError::UndefinedProfile { profile: 9, .. })
    ));
    let empty = error(run(&active(), Scope::Replace, &[]));
    assert!(empty == TransactionError::Incomplete(ActivateError::NoVersion));
    let mut transaction = Transaction::begin(&active(), Scope::Change).expect("memory");
    let mut said = sekisho_core::mem::Vec::new();
    assert_eq!(transaction.print_undefined_profile(&mut said), Ok(false));
    let mut cursor = Cursor::default();
    for line in [&b"<kernel> /n"[..], b"use_profile 9"] {
        transaction.line(PolicyFile::Domain, &mut cursor, line).expect("a line");
    }
    assert_eq!(transaction.print_undefined_profile(&mut said), Ok(true));
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("<kernel> /n has 9; write 9-CONFIG="), "{said}");
    // Before activation nobody asks.
    run(&load(&TEXTS), Scope::Replace, &[nine]).expect("not active");
}

#[test]
fn replacing_keeps_the_domains_that_are_declared_again() {
    let policy = active();
    let (a, b) = (attach(&policy, "<kernel> /a"), attach(&policy, "<kernel> /b"));
    attach(&policy, "<kernel> /a");
    let text = "<kernel> /new\n<kernel> /a\nallow_read /only\n";
    let next = run(
        &policy,
        Scope::Replace,
        &[(File::Profile, "PROFILE_VERSION=20090903\n0-CONFIG={ mode=enforcing }\n"), (File::Domain, text)],
    )
    .expect("good");
    assert_eq!(find(&next, "<kernel> /a"), a);
    let domain = next.domain(a).expect("a");
    assert!(domain.users() == 2 && !domain.is_deleted() && domain.profile() == 0);
    assert!(granted(&next, a, "allow_read /only"));
    assert!(!granted(&next, a, "uid=5 allow_read /var/www/x") && !granted(&next, a, "allow_read /etc/ld.so"));
    assert!(!granted(&next, DomainId::ROOT, "allow_read /k"));
    // What was not declared again stays as long as its task does, and may do nothing.
    assert!(next.find_domain(b"<kernel> /b").is_none() && !next.has_garbage());
    assert!(next.domain(b).is_some_and(|domain| domain.is_deleted() && domain.users() == 1));
    assert!(!granted(&next, b, "allow_create /tmp/x 0644"));
    assert_eq!(File::Exception.print(&next), "");
    assert_eq!(File::Manager.print(&next), File::Manager.print(&Policy::new().expect("memory")));
    // Readers of the old snapshot see the old policy.
    assert!(granted(&policy, a, "uid=5 allow_read /var/www/x"));
    assert!(next.domain(b).expect("b").detach());
    let next = collect(&next);
    assert!(next.domain(b).is_none());
    // The new one may be collected in turn, and its number is not used again.
    let new = find(&next, "<kernel> /new");
    let next = collect(&run(&next, Scope::Replace, &TEXTS).expect("good"));
    assert!(next.domain(new).is_none() && find(&next, "<kernel> /b") != b && find(&next, "<kernel> /a") == a);
}

#[test]
fn a_domain_that_is_left_over_does_not_need_its_profile() {
    let policy = active();
    let a = attach(&policy, "<kernel> /a");
    // Profile 3 is gone, and profile 0 lets everything happen: but not to the task in the old domain.
    let open = "PROFILE_VERSION=20090903\n0-CONFIG={ mode=disabled }\n";
    let next = run(&policy, Scope::Replace, &[(File::Profile, open)]).expect("complete");
    assert!(next.domain(a).is_some_and(|domain| domain.users() == 1 && domain.is_deleted()));
    assert!(granted(&next, DomainId::ROOT, "allow_read /x") && !granted(&next, a, "allow_read /x"));
    // The same on the way back.
    let late = (File::Domain, "<kernel> /late\nuse_profile 7\n");
    let now =
        run(&next, Scope::Change, &[late, (File::Profile, "7-CONFIG={ mode=disabled }\n")]).expect("good");
    let late = attach(&now, "<kernel> /late");
    assert!(granted(&now, late, "allow_read /x"));
    let back = now.restore(&next).expect("complete");
    assert!(!granted(&back, late, "allow_read /x") && back.is_active());
}

#[test]
fn a_task_that_enters_by_the_old_snapshot_is_counted() {
    let policy = active();
    let next = run(&policy, Scope::Replace, &[(File::Profile, PROFILES)]).expect("good");
    let b = attach(&policy, "<kernel> /b");
    let after = collect(&next);
    assert!(after.domain(b).is_some_and(|domain| domain.users() == 1));
    let late = run(&after, Scope::Change, &[(File::Domain, "<kernel> /late\n")]).expect("good");
    let back = late.restore(&policy).expect("good");
    let task = attach(&late, "<kernel> /late");
    let back = collect(&back);
    assert!(back.domain(task).is_some_and(|domain| domain.users() == 1 && domain.is_deleted()));
    assert!(back.domain(b).is_some_and(|domain| domain.users() == 1 && !domain.is_deleted()));
}

#[test]
fn a_domain_that_the_same_text_deletes_is_another_one_afterwards() {
    let policy = active();
    let a = attach(&policy, "<kernel> /a");
    let text =
        "delete <kernel> /a\n<kernel> /a\nallow_read /x\ndelete <kernel> /a\n<kernel> /a\nallow_read /y\n";
    let next =
        run(&policy, Scope::Replace, &[(File::Profile, PROFILES), (File::Domain, text)]).expect("good");
    assert!(find(&next, "<kernel> /a") != a);
    assert!(granted(&next, a, "allow_read /x") && !granted(&next, a, "allow_read /y"));
}

#[test]
fn the_quota_holds_for_transactions() {
    let mut edit = active().edit().expect("memory");
    let limit = edit.policy().memory() + 2000;
    edit.set_quota(limit);
    let policy = edit.commit();
    let lines: String = (0..200).map(|n| format!("allow_read /file/{n}\n")).collect();
    let much = format!("<kernel>\n{lines}");
    for scope in [Scope::Change, Scope::Replace] {
        let result = error(run(&policy, scope, &[(File::Profile, PROFILES), (File::Domain, &much)]));
        assert!(matches!(
            result,
            TransactionError::Refused(refused) if refused.error == EditError::Quota
        ));
    }
    assert_eq!(texts(&policy), texts(&active()));
    // An older snapshot that is too large now is no way around it; one that is smaller than now is welcome.
    let large = {
        let mut edit = policy.edit().expect("memory");
        edit.set_quota(0);
        run(&edit.commit(), Scope::Change, &[(File::Domain, &much)]).expect("no quota")
    };
    let small = run(&large, Scope::Replace, &TEXTS).expect("good");
    let mut edit = small.edit().expect("memory");
    edit.set_quota(limit);
    let small = edit.commit();
    assert!(error(small.restore(&large)) == TransactionError::Quota);
    assert_eq!(small.restore(&policy).expect("small enough").quota(), limit);
}

#[test]
fn memory_is_exact() {
    let start = Policy::new().expect("memory");
    let fresh = load(&TEXTS);
    let loaded = run(&start, Scope::Change, &TEXTS).expect("good");
    assert_eq!(loaded.memory(), fresh.memory());
    let again = run(&loaded, Scope::Replace, &TEXTS).expect("good");
    assert_eq!((again.memory(), texts(&again)), (fresh.memory(), texts(&fresh)));
    assert!(!again.has_garbage());
    let nothing = run(&again, Scope::Replace, &[]).expect("not active");
    assert!(nothing.has_garbage());
    let nothing = collect(&nothing);
    assert_eq!((nothing.memory(), texts(&nothing)), (start.memory(), texts(&start)));
    let back = nothing.restore(&again).expect("good");
    assert_eq!((back.memory(), texts(&back)), (fresh.memory(), texts(&fresh)));
    let nothing = collect(&back.restore(&nothing).expect("good"));
    assert_eq!(nothing.memory(), start.memory());
}

#[test]
fn the_previous_policy_comes_back() {
    let old = active();
    let a = attach(&old, "<kernel> /a");
    let change = "<kernel> /a\ndelete allow_read @WEB if task.uid=@APPS\ndelete <kernel> /b\n<kernel> /late\nallow_read /l\n";
    let new = run(
        &old,
        Scope::Change,
        &[(File::Domain, change), (File::Exception, "delete path_group WEB /var/www/\\*\n")],
    )
    .expect("good");
    let late = attach(&new, "<kernel> /late");
    let new = collect(&new);
    let back = new.restore(&old).expect("good");
    assert_eq!(texts(&back), texts(&old));
    assert_eq!(back.generation(), new.generation() + 1);
    assert_eq!((find(&back, "<kernel> /a"), find(&back, "<kernel> /b")), (a, find(&old, "<kernel> /b")));
    assert_eq!(back.domain(a).expect("a").users(), 1);
    assert!(
        granted(&back, a, "uid=5 allow_read /var/www/x") && !granted(&new, a, "uid=5 allow_read /var/www/x")
    );
    // The task in the domain that was made later.
    assert!(granted(&new, late, "allow_read /l") && !granted(&back, late, "allow_read /l"));
    assert!(back.domain(late).is_some_and(|domain| domain.is_deleted() && domain.users() == 1));
    assert!(!back.has_garbage() && back.find_domain(b"<kernel> /late").is_none());
    assert!(back.domain(late).expect("late").detach());
    assert_eq!(collect(&back).memory(), old.memory());
    // And forth again.
    let forth = back.restore(&new).expect("good");
    assert_eq!(texts(&forth), texts(&new));
    assert!(granted(&forth, late, "allow_read /l"));
}

#[test]
fn a_domain_whose_slot_is_taken_comes_back_under_a_new_number() {
    let old = run(&active(), Scope::Change, &[(File::Domain, "<kernel> /c\nallow_read /c\n")]).expect("good");
    let [b, c] = ["<kernel> /b", "<kernel> /c"].map(|name| find(&old, name));
    let gone = run(&old, Scope::Change, &[(File::Domain, "delete <kernel> /b\ndelete <kernel> /c\n")]);
    let gone = collect(&gone.expect("good"));
    let new = run(&gone, Scope::Change, &[(File::Domain, "<kernel> /y\nallow_read /y\n")]).expect("good");
    let y = attach(&new, "<kernel> /y");
    assert_eq!(y.to_bits() as u32, b.to_bits() as u32);
    let back = new.restore(&old).expect("good");
    assert_eq!(texts(&back), texts(&old));
    for old in [b, c] {
        assert!(back.domain(old).is_none());
    }
    assert!(granted(&back, find(&back, "<kernel> /c"), "allow_read /c"));
    assert!(back.domain(y).is_some_and(|domain| domain.name() == b"<kernel> /y" && domain.is_deleted()));
    assert!(!granted(&back, y, "allow_read /y"));
    let ids: Vec<_> = back.domains().map(|(id, _)| id.to_bits() >> 32).collect();
    assert!((1..ids.len()).all(|n| !ids[..n].contains(&ids[n])));
}

#[test]
fn what_cannot_be_restored() {
    assert!(error(active().restore(&active())) == TransactionError::Foreign);
    let start = Policy::new().expect("memory");
    let mut edit = run(&start, Scope::Change, &TEXTS).expect("good").edit().expect("memory");
    edit.activate().expect("complete");
    let now = edit.commit();
    let missing = error(now.restore(&start));
    assert!(missing == TransactionError::Incomplete(ActivateError::NoVersion));
    assert!(missing.message().contains("PROFILE_VERSION"));
}

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    /// The lines of some domains, and of exception_policy.
    fn texts(&mut self) -> (String, String) {
        let (mut domains, mut exceptions) = (String::new(), String::new());
        for name in ["<kernel>", "<kernel> /a", "<kernel> /b", "<kernel> /c", "<kernel> /d"] {
            if self.below(2) == 0 {
                continue;
            }
            domains += &format!("{name}\n");
            for _ in 0..self.below(6) {
                let (p, g) = (self.below(9), self.below(3));
                domains += &match self.below(5) {
                    0 => format!("allow_read /f{p}\n"),
                    1 => format!("allow_write @G{g}\n"),
                    2 => format!("allow_create /p{p}\\* @N{g}\n"),
                    3 => format!("allow_read /f{p} if task.uid=@N{g}\n"),
                    _ => String::from("quota_exceeded\n"),
                };
            }
        }
        for _ in 0..self.below(8) {
            let (p, g) = (self.below(9), self.below(3));
            exceptions += &match self.below(4) {
                0 => format!("path_group G{g} /f{p}\n"),
                1 => format!("number_group N{g} {p}\n"),
                2 => format!("allow_read /global{p}\n"),
                _ => format!("keep_domain /x{p}\n"),
            };
        }
        (domains, exceptions)
    }
}

/// What the policy says, whatever the order of the domains is.
fn meaning(policy: &Policy) -> (Vec<String>, Vec<String>) {
    let domains = File::Domain.print(policy);
    let mut domains: Vec<String> = domains
        .split("\n<kernel>")
        .map(|text| text.trim_start_matches("<kernel>").trim().to_owned())
        .collect();
    domains.sort();
    let exceptions = File::Exception.print(policy);
    let mut exceptions: Vec<String> = exceptions.lines().map(str::to_owned).collect();
    exceptions.sort();
    (domains, exceptions)
}

/// Takes everything out line by line, which finds a count that is wrong.
fn dismantle(policy: &Policy) -> Policy {
    let mut lines = String::new();
    for line in File::Domain.print(policy).lines().filter(|line| !line.is_empty()) {
        if line.starts_with("<kernel>") {
            lines += &format!("{line}\n");
        } else if !line.starts_with("use_profile") {
            lines += &format!("delete {line}\n");
        }
    }
    for (_, domain) in policy.domains().filter(|(id, domain)| *id != DomainId::ROOT && !domain.is_deleted()) {
        lines += &format!("delete {}\n", String::from_utf8_lossy(domain.name()));
    }
    let exceptions: String =
        File::Exception.print(policy).lines().map(|line| format!("delete {line}\n")).collect();
    let parts = [(File::Domain, &lines[..]), (File::Exception, &exceptions[..])];
    collect(&run(policy, Scope::Change, &parts).expect("good"))
}

#[test]
fn any_sequence_of_transactions() {
    let base = load(&[(File::Profile, PROFILES)]);
    for seed in 0..60 {
        let mut random = Random(seed);
        let mut policy = run(&base, Scope::Change, &[]).expect("good");
        let mut history: Vec<Policy> = Vec::new();
        let mut tasks: Vec<(DomainId, Vec<u8>)> = Vec::new();
        for _ in 0..40 {
            let (domains, exceptions) = random.texts();
            let parts =
                [(File::Profile, PROFILES), (File::Domain, &domains[..]), (File::Exception, &exceptions[..])];
            let next = match random.below(5) {
                0 | 1 => {
                    let next = run(&policy, Scope::Replace, &parts).expect("good");
                    assert_eq!(meaning(&next), meaning(&load(&parts)), "seed {seed}");
                    next
                }
                2 => run(&policy, Scope::Change, &parts).expect("good"),
                3 if !history.is_empty() => {
                    let previous = &history[random.below(history.len())];
                    let next = policy.restore(previous).expect("good");
                    assert_eq!(meaning(&next), meaning(previous), "seed {seed}");
                    next
                }
                _ => collect(&policy),
            };
            history.push(std::mem::replace(&mut policy, next));
            // Tasks come and go; each stays in a domain of the name it entered.
            let live: Vec<_> =
                policy.domains().filter(|(_, domain)| !domain.is_deleted()).map(|(id, _)| id).collect();
            if random.below(3) == 0 {
                let id = live[random.below(live.len())];
                let domain = policy.domain(id).expect("live");
                domain.attach();
                tasks.push((id, domain.name().to_vec()));
            } else if !tasks.is_empty() && random.below(2) == 0 {
                let (id, _) = tasks.swap_remove(random.below(tasks.len()));
                policy.domain(id).expect("a task is in it").detach();
            }
            for (id, name) in &tasks {
                assert_eq!(policy.domain(*id).expect("a task is in it").name(), name, "seed {seed}");
            }
        }
        for (id, _) in tasks {
            policy.domain(id).expect("a task is in it").detach();
        }
        assert_eq!(dismantle(&policy).memory(), base.memory(), "seed {seed}");
        let empty = collect(&run(&policy, Scope::Replace, &[(File::Profile, PROFILES)]).expect("good"));
        assert_eq!((empty.memory(), texts(&empty)), (base.memory(), texts(&base)));
    }
}
