//! From lists of tests to tests with their lists: posting lists read abreast.
//!
//! The lists move through the tests side by side, a page at a time, and those of a page are sorted by counting them: what is
//! touched of a page stays in the cache, and nothing of the size of the suite is made.

use super::super::error::ModelError;
use super::pages::{PAGE_BITS, Pages};
use crate::id::TestId;

/// That a test is on a list, and its byte where bytes tell tests apart. Ordered by list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry(u32);

impl Entry {
    pub(crate) fn new(list: u32, byte: u8) -> Self {
        Self(list << 8 | u32::from(byte))
    }

    /// The entry with these [`Entry::bits`].
    #[inline]
    pub(crate) fn of_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The list, by its position among those that are read.
    #[inline]
    pub(crate) fn list(self) -> usize {
        (self.0 >> 8) as usize
    }

    /// List and byte as one number.
    #[inline]
    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    /// The byte of the test, 0 where bytes say nothing.
    #[inline]
    pub(crate) fn byte(self) -> u8 {
        self.0.to_le_bytes()[0]
    }
}

/// The tests of a list, page by page.
#[derive(Clone, Debug)]
pub(crate) enum Reader<'a> {
    /// Those of a list of a model, whose bytes say nothing.
    Plain(Pages<'a>),
    /// The same, with bytes that tell its tests apart.
    Weighted(Pages<'a>),
    /// These tests, ascending, from a position on.
    Given(Vec<TestId>, usize),
}

impl Reader<'_> {
    /// The page of the next test; `None` after the last.
    fn page(&self) -> Option<u32> {
        match self {
            Reader::Plain(pages) | Reader::Weighted(pages) => pages.page(),
            Reader::Given(tests, at) => tests.get(*at).map(|test| test.0 >> PAGE_BITS),
        }
    }

    /// Calls `visit` with each test of the next page, by its place in the page, and its byte.
    fn read(&mut self, mut visit: impl FnMut(u16, u8)) -> Result<(), ModelError> {
        let within = |test: TestId| {
            let [low, high, ..] = test.0.to_le_bytes();
            u16::from_le_bytes([low, high])
        };
        match self {
            Reader::Plain(pages) | Reader::Weighted(pages) => pages.read(|test, byte| visit(within(test), byte)),
            Reader::Given(tests, at) => {
                let page = tests[*at].0 >> PAGE_BITS;
                while let Some(test) = tests.get(*at).filter(|test| test.0 >> PAGE_BITS == page) {
                    visit(within(*test), 0);
                    *at += 1;
                }
                Ok(())
            }
        }
    }
}

