// SPDX-License-Identifier: MIT OR Apache-2.0
//! Words made of parts, each beside something of a name that it matches, and names that are bent in one place.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, Index};
use sekisho_core::name::Name;

/// Parts of words, and what of a name they match.
const PARTS: [(&str, &str); 21] = [
    ("a", "a"),
    ("b", "b"),
    ("1", "1"),
    (".", "."),
    ("x1.so", "x1.so"),
    ("\\040", "\\040"),
    ("\\\\", "\\\\"),
    ("\\*", ""),
    ("\\*", "ab"),
    ("\\*", "\\040."),
    ("\\@", ""),
    ("\\@", "a1"),
    ("\\?", "a"),
    ("\\?", "\\\\"),
    ("\\$", "23"),
    ("\\+", "7"),
    ("\\X", "fF0"),
    ("\\x", "9"),
    ("\\A", "Qx"),
    ("\\a", "z"),
    ("\\*a", "aba"),
];
/// A word, and a name that it matches (unless what it subtracts happens to be that).
#[derive(Clone, Debug)]
pub struct Near {
    pub word: String,
    pub name: String,
    /// Where components end in both.
    ends: Vec<(usize, usize)>,
}

impl Near {
    /// The name as a word.
    fn plain(&self) -> Near {
        Near { word: self.name.clone(), ..self.clone() }
    }

    /// Begins as this one and goes on as another.
    fn branch(&self, at: Index, other: &Near) -> Near {
        if self.ends.is_empty() || other.ends.is_empty() {
            return other.clone();
        }
        let (word, name) = at.get(&self.ends);
        let join = |head: &str, tail: &str| head.to_owned() + tail;
        let ends = vec![(*word, *name)];
        Near {
            word: join(&self.word[..*word], &other.word),
            name: join(&self.name[..*name], &other.name),
            ends,
        }
    }
}

/// A component of a word, and of a name.
fn component() -> impl Strategy<Value = (String, String)> {
    let subtracted = weighted(0.1, select(&PARTS[..]));
    (vec(select(&PARTS[..]), 1..4), subtracted).prop_map(|(parts, subtracted)| {
        let (mut word, mut name): (String, String) = parts.into_iter().unzip();
        if name.is_empty() {
            word.push('a');
            name.push('a');
        }
        if let Some((part, _)) = subtracted {
            word.push_str(&format!("\\-{part}"));
        }
        (word, name)
    })
}

fn near() -> impl Strategy<Value = Near> {
    // How often the component stands in the name, if it stands in `\{\}`.
    let component = (component(), weighted(0.12, 1..4_usize));
    let path = (vec(component, 1..5), weighted(0.2, Just("/"))).prop_map(|(components, slash)| {
        let (mut word, mut name, mut ends) = (String::new(), String::new(), Vec::new());
        let mut open = false;
        for ((one, matched), times) in &components {
            open = times.is_some();
            word += &if open { format!("/\\{{{one}\\}}") } else { format!("/{one}") };
            name += &format!("/{matched}").repeat(times.unwrap_or(1));
            ends.push((word.len(), name.len()));
        }
        let slash = if open { "/" } else { slash.unwrap_or("") };
        Near { word: word + slash, name: name + slash, ends }
    });
    let pipe = Just(Near { word: "pipe:[\\$]".into(), name: "pipe:[12]".into(), ends: Vec::new() });
    prop_oneof![20 => path, 1 => pipe]
}

/// Words of which many begin alike or match the same names: a word may be followed by its name, and by another word that
/// branches off.
pub fn pool() -> impl Strategy<Value = Vec<Near>> {
    let family = (near(), any::<bool>(), weighted(0.5, (any::<Index>(), near())));
    vec(family, 1..5).prop_map(|families| {
        let mut pool = Vec::new();
        for (near, plain, branch) in families {
            pool.extend(plain.then(|| near.plain()));
            pool.extend(branch.map(|(at, other)| near.branch(at, &other)));
            pool.push(near);
        }
        pool
    })
}

/// What is done to a name, somewhere.
#[derive(Clone, Copy, Debug)]
pub enum Bend {
    None,
    Byte,
    Escape,
    Insert,
    Drop,
    Longer,
    Shorter,
    Slash,
}

pub type Bent = (Bend, Index);

pub fn bent() -> impl Strategy<Value = Bent> {
    use Bend::{Byte, Drop, Escape, Insert, Longer, None, Shorter, Slash};
    let bends = select(vec![Byte, Escape, Insert, Drop, Longer, Shorter, Slash]);
    (prop_oneof![5 => Just(None), 3 => bends], any::<Index>())
}

/// The bytes of a name, in their encoding.
fn units(name: &str) -> Vec<&str> {
    let mut units = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let long = if rest.starts_with("\\\\") { 2 } else { 4 };
        let (unit, tail) = rest.split_at(if rest.starts_with('\\') { long } else { 1 });
        units.push(unit);
        rest = tail;
    }
    units
}

/// A name that differs in one place. The same one, if it would be none.
pub fn bend(name: &str, (bend, at): Bent) -> String {
    let mut units = units(name);
    if units.is_empty() {
        return name.to_owned();
    }
    let place = at.index(units.len());
    match bend {
        Bend::None => {}
        Bend::Byte => units[place] = if units[place] == "b" { "a" } else { "b" },
        Bend::Escape => units[place] = if units[place] == "\\040" { "\\\\" } else { "\\040" },
        Bend::Insert => units.insert(place, "a"),
        Bend::Drop => drop(units.remove(place)),
        Bend::Slash if units.ends_with(&["/"]) => drop(units.pop()),
        Bend::Slash => units.push("/"),
        Bend::Longer | Bend::Shorter => {
            let text = units.concat();
            let mut components: Vec<&str> = text.split('/').collect();
            // In front of the first one is nothing.
            let place = 1 + at.index(components.len());
            if matches!(bend, Bend::Longer) {
                components.insert(place.min(components.len()), "a");
            } else if place < components.len() {
                components.remove(place);
            }
            let text = components.join("/");
            return if Name::new(text.as_bytes()).is_some() { text } else { name.to_owned() };
        }
    }
    let text = units.concat();
    if Name::new(text.as_bytes()).is_some() {
        text
    } else {
        name.to_owned()
    }
}
