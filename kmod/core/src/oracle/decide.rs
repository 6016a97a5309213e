// SPDX-License-Identifier: MIT OR Apache-2.0
//! The decision: the list of a domain, walked from the beginning (reference 0.3).

use super::condition;
use super::pattern::{constant_part, matches};
use crate::address::{Address, AddressRange};
use crate::args::{AddressArg, Args, NumberArg, PathArg};
use crate::domain::{Domain, DomainId};
use crate::engine::Decision;
use crate::entry::Entry;
use crate::facts::Facts;
use crate::group::GroupId;
use crate::item::{Category, Item};
use crate::name::Name;
use crate::number::NumberRange;
use crate::policy::Policy;
use crate::profile::{Config, Mode};
use crate::request::{DeviceOp, NetworkOp, Operation, Path2Op, PathNumberOp, PathOp, Request};

/// Reference 0.3, steps 1 to 6: what a request of a task in `domain` comes to.
///
/// A domain that the policy does not know, or whose profile is not defined, fails closed, as [`crate::engine::decide`]
/// says; the reference has no answer to it. That a signal to oneself or inside of a domain is free (reference 4.11), and
/// with which objects conditions deal (5.3), is up to the caller.
pub fn decide(policy: &Policy, domain: DomainId, facts: &Facts<'_>, request: &Request<'_>) -> Decision {
    let found = policy.domain(domain);
    let profile = found.map_or(0, Domain::profile);
    let allowed =
        Decision { mode: Mode::Disabled, granted: true, log: false, profile, set: [None; 3], entry: None };
    // 1. "Before the policy is activated every mode is disabled."
    if !policy.is_active() {
        return allowed;
    }
    let (Some(domain), Some(settings)) = (found, policy.profile(profile)) else {
        return Decision {
            mode: Mode::Enforcing,
            granted: false,
            log: true,
            profile,
            set: [None; 3],
            entry: None,
        };
    };
    let config = item(request).map_or(Config::CLOSED, |item| settings.config(item));
    // 2.
    if config.mode == Mode::Disabled {
        return allowed;
    }
    // 4. The first entry decides; the global lists come afterwards.
    let entry = domain.numbered_entries().find(|(_, entry)| grants(policy, entry, facts, request));
    let granted = entry.is_some() || is_globally_granted(policy, domain, request);
    // 6., with the `; set` of the entry.
    let log = if granted { config.grant_log } else { config.reject_log };
    let set = match entry.and_then(|(_, entry)| entry.condition) {
        Some(condition) => condition.assignments(),
        None => [None; 3],
    };
    Decision { mode: config.mode, granted, log, profile, set, entry: entry.map(|(id, _)| id) }
}

/// Reference 0.3, step 4 alone: whether an entry, or a global line behind them, grants a request, whatever the mode.
pub fn grants_it(policy: &Policy, domain: DomainId, facts: &Facts<'_>, request: &Request<'_>) -> bool {
    policy.domain(domain).is_some_and(|domain| {
        domain.entries().any(|entry| grants(policy, &entry, facts, request))
            || is_globally_granted(policy, domain, request)
    })
}

/// Whether a decision of the engine is right. It may name another entry than the first one that grants, if that is
/// no difference for what happens.
pub fn confirms(
    policy: &Policy,
    domain: DomainId,
    facts: &Facts<'_>,
    request: &Request<'_>,
    decision: &Decision,
) -> bool {
    let expected = decide(policy, domain, facts, request);
    let is_named = match (decision.entry, policy.domain(domain)) {
        (Some(id), Some(domain)) if expected.entry.is_some() => domain
            .numbered_entries()
            .any(|(number, entry)| number == id && grants(policy, &entry, facts, request)),
        (entry, _) => entry == expected.entry,
    };
    is_named && Decision { entry: expected.entry, ..*decision } == expected
}

