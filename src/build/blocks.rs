//! The blocks of one file: lines with exactly the same tests, and those tests. They come of the lines that each test ran, or
//! of older models, and any two partitions of a file join to one.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_128;

use crate::id::TestId;
use crate::model::{FileView, LineRun, ModelError};
use crate::observation::LineSet;

/// The blocks of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Blocks {
    /// Line runs, ascending; `block` indexes `tests`. Neighbours of one block are one run.
    pub(super) runs: Vec<LineRun>,
    /// The tests of each block, ascending; blocks are numbered by their first line.
    pub(super) tests: Vec<Vec<TestId>>,
}

/// A commutative hash of a set of tests: the sum of the 128-bit hashes of its members. Sets are told apart by it while
/// the lines are swept; 2^-128 is the chance that two different sets meet.
fn member_hash(test: TestId) -> u128 {
    xxh3_128(&test.0.to_le_bytes())
}

impl Blocks {
    /// Groups the lines of a file. `covered` is ascending by test, without repeats. O(ranges log ranges + postings).
    pub(super) fn of_lines(covered: &[(TestId, LineSet)]) -> Self {
        let mut numbers: HashMap<u128, u32> = HashMap::new();
        let mut runs: Vec<LineRun> = Vec::new();
        // One line of each block stands for it when the tests are collected.
        let mut samples: Vec<(u32, u32)> = Vec::new();
        sweep(covered, |first, last, hash| {
            let next = number(samples.len());
            let block = *numbers.entry(hash).or_insert(next);
            if block == next {
                samples.push((first, block));
            }
            push_run(&mut runs, LineRun { first, last, block });
        });
        let mut tests = vec![Vec::new(); samples.len()];
        for (test, lines) in covered {
            for range in lines.ranges() {
                let from = samples.partition_point(|&(line, _)| line < range.first);
                for &(_, block) in samples[from..].iter().take_while(|&&(line, _)| line <= range.last) {
                    tests[block as usize].push(*test);
                }
            }
        }
        Self { runs, tests }
    }

    /// The blocks of a file of a model, with the tests that `id` gives; it keeps their order, and leaves out whom it gives
    /// no id.
    ///
    /// # Errors
    /// If a list is damaged.
    pub(super) fn of_view(view: &FileView<'_>, id: impl Fn(TestId) -> Option<TestId>) -> Result<Self, ModelError> {
        let mut lists = Lists::default();
        let mut blocks = Vec::with_capacity(view.block_count());
        for block in 0..number(view.block_count()) {
            let mut tests = Vec::new();
            view.block(block)?.for_each(|posting| tests.extend(id(posting.test)))?;
            blocks.push(lists.add(tests));
        }
        let runs = (0..view.run_count()).filter_map(|at| view.run(at));
        Ok(lists.laid_over(runs.filter_map(|run| Some((run.first, run.last, blocks[run.block as usize]?)))))
    }

    /// The blocks of what both say.
    pub(super) fn join(self, other: Self) -> Self {
        if self.runs.is_empty() {
            return other;
        }
        if other.runs.is_empty() {
            return self;
        }
        let mut lists = Lists::default();
        let mut pairs: HashMap<(Option<u32>, Option<u32>), Option<u32>> = HashMap::new();
        let none = Vec::new();
        let of = |blocks: &'_ [Vec<TestId>], block: Option<u32>| block.map(|block| blocks[block as usize].clone());
        let segments = overlay(&self.runs, &other.runs).into_iter().filter_map(|(first, last, mine, theirs)| {
            let list = *pairs.entry((mine, theirs)).or_insert_with(|| {
                let mine = of(&self.tests, mine).unwrap_or_else(|| none.clone());
                let theirs = of(&other.tests, theirs).unwrap_or_else(|| none.clone());
                lists.add(union(mine, theirs))
            });
            Some((first, last, list?))
        });
        let segments: Vec<(u32, u32, u32)> = segments.collect();
        lists.laid_over(segments.into_iter())
    }

