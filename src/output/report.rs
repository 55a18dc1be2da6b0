//! What `select` found, as figures: one JSON object, the summary line and the verbose table say the same.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use super::clock::{ClockReport, Within};
use super::curve::CurvePoint;
use super::ids::escape;
use super::placement::MappingReport;
use crate::change::{Change, Reason, Unmapped};
use crate::clock::Source;
use crate::diff::Diff;
use crate::optimize;
use crate::policy::Status;

/// Why a test was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The diff adds it.
    New,
    /// It failed the last time it ran.
    FailedBefore,
    /// For what it says of the change.
    Change,
    /// Only to spend what was left of the budget.
    Background,
}

impl From<optimize::Reason> for Why {
    fn from(reason: optimize::Reason) -> Self {
        match reason {
            optimize::Reason::First => Self::FailedBefore,
            optimize::Reason::Chosen => Self::Change,
            optimize::Reason::Background => Self::Background,
        }
    }
}

/// Tests that were not to be chosen.
#[derive(Clone, Debug, Serialize)]
pub struct Excluded {
    /// How many of them the model knows.
    pub tests: usize,
    /// The ids that it does not know.
    pub unknown: Vec<String>,
    /// The chance that they catch the defect; `utility` counts from there.
    pub utility: f64,
}

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
    /// Why it was chosen.
    pub why: Why,
    /// Which of the workers runs it, from 0.
    pub worker: u32,
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
    /// How they were chosen: greedily, or as the best of all choices (exact).
    pub strategy: &'static str,
    /// How many workers share them.
    pub workers: usize,
    /// The budget in seconds, if there is one.
    pub budget_s: Option<f64>,
    /// When the last of `tests` is done, start and set-ups included.
    pub cost_s: f64,
    /// How surely the budget is kept, where that was asked for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// Of how many of `tests` no input states a cost.
    pub costs_guessed: usize,
    /// What a session costs beside its tests.
    pub clock: ClockReport,
    /// The chance that the tests catch the defect, as far as the model knows.
    pub utility: f64,
    /// No choice within the budget, or within what a margin leaves of it, has a greater utility.
    pub upper_bound: f64,
    /// `utility / upper_bound`.
    pub certificate: f64,
    /// The utility as a share of what all tests together could reach: if the change broke something that a test can
    /// see, the chance that one of these fails.
    pub confidence: f64,
    /// The confidence that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence_target: Option<f64>,
    /// Whether it was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence_reached: Option<bool>,
    /// Whether it is certain that no selection within the budget reaches it; for the summary.
    #[serde(skip)]
    pub confidence_impossible: bool,
    /// No selection that reaches it takes less, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_lower_bound_s: Option<f64>,
    /// `1 - utility`.
    pub residual_risk: f64,
    /// The part of the residual risk that no test of the model could catch.
    pub unreachable_risk: f64,
    /// What no region knows.
    pub unmapped: Vec<UnmappedPart>,
    /// How the hunks were found in what the model knows of their files.
    pub mapping: MappingReport,
    /// Tests that the diff adds and the model does not know: they were not among what could be chosen.
    pub new_tests: Vec<String>,
    /// Regions of the change.
    pub regions: usize,
    /// Tests with a signal on the change.
    pub candidates: usize,
    /// As `candidates`: the tests that the change can reach.
    pub impacted: usize,
    /// Tests in the model.
    pub total: u32,
    /// How many of `tests` failed the last time they ran and come first for that.
    pub failed_before: usize,
    /// What `--exclude` named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Excluded>,
    /// Chosen ids left out because the tree no longer has them.
    pub dropped: usize,
    /// The smallest budget that would select something, where nothing fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest_useful_s: Option<f64>,
    /// Every prefix of the tests, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curve: Option<Vec<CurvePoint>>,
    /// Wall time of the selection in milliseconds; the only figure that differs between runs.
    pub elapsed_ms: f64,
    /// The model.
    pub model: Option<ModelSource>,
}

impl SelectReport {
    /// How many tests were selected, and how good that is: the first words of the summary of a selection.
    pub fn selected(&self) -> String {
        let new = self.tests.iter().filter(|test| test.why == Why::New).count();
        let tests =
            format!("{} of {}", group_digits(self.tests.len() as u64), counted(self.total as usize + new, "test"));
        let workers = if self.workers > 1 { format!(" on {} workers", self.workers) } else { String::new() };
        let time = format!("{}{workers}", seconds(self.cost_s));
        match (self.confidence_target, self.budget_s) {
            (Some(target), _) => self.confidence_words(&percent(target), &tests, &time),
            (None, None) => format!("{tests}, {time}"),
            (None, Some(budget_s)) => {
                let budget = seconds(budget_s);
                if let Some(within) = &self.within {
                    return format!("{tests}, {} of {budget}{workers} ({within})", seconds(self.cost_s));
                }
                let certificate = self.certificate_words(&budget).map_or(String::new(), |words| format!("; {words}"));
                format!("{tests}, {} of {budget}{workers}{certificate}", seconds(self.cost_s))
            }
        }
    }

