//! The tokens of SQL.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::sql::tokens(data));
