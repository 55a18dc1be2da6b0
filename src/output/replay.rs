//! What a replay found: how many failing changes each budget caught, what was missed and why, what was said against what
//! was seen. One JSON object and the text for people say the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::ids::escape;
use super::report::{ModelSource, counted, seconds};
use super::table::table;
use crate::replay::{First, Outcome, Reliability, Replayed, Share, Standing};

/// A past run and what came of it.
#[derive(Clone, Debug)]
pub struct PastResult {
    /// What it is called.
    pub id: String,
    /// Its line in the input, 1-based.
    pub line: usize,
    /// What it is grouped by.
    pub kind: Option<String>,
    /// What came of it.
    pub replayed: Replayed,
}

/// Everything that `replay --format json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayReport {
    /// Past runs that were read.
    pub runs: usize,
    /// Of these, the runs in which a test failed that the model knows: those that count.
    pub failing: usize,
    /// The runs in which nothing failed.
    pub not_failing: usize,
    /// The runs in which only tests failed that the model does not know.
    pub unknown: usize,
    /// How many of the failing runs were caught at each budget, ascending.
    pub budgets: Vec<AtBudget>,
    /// The same for each kind of run.
    pub kinds: BTreeMap<String, Vec<AtBudget>>,
    /// What was said against what was seen, over all failing runs and budgets.
    pub calibration: Reliability,
    /// What was not caught, in the order of the runs.
    pub misses: Vec<Miss>,
    /// Each run.
    pub results: Vec<RunResult>,
    /// The model; none where a log was scored.
    pub model: Option<ModelSource>,
}

/// How many failing runs one budget caught.
#[derive(Clone, Debug, Serialize)]
pub struct AtBudget {
    /// The budget as it was asked for.
    pub budget: String,
    /// The budget in seconds.
    pub budget_s: f64,
    /// How many were caught.
    pub caught: Share,
}

/// A failing run that a budget did not catch.
#[derive(Clone, Debug, Serialize)]
pub struct Miss {
    /// The run.
    pub id: String,
    /// Its line in the input, 1-based.
    pub line: usize,
    /// The budget in seconds.
    pub budget_s: f64,
    /// Why: `too_late`, `no_signal` or `change_unmapped`; none where a log was scored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Where the first failing test would have come, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
    /// What all up to it would have cost, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_s: Option<f64>,
}

/// A run, for machines.
#[derive(Clone, Debug, Serialize)]
pub struct RunResult {
    /// What it is called.
    pub id: String,
    /// Its line in the input, 1-based.
    pub line: usize,
    /// What it is grouped by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `failing`, `not_failing` or `unknown`.
    pub standing: &'static str,
    /// What each budget came to, where the run is failing.
    pub budgets: Vec<RunAtBudget>,
}

/// What one run came to at one budget.
#[derive(Clone, Debug, Serialize)]
pub struct RunAtBudget {
    /// The budget in seconds.
    pub budget_s: f64,
    /// Whether a test that failed was chosen.
    pub caught: bool,
    /// The rank of the first, from 1.
    pub first_failing_rank: Option<usize>,
    /// How many tests were chosen.
    pub tests: usize,
    /// What they cost in seconds.
    pub cost_s: f64,
    /// The chance of catching the defect that was stated.
    pub utility: f64,
    /// The same, of a defect that some test can see.
    pub confidence: f64,
    /// How much of the best possible was stated to be reached.
    pub certificate: f64,
}

