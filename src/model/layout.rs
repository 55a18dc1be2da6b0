//! The fixed preamble of a model: header and section table. `docs/format.md` is normative; in brief:
//!
//! ```text
//! 0   magic            8 bytes   89 43 4f 56 0d 0a 1a 0a, in the manner of PNG: a text-mode copy destroys it
//! 8   version          u32
//! 12  section count    u32
//! 16  file length      u64
//! 24  root offset      u64
//! 32  root length      u64
//! 40  root checksum    u32       xxh3 of the root
//! 44  table checksum   u32       xxh3 of the section table
//! 48  reserved         u64       0
//! 56  header checksum  u64       xxh3-64 of bytes 0..56
//! 64  section table    32 bytes each, by ascending kind
//! ```

use std::io::{self, Read as _, Seek, SeekFrom, Write};
use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::bytes::checksum;
use super::error::ModelError;

/// The mark at the start of every model.
pub(crate) const MAGIC: [u8; 8] = *b"\x89COV\r\n\x1a\n";
/// The format version that this build writes and reads.
pub const VERSION: u32 = 1;
/// Length of the header in bytes; the section table follows it.
pub(crate) const HEADER_BYTES: usize = 64;
/// Every section and the root start at a multiple of this.
pub(crate) const ALIGNMENT: usize = 64;
/// A reader that does not know a section of a kind at or above this skips it.
pub(crate) const FIRST_OPTIONAL_KIND: u32 = 0x100;
/// More sections than this is damage.
const MOST_SECTIONS: u32 = 256;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Kind {
    /// Posting lists.
    Postings = 1,
    /// Posting lists of words.
    WordPostings = 2,
    /// Test ids, sorted: a name table.
    TestNames = 3,
    /// Cost of each test: checked chunks.
    Costs = 4,
    /// Per test: flags and runs, in blocks of sixteen.
    Facts = 5,
    /// File paths, sorted: a name table.
    Paths = 6,
    /// Hash buckets from path to file.
    Probe = 7,
    /// Files by reversed path: checked chunks.
    Suffixes = 8,
    /// Where each file's record is: 16 bytes a file.
    Files = 9,
    /// File records, each an rkyv archive.
    Records = 10,
    /// Declared features, sorted by name: a name table.
    FeatureNames = 11,
    /// Weight and posting list of each feature: 32 bytes each.
    Features = 12,
    /// Declared family names, sorted: a name table.
    FamilyNames = 13,
    /// Commits that runs name, sorted: a name table.
    Commits = 14,
    /// Words in the order of their hashes, with the tests that have each.
    Vocabulary = 15,
    /// How many words each test has: checked chunks.
    WordCounts = 16,
    /// The family of each test, declared or a parametrization group: checked chunks.
    FamilyOf = 17,
    /// Sessions of the runner: 40 bytes each, sixteen at most.
    Sessions = 18,
    /// The tests that failed in one of their runs: 20 bytes each.
    Failures = 19,
    /// A short hash of each line of each file. Optional: models without it are read.
    Anchors = FIRST_OPTIONAL_KIND,
}

impl Kind {
    /// Every kind, ascending.
    pub const ALL: [Kind; 20] = [
        Kind::Postings,
        Kind::WordPostings,
        Kind::TestNames,
        Kind::Costs,
        Kind::Facts,
        Kind::Paths,
        Kind::Probe,
        Kind::Suffixes,
        Kind::Files,
        Kind::Records,
        Kind::FeatureNames,
        Kind::Features,
        Kind::FamilyNames,
        Kind::Commits,
        Kind::Vocabulary,
        Kind::WordCounts,
        Kind::FamilyOf,
        Kind::Sessions,
        Kind::Failures,
        Kind::Anchors,
    ];

    /// Whether a model is whole without it.
    fn is_optional(self) -> bool {
        self as u32 >= FIRST_OPTIONAL_KIND
    }

    /// The name that errors and `inspect` use.
    pub fn name(self) -> &'static str {
        match self {
            Kind::TestNames => "test names",
            Kind::Costs => "costs",
            Kind::Facts => "facts",
            Kind::Paths => "paths",
            Kind::Probe => "path probe",
            Kind::Suffixes => "path suffixes",
            Kind::Files => "files",
            Kind::Records => "file records",
            Kind::Postings => "postings",
            Kind::FeatureNames => "feature names",
            Kind::Features => "features",
            Kind::FamilyNames => "family names",
            Kind::Commits => "commits",
            Kind::Vocabulary => "vocabulary",
            Kind::WordPostings => "word postings",
            Kind::WordCounts => "word counts",
            Kind::FamilyOf => "family of each test",
            Kind::Sessions => "sessions",
            Kind::Failures => "failures",
            Kind::Anchors => "line anchors",
        }
    }
}

