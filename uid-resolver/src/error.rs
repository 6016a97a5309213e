// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can stop the resolver, and what makes it refuse a package.
//!
//! A [`Refusal`] concerns one package, and the next one is dealt with; an [`enum@Error`] is a failure of the device (the
//! kernel, the disk), after which the whole run is tried again later.

use std::io;

use thiserror::Error;

use crate::apk::ApkError;
use crate::fragment::FragmentError;
use crate::group::OwnershipError;
use crate::kernel::KernelError;
use crate::package::PackageName;
use crate::packages_list::{ListError, NoUid};
use crate::state::StateError;

/// Why a package's fragment is not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Its APK.
    #[error(transparent)]
    Apk(#[from] ApkError),
    /// Its fragment.
    #[error(transparent)]
    Fragment(#[from] FragmentError),
    /// A group that is not its own.
    #[error(transparent)]
    Ownership(#[from] OwnershipError),
    /// Its UID.
    #[error(transparent)]
    Uid(#[from] NoUid),
    /// Not in the list.
    #[error("packages.list does not have it")]
    NotInstalled,
    /// The directory says one name, the manifest in it another.
    #[error("the manifest of its base.apk says '{0}'")]
    OtherPackage(PackageName),
}

/// What stops a run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel's policy.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// The package list.
    #[error(transparent)]
    List(#[from] ListError),
    /// The directory watch.
    #[error("cannot watch {path}: {source}")]
    Watch {
        /// The directory.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
}
