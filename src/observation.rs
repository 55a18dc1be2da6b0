//! What was observed about tests and files, before it is laid out as a model.
//!
//! Every input kind of [`crate::ingest`] ends here, and [`crate::build`] starts here. Each field joins as a semilattice
//! (lines by union, declared signals by maximum, runs and sessions as the greatest distinct few), so that the same observations in
//! any order, from any number of inputs, make the same model.

use crate::signal::Calibration;
use crate::words::{self, Word};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many runs of a test are kept: the greatest by time, then commit, outcome and cost.
pub const RUNS_KEPT: usize = 8;

/// How many sessions are kept: the greatest, those measured from outside before all others.
pub const SESSIONS_KEPT: usize = 16;

/// An inclusive range of 1-based line numbers, `first <= last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineRange {
    /// The first line, at least 1.
    pub first: u32,
    /// The last line, inclusive.
    pub last: u32,
}

impl LineRange {
    /// The range that holds one line.
    pub fn single(line: u32) -> Self {
        Self { first: line, last: line }
    }
}

/// A set of lines as sorted, disjoint, non-adjacent ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineSet {
    ranges: Vec<LineRange>,
}

impl LineSet {
    /// The ranges, sorted, disjoint and non-adjacent.
    pub fn ranges(&self) -> &[LineRange] {
        &self.ranges
    }

    /// Whether no line is in the set.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The number of lines in the set.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|r| u64::from(r.last - r.first) + 1).sum()
    }

    /// Whether `line` is in the set. O(log ranges).
    pub fn contains(&self, line: u32) -> bool {
        let after = self.ranges.partition_point(|r| r.first <= line);
        after > 0 && self.ranges[after - 1].last >= line
    }

    /// Adds a range. Appending in ascending order is O(1); anything else is O(ranges).
    pub fn insert(&mut self, range: LineRange) {
        debug_assert!(range.first >= 1 && range.first <= range.last);
        match self.ranges.last_mut() {
            Some(last) if range.first > last.last.saturating_add(1) => self.ranges.push(range),
            Some(last) if range.first >= last.first => last.last = last.last.max(range.last),
            None => self.ranges.push(range),
            Some(_) => {
                let from = self.ranges.partition_point(|r| r.last.saturating_add(1) < range.first);
                let to = self.ranges.partition_point(|r| r.first <= range.last.saturating_add(1));
                let mut joined = range;
                if from < to {
                    joined.first = joined.first.min(self.ranges[from].first);
                    joined.last = joined.last.max(self.ranges[to - 1].last);
                }
                self.ranges.splice(from..to, [joined]);
            }
        }
    }

    /// Adds every line of `other`. O(ranges of both), and O(ranges of `other`) where they lie after this set's.
    pub fn union(&mut self, other: &LineSet) {
        let Some(&first) = other.ranges.first() else { return };
        if self.ranges.last().is_none_or(|last| last.first <= first.first) {
            other.ranges.iter().for_each(|&range| self.insert(range));
            return;
        }
        let mine = std::mem::take(&mut self.ranges);
        self.ranges.reserve(mine.len() + other.ranges.len());
        let (mut left, mut right) = (mine.iter().peekable(), other.ranges.iter().peekable());
        while let Some(next) = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if a.first <= b.first => left.next(),
            (_, Some(_)) => right.next(),
            (_, None) => left.next(),
        } {
            self.insert(*next);
        }
    }
}

impl FromIterator<LineRange> for LineSet {
    /// Ranges in any order, overlapping or not. O(n) when they ascend, else O(n log n).
    fn from_iter<I: IntoIterator<Item = LineRange>>(ranges: I) -> Self {
        let mut ranges: Vec<LineRange> = ranges.into_iter().collect();
        if !ranges.is_sorted() {
            ranges.sort_unstable();
        }
        let mut set = Self::default();
        ranges.into_iter().for_each(|range| set.insert(range));
        set
    }
}

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// What was observed about one test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestFacts {
    /// The file that defines the test, where an input says so (its id may say so too).
    pub file: Option<FileKey>,
    /// The family (parametrization group) that an input declares.
    pub family: Option<String>,
    /// Its runs; at most [`RUNS_KEPT`], the greatest.
    pub runs: BTreeSet<Run>,
    /// Declared signals by feature name: A in (0, 1], as [`crate::optimize::Level`] bytes would round it.
    pub signals: BTreeMap<String, f64>,
    /// Whether the test's coverage was recorded, even if it covered nothing.
    pub recorded: bool,
    /// How often each word occurs in its text and names; of several texts the greatest counts stay. Empty where no input
    /// states a text: its names have words all the same, which the build adds.
    pub words: BTreeMap<Word, u32>,
}

/// What was observed about one file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileFacts {
    /// The lines each test ran.
    pub covered: HashMap<TestKey, LineSet>,
    /// The lines that ran outside any test: at import, at collection.
    pub imported: LineSet,
    /// Its symbols.
    pub symbols: BTreeSet<Symbol>,
}

