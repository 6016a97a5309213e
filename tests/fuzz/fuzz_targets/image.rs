// SPDX-License-Identifier: MIT OR Apache-2.0
//! Policy images with a right digest, from bytes: `generators::image::check` says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(wrong) = generators::image::check(bytes) {
        panic!("{wrong}");
    }
});
