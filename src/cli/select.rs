//! `covopt select`: the budgeted selection.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use clap::Args;

use super::diff_input::{DiffInput, empty_hint};
use super::find::FromCwd;
use super::model_source::{FirstBuild, Model, open_or_build};
use super::tree::Tree;
use super::units::{self, Budget, budget, seconds_of};
use super::{DiffArgs, EmptyDiff, IdFormat, ModelArgs, Outcome, OutputArgs, VerbosityArgs, note, say, sink};
use crate::candidate::CandidateError;
use crate::change::{Change, Mapping};
use crate::choose::{self, Aim, Choice, ChoiceError, Terms};
use crate::diff::Diff;
use crate::error::{Error, exit};
use crate::optimize::{self, Options, Pick, Reason, Verdict, as_fraction};
use crate::output::{self, ChosenTest, ModelSource, SelectReport, UnmappedPart, counted};
use crate::policy::Status;
use crate::relevance::{Query, Relevance};

/// Flags of `select`.
#[derive(Debug, Args)]
pub(super) struct SelectArgs {
    /// The budget: `10`, `1.5`, `90s`, `2m`, or `20%` of the suite
    #[arg(short = 't', long = "time", value_name = "SECONDS", value_parser = budget, allow_negative_numbers = true,
          required_unless_present = "confidence")]
    budget: Option<Budget>,
    /// Choose the cheapest tests that reach this confidence, 0 to 1: if the change broke something a test can see, the
    /// chance that one of these fails
    #[arg(long, value_name = "SHARE", value_parser = units::confidence, allow_negative_numbers = true,
          conflicts_with_all = ["fill", "strategy"])]
    confidence: Option<f64>,
    /// How many workers share the tests: the budget is when the last of them is done
    #[arg(short = 'j', long, value_name = "N", default_value_t = 1, value_parser = units::at_least_one,
          allow_negative_numbers = true)]
    workers: usize,
    /// How to choose: `greedy`, or `exact` for the best of all choices among few tests
    #[arg(long, value_enum, default_value_t = Strategy::Greedy)]
    strategy: Strategy,
    /// Choose among the N best candidates after initial scoring
    #[arg(short = 'n', value_name = "N", value_parser = units::at_least_one, allow_negative_numbers = true)]
    candidates: Option<usize>,
    #[command(flatten)]
    diff: DiffArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    verbosity: VerbosityArgs,
    /// Spend what is left of the budget on further tests, the nearest to the change first
    #[arg(long)]
    fill: bool,
    /// Show what each further test brings: confidence over time, on stderr, or in the JSON
    #[arg(long)]
    curve: bool,
    /// What starting the runner costs in seconds, charged once
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = limit)]
    startup: f64,
    /// What opening a file of tests costs in seconds (import, collection, fixtures), charged once a file
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = limit)]
    per_file: f64,
    /// Match paths exactly, never by their ends
    #[arg(long)]
    strict_paths: bool,
    /// Do not look at the tree for tests that are gone: for a model used away from its tree
    #[arg(long)]
    no_tree: bool,
    /// Do not build a first model where there is none
    #[arg(long, env = "COVOPT_NO_BUILD", value_parser = clap::builder::FalseyValueParser::new())]
    no_build: bool,
    /// How many seconds building a first model may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = limit)]
    build_limit: f64,
    /// What an empty diff means: `ok` selects nothing, `fail` exits with 2
    #[arg(long, value_enum, default_value_t = EmptyDiff::Ok)]
    empty_diff: EmptyDiff,
}

/// How tests are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Strategy {
    Greedy,
    Exact,
}

impl Strategy {
    fn name(self) -> &'static str {
        match self {
            Self::Greedy => "greedy",
            Self::Exact => "exact",
        }
    }
}

impl SelectArgs {
    /// The budget in microseconds, if there is one, for a suite of this cost.
    fn budget_us(&self, suite_us: u64) -> Option<u64> {
        self.budget.map(|budget| budget.microseconds(suite_us))
    }

