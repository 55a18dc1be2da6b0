//! `covopt explain`: why tests were chosen or not, and what stays at risk.

use std::path::Path;
use std::time::Instant;

use clap::Args;

use super::choice::ChoiceArgs;
use super::diff_input::DiffInput;
use super::model_source::Model;
use super::select::{Report, empty_line};
use super::{Outcome, ReportFormat, SinkArgs, sink};
use crate::error::Error;
use crate::explain::{self, Explanation, Subject};
use crate::id::TestId;
use crate::output::ExplainReport;

/// How many of the tests that a word may mean are named.
const MATCHES_MOST: usize = 10;

/// Tell why tests were chosen or not, and what stays at risk
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Tests to tell about instead: an id, the end of one, or a part that only one has
    #[arg(value_name = "TEST")]
    tests: Vec<String>,
    #[command(flatten)]
    choice: ChoiceArgs,
    /// Name every chosen test, however many
    #[arg(long)]
    all: bool,
    /// Print nothing but errors to standard error
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    output: SinkArgs,
    /// For people or for machines
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
}

/// Runs `explain`.
pub(super) fn run(args: &ExplainArgs) -> Outcome {
    let start = Instant::now();
    let diff = args.choice.diff.diff.as_path();
    let inputs: Vec<&Path> = args.choice.before.files().chain([diff]).collect();
    let place = sink::prepare_with_place(&args.output, &args.choice.model, &inputs)?;
    args.choice.before.check(diff)?;
    let input = DiffInput::read(diff, "covopt explain -t 10")?;
    let diff = input.parse()?;
    if diff.files.is_empty() && !place.named && !place.model.exists() {
        let selected = (Report::without_model(&args.choice, false), empty_line(&diff));
        let none = ExplainReport::new(&Explanation::default(), selected, 0, &[], |_| Ok::<_, Error>(String::new()))?;
        return answer(args, &none);
    }
    let mut chosen = args.choice.choose(&place, &diff, true, None, args.quiet)?;
    let tests = args.tests.iter().map(|text| asked(text, &chosen.model)).collect::<Result<Vec<_>, _>>()?;
    let selected = Report { args: &args.choice, diff: &diff, chosen: &chosen, ids_from: None, has_curve: false };
    let selected = selected.make();
    let failed = |error| chosen.model.error(error);
    let subject = Subject {
        index: &chosen.model.index,
        change: &chosen.change,
        relevance: &chosen.relevance,
        terms: &chosen.terms,
        choice: &chosen.choice,
    };
    let explanation = explain::explain(subject, &tests).map_err(failed)?;
    let name = |test| chosen.model.index.test_name(test);
    let report = ExplainReport::new(&explanation, selected, diff.files.len(), &chosen.choice.named, name);
    let mut report = report.map_err(failed)?;
    if let Some(tree) = &mut chosen.tree {
        for answer in &mut report.tests {
            let now = tree.current_id(&chosen.model.index, &answer.id);
            answer.in_tree = now.map_err(|error| chosen.model.error(error))?.is_some();
        }
    }
    report.selection.elapsed_ms = start.elapsed().as_secs_f64() * 1000.0;
    answer(args, &report)
}

fn answer(args: &ExplainArgs, report: &ExplainReport) -> Outcome {
    match args.format {
        ReportFormat::Json => sink::write_json(args.output.file(), report),
        ReportFormat::Text => sink::write(args.output.file(), report.text(args.all).as_bytes()),
    }
}

/// The one test that a person means.
fn asked(text: &str, model: &Model) -> Result<TestId, Error> {
    let failed = |error| model.error(error);
    let found = explain::tests_named(&model.index, text, MATCHES_MOST + 1).map_err(failed)?;
    let problem = match found.as_slice() {
        &[test] => return Ok(test),
        [] => "is in no id of the model's tests; `covopt select` prints ids".to_owned(),
        several => {
            let names = several.iter().take(MATCHES_MOST).map(|&test| model.index.test_name(test));
            let names = names.collect::<Result<Vec<_>, _>>().map_err(failed)?;
            let more = if several.len() > MATCHES_MOST { " and more" } else { "" };
            format!("is in the ids of several tests, {}{more}; name one", names.join(", "))
        }
    };
    Err(Error::Usage(format!("`{text}` {problem}")))
}
