//! Posting lists: the tests with a signal on a region, ascending, with one byte each.
//!
//! ```text
//! list    tag u8, count varint, signals, ids
//! tag     low 4 bits: encoding of the ids; 0x10: one signal byte holds for all, else there is one a test
//! ids     0 deltas: the first id, then each distance to the one before, varints
//!         1 roaring: a portable bitmap, to the end
//!         2 range: the first id, varint; the rest follow without a gap
//! ```
//!
//! The builder takes the shortest encoding of each list. Lists of at most twelve bytes live in their [`RawListRef`],
//! which is 16 bytes either way; larger ones are found, and checked, through it.

mod abreast;
mod pages;
mod roaring;

use ::roaring::RoaringBitmap;
use bytemuck::{Pod, Zeroable};

use super::bytes::{Cursor, checksum, put_varint};
use super::error::ModelError;
use crate::id::TestId;

pub(crate) use abreast::{Entry, Reader, each_test};
use pages::Pages;

const SECTION: &str = "postings";
const UNIFORM: u8 = 0x10;
const DELTAS: u8 = 0;
const ROARING: u8 = 1;
const RANGE: u8 = 2;
/// Top bit of a reference's length: the list is the reference's other twelve bytes.
pub(crate) const INLINE: u32 = 1 << 31;
/// Bytes of a list that fit its reference.
const INLINE_BYTES: usize = 12;

/// Where a list is. The record that holds the reference is checked by its own checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct RawListRef {
    /// Length in bytes, little-endian; with the top bit, the list itself is in `place`.
    length: [u8; 4],
    /// Offset in the postings section (8 bytes) and checksum (4 bytes), or up to twelve bytes of list.
    place: [u8; INLINE_BYTES],
}

/// A [`RawListRef`] as records hold it.
pub(crate) type ListRefBytes = [u8; 16];

/// One test and the byte that its test and region say: lines run, damped frequency, or declared signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Posting {
    /// The test.
    pub test: TestId,
    /// The byte, never 0.
    pub signal: u8,
}

/// Which encoding a list uses, for `inspect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// Distances as varints.
    Deltas,
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
    let ids = encode_ids(postings);
    let uniform = postings.iter().all(|p| p.signal == postings[0].signal);
    let mut out = vec![ids.0 | if uniform { UNIFORM } else { 0 }];
    put_varint(&mut out, postings.len() as u64);
    let signals = if uniform { &postings[..1] } else { postings };
    out.extend(signals.iter().map(|posting| posting.signal));
    out.extend(ids.1);
    out
}

fn encode_ids(postings: &[Posting]) -> (u8, Vec<u8>) {
    let first = postings[0].test.0;
    let last = postings[postings.len() - 1].test.0;
    let mut ids = Vec::new();
    if (last - first) as usize == postings.len() - 1 {
        put_varint(&mut ids, first.into());
        return (RANGE, ids);
    }
    let mut before = 0;
    for posting in postings {
        put_varint(&mut ids, (posting.test.0 - before).into());
        before = posting.test.0;
    }
    // Below this many tests a container's headers alone outweigh the distances.
    if postings.len() < 64 {
        return (DELTAS, ids);
    }
    let mut bitmap: RoaringBitmap = postings.iter().map(|posting| posting.test.0).collect();
    bitmap.optimize();
    if bitmap.serialized_size() >= ids.len() {
        return (DELTAS, ids);
    }
    ids.clear();
    bitmap.serialize_into(&mut ids).expect("writing to memory does not fail");
    (ROARING, ids)
}

impl RawListRef {
    /// A reference to an encoded list that is placed in the postings section by `place`, unless it fits in here.
    pub(crate) fn new(list: &[u8], place: impl FnOnce(&[u8]) -> u64) -> Self {
        let length = u32::try_from(list.len()).ok().filter(|&length| length < INLINE);
        // Below 2^30 tests: at most 2^30 signals, and 2^29 bytes or so of bitmap.
        let length = length.expect("a list of fewer than 2^30 tests is shorter than 2 GiB");
        let mut at = [0; INLINE_BYTES];
        if list.len() <= INLINE_BYTES {
            at[..list.len()].copy_from_slice(list);
            return Self { length: (length | INLINE).to_le_bytes(), place: at };
        }
        at[..8].copy_from_slice(&place(list).to_le_bytes());
        at[8..].copy_from_slice(&checksum(list, 0).to_le_bytes());
        Self { length: length.to_le_bytes(), place: at }
    }

    /// The reference that a record holds as `bytes`.
    pub(crate) fn from_bytes(bytes: &ListRefBytes) -> &Self {
        bytemuck::cast_ref(bytes)
    }

