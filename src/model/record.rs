//! What the model knows of one file, in one rkyv archive: everything a change of that file needs, but the lists.

use std::cmp::Reverse;

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
    /// Of the symbols before it that end after it, the nearest, as its position + 1; 0 without one. Following these
    /// meets every symbol that holds a line, innermost first, however the spans overlap.
    pub outer: u32,
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

impl ArchivedFileRecord {
    /// The first rule of the format that the record breaks, if it breaks one. O(size of the record), as its validation.
    ///
    /// Searches by line trust the order that this checks.
    pub(crate) fn broken_rule(&self, file: u32) -> Option<&'static str> {
        let blocks = self.blocks.len();
        let mut runs = self.runs.iter().map(|run| (run.first.to_native(), run.last.to_native()));
        let mut imported = self.imported.iter().map(|range| (range[0].to_native(), range[1].to_native()));
        let mut symbols = (0u32..).zip(self.symbols.iter());
        let ordered = |pair: &[ArchivedSymbolRecord]| {
            (pair[0].first, Reverse(pair[0].last)) <= (pair[1].first, Reverse(pair[1].last))
        };
        match () {
            () if self.file != file => Some("a record is that of another file"),
            () if !ascend(&mut runs) => Some("the line runs of a file do not ascend"),
            () if self.runs.iter().any(|run| run.block.to_native() as usize >= blocks) => {
                Some("a run names a block that is not there")
            }
            () if !ascend(&mut imported) => Some("the imported lines of a file do not ascend"),
            () if !self.symbols.windows(2).all(ordered) => Some("the symbols of a file are not sorted"),
            () if symbols.any(|(at, s)| s.first == 0 || s.first > s.last || s.outer > at) => {
                Some("a symbol has no lines, or names one after it as its outer")
            }
            () => None,
        }
    }
}

/// Whether ranges of 1-based lines are well formed, ascending and disjoint.
fn ascend(ranges: &mut impl Iterator<Item = (u32, u32)>) -> bool {
    let mut before = 0;
    ranges.all(|(first, last)| {
        let fits = before < first && first <= last;
        before = last;
        fits
    })
}

/// For symbols by first line, outer before inner: the [`SymbolRecord::outer`] of each. O(symbols).
pub(crate) fn link_outer(symbols: &mut [SymbolRecord]) {
    // Symbols that may still be the outer of a later one: each ends before the one below it on the stack.
    let mut open: Vec<u32> = Vec::new();
    for at in 0..symbols.len() {
        while let Some(&inner) = open.last()
            && symbols[inner as usize - 1].last <= symbols[at].last
        {
            open.pop();
        }
        symbols[at].outer = open.last().copied().unwrap_or(0);
        open.push(u32::try_from(at + 1).expect("a file has fewer than 2^32 symbols"));
    }
}

/// A count on a scale of sixteen steps an octave: 1 is 1, 2 is 17, 58,810 and above are 255.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value is clamped to 1..=255 before")]
pub fn quantize_count(count: u64) -> u8 {
    let steps = 16.0 * libm::log2(count.max(1) as f64);
    libm::round(steps).clamp(0.0, 254.0) as u8 + 1
}

