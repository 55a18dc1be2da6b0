//! `covopt calibrate`: the constants of the signal, fitted to a team's own past runs.

use std::path::Path;

use clap::Args;
use serde::{Serialize, Serializer};

use super::model_source::{Model, Place};
use super::runs::RunsFile;
use super::{ModelArgs, Outcome, ReportFormat, SinkArgs, sink};
use crate::calibrate::{self, Fit, Group, Occasion};
use crate::candidate::CandidateError;
use crate::error::Error;
use crate::output::{counted, table};
use crate::signal::Calibration;

/// Fewer changes than this are not enough to fit anything, or to say what a fit is worth.
const CHANGES_LEAST: usize = 20;

/// Into how many groups the changes of one history are dealt.
const FOLDS: usize = 5;

/// Fit the constants of the signal to past runs
#[derive(Debug, Args)]
pub(super) struct CalibrateArgs {
    /// Past runs as `replay` takes them; `MODEL=RUNS` names the model of each, for several projects
    #[arg(value_name = "[MODEL=]RUNS", required = true)]
    runs: Vec<String>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    output: SinkArgs,
    /// For people, or JSON that `covopt build --update` takes as an input
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
}

/// What a fit came to; `--format json` prints it.
#[derive(Debug, Serialize)]
struct CalibrateReport {
    #[serde(serialize_with = "by_name")]
    calibration: Calibration,
    #[serde(serialize_with = "by_name")]
    before: Calibration,
    /// Changes that something is learned from.
    changes: usize,
    /// Runs that nothing is learned from: nothing failed, or nothing that any evidence ranks.
    passed_over: usize,
    /// Whether the fit is better on changes that it did not see; the constants stay as they are where not.
    holds: bool,
    log_likelihood_before: f64,
    log_likelihood: f64,
    held_out: Vec<HeldOutReport>,
}

/// What constants that were fitted to the other groups are worth on one.
#[derive(Debug, Serialize)]
struct HeldOutReport {
    group: String,
    changes: usize,
    #[serde(serialize_with = "by_name")]
    calibration: Calibration,
    log_likelihood_before: f64,
    log_likelihood: f64,
}

fn by_name<S: Serializer>(calibration: &Calibration, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(Calibration::NAMES.into_iter().zip(calibration.values()))
}

/// Runs `calibrate`.
pub(super) fn run(args: &CalibrateArgs) -> Outcome {
    let pairs: Vec<(Option<&str>, &str)> = args
        .runs
        .iter()
        .map(|pair| match pair.split_once('=') {
            Some((model, runs)) => (Some(model), runs),
            None => (None, pair.as_str()),
        })
        .collect();
    let inputs: Vec<&Path> = pairs.iter().map(|(_, runs)| Path::new(*runs)).collect();
    let place = sink::prepare_with_place(&args.output, &args.model, &inputs)?;
    let mut groups: Vec<Group> = Vec::new();
    let (mut before, mut passed_over) = (None, 0);
    for (model, runs) in pairs {
        let model = match model {
            Some(path) => Place::find(&ModelArgs { model: Some(path.into()), root: None })?.open()?,
            None => place.open()?,
        };
        check_start(&mut before, &model)?;
        let occasions = occasions(&model, Path::new(runs), &mut passed_over)?;
        match groups.iter_mut().find(|group| group.name == runs) {
            Some(group) => group.occasions.extend(occasions),
            None => groups.push(Group { name: runs.to_owned(), occasions }),
        }
    }
    let before = before.unwrap_or_default();
    let mut fit = calibrate::fit(&before, &dealt(groups));
    if fit.occasions < CHANGES_LEAST {
        fit.held_out = Vec::new();
    }
    // What is no better on changes that the fit did not see is not worth having.
    if !fit.holds() {
        (fit.calibration, fit.log_likelihood[1]) = (before, fit.log_likelihood[0]);
    }
    let report = CalibrateReport::new(before, fit, passed_over);
    match args.format {
        ReportFormat::Json => sink::write_json(args.output.file(), &report),
        ReportFormat::Text => sink::write(args.output.file(), report.text().as_bytes()),
    }
}

