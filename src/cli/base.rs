//! `covopt base`: the commit that a model describes, for `b=$(covopt base) && git diff "$b"`.

use clap::Args;

use super::model_source::Place;
use super::{ModelArgs, Outcome, sink};
use crate::error::Error;

/// Print the commit that a model describes
#[derive(Debug, Args)]
pub(super) struct BaseArgs {
    #[command(flatten)]
    model: ModelArgs,
}

/// Runs `base`.
pub(super) fn run(args: &BaseArgs) -> Outcome {
    let model = Place::find(&args.model)?.open()?;
    let Some(base) = &model.index.root().base else {
        return Err(Error::NoModel(format!(
            "model `{}` does not say which commit it describes; build it with `covopt build --base \"$(git rev-parse HEAD)\"`",
            model.path.display()
        )));
    };
    sink::write(None, format!("{base}\n").as_bytes())
}
