// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a profile can set a mode for: 66 items in five categories (reference 7.3).

/// A group of items with a setting of its own. The order is the one in which profiles print categories (reference 7.8).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Category {
    /// `CONFIG::file`
    File,
    /// `CONFIG::network`
    Network,
    /// `CONFIG::misc`
    Misc,
    /// `CONFIG::ipc`
    Ipc,
    /// `CONFIG::capability`
    Capability,
}

impl Category {
    /// All categories in print order.
    pub const ALL: [Category; 5] =
        [Category::File, Category::Network, Category::Misc, Category::Ipc, Category::Capability];

    /// The name behind `CONFIG::`.
    pub const fn name(self) -> &'static [u8] {
        match self {
            Category::File => b"file",
            Category::Network => b"network",
            Category::Misc => b"misc",
            Category::Ipc => b"ipc",
            Category::Capability => b"capability",
        }
    }

    /// The category of a name.
    pub fn from_name(name: &[u8]) -> Option<Category> {
        Category::ALL.into_iter().find(|category| category.name() == name)
    }
}

/// An item. The order is the one in which profiles print (reference 7.8).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Item {
    /// `file::execute`
    Execute,
    /// `file::open`
    Open,
    /// `file::create`
    Create,
    /// `file::unlink`
    Unlink,
    /// `file::mkdir`
    Mkdir,
    /// `file::rmdir`
    Rmdir,
    /// `file::mkfifo`
    Mkfifo,
    /// `file::mksock`
    Mksock,
    /// `file::truncate`
    Truncate,
    /// `file::symlink`
    Symlink,
    /// `file::rewrite`
    Rewrite,
    /// `file::mkblock`
    Mkblock,
    /// `file::mkchar`
    Mkchar,
    /// `file::link`
    Link,
    /// `file::rename`
    Rename,
    /// `file::chmod`
    Chmod,
    /// `file::chown`
    Chown,
    /// `file::chgrp`
    Chgrp,
    /// `file::ioctl`
    Ioctl,
    /// `file::chroot`
    Chroot,
    /// `file::mount`
    Mount,
    /// `file::umount`
    Umount,
    /// `file::pivot_root`
    PivotRoot,
    /// `file::transit`
    Transit,
    /// `network::inet_udp_bind`
    InetUdpBind,
    /// `network::inet_udp_connect`
    InetUdpConnect,
    /// `network::inet_tcp_bind`
    InetTcpBind,
    /// `network::inet_tcp_listen`
    InetTcpListen,
    /// `network::inet_tcp_connect`
    InetTcpConnect,
    /// `network::inet_tcp_accept`
    InetTcpAccept,
    /// `network::inet_raw_bind`
    InetRawBind,
    /// `network::inet_raw_connect`
    InetRawConnect,
    /// `misc::env`
    Env,
    /// `ipc::signal`
    Signal,
    /// `capability::inet_tcp_create`
    CapInetTcpCreate,
    /// `capability::inet_tcp_listen`
    CapInetTcpListen,
    /// `capability::inet_tcp_connect`
    CapInetTcpConnect,
    /// `capability::use_inet_udp`
    CapUseInetUdp,
    /// `capability::use_inet_ip`
    CapUseInetIp,
    /// `capability::use_route`
    CapUseRoute,
    /// `capability::use_packet`
    CapUsePacket,
    /// `capability::SYS_MOUNT`
    CapSysMount,
    /// `capability::SYS_UMOUNT`
    CapSysUmount,
    /// `capability::SYS_REBOOT`
    CapSysReboot,
    /// `capability::SYS_CHROOT`
    CapSysChroot,
    /// `capability::SYS_KILL`
    CapSysKill,
    /// `capability::SYS_VHANGUP`
    CapSysVhangup,
    /// `capability::SYS_TIME`
    CapSysTime,
    /// `capability::SYS_NICE`
    CapSysNice,
    /// `capability::SYS_SETHOSTNAME`
    CapSysSethostname,
    /// `capability::use_kernel_module`
    CapUseKernelModule,
    /// `capability::create_fifo`
    CapCreateFifo,
    /// `capability::create_block_dev`
    CapCreateBlockDev,
    /// `capability::create_char_dev`
    CapCreateCharDev,
    /// `capability::create_unix_socket`
    CapCreateUnixSocket,
    /// `capability::SYS_LINK`
    CapSysLink,
    /// `capability::SYS_SYMLINK`
    CapSysSymlink,
    /// `capability::SYS_RENAME`
    CapSysRename,
    /// `capability::SYS_UNLINK`
    CapSysUnlink,
    /// `capability::SYS_CHMOD`
    CapSysChmod,
    /// `capability::SYS_CHOWN`
    CapSysChown,
    /// `capability::SYS_IOCTL`
    CapSysIoctl,
    /// `capability::SYS_KEXEC_LOAD`
    CapSysKexecLoad,
    /// `capability::SYS_PIVOT_ROOT`
    CapSysPivotRoot,
    /// `capability::SYS_PTRACE`
    CapSysPtrace,
    /// `capability::conceal_mount`
    CapConcealMount,
}

