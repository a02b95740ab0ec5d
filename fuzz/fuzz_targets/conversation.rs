//! A whole conversation with a server that says anything at all.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::play::conversation(data));
