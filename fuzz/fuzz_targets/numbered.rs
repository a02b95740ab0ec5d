//! Where a query takes parameters.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::sql::numbered(data));