/// The header as it lies in the file, little-endian.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct RawHeader {
    magic: [u8; 8],
    version: [u8; 4],
    section_count: [u8; 4],
    file_length: [u8; 8],
    root_offset: [u8; 8],
    root_length: [u8; 8],
    root_checksum: [u8; 4],
    table_checksum: [u8; 4],
    reserved: [u8; 8],
    header_checksum: [u8; 8],
}

/// One entry of the section table as it lies in the file, little-endian.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct RawSection {
    kind: [u8; 4],
    reserved: [u8; 4],
    offset: [u8; 8],
    length: [u8; 8],
    checksum: [u8; 8],
}

/// Length of an entry of the section table in bytes.
pub(crate) const SECTION_BYTES: usize = size_of::<RawSection>();

/// A range of bytes in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The first byte.
    pub offset: usize,
    /// The number of bytes.
    pub length: usize,
}

impl Extent {
    /// The bytes of this extent. [`Preamble::read`] has checked that they are there.
    pub(crate) fn of(self, file: &[u8]) -> &[u8] {
        file.get(self.offset..).and_then(|rest| rest.get(..self.length)).unwrap_or_default()
    }
}

/// A section as the table lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// The number of its kind; see [`Kind`].
    pub kind: u32,
    /// Where it is.
    pub extent: Extent,
    /// xxh3-64 of all its bytes, which only `verify` reads.
    pub checksum: u64,
}

/// The checked preamble: where everything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preamble {
    /// The root archive.
    pub root: Extent,
    /// All sections, by ascending kind.
    pub sections: Vec<Section>,
}

fn table_damage(problem: &'static str) -> ModelError {
    ModelError::damaged("section table", problem)
}

impl Preamble {
    /// Reads and checks header, section table and the root's checksum. O(sections), whatever the size of the file.
    ///
    /// # Errors
    /// Anything but a whole model of this version, with the checks in the order of the variants of [`ModelError`].
    pub fn read(file: &[u8]) -> Result<Self, ModelError> {
        if !file.starts_with(&MAGIC) {
            return Err(ModelError::NotAModel { found: file[..file.len().min(8)].to_vec() });
        }
        let length = file.len() as u64;
        let Some(header) = file.get(..HEADER_BYTES) else {
            return Err(ModelError::Length { expected: HEADER_BYTES as u64, found: length });
        };
        let raw: &RawHeader = bytemuck::from_bytes(header);
        let version = u32::from_le_bytes(raw.version);
        if u64::from_le_bytes(raw.header_checksum) != xxh3_64(&header[..56]) {
            return Err(ModelError::damaged("header", "its checksum does not match"));
        }
        if version != VERSION {
            return Err(ModelError::Version { found: version, supported: VERSION });
        }
        let expected = u64::from_le_bytes(raw.file_length);
        if expected != length {
            return Err(ModelError::Length { expected, found: length });
        }
        let table = table_of(file, raw)?;
        let root = extent_in(file, u64::from_le_bytes(raw.root_offset), u64::from_le_bytes(raw.root_length))
            .ok_or_else(|| ModelError::damaged("root", "it lies outside the file"))?;
        if root.offset < HEADER_BYTES + table.len() {
            return Err(ModelError::damaged("root", "it overlaps the section table"));
        }
        let sections = read_table(file, table, root)?;
        if checksum(root.of(file), 0) != u32::from_le_bytes(raw.root_checksum) {
            return Err(ModelError::damaged("root", "its checksum does not match"));
        }
        Ok(Self { root, sections })
    }

    /// The extent of a section, empty where the file has none.
    pub fn extent(&self, kind: Kind) -> Extent {
        self.sections.iter().find(|section| section.kind == kind as u32).map(|s| s.extent).unwrap_or_default()
    }
}

fn extent_in(file: &[u8], offset: u64, length: u64) -> Option<Extent> {
    let extent = Extent { offset: usize::try_from(offset).ok()?, length: usize::try_from(length).ok()? };
    let end = extent.offset.checked_add(extent.length)?;
    (extent.offset.is_multiple_of(ALIGNMENT) && end <= file.len()).then_some(extent)
}

