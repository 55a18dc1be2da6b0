//! `covopt replay`: how often the choice misses, on a team's own past runs.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::choice::{TermsArgs, suite_us};
use super::model_source::{Model, Place};
use super::runs::RunsFile;
use super::units::{self, Budget, budget, seconds_of};
use super::{ModelArgs, Outcome, ReportFormat, SinkArgs, sink};
use crate::candidate::CandidateError;
use crate::choose::{Aim, ChoiceError};
use crate::error::Error;
use crate::ingest::{PastChoice, PastRun};
use crate::output::{ModelSource, PastResult, ReplayReport};
use crate::replay::{self, Question, Replayed, Standing};

/// The budgets that are asked where none is named, as shares of the suite.
const SHARES: [f64; 5] = [0.002, 0.01, 0.02, 0.05, 0.1];

/// Tell how often selections would have missed, on past runs of the suite
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
    let file = RunsFile::read(&args.runs)?;
    let runs = file.runs()?;
    let report = match args.log {
        true => logged(&file, &runs)?,
        false => Replaying { args, file: &file, runs: &runs }.report(&place)?,
    };
    match args.format {
        ReportFormat::Json => sink::write_json(args.output.file(), &report),
        ReportFormat::Text => sink::write(args.output.file(), report.text(file.name()).as_bytes()),
    }
}

/// The report on what was chosen at the time.
fn logged(file: &RunsFile, runs: &[PastRun<'_>]) -> Result<ReplayReport, Error> {
    let result = |run: &PastRun<'_>| {
        let chosen = run.chosen.as_ref().ok_or_else(|| {
            let reason =
                "expected a line of `select --shadow --log`, with `ids` and `budget_s`, found none; leave out \
                          --log to choose anew"
                    .to_owned();
            file.malformed(run, reason)
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
    file: &'a RunsFile,
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
        self.file.with_diff(run, |diff| {
            replay::replay(&model.index, diff, &run.failed, question).map_err(|error| match error {
                ChoiceError::Candidates(CandidateError::Model(error)) => model.error(error),
                error => self.file.malformed(run, error.to_string()),
            })
        })
    }
}
