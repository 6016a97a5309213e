// SPDX-License-Identifier: MIT OR Apache-2.0
//! Datagrams and raw packets (reference 4.9): where to, and from whom.

use guest::kernel::set_domain;
use guest::op::Op;
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::network::{bind, family, policy, port, said, socket, with_peer, DATAGRAM, INET, INET6, RAW};
use super::table::{acls, drain, requests, Table};

const PROGRAM: &str = "/tmp/x/datagrams";
const PEER: &str = "/tmp/x/sender";

const DONTWAIT: u32 = 0x40;
const ENOMEM: i32 = 12;
const EAGAIN: i32 = 11;

pub fn run(tap: &mut Tap) {
    tap.topic("datagrams");
    with_peer(tap, PROGRAM, PEER, |tap, table, peer| {
        for ip in ["127.0.0.1", "[::1]"] {
            datagrams(tap, table, peer, ip);
            receiving(tap, table, peer, ip);
        }
        raw(tap, table, peer);
        mapped(tap, table, peer);
    });
}

/// sendmmsg judges each message; a connected socket is free.
fn datagrams(tap: &mut Tap, table: &mut Table, peer: &mut Subject, ip: &str) {
    for op in [socket(1, family(ip), DATAGRAM), bind(1, &format!("{ip}:0"))] {
        tap.same(&format!("the peer: {}", op.encode()), peer.errno(&op), 0);
    }
    let number = port(peer, 1);
    let (to, line) = (format!("{ip}:{number}"), format!("allow_network UDP connect {} {number}", policy(ip)));
    table.free(tap, &socket(2, family(ip), DATAGRAM));
    let hear = |peer: &mut Subject| said(peer.perform(&Op::Recv(1, DONTWAIT)));
    let refused = [line.replace(&number, "1"), line.replace("connect", "bind")];
    let refused: Vec<&str> = refused.iter().map(String::as_str).collect();
    table.judge(tap, "UDP sendto", &refused, &Op::Sendto(2, to.clone().into(), 0, b"a".to_vec()), EPERM);
    tap.same("the peer hears nothing", hear(peer), format!("errno {EAGAIN}"));
    table.judge(tap, "UDP sendto", &[&line], &Op::Sendto(2, to.clone().into(), 0, b"b".to_vec()), 0);
    tap.same("the peer hears", hear(peer), "b".to_owned());
    set_domain(&table.name, 3, &[&line]);
    let two = Op::Sendmmsg(2, to.clone().into(), format!("{ip}:9").into(), b"c".to_vec());
    tap.same("sendmmsg: one of two", said(table.subject.perform(&two)), "1".to_owned());
    tap.same("the peer hears one", hear(peer), "c".to_owned());
    set_domain(&table.name, 3, &[]);
    tap.same("sendmmsg: none", said(table.subject.perform(&two)), format!("errno {EPERM}"));
    table.free(tap, &Op::Connect(2, to.clone().into()));
    table.judge(tap, "send on a connected socket", &[], &Op::Send(2, b"d".to_vec()), 0);
    tap.same("the peer hears it", hear(peer), "d".to_owned());
    table.judge(tap, "AF_UNSPEC on UDP", &[], &Op::Disconnect(2), 0);
    table.free(tap, &Op::Close(2));
    peer.errno(&Op::Close(1));
}

/// What comes from somebody who is not listed is gone.
fn receiving(tap: &mut Tap, table: &mut Table, peer: &mut Subject, ip: &str) {
    for op in [socket(1, family(ip), DATAGRAM), bind(1, &format!("{ip}:0"))] {
        table.free(tap, &op);
    }
    let to: Vec<u8> = format!("{ip}:{}", port(&mut table.subject, 1)).into();
    for slot in [1, 2] {
        for op in [socket(slot, family(ip), DATAGRAM), bind(slot, &format!("{ip}:0"))] {
            tap.same(&format!("the peer: {}", op.encode()), peer.errno(&op), 0);
        }
    }
    let [known, stranger] =
        [1, 2].map(|slot| format!("allow_network UDP connect {} {}", policy(ip), port(peer, slot)));
    let (name, subject) = (table.name.clone(), &mut table.subject);
    let mut send = |slot: u32, text: &str| peer.errno(&Op::Sendto(slot, to.clone(), 0, text.into()));
    let receive = Op::Recv(1, DONTWAIT);
    let nothing = format!("errno {EAGAIN}");
    let lost = format!("errno {ENOMEM}");
    let policy_is = |profile: u8, lines: &[&str]| {
        set_domain(&name, profile, lines);
        drain();
    };

    policy_is(3, &[&known]);
    send(1, "good");
    tap.same("from a known source", said(subject.perform(&receive)), "good".to_owned());
    tap.same("from a known source: the grant", requests("grant_log"), vec![known.clone()]);
    send(2, "bad");
    tap.same("from a stranger", said(subject.perform(&receive)), lost.clone());
    tap.same("from a stranger: the record", requests("reject_log"), vec![stranger.clone()]);
    policy_is(3, &[&known, &stranger]);
    tap.same("the packet is gone", said(subject.perform(&receive)), nothing.clone());
    policy_is(3, &[&known]);
    send(2, "bad");
    send(1, "good");
    tap.same("a stranger first", said(subject.perform(&receive)), lost.clone());
    tap.same("then the known one", said(subject.perform(&receive)), "good".to_owned());
    tap.same("then nothing", said(subject.perform(&receive)), nothing.clone());
    let many = Op::Recvmmsg(1, DONTWAIT as i32);
    send(1, "one");
    send(1, "two");
    tap.same("recvmmsg", said(subject.perform(&many)), "one two".to_owned());
    send(1, "one");
    send(2, "bad");
    send(1, "two");
    // Packets are judged when they arrive, so the error may come before what arrived earlier.
    let mut heard: Vec<String> = (0..3).map(|_| said(subject.perform(&many))).collect();
    tap.check("recvmmsg tells of a stranger", heard.contains(&lost), || format!("{heard:?}"));
    heard.retain(|text| !text.starts_with("errno"));
    tap.same("recvmmsg gets all others", heard.join(" "), "one two".to_owned());
    for (profile, label) in [(1, "learning"), (2, "permissive")] {
        policy_is(profile, &[]);
        send(2, "new");
        tap.same(label, said(subject.perform(&receive)), "new".to_owned());
        tap.same(&format!("{label}: the record"), requests("reject_log"), vec![stranger.clone()]);
        let learned = if profile == 1 { vec![stranger.clone()] } else { Vec::new() };
        tap.same(&format!("{label}: learned"), acls(&name), learned);
    }
    policy_is(0, &[]);
    send(2, "any");
    tap.same("disabled", said(subject.perform(&receive)), "any".to_owned());
    for slot in [1, 2] {
        subject.errno(&Op::Close(slot));
        peer.errno(&Op::Close(slot));
    }
}