    /// The reference as a record holds it.
    pub(crate) fn to_bytes(self) -> ListRefBytes {
        bytemuck::cast(self)
    }

    /// Offset and length of the list in the postings section; `None` for a list that is inline.
    pub(crate) fn extent(&self) -> Option<(u64, u32)> {
        let mut offset = [0; 8];
        offset.copy_from_slice(&self.place[..8]);
        let length = u32::from_le_bytes(self.length);
        (length & INLINE == 0).then(|| (u64::from_le_bytes(offset), length))
    }

    fn bytes<'a>(&'a self, postings: &'a [u8]) -> Result<&'a [u8], ModelError> {
        let Some((offset, length)) = self.extent() else {
            let length = (u32::from_le_bytes(self.length) & !INLINE) as usize;
            return self.place.get(..length).ok_or_else(|| damaged("a list in a record is longer than twelve bytes"));
        };
        let list = usize::try_from(offset)
            .ok()
            .and_then(|offset| postings.get(offset..))
            .and_then(|rest| rest.get(..length as usize))
            .ok_or_else(|| damaged("a list lies outside it"))?;
        if checksum(list, 0).to_le_bytes() != self.place[8..] {
            return Err(damaged("the checksum of a list does not match"));
        }
        Ok(list)
    }
}

fn damaged(problem: &'static str) -> ModelError {
    ModelError::damaged(SECTION, problem)
}

/// The tests of a region, read in place.
#[derive(Clone, Copy, Debug)]
pub struct PostingList<'a> {
    count: u32,
    tests: u32,
    encoding: Encoding,
    uniform: bool,
    signals: &'a [u8],
    ids: &'a [u8],
}

impl<'a> PostingList<'a> {
    /// The list of no tests.
    pub(crate) const NONE: Self =
        Self { count: 0, tests: 0, encoding: Encoding::Deltas, uniform: true, signals: &[], ids: &[] };

    /// Reads the head of the list that `list` refers to; `tests` is the number of tests in the model.
    pub(crate) fn read(list: &'a RawListRef, postings: &'a [u8], tests: u32) -> Result<Self, ModelError> {
        let bytes = list.bytes(postings)?;
        if bytes.is_empty() {
            return Ok(Self { tests, ..Self::NONE });
        }
        Self::decode(bytes, tests).ok_or_else(|| damaged("the head of a list is malformed"))
    }

    fn decode(bytes: &'a [u8], tests: u32) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let tag = cursor.byte()?;
        let encoding = match tag & !UNIFORM {
            DELTAS => Encoding::Deltas,
            ROARING => Encoding::Roaring,
            RANGE => Encoding::Range,
            _ => return None,
        };
        let uniform = tag & UNIFORM != 0;
        let count = cursor.varint_u32().filter(|count| (1..=tests).contains(count))?;
        let signals = cursor.take(if uniform { 1 } else { count as usize })?;
        Some(Self { count, tests, encoding, uniform, signals, ids: cursor.rest() })
    }

    /// The number of tests.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How its ids are stored.
    pub fn encoding(&self) -> Encoding {
        self.encoding
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
    damaged("the ids of a list are malformed")
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
            let list = PostingList::read(&reference, &section, TESTS).unwrap();
            prop_assert_eq!(list.count() as usize, want.len());
            prop_assert_eq!(list.to_vec().unwrap(), want);
        }

        #[test]
        fn any_bytes_are_a_list_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let (reference, section) = place(&bytes);
            if let Ok(list) = PostingList::read(&reference, &section, TESTS)
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
            (PostingList::read(&reference, &section, TESTS).unwrap().encoding(), section.len() == 3)
        };
        assert_eq!(encoding(list(vec![5, 900, 150_000])), (Encoding::Deltas, true));
        assert_eq!(encoding(list((100..100_000).collect())), (Encoding::Range, true));
        assert_eq!(encoding(list((0..100_000).filter(|i| i % 3 != 0).collect())), (Encoding::Roaring, false));
        assert_eq!(encoding(list((0..60).map(|i| i * 31).collect())), (Encoding::Deltas, false));
    }

    #[test]
    fn a_flipped_list_is_noticed() {
        let want: Vec<Posting> = (0..100).map(|i| Posting { test: TestId(i * i), signal: 1 }).collect();
        let (reference, section) = place(&encode(&want));
        for at in 3..section.len() {
            let mut flipped = section.clone();
            flipped[at] ^= 1;
            assert!(PostingList::read(&reference, &flipped, TESTS).is_err(), "byte {at}");
        }
    }
}
