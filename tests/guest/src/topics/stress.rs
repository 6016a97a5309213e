// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many processes act while the policy changes under them: nobody crashes, nobody gets more or less than one of the two
//! policies says, and no snapshot stays behind.

use std::fs::File;
use std::io::Read;

use guest::kernel::{self, quiet_bytes, read, records, set_domain, settle, stat, write};
use guest::op::{Answer, Op};
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::{domain_of, fresh_work};

const SUBJECTS: usize = 6;
const CHANGES: u32 = 150;

pub fn run(tap: &mut Tap) {
    tap.topic("stress");
    fresh_work();
    let bytes = quiet_bytes();
    let programs: Vec<String> = (0..SUBJECTS).map(|n| format!("/tmp/x/stress{n}")).collect();
    let mut subjects: Vec<Subject> =
        programs.iter().filter_map(|program| Subject::start(program).ok()).collect();
    tap.same("all subjects start", subjects.len(), SUBJECTS);
    for (index, program) in programs.iter().enumerate() {
        // Some may always, some never, some learn; the last one forks and ends children all the time.
        let lines: &[&str] = if index % 3 == 0 { &["allow_read /tmp/w/file"] } else { &[] };
        set_domain(&domain_of(program), if index % 3 == 2 { 1 } else { 3 }, lines);
    }
    let open = Op::Open(b"/tmp/w/file".to_vec(), 0, 0);
    let ops: Vec<Op> = (0..SUBJECTS)
        .map(|index| match index {
            0..=2 => Op::Repeat(4000, Box::new(open.clone())),
            3 => Op::Repeat(100, Box::new(Op::Thread(Box::new(open.clone())))),
            _ => Op::Repeat(100, Box::new(Op::Fork(Box::new(open.clone())))),
        })
        .collect();
    let dropped = stat("rejected_lines");
    for (subject, op) in subjects.iter_mut().zip(&ops) {
        subject.begin(op);
    }
    // An open reader of every file at once, each at another place of the text.
    let mut readers: Vec<File> =
        ["domain_policy", "exception_policy", "profile", "manager", "errors", "stat"]
            .iter()
            .filter_map(|name| File::open(kernel::path(name)).ok())
            .collect();
    for round in 0..CHANGES {
        write("exception_policy", &format!("path_group STRESS /s{round}\nnumber_group STRESS {round}"));
        write(
            "domain_policy",
            &format!("<kernel> /stress{}\nallow_read @STRESS if task.uid=@STRESS", round % 7),
        );
        for reader in &mut readers {
            drop(reader.read(&mut [0; 16]));
        }
        write(
            "exception_policy",
            &format!("delete path_group STRESS /s{round}\ndelete number_group STRESS {round}"),
        );
        write("domain_policy", &format!("delete <kernel> /stress{}", round % 7));
        if round % 10 == 0 {
            records("reject_log");
            records("grant_log");
        }
    }
    drop(readers);
    for (index, (subject, op)) in subjects.iter_mut().zip(&ops).enumerate() {
        let expected = if index % 3 == 1 { EPERM } else { 0 };
        tap.same(&format!("subject {index}"), subject.end(op), Answer::Errno(expected));
    }
    tap.same("no line was rejected", stat("rejected_lines"), dropped);
    drop(subjects);
    let names: Vec<String> =
        programs.iter().map(|program| format!("delete {}", domain_of(program))).collect();
    write("domain_policy", &names.join("\n"));
    tap.check("the domains are gone", !read("domain_policy").contains("stress"), || read("domain_policy"));
    tap.same("all memory comes back", settle("policy_bytes", bytes), bytes);
    tap.same("one snapshot is left", settle("snapshots", 1), 1);
    for program in programs {
        drop(std::fs::remove_file(program));
    }
    records("reject_log");
    records("grant_log");
}
