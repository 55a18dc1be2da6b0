//! The inputs of a build: which there are, and what they say; among them the source of the tree itself.

use std::cell::RefCell;
use std::io::{IsTerminal as _, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::find;
use super::progress::{Progress, Watched};
use super::source_tree::{OldSides, SourceTree};
use crate::error::Error;
use crate::ingest::{Context, HEAD_BYTES, Ingest, IngestError, Kind, Note, Summary, detect};
use crate::observation::Observations;

/// The tree that inputs speak of, under both of its names where a link leads to it.
pub(super) fn context(root: &Path) -> Context {
    let absolute = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let context = Context::new(&absolute.to_string_lossy());
    match std::fs::canonicalize(root) {
        Ok(real) => context.also_root(&real.to_string_lossy()),
        Err(_) => context,
    }
}

/// Inputs that were named, or found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    inputs: Vec<PathBuf>,
    named: bool,
    source: Option<SourceTree>,
}

/// What the inputs said, and what about it deserves a word.
pub(super) struct Ingested {
    pub(super) observations: Observations,
    /// What was read, in words.
    pub(super) inputs: Vec<String>,
    pub(super) notes: Vec<String>,
    /// What the readers say of it.
    pub(super) said: Vec<Note>,
    /// When the oldest file with coverage was written.
    pub(super) recorded: Option<SystemTime>,
}

impl Found {
    /// Inputs that a person names.
    pub(super) fn named(inputs: Vec<PathBuf>) -> Self {
        Self { inputs, named: true, source: None }
    }

    /// What lies in the usual places below `root`.
    pub(super) fn look(root: &Path) -> Self {
        Self { inputs: find::usual_inputs(root), named: false, source: None }
    }

    /// With the source of a tree.
    pub(super) fn with_source(self, source: SourceTree) -> Self {
        Self { source: Some(source).filter(|source| !source.is_empty()), ..self }
    }

    /// Whether there is nothing to read.
    pub(super) fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.source.is_none()
    }

    /// Reads every input but the source. `context` says how their paths and ids become the repository's, `ingest` how much memory may be
    /// used.
    pub(super) fn ingest(&self, context: &Context, ingest: Ingest, progress: Progress) -> Result<Ingested, Error> {
        let (mut inputs, mut notes, mut recorded) = (Vec::new(), Vec::new(), None);
        let mut reading = Reading { ingest, context, progress: RefCell::new(progress) };
        for input in &self.inputs {
            let name = input.display().to_string();
            match reading.input(input, &name) {
                Ok(summary) => {
                    inputs.push(format!("`{name}`"));
                    recorded = recorded.into_iter().chain(written(input, summary.kind)).min();
                }
                Err(error) if !self.named && is_foreign(&error) => notes.push(format!("left out: {error}")),
                Err(error) => return Err(error),
            }
        }
        if inputs.is_empty() && self.source.is_none() {
            return Err(Error::NoModel(format!(
                "nothing that was found can be read; name the inputs of `covopt build`. {}",
                notes.join(". ")
            )));
        }
        let (observations, said) = reading.ingest.finish();
        Ok(Ingested { observations, inputs, notes, said, recorded })
    }

    /// Adds what the source says to what the other inputs say. Of a file in `old_sides` it is what it was before the diff at
    /// hand. `model` is where the model will be.
    pub(super) fn add_source(&self, ingested: &mut Ingested, old_sides: &OldSides, model: &Path, progress: Progress) {
        if let Some(source) = &self.source {
            let (read, notes) = source.observe(old_sides, &mut ingested.observations, model, progress);
            ingested.inputs.push(read);
            ingested.notes.extend(notes);
        }
    }
}

/// Inputs as they are read.
struct Reading<'a> {
    ingest: Ingest,
    context: &'a Context,
    progress: RefCell<Progress>,
}

impl Reading<'_> {
    fn input(&mut self, input: &Path, name: &str) -> Result<Summary, Error> {
        if input.as_os_str() == "-" {
            let stdin = std::io::stdin();
            if stdin.is_terminal() {
                return Err(Error::Usage(
                    "standard input is a terminal, expected an input; name a file, or try `covopt build - < coverage.jsonl`"
                        .to_owned(),
                ));
            }
            return self.stream("standard input", stdin.lock(), None, None);
        }
        if input.is_dir() {
            return Ok(self.ingest.directory(name, input, self.context)?);
        }
        let file = std::fs::File::open(input).map_err(|error| read_error(name, error))?;
        let bytes = file.metadata().ok().map(|found| found.len());
        self.stream(name, file, bytes, Some(input))
    }

    /// Reads an input: a database where it lies, JSON lines as they come, anything else from memory.
    fn stream(
        &mut self,
        name: &str,
        input: impl Read,
        total: Option<u64>,
        path: Option<&Path>,
    ) -> Result<Summary, Error> {
        let stage = format!("read `{name}`");
        let mut input = Watched { input, stage: stage.clone(), done: 0, total, progress: &self.progress };
        let mut head = Vec::new();
        (&mut input).take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(|error| read_error(name, error))?;
        match (detect(name, &head)?, path) {
            (Kind::CoverageDb, Some(path)) => {
                let told = |done, total| self.progress.borrow_mut().at(&stage, done, Some(total));
                Ok(self.ingest.database(name, path, self.context, told)?)
            }
            (Kind::JsonLines, _) => {
                let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
                Ok(self.ingest.json_lines(name, head.chain(input), self.context)?)
            }
            (kind, _) => {
                input.read_to_end(&mut head).map_err(|error| read_error(name, error))?;
                Ok(self.ingest.bytes_of_kind(kind, name, &head, self.context)?)
            }
        }
    }
}

fn read_error(name: &str, error: std::io::Error) -> Error {
    Error::Read { path: format!("`{name}`"), error, remedy: "; check the path and its permissions" }
}

/// Whether a file that was not named is none of ours: something else under a usual name.
fn is_foreign(error: &Error) -> bool {
    let Error::Ingest(error) = error else { return false };
    matches!(
        **error,
        IngestError::Unrecognized { .. }
            | IngestError::Empty { .. }
            | IngestError::Wrapped { .. }
            | IngestError::EmptyDirectory { .. }
    )
}

/// When a file that may hold coverage was written. The time of a folder says nothing of the files below it.
fn written(input: &Path, kind: Kind) -> Option<SystemTime> {
    let holds_coverage = matches!(kind, Kind::CoverageDb | Kind::CoverageJson | Kind::Lcov | Kind::JsonLines);
    let metadata = holds_coverage.then(|| std::fs::metadata(input).ok()).flatten()?;
    if metadata.is_file() { metadata.modified().ok() } else { None }
}
