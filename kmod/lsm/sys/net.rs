// SPDX-License-Identifier: GPL-2.0-only

//! Sockets: what kind, which addresses, and what a socket remembers (net.c).

use super::shims::{self, RawInet, RawSocket};
use core::ffi::{c_int, c_void};
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use kernel::bindings as b;
use sekisho_core::address::Address;
use sekisho_core::policy::DomainId;
use sekisho_core::task::Task;

/// Kinds of sockets that are judged (include/linux/net.h).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// SOCK_STREAM: judged as TCP.
    Stream,
    /// SOCK_DGRAM: judged as UDP.
    Datagram,
    /// SOCK_RAW
    Raw,
}

impl Kind {
    /// The kind of `SOCK_*`.
    pub(crate) fn of(kind: u32) -> Option<Kind> {
        match kind {
            1 => Some(Kind::Stream),
            2 => Some(Kind::Datagram),
            3 => Some(Kind::Raw),
            _ => None,
        }
    }
}

/// Address families (include/linux/socket.h).
pub(crate) const AF_INET: u32 = 2;
pub(crate) const AF_INET6: u32 = 10;
pub(crate) const AF_NETLINK: u32 = 16;
pub(crate) const AF_PACKET: u32 = 17;

/// What may be done with an accepted connection.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Standing {
    /// Everything.
    Good = 0,
    /// Nothing yet.
    Undecided = 1,
    /// Nothing any more.
    Refused = 2,
}

impl From<&RawInet> for (Address, u16) {
    fn from(raw: &RawInet) -> (Address, u16) {
        let [a, b, c, d, ..] = raw.bytes;
        let address = if raw.family == 4 { Address::V4([a, b, c, d]) } else { Address::V6(raw.bytes) };
        (address, raw.port)
    }
}

/// The kernel's half of a socket (`struct sock`), with a reference.
pub(crate) struct Sock(NonNull<c_void>);

impl Clone for Sock {
    fn clone(&self) -> Sock {
        // SAFETY: Valid by the existing reference.
        unsafe { shims::sekisho_sock_hold(self.0.as_ptr()) };
        Sock(self.0)
    }
}

impl Drop for Sock {
    fn drop(&mut self) {
        // SAFETY: Gives back this value's reference.
        unsafe { shims::sekisho_sock_put(self.0.as_ptr()) };
    }
}

/// A socket that somebody else holds for `'a`.
pub(crate) struct Borrowed<'a>(ManuallyDrop<Sock>, core::marker::PhantomData<&'a ()>);

impl<'a> Borrowed<'a> {
    /// # Safety
    ///
    /// `sk` is valid for `'a`.
    pub(super) unsafe fn from_sk(sk: *mut b::sock) -> Option<Borrowed<'a>> {
        NonNull::new(sk.cast()).map(|sk| Borrowed(ManuallyDrop::new(Sock(sk)), core::marker::PhantomData))
    }

    /// # Safety
    ///
    /// `socket` is valid for `'a`.
    pub(super) unsafe fn from_socket(socket: *const b::socket) -> Option<Borrowed<'a>> {
        // SAFETY: By the caller's promise.
        unsafe { Borrowed::from_sk(shims::sekisho_socket_sk(socket.cast()).cast()) }
    }
}

impl core::ops::Deref for Borrowed<'_> {
    type Target = Sock;
    fn deref(&self) -> &Sock {
        &self.0
    }
}

/// The address that a program gave to a call.
pub(crate) struct Given<'a> {
    raw: *const c_void,
    length: c_int,
    _lives: core::marker::PhantomData<&'a ()>,
}

