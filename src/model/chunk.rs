//! Arrays of `u32` in self-checking cache lines: one value a test or a file, found by position.
//!
//! A chunk is 64 bytes: the checksum of the rest (seeded with the chunk's position) and fifteen values. A look-up reads
//! and checks one cache line, so an array of any size costs what is touched of it.

use bytemuck::{Pod, Zeroable};

use super::bytes::checksum;
use super::error::ModelError;

/// Values in a chunk.
const VALUES: usize = 15;

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct RawChunk {
    checksum: [u8; 4],
    values: [[u8; 4]; VALUES],
}

/// A section of values, one for each position below `count`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunks<'a> {
    section: &'static str,
    chunks: &'a [RawChunk],
    count: u32,
}

impl<'a> Chunks<'a> {
    /// Checks the length alone.
    pub(crate) fn new(section: &'static str, bytes: &'a [u8], count: u32) -> Result<Self, ModelError> {
        let chunks: &[RawChunk] = bytemuck::try_cast_slice(bytes)
            .map_err(|_| ModelError::damaged(section, "its length is not a multiple of 64 bytes"))?;
        if chunks.len() != (count as usize).div_ceil(VALUES) {
            return Err(ModelError::damaged(section, "it holds another number of values than the root says"));
        }
        Ok(Self { section, chunks, count })
    }

    /// The value at `position`, or `None` at and past the end.
    pub(crate) fn get(&self, position: u32) -> Result<Option<u32>, ModelError> {
        self.reader().get(position)
    }

    /// Reads many values: a chunk is checked once for neighbours that are asked for in a row.
    pub(crate) fn reader(&self) -> ChunkReader<'a> {
        ChunkReader { chunks: *self, checked: usize::MAX }
    }
}

/// A reader that remembers the chunk it checked last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkReader<'a> {
    chunks: Chunks<'a>,
    checked: usize,
}

impl ChunkReader<'_> {
    /// The value at `position`, or `None` at and past the end.
    pub(crate) fn get(&mut self, position: u32) -> Result<Option<u32>, ModelError> {
        if position >= self.chunks.count {
            return Ok(None);
        }
        let index = position as usize / VALUES;
        let chunk = &self.chunks.chunks[index];
        if self.checked != index {
            if checksum(&bytemuck::bytes_of(chunk)[4..], index as u64) != u32::from_le_bytes(chunk.checksum) {
                return Err(ModelError::damaged(self.chunks.section, "the checksum of a chunk does not match"));
            }
            self.checked = index;
        }
        Ok(Some(u32::from_le_bytes(chunk.values[position as usize % VALUES])))
    }
}

/// Lays out `values` as chunks; what is past the last value is zero.
pub(crate) fn encode(values: &[u32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len().div_ceil(VALUES) * 64);
    for (index, part) in values.chunks(VALUES).enumerate() {
        let mut chunk = RawChunk::zeroed();
        for (slot, value) in chunk.values.iter_mut().zip(part) {
            *slot = value.to_le_bytes();
        }
        chunk.checksum = checksum(&bytemuck::bytes_of(&chunk)[4..], index as u64).to_le_bytes();
        out.extend_from_slice(bytemuck::bytes_of(&chunk));
    }
    out
}

/// From here on a cost is stored in milliseconds.
const MILLISECONDS_FLAG: u32 = 1 << 31;

/// A cost as a `u32`: microseconds below 2^31 (36 minutes), beyond that milliseconds rounded up, with the top bit set;
/// the most is 24 days.
pub(crate) fn encode_cost(cost_us: u64) -> u32 {
    match u32::try_from(cost_us) {
        Ok(cost) if cost < MILLISECONDS_FLAG => cost,
        _ => {
            let cost_ms = u32::try_from(cost_us.div_ceil(1000)).unwrap_or(u32::MAX).min(MILLISECONDS_FLAG - 1);
            cost_ms | MILLISECONDS_FLAG
        }
    }
}

/// A stored cost in microseconds.
pub(crate) fn decode_cost(cost: u32) -> u64 {
    match cost & MILLISECONDS_FLAG {
        0 => u64::from(cost),
        _ => u64::from(cost & !MILLISECONDS_FLAG) * 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_flips_do_not() {
        let values: Vec<u32> = (0..100).map(|i| i * 7).collect();
        let bytes = encode(&values);
        let chunks = Chunks::new("costs", &bytes, 100).unwrap();
        for (position, &value) in values.iter().enumerate() {
            assert_eq!(chunks.get(position as u32), Ok(Some(value)));
        }
        assert_eq!(chunks.get(100), Ok(None));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0xff;
            let chunks = Chunks::new("costs", &flipped, 100).unwrap();
            let position = ((at / 64) * VALUES).min(99) as u32;
            assert!(chunks.get(position).is_err(), "byte {at}");
        }
    }

    #[test]
    fn chunks_that_change_places_are_noticed() {
        let mut bytes = encode(&(0..30).collect::<Vec<u32>>());
        let (first, second) = bytes.split_at_mut(64);
        first.swap_with_slice(&mut second[..64]);
        assert!(Chunks::new("costs", &bytes, 30).unwrap().get(0).is_err());
    }

    #[test]
    fn costs_round_up_beyond_half_an_hour() {
        for cost in [0, 1, 2_147_483_647] {
            assert_eq!(decode_cost(encode_cost(cost)), cost);
        }
        assert_eq!(decode_cost(encode_cost(2_147_483_649)), 2_147_484_000);
        assert_eq!(decode_cost(encode_cost(u64::MAX)), 2_147_483_647_000);
    }
}
