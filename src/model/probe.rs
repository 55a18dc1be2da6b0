//! From a path to its file with one probe: hash buckets of one cache line, each with its own checksum, so that a miss is an
//! answer too.
//!
//! ```text
//! bucket  64 bytes: checksum u32 of the rest, seeded with the bucket's position; entries u8; overflowed u8; 2 bytes 0;
//!         seven slots of fingerprint u32, file u32
//! ```
//!
//! The number of buckets is a power of two. Low bits of the xxh3-64 of the path choose one, its high half is the
//! fingerprint. What a full bucket cannot hold goes to the next one and marks the first as overflowed.

use bytemuck::{Pod, Zeroable};
use xxhash_rust::xxh3::xxh3_64;

use super::bytes::checksum;
use super::error::ModelError;
use crate::id::FileId;

const SECTION: &str = "path probe";
const SLOTS: usize = 7;
/// Few of seven slots overflow where four are used on average at most.
const LOAD: usize = 4;

#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
struct RawEntry {
    fingerprint: [u8; 4],
    file: [u8; 4],
}

#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
struct RawBucket {
    checksum: [u8; 4],
    entries: u8,
    overflowed: u8,
    reserved: [u8; 2],
    slots: [RawEntry; SLOTS],
}

impl RawBucket {
    fn expected_checksum(&self, position: usize) -> [u8; 4] {
        checksum(&bytemuck::bytes_of(self)[4..], position as u64).to_le_bytes()
    }
}

fn damaged(problem: &'static str) -> ModelError {
    ModelError::damaged(SECTION, problem)
}

fn fingerprint(hash: u64) -> [u8; 4] {
    ((hash >> 32) as u32).to_le_bytes()
}

#[expect(clippy::cast_possible_truncation, reason = "only the low bits choose a bucket")]
fn bucket_of(hash: u64, buckets: usize) -> usize {
    hash as usize & (buckets - 1)
}

/// Lays out the buckets for `paths`, in the order of their [`FileId`]s.
pub(crate) fn encode<S: AsRef<str>>(paths: &[S]) -> Vec<u8> {
    let mut buckets = vec![RawBucket::zeroed(); paths.len().div_ceil(LOAD).next_power_of_two()];
    for (path, file) in paths.iter().zip(0u32..) {
        let hash = xxh3_64(path.as_ref().as_bytes());
        let mut at = bucket_of(hash, buckets.len());
        while usize::from(buckets[at].entries) == SLOTS {
            buckets[at].overflowed = 1;
            at = (at + 1) % buckets.len();
        }
        let bucket = &mut buckets[at];
        let slot = &mut bucket.slots[usize::from(bucket.entries)];
        *slot = RawEntry { fingerprint: fingerprint(hash), file: file.to_le_bytes() };
        bucket.entries += 1;
    }
    for (at, bucket) in buckets.iter_mut().enumerate() {
        bucket.checksum = bucket.expected_checksum(at);
    }
    bytemuck::cast_slice(&buckets).to_vec()
}

/// The files that may have `path`: those with its fingerprint. The caller compares the paths.
pub(crate) fn candidates(bytes: &[u8], path: &[u8]) -> Result<Vec<FileId>, ModelError> {
    let buckets: &[RawBucket] = bytemuck::try_cast_slice(bytes).unwrap_or_default();
    if !buckets.len().is_power_of_two() {
        return Err(damaged("the number of its buckets is not a power of two"));
    }
    let hash = xxh3_64(path);
    let home = bucket_of(hash, buckets.len());
    let mut found = Vec::new();
    for at in (home..buckets.len()).chain(0..home) {
        let bucket = &buckets[at];
        if bucket.checksum != bucket.expected_checksum(at) {
            return Err(damaged("the checksum of a bucket does not match"));
        }
        let used = bucket.slots.get(..usize::from(bucket.entries));
        let used = used.ok_or_else(|| damaged("a bucket claims more entries than it has slots"))?;
        let same = used.iter().filter(|entry| entry.fingerprint == fingerprint(hash));
        found.extend(same.map(|entry| FileId(u32::from_le_bytes(entry.file))));
        if bucket.overflowed == 0 {
            return Ok(found);
        }
    }
    Err(damaged("every bucket says that the next one goes on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_found_and_flips_are_noticed() {
        let paths: Vec<String> = (0..500).map(|i| format!("src/dir{}/file{i}.py", i % 7)).collect();
        let bytes = encode(&paths);
        for (file, path) in paths.iter().enumerate() {
            assert!(candidates(&bytes, path.as_bytes()).unwrap().contains(&FileId(file as u32)));
        }
        assert_eq!(candidates(&bytes, b"nowhere"), Ok(vec![]));
        let path = paths[0].as_bytes();
        let home = (xxh3_64(path) as usize & (bytes.len() / 64 - 1)) * 64;
        for at in home..home + 64 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x40;
            assert!(candidates(&flipped, path).is_err(), "byte {at}");
        }
    }

    #[test]
    fn no_files_is_one_empty_bucket() {
        assert_eq!(candidates(&encode::<String>(&[]), b"a"), Ok(vec![]));
        assert!(candidates(&[], b"a").is_err());
    }
}
