//! `covopt merge`: models of one suite joined to one.

use std::path::PathBuf;

use clap::Args;
use memmap2::Mmap;

use super::build::{Base, build_error, folder_of, named_base};
use super::progress::{WorkArgs, stage};
use super::replace::{check_place, replace};
use super::repository::Repository;
use super::{Outcome, note};
use crate::build::{BuildError, Merged};
use crate::error::{Error, exit};
use crate::mmap;
use crate::model::Index;
use crate::observation::Observations;
use crate::output::{counted, group_digits};

/// Join models of one suite: shards, or runs of the same tests
#[derive(Debug, Args)]
#[command(
    after_help = "The models may know the same tests or different ones: shards of a suite, or runs of the same one. Everything \
                  that any of them says holds, in any order and grouping of the models. They must be of one content of each file \
                  that they share; if they name one commit, so does the result.\n\n\
                  Example: covopt merge shards/*.covopt --model .covopt"
)]
pub(super) struct MergeArgs {
    /// The models to join
    #[arg(required = true)]
    models: Vec<PathBuf>,
    /// Where the joined model goes; it may be one of them
    #[arg(long = "model", value_name = "FILE")]
    output: PathBuf,
    /// The commit that all of them describe, where they do not all name it; files without a hash are taken to be of it
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    #[command(flatten)]
    work: WorkArgs,
}

/// Runs `merge`.
pub(super) fn run(args: &MergeArgs) -> Outcome {
    check_place(&args.output)?;
    let mut models: Vec<Index<Mmap>> = Vec::with_capacity(args.models.len());
    for path in &args.models {
        models.push(mmap::open(path).map_err(|error| Error::Open { path: path.clone(), error })?);
    }
    let known: Vec<&Index<Mmap>> = models.iter().collect();
    let nothing = Observations::with_memory(args.work.bytes_of_pairs(), folder_of(&args.output));
    let named = match &args.base {
        Some(named) => {
            let here = std::env::current_dir().ok();
            named_base(named, here.as_deref().and_then(Repository::around).as_ref())?
        }
        None => Base { commit: None, note: None },
    };
    let mut progress = args.work.progress();
    let mut told = |phase, done, total| progress.at(stage(phase), done, Some(total));
    let merged = Merged::join(&known, named.commit.as_deref(), nothing, &mut told)
        .map_err(|(position, error)| build_error(error, &args.models[position]))?;
    let has_base = merged.base().is_some();
    let written = replace(&args.output, args.work.quiet, |out| {
        merged.write(&mut told, out).map_err(|error| match error {
            BuildError::Joined { position, error } => Error::Model { path: args.models[position].clone(), error },
            error => build_error(error, &args.output),
        })
    })?;
    drop(progress);
    if !args.work.quiet {
        named.note.iter().for_each(|text| note(text));
        note(&format!(
            "merged {} into `{}`: {}, {}, {} bytes",
            counted(models.len(), "model"),
            args.output.display(),
            counted(written.tests as usize, "test"),
            counted(written.files as usize, "file"),
            group_digits(written.bytes)
        ));
        if !has_base {
            note("the models do not all name one commit, so the result names none; --base REV names it");
        }
    }
    Ok(exit::DONE)
}
