//! What `select` found, as figures: one JSON object, the summary line and the verbose table say the same.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use super::ids::escape;
use crate::change::{Change, Reason, Unmapped};
use crate::diff::Diff;
use crate::policy::Status;

/// One chosen test.
#[derive(Clone, Debug, Serialize)]
pub struct ChosenTest {
    /// Its id, exactly as the runner names it.
    pub id: String,
    /// Its cost in seconds.
    pub cost_s: f64,
    /// What it added to the utility when it was picked.
    pub gain: f64,
    /// Gain per second, by which it was picked.
    pub score: f64,
    /// Cost of everything up to and with it.
    pub cumulative_s: f64,
    /// Utility of everything up to and with it.
    pub cumulative_utility: f64,
    /// Whether it only spends what was left of the budget.
    pub background: bool,
}

/// A part of the diff that no region of the model knows.
#[derive(Clone, Debug, Serialize)]
pub struct UnmappedPart {
    /// The file.
    pub path: String,
    /// Why.
    pub reason: &'static str,
    /// Its share of the change.
    pub weight: f64,
    /// For an ambiguous path: some of the files it may be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<String>,
}

impl UnmappedPart {
    /// The parts of `diff` that `change` left, in the order of their files.
    ///
    /// # Panics
    /// When `change` was read from another diff.
    pub fn all(change: &Change, diff: &Diff<'_>) -> Vec<Self> {
        let part = |part: &Unmapped| Self {
            path: String::from_utf8_lossy(diff.files[part.diff_file].path()).into_owned(),
            reason: part.reason.as_str(),
            weight: part.weight,
            matches: part.matches.clone(),
        };
        change.unmapped.iter().map(part).collect()
    }

    /// The path and why no region knows it, on one line.
    pub fn describe(&self) -> String {
        let mut text = format!("{} ({}", escape(&self.path), self.reason);
        for (position, path) in self.matches.iter().enumerate() {
            text.push_str(if position == 0 { ": may be " } else { " or " });
            text.push_str(&escape(path));
        }
        text.push(')');
        text
    }

    /// Why no test is known for a change that these parts of are unmapped: a clause.
    pub fn why_unknown(parts: &[Self]) -> String {
        let files = |reason: Reason| {
            let paths: BTreeSet<&str> =
                parts.iter().filter(|part| part.reason == reason.as_str()).map(|part| part.path.as_str()).collect();
            counted(paths.len(), "changed file")
        };
        let has = |reason: Reason| parts.iter().any(|part| part.reason == reason.as_str());
        let mut reasons = Vec::new();
        if has(Reason::UnknownFile) {
            reasons.push(format!("the model does not know {}", files(Reason::UnknownFile)));
        }
        if has(Reason::AmbiguousPath) {
            reasons.push(format!("{} may be one of several (--verbose names them)", files(Reason::AmbiguousPath)));
        }
        if has(Reason::Untested) {
            reasons.push(format!("no test is known to run {}", files(Reason::Untested)));
        }
        if reasons.is_empty() { "no test is known to run what changed".to_owned() } else { reasons.join(", ") }
    }
}

/// The model that answered.
#[derive(Clone, Debug, Serialize)]
pub struct ModelSource {
    /// Where it is.
    pub path: String,
    /// Its format version.
    pub version: u32,
    /// The commit it describes.
    pub base: Option<String>,
}

/// Everything `select --format json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct SelectReport {
    /// How it came out.
    pub status: Status,
    /// What the model is made of: recorded, declared, mixed, source (words alone) or none.
    pub evidence: &'static str,
    /// Whether the model was built for this call.
    pub built_now: bool,
    /// The tests, best first.
    pub tests: Vec<ChosenTest>,
    /// The budget in seconds.
    pub budget_s: f64,
    /// Sum of the costs of `tests`.
    pub cost_s: f64,
    /// The chance that the tests catch the defect, as far as the model knows.
    pub utility: f64,
    /// No choice within the budget has a greater utility.
    pub upper_bound: f64,
    /// `utility / upper_bound`.
    pub certificate: f64,
    /// `1 - utility`.
    pub residual_risk: f64,
    /// The part of the residual risk that no test of the model could catch.
    pub unreachable_risk: f64,
    /// What no region knows.
    pub unmapped: Vec<UnmappedPart>,
    /// Regions of the change.
    pub regions: usize,
    /// Tests with a signal on the change.
    pub candidates: usize,
    /// As `candidates`: the tests that the change can reach.
    pub impacted: usize,
    /// Tests in the model.
    pub total: u32,
    /// Chosen ids left out because the tree no longer has them.
    pub dropped: usize,
    /// The smallest budget that would select something, where nothing fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest_useful_s: Option<f64>,
    /// Wall time of the selection in milliseconds; the only figure that differs between runs.
    pub elapsed_ms: f64,
    /// The model.
    pub model: Option<ModelSource>,
}

impl SelectReport {
    /// The table of `--verbose`.
    pub fn verbose(&self) -> String {
        let mut text = String::new();
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "  {name:<18} {value}");
        };
        line("regions", self.regions.to_string());
        line(
            "candidates",
            format!("{} of {} tests", group_digits(self.candidates as u64), group_digits(self.total.into())),
        );
        line("estimated runtime", format!("{} of {}", seconds(self.cost_s), seconds(self.budget_s)));
        line("utility", percent(self.utility));
        line("upper bound", percent(self.upper_bound));
        line("certificate", format!("at least {} of the best possible at this budget", percent(self.certificate)));
        line(
            "residual risk",
            format!("{}, of which {} no test could catch", percent(self.residual_risk), percent(self.unreachable_risk)),
        );
        for part in &self.unmapped {
            line("unmapped", format!("{}, {} of the change", part.describe(), percent(part.weight)));
        }
        line("selector", format!("{:.2} ms", self.elapsed_ms));
        if !self.tests.is_empty() {
            let _ = writeln!(text, "  {:>4} {:>10} {:>8} {:>10} {:>10}  test", "", "cost", "gain", "gain/s", "utility");
        }
        for (rank, test) in self.tests.iter().enumerate() {
            let _ = writeln!(
                text,
                "  {:>4} {:>10} {:>8.5} {:>10.4} {:>10.5}  {}{}",
                rank + 1,
                seconds(test.cost_s),
                test.gain,
                test.score,
                test.cumulative_utility,
                escape(&test.id),
                if test.background { " (background)" } else { "" }
            );
        }
        text
    }
}

/// Seconds as a person reads them.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s >= 10.0 => format!("{s:.0} s"),
        s if s >= 1.0 => format!("{s:.1} s"),
        s if s >= 0.1 => format!("{s:.2} s"),
        s if s > 0.0 => format!("{:.1} ms", s * 1000.0),
        _ => "0 s".to_owned(),
    }
}

/// `1234567` as `1,234,567`.
pub fn group_digits(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 test`, `3,012 tests`: a number of what has a regular plural.
pub fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", group_digits(number as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one() {
        let all = [0, 1, 3012].map(|number| counted(number, "test"));
        assert_eq!(all, ["0 tests", "1 test", "3,012 tests"]);
    }

    #[test]
    fn figures_read_well() {
        assert_eq!(group_digits(0), "0");
        assert_eq!(group_digits(3012), "3,012");
        assert_eq!(group_digits(1_234_567), "1,234,567");
        assert_eq!(seconds(12.34), "12 s");
        assert_eq!(seconds(8.74), "8.7 s");
        assert_eq!(seconds(0.0042), "4.2 ms");
        assert_eq!(seconds(0.0), "0 s");
    }
}
