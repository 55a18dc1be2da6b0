//! The blocks of one file: lines with exactly the same tests, and those tests. They come of the lines that each test ran, or
//! of older models, and any two partitions of a file join to one.

use std::collections::HashMap;
use std::ops::Range;

use xxhash_rust::xxh3::xxh3_128;

use crate::id::TestId;
use crate::model::{FileView, LineRun, ModelError};
use crate::observation::{LineRange, LineSet, TestKey, each_lines};

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
    /// Groups the lines of a file. O(ranges + lines + postings), and where lines are far apart O(ranges log ranges).
    pub(super) fn of_lines(covered: &Covered) -> Self {
        let marks = Marks::of(covered);
        let mut numbers: HashMap<u128, u32> = HashMap::new();
        let mut laid = Self::default();
        // The first mark of each block stands for it when the tests are collected.
        let mut samples: Vec<(usize, u32)> = Vec::new();
        for (mark, first, last, hash) in marks.segments(covered) {
            let next = number(samples.len());
            let block = *numbers.entry(hash).or_insert(next);
            if block == next {
                samples.push((mark, block));
            }
            push_run(&mut laid.runs, LineRun { first, last, block });
        }
        laid.tests = vec![Vec::new(); samples.len()];
        // By mark, the first sample at or after it.
        let mut sample_from = vec![samples.len(); marks.count() + 1];
        for (at, &(mark, _)) in samples.iter().enumerate().rev() {
            sample_from[mark] = at;
        }
        for mark in (0..marks.count()).rev() {
            sample_from[mark] = sample_from[mark].min(sample_from[mark + 1]);
        }
        for (test, ranges) in covered.tests() {
            for range in ranges {
                let (from, end) = (marks.at(range.first.into()), marks.at(u64::from(range.last) + 1));
                for &(_, block) in samples[sample_from[from]..].iter().take_while(|&&(mark, _)| mark < end) {
                    laid.tests[block as usize].push(test);
                }
            }
        }
        laid
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

/// What each test ran of a file, ascending by test, without repeats.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// The tests, and where their ranges end; each begins where the one before ends.
    tests: Vec<(TestId, usize)>,
    ranges: Vec<LineRange>,
}

impl Covered {
    /// From the entries of the log, where `id` tells the tests.
    pub(super) fn read(entries: &[u8], id: impl Fn(TestKey) -> TestId) -> Self {
        let mut read: Vec<(TestId, Range<usize>)> = Vec::new();
        let mut ranges = Vec::new();
        each_lines(entries, |test, of_test| {
            let from = ranges.len();
            ranges.extend(of_test);
            read.push((id(test), from..ranges.len()));
        });
        read.sort_unstable_by_key(|(test, range)| (*test, range.start));
        let mut covered = Self { tests: Vec::with_capacity(read.len()), ranges: Vec::with_capacity(ranges.len()) };
        for of_test in read.chunk_by(|a, b| a.0 == b.0) {
            let test = of_test[0].0;
            match of_test {
                [(_, range)] => covered.ranges.extend_from_slice(&ranges[range.clone()]),
                several => {
                    let all = several.iter().flat_map(|(_, range)| &ranges[range.clone()]).copied();
                    covered.ranges.extend_from_slice(all.collect::<LineSet>().ranges());
                }
            }
            covered.tests.push((test, covered.ranges.len()));
        }
        covered
    }

    /// The tests with their ranges.
    fn tests(&self) -> impl Iterator<Item = (TestId, &[LineRange])> {
        let mut from = 0;
        self.tests.iter().map(move |&(test, end)| (test, &self.ranges[std::mem::replace(&mut from, end)..end]))
    }
}

/// The lines at which ranges begin and end, by position: all lines of the file where there are not many more of them than
/// ranges, and otherwise those lines alone.
enum Marks {
    /// Every line, up to the one behind the last.
    Lines(usize),
    /// Some lines, ascending; the one behind line 2^32 - 1 is one.
    Some(Vec<u64>),
}

/// So many lines a range are walked rather than sorted.
const LINES_A_RANGE: usize = 4;
/// So many lines are walked whatever there is of ranges.
const LINES_WALKED: usize = 4096;

impl Marks {
    fn of(covered: &Covered) -> Self {
        let last = covered.ranges.iter().map(|range| range.last).max().unwrap_or(0) as usize;
        if last < LINES_WALKED.max(covered.ranges.len().saturating_mul(LINES_A_RANGE)) {
            return Self::Lines(last + 2);
        }
        let ends = |range: &LineRange| [u64::from(range.first), u64::from(range.last) + 1];
        let mut marks: Vec<u64> = covered.ranges.iter().flat_map(ends).collect();
        marks.sort_unstable();
        marks.dedup();
        Self::Some(marks)
    }

    fn count(&self) -> usize {
        match self {
            Self::Lines(count) => *count,
            Self::Some(marks) => marks.len(),
        }
    }

    /// The position of a line that is one of them.
    fn at(&self, line: u64) -> usize {
        match self {
            Self::Lines(_) => usize::try_from(line).unwrap_or(usize::MAX),
            Self::Some(marks) => marks.partition_point(|&mark| mark < line),
        }
    }

    fn line(&self, at: usize) -> u64 {
        match self {
            Self::Lines(_) => at as u64,
            Self::Some(marks) => marks[at],
        }
    }