    /// The tests with the number of lines that each ran, ascending.
    pub(super) fn lines_by_test(&self) -> Vec<(TestId, u64)> {
        let mut lines = vec![0u64; self.tests.len()];
        for run in &self.runs {
            lines[run.block as usize] += u64::from(run.last - run.first) + 1;
        }
        let mut by_test: Vec<(TestId, u64)> = self
            .tests
            .iter()
            .zip(lines)
            .flat_map(|(tests, lines)| tests.iter().map(move |&test| (test, lines)))
            .collect();
        by_test.sort_unstable_by_key(|&(test, _)| test);
        by_test.dedup_by(|next, first| {
            next.0 == first.0 && {
                first.1 += next.1;
                true
            }
        });
        by_test
    }
}

fn number(position: usize) -> u32 {
    u32::try_from(position).expect("a file has fewer than 2^32 lines")
}

/// Appends a run, or makes the last one longer.
fn push_run(runs: &mut Vec<LineRun>, next: LineRun) {
    match runs.last_mut() {
        Some(run) if run.block == next.block && run.last + 1 == next.first => run.last = next.last,
        _ => runs.push(next),
    }
}

/// Distinct lists of tests, as they are found.
#[derive(Default)]
struct Lists {
    lists: Vec<Vec<TestId>>,
    known: HashMap<u128, u32>,
}

impl Lists {
    /// The number of a list, new or known; an empty one has none.
    fn add(&mut self, tests: Vec<TestId>) -> Option<u32> {
        if tests.is_empty() {
            return None;
        }
        let hash = tests.iter().fold(0u128, |hash, &test| hash.wrapping_add(member_hash(test)));
        let next = number(self.lists.len());
        let known = *self.known.entry(hash).or_insert(next);
        if known == next {
            self.lists.push(tests);
        }
        Some(known)
    }

    /// The blocks of ascending segments, each with the number of its list.
    fn laid_over(self, segments: impl Iterator<Item = (u32, u32, u32)>) -> Blocks {
        let mut lists: Vec<Option<Vec<TestId>>> = self.lists.into_iter().map(Some).collect();
        let mut blocks = vec![None; lists.len()];
        let mut laid = Blocks::default();
        for (first, last, list) in segments {
            let block = *blocks[list as usize].get_or_insert_with(|| {
                laid.tests.extend(lists[list as usize].take());
                number(laid.tests.len() - 1)
            });
            push_run(&mut laid.runs, LineRun { first, last, block });
        }
        laid
    }
}

/// Ascending sets joined.
fn union(mine: Vec<TestId>, theirs: Vec<TestId>) -> Vec<TestId> {
    if theirs.is_empty() {
        return mine;
    }
    let mut all = mine;
    let disjoint = all.last().is_none_or(|&last| last < theirs[0]);
    all.extend(theirs);
    if !disjoint {
        all.sort(); // Two ascending parts: a merge.
        all.dedup();
    }
    all
}

/// Segments of lines with one block on each side: first line, last line, the blocks.
fn overlay(mine: &[LineRun], theirs: &[LineRun]) -> Vec<(u32, u32, Option<u32>, Option<u32>)> {
    let mut segments = Vec::new();
    let (mut mine, mut theirs) = (mine.iter().copied().peekable(), theirs.iter().copied().peekable());
    // What is left of the run at the front of each side.
    let (mut left, mut right) = (mine.next(), theirs.next());
    loop {
        let (first, last, on_left, on_right) = match (left, right) {
            (None, None) => return segments,
            (Some(run), None) => (run.first, run.last, true, false),
            (None, Some(run)) => (run.first, run.last, false, true),
            (Some(a), Some(b)) if a.first < b.first => (a.first, a.last.min(b.first - 1), true, false),
            (Some(a), Some(b)) if b.first < a.first => (b.first, b.last.min(a.first - 1), false, true),
            (Some(a), Some(b)) => (a.first, a.last.min(b.last), true, true),
        };
        let block = |run: Option<LineRun>, is_on: bool| run.filter(|_| is_on).map(|run| run.block);
        segments.push((first, last, block(left, on_left), block(right, on_right)));
        let rest = |run: Option<LineRun>| {
            run.filter(|run| run.last > last).map(|run| LineRun { first: run.first.max(last + 1), ..run })
        };
        if on_left {
            left = rest(left).or_else(|| mine.next());
        }
        if on_right {
            right = rest(right).or_else(|| theirs.next());
        }
    }
}

