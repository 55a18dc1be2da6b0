//! From observations to the bytes of a model. Deterministic: the same observations, in whatever order they came, give
//! the same bytes.

mod blocks;
mod lists;
mod restore;
mod unapply;
mod update;
mod vocabulary;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use rkyv::rancor::Failure;
use rkyv::util::AlignedVec;

use self::lists::Lists;
use crate::id::{TestId, path_in_test_id};
use crate::model::layout::{Kind, assemble};
use crate::model::names::{REF_BYTES, RawRef};
use crate::model::pace::Paces;
use crate::model::record::link_outer;
use crate::model::root::Root;
use crate::model::{
    FileRecord, NO_FAMILY, Posting, RawFeature, RunFact, Stamp, SymbolRecord, TestRecord, chunk, facts, failures,
    names, probe, quantize_count, sessions,
};
use crate::observation::{FileFacts, FileKey, LineSet, Observations, TestFacts, TestKey};
use crate::optimize::Level;
use crate::signal::Calibration;

pub use restore::restore;
pub use unapply::{Edited, unapply};
pub use update::{Tally, compare, update};

/// Alignment of an archive in the records section.
const RECORD_ALIGNMENT: usize = 16;

/// Lays out a model.
///
/// `base` is the commit that the observations describe; `stamp` gives size and content hash of a file of the tree by
/// its path, where it is there.
///
/// # Panics
/// With 2^30 tests, 2^32 files, features or commits, a file whose record is 4 GiB (hundreds of millions of line runs), or
/// sixteen neighbouring names of 4 GiB together.
pub fn build(seen: &Observations, base: Option<&str>, stamp: impl Fn(&str) -> Option<Stamp>) -> AlignedVec<64> {
    let order = Order::new(seen);
    let mut lists = Lists::default();
    let stated = seen.constants().iter().map(|(&name, &value)| (name, value));
    let (calibration, constants_stated) = Calibration::of(stated);
    let mut root = Root { base: base.map(str::to_owned), calibration, constants_stated, ..Root::default() };
    let (files, records) = file_records(seen, &order, &mut lists, &mut root, stamp);
    let features = feature_entries(seen, &order, &mut lists, &mut root);
    let costs = costs(seen, &order, &mut root);
    let families: Vec<&str> =
        seen.tests().iter().filter_map(|test| test.family.as_deref()).collect::<BTreeSet<_>>().into_iter().collect();
    let commits = commits(seen);
    root.commits = count(commits.len());
    let facts = test_records(seen, &order, &families, &commits, &mut root);
    let failures = failures(&facts, &mut root);
    root.tests = count(order.tests.len());
    root.files = count(order.paths.len());
    root.features = count(seen.features().len());
    root.families = count(families.len());
    let vocabulary = vocabulary::lay_out(seen, &order, &mut root);
    let features_named: Vec<&String> = seen.features().iter().collect();
    let archive = rkyv::to_bytes::<Failure>(&root).expect("a root in memory can be archived");
    let test_names: Vec<&str> = order.tests.iter().map(|&test| seen.test_name(test)).collect();
    let sections = [
        (Kind::TestNames, names::encode(&test_names)),
        (Kind::Costs, costs),
        (Kind::Facts, facts::encode(&facts)),
        (Kind::Paths, names::encode(&order.paths)),
        (Kind::Probe, probe::encode(&order.paths)),
        (Kind::Suffixes, suffixes(&order.paths)),
        (Kind::Files, files),
        (Kind::Records, records),
        (Kind::Postings, lists.into_section()),
        (Kind::FeatureNames, names::encode(&features_named)),
        (Kind::Features, features),
        (Kind::FamilyNames, names::encode(&families)),
        (Kind::Commits, names::encode(&commits)),
        (Kind::Vocabulary, vocabulary.buckets),
        (Kind::WordPostings, vocabulary.postings),
        (Kind::WordCounts, vocabulary.counts),
        (Kind::FamilyOf, family_of(seen, &order)),
        (Kind::Sessions, sessions::encode(seen.sessions())),
        (Kind::Failures, failures),
    ];
    assemble(&archive, &sections)
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("fewer than 2^32 of a kind")
}

/// The order of tests and files in the model: by name, whatever the order in which they were seen.
struct Order<'a> {
    /// Tests by position.
    tests: Vec<TestKey>,
    /// Position of each test key.
    test_ids: Vec<TestId>,
    /// Paths by position: files that were seen, and files that test ids name.
    paths: Vec<&'a str>,
    /// The file that defines each test, by key: as an input says, else as its id says.
    defined_in: Vec<Option<&'a str>>,
}

