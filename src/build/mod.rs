//! From observations, and models that join them, to the bytes of a model. Deterministic: the same observations, in whatever
//! order they came and however they were shared among models, give the same bytes.
//!
//! What there is of pairs of a test and a line, a word or a feature streams through: it comes sorted from the logs of the
//! observations, is laid out file by file and word by word, and goes to the output. Only tables of tests, files and words are
//! held.

mod blocks;
mod content;
mod files;
mod lists;
mod merge;
mod older;
mod unapply;
mod update;
mod vocabulary;

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Cursor, Seek, Write};

use rkyv::rancor::Failure;
use rkyv::util::AlignedVec;

use self::lists::{Encoded, Lists};
use self::older::{Older, Rule};
use crate::id::{FileId, TestId, path_in_test_id};
use crate::model::layout::{Kind, Writer};
use crate::model::pace::Paces;
use crate::model::root::Root;
use crate::model::{
    FileView, Index, ModelError, RawFeature, RunFact, TestRecord, chunk, facts, failures, names, probe, sessions,
};
use crate::observation::{FileKey, Log, Observations, TestFacts, TestKey, by_name};
use crate::signal::Calibration;

pub use content::{Content, Kept};
pub use merge::Merged;
pub use unapply::{Edited, old_side, unapply};
pub use update::{Tally, compare};

/// How much of a log is laid out at once, in bytes.
const BATCH_BYTES: usize = 8 << 20;

/// Why a model could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The output, or a file that holds what memory does not, could not be written or read back.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A model that is to be joined is damaged.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A model that was joined proves to be damaged when its blocks are read.
    #[error("{error}")]
    Joined {
        /// Which one, in the order in which they were joined.
        position: usize,
        /// What is wrong with it.
        error: ModelError,
    },
    /// A model holds another constant than one before it.
    #[error("its constant `{name}` is {found}, in a model before it {before}; build them with the same constants")]
    Constant {
        /// The constant, one of [`Calibration::NAMES`].
        name: &'static str,
        /// What it is in the model.
        found: f64,
        /// What it is in a model before it.
        before: f64,
    },
    /// Models were recorded with different contents of files.
    #[error(
        "what it knows of {} is not of the content that the models before it know{}; record them at one commit, or, where only hashes are missing, name it with --base REV",
        named(files, *more),
        if files.len() == 1 { "" } else { " of them" }
    )]
    Content {
        /// The first of the files, by path.
        files: Vec<String>,
        /// How many more there are.
        more: usize,
    },
    /// Two inputs say that different files define a test.
    #[error("`{test}` is defined in `{}` by one of the models, and in `{}` by another; build them again from the same tree", .files[0], .files[1])]
    FileConflict {
        /// The test.
        test: String,
        /// The files.
        files: [String; 2],
    },
}

/// Files as an error names them.
fn named(files: &[String], more: usize) -> String {
    let named: Vec<String> = files.iter().map(|file| format!("`{file}`")).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    named.join(", ") + &more
}

/// What is being laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// What models that join say of tests and files by themselves, and words.
    Models,
    /// Files, with the lines that tests ran.
    Files,
    /// Words, with the tests that have them.
    Words,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The tests of the model.
    pub tests: u32,
    /// The files that it knows.
    pub files: u32,
    /// The length of the model in bytes.
    pub bytes: u64,
}

/// What a model is built from.
pub struct Sources<'a, D> {
    seen: Observations,
    older: Vec<Older<'a, D>>,
}

impl<'a, D: AsRef<[u8]> + Sync> Sources<'a, D> {
    /// Observations alone.
    pub fn new(seen: Observations) -> Self {
        Self { seen, older: Vec::new() }
    }

    /// What is known so far of tests and files by themselves.
    pub fn observations(&self) -> &Observations {
        &self.seen
    }

    /// Joins a model: everything that it says and the observations say holds.
    ///
    /// # Errors
    /// If a part of the model is damaged, or it says that another file defines a test.
    pub fn join(&mut self, index: &'a Index<D>) -> Result<(), BuildError> {
        self.join_seeing(index, |_, _, _| Ok(()), &mut || ())
    }

