//! Name tables: sorted strings in front-coded blocks of sixteen, each block found and checked on its own.
//!
//! ```text
//! index   one entry a block: offset u64 (from the end of the index), length u32, checksum u32
//! block   the first name: length, bytes; each further one: bytes shared with the name before, length of the rest, rest
//! ```
//!
//! Lengths are varints. Sorted test ids and paths share long prefixes, so a name costs about its last component.

use std::cmp::Ordering;

use bytemuck::{Pod, Zeroable};

use super::bytes::{Cursor, checksum, put_varint};
use super::error::ModelError;

/// Names in a block.
pub(crate) const BLOCK: usize = 16;

/// Where a part of a section is, with its checksum: shared by name tables, the facts and the file records.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct RawRef {
    offset: [u8; 8],
    length: [u8; 4],
    checksum: [u8; 4],
}

/// Length of a [`RawRef`] in bytes.
pub(crate) const REF_BYTES: usize = size_of::<RawRef>();

impl RawRef {
    /// Describes `bytes`, the part at `position` among its kind, placed at `offset`.
    ///
    /// # Panics
    /// With a part of 4 GiB or more.
    pub(crate) fn new(offset: usize, bytes: &[u8], position: usize) -> Self {
        Self {
            offset: (offset as u64).to_le_bytes(),
            length: u32::try_from(bytes.len()).expect("a part is shorter than 4 GiB").to_le_bytes(),
            checksum: checksum(bytes, position as u64).to_le_bytes(),
        }
    }

    /// Offset and length of the part.
    pub(crate) fn extent(&self) -> (u64, u32) {
        (u64::from_le_bytes(self.offset), u32::from_le_bytes(self.length))
    }

    /// The bytes it refers to within `data`, checked.
    pub(crate) fn of<'a>(
        &self,
        section: &'static str,
        data: &'a [u8],
        position: usize,
    ) -> Result<&'a [u8], ModelError> {
        let offset = usize::try_from(u64::from_le_bytes(self.offset)).ok();
        let bytes = offset
            .and_then(|offset| data.get(offset..))
            .and_then(|rest| rest.get(..u32::from_le_bytes(self.length) as usize))
            .ok_or_else(|| ModelError::damaged(section, "a part lies outside it"))?;
        if checksum(bytes, position as u64) != u32::from_le_bytes(self.checksum) {
            return Err(ModelError::damaged(section, "the checksum of a part does not match"));
        }
        Ok(bytes)
    }
}

/// A section of parts, each with its own [`RawRef`]; most hold blocks of sixteen items.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks<'a> {
    pub(crate) section: &'static str,
    index: &'a [RawRef],
    data: &'a [u8],
}

impl<'a> Blocks<'a> {
    /// Checks the length of the index alone.
    pub(crate) fn new(section: &'static str, bytes: &'a [u8], count: u32) -> Result<Self, ModelError> {
        Self::of_parts(section, bytes, (count as usize).div_ceil(BLOCK))
    }

    /// A section of so many parts; as [`Blocks::new`].
    pub(crate) fn of_parts(section: &'static str, bytes: &'a [u8], parts: usize) -> Result<Self, ModelError> {
        let (index, data) = bytes
            .split_at_checked(parts * REF_BYTES)
            .ok_or_else(|| ModelError::damaged(section, "it is shorter than its index"))?;
        Ok(Self { section, index: bytemuck::cast_slice(index), data })
    }

    /// Whether the blocks lie one after the other, from the end of the index to that of the section.
    pub(crate) fn follow_each_other(&self) -> bool {
        let mut end = 0u64;
        let each_follows = self.index.iter().all(|block| {
            let (offset, length) = block.extent();
            let follows = offset == end;
            end = end.saturating_add(length.into());
            follows
        });
        each_follows && end == self.data.len() as u64
    }

    /// The part at a position, checked.
    pub(crate) fn part(&self, part: usize) -> Result<&'a [u8], ModelError> {
        let entry = self.index.get(part).ok_or_else(|| ModelError::damaged(self.section, "it has no such part"))?;
        entry.of(self.section, self.data, part)
    }

    /// The block that holds `position`, and how many items stand before it there.
    pub(crate) fn block_of(&self, position: u32) -> Result<(&'a [u8], usize), ModelError> {
        let position = position as usize;
        Ok((self.part(position / BLOCK)?, position % BLOCK))
    }
}

/// Lays out items in blocks: `put` appends an item, with the one before it in the same block.
pub(crate) fn encode_blocks<T>(items: &[T], mut put: impl FnMut(&mut Vec<u8>, Option<&T>, &T)) -> Vec<u8> {
    let mut index: Vec<RawRef> = Vec::with_capacity(items.len().div_ceil(BLOCK));
    let mut data = Vec::new();
    for (position, block) in items.chunks(BLOCK).enumerate() {
        let offset = data.len();
        let mut before = None;
        for item in block {
            put(&mut data, before, item);
            before = Some(item);
        }
        index.push(RawRef::new(offset, &data[offset..], position));
    }
    let mut out: Vec<u8> = bytemuck::cast_slice(&index).to_vec();
    out.append(&mut data);
    out
}

/// Lays out sorted, distinct names.
pub(crate) fn encode<S: AsRef<str>>(names: &[S]) -> Vec<u8> {
    debug_assert!(names.is_sorted_by(|a, b| a.as_ref() < b.as_ref()));
    encode_blocks(names, |out, before, name| {
        let name = name.as_ref().as_bytes();
        let shared = before.map(|before| {
            let shared = before.as_ref().bytes().zip(name).take_while(|(a, b)| a == *b).count();
            put_varint(out, shared as u64);
            shared
        });
        let rest = &name[shared.unwrap_or(0)..];
        put_varint(out, rest.len() as u64);
        out.extend_from_slice(rest);
    })
}

