// SPDX-License-Identifier: MIT OR Apache-2.0
//! Operations through io_uring, which are judged like the system calls.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;

use tokio_uring::fs::{self, OpenOptions};
use tokio_uring::net::{TcpListener, TcpStream, UdpSocket};

use super::{os, Answer, Op};

/// Whether the kernel has a thread for the queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    /// No: what is put in is told by a system call.
    No,
    /// Yes.
    Yes,
}

/// Does an operation that io_uring has; others are an error of its own.
pub fn perform(op: &Op) -> io::Result<Answer> {
    tokio_uring::start(through(op)).map(|()| Answer::Errno(0))
}

/// Does one through a ring, another one by itself, and a third one through the same ring. The answer is the last one's.
pub fn across(first: &Op, between: &Op, last: &Op, polled: Polled) -> io::Result<Answer> {
    let mut ring = tokio_uring::uring_builder();
    if polled == Polled::Yes {
        ring.setup_sqpoll(2000);
    }
    tokio_uring::builder().uring_builder(&ring).start(async {
        through(first).await.map_err(|e| io::Error::other(format!("the first operation: {e}")))?;
        let errno = between.perform().errno();
        if errno != 0 {
            return Err(io::Error::other(format!("the operation between: errno {errno}")));
        }
        through(last).await.map(|()| Answer::Errno(0))
    })
}

async fn through(op: &Op) -> io::Result<()> {
    match op {
        Op::Open(path, flags, mode) => {
            let access = flags & nix::libc::O_ACCMODE;
            let mut options = OpenOptions::new();
            options
                .read(access != nix::libc::O_WRONLY)
                .write(access != nix::libc::O_RDONLY)
                .create(flags & nix::libc::O_CREAT != 0)
                .truncate(flags & nix::libc::O_TRUNC != 0)
                .mode(*mode);
            options.open(os(path)).await?.close().await
        }
        // The file is opened without the ring.
        Op::Write(path, bytes) => {
            let file = std::fs::OpenOptions::new().write(true).open(os(path))?;
            fs::File::from_std(file).write_at(bytes.clone(), 0).submit().await.0.map(drop)
        }
        Op::Unlink(path) => fs::remove_file(os(path)).await,
        Op::Rmdir(path) => fs::remove_dir(os(path)).await,
        Op::Mkdir(path, _) => fs::create_dir(os(path)).await,
        Op::Rename(from, to) => fs::rename(os(from), os(to)).await,
        Op::Connect(_, to) => TcpStream::connect(address(to)?).await.map(drop),
        // Binds to `address`, and waits for the one who calls there.
        Op::Bind(_, own) => TcpListener::bind(address(own)?)?.accept().await.map(drop),
        Op::Sendto(_, to, _, bytes) => {
            let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
            socket.send_to(bytes.clone(), address(to)?).await.0.map(drop)
        }
        _ => Err(io::Error::other("io_uring has no such operation here")),
    }
}

fn address(text: &[u8]) -> io::Result<SocketAddr> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| io::Error::other("no address"))
}
