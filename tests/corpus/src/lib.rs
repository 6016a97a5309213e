// SPDX-License-Identifier: MIT OR Apache-2.0
//! The policy cases (`README.md` has their format), and what plays them.
//!
//! A case becomes a row of commands to something that answers: `sekisho_core::rehearsal` on the host, or the file
//! `rehearsal` of a kernel under test. So both are asked the same questions by the same code.

mod play;

pub use play::{Outcome, Style};

/// All case files: name and text, with what [`expand`] does not write out yet.
pub const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// One case.
pub struct Case<'t> {
    /// File, line and title.
    pub place: String,
    sections: Vec<Section<'t>>,
}

/// A part of a case.
struct Section<'t> {
    head: &'t str,
    /// The number of the head's line.
    number: usize,
    body: Vec<&'t str>,
}

/// The cases of a file.
///
/// # Errors
/// The text is not one of cases.
pub fn cases<'t>(file: &str, text: &'t str) -> Result<Vec<Case<'t>>, String> {
    let mut cases: Vec<Case<'t>> = Vec::new();
    for (number, line) in (1..).zip(text.split('\n')) {
        if let Some(title) = line.strip_prefix("=== ") {
            cases.push(Case { place: format!("{file}:{number}: {title}"), sections: Vec::new() });
        } else if let Some(case) = cases.last_mut() {
            if let Some(head) = line.strip_prefix("--- ") {
                case.sections.push(Section { head, number, body: Vec::new() });
            } else if let Some(section) = case.sections.last_mut() {
                section.body.push(line);
            } else if !line.is_empty() {
                return Err(format!("{file}:{number}: text before the first section"));
            }
        } else if !line.is_empty() && !line.starts_with('#') {
            return Err(format!("{file}:{number}: text before the first case"));
        }
    }
    Ok(cases)
}

/// Writes out `<<TEXT*N>>`, which is TEXT N times: nobody can count in a word of 4,000 bytes.
///
/// # Errors
/// There is no such number.
pub fn expand(text: &str) -> Result<String, String> {
    let mut parts = text.split("<<");
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (repeated, rest) = part.split_once(">>").ok_or_else(|| format!("no >>: {part}"))?;
        let (unit, times) = repeated.rsplit_once('*').ok_or_else(|| format!("no *: {repeated}"))?;
        all.push_str(&unit.repeat(times.parse().map_err(|_| format!("no number: {repeated}"))?));
        all.push_str(rest);
    }
    Ok(all)
}
