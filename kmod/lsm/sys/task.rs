// SPDX-License-Identifier: GPL-2.0-only

//! The domain of a task, in the blob that the LSM framework allocates with each task.
//!
//! Only the task itself changes its blob (and its parent, before it runs), so plain loads and stores suffice; others read it,
//! at any time (`process.rs`, `attributes.rs`, signals). A blob of zeros is a task in `<kernel>`, which is right for the first
//! task and for kernel threads.

use super::shims;
use crate::waiting::{Call as Remembered, Place};
use core::mem::{align_of, size_of};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use kernel::bindings as b;
use sekisho_core::item::Item;
use sekisho_core::policy::DomainId;
use sekisho_core::profile::Mode;
use sekisho_core::task::Task;

/// What a task remembers.
#[repr(C)]
pub(crate) struct Blob {
    domain: AtomicU64,
    /// Where the task returns to when the execve in progress fails, plus one; 0: no execve is in progress. One word, so that
    /// other tasks never read half of it.
    previous: AtomicU64,
    /// `task.state[0]` to `[2]` (reference 0.1), a byte each.
    state: AtomicU32,
    /// See the constants below.
    flags: AtomicU32,
    /// What `modes` is true for: the low half of a generation of the policy; 0: nothing.
    known: AtomicU32,
    /// Two bits for each profile item: its mode in the domain.
    modes: [AtomicU32; 5],
    /// How the hook under way may wait: `Place` as a number.
    place: AtomicU32,
    /// What the task remembers of a call that is made again; null: nothing.
    pub(super) call: AtomicPtr<Remembered>,
}

/// The modes of all profile items as the blob remembers them.
#[derive(Default)]
pub(crate) struct Modes([u32; 5]);

impl Modes {
    /// Notes the mode of one item.
    pub(crate) fn note(&mut self, item: Item, mode: Mode) {
        let (place, shift) = place(item);
        if let Some(word) = self.0.get_mut(place) {
            *word |= (mode as u32).wrapping_shl(shift);
        }
    }
}

/// The word and the shift of an item's mode.
#[inline]
fn place(item: Item) -> (usize, u32) {
    let item = item as usize;
    (item / 16, (item as u32 % 16).wrapping_mul(2))
}

/// The program was started as an execute handler.
const EXECUTE_HANDLER: u32 = 1;
/// The program that the execve in progress starts is one.
const BECOMES_EXECUTE_HANDLER: u32 = 2;
/// The handler itself is being opened.
const OPENING_HANDLER: u32 = 4;
/// The system call under way has been asked for.
const ASKED: u32 = 8;
/// The kernel's log says that the program wanted to write policy and is no manager.
const SAID_NO_MANAGER: u32 = 16;

// SEKISHO_TASK_BLOB in sekisho.h asks for this and for the room to align it.
const _: () = assert!(size_of::<Blob>() <= 64 && align_of::<Blob>() == 8);
// `Modes` has five words of sixteen items, and a mode has two bits.
const _: () = assert!(
    Mode::Disabled as u32 == 0
        && Mode::Learning as u32 == 1
        && Mode::Permissive as u32 == 2
        && Mode::Enforcing as u32 == 3
        && Item::COUNT <= 80
);
// The C side fills core's struct in.
const _: () = assert!(size_of::<Task>() == 44);

impl Blob {
    /// # Safety
    ///
    /// `raw` is a task's part of the security blob, which lives for `'a`.
    unsafe fn from_raw<'a>(raw: *mut core::ffi::c_void) -> &'a Blob {
        // The framework aligns offsets to the machine word only; 32-bit ARM's 64-bit atomics want eight bytes.
        let gap = (raw as usize).wrapping_neg() & 7;
        let aligned = raw.cast::<u8>().wrapping_add(gap).cast::<Blob>();
        // SAFETY: SEKISHO_TASK_BLOB bytes are there, all of Blob's fields are atomics for which every bit pattern is valid.
        unsafe { &*aligned }
    }

    /// The blob of the calling task.
    pub(crate) fn current<'a>() -> &'a Blob {
        // SAFETY: The current task outlives every use of the reference: guards and hooks do not keep it.
        unsafe { Blob::from_raw(shims::sekisho_current_blob()) }
    }

    /// # Safety
    ///
    /// `task` has been allocated by the framework and not been freed.
    pub(super) unsafe fn of<'a>(task: *mut b::task_struct) -> &'a Blob {
        // SAFETY: By the caller's promise.
        unsafe { Blob::from_raw(shims::sekisho_task_blob(task.cast())) }
    }

    /// The domain that the task is in, a pending execve included: for others than the task itself see `exec::domain_of`.
    pub(crate) fn domain(&self) -> DomainId {
        DomainId::from_bits(self.domain.load(Ordering::Relaxed))
    }