/// Reference 4.4, second column, 4.10: the profile item of a request. `None` only if a capability had none.
fn item(request: &Request<'_>) -> Option<Item> {
    Some(match request {
        Request::Path { op, .. } => match op {
            PathOp::ReadWrite | PathOp::Read | PathOp::Write => Item::Open,
            PathOp::Execute => Item::Execute,
            PathOp::Unlink => Item::Unlink,
            PathOp::Rmdir => Item::Rmdir,
            PathOp::Truncate => Item::Truncate,
            PathOp::Symlink => Item::Symlink,
            PathOp::Rewrite => Item::Rewrite,
            PathOp::Chroot => Item::Chroot,
            PathOp::Unmount => Item::Umount,
            PathOp::Transit => Item::Transit,
        },
        Request::Path2 { op, .. } => match op {
            Path2Op::Link => Item::Link,
            Path2Op::Rename => Item::Rename,
            Path2Op::PivotRoot => Item::PivotRoot,
        },
        Request::PathNumber { op, .. } => match op {
            PathNumberOp::Create => Item::Create,
            PathNumberOp::Mkdir => Item::Mkdir,
            PathNumberOp::Mkfifo => Item::Mkfifo,
            PathNumberOp::Mksock => Item::Mksock,
            PathNumberOp::Ioctl => Item::Ioctl,
            PathNumberOp::Chmod => Item::Chmod,
            PathNumberOp::Chown => Item::Chown,
            PathNumberOp::Chgrp => Item::Chgrp,
        },
        Request::Device { op, .. } => match op {
            DeviceOp::Mkblock => Item::Mkblock,
            DeviceOp::Mkchar => Item::Mkchar,
        },
        Request::Network { op, .. } => match op {
            NetworkOp::UdpBind => Item::InetUdpBind,
            NetworkOp::UdpConnect => Item::InetUdpConnect,
            NetworkOp::TcpBind => Item::InetTcpBind,
            NetworkOp::TcpListen => Item::InetTcpListen,
            NetworkOp::TcpConnect => Item::InetTcpConnect,
            NetworkOp::TcpAccept => Item::InetTcpAccept,
            NetworkOp::RawBind => Item::InetRawBind,
            NetworkOp::RawConnect => Item::InetRawConnect,
        },
        Request::Mount { .. } => Item::Mount,
        Request::Env { .. } => Item::Env,
        Request::Capability(capability) => return Item::from_name(Category::Capability, capability.name()),
        Request::Signal { .. } => Item::Signal,
    })
}

/// Reference 3.4 and 3.5: the global `allow_read`, for reading only, and `allow_env`, unless the domain ignores them.
fn is_globally_granted(policy: &Policy, domain: &Domain, request: &Request<'_>) -> bool {
    let flags = domain.flags();
    match request {
        Request::Path { op: PathOp::Read, path } => {
            !flags.ignore_global_allow_read && policy.global_reads().any(|word| matches(*path, word))
        }
        Request::Env { name } => {
            !flags.ignore_global_allow_env && policy.global_envs().any(|word| matches(*name, word))
        }
        _ => false,
    }
}

/// Reference 0.3, step 4: "has the right kind and permission bit, matches all arguments and whose condition is true".
fn grants(policy: &Policy, entry: &Entry<'_>, facts: &Facts<'_>, request: &Request<'_>) -> bool {
    has_bit(entry, request)
        && matches_arguments(policy, &entry.args, request)
        && match entry.condition {
            Some(condition) => condition::is_true(policy, facts, condition),
            None => true,
        }
}

/// Reference 4.4.1: classes and bits.
fn has_bit(entry: &Entry<'_>, request: &Request<'_>) -> bool {
    let operation = request.operation();
    let has = |op: PathOp| entry.bits & Operation::Path(op).bit() != 0;
    entry.class == operation.class()
        && match operation {
            // "allow_read/write sets all three", "read and write bits both set: automatically read/write"
            Operation::Path(PathOp::Read) => has(PathOp::Read) || has(PathOp::ReadWrite),
            Operation::Path(PathOp::Write) => has(PathOp::Write) || has(PathOp::ReadWrite),
            Operation::Path(PathOp::ReadWrite) => {
                has(PathOp::ReadWrite) || (has(PathOp::Read) && has(PathOp::Write))
            }
            other => entry.bits & other.bit() != 0,
        }
}

