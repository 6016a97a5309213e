// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes the list of the case files, so that a program in a guest has them all without a file system.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let variable = |name| env::var(name).map_err(io::Error::other);
    let folder = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("policy");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".case") {
            names.push(name);
        }
    }
    names.sort();
    let mut list = String::from("[\n");
    for name in &names {
        let path = folder.join(name);
        writeln!(list, "    ({name:?}, include_str!({path:?})),").map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    println!("cargo:rerun-if-changed={}", folder.display());
    fs::write(Path::new(&variable("OUT_DIR")?).join("files.rs"), list)
}
