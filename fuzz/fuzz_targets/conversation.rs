//! A whole conversation with a server that says anything at all.
#![no_main]

#[path = "../src/play.rs"]
mod play;

libfuzzer_sys::fuzz_target!(|data: &[u8]| play::conversation(data));
