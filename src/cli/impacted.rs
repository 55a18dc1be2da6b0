//! `covopt impacted`: every test that a diff can reach, or exit 2 where the whole suite is wiser.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::diff_input::{DiffInput, empty_hint};
use super::for_runner::ForRunner;
use super::last_failed::{self, LastFailedArgs};
use super::model_source::Model;
use super::new_tests;
use super::tree::Tree;
use super::{DiffArgs, EmptyDiff, ModelArgs, Outcome, OutputArgs, VerbosityArgs, note, sink, units};
use crate::candidate;
use crate::change::{Change, Mapping};
use crate::diff::Diff;
use crate::error::{Error, exit};
use crate::output::{SelectReport, UnmappedPart, counted};
use crate::policy::{self, FullRun};

/// Print every test that a diff can reach, or exit 2 where the whole suite is wiser
#[derive(Debug, Args)]
pub(super) struct ImpactedArgs {
    /// The impacted share of the suite above which all of it should run [default: 0.4, or IMPACTED_THRESHOLD]
    #[arg(long, value_name = "SHARE", value_parser = units::share)]
    threshold: Option<f64>,
    /// Match paths exactly, never by their ends
    #[arg(long)]
    strict_paths: bool,
    /// Any change in a `tests` folder asks for the whole suite
    #[arg(long)]
    strict_tests: bool,
    #[command(flatten)]
    last_failed: LastFailedArgs,
    /// What an empty diff means: `ok` adds nothing to what failed before, `fail` exits with 2
    #[arg(long, value_enum, default_value_t = EmptyDiff::Ok)]
    empty_diff: EmptyDiff,
    /// Do not look at the tree for tests that are gone
    #[arg(long)]
    no_tree: bool,
    #[command(flatten)]
    diff: DiffArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    verbosity: VerbosityArgs,
}

/// What `impacted` found; `--format json` prints it.
#[derive(Debug, Default, Serialize)]
struct ImpactedReport {
    status: &'static str,
    tests: Vec<String>,
    impacted_count: usize,
    total_in_map: u32,
    p: f64,
    threshold: f64,
    fallback_reason: Option<&'static str>,
    failed_before: usize,
    unmapped: Vec<String>,
    new_tests: Vec<String>,
    #[serde(skip)]
    parts: Vec<UnmappedPart>,
    dropped: usize,
    selector_ms: f64,
}

/// Runs `impacted`.
pub(super) fn run(args: &ImpactedArgs) -> Outcome {
    let start = Instant::now();
    let mut inputs = vec![args.diff.diff.as_path()];
    inputs.extend(args.last_failed.last_failed.as_deref());
    let place = sink::prepare_with_place(&args.output.sink, &args.model, &inputs)?;
    args.output.check()?;
    let threshold = units::threshold(args.threshold)?;
    let input = DiffInput::read(&args.diff.diff, "covopt impacted")?;
    let diff = input.parse()?;
    let ids_from = args.output.ids_from(&place)?;
    let mut report = ImpactedReport { threshold, ..ImpactedReport::default() };
    if diff.files.is_empty() && args.empty_diff == EmptyDiff::Fail {
        return answer(args, report, Some(FullRun::EmptyDiff(empty_hint(&diff))), start);
    }
    if !place.named && !place.model.exists() {
        return answer(args, report, Some(FullRun::NoModel(place.model.display().to_string())), start);
    }
    let model = place.open()?;
    let mut tree = match args.no_tree {
        true => None,
        false => Tree::of(&place, &model.index, &diff).map_err(|error| model.error(error))?,
    };
    report.status = if diff.files.is_empty() { "empty_diff" } else { "impacted" };
    let full_run = find(args, &model, &diff, tree.as_mut(), &mut report)?;
    if full_run.is_some() {
        return answer(args, report, full_run, start);
    }
    add_failed_before(args, &place.root, &model, tree.as_mut(), &mut report)?;
    let mut for_runner = ForRunner::new(args.output.runner());
    report.tests.retain(|id| for_runner.takes(id));
    for_runner.check(&model, report.tests.is_empty())?;
    for_runner.line().filter(|_| !args.verbosity.quiet).iter().for_each(|line| note(line));
    if !args.verbosity.quiet && diff.files.is_empty() {
        note(&empty_hint(&diff));
    }
    if let Some(here) = ids_from {
        report.tests = report.tests.iter().map(|id| here.id(id)).collect();
    }
    if let Some(hint) = args.output.root_hint(&place).filter(|_| !args.verbosity.quiet && !report.tests.is_empty()) {
        note(&hint);
    }
    answer(args, report, None, start)
}

