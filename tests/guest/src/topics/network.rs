// SPDX-License-Identifier: MIT OR Apache-2.0
//! TCP, UDP and RAW over IPv4 and IPv6 (reference 4.9), on the loopback device.
//!
//! One subject is judged, a second one in a disabled domain is its peer.

use guest::kernel::{set_domain, write};
use guest::op::{Answer, Op};
use guest::subject::{Subject, EPERM};
use guest::tap::Tap;

use super::domain_of;
use super::table::{acls, case, drain, requests, with_subject, Case, Table};

const PROGRAM: &str = "/tmp/x/network";
const PEER: &str = "/tmp/x/peer";

pub const INET: u32 = 2;
pub const INET6: u32 = 10;
pub const STREAM: u32 = 1;
pub const DATAGRAM: u32 = 2;
pub const RAW: u32 = 3;
const ICMP: u32 = 1;
const FASTOPEN: u32 = 0x2000_0000;
const ABORTED: i32 = 103;
const REFUSED: i32 = 111;

pub fn run(tap: &mut Tap) {
    tap.topic("network");
    with_peer(tap, PROGRAM, PEER, |tap, table, peer| {
        table.all(tap, &calls());
        addresses(tap, table);
        for ip in ["127.0.0.1", "[::1]"] {
            connecting(tap, table, peer, ip);
            accepting(tap, table, peer, ip);
        }
        unchecked(tap, table);
        autobind(tap);
    });
}

/// A subject that is judged, and one in a disabled domain that it talks with.
pub fn with_peer(
    tap: &mut Tap,
    program: &str,
    peer: &str,
    then: impl FnOnce(&mut Tap, &mut Table, &mut Subject),
) {
    if let Err(e) = loopback() {
        return tap.check("the loopback device is up", false, || e);
    }
    let peer_domain = domain_of(peer);
    with_subject(tap, program, |tap, table| {
        set_domain(&peer_domain, 0, &[]);
        match Subject::start(peer) {
            Ok(mut peer) => then(tap, table, &mut peer),
            Err(e) => tap.check("the peer starts", false, || e.to_string()),
        }
    });
    guest::kernel::delete_domain(&peer_domain);
}

