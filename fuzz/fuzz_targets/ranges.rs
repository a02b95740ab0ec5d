//! Ranges and multiranges.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::texts::ranges(data));
