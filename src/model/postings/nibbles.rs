//! Small numbers in half bytes, for what lists are mostly made of: gaps and lengths of a few tests.
//!
//! ```text
//! number  nibbles of three bits each, least significant first, the top bit set on all but the last
//! stream  numbers one after the other, the low half of a byte first; an odd nibble at the end is followed by a 0
//! ```
//!
//! - A **run list** gives ids: for each run of consecutive ids the number of ids left out before it, times two, plus one
//!   where the run has more than one id: then its length less two follows. Runs never meet, so the one id between two of
//!   them is not counted.
//! - A **signal list** gives bytes: for each run of equal bytes its length less one, times the size of a palette, plus
//!   the position in the palette.

use std::ops::Range;

/// More nibbles than any number of the format has: 36 bits.
const NIBBLES_MOST: u32 = 12;

/// A stream that is written.
#[derive(Debug, Default)]
struct Writer {
    bytes: Vec<u8>,
    half: bool,
}

impl Writer {
    fn nibble(&mut self, nibble: u8) {
        match self.bytes.last_mut() {
            Some(last) if self.half => *last |= nibble << 4,
            _ => self.bytes.push(nibble),
        }
        self.half = !self.half;
    }

    fn number(&mut self, mut number: u64) {
        while number >= 8 {
            self.nibble((number & 7) as u8 | 8);
            number >>= 3;
        }
        self.nibble((number & 7) as u8);
    }
}

/// Reads numbers of bytes that nobody has vouched for: past the end is `None`.
#[derive(Clone, Copy, Debug)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn nibble(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at / 2)?;
        let nibble = byte >> (4 * (self.at & 1)) & 15;
        self.at += 1;
        Some(nibble)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for nibble in 0..NIBBLES_MOST {
            let part = self.nibble()?;
            number |= u64::from(part & 7) << (3 * nibble);
            if part < 8 {
                return Some(number);
            }
        }
        None
    }

    /// Whether nothing is left but the other half of the last byte.
    fn is_done(mut self) -> bool {
        self.at / 2 == self.bytes.len()
            || (self.at & 1 == 1 && self.at / 2 + 1 == self.bytes.len() && self.nibble() == Some(0))
    }
}

/// Encodes ascending ids without repeats as a run list.
pub(super) fn encode_ids(ids: impl Iterator<Item = u32>) -> Vec<u8> {
    let mut writer = Writer::default();
    let mut free = 0u64;
    each_run(
        ids,
        |last, id| last.checked_add(1) == Some(id),
        |first, length| {
            let gap = u64::from(first) - free;
            writer.number(gap << 1 | u64::from(length > 1));
            if length > 1 {
                writer.number(u64::from(length) - 2);
            }
            free = u64::from(first) + u64::from(length) + 1;
        },
    );
    writer.bytes
}

/// Encodes bytes as a signal list over `palette`, which holds each of them once.
pub(super) fn encode_signals(signals: impl Iterator<Item = u8>, palette: &[u8]) -> Vec<u8> {
    let mut writer = Writer::default();
    each_run(
        signals,
        |last, signal| last == signal,
        |signal, length| {
            let position = palette.iter().position(|&known| known == signal).expect("the palette holds every signal");
            writer.number((u64::from(length) - 1) * palette.len() as u64 + position as u64);
        },
    );
    writer.bytes
}

/// Calls `visit` with the first item and the length of each run of items, where `goes_on` tells of neighbours.
pub(super) fn each_run<T: Copy>(
    items: impl Iterator<Item = T>,
    goes_on: impl Fn(T, T) -> bool,
    mut visit: impl FnMut(T, u32),
) {
    let mut run: Option<(T, T, u32)> = None;
    for item in items {
        run = Some(match run {
            Some((first, last, length)) if goes_on(last, item) => (first, item, length + 1),
            before => {
                before.into_iter().for_each(|(first, _, length)| visit(first, length));
                (item, item, 1)
            }
        });
    }
    run.into_iter().for_each(|(first, _, length)| visit(first, length));
}

/// The runs of a run list, one at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runs<'a> {
    reader: Reader<'a>,
    /// The least id that the next run may begin with.
    free: u64,
}

