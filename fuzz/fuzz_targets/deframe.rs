//! Messages and rows, in pieces of any size: what comes out does not depend on them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::play::pieces(data));
