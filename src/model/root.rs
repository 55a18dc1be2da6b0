//! The root: what is known of the model as a whole. Of one size but for the base commit, and validated at every open.

use rkyv::{Archive, Deserialize, Serialize};

/// Counts, base commit and totals.
#[derive(Archive, Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
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
    /// Tests with at least one run that failed.
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
}
