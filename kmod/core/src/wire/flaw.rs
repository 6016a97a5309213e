// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can be wrong with an image, and where.

use crate::edit::EditError;
use crate::mem::OutOfMemory;
use crate::text::Reason;

/// What is wrong with an image.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// There is no memory for the policy.
    OutOfMemory,
    /// The policy would be larger than it may be.
    Quota,
    /// It does not begin as an image does.
    NotAnImage,
    /// It has the format of another version.
    Version,
    /// It is not as long as it says.
    Length,
    /// The digest is another one.
    Digest,
    /// It ends in the middle.
    Truncated,
    /// Something follows its end.
    Surplus,
    /// A number that is too large, or not written in its shortest form.
    Number,
    /// A variant that does not exist.
    Tag,
    /// A group or condition that is not in the image.
    Reference,
    /// The same again.
    Duplicate,
    /// A group without members or a condition, which nothing mentions.
    Unused,
    /// Out of order.
    Order,
    /// A line with this would be rejected.
    Text(Reason),
}

impl Flaw {
    /// What is wrong and what to do, one line without full stop.
    pub const fn message(&self) -> &'static str {
        match self {
            Flaw::OutOfMemory => "out of memory",
            Flaw::Quota => {
                "the policy would be larger than its memory quota; raise the quota or remove rules"
            }
            Flaw::NotAnImage => "this is no policy image: the first bytes are not SEKISHO",
            Flaw::Version => "the image has another format version; compile it with the tools of this kernel",
            Flaw::Length => "the image is not as long as its header says; copy it again",
            Flaw::Digest => "the image is damaged: its digest is another one; copy it again",
            Flaw::Truncated => "the image ends too early",
            Flaw::Surplus => "something follows the end of the policy",
            Flaw::Number => "a number is too large, or not in its shortest form",
            Flaw::Tag => "an unknown variant",
            Flaw::Reference => "a group or condition that is not in the image",
            Flaw::Duplicate => "something stands there twice",
            Flaw::Unused => "a group or condition that nothing mentions",
            Flaw::Order => "out of order",
            Flaw::Text(reason) => reason.message(),
        }
    }
}

impl From<OutOfMemory> for Flaw {
    fn from(_: OutOfMemory) -> Self {
        Flaw::OutOfMemory
    }
}

impl From<Reason> for Flaw {
    fn from(reason: Reason) -> Self {
        Flaw::Text(reason)
    }
}

impl From<EditError> for Flaw {
    fn from(error: EditError) -> Self {
        match error {
            EditError::OutOfMemory => Flaw::OutOfMemory,
            EditError::Quota => Flaw::Quota,
            EditError::Parse(error) => Flaw::Text(error.reason),
        }
    }
}

/// Why an image was not loaded, and where reading it ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ImageError {
    /// Offset in bytes from the beginning of the image; what is wrong ends there or begins there.
    pub offset: usize,
    /// What is wrong.
    pub flaw: Flaw,
}
