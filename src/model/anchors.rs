//! Line anchors: a short hash of each line of a file as it was when the model was built, by which a diff that starts from
//! another state finds its lines.
//!
//! ```text
//! index   one entry a file: offset u64 (from the end of the index), length u32, checksum u32
//! part    u16 for each line, little-endian; none where the content was not known
//! ```
//!
//! A section without bytes says nothing of any file. Lines that differ in white space and quotes alone have one anchor, so
//! that most of what a formatter does leaves them as they are.

use xxhash_rust::xxh3::xxh3_64;

/// The anchor of a line without anything but white space.
pub const BLANK: u16 = 0;

/// Files with more bytes have no anchors: they are data.
pub const FILE_BYTES_MOST: usize = 8 << 20;

/// The anchor of a line: 16 bits of the xxh3-64 of its bytes without ASCII white space and with one kind of quotes.
pub fn anchor(line: &[u8]) -> u16 {
    anchor_in(line, &mut Vec::new())
}

fn anchor_in(line: &[u8], kept: &mut Vec<u8>) -> u16 {
    kept.clear();
    let bytes = line.iter().filter(|byte| !byte.is_ascii_whitespace());
    kept.extend(bytes.map(|&byte| if byte == b'\'' { b'"' } else { byte }));
    if kept.is_empty() {
        return BLANK;
    }
    let [first, second, ..] = xxh3_64(kept).to_le_bytes();
    u16::from_le_bytes([first, second]).max(BLANK + 1)
}

/// The anchor of each line of a file; none for one that is too large.
pub fn anchors(content: &[u8]) -> Vec<u16> {
    if content.len() > FILE_BYTES_MOST {
        return Vec::new();
    }
    let mut kept = Vec::new();
    let whole = content.strip_suffix(b"\n").unwrap_or(content);
    let lines = whole.split(|&byte| byte == b'\n').take(if content.is_empty() { 0 } else { usize::MAX });
    lines.map(|line| anchor_in(line, &mut kept)).collect()
}

/// The anchors of a file of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anchors<'a> {
    bytes: &'a [[u8; 2]],
}

impl<'a> Anchors<'a> {
    /// `None` if they are not whole.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (bytes, []) = bytes.as_chunks() else { return None };
        Some(Self { bytes })
    }

    /// Whether nothing is known of the lines.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The number of lines.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The anchor of a line, counted from 1.
    pub fn line(&self, line: u32) -> Option<u16> {
        let at = (line as usize).checked_sub(1)?;
        self.bytes.get(at).map(|&anchor| u16::from_le_bytes(anchor))
    }

    /// The anchors of all lines.
    pub fn iter(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.bytes.iter().map(|&anchor| u16::from_le_bytes(anchor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_formatter_changes_leaves_anchors_alone() {
        assert_eq!(anchor(b"  x = 'a'\r"), anchor(b"x=\"a\""));
        assert_ne!(anchor(b"x = 1"), anchor(b"x = 2"));
        assert_eq!(anchor(b" \t\r"), BLANK);
        assert_eq!(anchors(b""), [0; 0]);
        assert_eq!(anchors(b"\n"), [BLANK]);
        assert_eq!(anchors(b"a\n\nb"), [anchor(b"a"), BLANK, anchor(b"b")]);
        assert_eq!(anchors(b"a\n"), anchors(b"a"));
        assert_eq!(anchors(&vec![b'\n'; FILE_BYTES_MOST + 1]), [0; 0]);
        assert!((0..100_000_u32).all(|n| anchor(&n.to_le_bytes().map(|byte| byte | 0x80)) != BLANK));
    }
}
