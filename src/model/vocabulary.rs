//! From a word to the tests that have it: two touches of a page, an entry of the index and a bucket, and the list.
//!
//! ```text
//! index    8 bytes a bucket: where it ends, u32 from the end of the index; its checksum u32, seeded with its position
//! bucket   where its lists begin in the word postings, varint; then for each word, ascending:
//!          how far it lies above the word before, varint; a reference to its list ([`packed`])
//! ```
//!
//! A word is its 32-bit hash, so that the file holds all that is known of it, and words are spread evenly: with B buckets
//! word w is in bucket w * B / 2^32. Their number follows from that of the words, [`BUCKET_WORDS`] in each on average. The
//! first distance of a bucket counts from the least word that belongs there. A bucket vouches for itself, so that a miss is
//! an answer too; a wrong end makes its checksum one of other bytes. Short lists stand in the bucket. The byte of a posting
//! is the number of times that the test has the word, as [`super::quantize_count`].

use std::ops::Range;

use super::bytes::{Cursor, checksum, put_varint};
use super::error::ModelError;
use super::postings::{ListAt, Place, Stored, packed};
use crate::words::Word;

const SECTION: &str = "vocabulary";
/// Words of a bucket on average: fewer cost more of the index, more are longer to walk.
const BUCKET_WORDS: usize = 24;
/// Longer lists are placed in a section of their own: a bucket is read and checked as a whole.
pub(crate) const INLINE_MOST: usize = 64;
/// Bytes of an entry of the index.
pub(crate) const ENTRY_BYTES: usize = 8;

/// The number of buckets for this many words.
pub(crate) fn bucket_count(words: u32) -> usize {
    (words as usize).div_ceil(BUCKET_WORDS)
}

/// Which of `buckets` holds a word.
fn bucket_of(word: Word, buckets: usize) -> usize {
    let position = (u64::from(word.0) * buckets as u64) >> 32;
    usize::try_from(position).expect("below the number of buckets")
}

/// The least word of a bucket.
fn first_word(bucket: usize, buckets: usize) -> u64 {
    ((bucket as u64) << 32).div_ceil(buckets.max(1) as u64)
}

/// Lays out words, ascending, with their lists.
///
/// # Panics
/// If the words and their short lists are 4 GiB or more: hundreds of millions of words.
pub(crate) fn encode(words: &[(Word, Stored)]) -> Vec<u8> {
    let buckets = bucket_count(u32::try_from(words.len()).expect("words are 32-bit numbers"));
    let (mut index, mut data) = (Vec::with_capacity(buckets * ENTRY_BYTES), Vec::new());
    let mut rest = words;
    for bucket in 0..buckets {
        let held = rest.partition_point(|&(word, _)| bucket_of(word, buckets) == bucket);
        let (open, later) = rest.split_at(held);
        let start = data.len();
        put_bucket(&mut data, open, first_word(bucket, buckets));
        let end = u32::try_from(data.len()).expect("words and their short lists are below 4 GiB");
        index.extend(end.to_le_bytes());
        index.extend(checksum(&data[start..], bucket as u64).to_le_bytes());
        rest = later;
    }
    index.append(&mut data);
    index
}

fn put_bucket(out: &mut Vec<u8>, words: &[(Word, Stored)], first: u64) {
    let mut own = packed::own_offset(words.iter().map(|(_, list)| list.at()));
    put_varint(out, own);
    let mut before = first;
    for (word, list) in words {
        put_varint(out, u64::from(word.0) - before);
        packed::put(out, list.at(), &mut own);
        before = word.0.into();
    }
}

/// The words of a model, read in place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vocabulary<'a> {
    index: &'a [[u8; ENTRY_BYTES]],
    data: &'a [u8],
}

fn damaged(problem: &'static str) -> ModelError {
    ModelError::damaged(SECTION, problem)
}

impl<'a> Vocabulary<'a> {
    /// Checks the length of the index alone; `words` is how many there are.
    pub(crate) fn new(section: &'a [u8], words: u32) -> Result<Self, ModelError> {
        let (index, data) = bucket_count(words)
            .checked_mul(ENTRY_BYTES)
            .and_then(|bytes| section.split_at_checked(bytes))
            .ok_or_else(|| damaged("it is shorter than its index"))?;
        Ok(Self { index: index.as_chunks().0, data })
    }

    /// Where a bucket is in the data, as the index claims.
    fn extent(&self, bucket: usize) -> Option<(Range<usize>, u32)> {
        let read = |entry: &[u8; ENTRY_BYTES]| {
            let [a, b, c, d, sum @ ..] = *entry;
            (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes(sum))
        };
        let (end, sum) = read(self.index.get(bucket)?);
        let start = bucket.checked_sub(1).and_then(|before| self.index.get(before)).map_or(0, |entry| read(entry).0);
        Some((start..end, sum))
    }

