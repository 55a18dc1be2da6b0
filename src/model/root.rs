//! The root: what is known of the model as a whole. Of one size but for the base commit, and validated at every open.

use rkyv::{Archive, Deserialize, Serialize};

use crate::signal::Calibration;

/// Counts, base commit and totals.
#[derive(Archive, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[rkyv(derive(Debug))]
pub struct Root {
    /// The number of tests.
    pub tests: u32,
    /// The number of files.
    pub files: u32,
    /// The number of declared features.
    pub features: u32,
    /// The number of declared families.
    pub families: u32,
    /// The commit that the model describes, in hexadecimal.
    pub base: Option<String>,
    /// Sum of all costs in microseconds.
    pub total_cost_us: u64,
    /// What a test without a cost is taken to cost: the median of the others, 0 without any.
    pub median_cost_us: u64,
    /// Tests whose cost some input states.
    pub tests_with_cost: u32,
    /// Tests whose coverage was recorded, even where it is empty.
    pub tests_recorded: u32,
    /// Tests with a declared signal.
    pub tests_declared: u32,
    /// Tests with at least one run that failed, if only at first.
    pub tests_failed: u32,
    /// Runs of tests.
    pub runs: u64,
    /// Blocks over all files.
    pub blocks: u64,
    /// Symbols over all files.
    pub symbols: u64,
    /// Postings over all blocks and features: pairs of a region and a test.
    pub postings: u64,
    /// Postings of the lists by file, which repeat what the blocks say so that one list answers for a file.
    pub file_postings: u64,
    /// The number of commits that the runs name.
    pub commits: u32,
    /// Words of the vocabulary.
    pub words: u32,
    /// Postings over all words.
    pub word_postings: u64,
    /// Sum over all tests of how many words each has.
    pub word_total: u64,
    /// Tests whose text some input states.
    pub tests_with_text: u32,
    /// Standard deviation of how much slower or faster than the costs whole sessions were, in parts per million; `None`
    /// where fewer than two are known.
    pub pace_spread_ppm: Option<u32>,
    /// Which constants of the signal some input stated, a bit each, the first the lowest; the others are as shipped.
    pub constants_stated: u32,
    /// The constants of the signal.
    pub calibration: Calibration,
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::signal::ArchivedCalibration;

    /// The table of `docs/format.md`.
    #[test]
    fn the_root_is_laid_out_as_the_format_says() {
        assert_eq!((size_of::<ArchivedRoot>(), align_of::<ArchivedRoot>()), (216, 8));
        assert_eq!(offset_of!(ArchivedRoot, families), 12);
        assert_eq!(offset_of!(ArchivedRoot, base), 16);
        assert_eq!(offset_of!(ArchivedRoot, total_cost_us), 40);
        assert_eq!(offset_of!(ArchivedRoot, median_cost_us), 48);
        assert_eq!(offset_of!(ArchivedRoot, tests_with_cost), 56);
        assert_eq!(offset_of!(ArchivedRoot, tests_recorded), 60);
        assert_eq!(offset_of!(ArchivedRoot, tests_declared), 64);
        assert_eq!(offset_of!(ArchivedRoot, tests_failed), 68);
        assert_eq!(offset_of!(ArchivedRoot, runs), 72);
        assert_eq!(offset_of!(ArchivedRoot, blocks), 80);
        assert_eq!(offset_of!(ArchivedRoot, symbols), 88);
        assert_eq!(offset_of!(ArchivedRoot, postings), 96);
        assert_eq!(offset_of!(ArchivedRoot, file_postings), 104);
        assert_eq!(offset_of!(ArchivedRoot, commits), 112);
        assert_eq!(offset_of!(ArchivedRoot, words), 116);
        assert_eq!(offset_of!(ArchivedRoot, word_postings), 120);
        assert_eq!(offset_of!(ArchivedRoot, word_total), 128);
        assert_eq!(offset_of!(ArchivedRoot, tests_with_text), 136);
        assert_eq!(offset_of!(ArchivedRoot, pace_spread_ppm), 140);
        assert_eq!(offset_of!(ArchivedRoot, constants_stated), 148);
        assert_eq!(offset_of!(ArchivedRoot, calibration), 152);
        assert_eq!(offset_of!(ArchivedCalibration, words), 0);
        assert_eq!(offset_of!(ArchivedCalibration, failing), 56);
    }
}
