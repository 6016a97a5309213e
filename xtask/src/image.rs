// SPDX-License-Identifier: MIT OR Apache-2.0
//! The initramfs: our static programs, a busybox, the policy, and for tests the test programs and the test app.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::arch::Arch;
use crate::cache::{self, Inputs};
use crate::cpio::Archive;
use crate::{apk, busybox, device};

/// What the image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Flavour {
    /// To look around: busybox's init and a shell on the console.
    Base,
    /// Base plus the guest tests, the story and the test app.
    Test,
}

/// The applets that get a link; what a person at the console and the scripts in the image use.
const APPLETS: &[&str] = &[
    "[", "ash", "basename", "cat", "chmod", "chown", "cp", "cut", "date", "dd", "df", "dirname", "dmesg",
    "du", "echo", "env", "expr", "false", "find", "free", "grep", "head", "hexdump", "hostname", "id",
    "kill", "ln", "ls", "mkdir", "mkfifo", "mknod", "more", "mount", "mv", "od", "ps", "pwd", "readlink",
    "rm", "rmdir", "sed", "setsid", "sh", "sleep", "sort", "stat", "sync", "tail", "tee", "test", "top",
    "touch", "tr", "true", "umount", "uname", "uniq", "vi", "wc", "xargs",
];

/// Busybox's own init starts what stands here (base flavour, and when a person picks /sbin/init).
const INITTAB: &str = "\
::sysinit:/etc/rc
::respawn:-/bin/sh
::ctrlaltdel:/sbin/reboot
::shutdown:/bin/umount -a -r
";

const RC: &str = "\
#!/bin/sh
# What a device's init would do after the policy is active.
mount -t tmpfs tmpfs /tmp
[ -b /dev/vda ] && mount -t ext4 /dev/vda /data
mkdir -p /data/system/sekisho /data/app /data/data
echo \"security modules: $(cat /sys/kernel/security/lsm)\"
echo 'Sekisho: the policy is in /sys/kernel/security/sekisho; poweroff ends the machine'
";

/// Builds the image for `arch`, or does nothing if nothing changed. Returns the path of the compressed archive.
pub fn build(arch: Arch, flavour: Flavour) -> Result<PathBuf> {
    let name = match flavour {
        Flavour::Base => "base",
        Flavour::Test => "test",
    };
    let image = cache::dir("image")?.join(format!("{}-{name}.cpio.gz", arch.board_name()));
    let programs = device::build(arch)?;
    let busybox = busybox::prepare(arch)?;
    let app = if flavour == Flavour::Test { Some(apk::prepare()?) } else { None };

    let project = cache::root_of_project();
    let template = project.join("policy-templates/android-app");
    let mut inputs = Inputs::new("image 1");
    inputs.text(&programs.inputs);
    inputs.bytes(include_bytes!("image.rs"));
    inputs.file(&busybox)?;
    inputs.tree(&template)?;
    if let Some(app) = &app {
        inputs.file(app)?;
        inputs.tree(&project.join("tests"))?;
    }
    let inputs = inputs.finish();
    if cache::is_fresh(&image, &inputs) {
        return Ok(image);
    }
    cache::forget(&image);

    let mut archive = Archive::default();
    base(&mut archive, &programs, &busybox)?;
    for file in policy(&template)? {
        archive.file(&format!("/vendor/etc/sekisho/{}", file.0), 0o600, file.1);
    }
    if let Some(app) = &app {
        tests(&mut archive, &programs, app, &template)?;
    }
    let bytes = archive.finish()?;
    fs::write(&image, &bytes).with_context(|| format!("cannot write {}", image.display()))?;
    cache::note_fresh(&image, &inputs)?;
    println!("{arch}: image {} ({} KiB)", image.display(), bytes.len() / 1024);
    Ok(image)
}

fn base(archive: &mut Archive, programs: &device::Programs, busybox: &Path) -> Result<()> {
    for folder in
        ["/proc", "/sys", "/dev", "/data", "/etc", "/root", "/vendor/etc/sekisho", "/usr/lib/sekisho"]
    {
        archive.directory(folder, 0o755);
    }
    // Without it the root of the guest would be as open as the tmpfs that holds it.
    archive.directory(".", 0o755);
    archive.directory("/tmp", 0o1777);
    // Before devtmpfs is mounted the kernel opens this one for process 1.
    archive.character("/dev/console", 0o600, 5, 1);
    program(archive, "/bin/busybox", busybox)?;
    for applet in APPLETS {
        archive.link(&format!("/bin/{applet}"), "busybox");
    }
    for applet in ["init", "poweroff", "reboot", "halt"] {
        archive.link(&format!("/sbin/{applet}"), "../bin/busybox");
    }
    program(archive, "/sbin/sekisho-init", &programs.path("sekisho-init"))?;
    program(archive, "/usr/bin/sekisho-uid-resolver", &programs.path("sekisho-uid-resolver"))?;
    archive.file("/etc/inittab", 0o644, INITTAB.into());
    archive.file("/etc/rc", 0o755, RC.into());
    Ok(())
}

fn tests(archive: &mut Archive, programs: &device::Programs, app: &Path, template: &Path) -> Result<()> {
    let project = cache::root_of_project();
    program(archive, "/usr/lib/sekisho/guest-tests", &programs.path("sekisho-guest-tests"))?;
    program(archive, "/usr/lib/sekisho/story", &programs.path("story"))?;
    program(archive, "/system/bin/app_process", &programs.path("app_process"))?;
    program(archive, "/system/bin/learner", &programs.path("app_process"))?;
    archive.file("/usr/lib/sekisho/app.apk", 0o644, fs::read(app)?);
    let guest = project.join("tests/guest/policies");
    for file in cache::files_below(&guest)? {
        let name = file.strip_prefix(&guest)?.display().to_string();
        archive.file(&format!("/usr/lib/sekisho/policies/{name}"), 0o600, fs::read(&file)?);
    }
    // The story runs under the template plus the one domain in learning mode that step e needs.
    let more = policy(&project.join("tests/scenarios/policy"))?;
    for (name, mut text) in policy(template)? {
        for (_, addition) in more.iter().filter(|(other, _)| *other == name) {
            text.push(b'\n');
            text.extend_from_slice(addition);
        }
        archive.file(&format!("/usr/lib/sekisho/policies/story/{name}"), 0o600, text);
    }
    Ok(())
}

/// The policy files of a folder, by name.
fn policy(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for name in ["profile", "manager", "exception_policy", "domain_policy"] {
        let path = folder.join(name);
        if path.exists() {
            files.push((name.to_owned(), fs::read(&path)?));
        }
    }
    Ok(files)
}

fn program(archive: &mut Archive, path: &str, source: &Path) -> Result<()> {
    let content = fs::read(source).with_context(|| format!("cannot read {}", source.display()))?;
    archive.file(path, 0o755, content);
    Ok(())
}
