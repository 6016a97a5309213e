// SPDX-License-Identifier: GPL-2.0-only

//! Arguments and environment of an execve: what is seen of them, and what it costs.

use crate::program::Program;
use crate::sys::bprm::Bprm;
use crate::sys::waiting::BREATHS;
use crate::tests::fresh;
use sekisho_core::facts::Arguments;
use sekisho_core::name::Name;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;

fn bprm(start: u64, argv: &[&[u8]], envp: &[&[u8]]) -> Bprm<'static> {
    let bytes = argv.iter().chain(envp).flat_map(|text| [*text, b"\0"].concat()).collect();
    let counts = (argv.len() as u32, envp.len() as u32);
    Bprm { start: start as _, bytes, counts, copied: Cell::new(0), lives: PhantomData }
}

fn argument(program: &Program<'_>, index: u64) -> Option<Vec<u8>> {
    let mut seen = None;
    program.argv(index, &mut |name| seen = Some(name.as_bytes().to_vec())).then_some(())?;
    seen
}

fn variables(program: &Program<'_>) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut all = Vec::new();
    let owned = |name: Name<'_>| name.as_bytes().to_vec();
    program.envp(&mut |name, value| all.push((owned(name), value.map(owned))));
    all
}

fn realpath() -> Name<'static> {
    Name::new(b"/bin/x").unwrap()
}

#[test]
fn strings_are_seen_encoded_in_any_order() {
    let _alone = fresh();
    // Strings that cross pages, from a place that is no page's beginning.
    let long = vec![b'y'; 5000];
    let bprm = bprm(4096 * 7 - 3, &[b"a b", b"", &long, b"\xff"], &[b"A=1", b"B", b"=x", b"C=a=b"]);
    let program = Program::new(&bprm, realpath());
    assert_eq!((program.argc(), program.envc()), (4, 4));
    for index in [3, 0, 1, 2, 3, 3, 1] {
        let wanted: &[u8] = match index {
            0 => b"a\\040b",
            1 => b"",
            2 => &long,
            _ => b"\\377",
        };
        assert_eq!(argument(&program, index).as_deref(), Some(wanted), "{index}");
    }
    assert_eq!(argument(&program, 4), None);
    let some = |text: &[u8]| Some(text.to_vec());
    assert_eq!(
        variables(&program),
        [
            (b"A".to_vec(), some(b"1")),
            (b"B".to_vec(), None),
            (b"".to_vec(), some(b"x")),
            (b"C".to_vec(), some(b"a=b")),
        ]
    );
    assert!(!program.is_unreadable());
}

#[test]
fn all_is_copied_once_and_only_if_somebody_asks() {
    let _alone = fresh();
    let values: Vec<Vec<u8>> = (0..2000).map(|i| format!("V{i}={}", "v".repeat(500)).into_bytes()).collect();
    let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let bprm = bprm(4096 * 9 + 100, &[b"x"], &values);
    let program = Program::new(&bprm, realpath());
    assert_eq!((program.argc(), program.envc(), bprm.copied.get()), (1, 2000, 0));
    for _ in 0..5 {
        assert_eq!(variables(&program).len(), 2000);
        assert_eq!(argument(&program, 0).as_deref(), Some(&b"x"[..]));
    }
    assert_eq!(bprm.copied.get(), bprm.bytes.len());
}

#[test]
fn what_is_too_long_is_cut_between_units() {
    let _alone = fresh();
    let bprm = bprm(4096, &[&[b' '; 3000], b"next"], &[]);
    let program = Program::new(&bprm, realpath());
    assert_eq!(argument(&program, 0), Some(b"\\040".repeat(2040)));
    assert_eq!(argument(&program, 1).as_deref(), Some(&b"next"[..]));
}

#[test]
fn a_task_that_is_killed_looks_no_further() {
    let _alone = fresh();
    let value = vec![b'x'; 100_000];
    let values = vec![value.as_slice(); 50];
    let bprm = bprm(4096, &[b"x"], &values);
    // While they are copied, and while they are walked over.
    for breaths in [0, 700, bprm.bytes.len() / 4096 + 5] {
        let program = Program::new(&bprm, realpath());
        bprm.copied.set(0);
        BREATHS.store(breaths, Ordering::Relaxed);
        let seen = variables(&program).len();
        BREATHS.store(usize::MAX, Ordering::Relaxed);
        assert!(seen < 50 && program.is_unreadable(), "{seen} after {breaths}");
    }
}