/// Brings the loopback device up, with the busybox that every image has.
fn loopback() -> Result<(), String> {
    let status = std::process::Command::new("/bin/busybox").args(["ifconfig", "lo", "up"]).status();
    guest::kernel::delete_domain(&domain_of("/bin/busybox"));
    match status {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

pub fn socket(slot: u32, family: u32, kind: u32) -> Op {
    Op::Socket(slot, family, kind, 0)
}

pub fn bind(slot: u32, address: &str) -> Op {
    Op::Bind(slot, address.into())
}

fn connect(slot: u32, address: &str) -> Op {
    Op::Connect(slot, address.into())
}

pub fn family(ip: &str) -> u32 {
    if ip.starts_with('[') {
        INET6
    } else {
        INET
    }
}

/// An address as policy has it.
pub fn policy(ip: &str) -> &str {
    match ip {
        "[::1]" => "0:0:0:0:0:0:0:1",
        "[::]" => "0:0:0:0:0:0:0:0",
        other => other,
    }
}

/// What needs no peer.
fn calls() -> Vec<Case> {
    let close = [Op::Close(1)];
    let mut cases = vec![
        case("TCP bind", bind(1, "127.0.0.1:4000"), &["allow_network TCP bind 127.0.0.1 4000"])
            .before(&[socket(1, INET, STREAM)]),
        case("TCP bind to everything", bind(1, "0.0.0.0:4001"), &["allow_network TCP bind 0.0.0.0 4001"])
            .before(&[socket(1, INET, STREAM)]),
        case("TCP bind to no port", bind(1, "127.0.0.1:0"), &["allow_network TCP bind 127.0.0.1 0"])
            .before(&[socket(1, INET, STREAM)]),
        case("TCP6 bind", bind(1, "[::1]:4000"), &["allow_network TCP bind 0:0:0:0:0:0:0:1 4000"])
            .before(&[socket(1, INET6, STREAM)]),
        case("UDP bind", bind(1, "127.0.0.1:4000"), &["allow_network UDP bind 127.0.0.1 4000"])
            .before(&[socket(1, INET, DATAGRAM)]),
        case("UDP6 bind", bind(1, "[::1]:4000"), &["allow_network UDP bind 0:0:0:0:0:0:0:1 4000"])
            .before(&[socket(1, INET6, DATAGRAM)]),
        case("RAW bind", bind(1, "127.0.0.1:0"), &["allow_network RAW bind 127.0.0.1 1"])
            .before(&[Op::Socket(1, INET, RAW, ICMP)]),
        case("RAW6 bind", bind(1, "[::1]:0"), &["allow_network RAW bind 0:0:0:0:0:0:0:1 58"])
            .before(&[Op::Socket(1, INET6, RAW, 58)]),
        case("listen", Op::Listen(1), &["allow_network TCP listen 127.0.0.1 4002"]).before(&[
            socket(1, INET, STREAM),
            Op::Reuse(1),
            bind(1, "127.0.0.1:4002"),
        ]),
        case("listen of an unbound socket", Op::Listen(1), &["allow_network TCP listen 0.0.0.0 0"])
            .before(&[socket(1, INET, STREAM)]),
        case("listen on IPv6", Op::Listen(1), &["allow_network TCP listen 0:0:0:0:0:0:0:1 4002"]).before(&[
            socket(1, INET6, STREAM),
            Op::Reuse(1),
            bind(1, "[::1]:4002"),
        ]),
        case("UDP connect", connect(1, "127.0.0.1:4003"), &["allow_network UDP connect 127.0.0.1 4003"])
            .before(&[socket(1, INET, DATAGRAM)]),
        case("UDP6 connect", connect(1, "[::1]:4003"), &["allow_network UDP connect 0:0:0:0:0:0:0:1 4003"])
            .before(&[socket(1, INET6, DATAGRAM)]),
        case("RAW connect", connect(1, "127.0.0.1:0"), &["allow_network RAW connect 127.0.0.1 255"])
            .before(&[Op::Socket(1, INET, RAW, 255)]),
        case(
            "RAW sendto",
            Op::Sendto(1, b"127.0.0.1:0".to_vec(), 0, b"x".to_vec()),
            &["allow_network RAW connect 127.0.0.1 200"],
        )
        // Bound to another address it does not hear itself.
        .before(&[Op::Socket(1, INET, RAW, 200), bind(1, "127.0.0.3:0")]),
    ];
    for ip in ["127.0.0.1", "[::1]"] {
        let line = format!("allow_network UDP connect {} 4004", policy(ip));
        let to: Vec<u8> = format!("{ip}:4004").into();
        for (name, op) in [
            ("sendto", Op::Sendto(1, to.clone(), 0, b"x".to_vec())),
            ("sendmsg", Op::Sendmsg(1, to.clone(), b"x".to_vec())),
        ] {
            let case = case(&format!("UDP {name} to {ip}"), op, &[&line]);
            cases.push(case.before(&[socket(1, family(ip), DATAGRAM)]));
        }
    }
    cases.into_iter().map(|case| case.after(&close)).collect()
}

/// Ports, ranges and groups.
fn addresses(tap: &mut Tap, table: &mut Table) {
    let op = bind(1, "127.0.0.1:5000");
    write(
        "exception_policy",
        "address_group NETWORK_ADDRESSES 10.0.0.0-10.255.255.255\nnumber_group NETWORK_PORTS 1-1023",
    );
    let judge = |tap: &mut Tap, table: &mut Table, line: &str, errno: i32| {
        table.free(tap, &socket(1, INET, DATAGRAM));
        table.judge(tap, "UDP bind", &[line], &op, errno);
    };
    for (words, errno) in [
        ("UDP bind 127.0.0.1 5000", 0),
        ("UDP bind 127.0.0.0-127.255.255.255 1024-65535", 0),
        ("UDP bind 127.0.0.1 0x1388", 0),
        ("UDP bind 127.0.0.2 5000", EPERM),
        ("UDP bind 127.0.0.1 5001-5002", EPERM),
        ("UDP bind 127.0.0.1 1-4999", EPERM),
        ("TCP bind 127.0.0.1 5000", EPERM),
        ("RAW bind 127.0.0.1 5000", EPERM),
        ("UDP connect 127.0.0.1 5000", EPERM),
        ("UDP bind 0:0:0:0:0:ffff:7f00:1 5000", EPERM),
        ("UDP bind @NETWORK_ADDRESSES 5000", EPERM),
        ("UDP bind 127.0.0.1 @NETWORK_PORTS", EPERM),
        ("UDP bind @NETWORK_NOBODY 0-65535", EPERM),
        ("UDP bind 127.0.0.1 5000 if task.uid=0", 0),
        ("UDP bind 127.0.0.1 5000 if task.uid=1", EPERM),
        ("UDP bind 127.0.0.1 5000 if path1.uid=0", EPERM),
    ] {
        judge(tap, table, &format!("allow_network {words}"), errno);
    }
    write("exception_policy", "address_group NETWORK_ADDRESSES 127.0.0.1\nnumber_group NETWORK_PORTS 5000");
    judge(tap, table, "allow_network UDP bind @NETWORK_ADDRESSES @NETWORK_PORTS", 0);
    for line in [
        "address_group NETWORK_ADDRESSES 10.0.0.0-10.255.255.255",
        "address_group NETWORK_ADDRESSES 127.0.0.1",
        "number_group NETWORK_PORTS 1-1023",
        "number_group NETWORK_PORTS 5000",
    ] {
        write("exception_policy", &format!("delete {line}"));
    }
    let six = bind(1, "[::1]:5000");
    for (words, errno) in [
        ("0:0:0:0:0:0:0:1", 0),
        ("0:0:0:0:0:0:0:0-0:0:0:0:0:0:0:ffff", 0),
        ("0:0:0:0:0:0:0:2-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", EPERM),
        ("0.0.0.0-255.255.255.255", EPERM),
    ] {
        table.free(tap, &socket(1, INET6, DATAGRAM));
        table.judge(tap, "UDP6 bind", &[&format!("allow_network UDP bind {words} 5000")], &six, errno);
    }
    table.free(tap, &Op::Close(1));
}

/// A listening peer on a port of its own; the address.
fn listen(tap: &mut Tap, peer: &mut Subject, ip: &str) -> String {
    for op in [socket(1, family(ip), STREAM), bind(1, &format!("{ip}:0")), Op::Listen(1)] {
        tap.same(&format!("the peer: {}", op.encode()), peer.errno(&op), 0);
    }
    format!("{ip}:{}", port(peer, 1))
}

pub fn port(subject: &mut Subject, slot: u32) -> String {
    match subject.perform(&Op::Port(slot)) {
        Answer::Text(text) => String::from_utf8_lossy(&text).into_owned(),
        Answer::Errno(errno) => format!("errno {errno}"),
    }
}

pub fn said(answer: Answer) -> String {
    match answer {
        Answer::Text(text) => String::from_utf8_lossy(&text).into_owned(),
        Answer::Errno(errno) => format!("errno {errno}"),
    }
}

/// TCP connect, also by MSG_FASTOPEN; what is connected is not asked about again.
fn connecting(tap: &mut Tap, table: &mut Table, peer: &mut Subject, ip: &str) {
    let to = listen(tap, peer, ip);
    let number = to.rsplit(':').next().unwrap_or_default().to_owned();
    let line = format!("allow_network TCP connect {} {number}", policy(ip));
    let other = format!("allow_network TCP connect {} 1", policy(ip));
    let wrong =
        [other.as_str(), &line.replace("connect", "bind"), &line.replace("TCP", "UDP")].map(str::to_owned);
    let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
    for (name, op, heard) in [
        ("connect", connect(2, &to), &["more"][..]),
        // What is sent with the opening comes first, perhaps alone.
        (
            "MSG_FASTOPEN",
            Op::Sendto(2, to.clone().into(), FASTOPEN, b"hello".to_vec()),
            &["hello", "hellomore"],
        ),
    ] {
        table.free(tap, &socket(2, family(ip), STREAM));
        table.judge(tap, &format!("TCP {name}"), &wrong, &op, EPERM);
        tap.same(&format!("TCP {name} to {to}: the record"), requests("reject_log"), vec![line.clone()]);
        table.judge(tap, &format!("TCP {name}"), &[&line], &op, 0);
        tap.same(&format!("TCP {name} to {to}: the grant"), requests("grant_log"), vec![line.clone()]);
        table.judge(tap, "send on it", &[], &Op::Send(2, b"more".to_vec()), 0);
        tap.same("the peer accepts", peer.errno(&Op::Accept(1, 3)), 0);
        let text = said(peer.perform(&Op::Recv(3, 0)));
        tap.check(&format!("TCP {name}: the peer hears"), heard.contains(&text.as_str()), || text.clone());
        tap.same("the peer answers", peer.errno(&Op::Send(3, b"yes".to_vec())), 0);
        set_domain(&table.name, 3, &[]);
        tap.same("recv on it", said(table.subject.perform(&Op::Recv(2, 0))), "yes".to_owned());
        set_domain(&table.name, 1, &[]);
        drain();
        table.subject.errno(&socket(2, family(ip), STREAM));
        tap.same(&format!("TCP {name}, learning"), table.subject.errno(&op), 0);
        tap.same(&format!("TCP {name}, learned"), acls(&table.name), vec![line.clone()]);
        peer.errno(&Op::Accept(1, 3));
        for (profile, mode) in [(2, "permissive"), (0, "disabled")] {
            table.free(tap, &socket(2, family(ip), STREAM));
            set_domain(&table.name, profile, &[]);
            drain();
            tap.same(&format!("TCP {name}, {mode}"), table.subject.errno(&op), 0);
            unjudged(tap, table, &format!("TCP {name}, {mode}"), profile, &line);
            tap.same(&format!("TCP {name}, {mode}: the peer accepts"), peer.errno(&Op::Accept(1, 3)), 0);
        }
    }
    peer.errno(&Op::Close(1));
    peer.errno(&Op::Close(3));
    table.free(tap, &socket(2, family(ip), STREAM));
    table.judge(tap, "TCP connect to nobody", &[&line], &connect(2, &to), REFUSED);
    table.judge(tap, "AF_UNSPEC", &[], &Op::Disconnect(2), 0);
    table.free(tap, &Op::Close(2));
}

/// What permissive mode (profile 2) and disabled mode leave behind: one record or none, and nothing is learned.
fn unjudged(tap: &mut Tap, table: &Table, label: &str, profile: u8, line: &str) {
    let records = if profile == 0 { Vec::new() } else { vec![line.to_owned()] };
    tap.same(&format!("{label}: the records"), requests("reject_log"), records);
    tap.same(&format!("{label}: no grant"), requests("grant_log"), Vec::new());
    tap.same(&format!("{label}: nothing is learned"), acls(&table.name), Vec::new());
}

/// The remote end is judged after the connection was accepted: refused, it is closed.
fn accepting(tap: &mut Tap, table: &mut Table, peer: &mut Subject, ip: &str) {
    for op in [socket(1, family(ip), STREAM), bind(1, &format!("{ip}:0")), Op::Listen(1)] {
        table.free(tap, &op);
    }
    let to = format!("{ip}:{}", port(&mut table.subject, 1));
    let call = |tap: &mut Tap, peer: &mut Subject| -> String {
        tap.same("the peer has a socket", peer.errno(&socket(2, family(ip), STREAM)), 0);
        tap.same("the peer connects", peer.errno(&connect(2, &to)), 0);
        format!("allow_network TCP accept {} {}", policy(ip), port(peer, 2))
    };
    let line = call(tap, peer);
    table.judge(tap, &format!("accept on {ip}"), &[], &Op::Accept(1, 2), ABORTED);
    tap.same(&format!("accept on {ip}: the record"), requests("reject_log"), vec![line]);
    let end = said(peer.perform(&Op::Recv(2, 0)));
    tap.check("the peer sees the end", end.is_empty() || end == "errno 104", || end.clone());
    let line = call(tap, peer);
    table.judge(tap, &format!("accept on {ip}"), &[&line], &Op::Accept(1, 2), 0);
    tap.same(&format!("accept on {ip}: the grant"), requests("grant_log"), vec![line]);
    table.judge(tap, "send on what was accepted", &[], &Op::Send(2, b"welcome".to_vec()), 0);
    tap.same("the peer hears it", said(peer.perform(&Op::Recv(2, 0))), "welcome".to_owned());
    let line = call(tap, peer);
    set_domain(&table.name, 1, &[]);
    tap.same("accept, learning", table.subject.errno(&Op::Accept(1, 2)), 0);
    tap.same("accept, learned", acls(&table.name), vec![line]);
    for (profile, mode) in [(2, "permissive"), (0, "disabled")] {
        let line = call(tap, peer);
        set_domain(&table.name, profile, &[]);
        drain();
        tap.same(&format!("accept, {mode}"), table.subject.errno(&Op::Accept(1, 2)), 0);
        unjudged(tap, table, &format!("accept, {mode}"), profile, &line);
        tap.same(
            &format!("accept, {mode}: it can send"),
            table.subject.errno(&Op::Send(2, b"x".to_vec())),
            0,
        );
        tap.same(
            &format!("accept, {mode}: the peer hears"),
            said(peer.perform(&Op::Recv(2, 0))),
            "x".to_owned(),
        );
    }
    call(tap, peer);
    let range = format!("allow_network TCP accept {} 1024-65535", policy(ip));
    table.judge(tap, "accept with a range", &[&range], &Op::Accept(1, 2), 0);
    for slot in [1, 2] {
        table.free(tap, &Op::Close(slot));
        peer.errno(&Op::Close(slot));
    }
}

/// Other families, and what needs nothing.
fn unchecked(tap: &mut Tap, table: &mut Table) {
    for (name, op) in [
        ("an AF_UNIX socket", Op::Socket(1, 1, STREAM, 0)),
        ("its name without a file", Op::BindAbstract(1, b"sekisho-network".to_vec())),
        ("listening on it", Op::Listen(1)),
        ("a TCP socket", socket(1, INET, STREAM)),
        ("AF_UNSPEC", Op::Disconnect(1)),
        ("a UDP socket", socket(1, INET, DATAGRAM)),
        ("its port", Op::Port(1)),
    ] {
        table.judge(tap, name, &[], &op, 0);
        tap.same(
            &format!("{name}: no record"),
            requests("grant_log").len() + requests("reject_log").len(),
            0,
        );
    }
    table.free(tap, &Op::Close(1));
}

/// Ports that the kernel never picks (reference 3.9).
fn autobind(tap: &mut Tap) {
    const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
    let before = std::fs::read_to_string(RANGE).unwrap_or_default();
    if let Err(e) = std::fs::write(RANGE, "20000 20063") {
        return tap.check("the range of ports can be set", false, || e.to_string());
    }
    let reserved = |port: u16| (20008..=20047).contains(&port);
    let name = domain_of(PROGRAM);
    set_domain(&name, 0, &[]);
    match Subject::start(PROGRAM) {
        Ok(mut subject) => {
            for (kind, label) in [(STREAM, "TCP"), (DATAGRAM, "UDP")] {
                for ip in ["127.0.0.1", "[::1]"] {
                    let pick = Op::Ports(kind, format!("{ip}:0").into(), 20);
                    let ports = |subject: &mut Subject| -> Vec<u16> {
                        said(subject.perform(&pick)).split(' ').filter_map(|word| word.parse().ok()).collect()
                    };
                    write("exception_policy", "deny_autobind 20008-20047");
                    let found = ports(&mut subject);
                    tap.same(&format!("{label} on {ip}: ports are picked"), found.len(), 20);
                    tap.check(
                        &format!("{label} on {ip}: none is reserved"),
                        !found.iter().any(|port| reserved(*port)),
                        || format!("{found:?}"),
                    );
                    tap.same("an explicit bind", subject.errno(&socket(1, family(ip), kind)), 0);
                    tap.same(
                        &format!("{label} on {ip}: asking for a reserved one is allowed"),
                        subject.errno(&bind(1, &format!("{ip}:20010"))),
                        0,
                    );
                    tap.same("closed", subject.errno(&Op::Close(1)), 0);
                    write("exception_policy", "delete deny_autobind 20008-20047");
                    let found: Vec<u16> = (0..5).flat_map(|_| ports(&mut subject)).collect();
                    tap.check(
                        &format!("{label} on {ip}: without the line some are picked"),
                        found.iter().any(|port| reserved(*port)),
                        || format!("{found:?}"),
                    );
                }
            }
            // Connecting and sending bind as well.
            write("exception_policy", "deny_autobind 20008-20047");
            let mut wrong = Vec::new();
            for _ in 0..20 {
                for op in
                    [socket(1, INET, DATAGRAM), Op::Sendto(1, b"127.0.0.1:9".to_vec(), 0, b"x".to_vec())]
                {
                    subject.errno(&op);
                }
                let found: u16 = port(&mut subject, 1).parse().unwrap_or(0);
                if found == 0 || reserved(found) {
                    wrong.push(found);
                }
            }
            tap.same("ports of datagrams that were only sent", wrong, Vec::new());
            write("exception_policy", "delete deny_autobind 20008-20047");
        }
        Err(e) => tap.check("the subject starts", false, || e.to_string()),
    }
    guest::kernel::delete_domain(&name);
    if let Err(e) = std::fs::write(RANGE, before.replace('\t', " ")) {
        tap.check("the range of ports is set back", false, || e.to_string());
    }
}
