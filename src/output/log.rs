//! What a selection chose, as one line of a log that outlives it: joined with what failed, it tells how often selections
//! miss.

use std::borrow::Cow;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::report::SelectReport;
use crate::policy::Status;

/// One line of the log. Nothing in it tells the time or the machine: the same change and model log the same line.
///
/// It holds the change itself, so that with `failed` added it is a past run, as [`crate::ingest::past_runs`] reads it.
#[derive(Clone, Debug, Serialize)]
pub struct LogLine<'a> {
    /// The xxh3-64 of the diff, in hexadecimal.
    diff_xxh3: String,
    /// The commit that the model describes.
    base: Option<&'a str>,
    budget_s: Option<f64>,
    status: Status,
    ids: Vec<&'a str>,
    utility: f64,
    confidence: f64,
    upper_bound: f64,
    certificate: f64,
    cost_s: f64,
    /// The diff, with what is not UTF-8 in it replaced.
    patch: Cow<'a, str>,
}

impl<'a> LogLine<'a> {
    /// The line of a selection for `diff`.
    pub fn new(report: &'a SelectReport, diff: &'a [u8]) -> Self {
        Self {
            diff_xxh3: format!("{:016x}", xxh3_64(diff)),
            base: report.model.as_ref().and_then(|model| model.base.as_deref()),
            budget_s: report.budget_s,
            status: report.status,
            ids: report.tests.iter().map(|test| test.id.as_str()).collect(),
            utility: report.utility,
            confidence: report.confidence,
            upper_bound: report.upper_bound,
            certificate: report.certificate,
            cost_s: report.cost_s,
            patch: String::from_utf8_lossy(diff),
        }
    }
}
