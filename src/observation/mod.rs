//! What was observed about tests and files, before it is laid out as a model.
//!
//! Every input kind of [`crate::ingest`] ends here, and [`crate::build`] starts here. Each field joins as a semilattice
//! (lines by union, declared signals by maximum, runs and sessions as the greatest distinct few), so that the same observations in
//! any order, from any number of inputs, make the same model.

mod lines;
mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use indexmap::IndexSet;
use rayon::prelude::*;
use rkyv::{Archive, Deserialize, Serialize};

use crate::model::bytes::{Cursor, put_varint};
use crate::model::quantize_count;
use crate::optimize::Level;
use crate::signal::Calibration;
use crate::words::{self, Word};

use lines::LineRanges;
pub use lines::{LineRange, LineSet};
pub(crate) use log::Log;

/// How many runs of a test are kept: the greatest by time, then commit, outcome and cost.
pub const RUNS_KEPT: usize = 8;

/// How many sessions are kept: the greatest, those measured from outside before all others.
pub const SESSIONS_KEPT: usize = 16;

/// How a run of a test ended, the worse the greater. The order is that of the join of runs that agree in time and commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// Only a duration was reported.
    Unknown = 0,
    /// The test did not run.
    Skipped = 1,
    /// The test passed.
    Passed = 2,
    /// The test failed, was run again, and passed.
    Flaky = 3,
    /// The test failed, or errored in set-up or teardown.
    Failed = 4,
}

/// One run of one test, as a report states it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    /// When, in microseconds since the Unix epoch, as the report states it; 0 where it states nothing.
    pub time_us: u64,
    /// The commit that was tested, in hexadecimal; empty where the report states nothing.
    pub commit: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Wall-clock cost in microseconds, set-up, call and teardown; `None` where the report states none.
    pub cost_us: Option<u64>,
}

/// One execution of a runner: what it took beside the sum of its tests. The order of the fields is that of the join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session {
    /// Whether it was measured from outside, the start of the process included; a report's own time begins later.
    pub whole: bool,
    /// When, in microseconds since the Unix epoch, as stated; 0 where nothing is.
    pub time_us: u64,
    /// How many tests ran.
    pub tests: u32,
    /// How many files they are in; a test whose id names none is a file of its own.
    pub files: u32,
    /// Sum of what its tests cost in microseconds.
    pub cost_us: u64,
    /// Wall clock from its start to its end in microseconds.
    pub wall_us: u64,
}

impl Session {
    /// Whether its numbers can be those of a session: tests in files, no more files than tests, and a length.
    pub fn is_sound(&self) -> bool {
        self.wall_us > 0 && self.files > 0 && self.files <= self.tests
    }
}

/// What a symbol is.
#[derive(Archive, Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[repr(u8)]
pub enum SymbolKind {
    /// A function or method.
    Function = 0,
    /// A class, struct, trait, interface or the like.
    Class = 1,
    /// Anything else with a name and a span.
    Other = 2,
}

/// A named span of lines in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol {
    /// Where its definition stands.
    pub lines: LineRange,
    /// Qualified within its file with dots: `Class.method`.
    pub name: String,
    /// What it is.
    pub kind: SymbolKind,
}

/// Key of a test while a model is being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TestKey(pub u32);

/// Key of a file while a model is being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey(pub u32);

/// What was observed about one test, but for its lines, words and signals.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestFacts {
    /// The file that defines the test, where an input says so (its id may say so too).
    pub file: Option<FileKey>,
    /// The family (parametrization group) that an input declares.
    pub family: Option<String>,
    /// Its runs, ascending; at most [`RUNS_KEPT`], the greatest.
    pub runs: Vec<Run>,
    /// Whether the test's coverage was recorded, even if it covered nothing.
    pub recorded: bool,
    /// Whether an input states its text. Its names have words all the same, which the build adds.
    pub has_text: bool,
    /// Whether an input declares a signal of it.
    pub has_signals: bool,
}

/// What was observed about one file, but for the lines that tests ran.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileFacts {
    /// Whether any test ran a line of it.
    pub is_covered: bool,
    /// The lines that ran outside any test: at import, at collection.
    pub imported: LineSet,
    /// Its symbols.
    pub symbols: BTreeSet<Symbol>,
}

