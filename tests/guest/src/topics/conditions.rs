// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conditions (reference 5): each credential by itself, numbers, ranges, groups, `!=`, process ids.

use guest::kernel::{delete_domain, set_domain, write};
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/conditions";
const APP: u32 = 10050;

fn read() -> Op {
    Op::Open(b"/tmp/w/file".to_vec(), 0, 0)
}

pub fn run(tap: &mut Tap) {
    tap.topic("conditions");
    fresh_work();
    write("exception_policy", "number_group APP 10050");
    fields(tap);
    let name = domain_of(PROGRAM);
    match Subject::start(PROGRAM) {
        Ok(mut subject) => {
            values(tap, &mut subject, &name);
            group_changes(tap, &mut subject, &name);
            others(tap, &mut subject, &name);
        }
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    write("exception_policy", "delete number_group APP 10050");
    delete_domain(&name);
}

/// Each of the eight credentials alone satisfies its own keyword, and the other seven together do not.
fn fields(tap: &mut Tap) {
    let name = domain_of(PROGRAM);
    for (kind, set) in [("uid", Op::Uids as fn([u32; 4]) -> Op), ("gid", Op::Gids)] {
        for (index, prefix) in ["", "e", "s", "fs"].into_iter().enumerate() {
            let keyword = format!("task.{prefix}{kind}");
            let one = std::array::from_fn(|i| if i == index { APP } else { 0 });
            // Without capabilities fsuid can only become one of the others, so the saved uid stays 0 with it.
            let rest =
                std::array::from_fn(|i| if i == index || (prefix == "fs" && i == 2) { 0 } else { APP });
            for (label, ids, errno) in [("alone", one, 0), ("all but it", rest, EPERM)] {
                set_domain(&name, 0, &[]);
                let Ok(mut subject) = Subject::start(PROGRAM) else {
                    tap.check("the subject starts", false, || PROGRAM.into());
                    return;
                };
                tap.same(&format!("{keyword} {label}: ids set"), subject.errno(&set(ids)), 0);
                set_domain(&name, 3, &[&format!("allow_read /tmp/w/file if {keyword}=@APP")]);
                tap.same(&format!("{keyword} {label}"), subject.errno(&read()), errno);
                set_domain(&name, 3, &[&format!("allow_read /tmp/w/file if {keyword}!=@APP")]);
                tap.same(&format!("{keyword} {label}, !="), subject.errno(&read()), EPERM - errno);
            }
        }
    }
}

/// Forms of numbers, with uid 0 and the driver as parent.
fn values(tap: &mut Tap, subject: &mut Subject, name: &str) {
    let pid = subject.pid();
    for (condition, errno) in [
        ("task.uid=0".to_owned(), 0),
        ("task.uid!=0".to_owned(), EPERM),
        ("task.uid=1".to_owned(), EPERM),
        ("task.uid=0-10".to_owned(), 0),
        ("task.uid=1-10".to_owned(), EPERM),
        ("0-10=task.uid".to_owned(), 0),
        ("task.uid=00".to_owned(), 0),
        ("task.uid=0x0".to_owned(), 0),
        ("task.uid=task.euid".to_owned(), 0),
        ("task.uid!=task.euid".to_owned(), EPERM),
        ("task.uid=task.pid".to_owned(), EPERM),
        ("1=1".to_owned(), 0),
        ("1=2".to_owned(), EPERM),
        ("1-5=5-9".to_owned(), 0),
        ("task.uid=@APP".to_owned(), EPERM),
        ("task.uid=@NOBODY".to_owned(), EPERM),
        ("task.uid!=@NOBODY".to_owned(), 0),
        (format!("task.pid={pid}"), 0),
        (format!("task.pid!={pid}"), EPERM),
        ("task.ppid=1".to_owned(), 0),
        ("task.ppid=2".to_owned(), EPERM),
        ("task.state[0]=0 task.state[1]=0 task.state[2]=0".to_owned(), 0),
        ("task.state[1]=1".to_owned(), EPERM),
        ("task.type!=execute_handler".to_owned(), 0),
        ("task.type=execute_handler".to_owned(), EPERM),
        ("task.uid=0 task.gid=0".to_owned(), 0),
        ("task.uid=0 task.gid=1".to_owned(), EPERM),
        ("task.uid=18446744073709551615".to_owned(), EPERM),
    ] {
        set_domain(name, 3, &[&format!("allow_read /tmp/w/file if {condition}")]);
        tap.same(&condition, subject.errno(&read()), errno);
    }
    set_domain(name, 3, &["allow_read /tmp/w/file if task.uid=1", "allow_read /tmp/w/file if task.uid=0"]);
    tap.same("several entries are alternatives", subject.errno(&read()), 0);
}

/// A number group is empty, gets members, loses them; a process that is running sees it at once.
fn group_changes(tap: &mut Tap, subject: &mut Subject, name: &str) {
    set_domain(name, 3, &["allow_read /tmp/w/file if task.uid=@LATE"]);
    tap.same("a group that nobody filled", subject.errno(&read()), EPERM);
    write("exception_policy", "number_group LATE 5\nnumber_group LATE 100-200");
    tap.same("other members", subject.errno(&read()), EPERM);
    write("exception_policy", "number_group LATE 0");
    tap.same("the member is there", subject.errno(&read()), 0);
    write("exception_policy", "delete number_group LATE 0");
    tap.same("the member is gone", subject.errno(&read()), EPERM);
    write("exception_policy", "number_group LATE 0-5");
    tap.same("a range with it", subject.errno(&read()), 0);
    write(
        "exception_policy",
        "delete number_group LATE 0-5\ndelete number_group LATE 100-200\ndelete number_group LATE 5",
    );
    tap.same("all gone", subject.errno(&read()), EPERM);
}

/// Conditions hold for every kind of ACL, and changed credentials count at once.
fn others(tap: &mut Tap, subject: &mut Subject, name: &str) {
    for (line, op) in [
        ("allow_write /tmp/w/file", Op::Open(b"/tmp/w/file".to_vec(), 1, 0)),
        ("allow_truncate /tmp/w/file", Op::Truncate(b"/tmp/w/file".to_vec())),
        ("allow_mkdir /tmp/w/new/ 0700", Op::Mkdir(b"/tmp/w/new".to_vec(), 0o700)),
        ("allow_rmdir /tmp/w/new/", Op::Rmdir(b"/tmp/w/new".to_vec())),
        ("allow_create /tmp/w/node 0600", Op::Mknod(b"/tmp/w/node".to_vec(), 0o600)),
        (
            "allow_rename /tmp/w/node /tmp/w/other",
            Op::Rename(b"/tmp/w/node".to_vec(), b"/tmp/w/other".to_vec()),
        ),
        ("allow_unlink /tmp/w/other", Op::Unlink(b"/tmp/w/other".to_vec())),
    ] {
        set_domain(name, 3, &[&format!("{line} if task.uid=1")]);
        tap.same(&format!("{line}: condition false"), subject.errno(&op), EPERM);
        set_domain(name, 3, &[&format!("{line} if task.uid=0")]);
        tap.same(&format!("{line}: condition true"), subject.errno(&op), 0);
    }
    set_domain(name, 3, &["allow_read /tmp/w/file if task.euid=10050"]);
    tap.same("before setresuid", subject.errno(&read()), EPERM);
    tap.same("setresuid", subject.errno(&Op::Uids([0, APP, 0, APP])), 0);
    tap.same("after setresuid", subject.errno(&read()), 0);
    tap.same("setresuid back", subject.errno(&Op::Uids([0, 0, 0, 0])), 0);
    tap.same("after setresuid back", subject.errno(&read()), EPERM);
}