    /// As [`Sources::join`]; `see_file` sees each file of the model, by its key among the observations, and `step` is called for
    /// each file, test and word.
    fn join_seeing(
        &mut self,
        index: &'a Index<D>,
        see_file: impl FnMut(FileKey, FileId, &FileView<'_>) -> Result<(), ModelError>,
        step: &mut dyn FnMut(),
    ) -> Result<(), BuildError> {
        self.older.push(Older::add(index, &mut self.seen, Rule::Join, see_file, step)?);
        Ok(())
    }

    /// Joins an older model: where it and the observations speak of the lines, signals or text of a test, of the symbols of a
    /// file, or of a constant, the observations alone hold.
    ///
    /// # Errors
    /// If a part of the model is damaged.
    pub fn update(&mut self, index: &'a Index<D>) -> Result<Tally, BuildError> {
        let news = self.seen.tests().iter().map(|facts| facts.recorded || facts.has_signals).collect::<Vec<bool>>();
        let older = Older::add(index, &mut self.seen, Rule::Update, |_, _, _| Ok(()), &mut || ())?;
        let (all, known) = (self.seen.tests().len(), older.tests().len());
        let replaced = older.tests().iter().filter(|test| news.get(test.0 as usize) == Some(&true)).count();
        self.older.push(older);
        Ok(Tally { kept: known - replaced, added: all - known, replaced, removed: 0 })
    }

    /// Lays out a model.
    ///
    /// `base` is the commit that the sources describe; `content` gives what is kept of a file of the tree by its path, where
    /// it is there; `told` hears how many of how many files or words are laid out, from time to time.
    ///
    /// # Errors
    /// If the output cannot be written, what was spilled cannot be read, or a model that joins is damaged.
    ///
    /// # Panics
    /// With 2^30 tests, 2^32 files, features or commits, a file whose record is 4 GiB (hundreds of millions of line runs),
    /// or sixteen neighbouring names of 4 GiB together.
    pub fn write<W: Write + Seek>(
        mut self,
        base: Option<&str>,
        content: impl Fn(&str) -> Option<Content>,
        mut told: impl FnMut(Phase, u64, u64),
        out: W,
    ) -> Result<Written, BuildError> {
        let order = Order::new(&mut self.seen);
        vocabulary::add_names(&mut self.seen, &order)?;
        let logs = self.seen.take_logs();
        let seen = &self.seen;
        let stated = seen.constants().iter().map(|(&name, &value)| (name, value));
        let (calibration, constants_stated) = Calibration::of(stated);
        let mut root = Root { base: base.map(str::to_owned), calibration, constants_stated, ..Root::default() };
        let mut out = Writer::begin(out, archive(&root).len())?;

        out.open(Kind::Postings)?;
        let mut lists = Lists::default();
        let files = files::lay_out(
            (seen, logs.lines, &self.older),
            &order,
            (&mut lists, &mut out),
            &mut root,
            (content, &mut told),
        )?;
        let features = feature_entries(seen, logs.signals, &order, (&mut lists, &mut out), &mut root)?;
        out.open(Kind::WordPostings)?;
        let vocabulary = vocabulary::lay_out(logs.words, &order, &mut root, &mut out, &mut told)?;

        let test_names: Vec<&str> = order.tests.iter().map(|&test| seen.test_name(test)).collect();
        let paths: Vec<&str> = order.files.iter().map(|&file| seen.file_path(file)).collect();
        let families: BTreeSet<&str> = seen.tests().iter().filter_map(|test| test.family.as_deref()).collect();
        let families: Vec<&str> = families.into_iter().collect();
        let commits = commits(seen);
        root.tests = count(test_names.len());
        root.files = count(paths.len());
        root.features = count(seen.features().len());
        root.families = count(families.len());
        root.commits = count(commits.len());
        out.section(Kind::TestNames, &names::encode(&test_names))?;
        drop(test_names);
        let costs = costs(seen, &order, &vocabulary.totals, &mut root);
        out.section(Kind::Costs, &chunk::encode(&costs))?;
        let facts = test_records(seen, &order, &families, &commits, &mut root);
        let failures = failures(&facts, &mut root);
        let facts: Vec<_> = facts.into_iter().zip(costs.into_iter().map(chunk::decode_cost)).collect();
        out.section(Kind::Facts, &facts::encode(&facts))?;
        drop(facts);
        out.section(Kind::Paths, &names::encode(&paths))?;
        out.section(Kind::Probe, &probe::encode(&paths))?;
        out.section(Kind::Suffixes, &suffixes(&paths))?;
        out.section(Kind::Files, &files.table)?;
        out.section(Kind::Records, &files.records)?;
        let features_named: Vec<&String> =
            by_name(seen.features()).iter().map(|&key| &seen.features()[key as usize]).collect();
        out.section(Kind::FeatureNames, &names::encode(&features_named))?;
        out.section(Kind::Features, &features)?;
        out.section(Kind::FamilyNames, &names::encode(&families))?;
        out.section(Kind::Commits, &names::encode(&commits))?;
        out.section(Kind::Vocabulary, &vocabulary.buckets)?;
        out.section(Kind::WordCounts, &vocabulary.counts)?;
        out.section(Kind::FamilyOf, &family_of(seen, &order))?;
        out.section(Kind::Sessions, &sessions::encode(seen.sessions()))?;
        out.section(Kind::Failures, &failures)?;
        out.section(Kind::Anchors, &files.anchors.into_section())?;
        let bytes = out.finish(&archive(&root))?;
        Ok(Written { tests: root.tests, files: root.files, bytes })
    }

    /// Lays out a model in memory, as [`Sources::write`].
    ///
    /// # Errors
    /// As [`Sources::write`].
    pub fn into_bytes(
        self,
        base: Option<&str>,
        content: impl Fn(&str) -> Option<Content>,
    ) -> Result<AlignedVec<64>, BuildError> {
        let mut file = Cursor::new(Vec::new());
        self.write(base, content, |_, _, _| (), &mut file)?;
        let mut aligned = AlignedVec::with_capacity(file.get_ref().len());
        aligned.extend_from_slice(file.get_ref());
        Ok(aligned)
    }
}

/// Lays out a model of observations alone, in memory.
///
/// # Panics
/// As [`Sources::write`], and if what was spilled cannot be read back.
pub fn build(seen: &Observations, base: Option<&str>, content: impl Fn(&str) -> Option<Content>) -> AlignedVec<64> {
    let sources: Sources<'_, &[u8]> = Sources::new(seen.clone());
    sources.into_bytes(base, content).expect("memory can be written, and what was spilled read")
}

fn archive(root: &Root) -> AlignedVec {
    rkyv::to_bytes::<Failure>(root).expect("a root in memory can be archived")
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("fewer than 2^32 of a kind")
}

/// The order of tests and files in the model: by name, whatever the order in which they were seen.
struct Order {
    /// Tests by position.
    tests: Vec<TestKey>,
    /// Position of each test, by key.
    test_ids: Vec<TestId>,
    /// Files by position: those that were seen, and those that test ids name.
    files: Vec<FileKey>,
    /// Position of each file, by key.
    file_ranks: Vec<u32>,
    /// The file that defines each test, by key: as an input says, else as its id says.
    defined_in: Vec<Option<FileKey>>,
}

impl Order {
    /// Makes the files known that test ids name, and puts everything in order.
    fn new(seen: &mut Observations) -> Self {
        let mut defined_in = Vec::with_capacity(seen.tests().len());
        for key in 0..seen.tests().len() {
            // Where an input declares another file, too: then what is known of a test only ever adds a path, in any order.
            let named = path_in_test_id(&seen.test_names()[key]).map(str::to_owned).map(|path| seen.file(&path));
            defined_in.push(seen.tests()[key].file.or(named));
        }
        let tests: Vec<TestKey> = by_name(seen.test_names()).into_iter().map(TestKey).collect();
        let mut test_ids = vec![TestId(0); tests.len()];
        for (position, test) in tests.iter().enumerate() {
            test_ids[test.0 as usize] = TestId(count(position));
        }
        let files: Vec<FileKey> = by_name(seen.file_paths()).into_iter().map(FileKey).collect();
        let mut file_ranks = vec![0; files.len()];
        for (rank, file) in (0..).zip(&files) {
            file_ranks[file.0 as usize] = rank;
        }
        Self { tests, test_ids, files, file_ranks, defined_in }
    }