    /// The mode of the item, if it is known for this generation of the policy.
    #[inline]
    pub(crate) fn known_mode(&self, generation: u32, item: Item) -> Option<Mode> {
        if self.known.load(Ordering::Relaxed) != generation {
            return None;
        }
        let (place, shift) = place(item);
        let word = self.modes.get(place)?.load(Ordering::Relaxed);
        Some(match word.wrapping_shr(shift) & 3 {
            0 => Mode::Disabled,
            1 => Mode::Learning,
            2 => Mode::Permissive,
            _ => Mode::Enforcing,
        })
    }

    /// Remembers the modes of all items. Only the task itself may do that.
    pub(crate) fn know(&self, generation: u32, modes: &Modes) {
        for (place, bits) in self.modes.iter().zip(modes.0) {
            place.store(bits, Ordering::Relaxed);
        }
        self.known.store(generation, Ordering::Relaxed);
    }

    /// Puts the task into a domain.
    pub(crate) fn set_domain(&self, domain: DomainId) {
        self.known.store(0, Ordering::Relaxed);
        self.domain.store(domain.to_bits(), Ordering::Relaxed);
    }

    /// The domain before the pending execve, if there is one.
    pub(crate) fn pending(&self) -> Option<DomainId> {
        self.previous.load(Ordering::Relaxed).checked_sub(1).map(DomainId::from_bits)
    }

    /// The state bytes.
    pub(crate) fn state(&self) -> [u8; 3] {
        let [first, second, third, _] = self.state.load(Ordering::Relaxed).to_le_bytes();
        [first, second, third]
    }

    /// Sets the state bytes.
    pub(crate) fn set_state(&self, state: [u8; 3]) {
        let [first, second, third] = state;
        self.state.store(u32::from_le_bytes([first, second, third, 0]), Ordering::Relaxed);
    }

    fn flag(&self, flag: u32) -> bool {
        self.flags.load(Ordering::Relaxed) & flag != 0
    }

    fn set_flag(&self, flag: u32, on: bool) {
        let flags = self.flags.load(Ordering::Relaxed);
        self.flags.store(if on { flags | flag } else { flags & !flag }, Ordering::Relaxed);
    }

    /// Whether the task's program is an execute handler (reference 6.7).
    pub(crate) fn is_execute_handler(&self) -> bool {
        self.flag(EXECUTE_HANDLER)
    }

    /// Says whether it is one.
    pub(crate) fn set_execute_handler(&self, on: bool) {
        self.set_flag(EXECUTE_HANDLER, on);
    }

    /// Whether the program that is about to start is an execute handler.
    pub(crate) fn becomes_execute_handler(&self) -> bool {
        self.flag(BECOMES_EXECUTE_HANDLER)
    }

    /// Says whether it will be one.
    pub(crate) fn set_becomes_execute_handler(&self, on: bool) {
        self.set_flag(BECOMES_EXECUTE_HANDLER, on);
    }

    /// Says whether a handler is being opened.
    pub(crate) fn set_opening_handler(&self, on: bool) {
        self.set_flag(OPENING_HANDLER, on);
    }

    /// Whether the system call under way has been asked for.
    pub(crate) fn is_asked(&self) -> bool {
        self.flag(ASKED)
    }

    /// Says whether it has.
    pub(crate) fn set_asked(&self, on: bool) {
        self.set_flag(ASKED, on);
    }

    /// Whether this is the first time that the program wants to write policy without being a manager.
    pub(crate) fn is_first_refusal(&self) -> bool {
        let first = !self.flag(SAID_NO_MANAGER);
        self.set_flag(SAID_NO_MANAGER, true);
        first
    }

    /// Another program runs.
    pub(crate) fn forget_refusal(&self) {
        self.set_flag(SAID_NO_MANAGER, false);
    }

    /// How the hook under way may wait.
    #[inline]
    pub(crate) fn place(&self) -> Place {
        Place::from_number(self.place.load(Ordering::Relaxed))
    }

    /// Says how.
    #[inline]
    pub(crate) fn set_place(&self, place: Place) {
        self.place.store(place as u32, Ordering::Relaxed);
    }

    /// Remembers or forgets the domain before the execve.
    pub(crate) fn set_pending(&self, previous: Option<DomainId>) {
        // An execve in progress may fail, and then another domain counts.
        self.known.store(0, Ordering::Relaxed);
        let word = previous.map_or(0, |domain| domain.to_bits().wrapping_add(1));
        self.previous.store(word, Ordering::Relaxed);
    }
}

/// Whether the calling task is inside execve.
pub(crate) fn in_execve() -> bool {
    // SAFETY: No requirements.
    unsafe { shims::sekisho_in_execve() }
}

