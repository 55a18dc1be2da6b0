//! From a path to its file with one probe: hash buckets of one cache line, each with its own checksum, so that a miss
//! is an answer too.
//!
//! ```text
//! bucket  64 bytes: checksum u32 of the rest, seeded with the bucket's position; entries u8; overflowed u8; 2 bytes 0;
//!         seven entries of fingerprint u32, file u32
//! ```
//!
//! The number of buckets is a power of two; the low bits of the path's xxh3-64 choose the bucket, the high half is the
//! fingerprint. What a full bucket cannot hold goes to the next one and marks the first as overflowed.

use bytemuck::{Pod, Zeroable};
use xxhash_rust::xxh3::xxh3_64;

use super::bytes::checksum;
use super::error::ModelError;
use crate::id::FileId;

const ENTRIES: usize = 7;
/// Entries a bucket holds on average, at most: few buckets overflow.
const LOAD: usize = 4;
const SECTION: &str = "path probe";

#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
struct RawEntry {
    fingerprint: [u8; 4],
    file: [u8; 4],
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct RawBucket {
    checksum: [u8; 4],
    entries: u8,
    overflowed: u8,
    reserved: [u8; 2],
    slots: [RawEntry; ENTRIES],
}

fn fingerprint(hash: u64) -> [u8; 4] {
    ((hash >> 32) as u32).to_le_bytes()
}

/// Lays out the buckets for `paths`, in the order of their [`FileId`]s.
pub(crate) fn encode<S: AsRef<str>>(paths: &[S]) -> Vec<u8> {
    let count = paths.len().div_ceil(LOAD).next_power_of_two();
    let mut buckets = vec![RawBucket::zeroed(); count];
    for (file, path) in paths.iter().enumerate() {
        let hash = xxh3_64(path.as_ref().as_bytes());
        let mut at = bucket_of(hash, count);
        while usize::from(buckets[at].entries) == ENTRIES {
            buckets[at].overflowed = 1;
            at = (at + 1) % count;
        }
        let bucket = &mut buckets[at];
        let file = u32::try_from(file).expect("fewer than 2^32 files").to_le_bytes();
        bucket.slots[usize::from(bucket.entries)] = RawEntry { fingerprint: fingerprint(hash), file };
        bucket.entries += 1;
    }
    for (at, bucket) in buckets.iter_mut().enumerate() {
        bucket.checksum = checksum(&bytemuck::bytes_of(bucket)[4..], at as u64).to_le_bytes();
    }
    bytemuck::cast_slice(&buckets).to_vec()
}

#[expect(clippy::cast_possible_truncation, reason = "only the low bits choose a bucket")]
fn bucket_of(hash: u64, buckets: usize) -> usize {
    hash as usize & (buckets - 1)
}

/// The files that may have `path`: those with its fingerprint. The caller compares the paths.
pub(crate) fn candidates(bytes: &[u8], path: &[u8]) -> Result<Vec<FileId>, ModelError> {
    let buckets: &[RawBucket] =
        bytemuck::try_cast_slice(bytes).map_err(|_| ModelError::damaged(SECTION, "its length is not whole buckets"))?;
    if !buckets.len().is_power_of_two() {
        return Err(ModelError::damaged(SECTION, "the number of its buckets is not a power of two"));
    }
    let hash = xxh3_64(path);
    let mut found = Vec::new();
    let mut at = bucket_of(hash, buckets.len());
    for _ in 0..buckets.len() {
        let bucket = &buckets[at];
        if checksum(&bytemuck::bytes_of(bucket)[4..], at as u64) != u32::from_le_bytes(bucket.checksum) {
            return Err(ModelError::damaged(SECTION, "the checksum of a bucket does not match"));
        }
        let entries = bucket.slots.iter().take(usize::from(bucket.entries));
        let matching = entries.filter(|entry| entry.fingerprint == fingerprint(hash));
        found.extend(matching.map(|entry| FileId(u32::from_le_bytes(entry.file))));
        if bucket.overflowed == 0 {
            return Ok(found);
        }
        at = (at + 1) % buckets.len();
    }
    Err(ModelError::damaged(SECTION, "every bucket says that the next one goes on"))
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
        let home = bucket_of(xxh3_64(path), bytes.len() / 64) * 64;
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
