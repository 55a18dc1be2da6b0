//! Posting lists: the tests with a signal on a region, ascending, with one byte each.
//!
//! ```text
//! list     tag u8, [count varint], signals, ids
//! tag      bits 0-1: how the ids are stored; bits 2-3: how the signals are; bits 4-7: the count, 0 where it follows
//! signals  0 all are 1; 1 all are the u8 that follows; 2 one u8 a test;
//!          3 palette: its size u8, its bytes, the length of a signal list as varint, the signal list
//! ids      0 runs: a run list, to the end
//!          1 roaring: a portable bitmap, to the end
//!          2 range: the first id as varint; the rest follow without a gap
//! ```
//!
//! Run lists and signal lists are those of [`nibbles`]. The builder takes the shortest form of each list; but from
//! [`BITMAP_LEAST`] tests on, where it is read two to three times as fast as a run list, a bitmap may be up to twice as long.

mod abreast;
mod nibbles;
pub(crate) mod packed;
mod pages;
mod reference;
mod roaring;

use ::roaring::RoaringBitmap;

use super::bytes::{Cursor, put_varint};
use super::error::ModelError;
use crate::id::TestId;

pub(crate) use abreast::{Entry, Reader, each_test};
use pages::Pages;
pub(crate) use reference::{INLINE, ListAt, Place, RawListRef, Stored};

const SECTION: &str = "postings";
const RUNS: u8 = 0;
const ROARING: u8 = 1;
const RANGE: u8 = 2;
const ONES: u8 = 0 << 2;
const ONE: u8 = 1 << 2;
const BYTES: u8 = 2 << 2;
const PALETTE: u8 = 3 << 2;
/// Counts up to here are in the tag.
const COUNT_MOST: usize = 15;
/// A bitmap is never the shorter one below this many tests: half bytes beat the two bytes of an array container.
const BITMAP_LEAST: usize = 4096;
/// How many times as long as a run list a bitmap may be.
const BITMAP_LONGER: usize = 2;

/// One test and the byte that its test and region say: lines run, damped frequency, or declared signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Posting {
    /// The test.
    pub test: TestId,
    /// The byte, never 0.
    pub signal: u8,
}

/// How the ids of a list are stored, for `inspect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// Runs of tests and the gaps between them.
    Runs,
    /// A portable roaring bitmap.
    Roaring,
    /// Consecutive tests.
    Range,
}

/// Encodes postings, ascending by test and without repeats, in the shortest form.
pub(crate) fn encode(postings: &[Posting]) -> Vec<u8> {
    debug_assert!(postings.is_sorted_by(|a, b| a.test < b.test));
    if postings.is_empty() {
        return Vec::new();
    }
    let (signals_tag, signals) = encode_signals(postings);
    let (ids_tag, ids) = encode_ids(postings);
    let in_tag = u8::try_from(postings.len()).ok().filter(|&count| usize::from(count) <= COUNT_MOST);
    let mut out = vec![ids_tag | signals_tag | in_tag.unwrap_or(0) << 4];
    if in_tag.is_none() {
        put_varint(&mut out, postings.len() as u64);
    }
    out.extend(signals);
    out.extend(ids);
    out
}

fn encode_signals(postings: &[Posting]) -> (u8, Vec<u8>) {
    let signals = || postings.iter().map(|posting| posting.signal);
    let first = postings[0].signal;
    if signals().all(|signal| signal == first) {
        return if first == 1 { (ONES, Vec::new()) } else { (ONE, vec![first]) };
    }
    let palette = palette(postings);
    let list = nibbles::encode_signals(signals(), &palette);
    let mut out = vec![u8::try_from(palette.len()).expect("a signal is one of 255 bytes")];
    out.extend(palette);
    put_varint(&mut out, list.len() as u64);
    out.extend(list);
    if out.len() < postings.len() { (PALETTE, out) } else { (BYTES, signals().collect()) }
}

/// The signals of a list, those of the most runs first: their positions are small numbers.
fn palette(postings: &[Posting]) -> Vec<u8> {
    let mut runs = [0u32; 256];
    nibbles::each_run(postings.iter().map(|p| p.signal), |a, b| a == b, |signal, _| runs[usize::from(signal)] += 1);
    let mut palette: Vec<u8> = (1..=u8::MAX).filter(|&signal| runs[usize::from(signal)] > 0).collect();
    palette.sort_by_key(|&signal| std::cmp::Reverse(runs[usize::from(signal)]));
    palette
}