/// The count that a byte of [`quantize_count`] stands for.
pub fn dequantize_count(byte: u8) -> f64 {
    libm::exp2(f64::from(byte.saturating_sub(1)) / 16.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rkyv::rancor::Failure;

    use super::*;

    #[test]
    fn counts_are_kept_within_a_few_per_cent() {
        assert_eq!([0, 1, 2, 4, 65_000, u64::MAX].map(quantize_count), [1, 1, 17, 33, 255, 255]);
        for count in 1..60_000u64 {
            let back = dequantize_count(quantize_count(count));
            assert!((back / count as f64 - 1.0).abs() < 0.022, "{count} came back as {back}");
        }
    }

    /// The tables of `docs/format.md`.
    #[test]
    fn archives_are_laid_out_as_the_format_says() {
        use std::mem::offset_of;
        assert_eq!((size_of::<ArchivedFileRecord>(), align_of::<ArchivedFileRecord>()), (128, 8));
        assert_eq!(offset_of!(ArchivedFileRecord, file), 0);
        assert_eq!(offset_of!(ArchivedFileRecord, stamp), 8);
        assert_eq!(offset_of!(ArchivedFileRecord, runs), 32);
        assert_eq!(offset_of!(ArchivedFileRecord, blocks), 48);
        assert_eq!(offset_of!(ArchivedFileRecord, imported), 64);
        assert_eq!(offset_of!(ArchivedFileRecord, touching), 80);
        assert_eq!(offset_of!(ArchivedFileRecord, defines), 96);
        assert_eq!(offset_of!(ArchivedFileRecord, symbols), 112);
        assert_eq!(size_of::<ArchivedLineRun>(), 12);
        assert_eq!(offset_of!(ArchivedLineRun, block), 8);
        assert_eq!(size_of::<ArchivedSymbolRecord>(), 32);
        assert_eq!(offset_of!(ArchivedSymbolRecord, kind), 8);
        assert_eq!(offset_of!(ArchivedSymbolRecord, outer), 12);
        assert_eq!(offset_of!(ArchivedSymbolRecord, name), 16);
        // A record in bytes, by a reader that knows the tables alone.
        let name = "a_name_longer_than_sixteen_bytes".repeat(3);
        let symbols = vec![
            SymbolRecord { name: name.clone(), ..symbol(5, 9) },
            SymbolRecord { name: "née".into(), ..symbol(6, 7) },
        ];
        let stamp = Some(Stamp { size_bytes: 77, hash: 78 });
        let record = FileRecord { file: 3, stamp, imported: vec![[1, 2], [4, 8]], symbols, ..Default::default() };
        let archive = rkyv::to_bytes::<Failure>(&record).unwrap();
        let u32_at = |at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().unwrap());
        let u64_at = |at: usize| u64::from_le_bytes(archive[at..at + 8].try_into().unwrap());
        let follow = |at: usize, field: usize| at.wrapping_add_signed(u64_at(field).cast_signed() as isize);
        let root = (archive.len() - 128) & !7;
        assert_eq!((u32_at(root), archive[root + 8], u64_at(root + 16), u64_at(root + 24)), (3, 1, 77, 78));
        let imported = follow(root + 64, root + 64);
        assert_eq!((u64_at(root + 72), u32_at(imported + 8), u32_at(imported + 12)), (2, 4, 8));
        let symbols = follow(root + 112, root + 112);
        let length = u64_at(symbols + 16);
        assert_eq!(length & 0xc0, 0x80, "not inline");
        let text = follow(symbols + 16, symbols + 24);
        let bytes = &archive[text..text + (length & 0x3f | length >> 8 << 6) as usize];
        assert_eq!(bytes, name.as_bytes());
        assert_eq!(
            archive[symbols + 48..symbols + 53],
            *"née\u{0}".as_bytes().iter().map(|&b| if b == 0 { 0xff } else { b }).collect::<Vec<u8>>()
        );
    }

    fn symbol(first: u32, last: u32) -> SymbolRecord {
        SymbolRecord { first, last, kind: 0, outer: 0, name: format!("{first}_{last}") }
    }

    #[test]
    fn records_that_break_a_rule_are_told() {
        let run = |first, last, block| LineRun { first, last, block };
        let broken = |record: FileRecord| {
            let bytes = rkyv::to_bytes::<Failure>(&record).unwrap();
            rkyv::access::<ArchivedFileRecord, Failure>(&bytes).unwrap().broken_rule(0)
        };
        let of_runs =
            |runs: &[LineRun]| broken(FileRecord { runs: runs.to_vec(), blocks: vec![[0; 16]], ..Default::default() });
        assert_eq!(of_runs(&[run(1, 2, 0), run(3, u32::MAX, 0)]), None);
        for runs in [
            [run(1, 2, 0), run(2, 3, 0)],
            [run(3, 3, 0), run(1, 1, 0)],
            [run(0, 1, 0), run(2, 2, 0)],
            [run(1, 1, 0), run(4, 3, 0)],
        ] {
            assert_eq!(of_runs(&runs), Some("the line runs of a file do not ascend"), "{runs:?}");
        }
        assert_eq!(of_runs(&[run(1, 1, 1)]), Some("a run names a block that is not there"));
        assert!(broken(FileRecord { file: 1, ..Default::default() }).is_some());
        assert!(broken(FileRecord { imported: vec![[5, 6], [6, 7]], ..Default::default() }).is_some());
        let of_symbols = |symbols: Vec<SymbolRecord>| broken(FileRecord { symbols, ..Default::default() });
        assert_eq!(of_symbols(vec![symbol(1, 9), symbol(1, 4), symbol(2, 3)]), None);
        assert!(of_symbols(vec![symbol(1, 4), symbol(1, 9)]).is_some());
        assert!(of_symbols(vec![symbol(4, 1)]).is_some());
        assert!(of_symbols(vec![SymbolRecord { outer: 1, ..symbol(1, 4) }]).is_some(), "a loop");
    }

    proptest! {
        /// Following the outer links finds what a scan finds.
        #[test]
        fn outer_links_lead_to_every_symbol_that_holds_a_line(
            spans in proptest::collection::vec((1u32..30, 0u32..12), 0..20),
            line in 1u32..45,
        ) {
            let mut symbols: Vec<SymbolRecord> = spans.iter().map(|&(first, more)| symbol(first, first + more)).collect();
            symbols.sort_by_key(|s| (s.first, Reverse(s.last)));
            link_outer(&mut symbols);
            let holding = |s: &&SymbolRecord| s.first <= line && line <= s.last;
            let want: Vec<&SymbolRecord> = symbols.iter().rev().filter(holding).collect();
            let mut at = symbols.partition_point(|s| s.first <= line);
            let mut found = Vec::new();
            while at > 0 {
                let symbol = &symbols[at - 1];
                found.extend((line <= symbol.last).then_some(symbol));
                at = symbol.outer as usize;
            }
            // A symbol that ends where an inner one ends is not on the way: it holds nothing that the inner one does not.
            let innermost = |list: &[&SymbolRecord]| list.first().map(|s| (s.first, s.last));
            prop_assert_eq!(innermost(&found), innermost(&want));
        }
    }
}
