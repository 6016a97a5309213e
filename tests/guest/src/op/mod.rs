// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a subject can be told to do, as one line of text, and doing it.
//!
//! The answer is an errno (0: it worked), or a text for the few questions.

mod codec;
mod file;
mod mount;
mod network;
mod process;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
mod raw;
mod slots;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod uring;

use std::io;
use std::str::Split;

use codec::Field;

type Bytes = Vec<u8>;
type List = Vec<Vec<u8>>;
type Inner = Box<Op>;

/// The enum, and its lines: each operation has a word, then what it takes.
macro_rules! operations {
    ($($(#[$doc:meta])* $word:literal $name:ident($($field:ident: $kind:ty),*);)*) => {
        /// One operation. Paths are bytes; a slot is a number under which an open file is kept.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Op {
            $($(#[$doc])* $name($($kind),*),)*
        }

        impl Op {
            /// The line for it.
            pub fn encode(&self) -> String {
                let mut words = Vec::new();
                match self {
                    $(Self::$name($($field),*) => {
                        words.push($word.to_owned());
                        $($field.put(&mut words);)*
                    })*
                }
                words.join(" ")
            }

            fn get(words: &mut Split<'_, char>) -> Option<Self> {
                match words.next()? {
                    $($word => Some(Self::$name($({
                        let $field = <$kind as Field>::get(words)?;
                        $field
                    }),*)),)*
                    _ => None,
                }
            }
        }
    };
}

operations! {
    /// open(path, flags, mode), then close.
    "open" Open(path: Bytes, flags: i32, mode: u32);
    /// Open for reading and writing, then ftruncate to 0.
    "ftruncate" OpenTruncate(path: Bytes);
    /// truncate(path, 0)
    "truncate" Truncate(path: Bytes);
    /// unlink
    "unlink" Unlink(path: Bytes);
    /// mkdir with mode
    "mkdir" Mkdir(path: Bytes, mode: u32);
    /// rmdir
    "rmdir" Rmdir(path: Bytes);
    /// rename
    "rename" Rename(from: Bytes, to: Bytes);
    /// renameat2 with flags (1 RENAME_NOREPLACE, 2 RENAME_EXCHANGE, 4 RENAME_WHITEOUT)
    "rename2" Rename2(from: Bytes, to: Bytes, flags: u32);
    /// link
    "link" Link(from: Bytes, to: Bytes);
    /// mknod of a regular file
    "mknod" Mknod(path: Bytes, mode: u32);
    /// mknod with the type in mode, and a device number
    "node" Node(path: Bytes, mode: u32, major: u32, minor: u32);
    /// symlink(target, link)
    "symlink" Symlink(target: Bytes, link: Bytes);
    /// chmod
    "chmod" Chmod(path: Bytes, mode: u32);
    /// chown; -1 is no change
    "chown" Chown(path: Bytes, uid: i32, gid: i32);
    /// lchown; -1 is no change
    "lchown" Lchown(path: Bytes, uid: i32, gid: i32);
    /// umask
    "umask" Umask(mask: u32);
    /// chdir
    "chdir" Chdir(path: Bytes);
    /// fchdir
    "fd-chdir" FdChdir(slot: u32);
    /// Names of that many bytes, one in the other, each made and entered; ends in the last.
    "descend" Descend(length: u32, depth: u32);

    /// open, and keep it in a slot.
    "hold" Hold(slot: u32, path: Bytes, flags: i32, mode: u32);
    /// close
    "close" Close(slot: u32);
    /// ftruncate
    "fd-truncate" FdTruncate(slot: u32);
    /// fcntl(F_SETFL)
    "fd-flags" FdFlags(slot: u32, flags: i32);
    /// fchmod
    "fd-chmod" FdChmod(slot: u32, mode: u32);
    /// fchown; -1 is no change
    "fd-chown" FdChown(slot: u32, uid: i32, gid: i32);
    /// linkat of an open file, which may have no name, to a path
    "fd-link" FdLink(slot: u32, path: Bytes);
    /// write
    "fd-write" FdWrite(slot: u32, bytes: Bytes);
    /// read once; the answer is the text
    "fd-read" FdRead(slot: u32);
    /// An ioctl by its name: FIONREAD, FIONBIO, TIOCGWINSZ, TIOCSWINSZ, TIOCGPTN, TIOCSPTLCK, TIOCEXCL,
    /// TIOCNXCL, SIOCGIFNAME, SIOCGIFINDEX, FS_IOC_GETFLAGS.
    "ioctl" Ioctl(slot: u32, name: Bytes);
    /// pipe: reading end, writing end
    "pipe" Pipe(read: u32, write: u32);
    /// A new pseudo terminal's master.
    "pty" Pty(slot: u32);
    /// memfd_create
    "memfd" Memfd(slot: u32, name: Bytes);
    /// The running program, copied into a slot.
    "copy-self" CopySelf(slot: u32);

    /// chroot, then chdir("/")
    "chroot" Chroot(path: Bytes);
    /// execve; on success the new program answers
    "exec" Exec(path: Bytes);
    /// execve with arguments and environment
    "exec-with" ExecWith(path: Bytes, argv: List, envp: List);
    /// execveat(slot, "", AT_EMPTY_PATH) with the environment that there is
    "exec-fd" ExecFd(slot: u32);
    /// execveat of a path below a directory in a slot, with the environment that there is
    "exec-at" ExecAt(slot: u32, path: Bytes);
    /// Opens the first path for writing as standard error and execs the second.
    "exec2" ExecWithStderr(file: Bytes, path: Bytes);
    /// Writes bytes to standard error.
    "write2" WriteStderr(bytes: Bytes);
    /// Opens a path for writing and writes bytes with one call.
    "write" Write(path: Bytes, bytes: Bytes);
    /// The text of a file.
    "read" Read(path: Bytes);
    /// setresuid (real, effective, saved), then setfsuid
    "uids" Uids(ids: [u32; 4]);
    /// setresgid, then setfsgid
    "gids" Gids(ids: [u32; 4]);
    /// The operation, done in a new thread.
    "thread" Thread(op: Inner);
    /// The operation, done in a forked child; the answer is its errno.
    "fork" Fork(op: Inner);
    /// The operation so many times; the answer is the last one's.
    "repeat" Repeat(count: u32, op: Inner);
    /// The first operation, and if it worked the second; the answer is the last one's.
    "both" Both(first: Inner, second: Inner);
    /// The operation; the answer is 0, whatever came of it.
    "try" Try(op: Inner);
    /// How many milliseconds the operation takes; the answer is the text "MILLISECONDS ERRNO".
    "time" Time(op: Inner);
    /// setsid
    "setsid" Setsid();
    /// unshare with CLONE_ flags
    "unshare" Unshare(flags: u32);
    /// kill; signal 0 only asks
    "kill" Kill(pid: i32, signal: i32);
    /// pidfd_open
    "pidfd" Pidfd(slot: u32, pid: i32);
    /// pidfd_getfd of a descriptor, which is closed again
    "pidfd-get" PidfdGet(slot: u32, descriptor: i32);
    /// pidfd_getfd of a process by its number, kept in a slot
    "take" Take(slot: u32, pid: i32, descriptor: i32);
    /// pidfd_send_signal
    "pidfd-signal" PidfdSignal(slot: u32, signal: i32);
    /// raise, which is tgkill of the own thread
    "raise" Raise(signal: i32);
    /// A signal is blocked from now on: it stays pending, which /proc shows.
    "block" Block(signal: i32);
    /// setpgid(0, group)
    "setpgid" Setpgid(group: i32);
    /// nice(0)
    "nice" Nice();
    /// setpriority(PRIO_PROCESS, 0, as it is)
    "setpriority" Setpriority();
    /// prlimit of a process (0: itself): no limit. By the limit's number: 0 RLIMIT_CPU, 1 RLIMIT_FSIZE, 4 RLIMIT_CORE, 15
    /// RLIMIT_RTTIME.
    "limit" Limit(pid: i32, resource: u32);
    /// ptrace(PTRACE_TRACEME)
    "traceme" Traceme();
    /// ptrace(PTRACE_ATTACH), wait, PTRACE_DETACH
    "attach" Attach(pid: i32);
    /// process_vm_writev to an address where nothing is
    "vm-write" VmWrite(pid: i32);
    /// sethostname
    "hostname" Hostname(name: Bytes);
    /// setdomainname
    "domainname" Domainname(name: Bytes);
    /// clock_settime(CLOCK_REALTIME, now)
    "settime" Settime();
    /// reboot(LINUX_REBOOT_CMD_CAD_OFF), which only switches a key off
    "reboot" Reboot();
    /// init_module with bytes
    "init-module" InitModule(image: Bytes);
    /// finit_module of a slot
    "finit-module" FinitModule(slot: u32);
    /// delete_module
    "delete-module" DeleteModule(name: Bytes);

    /// The operation through io_uring.
    "uring" Uring(op: Inner);
    /// One operation through a ring, another one without it, and a third one through the same ring again.
    "uring-across" UringAcross(first: Inner, between: Inner, last: Inner);
    /// The same with a ring whose queue a thread of the kernel's looks at.
    "uring-polled" UringPolled(first: Inner, between: Inner, last: Inner);
    /// A system call by its number, in a traced child; an argument is a number or `:` and a string.
    "raw" Raw(number: u64, arguments: List);
    /// Several in one child, each a number and its arguments, with `;` between them; `$N` is what the N-th has answered, from
    /// 0. The answer is the last one's errno.
    "raw-all" RawAll(calls: List);
    /// The same in a child that has nothing of its program's file mapped any more.
    "bare" Bare(calls: List);

    /// mount; an empty word is NULL
    "mount" Mount(dev: Bytes, dir: Bytes, kind: Bytes, flags: u64, data: Bytes);
    /// umount2
    "umount" Umount(dir: Bytes, flags: i32);
    /// pivot_root
    "pivot-root" PivotRoot(new: Bytes, old: Bytes);
    /// fsopen
    "fsopen" Fsopen(slot: u32, kind: Bytes);
    /// fsconfig of a string
    "fsconfig" Fsconfig(slot: u32, key: Bytes, value: Bytes);
    /// fsconfig of a flag
    "fsconfig-flag" FsconfigFlag(slot: u32, key: Bytes);
    /// fsconfig(FSCONFIG_CMD_CREATE)
    "fscreate" Fscreate(slot: u32);
    /// fsconfig(FSCONFIG_CMD_RECONFIGURE)
    "fsreconfigure" Fsreconfigure(slot: u32);
    /// fsmount with MOUNT_ATTR_ flags, into another slot
    "fsmount" Fsmount(slot: u32, mount: u32, attributes: u32);
    /// open_tree with flags (1 OPEN_TREE_CLONE, 0x8000 AT_RECURSIVE)
    "open-tree" OpenTree(slot: u32, path: Bytes, flags: u32);
    /// move_mount of a slot to a path
    "move-fd" MoveFd(slot: u32, path: Bytes);
    /// move_mount of a path to a path
    "move-path" MovePath(from: Bytes, to: Bytes);
    /// fspick
    "fspick" Fspick(slot: u32, path: Bytes);

    /// socket(family, type, protocol)
    "socket" Socket(slot: u32, family: u32, kind: u32, protocol: u32);
    /// bind to `1.2.3.4:5` or `[::1]:5`
    "bind" Bind(slot: u32, address: Bytes);
    /// bind of an AF_UNIX socket to a path
    "bind-unix" BindUnix(slot: u32, path: Bytes);
    /// bind of an AF_UNIX socket to an abstract name
    "bind-abstract" BindAbstract(slot: u32, name: Bytes);
    /// listen
    "listen" Listen(slot: u32);
    /// connect
    "connect" Connect(slot: u32, address: Bytes);
    /// connect to AF_UNSPEC
    "disconnect" Disconnect(slot: u32);
    /// accept into another slot
    "accept" Accept(slot: u32, new: u32);
    /// sendto with flags
    "sendto" Sendto(slot: u32, address: Bytes, flags: u32, bytes: Bytes);
    /// sendmsg with an address
    "sendmsg" Sendmsg(slot: u32, address: Bytes, bytes: Bytes);
    /// sendmmsg: one message to each of two addresses; the answer is an error, or how many went as text
    "sendmmsg" Sendmmsg(slot: u32, first: Bytes, second: Bytes, bytes: Bytes);
    /// send without an address
    "send" Send(slot: u32, bytes: Bytes);
    /// send of out-of-band data
    "send-urgent" SendUrgent(slot: u32, bytes: Bytes);
    /// recv with flags; the answer is the text
    "recv" Recv(slot: u32, flags: u32);
    /// recvmmsg of two with flags; the answer is the texts
    "recvmmsg" Recvmmsg(slot: u32, flags: i32);
    /// The port that a socket is bound to, as text.
    "port" Port(slot: u32);
    /// SO_REUSEADDR
    "reuse" Reuse(slot: u32);
    /// So many sockets of a type bound to `address` with port 0; the answer is the ports.
    "ports" Ports(kind: u32, address: Bytes, count: u32);
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 0 or an errno.
    Errno(i32),
    /// A text.
    Text(Vec<u8>),
}

impl Op {
    /// The operation of a line.
    pub fn decode(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let op = Self::get(&mut words)?;
        words.next().is_none().then_some(op)
    }

    /// Does it.
    pub fn perform(&self) -> Answer {
        let result = file::perform(self)
            .or_else(|| process::perform(self))
            .or_else(|| mount::perform(self))
            .or_else(|| network::perform(self));
        match result {
            Some(Ok(answer)) => answer,
            Some(Err(e)) => Answer::Errno(e.raw_os_error().unwrap_or_else(|| {
                eprintln!("# {}: {e}", self.encode());
                -1
            })),
            None => Answer::Errno(-1),
        }
    }
}

impl Answer {
    /// The line for it.
    pub fn encode(&self) -> String {
        match self {
            Self::Errno(errno) => errno.to_string(),
            Self::Text(text) => format!("text {}", codec::hide(text)),
        }
    }

    /// The answer of a line.
    pub fn decode(line: &str) -> Option<Self> {
        match line.strip_prefix("text ") {
            Some(text) => Some(Self::Text(codec::show(text)?)),
            None => Some(Self::Errno(line.parse().ok()?)),
        }
    }

    /// 0 for a text.
    pub fn errno(&self) -> i32 {
        match self {
            Self::Errno(errno) => *errno,
            Self::Text(_) => 0,
        }
    }
}

/// What a group of operations answers; None for an operation of another group.
type Performed = Option<io::Result<Answer>>;

/// It worked, or not.
fn done<T, E: Into<io::Error>>(result: Result<T, E>) -> Performed {
    Some(result.map(|_| Answer::Errno(0)).map_err(Into::into))
}

/// A text, or an error.
fn text<E: Into<io::Error>>(result: Result<Vec<u8>, E>) -> Performed {
    Some(result.map(Answer::Text).map_err(Into::into))
}

/// Opened and kept, or not.
fn kept<E: Into<io::Error>>(slot: u32, result: Result<std::os::fd::OwnedFd, E>) -> Performed {
    done(result.map(|file| slots::keep(slot, file)))
}

fn os(path: &[u8]) -> &std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back() {
        for op in [
            Op::Open(b"/tmp/a b\\\n\xff%".to_vec(), 0o102, 0o644),
            Op::Thread(Box::new(Op::Fork(Box::new(Op::Rename(b"/a".to_vec(), b"".to_vec()))))),
            Op::Repeat(7, Box::new(Op::Uids([1, 2, 3, 4]))),
            Op::Write(b"/x".to_vec(), b"a\nb\0".to_vec()),
            Op::ExecWith(b"/x".to_vec(), vec![b"a b".to_vec(), Vec::new()], Vec::new()),
            Op::Chown(b"/x".to_vec(), -1, 5),
            Op::Setsid(),
            Op::Both(
                Box::new(Op::Setsid()),
                Box::new(Op::Both(Box::new(Op::Nice()), Box::new(Op::Close(1)))),
            ),
        ] {
            assert_eq!(Op::decode(&op.encode()), Some(op));
        }
        assert_eq!(Op::decode("setsid x"), None);
        let answer = Answer::Text(b"<kernel> /x\n".to_vec());
        assert_eq!(Answer::decode(&answer.encode()), Some(answer));
    }

    #[test]
    fn operations_tell_their_errno() {
        assert_eq!(Op::Unlink(b"/nowhere/x".to_vec()).perform(), Answer::Errno(2));
        assert_eq!(Op::Open(b"/".to_vec(), 1, 0).perform(), Answer::Errno(21));
        assert_eq!(Op::Thread(Box::new(Op::Exec(b"/nowhere".to_vec()))).perform(), Answer::Errno(2));
        assert_eq!(Op::FdChmod(77, 0).perform(), Answer::Errno(9));
    }

    #[test]
    fn slots_keep_open_files() {
        assert_eq!(Op::Pipe(901, 902).perform(), Answer::Errno(0));
        assert_eq!(Op::FdWrite(902, b"abc".to_vec()).perform(), Answer::Errno(0));
        assert_eq!(Op::FdRead(901).perform(), Answer::Text(b"abc".to_vec()));
        assert_eq!(Op::Close(901).perform(), Answer::Errno(0));
        assert_eq!(Op::FdRead(901).perform(), Answer::Errno(9));
    }
}
