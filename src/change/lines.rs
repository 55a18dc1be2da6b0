//! Changed lines of a file that the model knows.

use std::collections::{BTreeSet, HashMap};

use super::drift::{Placement, Step};
use super::{Mapping, Reason, Source, Tally, feature, scope};
use crate::diff::{FileDiff, Hunk, LineKind};
use crate::id::{FileId, TestId, path_in_test_id};
use crate::model::{FileView, Index, ModelError};
use crate::observation::LineRange;

/// How far above an unrecorded line its statement may begin.
pub const SNAP_LINES: u32 = 30;

/// A file of the diff as the model knows it.
pub(super) struct KnownFile<'a> {
    pub(super) id: FileId,
    pub(super) view: FileView<'a>,
    pub(super) path: &'a str,
    /// Where each hunk of the diff stands in it.
    pub(super) placements: Vec<Placement>,
}

/// The weight of a file whose lines the model cannot tell apart: its changed old lines, two for each insertion, and one
/// at least, so that a binary or renamed file is not weightless.
pub(super) fn units(file: &FileDiff<'_>) -> u32 {
    let hunks = file.hunks.iter().filter(|hunk| !hunk.is_cosmetic);
    hunks.map(|hunk| changed_lines(hunk).count()).sum::<usize>().try_into().unwrap_or(u32::MAX).max(1)
}

/// The old lines that a hunk changes: those removed, and for an insertion the line before and the line after.
pub fn changed_lines<'a>(hunk: &Hunk<'a>) -> impl Iterator<Item = u32> + use<'a> {
    let mut removing = false;
    let mut inserting = false;
    hunk.lines().flat_map(move |line| {
        let changed = match line.kind {
            LineKind::Context => {
                (removing, inserting) = (false, false);
                [None, None]
            }
            LineKind::Removed => {
                removing = true;
                [Some(line.old_line), None]
            }
            // A replacement is known by what it removes; only a pure insertion speaks of its neighbours.
            LineKind::Added if removing || inserting => [None, None],
            LineKind::Added => {
                inserting = true;
                [line.old_line.checked_sub(1).filter(|&before| before > 0), Some(line.old_line)]
            }
        };
        changed.into_iter().flatten()
    })
}

/// Maps every changed line of `file`.
pub(super) fn read<D: AsRef<[u8]>>(
    index: &Index<D>,
    diff_file: usize,
    file: &FileDiff<'_>,
    known: &KnownFile<'_>,
    mapping: Mapping,
    tally: &mut Tally,
) -> Result<(), ModelError> {
    let touched = known.view.touching()?.count() > 0;
    // The tests of a deleted file are gone with it: nothing is left of them to run.
    let deleted_tests = file.new_path.is_none() && known.view.defines()?.count() > 0;
    let defines = !deleted_tests && known.view.defines()?.count() > 0;
    if deleted_tests && !touched {
        return Ok(());
    }
    if index.root().features > 0 && feature::read(index, diff_file, file, known.path, tally)? && !touched {
        return Ok(());
    }
    if defines && file.hunks.iter().any(|hunk| scope::added_tests(hunk).next().is_some()) {
        let tests = DefinedTests::read(index, known)?;
        let added = file.hunks.iter().flat_map(scope::added_tests);
        let new = added.filter(|name| !tests.by_function.contains_key(*name));
        tally.new_tests.extend(new.map(|name| format!("{}::{name}", known.path)));
    }
    if file.hunks.is_empty() {
        return whole_file(diff_file, known, touched, defines, tally);
    }
    let mut tests = match defines && (mapping.whole_test_files || !touched) {
        true if mapping.whole_test_files => Some(DefinedTests::default()),
        true => Some(DefinedTests::read(index, known)?),
        false => None,
    };
    let or_tests = defines && !mapping.whole_test_files;
    let placed = file.hunks.iter().zip(&known.placements);
    for (hunk, placement) in placed.filter(|(hunk, _)| !hunk.is_cosmetic) {
        for old_line in changed_lines(hunk) {
            let (line, source) = placed_source(known, placement, old_line, touched, or_tests);
            line.into_iter().for_each(|line| tally.enter(known.id, &known.view, line));
            match source {
                Some(source) => {
                    let is_whole = matches!(source, Source::File(_) | Source::Defines(_));
                    let name = || name_at(known, line.filter(|_| !is_whole));
                    let sure = if is_whole { 1.0 } else { placement.certainty };
                    tally.add_line(source, diff_file, old_line, sure, name);
                    if sure < 1.0 {
                        tally.add_line(Source::File(known.id), diff_file, old_line, 1.0 - sure, || {
                            known.path.to_owned()
                        });
                    }
                }
                None if defines => {}
                None => tally.leave(diff_file, Reason::Untested, 1.0, Vec::new()),
            }
        }
        if let Some(tests) = &mut tests {
            let units = changed_lines(hunk).count().max(1) as f64;
            let named = tests.named(&scope::changed_symbols(hunk));
            let source = named.map_or(Source::Defines(known.id), Source::Tests);
            tally.add(source, diff_file, units, || known.path.to_owned());
        }
    }
    Ok(())
}