impl<'a> Runs<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader::new(bytes), free: 0 }
    }

    /// The next run of ids, never empty; `None` past the end.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Range<u32>> {
        let head = self.reader.number()?;
        let length = if head & 1 == 0 { 1 } else { self.reader.number()? + 2 };
        let first = self.free + (head >> 1);
        let end = first + length;
        self.free = end + 1;
        Some(u32::try_from(first).ok()?..u32::try_from(end).ok()?)
    }

    /// Whether every run was read.
    pub(super) fn is_done(&self) -> bool {
        self.reader.is_done()
    }
}

/// The bytes of a signal list, one at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signals<'a> {
    palette: &'a [u8],
    reader: Reader<'a>,
    signal: u8,
    left: u64,
}

impl<'a> Signals<'a> {
    /// Reads a signal list over a palette that is not empty.
    pub(super) fn new(palette: &'a [u8], bytes: &'a [u8]) -> Self {
        Self { palette, reader: Reader::new(bytes), signal: 0, left: 0 }
    }

    /// The next byte, or `None` past the end.
    pub(super) fn next(&mut self) -> Option<u8> {
        if self.left == 0 {
            let number = self.reader.number()?;
            let size = self.palette.len() as u64;
            self.signal = *self.palette.get(usize::try_from(number.checked_rem(size)?).ok()?)?;
            self.left = number / size + 1;
        }
        self.left -= 1;
        Some(self.signal)
    }

    /// Whether every byte was read.
    pub(super) fn is_done(&self) -> bool {
        self.left == 0 && self.reader.is_done()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(bytes: &[u8], count: usize) -> Option<Vec<u32>> {
        let mut runs = Runs::new(bytes);
        let mut found = Vec::new();
        while found.len() < count {
            let run = runs.next()?;
            found.extend(run.clone().take(count + 1 - found.len()));
        }
        (found.len() == count && runs.is_done()).then_some(found)
    }

    #[test]
    fn a_run_list_is_what_the_format_says() {
        let bytes = encode_ids([3, 4, 5, 7, 100].into_iter());
        // 3 left out and a run: 7. Three ids: 1. Nothing left out, one id: 0. 91 left out: 182, or 6 + 8 * 6 + 64 * 2.
        assert_eq!(bytes, [0x17, 0xe0, 0x2e]);
        assert_eq!(ids(&bytes, 5), Some(vec![3, 4, 5, 7, 100]));
        assert_eq!(ids(&bytes, 4), None, "more than it claims");
        assert_eq!(ids(&bytes, 6), None, "fewer than it claims");
        assert_eq!(ids(&[0x10], 1), None, "a filling that is not 0");
        assert_eq!(ids(&[0x00, 0], 1), None, "a byte too many");
        assert_eq!(ids(&[0xff; 7], 1), None, "a number without an end");
        assert_eq!(ids(&encode_ids([u32::MAX - 1].into_iter()), 2), None);
    }

    proptest! {
        #[test]
        fn ids_come_back(set in proptest::collection::btree_set(prop_oneof![0u32..200, any::<u32>()], 1..80)) {
            let want: Vec<u32> = set.into_iter().filter(|&id| id < u32::MAX).collect();
            prop_assume!(!want.is_empty());
            let bytes = encode_ids(want.iter().copied());
            prop_assert_eq!(ids(&bytes, want.len()), Some(want));
        }

        #[test]
        fn signals_come_back(want in proptest::collection::vec(prop_oneof![Just(1u8), Just(17), any::<u8>()], 1..80)) {
            let mut palette = want.clone();
            palette.sort_unstable();
            palette.dedup();
            let bytes = encode_signals(want.iter().copied(), &palette);
            let mut signals = Signals::new(&palette, &bytes);
            let found: Vec<u8> = want.iter().map_while(|_| signals.next()).collect();
            prop_assert_eq!(found, want);
            prop_assert!(signals.is_done());
        }

        #[test]
        fn any_bytes_ascend_or_are_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..40), count in 1usize..300) {
            if let Some(found) = ids(&bytes, count) {
                prop_assert!(found.is_sorted_by(|a, b| a < b));
                prop_assert_eq!(found.len(), count);
            }
        }
    }
}
