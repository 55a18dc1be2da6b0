//! Variable-length integers and bounded reading, shared by every part of the format.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The 32-bit checksum of a part of the file: the low half of xxh3-64, seeded with the part's position among its kind,
/// so that two parts that change places do not pass for each other.
pub(crate) fn checksum(bytes: &[u8], position: u64) -> u32 {
    (xxh3_64_with_seed(bytes, position) & 0xffff_ffff) as u32
}

/// Appends `value` as LEB128: seven bits a byte, least significant first.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// Reads forward through bytes that nobody has vouched for: past the end is `None`, never a panic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// The next varint; one of a single byte, which most are, in a few instructions.
    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let (value, rest) = match self.rest {
            [first, rest @ ..] if *first < 0x80 => (u64::from(*first), rest),
            bytes => long_varint(bytes)?,
        };
        self.rest = rest;
        Some(value)
    }

    #[inline]
    pub(crate) fn varint_u32(&mut self) -> Option<u32> {
        u32::try_from(self.varint()?).ok()
    }

    pub(crate) fn varint_usize(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }
}

/// A varint, and what follows it. Apart from [`Cursor::varint`], for most numbers take one byte and that much is inlined.
fn long_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (at, &byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        if at == 9 && bits > 1 {
            return None;
        }
        value |= bits << (7 * at);
        if byte < 0x80 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            let mut cursor = Cursor::new(&bytes);
            assert_eq!(cursor.varint(), Some(value));
            assert!(cursor.is_empty());
            assert_eq!(Cursor::new(&bytes[..bytes.len() - 1]).varint(), None, "cut short");
        }
        assert_eq!(Cursor::new(&[0xff; 11]).varint(), None, "longer than 64 bits");
    }
}
