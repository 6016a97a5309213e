// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fragments that are installed, on disk: one file `PACKAGE.fragment` a package.
//!
//! A file is a header line with the package's name and the checked fragment in normal form. It never holds a UID: ids
//! are given out again after a reboot, so last boot's numbers are never loaded (Android reference 2.3, rule R10).
//!
//! A file appears whole or not at all: it is written under a temporary name, synced, renamed, and the directory is
//! synced. What a crash leaves is a temporary file, removed at the next start. What is read back goes through the same
//! checks as an app's text.
//!
//! Order towards the kernel (see [`crate::install`]): the file comes before the lines and goes after them. So whatever
//! a fragment ever put into the running kernel, a crash at any point leaves a file that names it, and the next sync
//! either completes the installation or the removal.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use thiserror::Error;

use crate::apk::MAX_FRAGMENT;
use crate::fragment::Fragment;
use crate::package::PackageName;

const SUFFIX: &str = ".fragment";
const TEMPORARY_SUFFIX: &str = ".tmp";
const LOCK: &str = "lock";
const HEADER: &str = "sekisho-fragment 1 ";

/// A failure of the state directory.
#[derive(Debug, Error)]
#[error("state file {path}: {source}")]
pub struct StateError {
    path: String,
    source: io::Error,
}

/// The open state directory. One process at a time: opening waits for the other one's lock.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    handle: File,
    _lock: File,
}

/// A file that is written and synced under its temporary name.
#[derive(Debug)]
#[must_use = "a staged file is not there before it is published"]
pub struct Staged {
    temporary: PathBuf,
    target: PathBuf,
}

/// A file that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Its name in the directory.
    pub file: String,
    /// What is wrong.
    pub reason: String,
}

impl Store {
    /// Opens the directory, makes it if it is missing (its parent has to exist), waits for the lock and removes
    /// temporary files.
    pub fn open(directory: &Path) -> Result<Store, StateError> {
        let io = |source| StateError { path: directory.display().to_string(), source };
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io(error)),
            _ => {}
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::open(directory, OFlags::RDONLY | flags, Mode::empty());
        let handle = File::from(handle.map_err(|error| io(error.into()))?);
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = rustix::fs::openat(&handle, LOCK, flags, Mode::RUSR | Mode::WUSR);
        let lock = File::from(lock.map_err(|error| io(error.into()))?);
        rustix::fs::flock(&lock, FlockOperation::LockExclusive).map_err(|error| io(error.into()))?;
        let store = Store { directory: directory.to_owned(), handle, _lock: lock };
        for name in store.names()? {
            if name.ends_with(TEMPORARY_SUFFIX) {
                store.unlink(&store.directory.join(name))?;
            }
        }
        Ok(store)
    }

    /// All fragments, and the files that cannot be used.
    ///
    /// # Errors
    /// The directory or a file cannot be read; nothing is known to be damaged then.
    pub fn load(&self) -> Result<(BTreeMap<PackageName, Fragment>, Vec<Damaged>), StateError> {
        let mut fragments = BTreeMap::new();
        let mut damaged = Vec::new();
        for file in self.names()? {
            let Some(name) = file.strip_suffix(SUFFIX) else { continue };
            let read = match PackageName::new(name.as_bytes()) {
                Some(package) => self.read(&file, package)?,
                None => Err("its name is no package name".to_owned()),
            };
            match read {
                Ok(fragment) => {
                    fragments.insert(fragment.package().clone(), fragment);
                }
                Err(reason) => damaged.push(Damaged { file, reason }),
            }
        }
        Ok((fragments, damaged))
    }

    /// First half of [`Store::put`].
    pub fn stage(&self, fragment: &Fragment) -> Result<Staged, StateError> {
        let target = self.path(fragment.package());
        let temporary = with_suffix(&target, TEMPORARY_SUFFIX);
        let write = || {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file = File::from(rustix::fs::open(&temporary, flags, Mode::RUSR | Mode::WUSR)?);
            write!(file, "{HEADER}{}\n{}", fragment.package(), fragment.text())?;
            file.sync_all()
        };
        write().map_err(|source| StateError { path: temporary.display().to_string(), source })?;
        Ok(Staged { temporary, target })
    }

    /// Second half of [`Store::put`].
    pub fn publish(&self, staged: Staged) -> Result<(), StateError> {
        fs::rename(&staged.temporary, &staged.target)
            .and_then(|()| self.handle.sync_all())
            .map_err(|source| StateError { path: staged.target.display().to_string(), source })
    }

    /// Writes a package's file; when it returns, the file survives a power cut.
    pub fn put(&self, fragment: &Fragment) -> Result<(), StateError> {
        let staged = self.stage(fragment)?;
        self.publish(staged)
    }

    /// Removes a package's file; one that is not there is no error.
    pub fn remove(&self, package: &PackageName) -> Result<(), StateError> {
        self.unlink(&self.path(package))
    }

    /// Removes a damaged file.
    pub fn discard(&self, damaged: &Damaged) -> Result<(), StateError> {
        self.unlink(&self.directory.join(&damaged.file))
    }

    fn path(&self, package: &PackageName) -> PathBuf {
        self.directory.join(format!("{package}{SUFFIX}"))
    }

    fn unlink(&self, path: &Path) -> Result<(), StateError> {
        let gone = match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            // Nobody else has business here, and what stayed would stop every sweep.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => fs::remove_dir_all(path),
            other => other,
        };
        gone.and_then(|()| self.handle.sync_all())
            .map_err(|source| StateError { path: path.display().to_string(), source })
    }

    /// Names in the directory, sorted; names that are no text are nobody's here.
    fn names(&self) -> Result<Vec<String>, StateError> {
        let list = || -> io::Result<Vec<String>> {
            let entries = fs::read_dir(&self.directory)?.collect::<io::Result<Vec<_>>>()?;
            let mut names: Vec<_> =
                entries.iter().filter_map(|entry| entry.file_name().into_string().ok()).collect();
            names.sort();
            Ok(names)
        };
        list().map_err(|source| StateError { path: self.directory.display().to_string(), source })
    }

    /// The fragment of a file, or what is wrong with the content. A file that cannot be read now may be good.
    fn read(&self, file: &str, package: PackageName) -> Result<Result<Fragment, String>, StateError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = rustix::fs::openat(&self.handle, file, flags, Mode::empty()).map_err(io::Error::from);
        let mut text = Vec::new();
        let read = open.and_then(|fd| File::from(fd).take(MAX_FRAGMENT + 1024).read_to_end(&mut text));
        match read {
            // A link or a directory is not a file that this program wrote.
            Err(error) if is_no_file(&error) => Ok(Err(error.to_string())),
            Err(source) => Err(StateError { path: self.directory.join(file).display().to_string(), source }),
            Ok(_) => Ok(parse(&text, &package)),
        }
    }
}

fn is_no_file(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::IsADirectory
        || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

fn parse(text: &[u8], package: &PackageName) -> Result<Fragment, String> {
    let body = text
        .strip_prefix(format!("{HEADER}{package}\n").as_bytes())
        .ok_or_else(|| format!("its first line is not '{HEADER}{package}'"))?;
    let fragment = Fragment::parse(package, body).map_err(|error| error.to_string())?;
    if fragment.text().as_bytes() != body {
        return Err("it is not in the form in which it was written".to_owned());
    }
    Ok(fragment)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
