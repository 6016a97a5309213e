// SPDX-License-Identifier: GPL-2.0-only

//! Questions that are asked where nothing may sleep: signals, ptrace, priorities, packets that arrive.
//!
//! The decision is made at once; it takes no lock and no memory. What follows from it, the record and learning, is left to be
//! done on the task's way back to user space (`sekisho_defer` in task.c), so that a program's next call finds it done. What
//! happens outside of a task goes to a work item. There is no query and no penalty in these places.
//!
//! Without memory for that, or when too much waits already, the record counts as lost and nothing is learned; the decision
//! stands.

use crate::ask::{answer_once, learn, Outcome, Patience};
use crate::log::{self, Origin};
use crate::sys::defer::{self, Head};
use crate::sys::net::{Sock, Standing};
use crate::sys::snapshot::{self, Reader};
use crate::sys::task::{self, Blob, Call};
use crate::waiting::{self, Place};
use crate::{ask, coverage, exec, stats, Errno, Result};
use core::sync::atomic::{AtomicU32, Ordering};
use sekisho_core::address::Address;
use sekisho_core::capability::Capability;
use sekisho_core::engine::{self, decide, Decision};
use sekisho_core::facts::Facts;
use sekisho_core::item::Item;
use sekisho_core::policy::DomainId;
use sekisho_core::profile::Mode;
use sekisho_core::request::{NetworkOp, Operation, Request};
use sekisho_core::task::Task;

/// How many may wait. Packets come as fast as a network brings them, and whoever sends what is refused must not fill the
/// memory with records of that.
const MAX_WAITING: u32 = 1024;

/// How many wait.
static WAITING: AtomicU32 = AtomicU32::new(0);

/// What is asked.
#[derive(Clone, Copy)]
pub(crate) enum What {
    /// A capability.
    Capability(Capability),
    /// A signal for a process in a domain; `own` if it is the sender's process.
    Signal {
        /// Its number.
        number: u16,
        /// Where the receiver is.
        target: DomainId,
        /// The sender's own process.
        own: bool,
    },
    /// A packet from an address, or a connection.
    Network {
        /// What is done.
        op: NetworkOp,
        /// The other side.
        address: Address,
        /// Its port.
        port: u16,
    },
}

/// Something left to be done.
#[repr(C)]
pub(crate) struct Deferred {
    /// For the C side: where it waits.
    pub(crate) head: Head,
    rest: Rest,
}

enum Rest {
    /// The decision was made: record and learn.
    Decided { what: What, task: Task, origin: Origin, domain: DomainId, decision: Decision },
    /// A connection was accepted, by accept(2) if `called`: decide.
    Accepted { sock: Sock, address: Address, port: u16, called: bool },
    /// The system call is over: the next one is asked for anew.
    Asked,
}

impl What {
    fn item(&self) -> Item {
        match self {
            What::Capability(capability) => capability.item(),
            What::Signal { .. } => Operation::Signal.item(),
            What::Network { op, .. } => Operation::Network(*op).item(),
        }
    }

    /// Hands the request to `then`; `None` if the receiver's domain is gone.
    fn with_request<R>(&self, policy: &Reader, then: impl FnOnce(&Request<'_>) -> R) -> Option<R> {
        Some(match *self {
            What::Capability(capability) => then(&Request::Capability(capability)),
            What::Network { op, address, port } => then(&Request::Network { op, address, port }),
            What::Signal { number, target, .. } => {
                then(&Request::Signal { number, target: policy.domain(target)?.name() })
            }
        })
    }
}

/// Answers a question of the calling task.
pub(crate) fn answer(what: What) -> Result {
    if ask::mode(what.item()) == Mode::Disabled {
        return Ok(());
    }
    let reader = snapshot::read();
    let domain = exec::current_domain(&reader);
    let decision = about(&reader, what, domain, &task::info(), Origin::now());
    task::set_state(decision.set);
    conclude(&decision)
}

/// Answers a question of a task that is not running now: what it was like when it last used the socket. What `; set` says
/// has no effect then.
pub(crate) fn answer_for(domain: DomainId, task: &Task, what: What) -> Result {
    let reader = snapshot::read();
    if engine::config(&reader, domain, what.item()).mode == Mode::Disabled {
        return Ok(());
    }
    // The socket remembers the number that its last user has in his own name space.
    let origin = Origin { global_pid: task.pid, ..Origin::now() };
    conclude(&about(&reader, what, domain, task, origin))
}

/// Whether something that was asked before is allowed by the policy as it is now. Only a refusal is told, and learned.
pub(crate) fn still_allows(domain: DomainId, task: &Task, what: What) -> bool {
    let granted = {
        let reader = snapshot::read();
        let facts = Facts::new(task);
        what.with_request(&reader, |request| decide(&reader, domain, &facts, request).granted)
    };
    granted == Some(true) || answer_for(domain, task, what).is_ok()
}

fn conclude(decision: &Decision) -> Result {
    if decision.allows() {
        return Ok(());
    }
    stats::DENIED.add();
    Err(Errno::Perm)
}

fn about(reader: &Reader, what: What, domain: DomainId, task: &Task, origin: Origin) -> Decision {
    let facts = Facts::new(task);
    let decided = what.with_request(reader, |request| {
        let mut decision = decide(reader, domain, &facts, request);
        coverage::count(reader, domain, &decision, request.operation());
        if let What::Signal { target, own, .. } = what {
            // To oneself and inside of a domain signals are free, with a grant record (reference 4.11).
            if own || target == domain {
                let config = engine::config(reader, domain, what.item());
                decision = Decision { granted: true, log: config.grant_log, set: [None; 3], ..decision };
            }
        }
        decision
    });
    let Some(decision) = decided.filter(|_| reader.domain(domain).is_some()) else {
        // A process in a domain that does not exist, here or there: a mistake of ours, and refused.
        stats::FAIL_CLOSED.add();
        let mode = engine::config(reader, domain, what.item()).mode;
        return Decision { mode, granted: false, log: false, profile: 0, set: [None; 3], entry: None };
    };
    if (!decision.granted || decision.log)
        && (decision.learns() || log::wants(&decision, &reader.preferences(decision.profile)))
    {
        leave(reader, what, domain, task, origin, decision);
    }
    decision
}

/// Leaves record and learning for later. The domains stay until then.
fn leave(reader: &Reader, what: What, domain: DomainId, task: &Task, origin: Origin, decision: Decision) {
    let rest = Rest::Decided { what, task: *task, origin, domain, decision };
    let waiting = WAITING.fetch_add(1, Ordering::Relaxed);
    let deferred =
        (waiting < MAX_WAITING).then(|| defer::alloc(Deferred { head: Head::new(), rest })).flatten();
    let Some(deferred) = deferred else {
        WAITING.fetch_sub(1, Ordering::Relaxed);
        stats::RECORDS_LOST.add();
        return;
    };
    what.hold(reader);
    if let Some(found) = reader.domain(domain) {
        found.attach();
    }
    defer::leave(deferred);
}

impl What {
    fn hold(&self, reader: &Reader) {
        if let What::Signal { target, .. } = self {
            if let Some(found) = reader.domain(*target) {
                found.attach();
            }
        }
    }

