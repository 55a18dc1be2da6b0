//! What the model knows of one file, by line.

use super::error::ModelError;
use super::postings::{ListAt, PostingList};
use super::record::{LineRun, Unpacked};
use crate::observation::{LineRange, SymbolKind};

/// One file of a model: its record unpacked, its lists read in place.
#[derive(Clone, Debug)]
pub struct FileView<'a> {
    record: Unpacked<'a>,
    postings: &'a [u8],
    tests: u32,
}

/// A named span of lines.
#[derive(Clone, Copy, Debug)]
pub struct SymbolView<'v> {
    /// Where its definition stands.
    pub lines: LineRange,
    /// What it is.
    pub kind: SymbolKind,
    record: &'v Unpacked<'v>,
    position: usize,
}

impl SymbolView<'_> {
    /// Its name, qualified within its file with dots. O(its letters, and symbols before it that share them).
    pub fn name(&self) -> String {
        match String::from_utf8(self.name_bytes()) {
            Ok(name) => name,
            Err(crafted) => String::from_utf8_lossy(crafted.as_bytes()).into_owned(),
        }
    }

    /// The name as it is stored: UTF-8 in every model that covopt wrote.
    pub(super) fn name_bytes(&self) -> Vec<u8> {
        self.record.name(self.position)
    }
}

impl<'a> FileView<'a> {
    /// A record whose lists are in `postings`, of a model of `tests` tests.
    pub(super) fn new(record: Unpacked<'a>, postings: &'a [u8], tests: u32) -> Self {
        Self { record, postings, tests }
    }

    fn list(&self, list: ListAt<'a>) -> Result<PostingList<'a>, ModelError> {
        PostingList::read(list, self.postings, self.tests)
    }

    /// Size and content hash, where known.
    pub fn stamp(&self) -> Option<(u64, u64)> {
        self.record.stamp.map(|stamp| (stamp.size_bytes, stamp.hash))
    }

    /// The number of line runs.
    pub fn run_count(&self) -> usize {
        self.record.runs.len()
    }

    /// The line run at `position`, in line order.
    pub fn run(&self, position: usize) -> Option<LineRun> {
        self.record.runs.get(position).copied()
    }

    /// The position of the first run that ends at or after `line`.
    pub fn run_from(&self, line: u32) -> usize {
        self.record.runs.partition_point(|run| run.last < line)
    }

    /// The run that holds `line`.
    pub fn run_at(&self, line: u32) -> Option<LineRun> {
        self.run(self.run_from(line)).filter(|run| run.first <= line)
    }

    /// The number of blocks.
    pub fn block_count(&self) -> usize {
        self.record.blocks.len()
    }

    /// The tests of a block. The byte is 1: a block's tests ran all of its lines.
    ///
    /// # Errors
    /// If the list is damaged, or there is no such block.
    pub fn block(&self, block: u32) -> Result<PostingList<'a>, ModelError> {
        let list = self.record.blocks.get(block as usize);
        self.list(*list.ok_or_else(|| ModelError::damaged("file records", "there is no such block"))?)
    }

    /// Whether `line` ran outside any test.
    pub fn imported_at(&self, line: u32) -> bool {
        let at = self.record.imported.partition_point(|range| range.last < line);
        self.record.imported.get(at).is_some_and(|range| range.first <= line)
    }

    /// The ranges that ran outside any test, ascending.
    pub fn imported(&self) -> impl Iterator<Item = LineRange> {
        self.record.imported.iter().copied()
    }

    /// Every test that ran a line of this file, with the quantized number of lines.
    ///
    /// # Errors
    /// If the list is damaged.
    pub fn touching(&self) -> Result<PostingList<'a>, ModelError> {
        self.list(self.record.touching)
    }

    /// The tests that this file defines.
    ///
    /// # Errors
    /// If the list is damaged.
    pub fn defines(&self) -> Result<PostingList<'a>, ModelError> {
        self.list(self.record.defines)
    }

    /// The number of symbols.
    pub fn symbol_count(&self) -> usize {
        self.record.symbols.len()
    }

    /// The symbols, by first line, outer before inner.
    pub fn symbols(&self) -> impl Iterator<Item = SymbolView<'_>> {
        (0..self.symbol_count()).filter_map(|position| self.symbol(position))
    }

    fn symbol(&self, position: usize) -> Option<SymbolView<'_>> {
        let symbol = self.record.symbols.get(position)?;
        Some(SymbolView { lines: symbol.lines, kind: symbol.kind, record: &self.record, position })
    }

    /// The innermost symbol that holds `line`. O(log symbols + nesting).
    pub fn symbol_at(&self, line: u32) -> Option<SymbolView<'_>> {
        let symbols = &self.record.symbols;
        let mut at = symbols.partition_point(|symbol| symbol.lines.first <= line);
        loop {
            let position = at.checked_sub(1)?;
            let symbol = symbols.get(position)?;
            if symbol.lines.last >= line {
                return self.symbol(position);
            }
            at = symbol.outer as usize;
        }
    }
}
