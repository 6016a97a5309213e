// SPDX-License-Identifier: MIT OR Apache-2.0
//! The cache outside of the checkout, and stamps: what was built from which inputs.
//!
//! A stamp is a file beside a result that holds the hash of everything the result was made from. A verb compares it
//! before it works, so a second run that changes nothing does nothing, also in a fresh clone.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{bail, Context, Result};
use sha2::{Digest, Sha256};

/// `$SEKISHO_CACHE`, else `~/.cache/sekisho`.
pub fn root() -> PathBuf {
    if let Some(dir) = std::env::var_os("SEKISHO_CACHE") {
        return dir.into();
    }
    let home = std::env::var_os("HOME").unwrap_or_else(|| "/root".into());
    Path::new(&home).join(".cache/sekisho")
}

/// A folder of the cache, made if it is missing.
pub fn dir(name: &str) -> Result<PathBuf> {
    let path = root().join(name);
    fs::create_dir_all(&path).with_context(|| format!("cannot make the cache folder {}", path.display()))?;
    Ok(path)
}

/// The checkout.
pub fn root_of_project() -> PathBuf {
    // cargo tells it at run time too: a cached binary may have been built in another checkout.
    let own = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&own).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Collects the inputs of one result.
#[derive(Clone)]
pub struct Inputs(Sha256);

impl Inputs {
    /// `recipe` is a word for the way of making; change it when the code that makes the result changes.
    pub fn new(recipe: &str) -> Self {
        let mut inputs = Self(Sha256::new());
        inputs.text(recipe);
        inputs
    }

    /// Adds a string.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Adds bytes; the length goes first so that two neighbours cannot be mistaken for two others.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Adds the content of a file.
    pub fn file(&mut self, path: &Path) -> Result<()> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        self.bytes(&bytes);
        Ok(())
    }

    /// Adds names and contents of all files below `path`, in order; `target` folders and editors' leftovers are skipped.
    pub fn tree(&mut self, path: &Path) -> Result<()> {
        for file in files_below(path)? {
            self.text(&file.strip_prefix(path).unwrap_or(&file).to_string_lossy());
            self.file(&file)?;
        }
        Ok(())
    }

    /// The hash as hexadecimal digits.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

/// All files below `path` (or `path` itself), sorted.
pub fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    let entries = fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            if name != "target" {
                found.extend(files_below(&entry.path())?);
            }
        } else if !name.to_string_lossy().ends_with('~') {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Hash of a file, for downloads.
pub fn sha256(path: &Path) -> Result<String> {
    let mut file = fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(buffer.get(..count).unwrap_or_default());
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stamp_of(result: &Path) -> PathBuf {
    let mut name = result.as_os_str().to_owned();
    name.push(".stamp");
    name.into()
}

/// Whether `result` exists and was made from inputs with this hash.
pub fn is_fresh(result: &Path, inputs: &str) -> bool {
    result.exists() && fs::read_to_string(stamp_of(result)).is_ok_and(|text| text == inputs)
}

/// Notes that `result` was made from inputs with this hash.
pub fn note_fresh(result: &Path, inputs: &str) -> Result<()> {
    let stamp = stamp_of(result);
    fs::write(&stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Forgets the stamp, before work begins that may stop half-way.
pub fn forget(result: &Path) {
    drop(fs::remove_file(stamp_of(result)));
}

/// Runs a program to its end; its output is shown only if it fails.
pub fn run_quietly(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {name}; is the Debian package that has it installed?"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed ({}):\n{text}{errors}", output.status);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_kept_apart() {
        let hash = |words: &[&str]| {
            let mut inputs = Inputs::new("test");
            words.iter().for_each(|word| inputs.text(word));
            inputs.finish()
        };
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_eq!(hash(&["ab", "c"]), hash(&["ab", "c"]));
    }
}