    fn release(&self, reader: &Reader) {
        if let What::Signal { target, .. } = self {
            exec::leave(reader, *target);
        }
    }
}

/// A connection was accepted in the calling task; the hook must not sleep, and nobody hears its refusal. The decision is
/// made before accept(2) returns to the program, and until then nothing goes through the socket. If that cannot be, the mode
/// says what becomes of it (reference 0.3, step 3).
pub(crate) fn accepted(sock: Sock, mode: Mode, address: Address, port: u16) {
    sock.set_standing(Standing::Undecided);
    // On the way back the number of the call may be forgotten already (arm64, when a signal waits).
    let called = Call::current() == Call::Accept;
    let rest = Rest::Accepted { sock: sock.clone(), address, port, called };
    let left = defer::alloc(Deferred { head: Head::new(), rest }).map(defer::leave_to_task);
    if matches!(left, Some(true)) {
        return;
    }
    // No memory, or no way back to user space.
    if mode == Mode::Enforcing {
        stats::FAIL_CLOSED.add();
        sock.set_standing(Standing::Refused);
    } else {
        sock.set_standing(Standing::Good);
    }
}

/// Whether the system call under way is asked for the first time; `None` if that cannot be remembered until the call is over.
pub(crate) fn first_in_call() -> Option<bool> {
    let blob = Blob::current();
    if blob.is_asked() {
        return Some(false);
    }
    let asked = defer::alloc(Deferred { head: Head::new(), rest: Rest::Asked })?;
    defer::leave_to_task(asked).then(|| {
        blob.set_asked(true);
        true
    })
}

impl Deferred {
    /// Does what was left. Sleeps.
    pub(crate) fn run(self) {
        match self.rest {
            Rest::Decided { what, task, origin, domain, decision } => {
                finish(what, &task, &origin, domain, &decision);
                WAITING.fetch_sub(1, Ordering::Relaxed);
            }
            Rest::Accepted { sock, address, port, called } => decide_accepted(&sock, address, port, called),
            Rest::Asked => Blob::current().set_asked(false),
        }
    }
}

fn finish(what: What, task: &Task, origin: &Origin, domain: DomainId, decision: &Decision) {
    let facts = Facts::new(task);
    let learned = {
        let reader = snapshot::read();
        if let Some(found) = reader.domain(domain) {
            let preferences = reader.preferences(decision.profile);
            what.with_request(&reader, |request| {
                log::decision(origin, decision, &preferences, &facts, found.name(), request);
            });
        }
        decision.learns()
    };
    if learned {
        // The name of the receiver's domain lives in a snapshot, and learning waits for the right to make the next.
        let target = match what {
            What::Signal { target, .. } => copy_name(target),
            _ => None,
        };
        match (what, &target) {
            (What::Signal { number, .. }, Some(name)) => {
                learn(origin, domain, decision, &facts, &Request::Signal { number, target: name });
            }
            (What::Capability(capability), _) => {
                learn(origin, domain, decision, &facts, &Request::Capability(capability));
            }
            (What::Network { op, address, port }, _) => {
                learn(origin, domain, decision, &facts, &Request::Network { op, address, port });
            }
            _ => {}
        }
    }
    let reader = snapshot::read();
    what.release(&reader);
    exec::leave(&reader, domain);
}

fn copy_name(domain: DomainId) -> Option<sekisho_core::mem::Vec<u8>> {
    let reader = snapshot::read();
    let mut name = sekisho_core::mem::Vec::new();
    name.extend_from_slice(reader.domain(domain)?.name()).ok()?;
    Some(name)
}

fn decide_accepted(sock: &Sock, address: Address, port: u16, called: bool) {
    let task = task::info();
    let facts = Facts::new(&task);
    let request = Request::Network { op: NetworkOp::TcpAccept, address, port };
    let mut retries = 0;
    loop {
        let answer = || answer_once(&facts, &request, retries, Patience::None);
        match waiting::at(Place::OnTheWayBack, answer) {
            Outcome::Allowed => return sock.set_standing(Standing::Good),
            Outcome::Again => retries = retries.wrapping_add(1),
            Outcome::Denied | Outcome::Later => {
                sock.set_standing(Standing::Refused);
                return sock.abort_accepted(called);
            }
        }
    }
}
