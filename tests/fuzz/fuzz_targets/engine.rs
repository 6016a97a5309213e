// SPDX-License-Identifier: MIT OR Apache-2.0
//! A policy and requests, from bytes: engine and oracle must agree.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(wrong) = generators::target::engine(bytes) {
        panic!("{wrong}");
    }
});
