// SPDX-License-Identifier: GPL-2.0-only

//! What the compiled files ask of the kernel, for the host.

use std::sync::atomic::{AtomicU64, Ordering};

/// The time of day that records get.
pub(crate) static SECONDS: AtomicU64 = AtomicU64::new(1);

/// Seconds since 1970.
pub(crate) fn seconds() -> u64 {
    SECONDS.load(Ordering::Relaxed)
}

/// Bytes of memory that the machine has.
pub(crate) fn machine_memory() -> usize {
    1 << 30
}

/// Sleeping: the clock stands still, and nobody is kept waiting.
pub(crate) mod waiting {
    use crate::waiting::Call;
    use std::cell::Cell;
    use std::hash::{DefaultHasher, Hash, Hasher};
    use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

    /// The clock, in tenths of a second.
    pub(crate) static NOW: AtomicU64 = AtomicU64::new(0);
    /// How often somebody was woken.
    pub(crate) static WOKEN: AtomicUsize = AtomicUsize::new(0);

    /// A time of that clock.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct Time(u64);

    impl Time {
        pub(crate) fn after(tenths: u32) -> Time {
            Time(NOW.load(Ordering::Relaxed) + u64::from(tenths))
        }

        pub(crate) fn is_past(self) -> bool {
            NOW.load(Ordering::Relaxed) >= self.0
        }

        /// Time passes at once, if there is no answer.
        pub(crate) fn sleep(self, word: &AtomicU32) -> bool {
            if word.load(Ordering::Relaxed) == 0 {
                NOW.fetch_max(self.0, Ordering::Relaxed);
            }
            true
        }
    }

    /// The latest of the times that it was set to.
    pub(crate) struct Latest(AtomicU64);

    impl Latest {
        pub(crate) const fn new() -> Latest {
            Latest(AtomicU64::new(0))
        }

        pub(crate) fn set(&self, time: Time) {
            self.0.store(time.0, Ordering::Relaxed);
        }

        pub(crate) fn get(&self) -> Time {
            Time(self.0.load(Ordering::Relaxed))
        }
    }

    /// A task that will wait.
    pub(crate) struct Sleeper;

    impl Sleeper {
        pub(crate) fn current() -> Sleeper {
            Sleeper
        }

        pub(crate) fn wake(&self) {
            WOKEN.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn refill_buffers() {}

    /// What a task remembers of a call.
    pub(crate) type Kept = Box<Call>;

    thread_local! {
        /// The number of the call under way.
        pub(crate) static CALL_ID: Cell<u64> = const { Cell::new(1) };
        /// Whether the task may wait, and whether it can later.
        pub(crate) static MAY: Cell<(bool, bool)> = const { Cell::new((true, true)) };
    }

    pub(crate) fn alloc(call: Call) -> Option<Kept> {
        Some(Box::new(call))
    }

    pub(crate) fn may_wait() -> bool {
        MAY.get().0
    }

    pub(crate) fn wait_later() -> bool {
        MAY.get().1
    }

    pub(crate) fn call_id() -> u64 {
        CALL_ID.get()
    }

    pub(crate) fn hash(bytes: &[u8]) -> u64 {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        hasher.finish()
    }

    /// How often a long loop may let others run until the task is killed.
    pub(crate) static BREATHS: AtomicUsize = AtomicUsize::new(usize::MAX);

    /// Lets others run.
    pub(crate) fn breathe() -> bool {
        let left = BREATHS.load(Ordering::Relaxed);
        BREATHS.store(left.saturating_sub(1), Ordering::Relaxed);
        left != 0
    }
}

/// An execve in progress.
pub(crate) mod bprm {
    use core::ffi::c_ulong;
    use std::cell::Cell;
    use std::marker::PhantomData;

    /// The strings of a new program, from `start` on.
    pub(crate) struct Bprm<'a> {
        pub(crate) start: c_ulong,
        pub(crate) bytes: Vec<u8>,
        pub(crate) counts: (u32, u32),
        /// Bytes that were copied so far.
        pub(crate) copied: Cell<usize>,
        pub(crate) lives: PhantomData<&'a ()>,
    }

    impl Bprm<'_> {
        pub(crate) fn strings(&self) -> (c_ulong, u32, u32) {
            (self.start, self.counts.0, self.counts.1)
        }

        pub(crate) fn size(&self) -> usize {
            self.bytes.len()
        }

        pub(crate) fn copy(&self, position: c_ulong, out: &mut [u8]) -> bool {
            let last = position + out.len() as c_ulong - 1;
            assert_eq!(position / 4096, last / 4096, "all in one page");
            let at = (position - self.start) as usize;
            out.copy_from_slice(&self.bytes[at..at + out.len()]);
            self.copied.set(self.copied.get() + out.len());
            true
        }
    }
}

/// Space for names.
pub(crate) mod path {
    use crate::Result;

    pub(crate) struct Buffer(Vec<u8>);

    impl Buffer {
        pub(crate) fn small() -> Result<Buffer> {
            Buffer::at_least(0)
        }

        pub(crate) fn at_least(size: usize) -> Result<Buffer> {
            Ok(Buffer(vec![0; size.max(8192)]))
        }

        pub(crate) fn bytes(&mut self) -> &mut [u8] {
            &mut self.0
        }
    }
}

/// The running task.
pub(crate) mod task {
    use super::waiting::Kept;
    use crate::waiting::Place;
    use std::cell::{Cell, RefCell};

