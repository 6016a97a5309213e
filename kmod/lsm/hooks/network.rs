// SPDX-License-Identifier: GPL-2.0-only

//! Sockets (reference 4.9), and where Linux 6.12 shows less than 1.7 wanted to know.
//!
//! *accept*: the hook for accept(2) runs before there is a peer; the one that knows it (`sock_graft`) must not sleep and has
//! no result. So the decision is made on the way back from accept(2), before the program sees the descriptor; a refused
//! connection is reset, the descriptor closed, and accept(2) returns ECONNABORTED as it did in 1.7.
//!
//! *receiving*: the hook for recvmsg(2) runs before a packet is taken, and not at all for the second and later packets of
//! recvmmsg(2). So packets are judged when they arrive at the socket, for the domain of the task that used the socket
//! last (see `adopt`); what waits when another task receives or another policy is in force is judged again then, all of it.
//! A refused packet is dropped and the receive call gets ENOMEM, as in 1.7; there is no query.

use super::capability::check as check_capability;
use crate::ask::{self, About, Question};
use crate::deferred::{self, What};
use crate::sys::net::{Given, Kind, Packet, Sock, Standing, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};
use crate::sys::{snapshot, task};
use crate::{exec, Errno, Result};
use sekisho_core::address::Address;
use sekisho_core::capability::Capability;
use sekisho_core::profile::Mode;
use sekisho_core::request::{NetworkOp, Operation, Request};

/// socket(2)
pub(crate) fn create(family: u32, kind: u32, kernel: bool) -> Result {
    if kernel || !ask::is_active() {
        return Ok(());
    }
    match (family, Kind::of(kind & 0xF)) {
        (AF_PACKET, _) => check_capability(Capability::UsePacket),
        (AF_NETLINK, _) => check_capability(Capability::UseRoute),
        (AF_INET | AF_INET6, Some(Kind::Stream)) => check_capability(Capability::InetTcpCreate),
        (AF_INET | AF_INET6, Some(Kind::Datagram)) => check_capability(Capability::UseInetUdp),
        (AF_INET | AF_INET6, Some(Kind::Raw)) => check_capability(Capability::UseInetIp),
        _ => Ok(()),
    }
}

/// The socket is there.
pub(crate) fn created(sock: &Sock) {
    if let Some(kind) = sock.kind() {
        adopt(sock, kind);
    }
}

/// What a packet for such a socket is asked as.
const fn arrival(kind: Kind) -> NetworkOp {
    match kind {
        Kind::Raw => NetworkOp::RawConnect,
        Kind::Stream | Kind::Datagram => NetworkOp::UdpConnect,
    }
}

/// From now on packets are judged for the calling task, which makes the socket, binds it, connects it or receives from it. Who the
/// task is does not matter while its domain does not ask.
fn adopt(sock: &Sock, kind: Kind) {
    if kind == Kind::Stream {
        return;
    }
    let op = arrival(kind);
    let domain = exec::current_domain(&snapshot::read());
    let (owner, known) = sock.owner();
    if owner == domain && ask::mode(Operation::Network(op).item()) == Mode::Disabled {
        return;
    }
    let task = task::info();
    if owner != domain || known != task {
        sock.set_owner(domain, &task);
    }
}

fn check(op: NetworkOp, address: Address, port: u16) -> Result {
    let Some(question) = Question::begin(Operation::Network(op).item()) else { return Ok(()) };
    question.ask(&About::default(), &Request::Network { op, address, port })
}

/// bind(2)
pub(crate) fn bind(sock: &Sock, given: &Given<'_>) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    let Some(kind) = sock.kind() else { return Ok(()) };
    adopt(sock, kind);
    let Some((address, port)) = sock.address(given, true) else { return Ok(()) };
    match kind {
        Kind::Stream => check(NetworkOp::TcpBind, address, port),
        Kind::Datagram => check(NetworkOp::UdpBind, address, port),
        Kind::Raw => check(NetworkOp::RawBind, address, sock.protocol()),
    }
}

/// listen(2)
pub(crate) fn listen(sock: &Sock) -> Result {
    if !ask::is_active() || sock.kind() != Some(Kind::Stream) {
        return Ok(());
    }
    check_capability(Capability::InetTcpListen)?;
    match sock.local() {
        Some((address, port)) => check(NetworkOp::TcpListen, address, port),
        None => Ok(()),
    }
}

