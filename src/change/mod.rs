//! From a diff to the weighted change vector: which regions of the model the defect of this diff may be in.
//!
//! Each changed line of the old side is one unit of weight; an insertion stands for the two lines that it separates. A
//! line finds its region by the closest evidence that the model has, in this order:
//!
//! 1. the block that holds it;
//! 2. a line that ran at import or collection: module scope, so every test that touches the file;
//! 3. for a line that was never recorded (blank, comment, the rest of a long statement): the nearest recorded line
//!    before it, within its symbol and [`SNAP_LINES`];
//! 4. its symbol; 5. its file; 6. declared features, by the dotted names of module and symbol.
//!
//! What none of these knows is [`Unmapped`] and keeps its weight: risk that no test of the model lowers. The old side
//! counts, because the model describes the tree before the diff; where that is not quite the tree that the diff starts
//! from, its hunks are first found in what the model knows of the file ([`Placement`]), and as much weight as that is not
//! sure of goes to the file.

mod drift;
mod feature;
mod lines;
mod scope;

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::{Diff, FileDiff, Status};
use crate::id::{FeatureId, FileId, TestId};
use crate::model::{FileView, Index, ModelError, PathMatch};
use crate::observation::{LineRange, SymbolKind};

pub use drift::{Placement, Step};
pub use lines::{SNAP_LINES, changed_lines};

/// How a diff is read against a model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mapping {
    /// Paths match exactly or not at all; else also where one of the two ends with the other.
    pub strict_paths: bool,
    /// A change in a test file stands for all its tests; else for those whose functions changed, where names tell.
    pub whole_test_files: bool,
}

/// Where the tests of a region come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The tests that this file defines.
    Defines(FileId),
    /// These tests, because their own functions changed.
    Tests(Vec<TestId>),
    /// A block of a file.
    Block(FileId, u32),
    /// All recorded lines of a symbol.
    Symbol(FileId, LineRange),
    /// Every test that touches the file.
    File(FileId),
    /// A declared feature.
    Feature(FeatureId),
}

impl Source {
    /// The word that machine-readable output uses for this kind of region.
    pub fn kind(&self) -> &'static str {
        match self {
            Source::Defines(_) | Source::Tests(_) => "tests",
            Source::Block(..) => "block",
            Source::Symbol(..) => "symbol",
            Source::File(_) => "file",
            Source::Feature(_) => "feature",
        }
    }

    /// The file that its lines are in, or its tests.
    pub fn file(&self) -> Option<FileId> {
        match *self {
            Source::Defines(file) | Source::Block(file, _) | Source::Symbol(file, _) | Source::File(file) => Some(file),
            Source::Tests(_) | Source::Feature(_) => None,
        }
    }
}

/// A region that the diff touches.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// Where its tests come from.
    pub source: Source,
    /// Which file of the diff it was first found for.
    pub diff_file: usize,
    /// The path, symbol or feature that it is called by.
    pub name: String,
    /// The changed old lines that led to it, ascending.
    pub lines: Vec<LineRange>,
    /// Its share of the change, over all regions and [`Unmapped`] parts 1.
    pub weight: f64,
}

/// Why a part of the diff has no region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The model knows no such file.
    UnknownFile,
    /// The model knows the file, but no test touches it.
    Untested,
    /// Several files end with the path.
    AmbiguousPath,
}

impl Reason {
    /// The word that machine-readable output uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::UnknownFile => "unknown_file",
            Reason::Untested => "untested",
            Reason::AmbiguousPath => "ambiguous_path",
        }
    }
}

/// A part of the diff that no region of the model knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Unmapped {
    /// Which file of the diff.
    pub diff_file: usize,
    /// Why.
    pub reason: Reason,
    /// Its share of the change.
    pub weight: f64,
    /// For an ambiguous path: some of the files it may be.
    pub matches: Vec<String>,
}

/// A symbol that holds a changed line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangedSymbol {
    /// Its file.
    pub file: FileId,
    /// Its span.
    pub lines: LineRange,
    /// Its name, qualified within the file with dots.
    pub name: String,
    /// Whether it is a function or method.
    pub is_function: bool,
}

/// Where the hunks of a file of the diff stand in the file that the model knows.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedFile {
    /// Which file of the diff.
    pub diff_file: usize,
    /// The path that the model knows it by, where that is another: its end, or that of a file that was moved.
    pub known_as: Option<String>,
    /// One for each hunk.
    pub hunks: Vec<Placement>,
}