fn table_of<'a>(file: &'a [u8], header: &RawHeader) -> Result<&'a [u8], ModelError> {
    let count = u32::from_le_bytes(header.section_count);
    if count > MOST_SECTIONS {
        return Err(table_damage("it claims more than 256 sections"));
    }
    let bytes = file
        .get(HEADER_BYTES..HEADER_BYTES + count as usize * SECTION_BYTES)
        .ok_or_else(|| table_damage("it lies outside the file"))?;
    if checksum(bytes, 0) != u32::from_le_bytes(header.table_checksum) {
        return Err(table_damage("its checksum does not match"));
    }
    Ok(bytes)
}

/// Reads the entries: kinds ascend, and no section begins before the one ahead of it, or the root, has ended.
fn read_table(file: &[u8], table: &[u8], root: Extent) -> Result<Vec<Section>, ModelError> {
    let mut sections: Vec<Section> = Vec::with_capacity(table.len() / SECTION_BYTES);
    let mut end = root.offset + root.length;
    for raw in bytemuck::cast_slice::<u8, RawSection>(table) {
        let kind = u32::from_le_bytes(raw.kind);
        let extent = extent_in(file, u64::from_le_bytes(raw.offset), u64::from_le_bytes(raw.length))
            .ok_or(ModelError::Section { kind, problem: "outside the file" })?;
        if sections.last().is_some_and(|last| last.kind >= kind) {
            return Err(ModelError::Section { kind, problem: "out of order" });
        }
        if extent.offset < end {
            return Err(ModelError::Section { kind, problem: "overlapping what lies before it" });
        }
        end = extent.offset + extent.length;
        if kind < FIRST_OPTIONAL_KIND && !Kind::ALL.iter().any(|&known| known as u32 == kind) {
            return Err(ModelError::Section { kind, problem: "unknown to this build and not optional" });
        }
        sections.push(Section { kind, extent, checksum: u64::from_le_bytes(raw.checksum) });
    }
    let mut needed = Kind::ALL.iter().filter(|kind| !kind.is_optional());
    if let Some(missing) = needed.find(|&&kind| !sections.iter().any(|s| s.kind == kind as u32)) {
        return Err(ModelError::Section { kind: *missing as u32, problem: "missing" });
    }
    Ok(sections)
}

/// Writes a file front to back: room for the preamble, sections in the order of their kinds, and last the preamble.
pub(crate) struct Writer<W> {
    out: W,
    /// Where the file begins in `out`.
    origin: u64,
    /// How much of the file is written.
    end: u64,
    root: Range<u64>,
    sections: Vec<RawSection>,
    /// Where the open section began, and of what it holds so far.
    open_at: u64,
    hash: Xxh3,
}

impl<W: Write + Seek> Writer<W> {
    /// Begins a file of all sections whose root is `root_bytes` long.
    pub(crate) fn begin(mut out: W, root_bytes: usize) -> io::Result<Self> {
        let root = (HEADER_BYTES + Kind::ALL.len() * SECTION_BYTES).next_multiple_of(ALIGNMENT) as u64;
        let root = root..root + root_bytes as u64;
        let origin = out.stream_position()?;
        let mut writer = Self { out, origin, end: 0, root, sections: Vec::new(), open_at: 0, hash: Xxh3::new() };
        writer.pad_to(writer.root.end)?;
        Ok(writer)
    }

    fn pad_to(&mut self, end: u64) -> io::Result<()> {
        io::copy(&mut io::repeat(0).take(end - self.end), &mut self.out)?;
        self.end = end;
        Ok(())
    }

    /// Begins a section: each kind once, ascending.
    ///
    /// # Panics
    /// In another order, which is a bug of the builder.
    pub(crate) fn open(&mut self, kind: Kind) -> io::Result<()> {
        assert_eq!(Some(&kind), Kind::ALL.get(self.sections.len()), "sections are written by ascending kind");
        self.close();
        self.pad_to(self.end.next_multiple_of(ALIGNMENT as u64))?;
        self.open_at = self.end;
        self.hash = Xxh3::new();
        let (kind, offset) = ((kind as u32).to_le_bytes(), self.end.to_le_bytes());
        self.sections.push(RawSection { kind, offset, ..RawSection::zeroed() });
        Ok(())
    }

    /// Gives the section that is open its length and checksum.
    fn close(&mut self) {
        let length = self.section_bytes();
        if let Some(section) = self.sections.last_mut() {
            section.length = length.to_le_bytes();
            section.checksum = self.hash.digest().to_le_bytes();
        }
    }

    /// Length of the open section so far.
    pub(crate) fn section_bytes(&self) -> u64 {
        self.end - self.open_at
    }