impl<'a> Order<'a> {
    fn new(seen: &'a Observations) -> Self {
        let mut tests: Vec<TestKey> = (0..count(seen.tests().len())).map(TestKey).collect();
        tests.sort_unstable_by_key(|&test| seen.test_name(test));
        let mut test_ids = vec![TestId(0); tests.len()];
        for (position, test) in tests.iter().enumerate() {
            test_ids[test.0 as usize] = TestId(count(position));
        }
        let declared = |test: &TestFacts| test.file.map(|file| seen.file_path(file));
        let defined_in: Vec<Option<&str>> = seen
            .tests()
            .iter()
            .zip(seen.test_names())
            .map(|(test, name)| declared(test).or_else(|| path_in_test_id(name)))
            .collect();
        let mut paths: BTreeSet<&str> = seen.file_paths().iter().map(String::as_str).collect();
        paths.extend(defined_in.iter().flatten());
        // Where an input declares another file, too: then what is known of a test only ever adds a path, in any order.
        paths.extend(seen.test_names().iter().filter_map(|name| path_in_test_id(name)));
        Self { tests, test_ids, paths: paths.into_iter().collect(), defined_in }
    }

    fn id(&self, test: TestKey) -> TestId {
        self.test_ids[test.0 as usize]
    }
}

/// The `files` table and the `file records` section.
fn file_records(
    seen: &Observations,
    order: &Order<'_>,
    lists: &mut Lists,
    root: &mut Root,
    stamp: impl Fn(&str) -> Option<Stamp>,
) -> (Vec<u8>, Vec<u8>) {
    let keys: HashMap<&str, FileKey> = seen.file_paths().iter().map(String::as_str).zip((0..).map(FileKey)).collect();
    let mut defines: HashMap<&str, Vec<TestId>> = HashMap::new();
    for &test in &order.tests {
        if let Some(path) = order.defined_in[test.0 as usize] {
            defines.entry(path).or_default().push(order.id(test));
        }
    }
    let mut table = Vec::with_capacity(order.paths.len() * REF_BYTES);
    let mut records: Vec<u8> = Vec::new();
    let unseen = FileFacts::default();
    for (position, &path) in order.paths.iter().enumerate() {
        let facts = keys.get(path).map_or(&unseen, |key| &seen.files()[key.0 as usize]);
        let mut record = file_record(facts, order, lists, root);
        record.file = count(position);
        record.stamp = stamp(path);
        record.defines = lists.place_tests(defines.get(path).map_or(&[], Vec::as_slice)).to_bytes();
        let archive = rkyv::to_bytes::<Failure>(&record).expect("a record in memory can be archived");
        records.resize(records.len().next_multiple_of(RECORD_ALIGNMENT), 0);
        table.extend_from_slice(bytemuck::bytes_of(&RawRef::new(records.len(), &archive, position)));
        records.extend_from_slice(&archive);
    }
    (table, records)
}

fn file_record(facts: &FileFacts, order: &Order<'_>, lists: &mut Lists, root: &mut Root) -> FileRecord {
    let mut covered: Vec<(TestId, &LineSet)> = facts
        .covered
        .iter()
        .filter(|(_, lines)| !lines.is_empty())
        .map(|(&test, lines)| (order.id(test), lines))
        .collect();
    covered.sort_unstable_by_key(|&(test, _)| test);
    let blocks = blocks::group(&covered);
    let touching: Vec<Posting> =
        covered.iter().map(|&(test, lines)| Posting { test, signal: quantize_count(lines.len()) }).collect();
    root.blocks += blocks.tests.len() as u64;
    root.postings += blocks.tests.iter().map(|tests| tests.len() as u64).sum::<u64>();
    root.file_postings += touching.len() as u64;
    root.symbols += facts.symbols.len() as u64;
    let mut symbols: Vec<SymbolRecord> = facts
        .symbols
        .iter()
        .map(|symbol| SymbolRecord {
            first: symbol.lines.first,
            last: symbol.lines.last,
            kind: symbol.kind as u8,
            outer: 0,
            name: symbol.name.clone(),
        })
        .collect();
    // Of symbols with one span and name the kind decides: the sort is stable and the set is sorted by it.
    symbols.sort_by(|a, b| (a.first, Reverse(a.last), &a.name).cmp(&(b.first, Reverse(b.last), &b.name)));
    link_outer(&mut symbols);
    FileRecord {
        runs: blocks.runs,
        blocks: blocks.tests.iter().map(|tests| lists.place_tests(tests).to_bytes()).collect(),
        imported: facts.imported.ranges().iter().map(|range| [range.first, range.last]).collect(),
        touching: lists.place(&touching).to_bytes(),
        symbols,
        ..FileRecord::default()
    }
}

