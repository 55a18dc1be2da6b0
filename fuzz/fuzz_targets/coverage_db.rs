//! Any bytes as a coverage.py database; the body says what must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| covopt::fuzz::coverage_db(data));