    /// Appends to the open section.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.hash.update(bytes);
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Writes a whole section.
    pub(crate) fn section(&mut self, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        self.open(kind)?;
        self.append(bytes)
    }

    /// Writes the preamble; gives the length of the file.
    ///
    /// # Panics
    /// If `root` is not as long as was said, or a section is missing, which is a bug of the builder.
    pub(crate) fn finish(mut self, root: &[u8]) -> io::Result<u64> {
        assert_eq!(root.len() as u64, self.root.end - self.root.start, "the root is as long as was said");
        assert_eq!(self.sections.len(), Kind::ALL.len(), "every section is written");
        self.close();
        let table: &[u8] = bytemuck::cast_slice(&self.sections);
        let mut header = RawHeader {
            magic: MAGIC,
            version: VERSION.to_le_bytes(),
            section_count: u32::try_from(self.sections.len()).expect("there are a few kinds").to_le_bytes(),
            file_length: self.end.to_le_bytes(),
            root_offset: self.root.start.to_le_bytes(),
            root_length: (root.len() as u64).to_le_bytes(),
            root_checksum: checksum(root, 0).to_le_bytes(),
            table_checksum: checksum(table, 0).to_le_bytes(),
            reserved: [0; 8],
            header_checksum: [0; 8],
        };
        header.header_checksum = xxh3_64(&bytemuck::bytes_of(&header)[..56]).to_le_bytes();
        self.out.seek(SeekFrom::Start(self.origin))?;
        self.out.write_all(bytemuck::bytes_of(&header))?;
        self.out.write_all(table)?;
        self.out.seek(SeekFrom::Start(self.origin + self.root.start))?;
        self.out.write_all(root)?;
        self.out.seek(SeekFrom::Start(self.origin + self.end))?;
        self.out.flush()?;
        Ok(self.end)
    }
}

/// A file of these sections, in memory.
///
/// # Panics
/// If they are not all sections by ascending kind.
#[cfg(test)]
pub(crate) fn assemble(root: &[u8], sections: &[(Kind, Vec<u8>)]) -> rkyv::util::AlignedVec<64> {
    let mut file = io::Cursor::new(Vec::new());
    let mut writer = Writer::begin(&mut file, root.len()).expect("memory can be written");
    for (kind, bytes) in sections {
        writer.section(*kind, bytes).expect("memory can be written");
    }
    writer.finish(root).expect("memory can be written");
    let mut aligned = rkyv::util::AlignedVec::new();
    aligned.extend_from_slice(&file.into_inner());
    aligned
}

/// Makes length, root checksum, section checksums, table checksum and header checksum those of the bytes as they are,
/// and mark and version those of this build, as far as the bytes say where the parts are.
pub(crate) fn seal(file: &mut [u8]) {
    let length = file.len() as u64;
    let Some((header, rest)) = file.split_at_mut_checked(HEADER_BYTES) else { return };
    let raw: &mut RawHeader = bytemuck::from_bytes_mut(header);
    (raw.magic, raw.version, raw.file_length) = (MAGIC, VERSION.to_le_bytes(), length.to_le_bytes());
    let part = |rest: &[u8], offset: [u8; 8], length: [u8; 8]| {
        let from = usize::try_from(u64::from_le_bytes(offset)).ok()?.checked_sub(HEADER_BYTES)?;
        rest.get(from..)?.get(..usize::try_from(u64::from_le_bytes(length)).ok()?).map(<[u8]>::to_vec)
    };
    if let Some(root) = part(rest, raw.root_offset, raw.root_length) {
        raw.root_checksum = checksum(&root, 0).to_le_bytes();
    }
    let table_bytes = (u32::from_le_bytes(raw.section_count) as usize).saturating_mul(SECTION_BYTES);
    for at in (0..table_bytes.min(rest.len())).step_by(SECTION_BYTES) {
        let Some(entry) = rest.get(at..at + SECTION_BYTES) else { break };
        let mut entry: RawSection = bytemuck::pod_read_unaligned(entry);
        if let Some(section) = part(rest, entry.offset, entry.length) {
            entry.checksum = xxh3_64(&section).to_le_bytes();
            rest[at..at + SECTION_BYTES].copy_from_slice(bytemuck::bytes_of(&entry));
        }
    }
    if let Some(table) = rest.get(..table_bytes) {
        raw.table_checksum = checksum(table, 0).to_le_bytes();
    }
    raw.header_checksum = xxh3_64(&bytemuck::bytes_of(raw)[..56]).to_le_bytes();
}
