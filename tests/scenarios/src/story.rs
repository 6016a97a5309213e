// SPDX-License-Identifier: MIT OR Apache-2.0
//! The story: an app is installed, its UID becomes policy, the kernel enforces it; the app goes and comes; a reboot.
//!
//! Runs as the real init behind sekisho-init, twice: a file on /data, the disk that survives, says that the first half is
//! over. Nothing here writes policy: that is done by sekisho-init at boot and by the resolver.

mod package_manager;
mod steps;
mod zygote;

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use guest::kernel::{self, stat};
use nix::mount::{mount, umount, MsFlags};
use nix::sys::reboot::{reboot, RebootMode};
use package_manager::{create_data, place_code, remove_code, write_list};
use steps::Steps;
use zygote::Zygote;

const PACKAGE: &str = "com.github.uiautomator";
const OTHER: &str = "com.example.other";
const NOTE: &str = "/data/data/com.github.uiautomator/files/note";
const GROUP: &str = "UIAUTOMATOR_DATA_READERS";
const APP: &str = "/usr/lib/sekisho/app.apk";
const ZYGOTE: &str = "/system/bin/app_process";
const ZYGOTE_DOMAIN: &str = "<kernel> /system/bin/app_process";
const LEARNER: &str = "/system/bin/learner";
const LEARNER_DOMAIN: &str = "<kernel> /system/bin/learner";
const RESOLVER: &str = "/usr/bin/sekisho-uid-resolver";
const STATE: &str = "/data/system/sekisho";
const MARKER: &str = "/data/story/first-half";
const LINES_KEPT: &str = "/data/story/lines";

/// The packages that the device has beside the app.
const PRELOADED: [(&str, u32); 3] = [("com.android.shell", 2000), ("android", 1000), (OTHER, 10051)];

/// Longest wait for the resolver. It reacts in milliseconds; an emulated machine under load may need seconds.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    if let Err(e) = tell() {
        println!("story: FAILED, the stage cannot be set: {e}");
        power(RebootMode::RB_POWER_OFF);
    }
}

fn tell() -> io::Result<()> {
    fs::create_dir_all("/data")?;
    mount(Some("/dev/vda"), "/data", Some("ext4"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, None::<&str>)
        .map_err(|e| io::Error::other(format!("cannot mount /dev/vda on /data: {e}")))?;
    let mode = match Steps::restore(MARKER) {
        None => first_half()?,
        Some(steps) => {
            second_half(steps)?;
            RebootMode::RB_POWER_OFF
        }
    };
    nix::unistd::sync();
    if let Err(e) = umount("/data") {
        println!("story: /data stays mounted: {e}");
    }
    power(mode)
}

/// Never returns in a guest.
fn power(mode: RebootMode) -> ! {
    nix::unistd::sync();
    let failed = reboot(mode);
    println!("story: FAILED, the machine does not obey: {failed:?}");
    loop {
        thread::sleep(Duration::from_secs(60));
    }
}

/// Everything up to the reboot.
fn first_half() -> io::Result<RebootMode> {
    let mut steps = Steps::default();
    println!("story: first half");
    booted(&mut steps, "a");
    fs::create_dir_all("/data/app")?;
    write_list(&PRELOADED)?;
    create_data(PACKAGE, 10050)?;
    create_data(OTHER, 10051)?;
    let mut zygote = Zygote::start(ZYGOTE)?;
    let mut learner = Zygote::start(LEARNER)?;

    not_installed(&mut steps, &mut zygote);
    let mut resolver = Resolver::start()?;
    let clean = kernel::quiet_bytes();

    place_code(PACKAGE, APP)?;
    install(10050)?;
    installed(&mut steps, 10050);
    let with_app = stat("policy_bytes");
    enforced(&mut steps, &mut zygote);
    let learned = learning(&mut steps, &mut learner);

    remove_code(PACKAGE)?;
    write_list(&PRELOADED)?;
    removed(&mut steps, &mut zygote, clean + learned, with_app);

    place_code(PACKAGE, APP)?;
    install(10050)?;
    let there = wait(|| group() == ["10050"]);
    steps.holds("g", "the app is installed again before the reboot", "group holds 10050", there, || {
        format!("group holds {:?}", group())
    });
    let kept = fs::read_dir(STATE)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "fragment"));
    let texts: Vec<String> = kept.filter_map(|path| fs::read_to_string(path).ok()).collect();
    let good = texts.len() == 1
        && texts.iter().all(|text| text.contains(PACKAGE) && text.contains(GROUP) && !text.contains("10050"));
    steps.holds("g", "what is on disk", "the fragment and its package, no number", good, || {
        format!("{texts:?}")
    });

    fs::create_dir_all("/data/story")?;
    fs::write(LINES_KEPT, app_lines().join("\n"))?;
    resolver.stop();
    if !steps.all_held() {
        steps.finish();
        return Ok(RebootMode::RB_POWER_OFF);
    }
    steps.save(MARKER)?;
    println!("story: rebooting");
    Ok(RebootMode::RB_AUTOBOOT)
}

