//! The files of a model: for each its record, and the posting lists of its blocks.
//!
//! Files are laid out in the order of their paths, in batches: while one batch is written, the next one is grouped and
//! encoded on all cores.

use std::cmp::Reverse;
use std::io::{Seek, Write};

use rayon::prelude::*;

use super::blocks::{Blocks, Covered};
use super::lists::{Encoded, Lists};
use super::older::Older;
use super::{BATCH_BYTES, BuildError, Content, Order, Phase, count};
use crate::id::{FileId, TestId};
use crate::model::layout::Writer;
use crate::model::names::{REF_BYTES, RawRef};
use crate::model::record::{FileRecord, SymbolRecord};
use crate::model::root::Root;
use crate::model::{LineRun, Posting, quantize_count};
use crate::observation::{FileFacts, FileKey, Log, Observations};

/// Alignment of an archive in the records section.
const RECORD_ALIGNMENT: usize = 16;
/// The least that a file counts for in a batch, in bytes.
const FILE_BYTES: usize = 256;

/// The sections of the files but the lists, which are in the section that is open.
pub(super) struct Files {
    pub(super) table: Vec<u8>,
    pub(super) records: Vec<u8>,
    pub(super) anchors: Anchors,
}

/// The section of line anchors.
pub(super) struct Anchors {
    index: Vec<RawRef>,
    parts: Vec<u8>,
}

impl Anchors {
    fn add(&mut self, anchors: &[u16]) {
        let from = self.parts.len();
        self.parts.extend(anchors.iter().flat_map(|anchor| anchor.to_le_bytes()));
        self.index.push(RawRef::new(from, &self.parts[from..], self.index.len()));
    }

    /// Its bytes: none where no file has anchors.
    pub(super) fn into_section(self) -> Vec<u8> {
        match self.parts.is_empty() {
            true => Vec::new(),
            false => [bytemuck::cast_slice(&self.index), &self.parts[..]].concat(),
        }
    }
}

/// A file before it is laid out.
struct Source {
    key: FileKey,
    /// Its entries in the log of lines.
    entries: Vec<u8>,
    /// Where older models have it.
    older: Vec<Option<FileId>>,
}

/// A file whose lists are ready to be written.
struct Laid {
    key: FileKey,
    runs: Vec<LineRun>,
    postings: u64,
    blocks: Vec<Encoded>,
    touching: Encoded,
    touching_count: u64,
    defines: Encoded,
}

/// Lays out all files.
pub(super) fn lay_out<D: AsRef<[u8]> + Sync, W: Write + Seek>(
    (seen, lines, older): (&Observations, Log, &[Older<'_, D>]),
    order: &Order,
    (lists, out): (&mut Lists, &mut Writer<W>),
    root: &mut Root,
    (content, told): (impl Fn(&str) -> Option<Content>, &mut impl FnMut(Phase, u64, u64)),
) -> Result<Files, BuildError> {
    let mut merge = lines.sorted(|file| order.file_ranks[file as usize]);
    let mut defines = order.defines();
    defines.sort_unstable();
    let mut next_of = vec![0; older.len()];
    let mut keys = order.files.iter().copied();
    let mut gather = || -> Result<Vec<Source>, BuildError> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES
            && let Some(key) = keys.next()
        {
            let mut entries = Vec::new();
            if merge.peek() == Some(key.0) {
                merge.append(&mut entries)?;
            }
            let older: Vec<_> = older.iter().zip(&mut next_of).map(|(model, next)| model.file_of(key, next)).collect();
            bytes += entries.len() + FILE_BYTES;
            batch.push(Source { key, entries, older });
        }
        Ok(batch)
    };
    let encode = |batch: Vec<Source>| -> Result<Vec<Laid>, BuildError> {
        batch.into_par_iter().map(|source| lay_out_file(source, older, order, &defines)).collect()
    };
    let mut files = Files {
        table: Vec::with_capacity(order.files.len() * REF_BYTES),
        records: Vec::new(),
        anchors: Anchors { index: Vec::with_capacity(order.files.len()), parts: Vec::new() },
    };
    let mut write = |batch: Vec<Laid>| -> Result<(), BuildError> {
        for laid in batch {
            let (path, facts) = (seen.file_path(laid.key), &seen.files()[laid.key.0 as usize]);
            files.add(laid, facts, content(path), (&mut *lists, &mut *out), root)?;
        }
        told(Phase::Files, (files.table.len() / REF_BYTES) as u64, order.files.len() as u64);
        Ok(())
    };
    let mut ready = Vec::new();
    loop {
        let batch = gather()?;
        let is_last = batch.is_empty();
        // Grouping needs all cores, writing one.
        let mut encoded = Ok(Vec::new());
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| encoded = encode(batch));
            write(std::mem::take(&mut ready))
        })?;
        ready = encoded?;
        if is_last {
            return Ok(files);
        }
    }
}

