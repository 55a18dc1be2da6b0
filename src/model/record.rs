//! What the model knows of one file, in one rkyv archive: everything a change of that file needs, but the lists.

use rkyv::{Archive, Deserialize, Serialize};

use super::postings::ListRefBytes;

/// Size and content hash of a file when the model was built: what tells whether it has changed since.
#[derive(Archive, Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[rkyv(derive(Debug))]
pub struct Stamp {
    /// Length in bytes.
    pub size_bytes: u64,
    /// xxh3-64 of the content.
    pub hash: u64,
}

/// A range of lines that belong to one block.
#[derive(Archive, Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[rkyv(derive(Debug))]
pub struct LineRun {
    /// The first line, 1-based.
    pub first: u32,
    /// The last line, inclusive.
    pub last: u32,
    /// Which of [`FileRecord::blocks`].
    pub block: u32,
}

/// A named span of lines.
#[derive(Archive, Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[rkyv(derive(Debug))]
pub struct SymbolRecord {
    /// The first line, 1-based.
    pub first: u32,
    /// The last line, inclusive.
    pub last: u32,
    /// A [`crate::observation::SymbolKind`] as its number.
    pub kind: u8,
    /// Qualified within the file with dots.
    pub name: String,
}

/// One file.
#[derive(Archive, Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[rkyv(derive(Debug))]
pub struct FileRecord {
    /// Its own position, so that a record found in the wrong place is noticed.
    pub file: u32,
    /// Size and hash, where the file was there when the model was built.
    pub stamp: Option<Stamp>,
    /// Recorded lines, ascending and disjoint. Gaps are blank, comments, or never recorded.
    pub runs: Vec<LineRun>,
    /// The posting list of each block: tests that ran exactly these lines of the file together.
    pub blocks: Vec<ListRefBytes>,
    /// First and last line of each range that ran outside any test, ascending and disjoint.
    pub imported: Vec<[u32; 2]>,
    /// Every test that ran a line of this file; the byte is the number of lines as [`crate::model::quantize_count`].
    pub touching: ListRefBytes,
    /// The tests that this file defines; the byte is 1.
    pub defines: ListRefBytes,
    /// Its symbols, by first line, outer before inner.
    pub symbols: Vec<SymbolRecord>,
}

/// A count on a scale of sixteen steps an octave: 1 is 1, 2 is 17, 65,000 and above are 255.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value is clamped to 1..=255 before")]
pub fn quantize_count(count: u64) -> u8 {
    let steps = 16.0 * libm::log2(count.max(1) as f64);
    libm::round(steps).clamp(0.0, 254.0) as u8 + 1
}

/// The count that a byte of [`quantize_count`] stands for.
pub fn dequantize_count(byte: u8) -> f64 {
    libm::exp2(f64::from(byte.saturating_sub(1)) / 16.0)
}
