// SPDX-License-Identifier: MIT OR Apache-2.0
//! transaction: all or nothing, and the way back (design 5).

use std::io::Write;

use guest::kernel::{self, ask, errno, last_error, open_both, read, settle, stat, try_write, write};
use guest::tap::Tap;

const EINVAL: i32 = 22;

pub fn run(tap: &mut Tap) {
    tap.topic("transaction");
    settle("snapshots", 1);
    there_and_back(tap);
    nothing(tap);
    meanwhile(tap);
    lost(tap);
    whole(tap);
    protocol(tap);
    tap.same("one snapshot is left", settle("snapshots", 1), 1);
    tap.same("nothing is kept", stat("previous_bytes"), 0);
}

fn has(line: &str) -> bool {
    read("exception_policy").lines().any(|found| found == line)
}

fn there_and_back(tap: &mut Tap) {
    let before = read("exception_policy");
    let mut file = open_both("transaction");
    let text = ask(&mut file, "begin\nfile exception_policy\nnumber_group TX 1\nnumber_group TX 2\n");
    tap.check("it is open", text.starts_with("state open\nlines 2\nrejected 0\ngeneration "), || {
        text.clone()
    });
    tap.same("nothing is seen before the commit", has("number_group TX 1"), false);
    let generation = stat("generation");
    let text = ask(&mut file, "commit\n");
    tap.contains("it is idle", &text, "state idle\n");
    tap.contains("the previous policy is kept", &text, "previous yes\n");
    tap.same(
        "everything is seen after it",
        (has("number_group TX 1"), has("number_group TX 2")),
        (true, true),
    );
    tap.check("as a new generation", stat("generation") > generation, || read("stat"));
    tap.check("what is kept is counted", stat("previous_bytes") > 0, || read("stat"));
    tap.same("and a snapshot", settle("snapshots", 2), 2);
    let text = ask(&mut file, "rollback\n");
    tap.contains("the way back is used up", &text, "previous no\n");
    tap.same("the policy is what it was", read("exception_policy"), before);
    tap.same("a second rollback", errno(&file.write(b"rollback\n")), EINVAL);
    tap.contains("is told", &last_error(), "no earlier policy is kept");
}

fn nothing(tap: &mut Tap) {
    let before = (read("exception_policy"), read("domain_policy"));
    let mut file = open_both("transaction");
    let text = "begin\nfile exception_policy\nnumber_group TX 1\nfile domain_policy\n<kernel> /tx\nallow_read  /\\q\n";
    let state = ask(&mut file, text);
    tap.check("a wrong line", state.starts_with("state failed\nlines 3\nrejected 1\n"), || state.clone());
    tap.contains("is told with its place", &last_error(), "transaction:6:13: ");
    tap.same("the commit fails", errno(&file.write(b"commit\n")), EINVAL);
    tap.same("nothing changed", (read("exception_policy"), read("domain_policy")), before.clone());
    tap.contains("and it is over", &ask(&mut file, "\n"), "state idle\n");
    let mut file = open_both("transaction");
    drop(ask(&mut file, "begin\nfile exception_policy\nnumber_group TX 1\n"));
    drop(file);
    let mut file = open_both("transaction");
    tap.contains("closing aborts", &ask(&mut file, "\n"), "state idle\n");
    drop(ask(&mut file, "begin\nfile exception_policy\nnumber_group TX 1\nabort\n"));
    tap.same("abort fails the commit", errno(&file.write(b"commit\n")), EINVAL);
    // Not complete: a domain with a profile that is not there.
    let text = "begin replace\nfile domain_policy\n<kernel>\nuse_profile 9\ncommit\n";
    tap.same("an incomplete policy", errno(&file.write(text.as_bytes())), EINVAL);
    let text = "begin\nfile domain_policy\n<kernel> /tx\nuse_profile 231\ncommit\n";
    tap.same("a profile that is not there", errno(&file.write(text.as_bytes())), EINVAL);
    tap.contains("is told with the domain", &last_error(), "<kernel> /tx has 231; write 231-CONFIG=");
    tap.same("nothing changed", (read("exception_policy"), read("domain_policy")), before);
}