fn lay_out_file<D: AsRef<[u8]>>(
    source: Source,
    older: &[Older<'_, D>],
    order: &Order,
    defines: &[(u32, TestId)],
) -> Result<Laid, BuildError> {
    let mut blocks = Blocks::of_lines(&Covered::read(&source.entries, |test| order.id(test)));
    for (position, (model, file)) in older.iter().zip(&source.older).enumerate() {
        if let Some(file) = file {
            let theirs = model.blocks(*file, order).map_err(|error| BuildError::Joined { position, error })?;
            blocks = blocks.join(theirs);
        }
    }
    let touching: Vec<Posting> = blocks
        .lines_by_test()
        .into_iter()
        .map(|(test, lines)| Posting { test, signal: quantize_count(lines) })
        .collect();
    let rank = order.file_ranks[source.key.0 as usize];
    let from = defines.partition_point(|&(file, _)| file < rank);
    let defined: Vec<TestId> =
        defines[from..].iter().take_while(|&&(file, _)| file == rank).map(|&(_, test)| test).collect();
    Ok(Laid {
        key: source.key,
        postings: blocks.tests.iter().map(|tests| tests.len() as u64).sum(),
        blocks: blocks.tests.iter().map(|tests| Encoded::of_tests(tests)).collect(),
        runs: blocks.runs,
        touching: Encoded::new(&touching),
        touching_count: touching.len() as u64,
        defines: Encoded::of_tests(&defined),
    })
}

impl Files {
    /// Writes the lists of a file, and adds its record.
    fn add<W: Write + Seek>(
        &mut self,
        laid: Laid,
        facts: &FileFacts,
        content: Option<Content>,
        (lists, out): (&mut Lists, &mut Writer<W>),
        root: &mut Root,
    ) -> Result<(), BuildError> {
        root.blocks += laid.blocks.len() as u64;
        root.postings += laid.postings;
        root.file_postings += laid.touching_count;
        root.symbols += facts.symbols.len() as u64;
        let position = self.table.len() / REF_BYTES;
        let mut blocks = Vec::with_capacity(laid.blocks.len());
        for list in &laid.blocks {
            blocks.push(lists.place(list, out)?);
        }
        let record = FileRecord {
            file: count(position),
            stamp: content.as_ref().map(|content| content.stamp),
            runs: laid.runs,
            blocks,
            imported: facts.imported.ranges().to_vec(),
            touching: lists.place(&laid.touching, out)?,
            defines: lists.place(&laid.defines, out)?,
            symbols: symbols(facts),
        };
        let archive = record.encode();
        self.records.resize(self.records.len().next_multiple_of(RECORD_ALIGNMENT), 0);
        self.table.extend_from_slice(bytemuck::bytes_of(&RawRef::new(self.records.len(), &archive, position)));
        self.records.extend_from_slice(&archive);
        self.anchors.add(content.as_ref().map_or(&[], |content| &content.anchors));
        Ok(())
    }
}

fn symbols(facts: &FileFacts) -> Vec<SymbolRecord> {
    let mut symbols: Vec<SymbolRecord> = facts
        .symbols
        .iter()
        .map(|symbol| SymbolRecord { lines: symbol.lines, kind: symbol.kind, name: symbol.name.clone() })
        .collect();
    // Of symbols with one span and name the kind decides: the sort is stable and the set is sorted by it.
    let order = |symbol: &SymbolRecord| (symbol.lines.first, Reverse(symbol.lines.last));
    symbols.sort_by(|a, b| (order(a), &a.name).cmp(&(order(b), &b.name)));
    symbols
}