fn seconds_of(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

impl ReplayReport {
    /// Counts the results. `labels` are budgets in microseconds as they were asked for; others are called by their
    /// seconds.
    pub fn new(results: &[PastResult], labels: &BTreeMap<u64, String>, model: Option<ModelSource>) -> Self {
        let standing = |standing| results.iter().filter(|result| result.replayed.standing == standing).count();
        let mut kinds: BTreeMap<String, Vec<&PastResult>> = BTreeMap::new();
        for result in results {
            if let Some(kind) = &result.kind {
                kinds.entry(kind.clone()).or_default().push(result);
            }
        }
        let outcomes = || results.iter().flat_map(|result| &result.replayed.outcomes);
        let said: Vec<(f64, bool)> =
            outcomes().map(|outcome| (outcome.confidence, outcome.caught_at.is_some())).collect();
        Self {
            runs: results.len(),
            failing: standing(Standing::Failing),
            not_failing: standing(Standing::NotFailing),
            unknown: standing(Standing::Unknown),
            budgets: at_budgets(results.iter(), labels),
            kinds: kinds.into_iter().map(|(kind, of_it)| (kind, at_budgets(of_it.into_iter(), labels))).collect(),
            calibration: Reliability::of(&said),
            misses: results.iter().flat_map(misses).collect(),
            results: results.iter().map(RunResult::new).collect(),
            model,
        }
    }

    /// The report for people. `name` is what the runs were read from.
    pub fn text(&self, name: &str) -> String {
        let mut text = format!("{} in {}: {}", counted(self.runs, "run"), escape(name), self.standings());
        if self.failing == 0 {
            text.push_str("\n\nNothing to score: a run counts where a test failed that the model knows.\n");
            return text;
        }
        text.push_str("\n\nCaught, of the failing runs:\n");
        text.push_str(&self.budget_table());
        text.push_str(&format!(
            "\nThe chance that was said against what was seen, over {}:\n",
            counted(self.calibration.seen.of, "selection")
        ));
        text.push_str(&self.calibration_table());
        if !self.misses.is_empty() {
            text.push_str("\nMissed:\n");
            text.push_str(&self.miss_table());
        }
        text
    }

    fn standings(&self) -> String {
        let mut parts = vec![format!("{} failing", self.failing)];
        if self.not_failing > 0 {
            parts.push(format!("{} in which nothing failed", self.not_failing));
        }
        if self.unknown > 0 {
            parts.push(format!("{} in which only tests failed that the model does not know", self.unknown));
        }
        parts.join(", ")
    }

    fn budget_table(&self) -> String {
        let mut rows = vec![["budget", "", "caught", "share", "95 % interval"].map(str::to_owned).to_vec()];
        let mut add = |name: &str, at: &AtBudget| {
            let asked = if name.is_empty() { at.budget.clone() } else { format!("{name}, {}", at.budget) };
            let spent = seconds(at.budget_s);
            let spent = if at.budget == spent { String::new() } else { spent };
            rows.push([vec![asked, spent], share_cells(&at.caught)].concat());
        };
        self.budgets.iter().for_each(|at| add("", at));
        if self.kinds.len() > 1 {
            self.kinds.iter().for_each(|(kind, budgets)| budgets.iter().for_each(|at| add(&escape(kind), at)));
        }
        table("<>>><", &rows)
    }

    fn calibration_table(&self) -> String {
        let mut rows = vec![["said", "mean", "came true", "share", "95 % interval"].map(str::to_owned).to_vec()];
        for bin in &self.calibration.bins {
            let said = format!("{:.0} to {:.0} %", bin.from * 100.0, bin.to * 100.0);
            rows.push([vec![said, percent(bin.said)], share_cells(&bin.seen)].concat());
        }
        let all = vec!["all".to_owned(), percent(self.calibration.said)];
        rows.push([all, share_cells(&self.calibration.seen)].concat());
        let mut text = table("<>>><", &rows);
        if let Some(brier) = self.calibration.brier {
            let _ = writeln!(text, "  Brier score {brier:.3}: 0 is perfect, 0.25 is what \"one in two\" always has");
        }
        text
    }

    /// One line a run: at which budgets it was missed, and why.
    fn miss_table(&self) -> String {
        let label = |miss: &Miss| {
            let found = self.budgets.iter().find(|at| at.budget_s == miss.budget_s);
            found.map_or_else(|| seconds(miss.budget_s), |at| at.budget.clone())
        };
        let rows: Vec<Vec<String>> = self
            .misses
            .chunk_by(|a, b| a.line == b.line)
            .map(|of_run| {
                let at: Vec<String> = of_run.iter().map(label).collect();
                vec![escape(&of_run[0].id).into_owned(), format!("at {}", at.join(", ")), of_run[0].why()]
            })
            .collect();
        table("<<<", &rows)
    }
}

impl Miss {
    fn why(&self) -> String {
        match (self.reason, self.rank, self.cost_s) {
            (Some(_), Some(rank), Some(cost_s)) => {
                format!("a test that failed comes at rank {rank}, after {}", seconds(cost_s))
            }
            (Some("change_unmapped"), ..) => "the model knows nothing of what changed".to_owned(),
            (Some(_), ..) => "no test that failed has a signal on the change".to_owned(),
            (None, ..) => "no test that failed was chosen".to_owned(),
        }
    }
}

impl RunResult {
    fn new(result: &PastResult) -> Self {
        Self {
            id: result.id.clone(),
            line: result.line,
            kind: result.kind.clone(),
            standing: result.replayed.standing.as_str(),
            budgets: result.replayed.outcomes.iter().map(RunAtBudget::new).collect(),
        }
    }
}

impl RunAtBudget {
    fn new(outcome: &Outcome) -> Self {
        Self {
            budget_s: seconds_of(outcome.budget_us),
            caught: outcome.caught_at.is_some(),
            first_failing_rank: outcome.caught_at,
            tests: outcome.tests,
            cost_s: seconds_of(outcome.cost_us),
            utility: outcome.utility,
            confidence: outcome.confidence,
            certificate: outcome.certificate,
        }
    }
}

/// How many of the runs each budget caught, by ascending budget.
fn at_budgets<'a>(runs: impl Iterator<Item = &'a PastResult>, labels: &BTreeMap<u64, String>) -> Vec<AtBudget> {
    let mut caught: BTreeMap<u64, Vec<bool>> = BTreeMap::new();
    for outcome in runs.flat_map(|run| &run.replayed.outcomes) {
        caught.entry(outcome.budget_us).or_default().push(outcome.caught_at.is_some());
    }
    let at = |(budget_us, caught): (u64, Vec<bool>)| {
        let budget_s = seconds_of(budget_us);
        let budget = labels.get(&budget_us).cloned().unwrap_or_else(|| seconds(budget_s));
        AtBudget { budget, budget_s, caught: Share::of(caught.into_iter()) }
    };
    caught.into_iter().map(at).collect()
}

