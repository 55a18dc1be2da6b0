//! From a hash to what has it with one probe: buckets of one or two cache lines, each with its own checksum, so that a
//! miss is an answer too.
//!
//! ```text
//! bucket  checksum u32 of the rest, seeded with the bucket's position; entries u8; overflowed u8; 2 bytes 0; slots
//! ```
//!
//! The number of buckets is a power of two, and low bits of the hash choose one. What a full bucket cannot hold goes to
//! the next one and marks the first as overflowed.

use bytemuck::Pod;

use super::bytes::checksum;
use super::error::ModelError;

/// Bytes before the slots of a bucket.
pub(crate) const HEAD_BYTES: usize = 8;
/// Where a bucket says how many of its slots are used.
pub(crate) const ENTRIES_AT: usize = 4;
const OVERFLOWED_AT: usize = 5;

/// A hash table of one section: how many slots a bucket has, and how many are used on average at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) section: &'static str,
    pub(crate) slots: usize,
    pub(crate) load: usize,
}

#[expect(clippy::cast_possible_truncation, reason = "only the low bits choose a bucket")]
fn bucket_of(hash: u64, buckets: usize) -> usize {
    hash as usize & (buckets - 1)
}

impl Shape {
    /// Bytes of a bucket whose slots hold `T`.
    pub(crate) fn bucket_bytes<T>(&self) -> usize {
        HEAD_BYTES + self.slots * size_of::<T>()
    }

    /// Lays out entries under their hashes, in their order.
    pub(crate) fn encode<T: Pod>(&self, entries: &[(u64, T)]) -> Vec<u8> {
        let bytes = self.bucket_bytes::<T>();
        let count = entries.len().div_ceil(self.load).next_power_of_two();
        let mut buckets = vec![0u8; count * bytes];
        for (hash, entry) in entries {
            let mut at = bucket_of(*hash, count);
            while usize::from(buckets[at * bytes + ENTRIES_AT]) == self.slots {
                buckets[at * bytes + OVERFLOWED_AT] = 1;
                at = (at + 1) % count;
            }
            let bucket = &mut buckets[at * bytes..(at + 1) * bytes];
            let slot = HEAD_BYTES + usize::from(bucket[ENTRIES_AT]) * size_of::<T>();
            bucket[slot..slot + size_of::<T>()].copy_from_slice(bytemuck::bytes_of(entry));
            bucket[ENTRIES_AT] += 1;
        }
        for (at, bucket) in buckets.chunks_exact_mut(bytes).enumerate() {
            let sum = checksum(&bucket[4..], at as u64);
            bucket[..4].copy_from_slice(&sum.to_le_bytes());
        }
        buckets
    }

    fn damaged(&self, problem: &'static str) -> ModelError {
        ModelError::damaged(self.section, problem)
    }

    fn count<T>(&self, table: &[u8]) -> Result<usize, ModelError> {
        let bytes = self.bucket_bytes::<T>();
        let count = table.len() / bytes;
        if !table.len().is_multiple_of(bytes) || !count.is_power_of_two() {
            return Err(self.damaged("the number of its buckets is not a power of two"));
        }
        Ok(count)
    }

    /// The used slots of the bucket at `at`, and whether the next one goes on.
    fn bucket<'a, T: Pod>(&self, table: &'a [u8], at: usize) -> Result<(&'a [T], bool), ModelError> {
        let bytes = self.bucket_bytes::<T>();
        let bucket = &table[at * bytes..(at + 1) * bytes];
        if checksum(&bucket[4..], at as u64).to_le_bytes() != bucket[..4] {
            return Err(self.damaged("the checksum of a bucket does not match"));
        }
        // Slots are made of bytes alone, so that any offset is aligned.
        let slots: &[T] = bytemuck::try_cast_slice(&bucket[HEAD_BYTES..]).unwrap_or_default();
        let used = slots.get(..usize::from(bucket[ENTRIES_AT]));
        let used = used.ok_or_else(|| self.damaged("a bucket claims more entries than it has slots"))?;
        Ok((used, bucket[OVERFLOWED_AT] != 0))
    }

    /// Calls `visit` with each entry that may be under `hash`, until it answers false; the caller compares.
    pub(crate) fn probe<'a, T: Pod>(
        &self,
        table: &'a [u8],
        hash: u64,
        mut visit: impl FnMut(&'a T) -> bool,
    ) -> Result<(), ModelError> {
        let count = self.count::<T>(table)?;
        let home = bucket_of(hash, count);
        for step in 0..count {
            let (slots, goes_on) = self.bucket::<T>(table, (home + step) % count)?;
            if !slots.iter().all(&mut visit) || !goes_on {
                return Ok(());
            }
        }
        Err(self.damaged("every bucket says that the next one goes on"))
    }

    /// Calls `visit` with every entry, bucket by bucket.
    pub(crate) fn each<'a, T: Pod>(
        &self,
        table: &'a [u8],
        mut visit: impl FnMut(&'a T) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        for at in 0..self.count::<T>(table)? {
            for entry in self.bucket::<T>(table, at)?.0 {
                visit(entry)?;
            }
        }
        Ok(())
    }
}
