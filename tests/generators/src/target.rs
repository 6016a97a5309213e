// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the fuzz targets `text` and `engine` do with their bytes; `image` is in [`crate::image`]. It is here and not in the
//! targets, so that a normal test can run every input that once broke something.

use sekisho_core::edit::{Edit, EditError};
use sekisho_core::mem::{OutOfMemory, Vec as Text};
use sekisho_core::policy::{Cursor, Policy};

use crate::choices::Choices;
use crate::compare::{requests, Tally};
use crate::policy::policy;

/// Policy files in the order in which they are loaded: by the letter that lines begin with.
const FILES: [u8; 4] = *b"pmed";

/// Bytes as lines. The first byte of a line says what it is for: `e`xception, `p`rofile, `m`anager, `c`ommit,
/// `a`ctivate, and everything else domain_policy. Whatever is accepted must print, read back, and print the same; an
/// error names a column of the line, or the one behind it.
///
/// # Errors
/// What does not hold.
pub fn text(bytes: &[u8]) -> Result<(), String> {
    let mut edit = Policy::new().and_then(|policy| policy.edit()).map_err(memory)?;
    let mut cursor = Cursor::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some((file, line)) = line.split_first() else {
            continue;
        };
        match file {
            b'c' => {
                edit.collect(u32::MAX).map_err(memory)?;
                edit = edit.commit().edit().map_err(memory)?;
            }
            b'a' => drop(edit.activate()),
            _ => {
                let before = edit.policy().memory();
                match write(&mut edit, &mut cursor, *file, line) {
                    Err(EditError::Parse(error)) => {
                        if error.column == 0 || error.column as usize > line.len() + 1 {
                            return Err(format!("column {}: {}", error.column, line.escape_ascii()));
                        }
                        if error.reason.message().is_empty() {
                            return Err(format!("no reason: {}", line.escape_ascii()));
                        }
                        // What is shared only in part after a copy may be counted anew, but a line that does nothing
                        // must not make the policy larger.
                        if edit.policy().memory() > before {
                            return Err(format!("a rejected line takes memory: {}", line.escape_ascii()));
                        }
                    }
                    Err(error) => return Err(format!("{error}: {}", line.escape_ascii())),
                    Ok(()) => {}
                }
            }
        }
    }
    edit.collect(u32::MAX).map_err(memory)?;
    reads_back(&edit.commit())
}

/// What a policy prints is accepted by an empty one, and prints the same there.
///
/// # Errors
/// What does not hold.
pub fn reads_back(policy: &Policy) -> Result<(), String> {
    let mut edit = Policy::new().and_then(|policy| policy.edit()).map_err(memory)?;
    let mut cursor = Cursor::default();
    let mut texts = Vec::new();
    for file in FILES {
        let text = print(policy, file).map_err(memory)?;
        for line in text.split(|byte| *byte == b'\n') {
            write(&mut edit, &mut cursor, file, line)
                .map_err(|error| format!("printed, not accepted ({error}): {}", line.escape_ascii()))?;
        }
        texts.push(text);
    }
    let again = edit.commit();
    for (file, text) in FILES.iter().zip(texts) {
        let second = print(&again, *file).map_err(memory)?;
        if second[..] != text[..] {
            return Err(format!(
                "printed:\n{}\nand when that is read:\n{}",
                String::from_utf8_lossy(&text),
                String::from_utf8_lossy(&second)
            ));
        }
    }
    Ok(())
}

/// The first half of the bytes makes a policy, the second half requests: engine and oracle must agree.
///
/// # Errors
/// The difference.
pub fn engine(bytes: &[u8]) -> Result<(), String> {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let made = policy(&mut Choices::from_bytes(first));
    let mut choices = Choices::from_bytes(second);
    let mut tally = Tally::default();
    requests(&mut choices, &made, 4, &mut tally)?;
    while choices.has_bytes() && tally.done < 60 {
        requests(&mut choices, &made, 1, &mut tally)?;
    }
    Ok(())
}

/// Writes a line to the file with that letter.
///
/// # Errors
/// Those of the line.
pub fn write(edit: &mut Edit, cursor: &mut Cursor, file: u8, line: &[u8]) -> Result<(), EditError> {
    match file {
        b'e' => edit.exception_policy_line(line),
        b'p' => edit.profile_line(line),
        b'm' => edit.manager_line(line),
        _ => edit.domain_policy_line(cursor, line),
    }
}

/// Prints the file with that letter.
///
/// # Errors
/// Out of memory.
pub fn print(policy: &Policy, file: u8) -> Result<Text<u8>, OutOfMemory> {
    let mut text = Text::new();
    match file {
        b'e' => policy.print_exception_policy(&mut text)?,
        b'p' => policy.print_profiles(&mut text)?,
        b'm' => policy.print_managers(&mut text)?,
        _ => policy.print_domain_policy(&mut text)?,
    }
    Ok(text)
}

pub(crate) fn memory(_: OutOfMemory) -> String {
    "out of memory".to_owned()
}
