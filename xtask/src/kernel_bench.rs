// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask bench kernel`: what Sekisho adds to system calls, in instructions, beside what it may add.
//!
//! The same kernel boots twice under QEMU's instruction counter, where the guest's clock advances a nanosecond for each
//! instruction: without Sekisho, and with it. `tests/guest/src/cost.rs` measures inside.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{ensure, Context, Result};

use crate::arch::Arch;
use crate::image::{self, Flavour};
use crate::variant::Variant;
use crate::{kernel, qemu};

/// What Sekisho may add, by the name of the measurement; the others are only told.
const BUDGETS: [(&str, i64); 8] = [
    ("inactive: open", 150),
    ("disabled: open", 150),
    ("inactive: read", 0),
    ("disabled: read", 0),
    ("inactive: write", 0),
    ("disabled: write", 0),
    ("enforcing: read", 0),
    ("enforcing: write", 0),
];

/// Measures, prints, and fails when a budget is exceeded.
pub fn run(arch: Arch) -> Result<()> {
    let without = measure(arch, "capability")?;
    let with = measure(arch, "sekisho")?;
    let mut over = Vec::new();
    println!("{:>9} {:>9} {:>9}  {arch}, instructions for each call", "without", "added", "may be");
    for (name, cost) in &with {
        let call = name.split_once(": ").map_or(name.as_str(), |(_, call)| call);
        let base =
            without.get(&format!("inactive: {call}")).with_context(|| format!("no base for {name}"))?;
        let added = cost - base;
        let limit = BUDGETS.iter().find(|(budget, _)| budget == name).map(|(_, limit)| *limit);
        let shown = limit.map_or("stated".into(), |limit| limit.to_string());
        println!("{base:>9} {added:>9} {shown:>9}  {name}");
        if limit.is_some_and(|limit| added > limit) {
            over.push(name.clone());
        }
    }
    ensure!(over.is_empty(), "over budget: {}", over.join(", "));
    Ok(())
}

fn measure(arch: Arch, modules: &str) -> Result<BTreeMap<String, i64>> {
    let boot = qemu::Boot {
        arch,
        name: format!("cost-{modules}"),
        kernel: kernel::build(arch, Variant::Full)?,
        initrd: image::build(arch, Flavour::Test)?,
        cmdline: format!("loglevel=4 lsm={modules} rdinit=/usr/lib/sekisho/guest-tests -- --cost"),
        disk: None,
        timeout: Duration::from_secs(300),
        reboots: false,
        cpus: 1,
        counts: true,
    };
    let mut costs = BTreeMap::new();
    boot.run(|line| {
        let found = line.strip_prefix("# cost ").and_then(|rest| rest.rsplit_once(' '));
        if let Some((name, Ok(cost))) = found.map(|(name, cost)| (name, cost.trim().parse())) {
            costs.insert(name.to_owned(), cost);
        }
    })?;
    ensure!(!costs.is_empty(), "the guest measured nothing with lsm={modules}");
    Ok(costs)
}