/// a, and g again: the kernel runs the LSM, the template's policy is loaded and enforcing.
fn booted(steps: &mut Steps, letter: &str) {
    let list = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    let listed = list.trim().split(',').any(|name| name == "sekisho");
    steps.holds(letter, "the kernel's security modules", "sekisho is one of them", listed, || list.clone());
    steps.step(
        letter,
        "the policy of policy-templates/android-app",
        "active 1, rejected_lines 0",
        &format!("active {}, rejected_lines {}", kernel::read("activate").trim(), stat("rejected_lines")),
    );
    let lines = kernel::domain(ZYGOTE_DOMAIN);
    let profile = lines.iter().find(|line| line.starts_with("use_profile ")).cloned().unwrap_or_default();
    let enforcing =
        kernel::read("profile").lines().any(|line| line.starts_with("3-CONFIG::file={ mode=enforcing "));
    steps.holds(
        letter,
        "zygote's domain",
        "use_profile 3, which is enforcing",
        profile == "use_profile 3" && enforcing,
        || profile.clone(),
    );
    let silent = !lines.iter().any(|line| line.contains("/data/data/"));
    steps.holds(letter, "zygote's domain and apps' data", "no line names any", silent, || lines.join(" | "));
}

/// b: before the app is installed its uid reads nothing, and the log says what it wanted.
fn not_installed(steps: &mut Steps, zygote: &mut Zygote) {
    kernel::records("reject_log");
    steps.step("b", &format!("uid 10050 reads {NOTE}"), "EPERM", &zygote.read(10050, NOTE));
    let wanted = format!("\n{ZYGOTE_DOMAIN}\nallow_read {NOTE}\n");
    let records = kernel::records("reject_log");
    let found = records.iter().find(|record| record.ends_with(&wanted) && record.contains(" uid=10050 "));
    steps.holds(
        "b",
        "the record in reject_log",
        "uid 10050 in zygote's domain wanted allow_read",
        found.is_some(),
        || records.join(" "),
    );
    for line in found.iter().flat_map(|record| record.lines()) {
        println!("    {line}");
    }
}

/// c: the watcher has seen the list and the kernel has the group and the lines.
fn installed(steps: &mut Steps, uid: u32) {
    let number = uid.to_string();
    let there = wait(|| group() == [number.as_str()] && !app_lines().is_empty());
    steps.holds(
        "c",
        "packages.list is replaced, the watcher installs the app's fragment",
        &format!("number_group {GROUP} {uid}"),
        there,
        || format!("group holds {:?}; {}", group(), kernel::last_error()),
    );
    for line in kernel::read("exception_policy").lines().filter(|line| line.contains(GROUP)) {
        println!("    {line}");
    }
    for line in app_lines() {
        println!("    {line}");
    }
    let wanted = format!("allow_read /data/data/{PACKAGE}/\\{{\\*\\}}/\\* if task.uid=@{GROUP}");
    steps.holds(
        "c",
        "the kernel's domain_policy",
        "it has the fragment's lines",
        app_lines().contains(&wanted),
        || app_lines().join(" | "),
    );
}

/// d: exactly this uid may, in exactly its directory.
fn enforced(steps: &mut Steps, zygote: &mut Zygote) {
    steps.step("d", &format!("uid 10050 reads {NOTE}"), "allowed", &zygote.read(10050, NOTE));
    steps.step("d", "uid 10051 reads it", "EPERM", &zygote.read(10051, NOTE));
    steps.step("d", "uid 0 in the same domain reads it", "EPERM", &zygote.read(0, NOTE));
    let new = format!("/data/data/{PACKAGE}/files/new");
    steps.step("d", "uid 10050 creates a file in its directory", "allowed", &zygote.create(10050, &new));
    let other = format!("/data/data/{OTHER}/files/note");
    steps.step("d", "uid 10050 reads another app's file", "EPERM", &zygote.read(10050, &other));
}

/// e: learning mode. Returns by how much the policy grew.
fn learning(steps: &mut Steps, learner: &mut Zygote) -> u64 {
    let before = stat("policy_bytes");
    let file = format!("/data/data/{OTHER}/files/new file");
    steps.step("e", "an app in learning mode creates \"new file\"", "allowed", &learner.create(10051, &file));
    steps.step(
        "e",
        "and reads a file",
        "allowed",
        &learner.read(10051, &format!("/data/data/{OTHER}/files/note")),
    );
    let lines = kernel::domain(LEARNER_DOMAIN);
    for line in &lines {
        println!("    {line}");
    }
    let wanted = [
        format!("allow_create /data/data/{OTHER}/files/new\\040file 0600"),
        format!("allow_write /data/data/{OTHER}/files/new\\040file"),
        format!("allow_read /data/data/{OTHER}/files/note"),
    ];
    let all = wanted.iter().all(|line| lines.contains(line));
    steps.holds("e", "its domain's learned lines", "create, write and read, with these names", all, || {
        lines.join(" | ")
    });
    stat("policy_bytes").saturating_sub(before)
}

