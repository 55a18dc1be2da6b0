//! Past runs in a file, and the diffs that they name.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use super::diff_input;
use crate::diff::{self, Diff};
use crate::error::Error;
use crate::ingest::{IngestError, PastChange, PastRun, past_runs};

/// A file of past runs; `-` is standard input.
pub(super) struct RunsFile {
    path: PathBuf,
    /// What it is called in messages.
    name: String,
    bytes: Vec<u8>,
}

impl RunsFile {
    /// Reads the file.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let at_terminal =
            || Error::Usage("standard input is a terminal, expected past runs; name their file".to_owned());
        let (name, bytes) = diff_input::read(path, at_terminal)?;
        Ok(Self { path: path.to_owned(), name, bytes })
    }

    /// What the file is called in messages, with its quotes.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What the file is called in messages that quote it.
    pub(super) fn input(&self) -> &str {
        self.name.trim_matches('`')
    }

    /// The runs, in their order.
    pub(super) fn runs(&self) -> Result<Vec<PastRun<'_>>, Error> {
        Ok(past_runs(self.input(), &self.bytes)?)
    }

    /// Asks `ask` about the diff of a run.
    pub(super) fn with_diff<T>(
        &self,
        run: &PastRun<'_>,
        ask: impl FnOnce(&Diff<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (name, bytes) = self.patch(run)?;
        let bytes = diff::decolor(&bytes);
        ask(&diff::parse(&bytes).map_err(|error| Error::Diff { name, error })?)
    }

    /// The diff of a run, and what to call it.
    fn patch<'r>(&self, run: &'r PastRun<'_>) -> Result<(String, Cow<'r, [u8]>), Error> {
        let path = match &run.change {
            PastChange::Patch(patch) => {
                return Ok((format!("`{}`, line {}", self.input(), run.line), patch.as_bytes().into()));
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
        let beside = self.path.parent().unwrap_or(Path::new(""));
        let path = beside.join(path);
        let name = format!("`{}` (line {} of `{}`)", path.display(), run.line, self.input());
        match std::fs::read(&path) {
            Ok(bytes) => Ok((name, bytes.into())),
            Err(error) => Err(Error::Read { path: name, error, remedy: "; paths count from the folder of the runs" }),
        }
    }

    /// What is wrong with a run.
    pub(super) fn malformed(&self, run: &PastRun<'_>, reason: String) -> Error {
        IngestError::Malformed { input: self.input().to_owned(), line: run.line, reason }.into()
    }
}
