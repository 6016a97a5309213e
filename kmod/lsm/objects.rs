// SPDX-License-Identifier: GPL-2.0-only

//! The attributes of the files that a request is about (reference 5.2, 5.3): read when a condition or a record first asks for
//! them, before the operation, and once per request.

use crate::sys::path::Path;
use core::cell::Cell;
use sekisho_core::facts::{Attributes, Object, Objects};

/// What was found out about one object.
#[derive(Clone, Copy)]
enum Known {
    /// Nobody asked yet.
    Nothing,
    /// It does not exist.
    Missing,
    /// These.
    Are(Attributes),
}

/// The one or two paths of a request.
pub(crate) struct Paths<'a> {
    first: Option<&'a Path<'a>>,
    second: Option<&'a Path<'a>>,
    known: [Cell<Known>; 4],
}

impl<'a> Paths<'a> {
    /// path1 alone.
    pub(crate) fn one(path: &'a Path<'a>) -> Paths<'a> {
        Paths::new(Some(path), None)
    }

    /// Both; a mount whose device does not count has no path1.
    pub(crate) fn new(first: Option<&'a Path<'a>>, second: Option<&'a Path<'a>>) -> Paths<'a> {
        Paths { first, second, known: [const { Cell::new(Known::Nothing) }; 4] }
    }
}

impl Objects for Paths<'_> {
    fn attributes(&self, object: Object) -> Option<Attributes> {
        let known = self.known.get(object as usize)?;
        let path = match object {
            Object::Path1 | Object::Path1Parent => self.first,
            Object::Path2 | Object::Path2Parent => self.second,
        }?;
        match known.get() {
            Known::Are(attributes) => return Some(attributes),
            Known::Missing => return None,
            Known::Nothing => {}
        }
        let found = if object.is_parent() { path.parent_attributes() } else { path.attributes() };
        known.set(found.map_or(Known::Missing, Known::Are));
        found
    }
}
