// SPDX-License-Identifier: MIT OR Apache-2.0
//! What execve reads besides the program (reference 4.5, 6.2): interpreters and loaders; and programs without a path.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use guest::kernel::{self, records, set_domain};
use guest::op::Op;
use guest::subject::EPERM;
use guest::tap::Tap;

use super::exec::{delete_all, start, usual};
use super::table::{acls, drain, request, requests};
use super::{domain_of, fresh_work};

const PROGRAM: &str = "/tmp/x/programs";
const TARGET: &str = "/tmp/w/program";

pub fn run(tap: &mut Tap) {
    tap.topic("programs");
    interpreters(tap);
    loader(tap);
    descriptors(tap);
    links(tap);
    relative(tap);
    rooted(tap);
    jailed(tap);
    delete_all(PROGRAM);
    drain();
}

fn script(path: &str, interpreter: &str) {
    let made = fs::write(path, format!("#!{interpreter}\n"))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)));
    if let Err(e) = made {
        println!("# no script {path}: {e}");
    }
}

/// Interpreters are read in the new domain, one after the other (reference 6.2).
fn interpreters(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    fresh_work();
    script("/tmp/w/first", TARGET);
    script("/tmp/w/second", "/tmp/w/first");
    let next = format!("{own} /tmp/w/second");
    let self_domain = format!("allow_read {}", kernel::path("self_domain"));
    for (lines, errno, asked) in [
        (&[][..], EPERM, "allow_read /tmp/w/first"),
        (&["allow_read /tmp/w/program"], EPERM, "allow_read /tmp/w/first"),
        (&["allow_read /tmp/w/first"], EPERM, "allow_read /tmp/w/program"),
        (&["allow_read /tmp/w/first", "allow_execute /tmp/w/program"], EPERM, "allow_read /tmp/w/program"),
        (&["allow_read /tmp/w/first", "allow_read /tmp/w/program"], 0, ""),
    ] {
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        set_domain(&own, 3, &["allow_execute /tmp/w/second", &self_domain]);
        let mut all = lines.to_vec();
        all.push(&self_domain);
        set_domain(&next, 3, &all);
        drain();
        let what = format!("script of a script with {lines:?}");
        tap.same(&what, subject.errno(&usual("/tmp/w/second")), errno);
        if errno != 0 {
            let refused = records("reject_log");
            tap.same(&format!("{what}: records"), refused.len(), 1);
            let refused = refused.into_iter().next().unwrap_or_default();
            tap.same(&format!("{what}: the record"), request(&refused), asked);
            tap.contains(&format!("{what}: in the new domain"), &refused, &format!("\n{next}\n"));
            tap.same(&format!("{what}: the old domain is back"), subject.domain(), own.clone());
        } else {
            tap.same(&format!("{what}: the new domain"), subject.domain(), next.clone());
        }
    }
    // Learned in the new domain.
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    set_domain(&own, 3, &["allow_execute /tmp/w/second"]);
    set_domain(&next, 1, &[]);
    tap.same("script of a script, learning", subject.errno(&usual("/tmp/w/second")), 0);
    // The C library of the program reads a file of its own in procfs.
    let learned: Vec<String> = acls(&next).into_iter().filter(|line| line.contains("/tmp/")).collect();
    tap.same(
        "script of a script, learned",
        learned,
        vec!["allow_read /tmp/w/first".to_owned(), "allow_read /tmp/w/program".to_owned()],
    );
    // A missing interpreter.
    script("/tmp/w/third", "/tmp/w/nothing");
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    set_domain(&format!("{own} /tmp/w/third"), 0, &[]);
    set_domain(&own, 3, &["allow_execute /tmp/w/third", &self_domain]);
    tap.same("a script without its interpreter", subject.errno(&usual("/tmp/w/third")), 2);
    tap.same("a script without its interpreter: the domain", subject.domain(), own.clone());
    tap.same("and it is judged by it", subject.errno(&Op::Open(b"/tmp/w/file".to_vec(), 0, 0)), EPERM);
}

