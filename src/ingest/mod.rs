//! Coverage databases, reports and JSON in, observations out.
//!
//! One file per kind of input, each a pure function from bytes to what [`Ingest`] gathers; only the coverage.py database
//! and a directory of reports are read from a path. The kind is known from the content, never from the name. Whatever
//! the order of the inputs, [`Ingest::finish`] gives the same observations and notes: what needs the other inputs (a
//! JUnit case whose id another input spells out) waits until then.
//!
//! Inputs are hostile: nothing in them is executed or followed, no allocation follows a claimed length, and repeated or
//! unsorted lines cost no more than a sort.

mod conceptual;
mod coverage_db;
mod coverage_json;
mod ctags;
mod detect;
mod directory;
mod durations;
mod error;
mod json;
mod json_lines;
mod junit;
mod junit_id;
mod lcov;
mod note;
mod past_runs;
mod path;
mod recording;
mod timestamp;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io::Read;
use std::path::Path;

use crate::observation::{FileKey, LineRange, Observations, Outcome, Run, Symbol, TestKey};

pub use detect::{HEAD_BYTES, Kind, detect};
pub use directory::label_of;
pub use error::IngestError;
pub use note::Note;
pub use past_runs::{PastChange, PastChoice, PastRun, past_runs};
pub use path::Context;

/// The greatest line number that is taken; beyond it a recording is damaged, not large.
pub const MAX_LINE: u32 = 10_000_000;

/// The greatest cost that is taken, in seconds: some thirty years.
const MAX_COST_S: f64 = 1e9;

/// What one input gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What it is.
    pub kind: Kind,
    /// Tests that it says something about; for reports, test cases.
    pub tests: usize,
    /// Files that it says something about.
    pub files: usize,
    /// Pairs of a test and a file with lines, as read; of features for a conceptual model.
    pub pairs: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, {}", self.kind, note::counted(self.tests, "test"), note::counted(self.files, "file"))
    }
}

/// Gathers inputs. After an error it holds a part of the input and must be dropped.
#[derive(Debug, Default)]
pub struct Ingest {
    seen: Observations,
    notes: BTreeSet<Note>,
    cases: Vec<junit::Case>,
    sessions: Vec<junit::StatedSession>,
    stated_files: HashMap<TestKey, (FileKey, String)>,
    coverage_inputs: BTreeSet<String>,
}

impl Ingest {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing yet; holds about so many bytes of what is said of pairs of a test and a file, word or feature in memory, and
    /// the rest in unnamed files in `folder`.
    pub fn with_memory(bytes: usize, folder: &Path) -> Self {
        Self { seen: Observations::with_memory(bytes, folder), ..Self::default() }
    }

    /// Spills what is too much to hold.
    fn settle(&mut self) -> Result<(), IngestError> {
        self.seen.settle().map_err(|source| IngestError::Spill { source })
    }

    /// Makes a test known by its id, so that cases of reports are matched with it.
    pub fn know(&mut self, id: &str) {
        self.seen.test(id);
    }

    /// Reads an input of any kind from memory, a database through a temporary file.
    ///
    /// `input` names it in messages and notes.
    ///
    /// # Errors
    /// Content of no known kind, or wrong in itself.
    pub fn bytes(&mut self, input: &str, bytes: &[u8], context: &Context) -> Result<Summary, IngestError> {
        let kind = detect(input, &bytes[..bytes.len().min(HEAD_BYTES)])?;
        self.bytes_of_kind(kind, input, bytes, context)
    }