    fn id(&self, test: TestKey) -> TestId {
        self.test_ids[test.0 as usize]
    }

    /// The path of the file that defines a test.
    fn defined_in<'a>(&self, seen: &'a Observations, test: TestKey) -> Option<&'a str> {
        self.defined_in[test.0 as usize].map(|file| seen.file_path(file))
    }

    /// The position of the file of each test that has one, with the test.
    fn defines(&self) -> Vec<(u32, TestId)> {
        let tests = self.defined_in.iter().zip(&self.test_ids);
        tests.filter_map(|(file, &test)| Some((self.file_ranks[(*file)?.0 as usize], test))).collect()
    }
}

/// The `features` section; the lists are in the section that is open.
fn feature_entries<W: Write + Seek>(
    seen: &Observations,
    signals: Log,
    order: &Order,
    (lists, out): (&mut Lists, &mut Writer<W>),
    root: &mut Root,
) -> Result<Vec<u8>, BuildError> {
    let features = by_name(seen.features());
    let ranks = crate::observation::ranks(seen.features());
    let mut merge = signals.sorted(|feature| ranks[feature as usize]);
    let mut declared = vec![false; order.tests.len()];
    let mut table = Vec::new();
    for (position, feature) in features.into_iter().enumerate() {
        let mut entries = Vec::new();
        if merge.peek() == Some(feature) {
            merge.append(&mut entries)?;
        }
        let postings = vocabulary::postings(&entries, |test| order.id(test));
        postings.iter().for_each(|posting| declared[posting.test.0 as usize] = true);
        root.postings += postings.len() as u64;
        let weight = seen.weight_of(&seen.features()[feature as usize]);
        let list = lists.place(&Encoded::new(&postings), out)?;
        table.extend_from_slice(bytemuck::bytes_of(&RawFeature::new(list, weight, position)));
    }
    root.tests_declared = count(declared.iter().filter(|&&declared| declared).count());
    Ok(table)
}

