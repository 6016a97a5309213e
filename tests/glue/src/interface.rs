// SPDX-License-Identifier: GPL-2.0-only

//! What stands around `interface/lines.rs`: an open file with a name.

#[path = "../../../kmod/lsm/interface/lines.rs"]
mod lines;

#[cfg(test)]
mod tests;

/// A row of the table of files.
pub(crate) struct FileType {
    /// With a NUL at the end, for C.
    pub(crate) name: &'static [u8],
}

impl FileType {
    /// The name for messages.
    pub(crate) fn title(&self) -> &'static [u8] {
        self.name.strip_suffix(b"\0").unwrap_or(self.name)
    }
}

/// An open description.
pub(crate) struct OpenFile {
    pub(crate) file: &'static FileType,
    lines: lines::Lines,
}
