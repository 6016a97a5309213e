// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the fuzz target `image` does with its bytes: images with a right header around a payload that may be anything.
//!
//! A random payload is no policy. So most payloads are those of made policies, changed in some places: bytes, and whole
//! ranges, so that words and counts can come and go together.

use sekisho_core::policy::{Cursor, Policy};
use sekisho_core::wire;

use crate::acl::Words;
use crate::choices::Choices;
use crate::compare::one;
use crate::policy::policy;
use crate::target::{memory, print, reads_back, write};

/// The first byte says what the payload is: if it is even, the other bytes themselves; if it is odd, that of a policy
/// which the first half of them makes, changed as the next quarter says, whose first byte says how often. The last quarter
/// makes requests.
///
/// What the loader accepts must be the policy that it says: the same image again, texts that read back, the same answers
/// of engine and oracle, and nothing that is left when all of it is deleted.
///
/// # Errors
/// What does not hold.
pub fn check(bytes: &[u8]) -> Result<(), String> {
    let Some((kind, bytes)) = bytes.split_first() else {
        return Ok(());
    };
    let mut choices = Choices::from_bytes(bytes);
    let mut payload = bytes.to_vec();
    let mut compiled = None;
    if kind % 2 == 1 {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let (changes, requests) = second.split_at(second.len() / 2);
        let made = policy(&mut Choices::from_bytes(first));
        payload = wire::compile(&made.policy).map_err(memory)?.get(wire::HEADER..).unwrap_or(&[]).to_vec();
        compiled = Some(payload.clone());
        let mut changes = Choices::from_bytes(changes);
        for _ in 0..changes.below(8) {
            change(&mut changes, &mut payload);
        }
        choices = Choices::from_bytes(requests);
    }
    let image = wrap(&payload);
    // What is no image at all.
    if wire::load(&payload, 1, 0).is_ok() && !payload.starts_with(b"SEKISHO") {
        return Err("accepted without a header".to_owned());
    }
    match wire::load(&image, 1, 0) {
        Ok(policy) => holds(&mut choices, &policy, &image),
        Err(error) if error.flaw.message().is_empty() || error.offset > image.len() => {
            Err(format!("an error at {} that says nothing", error.offset))
        }
        Err(error) if compiled.as_ref() == Some(&payload) => {
            Err(format!("its own image is refused: {}", error.flaw.message()))
        }
        Err(_) => Ok(()),
    }
}

/// An image with this payload.
fn wrap(payload: &[u8]) -> Vec<u8> {
    let mut image = b"SEKISHO".to_vec();
    image.push(wire::VERSION);
    image.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    image.extend_from_slice(&wire::sha256::digest(payload));
    image.extend_from_slice(payload);
    image
}

/// Changes one place of a payload. A count in front of what comes or goes is a place of its own.
pub fn change(choices: &mut Choices<'_>, payload: &mut Vec<u8>) {
    let kind = choices.below(7);
    let place = choices.below((payload.len() as u64).max(257)) as usize % payload.len().max(1);
    let mut end = |most: u64| (place + 1 + choices.below(most) as usize).min(payload.len());
    match kind {
        0 => {
            let bytes: Vec<u8> = (0..=choices.below(8)).map(|_| choices.below(256) as u8).collect();
            payload.splice(place..place, bytes);
        }
        1 => {
            let end = end(32);
            payload.drain(place.min(end)..end);
        }
        2 => {
            let end = end(64);
            payload.extend_from_within(place.min(end)..end);
            let len = end - place.min(end);
            payload[end..].rotate_right(len);
        }
        // A word behind its length, twice.
        3 => {
            let len = payload.get(place).map_or(0, |len| usize::from(*len) + 1);
            let word = payload.get(place..place + len).unwrap_or(&[]).to_vec();
            payload.splice(place..place, word);
        }
        _ => {
            let by = choices.below(256) as u8;
            if let Some(byte) = payload.get_mut(place) {
                match kind {
                    4 => *byte ^= by,
                    5 => *byte = byte.wrapping_add(1),
                    _ => *byte = byte.wrapping_sub(1),
                }
            }
        }
    }
}

/// A policy that was loaded from an image.
fn holds(choices: &mut Choices<'_>, policy: &Policy, image: &[u8]) -> Result<(), String> {
    if wire::compile(policy).map_err(memory)?[..] != image[..] {
        return Err("another image than the one that was loaded".to_owned());
    }
    reads_back(policy)?;
    let mut edit = policy.edit().map_err(memory)?;
    if edit.activate().is_ok() {
        let active = edit.commit();
        let words = Words::of(&active).map_err(memory)?;
        for (id, _) in active.domains() {
            for _ in 0..12 {
                one(choices, &active, id, &words, &|_, _, _| Ok(()))?;
            }
        }
    }
    empties(policy)
}

/// All that the policy says can be deleted, and then nothing of it is left.
fn empties(policy: &Policy) -> Result<(), String> {
    let mut edit = policy.edit().map_err(memory)?;
    let mut cursor = Cursor::default();
    for file in *b"ed" {
        for line in print(policy, file).map_err(memory)?.split(|byte| *byte == b'\n') {
            let mut line = line.to_vec();
            let is_attribute = [&b"<kernel>"[..], b"use_profile "].iter().any(|head| line.starts_with(head));
            if !line.is_empty() && !is_attribute {
                line.splice(..0, *b"delete ");
            }
            write(&mut edit, &mut cursor, file, &line)
                .map_err(|error| format!("{error}: {}", line.escape_ascii()))?;
        }
    }
    edit.collect(u32::MAX).map_err(memory)?;
    let empty = edit.commit();
    let text = print(&empty, b'e').map_err(memory)?;
    let entries: u32 = empty.domains().map(|(_, domain)| domain.acl_count()).sum();
    if !text.is_empty() || entries > 0 || empty.has_garbage() {
        return Err("something is left when everything is deleted".to_owned());
    }
    // Loaded from its own image, it owes nothing to what was there before.
    let image = wire::compile(&empty).map_err(memory)?;
    let again = wire::load(&image, 1, 0).map_err(|error| error.flaw.message().to_owned())?;
    if again.memory() != empty.memory() {
        return Err(format!("{} bytes are left of {}", empty.memory(), again.memory()));
    }
    Ok(())
}