    /// The words of a bucket, checked.
    fn bucket(&self, bucket: usize) -> Result<Bucket<'a>, ModelError> {
        let (range, sum) = self.extent(bucket).ok_or_else(|| damaged("it has no such bucket"))?;
        let bytes = self.data.get(range).ok_or_else(|| damaged("a bucket lies outside it"))?;
        if checksum(bytes, bucket as u64) != sum {
            return Err(damaged("the checksum of a bucket does not match"));
        }
        let mut cursor = Cursor::new(bytes);
        let own = cursor.varint().ok_or_else(|| damaged("a bucket is malformed"))?;
        Ok(Bucket { cursor, own, word: first_word(bucket, self.index.len()) })
    }

    /// The list of `word`.
    pub(crate) fn find(&self, word: Word) -> Result<Option<ListAt<'a>>, ModelError> {
        if self.index.is_empty() {
            return Ok(None);
        }
        let mut bucket = self.bucket(bucket_of(word, self.index.len()))?;
        while let Some((found, list)) = bucket.next()? {
            if found >= word {
                return Ok((found == word).then_some(list));
            }
        }
        Ok(None)
    }

    /// Calls `visit` with every word, ascending within a bucket.
    pub(crate) fn each(
        &self,
        mut visit: impl FnMut(Word, ListAt<'a>) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        for bucket in 0..self.index.len() {
            let mut bucket = self.bucket(bucket)?;
            while let Some((word, list)) = bucket.next()? {
                visit(word, list)?;
            }
        }
        Ok(())
    }

    /// Whether the last bucket ends with the section, or there is none and nothing else.
    pub(crate) fn fills_its_section(&self) -> bool {
        let end = self.index.len().checked_sub(1).and_then(|last| self.extent(last)).map_or(0, |(range, _)| range.end);
        end == self.data.len()
    }
}

/// The words of a bucket, one after the other.
#[derive(Debug)]
struct Bucket<'a> {
    cursor: Cursor<'a>,
    own: u64,
    /// The word before, at first the least of the bucket.
    word: u64,
}

impl<'a> Bucket<'a> {
    fn next(&mut self) -> Result<Option<(Word, ListAt<'a>)>, ModelError> {
        if self.cursor.is_empty() {
            return Ok(None);
        }
        let distance = self.cursor.varint();
        let word = distance.and_then(|distance| u32::try_from(self.word.checked_add(distance)?).ok());
        let list = packed::read(&mut self.cursor, &mut self.own);
        let (word, list) = word.zip(list).ok_or_else(|| damaged("a bucket is malformed"))?;
        self.word = word.into();
        Ok(Some((Word(word), list)))
    }
}

/// What is under checksums in a bucket, with places counted from the start of the section.
#[derive(Debug)]
pub(crate) struct Sealed {
    /// The bucket.
    pub(crate) range: Range<usize>,
    /// The lists it refers to, and where it holds their checksums.
    pub(crate) lists: Vec<(usize, Place)>,
}