/// Number of items.
pub(crate) const ITEMS: usize = 66;

/// Category and name, in the order of [`Item`].
const NAMES: [(Item, Category, &[u8]); ITEMS] = [
    (Item::Execute, Category::File, b"execute"),
    (Item::Open, Category::File, b"open"),
    (Item::Create, Category::File, b"create"),
    (Item::Unlink, Category::File, b"unlink"),
    (Item::Mkdir, Category::File, b"mkdir"),
    (Item::Rmdir, Category::File, b"rmdir"),
    (Item::Mkfifo, Category::File, b"mkfifo"),
    (Item::Mksock, Category::File, b"mksock"),
    (Item::Truncate, Category::File, b"truncate"),
    (Item::Symlink, Category::File, b"symlink"),
    (Item::Rewrite, Category::File, b"rewrite"),
    (Item::Mkblock, Category::File, b"mkblock"),
    (Item::Mkchar, Category::File, b"mkchar"),
    (Item::Link, Category::File, b"link"),
    (Item::Rename, Category::File, b"rename"),
    (Item::Chmod, Category::File, b"chmod"),
    (Item::Chown, Category::File, b"chown"),
    (Item::Chgrp, Category::File, b"chgrp"),
    (Item::Ioctl, Category::File, b"ioctl"),
    (Item::Chroot, Category::File, b"chroot"),
    (Item::Mount, Category::File, b"mount"),
    (Item::Umount, Category::File, b"umount"),
    (Item::PivotRoot, Category::File, b"pivot_root"),
    (Item::Transit, Category::File, b"transit"),
    (Item::InetUdpBind, Category::Network, b"inet_udp_bind"),
    (Item::InetUdpConnect, Category::Network, b"inet_udp_connect"),
    (Item::InetTcpBind, Category::Network, b"inet_tcp_bind"),
    (Item::InetTcpListen, Category::Network, b"inet_tcp_listen"),
    (Item::InetTcpConnect, Category::Network, b"inet_tcp_connect"),
    (Item::InetTcpAccept, Category::Network, b"inet_tcp_accept"),
    (Item::InetRawBind, Category::Network, b"inet_raw_bind"),
    (Item::InetRawConnect, Category::Network, b"inet_raw_connect"),
    (Item::Env, Category::Misc, b"env"),
    (Item::Signal, Category::Ipc, b"signal"),
    (Item::CapInetTcpCreate, Category::Capability, b"inet_tcp_create"),
    (Item::CapInetTcpListen, Category::Capability, b"inet_tcp_listen"),
    (Item::CapInetTcpConnect, Category::Capability, b"inet_tcp_connect"),
    (Item::CapUseInetUdp, Category::Capability, b"use_inet_udp"),
    (Item::CapUseInetIp, Category::Capability, b"use_inet_ip"),
    (Item::CapUseRoute, Category::Capability, b"use_route"),
    (Item::CapUsePacket, Category::Capability, b"use_packet"),
    (Item::CapSysMount, Category::Capability, b"SYS_MOUNT"),
    (Item::CapSysUmount, Category::Capability, b"SYS_UMOUNT"),
    (Item::CapSysReboot, Category::Capability, b"SYS_REBOOT"),
    (Item::CapSysChroot, Category::Capability, b"SYS_CHROOT"),
    (Item::CapSysKill, Category::Capability, b"SYS_KILL"),
    (Item::CapSysVhangup, Category::Capability, b"SYS_VHANGUP"),
    (Item::CapSysTime, Category::Capability, b"SYS_TIME"),
    (Item::CapSysNice, Category::Capability, b"SYS_NICE"),
    (Item::CapSysSethostname, Category::Capability, b"SYS_SETHOSTNAME"),
    (Item::CapUseKernelModule, Category::Capability, b"use_kernel_module"),
    (Item::CapCreateFifo, Category::Capability, b"create_fifo"),
    (Item::CapCreateBlockDev, Category::Capability, b"create_block_dev"),
    (Item::CapCreateCharDev, Category::Capability, b"create_char_dev"),
    (Item::CapCreateUnixSocket, Category::Capability, b"create_unix_socket"),
    (Item::CapSysLink, Category::Capability, b"SYS_LINK"),
    (Item::CapSysSymlink, Category::Capability, b"SYS_SYMLINK"),
    (Item::CapSysRename, Category::Capability, b"SYS_RENAME"),
    (Item::CapSysUnlink, Category::Capability, b"SYS_UNLINK"),
    (Item::CapSysChmod, Category::Capability, b"SYS_CHMOD"),
    (Item::CapSysChown, Category::Capability, b"SYS_CHOWN"),
    (Item::CapSysIoctl, Category::Capability, b"SYS_IOCTL"),
    (Item::CapSysKexecLoad, Category::Capability, b"SYS_KEXEC_LOAD"),
    (Item::CapSysPivotRoot, Category::Capability, b"SYS_PIVOT_ROOT"),
    (Item::CapSysPtrace, Category::Capability, b"SYS_PTRACE"),
    (Item::CapConcealMount, Category::Capability, b"conceal_mount"),
];

