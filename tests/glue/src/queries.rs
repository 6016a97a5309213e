// SPDX-License-Identifier: GPL-2.0-only

//! Questions to an observer: their order, their answers, how they may wait, and what many of them cost.

use crate::ask::Patience;
use crate::log::Origin;
use crate::query::{self, Answer, Asked, Verdict};
use crate::quota::Bound;
use crate::sys::files::{Wait, ROOM};
use crate::sys::task::Blob;
use crate::sys::waiting::{Kept, CALL_ID, MAY, NOW, WOKEN};
use crate::tests::fresh;
use crate::waiting::{self, Place};
use sekisho_core::engine::Decision;
use sekisho_core::facts::Facts;
use sekisho_core::name::Name;
use sekisho_core::policy::{DomainId, Preferences};
use sekisho_core::profile::Mode;
use sekisho_core::request::{PathOp, Request};
use sekisho_core::task::Task;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Asks for something, after so many times before.
fn ask_for(request: &Request<'_>, retries: u32, penalty: u32) -> Verdict {
    let task = Task::default();
    let facts = Facts::new(&task);
    let decision = Decision {
        mode: Mode::Enforcing,
        granted: false,
        log: false,
        profile: 3,
        set: [None; 3],
        entry: None,
    };
    let preferences = Preferences { penalty, ..crate::sys::snapshot::read().preferences(3) };
    let asked = Asked {
        origin: &Origin { timestamp: 1, global_pid: 7 },
        decision: &decision,
        preferences: &preferences,
        facts: &facts,
        domain: DOMAIN,
        patience: Patience::Penalty,
        retries,
    };
    query::decide(&asked, request)
}

const DOMAIN: DomainId = DomainId::from_bits(0);

fn reading(path: &str) -> Request<'_> {
    Request::Path { op: PathOp::Read, path: Name::new(path.as_bytes()).unwrap() }
}

fn ask(path: &str, penalty: u32) -> Verdict {
    ask_for(&reading(path), 0, penalty)
}

/// What a hook comes to that asks for these paths one after the other, in a call that may be made again.
fn call(paths: &[&str], penalty: u32) -> Verdict {
    waiting::at(Place::Later, || {
        for path in paths {
            let verdict = match waiting::answer(DOMAIN, &reading(path)) {
                Some((Verdict::Retry, before)) => ask_for(&reading(path), before + 1, penalty),
                Some((verdict, _)) => verdict,
                None => ask(path, penalty),
            };
            if verdict != Verdict::Allow {
                return verdict;
            }
        }
        Verdict::Allow
    })
}

/// Makes a call that has to wait, and takes away what the task remembers of it.
fn later(path: &str) -> Kept {
    assert!(call(&[path], 0) == Verdict::Later);
    Blob::current().take_call().unwrap()
}

/// Makes it again.
fn again(kept: Kept, path: &str) -> Verdict {
    Blob::current().keep_call(kept);
    waiting::conclude(true);
    let verdict = call(&[path], 0);
    waiting::conclude(false);
    assert!(Blob::current().take_call().is_none(), "when the call is over nothing is remembered");
    verdict
}

/// Numbers of all open questions, from the oldest, as an observer reads them.
fn open() -> Vec<u32> {
    let mut last = None;
    std::iter::from_fn(|| {
        let (serial, text) = query::after(last).unwrap()?;
        assert!(text.starts_with(format!("Q{serial}-").as_bytes()));
        last = Some(serial);
        Some(serial)
    })
    .collect()
}

fn answer(serial: u32, choice: u32) {
    query::answered(Some(Answer { serial, choice }));
}

/// Answers the one question that is open.
fn answer_next(choice: u32) {
    let open = open();
    assert_eq!(open.len(), 1);
    answer(open[0], choice);
}

