//! Any commands to the protocol engine, in any order, between any bytes of a server.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::commands::engine(data));