/// What others write between begin and commit is not lost.
fn meanwhile(tap: &mut Tap) {
    let mut file = open_both("transaction");
    drop(ask(&mut file, "begin\nfile exception_policy\nnumber_group TX 1\n"));
    write("exception_policy", "number_group OTHER 1");
    tap.contains("the commit", &ask(&mut file, "commit\n"), "state idle\n");
    tap.same("both are there", (has("number_group TX 1"), has("number_group OTHER 1")), (true, true));
    write("exception_policy", "delete number_group TX 1\ndelete number_group OTHER 1");
    tap.contains("forget", &ask(&mut file, "forget\n"), "previous no\n");
}

/// The whole policy as it is, written as the next one.
fn whole(tap: &mut Tap) {
    let files = ["profile", "manager", "exception_policy", "domain_policy"];
    let before = files.map(read);
    let mut text = String::from("begin replace\n");
    for (file, content) in files.iter().zip(&before) {
        text.push_str(&format!("file {file}\n{content}"));
    }
    text.push_str("commit\n");
    let mut file = open_both("transaction");
    tap.contains("the commit", &ask(&mut file, &text), "state idle\n");
    for (file, content) in files.iter().zip(before) {
        tap.same(&format!("{file} says the same"), read(file), content);
    }
    tap.contains("forget", &ask(&mut file, "forget\n"), "previous no\n");
    tap.same("tasks are where they were", read("self_domain"), kernel::DRIVER.to_owned());
}

fn protocol(tap: &mut Tap) {
    for (text, reason) in [
        ("commit\n", "no transaction is open"),
        ("number_group TX 1\n", "no transaction is open"),
        ("begin\nbegin\n", "a transaction is open"),
        ("begin\nnumber_group TX 1\ncommit\n", "a line is not accepted"),
        ("begin\nfile stat\ncommit\n", "a line is not accepted"),
    ] {
        let written = try_write("transaction", text.as_bytes());
        tap.same(&format!("{text:?}"), errno(&written), EINVAL);
        tap.contains(&format!("{text:?} is told"), &last_error(), reason);
    }
}

/// A line that did not get in makes the commit fail, whatever kept it out.
fn lost(tap: &mut Tap) {
    let before = (read("exception_policy"), read("domain_policy"));
    let long = "x".repeat(200_000);
    let mut file = open_both("transaction");
    let state = ask(&mut file, "begin\nfile exception_policy\nnumber_group TX 1\n");
    tap.contains("it is open", &state, "state open\n");
    for part in [long.as_bytes(), b"\n"] {
        tap.check("a long line is written", file.write_all(part).is_ok(), String::new);
    }
    tap.contains("it is told", &last_error(), "the line is longer than 135168 bytes");
    tap.contains("and fails the transaction", &ask(&mut file, "\n"), "state failed\nlines 1\nrejected 1\n");
    tap.same("the commit fails", errno(&file.write(b"commit\n")), EINVAL);
    // What stands behind a command that fails is not looked at.
    let text = "begin\nfile exception_policy\nnumber_group TX 1\nbegin\nnumber_group TX 2\n";
    tap.same("a second begin", errno(&file.write(text.as_bytes())), EINVAL);
    tap.same("and no commit", errno(&file.write(b"commit\n")), EINVAL);
    tap.same("nothing changed", (read("exception_policy"), read("domain_policy")), before);
    // In domain_policy what follows does not go to the domain before.
    let mut file = kernel::open("domain_policy");
    let text = format!("<kernel> /tx\n<kernel> /{long}\nallow_read /tx-lost\n");
    tap.check("lines behind a long one", file.write_all(text.as_bytes()).is_ok(), String::new);
    tap.contains("have no domain", &last_error(), "no current domain");
    tap.same("and are in none", kernel::domain("<kernel> /tx"), vec!["use_profile 0".to_owned()]);
    kernel::delete_domain("<kernel> /tx");
}
