//! From lists of tests to tests with their lists: which of the lists of a question each test is on.
//!
//! The lists move through the tests side by side, a page at a time ([`Pages`](crate::model::Pages)), so that what is known of a
//! page stays in the cache. Tests on the same lists have one *profile*: a change that everything depends on reaches a million
//! tests and has some hundred thousand profiles, and whatever follows from the lists alone is computed once for each.

use super::question::{List, Reader};
use crate::id::TestId;
use crate::model::{ModelError, PAGE_BITS};

/// That a test is on a list, and its byte where bytes tell tests apart. Ordered by list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry(u32);

impl Entry {
    fn new(list: u32, byte: u8) -> Self {
        Self(list << 8 | u32::from(byte))
    }

    /// The list, a position in its question.
    #[inline]
    pub(super) fn list(self) -> usize {
        (self.0 >> 8) as usize
    }

    /// The byte of the test, 0 where bytes say nothing.
    #[inline]
    pub(super) fn byte(self) -> u8 {
        self.0.to_le_bytes()[0]
    }
}

/// Distinct profiles, numbered as they come.
pub(super) struct Profiles {
    /// `entries[starts[profile]..starts[profile + 1]]`, ascending.
    starts: Vec<u32>,
    entries: Vec<Entry>,
    /// An open hash table, of a power of two slots.
    slots: Vec<Slot>,
}

/// A half of a profile's hash, and its number + 1; 0 where no profile is.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    tag: u32,
    next: u32,
}

impl Profiles {
    pub(super) fn new() -> Self {
        Self { starts: vec![0], entries: Vec::new(), slots: vec![Slot::default(); 64] }
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The entries of a profile, ascending.
    #[inline]
    pub(super) fn entries(&self, profile: usize) -> &[Entry] {
        &self.entries[self.starts[profile] as usize..self.starts[profile + 1] as usize]
    }

    /// The number of the profile with these entries.
    #[inline]
    pub(super) fn number(&mut self, entries: &[Entry]) -> usize {
        let (mut at, tag) = hash_of(entries);
        let mask = self.slots.len() - 1;
        loop {
            let slot = self.slots[at & mask];
            let Some(profile) = (slot.next as usize).checked_sub(1) else {
                return self.add(entries, at & mask, tag);
            };
            if slot.tag == tag && self.entries(profile) == entries {
                return profile;
            }
            at += 1;
        }
    }

    fn add(&mut self, entries: &[Entry], at: usize, tag: u32) -> usize {
        let profile = self.len();
        self.entries.extend_from_slice(entries);
        self.starts.push(position(self.entries.len()));
        self.slots[at] = Slot { tag, next: position(profile + 1) };
        if self.len() * 2 > self.slots.len() {
            self.grow();
        }
        profile
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 4 - 1;
        let mut slots = vec![Slot::default(); mask + 1];
        for profile in 0..self.len() {
            let (mut at, tag) = hash_of(self.entries(profile));
            while slots[at & mask].next != 0 {
                at += 1;
            }
            slots[at & mask] = Slot { tag, next: position(profile + 1) };
        }
        self.slots = slots;
    }
}

/// Multiplied and folded, one entry after the other, as two halves: well spread is enough, for entries are compared.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is meant")]
fn hash_of(entries: &[Entry]) -> (usize, u32) {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |hash: u64, entry: &Entry| (hash.rotate_left(23) ^ u64::from(entry.0)).wrapping_mul(ODD);
    let hash = entries.iter().fold(entries.len() as u64, step);
    let hash = (hash ^ hash >> 32).wrapping_mul(ODD);
    ((hash >> 32) as usize, hash as u32)
}

/// A count of signals, which are fewer than 2^32.
pub(super) fn position(count: usize) -> u32 {
    u32::try_from(count).expect("postings are counted against a limit far below")
}

impl Reader<'_> {
    /// The page of the next test; `None` after the last.
    fn page(&self) -> Option<u32> {
        match self {
            Reader::Stored(pages) => pages.page(),
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
            Reader::Stored(pages) => pages.read(|test, byte| visit(within(test), byte)),
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
/// # Errors
/// If a list is damaged.
pub(super) fn each_test(lists: &mut [List<'_>], mut visit: impl FnMut(TestId, &[Entry])) -> Result<(), ModelError> {
    let mut page = Page::default();
    while let Some(number) = lists.iter().filter_map(|list| list.reader.page()).min() {
        for (at, list) in (0..).zip(lists.iter_mut()) {
            if list.reader.page() == Some(number) {
                page.read(at, list)?;
            }
        }
        page.each_test(|within, entries| visit(TestId(number << PAGE_BITS | u32::from(within)), entries));
    }
    Ok(())
}

/// Pages with fewer postings are sorted: counting looks at every test of the page.
const COUNTED_FROM: usize = 1 << 12;

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
}

impl Page {
    fn read(&mut self, number: u32, list: &mut List<'_>) -> Result<(), ModelError> {
        let (tests, bytes) = (&mut self.tests, &mut self.bytes);
        match list.has_levels {
            true => list.reader.read(|test, byte| {
                tests.push(test);
                bytes.push(byte);
            })?,
            false => list.reader.read(|test, _| tests.push(test))?,
        }
        self.lists.push((number, self.tests.len(), list.has_levels));
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
        for &(list, end, has_levels) in &self.lists {
            for &test in &self.tests[from..end] {
                let byte = if has_levels { bytes.next().copied().unwrap_or_default() } else { 0 };
                put(test, Entry::new(list, byte));
            }
            from = end;
        }
    }

    fn each_sorted(&mut self, mut visit: impl FnMut(u16, &[Entry])) {
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.clear();
        self.each_posting(|test, entry| pairs.push((test, entry)));
        pairs.sort_unstable();
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn given(tests: impl IntoIterator<Item = u32>) -> List<'static> {
        let tests = tests.into_iter().map(TestId).collect();
        List { reader: Reader::Given(tests, 0), has_levels: false, parts: Vec::new(), way: None }
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
            let mut lists: Vec<List<'_>> = lists.into_iter().map(given).collect();
            each_test(&mut lists, |test, entries| {
                found.push((test.0, entries.iter().map(|entry| entry.list()).collect::<Vec<_>>()));
            })
            .unwrap();
            prop_assert_eq!(found, want.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn equal_profiles_have_one_number(sets in prop::collection::vec(prop::collection::vec(0u32..12, 0..4), 0..500)) {
            let mut profiles = Profiles::new();
            let mut want: Vec<Vec<Entry>> = Vec::new();
            for set in sets {
                let entries: Vec<Entry> = set.into_iter().map(|list| Entry::new(list, 0)).collect();
                let number = want.iter().position(|known| *known == entries).unwrap_or(want.len());
                if number == want.len() {
                    want.push(entries.clone());
                }
                prop_assert_eq!(profiles.number(&entries), number);
                prop_assert_eq!(profiles.entries(number), &entries[..]);
            }
            prop_assert_eq!(profiles.len(), want.len());
        }
    }
}
