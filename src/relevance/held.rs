//! Which tests hold which words of a query, and what each scores by them.
//!
//! The greatest score of all is needed, and those of the few tests that are asked about; some tens of thousands hold a word.
//! What a test scores if it has no other words at all, at length 0, is a bound on its score, exact in floating point too:
//! each step of the sum only falls with the length, rounded or not. So a test whose bound is not above the greatest score so
//! far is passed by without a look at its length, which lies on a page of its own.
//!
//! Invariant: scores and the greatest of them are, bit for bit, those of scoring every test.

use super::{B, K1};
use crate::id::TestId;
use crate::model::{Entry, Index, LengthReader, ModelError, PostingList, dequantize_count};

/// That a test holds a word: the test above, the entry below. Ordered by test, then by word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Held(u64);

impl Held {
    fn new(test: TestId, entry: Entry) -> Self {
        Self(u64::from(test.0) << 32 | u64::from(entry.bits()))
    }

    fn test(self) -> TestId {
        TestId((self.0 >> 32) as u32)
    }

    fn entry(self) -> Entry {
        Entry::of_bits((self.0 & 0xffff_ffff) as u32)
    }
}

/// The tests that hold a word of the query.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    /// Ascending.
    held: Vec<Held>,
    /// What each word adds at most.
    gains: Vec<f64>,
    /// The count that each byte stands for.
    counts: Vec<f64>,
    /// How many words a test has on average.
    mean: f64,
    /// The greatest score of any test.
    most: f64,
}

impl Words {
    /// Reads the lists of words, each with what it adds at most. O(postings).
    pub(super) fn read<D: AsRef<[u8]>>(index: &Index<D>, lists: &[(f64, PostingList<'_>)]) -> Result<Self, ModelError> {
        if lists.is_empty() {
            return Ok(Self::default());
        }
        let root = index.root();
        let mut held = Vec::with_capacity(lists.iter().map(|(_, list)| list.count() as usize).sum());
        for (at, (_, list)) in (0..).zip(lists) {
            list.for_each(|posting| held.push(Held::new(posting.test, Entry::new(at, posting.signal))))?;
        }
        sort_by_test(&mut held, root.tests);
        let mean = (root.word_total as f64 / f64::from(root.tests).max(1.0)).max(1.0);
        let counts = (0..=u8::MAX).map(dequantize_count).collect();
        let mut words = Self { held, gains: lists.iter().map(|&(gain, _)| gain).collect(), counts, mean, most: 0.0 };
        words.most = words.greatest(&mut index.word_lengths()?)?;
        Ok(words)
    }

    fn greatest(&self, lengths: &mut LengthReader<'_>) -> Result<f64, ModelError> {
        let mut most = 0.0f64;
        for held in self.by_test() {
            // A word adds less than its gain: mostly that is enough, and takes no division.
            let gains: f64 = held.iter().map(|held| self.gains[held.entry().list()]).sum();
            if gains > most && self.score(held, 0) > most {
                most = most.max(self.score(held, lengths.get(held[0].test())?));
            }
        }
        Ok(most)
    }

    /// The greatest score of any test; 0 where none holds a word.
    pub(super) fn most(&self) -> f64 {
        self.most
    }

    /// What is held, test by test.
    fn by_test(&self) -> impl Iterator<Item = &[Held]> {
        self.held.chunk_by(|a, b| a.test() == b.test())
    }

    fn score(&self, held: &[Held], length: u32) -> f64 {
        let damping = K1 * (1.0 - B + B * f64::from(length) / self.mean);
        held.iter().fold(0.0, |score, held| {
            let count = self.counts[usize::from(held.entry().byte())];
            score + self.gains[held.entry().list()] * count / (count + damping)
        })
    }

    /// Every test that holds a word, ascending.
    pub(super) fn tests(&self) -> Vec<TestId> {
        self.by_test().map(|held| held[0].test()).collect()
    }

    /// The score of each of [`Words::tests`].
    pub(super) fn scores(&self, lengths: &mut LengthReader<'_>) -> Result<Vec<f64>, ModelError> {
        self.by_test().map(|held| Ok(self.score(held, lengths.get(held[0].test())?))).collect()
    }

    /// The score of a test, looked for from `from` on, which no lower test is behind; `from` moves there. In strides that
    /// double: the next is mostly near.
    pub(super) fn score_from(
        &self,
        from: &mut usize,
        test: TestId,
        lengths: &mut LengthReader<'_>,
    ) -> Result<Option<f64>, ModelError> {
        *from += passed(&self.held[*from..], |held| held.test() < test);
        let held = &self.held[*from..];
        let of_test = &held[..held.iter().take_while(|held| held.test() == test).count()];
        if of_test.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.score(of_test, lengths.get(test)?)))
    }

    /// The test that stands at a position of [`Words::score_from`].
    pub(super) fn test_at(&self, at: usize) -> Option<TestId> {
        self.held.get(at).map(|held| held.test())
    }
}

/// How many of `items` stand before the first that is not behind, looked for in strides that double.
#[inline]
pub(super) fn passed<T>(items: &[T], is_behind: impl Fn(&T) -> bool) -> usize {
    let (mut from, mut stride) = (0, 1);
    while items.get(from + stride - 1).is_some_and(&is_behind) {
        from += stride;
        stride *= 2;
    }
    let end = items.len().min(from + stride - 1);
    from + items[from..end].partition_point(is_behind)
}

/// Bits of a test that a pass of [`sort_by_test`] looks at.
const DIGIT_BITS: u32 = 11;

/// Fewer are sorted by comparing: a pass has 2,048 counts to make.
const COUNTED_FROM: usize = 1 << 9;

/// Sorts by test; the words of a test stand in their order, and stay in it. O(postings) for any number of tests.
fn sort_by_test(held: &mut Vec<Held>, tests: u32) {
    if held.len() < COUNTED_FROM {
        return held.sort_unstable();
    }
    let mut sorted = vec![Held::default(); held.len()];
    for shift in (0..u32::BITS).step_by(DIGIT_BITS as usize).take_while(|&shift| tests >> shift > 0) {
        let digit = |held: Held| (held.test().0 >> shift) as usize & ((1 << DIGIT_BITS) - 1);
        let mut places = [0u32; 1 << DIGIT_BITS];
        held.iter().for_each(|&held| places[digit(held)] += 1);
        let mut sum = 0;
        places.iter_mut().for_each(|place| sum += std::mem::replace(place, sum));
        for &held in &*held {
            let place = &mut places[digit(held)];
            sorted[*place as usize] = held;
            *place += 1;
        }
        std::mem::swap(held, &mut sorted);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_held_is_sorted(
            tests in 1u32..=u32::MAX, of_lists in prop::collection::vec(prop::collection::btree_set(any::<u32>(), 0..700), 1..4)
        ) {
            let mut held = Vec::new();
            for (at, list) in (0..).zip(&of_lists) {
                let list: std::collections::BTreeSet<u32> = list.iter().map(|test| test % tests).collect();
                held.extend(list.iter().map(|&test| Held::new(TestId(test), Entry::new(at, 7))));
            }
            let mut want = held.clone();
            want.sort();
            sort_by_test(&mut held, tests);
            prop_assert_eq!(held, want);
        }

        #[test]
        fn as_many_are_passed_as_stand_before(held in prop::collection::btree_set(0u32..400, 0..80), from in 0u32..420) {
            let held: Vec<u32> = held.into_iter().collect();
            prop_assert_eq!(passed(&held, |&held| held < from), held.iter().filter(|&&held| held < from).count());
        }
    }
}
