//! From a change vector and the model's posting lists to candidates: the tests with a signal on what changed, their
//! rows and costs, as the optimizer takes them. And, for what is left of a budget, the tests nearest to the change.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::change::{Change, Region, Source};
use crate::id::{FileId, TestId};
use crate::model::{FileView, Index, ModelError, PostingList};
use crate::observation::LineRange;
use crate::optimize::{Instance, InstanceError, Level, Row, fixed_weights};
use crate::signal;

/// Why candidates could not be gathered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CandidateError {
    /// A part of the model is damaged.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The change is larger than the optimizer takes.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The change reaches too many tests in too many regions.
    #[error("the change touches more than {limit} pairs of a region and a test; split the diff")]
    TooManySignals {
        /// The most that are gathered.
        limit: usize,
    },
}

/// The most signals that are gathered: a gigabyte and a half of them. A hundred times what the hub of a suite of a million
/// tests has, and a few bytes of a crafted model may claim as many for each line.
const SIGNALS_MOST: usize = 1 << 27;

/// The candidates of a change, ascending by test.
#[derive(Debug)]
pub struct Candidates {
    /// The test at each position of the instance.
    pub tests: Vec<TestId>,
    /// Rows by region of the change, costs, weights.
    pub instance: Instance,
}

/// One signal, before the signals of a test are brought together.
type Signal = (TestId, u32, Level);

/// Gathers the tests with a signal on a region of `change`. O(postings log postings).
///
/// # Errors
/// If a list that the change touches is damaged, or there are more regions or signals than the optimizer takes.
pub fn gather<D: AsRef<[u8]>>(index: &Index<D>, change: &Change) -> Result<Candidates, CandidateError> {
    let mut signals: Vec<Signal> = Vec::new();
    let mut views = Views { index, last: None };
    for (at, region) in (0u32..).zip(&change.regions) {
        each_signal(&mut views, region, |test, level| signals.push((test, at, level)))?;
        if signals.len() > SIGNALS_MOST {
            return Err(CandidateError::TooManySignals { limit: SIGNALS_MOST });
        }
    }
    signals.sort_unstable();
    let mut tests: Vec<TestId> = Vec::new();
    let mut starts = Vec::new();
    let mut rows: Vec<Row> = Vec::with_capacity(signals.len());
    for (test, region, level) in signals {
        if tests.last() != Some(&test) {
            tests.push(test);
            starts.push(position(rows.len()));
        }
        rows.push(Row::new(region, level));
    }
    starts.push(position(rows.len()));
    let costs = tests.iter().map(|&test| index.cost_us(test)).collect::<Result<Vec<u64>, _>>()?;
    Ok(Candidates { tests, instance: Instance::new(weights(change), costs, starts, rows)? })
}

fn position(rows: usize) -> u32 {
    u32::try_from(rows).expect("signals are counted against SIGNALS_MOST")
}

impl Candidates {
    /// The candidates but those in `gone`: what [`gather`] would give of a model without them, but for what their number
    /// says of the others.
    ///
    /// # Errors
    /// Never for what [`gather`] gave.
    pub fn without(self, gone: &HashSet<TestId>) -> Result<Self, CandidateError> {
        let (mut tests, mut costs, mut starts, mut rows) = (Vec::new(), Vec::new(), vec![0], Vec::new());
        for (candidate, &test) in (0u32..).zip(&self.tests) {
            if !gone.contains(&test) {
                tests.push(test);
                costs.push(self.instance.costs_us()[candidate as usize]);
                rows.extend_from_slice(self.instance.rows_of(candidate));
                starts.push(position(rows.len()));
            }
        }
        Ok(Self { tests, instance: Instance::new(self.instance.weights().to_vec(), costs, starts, rows)? })
    }
}

/// The regions' weights in fixed point; the unmapped share is left out of every sum, so no test can reach it.
fn weights(change: &Change) -> Vec<u32> {
    let mut weights: Vec<f64> = change.regions.iter().map(|region| region.weight).collect();
    weights.push(change.unmapped_weight());
    let mut fixed = fixed_weights(&weights);
    fixed.pop();
    fixed
}