/// f: the app is removed; so are its rights and its memory.
fn removed(steps: &mut Steps, zygote: &mut Zygote, clean: u64, with_app: u64) {
    let gone = wait(|| group().is_empty() && app_lines().is_empty());
    steps.holds(
        "f",
        "the app leaves packages.list, the watcher removes its lines",
        "no line names it",
        gone,
        || format!("group holds {:?}, {:?}", group(), app_lines()),
    );
    steps.step("f", "uid 10050 reads its file", "EPERM", &zygote.read(10050, NOTE));
    let bytes = kernel::settle("policy_bytes", clean);
    println!("    policy_bytes: {with_app} with the app, {bytes} without it");
    steps.step(
        "f",
        "policy_bytes of stat",
        &format!("{clean} (before the app, and what was learned)"),
        &format!("{bytes} (before the app, and what was learned)"),
    );
    steps.step("f", "snapshots of stat", "1", &kernel::settle("snapshots", 1).to_string());
}

/// g: after the reboot.
fn second_half(mut steps: Steps) -> io::Result<()> {
    println!("story: second half, after the reboot");
    booted(&mut steps, "g");
    let empty = group().is_empty() && app_lines().is_empty();
    steps.holds("g", "the kernel after the reboot", "knows no number of the last boot", empty, || {
        format!("{:?} {:?}", group(), app_lines())
    });
    let mut zygote = Zygote::start(ZYGOTE)?;
    steps.step("g", "uid 10050 reads its file before the resolver runs", "EPERM", &zygote.read(10050, NOTE));
    // PackageManager's scan gave the app another number: ids are given out again after a reboot.
    create_data(PACKAGE, 10077)?;
    install(10077)?;
    let mut resolver = Resolver::start()?;
    let there = wait(|| group() == ["10077"]);
    steps.holds(
        "g",
        "packages.list now says 10077",
        &format!("number_group {GROUP} 10077 and no other"),
        there,
        || format!("group holds {:?}; {}", group(), kernel::last_error()),
    );
    let kept = fs::read_to_string(LINES_KEPT)?;
    let now = app_lines().join("\n");
    steps.holds(
        "g",
        "the app's lines",
        "those from before the reboot",
        now == kept && !now.is_empty(),
        || now.clone(),
    );
    steps.step("g", "uid 10077 reads its file", "allowed", &zygote.read(10077, NOTE));
    steps.step("g", "uid 10050 reads it", "EPERM", &zygote.read(10050, NOTE));
    resolver.stop();
    steps.finish();
    Ok(())
}

/// PackageManager's last act of an installation: the list with the app in it.
fn install(uid: u32) -> io::Result<()> {
    let mut packages = PRELOADED.to_vec();
    packages.insert(1, (PACKAGE, uid));
    write_list(&packages)
}

/// The numbers in the app's group.
fn group() -> Vec<String> {
    let text = kernel::read("exception_policy");
    text.lines()
        .filter_map(|line| line.strip_prefix("number_group ")?.strip_prefix(GROUP)?.strip_prefix(' '))
        .map(str::to_owned)
        .collect()
}

/// The app's lines in zygote's domain.
fn app_lines() -> Vec<String> {
    kernel::domain(ZYGOTE_DOMAIN).into_iter().filter(|line| line.contains(PACKAGE)).collect()
}

fn wait(condition: impl Fn() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if condition() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    condition()
}

/// The resolver as a daemon.
struct Resolver(Child);

impl Resolver {
    /// Starts it and waits for its first sweep, which makes the state directory.
    fn start() -> io::Result<Self> {
        let mut child =
            Command::new(RESOLVER).arg("watch").stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let log = child.stderr.take().map(BufReader::new);
        thread::spawn(move || {
            for line in log.into_iter().flat_map(BufRead::lines).map_while(Result::ok) {
                // One println is one write: the lines of the story stay whole.
                println!("    resolver: {line}");
            }
        });
        if !wait(|| fs::exists(format!("{STATE}/lock")).unwrap_or(false)) {
            return Err(io::Error::other("the resolver does not begin to work"));
        }
        // The first sweep holds the lock of the directory for a moment.
        thread::sleep(Duration::from_millis(300));
        Ok(Self(child))
    }

    fn stop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
