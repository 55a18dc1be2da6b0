//! Any bytes as past runs; the body says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covopt::fuzz::past_runs(data));