/// Everything the inputs said.
///
/// What is said of pairs (a test and a file, a word or a feature) is by far the most of it: it is kept in logs by file, word and feature, and where
/// a limit was set it is spilled to files beyond it. All else is in memory, some hundred bytes a test.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    test_names: IndexSet<String>,
    file_paths: IndexSet<String>,
    features: IndexSet<String>,
    tests: Vec<TestFacts>,
    files: Vec<FileFacts>,
    weights: BTreeMap<u32, f64>,
    sessions: BTreeSet<Session>,
    constants: BTreeMap<&'static str, f64>,
    /// By file: a test, the number of ranges, and the ranges, as varints.
    lines: Log,
    /// By word: a test as a varint, and a count as [`quantize_count`].
    words: Log,
    /// By feature: a test as a varint, and a [`Level`].
    signals: Log,
    limit: Option<Limit>,
}

/// How much may be held in memory, in bytes, and where the rest goes.
#[derive(Clone, Debug)]
struct Limit {
    bytes: usize,
    folder: PathBuf,
}

/// The logs of observations, for whoever lays out a model.
pub(crate) struct Logs {
    pub(crate) lines: Log,
    pub(crate) words: Log,
    pub(crate) signals: Log,
}

/// The key of a new or known name.
fn key_of(names: &mut IndexSet<String>, name: &str) -> u32 {
    let position = match names.get_index_of(name) {
        Some(position) => position,
        None => names.insert_full(name.to_owned()).0,
    };
    u32::try_from(position).expect("fewer than 2^32 names")
}

/// The position that each name has among all of them in their order.
pub(crate) fn ranks(names: &IndexSet<String>) -> Vec<u32> {
    let mut ranks = vec![0; names.len()];
    for (rank, key) in (0..).zip(by_name(names)) {
        ranks[key as usize] = rank;
    }
    ranks
}

/// The keys of names in the order of the names.
pub(crate) fn by_name(names: &IndexSet<String>) -> Vec<u32> {
    let mut keys: Vec<u32> = (0..).take(names.len()).collect();
    keys.par_sort_unstable_by_key(|&key| &names[key as usize]);
    keys
}

impl Observations {
    /// Nothing yet. Of what is said of pairs, about `bytes` are held in memory and the rest in unnamed files in `folder`,
    /// each time that [`Observations::settle`] is called.
    pub fn with_memory(bytes: usize, folder: &Path) -> Self {
        Self { limit: Some(Limit { bytes, folder: folder.to_owned() }), ..Self::default() }
    }

    /// Spills what is too much to hold, if a limit was set.
    ///
    /// # Errors
    /// If a file cannot be made or written.
    pub fn settle(&mut self) -> io::Result<()> {
        let Some(Limit { bytes, folder }) = &self.limit else { return Ok(()) };
        let waiting = |log: &Log| log.waiting_bytes();
        if waiting(&self.lines) + waiting(&self.words) + waiting(&self.signals) <= *bytes {
            return Ok(());
        }
        let ranks_of_files = ranks(&self.file_paths);
        self.lines.spill(folder, |file| ranks_of_files[file as usize])?;
        self.words.spill(folder, |word| word)?;
        let ranks_of_features = ranks(&self.features);
        self.signals.spill(folder, |feature| ranks_of_features[feature as usize])
    }

    /// The key of the test with this id, new or known.
    ///
    /// # Panics
    /// With more than 2^32 - 1 tests.
    pub fn test(&mut self, id: &str) -> TestKey {
        let key = key_of(&mut self.test_names, id);
        if key as usize == self.tests.len() {
            self.tests.push(TestFacts::default());
        }
        TestKey(key)
    }

    /// The key of the test with this id, if it is known.
    pub fn known_test(&self, id: &str) -> Option<TestKey> {
        self.test_names.get_index_of(id).and_then(|key| u32::try_from(key).ok()).map(TestKey)
    }

