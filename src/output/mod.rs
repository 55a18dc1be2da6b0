//! From a selection to bytes: lines, NUL-separated ids, JSON, or what a runner takes. The only room that writes test ids.

mod clock;
mod curve;
mod explain;
mod ids;
mod log;
mod placement;
mod replay;
mod report;
mod runner;
mod table;

pub use clock::{ClockReport, Within};
pub use curve::{CurvePoint, curve, plot};
pub use explain::{AnswerReport, ExplainReport, MoreReport, PartReport, ShareReport, WhyReport};
pub use ids::{IdError, escape, escape_lines, needs_null, write_lines, write_null};
pub use log::LogLine;
pub use placement::{DifferingHunk, MappingReport, PlaceReport};
pub use replay::{AtBudget, Miss, PastResult, ReplayReport, RunAtBudget, RunResult};
pub use report::{ChosenTest, Excluded, ModelSource, SelectReport, UnmappedPart, Why, counted, group_digits, seconds};
pub use runner::{Runner, RunnerError};
pub(crate) use table::table;
