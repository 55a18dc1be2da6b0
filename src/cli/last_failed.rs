//! The tests that failed last, best to run first: the most recent, then the cheapest, then by id.
//!
//! The newest evidence alone counts, so that nothing stale is run again: a file that is named (a JUnit report, or ids),
//! else pytest's own cache of its last runs here, else the last runs that the model knows.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;

use super::find::path_in_failed_id;
use super::id_file::ids_in;
use super::model_source::Model;
use super::note;
use super::tree::Tree;
use crate::error::Error;
use crate::history::History;
use crate::id::TestId;
use crate::ingest::{Context, Ingest, Kind, Note};
use crate::model::ModelError;

/// Where pytest keeps the tests that failed last, below the root.
const PYTEST_LAST_FAILED: &str = ".pytest_cache/v/cache/lastfailed";

/// Which tests failed last.
#[derive(Debug, Args)]
pub(super) struct LastFailedArgs {
    /// Tests that failed last: a JUnit report, pytest's `lastfailed`, a JSON list, or one id a line [default: pytest's
    /// cache, else the last runs that the model knows]
    #[arg(long, value_name = "FILE", conflicts_with = "no_last_failed")]
    pub(super) last_failed: Option<PathBuf>,
    /// Leave out tests only because they failed last
    #[arg(long)]
    no_last_failed: bool,
}

/// A test that failed last.
#[derive(Debug)]
pub(super) enum FailedTest {
    /// One of the model.
    Known(TestId),
    /// One that the model does not know, by its id.
    Unknown(String),
}

/// The tests that failed last, in the order to run them, of the tree at `root`. O(tests of the model) for a JUnit
/// report alone, whose cases are matched with the ids of all of them.
///
/// # Errors
/// If the file that was named cannot be read or is malformed, or a part of the model is damaged.
pub(super) fn find(args: &LastFailedArgs, root: &Path, model: &Model, quiet: bool) -> Result<Vec<FailedTest>, Error> {
    if args.no_last_failed {
        return Ok(Vec::new());
    }
    let stated = match &args.last_failed {
        Some(path) => Some(named(path, model, quiet)?),
        None => cached(root, quiet),
    };
    in_order(stated, model).map_err(|error| model.error(error))
}

/// When each test failed, by its id: microseconds since the Unix epoch, 0 where not stated.
type Failed = BTreeMap<String, u64>;

fn in_order(stated: Option<Failed>, model: &Model) -> Result<Vec<FailedTest>, ModelError> {
    let index = &model.index;
    let mut failed = Vec::new();
    for (id, failed_us) in stated.iter().flatten() {
        let test = index.find_test(id)?.map_or_else(|| FailedTest::Unknown(id.clone()), FailedTest::Known);
        failed.push((*failed_us, test));
    }
    if stated.is_none() {
        let last = index.failures()?.into_iter().filter(|(_, history)| history.failed_last());
        failed.extend(last.map(|(test, history)| (history.failed_us, FailedTest::Known(test))));
    }
    let mut keyed = Vec::with_capacity(failed.len());
    for (failed_us, test) in failed {
        let cost_us = match test {
            FailedTest::Known(test) => index.cost_us(test)?,
            FailedTest::Unknown(_) => index.root().median_cost_us,
        };
        keyed.push(((Reverse(failed_us), cost_us), test));
    }
    // Ids ascend in both sources, and the sort is stable.
    keyed.sort_by_key(|&(key, _)| key);
    Ok(keyed.into_iter().map(|(_, test)| test).collect())
}

/// What a person named must be read.
fn named(path: &Path, model: &Model, quiet: bool) -> Result<Failed, Error> {
    let name = path.display().to_string();
    let remedy = "; name the file of the tests that failed last, or pass --no-last-failed";
    let bytes = std::fs::read(path).map_err(|error| Error::Read { path: format!("`{name}`"), error, remedy })?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if text.trim_ascii_start().starts_with(b"<") {
        return reported(&name, &bytes, model, quiet);
    }
    let remedy = ", or a JUnit report, or pass --no-last-failed";
    let ids = ids_in(&bytes).map_err(|problem| Error::Ids { path: format!("`{name}`"), problem, remedy })?;
    Ok(ids.into_iter().map(|id| (id, 0)).collect())
}

/// The tests whose last run in a JUnit report failed.
fn reported(name: &str, bytes: &[u8], model: &Model, quiet: bool) -> Result<Failed, Error> {
    let mut ingest = Ingest::new();
    for test in (0..model.index.root().tests).map(TestId) {
        ingest.know(&model.index.test_name(test).map_err(|error| model.error(error))?);
    }
    ingest.bytes_of_kind(Kind::Junit, name, bytes, &Context::default())?;
    let (seen, notes) = ingest.finish();
    if !quiet {
        let unmatched = notes.iter().filter(|note| matches!(note, Note::UnmatchedCases { .. }));
        unmatched.for_each(|text| note(&text.to_string()));
    }
    let tests = seen.test_names().iter().cloned().zip(seen.tests());
    let histories = tests.filter_map(|(id, facts)| Some((id, History::of_runs(&facts.runs)?)));
    Ok(histories.filter(|(_, history)| history.failed_last()).map(|(id, history)| (id, history.failed_us)).collect())
}

/// What pytest's cache holds, if there is one; it need not be whole.
fn cached(root: &Path, quiet: bool) -> Option<Failed> {
    let path = root.join(PYTEST_LAST_FAILED);
    let problem = match std::fs::read(&path) {
        Ok(bytes) => match ids_in(&bytes) {
            Ok(ids) => return Some(ids.into_iter().map(|id| (id, 0)).collect()),
            Err(problem) => problem,
        },
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => error.to_string(),
    };
    if !quiet {
        note(&format!("`{}` is not used: {problem}; what failed last is what the model knows", path.display()));
    }
    None
}

impl FailedTest {
    /// Its id as the tree has it, or `None` if the tree no longer has it. Where there is no tree to ask, the model must
    /// know an id that does not even name a file.
    pub(super) fn current_id(&self, model: &Model, tree: Option<&mut Tree>) -> Result<Option<String>, ModelError> {
        let (id, is_known) = match self {
            FailedTest::Known(test) => (model.index.test_name(*test)?, true),
            FailedTest::Unknown(id) => (id.clone(), false),
        };
        match tree {
            Some(tree) => tree.current_failed_id(&model.index, &id),
            None => Ok(Some(id).filter(|id| is_known || path_in_failed_id(id).is_some())),
        }
    }
}