impl<'a> Given<'a> {
    /// # Safety
    ///
    /// `raw` is null or has `length` bytes, valid for `'a`.
    pub(super) unsafe fn from_raw(raw: *const b::sockaddr, length: c_int) -> Given<'a> {
        Given { raw: raw.cast(), length, _lives: core::marker::PhantomData }
    }

    /// # Safety
    ///
    /// `message` is valid for `'a`; the second value tells whether it opens a connection (MSG_FASTOPEN).
    pub(super) unsafe fn from_message(message: *const b::msghdr) -> (Given<'a>, bool) {
        let mut length = 0;
        // SAFETY: By the caller's promise.
        let (raw, opens) = unsafe {
            (
                shims::sekisho_message_address(message.cast(), &mut length),
                shims::sekisho_message_opens(message.cast()),
            )
        };
        (Given { raw, length, _lives: core::marker::PhantomData }, opens)
    }

    /// Whether its family is AF_UNSPEC.
    pub(crate) fn is_unspec(&self) -> bool {
        // SAFETY: Valid; no byte is read if there is none.
        !self.raw.is_null() && unsafe { shims::sekisho_is_unspec(self.raw, self.length) }
    }
}

impl Sock {
    fn raw(&self) -> *mut c_void {
        self.0.as_ptr()
    }

    /// The kind, if it is a program's socket for IPv4 or IPv6.
    pub(crate) fn kind(&self) -> Option<Kind> {
        let mut out = RawSocket::default();
        // SAFETY: Valid.
        unsafe { shims::sekisho_describe_socket(self.raw(), &mut out) };
        let judged = !out.kernel && matches!(out.family, AF_INET | AF_INET6);
        judged.then(|| Kind::of(out.kind)).flatten()
    }

    /// The address given to a call, if it can be judged. Binding and sending take AF_UNSPEC for AF_INET on an IPv4 socket.
    pub(crate) fn address(&self, given: &Given<'_>, unspec: bool) -> Option<(Address, u16)> {
        let mut out = RawInet::default();
        // SAFETY: Valid.
        let good = unsafe { shims::sekisho_address(self.raw(), given.raw, given.length, unspec, &mut out) };
        good.then(|| (&out).into())
    }

    /// Where it is bound.
    pub(crate) fn local(&self) -> Option<(Address, u16)> {
        let mut out = RawInet::default();
        // SAFETY: Valid.
        unsafe { shims::sekisho_local_address(self.raw(), &mut out) }.then(|| (&out).into())
    }

    /// The other side of a connection.
    pub(crate) fn peer(&self) -> Option<(Address, u16)> {
        let mut out = RawInet::default();
        // SAFETY: Valid.
        unsafe { shims::sekisho_peer_address(self.raw(), &mut out) }.then(|| (&out).into())
    }

    /// Where a packet for it comes from.
    pub(crate) fn source(&self, packet: &Packet<'_>) -> Option<(Address, u16)> {
        let mut out = RawInet::default();
        // SAFETY: Both are valid; the transport header has been found when the hook runs.
        unsafe { shims::sekisho_packet_source(self.raw(), packet.raw(), &mut out) }.then(|| (&out).into())
    }

    /// The protocol of a raw socket, which stands in place of a port.
    pub(crate) fn protocol(&self) -> u16 {
        // SAFETY: A socket of IPv4 or IPv6: `kind` has said so.
        (unsafe { shims::sekisho_raw_protocol(self.raw()) } & 0xFFFF) as u16
    }

    /// Who receives from it.
    pub(crate) fn set_owner(&self, domain: DomainId, task: &Task) {
        // SAFETY: Valid.
        unsafe { shims::sekisho_sock_set_owner(self.raw(), domain.to_bits(), task) }
    }

    /// Who received from it last.
    pub(crate) fn owner(&self) -> (DomainId, Task) {
        let mut task = Task::default();
        // SAFETY: Valid; only what `set_owner` put in comes out, or zeros.
        let domain = unsafe { shims::sekisho_sock_owner(self.raw(), &mut task) };
        (DomainId::from_bits(domain), task)
    }

    /// What may be done with it.
    pub(crate) fn standing(&self) -> Standing {
        // SAFETY: Valid.
        match unsafe { shims::sekisho_sock_standing(self.raw()) } {
            0 => Standing::Good,
            1 => Standing::Undecided,
            _ => Standing::Refused,
        }
    }

    /// Says what may be done with it.
    pub(crate) fn set_standing(&self, standing: Standing) {
        // SAFETY: Valid.
        unsafe { shims::sekisho_sock_set_standing(self.raw(), standing as u32) }
    }

