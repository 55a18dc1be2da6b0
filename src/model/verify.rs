//! Checking all of a model: every byte against a checksum, every rule of the format.

use std::ops::ControlFlow;

use xxhash_rust::xxh3::xxh3_64;

use super::error::ModelError;
use super::index::Index;
use super::layout::{HEADER_BYTES, Kind, SECTION_BYTES};
use super::postings::PostingList;
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
    /// Checks everything: O(size of the file). `progress` hears of parts done and parts in all, now and then.
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
        self.verify_sections()?;
        self.verify_names()?;
        for test in (0..root.tests).map(TestId) {
            self.cost_us(test)?;
            self.test_record(test)?;
            step();
        }
        for file in (0..root.files).map(FileId) {
            self.verify_file(file, &mut found)?;
            step();
        }
        for feature in (0..root.features).map(FeatureId) {
            count(self.feature(feature)?.list, &mut found)?;
            step();
        }
        progress(total, total);
        Ok(found)
    }

    /// Section checksums, and zeros between the sections.
    fn verify_sections(&self) -> Result<(), ModelError> {
        let preamble = self.preamble();
        let mut extents: Vec<_> = preamble.sections.iter().map(|section| section.extent).collect();
        extents.push(preamble.root);
        extents.sort_by_key(|extent| extent.offset);
        let mut end = HEADER_BYTES + preamble.sections.len() * SECTION_BYTES;
        for extent in extents {
            let gap = self.bytes().get(end..extent.offset);
            if gap.is_none_or(|gap| gap.iter().any(|&byte| byte != 0)) {
                return Err(ModelError::damaged("section table", "sections overlap, or what lies between is not zero"));
            }
            end = extent.offset + extent.length;
        }
        if end != self.bytes().len() {
            return Err(ModelError::damaged("section table", "bytes follow the last section"));
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

    /// Every name table is readable and sorted.
    fn verify_names(&self) -> Result<(), ModelError> {
        for table in [self.test_names()?, self.paths()?, self.feature_names()?] {
            let mut before: Option<Vec<u8>> = None;
            let mut order = ControlFlow::Continue(());
            table.scan(0, |_, name| {
                if before.as_deref().is_some_and(|before| before >= name) {
                    order = ControlFlow::Break(());
                }
                before = Some(name.to_vec());
                Ok(order.is_continue())
            })?;
            if order.is_break() {
                return Err(ModelError::damaged("names", "they are not sorted"));
            }
        }
        Ok(())
    }

    fn verify_file(&self, file: FileId, found: &mut Verified) -> Result<(), ModelError> {
        let damaged = |problem| ModelError::damaged(Kind::Records.name(), problem);
        if self.find_file(&self.path(file)?)? != Some(file) {
            return Err(ModelError::damaged(Kind::Probe.name(), "a path does not find its file"));
        }
        let view = self.file(file)?;
        let record = view.to_record()?;
        if !record.runs.is_sorted_by(|a, b| a.last < b.first) || record.runs.iter().any(|run| run.first > run.last) {
            return Err(damaged("the line runs of a file do not ascend"));
        }
        if record.runs.iter().any(|run| run.block as usize >= record.blocks.len()) {
            return Err(damaged("a run names a block that is not there"));
        }
        for block in 0..record.blocks.len() {
            count(view.block(u32::try_from(block).unwrap_or(u32::MAX))?, found)?;
        }
        count(view.touching()?, found)?;
        count(view.defines()?, found)
    }
}

fn count(list: PostingList<'_>, found: &mut Verified) -> Result<(), ModelError> {
    list.for_each(|_| found.postings += 1)?;
    found.lists += 1;
    Ok(())
}