/// Fills the report with the impacted tests, or says why all should run.
fn find(
    args: &ImpactedArgs,
    model: &Model,
    diff: &Diff<'_>,
    tree: Option<&mut Tree>,
    report: &mut ImpactedReport,
) -> Result<Option<FullRun>, Error> {
    let failed = |error| model.error(error);
    report.total_in_map = model.index.root().tests;
    if diff.files.is_empty() {
        return Ok(None);
    }
    if report.total_in_map == 0 {
        return Ok(Some(FullRun::EmptyModel));
    }
    let paths = diff.files.iter().flat_map(|file| [file.old_path.as_deref(), file.new_path.as_deref()]);
    let mut paths = paths.flatten().map(|path| String::from_utf8_lossy(path));
    if let Some(path) = paths.find(|path| policy::needs_full_run(path, args.strict_tests)) {
        return Ok(Some(FullRun::File(path.into_owned())));
    }
    let mapping = Mapping { strict_paths: args.strict_paths, whole_test_files: true };
    let change = Change::read(&model.index, diff, mapping).map_err(failed)?;
    let unmapped: BTreeSet<&[u8]> = change.unmapped.iter().map(|part| diff.files[part.diff_file].path()).collect();
    report.unmapped = unmapped.into_iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect();
    report.parts = UnmappedPart::all(&change, diff);
    report.new_tests.clone_from(&change.new_tests);
    let tests = candidate::impacted(&model.index, &change).map_err(failed)?;
    if let Some(root) = tree.as_ref().map(|tree| tree.root()) {
        report.tests = new_tests::find(root, model, diff).map_err(failed)?;
        report.new_tests = new_tests::unread(&change.new_tests);
    }
    report.impacted_count = tests.len();
    report.p = tests.len() as f64 / f64::from(report.total_in_map);
    if tests.is_empty() && report.tests.is_empty() && !change.is_empty() {
        return Ok(Some(FullRun::NothingSelected(UnmappedPart::why_unknown(&report.parts))));
    }
    if report.p > report.threshold {
        return Ok(Some(FullRun::AboveThreshold { share: report.p, threshold: report.threshold }));
    }
    let mut tree = tree;
    for test in tests {
        let id = model.index.test_name(test).map_err(failed)?;
        match current_id(model, tree.as_deref_mut(), id)? {
            Some(id) => report.tests.push(id),
            None => report.dropped += 1,
        }
    }
    // What ran the changed lines is gone from the tree: nothing is known of what runs them now. Where the tests' own
    // files are all that the diff deletes, nothing is missed.
    let is_deleted = tree.is_some_and(|tree| tree.lost_only_what(diff));
    let all_gone = report.tests.is_empty() && report.dropped > 0 && !is_deleted;
    Ok(all_gone.then_some(FullRun::AllGone(report.dropped)))
}

/// `id` as the tree has it, if it has it or is not asked.
fn current_id(model: &Model, tree: Option<&mut Tree>, id: String) -> Result<Option<String>, Error> {
    match tree {
        Some(tree) => tree.current_id(&model.index, &id).map_err(|error| model.error(error)),
        None => Ok(Some(id)),
    }
}

/// Adds the tests that failed last, which are always among the impacted.
fn add_failed_before(
    args: &ImpactedArgs,
    root: &Path,
    model: &Model,
    mut tree: Option<&mut Tree>,
    report: &mut ImpactedReport,
) -> Result<(), Error> {
    let known: BTreeSet<String> = report.tests.iter().cloned().collect();
    for test in last_failed::find(&args.last_failed, root, model, args.verbosity.quiet)? {
        match test.current_id(model, tree.as_deref_mut()).map_err(|error| model.error(error))? {
            Some(id) => {
                report.failed_before += 1;
                if !known.contains(&id) {
                    report.tests.push(id);
                }
            }
            None => report.dropped += 1,
        }
    }
    Ok(())
}

/// Prints ids or JSON, and the metrics.
fn answer(args: &ImpactedArgs, mut report: ImpactedReport, full_run: Option<FullRun>, start: Instant) -> Outcome {
    report.status = if full_run.is_some() { "full_run" } else { report.status };
    if let Some(full_run) = &full_run {
        report.fallback_reason = Some(full_run.reason());
        report.tests.clear();
    }
    report.selector_ms = start.elapsed().as_secs_f64() * 1000.0;
    let ids: Vec<&str> = report.tests.iter().map(String::as_str).collect();
    sink::write_ids(&args.output, &ids, &report)?;
    if !args.verbosity.quiet {
        note(&format!(
            "impacted_count={} total_in_map={} p={:.3} selector_ms={:.2} fallback_reason={}",
            report.impacted_count,
            report.total_in_map,
            report.p,
            report.selector_ms,
            report.fallback_reason.unwrap_or("none")
        ));
        if full_run.is_none() {
            SelectReport::new_tests_hint(&report.new_tests).iter().for_each(|hint| note(hint));
        }
        sink::odd_ids_hint(&args.output, &ids).iter().for_each(|hint| note(hint));
        if let Some(full_run) = &full_run {
            note(&format!("run the whole suite: {} (exit 2)", full_run.explanation()));
        } else if report.failed_before > 0 {
            note(&format!("{} among them failed before", counted(report.failed_before, "test")));
        }
        if report.dropped > 0 {
            note(&format!("{} dropped that the tree no longer has", counted(report.dropped, "test")));
        }
        if args.verbosity.verbose {
            report.parts.iter().for_each(|part| note(&format!("unmapped: {}", part.describe())));
        } else if !report.unmapped.is_empty() {
            note(&format!("{} unmapped (--verbose names them)", counted(report.unmapped.len(), "changed file")));
        }
    }
    Ok(if full_run.is_some() { exit::FULL_RUN } else { exit::DONE })
}