impl Item {
    /// Number of items; each is less than it as a number.
    pub const COUNT: usize = ITEMS;

    /// All items in print order.
    pub fn all() -> impl Iterator<Item = Item> {
        NAMES.iter().map(|(item, _, _)| *item)
    }

    /// The category.
    pub fn category(self) -> Category {
        NAMES.get(self as usize).map_or(Category::File, |(_, category, _)| *category)
    }

    /// The name behind `CONFIG::CATEGORY::`.
    pub fn name(self) -> &'static [u8] {
        NAMES.get(self as usize).map_or(b"", |(_, _, name)| name)
    }

    /// The item of a name. What is called `umount` may be called `unmount` like its ACL (quirk Q24).
    pub fn from_name(category: Category, name: &[u8]) -> Option<Item> {
        let name = if category == Category::File && name == b"unmount" { b"umount" } else { name };
        NAMES
            .iter()
            .find(|(_, known_category, known)| *known_category == category && *known == name)
            .map(|(item, _, _)| *item)
    }
}

#[cfg(test)]
mod tests {
    use super::{Category, Item, NAMES};

    #[test]
    fn the_table_is_in_order() {
        for (index, (item, category, name)) in NAMES.iter().enumerate() {
            assert_eq!(*item as usize, index);
            assert!(item.category() == *category && item.name() == *name);
            assert!(Item::from_name(*category, name) == Some(*item));
        }
        assert!(Item::from_name(Category::File, b"unmount") == Some(Item::Umount));
        assert!(Item::from_name(Category::Misc, b"open").is_none());
    }
}
