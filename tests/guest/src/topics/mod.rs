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
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
mod disguise;
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
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
mod limits;
mod logs;
mod manager;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
mod mappings;
mod meminfo;
mod messages;
mod modes;
mod mounts;
mod names;
mod namespaces;
mod network;
mod newmounts;
mod open;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
mod owners;
mod paths;
mod penalty;
mod programs;
mod query;
mod queued;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
mod raw;
mod resolver;
mod server;
mod signals;
mod states;
mod status;
mod stress;
mod table;
mod transaction;
mod transit;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod uring;
mod waiting;

use std::fs;
use std::io;
use std::path::Path;

use guest::kernel::DRIVER;
use guest::tap::Tap;

/// The folder in which subjects act.
const WORK: &str = "/tmp/w";

/// What a topic runs.
type Topic = fn(&mut Tap);

/// A name and what it runs, in the order in which they run. What every topic needs to be right comes first.
const TOPICS: &[(&str, Topic)] = &[
    ("boot", boot::run),
    ("files", files::run),
    ("open", open::run),
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
    ("mappings", mappings::run),
    ("server", server::run),
    ("dirops", dirops::run),
    ("attributes", attributes::run),
    ("ioctls", ioctls::run),
    ("mounts", mounts::run),
    ("network", network::run),
    ("datagrams", datagrams::run),
    ("queued", queued::run),
    ("capabilities", capabilities::run),
    ("signals", signals::run),
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
    ("owners", owners::run),
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
    ("limits", limits::run),
    ("exec", exec::run),
    ("programs", programs::run),
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
    ("disguise", disguise::run),
    ("handlers", handlers::run),
    ("transit", transit::run),
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
    ("raw", raw::run),
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    ("uring", uring::run),
    ("newmounts", newmounts::run),
    ("states", states::run),
    ("modes", modes::run),
    ("everything", everything::run),
    ("names", names::run),
    ("namespaces", namespaces::run),
    ("paths", paths::run),
    ("conditions", conditions::run),
    ("corpus", corpus::run),
    ("coverage", coverage::run),
    ("domains", domains::run),
    ("interface", interface::run),
    ("manager", manager::run),
    ("logs", logs::run),
    ("files_poll", files_poll::run),
    ("audit", audit::run),
    ("meminfo", meminfo::run),
    ("messages", messages::run),
    ("status", status::run),
    ("elsewhere", elsewhere::run),
    ("transaction", transaction::run),
    ("query", query::run),
    ("waiting", waiting::run),
    ("penalty", penalty::run),
    ("lifetime", lifetime::run),
    ("resolver", resolver::run),
    ("stress", stress::run),
    ("garbage", garbage::run),
];

/// Runs all, or those of these names, which have commas between them.
pub fn run(tap: &mut Tap, only: Option<&str>) {
    let wanted = |name: &str| only.is_none_or(|only| only.split(',').any(|only| only == name));
    let chosen: Vec<_> = TOPICS.iter().filter(|(name, _)| wanted(name)).collect();
    if let (Some(only), true) = (only, chosen.is_empty()) {
        return tap.check("there is such a topic", false, || only.to_owned());
    }
    let mut start = None;
    for (name, topic) in chosen {
        // The first one changes the policy for good.
        if *name != "boot" {
            start.get_or_insert_with(policy);
        }
        let closed = guest::kernel::stat("fail_closed");
        topic(tap);
        let after = guest::kernel::stat("fail_closed");
        if after != closed {
            tap.same(&format!("{name}: failed closed so often"), after - closed, 0);
        }
    }
    let Some((domains, exceptions)) = start else { return };
    tap.topic("end");
    tap.same("domain_policy is what it was", guest::kernel::read("domain_policy"), domains);
    tap.same("exception_policy is what it was", guest::kernel::read("exception_policy"), exceptions);
    tap.same("nothing failed closed", guest::kernel::stat("fail_closed"), 0);
}

fn policy() -> (String, String) {
    (guest::kernel::read("domain_policy"), guest::kernel::read("exception_policy"))
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