    fn aim(&self) -> Aim {
        match (self.confidence, self.strategy) {
            (Some(share), _) => Aim::Enough(optimize::fixed_share(share)),
            (None, Strategy::Exact) => Aim::Best,
            (None, Strategy::Greedy) => Aim::Most,
        }
    }
}

fn limit(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected seconds".to_owned())?;
    if (0.0..=1e9).contains(&seconds) { Ok(seconds) } else { Err("expected 0 to 1e9 seconds".to_owned()) }
}

/// Runs `select`.
pub(super) fn run(args: &SelectArgs) -> Outcome {
    let start = Instant::now();
    let place = sink::prepare_with_place(&args.output.sink, &args.model, &[&args.diff.diff])?;
    let input = DiffInput::read(&args.diff.diff, "covopt select -t 10")?;
    let diff = input.parse()?;
    if diff.files.is_empty() && !place.named && !place.model.exists() {
        return answer(args, &Report::without_model(args), &empty_line(&diff), start);
    }
    let first = FirstBuild { allowed: !args.no_build, limit: Duration::from_secs_f64(args.build_limit) };
    let model = open_or_build(&place, first, &diff, args.verbosity.quiet)?;
    let mapping = Mapping { strict_paths: args.strict_paths, whole_test_files: false };
    let change = Change::read(&model.index, &diff, mapping).map_err(|error| model.error(error))?;
    let budget_us = args.budget_us(model.index.root().total_cost_us);
    let mut tree = match args.no_tree {
        true => None,
        false => Tree::of(&place, &model.index, &diff).map_err(|error| model.error(error))?,
    };
    let ids_from = args.output.ids_from(&place)?;
    let query = Query::of(&diff, &change);
    let relevance = Relevance::score(&model.index, &query).map_err(|error| model.error(error))?;
    let choice = choose(args, &model, &change, &relevance, budget_us, tree.as_mut())?;
    let report = Report { args, diff: &diff, model: &model, change: &change, choice: &choice, budget_us, ids_from };
    let (report, mut line) = report.make(tree.as_ref());
    if let Some(hint) = args.output.root_hint(&place).filter(|_| !report.tests.is_empty()) {
        line.push_str(&format!("; {hint}"));
    }
    answer(args, &report, &line, start)
}

/// Chooses tests that the tree, if there is one to ask, still has.
fn choose(
    args: &SelectArgs,
    model: &Model,
    change: &Change,
    relevance: &Relevance,
    budget_us: Option<u64>,
    tree: Option<&mut Tree>,
) -> Result<Choice, Error> {
    let options = Options {
        budget_us,
        startup_us: microseconds(args.startup),
        candidates: args.candidates,
        fill: args.fill,
        workers: args.workers,
        ..Options::default()
    };
    let terms = Terms { options, per_file_us: microseconds(args.per_file), aim: args.aim() };
    let chosen = match tree {
        Some(tree) => {
            let mut current_id = |id: &str| tree.current_id(&model.index, id);
            choose::choose(&model.index, change, relevance, &terms, &mut current_id)
        }
        None => choose::choose(&model.index, change, relevance, &terms, &mut |id| Ok(Some(id.to_owned()))),
    };
    chosen.map_err(|error| match error {
        ChoiceError::Candidates(CandidateError::Model(error)) => model.error(error),
        ChoiceError::Candidates(error) => Error::Candidates(error),
        ChoiceError::Exact(error) => Error::Usage(error.to_string()),
    })
}

/// Seconds as microseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
fn microseconds(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}

/// Everything that the answer is made of.
struct Report<'a> {
    args: &'a SelectArgs,
    diff: &'a Diff<'a>,
    model: &'a Model,
    change: &'a Change,
    choice: &'a Choice,
    budget_us: Option<u64>,
    /// Where ids are not those of the root.
    ids_from: Option<FromCwd>,
}

