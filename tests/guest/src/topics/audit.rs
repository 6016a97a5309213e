// SPDX-License-Identifier: MIT OR Apache-2.0
//! audit: binary records, one a read, which are made only while somebody has the file open.

use std::fs::File;
use std::io::Read;

use guest::kernel::{self, delete_domain, readable, set_domain, stat};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/audit";

pub fn run(tap: &mut Tap) {
    tap.topic("audit");
    fresh_work();
    let name = domain_of(PROGRAM);
    match Subject::start(PROGRAM) {
        Ok(mut subject) => {
            binary(tap, &mut subject, &name);
            kernel_log(tap, &mut subject, &name);
        }
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    delete_domain(&name);
    kernel::records("reject_log");
    kernel::records("grant_log");
}

fn binary(tap: &mut Tap, subject: &mut Subject, name: &str) {
    let read = Op::Open(b"/tmp/w/file".to_vec(), 0, 0);
    set_domain(name, 3, &[]);
    tap.same("a refusal while nobody has it open", subject.errno(&read), EPERM);
    let Ok(mut file) = File::open(kernel::path("audit")) else {
        return tap.check("audit opens", false, String::new);
    };
    tap.same("was not recorded", readable(&file, 0), false);
    tap.same("a refusal", subject.errno(&read), EPERM);
    set_domain(name, 3, &["allow_read /tmp/w/file"]);
    tap.same("a grant", subject.errno(&read), 0);
    let mut buffer = vec![0; 65536];
    for (label, granted) in [("the refusal", 0_u8), ("the grant", 1)] {
        tap.same(&format!("{label} is readable"), readable(&file, 1000), true);
        let count = file.read(&mut buffer).unwrap_or(0);
        let record = buffer.get(..count).unwrap_or_default();
        tap.same(&format!("{label}: the version"), record.first(), Some(&1));
        tap.check(&format!("{label}: profile, mode, granted"), has(record, &[3, 3, granted]), || {
            format!("{record:?}")
        });
        tap.check(&format!("{label}: the domain"), has(record, name.as_bytes()), || format!("{record:?}"));
        tap.check(&format!("{label}: the path"), has(record, b"/tmp/w/file"), || format!("{record:?}"));
    }
    tap.same("then nothing", file.read(&mut buffer).ok(), Some(0));
    let dropped = stat("audit_dropped");
    subject.errno(&Op::Repeat(4100, Box::new(read.clone())));
    tap.check("the queue is bounded", stat("audit_dropped") > dropped, || kernel::read("stat"));
    drop(file);
    let again = File::open(kernel::path("audit"));
    tap.check("what nobody read is forgotten", again.is_ok_and(|file| !readable(&file, 0)), String::new);
}

/// What the kernel's own log says about a refusal: `verbose` (reference 7.5), and the audit stream if it was asked for.
fn kernel_log(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 3, &[]);
    // Not more than a few messages in five seconds.
    std::thread::sleep(std::time::Duration::from_millis(5500));
    tap.same("a refusal", subject.errno(&Op::Open(b"/tmp/w/verbose".to_vec(), 0o101, 0o644)), EPERM);
    let log = super::boot::kernel_log();
    let message = "ERROR: Access create /tmp/w/verbose 0644 denied for /tmp/x/audit";
    tap.check("verbose", log.iter().any(|line| line.contains(message)), || log.join("\n"));
    if std::fs::read_to_string("/proc/cmdline").is_ok_and(|line| line.contains("audit=1")) {
        let found = log.iter().find(|line| line.contains("lsm=sekisho profile=3 mode=enforcing granted=no"));
        tap.check("the audit stream", found.is_some_and(|line| line.contains(" request=")), || {
            log.join("\n")
        });
        println!("# {}", found.cloned().unwrap_or_default());
    }
}

fn has(record: &[u8], part: &[u8]) -> bool {
    record.windows(part.len()).any(|window| window == part)
}
