//! Arrays of numbers in self-checking cache lines: one value a test or a file, found by position.
//!
//! A chunk is 64 bytes: the checksum of the rest (seeded with the chunk's position) and 60 bytes of values. A look-up reads
//! and checks one cache line, so an array of any size costs what is touched of it.
//!
//! A value has 4, 2 or 1 bytes, the most with which the section has its length; a section without bytes has zeros alone.

use std::collections::HashMap;

use bytemuck::{Pod, Zeroable};

use super::bytes::checksum;
use super::error::ModelError;

/// Bytes of values in a chunk.
const VALUE_BYTES: usize = 60;
/// Bytes that a value may have, the most first.
const WIDTHS: [usize; 3] = [4, 2, 1];

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct RawChunk {
    checksum: [u8; 4],
    values: [[u8; 4]; VALUE_BYTES / 4],
}

/// How many chunks hold `count` values of `width` bytes.
fn chunk_count(count: usize, width: usize) -> usize {
    count.div_ceil(VALUE_BYTES / width)
}

/// A section of values, one for each position below `count`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunks<'a> {
    section: &'static str,
    chunks: &'a [RawChunk],
    count: u32,
    /// Bytes of a value, 0 where all values are 0.
    width: usize,
}

impl<'a> Chunks<'a> {
    /// Checks the length alone.
    pub(crate) fn new(section: &'static str, bytes: &'a [u8], count: u32) -> Result<Self, ModelError> {
        let chunks: &[RawChunk] = bytemuck::try_cast_slice(bytes)
            .map_err(|_| ModelError::damaged(section, "its length is not a multiple of 64 bytes"))?;
        let fits = |width: &usize| chunks.len() == chunk_count(count as usize, *width);
        let width = match chunks {
            [] => 0,
            _ => WIDTHS
                .into_iter()
                .find(fits)
                .ok_or_else(|| ModelError::damaged(section, "it holds another number of values than the root says"))?,
        };
        Ok(Self { section, chunks, count, width })
    }

    /// The value at `position`, or `None` at and past the end.
    pub(crate) fn get(&self, position: u32) -> Result<Option<u32>, ModelError> {
        self.reader().get(position)
    }

    /// Calls `visit` with the value at each of many positions, in their order: a chunk is checked once for neighbours in a
    /// row, and the width of values is known to the loop.
    ///
    /// # Errors
    /// If a chunk is damaged, or there is no such position.
    #[inline]
    pub(crate) fn each(
        &self,
        positions: impl Iterator<Item = u32>,
        mut visit: impl FnMut(u32, u32) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        match self.width {
            4 => self.each_of_width::<4>(positions, visit),
            2 => self.each_of_width::<2>(positions, visit),
            1 => self.each_of_width::<1>(positions, visit),
            _ => {
                for position in positions {
                    self.check_position(position)?;
                    visit(position, 0)?;
                }
                Ok(())
            }
        }
    }

    #[inline]
    fn each_of_width<const WIDTH: usize>(
        &self,
        positions: impl Iterator<Item = u32>,
        mut visit: impl FnMut(u32, u32) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        let mut at_hand: Option<(usize, &[u8])> = None;
        for position in positions {
            self.check_position(position)?;
            let index = position as usize / (VALUE_BYTES / WIDTH);
            let values = match at_hand {
                Some((checked, values)) if checked == index => values,
                _ => self.checked(index)?,
            };
            at_hand = Some((index, values));
            let at = position as usize % (VALUE_BYTES / WIDTH) * WIDTH;
            let mut value = [0; 4];
            value[..WIDTH].copy_from_slice(&values[at..at + WIDTH]);
            visit(position, u32::from_le_bytes(value))?;
        }
        Ok(())
    }

    #[inline]
    fn check_position(&self, position: u32) -> Result<(), ModelError> {
        match position < self.count {
            true => Ok(()),
            false => Err(ModelError::damaged(self.section, "there is no such test")),
        }
    }

    /// The bytes of a chunk, which are what its checksum says.
    fn checked(&self, index: usize) -> Result<&'a [u8], ModelError> {
        let chunk = &self.chunks[index];
        match checksum(chunk.values.as_flattened(), index as u64) == u32::from_le_bytes(chunk.checksum) {
            true => Ok(chunk.values.as_flattened()),
            false => Err(ModelError::damaged(self.section, "the checksum of a chunk does not match")),
        }
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
        let Chunks { chunks, count, width, .. } = self.chunks;
        if position >= count {
            return Ok(None);
        }
        if width == 0 {
            return Ok(Some(0));
        }
        let values = VALUE_BYTES / width;
        let index = position as usize / values;
        if self.checked != index {
            self.chunks.checked(index)?;
            self.checked = index;
        }
        let at = position as usize % values * width;
        let mut value = [0; 4];
        value[..width].copy_from_slice(&chunks[index].values.as_flattened()[at..at + width]);
        Ok(Some(u32::from_le_bytes(value)))
    }
}

