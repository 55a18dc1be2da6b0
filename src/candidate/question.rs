//! What a change asks of a model: posting lists, each once, and what each of them says of which region.
//!
//! A block speaks of the region that it is, of the symbol that it is a part of, and of the way of its tests through a
//! changed function: it is read once for all three.

use std::collections::BTreeMap;

use super::CandidateError;
use super::views::{Views, runs_within};
use crate::change::{Change, Source};
use crate::id::{FeatureId, FileId, TestId};
use crate::model::{Index, ModelError, PostingList, Reader};
use crate::optimize::{InstanceError, MAX_REGIONS};
use crate::relevance::Relevance;

/// Where a region of an instance comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The region of the change at this position.
    Changed(usize),
    /// What no region of the model knows.
    Unmapped,
    /// What tests that were never recorded may run.
    Unrecorded,
}

/// How the tests of a region are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// By a declared level, or for certain.
    Declared,
    /// They share what a fault fails, by how much of the region each ran.
    Shared,
    /// They share what a fault fails, and nothing recorded tells them apart.
    Alone,
}

/// A region of the instance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) weight: f64,
    pub(super) origin: Origin,
    pub(super) standing: Standing,
    /// How many of its lines were recorded, 1 where lines say nothing.
    pub(super) lines: f64,
}

/// Which list. In the order in which most regions stand in a change, so that what is gathered by lists is mostly sorted by
/// regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Defines(FileId),
    Block(FileId, u32),
    Touching(FileId),
    Feature(FeatureId),
    /// Tests that no list of the model names, by their position among such.
    Given(usize),
}

/// A part of a region: the region, and how many of its lines.
pub(super) type Part = (u32, f64);

/// What a list speaks of.
pub(super) struct List {
    /// Whether its bytes are levels.
    pub(super) has_levels: bool,
    /// The regions that it is a part of, ascending.
    pub(super) parts: Vec<Part>,
    /// How many of its lines are within the changed functions.
    pub(super) way: f64,
}

/// The lists and regions of a change.
pub(super) struct Question<'a> {
    /// The tests of each list, and what the list speaks of.
    pub(super) readers: Vec<Reader<'a>>,
    pub(super) lists: Vec<List>,
    pub(super) regions: Vec<Asked>,
    /// How many postings the lists have together.
    pub(super) postings: usize,
}

/// The most postings that are gathered: thirty times what the hub of a suite of a million tests has, and a few bytes of a
/// crafted model may claim as many for each line.
const POSTINGS_MOST: usize = 1 << 26;

/// How many postings of the changed functions are looked at. Beyond that the functions are so long, or run by so many, that
/// looking costs more than it tells: no candidate has a trace.
const WAY_POSTINGS_MOST: u64 = 1 << 22;

/// How many tests speak for what no region knows: the ones with the most words in common. A frequent word alone makes
/// no candidate of half of a large suite.
const UNMAPPED_MOST: usize = 1 << 14;

/// How many tests are looked at for those that were not recorded: the ones with the most words in common.
const UNRECORDED_MOST: usize = 1024;

/// What is asked so far.
#[derive(Default)]
struct Asking {
    parts: BTreeMap<Place, Vec<Part>>,
    given: Vec<Vec<TestId>>,
    regions: Vec<Asked>,
}

impl Asking {
    /// Adds a list to the region that is closed next.
    fn add(&mut self, place: Place, lines: f64) {
        let region = u32::try_from(self.regions.len()).unwrap_or(u32::MAX);
        let parts = self.parts.entry(place).or_default();
        match parts.last_mut() {
            Some(part) if part.0 == region => part.1 += lines,
            _ => parts.push((region, lines)),
        }
    }

    fn give(&mut self, tests: Vec<TestId>) {
        self.add(Place::Given(self.given.len()), 1.0);
        self.given.push(tests);
    }

    fn close(&mut self, weight: f64, origin: Origin, standing: Standing, lines: f64) {
        self.regions.push(Asked { weight, origin, standing, lines });
    }
}

impl<'a> Question<'a> {
    /// Asks for the regions of `change`. Those of the instance are: those of the change; then, where there is one, the part
    /// that no region knows, and what tests that were never recorded may run, on which words and names alone are the signal.
    pub(super) fn of<D: AsRef<[u8]>>(
        views: &mut Views<'a, D>,
        change: &Change,
        relevance: &Relevance,
    ) -> Result<Self, CandidateError> {
        let mut asking = regions_of(views, change)?;
        let unmapped = change.unmapped_weight();
        if unmapped > 0.0 {
            asking.give(relevance.nearest(views.index, UNMAPPED_MOST)?);
            asking.close(unmapped, Origin::Unmapped, Standing::Alone, 1.0);
        }
        let unrecorded = (1.0 - unmapped) * share_unrecorded(views.index);
        if !change.is_empty() && unrecorded > 0.0 {
            asking.give(unrecorded_tests(views.index, relevance)?);
            asking.close(unrecorded, Origin::Unrecorded, Standing::Alone, 1.0);
        }
        let ways = ways(views, change)?;
        ways.keys().for_each(|&(file, block)| _ = asking.parts.entry(Place::Block(file, block)).or_default());
        let mut question = Self { readers: Vec::new(), lists: Vec::new(), regions: asking.regions, postings: 0 };
        for (place, parts) in asking.parts {
            let way = match place {
                Place::Block(file, block) => ways.get(&(file, block)).copied().unwrap_or_default(),
                _ => 0.0,
            };
            let list = open(views, place)?;
            question.postings += match place {
                Place::Given(at) => asking.given[at].len(),
                _ => list.count() as usize,
            };
            question.readers.push(reader(place, list, &mut asking.given)?);
            question.lists.push(List { has_levels: matches!(place, Place::Feature(_)), parts, way });
        }
        if question.postings > POSTINGS_MOST {
            return Err(CandidateError::TooManySignals { limit: POSTINGS_MOST });
        }
        let found = question.lists.len().max(question.regions.len());
        match found > MAX_REGIONS {
            true => Err(InstanceError::TooManyRegions { found }.into()),
            false => Ok(question),
        }
    }

