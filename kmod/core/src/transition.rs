// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which domain a program leads to.
//!
//! Reference 6.3 and 6.6. The answer is not a name in memory but its two parts. Names up to [`ON_STACK`] bytes are put
//! together on the stack to find the domain; only longer ones allocate.

use crate::domain::DomainId;
use crate::mem::{OutOfMemory, Vec};
use crate::name::{Name, ROOT_DOMAIN};
use crate::policy::Policy;
use crate::text::Sink;

/// Longest name in bytes of a domain that is made automatically (reference 1.6).
pub const MAX_NAME: usize = 4085;

/// Longest name in bytes that is looked up without memory.
const ON_STACK: usize = 256;

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
    let stay = NextDomain(Next::Stay { id: current, name: old });
    if policy.exceptions.get().initialize.say(old, last, program.as_bytes()) {
        NextDomain(Next::Child { base: ROOT_DOMAIN, program })
    } else if (!policy.is_active() && old == ROOT_DOMAIN)
        || policy.exceptions.get().keep.say(old, last, program.as_bytes())
    {
        stay
    } else {
        NextDomain(Next::Child { base: old, program })
    }
}

/// The domain that a task in `current` asks for without execve: `word` begins with `//` (reference 6.6). `None` if
/// `current` is not known or the word is not of that form.
pub fn transit_domain<'a>(policy: &'a Policy, current: DomainId, word: Name<'a>) -> Option<NextDomain<'a>> {
    let base = policy.domain(current)?.name();
    word.as_bytes().starts_with(b"//").then_some(NextDomain(Next::Child { base, program: word }))
}

impl<'a> NextDomain<'a> {
    /// Whether the task stays in its domain.
    pub fn stays(&self) -> bool {
        matches!(self.0, Next::Stay { .. })
    }

    /// The domain, if it exists and its name is not too long to be reached (reference 6.2, step 6).
    ///
    /// # Errors
    /// Out of memory, for long names only.
    pub fn find(&self, policy: &Policy) -> Result<Option<DomainId>, OutOfMemory> {
        let (base, program) = match self.0 {
            Next::Stay { id, .. } => return Ok(Some(id)),
            Next::Child { .. } if self.is_too_long() => return Ok(None),
            Next::Child { base, program } => (base, program.as_bytes()),
        };
        let mut short = [0; ON_STACK];
        if let Some(name) = short.get_mut(..self.name_len()) {
            let bytes = base.iter().chain(b" ").chain(program);
            for (place, byte) in name.iter_mut().zip(bytes) {
                *place = *byte;
            }
            return Ok(policy.find_domain(name));
        }
        Ok(policy.find_domain(&self.name()?))
    }

    /// The name.
    ///
    /// # Errors
    /// Out of memory.
    pub fn name(&self) -> Result<Vec<u8>, OutOfMemory> {
        let mut name = Vec::with_capacity(self.name_len())?;
        self.print(&mut name)?;
        Ok(name)
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
