//! What the model knows of one file, in one rkyv archive: everything a change of that file needs, but the lists.
//!
//! What is of one size is plain; the lines are packed, for a file has thousands of them and most numbers are small.
//! Numbers are varints unless said otherwise:
//!
//! ```text
//! packed    where the file's lists begin in the postings; lists; line runs; imported ranges; symbols
//! lists     how many blocks; a reference for each ([`packed`]), then for `touching` and `defines`
//! run       least(length - 1, 3) + 4 * least(gap, 3) + 16 * block; gap - 3, length - 4 where these are not negative
//! imported  gap * 2 + more; length - 2 where there is more than one line
//! symbol    (lines below the first line of the one before) * 4 + kind; lines after the first;
//!           letters shared with the name before u8; length of the rest, the rest
//! ```
//!
//! A gap is the number of lines left out since the range before. A run's block is 0 for the next one that no run had yet,
//! else how far it lies before that. `docs/format.md` is normative. All of it is unpacked when the record is touched, in
//! time and memory in proportion to its bytes, whatever they claim.

use rkyv::rancor::Failure;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Serialize};

use super::bytes::{Cursor, put_varint};
use super::postings::{ListAt, Place, RawListRef, packed};
use crate::observation::{LineRange, SymbolKind};

/// Gaps and lengths of line runs from here on have a number of their own.
const SMALL: u32 = 3;
const SMALL_64: u64 = SMALL as u64;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRun {
    /// The first line, 1-based.
    pub first: u32,
    /// The last line, inclusive.
    pub last: u32,
    /// Which block of the file.
    pub block: u32,
}

/// One file as the builder lays it out.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileRecord {
    /// Its own position, so that a record found in the wrong place is noticed.
    pub(crate) file: u32,
    /// Size and hash, where the file was there when the model was built.
    pub(crate) stamp: Option<Stamp>,
    /// Recorded lines, ascending and disjoint. Gaps are blank, comments, or never recorded.
    pub(crate) runs: Vec<LineRun>,
    /// The posting list of each block, numbered by first line: tests that ran exactly these lines together.
    pub(crate) blocks: Vec<RawListRef>,
    /// Ranges of lines that ran outside any test, ascending and disjoint.
    pub(crate) imported: Vec<LineRange>,
    /// Every test that ran a line of this file; the byte is the number of lines as [`quantize_count`].
    pub(crate) touching: RawListRef,
    /// The tests that this file defines; the byte is 1.
    pub(crate) defines: RawListRef,
    /// Its symbols, by first line, outer before inner.
    pub(crate) symbols: Vec<SymbolRecord>,
}

/// A named span of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SymbolRecord {
    pub(crate) lines: LineRange,
    pub(crate) kind: SymbolKind,
    /// Qualified within the file with dots.
    pub(crate) name: String,
}

/// A record as it lies in the file.
#[derive(Archive, Serialize)]
#[rkyv(derive(Debug))]
pub(crate) struct PackedRecord {
    file: u32,
    stamp: Option<Stamp>,
    packed: Vec<u8>,
}

impl FileRecord {
    /// The archive of the record.
    ///
    /// # Panics
    /// If lines, blocks or symbols are not in the order that their fields ask for, which is a bug of the builder.
    pub(crate) fn encode(&self) -> AlignedVec {
        let mut packed = Vec::new();
        self.pack_lists(&mut packed);
        self.pack_runs(&mut packed);
        self.pack_imported(&mut packed);
        self.pack_symbols(&mut packed);
        let record = PackedRecord { file: self.file, stamp: self.stamp, packed };
        rkyv::to_bytes::<Failure>(&record).expect("a record in memory can be archived")
    }

    fn pack_lists(&self, out: &mut Vec<u8>) {
        let lists = self.blocks.iter().chain([&self.touching, &self.defines]);
        let lists = lists.map(|list| list.at().expect("a reference that was placed"));
        let mut own = packed::own_offset(lists.clone());
        put_varint(out, own);
        put_varint(out, self.blocks.len() as u64);
        lists.for_each(|list| packed::put(out, list, &mut own));
    }

