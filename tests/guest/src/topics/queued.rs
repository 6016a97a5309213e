// SPDX-License-Identifier: MIT OR Apache-2.0
//! Packets that wait in a socket (reference 4.9): what arrived while nobody asked, by another policy, or for somebody else, is
//! judged when it is received.

use guest::kernel::{delete_domain, set_domain};
use guest::op::{Answer, Op};
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::domain_of;
use super::exec::{delete_all, start};
use super::network::{bind, family, policy, port, said, socket, with_peer, DATAGRAM, INET, RAW};
use super::table::{acls, drain, requests, Table};

const PROGRAM: &str = "/tmp/x/queued";
const PEER: &str = "/tmp/x/queuer";
/// Where a socket comes from, or goes to.
const OTHER: &str = "/tmp/x/queuedother";

const DONTWAIT: u32 = 0x40;
const PEEK: u32 = 2;
const ENOMEM: i32 = 12;
/// The first descriptor behind the standard ones.
const FIRST: i32 = 3;

/// A receiver's address, and the lines for the two who send to it.
struct Senders {
    to: Vec<u8>,
    known: String,
    stranger: String,
}

pub fn run(tap: &mut Tap) {
    tap.topic("queued");
    with_peer(tap, PROGRAM, PEER, |tap, table, peer| {
        for ip in ["127.0.0.1", "[::1]"] {
            for op in [socket(1, family(ip), DATAGRAM), bind(1, &format!("{ip}:0"))] {
                table.free(tap, &op);
            }
            table.free(tap, &Op::FdFlags(1, nix::libc::O_NONBLOCK));
            let senders = senders(tap, peer, ip, &port(&mut table.subject, 1));
            before(tap, table, peer, &senders);
            after(tap, table, peer, &senders);
            modes(tap, table, peer, &senders);
            table.free(tap, &Op::Close(1));
            taken(tap, table, peer, ip);
            inherited(tap, peer, ip);
            for slot in [1, 2] {
                peer.errno(&Op::Close(slot));
            }
        }
        raw(tap, table, peer);
    });
    delete_all(OTHER);
    drain();
}

/// The peer's slots 1, whom the policy knows, and 2.
fn senders(tap: &mut Tap, peer: &mut Subject, ip: &str, to: &str) -> Senders {
    for slot in [1, 2] {
        for op in [socket(slot, family(ip), DATAGRAM), bind(slot, &format!("{ip}:0"))] {
            tap.same(&format!("the peer: {}", op.encode()), peer.errno(&op), 0);
        }
    }
    let mut line = |slot| format!("allow_network UDP connect {} {}", policy(ip), port(peer, slot));
    let (known, stranger) = (line(1), line(2));
    Senders { to: format!("{ip}:{to}").into(), known, stranger }
}

/// Four packets, two of them the stranger's.
fn fill(tap: &mut Tap, peer: &mut Subject, to: &[u8]) {
    for (slot, text) in [(2, "bad"), (1, "good"), (2, "worse"), (1, "better")] {
        let sent = peer.errno(&Op::Sendto(slot, to.to_vec(), 0, text.into()));
        tap.same("the peer sends", sent, 0);
    }
}

/// What receiving says until there is nothing any more: the texts, and how often a packet was refused.
fn all(subject: &mut Subject, receive: &Op) -> (String, usize) {
    let mut texts = Vec::new();
    let mut refused = 0;
    for _ in 0..10 {
        match subject.perform(receive) {
            Answer::Text(text) => texts.push(String::from_utf8_lossy(&text).into_owned()),
            Answer::Errno(ENOMEM) => refused += 1,
            Answer::Errno(_) => break,
        }
    }
    (texts.join(" "), refused)
}

fn ways() -> [(&'static str, Op); 3] {
    [("recv", Op::Recv(1, DONTWAIT)), ("recvmmsg", Op::Recvmmsg(1, DONTWAIT as i32)), ("read", Op::FdRead(1))]
}

/// They arrived while the domain was not asked.
fn before(tap: &mut Tap, table: &mut Table, peer: &mut Subject, senders: &Senders) {
    for (name, op) in ways() {
        let name = format!("{name} of what came before the policy");
        set_domain(&table.name, 0, &[]);
        fill(tap, peer, &senders.to);
        set_domain(&table.name, 3, &[&senders.known]);
        drain();
        tap.same(&name, all(&mut table.subject, &op), ("good better".to_owned(), 2));
        let mut records = requests("reject_log");
        tap.same(&format!("{name}: records"), records.len(), 2);
        records.dedup();
        tap.same(&format!("{name}: the record"), records, vec![senders.stranger.clone()]);
    }
    // Looking does not show it either.
    set_domain(&table.name, 0, &[]);
    fill(tap, peer, &senders.to);
    set_domain(&table.name, 3, &[&senders.known]);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(said(table.subject.perform(&Op::Recv(1, DONTWAIT | PEEK))));
    }
    tap.check("MSG_PEEK", seen.iter().all(|text| text == "good" || text == "errno 12"), || {
        format!("{seen:?}")
    });
    let rest = all(&mut table.subject, &Op::Recv(1, DONTWAIT));
    tap.same("behind MSG_PEEK", rest.0, "good better".to_owned());
    // Nothing of it is left.
    set_domain(&table.name, 0, &[]);
    tap.same("all is gone", all(&mut table.subject, &Op::Recv(1, DONTWAIT)), (String::new(), 0));
}

