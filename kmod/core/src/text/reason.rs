// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a line was rejected, in words for the person who wrote it.
//!
//! TOMOYO 1.7 ignored what it did not understand without a word (reference 1.2, quirk Q5). Here every rejected line has
//! a reason that says what is wrong and what would be right.

use super::Sink;
use crate::mem::OutOfMemory;
use crate::name::encode;

/// Why a line was rejected.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A byte that is neither printable ASCII nor a blank.
    ForeignByte(u8),
    /// The first word of a domain_policy line is no keyword.
    UnknownAcl,
    /// A domain_policy line of TOMOYO 1.8 or 2.x.
    LaterAcl,
    /// An ACL without (enough) paths.
    MissingPath,
    /// Not a valid word (reference 1.3).
    BadPath,
    /// A pattern beyond what the matcher can follow ([`crate::pattern::MAX_POSITIONS`]).
    PatternTooLong,
    /// Nothing, or no valid word, after `@`.
    BadGroupName,
    /// An ACL without its mode.
    MissingMode,
    /// `allow_ioctl` without its command.
    MissingCommand,
    /// `allow_chown` without the new owner.
    MissingOwner,
    /// `allow_chgrp` without the new group.
    MissingGroupId,
    /// Not a number, a range or `@GROUP`.
    BadNumber,
    /// `4 /directory/`.
    OldFormOfDirectory,
    /// `allow_mkblock` or `allow_mkchar` without major or minor number.
    MissingDeviceNumber,
    /// `allow_mount` without flags.
    MissingFlags,
    /// `allow_env` without a name.
    MissingVariable,
    /// Not the name of an environment variable.
    BadVariable,
    /// `allow_capability` without a name.
    MissingCapability,
    /// Not one of the 32 capabilities.
    UnknownCapability,
    /// `allow_signal` without a number.
    MissingSignal,
    /// Not a signal number.
    BadSignal,
    /// `allow_network` without protocol.
    MissingProtocol,
    /// `allow_network` without operation.
    MissingNetworkOperation,
    /// `allow_network` without address.
    MissingAddress,
    /// Not an address.
    BadAddress,
    /// An address group member that is no address.
    BadAddressMember,
    /// A line without its port.
    MissingPort,
    /// `deny_autobind` with something else.
    BadPorts,
    /// A file that is not absolute, or a directory.
    BadFile,
    /// `file_pattern` without a wildcard.
    NoWildcard,
    /// A category that is not one of the five.
    UnknownCategory,
    /// A preference that mentions no key of its group.
    EmptyPreference,
    /// A number of a preference that is none.
    BadPreferenceNumber,
    /// `select pid=N` where there are no tasks.
    SelectTask,
    /// `select pid=` with something else than a number.
    BadPid,
    /// More words than the line can have.
    SurplusWord,
    /// `if` twice.
    SecondIf,
    /// `if` at the end.
    EmptyCondition,
    /// `;` without `set`, or `; set` at the end.
    NoAssignment,
    /// Something else than `task.state[N]=V` behind `; set`.
    BadAssignment,
    /// A state byte beyond 255.
    BadStateValue,
    /// A state byte that is set twice.
    SecondAssignment,
    /// `; set ... if ...`.
    IfBehindSet,
    /// A test without `=` or `!=`.
    NoOperator,
    /// Nothing before or behind the operator.
    MissingOperand,
    /// One side of a test is no keyword and no number.
    UnknownOperand,
    /// `exec.realpath` and its relatives on the right, or a word in quotes on the left.
    TextOnWrongSide,
    /// A text compared with something that has no quotes.
    NoQuotes,
    /// A number compared with a word in quotes or with `NULL`.
    QuotesAgainstNumber,
    /// Not a valid word between quotes.
    BadQuotedWord,
    /// Not a decimal number between `exec.argv[` and `]`.
    BadArgumentIndex,
    /// Not the name of a variable between `exec.envp[` and `]`.
    BadVariableName,
    /// `@GROUP=...`.
    GroupOnLeft,
    /// `select` before something that is not a domain.
    SelectWithoutDomain,
    /// Not a domain name (reference 1.4).
    BadDomainName,
    /// An attribute or ACL before any domain line.
    NoCurrentDomain,
    /// `delete <kernel>`.
    DeleteRoot,
    /// `delete use_profile`.
    DeleteProfile,
    /// Nothing behind `delete`.
    DeleteNothing,
    /// Not a number from 0 to 255.
    BadProfileNumber,
    /// `use_profile N` of a profile that does not exist.
    UndefinedProfile,
    /// A domain made by hand would get profile 0, which does not exist.
    ProfileZeroUndefined,
    /// The first word of an exception_policy line is no directive.
    UnknownDirective,
    /// An exception_policy line of TOMOYO 1.8 or 2.x.
    LaterDirective,
    /// A directive that TOMOYO 1.7 itself had removed.
    RemovedDirective,
    /// A transition directive without its program.
    MissingProgram,
    /// Not a program (reference 1.3).
    BadProgram,
    /// `from` at the end, or `keep_domain` alone.
    MissingFromDomain,
    /// Neither a domain name nor the last word of one.
    BadFromDomain,
    /// A group line without group name.
    MissingGroupName,
    /// A group line without member.
    MissingMember,
    /// A path group member that is no valid word.
    BadPathMember,
    /// A number group member that is no number or range.
    BadNumberMember,
    /// A range that ends before it begins.
    ReversedRange,
    /// A profile line without `=`.
    NoEquals,
    /// A profile line that is neither of the known forms.
    UnknownProfileKey,
    /// An item that TOMOYO 1.7 does not have.
    UnknownItem,
    /// A value that says nothing.
    EmptyConfig,
    /// `use_default` for the default itself.
    DefaultOfDefault,
    /// A `PROFILE_VERSION` other than 20090903.
    BadProfileVersion,
    /// Not a manager line.
    BadManager,
}