    fn pack_runs(&self, out: &mut Vec<u8>) {
        put_varint(out, self.runs.len() as u64);
        let (mut before, mut fresh) = (0, 0);
        for run in &self.runs {
            let (gap, more) = (run.first - before - 1, run.last - run.first);
            let block = fresh - run.block;
            put_varint(out, u64::from(block) << 4 | u64::from(gap.min(SMALL) << 2 | more.min(SMALL)));
            for large in [gap, more].into_iter().filter_map(|number| number.checked_sub(SMALL)) {
                put_varint(out, large.into());
            }
            before = run.last;
            fresh += u32::from(block == 0);
        }
    }

    fn pack_imported(&self, out: &mut Vec<u8>) {
        put_varint(out, self.imported.len() as u64);
        let mut before = 0;
        for range in &self.imported {
            let (gap, more) = (range.first - before - 1, range.last - range.first);
            put_varint(out, u64::from(gap) << 1 | u64::from(more > 0));
            if more > 0 {
                put_varint(out, u64::from(more) - 1);
            }
            before = range.last;
        }
    }

    fn pack_symbols(&self, out: &mut Vec<u8>) {
        put_varint(out, self.symbols.len() as u64);
        let (mut first, mut name) = (0, "");
        for symbol in &self.symbols {
            put_varint(out, u64::from(symbol.lines.first - first) << 2 | symbol.kind as u64);
            put_varint(out, u64::from(symbol.lines.last - symbol.lines.first));
            let shared = shared_letters(name, &symbol.name);
            out.push(shared);
            let rest = &symbol.name[usize::from(shared)..];
            put_varint(out, rest.len() as u64);
            out.extend_from_slice(rest.as_bytes());
            (first, name) = (symbol.lines.first, &symbol.name);
        }
    }
}

/// How many bytes two names begin with in common, whole characters, at most 255: so that a name unfolds to little more
/// than its own bytes.
fn shared_letters(before: &str, name: &str) -> u8 {
    let same = before.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
    let whole =
        (0..=same.min(usize::from(u8::MAX))).rev().find(|&at| name.is_char_boundary(at) && before.is_char_boundary(at));
    u8::try_from(whole.unwrap_or(0)).unwrap_or(u8::MAX)
}

/// A record unpacked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unpacked<'a> {
    pub(crate) stamp: Option<Stamp>,
    pub(crate) blocks: Vec<ListAt<'a>>,
    pub(crate) touching: ListAt<'a>,
    pub(crate) defines: ListAt<'a>,
    pub(crate) runs: Vec<LineRun>,
    pub(crate) imported: Vec<LineRange>,
    pub(crate) symbols: Vec<Symbol<'a>>,
}

/// A symbol of an unpacked record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbol<'a> {
    pub(crate) lines: LineRange,
    pub(crate) kind: SymbolKind,
    /// Of the symbols before it that end after it, the nearest, as its position + 1; 0 without one. Following these
    /// meets every symbol that holds a line, innermost first, however the spans overlap.
    pub(crate) outer: u32,
    /// How many bytes of its name are those of the name before it, and the rest.
    shared: u8,
    rest: &'a [u8],
}

/// The first rule of the format that a record breaks.
type Broken = &'static str;

impl<'a> Unpacked<'a> {
    /// Unpacks the record of `file`: O(its bytes), in memory as well.
    pub(crate) fn read(record: &'a [u8], file: u32) -> Result<Self, Broken> {
        let record =
            rkyv::access::<ArchivedPackedRecord, Failure>(record).map_err(|_| "a record is not a valid archive")?;
        if record.file != file {
            return Err("a record is that of another file");
        }
        let stamp = record.stamp.as_ref();
        let stamp = stamp.map(|s| Stamp { size_bytes: s.size_bytes.to_native(), hash: s.hash.to_native() });
        let mut cursor = Cursor::new(record.packed.as_slice());
        let mut unpacked = Self { stamp, ..Self::default() };
        unpacked.read_lists(&mut cursor).ok_or("the lists of a file are malformed")?;
        unpacked.runs = read_runs(&mut cursor, unpacked.blocks.len()).ok_or("the line runs of a file are malformed")?;
        unpacked.imported = read_imported(&mut cursor).ok_or("the imported lines of a file are malformed")?;
        unpacked.read_symbols(&mut cursor).ok_or("the symbols of a file are malformed")?;
        if !cursor.is_empty() {
            return Err("bytes follow the symbols of a file");
        }
        link_outer(&mut unpacked.symbols);
        Ok(unpacked)
    }

