//! Opening a model and asking it questions. Open is O(1) in the size of the file; what a question touches is checked
//! when it is touched.

use bytemuck::{Pod, Zeroable};
use rkyv::rancor::Failure;

use super::anchors::Anchors;
use super::bytes::checksum;
use super::chunk::{self, ChunkReader, Chunks};
use super::error::ModelError;
use super::facts::{self, TestRecord};
use super::failures::{self, RawFailure};
use super::file::FileView;
use super::layout::{Kind, Preamble, VERSION};
use super::names::{Blocks, NameTable, RawRef};
use super::postings::{ListAt, PostingList, RawListRef};
use super::probe;
use super::record::Unpacked;
use super::root::{ArchivedRoot, Root};
use super::sessions;
use super::vocabulary::Vocabulary;
use crate::history::History;
use crate::id::{FeatureId, FileId, TestId};
use crate::observation::Session;
use crate::words::Word;

/// Archives are read in place, so the file must start where their widest field may.
const BASE_ALIGNMENT: usize = 16;

/// Files that an ambiguous path is reported with, at most.
const MATCHES_MOST: usize = 4;
/// A path of the model that is the shorter of two that match has at most this many bytes. Longer than any path that a
/// file system takes, and it keeps a hostile path of nothing but slashes from hashing each of its tails.
const LONGEST_SHORTER_BYTES: usize = 4096;

/// Length of a [`RawFeature`] in bytes.
pub(crate) const FEATURE_BYTES: usize = size_of::<RawFeature>();
/// Where the checksum of a [`RawFeature`] stands, over all before it.
const FEATURE_CHECKSUM_AT: usize = FEATURE_BYTES - 4;
/// Flag of a [`RawFeature`]: some input declared its weight.
const WEIGHT_DECLARED: u32 = 1;

/// What stands for no family among those of several tests.
const NO_FAMILY: u32 = u32::MAX;

/// A declared feature as it lies in the features section.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct RawFeature {
    list: RawListRef,
    weight: [u8; 8],
    flags: [u8; 4],
    checksum: [u8; 4],
}

impl RawFeature {
    /// The entry at `position`; without a declared weight, the weight is 1.
    pub(crate) fn new(list: RawListRef, weight: Option<f64>, position: usize) -> Self {
        let flags = if weight.is_some() { WEIGHT_DECLARED } else { 0 };
        let weight = weight.unwrap_or(1.0).to_bits().to_le_bytes();
        let mut raw = Self { list, weight, flags: flags.to_le_bytes(), checksum: [0; 4] };
        raw.checksum = raw.expected_checksum(position as u64).to_le_bytes();
        raw
    }

    fn expected_checksum(&self, position: u64) -> u32 {
        checksum(&bytemuck::bytes_of(self)[..FEATURE_CHECKSUM_AT], position)
    }
}

/// A declared feature: its weight in a change that touches it, and its tests with their
/// [`Level`](crate::optimize::Level) bytes.
#[derive(Clone, Copy, Debug)]
pub struct Feature<'a> {
    /// The declared weight, 1 where none was declared; finite, not negative.
    pub weight: f64,
    /// Whether an input declared the weight.
    pub weight_declared: bool,
    /// The tests with a signal on it.
    pub list: PostingList<'a>,
}

/// What a path found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// The model knows no such file.
    None,
    /// This file, by its whole path.
    Exact(FileId),
    /// This file, because one of the two paths ends with the other.
    Suffix(FileId),
    /// Several files end with the path; a few of them.
    Ambiguous(Vec<FileId>),
}

/// Reads [`Index::word_count`] of many tests: a chunk is checked once for neighbours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LengthReader<'a>(ChunkReader<'a>);

impl LengthReader<'_> {
    /// How many words a test has, with their repeats.
    ///
    /// # Errors
    /// If its chunk is damaged, or there is no such test.
    #[inline]
    pub(crate) fn get(&mut self, test: TestId) -> Result<u32, ModelError> {
        let count = self.0.get(test.0)?;
        count.ok_or_else(|| ModelError::damaged(Kind::WordCounts.name(), "there is no such test"))
    }
}

/// A model over bytes: a memory map, or a buffer that starts at a multiple of sixteen.
#[derive(Debug)]
pub struct Index<D> {
    data: D,
    preamble: Preamble,
    root: Root,
}

