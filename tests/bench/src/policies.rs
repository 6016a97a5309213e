// SPDX-License-Identifier: MIT OR Apache-2.0
//! Policies of a given size, all enforcing, and names that are granted and refused in them.

use sekisho_core::edit::Edit;
use sekisho_core::policy::{Cursor, Policy};

/// How the rules of a policy are spread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// All in `<kernel>`.
    One,
    /// Over a thousand domains.
    Thousand,
}

/// What the rules look like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `/srv/data/dNNN/conf/fileNNNNN`
    Literal,
    /// `/srv/data/dNNN/\*/fileNNNNN\*`
    Wild,
}

/// Begins an active, enforcing policy.
pub(crate) fn begin() -> Edit {
    let mut edit = Policy::with_key(0x0123_4567_89AB_CDEF).expect("memory").edit().expect("memory");
    edit.profile_line(b"PROFILE_VERSION=20090903").expect("a line");
    edit.profile_line(b"0-CONFIG={ mode=enforcing grant_log=no }").expect("a line");
    edit
}

/// Ends it.
pub(crate) fn end(mut edit: Edit) -> Policy {
    edit.activate().expect("a policy");
    edit.commit()
}

/// The domain of rule `number` among `rules`.
pub(crate) fn domain(number: usize, spread: Spread) -> String {
    match spread {
        Spread::One => "<kernel>".into(),
        Spread::Thousand => format!("<kernel> /usr/bin/program{}", number % 1000),
    }
}

/// The path of rule `number`, as a pattern.
pub(crate) fn word(number: usize, shape: Shape) -> String {
    let folder = number / 50;
    match shape {
        Shape::Literal => format!("/srv/data/d{folder:03}/conf/file{number:05}"),
        Shape::Wild => format!("/srv/data/d{folder:03}/\\*/file{number:05}\\*"),
    }
}

/// A name of five components that only rule `number` grants.
pub(crate) fn name(number: usize, shape: Shape) -> String {
    let folder = number / 50;
    match shape {
        Shape::Literal => format!("/srv/data/d{folder:03}/conf/file{number:05}"),
        Shape::Wild => format!("/srv/data/d{folder:03}/conf/file{number:05}.txt"),
    }
}

/// A policy with `rules` entries.
pub(crate) fn policy(rules: usize, shape: Shape, spread: Spread) -> Policy {
    let mut edit = begin();
    let mut cursor = Cursor::default();
    let domains = if spread == Spread::One { 1 } else { 1000.min(rules) };
    for first in 0..domains {
        line(&mut edit, &mut cursor, &domain(first, spread));
        for number in (first..rules).step_by(domains) {
            line(&mut edit, &mut cursor, &format!("allow_read {}", word(number, shape)));
        }
    }
    end(edit)
}

/// Apps with 30 rules each, all in `<kernel>`, which hold for the UIDs of the app's group only.
pub(crate) fn apps(apps: usize, rules: usize, conditions: bool) -> Policy {
    let mut edit = begin();
    let mut cursor = Cursor::default();
    line(&mut edit, &mut cursor, "<kernel>");
    for app in 0..apps {
        if conditions {
            let member = format!("number_group APP{app}_READERS {}", 10_000 + app);
            edit.exception_policy_line(member.as_bytes()).expect("a line");
        }
        for rule in 0..rules {
            let condition =
                if conditions { format!(" if task.uid=@APP{app}_READERS") } else { String::new() };
            let path = app_path(app, rule);
            line(&mut edit, &mut cursor, &format!("allow_read {path}{condition}"));
        }
    }
    end(edit)
}

/// A path of five components of an app, as long for each.
pub(crate) fn app_path(app: usize, rule: usize) -> String {
    format!("/data/data/com.example.app{app:03}/files/part{rule}")
}

/// Writes a line of domain_policy.
pub(crate) fn line(edit: &mut Edit, cursor: &mut Cursor, line: &str) {
    edit.domain_policy_line(cursor, line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
}