#[test]
fn without_an_observer_there_is_the_penalty_where_one_may_wait() {
    let _alone = fresh();
    let now = || NOW.load(Ordering::Relaxed);
    let start = now();
    assert!(ask("/1", 50) == Verdict::Deny);
    assert_eq!(now() - start, 50, "here");
    assert!(waiting::at(Place::Never, || ask("/1", 50)) == Verdict::Deny);
    MAY.set((false, true));
    assert!(ask("/1", 50) == Verdict::Deny && call(&["/1"], 50) == Verdict::Deny);
    MAY.set((true, false));
    assert!(call(&["/1"], 50) == Verdict::Deny, "no way back to user space");
    MAY.set((true, true));
    assert_eq!(now() - start, 50, "not at all");
    waiting::conclude(false);
    assert!(call(&["/1"], 0) == Verdict::Deny, "nothing to wait for");
    assert!(call(&["/1"], 50) == Verdict::Later);
    assert_eq!(now() - start, 50, "later");
    waiting::conclude(true);
    assert_eq!(now() - start, 100, "on the way back");
    assert!(call(&["/1"], 50) == Verdict::Deny);
    waiting::conclude(false);
    assert_eq!(now() - start, 100, "once");
}

#[test]
fn answers_come_to_who_asked_and_only_once() {
    let _alone = fresh();
    query::observer_came();
    let kept: Vec<Kept> = ["/1", "/2", "/3", "/4"].map(later).into();
    let serials = open();
    assert_eq!(serials.len(), 4);
    assert_eq!(Wait::Queries.seen().0, 4);
    let woken = WOKEN.load(Ordering::Relaxed);
    answer(serials[2], 1);
    answer(serials[0], 2);
    answer(serials[1], 0);
    answer(serials[3].wrapping_add(1), 1);
    assert_eq!(WOKEN.load(Ordering::Relaxed) - woken, 2, "only who has an answer is woken");
    assert_eq!(open(), [serials[1], serials[3]]);
    assert_eq!(Wait::Queries.seen().0, 2);
    let paths = ["/1", "/2", "/3", "/4"];
    let verdicts: Vec<Verdict> = kept.into_iter().zip(paths).map(|(kept, path)| again(kept, path)).collect();
    assert!(verdicts == [Verdict::Deny, Verdict::Deny, Verdict::Allow, Verdict::Deny]);
    assert_eq!((open().len(), query::bytes(), Wait::Queries.seen().0), (0, 0, 0));
    assert!(waiting::at(Place::Never, || ask("/1", 0)) == Verdict::Deny && open().is_empty());
    // What was allowed is asked again by the next call.
    let kept = later("/3");
    answer_next(1);
    assert!(again(kept, "/3") == Verdict::Allow);
    query::observer_left();
}

#[test]
fn a_call_that_asks_several_questions_comes_to_its_end() {
    let _alone = fresh();
    query::observer_came();
    let paths = ["/1", "/2", "/1", "/3"];
    for choice in [1, 1, 3, 1, 1] {
        assert!(call(&paths, 0) == Verdict::Later);
        answer_next(choice);
        waiting::conclude(true);
    }
    assert!(call(&paths, 0) == Verdict::Allow);
    waiting::conclude(false);
    assert!(open().is_empty());
    // More than that many in one call are refused.
    let many = ["/1"; 9];
    for _ in 0..8 {
        assert!(call(&many, 0) == Verdict::Later);
        answer_next(1);
        waiting::conclude(true);
    }
    assert!(call(&many, 0) == Verdict::Deny && open().is_empty());
    waiting::conclude(false);
    query::observer_left();
}