    /// A packet was refused; the receive call hears of it.
    pub(crate) fn refuse_packet(&self) {
        // SAFETY: Valid.
        unsafe { shims::sekisho_sock_refuse_packet(self.raw()) }
    }

    /// Keeps an error of receiving away from a send call.
    pub(crate) fn before_send(&self) {
        // SAFETY: Valid.
        unsafe { shims::sekisho_sock_before_send(self.raw()) }
    }

    /// Whether the receive call that begins has to hear of a refused packet.
    pub(crate) fn owes_error(&self) -> bool {
        // SAFETY: Valid.
        unsafe { shims::sekisho_sock_owes_error(self.raw()) }
    }

    /// The policy ([`crate::ask::in_force`]) by which all that waits was judged for the owner; 0: something was not.
    pub(crate) fn judged(&self) -> u32 {
        // SAFETY: Valid.
        unsafe { shims::sekisho_sock_judged(self.raw()) }
    }

    /// Says by which.
    pub(crate) fn set_judged(&self, policy: u32) {
        // SAFETY: Valid.
        unsafe { shims::sekisho_sock_set_judged(self.raw(), policy) }
    }

    /// A packet arrives that was judged for `domain` by `policy`; if nothing else waits, so was all that does.
    pub(crate) fn note_judged(&self, domain: DomainId, policy: u32) {
        // SAFETY: Valid.
        unsafe { shims::sekisho_sock_note_judged(self.raw(), domain.to_bits(), policy) }
    }

    /// Shows `keep` the packets that wait; those that it refuses are dropped. It must not sleep: the queue is locked.
    pub(crate) fn judge_queue(&self, keep: &dyn Fn(&Sock, &Packet<'_>) -> bool) {
        let judge = Judge(keep);
        // SAFETY: Valid; `sekisho_rs_judge_packet` gets `judge` back before the function returns.
        unsafe { shims::sekisho_judge_queue(self.raw(), core::ptr::from_ref(&judge).cast()) }
    }

    /// Ends a connection that was accepted; if accept(2) itself is under way (`called`) it will not return it.
    pub(crate) fn abort_accepted(&self, called: bool) {
        // SAFETY: Valid; called from work of the accepting task, which holds no lock.
        unsafe { shims::sekisho_abort_accepted(self.raw(), called) }
    }
}

/// A packet that arrives.
///
/// # Invariants
///
/// The pointer is valid for `'a`.
pub(crate) struct Packet<'a>(NonNull<b::sk_buff>, core::marker::PhantomData<&'a b::sk_buff>);

impl<'a> Packet<'a> {
    /// # Safety
    ///
    /// `skb` is not null and valid for `'a`.
    pub(super) unsafe fn from_raw(skb: *mut b::sk_buff) -> Packet<'a> {
        // SAFETY: By the caller's promise.
        Packet(unsafe { NonNull::new_unchecked(skb) }, core::marker::PhantomData)
    }

    fn raw(&self) -> *const c_void {
        self.0.as_ptr().cast_const().cast()
    }
}

/// Keeps ports, from one to another, back from the kernel's own choice (reference 3.9).
pub(crate) fn set_autobind(ranges: &[[u16; 2]]) {
    // SAFETY: The elements are there. May sleep.
    unsafe { shims::sekisho_set_autobind(ranges.as_ptr(), ranges.len()) }
}

/// What [`Sock::judge_queue`] hands through C.
struct Judge<'a>(&'a dyn Fn(&Sock, &Packet<'_>) -> bool);

/// Called for each packet in a queue.
///
/// # Safety
///
/// `sk` and `skb` are valid, `judge` is what [`Sock::judge_queue`] gave.
#[no_mangle]
unsafe extern "C" fn sekisho_rs_judge_packet(
    sk: *mut b::sock,
    skb: *mut b::sk_buff,
    judge: *const c_void,
) -> bool {
    // SAFETY: By the caller's promise.
    let (sock, packet, judge) =
        unsafe { (Borrowed::from_sk(sk), Packet::from_raw(skb), &*judge.cast::<Judge<'_>>()) };
    sock.is_some_and(|sock| (judge.0)(&sock, &packet))
}