    /// The key of the file with this repository-relative path with forward slashes, new or known.
    ///
    /// # Panics
    /// With more than 2^32 - 1 files.
    pub fn file(&mut self, path: &str) -> FileKey {
        let key = key_of(&mut self.file_paths, path);
        if key as usize == self.files.len() {
            self.files.push(FileFacts::default());
        }
        FileKey(key)
    }

    /// The key of the file with this path, if it is known.
    pub fn known_file(&self, path: &str) -> Option<FileKey> {
        self.file_paths.get_index_of(path).and_then(|key| u32::try_from(key).ok()).map(FileKey)
    }

    /// The id of a test.
    pub fn test_name(&self, key: TestKey) -> &str {
        &self.test_names[key.0 as usize]
    }

    /// The path of a file.
    pub fn file_path(&self, key: FileKey) -> &str {
        &self.file_paths[key.0 as usize]
    }

    /// All test ids, by key.
    pub fn test_names(&self) -> &IndexSet<String> {
        &self.test_names
    }

    /// All file paths, by key.
    pub fn file_paths(&self) -> &IndexSet<String> {
        &self.file_paths
    }

    /// What was observed about each test, by key.
    pub fn tests(&self) -> &[TestFacts] {
        &self.tests
    }

    /// What was observed about each file, by key.
    pub fn files(&self) -> &[FileFacts] {
        &self.files
    }

    /// What was observed about a test, to add to.
    pub fn test_mut(&mut self, key: TestKey) -> &mut TestFacts {
        &mut self.tests[key.0 as usize]
    }

    /// What was observed about a file, to add to.
    pub fn file_mut(&mut self, key: FileKey) -> &mut FileFacts {
        &mut self.files[key.0 as usize]
    }

    /// Adds lines that a test ran.
    pub fn cover(&mut self, test: TestKey, file: FileKey, lines: &LineSet) {
        self.cover_encoded(test, file, &EncodedLines::new(lines));
    }

    /// As [`Observations::cover`], of lines that were encoded before.
    pub fn cover_encoded(&mut self, test: TestKey, file: FileKey, lines: &EncodedLines) {
        self.tests[test.0 as usize].recorded = true;
        if lines.0.is_empty() {
            return;
        }
        self.files[file.0 as usize].is_covered = true;
        self.lines.push_with(file.0, |entry| put_lines(entry, test, lines));
    }

    /// Adds a test's source, or the words of it; of several texts the greatest count of each word stays.
    pub fn text(&mut self, test: TestKey, text: &str) {
        let words = words::test_words(self.test_name(test), None, Some(text));
        self.words(test, words);
    }

    /// Adds counts of words that some text of a test states; the greatest count of each word stays.
    pub fn words(&mut self, test: TestKey, counts: impl IntoIterator<Item = (Word, u32)>) {
        for (word, count) in counts {
            self.tests[test.0 as usize].has_text = true;
            self.word(test, word, quantize_count(count.into()));
        }
    }

    /// Adds a word that a test has, so often as [`quantize_count`] gives, whatever says so.
    pub(crate) fn word(&mut self, test: TestKey, word: Word, count: u8) {
        self.words.push_with(word.0, |entry| put_byte(entry, test, count));
    }

    /// Declares the family of a test; of several names the greatest stays.
    pub fn family(&mut self, test: TestKey, family: &str) {
        let known = &mut self.tests[test.0 as usize].family;
        if known.as_deref().is_none_or(|known| known < family) {
            *known = Some(family.to_owned());
        }
    }

    /// Adds a run; only the greatest [`RUNS_KEPT`] stay.
    pub fn run(&mut self, test: TestKey, run: Run) {
        let runs = &mut self.tests[test.0 as usize].runs;
        let Err(at) = runs.binary_search(&run) else { return };
        if runs.is_empty() {
            runs.reserve_exact(1); // Of most tests one run is known, and there are many tests.
        }
        runs.insert(at, run);
        if runs.len() > RUNS_KEPT {
            runs.remove(0);
        }
    }

    /// Adds a session; only the greatest [`SESSIONS_KEPT`] stay.
    pub fn session(&mut self, session: Session) {
        debug_assert!(session.is_sound());
        self.sessions.insert(session);
        if self.sessions.len() > SESSIONS_KEPT {
            self.sessions.pop_first();
        }
    }

