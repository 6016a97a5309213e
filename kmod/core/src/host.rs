// SPDX-License-Identifier: MIT OR Apache-2.0
//! What programs on the host want from the types of the core: `Debug`, `Display`, `Error`.
//!
//! Not part of the kernel build, where formatting code has no place.

use core::error::Error;
use core::fmt::{self, Debug, Display, Formatter};

use crate::domain::DomainId;
use crate::edit::{ActivateError, EditError};
use crate::engine::Decision;
use crate::learn::Learned;
use crate::mem::{OutOfMemory, Vec};
use crate::profile::Mode;
use crate::text::{ParseError, Reason};
use crate::transaction::{PolicyFile, TransactionError};

impl Display for OutOfMemory {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("out of memory")
    }
}

impl Error for OutOfMemory {}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.print(&mut text).map_err(|_| fmt::Error)?;
        f.write_str(core::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl Debug for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Display for ParseError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.reason)
    }
}

impl Debug for ParseError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Error for ParseError {}

impl Display for EditError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            EditError::OutOfMemory => Display::fmt(&OutOfMemory, f),
            EditError::Quota => f.write_str(
                "the policy would be larger than its memory quota; raise the quota or delete lines",
            ),
            EditError::Parse(error) => Display::fmt(error, f),
        }
    }
}

impl Debug for EditError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Error for EditError {}

impl Display for ActivateError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())?;
        match self {
            ActivateError::UndefinedProfile { profile, .. } => write!(f, " (profile {profile})"),
            ActivateError::NoVersion => Ok(()),
        }
    }
}

impl Debug for ActivateError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Error for ActivateError {}

impl Display for PolicyFile {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Debug for PolicyFile {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Display for TransactionError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())?;
        match self {
            TransactionError::Refused(refused) => write!(
                f,
                " ({} of {} lines; line {} of the transaction, {}: {})",
                refused.count, refused.lines, refused.line, refused.file, refused.error
            ),
            TransactionError::Incomplete(ActivateError::UndefinedProfile { profile, .. }) => {
                write!(f, " (profile {profile})")
            }
            _ => Ok(()),
        }
    }
}

impl Debug for TransactionError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Error for TransactionError {}

impl Display for Mode {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Disabled => "disabled",
            Mode::Learning => "learning",
            Mode::Permissive => "permissive",
            Mode::Enforcing => "enforcing",
        })
    }
}

impl Debug for Mode {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Debug for Decision {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decision")
            .field("mode", &self.mode)
            .field("granted", &self.granted)
            .field("log", &self.log)
            .field("profile", &self.profile)
            .field("set", &self.set)
            .field("entry", &self.entry)
            .finish()
    }
}

impl Debug for DomainId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "DomainId({}#{})", self.slot, self.serial)
    }
}

impl Debug for Learned {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Learned::Added => "Added",
            Learned::Already => "Already",
            Learned::QuotaExceeded => "QuotaExceeded",
            Learned::Skipped => "Skipped",
        })
    }
}