    fn read_lists(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        let mut own = cursor.varint()?;
        let blocks = read_count(cursor)?;
        self.blocks.reserve_exact(blocks);
        for _ in 0..blocks {
            self.blocks.push(packed::read(cursor, &mut own)?);
        }
        self.touching = packed::read(cursor, &mut own)?;
        self.defines = packed::read(cursor, &mut own)?;
        Some(())
    }

    fn read_symbols(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        let count = read_count(cursor)?;
        self.symbols.reserve_exact(count);
        let (mut before, mut name_bytes) = (LineRange { first: 0, last: u32::MAX }, 0);
        for _ in 0..count {
            let head = cursor.varint()?;
            let first = before.first.checked_add(u32::try_from(head >> 2).ok()?)?;
            let lines = LineRange { first, last: first.checked_add(cursor.varint_u32()?)? };
            let kind = match head & 3 {
                0 => SymbolKind::Function,
                1 => SymbolKind::Class,
                2 => SymbolKind::Other,
                _ => return None,
            };
            let shared = cursor.byte()?;
            let rest = cursor.varint_usize().and_then(|length| cursor.take(length))?;
            let is_sorted = first > before.first || (first == before.first && first > 0 && lines.last <= before.last);
            if !is_sorted || usize::from(shared) > name_bytes {
                return None;
            }
            (before, name_bytes) = (lines, usize::from(shared) + rest.len());
            self.symbols.push(Symbol { lines, kind, outer: 0, shared, rest });
        }
        Some(())
    }

    /// The name of the symbol at `position`, gathered from those before it that it shares letters with: text, unless the
    /// record was crafted.
    pub(crate) fn name(&self, position: usize) -> Vec<u8> {
        let before = self.symbols.get(..=position).unwrap_or_default();
        let Some(symbol) = before.last() else { return Vec::new() };
        let mut name = vec![0; usize::from(symbol.shared) + symbol.rest.len()];
        let mut missing = name.len();
        for symbol in before.iter().rev() {
            let shared = usize::from(symbol.shared);
            // Reading has seen that each name is as long as what the next one shares with it.
            if let Some((_, part)) = name[..missing].split_at_mut_checked(shared)
                && let Some(letters) = symbol.rest.get(..part.len())
            {
                part.copy_from_slice(letters);
                missing = shared;
            }
            if missing == 0 {
                break;
            }
        }
        name
    }
}

/// A number of things that take a byte each at least.
fn read_count(cursor: &mut Cursor<'_>) -> Option<usize> {
    cursor.varint_usize().filter(|&count| count <= cursor.rest().len())
}

/// Every block has lines, and they are numbered as the runs first name them.
fn read_runs(cursor: &mut Cursor<'_>, blocks: usize) -> Option<Vec<LineRun>> {
    let count = read_count(cursor)?;
    let mut runs = Vec::with_capacity(count);
    let (mut before, mut fresh) = (0u32, 0u32);
    for _ in 0..count {
        let head = cursor.varint()?;
        let mut number = |small: u64| match small {
            SMALL_64 => cursor.varint_u32().map(|large| SMALL_64 + u64::from(large)),
            small => Some(small),
        };
        let first = u64::from(before) + number(head >> 2 & 3)? + 1;
        let last = u32::try_from(first + number(head & 3)?).ok()?;
        let block = fresh.checked_sub(u32::try_from(head >> 4).ok()?)?;
        fresh += u32::from(block == fresh);
        let first = u32::try_from(first).ok()?;
        runs.push(LineRun { first, last, block });
        before = last;
    }
    (fresh as usize == blocks).then_some(runs)
}

fn read_imported(cursor: &mut Cursor<'_>) -> Option<Vec<LineRange>> {
    let count = read_count(cursor)?;
    let mut ranges = Vec::with_capacity(count);
    let mut before = 0u32;
    for _ in 0..count {
        let head = cursor.varint()?;
        let first = before.checked_add(u32::try_from(head >> 1).ok()?)?.checked_add(1)?;
        let more = if head & 1 == 0 { 0 } else { cursor.varint_u32()?.checked_add(1)? };
        before = first.checked_add(more)?;
        ranges.push(LineRange { first, last: before });
    }
    Some(ranges)
}

