//! The integration tests: one binary, one module per subject.

mod diff_against_diffy;
mod diff_against_git;
mod fuzz_corpus;
