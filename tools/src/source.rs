// SPDX-License-Identifier: MIT OR Apache-2.0
//! The files of a policy directory: which there are, and their lines as the kernel would take them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sekisho_core::text::MAX_LINE;
use sekisho_core::transaction::PolicyFile;

/// The files in the order in which `sekisho-init` loads them, and whether a device must have them: without domains nothing is
/// enforced, without a manager the policy stays as it is.
const FILES: [(PolicyFile, bool); 4] = [
    (PolicyFile::Profile, true),
    (PolicyFile::Exception, true),
    (PolicyFile::Domain, true),
    (PolicyFile::Manager, false),
];

/// Why a policy directory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The directory is not there, or something in it cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Something else has the place of the directory.
    #[error("{} is no directory; name the directory that the policy files are in", .0.display())]
    NoDirectory(PathBuf),
    /// A FIFO, a device, a directory or the like has the name of a policy file.
    #[error("{} is no regular file", .0.display())]
    NoFile(PathBuf),
    /// A file that must be there is not.
    #[error(
        "there is no {name} in {}; a policy directory has the files profile, exception_policy and domain_policy, and manager \
         if anybody may change the policy, each with this name or with .conf behind it",
        directory.display()
    )]
    Missing {
        /// Which.
        name: &'static str,
        /// Where.
        directory: PathBuf,
    },
}

/// A policy file that is there.
#[derive(Debug)]
pub struct Source {
    /// Which it is.
    pub file: PolicyFile,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it has `.conf` behind its name, as 1.7's tools wrote it.
    pub is_conf: bool,
    reader: BufReader<File>,
}

/// One line.
#[derive(Debug, Default)]
pub struct Line {
    /// Its bytes, without the line feed.
    pub text: Vec<u8>,
    /// It is longer than the kernel takes ([`MAX_LINE`]); `text` is its beginning.
    pub is_too_long: bool,
}

/// Opens all files of a directory.
///
/// # Errors
/// One is missing that must be there, or one cannot be opened or is no file.
pub fn open(directory: &Path) -> Result<Vec<Source>, SourceError> {
    let is_dir = fs::metadata(directory).map_err(|error| io_error(directory, error))?.is_dir();
    if !is_dir {
        return Err(SourceError::NoDirectory(directory.to_owned()));
    }
    let mut sources = Vec::new();
    for (file, required) in FILES {
        let plain = directory.join(file.name());
        let conf = directory.join(format!("{}.conf", file.name()));
        let found = match open_file(&plain)? {
            Some(opened) => Some((plain, false, opened)),
            None => open_file(&conf)?.map(|opened| (conf, true, opened)),
        };
        match found {
            Some((path, is_conf, opened)) => {
                sources.push(Source { file, path, is_conf, reader: BufReader::new(opened) });
            }
            None if required => {
                return Err(SourceError::Missing { name: file.name(), directory: directory.to_owned() });
            }
            None => {}
        }
    }
    Ok(sources)
}

/// Opens a regular file, if there is one; what else has the name is not waited for.
fn open_file(path: &Path) -> Result<Option<File>, SourceError> {
    let no_file = || SourceError::NoFile(path.to_owned());
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        // Opening a device may do something.
        Ok(_) => return Err(no_file()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path, error)),
    }
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|error| io_error(path, error))?;
    // It may have been exchanged meanwhile.
    if !file.metadata().map_err(|error| io_error(path, error))?.is_file() {
        return Err(no_file());
    }
    Ok(Some(file))
}

fn io_error(path: &Path, error: io::Error) -> SourceError {
    SourceError::Io { path: path.to_owned(), error }
}

impl Source {
    /// The next line; `None` at the end of the file. What follows the last line feed is a line if it is not empty.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_line(&mut self) -> Result<Option<Line>, SourceError> {
        let mut line = Line::default();
        let limit = MAX_LINE as u64 + 1;
        let read = (&mut self.reader).take(limit).read_until(b'\n', &mut line.text);
        if read.map_err(|error| io_error(&self.path, error))? == 0 {
            return Ok(None);
        }
        if line.text.last() == Some(&b'\n') {
            line.text.pop();
        } else if line.text.len() > MAX_LINE {
            line.is_too_long = true;
            self.reader.skip_until(b'\n').map_err(|error| io_error(&self.path, error))?;
        }
        Ok(Some(line))
    }
}