/// A table of `count` sorted names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameTable<'a> {
    blocks: Blocks<'a>,
    count: u32,
}

impl<'a> NameTable<'a> {
    pub(crate) fn new(section: &'static str, bytes: &'a [u8], count: u32) -> Result<Self, ModelError> {
        Ok(Self { blocks: Blocks::new(section, bytes, count)?, count })
    }

    pub(crate) fn damaged(&self, problem: &'static str) -> ModelError {
        ModelError::damaged(self.blocks.section, problem)
    }

    /// Reads the next name of a block into `name`, which holds the name before it.
    fn next(&self, cursor: &mut Cursor<'_>, first: bool, name: &mut Vec<u8>) -> Result<(), ModelError> {
        let shared = if first { Some(0) } else { cursor.varint_usize() };
        let rest = cursor.varint_usize().and_then(|length| cursor.take(length));
        match (shared, rest) {
            (Some(shared), Some(rest)) if shared <= name.len() => {
                name.truncate(shared);
                name.extend_from_slice(rest);
                Ok(())
            }
            _ => Err(self.damaged("a name does not fit its block")),
        }
    }

    /// The name at `position`.
    pub(crate) fn get(&self, position: u32) -> Result<String, ModelError> {
        if position >= self.count {
            return Err(self.damaged("a position lies past its end"));
        }
        let (block, before) = self.blocks.block_of(position)?;
        let mut cursor = Cursor::new(block);
        let mut name = Vec::new();
        for skipped in 0..=before {
            self.next(&mut cursor, skipped == 0, &mut name)?;
        }
        String::from_utf8(name).map_err(|_| self.damaged("a name is not UTF-8"))
    }

    /// The first position whose name is not below `wanted`: O(log names) blocks.
    pub(crate) fn lower_bound(&self, wanted: &[u8]) -> Result<u32, ModelError> {
        let (mut low, mut high) = (0usize, (self.count as usize).div_ceil(BLOCK));
        let mut name = Vec::new();
        while low < high {
            let middle = (low + high) / 2;
            name.clear();
            self.next(&mut Cursor::new(self.blocks.part(middle)?), true, &mut name)?;
            if name.as_slice() < wanted { low = middle + 1 } else { high = middle }
        }
        // The first block that starts at or above `wanted` is `low`; the answer is there or within the block before.
        let Some(block) = low.checked_sub(1) else { return Ok(0) };
        let start = block * BLOCK;
        let mut cursor = Cursor::new(self.blocks.part(block)?);
        let held = BLOCK.min(self.count as usize - start);
        name.clear();
        for within in 0..held {
            self.next(&mut cursor, within == 0, &mut name)?;
            if name.as_slice() >= wanted {
                return Ok(position(start + within));
            }
        }
        Ok(position(start + held))
    }

    /// The position of `wanted`.
    pub(crate) fn find(&self, wanted: &[u8]) -> Result<Option<u32>, ModelError> {
        let at = self.lower_bound(wanted)?;
        Ok((at < self.count && self.get(at)?.as_bytes().cmp(wanted) == Ordering::Equal).then_some(at))
    }

    /// Calls `visit` with each name from `first` on, until it answers false.
    pub(crate) fn scan(
        &self,
        first: u32,
        mut visit: impl FnMut(u32, &[u8]) -> Result<bool, ModelError>,
    ) -> Result<(), ModelError> {
        let mut name = Vec::new();
        let mut at = first;
        while at < self.count {
            let (block, before) = self.blocks.block_of(at)?;
            let mut cursor = Cursor::new(block);
            let start = at as usize - before;
            for within in 0..BLOCK.min(self.count as usize - start) {
                self.next(&mut cursor, within == 0, &mut name)?;
                if within >= before && !visit(position(start + within), &name)? {
                    return Ok(());
                }
            }
            at = position(start + BLOCK);
        }
        Ok(())
    }
}

/// A position in a table of at most 2^32 - 1 names.
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        let mut names: Vec<String> = (0..100).map(|i| format!("tests/test_{}.py::test_{i}[é {i}]", i / 9)).collect();
        names.sort();
        names
    }

    #[test]
    fn names_come_back_and_are_found() {
        let names = names();
        let bytes = encode(&names);
        let table = NameTable::new("test names", &bytes, 100).unwrap();
        for (at, name) in names.iter().enumerate() {
            assert_eq!(&table.get(at as u32).unwrap(), name);
            assert_eq!(table.find(name.as_bytes()), Ok(Some(at as u32)));
            assert_eq!(table.find(format!("{name}!").as_bytes()), Ok(None));
        }
        assert_eq!(table.find(b""), Ok(None));
        assert_eq!(table.lower_bound(b"zzz"), Ok(100));
        assert!(table.get(100).is_err());
        let mut seen = Vec::new();
        table
            .scan(37, |_, name| {
                seen.push(String::from_utf8(name.to_vec()).unwrap());
                Ok(seen.len() < 50)
            })
            .unwrap();
        assert_eq!(seen, names[37..87]);
    }

    #[test]
    fn every_flip_is_noticed_or_harmless() {
        let names = names();
        let bytes = encode(&names);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0xff;
            let table = NameTable::new("test names", &flipped, 100).unwrap();
            for (position, name) in names.iter().enumerate() {
                if let Ok(found) = table.get(position as u32) {
                    assert_eq!(&found, name, "byte {at}");
                }
            }
        }
    }

    #[test]
    fn an_empty_table_is_fine() {
        let table = NameTable::new("paths", &[], 0).unwrap();
        assert_eq!(table.find(b"a"), Ok(None));
        assert!(table.get(0).is_err());
    }
}
