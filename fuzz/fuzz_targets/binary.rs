//! Values in binary formats.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::texts::binary(data));