/// A program that only names a loader, made from the beginning of this one.
fn with_loader(path: &str, loader: &str) -> std::io::Result<()> {
    let own = fs::read("/proc/self/exe")?;
    let wide = own.get(4) == Some(&2);
    let (header, entry) = if wide { (64, 56) } else { (52, 32) };
    let mut file = own.get(..header).unwrap_or_default().to_vec();
    let mut put = |offset: usize, value: &[u8]| {
        for (place, byte) in file.iter_mut().skip(offset).zip(value) {
            *place = *byte;
        }
    };
    // e_phoff, e_phnum: one program header, right behind.
    let begin = (header as u64).to_le_bytes();
    if wide {
        put(32, &begin);
        put(56, &1_u16.to_le_bytes());
    } else {
        put(28, &begin[..4]);
        put(44, &1_u16.to_le_bytes());
    }
    // PT_INTERP: offset and length of the name.
    let mut program = vec![0; entry];
    program[0] = 3;
    let (offset, length) = ((header + entry) as u64, loader.len() as u64 + 1);
    if wide {
        program[8..16].copy_from_slice(&offset.to_le_bytes());
        program[32..40].copy_from_slice(&length.to_le_bytes());
    } else {
        program[4..8].copy_from_slice(&offset.to_le_bytes()[..4]);
        program[16..20].copy_from_slice(&length.to_le_bytes()[..4]);
    }
    file.extend(program);
    file.extend(loader.as_bytes());
    file.push(0);
    fs::write(path, file)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// The loader that a program names is read in the new domain (reference 4.5). What is loaded here cannot run.
fn loader(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let program = "/tmp/w/loaded";
    fresh_work();
    if let Err(e) = with_loader(program, TARGET) {
        return tap.check("a program with a loader can be made", false, || e.to_string());
    }
    let next = format!("{own} {program}");
    let line = format!("allow_read {TARGET}");
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    let op = Op::Fork(Box::new(Op::Exec(program.into())));
    set_domain(&own, 3, &[&format!("allow_execute {program}"), &line]);
    set_domain(&next, 3, &[&format!("allow_execute {TARGET}")]);
    drain();
    tap.same("a loader, refused", subject.errno(&op), EPERM);
    let refused = records("reject_log").join("");
    tap.contains("a loader: the record", &refused, &format!("\n{next}\n{line}\n"));
    set_domain(&next, 3, &[&line]);
    drain();
    let errno = subject.errno(&op);
    tap.check("a loader, allowed", errno != EPERM, || format!("errno {errno}"));
    tap.check("a loader: the grant", requests("grant_log").contains(&line), String::new);
}

/// execveat of a descriptor, of a file in memory.
fn descriptors(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    fresh_work();
    let self_domain = format!("allow_read {}", kernel::path("self_domain"));
    for (label, ops, name) in [
        ("a file", vec![Op::Hold(1, TARGET.into(), 0, 0)], TARGET),
        (
            "a file in memory",
            vec![Op::Memfd(1, b"mem file".to_vec()), Op::CopySelf(1)],
            "/memfd:mem\\040file\\040(deleted)",
        ),
    ] {
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        let next = format!("{own} {name}");
        set_domain(&next, 0, &[]);
        for op in &ops {
            tap.same(&format!("{label}: ready"), subject.errno(op), 0);
        }
        // A descriptor that is open for writing cannot be executed: it is opened again for reading.
        if ops.len() == 2 {
            tap.same("opened again", subject.errno(&Op::Hold(2, b"/proc/self/fd/3".to_vec(), 0, 0)), 0);
        }
        set_domain(&own, 3, &[&self_domain, "allow_execute /tmp/w/other"]);
        drain();
        let slot = if ops.len() == 2 { 2 } else { 1 };
        if slot == 2 {
            set_domain(&own, 0, &[]);
            subject.errno(&Op::Close(1));
            set_domain(&own, 3, &[&self_domain, "allow_execute /tmp/w/other"]);
            drain();
        }
        tap.same(&format!("execveat of {label}"), subject.errno(&Op::ExecFd(slot)), EPERM);
        tap.same(
            &format!("execveat of {label}: the record"),
            requests("reject_log"),
            vec![format!("allow_execute {name}")],
        );
        set_domain(&own, 3, &[&self_domain, &format!("allow_execute {name}")]);
        tap.same(&format!("execveat of {label}, allowed"), subject.errno(&Op::ExecFd(slot)), 0);
        tap.same(&format!("execveat of {label}: the domain"), subject.domain(), next.clone());
    }
}

/// A link that procfs makes up is no name, neither as the last component nor on the way: the file's own path counts. A link in
/// a file system is one, wherever it leads (reference 6.4).
fn links(tap: &mut Tap) {
    fresh_work();
    for (link, target) in [("exe", "/proc/self/exe"), ("open", "/proc/self/fd/3"), ("here", "/proc/self/cwd")]
    {
        drop(std::os::unix::fs::symlink(target, format!("/tmp/w/{link}")));
    }
    let driver = std::process::id();
    for (path, name) in [
        ("/proc/self/exe".to_owned(), PROGRAM),
        ("/proc/thread-self/exe".to_owned(), PROGRAM),
        ("/proc/self/fd/3".to_owned(), TARGET),
        ("/proc/self/fd/4/program".to_owned(), TARGET),
        ("/proc/self/fd/4/./dir/../program".to_owned(), TARGET),
        ("/proc/self/cwd/program".to_owned(), TARGET),
        ("/proc/self/root/tmp/w/program".to_owned(), TARGET),
        (format!("/proc/{driver}/root/tmp/w/program"), TARGET),
        ("/proc/self/task/../cwd/program".to_owned(), TARGET),
        ("/tmp/w/here/program".to_owned(), TARGET),
        ("/tmp/w/exe".to_owned(), "/tmp/w/exe"),
        ("/tmp/w/open".to_owned(), "/tmp/w/open"),
    ] {
        named(tap, &path, name);
    }
}

/// execve of `path` is asked for as `name`.
fn named(tap: &mut Tap, path: &str, name: &str) {
    let own = domain_of(PROGRAM);
    let self_domain = format!("allow_read {}", kernel::path("self_domain"));
    for next in [name, path] {
        set_domain(&format!("{own} {next}"), 0, &[]);
    }
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    for op in [
        Op::Hold(1, TARGET.into(), 0, 0),
        Op::Hold(2, b"/tmp/w".to_vec(), 0, 0),
        Op::Chdir(b"/tmp/w".to_vec()),
    ] {
        tap.same("the subject is ready", subject.errno(&op), 0);
    }
    let op = usual(path);
    let other = if name == path { TARGET } else { path };
    set_domain(&own, 3, &[&self_domain, &format!("allow_execute {other}")]);
    drain();
    tap.same(&format!("execve of {path}, with {other}"), subject.errno(&op), EPERM);
    tap.same(
        &format!("execve of {path}: the record"),
        requests("reject_log"),
        vec![format!("allow_execute {name}")],
    );
    set_domain(&own, 3, &[&self_domain, &format!("allow_execute {name}")]);
    tap.same(&format!("execve of {path}, with {name}"), subject.errno(&op), 0);
    tap.same(&format!("execve of {path}: the domain"), subject.domain(), format!("{own} {name}"));
}

/// Paths that do not begin at the root: below the working directory, or below an open one.
fn relative(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    fresh_work();
    drop(std::os::unix::fs::symlink("program", "/tmp/w/alias"));
    let self_domain = format!("allow_read {}", kernel::path("self_domain"));
    for (label, op, name) in [
        ("execve of a relative path", usual("program"), TARGET),
        ("execve of a relative link", usual("./alias"), "/tmp/w/alias"),
        ("execve through a folder above", usual("dir/../alias"), "/tmp/w/alias"),
        ("execveat below a folder", Op::ExecAt(1, b"program".to_vec()), TARGET),
        ("execveat of a link below a folder", Op::ExecAt(1, b"alias".to_vec()), "/tmp/w/alias"),
        ("execveat of a whole path", Op::ExecAt(1, TARGET.into()), TARGET),
    ] {
        for next in [TARGET, "/tmp/w/alias"] {
            set_domain(&format!("{own} {next}"), 0, &[]);
        }
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        for ready in [Op::Chdir(b"/tmp/w".to_vec()), Op::Hold(1, b"/tmp/w".to_vec(), 0, 0)] {
            tap.same(&format!("{label}: ready"), subject.errno(&ready), 0);
        }
        set_domain(&own, 3, &["allow_execute /tmp/w/nothing", &self_domain]);
        drain();
        tap.same(label, subject.errno(&op), EPERM);
        tap.same(
            &format!("{label}: the record"),
            requests("reject_log"),
            vec![format!("allow_execute {name}")],
        );
        set_domain(&own, 3, &[&format!("allow_execute {name}"), &self_domain]);
        tap.same(&format!("{label}, allowed"), subject.errno(&op), 0);
        tap.same(&format!("{label}: the domain"), subject.domain(), format!("{own} {name}"));
    }
}

/// In a chroot programs have their whole names.
fn rooted(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let next = format!("{own} {TARGET}");
    fresh_work();
    set_domain(&next, 0, &[]);
    let Some(mut subject) = start(tap, PROGRAM) else { return };
    tap.same("chroot", subject.errno(&Op::Chroot(b"/tmp/w".to_vec())), 0);
    set_domain(&own, 3, &["allow_execute /program"]);
    drain();
    tap.same("execve in a chroot, by what is seen", subject.errno(&usual("/program")), EPERM);
    tap.same("its record", requests("reject_log"), vec![format!("allow_execute {TARGET}")]);
    set_domain(&own, 3, &[&format!("allow_execute {TARGET} if exec.realpath=\"{TARGET}\"")]);
    tap.same("execve in a chroot, by the whole name", subject.errno(&usual("/program")), 0);
    set_domain(&next, 3, &["allow_read /tmp/w/file"]);
    tap.same("it is in its domain", subject.errno(&Op::Open(b"/file".to_vec(), 0, 0)), 0);
    tap.same("it may no more", subject.errno(&Op::Open(b"/file".to_vec(), 1, 0)), EPERM);
}

/// Outside of the own root a link says something else to whoever wrote it: it is no name there. Who has a folder from before
/// the chroot can start programs by such a link.
fn jailed(tap: &mut Tap) {
    let own = domain_of(PROGRAM);
    let inner = "/tmp/w/jail/program";
    for (label, ready, op, name) in [
        (
            "execveat of a link outside",
            vec![Op::Hold(1, b"/tmp/w".to_vec(), 0, 0)],
            Op::ExecAt(1, b"absolute".to_vec()),
            inner,
        ),
        (
            "execveat of a link outside that leads in",
            vec![Op::Hold(1, b"/tmp/w".to_vec(), 0, 0)],
            Op::ExecAt(1, b"relative".to_vec()),
            inner,
        ),
        (
            "execveat of a link above",
            vec![Op::Hold(1, b"/tmp/w/dir".to_vec(), 0, 0)],
            Op::ExecAt(1, b"../absolute".to_vec()),
            inner,
        ),
        (
            "execve of a link in a folder outside",
            vec![Op::Hold(1, b"/tmp/w".to_vec(), 0, 0), Op::FdChdir(1)],
            Op::Exec(b"absolute".to_vec()),
            inner,
        ),
        (
            "execveat of a file outside",
            vec![Op::Hold(1, b"/tmp/w".to_vec(), 0, 0)],
            Op::ExecAt(1, b"program".to_vec()),
            TARGET,
        ),
        (
            "execveat of a link inside",
            vec![Op::Hold(1, b"/tmp/w/jail".to_vec(), 0, 0)],
            Op::ExecAt(1, b"inside".to_vec()),
            "/tmp/w/jail/inside",
        ),
        ("execve of a link inside", vec![], Op::Exec(b"/inside".to_vec()), "/tmp/w/jail/inside"),
    ] {
        fresh_work();
        guest::subject::install(inner);
        for (link, target) in
            [("absolute", "/program"), ("relative", "jail/program"), ("jail/inside", "/program")]
        {
            drop(std::os::unix::fs::symlink(target, format!("/tmp/w/{link}")));
        }
        let Some(mut subject) = start(tap, PROGRAM) else { return };
        // Into the folder again behind the chroot, which goes to the new root.
        let (folders, others) = ready.split_at(ready.len().min(1));
        for ready in [folders, &[Op::Chroot(b"/tmp/w/jail".to_vec())], others].concat() {
            tap.same(&format!("{label}: ready"), subject.errno(&ready), 0);
        }
        for next in ["absolute", "relative", "jail/inside"] {
            set_domain(&format!("{own} /tmp/w/{next}"), 0, &[]);
        }
        set_domain(&format!("{own} {name}"), 3, &["allow_read /tmp/w/file"]);
        let links =
            ["absolute", "relative", "jail/inside"].map(|link| format!("allow_execute /tmp/w/{link}"));
        let lines: Vec<&str> =
            links.iter().map(String::as_str).filter(|line| !line.ends_with(name)).collect();
        set_domain(&own, 3, &lines);
        drain();
        tap.same(&format!("{label}, refused"), subject.errno(&op), EPERM);
        tap.same(
            &format!("{label}: the record"),
            requests("reject_log"),
            vec![format!("allow_execute {name}")],
        );
        set_domain(&own, 3, &[&format!("allow_execute {name}")]);
        tap.same(&format!("{label}, allowed"), subject.errno(&op), 0);
        // In the domain of that name nothing else is allowed.
        tap.same(
            &format!("{label}: the domain"),
            subject.errno(&Op::Open(b"/program".to_vec(), 0, 0)),
            EPERM,
        );
        let records = kernel::records("reject_log").join("");
        tap.contains(&format!("{label}: its record"), &records, &format!("\n{own} {name}\n"));
    }
}
