// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every input that once broke a fuzz target, and the seeds that fuzzing starts from.

use std::path::Path;

type Target = fn(&[u8]) -> Result<(), String>;

#[test]
fn nothing_breaks_again() {
    let targets: [(&str, Target); 3] = [
        ("text", generators::target::text),
        ("engine", generators::target::engine),
        ("image", generators::image::check),
    ];
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let mut inputs = 0;
    for (name, target) in targets {
        for kind in ["regressions", "seeds"] {
            let Ok(files) = fuzz.join(kind).join(name).read_dir() else {
                continue;
            };
            for file in files {
                let path = file.expect("an entry").path();
                let bytes = std::fs::read(&path).expect("a file");
                target(&bytes).unwrap_or_else(|wrong| panic!("{}: {wrong}", path.display()));
                inputs += 1;
            }
        }
    }
    assert!(inputs > 0, "there are no inputs");
}

/// Images of made policies, whole and changed in some places: what fuzzing does, for a second.
#[test]
fn images_hold_what_they_say() {
    let mut state = 1_u64;
    for round in 0..600_u32 {
        let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            (state >> 56) as u8
        })
        .take(401)
        .collect();
        bytes[0] |= 1;
        // 200 bytes for the policy, 100 for changes: none in every fourth one, up to three in the others.
        bytes[201] = (round % 4) as u8;
        generators::image::check(&bytes).unwrap_or_else(|wrong| panic!("round {round}: {wrong}"));
    }
}
