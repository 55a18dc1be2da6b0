//! Any bytes as damage to two models that then join; the body says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covopt::fuzz::merge(data));