/// Lays out `values` as chunks, in as few bytes as the greatest needs; what is past the last value is zero.
pub(crate) fn encode(values: &[u32]) -> Vec<u8> {
    let needed = match values.iter().max() {
        None | Some(0) => return Vec::new(),
        Some(..=0xff) => 1,
        Some(..=0xffff) => 2,
        Some(_) => 4,
    };
    let chunks = chunk_count(values.len(), needed);
    // Of few values several widths take as many chunks, and a reader knows the width by their number.
    let width = WIDTHS.into_iter().find(|&width| chunk_count(values.len(), width) == chunks).unwrap_or(needed);
    let mut out = Vec::with_capacity(chunks * 64);
    for (index, part) in values.chunks(VALUE_BYTES / width).enumerate() {
        let mut chunk = RawChunk::zeroed();
        for (slot, value) in chunk.values.as_flattened_mut().chunks_exact_mut(width).zip(part) {
            slot.copy_from_slice(&value.to_le_bytes()[..width]);
        }
        chunk.checksum = checksum(chunk.values.as_flattened(), index as u64).to_le_bytes();
        out.extend_from_slice(bytemuck::bytes_of(&chunk));
    }
    out
}

/// The families of tests as small numbers: how far back the first member is, plus 1, and 0 for no family.
pub(crate) fn encode_families(families: &[Option<u32>]) -> Vec<u8> {
    let mut first: HashMap<u32, u32> = HashMap::new();
    let distance = |(position, family): (u32, &Option<u32>)| {
        family.map_or(0, |family| position - *first.entry(family).or_insert(position) + 1)
    };
    encode(&(0u32..).zip(families).map(distance).collect::<Vec<u32>>())
}

/// The family of the test at `position` by what is stored for it: the position of the first member.
pub(crate) fn decode_family(position: u32, stored: u32) -> Result<Option<u32>, ModelError> {
    match (position + 1).checked_sub(stored) {
        _ if stored == 0 => Ok(None),
        None => Err(ModelError::damaged("family of each test", "a family begins before the first test")),
        first => Ok(first),
    }
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
        for (most, chunks) in [(0, 0), (7, 2), (200, 2), (256, 4), (65_535, 4), (65_536, 7), (u32::MAX, 7)] {
            let values: Vec<u32> = (0..100u32).map(|i| if i == 50 { most } else { i.min(most) }).collect();
            let bytes = encode(&values);
            assert_eq!(bytes.len(), chunks * 64, "{most}");
            let chunks = Chunks::new("costs", &bytes, 100).unwrap();
            for (position, &value) in values.iter().enumerate() {
                assert_eq!(chunks.get(position as u32), Ok(Some(value)));
            }
            assert_eq!(chunks.get(100), Ok(None));
            let positions = [0, 1, 50, 49, 49, 98, 99];
            let mut read = Vec::new();
            let note = |at, value| {
                read.push((at, value));
                Ok(())
            };
            chunks.each(positions.into_iter(), note).unwrap();
            assert_eq!(read, positions.map(|at| (at, values[at as usize])));
            assert!(chunks.each([100].into_iter(), |_, _| Ok(())).is_err());
            for at in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[at] ^= 0xff;
                let flipped = Chunks::new("costs", &flipped, 100).unwrap();
                let position = ((at / 64) * (VALUE_BYTES / flipped.width)) as u32;
                assert!(flipped.get(position).is_err(), "byte {at}");
                assert!(flipped.each([position].into_iter(), |_, _| Ok(())).is_err(), "byte {at}");
            }
        }
    }

    /// A reader takes the widest values that a number of chunks can hold, and so does the writer.
    #[test]
    fn any_number_of_values_has_one_width() {
        for count in 1..130 {
            for most in [1, 300, 70_000] {
                let values = vec![most; count];
                let bytes = encode(&values);
                let chunks = Chunks::new("costs", &bytes, count as u32).unwrap();
                assert!((0..count as u32).all(|at| chunks.get(at) == Ok(Some(most))), "{count} times {most}");
            }
        }
        let bytes = encode(&[300; 130]);
        assert!(Chunks::new("costs", &bytes, 30).is_err());
        assert!(Chunks::new("costs", &bytes[..63], 30).is_err());
    }

    #[test]
    fn chunks_that_change_places_are_noticed() {
        let mut bytes = encode(&(100_000..100_030).collect::<Vec<u32>>());
        let (first, second) = bytes.split_at_mut(64);
        first.swap_with_slice(&mut second[..64]);
        assert!(Chunks::new("costs", &bytes, 30).unwrap().get(0).is_err());
    }

    #[test]
    fn families_are_told_by_their_first_members() {
        let families = [None, Some(9), Some(9), None, Some(4), Some(9)];
        let bytes = encode_families(&families);
        let chunks = Chunks::new("family of each test", &bytes, 6).unwrap();
        let found: Vec<Option<u32>> =
            (0..6).map(|at| decode_family(at, chunks.get(at).unwrap().unwrap()).unwrap()).collect();
        assert_eq!(found, [None, Some(1), Some(1), None, Some(4), Some(1)]);
        assert!(encode_families(&[None; 9]).is_empty());
        assert!(decode_family(3, 5).is_err());
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
