// SPDX-License-Identifier: MIT OR Apache-2.0
//! Operations through io_uring, which are judged like the system calls.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;

use tokio_uring::fs::{self, OpenOptions};
use tokio_uring::net::{TcpListener, TcpStream, UdpSocket};

use super::{os, Answer, Op};

/// Does an operation that io_uring has; others are an error of its own.
pub fn perform(op: &Op) -> io::Result<Answer> {
    match op {
        Op::Open(path, flags, mode) => run(async {
            let access = flags & nix::libc::O_ACCMODE;
            let mut options = OpenOptions::new();
            options
                .read(access != nix::libc::O_WRONLY)
                .write(access != nix::libc::O_RDONLY)
                .create(flags & nix::libc::O_CREAT != 0)
                .truncate(flags & nix::libc::O_TRUNC != 0)
                .mode(*mode);
            options.open(os(path)).await?.close().await
        }),
        Op::Unlink(path) => run(fs::remove_file(os(path))),
        Op::Rmdir(path) => run(fs::remove_dir(os(path))),
        Op::Mkdir(path, _) => run(fs::create_dir(os(path))),
        Op::Rename(from, to) => run(fs::rename(os(from), os(to))),
        Op::Connect(_, to) => run(async { TcpStream::connect(address(to)?).await.map(drop) }),
        // Binds to `address`, and waits for the one who calls there.
        Op::Bind(_, own) => run(async { TcpListener::bind(address(own)?)?.accept().await.map(drop) }),
        Op::Sendto(_, to, _, bytes) => run(async {
            let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
            socket.send_to(bytes.clone(), address(to)?).await.0.map(drop)
        }),
        _ => Err(io::Error::other("io_uring has no such operation here")),
    }
}

fn run(task: impl Future<Output = io::Result<()>>) -> io::Result<Answer> {
    tokio_uring::start(task).map(|()| Answer::Errno(0))
}

fn address(text: &[u8]) -> io::Result<SocketAddr> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| io::Error::other("no address"))
}
