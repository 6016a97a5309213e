// SPDX-License-Identifier: GPL-2.0-only

//! `query`: questions to an observer, who answers `A<serial>=<n>` (reference 9.4). The questions are in `crate::query`.

use super::lines;
use super::open_file::State;
use super::OpenFile;
use crate::query::{self, Answer};
use crate::{errors, Result};
use sekisho_core::mem::Vec;

/// From now on the open description counts as an observer, and whoever would be refused asks.
pub(super) fn open(file: &mut OpenFile) -> Result {
    query::observer_came();
    file.state = State::Query(None);
    Ok(())
}

pub(super) fn close(file: &mut OpenFile) {
    if matches!(file.state, State::Query(_)) {
        query::observer_left();
    }
}

/// The question behind the one that was read last; at the end nothing, and then the first again, until all are answered.
pub(super) fn read(file: &mut OpenFile) -> Result<Vec<u8>> {
    let State::Query(last) = &mut file.state else { return Ok(Vec::new()) };
    let next = query::after(*last)?;
    *last = next.as_ref().map(|(serial, _)| *serial);
    Ok(next.map_or_else(Vec::new, |(_, text)| text))
}

/// Each line gives everybody who waits the full time again, also an empty one or one that is no answer.
pub(super) fn write(file: &mut OpenFile, bytes: &[u8]) -> Result {
    let title = file.file.title();
    file.for_lines(bytes, &mut |number, line| {
        let line = line.trim_ascii();
        let answer = parse(line);
        if answer.is_none() && !line.is_empty() {
            let message = "answer A<serial>=<n>, where n is 1 to allow, 2 to deny, 3 to decide again";
            errors::rejected(title, number, 1, message, line);
        }
        query::answered(answer);
        Ok(())
    })
}

/// `A17=3`
fn parse(line: &[u8]) -> Option<Answer> {
    let rest = line.strip_prefix(b"A")?;
    let equals = rest.iter().position(|byte| *byte == b'=')?;
    let (serial, choice) = rest.split_at_checked(equals)?;
    let number = |digits| lines::number(digits).and_then(|number| u32::try_from(number).ok());
    Some(Answer { serial: number(serial)?, choice: number(choice.get(1..)?)? })
}