fn encode_ids(postings: &[Posting]) -> (u8, Vec<u8>) {
    let ids = || postings.iter().map(|posting| posting.test.0);
    let (first, last) = (postings[0].test.0, postings[postings.len() - 1].test.0);
    if (last - first) as usize == postings.len() - 1 {
        let mut range = Vec::new();
        put_varint(&mut range, first.into());
        return (RANGE, range);
    }
    let runs = nibbles::encode_ids(ids());
    if postings.len() < BITMAP_LEAST {
        return (RUNS, runs);
    }
    let mut bitmap: RoaringBitmap = ids().collect();
    bitmap.optimize();
    if bitmap.serialized_size() > BITMAP_LONGER * runs.len() {
        return (RUNS, runs);
    }
    let mut bytes = Vec::with_capacity(bitmap.serialized_size());
    bitmap.serialize_into(&mut bytes).expect("writing to memory does not fail");
    (ROARING, bytes)
}

fn damaged(problem: &'static str) -> ModelError {
    ModelError::damaged(SECTION, problem)
}

/// The bytes of a list's tests.
#[derive(Clone, Copy, Debug)]
enum Signals<'a> {
    One(u8),
    Bytes(&'a [u8]),
    Palette(nibbles::Signals<'a>),
}

/// The tests of a region, read in place.
#[derive(Clone, Copy, Debug)]
pub struct PostingList<'a> {
    count: u32,
    tests: u32,
    bytes: u32,
    encoding: Encoding,
    signals: Signals<'a>,
    ids: &'a [u8],
}

impl<'a> PostingList<'a> {
    /// The list of no tests.
    pub(crate) const NONE: Self =
        Self { count: 0, tests: 0, bytes: 0, encoding: Encoding::Runs, signals: Signals::One(1), ids: &[] };

    /// Reads the head of the list that lies at `list`; `tests` is the number of tests in the model.
    pub(crate) fn read(list: ListAt<'a>, postings: &'a [u8], tests: u32) -> Result<Self, ModelError> {
        let bytes = list.bytes(postings)?;
        if bytes.is_empty() {
            return Ok(Self { tests, ..Self::NONE });
        }
        Self::decode(bytes, tests).ok_or_else(|| damaged("the head of a list is malformed"))
    }

    fn decode(bytes: &'a [u8], tests: u32) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let tag = cursor.byte()?;
        let encoding = match tag & 3 {
            RUNS => Encoding::Runs,
            ROARING => Encoding::Roaring,
            RANGE => Encoding::Range,
            _ => return None,
        };
        let count = if tag >> 4 > 0 { u32::from(tag >> 4) } else { cursor.varint_u32()? };
        if !(1..=tests).contains(&count) {
            return None;
        }
        let signals = match tag & PALETTE {
            ONES => Signals::One(1),
            ONE => Signals::One(cursor.byte().filter(|&signal| signal > 0)?),
            BYTES => Signals::Bytes(cursor.take(count as usize).filter(|signals| !signals.contains(&0))?),
            _ => {
                let size = usize::from(cursor.byte()?);
                let palette = cursor.take(size).filter(|palette| !palette.is_empty() && !palette.contains(&0))?;
                let length = cursor.varint_usize()?;
                Signals::Palette(nibbles::Signals::new(palette, cursor.take(length)?))
            }
        };
        let bytes = u32::try_from(bytes.len()).ok()?;
        Some(Self { count, tests, bytes, encoding, signals, ids: cursor.rest() })
    }

    /// The number of tests.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How its ids are stored.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The bytes that it takes, its reference apart.
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// The portable bitmap of its tests, where they are stored as one.
    pub(crate) fn bitmap(&self) -> Option<&'a [u8]> {
        (self.encoding == Encoding::Roaring).then_some(self.ids)
    }

    /// Calls `visit` with each posting, ascending by test.
    ///
    /// # Errors
    /// If the ids do not ascend, reach past the tests, or are not as many as the list claims; postings before the damage
    /// have been visited by then, so whoever collects them drops them on an error.
    pub fn for_each(&self, mut visit: impl FnMut(Posting)) -> Result<(), ModelError> {
        let mut pages = self.pages()?;
        while pages.page().is_some() {
            pages.read(|test, signal| visit(Posting { test, signal }))?;
        }
        Ok(())
    }

    /// The postings page by page.
    ///
    /// # Errors
    /// If the ids are malformed at once.
    pub(crate) fn pages(&self) -> Result<Pages<'a>, ModelError> {
        Pages::new(self).ok_or_else(malformed)
    }

    /// All postings, ascending by test.
    ///
    /// # Errors
    /// As [`PostingList::for_each`].
    pub fn to_vec(self) -> Result<Vec<Posting>, ModelError> {
        let mut all = Vec::new();
        self.for_each(|posting| all.push(posting))?;
        Ok(all)
    }
}

