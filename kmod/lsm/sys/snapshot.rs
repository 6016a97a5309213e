// SPDX-License-Identifier: GPL-2.0-only

//! The policy that is in force: an immutable snapshot behind one pointer.
//!
//! Readers take no lock and no reference: [`read`] enters an SRCU read section, in which they may sleep. A writer builds the
//! next snapshot from the current one, which shares all that did not change, and publishes it with one store. What it replaced
//! goes to the reaper, a work item that waits until no reader can see it and then frees it.
//!
//! A domain is removed here too: deleted ones stay in the snapshot until no task is in them. A task enters a domain only inside
//! a read section and only if the snapshot read says that it is not deleted, or is born in the domain of a task that is in it.
//! So after a grace period a deleted domain that is empty stays empty.

use super::lock::{Guard, PREVIOUS, WRITER};
use super::{shims, NoFs};
use crate::coverage::Table;
use crate::quota::Bound;
use crate::{Errno, Result};
use core::ffi::c_int;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use kernel::alloc::{flags::GFP_KERNEL, KBox};
use sekisho_core::edit::Edit;
use sekisho_core::mem::{Arc, Box, Vec};
use sekisho_core::policy::Policy;
use sekisho_core::transaction::TransactionError;

struct Node {
    policy: Policy,
    /// What counts how often lines grant something, if somebody wants to know.
    counters: Option<Arc<Table>>,
    next: *mut Node,
}

/// The current snapshot; null until [`init`].
static CURRENT: AtomicPtr<Node> = AtomicPtr::new(null_mut());
/// Replaced snapshots that wait for their readers to leave: a stack.
static RETIRED: AtomicPtr<Node> = AtomicPtr::new(null_mut());
/// Snapshots that exist, the current one included.
static ALIVE: AtomicU32 = AtomicU32::new(0);

/// Publishes the empty policy. Called once, before any hook.
pub(super) fn init() -> Result {
    // SAFETY: No requirements.
    let policy = bounded(Policy::with_key(unsafe { shims::sekisho_random() })?)?;
    let node =
        KBox::new(Node { policy, counters: None, next: null_mut() }, GFP_KERNEL).map_err(|_| Errno::NoMem)?;
    ALIVE.fetch_add(1, Ordering::Relaxed);
    CURRENT.store(KBox::into_raw(node), Ordering::Release);
    Ok(())
}

/// The policy with the quota that it has until somebody says another one.
#[inline(never)] // A policy by value takes stack.
fn bounded(policy: Policy) -> Result<Policy> {
    let mut edit = policy.edit()?;
    edit.set_quota(Bound::Policy.share());
    Ok(edit.commit())
}

/// A read section, and the snapshot that was current when it began.
///
/// # Invariants
///
/// `node` is not freed before the section `index` ends.
pub(crate) struct Reader {
    node: *const Node,
    index: c_int,
    _not_send: PhantomData<*mut ()>,
}

/// Begins a read section.
pub(crate) fn read() -> Reader {
    // SAFETY: Left in `Drop`.
    let index = unsafe { shims::sekisho_read_lock() };
    // INVARIANT: The reaper waits for this section before it frees what was current after it began.
    Reader { node: CURRENT.load(Ordering::Acquire), index, _not_send: PhantomData }
}

impl Deref for Reader {
    type Target = Policy;
    fn deref(&self) -> &Policy {
        // SAFETY: By the invariant; `init` ran before any hook or file could read, so it is not null.
        unsafe { &(*self.node).policy }
    }
}

impl Reader {
    /// What counts hits, if anything does.
    #[inline]
    pub(crate) fn counters(&self) -> Option<&Table> {
        // SAFETY: As for the policy.
        unsafe { (*self.node).counters.as_deref() }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // SAFETY: `index` comes from `sekisho_read_lock` in the same task.
        unsafe { shims::sekisho_read_unlock(self.index) }
    }
}

