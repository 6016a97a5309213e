// SPDX-License-Identifier: MIT OR Apache-2.0
//! The story's handle of a running zygote (see app_process.rs).

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use guest::op::{Answer, Op};

/// A running zygote; it ends with this.
pub struct Zygote {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Zygote {
    /// Starts the program.
    pub fn start(program: &str) -> io::Result<Self> {
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().map(BufReader::new).ok_or_else(|| io::Error::other("no pipe"))?;
        Ok(Self { child, input, output })
    }

    /// What a forked child with this uid gets for an operation, in words.
    pub fn app(&mut self, uid: u32, op: &Op) -> String {
        let mut line = String::new();
        let asked = self
            .input
            .as_mut()
            .map_or_else(|| Err(io::Error::other("ended")), |input| writeln!(input, "{uid} {}", op.encode()))
            .and_then(|()| self.output.read_line(&mut line));
        match (asked, Answer::decode(line.trim_end())) {
            (Ok(1..), Some(Answer::Errno(0) | Answer::Text(_))) => "allowed".into(),
            (Ok(1..), Some(Answer::Errno(1))) => "EPERM".into(),
            (Ok(1..), Some(Answer::Errno(errno))) => format!("errno {errno}"),
            (Ok(_), None) => format!("no answer ({:?})", line.trim_end()),
            (result, _) => format!("no answer ({result:?})"),
        }
    }

    /// Opens for reading.
    pub fn read(&mut self, uid: u32, path: &str) -> String {
        self.app(uid, &Op::Open(path.into(), 0, 0))
    }

    /// Creates a new file for writing (O_WRONLY|O_CREAT|O_EXCL).
    pub fn create(&mut self, uid: u32, path: &str) -> String {
        self.app(uid, &Op::Open(path.into(), 0o301, 0o600))
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        drop(self.input.take());
        drop(self.child.wait());
    }
}
