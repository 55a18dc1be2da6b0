//! The integration tests: one binary, a module for each thing that only the whole program can show.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test whose set-up fails has failed; it casts small numbers that it made"
)]

mod calibrate;
#[cfg(unix)]
mod ci_recipe;
mod cli;
#[cfg(unix)]
mod clock;
mod compat;
mod corrupt;
#[cfg(unix)]
mod cosmetic;
mod diff_against_diffy;
#[cfg(unix)]
mod diff_against_git;
#[cfg(unix)]
mod drift;
#[cfg(unix)]
mod end_to_end;
mod explain;
mod failed_before;
mod fuzz_corpus;
#[cfg(unix)]
mod killed;
mod merge;
mod pages;
mod replay;
mod roundtrip;
#[cfg(unix)]
mod shop;
#[cfg(unix)]
mod source;
