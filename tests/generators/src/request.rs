// SPDX-License-Identifier: MIT OR Apache-2.0
//! Requests over the names, numbers and addresses that policies are made of.

use sekisho_core::address::Address;
use sekisho_core::capability::Capability;
use sekisho_core::name::Name;
use sekisho_core::number::Number;
use sekisho_core::request::{DeviceOp, NetworkOp, Path2Op, PathNumberOp, PathOp, Request};

use crate::choices::Choices;
use crate::word::instance;

/// Three names near the words of a policy.
pub fn names(choices: &mut Choices<'_>, words: &[String]) -> [String; 3] {
    [0; 3].map(|_: i32| {
        for _ in 0..8 {
            let from = choices.below(words.len() as u64) as usize;
            let name = instance(choices, &words[from]);
            if Name::new(name.as_bytes()).is_some() {
                return name;
            }
        }
        "/a".to_owned()
    })
}

/// A request over names.
pub fn request<'a>(choices: &mut Choices<'_>, names: &'a [String; 3]) -> Request<'a> {
    let name = |at: usize| Name::new(names[at].as_bytes()).unwrap();
    let value = |choices: &mut Choices<'_>| Number::decimal(choices.below(9));
    if !choices.one_in(4) {
        let op =
            choices.pick(&[PathOp::Read, PathOp::Write, PathOp::ReadWrite, PathOp::Execute, PathOp::Symlink]);
        return Request::Path { op, path: name(0) };
    }
    match choices.below(8) {
        0 => {
            let op = choices.pick(&[Path2Op::Link, Path2Op::Rename]);
            Request::Path2 { op, from: name(0), to: name(1) }
        }
        1 => {
            let op = choices.pick(&[PathNumberOp::Create, PathNumberOp::Chmod, PathNumberOp::Ioctl]);
            Request::PathNumber { op, path: name(0), number: value(choices) }
        }
        2 => Request::Device {
            op: choices.pick(&[DeviceOp::Mkblock, DeviceOp::Mkchar]),
            path: name(0),
            mode: value(choices),
            major: value(choices),
            minor: value(choices),
        },
        3 => Request::Network {
            op: choices.pick(&[NetworkOp::TcpConnect, NetworkOp::UdpBind, NetworkOp::TcpBind]),
            address: choices.pick(&[
                Address::V4([10, 0, 0, 1]),
                Address::V4([10, 0, 0, 7]),
                Address::V6([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]),
            ]),
            port: choices.below(9) as u16,
        },
        4 => Request::Mount {
            device: name(0),
            compare_device: choices.one_in(2),
            dir: name(1),
            kind: Name::new(choices.pick(&[&b"ext3"[..], b"--bind"])).unwrap(),
            flags: value(choices),
        },
        5 => Request::Env { name: Name::new(choices.pick(&[&b"PATH"[..], b"LC_ALL", b"LC_"])).unwrap() },
        6 => Request::Capability(choices.pick(&[Capability::SysTime, Capability::SysNice])),
        _ => Request::Signal {
            number: choices.below(4) as u16,
            target: choices.pick(&[&b"<kernel>"[..], b"<kernel> /a", b"<kernel> /a /b", b"<kernel> /ab"]),
        },
    }
}
