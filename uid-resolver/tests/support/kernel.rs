// SPDX-License-Identifier: MIT OR Apache-2.0
//! A kernel for tests: the policy core behind [`PolicyPort`], with what can go wrong around it.

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::panic_any;
use std::rc::Rc;

use sekisho_core::edit::Cursor;
use sekisho_core::engine::decide;
use sekisho_core::facts::Facts;
use sekisho_core::mem::Vec as CoreVec;
use sekisho_core::name::Name;
use sekisho_core::policy::Policy;
use sekisho_core::request::{PathOp, Request};
use sekisho_core::task::Task;
use sekisho_uid_resolver::kernel::{KernelError, PolicyFile, PolicyPort};

/// The domain of apps.
pub const DOMAIN: &str = "<kernel> /system/bin/app_process";

/// The program was killed here.
#[derive(Debug)]
pub struct Killed;

/// Clones are the same kernel.
#[derive(Clone)]
pub struct FakeKernel(Rc<State>);

struct State {
    policy: RefCell<Policy>,
    errors: RefCell<Vec<String>>,
    written: RefCell<Vec<String>>,
    /// Lines until the program is killed; after the line itself.
    kill_after: Cell<Option<usize>>,
    /// Writes fail with this.
    broken: Cell<Option<io::ErrorKind>>,
    /// Lines that are lost, by their beginning.
    deaf_to: RefCell<Option<String>>,
}

impl FakeKernel {
    /// An active policy in which apps may do nothing.
    pub fn boot() -> FakeKernel {
        let kernel = FakeKernel(Rc::new(State {
            policy: RefCell::new(Policy::new().unwrap()),
            errors: RefCell::default(),
            written: RefCell::default(),
            kill_after: Cell::new(None),
            broken: Cell::new(None),
            deaf_to: RefCell::new(None),
        }));
        let mut edit = kernel.0.policy.borrow().edit().unwrap();
        for line in ["PROFILE_VERSION=20090903", "0-CONFIG={ mode=disabled }", "3-CONFIG={ mode=enforcing }"]
        {
            edit.profile_line(line.as_bytes()).unwrap();
        }
        let mut cursor = Cursor::default();
        for line in [DOMAIN, "use_profile 3", "allow_read /system/\\{\\*\\}/\\*"] {
            edit.domain_policy_line(&mut cursor, line.as_bytes()).unwrap();
        }
        edit.activate().unwrap();
        let active = edit.commit();
        kernel.0.policy.replace(active);
        kernel
    }

    /// The same kernel after a reboot: everything forgotten.
    pub fn reboot(&self) {
        let fresh = FakeKernel::boot();
        self.0.policy.swap(&fresh.0.policy);
        self.0.written.borrow_mut().clear();
    }

    /// Whether an app with this UID may read the file.
    pub fn may_read(&self, uid: u32, path: &str) -> bool {
        let policy = self.0.policy.borrow();
        let domain = policy.find_domain(DOMAIN.as_bytes()).unwrap();
        let task = Task { uid, ..Task::default() };
        let path = Name::new(path.as_bytes()).unwrap();
        decide(&policy, domain, &Facts::new(&task), &Request::Path { op: PathOp::Read, path }).granted
    }

    /// Both policies as text.
    pub fn text(&self) -> String {
        let text = [PolicyFile::Domain, PolicyFile::Exception].map(|file| self.read(file).unwrap());
        String::from_utf8(text.concat()).unwrap()
    }

    /// All lines that were written since the last call.
    pub fn take_written(&self) -> Vec<String> {
        self.0.written.take()
    }

    /// The device's owner writes policy.
    pub fn owner_writes(&self, file: PolicyFile, lines: &[&str]) {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        self.write(file, &lines).unwrap();
        self.take_written();
    }

    /// Kills the program (with a panic) after so many more lines.
    pub fn kill_after(&self, lines: Option<usize>) {
        self.0.kill_after.set(lines);
    }

    pub fn break_with(&self, kind: Option<io::ErrorKind>) {
        self.0.broken.set(kind);
    }

    pub fn deaf_to(&self, prefix: Option<&str>) {
        self.0.deaf_to.replace(prefix.map(str::to_owned));
    }

    fn line(&self, file: PolicyFile, cursor: &mut Cursor, line: &str) {
        let mut edit = self.0.policy.borrow().edit().unwrap();
        let result = match file {
            PolicyFile::Domain => edit.domain_policy_line(cursor, line.as_bytes()),
            PolicyFile::Exception => edit.exception_policy_line(line.as_bytes()),
        };
        match result {
            Ok(()) => {
                edit.collect(u32::MAX).unwrap();
                let next = edit.commit();
                self.0.policy.replace(next);
            }
            Err(error) => self.0.errors.borrow_mut().push(format!("{}:1: {error}: {line}", file.name())),
        }
    }
}

impl PolicyPort for FakeKernel {
    fn read(&self, file: PolicyFile) -> Result<Vec<u8>, KernelError> {
        let mut text = CoreVec::new();
        let policy = self.0.policy.borrow();
        match file {
            PolicyFile::Domain => policy.print_domain_policy(&mut text).unwrap(),
            PolicyFile::Exception => policy.print_exception_policy(&mut text).unwrap(),
        }
        Ok(text.to_vec())
    }

    fn write(&self, file: PolicyFile, lines: &[String]) -> Result<(), KernelError> {
        if let Some(kind) = self.0.broken.get() {
            return Err(KernelError::Io { path: file.name().to_owned(), source: kind.into() });
        }
        let mut cursor = Cursor::default();
        for line in lines {
            let deaf = self.0.deaf_to.borrow().as_ref().is_some_and(|prefix| line.starts_with(prefix));
            if !deaf {
                self.line(file, &mut cursor, line);
            }
            self.0.written.borrow_mut().push(line.clone());
            match self.0.kill_after.get() {
                Some(0) => {
                    self.0.kill_after.set(None);
                    panic_any(Killed);
                }
                Some(more) => self.0.kill_after.set(Some(more - 1)),
                None => {}
            }
        }
        Ok(())
    }

    fn last_rejected(&self) -> Option<String> {
        self.0.errors.borrow().last().cloned()
    }
}
