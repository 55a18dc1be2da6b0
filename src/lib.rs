//! Budgeted test selection: a diff and a recorded model in, the few tests most likely to catch a defect out.
//!
//! Data flows one way. A stage may use what stands to its left, never to its right:
//!
//! ```text
//! diff ─> change ──────────┐
//!                          ├─> candidate ─> optimize ─> policy ─> output
//! mmap ─> model::Index ────┘
//! ingest ─> observation ─> build ─> model
//! ```
//!
//! The library never prints, never reads the clock, the environment or the home directory; only [`cli`] and [`mmap`]
//! touch the world.

#![cfg_attr(test, allow(clippy::cast_possible_truncation, reason = "tests cast small numbers that they made"))]

pub mod build;
pub mod candidate;
pub mod change;
pub mod cli;
pub mod diff;
pub mod error;
#[doc(hidden)]
pub mod fuzz;
pub mod id;
pub mod ingest;
pub mod mmap;
pub mod model;
pub mod observation;
pub mod optimize;
pub mod output;
pub mod policy;
pub mod relevance;
pub mod signal;
pub mod words;
