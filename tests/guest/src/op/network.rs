// SPDX-License-Identifier: MIT OR Apache-2.0
//! Operations on sockets.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{recvmmsg, MsgFlags, MultiHeaders, SockaddrStorage};
use rustix::net::addr::SocketAddrArg;
use rustix::net::{
    AddressFamily, MMsgHdr, Protocol, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrAny,
    SocketAddrUnix, SocketType,
};

use super::{done, kept, slots, text, Op, Performed};

/// Does an operation on sockets.
pub fn perform(op: &Op) -> Performed {
    match op {
        Op::Socket(slot, family, kind, protocol) => kept(*slot, socket(*family, *kind, *protocol)),
        Op::Bind(slot, to) => done(at(*slot, to, |socket, to| rustix::net::bind(socket, &to))),
        Op::BindUnix(slot, path) => done(
            SocketAddrUnix::new(path.as_slice())
                .map_err(io::Error::from)
                .and_then(|address| slots::with(*slot, |socket| rustix::net::bind(socket, &address))),
        ),
        Op::BindAbstract(slot, name) => done(
            SocketAddrUnix::new_abstract_name(name)
                .map_err(io::Error::from)
                .and_then(|address| slots::with(*slot, |socket| rustix::net::bind(socket, &address))),
        ),
        Op::Listen(slot) => done(slots::with(*slot, |socket| rustix::net::listen(socket, 8))),
        Op::Connect(slot, to) => done(at(*slot, to, |socket, to| rustix::net::connect(socket, &to))),
        Op::Disconnect(slot) => done(slots::with(*slot, |socket| rustix::net::connect_unspec(socket))),
        Op::Accept(slot, new) => kept(*new, slots::with(*slot, |socket| rustix::net::accept(socket))),
        Op::Sendto(slot, to, flags, bytes) => done(at(*slot, to, |socket, to| {
            rustix::net::sendto(socket, bytes, SendFlags::from_bits_retain(*flags), &to)
        })),
        Op::Sendmsg(slot, to, bytes) => done(at(*slot, to, |socket, to| {
            rustix::net::sendmsg_addr(
                socket,
                &to,
                &[IoSlice::new(bytes)],
                &mut SendAncillaryBuffer::default(),
                SendFlags::empty(),
            )
        })),
        Op::Sendmmsg(slot, first, second, bytes) => text(sendmmsg(*slot, first, second, bytes)),
        Op::Send(slot, bytes) => {
            done(slots::with(*slot, |socket| rustix::net::send(socket, bytes, SendFlags::NOSIGNAL)))
        }
        Op::SendUrgent(slot, bytes) => {
            done(slots::with(*slot, |socket| rustix::net::send(socket, bytes, SendFlags::OOB)))
        }
        Op::Recv(slot, flags) => {
            let mut buffer = vec![0; 2048];
            let flags = RecvFlags::from_bits_retain(*flags);
            text(slots::with(*slot, |socket| rustix::net::recv(socket, &mut buffer, flags)).map(
                |(count, _)| {
                    buffer.truncate(count);
                    buffer
                },
            ))
        }
        Op::Recvmmsg(slot, flags) => text(receive_many(*slot, *flags)),
        Op::Port(slot) => {
            text(slots::with(*slot, |socket| port(&socket)).map(|port| port.to_string().into_bytes()))
        }
        Op::Reuse(slot) => {
            done(slots::with(*slot, |socket| rustix::net::sockopt::set_socket_reuseaddr(socket, true)))
        }
        Op::Ports(kind, address, count) => text(ports(*kind, address, *count)),
        _ => None,
    }
}

fn socket(family: u32, kind: u32, protocol: u32) -> rustix::io::Result<OwnedFd> {
    rustix::net::socket(
        AddressFamily::from_raw(family as u16),
        SocketType::from_raw(kind),
        std::num::NonZeroU32::new(protocol).map(Protocol::from_raw),
    )
}

fn address(text: &[u8]) -> io::Result<SocketAddr> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| io::Error::other("no address"))
}

fn at<T>(
    slot: u32,
    to: &[u8],
    act: impl FnOnce(std::os::fd::BorrowedFd<'_>, SocketAddr) -> rustix::io::Result<T>,
) -> io::Result<T> {
    let to = address(to)?;
    slots::with(slot, |socket| act(socket, to))
}

fn port(socket: &impl std::os::fd::AsFd) -> io::Result<u16> {
    let name: SocketAddrAny = rustix::net::getsockname(socket)?;
    Ok(SocketAddr::try_from(name)?.port())
}

fn ports(kind: u32, to: &[u8], count: u32) -> io::Result<Vec<u8>> {
    let to = address(to)?;
    let family = if to.is_ipv4() { nix::libc::AF_INET } else { nix::libc::AF_INET6 };
    let mut words = Vec::new();
    let mut open = Vec::new();
    for _ in 0..count {
        let socket = socket(family as u32, kind, 0)?;
        rustix::net::bind(&socket, &to)?;
        words.push(port(&socket)?.to_string());
        open.push(socket);
    }
    Ok(words.join(" ").into_bytes())
}

fn sendmmsg(slot: u32, first: &[u8], second: &[u8], bytes: &[u8]) -> io::Result<Vec<u8>> {
    let (first, second) = (address(first)?.as_any(), address(second)?.as_any());
    let data = [IoSlice::new(bytes)];
    let (mut one, mut two) = (SendAncillaryBuffer::default(), SendAncillaryBuffer::default());
    let mut messages =
        [MMsgHdr::new_with_addr(&first, &data, &mut one), MMsgHdr::new_with_addr(&second, &data, &mut two)];
    slots::with(slot, |socket| rustix::net::sendmmsg(socket, &mut messages, SendFlags::empty()))
        .map(|count| count.to_string().into_bytes())
}

fn receive_many(slot: u32, flags: i32) -> io::Result<Vec<u8>> {
    let mut buffers = [[0_u8; 64]; 2];
    slots::with(slot, |socket| -> io::Result<Vec<u8>> {
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(2, None);
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let messages = recvmmsg(
            socket.as_raw_fd(),
            &mut headers,
            slices.iter_mut(),
            MsgFlags::from_bits_retain(flags),
            None,
        )?;
        let texts: Vec<Vec<u8>> =
            messages.map(|message| message.iovs().flatten().copied().collect()).collect();
        Ok(texts.join(&b' '))
    })
}
