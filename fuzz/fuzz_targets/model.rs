//! Any bytes as a model, behind its checksums; the body says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covopt::fuzz::model(data));