    /// Reads an input whose kind is known.
    ///
    /// # Errors
    /// Content that is wrong in itself.
    pub fn bytes_of_kind(
        &mut self,
        kind: Kind,
        input: &str,
        bytes: &[u8],
        context: &Context,
    ) -> Result<Summary, IngestError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let summary = match kind {
            Kind::CoverageDb => coverage_db::read_bytes(input, bytes, context, self),
            Kind::CoverageJson => coverage_json::read(input, bytes, context, self),
            Kind::Lcov => lcov::read(input, bytes, context, self),
            Kind::Junit => junit::read(input, bytes, context, self),
            Kind::Durations => durations::read(input, bytes, context, self),
            Kind::Ctags => ctags::read(input, bytes, context, self),
            Kind::Conceptual => conceptual::read(input, bytes, context, self),
            Kind::JsonLines => json_lines::read(input, bytes, context, self),
        }?;
        self.settle()?;
        Ok(summary)
    }

    /// Reads JSON lines as they come, without holding them.
    ///
    /// # Errors
    /// Content that is wrong in itself, or that cannot be read.
    pub fn json_lines(&mut self, input: &str, bytes: impl Read, context: &Context) -> Result<Summary, IngestError> {
        json_lines::read(input, bytes, context, self)
    }

    /// Reads a coverage.py database where it lies, without writing beside it; `told` hears how much of how much is done, from
    /// time to time.
    ///
    /// # Errors
    /// A file that is no such database, is damaged, or has no usable contexts.
    pub fn database(
        &mut self,
        input: &str,
        path: &Path,
        context: &Context,
        told: impl FnMut(u64, u64),
    ) -> Result<Summary, IngestError> {
        let summary = coverage_db::read_path(input, path, context, self, told)?;
        self.settle()?;
        Ok(summary)
    }

    /// Reads a directory that holds one LCOV file per test, as `bazel-testlogs` does.
    ///
    /// # Errors
    /// A directory that cannot be read or holds no such file, or a file that is wrong in itself.
    pub fn directory(&mut self, input: &str, path: &Path, context: &Context) -> Result<Summary, IngestError> {
        directory::read(input, path, context, self)
    }

    /// Everything the inputs said, and what is to be named on stderr.
    pub fn finish(mut self) -> (Observations, Vec<Note>) {
        junit_id::resolve(&mut self);
        self.note_whole();
        (self.seen, self.notes.into_iter().collect())
    }

    /// The key of a test named by an input, prefixed as the context says.
    fn test(&mut self, input: &str, id: &str, context: &Context) -> Result<TestKey, IngestError> {
        let reason = if id.trim().is_empty() {
            "is empty"
        } else if id.contains('\0') {
            "holds a NUL byte"
        } else {
            return Ok(self.seen.test(&context.test_id(id)));
        };
        Err(IngestError::BadId { input: input.to_owned(), id: id.to_owned(), reason })
    }

    /// The key of a file named by an input; `None`, counted, where it lies outside the root.
    fn file(&mut self, recorded: &str, context: &Context, outside: &mut Outside) -> Option<FileKey> {
        match context.repository_path(recorded) {
            Some(path) => Some(self.seen.file(&path)),
            None => {
                outside.add(recorded);
                None
            }
        }
    }

    /// Adds a cost that is known without a report of the run.
    fn cost(&mut self, test: TestKey, cost_us: u64) {
        self.seen
            .run(test, Run { time_us: 0, commit: String::new(), outcome: Outcome::Unknown, cost_us: Some(cost_us) });
    }

    /// Adds the symbols of a file.
    fn symbol(&mut self, file: FileKey, symbol: Symbol) {
        self.seen.file_mut(file).symbols.insert(symbol);
    }

    fn note(&mut self, note: Note) {
        self.notes.insert(note);
    }

    fn note_whole(&mut self) {
        let known = self.seen.tests().len();
        let recorded = self.seen.tests().iter().filter(|test| test.recorded).count();
        // A few tests that run no measured line are normal in any suite; a quarter of it is not.
        if recorded > 0 && recorded < known - known / 4 {
            let inputs = self.coverage_inputs.iter().cloned().collect();
            self.note(Note::PartialCoverage { inputs, recorded, known });
        }
        let tests = self.seen.tests().iter().filter(|test| test.runs.iter().all(|run| run.cost_us.is_none())).count();
        if tests > 0 {
            self.note(Note::NoCost { tests, known });
        }
        let is_zero = |runs: &[Run]| {
            let mut costs = runs.iter().filter_map(|run| run.cost_us).peekable();
            costs.peek().is_some() && costs.all(|cost_us| cost_us == 0)
        };
        let tests = self.seen.tests().iter().filter(|test| is_zero(&test.runs)).count();
        if tests > 0 {
            self.note(Note::ZeroCosts { tests, known });
        }
        let symbols: usize = self.seen.files().iter().map(|file| same_names(&file.symbols)).sum();
        if symbols > 0 {
            self.note(Note::SameName { symbols });
        }
    }
}

