// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask hooks`: SECURITY.md says of every hook that the kernel has what is asked there, or why nothing is.
//!
//! A hook that a newer kernel brings may be a way around; it must be looked at before it can be named in the table, and the
//! table must say what the code does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{bail, ensure, Context, Result};

use crate::{cache, kernel};

/// Compares the table with the kernel's header and with the code.
pub fn check() -> Result<()> {
    let project = cache::root_of_project();
    let read =
        |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let table = Table::read(&read(&project.join("SECURITY.md"))?)?;
    let header = defined(&read(&kernel::prepared_source()?.join("include/linux/lsm_hook_defs.h"))?);
    let code = registered(&read(&project.join("kmod/lsm/sys/hook_table.rs"))?);
    let trouble = table.differences(&header, &code);
    if !trouble.is_empty() {
        bail!("SECURITY.md, \"Hook by hook\":\n{}", trouble.join("\n"));
    }
    println!("{} hooks, {} of them used; SECURITY.md names them all", header.len(), code.len());
    Ok(())
}

/// The hooks of `lsm_hook_defs.h`: `LSM_HOOK(return type, default value, name, ...)`, perhaps on several lines.
fn defined(header: &str) -> BTreeSet<String> {
    header
        .split("LSM_HOOK(")
        .skip(1)
        .filter_map(|rest| rest.split(',').nth(2))
        .map(|name| name.trim().trim_end_matches(')').to_owned())
        // The header explains and defines the macro, too.
        .filter(|name| {
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        })
        .collect()
}

/// The hooks in the list `hook_table!( ... )`.
fn registered(code: &str) -> BTreeSet<String> {
    let list =
        code.split("\nhook_table!(").nth(1).and_then(|rest| rest.split("\n);").next()).unwrap_or_default();
    list.lines().filter_map(|line| line.split_once(" = ")).map(|(hook, _)| hook.trim().to_owned()).collect()
}

/// What SECURITY.md says.
struct Table {
    used: Vec<String>,
    unused: Vec<String>,
}

impl Table {
    fn read(text: &str) -> Result<Table> {
        let section = text
            .split("\n## Hook by hook\n")
            .nth(1)
            .and_then(|rest| rest.split("\n## ").next())
            .context("SECURITY.md has no section \"Hook by hook\"")?;
        let (used, unused) = section
            .split_once("| hook | not asked")
            .context("SECURITY.md has no table of hooks that are not asked")?;
        let table = Table { used: names(used), unused: names(unused) };
        ensure!(
            !table.used.is_empty() && !table.unused.is_empty(),
            "a table of hooks in SECURITY.md is empty"
        );
        Ok(table)
    }

    fn differences(&self, header: &BTreeSet<String>, code: &BTreeSet<String>) -> Vec<String> {
        let all: Vec<&String> = self.used.iter().chain(&self.unused).collect();
        let mut trouble = Vec::new();
        for hook in header.iter().filter(|hook| !all.contains(hook)) {
            trouble.push(format!("{hook} is missing: say what is asked there, or why nothing is"));
        }
        for (place, hook) in all.iter().enumerate() {
            if !header.contains(*hook) {
                trouble.push(format!("{hook} is no hook of this kernel"));
            }
            if all.iter().skip(place + 1).any(|other| other == hook) {
                trouble.push(format!("{hook} stands there twice"));
            }
        }
        for hook in code.iter().filter(|hook| !self.used.contains(hook)) {
            trouble.push(format!("{hook} is used, but not said to be"));
        }
        for hook in self.used.iter().filter(|hook| !code.contains(*hook)) {
            trouble.push(format!("{hook} is said to be used, but is not"));
        }
        trouble
    }
}

/// The names in backquotes in the first column of a table.
fn names(table: &str) -> Vec<String> {
    table
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split(" | ").next())
        .flat_map(|column| column.split('`').step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .filter(|name| !name.is_empty() && name != ", ")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "LSM_HOOK(int, 0, file_open, struct file *file)\nLSM_HOOK(void, LSM_RET_VOID, task_free,\n\t struct task_struct *task)\nLSM_HOOK(int, 0, bpf, int cmd)\n";
    const CODE: &str =
        "x\nhook_table!(\n    file_open = file_open,\n    #[cfg(CONFIG_X)]\n    task_free = a::b,\n);\n";
    const TEXT: &str = "a\n## Hook by hook\n\n| hook | asked as |\n|---|---|\n| `file_open`, `task_free` | `allow_read` |\n\n| hook | not asked, because |\n|---|---|\n| `bpf` | no |\n\n## Next\n";

    fn differences(text: &str) -> Vec<String> {
        Table::read(text).unwrap().differences(&defined(HEADER), &registered(CODE))
    }

    #[test]
    fn a_table_that_says_what_is() {
        assert_eq!(differences(TEXT), Vec::<String>::new());
    }

    #[test]
    fn what_differs_is_told() {
        assert_eq!(differences(&TEXT.replace("`bpf`", "`bpf_map`")).len(), 2);
        assert_eq!(differences(&TEXT.replace("`bpf`", "`bpf`, `bpf`")), ["bpf stands there twice"]);
        let moved =
            TEXT.replace("`file_open`, `task_free`", "`file_open`").replace("`bpf`", "`bpf`, `task_free`");
        assert_eq!(differences(&moved), ["task_free is used, but not said to be"]);
        let moved =
            TEXT.replace("`task_free`", "`task_free`, `bpf`").replace("| `bpf` | no |", "| `x` | no |");
        assert_eq!(
            differences(&moved),
            ["x is no hook of this kernel", "bpf is said to be used, but is not"]
        );
    }
}
