// SPDX-License-Identifier: MIT OR Apache-2.0
//! A process that acts in a domain, and the driver's handle of it.
//!
//! The driver links its own program to another path and starts that; the process answers one operation after the other
//! (see [`crate::op`]) over its standard input and output, which are pipes and are asked for nothing.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::op::{Answer, Op};

/// A program started with this variable is a subject, whatever its name and arguments are: so it is one also as the
/// interpreter of a script.
pub const VARIABLE: &str = "SEKISHO_SUBJECT";

/// Said once when the process begins, also after each execve.
const READY: &str = "ready";

/// Permission denied by policy.
pub const EPERM: i32 = 1;

/// A running subject. It ends when this is dropped.
pub struct Subject {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// Makes `path` another name of the running program.
pub fn install(path: &str) {
    if let Some(parent) = Path::new(path).parent() {
        fs::create_dir_all(parent).unwrap_or_else(|e| panic!("cannot make {}: {e}", parent.display()));
    }
    drop(fs::remove_file(path));
    let own = std::env::current_exe().unwrap_or_else(|e| panic!("cannot find this program: {e}"));
    if fs::hard_link(&own, path).is_err() {
        fs::copy(&own, path).unwrap_or_else(|e| panic!("cannot copy this program to {path}: {e}"));
    }
}

impl Subject {
    /// Installs `path` and starts it.
    ///
    /// # Errors
    /// The error of execve.
    pub fn start(path: &str) -> io::Result<Self> {
        install(path);
        Self::start_with(path, Stdio::inherit())
    }

    /// Starts a program that is there, with something as its standard error.
    ///
    /// # Errors
    /// The error of execve.
    pub fn start_with(path: &str, stderr: Stdio) -> io::Result<Self> {
        let mut child = Command::new(path)
            .env(VARIABLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().map(BufReader::new).ok_or_else(|| io::Error::other("no pipe"))?;
        let mut subject = Self { child, input, output };
        let line = subject.line();
        if line != READY {
            return Err(io::Error::other(format!("{path} did not become a subject: {line:?}")));
        }
        Ok(subject)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it do something; an `exec` that worked answers 0.
    pub fn perform(&mut self, op: &Op) -> Answer {
        self.begin(op);
        self.end(op)
    }

    /// Tells it to do something and does not wait.
    pub fn begin(&mut self, op: &Op) {
        if let Some(input) = &mut self.input {
            if let Err(e) = writeln!(input, "{}", op.encode()) {
                println!("# the subject does not listen: {e}");
            }
        }
    }

    /// Waits for the answer to what was begun.
    pub fn end(&mut self, op: &Op) -> Answer {
        let line = self.line();
        if line == READY {
            return Answer::Errno(0);
        }
        Answer::decode(&line).unwrap_or_else(|| {
            println!("# the subject answers {line:?} to {}", op.encode());
            Answer::Errno(-1)
        })
    }

    /// Lets it do something; the errno of it.
    pub fn errno(&mut self, op: &Op) -> i32 {
        match self.perform(op) {
            Answer::Errno(errno) => errno,
            Answer::Text(_) => 0,
        }
    }

    /// The text of a file as it reads it, or the errno as text.
    pub fn text(&mut self, path: &str) -> String {
        match self.perform(&Op::Read(path.into())) {
            Answer::Errno(errno) => format!("errno {errno}"),
            Answer::Text(text) => String::from_utf8_lossy(&text).into_owned(),
        }
    }

    /// The domain that it is in, in its own words.
    pub fn domain(&mut self) -> String {
        self.text(&crate::kernel::path("self_domain"))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) => "ended".into(),
            Ok(_) => line.trim_end().to_owned(),
            Err(e) => format!("cannot be read: {e}"),
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.input.take());
        drop(self.child.wait());
    }
}

/// The life of a subject: answers until its input ends.
pub fn serve() {
    let mut output = io::stdout();
    let mut say = |text: &str| writeln!(output, "{text}").and_then(|()| output.flush()).is_ok();
    if !say(READY) {
        return;
    }
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let answer =
            Op::decode(&line).map_or_else(|| format!("not understood: {line}"), |op| op.perform().encode());
        if !say(&answer) {
            return;
        }
    }
}
