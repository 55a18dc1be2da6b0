//! From a word to the tests that have it with one probe of [`super::buckets`].
//!
//! ```text
//! bucket  128 bytes: six slots of word u32, reference to a list (16 bytes)
//! ```
//!
//! A word is its 32-bit hash, and the bucket is chosen by it, spread over 64 bits, so that the file holds all that is known
//! of a word. The byte of a posting is the number of times that the test has the word, as
//! [`super::quantize_count`].

use bytemuck::{Pod, Zeroable};

use super::buckets::Shape;
use super::error::ModelError;
use super::postings::RawListRef;
use crate::words::Word;

const SHAPE: Shape = Shape { section: "vocabulary", slots: 6, load: 4 };

/// Bytes of a bucket.
pub(crate) const BUCKET_BYTES: usize = 128;

/// A word and its tests.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct RawWord {
    word: [u8; 4],
    pub(crate) list: RawListRef,
}

impl RawWord {
    pub(crate) fn new(word: Word, list: RawListRef) -> Self {
        Self { word: word.0.to_le_bytes(), list }
    }

    pub(crate) fn word(&self) -> Word {
        Word(u32::from_le_bytes(self.word))
    }
}

/// Low bits of a product depend on low bits of its factors alone: the high ones choose the bucket.
fn spread(word: Word) -> u64 {
    (u64::from(word.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 32
}

/// Lays out the words, ascending.
pub(crate) fn encode(words: &[RawWord]) -> Vec<u8> {
    let entries: Vec<(u64, RawWord)> = words.iter().map(|raw| (spread(raw.word()), *raw)).collect();
    SHAPE.encode(&entries)
}

/// The tests that have `word`.
pub(crate) fn find(table: &[u8], word: Word) -> Result<Option<&RawListRef>, ModelError> {
    let mut found = None;
    SHAPE.probe(table, spread(word), |entry: &RawWord| {
        found = (entry.word() == word).then_some(&entry.list);
        found.is_none()
    })?;
    Ok(found)
}

/// Calls `visit` with every word.
pub(crate) fn each<'a>(
    table: &'a [u8],
    visit: impl FnMut(&'a RawWord) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    SHAPE.each(table, visit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_and_others_are_not() {
        let words: Vec<Word> = (0..1000u32).map(|i| Word(i.wrapping_mul(0x9e37_79b1))).collect();
        let raw: Vec<RawWord> = words.iter().map(|&word| RawWord::new(word, RawListRef::default())).collect();
        let table = encode(&raw);
        assert_eq!(table.len() % BUCKET_BYTES, 0);
        assert!(words.iter().all(|&word| find(&table, word).unwrap().is_some()));
        assert!((1..1000u32).all(|i| find(&table, Word(i)).unwrap().is_none() || words.contains(&Word(i))));
        let mut seen = 0;
        each(&table, |_| {
            seen += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, 1000);
    }
}
