//! `covopt replay`: how often the choice misses, on a team's own past runs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Component, Path, PathBuf};

use clap::Args;

use super::choice::{TermsArgs, suite_us};
use super::model_source::{Model, Place};
use super::units::{self, Budget, budget, seconds_of};
use super::{ModelArgs, Outcome, ReportFormat, SinkArgs, diff_input, sink};
use crate::candidate::CandidateError;
use crate::choose::{Aim, ChoiceError};
use crate::diff;
use crate::error::Error;
use crate::ingest::{IngestError, PastChange, PastChoice, PastRun, past_runs};
use crate::output::{ModelSource, PastResult, ReplayReport};
use crate::replay::{self, Question, Replayed, Standing};

/// The budgets that are asked where none is named, as shares of the suite.
const SHARES: [f64; 5] = [0.002, 0.01, 0.02, 0.05, 0.1];

/// Flags of `replay`.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Past runs, one JSON object a line: `{"diff": "path", "failed": ["id", ...]}`, or `patch` with the diff itself; `id`
    /// and `kind` name and group them; `-` is standard input
    #[arg(value_name = "RUNS")]
    runs: PathBuf,
    /// A budget, as `select` takes it, any number of times [default: 0.2%, 1%, 2%, 5% and 10% of the suite]
    #[arg(short = 't', long = "time", value_name = "SECONDS", value_parser = budget, allow_negative_numbers = true)]
    budgets: Vec<Budget>,
    /// Score what `select --shadow --log` chose at the time, not what would be chosen now
    #[arg(long, conflicts_with_all = ["budgets", "workers", "candidates", "fill", "startup", "per_file", "per_test", "strict_paths", "model"])]
    log: bool,
    #[command(flatten)]
    terms: TermsArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    output: SinkArgs,
    /// For people or for machines
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
}

/// Runs `replay`.
pub(super) fn run(args: &ReplayArgs) -> Outcome {
    let place = sink::prepare_with_place(&args.output, &args.model, &[&args.runs])?;
    let at_terminal = || Error::Usage("standard input is a terminal, expected past runs; name their file".to_owned());
    let (name, bytes) = diff_input::read(&args.runs, at_terminal)?;
    let input = name.trim_matches('`');
    let runs = past_runs(input, &bytes)?;
    let report = match args.log {
        true => logged(input, &runs)?,
        false => Replaying { args, input, runs: &runs }.report(&place)?,
    };
    match args.format {
        ReportFormat::Json => sink::write_json(args.output.file(), &report),
        ReportFormat::Text => sink::write(args.output.file(), report.text(&name).as_bytes()),
    }
}

/// The report on what was chosen at the time.
fn logged(input: &str, runs: &[PastRun<'_>]) -> Result<ReplayReport, Error> {
    let result = |run: &PastRun<'_>| {
        let chosen = run.chosen.as_ref().ok_or_else(|| {
            let reason =
                "expected a line of `select --shadow --log`, with `ids` and `budget_s`, found none; leave out \
                          --log to choose anew"
                    .to_owned();
            IngestError::Malformed { input: input.to_owned(), line: run.line, reason }
        })?;
        Ok(past_result(run, replay_of_log(run, chosen)))
    };
    let results = runs.iter().map(result).collect::<Result<Vec<_>, Error>>()?;
    Ok(ReplayReport::new(&results, &BTreeMap::new(), None))
}

/// A run with what was chosen then.
fn replay_of_log(run: &PastRun<'_>, chosen: &PastChoice<'_>) -> Replayed {
    if run.failed.is_empty() {
        return Replayed { standing: Standing::NotFailing, outcomes: Vec::new(), first: None };
    }
    let outcome = replay::Outcome {
        budget_us: units::microseconds_of(chosen.budget_s),
        tests: chosen.ids.len(),
        cost_us: units::microseconds_of(chosen.cost_s),
        caught_at: chosen.ids.iter().position(|id| run.failed.binary_search(id).is_ok()).map(|at| at + 1),
        utility: chosen.utility,
        confidence: chosen.confidence,
        certificate: chosen.certificate,
    };
    Replayed { standing: Standing::Failing, outcomes: vec![outcome], first: None }
}

