//! Source text in, observations out: symbols, tests, and what each test says, where nothing was recorded.
//!
//! Each file is read by itself: [`Reader::read`] gives an [`Outline`] of it, which says what it defines, imports and is called.
//! A [`Project`] holds the outlines of a tree and tells what only several files together tell: which tests there are, and
//! the fixtures and helpers that they use. What a language's runner takes for a test is in the language's own file.
//!
//! Source is hostile: nothing in it is run, nesting costs no stack, and what no grammar understands is passed over and
//! counted.

mod c;
mod cache;
mod cosmetic;
mod go;
mod java;
mod language;
mod manifest;
mod outline;
mod project;
mod python;
mod rust;
mod script;

pub use cache::{Cache, FileState, Kept};
pub use cosmetic::Edit;
pub use language::Language;
pub use manifest::{Manifest, NAMES as MANIFESTS};
pub use outline::{Outline, Reader};
pub use project::{Found, FoundTest, Project};

/// Longer files are generated, vendored or data: none is read.
pub const FILE_BYTES_MOST: u64 = 2 << 20;

#[cfg(test)]
mod tests;
