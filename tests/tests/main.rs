//! The integration tests: one binary, a module for each thing that only the whole program can show.
#![allow(clippy::unwrap_used, reason = "a test whose set-up fails has failed")]

#[cfg(unix)]
mod ci_recipe;
mod cli;
mod diff_against_diffy;
#[cfg(unix)]
mod diff_against_git;
#[cfg(unix)]
mod end_to_end;
mod fuzz_corpus;
#[cfg(unix)]
mod shop;
