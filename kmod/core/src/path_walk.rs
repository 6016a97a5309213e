// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a name is followed through the tree of the index ([`crate::path_tree`]).

use crate::feature::{self, Kind, Spec, Subject};
use crate::hash::Key;
use crate::name::{find_slash, Name};
use crate::path_tree::{Node, LEVELS};
use crate::pattern;

/// The values whose words may match a name, one by one: whoever asks compares the word. Between two of them nothing of the
/// walk is on the stack but this, so that there is room for comparing. It allocates nothing and comes by each place of the
/// tree once, and therefore by each word, however many components the name has.
pub(crate) struct Walk<'a> {
    root: &'a Node,
    name: Name<'a>,
    key: &'a Key,
    /// The directory that is next: its spec by number, its depth and where it ends.
    next: usize,
    depth: usize,
    end: usize,
    /// What is behind the last directory.
    subject: Subject<'a>,
    /// Nodes on the way, of which the specs before one are done with; and the parts before one of the component of that.
    way: [(Option<&'a Node>, u32, u32); LEVELS],
    len: usize,
    /// Values that come next, if they have this hash.
    values: &'a [(u32, u32)],
    hash: u32,
}

impl<'a> Walk<'a> {
    #[inline]
    pub(crate) fn new(root: &'a Node, name: Name<'a>, key: &'a Key) -> Self {
        Walk {
            root,
            name,
            key,
            next: 0,
            depth: 0,
            end: 0,
            subject: Subject::new(&[]),
            way: [(None, 0, 0); LEVELS],
            len: 0,
            values: &[],
            hash: 0,
        }
    }

    /// The next value.
    #[inline(never)]
    pub(crate) fn next(&mut self) -> Option<u32> {
        loop {
            while let Some(((hash, value), more)) = self.values.split_first() {
                self.values = more;
                if *hash == self.hash {
                    return Some(*value);
                }
            }
            let last = self.len.checked_sub(1).and_then(|last| self.way.get_mut(last));
            match last {
                Some((Some(node), spec, part)) => {
                    let node: &'a Node = node;
                    match next_hash(node, spec, part, &mut self.subject, self.key) {
                        Some(hash) => self.enter(node, hash),
                        None => self.len = self.len.wrapping_sub(1),
                    }
                }
                _ => {
                    let hash = self.next_directory()?;
                    self.enter(self.root, hash);
                }
            }
        }
    }

    /// What is under a hash comes next.
    #[inline(always)]
    fn enter(&mut self, node: &'a Node, hash: u32) {
        (self.values, self.hash) = (node.values(hash), hash);
        if let (Some(below), Some(place)) = (node.below(hash), self.way.get_mut(self.len)) {
            *place = (Some(below), 0, 0);
            self.len = self.len.wrapping_add(1);
        }
    }

    /// The hash of the next directory of which there are words.
    #[inline]
    fn next_directory(&mut self) -> Option<u32> {
        let name = self.name.as_bytes();
        loop {
            let spec = self.root.spec(self.next)?;
            self.next = self.next.wrapping_add(1);
            if spec.is_dir() != self.name.is_dir() {
                continue;
            }
            while self.depth < spec.detail() {
                let slash = find_slash(name.get(self.end..)?)?;
                self.end = self.end.wrapping_add(slash).wrapping_add(1);
                self.depth = self.depth.wrapping_add(1);
            }
            let (directory, rest) = pattern::cut(name, self.end);
            let hash = spec.hash(self.key, directory);
            if self.root.knows(hash) {
                self.subject = Subject::new(rest);
                return Some(hash);
            }
        }
    }
}

/// The next hash under which words of a node can be that match.
#[inline]
fn next_hash(node: &Node, at: &mut u32, part: &mut u32, subject: &mut Subject<'_>, key: &Key) -> Option<u32> {
    loop {
        let spec: Spec = node.spec(*at as usize)?;
        if spec.kind() == Kind::Inner {
            let found = subject.component(spec).and_then(|text| {
                feature::next_inner(text, spec, *part as usize, key, &|hash| node.knows(hash))
            });
            if let Some((hash, place)) = found {
                *part = (place as u32).wrapping_add(1);
                return Some(hash);
            }
        }
        (*at, *part) = (at.wrapping_add(1), 0);
        if spec.kind() != Kind::Inner {
            if let Some(hash) = subject.hash(spec, key) {
                return Some(hash);
            }
        }
    }
}