/// Visits the maximal segments of lines with one set of tests: first line, last line, hash of the set. Gaps are left out.
fn sweep(covered: &[(TestId, LineSet)], mut visit: impl FnMut(u32, u32, u128)) {
    let hashes: Vec<u128> = covered.iter().map(|&(test, _)| member_hash(test)).collect();
    // A line (33 bits), a position in `covered` (30 bits), whether the test enters there: large files have millions.
    let mut edges: Vec<u64> =
        Vec::with_capacity(2 * covered.iter().map(|(_, lines)| lines.ranges().len()).sum::<usize>());
    for (at, (_, lines)) in (0u64..1 << 30).zip(covered) {
        for range in lines.ranges() {
            edges.push(u64::from(range.first) << 31 | at << 1 | 1);
            edges.push((u64::from(range.last) + 1) << 31 | at << 1);
        }
    }
    edges.sort_unstable();
    let line_of = |edge: u64| edge >> 31;
    let (mut members, mut hash) = (0i64, 0u128);
    for (at, &edge) in edges.iter().enumerate() {
        let member = hashes[(edge >> 1 & 0x3fff_ffff) as usize];
        // Two ranges of one test never meet, so nothing leaves that has not entered, in whatever order a line's edges are.
        if edge & 1 == 1 {
            members += 1;
            hash = hash.wrapping_add(member);
        } else {
            members -= 1;
            hash = hash.wrapping_sub(member);
        }
        let next = edges.get(at + 1).map_or(line_of(edge), |&next| line_of(next));
        if members > 0 && next > line_of(edge) {
            let bound = |line: u64| u32::try_from(line).expect("inside a range of 32-bit lines");
            visit(bound(line_of(edge)), bound(next - 1), hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::observation::LineRange;

    #[test]
    fn equal_lines_share_a_block_and_gaps_stay_gaps() {
        let lines = |ranges: &[(u32, u32)]| -> LineSet {
            ranges.iter().map(|&(first, last)| LineRange { first, last }).collect()
        };
        let (a, b) = (lines(&[(1, 4), (10, 12)]), lines(&[(3, 4), (12, 12)]));
        let blocks = Blocks::of_lines(&[(TestId(0), a), (TestId(5), b)]);
        let run = |first, last, block| LineRun { first, last, block };
        assert_eq!(blocks.runs, [run(1, 2, 0), run(3, 4, 1), run(10, 11, 0), run(12, 12, 1)]);
        assert_eq!(blocks.tests, [vec![TestId(0)], vec![TestId(0), TestId(5)]]);
    }

    fn covered(sets: &[BTreeSet<u32>]) -> Vec<(TestId, LineSet)> {
        let lines = |set: &BTreeSet<u32>| set.iter().map(|&line| LineRange::single(line)).collect();
        (0..).map(TestId).zip(sets).filter(|(_, set)| !set.is_empty()).map(|(test, set)| (test, lines(set))).collect()
    }

    fn sets() -> impl Strategy<Value = Vec<BTreeSet<u32>>> {
        proptest::collection::vec(proptest::collection::btree_set(1u32..60, 0..30), 12)
    }

    proptest! {
        /// Lossless: what each test ran can be read back from runs and blocks.
        #[test]
        fn nothing_is_lost(sets in sets()) {
            let covered = covered(&sets);
            let blocks = Blocks::of_lines(&covered);
            for (test, lines) in &covered {
                let back: LineSet = blocks.runs.iter()
                    .filter(|run| blocks.tests[run.block as usize].contains(test))
                    .map(|run| LineRange { first: run.first, last: run.last })
                    .collect();
                prop_assert_eq!(&back, lines);
            }
            prop_assert!(blocks.tests.iter().all(|tests| tests.is_sorted_by(|a, b| a < b)));
            let mut distinct = blocks.tests.clone();
            distinct.sort();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), blocks.tests.len());
            let lines: Vec<(TestId, u64)> = covered.iter().map(|(test, lines)| (*test, lines.len())).collect();
            prop_assert_eq!(blocks.lines_by_test(), lines);
        }

        /// Joining partitions is joining what they were made of.
        #[test]
        fn two_partitions_join_to_one(mine in sets(), theirs in sets()) {
            let both: Vec<BTreeSet<u32>> = mine.iter().zip(&theirs).map(|(a, b)| a | b).collect();
            let joined = Blocks::of_lines(&covered(&mine)).join(Blocks::of_lines(&covered(&theirs)));
            prop_assert_eq!(joined, Blocks::of_lines(&covered(&both)));
        }
    }
}
