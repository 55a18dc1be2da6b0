//! The words of all tests, turned around: for each word the tests that have it.

use std::collections::BTreeMap;

use super::Order;
use super::lists::Lists;
use crate::model::root::Root;
use crate::model::vocabulary::{self, RawWord};
use crate::model::{Posting, chunk, dequantize_count, quantize_count};
use crate::observation::Observations;
use crate::words::{Word, test_words};

/// The sections of the vocabulary.
pub(super) struct Vocabulary {
    pub(super) buckets: Vec<u8>,
    pub(super) postings: Vec<u8>,
    pub(super) counts: Vec<u8>,
}

/// Lays out the vocabulary. A test has the words of its text, where one was stated, and those of its names.
pub(super) fn lay_out(seen: &Observations, order: &Order<'_>, root: &mut Root) -> Vocabulary {
    let mut tests_of: BTreeMap<Word, Vec<Posting>> = BTreeMap::new();
    let mut counts = Vec::with_capacity(order.tests.len());
    for &test in &order.tests {
        let mut words = test_words(seen.test_name(test), order.defined_in[test.0 as usize], None);
        for (&word, &count) in &seen.tests()[test.0 as usize].words {
            let most = words.entry(word).or_insert(count);
            *most = count.max(*most);
        }
        let mut total = 0.0;
        for (word, count) in words {
            let byte = quantize_count(count.into());
            total += dequantize_count(byte);
            tests_of.entry(word).or_default().push(Posting { test: order.id(test), signal: byte });
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
        counts.push(libm::round(total) as u32);
    }
    let mut lists = Lists::default();
    let words: Vec<RawWord> = tests_of.iter().map(|(&word, tests)| RawWord::new(word, lists.place(tests))).collect();
    root.words = super::count(words.len());
    root.word_postings = tests_of.values().map(|tests| tests.len() as u64).sum();
    root.word_total = counts.iter().map(|&count| u64::from(count)).sum();
    Vocabulary { buckets: vocabulary::encode(&words), postings: lists.into_section(), counts: chunk::encode(&counts) }
}
