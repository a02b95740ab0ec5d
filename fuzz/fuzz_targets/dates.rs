//! Dates, times and timestamps.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::texts::dates(data));