fn past_result(run: &PastRun<'_>, replayed: Replayed) -> PastResult {
    PastResult {
        id: run.id.as_deref().map_or_else(|| format!("line {}", run.line), str::to_owned),
        line: run.line,
        kind: run.kind.as_deref().map(str::to_owned),
        replayed,
    }
}

/// The choices made anew.
struct Replaying<'a> {
    args: &'a ReplayArgs,
    /// What the runs were read from.
    input: &'a str,
    runs: &'a [PastRun<'a>],
}

impl Replaying<'_> {
    fn report(&self, place: &Place) -> Result<ReplayReport, Error> {
        let model = place.open()?;
        let clock = self.args.terms.clock(&model)?;
        let labels = self.budgets(suite_us(model.index.root(), &clock));
        let question = Question {
            budgets_us: labels.keys().copied().collect(),
            terms: self.args.terms.terms(&clock, Aim::Most),
            mapping: self.args.terms.mapping(),
        };
        let workers = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let replay = |at: usize| {
            let run = &self.runs[at];
            Ok(past_result(run, self.replay(run, &model, &question)?))
        };
        let results = replay::in_parallel(self.runs.len(), workers, replay);
        let results = results.into_iter().collect::<Result<Vec<_>, Error>>()?;
        let source = ModelSource {
            path: model.path.display().to_string(),
            version: model.index.version(),
            base: model.index.root().base.clone(),
        };
        Ok(ReplayReport::new(&results, &labels, Some(source)))
    }

    /// The budgets in microseconds, ascending, each as it was asked for.
    fn budgets(&self, suite_us: u64) -> BTreeMap<u64, String> {
        let asked = match self.args.budgets.is_empty() {
            true => SHARES.map(Budget::Share).to_vec(),
            false => self.args.budgets.clone(),
        };
        let label = |budget: Budget| match budget {
            Budget::Share(share) => format!("{} %", (share * 1e6).round() / 1e4),
            Budget::Time(us) => crate::output::seconds(seconds_of(us)),
        };
        asked.into_iter().map(|budget| (budget.microseconds(suite_us), label(budget))).collect()
    }

    fn replay(&self, run: &PastRun<'_>, model: &Model, question: &Question) -> Result<Replayed, Error> {
        let (name, bytes) = self.patch(run)?;
        let bytes = diff::decolor(&bytes);
        let diff = diff::parse(&bytes).map_err(|error| Error::Diff { name, error })?;
        replay::replay(&model.index, &diff, &run.failed, question).map_err(|error| match error {
            ChoiceError::Candidates(CandidateError::Model(error)) => model.error(error),
            error => self.malformed(run, error.to_string()),
        })
    }

    /// The diff of a run, and what to call it.
    fn patch<'r>(&self, run: &'r PastRun<'_>) -> Result<(String, Cow<'r, [u8]>), Error> {
        let path = match &run.change {
            PastChange::Patch(patch) => {
                return Ok((format!("`{}`, line {}", self.input, run.line), patch.as_bytes().into()));
            }
            PastChange::File(path) => Path::new(path.as_ref()),
        };
        // The runs may come from anywhere: they name what lies beside them, and nothing else.
        if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            let reason = format!(
                "expected in `diff` a path below the folder of this file, found `{}`; or give the diff itself as `patch`",
                path.display()
            );
            return Err(self.malformed(run, reason));
        }
        let beside = self.args.runs.parent().unwrap_or(Path::new(""));
        let path = beside.join(path);
        let name = format!("`{}` (line {} of `{}`)", path.display(), run.line, self.input);
        match std::fs::read(&path) {
            Ok(bytes) => Ok((name, bytes.into())),
            Err(error) => Err(Error::Read { path: name, error, remedy: "; paths count from the folder of the runs" }),
        }
    }

    fn malformed(&self, run: &PastRun<'_>, reason: String) -> Error {
        IngestError::Malformed { input: self.input.to_owned(), line: run.line, reason }.into()
    }
}
