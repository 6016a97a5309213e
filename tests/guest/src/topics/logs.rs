// SPDX-License-Identifier: MIT OR Apache-2.0
//! grant_log and reject_log (reference 11): the record's form, what goes where, one record a read, a bounded queue.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::time::{SystemTime, UNIX_EPOCH};

use guest::kernel::{self, delete_domain, records, set_domain, stat};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/logs";

/// Records that the kernel holds (reference 7.5, the default of max_reject_log).
const MAX_RECORDS: usize = 1024;

fn read() -> Op {
    Op::Open(b"/tmp/w/file".to_vec(), 0, 0)
}

pub fn run(tap: &mut Tap) {
    tap.topic("logs");
    let name = domain_of(PROGRAM);
    fresh_work();
    match Subject::start(PROGRAM) {
        Ok(mut subject) => {
            form(tap, &mut subject, &name);
            queues(tap, &mut subject, &name);
            pieces(tap, &mut subject, &name);
            bounded(tap, &mut subject, &name);
        }
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    delete_domain(&name);
    drain();
}

fn drain() {
    records("grant_log");
    records("reject_log");
}

/// The record of one refusal, word by word.
fn form(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 3, &[]);
    tap.same("ids", subject.errno(&Op::Gids([1, 2, 3, 4])), 0);
    tap.same("ids", subject.errno(&Op::Uids([11, 12, 0, 11])), 0);
    drain();
    tap.same("a refusal", subject.errno(&read()), EPERM);
    let found = records("reject_log");
    tap.same("one record", found.len(), 1);
    let record = found.first().cloned().unwrap_or_default();
    let lines: Vec<&str> = record.split('\n').collect();
    tap.same(
        "lines of the record",
        lines.get(1..).map(<[&str]>::to_vec),
        Some(vec![name, "allow_read /tmp/w/file", ""]),
    );
    let header = lines.first().copied().unwrap_or_default();
    let (Ok(file), Ok(folder)) = (std::fs::metadata("/tmp/w/file"), std::fs::metadata("/tmp/w")) else {
        return tap.check("the files are there", false, String::new);
    };
    let expected = format!(
        " profile=3 mode=enforcing (global-pid={pid}) task={{ pid={pid} ppid=1 uid=11 gid=1 euid=12 egid=2 suid=0 sgid=3 \
         fsuid=11 fsgid=4 state[0]=0 state[1]=0 state[2]=0 type!=execute_handler }} path1={{ uid=0 gid=0 ino={ino} \
         major={major} minor={minor} perm=0644 type=file }} path1.parent={{ uid=0 gid=0 ino={parent} perm=0755 }}",
        ino = file.ino(),
        major = nix::sys::stat::major(file.dev()),
        minor = nix::sys::stat::minor(file.dev()),
        parent = folder.ino(),
        pid = subject.pid()
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_secs()).unwrap_or(0);
    let stamp = header.strip_prefix("#timestamp=").and_then(|rest| rest.strip_suffix(expected.as_str()));
    tap.check("the header", stamp.is_some(), || {
        format!("expected #timestamp=N{expected}\nhappened {header}")
    });
    let time: u64 = stamp.and_then(|stamp| stamp.parse().ok()).unwrap_or(0);
    tap.check("the time", time.abs_diff(now) < 10, || format!("{time} is not near {now}"));
    tap.same("ids back", subject.errno(&Op::Uids([0; 4])), 0);
    tap.same("ids back", subject.errno(&Op::Gids([0; 4])), 0);
}