/// Every test with a signal on a region of `change`, ascending.
///
/// # Errors
/// If a list that the change touches is damaged.
pub fn impacted<D: AsRef<[u8]>>(index: &Index<D>, change: &Change) -> Result<Vec<TestId>, ModelError> {
    let mut tests = BTreeSet::new();
    let mut views = Views { index, last: None };
    for region in &change.regions {
        each_signal(&mut views, region, |test, _| {
            tests.insert(test);
        })?;
    }
    Ok(tests.into_iter().collect())
}

/// The files of a change, one at a time: regions are sorted by file, and a record is checked as a whole when it is
/// looked up, so that looking it up for every block of a large file would cost the square of its size.
struct Views<'a, D> {
    index: &'a Index<D>,
    last: Option<(FileId, FileView<'a>)>,
}

impl<'a, D: AsRef<[u8]>> Views<'a, D> {
    fn file(&mut self, file: FileId) -> Result<FileView<'a>, ModelError> {
        match self.last {
            Some((last, view)) if last == file => Ok(view),
            _ => Ok(self.last.insert((file, self.index.file(file)?)).1),
        }
    }
}

/// Calls `visit` once for each test with a signal on `region`.
fn each_signal<D: AsRef<[u8]>>(
    views: &mut Views<'_, D>,
    region: &Region,
    mut visit: impl FnMut(TestId, Level),
) -> Result<(), ModelError> {
    match &region.source {
        Source::Block(file, block) => crowd(views.file(*file)?.block(*block)?, visit),
        Source::Symbol(file, lines) => {
            let (tests, recorded) = lines_run(views.file(*file)?, *lines)?;
            let count = u32::try_from(tests.len()).unwrap_or(u32::MAX);
            tests.into_iter().for_each(|(test, run)| visit(test, signal::ran_part(count, run, recorded)));
            Ok(())
        }
        // Module scope runs once, for all tests that touch the file: nothing recorded tells them apart.
        Source::File(file) => crowd(views.file(*file)?.touching()?, visit),
        Source::Defines(file) => crowd(views.file(*file)?.defines()?, visit),
        Source::Tests(tests) => {
            tests.iter().for_each(|&test| visit(test, signal::IS_THE_CHANGE));
            Ok(())
        }
        Source::Feature(feature) => {
            views.index.feature(*feature)?.list.for_each(|posting| visit(posting.test, Level(posting.signal)))
        }
    }
}

/// The tests of a list, each worth what one of so many is.
fn crowd(list: PostingList<'_>, mut visit: impl FnMut(TestId, Level)) -> Result<(), ModelError> {
    let level = signal::ran_the_lines(list.count());
    list.for_each(|posting| visit(posting.test, level))
}

/// How many of `lines` each test ran, and how many were recorded.
fn lines_run(view: FileView<'_>, lines: LineRange) -> Result<(BTreeMap<TestId, f64>, f64), ModelError> {
    let mut tests = BTreeMap::new();
    let mut recorded = 0.0;
    let runs = (view.run_from(lines.first)..).map_while(|at| view.run(at)).take_while(|run| run.first <= lines.last);
    for run in runs {
        let within = f64::from(run.last.min(lines.last).saturating_sub(run.first.max(lines.first))) + 1.0;
        recorded += within;
        view.block(run.block)?.for_each(|posting| *tests.entry(posting.test).or_insert(0.0) += within)?;
    }
    Ok((tests, recorded))
}

/// The tests nearest to the change that are not in `taken`: those of the changed symbols, then of the changed files,
/// then all others; the cheapest first in each. O(tests log tests): for filling a budget, never for a plain selection.
///
/// # Errors
/// If a part of the model that is read is damaged.
pub fn nearest<D: AsRef<[u8]>>(
    index: &Index<D>,
    change: &Change,
    taken: &HashSet<TestId>,
) -> Result<Vec<(TestId, u64)>, ModelError> {
    let mut order = Nearest { index, taken: taken.clone(), found: Vec::new() };
    let mut files: BTreeSet<FileId> = BTreeSet::new();
    let mut symbols: BTreeSet<(FileId, LineRange)> = BTreeSet::new();
    let mut views = Views { index, last: None };
    for region in &change.regions {
        let file = match region.source {
            Source::Block(file, _) | Source::Symbol(file, _) | Source::File(file) | Source::Defines(file) => file,
            Source::Tests(_) | Source::Feature(_) => continue,
        };
        files.insert(file);
        let view = views.file(file)?;
        for symbol in region.lines.iter().filter_map(|range| view.symbol_at(range.first)) {
            symbols.insert((file, LineRange { first: symbol.first.to_native(), last: symbol.last.to_native() }));
        }
    }
    let mut near: BTreeSet<TestId> = BTreeSet::new();
    for (file, lines) in symbols {
        near.extend(lines_run(views.file(file)?, lines)?.0.into_keys());
    }
    order.add(near)?;
    let mut touching: BTreeSet<TestId> = BTreeSet::new();
    for &file in &files {
        index.file(file)?.touching()?.for_each(|posting| {
            touching.insert(posting.test);
        })?;
    }
    order.add(touching)?;
    order.add((0..index.root().tests).map(TestId))?;
    Ok(order.found)
}

