//! Budgeted test selection: a diff and a recorded model in, the few tests most likely to catch a defect out.
//!
//! Data flows one way. A stage may use what stands to its left, never to its right:
//!
//! ```text
//! diff ─> change ──────────┐
//!                          ├─> relevance ─> candidate ─> optimize ─> choose ─> policy ─> output
//!                          │                                            └─> explain, replay ─┘
//! mmap ─> model::Index ────┘
//! ingest ─> observation ─> build ─> model
//! ```
//!
//! From observations to a selection:
//!
//! ```
//! use covopt::candidate::gather;
//! use covopt::change::{Change, Mapping};
//! use covopt::model::Index;
//! use covopt::observation::{LineRange, Observations};
//! use covopt::relevance::{Query, Relevance};
//! use covopt::{build, diff, optimize};
//!
//! let mut seen = Observations::default();
//! let (test, file) = (seen.test("tests/test_a.py::test_add"), seen.file("src/a.py"));
//! seen.cover(test, file, &[LineRange { first: 1, last: 4 }].into_iter().collect());
//! let bytes = build::build(&seen, None, |_| None);
//!
//! let index = Index::open(&bytes[..])?;
//! let diff = diff::parse(b"--- a/src/a.py\n+++ b/src/a.py\n@@ -2 +2 @@\n-return a - b\n+return a + b\n")?;
//! let change = Change::read(&index, &diff, Mapping::default())?;
//! let relevance = Relevance::score(&index, &Query::of(&diff, &change))?;
//! let candidates = gather(&index, &change, &relevance)?;
//! let selection = optimize::select(&candidates.instance, &optimize::Options::default());
//!
//! let best = candidates.tests[selection.picks[0].candidate as usize];
//! assert_eq!(index.test_name(best)?, "tests/test_a.py::test_add");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The library never prints, never reads the clock, the environment or the home directory; only [`cli`] and [`mmap`]
//! touch the world.

#![cfg_attr(test, allow(clippy::cast_possible_truncation, reason = "tests cast small numbers that they made"))]

pub mod build;
pub mod calibrate;
pub mod candidate;
pub mod change;
pub mod choose;
pub mod cli;
pub mod clock;
pub mod diff;
pub mod error;
pub mod explain;
#[doc(hidden)]
pub mod fuzz;
pub mod history;
pub mod id;
pub mod ingest;
pub mod margin;
pub mod mmap;
pub mod model;
pub mod observation;
pub mod optimize;
pub mod output;
pub mod policy;
pub mod relevance;
pub mod replay;
pub mod signal;
#[cfg(feature = "source")]
pub mod source;
pub mod words;
