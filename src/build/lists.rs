//! The postings section as it grows: equal lists are stored once.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_128;

use crate::id::TestId;
use crate::model::Posting;
use crate::model::postings::{self, RawListRef};

/// Lists in the order in which they were first asked for, so that the lists of a file lie together.
#[derive(Debug, Default)]
pub(super) struct Lists {
    section: Vec<u8>,
    known: HashMap<u128, Vec<(usize, usize)>>,
}

impl Lists {
    /// A reference to these postings, ascending by test.
    pub(super) fn place(&mut self, list: &[Posting]) -> RawListRef {
        RawListRef::new(&postings::encode(list), |bytes| {
            let known = self.known.entry(xxh3_128(bytes)).or_default();
            let same = known.iter().find(|&&(offset, length)| self.section[offset..offset + length] == *bytes);
            if let Some(&(offset, _)) = same {
                return offset as u64;
            }
            let offset = self.section.len();
            known.push((offset, bytes.len()));
            self.section.extend_from_slice(bytes);
            offset as u64
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