/// The cost that a test's runs tell: the upper median of those that state one, in microseconds.
fn cost_of(test: &TestFacts) -> Option<u64> {
    let mut costs: Vec<u64> = test.runs.iter().filter_map(|run| run.cost_us).collect();
    costs.sort_unstable();
    costs.get(costs.len() / 2).copied()
}

/// What a test is taken to cost that has [`GUESS_WORDS`] words, where no cost of any test is known: by judgement, between
/// the milliseconds of a unit test and the seconds of a test that starts something.
const GUESS_US: f64 = 20_000.0;
/// See [`GUESS_US`]; the median of six suites.
const GUESS_WORDS: f64 = 40.0;
/// How the cost of a test grows with its words: fitted to the logarithms of 7,069 tests of six suites, .03 to .81 a suite.
const GUESS_POWER: f64 = 0.4;

/// What a test of so many words may cost, in microseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
fn guess_us(words: u32) -> u64 {
    libm::round(GUESS_US * libm::pow(f64::from(words.max(1)) / GUESS_WORDS, GUESS_POWER)) as u64
}

/// The cost of each test as it is stored: its own, else the median of the others, and where none is known a guess from
/// how much it says.
fn costs(seen: &Observations, order: &Order, words: &[u32], root: &mut Root) -> Vec<u32> {
    let mut costs: Vec<Option<u64>> = order.tests.iter().map(|test| cost_of(&seen.tests()[test.0 as usize])).collect();
    root.tests_with_cost = count(costs.iter().flatten().count());
    if root.tests_with_cost == 0 {
        costs = words.iter().map(|&words| Some(guess_us(words))).collect();
    }
    let mut known: Vec<u64> = costs.iter().copied().flatten().collect();
    known.sort_unstable();
    root.median_cost_us = known.get(known.len() / 2).copied().unwrap_or(0);
    let stored: Vec<u32> = costs.iter().map(|cost| chunk::encode_cost(cost.unwrap_or(root.median_cost_us))).collect();
    root.total_cost_us = stored.iter().map(|&cost| chunk::decode_cost(cost)).fold(0, u64::saturating_add);
    let mut paces = Paces::default();
    for (test, &cost) in order.tests.iter().zip(&stored) {
        for run in &seen.tests()[test.0 as usize].runs {
            run.cost_us.into_iter().for_each(|took_us| paces.add(run.time_us, took_us, chunk::decode_cost(cost)));
        }
    }
    root.pace_spread_ppm = paces.spread_ppm(root.total_cost_us);
    stored
}