    /// The sessions, ascending; at most [`SESSIONS_KEPT`].
    pub fn sessions(&self) -> &BTreeSet<Session> {
        &self.sessions
    }

    /// Declares a feature that tests may have a signal on, and gives its key.
    pub fn feature(&mut self, name: &str) -> u32 {
        key_of(&mut self.features, name)
    }

    /// Declares a test's signal A in [0, 1] on a feature; the greatest stays. One below the scale of [`Level`] is none.
    pub fn signal(&mut self, test: TestKey, feature: &str, signal: f64) {
        let feature = self.feature(feature);
        self.signal_on(test, feature, signal);
    }

    /// As [`Observations::signal`], by the key of the feature.
    pub fn signal_on(&mut self, test: TestKey, feature: u32, signal: f64) {
        if signal > 0.0 {
            self.level(test, feature, Level::from_signal(signal));
        }
    }

    /// As [`Observations::signal`], by the key of the feature and the level of the signal.
    pub(crate) fn level(&mut self, test: TestKey, feature: u32, level: Level) {
        if level.0 > 0 {
            self.tests[test.0 as usize].has_signals = true;
            self.signals.push_with(feature, |entry| put_byte(entry, test, level.0));
        }
    }

    /// Declares the weight of a feature in any change that touches it; the greatest stays. One that is negative or not
    /// finite is none.
    pub fn weight(&mut self, feature: &str, weight: f64) {
        let feature = self.feature(feature);
        if !weight.is_finite() || weight < 0.0 {
            return;
        }
        let weight = weight + 0.0; // -0.0 becomes 0.0, so that the greatest of the two has one bit pattern
        let known = self.weights.entry(feature).or_insert(weight);
        *known = known.max(weight);
    }

    /// States a constant of the signal, one of [`Calibration::NAMES`]; of several values the greatest stays. One that
    /// no model may hold is none.
    pub fn constant(&mut self, name: &'static str, value: f64) {
        if Calibration::of([(name, value)]).0.problem().is_none() {
            let value = value + 0.0; // -0.0 becomes 0.0, so that the greatest of the two has one bit pattern
            let known = self.constants.entry(name).or_insert(value);
            *known = known.max(value);
        }
    }

    /// The stated constants, sorted by name.
    pub fn constants(&self) -> &BTreeMap<&'static str, f64> {
        &self.constants
    }

    /// The declared features, by key.
    pub fn features(&self) -> &IndexSet<String> {
        &self.features
    }

    /// The declared weight of a feature.
    pub fn weight_of(&self, feature: &str) -> Option<f64> {
        let key = u32::try_from(self.features.get_index_of(feature)?).ok()?;
        self.weights.get(&key).copied()
    }

    /// What each test ran of each file. O(all of it).
    ///
    /// # Errors
    /// If what was spilled cannot be read.
    pub fn all_lines(&self) -> io::Result<BTreeMap<(FileKey, TestKey), LineSet>> {
        let mut all: BTreeMap<(FileKey, TestKey), LineSet> = BTreeMap::new();
        for (file, bytes) in self.lines.clone().take(|_| true)? {
            each_lines(&bytes, |test, ranges| {
                all.entry((FileKey(file), test)).or_default().union(&ranges.collect());
            });
        }
        Ok(all)
    }

    /// The words that were stated of each test, with their counts as [`quantize_count`]. O(all of it).
    ///
    /// # Errors
    /// If what was spilled cannot be read.
    pub fn all_words(&self) -> io::Result<BTreeMap<(TestKey, Word), u8>> {
        Ok(all_bytes(&self.words)?.into_iter().map(|((test, word), count)| ((test, Word(word)), count)).collect())
    }

    /// The signals that were declared of each test, by the key of the feature. O(all of it).
    ///
    /// # Errors
    /// If what was spilled cannot be read.
    pub fn all_signals(&self) -> io::Result<BTreeMap<(TestKey, u32), Level>> {
        Ok(all_bytes(&self.signals)?.into_iter().map(|(pair, level)| (pair, Level(level))).collect())
    }

    /// Takes the lines of some files out, each with its file.
    pub(crate) fn take_lines(&mut self, of: &BTreeSet<FileKey>) -> io::Result<Vec<(FileKey, TestKey, LineSet)>> {
        for &file in of {
            self.files[file.0 as usize].is_covered = false;
        }
        let taken = self.lines.take(|key| of.contains(&FileKey(key)))?;
        let mut lines = Vec::new();
        for (key, bytes) in taken {
            each_lines(&bytes, |test, ranges| lines.push((FileKey(key), test, ranges.collect())));
        }
        Ok(lines)
    }

    /// Takes the logs out.
    pub(crate) fn take_logs(&mut self) -> Logs {
        Logs {
            lines: std::mem::take(&mut self.lines),
            words: std::mem::take(&mut self.words),
            signals: std::mem::take(&mut self.signals),
        }
    }
}