/// Reference 4.4: each argument must match.
fn matches_arguments(policy: &Policy, args: &Args<'_, GroupId>, request: &Request<'_>) -> bool {
    let path = |arg: &PathArg<'_, GroupId>, name: Name<'_>| path_matches(policy, arg, name, true);
    let number = |arg: &NumberArg<GroupId>, value: u64| number_matches(policy, arg, value);
    match (args, request) {
        (Args::Path(arg), Request::Path { op, path: name }) => {
            let wildcards = !matches!(op, PathOp::Execute | PathOp::Transit);
            path_matches(policy, arg, *name, wildcards)
        }
        (Args::Path2(first, second), Request::Path2 { from, to, .. }) => {
            path(first, *from) && path(second, *to)
        }
        (Args::PathNumber(arg, range), Request::PathNumber { path: name, number: value, .. }) => {
            path(arg, *name) && number(range, value.value)
        }
        (
            Args::Device(arg, modes, majors, minors),
            Request::Device { path: name, mode, major, minor, .. },
        ) => {
            path(arg, *name)
                && number(modes, mode.value)
                && number(majors, major.value)
                && number(minors, minor.value)
        }
        (Args::Network(addresses, ports), Request::Network { address, port, .. }) => {
            address_matches(policy, addresses, address) && number(ports, u64::from(*port))
        }
        // Reference 4.8: "flags, type, directory, device"; Q34: MS_SILENT is "masked out before asking; in a line it is accepted
        // and ignored".
        (
            Args::Mount { device, dir, kind, flags },
            Request::Mount { device: from, compare_device, dir: at, kind: wanted, flags: value },
        ) => {
            (number(flags, value.value & !0x8000) || number(flags, value.value | 0x8000))
                && path(kind, *wanted)
                && path(dir, *at)
                && (!compare_device || path(device, *from))
        }
        (Args::Env(word), Request::Env { name }) => matches(*name, word),
        (Args::Capability(allowed), Request::Capability(wanted)) => allowed == wanted,
        (Args::Signal(allowed, prefix), Request::Signal { number, target }) => {
            allowed == number && is_word_prefix(prefix, target)
        }
        _ => false,
    }
}

/// Reference 2.6. Where wildcards do not count, a word that has any matches nothing.
fn path_matches(policy: &Policy, arg: &PathArg<'_, GroupId>, name: Name<'_>, wildcards: bool) -> bool {
    match arg {
        PathArg::Word(word) => word_matches(name, word, wildcards),
        PathArg::Group(id) => path_group_matches(policy, *id, name, wildcards),
    }
}

/// Reference 2.6: "matches if any member matches".
pub(super) fn path_group_matches(policy: &Policy, id: GroupId, name: Name<'_>, wildcards: bool) -> bool {
    policy.path_group_members(id).any(|word| word_matches(name, word, wildcards))
}

fn word_matches(name: Name<'_>, word: &[u8], wildcards: bool) -> bool {
    let (_, wild) = constant_part(word);
    (wildcards || wild.is_empty()) && matches(name, word)
}

/// Reference 1.5: "min <= value <= max, or member of the group".
fn number_matches(policy: &Policy, arg: &NumberArg<GroupId>, value: u64) -> bool {
    let contains = |range: &NumberRange| range.min.value <= value && value <= range.max.value;
    match arg {
        NumberArg::Range(range) => contains(range),
        NumberArg::Group(id) => match policy.number_group(*id) {
            Some(group) => group.members().iter().any(|member| contains(&member)),
            None => false,
        },
    }
}

/// Reference 3.8 and 4.9: "IPv4 entries never match IPv6 addresses and vice versa".
fn address_matches(policy: &Policy, arg: &AddressArg<GroupId>, address: &Address) -> bool {
    let contains = |range: &AddressRange| match (range.min, address, range.max) {
        (Address::V4(min), Address::V4(address), Address::V4(max)) => min <= *address && *address <= max,
        (Address::V6(min), Address::V6(address), Address::V6(max)) => min <= *address && *address <= max,
        _ => false,
    };
    match arg {
        AddressArg::Range(range) => contains(range),
        AddressArg::Group(id) => policy.address_group_members(*id).any(|member| contains(&member)),
    }
}

/// Reference 4.11: "D equal, or followed by a space there".
fn is_word_prefix(prefix: &[u8], target: &[u8]) -> bool {
    matches!(target.strip_prefix(prefix), Some([]) | Some([b' ', ..]))
}
