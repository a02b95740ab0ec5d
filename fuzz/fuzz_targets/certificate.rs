//! Certificates.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psycoxide_net::fuzzing::certificate(data));
