//! `covopt select`: the budgeted selection.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use super::choice::{ChoiceArgs, Chosen};
use super::diff_input::{DiffInput, empty_hint};
use super::find::FromCwd;
use super::new_tests;
use super::units::seconds_of;
use super::{EmptyDiff, IdFormat, Outcome, OutputArgs, VerbosityArgs, note, say, sink};
use crate::change::Reason;
use crate::diff::Diff;
use crate::error::{Error, exit};
use crate::margin::{Margin, Spread};
use crate::optimize::{self, Pick, Verdict};
use crate::output::{
    self, ChosenTest, ClockReport, Excluded, LogLine, MappingReport, ModelSource, SelectReport, UnmappedPart, Why,
    Within, counted, group_digits,
};
use crate::policy::Status;

/// Print the tests that best check a diff within a budget of seconds, best first
#[derive(Debug, Args)]
pub(super) struct SelectArgs {
    #[command(flatten)]
    choice: ChoiceArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    verbosity: VerbosityArgs,
    /// Show what each further test brings: confidence over time, on stderr, or in the JSON
    #[arg(long)]
    curve: bool,
    /// What an empty diff means: `ok` selects what failed before, `fail` exits with 2
    #[arg(long, value_enum, default_value_t = EmptyDiff::Ok)]
    empty_diff: EmptyDiff,
    /// Append what was chosen, and the diff, to FILE as one line of JSON, for `covopt replay`
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Only log: print no ids and exit with 0 whatever was found, for a job that runs the whole suite anyway
    #[arg(long, requires = "log", conflicts_with_all = ["output", "format", "null"])]
    shadow: bool,
}

/// Runs `select`. A shadow changes nothing for whoever runs it: only a log that cannot be written, or a wrong command line,
/// is a failure of its own.
pub(super) fn run(args: &SelectArgs) -> Outcome {
    match select(args) {
        Err(error) if args.shadow && !matches!(error, Error::Write { .. } | Error::Usage(_)) => {
            note(&format!("nothing is logged: {error}"));
            Ok(exit::DONE)
        }
        Ok(_) if args.shadow => Ok(exit::DONE),
        outcome => outcome,
    }
}

fn select(args: &SelectArgs) -> Outcome {
    let start = Instant::now();
    let diff = args.choice.diff.diff.as_path();
    let inputs: Vec<&Path> = args.choice.before.files().chain([diff]).collect();
    let place = sink::prepare_with_place(&args.output.sink, &args.choice.model, &inputs)?;
    if let Some(log) = &args.log {
        let others = inputs.iter().copied().chain([place.model.as_path()]).chain(args.output.sink.file());
        sink::check_log(log, &others.collect::<Vec<_>>())?;
    }
    args.output.check()?;
    args.choice.before.check(diff)?;
    let input = DiffInput::read(diff, "covopt select -t 10")?;
    let diff = input.parse()?;
    if diff.files.is_empty() && !place.named && !place.model.exists() {
        let report = Report::without_model(&args.choice, args.curve);
        return answer(args, &report, &empty_line(&diff), input.bytes(), start);
    }
    // Where an empty diff is a failure, nothing is run instead of everything.
    let asks_before = !(diff.files.is_empty() && args.empty_diff == EmptyDiff::Fail);
    let chosen = args.choice.choose(&place, &diff, asks_before, args.output.runner(), args.verbosity.quiet)?;
    let (report, mut line) = Report {
        args: &args.choice,
        diff: &diff,
        chosen: &chosen,
        ids_from: args.output.ids_from(&place)?,
        has_curve: args.curve,
    }
    .make();
    if let Some(hint) = args.output.root_hint(&place).filter(|_| !report.tests.is_empty()) {
        line.push_str(&format!("; {hint}"));
    }
    answer(args, &report, &line, input.bytes(), start)
}

/// Everything that the answer is made of.
pub(super) struct Report<'a> {
    pub(super) args: &'a ChoiceArgs,
    pub(super) diff: &'a Diff<'a>,
    pub(super) chosen: &'a Chosen,
    /// Where ids are not those of the root.
    pub(super) ids_from: Option<FromCwd>,
    /// Whether what each further test brings is told.
    pub(super) has_curve: bool,
}