fn misses(result: &PastResult) -> impl Iterator<Item = Miss> + '_ {
    let (reason, rank, cost_s) = match result.replayed.first {
        Some(First::At { rank, cumulative_us }) => (Some("too_late"), Some(rank), Some(seconds_of(cumulative_us))),
        Some(First::NoSignal) => (Some("no_signal"), None, None),
        Some(First::Unmapped) => (Some("change_unmapped"), None, None),
        None => (None, None, None),
    };
    let missed = result.replayed.outcomes.iter().filter(|outcome| outcome.caught_at.is_none());
    missed.map(move |outcome| Miss {
        id: result.id.clone(),
        line: result.line,
        budget_s: seconds_of(outcome.budget_us),
        reason,
        rank,
        cost_s,
    })
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn share_cells(share: &Share) -> Vec<String> {
    vec![
        format!("{} of {}", share.hits, share.of),
        share.share.map_or_else(|| "-".to_owned(), percent),
        format!("{:.0} to {:.0} %", share.low * 100.0, share.high * 100.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(budget_us: u64, caught_at: Option<usize>, confidence: f64) -> Outcome {
        let (tests, cost_us) = (3, budget_us / 2);
        Outcome { budget_us, tests, cost_us, caught_at, utility: confidence / 2.0, confidence, certificate: 1.0 }
    }

    fn failing(id: &str, line: usize, kind: &str, outcomes: Vec<Outcome>, first: First) -> PastResult {
        let replayed = Replayed { standing: Standing::Failing, outcomes, first: Some(first) };
        PastResult { id: id.to_owned(), line, kind: Some(kind.to_owned()), replayed }
    }

    fn report() -> ReplayReport {
        let at = |rank, cumulative_us| First::At { rank, cumulative_us };
        let both = |small: Option<usize>, large: Option<usize>| {
            vec![outcome(200_000, small, 0.35), outcome(2_000_000, large, 0.9)]
        };
        let uncounted = |standing, line| PastResult {
            id: format!("line {line}"),
            line,
            kind: None,
            replayed: Replayed { standing, outcomes: Vec::new(), first: None },
        };
        let results = [
            failing("fix-1", 1, "fix", both(Some(1), Some(1)), at(1, 100_000)),
            failing("fix-2", 2, "fix", both(None, Some(4)), at(4, 1_300_000)),
            uncounted(Standing::NotFailing, 3),
            failing("feature-\u{1b}[1m", 4, "feature", both(None, None), First::NoSignal),
            uncounted(Standing::Unknown, 5),
            failing("docs", 6, "feature", both(None, None), First::Unmapped),
        ];
        let labels = BTreeMap::from([(200_000, "1 %".to_owned())]);
        ReplayReport::new(&results, &labels, None)
    }

    #[test]
    fn people_read_what_was_caught_said_and_missed() {
        insta::assert_snapshot!(report().text("`runs.jsonl`"), @r#"
        6 runs in `runs.jsonl`: 4 failing, 1 in which nothing failed, 1 in which only tests failed that the model does not know

        Caught, of the failing runs:
          budget                  caught  share  95 % interval
          1 %             0.20 s  1 of 4   25 %  5 to 70 %
          2.0 s                   2 of 4   50 %  15 to 85 %
          feature, 1 %    0.20 s  0 of 2    0 %  0 to 66 %
          feature, 2.0 s          0 of 2    0 %  0 to 66 %
          fix, 1 %        0.20 s  1 of 2   50 %  9 to 91 %
          fix, 2.0 s              2 of 2  100 %  34 to 100 %

        The chance that was said against what was seen, over 8 selections:
          said         mean  came true  share  95 % interval
          30 to 40 %   35 %     1 of 4   25 %  5 to 70 %
          90 to 100 %  90 %     2 of 4   50 %  15 to 85 %
          all          62 %     3 of 8   38 %  14 to 69 %
          Brier score 0.304: 0 is perfect, 0.25 is what "one in two" always has

        Missed:
          fix-2              at 1 %         a test that failed comes at rank 4, after 1.3 s
          feature-\u{1b}[1m  at 1 %, 2.0 s  no test that failed has a signal on the change
          docs               at 1 %, 2.0 s  the model knows nothing of what changed
        "#);
    }

    #[test]
    fn machines_read_the_same() {
        let report = report();
        assert_eq!((report.runs, report.failing, report.not_failing, report.unknown), (6, 4, 1, 1));
        let caught: Vec<_> =
            report.budgets.iter().map(|at| (at.budget.as_str(), at.caught.hits, at.caught.of)).collect();
        assert_eq!(caught, [("1 %", 1, 4), ("2.0 s", 2, 4)]);
        assert_eq!(report.kinds["fix"].iter().map(|at| at.caught.hits).collect::<Vec<_>>(), [1, 2]);
        let misses: Vec<_> = report.misses.iter().map(|miss| (miss.line, miss.reason, miss.rank)).collect();
        let (late, silent, unmapped) = (Some("too_late"), Some("no_signal"), Some("change_unmapped"));
        let want = [(2, late, Some(4)), (4, silent, None), (4, silent, None), (6, unmapped, None), (6, unmapped, None)];
        assert_eq!(misses, want);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["results"][1]["budgets"][1]["first_failing_rank"], 4);
        assert_eq!(json["results"][2]["standing"], "not_failing");
    }

    #[test]
    fn nothing_to_score_says_so() {
        let text = ReplayReport::new(&[], &BTreeMap::new(), None).text("`runs.jsonl`");
        assert!(text.contains("Nothing to score"), "{text}");
    }
}