/// Calls `visit` with each test that is on a list, ascending, and its entries. O(postings + pages x lists).
///
/// Lists that hold a test twice give it two entries; no list of a model does.
///
/// # Errors
/// If a list is damaged.
pub(crate) fn each_test(lists: &mut [Reader<'_>], mut visit: impl FnMut(TestId, &[Entry])) -> Result<(), ModelError> {
    let mut page = Page::default();
    while let Some(number) = lists.iter().filter_map(|list| list.page()).min() {
        for (at, list) in (0..).zip(lists.iter_mut()) {
            if list.page() == Some(number) {
                page.read(at, list)?;
            }
        }
        page.each_test(|within, entries| visit(TestId(number << PAGE_BITS | u32::from(within)), entries));
    }
    Ok(())
}

/// Pages with fewer postings are sorted: counting looks at every test of the page.
const COUNTED_FROM: usize = 1 << 15;

/// Pages with fewer postings are sorted by comparing: two passes over the bytes of a place have 512 counts to make.
const COMPARED_BELOW: usize = 1 << 7;

/// The postings of a page.
#[derive(Default)]
struct Page {
    /// Tests by their place in the page, list after list; and their entries.
    tests: Vec<u16>,
    /// What lists there are: where their tests end, and what bytes they have, if any.
    lists: Vec<(u32, usize, bool)>,
    bytes: Vec<u8>,
    /// Of each test of the page, how many entries it has, and then where they end.
    ends: Vec<u32>,
    entries: Vec<Entry>,
    pairs: Vec<(u16, Entry)>,
    spare: Vec<(u16, Entry)>,
}

impl Page {
    fn read(&mut self, number: u32, list: &mut Reader<'_>) -> Result<(), ModelError> {
        let has_bytes = matches!(list, Reader::Weighted(_));
        let (tests, bytes) = (&mut self.tests, &mut self.bytes);
        match has_bytes {
            true => list.read(|test, byte| {
                tests.push(test);
                bytes.push(byte);
            })?,
            false => list.read(|test, _| tests.push(test))?,
        }
        self.lists.push((number, self.tests.len(), has_bytes));
        Ok(())
    }

    /// Calls `visit` with each test and its entries, and forgets them.
    fn each_test(&mut self, visit: impl FnMut(u16, &[Entry])) {
        match self.tests.len() < COUNTED_FROM {
            true => self.each_sorted(visit),
            false => self.each_counted(visit),
        }
        self.tests.clear();
        self.lists.clear();
        self.bytes.clear();
    }

    /// Calls `put` with each posting, list after list.
    fn each_posting(&self, mut put: impl FnMut(u16, Entry)) {
        let (mut from, mut bytes) = (0, self.bytes.iter());
        for &(list, end, has_bytes) in &self.lists {
            for &test in &self.tests[from..end] {
                let byte = if has_bytes { bytes.next().copied().unwrap_or_default() } else { 0 };
                put(test, Entry::new(list, byte));
            }
            from = end;
        }
    }

    fn each_sorted(&mut self, mut visit: impl FnMut(u16, &[Entry])) {
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.clear();
        self.each_posting(|test, entry| pairs.push((test, entry)));
        match pairs.len() < COMPARED_BELOW {
            true => pairs.sort_unstable(),
            false => sort_by_test(&mut pairs, &mut self.spare),
        }
        for of_test in pairs.chunk_by(|a, b| a.0 == b.0) {
            self.entries.clear();
            self.entries.extend(of_test.iter().map(|&(_, entry)| entry));
            visit(of_test[0].0, &self.entries);
        }
        self.pairs = pairs;
    }

    fn each_counted(&mut self, mut visit: impl FnMut(u16, &[Entry])) {
        let mut ends = std::mem::take(&mut self.ends);
        let mut entries = std::mem::take(&mut self.entries);
        ends.clear();
        ends.resize(1 << PAGE_BITS, 0);
        self.tests.iter().for_each(|&test| ends[usize::from(test)] += 1);
        let mut sum = 0;
        for end in &mut ends {
            let count = *end;
            *end = sum;
            sum += count;
        }
        entries.resize(self.tests.len(), Entry(0));
        self.each_posting(|test, entry| {
            let end = &mut ends[usize::from(test)];
            entries[*end as usize] = entry;
            *end += 1;
        });
        let mut from = 0;
        for (test, &end) in (0..=u16::MAX).zip(&ends) {
            if from < end {
                visit(test, &entries[from as usize..end as usize]);
            }
            from = end;
        }
        (self.ends, self.entries) = (ends, entries);
    }
}

/// Sorts pairs by test in two passes, a byte each; those of a test stay in their order, which is that of lists.
fn sort_by_test(pairs: &mut Vec<(u16, Entry)>, spare: &mut Vec<(u16, Entry)>) {
    let mut ends = [[0u32; 256]; 2];
    for (test, _) in &*pairs {
        let [low, high] = test.to_le_bytes().map(usize::from);
        ends[0][low] += 1;
        ends[1][high] += 1;
    }
    for ends in &mut ends {
        let mut sum = 0;
        for end in ends {
            sum += std::mem::replace(end, sum);
        }
    }
    spare.resize(pairs.len(), (0, Entry(0)));
    for (byte, ends) in ends.iter_mut().enumerate() {
        for &pair in &*pairs {
            let end = &mut ends[usize::from(pair.0.to_le_bytes()[byte])];
            spare[*end as usize] = pair;
            *end += 1;
        }
        std::mem::swap(pairs, spare);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn given(tests: impl IntoIterator<Item = u32>) -> Reader<'static> {
        Reader::Given(tests.into_iter().map(TestId).collect(), 0)
    }

    proptest! {
        /// Few postings a page, which are sorted, and many, which are counted, of pages that some lists leave out.
        #[test]
        fn lists_of_tests_become_tests_with_their_lists(
            few in prop::collection::vec(prop::collection::btree_set(0u32..300_000, 0..40), 0..6),
            many in prop::collection::vec((0u32..200_000, 1u32..9, 0u32..20_000), 0..3),
        ) {
            let runs = many.iter().map(|&(from, step, count)| (0..count).map(|at| from + at * step).collect());
            let lists: Vec<Vec<u32>> = few.into_iter().map(|tests| tests.into_iter().collect()).chain(runs).collect();
            let mut want: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
            for (at, tests) in lists.iter().enumerate() {
                tests.iter().for_each(|&test| want.entry(test).or_default().push(at));
            }
            let mut found = Vec::new();
            let mut lists: Vec<Reader<'_>> = lists.into_iter().map(given).collect();
            each_test(&mut lists, |test, entries| {
                found.push((test.0, entries.iter().map(|entry| entry.list()).collect::<Vec<_>>()));
            })
            .unwrap();
            prop_assert_eq!(found, want.into_iter().collect::<Vec<_>>());
        }
    }
}
