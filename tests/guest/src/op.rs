// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a subject can be told to do, as one line of text, and doing it.
//!
//! The answer is an errno (0: it worked), or a text for the few questions. Bytes that would split a line or a word are
//! written as `%XX`, so that every file name can be sent.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, SFlag};
use nix::unistd::{Gid, Uid};

/// One operation. Paths are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// open(path, flags, mode), then close.
    Open(Vec<u8>, i32, u32),
    /// Open for reading and writing, then ftruncate to 0.
    OpenTruncate(Vec<u8>),
    /// truncate(path, 0)
    Truncate(Vec<u8>),
    /// unlink
    Unlink(Vec<u8>),
    /// mkdir with mode
    Mkdir(Vec<u8>, u32),
    /// rmdir
    Rmdir(Vec<u8>),
    /// rename
    Rename(Vec<u8>, Vec<u8>),
    /// mknod of a regular file
    Mknod(Vec<u8>, u32),
    /// symlink(target, link)
    Symlink(Vec<u8>, Vec<u8>),
    /// chroot, then chdir("/")
    Chroot(Vec<u8>),
    /// execve; on success the new program answers
    Exec(Vec<u8>),
    /// Opens the first path for writing as standard error and execs the second.
    ExecWithStderr(Vec<u8>, Vec<u8>),
    /// Writes bytes to standard error.
    WriteStderr(Vec<u8>),
    /// Opens a path for writing and writes bytes with one call.
    Write(Vec<u8>, Vec<u8>),
    /// setresuid (real, effective, saved), then setfsuid
    Uids([u32; 4]),
    /// setresgid, then setfsgid
    Gids([u32; 4]),
    /// The text of a file.
    Read(Vec<u8>),
    /// The operation, done in a new thread.
    Thread(Box<Op>),
    /// The operation, done in a forked child; the answer is its errno.
    Fork(Box<Op>),
    /// The operation so many times; the answer is the last one's.
    Repeat(u32, Box<Op>),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 0 or an errno.
    Errno(i32),
    /// A text.
    Text(Vec<u8>),
}

impl Op {
    /// The line for it.
    pub fn encode(&self) -> String {
        let words: Vec<String> = match self {
            Self::Open(path, flags, mode) => {
                vec!["open".into(), hide(path), flags.to_string(), mode.to_string()]
            }
            Self::OpenTruncate(path) => vec!["ftruncate".into(), hide(path)],
            Self::Truncate(path) => vec!["truncate".into(), hide(path)],
            Self::Unlink(path) => vec!["unlink".into(), hide(path)],
            Self::Mkdir(path, mode) => vec!["mkdir".into(), hide(path), mode.to_string()],
            Self::Rmdir(path) => vec!["rmdir".into(), hide(path)],
            Self::Rename(from, to) => vec!["rename".into(), hide(from), hide(to)],
            Self::Mknod(path, mode) => vec!["mknod".into(), hide(path), mode.to_string()],
            Self::Symlink(target, link) => vec!["symlink".into(), hide(target), hide(link)],
            Self::Chroot(path) => vec!["chroot".into(), hide(path)],
            Self::Exec(path) => vec!["exec".into(), hide(path)],
            Self::ExecWithStderr(file, path) => vec!["exec2".into(), hide(file), hide(path)],
            Self::WriteStderr(bytes) => vec!["write2".into(), hide(bytes)],
            Self::Write(path, bytes) => vec!["write".into(), hide(path), hide(bytes)],
            Self::Uids(ids) => ids.iter().fold(vec!["uids".into()], |words, id| push(words, id.to_string())),
            Self::Gids(ids) => ids.iter().fold(vec!["gids".into()], |words, id| push(words, id.to_string())),
            Self::Read(path) => vec!["read".into(), hide(path)],
            Self::Thread(op) => vec!["thread".into(), op.encode()],
            Self::Fork(op) => vec!["fork".into(), op.encode()],
            Self::Repeat(count, op) => vec!["repeat".into(), count.to_string(), op.encode()],
        };
        words.join(" ")
    }

