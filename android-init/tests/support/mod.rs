// SPDX-License-Identifier: MIT OR Apache-2.0
//! A kernel for tests: the policy core behind the interface's files, as kmod/lsm shows them (reference 10).

use std::cell::RefCell;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use sekisho_core::edit::{Cursor, Edit, EditError};
use sekisho_core::mem::Vec as CoreVec;
use sekisho_core::policy::Policy;
use sekisho_init::load::Kernel;

/// Entries that `errors` keeps.
const KEPT: usize = 128;

/// The kernel.
pub struct CoreKernel(RefCell<State>);

struct State {
    policy: Policy,
    active: bool,
    rejected: usize,
    errors: Vec<String>,
    /// Names in the order of their opening.
    opened: Vec<String>,
}

impl CoreKernel {
    /// Nothing is loaded or active.
    pub fn boot() -> Self {
        Self(RefCell::new(State {
            policy: Policy::new().unwrap(),
            active: false,
            rejected: 0,
            errors: Vec::new(),
            opened: Vec::new(),
        }))
    }

    /// Whether a policy is active.
    pub fn is_active(&self) -> bool {
        self.0.borrow().active
    }

    /// Which files were opened for writing.
    pub fn opened(&self) -> Vec<String> {
        self.0.borrow().opened.clone()
    }

    /// Writes, as the first program of the machine may.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        self.open(name)?.write_all(text.as_bytes())
    }

    /// A file's text.
    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name).unwrap()).unwrap()
    }
}

impl State {
    fn reject(&mut self, text: String) {
        self.rejected += 1;
        self.errors.push(text);
        let old = self.errors.len().saturating_sub(KEPT);
        self.errors.drain(..old);
    }

    /// The lines of one write are one change of the policy; a wrong one is none of it.
    fn lines(&mut self, name: &str, cursor: &mut Cursor, text: &[u8]) {
        assert!(text.ends_with(b"\n"), "a line would be cut: {:?}", text.escape_ascii().to_string());
        let mut edit = self.policy.edit().unwrap();
        for line in text.split(|byte| *byte == b'\n') {
            match line_of(name, &mut edit, cursor, line) {
                Ok(()) => {}
                Err(EditError::Parse(error)) => self.reject(format!(
                    "{name}:1:{}: {}: {}",
                    error.column,
                    error.reason.message(),
                    line.escape_ascii()
                )),
                Err(_) => panic!("no memory"),
            }
        }
        self.policy = edit.commit();
    }
}

fn line_of(name: &str, edit: &mut Edit, cursor: &mut Cursor, line: &[u8]) -> Result<(), EditError> {
    match name {
        "profile" => edit.profile_line(line),
        "exception_policy" => edit.exception_policy_line(line),
        "domain_policy" => edit.domain_policy_line(cursor, line),
        "manager" => edit.manager_line(line),
        _ => panic!("{name}"),
    }
}

impl Kernel for &CoreKernel {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        (*self).read(name)
    }

    fn open(&self, name: &str) -> io::Result<impl Write> {
        (*self).open(name)
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("/kernel").join(name)
    }
}

impl CoreKernel {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.0.borrow();
        let mut text = CoreVec::new();
        match name {
            "activate" => return Ok(format!("{}\n", u8::from(state.active)).into_bytes()),
            "stat" => {
                let active = u8::from(state.active);
                return Ok(
                    format!("active {active}\nrejected_lines {}\ndenied 7\n", state.rejected).into_bytes()
                );
            }
            "errors" => {
                return Ok(state.errors.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect())
            }
            "domain_policy" => state.policy.print_domain_policy(&mut text).unwrap(),
            "exception_policy" => state.policy.print_exception_policy(&mut text).unwrap(),
            _ => return Err(ErrorKind::NotFound.into()),
        }
        Ok(text.to_vec())
    }

    fn open(&self, name: &str) -> io::Result<Writer<'_>> {
        if !["profile", "exception_policy", "domain_policy", "manager", "activate"].contains(&name) {
            return Err(ErrorKind::NotFound.into());
        }
        self.0.borrow_mut().opened.push(name.to_owned());
        Ok(Writer { kernel: self, name: name.to_owned(), cursor: Cursor::default() })
    }
}

/// An open file.
pub struct Writer<'a> {
    kernel: &'a CoreKernel,
    name: String,
    cursor: Cursor,
}

impl Write for Writer<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let state = &mut *self.kernel.0.borrow_mut();
        if self.name != "activate" {
            state.lines(&self.name, &mut self.cursor, text);
            return Ok(text.len());
        }
        assert_eq!(text.trim_ascii(), b"1");
        let mut edit = state.policy.edit().unwrap();
        match edit.activate() {
            Ok(()) => {
                state.policy = edit.commit();
                state.active = true;
                Ok(text.len())
            }
            Err(error) => {
                state.reject(format!("activate:1:1: {}: 1", error.message()));
                Err(ErrorKind::InvalidInput.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
