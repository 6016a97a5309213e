// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the fuzz targets do with their bytes. It is here and not in the targets, so that a normal test can run every
//! input that once broke something.

use sekisho_core::edit::{Edit, EditError};
use sekisho_core::engine::decide;
use sekisho_core::facts::Facts;
use sekisho_core::mem::{OutOfMemory, Vec as Text};
use sekisho_core::name::Name;
use sekisho_core::oracle;
use sekisho_core::policy::{Cursor, Policy};
use sekisho_core::request::{PathOp, Request};
use sekisho_core::task::Task;
use sekisho_core::wire;

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
                edit.collect().map_err(memory)?;
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
    edit.collect().map_err(memory)?;
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

/// An image behind a right header. The first byte says what its payload is: if it is even, the other bytes themselves; if it
/// is odd, that of a policy which the first half of them makes, changed as the second half says: three bytes each for a
/// place and a value.
/// What the loader accepts must be the policy that it says: the same image again, texts that read back, and the same
/// answers of engine and oracle.
///
/// # Errors
/// What does not hold.
pub fn image(bytes: &[u8]) -> Result<(), String> {
    let Some((kind, bytes)) = bytes.split_first() else {
        return Ok(());
    };
    let mut payload = bytes.to_vec();
    let mut compiled = None;
    if kind % 2 == 1 {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let made = policy(&mut Choices::from_bytes(first));
        payload = wire::compile(&made.policy).map_err(memory)?.get(wire::HEADER..).unwrap_or(&[]).to_vec();
        compiled = Some(payload.clone());
        for change in second.chunks_exact(3) {
            let place = usize::from(u16::from_le_bytes([change[0], change[1]])) % payload.len().max(1);
            if let Some(byte) = payload.get_mut(place) {
                *byte ^= change[2];
            }
        }
    }
    let mut image = b"SEKISHO".to_vec();
    image.push(wire::VERSION);
    image.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    image.extend_from_slice(&wire::sha256::digest(&payload));
    image.extend_from_slice(&payload);
    // What is no image at all.
    if wire::load(&payload, 1, 0).is_ok() && !payload.starts_with(b"SEKISHO") {
        return Err("accepted without a header".to_owned());
    }
    let policy = match wire::load(&image, 1, 0) {
        Ok(policy) => policy,
        Err(error) if error.flaw.message().is_empty() || error.offset > image.len() => {
            return Err(format!("an error at {} that says nothing", error.offset));
        }
        Err(error) if compiled.as_ref() == Some(&payload) => {
            return Err(format!("its own image is refused: {}", error.flaw.message()));
        }
        Err(_) => return Ok(()),
    };
    if wire::compile(&policy).map_err(memory)?[..] != image[..] {
        return Err("another image than the one that was loaded".to_owned());
    }
    reads_back(&policy)?;
    let mut edit = policy.edit().map_err(memory)?;
    if edit.activate().is_err() {
        return Ok(());
    }
    let policy = edit.commit();
    let task = Task::default();
    let facts = Facts::new(&task);
    for (id, _) in policy.domains() {
        for name in ["/", "/a", "/a/b", "/lib/x1.so", "/a/23/f/", "a", "pipe:[1]"] {
            let path = Name::new(name.as_bytes()).ok_or("no name")?;
            for op in [PathOp::Read, PathOp::Write, PathOp::Execute] {
                let request = Request::Path { op, path };
                let answers =
                    (decide(&policy, id, &facts, &request), oracle::decide(&policy, id, &facts, &request));
                if answers.0 != answers.1 {
                    return Err(format!("{name}: engine {:?}, oracle {:?}", answers.0, answers.1));
                }
            }
        }
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

fn memory(_: OutOfMemory) -> String {
    "out of memory".to_owned()
}