    /// The operation of a line.
    pub fn decode(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ')?;
        if word == "repeat" {
            let (count, op) = rest.split_once(' ')?;
            return Some(Self::Repeat(count.parse().ok()?, Box::new(Self::decode(op)?)));
        }
        let mut words = rest.split(' ');
        let op = match word {
            "thread" => return Some(Self::Thread(Box::new(Self::decode(rest)?))),
            "fork" => return Some(Self::Fork(Box::new(Self::decode(rest)?))),
            "uids" => Self::Uids(numbers(rest)?),
            "gids" => Self::Gids(numbers(rest)?),
            _ => {
                let first = show(words.next()?)?;
                let mut bytes = || words.next().and_then(show);
                match word {
                    "ftruncate" => Self::OpenTruncate(first),
                    "truncate" => Self::Truncate(first),
                    "unlink" => Self::Unlink(first),
                    "rmdir" => Self::Rmdir(first),
                    "rename" => Self::Rename(first, bytes()?),
                    "symlink" => Self::Symlink(first, bytes()?),
                    "chroot" => Self::Chroot(first),
                    "exec" => Self::Exec(first),
                    "exec2" => Self::ExecWithStderr(first, bytes()?),
                    "write2" => Self::WriteStderr(first),
                    "write" => Self::Write(first, bytes()?),
                    "read" => Self::Read(first),
                    "open" => Self::Open(first, words.next()?.parse().ok()?, words.next()?.parse().ok()?),
                    "mkdir" => Self::Mkdir(first, words.next()?.parse().ok()?),
                    "mknod" => Self::Mknod(first, words.next()?.parse().ok()?),
                    _ => return None,
                }
            }
        };
        Some(op)
    }

    /// Does it.
    pub fn perform(&self) -> Answer {
        match self {
            Self::Read(path) => match fs::read(os(path)) {
                Ok(text) => Answer::Text(text),
                Err(e) => Answer::Errno(e.raw_os_error().unwrap_or(-1)),
            },
            Self::Thread(op) => {
                let op = op.clone();
                std::thread::spawn(move || op.perform()).join().unwrap_or(Answer::Errno(-1))
            }
            Self::Repeat(count, op) => (0..*count).fold(Answer::Errno(-1), |_, _| op.perform()),
            other => Answer::Errno(other.errno()),
        }
    }

    fn errno(&self) -> i32 {
        match self {
            Self::Open(path, flags, mode) => {
                let flags = OFlag::from_bits_retain(*flags) | OFlag::O_CLOEXEC;
                number(nix::fcntl::open(os(path), flags, Mode::from_bits_truncate(*mode as _)))
            }
            Self::OpenTruncate(path) => {
                io(OpenOptions::new().read(true).write(true).open(os(path)).and_then(|file| file.set_len(0)))
            }
            Self::Truncate(path) => number(nix::unistd::truncate(os(path), 0)),
            Self::Unlink(path) => io(fs::remove_file(os(path))),
            Self::Mkdir(path, mode) => io(fs::DirBuilder::new().mode(*mode).create(os(path))),
            Self::Rmdir(path) => io(fs::remove_dir(os(path))),
            Self::Rename(from, to) => io(fs::rename(os(from), os(to))),
            Self::Mknod(path, mode) => number(nix::sys::stat::mknod(
                os(path),
                SFlag::S_IFREG,
                Mode::from_bits_truncate(*mode as _),
                0,
            )),
            Self::Symlink(target, link) => io(std::os::unix::fs::symlink(os(target), os(link))),
            Self::Chroot(path) => {
                number(nix::unistd::chroot(os(path)).and_then(|()| nix::unistd::chdir("/")))
            }
            Self::Exec(path) => exec(path),
            Self::ExecWithStderr(file, path) => match OpenOptions::new().write(true).open(os(file)) {
                Ok(file) => error(&Command::new(os(path)).stderr(Stdio::from(file)).exec()),
                Err(e) => error(&e),
            },
            Self::WriteStderr(bytes) => io(std::io::stderr().write(bytes)),
            Self::Write(path, bytes) => {
                io(OpenOptions::new().write(true).open(os(path)).and_then(|mut file: File| file.write(bytes)))
            }
            Self::Uids([real, effective, saved, fs]) => {
                let result = nix::unistd::setresuid((*real).into(), (*effective).into(), (*saved).into());
                // It has no error of its own; what it did is seen by the test.
                nix::unistd::setfsuid(Uid::from_raw(*fs));
                number(result)
            }
            Self::Gids([real, effective, saved, fs]) => {
                let result = nix::unistd::setresgid((*real).into(), (*effective).into(), (*saved).into());
                nix::unistd::setfsgid(Gid::from_raw(*fs));
                number(result)
            }
            Self::Fork(op) => match fork::fork() {
                Ok(fork::Fork::Child) => match op.perform() {
                    Answer::Errno(errno) => std::process::exit(errno),
                    Answer::Text(_) => std::process::exit(0),
                },
                Ok(fork::Fork::Parent(child)) => {
                    match nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(child), None) {
                        Ok(nix::sys::wait::WaitStatus::Exited(_, status)) => status,
                        _ => -1,
                    }
                }
                Err(e) => error(&e),
            },
            Self::Read(_) | Self::Thread(_) | Self::Repeat(..) => match self.perform() {
                Answer::Errno(errno) => errno,
                Answer::Text(_) => 0,
            },
        }
    }
}