    /// What is to be said of tests that the diff adds: they are not in the model, so they are to be run besides.
    pub fn new_tests_hint(new_tests: &[String]) -> Option<String> {
        let (first, others) = new_tests.split_first()?;
        let more =
            if others.is_empty() { String::new() } else { format!(" and {} more", group_digits(others.len() as u64)) };
        Some(format!(
            "the diff adds {} that the model does not know: run {}{more} too",
            counted(new_tests.len(), "test"),
            escape(first)
        ))
    }

    /// What is guessed of the costs, if anything: a clause. `any_known` says whether the model knows the cost of any test.
    pub fn guess(&self, any_known: bool) -> Option<String> {
        let not_wall_clock = |budget_s| format!(", so {} is not wall clock", seconds(budget_s));
        match self.costs_guessed {
            0 => None,
            _ if !any_known => {
                let budget = self.budget_s.map_or(String::new(), not_wall_clock);
                Some(format!("costs are guessed: no input states any{budget}"))
            }
            guessed => Some(format!("costs of {guessed} of {} are guessed", counted(self.tests.len(), "test"))),
        }
    }

    fn confidence_words(&self, target: &str, tests: &str, time: &str) -> String {
        if self.confidence_reached == Some(true) {
            let least = self.cost_lower_bound_s.filter(|&least_s| least_s > 0.0);
            let least = least.map_or(String::new(), |least_s| format!("; nothing below {} can", seconds_down(least_s)));
            return format!("confidence {target} reached with {tests}, {time}{least}");
        }
        let found = if self.confidence_impossible { "" } else { " found" };
        let within = self.budget_s.map_or(String::new(), |budget_s| format!(" within {}", seconds(budget_s)));
        let reached = percent_down(self.confidence);
        format!(
            "no selection{found}{within} reaches confidence {target}; this one reaches {reached} with {tests}, {time}"
        )
    }

    /// The certificate in words, where a signal chose any test.
    fn certificate_words(&self, budget: &str) -> Option<String> {
        let is_chosen = self.tests.iter().any(|test| test.why == Why::Change);
        is_chosen.then(|| match self.strategy {
            "exact" => format!("no choice reaches more in {budget}"),
            _ => format!("{} of what any choice could reach in {budget}", percent_down(self.certificate)),
        })
    }