impl Report<'_> {
    /// The answer to an empty diff where there is no model.
    fn without_model(args: &SelectArgs) -> SelectReport {
        SelectReport {
            status: Status::EmptyDiff,
            evidence: "none",
            built_now: false,
            tests: Vec::new(),
            strategy: args.strategy.name(),
            workers: args.workers,
            budget_s: args.budget_us(0).map(seconds_of),
            cost_s: 0.0,
            utility: 0.0,
            upper_bound: 0.0,
            certificate: 1.0,
            confidence: 1.0,
            confidence_target: args.confidence,
            confidence_reached: args.confidence.map(|_| true),
            confidence_impossible: false,
            cost_lower_bound_s: args.confidence.map(|_| 0.0),
            residual_risk: 0.0,
            unreachable_risk: 0.0,
            unmapped: Vec::new(),
            regions: 0,
            candidates: 0,
            impacted: 0,
            total: 0,
            dropped: 0,
            smallest_useful_s: None,
            curve: args.curve.then(Vec::new),
            elapsed_ms: 0.0,
            model: None,
        }
    }

    /// The figures, and the line that says what they come to.
    fn make(&self, tree: Option<&Tree>) -> (SelectReport, String) {
        let selection = &self.choice.selection;
        let root = self.model.index.root();
        let tests = self.tests();
        let status = match Status::of(self.diff, self.change, &self.choice.candidates.instance, tests.len()) {
            // The tests of deleted test files, and nothing else: they cannot run, and are not missed.
            Status::UnknownChange if tree.is_some_and(|tree| tree.lost_only_what(self.diff)) => Status::NothingRelevant,
            status => status,
        };
        // An empty change carries no risk; any other carries what its tests do not catch.
        let utility = as_fraction(selection.utility);
        let target = self.choice.target;
        // Of an unknown change nothing can be seen: whatever is selected reaches all of nothing, which is no confidence.
        let is_known = status != Status::UnknownChange;
        let risk = |caught: f64| if status == Status::EmptyDiff { 0.0 } else { 1.0 - caught };
        let report = SelectReport {
            status,
            evidence: evidence(root.tests_recorded > 0, root.tests_declared > 0, root.tests_with_text > 0),
            built_now: self.model.built_now,
            strategy: self.args.strategy.name(),
            workers: self.args.workers,
            budget_s: self.budget_us.map(seconds_of),
            cost_s: tests.last().map_or(0.0, |test| test.cumulative_s),
            utility,
            upper_bound: as_fraction(selection.upper_bound),
            certificate: selection.certificate(),
            confidence: if is_known { selection.confidence() } else { 0.0 },
            confidence_target: self.args.confidence,
            confidence_reached: target.map(|target| is_known && target.verdict == Verdict::Reached),
            confidence_impossible: target.is_some_and(|target| target.verdict == Verdict::Impossible),
            cost_lower_bound_s: target.and_then(|target| target.cost_at_least_us).map(seconds_of),
            residual_risk: risk(utility),
            unreachable_risk: risk(as_fraction(selection.reachable)),
            unmapped: UnmappedPart::all(self.change, self.diff),
            regions: self.change.regions.len(),
            candidates: self.choice.candidates.with_signal,
            impacted: self.choice.candidates.with_signal,
            total: root.tests,
            dropped: self.choice.dropped,
            smallest_useful_s: (status == Status::NothingFits)
                .then(|| self.choice.candidates.instance.cheapest_useful_cost_us().map(seconds_of))
                .flatten(),
            curve: self.args.curve.then(|| output::curve(selection)),
            elapsed_ms: 0.0,
            model: Some(ModelSource {
                path: self.model.path.display().to_string(),
                version: self.model.index.version(),
                base: root.base.clone(),
            }),
            tests,
        };
        let line = self.line(&report, tree.map_or(0, |tree| tree.changed_since));
        (report, line)
    }

    fn tests(&self) -> Vec<ChosenTest> {
        let named = |id: &str| self.ids_from.as_ref().map_or_else(|| id.to_owned(), |here| here.id(id));
        let selection = &self.choice.selection;
        let chosen = |(pick, id): (&Pick, &String)| {
            let cost_us = self.choice.candidates.instance.costs_us()[pick.candidate as usize];
            let gain = as_fraction(pick.gain);
            ChosenTest {
                id: named(id),
                cost_s: seconds_of(cost_us),
                gain,
                score: gain / seconds_of(cost_us.max(optimize::COST_FLOOR_US)),
                cumulative_s: seconds_of(pick.cumulative_cost_us),
                cumulative_utility: as_fraction(pick.cumulative_utility),
                background: pick.reason == Reason::Background,
                worker: pick.worker,
            }
        };
        selection.picks.iter().zip(&self.choice.named).map(chosen).collect()
    }

    /// The one line on standard error.
    fn line(&self, report: &SelectReport, changed_since: usize) -> String {
        let mut parts = vec![match report.status {
            Status::EmptyDiff => empty_line(self.diff),
            Status::NothingRelevant if report.dropped > 0 => {
                "nothing to select: the diff only deletes tests".to_owned()
            }
            Status::NothingRelevant => "nothing to select: the diff changes no line that a test could see".to_owned(),
            Status::UnknownChange if report.dropped > 0 => {
                "no test that the model knows for this change is in the tree; run the whole suite (exit 2)".to_owned()
            }
            Status::UnknownChange => {
                format!("{}; run the whole suite (exit 2)", UnmappedPart::why_unknown(&report.unmapped))
            }
            Status::NothingFits => format!(
                "of {} for this change none fits {}; the smallest useful budget is -t {}",
                counted(report.candidates, "test"),
                output::seconds(report.budget_s.unwrap_or(0.0)),
                report.smallest_useful_s.unwrap_or(0.0)
            ),
            Status::Selected => report.selected(),
        }];
        if report.status == Status::Selected {
            let mut model = match report.evidence {
                "none" => "model without coverage".to_owned(),
                evidence => format!("{evidence} model"),
            };
            if report.built_now {
                model.push_str(", built now");
            }
            if changed_since > 0 {
                model.push_str(&format!(", {} changed since", counted(changed_since, "test file")));
            }
            parts.push(model);
            if report.tests.iter().all(|test| test.background) {
                parts.push("none of them is known to run the change, they only spend the budget".to_owned());
            }
        }
        if report.dropped > 0 {
            parts.push(format!("{} dropped that the tree no longer has", counted(report.dropped, "test")));
        }
        let unmapped: HashSet<&str> = report.unmapped.iter().map(|part| part.path.as_str()).collect();
        if !unmapped.is_empty() {
            parts.push(format!("{} unmapped", counted(unmapped.len(), "file")));
        }
        let root = self.model.index.root();
        if report.status == Status::Selected && root.tests_with_cost == 0 {
            parts.push("costs unknown: no input states any, so the budget is not kept".to_owned());
        }
        parts.join("; ")
    }
}

