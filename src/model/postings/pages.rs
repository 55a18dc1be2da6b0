//! A posting list read page by page: all lists of a question move through the tests side by side, so that what is known of
//! the tests of a page stays in the cache, whatever the number of lists.
//!
//! A page is what a container of a roaring bitmap holds, 65,536 tests. Nothing is decoded twice, and nothing is kept of a
//! page but where the next one begins. Ids ascend, are below the number of tests, and are exactly as many as the list
//! claims, or reading ends with an error.

use std::ops::Range;

use super::super::bytes::Cursor;
use super::super::error::ModelError;
use super::nibbles::Runs;
use super::roaring::Containers;
use super::{Encoding, PostingList, Signals, malformed};
use crate::id::TestId;

/// A page holds the tests whose ids are the same above this many bits.
pub(crate) const PAGE_BITS: u32 = 16;

/// A list, read up to some page.
#[derive(Clone, Debug)]
pub(crate) struct Pages<'a> {
    ids: Ids<'a>,
    /// How many postings are left.
    left: u32,
    /// Where ids end.
    tests: u32,
    /// The bytes of the postings that are left.
    signals: Signals<'a>,
}

#[derive(Clone, Debug)]
enum Ids<'a> {
    /// What is left of a run, which is not empty while postings are left, and the runs after it.
    Runs(Range<u32>, Runs<'a>),
    Roaring(Containers<'a>),
}

impl<'a> Pages<'a> {
    pub(super) fn new(list: &PostingList<'a>) -> Option<Self> {
        let ids = match list.encoding {
            _ if list.count == 0 => Ids::Runs(0..0, Runs::new(&[])),
            Encoding::Roaring => Ids::Roaring(Containers::new(list.ids)?),
            Encoding::Runs => {
                let mut runs = Runs::new(list.ids);
                Ids::Runs(next_run(&mut runs, list.count, list.tests)?, runs)
            }
            Encoding::Range => {
                let mut cursor = Cursor::new(list.ids);
                let first = cursor.varint_u32()?;
                let end = first.checked_add(list.count).filter(|&end| end <= list.tests && cursor.is_empty())?;
                Ids::Runs(first..end, Runs::new(&[]))
            }
        };
        Some(Self { ids, left: list.count, tests: list.tests, signals: list.signals })
    }

    /// The page of the next posting; `None` after the last.
    #[inline]
    pub(crate) fn page(&self) -> Option<u32> {
        let next = match &self.ids {
            _ if self.left == 0 => return None,
            Ids::Runs(run, _) => run.start >> PAGE_BITS,
            // What is left without a container is found to be damage when it is read.
            Ids::Roaring(containers) => containers.key().unwrap_or(u16::MAX).into(),
        };
        Some(next)
    }

    /// Calls `visit` with each posting of the next page, ascending by test, and its byte.
    ///
    /// # Errors
    /// As [`PostingList::for_each`].
    #[inline]
    pub(crate) fn read(&mut self, mut visit: impl FnMut(TestId, u8)) -> Result<(), ModelError> {
        let Self { ids, left, tests, signals } = self;
        let whole = match signals {
            _ if *left == 0 => Some(()),
            Signals::One(signal) => read_ids(ids, left, *tests, |test| {
                visit(TestId(test), *signal);
                Some(())
            }),
            Signals::Bytes(bytes) => {
                let mut signals = bytes.iter();
                let whole = read_ids(ids, left, *tests, |test| {
                    visit(TestId(test), *signals.next()?);
                    Some(())
                });
                *bytes = signals.as_slice();
                whole
            }
            Signals::Palette(signals) => read_ids(ids, left, *tests, |test| {
                visit(TestId(test), signals.next()?);
                Some(())
            })
            .filter(|()| *left > 0 || signals.is_done()),
        };
        whole.ok_or_else(malformed)
    }
}

/// The next run of a list, of which so many ids are left.
fn next_run(runs: &mut Runs<'_>, left: u32, tests: u32) -> Option<Range<u32>> {
    runs.next().filter(|run| run.end <= tests && run.end - run.start <= left)
}

fn last_of_page(test: u32) -> u32 {
    test | ((1 << PAGE_BITS) - 1)
}

/// The ids of the next page, where some are left. Each is checked against the number of tests before it is visited.
#[inline]
fn read_ids(ids: &mut Ids<'_>, left: &mut u32, tests: u32, mut visit: impl FnMut(u32) -> Option<()>) -> Option<()> {
    match ids {
        Ids::Runs(run, runs) => read_runs(run, runs, left, tests, visit),
        Ids::Roaring(containers) => {
            let base = u32::from(containers.key()?) << PAGE_BITS;
            let mut seen = 0u32;
            containers.read(|low| {
                let test = base | u32::from(low);
                seen += 1;
                if test >= tests { None } else { visit(test) }
            })?;
            *left = left.checked_sub(seen)?;
            // The last container ends the list.
            ((*left == 0) == containers.is_over()).then_some(())
        }
    }
}

#[inline]
fn read_runs(
    run: &mut Range<u32>,
    runs: &mut Runs<'_>,
    left: &mut u32,
    tests: u32,
    mut visit: impl FnMut(u32) -> Option<()>,
) -> Option<()> {
    let last = last_of_page(run.start);
    while run.start <= last {
        // A page ends where a u32 may: the last test is below it.
        let end = run.end.min(last.saturating_add(1));
        for test in run.start..end {
            visit(test)?;
        }
        *left -= end - run.start;
        run.start = end;
        if *left == 0 {
            return runs.is_done().then_some(());
        }
        if run.start == run.end {
            *run = next_run(runs, *left, tests)?;
        }
    }
    Some(())
}