/// Raw sockets: the protocol is the port.
fn raw(tap: &mut Tap, table: &mut Table, peer: &mut Subject) {
    for op in [Op::Socket(1, INET, RAW, 253), bind(1, "127.0.0.9:0")] {
        tap.same("the peer has a raw socket", peer.errno(&op), 0);
    }
    for op in [Op::Socket(1, INET, RAW, 253), bind(1, "127.0.0.1:0")] {
        table.free(tap, &op);
    }
    let send = Op::Sendto(1, b"127.0.0.1:0".to_vec(), 0, b"raw packet".to_vec());
    let line = "allow_network RAW connect 127.0.0.9 253";
    for (other, errno) in [
        ("allow_network UDP connect 127.0.0.9 253", ENOMEM),
        ("allow_network RAW connect 127.0.0.9 252", ENOMEM),
        ("allow_network RAW connect 127.0.0.1 253", ENOMEM),
        (line, 0),
    ] {
        set_domain(&table.name, 3, &[other]);
        drain();
        tap.same("the peer sends", peer.errno(&send), 0);
        tap.same(&format!("RAW recv with {other}"), table.subject.errno(&Op::Recv(1, DONTWAIT)), errno);
        let log = if errno == 0 { "grant_log" } else { "reject_log" };
        tap.same(&format!("RAW recv with {other}: the record"), requests(log), vec![line.to_owned()]);
        tap.same(
            &format!("RAW recv with {other}: no more"),
            table.subject.errno(&Op::Recv(1, DONTWAIT)),
            EAGAIN,
        );
    }
    peer.errno(&Op::Close(1));
    table.free(tap, &Op::Close(1));
}

/// IPv4 on an IPv6 socket: the address given decides, and a packet's is written as IPv6.
fn mapped(tap: &mut Tap, table: &mut Table, peer: &mut Subject) {
    table.free(tap, &socket(1, INET6, DATAGRAM));
    let line = "allow_network UDP bind 0:0:0:0:0:ffff:7f00:1 6000";
    let op = bind(1, "[::ffff:127.0.0.1]:6000");
    table.judge(tap, "UDP bind to a mapped address", &["allow_network UDP bind 127.0.0.1 6000"], &op, EPERM);
    tap.same("the record", requests("reject_log"), vec![line.to_owned()]);
    table.judge(tap, "UDP bind to a mapped address", &[line], &op, 0);
    for op in [socket(1, INET, DATAGRAM), bind(1, "127.0.0.1:6001")] {
        tap.same("the peer", peer.errno(&op), 0);
    }
    let send = Op::Sendto(1, b"127.0.0.1:6000".to_vec(), 0, b"four".to_vec());
    let line = "allow_network UDP connect 0:0:0:0:0:ffff:7f00:1 6001";
    for (rule, errno, log) in
        [("allow_network UDP connect 127.0.0.1 6001", ENOMEM, "reject_log"), (line, 0, "grant_log")]
    {
        set_domain(&table.name, 3, &[rule]);
        drain();
        tap.same("the peer sends", peer.errno(&send), 0);
        let got = table.subject.errno(&Op::Recv(1, DONTWAIT));
        tap.same(&format!("an IPv4 packet on an IPv6 socket with {rule}"), got, errno);
        tap.same("its record", requests(log), vec![line.to_owned()]);
    }
    peer.errno(&Op::Close(1));
    table.free(tap, &Op::Close(1));
}