/// For symbols by first line, outer before inner: the [`Symbol::outer`] of each. O(symbols).
fn link_outer(symbols: &mut [Symbol<'_>]) {
    // Symbols that may still be the outer of a later one: each ends before the one below it on the stack.
    let mut open: Vec<u32> = Vec::new();
    for (position, at) in (1u32..).zip(0..symbols.len()) {
        while let Some(&inner) = open.last()
            && symbols[inner as usize - 1].lines.last <= symbols[at].lines.last
        {
            open.pop();
        }
        symbols[at].outer = open.last().copied().unwrap_or(0);
        open.push(position);
    }
}

/// The archive of a record whose packed part is these bytes.
#[cfg(test)]
pub(crate) fn archive_of(file: u32, packed: &[u8]) -> AlignedVec {
    let record = PackedRecord { file, stamp: None, packed: packed.to_vec() };
    rkyv::to_bytes::<Failure>(&record).expect("a record in memory can be archived")
}

/// The lists that a record refers to and where, counted from its start, it holds the checksum of each.
pub(crate) fn checksums_of_lists(record: &[u8]) -> Vec<(usize, Place)> {
    let mut found = Vec::new();
    let Ok(archived) = rkyv::access::<ArchivedPackedRecord, Failure>(record) else { return found };
    let bytes = archived.packed.as_slice();
    let end = bytes.as_ptr().addr() - record.as_ptr().addr() + bytes.len();
    let mut cursor = Cursor::new(bytes);
    let Some((mut own, blocks)) = cursor.varint().zip(read_count(&mut cursor)) else { return found };
    for _ in 0..blocks + 2 {
        match packed::read(&mut cursor, &mut own) {
            Some(ListAt::Placed(place)) => found.push((end - cursor.rest().len() - packed::CHECKSUM_BYTES, place)),
            Some(ListAt::Inline(_)) => {}
            None => break,
        }
    }
    found
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
    use std::cmp::Reverse;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_are_kept_within_a_few_per_cent() {
        assert_eq!([0, 1, 2, 4, 65_000, u64::MAX].map(quantize_count), [1, 1, 17, 33, 255, 255]);
        for count in 1..60_000u64 {
            let back = dequantize_count(quantize_count(count));
            assert!((back / count as f64 - 1.0).abs() < 0.022, "{count} came back as {back}");
        }
    }

    fn range(first: u32, last: u32) -> LineRange {
        LineRange { first, last }
    }

    fn symbol(first: u32, last: u32, name: &str) -> SymbolRecord {
        SymbolRecord { lines: range(first, last), kind: SymbolKind::Class, name: name.to_owned() }
    }

    fn run(first: u32, last: u32, block: u32) -> LineRun {
        LineRun { first, last, block }
    }

    /// A reference to a list of this length at this offset.
    fn placed(offset: u64, length: usize) -> RawListRef {
        RawListRef::new(&vec![7; length], |_| offset)
    }

    /// The tables of `docs/format.md`.
    #[test]
    fn records_are_laid_out_as_the_format_says() {
        use std::mem::offset_of;
        assert_eq!((size_of::<ArchivedPackedRecord>(), align_of::<ArchivedPackedRecord>()), (48, 8));
        assert_eq!(offset_of!(ArchivedPackedRecord, file), 0);
        assert_eq!(offset_of!(ArchivedPackedRecord, stamp), 8);
        assert_eq!(offset_of!(ArchivedPackedRecord, packed), 32);
        let record = FileRecord {
            file: 3,
            stamp: Some(Stamp { size_bytes: 77, hash: 78 }),
            runs: vec![run(2, 2, 0), run(3, 7, 1), run(20, 22, 0)],
            blocks: vec![RawListRef::new(&[4, 5], |_| 0), placed(300, 20)],
            imported: vec![range(1, 1), range(8, 10)],
            touching: placed(10, 13),
            defines: placed(320, 13),
            symbols: vec![symbol(5, 9, "née"), symbol(5, 7, "nés")],
        };
        let archive = record.encode();
        let u64_at = |at: usize| u64::from_le_bytes(archive[at..at + 8].try_into().unwrap());
        let object = archive.len() - 48;
        assert_eq!((archive[object], archive[object + 8], u64_at(object + 16), u64_at(object + 24)), (3, 1, 77, 78));
        let packed = (object + 32).wrapping_add_signed(u64_at(object + 32).cast_signed() as isize);
        let sum = |length: usize| super::super::bytes::checksum(&vec![7; length], 0).to_le_bytes();
        let want = [
            &[0xac, 2, 2][..], // The file's lists begin at 300; two blocks.
            &[2 << 2, 4, 5],
            &[20 << 2 | 1],
            &sum(20),
            &[13 << 2 | 2, 10],
            &sum(13),
            &[13 << 2 | 1],
            &sum(13),
            &[3, 1 << 2, 3, 1, 2 << 4 | 3 << 2 | 2, 9], // Runs: 2; 3 to 7; 12 lines left out, 20 to 22.
            &[2, 0, 6 << 1 | 1, 1],
            &[2, 5 << 2 | 1, 4, 0, 4, b'n', 0xc3, 0xa9, b'e', 1, 2, 3, 1, b's'],
        ];
        assert_eq!(archive[packed..packed + u64_at(object + 40) as usize], want.concat());
    }

    fn unpack(packed: &[u8]) -> Option<String> {
        Unpacked::read(&archive_of(0, packed), 0).err().map(str::to_owned)
    }

    #[test]
    fn records_that_break_a_rule_are_told() {
        // Lists; runs; imported; symbols. One block, and empty lists inline.
        const LISTS: &[u8] = &[0, 1, 0, 0, 0];
        let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
        let told = |what: &str, parts: &[&[u8]]| {
            let problem = unpack(&parts.concat());
            assert!(problem.as_ref().is_some_and(|problem| problem.contains(what)), "{parts:?}: {problem:?}");
        };
        assert_eq!(unpack(&[LISTS, &[1, 0], &[0], &[0]].concat()), None);
        told("follow", &[LISTS, &[1, 0], &[0], &[0], &[0]]);
        told("lists", &[&[0, 9, 0, 0]]);
        told("lists", &[&[0], &huge, &[0, 0, 0]]);
        told("lists", &[&[0, 1, 3, 0, 0]]);
        told("lists", &[&[0, 1, 40, 1, 2]]);
        told("lists", &[&[0xff; 9], &[1, 1, 5, 0, 0, 0, 0, 0, 0]]);
        told("runs", &[LISTS, &huge, &[0], &[0], &[0]]);
        told("runs", &[LISTS, &[0], &[0], &[0]]);
        told("runs", &[LISTS, &[2, 0, 0], &[0], &[0]]);
        told("runs", &[LISTS, &[2, 0, 2 << 4], &[0], &[0]]);
        told("runs", &[LISTS, &[2, 3, 0xfb, 0xff, 0xff, 0xff, 0x0f, 1 << 4], &[0], &[0]]);
        told("runs", &[LISTS, &[1, 3 << 2], &huge, &[0], &[0]]);
        told("imported", &[LISTS, &[1, 0], &[2, 0], &[0xfe, 0xff, 0xff, 0xff, 0x1f], &[0]]);
        told("imported", &[LISTS, &[1, 0], &[1, 1], &huge, &[0]]);
        told("imported", &[LISTS, &[1, 0], &[200], &[0]]);
        let of_symbols = |symbols: &[u8]| [LISTS, &[1, 0], &[0], symbols].concat();
        assert_eq!(unpack(&of_symbols(&[2, 4, 8, 0, 1, b'a', 0, 3, 1, 0])), None);
        told("symbols", &[&of_symbols(&[1, 0, 8, 0, 1, b'a'])]);
        told("symbols", &[&of_symbols(&[1, 7, 8, 0, 1, b'a'])]);
        told("symbols", &[&of_symbols(&[2, 4, 3, 0, 1, b'a', 0, 8, 1, 0])]);
        told("symbols", &[&of_symbols(&[2, 4, 8, 0, 1, b'a', 0, 3, 2, 0])]);
        told("symbols", &[&of_symbols(&[1, 4, 8, 1, 1, b'a'])]);
        told("symbols", &[&of_symbols(&[1, 4, 8, 0, 9, b'a'])]);
        told("symbols", &[&of_symbols(&[1, 4]), &huge, &[0, 0]]);
    }

    /// Lines from their numbers: gaps and lengths.
    fn ranges(numbers: &[(u32, u32)]) -> Vec<LineRange> {
        let mut before = 0;
        let range = |&(gap, more): &(u32, u32)| {
            let first: u32 = before + gap + 1;
            before = first + more;
            LineRange { first, last: before }
        };
        numbers.iter().map(range).collect()
    }

    proptest! {
        #[test]
        fn records_come_back(
            lines in proptest::collection::vec((0u32..9, prop_oneof![0u32..6, 100u32..100_000], 0u32..6), 0..30),
            imported in proptest::collection::vec((0u32..300, 0u32..300), 0..9),
            lists in proptest::collection::vec((0u64..90, 0usize..30, any::<bool>()), 0..9),
            spans in proptest::collection::vec((1u32..30, 0u32..12, "[aé.☃]{0,6}"), 0..20),
        ) {
            let mut blocks = Vec::new();
            let numbers: Vec<(u32, u32)> = lines.iter().map(|&(gap, more, _)| (gap, more)).collect();
            let runs: Vec<LineRun> = ranges(&numbers).iter().zip(&lines).map(|(range, &(.., back))| {
                let block = (blocks.len() as u32).saturating_sub(back);
                if block as usize == blocks.len() {
                    let (offset, length, own) = lists.get(blocks.len()).copied().unwrap_or((9, 1, false));
                    blocks.push(placed(if own { 1000 + 30 * blocks.len() as u64 } else { offset }, length));
                }
                LineRun { first: range.first, last: range.last, block }
            }).collect();
            let mut symbols: Vec<SymbolRecord> =
                spans.iter().map(|(first, more, name)| symbol(*first, first + more, name)).collect();
            symbols.sort_by_key(|s| (s.lines.first, Reverse(s.lines.last)));
            let (touching, defines) = (placed(40, 25), RawListRef::default());
            let record = FileRecord {
                file: 9, stamp: None, runs, blocks, imported: ranges(&imported), touching, defines, symbols,
            };
            let archive = record.encode();
            let unpacked = Unpacked::read(&archive, 9).unwrap();
            prop_assert_eq!(&unpacked.runs, &record.runs);
            prop_assert_eq!(&unpacked.imported, &record.imported);
            let want: Vec<ListAt<'_>> = record.blocks.iter().map(|list| list.at().unwrap()).collect();
            prop_assert_eq!(&unpacked.blocks, &want);
            prop_assert_eq!(unpacked.touching, touching.at().unwrap());
            prop_assert_eq!(unpacked.defines, defines.at().unwrap());
            let symbols: Vec<SymbolRecord> = unpacked.symbols.iter().enumerate().map(|(at, symbol)| SymbolRecord {
                lines: symbol.lines, kind: symbol.kind, name: String::from_utf8(unpacked.name(at)).unwrap(),
            }).collect();
            prop_assert_eq!(symbols, record.symbols);
            prop_assert!(Unpacked::read(&archive, 8).is_err());
        }

        /// Whatever the bytes claim, nothing larger than a multiple of them is made of them.
        #[test]
        fn any_bytes_are_a_record_or_an_error(packed in proptest::collection::vec(prop_oneof![0u8..9, any::<u8>()], 0..60)) {
            let archive = archive_of(0, &packed);
            if let Ok(unpacked) = Unpacked::read(&archive, 0) {
                prop_assert!(unpacked.runs.is_sorted_by(|a, b| a.last < b.first));
                prop_assert!(unpacked.runs.iter().all(|run| (run.block as usize) < unpacked.blocks.len()));
                for at in 0..unpacked.symbols.len() {
                    prop_assert!(unpacked.name(at).len() <= 255 + packed.len());
                }
            }
        }

        /// Following the outer links finds what a scan finds.
        #[test]
        fn outer_links_lead_to_every_symbol_that_holds_a_line(
            spans in proptest::collection::vec((1u32..30, 0u32..12), 0..20),
            line in 1u32..45,
        ) {
            let mut symbols: Vec<Symbol<'_>> = spans
                .iter()
                .map(|&(first, more)| range(first, first + more))
                .map(|lines| Symbol { lines, kind: SymbolKind::Function, outer: 0, shared: 0, rest: &[] })
                .collect();
            symbols.sort_by_key(|s| (s.lines.first, Reverse(s.lines.last)));
            link_outer(&mut symbols);
            let want: Vec<&Symbol<'_>> =
                symbols.iter().rev().filter(|s| s.lines.first <= line && line <= s.lines.last).collect();
            let mut at = symbols.partition_point(|s| s.lines.first <= line);
            let mut found = Vec::new();
            while at > 0 {
                let symbol = &symbols[at - 1];
                found.extend((line <= symbol.lines.last).then_some(symbol));
                at = symbol.outer as usize;
            }
            // A symbol that ends where an inner one ends is not on the way: it holds nothing that the inner one does not.
            let innermost = |list: &[&Symbol<'_>]| list.first().map(|s| s.lines);
            prop_assert_eq!(innermost(&found), innermost(&want));
        }
    }
}
