// SPDX-License-Identifier: MIT OR Apache-2.0
//! Allocations fail one after the other while system calls run and policy is written (`--faults`, on a kernel with
//! CONFIG_FAULT_INJECTION): in enforcing mode nothing is allowed that is not granted, a policy is the old or the new one, and
//! what worked before works afterwards.
//!
//! The kernel's `fail-nth` makes the n-th allocation of a task fail. A call is repeated with n = 1, 2, 3, ... until there is no
//! n-th allocation any more, so each one of it has failed once. Arrays have a second way to get memory, so one failure is not
//! enough for them: with `make-it-fail` beside it, all small allocations behind the n-th fail too.

use std::ffi::{CString, OsStr};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, FileExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use guest::kernel::{self, set_domain, DRIVER};
use guest::subject::{self, EPERM};
use guest::tap::Tap;

/// A program started with this variable tries all calls; the value is `denied`, `granted` or `learned`.
pub const VARIABLE: &str = "SEKISHO_FAULTS";
const PROGRAM: &str = "/tmp/f/program";
/// What a program needs that makes its own calls fail.
const SWITCHES: [&str; 2] =
    [r"allow_read/write /proc/self/task/\$/fail-nth", r"allow_read/write /proc/self/task/\$/make-it-fail"];
/// No call has more allocations than this.
const MOST: u32 = 3000;

/// A path of twelve names below /tmp/f with so many bytes to be encoded that it is longer than the buffers that the kernel
/// half keeps (8 KiB).
static LONG: LazyLock<CString> = LazyLock::new(|| {
    let mut path = b"/tmp/f".to_vec();
    for _ in 0..12 {
        path.push(b'/');
        path.extend([0xff; 250]);
    }
    CString::new(path).unwrap_or_default()
});

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fails {
    /// The n-th allocation.
    One,
    /// It and all that follow.
    All,
}

/// The switches of the calling task.
struct Nth {
    nth: File,
    all: File,
}

impl Nth {
    fn open() -> Self {
        let open = |name: &str| {
            let file = OpenOptions::new().read(true).write(true).open(format!("/proc/thread-self/{name}"));
            file.unwrap_or_else(|e| panic!("this kernel injects no faults: {e}"))
        };
        Self { nth: open("fail-nth"), all: open("make-it-fail") }
    }

    fn set(&self, n: u32, fails: Fails) {
        switch(&self.nth, n);
        if fails == Fails::All {
            switch(&self.all, 1);
        }
    }

    /// Whether the allocation that was to fail has not been reached; switches off.
    fn is_armed(&self) -> bool {
        switch(&self.all, 0);
        let mut text = [0; 16];
        let count = self.nth.read_at(&mut text, 0).unwrap_or(0);
        switch(&self.nth, 0);
        text.get(..count).unwrap_or_default().trim_ascii() != b"0"
    }

    /// Calls until nothing fails any more; what each call came to, the last one without a failure.
    fn each(&self, fails: Fails, call: &mut dyn FnMut() -> i32) -> Vec<i32> {
        let mut results = Vec::new();
        for n in 1..MOST {
            self.set(n, fails);
            let result = call();
            let over = self.is_armed();
            results.push(result);
            if over {
                break;
            }
        }
        results
    }
}

/// Allocates nothing, for `All` is in force.
fn switch(file: &File, value: u32) {
    let mut text = [0_u8; 16];
    let mut rest = &mut text[..];
    let room = rest.len();
    let written = write!(rest, "{value}").map(|()| room - rest.len());
    let done = written.and_then(|count| file.write_at(text.get(..count).unwrap_or_default(), 0));
    done.unwrap_or_else(|e| panic!("cannot switch faults: {e}"));
}