    /// The table of `--verbose`.
    pub fn verbose(&self) -> String {
        let mut text = String::new();
        let tenths = |share: f64| format!("{:.1} %", share * 100.0);
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "  {name:<18} {value}");
        };
        line("regions", self.regions.to_string());
        line(
            "candidates",
            format!("{} of {} tests", group_digits(self.candidates as u64), group_digits(self.total.into())),
        );
        let budget = self.budget_s.map_or(String::new(), |budget_s| format!(" of {}", seconds(budget_s)));
        let workers = if self.workers > 1 { format!(" on {} workers", self.workers) } else { String::new() };
        line("estimated runtime", format!("{}{budget}{workers}", seconds(self.cost_s)));
        if let Some(within) = &self.within {
            line("at most", within.to_string());
        }
        let clock = match self.clock.source {
            Source::Unknown => "unknown: only tests are charged; `covopt measure` learns the rest".to_owned(),
            source => format!("{} ({source})", self.clock),
        };
        line("clock", clock);
        if let Some(excluded) = &self.excluded {
            line("excluded", format!("{}, utility {}", counted(excluded.tests, "test"), tenths(excluded.utility)));
            for id in &excluded.unknown {
                line("", format!("{} is not known to the model", escape(id)));
            }
        }
        line("utility", tenths(self.utility));
        line("upper bound", tenths(self.upper_bound));
        line(
            "certificate",
            format!("at least {} of what any choice could reach in that time", percent_down(self.certificate)),
        );
        line(
            "confidence",
            format!("{}: if a test can see what broke, the chance that one of these fails", tenths(self.confidence)),
        );
        let hidden = match self.unreachable_risk {
            0.0 => String::new(),
            risk => format!(", of which no test could catch {}", tenths(risk)),
        };
        line("residual risk", format!("{}{hidden}", tenths(self.residual_risk)));
        for part in &self.unmapped {
            line("unmapped", format!("{}, {} of the change", part.describe(), tenths(part.weight)));
        }
        if self.mapping.hunks > 0 {
            let MappingReport { hunks, exact, shifted, near, symbol, file, .. } = self.mapping;
            line(
                "mapping",
                format!(
                    "{hunks} hunks: {exact} exact, {shifted} shifted, {near} near, {symbol} by symbol, {file} by file"
                ),
            );
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
                match test.why {
                    Why::New => " (new in the diff)",
                    Why::FailedBefore => " (failed before)",
                    Why::Change => "",
                    Why::Background => " (background)",
                }
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

/// Seconds that are not exceeded, as a person reads them.
fn seconds_down(exact: f64) -> String {
    let step = match exact {
        s if s >= 10.0 => 1.0,
        s if s >= 1.0 => 0.1,
        s if s >= 0.1 => 0.01,
        _ => 0.000_1,
    };
    seconds((exact / step + 1e-9).floor() * step)
}

/// A share that was stated, with no more digits than it has.
fn percent(share: f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A share that is reached at least, in whole percent, or tenths where the last of them is left.
pub(super) fn percent_down(share: f64) -> String {
    let steps = if share > 0.99 { 1_000.0 } else { 100.0 };
    percent((share * steps + 1e-6).floor() / steps)
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

    /// Two of five tests in 1.2 s.
    fn report() -> SelectReport {
        let test = |id: &str, why| ChosenTest {
            id: id.to_owned(),
            cost_s: 0.6,
            gain: 0.1,
            score: 0.2,
            cumulative_s: 1.2,
            cumulative_utility: 0.3,
            why,
            worker: 0,
        };
        SelectReport {
            status: Status::Selected,
            evidence: "recorded",
            built_now: false,
            tests: vec![test("a", Why::Change), test("b", Why::Background)],
            strategy: "greedy",
            workers: 1,
            budget_s: Some(2.0),
            cost_s: 1.2,
            within: None,
            costs_guessed: 0,
            clock: ClockReport::default(),
            utility: 0.3,
            upper_bound: 0.31,
            certificate: 0.967_7,
            confidence: 0.819,
            confidence_target: None,
            confidence_reached: None,
            confidence_impossible: false,
            cost_lower_bound_s: None,
            residual_risk: 0.7,
            unreachable_risk: 0.6,
            unmapped: Vec::new(),
            mapping: MappingReport::default(),
            new_tests: Vec::new(),
            regions: 1,
            candidates: 3,
            impacted: 3,
            total: 5,
            failed_before: 0,
            excluded: None,
            dropped: 0,
            smallest_useful_s: None,
            curve: None,
            elapsed_ms: 1.0,
            model: None,
        }
    }

    #[test]
    fn a_certificate_is_about_choices_not_safety() {
        let greedy = report();
        assert_eq!(greedy.selected(), "2 of 5 tests, 1.2 s of 2.0 s; 96 % of what any choice could reach in 2.0 s");
        let exact = SelectReport { strategy: "exact", workers: 1, ..report() };
        assert_eq!(exact.selected(), "2 of 5 tests, 1.2 s of 2.0 s; no choice reaches more in 2.0 s");
        let mut filled = SelectReport { workers: 4, ..report() };
        filled.tests.remove(0);
        assert_eq!(filled.selected(), "1 of 5 tests, 1.2 s of 2.0 s on 4 workers");
    }

    #[test]
    fn a_confidence_is_reached_or_not_or_cannot_be() {
        let target = |reached, impossible, budget_s| SelectReport {
            confidence_target: Some(0.95),
            confidence_reached: Some(reached),
            confidence_impossible: impossible,
            cost_lower_bound_s: Some(1.19),
            budget_s,
            ..report()
        };
        let said = [
            target(true, false, None).selected(),
            target(false, true, Some(10.0)).selected(),
            target(false, false, Some(10.0)).selected(),
        ];
        assert_eq!(said[0], "confidence 95 % reached with 2 of 5 tests, 1.2 s; nothing below 1.1 s can");
        assert_eq!(
            said[1],
            "no selection within 10 s reaches confidence 95 %; this one reaches 81 % with 2 of 5 tests, 1.2 s"
        );
        assert!(said[2].starts_with("no selection found within 10 s reaches confidence 95 %"), "{}", said[2]);
    }

    #[test]
    fn shares_and_bounds_are_not_flattered() {
        let shares = [0.0, 0.29, 0.819, 0.9899, 0.999_49, 1.0].map(percent_down);
        assert_eq!(shares, ["0 %", "29 %", "81 %", "98 %", "99.9 %", "100 %"]);
        assert_eq!([0.95, 0.975, 0.5].map(percent), ["95 %", "97.5 %", "50 %"]);
        assert_eq!([12.9, 2.99, 0.1299, 0.0042, 2.9].map(seconds_down), ["12 s", "2.9 s", "0.12 s", "4.2 ms", "2.9 s"]);
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