impl Report<'_> {
    /// The answer to an empty diff where there is no model.
    pub(super) fn without_model(args: &ChoiceArgs, has_curve: bool) -> SelectReport {
        SelectReport {
            status: Status::EmptyDiff,
            evidence: "none",
            built_now: false,
            tests: Vec::new(),
            strategy: args.strategy.name(),
            workers: args.terms.workers,
            budget_s: args.budget_us(0).map(seconds_of),
            cost_s: 0.0,
            within: None,
            costs_guessed: 0,
            clock: ClockReport::default(),
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
            mapping: MappingReport::default(),
            new_tests: Vec::new(),
            regions: 0,
            candidates: 0,
            impacted: 0,
            total: 0,
            failed_before: 0,
            excluded: None,
            dropped: 0,
            smallest_useful_s: None,
            curve: has_curve.then(Vec::new),
            elapsed_ms: 0.0,
            model: None,
        }
    }

    /// The figures, and the line that says what they come to.
    pub(super) fn make(&self) -> (SelectReport, String) {
        let Chosen { model, change, clock, choice, terms, tree, ran, costs_guessed, for_runner, .. } = self.chosen;
        let selection = &choice.selection;
        let root = model.index.root();
        let mut tests = self.tests();
        let status = match Status::of(self.diff, change, &choice.candidates.instance, tests.len()) {
            // The tests of deleted test files, and nothing else: they cannot run, and are not missed.
            Status::UnknownChange if tree.as_ref().is_some_and(|tree| tree.lost_only_what(self.diff)) => {
                if tests.is_empty() { Status::NothingRelevant } else { Status::Selected }
            }
            // The tests that the diff adds speak of it, whatever the model knows.
            Status::UnknownChange if tests.iter().any(|test| test.why == Why::New) => Status::Selected,
            // They ran already, and the model knows nothing else of the change.
            Status::UnknownChange if ran.new_excluded > 0 => Status::NothingRelevant,
            // What it reaches, other runners run.
            Status::UnknownChange | Status::NothingFits if for_runner.left_out() > 0 => Status::NothingRelevant,
            // What was excluded costs nothing: it would be the smallest useful budget.
            Status::NothingFits if choice.excluded > 0 => Status::NothingRelevant,
            status => status,
        };
        if status == Status::UnknownChange {
            tests.clear();
        }
        // An empty change carries no risk; any other carries what its tests do not catch.
        let utility = choice.candidates.chance(selection.utility);
        let target = choice.target;
        // Of an unknown change nothing can be seen: whatever is selected reaches all of nothing, which is no confidence.
        let is_known = !matches!(status, Status::UnknownChange | Status::EmptyDiff);
        let risk = |caught: f64| if self.diff.files.is_empty() { 0.0 } else { 1.0 - caught };
        let report = SelectReport {
            status,
            evidence: evidence(root.tests_recorded > 0, root.tests_declared > 0, root.tests_with_text > 0),
            built_now: model.built_now,
            strategy: self.args.strategy.name(),
            workers: self.args.terms.workers,
            budget_s: terms.options.budget_us.map(seconds_of),
            cost_s: tests.last().map_or(0.0, |test| test.cumulative_s),
            within: terms.margin.as_ref().map(|margin| self.within(margin, tests.is_empty())),
            costs_guessed: if tests.is_empty() { 0 } else { *costs_guessed },
            clock: ClockReport::from(*clock),
            utility,
            upper_bound: choice.candidates.chance(selection.upper_bound),
            certificate: selection.certificate(),
            confidence: if is_known { selection.confidence() } else { 0.0 },
            confidence_target: self.args.confidence,
            confidence_reached: target.map(|target| is_known && target.verdict == Verdict::Reached),
            confidence_impossible: target.is_some_and(|target| target.verdict == Verdict::Impossible),
            cost_lower_bound_s: target.and_then(|target| target.cost_at_least_us).map(seconds_of),
            residual_risk: risk(utility),
            unreachable_risk: risk(choice.candidates.chance(selection.reachable)),
            unmapped: UnmappedPart::all(change, self.diff),
            mapping: MappingReport::new(change, self.diff),
            new_tests: if tree.is_some() { new_tests::unread(&change.new_tests) } else { change.new_tests.clone() },
            regions: change.regions.len(),
            candidates: choice.candidates.with_signal,
            impacted: choice.candidates.with_signal,
            total: root.tests,
            failed_before: tests.iter().filter(|test| test.why == Why::FailedBefore).count(),
            excluded: self.args.before.excludes().then(|| Excluded {
                tests: ran.before.excluded.len() + ran.new_excluded,
                unknown: ran.excluded_unknown.clone(),
                utility: choice.candidates.chance(choice.excluded_utility),
            }),
            dropped: choice.dropped + ran.dropped,
            smallest_useful_s: (status == Status::NothingFits)
                .then(|| self.smallest_useful_us().map(seconds_of))
                .flatten(),
            curve: self.has_curve.then(|| output::curve(selection, |utility| choice.candidates.chance(utility))),
            elapsed_ms: 0.0,
            model: Some(ModelSource {
                path: model.path.display().to_string(),
                version: model.index.version(),
                base: root.base.clone(),
            }),
            tests,
        };
        let line = self.line(&report, tree.as_ref().map_or(0, |tree| tree.changed_since));
        (report, line)
    }

    /// How surely the budget is kept, by the choice or by nothing.
    fn within(&self, margin: &Margin, is_empty: bool) -> Within {
        let choice = &self.chosen.choice;
        let (cost_us, spread) = if is_empty { (0, Spread::default()) } else { (choice.cost_us(), choice.spread) };
        Within {
            probability: margin.probability,
            expected_s: seconds_of(cost_us),
            needed_s: seconds_of(margin.needs_us(cost_us, &spread)),
            spread_unknown: spread.unknown,
            pace_known: self.chosen.model.index.root().pace_spread_ppm.is_some(),
        }
    }

    /// The smallest budget that selects something.
    fn smallest_useful_us(&self) -> Option<u64> {
        let Chosen { model, choice, terms, .. } = self.chosen;
        let cheapest = choice.candidates.instance.cheapest_useful()?;
        let cheapest_us = choice.candidates.instance.cheapest_useful_cost_us()?;
        let usual_us = cheapest_us.saturating_add(terms.options.startup_us);
        let Some(margin) = &terms.margin else { return Some(usual_us) };
        let mut spread = Spread::default();
        if let Ok(record) = model.index.test_record(choice.candidates.tests[cheapest as usize]) {
            margin.add(&mut spread, &record);
        }
        Some(margin.needs_us(usual_us, &spread))
    }

    /// How many tests of the change ran already.
    fn excluded(&self) -> usize {
        self.chosen.choice.excluded + self.chosen.ran.new_excluded
    }

    /// How many tests failed before and were to come first, whether they fit or not.
    fn failed_to_fit(&self) -> usize {
        let before = &self.chosen.ran.before;
        before.failed.len() + before.failed_unknown.len()
    }

    fn tests(&self) -> Vec<ChosenTest> {
        let named = |id: &str| self.ids_from.as_ref().map_or_else(|| id.to_owned(), |here| here.id(id));
        let choice = &self.chosen.choice;
        let selection = &choice.selection;
        // What the model does not know is beside the picks, and before them.
        let mut unknown_us = 0;
        let mut tests: Vec<ChosenTest> = Vec::new();
        for test in &choice.unknown {
            unknown_us += test.cost_us;
            tests.push(ChosenTest {
                id: named(&test.id),
                cost_s: seconds_of(test.cost_us),
                gain: 0.0,
                score: 0.0,
                cumulative_s: seconds_of(choice.options.startup_us.saturating_add(unknown_us)),
                cumulative_utility: choice.candidates.chance(choice.excluded_utility),
                why: if test.is_new { Why::New } else { Why::FailedBefore },
                worker: 0,
            });
        }
        let chosen = |(pick, id): (&Pick, &String)| {
            let cost_us = choice.candidates.instance.costs_us()[pick.candidate as usize];
            let gain = choice.candidates.chance(pick.gain);
            ChosenTest {
                id: named(id),
                cost_s: seconds_of(cost_us),
                gain,
                score: gain / seconds_of(cost_us.max(optimize::COST_FLOOR_US)),
                cumulative_s: seconds_of(pick.cumulative_cost_us.saturating_add(unknown_us)),
                cumulative_utility: choice.candidates.chance(pick.cumulative_utility),
                why: pick.reason.into(),
                worker: pick.worker,
            }
        };
        tests.extend(selection.picks.iter().zip(&choice.named).map(chosen));
        tests
    }

    /// The one line on standard error.
    fn line(&self, report: &SelectReport, changed_since: usize) -> String {
        let mut parts = vec![match report.status {
            Status::EmptyDiff if self.failed_to_fit() > 0 => format!(
                "{}; {} failed before, and none fits {}",
                empty_line(self.diff),
                counted(self.failed_to_fit(), "test"),
                output::seconds(report.budget_s.unwrap_or(0.0))
            ),
            Status::EmptyDiff => empty_line(self.diff),
            Status::NothingRelevant if self.excluded() > 0 => format!(
                "nothing more to select: no test both adds to the {} that ran already and fits{}",
                counted(self.excluded(), "test"),
                report.budget_s.map_or(String::new(), |budget_s| format!(" {}", output::seconds(budget_s)))
            ),
            Status::NothingRelevant if self.chosen.for_runner.left_out() > 0 => "nothing to select".to_owned(),
            Status::NothingRelevant if !self.chosen.change.is_empty() => {
                "nothing to select: the diff only deletes tests".to_owned()
            }
            Status::NothingRelevant => "nothing to select: the diff changes no line that a test could see".to_owned(),
            Status::UnknownChange if self.chosen.choice.dropped > 0 => {
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
            if self.chosen.model.is_behind {
                model.push_str(" of another commit than HEAD (`covopt build` refreshes it)");
            }
            if changed_since > 0 {
                model.push_str(&format!(", {} changed since", counted(changed_since, "test file")));
            }
            parts.push(model);
            let new = report.tests.iter().filter(|test| test.why == Why::New).count();
            match self.chosen.terms.before.new.len() {
                0 => {}
                all if all == new => parts.push(format!("{} new in the diff", group_digits(new as u64))),
                all => parts.push(format!("{new} of {} new in the diff", group_digits(all as u64))),
            }
            if report.failed_before > 0 {
                let fit = group_digits(report.failed_before as u64);
                parts.push(match self.failed_to_fit().saturating_sub(report.failed_before) {
                    0 => format!("{fit} failed before"),
                    _ => format!("{fit} of {} that failed before", group_digits(self.failed_to_fit() as u64)),
                });
            }
            if self.diff.files.is_empty() {
                parts.push(format!("nothing else to select: {}", empty_hint(self.diff)));
            } else if self.chosen.change.is_empty() {
                parts.push("nothing else to select: the diff changes no line that a test could see".to_owned());
            }
            if report.tests.iter().all(|test| test.why == Why::Background) {
                parts.push("none of them is known to run the change, they only spend the budget".to_owned());
            }
        }
        if let Some(excluded) = &report.excluded {
            let unknown = match excluded.unknown.len() {
                0 => String::new(),
                unknown => format!(", {} not known to the model (--verbose names them)", group_digits(unknown as u64)),
            };
            parts.push(format!("{} excluded{unknown}", counted(excluded.tests, "test")));
        }
        parts.extend(self.chosen.for_runner.line());
        if report.dropped > 0 {
            parts.push(format!("{} dropped that the tree no longer has", counted(report.dropped, "test")));
        }
        // Where nothing was recorded no file has a region, and words speak for all of them.
        let is_news = |part: &&UnmappedPart| report.evidence != "source" || part.reason != Reason::Untested.as_str();
        let unmapped: HashSet<&str> = report.unmapped.iter().filter(is_news).map(|part| part.path.as_str()).collect();
        if !unmapped.is_empty() {
            parts.push(format!("{} unmapped", counted(unmapped.len(), "file")));
        }
        parts.extend(report.mapping.clause());
        if report.status == Status::Selected {
            parts.extend(report.within.as_ref().and_then(|within| within.unknown(report.tests.len())));
            parts.extend(report.guess(self.chosen.model.index.root().tests_with_cost > 0));
        }
        parts.join("; ")
    }
}

pub(super) fn empty_line(diff: &Diff<'_>) -> String {
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

/// Prints the answer, logs it, and says what is to be said about it.
fn answer(args: &SelectArgs, report: &SelectReport, line: &str, diff: &[u8], start: Instant) -> Outcome {
    let mut report = report.clone();
    report.elapsed_ms = start.elapsed().as_secs_f64() * 1000.0;
    let ids: Vec<&str> = report.tests.iter().map(|test| test.id.as_str()).collect();
    if let Some(log) = &args.log {
        sink::append(log, &LogLine::new(&report, diff))?;
    }
    if !args.shadow {
        sink::write_ids(&args.output, &ids, &report)?;
    }
    if !args.verbosity.quiet {
        note(line);
        SelectReport::new_tests_hint(&report.new_tests).iter().for_each(|hint| note(hint));
        match args.shadow {
            true => note("a shadow: logged, and left to the whole suite"),
            false => sink::odd_ids_hint(&args.output, &ids).iter().for_each(|hint| note(hint)),
        }
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