    /// Asks for the tests of the regions of `change`, and nothing else.
    pub(super) fn tests_of<D: AsRef<[u8]>>(
        views: &mut Views<'a, D>,
        change: &Change,
    ) -> Result<Vec<Reader<'a>>, ModelError> {
        let mut asking = regions_of(views, change)?;
        let places = asking.parts.into_keys();
        places.map(|place| reader(place, open(views, place)?, &mut asking.given)).collect()
    }
}

fn reader<'a>(place: Place, list: PostingList<'a>, given: &mut [Vec<TestId>]) -> Result<Reader<'a>, ModelError> {
    Ok(match place {
        Place::Given(at) => Reader::Given(std::mem::take(&mut given[at]), 0),
        Place::Feature(_) => Reader::Weighted(list.pages()?),
        _ => Reader::Plain(list.pages()?),
    })
}

fn regions_of<D: AsRef<[u8]>>(views: &mut Views<'_, D>, change: &Change) -> Result<Asking, ModelError> {
    let mut asking = Asking::default();
    for (at, region) in change.regions.iter().enumerate() {
        let (standing, lines) = match &region.source {
            Source::Tests(tests) => {
                asking.give(tests.clone());
                (Standing::Declared, 1.0)
            }
            Source::Feature(feature) => {
                asking.add(Place::Feature(*feature), 1.0);
                (Standing::Declared, 1.0)
            }
            Source::Block(file, block) => {
                asking.add(Place::Block(*file, *block), 1.0);
                (Standing::Shared, 1.0)
            }
            Source::Symbol(file, lines) => {
                let mut recorded = 0.0;
                for run in runs_within(views.file(*file)?, *lines) {
                    let within = f64::from(run.last.saturating_sub(run.first)) + 1.0;
                    recorded += within;
                    asking.add(Place::Block(*file, run.block), within);
                }
                (Standing::Shared, recorded)
            }
            // Module scope runs once for all tests, and those that a file defines are not told apart.
            Source::File(file) => {
                asking.add(Place::Touching(*file), 1.0);
                (Standing::Alone, 1.0)
            }
            Source::Defines(file) => {
                asking.add(Place::Defines(*file), 1.0);
                (Standing::Alone, 1.0)
            }
        };
        asking.close(region.weight, Origin::Changed(at), standing, lines);
    }
    Ok(asking)
}

fn open<'a, D: AsRef<[u8]>>(views: &mut Views<'a, D>, place: Place) -> Result<PostingList<'a>, ModelError> {
    match place {
        Place::Defines(file) => views.file(file)?.defines(),
        Place::Block(file, block) => views.file(file)?.block(block),
        Place::Touching(file) => views.file(file)?.touching(),
        Place::Feature(feature) => Ok(views.index.feature(feature)?.list),
        Place::Given(_) => Ok(PostingList::NONE),
    }
}

/// The blocks within the changed functions, with how many lines of each; none where their tests are too many.
fn ways<D: AsRef<[u8]>>(views: &mut Views<'_, D>, change: &Change) -> Result<BTreeMap<(FileId, u32), f64>, ModelError> {
    let mut lines: BTreeMap<(FileId, u32), f64> = BTreeMap::new();
    for symbol in change.symbols.iter().filter(|symbol| symbol.is_function) {
        for run in runs_within(views.file(symbol.file)?, symbol.lines) {
            *lines.entry((symbol.file, run.block)).or_default() += f64::from(run.last.saturating_sub(run.first)) + 1.0;
        }
    }
    let mut postings = 0;
    for &(file, block) in lines.keys() {
        postings += u64::from(views.file(file)?.block(block)?.count());
    }
    Ok(if postings > WAY_POSTINGS_MOST { BTreeMap::new() } else { lines })
}

/// Of a suite that was recorded in part, the part that was not: as likely as that, no recording tells what fails.
fn share_unrecorded<D: AsRef<[u8]>>(index: &Index<D>) -> f64 {
    let root = index.root();
    match root.tests_recorded {
        0 => 0.0,
        recorded => f64::from(root.tests.saturating_sub(recorded)) / f64::from(root.tests),
    }
}

/// The tests with the most words in common with the change that were not recorded.
fn unrecorded_tests<D: AsRef<[u8]>>(index: &Index<D>, relevance: &Relevance) -> Result<Vec<TestId>, ModelError> {
    let mut tests = Vec::new();
    for test in relevance.nearest(index, UNRECORDED_MOST)? {
        if !index.test_record(test)?.recorded {
            tests.push(test);
        }
    }
    Ok(tests)
}
