//! The integration tests: one binary, one module per subject.
#![allow(clippy::unwrap_used, reason = "a test whose set-up fails has failed")]

mod diff_against_diffy;
#[cfg(unix)]
mod diff_against_git;
mod fuzz_corpus;