    /// The thread's number.
    pub(crate) fn global_pid() -> u32 {
        7
    }

    thread_local! {
        static PLACE: Cell<Place> = const { Cell::new(Place::Here) };
        static CALL: RefCell<Option<Kept>> = const { RefCell::new(None) };
    }

    /// What the task, here a thread, remembers.
    pub(crate) struct Blob;

    impl Blob {
        pub(crate) fn current() -> &'static Blob {
            &Blob
        }

        pub(crate) fn place(&self) -> Place {
            PLACE.get()
        }

        pub(crate) fn set_place(&self, place: Place) {
            PLACE.set(place);
        }

        pub(crate) fn take_call(&self) -> Option<Kept> {
            CALL.take()
        }

        pub(crate) fn keep_call(&self, call: Kept) {
            CALL.set(Some(call));
        }
    }
}

/// Mutexes.
pub(crate) mod lock {
    use crate::errors::Errors;
    use crate::log::Queue;
    use crate::query::Queries;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// A value that one thread at a time may use.
    pub(crate) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        const fn new(value: T) -> Self {
            Lock(Mutex::new(value))
        }

        /// Waits until the value is free.
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    pub(crate) static GRANT_LOG: Lock<Queue> = Lock::new(Queue::new());
    pub(crate) static REJECT_LOG: Lock<Queue> = Lock::new(Queue::new());
    pub(crate) static AUDIT_LOG: Lock<Queue> = Lock::new(Queue::new());
    pub(crate) static ERRORS: Lock<Errors> = Lock::new(Errors::new());
    pub(crate) static QUERIES: Lock<Queries> = Lock::new(Queries::new());
}

/// Wait queues, the kernel's log and its audit stream.
pub(crate) mod files {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::Mutex;

    /// Queues that a file can be polled for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Wait {
        GrantLog,
        RejectLog,
        AuditLog,
        Queries,
    }

    static QUEUED: [AtomicUsize; 4] =
        [AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0)];
    static WOKEN: [AtomicUsize; 4] =
        [AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0)];

    impl Wait {
        /// Tells those who poll how much is in the queue.
        pub(crate) fn set_queued(self, count: usize) {
            QUEUED[self as usize].store(count, Ordering::Relaxed);
        }

        /// Wakes those who poll.
        pub(crate) fn wake(self) {
            WOKEN[self as usize].fetch_add(1, Ordering::Relaxed);
        }

        /// What poll sees, and how often it was woken.
        pub(crate) fn seen(self) -> (usize, usize) {
            [&QUEUED, &WOKEN].map(|numbers| numbers[self as usize].load(Ordering::Relaxed)).into()
        }
    }

    /// A refused request, for the audit stream.
    pub(crate) struct Refusal<'a> {
        pub(crate) mode: &'a [u8],
        pub(crate) profile: u8,
        pub(crate) global_pid: u32,
        pub(crate) domain: &'a [u8],
        pub(crate) request: &'a [u8],
    }

    /// Whether somebody wants the audit stream.
    pub(crate) static AUDIT: AtomicBool = AtomicBool::new(false);
    /// Whether the kernel's log has room.
    pub(crate) static ROOM: AtomicBool = AtomicBool::new(true);
    /// What was written, audit stream and log together.
    pub(crate) static WRITTEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn write(line: String) {
        WRITTEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(line);
    }

    /// Whether somebody wants the audit stream.
    pub(crate) fn audit_is_on() -> bool {
        AUDIT.load(Ordering::Relaxed)
    }

    /// One line in the audit stream.
    pub(crate) fn audit(refusal: &Refusal<'_>) {
        let Refusal { mode, profile, global_pid, domain, request } = refusal;
        let [mode, domain, request] = [mode, domain, request].map(|part| text(part));
        write(format!("audit {mode} {profile} {global_pid} {domain}: {request}"));
    }

    /// Whether the log has room for another message.
    pub(crate) fn may_say() -> bool {
        ROOM.load(Ordering::Relaxed)
    }

    /// One line in the log about something of ours.
    pub(crate) fn warn(what: &[u8], name: &[u8]) -> bool {
        let says = may_say();
        if says {
            write(format!("WARNING: {} {}", text(what), text(name)));
        }
        says
    }

    /// One line in the log.
    pub(crate) fn say(error: bool, request: &[u8], who: &[u8]) {
        write(format!("{} {} {}", if error { "ERROR" } else { "WARNING" }, text(request), text(who)));
    }
}

/// The policy in a read section.
pub(crate) mod snapshot {
    use crate::coverage::Table;
    use sekisho_core::policy::Policy;
    use std::ops::Deref;

    /// A read section.
    pub(crate) struct Reader<'a> {
        pub(crate) policy: &'a Policy,
        pub(crate) counters: Option<&'a Table>,
    }

    impl Reader<'_> {
        /// The counters, if somebody counts.
        pub(crate) fn counters(&self) -> Option<&Table> {
            self.counters
        }
    }

    impl Deref for Reader<'_> {
        type Target = Policy;
        fn deref(&self) -> &Policy {
            self.policy
        }
    }

    /// Begins a read section of an empty policy, which lives for ever.
    pub(crate) fn read() -> Reader<'static> {
        static EMPTY: std::sync::OnceLock<Policy> = std::sync::OnceLock::new();
        let policy = EMPTY.get_or_init(|| Policy::with_key(1).expect("memory for an empty policy"));
        Reader { policy, counters: None }
    }
}
