//! Changed lines of a file that the model knows.

use std::collections::HashMap;

use super::{Mapping, Reason, Source, Tally, feature, scope};
use crate::diff::{FileDiff, Hunk, LineKind};
use crate::id::{FileId, TestId};
use crate::model::{FileView, Index, ModelError};
use crate::observation::LineRange;

/// How far above an unrecorded line its statement may begin.
pub const SNAP_LINES: u32 = 30;

/// A file of the diff as the model knows it.
pub(super) struct KnownFile<'a> {
    pub(super) id: FileId,
    pub(super) view: FileView<'a>,
    pub(super) path: &'a str,
}

/// The weight of a file whose lines the model cannot tell apart: its changed old lines, two for each insertion, and one
/// at least, so that a binary or renamed file is not weightless.
pub(super) fn units(file: &FileDiff<'_>) -> u32 {
    file.hunks.iter().map(|hunk| changed_lines(hunk).count()).sum::<usize>().try_into().unwrap_or(u32::MAX).max(1)
}

/// The old lines that a hunk changes: those removed, and for an insertion the line before and the line after.
pub(super) fn changed_lines<'a>(hunk: &Hunk<'a>) -> impl Iterator<Item = u32> + use<'a> {
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
    if file.hunks.is_empty() {
        return whole_file(diff_file, known, touched, defines, tally);
    }
    let mut defined = None;
    for hunk in &file.hunks {
        for line in changed_lines(hunk) {
            let source = line_source(known, line, touched, defines && !mapping.whole_test_files);
            match source {
                Some(source) => tally.add(source.clone(), diff_file, line, 1.0, || name_of(known, &source, line)),
                None if defines => {}
                None => tally.leave(diff_file, Reason::Untested, 1.0, Vec::new()),
            }
        }
        if defines && (mapping.whole_test_files || !touched) {
            let tests = match mapping.whole_test_files {
                true => Vec::new(),
                false => changed_tests(index, hunk, known, &mut defined)?,
            };
            let source = if tests.is_empty() { Source::Defines(known.id) } else { Source::Tests(tests) };
            let units = changed_lines(hunk).count().max(1) as f64;
            tally.add(source, diff_file, 0, units, || known.path.to_owned());
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
        tally.add(Source::File(known.id), diff_file, 0, 1.0, name);
    }
    if defines {
        tally.add(Source::Defines(known.id), diff_file, 0, 1.0, name);
    }
    if !touched && !defines {
        tally.leave(diff_file, Reason::Untested, 1.0, Vec::new());
    }
    Ok(())
}

/// The closest region that the model has for an old line. `or_tests`: where nothing was recorded, the tests that the
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
    let symbol = view.symbol_at(line).map(|s| LineRange { first: s.first.to_native(), last: s.last.to_native() });
    if let Some(block) = snap(view, line, symbol) {
        return Some(Source::Block(known.id, block));
    }
    if let Some(lines) = symbol {
        let from = view.run_from(lines.first);
        if view.run(from).is_some_and(|run| run.first <= lines.last) {
            return Some(Source::Symbol(known.id, lines));
        }
    }
    Some(if or_tests { Source::Defines(known.id) } else { Source::File(known.id) })
}

/// The block of the nearest recorded line above, within the symbol and [`SNAP_LINES`], unless a line that ran at import
/// stands between.
fn snap(view: &FileView<'_>, line: u32, symbol: Option<LineRange>) -> Option<u32> {
    let run = view.run(view.run_from(line).checked_sub(1)?)?;
    let lowest = line.saturating_sub(SNAP_LINES).max(symbol.map_or(1, |symbol| symbol.first));
    let same_symbol = || {
        let span = |line| view.symbol_at(line).map(|s| (s.first.to_native(), s.last.to_native()));
        span(run.last) == symbol.map(|s| (s.first, s.last))
    };
    let between = run.last + 1..line;
    (run.last >= lowest && same_symbol() && !between.into_iter().any(|line| view.imported_at(line)))
        .then_some(run.block)
}

/// The tests whose functions or classes a hunk of a test file changes, as far as names tell.
fn changed_tests<D: AsRef<[u8]>>(
    index: &Index<D>,
    hunk: &Hunk<'_>,
    known: &KnownFile<'_>,
    defined: &mut Option<DefinedTests>,
) -> Result<Vec<TestId>, ModelError> {
    let names = scope::changed_symbols(hunk);
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let defined = match defined {
        Some(defined) => defined,
        None => defined.insert(DefinedTests::read(index, known)?),
    };
    Ok(defined.named(&names))
}

/// The tests that a file defines, by the names of their functions and classes: read once for all hunks.
#[derive(Debug, Default)]
struct DefinedTests {
    by_function: HashMap<String, Vec<TestId>>,
    by_group: HashMap<String, Vec<TestId>>,
}

impl DefinedTests {
    fn read<D: AsRef<[u8]>>(index: &Index<D>, known: &KnownFile<'_>) -> Result<Self, ModelError> {
        let mut defined = Self::default();
        for posting in known.view.defines()?.to_vec()? {
            let id = index.test_name(posting.test)?;
            let path = crate::id::path_in_test_id(&id).map_or(0, str::len);
            let within = id[path..].split('[').next().unwrap_or_default();
            let mut components = within.split([':', '.', '#', '/']).rev();
            let function = components.next().unwrap_or_default();
            let group = components.find(|component| !component.is_empty()).unwrap_or_default();
            defined.by_function.entry(function.to_owned()).or_default().push(posting.test);
            defined.by_group.entry(group.to_owned()).or_default().push(posting.test);
        }
        Ok(defined)
    }

    /// The tests that are one of these symbols or stand in it, ascending.
    fn named(&self, names: &[scope::SymbolName<'_>]) -> Vec<TestId> {
        let of = |name: &scope::SymbolName<'_>| match (name.function, name.group) {
            (Some(function), _) => self.by_function.get(function),
            (None, Some(group)) => self.by_group.get(group),
            (None, None) => None,
        };
        let mut tests: Vec<TestId> = names.iter().filter_map(of).flatten().copied().collect();
        tests.sort_unstable();
        tests.dedup();
        tests
    }
}

/// What a region is called by: its file, and the symbol around the line that led to it.
fn name_of(known: &KnownFile<'_>, source: &Source, line: u32) -> String {
    let within = match source {
        Source::Block(..) | Source::Symbol(..) => known.view.symbol_at(line).map(|symbol| symbol.name.as_str()),
        _ => None,
    };
    match within {
        Some(symbol) => format!("{}::{symbol}", known.path),
        None => known.path.to_owned(),
    }
}
