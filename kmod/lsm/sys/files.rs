// SPDX-License-Identifier: GPL-2.0-only

//! What `files.c` offers: wait queues, the kernel's log and audit stream.

use super::process::RawTask;
use super::task::Blob;
use core::sync::atomic::{AtomicU32, Ordering};

/// `struct sekisho_file_info`.
#[repr(C)]
pub(super) struct FileInfo {
    pub(super) name: *const u8,
    pub(super) mode: u32,
    pub(super) is_feature: u32,
    pub(super) wait: u32,
}

/// `struct sekisho_refusal`.
#[repr(C)]
struct RawRefusal {
    mode: *const u8,
    domain: *const u8,
    request: *const u8,
    mode_size: u32,
    domain_size: u32,
    request_size: u32,
    profile: u32,
    global_pid: u32,
}

extern "C" {
    fn sekisho_wake(wait: u32);
    fn sekisho_audit_is_on() -> bool;
    fn sekisho_audit(refusal: *const RawRefusal);
    fn sekisho_say_no_manager();
    fn sekisho_may_say() -> bool;
    fn sekisho_warn(what: *const u8, what_size: u32, name: *const u8, name_size: u32);
    fn sekisho_say(error: bool, request: *const u8, request_size: u32, who: *const u8, who_size: u32);
    pub(super) fn sekisho_find_task(pid: u32, global: bool) -> *mut RawTask;
    pub(super) fn sekisho_put_task(task: *mut RawTask);
}

/// Queues that a file can be polled for; `enum sekisho_wait_id` of `sekisho.h`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Wait {
    /// Records of granted requests.
    GrantLog = 0,
    /// Records of refused requests.
    RejectLog = 1,
    /// Binary records.
    AuditLog = 2,
    /// Questions to an observer.
    Queries = 3,
}

/// What stands for "no queue" in [`FileInfo`].
pub(super) const NO_WAIT: u32 = 4;

/// How much is in each queue, so that poll need not take its lock.
static QUEUED: [AtomicU32; NO_WAIT as usize] =
    [AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0)];

impl Wait {
    /// Tells those who poll how much is in the queue. The caller holds the queue's lock, so that the numbers come in order.
    pub(crate) fn set_queued(self, count: usize) {
        if let Some(queued) = QUEUED.get(self as usize) {
            queued.store(u32::try_from(count).unwrap_or(u32::MAX), Ordering::Release);
        }
    }

    /// Wakes those who poll. Called after [`Self::set_queued`], without the queue's lock.
    pub(crate) fn wake(self) {
        // SAFETY: The number is one of the C enum's.
        unsafe { sekisho_wake(self as u32) }
    }
}

/// Called by poll.
#[no_mangle]
extern "C" fn sekisho_rs_queued(wait: u32) -> u32 {
    QUEUED.get(wait as usize).map_or(0, |queued| queued.load(Ordering::Acquire))
}

fn size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(0)
}

/// A refused request, for the kernel's audit stream.
pub(crate) struct Refusal<'a> {
    pub(crate) mode: &'a [u8],
    pub(crate) profile: u8,
    pub(crate) global_pid: u32,
    pub(crate) domain: &'a [u8],
    pub(crate) request: &'a [u8],
}

/// Whether somebody wants the kernel's audit stream.
pub(crate) fn audit_is_on() -> bool {
    // SAFETY: No requirements.
    unsafe { sekisho_audit_is_on() }
}

/// Writes one line into the kernel's audit stream; it is lost if there is no room.
pub(crate) fn audit(refusal: &Refusal<'_>) {
    let raw = RawRefusal {
        mode: refusal.mode.as_ptr(),
        domain: refusal.domain.as_ptr(),
        request: refusal.request.as_ptr(),
        mode_size: size(refusal.mode),
        domain_size: size(refusal.domain),
        request_size: size(refusal.request),
        profile: refusal.profile.into(),
        global_pid: refusal.global_pid,
    };
    // SAFETY: The slices live until the call returns, and nothing keeps them.
    unsafe { sekisho_audit(&raw) }
}

/// Writes into the kernel's log that the calling task is no manager: once for a program, and not more than a few times in a
/// second.
pub(crate) fn say_no_manager() {
    if Blob::current().is_first_refusal() {
        // SAFETY: No requirements.
        unsafe { sekisho_say_no_manager() }
    }
}

/// Whether the kernel's log has room for another message of ours.
pub(crate) fn may_say() -> bool {
    // SAFETY: No requirements.
    unsafe { sekisho_may_say() }
}

/// Writes `WARNING: WHAT NAME` into the kernel's log; false if that has enough of ours.
pub(crate) fn warn(what: &[u8], name: &[u8]) -> bool {
    let says = may_say();
    if says {
        // SAFETY: The slices live until the call returns.
        unsafe { sekisho_warn(what.as_ptr(), size(what), name.as_ptr(), size(name)) }
    }
    says
}

/// Writes `ERROR: Access REQUEST denied for WHO` into the kernel's log, or `WARNING: ...`.
pub(crate) fn say(error: bool, request: &[u8], who: &[u8]) {
    // SAFETY: The slices live until the call returns.
    unsafe { sekisho_say(error, request.as_ptr(), size(request), who.as_ptr(), size(who)) }
}