/// Granted and refused, each mode, and profiles without logs.
fn queues(tap: &mut Tap, subject: &mut Subject, name: &str) {
    let granted = "allow_read /tmp/w/file";
    for (profile, mode, lines, grants, rejects) in [
        (3_u8, "enforcing", &[granted][..], 1, 0),
        (3, "enforcing", &[], 0, 1),
        (2, "permissive", &[granted], 1, 0),
        (2, "permissive", &[], 0, 1),
        (1, "learning", &[granted], 1, 0),
        (1, "learning", &[], 0, 1),
        (0, "disabled", &[], 0, 0),
        (4, "enforcing without logs", &[granted], 0, 0),
        (4, "enforcing without logs", &[], 0, 0),
    ] {
        set_domain(name, profile, lines);
        drain();
        subject.errno(&read());
        let (grant, reject) = (records("grant_log"), records("reject_log"));
        tap.same(
            &format!("{mode} with {lines:?}: grant and reject records"),
            (grant.len(), reject.len()),
            (grants, rejects),
        );
        let tag = format!(" profile={profile} mode={mode} ");
        let all = grant.iter().chain(&reject);
        tap.check(&format!("{mode}: the header says so"), all.into_iter().all(|r| r.contains(&tag)), || {
            format!("{grant:?} {reject:?}")
        });
    }
    set_domain(name, 1, &[]);
    drain();
    subject.errno(&Op::Repeat(3, Box::new(read())));
    let counts = (records("grant_log").len(), records("reject_log").len());
    tap.same("learning: the first is a miss, the others are granted", counts, (2, 1));
    // Each request in its own form.
    for (op, text) in [
        (Op::Open(b"/tmp/w/file".to_vec(), 1, 0), "allow_write /tmp/w/file"),
        (Op::Open(b"/tmp/w/file".to_vec(), 2, 0), "allow_read/write /tmp/w/file"),
        (Op::Open(b"/tmp/w/a b".to_vec(), 0o101, 0o606), "allow_create /tmp/w/a\\040b 0604"),
        (Op::Mkdir(b"/tmp/w/new".to_vec(), 0o700), "allow_mkdir /tmp/w/new/ 0700"),
        (Op::Rename(b"/tmp/w/full".to_vec(), b"/tmp/w/x".to_vec()), "allow_rename /tmp/w/full/ /tmp/w/x/"),
        (Op::Exec(b"/tmp/w/program".to_vec()), "allow_execute /tmp/w/program"),
        (Op::Truncate(b"/tmp/w/file".to_vec()), "allow_truncate /tmp/w/file"),
    ] {
        set_domain(name, 3, &[]);
        drain();
        let denied = stat("denied");
        tap.same(&format!("{text}: refused"), subject.errno(&op), EPERM);
        let requests: Vec<String> = records("reject_log")
            .iter()
            .map(|r| r.trim_end().rsplit('\n').next().unwrap_or_default().to_owned())
            .collect();
        tap.same(&format!("{text}: the record"), requests, vec![text.to_owned()]);
        tap.same(&format!("{text}: counted in stat"), stat("denied") - denied, 1);
    }
}

/// A short buffer gets a record in pieces and never two records in one read.
fn pieces(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 3, &[]);
    drain();
    subject.errno(&Op::Repeat(2, Box::new(read())));
    let mut file = match File::open(kernel::path("reject_log")) {
        Ok(file) => file,
        Err(e) => return tap.check("reject_log opens", false, || e.to_string()),
    };
    let mut text = Vec::new();
    let mut buffer = [0; 10];
    while let Ok(count @ 1..) = file.read(&mut buffer) {
        text.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
    tap.same("two records in pieces of 10 bytes", text.iter().filter(|&&byte| byte == 0).count(), 2);
    tap.check("the last byte is NUL", text.last() == Some(&0), || format!("{text:?}"));
    subject.errno(&Op::Repeat(2, Box::new(read())));
    let mut large = vec![0; 64 * 1024];
    let first =
        File::open(kernel::path("reject_log")).and_then(|mut file| file.read(&mut large)).unwrap_or(0);
    let one = large.get(..first).unwrap_or_default();
    tap.same("a large buffer gets one record", one.iter().filter(|&&byte| byte == 0).count(), 1);
    tap.same("the other one is still there", records("reject_log").len(), 1);
    tap.same("then nothing", records("reject_log").len(), 0);
}

/// The queue does not grow for ever: what does not fit is counted.
fn bounded(tap: &mut Tap, subject: &mut Subject, name: &str) {
    let extra = 76;
    for (log, lines) in [("reject_log", &[][..]), ("grant_log", &["allow_read /tmp/w/file"])] {
        set_domain(name, 3, lines);
        drain();
        let key = format!("{log}_dropped");
        let dropped = stat(&key);
        subject.errno(&Op::Repeat(MAX_RECORDS as u32 + extra, Box::new(read())));
        tap.same(&format!("{log} holds so many"), records(log).len(), MAX_RECORDS);
        tap.same(&format!("{log} dropped so many"), stat(&key) - dropped, u64::from(extra));
        subject.errno(&read());
        tap.same(&format!("{log} goes on"), records(log).len(), 1);
    }
}
