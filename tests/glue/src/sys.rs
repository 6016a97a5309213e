// SPDX-License-Identifier: GPL-2.0-only

//! What the compiled files ask of the kernel, for the host.

use std::sync::atomic::{AtomicU64, Ordering};

/// The time of day that records get.
pub(crate) static SECONDS: AtomicU64 = AtomicU64::new(1);

/// Seconds since 1970.
pub(crate) fn seconds() -> u64 {
    SECONDS.load(Ordering::Relaxed)
}

/// The running task.
pub(crate) mod task {
    /// The thread's number.
    pub(crate) fn global_pid() -> u32 {
        7
    }
}

/// Mutexes.
pub(crate) mod lock {
    use crate::errors::Errors;
    use crate::log::Queue;
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
}

/// Wait queues, the kernel's log and its audit stream.
pub(crate) mod files {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::Mutex;

    /// Queues that a file can be polled for.
    #[expect(clippy::enum_variant_names, reason = "the kernel's has one that is no log")]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Wait {
        GrantLog,
        RejectLog,
        AuditLog,
    }

    static QUEUED: [AtomicUsize; 3] = [AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0)];
    static WOKEN: [AtomicUsize; 3] = [AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0)];

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
}