/// The commits that runs name, sorted.
fn commits(seen: &Observations) -> Vec<&str> {
    let stated = seen.tests().iter().flat_map(|test| &test.runs).map(|run| run.commit.as_str());
    stated.filter(|commit| !commit.is_empty()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn test_records(
    seen: &Observations,
    order: &Order,
    families: &[&str],
    commits: &[&str],
    root: &mut Root,
) -> Vec<TestRecord> {
    let position = |sorted: &[&str], name: &str| sorted.binary_search(&name).ok().map(count);
    let record = |&test: &TestKey| {
        let facts = &seen.tests()[test.0 as usize];
        root.tests_recorded += u32::from(facts.recorded);
        root.tests_with_text += u32::from(facts.has_text);
        root.runs += facts.runs.len() as u64;
        let runs = facts.runs.iter().map(|run| RunFact {
            time_us: run.time_us,
            commit: position(commits, &run.commit),
            outcome: run.outcome,
            cost_us: run.cost_us,
        });
        TestRecord {
            recorded: facts.recorded,
            has_text: facts.has_text,
            family: facts.family.as_deref().and_then(|family| position(families, family)),
            runs: runs.collect(),
        }
    };
    order.tests.iter().map(record).collect()
}

/// The tests that failed in one of their runs.
fn failures(records: &[TestRecord], root: &mut Root) -> Vec<u8> {
    let tests = (0..).map(TestId).zip(records);
    let failed: Vec<_> = tests.filter_map(|(test, record)| Some((test, record.history()?))).collect();
    root.tests_failed = count(failed.len());
    failures::encode(&failed)
}

/// File positions in the order of their reversed paths.
fn suffixes(paths: &[&str]) -> Vec<u8> {
    let mut files: Vec<u32> = (0..count(paths.len())).collect();
    files.sort_unstable_by(|&a, &b| paths[a as usize].bytes().rev().cmp(paths[b as usize].bytes().rev()));
    chunk::encode(&files)
}

/// The family of each test by position: those of a declared family, and otherwise those whose ids differ after the first
/// bracket alone. Numbered by their first members; a test without another member has none.
fn family_of(seen: &Observations, order: &Order) -> Vec<u8> {
    let key = |&test: &TestKey| {
        let declared = seen.tests()[test.0 as usize].family.as_deref().map(|family| (true, family));
        declared.or_else(|| seen.test_name(test).split_once('[').map(|(name, _)| (false, name)))
    };
    let mut members: HashMap<(bool, &str), u32> = HashMap::new();
    for key in order.tests.iter().filter_map(key) {
        *members.entry(key).or_default() += 1;
    }
    let mut numbers: HashMap<(bool, &str), u32> = HashMap::new();
    let number = |test: &TestKey| {
        let key = key(test).filter(|key| members[key] > 1)?;
        let next = count(numbers.len());
        Some(*numbers.entry(key).or_insert(next))
    };
    let families: Vec<Option<u32>> = order.tests.iter().map(number).collect();
    chunk::encode_families(&families)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Outcome, Run};

    #[test]
    fn where_no_cost_is_known_a_test_that_says_more_costs_more() {
        let mut seen = Observations::default();
        let [short, long] = ["t.py::short", "t.py::long"].map(|id| seen.test(id));
        seen.words(short, (0..10).map(|word| (crate::words::Word(word), 1)));
        seen.words(long, (0..400).map(|word| (crate::words::Word(word), 1)));
        let costs = |seen: &Observations| {
            let bytes = build(seen, None, |_| None);
            let index = Index::open(&bytes[..]).unwrap();
            let of = |id| index.cost_us(index.find_test(id).unwrap().unwrap()).unwrap();
            (of("t.py::short"), of("t.py::long"), index.root().tests_with_cost)
        };
        let (first, second, known) = costs(&seen);
        assert!(10_000 < first && first < second && second < 60_000 && known == 0, "{first} {second}");
        let run = Run { time_us: 1, commit: String::new(), outcome: Outcome::Passed, cost_us: Some(7_000) };
        seen.run(short, run);
        assert_eq!(costs(&seen), (7_000, 7_000, 1), "what runs tell is better than any guess");
    }
}