fn whole_file(
    diff_file: usize,
    known: &KnownFile<'_>,
    touched: bool,
    defines: bool,
    tally: &mut Tally,
) -> Result<(), ModelError> {
    let name = || known.path.to_owned();
    if touched {
        tally.add(Source::File(known.id), diff_file, 1.0, name);
    }
    if defines {
        tally.add(Source::Defines(known.id), diff_file, 1.0, name);
    }
    if !touched && !defines {
        tally.leave(diff_file, Reason::Untested, 1.0, Vec::new());
    }
    Ok(())
}

/// The line of the model that an old line of the diff is, as far as that is known, and the closest region for it.
fn placed_source(
    known: &KnownFile<'_>,
    placement: &Placement,
    old_line: u32,
    touched: bool,
    or_tests: bool,
) -> (Option<u32>, Option<Source>) {
    let whole = if or_tests { Source::Defines(known.id) } else { Source::File(known.id) };
    match (placement.step, placement.symbol) {
        (Step::File, _) => (None, touched.then_some(whole)),
        (Step::Symbol, Some(symbol)) => {
            let source = if has_run(&known.view, symbol) { Source::Symbol(known.id, symbol) } else { whole };
            (Some(symbol.first), touched.then_some(source))
        }
        _ => {
            let line = placement.line(old_line);
            (Some(line), line_source(known, line, touched, or_tests))
        }
    }
}

/// Whether a line of a symbol was recorded.
fn has_run(view: &FileView<'_>, symbol: LineRange) -> bool {
    view.run(view.run_from(symbol.first)).is_some_and(|run| run.first <= symbol.last)
}

/// The closest region that the model has for a line of its own. `or_tests`: where nothing was recorded, the tests that the
/// file defines are closer than every test that touches it.
fn line_source(known: &KnownFile<'_>, line: u32, touched: bool, or_tests: bool) -> Option<Source> {
    let view = &known.view;
    if let Some(run) = view.run_at(line) {
        return Some(Source::Block(known.id, run.block));
    }
    if !touched {
        return None;
    }
    if view.imported_at(line) {
        return Some(if or_tests { Source::Defines(known.id) } else { Source::File(known.id) });
    }
    let symbol = view.symbol_at(line).map(|symbol| symbol.lines);
    if let Some(block) = snap(view, line, symbol) {
        return Some(Source::Block(known.id, block));
    }
    if let Some(lines) = symbol.filter(|&lines| has_run(view, lines)) {
        return Some(Source::Symbol(known.id, lines));
    }
    Some(if or_tests { Source::Defines(known.id) } else { Source::File(known.id) })
}

/// The block of the nearest recorded line above, within the symbol and [`SNAP_LINES`], unless a line that ran at import
/// stands between.
fn snap(view: &FileView<'_>, line: u32, symbol: Option<LineRange>) -> Option<u32> {
    let run = view.run(view.run_from(line).checked_sub(1)?)?;
    let lowest = line.saturating_sub(SNAP_LINES).max(symbol.map_or(1, |symbol| symbol.first));
    let same_symbol = || view.symbol_at(run.last).map(|symbol| symbol.lines) == symbol;
    let between = run.last + 1..line;
    (run.last >= lowest && same_symbol() && !between.into_iter().any(|line| view.imported_at(line)))
        .then_some(run.block)
}

/// Tests that the hunks of one file name together, at most; beyond it a hunk stands for all tests of the file.
const NAMED_MOST: usize = 1 << 20;

/// The tests that a file defines, by the last two names of their ids.
#[derive(Default)]
struct DefinedTests {
    by_function: HashMap<String, Vec<TestId>>,
    by_group: HashMap<String, Vec<TestId>>,
    named: usize,
}

impl DefinedTests {
    fn read<D: AsRef<[u8]>>(index: &Index<D>, known: &KnownFile<'_>) -> Result<Self, ModelError> {
        let mut tests = Self::default();
        for posting in known.view.defines()?.to_vec()? {
            let id = index.test_name(posting.test)?;
            let path = path_in_test_id(&id).map_or(0, str::len);
            let within = id[path..].split('[').next().unwrap_or_default();
            let mut components = within.split([':', '.', '#', '/']).rev();
            let function = components.next().unwrap_or_default();
            let group = components.find(|component| !component.is_empty()).unwrap_or_default();
            tests.by_function.entry(function.to_owned()).or_default().push(posting.test);
            tests.by_group.entry(group.to_owned()).or_default().push(posting.test);
        }
        Ok(tests)
    }

    /// The tests whose functions, or for a change outside any function whose classes, are among `symbols`; none if no
    /// name tells.
    fn named(&mut self, symbols: &[scope::SymbolName<'_>]) -> Option<Vec<TestId>> {
        let mut named: BTreeSet<TestId> = BTreeSet::new();
        for symbol in symbols {
            let tests = match (symbol.function, symbol.group) {
                (Some(function), _) => self.by_function.get(function),
                (None, group) => group.and_then(|group| self.by_group.get(group)),
            };
            let tests = tests.map_or(&[][..], Vec::as_slice);
            self.named += tests.len();
            if self.named > NAMED_MOST {
                return None;
            }
            named.extend(tests);
        }
        (!named.is_empty()).then(|| named.into_iter().collect())
    }
}

/// What a region of the file is called: the file, and the symbol around `line`.
fn name_at(known: &KnownFile<'_>, line: Option<u32>) -> String {
    match line.and_then(|line| known.view.symbol_at(line)) {
        Some(symbol) => format!("{}::{}", known.path, symbol.name()),
        None => known.path.to_owned(),
    }
}
