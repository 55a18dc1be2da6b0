//! From the lines each test ran of a file to the file's blocks: lines with exactly the same tests, and those tests.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_128;

use crate::id::TestId;
use crate::model::LineRun;
use crate::observation::LineSet;

/// The blocks of one file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Blocks {
    /// Line runs, ascending; `block` indexes `tests`.
    pub(super) runs: Vec<LineRun>,
    /// The tests of each block, ascending.
    pub(super) tests: Vec<Vec<TestId>>,
}

/// A commutative hash of a set of tests: the sum of the 128-bit hashes of its members. Sets are told apart by it while
/// the lines are swept; 2^-128 is the chance that two different sets meet.
fn member_hash(test: TestId) -> u128 {
    xxh3_128(&test.0.to_le_bytes())
}

/// Groups the lines of a file. `covered` is ascending by test, without repeats. O(ranges log ranges + postings).
pub(super) fn group(covered: &[(TestId, &LineSet)]) -> Blocks {
    let segments = sweep(covered);
    let mut block_of_hash: HashMap<u128, u32> = HashMap::new();
    let mut runs: Vec<LineRun> = Vec::new();
    // One line of each block stands for it when the tests are collected.
    let mut samples: Vec<(u32, u32)> = Vec::new();
    for (first, last, hash) in segments {
        let next = u32::try_from(samples.len()).expect("a file has fewer than 2^32 lines");
        let block = *block_of_hash.entry(hash).or_insert(next);
        if block == next {
            samples.push((first, block));
        }
        match runs.last_mut() {
            Some(run) if run.block == block && run.last + 1 == first => run.last = last,
            _ => runs.push(LineRun { first, last, block }),
        }
    }
    let mut tests = vec![Vec::new(); samples.len()];
    for &(test, lines) in covered {
        for range in lines.ranges() {
            let from = samples.partition_point(|&(line, _)| line < range.first);
            for &(_, block) in samples[from..].iter().take_while(|&&(line, _)| line <= range.last) {
                tests[block as usize].push(test);
            }
        }
    }
    Blocks { runs, tests }
}

/// Maximal segments of lines with one set of tests: first line, last line, hash of the set. Gaps are left out.
fn sweep(covered: &[(TestId, &LineSet)]) -> Vec<(u32, u32, u128)> {
    let hashes: Vec<u128> = covered.iter().map(|&(test, _)| member_hash(test)).collect();
    // Line, position in `covered`, whether the test enters there: 16 bytes, of which large files have millions.
    let mut edges: Vec<(u64, u32, bool)> = Vec::new();
    for (at, (_, lines)) in (0u32..).zip(covered) {
        for range in lines.ranges() {
            edges.push((range.first.into(), at, true));
            edges.push((u64::from(range.last) + 1, at, false));
        }
    }
    edges.sort_unstable_by_key(|edge| edge.0);
    let mut segments = Vec::new();
    let (mut members, mut hash) = (0u64, 0u128);
    for (at, &(line, test, enters)) in edges.iter().enumerate() {
        let member = hashes[test as usize];
        // Two ranges of one test never meet, so nothing leaves that has not entered, in whatever order a line's edges are.
        if enters {
            members += 1;
            hash = hash.wrapping_add(member);
        } else {
            members -= 1;
            hash = hash.wrapping_sub(member);
        }
        let next = edges.get(at + 1).map_or(line, |edge| edge.0);
        if members > 0 && next > line {
            let bound = |line: u64| u32::try_from(line).expect("inside a range of 32-bit lines");
            segments.push((bound(line), bound(next - 1), hash));
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::observation::LineRange;

    #[test]
    fn equal_lines_share_a_block_and_gaps_stay_gaps() {
        let lines = |ranges: &[(u32, u32)]| -> LineSet {
            ranges.iter().map(|&(first, last)| LineRange { first, last }).collect()
        };
        let (a, b) = (lines(&[(1, 4), (10, 12)]), lines(&[(3, 4), (12, 12)]));
        let blocks = group(&[(TestId(0), &a), (TestId(5), &b)]);
        let run = |first, last, block| LineRun { first, last, block };
        assert_eq!(blocks.runs, [run(1, 2, 0), run(3, 4, 1), run(10, 11, 0), run(12, 12, 1)]);
        assert_eq!(blocks.tests, [vec![TestId(0)], vec![TestId(0), TestId(5)]]);
    }

    proptest! {
        /// Lossless: what each test ran can be read back from runs and blocks.
        #[test]
        fn nothing_is_lost(sets in proptest::collection::vec(proptest::collection::btree_set(1u32..60, 0..30), 1..12)) {
            let sets: Vec<LineSet> =
                sets.iter().map(|set| set.iter().map(|&line| LineRange::single(line)).collect()).collect();
            let covered: Vec<(TestId, &LineSet)> =
                sets.iter().enumerate().map(|(at, set)| (TestId(at as u32), set)).collect();
            let blocks = group(&covered);
            for &(test, lines) in &covered {
                let back: LineSet = blocks.runs.iter()
                    .filter(|run| blocks.tests[run.block as usize].contains(&test))
                    .map(|run| LineRange { first: run.first, last: run.last })
                    .collect();
                prop_assert_eq!(&back, lines);
            }
            prop_assert!(blocks.tests.iter().all(|tests| tests.is_sorted_by(|a, b| a < b)));
            let mut distinct = blocks.tests.clone();
            distinct.sort();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), blocks.tests.len());
        }
    }
}