fn malformed() -> ModelError {
    damaged("the ids or signals of a list are malformed")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TESTS: u32 = 200_000;

    fn postings() -> impl Strategy<Value = Vec<Posting>> {
        let ids = prop_oneof![
            proptest::collection::btree_set(0..TESTS, 0..6),
            proptest::collection::btree_set(0..TESTS, 0..500),
            (0..100_000u32, 1..90_000u32).prop_map(|(from, n)| (from..from + n).collect()),
            (0..1000u32, 1..9_000u32, 2..9u32).prop_map(|(from, n, step)| (0..n).map(|i| from + i * step).collect()),
        ];
        (ids, 1u8..=255, any::<bool>()).prop_map(|(ids, signal, uniform)| {
            let vary = |at: usize| if uniform { signal } else { 1 + (at % 255) as u8 };
            ids.into_iter().enumerate().map(|(at, id)| Posting { test: TestId(id), signal: vary(at) }).collect()
        })
    }

    fn place(list: &[u8]) -> (RawListRef, Vec<u8>) {
        let mut section = vec![7; 3];
        let reference = RawListRef::new(list, |list| {
            let at = section.len() as u64;
            section.extend_from_slice(list);
            at
        });
        (reference, section)
    }

    proptest! {
        #[test]
        fn lists_come_back(want in postings()) {
            let (reference, section) = place(&encode(&want));
            let list = PostingList::read(reference.at().unwrap(), &section, TESTS).unwrap();
            prop_assert_eq!(list.count() as usize, want.len());
            prop_assert_eq!(list.to_vec().unwrap(), want);
        }

        #[test]
        fn any_bytes_are_a_list_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let (reference, section) = place(&bytes);
            if let Ok(list) = PostingList::read(reference.at().unwrap(), &section, TESTS)
                && let Ok(found) = list.to_vec()
            {
                prop_assert!(found.is_sorted_by(|a, b| a.test < b.test));
                prop_assert!(found.iter().all(|p| p.test.0 < TESTS && p.signal > 0));
            }
        }
    }

    #[test]
    fn each_encoding_is_chosen_where_it_is_shortest() {
        let list =
            |ids: Vec<u32>| ids.into_iter().map(|id| Posting { test: TestId(id), signal: 1 }).collect::<Vec<_>>();
        let encoding = |postings: Vec<Posting>| {
            let (reference, section) = place(&encode(&postings));
            (PostingList::read(reference.at().unwrap(), &section, TESTS).unwrap().encoding(), section.len() == 3)
        };
        assert_eq!(encoding(list(vec![5, 900, 150_000])), (Encoding::Runs, true));
        assert_eq!(encoding(list((100..100_000).collect())), (Encoding::Range, true));
        assert_eq!(encoding(list((0..100_000).filter(|i| i % 3 != 0).collect())), (Encoding::Roaring, false));
        assert_eq!(
            encoding(list((0..4_800).map(|i| i * 41).collect())),
            (Encoding::Roaring, false),
            "not twice as long"
        );
        assert_eq!(encoding(list((0..4_000).map(|i| i * 31).collect())), (Encoding::Runs, false));
        assert_eq!(encoding(list((0..60).map(|i| i * 31).collect())), (Encoding::Runs, false));
    }

    #[test]
    fn a_flipped_list_is_noticed() {
        for (ids, step) in [(0..100, 1), (30_000..40_000, 97)] {
            let want: Vec<Posting> = ids.map(|i: u32| Posting { test: TestId(i * i % TESTS), signal: 1 }).collect();
            let want: Vec<Posting> = want.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
            let (reference, section) = place(&encode(&want));
            for at in (3..section.len()).step_by(step) {
                let mut flipped = section.clone();
                flipped[at] ^= 1;
                assert!(PostingList::read(reference.at().unwrap(), &flipped, TESTS).is_err(), "byte {at}");
            }
        }
    }
}
