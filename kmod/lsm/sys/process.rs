// SPDX-License-Identifier: GPL-2.0-only

//! Another task, found by its number: what `.process_status` and `select pid=N` ask about (reference 10.4, 10.7).
//!
//! The task may run, change its domain and end meanwhile; a reference keeps its structure and with it the blob, and the blob
//! is atomics. What is read is true for one moment, as every answer about another process is.

use super::files::{sekisho_find_task, sekisho_put_task};
use super::path::{Path, Slash};
use super::shims;
use super::task::{self, Blob};
use crate::exec;
use core::ffi::c_void;
use core::ptr::NonNull;
use sekisho_core::name::Name;
use sekisho_core::policy::DomainId;
use sekisho_core::task::Task;

/// The kernel's task structure; nothing in it is read here.
pub(super) type RawTask = c_void;

/// How a task is named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pid {
    pub(crate) number: u32,
    /// In the initial pid namespace; else in the caller's.
    pub(crate) global: bool,
}

/// A task with a reference.
///
/// # Invariants
///
/// The pointer is valid until it is dropped.
pub(crate) struct Process(NonNull<RawTask>);

impl Process {
    /// Finds a task.
    pub(crate) fn find(pid: Pid) -> Option<Process> {
        // SAFETY: No requirements.
        let task = unsafe { sekisho_find_task(pid.number, pid.global) };
        // INVARIANT: The function takes a reference.
        NonNull::new(task).map(Process)
    }

    /// What the task remembers.
    pub(crate) fn blob(&self) -> &Blob {
        // SAFETY: By the invariant; the blob is freed with the task's structure.
        unsafe { Blob::of(self.0.as_ptr().cast()) }
    }

    /// The domain that it is in.
    pub(crate) fn domain(&self) -> DomainId {
        // SAFETY: By the invariant.
        exec::domain_of(self.blob(), unsafe { task::is_in_execve(self.0.as_ptr().cast()) })
    }

    /// Credentials and state; numbers of processes are 0.
    pub(crate) fn info(&self) -> Task {
        let mut task = Task::default();
        // SAFETY: By the invariant; `struct sekisho_task_info` has the layout of `Task` (sys/task.rs).
        unsafe { shims::sekisho_other_task_info(self.0.as_ptr(), &mut task) };
        task.state = self.blob().state();
        task.execute_handler = self.blob().is_execute_handler();
        task
    }

    /// Hands the name of the task's program to `then`. `None` for a kernel thread, and when the name cannot be had.
    pub(crate) fn with_exe_name<R>(&self, then: impl FnOnce(Name<'_>) -> R) -> Option<R> {
        // SAFETY: By the invariant; the reference is given back below.
        let file = unsafe { shims::sekisho_other_exe_file(self.0.as_ptr()) };
        if file.is_null() {
            return None;
        }
        // SAFETY: The file is referenced until it is put.
        let path = unsafe { Path::from_raw(shims::sekisho_file_path(file).cast()) };
        let result = path.with_name(Slash::IfDirectory, then).ok();
        // SAFETY: Gives back what `sekisho_other_exe_file` took; `path` is not used any more.
        unsafe { shims::sekisho_put_file(file) };
        result
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SAFETY: Gives back what `find` took.
        unsafe { sekisho_put_task(self.0.as_ptr()) }
    }
}
