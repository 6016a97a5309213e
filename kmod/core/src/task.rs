// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the decisions may know about the task that asks.
//!
//! A plain snapshot, taken by the kernel glue at the time of the request; conditions (reference 5.2) and audit
//! records (reference 11.1) are computed from it and from nothing else. `repr(C)`, because C fills it in.

/// Numbers of one task: user and group ids in the initial user namespace, process ids in the task's own
/// pid namespace (reference 5.2).
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Task {
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Effective group id.
    pub egid: u32,
    /// Saved user id.
    pub suid: u32,
    /// Saved group id.
    pub sgid: u32,
    /// User id for file access.
    pub fsuid: u32,
    /// Group id for file access.
    pub fsgid: u32,
    /// Thread-group id, that is what user space calls the process id.
    pub pid: u32,
    /// Thread-group id of the parent.
    pub ppid: u32,
    /// The three user-defined state bytes `task.state[0]` to `[2]` (reference 0.1).
    pub state: [u8; 3],
    /// Whether the program was started as an execute handler (reference 0.2).
    pub execute_handler: bool,
}
