// SPDX-License-Identifier: MIT OR Apache-2.0
//! Booting a board under QEMU (software emulation) and reading its console line by line.
//!
//! A boot is judged here only by what is never right: a kernel that panics, warns or oopses, and a machine that does not
//! end in time. What the lines say is the caller's business. The whole console is kept in the cache under `log/`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};

use crate::arch::Arch;
use crate::cache;
use crate::health::Health;

/// What the kernel says when it has come to its end and the machine goes on.
const HALTED: &str = "reboot: Power off not available: System halted instead";

/// One boot.
pub struct Boot {
    /// What to emulate.
    pub arch: Arch,
    /// Name of the log: `log/BOARD-NAME.log` in the cache.
    pub name: String,
    /// The kernel image.
    pub kernel: PathBuf,
    /// The initramfs.
    pub initrd: PathBuf,
    /// Options behind the console's: `lsm=...`, `sekisho.init=...`.
    pub cmdline: String,
    /// A raw image that the guest sees as /dev/vda.
    pub disk: Option<PathBuf>,
    /// The longest time from power-on to power-off.
    pub timeout: Duration,
    /// Whether a reboot of the guest starts it again; else it ends QEMU.
    pub reboots: bool,
    /// Processors: more than one, so that races have a chance to show.
    pub cpus: u32,
    /// Whether the guest's clock counts instructions, one in a nanosecond. With one processor only.
    pub counts: bool,
}

/// How a boot went that was not broken.
#[derive(Debug)]
pub struct Outcome {
    /// From power-on to power-off.
    pub took: Duration,
    /// The whole console.
    pub log: PathBuf,
    /// Data races that the kernel reported in code that is not Sekisho's.
    pub foreign_races: usize,
}

impl Boot {
    /// Boots and calls `on_line` for each line of the console as it comes, without its line end.
    pub fn run(&self, mut on_line: impl FnMut(&str)) -> Result<Outcome> {
        let log = cache::dir("log")?.join(format!("{}-{}.log", self.arch.board_name(), self.name));
        let mut file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let start = Instant::now();
        let child = self.command()?.spawn().context("cannot start QEMU; is it installed?")?;
        let mut machine = Machine { child, halted: false };
        let lines = machine.lines()?;
        let mut health = Health::default();
        let deadline = start + self.timeout;
        loop {
            // Once the kernel is broken wait a moment for the rest of its report, which names the cause.
            let wait = match health.broken {
                Some(_) => Duration::from_millis(1500),
                None => deadline.saturating_duration_since(Instant::now()),
            };
            match lines.recv_timeout(wait) {
                Ok(line) => {
                    writeln!(file, "{line}")?;
                    health.read(&line);
                    on_line(&line);
                    // A machine that cannot be switched off.
                    if line.contains(HALTED) && health.broken.is_none() {
                        machine.halted = true;
                        break;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if health.broken.is_some() => break,
                Err(RecvTimeoutError::Timeout) => {
                    bail!(
                        "{} did not power off within {} s; its console is in {}",
                        self.arch.board_name(),
                        self.timeout.as_secs(),
                        log.display()
                    )
                }
            }
        }
        if let Some(trouble) = health.trouble() {
            bail!(
                "the kernel on {} is broken: {trouble}\nthe whole console is in {}",
                self.arch.board_name(),
                log.display()
            );
        }
        let errors = machine.end()?;
        if !errors.trim().is_empty() {
            writeln!(file, "{errors}")?;
            bail!("QEMU complains: {}", errors.trim());
        }
        Ok(Outcome { took: start.elapsed(), log, foreign_races: health.foreign_races })
    }

    /// QEMU with all its arguments; the console is its standard input and output.
    pub fn command(&self) -> Result<Command> {
        let board = self.arch.board()?;
        let mut qemu = Command::new(&board.qemu);
        // An x86 kernel patches its own code while it runs. With a thread for each CPU the emulator may still execute the
        // old bytes after the patching is over, which the kernel reports as "Oops: int3"; one thread for all does not.
        let single = self.arch == Arch::X86_64 || self.counts;
        let accelerator = if single { "tcg,thread=single" } else { "tcg" };
        qemu.args(["-accel", accelerator, "-nographic", "-no-user-config", "-nic", "none"])
            .args(["-M", &board.machine, "-cpu", &board.cpu, "-m", &board.memory.to_string()])
            .args(["-smp", &self.cpus.to_string()])
            .args(["-serial", "stdio", "-monitor", "none"])
            .arg("-kernel")
            .arg(&self.kernel)
            .arg("-initrd")
            .arg(&self.initrd)
            .args(["-append", &format!("console={} panic=-1 {}", board.console, self.cmdline)]);
        if self.counts {
            qemu.args(["-icount", "shift=0,sleep=off"]);
        }
        if !self.reboots {
            qemu.arg("-no-reboot");
        }
        if let Some(disk) = &self.disk {
            qemu.arg("-drive").arg(format!("if=none,id=data,format=raw,file={}", disk.display()));
            let device = if self.arch == Arch::X86_64 { "virtio-blk-pci" } else { "virtio-blk-device" };
            qemu.args(["-device", &format!("{device},drive=data")]);
        }
        qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(qemu)
    }
}

/// A running QEMU that does not outlive its owner.
struct Machine {
    child: Child,
    /// It has nothing to say any more, but does not end by itself.
    halted: bool,
}

impl Machine {
    fn lines(&mut self) -> Result<Receiver<String>> {
        let output = self.child.stdout.take().context("QEMU has no output")?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(output);
            let mut bytes = Vec::new();
            while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
                let line = plain(&String::from_utf8_lossy(&bytes));
                if sender.send(line).is_err() {
                    return;
                }
                bytes.clear();
            }
        });
        Ok(receiver)
    }

    fn end(&mut self) -> Result<String> {
        if self.halted {
            return Ok(String::new());
        }
        let status = self.child.wait()?;
        let mut errors = String::new();
        if let Some(mut stream) = self.child.stderr.take() {
            stream.read_to_string(&mut errors)?;
        }
        if !status.success() {
            bail!("QEMU ended with {status}: {errors}");
        }
        Ok(errors)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A console line without what only a terminal understands: a PC's firmware clears the screen before the kernel speaks.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => {
                // ESC [ parameters letter, or ESC and one character.
                if rest.next() == Some('[') {
                    while rest.next().is_some_and(|c| !c.is_ascii_alphabetic()) {}
                }
            }
            '\t' => text.push(c),
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
    text
}

/// Makes an empty ext4 disk of `mib` MiB, which the guest mounts as /data.
pub fn fresh_disk(path: &Path, mib: u64) -> Result<()> {
    drop(fs::remove_file(path));
    File::create(path)
        .and_then(|file| file.set_len(mib << 20))
        .with_context(|| format!("cannot make the disk {}", path.display()))?;
    // Debian keeps it out of a user's PATH.
    let program = ["/sbin/mkfs.ext4", "/usr/sbin/mkfs.ext4"].into_iter().find(|p| Path::new(p).exists());
    let program = program.context("mkfs.ext4 is missing; install the Debian package e2fsprogs")?;
    cache::run_quietly(Command::new(program).args(["-q", "-F", "-L", "data"]).arg(path))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_commands_are_left_out() {
        assert_eq!(plain("\x1bc\x1b[?7l\x1b[2J\x1b[0mBooting\r\n"), "Booting");
        assert_eq!(plain("ok 1 - a\tb\n"), "ok 1 - a\tb");
        assert_eq!(plain("\x1b"), "");
    }
}