impl Answer {
    /// The line for it.
    pub fn encode(&self) -> String {
        match self {
            Self::Errno(errno) => errno.to_string(),
            Self::Text(text) => format!("text {}", hide(text)),
        }
    }

    /// The answer of a line.
    pub fn decode(line: &str) -> Option<Self> {
        match line.strip_prefix("text ") {
            Some(text) => Some(Self::Text(show(text)?)),
            None => Some(Self::Errno(line.parse().ok()?)),
        }
    }
}

fn push(mut words: Vec<String>, word: String) -> Vec<String> {
    words.push(word);
    words
}

fn os(path: &[u8]) -> &std::ffi::OsStr {
    std::ffi::OsStr::from_bytes(path)
}

fn number<T>(result: Result<T, Errno>) -> i32 {
    result.map_or_else(|errno| errno as i32, |_| 0)
}

fn io<T>(result: std::io::Result<T>) -> i32 {
    result.map_or_else(|e| error(&e), |_| 0)
}

fn error(e: &std::io::Error) -> i32 {
    e.raw_os_error().unwrap_or(-1)
}

/// execve itself: what std offers is execvp, which runs a shell on ENOEXEC.
fn exec(path: &[u8]) -> i32 {
    let environment: Vec<CString> = std::env::vars_os()
        .filter_map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok())
        .collect();
    match CString::new(path) {
        Ok(path) => number(nix::unistd::execve(&path, std::slice::from_ref(&path), &environment)),
        Err(_) => -1,
    }
}

fn numbers(text: &str) -> Option<[u32; 4]> {
    let numbers: Vec<u32> = text.split(' ').map(|word| word.parse().ok()).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

/// Bytes as one word: everything but letters, digits and a few signs becomes `%XX`; nothing at all is `%`.
fn hide(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "%".into();
    }
    bytes
        .iter()
        .map(|&byte| match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn show(word: &str) -> Option<Vec<u8>> {
    if word == "%" {
        return Some(Vec::new());
    }
    let mut bytes = Vec::new();
    let mut rest = word.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = tail.get(2..)?;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back() {
        for op in [
            Op::Open(b"/tmp/a b\\\n\xff%".to_vec(), 0o102, 0o644),
            Op::Thread(Box::new(Op::Fork(Box::new(Op::Rename(b"/a".to_vec(), b"".to_vec()))))),
            Op::Repeat(7, Box::new(Op::Uids([1, 2, 3, 4]))),
            Op::Write(b"/x".to_vec(), b"a\nb\0".to_vec()),
        ] {
            assert_eq!(Op::decode(&op.encode()), Some(op));
        }
        let answer = Answer::Text(b"<kernel> /x\n".to_vec());
        assert_eq!(Answer::decode(&answer.encode()), Some(answer));
    }

    #[test]
    fn operations_tell_their_errno() {
        assert_eq!(Op::Unlink(b"/nowhere/x".to_vec()).perform(), Answer::Errno(2));
        assert_eq!(Op::Open(b"/".to_vec(), 1, 0).perform(), Answer::Errno(21));
        assert_eq!(Op::Thread(Box::new(Op::Exec(b"/nowhere".to_vec()))).perform(), Answer::Errno(2));
    }
}
