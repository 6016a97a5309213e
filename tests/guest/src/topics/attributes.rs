// SPDX-License-Identifier: MIT OR Apache-2.0
//! chmod and chown in all forms (reference 4.6).

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use guest::op::Op;
use guest::subject::EPERM;
use guest::tap::Tap;

use super::table::{case, requests, with_subject, Case, Table};

const PROGRAM: &str = "/tmp/x/attributes";
const FILE: &[u8] = b"/tmp/w/file";

fn mode() -> u32 {
    fs::metadata("/tmp/w/file").map(|data| data.permissions().mode() & 0o7777).unwrap_or(0)
}

fn owner(path: &str) -> (u32, u32) {
    fs::symlink_metadata(path).map(|data| (data.uid(), data.gid())).unwrap_or((99, 99))
}

pub fn run(tap: &mut Tap) {
    tap.topic("attributes");
    with_subject(tap, PROGRAM, |tap, table| {
        table.all(tap, &cases());
        nothing(tap, table);
    });
}

fn cases() -> Vec<Case> {
    let hold = Op::Hold(1, FILE.to_vec(), 0, 0);
    let close = Op::Close(1);
    vec![
        case("chmod", Op::Chmod(FILE.to_vec(), 0o600), &["allow_chmod /tmp/w/file 0600"])
            .happened(|| mode() == 0o600),
        case("chmod setuid", Op::Chmod(FILE.to_vec(), 0o4755), &["allow_chmod /tmp/w/file 04755"])
            .happened(|| mode() == 0o4755),
        case("chmod of nothing", Op::Chmod(FILE.to_vec(), 0), &["allow_chmod /tmp/w/file 00"])
            .happened(|| mode() == 0),
        case(
            "chmod of a directory",
            Op::Chmod(b"/tmp/w/dir".to_vec(), 0o700),
            &["allow_chmod /tmp/w/dir/ 0700"],
        ),
        case(
            "chmod through a link",
            Op::Chmod(b"/tmp/w/link".to_vec(), 0o711),
            &["allow_chmod /tmp/w/dir/ 0711"],
        ),
        case("fchmod", Op::FdChmod(1, 0o640), &["allow_chmod /tmp/w/file 0640"])
            .before(std::slice::from_ref(&hold))
            .after(std::slice::from_ref(&close))
            .happened(|| mode() == 0o640),
        // The kernel holds the object's lock here, which must not be asked for again to name a socket.
        case(
            "fchmod of a socket",
            Op::FdChmod(1, 0o640),
            &["allow_chmod socket:[family=2:type=1:protocol=6] 0640"],
        )
        .before(&[Op::Socket(1, 2, 1, 0)])
        .after(std::slice::from_ref(&close)),
        case(
            "fchown of a socket",
            Op::FdChown(1, 10050, 77),
            &[
                "allow_chown socket:[family=2:type=1:protocol=6] 10050",
                "allow_chgrp socket:[family=2:type=1:protocol=6] 77",
            ],
        )
        .before(&[Op::Socket(1, 2, 1, 0)])
        .after(std::slice::from_ref(&close)),
        case("chown of the user", Op::Chown(FILE.to_vec(), 10050, -1), &["allow_chown /tmp/w/file 10050"])
            .happened(|| owner("/tmp/w/file") == (10050, 0)),
        case("chown of the group", Op::Chown(FILE.to_vec(), -1, 77), &["allow_chgrp /tmp/w/file 77"])
            .happened(|| owner("/tmp/w/file") == (0, 77)),
        case(
            "chown of both",
            Op::Chown(FILE.to_vec(), 10050, 77),
            &["allow_chown /tmp/w/file 10050", "allow_chgrp /tmp/w/file 77"],
        )
        .happened(|| owner("/tmp/w/file") == (10050, 77)),
        case(
            "chown to root",
            Op::Chown(FILE.to_vec(), 0, 0),
            &["allow_chown /tmp/w/file 0", "allow_chgrp /tmp/w/file 0"],
        ),
        case(
            "chown follows a link",
            Op::Chown(b"/tmp/w/link".to_vec(), 5, -1),
            &["allow_chown /tmp/w/dir/ 5"],
        )
        .happened(|| owner("/tmp/w/dir") == (5, 0)),
        case(
            "lchown does not",
            Op::Lchown(b"/tmp/w/link".to_vec(), 5, 6),
            &["allow_chown /tmp/w/link 5", "allow_chgrp /tmp/w/link 6"],
        )
        .happened(|| owner("/tmp/w/link") == (5, 6)),
        case("fchown", Op::FdChown(1, 5, 6), &["allow_chown /tmp/w/file 5", "allow_chgrp /tmp/w/file 6"])
            .before(std::slice::from_ref(&hold))
            .after(std::slice::from_ref(&close))
            .happened(|| owner("/tmp/w/file") == (5, 6)),
    ]
}

/// What asks nothing, and ranges.
fn nothing(tap: &mut Tap, table: &mut Table) {
    super::fresh_work();
    table.judge(tap, "chown of neither", &[], &Op::Chown(FILE.to_vec(), -1, -1), 0);
    tap.same("and no record", requests("grant_log").len() + requests("reject_log").len(), 0);
    let set = Op::Chown(FILE.to_vec(), 15, 25);
    table.judge(
        tap,
        "ranges",
        &["allow_chown /tmp/w/file 10-20", "allow_chgrp @A 1", "allow_chgrp /tmp/w/file 20-30"],
        &set,
        0,
    );
    table.judge(
        tap,
        "beyond",
        &["allow_chown /tmp/w/file 10-14", "allow_chgrp /tmp/w/file 0-99"],
        &set,
        EPERM,
    );
    tap.same("nothing has changed", owner("/tmp/w/file"), (15, 25));
    let more = Op::Chown(FILE.to_vec(), 0, 25);
    table.judge(
        tap,
        "group beyond",
        &["allow_chown /tmp/w/file 0", "allow_chgrp /tmp/w/file 26"],
        &more,
        EPERM,
    );
    tap.same("the user has not changed either", owner("/tmp/w/file"), (15, 25));
    table.judge(
        tap,
        "the mode is octal",
        &["allow_chmod /tmp/w/file 600"],
        &Op::Chmod(FILE.to_vec(), 0o600),
        EPERM,
    );
    // Conditions on the file itself.
    table.judge(
        tap,
        "the owner may",
        &["allow_chmod /tmp/w/file 0600-0644 if path1.uid=15 path1.gid=25"],
        &Op::Chmod(FILE.to_vec(), 0o600),
        0,
    );
    table.judge(
        tap,
        "another may not",
        &["allow_chmod /tmp/w/file 0600-0644 if path1.uid=task.uid"],
        &Op::Chmod(FILE.to_vec(), 0o640),
        EPERM,
    );
    // Kernel-internal changes are not chmod: the set-user-id bit goes when a file is written.
    table.free(tap, &Op::Chmod(FILE.to_vec(), 0o4755));
    table.free(tap, &Op::Chown(FILE.to_vec(), 0, 0));
    table.judge(tap, "opening for writing", &["allow_write /tmp/w/file"], &Op::Open(FILE.to_vec(), 1, 0), 0);
}
