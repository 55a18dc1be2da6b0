//! What ran before a selection, as its flags say: the tests to run again, and those not to.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::find::FromCwd;
use super::id_file::ids_in;
use super::last_failed::{self, FailedTest, LastFailedArgs};
use super::model_source::{Model, Place};
use super::tree::Tree;
use crate::choose::Before;
use crate::error::Error;
use crate::id::TestId;
use crate::model::ModelError;

/// Flags of what ran before.
#[derive(Debug, Args)]
pub(super) struct BeforeArgs {
    #[command(flatten)]
    last_failed: LastFailedArgs,
    /// Tests that ran already and are not to be selected: ids as `covopt` prints them in any format; `-` is standard
    /// input
    #[arg(long, value_name = "FILE")]
    exclude: Option<PathBuf>,
}

/// What ran before.
#[derive(Debug, Default)]
pub(super) struct RanBefore {
    pub(super) before: Before,
    /// Ids that were to be excluded and that the model does not know.
    pub(super) excluded_unknown: Vec<String>,
    /// How many tests that the diff adds were excluded.
    pub(super) new_excluded: usize,
    /// Failed tests that the tree no longer has.
    pub(super) dropped: usize,
}

impl BeforeArgs {
    /// The files that are read for it.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.last_failed.last_failed, &self.exclude].into_iter().flatten().map(PathBuf::as_path)
    }

    /// Whether tests are excluded at all.
    pub(super) fn excludes(&self) -> bool {
        self.exclude.is_some()
    }

    /// Refuses to read two things from standard input.
    pub(super) fn check(&self, diff: &Path) -> Result<(), Error> {
        let is_standard = |path: &Path| path.as_os_str() == "-";
        match self.exclude.as_deref().is_some_and(is_standard) && is_standard(diff) {
            true => Err(Error::Usage(
                "--exclude -: standard input is the diff; name a file for one of them with --exclude or --diff"
                    .to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// Reads it for the tree of `place`. Ids that are to be excluded may be those of the root, or as `--ids cwd` prints them.
    pub(super) fn read(
        &self,
        place: &Place,
        model: &Model,
        mut tree: Option<&mut Tree>,
        quiet: bool,
    ) -> Result<RanBefore, Error> {
        let failed = |error| model.error(error);
        let mut ran = RanBefore::default();
        let excluded = self.exclude.as_deref().map(excluded_ids).transpose()?.unwrap_or_default();
        let here = if place.below_root { FromCwd::to_root(&place.root).ok() } else { None };
        for id in &excluded {
            let mut known = known_test(model, tree.as_deref(), id).map_err(failed)?;
            if let (None, Some(here)) = (known, &here) {
                known = known_test(model, tree.as_deref(), &here.of_root(id)).map_err(failed)?;
            }
            match known {
                Some(test) => _ = ran.before.excluded.insert(test),
                None => ran.excluded_unknown.push(id.clone()),
            }
        }
        for test in last_failed::find(&self.last_failed, &place.root, model, quiet)? {
            let known = match &test {
                FailedTest::Known(test) => Some(*test),
                FailedTest::Unknown(id) if excluded.contains(id) => continue,
                FailedTest::Unknown(id) => known_test(model, tree.as_deref(), id).map_err(failed)?,
            };
            match known {
                Some(test) => ran.before.failed.push(test),
                None => {
                    let now = test.current_id(model, tree.as_deref_mut()).map_err(failed)?;
                    ran.dropped += usize::from(now.is_none());
                    ran.before.failed_unknown.extend(now);
                }
            }
        }
        Ok(ran)
    }
}

impl RanBefore {
    /// Takes the tests that the diff adds, but for those that are excluded.
    pub(super) fn with_new(mut self, new: Vec<String>) -> Self {
        let (excluded, new): (Vec<_>, Vec<_>) = new.into_iter().partition(|id| self.excluded_unknown.contains(id));
        self.excluded_unknown.retain(|id| !excluded.contains(id));
        self.new_excluded = excluded.len();
        self.before.new = new;
        self
    }

    /// Leaves out the tests that the model does not know and that `is_wanted` does not want.
    pub(super) fn only(mut self, mut is_wanted: impl FnMut(&str) -> bool) -> Self {
        self.before.new.retain(|id| is_wanted(id));
        self.before.failed_unknown.retain(|id| is_wanted(id));
        self
    }
}

/// The test that an id names, under the name that its file had when it was recorded, too.
fn known_test(model: &Model, tree: Option<&Tree>, id: &str) -> Result<Option<TestId>, ModelError> {
    match (model.index.find_test(id)?, tree) {
        (None, Some(tree)) => tree.renamed_test(&model.index, id),
        (found, _) => Ok(found),
    }
}

fn excluded_ids(path: &Path) -> Result<BTreeSet<String>, Error> {
    let standard = path.as_os_str() == "-";
    let name = if standard { "standard input".to_owned() } else { format!("`{}`", path.display()) };
    let bytes = if !standard {
        std::fs::read(path)
    } else if io::stdin().is_terminal() {
        return Err(Error::Usage(
            "--exclude -: standard input is a terminal, expected ids; name a file of them".to_owned(),
        ));
    } else {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    };
    let remedy = "; --exclude names the file of the tests that ran already";
    let bytes = bytes.map_err(|error| Error::Read { path: name.clone(), error, remedy })?;
    ids_in(&bytes).map_err(|problem| Error::Ids { path: name, problem, remedy: "" })
}