impl Reason {
    /// Prints what is wrong and what would be right, one line without full stop.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        let Reason::ForeignByte(byte) = *self else {
            return sink.put(self.message().as_bytes());
        };
        let digit = |value: u8| if value < 10 { b'0' | value } else { (b'A' - 10).wrapping_add(value) };
        sink.put(b"byte 0x")?;
        sink.put(&[digit(byte >> 4), digit(byte & 15)])?;
        match encode(&[byte], &mut [0; 4]) {
            Some(escape) => {
                sink.put(b"; write it as ")?;
                sink.put(escape.as_bytes())
            }
            None => sink.put(b"; no name has it; remove it"),
        }
    }

    /// The same without the byte that [`Reason::print`] names.
    pub const fn message(&self) -> &'static str {
        match self {
            Reason::ForeignByte(_) => {
                "a byte that is not printable ASCII; write it as an escape of three octal digits, such as \\303"
            }
            Reason::UnknownAcl => {
                "unknown keyword; expected a domain (<kernel> ...), an attribute such as use_profile, or an ACL such as allow_read"
            }
            Reason::LaterAcl => {
                "this is a line of TOMOYO 1.8 or 2.x; here each operation is a keyword with a line of its own, such as allow_read, allow_write, allow_env, allow_capability, allow_signal or allow_network, and conditions begin with if"
            }
            Reason::MissingPath => "a path is missing; write a path, a pattern or @GROUP",
            Reason::BadPath => {
                "not a valid path word; a backslash must begin \\\\, \\ooo (octal of a byte that is not printable) or a wildcard, and \\{...\\} must fill a directory name"
            }
            Reason::PatternTooLong => "too many elements in one component with wildcards, or too many components behind \\{; the limit is 511",
            Reason::BadGroupName => "not a group name; write @ and a name of printable characters",
            Reason::MissingMode => "the mode is missing; write a number, a range such as 0600-0644, or @GROUP",
            Reason::MissingCommand => {
                "the command is missing; write a number such as 0x5401, a range such as 0x5400-0x54FF, or @GROUP"
            }
            Reason::MissingOwner => "the uid is missing; write a number, a range such as 1000-1999, or @GROUP",
            Reason::MissingGroupId => "the gid is missing; write a number, a range such as 1000-1999, or @GROUP",
            Reason::BadNumber => {
                "not a number; write decimal, octal (0644) or hexadecimal (0x1F) up to 64 bits without sign, a range MIN-MAX, or @GROUP (names of users and letters such as u+x mean nothing here)"
            }
            Reason::OldFormOfDirectory => {
                "the old form with a number does not take directories; write allow_read or another keyword with the path"
            }
            Reason::MissingDeviceNumber => {
                "a device number is missing; write path, mode, major and minor number"
            }
            Reason::MissingFlags => {
                "the flags are missing; write device, directory, type and flags, such as 0x0"
            }
            Reason::MissingVariable => {
                "the name of an environment variable is missing"
            }
            Reason::BadVariable => {
                "not the name of an environment variable; write a valid word without ="
            }
            Reason::MissingCapability => {
                "a capability is missing; write one of the names such as SYS_TIME"
            }
            Reason::UnknownCapability => {
                "no such capability; the names are inet_tcp_create, inet_tcp_listen, inet_tcp_connect, use_inet_udp, use_inet_ip, use_route, use_packet, SYS_MOUNT, SYS_UMOUNT, SYS_REBOOT, SYS_CHROOT, SYS_KILL, SYS_VHANGUP, SYS_TIME, SYS_NICE, SYS_SETHOSTNAME, use_kernel_module, create_fifo, create_block_dev, create_char_dev, create_unix_socket, SYS_LINK, SYS_SYMLINK, SYS_RENAME, SYS_UNLINK, SYS_CHMOD, SYS_CHOWN, SYS_IOCTL, SYS_KEXEC_LOAD, SYS_PIVOT_ROOT, SYS_PTRACE and conceal_mount"
            }
            Reason::MissingSignal => {
                "the signal is missing; write its number and the name of a domain"
            }
            Reason::BadSignal => {
                "not a signal; write a decimal number from 0 to 65535 without sign"
            }
            Reason::MissingProtocol => {
                "the protocol is missing or unknown; write TCP, UDP or RAW"
            }
            Reason::MissingNetworkOperation => {
                "the operation is missing or not possible for the protocol; TCP has bind, listen, connect and accept, UDP and RAW have bind and connect"
            }
            Reason::MissingAddress => {
                "the address is missing; write an address, a range or @GROUP, then the port"
            }
            Reason::BadAddress => {
                "not an address; write IPv4 as 1.2.3.4 (each 0 to 255), IPv6 as eight groups of hexadecimal digits without ::, a range MIN-MAX of one family, or @GROUP"
            }
            Reason::BadAddressMember => {
                "not an address or range; write IPv4 as 1.2.3.4 (each 0 to 255), IPv6 as eight groups of hexadecimal digits without ::, or MIN-MAX of one family"
            }
            Reason::MissingPort => {
                "the port is missing; write a number or a range"
            }
            Reason::BadPorts => {
                "not a port or a range of ports; write decimal numbers from 0 to 65535, such as 1024 or 1024-1030"
            }
            Reason::BadFile => {
                "not a file; write an absolute path without / at the end; wildcards are allowed"
            }
            Reason::NoWildcard => {
                "file_pattern needs a wildcard; a name without one stays what it is anyway"
            }
            Reason::UnknownCategory => {
                "no such category; there are file, network, misc, ipc and capability"
            }
            Reason::EmptyPreference => {
                "the value names nothing of this group; audit has max_grant_log, max_reject_log, task_info and path_info, learning has verbose, max_entry, exec.realpath, exec.argv0 and symlink.target, permissive has verbose, enforcing has verbose and penalty, each with =yes, =no or =NUMBER and no blank before or behind the ="
            }
            Reason::BadPreferenceNumber => {
                "not a number; write a decimal number from 0 to 4294967295 directly behind the ="
            }
            Reason::SelectTask => {
                "no such task here; select a domain by its name"
            }
            Reason::BadPid => {
                "not a process id; write a decimal number"
            }
            Reason::SurplusWord => {
                "more words than this line can have; remove them (a condition begins with the word if; write a blank inside a name as \\040)"
            }
            Reason::SecondIf => "a second if; join the tests of one condition with blanks",
            Reason::EmptyCondition => "nothing follows if; add a test such as task.uid=0 or remove the word if",
            Reason::NoAssignment => "; begins a list of assignments; write ; set task.state[0]=1 or remove it",
            Reason::BadAssignment => {
                "not an assignment; write task.state[N]=V without blanks, N being 0, 1 or 2 and V a number from 0 to 255"
            }
            Reason::BadStateValue => "not a value for a state byte; write a number from 0 to 255",
            Reason::SecondAssignment => "this state byte is set twice; keep one of the assignments",
            Reason::IfBehindSet => "the tests come before the assignments; write if ... ; set ...",
            Reason::NoOperator => "a test needs = or != without blanks around it, such as task.uid=0",
            Reason::MissingOperand => {
                "one side of the test is missing; write both sides without blanks around = or !=, such as task.uid=0"
            }
            Reason::UnknownOperand => {
                "unknown word in a test; expected task.uid and its relatives, exec.argc, exec.envc, path1.uid and its relatives, a file type, a permission bit such as setuid, execute_handler, a number, a range, or @GROUP on the right side"
            }
            Reason::TextOnWrongSide => {
                "exec.realpath, symlink.target, exec.argv[N] and exec.envp[\"NAME\"] stand on the left side only, words in quotes and NULL on the right side of these only"
            }
            Reason::NoQuotes => {
                "a text is compared with a word in quotes, such as exec.argv[0]=\"-c\"; exec.realpath and symlink.target also with @GROUP, exec.envp[\"NAME\"] also with NULL"
            }
            Reason::QuotesAgainstNumber => {
                "the left side is a number; write a number, a range, a keyword or @GROUP without quotes"
            }
            Reason::BadQuotedWord => {
                "not a valid word in quotes; a backslash must begin \\\\, \\ooo (octal of a byte that is not printable) or a wildcard, and \\{...\\} must fill a directory name"
            }
            Reason::BadArgumentIndex => {
                "not the index of an argument; write a decimal number without 0 in front, such as exec.argv[1]"
            }
            Reason::BadVariableName => {
                "not the name of a variable; write it in quotes, not empty and without =, such as exec.envp[\"PATH\"]"
            }
            Reason::GroupOnLeft => "a group can stand on the right side of a test only; swap the sides",
            Reason::SelectWithoutDomain => {
                "select takes a domain name only; remove the word select before an attribute or ACL"
            }
            Reason::BadDomainName => {
                "not a domain name; write <kernel> and program paths, each beginning with / and without wildcards"
            }
            Reason::NoCurrentDomain => "no current domain; write the domain's line (<kernel> ...) before this one",
            Reason::DeleteRoot => "the domain <kernel> cannot be deleted; delete its ACLs one by one",
            Reason::DeleteProfile => "a domain always has a profile; write use_profile with the new number instead",
            Reason::DeleteNothing => "nothing follows delete; write the line that is to be deleted",
            Reason::BadProfileNumber => "not a profile number; write a decimal number from 0 to 255",
            Reason::UndefinedProfile => "this profile is not defined; write its CONFIG line to profile first",
            Reason::ProfileZeroUndefined => {
                "a new domain gets profile 0, which is not defined; write 0-CONFIG=... to profile first"
            }
            Reason::UnknownDirective => {
                "unknown directive; expected initialize_domain, keep_domain (both also with no_), aggregator, allow_read, allow_env, file_pattern, deny_rewrite, path_group, number_group, address_group or deny_autobind"
            }
            Reason::LaterDirective => {
                "this is a line of TOMOYO 1.8 or 2.x; here a rule for any domain or program leaves out any, and global lines are allow_read and allow_env (all else that an acl_group has stands in each domain)"
            }
            Reason::RemovedDirective => {
                "TOMOYO 1.7 removed this directive; use conditions (exec.realpath, exec.argv[0]) or domain transition rules instead"
            }
            Reason::MissingProgram => "a program is missing; write its absolute path",
            Reason::BadProgram => {
                "not a program; write an absolute path without wildcards and without / at the end"
            }
            Reason::MissingFromDomain => {
                "a domain is missing; write a domain name or the absolute path of its last program"
            }
            Reason::BadFromDomain => {
                "neither a domain name (<kernel> ...) nor the absolute path of a domain's last program, without wildcards and without / at the end"
            }
            Reason::MissingGroupName => "a group name is missing; write the name (without @) and one member",
            Reason::MissingMember => "the member is missing; write one member a line",
            Reason::BadPathMember => {
                "not a valid path word as group member; a backslash must begin \\\\, \\ooo or a wildcard"
            }
            Reason::BadNumberMember => {
                "not a number or range; groups hold numbers such as 10000 or 10000-10999, no other groups"
            }
            Reason::ReversedRange => "the range ends before it begins; write the smaller number first",
            Reason::NoEquals => "a profile line has the form KEY=VALUE",
            Reason::UnknownProfileKey => {
                "unknown key; expected PROFILE_VERSION, PREFERENCE::GROUP, N-COMMENT, N-CONFIG, N-CONFIG::CATEGORY, N-CONFIG::CATEGORY::ITEM or N-PREFERENCE::GROUP"
            }
            Reason::UnknownItem => {
                "no such item in this category; file has execute, open, create, unlink, mkdir, rmdir, mkfifo, mksock, truncate, symlink, rewrite, mkblock, mkchar, link, rename, chmod, chown, chgrp, ioctl, chroot, mount, umount, pivot_root and transit, network has inet_udp_bind, inet_udp_connect, inet_tcp_bind, inet_tcp_listen, inet_tcp_connect, inet_tcp_accept, inet_raw_bind and inet_raw_connect, misc has env, ipc has signal, capability has the names of allow_capability such as SYS_TIME"
            }
            Reason::EmptyConfig => {
                "the value says nothing; write mode=disabled, learning, permissive or enforcing, grant_log=yes or no, reject_log=yes or no, or use_default"
            }
            Reason::DefaultOfDefault => {
                "this is the default itself; use_default is for a category, an item or a profile's own preferences"
            }
            Reason::BadProfileVersion => {
                "only profiles of version 20090903 are understood; those of TOMOYO 1.8 and 2.x have other versions and other keys"
            }
            Reason::BadManager => {
                "not a manager; write a domain name, the absolute path of a program without wildcards, or manage_by_non_root"
            }
        }
    }
}