    /// The maximal segments of lines with one set of tests: mark, first line, last line, hash of the set. Gaps are left out.
    fn segments(&self, covered: &Covered) -> impl Iterator<Item = (usize, u32, u32, u128)> {
        // How the number of tests and the hash of their set change at each mark. Ranges of one test never meet.
        let mut steps = vec![(0i64, 0u128); self.count()];
        for (test, ranges) in covered.tests() {
            let hash = member_hash(test);
            for range in ranges {
                let enters = &mut steps[self.at(range.first.into())];
                *enters = (enters.0 + 1, enters.1.wrapping_add(hash));
                let leaves = &mut steps[self.at(u64::from(range.last) + 1)];
                *leaves = (leaves.0 - 1, leaves.1.wrapping_sub(hash));
            }
        }
        let (mut members, mut hash, mut next) = (0i64, 0u128, 0);
        std::iter::from_fn(move || {
            loop {
                let at = next;
                let step = steps.get(at)?;
                (members, hash) = (members + step.0, hash.wrapping_add(step.1));
                next += 1;
                // Lines between which nothing changes are one segment. That nothing changes while tests come and go that no
                // hash tells apart has a chance of 2^-128.
                while steps.get(next).is_some_and(|step| *step == (0, 0)) {
                    next += 1;
                }
                if members > 0 {
                    let bound = |line: u64| u32::try_from(line).expect("inside a range of 32-bit lines");
                    return Some((at, bound(self.line(at)), bound(self.line(next) - 1), hash));
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::observation::{EncodedLines, put_lines};

    fn of(tests: &[(u32, LineSet)]) -> Covered {
        let mut entries = Vec::new();
        tests.iter().rev().for_each(|(test, lines)| put_lines(&mut entries, TestKey(*test), &EncodedLines::new(lines)));
        Covered::read(&entries, |TestKey(test)| TestId(test))
    }

    #[test]
    fn equal_lines_share_a_block_and_gaps_stay_gaps() {
        let lines = |ranges: &[(u32, u32)]| -> LineSet {
            ranges.iter().map(|&(first, last)| LineRange { first, last }).collect()
        };
        let (a, b) = (lines(&[(1, 4), (10, 12)]), lines(&[(3, 4), (12, 12)]));
        let blocks = Blocks::of_lines(&of(&[(0, a), (5, b)]));
        let run = |first, last, block| LineRun { first, last, block };
        assert_eq!(blocks.runs, [run(1, 2, 0), run(3, 4, 1), run(10, 11, 0), run(12, 12, 1)]);
        assert_eq!(blocks.tests, [vec![TestId(0)], vec![TestId(0), TestId(5)]]);
    }

    fn covered(sets: &[BTreeSet<u32>]) -> Vec<(u32, LineSet)> {
        let lines = |set: &BTreeSet<u32>| set.iter().map(|&line| LineRange::single(line)).collect();
        (0..).zip(sets).filter(|(_, set)| !set.is_empty()).map(|(test, set)| (test, lines(set))).collect()
    }

    fn sets() -> impl Strategy<Value = Vec<BTreeSet<u32>>> {
        proptest::collection::vec(proptest::collection::btree_set(1u32..60, 0..30), 12)
    }

    proptest! {
        /// Lossless: what each test ran can be read back from runs and blocks.
        #[test]
        fn nothing_is_lost(sets in sets()) {
            let covered = covered(&sets);
            let blocks = Blocks::of_lines(&of(&covered));
            for (test, lines) in &covered {
                let back: LineSet = blocks.runs.iter()
                    .filter(|run| blocks.tests[run.block as usize].contains(&TestId(*test)))
                    .map(|run| LineRange { first: run.first, last: run.last })
                    .collect();
                prop_assert_eq!(&back, lines);
            }
            prop_assert!(blocks.tests.iter().all(|tests| tests.is_sorted_by(|a, b| a < b)));
            let mut distinct = blocks.tests.clone();
            distinct.sort();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), blocks.tests.len());
            let lines: Vec<(TestId, u64)> = covered.iter().map(|(test, lines)| (TestId(*test), lines.len())).collect();
            prop_assert_eq!(blocks.lines_by_test(), lines);
        }

        /// Joining partitions is joining what they were made of.
        #[test]
        fn two_partitions_join_to_one(mine in sets(), theirs in sets()) {
            let both: Vec<BTreeSet<u32>> = mine.iter().zip(&theirs).map(|(a, b)| a | b).collect();
            let [mine, theirs, both] = [mine, theirs, both].map(|sets| covered(&sets));
            let joined = Blocks::of_lines(&of(&mine)).join(Blocks::of_lines(&of(&theirs)));
            let blocks = Blocks::of_lines(&of(&both));
            prop_assert_eq!(&joined, &blocks);
            prop_assert_eq!(Blocks::of_lines(&of(&[mine, theirs].concat())), blocks, "tests that come twice");
        }

        /// Where a file is long and little of it is known, the same blocks are found.
        #[test]
        fn lines_may_be_far_apart(sets in sets(), far in 1u32..9) {
            let apart = |by: u32| covered(&sets.iter().map(|set| set.iter().map(|line| line * by).collect()).collect::<Vec<_>>());
            let tests = |blocks: Blocks| blocks.tests.into_iter().collect::<BTreeSet<_>>();
            prop_assert_eq!(tests(Blocks::of_lines(&of(&apart(2)))), tests(Blocks::of_lines(&of(&apart(far * 999_999)))));
        }
    }
}