/// All models must start from the same constants.
fn check_start(before: &mut Option<Calibration>, model: &Model) -> Result<(), Error> {
    let held = model.index.root().calibration;
    match before.get_or_insert(held) {
        first if *first == held => Ok(()),
        _ => Err(Error::Usage(format!(
            "the models hold different constants: expected those of the first, `{}` has others; build it again without \
             its own calibration",
            model.path.display()
        ))),
    }
}

fn occasions(model: &Model, runs: &Path, passed_over: &mut usize) -> Result<Vec<Occasion>, Error> {
    let file = RunsFile::read(runs)?;
    let mut found = Vec::new();
    for run in &file.runs()? {
        let occasion = file.with_diff(run, |diff| {
            calibrate::occasion(&model.index, diff, &run.failed).map_err(|error| match error {
                CandidateError::Model(error) => model.error(error),
                error => file.malformed(run, error.to_string()),
            })
        })?;
        *passed_over += usize::from(occasion.is_none());
        found.extend(occasion);
    }
    Ok(found)
}

/// One history as several groups, dealt like cards, so that what a fit is worth can be told.
fn dealt(groups: Vec<Group>) -> Vec<Group> {
    match <[Group; 1]>::try_from(groups) {
        Ok([one]) if one.occasions.len() >= CHANGES_LEAST => {
            let mut folds: Vec<Group> = (1..=FOLDS)
                .map(|fold| Group { name: format!("part {fold} of {FOLDS}"), occasions: Vec::new() })
                .collect();
            one.occasions.into_iter().enumerate().for_each(|(at, of)| folds[at % FOLDS].occasions.push(of));
            folds
        }
        Ok([one]) => vec![one],
        Err(groups) => groups,
    }
}

impl CalibrateReport {
    fn new(before: Calibration, fit: Fit, passed_over: usize) -> Self {
        let holds = fit.holds();
        let held_out = fit.held_out.into_iter().map(|held| HeldOutReport {
            group: held.group,
            changes: held.occasions,
            calibration: held.calibration,
            log_likelihood_before: held.log_likelihood[0],
            log_likelihood: held.log_likelihood[1],
        });
        Self {
            calibration: fit.calibration,
            before,
            changes: fit.occasions,
            passed_over,
            holds,
            log_likelihood_before: fit.log_likelihood[0],
            log_likelihood: fit.log_likelihood[1],
            held_out: held_out.collect(),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("Fitted to {}", counted(self.changes, "failing change"));
        if self.passed_over > 0 {
            text.push_str(&format!("; {} passed over", counted(self.passed_over, "run")));
        }
        text.push_str("\n\n");
        let constants = Calibration::NAMES.into_iter().zip(self.before.values()).zip(self.calibration.values());
        let mut rows = vec![["constant", "before", "fitted"].map(str::to_owned).to_vec()];
        rows.extend(constants.map(|((name, was), is)| vec![name.to_owned(), format!("{was:.2}"), format!("{is:.2}")]));
        text.push_str(&table("<>>", &rows));
        text.push_str(&format!(
            "\nThe chance given to what failed, as a mean logarithm: {:.3} before, {:.3} fitted\n",
            self.log_likelihood_before, self.log_likelihood
        ));
        if self.held_out.is_empty() {
            text.push_str(&format!(
                "Too few changes to learn from: at least {CHANGES_LEAST}; the constants stay as they are.\n"
            ));
            return text;
        }
        text.push_str("\nOn changes that the fit did not see:\n");
        let mut rows = vec![["group", "changes", "before", "fitted"].map(str::to_owned).to_vec()];
        rows.extend(self.held_out.iter().map(|held| {
            let figures = [held.log_likelihood_before, held.log_likelihood].map(|figure| format!("{figure:.3}"));
            [held.group.clone(), held.changes.to_string()].into_iter().chain(figures).collect()
        }));
        text.push_str(&table("<>>>", &rows));
        text.push_str(match self.holds {
            true => "\nTo use it: covopt calibrate ... --format json -o calibration.json && covopt build --update calibration.json\n",
            false => "\nThe fit is not better there than what the model holds: the constants stay as they are.\n",
        });
        text
    }
}