fn empty_line(diff: &Diff<'_>) -> String {
    format!("nothing to select: {}", empty_hint(diff))
}

/// What the answer rests on. Words count where nothing stronger is there: beside a recording they are a factor.
fn evidence(recorded: bool, declared: bool, texts: bool) -> &'static str {
    match (recorded, declared, texts) {
        (true, true, _) => "mixed",
        (true, false, _) => "recorded",
        (false, true, _) => "declared",
        (false, false, true) => "source",
        (false, false, false) => "none",
    }
}

/// Prints the answer, and what is to be said about it.
fn answer(args: &SelectArgs, report: &SelectReport, line: &str, start: Instant) -> Outcome {
    let mut report = report.clone();
    report.elapsed_ms = start.elapsed().as_secs_f64() * 1000.0;
    let ids: Vec<&str> = report.tests.iter().map(|test| test.id.as_str()).collect();
    sink::write_ids(&args.output, &ids, &report)?;
    if !args.verbosity.quiet {
        note(line);
        sink::odd_ids_hint(&args.output, &ids).iter().for_each(|hint| note(hint));
        let plot = report.curve.as_deref().filter(|_| args.output.format() != IdFormat::Json).map(output::plot);
        if let Some(plot) = plot.filter(|plot| !plot.is_empty()) {
            say(plot.trim_end());
        }
        if args.verbosity.verbose {
            say(report.verbose().trim_end());
        }
    }
    let full_run = match report.status {
        Status::UnknownChange => true,
        Status::EmptyDiff => args.empty_diff == EmptyDiff::Fail,
        _ => false,
    };
    Ok(if full_run { exit::FULL_RUN } else { exit::DONE })
}
