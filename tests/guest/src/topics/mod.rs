// SPDX-License-Identifier: MIT OR Apache-2.0
//! The topics. Each leaves the policy as it found it, so their order does not matter and the last one can check that.

mod attributes;
mod audit;
mod boot;
mod capabilities;
mod conditions;
mod corpus;
mod coverage;
mod datagrams;
mod dirops;
mod domains;
mod elsewhere;
mod everything;
mod exec;
mod files;
mod files_poll;
mod flags;
mod garbage;
mod handlers;
mod interface;
mod ioctls;
mod lifetime;
mod logs;
mod manager;
mod meminfo;
mod messages;
mod modes;
mod mounts;
mod names;
mod namespaces;
mod network;
mod newmounts;
mod open;
mod paths;
mod programs;
mod query;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
mod raw;
mod resolver;
mod signals;
mod states;
mod status;
mod stress;
mod table;
mod transaction;
mod transit;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod uring;

use std::fs;
use std::io;
use std::path::Path;

use guest::kernel::DRIVER;
use guest::tap::Tap;

/// The folder in which subjects act.
const WORK: &str = "/tmp/w";

/// Runs all.
pub fn run(tap: &mut Tap) {
    boot::run(tap);
    let start = (guest::kernel::read("domain_policy"), guest::kernel::read("exception_policy"));
    files::run(tap);
    open::run(tap);
    dirops::run(tap);
    attributes::run(tap);
    ioctls::run(tap);
    mounts::run(tap);
    network::run(tap);
    datagrams::run(tap);
    capabilities::run(tap);
    signals::run(tap);
    exec::run(tap);
    programs::run(tap);
    handlers::run(tap);
    transit::run(tap);
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
    raw::run(tap);
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    uring::run(tap);
    newmounts::run(tap);
    states::run(tap);
    modes::run(tap);
    everything::run(tap);
    names::run(tap);
    namespaces::run(tap);
    paths::run(tap);
    conditions::run(tap);
    corpus::run(tap);
    coverage::run(tap);
    domains::run(tap);
    interface::run(tap);
    manager::run(tap);
    logs::run(tap);
    files_poll::run(tap);
    audit::run(tap);
    meminfo::run(tap);
    messages::run(tap);
    status::run(tap);
    elsewhere::run(tap);
    transaction::run(tap);
    query::run(tap);
    lifetime::run(tap);
    resolver::run(tap);
    stress::run(tap);
    garbage::run(tap);
    tap.topic("end");
    tap.same("domain_policy is what it was", guest::kernel::read("domain_policy"), start.0);
    tap.same("exception_policy is what it was", guest::kernel::read("exception_policy"), start.1);
    tap.same("nothing failed closed", guest::kernel::stat("fail_closed"), 0);
}

/// The domain of a subject that the driver starts.
fn domain_of(program: &str) -> String {
    format!("{DRIVER} {program}")
}

/// An empty work folder with: `file` ("data"), `dir/`, `full/inner`, `link` -> dir, `program` (a subject).
fn fresh_work() {
    clear(Path::new(WORK)).unwrap_or_else(|e| panic!("cannot empty {WORK}: {e}"));
    let make = || -> io::Result<()> {
        fs::create_dir_all(format!("{WORK}/dir"))?;
        fs::create_dir_all(format!("{WORK}/full"))?;
        fs::write(format!("{WORK}/file"), "data")?;
        fs::write(format!("{WORK}/full/inner"), "data")?;
        std::os::unix::fs::symlink("dir", format!("{WORK}/link"))
    };
    make().unwrap_or_else(|e| panic!("cannot fill {WORK}: {e}"));
    guest::subject::install(&format!("{WORK}/program"));
}

fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
