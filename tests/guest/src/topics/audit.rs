// SPDX-License-Identifier: MIT OR Apache-2.0
//! audit: binary records, one a read, which are made only while somebody has the file open.

use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use guest::kernel::{self, delete_domain, readable, set_domain, stat};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;
use rustix::net::netlink::{SocketAddrNetlink, AUDIT};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType};

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

/// What the kernel's own log says about a refusal: `verbose` (reference 7.5), and the audit stream, which goes there while there is
/// no audit daemon.
///
/// The stream is on for this one refusal only. With `audit=1` the kernel would keep the records of all topics for a daemon that
/// never comes, and complain about each that it has no room for.
fn kernel_log(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 3, &[]);
    // Not more than a few messages in five seconds.
    std::thread::sleep(Duration::from_millis(5500));
    tap.same("this kernel has an audit stream", kernel::read("features/kernel_audit"), "yes\n".to_owned());
    let switched = switch_audit_stream(true);
    tap.check("the audit stream is switched on", switched.is_ok(), || format!("{switched:?}"));
    tap.same("a refusal", subject.errno(&Op::Open(b"/tmp/w/verbose".to_vec(), 0o101, 0o644)), EPERM);
    // What has blanks is written in hexadecimal digits.
    let record = format!(
        "lsm=sekisho profile=3 mode=enforcing granted=no pid={} domain={} request={}",
        subject.pid(),
        hexadecimal(name),
        hexadecimal("allow_create /tmp/w/verbose 0644")
    );
    // A thread of the kernel writes it.
    let end = Instant::now() + Duration::from_secs(5);
    let mut log = super::boot::kernel_log();
    while !log.iter().any(|line| line.ends_with(&record)) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(100));
        log = super::boot::kernel_log();
    }
    let switched = switch_audit_stream(false);
    tap.check("the audit stream is switched off", switched.is_ok(), || format!("{switched:?}"));
    let message = "ERROR: Access create /tmp/w/verbose 0644 denied for /tmp/x/audit";
    tap.check("verbose", log.iter().any(|line| line.contains(message)), || log.join("\n"));
    tap.check(
        "the audit stream has one record",
        log.iter().filter(|line| line.ends_with(&record)).count() == 1,
        || format!("no {record} in\n{}", log.join("\n")),
    );
}

fn hexadecimal(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02X}")).collect()
}

/// Does what `auditctl -e 1` or `-e 0` does.
fn switch_audit_stream(on: bool) -> io::Result<()> {
    // struct nlmsghdr: length, type AUDIT_SET with NLM_F_REQUEST and NLM_F_ACK, serial number, port; then the beginning of struct
    // audit_status: AUDIT_STATUS_ENABLED and its value.
    let kind = [1001_u16.to_ne_bytes(), 5_u16.to_ne_bytes()].concat();
    let numbers = [1, 0, 1, u32::from(on)].map(u32::to_ne_bytes).concat();
    let message = [&24_u32.to_ne_bytes(), kind.as_slice(), &numbers].concat();
    let socket = rustix::net::socket(AddressFamily::NETLINK, SocketType::RAW, Some(AUDIT))?;
    rustix::net::sendto(&socket, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    // The kernel has answered already: another header, and a negative errno.
    let mut reply = vec![0; 256];
    let (count, _) = rustix::net::recv(&socket, &mut reply, RecvFlags::DONTWAIT)?;
    let error = reply.get(..count).and_then(|reply| reply.get(16..20)).and_then(|word| word.try_into().ok());
    match error.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::Error::other("a short answer")),
    }
}

fn has(record: &[u8], part: &[u8]) -> bool {
    record.windows(part.len()).any(|window| window == part)
}
