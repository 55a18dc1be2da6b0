//! A posting list read page by page: all lists of a question move through the tests side by side, so that what is known of
//! the tests of a page stays in the cache, whatever the number of lists.
//!
//! A page is what a container of a roaring bitmap holds, 65,536 tests. Nothing is decoded twice, and nothing is kept of a
//! page but where the next one begins. Ids ascend, are below the number of tests, and are exactly as many as the list
//! claims, or reading ends with an error.

use super::super::bytes::Cursor;
use super::super::error::ModelError;
use super::roaring::Containers;
use super::{Encoding, PostingList, malformed};
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
    /// The byte of all postings, or 0 and those of the postings that are left.
    signal: u8,
    signals: &'a [u8],
}

#[derive(Clone, Debug)]
enum Ids<'a> {
    /// The next id, and the distances to those after it.
    Deltas(u32, Cursor<'a>),
    Roaring(Containers<'a>),
    /// The next id.
    Range(u32),
}

impl<'a> Pages<'a> {
    pub(super) fn new(list: &PostingList<'a>) -> Option<Self> {
        let mut cursor = Cursor::new(list.ids);
        let ids = match list.encoding {
            _ if list.count == 0 => Ids::Range(0),
            Encoding::Deltas => Ids::Deltas(cursor.varint_u32()?, cursor),
            Encoding::Roaring => Ids::Roaring(Containers::new(list.ids)?),
            Encoding::Range => {
                let first = cursor.varint_u32()?;
                let fits = first.checked_add(list.count).is_some_and(|end| end <= list.tests);
                (fits && cursor.is_empty()).then_some(Ids::Range(first))?
            }
        };
        let signal =
            if list.uniform && list.count > 0 { Some(list.signals[0]).filter(|&signal| signal > 0)? } else { 0 };
        Some(Self { ids, left: list.count, tests: list.tests, signal, signals: list.signals })
    }

    /// The page of the next posting; `None` after the last.
    #[inline]
    pub(crate) fn page(&self) -> Option<u32> {
        let next = match &self.ids {
            _ if self.left == 0 => return None,
            Ids::Deltas(next, _) | Ids::Range(next) => next >> PAGE_BITS,
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
        let whole = match self.signal {
            _ if self.left == 0 => Some(()),
            0 => {
                let mut signals = self.signals.iter();
                let whole = read_ids(&mut self.ids, &mut self.left, self.tests, |test| {
                    let &signal = signals.next().filter(|&&signal| signal > 0)?;
                    visit(TestId(test), signal);
                    Some(())
                });
                self.signals = signals.as_slice();
                whole
            }
            signal => read_ids(&mut self.ids, &mut self.left, self.tests, |test| {
                visit(TestId(test), signal);
                Some(())
            }),
        };
        whole.ok_or_else(malformed)
    }
}

fn last_of_page(test: u32) -> u32 {
    test | ((1 << PAGE_BITS) - 1)
}

/// The ids of the next page, where some are left. Each is checked against the number of tests before it is visited.
#[inline]
fn read_ids(ids: &mut Ids<'_>, left: &mut u32, tests: u32, mut visit: impl FnMut(u32) -> Option<()>) -> Option<()> {
    match ids {
        Ids::Deltas(next, distances) => deltas(next, distances, left, tests, visit),
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
        Ids::Range(next) => {
            let last = (*next + (*left - 1)).min(last_of_page(*next));
            for test in *next..=last {
                visit(test)?;
            }
            *left -= last - *next + 1;
            *next = last.saturating_add(1);
            Some(())
        }
    }
}

#[inline]
fn deltas(
    next: &mut u32,
    distances: &mut Cursor<'_>,
    left: &mut u32,
    tests: u32,
    mut visit: impl FnMut(u32) -> Option<()>,
) -> Option<()> {
    let last = last_of_page(*next).min(tests.checked_sub(1)?);
    let (mut test, mut rest, mut to_come) = (*next, *distances, *left);
    while test <= last {
        visit(test)?;
        to_come -= 1;
        if to_come == 0 {
            *left = 0;
            return rest.is_empty().then_some(());
        }
        let distance = rest.varint_u32()?;
        test = test.checked_add(distance).filter(|_| distance > 0)?;
    }
    (*next, *distances, *left) = (test, rest, to_come);
    (test < tests).then_some(())
}
