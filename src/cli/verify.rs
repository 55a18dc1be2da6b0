//! `covopt verify`: checking every byte of a model.

use clap::Args;

use super::model_source::Place;
use super::progress::{Progress, Shown};
use super::{ModelArgs, Outcome, sink};
use crate::output::group_digits;

/// Check every byte of a model
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Print nothing where all is well
    #[arg(short, long)]
    quiet: bool,
}

/// Runs `verify`.
pub(super) fn run(args: &VerifyArgs) -> Outcome {
    let model = Place::find(&args.model)?.open()?;
    let mut progress = Progress::new(Shown::Auto, args.quiet);
    let found = model.index.verify(|done, total| progress.at("verify", done, Some(total)));
    drop(progress);
    let found = found.map_err(|error| model.error(error))?;
    if args.quiet {
        return Ok(crate::error::exit::DONE);
    }
    let line = format!(
        "{}: whole; {} bytes, {} lists, {} postings\n",
        crate::output::escape(&model.path.display().to_string()),
        group_digits(found.bytes),
        group_digits(found.lists),
        group_digits(found.postings)
    );
    sink::write(None, line.as_bytes())
}
