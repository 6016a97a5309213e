// SPDX-License-Identifier: MIT OR Apache-2.0
//! One package: installing its fragment, replacing it, removing it.
//!
//! | step | install | remove |
//! |---|---|---|
//! | 1 | an older fragment leaves the kernel: numbers, then rules | numbers leave the kernel |
//! | 2 | the new fragment's file is on disk | rules leave the kernel |
//! | 3 | rules enter the kernel | the file leaves the disk |
//! | 4 | the number enters the kernel | |
//!
//! A crash between any two steps is repaired by the next sync, because the file on disk is there whenever the kernel
//! has anything of the fragment: after 1 the old file is there and names what may be left, after 2 or 3 the new one is
//! there and the sync goes on with 3. On the way out the file goes last. A reboot empties the kernel and keeps the
//! files: then the sync begins at 3. At no point does a UID stand in a group whose rules belong to another version.
//!
//! If the kernel refuses, steps 4 and 3 are undone, then 2, unless the file was there before.

use std::collections::BTreeMap;

use crate::error::{Error, Refusal};
use crate::fragment::Fragment;
use crate::group::{foreign_use, OwnershipError};
use crate::journal::{Event, Journal};
use crate::kernel::PolicyPort;
use crate::loader::Loader;
use crate::package::{AppUid, PackageName};
use crate::packages_list::PackagesList;
use crate::state::Store;

/// The two places that hold fragments, kept in step.
#[derive(Debug)]
pub struct Installed<'a, P> {
    store: Store,
    loader: Loader<'a, P>,
    fragments: BTreeMap<PackageName, Fragment>,
}

/// How an installation ended.
#[derive(Debug)]
pub enum Outcome {
    /// It is new, or its UID or text changed.
    Loaded,
    /// Everything was there.
    Unchanged,
    /// It cannot be taken. If it was installed, it is not any more; an older version of it stays.
    Refused(Refusal),
}

impl<'a, P: PolicyPort> Installed<'a, P> {
    /// Reads the state. Damaged files are removed with a note: what is in an APK comes back from there.
    pub fn open(
        store: Store,
        loader: Loader<'a, P>,
        journal: &mut dyn Journal,
    ) -> Result<Installed<'a, P>, Error> {
        let (fragments, damaged) = store.load()?;
        for file in &damaged {
            store.discard(file)?;
            journal.record(Event::Note(format!(
                "state file {} is damaged and removed: {}",
                file.file, file.reason
            )));
        }
        Ok(Installed { store, loader, fragments })
    }

    /// The fragments by package.
    pub fn fragments(&self) -> &BTreeMap<PackageName, Fragment> {
        &self.fragments
    }

    /// Installs a fragment for a UID.
    ///
    /// # Errors
    /// The kernel or the disk failed; what was done is undone as far as they allow.
    pub fn install(&mut self, fragment: &Fragment, uid: AppUid) -> Result<Outcome, Error> {
        let package = fragment.package();
        let same_text = self.fragments.get(package) == Some(fragment);
        if let Err(foreign) = self.check_owner(fragment)? {
            // What is installed loses a group that the device took over; a new version that asks for too much changes nothing.
            if same_text {
                self.remove(package)?;
            }
            return Ok(Outcome::Refused(foreign.into()));
        }
        let policy = self.loader.policy()?;
        if same_text && self.loader.is_loaded(&policy, fragment, uid) {
            return Ok(Outcome::Unchanged);
        }
        // Before anything is written: without its domain the policy is not ready, and that can last.
        self.loader.require_domain(&policy)?;
        self.retire(fragment, uid)?;
        if !same_text {
            self.store.put(fragment)?;
            self.fragments.insert(package.clone(), fragment.clone());
        }
        if let Err(failure) = self.loader.load(fragment, uid) {
            // The failure is what counts; an undo that fails as well is left to the next sync, the file being there.
            if self.loader.unload(fragment).is_ok() && !same_text {
                self.store.remove(package)?;
                self.fragments.remove(package);
            }
            return Err(failure.into());
        }
        Ok(Outcome::Loaded)
    }

    /// Takes everything of the package's installed fragment out of the kernel that is not part of `next` with `uid`.
    pub fn retire(&self, next: &Fragment, uid: AppUid) -> Result<(), Error> {
        match self.fragments.get(next.package()) {
            Some(old) if old == next => Ok(self.loader.keep_number(old, Some(uid))?),
            Some(old) => Ok(self.loader.unload(old)?),
            None => Ok(()),
        }
    }

    /// For a package of which the list says nothing clear: what it has stays, unless another package has its UID now;
    /// then its groups are emptied. Returns the UID that stays.
    pub fn hold(&self, package: &PackageName, list: &PackagesList) -> Result<Option<AppUid>, Error> {
        let Some(fragment) = self.fragments.get(package) else { return Ok(None) };
        let uid = self.loader.uid_of(&self.loader.policy()?, fragment);
        let uid = uid.filter(|uid| !list.is_anothers(*uid, package));
        self.loader.keep_number(fragment, uid)?;
        Ok(uid)
    }

    /// Removes the package's fragment from kernel and disk. Returns whether there was one.
    pub fn remove(&mut self, package: &PackageName) -> Result<bool, Error> {
        let Some(fragment) = self.fragments.get(package) else { return Ok(false) };
        self.loader.unload(fragment)?;
        self.store.remove(package)?;
        self.fragments.remove(package);
        Ok(true)
    }

    /// Whether all groups are the package's own, or nobody's.
    fn check_owner(&self, fragment: &Fragment) -> Result<Result<(), OwnershipError>, Error> {
        for group in fragment.groups() {
            let others = self.fragments.iter().filter(|(package, _)| *package != fragment.package());
            let mut owners = others.filter(|(_, other)| other.groups().contains(group));
            if let Some((owner, _)) = owners.next() {
                let (group, owner) = (group.clone(), owner.clone());
                return Ok(Err(OwnershipError::OtherPackage { group, owner }));
            }
        }
        let policy = self.loader.policy()?;
        let own = self.fragments.get(fragment.package()).map(Fragment::rules).unwrap_or_default();
        for group in fragment.groups() {
            if let Some(line) = foreign_use(&policy, self.loader.domain(), group, own) {
                return Ok(Err(OwnershipError::DevicePolicy { group: group.clone(), line }));
            }
        }
        Ok(Ok(()))
    }
}
