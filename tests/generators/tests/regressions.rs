// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every input that once broke a fuzz target, and the seeds that fuzzing starts from.

use std::path::Path;

type Target = fn(&[u8]) -> Result<(), String>;

#[test]
fn nothing_breaks_again() {
    let targets: [(&str, Target); 2] =
        [("text", generators::target::text), ("engine", generators::target::engine)];
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