/// connect(2)
pub(crate) fn connect(sock: &Sock, given: &Given<'_>) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    let Some(kind) = sock.kind() else { return Ok(()) };
    adopt(sock, kind);
    let target = if given.is_unspec() { None } else { sock.address(given, false) };
    let answer = match (kind, target) {
        (Kind::Stream, Some((address, port))) => check(NetworkOp::TcpConnect, address, port),
        (Kind::Datagram, Some((address, port))) => check(NetworkOp::UdpConnect, address, port),
        (Kind::Raw, Some((address, _))) => check(NetworkOp::RawConnect, address, sock.protocol()),
        (_, None) => Ok(()),
    };
    if kind == Kind::Stream {
        // Asked for even if the address was refused, and also without one.
        let capability = check_capability(Capability::InetTcpConnect);
        return answer.and(capability);
    }
    answer
}

/// sendmsg(2) and its relatives, and writing to a socket.
pub(crate) fn send(sock: &Sock, given: &Given<'_>, opens: bool) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    let Some(kind) = sock.kind() else { return Ok(()) };
    stands(sock)?;
    match kind {
        // TCP fast open connects without connect(2).
        Kind::Stream if opens => connect(sock, given),
        Kind::Stream => Ok(()),
        Kind::Datagram | Kind::Raw => {
            sock.before_send();
            let Some((address, port)) = sock.address(given, true) else { return Ok(()) };
            if kind == Kind::Raw {
                check(NetworkOp::RawConnect, address, sock.protocol())
            } else {
                check(NetworkOp::UdpConnect, address, port)
            }
        }
    }
}

/// `MSG_ERRQUEUE` (include/linux/socket.h): what the program itself has sent comes back.
const MSG_ERRQUEUE: u32 = 0x2000;

/// recvmsg(2) and its relatives, and reading from a socket.
pub(crate) fn receive(sock: &Sock, flags: u32) -> Result {
    if !ask::is_active() || flags & MSG_ERRQUEUE != 0 {
        return Ok(());
    }
    match sock.kind() {
        Some(Kind::Stream) => stands(sock),
        Some(kind @ (Kind::Datagram | Kind::Raw)) => {
            adopt(sock, kind);
            judge_queue(sock, kind);
            if sock.owes_error() {
                return Err(Errno::NoMem);
            }
            Ok(())
        }
        None => Ok(()),
    }
}

/// What waits may have been judged for another task or by another policy, or before there was one.
fn judge_queue(sock: &Sock, kind: Kind) {
    let policy = ask::in_force();
    if sock.judged() == policy {
        return;
    }
    if ask::mode(Operation::Network(arrival(kind)).item()) != Mode::Disabled {
        let (domain, task) = sock.owner();
        sock.judge_queue(&|sock, packet| {
            question(sock, kind, packet).map_or(true, |what| deferred::still_allows(domain, &task, what))
        });
    }
    sock.set_judged(policy);
}

/// What a packet is asked as; `None` if its source is none that can be judged.
fn question(sock: &Sock, kind: Kind, packet: &Packet<'_>) -> Option<What> {
    let (address, port) = sock.source(packet)?;
    let port = if kind == Kind::Raw { sock.protocol() } else { port };
    Some(What::Network { op: arrival(kind), address, port })
}

/// A connection that was refused, or is not decided about yet, is of no use.
fn stands(sock: &Sock) -> Result {
    match sock.standing() {
        Standing::Good => Ok(()),
        Standing::Undecided | Standing::Refused => Err(Errno::ConnAborted),
    }
}

/// accept(2) has got a connection. Must not sleep.
pub(crate) fn accepted(sock: &Sock) {
    let mode = ask::mode(Operation::Network(NetworkOp::TcpAccept).item());
    if mode == Mode::Disabled || sock.kind() != Some(Kind::Stream) {
        return;
    }
    if let Some((address, port)) = sock.peer() {
        deferred::accepted(sock.clone(), mode, address, port);
    }
}

/// A packet arrives. Must not sleep; the calling task is anybody.
pub(crate) fn arrived(sock: &Sock, packet: &Packet<'_>) -> Result {
    if !ask::is_active() {
        return Ok(());
    }
    let Some(kind @ (Kind::Datagram | Kind::Raw)) = sock.kind() else { return Ok(()) };
    let Some(what) = question(sock, kind, packet) else { return Ok(()) };
    let policy = ask::in_force();
    let (domain, task) = sock.owner();
    let answer = deferred::answer_for(domain, &task, what);
    match answer {
        Ok(()) if sock.judged() != policy => sock.note_judged(domain, policy),
        Ok(()) => {}
        Err(_) => sock.refuse_packet(),
    }
    answer
}
