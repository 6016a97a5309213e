// SPDX-License-Identifier: MIT OR Apache-2.0
//! The 32 capabilities of TOMOYO 1.7 (reference 4.10). They have nothing to do with those of POSIX; both must allow.

use crate::item::Item;

/// A capability, in the order in which profiles print.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Capability {
    /// Make a TCP socket.
    InetTcpCreate,
    /// Listen on a TCP socket.
    InetTcpListen,
    /// Connect a TCP socket.
    InetTcpConnect,
    /// Make a UDP socket.
    UseInetUdp,
    /// Make a raw IP socket.
    UseInetIp,
    /// Make a netlink socket.
    UseRoute,
    /// Make a packet socket.
    UsePacket,
    /// `mount`
    SysMount,
    /// `umount`
    SysUmount,
    /// `reboot`
    SysReboot,
    /// `chroot`
    SysChroot,
    /// Send a signal that is not 0.
    SysKill,
    /// `vhangup`
    SysVhangup,
    /// Set the clock.
    SysTime,
    /// `nice` and `setpriority`
    SysNice,
    /// `sethostname` and `setdomainname`
    SysSethostname,
    /// Load and unload kernel modules.
    UseKernelModule,
    /// Make a FIFO.
    CreateFifo,
    /// Make a block device file.
    CreateBlockDev,
    /// Make a character device file.
    CreateCharDev,
    /// Make a socket file.
    CreateUnixSocket,
    /// `link`
    SysLink,
    /// `symlink`
    SysSymlink,
    /// `rename`
    SysRename,
    /// `unlink`
    SysUnlink,
    /// `chmod`
    SysChmod,
    /// `chown`
    SysChown,
    /// `ioctl` that reaches a driver.
    SysIoctl,
    /// `kexec_load`
    SysKexecLoad,
    /// `pivot_root`
    SysPivotRoot,
    /// `ptrace`
    SysPtrace,
    /// Mount over a tree that has mounts.
    ConcealMount,
}

/// Name in policies and profiles, and profile item, in the order of [`Capability::ALL`].
const NAMES: [(&[u8], Item); 32] = [
    (b"inet_tcp_create", Item::CapInetTcpCreate),
    (b"inet_tcp_listen", Item::CapInetTcpListen),
    (b"inet_tcp_connect", Item::CapInetTcpConnect),
    (b"use_inet_udp", Item::CapUseInetUdp),
    (b"use_inet_ip", Item::CapUseInetIp),
    (b"use_route", Item::CapUseRoute),
    (b"use_packet", Item::CapUsePacket),
    (b"SYS_MOUNT", Item::CapSysMount),
    (b"SYS_UMOUNT", Item::CapSysUmount),
    (b"SYS_REBOOT", Item::CapSysReboot),
    (b"SYS_CHROOT", Item::CapSysChroot),
    (b"SYS_KILL", Item::CapSysKill),
    (b"SYS_VHANGUP", Item::CapSysVhangup),
    (b"SYS_TIME", Item::CapSysTime),
    (b"SYS_NICE", Item::CapSysNice),
    (b"SYS_SETHOSTNAME", Item::CapSysSethostname),
    (b"use_kernel_module", Item::CapUseKernelModule),
    (b"create_fifo", Item::CapCreateFifo),
    (b"create_block_dev", Item::CapCreateBlockDev),
    (b"create_char_dev", Item::CapCreateCharDev),
    (b"create_unix_socket", Item::CapCreateUnixSocket),
    (b"SYS_LINK", Item::CapSysLink),
    (b"SYS_SYMLINK", Item::CapSysSymlink),
    (b"SYS_RENAME", Item::CapSysRename),
    (b"SYS_UNLINK", Item::CapSysUnlink),
    (b"SYS_CHMOD", Item::CapSysChmod),
    (b"SYS_CHOWN", Item::CapSysChown),
    (b"SYS_IOCTL", Item::CapSysIoctl),
    (b"SYS_KEXEC_LOAD", Item::CapSysKexecLoad),
    (b"SYS_PIVOT_ROOT", Item::CapSysPivotRoot),
    (b"SYS_PTRACE", Item::CapSysPtrace),
    (b"conceal_mount", Item::CapConcealMount),
];

impl Capability {
    /// All of them, in the order in which profiles print.
    pub const ALL: [Capability; 32] = [
        Capability::InetTcpCreate,
        Capability::InetTcpListen,
        Capability::InetTcpConnect,
        Capability::UseInetUdp,
        Capability::UseInetIp,
        Capability::UseRoute,
        Capability::UsePacket,
        Capability::SysMount,
        Capability::SysUmount,
        Capability::SysReboot,
        Capability::SysChroot,
        Capability::SysKill,
        Capability::SysVhangup,
        Capability::SysTime,
        Capability::SysNice,
        Capability::SysSethostname,
        Capability::UseKernelModule,
        Capability::CreateFifo,
        Capability::CreateBlockDev,
        Capability::CreateCharDev,
        Capability::CreateUnixSocket,
        Capability::SysLink,
        Capability::SysSymlink,
        Capability::SysRename,
        Capability::SysUnlink,
        Capability::SysChmod,
        Capability::SysChown,
        Capability::SysIoctl,
        Capability::SysKexecLoad,
        Capability::SysPivotRoot,
        Capability::SysPtrace,
        Capability::ConcealMount,
    ];

    /// The capability of a number from 0 to 31.
    pub fn from_u8(number: u8) -> Option<Capability> {
        Capability::ALL.get(usize::from(number)).copied()
    }

    /// The capability of a name; letters count as they are written.
    pub fn from_name(name: &[u8]) -> Option<Capability> {
        let found = NAMES.iter().position(|(known, _)| *known == name)?;
        Capability::ALL.get(found).copied()
    }

    /// The name in policies and profiles.
    pub fn name(self) -> &'static [u8] {
        NAMES.get(self as usize).map_or(b"", |(name, _)| name)
    }

    /// The profile item.
    pub fn item(self) -> Item {
        NAMES.get(self as usize).map_or(Item::CapConcealMount, |(_, item)| *item)
    }
}

#[cfg(test)]
mod tests {
    use super::{Capability, NAMES};
    use crate::item::Item;

    #[test]
    fn names_numbers_and_items_are_in_one_order() {
        for (number, capability) in (0_u8..).zip(Capability::ALL) {
            assert!(capability as u8 == number && Capability::from_u8(number) == Some(capability));
            assert!(Capability::from_name(capability.name()) == Some(capability));
            assert_eq!(capability.item() as u8, Item::CapInetTcpCreate as u8 + number);
        }
        assert!(Capability::from_u8(NAMES.len() as u8).is_none());
        assert!(Capability::from_name(b"sys_time").is_none());
    }
}