#[test]
fn an_answer_is_for_the_same_call_and_the_same_question() {
    let _alone = fresh();
    query::observer_came();
    let answered = || {
        assert!(call(&["/1"], 0) == Verdict::Later);
        answer_next(1);
        waiting::conclude(true);
    };
    answered();
    assert!(call(&["/2"], 0) == Verdict::Later, "another question");
    waiting::conclude(false);
    assert!(open().is_empty(), "a call that is not made again waits for nothing");
    // A signal is handled in between; what that asks does not take the answer.
    answered();
    CALL_ID.set(2);
    assert!(waiting::answer(DOMAIN, &reading("/1")).is_none());
    CALL_ID.set(1);
    assert!(call(&["/1"], 0) == Verdict::Allow);
    waiting::conclude(false);
    // If it has to wait itself, that is all that is remembered.
    answered();
    CALL_ID.set(2);
    assert!(call(&["/1"], 0) == Verdict::Later);
    answer_next(2);
    waiting::conclude(true);
    assert!(call(&["/1"], 0) == Verdict::Deny);
    waiting::conclude(false);
    CALL_ID.set(1);
    assert!(waiting::answer(DOMAIN, &reading("/1")).is_none());
    // Nor is it kept for ever.
    answered();
    NOW.fetch_add(101, Ordering::Relaxed);
    assert!(call(&["/1"], 0) == Verdict::Later);
    waiting::conclude(false);
    // Another program runs.
    answered();
    waiting::forget(Blob::current());
    assert!(call(&["/1"], 0) == Verdict::Later);
    waiting::conclude(false);
    assert!(open().is_empty() && query::bytes() == 0);
    query::observer_left();
}

#[test]
fn the_last_observer_ends_all_waits() {
    let _alone = fresh();
    query::observer_came();
    query::observer_came();
    let kept = later("/1");
    query::observer_left();
    assert_eq!(open().len(), 1);
    query::observer_left();
    assert!(open().is_empty());
    query::observer_came();
    assert!(again(kept, "/1") == Verdict::Deny);
    query::observer_left();
    assert_eq!(query::bytes(), 0);
}

#[test]
fn each_line_gives_all_the_full_time_again() {
    let _alone = fresh();
    query::observer_came();
    let start = NOW.load(Ordering::Relaxed);
    let kept = later("/1");
    NOW.fetch_add(90, Ordering::Relaxed);
    query::answered(None);
    assert!(again(kept, "/1") == Verdict::Deny);
    assert_eq!(NOW.load(Ordering::Relaxed) - start, 190);
    query::observer_left();
}

#[test]
fn the_quota_refuses_and_is_told_once() {
    let _alone = fresh();
    query::observer_came();
    let first = later("/1");
    Bound::Queries.set(query::bytes() + 1);
    // The kernel's log has no room for the first.
    ROOM.store(false, Ordering::Relaxed);
    assert!(ask("/2", 0) == Verdict::Deny);
    ROOM.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        assert!(ask("/2", 0) == Verdict::Deny);
    }
    assert_eq!(open().len(), 1);
    let written = crate::tests::written();
    assert_eq!(written.iter().filter(|line| line.contains("queries have reached their quota")).count(), 1);
    Bound::Queries.set(0);
    Blob::current().keep_call(first);
    waiting::conclude(false);
    query::observer_left();
}

/// Asks many times, answers in a mixed order, finishes in another one.
fn storm(count: usize) -> Duration {
    let start = Instant::now();
    let mut kept: Vec<Option<Kept>> = (0..count).map(|_| Some(later("/x"))).collect();
    let serials = open();
    assert_eq!(serials.len(), count);
    for i in 0..count {
        answer(serials[i * 7919 % count], 1);
    }
    for i in 0..count {
        let own = kept[i * 104_729 % count].take().unwrap();
        assert!(again(own, "/x") == Verdict::Allow);
    }
    assert_eq!(query::bytes(), 0);
    start.elapsed()
}

#[test]
fn many_questions_cost_what_their_number_says() {
    let _alone = fresh();
    query::observer_came();
    storm(1_000);
    let (few, many) = (storm(2_000), storm(16_000));
    query::observer_left();
    assert!(many < few * 24 + Duration::from_millis(200), "{few:?} for 2,000, {many:?} for 16,000");
}
