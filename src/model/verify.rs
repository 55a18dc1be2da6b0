//! Checking all of a model: every byte against a checksum, every rule of the format.
//!
//! No byte is outside: the header, the section table and the root are checked at open; every section has a checksum
//! here; what lies between them is zero; and nothing follows the last.

use xxhash_rust::xxh3::xxh3_64;

use super::error::ModelError;
use super::facts::TestRecord;
use super::index::Index;
use super::layout::{HEADER_BYTES, Kind, SECTION_BYTES};
use super::names::{Blocks, NameTable};
use super::pace::Paces;
use super::postings::PostingList;
use super::record::dequantize_count;
use super::root::Root;
use crate::id::{FeatureId, FileId, TestId};

/// What `verify` found whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Bytes of the file.
    pub bytes: u64,
    /// Posting lists read to their end.
    pub lists: u64,
    /// Postings in them.
    pub postings: u64,
}

impl<D: AsRef<[u8]>> Index<D> {
    /// Checks everything: O(size of the file + postings). `progress` hears of parts done and parts in all, now and then.
    ///
    /// # Errors
    /// The first damage found.
    pub fn verify(&self, mut progress: impl FnMut(u64, u64)) -> Result<Verified, ModelError> {
        let root = self.root();
        let total = u64::from(root.files) + u64::from(root.tests) + u64::from(root.features);
        let mut done = 0;
        let mut step = || {
            done += 1;
            if done % 1024 == 0 {
                progress(done, total);
            }
        };
        let mut found = Verified { bytes: self.bytes().len() as u64, ..Verified::default() };
        let mut sums = Root { base: root.base.clone(), ..Root::default() };
        self.verify_sections()?;
        self.verify_parts()?;
        for table in [self.test_names()?, self.paths()?, self.feature_names()?, self.family_names()?, self.commits()?] {
            verify_names(table)?;
        }
        let mut failures = Vec::new();
        let mut paces = Paces::default();
        for test in (0..root.tests).map(TestId) {
            let (cost_us, record) = (self.cost_us(test)?, self.test_record(test)?);
            verify_test(&record, cost_us, &mut sums, &mut paces)?;
            failures.extend(record.history().map(|history| (test, history)));
            step();
        }
        if failures != self.failures()? {
            return Err(ModelError::damaged(Kind::Failures.name(), "it is not what the runs of the tests tell"));
        }
        sums.pace_spread_ppm = paces.spread_ppm(sums.total_cost_us);
        for file in (0..root.files).map(FileId) {
            self.verify_file(file, &mut found, &mut sums)?;
            step();
        }
        self.verify_suffixes()?;
        for feature in (0..root.features).map(FeatureId) {
            sums.postings += count(self.feature(feature)?.list, &mut found)?;
            step();
        }
        self.verify_words(&mut found, &mut sums)?;
        self.sessions()?;
        self.verify_sums(&sums)?;
        progress(total, total);
        Ok(found)
    }

    /// Section checksums, and zeros between the sections.
    fn verify_sections(&self) -> Result<(), ModelError> {
        let damaged = |problem| Err(ModelError::damaged("section table", problem));
        let preamble = self.preamble();
        let mut end = HEADER_BYTES + preamble.sections.len() * SECTION_BYTES;
        // Open has seen that each begins at or after the end of the one before.
        for extent in std::iter::once(preamble.root).chain(preamble.sections.iter().map(|section| section.extent)) {
            let between = self.bytes().get(end..extent.offset).unwrap_or(&[1]);
            if between.iter().any(|&byte| byte != 0) {
                return damaged("what lies between two sections is not zero");
            }
            end = extent.offset + extent.length;
        }
        if end != self.bytes().len() {
            return damaged("bytes follow the last section");
        }
        for section in &preamble.sections {
            if xxh3_64(section.extent.of(self.bytes())) != section.checksum {
                let known = Kind::ALL.iter().find(|&&kind| kind as u32 == section.kind);
                let name = known.map_or("of an unknown kind", |kind| kind.name());
                return Err(ModelError::damaged(name, "its checksum does not match"));
            }
        }
        Ok(())
    }

    /// The parts of each section follow each other, so that reading all of them is reading the section once.
    fn verify_parts(&self) -> Result<(), ModelError> {
        let root = self.root();
        let blocks = [
            (Kind::TestNames, root.tests),
            (Kind::Facts, root.tests),
            (Kind::Paths, root.files),
            (Kind::FeatureNames, root.features),
            (Kind::FamilyNames, root.families),
            (Kind::Commits, root.commits),
        ];
        let blocks = blocks.map(|(kind, count)| Blocks::new(kind.name(), self.section(kind), count));
        for parts in blocks.into_iter().chain(self.anchor_parts().transpose()) {
            let parts = parts?;
            if !parts.follow_each_other() {
                return Err(ModelError::damaged(parts.section, "its parts do not follow each other to its end"));
            }
        }
        let mut end = 0;
        for record in self.files_table()? {
            let (offset, length) = record.extent();
            if offset < end || offset - end >= 16 {
                return Err(ModelError::damaged(Kind::Files.name(), "the records do not follow each other"));
            }
            end = offset.saturating_add(length.into());
        }
        if !self.vocabulary()?.fills_its_section() {
            return Err(ModelError::damaged(Kind::Vocabulary.name(), "its buckets do not end with it"));
        }
        match end == self.section(Kind::Records).len() as u64 {
            true => Ok(()),
            false => Err(ModelError::damaged(Kind::Records.name(), "bytes follow the last record")),
        }
    }

