//! Any bytes as durations; the body says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covopt::fuzz::durations(data));