/// They arrived while they were allowed.
fn after(tap: &mut Tap, table: &mut Table, peer: &mut Subject, senders: &Senders) {
    for (name, op) in ways() {
        let name = format!("{name} of what was allowed once");
        set_domain(&table.name, 3, &[&senders.known, &senders.stranger]);
        fill(tap, peer, &senders.to);
        set_domain(&table.name, 3, &[&senders.known]);
        drain();
        tap.same(&name, all(&mut table.subject, &op), ("good better".to_owned(), 2));
    }
    // What arrives later is judged at once, as ever.
    fill(tap, peer, &senders.to);
    let received = all(&mut table.subject, &Op::Recv(1, DONTWAIT));
    tap.same("what comes later", received.0, "good better".to_owned());
}

fn modes(tap: &mut Tap, table: &mut Table, peer: &mut Subject, senders: &Senders) {
    let both = vec![senders.stranger.clone(), senders.known.clone()];
    for profile in [1, 2, 0] {
        set_domain(&table.name, 0, &[]);
        fill(tap, peer, &senders.to);
        set_domain(&table.name, profile, &[]);
        drain();
        let received = all(&mut table.subject, &Op::Recv(1, DONTWAIT));
        tap.same(&format!("profile {profile}"), received, ("bad good worse better".to_owned(), 0));
        let mut records = requests("reject_log");
        records.sort();
        records.dedup();
        let (mut expected, mut learned) = (both.clone(), acls(&table.name));
        expected.sort();
        learned.sort();
        let of_mode = |wanted: bool| if wanted { expected.clone() } else { Vec::new() };
        tap.same(&format!("profile {profile}: the records"), records, of_mode(profile != 0));
        tap.same(&format!("profile {profile}: learned"), learned, of_mode(profile == 1));
    }
}

/// Somebody else's socket, with what waits in it.
fn taken(tap: &mut Tap, table: &mut Table, peer: &mut Subject, ip: &str) {
    let Some(mut other) = start(tap, OTHER) else { return };
    for op in [socket(1, family(ip), DATAGRAM), bind(1, &format!("{ip}:0"))] {
        tap.same(&format!("the other one: {}", op.encode()), other.errno(&op), 0);
    }
    let senders = senders(tap, peer, ip, &port(&mut other, 1));
    fill(tap, peer, &senders.to);
    table.free(tap, &Op::Take(1, other.pid() as i32, FIRST));
    set_domain(&table.name, 3, &[&senders.known]);
    drain();
    let received = all(&mut table.subject, &Op::Recv(1, DONTWAIT));
    tap.same("a socket of somebody else", received, ("good better".to_owned(), 2));
    // From now on it is judged for who receives; the other one gets what is left.
    fill(tap, peer, &senders.to);
    tap.same("its first owner", all(&mut other, &Op::Recv(1, DONTWAIT)).0, "good better".to_owned());
    table.free(tap, &Op::Close(1));
}

/// A socket that a program gets from the one before it in the same process.
fn inherited(tap: &mut Tap, peer: &mut Subject, ip: &str) {
    let Some(mut subject) = start(tap, OTHER) else { return };
    let next = format!("{} /tmp/w/program", domain_of(OTHER));
    set_domain(&next, 0, &[]);
    for op in [socket(1, family(ip), DATAGRAM), bind(1, &format!("{ip}:0"))] {
        tap.same(&format!("the first program: {}", op.encode()), subject.errno(&op), 0);
    }
    let senders = senders(tap, peer, ip, &port(&mut subject, 1));
    fill(tap, peer, &senders.to);
    let own = subject.pid() as i32;
    for op in [Op::Exec(b"/tmp/w/program".to_vec()), Op::Take(1, own, FIRST)] {
        tap.same(&format!("the next program: {}", op.encode()), subject.errno(&op), 0);
    }
    set_domain(&next, 3, &[&senders.known]);
    drain();
    let received = all(&mut subject, &Op::Recv(1, DONTWAIT));
    tap.same("a socket of the program before", received, ("good better".to_owned(), 2));
    tap.same("it is in its domain", subject.errno(&Op::Open(b"/tmp/w/file".to_vec(), 0, 0)), EPERM);
    drop(subject);
    delete_domain(&next);
}

/// Raw sockets have a queue of another kind.
fn raw(tap: &mut Tap, table: &mut Table, peer: &mut Subject) {
    const PROTOCOL: u32 = 253;
    for (slot, address) in [(1, "127.0.0.9:0"), (2, "127.0.0.8:0")] {
        for op in [Op::Socket(slot, INET, RAW, PROTOCOL), bind(slot, address)] {
            tap.same("the peer has a raw socket", peer.errno(&op), 0);
        }
    }
    for op in [Op::Socket(1, INET, RAW, PROTOCOL), bind(1, "127.0.0.1:0")] {
        table.free(tap, &op);
    }
    fill(tap, peer, b"127.0.0.1:0");
    set_domain(&table.name, 3, &["allow_network RAW connect 127.0.0.9 253"]);
    drain();
    let (texts, refused) = all(&mut table.subject, &Op::Recv(1, DONTWAIT));
    let has = |word: &str| texts.contains(word);
    tap.check("RAW: what may come", has("good") && has("better"), || texts.clone());
    tap.check("RAW: what may not", !has("bad") && !has("worse"), || texts.clone());
    tap.same("RAW: refusals", refused, 2);
    let mut records = requests("reject_log");
    records.dedup();
    tap.same("RAW: the record", records, vec!["allow_network RAW connect 127.0.0.8 253".to_owned()]);
    for slot in [1, 2] {
        peer.errno(&Op::Close(slot));
    }
    table.free(tap, &Op::Close(1));
}