fn feature_entries(seen: &Observations, order: &Order<'_>, lists: &mut Lists, root: &mut Root) -> Vec<u8> {
    let mut postings: BTreeMap<&str, Vec<Posting>> =
        seen.features().iter().map(|name| (name.as_str(), Vec::new())).collect();
    for &test in &order.tests {
        let mut declared = false;
        for (feature, &signal) in &seen.tests()[test.0 as usize].signals {
            let posting = Posting { test: order.id(test), signal: Level::from_signal(signal).0 };
            // A signal below the scale is none, and its test counts as it would after a restore.
            if let Some(list) = postings.get_mut(feature.as_str())
                && posting.signal > 0
            {
                declared = true;
                list.push(posting);
            }
        }
        root.tests_declared += u32::from(declared);
    }
    let mut table = Vec::new();
    for (position, (name, list)) in postings.iter().enumerate() {
        root.postings += list.len() as u64;
        let weight = seen.weights().get(*name).copied();
        table.extend_from_slice(bytemuck::bytes_of(&RawFeature::new(lists.place(list), weight, position)));
    }
    table
}

/// The cost that a test's runs tell: the upper median of those that state one, in microseconds.
fn cost_of(test: &TestFacts) -> Option<u64> {
    let mut costs: Vec<u64> = test.runs.iter().filter_map(|run| run.cost_us).collect();
    costs.sort_unstable();
    costs.get(costs.len() / 2).copied()
}

fn costs(seen: &Observations, order: &Order<'_>, root: &mut Root) -> Vec<u8> {
    let costs: Vec<Option<u64>> = order.tests.iter().map(|test| cost_of(&seen.tests()[test.0 as usize])).collect();
    let mut known: Vec<u64> = costs.iter().copied().flatten().collect();
    known.sort_unstable();
    root.tests_with_cost = count(known.len());
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
    chunk::encode(&stored)
}

/// The commits that runs name, sorted.
fn commits(seen: &Observations) -> Vec<&str> {
    let stated = seen.tests().iter().flat_map(|test| &test.runs).map(|run| run.commit.as_str());
    stated.filter(|commit| !commit.is_empty()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn test_records(
    seen: &Observations,
    order: &Order<'_>,
    families: &[&str],
    commits: &[&str],
    root: &mut Root,
) -> Vec<TestRecord> {
    let position = |sorted: &[&str], name: &str| sorted.binary_search(&name).ok().map(count);
    let record = |&test: &TestKey| {
        let facts = &seen.tests()[test.0 as usize];
        root.tests_recorded += u32::from(facts.recorded);
        root.tests_with_text += u32::from(!facts.words.is_empty());
        root.runs += facts.runs.len() as u64;
        let runs = facts.runs.iter().map(|run| RunFact {
            time_us: run.time_us,
            commit: position(commits, &run.commit),
            outcome: run.outcome,
            cost_us: run.cost_us,
        });
        TestRecord {
            recorded: facts.recorded,
            has_text: !facts.words.is_empty(),
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
fn family_of(seen: &Observations, order: &Order<'_>) -> Vec<u8> {
    let key = |&test: &TestKey| {
        let declared = seen.tests()[test.0 as usize].family.as_deref().map(|family| (true, family));
        declared.or_else(|| seen.test_name(test).split_once('[').map(|(name, _)| (false, name)))
    };
    let mut members: HashMap<(bool, &str), u32> = HashMap::new();
    for key in order.tests.iter().filter_map(key) {
        *members.entry(key).or_default() += 1;
    }
    let mut numbers: HashMap<(bool, &str), u32> = HashMap::new();
    let number = |test: &TestKey| match key(test).filter(|key| members[key] > 1) {
        Some(key) => {
            let next = count(numbers.len());
            *numbers.entry(key).or_insert(next)
        }
        None => NO_FAMILY,
    };
    let families: Vec<u32> = order.tests.iter().map(number).collect();
    chunk::encode(&families)
}
