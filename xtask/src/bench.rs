// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask bench core`: what the policy core costs, in instructions, beside what it may cost.
//!
//! `tests/bench` holds the cases and their budgets. Valgrind's callgrind runs it, collects inside of one function and writes
//! one profile a case, so a figure is the same on every run and every machine with the same compiler. The budgets are about
//! the core: what the C library's allocator does (its debts of earlier frees included) is shown beside it and not counted.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{bail, ensure, Context, Result};
use clap::Subcommand;

use crate::arch::Arch;
use crate::cache;
use crate::kernel_bench;
use crate::test::cargo;

/// What to measure.
#[derive(Subcommand)]
pub enum What {
    /// Instructions of the policy core.
    Core {
        /// Only these groups: checks, conditions, worst, patterns, edits, loading, kinds, kinds-loading.
        groups: Vec<String>,
        /// Where to write the same figures as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Instructions that Sekisho adds to system calls.
    Kernel {
        /// The architecture.
        #[arg(long, default_value = "arm")]
        arch: Arch,
    },
}

/// One line of the table.
struct Figure {
    name: String,
    unit: &'static str,
    value: u64,
    /// Instructions of the C library's allocator, which `value` does not contain.
    allocator: u64,
    budget: String,
    limit: Option<u64>,
}

/// Runs it.
pub fn run(what: What) -> Result<()> {
    let (groups, json) = match what {
        What::Core { groups, json } => (groups, json),
        What::Kernel { arch } => return kernel_bench::run(arch),
    };
    let figures = measure(&groups)?;
    println!("{:>12} {:>12} {:>12}  what", "core", "allocator", "may be");
    for figure in &figures {
        let limit = figure.limit.map_or("stated".into(), |limit| limit.to_string());
        let over = if figure.is_over() { "  OVER" } else { "" };
        let Figure { value, allocator, name, unit, .. } = figure;
        println!("{value:>12} {allocator:>12} {limit:>12}  {name} ({unit}){over}");
    }
    if let Some(path) = json {
        let list: Vec<serde_json::Value> = figures
            .iter()
            .map(|figure| {
                serde_json::json!({
                    "name": figure.name,
                    "unit": figure.unit,
                    "value": figure.value,
                    "allocator": figure.allocator,
                    "budget": figure.budget,
                    "limit": figure.limit,
                })
            })
            .collect();
        let text = serde_json::to_string_pretty(&list)?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let over = figures.iter().filter(|figure| figure.is_over()).count();
    ensure!(over == 0, "{over} of {} figures are over their budget", figures.len());
    Ok(())
}

impl Figure {
    fn is_over(&self) -> bool {
        self.limit.is_some_and(|limit| self.value > limit)
    }
}

fn measure(groups: &[String]) -> Result<Vec<Figure>> {
    cargo(&["build", "--quiet", "--locked", "--profile", "counted", "--package", "sekisho-bench"])?;
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| cache::root_of_project().join("target"), PathBuf::from);
    let folder = cache::dir("bench")?;
    for old in cache::files_below(&folder)? {
        std::fs::remove_file(old)?;
    }
    let profile = folder.join("profile");
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--collect-atstart=no", "--compress-strings=no"])
        .arg("--toggle-collect=sekisho_bench::measured_section")
        .arg("--dump-after=sekisho_bench::measured_section")
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(target.join("counted/sekisho-bench"))
        .args(groups);
    let output = cache::run_quietly(&mut command).context("run apt-get install valgrind if it is missing")?;
    let mut figures: Vec<Figure> = Vec::new();
    let mut values: HashMap<String, u64> = HashMap::new();
    let mut parts = 0;
    let mut empty = None;
    for line in output.lines() {
        let mut columns = line.split('\t');
        let (Some(unit), Some(value), Some(name), Some(budget)) =
            (columns.next(), columns.next(), columns.next(), columns.next())
        else {
            continue;
        };
        let (unit, value, allocator) = if unit == "instructions" {
            parts += 1;
            let (core, allocator) = read_profile(&folder.join(format!("profile.{parts}")))?;
            let of_counting = *empty.get_or_insert(core);
            ("instructions", core.saturating_sub(of_counting), allocator)
        } else {
            ("bytes", value.parse()?, 0)
        };
        values.insert(name.into(), value);
        let limit = limit(budget, &values)?;
        figures.push(Figure { name: name.into(), unit, value, allocator, budget: budget.into(), limit });
    }
    ensure!(figures.len() > 1, "no case was measured; is a group of that name there?");
    Ok(figures)
}

/// The budget as a number.
fn limit(budget: &str, values: &HashMap<String, u64>) -> Result<Option<u64>> {
    if let Some(most) = budget.strip_prefix("at-most ") {
        return Ok(Some(most.parse()?));
    }
    let mut words = budget.splitn(3, ' ');
    let (Some(kind), Some(number), Some(base)) = (words.next(), words.next(), words.next()) else {
        return Ok(None);
    };
    let base = values.get(base).with_context(|| format!("there is no case {base} before this one"))?;
    let number: u64 = number.parse()?;
    match kind {
        "percent" => Ok(Some(base * number / 100)),
        "more" => Ok(Some(base + number)),
        _ => bail!("the budget {budget} is none that this version knows"),
    }
}

/// Sums up a profile: instructions of the program, and those of the C library's allocator.
///
/// The format is in callgrind's manual: `fn=` names the function that the following lines belong to; the line behind a
/// `calls=` line is what the called function cost, which stands under that function already.
fn read_profile(path: &Path) -> Result<(u64, u64)> {
    let text = std::fs::read_to_string(path).with_context(|| format!("no profile {}", path.display()))?;
    let (mut core, mut allocator) = (0, 0);
    let mut in_allocator = false;
    let mut is_call = false;
    for line in text.lines() {
        if let Some(function) = line.strip_prefix("fn=") {
            in_allocator = is_allocator(function);
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok()).unwrap_or(0);
            match (std::mem::take(&mut is_call), in_allocator) {
                (true, _) => {}
                (false, true) => allocator += cost,
                (false, false) => core += cost,
            }
        }
    }
    Ok((core, allocator))
}

fn is_allocator(function: &str) -> bool {
    const NAMES: [&str; 10] = [
        "malloc",
        "calloc",
        "realloc",
        "free",
        "_int_malloc",
        "_int_free",
        "_int_realloc",
        "malloc_consolidate",
        "unlink_chunk",
        "sysmalloc",
    ];
    let name = function.split(['.', '@', '\'']).next().unwrap_or(function);
    NAMES.contains(&name) || function.contains("__rdl_")
}

#[cfg(test)]
mod tests {
    use super::{is_allocator, limit};
    use std::collections::HashMap;

    #[test]
    fn budgets() {
        let values = HashMap::from([("hit, a b".to_owned(), 570)]);
        assert_eq!(limit("stated", &values).unwrap(), None);
        assert_eq!(limit("at-most 600", &values).unwrap(), Some(600));
        assert_eq!(limit("percent 110 hit, a b", &values).unwrap(), Some(627));
        assert_eq!(limit("more 40 hit, a b", &values).unwrap(), Some(610));
        assert!(limit("percent 110 hit, c", &values).is_err());
    }

    #[test]
    fn the_allocator_is_known() {
        assert!(is_allocator("_int_malloc") && is_allocator("unlink_chunk.constprop.0"));
        assert!(!is_allocator("sekisho_core::map::insert'2") && !is_allocator("__memcpy_avx_unaligned_erms"));
    }
}
