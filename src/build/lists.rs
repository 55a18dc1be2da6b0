//! A section of posting lists as it is written: equal lists are stored once.

use std::collections::HashMap;
use std::io::{self, Seek, Write};

use xxhash_rust::xxh3::xxh3_128;

use crate::id::TestId;
use crate::model::Posting;
use crate::model::layout::Writer;
use crate::model::postings::{Place, RawListRef, Stored, encode};
use crate::model::vocabulary::INLINE_MOST;

/// A list that is ready to be written.
#[derive(Debug)]
pub(super) struct Encoded {
    bytes: Vec<u8>,
    hash: u128,
}

impl Encoded {
    /// These postings, ascending by test.
    pub(super) fn new(list: &[Posting]) -> Self {
        let bytes = encode(list);
        Self { hash: xxh3_128(&bytes), bytes }
    }

    /// These tests, ascending, each with 1 as its byte.
    pub(super) fn of_tests(tests: &[TestId]) -> Self {
        let list: Vec<Posting> = tests.iter().map(|&test| Posting { test, signal: 1 }).collect();
        Self::new(&list)
    }
}

/// Lists in the order in which they were first asked for, so that the lists of a file lie together.
///
/// What was written is told by its 128-bit hash: 2^-128 is the chance that two different lists pass for one.
#[derive(Debug, Default)]
pub(super) struct Lists {
    known: HashMap<u128, u64>,
}

impl Lists {
    /// A reference to a list in the section that is open.
    pub(super) fn place<W: Write + Seek>(&mut self, list: &Encoded, out: &mut Writer<W>) -> io::Result<RawListRef> {
        let mut written = Ok(());
        let place = RawListRef::new(&list.bytes, |_| self.offset_of(list, out, &mut written));
        written.map(|()| place)
    }

    /// A list of a word: in the section that is open, unless it is short enough to stand beside the word.
    pub(super) fn store<W: Write + Seek>(&mut self, list: Encoded, out: &mut Writer<W>) -> io::Result<Stored> {
        if list.bytes.len() <= INLINE_MOST {
            return Ok(Stored::Inline(list.bytes));
        }
        let mut written = Ok(());
        let place = Place::new(&list.bytes, |_| self.offset_of(&list, out, &mut written));
        written.map(|()| Stored::Placed(place))
    }

    /// Where a list is in the section, which it is appended to unless it is there.
    fn offset_of<W: Write + Seek>(&mut self, list: &Encoded, out: &mut Writer<W>, written: &mut io::Result<()>) -> u64 {
        *self.known.entry(list.hash).or_insert_with(|| {
            let offset = out.section_bytes();
            *written = out.append(&list.bytes);
            offset
        })
    }
}