impl<D: AsRef<[u8]>> Index<D> {
    /// Checks header, section table and root. O(1) in the size of the file.
    ///
    /// # Errors
    /// Any [`ModelError`]: what is not a whole model of this version is refused here, damage further in when touched.
    pub fn open(data: D) -> Result<Self, ModelError> {
        let file = data.as_ref();
        if !file.as_ptr().addr().is_multiple_of(BASE_ALIGNMENT) {
            return Err(ModelError::Misaligned);
        }
        let preamble = Preamble::read(file)?;
        let root = rkyv::access::<ArchivedRoot, Failure>(preamble.root.of(file))
            .and_then(rkyv::deserialize::<Root, Failure>)
            .map_err(|_| ModelError::damaged("root", "it is not a valid archive"))?;
        let index = Self { data, preamble, root };
        index.check_shape()?;
        Ok(index)
    }

    /// The root's counts are those of the sections. O(1); after it no count is a mere claim, so that what a list or a
    /// table may grow to is bounded by the size of the file.
    fn check_shape(&self) -> Result<(), ModelError> {
        if let Some(problem) = self.root.calibration.problem() {
            return Err(ModelError::damaged("root", problem));
        }
        self.costs()?;
        self.suffixes()?;
        self.test_names()?;
        self.paths()?;
        self.feature_names()?;
        self.family_names()?;
        self.commits()?;
        Blocks::new(Kind::Facts.name(), self.section(Kind::Facts), self.root.tests)?;
        self.files_table()?;
        self.features_table()?;
        self.vocabulary()?;
        self.word_counts()?;
        self.families()?;
        self.failures_table()?;
        self.anchor_parts()?;
        sessions::check_length(self.section(Kind::Sessions))
    }

