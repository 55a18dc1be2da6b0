//! The words of all tests, turned around: for each word the tests that have it.

use std::io::{Seek, Write};

use rayon::prelude::*;

use super::lists::{Encoded, Lists};
use super::{BATCH_BYTES, BuildError, Order, Phase};
use crate::id::TestId;
use crate::model::layout::Writer;
use crate::model::postings::Stored;
use crate::model::root::Root;
use crate::model::{Posting, chunk, dequantize_count, quantize_count, vocabulary};
use crate::observation::{Log, Observations, TestKey, read_bytes};
use crate::words::{Word, test_words};

/// How many tests' names are split into words at once.
const NAMES_AT_ONCE: usize = 1 << 14;

/// The sections of the vocabulary but the lists, which are in the section that is open.
pub(super) struct Vocabulary {
    pub(super) buckets: Vec<u8>,
    pub(super) counts: Vec<u8>,
    /// How many words each test has, by position.
    pub(super) totals: Vec<u32>,
}

/// Adds the words that the names of tests and of their files say.
pub(super) fn add_names(seen: &mut Observations, order: &Order) -> Result<(), BuildError> {
    let tests = seen.tests().len();
    for first in (0..tests).step_by(NAMES_AT_ONCE) {
        let keys = first..tests.min(first + NAMES_AT_ONCE);
        let words: Vec<Vec<(Word, u8)>> = keys
            .clone()
            .into_par_iter()
            .map(|key| {
                let name = &seen.test_names()[key];
                let words = test_words(name, order.defined_in(seen, TestKey(super::count(key))), None);
                words.into_iter().map(|(word, count)| (word, quantize_count(count.into()))).collect()
            })
            .collect();
        for (key, words) in keys.zip(words) {
            words.into_iter().for_each(|(word, count)| seen.word(TestKey(super::count(key)), word, count));
        }
        seen.settle()?;
    }
    Ok(())
}

/// Lays out the vocabulary from all words of all tests.
pub(super) fn lay_out<W: Write + Seek>(
    words: Log,
    order: &Order,
    root: &mut Root,
    out: &mut Writer<W>,
    told: &mut impl FnMut(Phase, u64, u64),
) -> Result<Vocabulary, BuildError> {
    let mut merge = words.sorted(|word| word);
    let total = merge.keys_most();
    let mut lists = Lists::default();
    let mut known: Vec<(Word, Stored)> = Vec::new();
    let mut totals = vec![0.0; order.test_ids.len()];
    loop {
        let mut batch: Vec<(Word, Vec<u8>)> = Vec::new();
        let mut bytes = 0;
        while bytes < BATCH_BYTES {
            let mut entries = Vec::new();
            let Some(word) = merge.append(&mut entries)? else { break };
            bytes += entries.len();
            batch.push((Word(word), entries));
        }
        if batch.is_empty() {
            break;
        }
        let turned = batch.into_par_iter().map(|(word, entries)| {
            let postings = postings(&entries, |test| order.id(test));
            (word, Encoded::new(&postings), postings)
        });
        for (word, list, postings) in turned.collect::<Vec<_>>() {
            for posting in &postings {
                totals[posting.test.0 as usize] += dequantize_count(posting.signal);
            }
            root.word_postings += postings.len() as u64;
            known.push((word, lists.store(list, out)?));
        }
        told(Phase::Words, known.len() as u64, total);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    let counts: Vec<u32> = totals.into_iter().map(|total| libm::round(total) as u32).collect();
    root.words = super::count(known.len());
    root.word_total = counts.iter().map(|&count| u64::from(count)).sum();
    Ok(Vocabulary { buckets: vocabulary::encode(&known), counts: chunk::encode(&counts), totals: counts })
}

/// The postings of entries of tests with a byte, ascending; of several bytes of one test the greatest.
pub(super) fn postings(entries: &[u8], id: impl Fn(TestKey) -> TestId) -> Vec<Posting> {
    let mut postings: Vec<Posting> =
        read_bytes(entries).map(|(test, signal)| Posting { test: id(test), signal }).collect();
    postings.sort_unstable();
    // Of one test the last is the greatest.
    postings.dedup_by(|next, first| {
        let is_same = next.test == first.test;
        if is_same {
            first.signal = next.signal;
        }
        is_same
    });
    postings
}