fn same_names(symbols: &BTreeSet<Symbol>) -> usize {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for symbol in symbols {
        *names.entry(&symbol.name).or_default() += 1;
    }
    names.values().map(|count| count - 1).sum()
}

/// Counts the files of one input that lie outside the root.
#[derive(Debug, Default)]
struct Outside {
    paths: BTreeSet<String>,
}

impl Outside {
    fn add(&mut self, recorded: &str) {
        if !self.paths.contains(recorded) {
            self.paths.insert(recorded.to_owned());
        }
    }

    /// Notes what was left out, or fails if `taken` says that nothing else was there.
    fn settle(self, input: &str, taken: usize, context: &Context, into: &mut Ingest) -> Result<(), IngestError> {
        let files = self.paths.len();
        let Some(example) = self.paths.into_iter().next() else { return Ok(()) };
        if taken == 0 {
            let root = context.root().to_owned();
            return Err(IngestError::NothingUnderRoot { input: input.to_owned(), files, root, example });
        }
        into.note(Note::OutsideRoot { input: input.to_owned(), files, example });
        Ok(())
    }
}

/// A cost in microseconds from seconds as `test` reports them; what is positive stays so.
fn cost_us(input: &str, test: &str, seconds: f64) -> Result<u64, IngestError> {
    let (input, test, found) = (input.to_owned(), test.to_owned(), seconds.to_string());
    if !seconds.is_finite() {
        return Err(IngestError::NonFinite { input, what: format!("the cost of `{test}`"), found });
    }
    if seconds < 0.0 {
        return Err(IngestError::NegativeCost { input, test, found });
    }
    if seconds > MAX_COST_S {
        return Err(IngestError::HugeCost { input, test, found });
    }
    if seconds == 0.0 {
        return Ok(0);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1e15")]
    let rounded = (seconds * 1e6).round() as u64;
    Ok(rounded.max(1))
}

/// A range of lines as written, checked: 1-based, in order, at most [`MAX_LINE`].
fn line_range(input: &str, path: &str, first: i128, last: i128) -> Result<LineRange, IngestError> {
    let (input, path) = (|| input.to_owned(), || path.to_owned());
    let found = first.min(last);
    if found < 1 {
        return Err(IngestError::LineNotPositive { input: input(), path: path(), found });
    }
    if first > last {
        return Err(IngestError::LineReversed { input: input(), path: path(), first, last });
    }
    match (u32::try_from(first), u32::try_from(last)) {
        (Ok(first), Ok(last)) if last <= MAX_LINE => Ok(LineRange { first, last }),
        _ => Err(IngestError::LineTooLarge { input: input(), path: path(), found: last, limit: MAX_LINE }),
    }
}

/// Text that must be UTF-8.
fn utf8<'a>(input: &str, bytes: &'a [u8]) -> Result<&'a str, IngestError> {
    std::str::from_utf8(bytes)
        .map_err(|error| IngestError::Encoding { input: input.to_owned(), offset_bytes: error.valid_up_to() })
}

/// The 1-based line that the byte at `offset` stands in.
fn line_at(bytes: &[u8], offset: usize) -> usize {
    bytes[..offset.min(bytes.len())].iter().filter(|&&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests;
