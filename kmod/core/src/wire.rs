// SPDX-License-Identifier: MIT OR Apache-2.0
//! The binary forms: the compiled policy image and the audit record, both in postcard's encoding.
//!
//! Text is for people; an image is for a boot that shall be short. It says what the four policy files say (reference 3, 4,
//! 7, 10.2) with nothing left to be parsed: words are checked, everything else is numbers. [`load`] is one pass that
//! verifies; what it accepts, the text parser would have accepted too.
//!
//! `serde` does not compile against the kernel's `core`, so the codec is written by hand ([`codec`]). The same bytes are
//! described a second time as structures with derived codecs (`host`, feature `serde`), and tests compare the two on
//! every policy of the corpus.
//!
//! An image is a header of [`HEADER`] bytes and a payload:
//!
//! | bytes | what |
//! |---|---|
//! | 7 | `SEKISHO` |
//! | 1 | [`VERSION`] |
//! | 4 | length of the payload, little endian |
//! | 32 | SHA-256 of the payload |
//!
//! The digest finds damage. It is no signature: who may write the image may write its digest.

mod codec;
#[cfg(not(sekisho_kernel))]
mod compile;
mod conditions;
mod entries;
mod flaw;
#[cfg(feature = "serde")]
pub mod host;
#[cfg(feature = "serde")]
mod host_record;
mod image;
mod record;
pub mod sha256;
mod tables;
mod words;

#[cfg(not(sekisho_kernel))]
pub use compile::compile;
pub use flaw::{Flaw, ImageError};
pub use image::load;
pub use record::{note, record, RECORD_VERSION};

/// Version of the image: a loader takes its own version and no other.
pub const VERSION: u8 = 2;
/// Bytes in front of the payload.
pub const HEADER: usize = 44;
/// Most bytes that the name of a domain shares with the one before.
pub(crate) const SHARED_NAME: usize = 255;
/// The first bytes of an image.
pub(crate) const MAGIC: &[u8; 7] = b"SEKISHO";
