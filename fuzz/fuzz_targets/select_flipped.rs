//! Any bytes as flips of a model that then answers a diff; the body says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covopt::fuzz::select_flipped(data));