    fn verify_file(&self, file: FileId, found: &mut Verified, sums: &mut Root) -> Result<(), ModelError> {
        if self.find_file(&self.path(file)?)? != Some(file) {
            return Err(ModelError::damaged(Kind::Probe.name(), "a path does not find its file"));
        }
        let view = self.file(file)?;
        sums.blocks += view.block_count() as u64;
        for symbol in view.symbols() {
            if std::str::from_utf8(&symbol.name_bytes()).is_err() {
                return Err(ModelError::damaged(Kind::Records.name(), "the name of a symbol is not UTF-8"));
            }
            sums.symbols += 1;
        }
        for block in (0u32..).take(view.block_count()) {
            sums.postings += count(view.block(block)?, found)?;
        }
        sums.file_postings += count(view.touching()?, found)?;
        count(view.defines()?, found)?;
        Ok(())
    }

    /// The files by their reversed paths: strictly ascending, so each is there once.
    fn verify_suffixes(&self) -> Result<(), ModelError> {
        let suffixes = self.suffixes()?;
        let mut before: Option<String> = None;
        for position in 0..self.root().files {
            let path = self.path(FileId(suffixes.get(position)?.unwrap_or(u32::MAX)))?;
            if before.is_some_and(|before| before.bytes().rev().ge(path.bytes().rev())) {
                return Err(ModelError::damaged(Kind::Suffixes.name(), "the reversed paths do not ascend"));
            }
            before = Some(path);
        }
        Ok(())
    }

    /// Every word is found under its hash and has tests; the counts of the tests are those of their words.
    fn verify_words(&self, found: &mut Verified, sums: &mut Root) -> Result<(), ModelError> {
        let damaged = |problem| Err(ModelError::damaged(Kind::Vocabulary.name(), problem));
        let mut counts = vec![0.0; self.root().tests as usize];
        self.each_word(|word, list| {
            if list.count() == 0 || self.word(word)?.is_none() {
                return damaged("a word has no test, or is not found under its hash");
            }
            sums.words += 1;
            sums.word_postings += count(list, found)?;
            list.for_each(|posting| counts[posting.test.0 as usize] += dequantize_count(posting.signal))
        })?;
        for (test, total) in (0u32..).map(TestId).zip(counts) {
            let count = self.word_count(test)?;
            if (f64::from(count) - total).abs() > 1.0 {
                return damaged("the words of a test are not as many as its count says");
            }
            sums.word_total += u64::from(count);
        }
        Ok(())
    }

    /// The root's totals are those of the parts.
    fn verify_sums(&self, sums: &Root) -> Result<(), ModelError> {
        let root = self.root();
        let totals = |of: &Root| {
            let of_files = [of.blocks, of.symbols, of.postings, of.file_postings];
            let of_words = (of.words, of.word_postings, of.word_total, of.tests_with_text);
            let of_costs = (of.total_cost_us, of.pace_spread_ppm);
            (of_costs, of.tests_recorded, of.runs, of_files, of_words)
        };
        match totals(root) == totals(sums) {
            true => Ok(()),
            false => Err(ModelError::damaged("root", "a total is not the sum of the parts")),
        }
    }
}

/// Names are UTF-8, sorted, each there once.
fn verify_names(table: NameTable<'_>) -> Result<(), ModelError> {
    let mut before: Option<Vec<u8>> = None;
    table.scan(0, |_, name| {
        if before.as_deref().is_some_and(|before| before >= name) {
            return Err(table.damaged("its names do not ascend"));
        }
        if std::str::from_utf8(name).is_err() {
            return Err(table.damaged("a name is not UTF-8"));
        }
        before = Some(name.to_vec());
        Ok(true)
    })
}

fn verify_test(record: &TestRecord, cost_us: u64, sums: &mut Root, paces: &mut Paces) -> Result<(), ModelError> {
    let runs = record.runs.iter().map(|run| (run.time_us, run.commit, run.outcome, run.cost_us));
    if !runs.is_sorted_by(|a, b| a < b) {
        return Err(ModelError::damaged(Kind::Facts.name(), "the runs of a test do not ascend"));
    }
    sums.total_cost_us = sums.total_cost_us.saturating_add(cost_us);
    for run in &record.runs {
        run.cost_us.into_iter().for_each(|took_us| paces.add(run.time_us, took_us, cost_us));
    }
    sums.tests_recorded += u32::from(record.recorded);
    sums.tests_with_text += u32::from(record.has_text);
    sums.runs += record.runs.len() as u64;
    Ok(())
}

/// Reads a list to its end: how many postings it holds.
fn count(list: PostingList<'_>, found: &mut Verified) -> Result<u64, ModelError> {
    list.for_each(|_| ())?;
    found.lists += 1;
    found.postings += u64::from(list.count());
    Ok(list.count().into())
}
