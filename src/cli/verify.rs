//! `covopt verify`: checking every byte of a model.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use clap::Args;

use super::model_source::Place;
use super::{ModelArgs, Outcome, sink};
use crate::output::group_digits;

/// How long the work goes on before progress is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// Flags of `verify`.
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
    let start = Instant::now();
    let mut stderr = std::io::stderr().lock();
    let shown = !args.quiet && stderr.is_terminal();
    let mut drawn = false;
    let found = model.index.verify(|done, total| {
        if shown && start.elapsed() > PATIENCE {
            let _ = write!(stderr, "\rverify {:>3} %", done * 100 / total.max(1));
            drawn = true;
        }
    });
    if drawn {
        let _ = writeln!(stderr);
    }
    drop(stderr);
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
