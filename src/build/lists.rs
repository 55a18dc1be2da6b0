//! The postings section as it grows: equal lists are stored once.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::id::TestId;
use crate::model::Posting;
use crate::model::postings::{self, RawListRef};

/// Lists in the order in which they were first asked for, so that the lists of a file lie together.
#[derive(Debug, Default)]
pub(super) struct Lists {
    section: Vec<u8>,
    /// Where the list with this hash begins; of different lists with one hash, the first.
    known: HashMap<u64, usize>,
}

impl Lists {
    /// A reference to these postings, ascending by test.
    pub(super) fn place(&mut self, list: &[Posting]) -> RawListRef {
        RawListRef::new(&postings::encode(list), |bytes| {
            let end = self.section.len();
            let offset = *self.known.entry(xxh3_64(bytes)).or_insert(end);
            if self.section[offset..].starts_with(bytes) {
                return offset as u64;
            }
            self.section.extend_from_slice(bytes);
            end as u64
        })
    }

    /// As [`Lists::place`], with 1 as every test's byte.
    pub(super) fn place_tests(&mut self, tests: &[TestId]) -> RawListRef {
        let list: Vec<Posting> = tests.iter().map(|&test| Posting { test, signal: 1 }).collect();
        self.place(&list)
    }

    pub(super) fn into_section(self) -> Vec<u8> {
        self.section
    }
}
