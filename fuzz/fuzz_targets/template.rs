//! The placeholders of a query.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::texts::template(data));
