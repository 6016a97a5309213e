// SPDX-License-Identifier: MIT OR Apache-2.0
//! The oracle: what the reference says, written down a second time, to hold the engine against.
//!
//! The engine finds its answers through indexes, and its matcher follows all possibilities at the same time. Here are
//! plain lists, walked from the beginning, and the matcher that the reference describes. Each function begins with the
//! chapter that it transcribes and follows it step by step, so that both can be read side by side. Nothing of the
//! engine, of its matcher or of its evaluation of conditions is used; what a policy contains is read in list order.
//!
//! It is for tests, fuzzers and differential runs: it is slow, it recurses, and it is not part of the kernel build.

use crate::directive::{Directive, From};
use crate::domain::DomainId;
use crate::mem::{OutOfMemory, Vec};
use crate::name::Name;
use crate::policy::Policy;

mod condition;
mod decide;
mod pattern;

#[cfg(test)]
mod tests;

pub use decide::{confirms, decide, grants_it};
pub use pattern::matches;

/// Reference 3.3: the first `aggregator` line whose first word matches gives the program its second word as name. One
/// pass only.
pub fn aggregate<'a>(policy: &'a Policy, program: Name<'a>) -> Name<'a> {
    for (original, aggregated) in policy.aggregators() {
        if matches(program, original) {
            // Always a name: the second word has no wildcards.
            return Name::new(aggregated).unwrap_or(program);
        }
    }
    program
}

/// Reference 3.6: what learning writes in place of a name.
pub fn file_pattern<'a>(policy: &'a Policy, name: Name<'a>) -> &'a [u8] {
    let mut last = None;
    for pattern in policy.file_patterns() {
        if matches(name, pattern) {
            if !pattern.ends_with(br"/\*") {
                return pattern;
            }
            last = Some(pattern);
        }
    }
    last.unwrap_or(name.as_bytes())
}

/// Reference 3.7: whether a `deny_rewrite` line matches. `@x` is no group there.
pub fn is_rewrite_denied(policy: &Policy, name: Name<'_>) -> bool {
    policy.rewrite_patterns().any(|pattern| matches(name, pattern))
}

/// Reference 3.9: whether a `deny_autobind` line has the port in its range.
pub fn is_autobind_denied(policy: &Policy, port: u16) -> bool {
    policy.autobind_ranges().any(|[from, to]| from <= port && port <= to)
}

/// Reference 6.3: writes the name of the domain into `out` that a task in `domain` comes to by executing `program`. What
/// was in `out` is lost. A domain that the policy does not know has no name, and leads nowhere: `out` is empty.
///
/// # Errors
/// Out of memory.
pub fn next_domain_name(
    policy: &Policy,
    domain: DomainId,
    program: Name<'_>,
    out: &mut Vec<u8>,
) -> Result<(), OutOfMemory> {
    out.clear();
    let Some(old) = policy.domain(domain).map(|domain| domain.name()) else {
        return Ok(());
    };
    let program = program.as_bytes();
    // 1. At least one initialize_domain matches, and no no_initialize_domain.
    let base: &[u8] =
        if is_ruled(policy, false, false, old, program) && !is_ruled(policy, false, true, old, program) {
            b"<kernel>"
        // 2. Before activation all others stay in <kernel>.
        } else if !policy.is_active() && old == b"<kernel>" {
            return out.extend_from_slice(old);
        // 3. At least one keep_domain matches, and no no_keep_domain.
        } else if is_ruled(policy, true, false, old, program) && !is_ruled(policy, true, true, old, program) {
            return out.extend_from_slice(old);
        // 4.
        } else {
            old
        };
    out.extend_from_slice(base)?;
    out.push(b' ')?;
    out.extend_from_slice(program)
}

/// Reference 6.3: whether one of the lines of a directive matches. The program must be the same, if one is given; the
/// domain must be the same or end in the given word, if there is `from`.
fn is_ruled(policy: &Policy, want_keep: bool, want_negative: bool, old: &[u8], executed: &[u8]) -> bool {
    let last = old.rsplit(|byte| *byte == b' ').next();
    policy.transition_rules().any(|rule| match rule {
        Directive::Rule { keep, negative, program, from } => {
            let right_program = match program {
                None => true,
                Some(program) => program == executed,
            };
            let right_domain = match from {
                None => true,
                Some(From::Domain(name)) => name == old,
                Some(From::LastWord(word)) => Some(word) == last,
            };
            keep == want_keep && negative == want_negative && right_program && right_domain
        }
        _ => false,
    })
}