/// Credentials and numbers of the calling task.
pub(crate) fn info() -> Task {
    let mut task = Task::default();
    // SAFETY: `struct sekisho_task_info` has the layout of `Task` (checked above in size); the C side writes 0 or 1 to the
    // byte that is a `bool` here.
    unsafe { shims::sekisho_task_info(&mut task) };
    task.state = Blob::current().state();
    task.execute_handler = Blob::current().is_execute_handler();
    task
}

/// Whether the calling task is an execute handler.
pub(crate) fn is_execute_handler() -> bool {
    Blob::current().is_execute_handler()
}

/// Whether the calling task opens a handler.
pub(crate) fn is_opening_handler() -> bool {
    Blob::current().flag(OPENING_HANDLER)
}

/// Whether the calling task may make device files.
pub(crate) fn has_mknod() -> bool {
    // SAFETY: No requirements.
    unsafe { shims::sekisho_has_mknod() }
}

/// # Safety
///
/// `task` is valid.
pub(super) unsafe fn is_same_process(task: *mut b::task_struct) -> bool {
    // SAFETY: By the caller's promise.
    unsafe { shims::sekisho_same_process(task.cast()) }
}

/// Whether a program sent the signal.
///
/// # Safety
///
/// `info` is one of the kernel's special values or valid.
pub(super) unsafe fn is_from_user(info: *mut b::kernel_siginfo) -> bool {
    // SAFETY: By the caller's promise.
    unsafe { shims::sekisho_signal_is_from_user(info.cast()) }
}

/// # Safety
///
/// `task` is valid.
pub(super) unsafe fn is_in_execve(task: *mut b::task_struct) -> bool {
    // SAFETY: By the caller's promise.
    unsafe { shims::sekisho_task_in_execve(task.cast()) }
}

/// Whether the credentials are others than the calling task's own. They are not looked at.
#[inline]
pub(super) fn is_borrowed(cred: *const b::cred) -> bool {
    // SAFETY: No requirements.
    unsafe { shims::sekisho_own_cred() != cred.cast() }
}

/// Whether this runs for a program: no interrupt, no kernel thread.
pub(crate) fn is_user_task() -> bool {
    // SAFETY: No requirements.
    unsafe { shims::sekisho_is_user_task() }
}

/// `enum sekisho_call`: the system calls that a hook recognises.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// Any other.
    Other,
    /// reboot
    Reboot,
    /// sethostname, setdomainname
    Sethostname,
    /// vhangup
    Vhangup,
    /// delete_module
    DeleteModule,
    /// adjtimex, clock_adjtime
    Adjtimex,
    /// mount_setattr
    MountSetattr,
    /// open_tree of a copy
    OpenTree,
    /// fsconfig
    Fsconfig,
    /// kexec_file_load
    KexecFileLoad,
    /// accept, accept4
    Accept,
    /// sched_setattr
    SchedSetattr,
}

impl Call {
    /// The one that the calling task is in.
    pub(crate) fn current() -> Call {
        const ALL: [Call; 11] = [
            Call::Reboot,
            Call::Sethostname,
            Call::Vhangup,
            Call::DeleteModule,
            Call::Adjtimex,
            Call::MountSetattr,
            Call::OpenTree,
            Call::Fsconfig,
            Call::KexecFileLoad,
            Call::Accept,
            Call::SchedSetattr,
        ];
        // SAFETY: A task that runs for a program has saved registers.
        let number = unsafe { shims::sekisho_call() };
        let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        place.and_then(|place| ALL.get(place)).copied().unwrap_or(Call::Other)
    }
}

/// Sets the state bytes of the calling task that an entry assigns (reference 5.5).
pub(crate) fn set_state(set: [Option<u8>; 3]) {
    if set == [None; 3] {
        return;
    }
    let mut state = Blob::current().state();
    for (byte, new) in state.iter_mut().zip(set) {
        *byte = new.unwrap_or(*byte);
    }
    Blob::current().set_state(state);
}

/// Whether the calling task may mount in its name space, as far as Linux is concerned.
pub(crate) fn may_mount() -> bool {
    // SAFETY: A task that is asked about has name spaces.
    unsafe { shims::sekisho_may_mount() }
}

/// Ends the calling task's io_uring workers, and what they do. Sleeps; waits for what is under way.
pub(crate) fn end_workers() {
    // SAFETY: Called from a system call of a program that holds no lock for which a worker would wait uninterruptibly.
    unsafe { shims::sekisho_end_workers() }
}

/// A process and its program, to be known again: `struct sekisho_process_id`.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Running {
    start: u64,
    program: u64,
    tgid: u32,
}

impl Running {
    /// The calling process.
    pub(crate) fn current() -> Running {
        let mut running = Running::default();
        // SAFETY: The layouts are the same.
        unsafe { shims::sekisho_process_id(&mut running) };
        running
    }
}

/// The calling thread's id in the initial pid namespace.
pub(crate) fn global_pid() -> u32 {
    // SAFETY: No requirements.
    unsafe { shims::sekisho_global_pid() }
}