/// The right to publish the next snapshot. It must not be asked for inside a read section: the reaper holds it while it waits
/// for readers.
pub(crate) struct Writer {
    _guard: Guard<'static, ()>,
    _nofs: NoFs,
}

/// Waits for the right to change the policy.
pub(crate) fn write() -> Writer {
    let nofs = NoFs::enter();
    Writer { _guard: WRITER.lock(), _nofs: nofs }
}

impl Writer {
    /// The current policy; it cannot change while the writer exists.
    pub(crate) fn policy(&self) -> &Policy {
        // SAFETY: Only a writer replaces the node, and this is the only one.
        unsafe { &(*CURRENT.load(Ordering::Acquire)).policy }
    }

    /// Begins a change of the current policy.
    pub(crate) fn edit(&self) -> Result<Edit> {
        Ok(self.policy().edit()?)
    }

    /// Makes the changed policy the one that is in force. On an error the old one stays.
    pub(crate) fn publish(&mut self, edit: Edit) -> Result {
        self.replace(edit.commit())
    }

    /// Makes a policy the one that is in force; it was made from the current one. On an error the old one stays.
    #[inline(never)] // A policy by value takes stack.
    pub(crate) fn replace(&mut self, policy: Policy) -> Result {
        let counters = self.counters().clone();
        self.put(policy, counters)
    }

    fn counters(&self) -> &Option<Arc<Table>> {
        // SAFETY: As for the policy.
        unsafe { &(*CURRENT.load(Ordering::Acquire)).counters }
    }

    /// Whether hits are counted.
    pub(crate) fn is_counting(&self) -> bool {
        self.counters().is_some()
    }

    /// Counts hits there from now on; those who are deciding now may still count in the old ones.
    pub(crate) fn set_counters(&mut self, counters: Option<Arc<Table>>) -> Result {
        let policy = self.edit()?.commit();
        self.put(policy, counters)
    }

    fn put(&mut self, policy: Policy, counters: Option<Arc<Table>>) -> Result {
        let ports = self.changed_ports(&policy)?;
        let node = Node { policy, counters, next: null_mut() };
        let node = KBox::new(node, GFP_KERNEL).map_err(|_| Errno::NoMem)?;
        ALIVE.fetch_add(1, Ordering::Relaxed);
        let old = CURRENT.swap(KBox::into_raw(node), Ordering::AcqRel);
        crate::ask::published(self.policy());
        if let Some(ports) = ports {
            super::net::set_autobind(&ports);
        }
        retire(old);
        Ok(())
    }
}

/// The generation of a policy in which something found no room; 0: none.
static NO_ROOM: AtomicU32 = AtomicU32::new(0);
/// A policy that is not nearer to its quota than this has room for an entry and a domain.
const NEAR: usize = 16 << 10;

/// The low half of a generation, but 0.
fn generation(policy: &Policy) -> u32 {
    ((policy.generation() & 0xFFFF_FFFF) as u32).max(1)
}

/// Whether this policy is known to have no room for more.
pub(crate) fn has_no_room(policy: &Policy) -> bool {
    NO_ROOM.load(Ordering::Relaxed) == generation(policy)
}

impl Writer {
    /// Something was not added. If the policy is at its quota, that is told, and known until the policy changes.
    pub(crate) fn note_no_room(&self) {
        let (quota, held) = (self.policy().quota(), self.policy().memory());
        if quota != 0 && held.saturating_add(NEAR) > quota {
            NO_ROOM.store(generation(self.policy()), Ordering::Relaxed);
            Bound::Policy.say();
        }
    }

    /// The ports that the network must not choose (reference 3.9), if `next` may have others than the current policy.
    #[inline(never)]
    fn changed_ports(&self, next: &Policy) -> Result<Option<Vec<[u16; 2]>>> {
        if next.has_autobind_of(self.policy()) {
            return Ok(None);
        }
        let mut ports = Vec::new();
        for range in next.autobind_ranges() {
            ports.push(range)?;
        }
        Ok(Some(ports))
    }

