//! Making every checksum of a changed model right again, wherever it can be found: so that tests and the fuzzer reach
//! the checks behind the checksums. Never used on a model that anyone relies on.

use rkyv::rancor::Failure;

use super::bytes::checksum;
use super::index::FEATURE_BYTES;
use super::layout::{Extent, Kind, Preamble};
use super::names::{BLOCK, REF_BYTES};
use super::postings::{INLINE, Place};
use super::record::checksums_of_lists;
use super::root::{ArchivedRoot, Root};
use super::sessions::SESSION_BYTES;
use super::vocabulary::{ENTRY_BYTES, Sealed, sealed_buckets};

/// Bytes of a chunk and of a probe bucket: a checksum, and what it is of.
const LINE_BYTES: usize = 64;

/// Seals what is inside the sections, then the preamble. Stops where the bytes no longer say where to go on.
pub(crate) fn seal(file: &mut [u8]) {
    let length = file.len() as u64;
    super::layout::seal(file);
    let Ok(preamble) = Preamble::read(file) else { return };
    let root = rkyv::access::<ArchivedRoot, Failure>(preamble.root.of(file))
        .and_then(rkyv::deserialize::<Root, Failure>)
        .unwrap_or_default();
    for kind in [Kind::Costs, Kind::Suffixes, Kind::Probe, Kind::WordCounts, Kind::FamilyOf] {
        seal_lines(part_mut(file, preamble.extent(kind)), LINE_BYTES);
    }
    // The records hold references to lists, so these come first; the table of files refers to the records.
    let records = preamble.extent(Kind::Records);
    for entry in entries(file, preamble.extent(Kind::Files), 16) {
        seal_lists(file, preamble.extent(Kind::Postings), &within(records, reference(&file[entry])));
    }
    seal_refs(file, preamble.extent(Kind::Files), records);
    let blocks = [
        (Kind::TestNames, root.tests),
        (Kind::Facts, root.tests),
        (Kind::Paths, root.files),
        (Kind::FeatureNames, root.features),
        (Kind::FamilyNames, root.families),
        (Kind::Commits, root.commits),
    ];
    for (kind, count) in blocks {
        let section = preamble.extent(kind);
        let index_bytes = ((count as usize).div_ceil(BLOCK) * REF_BYTES).min(section.length);
        let data = Extent { offset: section.offset + index_bytes, length: section.length - index_bytes };
        seal_refs(file, Extent { offset: section.offset, length: index_bytes }, data);
    }
    for entry in entries(file, preamble.extent(Kind::Features), FEATURE_BYTES) {
        seal_list(file, preamble.extent(Kind::Postings), entry.start);
    }
    for (kind, bytes) in [(Kind::Features, FEATURE_BYTES), (Kind::Sessions, SESSION_BYTES)] {
        for (position, entry) in entries(file, preamble.extent(kind), bytes).into_iter().enumerate() {
            let (sealed, sum) = file[entry].split_at_mut(bytes - 4);
            sum.copy_from_slice(&checksum(sealed, position as u64).to_le_bytes());
        }
    }
    seal_words(file, preamble.extent(Kind::Vocabulary), preamble.extent(Kind::WordPostings), root.words);
    debug_assert_eq!(file.len() as u64, length);
    super::layout::seal(file);
}

type Bytes = std::ops::Range<usize>;

fn part_mut(file: &mut [u8], extent: Extent) -> &mut [u8] {
    file.get_mut(extent.offset..extent.offset + extent.length).unwrap_or_default()
}

/// The ranges of a section's entries of `size` bytes.
fn entries(file: &[u8], section: Extent, size: usize) -> Vec<Bytes> {
    let end = (section.offset + section.length).min(file.len());
    (section.offset..end).step_by(size).map(|at| at..at + size).filter(|entry| entry.end <= end).collect()
}

/// Offset and length that a reference of 16 bytes, or more, claims: eight bytes and four.
fn reference(bytes: &[u8]) -> (u64, u32) {
    let offset = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    (offset, bytes.get(8..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes)))
}

/// A claimed part of a section, empty where it lies outside.
fn within(section: Extent, (offset, length): (u64, u32)) -> Bytes {
    let from = usize::try_from(offset).ok().filter(|&from| from <= section.length).unwrap_or(section.length);
    let length = if length as usize <= section.length - from { length as usize } else { 0 };
    section.offset + from..section.offset + from + length
}

fn seal_lines(section: &mut [u8], bytes: usize) {
    for (position, line) in section.chunks_exact_mut(bytes).enumerate() {
        let (sum, rest) = line.split_at_mut(4);
        sum.copy_from_slice(&checksum(rest, position as u64).to_le_bytes());
    }
}

fn seal_refs(file: &mut [u8], index: Extent, data: Extent) {
    for (position, entry) in entries(file, index, REF_BYTES).into_iter().enumerate() {
        let part = within(data, reference(&file[entry.clone()]));
        let sum = checksum(&file[part], position as u64);
        file[entry.start + 12..entry.end].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Seals the lists that a record refers to, if it is a record.
fn seal_lists(file: &mut [u8], postings: Extent, record: &Bytes) {
    for (at, place) in checksums_of_lists(&file[record.clone()]) {
        seal_list_at(file, postings, record.start + at, place);
    }
}

/// Seals the lists of words, then the buckets that refer to them.
fn seal_words(file: &mut [u8], vocabulary: Extent, postings: Extent, words: u32) {
    let at = vocabulary.offset;
    for (bucket, Sealed { range, lists }) in sealed_buckets(vocabulary.of(file), words).into_iter().enumerate() {
        for (sum_at, place) in lists {
            seal_list_at(file, postings, at + sum_at, place);
        }
        let sum = checksum(&file[at + range.start..at + range.end], bucket as u64);
        file[at + (bucket + 1) * ENTRY_BYTES - 4..][..4].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Makes the checksum at `at` that of a list.
fn seal_list_at(file: &mut [u8], postings: Extent, at: usize, place: Place) {
    let sum = checksum(&file[within(postings, (place.offset, place.length))], 0);
    file[at..at + 4].copy_from_slice(&sum.to_le_bytes());
}

/// Seals the reference to a list that stands at `at`: length, offset, checksum.
fn seal_list(file: &mut [u8], postings: Extent, at: usize) {
    let Some(bytes) = file.get(at..at + 16) else { return };
    let length = bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    if length & INLINE == 0 {
        let sum = checksum(&file[within(postings, (reference(&bytes[4..]).0, length))], 0);
        file[at + 12..at + 16].copy_from_slice(&sum.to_le_bytes());
    }
}