/// The change vector: regions by ascending [`Source`], and what has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// The regions; their weights and those of `unmapped` sum to 1, or there are none of either.
    pub regions: Vec<Region>,
    /// What no region knows.
    pub unmapped: Vec<Unmapped>,
    /// The innermost symbols of the changed lines, ascending by file and span.
    pub symbols: Vec<ChangedSymbol>,
    /// Tests that the diff adds to files of tests and that the model does not know, as path and function: they are not
    /// among what can be chosen.
    pub new_tests: Vec<String>,
    /// Where the hunks of the files that the model knows were found, ascending by file.
    pub placements: Vec<PlacedFile>,
}

impl Change {
    /// Reads a diff against a model.
    ///
    /// # Errors
    /// If a part of the model that the diff touches is damaged.
    pub fn read<D: AsRef<[u8]>>(index: &Index<D>, diff: &Diff<'_>, mapping: Mapping) -> Result<Self, ModelError> {
        let mut tally = Tally::default();
        for (diff_file, file) in diff.files.iter().enumerate() {
            read_file(index, diff_file, file, mapping, &mut tally)?;
        }
        Ok(tally.into_change())
    }

    /// Whether nothing changed that a test could see.
    pub fn is_empty(&self) -> bool {
        self.regions.is_empty() && self.unmapped.is_empty()
    }

    /// The share of the change that no region knows.
    pub fn unmapped_weight(&self) -> f64 {
        self.unmapped.iter().map(|part| part.weight).sum()
    }
}

/// What has been gathered so far, in units of changed lines.
#[derive(Debug, Default)]
struct Tally {
    regions: BTreeMap<Source, Touched>,
    unmapped: Vec<Unmapped>,
    symbols: BTreeMap<(FileId, LineRange), ChangedSymbol>,
    new_tests: BTreeSet<String>,
    placements: Vec<PlacedFile>,
}

#[derive(Debug)]
struct Touched {
    diff_file: usize,
    name: String,
    lines: BTreeSet<u32>,
    units: f64,
}

impl Tally {
    /// Adds a changed old line to a region, once, however often the diff changes it.
    fn add_line(&mut self, source: Source, diff_file: usize, line: u32, units: f64, name: impl FnOnce() -> String) {
        let touched = self.region(source, diff_file, name);
        if touched.lines.insert(line) {
            touched.units += units;
        }
    }

    /// Adds units to a region that has no lines of its own.
    fn add(&mut self, source: Source, diff_file: usize, units: f64, name: impl FnOnce() -> String) {
        self.region(source, diff_file, name).units += units;
    }

    fn region(&mut self, source: Source, diff_file: usize, name: impl FnOnce() -> String) -> &mut Touched {
        self.regions.entry(source).or_insert_with(|| Touched {
            diff_file,
            name: name(),
            lines: BTreeSet::new(),
            units: 0.0,
        })
    }

    /// Remembers the innermost symbol of a changed line.
    fn enter(&mut self, file: FileId, view: &FileView<'_>, line: u32) {
        let Some(symbol) = view.symbol_at(line) else { return };
        self.symbols.entry((file, symbol.lines)).or_insert_with(|| ChangedSymbol {
            file,
            lines: symbol.lines,
            name: symbol.name(),
            is_function: symbol.kind == SymbolKind::Function,
        });
    }

    fn leave(&mut self, diff_file: usize, reason: Reason, units: f64, matches: Vec<String>) {
        // Files come one after the other, so what is known of this one stands last.
        let of_file = self.unmapped.iter_mut().rev().take_while(|part| part.diff_file == diff_file);
        match of_file.into_iter().find(|part| part.reason == reason) {
            Some(part) => part.weight += units,
            None => self.unmapped.push(Unmapped { diff_file, reason, weight: units, matches }),
        }
    }

    fn into_change(self) -> Change {
        let units: f64 = self.regions.values().map(|touched| touched.units).sum::<f64>()
            + self.unmapped.iter().map(|part| part.weight).sum::<f64>();
        let share = |part: f64| if units > 0.0 { part / units } else { 0.0 };
        let region = |(source, touched): (Source, Touched)| Region {
            source,
            diff_file: touched.diff_file,
            name: touched.name,
            lines: ranges(touched.lines.into_iter()),
            weight: share(touched.units),
        };
        let mut unmapped = self.unmapped;
        for part in &mut unmapped {
            part.weight = share(part.weight);
        }
        let regions = self.regions.into_iter().map(region).collect();
        let symbols = self.symbols.into_values().collect();
        let new_tests = self.new_tests.into_iter().collect();
        Change { regions, unmapped, symbols, new_tests, placements: self.placements }
    }
}

/// Ascending lines as ranges.
fn ranges(lines: impl Iterator<Item = u32>) -> Vec<LineRange> {
    let mut ranges: Vec<LineRange> = Vec::new();
    for line in lines {
        match ranges.last_mut() {
            Some(range) if range.last.checked_add(1) == Some(line) => range.last = line,
            _ => ranges.push(LineRange::single(line)),
        }
    }
    ranges
}