/// The buckets of a section of `words` words as they claim to be. Stops where the bytes no longer say where to go on.
pub(crate) fn sealed_buckets(section: &[u8], words: u32) -> Vec<Sealed> {
    let Ok(vocabulary) = Vocabulary::new(section, words) else { return Vec::new() };
    let data_at = section.len() - vocabulary.data.len();
    let mut found = Vec::new();
    for bucket in 0..vocabulary.index.len() {
        let Some((range, _)) = vocabulary.extent(bucket) else { break };
        let Some(bytes) = vocabulary.data.get(range.clone()) else { break };
        let range = data_at + range.start..data_at + range.end;
        let mut lists = Vec::new();
        let mut cursor = Cursor::new(bytes);
        let own = cursor.varint().unwrap_or(0);
        let mut bucket = Bucket { cursor, own, word: 0 };
        while let Ok(Some((_, list))) = bucket.next() {
            let end = range.end - bucket.cursor.rest().len();
            lists.extend(list.place().map(|place| (end - packed::CHECKSUM_BYTES, place)));
        }
        found.push(Sealed { range, lists });
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A section of these words, each with a list of as many bytes as the word's last three bits say, times ten.
    fn section(words: &[u32]) -> (Vec<u8>, Vec<u8>) {
        let mut postings = Vec::new();
        let mut store = |word: u32| match list_of(word) {
            list if list.len() <= INLINE_MOST => Stored::Inline(list),
            list => Stored::Placed(Place::new(&list, |list| {
                let at = postings.len() as u64;
                postings.extend_from_slice(list);
                at
            })),
        };
        let words: Vec<(Word, Stored)> = words.iter().map(|&word| (Word(word), store(word))).collect();
        (encode(&words), postings)
    }

    fn list_of(word: u32) -> Vec<u8> {
        vec![word as u8; (word % 8) as usize * 10]
    }

    fn bytes_of<'a>(list: ListAt<'a>, postings: &'a [u8]) -> &'a [u8] {
        match list {
            ListAt::Inline(list) => list,
            ListAt::Placed(place) => &postings[place.offset as usize..place.end() as usize],
        }
    }

    #[test]
    fn the_section_is_what_the_format_says() {
        let (bytes, _) = section(&[5, 0x8000_0003]);
        let sum = checksum(&bytes[8..], 0).to_le_bytes();
        let mut want = [&(bytes.len() as u32 - 8).to_le_bytes()[..], &sum, &[0, 5, 0xc8, 1], &[5; 50]].concat();
        want.extend([0xfe, 0xff, 0xff, 0xff, 0x07, 30 << 2]);
        want.extend([3; 30]);
        assert_eq!(bytes, want);
        assert_eq!(first_word(1, 3), 0x5555_5556);
        assert_eq!((bucket_of(Word(0x5555_5555), 3), bucket_of(Word(0x5555_5556), 3)), (0, 1));
        assert_eq!(bucket_of(Word(u32::MAX), bucket_count(u32::MAX)), bucket_count(u32::MAX) - 1);
    }

    #[test]
    fn no_words_are_no_bytes() {
        let (bytes, _) = section(&[]);
        assert!(bytes.is_empty());
        assert_eq!(Vocabulary::new(&bytes, 0).unwrap().find(Word(1)), Ok(None));
        assert!(Vocabulary::new(&bytes, 1).is_err());
        assert!(Vocabulary::new(&bytes, u32::MAX).is_err());
    }

    #[test]
    fn a_flip_is_noticed_wherever_it_matters() {
        let words: Vec<u32> = (0..90u32).map(|i| i.wrapping_mul(0x9e37_79b1) | 7).collect();
        let words: Vec<u32> = words.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        let (bytes, postings) = section(&words);
        let vocabulary = Vocabulary::new(&bytes, 90).unwrap();
        assert!(vocabulary.fills_its_section());
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            let flipped = Vocabulary::new(&flipped, 90).unwrap();
            for word in words.iter().flat_map(|&word| [word, word ^ 8]).map(Word) {
                if let Ok(found) = flipped.find(word) {
                    let bytes = |list| bytes_of(list, &postings);
                    assert_eq!(found.map(bytes), vocabulary.find(word).unwrap().map(bytes), "byte {at}");
                }
            }
        }
    }

    #[test]
    fn buckets_that_lie_are_errors() {
        let of = |bucket: &[u8]| {
            let index = [(bucket.len() as u32).to_le_bytes(), checksum(bucket, 0).to_le_bytes()].concat();
            let bytes = [&index[..], bucket].concat();
            Vocabulary::new(&bytes, 1).unwrap().each(|_, _| Ok(())).is_ok()
        };
        assert!(of(&[0, 7, 4, 9]));
        for lie in [
            &[][..],                                     // not even where lists begin
            &[0, 7],                                     // a word without a list
            &[0, 7, 40, 9],                              // a list that is not there
            &[0, 7, 1, 9, 9],                            // a checksum cut short
            &[0, 7, 3],                                  // no kind of reference
            &[0, 0xff, 0xff, 0xff, 0xff, 0x1f, 0],       // a word beyond 32 bits
            &[0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1, 0], // the same, by one
        ] {
            assert!(!of(lie), "{lie:?}");
        }
    }

    proptest! {
        #[test]
        fn words_are_found_and_others_are_not(words in proptest::collection::btree_set(any::<u32>(), 0..200), other: u32) {
            let sorted: Vec<u32> = words.iter().copied().collect();
            let (bytes, postings) = section(&sorted);
            let vocabulary = Vocabulary::new(&bytes, sorted.len() as u32).unwrap();
            for &word in &sorted {
                let found = vocabulary.find(Word(word)).unwrap().unwrap();
                prop_assert_eq!(bytes_of(found, &postings), list_of(word));
            }
            prop_assert_eq!(vocabulary.find(Word(other)).unwrap().is_some(), words.contains(&other));
            let mut seen = Vec::new();
            vocabulary.each(|word, _| {
                seen.push(word.0);
                Ok(())
            }).unwrap();
            prop_assert_eq!(seen, sorted);
        }
    }
}