    /// A policy that says what the current one does, to be kept while others come and go.
    ///
    /// It is a snapshot of its own, which shares all parts and which no reader ever sees: so the reaper frees the one
    /// that is replaced as always, and what is kept costs what changes later.
    #[inline(never)]
    pub(crate) fn copy(&self) -> Result<Box<Policy>> {
        Ok(Box::new(self.edit()?.commit())?)
    }

    /// Keeps a policy as the way back, in place of what was kept before. Only who may change the policy may do this.
    pub(crate) fn keep(&mut self, policy: Option<Box<Policy>>) {
        let forgotten = core::mem::replace(&mut *PREVIOUS.lock(), policy);
        drop(forgotten);
    }

    /// What restoring the kept policy gives; `None` if nothing is kept.
    pub(crate) fn restored(&self) -> Option<core::result::Result<Policy, TransactionError>> {
        PREVIOUS.lock().as_ref().map(|previous| self.policy().restore(previous))
    }
}

/// Bytes of the kept policy, shared with the current one or not; `None` if nothing is kept.
pub(crate) fn previous_bytes() -> Option<usize> {
    PREVIOUS.lock().as_ref().map(|previous| previous.memory())
}

/// Hands a replaced snapshot to the reaper.
fn retire(node: *mut Node) {
    let mut top = RETIRED.load(Ordering::Relaxed);
    loop {
        // SAFETY: The node is ours: it is neither current any more nor on the stack yet, and readers do not look at `next`.
        unsafe { (*node).next = top };
        match RETIRED.compare_exchange_weak(top, node, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => break,
            Err(now) => top = now,
        }
    }
    schedule_reaper();
}

/// Wakes the reaper, for instance when the last task has left a deleted domain. Does not sleep.
pub(crate) fn schedule_reaper() {
    // SAFETY: No requirements.
    unsafe { shims::sekisho_schedule_reaper() }
}

/// Waits until everything that is to be freed by now has been freed.
pub(crate) fn flush_reaper() {
    // SAFETY: No requirements; not called from the reaper itself nor with the writer's lock held.
    unsafe { shims::sekisho_flush_reaper() }
}

/// How many snapshots exist; 1 when nothing waits to be freed and nothing is kept as the way back.
pub(crate) fn alive() -> u32 {
    ALIVE.load(Ordering::Relaxed).wrapping_add(previous_bytes().is_some().into())
}

/// Domains and entries that the reaper removes at once.
const BATCH: u32 = 1024;

/// The reaper's work: frees replaced snapshots, then removes what nobody uses any more from the current one, until there is
/// nothing left to do. An allocation failure leaves the garbage for the next time.
#[no_mangle]
extern "C" fn sekisho_rs_reap() {
    loop {
        free_retired();
        if !read().has_garbage() {
            break;
        }
        let mut writer = write();
        // From here on nobody can enter a domain that is deleted in the current snapshot.
        wait_for_readers();
        let Ok(mut edit) = writer.edit() else { break };
        // What is left is for the next round, so that others need not wait for the lock longer than that.
        if edit.collect(BATCH).is_err() || writer.publish(edit).is_err() {
            break;
        }
        drop(writer);
        super::waiting::breathe();
    }
}

/// Waits until all read sections that have begun are over.
fn wait_for_readers() {
    // SAFETY: No requirements; the reaper is in no read section itself.
    unsafe { shims::sekisho_wait_for_readers() }
}

/// Waits for the readers of what has been replaced so far, and frees it.
fn free_retired() {
    let mut node = RETIRED.swap(null_mut(), Ordering::Acquire);
    if node.is_null() {
        return;
    }
    wait_for_readers();
    while !node.is_null() {
        // SAFETY: The nodes of the stack are boxes that no reader sees any more.
        let boxed = unsafe { KBox::from_raw(node) };
        node = boxed.next;
        drop(boxed);
        super::waiting::breathe();
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}
