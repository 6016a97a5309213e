// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines of policy, from bytes: `generators::target::text` says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(wrong) = generators::target::text(bytes) {
        panic!("{wrong}");
    }
});
