//! Connection strings of keywords and values, and URIs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::config::dsn(data));
