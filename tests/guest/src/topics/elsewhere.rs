// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where Sekisho shows itself outside of its own directory: a task's domain as an attribute in procfs, `/proc/ccs` for tools of
//! 1.7, the list of security modules.

use std::fs::{self, OpenOptions};
use std::io::Write;

use guest::kernel::{self, ask, delete_domain, open_both, set_domain, DIRECTORY, DRIVER};
use guest::op::{Answer, Op};
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;
use nix::mount::{mount, umount, MsFlags};

use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/elsewhere";
const SENDER: &str = "/tmp/x/elsewhere-sender";

pub fn run(tap: &mut Tap) {
    tap.topic("elsewhere");
    fresh_work();
    tap.contains("the list of modules", &read("/sys/kernel/security/lsm"), "sekisho");
    attribute(tap);
    proc_ccs(tap);
    delete_domain(&domain_of(PROGRAM));
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| format!("{path}: {e}"))
}

/// /proc/PID/attr/sekisho/current
fn attribute(tap: &mut Tap) {
    tap.same("the driver's own domain", read("/proc/self/attr/sekisho/current"), DRIVER.to_owned());
    tap.same("process 1 is the driver", read("/proc/1/attr/sekisho/current"), DRIVER.to_owned());
    tap.same("a kernel thread", read("/proc/2/attr/sekisho/current"), "<kernel>".to_owned());
    let written = OpenOptions::new().write(true).open("/proc/self/attr/sekisho/current");
    let written = written.and_then(|mut file| file.write(b"<kernel>"));
    tap.check("it cannot be written", written.is_err(), || format!("{written:?}"));
    let mut subject = match Subject::start(PROGRAM) {
        Ok(subject) => subject,
        Err(e) => return tap.check("the subject starts", false, || e.to_string()),
    };
    let path = format!("/proc/{}/attr/sekisho/current", subject.pid());
    let own = Op::Read(b"/proc/self/attr/sekisho/current".to_vec());
    let name = domain_of(PROGRAM);
    set_domain(&name, 3, &["allow_read /proc/self/attr/sekisho/current"]);
    tap.same("somebody else's domain", read(&path), name.clone());
    tap.same("what a subject sees", subject.perform(&own), Answer::Text(name.clone().into_bytes()));
    set_domain(&name, 3, &[]);
    tap.same("it is a file like others", subject.perform(&own), Answer::Errno(EPERM));
    // A program that is not one: the execve fails after the domain has changed, and the task is where it was.
    fs::write("/tmp/w/nothing", "nothing").unwrap_or_else(|e| panic!("cannot write a file: {e}"));
    nix::sys::stat::fchmodat(
        nix::fcntl::AT_FDCWD,
        "/tmp/w/nothing",
        nix::sys::stat::Mode::from_bits_truncate(0o755),
        nix::sys::stat::FchmodatFlags::FollowSymlink,
    )
    .unwrap_or_else(|e| panic!("cannot change a mode: {e}"));
    set_domain(&name, 3, &["allow_execute /tmp/w/nothing"]);
    kernel::write("domain_policy", &format!("{name} /tmp/w/nothing\nuse_profile 3"));
    tap.same("no program", subject.errno(&Op::Exec(b"/tmp/w/nothing".to_vec())), nix::libc::ENOEXEC);
    tap.same("the domain after a failed execve", read(&path), name.clone());
    let pid = subject.pid();
    let mut status = open_both(".process_status");
    tap.same(
        "as .process_status tells it",
        ask(&mut status, &format!("{pid} \n")),
        format!("{pid} 3 {name}"),
    );
    let shown = ask(&mut open_both("domain_policy"), &format!("select pid={pid}\n"));
    tap.contains("as select finds it", &shown, &format!("\n{name}\n"));
    // And as others see it who send it a signal: the subject has asked for nothing since.
    match Subject::start(SENDER) {
        Ok(mut sender) => {
            let kill = Op::Kill(pid as i32, nix::libc::SIGCONT);
            for (domain, errno) in [(format!("{name} /tmp/w/nothing"), EPERM), (name.clone(), 0)] {
                set_domain(&domain_of(SENDER), 3, &[&format!("allow_signal 18 {domain}")]);
                tap.same(&format!("a signal for {domain}"), sender.errno(&kill), errno);
            }
        }
        Err(e) => tap.check("the sender starts", false, || e.to_string()),
    }
    delete_domain(&domain_of(SENDER));
    delete_domain(&format!("{name} /tmp/w/nothing"));
}

/// The directory bound to /proc/ccs works as it does in its own place.
fn proc_ccs(tap: &mut Tap) {
    let bound = mount(Some(DIRECTORY), "/proc/ccs", None::<&str>, MsFlags::MS_BIND, None::<&str>);
    tap.same("the directory is bound", bound, Ok(()));
    tap.same("version", read("/proc/ccs/version"), kernel::read("version"));
    tap.same("domain_policy", read("/proc/ccs/domain_policy"), kernel::read("domain_policy"));
    let written = OpenOptions::new()
        .write(true)
        .open("/proc/ccs/domain_policy")
        .and_then(|mut file| file.write(b"<kernel> /proc-ccs\nuse_profile 2\n"));
    tap.check("a line is written", written.is_ok(), || format!("{written:?}"));
    tap.contains("and is there", &kernel::read("domain_policy"), "<kernel> /proc-ccs\nuse_profile 2\n");
    delete_domain("<kernel> /proc-ccs");
    tap.same("the directory is taken off", umount("/proc/ccs"), Ok(()));
    tap.same("an empty directory is left", fs::read_dir("/proc/ccs").map(Iterator::count).ok(), Some(0));
}