struct Nearest<'a, D> {
    index: &'a Index<D>,
    taken: HashSet<TestId>,
    found: Vec<(TestId, u64)>,
}

impl<D: AsRef<[u8]>> Nearest<'_, D> {
    fn add(&mut self, tests: impl IntoIterator<Item = TestId>) -> Result<(), ModelError> {
        let start = self.found.len();
        for test in tests {
            if self.taken.insert(test) {
                self.found.push((test, self.index.cost_us(test)?));
            }
        }
        self.found[start..].sort_unstable_by_key(|&(test, cost_us)| (cost_us, test));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::build;
    use crate::change::Mapping;
    use crate::observation::{LineSet, Observations, Outcome, Run, Symbol, SymbolKind};

    /// Five tests by falling nearness to line 3 of `a.py`: they ran it, its function, its file, another file, nothing.
    /// The farther, the cheaper.
    fn seen() -> Observations {
        let mut seen = Observations::default();
        let [a, b] = ["a.py", "b.py"].map(|path| seen.file(path));
        for (cost_us, (id, file, line)) in
            (1..).zip([("none", b, 0), ("other", b, 1), ("file", a, 50), ("function", a, 8), ("line", a, 3)])
        {
            let test = seen.test(id);
            if line > 0 {
                seen.cover(test, file, &[LineRange::single(line)].into_iter().collect::<LineSet>());
            }
            let cost_us = Some(cost_us * 1000);
            seen.run(test, Run { time_us: 0, commit: String::new(), outcome: Outcome::Passed, cost_us });
        }
        let lines = LineRange { first: 2, last: 10 };
        seen.file_mut(a).symbols.insert(Symbol { lines, name: "f".to_owned(), kind: SymbolKind::Function });
        seen
    }

    fn with_change(check: impl FnOnce(&Index<&[u8]>, &Change)) {
        let bytes = build(&seen(), None, |_| None);
        let index = Index::open(&bytes[..]).unwrap();
        let diff = crate::diff::parse(b"--- a/a.py\n+++ b/a.py\n@@ -3 +2,0 @@\n-x\n@@ -50 +48,0 @@\n-y\n").unwrap();
        check(&index, &Change::read(&index, &diff, Mapping::default()).unwrap());
    }

    fn names(index: &Index<&[u8]>, tests: impl IntoIterator<Item = TestId>) -> Vec<String> {
        tests.into_iter().map(|test| index.test_name(test).unwrap()).collect()
    }

    #[test]
    fn candidates_have_a_signal_and_the_others_do_not() {
        with_change(|index, change| {
            let candidates = gather(index, change).unwrap();
            assert_eq!(names(index, candidates.tests.iter().copied()), ["file", "line"]);
            assert_eq!(names(index, impacted(index, change).unwrap()), ["file", "line"]);
            assert_eq!(candidates.instance.costs_us(), [3000, 5000]);
            let gone = HashSet::from([candidates.tests[0]]);
            let last = candidates.instance.rows_of(1).to_vec();
            let left = candidates.without(&gone).unwrap();
            assert_eq!((names(index, left.tests), left.instance.costs_us()), (vec!["line".to_owned()], &[5000][..]));
            assert_eq!(left.instance.rows_of(0), last);
        });
    }

    #[test]
    fn the_nearest_come_first() {
        with_change(|index, change| {
            let nearest = nearest(index, change, &HashSet::new()).unwrap();
            let order = names(index, nearest.iter().map(|&(test, _)| test));
            assert_eq!(order, ["function", "line", "file", "none", "other"]);
        });
    }

    #[test]
    fn no_change_has_no_candidates() {
        with_change(|index, _| assert!(gather(index, &Change::default()).unwrap().instance.is_empty()));
    }
}
