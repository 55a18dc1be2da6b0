//! Any bytes as a posting list, and as a recipe of one; the body says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covopt::fuzz::postings(data));
