// SPDX-License-Identifier: GPL-2.0-only

//! Which question each hook asks (reference 4).

pub(crate) mod capability;
pub(crate) mod directory;
pub(crate) mod file;
pub(crate) mod mount;
pub(crate) mod network;
pub(crate) mod signal;

use crate::ask::{About, Question};
use crate::objects::Paths;
use crate::sys::path::{Path, Slash};
use crate::Result;
use sekisho_core::number::Number;
use sekisho_core::request::{Operation, Path2Op, PathNumberOp, PathOp, Request};

/// Permission bits of a mode.
const PERMISSIONS: u16 = 0o7777;

/// An operation on one path.
fn check_path(op: PathOp, path: &Path<'_>, slash: Slash) -> Result {
    if !path.has_mount() {
        return Ok(());
    }
    let Some(question) = Question::begin(Operation::Path(op).item()) else { return Ok(()) };
    let objects = Paths::one(path);
    let about = About { objects: Some(&objects), ..About::default() };
    question.finish(path.with_name(slash, |name| question.ask(&about, &Request::Path { op, path: name })))
}

/// An operation on a path with a number.
fn check_number(op: PathNumberOp, path: &Path<'_>, number: Number, slash: Slash) -> Result {
    if !path.has_mount() {
        return Ok(());
    }
    let Some(question) = Question::begin(Operation::PathNumber(op).item()) else { return Ok(()) };
    let objects = Paths::one(path);
    let about = About { objects: Some(&objects), ..About::default() };
    question.finish(
        path.with_name(slash, |name| question.ask(&about, &Request::PathNumber { op, path: name, number })),
    )
}

/// An operation that gives a mode.
fn check_mode(op: PathNumberOp, path: &Path<'_>, mode: u16, slash: Slash) -> Result {
    check_number(op, path, Number::octal((mode & PERMISSIONS).into()), slash)
}

/// An operation on two paths, with or without slashes at their ends.
fn check_two(op: Path2Op, old: &Path<'_>, new: &Path<'_>, slash: Slash) -> Result {
    if !old.has_mount() || !new.has_mount() {
        return Ok(());
    }
    let Some(question) = Question::begin(Operation::Path2(op).item()) else { return Ok(()) };
    let objects = Paths::new(Some(old), Some(new));
    let about = About { objects: Some(&objects), ..About::default() };
    let answer = old.with_name(slash, |from| {
        // A target that exists is replaced or exchanged; the name asked for is the one that the source will have.
        new.with_name(slash, |to| question.ask(&about, &Request::Path2 { op, from, to }))
    });
    question.finish(answer.and_then(|inner| inner))
}
