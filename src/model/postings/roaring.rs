//! Roaring bitmaps read in place, in the portable layout (<https://github.com/RoaringBitmap/RoaringFormatSpec>).
//!
//! The `roaring` crate writes them and is the reference in tests; its `deserialize` allocates a container at a time,
//! where this view walks the bytes. Nothing in the bytes is trusted: every container lies where it must, holds what its
//! header says, and ascends.

use super::super::bytes::Cursor;

const COOKIE_NO_RUNS: u32 = 12346;
const COOKIE_RUNS: u32 = 12347;
/// With run containers, the offset table is left out below this number of containers.
const NO_OFFSET_THRESHOLD: usize = 4;
/// Containers up to this cardinality are arrays, larger ones bitmaps.
const ARRAY_MOST: usize = 4096;
const BITMAP_BYTES: usize = 8192;

fn u16_at(bytes: &[u8], index: usize) -> Option<u16> {
    let pair = bytes.get(2 * index..2 * index + 2)?;
    Some(u16::from_le_bytes([pair[0], pair[1]]))
}

fn u32_of(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// A bitmap that is read one container after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Containers<'a> {
    /// Key and cardinality - 1 of each container.
    headers: &'a [u8],
    run_flags: &'a [u8],
    /// The next container.
    at: usize,
    body: Cursor<'a>,
}

impl<'a> Containers<'a> {
    /// Reads the headers; `None` if they are cut short.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let cookie = u32_of(cursor.take(4)?)?;
        let (containers, run_flags) = match cookie & 0xffff {
            COOKIE_RUNS => {
                let containers = (cookie >> 16) as usize + 1;
                (containers, cursor.take(containers.div_ceil(8))?)
            }
            _ if cookie == COOKIE_NO_RUNS => (u32_of(cursor.take(4)?)? as usize, &[][..]),
            _ => return None,
        };
        if containers > 1 << 16 {
            return None;
        }
        let headers = cursor.take(containers * 4)?;
        if cookie == COOKIE_NO_RUNS || containers >= NO_OFFSET_THRESHOLD {
            cursor.take(containers * 4)?; // offsets: the containers follow each other in order, so they say nothing new
        }
        Some(Self { headers, run_flags, at: 0, body: cursor })
    }

    /// The upper half of the values of the next container; `None` after the last.
    pub(super) fn key(&self) -> Option<u16> {
        u16_at(self.headers, 2 * self.at)
    }

    /// Whether nothing is left.
    pub(super) fn is_over(&self) -> bool {
        self.key().is_none() && self.body.is_empty()
    }

    /// Calls `visit` with the lower half of every value of the next container, ascending, until it answers `None`; `None`
    /// too if the container is not well formed, or the one after it does not ascend.
    #[inline]
    pub(super) fn read(&mut self, mut visit: impl FnMut(u16) -> Option<()>) -> Option<()> {
        let key = self.key()?;
        let cardinality = usize::from(u16_at(self.headers, 2 * self.at + 1)?) + 1;
        let is_run = self.run_flags.get(self.at / 8).is_some_and(|flags| flags >> (self.at % 8) & 1 == 1);
        match () {
            () if is_run => runs(&mut self.body, cardinality, &mut visit)?,
            () if cardinality <= ARRAY_MOST => array(self.body.take(cardinality * 2)?, &mut visit)?,
            () => bitmap(self.body.take(BITMAP_BYTES)?, cardinality, &mut visit)?,
        }
        self.at += 1;
        self.key().is_none_or(|next| next > key).then_some(())
    }
}

#[inline]
fn runs(cursor: &mut Cursor<'_>, cardinality: usize, visit: &mut impl FnMut(u16) -> Option<()>) -> Option<()> {
    let count = usize::from(u16_at(cursor.take(2)?, 0)?);
    let pairs = cursor.take(count * 4)?;
    let mut left = cardinality;
    let mut least = 0u32;
    for run in 0..count {
        let (start, more) = (u16_at(pairs, 2 * run)?, u16_at(pairs, 2 * run + 1)?);
        if u32::from(start) < least {
            return None;
        }
        let last = start.checked_add(more)?;
        left = left.checked_sub(usize::from(more) + 1)?;
        for low in start..=last {
            visit(low)?;
        }
        least = u32::from(last) + 2; // Runs that touch are one run.
    }
    (left == 0).then_some(())
}

#[inline]
fn array(bytes: &[u8], visit: &mut impl FnMut(u16) -> Option<()>) -> Option<()> {
    let mut least = 0u32;
    for pair in bytes.as_chunks::<2>().0 {
        let low = u16::from_le_bytes(*pair);
        if u32::from(low) < least {
            return None;
        }
        least = u32::from(low) + 1;
        visit(low)?;
    }
    Some(())
}

#[inline]
fn bitmap(bytes: &[u8], cardinality: usize, visit: &mut impl FnMut(u16) -> Option<()>) -> Option<()> {
    let mut left = cardinality;
    for (word, base) in bytes.as_chunks::<8>().0.iter().zip((0u16..=u16::MAX).step_by(64)) {
        let mut word = u64::from_le_bytes(*word);
        while word != 0 {
            left = left.checked_sub(1)?;
            visit(base | (word.trailing_zeros() & 63) as u16)?;
            word &= word - 1;
        }
    }
    (left == 0).then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use roaring::RoaringBitmap;

    use super::*;

    fn read(bytes: &[u8]) -> Option<Vec<u32>> {
        let mut found = Vec::new();
        let mut containers = Containers::new(bytes)?;
        while let Some(key) = containers.key() {
            containers.read(|low| {
                found.push(u32::from(key) << 16 | u32::from(low));
                Some(())
            })?;
        }
        containers.is_over().then_some(found)
    }

    fn shapes() -> impl Strategy<Value = RoaringBitmap> {
        let part = prop_oneof![
            proptest::collection::vec(any::<u32>(), 0..50).prop_map(|v| v.into_iter().collect::<RoaringBitmap>()),
            (0u32..1 << 20, 1u32..70_000).prop_map(|(from, n)| (from..from + n).collect()),
            (0u32..1 << 20, 1u32..20_000, 2u32..5)
                .prop_map(|(from, n, step)| (0..n).map(|i| from + i * step).collect()),
        ];
        proptest::collection::vec(part, 0..4)
            .prop_map(|parts| parts.into_iter().fold(RoaringBitmap::new(), |a, b| a | b))
    }

    proptest! {
        #[test]
        fn reads_what_the_crate_writes(mut bitmap in shapes(), optimize in any::<bool>()) {
            if optimize {
                bitmap.optimize();
            }
            let mut bytes = Vec::new();
            bitmap.serialize_into(&mut bytes).unwrap();
            prop_assert_eq!(read(&bytes), Some(bitmap.iter().collect::<Vec<_>>()));
            prop_assert_eq!(read(&bytes[..bytes.len() - 1]), None);
        }

        #[test]
        fn never_panics_and_always_ascends(bytes in proptest::collection::vec(any::<u8>(), 0..200), runs in any::<bool>()) {
            let mut framed = if runs { 0x0001_303bu32.to_le_bytes().to_vec() } else { 12346u32.to_le_bytes().to_vec() };
            framed.extend(bytes);
            if let Some(values) = read(&framed) {
                prop_assert!(values.is_sorted_by(|a, b| a < b));
            }
        }
    }
}
