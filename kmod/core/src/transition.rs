// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which domain a program leads to.
//!
//! Reference 6.3. The answer is not a name in memory but its two parts, so that the usual case, a domain that exists,
//! allocates nothing.

use crate::domain::DomainId;
use crate::exception::Rule;
use crate::mem::{Arc, OutOfMemory, Vec};
use crate::name::{Name, ROOT_DOMAIN};
use crate::policy::Policy;
use crate::text::Sink;

/// Longest name in bytes of a domain that is made automatically (reference 1.6).
pub const MAX_NAME: usize = 4085;

/// The domain after an execve.
#[derive(Clone, Copy)]
pub struct NextDomain<'a>(Next<'a>);

#[derive(Clone, Copy)]
enum Next<'a> {
    Stay { id: DomainId, name: &'a [u8] },
    Child { base: &'a [u8], program: Name<'a> },
}

/// The domain of a task in `current` after it executed `program` (reference 6.3).
///
/// A `current` that the policy does not know stays as it is; [`crate::engine::decide`] denies everything there.
pub fn next_domain<'a>(policy: &'a Policy, current: DomainId, program: Name<'a>) -> NextDomain<'a> {
    let Some(domain) = policy.domain(current) else {
        return NextDomain(Next::Stay { id: current, name: &[] });
    };
    let (old, last) = (domain.name(), domain.last_word());
    let says = |rules: &Vec<Arc<Rule>>| {
        let mut applies = false;
        for rule in rules.iter().filter(|rule| rule.applies(old, last, program.as_bytes())) {
            if rule.negative {
                return false; // A no_ rule wins, whatever the order.
            }
            applies = true;
        }
        applies
    };
    let stay = NextDomain(Next::Stay { id: current, name: old });
    if says(&policy.initialize) {
        NextDomain(Next::Child { base: ROOT_DOMAIN, program })
    } else if (!policy.is_active() && old == ROOT_DOMAIN) || says(&policy.keep) {
        stay
    } else {
        NextDomain(Next::Child { base: old, program })
    }
}

impl<'a> NextDomain<'a> {
    /// Whether the task stays in its domain.
    pub fn stays(&self) -> bool {
        matches!(self.0, Next::Stay { .. })
    }

    /// The domain, if it exists and its name is not too long to be reached (reference 6.2, step 6). Allocates nothing.
    pub fn find(&self, policy: &Policy) -> Option<DomainId> {
        match self.0 {
            Next::Stay { id, .. } => Some(id),
            Next::Child { .. } if self.is_too_long() => None,
            Next::Child { base, program } => policy.find_domain_by(|name| {
                name.strip_prefix(base).and_then(|rest| rest.strip_prefix(b" ")) == Some(program.as_bytes())
            }),
        }
    }

    /// Length of the name in bytes.
    pub fn name_len(&self) -> usize {
        match self.0 {
            Next::Stay { name, .. } => name.len(),
            Next::Child { base, program } => {
                base.len().saturating_add(1).saturating_add(program.as_bytes().len())
            }
        }
    }

    /// Whether the name is longer than [`MAX_NAME`]: then the transition fails.
    pub fn is_too_long(&self) -> bool {
        self.name_len() > MAX_NAME
    }

    /// Whether a domain of this name may be made: not too long, and the program begins with `/` (a file without a
    /// place in the tree has another kind of name). If not, the transition fails.
    pub fn can_be_created(&self) -> bool {
        match self.0 {
            Next::Stay { .. } => true,
            Next::Child { program, .. } => !self.is_too_long() && program.as_bytes().first() == Some(&b'/'),
        }
    }

    /// Prints the name.
    ///
    /// # Errors
    /// The sink is out of memory.
    pub fn print(&self, sink: &mut dyn Sink) -> Result<(), OutOfMemory> {
        match self.0 {
            Next::Stay { name, .. } => sink.put(name),
            Next::Child { base, program } => {
                sink.put(base)?;
                sink.put(b" ")?;
                sink.put(program.as_bytes())
            }
        }
    }
}