/// One system call; the answer is its errno, and its effect is undone.
type Call = (&'static str, &'static [&'static str], fn() -> i32);

const CALLS: [Call; 15] = [
    ("open", &["allow_read /tmp/f/file"], || errno(File::open("/tmp/f/file"))),
    // The one name for which no buffer is kept.
    ("open-long", &[r"allow_read /tmp/f/\*/\*/\*/\*/\*/\*/\*/\*/\*/\*/\*/\*"], || {
        let mode = nix::sys::stat::Mode::empty();
        number(nix::fcntl::open(LONG.as_c_str(), nix::fcntl::OFlag::O_RDONLY, mode))
    }),
    ("create", &["allow_create /tmp/f/new 0644", "allow_write /tmp/f/new"], || {
        errno(OpenOptions::new().write(true).create_new(true).open("/tmp/f/new"))
    }),
    ("truncate", &["allow_write /tmp/f/file", "allow_truncate /tmp/f/file"], || {
        errno(OpenOptions::new().write(true).truncate(true).open("/tmp/f/file"))
    }),
    ("unlink", &["allow_unlink /tmp/f/file"], || errno(fs::remove_file("/tmp/f/file"))),
    ("mkdir", &["allow_mkdir /tmp/f/new/ 0755"], || errno(fs::create_dir("/tmp/f/new"))),
    ("rmdir", &["allow_rmdir /tmp/f/dir/"], || errno(fs::remove_dir("/tmp/f/dir"))),
    ("rename", &["allow_rename /tmp/f/file /tmp/f/new"], || errno(fs::rename("/tmp/f/file", "/tmp/f/new"))),
    ("link", &["allow_link /tmp/f/file /tmp/f/new"], || errno(fs::hard_link("/tmp/f/file", "/tmp/f/new"))),
    ("symlink", &["allow_symlink /tmp/f/new"], || errno(symlink("file", "/tmp/f/new"))),
    ("mkfifo", &["allow_mkfifo /tmp/f/new 0600"], || {
        number(nix::unistd::mkfifo("/tmp/f/new", nix::sys::stat::Mode::from_bits_truncate(0o600)))
    }),
    ("chmod", &["allow_chmod /tmp/f/file 0640"], || {
        errno(fs::set_permissions("/tmp/f/file", fs::Permissions::from_mode(0o640)))
    }),
    ("chown", &["allow_chown /tmp/f/file 7"], || {
        errno(std::os::unix::fs::chown("/tmp/f/file", Some(7), None))
    }),
    ("signal", &["allow_signal 23 <kernel>"], || {
        // SIGURG, which the driver, the parent, ignores.
        number(nix::sys::signal::kill(nix::unistd::getppid(), nix::sys::signal::Signal::SIGURG))
    }),
    ("mount", &["allow_mount any /tmp/f/dir/ tmpfs 0x0"], || {
        let flags = nix::mount::MsFlags::empty();
        number(nix::mount::mount(Some("any"), "/tmp/f/dir", Some("tmpfs"), flags, None::<&str>))
    }),
];

fn errno<T>(result: std::io::Result<T>) -> i32 {
    result.map_or_else(|e| e.raw_os_error().unwrap_or(-1), |_| 0)
}

fn number<T>(result: nix::Result<T>) -> i32 {
    result.map_or_else(|errno| errno as i32, |_| 0)
}

/// The folder as every call finds it.
fn refresh() {
    while nix::mount::umount("/tmp/f/dir").is_ok() {}
    for path in ["/tmp/f/new", "/tmp/f/dir"] {
        drop(fs::remove_dir(path));
        drop(fs::remove_file(path));
    }
    drop(fs::create_dir("/tmp/f/dir"));
    drop(fs::write("/tmp/f/file", "data"));
    let long = Path::new(OsStr::from_bytes(LONG.to_bytes()));
    drop(long.parent().map(fs::create_dir_all));
    drop(fs::write(long, "data"));
}

/// The child: one call, named on the command line, with all its allocations failing one after the other. Its exit code says
/// what is wrong.
pub fn child(kind: &str) -> i32 {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some((_, _, call)) = CALLS.iter().find(|(call, _, _)| *call == name) else { return 99 };
    LazyLock::force(&LONG);
    let nth = Nth::open();
    let mut results = nth.each(Fails::One, &mut || call());
    println!("{kind} {name}: {results:?}");
    if kind == "denied" {
        // Nothing changes, so it can be made again.
        let all = nth.each(Fails::All, &mut || call());
        println!("# all, {kind} {name}: {all:?}");
        results.extend(all);
    }
    let last = results.last().copied().unwrap_or(-1);
    match kind {
        // Not one of them may have succeeded, and without a fault it is refused by policy.
        "denied" if results.contains(&0) => 1,
        "denied" if last != EPERM => 2,
        // Some calls can be made only once, so it need not be the last one.
        "granted" | "learned" | "counted" if !results.contains(&0) => 3,
        _ => 0,
    }
}

/// Runs all and prints TAP.
pub fn run() {
    let mut tap = Tap::default();
    tap.topic("faults");
    for folder in ["/sys/kernel/debug", "/tmp/f"] {
        drop(fs::create_dir_all(folder));
    }
    let flags = nix::mount::MsFlags::empty();
    let mounted =
        nix::mount::mount(Some("debugfs"), "/sys/kernel/debug", Some("debugfs"), flags, None::<&str>);
    tap.same("debugfs is mounted", mounted, Ok(()));
    for (file, text) in [
        ("failslab/ignore-gfp-wait", "N"),
        // For tasks with make-it-fail only.
        ("failslab/task-filter", "Y"),
        ("failslab/probability", "100"),
        ("failslab/times", "-1"),
        ("fail_page_alloc/ignore-gfp-wait", "N"),
        ("fail_page_alloc/min-order", "0"),
        ("failslab/verbose", "0"),
        ("fail_page_alloc/verbose", "0"),
    ] {
        fs::write(format!("/sys/kernel/debug/{file}"), text)
            .unwrap_or_else(|e| panic!("cannot prepare {file}: {e}"));
    }
    subject::install(PROGRAM);
    let name = format!("{DRIVER} {PROGRAM}");
    let before = kernel::quiet_bytes();
    let closed = kernel::stat("fail_closed");
    for (call, lines, _) in CALLS {
        let base = SWITCHES;
        let granted: Vec<&str> = base.iter().chain(lines).copied().collect();
        for (kind, profile, lines) in
            [("denied", 3, &base[..]), ("granted", 3, &granted[..]), ("learned", 1, &base[..])]
        {
            refresh();
            set_domain(&name, profile, lines);
            let (code, text) = attempt(call, kind);
            println!("# {}", text.trim());
            tap.same(&format!("{kind}: {call}"), code, Some(0));
        }
        kernel::records("grant_log");
        kernel::records("reject_log");
    }
    tap.check(
        "what had no memory to ask was refused and counted",
        kernel::stat("fail_closed") > closed,
        String::new,
    );
    nothing_more(&mut tap, &name);
    programs(&mut tap, &name);
    writing(&mut tap);
    kernel::delete_domain(&name);
    tap.same("all memory comes back", kernel::settle("policy_bytes", before), before);
    tap.same("one snapshot is left", kernel::settle("snapshots", 1), 1);
    leaks(&mut tap);
    tap.finish();
}

/// Starts the child for one call: its exit code and what it says.
fn attempt(call: &str, kind: &str) -> (Option<i32>, String) {
    match Command::new(PROGRAM).arg(call).env(VARIABLE, kind).output() {
        Ok(output) => (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(e) => (None, e.to_string()),
    }
}

/// A call that is granted and not recorded makes as many allocations as one in a domain that does not ask.
fn nothing_more(tap: &mut Tap, name: &str) {
    for (call, lines, _) in CALLS {
        // The others can be made only once, and fail in different places afterwards.
        if !matches!(call, "open" | "truncate" | "chmod" | "chown" | "signal") {
            continue;
        }
        let granted: Vec<&str> = SWITCHES.iter().chain(lines).copied().collect();
        let count = |profile, lines: &[&str]| {
            set_domain(name, profile, lines);
            let once = |_| {
                refresh();
                let (code, text) = attempt(call, "counted");
                // Who could not try has counted nothing.
                if code == Some(0) {
                    text.matches(',').count()
                } else {
                    usize::MAX
                }
            };
            (0..4).map(once).min().unwrap_or(usize::MAX)
        };
        // Now and then the kernel's allocator asks for a page of its own; the least is what the call needs.
        let (mut asked, mut not_asked) = (usize::MAX, usize::MAX);
        for _ in 0..6 {
            asked = asked.min(count(4, &granted));
            not_asked = not_asked.min(count(0, &[]));
            if asked <= not_asked {
                break;
            }
        }
        tap.check(
            &format!("{call}: an answer that allows makes no allocation"),
            asked <= not_asked && asked < usize::MAX,
            || format!("{asked} instead of {not_asked}"),
        );
    }
}

/// execve: the allocations of a process that is about to become another program.
fn programs(tap: &mut Tap, name: &str) {
    let target = "/tmp/f/target";
    subject::install(target);
    // The next domain is there, because in enforcing mode none is made.
    kernel::write("domain_policy", &format!("{name} {target}\nuse_profile 0"));
    for (kind, lines) in [("denied", &[][..]), ("granted", &["allow_execute /tmp/f/target"][..])] {
        let mut lines: Vec<&str> = lines.to_vec();
        lines.extend(SWITCHES);
        set_domain(name, 3, &lines);
        let output = Command::new(PROGRAM).arg(target).env(VARIABLE, format!("exec-{kind}")).output();
        let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        println!("# exec {kind}: {}", text.trim());
        let ran = text.lines().filter(|line| *line == "started").count();
        if kind == "denied" {
            tap.same("exec without permission never succeeds", ran, 0);
        } else {
            tap.check("exec with permission does", ran > 0, || text.clone());
        }
        tap.check(&format!("exec, {kind}: the last answer came"), text.contains("end"), || text.clone());
    }
    kernel::delete_domain(&format!("{name} {target}"));
    drop(fs::remove_file(target));
}

/// The child of [`programs`]: forks, and the child executes with the n-th allocation failing. Where it must not succeed, also
/// with all that follow.
pub fn execute(kind: &str) {
    execute_with(Fails::One);
    if kind == "exec-denied" {
        execute_with(Fails::All);
    }
    println!("end");
}

fn execute_with(fails: Fails) {
    let target = std::env::args().nth(1).unwrap_or_default();
    let Ok(path) = CString::new(target) else { return };
    let environment = [c"SEKISHO_FAULTS=started".to_owned()];
    for n in 1..400 {
        match fork::fork() {
            Ok(fork::Fork::Child) => {
                let nth = Nth::open();
                nth.set(n, fails);
                let _ = nix::unistd::execve(&path, std::slice::from_ref(&path), &environment);
                std::process::exit(if nth.is_armed() { 7 } else { 3 });
            }
            Ok(fork::Fork::Parent(child)) => {
                let status = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(child), None);
                // 7: refused without a fault. 0: the other program ran; with n beyond its allocations that is the end.
                if matches!(status, Ok(nix::sys::wait::WaitStatus::Exited(_, 7))) {
                    break;
                }
            }
            Err(_) => break,
        }
    }
}

/// Writing policy: whatever fails, the text is the old or the new one.
fn writing(tap: &mut Tap) {
    let nth = Nth::open();
    for fails in [Fails::One, Fails::All] {
        write_policy(tap, &nth, fails);
    }
    // What a transaction replaced is kept until somebody says otherwise.
    kernel::write("transaction", "forget");
    for fails in [Fails::One, Fails::All] {
        rehearse(tap, &nth, fails);
        reading(tap, &nth, fails);
    }
}

fn write_policy(tap: &mut Tap, nth: &Nth, fails: Fails) {
    let line = "<kernel> /tmp/faults\nallow_read /a/\\*/b if task.uid=@FAULTS\nallow_mount /a /b/ ext4 0x1\n";
    for (file, text, undo) in [
        ("domain_policy", line.to_owned(), "delete <kernel> /tmp/faults\n".to_owned()),
        (
            "exception_policy",
            "path_group FAULTS /x/\\*\naggregator /a/\\* /b\n".to_owned(),
            "delete path_group FAULTS /x/\\*\ndelete aggregator /a/\\* /b\n".to_owned(),
        ),
        (
            "transaction",
            format!("begin\nfile domain_policy\n{line}commit\n"),
            "begin\nfile domain_policy\ndelete <kernel> /tmp/faults\ncommit\n".to_owned(),
        ),
    ] {
        let show = if file == "transaction" { "domain_policy" } else { file };
        let old = kernel::read(show);
        drop(kernel::try_write(file, text.as_bytes()));
        let new = kernel::read(show);
        drop(kernel::try_write(file, undo.as_bytes()));
        let mut wrong = None;
        let mut handle = kernel::open(file);
        let mut results = Vec::new();
        for n in 1..MOST {
            nth.set(n, fails);
            let result = handle.write(text.as_bytes());
            let over = nth.is_armed();
            results.push(errno(result));
            let found = kernel::read(show);
            if found == new {
                drop(kernel::try_write(file, undo.as_bytes()));
            } else if found != old {
                wrong = Some(found);
            }
            handle = kernel::open(file);
            if over {
                break;
            }
        }
        println!("# {fails:?}, {file}: {results:?}");
        tap.check(&format!("{file}, {fails:?}: old or new"), wrong.is_none(), || format!("{wrong:?}"));
    }
}

/// A line that is rehearsed is executed or not, alone and inside of an edit: here one handler takes the place of another. If
/// it is not accepted only its answer may have failed.
fn rehearse(tap: &mut Tap, nth: &Nth, fails: Fails) {
    for (kind, begin, end) in [("a line", "", ""), ("a line of an edit", "begin\n", "end\n")] {
        let handlers = |failing: u32| {
            let mut file = kernel::open_both("rehearsal");
            kernel::ask(&mut file, &format!("domain <kernel> /f\ndomain execute_handler /a\n{begin}"));
            nth.set(failing, fails);
            let written = file.write(b"domain execute_handler /b\n").is_ok();
            let over = nth.is_armed();
            let text = kernel::ask(&mut file, &format!("{end}print domain\n"));
            let handlers = text.lines().filter_map(|line| line.strip_prefix("execute_handler "));
            (over, written, handlers.collect::<Vec<_>>().join(" "))
        };
        let (mut wrong, mut failures) = (Vec::new(), 0);
        for n in 1..MOST {
            let (over, written, found) = handlers(n);
            failures += usize::from(!written);
            if found != "/b" && (written || found != "/a") {
                wrong.push(format!("{n}: {written}, {found}"));
            }
            if over {
                break;
            }
        }
        println!("# {fails:?}, rehearsal, {kind}: {failures} failures");
        tap.check(
            &format!("rehearsal, {fails:?}: {kind} is executed or not"),
            wrong.is_empty() && failures > 0,
            || format!("{failures} failures; {wrong:?}"),
        );
    }
}

/// Reading an interface file with failures never gives half a text.
fn reading(tap: &mut Tap, nth: &Nth, fails: Fails) {
    for name in ["domain_policy", "exception_policy", "profile", "stat", "meminfo", "coverage"] {
        let whole = kernel::read(name);
        // Of these three the text stays; in the others numbers change, but not how many lines there are.
        let policy = matches!(name, "domain_policy" | "exception_policy" | "profile");
        let complete =
            |text: &str| text == whole || (!policy && text.lines().count() == whole.lines().count());
        let mut half = None;
        nth.each(fails, &mut || {
            let mut text = String::new();
            let result = File::open(kernel::path(name)).and_then(|mut file| {
                file.seek(SeekFrom::Start(0)).map(drop)?;
                file.read_to_string(&mut text)
            });
            if result.is_ok() && !complete(&text) {
                half = Some(text.clone());
            }
            errno(result)
        });
        tap.check(&format!("reading {name}, {fails:?}: all or an error"), half.is_none(), || {
            format!("{half:?}")
        });
    }
}

/// What the kernel's leak detector finds. A kernel that injects faults has it, and it must not have switched itself off, as it
/// does when it runs out of memory.
fn leaks(tap: &mut Tap) {
    let path = "/sys/kernel/debug/kmemleak";
    let mut found = String::new();
    // Twice: what has just been allocated may look lost the first time.
    for _ in 0..2 {
        let scanned = fs::write(path, "scan");
        tap.check("the leak detector searches", scanned.is_ok(), || format!("{scanned:?}"));
        std::thread::sleep(std::time::Duration::from_secs(6));
        found = fs::read_to_string(path).unwrap_or_default();
    }
    let ours: Vec<&str> =
        found.split("unreferenced object").filter(|part| part.contains("sekisho")).collect();
    tap.check("no memory leaks", ours.is_empty(), || ours.join("\n"));
}