/// Everything the inputs said.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    test_keys: HashMap<String, TestKey>,
    file_keys: HashMap<String, FileKey>,
    test_names: Vec<String>,
    file_paths: Vec<String>,
    tests: Vec<TestFacts>,
    files: Vec<FileFacts>,
    features: BTreeSet<String>,
    weights: BTreeMap<String, f64>,
    sessions: BTreeSet<Session>,
    constants: BTreeMap<&'static str, f64>,
}

impl Observations {
    /// The key of the test with this id, new or known.
    ///
    /// # Panics
    /// With more than 2^32 - 1 tests.
    pub fn test(&mut self, id: &str) -> TestKey {
        if let Some(&key) = self.test_keys.get(id) {
            return key;
        }
        let key = TestKey(u32::try_from(self.tests.len()).expect("fewer than 2^32 tests"));
        self.test_keys.insert(id.to_owned(), key);
        self.test_names.push(id.to_owned());
        self.tests.push(TestFacts::default());
        key
    }

    /// The key of the test with this id, if it is known.
    pub fn known_test(&self, id: &str) -> Option<TestKey> {
        self.test_keys.get(id).copied()
    }

    /// The key of the file with this repository-relative path with forward slashes, new or known.
    ///
    /// # Panics
    /// With more than 2^32 - 1 files.
    pub fn file(&mut self, path: &str) -> FileKey {
        if let Some(&key) = self.file_keys.get(path) {
            return key;
        }
        let key = FileKey(u32::try_from(self.files.len()).expect("fewer than 2^32 files"));
        self.file_keys.insert(path.to_owned(), key);
        self.file_paths.push(path.to_owned());
        self.files.push(FileFacts::default());
        key
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
    pub fn test_names(&self) -> &[String] {
        &self.test_names
    }

    /// All file paths, by key.
    pub fn file_paths(&self) -> &[String] {
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
        self.tests[test.0 as usize].recorded = true;
        self.files[file.0 as usize].covered.entry(test).or_default().union(lines);
    }

    /// Adds lines that a test ran, without a copy where they are the first of this test in this file.
    pub fn cover_with(&mut self, test: TestKey, file: FileKey, lines: LineSet) {
        self.tests[test.0 as usize].recorded = true;
        match self.files[file.0 as usize].covered.entry(test) {
            Entry::Vacant(entry) => {
                entry.insert(lines);
            }
            Entry::Occupied(mut entry) => entry.get_mut().union(&lines),
        }
    }

    /// Adds a test's source, or the words of it; of several texts the greatest count of each word stays.
    pub fn text(&mut self, test: TestKey, text: &str) {
        let words = words::test_words(self.test_name(test), None, Some(text));
        self.words(test, words);
    }

    /// Adds counts of words; the greatest count of each word stays.
    pub fn words(&mut self, test: TestKey, counts: impl IntoIterator<Item = (Word, u32)>) {
        let known = &mut self.tests[test.0 as usize].words;
        for (word, count) in counts {
            let most = known.entry(word).or_insert(count);
            *most = count.max(*most);
        }
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
        runs.insert(run);
        if runs.len() > RUNS_KEPT {
            runs.pop_first();
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

    /// Declares a feature that tests may have a signal on.
    pub fn feature(&mut self, name: &str) {
        if !self.features.contains(name) {
            self.features.insert(name.to_owned());
        }
    }

    /// Declares a test's signal A in [0, 1] on a feature; the greatest stays.
    pub fn signal(&mut self, test: TestKey, feature: &str, signal: f64) {
        self.feature(feature);
        if signal > 0.0 {
            let known = self.tests[test.0 as usize].signals.entry(feature.to_owned()).or_insert(signal);
            *known = known.max(signal);
        }
    }

    /// Declares the weight of a feature in any change that touches it; the greatest stays. One that is negative or not
    /// finite is none.
    pub fn weight(&mut self, feature: &str, weight: f64) {
        self.feature(feature);
        if !weight.is_finite() || weight < 0.0 {
            return;
        }
        let weight = weight + 0.0; // -0.0 becomes 0.0, so that the greatest of the two has one bit pattern
        let known = self.weights.entry(feature.to_owned()).or_insert(weight);
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

    /// Takes these constants in place of those that are known.
    pub fn replace_constants(&mut self, constants: &BTreeMap<&'static str, f64>) {
        self.constants.extend(constants);
    }

    /// The stated constants, sorted by name.
    pub fn constants(&self) -> &BTreeMap<&'static str, f64> {
        &self.constants
    }

    /// The declared features, sorted.
    pub fn features(&self) -> &BTreeSet<String> {
        &self.features
    }

    /// The declared feature weights, sorted by name.
    pub fn weights(&self) -> &BTreeMap<String, f64> {
        &self.weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_in_any_order() {
        let want = [LineRange { first: 1, last: 4 }, LineRange { first: 6, last: 9 }];
        let parts = [(1, 2), (3, 4), (6, 7), (8, 9), (7, 8)].map(|(first, last)| LineRange { first, last });
        for rotation in 0..parts.len() {
            let mut parts = parts;
            parts.rotate_left(rotation);
            let set: LineSet = parts.into_iter().collect();
            assert_eq!(set.ranges(), want, "rotated by {rotation}");
            assert_eq!(set.len(), 8);
            assert!(set.contains(4) && !set.contains(5) && set.contains(9) && !set.contains(10));
        }
    }

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