fn read_file<D: AsRef<[u8]>>(
    index: &Index<D>,
    diff_file: usize,
    file: &FileDiff<'_>,
    mapping: Mapping,
    tally: &mut Tally,
) -> Result<(), ModelError> {
    if file.status == Status::Mode || (file.status == Status::Copied && file.hunks.is_empty()) {
        return Ok(()); // Nothing that a line of code could see.
    }
    if !file.hunks.is_empty() && file.hunks.iter().all(|hunk| hunk.is_cosmetic) {
        return Ok(());
    }
    let path = String::from_utf8_lossy(file.old_path.as_deref().unwrap_or(file.path()));
    let matched = match mapping.strict_paths || file.old_path.is_none() {
        // A new file cannot be one that the model knows under a shorter path.
        true => index.find_file(&path)?.map_or(PathMatch::None, PathMatch::Exact),
        false => index.match_path(&path)?,
    };
    let matches = match matched {
        PathMatch::Exact(id) | PathMatch::Suffix(id) => {
            let view = index.file(id)?;
            let placements = drift::place(index.anchors(id)?, &view, file);
            let known_as = if let PathMatch::Suffix(_) = matched { Some(index.path(id)?) } else { None };
            let known = lines::KnownFile { id, view, path: &path, placements };
            return read_known(index, (diff_file, file), known, known_as, mapping, tally);
        }
        PathMatch::Ambiguous(files) => files.into_iter().map(|file| index.path(file)).collect::<Result<Vec<_>, _>>()?,
        PathMatch::None => Vec::new(),
    };
    if !mapping.strict_paths
        && let Some((id, known_as, placements)) = moved(index, &path, file)?
    {
        let known = lines::KnownFile { id, view: index.file(id)?, path: &known_as, placements };
        return read_known(index, (diff_file, file), known, Some(known_as.clone()), mapping, tally);
    }
    if file.old_path.is_none() {
        let new_path = String::from_utf8_lossy(file.path());
        let added = file.hunks.iter().flat_map(scope::added_tests);
        tally.new_tests.extend(added.map(|name| format!("{new_path}::{name}")));
    }
    if !feature::read(index, diff_file, file, &path, tally)? {
        let reason = if matches.is_empty() { Reason::UnknownFile } else { Reason::AmbiguousPath };
        let units = f64::from(lines::units(file));
        tally.leave(diff_file, reason, units, matches);
    }
    Ok(())
}

fn read_known<D: AsRef<[u8]>>(
    index: &Index<D>,
    (diff_file, file): (usize, &FileDiff<'_>),
    known: lines::KnownFile<'_>,
    known_as: Option<String>,
    mapping: Mapping,
    tally: &mut Tally,
) -> Result<(), ModelError> {
    lines::read(index, diff_file, file, &known, mapping, tally)?;
    if known.placements.iter().any(|hunk| hunk.step != Step::Unchecked) {
        tally.placements.push(PlacedFile { diff_file, known_as, hunks: known.placements });
    }
    Ok(())
}

/// Files of one name that are looked into for one that was moved.
const NAMESAKES_MOST: usize = 16;
/// The share of the hunks that must be found in a file, so that it is the one that was moved.
const MOVED_LEAST: f64 = 0.5;
/// Lines that a diff may show of a file that is looked for.
const MOVED_LINES_MOST: usize = 10_000;

/// The file that the model knows by another path, if the diff shows lines of it: one of the same name, in which the hunks are
/// found best.
fn moved<D: AsRef<[u8]>>(
    index: &Index<D>,
    path: &str,
    file: &FileDiff<'_>,
) -> Result<Option<(FileId, String, Vec<Placement>)>, ModelError> {
    let lines: usize = file.hunks.iter().map(|hunk| hunk.old.lines as usize).sum();
    if file.old_path.is_none() || lines == 0 || lines > MOVED_LINES_MOST || !index.has_anchors() {
        return Ok(None);
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut best: Option<(f64, FileId, Vec<Placement>)> = None;
    for id in index.files_named(name, NAMESAKES_MOST)? {
        let placements = drift::place(index.anchors(id)?, &index.file(id)?, file);
        let found = drift::share_found(&placements);
        if found >= MOVED_LEAST && best.as_ref().is_none_or(|(most, ..)| found > *most) {
            best = Some((found, id, placements));
        }
    }
    let Some((found, id, mut placements)) = best else { return Ok(None) };
    // That it is this file is no more sure than what of the diff is in it.
    placements.iter_mut().for_each(|placement| placement.certainty *= found);
    Ok(Some((id, index.path(id)?, placements)))
}

#[cfg(test)]
mod tests;