/// Lines as the log holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedLines(Vec<u8>);

impl EncodedLines {
    /// Encodes a set: the number of its ranges, and the ranges; nothing for an empty one.
    pub fn new(lines: &LineSet) -> Self {
        let mut bytes = Vec::new();
        if !lines.is_empty() {
            put_varint(&mut bytes, lines.ranges().len() as u64);
            lines.put(&mut bytes);
        }
        Self(bytes)
    }
}

fn put_byte(entry: &mut Vec<u8>, test: TestKey, byte: u8) {
    put_varint(entry, test.0.into());
    entry.push(byte);
}

/// The greatest byte of each test under each key.
fn all_bytes(log: &Log) -> io::Result<BTreeMap<(TestKey, u32), u8>> {
    let mut all: BTreeMap<(TestKey, u32), u8> = BTreeMap::new();
    for (key, bytes) in log.clone().take(|_| true)? {
        for (test, byte) in read_bytes(&bytes) {
            let most = all.entry((test, key)).or_default();
            *most = byte.max(*most);
        }
    }
    Ok(all)
}

/// Appends an entry of the log of lines.
pub(crate) fn put_lines(entry: &mut Vec<u8>, test: TestKey, lines: &EncodedLines) {
    put_varint(entry, test.0.into());
    entry.extend_from_slice(&lines.0);
}

/// Visits the entries of the log of lines: a test, and its ranges, ascending.
pub(crate) fn each_lines(bytes: &[u8], mut visit: impl FnMut(TestKey, &mut LineRanges<'_, '_>)) {
    let mut cursor = Cursor::new(bytes);
    while let Some(test) = cursor.varint_u32() {
        let left = cursor.varint_usize().unwrap_or(0);
        let mut ranges = LineRanges::new(&mut cursor, left);
        visit(TestKey(test), &mut ranges);
        ranges.for_each(drop);
    }
}

/// The entries of the logs of words and signals.
pub(crate) fn read_bytes(bytes: &[u8]) -> impl Iterator<Item = (TestKey, u8)> {
    let mut cursor = Cursor::new(bytes);
    std::iter::from_fn(move || Some((TestKey(cursor.varint_u32()?), cursor.byte()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_greatest_runs_stay() {
        let mut seen = Observations::default();
        let test = seen.test("t");
        for time_us in (0..20).rev() {
            seen.run(test, Run { time_us, commit: String::new(), outcome: Outcome::Passed, cost_us: Some(1) });
        }
        let times: Vec<u64> = seen.tests()[0].runs.iter().map(|run| run.time_us).collect();
        assert_eq!(times, (12..20).collect::<Vec<_>>());
    }

    #[test]
    fn measured_sessions_outlast_reported_ones() {
        let mut seen = Observations::default();
        let session = |whole, time_us| Session { whole, time_us, tests: 1, files: 1, cost_us: 0, wall_us: 1 };
        (0..10).for_each(|time_us| seen.session(session(true, time_us)));
        (100..120).for_each(|time_us| seen.session(session(false, time_us)));
        let kept: Vec<(bool, u64)> = seen.sessions().iter().map(|kept| (kept.whole, kept.time_us)).collect();
        let want = (114..120).map(|time_us| (false, time_us)).chain((0..10).map(|time_us| (true, time_us)));
        assert_eq!(kept, want.collect::<Vec<_>>());
    }
}