    fn families(&self) -> Result<Chunks<'_>, ModelError> {
        Chunks::new(Kind::FamilyOf.name(), self.section(Kind::FamilyOf), self.root.tests)
    }

    /// How many words each test has, to be asked about in ascending order.
    ///
    /// # Errors
    /// If the section has another length than the root says.
    pub(crate) fn word_lengths(&self) -> Result<LengthReader<'_>, ModelError> {
        Ok(LengthReader(self.word_counts()?.reader()))
    }

    pub(crate) fn word_counts(&self) -> Result<Chunks<'_>, ModelError> {
        Chunks::new(Kind::WordCounts.name(), self.section(Kind::WordCounts), self.root.tests)
    }

    /// A section of entries of one size, as many as the root says.
    fn table<T: Pod>(&self, kind: Kind, count: u32) -> Result<&[T], ModelError> {
        let table: &[T] = bytemuck::try_cast_slice(self.section(kind))
            .map_err(|_| ModelError::damaged(kind.name(), "its length is not whole entries"))?;
        if table.len() != count as usize {
            return Err(ModelError::damaged(kind.name(), "it holds another number of entries than the root says"));
        }
        Ok(table)
    }

    pub(crate) fn files_table(&self) -> Result<&[RawRef], ModelError> {
        self.table(Kind::Files, self.root.files)
    }

    fn features_table(&self) -> Result<&[RawFeature], ModelError> {
        self.table(Kind::Features, self.root.features)
    }

    fn failures_table(&self) -> Result<&[RawFailure], ModelError> {
        self.table(Kind::Failures, self.root.tests_failed)
    }

    /// The line anchors of each file; `None` where no file has any.
    pub(crate) fn anchor_parts(&self) -> Result<Option<Blocks<'_>>, ModelError> {
        match self.section(Kind::Anchors) {
            [] => Ok(None),
            bytes => Blocks::of_parts(Kind::Anchors.name(), bytes, self.root.files as usize).map(Some),
        }
    }

    fn costs(&self) -> Result<Chunks<'_>, ModelError> {
        Chunks::new(Kind::Costs.name(), self.section(Kind::Costs), self.root.tests)
    }

    pub(crate) fn suffixes(&self) -> Result<Chunks<'_>, ModelError> {
        Chunks::new(Kind::Suffixes.name(), self.section(Kind::Suffixes), self.root.files)
    }

    /// The same model with its bytes held another way. The bytes themselves must not move or change.
    pub(crate) fn map_data<E: AsRef<[u8]>>(self, map: impl FnOnce(D) -> E) -> Index<E> {
        Index { data: map(self.data), preamble: self.preamble, root: self.root }
    }

    /// The root.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The preamble.
    pub fn preamble(&self) -> &Preamble {
        &self.preamble
    }

    /// The format version of the file.
    pub fn version(&self) -> u32 {
        VERSION
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        self.data.as_ref()
    }

    pub(crate) fn section(&self, kind: Kind) -> &[u8] {
        self.preamble.extent(kind).of(self.bytes())
    }

    fn names(&self, kind: Kind, count: u32) -> Result<NameTable<'_>, ModelError> {
        NameTable::new(kind.name(), self.section(kind), count)
    }

    pub(crate) fn test_names(&self) -> Result<NameTable<'_>, ModelError> {
        self.names(Kind::TestNames, self.root.tests)
    }

    pub(crate) fn paths(&self) -> Result<NameTable<'_>, ModelError> {
        self.names(Kind::Paths, self.root.files)
    }

    pub(crate) fn feature_names(&self) -> Result<NameTable<'_>, ModelError> {
        self.names(Kind::FeatureNames, self.root.features)
    }

    pub(crate) fn family_names(&self) -> Result<NameTable<'_>, ModelError> {
        self.names(Kind::FamilyNames, self.root.families)
    }

    pub(crate) fn commits(&self) -> Result<NameTable<'_>, ModelError> {
        self.names(Kind::Commits, self.root.commits)
    }

    /// The id of a test, exactly as its runner names it.
    ///
    /// # Errors
    /// If the name's block is damaged.
    pub fn test_name(&self, test: TestId) -> Result<String, ModelError> {
        self.test_names()?.get(test.0)
    }

    /// The test with this id. O(log tests).
    ///
    /// # Errors
    /// If a block on the way is damaged.
    pub fn find_test(&self, name: &str) -> Result<Option<TestId>, ModelError> {
        Ok(self.test_names()?.find(name.as_bytes())?.map(TestId))
    }

    /// The cost of a test in microseconds.
    ///
    /// # Errors
    /// If its chunk is damaged, or there is no such test.
    pub fn cost_us(&self, test: TestId) -> Result<u64, ModelError> {
        let cost = self.costs()?.get(test.0)?.ok_or_else(|| ModelError::damaged("costs", "there is no such test"))?;
        Ok(chunk::decode_cost(cost))
    }

    /// Flags, family and runs of a test.
    ///
    /// # Errors
    /// If its block or its cost is damaged, or there is no such test.
    pub fn test_record(&self, test: TestId) -> Result<TestRecord, ModelError> {
        let damaged = |problem| ModelError::damaged(Kind::Facts.name(), problem);
        if test.0 >= self.root.tests {
            return Err(damaged("there is no such test"));
        }
        let record = facts::read(self.section(Kind::Facts), self.root.tests, test.0, self.cost_us(test)?)?;
        if record.family.is_some_and(|family| family >= self.root.families) {
            return Err(damaged("a test names a family that is not there"));
        }
        if record.runs.iter().filter_map(|run| run.commit).any(|commit| commit >= self.root.commits) {
            return Err(damaged("a run names a commit that is not there"));
        }
        Ok(record)
    }

    /// The tests that failed in one of their runs, ascending, with what is known of their failures. O(such tests).
    ///
    /// # Errors
    /// If an entry is damaged.
    pub fn failures(&self) -> Result<Vec<(TestId, History)>, ModelError> {
        failures::read(self.failures_table()?, self.root.tests)
    }

    /// A commit that runs name, by its position.
    ///
    /// # Errors
    /// If the name's block is damaged, or there is no such commit.
    pub fn commit(&self, commit: u32) -> Result<String, ModelError> {
        self.commits()?.get(commit)
    }

    /// The name of a declared family.
    ///
    /// # Errors
    /// If the name's block is damaged.
    pub fn family_name(&self, family: u32) -> Result<String, ModelError> {
        self.family_names()?.get(family)
    }

    /// The path of a file.
    ///
    /// # Errors
    /// If the path's block is damaged.
    pub fn path(&self, file: FileId) -> Result<String, ModelError> {
        self.paths()?.get(file.0)
    }

    /// The file with exactly this path: one probe.
    ///
    /// # Errors
    /// If the bucket, or a path with the same fingerprint, is damaged.
    pub fn find_file(&self, path: &str) -> Result<Option<FileId>, ModelError> {
        for file in probe::candidates(self.section(Kind::Probe), path.as_bytes())? {
            if self.path(file)? == path {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// The file with this path, or the only one where one of the two paths ends with the other at a `/`. A known path
    /// that is the shorter one is found up to 4096 bytes.
    ///
    /// # Errors
    /// If a part on the way is damaged.
    pub fn match_path(&self, path: &str) -> Result<PathMatch, ModelError> {
        if let Some(file) = self.find_file(path)? {
            return Ok(PathMatch::Exact(file));
        }
        let mut found = self.files_ending_with(path, MATCHES_MOST)?;
        // The model's path may be the shorter one: recorded in a folder of what the diff calls its root.
        let mut rest = path;
        while let Some((_, shorter)) = rest.split_once('/') {
            rest = shorter;
            if rest.len() <= LONGEST_SHORTER_BYTES && found.len() < MATCHES_MOST {
                found.extend(self.find_file(rest)?);
            }
        }
        Ok(match found.as_slice() {
            [] => PathMatch::None,
            [file] => PathMatch::Suffix(*file),
            _ => PathMatch::Ambiguous(found),
        })
    }

    /// Up to `most` files of this name, in any folder.
    ///
    /// # Errors
    /// If a part on the way is damaged.
    pub fn files_named(&self, name: &str, most: usize) -> Result<Vec<FileId>, ModelError> {
        let mut found = self.files_ending_with(name, most)?;
        found.extend(self.find_file(name)?);
        found.truncate(most);
        Ok(found)
    }

    /// Up to `most` files whose path ends with `/path`, by binary search over the reversed paths.
    fn files_ending_with(&self, path: &str, most: usize) -> Result<Vec<FileId>, ModelError> {
        let suffixes = self.suffixes()?;
        let at = |position: u32| -> Result<(FileId, String), ModelError> {
            let file = FileId(suffixes.get(position)?.unwrap_or(u32::MAX));
            Ok((file, self.path(file)?))
        };
        let wanted = format!("/{path}");
        let (mut low, mut high) = (0, self.root.files);
        while low < high {
            let middle = low + (high - low) / 2;
            if at(middle)?.1.bytes().rev().lt(wanted.bytes().rev()) { low = middle + 1 } else { high = middle }
        }
        let mut found = Vec::new();
        while low < self.root.files && found.len() < most {
            let (file, known) = at(low)?;
            if !known.ends_with(&wanted) {
                break;
            }
            found.push(file);
            low += 1;
        }
        Ok(found)
    }

    /// What the model knows of a file: its whole record is unpacked, O(its size).
    ///
    /// # Errors
    /// If its record is damaged, or there is no such file.
    pub fn file(&self, file: FileId) -> Result<FileView<'_>, ModelError> {
        let damaged = |problem| ModelError::damaged(Kind::Records.name(), problem);
        let entry = self
            .files_table()?
            .get(file.0 as usize)
            .ok_or_else(|| ModelError::damaged(Kind::Files.name(), "there is no such file"))?;
        let bytes = entry.of(Kind::Records.name(), self.section(Kind::Records), file.0 as usize)?;
        if !bytes.as_ptr().addr().is_multiple_of(BASE_ALIGNMENT) {
            return Err(damaged("a record is not aligned"));
        }
        let record = Unpacked::read(bytes, file.0).map_err(damaged)?;
        Ok(FileView::new(record, self.section(Kind::Postings), self.root.tests))
    }

    /// Whether the lines of any file are known by their anchors.
    pub fn has_anchors(&self) -> bool {
        !self.section(Kind::Anchors).is_empty()
    }

    /// The anchors of the lines of a file, none where its content was not known when the model was built. O(its lines), for
    /// they are checked as a whole.
    ///
    /// # Errors
    /// If they are damaged, or there is no such file.
    pub fn anchors(&self, file: FileId) -> Result<Anchors<'_>, ModelError> {
        let Some(parts) = self.anchor_parts()? else { return Ok(Anchors::default()) };
        let part = parts.part(file.0 as usize)?;
        Anchors::read(part)
            .ok_or_else(|| ModelError::damaged(Kind::Anchors.name(), "the anchors of a file are not whole"))
    }

    /// The features named `name`, or below it (`name.` and more): the first `most` of them by name.
    ///
    /// # Errors
    /// If a block on the way is damaged.
    pub fn features_within(&self, name: &str, most: usize) -> Result<Vec<(FeatureId, String)>, ModelError> {
        let names = self.feature_names()?;
        let mut found = Vec::new();
        if let Some(at) = names.find(name.as_bytes())? {
            found.push((FeatureId(at), name.to_owned()));
        }
        let below = format!("{name}.");
        names.scan(names.lower_bound(below.as_bytes())?, |at, feature| {
            let within = feature.starts_with(below.as_bytes()) && found.len() < most;
            if within {
                found.push((FeatureId(at), String::from_utf8_lossy(feature).into_owned()));
            }
            Ok(within)
        })?;
        Ok(found)
    }

    /// Weight and tests of a declared feature.
    ///
    /// # Errors
    /// If its entry or its list is damaged, or there is no such feature.
    pub fn feature(&self, feature: FeatureId) -> Result<Feature<'_>, ModelError> {
        let damaged = |problem| ModelError::damaged(Kind::Features.name(), problem);
        let raw = self.features_table()?.get(feature.0 as usize).ok_or_else(|| damaged("there is no such feature"))?;
        if raw.expected_checksum(feature.0.into()) != u32::from_le_bytes(raw.checksum) {
            return Err(damaged("the checksum of an entry does not match"));
        }
        let weight = f64::from_bits(u64::from_le_bytes(raw.weight));
        if !weight.is_finite() || weight < 0.0 {
            return Err(damaged("a weight is negative or not finite"));
        }
        let weight_declared = u32::from_le_bytes(raw.flags) & WEIGHT_DECLARED != 0;
        Ok(Feature {
            weight,
            weight_declared,
            list: PostingList::read(raw.list.at()?, self.section(Kind::Postings), self.root.tests)?,
        })
    }

    /// The tests that have a word, with how often as [`crate::model::quantize_count`]: one bucket.
    ///
    /// # Errors
    /// If the word's bucket or its list is damaged.
    pub fn word(&self, word: Word) -> Result<Option<PostingList<'_>>, ModelError> {
        let list = self.vocabulary()?.find(word)?;
        list.map(|list| self.word_list(list)).transpose()
    }

    pub(crate) fn vocabulary(&self) -> Result<Vocabulary<'_>, ModelError> {
        Vocabulary::new(self.section(Kind::Vocabulary), self.root.words)
    }

    fn word_list<'a>(&'a self, list: ListAt<'a>) -> Result<PostingList<'a>, ModelError> {
        PostingList::read(list, self.section(Kind::WordPostings), self.root.tests)
    }

    /// Calls `visit` with every word and its tests. O(words).
    ///
    /// # Errors
    /// If a bucket or a list is damaged, or what `visit` says.
    pub fn each_word<'a>(
        &'a self,
        mut visit: impl FnMut(Word, PostingList<'a>) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        self.vocabulary()?.each(|word, list| visit(word, self.word_list(list)?))
    }

    /// The number of a test's family, declared or the group of its parametrization; `None` where it has no other member.
    ///
    /// # Errors
    /// If its chunk is damaged, or there is no such test.
    pub fn family(&self, test: TestId) -> Result<Option<u32>, ModelError> {
        let stored = self.families()?.get(test.0)?;
        let stored = stored.ok_or_else(|| ModelError::damaged(Kind::FamilyOf.name(), "there is no such test"))?;
        chunk::decode_family(test.0, stored)
    }

    /// The family of each of `tests` as [`Index::family`], `u32::MAX` where it has no other member; nothing where none of them
    /// has. A chunk is checked once for tests that ascend.
    ///
    /// # Errors
    /// As [`Index::family`].
    pub fn families_of(&self, tests: &[TestId]) -> Result<Vec<u32>, ModelError> {
        let mut families = Vec::with_capacity(tests.len());
        let mut has_any = false;
        self.families()?.each(tests.iter().map(|test| test.0), |test, stored| {
            has_any |= stored > 0;
            families.push(if stored == 0 {
                NO_FAMILY
            } else {
                chunk::decode_family(test, stored)?.unwrap_or(NO_FAMILY)
            });
            Ok(())
        })?;
        Ok(if has_any { families } else { Vec::new() })
    }

    /// The cost of each of `tests` in microseconds. A chunk is checked once for tests that ascend.
    ///
    /// # Errors
    /// As [`Index::cost_us`].
    pub fn costs_us(&self, tests: &[TestId]) -> Result<Vec<u64>, ModelError> {
        let mut costs_us = Vec::with_capacity(tests.len());
        self.costs()?.each(tests.iter().map(|test| test.0), |_, cost| {
            costs_us.push(chunk::decode_cost(cost));
            Ok(())
        })?;
        Ok(costs_us)
    }

    /// The sessions of the runner, ascending; sixteen at most.
    ///
    /// # Errors
    /// If an entry is damaged.
    pub fn sessions(&self) -> Result<Vec<Session>, ModelError> {
        sessions::read(self.section(Kind::Sessions))
    }

    /// How many words a test has, with their repeats.
    ///
    /// # Errors
    /// If its chunk is damaged, or there is no such test.
    pub fn word_count(&self, test: TestId) -> Result<u32, ModelError> {
        self.word_lengths()?.get(test)
    }
}
